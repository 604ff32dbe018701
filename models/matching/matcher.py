from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from odoo import api, fields, models, tools
from odoo.tools import SQL

from ...tools.words import _lt
from .score import REMEMBERED_DAYS, Asked, Deal, rank, winner

# A caller gets at most so many deals, and a number at most so many contacts: nobody chooses among
# more.
MOST_DEALS = 20
# SQL: the number stands in *Phone* behind another one, as telephony.phones.mixin indexes it.
MORE_PHONES = SQL(
    "telephony_more_phones IS NOT NULL AND string_to_array(telephony_more_phones, ' ') @> ARRAY[asked.number]"
)
MOST_CONTACTS = 200
# So many reasons a match explanation names.
MOST_TOLD = 4


class Caller(NamedTuple):
    """Whom the matcher is asked about: `number` is E.164, `did` the id of the company number that
    was called, `user` the id of who talked; False if there is none."""

    number: str
    did: int | bool = False
    user: int | bool = False


class Reason(NamedTuple):
    """A match reason, one thing that speaks for a deal: a code of telephony.match.weight, the phrase
    (Words), and the points."""

    code: str
    text: str
    weight: int


class Candidate(NamedTuple):
    """An open deal that a call may be about: crm.lead, the sum of its reasons' weights, its
    reasons, heaviest first."""

    lead: models.Model
    score: int
    reasons: tuple = ()


class Match(NamedTuple):
    """Whom a number belongs to. `partner` and `lead` are records, possibly empty; `state` is a
    match_state, `reason` one line that says why (Words), or ''. `candidates`: at most MOST_DEALS,
    best first. `excluded`: ours, a colleague's, or one that a person said is never a customer's.
    `partners`: the contacts who have the number, MOST_CONTACTS at most."""

    partner: models.Model
    lead: models.Model
    state: str
    reason: str
    candidates: tuple = ()
    excluded: bool = False
    partners: models.Model | tuple = ()

    def salesperson(self):
        """Return the user whose customer calls: the deal's salesperson, or the one whom all
        candidates have, else the contact's."""
        owners = self.lead.user_id
        if not self.lead and self.candidates:
            owners = self.lead.browse(candidate.lead.id for candidate in self.candidates).user_id
        if len(owners) == 1:
            return owners
        return self.partner.user_id or self.partner.commercial_partner_id.user_id


class Contact(NamedTuple):
    """A contact who has a number, or whom a person chose for it."""

    id: int
    firm: int
    name: str
    is_colleague: bool


class Decision(NamedTuple):
    """What a person decided about a number: kind of the telephony.decision, and the ids of its deal
    and user."""

    kind: str
    lead: int | None
    user: int | None


class Owners(NamedTuple):
    """Who has a number: the contacts and the decision. `is_said`: a person said whose number it is.
    `names`: id of a contact or firm → name."""

    contacts: tuple[Contact, ...] = ()
    decision: Decision | None = None
    names: Mapping[int, str] = MappingProxyType({})
    is_said: bool = False

    @property
    def firms(self) -> set[int]:
        return {contact.firm for contact in self.contacts}


class Offer(NamedTuple):
    """An open deal as it was read: the values that the score needs, and its contact's name for the
    match explanation."""

    deal: Deal
    contact_name: str


