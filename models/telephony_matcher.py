from typing import NamedTuple

from odoo import api, models
from odoo.fields import Domain

# More deals than this on one number mean nothing to anybody; core stops looking for duplicates there too.
MOST = 21


class Caller(NamedTuple):
    """Who is asked for: an E.164 number, the id of our own number that was called and of the user who talked, or False."""
    number: str
    did: int | bool = False
    user: int | bool = False


class Reason(NamedTuple):
    """What speaks for a deal: a code of telephony.match.weight, the translated phrase, and the points."""
    code: str
    text: str
    weight: int


class Candidate(NamedTuple):
    """An open deal that a call may be about: crm.lead, the sum of its reasons' weights, its reasons, heaviest first."""
    lead: models.Model
    score: int
    reasons: tuple = ()


class Match(NamedTuple):
    """Whom a number belongs to. `partner` and `lead` are records, possibly empty; `state` is a match_state, `reason` one
    line that says why. `candidates`: at most MOST - 1, best first; `partners`: the contacts who have the number, as
    many at most. `excluded`: ours, a colleague's, or one that a person said is never a customer's."""
    partner: models.Model
    lead: models.Model
    state: str
    reason: str
    candidates: tuple = ()
    excluded: bool = False
    partners: models.Model | tuple = ()


class TelephonyMatcher(models.AbstractModel):
    """Number → contact → deal, with the reason. Reads only: whoever asks decides what to write."""
    _name = 'telephony.matcher'
    _description = "Telephony matcher"

    @api.model
    def _match(self, company, callers):
        """Find the owners of numbers in two queries, whatever their count.

        :param callers: :class:`Caller` each
        :return: dict caller → :class:`Match`
        """
        callers = list(callers)
        found = self._match_numbers(company, list({caller.number for caller in callers}))
        return {caller: found[caller.number] for caller in callers}

    @api.model
    def _match_numbers(self, company, numbers):
        matcher = self.sudo().with_context(lang=company.partner_id.lang or self.env.lang, active_test=True)
        partners = matcher._partners(company, numbers).grouped('phone_sanitized')
        every = matcher.env['res.partner'].union(*partners.values())
        limit = MOST * len(numbers)
        leads = matcher._open_leads(company, numbers, every | every.commercial_partner_id, limit)
        if len(leads) == limit and len(numbers) > 1:
            # one crowded number may have pushed out the others' deals
            return {number: match for one in numbers for number, match in self._match_numbers(company, [one]).items()}
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
        offered = tuple(Candidate(lead, 0) for lead in candidates[:MOST - 1])
        nobody = leads.browse()
        if len(families) > 1:
            return Match(partners.browse(), nobody, 'ambiguous', _(
                "%(count)s unrelated contacts have this number", count=len(partners)), offered, partners=partners)
        # several people of one company: the line is the company's
        partner = partners if len(partners) == 1 else families
        if len(candidates) == 1:
            partner = partner or candidates.partner_id
            reason = _("The only open deal of %(name)s", name=partner.complete_name) if partner else _(
                "The only open deal with this number")
            return Match(partner, candidates, 'auto', reason, offered, partners=partners)
        if candidates:
            count = f'{MOST}+' if len(candidates) >= MOST else len(candidates)
            return Match(partner, nobody, 'ambiguous', _(
                "%(count)s open deals: choose the right one", count=count), offered, partners=partners)
        if not partner:
            return Match(partner, nobody, 'none', '')
        if len(partners) > 1:
            return Match(partner, nobody, 'auto', _(
                "The line of %(company)s, shared by %(count)s contacts; no open deal",
                company=partner.complete_name, count=len(partners)), partners=partners)
        return Match(partner, nobody, 'auto', _("Contact with this number; no open deal"), partners=partners)
