from collections import defaultdict

from odoo import api, fields, models


def name_in(lead):
    """What a deal calls the customer: the person, else the company."""
    return lead.contact_name or lead.partner_name or ''


class TelephonyOtherSide(models.AbstractModel):
    """Who is on the other side, by name, of whatever has a number, a contact and a deal.

    The contact's name; else what the linked deal calls the customer; where none is linked, what the open deals with this number
    call him, as far as they agree. Only what the user of the environment may read is named. At most one query for many records.
    """
    _name = 'telephony.other.side'
    _description = "Other side of a call"

    customer_name = fields.Char(
        string="Customer", compute='_compute_customer_name', help="The contact, else whom the deal names.")

    @api.depends('company_id', 'customer_number', 'partner_id', 'lead_id')
    @api.depends_context('uid')
    def _compute_customer_name(self):
        sides = self._other_sides()
        for one in self:
            partner, lead = sides[one]
            one.customer_name = partner.complete_name or name_in(lead) or False

    def _other_sides(self):
        """What tells the names: dict record → (res.partner, crm.lead). Each may be empty; the deal need not be linked."""
        owned, sides = self.sudo(), {}
        unknown = owned.filtered(lambda one: one.customer_number and not one.partner_id and not one.lead_id)
        partners = owned.partner_id.with_env(self.env)._filtered_access('read')
        leads = owned.lead_id.with_env(self.env)._filtered_access('read')
        # all at once: parts of the recordsets would be read one by one
        partners.fetch(['name', 'complete_name'])
        leads.fetch(['contact_name', 'partner_name'])
        deals = unknown._open_deals_with_name(self.env)
        for one, own in zip(self, owned, strict=True):
            lead = own.lead_id.with_env(self.env) & leads if own.lead_id else deals.get(
                (own.company_id, own.customer_number), leads.browse())
            sides[one] = own.partner_id.with_env(self.env) & partners, lead
        return sides

    def _open_deals_with_name(self, env):
        """(company, number) → the newest of the open deals with this number, where all call the customer the same."""
        numbers = set(self.mapped('customer_number'))
        if not numbers or not env['crm.lead'].has_access('read'):
            return {}
        leads = env['crm.lead'].search_fetch([
            ('phone_sanitized', 'in', list(numbers)), ('won_status', '=', 'pending'),
            ('company_id', 'in', [False, *self.company_id.ids]),
            '|', ('contact_name', '!=', False), ('partner_name', '!=', False),
        ], ['phone_sanitized', 'company_id', 'contact_name', 'partner_name'], order='id desc')
        several = defaultdict(list)
        for lead in leads:
            for company in lead.company_id.sudo() or self.company_id:
                several[company, lead.phone_sanitized].append(lead)
        return {key: found[0] for key, found in several.items() if len({name_in(lead) for lead in found}) == 1}
