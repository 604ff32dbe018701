"""What a PBX hears that asks who calls and who should get the call, through the real webhook."""

import base64
import hashlib
import hmac
import json
import time
from unittest.mock import patch

from odoo.addons.crm_telephony.models.matching import routing as telephony_route
from odoo.addons.crm_telephony.models.matching.routing import LONGEST_WAIT, ROUTED, Caller, router

from .common import CUSTOMER, DID, SECRET, TelephonyHttpCase
from .providers.mango_office.fake import FakeMangoOffice
from .providers.server import Answer


class TestRouting(TelephonyHttpCase):
    """In Zadarma's dialect: the answer to NOTIFY_START steers the call."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pbx = cls.new_account(cls.company, provider='zadarma')
        cls.number.account_id = cls.pbx
        cls.env['telephony.extension'].create(
            [
                {'number': '101', 'account_id': cls.pbx.id, 'user_id': cls.anna.id},
                {'number': '102', 'account_id': cls.pbx.id, 'user_id': cls.boris.id},
            ]
        )
        cls.lead = cls.new_lead(user_id=cls.boris.id)

    def start(self, caller=CUSTOMER, at_work=True):
        """The answer to the start of a call, as JSON, None when it is empty."""
        form = {
            'event': 'NOTIFY_START',
            'caller_id': caller.lstrip('+'),
            'called_did': DID.lstrip('+'),
            'call_start': '2026-11-02 10:15:00',
            'pbx_call_id': f'in_{caller}',
        }
        text = form['caller_id'] + form['called_did'] + form['call_start']
        mac = hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).hexdigest()
        with patch.object(type(self.env['telephony.account']), '_is_at_work', return_value=at_work):
            response = self.url_open(
                self.path(self.pbx, 'zadarma'),
                data=form,
                headers={'Signature': base64.b64encode(mac.encode()).decode()},
            )
        self.assertEqual(response.status_code, 200)
        return json.loads(response.text) if response.text else None

    def test_the_owner_of_the_deal_is_rung_first_and_the_phone_shows_who_calls(self):
        self.assertEqual(
            self.start(), {'caller_name': "Customer", 'redirect': '102', 'return_timeout': 15}
        )
        self.assertEqual(
            self.events(self.pbx).mapped('kind'),
            ['NOTIFY_START'],
            "the question is an event all the same",
        )

    def test_several_deals_of_one_salesperson_are_his(self):
        self.new_lead(user_id=self.boris.id)
        self.assertEqual(self.start()['redirect'], '102')
        self.new_lead(user_id=self.anna.id)
        self.assertEqual(
            self.start(), {'caller_name': "Customer"}, "whose customer it is, is not known"
        )

    def test_a_colleague_is_no_customer(self):
        self.anna.partner_id.write(
            {'phone': '+77012223344', 'country_id': self.env.ref('base.kz').id}
        )
        self.assertIsNone(self.start('+77012223344'))

    def test_an_owner_who_is_not_at_work_is_left_in_peace(self):
        self.assertEqual(self.start(at_work=False), {'caller_name': "Customer"})

    def test_the_admin_can_switch_it_off(self):
        self.pbx.route_to_owner = False
        self.assertEqual(self.start(), {'caller_name': "Customer"})

    def test_strangers_change_nothing(self):
        for caller in ('+77012223344', 'anonymous', DID):
            self.assertIsNone(self.start(caller))

    def test_what_takes_too_long_or_breaks_is_not_answered_but_kept(self):
        matcher = type(self.env['telephony.matcher'])
        with (
            patch('odoo.addons.crm_telephony.models.matching.answer.ANSWER_MILLISECONDS', 50),
            patch.object(
                matcher, '_match', lambda self, *args: self.env.cr.execute("SELECT pg_sleep(5)")
            ),
            self.assertLogs('odoo.addons.crm_telephony.models.matching.answer', 'WARNING'),
        ):
            self.assertIsNone(self.start())
        with (
            patch.object(matcher, '_match', side_effect=ZeroDivisionError),
            self.assertLogs('odoo.addons.crm_telephony.models.inbox.account', 'ERROR'),
        ):
            self.assertIsNone(self.start('+77012223344'))
        self.assertEqual(len(self.events(self.pbx)), 2)

    def test_working_hours_of_the_owner(self):
        for at_work, hours in ((True, [(day, 0, 24) for day in range(7)]), (False, [])):
            self.calendar.attendance_ids.unlink()
            self.calendar.attendance_ids = [
                (
                    0,
                    0,
                    {
                        'name': str(day),
                        'dayofweek': str(day),
                        'hour_from': first,
                        'hour_to': last,
                        'day_period': 'morning',
                    },
                )
                for day, first, last in hours
            ]
            self.boris.resource_calendar_id = self.calendar
            self.assertEqual(self.pbx._is_at_work(self.boris), at_work)


class TestDialplanLookup(TelephonyHttpCase):
    """In Asterisk's dialect: the dialplan asks with CURL() before it dials."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pbx = cls.new_account(cls.company, provider='asterisk', api_key='crm')
        cls.number.account_id = cls.pbx
        cls.env['telephony.extension'].create(
            {'number': '102', 'account_id': cls.pbx.id, 'user_id': cls.boris.id}
        )
        cls.partner.name = 'Zoë "${SHELL(rm)}" & Co | x'
        cls.lead = cls.new_lead(user_id=cls.boris.id)
        cls.startClassPatcher(
            patch.object(type(cls.env['telephony.account']), '_is_at_work', return_value=True)
        )

    def look_up(self, number, login=('crm', SECRET)):
        headers = (
            {'Authorization': 'Basic ' + base64.b64encode(':'.join(login).encode()).decode()}
            if login
            else {}
        )
        return self.url_open(
            f"{self.path(self.pbx, 'asterisk', '/route')}?number={number}&did={DID[1:]}",
            headers=headers,
        )

    def test_the_owner_and_a_name_that_a_dialplan_can_take(self):
        response = self.look_up('87771234567')
        self.assertEqual(response.text, '102|Zoë SHELL(rm) & Co x')
        self.assertEqual(self.look_up('+77012223344').text, '|')
        self.assertEqual(self.look_up('anonymous').text, '|')
        self.assertFalse(self.events(self.pbx), "a question is no event")

    def test_nobody_asks_without_the_login(self):
        for login in (None, ('crm', 'wrong'), ('', SECRET), ('crm', '')):
            with self.subTest(login=login):
                self.assertEqual(self.look_up('87771234567', login).status_code, 403)


