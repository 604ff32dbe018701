from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.capabilities import Extension, Number
from odoo.addons.crm_telephony.providers.onlinepbx import client as onlinepbx

from ...client_case import ClientCase, utc
from ..server import Answer
from .fake import FakeOnlinePbx

START = 1772435700
UUID = '5d0c6f0e-1111-4a2b-9c3d-000000000001'
DAY = 86400


def user(number='101', at=START + 8, answered=None, ended=None) -> dict:
    return {
        'type': 'user',
        'timestamp': at,
        'number': number,
        'uuid': 'x',
        'answered_stamp': answered,
        'end_stamp': ended,
    }


def row(start=START, **values) -> dict:
    """An inbound call, answered by 101 after 15 s, of 79 s."""
    return {
        'uuid': UUID,
        'caller_id_name': '74951112233',
        'caller_id_number': '74951112233',
        'destination_number': '101',
        'from_host': '',
        'to_host': 'demo.onpbx.ru',
        'start_stamp': start,
        'end_stamp': start + 79,
        'duration': 79,
        'user_talk_time': 60,
        'hangup_cause': 'NORMAL_CLEARING',
        'accountcode': 'inbound',
        'gateway': '74957778899',
        'quality_score': 5,
        'events': [user(answered=start + 15, ended=start + 79)],
        **values,
    }


def lost(cause='ORIGINATOR_CANCEL', events=(), **values) -> dict:
    return row(
        **{
            'end_stamp': START + 29,
            'duration': 29,
            'user_talk_time': 0,
            'hangup_cause': cause,
            'events': list(events),
            'destination_number': '5000',
            **values,
        }
    )


def outbound(**values) -> dict:
    return row(
        **{
            'caller_id_name': '101',
            'caller_id_number': '74957778899',
            'destination_number': '+74951112244',
            'accountcode': 'outbound',
            'end_stamp': START + 49,
            'duration': 49,
            'user_talk_time': 37,
            'events': [
                {'type': 'transfer', 'timestamp': START + 1, 'number': '+74951112244'},
                user(at=START, answered=START + 12, ended=START + 49),
            ],
            **values,
        }
    )


def event(name, after, **fields) -> dict:
    return {
        'domain': 'demo.onpbx.ru',
        'event': name,
        'direction': 'inbound',
        'uuid': UUID,
        'caller': '74951112233',
        'callee': '101',
        'gateway': '74957778899',
        'date': str(START + after),
        **fields,
    }


BEGINS = [event('call_start', 0, callee='74957778899'), event('call_answered', 15)]
END = event(
    'call_end', 79, call_duration='79', dialog_duration='64', hangup_cause='NORMAL_CLEARING'
)
MISSED = [
    event('call_start', 0, callee='74957778899'),
    event(
        'call_missed',
        29,
        callee='5000',
        call_duration='29',
        dialog_duration='0',
        hangup_cause='ORIGINATOR_CANCEL',
    ),
]


