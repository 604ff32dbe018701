"""What a company owes the customer of one number.

The callbacks of a number follow from facts alone: its ended calls, what the rules promise after
each of them, and what people did. They do not depend on the order in which the facts became known,
nor on how often they were told. A callback is therefore never edited step by step: whatever comes
late, is corrected or turns out to be no call, the debts of its number are told again from all
facts.

Nothing here reads or writes a database, and nothing depends on the time of the day: whether a debt
is late, see :meth:`Debt.is_late`, is asked when it is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

# The ways to close a debt in which the customer was talked to, by who called whom.
CLOSED_BY_TALK = {'outbound': 'reached', 'inbound': 'called_again'}
# What a person may open again: no talk has closed it.
REOPENABLE = ('by_hand', 'gave_up', 'cancelled')


class Call(NamedTuple):
    """An ended call with the customer. `moment` is when it was over, as far as the PBX tells;
    `is_reached` that it was a real talk."""

    id: Hashable
    direction: str
    start_at: datetime
    moment: datetime
    outcome: str = ''
    is_reached: bool = False
    answered_at: datetime | None = None


class Promise(NamedTuple):
    """What the rules make of a call that was no real talk: that the customer is called back, or
    (`give_up`) that nobody tries any more."""

    kind: str
    due_at: datetime | None = None
    priority: str = '0'
    owner: Any = None
    rule: Any = None


class Act(NamedTuple):
    """What a person did with the open callback, or the clock in their place.

    People act on what they see, so an act stands behind the latest call that was known then
    (`after`), and not where the clock puts it: the PBX's clock is another one, and a loss that is
    told after somebody closed the callback still waits. Where that call is gone, `after_at` tells
    when it was.
    """

    number: int  # acts behind the same call follow each other by it
    kind: str  # opened, given, passed, moved, urged, done, cancelled, reopened
    at: datetime
    after: Hashable = None
    after_at: datetime | None = None
    # `opened` and `moved`: the due time, `given` and `passed`: the owner, `urged`: the priority
    value: Any = None
    about: Hashable = None  # `reopened`: the call that had opened the callback


# What the rules say: of a call, and which attempt it is in the open callback. None for a call that
# is no attempt in one.
Rules = Callable[[Call, 'int | None'], 'Promise | None']


@dataclass
class Debt:
    """A callback, as it stands after all that is known."""

    opened_by: Call | None
    lost_at: datetime
    due_at: datetime
    priority: str = '0'
    rule: Any = None
    owner: Any = None
    # a person has taken it, or given it to its owner: the machine leaves it there
    taken_at: datetime | None = None
    # the last loss or vain attempt that has set the due time
    last_try_at: datetime | None = None
    calls: list[Hashable] = field(default_factory=list)  # what opened and joined it
    tries: list[datetime] = field(default_factory=list)  # when our attempts began
    state: str = 'open'
    close_kind: str | None = None
    closed_by: Call | Act | None = None
    done_at: datetime | None = None

    talk: Call | None = None  # the first real talk since it was opened

    @property
    def attempts(self) -> int:
        return len(self.tries)

    @property
    def begun_at(self) -> datetime:
        """Our attempts count from here on."""
        return self.opened_by.start_at if self.opened_by else self.lost_at

    @property
    def talked_at(self) -> datetime | None:
        """When somebody talked to the customer at last: nobody waits while being talked to."""
        if self.close_kind not in CLOSED_BY_TALK.values():
            return None
        return self.closed_by.answered_at or self.closed_by.moment

    @property
    def first_try_at(self) -> datetime | None:
        return min(self.tries, default=self.talked_at)

    def is_late(self, now: datetime) -> bool:
        return self.state == 'open' and self.due_at <= now

    def waited(self, until: datetime | None, minutes_between: Callable) -> int | None:
        """Working minutes from the loss until then.

        :param minutes_between: of the working hours in which the promise was made
        """
        if until is None:
            return None
        return int(minutes_between(self.lost_at, until)) if until > self.lost_at else 0


def debts(calls: Iterable[Call], acts: Iterable[Act], rules: Rules) -> list[Debt]:
    """The callbacks of one number, in the order in which they were opened. At most one is open.

    :param rules: tells the :class:`Promise` that follows from a call, or None
    """
    ledger = Ledger(rules)
    for entry in _in_order(set(calls), set(acts)):
        ledger.enter(entry)
    return ledger.debts


def _in_order(calls, acts):
    """All calls as they ended, each followed by what was done when it was the latest one known."""
    calls = sorted(calls, key=in_time)
    known = {call.id: call for call in calls}
    behind = defaultdict(list)
    for act in _as_done(acts):
        seen = known.get(act.after)
        if not seen and act.after_at:
            seen = next((call for call in reversed(calls) if call.moment <= act.after_at), None)
        behind[seen].append(act)
    yield from behind[None]
    for call in calls:
        yield call
        yield from behind[call]


def _as_done(acts):
    """Acts in the order in which they were written down. One that stands in for a call that is gone
    (its number is below 0) has no such order: it stands before what was done after it."""
    done = sorted((act for act in acts if act.number > 0), key=lambda act: act.number)
    for act in sorted(
        (act for act in acts if act.number <= 0), key=lambda act: (act.at, act.number)
    ):
        later = (place for place, other in enumerate(done) if other.at > act.at)
        done.insert(next(later, len(done)), act)
    return done


def in_time(call: Call):
    """Where a call stands among others: by its end. A customer who was lost and talked to at the
    same moment was talked to."""
    return call.moment, call.is_reached, call.start_at, str(call.id)


class Ledger:
    """The debts of a number so far, while its facts are entered in their order, see :func:`debts`.
    The methods stand in the order of a callback's life."""

    def __init__(self, rules):
        self.rules = rules
        self.debts = []
        self.owed = None  # the one of them that is open

    def enter(self, entry: Call | Act) -> str | None:
        """:return: what becomes of a call: it has `opened`, `joined` or `gave_up` a callback"""
        if isinstance(entry, Act):
            return self.act(entry)
        return self.talk(entry) if entry.is_reached else self.vain(entry)

    # --- what is not a talk -----------------------------------------------------------------------

    def vain(self, call):
        """The customer was lost, or not reached by us: the rules say what follows."""
        promise = self.rules(call, self._attempt(call))
        if not promise:
            return None
        if promise.kind == 'give_up':
            return self._give_up(call, promise)
        if not self.owed:
            return self._open(call, promise)
        if call.direction == 'outbound':
            self._move_on(call, promise)
        elif self.owed.opened_by and self.owed.opened_by.direction == 'outbound':
            self._take_over(call, promise)
        else:
            self._join(call, promise)
        return 'joined'

    def _attempt(self, call):
        """Which attempt of ours this is in the open callback. One that could not be placed has rung
        nobody, and is told as the one that it would have been."""
        if not self.owed or call.direction != 'outbound':
            return None
        if call.outcome == 'failed':
            return self.owed.attempts + 1
        if call.start_at >= self.owed.begun_at:
            self.owed.tries.append(call.start_at)
        return self.owed.attempts

    def _open(self, call, promise):
        """The first loss, or the first vain attempt of ours, is the debt."""
        self.owed = Debt(
            opened_by=call,
            lost_at=call.moment,
            due_at=promise.due_at,
            priority=promise.priority,
            rule=promise.rule,
            owner=promise.owner,
            last_try_at=call.moment,
            calls=[call.id],
        )
        self.debts.append(self.owed)
        self._attempt(call)
        return 'opened'

    def _join(self, call, promise):
        """The customer tries again: it can only become more urgent."""
        debt = self.owed
        if promise.due_at < debt.due_at or promise.priority > debt.priority:
            debt.rule = promise.rule
        debt.due_at = min(promise.due_at, debt.due_at)
        debt.priority = max(promise.priority, debt.priority)
        self._note(call, promise)

    def _move_on(self, call, promise):
        """We tried in vain: it is due again later. Whoever had taken it has tried, and whoever can
        tries next."""
        debt = self.owed
        debt.due_at, debt.last_try_at = promise.due_at, call.moment
        if debt.taken_at and debt.taken_at <= call.moment:
            debt.taken_at = None
        self._note(call, promise)

    def _take_over(self, call, promise):
        """We owed another attempt, and now the customer has called in vain: that is what is owed
        from here on, and our attempts count anew."""
        debt = self.owed
        debt.opened_by, debt.lost_at, debt.last_try_at = call, call.moment, call.moment
        debt.due_at, debt.rule, debt.tries = promise.due_at, promise.rule, []
        debt.priority = max(promise.priority, debt.priority)
        self._note(call, promise)

    def _note(self, call, promise):
        self.owed.calls.append(call.id)
        self.owed.owner = self.owed.owner or promise.owner

    # --- its end ----------------------------------------------------------------------------------

    def talk(self, call):
        """Any real talk closes it: by whomever, on any line, in either direction."""
        self._attempt(call)
        for debt in self.debts:
            debt.talk = debt.talk or call
        if self.owed:
            self._close_by_talk(call)

    def _close_by_talk(self, call):
        self._close('done', CLOSED_BY_TALK[call.direction], call, call.moment)

    def _give_up(self, call, promise):
        """After so many vain attempts the owner decides."""
        if not self.owed:
            return None
        self.owed.rule = promise.rule
        self._close('cancelled', 'gave_up', call, call.moment)
        return 'gave_up'

    def _close(self, state, kind, closed_by, done_at):
        debt, self.owed = self.owed, None
        debt.state, debt.close_kind, debt.closed_by, debt.done_at = state, kind, closed_by, done_at

    # --- what people did --------------------------------------------------------------------------

    def act(self, act):
        """What was done with a callback that has turned out not to be there does nothing."""
        if act.kind == 'opened':
            self._open_by_hand(act)
        elif act.kind == 'reopened':
            self._reopen(act)
        elif not self.owed:
            return
        elif act.kind == 'given':
            self.owed.owner, self.owed.taken_at = act.value, act.at if act.value else None
        elif act.kind == 'passed':  # the owner is away: whose it is now has not taken it
            self.owed.owner, self.owed.taken_at = act.value, None
        elif act.kind == 'moved':
            self.owed.due_at = act.value
        elif act.kind == 'urged':
            self.owed.priority = act.value
        elif act.kind == 'done':
            self._close('done', 'by_hand', act, act.at)
        elif act.kind == 'cancelled':
            self._close('cancelled', 'cancelled', act, act.at)

    def _open_by_hand(self, act):
        """A callback that no call has opened, or whose call is gone."""
        if not self.owed:
            self.owed = Debt(None, lost_at=act.at, due_at=act.value)
            self.debts.append(self.owed)

    def _reopen(self, act):
        """It was closed too early: the customer still waits, unless there was a talk since."""
        closed = [debt for debt in self.debts if debt.close_kind in REOPENABLE]
        if self.owed or not closed:
            return
        # the one that was meant, or else what is left of it
        debt = next((debt for debt in closed if act.about in debt.calls), closed[-1])
        debt.state, debt.close_kind, debt.closed_by, debt.done_at = 'open', None, None, None
        self.owed = debt
        if debt.talk:
            self._close_by_talk(debt.talk)


