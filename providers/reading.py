"""From what lies in the inbox to the record of a call: what a PBX tells is translated, what cannot
be true is replaced by the nearest thing that can, and the rest is folded. The one way through, for
the inbox and for the tests of every adapter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from .base import DOUBTS, Account, CallEvent, CallRecord, Provider, Stored, doubt, doubting
from .fold import fold, void_reason

# How far a PBX's clock may be ahead of ours.
SLACK = timedelta(minutes=5)


def read_call(
    provider: Provider,
    stored: Sequence[Stored],
    account: Account,
    more: Iterable[CallEvent] = (),
) -> tuple[CallRecord | None, str]:
    """The call of which these payloads tell, or None where they tell of none; then the reason, ''
    while nothing says so.

    :param stored: all payloads of one call, in order of arrival
    :param more: what we say of it ourselves
    """
    with doubting() as doubts:
        told = provider.translate(stored, account)
        arrivals = [one.received_at for one in stored]
        if arrivals:
            told = _in_the_past(told, _ahead(provider, stored, account, told), max(arrivals))
        told += more
        record = fold(told)
        if record and arrivals and not record.start_at:
            doubt('time')
            record = replace(record, start_at=min(arrivals))
        if record and doubts:
            record = replace(record, doubts=tuple(what for what in DOUBTS if what in doubts))
    return record, void_reason(told)


def _ahead(
    provider: Provider, stored: Sequence[Stored], account: Account, told: Iterable[CallEvent]
) -> timedelta:
    """How far the PBX's clock is ahead: by as much as the first delivery lay in the future. What
    comes later, when that moment has passed, tells it no more, and changes nothing."""
    heard_at, times = stored[0].received_at, _times(told)
    if not times or min(times) <= heard_at + SLACK:
        return timedelta()  # one of them can be believed
    with doubting():
        first = _times(
            provider.translate([one for one in stored if one.received_at == heard_at], account)
        )
    if not first:
        first, heard_at = times, max(one.received_at for one in stored)
    return max(first) - heard_at if min(first) > heard_at + SLACK else timedelta()


def _in_the_past(events: list[CallEvent], ahead: timedelta, heard_at: datetime) -> list[CallEvent]:
    """No event can tell a time to come. A clock that is ahead is ahead in all events: they are
    moved back together, so that wait and talk stay as they were. A single time that lies ahead of
    the others is the moment when we heard of it."""
    latest = heard_at + SLACK
    times = [moment - ahead for moment in _times(events)]
    if not ahead and not any(moment > latest for moment in times):
        return events
    doubt('time')
    last = max([heard_at, *(moment for moment in times if moment <= latest)])

    def mended(moment: datetime | None) -> datetime | None:
        return moment and min(moment - ahead, last)

    return [
        replace(event, at=mended(event.at), started_at=mended(event.started_at)) for event in events
    ]


def _times(events: Iterable[CallEvent]) -> list[datetime]:
    return [moment for event in events for moment in (event.at, event.started_at) if moment]
