"""When silence is news: how a line is usually called, and how surprising it is that nobody calls now.

A line is compared with itself: with the same stretch of the week (since its last call, until now) in
the six weeks before. So lunch, evenings, weekends and a slow Friday need no settings. How surprising
nothing is follows from how many calls are usual in such a stretch, and from how unevenly they come:
the more they come in clumps and the more one day differs from another, the longer one waits.

The surprise that it takes depends on how many calls a PBX has, because each pause between two calls
is one more chance of a false alarm. Less than three weeks of history, or too few calls, say nothing.

Pure. Moments are half hours of local time, counted from a midnight, with fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import ceil, exp, inf, log, log1p
from statistics import median
from typing import NamedTuple

# Lengths in half hours.
HOUR, DAY, WEEK = 2, 48, 336
# So many weeks are looked at, and so many at least are needed to know what is usual.
WEEKS, FEWEST_WEEKS = 6, 3
# A longer silence is looked at in its last week only, and after three of them no longer: the line is
# out of use.
LONGEST = WEEK
# How many false alarms a month one PBX may give on average, before days off that nobody has entered.
BUDGET = 0.05
# A day that is so much emptier than that weekday usually is was a day off that nobody has entered.
EMPTY, ENOUGH = 0.1, 10
# From six weeks no more can be told about how days differ (see Habit).
STEADINESS = (3.0, 1000.0)
# Up to so many hours a silence is told by the usual number of calls in an hour.
SHORT_HOURS = 12


class Calls:
    """How many calls came in each half hour.

    :param counts: half hour → calls
    :param first: the half hour from which on calls were counted
    :param end: the half hour before which counting ended
    """

    def __init__(self, counts: Mapping[int, int], first: int, end: int):
        self.first, self.end = first, end
        numbers = (counts.get(slot, 0) for slot in range(first, end))
        self._sums = list(accumulate(numbers, initial=0))
        self.begin = min(counts, default=end)  # of the first call

    def between(self, start: float, end: float) -> float:
        """Return the calls between two moments; of a half hour that is cut, the same share."""
        return self._count_before(end) - self._count_before(start)

    def _count_before(self, at: float) -> float:
        at = min(max(at - self.first, 0), len(self._sums) - 1)
        slot = int(at)
        sums, rest = self._sums, at - slot
        return sums[slot] + rest * (sums[slot + 1] - sums[slot]) if rest else sums[slot]


class Habit(NamedTuple):
    """How unevenly the calls of a line come in.

    :ivar clumping: variance of the calls of an hour, as a multiple of their mean; 1 where each call
        comes by itself
    :ivar steadiness: how little days differ beyond that, as the size of a negative binomial
        distribution
    """

    clumping: float
    steadiness: float


class Silence(NamedTuple):
    """A silence that is news. `usual` is the number of calls that usually come in that time, `hourly`
    that of an hour, 0 where an hour says little because nights lie in between."""

    usual: float
    hourly: float


def habit_of(calls: Calls, weeks: int, today: int, closed: frozenset[int]) -> Habit:
    """Return how unevenly calls came in so many weeks before a day.

    :param today: the half hour at which the day begins
    :param closed: beginnings of the days off
    """
    days = _working(calls, range(today - weeks * WEEK, today, DAY), closed)
    hours = [
        _moments([calls.between(day + hour, day + hour + HOUR) for day in same])
        for same in days
        for hour in range(0, DAY, HOUR)
    ]
    totals = [_moments([calls.between(day, day + DAY) for day in same]) for same in days]
    hourly = sum(average for average, _variance in hours)
    clumping = max(sum(variance for _average, variance in hours) / hourly, 1.0) if hourly else 1.0
    excess = sum(variance - clumping * average for average, variance in totals)
    squares = sum(average**2 for average, _variance in totals)
    steadiness = squares / excess if excess > 0 else inf
    return Habit(clumping, min(max(steadiness, STEADINESS[0]), STEADINESS[1]))


def _working(calls: Calls, days: Iterable[int], closed: frozenset[int]) -> list[list[int]]:
    """Return the days that were no days off, by weekday; of a single day no habit is learned."""
    by_weekday: dict[int, list[int]] = {}
    for day in days:
        if day not in closed:
            by_weekday.setdefault(day % WEEK, []).append(day)
    working = []
    for same in by_weekday.values():
        usual = median(calls.between(day, day + DAY) for day in same)
        least = EMPTY * usual if usual >= ENOUGH else 0
        working.append([day for day in same if calls.between(day, day + DAY) >= least])
    return [same for same in working if len(same) > 1]


def _moments(numbers: list[float]) -> tuple[float, float]:
    """Return mean and variance of some numbers."""
    average = sum(numbers) / len(numbers)
    return average, sum((number - average) ** 2 for number in numbers) / (len(numbers) - 1)


def risk_of(calls: float) -> float:
    """Return how improbable a silence must be, for a PBX with so many calls in four weeks."""
    return BUDGET / max(calls, 1)


def silence_of(
    calls: Calls, since: float, now: float, closed: frozenset[int], risk: float
) -> Silence | None:
    """Return the silence of a line if it is news, else None.

    :param since: the last call, or from when on its silence counts
    :param closed: beginnings of the days off
    :param risk: of :func:`risk_of`
    """
    today = int(now // DAY) * DAY
    first = max(calls.first, today - WEEKS * WEEK)
    # the first day with a call is a part of one
    weeks = max(today - max(first, (calls.begin // DAY + 1) * DAY), 0) // WEEK
    start = _after_days_off(max(since, now - LONGEST), now, closed)
    if weeks < FEWEST_WEEKS or start >= now:
        return None
    usual = _usual(calls, first, since, start, now, closed)
    if exp(-usual) > risk:
        return None  # nearly always: no news, however evenly the calls come
    expected = usual * _trend(calls, first, since, closed)
    if chance_of_none(expected, habit_of(calls, weeks, today, closed)) > risk:
        return None
    hours = (now - start) / HOUR
    return Silence(usual, usual / hours if hours <= SHORT_HOURS else 0)


def chance_of_none(expected: float, habit: Habit) -> float:
    """Return how probable it is that nobody calls where so many calls are expected."""
    clumping, size = habit.clumping, habit.steadiness
    if clumping > 1:
        expected *= log(clumping) / (clumping - 1)
    return exp(-size * log1p(expected / size))


def _after_days_off(start: float, now: float, closed: frozenset[int]) -> float:
    """Return the later of `start` and the end of the last day off that has begun."""
    day = int(now // DAY) * DAY
    while day + DAY > start:
        if day in closed:
            return day + DAY
        day -= DAY
    return start


def _usual(
    calls: Calls, first: int, since: float, start: float, now: float, closed: frozenset[int]
) -> float:
    """Return how many calls came in this stretch of the week in the weeks before the silence: in the
    middle ones, or on average if that is less. 0 if too few weeks can be compared."""
    counts = []
    for week in range(1, WEEKS + 1):
        begin, end = start - week * WEEK, now - week * WEEK
        if first <= begin and end <= since and not closed.intersection(_days(begin, end)):
            counts.append(calls.between(begin, end))
    return min(median(counts), sum(counts) / len(counts)) if len(counts) >= FEWEST_WEEKS else 0.0


def _trend(calls: Calls, first: int, until: float, closed: frozenset[int]) -> float:
    """Return what remains of the usual, at most 1: a line that falls asleep is no news, and what it
    lost in its last week it is expected to lose again. Days off of the last week do not count."""
    ends = [
        end
        for end in (until - day * DAY for day in range(7))
        if not closed.intersection(_days(end - DAY, end))
    ]
    counts = [
        sum(calls.between(end - DAY - week * WEEK, end - week * WEEK) for end in ends)
        for week in range(WEEKS)
        if until - (week + 1) * WEEK >= first
    ]
    if len(counts) < FEWEST_WEEKS:
        return 1.0
    before = median(counts[1:])
    return min(counts[0] / before, 1.0) ** 2 if before else 1.0


def _days(start: float, end: float) -> range:
    """Return the beginnings of the days that this time touches."""
    return range(int(start // DAY) * DAY, ceil(end), DAY)
