from odoo import fields, models

from ..providers.base import Contact


class ResPartner(models.Model):
    _name = 'res.partner'
    _inherit = ['res.partner', 'telephony.calls.mixin']

    # core searches it without an index: at a million contacts a caller would be looked up in 0.4 s
    phone_sanitized = fields.Char(index='btree_not_null')
    telephony_call_ids = fields.One2many(
        'telephony.call', 'partner_id', string="Calls", groups='crm_telephony.group_user')
    telephony_number_ids = fields.One2many(
        'telephony.contact.number', 'partner_id', string="Further Numbers", groups='crm_telephony.group_user')

    def _telephony_family(self):
        """A company shows the calls of its people too."""
        return (self | self.with_context(active_test=False).child_ids).ids

    def _telephony_contact(self):
        """This contact as a PBX shows it."""
        self.ensure_one()
        first, _space, last = (self.name or '').partition(' ')
        return Contact(
            id=self.id,
            first_name='' if self.is_company else first,
            last_name='' if self.is_company else last,
            company=self.commercial_company_name or self.company_name or (self.name if self.is_company else '') or '',
            email=self.email or '',
            phone_business=self.phone_sanitized or self.phone or '',
            url=f'{self.get_base_url()}/odoo/res.partner/{self.id}',
        )
