import re

from odoo import api, fields, models
from odoo.fields import Domain

from ...providers.base import Contact
from ..calls.call import trigram

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
    _name = 'res.partner'
    _inherit = ['res.partner', 'telephony.calls.mixin', 'telephony.phones.mixin']
    _telephony_head = 'parent_id'  # a company shows the calls of its people too

    # core searches it without an index: at a million contacts a caller would be looked up in 0.4 s
    phone_sanitized = fields.Char(index='btree_not_null')
    # core finds a part of a name by reading all contacts
    _telephony_name_idx = models.Index(trigram('USING gin (complete_name gin_trgm_ops)'))
    telephony_call_ids = fields.One2many(
        'telephony.call', 'partner_id', string="Calls", groups='crm_telephony.group_user'
    )
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
        owners, calls = {}, self.env['telephony.call'].sudo()
        if 'name' in vals and self.sudo().with_context(active_test=False).user_ids:
            # the matcher has their names at hand
            self.env['telephony.account']._forget_settings()
        if 'user_id' in vals:
            owners = calls.search(
                [
                    '|',
                    ('partner_id', 'in', self.ids),
                    ('partner_id.commercial_partner_id', 'in', self.ids),
                ]
            )._owners()
        result = super().write(vals)
        if OWNERSHIP & set(vals):
            self._bind_late()
        # anybody may change a contact: who is not its salesperson gives only what he may hear
        # himself
        calls._pass_on(owners)
        return result

    def _compute_phone_sanitized(self):
        super()._compute_phone_sanitized()
        self._read_phones()

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

    def _telephony_contact(self):
        """This contact as a PBX shows it."""
        self.ensure_one()
        first, _space, last = (self.name or '').partition(' ')
        return Contact(
            id=self.id,
            first_name='' if self.is_company else first,
            last_name='' if self.is_company else last,
            company=self.commercial_company_name
            or self.company_name
            or (self.name if self.is_company else '')
            or '',
            email=self.email or '',
            phone_business=self.phone_sanitized or self.phone or '',
            url=f'{self.get_base_url()}/odoo/res.partner/{self.id}',
        )
