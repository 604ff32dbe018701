"""Folds all events of one call into one record.

The result depends on the set of events alone: not on their order of arrival, their repeats or the
deliveries that brought them. A call is therefore never edited step by step; it is computed again
whenever an event comes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from .base import KINDS, CallEvent, CallRecord, LegRecord, RecordingRecord

_FIRST = datetime.min.replace(tzinfo=timezone.utc)
# Events that show that a call exists. A recording alone does not; it waits for its call.
_LIFE = frozenset({'ringing', 'answered', 'transferred', 'leg_ended', 'ended', 'lost'})
# What puts a phone to work again.
_AT_IT = frozenset({'ringing', 'answered', 'transferred'})
# The outcome of an unanswered call for which none was told.
_UNANSWERED = {'inbound': 'missed', 'outbound': 'no_answer', 'internal': 'no_answer'}
_OTHER_WORDS = {
    ('inbound', 'no_answer'): 'missed',
    ('outbound', 'missed'): 'no_answer',
    ('outbound', 'abandoned'): 'no_answer',
}
# No call has more seconds, unless a clock was never set.
_MOST = 10**7


def fold(events: Iterable[CallEvent]) -> CallRecord | None:
    """Return the call of which these events tell, or None while they tell of none (see
    :func:`void_reason`).

    Rules: talk counts from the first answer by a person to the end; a call with no talk is
    not `answered`; who answered first is the call's extension; `wait` is from the start to the
    answer or to the end. Where two events contradict each other, the later one wins.
    """
    events = sorted(set(events), key=_order)
    life = [event for event in events if event.kind in _LIFE]
    direction = _first(events, 'direction')
    if not life or not direction or void_reason(events):
        return None

    answers = [event for event in life if event.kind == 'answered']
    ends = [event for event in life if event.kind == 'ended']
    start_at, answered_at = _start_and_answer(events, life, answers, ends)
    ended_at = ends[-1].at if ends else None
    talk = _last(ends, 'talk_seconds')
    if talk is None and ended_at and answered_at:
        talk = max((ended_at - answered_at).total_seconds(), 0)
    outcome = _outcome(direction, life, ends, bool(answers), talk) if ends else ''
    if ends and outcome != 'answered':
        answered_at, talk = None, 0

    answered = outcome == 'answered' or (not ends and bool(answers))
    lost = any(event.kind == 'lost' for event in life)
    wait = _wait(life, start_at, answered_at or ended_at)
    return CallRecord(
        external_id=events[0].external_id,
        direction=direction,
        caller=_first(events, 'caller'),
        called=_first(events, 'called'),
        extension=_extension(direction, answered, life, answers, ends),
        queue=_first(events, 'queue'),
        start_at=start_at,
        answered_at=answered_at,
        ended_at=ended_at,
        wait_seconds=wait,
        menu_seconds=min(_menu(life, start_at), wait) if direction == 'inbound' else 0,
        talk_seconds=_whole(talk),
        talk_known=talk is not None,
        state='ended' if ends or lost else 'in_progress' if answers else 'ringing',
        outcome=outcome,
        end_unknown=lost and not ends,
        legs=_legs(direction, answered, life, answered_at, ended_at, _whole(talk), over=bool(ends)),
        recordings=_recordings(events),
    )


def void_reason(events: Iterable[CallEvent]) -> str:
    """Return why these events are no call with a customer, '' if no event says so."""
    return next((event.note for event in sorted(events, key=_order) if event.kind == 'void'), '')


def _order(event: CallEvent):
    """Sort key: time, the adapter's order, what can only follow, content. A total order, so that
    the order of arrival changes nothing."""
    return event.at or _FIRST, event.order, KINDS.index(event.kind), repr(event)


def _first(events: Sequence[CallEvent], name: str):
    return next((value for event in events if (value := getattr(event, name))), '')


def _last(events: Sequence[CallEvent], name: str):
    values = [value for event in events if (value := getattr(event, name)) not in (None, '')]
    return values[-1] if values else (None if name.endswith('_seconds') else '')


def _start_and_answer(
    events: Sequence[CallEvent],
    life: Sequence[CallEvent],
    answers: Sequence[CallEvent],
    ends: Sequence[CallEvent],
) -> tuple[datetime | None, datetime | None]:
    """Return when the call started and when it was answered, as far as it was told or follows from
    the end of the call."""
    started_at = min((event.started_at for event in events if event.started_at), default=None)
    start_at = started_at or min((event.at for event in life if event.at), default=None)
    answered_at = answers[0].at if answers else None
    if not ends or not (ended_at := ends[-1].at):
        return start_at, answered_at
    talk, wait = _last(ends, 'talk_seconds'), _last(life, 'wait_seconds')
    if not answered_at and talk is not None and _last(ends, 'outcome') == 'answered':
        # a PBX that rounds the talk up does not answer before the start
        answered_at = max(_before(ended_at, talk), started_at or _FIRST)
    if not started_at and len({event.at for event in life}) == 1:
        # the end is all that was told: it still tells how long the call was
        start_at = _before(ended_at, (talk or 0) + (wait or 0))
    return start_at, answered_at


def _before(moment: datetime, seconds: float) -> datetime:
    """Return the moment so many seconds earlier, but not before the year 1, which some PBXs send
    where they know no time."""
    return moment - min(timedelta(seconds=seconds), moment - _FIRST)


def _wait(life: Sequence[CallEvent], start_at: datetime | None, until: datetime | None) -> int:
    """Return the wait that was told, else the seconds from the start to the answer or end."""
    told = _last(life, 'wait_seconds')
    if told is None and start_at and until:
        return _whole(max((until - start_at).total_seconds(), 0))
    return _whole(told)


def _menu(life: Sequence[CallEvent], start_at: datetime | None) -> int:
    """Return the seconds from the start until the first phone rang or a queue took the caller; 0 if
    nothing of that was told."""
    begun = [
        event.at
        for event in life
        if event.kind == 'ringing' and event.at and (event.extension or event.queue)
    ]
    return _whole(max((min(begun) - start_at).total_seconds(), 0)) if begun and start_at else 0


def _whole(seconds: float | None) -> int:
    return min(int((seconds or 0) + 0.5), _MOST)


def _outcome(
    direction: str,
    life: Sequence[CallEvent],
    ends: Sequence[CallEvent],
    was_answered: bool,
    talk: float | None,
) -> str:
    """Return the outcome of an ended call: the one that was told, unless it claims an answer
    without talk; else what follows from the events."""
    outcome = _last(ends, 'outcome')
    if outcome == 'answered' or (not outcome and was_answered):
        if talk is None or talk > 0:
            return 'answered'
        outcome = ''
    if outcome:
        # senders use the words of both sides for each other's calls
        return _OTHER_WORDS.get((direction, outcome), outcome)
    if direction == 'inbound' and _first(life, 'queue') and not _first(life, 'extension'):
        # the caller left while waiting, and no phone had rung
        return 'abandoned'
    return _UNANSWERED[direction]


def _extension(direction, answered, life, answers, ends) -> str:
    """Return the phone that took the call first; of an outbound call the one that placed it, of an
    internal one that nobody took the one that rang, of a lost inbound one none."""
    if direction == 'outbound':
        return _first(life, 'extension')
    if answered:
        return _first(answers, 'extension') or _first(ends, 'extension')
    return '' if direction == 'inbound' else _first(life, 'extension')


def _legs(
    direction, answered, life, call_answered_at, call_ended_at, talk, over
) -> tuple[LegRecord, ...]:
    """Return the phones of our side. An outbound call has legs only if it was passed on, because
    the phone that placed it rang for nobody."""
    phones = {}
    for event in life:
        if event.extension:
            phones.setdefault(event.extension, []).append(event)
    if direction == 'outbound' and len(phones) < 2:
        return ()
    takes = _takes(phones, call_answered_at) if answered else {}
    legs = [
        _leg(extension, events, takes, call_ended_at, talk, over)
        for extension, events in phones.items()
    ]
    return tuple(sorted(legs, key=lambda leg: (leg.start_at or _FIRST, leg.extension)))


def _takes(
    phones: Mapping[str, Sequence[CallEvent]], call_answered_at: datetime | None
) -> dict[str, datetime | None]:
    """Return the extensions at which somebody talked, and since when."""
    takes = {}
    for extension, events in phones.items():
        answers = [event.at for event in events if event.kind == 'answered']
        transfers = [event.at for event in events if event.kind == 'transferred']
        is_named_last = any(event.kind == 'ended' for event in events)
        if answers:
            takes[extension] = answers[0]
        elif is_named_last and not any(event.outcome for event in _quits(events)):
            # the end names who had the call: by a transfer, or as the only one who is known
            takes[extension] = transfers[0] if transfers else call_answered_at
    return takes


def _leg(
    extension: str,
    events: Sequence[CallEvent],
    takes: Mapping[str, datetime | None],
    call_ended_at: datetime | None,
    talk: int,
    over: bool,
) -> LegRecord:
    """Return the leg of one phone.

    :param takes: as :func:`_takes` tells them, of all phones
    :param talk: seconds of the call
    :param over: whether the call has ended
    """
    took, answered_at = extension in takes, takes.get(extension)
    begun = (event.at for event in events if event.at and event.kind != 'ended')
    start_at = min(begun, default=answered_at)
    quits = _quits(events)
    own_ends = [event.at for event in quits if event.at]
    if own_ends:
        ended_at = own_ends[-1]
    else:
        ended_at = _next_take(takes, answered_at or start_at, took) or call_ended_at
    leg_talk = 0
    if took and len(takes) == 1 and not own_ends:
        leg_talk = talk  # nobody shares it
    elif answered_at and ended_at:
        leg_talk = _whole(max((ended_at - answered_at).total_seconds(), 0))
    refusal = _last(quits, 'outcome') or ('no_answer' if ended_at or over else '')
    return LegRecord(
        extension=extension,
        start_at=start_at,
        answered_at=answered_at,
        ended_at=ended_at,
        talk_seconds=leg_talk,
        outcome='answered' if took else refusal,
    )


def _next_take(
    takes: Mapping[str, datetime | None], begun: datetime | None, took: bool
) -> datetime | None:
    """Return when the next phone took the call: since then a phone is quiet that tells no end of
    its own."""
    if not begun:
        return None
    later = (at for at in takes.values() if at and (at > begun or at == begun and not took))
    return min(later, default=None)


def _quits(events: Sequence[CallEvent]) -> list[CallEvent]:
    """Return the ends that a phone has told since it last rang or talked, because a queue rings a
    phone again and again."""
    later = itertools.takewhile(lambda event: event.kind not in _AT_IT, reversed(events))
    return [event for event in reversed(list(later)) if event.kind == 'leg_ended']


def _recordings(events: Sequence[CallEvent]) -> tuple[RecordingRecord, ...]:
    """Return one recording for each file name or, without a name, address. A file that is told
    twice, once with its address, is one."""
    found: dict[str, RecordingRecord] = {}
    for event in events:
        if event.recording_url or event.recording_ref:
            key = event.recording_ref or event.recording_url
            before = found.get(key, RecordingRecord())
            found[key] = RecordingRecord(
                url=event.recording_url or before.url,
                ref=event.recording_ref or before.ref,
                seconds=event.recording_seconds or before.seconds,
            )
    return tuple(found[key] for key in sorted(found))
