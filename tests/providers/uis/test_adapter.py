import json
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import Answer, ProviderError, Stored, WebhookRequest
from odoo.addons.crm_telephony.providers.fetch import host_allowed
from odoo.addons.crm_telephony.providers.fold import fold
from odoo.addons.crm_telephony.providers.uis.adapter import EVENTS, TEMPLATES

from ...provider_case import PROPERTY, ProviderCase, form_request, scenarios

FINISHED = {
    'call_session_id': 900100201,
    'communication_id': 900100201,
    'direction': 'in',
    'start_time': '2026-03-02 10:15:00',
    'notification_time': '2026-03-02 10:16:19',
    'notification_timestamp': 1772435779,
    'virtual_phone_number': '74957778899',
    'contact_phone_number': '74951112233',
    'employee_id': 501,
    'employee_full_name': 'Agent One',
    'talk_time_duration': 64,
    'total_time_duration': 79,
    'wait_time_duration': 15,
    'is_internal': False,
    'external_id': None,
    'call_source': 'va',
}
LOST = {
    'call_session_id': 900100201,
    'notification_time': '2026-03-02 10:41:00',
    'virtual_phone_number': '74957778899',
    'contact_phone_number': '74951112255',
    'wait_time_duration': 34,
    'employee_ids': [501, 502],
}
RECORDING = {
    'call_session_id': 900100201,
    'file_link': 'https://media.uiscom.ru/900100201/0a1b',
    'file_duration': 64,
    'notification_time': '2026-03-02 10:17:30',
}
# What is typed in where the account would put a value.
VALUES = {
    **FINISHED,
    **LOST,
    **RECORDING,
    'leg_id': 7001,
    'leg_ids': [7000, 7001],
    'scenario_name': 'Main "A"\n',
}
USED = (
    'call_session_id',
    'direction',
    'start_time',
    'notification_time',
    'virtual_phone_number',
    'contact_phone_number',
    'employee_id',
    'talk_time_duration',
    'total_time_duration',
    'wait_time_duration',
)
NOW = datetime(2026, 3, 2, 7, 20, tzinfo=timezone.utc)


def post(
    body: str, path: str = 'call_finished', content_type: str = 'application/json'
) -> WebhookRequest:
    return WebhookRequest(suffix=path, headers={'content-type': content_type}, body=body.encode())


