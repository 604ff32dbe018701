"""What rules would have done with past calls. Nothing is written: the plans are those that the rules
make after each call, the callbacks exist in memory only."""

from datetime import timedelta
from typing import NamedTuple

from odoo.fields import Domain

from ..models.rules.rule import Planner
from ..models.rules.rule_action import PROMISES
from ..providers.numbers import is_mobile

BATCH = 500


class Played(NamedTuple):
    """What would have come of one planned effect.

    :ivar planned: the plan of the rule's action
    :ivar result: a key of RESULTS in telephony_rehearsal.py
    :ivar out_of_hours: whether the call came out of working hours
    :ivar absent: those of its users who were on leave when it was due
    """

    planned: object
    result: str
    out_of_hours: bool
    absent: object


class OpenCallback:
    """A callback of the rehearsal, as long as it is open."""

    def __init__(self, planned):
        call = planned.call
        self.due_at = planned.due_at
        self.since, self.lost_at, self.last_try_at = call.start_at, call._moment(), call._moment()
        self.direction = call.direction
        self.tries = []

    def is_latest(self, call):
        """Return whether the call came after the latest loss and attempt."""
        return call._moment() >= self.last_try_at


class Rehearsal:
    """Plays calls of one company in the order in which they ended.

    :param rules: all rules that are asked, in their order
    """

    def __init__(self, rules, company):
        self.env, self.rules, self.company = rules.env, rules, company
        self.open = {}  # customer number → OpenCallback
        self.texted = {}  # customer number → time of the latest SMS
        self.planned = {}  # (customer number, action) → when the latest activity is due
        self.failures = {}  # rule → the error of its conditions
        self.call_count = self.saved_count = 0

    def play(self, start, end):
        """Play the calls that ended between two times (naive UTC).

        :return: generator of :class:`Played`
        """

        def within(field):
            return Domain(field, '>=', start) & Domain(field, '<', end)

        calls = (
            self.env['telephony.call']
            .search_fetch(
                Domain('company_id', '=', self.company.id)
                & Domain('state', '=', 'ended')
                # some PBXs do not tell when a call ended
                & (within('ended_at') | Domain('ended_at', '=', False) & within('start_at'))
                & Domain('customer_number', '!=', False)
                & Domain('is_excluded', '=', False)
                & Domain('direction', '!=', 'internal'),
                ['ended_at', 'start_at'],
            )
            .sorted(lambda call: (call._moment(), call.id))
        )
        self.call_count = len(calls)
        self.leaves = self._leaves_between(start, end)
        for offset in range(0, len(calls), BATCH):
            batch = calls[offset : offset + BATCH].with_prefetch(calls.ids[offset : offset + BATCH])
            self.blacklist = set(
                self.env['phone.blacklist']
                .sudo()
                .search([('number', 'in', batch.mapped('customer_number'))])
                .mapped('number')
            )
            planner = Planner(self.rules, batch)
            for call in batch:
                yield from self._play_one(planner, call)
            self.failures.update(planner.failures)
            batch.invalidate_recordset(flush=False)  # memory stays flat, whatever the period

    def _play_one(self, planner, call):
        number, attempt = call.customer_number, None
        callback = self.open.get(number)
        if callback and call.direction == 'outbound':
            failed = call.outcome == 'failed'
            if not failed:
                callback.tries.append(call.start_at)
            attempt = (
                sum(callback.since <= start <= call.start_at for start in callback.tries) + failed
            )
        plan = planner.plan(call, attempt)
        if call.is_reached and callback and call._moment() >= callback.lost_at:
            del self.open[number]
            self.saved_count += 1
        out_of_hours = not planner.openings.of(call).is_open(call.start_at or call._moment())
        # callbacks first, as rules do it
        for planned in sorted(plan, key=lambda planned: planned.action.kind not in PROMISES):
            result = self._result(planned)
            yield Played(planned, result, out_of_hours, self._absent(planned))

    def _result(self, planned):
        if planned.error:
            return 'error'
        call, action = planned.call, planned.action
        if action.kind in PROMISES:
            return self._callback(planned)
        if action.kind == 'sms':
            return self._text(planned)
        if (
            action.kind == 'lead'
            and (call.lead_id or call.match_state == 'ambiguous')
            or action.kind == 'tag'
            and not (
                call.lead_id and action.lead_tag_ids or call.partner_id and action.category_ids
            )
        ):
            return 'skipped'
        if action.kind == 'check_number' and not (call.lead_id or call.partner_id):
            return 'skipped'
        if action.kind in ('notify', 'activity', 'redial') and not planned.users:
            return 'skipped'
        if action.kind == 'redial' and call.customer_number not in self.open:
            return 'skipped'
        return self._activity(planned) if action.kind == 'activity' else 'done'

    def _activity(self, planned):
        """Plan an activity, unless the customer has one of this action that is not done yet. An
        activity counts as done on its day."""
        key = (planned.call.customer_number, planned.action)
        if key in self.planned and planned.call._moment() <= self.planned[key]:
            return 'skipped'
        self.planned[key] = max(planned.due_at, planned.call._moment() + timedelta(hours=12))
        return 'done'

    def _callback(self, planned):
        """Open, move or end the customer's callback, as `telephony.callback._after_calls` does."""
        call = planned.call
        callback = self.open.get(call.customer_number)
        if call.is_reached:
            return 'skipped'
        if planned.action.kind == 'give_up':
            if not callback or not callback.is_latest(call):
                return 'skipped'
            del self.open[call.customer_number]
            return 'gave_up'
        if callback and (callback.direction, call.direction) == ('outbound', 'inbound'):
            # the customer has called meanwhile: from now on it is about that call
            self.open[call.customer_number] = OpenCallback(planned)
            return 'joined'
        if not callback:
            callback = self.open[call.customer_number] = OpenCallback(planned)
            if call.direction == 'outbound':
                callback.tries.append(call.start_at)
            return 'opened'
        if call.direction == 'outbound' and callback.is_latest(call):
            callback.last_try_at, callback.due_at = call._moment(), planned.due_at
        elif call.direction == 'inbound':
            callback.due_at = min(callback.due_at, planned.due_at)
        return 'joined'

    def _text(self, planned):
        call = planned.call
        number, now = call.customer_number, call._quiet_until(planned.due_at)
        pause = timedelta(minutes=self.company.telephony_sms_quiet_minutes)
        callback = self.open.get(number)
        if (
            not is_mobile(number)
            or number in self.blacklist
            or now - self.texted.get(number, now - 2 * pause) < pause
        ):
            return 'skipped'
        if planned.action._tells_a_time(call) and (not callback or callback.due_at <= now):
            return 'skipped'
        self.texted[number] = now
        return 'done'

    # === WHO WAS AWAY === #

    def _leaves_between(self, start, end):
        """Return dict user id → list of (from, to), naive UTC: the leaves in the period and in the
        month after it, in which its effects may be due."""
        leaves = {}
        for leave in (
            self.env['resource.calendar.leaves']
            .sudo()
            .search(
                [
                    ('resource_id.user_id', '!=', False),
                    ('time_type', '=', 'leave'),
                    ('date_from', '<=', end + timedelta(days=31)),
                    ('date_to', '>=', start),
                ]
            )
        ):
            leaves.setdefault(leave.resource_id.user_id.id, []).append(
                (leave.date_from, leave.date_to)
            )
        return leaves

    def _absent(self, planned):
        if planned.error or not planned.users:
            return self.env['res.users']
        users = planned.users[:1] if planned.action.kind in PROMISES else planned.users
        return users.filtered(
            lambda user: any(
                first <= planned.due_at <= last for first, last in self.leaves.get(user.id, ())
            )
        )
