from datetime import datetime, timedelta

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.capabilities import Extension, Number
from odoo.addons.crm_telephony.providers.client import clients

from ...client_case import ClientCase, utc
from ..server import Answer
from .fake import FakeUis

CALL = '900100201'
LINK = 'https://media.uiscom.ru/900100201/0a1b2c3d'


def row(**values) -> dict:
    """A call of get.calls_report: inbound, answered by 501 after 15 s, who talked for 64 s."""
    return {
        'id': 900100201,
        'start_time': '2026-03-02 10:15:00',
        'finish_time': '2026-03-02 10:16:19',
        'finish_reason': 'subscriber_disconnects',
        'direction': 'in',
        'source': 'va',
        'is_lost': False,
        'contact_phone_number': '74951112233',
        'virtual_phone_number': '74957778899',
        'communication_id': 900100201,
        'wait_duration': 15,
        'talk_duration': 64,
        'clean_talk_duration': 64,
        'total_duration': 79,
        'full_record_file_link': LINK,
        'voice_mail_records': [],
        'call_records': ['0a1b2c3d'],
        'employees': [
            {
                'employee_id': 501,
                'employee_full_name': "Anna",
                'is_answered': True,
                'is_talked': True,
            }
        ],
        'first_answered_employee_id': 501,
        'last_answered_employee_id': 501,
        'last_talked_employee_id': 501,
        **values,
    }


def lost(**values) -> dict:
    return row(
        **{
            'is_lost': True,
            'talk_duration': 0,
            'clean_talk_duration': 0,
            'wait_duration': 34,
            'total_duration': 35,
            'finish_time': '2026-03-02 10:15:35',
            'full_record_file_link': None,
            'employees': [],
            'first_answered_employee_id': None,
            'last_answered_employee_id': None,
            'last_talked_employee_id': None,
            **values,
        }
    )


def employee(number, answered=False):
    return {
        'employee_id': number,
        'employee_full_name': "One",
        'is_answered': answered,
        'is_talked': answered,
    }


def told(event, after, **body):
    at = datetime(2026, 3, 2, 10, 15) + timedelta(seconds=after)
    return {
        'path': event,
        'body': {
            'call_session_id': 900100201,
            'notification_time': str(at),
            'contact_phone_number': '74951112233',
            'virtual_phone_number': '74957778899',
            **body,
        },
    }


BEGINS = [
    told('inbound', 0, notification_timestamp=1772435700, scenario_name='Main'),
    told('ringing', 8, leg_id=7001, direction='in', employee_id=501),
    told('talk_started', 15, leg_ids=[7000, 7001], direction='in', employee_id=501),
]
END = told(
    'call_finished',
    79,
    direction='in',
    start_time='2026-03-02 10:15:00',
    notification_timestamp=1772435779,
    employee_id=501,
    talk_time_duration=64,
    total_time_duration=79,
    wait_time_duration=15,
    is_internal=False,
)
RECORDING = told('recording', 150, file_link=LINK, file_duration=64, employee_id=501)
LOST = [
    told('inbound', 0, scenario_name='Main'),
    told('lost_call', 34, wait_time_duration=34, employee_ids=[]),
    told(
        'call_finished',
        35,
        direction='in',
        start_time='2026-03-02 10:15:00',
        employee_id=None,
        talk_time_duration=0,
        total_time_duration=35,
        wait_time_duration=34,
        is_internal=False,
    ),
]


