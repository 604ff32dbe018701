"""How deliveries are known as genuine, one vector a scheme, and what is answered."""

import base64
import hashlib
import hmac
import json
import time
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import (
    Account,
    Answer,
    ProviderError,
    Refused,
    WebhookRequest,
)
from odoo.addons.crm_telephony.providers.custom import schemes

from ...provider_case import ProviderCase

BODY = b'{"e": "r", "token": "k3y-0001", "a": "x", "b": "y"}'
SECRET = 'k3y-0001'


def mac(text, algorithm='sha256', secret=SECRET):
    return hmac.new(secret.encode(), text, getattr(hashlib, algorithm))


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def jwt(claims, secret=SECRET, alg='HS256'):
    head = f"{b64url(json.dumps({'alg': alg}).encode())}.{b64url(json.dumps(claims).encode())}"
    return f'{head}.{b64url(mac(head.encode(), secret=secret).digest())}'


def template_with(auth, **more):
    return json.dumps(
        {
            'telephony_template': 1,
            'language': 1,
            'id': 'small',
            'label': 'Small',
            'auth': auth,
            'call': '$.id',
            'request': {'body': ['json', 'form', 'query', 'jwt']},
            'rules': [{'name': 'all', 'events': [{'kind': 'ringing'}]}],
            **more,
        }
    )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestCustomAdapter(ProviderCase):
    code = 'custom'
    secret = SECRET

    def signed(self, delivery, secret):
        return WebhookRequest(body=json.dumps(delivery['json']).encode())

    def account(self, **values):
        text = next(
            text for text in self.provider.templates() if json.loads(text)['id'] == 'plain-json'
        )
        return super().account(**{'template': text, **values})

    def verify(self, auth, headers=None, body=BODY, secret=SECRET, **request):
        account = Account(
            api_key='odoo',
            api_secret=secret,
            template=template_with(auth),
            senders=request.pop('senders', ()),
        )
        request = WebhookRequest(
            headers=headers or {}, body=body, url='https://odoo.example/hook', **request
        )
        self.provider.of(account).verify(request, account)

    def refuses(self, *args, **kwargs):
        with self.assertRaises(Refused) as refused:
            self.verify(*args, **kwargs)
        self.assertEqual(refused.exception.status, 403)
        self.assertNotIn(SECRET, str(refused.exception))
        return str(refused.exception)

    # --- samples -----------------------------------------------------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_typography(self):
        self.check_typography()

    def test_what_is_left_out(self):
        self.check_nothing_hides_a_call('call_id', 'event')

    # --- genuine -----------------------------------------------------------------------------------------------------

    def test_hmac(self):
        for algorithm in ('sha1', 'sha256', 'sha512'):
            code = mac(BODY, algorithm)
            for encoding, text in {
                'hex': code.hexdigest(),
                'base64': base64.b64encode(code.digest()).decode(),
                'base64-of-hex': base64.b64encode(code.hexdigest().encode()).decode(),
            }.items():
                auth = {'hmac': algorithm, 'encoding': encoding, 'header': 'X-Sig', 'prefix': 'v='}
                with self.subTest(algorithm, encoding=encoding):
                    self.verify(auth, {'x-sig': f'v={text}'})
                    self.refuses(auth, {'x-sig': f'v={text}'}, secret='another')
                    self.refuses(auth, {'x-sig': f'v={text}'}, body=BODY + b' ')
                    self.refuses(auth, {'x-sig': text})
                    self.refuses(auth, {'x-sig': f'v={text},v={text}'})
                    self.assertIn('x-sig', self.refuses(auth, {}))
                    self.assertIn('no secret', self.refuses(auth, {'x-sig': text}, secret=''))
                    other = {**auth, 'encoding': 'hex' if encoding != 'hex' else 'base64'}
                    self.refuses(other, {'x-sig': f'v={text}'})

    def test_hmac_of_more_than_the_body(self):
        now = str(int(time.time()))
        old = str(int(time.time()) - 301)
        for over, signed in {
            'url+body': b'https://odoo.example/hook' + BODY,
            'timestamp.body': f'{now}.'.encode() + BODY,
            'timestamp|body': f'{now}|'.encode() + BODY,
        }.items():
            auth = {'hmac': 'sha256', 'header': 'x-sig', 'over': over}
            if over != 'url+body':
                auth['timestamp_header'] = 'x-time'
            with self.subTest(over):
                self.verify(auth, {'x-sig': mac(signed).hexdigest(), 'x-time': now})
        # behind a proxy the sender knows the public address alone
        account = Account(
            api_secret=SECRET,
            webhook_url='https://public.example/t0ken',
            template=template_with({'hmac': 'sha256', 'header': 'x-sig', 'over': 'url+body'}),
        )
        signed = mac(b'https://public.example/t0ken/calls?a=1' + BODY).hexdigest()
        inner = 'http://10.0.0.1:8069/t0ken/calls?a=1'
        request = WebhookRequest(url=inner, suffix='calls', headers={'x-sig': signed}, body=BODY)
        self.provider.of(account).verify(request, account)
        stale = mac(f'{old}.'.encode() + BODY).hexdigest()
        timed = {'hmac': 'sha256', 'header': 'x-sig', 'over': 'timestamp.body'}
        self.refuses({**timed, 'timestamp_header': 'x-time'}, {'x-sig': stale, 'x-time': old})
        self.refuses({**timed, 'timestamp_header': 'x-time'}, {'x-sig': stale, 'x-time': 'nan'})
        fresh = mac(f'{now}.'.encode() + BODY).hexdigest()
        self.verify({**timed, 'structured': True}, {'x-sig': f't={now},v1={fresh}'})
        self.refuses({**timed, 'structured': True}, {'x-sig': f't={old},v1={stale}'})
        self.refuses({**timed, 'structured': True}, {'x-sig': f'v1={fresh}'})
        fields = {'hmac': 'sha256', 'header': 'x-sig', 'over': ['$.a', '$.b']}
        self.verify(fields, {'x-sig': mac(b'xy').hexdigest()})
        self.refuses(fields, {'x-sig': mac(b'yx').hexdigest()})
        self.refuses(fields, {'x-sig': mac(b'').hexdigest()}, body=b'{"broken')

    def test_logins_headers_and_fields(self):
        login = 'Basic ' + base64.b64encode(f'odoo:{SECRET}'.encode()).decode()
        wrong = 'Basic ' + base64.b64encode(b'odoo:another').decode()
        for auth, good, bad in [
            ({'basic': True}, {'authorization': login}, {'authorization': wrong}),
            (
                {'bearer': True},
                {'authorization': f'Bearer {SECRET}'},
                {'authorization': 'Bearer x'},
            ),
            ({'header': 'X-Token'}, {'x-token': SECRET}, {'x-token': SECRET + SECRET}),
            (
                {'header': 'X-Token', 'prefix': 'k '},
                {'x-token': f'k {SECRET}'},
                {'x-token': SECRET},
            ),
        ]:
            with self.subTest(auth):
                self.verify(auth, good)
                self.refuses(auth, bad)
                self.refuses(auth, {})
                self.refuses(auth, good, secret='')
        self.verify({'field': '$.token'})
        self.refuses({'field': '$.a'})
        self.refuses({'field': '$.none'})
        self.refuses({'field': '$.token'}, body=b'{')
        self.refuses({'field': '$.none'}, body=b'{"none": ""}', secret='')
        self.verify({'field': '~.query.t'}, query={'t': (SECRET,)})
        either = {'any': [{'hmac': 'sha256', 'header': 'x-sig'}, {'basic': True}]}
        self.verify(either, {'authorization': login})
        self.verify(either, {'x-sig': mac(BODY).hexdigest()})
        self.refuses(either, {'authorization': wrong, 'x-sig': 'x'})

    def test_tokens(self):
        auth = {'jwt': 'header', 'payload_hash': True}
        good = {'payload_hash': hashlib.sha256(BODY).hexdigest(), 'iat': int(time.time())}

        def header(claims, **how):
            return {'authorization': f'Bearer {jwt(claims, **how)}'}

        self.verify(auth, header(good))
        self.refuses(auth, header(good, secret='another'))
        self.refuses(auth, header(good, alg='none'))
        self.refuses(auth, header(good), body=BODY + b' ')
        self.refuses(auth, header({}))
        self.refuses(auth, header({**good, 'exp': int(time.time()) - 1000}))
        self.refuses(auth, header({**good, 'nbf': int(time.time()) + 1000}))
        self.refuses(auth, header({**good, 'exp': 'never'}))
        self.refuses(auth, {})
        for broken in ('x', 'a.b', 'a.b.c', '..', 'é.é.é', f'{b64url(b"[")}.e30.x'):
            self.refuses(auth, {'authorization': f'Bearer {broken}'})
        self.verify({'jwt': 'body'}, body=jwt({'id': 'c1'}).encode())
        self.refuses({'jwt': 'body'}, body=jwt({'id': 'c1'}, secret='x').encode())

    def test_ed25519(self):
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        except ImportError:
            self.skipTest("NOT TESTED: Ed25519, cryptography is not installed")
        key, now = Ed25519PrivateKey.from_private_bytes(b'1' * 32), str(int(time.time()))
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        auth = {'ed25519': True, 'header': 'x-sig', 'timestamp_header': 'x-time'}
        sig = base64.b64encode(key.sign(f'{now}|'.encode() + BODY)).decode()
        self.verify(auth, {'x-sig': sig, 'x-time': now}, secret=public)
        self.refuses(auth, {'x-sig': sig, 'x-time': now}, secret=public, body=BODY + b' ')
        self.refuses(auth, {'x-sig': sig, 'x-time': now}, secret='no key')
        self.refuses(auth, {'x-sig': 'é', 'x-time': now}, secret=public)
        with patch.dict('sys.modules', {'cryptography.hazmat.primitives.asymmetric': None}):
            self.assertIn(
                'cryptography', self.refuses(auth, {'x-sig': sig, 'x-time': now}, secret=public)
            )

    def test_senders(self):
        auth = {'address_only': True, 'senders': ['192.0.2.0/24']}
        self.verify(auth, remote_addr='192.0.2.7')
        self.assertIn('198.51.100.1', self.refuses(auth, remote_addr='198.51.100.1'))
        self.refuses(auth, remote_addr='')
        # the account's own list counts instead
        self.verify(auth, remote_addr='198.51.100.1', senders=('198.51.100.1',))
        self.refuses(auth, remote_addr='192.0.2.7', senders=('198.51.100.1',))

    def test_every_scheme_has_its_check(self):
        from odoo.addons.crm_telephony.providers.custom.language import SCHEMES

        self.assertEqual(set(SCHEMES), set(schemes.SCHEMES))

    def test_a_broken_template_lets_nobody_in(self):
        """Its authentication still counts if that part of it is sound."""
        for text, lets_in in [
            (template_with({'header': 'x-token'}, rules=[]), True),
            (template_with({'header': 'x-token', 'typo': 1}, rules=[]), False),
            ('{', False),
        ]:
            account = Account(api_secret=SECRET, template=text)
            adapter = self.provider.of(account)
            self.assertTrue(adapter.unusable())
            request = WebhookRequest(headers={'x-token': SECRET}, body=BODY)
            if lets_in:
                adapter.verify(request, account)
                with self.assertRaises(ProviderError):
                    adapter.split(request)
            else:
                with self.assertRaises(Refused):
                    adapter.verify(request, account)
            with self.assertRaises(Refused):
                adapter.verify(WebhookRequest(body=BODY), account)

    def test_the_secret_is_not_kept(self):
        for auth in ({'field': '$.token'}, {'field': '~.query.t'}):
            account = Account(api_secret=SECRET, template=template_with(auth))
            [payload] = self.provider.of(account).split(
                WebhookRequest(
                    body=BODY if '$' in auth['field'] else b'{}',
                    query={'t': (SECRET,)} if '~' in auth['field'] else {},
                )
            )
            self.assertNotIn(SECRET, json.dumps(payload))
            self.assertIn('***', json.dumps(payload))

    # --- answers -----------------------------------------------------------------------------------------------------

    def test_who_calls(self):
        text = template_with(
            {'address_only': True},
            rules=[
                {
                    'name': 'asks',
                    'when': [{'path': '$.cmd', 'is': 'contact'}],
                    'asks': {'number': '$.phone', 'called': '$.did'},
                    'reply': {
                        'type': 'application/json',
                        'body': '{"name": "{caller_name}", "to": "{manager}"}',
                        'nobody': '{}',
                    },
                },
                {'name': 'all', 'events': [{'kind': 'ringing'}]},
            ],
        )
        account = Account(template=text)
        adapter = self.provider.of(account)
        request = WebhookRequest(body=b'{"cmd": "contact", "phone": "7701", "did": "7727"}')
        question = adapter.question(request, account)
        self.assertEqual(
            (question.kind, question.number, question.called), ('lookup', '7701', '7727')
        )
        self.assertIsNone(adapter.question(WebhookRequest(body=b'{"id": "1"}'), account))
        self.assertIsNone(adapter.question(WebhookRequest(body=b'{'), account))
        self.assertEqual(adapter.reply(request, Answer()).body, '{}')
        nasty = Answer(caller_name='A "B" {manager}\n', manager='101')
        told = json.loads(adapter.reply(request, nasty).body)
        self.assertEqual(told, {'name': 'A "B" {manager} ', 'to': '101'})

    def test_handshake(self):
        text = template_with({'basic': True}, reply={'body': '{echo}', 'echo': 'challenge'})
        account = Account(api_key='odoo', api_secret=SECRET, template=text)
        adapter = self.provider.of(account)
        for told, answer in [('abc-1', 'abc-1'), ('<script>', None), ('x' * 201, None), ('', None)]:
            reply = adapter.handshake(WebhookRequest(query={'challenge': (told,)}))
            self.assertEqual(reply and reply.body, answer)
        both = WebhookRequest(query={'challenge': ('abc',), 'event': ('x',)})
        self.assertIsNone(adapter.handshake(both), "an event must not pass for a handshake")
        self.assertEqual(adapter.reply(both).body, 'abc')
        self.assertIsNone(self.provider.handshake(both))
