from odoo import models


class MailActivity(models.Model):
    _inherit = 'mail.activity'

    def _action_done(self, feedback=False, attachment_ids=None):
        callbacks = self._open_callbacks()
        result = super()._action_done(feedback=feedback, attachment_ids=attachment_ids)
        for callback in callbacks:
            reason = feedback or self.env._("The activity was marked done by %(user)s", user=self.env.user.name)
            callback._close('done', reason, user=self.env.user)
        return result

    def action_cancel(self):
        self.check_access('unlink')
        for callback in self._open_callbacks():
            callback._close(
                'cancelled', self.env._("The activity was cancelled by %(user)s", user=self.env.user.name))
        # closing takes the activity away with it
        return super(MailActivity, self.exists()).action_cancel()

    def _open_callbacks(self):
        return self.env['telephony.callback'].sudo().search([('activity_id', 'in', self.ids), ('state', '=', 'open')])
