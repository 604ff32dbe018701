from odoo import fields, models
from odoo.exceptions import AccessError, UserError

from ...tools.words import _lt


class TelephonyRecording(models.Model):
    """Deletes recordings because a person wants it, and says so for good."""

    _inherit = 'telephony.recording'

    def action_delete(self):
        """Ask why, and then delete these recordings."""
        self._check_may_delete()
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._("Delete Recordings"),
            'res_model': 'telephony.recording.delete',
            'view_mode': 'form',
            'target': 'new',
            'context': {'default_recording_ids': self.ids, 'dialog_size': 'medium'},
        }

    def _delete_by_hand(self, reason, pbx_too):
        """Delete these recordings for the user.

        :param str reason: what the user says
        :return: the recordings that were deleted
        :raise UserError: a hold covers all of them
        """
        self.check_access('read')
        self._check_may_delete()
        present = self.sudo().filtered(lambda recording: recording.state != 'deleted')
        deleted = present._delete_sound(_lt("By hand: %(reason)s", reason=reason), pbx_too)
        if present and not deleted:
            raise UserError(self.env['telephony.hold']._refusal(present.call_id))
        return deleted

    def _check_may_delete(self):
        if not self.env.user.has_group('crm_telephony.group_privacy'):
            raise AccessError(
                self.env._(
                    "Only those who may erase and hold can delete recordings. Ask your telephony administrator."
                )
            )


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    can_delete_recordings = fields.Boolean(compute='_compute_can_delete_recordings')

    def _compute_can_delete_recordings(self):
        may = self.env.user.has_group('crm_telephony.group_privacy')
        for call in self:
            call.can_delete_recordings = may and any(
                recording.state != 'deleted' for recording in call.recording_ids
            )

    def action_delete_recordings(self):
        return self.recording_ids.action_delete()

    def action_hold(self):
        """Open a new hold on these calls."""
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._("Hold"),
            'res_model': 'telephony.hold',
            'view_mode': 'form',
            'context': {'default_call_ids': self.ids},
        }
