from odoo import fields, models


class TelephonyRecordingDelete(models.TransientModel):
    """Asks why recordings are deleted."""

    _name = 'telephony.recording.delete'
    _description = "Delete recordings"

    recording_ids = fields.Many2many('telephony.recording', required=True)
    reason = fields.Char(required=True, help="Is kept with the date and your name.")
    pbx_too = fields.Boolean(
        string="The PBX's Copy Too",
        default=True,
        help="The PBX is told to delete its own copy. If it cannot be told, the recording says what you have to delete there.",
    )

    def action_delete(self):
        deleted = self.recording_ids._delete_by_hand(self.reason, self.pbx_too)
        kept = len(self.recording_ids.filtered('is_held'))
        texts = [
            self.env._("Deleted: %(count)s. The files go within some minutes.", count=len(deleted))
        ]
        if kept:
            texts.append(self.env._("A legal hold keeps: %(count)s.", count=kept))
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'message': " ".join(texts),
                'type': 'warning' if kept else 'success',
                'next': {'type': 'ir.actions.act_window_close'},
            },
        }
