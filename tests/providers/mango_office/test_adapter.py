import hashlib
import json
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import ProviderError, Refused, Stored, WebhookRequest
from odoo.addons.crm_telephony.providers.fold import fold

from ...provider_case import PROPERTY, ProviderCase, form_request, scenarios

KEY, SALT = 'mangokey0001', 'mangosalt0001'
# Worked examples of the interface's description, for this key and salt.
VECTORS = (
    (
        '{"entry_id":"ent-0001","call_direction":1}',
        'af8c970ab08b6f7fd654f728f033deafd50c26689600405b9d3aaafa9dd71dbc',
    ),
    (
        '{"command_id":"odoo-1","from":{"extension":"101"},"to_number":"74951112233"}',
        '64e6474965f74f347511561c7baa28034c4e2ae0e57ba9dcccd149b3c0dceff1',
    ),
)
SUMMARY = {
    'entry_id': 'ent-1',
    'call_direction': 1,
    'from': {'number': '74951112233'},
    'to': {'extension': '101', 'number': 'sip:agent1@demo.mangosip.ru'},
    'line_number': '74957778899',
    'create_time': 1772446500,
    'forward_time': 1772446508,
    'talk_time': 1772446515,
    'end_time': 1772446579,
    'entry_result': 1,
    'disconnect_reason': 1110,
}
LEG = {
    'entry_id': 'ent-1',
    'call_id': 'leg-1',
    'timestamp': 1772446515,
    'seq': 2,
    'call_state': 'Connected',
    'location': 'abonent',
    'from': {'number': '74951112233'},
    'to': {'extension': '101', 'line_number': '74957778899'},
    'disconnect_reason': 1110,
}
RECORDING = {
    'entry_id': 'ent-1',
    'call_id': 'leg-1',
    'recording_id': 'rec-1',
    'recording_state': 'Completed',
    'seq': 2,
    'timestamp': 1772446579,
    'completion_code': 1000,
}
ADDED = {
    'entry_id': 'ent-1',
    'product_id': 4,
    'user_id': -1,
    'recording_id': 'rec-1',
    'timestamp': 1772446640,
}
EVENTS = {
    'events/call': LEG,
    'events/summary': SUMMARY,
    'events/recording': RECORDING,
    'events/record/added': ADDED,
}
REQUIRED = {
    'events/call': ('entry_id',),
    'events/summary': ('entry_id',),
    'events/recording': ('entry_id', 'recording_id', 'recording_state'),
    'events/record/added': ('entry_id', 'recording_id'),
}
# What no event may hold in any field.
NO_TEXT = (['a'], {'a': 1}, True, [[]])


def sign(text: str, key: str = KEY, salt: str = SALT) -> str:
    return hashlib.sha256((key + text + salt).encode()).hexdigest()


