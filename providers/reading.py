"""From what lies in the inbox to the record of a call: what a PBX tells is translated, what cannot be true is replaced by
the nearest thing that can, and the rest is folded. The one way through, for the inbox and for the tests of every adapter."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from .base import DOUBTS, Account, CallEvent, CallRecord, Provider, Stored, doubt, doubting
from .fold import fold, void_reason

# How far a PBX's clock may be ahead of ours.
SLACK = timedelta(minutes=5)


def read_call(
    provider: Provider, stored: Sequence[Stored], account: Account, more: Iterable[CallEvent] = (),
) -> tuple[CallRecord | None, str]:
    """The call of which these payloads tell, or None where they tell of none; then the reason, '' while nothing says so.

    :param stored: all payloads of one call, in order of arrival
    :param more: what we say of it ourselves
    """
    with doubting() as doubts:
        told = provider.translate(stored, account)
        arrivals = [one.received_at for one in stored]
        if arrivals:
            told = _in_the_past(told, max(arrivals))
        told += more
        record = fold(told)
        if record and arrivals and not record.start_at:
            doubt('time')
            record = replace(record, start_at=min(arrivals))
        if record and doubts:
            record = replace(record, doubts=tuple(what for what in DOUBTS if what in doubts))
    return record, void_reason(told)


def _in_the_past(events: list[CallEvent], heard_at: datetime) -> list[CallEvent]:
    """No event can tell a time to come. A clock that is ahead is ahead in all events: they are moved back together, so that
    wait and talk stay as they were. A single time that lies ahead of the others is the moment when we heard of it."""
    latest = heard_at + SLACK
    times = [moment for event in events for moment in (event.at, event.started_at) if moment]
    if not any(moment > latest for moment in times):
        return events
    doubt('time')
    ahead = max(times) - heard_at if min(times) > latest else timedelta()
    last = max([heard_at, *(moment for moment in times if moment <= latest)])

    def mended(moment: datetime | None) -> datetime | None:
        return moment and min(moment - ahead, last)

    return [replace(event, at=mended(event.at), started_at=mended(event.started_at)) for event in events]
