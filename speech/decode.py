"""The samples of a sound file, with the first decoder that can read it: our own reader of WAV, then
soundfile, then ffmpeg.

WAV is read here and not by the standard module `wave`, because that refuses the µ-law and A-law of
telephones and says nothing of a file that is shorter than its head promises.
"""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from . import capabilities

BLOCK = 1 << 16  # bytes
# What a decoder is believed: nothing else is the sound of a call.
CHANNELS, RATES = range(1, 9), range(1000, 384_001)
# Seconds that a whole file may lack: of WAV, and of a coding that leaves out some at both ends.
_SLACK, CODED_SLACK = 0.05, 0.5
# A head with more says that whoever wrote it did not know the length yet, as does one with 0.
_UNKNOWN = 0x7FFF_0000
_CHUNKS = 1000
_EXTENSIBLE = 0xFFFE
# ffmpeg opens nothing but sound: a playlist would make it read other files of the server.
_FFMPEG_FORMATS = 'aac,aiff,amr,au,flac,gsm,mov,mp3,ogg,wav'
_FFMPEG_BYTES = 1 << 30  # of decoded sound, on disk


class Undecodable(Exception):
    """Raised when a decoder cannot read a file."""


class Sound(NamedTuple):
    """A sound whose samples are still to be read.

    :param blocks: gives bytes of 16-bit samples in the machine's order, the channels' side by side.
        May raise Undecodable, if the file breaks off
    :param least: seconds that the file holds if it is whole, by what it says; 0 if it does not say
    """

    decoder: str
    channels: int
    rate: int
    least: float
    blocks: Iterator[bytes]


def decoders(mimetype: str) -> list[Callable[[BinaryIO, ExitStack, float], Sound]]:
    """Return the decoders that may read such a file, best first. Each takes the file, a stack that
    closes what the decoder opens, and seconds that it may take, and raises Undecodable."""
    if not mimetype.startswith('audio/'):
        return []
    found = [_by_wave] if mimetype == 'audio/wav' else []
    if capabilities.part('soundfile'):
        found.append(_by_soundfile)
    if capabilities.part('ffmpeg'):
        found.append(_by_ffmpeg)
    return found


# -- WAV


class _Wav(NamedTuple):
    """The head of a WAV file: where its sound begins, how many bytes of it there are, and how many
    the head promises (0 if it does not say)."""

    coding: int
    channels: int
    rate: int
    bits: int
    begin: int
    length: int
    promised: int


