"""Why nobody answered a lost call: the evidence of the other calls, as a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

# Seconds for which somebody must have been free: who is free for less cannot be blamed.
FREE_SECONDS = 10

Interval = tuple[datetime, datetime]


class Loss(NamedTuple):
    """What is known of a lost call. Moments are naive UTC.

    :ivar begin: when a phone or queue took the caller
    :ivar busy: for each employee who was at work, the intervals in which they talked or dialled
    :ivar others: the intervals of all other calls with the outside
    :ivar lines: how many calls the lines carry at once, 0 if that is not known
    """

    is_blocked: bool
    in_hours: bool
    is_short_abandon: bool
    begin: datetime
    end: datetime
    busy: Sequence[Sequence[Interval]]
    others: Sequence[Interval] = ()
    lines: int = 0


def cause_of(loss: Loss) -> str:
    """Return a value of `telephony.call.lost_cause`.

    A caller who could not get in is a matter of lines; after hours nobody is to blame; who hangs up
    at once gave nobody a chance. For the others the freest employee decides.
    """
    if loss.is_blocked:
        return 'lines'
    if not loss.in_hours:
        return 'closed'
    if loss.is_short_abandon:
        return 'at_once'
    if loss.lines and most_at_once(loss.others, loss.begin, loss.end) >= loss.lines:
        return 'lines'
    wait = (loss.end - loss.begin).total_seconds()
    free = [wait - covered(intervals, loss.begin, loss.end) for intervals in loss.busy]
    if not free:
        return 'unknown'
    return 'not_picked_up' if max(free) >= min(FREE_SECONDS, wait) else 'nobody_free'


def covered(intervals: Iterable[Interval], begin: datetime, end: datetime) -> float:
    """Return the seconds between two moments that are covered by at least one interval."""
    seconds, until = 0.0, begin
    for start, stop in sorted(intervals):
        start, stop = max(start, until), min(stop, end)
        if stop > start:
            seconds += (stop - start).total_seconds()
            until = stop
    return seconds


def most_at_once(intervals: Iterable[Interval], begin: datetime, end: datetime) -> int:
    """Return the largest number of intervals that overlap at one moment of `begin` to `end`. An
    interval that ends when another begins leaves its place to it."""
    moments = []
    for start, stop in intervals:
        start, stop = max(start, begin), min(stop, end)
        if stop > start:
            moments += [(start, 1), (stop, -1)]
    most = now = 0
    for _moment, step in sorted(moments):
        now += step
        most = max(most, now)
    return most
