from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import Stored
from odoo.addons.crm_telephony.providers.capabilities import Extension, Number
from odoo.addons.crm_telephony.providers.mango_office import client as mango_office
from odoo.addons.crm_telephony.providers.mango_office.adapter import sign_of

from ...client_case import ClientCase, utc
from ..server import Answer
from .fake import FakeMangoOffice

START = 1772446500


def row(start=START, answer=0, finish=None, **values) -> dict:
    """A leg of an inbound call to 101."""
    return {
        'records': '[]',
        'start': start,
        'finish': finish or start + 30,
        'answer': answer,
        'from_extension': '',
        'from_number': '74951112233',
        'to_extension': '101',
        'to_number': 'sip:agent1@demo.mangosip.ru',
        'disconnect_reason': '1110',
        'line_number': '74957778899',
        'location': 'abonent',
        'entry_id': 'ent-7001',
        **values,
    }


MENU = row(
    START,
    START,
    START + 8,
    to_extension='',
    to_number='74957778899',
    location='ivr',
    disconnect_reason='1100',
)
QUEUE = row(START + 8, START + 8, START + 30, to_extension='500', to_number='', location='queue')
ANSWERED = [MENU, row(START + 8, START + 15, START + 79, records='[rec-7001]')]

CLIENT = {'number': '74951112233'}
AGENT = {'extension': '101', 'number': 'sip:agent1@demo.mangosip.ru', 'line_number': '74957778899'}


def leg(seq, after, state, **values):
    return {
        'path': 'events/call',
        'json': {
            'entry_id': 'ent-7001',
            'call_id': 'leg-7001-b',
            'timestamp': START + after,
            'seq': seq,
            'call_state': state,
            'location': 'abonent',
            'from': CLIENT,
            'to': AGENT,
            **values,
        },
    }


LIVE = [
    {
        'path': 'events/call',
        'json': {
            'entry_id': 'ent-7001',
            'call_id': 'leg-7001-a',
            'timestamp': START,
            'seq': 1,
            'call_state': 'Appeared',
            'location': 'ivr',
            'from': CLIENT,
            'to': {'number': '74957778899', 'line_number': '74957778899'},
        },
    },
    leg(1, 8, 'Appeared'),
    leg(2, 15, 'Connected'),
]
ENDS = [
    leg(3, 79, 'Disconnected', disconnect_reason=1110),
    {
        'path': 'events/summary',
        'json': {
            'entry_id': 'ent-7001',
            'call_direction': 1,
            'from': CLIENT,
            'to': AGENT,
            'line_number': '74957778899',
            'create_time': START,
            'forward_time': START + 8,
            'talk_time': START + 15,
            'end_time': START + 79,
            'entry_result': 1,
            'disconnect_reason': 1110,
        },
    },
    {
        'path': 'events/record/added',
        'json': {
            'entry_id': 'ent-7001',
            'product_id': 1,
            'user_id': 2,
            'recording_id': 'rec-7001',
            'timestamp': START + 140,
        },
    },
]


