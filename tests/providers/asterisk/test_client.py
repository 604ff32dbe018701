import logging

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.capabilities import Extension

from ...client_case import LOGS, ClientCase
from ..server import Answer
from .fake import FakeAsterisk


def channel(name, uid, linked='1772428500.10', bridge='b1'):
    return {
        'Channel': name,
        'Uniqueid': uid,
        'Linkedid': linked,
        'BridgeId': bridge,
        'ChannelStateDesc': 'Up',
    }


CUSTOMER = channel('PJSIP/trunk-00000001', '1772428500.10')
PHONE = channel('PJSIP/101-00000002', '1772428501.11')
OTHER = channel('PJSIP/103-00000003', '1772428400.1', linked='1772428400.1', bridge='b2')
REF = CUSTOMER['Linkedid']


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientAsterisk(ClientCase):
    code = 'asterisk'
    fake_class = FakeAsterisk
    settings = {
        'api_key': FakeAsterisk.key,
        'api_secret': FakeAsterisk.secret,
        'country': 'GB',
        'extensions': ('101', '102', '103', '104', 'anna'),
    }

    def dialled(self):
        return self.fake.asked('/ari/channels')[-1]

    # --- logging in and errors ---------------------------------------------------------------------------------------

    def test_check(self):
        self.assertEqual(self.client().check(), "Asterisk 22.10.1: ARI and AMI over HTTP answer.")
        self.assertNotIn(
            self.fake.secret, ' '.join(request.target for request in self.fake.requests)
        )

    def test_passwords_of_browsers(self):
        client = self.client()
        client.one_time_password('104', 'first')
        client.one_time_password('104', 'second')
        self.assertEqual(self.fake.passwords, {'once-104': ('userpass', '104', 'second')})
        client.one_time_password('104', '')
        self.assertFalse(self.fake.passwords)
        for login in ('../endpoint/104', '104?x=1', '', 'x' * 50, '104\n'):
            with self.subTest(login):
                self.assert_error("is no SIP login", False, client.one_time_password, login, 'x')

    def test_wrong_password(self):
        self.assert_error("ARI does not accept", False, self.client(api_secret='other').check)
        self.assert_error(
            "AMI over HTTP does not accept", False, self.client(api_secret='other').hang_up, REF
        )
        self.assert_error("not complete", False, self.client(api_secret='').check)

    def test_what_is_switched_off(self):
        self.fake.next_answers = [Answer('<html>404 Not Found', 404)]
        self.assert_error("no ARI at this address", False, self.client().check)
        self.fake.next_answers = [Answer('Not Found', 404)]
        self.assert_error("webenabled", False, self.client().hang_up, REF)
        self.fake.read_only = True
        self.assert_error("read_only", False, self.client().dial, '101', '+442079460188', '')

    def test_busy_server(self):
        self.fake.next_answers = [Answer('', 503)] * 3
        self.assert_error("503", True, self.client().check)
        self.fake.next_answers = [Answer('', 503)]
        self.assert_error("503", True, self.client().hang_up, REF)
        self.fake.next_answers = [None]
        self.assert_error("cannot be reached", True, self.client().hang_up, REF)

    def test_ami_refuses_with_200(self):
        self.fake.channels = [CUSTOMER, PHONE]
        self.fake.denied = {'Redirect'}
        self.assert_error("AMI: Redirect", False, self.client().transfer, REF, '103', False)
        for body in ('', 'hello', '<html></html>'):
            self.fake.next_answers = [Answer(body)]
            self.assert_error("does not describe", False, self.client().hang_up, REF)

    def test_no_number_in_the_log(self):
        with self.assertLogs(LOGS, logging.INFO) as logs:
            self.client().dial('101', '+442079460188', '')
        self.assertNotIn('7946', ''.join(logs.output))
        self.assertNotIn(self.fake.secret, ''.join(logs.output))

    # --- phones ------------------------------------------------------------------------------------------------------

    def test_extensions(self):
        """A trunk is none; only a PJSIP phone tells its name."""
        self.assertEqual(
            self.client().extensions(),
            [Extension('101', "Anna"), Extension('102'), Extension('103'), Extension('99101')],
        )

    # --- commands ----------------------------------------------------------------------------------------------------

    def test_dial(self):
        ref = self.client().dial('101', '+442079460188', 'odoo-1\r\nx')
        self.assertRegex(ref, r'^odoo-[0-9a-f]{20}$')
        self.assertEqual(
            self.dialled().query,
            {
                'endpoint': 'PJSIP/101',
                'extension': '02079460188',
                'context': 'office',
                'priority': '1',
                'callerId': 'Odoo <101>',
                'timeout': '30',
                'channelId': ref,
            },
        )
        self.assertEqual(self.dialled().json(), {'variables': {'__CRM_REF': 'odoo-1x'}})
        self.assertNotEqual(self.client().dial('101', '+442079460188', 'odoo-1'), ref)

    def test_numbers_as_they_are_dialled(self):
        for country, number, dialled in (
            ('GB', '+77272507612', '0077272507612'),
            ('KZ', '+77272507612', '87272507612'),
            ('KZ', '+442079460188', '810442079460188'),
            ('', '+442079460188', '+442079460188'),
            ('GB', '112', '112'),
        ):
            self.client(country=country).dial('101', number, '')
            self.assertEqual(self.dialled().query['extension'], dialled)

    def test_another_technology(self):
        self.client().dial('103', '+442079460188', '')
        self.assertEqual(self.dialled().query['endpoint'], 'SIP/103')
        self.assertEqual(self.dialled().query['context'], 'from-internal')

    def test_phones_that_cannot_ring(self):
        self.assert_error("not connected", False, self.client().dial, '102', '+442079460188', '')
        self.assert_error("no phone 104", False, self.client().dial, '104', '+442079460188', '')
        self.fake.endpoints.append(('PJSIP', 'nowhere', 'online'))
        self.assert_error(
            "could not call",
            False,
            self.client(extensions=('nowhere',)).dial,
            'nowhere',
            '+442079460188',
            '',
        )

    def test_bad_input_is_not_sent(self):
        client = self.client()
        self.assert_error(
            "no extension of this PBX", False, client.dial, '777', '+442079460188', ''
        )
        self.assert_error(
            "no extension of this PBX",
            False,
            client.dial,
            '101\r\nAction: Command',
            '+442079460188',
            '',
        )
        for number in ('', 'anonymous', '+44207946&x=1', '44 20 7946', '101\r\nExten: 1'):
            self.assert_error("no phone number", False, client.dial, '101', number, '')
        self.assertEqual(self.fake.asked('/ari/channels'), [])
        self.fake.channels = [CUSTOMER, PHONE]
        for name in ('anna', '1\r\n2', '1&2', '1@x'):
            client = self.client(extensions=('101', name))
            self.assert_error("cannot be dialled", False, client.transfer, REF, name, False)
        self.assertEqual(self.fake.actions(), [])

    def test_hang_up(self):
        local = channel('Local/101@office-00000001;1', '1772428500.12')
        self.fake.channels = [local, PHONE, OTHER, CUSTOMER]
        self.client().hang_up(REF)
        self.assertEqual(self.fake.channels, [OTHER])
        deleted = [request.path for request in self.fake.requests if request.method == 'DELETE']
        self.assertEqual(deleted[0], f'/ari/channels/{REF}')
        for ref in (REF, '', '777'):
            self.assert_error("over", False, self.client().hang_up, ref)

    def test_hang_up_of_who_has_asked_a_colleague_first(self):
        asked, plumbing = (
            channel('PJSIP/103-9', '1.3', bridge='b-2'),
            channel('Local/103@office-1;2', '1.4', bridge='b-2'),
        )
        for extension, left in (
            ('101', [CUSTOMER, asked, plumbing]),
            ('103', [CUSTOMER, PHONE, plumbing]),
            ('', []),
        ):
            self.fake.channels = [CUSTOMER, PHONE, asked, plumbing]
            self.client().hang_up(REF, extension)
            self.assertEqual(self.fake.channels, left)

    def test_hang_up_while_it_ends(self):
        self.fake.channels = [CUSTOMER, PHONE, dict(PHONE)]
        self.client().hang_up(REF)
        self.assertEqual(self.fake.channels, [])

    def test_blind_transfer(self):
        for channels in ([CUSTOMER, PHONE], [PHONE, CUSTOMER], [OTHER, CUSTOMER, PHONE]):
            self.fake.channels = channels
            self.client().transfer(REF, '103', False)
            self.assertEqual(
                self.fake.actions()[-1],
                {
                    'Action': 'Redirect',
                    'Channel': CUSTOMER['Channel'],
                    'Context': 'from-internal',
                    'Exten': '103',
                    'Priority': '1',
                },
            )
        self.client().transfer(REF, '101', False)
        self.assertEqual(self.fake.actions()[-1]['Context'], 'office')

    def test_transfer_of_a_click_to_call(self):
        """The first channel is the employee's."""
        self.fake.channels = [
            channel('PJSIP/101-1', 'odoo-1', 'odoo-1'),
            channel('PJSIP/trunk-2', '1.1', 'odoo-1'),
        ]
        self.client().transfer('odoo-1', '103', False)
        self.assertEqual(self.fake.actions()[-1]['Channel'], 'PJSIP/trunk-2')

    def test_transfer_between_colleagues(self):
        self.fake.channels = [PHONE | {'Uniqueid': REF}, channel('PJSIP/104-1', '1.2')]
        self.client().transfer(REF, '103', False)
        self.assertEqual(self.fake.actions()[-1]['Channel'], PHONE['Channel'])

    def test_attended_transfer(self):
        self.fake.channels = [CUSTOMER, channel('PJSIP/103-9', '1.3', bridge=''), PHONE]
        self.client().transfer(REF, '103', True)
        self.assertEqual(
            self.fake.actions(),
            [
                {
                    'Action': 'Atxfer',
                    'Channel': PHONE['Channel'],
                    'Context': 'from-internal',
                    'Exten': '103',
                    'Priority': '1',
                }
            ],
        )
        self.fake.channels = [CUSTOMER]
        self.assert_error("nobody can pass it on", False, self.client().transfer, REF, '103', True)
