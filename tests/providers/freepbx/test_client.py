"""What the commands to FreePBX do otherwise than those to a plain Asterisk, whose client has its own
tests."""

from odoo.tests import tagged

from ...client_case import ClientCase
from ..asterisk.fake import FakeAsterisk
from ..asterisk.test_client import CUSTOMER, REF, channel


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientFreePbx(ClientCase):
    code = 'freepbx'
    fake_class = FakeAsterisk
    settings = {
        'api_key': FakeAsterisk.key,
        'api_secret': FakeAsterisk.secret,
        'country': 'GB',
        'extensions': ('101', '102', '103'),
    }

    def test_twins_are_no_extensions(self):
        self.assertEqual(
            [extension.number for extension in self.client().extensions()], ['101', '102', '103']
        )

    def test_dial(self):
        self.client().dial('101', '+442079460188', '')
        asked = self.fake.asked('/ari/channels')[-1]
        self.assertEqual(asked.query['endpoint'], 'PJSIP/101')
        self.assertEqual(
            asked.json(), {'variables': {'AMPUSER': '101', '__REALCALLERIDNUM': '101'}}
        )

    def test_a_twin_rings_where_the_phone_is_away(self):
        self.fake.endpoints[0] = ('PJSIP', '101', 'offline')
        self.client().dial('101', '+442079460188', '')
        self.assertEqual(self.fake.asked('/ari/channels')[-1].query['endpoint'], 'PJSIP/99101')

    def test_transfer(self):
        twin = channel('PJSIP/99101-00000002', '1772428501.11')
        self.fake.channels = [CUSTOMER, twin]
        self.client().transfer(REF, '103', False)
        self.client().transfer(REF, '103', True)
        self.assertEqual(
            [(form['Action'], form['Channel'], form['Context']) for form in self.fake.actions()],
            [
                ('Redirect', CUSTOMER['Channel'], 'from-internal-xfer'),
                ('Atxfer', twin['Channel'], 'from-internal-xfer'),
            ],
        )
