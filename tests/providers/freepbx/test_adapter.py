import json

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers import registry, signing
from odoo.addons.crm_telephony.providers.asterisk.ami import Channel
from odoo.addons.crm_telephony.providers.base import ProviderError, Refused, Stored, WebhookRequest

from ...provider_case import ProviderCase, moment, scenarios

RECEIVED = moment('2026-03-02T07:00:00Z')


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderFreePBX(ProviderCase):
    """What FreePBX does otherwise than a plain Asterisk, whose adapter has its own tests."""

    code = 'freepbx'

    def account(self, **values):
        values = {'country': 'GB', **values}
        return super().account(
            **{**values, 'own_numbers': frozenset(values.get('own_numbers', ()))}
        )

    def signed(self, delivery, secret):
        body = json.dumps(delivery['json']).encode()
        return WebhookRequest(
            body=body, headers={signing.HEADER: 'sha256=' + signing.hmac_sha256(secret, body)}
        )

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_typography(self):
        self.check_typography()

    def test_same_events_without_time(self):
        """The bridge adds ReceivedAt where the PBX sends no Timestamp; Timestamp counts where both
        are there."""
        for name, scenario in scenarios(self.code):
            account = self.account(**scenario['account'])
            events = [
                event for delivery in scenario['deliveries'] for event in delivery['json']['events']
            ]
            stamped = [
                {**event, 'Timestamp': event['ReceivedAt'], 'ReceivedAt': '1'} for event in events
            ]
            both = []
            for kind in (events, stamped):
                inbox = self.receive(
                    [(self.signed({'json': {'events': kind}}, self.secret), RECEIVED)], account
                )
                both.append(self.records(inbox, account))
            with self.subTest(name):
                self.assertEqual(*both)

    def test_plain_asterisk_streams_mean_the_same(self):
        plain = registry['asterisk']
        account = self.account(
            extensions={'101', '102', '103'}, own_numbers=frozenset({'+442079460001'})
        )
        for name, stream in scenarios('asterisk'):
            stored = {}
            for payload in self.provider.split(
                WebhookRequest(body=json.dumps({'events': stream['events']}).encode())
            ):
                identity = self.provider.identify(payload, account)
                self.assertEqual(identity, plain.identify(payload, account))
                stored.setdefault(identity.call_ref, []).append(Stored(payload, RECEIVED))
            for ref, own in stored.items():
                with self.subTest(name, call=ref):
                    self.assertEqual(
                        self.provider.translate(own, account), plain.translate(own, account)
                    )

    def test_twins(self):
        account = self.account(extensions={'101', '99103', '103'})
        for name, extension in (
            ('PJSIP/101-0000000a', '101'),
            ('PJSIP/99101-0000000a', '101'),
            ('PJSIP/98101-0000000a', '101'),
            ('PJSIP/99103-0000000a', '99103'),
            ('PJSIP/99105-0000000a', '99105'),
            ('PJSIP/97101-0000000a', '97101'),
            ('Local/99101@from-queue-00000001;1', ''),
        ):
            self.assertEqual(
                self.provider.phone(Channel('1.1', name, 'from-internal'), account), extension, name
            )
        self.assertEqual(
            self.provider.phone(Channel('1.1', 'PJSIP/99101-0000000a', 'from-pstn'), account), ''
        )

    def test_signature(self):
        request = self.signed({'json': {'events': []}}, self.secret)
        self.provider.verify(request, self.account())
        for wrong in (
            WebhookRequest(body=request.body),
            self.signed({'json': {'events': []}}, 'another'),
        ):
            with self.assertRaises(Refused):
                self.provider.verify(wrong, self.account())

    def test_bodies_that_are_none(self):
        for body in (
            b'',
            b'[]',
            b'{}',
            b'{"events": "Newchannel"}',
            b'{"events": {"Event": "Hangup"}}',
            b'x',
        ):
            with self.assertRaises(ProviderError):
                self.provider.split(WebhookRequest(body=body))
        self.assertEqual(self.provider.split(WebhookRequest(body=b'{"events": []}')), [])

    def test_nothing_stored(self):
        self.assertEqual(self.provider.translate([], self.account()), [])