class Row(NamedTuple):
    """A callback as it was stored. `calls` are those that had opened or joined it."""

    id: Hashable
    opened_by: Hashable
    calls: frozenset


class Changes(NamedTuple):
    """What becomes of stored callbacks: `rows` tells which row each debt has, or None for a new
    one, `merged` which debt a further row is a part of, `void` which rows are no debt at all."""

    rows: list[Row | None]
    merged: dict[Row, Debt]
    void: list[Row]


def compare(stored: Iterable[Row], owed: list[Debt]) -> Changes:
    """Which stored callback is which debt: the one that the same call has opened, or else one that
    has a call in common with it."""
    left = sorted(stored, key=lambda row: row.id)
    rows: list[Row | None] = [None] * len(owed)
    for is_same in (_has_same_origin, _shares_a_call):
        for place, debt in enumerate(owed):
            if not rows[place]:
                rows[place] = next((row for row in left if is_same(row, debt)), None)
                left = [row for row in left if row != rows[place]]
    merged = {
        row: next(debt for debt in owed if _shares_a_call(row, debt))
        for row in left
        if any(_shares_a_call(row, debt) for debt in owed)
    }
    return Changes(rows, merged, [row for row in left if row not in merged])


def _has_same_origin(row, debt):
    return row.opened_by == (debt.opened_by and debt.opened_by.id)


def _shares_a_call(row, debt):
    return not row.calls.isdisjoint(debt.calls)
