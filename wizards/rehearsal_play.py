"""What rules would have done with past calls. Nothing is written: the plans are those that the rules
make after each call, the callbacks exist in memory only."""

from datetime import timedelta
from typing import NamedTuple

from odoo.fields import Domain

from ..models.callbacks import ledger
from ..models.rules.judge import promise_of
from ..models.rules.rule import Planner
from ..models.rules.rule_action import CALLBACK_KINDS
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


class Rehearsal:
    """Plays calls of one company in the order in which they ended.

    :param rules: all rules that are asked, in their order
    """

    def __init__(self, rules, company):
        self.env, self.rules, self.company = rules.env, rules, company
        self.ledgers = {}  # customer number → Ledger
        self.plan = []  # of the call that is played
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
            .sorted(lambda call: ledger.in_time(call._fact()))
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
        number = call.customer_number
        book = self.ledgers.setdefault(number, ledger.Ledger(self._promise))
        self.planner, self.plan = planner, None
        owed = book.owed
        self.became = book.enter(call._fact())
        if self.plan is None:  # nobody asks what follows from a talk
            attempt = owed.attempts if owed and call.direction == 'outbound' else None
            self.plan = planner.plan(call, attempt)
        self.saved_count += bool(owed and owed.talked_at)
        out_of_hours = not planner.openings.of(call).is_open(call.start_at or call._moment())
        # as it is done
        for planned in sorted(
            self.plan, key=lambda planned: planned.action.kind not in CALLBACK_KINDS
        ):
            result = self._result(planned)
            yield Played(planned, result, out_of_hours, self._absent(planned))

    def _promise(self, fact, attempt):
        """What the rules that are rehearsed promise, as the ledger asks it."""
        call = self.env['telephony.call'].browse(fact.id)
        self.plan = self.planner.plan(call, attempt)
        planned = promise_of(self.plan)
        return planned and planned.as_promise()

    def _owed(self, call):
        """The customer's open callback, if there is one."""
        return self.ledgers[call.customer_number].owed

    def _result(self, planned):
        if planned.error:
            return 'error'
        call, action = planned.call, planned.action
        if action.kind in CALLBACK_KINDS:
            return self.became or 'skipped'
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
        if action.kind == 'redial' and not self._owed(call):
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

    def _text(self, planned):
        call = planned.call
        number, now = call.customer_number, call._quiet_until(planned.due_at)
        pause = timedelta(minutes=self.company.telephony_sms_quiet_minutes)
        owed = self._owed(call)
        if (
            not is_mobile(number)
            or number in self.blacklist
            or now - self.texted.get(number, now - 2 * pause) < pause
        ):
            return 'skipped'
        if planned.action._tells_a_time(call) and (not owed or owed.due_at <= now):
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
        users = planned.users[:1] if planned.action.kind in CALLBACK_KINDS else planned.users
        return users.filtered(
            lambda user: any(
                first <= planned.due_at <= last for first, last in self.leaves.get(user.id, ())
            )
        )
