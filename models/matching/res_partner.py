import re

from odoo import api, fields, models
from odoo.fields import Domain

# What decides whose calls are a contact's.
OWNERSHIP = {
    'phone',
    'phone_sanitized',
    'country_id',
    'active',
    'company_id',
    'parent_id',
    'is_company',
}


class ResPartner(models.Model):
    """Contacts decide whose calls are whose: past calls are looked up when they change."""

    _name = 'res.partner'
    _inherit = ['res.partner', 'telephony.matched.mixin']

    telephony_number_ids = fields.One2many(
        'telephony.contact.number',
        'partner_id',
        string="Further Numbers",
        groups='crm_telephony.group_user',
    )

    @api.model_create_multi
    def create(self, vals_list):
        partners = super().create(vals_list)
        partners._bind_late()
        return partners

    def write(self, vals):
        if 'name' in vals and self.sudo().with_context(active_test=False).user_ids:
            # the matcher has their names at hand
            self.env['telephony.account']._forget_settings()
        result = super().write(vals)
        if OWNERSHIP & set(vals):
            self._bind_late()
        return result

    def _telephony_numbers(self):
        return [*super()._telephony_numbers(), *self.telephony_number_ids.mapped('number')]

    def _bind_late(self):
        """Past calls of these contacts' numbers may belong to them. Of numbers that they have no
        more, and of archived contacts, nothing is looked up: those calls may have been theirs."""
        self.env['telephony.rebind'].sudo()._queue(
            self.sudo().filtered('active')._telephony_numbers()
        )

    def _search_phone_mobile_search(self, operator, value):
        """Odoo's own search by number finds further numbers too."""
        domain = super()._search_phone_mobile_search(operator, value)
        if (
            operator not in ('ilike', 'like', '=', '=ilike', '=like')
            or not isinstance(value, str)
            or not (digits := re.sub(r'\D', '', value))
        ):
            return domain
        international = value.strip().startswith(('+', '00'))
        if value.strip().startswith('00'):
            digits = digits[2:]
        begin, end = '+' if international else '%', '' if operator.startswith('=') else '%'
        numbers = (
            self.env['telephony.contact.number']
            .sudo()
            ._search([('number', '=like', f'{begin}{digits}{end}')])
        )
        return domain | Domain('id', 'in', numbers.subselect('partner_id'))
