from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import NamedTuple

from odoo import api, fields, models, tools
from odoo.tools import SQL

from ...tools.words import _lt
from .score import REMEMBERED_DAYS, Asked, Deal, rank, winner

# More deals or contacts than this on one number mean nothing to anybody.
MOST_DEALS = 20
# A number that stands in *Phone* behind another one, as telephony.phones.mixin indexes it.
MORE_PHONES = SQL(
    "telephony_more_phones IS NOT NULL AND string_to_array(telephony_more_phones, ' ') @> ARRAY[asked.number]"
)
MOST_CONTACTS = 200
# Reasons that a line tells; those that the next deal has as well say nothing about the choice.
MOST_TOLD = 4


class Caller(NamedTuple):
    """Who is asked for: an E.164 number, the id of our own number that was called and of the user
    who talked, or False."""

    number: str
    did: int | bool = False
    user: int | bool = False


class Reason(NamedTuple):
    """What speaks for a deal: a code of telephony.match.weight, the phrase (Words), and the
    points."""

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
        """Whose customer calls: the deal's salesperson, of several deals the one whom all have,
        else the contact's."""
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
    """What a person decided about a number: of a row of telephony.decision the kind and the ids of
    deal and user."""

    kind: str
    lead: int | None
    user: int | None


class Owners(NamedTuple):
    """Who has a number: the contacts, and what was decided; `is_said` when the contact is the
    decision's. `names` holds the names of the contacts and their firms."""

    contacts: tuple[Contact, ...] = ()
    decision: Decision | None = None
    names: Mapping[int, str] = MappingProxyType({})
    is_said: bool = False

    @property
    def firms(self) -> set[int]:
        return {contact.firm for contact in self.contacts}


class Offer(NamedTuple):
    """An open deal as it is read: what decides, and its contact's name to tell it with."""

    deal: Deal
    contact_name: str