def live(*payloads):
    return [
        (payload, utc(2026, 3, 2, 10, 15) + timedelta(seconds=place))
        for place, payload in enumerate(payloads)
    ]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientMangoOffice(ClientCase):
    code = 'mango_office'
    fake_class = FakeMangoOffice
    settings = {'api_key': FakeMangoOffice.key, 'api_secret': FakeMangoOffice.secret}
    period = (utc(2026, 3, 1), utc(2026, 3, 3))

    def setUp(self):
        super().setUp()
        self.pauses = []
        clock = patch.object(mango_office, 'time', SimpleNamespace(sleep=self.pauses.append))
        clock.start()
        self.addCleanup(clock.stop)

    def account(self, **values):
        return super().account(**{'api_url': f'{self.fake.url}/vpbx/', **values})

    def history(self, *period):
        return list(self.client().history(*(period or self.period)))

    def sent(self) -> dict:
        return self.fake.requests[-1].content

    # --- signing and errors ------------------------------------------------------------------------------------------

    def test_vectors_of_the_documentation(self):
        key, salt = 'mangokey0001', 'mangosalt0001'
        self.assertEqual(
            sign_of(key, '{"entry_id":"ent-0001","call_direction":1}', salt),
            'af8c970ab08b6f7fd654f728f033deafd50c26689600405b9d3aaafa9dd71dbc',
        )
        self.assertEqual(
            sign_of(
                key,
                '{"command_id":"odoo-1","from":{"extension":"101"},"to_number":"74951112233"}',
                salt,
            ),
            '64e6474965f74f347511561c7baa28034c4e2ae0e57ba9dcccd149b3c0dceff1',
        )

    def test_the_command_of_the_documentation(self):
        self.client().dial('101', '+74951112233', 'odoo-1')
        self.assertEqual(
            self.fake.requests[0].form['sign'],
            '64e6474965f74f347511561c7baa28034c4e2ae0e57ba9dcccd149b3c0dceff1',
        )

    def test_wrong_keys(self):
        for old in (False, True):
            self.fake.old_errors = old
            self.assert_error("3105", False, self.client(api_key='other').check)
            self.assert_error("signature", False, self.client(api_secret='other').check)
            self.assert_error("3102", False, self.client(api_secret='other').numbers)
            self.assert_error("3102", False, self.client(api_secret='other').history, *self.period)
            self.assert_error(
                "3102", False, self.client(api_secret='other').recording_url, 'rec-1', ''
            )
        self.assert_error("not complete", False, self.client(api_secret='').check)

    def test_limits(self):
        too_many = {
            'name': 'Service Unavailable',
            'message': 'Rate limit exceeded.',
            'code': 0,
            'status': 429,
        }
        for answer, words in (
            (Answer(too_many, 429), "to wait"),
            (Answer('', 401), "for some minutes"),
            (Answer({'code': 5008}, 420), "5008"),
            (Answer({'result': 5008}), "5008"),
            (Answer('', 503), "503"),
        ):
            for talk in (
                lambda: self.client().check(),
                self.history,
                lambda: self.client().dial('101', '+74951112233'),
            ):
                self.fake.next_answers = [answer]
                self.assert_error(words, True, talk)
        for answer, words in (
            (Answer('', 403), "Allow its address"),
            (Answer({'result': 3300}), "3300"),
        ):
            self.fake.next_answers = [answer]
            self.assert_error(words, False, lambda: self.client().dial('101', '+74951112233'))

    # --- the account -------------------------------------------------------------------------------------------------

    def test_check(self):
        self.assertEqual(self.client().check(), "Mango Office answers: balance 300.5.")
        self.fake.balance = {'result': 3100}
        self.assertEqual(self.client().check(), "Mango Office answers: 2 employees.")

    def test_extensions_and_numbers(self):
        self.assertEqual(self.client().extensions(), [Extension('101', "Anna")])
        for lines, numbers in (
            (self.fake.lines, [Number('74957778899', 'Main')]),
            ([{'number': '74957778899'}], [Number('74957778899')]),
            (['74957778800', '74957778899'], [Number('74957778800'), Number('74957778899')]),
            ({'result': 3200}, [Number('74957778899')]),
        ):
            with self.subTest(lines=lines):
                self.fake.lines = lines
                self.assertEqual(self.client().numbers(), numbers)

    # --- commands ----------------------------------------------------------------------------------------------------

    def test_dial(self):
        self.assertEqual(self.client().dial('101', '+74951112233', 'odoo-17'), '')
        self.assertEqual(
            self.sent(),
            {'command_id': 'odoo-17', 'from': {'extension': '101'}, 'to_number': '74951112233'},
        )
        self.client().dial('101', '+74951112233', 'я' * 100)
        self.assertLessEqual(len(self.sent()['command_id'].encode()), 128)
        self.client().dial('101', '+74951112233')
        self.assertTrue(self.sent()['command_id'])

    def test_running_calls(self):
        def ref(*payloads):
            return self.provider.command_ref(
                [Stored(payload, at) for payload, at in live(*payloads)], self.account()
            )

        self.assertEqual(ref(*LIVE), 'leg-7001-b 101')
        self.assertEqual(ref(*LIVE[:2]), 'leg-7001-b 101')
        self.assertEqual(ref(*LIVE[:1]), '')
        self.assertEqual(ref(*LIVE, *ENDS), '')
        colleague = leg(2, 40, 'Connected', call_id='leg-7001-c', to={'extension': '102'})
        self.assertEqual(ref(*LIVE, colleague), 'leg-7001-c 102')

        self.client().hang_up('leg-7001-b 101')
        self.assertEqual(self.sent()['call_id'], 'leg-7001-b')
        self.client().transfer('leg-7001-b 101', '102', True)
        self.assertEqual(
            {**self.sent(), 'command_id': ''},
            {
                'command_id': '',
                'call_id': 'leg-7001-b',
                'method': 'hold',
                'to_number': '102',
                'initiator': '101',
            },
        )
        self.client().transfer('leg-7001-b 101', '102', False)
        self.assertEqual(self.sent()['method'], 'blind')
        self.assert_error("any more", False, self.client().hang_up, '')

    def test_route(self):
        def ref(*payloads):
            return self.provider.route_ref(
                [Stored(payload, utc(2026, 3, 2)) for payload in payloads], self.account()
            )

        self.assertEqual(ref(LIVE[0]), 'leg-7001-a')
        self.assertEqual(ref(*LIVE), '', "a phone rings already")
        self.assertEqual(ref(*LIVE, *ENDS), '')
        self.assertEqual(ref(), '')
        self.client().route('leg-7001-a', '102')
        self.assertEqual(
            {**self.sent(), 'command_id': ''},
            {'command_id': '', 'call_id': 'leg-7001-a', 'to_number': '102'},
        )
        self.assert_error("no extension", False, self.client().route, 'leg-7001-a', '74951112233')

    def test_bad_input_is_not_sent(self):
        client = self.client()
        self.assert_error("no extension", False, client.dial, '777', '+74951112233')
        self.assert_error("no phone number", False, client.dial, '101', 'sip:agent@evil.example')
        self.assert_error("no extension", False, client.transfer, 'leg 101', '+74951112233', False)
        self.assertEqual(self.fake.requests, [])

    def test_recording(self):
        self.fake.recordings = {'rec-7001': 'https://files.mango-office.ru/once/abc'}
        self.assertEqual(
            self.client().recording_url('rec-7001', 'ent-7001'),
            'https://files.mango-office.ru/once/abc',
        )
        self.assertEqual(len(self.fake.requests), 1, "the link works once and is not tried here")
        self.assert_error(
            "no recording of this call yet",
            True,
            self.client().recording_url,
            'rec-7002',
            'ent-7001',
        )

    # --- history -----------------------------------------------------------------------------------------------------

    def test_history_waits_for_the_statistics(self):
        self.fake.rows, self.fake.not_ready = ANSWERED, 3
        [payload] = self.history()
        self.assertEqual(len(payload['history']['rows']), 2)
        self.assertEqual(self.pauses, [0, 5, 5, 5])
        self.fake.not_ready = 100
        self.assert_error("still making", True, self.client().history, *self.period)

    def test_lost_statistics(self):
        self.fake.next_answers = [Answer({'key': 'other'})]
        self.assert_error("lost the statistics", True, self.client().history, *self.period)

    def test_statistics_that_are_none(self):
        for answers, words in (
            ([Answer({})], "does not describe"),
            ([Answer([])], "does not describe"),
            ([Answer({'key': 'k'}), Answer('1;2;3')], "3 columns"),
            ([Answer({'key': 'k'}), Answer({'result': 1000})], "does not describe"),
        ):
            self.fake.next_answers = answers
            self.assert_error(words, False, self.client().history, *self.period)

    def test_no_calls(self):
        self.assertEqual(self.history(), [])

    def test_a_header_is_no_call(self):
        self.fake.rows = [{name: name if name != 'start' else START for name in row()}]
        header = ';'.join(row())
        self.fake.next_answers = [
            Answer({'key': 'k'}),
            Answer(f'{header}\n' + ';'.join(map(str, row().values()))),
        ]
        self.assertEqual(len(self.history()), 1)

    def test_long_periods_are_split(self):
        day = 86400
        self.fake.rows = [
            row(START + number * day, entry_id=f'ent-{number}') for number in range(80)
        ]
        found = self.history(utc(2026, 3, 2), utc(2026, 5, 25))
        self.assertEqual(len({payload['history']['rows'][0]['entry_id'] for payload in found}), 80)
        self.assertEqual(len(self.fake.asked('/vpbx/stats/request')), 3)
        self.assertEqual(self.pauses.count(2), 2)

    # --- history and events are one ----------------------------------------------------------------------------------

    def test_history_confirms(self):
        self.fake.rows = ANSWERED
        told = self.record([], *live(*LIVE, *ENDS))
        self.assertEqual(
            (told.outcome, told.talk_seconds, told.recordings[0].ref), ('answered', 64, 'rec-7001')
        )
        self.assertEqual(self.record(self.history(), *live(*LIVE, *ENDS)), told)

    def test_a_lost_end_is_found(self):
        self.fake.rows = ANSWERED
        whole = self.record([], *live(*LIVE, *ENDS))
        self.assertEqual(self.record(self.history(), *live(*LIVE)), whole)
        self.assertEqual(self.record(self.history()), whole)

    def test_a_clock_three_hours_ahead(self):
        self.fake.rows = ANSWERED
        early = [(payload, at - timedelta(hours=3)) for payload, at in live(*LIVE, *ENDS)]
        whole = self.record([], *early)
        self.assertEqual(whole.start_at, utc(2026, 3, 2, 7, 15))
        self.assertEqual(self.record(self.history(), *early[:3]), whole)

    def test_calls_that_only_the_statistics_tell(self):
        vain = row(START + 8, disconnect_reason='1111')
        out = {
            'from_extension': '101',
            'from_number': 'sip:agent1@demo.mangosip.ru',
            'to_extension': '',
            'to_number': '74951112244',
        }
        cases = (
            ([MENU, vain], 'inbound', 'missed', '', ['101']),
            (
                [MENU, vain, row(START + 20, to_extension='102', answer=START + 25)],
                'inbound',
                'answered',
                '102',
                ['101', '102'],
            ),
            ([MENU, QUEUE], 'inbound', 'abandoned', '', []),
            ([{**MENU, 'disconnect_reason': '1110'}], 'inbound', 'abandoned', '', []),
            ([MENU, {**vain, 'disconnect_reason': '1121'}], 'inbound', 'busy', '', ['101']),
            ([row(answer=START + 12, **out)], 'outbound', 'answered', '101', []),
            ([row(**{**out, 'disconnect_reason': '1121'})], 'outbound', 'busy', '101', []),
            ([row(**{**out, 'disconnect_reason': '1111'})], 'outbound', 'no_answer', '101', []),
            ([row(**{**out, 'disconnect_reason': '1131'})], 'outbound', 'failed', '101', []),
            (
                [row(**{**out, 'to_extension': '102', 'answer': START + 3, 'line_number': ''})],
                'internal',
                'answered',
                '102',
                None,
            ),
        )
        for rows, direction, outcome, extension, legs in cases:
            with self.subTest(direction=direction, outcome=outcome, rows=len(rows)):
                self.fake.rows = rows
                found = self.record(self.history())
                self.assertEqual(
                    (found.direction, found.outcome, found.extension),
                    (direction, outcome, extension),
                )
                if legs is not None:
                    self.assertEqual([leg.extension for leg in found.legs], legs)

    def test_click_to_call(self):
        employee = row(
            START, START + 5, START + 6, from_number='74951112244', disconnect_reason='1000'
        )
        client = row(
            START + 6,
            START + 12,
            START + 49,
            from_extension='101',
            from_number='sip:agent1@demo.mangosip.ru',
            to_extension='',
            to_number='74951112244',
            disconnect_reason='1120',
        )
        self.fake.rows = [employee, client]
        found = self.record(self.history())
        self.assertEqual(
            (found.direction, found.called, found.extension, found.outcome, found.talk_seconds),
            ('outbound', '74951112244', '101', 'answered', 37),
        )
        # nobody picked up: no call, as the event tells that it was commanded
        self.fake.rows = [row(START, from_number='74951112244', disconnect_reason='1111')]
        rang = leg(1, 0, 'Appeared', command_id='odoo-1', **{'from': {'number': '74951112244'}})
        self.assertIsNone(self.record(self.history(), *live(rang)))

    def test_history_that_is_not_understood(self):
        for history in (
            {},
            {'rows': []},
            {'rows': [1]},
            {'rows': [{}]},
            {'rows': [{**row(), 'start': 'now'}]},
            {'rows': [row(disconnect_reason='why')]},
            {'rows': [row(entry_id='')]},
        ):
            with self.subTest(history=history):
                self.assert_error(
                    ".", False, self.provider.identify, {'history': history}, self.account()
                )
