from odoo import fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...providers.numbers import numbers_in


class TelephonyPhonesMixin(models.AbstractModel):
    """Find every number in Odoo's field `phone`.

    People type two numbers into it, put a name beside one or write it as 00 7…, and Odoo then knows
    none. Here the first goes to `phone_sanitized`, the others to `telephony_more_phones`.
    """

    _name = 'telephony.phones.mixin'
    _description = "Record with phone numbers as people type them"

    telephony_more_phones = fields.Char(
        compute='_compute_phone_sanitized',
        store=True,
        compute_sudo=True,
        help="The numbers in the field *Phone* after its first, as +77771234567, separated by spaces.",
    )
    _telephony_more_phones_idx = models.Index(
        "USING gin (string_to_array(telephony_more_phones, ' ')) WITH (fastupdate = off) "
        "WHERE telephony_more_phones IS NOT NULL"
    )

    def _read_phones(self):
        """Correct `phone_sanitized` after Odoo's compute, because people type two numbers, names
        and 00 into one field."""
        countries = self._phone_get_country()
        for record in self:
            country = countries.get(record.id) or self.env.company.country_id
            first, *more = numbers_in(record.phone, country.code or '') or (record.phone_sanitized,)
            if first != record.phone_sanitized:
                record.phone_sanitized = first
            record.telephony_more_phones = ' '.join(more) or False

    def _telephony_numbers(self):
        """Return the numbers in *Phone* of these records, E.164."""
        return [
            number
            for record in self
            for number in (record.phone_sanitized, *(record.telephony_more_phones or '').split())
            if number
        ]

    def _telephony_number_domain(self, numbers):
        """Return the domain of records with one of these E.164 numbers in *Phone*."""
        more = SQL(
            """(SELECT id FROM %s WHERE telephony_more_phones IS NOT NULL
                                   AND string_to_array(telephony_more_phones, ' ') && %s::text[])""",
            SQL.identifier(self._table),
            list(numbers),
        )
        self.flush_model(['telephony_more_phones'])
        return Domain('phone_sanitized', 'in', list(numbers)) | Domain('id', 'in', more)
