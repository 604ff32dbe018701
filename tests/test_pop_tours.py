"""The call on the screen, from the PBX's webhook through filing and the websocket to a real
browser."""

import json
import time
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from odoo.addons.crm_telephony.controllers.filer import filer

from .common import TelephonyHttpCase, sign


@tagged('post_install', '-at_install', 'crm_telephony')
class TestPopTours(TelephonyHttpCase):
    # the page's requests share the test's transaction: on a busy machine the assets alone take
    # longer than the default
    test_cursor_lock_timeout = 90

    @staticmethod
    def wait_for_filer():
        until = time.monotonic() + 20
        while not filer.is_idle() and time.monotonic() < until:
            time.sleep(0.05)
        assert filer.is_idle(), "the filer is still at work"

    def tour(self, name, **events):
        """Run a tour that lets the PBX tell these events."""
        prepared = {}
        for key, event in events.items():
            body = json.dumps(event)
            prepared[key] = {'body': body, 'signature': sign(body.encode())}
        pbx = json.dumps({'address': self.path(), 'events': prepared})
        # the filer's own thread files, as in production: while the browser runs, the test's thread
        # touches no cursor
        with patch.object(
            type(self.env['telephony.event']),
            '_process_in_new_transaction',
            staticmethod(self._file_now),
        ):
            try:
                self.start_tour(
                    '/odoo/telephony-calls',
                    name,
                    login='tel_anna',
                    timeout=120,
                    code=(
                        f"window.telephonyPbx = {pbx}; "
                        f"odoo.startTour({name!r}, {{startUrl: '/odoo/telephony-calls', stepDelay: 0}})"
                    ),
                )
            finally:
                self.wait_for_filer()
        self.env.invalidate_all()

    def test_from_ringing_to_the_result(self):
        self.partner.name = "<b>Aigerim</b>"
        lead = self.new_lead(name="Flour")
        activity = lead.activity_schedule(
            'mail.mail_activity_data_call', user_id=self.anna.id, summary="Ask"
        )
        self.tour(
            'telephony_pop',
            ringing=self.event('ringing', extension='101', at=-4),
            answered=self.event('answered', extension='101', at=-2),
            ended=self.event('ended', extension='101', at=40, outcome='answered', talk_seconds=42),
        )
        self.assertRecordValues(
            self.call(),
            [
                {
                    'note': "Wants samples",
                    'disposition_id': self.env.ref('crm_telephony.disposition_thinking').id,
                }
            ],
        )
        self.assertFalse(activity.active)
        self.assertRecordValues(
            lead.activity_ids,
            [
                {
                    'activity_type_id': self.env.ref('mail.mail_activity_data_call').id,
                    'user_id': self.anna.id,
                }
            ],
        )
        self.assertGreater(lead.activity_ids.date_deadline, fields.Date.today())

    def test_the_page_is_loaded_again_while_the_result_is_written(self):
        flour, oven = self.new_lead(name="Flour"), self.new_lead(name="Oven")
        self.play(
            self.event('ringing', extension='101', at=-60),
            self.event('answered', extension='101', at=-50),
        )
        self.call().with_user(self.anna).link_caller(lead_id=flour.id)
        self.play(self.event('ended', extension='101', at=-8, outcome='answered', talk_seconds=42))
        self.tour('telephony_pop_reload')
        self.assertRecordValues(
            self.call(),
            [
                {
                    'note': "Wants samples",
                    'disposition_id': self.env.ref('crm_telephony.disposition_thinking').id,
                    'lead_id': oven.id,
                }
            ],
        )

    def test_stranger_who_rings_already(self):
        self.play(self.event('ringing', extension='101', caller='+77019999999'))
        self.tour(
            'telephony_pop_stranger',
            answered=self.event('answered', extension='102', at=3, caller='+77019999999'),
        )
        self.assertRecordValues(
            self.call().partner_id,
            [{'name': "Timur", 'company_name': "Dostyk", 'phone': '+77019999999'}],
        )

    def test_two_calls(self):
        self.new_lead(name="Flour")
        other = {'call_id': 'c2', 'caller': '+77010000002', 'extension': '101'}
        self.tour(
            'telephony_pop_two',
            first=self.event('ringing', extension='101'),
            answered=self.event('answered', extension='101', at=1),
            second=self.event('ringing', at=2, **other),
            lost=self.event('ended', at=9, outcome='missed', **other),
            ended=self.event('ended', extension='101', at=40, outcome='answered', talk_seconds=39),
        )
        self.assertEqual(self.call().state, 'ended')
        self.assertFalse(self.call().acw_seconds, "skipped")