def ask(method: str = 'GET', **fields) -> WebhookRequest:
    if method == 'GET':
        return WebhookRequest(
            method=method, suffix='route', query={name: (value,) for name, value in fields.items()}
        )
    return replace(form_request(fields), suffix='route')


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderUis(ProviderCase):
    code = 'uis'

    def account(self, **values):
        return super().account(**{'timezone': 'Europe/Moscow', **values})

    def signed(self, delivery, secret):
        path = delivery.get('path', '')
        if 'form' in delivery:
            return replace(form_request(delivery['form']), suffix=path)
        if 'query' in delivery:
            query = {name: (value,) for name, value in delivery['query'].items()}
            return WebhookRequest(method='GET', suffix=path, query=query)
        if 'raw' in delivery:
            return post(delivery['raw'], path, delivery.get('content_type', 'application/json'))
        return post(json.dumps(delivery['json'], ensure_ascii=False), path)

    def identify(self, body, path='call_finished'):
        return self.provider.identify({'path': path, 'body': body}, self.account())

    def record(self, body, path='call_finished', **account):
        stored = [Stored({'path': path, 'body': body}, NOW)]
        return fold(self.provider.translate(stored, self.account(**account)))

    # --- scenarios -----------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call(
            'call_session_id', 'call_info', but=('untyped', 'untyped_lost', 'timestamp_is_none')
        )

    def test_typography(self):
        self.check_typography()

    def test_every_event_has_a_sample(self):
        seen = {
            delivery.get('path', '')
            for _name, scenario in scenarios(self.code)
            for delivery in scenario['deliveries']
        }
        self.assertLessEqual({*EVENTS, 'outbound', 'talk_finished'}, seen)

    def test_two_calls_at_once(self):
        """Between the same numbers, their events mixed."""
        scenario = dict(scenarios(self.code))['inbound_answered_recorded']
        other = json.loads(json.dumps(scenario).replace('900100201', '900100202'))
        mixed = [
            arrival
            for pair in zip(self.arrivals(scenario), self.arrivals(other))
            for arrival in pair
        ]
        account = self.account(**scenario['account'])
        first, second = self.records(self.receive(mixed, account), account)
        self.check_record(first, scenario['expected'])
        self.check_record(second, other['expected'])

    # --- templates -----------------------------------------------------------

    def test_templates(self):
        """The bodies that the owner pastes are, once filled, what we read; the steps name them all."""
        names = {'inbound', 'ringing', 'talk_started', 'call_finished', 'lost_call', 'recording'}
        self.assertEqual(set(TEMPLATES), names)
        self.assertIn(
            '{"call_session_id":{{call_session_id}},"file_link":{{file_link}},',
            TEMPLATES['recording'],
        )
        told = {body.suffix: body.body for body in self.provider.setup_bodies}
        for event, template in TEMPLATES.items():
            with self.subTest(event):
                self.assertEqual(told[f'/{event}'], template)
                filled = template
                for name in EVENTS[event][1]:
                    filled = filled.replace('{{%s}}' % name, json.dumps(VALUES[name]))  # noqa: UP031
                [payload] = self.provider.split(post(filled, event))
                identity = self.provider.identify(payload, self.account())
                self.assertEqual((identity.kind, identity.call_ref), (event, '900100201'))

    def test_templates_left_unfilled(self):
        """Only the session was filled: what is missing is named, nothing breaks."""
        for event, template in TEMPLATES.items():
            body = template.replace('{{call_session_id}}', '900100201')
            [payload] = self.provider.split(post(body, event))
            try:
                self.assertEqual(
                    self.provider.identify(payload, self.account()).call_ref, '900100201'
                )
            except ProviderError as error:
                self.assertRegex(str(error), 'direction is missing')
        [payload] = self.provider.split(post(TEMPLATES['call_finished']))
        with self.assertRaisesRegex(ProviderError, 'call_session_id is missing'):
            self.provider.identify(payload, self.account())

    # --- transport -----------------------------------------------------------

    def test_empty_test_posts(self):
        for request in (
            post(''),
            post(' \n'),
            post('{}'),
            WebhookRequest(method='GET', suffix='inbound'),
        ):
            self.assertEqual(self.provider.split(request), [])
        self.assertEqual(
            (self.provider.reply(post('')).status, self.provider.reply(post('')).body), (200, '')
        )

    def test_every_form_of_a_body_is_the_same_event(self):
        fields = {
            name: str(value) for name, value in FINISHED.items() if isinstance(value, (str, int))
        }
        form = form_request(fields)
        for request in (
            post(json.dumps(fields)),
            post('\ufeff' + json.dumps(fields)),
            post(json.dumps(fields), content_type='text/plain'),
            replace(post(json.dumps(fields)), form={json.dumps(fields): ('',)}),
            form,
            replace(form, form={}),
            WebhookRequest(method='GET', query=form.form),
            replace(form, query={'call_session_id': ('1',)}),
        ):
            [payload] = self.provider.split(replace(request, suffix='call_finished'))
            self.assertEqual(self.provider.identify(payload, self.account()).call_ref, '900100201')

    def test_body_is_none(self):
        torn = ('{"direction": }', '{', '{"a":{{b}', '{"a" {{b}}}')
        for body in (*torn, '[1]', '"x"', '1', 'null', 'hello', '[' * 9000):
            with self.subTest(body[:20]), self.assertRaises(ProviderError):
                self.provider.split(post(body))

    def test_doubled_fields(self):
        request = replace(
            form_request({'call_session_id': ['1', '2'], 'direction': 'in'}), suffix='call_finished'
        )
        [payload] = self.provider.split(request)
        self.assertEqual(self.provider.identify(payload, self.account()).call_ref, '1')

    # --- bad input -----------------------------------------------------------

    def test_missing_values(self):
        """Every variable, in each way in which it can be without a value."""
        for name in FINISHED:
            without = {key: value for key, value in FINISHED.items() if key != name}
            shapes = (
                '',
                ' ',
                None,
                '{{%s}}' % name,  # noqa: UP031
                '{{ x }}',
                '""',
                '" "',
                'null',
                '"null"',
                '"{{x}}"',
            )
            for body in (without, *({**FINISHED, name: value} for value in shapes)):
                with self.subTest(name=name, value=body.get(name, 'missing')):
                    if name == 'call_session_id':
                        with self.assertRaisesRegex(ProviderError, f'{name} is missing'):
                            self.identify(body)
                        continue
                    self.identify(body)
                    record = self.record(body)
                    self.check_sane(record)
                    self.assertEqual(record.state, 'ended')
                    if name != 'talk_time_duration':
                        self.assertEqual(record.outcome, 'answered')

    def test_wrong_types(self):
        for name in USED:
            for value in (['a'], {'a': 1}, True, [[]]):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**FINISHED, name: value})
        for name in (
            'talk_time_duration',
            'total_time_duration',
            'wait_time_duration',
            'file_duration',
        ):
            for value in ('-1', -1, 'nan', 'inf', 1e400, '1e99', '9' * 400):
                self.check_sane(self.record({**FINISHED, name: value}))
            for value in ('abc', '1:04'):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**FINISHED, name: value})
        for value in (['a'], {'a': 1}, 'yes, perhaps', 2):
            with (
                self.subTest(is_internal=value),
                self.assertRaisesRegex(ProviderError, 'is_internal'),
            ):
                self.identify({**FINISHED, 'is_internal': value})
        for value in ({'a': 1}, [[1]], [{}], [True], True):
            with (
                self.subTest(employee_ids=value),
                self.assertRaisesRegex(ProviderError, 'employee_ids'),
            ):
                self.identify({**LOST, 'employee_ids': value}, 'lost_call')
        for name in ('contact_info', 'employee_info', 'call_info', 'call_record_file_info'):
            for value in ('x', 1, True, ['x'], '\ud800'):
                with (
                    self.subTest(name=name, value=repr(value)),
                    self.assertRaisesRegex(ProviderError, name) as caught,
                ):
                    self.identify({**FINISHED, name: value})
                str(caught.exception).encode()

    def test_bad_times(self):
        for name in ('notification_time', 'start_time'):
            for value in (
                'noon',
                '2026-03-02',
                '2026-13-02 10:15:00',
                '02.03.2026 10:15:00',
                '\0',
                'x' * 500,
                '2026-03-02 10:15:00+99:99',
                '2026-03-02 10:15:00 MSK',
                '2026-03-02 10:15:00.x',
            ):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**FINISHED, name: value})
        for value in ('-1', 'nan', '9' * 30, '99999999999999', '0'):
            self.identify(
                {**LOST, 'notification_timestamp': value, 'notification_time': None}, 'lost_call'
            )
        for value in ('soon', '1:04'):
            with (
                self.subTest(timestamp=value),
                self.assertRaisesRegex(ProviderError, 'notification_timestamp'),
            ):
                self.identify(
                    {**LOST, 'notification_timestamp': value, 'notification_time': None},
                    'lost_call',
                )
        for value in ('0001-01-01 00:00:00', '9999-12-31 23:59:59', '0001-01-01 00:00:00+14:00'):
            for zone in ('UTC', 'Asia/Almaty', 'America/New_York'):
                for names in (
                    ('start_time',),
                    ('notification_time',),
                    ('start_time', 'notification_time'),
                ):
                    body = {
                        **FINISHED,
                        'notification_timestamp': None,
                        **dict.fromkeys(names, value),
                    }
                    try:
                        self.check_sane(self.record(body, timezone=zone))
                    except ProviderError as error:
                        self.assertRegex(str(error), 'time')
        with self.assertRaisesRegex(ProviderError, 'Asia/Atlantis'):
            self.provider.identify(
                {'path': 'lost_call', 'body': LOST}, self.account(timezone='Asia/Atlantis')
            )

    def test_unknown_events(self):
        for path in ('call_sparkled', 'Inbound', 'inbound/x', '..'):
            with self.subTest(path), self.assertRaisesRegex(ProviderError, 'unknown event'):
                self.identify(FINISHED, path)
        for payload in (
            {},
            {'path': 'inbound'},
            {'path': 'inbound', 'body': []},
            {'path': ['a'], 'body': {}},
        ):
            with self.assertRaises(ProviderError):
                self.provider.identify(payload, self.account())

    def test_identity(self):
        identity = self.identify(FINISHED)
        self.assertEqual(identity.key, self.identify(dict(reversed(FINISHED.items()))).key)
        self.assertNotEqual(identity.key, self.identify({**FINISHED, 'talk_time_duration': 65}).key)
        self.assertNotEqual(
            self.identify(LOST, 'lost_call').key, self.identify(LOST, 'inbound').key
        )

    def test_recording_hosts(self):
        """A link that may not be fetched costs nothing of its event; which may be is asked when
        somebody listens."""
        for host in (
            'media.uiscom.ru',
            'app.uiscom.ru',
            'media.comagic.ru',
            'app.comagic.ru',
            'MEDIA.UISCOM.RU',
            'media.novofon.ru',
            'app.novofon.ru',
            'app.callgear.ae',
            'media.callgear.com',
        ):
            self.assertTrue(host_allowed(host, self.provider.recording_hosts), host)
        foreign = (
            'uiscom.ru.evil.example',
            'evil-uiscom.ru',
            'callapi.uiscom.ru',
            'localhost',
            '::1',
            '10.0.0.1',
        )
        for host in foreign:
            self.assertFalse(host_allowed(host, self.provider.recording_hosts), host)
        for url in (
            *(f'https://{host}/x' for host in foreign),
            'https:///x',
            'https://[x',
            'nonsense',
            '',
            'ftp://x.example/1',
        ):
            self.assertEqual(
                self.identify({**RECORDING, 'file_link': url}, 'recording').call_ref, '900100201'
            )

    # --- interactive call processing -----------------------------------------

    def test_question(self):
        """Who should get the call; nothing of it is kept."""
        for method in ('GET', 'POST'):
            more = {'cdr_id': '1', 'start_time': '1200', 'input_result': 'None'}
            request = ask(method, numa='74951112233', numb='74957778899', **more)
            self.provider.verify(request, self.account())
            self.assertEqual(self.provider.split(request), [])
            question = self.provider.question(request, self.account())
            self.assertEqual(
                (question.kind, question.number, question.called),
                ('route', '74951112233', '74957778899'),
            )
        request = post('{"cdr_id": 1, "numa": 74951112233, "numb": null}', 'route')
        question = self.provider.question(request, self.account())
        self.assertEqual((question.number, question.called), ('74951112233', ''))
        self.assertEqual(self.provider.question(ask(), self.account()).number, '')
        self.assertIsNone(self.provider.question(post('{"numa": "1"}', 'inbound'), self.account()))
        for body in ('{', '{"numa": ["1"]}', '[]'):
            with self.assertRaises(ProviderError):
                self.provider.question(post(body, 'route'), self.account())

    def test_answer(self):
        def said(answer):
            reply = self.provider.reply(ask(numa='74951112233'), answer)
            self.assertEqual((reply.status, reply.content_type), (200, 'application/json'))
            return json.loads(reply.body)

        self.assertEqual(
            said(Answer(manager='74951110001', team=('74951110002',))), {'phones': ['74951110001']}
        )
        self.assertEqual(
            said(Answer(team=('+7 495 111-00-02', '501'))), {'phones': ['74951110002']}
        )
        for nothing in (None, Answer(), Answer(manager='501'), Answer(team=('501', '502'))):
            self.assertEqual(said(nothing), {})

    # --- anything ------------------------------------------------------------

    @PROPERTY
    @given(
        st.lists(
            st.tuples(
                st.sampled_from((*EVENTS, 'outbound', 'talk_finished')),
                st.fixed_dictionaries(
                    {
                        'call_session_id': st.just(900100201),
                        'direction': st.sampled_from(('in', 'out')),
                    },
                    optional={
                        'notification_time': st.sampled_from(
                            ('2026-03-02 10:15:00', '2026-03-02 10:15:40')
                        ),
                        'notification_timestamp': st.integers(1772435700, 1772435800),
                        'start_time': st.sampled_from(('2026-03-02 10:14:50', '')),
                        'contact_phone_number': st.sampled_from(('74951112233', '', '102')),
                        'employee_id': st.sampled_from((501, 502, None)),
                        'employee_ids': st.sampled_from(([], [501], '501,503')),
                        'talk_time_duration': st.sampled_from((0, 20, None)),
                        'total_time_duration': st.sampled_from((0, 40, None)),
                        'wait_time_duration': st.sampled_from((0, 20, None)),
                        'is_internal': st.sampled_from((True, False, '{{is_internal}}')),
                    },
                ),
            ),
            max_size=7,
        ),
        st.randoms(),
    )
    def test_any_events(self, notifications, random):
        account = self.account()
        stored = []
        for path, body in notifications:
            payload = {'path': path, 'body': {**body, 'file_link': 'https://media.uiscom.ru/a'}}
            self.assertEqual(self.provider.identify(payload, account).call_ref, '900100201')
            stored.append(Stored(payload, NOW))
        record = fold(self.provider.translate(stored, account))
        random.shuffle(stored)
        self.assertEqual(fold(self.provider.translate([*stored, *stored], account)), record)
        if record:
            self.check_sane(record)

    @PROPERTY
    @given(
        st.sampled_from((*EVENTS, '', 'x')),
        st.dictionaries(
            st.sampled_from((*VALUES, 'event', 'call_info', 'contact_info')),
            st.recursive(
                st.one_of(
                    st.text(max_size=12),
                    st.integers(),
                    st.none(),
                    st.floats(),
                    st.booleans(),
                    st.just('{{x}}'),
                ),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=2),
                    st.dictionaries(st.sampled_from(tuple(VALUES)), inner, max_size=2),
                ),
                max_leaves=4,
            ),
        ),
    )
    def test_any_payload(self, path, changes):
        """Whatever stands in a notification, it is identified or there is a reason why not."""
        payload = {'path': path, 'body': {**FINISHED, **changes}}
        try:
            self.provider.identify(payload, self.account())
            fold(self.provider.translate([Stored(payload, NOW)], self.account()))
        except ProviderError as error:
            self.assertTrue(str(error).encode())
