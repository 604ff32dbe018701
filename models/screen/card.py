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

# What a call is for one of us, the most telling first: who talks on one of his phones is not told
# that another rings.
PHASES = ('talking', 'ringing', 'ended', 'lost', 'gone')
# A call that we first hear of after its end is shown when it ended so recently (seconds): its
# result can be noted.
LATE_SECONDS = 120
# So long (seconds) after its end a page that is opened asks for the result that nobody has noted:
# as long as the card stays.
UNNOTED_SECONDS = 180
MOST_LEADS, MOST_PEOPLE, MOST_CONTACTS, MOST_OWNERS = 3, 5, 3, 3
# Letters of a note that a card has room for.
SHORT_NOTE = 200
# After-call work is at most this (seconds): who saves after lunch has not worked on it all the
# time. So long is an ended call the business of those who see it only because it was on their
# screen.
LONGEST_ACW = 1800
MESSAGE_ICONS = {
    'email': 'fa-envelope-o',
    'email_outgoing': 'fa-envelope-o',
    'sms': 'fa-mobile',
    'whatsapp_message': 'fa-whatsapp',
}
# What decides whether a user is told.
TELLING_FIELDS = ('active', 'partner_id', 'telephony_pop', 'telephony_dnd')
CALL_MESSAGE, LIVE_MESSAGE = 'crm_telephony.call', 'crm_telephony.live'


class View(NamedTuple):
    """A call as one user has it: `phase` (of PHASES), when that began (naive UTC, or False), on
    which phone, and whether that is another's, which he shares: he may have talked, but the call
    counts as the other's.

    ringing: at his phone, or he dials; talking, or dialling where the PBX does not tell which;
    ended: he has talked, or dialled in vain; lost: it rang at his phone and nobody took it; gone:
    somebody else has it. He is told `closed` when it turns out to be no customer's.
    """

    phase: str
    since: object
    extension: str
    is_shared: bool = False


