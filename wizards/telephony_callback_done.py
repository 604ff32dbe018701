from odoo import fields, models
from odoo.exceptions import UserError

from ..tools.words import _lt


class TelephonyCallbackDone(models.TransientModel):
    """Asks how a callback was settled that no call of the PBX has closed. A talk on another phone is
    logged as the call that it was."""

    _name = 'telephony.callback.done'
    _description = "Close a callback by hand"

    callback_id = fields.Many2one('telephony.callback', required=True)
    how = fields.Selection(
        [
            ('talked', "We talked on another phone"),
            ('messenger', "In a messenger"),
            ('other', "In another way"),
        ],
        string="How Served",
        required=True,
        default='talked',
    )
    note = fields.Char(string="In Your Words")

    def action_done(self):
        self.ensure_one()
        if self.how == 'talked':
            return {
                **self.env['ir.actions.act_window']._for_xml_id(
                    'crm_telephony.telephony_manual_call_action'
                ),
                'context': {'active_model': 'telephony.callback', 'active_id': self.callback_id.id},
            }
        if self.how == 'other' and not (self.note or '').strip():
            raise UserError(self.env._("Say in your words how it was settled."))
        return self.callback_id.action_done(
            _lt("in a messenger") if self.how == 'messenger' else None, self.note
        )
