from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Domain

from ...providers.numbers import pretty


def name_in(lead):
    """Return what a deal calls the customer: the person, else the company, else ''."""
    return lead.contact_name or lead.partner_name or ''


class TelephonyOtherSide(models.AbstractModel):
    """Name the customer of a record that has a number, a contact and a deal.

    The contact's name; else what the linked deal calls the customer; where none is linked, what the
    open deals with this number call them, as far as they agree. Nothing is named that the user may
    not read. Many records cost at most one query.
    """

    _name = 'telephony.other.side'
    _description = "Other side of a call"

    customer_name = fields.Char(
        string="Customer",
        compute='_compute_customer_name',
        help="The contact, else the person or company that the deal names.",
    )

    customer_phone = fields.Char(
        string="Customer's Phone",
        compute='_compute_customer_phone',
        help="The customer's number as people write it.",
    )

    @api.depends('customer_number')
    def _compute_customer_phone(self):
        for record in self:
            number = record.customer_number
            record.customer_phone = pretty(number) if number else False

    @api.depends('company_id', 'customer_number', 'partner_id', 'lead_id')
    @api.depends_context('uid')
    def _compute_customer_name(self):
        sides = self._other_sides()
        for record in self:
            partner, lead = sides[record]
            record.customer_name = partner.complete_name or name_in(lead) or False

    def _other_sides(self):
        """Return what the names are taken from: dict record → (res.partner, crm.lead). Either may be
        empty, and the deal need not be the linked one."""
        owned, sides = self.sudo(), {}
        unknown = owned.filtered(
            lambda record: record.customer_number and not record.partner_id and not record.lead_id
        )
        partners = owned.partner_id.with_env(self.env)._filtered_access('read')
        leads = owned.lead_id.with_env(self.env)._filtered_access('read')
        # all at once: parts of the recordsets would be read one by one
        partners.fetch(['name', 'complete_name'])
        leads.fetch(['contact_name', 'partner_name'])
        deals = unknown._open_deals_with_name(self.env)
        for record, own in zip(self, owned, strict=True):
            lead = (
                own.lead_id.with_env(self.env) & leads
                if own.lead_id
                else deals.get((own.company_id, own.customer_number), leads.browse())
            )
            sides[record] = own.partner_id.with_env(self.env) & partners, lead
        return sides

    def _open_deals_with_name(self, env):
        """Return dict (company, number) → the newest open deal with this number. A number is left
        out where its deals call the customer by different names."""
        numbers = set(self.mapped('customer_number'))
        if not numbers or not env['crm.lead'].has_access('read'):
            return {}
        named = Domain('contact_name', '!=', False) | Domain('partner_name', '!=', False)
        leads = env['crm.lead'].search_fetch(
            env['crm.lead']._telephony_number_domain(numbers)
            & named
            & Domain('won_status', '=', 'pending')
            & Domain('company_id', 'in', [False, *self.company_id.ids]),
            [
                'phone_sanitized',
                'telephony_more_phones',
                'company_id',
                'contact_name',
                'partner_name',
            ],
            order='id desc',
        )
        several = defaultdict(list)
        for lead in leads:
            for company in lead.company_id.sudo() or self.company_id:
                for number in numbers.intersection(lead._telephony_numbers()):
                    several[company, number].append(lead)
        return {
            key: found[0]
            for key, found in several.items()
            if len({name_in(lead) for lead in found}) == 1
        }