class TelephonyMatcher(models.AbstractModel):
    """Number → contact → deal, with the reason. Reads only: whoever asks decides what to write.

    Three queries, whatever the number of callers: who has the numbers, their open deals, and, where
    several deals compete, what happened with them lately. They are SQL because the caller's card
    waits for them.
    """

    _name = 'telephony.matcher'
    _description = "Telephony matcher"

    @api.model
    def _match(self, company, callers, without=()):
        """Find whom callers are and which of their open deals they call about.

        :param company: res.company; other companies' records are never found
        :param callers: :class:`Caller` each
        :param without: ids of calls that do not count as contact with a deal: those that are being
            decided
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
        """Which of these numbers are no customer's, with the reason, in one query."""
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
        """Who has the numbers: contacts by their own and by further numbers, and what was decided.

        :return: dict number → :class:`Owners`
        """
        if not numbers:
            return {}
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
        rows = self.env.execute_query(
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
        contacts, chosen, decisions, names = defaultdict(dict), {}, {}, defaultdict(dict)
        for (
            number,
            kind,
            lead_id,
            user_id,
            contact_id,
            firm_id,
            name,
            firm_name,
            is_colleague,
        ) in rows:
            contact = contact_id and Contact(
                contact_id, firm_id or contact_id, name or '', is_colleague
            )
            if contact:
                names[number] |= {contact.firm: firm_name or contact.name, contact.id: contact.name}
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
    def _is_colleague_sql(self, company):
        """Whether `contact` is one of us: the company itself, an internal user, an employee."""
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
        """What the score needs of a caller."""
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
        """The open deals of callers: those that carry the number, of the contacts' whole companies,
        and the chosen one; at most one more than is shown, the chosen and the talker's own before
        newer ones.

        :param asked: dict caller → :class:`Asked`
        :return: dict caller → list of :class:`Offer`
        """
        offers = {caller: [] for caller in asked}
        if not asked:
            return offers
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
        callers = list(asked)
        firms = [
            (place, firm) for place, caller in enumerate(callers) for firm in asked[caller].firms
        ]
        rows = self.env.execute_query(
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
        for place, *values, contact_name in rows:
            values[-2:] = (value or 0 for value in values[-2:])
            offers[callers[place]].append(Offer(Deal(*values), contact_name or ''))
        return offers

    @api.model
    def _add_history(self, company, offers, without):
        """Complete deals that compete with others by what happened with them lately and what is
        due; in place."""
        ids = list(
            {offer.deal.id for several in offers.values() if len(several) > 1 for offer in several}
        )
        if not ids:
            return
        now = fields.Datetime.now()
        self.env['telephony.call'].flush_model(['lead_id', 'start_at', 'state'])
        self.env['telephony.callback'].flush_model(['due_at', 'lead_id', 'state'])
        self.env['mail.message'].flush_model(
            ['date', 'is_internal', 'message_type', 'model', 'res_id']
        )
        self.env['mail.activity'].flush_model(['active', 'date_deadline', 'res_id', 'res_model'])
        rows = self.env.execute_query(
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
                ids=ids,
                since=now - timedelta(days=REMEMBERED_DAYS),
                without=list(without),
                has_quotation=self._has_quotation_sql(),
            )
        )
        history = {}
        for deal_id, called_at, written_at, callback_at, deadline, has_quotation in rows:
            contacted = max(
                ((at, how) for at, how in ((called_at, 'call'), (written_at, 'message')) if at),
                default=(None, ''),
            )
            activity_at = deadline and datetime.combine(deadline, time.min)
            due = min(
                (
                    (at, what)
                    for at, what in ((callback_at, 'callback'), (activity_at, 'activity'))
                    if at
                ),
                default=(None, ''),
            )
            history[deal_id] = {
                'contacted_at': contacted[0],
                'contacted_by': contacted[1],
                'due_at': due[0],
                'due_what': due[1],
                'has_quotation': has_quotation,
            }
        for several in offers.values():
            several[:] = [
                offer._replace(deal=offer.deal._replace(**history.get(offer.deal.id, {})))
                for offer in several
            ]

    @api.model
    def _has_quotation_sql(self):
        """Whether the deal `deal` has an open quotation; only a database with quotations of deals
        can tell."""
        orders = self.env.get('sale.order')
        if orders is None or 'opportunity_id' not in orders._fields:
            return SQL("FALSE")
        orders.flush_model(['opportunity_id', 'state'])
        return SQL(
            "EXISTS (SELECT 1 FROM sale_order WHERE opportunity_id = deal.id AND state IN ('draft', 'sent'))"
        )

    # === DECIDING === #

    def _excluded(self, caller, owners):
        """The answer for a number that is no customer's."""
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
        nobody, no_deal = self.env['res.partner'], self.env['crm.lead']
        partners = nobody.browse(contact.id for contact in owners.contacts)
        weights = self.env['telephony.match.weight']._weights(company.id)
        now = fields.Datetime.now()
        ranked = rank([offer.deal for offer in offers], asked, weights, now)
        offer_of = {offer.deal.id: offer for offer in offers}
        candidates = tuple(
            self._candidate(one, offer_of[one.deal.id], owners, now) for one in ranked[:MOST_DEALS]
        )

        def match(partner, lead, state, reason):
            return Match(partner, lead, state, reason, candidates, partners=partners)

        firms = (
            owners.firms
            if asked.is_said
            else owners.firms
            | {
                offer.deal.firm
                for offer in offers
                if offer.deal.number == asked.number and offer.deal.firm
            }
        )
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
        best = None
        if policy == 'newest':
            near = [one for one in ranked if not one.is_far]
            best = max(
                near, key=lambda one: (one.deal.id == asked.chosen, one.deal.id), default=None
            )
        elif policy == 'score':
            best = winner(ranked, company.telephony_match_margin)
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
        """Which open deal a call to this number of ours is linked to: a value of
        telephony.number.deal_policy."""
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
            return _lt("Contact with this number; deals are left alone here")
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
            rivals = [one for one in ranked if one is not best]
            rival = rivals[0] if rivals else None
            told = [
                reason
                for reason in self._candidate(best, offer, owners, now).reasons
                if not rival or reason.weight > rival.points.get(reason.code, 0)
            ][:MOST_TOLD]
            reasons, points = [reason.text for reason in told], [reason.weight for reason in told]
            # the points are kept, see telephony.call.match_points; the sentence is for people
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
                return _lt("%(name)s, who talks, owns it", name=self._user_name(offer.deal.user))
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
        """A user's name, at hand for the lines that tell whose a deal is; it is forgotten when they
        are renamed."""
        return self.env['res.users'].browse(user_id).name


def _is_excluded(owners):
    """Said to be nobody's, or only people of ours have it; what a person decided is stronger than
    that."""
    if owners.decision:
        return owners.decision.kind == 'ignore'
    return bool(owners.contacts) and all(contact.is_colleague for contact in owners.contacts)


def _is_theirs(deal, asked):
    """Not somebody else's who has the same number, once a person has said whose it is."""
    return not asked.is_said or deal.id == asked.chosen or not deal.firm or deal.firm in asked.firms


def _contact_of(owners, offers):
    """The contact that a call hangs on: its owner, the company of several owners, or who has all
    the deals with the number."""
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
