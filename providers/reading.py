"""Reads a call off the payloads in the inbox: the adapter translates them, times that cannot be true
are replaced by the nearest that can, and the events are folded. The inbox and the tests of every
adapter go this one way."""

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
    """Return the call of which these payloads tell, and why it is none. The call is None while they
    tell of none; the reason is '' while no event gives one.

    :param stored: all payloads of one call, in order of arrival
    :param more: events that Odoo adds by itself, such as that nothing was heard of it for too long
    """
    with doubting() as doubts:
        told = provider.translate(stored, account)
        arrivals = [item.received_at for item in stored]
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


def first_told(provider: Provider, stored: Sequence[Stored], account: Account) -> datetime | None:
    """Return the earliest time that these payloads of one call tell, as the PBX's own clock has it;
    None if they tell none that can be a time at all."""
    with doubting():
        return min(_times(provider.translate(stored, account)), default=None)


def _ahead(
    provider: Provider, stored: Sequence[Stored], account: Account, told: Iterable[CallEvent]
) -> timedelta:
    """Return how far the PBX's clock is ahead of ours: as far as the first delivery lay in the
    future. Later deliveries do not count, because their times may have passed by then."""
    heard_at, times = stored[0].received_at, _times(told)
    if not times or min(times) <= heard_at + SLACK:
        return timedelta()  # at least one time can be true
    with doubting():
        first = _times(
            provider.translate([item for item in stored if item.received_at == heard_at], account)
        )
    if not first:
        first, heard_at = times, max(item.received_at for item in stored)
    return max(first) - heard_at if min(first) > heard_at + SLACK else timedelta()


def _in_the_past(events: list[CallEvent], ahead: timedelta, heard_at: datetime) -> list[CallEvent]:
    """Return the events without times in the future. A clock that is ahead is so in all events:
    they are moved back together, so that wait and talk stay as they were. A single time in the
    future is replaced by the moment when we heard of it."""
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
