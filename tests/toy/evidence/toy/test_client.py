from odoo.tests import tagged

from ...client_case import ClientCase
from .fake import FakeToy


@tagged('post_install', '-at_install', 'crm_telephony')
class TestToyClient(ClientCase):
    code = 'toy'
    fake_class = FakeToy
    settings = {'api_secret': FakeToy.secret}

    def test_dial(self):
        self.assertEqual(self.client().dial('101', '+77771234567'), 'toy-+77771234567')
        [request] = self.fake.asked('/calls')
        self.assertEqual(request.json(), {'phone': '101', 'number': '+77771234567'})

    def test_only_our_phones(self):
        self.assert_error("no extension", False, self.client().dial, '999', '+77771234567')
        self.assertEqual(self.fake.requests, [])

    def test_credentials(self):
        self.assert_error("not complete", False, self.client(api_secret='').dial, '101', '102')
        client = self.client(api_secret='wrong')
        self.assert_error("Who are you", False, client.dial, '101', '102')
