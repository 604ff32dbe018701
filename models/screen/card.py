import time
from collections import Counter
from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools.mail import html2plaintext, plaintext2html

from ...providers.numbers import pretty
from ...tools.records import label_of
from ..calls.call import LOST_OUTCOMES
from ..core.other_side import name_in
from ..core.words_field import told

# What a call is for a user, the most telling first: a user who talks on one phone is not told that
# another of theirs rings.
PHASES = ('talking', 'ringing', 'ended', 'lost', 'gone')
# A call that Odoo first hears of after its end is shown if it ended this recently (seconds), so that
# its result can be saved.
LATE_SECONDS = 120
# A page that is opened asks for a missing result this long after the end (seconds): as long as the
# card stays.
UNNOTED_SECONDS = 180
MOST_LEADS, MOST_PEOPLE, MOST_CONTACTS, MOST_OWNERS = 3, 5, 3, 3
# So many letters of a note the card shows.
SHORT_NOTE = 200
# After-call work takes at most this (seconds), because a user who saves after lunch has not worked all
# the time. This long an ended call stays open to those who see it only because they had its card.
LONGEST_ACW = 1800
MESSAGE_ICONS = {
    'email': 'fa-envelope-o',
    'email_outgoing': 'fa-envelope-o',
    'sms': 'fa-mobile',
    'whatsapp_message': 'fa-whatsapp',
}
# Fields that decide whether a user gets the card.
TELLING_FIELDS = ('active', 'partner_id', 'telephony_pop', 'telephony_dnd')
CALL_MESSAGE, LIVE_MESSAGE = 'crm_telephony.call', 'crm_telephony.live'


class Card(NamedTuple):
    """What a call is for one user: the `phase` (one of PHASES), `since` when (naive UTC, or False),
    and on which phone. `is_shared`: the phone is a colleague's that the user shares; they may have
    talked, but the call counts as the colleague's.

    The phase is

    - ringing: the user's phone rings, or they dial;
    - talking: they talk, or dial and the PBX does not tell which;
    - ended: they have talked, or dialled in vain;
    - lost: their phone rang and nobody took the call;
    - gone: somebody else has the call;
    - closed: the call turned out to be no customer's. Only browsers are told this.
    """

    phase: str
    since: object
    extension: str
    is_shared: bool = False


