import base64
import hmac
import json
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import ProviderError, Refused, Stored, WebhookRequest
from odoo.addons.crm_telephony.providers.fold import fold

from ...provider_case import PROPERTY, ProviderCase, form_request, scenarios

START = {
    'event': 'NOTIFY_START',
    'caller_id': '74951112233',
    'called_did': '74957778899',
    'call_start': '2026-03-02 10:15:00',
    'pbx_call_id': 'in_1f0c7a5d9b3e4c2fa8d6e0b1c4d2a9f8e7b6c5d4',
}
END = {
    **START,
    'event': 'NOTIFY_END',
    'internal': '101',
    'duration': '64',
    'disposition': 'answered',
    'status_code': '16',
    'is_recorded': '0',
}
# Secret zd-secret-0001; base64 of the hex digest, as the PHP SDK and the documentation have it.
VECTORS = [
    (START, 'YThhNjNkNDRiZDc4OTlkYjk4YWJlNzI1ZWNjZGY5YWNkMjc5NDkwZQ=='),
    (
        {**START, 'event': 'NOTIFY_ANSWER', 'destination': '101'},
        'OGM0YWI5ZjQ3NWVmNGRjNDMyMTk3YTliMTE1YTYxOWEwOGRkY2NjZQ==',
    ),
    (
        {
            'event': 'NOTIFY_OUT_END',
            'internal': '101',
            'destination': '74951112244',
            'call_start': '2026-03-02 11:20:00',
            'pbx_call_id': 'out_4e5f',
            'caller_id': '74957778899',
        },
        'MTUzNjRiMjdjYWU1NTMxNjNlZjIzYzA0YmQ4NGE5MzgzZmQyZjY5ZQ==',
    ),
    (
        {
            'event': 'NOTIFY_RECORD',
            'pbx_call_id': START['pbx_call_id'],
            'call_id_with_rec': '1772446500.918273',
        },
        'ZGFjMjViODA1NmQ2NzBlOTAyZmI4OGNmMDlhYWY5MTg1YmJhMjgzNQ==',
    ),
    (
        {
            'event': 'SMS',
            'result': '{"caller_id":"74951112233","caller_did":"74957778899","text":"Hello"}',
        },
        'NTFiMTg2MjliMTgyNjUzZTRhODgwOTVmYjdkNjZkYmY5MGRlNmU2NQ==',
    ),
]
# The same text as the TypeScript SDK signs it: base64 of the bytes.
START_RAW = 'qKY9RL14mduYq+cl7M35rNJ5SQ4='


def signature(form: dict, secret: str, raw: bool = False) -> str:
    event = form.get('event', '')
    if event == 'NOTIFY_RECORD':
        names = ['pbx_call_id', 'call_id_with_rec']
    elif event == 'NOTIFY_ANSWER':
        names = ['caller_id', 'destination', 'call_start']
    elif event.startswith('NOTIFY_OUT_'):
        names = ['internal', 'destination', 'call_start']
    elif event.startswith('NOTIFY_') or not event:
        names = ['caller_id', 'called_did', 'call_start']
    else:
        names = ['result']
    first = [
        value[0] if isinstance(value, list) else value
        for value in (form.get(name, '') for name in names)
    ]
    mac = hmac.new(secret.encode(), ''.join(first).encode(), 'sha1')
    return base64.b64encode(mac.digest() if raw else mac.hexdigest().encode()).decode()


