from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...providers.numbers import to_e164


class TelephonyContactNumber(models.Model):
    """A further number of a contact, beside the one on its form: typed or learnt from calls. The
    matcher knows a caller by it as by the contact's own number."""

    _name = 'telephony.contact.number'
    _description = "Further number of a contact"
    _order = 'partner_id, number'
    _rec_name = 'number'

    partner_id = fields.Many2one(
        'res.partner', string="Contact", required=True, index=True, ondelete='cascade'
    )
    number = fields.Char(
        required=True, index=True, help="Stored as +77771234567, whatever way it is typed."
    )
    label = fields.Char(help="Whose or what for, such as “assistant” or “warehouse”.")
    origin = fields.Selection(
        [('typed', "Typed"), ('learnt', "Learnt from a call")],
        required=True,
        default='typed',
        readonly=True,
    )

    _partner_number_uniq = models.UniqueIndex(
        '(partner_id, number)', "The contact has this number already."
    )

    @api.model_create_multi
    def create(self, vals_list):
        numbers = super().create(
            [self._with_e164(vals, vals.get('partner_id')) for vals in vals_list]
        )
        numbers._queue_late_match()
        return numbers

    def write(self, vals):
        if 'number' in vals:
            for number in self:
                partner_id = vals.get('partner_id') or number.partner_id.id
                super(TelephonyContactNumber, number).write(self._with_e164(vals, partner_id))
        else:
            super().write(vals)
        if {'number', 'partner_id'} & set(vals):
            self._queue_late_match()
        return True

    def _queue_late_match(self):
        self.env['telephony.rebind'].sudo()._queue(self.mapped('number'))

    @api.model
    def _learn(self, partner, numbers):
        """Add those of the E.164 numbers that the contact does not have."""
        have = {partner.phone_sanitized, *partner.telephony_number_ids.mapped('number')}
        return self.create(
            [
                {'partner_id': partner.id, 'number': number, 'origin': 'learnt'}
                for number in sorted(set(numbers) - have)
            ]
        )

    @api.model
    def _with_e164(self, vals, partner_id):
        """Return the values with the number as E.164, read as people in the contact's country write
        it.

        :raise ValidationError: it is no outside number
        """
        partner = self.env['res.partner'].browse(partner_id)
        country = partner.country_id or partner.company_id.country_id or self.env.company.country_id
        number = to_e164(vals.get('number'), country.code or '')
        if not number:
            raise ValidationError(
                self.env._(
                    "%(number)s is not a complete phone number. Enter it with the area or country code.",
                    number=vals.get('number') or '–',
                )
            )
        return {**vals, 'number': number}