class TelephonyMatcher(models.AbstractModel):
    """Finds contact and deal of a number, and says why. Reads only: whoever asks decides what to
    write.

    It makes three queries, whatever the number of callers: who has the numbers, their open deals,
    and, if several deals compete, what happened with them lately. They are SQL because the card of
    a ringing call waits for them.
    """

    _name = 'telephony.matcher'
    _description = "Telephony matcher"

    @api.model
    def _match(self, company, callers, without=()):
        """Find who the callers are and which of their open deals they call about.

        :param company: res.company; records of other companies are never found
        :param callers: :class:`Caller` each
        :param without: ids of calls that do not count as contact with a deal, because they are being
            matched
        :return: dict caller → :class:`Match`
        """
        matcher = self.sudo()
        callers = tuple(dict.fromkeys(callers))
        own_numbers = self.env['telephony.number']._own_names(company.id)
        owners = matcher._owners(company, {caller.number for caller in callers} - own_numbers)
        asked = {
            caller: matcher._asked(caller, owners.get(caller.number, Owners()))
            for caller in callers
            if caller.number not in own_numbers
            and not _is_excluded(owners.get(caller.number, Owners()))
        }
        offers = matcher._offers(company, asked)
        for caller, several in offers.items():
            several[:] = (offer for offer in several if _is_theirs(offer.deal, asked[caller]))
        matcher._add_history(company, offers, without)
        return {
            caller: matcher._decide(
                company, caller, asked[caller], owners.get(caller.number, Owners()), offers[caller]
            )
            if caller in asked
            else matcher._excluded(caller, owners.get(caller.number, Owners()))
            for caller in callers
        }

    @api.model
    def _no_customers(self, company, numbers):
        """Return those of the numbers that are no customer's, dict number → reason, in one query."""
        matcher = self.sudo()
        own_numbers = self.env['telephony.number']._own_names(company.id)
        owners = matcher._owners(company, set(numbers) - own_numbers)
        return {
            number: matcher._excluded(Caller(number), owners.get(number, Owners())).reason
            for number in set(numbers)
            if number in own_numbers or _is_excluded(owners.get(number, Owners()))
        }

    # === READING === #

    @api.model
    def _owners(self, company, numbers):
        """Return who has the numbers: contacts by their own and by further numbers, and decisions.

        :return: dict number → :class:`Owners`
        """
        contacts, chosen, decisions, names = defaultdict(dict), {}, {}, defaultdict(dict)
        for number, kind, lead_id, user_id, *values in self._owner_rows(company, numbers):
            contact = self._contact(names[number], *values) if values[0] else None
            if kind:
                decisions[number] = Decision(kind, lead_id, user_id)
                chosen[number] = contact
            else:
                contacts[number][contact.id] = contact
        return {
            number: Owners(
                (chosen[number],) if chosen.get(number) else tuple(contacts[number].values()),
                decisions.get(number),
                names[number],
                bool(chosen.get(number)),
            )
            for number in {*contacts, *decisions}
        }

    @api.model
    def _contact(self, names, contact_id, firm_id, name, firm_name, is_colleague):
        """Return a row's contact, and add its name and its firm's to `names`."""
        contact = Contact(contact_id, firm_id or contact_id, name or '', is_colleague)
        names.update({contact.firm: firm_name or contact.name, contact.id: contact.name})
        return contact

    @api.model
    def _owner_rows(self, company, numbers):
        """Read contacts and decisions of the numbers: rows of number, kind, deal and user of the
        decision, then id, firm, name and firm's name of the contact, and whether it is a
        colleague. An archived contact of a decision is NULL."""
        if not numbers:
            return ()
        self.env['res.partner'].flush_model(
            [
                'active',
                'commercial_company_name',
                'commercial_partner_id',
                'company_id',
                'complete_name',
                'partner_share',
                'phone_sanitized',
                'telephony_more_phones',
            ]
        )
        self.env['telephony.contact.number'].flush_model(['number', 'partner_id'])
        self.env['telephony.decision'].flush_model(
            ['company_id', 'kind', 'lead_id', 'number', 'partner_id', 'user_id']
        )
        return self.env.execute_query(
            SQL(
                """ SELECT asked.number, owner.kind, owner.lead_id, owner.user_id, contact.id, contact.commercial_partner_id,
                       contact.complete_name, contact.commercial_company_name, %(is_colleague)s
                  FROM unnest(%(numbers)s::text[]) AS asked (number)
                 CROSS JOIN LATERAL (
                       (SELECT NULL AS kind, id AS partner_id, NULL::int AS lead_id, NULL::int AS user_id
                          FROM res_partner
                         WHERE phone_sanitized = asked.number AND active
                           AND (company_id IS NULL OR company_id = %(company)s) LIMIT %(most)s)
                       UNION ALL
                       (SELECT NULL, id, NULL, NULL
                          FROM res_partner
                         WHERE %(more_phones)s AND active
                           AND (company_id IS NULL OR company_id = %(company)s) LIMIT %(most)s)
                       UNION ALL
                       (SELECT NULL, partner_id, NULL, NULL
                          FROM telephony_contact_number WHERE number = asked.number LIMIT %(most)s)
                       UNION ALL
                       (SELECT kind, partner_id, lead_id, user_id
                          FROM telephony_decision WHERE number = asked.number AND company_id = %(company)s)
                       ) AS owner
                  LEFT JOIN res_partner AS contact
                    ON contact.id = owner.partner_id AND contact.active
                   AND (contact.company_id IS NULL OR contact.company_id = %(company)s)
                 WHERE contact.id IS NOT NULL OR owner.kind IS NOT NULL
                 ORDER BY contact.id """,
                numbers=list(numbers),
                company=company.id,
                most=MOST_CONTACTS,
                is_colleague=self._is_colleague_sql(company),
                more_phones=MORE_PHONES,
            )
        )

    @api.model
    def _is_colleague_sql(self, company):
        """Return the SQL condition that `contact` is one of us: the company itself, an internal user
        or an employee."""
        employees = SQL("FALSE")
        if (
            'work_contact_id' in self.env.get('hr.employee', ())
            and self.env['hr.employee']._fields['work_contact_id'].store
        ):
            employees = SQL(
                "EXISTS (SELECT 1 FROM hr_employee WHERE hr_employee.work_contact_id = contact.id AND hr_employee.active)"
            )
        return SQL(
            "(contact.partner_share IS FALSE OR contact.id = %s OR %s)",
            company.partner_id.id,
            employees,
        )

    @api.model
    def _asked(self, caller, owners):
        """Return what the score needs of a caller, an :class:`Asked`."""
        number = self.env['telephony.number']
        return Asked(
            caller.number,
            frozenset(contact.id for contact in owners.contacts),
            frozenset(owners.firms),
            caller.user or None,
            number._called(caller.did) if caller.did else Asked._field_defaults['called'],
            owners.decision.lead if owners.decision else None,
            owners.is_said,
        )

    @api.model
    def _offers(self, company, asked):
        """Return the open deals of callers: those with the number, those of the contacts' whole
        companies, and the chosen one. At most one more than MOST_DEALS; the chosen deal and those
        of the talker come before newer ones.

        :param asked: dict caller → :class:`Asked`
        :return: dict caller → list of :class:`Offer`
        """
        offers = {caller: [] for caller in asked}
        callers = list(asked)
        for place, *values, contact_name in self._deal_rows(company, callers, asked):
            values[-2:] = (value or 0 for value in values[-2:])
            offers[callers[place]].append(Offer(Deal(*values), contact_name or ''))
        return offers

    @api.model
    def _deal_rows(self, company, callers, asked):
        """Read the open deals of callers: rows of the caller's place in the list, the first fields
        of :class:`Deal`, and the contact's name."""
        if not callers:
            return ()
        self.env['crm.lead'].flush_model(
            [
                'active',
                'campaign_id',
                'company_id',
                'expected_revenue',
                'partner_id',
                'phone_sanitized',
                'probability',
                'telephony_more_phones',
                'source_id',
                'team_id',
                'user_id',
                'won_status',
            ]
        )
        firms = [
            (place, firm) for place, caller in enumerate(callers) for firm in asked[caller].firms
        ]
        return self.env.execute_query(
            SQL(
                """ SELECT asked.place, deal.id, deal.phone_sanitized, contact.id, contact.commercial_partner_id, deal.user_id,
                       deal.source_id, deal.campaign_id, deal.team_id, deal.probability, deal.expected_revenue,
                       COALESCE(NULLIF(contact.name, ''), contact.complete_name)
                  FROM unnest(%(places)s::int[], %(numbers)s::text[], %(users)s::int[], %(chosen)s::int[])
                       AS asked (place, number, user_id, lead_id)
                 CROSS JOIN LATERAL (
                       SELECT lead.id, lead.phone_sanitized, lead.partner_id, lead.user_id, lead.source_id,
                              lead.campaign_id, lead.team_id, lead.probability, lead.expected_revenue
                         FROM (SELECT id FROM crm_lead WHERE phone_sanitized = asked.number
                               UNION
                               SELECT id FROM crm_lead WHERE %(more_phones)s
                               UNION
                               SELECT lead.id
                                 FROM unnest(%(firm_places)s::int[], %(firms)s::int[]) AS firm (place, id)
                                 JOIN res_partner AS member ON member.commercial_partner_id = firm.id AND member.active
                                 JOIN crm_lead AS lead ON lead.partner_id = member.id
                                WHERE firm.place = asked.place
                               UNION
                               SELECT asked.lead_id) AS found
                         JOIN crm_lead AS lead ON lead.id = found.id
                        WHERE lead.won_status = 'pending' AND lead.active
                          AND (lead.company_id IS NULL OR lead.company_id = %(company)s)
                        ORDER BY lead.id = asked.lead_id DESC NULLS LAST, lead.user_id = asked.user_id DESC NULLS LAST,
                                 lead.id DESC
                        LIMIT %(most)s
                       ) AS deal
                  LEFT JOIN res_partner AS contact ON contact.id = deal.partner_id AND contact.active """,
                places=list(range(len(callers))),
                numbers=[caller.number for caller in callers],
                users=[asked[caller].user for caller in callers],
                chosen=[asked[caller].chosen for caller in callers],
                firm_places=[place for place, _firm in firms],
                firms=[firm for _place, firm in firms],
                company=company.id,
                most=MOST_DEALS + 1,
                more_phones=MORE_PHONES,
            )
        )

    @api.model
    def _add_history(self, company, offers, without):
        """Add to deals that compete with others, in place, what happened with them lately and what
        is due."""
        ids = {
            offer.deal.id for several in offers.values() if len(several) > 1 for offer in several
        }
        history = {}
        for row in self._history_rows(list(ids), without):
            deal_id, called_at, written_at, callback_at, deadline, has_quotation = row
            activity_at = deadline and datetime.combine(deadline, time.min)
            contacts = [(called_at, 'call'), (written_at, 'message')]
            dues = [(callback_at, 'callback'), (activity_at, 'activity')]
            contacted_at, contacted_by = max(filter(itemgetter(0), contacts), default=(None, ''))
            due_at, due_what = min(filter(itemgetter(0), dues), default=(None, ''))
            history[deal_id] = {
                'contacted_at': contacted_at,
                'contacted_by': contacted_by,
                'due_at': due_at,
                'due_what': due_what,
                'has_quotation': has_quotation,
            }
        for several in offers.values():
            several[:] = [
                offer._replace(deal=offer.deal._replace(**history.get(offer.deal.id, {})))
                for offer in several
            ]

    @api.model
    def _history_rows(self, deal_ids, without):
        """Read what happened with deals: rows of id, the latest call and message within
        REMEMBERED_DAYS, the next due callback and activity (naive UTC, a date), and whether a
        quotation is open."""
        if not deal_ids:
            return ()
        self.env['telephony.call'].flush_model(['lead_id', 'start_at', 'state'])
        self.env['telephony.callback'].flush_model(['due_at', 'lead_id', 'state'])
        self.env['mail.message'].flush_model(
            ['date', 'is_internal', 'message_type', 'model', 'res_id']
        )
        self.env['mail.activity'].flush_model(['active', 'date_deadline', 'res_id', 'res_model'])
        return self.env.execute_query(
            SQL(
                """ SELECT deal.id, called.start_at, written.date, callback.due_at, activity.date_deadline, %(has_quotation)s
                  FROM unnest(%(ids)s::int[]) AS deal (id)
                  LEFT JOIN LATERAL (
                       SELECT start_at
                         FROM telephony_call
                        WHERE lead_id = deal.id AND state = 'ended' AND start_at >= %(since)s AND id != ALL(%(without)s::int[])
                        ORDER BY start_at DESC LIMIT 1) AS called ON TRUE
                  LEFT JOIN LATERAL (
                       SELECT date
                         FROM mail_message
                        WHERE model = 'crm.lead' AND res_id = deal.id AND date >= %(since)s
                          AND message_type IN ('email', 'email_outgoing', 'comment', 'sms') AND is_internal IS NOT TRUE
                        ORDER BY id DESC LIMIT 1) AS written ON TRUE
                  LEFT JOIN LATERAL (
                       SELECT MIN(due_at) AS due_at
                         FROM telephony_callback WHERE lead_id = deal.id AND state = 'open') AS callback ON TRUE
                  LEFT JOIN LATERAL (
                       SELECT MIN(date_deadline) AS date_deadline
                         FROM mail_activity
                        WHERE res_model = 'crm.lead' AND res_id = deal.id AND active) AS activity ON TRUE """,
                ids=deal_ids,
                since=fields.Datetime.now() - timedelta(days=REMEMBERED_DAYS),
                without=list(without),
                has_quotation=self._has_quotation_sql(),
            )
        )

    @api.model
    def _has_quotation_sql(self):
        """Return the SQL condition that the deal `deal` has an open quotation; FALSE without
        quotations of deals in this database."""
        orders = self.env.get('sale.order')
        if orders is None or 'opportunity_id' not in orders._fields:
            return SQL("FALSE")
        orders.flush_model(['opportunity_id', 'state'])
        return SQL(
            "EXISTS (SELECT 1 FROM sale_order WHERE opportunity_id = deal.id AND state IN ('draft', 'sent'))"
        )

    # === DECIDING === #

    def _excluded(self, caller, owners):
        """Return the match of a number that is no customer's."""
        if owners.decision and owners.decision.kind == 'ignore':
            reason = _lt(
                "%(user)s said that this is never a customer",
                user=self._user_name(owners.decision.user),
            )
        elif owners.contacts:
            reason = _lt(
                "A colleague: %(name)s",
                name=", ".join(contact.name for contact in owners.contacts[:3]),
            )
        else:
            reason = _lt("One of the company's own numbers")
        nobody = self.env['res.partner']
        return Match(
            nobody,
            self.env['crm.lead'],
            'none',
            reason,
            excluded=True,
            partners=nobody.browse(contact.id for contact in owners.contacts),
        )

    def _decide(self, company, caller, asked, owners, offers):
        """Return the match of a caller who may be a customer."""
        nobody, no_deal = self.env['res.partner'], self.env['crm.lead']
        partners = nobody.browse(contact.id for contact in owners.contacts)
        weights = self.env['telephony.match.weight']._weights(company.id)
        now = fields.Datetime.now()
        ranked = rank([offer.deal for offer in offers], asked, weights, now)
        offer_of = {offer.deal.id: offer for offer in offers}
        candidates = tuple(
            self._candidate(scored, offer_of[scored.deal.id], owners, now)
            for scored in ranked[:MOST_DEALS]
        )

        def match(partner, lead, state, reason):
            return Match(partner, lead, state, reason, candidates, partners=partners)

        firms = _firms_of(asked, owners, offers)
        chosen = offer_of.get(asked.chosen)
        if len(firms) <= 1:
            partner = nobody.browse(_contact_of(owners, offers))
        elif chosen:
            partner = nobody.browse(chosen.deal.contact)
        else:
            return match(
                nobody,
                no_deal,
                'ambiguous',
                _lt(
                    "%(count)s unrelated contacts have this number",
                    count=max(len(partners), len(firms)),
                ),
            )
        policy = self._policy(company, caller.did)
        if policy in ('contact', 'new') or not ranked:
            return match(
                partner,
                no_deal,
                'auto' if partner else 'none',
                self._contact_reason(partner, owners, policy if ranked else ''),
            )
        best = _best(policy, ranked, asked, company.telephony_match_margin)
        if best and (len(ranked) <= MOST_DEALS or 'choice' in best.points):
            offer = offer_of[best.deal.id]
            return match(
                partner or nobody.browse(offer.deal.contact),
                no_deal.browse(best.deal.id),
                'auto',
                self._deal_reason(best, ranked, offer, owners, policy, now),
            )
        return match(partner, no_deal, 'ambiguous', self._open_reason(ranked, policy))

    @api.model
    def _policy(self, company, did):
        """Return which open deal a call to this company number is linked to, a value of
        telephony.number.deal_policy; the number's own policy, else the company's."""
        return (
            did
            and self.env['telephony.number']._own_deal_policy(did)
            or company.telephony_deal_policy
        )

    # === WORDS === #

    def _contact_reason(self, partner, owners, policy):
        if not partner:
            return ''
        if policy == 'contact':
            return _lt("Contact with this number; no deals are linked here")
        if policy == 'new':
            return _lt("Contact with this number; each call begins a new deal here")
        if owners.is_said:
            return _lt(
                "Said to be %(name)s's number by %(user)s; no open deal",
                name=owners.names[partner.id],
                user=self._user_name(owners.decision.user),
            )
        if len(owners.contacts) > 1:
            return _lt(
                "The line of %(company)s, shared by %(count)s contacts; no open deal",
                company=owners.names[partner.id],
                count=len(owners.contacts),
            )
        return _lt("Contact with this number; no open deal")

    def _deal_reason(self, best, ranked, offer, owners, policy, now):
        if policy == 'newest' and len(ranked) > 1 and 'choice' not in best.points:
            return _lt("The newest of %(count)s open deals", count=len(ranked))
        if len(ranked) > 1 or 'choice' in best.points or 'colleague' in best.points:
            rival = next((scored for scored in ranked if scored is not best), None)
            told = [
                reason
                for reason in self._candidate(best, offer, owners, now).reasons
                if not rival or reason.weight > rival.points.get(reason.code, 0)
            ][:MOST_TOLD]
            # the sentence does not show the points, telephony.call.match_points does
            reasons, points = [reason.text for reason in told], [reason.weight for reason in told]
            return (
                _lt(
                    "%(reasons)s: the likeliest of %(count)s open deals",
                    reasons=reasons,
                    count=len(ranked),
                    points=points,
                    score=best.score,
                    next=rival.score,
                )
                if rival
                else _lt("%(reasons)s: the only open deal", reasons=reasons, points=points)
            )
        if not owners.contacts and not offer.contact_name:
            return _lt("The only open deal with this number")
        if 'firm' in best.points:
            return _lt(
                "The only open deal of the caller's company, %(name)s", name=offer.contact_name
            )
        name = offer.contact_name or owners.contacts[0].name
        return _lt("The only open deal of %(name)s", name=name)

    def _open_reason(self, ranked, policy):
        if len(ranked) == 1:
            return (
                _lt("An open deal of somebody else in the company: is it about this?")
                if ranked[0].is_far
                else _lt("One open deal: is it about this?")
            )
        if len(ranked) > MOST_DEALS:
            return _lt("More than %(count)s open deals: choose the right one", count=MOST_DEALS)
        if policy != 'score':
            return _lt("%(count)s open deals: choose the right one", count=len(ranked))
        return _lt(
            "%(count)s open deals, none clearly ahead: choose the right one",
            count=len(ranked),
            score=ranked[0].score,
            next=ranked[1].score,
        )

    def _candidate(self, scored, offer, owners, now):
        reasons = sorted(
            (
                Reason(code, self._reason_text(code, offer, owners, now), weight)
                for code, weight in scored.points.items()
            ),
            key=lambda reason: -reason.weight,
        )
        return Candidate(self.env['crm.lead'].browse(scored.deal.id), scored.score, tuple(reasons))

    def _reason_text(self, code, offer, owners, now):
        match code:
            case 'number':
                return _lt("it has this number")
            case 'person':
                return (
                    _lt("it is %(name)s's", name=offer.contact_name)
                    if offer.contact_name
                    else _lt("it is the caller's")
                )
            case 'firm':
                return _lt(
                    "it is the deal of %(name)s, the caller's company", name=offer.contact_name
                )
            case 'colleague':
                return _lt("it is the deal of %(name)s, a colleague", name=offer.contact_name)
            case 'choice':
                return _lt(
                    "chosen by %(name)s for this number", name=self._user_name(owners.decision.user)
                )
            case 'owner':
                return _lt(
                    "its salesperson %(name)s has the call", name=self._user_name(offer.deal.user)
                )
            case 'campaign':
                return _lt("its campaign's number was called")
            case 'source':
                return _lt("its source's number was called")
            case 'team':
                return _lt("its team's number was called")
            case 'planned':
                return (
                    _lt("a callback is due")
                    if offer.deal.due_what == 'callback'
                    else _lt("an activity is due")
                )
            case 'recent':
                return self._recent_text(offer.deal, now)
            case 'quotation':
                return _lt("a quotation is open")
            case 'probability':
                return _lt("probability %(percent)s%%", percent=round(offer.deal.probability))
            case 'amount':
                return _lt("the highest revenue")
        return code

    def _recent_text(self, deal, now):
        days = (now.date() - deal.contacted_at.date()).days
        if deal.contacted_by == 'call':
            return (
                _lt("called about it today")
                if not days
                else _lt("called about it yesterday")
                if days == 1
                else _lt("called about it %(days)s days ago", days=days)
            )
        return (
            _lt("written about today")
            if not days
            else _lt("written about yesterday")
            if days == 1
            else _lt("written about %(days)s days ago", days=days)
        )

    def _user_name(self, user_id):
        return self._user_names(user_id) if user_id else _lt("somebody")

    @api.model
    @tools.ormcache('user_id')
    def _user_names(self, user_id):
        """Return a user's name from the cache, which is cleared when they are renamed."""
        return self.env['res.users'].browse(user_id).name


