"""Where a sound is cut: at its pauses, into parts that a model hears at once."""

from __future__ import annotations

from collections.abc import Sequence

# Seconds of a frame, whose loudness is one number.
FRAME = 0.02
# What is louder than the quiet fifth of the sound by so much (dB) is a voice, and so is what is less
# than so much below its loudest; never what is this quiet (dB below full scale).
ABOVE_QUIET, BELOW_LOUD, QUIET = 12.0, 20.0, -50.0
# Shorter pauses belong to what is said; a voice keeps so much silence around it. Seconds, as MOST.
PAUSE, MARGIN = 0.6, 0.2
MOST = 20.0


def utterances(loud: Sequence[float]) -> list[tuple[float, float]]:
    """Return (start, end) of what is said, in seconds and in order, none longer than MOST.

    :param loud: dB of each frame
    """
    if not loud:
        return []
    ranked = sorted(loud)
    quiet, loudest = ranked[len(loud) // 5], ranked[len(loud) * 19 // 20]
    # a side that speaks all the time has no quiet fifth
    limit = max(min(quiet + ABOVE_QUIET, loudest - BELOW_LOUD), QUIET)
    margin, pause, spans = round(MARGIN / FRAME), round(PAUSE / FRAME), []
    for place, value in enumerate(loud):
        if value <= limit:
            continue
        if spans and place - spans[-1][1] <= pause:
            spans[-1][1] = place + 1
        else:
            spans.append([place, place + 1])
    return [
        (first * FRAME, last * FRAME)
        for start, end in spans
        for first, last in _pieces(loud, max(start - margin, 0), min(end + margin, len(loud)))
    ]


def _pieces(loud: Sequence[float], start: int, end: int) -> list[tuple[int, int]]:
    """Cut frames at the quietest one of the later half, until no piece is too long."""
    most, pieces = round(MOST / FRAME), []
    while end - start > most:
        cut = min(range(start + most // 2, start + most), key=loud.__getitem__)
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]
