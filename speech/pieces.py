"""Cuts a recording into pieces that an engine takes: each channel by itself, long silences left out.

The second in the recording of what an engine heard in a piece is told by :meth:`Piece.moment`.
"""

from __future__ import annotations

import io
import wave
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from .decode import Undecodable, decoders
from .kinds import HEAD, looks_like
from .talk import Turns, union

# Seconds: of an engine's request, of silence that is left out, and of it that stays at both ends.
LONGEST, SHORTEST = 120.0, 20.0
_LEFT_OUT, _EDGE = 2.0, 0.2
# A piece is cut where nobody speaks for so long, if there is such a place.
_CUT = 0.3
# How long one may decode a recording (seconds).
_PATIENCE = 60.0
BOTH = 2  # the channel of a recording that has both sides in one


@dataclass(frozen=True)
class Piece:
    """A part of a channel. `stretches`: what it is made of, as seconds of the recording."""

    channel: int
    stretches: tuple[tuple[float, float], ...]

    @property
    def start(self) -> float:
        return self.stretches[0][0]

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end in self.stretches)

    def moment(self, second: float) -> float:
        """Return where in the recording a second of this piece is. What lies outside is moved to the
        nearest end, because engines tell times that cannot be."""
        left = max(second, 0.0)
        for start, end in self.stretches:
            if left <= end - start:
                return round(start + left, 2)
            left -= end - start
        return self.stretches[-1][1]

    def halves(self) -> tuple[Piece, ...]:
        """Return this piece as two, for an engine to which it was too large; itself if it is short
        already."""
        if self.seconds < 2 * SHORTEST:
            return (self,)
        return tuple(_pieces(self.channel, self.stretches, self.seconds / 2 + 0.01))


def plan(turns: Sequence[Turns], longest: float = LONGEST) -> list[Piece]:
    """Return the pieces of a recording, channel after channel.

    :param turns: for each channel when somebody speaks; one channel holds both sides
    :param longest: seconds of a piece
    """
    pieces = []
    for channel, side in enumerate(turns):
        padded = [(max(0.0, start - _EDGE), end + _EDGE) for start, end in side]
        stretches = list(union(padded, _LEFT_OUT - 2 * _EDGE))
        pieces += _pieces(
            BOTH if len(turns) == 1 else channel, _cut(stretches, side, longest), longest
        )
    return pieces


def _cut(stretches: Turns, turns: Turns, longest: float) -> Iterator[tuple[float, float]]:
    """Cut stretches that are too long at the longest pause before they are."""
    pauses = [(end, start) for (_, end), (start, _) in zip(turns, turns[1:]) if start - end >= _CUT]
    for start, end in stretches:
        while end - start > longest:
            inside = [
                pause
                for pause in pauses
                if start + longest / 4 < pause[0] and pause[1] < start + longest
            ]
            best = max(inside, key=lambda pause: pause[1] - pause[0], default=None)
            at = (best[0] + best[1]) / 2 if best else start + longest
            yield start, at
            start = at
        yield start, end


def _pieces(
    channel: int, stretches: Sequence[tuple[float, float]], longest: float
) -> Iterator[Piece]:
    held: list[tuple[float, float]] = []
    length = 0.0
    for start, end in _cut(stretches, (), longest):
        if held and length + end - start > longest:
            yield Piece(channel, tuple(held))
            held, length = [], 0.0
        held.append((start, end))
        length += end - start
    if held:
        yield Piece(channel, tuple(held))


def cut(file: BinaryIO, pieces: Sequence[Piece]) -> Iterator[tuple[int, bytes]]:
    """Yield the sound of these pieces, as number of the piece and 16-bit WAV, when it is complete. The
    recording is read once, and no more of it is in memory than the pieces that go on.

    :raise Undecodable: nothing here can read the file
    """
    file.seek(0)
    kind = looks_like(file.read(HEAD))
    for decoder in decoders(kind):
        with ExitStack() as stack:
            try:
                sound = decoder(file, stack, _PATIENCE)
            except Undecodable:
                continue
            yield from _sounds(sound, pieces)
            return
    raise Undecodable(kind or 'unknown')


def _sounds(sound, pieces: Sequence[Piece]) -> Iterator[tuple[int, bytes]]:
    width, rate = 2 * sound.channels, sound.rate
    waiting = {number: [piece, bytearray()] for number, piece in enumerate(pieces)}
    place, rest = 0, b''
    try:
        for block in sound.blocks:
            data = rest + block
            whole = len(data) - len(data) % width
            samples, rest = array('h', data[:whole]), data[whole:]
            begin, place = place, place + whole // width
            for number, (piece, kept) in list(waiting.items()):
                for start, end in piece.stretches:
                    first, last = max(int(start * rate), begin), min(int(end * rate), place)
                    if first < last:
                        kept += _channel(
                            samples, piece.channel, sound.channels, first - begin, last - begin
                        )
                if int(piece.stretches[-1][1] * rate) <= place:
                    del waiting[number]
                    yield number, _wav(kept, rate)
    except Undecodable:  # it breaks off: what was read is what there is
        pass
    for number, (_piece, kept) in waiting.items():
        yield number, _wav(kept, rate)


def _channel(samples: array, channel: int, channels: int, first: int, last: int) -> bytes:
    part = samples[first * channels : last * channels]
    # of one channel, or of two that hold the same, the first is all
    return part[0 if channel == BOTH else channel :: channels].tobytes()


def _wav(samples: bytes, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, 'wb') as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(bytes(samples))
    return file.getvalue()
