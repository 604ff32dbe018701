from odoo import models
from odoo.exceptions import UserError


class MailActivity(models.Model):
    _inherit = 'mail.activity'

    def action_call(self):
        """Call the customer whom this activity is about; what happens is told by `telephony.account._place_call`."""
        self.ensure_one()
        self.check_access('read')
        callback = self._open_callbacks()[:1]
        number = callback.customer_number
        if not number and self.res_model:
            record = self.env[self.res_model].browse(self.res_id)
            customer = self.env['telephony.account']._customer_record(record) or record
            number = next((customer[name] for name in ('customer_number', 'phone') if customer._fields.get(name)), False)
        if not number:
            raise UserError(self.env._("%(record)s has no phone number.", record=self.res_name or self.display_name))
        return self.env['telephony.account']._place_call(number, self)

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
