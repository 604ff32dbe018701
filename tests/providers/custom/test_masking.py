"""What is kept of a request of an unknown PBX: no secret, and else all that it sent."""

import base64
import json
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import WebhookRequest, dump

from ...provider_case import PROPERTY

SECRET = 'the-secret-of-the-account'
HEX = 'ab' * 32
SALT = b'salt'
BENCH = next(provider.bench for provider in registry.values() if provider.bench)


def kept(secrets=(SECRET,), **request):
    return BENCH.masked(WebhookRequest(**request), secrets, SALT)


def form(**fields):
    return {
        'form': {name: (value,) for name, value in fields.items()},
        'body': urlencode(fields).encode(),
        'headers': {'content-type': 'application/x-www-form-urlencoded'},
    }


@tagged('post_install', '-at_install', 'crm_telephony')
class TestMasking(BaseCase):
    def check_gone(self, hidden, **request):
        stored = kept(**request)
        self.assertNotIn(hidden, dump(stored))
        return stored

    def test_logins(self):
        for header in ('authorization', 'cookie', 'proxy-authorization'):
            self.check_gone('hunter2', headers={header: 'hunter2'})
        stored = self.check_gone('aHVudGVyMg==', headers={'authorization': 'Basic aHVudGVyMg=='})
        self.assertTrue(stored['headers']['authorization'].startswith('Basic masked:'))

    def test_names_of_secrets(self):
        for name in ('crm_token', 'API_KEY', 'password', 'x-auth', 'Sign', 'clientSecret'):
            with self.subTest(name):
                self.check_gone('hunter2', headers={name.lower(): 'hunter2'})
                self.check_gone('hunter2', query={name: ('hunter2',)})
                self.check_gone('hunter2', **form(**{name: 'hunter2'}))
                self.check_gone('hunter2', body=json.dumps({'a': [{name: 'hunter2'}]}).encode())
                self.check_gone('hunter2', body=json.dumps({name: {'x': ['hunter2']}}).encode())
                self.check_gone('hunter2', body=f'<a><{name}>hunter2</{name}></a>'.encode())
                self.check_gone('hunter2', body=f'<a {name}="hunter2"/>'.encode())
                self.check_gone('hunter2', body=f'<{name}><b>hunter2</b></{name}>'.encode())
                self.check_gone('hunter2', body=f'{{"{name}": "hunter2", broken'.encode())
                self.check_gone('hunter2', body=f'call=1\n{name}: hunter2\n'.encode())
                self.check_gone('hunter2', body=f'a=1&{name}=hunter2'.encode())

    def test_packed_secrets(self):
        inner = json.dumps({'call': 1, 'token': 'hunter2'})
        packed = base64.b64encode(inner.encode()).decode()
        for text in (inner, packed):
            stored = self.check_gone(text, body=json.dumps({'msg': text}).encode())
            self.check_gone(text, **form(cdr=text))
            self.assertNotIn('hunter2', dump(stored))
            self.assertNotIn(base64.b64encode(b'hunter2').decode().rstrip('='), dump(stored))

    def test_secrets_of_accounts(self):
        for request in (
            {'headers': {'x-origin': f'https://o.example/hook/{SECRET}/x'}},
            {'query': {'a': (f'b {SECRET} c',)}},
            {'suffix': f'x/{SECRET}'},
            {'body': json.dumps({'url': f'https://o.example/{SECRET}'}).encode()},
            {'body': f'<a>{SECRET}</a>'.encode()},
            {'body': f'anything {SECRET} at all'.encode()},
            form(signature=SECRET),
        ):
            with self.subTest(request):
                self.check_gone(SECRET, **request)
        # a short one would be found in every number
        self.assertEqual(kept(('12',), body=b'{"n": "7012"}')['body'], '{"n": "7012"}')
        self.check_gone('"12"', secrets=('12',), body=b'{"n": "12"}')

    def test_what_says_nothing_secret_stays(self):
        body = b'{"call_id": "c-1",  "from": "+77011112233", "rec": "https://r.example/1.mp3"}'
        stored = kept(body=body, headers={'x-signature': f'sha256={HEX}', 'user-agent': 'pbx'})
        self.assertEqual(stored['body'].encode(), body)
        self.assertEqual(stored['headers']['x-signature'], f'sha256={HEX}')
        self.assertEqual(BENCH.restored(json.loads(dump(stored))).body, body)

    def test_a_mark_is_the_same_for_the_same_secret_of_one_account(self):
        def mark(text, salt=SALT):
            return BENCH.masked(WebhookRequest(query={'key': (text,)}), (), salt)['query']['key']

        self.assertEqual(mark('a'), mark('a'))
        self.assertNotEqual(mark('a'), mark('b'))
        self.assertNotEqual(mark('a'), mark('a', b'other'))

    @PROPERTY
    @given(st.binary(max_size=200))
    def test_any_body_is_kept(self, body):
        stored = json.loads(dump(kept(body=body)))
        self.assertIsInstance(BENCH.restored(stored).body, bytes)

    @PROPERTY
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(['a', 'token', 'b']), inner, max_size=3)
            ),
            max_leaves=12,
        )
    )
    def test_no_document_keeps_a_secret(self, document):
        body = json.dumps({'x': document, 'deep': {'api_key': 'hunter2', 'n': [SECRET]}})
        stored = dump(kept(body=body.encode()))
        self.assertNotIn('hunter2', stored)
        self.assertNotIn(SECRET, stored)
