"""The status table of the webhook, through real HTTP: what is answered, and what is kept."""

import json
import logging
from unittest.mock import patch

from odoo.exceptions import ConcurrencyError
from odoo.tools import mute_logger

from ..controllers.log_mask import TokenMask
from ..models.pbx import account as telephony_account
from ..providers import registry
from ..tools.turns import Tally
from .common import DID, SECRET, TelephonyHttpCase, sign


class TestWebhook(TelephonyHttpCase):
    def test_understood_event_is_stored_and_becomes_a_call(self):
        self.asked_to_file.clear()
        response = self.post(self.event('ended', outcome='missed', wait_seconds=9))
        self.assertEqual((response.status_code, response.text), (200, ''))
        self.assertTrue(self.asked_to_file.wait(5), "filing must follow the answer")
        self.assertEqual(
            self.events().mapped('state'), ['pending'], "the answer must not wait for filing"
        )
        self.file_calls()
        self.assertEqual(self.events().mapped('state'), ['done'])
        self.assertEqual(self.call().outcome, 'missed')
        self.assertEqual(self.events().call_id, self.call())
        self.assertEqual(self.account.state, 'connected')

    def test_repeat_adds_nothing(self):
        event = self.event('ended', outcome='missed')
        answers = {
            (answer.status_code, answer.text) for answer in (self.post(event) for _ in range(3))
        }
        self.assertEqual(answers, {(200, '')})
        self.file_calls()
        self.post(event)
        self.file_calls()
        self.assertEqual(len(self.events()), 1)
        self.assertEqual(len(self.call()), 1)
        self.assertEqual(len(self.callbacks()), 1)

    def test_an_event_id_that_no_index_could_hold(self):
        for _time in range(2):
            self.assertEqual(self.post(self.event('ended', event_id='e' * 1900)).status_code, 200)
        self.assertEqual(self.events().mapped('state'), ['pending'])

    def test_no_session_and_no_cookie(self):
        response = self.post(self.event('ringing'))
        self.assertNotIn('session_id', response.headers.get('Set-Cookie', ''))

    def test_what_is_not_understood_is_kept_with_the_reason(self):
        for body, reason in [
            (b'{"call_id": "x', "JSON"),
            (b'', "JSON"),
            (b'5', "object"),
            (b'[' * 100_000, "JSON"),
            (json.dumps(self.event('exploded')).encode(), "exploded"),
            (json.dumps({**self.event('ended'), 'call_id': ''}).encode(), "call_id"),
            (json.dumps({**self.event('ended'), 'at': 'yesterday'}).encode(), "yesterday"),
            (json.dumps({**self.event('ended'), 'outcome': 'vanished'}).encode(), "vanished"),
            (json.dumps({**self.event('ended'), 'talk_seconds': 'long'}).encode(), "talk_seconds"),
            (json.dumps({**self.event('ended'), 'caller': ['a', 'b']}).encode(), "caller"),
            (b'\xff\xfe\x00garbage', "JSON"),
            (json.dumps(self.event('ended', 'x' * 3000)).encode(), "call_id"),
            (b'["a\\u0000b\\ud800", 1]', "object"),
            (json.dumps(self.event('a\0b')).encode(), "event"),
            (json.dumps(self.event('ended', 'x' * 300)).encode(), "id of the call"),
        ]:
            with self.subTest(body=body[:60]):
                before = self.events()
                self.assertEqual(self.post(body).status_code, 200)
                for event in self.events() - before:
                    self.assertEqual(event.state, 'failed')
                    self.assertIn(reason, event.error)
                self.assertGreater(self.events(), before)
        self.file_calls()
        self.assertFalse(self.env['telephony.call'].search([('account_id', '=', self.account.id)]))

    def test_a_bad_neighbour_harms_no_good_event(self):
        self.assertEqual(
            self.post(
                [
                    self.event('ended', 'good1', outcome='missed'),
                    {'event': 'ended', 'nonsense': True},
                    7,
                    self.event('ended', 'good2', outcome='answered', talk_seconds=40),
                ]
            ).status_code,
            200,
        )
        self.file_calls()
        self.assertEqual(self.call('good1').outcome, 'missed')
        self.assertEqual(self.call('good2').outcome, 'answered')
        self.assertEqual(
            self.events().filtered(lambda event: event.state == 'failed').mapped('call_ref'),
            [False, False],
        )

    def test_what_the_database_cannot_hold_is_escaped_and_kept(self):
        body = json.dumps(self.event('ended', outcome='missed')).replace(
            '"inbound"', '"inbound", "queue": "a\\u0000b\\ud800c"'
        )
        self.assertEqual(self.post(body.encode()).status_code, 200)
        self.file_calls()
        self.assertEqual(json.loads(self.events().payload)['queue'], 'a\0b\ud800c')
        self.assertEqual(self.call().queue, 'a\ufffdb\ufffdc')

    def test_wrong_or_missing_signature_is_refused_and_counted(self):
        body = json.dumps(self.event('ended')).encode()
        self.startPatcher(
            patch.object(
                telephony_account, '_refusals', Tally(telephony_account.REFUSAL_WRITE_INTERVAL)
            )
        )
        refused = self.account.refused_count
        for header in (
            None,
            '',
            'sha256=',
            'sha256=zz',
            sign(body)[:-1],
            sign(body, 'another'),
            'sha1=' + '0' * 40,
            'é',
        ):
            with self.subTest(header=header):
                headers = {} if header is None else {'X-Telephony-Signature': header.encode()}
                response = self.url_open(
                    self.path(), data=body, headers={'Content-Type': 'application/json', **headers}
                )
                self.assertEqual(response.status_code, 403)
                self.assertNotIn(SECRET, response.text)
                self.assertNotIn(self.account.webhook_token, response.text)
        self.env.invalidate_all()
        self.assertFalse(self.events())
        self.assertGreater(self.account.refused_count, refused)
        self.assertTrue(self.account.refused_reason)

    def test_no_secret_configured_means_refuse(self):
        self.account.api_secret = False
        self.assertEqual(self.post(self.event('ended'), secret='').status_code, 403)
        self.assertFalse(self.events())

    def test_unknown_addresses(self):
        event = self.event('ended')
        self.assertEqual(
            self.post(event, path='/telephony/webhook/generic/' + 'x' * 43).status_code, 404
        )
        for provider in registry:
            if provider != 'generic':
                self.assertEqual(
                    self.post(event, path=self.path(provider=provider)).status_code, 404
                )
        self.account.active = False
        self.assertEqual(self.post(event).status_code, 404)
        self.assertFalse(self.events())

    def test_rotated_token_closes_the_old_address(self):
        old = self.path()
        self.account.action_rotate_token()
        self.assertEqual(self.post(self.event('ended'), path=old).status_code, 404)
        self.assertEqual(self.post(self.event('ended')).status_code, 200)

    def test_state_of_the_account_never_blocks(self):
        for state in ('draft', 'connected', 'error'):
            self.account.state = state
            self.assertEqual(self.post(self.event('ended', f'call-{state}')).status_code, 200)

    def test_size_limit(self):
        room = 1024 * 1024 - len(json.dumps(self.event('ended', padding='')))
        self.assertEqual(
            self.post(self.event('ended', 'fits', padding='x' * (room - 100))).status_code, 200
        )
        self.assertEqual(
            self.post(self.event('ended', 'large', padding='x' * (room + 1000))).status_code, 413
        )
        self.assertEqual(self.events().mapped('call_ref'), ['fits'])

    def test_a_batch_over_500_is_refused_whole(self):
        events = [self.event('ringing', f'b{i}') for i in range(501)]
        response = self.post(events)
        self.assertEqual(response.status_code, 413)
        self.assertIn('500', response.text)
        self.assertFalse(self.events())
        self.assertEqual(self.post(events[:500]).status_code, 200)
        self.assertEqual(len(self.events()), 500)

    def test_any_suffix_and_method(self):
        for suffix in ('/calls/in', '/a/b/c'):
            self.assertEqual(
                self.post(self.event('ringing', suffix), path=self.path(suffix=suffix)).status_code,
                200,
            )
        body = json.dumps(self.event('ringing', 'put')).encode()
        response = self.url_open(
            self.path(),
            data=body,
            method='PUT',
            headers={'Content-Type': 'application/json', 'X-Telephony-Signature': sign(body)},
        )
        self.assertEqual(response.status_code, 200)
        self.assertEqual(len(self.events()), 3)

    @mute_logger('odoo.http', 'odoo.service.model')
    def test_busy_before_storing_asks_to_send_again(self):
        model = type(self.env['telephony.event'])
        with (
            patch.object(model, '_append', side_effect=ConcurrencyError("locked")),
            patch('odoo.service.model.time.sleep'),
        ):
            response = self.post(self.event('ended'))
        self.assertEqual(response.status_code, 503)
        self.assertTrue(int(response.headers['Retry-After']))

    def test_two_accounts_do_not_open_each_others_door(self):
        other = self.new_account(self.company, api_secret='quite-another-secret')
        self.assertEqual(self.post(self.event('ended'), other, secret=SECRET).status_code, 403)
        self.assertEqual(
            self.post(self.event('ended'), other, secret='quite-another-secret').status_code, 200
        )
        self.file_calls(other)
        self.assertFalse(self.call())
        self.assertEqual(self.call(account=other).called_number, DID)


