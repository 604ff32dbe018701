"""All events of one call become one record.

The result depends on the set of events alone: not on their order of arrival, their repeats or the
deliveries that brought them. A call is therefore never edited step by step; it is computed again
whenever an event comes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone

from .base import KINDS, CallEvent, CallRecord, LegRecord, RecordingRecord

_FIRST = datetime.min.replace(tzinfo=timezone.utc)
# Events that tell that a call exists; a recording alone does not, it waits for its call.
_LIFE = frozenset({'ringing', 'answered', 'transferred', 'leg_ended', 'ended', 'lost'})
# What puts a phone to work again.
_AT_IT = frozenset({'ringing', 'answered', 'transferred'})
# How an unanswered call is called where nobody told the outcome.
_UNANSWERED = {'inbound': 'missed', 'outbound': 'no_answer', 'internal': 'no_answer'}
_OTHER_WORDS = {
    ('inbound', 'no_answer'): 'missed',
    ('outbound', 'missed'): 'no_answer',
    ('outbound', 'abandoned'): 'no_answer',
}
# More seconds than any call has; clocks that were never set make such calls.
_MOST = 10**7


def fold(events: Iterable[CallEvent]) -> CallRecord | None:
    """The call that these events tell of, or None while they tell of none (see
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
    outcome = _last(ends, 'outcome')
    told_talk, told_wait = _last(ends, 'talk_seconds'), _last(life, 'wait_seconds')
    ended_at = ends[-1].at if ends else None
    answered_at = answers[0].at if answers else None
    started_at = min((event.started_at for event in events if event.started_at), default=None)
    start_at = started_at or min((event.at for event in life if event.at), default=None)

    if not answered_at and outcome == 'answered' and ended_at and told_talk is not None:
        # a PBX that rounds the talk up does not answer before the start
        answered_at = max(_before(ended_at, told_talk), started_at or _FIRST)
    if not started_at and ends and len({event.at for event in life}) == 1 and ended_at:
        # the end is all we heard: it still tells how long the call was
        start_at = _before(ended_at, (told_talk or 0) + (told_wait or 0))

    talk = told_talk
    if talk is None and ended_at and answered_at:
        talk = max((ended_at - answered_at).total_seconds(), 0)
    if ends:
        outcome = _settle(outcome, direction, life, bool(answers), talk)
    if outcome != 'answered' and ends:
        answered_at = None
        talk = 0
    wait = told_wait
    if wait is None and start_at:
        until = answered_at or ended_at
        wait = max((until - start_at).total_seconds(), 0) if until else 0

    answered = outcome == 'answered' or (not ends and bool(answers))
    lost = any(event.kind == 'lost' for event in life)
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
        wait_seconds=_whole(wait),
        talk_seconds=_whole(talk),
        talk_known=talk is not None,
        state='ended' if ends or lost else 'in_progress' if answers else 'ringing',
        outcome=outcome,
        end_unknown=lost and not ends,
        legs=_legs(direction, answered, life, answered_at, ended_at, _whole(talk), over=bool(ends)),
        recordings=_recordings(events),
    )


def void_reason(events: Iterable[CallEvent]) -> str:
    """Why these events are no call with a customer, '' when nothing says so."""
    return next((event.note for event in sorted(events, key=_order) if event.kind == 'void'), '')


def _order(event: CallEvent):
    """By time, as the adapter says, by what can only follow, by content: a total order that no
    arrival can change."""
    return event.at or _FIRST, event.order, KINDS.index(event.kind), repr(event)


def _first(events: Sequence[CallEvent], name: str):
    return next((value for event in events if (value := getattr(event, name))), '')


def _last(events: Sequence[CallEvent], name: str):
    values = [value for event in events if (value := getattr(event, name)) not in (None, '')]
    return values[-1] if values else (None if name.endswith('_seconds') else '')


def _before(moment: datetime, seconds: float) -> datetime:
    """So long ago; some PBXs say the year 1 where they know no time, and nothing was before
    that."""
    return moment - min(timedelta(seconds=seconds), moment - _FIRST)


def _whole(seconds: float | None) -> int:
    return min(int((seconds or 0) + 0.5), _MOST)


