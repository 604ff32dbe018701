import json
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import ProviderError, Refused, Stored, WebhookRequest
from odoo.addons.crm_telephony.providers.fold import fold

from ...provider_case import PROPERTY, ProviderCase, form_request, scenarios

DOMAIN = 'demo.onpbx.ru'
UUID = '5d0c6f0e-1111-4a2b-9c3d-000000000001'
END = {
    'domain': DOMAIN,
    'event': 'call_end',
    'direction': 'inbound',
    'uuid': UUID,
    'caller': '74951112233',
    'callee': '101',
    'from_domain': '',
    'to_domain': DOMAIN,
    'gateway': '74957778899',
    'date': '1772435779',
    'call_duration': '79',
    'dialog_duration': '64',
    'hangup_cause': 'NORMAL_CLEARING',
    'download_url': '',
}
REQUIRED = ('event', 'uuid')
USED = (
    *REQUIRED,
    'direction',
    'domain',
    'caller',
    'callee',
    'gateway',
    'date',
    'call_duration',
    'dialog_duration',
    'hangup_cause',
    'download_url',
)


def post(event: dict, content_type: str = 'application/json') -> WebhookRequest:
    return WebhookRequest(headers={'content-type': content_type}, body=json.dumps(event).encode())


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderOnlinePbx(ProviderCase):
    code = 'onlinepbx'

    def account(self, **values):
        return super().account(**{'api_key': DOMAIN, 'country': 'RU', **values})

    def signed(self, delivery, secret):
        return form_request(delivery['form']) if 'form' in delivery else post(delivery['json'])

    def identify(self, event):
        return self.provider.identify(event, self.account())

    def record(self, event, **account):
        stored = [Stored(event, datetime(2026, 3, 2, 7, 20, tzinfo=timezone.utc))]
        return fold(self.provider.translate(stored, self.account(**account)))

    # --- scenarios -----------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call('event', 'uuid')

    def test_typography(self):
        self.check_typography()

    def test_every_event_has_a_sample(self):
        seen = {
            event.get('event')
            for _name, scenario in scenarios(self.code)
            for delivery in scenario['deliveries']
            for event in [delivery.get('json') or delivery.get('form')]
        }
        self.assertLessEqual(
            {'call_start', 'call_answered', 'call_end', 'call_missed', 'test'}, seen
        )

    def test_two_calls_at_once(self):
        """Between the same numbers, their events mixed."""
        scenario = dict(scenarios(self.code))['inbound_answered_recorded']
        other = json.loads(json.dumps(scenario).replace(UUID, UUID[:-1] + '2'))
        mixed = [
            arrival
            for pair in zip(self.arrivals(scenario), self.arrivals(other))
            for arrival in pair
        ]
        account = self.account(**scenario['account'])
        first, second = self.records(self.receive(mixed, account), account)
        self.check_record(first, scenario['expected'])
        self.check_record(second, other['expected'])

    # --- authentication ------------------------------------------------------

    def test_domain(self):
        for configured in (
            DOMAIN,
            'Demo.OnPBX.ru',
            ' demo.onpbx.ru ',
            'https://demo.onpbx.ru/',
            '',
        ):
            shouted = {**END, 'domain': 'DEMO.onpbx.ru '}
            for request in (post(END), form_request(END), post(shouted), post({'event': 'test'})):
                self.provider.verify(request, self.account(api_key=configured))
        for foreign in (
            'other.onpbx.ru',
            'onpbx.ru',
            'demo.onpbx.ru.evil.example',
            'x' * 9999,
            '0',
            'й',
        ):
            for request in (
                post({**END, 'domain': foreign}),
                form_request({**END, 'domain': foreign}),
            ):
                with (
                    self.subTest(foreign[:30]),
                    self.assertRaisesRegex(Refused, 'domain') as caught,
                ):
                    self.provider.verify(request, self.account())
                self.assertEqual(caught.exception.status, 403)
                self.assertNotIn(DOMAIN, str(caught.exception))

    def test_what_is_no_event_is_not_refused(self):
        for body in (b'', b'{', b'[]', b'x', b'\xff\xfe', b'{"domain": ["other.onpbx.ru"]}'):
            self.provider.verify(WebhookRequest(body=body), self.account())

    # --- transport -----------------------------------------------------------

    def test_empty_test_posts(self):
        for request in (WebhookRequest(), WebhookRequest(body=b'{}'), WebhookRequest(method='GET')):
            self.assertEqual(self.provider.split(request), [])
        more = {'event': 'x', 'domain': DOMAIN, 'date': '1'}
        for event in ({'event': 'test'}, {'event': 'call_end'}, {'test': '1'}, more):
            identity = self.identify(event)
            self.assertEqual(identity.call_ref, '')
            self.assertTrue(identity.ignored)
        self.assertEqual(
            (self.provider.reply(post(END)).status, self.provider.reply(post(END)).body), (200, '')
        )

    def test_every_form_of_a_body_is_the_same_event(self):
        form = form_request(END)
        for request in (
            post(END),
            post(END, 'application/x-www-form-urlencoded'),
            post(END, 'text/plain'),
            form,
            replace(form, form={}),
            replace(post(END), form={json.dumps(END): ('',)}),
            replace(post(END), body=b'\xef\xbb\xbf ' + post(END).body),
        ):
            [payload] = self.provider.split(request)
            self.assertEqual(payload, END)

    def test_body_is_none(self):
        broken = b'{"event":"call_end","uuid":'
        for body in (
            broken,
            b'[]',
            b'[{}]',
            b'1',
            b'null',
            b'"x"',
            b'hello',
            b'\xff\xfe',
            b'[' * 9000,
        ):
            with self.subTest(body[:20]), self.assertRaises(ProviderError):
                self.provider.split(WebhookRequest(body=body))

    def test_doubled_fields(self):
        [payload] = self.provider.split(form_request({**END, 'uuid': ['a', 'b']}))
        self.assertEqual(payload['uuid'], 'a')

    # --- bad input -----------------------------------------------------------

    def test_required_fields(self):
        for name in REQUIRED:
            without = {key: value for key, value in END.items() if key != name}
            for event in (without, *({**END, name: value} for value in ('', ' ', None))):
                shown = event.get(name, 'missing')
                with (
                    self.subTest(name=name, value=shown),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify(event)

    def test_optional_fields(self):
        for name in END.keys() - set(REQUIRED):
            without = {key: value for key, value in END.items() if key != name}
            for event in (without, *({**END, name: value} for value in ('', ' ', None))):
                with self.subTest(name=name, value=event.get(name, 'missing')):
                    self.assertEqual(self.identify(event).call_ref, UUID)
                    record = self.record(event)
                    self.check_sane(record)
                    self.assertEqual((record.direction, record.state), ('inbound', 'ended'))

    def test_wrong_types(self):
        for name in USED:
            for value in (['a'], {'a': 1}, True, [[]]):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**END, name: value})
        for name in ('call_duration', 'dialog_duration'):
            for value in ('-1', -1, 'nan', 'inf', 1e400, '1e99', '9' * 400):
                self.check_sane(self.record({**END, name: value}))
            for value in ('abc', '1:04'):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**END, name: value})

    def test_bad_dates(self):
        for value in ('noon', '2026-03-02 10:15:00', '\0'):
            with self.subTest(value), self.assertRaisesRegex(ProviderError, 'date'):
                self.identify({**END, 'date': value})
        for value in (1, 253402300799, '-1', -1, 'nan', 'inf', 1e400, '9' * 30, 1772435779000):
            self.check_sane(self.record({**END, 'date': value}))
        told = self.record({**END, 'date': '0'})
        self.assertEqual(told.ended_at, datetime(2026, 3, 2, 7, 20, tzinfo=timezone.utc))

    def test_unknown_words(self):
        words = (
            ('event', 'call_sparkled'),
            ('event', 'CALL_END'),
            ('direction', 'up'),
            ('direction', 'in'),
        )
        for name, value in words:
            with (
                self.subTest(value),
                self.assertRaisesRegex(ProviderError, f'{name} is unknown: {value}'),
            ):
                self.identify({**END, name: value})

    def test_identity(self):
        identity = self.identify(END)
        self.assertEqual(
            (identity.kind, identity.call_ref, identity.ignored), ('call_end', UUID, '')
        )
        self.assertEqual(identity.key, self.identify(dict(reversed(END.items()))).key)
        self.assertNotEqual(identity.key, self.identify({**END, 'date': '1772435780'}).key)

    def test_gateway_is_no_phone(self):
        for gateway in ('trunk-login-7', '101', 'sip:login@host', ''):
            for direction in ('inbound', 'outbound', 'local'):
                self.check_sane(self.record({**END, 'gateway': gateway, 'direction': direction}))

    # --- the table of causes -------------------------------------------------

    def test_causes(self):
        """Every row of the description, with and without talk; `call_missed` of an inbound call is
        missed."""
        for causes, inbound, outbound in (
            (
                'NORMAL_CLEARING NORMAL_UNSPECIFIED ORIGINATOR_CANCEL NO_ANSWER NO_USER_RESPONSE ALLOTTED_TIMEOUT '
                'PROGRESS_TIMEOUT RECOVERY_ON_TIMER_EXPIRE',
                'missed',
                'no_answer',
            ),
            ('USER_BUSY', 'busy', 'busy'),
            ('CALL_REJECTED', 'missed', 'busy'),
            ('SUBSCRIBER_ABSENT USER_NOT_REGISTERED', 'missed', 'failed'),
            (
                'UNALLOCATED_NUMBER INVALID_NUMBER_FORMAT NUMBER_CHANGED NO_ROUTE_DESTINATION NO_ROUTE_TRANSIT_NET '
                'DESTINATION_OUT_OF_ORDER EXCHANGE_ROUTING_ERROR NORMAL_CIRCUIT_CONGESTION CHAN_NOT_IMPLEMENTED '
                'SRTP_READ_ERROR NETWORK_OUT_OF_ORDER NORMAL_TEMPORARY_FAILURE SWITCH_CONGESTION REQUESTED_CHAN_UNAVAIL '
                'BEARERCAPABILITY_NOTAUTH SERVICE_UNAVAILABLE INCOMPATIBLE_DESTINATION MEDIA_TIMEOUT CRASH '
                'SYSTEM_SHUTDOWN MANDATORY_IE_MISSING PROTOCOL_ERROR INTERWORKING OUTGOING_CALL_BARRED '
                'INCOMING_CALL_BARRED FACILITY_REJECTED USER_CHALLENGE',
                'failed',
                'failed',
            ),
            (
                'LOSE_RACE PICKED_OFF BLIND_TRANSFER ATTENDED_TRANSFER MANAGER_REQUEST',
                'missed',
                'no_answer',
            ),
            ('SOMETHING_NEW', 'missed', 'failed'),
        ):
            for cause in causes.split():
                with self.subTest(cause):
                    talk = {**END, 'hangup_cause': cause}
                    silent = {**talk, 'dialog_duration': '0'}
                    for spelled in (silent, {**silent, 'hangup_cause': cause.lower()}):
                        self.assertEqual(self.record(spelled).outcome, inbound)
                        self.assertEqual(
                            self.record({**spelled, 'direction': 'outbound'}).outcome, outbound
                        )
                        self.assertEqual(
                            self.record({**spelled, 'direction': 'local'}).outcome, outbound
                        )
                    self.assertEqual(
                        self.record({**silent, 'event': 'call_missed'}).outcome, 'missed'
                    )
                    for direction in ('inbound', 'outbound', 'local'):
                        self.assertEqual(
                            self.record({**talk, 'direction': direction}).outcome, 'answered'
                        )

    # --- anything ------------------------------------------------------------

    @PROPERTY
    @given(
        st.lists(
            st.fixed_dictionaries(
                {
                    'uuid': st.just(UUID),
                    'event': st.sampled_from(
                        ('call_start', 'call_answered', 'call_end', 'call_missed')
                    ),
                    'direction': st.sampled_from(('inbound', 'outbound', 'local')),
                },
                optional={
                    'caller': st.sampled_from(('74951112233', '101', 'anonymous', '')),
                    'callee': st.sampled_from(('74951112233', '101', '102', '5000', '')),
                    'gateway': st.sampled_from(('74957778899', 'trunk-7', '')),
                    'date': st.integers(1772435700, 1772435720),
                    'call_duration': st.sampled_from((0, 20, '', '1.5')),
                    'dialog_duration': st.sampled_from((0, 10, '')),
                    'hangup_cause': st.sampled_from(('USER_BUSY', 'NORMAL_CLEARING', 'X', '')),
                    'download_url': st.sampled_from(
                        ('https://onpbx.ru/a', 'https://evil.example', '')
                    ),
                },
            ),
            max_size=6,
        ),
        st.randoms(),
    )
    def test_any_events(self, events, random):
        account = self.account(extensions=('101', '102'))
        received_at = datetime(2026, 3, 2, 7, 20, tzinfo=timezone.utc)
        for event in events:
            if self.provider.identify(event, account).ignored:
                self.assertFalse(event.get('caller') or event.get('callee'))
        stored = [Stored(event, received_at) for event in events]
        record = fold(self.provider.translate(stored, account))
        random.shuffle(stored)
        self.assertEqual(fold(self.provider.translate([*stored, *stored], account)), record)
        if record:
            self.check_sane(record)

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from(tuple(END)),
            st.recursive(
                st.one_of(
                    st.text(max_size=12), st.integers(), st.none(), st.floats(), st.booleans()
                ),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=2),
                    st.dictionaries(st.text(max_size=3), inner, max_size=2),
                ),
                max_leaves=3,
            ),
        )
    )
    def test_any_payload(self, changes):
        """Whatever stands in an event, it is identified or there is a reason why not."""
        event = {**END, **changes}
        try:
            if self.identify(event).call_ref:
                self.check_sane(self.record(event))
        except ProviderError as error:
            self.assertTrue(str(error).encode())
