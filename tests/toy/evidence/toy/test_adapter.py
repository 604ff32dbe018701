import json

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers import signing
from odoo.addons.crm_telephony.providers.base import ProviderError, Refused, WebhookRequest

from ...provider_case import ProviderCase


@tagged('post_install', '-at_install', 'crm_telephony')
class TestToyAdapter(ProviderCase):
    code = 'toy'

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

    def test_what_is_left_out(self):
        self.check_nothing_hides_a_call('id', 'direction')

    def test_signature(self):
        with self.assertRaises(Refused):
            self.provider.verify(self.signed({'json': {}}, 'another'), self.account())

    def test_not_understood(self):
        with self.assertRaises(ProviderError):
            self.provider.identify({'id': 't1', 'direction': 'sideways'}, self.account())
