"""R6: what is found in a recording, as a share of the time that the talk took.

The floor decodes the same file and looks at each sample once, in plain Python.
"""

import io
import time
import wave
from array import array
from contextlib import ExitStack
from unittest.mock import patch

from ..setup.console import phase
from ..simulate import sound
from .addon.speech import audio, capabilities, decode
from .sizes import Size
from .table import Pair, Row

PART = 20  # seconds that are made; a longer talk repeats them
PLAIN, ALL = (), ('numpy', 'soundfile')
# What is read, with which optional parts, and how much of the time it may take.
WAYS = (
    ('WAV', 'PCM_16', PLAIN, 2),
    ('WAV', 'PCM_16', ('numpy',), 1),
    ('FLAC', 'PCM_16', ALL, 1),
    ('MP3', 'MPEG_LAYER_III', ALL, 1),
)


def measure(size: Size) -> list[Row]:
    with phase(f'R6: what is in {size.talk} seconds of two channels'):
        samples = _talk(size.talk)
        return [_row(size, samples, *way) for way in WAYS]


def _row(size: Size, samples: bytes, form: str, coding: str, names: tuple, most: float) -> Row:
    what = f'{form}, {" and ".join(names) or "plain Python"}: share of the time of the talk'
    parts = {name: capabilities.part(name) for name in names}
    if gone := [name for name, part in parts.items() if not part]:
        return Row('R6', what, '', f'not installed: {", ".join(gone)}')
    with patch.object(capabilities, 'part', parts.get):
        file = _file(samples, form, coding)
        pair = Pair()
        for _turn in range(size.rounds):
            pair.add(*(100 * _cpu(work, file) / size.talk for work in (_look, audio.probe)))
    row = pair.row('R6', what, '%')
    share = sorted(pair.ours)[len(pair.ours) // 2]
    return row._replace(goal=f'<= {most} %', met=share <= most)


def _cpu(work, file) -> float:
    begin = time.process_time()
    work(file)
    return time.process_time() - begin


def _look(file: io.BytesIO) -> None:
    file.seek(0)
    mimetype = audio.looks_like(file.read(audio.HEAD))
    with ExitStack() as stack:
        for block in decode.decoders(mimetype)[0](file, stack, 60).blocks:
            max(array('h', block))


def _talk(seconds: int) -> bytes:
    """Two channels of 16 bits, on which two voices take turns."""
    with wave.open(io.BytesIO(sound.conversation(PART, 'talk'))) as file:
        part = array('h', ((byte - 128) << 8 for byte in file.readframes(PART * sound.RATE)))
    return (part * (seconds // PART + 1))[: 2 * seconds * sound.RATE].tobytes()


def _file(samples: bytes, form: str, coding: str) -> io.BytesIO:
    file = io.BytesIO()
    if form == 'WAV':
        with wave.open(file, 'wb') as made:
            made.setnchannels(2)
            made.setsampwidth(2)
            made.setframerate(sound.RATE)
            made.writeframes(samples)
    else:
        with capabilities.part('soundfile').SoundFile(
            file, 'w', sound.RATE, 2, format=form, subtype=coding
        ) as made:
            made.buffer_write(samples, 'int16')
    return file
