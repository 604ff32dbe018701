"""What is known of a PBX's state, and what it costs to know it."""

from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.orm.registry import Registry
from odoo.tests import Form

from ..models.pbx.account import _refusals
from ..providers.base import Refused, WebhookRequest
from .common import TelephonyCase


class TestCachedSettings(TelephonyCase):
    def known(self):
        """All that is cached of the account."""
        try:
            door = self.account._account_of_token(self.token)
        except LookupError:
            door = None
        account = self.account
        return (
            door,
            account._settings(),
            account._directory(),
            account._provider_code(),
            self.anna._telephony_can_call(),
        )

    def test_what_is_cached_is_never_old(self):
        self.token = self.account.webhook_token
        company = self.env['res.company'].create({'name': "Another"})
        for name, value in (
            ('api_key', 'another'),
            ('api_secret', 'another'),
            ('api_url', 'https://pbx.example.com'),
            ('timezone', 'Asia/Tokyo'),
            ('country_id', self.env.ref('base.de').id),
            ('provider', 'zadarma'),
            ('webhook_token', 'x' * 43),
            ('active', False),
            ('extension_ids', [(0, 0, {'number': '190'})]),
            ('number_ids', [(0, 0, {'name': '+77272507600'})]),
            ('extension_ids', [(1, self.account.extension_ids[0].id, {'user_id': self.boris.id})]),
        ):
            before = self.known()
            self.account.write({name: value})
            self.assertNotEqual(self.known(), before, name)
        self.account.write(
            {'number_ids': [(5, 0, 0)], 'extension_ids': [(5, 0, 0)], 'active': True}
        )
        before = self.known()
        self.env['telephony.number'].create(
            {'name': '+77272507633', 'account_id': self.new_account(company, name="Theirs").id}
        )
        self.account.write({'company_id': company.id, 'country_id': self.env.ref('base.de').id})
        self.assertNotEqual(self.known(), before)

    def test_what_is_not_cached_makes_no_worker_forget(self):
        self.token, self.account.state = self.account.webhook_token, 'connected'
        before = self.known()
        with patch.object(Registry, 'clear_cache') as forget:
            self.account.write(
                {
                    'name': "Renamed",
                    'state': 'connected',
                    'timezone': self.account.timezone,
                    'state_message': "no",
                    'refused_count': 7,
                    'history_message': "same",
                    'history_until': '2026-01-01 00:00:00',
                    'route_to_owner': False,
                    'recording_hosts': 'a.example.com',
                }
            )
            self.play(self.event('ended', outcome='missed'))
            self.account.action_reset_refusals()
        forget.assert_not_called()
        self.assertEqual(self.known(), before)
        with patch.object(Registry, 'clear_cache') as forget:
            self.account.api_key = 'another'
        forget.assert_called()


class TestLamps(TelephonyCase):
    """Two things that do not follow from each other: the PBX answers us, and its events arrive."""

    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in()

    def assert_lamps(self, api, events, state):
        self.env.invalidate_all()
        self.assertRecordValues(
            self.account, [{'api_state': api, 'event_state': events, 'state': state}]
        )

    def fails(self, action, complaint="the key has run out"):
        self.pbx.complaint = complaint
        action()
        self.pbx.complaint = ''

    def compare(self):
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_fetch_history').method_direct_trigger()

    def test_a_good_check_is_not_everything(self):
        self.assert_lamps('unchecked', 'none', 'draft')
        self.account.action_check()
        self.assert_lamps('answers', 'none', 'draft')
        self.assertTrue(self.account.answered_at)
        self.play(self.event('ended', outcome='missed'))
        self.assert_lamps('answers', 'arrive', 'connected')
        self.assertTrue(self.account.last_event_at)
        self.account.action_check()
        self.assert_lamps('answers', 'arrive', 'connected')

    def test_what_was_read_back_is_no_event_that_arrived(self):
        identify = type(self.account._adapter()).identify
        self.pbx.rows = [self.event('ended', 'lost on the way', outcome='missed')]
        with patch.object(
            type(self.account._adapter()),
            'identify',
            lambda *args: replace(identify(*args), kind='history'),
        ):
            self.compare()
        self.assertTrue(self.call('lost on the way'))
        self.assert_lamps('answers', 'none', 'draft')
        self.assertFalse(self.account.last_event_at)

    def test_an_error_is_over_when_the_api_answers_again(self):
        self.play(self.event('ended', outcome='missed'))
        for again in (self.account.action_check, self.account.action_import, self.compare):
            self.fails(self.account.action_check)
            self.assert_lamps('error', 'arrive', 'error')
            self.play(self.event('ended', 'more', outcome='missed'))
            self.assert_lamps('error', 'arrive', 'error')
            again()
            self.assert_lamps('answers', 'arrive', 'connected')
            self.assertNotIn("run out", self.account.state_message or '')
        self.fails(self.compare)
        self.assert_lamps('error', 'arrive', 'error')
        self.compare()
        self.assert_lamps('answers', 'arrive', 'connected')

    def test_an_address_that_could_not_be_set_is_forgiven_when_events_come(self):
        self.fails(self.account.action_set_webhooks)
        self.assert_lamps('error', 'none', 'error')
        self.play(self.event('ended', outcome='missed'))
        self.assert_lamps('unchecked', 'arrive', 'connected')

    def test_events_of_a_pbx_that_is_well_write_nothing_on_it(self):
        self.play(self.event('ended', outcome='missed'))
        with patch.object(type(self.account), 'write', side_effect=AssertionError):
            self.play(self.event('ended', 'more', outcome='missed'))

    def test_refused_events_do_not_arrive(self):
        self.play(self.event('ended', outcome='missed'))
        _refusals._written.clear()
        with self.assertRaises(Refused):
            self.account._receive(WebhookRequest(body=b'{}'))
        self.account.refused_at = fields.Datetime.now() + timedelta(seconds=2)
        self.assert_lamps('unchecked', 'refused', 'connected')
        self.account.action_reset_refusals()
        self.assert_lamps('unchecked', 'arrive', 'connected')

    def test_a_pbx_without_an_api_has_one_lamp(self):
        self.unplug()
        self.assert_lamps(False, 'none', 'draft')

    def test_the_form_shows_both(self):
        self.account.action_check()
        with Form(self.account) as form:
            self.assertEqual((form.api_state, form.event_state), ('answers', 'none'))
