"""What is found in a recording, however it was coded and whatever is wrong with it."""

import io
import json
import math
import random
import struct
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from ..speech import audio, capabilities, mp3
from ..speech.audio import probe
from ..speech.decode import decoders
from ..speech.kinds import looks_like
from .provider_case import PROPERTY

SOUNDS = Path(__file__).parent / 'sounds'
# When somebody speaks in tests/sounds, for each channel.
SPOKEN = {
    'ru': (((1.84, 4.5),), ((0.0, 2.59),)),
    'en': (((0.0, 1.84),), ((2.29, 4.0),)),
    'kk': (((0.0, 1.68),), ((2.13, 3.5),)),
}
RATE = 8000
TALK = (((0.5, 2.0), (4.0, 5.5)), ((2.2, 3.8), (5.7, 6.5)))
SECONDS = 7.0
PCM, A_LAW, MU_LAW = 1, 6, 7
PARTS = {name: capabilities.part(name) for name in ('numpy', 'soundfile', 'ffmpeg')}


@contextmanager
def having(*names, **instead):
    """Only these optional parts are installed."""
    parts = {name: PARTS[name] for name in names} | instead
    with patch.object(capabilities, 'part', parts.get):
        yield


def needs(*names):
    gone = [name for name in names if not PARTS[name]]
    return unittest.skipIf(gone, f"NOT TESTED: {' and '.join(gone)} not installed")


# --- sounds that are made here


@cache
def voice(turns, seconds=SECONDS, rate=RATE, pitch=140, noise=0.0008, seed=1):
    """One side of a talk: a voice that swells and fades, and the noise of a line."""
    rng = random.Random(seed)
    samples = [rng.gauss(0, noise) for _sample in range(round(seconds * rate))]
    for start, end in turns:
        for place in range(round(start * rate), round(end * rate)):
            at = place / rate
            swell = 0.2 + 0.12 * math.sin(8 * math.pi * at)
            samples[place] += swell * (
                math.sin(2 * math.pi * pitch * at) + 0.5 * math.sin(4 * math.pi * pitch * at)
            )
    return tuple(samples)


@cache
def talk(rate=RATE):
    return voice(TALK[0], rate=rate), voice(TALK[1], rate=rate, pitch=200, seed=2)


def mu_law(sample):
    size = min(abs(sample), 32635) + 0x84
    segment = size.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | segment << 4 | size >> segment + 3 & 0x0F) & 0xFF


def a_law(sample):
    size = min(max(sample, -1 - sample), 32767)
    segment = max(size.bit_length() - 8, 0)
    part = size >> (segment + 3 if segment else 4) & 0x0F
    return ((0x80 if sample >= 0 else 0) | segment << 4 | part) ^ 0x55


def coded(sides, coding=PCM, bits=16):
    """The samples of all sides (-1 to 1), as a WAV file holds them."""
    whole = [max(-32768, min(32767, round(sample * 32767))) for sample in interleaved(sides)]
    if coding != PCM:
        law = cache(a_law if coding == A_LAW else mu_law)
        return bytes(law(sample) for sample in whole)
    if bits == 8:
        return bytes((sample >> 8) + 128 for sample in whole)
    if bits == 16:
        return struct.pack(f'<{len(whole)}h', *whole)
    wide = b''.join(struct.pack('<i', sample << 16) for sample in whole)
    if bits == 32:
        return wide
    return b''.join(wide[place + 1 : place + 4] for place in range(0, len(wide), 4))


def interleaved(sides):
    return [sample for moment in zip(*sides) for sample in moment]


def head(length, channels=2, rate=RATE, coding=PCM, bits=16, before=b''):
    width = channels * bits // 8
    form = struct.pack(
        '<HHIIHH', coding, channels & 0xFFFF, rate, rate * width & 0xFFFFFFFF, width & 0xFFFF, bits
    )
    chunks = before + b'fmt ' + struct.pack('<I', len(form)) + form
    size = min(4 + len(chunks) + 8 + length, 0xFFFFFFFF)
    return (
        b'RIFF' + struct.pack('<I', size) + b'WAVE' + chunks + b'data' + struct.pack('<I', length)
    )


