import logging
from datetime import datetime, timedelta

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.capabilities import Extension, Number
from odoo.addons.crm_telephony.providers.zadarma.client import query_of, signature

from ...client_case import LOGS, ClientCase, utc
from ..server import Answer
from .fake import FakeZadarma

REF = 'in_1f0c7a5d9b3e4c2fa8d6e0b1c4d2a9f8e7b6c5d4'
CALL = {
    'caller_id': '74951112233',
    'called_did': '74957778899',
    'call_start': '2026-03-02 10:15:00',
    'pbx_call_id': REF,
}


def row(
    start: str,
    destination,
    disposition='answered',
    seconds=0,
    ref=REF,
    call_id='1772446500.918270',
    **values,
) -> dict:
    return {
        'call_id': call_id,
        'sip': '74951112233',
        'callstart': start,
        'clid': '"Client" <+74951112233>',
        'destination': destination,
        'disposition': disposition,
        'seconds': seconds,
        'is_recorded': 'false',
        'pbx_call_id': ref,
        **values,
    }


def live(*events) -> list:
    """(seconds after the start, what differs from an inbound call's START)"""
    return [
        ({**CALL, **event}, utc(2026, 3, 2, 7, 15) + timedelta(seconds=after))
        for after, event in events
    ]


START = (0, {'event': 'NOTIFY_START'})
RINGS = (8, {'event': 'NOTIFY_INTERNAL', 'internal': '101'})
TAKES = (15, {'event': 'NOTIFY_ANSWER', 'internal': '101', 'destination': '101'})
END = (
    79,
    {
        'event': 'NOTIFY_END',
        'internal': '101',
        'duration': '64',
        'disposition': 'answered',
        'is_recorded': '1',
        'call_id_with_rec': '1772446500.918270',
    },
)
ANSWERED = [row('2026-03-02 10:15:08', 101, seconds=64, is_recorded='true')]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientZadarma(ClientCase):
    code = 'zadarma'
    fake_class = FakeZadarma
    settings = {
        'api_key': FakeZadarma.key,
        'api_secret': FakeZadarma.secret,
        'timezone': 'Europe/Moscow',
        'webhook_url': 'https://odoo.example.com/telephony/webhook/zadarma/token',
    }
    period = (utc(2026, 3, 1), utc(2026, 3, 3))

    def history(self, *period, **account):
        return list(self.client(**account).history(*(period or self.period)))

    # --- signing -----------------------------------------------------------------------------------------------------

    def test_vectors_of_the_documentation(self):
        for path, params, expected in (
            ('/v1/info/balance/', {}, 'ZDM1OGY2YjVmNmU3YzAyMjg4MmU4MzdkMmJkZWY4MGI0YmU5YmViNw=='),
            (
                '/v1/info/balance/',
                {'format': 'json'},
                'MjVhNDQzODkxMTliNTU5OTliYjJjODdlZDdjYjBiMjRiNTE5NGFiZg==',
            ),
            (
                '/v1/request/callback/',
                {'to': '74951112233', 'sip': '101', 'from': '101', 'format': 'json'},
                'NTU1ZThjMGViZWNhNzkwMzVjZTgwNjA1ZWUyZmJkM2ZjY2JkMWNjMQ==',
            ),
        ):
            with self.subTest(path, params=params):
                self.assertEqual(signature(path, query_of(params), 'zd-secret-0001'), expected)
        self.assertEqual(query_of({'b': 'a b', 'a': '~+'}), 'a=%7E%2B&b=a+b')

    def test_every_method_is_signed_as_the_vendor_checks_it(self):
        client = self.client()
        client.dial('101', '+74951112244', 'odoo-1')
        client.set_webhooks()
        self.assertEqual(
            [request.method for request in self.fake.requests], ['GET', 'POST', 'POST']
        )

    def test_no_request_without_keys(self):
        self.assert_error("not complete", False, self.client(api_secret='').check)
        self.assertEqual(self.fake.requests, [])

    # --- errors ------------------------------------------------------------------------------------------------------

    def test_wrong_secret(self):
        self.assert_error(
            "does not accept the API key", False, self.client(api_secret='other').check
        )

    def test_rate_limits(self):
        for answer in (
            Answer({'status': 'error', 'message': 'Rate limit'}, 429),
            Answer('', 429),
            Answer(
                {'status': 'error', 'message': 'You have exceeded the rate limit by user limits'},
                200,
            ),
        ):
            self.fake.next_answers = [answer]
            self.assert_error("to wait", True, self.client().check)

    def test_errors_with_a_message(self):
        for status in (200, 400):
            self.fake.next_answers = [
                Answer({'status': 'error', 'message': 'Wrong parameter of 74951112244'}, status)
            ]
            error = self.assert_error("Wrong parameter", False, self.client().check)
            self.assertNotIn('74951112244', str(error))

    def test_no_json(self):
        self.fake.next_answers = [Answer('<html>')]
        self.assert_error("does not describe", False, self.client().check)
        self.fake.next_answers = [Answer('[]')]
        self.assert_error("does not describe", False, self.client().check)

    def test_reads_are_repeated_calls_are_not(self):
        self.fake.next_answers = [Answer('', 502)]
        self.assertIn("12.5", self.client().check())
        self.fake.requests.clear()
        self.fake.next_answers = [Answer('', 502)]
        self.assert_error("502", True, self.client().dial, '101', '+74951112244', '')
        self.fake.next_answers = [None]
        self.assert_error("cannot be reached", True, self.client().dial, '101', '+74951112244', '')
        self.assertEqual(len(self.fake.requests), 2)

    def test_no_number_in_the_log(self):
        with self.assertLogs(LOGS, logging.INFO) as logs:
            self.client().dial('101', '+74951112244', '')
        self.assertNotIn('74951112244', ''.join(logs.output))
        self.assertNotIn('111224', ''.join(logs.output))

    # --- the account -------------------------------------------------------------------------------------------------

    def test_check(self):
        self.assertEqual(
            self.client().check(), "Zadarma answers: balance 12.5 USD. Time zone UTC+3."
        )
        self.assertIn("times of calls will be wrong", self.client(timezone='Asia/Almaty').check())

    def test_extensions_and_numbers(self):
        # 102 tells no name, and is there all the same
        self.assertEqual(self.client().extensions(), [Extension('101', "Anna"), Extension('102')])
        self.assertEqual(self.client().numbers(), [Number('74957778899', 'Moscow')])

    def test_set_webhooks(self):
        self.assertIn("NOTIFY_RECORD", self.client().set_webhooks())
        self.assertEqual(
            self.fake.callinfo,
            {
                'url': self.settings['webhook_url'],
                'notifications': dict.fromkeys(
                    (
                        'notify_start',
                        'notify_internal',
                        'notify_answer',
                        'notify_end',
                        'notify_out_start',
                        'notify_out_end',
                    ),
                    'true',
                ),
            },
        )

    # --- commands ----------------------------------------------------------------------------------------------------

    def test_dial(self):
        self.assertEqual(self.client().dial('101', '+74951112244', 'odoo-1'), '')
        self.assertEqual(
            self.fake.requests[0].query,
            {'format': 'json', 'from': '101', 'sip': '101', 'to': '+74951112244'},
        )

    def test_bad_input_is_not_sent(self):
        client = self.client()
        self.assert_error("no extension of this PBX", False, client.dial, '777', '+74951112244', '')
        for number in ('', 'anonymous', '+7495111&from=1', '7495 111', '+' * 5, '1' * 40):
            self.assert_error("no phone number", False, client.dial, '101', number, '')
        self.assertEqual(self.fake.requests, [])

    def test_recording(self):
        self.fake.recordings = {
            '1772446500.918270': 'https://api.zadarma.com/1.mp3',
            REF: 'https://api.zadarma.com/2.mp3',
        }
        self.assertEqual(
            self.client().recording_url('1772446500.918270', REF), 'https://api.zadarma.com/1.mp3'
        )
        self.assertEqual(self.client().recording_url('', REF), 'https://api.zadarma.com/2.mp3')
        self.assert_error("Record not found", True, self.client().recording_url, '1.2', REF)

    def test_a_recording_is_deleted_there(self):
        self.fake.recordings = {'1772446500.918270': 'a', '1772446500.918271': 'b', REF: 'c'}
        self.client().delete_recording('1772446500.918270', REF)
        self.assertEqual(set(self.fake.recordings), {'1772446500.918271', REF})
        self.client().delete_recording('', REF)
        self.assertEqual(set(self.fake.recordings), {'1772446500.918271'})
        self.assert_error("Record not found", False, self.client().delete_recording, '', REF)
        self.fake.next_answers = [Answer({'status': 'error', 'message': 'limit'}, 429)]
        self.assert_error("to wait", True, self.client().delete_recording, '1772446500.918271', REF)

    # --- history -----------------------------------------------------------------------------------------------------

    def test_history_is_asked_in_the_accounts_time(self):
        self.fake.rows = ANSWERED
        self.assertEqual(
            self.history(utc(2026, 3, 2, 7, 15), utc(2026, 3, 2, 7, 16)),
            [{'history': {'rows': ANSWERED}}],
        )
        self.assertEqual(self.fake.requests[0].query['start'], '2026-03-02 10:15:00')

    def test_rows_of_a_call_come_together(self):
        self.fake.rows = [
            row('2026-03-02 10:15:30', 102, 'no answer'),
            row('2026-03-02 11:00:00', 101, ref='in_2'),
            ANSWERED[0],
            row('2026-03-02 12:00:00', 101, ref=''),
        ]
        self.assertEqual(
            [
                [row['destination'] for row in payload['history']['rows']]
                for payload in self.history()
            ],
            [[101, 102], [101]],
        )

    def test_pages(self):
        moments = [datetime(2026, 3, 1, 10) + timedelta(seconds=number) for number in range(2001)]
        self.fake.rows = [
            row(str(at), 101, ref=f'in_{number}') for number, at in enumerate(moments)
        ]
        self.assertEqual(len(self.history()), 2001)
        self.assertEqual(
            [request.query['skip'] for request in self.fake.requests], ['0', '1000', '2000']
        )

    def test_long_periods_are_split(self):
        self.fake.rows = [
            row(f'2026-0{month}-{day:02} 10:00:00', 101, ref=f'in_{month}_{day}')
            for month in (1, 2, 3)
            for day in range(1, 29)
        ]
        found = self.history(utc(2025, 12, 31), utc(2026, 3, 31))
        self.assertEqual(len(found), 84)
        self.assertEqual(len(self.fake.requests), 4)

    def test_a_shortened_period_is_continued(self):
        self.fake.rows = [
            row(f'2026-03-{day:02} 10:00:00', 101, ref=f'in_{day}') for day in range(1, 21)
        ]
        self.fake.earliest = datetime(2026, 3, 12)
        self.assertEqual(len(self.history(utc(2026, 3, 1), utc(2026, 3, 21))), 20)
        self.assertEqual(len(self.fake.requests), 2)

    def test_ids_keep_their_zeros(self):
        self.fake.next_answers = [
            Answer(
                '{"status": "success", "stats": [{"call_id": 1772446500.918270, "callstart": "2026-03-02 10:15:08", '
                '"pbx_call_id": "in_1", "is_recorded": true, "destination": 101, "seconds": 5, '
                '"disposition": "answered"}]}'
            )
        ]
        record = self.record(self.history())
        self.assertEqual([recording.ref for recording in record.recordings], ['1772446500.918270'])

    def test_wrong_periods(self):
        self.assert_error(
            "ends before", False, self.client().history, utc(2026, 3, 2), utc(2026, 3, 1)
        )
        self.assert_error(
            "time zone", False, self.client().history, datetime(2026, 3, 1), datetime(2026, 3, 2)
        )

    def test_rate_limit_of_statistics(self):
        self.fake.next_answers = [Answer({'status': 'error', 'message': 'limit'}, 429)]
        self.assert_error("to wait", True, self.client().history, *self.period)

    # --- history and events are one ----------------------------------------------------------------------------------

    def test_history_confirms(self):
        self.fake.rows = ANSWERED
        deliveries = live(START, RINGS, TAKES, END)
        told = self.record([], *deliveries)
        self.assertEqual(
            (told.outcome, told.talk_seconds, told.recordings[0].ref),
            ('answered', 64, '1772446500.918270'),
        )
        self.assertEqual(self.record(self.history(), *deliveries), told)

    def test_a_lost_end_is_found(self):
        self.fake.rows = ANSWERED
        self.assertEqual(
            self.record(self.history(), *live(START, RINGS, TAKES)),
            self.record([], *live(START, RINGS, TAKES, END)),
        )

    def test_history_alone(self):
        self.fake.rows = [
            row('2026-03-02 10:15:00', '74957778899', seconds=79),
            *ANSWERED,
            row('2026-03-02 10:15:08', 102, 'cancel', call_id='1772446500.3'),
        ]
        found = self.record(self.history())
        self.assertEqual(
            (
                found.direction,
                found.caller,
                found.called,
                found.outcome,
                found.extension,
                found.talk_seconds,
                found.start_at,
            ),
            (
                'inbound',
                '+74951112233',
                '74957778899',
                'answered',
                '101',
                64,
                utc(2026, 3, 2, 7, 15),
            ),
        )
        self.assertEqual(
            {(leg.extension, leg.outcome) for leg in found.legs},
            {('101', 'answered'), ('102', 'no_answer')},
        )

    def test_lost_calls(self):
        for rows, outcome, legs in (
            ([row('2026-03-02 10:15:08', 101, 'no answer')], 'missed', ['101']),
            ([row('2026-03-02 10:15:08', 101, 'cancel')], 'missed', ['101']),
            ([row('2026-03-02 10:15:00', '5', 'cancel')], 'abandoned', []),
            ([row('2026-03-02 10:15:00', '5', seconds=20)], 'abandoned', []),
            ([row('2026-03-02 10:15:08', 101, 'busy')], 'busy', ['101']),
            ([row('2026-03-02 10:15:08', 101, 'call failed')], 'failed', ['101']),
        ):
            with self.subTest(rows=rows):
                self.fake.rows = rows
                found = self.record(self.history())
                self.assertEqual(
                    (found.state, found.outcome, found.talk_seconds), ('ended', outcome, 0)
                )
                self.assertEqual([leg.extension for leg in found.legs], legs)

    def test_forwarded_to_a_mobile(self):
        self.fake.rows = [row('2026-03-02 10:15:08', '79161112233', seconds=30)]
        found = self.record(self.history(), *live(START))
        self.assertEqual(
            (found.outcome, found.extension, found.talk_seconds), ('answered', '79161112233', 30)
        )

    def test_outgoing(self):
        ref = 'out_4e5f'
        for disposition, seconds, outcome in (
            ('answered', 37, 'answered'),
            ('no answer', 0, 'no_answer'),
            ('cancel', 0, 'no_answer'),
            ('busy', 0, 'busy'),
            ('call failed', 0, 'failed'),
        ):
            with self.subTest(disposition):
                self.fake.rows = [
                    row(
                        '2026-03-02 11:20:00',
                        74951112244,
                        disposition,
                        seconds,
                        ref,
                        sip='101',
                        clid='Anna (101)',
                    )
                ]
                found = self.record(self.history())
                self.assertEqual(
                    (
                        found.direction,
                        found.caller,
                        found.called,
                        found.extension,
                        found.outcome,
                        found.talk_seconds,
                    ),
                    ('outbound', '101', '74951112244', '101', outcome, seconds),
                )

    def test_outgoing_click_to_call_and_internal(self):
        self.fake.rows = [
            row('2026-03-02 11:20:00', 101, seconds=45, ref='out_1', sip='101', clid='101'),
            row(
                '2026-03-02 11:20:06',
                74951112244,
                seconds=37,
                ref='out_1',
                sip='101',
                clid='74957778899',
            ),
        ]
        found = self.record(self.history())
        self.assertEqual(
            (found.direction, found.called, found.talk_seconds), ('outbound', '74951112244', 37)
        )
        self.fake.rows = [
            row('2026-03-02 11:20:00', 102, seconds=45, ref='out_2', sip='101', clid='101')
        ]
        found = self.record(self.history())
        self.assertEqual(
            (found.direction, found.caller, found.called, found.outcome),
            ('internal', '101', '102', 'answered'),
        )

    def test_outgoing_lost_end(self):
        call = {
            'internal': '101',
            'destination': '74951112244',
            'call_start': '2026-03-02 11:20:00',
            'pbx_call_id': 'out_4e5f',
        }
        start = ({'event': 'NOTIFY_OUT_START', **call}, utc(2026, 3, 2, 8, 20))
        self.fake.rows = [
            row(
                '2026-03-02 11:20:00',
                74951112244,
                seconds=37,
                ref='out_4e5f',
                sip='101',
                clid='74957778899',
            )
        ]
        end = (
            {
                'event': 'NOTIFY_OUT_END',
                **call,
                'caller_id': '74957778899',
                'duration': '37',
                'disposition': 'answered',
                'is_recorded': '0',
            },
            utc(2026, 3, 2, 8, 20, 49),
        )
        whole, mended = self.record([], start, end), self.record(self.history(), start)
        self.assertEqual(self.record(self.history(), start, end), whole)
        for name in (
            'direction',
            'caller',
            'called',
            'extension',
            'start_at',
            'outcome',
            'talk_seconds',
            'state',
        ):
            self.assertEqual(getattr(mended, name), getattr(whole, name), name)

    def test_history_that_is_not_understood(self):
        for history in (
            {},
            {'rows': []},
            {'rows': [1]},
            {'rows': [{}]},
            {'rows': [row('yesterday', 101)]},
            {'rows': [row('2026-03-02 10:15:08', 101, seconds='long')]},
        ):
            with self.subTest(history=history):
                self.assert_error(
                    ".", False, self.provider.identify, {'history': history}, self.account()
                )
