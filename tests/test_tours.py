"""The screens as people use them, and the browser code on its own."""

import json
import re
from datetime import timedelta
from pathlib import Path

from odoo import fields
from odoo.tests import HttpCase, new_test_user, tagged

from .common import CUSTOMER, TelephonyHttpCase, sign

UNIT_TESTS = Path(__file__).parent.parent / 'static/tests'


class TestTours(TelephonyHttpCase):
    def test_salesperson(self):
        lead = self.new_lead()
        start = fields.Datetime.now() - timedelta(hours=2)
        call = self.env['telephony.call'].create(
            {
                'account_id': self.account.id,
                'external_id': 'tour',
                'direction': 'inbound',
                'caller_number': CUSTOMER,
                'called_number': self.number.name,
                'customer_number': CUSTOMER,
                'number_id': self.number.id,
                'start_at': start,
                'ended_at': start + timedelta(seconds=30),
                'wait_seconds': 30,
                'state': 'ended',
                'outcome': 'missed',
                'partner_id': self.partner.id,
                'lead_id': lead.id,
                'match_state': 'auto',
                'leg_ids': [
                    fields.Command.create(
                        {
                            'extension': '101',
                            'user_id': self.anna.id,
                            'start_at': start,
                            'ended_at': start + timedelta(seconds=30),
                            'outcome': 'no_answer',
                        }
                    )
                ],
            }
        )
        call.callback_id = self.env['telephony.callback'].create(
            {
                'company_id': self.company.id,
                'customer_number': CUSTOMER,
                'partner_id': self.partner.id,
                'lead_id': lead.id,
                'user_id': self.anna.id,
                'due_at': start + timedelta(minutes=15),
                'origin_call_id': call.id,
            }
        )
        self.start_tour('/odoo/telephony-calls', 'telephony_salesperson', login='tel_anna')
        self.assertEqual(call.callback_id.state, 'done')
        self.assertEqual(call.callback_id.closed_by_id, self.anna)

    def test_settle(self):
        """An ambiguous call is picked, everything moves, and the next call of that number goes
        there by itself."""
        flour, sugar = self.new_lead(name="Flour"), self.new_lead(name="Sugar")
        self.play(
            self.event('ringing', at=-300, extension='101'),
            self.event('ended', at=-280, outcome='missed'),
        )
        call, callback = self.call(), self.callbacks()
        self.assertRecordValues(call, [{'match_state': 'ambiguous', 'lead_id': False}])
        self.start_tour('/odoo/telephony-settle', 'telephony_settle', login='tel_anna')
        self.assertRecordValues(
            call, [{'match_state': 'manual', 'lead_id': sugar.id, 'partner_id': self.partner.id}]
        )
        self.assertRecordValues(
            callback, [{'state': 'open', 'lead_id': sugar.id, 'user_id': self.anna.id}]
        )
        self.assertEqual(callback.activity_id, sugar.activity_ids)
        self.assertFalse(flour.activity_ids | self.partner.activity_ids)
        lines = {
            record: len(
                record.message_ids.filtered(
                    lambda message: f'data-oe-id="{call.id}"' in (message.body or '')
                )
            )
            for record in (flour, sugar, self.partner)
        }
        self.assertEqual(lines, {flour: 0, sugar: 1, self.partner: 0})
        self.play(
            self.event('ringing', 'c2', -100, extension='101'),
            self.event('answered', 'c2', -90, extension='101'),
            self.event('ended', 'c2', -10, outcome='answered', talk_seconds=80),
        )
        self.assertRecordValues(self.call('c2'), [{'match_state': 'auto', 'lead_id': sugar.id}])
        self.assertEqual(callback.state, 'done')
        self.start_tour('/odoo/telephony-settle', 'telephony_settle_next', login='tel_anna')

    def test_settle_many(self):
        for digit, ref in ((1, 'c1'), (2, 'c2'), (3, 'c3'), (3, 'again'), (4, 'c4')):
            self.play(
                self.event('ringing', ref, caller=f'+7701555001{digit}', extension='101'),
                self.event('ended', ref, 20, caller=f'+7701555001{digit}', outcome='missed'),
            )
        self.start_tour('/odoo/telephony-settle', 'telephony_settle_many', login='tel_anna')
        self.assertEqual(
            [self.call(ref).partner_id for ref in ('c1', 'c2', 'c4')], [self.partner] * 3
        )
        self.assertEqual((self.call('c3') | self.call('again')).mapped('is_excluded'), [True, True])
        self.assertEqual(
            set(self.partner.telephony_number_ids.mapped('number')),
            {'+77015550011', '+77015550012', '+77015550014'},
        )

    def test_call_control(self):
        pbx = self.plug_in()
        lead = self.new_lead(phone=CUSTOMER)
        self.env['phone.blacklist'].add('+77051112233')
        self.env['telephony.callback'].create(
            {
                'company_id': self.company.id,
                'customer_number': '+77051112233',
                'lead_id': lead.id,
                'user_id': self.anna.id,
                'due_at': fields.Datetime.now() + timedelta(hours=1),
            }
        )._plan_activity()
        self.start_tour(f'/odoo/crm.lead/{lead.id}', 'telephony_call_control', login='tel_anna')
        self.assertEqual(pbx.told, [('dial', '101', CUSTOMER), ('dial', '101', '+77051112233')])
        self.assertRecordValues(
            lead.telephony_call_ids,
            [{'is_manual': True, 'talk_seconds': 240, 'note': "He takes it"}],
        )
        self.assertRecordValues(
            self.anna, [{'telephony_pop': True, 'telephony_sound': True, 'telephony_tab': 'new'}]
        )

    def test_admin(self):
        self.start_tour('/odoo/telephony-pbx', 'telephony_admin', login='admin')
        account = self.env['telephony.account'].search([('name', '=', "Tour PBX")])
        self.assertRecordValues(
            account, [{'provider': 'zadarma', 'api_key': 'key', 'api_secret': 'secret'}]
        )


