"""What a PBX is asked and told: the buttons, the nightly comparison, recordings that were announced
by name."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError

from .common import TelephonyCase


class TestCommands(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in(set_webhooks=None)

    def run_cron(self, xmlid):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.{xmlid}').method_direct_trigger()
        self.env.invalidate_all()

    def test_a_button_for_what_the_pbx_can_do_and_for_nothing_else(self):
        self.assertRecordValues(
            self.account,
            [
                {
                    'can_check': True,
                    'can_import': True,
                    'can_set_webhooks': False,
                    'can_fetch_history': True,
                }
            ],
        )
        with self.assertRaises(UserError):
            self.account.action_set_webhooks()

    def test_what_the_pbx_says_stands_on_its_form(self):
        action = self.account.action_check()
        self.assertEqual(action['params']['type'], 'success')
        self.assertRecordValues(
            self.account, [{'state': 'draft', 'state_message': "logged in as the test"}]
        )
        self.pbx.complaint = "the key has run out"
        action = self.account.action_check()
        self.assertEqual(action['params']['type'], 'danger')
        self.assertRecordValues(
            self.account, [{'state': 'error', 'state_message': "the key has run out"}]
        )
        with self.assertRaises(AccessError):
            self.account.with_user(self.supervisor).action_check()

    def test_import_takes_over_what_is_new(self):
        self.account.action_import()
        self.account.action_import()
        self.assertEqual(
            self.account.extension_ids.mapped('number'), ['101', '102', '103', '110', '111']
        )
        self.assertEqual(
            self.account.extension_ids.filtered(lambda one: one.number == '110').user_id, self.boris
        )
        self.assertEqual(self.account.number_ids.mapped('name'), ['+77272507612', '+77272507699'])

    def test_import_takes_over_what_another_pbx_of_the_company_has_too(self):
        other = self.new_account(self.company, name="The old PBX")
        self.env['telephony.number'].create({'name': '+77272507699', 'account_id': other.id})
        self.account.action_import()
        self.assertEqual(self.account.number_ids.mapped('name'), ['+77272507612', '+77272507699'])
        self.assertEqual(other.number_ids.mapped('name'), ['+77272507699'])

    def test_a_lost_end_and_a_lost_call_are_found_in_the_history(self):
        self.play(self.event('ringing', 'known', at=-300, extension='101'))
        self.pbx.rows = [
            self.event(
                'ended', 'known', at=-200, outcome='answered', extension='101', talk_seconds=90
            ),
            self.event('ended', 'never heard of', at=-100, outcome='missed'),
        ]
        for _night in range(2):
            self.run_cron('ir_cron_fetch_history')
        self.assertRecordValues(self.call('known'), [{'outcome': 'answered', 'talk_seconds': 90}])
        self.assertEqual(self.call('never heard of').outcome, 'missed')
        self.assertEqual(len(self.events()), 3, "what is read twice is stored once")
        self.assertIn("fetched 0, differing 0", self.account.history_message)
        rows = self.account.completeness_ids
        self.assertEqual(
            [sum(rows.mapped(name)) for name in ('there_count', 'fetched_count', 'arrived_count')],
            [2, 1, 1],
        )

    def test_what_came_before_an_error_is_kept(self):
        self.pbx.rows, self.pbx.complaint = (
            [self.event('ended', 'first page', outcome='missed')],
            "too many requests",
        )
        self.pbx.retryable = True
        self.run_cron('ir_cron_fetch_history')
        self.assertTrue(self.call('first page'))
        self.assertFalse(self.account.history_until)
        self.assertIn("too many requests", self.account.history_message)
        self.assertNotEqual(self.account.state, 'error')
        self.pbx.retryable = False
        self.run_cron('ir_cron_fetch_history')
        self.assertEqual(self.account.state, 'error')

    def test_no_credentials_no_question(self):
        self.account.api_secret = False
        self.run_cron('ir_cron_fetch_history')
        self.assertFalse(self.pbx.told or self.account.history_message)

    def recording(self):
        """As an adapter tells a recording by name."""
        self.play(self.event('ended', outcome='answered', extension='101', talk_seconds=60))
        return self.env['telephony.recording'].create({'call_id': self.call().id, 'ref': 'rec-1'})

    def test_an_announced_recording_is_asked_for_until_it_is_there(self):
        recording = self.recording()
        self.assertTrue(recording.next_try_at)
        self.run_cron('ir_cron_locate_recordings')
        self.assertFalse(self.pbx.told, "not before the file can be there")
        self.pbx.complaint, self.pbx.retryable = "not yet", True
        pauses = []
        for _attempt in range(3):
            recording.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
            self.run_cron('ir_cron_locate_recordings')
            pauses.append((recording.next_try_at - fields.Datetime.now()).total_seconds())
        self.assertEqual(pauses, sorted(pauses))
        self.assertRecordValues(
            recording, [{'state': 'pending', 'error': "not yet", 'attempts': 3}]
        )
        self.pbx.complaint = ''
        recording.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        self.run_cron('ir_cron_locate_recordings')
        self.assertRecordValues(
            recording,
            [
                {
                    'state': 'ready',
                    'url': 'https://records.example.com/rec-1.mp3',
                    'error': False,
                    'next_try_at': False,
                }
            ],
        )

    def test_a_recording_that_will_never_be_there(self):
        recording = self.recording()
        self.pbx.complaint = "it was deleted"
        recording.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        self.run_cron('ir_cron_locate_recordings')
        self.assertRecordValues(
            recording, [{'state': 'failed', 'error': "it was deleted", 'next_try_at': False}]
        )
