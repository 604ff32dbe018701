"""A talk is listened to in a real browser: from the call, from a list, and on its card."""

import base64
import io
import math
import wave

from .common import TelephonyHttpCase

RATE = 8000
SECONDS = 12


def two_voices():
    """A WAV of two channels, and its waveform as bytes: the first speaks in the first third, the
    second in the last."""

    def sample(channel, place):
        is_speaking = (place * 3 // (RATE * SECONDS)) == (2 if channel else 0)
        return 128 + int(is_speaking * 90 * math.sin(place * (0.2 + 0.1 * channel)))

    frames = bytes(
        sample(channel, place) for place in range(RATE * SECONDS) for channel in range(2)
    )
    file = io.BytesIO()
    with wave.open(file, 'wb') as sound:
        sound.setnchannels(2)
        sound.setsampwidth(1)
        sound.setframerate(RATE)
        sound.writeframes(frames)
    lanes = bytes(180 if point < 333 else 2 for point in range(1000))
    return file.getvalue(), lanes + lanes[::-1]


class TestPlayerTours(TelephonyHttpCase):
    def talk(self):
        """The recording of a talk of Anna's, of which we have a copy."""
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('answered', extension='101', at=-80),
            self.event('recording', recording_url='https://pbx.example.com/1.wav', at=-9),
            self.event('ended', extension='101', at=-10, outcome='answered', talk_seconds=70),
        )
        recording = self.call().recording_ids
        sound, peaks = two_voices()
        recording._store_sound(sound, 'audio/wav')
        recording.write(
            {
                'channels': 2,
                'seconds': SECONDS,
                'peaks': base64.b64encode(peaks).decode(),
                'agent_channel': 'first',
                'quality': 'ok',
            }
        )
        return recording

    def test_a_talk_is_played_from_the_call_and_from_the_list(self):
        recording = self.talk()
        self.start_tour(
            f'/odoo/telephony-calls/{recording.call_id.id}', 'telephony_player', login='tel_anna'
        )
        self.assertEqual(recording.agent_channel, 'second', "the tour has swapped the sides")
        listens = self.env['telephony.listen'].search([('recording_id', '=', recording.id)])
        self.assertRecordValues(listens, [{'user_id': self.anna.id, 'kind': 'play'}] * 2)
        self.assertGreaterEqual(max(listens.mapped('furthest_second')), SECONDS // 2)

    def test_a_reason_is_asked_for(self):
        self.company.telephony_listen_reason = 'always'
        recording = self.talk()
        self.start_tour(
            f'/odoo/telephony-calls/{recording.call_id.id}',
            'telephony_player_reason',
            login='tel_anna',
        )
        listens = self.env['telephony.listen'].search([('recording_id', '=', recording.id)])
        self.assertRecordValues(listens, [{'user_id': self.anna.id, 'reason_text': "Third week"}])
