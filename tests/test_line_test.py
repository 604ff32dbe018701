"""The line test of a browser phone: what is kept of it, and what it says to do."""

import json
import re
import socket
import ssl
import threading
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import BaseCase, new_test_user, tagged

from ..models.softphone.line_test import STEPS
from ..providers import registry
from ..providers.advice import LINE_ADVICE, LINE_VALUES
from ..providers.knock import knock
from .common import TelephonyCase
from .test_softphone import SoftphoneData

GREEN = {**dict.fromkeys(STEPS, 'ok'), 'turn': 'skipped'}


class Listener:
    """A server that answers each caller so, and keeps what it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, b''
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        sock, _address = self.socket.accept()
        with sock:
            self.asked = sock.recv(4096)
            sock.sendall(self.answer)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestKnock(BaseCase):
    def knock(self, answer, scheme='ws', path='/ws'):
        listener = Listener(answer)
        self.addCleanup(listener.socket.close)
        return knock(f'{scheme}://127.0.0.1:{listener.port}{path}'), listener.asked

    def test_a_websocket(self):
        found, asked = self.knock(b'HTTP/1.1 101 Switching Protocols\r\n\r\n')
        self.assertEqual(found, ('', ''))
        self.assertTrue(asked.startswith(b'GET /ws HTTP/1.1\r\n'))
        self.assertIn(b'Sec-WebSocket-Protocol: sip', asked)

    def test_what_is_no_websocket(self):
        found, _asked = self.knock(b'HTTP/1.1 404 Not <b>\x00Found\r\n\r\n')
        self.assertEqual(found, ('no_websocket', 'HTTP/1.1 404 Not <b>Found'))
        self.assertEqual(self.knock(b'')[0], ('no_websocket', 'no answer'))
        self.assertEqual(self.knock(b'plain', scheme='wss')[0][0], 'certificate')

    def test_nobody_there(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            port = server.getsockname()[1]
        self.assertEqual(knock(f'ws://127.0.0.1:{port}/'), ('refused', ''))
        self.assertEqual(knock('wss://127.0.0.1:99999999/ws'), ('host_unknown', ''))
        self.assertEqual(knock('wss://nowhere.invalid/ws'), ('host_unknown', ''))

    def test_a_certificate_of_its_own(self):
        error = ssl.SSLCertVerificationError('no')
        error.verify_message = 'self-signed certificate'
        self.enterContext(patch.object(ssl.SSLContext, 'wrap_socket', side_effect=error))
        found, _asked = self.knock(b'', scheme='wss')
        self.assertEqual(found, ('certificate', 'self-signed certificate'))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAdvice(BaseCase):
    def test_every_cause_has_advice_for_every_pbx(self):
        causes = set().union(*(causes for _label, causes in STEPS.values())) - {'set_up'}
        self.assertEqual(causes, LINE_ADVICE.keys())
        for code, provider in registry.items():
            with self.subTest(code):
                self.assertLessEqual(provider.line_advice.keys(), LINE_ADVICE.keys())
                self.assertFalse(provider.line and provider.line_why, "it can, and it cannot")
                for text in {**LINE_ADVICE, **provider.line_advice}.values():
                    named = set(re.findall(r'%\((\w+)\)s', str(text)))
                    self.assertLessEqual(named, set(LINE_VALUES))


class TestLineTest(SoftphoneData, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_softphone()
        cls.phones = cls.env['telephony.extension'].with_user(cls.anna)

    def tested(self, **outcomes):
        rows = self.phones.softphone_line_tested({**GREEN, **outcomes}, outcomes.pop('said', ''))
        return {row['name']: row for row in rows}

    def test_what_it_looks_at(self):
        self.account.echo_number = '600'
        plan = self.phones.softphone_line_plan()
        self.assertEqual(plan['echo'], '600')
        self.assertEqual([step['name'] for step in plan['steps']], list(STEPS))
        with self.assertRaises(AccessError):
            self.phones.with_user(self.boris).softphone_line_plan()

    def test_green(self):
        self.tested()
        self.assertEqual(self.phone.line_test_state, 'passed')
        self.assertTrue(self.phone.line_tested_at)
        self.assertFalse(self.phone.line_test_words)
        self.tested(echo='skipped', sound='skipped')
        self.assertFalse(self.phone.line_test_state, "no sound was tried")

    def test_the_step_that_fails(self):
        rows = self.tested(registration='wrong_password', echo='skipped', sound='skipped')
        self.assertEqual(rows['registration']['state'], 'failed')
        self.assertIn("extension 101", rows['registration']['text'])
        self.assertEqual(rows['sound']['state'], 'skipped')
        self.assertEqual(self.phone.line_test_state, 'failed')
        self.assertIn("extension 101", self.phone.line_test_words)

    def test_the_server_looks_at_an_address_that_does_not_answer(self):
        answers = {
            ('certificate', 'expired'): ('certificate', "expired"),
            ('refused', ''): ('address', "Nothing listens at wss://pbx.example.com/ws"),
            ('', ''): ('address', "this browser does not"),
        }
        for answer, (step, words) in answers.items():
            with self.subTest(answer):
                where = 'odoo.addons.crm_telephony.models.softphone.line_test.knock'
                self.startPatcher(patch(where, lambda url, answer=answer: answer))
                rows = self.tested(address='blocked')
                failed = [name for name, row in rows.items() if row['state'] == 'failed']
                self.assertEqual(failed, [step])
                self.assertIn(words, rows[step]['text'])

    def test_nonsense_is_refused(self):
        for outcomes in (
            {},
            [],
            None,
            {**GREEN, 'stun': 'certificate'},
            {**GREEN, 'page': None},
        ):
            with self.subTest(str(outcomes)), self.assertRaises(ValidationError):
                self.phones.softphone_line_tested(outcomes)
        rows = self.phones.softphone_line_tested({**GREEN, 'address': 'set_up'}, 'a\0b' * 500)
        text = {row['name']: row['text'] for row in rows}['address']
        self.assertTrue(text.startswith('abab'))
        self.assertLessEqual(len(text), 300)

    def test_only_administrators_read_it(self):
        self.tested()
        self.assertNotIn('line_test', self.phone.with_user(self.supervisor).read()[0])

    def test_the_button(self):
        self.assertEqual(
            self.account.with_user(self.anna).action_test_line()['tag'],
            'crm_telephony.line_test',
        )
        other = new_test_user(
            self.env, 'l_admin', groups='base.group_user,crm_telephony.group_admin'
        )
        with self.assertRaises(UserError):
            self.account.with_user(other).action_test_line()

    def test_what_a_pbx_cannot_do_its_form_says(self):
        for code, provider in registry.items():
            if provider.line_why or provider.line_is_trial:
                account = self.env['telephony.account'].new({'provider': code})
                self.assertTrue(account.softphone_note, code)
        self.account.provider = 'uis'
        self.assertIn("Experimental", self.account.softphone_note)
        self.tested()
        self.assertFalse(self.account.softphone_note)
        self.assertIn(
            "widget", self.env['telephony.account'].new({'provider': 'zadarma'}).softphone_note
        )


class TestWhileItHappens(SoftphoneData, TelephonyCase):
    """What a browser phone tells in a talk: bad lines to the board, its talks to another browser."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_softphone()
        cls.phones = cls.env['telephony.extension'].with_user(cls.anna)

    def setUp(self):
        super().setUp()
        with self.enter_registry_test_mode():
            self.lease = self.claim()['lease']
        self.env['bus.bus'].search([]).unlink()

    def board(self):
        board = self.env['telephony.live'].with_user(self.supervisor).get_board()
        return {person['name']: person['trouble'] for person in board['people']}, board['lines']

    def messages(self):
        self.env.cr.precommit.run()
        rows = self.env['bus.bus'].search([])
        return [(json.loads(row.channel), json.loads(row.message)['payload']) for row in rows]

    def test_bad_lines_on_the_board(self):
        self.play(
            self.event('ringing', extension='101'), self.event('answered', at=1, extension='101')
        )
        self.phones.softphone_trouble(self.lease, 'bad_out')
        self.assertIn(
            {'company_id': self.account.company_id.id}, [row for _, row in self.messages()]
        )
        people, _lines = self.board()
        self.assertEqual(people[self.anna.name], "Is heard badly")
        self.assertFalse(people[self.boris.name])
        self.phones.softphone_trouble(self.lease, '')
        self.assertFalse(self.board()[0][self.anna.name])

    def test_after_the_talk_there_is_no_trouble(self):
        self.phones.softphone_trouble(self.lease, 'bad_out')
        self.assertFalse(self.board()[0][self.anna.name], "she does not talk")
        with self.enter_registry_test_mode():
            self.claim()
        self.assertFalse(self.env['telephony.softphone'].search([]).trouble)

    def test_bad_lines_of_today(self):
        report = self.env['telephony.call.quality'].with_user(self.anna).report
        for number, mos in enumerate((3.0, 4.2, 4.3)):
            report({'seconds': 60, 'mos_avg': mos, 'sip_call_id': f'{number}', 'seconds_ago': 1})
        self.assertEqual(self.board()[1], {'bad': 1, 'measured': 3})

    def test_only_the_own_phone_has_trouble(self):
        with self.assertRaises(ValidationError):
            self.phones.softphone_trouble(self.lease, 'x')
        self.phones.with_user(self.boris).softphone_trouble(self.lease, 'bad_in')
        self.phones.softphone_trouble('other', 'bad_in')
        self.assertFalse(self.env['telephony.softphone'].search([]).trouble)

    def test_a_talk_moves(self):
        self.phones.softphone_ask_to_move('firefox')
        talks = [{'call_id': 'a@b', 'local_tag': '1', 'remote_tag': '2'}]
        self.phones.softphone_hand_over(self.lease, 'firefox', talks)
        [(channel, asked), (other, moved)] = self.messages()
        self.assertEqual(
            [asked, moved], [{'move_to': 'firefox'}, {'to': 'firefox', 'talks': talks}]
        )
        for target in (channel, other):
            self.assertEqual(target[1:], ['res.partner', self.anna.partner_id.id])

    def test_who_hands_talks_over(self):
        """Nobody but the browser that is the phone."""
        for user, lease, talks in (
            (self.anna, 'other', []),
            (self.anna, self.lease, 'talks'),
            (self.anna, self.lease, ['talk']),
            (self.anna, self.lease, [{'a': 'x' * 5000}]),
            (self.boris, self.lease, []),
        ):
            with self.subTest(str(talks)[:20]), self.assertRaises(ValidationError):
                self.phones.with_user(user).softphone_hand_over(lease, 'x', talks)
        self.phones.with_user(self.boris).softphone_ask_to_move('x')
        self.assertFalse(self.messages())