def live(*payloads):
    return [
        (payload, utc(2026, 3, 2, 7, 15) + timedelta(seconds=place))
        for place, payload in enumerate(payloads)
    ]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientOnlinePbx(ClientCase):
    code = 'onlinepbx'
    fake_class = FakeOnlinePbx
    settings = {'api_key': 'https://Demo.onpbx.ru/', 'api_secret': FakeOnlinePbx.secret}
    period = (utc(2026, 3, 1), utc(2026, 3, 3))

    def setUp(self):
        super().setUp()
        onlinepbx._pairs.clear()
        self.addCleanup(onlinepbx._pairs.clear)
        self.now, self.pauses = 1000.0, []

        def sleep(seconds):
            self.pauses.append(seconds)
            self.now += seconds

        clock = patch.object(
            onlinepbx, 'time', SimpleNamespace(sleep=sleep, monotonic=lambda: self.now)
        )
        clock.start()
        self.addCleanup(clock.stop)

    def history(self, *period):
        return list(self.client().history(*(period or self.period)))

    def logins(self):
        return len(self.fake.asked('/demo.onpbx.ru/auth.json'))

    # --- logging in --------------------------------------------------------------------------------------------------

    def test_one_login_serves_all_clients(self):
        for _time in range(3):
            self.assertEqual(
                self.client().check(), "OnlinePBX answers: 2 extensions of demo.onpbx.ru."
            )
        self.assertEqual(self.logins(), 1)

    def test_an_old_pair_is_renewed_once(self):
        client = self.client()
        client.check()
        self.fake.pair += 1  # somebody else has logged in
        client.check()
        self.assertEqual(self.logins(), 2)
        self.fake.requests.clear()
        not_accepted = Answer(
            {'status': '0', 'isNotAuth': True, 'errorCode': 'API_KEY_CHECK_FAILED', 'comment': ''}
        )
        login = Answer({'status': '1', 'data': {'key_id': 'a', 'key': 'b'}})
        self.fake.next_answers = [not_accepted, login, not_accepted]
        self.assert_error("wrong or was changed", False, client.check)
        self.assertEqual(self.logins(), 1)

    def test_a_wrong_key(self):
        self.assert_error(
            "does not accept the API key", False, self.client(api_secret='other').check
        )
        self.assertEqual(len(self.fake.requests), 1)
        self.assert_error("not complete", False, self.client(api_secret='').check)
        self.assert_error("not complete", False, self.client(api_key='').check)

    def test_the_other_host(self):
        self.assert_error(
            "does not know this domain", False, self.client(api_key='other.onpbx.ru').check
        )
        wrong = f'{self.fake.url}/elsewhere'
        with patch.dict(onlinepbx.OTHER_HOST, {wrong: self.fake.url}):
            self.assertIn("2 extensions", self.client(api_url=wrong + '/').check())
            self.fake.requests.clear()
            self.assertIn("2 extensions", self.client(api_url=wrong + '/').check())
            self.assertEqual(len(self.fake.requests), 1, "the host is remembered with the pair")

    def test_errors(self):
        client = self.client()
        client.check()
        for answer, words, retryable in (
            (Answer('', 429), "to wait", True),
            (Answer('', 502), "502", True),
            (
                Answer({'status': 0, 'comment': 'bad', 'errorCode': 'DISABLED_DOMAIN'}),
                "switched off",
                False,
            ),
            (Answer({'status': '0', 'comment': 'no such filter'}), "no such filter", False),
            (Answer('<html>'), "does not describe", False),
        ):
            with self.subTest(words):
                self.fake.next_answers = [answer]
                self.assert_error(words, retryable, client.check)

    def test_two_requests_a_second(self):
        client = self.client()
        for _time in range(3):
            client.check()
        self.assertEqual(self.pauses, [0.5] * 3)
        self.now += 10
        client.check()
        self.assertEqual(len(self.pauses), 3)

    # --- the account and commands ------------------------------------------------------------------------------------

    def test_extensions_and_numbers(self):
        self.assertEqual(
            self.client().extensions(), [Extension('101', "Anna"), Extension('102', "Boris")]
        )
        self.fake.users = self.fake.users[0]
        self.assertEqual(self.client().extensions(), [Extension('101', "Anna")])
        self.assertEqual(self.client().numbers(), [Number('74957778899', "Main")])

    def test_dial(self):
        self.assertEqual(self.client().dial('101', '+74951112244', 'odoo-1'), 'uuid-dialled')
        self.assertEqual(self.fake.requests[-1].form, {'from': '101', 'to': '+74951112244'})
        for data in (None, [], {}):
            self.fake.dialled = data
            self.assertEqual(self.client().dial('101', '+74951112244'), '')

    def test_bad_input_is_not_sent(self):
        self.assert_error("no extension", False, self.client().dial, '777', '+74951112244')
        self.assert_error("no phone number", False, self.client().dial, '101', "1 or 1")
        self.assertEqual(self.fake.requests, [])

    def test_recording(self):
        https = self.fake.link.replace('http:', 'https:')
        for link, url in (
            (self.fake.link, https),
            ([self.fake.link], https),
            ('http://evil.example/a', 'http://evil.example/a'),
        ):
            self.fake.link = link
            self.assertEqual(self.client().recording_url(UUID, UUID), url)
        for link in ('', [], None, {}):
            self.fake.link = link
            self.assert_error("no recording", True, self.client().recording_url, UUID, UUID)

    # --- history -----------------------------------------------------------------------------------------------------

    def test_history(self):
        self.fake.rows = [row()]
        self.assertEqual(self.history(), [{'history': row()}])
        self.fake.rows = []
        self.assertEqual(self.history(), [])

    def test_weeks(self):
        self.fake.rows = [row(START + number * DAY, uuid=f'uuid-{number}') for number in range(40)]
        found = self.history(utc(2026, 3, 1), utc(2026, 4, 30))
        self.assertEqual(
            [payload['history']['uuid'] for payload in found],
            [f'uuid-{number}' for number in range(40)],
        )

    def test_answers_that_were_cut(self):
        self.fake.rows = [row(START + number // 3, uuid=f'uuid-{number}') for number in range(200)]
        self.fake.most = 50
        for self.fake.newest_first in (False, True):
            found = self.history()
            self.assertEqual(len({payload['history']['uuid'] for payload in found}), 200)
            self.assertEqual(len(found), 200)

    # --- history and events are one ----------------------------------------------------------------------------------

    def test_history_confirms(self):
        self.fake.rows = [row()]
        whole = self.record([], *live(*BEGINS, END))
        self.assertEqual(
            (whole.outcome, whole.talk_seconds, whole.extension), ('answered', 64, '101')
        )
        mended = self.record(self.history(), *live(*BEGINS, END))
        self.assertEqual(mended, whole)

    def test_a_lost_end_is_found(self):
        self.fake.rows = [row()]
        self.assertEqual(
            self.record(self.history(), *live(*BEGINS)), self.record([], *live(*BEGINS, END))
        )
        self.assertEqual(self.record(self.history()), self.record([], *live(*BEGINS, END)))

    def test_a_ring_group(self):
        self.fake.rows = [
            row(
                events=[
                    user('102', START + 8, START + 15, START + 79),
                    user('101', START + 8, None, START + 15),
                    {'type': 'hold', 'timestamp': START + 20},
                    {'type': 'queue', 'timestamp': START + 4, 'number': '5000'},
                ]
            )
        ]
        found = self.record(self.history())
        self.assertEqual((found.extension, found.queue, found.talk_seconds), ('102', '5000', 64))
        self.assertEqual(
            {(leg.extension, leg.outcome) for leg in found.legs},
            {('101', 'no_answer'), ('102', 'answered')},
        )

    def test_lost_calls(self):
        queue = {'type': 'queue', 'timestamp': START + 2, 'number': '5000'}
        for cause, events, outcome in (
            ('ORIGINATOR_CANCEL', [queue], 'abandoned'),
            ('NORMAL_CLEARING', [queue], 'abandoned'),
            ('ORIGINATOR_CANCEL', [], 'missed'),
            ('ORIGINATOR_CANCEL', [queue, user()], 'missed'),
            ('NO_ANSWER', [queue], 'missed'),
            ('USER_BUSY', [user()], 'busy'),
            ('UNALLOCATED_NUMBER', [], 'failed'),
        ):
            with self.subTest(cause, events=len(events)):
                self.fake.rows = [lost(cause, events)]
                found = self.record(self.history())
                self.assertEqual(
                    (found.direction, found.outcome, found.talk_seconds), ('inbound', outcome, 0)
                )

    def test_history_knows_more_than_the_events(self):
        self.fake.rows = [
            lost(
                events=[{'type': 'queue', 'timestamp': START + 2, 'number': '5000'}],
                accountcode='missed',
            )
        ]
        self.assertEqual(self.record([], *live(*MISSED)).outcome, 'missed')
        found = self.record(self.history(), *live(*MISSED))
        self.assertEqual(
            (found.outcome, found.queue, found.wait_seconds), ('abandoned', '5000', 29)
        )

    def test_outbound(self):
        for values, outcome, talk in (
            ({}, 'answered', 37),
            ({'hangup_cause': 'RECOVERY_ON_TIMER_EXPIRE'}, 'answered', 37),
            ({'events': [], 'user_talk_time': 30}, 'answered', 30),
            ({'events': [], 'user_talk_time': 0, 'hangup_cause': 'USER_BUSY'}, 'busy', 0),
            ({'events': [user(at=START)], 'user_talk_time': 0}, 'no_answer', 0),
        ):
            with self.subTest(values=values):
                self.fake.rows = [outbound(**values)]
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
                    ('outbound', '74957778899', '+74951112244', '101', outcome, talk),
                )

    def test_internal(self):
        self.fake.rows = [row(accountcode='local', caller_id_number='102', gateway='')]
        found = self.record(self.history())
        self.assertEqual(
            (found.direction, found.caller, found.called, found.outcome),
            ('internal', '102', '101', 'answered'),
        )

    def test_history_that_is_not_understood(self):
        for values in (
            {'uuid': ''},
            {'start_stamp': 'now'},
            {'start_stamp': None},
            {'accountcode': 'up'},
            {'events': 'all'},
            {'events': [1]},
            {'events': [{'type': 'user', 'timestamp': 'x'}]},
            {'user_talk_time': 'x', 'events': []},
        ):
            with self.subTest(values=values):
                self.assert_error(
                    ".", False, self.provider.identify, {'history': row(**values)}, self.account()
                )