class TestLiveTour(TelephonyHttpCase):
    """Webhook, filing, bus, browser: all of it for real, but that the call is filed within the
    request."""

    def start_live_tour(self, path, tour, login, *events):
        """:param events: what the tour lets the PBX tell, step by step"""
        model, file_now = type(self.env['telephony.account']), self._file_now
        receive = model._receive

        def receive_and_file(account, request):
            reply = receive(account, request)
            account.env.flush_all()
            file_now(account.env.cr.dbname, account.id)
            # what follows by scheduled action: of a result that was saved since, too
            account.env['telephony.call'].search([('follow_up', '=', 'todo')])._follow_up_batch()
            return reply

        self.patch(model, '_receive', receive_and_file)
        deliveries = []
        for event in events:
            body = json.dumps(event)
            deliveries.append(
                {
                    'path': self.path(),
                    'body': body,
                    'headers': {
                        'Content-Type': 'application/json',
                        'X-Telephony-Signature': sign(body.encode()),
                    },
                }
            )
        self.start_tour(
            path,
            tour,
            login=login,
            code=(
                f"window.telephonyDeliveries = {json.dumps(deliveries)}; odoo.startTour('{tour}', {{stepDelay: 0}})"
            ),
        )

    def test_live(self):
        self.start_live_tour(
            '/odoo/telephony-live',
            'telephony_live',
            'tel_super',
            self.event('ringing', at=-20, queue='Sales'),
            self.event('ringing', at=-15, extension='101'),
            self.event('answered', at=-10, extension='101'),
            self.event('ended', outcome='answered', extension='101', talk_seconds=10),
        )
        self.assertEqual(self.call().outcome, 'answered')

    def test_test_call(self):
        """From the first steps to a test that has passed; the tester's own phone rings."""
        admin = new_test_user(
            self.env,
            'tel_admin',
            groups='base.group_user,sales_team.group_sale_salesman,crm_telephony.group_admin',
            name="Admin",
        )
        self.env['telephony.extension'].create(
            {'number': '110', 'account_id': self.account.id, 'user_id': admin.id}
        )
        self.account.recording_hosts = 'records.example.com'
        self.start_live_tour(
            '/odoo/telephony-start',
            'telephony_test_call',
            'tel_admin',
            self.event('ringing', extension='110'),
            self.event('answered', at=5, extension='110'),
            self.event('ended', at=15, outcome='answered', extension='110', talk_seconds=10),
            self.event('recording', at=16, recording_url='https://records.example.com/1.mp3'),
        )
        self.assertRecordValues(
            self.env['telephony.test.call'].search([]),
            [{'state': 'passed', 'user_id': admin.id, 'found_by': 'phone', 'phone': False}],
        )

    def test_callback_board(self):
        """Of a callback that is nobody's: no news of one's own debts."""
        self.play(self.event('ended', 'lost', -300, outcome='missed', wait_seconds=20))
        self.callbacks().user_id = False
        self.start_live_tour(
            '/odoo/telephony-callbacks',
            'telephony_board_live',
            'tel_super',
            self.outbound('answered', at=-30),
            self.outbound('ended', at=-10, outcome='answered', talk_seconds=20),
            self.event('ringing', 'other', caller='+77012223344'),
        )
        self.assertRecordValues(
            self.callbacks(), [{'state': 'done', 'closing_call_id': self.call('o1').id}]
        )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestBrowserUnits(HttpCase):
    def test_units(self):
        with self.assertLogs(self._logger, 'DEBUG') as logs:
            try:
                self.browser_js(
                    # as a plain word it would find whatever has its letters in this order, other
                    # addons' too
                    '/web/tests?headless&loglevel=2&preset=desktop&timeout=15000&filter=/%5E@crm_telephony%5C//',
                    '',
                    '',
                    login='admin',
                    timeout=300,
                    success_signal='[HOOT] Test suite succeeded',
                    error_checker=lambda message: '[HOOT]' not in message,
                )
            except AssertionError as error:
                raise AssertionError(
                    '\n'.join(line for line in logs.output if '[HOOT]' in line)
                ) from error
        ran = sum('Test "@crm_telephony/' in line and '" passed' in line for line in logs.output)
        # HOOT calls it a success when its filter finds none; what a loop makes many of is written
        # once
        written = sum(
            len(re.findall(r'^ *test\(', path.read_text(), re.MULTILINE))
            for path in UNIT_TESTS.glob('*.test.js')
        )
        self.assertTrue(written and ran >= written, f"{written} tests are written, {ran} ran")