@cache
def wav(sides, rate=RATE, coding=PCM, bits=16):
    data = coded(sides, coding, bits)
    return head(len(data), len(sides), rate, coding, bits) + data


def probed(content, **limits):
    return probe(io.BytesIO(content), **limits)


def mp3_frames(count, promised=None, tag=b''):
    """MPEG 2.5, 8 kbit/s, 8 kHz, mono, without sound: 72 ms and 72 bytes a frame."""
    mark = b'\xff\xe3\x18\xc0'
    first = b''
    if promised is not None:
        first = (mark + bytes(9) + b'Xing' + struct.pack('>II', 1, promised)).ljust(72, b'\0')
    return tag + first + count * mark.ljust(72, b'\0')


@tagged('post_install', '-at_install', 'crm_telephony')
class TestSound(BaseCase):
    def speaks(self, found, expected, within=0.06):
        self.assertEqual([len(side) for side in found.turns], [len(side) for side in expected])
        for side, wanted in zip(found.turns, expected):
            for turn, truth in zip(side, wanted):
                self.assertAlmostEqual(turn[0], truth[0], delta=within)
                self.assertAlmostEqual(turn[1], truth[1], delta=within)

    def is_the_talk(self, found, decoder, seconds=SECONDS, within=0.06):
        self.assertEqual(
            (found.quality, found.channels, found.decoder), ('ok', 2, decoder), str(found)[:200]
        )
        self.assertAlmostEqual(found.seconds, seconds, delta=0.2)
        self.speaks(found, TALK, within)

    # --- every way to code it

    def test_wav(self):
        for coding, bits in ((PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (A_LAW, 8), (MU_LAW, 8)):
            with self.subTest(coding=coding, bits=bits), having():
                found = probed(wav(talk(), coding=coding, bits=bits))
                self.is_the_talk(found, 'wave')
                self.assertEqual(
                    (found.mimetype, found.rate, found.seconds), ('audio/wav', RATE, SECONDS)
                )

    def test_rates(self):
        """Frames of 20 ms are no whole number of samples at each rate."""
        for rate in (11025, 16000):
            with self.subTest(rate), having():
                found = probed(wav(talk(rate), rate))
                self.is_the_talk(found, 'wave')
                self.assertEqual(found.rate, rate)

    def test_telephone_coding(self):
        """The ends and the middle of the tables of G.711."""
        for coding, given_bytes, samples in (
            (MU_LAW, b'\x00\x80\x7f\xff\x8f\x0f', (-32124, 32124, 0, 0, 16764, -16764)),
            (A_LAW, b'\x2a\xaa\x55\xd5\x80\x00', (-32256, 32256, -8, 8, 5504, -5504)),
        ):
            content = head(6, 1, coding=coding, bits=8) + given_bytes
            with ExitStack() as stack:
                sound = decoders('audio/wav')[0](io.BytesIO(content), stack, 1)
                self.assertEqual(struct.unpack('=6h', b''.join(sound.blocks)), samples)

    def test_extensible_and_chunks_in_between(self):
        data = coded(talk())
        form = struct.pack('<HHIIHH', 0xFFFE, 2, RATE, 4 * RATE, 4, 16)
        form += struct.pack('<HHIH', 22, 16, 3, PCM) + bytes(14)
        content = b'RIFF\0\0\0\0WAVELIST' + struct.pack('<I', 5) + b'odd!!\0'
        content += b'fmt ' + struct.pack('<I', len(form)) + form
        content += b'data' + struct.pack('<I', len(data)) + data + b'LIST\x04\0\0\0tail'
        self.is_the_talk(probed(content), 'wave')

    @needs('soundfile')
    def test_coded_by_soundfile(self):
        for form, coding, within in (
            ('FLAC', 'PCM_16', 0.06),
            ('WAV', 'FLOAT', 0.06),
            ('OGG', 'VORBIS', 0.1),
            ('OGG', 'OPUS', 0.1),
            ('MP3', 'MPEG_LAYER_III', 0.2),  # an encoder's delay
        ):
            with self.subTest(form, coding=coding), having('soundfile'):
                content = self.by_soundfile(talk(), form, coding)
                self.is_the_talk(probed(content), 'soundfile', within=within)

    @needs('soundfile')
    def test_gsm(self):
        """One channel only, with a WAV head or with none."""
        for form in ('WAV', 'RAW'):
            with self.subTest(form), having('soundfile'):
                found = probed(self.by_soundfile(talk()[:1], form, 'GSM610'))
                self.assertEqual((found.quality, found.channels), ('ok', 1))
                self.assertEqual(found.decoder, 'soundfile')
                self.speaks(found, TALK[:1], 0.1)

    @needs('soundfile')
    def test_cut_by_whatever_reads_it(self):
        for form, coding in (('FLAC', 'PCM_16'), ('MP3', 'MPEG_LAYER_III'), ('WAV', 'GSM610')):
            with self.subTest(form, coding=coding), having('soundfile'):
                sides = talk() if coding != 'GSM610' else talk()[:1]
                content = self.by_soundfile(sides, form, coding)
                found = probed(content[: len(content) // 2])
                self.assertEqual(found.quality, 'truncated')
                self.assertTrue(1 < found.seconds < 5, found.seconds)

    def by_soundfile(self, sides, form, coding):
        made = io.BytesIO()
        with PARTS['soundfile'].SoundFile(
            made, 'w', RATE, len(sides), format=form, subtype=coding
        ) as sound:
            sound.buffer_write(coded(sides), 'int16')
        return made.getvalue()

    @needs('soundfile')
    def test_decoders_agree(self):
        """Our reader of WAV gives the samples that the library gives."""
        for coding, bits in ((PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (A_LAW, 8), (MU_LAW, 8)):
            with self.subTest(coding=coding, bits=bits), having('soundfile'), ExitStack() as stack:
                content = wav(talk(), coding=coding, bits=bits)
                ours, theirs = (
                    b''.join(decoder(io.BytesIO(content), stack, 1).blocks)
                    for decoder in decoders('audio/wav')
                )
                self.assertEqual(ours, theirs)

    @needs('numpy')
    def test_numpy_only_makes_it_faster(self):
        contents = [wav(talk()), wav(talk(11025)[:1], 11025), head(0), wav(talk())[:9999]]
        contents += [file.read_bytes() for file in SOUNDS.glob('*.wav')]
        for content in contents:
            with having():
                plain = probed(content)
            with having('numpy'):
                self.assertEqual(probed(content), plain)

    @needs('ffmpeg')
    def test_ffmpeg(self):
        with having('ffmpeg'):
            flac = bytearray(wav(talk()))
            flac[20:22] = struct.pack('<H', 0x11)  # no coding that we read, nor ffmpeg at this size
            self.assertEqual(probed(bytes(flac)).quality, 'unreadable')
            if PARTS['soundfile']:
                content = self.by_soundfile(talk(), 'FLAC', 'PCM_16')
                self.is_the_talk(probed(content), 'ffmpeg')

    # --- the ladder

    def test_program_makes_a_wav(self):
        """A stand-in for ffmpeg, asked for what nothing else can read."""
        with self.program(f'out.write_bytes({wav(talk())!r})'):
            self.is_the_talk(probed(b'\0\0\0\x20ftypM4A ' + bytes(100)), 'ffmpeg')

    def test_program_that_fails(self):
        for does in ('sys.exit(1)', 'pass', "out.write_bytes(b'nothing')"):
            with self.subTest(does), self.program(does):
                found = probed(b'\0\0\0\x20ftypM4A ' + bytes(100))
                self.assertEqual((found.quality, found.mimetype), ('unreadable', 'audio/mp4'))

    def test_program_that_hangs(self):
        begin = time.monotonic()
        with self.program('import time; time.sleep(60)'):
            found = probed(b'\0\0\0\x20ftypM4A ' + bytes(100), most_seconds=0.1)
        self.assertEqual(found.quality, 'unreadable')
        self.assertLess(time.monotonic() - begin, 30)

    def test_program_gets_nothing_but_sound(self):
        """A playlist would make it open other files of the server."""
        for content in (b'#EXTM3U\nfile:///etc/passwd\n' * 9, b'ffconcat version 1.0\n' * 9):
            with self.program(f'out.write_bytes({wav(talk())!r})'):
                self.assertEqual(probed(content).quality, 'unreadable')

    @contextmanager
    def program(self, does):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / 'ffmpeg'
            file.write_text(
                f'#!{sys.executable}\nimport sys\nfrom pathlib import Path\n'
                f'out = Path(sys.argv[-1])\n{does}\n'
            )
            file.chmod(0o700)
            with having(ffmpeg=str(file)):
                yield

    # --- what is in it

    def test_spoken(self):
        """Synthetic voices with words, two channels in µ-law."""
        for name, turns in SPOKEN.items():
            with self.subTest(name), having():
                found = probe(SOUNDS / f'{name}.wav')
                self.assertEqual((found.quality, found.channels, found.rate), ('ok', 2, RATE))
                for side, [(start, end)] in zip(found.turns, turns):
                    self.assertAlmostEqual(side[0][0], start, delta=0.35)
                    self.assertAlmostEqual(side[-1][1], end, delta=0.6)

    def test_waveform(self):
        found = probed(wav(talk()))
        self.assertEqual(len(found.peaks), 2000)
        first, second = found.peaks[:1000], found.peaks[1000:]
        for side, turns in ((first, TALK[0]), (second, TALK[1])):
            for start, end in turns:
                voiced = side[
                    int((start + 0.1) / SECONDS * 1000) : int((end - 0.1) / SECONDS * 1000)
                ]
                self.assertTrue(10 < min(voiced) <= max(voiced) < 130)
            self.assertLess(max(side[: int(0.4 / SECONDS * 1000)]), 5)

    def test_waveform_reaches_from_0_to_255(self):
        loud = voice((), 3, noise=0)[:RATE] + tuple(math.sin(place) for place in range(2 * RATE))
        peaks = probed(wav((loud,))).peaks
        self.assertEqual((len(peaks), peaks[0], peaks[-1]), (1000, 0, 255))

    def test_path_and_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'talk.mp3'  # the name says nothing
            path.write_bytes(wav(talk()))
            found = probe(path)
            self.is_the_talk(found, 'wave')
            self.assertEqual(probe(str(path)), found)
            with path.open('rb') as file:
                file.seek(1000)
                self.assertEqual(probe(file), found)
                self.assertFalse(file.closed)
            with tempfile.SpooledTemporaryFile(4096) as spooled:
                spooled.write(path.read_bytes())
                self.assertEqual(probe(spooled), found)

    def test_one_side(self):
        still = voice((), seed=3)
        for sides in ((talk()[0], still), (still, talk()[0]), (talk()[0], (0.0,) * len(still))):
            found = probed(wav(sides))
            self.assertEqual((found.quality, found.channels), ('one_sided', 2))

    def test_a_word_is_no_side(self):
        """Less than 2 % of the time is a click or a neighbour, more is an answer."""
        turns = ((1, 6), (8, 12), (14, 19))
        for answer, quality in ((0.3, 'one_sided'), (0.6, 'ok')):
            sides = (voice(turns, 20), voice(((10, 10 + answer),), 20, seed=3))
            self.assertEqual(probed(wav(sides)).quality, quality)

    def test_few_words_of_both_are_a_talk(self):
        sides = (voice(((1, 1.3),), 20), voice(((2, 2.3),), 20, seed=3))
        self.assertEqual(probed(wav(sides)).quality, 'ok')

    def test_silent(self):
        nobody = {
            'noise': voice((), noise=0.02),
            'digital silence': (0.0,) * int(SECONDS * RATE),
            'a tone': tuple(0.3 * math.sin(place / 3) for place in range(int(SECONDS * RATE))),
            'clicks': tuple(0.9 if place % RATE < 40 else 0.0 for place in range(7 * RATE)),
        }
        for what, side in nobody.items():
            for sides in ((side,), (side, voice((), seed=4))):
                with self.subTest(what, channels=len(sides)):
                    found = probed(wav(sides))
                    self.assertEqual(found.quality, 'silent')
                    self.assertEqual(found.seconds, SECONDS)

    def test_dual_mono(self):
        side = talk()[0]
        for other in (side, tuple(0.95 * sample for sample in side)):
            found = probed(wav((side, other)))
            self.assertEqual((found.quality, found.channels), ('dual_mono', 1))
            self.assertEqual(len(found.peaks), 1000)
            self.speaks(found, TALK[:1])
        quieter = tuple(0.5 * sample for sample in side)
        self.assertEqual(probed(wav((side, quieter))).quality, 'ok')

    # --- what is wrong with it

    def test_nothing(self):
        for content in (b'', b'\0' * 44, head(0), head(0, before=b'fact\x04\0\0\0\0\0\0\0')):
            self.assertEqual(probed(content).quality, 'silent')

    def test_cut(self):
        content = wav(talk())
        found = probed(content[: len(content) // 2 + 1])  # within a sample
        self.assertEqual(found.quality, 'truncated')
        self.assertAlmostEqual(found.seconds, SECONDS / 2, delta=0.01)
        self.speaks(found, (TALK[0][:1], TALK[1][:1]), 0.35)
        for lost, quality in ((0.1, 'truncated'), (0.001, 'ok')):
            found = probed(content[: -round(lost * RATE) * 4])
            self.assertEqual(found.quality, quality)

    def test_shorter_than_told(self):
        content = wav(talk())
        for told, quality in ((7, 'ok'), (9.9, 'ok'), (10.1, 'truncated'), (3, 'ok'), (None, 'ok')):
            self.assertEqual(probed(content, told_seconds=told).quality, quality, told)

    def test_length_that_was_not_known_yet(self):
        """As a program writes it that does not know when the call ends, or was killed before."""
        data = coded(talk())
        for length in (0, 0x7FFFFFFF, 0xFFFFFFFF):
            found = probed(head(length) + data)
            self.is_the_talk(found, 'wave')

    def test_heads_that_lie(self):
        data = coded(talk())
        for lie in (
            {'channels': 0},
            {'channels': 65535},
            {'rate': 0},
            {'rate': 0xFFFFFFFF},
            {'bits': 0},
            {'bits': 13},
            {'coding': 0x55},
        ):
            with self.subTest(**lie), having():
                self.assertEqual(probed(head(len(data), **lie) + data).quality, 'unreadable')
            with having(*PARTS):  # which may believe it
                self.assertIn(
                    probed(head(len(data), **lie) + data).quality, ('ok', 'one_sided', 'unreadable')
                )
        for content in (
            b'RIFF\0\0\0\0WAVE' + bytes(5000),
            b'RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff' + bytes(100),
            b'RIFF\0\0\0\0WAVEdata\xff\0\0\0' + bytes(300),
        ):
            self.assertEqual(probed(content).quality, 'unreadable')

    def test_no_sound(self):
        for content, mimetype in (
            (b'PK\x03\x04' + bytes(500), 'application/zip'),
            (b'<!DOCTYPE html><html>Please log in' + bytes(50), 'text/html'),
            (b'{"status": "error", "message": "The recording is not ready"}', 'application/json'),
            (b'\0\0\0\x20ftypisom' + bytes(500), 'video/mp4'),
            (bytes(range(128, 256)) * 9, ''),
        ):
            found = probed(content)
            self.assertEqual((found.quality, found.mimetype), ('unreadable', mimetype))
            self.assertEqual((found.seconds, found.peaks, found.turns), (0, b'', ()))

    def test_too_large(self):
        content = wav(talk())
        self.assertEqual(probed(content, most_bytes=len(content)).quality, 'ok')
        found = probed(content, most_bytes=len(content) - 1)
        self.assertEqual((found.quality, found.mimetype), ('unreadable', 'audio/wav'))

    def test_too_long(self):
        """Three hours are given up when the time is up, and are read piece by piece."""
        length = 3 * 3600 * 2 * RATE
        reads = []

        class Watched(io.FileIO):
            def read(self, size=-1):
                reads.append(size)
                return super().read(size)

        with tempfile.NamedTemporaryFile() as file:
            file.write(head(length, 1))
            file.truncate(44 + length)
            begin = time.thread_time()
            with Watched(file.name) as watched:
                self.assertEqual(probe(watched, most_seconds=0.1).quality, 'unreadable')
        self.assertLess(time.thread_time() - begin, 2)
        self.assertTrue(0 < min(reads) <= max(reads) < 1 << 20)

    # --- MP3 without a decoder

    def test_mp3_length(self):
        for content in (
            mp3_frames(1000),
            mp3_frames(1000, promised=1000),
            mp3_frames(1000, tag=b'ID3\x04\0\0\0\0\x01\x02' + bytes(130)),
            mp3_frames(1000) + b'TAG'.ljust(128, b'\0'),
        ):
            with having():
                found = probed(content)
            self.assertEqual((found.mimetype, found.quality), ('audio/mpeg', 'unreadable'))
            self.assertEqual((found.channels, found.rate), (1, 8000))
            self.assertAlmostEqual(found.seconds, 72)

    def test_mp3_that_breaks_off(self):
        whole = mp3_frames(1000, promised=1000)
        found = mp3.measure(io.BytesIO(whole[: len(whole) // 2]))
        self.assertAlmostEqual(found.told, 72)
        self.assertAlmostEqual(found.seconds, 36, delta=0.1)
        self.assertIsNone(mp3.measure(io.BytesIO(bytes(1000))))

    @needs('soundfile')
    def test_mp3_length_is_that_of_the_sound(self):
        content = self.by_soundfile(talk(), 'MP3', 'MPEG_LAYER_III')
        self.assertAlmostEqual(mp3.measure(io.BytesIO(content)).seconds, SECONDS, delta=0.3)

    # --- kinds

    def test_looks_like(self):
        for first, mimetype in (
            (b'RIFF\x24\0\0\0WAVEfmt ', 'audio/wav'),
            (b'RIFF\x24\0\0\0AVI LIST', 'video/x-msvideo'),
            (b'ID3\x03\0\0\0\0\0\0', 'audio/mpeg'),
            (mp3_frames(10), 'audio/mpeg'),
            (b'\xff\xfb\x90\x64' + b'a sound of 417 bytes'.ljust(500), ''),  # nothing follows
            (b'\xff\xfe<\0h\0t\0m\0l\0', ''),  # a mark of UTF-16 is no MP3
            (b'\xff\xf1\x50\x80\x02\x1f\xfc', 'audio/aac'),
            (b'OggS\0\x02' + bytes(20) + b'\x01\x13OpusHead', 'audio/ogg'),
            (b'OggS\0\x02' + bytes(22) + b'\x80theora', 'video/ogg'),
            (b'fLaC\0\0\0\x22', 'audio/flac'),
            (b'#!AMR\n', 'audio/amr'),
            (b'\0\0\0\x20ftypM4A \0\0\0\0', 'audio/mp4'),
            (b'\0\0\0\x20ftypmp42\0\0\0\0', 'video/mp4'),
            (b'\x1aE\xdf\xa3\x01\0\0\0', 'video/webm'),
            (b'PK\x03\x04\x14\0', 'application/zip'),
            (b'\x1f\x8b\x08\0', 'application/gzip'),
            (b'%PDF-1.7', 'application/pdf'),
            (b'\n <!DOCTYPE HTML>', 'text/html'),
            (b'\xef\xbb\xbf<html lang=ru>', 'text/html'),
            (b'<!-- proxy --><head><title>', 'text/html'),
            (b'<?xml version="1.0"?><Error>', 'text/xml'),
            (b'{"error": {"code": 404}}', 'application/json'),
            (b'[]', 'application/json'),
            ('{"ошибка": "нет записи"}'.encode()[:-15], 'application/json'),
            ("Запись не найдена".encode()[:-1], 'text/plain'),
            (b'{not json at all}', 'text/plain'),
            (b'', ''),
            (bytes(64), ''),
        ):
            self.assertEqual(looks_like(first), mimetype, first)

    # --- whatever comes

    def holds(self, found):
        """What is true of every sound."""
        self.assertIn(found.quality, audio.QUALITIES)
        if found.quality == 'unreadable':
            return
        self.assertEqual(len(found.peaks), 1000 * found.channels)
        self.assertEqual(len(found.turns), found.channels)
        for side in found.turns:
            moments = [moment for turn in side for moment in turn]
            self.assertEqual(moments, sorted(moments))
            self.assertTrue(all(0 <= moment <= found.seconds + 0.001 for moment in moments))
            self.assertTrue(all(end - start > 0.119 for start, end in side))
            self.assertTrue(
                all(after[0] - before[1] > 0.299 for before, after in zip(side, side[1:]))
            )
        json.dumps(found.turns)

    @PROPERTY
    @given(st.binary(max_size=600), st.sampled_from((b'', head(0), head(500, 1, bits=8), b'ID3')))
    def test_any_bytes(self, content, before):
        with having('soundfile'):
            found = probed(before + content)
        if found.channels:
            self.holds(found)

    @PROPERTY
    @given(
        st.sampled_from(sorted(SPOKEN)),
        st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4),
        st.integers(0, 30_000),
    )
    def test_damaged(self, name, bits, length):
        """Bytes of the head are changed, and the end is lost."""
        content = bytearray((SOUNDS / f'{name}.wav').read_bytes()[:length])
        for place, byte in bits:
            if place < len(content):
                content[place] = byte
        with having('soundfile'):
            found = probed(bytes(content))
        if found.quality != 'unreadable' and found.rate:
            self.holds(found)

    @PROPERTY
    @given(
        st.lists(st.integers(-32768, 32767), min_size=30, max_size=3000),
        st.integers(1, 3),
        st.integers(1, 40),
    )
    def test_any_samples(self, samples, channels, times):
        data = struct.pack(f'<{len(samples)}h', *samples) * times
        data = data[: len(data) // (2 * channels) * 2 * channels]
        with having():
            plain = probed(head(len(data), channels) + data)
        self.holds(plain)
        self.assertAlmostEqual(plain.seconds, len(data) / 2 / channels / RATE, delta=0.001)
        if PARTS['numpy']:
            with having('numpy'):
                self.assertEqual(probed(head(len(data), channels) + data), plain)

    # --- what is not installed

    def test_missing(self):
        whole = {'numpy': sys, 'soundfile': sys, 'ffmpeg': '/usr/bin/ffmpeg'}
        with having(**whole):
            self.assertEqual(capabilities.missing(), [])
        for gone, count in (('numpy', 1), ('soundfile', 1), ('ffmpeg', 1)):
            with self.subTest(gone), having(**(whole | {gone: None})):
                sentences = capabilities.missing()
                self.assertEqual(len(sentences), count)
                self.assertTrue(sentences[0].startswith(gone))
        with having():
            self.assertEqual(len(capabilities.missing()), 3)
            self.assertIn("only WAV", capabilities.missing()[0])