def _is_excluded(owners):
    """Return whether a number is never a customer's: by the decision about it, else because only
    colleagues have it."""
    if owners.decision:
        return owners.decision.kind == 'ignore'
    return bool(owners.contacts) and all(contact.is_colleague for contact in owners.contacts)


def _is_theirs(deal, asked):
    """Return False for a deal of another contact with the same number, once a person has said whose
    number it is."""
    return not asked.is_said or deal.id == asked.chosen or not deal.firm or deal.firm in asked.firms


def _firms_of(asked, owners, offers):
    """Return the ids of the companies that have the number: by contacts, and by deals with it unless
    a person has said whose number it is."""
    if asked.is_said:
        return owners.firms
    deals = [offer.deal for offer in offers]
    return owners.firms | {deal.firm for deal in deals if deal.number == asked.number and deal.firm}


def _best(policy, ranked, asked, margin):
    """Return the deal that a policy links without asking, or None."""
    if policy == 'score':
        return winner(ranked, margin)
    if policy != 'newest':
        return None
    near = [scored for scored in ranked if not scored.is_far]
    return max(
        near, key=lambda scored: (scored.deal.id == asked.chosen, scored.deal.id), default=None
    )


def _contact_of(owners, offers):
    """Return the ids of the contact that a call belongs to: the only one with the number, the
    company of several, or the only contact of all the deals. Empty if there is none."""
    ids = {contact.id for contact in owners.contacts}
    if len(ids) == 1:
        return ids
    if ids:
        return owners.firms
    contacts = {offer.deal.contact for offer in offers}
    firms = {offer.deal.firm for offer in offers}
    return (
        contacts
        if len(contacts) == 1 and all(contacts)
        else firms
        if len(firms) == 1 and all(firms)
        else ()
    )
