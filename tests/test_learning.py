"""An administrator says what a PBX's requests mean, and goes live: from captured requests to filed
calls."""

import json
from urllib.parse import urlencode

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import new_test_user

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import WebhookRequest

from .common import CUSTOMER, DID, TelephonyCase

OTHER = next(code for code, provider in registry.items() if provider.bench)
TAG = '<img src=x onerror=alert(1)>'


class LearningData:
    """A PBX that tells each step of a call by a form, with Unix times."""

    def told(self, call, begin, answered=True, direction='in', recorded=False):
        """The requests of a call: the seconds after which each comes, and its fields."""
        caller, called = ('77771234567', '77272507612')[:: 1 if direction == 'in' else -1]
        now = int(fields.Datetime.now().timestamp())
        common = {'call_id': call, 'direction': direction, 'from': caller, 'to': called}
        yield begin, {**common, 'event': 'start', 'time': now + begin}
        if answered:
            yield begin + 5, {**common, 'event': 'answer', 'time': now + begin + 5, 'phone': '101'}
        end = begin + (25 if answered else 20)
        yield (
            end,
            {
                **common,
                'event': 'hangup',
                'time': now + end,
                'status': 'ANSWER' if answered else 'NOANSWER',
                'talk': 20 if answered else 0,
                **({'record': f'https://rec.example.com/{call}.mp3'} if recorded else {}),
            },
        )

    def calls(self):
        return [
            *self.told('call-0001', -400, recorded=True),
            *self.told('call-0002', -300, answered=False),
            *self.told('call-0003', -200, direction='out'),
            *self.told('call-0004', -100, answered=False, direction='out'),
        ]


