"""A PBX that tells of no calls: the browsers that are its phones tell, through the same inbox."""

import json
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from .common import CUSTOMER, TelephonyHttpCase
from .test_softphone import SoftphoneData


@tagged('post_install', '-at_install', 'crm_telephony')
class TestBrowserTells(SoftphoneData, TelephonyHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_softphone()
        cls.account.browsers_tell = True

    def setUp(self):
        super().setUp()
        self.authenticate('tel_anna', 'tel_anna')
        self.lease = self.rpc('softphone_claim', 'chrome', 'Chrome')['lease']

    def tell(self, event, call='a@b', lease=None, **more):
        body = {
            'lease': lease or self.lease,
            'call': call,
            'event': event,
            'direction': 'inbound',
            'number': CUSTOMER,
            **more,
        }
        return self.send(json.dumps(body).encode())

    def send(self, body):
        status = self.url_open('/telephony/softphone/event', data=body).status_code
        self.file_calls()
        return status

    def told(self):
        calls = self.env['telephony.call'].search([])
        return [
            (call.direction, call.outcome, call.extension, call.customer_number) for call in calls
        ]

    def test_calls_of_both_directions(self):
        for event in ('ringing', 'ringing', 'answered', 'ended'):
            self.assertEqual(self.tell(event, outcome='answered'), 204)
        self.assertEqual(self.told(), [('inbound', 'answered', '101', CUSTOMER)])
        event = self.env['telephony.event'].search([], limit=1)
        self.assertEqual(json.loads(event.payload)['source'], 'browser')
        self.tell('ringing', 'out', direction='outbound')
        self.tell('ended', 'out', direction='outbound', outcome='busy')
        self.assertIn(('outbound', 'busy', '101', CUSTOMER), self.told())

    def test_taken_elsewhere(self):
        self.tell('ringing')
        self.assertTrue(self.told())
        self.tell('void')
        self.assertFalse(self.told())

    def test_what_came_late(self):
        self.tell('ringing', seconds_ago=3600)
        self.tell('ended', seconds_ago=3590, outcome='missed')
        call = self.env['telephony.call'].search([])
        self.assertGreater(call.create_date.timestamp() - call.start_at.timestamp(), 3500)

    def test_what_is_refused(self):
        cases = {
            'another lease': ({'lease': 'x'}, 403),
            'the future': ({'seconds_ago': -1}, 400),
            'no moment': ({'seconds_ago': float('nan')}, 400),
            'long ago': ({'seconds_ago': 10**9}, 400),
            'no number': ({'number': '<b>'}, 400),
            'a long number': ({'number': '7' * 40}, 400),
            'control characters': ({'call': 'a\0b'}, 400),
            'turned around': ({'call': '\u202eabc'}, 400),
            'no id': ({'call': ''}, 400),
            'a long id': ({'call': 'x' * 300}, 400),
            'another direction': ({'direction': 'internal'}, 400),
            'another outcome': ({'outcome': 'x'}, 400),
            'too long': ({'call': 'x' * 5000}, 413),
        }
        for what, (values, status) in cases.items():
            with self.subTest(what):
                self.assertEqual(self.tell('ringing', **values), status)
        for body in (b'[]', b'null', b'{"lease": 1', b'3'):
            self.assertEqual(self.send(body), 400)
        self.assertEqual(self.tell('recording'), 400)
        self.authenticate('tel_boris', 'tel_boris')
        self.assertEqual(self.tell('ringing'), 403, "a colleague with the token")
        self.assertFalse(self.env['telephony.event'].search([]))

    def test_a_pbx_that_tells_itself(self):
        self.account.browsers_tell = False
        self.assertEqual(self.tell('ringing'), 403)
        self.account.provider = 'asterisk'
        with self.assertRaises(ValidationError):
            self.account.browsers_tell = True

    def test_a_burst(self):
        now = fields.Datetime.now()
        lease = self.env['telephony.softphone'].search([])
        lease.write({'told_at': now, 'told_count': 20})
        with patch.object(fields.Datetime, 'now', lambda: now):
            self.assertEqual(self.tell('ringing'), 429)
        self.assertFalse(self.env['telephony.event'].search([]))

    def test_nobody_tells_of_a_colleagues_call(self):
        """The same SIP Call-ID at another phone is another call."""
        self.tell('ringing')
        call = self.env['telephony.call'].search([])
        self.assertEqual(call.external_id, 'web:101:a@b')
