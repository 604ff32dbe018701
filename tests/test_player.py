"""What the player of a recording shows, and who says whose its sides are."""

import base64
from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import AccessError

from ..tools.words import _lt
from .common import TelephonyCase


class TestPlayer(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['res.lang']._activate_lang('ru_RU')

    def record(self, **values):
        """The recording of a talk of Anna's with the customer."""
        self.account.recording_hosts = 'pbx.example.com'
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('answered', extension='101', at=-80),
            self.event('recording', recording_url='https://pbx.example.com/1.mp3', at=-9),
            self.event('ended', extension='101', at=-10, outcome='answered', talk_seconds=70),
        )
        recording = self.call().recording_ids
        recording.write({'duration': 70, **values})
        return recording

    def shown(self, recording, user=None, **context):
        return recording.with_user(user or self.anna).with_context(**context).player

    def test_what_was_measured_is_shown_and_the_customer_named(self):
        peaks = base64.b64encode(bytes(2000)).decode()
        recording = self.record(
            channels=2, seconds=71.4, peaks=peaks, agent_channel='second', quality='ok'
        )
        shown = self.shown(recording)
        told = {
            'state': 'ready',
            'url': recording.player_url,
            'duration': 71,
            'seconds': 71.4,
            'channels': 2,
            'peaks': peaks,
            'agent_channel': 'second',
            'customer': "Customer",
            'words': '',
        }
        self.assertEqual({name: shown[name] for name in told}, told)

    def test_a_link_has_the_length_that_the_pbx_told_and_no_lanes(self):
        shown = self.shown(self.record())
        self.assertEqual(
            (shown['duration'], shown['seconds'], shown['channels'], shown['peaks']), (70, 0, 0, '')
        )
        self.assertEqual(shown['agent_channel'], 'unknown')

    def test_a_deleted_recording_says_when_and_why(self):
        recording = self.record()
        recording._delete_sound(_lt("Set by %(user)s", user="Saule"))
        recording.deleted_at = datetime(2026, 3, 11, 20, 0)  # the 12th in Almaty
        shown = self.shown(recording, lang='ru_RU', tz='Asia/Almaty')
        self.assertFalse(shown['url'])
        self.assertIn("12.03.2026", shown['words'])
        self.assertIn("Saule", shown['words'])

    def test_what_is_wrong_with_the_sound_is_told(self):
        recording = self.record()
        for quality in ('one_sided', 'silent', 'truncated'):
            recording.quality = quality
            self.assertTrue(self.shown(recording)['words'], quality)
        recording.quality = 'ok'
        self.assertFalse(self.shown(recording)['words'])

    def test_a_pending_recording_says_what_it_waits_for(self):
        recording = self.record(state='pending')
        self.assertIn("not delivered it yet", self.shown(recording)['words'])
        recording.error = "not yet"
        self.assertEqual(self.shown(recording)['words'], "not yet")

    def test_how_long_it_can_be_kept(self):
        until = fields.Datetime.now() + timedelta(hours=23)
        shown = self.shown(self.record(keep_until=until))
        self.assertEqual(shown['keep_until'], fields.Datetime.to_string(until))

    def test_whoever_may_listen_says_whose_the_sides_are(self):
        recording = self.record(channels=2, agent_channel='first')
        recording.with_user(self.anna).action_swap_sides()
        self.assertRecordValues(
            recording, [{'agent_channel': 'second', 'agent_channel_source': 'hand'}]
        )
        recording.agent_channel = 'unknown'
        recording.with_user(self.supervisor).action_swap_sides()
        self.assertEqual(recording.agent_channel, 'first')
        with self.assertRaises(AccessError):
            recording.with_user(self.boris).action_swap_sides()
        self.assertEqual(recording.agent_channel, 'first')

    def test_one_channel_has_no_sides(self):
        recording = self.record(channels=1, agent_channel='unknown')
        recording.with_user(self.anna).action_swap_sides()
        self.assertEqual(recording.agent_channel, 'unknown')

    def test_the_card_has_the_recording_once_the_call_has_ended(self):
        self.play(
            self.event('ringing', extension='101', at=-90),
            self.event('answered', extension='101', at=-80),
            self.event('recording', recording_url='https://pbx.example.com/1.mp3', at=-70),
        )
        call = self.call()
        self.assertEqual(call.with_user(self.anna).get_card()['recordings'], [])
        self.play(self.event('ended', extension='101', at=-10, outcome='answered', talk_seconds=70))
        [shown] = call.with_user(self.anna).get_card()['recordings']
        self.assertEqual(shown['url'], call.recording_ids.player_url)
        self.assertNotIn('peaks', shown, "the player asks for them when it opens")

    def test_the_number_stands_for_a_stranger(self):
        self.partner.phone = False
        self.assertEqual(self.shown(self.record())['customer'], '+7 777 123 4567')