class TelephonyCall(models.Model):
    """The call on the screen: who is told of it, and what the card shows."""

    _inherit = 'telephony.call'

    # === WHO SEES IT === #

    def _views(self):
        """Users whom this call concerns → :class:`View`; nobody where no customer is on the line.

        Where the PBX tells only a queue or our number, and no phone, the group is the number's
        team, else the team called like the queue, as far as its members have phones of this PBX;
        else the number's responsible.
        """
        self.ensure_one()
        views = {}
        if not self._is_of_customer():
            return views
        sharers = self.account_id._directory().sharers if self.account_id else {}
        phones = {phone: self.env['res.users'].browse(ids) for phone, ids in sharers.items()}
        for leg in self.leg_ids:
            view = self._view_of_leg(leg)
            for user in phones.get(leg.extension, leg.user_id):
                is_shared = view.phase in ('talking', 'ended') and leg.user_id not in (
                    user,
                    user.browse(),
                )
                self._add_view(views, user, view._replace(is_shared=is_shared))
        if self.direction == 'outbound' and self.user_id and self.user_id not in views:
            phase = (
                'talking'
                if self._may_be_answered()
                else {'ringing': 'ringing', 'in_progress': 'talking', 'ended': 'ended'}[self.state]
            )
            self._add_view(
                views, self.user_id, View(phase, self.answered_at or self.start_at, self.extension)
            )
        if self.direction == 'inbound' and not self.leg_ids:
            phase = 'ringing' if self.state == 'ringing' else 'lost' if self._is_lost() else 'gone'
            for user in self._group_users(phones):
                self._add_view(views, user, View(phase, self.start_at, ''))
        return views

    def _is_of_customer(self):
        return self.direction != 'internal' and not self.is_excluded

    def _view_of_leg(self, leg):
        taken = leg.answered_at or leg.outcome == 'answered'
        if self.state == 'ended':
            phase = 'ended' if taken else 'lost' if self._is_lost() else 'gone'
        elif taken:
            phase = 'ended' if leg.ended_at else 'talking'
        else:
            phase = 'gone' if leg.outcome or leg.ended_at else 'ringing'
        return View(phase, leg.answered_at or leg.start_at or self.start_at, leg.extension)

    def _is_lost(self):
        return self.state == 'ended' and self.outcome != 'answered'

    @api.model
    def _add_view(self, views, user, view):
        def order(one):  # his own phone first
            return one.is_shared, PHASES.index(one.phase)

        if user not in views or order(view) < order(views[user]):
            views[user] = view

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

    def _announce(self, shown):
        """Tell each user what these calls are for him now, and supervisors and callback boards that
        something has changed. Goes out when the transaction commits.

        :param dict shown: calls that were going on before, and may stand on a screen → their views
            then
        """
        now = fields.Datetime.now()
        views = {call: call._views() for call in self if call in shown or call._is_current(now)}
        for call, before in shown.items():
            # whom it concerns no more: the queue has chosen another phone, or it is no customer's
            gone = View('gone' if call._is_of_customer() else 'closed', False, '')
            if call in views:
                views[call].update(dict.fromkeys(before.keys() - views[call].keys(), gone))
        # all at once, and not the many fields that a user has
        self.env['res.users'].union(*(user for users in views.values() for user in users)).fetch(
            TELLING_FIELDS
        )
        for call, users in views.items():
            for user, view in users.items():
                if (view.phase != 'gone' or call in shown) and call._is_told(user):
                    self._send(user, call._message(view, now))
        self._tick()

    def _tick(self):
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
            'views': {call: call._views() for call in self if call.state != 'ended'},
        }

    def _after_filed(self, changed, memory):
        super()._after_filed(changed, memory)
        changed._announce(memory['views'])

    def _before_customer_changed(self):
        return {**super()._before_customer_changed(), **self._before_changed()}

    def _after_customer_changed(self, moved, memory):
        """A number that is ignored while it rings leaves the screens."""
        super()._after_customer_changed(moved, memory)
        self.filtered(lambda call: memory['views'].get(call) and call.is_excluded)._announce(
            memory['views']
        )

    def _before_taken_back(self):
        """What turned out to be no call leaves the screens."""
        for call in self.filtered(lambda call: call.state != 'ended'):
            for user in call._views():
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
        """An employee who may use telephony, works for this company and wants to be told."""
        return (
            user.active
            and user.telephony_pop
            and not user.telephony_dnd
            and self.company_id.id in user._get_company_ids()
            and user.has_group('crm_telephony.group_user')
        )

    def _message(self, view, now):
        """What goes over the bus: no name of a customer, for reading that is the card's business
        and under the user's own rights. `seconds` is the age of the phase, so that no clock of a
        browser matters; `told_at` (the server's seconds) orders what is said of one call: the bus
        says again what a browser has missed, maybe after it has asked."""
        message = {'id': self.id, 'phase': view.phase, 'told_at': time.time()}
        if view.phase in ('gone', 'closed'):
            return {**message, 'by': self.user_id.name or ''}
        number = (
            self.customer_number
            or (self.caller_number if self.direction == 'inbound' else self.called_number)
            or ''
        )
        return {
            **message,
            # an outgoing call that is passed on comes in to him whose phone rings then
            'direction': 'inbound'
            if view.extension not in (self.extension, '')
            else self.direction,
            'number': number,
            'display': pretty(number),
            'extension': view.extension or '',
            'is_shared': view.is_shared,
            'may_be_answered': self._may_be_answered(),
            'outcome': self.outcome or '',
            'seconds': max(int((now - view.since).total_seconds()), 0) if view.since else 0,
            'talk_seconds': self.talk_seconds or 0,
        }

    # === WHAT THE BROWSER ASKS === #

    @api.model
    def ringing_now(self, begun=()):
        """What is on the user's screen, for a page that was opened or connected again: the calls
        that ring at or are talked on his phones, and those just ended whose result he has not
        noted.

        :param begun: ids of calls whose result he has begun to write in this browser: theirs is
            asked for longer
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
            # a part of what concerns him, in one query: mostly there is none
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
            view = call._views().get(user)
            if (
                view
                and call._is_told(user)
                and (view.phase in ('ringing', 'talking') or call._waits_for_result(view))
            ):
                answer.append(call._message(view, now))
        return answer

    def _waits_for_result(self, view):
        """He has had the call, and nobody has said what came of it."""
        return (
            view.phase == 'ended'
            and not view.is_shared
            and self.state == 'ended'
            and not (self.disposition_id or self.acw_seconds)
        )

    def _mine(self):
        """This call as its user handles it. Whose phone rings may see it, whatever the rules say of
        calls in general; and in its company, if that is one of his, whichever he has chosen in his
        browser just now.

        :raise AccessError: the call is none of the user's business
        """
        self.ensure_one()
        company, chosen, call = self.sudo().company_id, self.env.companies, self
        if company not in chosen and company.id in self.env.user._get_company_ids():
            call = self.with_context(allowed_company_ids=(chosen | company).ids)
        if not call.has_access('read') and not self.sudo()._is_handled_by(self.env.user):
            raise AccessError(self.env._("This call is not yours."))
        return call

    def _is_handled_by(self, user):
        """Whether he has it on his screen: it concerns him now, or did until just now."""
        view = self._views().get(user)
        if not view or view.phase == 'gone':
            return False
        return self.state != 'ended' or (
            bool(self._moment())
            and fields.Datetime.now() - self._moment() < timedelta(seconds=LONGEST_ACW)
        )

    # === THE CARD === #

    def get_card(self):
        """What the card of this call shows, all of it read under the user's own rights.

        :return: False when the call is gone, else a dict of plain values; times as Odoo writes
            them, in UTC
        """
        if not self.exists():
            return False
        self = self._mine()
        call = self.sudo()
        partner, lead = self._readable(call.partner_id), self._readable(call.lead_id)
        match = call._matches().get(self.id)
        candidates = (
            {candidate.lead.id: candidate for candidate in match.candidates} if match else {}
        )
        leads = lead | self._readable(lead.browse(candidates))[:MOST_LEADS]
        # somebody has the number, but it is not for this user to know who: he must not enter him
        # once more
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
            'leads': [self._lead_values(one, candidates.get(one.id), lead) for one in leads],
            'match_state': call.match_state,
            'match_reason': '' if is_hidden else str(call.match_reason or ''),
            'match_points': ''
            if is_hidden or not self._tells_points()
            else call.match_points or '',
            'contacts': self._last_contacts(partner, leads),
            'debt': self._debt(),
            'reasons': [
                reason._asdict()
                for reason in self.env['telephony.call.reason']._reasons(partner, leads)
            ],
            'note': call.note or '',
            'controls': controls,
            'can_open': self.has_access('read'),
            'can_create': self.env['res.partner'].has_access('create'),
        }

    def _readable(self, records):
        """Those of the records that the user may read."""
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
        """Whom to choose from where the number is not one person's."""
        people = (
            self._readable(self.env['res.partner'].union(match.partners))
            if match and match.partners
            else ()
        )
        return [self._partner_values(one) for one in people if not one.is_company][:MOST_PEOPLE]

    def _owners_of_customer(self, deals, shown, controls):
        """Colleagues whose customer calls, and whether the call can be passed on to them. Who owns
        a customer is no secret to a colleague who answers; what it is about may be one. Nobody
        where it is the user's own customer, but for deals that the user does not see.

        :param deals: the deals that the call may be about, whoever may read them
        :param shown: those of them that the card shows
        :return: list of ``{'id', 'name', 'deals': how many open ones, 'state': of the owner's
            phone, '' where there is none, 'phone': where to pass the call on to, or False}``
        """
        me, call = self.env.user, self.sudo()
        open_ones = deals.sudo().filtered(lambda deal: deal.won_status == 'pending' and deal.active)
        counts = Counter(deal.user_id for deal in open_ones if deal.user_id)
        if me in counts:
            counts = Counter(deal.user_id for deal in open_ones - shown.sudo() if deal.user_id)
        elif not counts:
            counts = Counter(
                dict.fromkeys(
                    call.partner_id.user_id or call.partner_id.commercial_partner_id.user_id, 0
                )
            )
        owners = [
            (user, count) for user, count in counts.most_common() if user.active and user != me
        ][:MOST_OWNERS]
        phones = call.account_id.extension_ids.filtered(
            lambda one: any(user in one.user_id | one.also_user_ids for user, _count in owners)
        )
        found = self._colleagues(phones) if phones else []
        values = []
        for user, count in owners:
            own = phones.filtered_domain([('user_id', '=', user.id)]) or phones.filtered_domain(
                [('also_user_ids', '=', user.id)]
            )
            best = next((one for one in found if one['id'] in own.ids), {})
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

    def _lead_values(self, lead, candidate, linked):
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
            'is_linked': lead == linked,
        }

    def _debt(self):
        """Our open promise to call this number back."""
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
        """The latest on any channel, newest first."""
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
                # whose contact may be another company's
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
        """The user says who calls, or about which deal, as on the call's form. The fresh card."""
        self = self._mine()
        self.env['res.partner'].browse(partner_id or []).check_access('read')
        self.env['crm.lead'].browse(lead_id or []).check_access('read')
        values = {
            name: value
            for name, value in (('partner_id', partner_id), ('lead_id', lead_id))
            if value
        }
        # sudo: the rules show one of a rung group only calls that are settled
        self.sudo()._attach_by_hand(values)
        return self.get_card()

    def create_caller(self, values):
        """Enter an unknown caller, as a contact or as a deal with what is known of the call: once,
        for another tab or a colleague may have done it since the card was loaded. The fresh card.

        :param dict values: `kind` ('contact' or 'lead'), `name`, `company`
        :raise UserError: there is nothing to enter, not even a number
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
            who = name or company or call.partner_id.name
            lead.write(
                {
                    field: value
                    for field, value in (
                        ('contact_name', name),
                        ('partner_name', company),
                        ('name', who),
                    )
                    if value
                }
            )
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
        """What the result window offers."""
        self = self._mine()
        call = self.sudo()
        lead, partner = self._readable(call.lead_id), self._readable(call.partner_id)
        # who has passed it on has talked, though it goes on
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
        """Activities of type Call on the deal and the contact that this call may have done;
        `is_due`: by now, or it was dialled from there."""
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
        """Save what came of the call, in one step. Everything is optional, and what is not there
        stays as it is.

        :param dict values: `disposition_id`, `note`, `note_before` (what stood there when it was
            begun: what a colleague has added since stays), `stage_id` of the deal, `done_ids`
            (activities that are done with this call), `activity` (`type_id`, `date`, `summary`),
            `is_final` (False: a note during the talk)
        """
        self = self._mine()
        self._check_business()
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
        call.write(facts)
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

    def _merged_note(self, note, before):
        """The note that its user wrote when `before` stood there (None: whatever stood there), with
        what was added since."""
        have = self.sudo().note or ''
        if before is None or have == before or note.startswith(have):
            return note
        parts = have, note
        if before and have.startswith(before):
            parts = note, have.removeprefix(before)
        elif before and have.endswith(before):
            parts = have.removesuffix(before), note
        return '\n'.join(part.strip() for part in parts if part.strip())
