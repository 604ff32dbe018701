"""A browser is the user's phone: whose, which one, and what it is told."""

import gzip
import hashlib
import json
import logging
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import BaseCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..models.softphone import call_quality
from ..models.softphone.credentials import ha1, is_ice_server, is_safe_websocket, turn_login
from .common import CUSTOMER, FakeClient, TelephonyCase, TelephonyHttpCase

LIBRARY = Path(__file__).parents[1] / 'static' / 'lib' / 'jssip'
PASSWORD = 'sip-password-0001'
TURN = 'turn-secret-0001'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestCredentials(BaseCase):
    """Values that other programs have computed."""

    def test_digest(self):
        self.assertEqual(
            ha1('104', 'asterisk', 'webrtc-secret'), '8829df0741016b6e80b40b897eb5f08e'
        )

    def test_turn(self):
        login = turn_login('north', 7, datetime(2026, 1, 1, 16, 0, tzinfo=timezone.utc))
        self.assertEqual(
            login, {'username': '1767312000:7', 'credential': 'O1gwzkdE2pCC5zP3/ESJUrf8eds='}
        )

    def test_addresses(self):
        for url in ('wss://pbx.example.com/ws', 'ws://localhost:8088/ws', 'ws://[::1]/ws'):
            self.assertTrue(is_safe_websocket(url), url)
        for url in (
            'ws://pbx.example.com/ws',
            'https://pbx.example.com',
            'wss://',
            'pbx',
            'wss://[',
        ):
            self.assertFalse(is_safe_websocket(url), url)
        for address in ('stun:a.example.com', 'turns:a.example.com:443?transport=tcp'):
            self.assertTrue(is_ice_server(address), address)
        for address in ('a.example.com', 'stun:', 'turn:a/b', 'turn:a?transport=sctp'):
            self.assertFalse(is_ice_server(address), address)

    def test_the_library_is_what_its_readme_says(self):
        told = re.search(r'SHA-256 of `jssip.js`: `(\w+)`', (LIBRARY / 'README.md').read_text())
        content = (LIBRARY / 'jssip.js').read_bytes()
        self.assertEqual(hashlib.sha256(content).hexdigest(), told[1])

    def test_others_load_nothing_of_it(self):
        """Nor much those who have a browser phone."""
        source = Path(__file__).parents[1] / 'static' / 'src'
        self.assertLess((source / 'softphone_starter.js').stat().st_size, 2048)
        files = [LIBRARY / 'jssip.js', *(source / 'softphone').iterdir()]
        bundle = b''.join(path.read_bytes() for path in files)
        self.assertLess(len(gzip.compress(bundle)), 95_000)

    def test_one_file_names_the_library(self):
        sources = Path(__file__).parents[1] / 'static' / 'src'
        naming = [
            path.name
            for path in sources.rglob('*.js')
            if re.search('crmTelephonySip', path.read_text())
        ]
        self.assertEqual(naming, ['line_sip.js'])


class PasswordClient(FakeClient):
    def one_time_password(self, login, password):
        self._note('password', login, password)


class SoftphoneData:
    """Anna's phone 101 is a browser."""

    @classmethod
    def set_up_softphone(cls):
        cls.account.write(
            {
                'sip_ws_url': 'wss://pbx.example.com/ws',
                'stun_urls': 'stun:stun.example.com',
                'turn_urls': 'turn:turn.example.com',
                'turn_secret': TURN,
            }
        )
        cls.phone = cls.account.extension_ids.filtered(lambda phone: phone.number == '101')
        cls.phone.write({'softphone': True, 'sip_password': PASSWORD})

    def claim(self, user=None, browser='chrome', take_over=False):
        phones = self.env['telephony.extension'].with_user(user or self.anna)
        return phones.softphone_claim(browser, f"{browser} on Windows", take_over)

    def rpc(self, method, *args):
        answer = self.url_open(
            f'/web/dataset/call_kw/telephony.extension/{method}',
            json={
                'params': {
                    'model': 'telephony.extension',
                    'method': method,
                    'args': args,
                    'kwargs': {},
                }
            },
        )
        return answer.json()['result']