class TestLearning(LearningData, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.unknown = cls.new_account(
            cls.company, provider=OTHER, name="Unknown", api_secret='secret-of-the-pbx'
        )
        cls.env['telephony.extension'].create(
            {'number': '101', 'account_id': cls.unknown.id, 'user_id': cls.anna.id}
        )
        cls.admin = new_test_user(
            cls.env, 'learn_admin', groups='base.group_user,crm_telephony.group_admin', name="Adel"
        )
        cls.mine = cls.unknown.with_user(cls.admin)

    def deliver(self, fields_):
        self.unknown._receive(
            WebhookRequest(
                form={name: (str(value),) for name, value in fields_.items()},
                body=urlencode(fields_).encode(),
                headers={'content-type': 'application/x-www-form-urlencoded'},
            )
        )

    def capture(self, calls=None):
        self.mine.learn_start({'mobile': CUSTOMER, 'dialled': DID, 'phone': '101'})
        now = fields.Datetime.now()
        for seconds, told in calls or self.calls():
            self.deliver(told)
            row = self.env['telephony.capture'].search([], order='id desc', limit=1)
            row.received_at = fields.Datetime.add(now, seconds=seconds)
        return self.mine.get_learning()

    def musts(self, screen):
        return [problem['text'] for problem in screen['problems'] if problem['must']]

    def by_address(self):
        return self.mine.learn_say({'auth': {'address_only': True}})

    def test_from_requests_to_calls(self):
        screen = self.capture()
        self.assertEqual(
            [(shape['letter'], shape['told_by'], shape['event']) for shape in screen['shapes']],
            [
                ('A', 'event=start', 'ringing'),
                ('B', 'event=answer', 'answered'),
                ('C', 'event=hangup', 'ended'),
            ],
        )
        self.assertEqual(
            {path: told['target'] for path, told in screen['fields'].items() if told['target']},
            {
                '$.call_id': 'call',
                '$.direction': 'direction',
                '$.from': 'caller',
                '$.to': 'called',
                '$.phone': 'extension',
                '$.time': 'at',
                '$.status': 'outcome',
                '$.talk': 'talk_seconds',
                '$.record': 'recording_url',
            },
        )
        self.assertEqual(self.musts(screen), ["Choose how genuine requests are known."])
        with self.assertRaises(UserError):
            self.mine.learn_go_live(False)
        self.assertFalse(self.unknown.template_id)

        screen = self.by_address()
        self.assertEqual(self.musts(screen), [])
        self.assertEqual(
            [(call['record']['direction'], call['record']['outcome']) for call in screen['calls']],
            [
                ('inbound', 'answered'),
                ('inbound', 'missed'),
                ('outbound', 'answered'),
                ('outbound', 'no_answer'),
            ],
        )
        self.assertFalse(self.events(self.unknown))

        self.mine.learn_go_live(True)
        self.assertEqual(self.unknown.template_id.state, 'live')
        self.assertFalse(self.env['telephony.capture'].search([]))
        self.file_calls(self.unknown)
        answered = self.call('call-0001', self.unknown)
        self.assertEqual(
            (
                answered.customer_number,
                answered.talk_seconds,
                answered.user_id,
                answered.partner_id,
            ),
            (CUSTOMER, 20, self.anna, self.partner),
        )
        self.assertEqual(self.call('call-0002', self.unknown).outcome, 'missed')

        for _seconds, told in self.told('call-0005', 0):
            self.deliver(told)
        self.file_calls(self.unknown)
        self.assertEqual(self.call('call-0005', self.unknown).outcome, 'answered')

    def test_a_body_that_the_administrator_writes(self):
        screen = self.mine.get_learning()
        self.mine.learn_use(screen['ready_template'])
        body = json.loads(screen['ready_body'])
        body |= {'call_id': 'w-1', 'direction': 'inbound', 'caller': CUSTOMER, 'called': DID}
        for event in ('ringing', 'answered', 'ended'):
            told = json.dumps({**body, 'event': event, 'extension': '101'}).encode()
            self.unknown._receive(WebhookRequest(body=told))
        self.file_calls(self.unknown)
        self.assertEqual(set(self.events(self.unknown).mapped('state')), {'done'})
        self.assertEqual(self.call('w-1', self.unknown).partner_id, self.partner)

    def test_what_was_captured_is_not_filed_unless_wanted(self):
        self.capture()
        self.by_address()
        self.mine.learn_go_live(False)
        self.file_calls(self.unknown)
        self.assertFalse(self.env['telephony.call'].search([('account_id', '=', self.unknown.id)]))

    def test_going_live_again_changes_nothing(self):
        self.capture()
        self.by_address()
        self.mine.learn_go_live(False)
        template = self.unknown.template_id
        self.capture()
        self.mine.learn_go_live(False)
        self.assertEqual(self.unknown.template_id, template)

    def test_a_change_is_a_new_version(self):
        self.capture()
        self.by_address()
        self.mine.learn_go_live(False)
        first = self.unknown.template_id
        self.capture()
        self.mine.learn_say({'path': '$.status', 'word': 'NOANSWER', 'meaning': 'busy'})
        self.assertEqual(self.unknown.template_id, first, "the draft is read by nobody")
        self.mine.learn_go_live(False)
        self.assertEqual((first.version, self.unknown.template_id.version), ('1.0.0', '1.1.0'))
        self.assertEqual(self.unknown.template_id.key, first.key)

    def test_another_id_of_the_call_is_warned_of(self):
        self.capture()
        self.by_address()
        self.mine.learn_go_live(False)
        screen = self.capture(
            [
                (at, {('session_id' if name == 'call_id' else name): told[name] for name in told})
                for at, told in self.calls()
            ]
        )
        self.assertIn("twice", ' '.join(problem['text'] for problem in screen['problems']))
        self.mine.learn_go_live(False)
        self.assertEqual(self.unknown.template_id.version, '2.0.0')

    def test_failed_events_are_read_again(self):
        """What came before anybody had said what it means."""
        for _seconds, told in self.told('call-0009', -500):
            self.deliver(told)
        self.assertEqual(set(self.events(self.unknown).mapped('state')), {'failed'})
        self.capture()
        self.by_address()
        self.mine.learn_go_live(False)
        self.assertEqual(self.mine.learn_replay()['tag'], 'crm_telephony.replayed')
        self.file_calls(self.unknown)
        self.assertEqual(self.call('call-0009', self.unknown).outcome, 'answered')

    def test_what_came_before_is_looked_at(self):
        """Nobody has to call again whose calls lie in the inbox."""
        for _seconds, told in self.calls():
            self.deliver({**told, 'token': 'hidden'})
        count = self.mine.get_learning()['account']['unread']
        screen = self.mine.learn_from_failed()
        self.assertEqual((screen['listening']['count'], screen['listening']['left']), (count, 0))
        self.assertIn('event=hangup', [shape['told_by'] for shape in screen['shapes']])
        self.assertNotIn('hidden', self.env['telephony.capture'].search([]).mapped('request')[0])
        self.env.ref('crm_telephony.ir_cron_forget_captures').method_direct_trigger()
        self.assertTrue(self.env['telephony.capture'].search([]), "it stays a day")

    def test_a_secret_is_tried_on_the_signatures(self):
        from .common import sign

        self.mine.learn_start({})
        for number in range(3):
            body = json.dumps({'id': number}).encode()
            self.unknown._receive(
                WebhookRequest(body=body, headers={'x-pbx-signature': sign(body, 'right-secret')})
            )

        def fits(secret):
            choices = self.mine.learn_secret(secret)['auth']['choices']
            return [(choice['auth'], choice['fits']) for choice in choices][0]

        auth, fit = fits('wrong-secret')
        self.assertEqual(fit, 'no')
        auth, fit = fits('right-secret')
        self.assertEqual(fit, 'yes')
        self.assertEqual(
            auth['any'][0],
            {
                'hmac': 'sha256',
                'encoding': 'hex',
                'header': 'x-pbx-signature',
                'prefix': 'sha256=',
                'over': 'body',
            },
        )

    def test_only_what_was_offered_can_be_chosen(self):
        self.capture()
        for change in (
            {'path': '$.nothing', 'target': 'caller'},
            {'path': '$.from', 'target': 'nothing'},
            {'path': '$.status', 'word': 'ANSWER', 'meaning': 'nothing'},
            {'shape': 'nothing', 'event': 'ended'},
            {'auth': {'any': [{'header': 'x-anything'}]}},
            {'told_apart': '$.nothing'},
            {'path': 7},
            {},
        ):
            with self.subTest(change), self.assertRaises(UserError):
                self.mine.learn_say(change)
        with self.assertRaises(UserError):
            self.mine.learn_use(-1)

    def test_nobody_who_called_is_in_the_template(self):
        self.capture()
        self.by_address()
        self.mine.learn_go_live(False)
        for text in ('77771234567', '7771234567', '77272507612', 'secret-of-the-pbx'):
            self.assertNotIn(text, self.unknown.template_id.content)

    def test_any_names_and_values(self):
        """The screen shows them as text; here they must not break it."""
        self.mine.learn_start({'mobile': TAG})
        for body in (
            json.dumps({TAG: TAG, "it's": {'a"b': [TAG, None, 1.5, True]}}).encode(),
            b'\xff\xfe\x00',
            b'{"broken',
            b'<a b="c"><d>e</d></a>',
            b'',
            b'[[[[1]]]]',
            b'[]',
            b'null',
        ):
            self.unknown._receive(WebhookRequest(body=body))
        screen = self.mine.get_learning()
        self.assertEqual(sum(shape['count'] for shape in screen['shapes']), 8)
        json.dumps(screen)
