import hashlib
import hmac
import itertools
import json
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers.base import (
    ProviderError,
    Refused,
    Stored,
    WebhookRequest,
    dump,
)
from odoo.addons.crm_telephony.providers.reading import read_call

from ...provider_case import PROPERTY, ProviderCase, scenarios

EVENT = {
    'call_id': 'c-1',
    'event': 'ended',
    'at': '2026-03-02T10:15:00+05:00',
    'direction': 'inbound',
    'caller': '+77011112233',
    'called': '+77272507612',
    'extension': '101',
    'queue': 'Sales',
    'outcome': 'answered',
    'talk_seconds': 64,
    'wait_seconds': 15,
}
# RFC 4231, test case 2: what HMAC-SHA256 gives for a key and a text that anybody can check
RFC_KEY, RFC_BODY = 'Jefe', b'what do ya want for nothing?'
RFC_MAC = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'


def json_request(body, secret, **headers) -> WebhookRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    mac = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return WebhookRequest(headers={'x-telephony-signature': f'sha256={mac}', **headers}, body=raw)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderGeneric(ProviderCase):
    code = 'generic'
    secret = 'generic-secret-0001'

    def signed(self, delivery, secret):
        return json_request(delivery['json'], secret)

    def identify(self, payload):
        return self.provider.identify(payload, self.account())

    # --- clocks ------------------------------------------------------------------------------------------------------

    def heard(self, *events, ahead):
        """The record of a call whose events are heard so many seconds after its start, from a clock
        that is ahead."""

        def moment(seconds):
            return datetime(2026, 3, 2, 5, 0, tzinfo=timezone.utc) + timedelta(seconds=seconds)

        stored = [
            Stored(
                {
                    'call_id': 'c-1',
                    'event': event,
                    'at': moment(at + ahead).isoformat(),
                    'direction': 'inbound',
                    'caller': '+77011112233',
                    'extension': '101',
                    **more,
                },
                moment(heard_at),
            )
            for event, at, heard_at, more in events
        ]
        record, _reason = read_call(self.provider, stored, self.account())
        return (
            (record.start_at - moment(0)).total_seconds(),
            record.wait_seconds,
            record.talk_seconds,
            record.doubts,
        )

    def test_a_clock_that_is_ahead(self):
        """The call is as long as it was, also where its first times have passed by now, and stays
        where it was when something is told of it long afterwards."""
        for ahead in (600, 3600, 86400):
            for talk in (60, 1200, 7200):
                ring, answer, end = (
                    ('ringing', 0, 0, {}),
                    ('answered', 5, 5, {}),
                    ('ended', 5 + talk, 5 + talk, {}),
                )
                late = (
                    'recording',
                    5 + talk,
                    2 * 86400,
                    {'recording_url': 'https://pbx.example/1.mp3'},
                )
                with self.subTest(ahead=ahead, talk=talk):
                    self.assertEqual(self.heard(ring, answer, ahead=ahead), (0, 5, 0, ('time',)))
                    self.assertEqual(
                        self.heard(ring, answer, end, ahead=ahead), (0, 5, talk, ('time',))
                    )
                    self.assertEqual(
                        self.heard(ring, answer, end, late, ahead=ahead), (0, 5, talk, ('time',))
                    )
        self.assertEqual(self.heard(ring, answer, end, late, ahead=120), (120, 5, talk, ()))

    # --- scenarios ---------------------------------------------------------------------------------------------------

    def test_payload_files(self):
        self.check_scenarios()

    def test_repeats_and_disorder(self):
        self.check_disorder()

    def test_nothing_that_is_left_out_hides_a_call(self):
        self.check_nothing_hides_a_call('call_id', 'event', 'event_id')

    def test_typography(self):
        self.check_typography()

    def test_every_event_and_outcome_has_a_sample(self):
        seen, outcomes = set(), set()
        for _name, scenario in scenarios(self.code):
            for delivery in scenario['deliveries']:
                events = (
                    delivery['json'] if isinstance(delivery['json'], list) else [delivery['json']]
                )
                seen |= {event.get('event') for event in events}
            outcomes.add((scenario['expected'] or {}).get('outcome'))
        self.assertLessEqual({'ringing', 'answered', 'ended', 'recording', 'transferred'}, seen)
        self.assertLessEqual(
            {'answered', 'no_answer', 'busy', 'failed', 'voicemail', 'missed', 'abandoned'},
            outcomes,
        )

    # --- signatures --------------------------------------------------------------------------------------------------

    def test_signature_vector(self):
        request = WebhookRequest(
            headers={'x-telephony-signature': f'sha256={RFC_MAC}'}, body=RFC_BODY
        )
        self.provider.verify(request, self.account(api_secret=RFC_KEY))

    def test_signature_wrong(self):
        account = self.account(api_secret=RFC_KEY)
        for wrong in (
            RFC_MAC,
            f'sha256={RFC_MAC[:-1]}',
            f'sha256={RFC_MAC}0',
            f'sha256={RFC_MAC.upper()}',
            f'sha1={RFC_MAC}',
            'sha256=',
            'sha256',
            f'sha256= {RFC_MAC}',
            f'sha256={"0" * 64}',
            'sha256=' + 'й' * 32,
            '\udcff',
            '\0',
        ):
            with self.subTest(wrong=ascii(wrong)), self.assertRaises(Refused) as caught:
                self.provider.verify(
                    WebhookRequest(headers={'x-telephony-signature': wrong}, body=RFC_BODY), account
                )
            self.assertEqual(caught.exception.status, 403)
            self.assertNotIn(RFC_MAC, str(caught.exception))

    def test_signature_missing(self):
        for headers in ({}, {'x-telephony-signature': ''}, {'x-telephony-signature': ' '}):
            with self.assertRaisesRegex(Refused, 'missing'):
                self.provider.verify(WebhookRequest(headers=headers, body=RFC_BODY), self.account())

    def test_signature_covers_the_body(self):
        request = json_request(EVENT, self.secret)
        for body in (
            request.body + b' ',
            request.body[:-1],
            b'',
            request.body.replace(b'64', b'65'),
        ):
            with self.assertRaisesRegex(Refused, 'wrong'):
                self.provider.verify(
                    WebhookRequest(headers=request.headers, body=body), self.account()
                )

    def test_no_secret_configured(self):
        with self.assertRaisesRegex(Refused, 'no secret'):
            self.provider.verify(json_request(EVENT, ''), self.account(api_secret=''))

    # --- deliveries --------------------------------------------------------------------------------------------------

    def test_body_that_is_not_understood(self):
        for body in (
            b'',
            b'{',
            b'nonsense',
            b'5',
            b'"text"',
            b'null',
            b'true',
            b'\xff\xfe',
            b'[' * 100000,
            b'{"a":' * 100000,
        ):
            with self.subTest(body=body[:10]), self.assertRaises(ProviderError) as caught:
                self.provider.split(json_request(body, self.secret))
            self.assertNotIsInstance(caught.exception, Refused)
            self.assertLess(len(str(caught.exception)), 500)

    def test_batch(self):
        self.assertEqual(self.provider.split(json_request([], self.secret)), [])
        self.assertEqual(len(self.provider.split(json_request([EVENT] * 500, self.secret))), 500)
        with self.assertRaises(Refused) as caught:
            self.provider.split(json_request([EVENT] * 501, self.secret))
        self.assertEqual(caught.exception.status, 413)
        self.assertIn('501', str(caught.exception))

    def test_bad_neighbours_lose_nothing(self):
        inbox = self.receive(
            [
                (
                    json_request(
                        [5, EVENT, None, {}, 'x', [EVENT], {**EVENT, 'call_id': 'c-2'}], self.secret
                    ),
                    datetime(2026, 3, 2, tzinfo=timezone.utc),
                )
            ],
            self.account(),
        )
        self.assertEqual(sorted(ref for ref, _key in inbox.stored), ['c-1', 'c-2'])
        self.assertEqual(len(inbox.failed), 5)

    def test_unread_request_comes_back_as_it_was(self):
        request = json_request(b'\xff\x00{"a": \xed\xa0\x80', self.secret, other='x')
        again = WebhookRequest.from_payload(json.loads(dump(request.to_payload())))
        self.assertEqual(again.body, request.body)
        self.assertNotIn('signature', dump(request.to_payload()))
        self.assertIsNone(WebhookRequest.from_payload(EVENT))

    # --- single events -----------------------------------------------------------------------------------------------

    def test_identity(self):
        identity = self.identify(EVENT)
        self.assertEqual((identity.kind, identity.call_ref, identity.ignored), ('ended', 'c-1', ''))
        self.assertEqual(identity.key, self.identify(dict(reversed(EVENT.items()))).key)
        for name in EVENT:
            other = {
                **EVENT,
                name: {
                    'event': 'ringing',
                    'at': '2026-03-02T10:15:01+05:00',
                    'direction': 'outbound',
                    'outcome': 'missed',
                    'talk_seconds': 1,
                    'wait_seconds': 1,
                }.get(name, 'other'),
            }
            self.assertNotEqual(identity.key, self.identify(other).key, name)
        self.assertEqual(
            self.identify({**EVENT, 'event_id': 'e1'}).key,
            self.identify({**EVENT, 'event_id': 'e1', 'x': 1}).key,
        )
        self.assertNotEqual(
            self.identify({**EVENT, 'event_id': 'e1'}).key,
            self.identify({**EVENT, 'event_id': 'e2'}).key,
        )

    def test_required_fields(self):
        for name in ('call_id', 'event'):
            for broken in (
                {key: value for key, value in EVENT.items() if key != name},
                {**EVENT, name: ''},
                {**EVENT, name: ' '},
                {**EVENT, name: None},
                {**EVENT, name: ['a']},
                {**EVENT, name: {'a': 1}},
                {**EVENT, name: True},
            ):
                with (
                    self.subTest(name=name, value=broken.get(name, 'missing')),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify(broken)

    def test_optional_fields(self):
        for name in EVENT.keys() - {'call_id', 'event'}:
            for kept in (
                {key: value for key, value in EVENT.items() if key != name},
                {**EVENT, name: ''},
                {**EVENT, name: None},
            ):
                self.assertEqual(self.identify(kept).call_ref, EVENT['call_id'])
            for value in (['a'], {'a': 1}, True):
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(ProviderError, name),
                ):
                    self.identify({**EVENT, name: value})
        self.assertEqual(self.identify({**EVENT, 'call_id': 17}).call_ref, '17')

    def test_bad_values(self):
        for name, value in (
            ('direction', 'sideways'),
            ('outcome', 'ANSWERED'),
            ('event', 'Ended'),
            ('talk_seconds', 'long'),
            ('wait_seconds', '1:30'),
            ('at', 'yesterday'),
            ('at', '2026-03-02T10:15:00'),
            ('at', '2026-13-02T10:15:00Z'),
            ('at', '1772428500'),
        ):
            with self.subTest(name=name, value=value), self.assertRaisesRegex(ProviderError, name):
                self.identify({**EVENT, name: value})

    def test_values_that_no_call_has(self):
        """They stand for nothing, and the call is marked; its log does not miss it."""
        for name, value, doubt in (
            ('talk_seconds', -1, 'duration'),
            ('talk_seconds', 'nan', 'duration'),
            ('talk_seconds', 1e99, 'duration'),
            ('talk_seconds', 9_999_999, 'duration'),
            ('wait_seconds', '-0.5', 'duration'),
            ('at', '0001-01-01T00:00:00+05:00', 'time'),
            ('at', '9999-12-31T23:59:59-05:00', 'time'),
            ('at', '2026-03-09T10:15:00+05:00', 'time'),
        ):
            with self.subTest(name=name, value=value):
                arrival = datetime(2026, 3, 2, 5, 20, tzinfo=timezone.utc)
                inbox = self.receive(
                    [(json_request({**EVENT, name: value}, self.secret), arrival)], self.account()
                )
                [record] = self.records(inbox, self.account())
                self.check_sane(record)
                self.assertEqual((record.outcome, record.doubts), ('answered', (doubt,)))
                self.assertLessEqual(record.talk_seconds, 64)
                self.assertLessEqual(record.ended_at, arrival)

    def test_clock_that_is_ahead(self):
        """All its times are moved back together: the talk is as long as it was."""
        arrival = datetime(2026, 3, 2, 5, 20, tzinfo=timezone.utc)
        ringing = {
            'call_id': 'c-1',
            'event': 'ringing',
            'at': '2026-03-05T10:15:00Z',
            'direction': 'inbound',
        }
        told = [
            ringing,
            {**ringing, 'event': 'answered', 'at': '2026-03-05T10:15:10Z', 'extension': '101'},
            {**ringing, 'event': 'ended', 'at': '2026-03-05T10:16:10Z'},
        ]
        for events in itertools.permutations(told):
            inbox = self.receive(
                [(json_request(event, self.secret), arrival) for event in events], self.account()
            )
            [record] = self.records(inbox, self.account())
            self.assertEqual(
                (record.ended_at, record.wait_seconds, record.talk_seconds, record.doubts),
                (arrival, 10, 60, ('time',)),
            )

    def test_times(self):
        expected = datetime(2026, 3, 2, 5, 15, tzinfo=timezone.utc)
        for text in (
            '2026-03-02T10:15:00+05:00',
            '2026-03-02T05:15:00Z',
            '2026-03-02T05:15:00z',
            '2026-03-02 05:15:00+00:00',
            '2026-03-02T05:15:00.0Z',
            '2026-03-02T05:15:00.000000000Z',
            '2026-03-01T19:15:00-10:00',
        ):
            with self.subTest(text):
                self.assertEqual(self.event({**EVENT, 'at': text}).at, expected)
        self.assertEqual(
            self.event({**EVENT, 'at': '2026-03-02T05:15:00.75Z'}).at,
            expected.replace(microsecond=750000),
        )

    def event(self, payload):
        inbox = self.receive(
            [(json_request(payload, self.secret), datetime(2026, 3, 2, tzinfo=timezone.utc))],
            self.account(),
        )
        [event] = self.provider.translate(list(inbox.stored.values()), self.account())
        return event

    def test_what_a_database_cannot_hold(self):
        event = self.event({**EVENT, 'queue': 'a\0b\ud83d', 'caller': '\udc00'})
        self.assertEqual((event.queue, event.caller), ('a\ufffdb\ufffd', '\ufffd'))

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from((*EVENT, 'event_id', 'recording_url')),
            st.recursive(
                st.one_of(
                    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)
                ),
                lambda inner: st.lists(inner, max_size=2)
                | st.dictionaries(st.text(max_size=2), inner, max_size=2),
                max_leaves=3,
            ),
        )
    )
    def test_any_payload(self, changes):
        """An object is identified or there is a reason why not, and what is identified can be
        read."""
        payload = {**EVENT, **changes}
        inbox = self.receive(
            [(json_request(payload, self.secret), datetime(2026, 3, 2, tzinfo=timezone.utc))],
            self.account(),
        )
        self.assertEqual(len(inbox.stored) + len(inbox.failed), 1)
        for record in self.records(inbox, self.account()):
            self.check_sane(record)
