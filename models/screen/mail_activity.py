from odoo import models
from odoo.exceptions import UserError


class MailActivity(models.Model):
    """*Call* on an activity calls its customer."""

    _inherit = 'mail.activity'

    def action_call(self):
        """Call the customer whom this activity is about; the activity of an open callback is its
        callback, and is taken.

        :return: what the screen does about it, see `telephony.dial.place_call`
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
                    "%(record)s has no phone number.", record=self.res_name or self.display_name
                )
            )
        return self.env['telephony.dial'].place_call(number, self._name, self.id)

    def _number_to_call(self):
        """The number that is to be called back, else that of the deal or contact, if any."""
        number = self._open_callbacks()[:1].customer_number
        if number or not self.res_model:
            return number
        record = self.env[self.res_model].browse(self.res_id)
        customer = self.env['telephony.dial']._customer_record(record) or record
        return next(
            (customer[name] for name in ('customer_number', 'phone') if customer._fields.get(name)),
            False,
        )
