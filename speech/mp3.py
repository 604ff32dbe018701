"""How long an MP3 is, from the headers of its frames: exact for a variable bit rate too, and no
decoder is needed."""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

HEADER = 4
_MOST = 2_000_000  # frames: half a day at the least
# Layer III, by the index in the header: of MPEG 1, and of MPEG 2 and 2.5.
_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)
# How often the rate is halved, by the version in the header: MPEG 1, 2, 2.5.
_HALVED = {3: 0, 2: 1, 0: 2}


class Frame(NamedTuple):
    """What the header of a frame says; `length` is in bytes, with the header."""

    length: int
    samples: int
    rate: int
    channels: int


class Mp3(NamedTuple):
    """What the frames of a file say. `told` are the seconds that its first frame promises, 0 if it
    promises none."""

    channels: int
    rate: int
    seconds: float
    told: float


def frame(head: bytes) -> Frame | None:
    """Return what the first four bytes of a frame say, None if they are no header of one."""
    if len(head) < HEADER or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    halved = _HALVED.get(head[1] >> 3 & 3)
    speed, pitch = head[2] >> 4, head[2] >> 2 & 3
    if halved is None or not 0 < speed < 15 or pitch == 3:
        return None
    rate = _RATES[pitch] >> halved
    kbps, samples = (_LOW_KBPS, 576) if halved else (_KBPS, 1152)
    length = samples * 125 * kbps[speed] // rate + (head[2] >> 1 & 1)
    return Frame(length, samples, rate, 1 if head[3] >> 6 == 3 else 2)


def measure(file: BinaryIO) -> Mp3 | None:
    """Return what the whole frames of an MP3 say, from its first to the first that is broken or
    incomplete. None if it begins with no frame, or has too many to be a call."""
    file.seek(0)
    tag = file.read(10)
    file.seek(_tag_length(tag))
    first, count, promised = None, 0, None
    while found := frame(head := file.read(HEADER)):
        body = file.read(found.length - HEADER)
        if len(head) + len(body) < found.length:
            break
        if first is None:
            first, promised = found, _promised(body)
            if promised is not None:
                continue  # a frame that only says what follows has no sound
        count += 1
        if count > _MOST:
            return None
    if first is None:
        return None
    of_frame = first.samples / first.rate
    return Mp3(first.channels, first.rate, count * of_frame, (promised or 0) * of_frame)


def _tag_length(head: bytes) -> int:
    """Bytes of the ID3 tag before the frames: its length has seven bits in each byte."""
    if len(head) < 10 or head[:3] != b'ID3':
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length + (10 if head[5] & 0x10 else 0)


def _promised(body: bytes) -> int | None:
    """How many frames a first frame promises to follow: 0 if it does not count them, None if it is
    a frame of sound."""
    for mark in (b'Xing', b'Info'):
        place = body.find(mark, 0, 40)
        if place >= 0 and len(body) >= place + 12:
            flags, count = struct.unpack_from('>II', body, place + 4)
            return count if flags & 1 else 0
    return None