class TelephonyCall(models.Model):
    """The card of a call: who gets it, and what it shows."""

    _inherit = 'telephony.call'

    # === WHO SEES IT === #

    def _cards(self):
        """Return the users whom this call concerns: dict user → :class:`Card`; {} if no customer is
        on the line.

        If the PBX tells only a queue or a company number, and no phone, the call concerns the
        number's team, else the team with the queue's name: those members who have a phone of this
        PBX. Without a team it concerns the number's responsible user.
        """
        self.ensure_one()
        cards = {}
        if not self._is_of_customer():
            return cards
        sharers = self.account_id._directory().sharers if self.account_id else {}
        phones = {phone: self.env['res.users'].browse(ids) for phone, ids in sharers.items()}
        for leg in self.leg_ids:
            card = self._card_of_leg(leg)
            for user in phones.get(leg.extension, leg.user_id):
                is_shared = card.phase in ('talking', 'ended') and leg.user_id not in (
                    user,
                    user.browse(),
                )
                self._add_card(cards, user, card._replace(is_shared=is_shared))
        if self.direction == 'outbound' and self.user_id and self.user_id not in cards:
            phase = (
                'talking'
                if self._may_be_answered()
                else {'ringing': 'ringing', 'in_progress': 'talking', 'ended': 'ended'}[self.state]
            )
            self._add_card(
                cards, self.user_id, Card(phase, self.answered_at or self.start_at, self.extension)
            )
        if self.direction == 'inbound' and not self.leg_ids:
            phase = 'ringing' if self.state == 'ringing' else 'lost' if self._is_lost() else 'gone'
            for user in self._group_users(phones):
                self._add_card(cards, user, Card(phase, self.start_at, ''))
        return cards

    def _is_of_customer(self):
        return self.direction != 'internal' and not self.is_excluded

    def _card_of_leg(self, leg):
        taken = leg.answered_at or leg.outcome == 'answered'
        if self.state == 'ended':
            phase = 'ended' if taken else 'lost' if self._is_lost() else 'gone'
        elif taken:
            phase = 'ended' if leg.ended_at else 'talking'
        else:
            phase = 'gone' if leg.outcome or leg.ended_at else 'ringing'
        return Card(phase, leg.answered_at or leg.start_at or self.start_at, leg.extension)

    def _is_lost(self):
        return self.state == 'ended' and self.outcome != 'answered'

    @api.model
    def _add_card(self, cards, user, card):
        def order(card):  # the user's own phone first
            return card.is_shared, PHASES.index(card.phase)

        if user not in cards or order(card) < order(cards[user]):
            cards[user] = card

    def _group_users(self, phones):
        number = self.number_id
        team = number.team_id or (
            self.queue
            and self.env['crm.team'].search(
                [
                    ('name', '=ilike', self.queue.replace('%', r'\%').replace('_', r'\_')),
                    ('company_id', 'in', [False, self.company_id.id]),
                ],
                limit=1,
            )
        )
        if team:
            return team.member_ids & self.env['res.users'].union(*phones.values())
        return number.user_id

    # === TELLING THEM === #

    def _announce(self, cards_before):
        """Tell each user what these calls are for them now, and supervisors and callback boards that
        something has changed. Goes out when the transaction commits.

        :param dict cards_before: call that ran before and may be on a screen → its cards then
        """
        now = fields.Datetime.now()
        cards_now = {
            call: call._cards() for call in self if call in cards_before or call._is_current(now)
        }
        for call, before in cards_before.items():
            # users whom it concerns no more: the queue has chosen another phone, or no customer calls
            gone = Card('gone' if call._is_of_customer() else 'closed', False, '')
            if call in cards_now:
                cards_now[call].update(dict.fromkeys(before.keys() - cards_now[call].keys(), gone))
        # all users at once, and only the fields that are needed
        self.env['res.users'].union(
            *(user for cards in cards_now.values() for user in cards)
        ).fetch(TELLING_FIELDS)
        for call, cards in cards_now.items():
            for user, card in cards.items():
                if (card.phase != 'gone' or call in cards_before) and call._is_told(user):
                    self._send(user, call._message(card, now))
        self._tick()

    def _tick(self):
        """Ask the live boards, and the callback boards that show one of these customers, to
        reload."""
        bus = self.env['bus.bus']
        # by its cached id: ref() would ask the database whether the group exists
        group = self.env['res.groups'].browse(
            self.env['ir.model.data']._xmlid_to_res_id('crm_telephony.group_supervisor')
        )
        for company in self.company_id:
            bus._sendone(group, LIVE_MESSAGE, {'company_id': company.id})
        callbacks = self.env['telephony.callback'].sudo()
        for company, called in (
            callbacks.union(*callbacks._open_of(self).values()).grouped('company_id').items()
        ):
            callbacks._tell_boards(company.id, called.ids)

    @api.model
    def _send(self, user, message):
        self.env['bus.bus']._sendone(user.partner_id, CALL_MESSAGE, message)

    # === WHEN A CALL CHANGES === #

    def _before_changed(self):
        return {
            **super()._before_changed(),
            'cards': {call: call._cards() for call in self if call.state != 'ended'},
        }

    def _after_filed(self, changed, memory):
        super()._after_filed(changed, memory)
        changed._announce(memory['cards'])

    def _before_customer_changed(self):
        return {**super()._before_customer_changed(), **self._before_changed()}

    def _after_customer_changed(self, moved, memory):
        """Close the cards of calls whose number is ignored while it rings."""
        super()._after_customer_changed(moved, memory)
        self.filtered(lambda call: memory['cards'].get(call) and call.is_excluded)._announce(
            memory['cards']
        )

    def _before_taken_back(self):
        """Close the cards of what turned out to be no call."""
        for call in self.filtered(lambda call: call.state != 'ended'):
            for user in call._cards():
                self._send(user, {'id': call.id, 'phase': 'closed'})
        self._tick()
        return super()._before_taken_back()

    def _on_screen_of(self, user):
        return self._is_handled_by(user)

    def _is_current(self, now):
        if self.state == 'ended':
            return (
                bool(self.ended_at)
                and self.outcome == 'answered'
                and now - self.ended_at < timedelta(seconds=LATE_SECONDS)
            )
        return not self.start_at or self.start_at > self._live_since()

    def _is_told(self, user):
        """Return whether the user gets cards of this company's calls: they use telephony, work for
        the company, and have neither switched cards off nor asked not to be disturbed."""
        return (
            user.active
            and user.telephony_pop
            and not user.telephony_dnd
            and self.company_id.id in user._get_company_ids()
            and user.has_group('crm_telephony.group_user')
        )

    def _message(self, card, now):
        """Return what goes over the bus. It has no name of a customer, because the browser reads
        that with the card, under the user's own rights.

        `seconds` is the age of the phase, so that no clock of a browser matters. `told_at` (the
        server's seconds) orders the messages of one call, because the bus repeats what a browser
        has missed, maybe after the browser has asked.
        """
        message = {'id': self.id, 'phase': card.phase, 'told_at': time.time()}
        if card.phase in ('gone', 'closed'):
            return {**message, 'by': self.user_id.name or ''}
        number = (
            self.customer_number
            or (self.caller_number if self.direction == 'inbound' else self.called_number)
            or ''
        )
        return {
            **message,
            # an outgoing call that is passed on comes in to the user whose phone rings then
            'direction': 'inbound'
            if card.extension not in (self.extension, '')
            else self.direction,
            'number': number,
            'display': pretty(number),
            'extension': card.extension or '',
            'is_shared': card.is_shared,
            'may_be_answered': self._may_be_answered(),
            'outcome': self.outcome or '',
            'seconds': max(int((now - card.since).total_seconds()), 0) if card.since else 0,
            'talk_seconds': self.talk_seconds or 0,
        }

    def _after_card_read(self, user):
        """Runs each time a browser of this user asks for the card of this call (sudo), in the
        transaction of the question: it must be quick, because a caller waits."""

    # === WHAT THE BROWSER ASKS === #

    @api.model
    def ringing_now(self, begun=()):
        """Return the messages of the calls that belong on the user's screen, for a page that was
        opened or connected again: calls that ring at their phones, calls in which they talk, and
        calls just ended whose result they have not saved.

        :param begun: ids of calls whose result they have begun to write in this browser; these are
            returned for longer
        """
        user, now = self.env.user, fields.Datetime.now()
        if not user.has_group('crm_telephony.group_user'):
            return []
        mine, rung = Domain('user_id', '=', user.id), Domain('leg_ids.user_id', '=', user.id)
        just_ended = (
            Domain('state', '=', 'ended')
            & Domain('start_at', '>', self._live_since())
            & Domain('ended_at', '>', now - timedelta(seconds=UNNOTED_SECONDS))
        )
        calls = self.sudo().search(
            Domain('company_id', 'in', user._get_company_ids())
            & Domain('direction', '!=', 'internal')
            # what may concern the user, in one query: mostly there is nothing
            & (
                self._live_domain()
                & (
                    mine
                    | rung
                    | Domain('leg_ids', '=', False)
                    | Domain('account_id.extension_ids.also_user_ids', '=', user.id)
                )
                | just_ended & (mine | rung)
            )
        )
        begun = self.sudo().browse(begun).exists().filtered(lambda call: call._is_handled_by(user))
        answer = []
        for call in calls | begun:
            card = call._cards().get(user)
            if (
                card
                and call._is_told(user)
                and (card.phase in ('ringing', 'talking') or call._waits_for_result(card))
            ):
                answer.append(call._message(card, now))
        return answer

    def _waits_for_result(self, card):
        """Return whether the user of this card had the call, and no result is saved."""
        return (
            card.phase == 'ended'
            and not card.is_shared
            and self.state == 'ended'
            and not (self.disposition_id or self.acw_seconds)
        )

    def _mine(self):
        """Return the call for its user, or raise. A user whose phone rings may see the call, even if
        the record rules hide it, and in any company of theirs, even if they have not chosen it in
        their browser.

        :raise AccessError: the user may not read the call and does not have its card
        """
        self.ensure_one()
        company, chosen, call = self.sudo().company_id, self.env.companies, self
        if company not in chosen and company.id in self.env.user._get_company_ids():
            call = self.with_context(allowed_company_ids=(chosen | company).ids)
        if not call.has_access('read') and not self.sudo()._is_handled_by(self.env.user):
            raise AccessError(self.env._("This call is not yours."))
        return call

    def _is_handled_by(self, user):
        """Return whether the user has the card of this call: it concerns them, or did until just
        now."""
        card = self._cards().get(user)
        if not card or card.phase == 'gone':
            return False
        return self.state != 'ended' or (
            bool(self._moment())
            and fields.Datetime.now() - self._moment() < timedelta(seconds=LONGEST_ACW)
        )

    # === THE CARD === #

    def get_card(self):
        """Return what the card of this call shows, all of it read under the user's own rights.

        :return: False if the call was deleted, else a dict of plain values; times as Odoo writes
            them, in UTC
        """
        if not self.exists():
            return False
        self = self._mine()
        call = self.sudo()
        call._after_card_read(self.env.user)
        partner, lead = self._readable(call.partner_id), self._readable(call.lead_id)
        match = call._matches().get(self.id)
        candidates = (
            {candidate.lead.id: candidate for candidate in match.candidates} if match else {}
        )
        leads = lead | self._readable(lead.browse(candidates))[:MOST_LEADS]
        # somebody has the number, but the user may not know who, and must not enter them again
        is_hidden = bool(
            call.partner_id and not partner or call.lead_id and not lead or candidates and not leads
        )
        controls = self._controls()
        named = call.with_env(self.env)._other_sides()[call][1]
        return {
            'id': self.id,
            'name': partner.name or partner.display_name or name_in(named),
            'company': named.partner_name or '' if not partner and named.contact_name else '',
            'line': call.number_id.label or call.number_id.name or '',
            'queue': call.queue or '',
            'partner': self._partner_values(partner),
            'people': self._people(match) if not partner or partner.is_company else [],
            'is_hidden': is_hidden,
            'owners': self._owners_of_customer(
                call.lead_id | call.lead_id.browse(candidates), leads, controls
            ),
            'leads': [
                self._lead_values(deal, candidates.get(deal.id), deal == lead) for deal in leads
            ],
            'match_state': call.match_state,
            'match_reason': '' if is_hidden else str(call.match_reason or ''),
            'match_points': ''
            if is_hidden or not self._tells_points()
            else call.match_points or '',
            'contacts': self._last_contacts(partner, leads),
            'callback': self._callback_values(),
            'reasons': [
                reason._asdict()
                for reason in self.env['telephony.call.reason']._reasons(partner, leads)
            ],
            'note': call.note or '',
            'recordings': self._recordings_of_card(),
            'controls': controls,
            'can_open': self.has_access('read'),
            'can_create': self.env['res.partner'].has_access('create'),
            'can_keep': self.can_keep_recording,
        }

    def _recordings_of_card(self):
        """Return the recordings that the user may listen to, once the call has ended: `_player_line`
        of each."""
        if self.sudo().state != 'ended':
            return []
        return [recording._player_line() for recording in self._readable(self.sudo().recording_ids)]

    def _readable(self, records):
        """Return those of the records that the user may read."""
        return records.with_env(self.env).exists()._filtered_access('read')

    def _partner_values(self, partner):
        if not partner:
            return False
        company = partner.commercial_partner_id
        return {
            'id': partner.id,
            'name': partner.name or partner.display_name,
            'company': company.name
            if company != partner and company.has_access('read')
            else partner.company_name or '',
            'function': partner.function or '',
            'is_company': partner.is_company,
            'image': f'/web/image/res.partner/{partner.id}/avatar_128?unique={int(partner.write_date.timestamp())}',
        }

    def _people(self, match):
        """Return the contacts to choose from if several share the number."""
        people = (
            self._readable(self.env['res.partner'].union(match.partners))
            if match and match.partners
            else ()
        )
        return [self._partner_values(person) for person in people if not person.is_company][
            :MOST_PEOPLE
        ]

    def _owners_of_customer(self, deals, shown, controls):
        """Return the colleagues whose customer calls, and whether the call can be passed on to them.
        Their names are no secret to a user who answers, but what their deals are about may be one.
        Of the user's own customer only the deals count that the user does not see.

        :param deals: the deals that the call may be about, whoever may read them
        :param shown: those of them that the card shows
        :return: list of ``{'id', 'name', 'deals': how many open ones, 'state': of the owner's
            phone, or '', 'phone': id of the one to which the call can be passed on, or False}``
        """
        owners = self._counted_owners(deals.sudo(), shown.sudo())
        phones = self.sudo().account_id.extension_ids.filtered(
            lambda phone: any(user in phone.user_id | phone.also_user_ids for user in owners)
        )
        colleagues = self._colleagues(phones) if phones else []
        values = []
        for user, count in owners.items():
            own = phones.filtered_domain([('user_id', '=', user.id)]) or phones.filtered_domain(
                [('also_user_ids', '=', user.id)]
            )
            best = next((colleague for colleague in colleagues if colleague['id'] in own.ids), {})
            values.append(
                {
                    'id': user.id,
                    'name': user.name,
                    'deals': count,
                    'state': best.get('state', ''),
                    'phone': bool(controls['transfer']) and best.get('id', False),
                }
            )
        return values

    def _counted_owners(self, deals, shown):
        """Return at most MOST_OWNERS colleagues, those with most open deals first: dict user →
        number of deals, 0 for a salesperson of the contact alone."""
        partner, user = self.sudo().partner_id, self.env.user
        deals = deals.filtered(lambda deal: deal.won_status == 'pending' and deal.active)
        counts = Counter(deal.user_id for deal in deals if deal.user_id)
        if user in counts:
            counts = Counter(deal.user_id for deal in deals - shown if deal.user_id)
        elif not counts:
            counts = Counter(
                dict.fromkeys(partner.user_id or partner.commercial_partner_id.user_id, 0)
            )
        owners = [
            (owner, count)
            for owner, count in counts.most_common()
            if owner.active and owner != user
        ]
        return dict(owners[:MOST_OWNERS])

    def _lead_values(self, lead, candidate, is_linked):
        return {
            'id': lead.id,
            'name': lead.name,
            'stage': lead.stage_id.name or '',
            'amount': lead.company_currency.format(lead.expected_revenue)
            if lead.expected_revenue
            else '',
            'user': lead.user_id.name if lead.user_id != self.env.user else '',
            'why': ', '.join(told(self.env, reason.text) for reason in candidate.reasons[:2])
            if candidate
            else '',
            'points': '\n'.join(
                (
                    *(
                        f'{reason.weight:+} {told(self.env, reason.text)}'
                        for reason in candidate.reasons
                    ),
                    f'= {candidate.score}',
                )
            )
            if candidate and self._tells_points()
            else '',
            'is_linked': is_linked,
        }

    def _callback_values(self):
        """Return the open callback to this number, or False."""
        call = self.sudo()
        callback = call.customer_number and self.env['telephony.callback'].search(
            [
                ('company_id', '=', call.company_id.id),
                ('customer_number', '=', call.customer_number),
                ('state', '=', 'open'),
            ],
            limit=1,
        )
        return bool(callback) and {
            'id': callback.id,
            'due_at': fields.Datetime.to_string(callback.due_at),
            'is_late': callback.is_late,
            'attempts': callback.attempt_count,
            'user': callback.user_id.name if callback.user_id != self.env.user else '',
        }

    # === THE LAST CONTACTS === #

    def _last_contacts(self, partner, leads):
        """Return the latest contacts with the customer on any channel, newest first."""
        found = (
            self._last_calls(partner)
            + self._last_messages(partner, leads)
            + self._last_meetings(partner)
        )
        return sorted(found, key=lambda contact: contact['at'], reverse=True)[:MOST_CONTACTS]

    def _last_calls(self, partner):
        number = self.sudo().customer_number
        theirs = Domain('partner_id', '=', partner.id) if partner else Domain.FALSE
        if number:
            theirs |= Domain('customer_number', '=', number)
        calls = self.search(
            theirs & Domain('id', '!=', self.id) & Domain('state', '=', 'ended'),
            order='start_at desc, id desc',
            limit=MOST_CONTACTS,
        )
        return [
            {
                'icon': 'oi-arrow-down-left'
                if call.direction == 'inbound'
                else 'oi-arrow-up-right',
                'kind': 'call',
                'at': fields.Datetime.to_string(call.start_at),
                'model': self._name,
                'id': call.id,
                'is_bad': call.outcome in LOST_OUTCOMES,
                'note': ' '.join((call.note or '').split())[:SHORT_NOTE],
                'text': ' · '.join(
                    filter(
                        None,
                        (
                            call.disposition_id.name,
                            label_of(call, 'outcome') or self.env._("End unknown"),
                            call.talk_clock,
                            call.user_id.name,
                        ),
                    )
                ),
            }
            for call in calls
            if call.start_at
        ]

    def _last_messages(self, partner, leads):
        of_partner = Domain('model', '=', 'res.partner') & Domain('res_id', 'in', partner.ids)
        of_leads = Domain('model', '=', 'crm.lead') & Domain('res_id', 'in', leads.ids)
        spoken = Domain('message_type', 'in', list(MESSAGE_ICONS)) | (
            Domain('message_type', '=', 'comment')
            & Domain('subtype_id', '=', self.env.ref('mail.mt_comment').id)
        )
        messages = (
            self.env['mail.message'].search(
                (of_partner | of_leads) & spoken, order='date desc, id desc', limit=MOST_CONTACTS
            )
            if partner or leads
            else ()
        )
        return [
            {
                'icon': MESSAGE_ICONS.get(message.message_type, 'fa-comment-o'),
                'kind': 'message',
                'at': fields.Datetime.to_string(message.date),
                'model': message.model,
                'id': message.res_id,
                'is_bad': False,
                'note': (
                    message.subject or html2plaintext(message.body or '').strip().partition('\n')[0]
                )[:SHORT_NOTE],
                # sudo: the author's contact may be another company's
                'text': message.sudo().author_id.name or message.email_from or '',
            }
            for message in messages
        ]

    def _last_meetings(self, partner):
        meetings = (
            self.env['calendar.event'].search_fetch(
                Domain('partner_ids', 'in', partner.ids)
                & Domain('start', '<', fields.Datetime.now()),
                ['name', 'start'],
                order='start desc',
                limit=MOST_CONTACTS,
            )
            if partner
            else ()
        )
        return [
            {
                'icon': 'fa-calendar',
                'kind': 'meeting',
                'at': fields.Datetime.to_string(meeting.start),
                'model': 'calendar.event',
                'id': meeting.id,
                'is_bad': False,
                'note': '',
                'text': meeting.name or '',
            }
            for meeting in meetings
        ]

    # === WHO WAS IT === #

    def link_caller(self, partner_id=False, lead_id=False):
        """Set the contact or deal that the user has chosen, as on the call's form, and return the
        new card."""
        self = self._mine()
        self.env['res.partner'].browse(partner_id or []).check_access('read')
        self.env['crm.lead'].browse(lead_id or []).check_access('read')
        values = {
            name: value
            for name, value in (('partner_id', partner_id), ('lead_id', lead_id))
            if value
        }
        # sudo: the record rules hide the call from members of the group that rang, until it is settled
        self.sudo()._attach_by_hand(values)
        return self.get_card()

    def keep_recording(self):
        """Keep the recordings of this call, and return the new card."""
        self = self._mine()
        self.action_keep_recording()
        return self.get_card()

    def create_caller(self, values):
        """Enter an unknown caller as a contact, or as a deal with what is known of the call, and
        return the new card. Nothing is entered if another tab or a colleague has done it since the
        card was loaded.

        :param dict values: `kind` ('contact' or 'lead'), `name`, `company`
        :raise UserError: the number is hidden, and there is no name
        """
        self = self._mine()
        call = self.sudo()
        name, company = (values.get('name') or '').strip(), (values.get('company') or '').strip()
        call._lock_numbers()
        if call.lead_id if values.get('kind') == 'lead' else call.partner_id:
            return self.get_card()
        if values.get('kind') == 'lead':
            self.env['crm.lead'].check_access('create')
            lead = call._new_lead(self.env.user)
            facts = {
                'contact_name': name,
                'partner_name': company,
                'name': name or company or call.partner_id.name,
            }
            lead.write({field: value for field, value in facts.items() if value})
            return self.link_caller(lead_id=lead.id)
        number = call.customer_number or (
            call.caller_number if call.direction == 'inbound' else call.called_number
        )
        if not (name or company or number):
            raise UserError(self.env._("Enter a name: the number is hidden."))
        partner = self.env['res.partner'].create(
            {
                'name': name or company or number,
                'company_name': company if name else False,
                'is_company': not name and bool(company),
                'phone': number,
                'country_id': call.account_id.country_id.id,
            }
        )
        return self.link_caller(partner_id=partner.id)

    # === THE RESULT === #

    def get_result_form(self):
        """Return what the result window offers."""
        self = self._mine()
        call = self.sudo()
        lead, partner = self._readable(call.lead_id), self._readable(call.partner_id)
        # a user who has passed the call on has talked, though it goes on
        has_talked = call.outcome == 'answered' or bool(call.answered_at)
        offered = 'talk' if has_talked else 'no_talk'
        may_move = lead and lead.has_access('write')
        return {
            'dispositions': self.env['telephony.disposition']
            .search([('applies_to', 'in', ('any', offered))])
            .read(['name', 'color', 'activity_type_id', 'activity_days'], load=None),
            'stages': self.env['crm.stage']
            .search([('team_ids', 'in', [False, lead.team_id.id])])
            .read(['name'], load=None)
            if may_move
            else [],
            'stage_id': lead.stage_id.id,
            'activity_types': self.env['mail.activity.type']
            .search([('res_model', 'in', [False, (lead or partner)._name])])
            .read(['name', 'icon'], load=None)
            if lead or partner
            else [],
            'calls_to_do': self._calls_to_do(lead, partner),
            'has_talked': has_talked,
            'disposition_id': call.disposition_id.id,
            'note': call.note or '',
        }

    def _calls_to_do(self, lead, partner):
        """Return the activities of type Call on the deal and the contact, because this call may
        have done them; `is_due`: by now, or the call was started from it."""
        of_lead = Domain('res_model', '=', 'crm.lead') & Domain('res_id', 'in', lead.ids)
        of_partner = Domain('res_model', '=', 'res.partner') & Domain('res_id', 'in', partner.ids)
        activities = self.env['mail.activity'].search(
            (of_lead | of_partner)
            & Domain('activity_type_id.category', '=', 'phonecall')
            & Domain('user_id', 'in', [False, self.env.uid]),
            order='date_deadline',
            limit=3,
        )
        call = self.sudo()
        dialled = (
            activities
            and call.env['telephony.dial']
            .search([('account_id', '=', call.account_id.id), ('call_ref', '=', call.external_id)])
            .activity_id
        )
        return [
            {
                'id': activity.id,
                'summary': activity.summary or activity.activity_type_id.name,
                'date': fields.Date.to_string(activity.date_deadline),
                'is_late': activity.state == 'overdue',
                'is_due': activity.state in ('overdue', 'today') or activity in dialled,
            }
            for activity in activities
        ]

    def save_result(self, values):
        """Save what came of the call, in one step. Everything is optional, and what is missing stays
        as it is.

        :param dict values: `disposition_id`, `note`, `note_before` (the note when the user began to
            write: what a colleague has added since stays), `stage_id` of the deal, `done_ids`
            (activities that are done with this call), `activity` (`type_id`, `date`, `summary`),
            `is_final` (False: a note during the talk)
        :raise AccessError: the call is not the user's, or the note is another author's
        """
        self = self._mine()
        self._check_business()
        call = self.sudo()
        call.write(self._result_facts(values))
        if call.message_id:
            call._correct_in_chatter()
        lead, partner = self._readable(call.lead_id), self._readable(call.partner_id)
        if lead and values.get('stage_id') and values['stage_id'] != lead.stage_id.id:
            lead.stage_id = values['stage_id']
        done = self.env['mail.activity'].browse(values.get('done_ids') or []).exists()
        if done:
            done.action_feedback(
                feedback=call.note or call.disposition_id.name or self.env._("Done by a call")
            )
        if (activity := values.get('activity')) and (record := lead or partner):
            record.activity_schedule(
                activity_type_id=activity['type_id'],
                date_deadline=activity['date'],
                summary=activity.get('summary') or call.disposition_id.name or False,
                note=plaintext2html(call.note or ''),
                user_id=self.env.uid,
                automated=False,
            )
        if values.get('is_final', True):
            # this user's other tabs close the card too
            self._send(self.env.user, {'id': self.id, 'phase': 'closed'})
        return True

    def _result_facts(self, values):
        """Return the field values of the call that :meth:`save_result` writes."""
        call = self.sudo()
        facts = {'disposition_id': values['disposition_id']} if 'disposition_id' in values else {}
        if 'note' in values:
            note = self._merged_note(values['note'] or '', values.get('note_before'))
            if note != (call.note or ''):
                self._check_author()
                facts['note'] = note
        if values.get('is_final', True) and call.ended_at and not call.acw_seconds:
            past = int((fields.Datetime.now() - call.ended_at).total_seconds())
            facts['acw_seconds'] = min(max(past, 1), LONGEST_ACW)
        return facts

    def _merged_note(self, note, before):
        """Return the note that the user wrote over `before` (None: over any note), with what others
        have added since."""
        have = self.sudo().note or ''
        if before is None or have == before or note.startswith(have):
            return note
        parts = have, note
        if before and have.startswith(before):
            parts = note, have.removeprefix(before)
        elif before and have.endswith(before):
            parts = have.removesuffix(before), note
        return '\n'.join(part.strip() for part in parts if part.strip())