class TestSending(TelephonyHttpCase):
    """In Mango Office's dialect: it does not ask, but a caller who waits in the menu or queue can
    be sent on. Events come through the real webhook, commands go to the stand-in over real HTTP."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fake = FakeMangoOffice()
        cls.addClassCleanup(cls.fake.close)
        cls.pbx = cls.new_account(
            cls.company,
            provider='mango_office',
            api_key=FakeMangoOffice.key,
            api_secret=FakeMangoOffice.secret,
            api_url=f'{cls.fake.url}/vpbx/',
        )
        cls.number.account_id = cls.pbx
        cls.env['telephony.extension'].create(
            [
                {'number': '101', 'account_id': cls.pbx.id, 'user_id': cls.anna.id},
                {'number': '102', 'account_id': cls.pbx.id, 'user_id': cls.boris.id},
            ]
        )
        cls.lead = cls.new_lead(user_id=cls.boris.id)
        cls.startClassPatcher(
            patch.object(type(cls.env['telephony.account']), '_is_at_work', return_value=True)
        )
        # what the thread does, as soon as filing is over
        cls.waiting = []
        cls.startClassPatcher(
            patch.object(
                router,
                'wake',
                lambda database, account_id, callers: cls.waiting.extend(
                    (database, account_id, caller) for caller in callers
                ),
            )
        )

    def setUp(self):
        super().setUp()
        self.fake.requests.clear()
        self.fake.next_answers.clear()

    def tell(self, *legs, path='events/call'):
        """Legs of the call as events: (leg, state, location, more)."""
        for place, (leg, state, location, more) in enumerate(legs):
            event = {
                'entry_id': 'ent-1',
                'call_id': leg,
                'timestamp': int(time.time()) + place,
                'seq': place + 1,
                'call_state': state,
                'location': location,
                'from': {'number': CUSTOMER[1:]},
                'to': {'number': DID[1:], 'line_number': DID[1:]},
                **more,
            }
            self.deliver(path, event)
        self.file_calls(self.pbx)
        while self.waiting:
            telephony_route._send(*self.waiting.pop(0))
        self.env.invalidate_all()

    def deliver(self, path, event):
        text = json.dumps(event, separators=(',', ':'))
        sign = hashlib.sha256((self.fake.key + text + self.fake.secret).encode()).hexdigest()
        response = self.url_open(
            self.path(self.pbx, 'mango_office', f'/{path}'),
            data={'vpbx_api_key': self.fake.key, 'sign': sign, 'json': text},
        )
        self.assertEqual(response.status_code, 200)

    def routed(self):
        """(leg, phone) of the commands that Mango got."""
        asked = [request.content for request in self.fake.asked('/vpbx/commands/route')]
        return [(content['call_id'], content['to_number']) for content in asked]

    def note(self):
        return self.events(self.pbx).filtered(lambda event: event.kind == ROUTED)

    def test_a_caller_in_the_menu_is_sent_to_the_owner_once(self):
        self.tell(('menu', 'Appeared', 'ivr', {}))
        self.assertEqual(self.routed(), [('menu', '102')])
        self.tell(('menu', 'Connected', 'ivr', {}), ('queue', 'Appeared', 'queue', {}))
        self.tell(('menu', 'Disconnected', 'ivr', {'disconnect_reason': 1100}))
        self.assertEqual(self.routed(), [('menu', '102')], "once a call")
        call = self.call('ent-1', self.pbx)
        self.assertRecordValues(
            self.note(),
            [
                {
                    'call_id': call.id,
                    'state': 'done',
                    'error': False,
                    'payload': '{"extension": "102"}',
                }
            ],
        )
        self.tell(
            ('boris', 'Appeared', 'abonent', {'to': {'extension': '102', 'line_number': DID[1:]}})
        )
        self.tell(
            ('boris', 'Connected', 'abonent', {'to': {'extension': '102', 'line_number': DID[1:]}})
        )
        self.assertRecordValues(call, [{'state': 'in_progress', 'user_id': self.boris.id}])
        self.assertEqual(self.note().state, 'done')

    def test_who_waits_in_a_queue_is_sent_by_the_leg_of_the_queue(self):
        self.tell(
            ('queue', 'Appeared', 'queue', {'to': {'line_number': DID[1:], 'acd_group': '500'}})
        )
        self.assertEqual(self.routed(), [('queue', '102')])

    def test_a_phone_that_rings_already_is_not_disturbed(self):
        self.tell(
            ('anna', 'Appeared', 'abonent', {'to': {'extension': '101', 'line_number': DID[1:]}})
        )
        self.tell(('queue', 'Appeared', 'queue', {}))
        self.assertEqual(self.routed(), [])

    def test_nobody_is_sent_where_there_is_no_owner_at_work(self):
        self.tell(('menu', 'Appeared', 'ivr', {'from': {'number': '77012223344'}}))
        with patch.object(type(self.env['telephony.account']), '_is_at_work', return_value=False):
            self.tell(('menu', 'Connected', 'ivr', {'entry_id': 'ent-2'}))
        self.pbx.route_to_owner = False
        self.tell(('menu', 'Connected', 'ivr', {'entry_id': 'ent-3'}))
        self.assertEqual(self.routed(), [])
        self.assertFalse(self.note())

    def test_our_own_calls_and_ended_ones_are_not_sent(self):
        self.tell(
            (
                'boris',
                'Appeared',
                'abonent',
                {
                    'from': {'extension': '102'},
                    'to': {'number': CUSTOMER[1:], 'line_number': DID[1:]},
                },
            )
        )
        self.tell(
            ('menu', 'Appeared', 'ivr', {'entry_id': 'ent-2'}),
            ('menu', 'Disconnected', 'ivr', {'entry_id': 'ent-2', 'disconnect_reason': 1110}),
        )
        self.assertEqual(self.routed(), [])

    def test_a_replay_sends_nobody(self):
        self.pbx.route_to_owner = False
        self.tell(('menu', 'Appeared', 'ivr', {}))
        self.pbx.route_to_owner = True
        self.env.cr.execute(
            "UPDATE telephony_event SET state = 'pending', received_at = received_at - make_interval(secs => %s)",
            [LONGEST_WAIT + 1],
        )
        self.env.invalidate_all()
        self.file_calls(self.pbx)
        self.assertEqual(self.events(self.pbx).state, 'done')
        self.assertEqual(self.routed(), [])

    def test_what_mango_refuses_stands_on_the_event_and_is_not_tried_again(self):
        self.fake.next_answers.append(Answer({'result': 4101}))
        self.tell(('menu', 'Appeared', 'ivr', {}))
        self.tell(('menu', 'Connected', 'ivr', {}))
        self.assertEqual(len(self.fake.requests), 1)
        self.assertEqual(self.note().state, 'failed')
        self.assertIn('4101', self.note().error)
        self.assertFalse(self.note().next_try_at)
        self.assertEqual(self.pbx.failed_event_count, 1)
        self.note().action_replay()
        self.assertEqual(len(self.fake.requests), 1, "that moment is over")

    def test_a_pbx_that_does_not_answer_leaves_no_traceback(self):
        self.fake.next_answers.append(None)
        self.tell(('menu', 'Appeared', 'ivr', {}))
        self.assertIn("cannot be reached", self.note().error)
        self.assertEqual(self.call('ent-1', self.pbx).state, 'ringing')

    def test_who_had_to_wait_for_others_too_long_is_left(self):
        self.pbx.route_to_owner = False
        self.tell(('menu', 'Appeared', 'ivr', {}))
        self.pbx.route_to_owner = True
        self.env.flush_all()
        with self.registry.cursor() as cr:
            self.pbx.with_env(self.env(cr=cr))._route(Caller('ent-1', 'menu', time.monotonic() - 1))
        self.env.invalidate_all()
        self.assertEqual(self.routed(), [])
        self.assertIn("too late", self.note().error)

    def test_the_verdict_that_comes_later_is_told(self):
        self.deliver('result/route', {'command_id': 'odoo-1', 'result': 4101})
        self.assertEqual(self.events(self.pbx).error, "The result of a command. Its code: 4101")
