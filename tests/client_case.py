"""Drives a client against its vendor's stand-in, and what it fetched through the adapter, as the
inbox does."""

import json
from datetime import datetime, timezone

from odoo.tests import BaseCase

from odoo.addons.crm_telephony.providers import clients, registry
from odoo.addons.crm_telephony.providers.base import Account, ProviderError, Stored, dump
from odoo.addons.crm_telephony.providers.fold import fold
from odoo.addons.crm_telephony.tools.words import Words

LOGS = 'odoo.addons.crm_telephony.providers.client'


def utc(*parts) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)


class ClientCase(BaseCase):
    code = ''
    fake_class = None
    settings = {}

    def setUp(self):
        super().setUp()
        self.fake = self.fake_class()
        self.addCleanup(self.fake.close)
        self.provider = registry[self.code]

    def account(self, **values) -> Account:
        values = {'api_url': self.fake.url, 'extensions': ('101', '102'), **self.settings, **values}
        return Account(
            **{
                **values,
                **{
                    name: frozenset(values[name])
                    for name in ('extensions', 'own_numbers')
                    if name in values
                },
            }
        )

    def client(self, **values):
        return clients[self.code](self.account(**values))

    def assert_error(self, words: str, retryable: bool, talk, *args):
        """The call fails with these words: a sentence for people, translatable, that tells no
        secret and no class."""
        with self.assertRaisesRegex(ProviderError, words) as caught:
            result = talk(*args)
            if hasattr(result, '__next__'):
                list(result)
        self.assertEqual(caught.exception.retryable, retryable, caught.exception)
        told = caught.exception.args[0]
        self.assertIsInstance(told, Words, "it cannot be translated")
        self.assertRegex(told, r'(?s)^[A-Z0-9“+].*([.?]$|: .)', "it is no sentence")
        self.assertNotRegex(told, r'\w(Error|Exception)\b', "it names a class")
        for secret in (self.fake.key, self.fake.secret):
            self.assertNotIn(secret, str(caught.exception))
        return caught.exception

    def sound(self, url, byte_range='', hosts=(), **account):
        """(status, type, bytes) of a recording that is opened with the account's login."""
        opened = self.client(**account).open_sound(url, hosts, byte_range)
        return opened.status, opened.headers['Content-Type'], b''.join(opened.chunks)

    def record(self, payloads, *deliveries, received_at=None, **account):
        """What comes of live deliveries (payload, moment of arrival) and of payloads of the
        history, as one call."""
        settings = self.account(**account)
        stored = [Stored(payload, at) for payload, at in deliveries]
        stored += [Stored(payload, received_at or utc(2026, 3, 9)) for payload in payloads]
        refs = {
            self.provider.identify(json.loads(dump(one.payload)), settings).call_ref
            for one in stored
        }
        self.assertEqual(len(refs), 1, "history and events name the call differently")
        record = fold(self.provider.translate(stored, settings))
        first = stored[len(deliveries) :] + stored[: len(deliveries)]
        self.assertEqual(
            fold(self.provider.translate(first + first, settings)),
            record,
            "as if history came first, twice",
        )
        return record