class TestClaim(SoftphoneData, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_softphone()

    def claim(self, *args, **values):
        with self.enter_registry_test_mode():
            return super().claim(*args, **values)

    def test_what_a_browser_gets(self):
        grant = self.claim()
        self.assertEqual((grant['number'], grant['login']), ('101', '101'))
        self.assertEqual(grant['url'], 'wss://pbx.example.com/ws')
        self.assertEqual(grant['domain'], 'pbx.example.com')
        self.assertEqual(grant['password'], PASSWORD)
        stun, turn = grant['ice']['servers']
        self.assertEqual(stun, {'urls': ['stun:stun.example.com']})
        self.assertTrue(turn['credential'])
        self.assertNotIn(TURN, json.dumps(grant))
        self.account.sip_realm = 'pbx'
        again = self.claim()
        self.assertEqual(again['ha1'], ha1('101', 'pbx', PASSWORD))
        self.assertNotIn(PASSWORD, json.dumps(again))

    def test_who_gets_a_phone(self):
        """Nobody gets another one's, whatever their rights."""
        administrator = new_test_user(
            self.env, 's_admin', groups='base.group_user,crm_telephony.group_admin'
        )
        for user in (self.boris, self.supervisor, administrator):
            with self.subTest(user.name), self.assertRaises(UserError):
                self.claim(user)
        employee = new_test_user(self.env, 's_none', groups='base.group_user')
        portal = new_test_user(self.env, 's_portal', groups='base.group_portal')
        for user in (employee, portal):
            with self.subTest(user.name), self.assertRaises(AccessError):
                self.claim(user)
        self.assertFalse(self.env['telephony.softphone'].search([]))

    def test_when_there_is_none(self):
        cases = {
            'no browser phone': lambda: self.phone.write({'softphone': False}),
            'a colleague of theirs': lambda: self.phone.write({'user_id': self.boris.id}),
            'the PBX is archived': lambda: self.account.write({'active': False}),
            'no address': lambda: self.account.write({'sip_ws_url': False}),
            'no password': lambda: self.phone.write({'sip_password': False}),
        }
        for what, change in cases.items():
            with self.subTest(what):
                savepoint = self.env.cr.savepoint()
                change()
                self.env.registry.clear_cache()
                with self.assertRaises(UserError):
                    self.claim()
                savepoint.close(rollback=True)
                self.env.invalidate_all()
        company = self.env['res.company'].create({'name': "Elsewhere"})
        self.anna.write({'company_ids': [(6, 0, company.ids)], 'company_id': company.id})
        with self.assertRaises(UserError):
            self.claim()

    def test_a_shared_phone_is_no_browser(self):
        with self.assertRaises(ValidationError):
            self.phone.also_user_ids = self.boris
        other = self.account.extension_ids.filtered(lambda phone: phone.number == '102')
        other.also_user_ids = self.anna
        with self.assertRaises(ValidationError):
            other.softphone = True

    def test_each_browser_has_a_password_of_its_own(self):
        """Where the PBX can be given one; nobody has to enter any then."""
        self.account.sip_one_time = True
        self.assertEqual(self.claim()['password'], PASSWORD, "this PBX cannot")
        pbx = self.plug_in(PasswordClient)
        self.phone.sip_password = False
        first, second = self.claim(), self.claim(browser='firefox', take_over=True)
        self.assertEqual(
            pbx.told,
            [('password', '101', first['password']), ('password', '101', second['password'])],
        )
        self.assertNotEqual(first['password'], second['password'])
        self.assertGreaterEqual(len(second['password']), 32)
        self.assertTrue(second['once'])
        self.env['telephony.softphone'].search([]).action_end()
        self.assertEqual(pbx.told[-1], ('password', '101', ''))

    @mute_logger('odoo.addons.crm_telephony.models.softphone.lease')
    def test_a_pbx_that_takes_no_password(self):
        self.account.sip_one_time = True
        self.claim()
        self.plug_in(PasswordClient, complaint="full")
        with self.assertRaisesRegex(UserError, "full"):
            self.claim()
        self.env['telephony.softphone'].search([]).action_end()
        self.assertFalse(self.env['telephony.softphone'].search([]))

    def test_one_browser_at_a_time(self):
        first = self.claim()
        busy = self.claim(browser='firefox')
        self.assertEqual(list(busy), ['busy'])
        self.assertEqual(busy['busy']['label'], "chrome on Windows")
        self.assertFalse(busy['busy']['in_call'])
        self.assertTrue(self.claim()['lease'], "a page of the same browser asks for nothing")
        phones = self.env['telephony.extension'].with_user(self.anna)
        self.assertEqual(phones.softphone_renew(first['lease']), {'lost': "chrome on Windows"})
        self.play(
            self.event('ringing', extension='101'), self.event('answered', at=1, extension='101')
        )
        self.assertTrue(self.claim(browser='firefox')['busy']['in_call'])

    def test_taking_over(self):
        first = self.claim()
        self.env['bus.bus'].search([]).unlink()
        second = self.claim(browser='firefox', take_over=True)
        phones = self.env['telephony.extension'].with_user(self.anna)
        self.assertEqual(list(phones.softphone_renew(second['lease'])), ['ice'])
        self.assertEqual(phones.softphone_renew(first['lease']), {'lost': "firefox on Windows"})
        self.env.cr.precommit.run()
        [message] = [
            json.loads(row.message)
            for row in self.env['bus.bus'].search([])
            if 'crm_telephony.softphone' in row.message
        ]
        self.assertEqual(message['payload'], {'lost': 'chrome', 'label': "firefox on Windows"})

    def test_a_browser_that_is_gone(self):
        self.claim()
        lease = self.env['telephony.softphone'].search([])
        lease.until = fields.Datetime.now() - timedelta(seconds=1)
        self.assertTrue(self.claim(browser='firefox')['lease'])

    def test_what_a_browser_calls_itself(self):
        self.claim(browser='<b>\u202e"\0' + 'x' * 500)
        lease = self.env['telephony.softphone'].search([])
        self.assertLessEqual(len(lease.browser), 64)
        self.assertLessEqual(len(lease.label), 64)
        self.assertTrue(lease.label.isprintable())

    def test_secrets_stay_secret(self):
        with self.assertLogs('odoo.addons.crm_telephony', logging.DEBUG) as logged:
            grant = self.claim()
        for secret in (PASSWORD, TURN, grant['lease']):
            self.assertNotIn(secret, '\n'.join(logged.output))
        for user in (self.anna, self.supervisor):
            phone = self.phone.with_user(user)
            for record, field in ((phone, 'sip_password'), (phone.account_id, 'turn_secret')):
                with self.assertRaises(AccessError):
                    record.read([field])
                with self.assertRaises(UserError):
                    record.export_data([field])
            self.assertNotIn('sip_password', phone.read()[0])
            with self.assertRaises(AccessError):
                self.env['telephony.softphone'].with_user(user).search([])
        for field in ('sip_password', 'turn_secret'):
            model = 'telephony.extension' if field == 'sip_password' else 'telephony.account'
            self.assertFalse(self.env[model].fields_get([field])[field]['exportable'])
        session = self.anna.with_user(self.anna)._telephony_has_softphone()
        self.assertIs(session, True)
        messages = self.env['bus.bus'].search([]).mapped('message')
        self.assertNotIn(grant['lease'], ''.join(messages))

    def test_an_administrator_ends_one(self):
        self.claim()
        administrator = new_test_user(
            self.env, 's_ends', groups='base.group_user,crm_telephony.group_admin'
        )
        lease = self.env['telephony.softphone'].search([])
        with self.assertRaises(AccessError):
            lease.with_user(self.supervisor).action_end()
        lease.with_user(administrator).action_end()
        self.assertFalse(lease.exists())

    def test_bad_settings(self):
        for values in (
            {'sip_ws_url': 'ws://pbx.example.com'},
            {'stun_urls': 'stun.example.com'},
            {'stun_urls': 'turn:turn.example.com'},
            {'turn_secret': False},
            {'ice_policy': 'relay', 'turn_urls': False, 'turn_secret': False},
        ):
            with self.subTest(values), self.assertRaises(ValidationError):
                self.account.write(values)
                self.env.flush_all()

    # --- calls that the browser places -------------------------------------------------------------------------------

    def place(self, user=None, browser='chrome', **values):
        dials = self.env['telephony.dial'].with_user(user or self.anna)
        with self.enter_registry_test_mode():
            return dials.with_context(telephony_browser=browser).place_call(CUSTOMER, **values)

    def test_the_browser_calls_itself(self):
        pbx = self.plug_in()
        self.claim()
        lead = self.new_lead()
        action = self.place(res_model='crm.lead', res_id=lead.id)
        self.assertEqual(action['tag'], 'crm_telephony.browser_call')
        self.assertEqual(action['params']['dialled'], CUSTOMER)
        self.assertFalse(pbx.told, "no second phone rings")
        dial = self.env['telephony.dial'].search([], limit=1)
        self.assertEqual(dial.id, action['params']['dial_id'])
        self.assertEqual((dial.state, dial.extension), ('accepted', '101'))
        self.play(
            self.outbound('ringing'),
            self.outbound('answered', at=2),
            self.outbound('ended', at=60, outcome='answered', talk_seconds=58),
        )
        self.assertEqual(self.call('o1').lead_id, lead, "the PBX's call is that of the click")

    def test_another_page_rings_the_phone(self):
        """One that is not the phone, another user's, or one that has not been heard of for long."""
        pbx = self.plug_in()
        self.claim()
        self.assertEqual(self.place(browser='firefox')['tag'], 'display_notification')
        self.assertEqual(self.place(self.boris)['tag'], 'display_notification')
        lease = self.env['telephony.softphone'].search([])
        lease.until = fields.Datetime.now() - timedelta(seconds=1)
        self.env['telephony.dial'].search([]).unlink()
        self.assertEqual(self.place()['tag'], 'display_notification')
        self.assertEqual(len(pbx.told), 3)

    def test_warnings_come_before(self):
        self.claim()
        self.env['phone.blacklist'].create({'number': CUSTOMER})
        action = self.place()
        self.assertEqual(action['tag'], 'crm_telephony.confirm_call')
        action = self.place(confirmed=action['params']['confirmed'])
        self.assertEqual(action['tag'], 'crm_telephony.browser_call')

    def test_to_whom_a_call_is_passed_on(self):
        other = self.account.extension_ids.filtered(lambda phone: phone.number == '102')
        other.write({'softphone': True, 'sip_password': 'x'})
        phones = self.env['telephony.extension'].with_user(self.anna)
        found = {row['number']: row['is_gone'] for row in phones.softphone_colleagues()}
        self.assertEqual(found, {'102': True, '103': False})
        self.claim(self.boris)
        found = {row['number']: row['is_gone'] for row in phones.softphone_colleagues()}
        self.assertEqual(found, {'102': False, '103': False})

    # --- how it sounds -----------------------------------------------------------------------------------------------

    TALK = {'seconds': 58, 'mos_avg': 3.2, 'mos_min': 2.5, 'loss_in': 4.5, 'sip_call_id': 'a@b'}

    def report(self, user=None, **values):
        quality = self.env['telephony.call.quality'].with_user(user or self.anna)
        quality.report({**self.TALK, 'seconds_ago': 58, **values})

    def test_a_talk_is_measured(self):
        def told():
            self.play(
                self.event('ringing', at=-60, extension='101'),
                self.event('answered', at=-58, extension='101'),
                self.event('ended', at=0, outcome='answered', extension='101', talk_seconds=58),
            )

        for first, second in ((told, self.report), (self.report, told)):
            with self.subTest(first.__name__):
                self.env['telephony.call.quality'].search([]).unlink()
                self.env['telephony.call'].search([]).unlink()
                self.env['telephony.event'].search([]).unlink()
                first()
                second()
                talk = self.env['telephony.call.quality'].search([])
                self.assertEqual(talk.call_id, self.call())
                self.assertTrue(talk.is_bad)
        self.report()
        self.assertEqual(self.env['telephony.call.quality'].search_count([]), 1, "told twice")
        self.assertFalse(self.env['telephony.call.quality'].with_user(self.boris).search([]))
        self.assertTrue(self.env['telephony.call.quality'].with_user(self.supervisor).search([]))

    def test_nonsense_is_refused(self):
        for values in (
            {'seconds': -1},
            {'mos_avg': float('nan')},
            {'seconds': 1e9},
            {'loss_in': 'all'},
            {'jitter': True},
            {'codec': 'x' * 10_000},
            {'sip_call_id': '\0'},
        ):
            with self.subTest(values), self.assertRaises(ValidationError):
                self.report(**values)
        with self.assertRaises(AccessError):
            self.report(self.boris)

    def test_no_browser_fills_the_database(self):
        with patch.object(call_quality, 'MOST_A_DAY', 2):
            for number in (1, 2):
                self.report(sip_call_id=f'{number}@b')
            with self.assertRaises(ValidationError):
                self.report(sip_call_id='3@b')
            self.report(sip_call_id='2@b')  # told twice
        self.assertEqual(self.env['telephony.call.quality'].search_count([]), 2)


class TestGone(SoftphoneData, TelephonyHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_softphone()

    def setUp(self):
        super().setUp()
        self.authenticate('tel_anna', 'tel_anna')
        self.lease = self.rpc('softphone_claim', 'chrome', 'Chrome')['lease']

    def gone(self, body):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.url_open('/telephony/softphone/gone', data=body).status_code

    @property
    def leases(self):
        self.env.invalidate_all()
        return self.env['telephony.softphone'].search([])

    def test_a_page_goes_away(self):
        self.assertEqual(self.gone({'lease': self.lease, 'talking': False}), 204)
        self.assertFalse(self.leases, "another browser gets the phone at once")

    def test_what_is_no_report(self):
        for body, status in (
            (b'{', 400),
            (b'[]', 400),
            (b'{"lease": 1}', 403),
            ({'lease': 'x' * 5000}, 413),
            ({'lease': 'another'}, 403),
        ):
            with self.subTest(str(body)[:20]):
                self.assertEqual(self.gone(body), status)
        self.authenticate('tel_boris', 'tel_boris')
        self.assertEqual(self.gone({'lease': self.lease}), 403, "a colleague with the token")
        self.authenticate(None, None)
        self.gone({'lease': self.lease})
        self.assertTrue(self.leases)

    def leave_a_talk(self):
        self.play(
            self.event('ringing', extension='101'), self.event('answered', at=1, extension='101')
        )
        self.assertEqual(self.gone({'lease': self.lease, 'talking': True}), 204)
        return self.leases

    def test_nobody_comes_back_to_the_customer(self):
        pbx = self.plug_in()
        lease = self.leave_a_talk()
        cron = self.env.ref('crm_telephony.ir_cron_softphone_gone')
        cron.method_direct_trigger()
        self.assertFalse(pbx.told, "they have some seconds")
        lease.gone_at -= timedelta(seconds=20)
        cron.method_direct_trigger()
        self.assertEqual(pbx.told, [('hang_up', 'c1', '101')])
        self.assertFalse(self.leases)

    def test_a_call_that_was_passed_on_is_left_alone(self):
        pbx = self.plug_in()
        self.play(
            self.event('ringing', 'before', extension='101'),
            self.event('answered', 'before', at=1, extension='101'),
            self.event('transferred', 'before', at=2, extension='102'),
            self.event('answered', 'before', at=3, extension='102'),
        )
        self.leave_a_talk().gone_at -= timedelta(seconds=20)
        self.env.ref('crm_telephony.ir_cron_softphone_gone').method_direct_trigger()
        self.assertEqual(pbx.told, [('hang_up', 'c1', '101')])

    def test_the_next_page_takes_the_talk_up(self):
        pbx = self.plug_in()
        self.leave_a_talk()
        self.rpc('softphone_claim', 'chrome', 'Chrome')
        self.assertFalse(self.leases.gone_at)
        self.env.ref('crm_telephony.ir_cron_softphone_gone').method_direct_trigger()
        self.assertFalse(pbx.told)

    @mute_logger('odoo.addons.crm_telephony.models.softphone.lease')
    def test_a_pbx_that_cannot_hang_up(self):
        self.plug_in(complaint="no")
        self.leave_a_talk().gone_at -= timedelta(seconds=20)
        self.env.ref('crm_telephony.ir_cron_softphone_gone').method_direct_trigger()
        self.assertFalse(self.leases)

    def test_the_page_knows_only_that_there_is_one(self):
        info = self.url_open('/web/session/get_session_info', json={}).json()['result']
        self.assertIs(info['telephony']['softphone'], True)
        self.assertNotIn(PASSWORD, json.dumps(info))
        self.assertNotIn('pbx.example.com', json.dumps(info))