def multipart(form: dict, boundary: str, line: str = '\r\n') -> bytes:
    parts = (
        f'--{boundary}{line}Content-Disposition: form-data; name="{name}"{line}{line}{value}{line}'
        for name, value in form.items()
    )
    return (''.join(parts) + f'--{boundary}--{line}').encode()


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderZadarma(ProviderCase):
    code = 'zadarma'
    # events carry no time of their own; legs are ordered and timed by arrival
    volatile = ('answered_at', 'ended_at', 'wait_seconds', 'menu_seconds', 'legs')

    def signed(self, delivery, secret):
        return form_request(delivery['form'], {'signature': signature(delivery['form'], secret)})

    def identify(self, form):
        return self.provider.identify(form, self.account())

    def record(self, *forms, received_at=None, **account):
        stored = [
            Stored(form, received_at or datetime(2026, 3, 9, tzinfo=timezone.utc)) for form in forms
        ]
        return fold(self.provider.translate(stored, self.account(**account)))

    def assert_refused(self, request, account=None, reason=''):
        with self.assertRaisesRegex(Refused, reason) as caught:
            self.provider.verify(request, account or self.account())
        self.assertEqual(caught.exception.status, 403)
        self.assertNotIn(self.secret, str(caught.exception))

    # --- scenarios ---------------------------------------------------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call('call_id_with_rec', 'event', 'pbx_call_id')

    def test_typography(self):
        self.check_typography()

    def test_every_event_has_a_sample(self):
        seen = {
            delivery['form']['event']
            for _name, scenario in scenarios(self.code)
            for delivery in scenario['deliveries']
        }
        self.assertLessEqual(
            {
                'NOTIFY_START',
                'NOTIFY_INTERNAL',
                'NOTIFY_ANSWER',
                'NOTIFY_END',
                'NOTIFY_OUT_START',
                'NOTIFY_OUT_END',
                'NOTIFY_RECORD',
                'NOTIFY_IVR',
                'NOTIFY_INTERNAL_END',
                'SMS',
                'NUMBER_LOOKUP',
                'CALL_TRACKING',
                'SPEECH_RECOGNITION',
                'DOCUMENT',
            },
            seen,
        )

    def test_reply_steers_no_call(self):
        """JSON in the answer to NOTIFY_START would redirect the caller."""
        reply = self.provider.reply(form_request(START))
        self.assertEqual((reply.status, reply.body), (200, ''))

    # --- handshake ---------------------------------------------------------------------------------------------------

    def test_handshake(self):
        by_query = WebhookRequest(method='GET', query={'zd_echo': ('check-7fA.9_',)})
        for request in (by_query, form_request({'zd_echo': 'check-7fA.9_'})):
            reply = self.provider.handshake(request)
            self.assertEqual((reply.status, reply.body), (200, 'check-7fA.9_'))
            self.assertTrue(reply.content_type.startswith('text/plain'))

    def test_handshake_reflects_no_markup(self):
        for echo in (
            '<script>alert(1)</script>',
            'a b',
            'a\r\nSet-Cookie: x=1',
            'a"',
            "a'",
            'a&b',
            'ж',
            'x\n',
            '\0',
            'x' * 257,
        ):
            with self.subTest(echo=echo[:20]):
                reply = self.provider.handshake(
                    WebhookRequest(method='GET', query={'zd_echo': (echo,)})
                )
                self.assertEqual(reply.status, 400)
                self.assertNotIn(echo, reply.body)

    def test_handshake_is_for_the_check_alone(self):
        """zd_echo in a delivery would otherwise let it pass without its events being read."""
        self.assertIsNone(self.provider.handshake(form_request({**START, 'zd_echo': 'x'})))
        self.assertIsNone(self.provider.handshake(form_request(START)))
        self.assertIsNone(self.provider.handshake(WebhookRequest(method='GET')))
        self.assertIsNone(
            self.provider.handshake(WebhookRequest(method='GET', query={'zd_echo': ('',)}))
        )

    # --- signatures --------------------------------------------------------------------------------------------------

    def test_signature_vectors(self):
        for form, known in VECTORS:
            with self.subTest(form['event']):
                self.assertEqual(signature(form, self.secret), known)
                self.provider.verify(form_request(form, {'signature': known}), self.account())
                self.provider.verify(
                    form_request(form, {'signature': f' {known}\r\n'}), self.account()
                )

    def test_signature_raw(self):
        self.assertEqual(signature(START, self.secret, raw=True), START_RAW)
        self.provider.verify(form_request(START, {'signature': START_RAW}), self.account())

    def test_signature_forged(self):
        right = VECTORS[0][1]
        for wrong in (
            right[:-1],
            right[:28],
            right + '=',
            right.lower(),
            right.swapcase(),
            'x',
            'A' * 56,
            '\xff' * 56,
            'й' * 28,
            base64.b64decode(right).decode(),
            START_RAW[:-1],
            START_RAW.lower(),
            signature(START, 'another'),
            signature(START, self.secret + ' '),
            VECTORS[1][1],
            '\udcff',
        ):
            with self.subTest(wrong=wrong[:30].encode('utf-8', 'replace')):
                self.assert_refused(form_request(START, {'signature': wrong}), reason='wrong')

    def test_signature_covers_its_fields(self):
        right = {'signature': VECTORS[0][1]}
        for name in ('caller_id', 'called_did', 'call_start'):
            for changed in (
                {**START, name: START[name] + '1'},
                {**START, name: ''},
                {key: value for key, value in START.items() if key != name},
            ):
                self.assert_refused(form_request(changed, right), reason='wrong')
        # a signature of one event does not open the door for another that is signed otherwise
        for event in ('NOTIFY_ANSWER', 'NOTIFY_OUT_START', 'NOTIFY_RECORD', 'SMS'):
            self.assert_refused(form_request({**START, 'event': event}, right), reason='wrong')

    def test_signature_missing(self):
        self.assert_refused(form_request(START), reason='missing')
        for empty in ('', ' ', '\t'):
            self.assert_refused(form_request(START, {'signature': empty}), reason='missing')
        self.assert_refused(WebhookRequest(), reason='missing')
        self.assert_refused(WebhookRequest(method='GET'), reason='missing')

    def test_no_secret_configured(self):
        for form in (START, {}):
            self.assert_refused(
                form_request(form, {'signature': signature(form, '')}),
                self.account(api_secret=''),
                reason='no secret',
            )

    def test_doubled_fields_are_read_as_they_were_signed(self):
        form = {**START, 'caller_id': ['74951112233', '79990000000']}
        request = form_request(form, {'signature': VECTORS[0][1]})
        self.provider.verify(request, self.account())
        [payload] = self.provider.split(request)
        self.assertEqual(payload['caller_id'], '74951112233')
        swapped = {**START, 'caller_id': ['79990000000', '74951112233']}
        self.assert_refused(form_request(swapped, {'signature': VECTORS[0][1]}), reason='wrong')

    # --- transport ---------------------------------------------------------------------------------------------------

    def test_multipart_that_odoo_could_not_read(self):
        """Seen in the wild: the boundary in the body has two dashes more than the one in the
        header."""
        text = {**START, 'note': 'Сәлем\r\nекінші жол', 'empty': ''}
        for line in ('\r\n', '\n'):
            for before in ('', '\r\n'):
                request = WebhookRequest(
                    headers={
                        'content-type': 'multipart/form-data; boundary=abc',
                        'signature': VECTORS[0][1],
                    },
                    body=before.encode() + multipart(text, '--abc', line),
                )
                self.provider.verify(request, self.account())
                self.assertEqual(self.provider.split(request), [text])

    def test_multipart_garbage(self):
        whole = multipart(START, 'abc')
        for body in (
            b'--',
            b'----',
            b'--\r\n\r\n',
            b'--abc',
            whole[:40],
            whole[:-20],
            b'--abc\r\n\r\n' * 5000,
            b'--\n' * 50000,
            b'--abc\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n' * 2000,
            b'\xff\xfe',
            b'',
            b'{"event": 1}',
        ):
            with self.subTest(body=body[:20]):
                request = WebhookRequest(headers={'content-type': 'multipart/form-data'}, body=body)
                self.assert_refused(
                    WebhookRequest(headers={**request.headers, 'signature': 'x'}, body=body)
                )
                try:
                    self.provider.split(request)
                except ProviderError as error:
                    self.assertTrue(str(error))

    def test_empty_request_is_not_understood(self):
        with self.assertRaises(ProviderError):
            self.provider.split(form_request({}))

    # --- single events -----------------------------------------------------------------------------------------------

    def test_identity(self):
        identity = self.identify(START)
        self.assertEqual(
            (identity.kind, identity.call_ref, identity.ignored),
            ('NOTIFY_START', START['pbx_call_id'], ''),
        )
        self.assertEqual(identity.key, self.identify(dict(reversed(START.items()))).key)
        self.assertNotEqual(identity.key, self.identify({**START, 'caller_id': '1'}).key)
        self.assertNotEqual(identity.key, self.identify({**START, 'event': 'NOTIFY_END'}).key)
        sms = self.identify(VECTORS[-1][0])
        self.assertEqual((sms.kind, sms.call_ref), ('SMS', ''))
        self.assertTrue(sms.ignored)

    def test_required_fields(self):
        for name in ('event', 'pbx_call_id'):
            for broken in (
                {key: value for key, value in END.items() if key != name},
                {**END, name: ''},
                {**END, name: ' '},
                {**END, name: None},
                {**END, name: ['a', 'b']},
                {**END, name: {'a': 1}},
                {**END, name: True},
            ):
                with (
                    self.subTest(name=name, value=broken.get(name, 'missing')),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify(broken)

    def test_optional_fields(self):
        for name in sorted(END.keys() - {'event', 'pbx_call_id'}):
            for value in ('', ' ', None):
                with self.subTest(name=name, value=value):
                    self.identify({**END, name: value})
                    record = self.record({**END, name: value})
                    self.assertEqual(record.state, 'ended')
                    self.check_sane(record)
            self.identify({key: value for key, value in END.items() if key != name})

    def test_wrong_types(self):
        for name in (
            'caller_id',
            'called_did',
            'internal',
            'duration',
            'disposition',
            'is_recorded',
        ):
            for value in (['a'], {'a': 1}, True):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**END, name: value})
        self.assertEqual(self.record({**END, 'duration': 64, 'internal': 101}).extension, '101')
        for value in ('-1', 'nan', 'inf', '1e99', '9' * 400):
            self.check_sane(self.record({**END, 'duration': value}))
        with self.assertRaisesRegex(ProviderError, 'duration'):
            self.identify({**END, 'duration': 'abc'})

    def test_bad_times(self):
        for value in (
            'sometime',
            '2026-03-02',
            '2026-13-02 10:15:00',
            '2026-03-02T10:15:00',
            '2026-02-30 10:15:00',
            '2026-03-02 10:15:00+05',
            '\0',
        ):
            with self.subTest(value), self.assertRaisesRegex(ProviderError, 'call_start'):
                self.identify({**END, 'call_start': value})
        for value in ('0001-01-01 00:00:00', '9999-12-31 23:59:59'):
            for zone in ('UTC', 'Asia/Almaty', 'America/New_York'):
                try:
                    self.check_sane(self.record({**END, 'call_start': value}, timezone=zone))
                except ProviderError as error:
                    self.assertIn('call_start', str(error))
        with self.assertRaisesRegex(ProviderError, 'Asia/Atlantis'):
            self.provider.identify(END, self.account(timezone='Asia/Atlantis'))

    def test_unknown_event_is_named(self):
        with self.assertRaisesRegex(ProviderError, 'NOTIFY_NEW_THING'):
            self.identify({**START, 'event': 'NOTIFY_NEW_THING'})
        form = {**START, 'event': 'NOTIFY_NEW_THING'}
        self.provider.verify(form_request(form, {'signature': VECTORS[0][1]}), self.account())
        self.assert_refused(form_request(form, {'signature': VECTORS[1][1]}))

    def test_dispositions(self):
        """Every word of the documentation, both ways."""
        words = {
            'answered': ('answered', 'answered'),
            'no answer': ('missed', 'no_answer'),
            'cancel': ('missed', 'no_answer'),
            'busy': ('busy', 'busy'),
            'failed': ('failed', 'failed'),
            'call failed': ('failed', 'failed'),
            'unallocated number': ('failed', 'failed'),
            'no money': ('failed', 'failed'),
            'no limit': ('failed', 'failed'),
            'no day limit': ('failed', 'failed'),
            'line limit': ('failed', 'failed'),
            'no money, no limit': ('failed', 'failed'),
        }
        for word, (inbound, outbound) in words.items():
            for spelled in (word, word.upper(), f' {word.title()} '):
                duration = '10' if word == 'answered' else '0'
                form = {**END, 'disposition': spelled, 'duration': duration}
                out = {
                    **form,
                    'event': 'NOTIFY_OUT_END',
                    'pbx_call_id': 'out_1',
                    'destination': '74951112244',
                }
                with self.subTest(spelled):
                    self.assertEqual(self.record(form).outcome, inbound)
                    self.assertEqual(self.record(out).outcome, outbound)

    def test_arrival_tells_the_time_only_while_it_is_plausible(self):
        start = datetime(2026, 3, 2, 10, 15, tzinfo=timezone.utc)
        for after, ended_at in (
            (timedelta(seconds=-61), None),
            (timedelta(seconds=-60), start),
            (timedelta(), start),
            (timedelta(seconds=70), start + timedelta(seconds=70)),
            (timedelta(hours=6), start + timedelta(hours=6)),
            (timedelta(hours=6, seconds=1), None),
            (timedelta(days=400), None),
        ):
            with self.subTest(after=after):
                record = self.record(END, received_at=start + after)
                self.assertEqual((record.start_at, record.ended_at), (start, ended_at))
                self.assertEqual((record.outcome, record.talk_seconds), ('answered', 64))

    def test_internal_calls(self):
        def direction(destination, *extensions):
            form = {
                'event': 'NOTIFY_OUT_START',
                'pbx_call_id': 'out_1',
                'call_start': '2026-03-02 10:15:00',
                'internal': '101',
                'destination': destination,
            }
            return self.record(form, extensions=extensions).direction

        self.assertEqual(direction('102', '101', '102'), 'internal')
        self.assertEqual(direction('102'), 'internal')
        self.assertEqual(direction('1414'), 'internal')
        self.assertEqual(direction('100500', '100500'), 'internal')
        self.assertEqual(direction('100500'), 'outbound')
        self.assertEqual(direction('77011112233', '101'), 'outbound')
        self.assertEqual(direction(''), 'outbound')
        self.assertEqual(direction('+102'), 'outbound')

    def test_lone_answer_without_prefix(self):
        """Either direction may have it: no call until another event tells."""
        answer = {**START, 'event': 'NOTIFY_ANSWER', 'pbx_call_id': 'x1', 'destination': '101'}
        self.assertIsNone(self.record(answer))
        self.assertEqual(self.record(answer, {**START, 'pbx_call_id': 'x1'}).direction, 'inbound')

    # --- anything --------------------------------------------------------------------------------------------------

    @PROPERTY
    @given(
        st.lists(
            st.fixed_dictionaries(
                {
                    'event': st.sampled_from(
                        (
                            'NOTIFY_START',
                            'NOTIFY_INTERNAL',
                            'NOTIFY_ANSWER',
                            'NOTIFY_END',
                            'NOTIFY_OUT_START',
                            'NOTIFY_OUT_END',
                            'NOTIFY_RECORD',
                            'NOTIFY_IVR',
                        )
                    ),
                    'pbx_call_id': st.sampled_from(('in_1', 'out_1', 'x1')),
                    'call_start': st.sampled_from(('2026-03-02 10:15:00', '2026-03-02 10:15:07')),
                },
                optional={
                    'caller_id': st.sampled_from(('', '74951112233', 'anonymous', '101')),
                    'called_did': st.sampled_from(('', '74957778899')),
                    'internal': st.sampled_from(('', '101', '102')),
                    'destination': st.sampled_from(('', '101', '102', '74951112244')),
                    'duration': st.sampled_from(('', '0', '5', '600')),
                    'disposition': st.sampled_from(
                        ('', 'answered', 'cancel', 'busy', 'no answer', 'nonsense')
                    ),
                    'is_recorded': st.sampled_from(('', '0', '1')),
                    'call_id_with_rec': st.sampled_from(('', 'r1', 'r2')),
                    'transfer_from': st.sampled_from(('', '101')),
                },
            ),
            max_size=8,
        ),
        st.lists(st.integers(-100, 30000), min_size=8, max_size=8),
    )
    def test_any_events(self, forms, arrivals):
        start = datetime(2026, 3, 2, 10, 15, tzinfo=timezone.utc)
        account = self.account(extensions=('101', '102'))
        stored, refs = [], {'in_1': [], 'out_1': [], 'x1': []}
        for form, after in zip(forms, arrivals):
            try:
                identity = self.provider.identify(form, account)
            except ProviderError as error:
                self.assertIn('call_id_with_rec', str(error))
                continue
            refs[identity.call_ref].append(Stored(form, start + timedelta(seconds=after)))
        for ref, stored in refs.items():
            record = fold(self.provider.translate(stored, account))
            if record:
                self.assertEqual(record.external_id, ref)
                self.check_sane(record)
                self.assertIsNotNone(record.start_at)
                for at in (record.answered_at, record.ended_at):
                    self.assertTrue(at is None or at >= record.start_at)
                if record.answered_at and record.ended_at:
                    self.assertLessEqual(record.answered_at, record.ended_at)

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from((*END, 'destination', 'call_id_with_rec', 'result', 'transfer_from')),
            st.one_of(
                st.text(max_size=12),
                st.integers(),
                st.none(),
                st.floats(),
                st.lists(st.text(max_size=3), max_size=2),
                st.sampled_from(
                    ('NOTIFY_END', 'NOTIFY_OUT_END', 'NOTIFY_ANSWER', 'SMS', '2026-03-02 10:15:00')
                ),
            ),
        )
    )
    def test_any_payload(self, payload):
        """Whatever stands in a payload, it is identified or there is a reason why not."""
        payload = {**END, **payload}
        try:
            self.provider.identify(payload, self.account())
            self.record(payload) if payload['event'] in (
                'NOTIFY_END',
                'NOTIFY_OUT_END',
                'NOTIFY_ANSWER',
            ) else None
        except ProviderError as error:
            self.assertTrue(str(error))
            json.dumps(str(error)).encode()
