"""What a recording holds: who speaks when, its waveform, and what is wrong with it.

Of the samples two numbers are kept for every channel and 20 ms: the energy (the sum of squares) and
the peak. They are whole numbers, so that numpy and plain Python give the same, and all the rest
follows from them.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from operator import mul
from typing import BinaryIO

from . import capabilities, mp3
from .decode import CODED_SLACK, Sound, Undecodable, decoders
from .kinds import HEAD, looks_like

QUALITIES = ('ok', 'one_sided', 'silent', 'truncated', 'dual_mono', 'unreadable')
POINTS = 1000  # of the waveform, for each channel

# Voice is what is louder by this than the quiet fifth of its channel, and louder than the least.
_QUIET, _ABOVE, _LEAST = 0.20, 10 ** (12 / 10), 10 ** (-50 / 10)  # 12 dB, -50 dBFS
_FULL = 1 << 15
_PER_SECOND = 50  # frames of 20 ms
_PAUSE, _SHORTEST = 0.3, 0.12  # seconds within a turn, and of a turn

_HEAD_ONLY = 44  # bytes: a WAV file without sound
_ONE_SIDED = 0.02  # of the time
_DUAL_MONO = 0.01  # of the energy
# Energies of so many frames are 40 MB: eleven hours of two channels.
_FRAMES = 4_000_000


@dataclass(frozen=True)
class Probe:
    """What was found in a recording.

    :param mimetype: by its bytes, '' if they are of no known kind
    :param channels: 1 if both channels of the file hold the same (quality `dual_mono`); 0 if unknown
    :param rate: samples a second
    :param seconds: measured, not what the file or the PBX says
    :param peaks: 1000 points of all of the first channel, then of the next; 0 to 255. Empty if
        unreadable
    :param turns: for each channel when somebody speaks, as (start, end) in seconds
    :param decoder: wave, soundfile, ffmpeg, or '' if none could read it
    """

    mimetype: str = ''
    quality: str = 'unreadable'
    channels: int = 0
    rate: int = 0
    seconds: float = 0.0
    peaks: bytes = b''
    turns: tuple[tuple[tuple[float, float], ...], ...] = ()
    decoder: str = ''


def probe(
    path_or_file: str | os.PathLike | BinaryIO,
    told_seconds: float | None = None,
    most_seconds: float = 10.0,
    most_bytes: int = 256 << 20,
) -> Probe:
    """Return what a recording holds. Whatever is in the file, nothing is raised: what cannot be
    read, is larger or takes longer is `unreadable`, and may be playable all the same.

    :param path_or_file: a path, or a binary file that can seek; it is left open
    :param told_seconds: how long the PBX says it is; much less is `truncated`
    :param most_seconds: of CPU time
    """
    until = time.thread_time() + most_seconds
    with ExitStack() as stack:
        file = (
            path_or_file
            if hasattr(path_or_file, 'read')
            else stack.enter_context(open(path_or_file, 'rb'))
        )
        file.seek(0, os.SEEK_END)
        size = file.tell()
        file.seek(0)
        mimetype = looks_like(file.read(HEAD))
        if size <= _HEAD_ONLY and (not mimetype or mimetype.startswith('audio/')):
            return Probe(mimetype, 'silent')
        found = Probe(mimetype)
        if size > most_bytes:
            return found
        told = told_seconds or 0.0
        least = told - max(3.0, told / 10)
        if mimetype == 'audio/mpeg' and (frames := mp3.measure(file)):
            found = replace(
                found, channels=frames.channels, rate=frames.rate, seconds=frames.seconds
            )
            least = max(least, frames.told - CODED_SLACK)
        for decoder in decoders(mimetype):
            try:
                sound = decoder(file, stack, most_seconds)
                meter = _Meter(sound)
                is_whole = meter.read(sound.blocks, until)
            except Undecodable:
                continue
            except _TooMuch:
                break
            is_cut = not is_whole or meter.seconds < max(least, sound.least)
            return _judged(found, sound, meter, is_cut)
        return found


class _TooMuch(Exception):
    """Raised when a sound is longer, or takes longer, than may be."""


class _Meter:
    """Adds up a sound block by block."""

    def __init__(self, sound: Sound):
        self.rate, self.channels = sound.rate, sound.channels
        self.frame = sound.rate // _PER_SECOND  # samples of a channel
        self.energies = [array('Q') for _channel in range(sound.channels)]
        self.peaks = [array('H') for _channel in range(sound.channels)]
        self.shared = 0  # energy that two channels have in common
        self.samples = 0

    @property
    def seconds(self) -> float:
        return round(self.samples / self.rate, 3)

    def read(self, blocks: Iterable[bytes], until: float) -> bool:
        """Add a whole sound, and return False if it breaks off. Raises _TooMuch when this thread
        has used more CPU time than `until`, and Undecodable when nothing could be read."""
        add = self._add_by_numpy if capabilities.part('numpy') else self._add
        width = 2 * self.channels
        rest = b''
        try:
            for block in blocks:
                data = rest + block
                whole = len(data) - len(data) % (width * self.frame)
                add(data[:whole])
                rest = data[whole:]
                self.samples += len(block) // width
                if time.thread_time() > until or len(self.peaks[0]) * self.channels > _FRAMES:
                    raise _TooMuch
        except Undecodable:
            if not self.samples:
                raise
            return False
        return True

    def _add(self, data: bytes) -> None:
        samples = array('h', data)
        sides = [samples[channel :: self.channels].tolist() for channel in range(self.channels)]
        for side, energies, peaks in zip(sides, self.energies, self.peaks):
            for start in range(0, len(side), self.frame):
                frame = side[start : start + self.frame]
                energies.append(sum(map(mul, frame, frame)))
                peaks.append(max(max(frame), -min(frame)))
        if self.channels == 2:
            self.shared += sum(map(mul, *sides))

    def _add_by_numpy(self, data: bytes) -> None:
        numpy = capabilities.part('numpy')
        samples = numpy.frombuffer(data, 'int16')
        sides = [samples[channel :: self.channels].copy() for channel in range(self.channels)]
        # floats hold sums of that many squares exactly
        floats = [side.astype('float64') for side in sides]
        for channel, side in enumerate(sides):
            frames, squares = side.reshape(-1, self.frame), floats[channel].reshape(-1, self.frame)
            energies = numpy.einsum('fs,fs->f', squares, squares).astype('uint64')
            peaks = numpy.maximum(frames.max(axis=1), -frames.min(axis=1).astype('int32'))
            self.energies[channel].frombytes(energies.tobytes())
            self.peaks[channel].frombytes(peaks.astype('uint16').tobytes())
        if self.channels == 2:
            self.shared += int(numpy.dot(*floats))

    def is_dual_mono(self) -> bool:
        """Both channels hold the same: what tells them apart has no energy to speak of."""
        whole = sum(map(sum, self.energies))
        return self.channels == 2 and whole - 2 * self.shared < _DUAL_MONO * whole


def _judged(found: Probe, sound: Sound, meter: _Meter, is_cut: bool) -> Probe:
    is_dual = meter.is_dual_mono()
    channels = 1 if is_dual else sound.channels
    turns = tuple(
        _turns(energies, meter.frame, meter.rate) for energies in meter.energies[:channels]
    )
    shares = [sum(end - start for start, end in side) / (meter.seconds or 1) for side in turns]
    if not meter.samples:
        quality = 'silent'
    elif is_cut:
        quality = 'truncated'
    elif not any(shares):
        quality = 'silent'
    elif is_dual:
        quality = 'dual_mono'
    elif channels == 2 and (not all(shares) or min(shares) < _ONE_SIDED <= max(shares)):
        quality = 'one_sided'
    else:
        quality = 'ok'
    return replace(
        found,
        quality=quality,
        channels=channels,
        rate=sound.rate,
        seconds=meter.seconds,
        peaks=b''.join(map(_points, meter.peaks[:channels])),
        turns=turns,
        decoder=sound.decoder,
    )


def _turns(energies: Sequence[int], frame: int, rate: int) -> tuple[tuple[float, float], ...]:
    """When somebody speaks on a channel, by the energies of its frames of so many samples."""
    quiet = sorted(energies)[int(_QUIET * len(energies))] if energies else 0
    least = max(quiet * _ABOVE, frame * _FULL**2 * _LEAST)
    turns = []
    for place in (place for place, energy in enumerate(energies) if energy > least):
        if turns and (place - turns[-1][1]) * frame <= _PAUSE * rate:
            turns[-1][1] = place + 1
        else:
            turns.append([place, place + 1])
    return tuple(
        (round(start * frame / rate, 3), round(end * frame / rate, 3))
        for start, end in turns
        if (end - start) * frame >= _SHORTEST * rate
    )


def _points(peaks: Sequence[int]) -> bytes:
    """The waveform of a channel; a short one has points that repeat."""
    count = len(peaks)
    if not count:
        return bytes(POINTS)
    cuts = [point * count // POINTS for point in range(POINTS + 1)]
    return bytes(
        min(255, max(peaks[start : max(end, start + 1)]) >> 7) for start, end in zip(cuts, cuts[1:])
    )
