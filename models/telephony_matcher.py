from typing import NamedTuple

from odoo import api, models
from odoo.fields import Domain

# More deals than this on one number mean nothing to anybody; core stops looking for duplicates there too.
MOST = 21


class Match(NamedTuple):
    """Whom a number belongs to. `partner`, `lead` and `candidates` (crm.lead) are records, possibly empty; `state` is a
    match_state, `reason` one line that says why."""
    partner: models.Model
    lead: models.Model
    state: str
    reason: str
    candidates: models.Model


class TelephonyMatcher(models.AbstractModel):
    """Number → contact → deal, with the reason. Reads only: whoever asks decides what to write."""
    _name = 'telephony.matcher'
    _description = "Telephony matcher"

    @api.model
    def _match(self, company, numbers):
        """Find the owners of E.164 numbers in two queries, whatever their count.

        A deal is linked only when it is the single open one; otherwise a person chooses.

        :return: dict number → :class:`Match`
        """
        matcher = self.sudo().with_context(lang=company.partner_id.lang or self.env.lang, active_test=True)
        partners = matcher._partners(company, numbers).grouped('phone_sanitized')
        every = matcher.env['res.partner'].union(*partners.values())
        limit = MOST * len(numbers)
        leads = matcher._open_leads(company, numbers, every | every.commercial_partner_id, limit)
        if len(leads) == limit and len(numbers) > 1:
            # one crowded number may have pushed out the others' deals
            return {number: match for one in numbers for number, match in self._match(company, [one]).items()}
        return {
            number: matcher._decide(partners.get(number, every.browse()), leads, number) for number in numbers
        }

    @api.model
    def _partners(self, company, numbers):
        return self.env['res.partner'].search_fetch(
            Domain('phone_sanitized', 'in', list(numbers)) & Domain('company_id', 'in', [False, company.id]),
            ['phone_sanitized', 'commercial_partner_id', 'complete_name'], order='id')

    @api.model
    def _open_leads(self, company, numbers, partners, limit):
        return self.env['crm.lead'].search_fetch(
            Domain('won_status', '=', 'pending') & Domain('company_id', 'in', [False, company.id])
            & (Domain('phone_sanitized', 'in', list(numbers)) | Domain('partner_id', 'in', partners.ids)),
            ['phone_sanitized', 'partner_id'], order='id desc', limit=limit)

    def _decide(self, partners, leads, number):
        _ = self.env._
        families = partners.commercial_partner_id
        own = leads.filtered(lambda lead: lead.phone_sanitized == number or lead.partner_id in partners)
        candidates = own or leads.filtered(lambda lead: lead.partner_id in families)
        nobody = leads.browse()
        if len(families) > 1:
            return Match(partners.browse(), nobody, 'ambiguous', _(
                "%(count)s unrelated contacts have this number", count=len(partners)), candidates)
        # several people of one company: the line is the company's
        partner = partners if len(partners) == 1 else families
        if len(candidates) == 1:
            partner = partner or candidates.partner_id
            reason = _("The only open deal of %(name)s", name=partner.complete_name) if partner else _(
                "The only open deal with this number")
            return Match(partner, candidates, 'auto', reason, candidates)
        if candidates:
            count = f'{MOST}+' if len(candidates) >= MOST else len(candidates)
            return Match(partner, nobody, 'ambiguous', _(
                "%(count)s open deals: choose the right one", count=count), candidates)
        if not partner:
            return Match(partner, nobody, 'none', '', nobody)
        if len(partners) > 1:
            return Match(partner, nobody, 'auto', _(
                "The line of %(company)s, shared by %(count)s contacts; no open deal",
                company=partner.complete_name, count=len(partners)), nobody)
        return Match(partner, nobody, 'auto', _("Contact with this number; no open deal"), nobody)
