from odoo import fields, models


class TelephonyCallbackCancel(models.TransientModel):
    """Asks why nobody will call back."""

    _name = 'telephony.callback.cancel'
    _description = "Cancel a callback"

    callback_ids = fields.Many2many('telephony.callback', required=True)
    reason_id = fields.Many2one('telephony.callback.reason', string="Reason", required=True)
    note = fields.Char(string="In Your Words")

    def action_cancel(self):
        return self.callback_ids.action_cancel(self.reason_id.id, self.note)