def _wav(file: BinaryIO) -> _Wav:
    size = file.seek(0, 2) or file.tell()
    file.seek(12)
    form = b''
    for _chunk in range(_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = struct.unpack('<4sI', head)
        begin = file.tell()
        if name == b'fmt ':
            form = file.read(min(length, 26))
        elif name == b'data' and len(form) >= 16:
            coding, channels, rate, _bytes, _align, bits = struct.unpack_from('<HHIIHH', form)
            if coding == _EXTENSIBLE and len(form) == 26:
                (coding,) = struct.unpack_from('<H', form, 24)
            left = size - begin
            promised = length if 0 < length < _UNKNOWN else 0
            return _Wav(coding, channels, rate, bits, begin, min(left, promised or left), promised)
        file.seek(begin + length + length % 2)
    raise Undecodable('no sound in this WAV file')


def _by_wave(file: BinaryIO, _stack: ExitStack, _seconds: float) -> Sound:
    wav = _wav(file)
    halves = _HALVES.get((wav.coding, wav.bits))
    if not halves or wav.channels not in CHANNELS or wav.rate not in RATES:
        raise Undecodable(f'WAV coding {wav.coding} with {wav.bits} bits')
    width = wav.channels * wav.bits // 8

    def blocks() -> Iterator[bytes]:
        file.seek(wav.begin)
        left = wav.length // width * width
        while data := file.read(min(left, BLOCK // width * width)):
            left -= len(data)
            low, high = halves(data)
            samples = bytearray(2 * len(high))
            samples[_LOW::2], samples[_HIGH::2] = low, high
            yield bytes(samples)

    least = wav.promised / width / wav.rate - _SLACK
    return Sound('wave', wav.channels, wav.rate, least, blocks())


_LOW, _HIGH = (0, 1) if sys.byteorder == 'little' else (1, 0)


def _mu_law(byte: int) -> int:
    """The sample of a µ-law byte (G.711)."""
    byte ^= 0xFF
    size = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 7)) - 0x84
    return -size if byte & 0x80 else size


def _a_law(byte: int) -> int:
    """The sample of an A-law byte (G.711)."""
    byte ^= 0x55
    segment = byte >> 4 & 7
    size = ((byte & 0x0F) << 4) + (0x108 if segment else 8) << max(segment - 1, 0)
    return size if byte & 0x80 else -size


def _by_table(sample: Callable[[int], int]) -> Callable[[bytes], tuple[bytes, bytes]]:
    words = [struct.pack('<h', sample(byte)) for byte in range(256)]
    low, high = (bytes(word[half] for word in words) for half in (0, 1))
    return lambda data: (data.translate(low), data.translate(high))


# The low and the high bytes of 16-bit samples, by coding and bits of a WAV file.
_HALVES: dict[tuple[int, int], Callable[[bytes], tuple[bytes, bytes]]] = {
    (1, 8): _by_table(lambda byte: (byte - 128) << 8),
    (1, 16): lambda data: (data[0::2], data[1::2]),
    (1, 24): lambda data: (data[1::3], data[2::3]),
    (1, 32): lambda data: (data[2::4], data[3::4]),
    (6, 8): _by_table(_a_law),
    (7, 8): _by_table(_mu_law),
}


# -- all the rest


def _by_soundfile(file: BinaryIO, stack: ExitStack, _seconds: float) -> Sound:
    file.seek(0)
    head = file.read(4)
    # sound of this coding has no head that would say so
    raw = {'format': 'RAW', 'subtype': 'GSM610', 'samplerate': 8000, 'channels': 1}
    promised = 1.0 if head == b'fLaC' else 0.0
    if head == b'RIFF':
        wav = _wav(file)
        promised = wav.promised / wav.length if wav.length else 0.0
    file.seek(0)
    try:
        sound = stack.enter_context(
            capabilities.part('soundfile').SoundFile(file, **(raw if head[0] >> 4 == 0xD else {}))
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise Undecodable(str(error)) from error
    if sound.channels not in CHANNELS or sound.samplerate not in RATES:
        raise Undecodable(f'{sound.channels} channels at {sound.samplerate} Hz')

    def blocks() -> Iterator[bytes]:
        width = 2 * sound.channels
        buffer = bytearray(BLOCK // width * width)
        try:
            while count := sound.buffer_read_into(buffer, 'int16'):
                yield bytes(buffer[: count * width])
        except (RuntimeError, ValueError) as error:
            raise Undecodable(str(error)) from error

    least = promised * sound.frames / sound.samplerate - CODED_SLACK
    return Sound('soundfile', sound.channels, sound.samplerate, least, blocks())


def _by_ffmpeg(file: BinaryIO, stack: ExitStack, seconds: float) -> Sound:
    """ffmpeg makes a WAV file beside, so that what it is given and what it gives can be as long as
    they are, and a time limit needs no thread."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    given, made = folder / 'given', folder / 'made.wav'
    file.seek(0)
    with given.open('wb') as copy:
        shutil.copyfileobj(file, copy)
    before = ('-nostdin', '-v', 'error', '-threads', '1', '-timelimit', str(math.ceil(seconds)))
    safely = ('-protocol_whitelist', 'file,pipe', '-format_whitelist', _FFMPEG_FORMATS)
    wanted = ('-map', '0:a:0', '-c:a', 'pcm_s16le', '-fs', str(_FFMPEG_BYTES), '-f', 'wav')
    try:
        subprocess.run(  # noqa: S603 - our own words, and files that we named
            (capabilities.part('ffmpeg'), *before, *safely, '-i', given, *wanted, made),
            check=True,
            timeout=3 * seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        sound = _by_wave(stack.enter_context(made.open('rb')), stack, seconds)
    except (OSError, subprocess.SubprocessError) as error:
        raise Undecodable(str(error)) from error
    if made.stat().st_size >= _FFMPEG_BYTES:
        raise Undecodable('too long')
    return sound._replace(decoder='ffmpeg', least=0.0)