def live(*payloads):
    return [
        (payload, utc(2026, 3, 2, 7, 15) + timedelta(seconds=place))
        for place, payload in enumerate(payloads)
    ]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientUis(ClientCase):
    code = 'uis'
    fake_class = FakeUis
    settings = {
        'api_secret': FakeUis.secret,
        'timezone': 'Europe/Moscow',
        'extensions': ('501', '502', '101'),
    }
    period = (utc(2026, 3, 1), utc(2026, 3, 3))

    def history(self, *period):
        return list(self.client().history(*(period or self.period)))

    def params(self, method) -> list[dict]:
        return [
            request.json()['params']
            for request in self.fake.requests
            if request.json()['method'] == method
        ]

    # --- logging in and errors ---------------------------------------------------------------------------------------

    def test_brands_have_two_hosts(self):
        for entered in ('https://dataapi.comagic.ru', 'https://callapi.comagic.ru/'):
            client = self.client(api_url=entered)
            self.assertEqual(client._data.account.api_url.rstrip('/'), 'https://dataapi.comagic.ru')
            self.assertEqual(
                client._calls.account.api_url.rstrip('/'), 'https://callapi.comagic.ru'
            )
        client = self.client(api_url='https://callapi-jsonrpc.novofon.ru')
        self.assertEqual(client._data.account.api_url, 'https://dataapi-jsonrpc.novofon.ru')

    def test_a_login_where_the_secret_is_a_password(self):
        self.fake.tokens.clear()
        self.assert_error("does not accept the access token", False, self.client().check)
        client = self.client(api_key=FakeUis.key)
        self.assertIn("Firm", client.check())
        client.check()
        self.assertEqual(self.fake.methods.count('login.user'), 1)
        self.fake.tokens.clear()
        self.fake.methods.clear()
        self.assert_error(
            "login and the access token",
            False,
            self.client(api_key=FakeUis.key, api_secret='other').check,
        )
        self.assertEqual(self.fake.methods, ['get.account', 'login.user'])

    def test_an_expired_token_is_renewed_once(self):
        client = self.client(api_key=FakeUis.key)
        self.fake.next_answers = [self.fake.error(-32001, 'access_token_expired')]
        self.assertIn("Firm", client.check())
        self.assertEqual(self.fake.methods, ['login.user', 'get.account'])

    def test_errors(self):
        for code, mnemonic, words, retryable in (
            (-32029, 'limit_exceeded', "to wait", True),
            (-32603, 'internal_error', "internal_error", True),
            (-32003, 'ip_not_whitelisted', "white list", False),
            (-32001, 'access_token_blocked', "blocked", False),
            (-32008, 'component_disabled', "component", False),
            (-32009, 'account_inactive', "not active", False),
            (-32602, 'date_interval_limit_reached', "date_interval", False),
        ):
            with self.subTest(mnemonic):
                self.fake.next_answers = [self.fake.error(code, mnemonic)]
                self.assert_error(words, retryable, self.client().check)
        self.fake.next_answers = [Answer('', 503)]
        self.assert_error("503", True, self.client().check)
        for body in ('<html>', '[]', '{}', '{"result": []}', '{"result": {"data": 1}}'):
            self.fake.next_answers = [Answer(body)]
            self.assert_error("does not describe", False, self.client().check)
        self.assert_error("not complete", False, self.client(api_secret='').check)

    # --- the account -------------------------------------------------------------------------------------------------

    def test_check(self):
        self.assertEqual(
            self.client().check(), "UIS answers: account Firm, time zone Europe/Moscow."
        )
        self.assertIn("times of calls will be wrong", self.client(timezone='Asia/Almaty').check())

    def test_extensions_and_numbers(self):
        self.assertEqual(
            self.client().extensions(), [Extension('501', "Anna"), Extension('502', "Boris")]
        )
        self.assertEqual(
            self.client().numbers(), [Number('74957778800', "Spare"), Number('74957778899', "Main")]
        )

    def test_many_employees(self):
        self.fake.employees = [
            {'id': number, 'full_name': str(number)} for number in range(1, 2502)
        ]
        self.assertEqual(len(self.client().extensions()), 2501)

    # --- commands ----------------------------------------------------------------------------------------------------

    def test_dial(self):
        client = self.client(own_numbers=('+74957778899',))
        self.assertEqual(client.dial('501', '+74951112233', 'odoo-17-42'), '900100999')
        self.assertEqual(
            self.params('start.employee_call'),
            [
                {
                    'access_token': FakeUis.secret,
                    'first_call': 'employee',
                    'direction': 'out',
                    'contact': '74951112233',
                    'virtual_phone_number': '74957778899',
                    'employee': {'id': 501},
                    'external_id': 'odoo-17-42',
                }
            ],
        )
        self.client().dial('101', '+74951112233')
        self.assertEqual(
            self.params('start.employee_call')[1]['employee'],
            {'id': 501},
            "by the number of a phone",
        )
        self.fake.lines = []
        self.assert_error("no active number", False, client.dial, '501', '+74951112233')

    def test_bad_input_is_not_sent(self):
        client = self.client()
        self.assert_error("no extension", False, client.dial, '777', '+74951112233')
        self.assert_error("no phone number", False, client.dial, '501', 'Anna')
        self.assert_error("no call of this name", False, client.hang_up, 'ent-1')
        self.assert_error("no call of this name", False, client.transfer, '1 or 1', '502', False)
        self.assertEqual(self.fake.requests, [])

    def test_hang_up(self):
        self.client().hang_up(CALL)
        self.assertIsNone(self.fake.calls[900100201])
        self.assert_error("is over", False, self.client().hang_up, '1')

    def test_blind_transfer(self):
        self.client().transfer(CALL, '502', False)
        self.assertEqual(self.fake.methods[-3:], ['hold.call', 'make.call', 'transfer.talk'])
        self.assertEqual(self.params('make.call')[0]['to'], '74951112201')
        self.assertEqual(self.params('hold.call')[0]['contact_message']['type'], 'tts')

    def test_no_attended_transfer(self):
        self.assertFalse(clients['uis'].asks_first)
        self.assert_error("without asking", False, self.client().transfer, CALL, '501', True)
        self.assertNotIn('hold.call', self.fake.methods)

    def test_nobody_is_left_on_hold(self):
        self.fake.unreachable = ('101',)
        self.assert_error("invalid_parameter", False, self.client().transfer, CALL, '501', False)
        self.assertEqual(self.fake.calls[900100201], 'talk')

    def test_recording(self):
        today = datetime.now() - timedelta(days=2)
        self.fake.rows = [row(start_time=f'{today:%Y-%m-%d %H:%M:%S}')]
        self.assertEqual(self.client().recording_url('', CALL), LINK)
        self.assert_error("no recording", True, self.client().recording_url, '', '5')

    # --- history -----------------------------------------------------------------------------------------------------

    def test_history_is_asked_in_the_accounts_time(self):
        self.fake.rows = [row()]
        [payload] = self.history(utc(2026, 3, 2, 7, 15), utc(2026, 3, 2, 7, 16))
        self.assertEqual(payload['history']['id'], 900100201)
        self.assertEqual(self.params('get.calls_report')[0]['date_from'], '2026-03-02 10:15:00')
        self.assertIn('employees', self.params('get.calls_report')[0]['fields'])

    def rows(self, count, **step):
        start = datetime(2026, 3, 1, 12)
        return [
            row(id=number, start_time=str(start + number * timedelta(**step)))
            for number in range(1, count + 1)
        ]

    def test_pages(self):
        self.fake.rows = self.rows(2001, seconds=1)
        self.assertEqual(len(self.history()), 2001)
        self.assertEqual(
            [params['offset'] for params in self.params('get.calls_report')], [0, 1000, 2000]
        )

    def test_pages_that_are_shorter_than_asked_for(self):
        self.fake.rows, self.fake.page = self.rows(250, seconds=1), 100
        self.assertEqual(len(self.history()), 250)

    def test_long_periods_are_split(self):
        self.fake.rows = self.rows(200, days=1)
        found = self.history(utc(2026, 3, 1), utc(2026, 10, 1))
        self.assertEqual({payload['history']['id'] for payload in found}, set(range(1, 201)))

    def test_more_rows_than_can_be_paged(self):
        self.fake.rows, self.fake.whole = self.rows(96, hours=1), 100_001
        found = self.history(utc(2026, 3, 1), utc(2026, 3, 9))
        self.assertEqual({payload['history']['id'] for payload in found}, set(range(1, 97)))

    # --- history and events are one ----------------------------------------------------------------------------------

    def test_history_confirms(self):
        self.fake.rows = [row()]
        whole = self.record([], *live(*BEGINS, END, RECORDING))
        self.assertEqual(
            (whole.outcome, whole.talk_seconds, whole.extension), ('answered', 64, '501')
        )
        self.assertEqual(self.record(self.history(), *live(*BEGINS, END, RECORDING)), whole)

    def test_a_lost_end_is_found(self):
        self.fake.rows = [row()]
        whole = self.record([], *live(*BEGINS, END))
        mended = self.record(self.history(), *live(*BEGINS))
        self.assertEqual([recording.url for recording in mended.recordings], [LINK])
        for name in (
            'direction',
            'caller',
            'called',
            'extension',
            'start_at',
            'answered_at',
            'ended_at',
            'wait_seconds',
            'talk_seconds',
            'state',
            'outcome',
            'legs',
        ):
            self.assertEqual(getattr(mended, name), getattr(whole, name), name)

    def test_history_alone(self):
        self.fake.rows = [row(employees=[employee(501, True), employee(502)])]
        found = self.record(self.history())
        self.assertEqual(
            (
                found.direction,
                found.caller,
                found.called,
                found.extension,
                found.start_at,
                found.answered_at,
                found.ended_at,
            ),
            (
                'inbound',
                '74951112233',
                '74957778899',
                '501',
                utc(2026, 3, 2, 7, 15),
                utc(2026, 3, 2, 7, 15, 15),
                utc(2026, 3, 2, 7, 16, 19),
            ),
        )
        self.assertEqual(
            {(leg.extension, leg.outcome) for leg in found.legs},
            {('501', 'answered'), ('502', 'no_answer')},
        )

    def test_a_call_that_was_passed_on(self):
        self.fake.rows = [
            row(
                is_transfer=True,
                employees=[employee(501, True), employee(502, True)],
                last_answered_employee_id=502,
                last_talked_employee_id=502,
            )
        ]
        for deliveries in ([], live(*BEGINS)):
            found = self.record(self.history(), *deliveries)
            self.assertEqual((found.extension, found.outcome), ('501', 'answered'))
            self.assertEqual(
                {(leg.extension, leg.outcome) for leg in found.legs},
                {('501', 'answered'), ('502', 'answered')},
            )

    def test_why_nobody_talked(self):
        rang = [employee(501)]
        for reason, people, inbound, outbound in (
            ('subscriber_disconnects', [], 'abandoned', 'no_answer'),
            ('subscriber_disconnects', rang, 'missed', 'no_answer'),
            ('timeout', rang, 'missed', 'no_answer'),
            ('operator_busy', rang, 'busy', 'busy'),
            ('employee_status_not_available', [], 'missed', 'failed'),
            ('in_call_not_allowed_by_status', [], 'missed', 'failed'),
            ('call_enqueued', [], 'abandoned', 'no_answer'),
            ('numb_not_exists', [], 'failed', 'failed'),
            ('a_new_reason', [], 'failed', 'failed'),
            ('success_finish', rang, 'missed', 'no_answer'),
            (None, [], 'missed', 'no_answer'),
        ):
            for direction, outcome in (('in', inbound), ('out', outbound)):
                with self.subTest(reason, direction=direction):
                    self.fake.rows = [
                        lost(finish_reason=reason, employees=people, direction=direction)
                    ]
                    found = self.record(self.history())
                    self.assertEqual((found.state, found.outcome), ('ended', outcome))
                    if direction == 'in':
                        self.assertEqual(
                            [leg.outcome for leg in found.legs], ['no_answer'] * len(people)
                        )

    def test_history_knows_more_than_the_notifications(self):
        self.fake.rows = [lost()]
        self.assertEqual(self.record([], *live(*LOST)).outcome, 'missed')
        found = self.record(self.history(), *live(*LOST))
        self.assertEqual(
            (found.outcome, found.wait_seconds, found.ended_at),
            ('abandoned', 34, utc(2026, 3, 2, 7, 15, 35)),
        )
        self.fake.rows = [lost(voice_mail_records=['0a'])]
        self.assertEqual(self.record(self.history(), *live(*LOST)).outcome, 'voicemail')

    def test_a_link_elsewhere_is_kept_and_asked_for_later(self):
        """Whether its host may be asked is settled when somebody listens."""
        self.fake.rows = [row(full_record_file_link='https://evil.example/1.mp3')]
        self.assertEqual(
            [recording.url for recording in self.record(self.history()).recordings],
            ['https://evil.example/1.mp3'],
        )

    def test_history_that_is_not_understood(self):
        for values in (
            {'id': None},
            {'start_time': None},
            {'start_time': 'now'},
            {'direction': 'up'},
            {'direction': None},
            {'employees': [1]},
            {'employees': 'all'},
            {'talk_duration': 'long'},
            {'is_lost': 'perhaps'},
        ):
            with self.subTest(values=values):
                self.assert_error(
                    ".", False, self.provider.identify, {'history': row(**values)}, self.account()
                )
