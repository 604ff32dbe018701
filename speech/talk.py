"""Figures of a talk of two, from who speaks when, never from the words.

Turns come in the order of time as (start, end) in seconds, those of one side do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

Turns = Sequence[tuple[float, float]]

# A share says nothing of a side that has spoken for less (seconds).
LEAST_SPOKEN = 5.0
LONG_SILENCE = 15.0
# An interruption: so long had the other spoken, so long do both speak, so soon does the other stop,
# and so long does the interrupter go on.
_SPOKEN, _TOGETHER, _GIVES_UP, _GOES_ON = 1.0, 0.3, 1.0, 1.0
# A monologue lasts over pauses shorter than this, and over what the other throws in.
_PAUSE, _INTERJECTION = 1.0, 1.0
# What comes later is no reply.
_REPLY = 5.0


@dataclass(frozen=True)
class Side:
    """What one side did. `interruptions`: how often it cut the other short; `longest`: its longest
    monologue in seconds."""

    seconds: float = 0.0
    longest: float = 0.0
    interruptions: int = 0


@dataclass(frozen=True)
class Talk:
    """The figures of a talk, in seconds.

    :param share: how much of the speaking is ours, 0 to 1; None where one side hardly spoke
    :param silence: in which neither speaks
    :param long_silences: how many silences last 15 seconds or more
    :param overlap: in which both speak
    :param reply: median time from the end of one side to the start of the other; None without any
    """

    ours: Side = Side()
    theirs: Side = Side()
    share: float | None = None
    silence: float = 0.0
    long_silences: int = 0
    overlap: float = 0.0
    reply: float | None = None


def measure(ours: Turns, theirs: Turns, seconds: float) -> Talk:
    """Return the figures of a talk of so many seconds."""
    sides = [
        Side(_spoken(mine), _longest(mine, other), _interruptions(mine, other))
        for mine, other in ((ours, theirs), (theirs, ours))
    ]
    joint = sides[0].seconds + sides[1].seconds
    speech = list(union([*ours, *theirs]))
    gaps = list(_gaps(speech, seconds))
    replies = sorted([*_replies(ours, theirs), *_replies(theirs, ours)])
    is_clear = min(side.seconds for side in sides) >= LEAST_SPOKEN
    return Talk(
        ours=sides[0],
        theirs=sides[1],
        share=round(sides[0].seconds / joint, 4) if is_clear else None,
        silence=round(sum(gaps), 2),
        long_silences=sum(gap >= LONG_SILENCE for gap in gaps),
        overlap=round(joint - _spoken(speech), 2),
        reply=round(median(replies), 2) if replies else None,
    )


def union(
    turns: Iterable[tuple[float, float]], pause: float = 0.0
) -> Iterable[tuple[float, float]]:
    """Yield the stretches in which any of the turns goes on, over pauses of at most so long."""
    start = end = None
    for begin, stop in sorted(turns):
        if end is not None and begin <= end + pause:
            end = max(end, stop)
            continue
        if end is not None:
            yield start, end
        start, end = begin, stop
    if end is not None:
        yield start, end


def _spoken(turns: Turns) -> float:
    return round(sum(end - start for start, end in turns), 2)


def _gaps(speech: Turns, seconds: float) -> Iterable[float]:
    last = 0.0
    for start, end in [*speech, (max(seconds, last), 0.0)]:
        if start > last:
            yield start - last
        last = max(last, end)


def _interruptions(mine: Turns, other: Turns) -> int:
    return sum(
        start - begin >= _SPOKEN
        and _TOGETHER <= stop - start <= _GIVES_UP
        and end - stop >= _GOES_ON
        for start, end in mine
        for begin, stop in other
        if begin < start < stop
    )


def _longest(mine: Turns, other: Turns) -> float:
    """The longest run of turns with short pauses, into which the other says no more than a word."""
    breaks = [start for start, end in other if end - start >= _INTERJECTION]
    longest, begin, last = 0.0, None, 0.0
    for start, end in mine:
        is_broken = begin is not None and any(begin < moment <= start for moment in breaks)
        if begin is None or start - last >= _PAUSE or is_broken:
            begin = start
        last = end
        longest = max(longest, last - begin)
    return round(longest, 2)


def _replies(asked: Turns, replied: Turns) -> Iterable[float]:
    """Gaps from the end of a turn to the next of the other side, if nobody speaks in between."""
    for place, (_start, end) in enumerate(asked):
        following = asked[place + 1][0] if place + 1 < len(asked) else float('inf')
        start = next((start for start, _end in replied if start >= end), None)
        if start is not None and start <= following and start - end <= _REPLY:
            yield start - end
