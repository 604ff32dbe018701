import pytz

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from ..calls.call import LOST_OUTCOMES

# So many rows the board shows; the figures above them count all.
CALLS, CALLBACKS = 200, 50
# What a user does, the busiest first: a user who talks while another phone of theirs rings, talks.
STATES = ('talking', 'on_line', 'dialling', 'ringing', 'free', 'away')


class TelephonyLive(models.AbstractModel):
    """The live board of supervisors: what goes on now in the companies that are chosen in the
    browser. The number of queries does not depend on the number of calls or people."""

    _name = 'telephony.live'
    _description = "Live board of calls"

    @api.model
    def get_board(self, team_id=False):
        """Return what the board shows, of all or of one sales team: the calls of its numbers, deals
        and people, its people and its callbacks. Every `seconds` is an age at the moment of the
        answer, so that no clock of a browser matters; None if it is not known.

        ``{'calls': [call], 'more': how many calls are left out, 'people': [person],
        'callbacks': {'open': int, 'late': int, 'rows': [callback]}, 'today': {'inbound': int, 'lost': int},
        'teams': [{'id', 'name'}] to choose from, 'alarms': [{'id', 'text', 'loses': bool}]}``, where

        - call: ``{'id', 'phase': 'waiting'|'ringing'|'dialling'|'on_line'|'talking', 'direction',
          'who', 'lead', 'line', 'queue', 'people': [name], 'seconds', 'company'}``; waiting: in a
          menu or queue, no phone rings; on_line: dialled or talked, the PBX does not tell which
        - person: ``{'id', 'name', 'state': one of STATES, 'seconds', 'who', 'dnd': bool, 'talks':
          int today}``; away: not at work by their calendar
        - callback: ``{'id', 'who', 'user', 'lead', 'minutes': working minutes by which it is late}``

        :raise AccessError: the user is no supervisor
        """
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise AccessError(self.env._("The live board is for telephony supervisors."))
        # sudo: supervisors see all calls of their companies, with names of contacts that they may
        # not open
        board, now = self.sudo(), fields.Datetime.now()
        in_companies = Domain('company_id', 'in', self.env.companies.ids)
        teams = board.env['crm.team'].search_fetch(
            Domain('company_id', '=', False) | in_companies, ['name', 'user_id']
        )
        team = teams.filtered(lambda team: team.id == team_id)
        crew = team.member_ids | team.user_id
        users_by_phone = board._users_by_phone(in_companies)
        calls, more = board._live_calls(in_companies, team, crew)
        busy = {}
        rows = [board._call_row(call, users_by_phone, busy, now) for call in calls]
        rows.sort(key=lambda row: row['phase'] != 'waiting')
        shown = {
            'calls': rows,
            'more': more,
            'people': board._people(
                users_by_phone, busy, in_companies, now, crew if team else None
            ),
            'callbacks': board._late_callbacks(
                in_companies & Domain('team_id', '=', team.id) if team else in_companies, now
            ),
            'today': board._today(
                in_companies & board._of_team(team, crew) if team else in_companies, now
            ),
            'teams': [{'id': team.id, 'name': team.name} for team in teams]
            if len(teams) > 1
            else [],
        }
        self._after_board(shown)
        return shown

    def _after_board(self, board):
        """Runs when the board is complete, and may add to it what a later stage knows of PBXs.

        :param dict board: what :meth:`get_board` returns
        """

    def _of_team(self, team, crew):
        """Return the domain of calls of a team's numbers, deals and people. Phones that only rang do
        not count, because PostgreSQL would read the legs of all days."""
        return (
            Domain('number_id.team_id', '=', team.id)
            | Domain('lead_id.team_id', '=', team.id)
            | Domain('user_id', 'in', crew.ids)
        )

    def _users_by_phone(self, in_companies):
        """Return dict (id of the PBX, extension) → users."""
        extensions = self.env['telephony.extension'].search_fetch(
            in_companies & Domain('account_id.active', '=', True),
            ['number', 'account_id', 'user_id', 'also_user_ids'],
        )
        phones = {
            (phone.account_id.id, phone.number): phone.user_id | phone.also_user_ids
            for phone in extensions
        }
        # read all users at once: the recordsets above would be read one by one
        users = self.env['res.users'].union(*phones.values())
        users.fetch(['partner_id', 'active', 'company_id', 'telephony_dnd'])
        users.partner_id.fetch(['name'])
        return phones

    def _live_calls(self, in_companies, team, crew):
        """Return the running calls, ringing before answered ones, the oldest of each first, and how
        many more there are."""
        domain = in_companies & self.env['telephony.call']._live_domain()
        calls = self.env['telephony.call'].search_fetch(
            domain,
            [
                'account_id',
                'company_id',
                'direction',
                'caller_number',
                'called_number',
                'customer_number',
                'state',
                'start_at',
                'answered_at',
                'queue',
                'user_id',
                'number_id',
                'partner_id',
                'lead_id',
                # ringing, then in progress
            ],
            limit=None if team else CALLS,
            order='state desc, start_at, id',
        )
        if team:
            calls = calls.filtered(
                lambda call: (
                    team in (call.number_id.team_id, call.lead_id.team_id)
                    or (call.user_id | call.leg_ids.user_id) & crew
                )
            )
            return calls[:CALLS], max(len(calls) - CALLS, 0)
        more = self.env['telephony.call'].search_count(domain) - CALLS if len(calls) == CALLS else 0
        return calls, more

    def _call_row(self, call, users_by_phone, busy, now):
        """Return one row of the board, and note in `busy` whom the call keeps busy.

        :param dict users_by_phone: (id of the PBX, extension) → users
        :param dict busy: user → (state, since, who), changed here
        """
        who = call.customer_name or call.who
        legs = call.leg_ids._running()
        dialling = 'on_line' if call._may_be_answered() else 'dialling'
        people = self._people_of(call, legs, dialling, users_by_phone, busy)
        if call.state == 'in_progress':
            phase, since = 'talking', call.answered_at
        elif call.direction != 'inbound':
            phase, since = dialling, call.start_at
        else:
            phase, since = ('ringing' if legs else 'waiting'), call.start_at
        return {
            'id': call.id,
            'phase': phase,
            'direction': call.direction,
            'who': who,
            'lead': call.lead_id.name or '',
            'line': call.number_id.label or call.number_id.name or '',
            'queue': call.queue or '',
            'people': people.mapped('name'),
            'seconds': _age(since or call.start_at, now),
            'company': call.company_id.name if len(self.env.companies) > 1 else '',
        }

    def _people_of(self, call, legs, dialling, users_by_phone, busy):
        """Return the users in a call, and note in `busy` whom it keeps busy.

        :param legs: the phones that are in it now
        :param dialling: the state of whoever dials
        """
        who, people = call.customer_name or call.who, self.env['res.users']
        for leg in legs:
            ringing = dialling if call.direction == 'outbound' else 'ringing'
            state = 'talking' if leg.answered_at else ringing
            users = users_by_phone.get((call.account_id.id, leg.extension), leg.user_id)
            # only one of those who share a phone talks: the leg's user
            if state == 'talking' and leg.user_id:
                users = leg.user_id
            if state == 'talking' or call.state == 'ringing':
                people |= users
            for user in users:
                self._keep_busy(
                    busy, user, (state, leg.answered_at or leg.start_at or call.start_at, who)
                )
        others = people
        # whoever placed the call, or has it, if the PBX told no phone of theirs
        if call.direction == 'internal':
            others = users_by_phone.get((call.account_id.id, call.caller_number), people)
        elif not legs and (call.state == 'in_progress' or call.direction == 'outbound'):
            others = call.user_id
        for user in others - people:
            state = 'talking' if call.state == 'in_progress' else dialling
            self._keep_busy(busy, user, (state, call.answered_at or call.start_at, who))
        return people | others

    @api.model
    def _keep_busy(self, busy, user, occupation):
        """Note what keeps a user busy, unless something busier does."""
        if user not in busy or STATES.index(occupation[0]) < STATES.index(busy[user][0]):
            busy[user] = occupation

    def _people(self, users_by_phone, busy, in_companies, now, crew):
        """Return a row for each user who has a phone, or for those of a team. Sorted by name, so
        that everybody keeps their place on the board."""
        users = self.env['res.users'].union(*users_by_phone.values()).filtered('active')
        if crew is not None:
            users &= crew
        talks = {
            user: (count, last)
            for user, count, last in self.env['telephony.call']._read_group(
                in_companies
                & Domain('start_at', '>=', self._midnight(now))
                & Domain('user_id', 'in', users.ids)
                & Domain('answered_at', '!=', False),
                ['user_id'],
                ['__count', 'ended_at:max'],
            )
        }
        at_work = users._telephony_at_work()
        rows = []
        for user in users.sorted('name'):
            count, last = talks.get(user, (0, False))
            state, since, who = busy.get(
                user, ('free', last, '') if user in at_work else ('away', False, '')
            )
            rows.append(
                {
                    'id': user.id,
                    'name': user.name,
                    'state': state,
                    'seconds': _age(since, now),
                    'who': who,
                    'dnd': user.telephony_dnd,
                    'talks': count,
                }
            )
        return rows

    def _late_callbacks(self, in_companies, now):
        """Return how many callbacks are open and late, and rows of the late ones, the oldest
        first."""
        callbacks = self.env['telephony.callback']
        is_open = in_companies & Domain('state', '=', 'open')
        late = callbacks.search_fetch(
            is_open & Domain('due_at', '<', now),
            [
                'company_id',
                'customer_number',
                'partner_id',
                'user_id',
                'lead_id',
                'due_at',
                'origin_call_id',
                'state',
            ],
            order='due_at, id',
            limit=CALLBACKS,
        )
        return {
            'open': callbacks.search_count(is_open),
            'late': len(late)
            if len(late) < CALLBACKS
            else callbacks.search_count(is_open & Domain('due_at', '<', now)),
            'rows': [
                {
                    'id': callback.id,
                    'who': callback.customer_name or callback.customer_phone,
                    'user': callback.user_id.name or '',
                    'lead': callback.lead_id.name or '',
                    'minutes': callback.late_minutes,
                }
                for callback in late
            ],
        }

    def _today(self, in_companies, now):
        """Count ended inbound calls since midnight, in the reader's time zone."""
        counts = dict(
            self.env['telephony.call']._read_group(
                in_companies
                & Domain('start_at', '>=', self._midnight(now))
                & Domain('direction', '=', 'inbound')
                & Domain('state', '=', 'ended'),
                ['outcome'],
                ['__count'],
            )
        )
        return {
            'inbound': sum(counts.values()),
            'lost': sum(counts.get(outcome, 0) for outcome in LOST_OUTCOMES),
        }

    def _midnight(self, now):
        local = fields.Datetime.context_timestamp(self, now).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=None
        )
        zone = pytz.timezone(self.env.context.get('tz') or self.env.user.tz or 'UTC')
        return zone.localize(local).astimezone(pytz.utc).replace(tzinfo=None)


def _age(moment, now):
    return max(int((now - moment).total_seconds()), 0) if moment else None
