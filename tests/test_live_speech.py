"""A real engine: speech_server/ with a small model turns talks into text whose words are known.

Runs where `make test-speech` has built it.
"""

import json
import logging
import unittest

from odoo.tests import tagged

from ..speech import engine as client
from ..speech.pieces import Piece
from .test_transcripts import SpeechCase

try:
    # not shipped with the addon
    from ..dev.setup.process import free_ports
    from ..dev.speech import engine
except ImportError as error:
    MISSING = f"NOT TESTED: a real speech engine, there is no dev/ here: {error}"
else:
    MISSING = (
        '' if engine.exists() else "NOT TESTED: a real speech engine; make test-speech builds it"
    )

# What a small model may get wrong of a synthetic voice. The same model made 0.15 and 0.06 of it.
MOST_WRONG = 0.3

_logger = logging.getLogger(__name__)


def words(text):
    return ''.join(letter if letter.isalnum() else ' ' for letter in text.lower()).split()


def wrong(said, heard):
    """The share of words that are wrong: Levenshtein's distance by the length of what was said."""
    row = list(range(len(heard) + 1))
    for place, word in enumerate(said, 1):
        row, before = [place], row
        for number, other in enumerate(heard, 1):
            row.append(min(before[number] + 1, row[-1] + 1, before[number - 1] + (word != other)))
    return row[-1] / len(said)


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestRealEngine(SpeechCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        [port] = free_ports(1)
        cls.real = cls.enterClassContext(engine.running(port))

    def test_a_talk_becomes_text(self):
        """From the recording to the search, in two languages."""
        self.engine.write({'url': self.real.url, 'api_key': self.real.key, 'timeout': 90})
        for language, theirs, found in (
            ('ru', "оплатил заказ", "скидки"),
            ('en', "paid for my order", "courier"),
        ):
            with self.subTest(language):
                self.route.language = language
                recording = self.talk(user_id=self.anna.id)
                file = engine.SOUNDS / f'{language}.wav'
                recording._store_sound(file.read_bytes(), 'audio/wav')
                self.run_cron('probe_recordings')
                self.run_cron('transcribe')
                transcript = recording.transcript_id
                self.assertRecordValues(
                    transcript, [{'state': 'done', 'language': language, 'is_separated': True}]
                )
                self.assertIn(theirs, transcript.text_theirs)
                self.assertNotIn(theirs, transcript.text_ours)
                self.assertIn(recording, self.found(found))
                said = json.loads(file.with_suffix('.json').read_text('utf-8'))['said']
                for channel in (0, 1):
                    heard = ' '.join(line[3] for line in transcript.lines if line[2] == channel)
                    text = ' '.join(part for side, part in said if side == channel)
                    share = wrong(words(text), words(heard))
                    _logger.info("%s, channel %d: WER %.3f", language, channel, share)
                    self.assertLess(share, MOST_WRONG)

    def test_a_key_that_is_wrong(self):
        with self.assertRaises(client.EngineError) as refusal:
            client.Engine(self.real.url, 'wrong').ask(self.sound)
        self.assertTrue(refusal.exception.is_wrong)

    def test_a_tone_is_no_text(self):
        told = client.Engine(self.real.url, self.real.key).ask(self.sound, 'ru')
        self.assertEqual(client.lines(told, Piece(0, ((0, 1),))), [])