class TestSecretsStayInside(TelephonyHttpCase):
    def test_no_secret_in_the_log(self):
        with self.assertLogs(level='DEBUG') as logs:
            self.post(self.event('ended', marker='7001234567890'))
            self.post(self.event('ended'), secret='wrong')
            self.post(b'{"half')
            self.file_calls()
        # the test's own client
        text = "\n".join(line for line in logs.output if 'urllib3' not in line)
        for secret in (SECRET, self.account.webhook_token, sign(b'{"half'), '7001234567890'):
            self.assertNotIn(secret, text)

    def test_the_access_log_shows_no_token(self):
        [mask] = [
            one for one in logging.getLogger('werkzeug').filters if isinstance(one, TokenMask)
        ]
        record = logging.makeLogRecord(
            {'msg': '%s "%s" 200 -', 'args': ('10.0.0.5', f'POST {self.path()}/a?b=1 HTTP/1.1')}
        )
        self.assertTrue(mask.filter(record))
        self.assertEqual(
            record.getMessage(),
            '10.0.0.5 "POST /telephony/webhook/generic/***/a?b=1 HTTP/1.1" 200 -',
        )
        shared = logging.makeLogRecord(
            {'msg': '"%s" 200 -', 'args': ('GET /telephony/shared/secret/sound?t=1 HTTP/1.1',)}
        )
        self.assertTrue(mask.filter(shared))
        self.assertEqual(
            shared.getMessage(), '"GET /telephony/shared/***/sound?t=1 HTTP/1.1" 200 -'
        )

    def test_secrets_are_for_the_administrator_alone(self):
        for field in ('api_key', 'api_secret', 'webhook_token', 'webhook_url'):
            with self.subTest(field=field):
                for user in (self.anna, self.supervisor):
                    self.assertNotIn(field, self.account.with_user(user).fields_get())
