import re

from odoo import api, fields, models
from odoo.fields import Domain

# Fields that decide which calls are a contact's.
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
    """Contacts with further numbers; queues late matches when a contact changes."""

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
        partners._queue_late_match()
        return partners

    def write(self, vals):
        if 'name' in vals and self.sudo().with_context(active_test=False).user_ids:
            # the matcher caches the names of users
            self.env['telephony.account']._forget_settings()
        result = super().write(vals)
        if OWNERSHIP & set(vals):
            self._queue_late_match()
        return result

    def _telephony_numbers(self):
        return [*super()._telephony_numbers(), *self.telephony_number_ids.mapped('number')]

    def _queue_late_match(self):
        """Queue the numbers of these contacts for a late match, because past calls may belong to
        them. Not the numbers that they no longer have, nor those of archived contacts: such calls
        may have been theirs."""
        self.env['telephony.rebind'].sudo()._queue(
            self.sudo().filtered('active')._telephony_numbers()
        )

    def _search_phone_mobile_search(self, operator, value):
        """Let Odoo's own search by number find further numbers too."""
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
