"""The PBXs of `make run`: the clients drive them over HTTP, and what they post is read by the
adapters."""

import io
import sys
import time
import unittest
import urllib.error
import urllib.request
from contextlib import redirect_stdout
from datetime import datetime, timezone
from unittest.mock import patch
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers import clients, registry
from odoo.addons.crm_telephony.providers.base import Account, ProviderError, WebhookRequest

from .provider_case import ProviderCase
from .providers.dialects import Pbx
from .providers.server import Answer, FakePbx

try:
    # not shipped with the addon
    from ..dev.simulate import __main__ as command
    from ..dev.simulate import odoo as simulated_odoo
    from ..dev.simulate import pbx, switchboard
    from ..dev.simulate.post import Webhook
except ImportError as error:
    MISSING = f"NOT TESTED: the demo's PBXs, there is no dev/ here: {error}"
else:
    MISSING = ''

SECRET, CUSTOMER, LINE = 'demo-secret-0001', '+77015550199', '+77273550101'
PHONES = {'101': "Айгерим", '102': "Данияр", '103': ""}
PATIENCE = 20  # seconds


class Inbox(FakePbx):
    """Where the PBX posts to: Odoo's webhook, as far as HTTP goes."""

    def answer(self, request):
        return Answer('ok')


@unittest.skipIf(MISSING, MISSING)
class DemoCase(ProviderCase):
    def setUp(self):
        super().setUp()
        self.provider = registry[self.code]
        self.inbox = Inbox()
        self.addCleanup(self.inbox.close)
        account = simulated_odoo.Account(
            self.code,
            Webhook(self.inbox.url),
            Pbx(SECRET, 'demo', ZoneInfo('Asia/Almaty'), self.inbox.url),
            1,
            '',
        )
        line = simulated_odoo.Line(LINE, 'Сайт', self.code, 'team', tuple(PHONES))
        self.complaints = []
        self.pbx = pbx.SERVERS[self.code](account, [line], PHONES, self.complaints.append)
        self.is_open = True
        self.addCleanup(self.close)
        self.settings = Account(
            api_key='demo',
            api_secret=SECRET,
            api_url=self.pbx.url,
            webhook_url=self.inbox.url,
            timezone='Asia/Almaty',
            country='KZ',
            extensions=frozenset(PHONES),
            own_numbers=frozenset({LINE}),
        )
        self.client = clients[self.code](self.settings)

    def close(self):
        if self.is_open:
            self.is_open = False
            self.pbx.close()

    def pace(self, **seconds):
        """How long people take, in seconds; what is not named happens at once, or never ends."""
        for name, value in {
            'PICK_UP': 0,
            'CUSTOMER_ANSWERS': 0,
            'COLLEAGUE_ANSWERS': 0,
            'TALK': 600,
            **seconds,
        }.items():
            self.startPatcher(patch.object(switchboard, name, value))

    def heard(self):
        """What Odoo makes of everything that was posted so far."""
        now = datetime.now(timezone.utc)
        deliveries = [
            (
                WebhookRequest(
                    method=request.method,
                    body=request.body,
                    headers=request.headers,
                    form={
                        name: tuple(values)
                        for name, values in parse_qs(
                            request.body.decode(), keep_blank_values=True
                        ).items()
                    }
                    if self.code == 'zadarma'
                    else {},
                ),
                now,
            )
            for request in list(self.inbox.requests)
        ]
        inbox = self.receive(deliveries, self.settings)
        self.assertEqual(inbox.failed, [])
        return self.records(inbox, self.settings)

    def until(self, is_so, what):
        """The one call, as soon as it is so."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            records = self.heard()
            if records and is_so(records[0]):
                self.assertEqual(len(records), 1)
                return records[0]
            time.sleep(0.05)
        return self.fail(f'{what}: {records}')

    def until_talking(self, phone):
        return self.until(
            lambda call: call.state == 'in_progress'
            and (
                call.direction == 'outbound'
                and call.extension == phone
                and not call.legs
                or self.talking(call) == {phone}
            ),
            f'{phone} talks',
        )

    @staticmethod
    def talking(call):
        return {leg.extension for leg in call.legs if leg.answered_at and not leg.ended_at}

    def until_ended(self):
        return self.until(lambda call: call.state == 'ended', 'the end')


@tagged('post_install', '-at_install', 'crm_telephony')
class TestDemoAsterisk(DemoCase):
    code = 'asterisk'

    def call_in(self, phone='101', key='demo'):
        request = urllib.request.Request(  # noqa: S310 - our own stand-in
            f'{self.pbx.url}{pbx.INCOMING}?customer=%2B77015550199&phone={phone}',
            method='POST',
            headers={'Authorization': pbx.basic(key, SECRET)},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return answer.status

    def test_it_is_an_asterisk(self):
        self.assertIn("ARI and AMI over HTTP answer", self.client.check())
        self.assertEqual(
            [(one.number, one.name) for one in self.client.extensions()], list(PHONES.items())
        )
        stranger = clients['asterisk'](
            Account(api_key='demo', api_secret='other', api_url=self.pbx.url)
        )
        with self.assertRaisesRegex(ProviderError, "does not accept"):
            stranger.check()

    def test_a_click_rings_talks_and_is_hung_up(self):
        self.pace()
        ref = self.client.dial('101', CUSTOMER, 'odoo-1')
        call = self.until_talking('101')
        self.assertEqual(
            (call.external_id, call.direction, call.called), (ref, 'outbound', '87015550199')
        )
        self.client.hang_up(ref, '101')
        call = self.until_ended()
        self.assertEqual((call.outcome, call.extension), ('answered', '101'))
        self.assertEqual(self.pbx.live_channels(), [])
        with self.assertRaisesRegex(ProviderError, "over"):
            self.client.hang_up(ref, '101')

    def test_a_click_that_is_not_picked_up_is_no_call(self):
        self.pace(PICK_UP=600)
        ref = self.client.dial('101', CUSTOMER, '')
        self.client.hang_up(ref, '101')
        self.close()
        self.assertTrue(self.inbox.requests)
        self.assertEqual(self.heard(), [])

    def test_hung_up_while_the_customers_phone_rings(self):
        self.pace(CUSTOMER_ANSWERS=600)
        ref = self.client.dial('101', CUSTOMER, '')
        self.until(lambda call: call.state == 'ringing', 'dialling')
        self.client.hang_up(ref, '101')
        self.assertEqual(self.until_ended().outcome, 'no_answer')

    def test_the_customer_hangs_up_in_the_end(self):
        self.pace(TALK=0)
        self.client.dial('101', CUSTOMER, '')
        self.assertEqual(self.until_ended().outcome, 'answered')

    def test_passed_on(self):
        """A call in and a call out, at once and after a word with the colleague, who then ends
        it."""
        for is_clicked in (False, True):
            for attended in (False, True):
                with self.subTest(is_clicked=is_clicked, attended=attended):
                    self.inbox.requests.clear()
                    self.pace()
                    self.startPatcher(patch.multiple(pbx, RINGS=0, TALKS=600))
                    if is_clicked:
                        self.client.dial('101', CUSTOMER, '')
                    else:
                        self.call_in()
                    ref = self.until_talking('101').external_id
                    self.client.transfer(ref, '102', attended)
                    if attended:
                        # putting down the own phone passes it on, though the customer's goes on
                        self.until_colleague_is_asked()
                        self.client.hang_up(ref, '101')
                    self.until(lambda call: self.talking(call) == {'102'}, '102 talks')
                    self.assertEqual(self.heard()[0].state, 'in_progress')
                    self.client.hang_up(ref, '102')
                    call = self.until_ended()
                    self.assertEqual(call.outcome, 'answered')
                    self.assertEqual(
                        {leg.extension: leg.outcome for leg in call.legs},
                        {'101': 'answered', '102': 'answered'},
                    )
                    self.assertEqual((call.extension, self.pbx.live_channels()), ('101', []))

    def until_colleague_is_asked(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if any(
                row['Channel'].startswith('PJSIP/102') and row.get('BridgeId')
                for row in self.pbx.live_channels()
            ):
                return
            time.sleep(0.05)
        self.fail("102 was not asked")

    def test_an_incoming_call_rings_and_may_be_ended_before_it_is_taken(self):
        self.pace()
        self.call_in('102')
        call = self.until(lambda call: call.state == 'ringing' and call.legs, 'it rings')
        self.assertEqual(
            (call.direction, call.caller, [leg.extension for leg in call.legs]),
            ('inbound', CUSTOMER.lstrip('+'), ['102']),
        )
        self.client.hang_up(call.external_id, '102')
        self.assertEqual(self.until_ended().outcome, 'missed')

    def test_who_may_call_in(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.call_in(key='other')
        self.assertEqual(caught.exception.code, 401)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.call_in(phone='999')
        self.assertEqual(caught.exception.code, 404)
        self.assertIn("101, 102, 103", caught.exception.read().decode())
        self.assertEqual(self.pbx.live_channels(), [])

    def test_when_it_stops_no_call_goes_on(self):
        self.pace()
        self.client.dial('101', CUSTOMER, '')
        self.until_talking('101')
        self.close()
        self.assertEqual([call.state for call in self.heard()], ['ended'])

    def test_what_cannot_be_delivered_is_tried_again(self):
        self.startPatcher(patch.object(pbx, 'PAUSE_SECONDS', 0))
        self.pace()
        self.inbox.next_answers = [Answer('', 503), None]
        self.client.dial('101', CUSTOMER, '')
        self.until_talking('101')
        # what was refused has arrived all the same: the PBX may not have read the answers yet
        self.until(lambda _call: len(self.complaints) >= 2, 'both refusals are told')
        self.assertEqual(len(self.complaints), 2)
        self.assertNotIn(SECRET, ''.join(self.complaints))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestDemoZadarma(DemoCase):
    code = 'zadarma'

    def test_a_click_becomes_a_call(self):
        self.startPatcher(patch.multiple(pbx, CLOUD_PICK_UP=0, CLOUD_WAIT=0, CLOUD_TALK=0))
        self.client.dial('101', CUSTOMER, '')
        call = self.until_ended()
        self.assertEqual(
            (call.direction, call.called, call.extension), ('outbound', CUSTOMER.lstrip('+'), '101')
        )

    def test_when_it_stops_no_call_goes_on(self):
        self.startPatcher(patch.multiple(pbx, CLOUD_PICK_UP=0, CLOUD_WAIT=0, CLOUD_TALK=600))
        self.client.dial('101', CUSTOMER, '')
        self.until(lambda call: call.state != 'ended', 'it goes on')
        self.close()
        self.assertEqual([call.state for call in self.heard()], ['ended'])


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestDemoCommands(ProviderCase):
    code = 'generic'

    def test_hours_that_a_day_lacks(self):
        for first, hours, lacking in (
            (0, [], [(0, 24)]),
            (13, [], [(13, 24)]),
            (0, [(13, 18), (9, 13)], [(0, 9), (18, 24)]),
            (10, [(9, 13), (14, 18)], [(13, 14), (18, 24)]),
            (20, [(9, 18)], [(20, 24)]),
            (23, [(0, 24)], []),
        ):
            self.assertEqual(simulated_odoo.gaps(first, hours), lacking)

    def test_the_demo_needs_no_secret(self):
        """Address and secret are looked up in the demo database."""
        posted = []

        class Odoo:
            def __init__(self, url, database, login, password):
                self.where = url, database

            def accounts(self):
                return {
                    'asterisk': simulated_odoo.Account(
                        'asterisk', Webhook('http://127.0.0.1:1/hook'), Pbx(SECRET, 'demo'), 1, ''
                    )
                }

        def run(*arguments):
            with (
                patch.object(command, 'Odoo', Odoo),
                patch.object(sys, 'argv', ['simulate', *arguments]),
                patch.object(
                    Webhook,
                    'post',
                    lambda webhook, request: posted.append((webhook.url, request)) or '',
                ),
                redirect_stdout(io.StringIO()),
            ):
                command.main()

        run(
            '--db',
            'demo',
            '--url',
            'http://127.0.0.1:1',
            'play',
            '--pbx',
            'asterisk',
            '--scenario',
            'missed',
        )
        self.assertEqual({url for url, _request in posted}, {'http://127.0.0.1:1/hook'})
        registry['asterisk'].verify(
            WebhookRequest(
                body=posted[0][1].body,
                headers={name.lower(): value for name, value in posted[0][1].headers.items()},
            ),
            Account(api_secret=SECRET),
        )
        with self.assertRaisesRegex(SystemExit, "has no Twilio"):
            run(
                '--db',
                'demo',
                '--url',
                'http://127.0.0.1:1',
                'play',
                '--pbx',
                'twilio',
                '--scenario',
                'missed',
            )
        with self.assertRaisesRegex(SystemExit, "has not served"):
            run('--db', 'no_such_database', 'call')
