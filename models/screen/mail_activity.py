from odoo import models
from odoo.exceptions import UserError


class MailActivity(models.Model):
    """*Call* on an activity calls its customer."""

    _inherit = 'mail.activity'

    def action_call(self):
        """Call the customer of this activity. A call for the activity of an open callback takes the
        callback.

        :return: a client action, see `telephony.dial.place_call`
        :raise UserError: there is no number, or it cannot be called
        """
        self.ensure_one()
        self.check_access('read')
        callback = self._open_callbacks()[:1].sudo(False)
        if callback and callback.has_access('write'):
            return callback.action_call()
        number = self._number_to_call()
        if not number:
            raise UserError(
                self.env._(
                    "%(record)s has no phone number. Enter one first.",
                    record=self.res_name or self.display_name,
                )
            )
        return self.env['telephony.dial'].place_call(number, self._name, self.id)

    def _number_to_call(self):
        """Return the number of the activity's callback, else that of its deal or contact, or
        False."""
        number = self._open_callbacks()[:1].customer_number
        if number or not self.res_model:
            return number
        record = self.env[self.res_model].browse(self.res_id)
        customer = self.env['telephony.dial']._customer_record(record) or record
        return next(
            (customer[name] for name in ('customer_number', 'phone') if customer._fields.get(name)),
            False,
        )