def _settle(
    outcome: str, direction: str, life: Sequence[CallEvent], was_answered: bool, talk: float | None
) -> str:
    """The outcome of an ended call: what was told, unless it claims an answer without talk; else
    what happened."""
    if outcome == 'answered' or (not outcome and was_answered):
        if talk is None or talk > 0:
            return 'answered'
        outcome = ''
    if outcome:
        # senders use the words of both sides for each other's calls
        return _OTHER_WORDS.get((direction, outcome), outcome)
    if (
        direction == 'inbound'
        and _first(life, 'queue')
        and not any(event.extension for event in life)
    ):
        # he left while waiting and no phone had rung
        return 'abandoned'
    return _UNANSWERED[direction]


def _extension(direction, answered, life, answers, ends) -> str:
    """Who took the call first; outbound: who placed it; internal: who took it, else whose phone
    rang. Nobody for a lost inbound call."""
    if direction == 'outbound':
        return _first(life, 'extension')
    if answered:
        return _first(answers, 'extension') or _first(ends, 'extension')
    return '' if direction == 'inbound' else _first(life, 'extension')


def _legs(
    direction, answered, life, call_answered_at, call_ended_at, talk, over
) -> tuple[LegRecord, ...]:
    """The phones of our side. An outbound call has legs only when it was passed on: the phone that
    placed it rang for nobody."""
    phones = {}
    for event in life:
        if event.extension:
            phones.setdefault(event.extension, []).append(event)
    if direction == 'outbound' and len(phones) < 2:
        return ()
    takes = {}  # extension: when its owner began to talk
    quits = {extension: _quits(events) for extension, events in phones.items()}
    for extension, events in phones.items():
        took = [event.at for event in events if event.kind == 'answered']
        passed = [event.at for event in events if event.kind == 'transferred']
        last_word = [event for event in events if event.kind == 'ended']
        if took:
            takes[extension] = took[0]
        elif answered and last_word and not any(event.outcome for event in quits[extension]):
            # the end names who had the call: it was passed to him, or he is the only one we know of
            takes[extension] = passed[0] if passed else call_answered_at
    if not answered:
        takes = {}
    starts = sorted((at for at in takes.values() if at), key=lambda at: at)
    legs = []
    for extension, events in phones.items():
        own_ends = [event for event in quits[extension] if event.at]
        took = extension in takes
        answered_at = takes.get(extension)
        # a phone that tells no end of its own was quiet when the next one took the call
        begun = answered_at or min(
            (event.at for event in events if event.at and event.kind != 'ended'), default=None
        )
        following = next(
            (at for at in starts if begun and (at > begun or not took and at >= begun)), None
        )
        ended_at = own_ends[-1].at if own_ends else following or call_ended_at
        told = _last(quits[extension], 'outcome')
        if took:
            # a lone talker has all the talk that was told; who left earlier or shares it has it by
            # the clock
            alone = len(takes) == 1 and not own_ends
            span = (ended_at - answered_at).total_seconds() if answered_at and ended_at else 0
            leg_talk = talk if alone else _whole(max(span, 0))
        else:
            leg_talk = 0
        legs.append(
            LegRecord(
                extension=extension,
                start_at=min(
                    (event.at for event in events if event.at and event.kind != 'ended'),
                    default=answered_at,
                ),
                answered_at=answered_at,
                ended_at=ended_at,
                talk_seconds=leg_talk,
                outcome='answered' if took else told or ('no_answer' if ended_at or over else ''),
            )
        )
    return tuple(sorted(legs, key=lambda leg: (leg.start_at or _FIRST, leg.extension)))


def _quits(events: Sequence[CallEvent]) -> list[CallEvent]:
    """The ends that a phone has told since it was last heard of: a queue rings it again and
    again."""
    later = itertools.takewhile(lambda event: event.kind not in _AT_IT, reversed(events))
    return [event for event in reversed(list(later)) if event.kind == 'leg_ended']


def _recordings(events: Sequence[CallEvent]) -> tuple[RecordingRecord, ...]:
    """One for each address or file name; a file that is told twice, once with its address, is
    one."""
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