def post(text: str, path: str = 'events/summary', **fields) -> WebhookRequest:
    form = {'vpbx_api_key': KEY, 'sign': sign(text), 'json': text, **fields}
    form = {name: value for name, value in form.items() if value is not None}
    return replace(form_request(form), suffix=path)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderMangoOffice(ProviderCase):
    code = 'mango_office'
    secret = SALT

    def account(self, **values):
        return super().account(**{'api_key': KEY, **values})

    def signed(self, delivery, secret):
        text = json.dumps(delivery['json'], ensure_ascii=False, separators=(',', ':'))
        return post(text, delivery.get('path', ''), sign=sign(text, salt=secret))

    def identify(self, event, path='events/summary'):
        return self.provider.identify({'path': path, 'json': event}, self.account())

    def record(self, event, path='events/summary', **account):
        stored = Stored({'path': path, 'json': event}, datetime(2026, 3, 9, tzinfo=timezone.utc))
        return fold(self.provider.translate([stored], self.account(**account)))

    def assert_refused(self, request, reason, **account):
        with self.assertRaisesRegex(Refused, reason) as caught:
            self.provider.verify(request, self.account(**account))
        self.assertEqual(caught.exception.status, 403)
        self.assertNotIn(SALT, str(caught.exception))

    # --- scenarios -----------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call(
            'recording_id',
            'recording_state',
            'entry_id',
            but=(
                'addresses_of_their_own',
                'click_to_call_employee_picked_up',
                'routed_by_command_alone',
            ),
        )

    def test_typography(self):
        self.check_typography()

    def test_every_event_has_a_sample(self):
        seen = {
            delivery.get('path', '')
            for _name, scenario in scenarios(self.code)
            for delivery in scenario['deliveries']
        }
        self.assertLessEqual(
            {
                'events/call',
                'events/summary',
                'events/recording',
                'events/record/added',
                'events/record/tagged',
                'events/dtmf',
                'events/sms',
                'result/callback',
                'result/callback_group',
                'result/call/hangup',
                'result/route',
                'result/transfer',
                'result/sms',
                'result/recording/start',
                'result/stats',
            },
            seen,
        )

    def test_two_calls_at_once(self):
        """Between the same numbers, their events mixed."""
        scenario = dict(scenarios(self.code))['inbound_answered_recorded']
        other = json.loads(json.dumps(scenario).replace('7001', '7002'))
        mixed = [
            arrival
            for pair in zip(self.arrivals(scenario), self.arrivals(other))
            for arrival in pair
        ]
        account = self.account(**scenario['account'])
        first, second = self.records(self.receive(mixed, account), account)
        self.check_record(first, scenario['expected'])
        self.check_record(second, other['expected'])
        self.assertNotEqual(first.external_id, second.external_id)

    # --- authentication ------------------------------------------------------

    def test_signature_vectors(self):
        for text, known in VECTORS:
            self.provider.verify(post(text, sign=known), self.account())
            self.provider.verify(post(text, sign=f' {known}\n'), self.account())

    def test_signature_covers_the_text_as_sent(self):
        text, known = VECTORS[0]
        for changed in (
            text.replace(':', ': '),
            text + ' ',
            text.replace('1}', '2}'),
            '',
            '{}',
            text.encode().hex(),
        ):
            with self.subTest(changed):
                self.assert_refused(post(changed, sign=known), 'signature')
        spaced = '{ "call_direction": 1, "entry_id": "\\u0410 + & % =" }'
        self.provider.verify(post(spaced), self.account())

    def test_signature_forged(self):
        text, known = VECTORS[0]
        for wrong in (
            known[:-1],
            known + '0',
            known.upper(),
            VECTORS[1][1],
            sign(text, salt='another'),
            sign(text, key='k'),
            hashlib.sha256(text.encode()).hexdigest(),
            'x',
            '\xff' * 64,
            'й',
        ):
            with self.subTest(wrong=wrong[:20].encode('utf-8', 'replace')):
                self.assert_refused(post(text, sign=wrong), 'signature')

    def test_fields_missing(self):
        for name in ('vpbx_api_key', 'sign', 'json'):
            self.assert_refused(post(VECTORS[0][0], **{name: None}), name)
        for body in (b'{"vpbx_api_key": "a"}', b'<xml/>', b'\xff', b'json=1'):
            self.assert_refused(WebhookRequest(body=body), 'missing')
        self.assert_refused(WebhookRequest(method='GET'), 'missing')

    def test_another_key(self):
        text = VECTORS[0][0]
        self.assert_refused(
            post(text, vpbx_api_key='other', sign=sign(text, key='other')), 'vpbx_api_key'
        )
        self.assert_refused(post(text, vpbx_api_key=''), 'vpbx_api_key')

    def test_nothing_configured(self):
        text = VECTORS[0][0]
        self.assert_refused(post(text, sign=sign(text, salt='')), 'is not entered', api_secret='')
        self.assert_refused(
            post(text, vpbx_api_key='', sign=sign(text, key='')), 'is not entered', api_key=''
        )

    def test_doubled_fields_are_read_as_they_were_signed(self):
        text, known = VECTORS[0]
        request = post(
            [text, '{"entry_id":"other"}'][0],
            json=[text, '{"entry_id":"other"}'],
            sign=[known, 'x'],
        )
        self.provider.verify(request, self.account())
        [payload] = self.provider.split(request)
        self.assertEqual(payload['json']['entry_id'], 'ent-0001')

    def test_connection_check(self):
        """The button in the account sends an empty post."""
        self.assertEqual(self.provider.handshake(WebhookRequest()).status, 200)
        self.assertEqual(self.provider.handshake(WebhookRequest(body=b'\r\n')).body, '')
        self.assertIsNone(self.provider.handshake(WebhookRequest(method='GET')))
        self.assertIsNone(self.provider.handshake(WebhookRequest(body=b'x')))
        self.assertIsNone(self.provider.handshake(post('{}')))
        self.assertEqual(self.provider.split(post('')), [])

    def test_answer_is_empty(self):
        reply = self.provider.reply(post(VECTORS[0][0]))
        self.assertEqual((reply.status, reply.body), (200, ''))

    # --- bad input -----------------------------------------------------------

    def test_json_is_none(self):
        deep = '{"a":' * 60 + '1' + '}' * 60
        for text in ('{broken', '[]', '1', '"x"', 'null', '[{"entry_id":"a"}]', '[' * 5000, deep):
            with self.subTest(text[:20]), self.assertRaisesRegex(ProviderError, 'the field json'):
                self.provider.split(post(text))

    def test_required_fields(self):
        for path, names in REQUIRED.items():
            for name in names:
                without = {key: value for key, value in EVENTS[path].items() if key != name}
                for event in (
                    without,
                    *({**EVENTS[path], name: value} for value in ('', ' ', None, *NO_TEXT)),
                ):
                    shown = event.get(name, 'missing')
                    with (
                        self.subTest(path, name=name, value=shown),
                        self.assertRaisesRegex(ProviderError, name),
                    ):
                        self.identify(event, path)

    def test_optional_fields(self):
        for path, sample in EVENTS.items():
            for name in sample.keys() - set(REQUIRED[path]):
                without = {key: value for key, value in sample.items() if key != name}
                empty = ('', None, {}, []) if name in ('from', 'to') else ('', ' ', None)
                for event in (without, *({**sample, name: value} for value in empty)):
                    with self.subTest(path, name=name, value=event.get(name, 'missing')):
                        self.assertEqual(self.identify(event, path).call_ref, 'ent-1')
                        if record := self.record(event, path):
                            self.check_sane(record)

    def test_wrong_types(self):
        unused = {'product_id', 'user_id', 'seq', 'completion_code'}
        for path, sample in EVENTS.items():
            for name in (
                sample.keys() - {'from', 'to'} - (unused if path != 'events/call' else set())
            ):
                if path == 'events/recording' and name == 'call_id':
                    continue
                for value in NO_TEXT:
                    with (
                        self.subTest(path, name=name, value=value),
                        self.assertRaisesRegex(ProviderError, name),
                    ):
                        self.identify({**sample, name: value}, path)
        for name in ('from', 'to'):
            for value in (
                '101',
                1,
                True,
                [1],
                {'extension': ['1']},
                {'number': {}, 'extension': True},
                '\ud800',
                '\0',
            ):
                with (
                    self.subTest(name=name, value=repr(value)),
                    self.assertRaisesRegex(ProviderError, name) as caught,
                ):
                    self.identify({**SUMMARY, name: value})
                str(caught.exception).encode()

    def test_bad_times(self):
        for value in ('noon', '2026-03-02 10:15:00', '\0'):
            for name in ('create_time', 'forward_time', 'talk_time', 'end_time'):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**SUMMARY, name: value})
        for value in (1, 253402300799, '-1', -1, 'nan', 'inf', 1e400, '9' * 30, 1772446500000):
            self.check_sane(self.record({**SUMMARY, 'end_time': value}))
            self.check_sane(self.record({**SUMMARY, 'talk_time': value}))

    def test_unknown_words(self):
        for path, name, value in (
            ('events/call', 'call_state', 'connected'),
            ('events/call', 'location', 'moon'),
            ('events/call', 'seq', '1.5'),
            ('events/call', 'seq', -1),
            ('events/call', 'seq', '9' * 30),
            ('events/call', 'disconnect_reason', 'x'),
            ('events/summary', 'call_direction', '3'),
            ('events/summary', 'entry_result', '2'),
            ('events/recording', 'recording_state', 'Lost'),
        ):
            with self.subTest(name=name, value=value), self.assertRaisesRegex(ProviderError, name):
                self.identify({**EVENTS[path], name: value}, path)

    def test_unknown_paths(self):
        for path in ('events/new', 'call', 'xevents/call', 'events/call/x', 'events'):
            with self.subTest(path), self.assertRaisesRegex(ProviderError, path):
                self.identify(SUMMARY, path)
        path = 'events/call'
        for payload in (
            {},
            {'path': path},
            {'path': path, 'json': []},
            {'path': [], 'json': SUMMARY},
        ):
            with self.assertRaises(ProviderError):
                self.provider.identify(payload, self.account())

    def test_identity(self):
        identity = self.identify(SUMMARY)
        self.assertEqual(
            (identity.kind, identity.call_ref, identity.ignored), ('events/summary', 'ent-1', '')
        )
        self.assertEqual(identity.key, self.identify(dict(reversed(SUMMARY.items()))).key)
        self.assertNotEqual(identity.key, self.identify({**SUMMARY, 'end_time': 1772446580}).key)
        self.assertNotEqual(
            self.identify(LEG, 'events/call').key,
            self.identify({**LEG, 'seq': 3}, 'events/call').key,
        )

    # --- the table of reasons ------------------------------------------------

    def test_reasons(self):
        """Every row of the description, codes that stand in no row by their class."""
        for codes, inbound, outbound in (
            (
                (1000, 1100, 1111, 1120, 1160, 1180, 1181, 1182, 1183, 1199 - 89),
                'missed',
                'no_answer',
            ),
            ((1121,), 'busy', 'busy'),
            ((1122, 1123), 'missed', 'busy'),
            ((1130, 1131, 1132, 1133, 1134, 1139), 'failed', 'failed'),
            ((1140, 1150, 1151, 1152, 1159), 'failed', 'failed'),
            ((1161, 1190, 1191, 1192), 'missed', 'failed'),
            ((1162, 1163, 1164), 'abandoned', 'no_answer'),
            ((1170,), 'abandoned', 'failed'),
            ((1171, 1179), 'failed', 'failed'),
            ((2000, 2110, 3100, 3300, 4101, 4502, 5000, 5008), 'failed', 'failed'),
            ((4200, 4201), 'missed', 'no_answer'),
            ((0, 9999, ''), 'missed', 'no_answer'),
        ):
            for code in codes:
                for spelled in (code, str(code)):
                    silent = {
                        **SUMMARY,
                        'talk_time': 0,
                        'entry_result': 0,
                        'disconnect_reason': spelled,
                    }
                    with self.subTest(code=spelled):
                        self.assertEqual(self.record(silent).outcome, inbound)
                        self.assertEqual(
                            self.record({**silent, 'call_direction': 2}).outcome, outbound
                        )
                        talk = {**SUMMARY, 'disconnect_reason': spelled}
                        self.assertEqual(self.record(talk).outcome, 'answered')

    def test_talk_decides_before_the_result(self):
        self.assertEqual(self.record({**SUMMARY, 'entry_result': 0}).outcome, 'answered')
        self.assertEqual(self.record({**SUMMARY, 'talk_time': 0}).outcome, 'missed')
        silent = {name: value for name, value in SUMMARY.items() if name != 'talk_time'}
        told = self.record(silent)
        self.assertEqual((told.outcome, told.talk_known), ('answered', False))
        self.assertEqual(self.record({**silent, 'entry_result': 0}).outcome, 'missed')

    def test_nobody_picks_up_click_to_call(self):
        """No call; the reason stands on the events."""
        scenario = dict(scenarios(self.code))['click_to_call_employee_no_answer']
        account = self.account(**scenario['account'])
        stored = list(self.receive(self.arrivals(scenario), account).stored.values())
        [event] = self.provider.translate(stored, account)
        self.assertEqual(event.kind, 'void')
        self.assertIn('1111', event.note)

    # --- anything ------------------------------------------------------------

    @PROPERTY
    @given(
        st.lists(
            st.fixed_dictionaries(
                {
                    'entry_id': st.just('ent-1'),
                    'call_id': st.sampled_from(('a', 'b', 'c')),
                    'timestamp': st.integers(1772446500, 1772446560),
                    'seq': st.integers(1, 4),
                    'call_state': st.sampled_from(
                        ('Appeared', 'Connected', 'OnHold', 'Disconnected')
                    ),
                    'location': st.sampled_from(('ivr', 'queue', 'abonent')),
                    'from': st.sampled_from(({}, {'number': '74951112233'}, {'extension': '101'})),
                    'to': st.sampled_from(
                        ({}, {'extension': '101'}, {'extension': '102'}, {'number': '74951112244'})
                    ),
                },
                optional={
                    'disconnect_reason': st.sampled_from((1000, 1110, 1111, 1120, 1121, 1182)),
                    'command_id': st.just('odoo-1'),
                },
            ),
            max_size=7,
        ),
        st.lists(
            st.fixed_dictionaries(
                {
                    'entry_id': st.just('ent-1'),
                    'call_direction': st.integers(0, 2),
                    'end_time': st.integers(1772446500, 1772446570),
                },
                optional={
                    'talk_time': st.one_of(st.just(0), st.integers(1772446500, 1772446570)),
                    'create_time': st.integers(1772446490, 1772446510),
                    'entry_result': st.integers(0, 1),
                    'to': st.sampled_from(
                        ({}, {'extension': '102', 'number': 'sip:a@b'}, {'extension': '500'})
                    ),
                    'disconnect_reason': st.sampled_from((1110, 1121, 1163, 1170)),
                },
            ),
            max_size=2,
        ),
        st.randoms(),
    )
    def test_any_events(self, legs, summaries, random):
        account = self.account(extensions=('101', '102'))
        received_at = datetime(2026, 3, 2, 10, 20, tzinfo=timezone.utc)
        payloads = [{'path': 'events/call', 'json': leg} for leg in legs]
        payloads += [{'path': 'events/summary', 'json': summary} for summary in summaries]
        for payload in payloads:
            self.assertEqual(self.provider.identify(payload, account).call_ref, 'ent-1')
        stored = [Stored(payload, received_at) for payload in payloads]
        record = fold(self.provider.translate(stored, account))
        random.shuffle(stored)
        self.assertEqual(fold(self.provider.translate([*stored, *stored], account)), record)
        if record:
            self.check_sane(record)
            self.assertEqual(
                record.state == 'ended', bool(summaries) or record.ended_at is not None
            )

    @PROPERTY
    @given(
        st.sampled_from((*EVENTS, 'events/dtmf', '', 'x')),
        st.dictionaries(
            st.sampled_from((*SUMMARY, *LEG, *RECORDING)),
            st.recursive(
                st.one_of(
                    st.text(max_size=12), st.integers(), st.none(), st.floats(), st.booleans()
                ),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=2),
                    st.dictionaries(
                        st.sampled_from(('extension', 'number', 'acd_group')), inner, max_size=2
                    ),
                ),
                max_leaves=4,
            ),
        ),
    )
    def test_any_payload(self, path, changes):
        """Whatever stands in an event, it is identified or there is a reason why not."""
        payload = {'path': path, 'json': {**EVENTS.get(path, SUMMARY), **changes}}
        try:
            identity = self.provider.identify(payload, self.account())
            if identity.call_ref:
                fold(
                    self.provider.translate(
                        [Stored(payload, datetime.now(timezone.utc))], self.account()
                    )
                )
        except ProviderError as error:
            self.assertTrue(str(error).encode())
