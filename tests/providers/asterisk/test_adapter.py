"""The adapter for Asterisk against real AMI streams (tests/payloads/asterisk) and small ones made
here.

The streams are what Asterisk 22 sent in one scenario each, without the events that the adapter
drops, and a few that were written after what others have seen (*-like-a-phone, *-late-number,
*-on-one-channel); `expected` was written down from the wire.
"""

import json
import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry, signing
from odoo.addons.crm_telephony.providers.base import (
    Account,
    ProviderError,
    Refused,
    Stored,
    WebhookRequest,
    dump,
    in_calls,
)
from odoo.addons.crm_telephony.providers.fold import fold, void_reason

STREAMS = {
    path.stem: json.loads(path.read_text('utf-8'))
    for path in sorted((Path(__file__).parent / 'payloads').glob('*.json'))
}
SECRET = 'ami-secret-0001'
ACCOUNT = Account(
    api_secret=SECRET,
    country='GB',
    extensions=frozenset({'101', '102', '103', '104'}),
    own_numbers=frozenset({'+442079460001', '+442079460002', '+442079460007'}),
)
RECEIVED = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
TOLERANCE = timedelta(seconds=1)
EXACT = ('external_id', 'direction', 'caller', 'called', 'extension', 'queue', 'outcome')


def moment(text):
    return datetime.fromisoformat(text.replace('Z', '+00:00'))


class Lab:
    """Writes a small stream as Asterisk would. A channel goes by its endpoint; times are seconds
    from the start."""

    START = 1795326672

    def __init__(self, first='trunk'):
        self.first, self.events = first, []

    def uid(self, channel):
        return f'{self.START}.{1 if channel == self.first else 100 + sum(map(ord, channel))}'

    def leg(self, channel, prefix=''):
        return (
            {}
            if not channel
            else {
                f'{prefix}Channel': channel if '/' in channel else f'PJSIP/{channel}-0000000a',
                f'{prefix}Uniqueid': self.uid(channel),
                f'{prefix}Linkedid': self.uid(self.first),
            }
        )

    def add(self, at, event, channel='', dest='', **headers):
        legs = {**self.leg(channel), **self.leg(dest, 'Dest')}
        self.events.append(
            {'Event': event, 'Timestamp': f'{self.START + at:.6f}', **legs, **headers}
        )
        return self

    def call_in(self, at=0, exten='442079460001', number='442079460111', **headers):
        return self.add(
            at,
            'Newchannel',
            self.first,
            **{
                'ChannelStateDesc': 'Ring',
                'Context': 'from-trunk',
                'Exten': exten,
                'CallerIDNum': number,
                **headers,
            },
        )

    def call_out(self, exten, at=0, state='Ring', **headers):
        return self.add(
            at,
            'Newchannel',
            self.first,
            ChannelStateDesc=state,
            Context='internal',
            Exten=exten,
            **{'CallerIDNum': self.first, **headers},
        )

    def dial(self, at, over, status, dest, caller=None, string='', rang=True, **headers):
        caller = self.first if caller is None else caller
        context = 'from-trunk' if 'trunk' in dest else 'internal'
        self.add(
            at,
            'Newchannel',
            dest,
            ChannelStateDesc='Down',
            Context=context,
            Exten='s',
            CallerIDNum='<unknown>',
        )
        self.add(at, 'DialBegin', caller, dest, DialString=string, DestChannelStateDesc='Down')
        if over is not None:
            state = 'Up' if status == 'ANSWER' else 'Ringing' if rang else 'Down'
            self.add(
                over,
                'DialEnd',
                caller,
                dest,
                DialStatus=status,
                DestChannelStateDesc=state,
                **headers,
            )
        return self

    def bridge(self, at, *channels):
        for channel in channels:
            self.add(at, 'BridgeEnter', channel, BridgeUniqueid='b618db54')
        return self

    def hang_up(self, at, *channels, cause='16', tech=''):
        for channel in channels:
            self.add(at, 'Hangup', channel, Cause=cause, TechCause=tech)
        return self


class AsteriskCase(BaseCase):
    provider = registry['asterisk']

    def request(self, events):
        body = json.dumps({'events': events}).encode()
        return WebhookRequest(
            body=body, headers={signing.HEADER: 'sha256=' + signing.hmac_sha256(SECRET, body)}
        )

    def receive(self, *posts, account=ACCOUNT):
        """The stored events of each call, repeats left out, as the inbox keeps them."""
        seen = {}
        for events in posts:
            for payload in self.provider.split(self.request(events)):
                identity = self.provider.identify(payload, account)
                self.assertEqual(bool(identity.call_ref), not identity.ignored)
                if identity.call_ref:
                    kept = Stored(json.loads(dump(payload)), RECEIVED)
                    seen.setdefault((identity.call_ref, identity.key), (identity, kept))
        return in_calls(seen.values())

    def records(self, *posts, account=ACCOUNT):
        """The record of each call, or the reason why it is none."""
        told = {
            ref: self.provider.translate(stored, account)
            for ref, stored in self.receive(*posts, account=account).items()
        }
        return {ref: fold(events) or void_reason(events) for ref, events in told.items()}

    def record(self, *posts, account=ACCOUNT):
        records = self.records(*posts, account=account)
        self.assertEqual(len(records), 1)
        return next(iter(records.values()))

    def legs(self, record):
        return {leg.extension: leg.outcome for leg in record.legs}

    def assert_record(self, record, expected):
        self.assertEqual(
            {name: getattr(record, name) for name in EXACT},
            {name: expected[name] for name in EXACT},
        )
        self.assertEqual(record.state, 'ended')
        for name in ('start_at', 'answered_at', 'ended_at'):
            given, wanted = getattr(record, name), expected[name]
            self.assertEqual(given is None, wanted is None, name)
            if given:
                self.assertLess(abs(given - moment(wanted)), TOLERANCE, name)
        for name in ('wait_seconds', 'talk_seconds'):
            self.assertAlmostEqual(getattr(record, name), expected[name], delta=1, msg=name)
        self.assertEqual([recording.ref for recording in record.recordings], expected['recordings'])
        self.assertEqual(self.legs(record), expected['legs'])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAsteriskStreams(AsteriskCase):
    def test_all_streams_are_here(self):
        self.assertEqual(len(STREAMS), 41)

    def test_expected_records(self):
        for name, stream in STREAMS.items():
            with self.subTest(name):
                records = self.records(stream['events'])
                for part in ('expected', 'consultation'):
                    if stream.get(part):
                        self.assert_record(records.pop(stream[part]['external_id']), stream[part])
                # nothing else is a call, and every call that is none says why
                self.assertTrue(
                    all(reason and isinstance(reason, str) for reason in records.values()), records
                )

    def test_attended_transfer_that_does_not_name_its_target(self):
        """Asterisk leaves the headers out when the target has changed bridges before it makes the
        event."""
        stream = STREAMS['transfer-attended-feature']
        customers_bridge = next(
            event['BridgeUniqueid'] for event in stream['events'] if event['Event'] == 'BridgeEnter'
        )
        events = [
            {
                header: value
                for header, value in event.items()
                if not header.startswith('TransferTarget')
            }
            for event in stream['events']
        ]
        for event in events:
            if event['Event'] == 'AttendedTransfer':
                event['DestBridgeUniqueid'] = customers_bridge
        self.assert_record(
            self.records(events)[stream['expected']['external_id']], stream['expected']
        )

    def test_click_to_call_that_nobody_took(self):
        reason = self.record(STREAMS['c2d-agent-no-answer']['events'])
        self.assertIn("the employee did not pick up", reason)

    def test_any_order_repetition_and_split(self):
        for name, stream in STREAMS.items():
            with self.subTest(name):
                events, straight = stream['events'], self.records(stream['events'])
                for seed in range(6):
                    chance = random.Random(f'{name}{seed}')
                    shuffled = chance.sample(events, len(events)) + chance.choices(
                        events, k=len(events) // 2
                    )
                    cuts = sorted(
                        chance.sample(range(1, len(shuffled)), min(seed * 3, len(shuffled) - 1))
                    )
                    posts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, None])]
                    self.assertEqual(self.records(*posts), straight)

    def test_prefixes(self):
        """While the events come in, a call rings, talks and ends; what has ended does not change
        its mind."""
        for name, stream in STREAMS.items():
            events, final, reached = stream['events'], self.records(stream['events']), {}
            for length in range(len(events)):
                for ref, record in self.records(events[:length]).items():
                    with self.subTest(name, length=length):
                        reached[ref] = self.check_progress(record, final[ref], reached.get(ref, -1))

    def check_progress(self, record, final, before):
        if not record or isinstance(record, str):
            self.assertEqual(before, -1, "a call has vanished")
            self.assertIn(record, ('', final))
            return -1
        state = ('ringing', 'in_progress', 'ended').index(record.state)
        self.assertGreaterEqual(state, before)
        self.assertEqual(record.direction, final.direction)
        self.assertEqual(record.outcome, final.outcome if record.state == 'ended' else '')
        return state

    def test_subsets_never_fail(self):
        """Some of the events, in whatever state that leaves the call."""
        for name, stream in STREAMS.items():
            final = self.records(stream['events'])
            for seed in range(25):
                chance = random.Random(f'{name}{seed}')
                some = [event for event in stream['events'] if chance.random() < 0.6]
                for ref, record in self.records(some).items():
                    with self.subTest(name, seed=seed):
                        if isinstance(final[ref], str):
                            self.assertIn(
                                record, ('', final[ref]), "nobody was called, but a call was shown"
                            )
                        elif record and not isinstance(record, str):
                            self.assertEqual(record.direction, final[ref].direction)

    def test_without_dialplan_class(self):
        """Without VarSet the Cdr names the recordings, and without it there are none; all else is
        the same."""
        for name, stream in STREAMS.items():
            with self.subTest(name):
                events, final = stream['events'], self.records(stream['events'])
                self.assertEqual(
                    self.records([event for event in events if event['Event'] != 'VarSet']), final
                )
                bare = self.records(
                    [event for event in events if event['Event'] not in ('VarSet', 'Cdr')]
                )
                silent = {
                    ref: record if isinstance(record, str) else replace(record, recordings=())
                    for ref, record in final.items()
                }
                self.assertEqual(bare, silent)

    def test_recording_by_channelvars(self):
        """channelvars = MIXMONITOR_FILENAME in manager.conf: the variable comes with every event of
        its channel."""
        for name, stream in STREAMS.items():
            lines, events = {}, []
            for event in stream['events']:
                if event['Event'] == 'VarSet':
                    lines[event['Uniqueid']] = f"{event['Variable']}={event['Value']}"
                elif event['Event'] != 'Cdr':
                    events.append(
                        {
                            **event,
                            'ChanVariable': ['CRM_REF=', lines.get(event.get('Uniqueid'), 'DID=')],
                        }
                    )
            with self.subTest(name):
                self.assertEqual(
                    self.gist(self.records(events)), self.gist(self.records(stream['events']))
                )

    def gist(self, records):
        """What does not depend on an exact clock."""
        return {
            ref: record
            if isinstance(record, str)
            else (
                record.direction,
                record.outcome,
                record.caller,
                record.called,
                record.extension,
                record.queue,
                record.recordings,
                self.legs(record),
            )
            for ref, record in records.items()
        }

    def test_received_at_instead_of_timestamp(self):
        for name, stream in STREAMS.items():
            with self.subTest(name):
                events, final = stream['events'], self.records(stream['events'])
                exact = [
                    {**event, 'ReceivedAt': float(event['Timestamp']), 'Timestamp': ''}
                    for event in events
                ]
                self.assertEqual(self.records(exact), final)
                coarse = [{**event, 'ReceivedAt': int(event['ReceivedAt'])} for event in exact]
                self.assertEqual(self.gist(self.records(coarse)), self.gist(final))

    def test_zone_of_the_pbx(self):
        """Cdr has local time; the times of a call are those of the events."""
        stream = STREAMS['in-direct-answered']
        almaty = replace(ACCOUNT, timezone='Asia/Almaty')
        self.assert_record(self.record(stream['events'], account=almaty), stream['expected'])

    def test_phones_that_were_not_entered(self):
        """Context and name of an endpoint tell phones from trunks."""
        for name, stream in STREAMS.items():
            with self.subTest(name):
                unknown = self.records(stream['events'], account=Account(country='GB'))
                self.assertEqual(unknown, self.records(stream['events']))

    def test_mutilated_headers(self):
        """Whatever is wrong with one header: the event fails alone with a reason, or its call is
        told all the same."""
        bad = (
            None,
            '',
            '<unknown>',
            0,
            -1.5,
            True,
            [],
            ['101', '102'],
            {'a': 1},
            '\0',
            '\ud800',
            'x' * 5000,
        )
        for name in (
            'in-queue-answered',
            'transfer-attended',
            'c2d-local-answered',
            'in-voicemail',
        ):
            events, seen = STREAMS[name]['events'], set()
            for index, event in enumerate(events):
                rest = self.provider.split(self.request([*events[:index], *events[index + 1 :]]))
                for header in set(event) - {
                    header for kind, header in seen if kind == event['Event']
                }:
                    seen.add((event['Event'], header))
                    for value in bad:
                        with self.subTest(
                            name, kind=event['Event'], header=header, value=str(value)[:20]
                        ):
                            self.check_mutilated({**event, header: value}, rest)

    def check_mutilated(self, event, rest):
        bad, calls = self.provider.split(self.request([event])), {}
        for payload in bad + rest:
            try:
                identity = self.provider.identify(payload, ACCOUNT)
            except ProviderError as error:
                self.assertIn(payload, bad, "a good event failed because of a bad one")
                self.assertTrue(str(error))
            else:
                calls.setdefault(identity.call_ref, []).append(Stored(payload, RECEIVED))
        for ref, stored in calls.items():
            if ref:
                fold(self.provider.translate(stored, ACCOUNT))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAsteriskDoor(AsteriskCase):
    def test_signature(self):
        request = self.request([])
        self.provider.verify(request, ACCOUNT)
        for headers in ({}, {signing.HEADER: 'sha256=' + '0' * 64}):
            with self.assertRaises(Refused):
                self.provider.verify(WebhookRequest(body=request.body, headers=headers), ACCOUNT)
        with self.assertRaises(Refused):
            self.provider.verify(request, Account())

    def test_bodies(self):
        self.assertEqual(self.provider.split(self.request([])), [])
        for body in (
            b'',
            b'{"events": [{"Event": "Newcha',
            b'[]',
            b'{}',
            b'7',
            b'{"events": "Newchannel"}',
            b'{"events": null}',
        ):
            with self.assertRaises(ProviderError) as caught:
                self.provider.split(WebhookRequest(body=body))
            self.assertTrue(str(caught.exception))

    def test_more_than_the_generic_limit(self):
        events = STREAMS['in-direct-answered']['events']
        many = [{**event, 'Seq': str(number)} for number in range(60) for event in events]
        self.assertGreater(len(many), 500)
        self.assert_record(self.record(many), STREAMS['in-direct-answered']['expected'])

    def test_bad_neighbours(self):
        stream = STREAMS['in-direct-answered']
        strange = ['Newchannel', None, 7, ['Event'], {}, {'Event': ['Hangup']}, {'Event': 'Hangup'}]
        payloads = self.provider.split(self.request([*strange, *stream['events']]))
        for payload in payloads[: len(strange)]:
            with self.assertRaises(ProviderError):
                self.provider.identify(payload, ACCOUNT)
        good = [
            Stored(payload, RECEIVED)
            for payload in payloads[len(strange) :]
            if self.provider.identify(payload, ACCOUNT).call_ref
        ]
        self.assert_record(fold(self.provider.translate(good, ACCOUNT)), stream['expected'])

    def test_noise_is_dropped_and_the_rest_ignored(self):
        noise = [
            {'Event': 'FullyBooted'},
            {'Event': 'RTCPSent', 'Timestamp': '1795326672.5'},
            {'Event': 'PeerStatus'},
            {
                'Event': 'VarSet',
                'Variable': 'RINGTIME',
                'Value': '3',
                'Linkedid': '1.1',
                'Uniqueid': '1.1',
            },
        ]
        self.assertEqual(self.provider.split(self.request(noise)), [])
        other = [
            {'Event': 'Hold', 'Linkedid': '1.1'},
            {'Event': 'UserEvent'},
            {'Event': 'MessageWaiting', 'New': '1'},
            {'Event': 'VarSet', 'Variable': 'DID', 'Value': '1'},
            {'Event': 'OriginateResponse', 'Uniqueid': '<null>'},
        ]
        for payload in self.provider.split(self.request(other)):
            identity = self.provider.identify(payload, ACCOUNT)
            self.assertFalse(identity.call_ref)
            self.assertIn(payload['Event'], identity.ignored)

    def test_times(self):
        event = Lab().call_in().events[0]
        for bad in ('soon', 'nan', 'inf', '1e30', ['1795326672.1', '1795326672.2'], True):
            for name in ('Timestamp', 'ReceivedAt'):
                with self.assertRaises(ProviderError):
                    self.provider.identify({**event, 'Timestamp': '', name: bad}, ACCOUNT)
        # a PBX that sends no time and a bridge that adds none
        self.assertEqual(self.record([{**event, 'Timestamp': ''}]).start_at, RECEIVED)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAsteriskStories(AsteriskCase):
    """What no stream of the lab shows."""

    def outcome(self, lab, account=ACCOUNT):
        record = self.record(lab.events, account=account)
        self.assertEqual(record.state, 'ended')
        return record.outcome

    def test_hidden_and_unusual_callers(self):
        for number, told in (
            ('anonymous', 'anonymous'),
            ('<unknown>', ''),
            ('', ''),
            ('+77771234567', '+77771234567'),
        ):
            self.assertEqual(self.record(Lab().call_in(number=number).events).caller, told)

    def test_did_of_a_catch_all_route(self):
        lab = (
            Lab()
            .call_in(exten='s')
            .add(0, 'VarSet', 'trunk', Variable='__FROM_DID', Value='442079460002')
        )
        self.assertEqual(self.record(lab.events).called, '442079460002')

    def test_trunk_that_is_named_like_a_phone(self):
        """An own number was dialled: the call comes from outside, unless the endpoint is a known
        phone."""
        event = Lab('700').call_in(Context='incoming').events
        self.assertEqual(self.record(event).direction, 'inbound')
        lab = Lab('101').call_in(Context='incoming').dial(1, None, '', '102')
        self.assertEqual(self.record(lab.events).direction, 'internal')

    def test_inbound_refusals(self):
        for status, cause, outcome in (
            ('BUSY', '17', 'busy'),
            ('BUSY', '21', 'missed'),
            ('CANCEL', '127', 'missed'),
            ('NOANSWER', '0', 'missed'),
            ('NOANSWER', '20', 'missed'),
            ('CHANUNAVAIL', '20', 'missed'),
            ('NOANSWER', '3', 'failed'),
            ('CONGESTION', '34', 'failed'),
        ):
            lab = (
                Lab().call_in().dial(1, 2, status, '101', rang=False).hang_up(2, '101', cause=cause)
            )
            self.assertEqual(self.outcome(lab.hang_up(3, 'trunk')), outcome, (status, cause))
        # it failed after the phone had rung, or another one was busy
        lab = (
            Lab()
            .call_in()
            .dial(1, 9, 'CONGESTION', '101')
            .hang_up(9, '101', cause='34')
            .hang_up(9, 'trunk')
        )
        self.assertEqual(self.outcome(lab), 'missed')
        lab = Lab().call_in().dial(1, 2, 'BUSY', '101').dial(1, 9, 'NOANSWER', '102')
        lab.hang_up(2, '101', cause='17').hang_up(9, '102', 'trunk')
        self.assertEqual(self.outcome(lab), 'missed')

    def test_offline_phone_has_no_leg(self):
        lab = (
            Lab().call_in().dial(1, 1, 'NOANSWER', '101', rang=False).hang_up(1, '101', cause='19')
        )
        self.assertEqual(self.record(lab.events).legs, ())

    def test_outbound_refusals(self):
        for status, cause, tech, outcome in (
            ('BUSY', '17', '486', 'busy'),
            ('BUSY', '21', '603', 'busy'),
            ('CHANUNAVAIL', '21', '403', 'failed'),
            ('NOANSWER', '1', '404', 'failed'),
            ('NOANSWER', '19', '480', 'no_answer'),
            ('CANCEL', '16', '', 'no_answer'),
        ):
            lab = Lab('101').call_out('02079460151').dial(1, 2, status, 'trunk')
            lab.hang_up(2, 'trunk', cause=cause, tech=tech).hang_up(3, '101')
            self.assertEqual(self.outcome(lab), outcome, (status, cause))

    def test_second_trunk(self):
        lab = (
            Lab('101')
            .call_out('02079460151')
            .dial(1, 1, 'CONGESTION', 'trunk')
            .hang_up(1, 'trunk', cause='34')
        )
        self.assertEqual(self.record(lab.events).state, 'ringing')
        lab.dial(2, 8, 'BUSY', 'trunk2').hang_up(8, 'trunk2', cause='17').hang_up(9, '101')
        self.assertEqual(self.outcome(lab), 'busy')

    def test_no_route(self):
        record = self.record(Lab('101').call_out('02079460151').hang_up(1, '101').events)
        self.assertEqual(
            (record.direction, record.outcome, record.called), ('outbound', 'failed', '02079460151')
        )

    def test_service_of_the_pbx(self):
        lab = Lab('101').call_out('*97')
        self.assertEqual(self.record(lab.events), '')
        self.assertIn('*97', self.record(lab.hang_up(20, '101').events))

    def test_short_code_outside(self):
        lab = (
            Lab('101')
            .call_out('112')
            .dial(1, 4, 'ANSWER', 'trunk', string='112@trunk')
            .bridge(4, 'trunk', '101')
        )
        record = self.record(lab.hang_up(30, '101', 'trunk').events)
        self.assertEqual(
            (record.direction, record.called, record.talk_seconds), ('outbound', '112', 26)
        )

    def test_answer_without_a_bridge_is_none(self):
        """A follow-me asks whether the call is taken; who declines has answered the line, not the
        call."""
        lab = Lab().call_in().dial(1, 4, 'ANSWER', '101')
        self.assertEqual(self.record(lab.events).state, 'in_progress')
        record = self.record(lab.hang_up(9, '101').hang_up(12, 'trunk').events)
        self.assertEqual((record.outcome, self.legs(record)), ('missed', {'101': 'no_answer'}))

    def test_queue_gives_up(self):
        lab = (
            Lab()
            .call_in()
            .add(1, 'QueueCallerJoin', 'trunk', Queue='sales')
            .dial(1, 16, 'NOANSWER', '101')
        )
        record = self.record(lab.hang_up(16, '101', cause='0').hang_up(17, 'trunk').events)
        self.assertEqual((record.outcome, record.queue), ('missed', 'sales'))

    def test_left_in_a_menu(self):
        lab = (
            Lab()
            .call_in()
            .add(8, 'HangupRequest', 'trunk', ChannelStateDesc='Up')
            .hang_up(8, 'trunk')
        )
        self.assertEqual(self.outcome(lab), 'abandoned')
        # the mailbox is no menu, and before the line is answered there is none
        lab.add(8, 'VarSet', 'trunk', Variable='VMSTATUS', Value='FAILED')
        self.assertEqual(self.outcome(lab), 'missed')
        lab = (
            Lab()
            .call_in()
            .add(1, 'HangupRequest', 'trunk', ChannelStateDesc='Ring')
            .hang_up(1, 'trunk')
        )
        self.assertEqual(self.outcome(lab), 'missed')

    def test_queue_member_behind_a_local_channel(self):
        near, far = 'Local/101@from-queue-00000001;1', 'Local/101@from-queue-00000001;2'
        lab = Lab().call_in().add(1, 'QueueCallerJoin', 'trunk', Queue='sales')
        lab.dial(1, 5, 'ANSWER', near).dial(1, 5, 'ANSWER', '101', caller=far).bridge(
            5, near, far, '101', 'trunk'
        )
        # the Local channels are optimized away in the middle of the call
        record = self.record(lab.hang_up(6, near, far).hang_up(15, '101', 'trunk').events)
        self.assertEqual(
            (record.outcome, record.extension, record.talk_seconds), ('answered', '101', 10)
        )
        self.assertEqual(self.legs(record), {'101': 'answered'})

    def test_forwarded_to_a_mobile(self):
        lab = (
            Lab()
            .call_in()
            .dial(1, 6, 'ANSWER', 'trunk2')
            .bridge(6, 'trunk', 'trunk2')
            .hang_up(16, 'trunk', 'trunk2')
        )
        record = self.record(lab.events)
        self.assertEqual(
            (record.outcome, record.extension, record.talk_seconds), ('answered', '', 10)
        )

    def test_picked_up_by_a_colleague(self):
        """The channel that rang takes the name of the colleague's."""
        lab = (
            Lab()
            .call_in()
            .dial(1, 5, 'ANSWER', '101', DestChannel='PJSIP/103-0000000f')
            .bridge(5, '101', 'trunk')
        )
        record = self.record(lab.hang_up(15, '101', 'trunk').events)
        self.assertEqual(
            (record.extension, self.legs(record)), ('103', {'101': 'no_answer', '103': 'answered'})
        )

    def test_customer_is_rung_first(self):
        """Another program lets the PBX call the customer and then connect an employee."""
        lab = Lab('trunk').call_in(ChannelStateDesc='Down', exten='s', number='')
        lab.dial(0, 5, 'ANSWER', 'trunk', caller='', string='02079460151@trunk')
        lab.events.pop(-3)
        lab.dial(5, 7, 'ANSWER', '101').bridge(7, '101', 'trunk').hang_up(17, '101', 'trunk')
        record = self.record(lab.events)
        self.assertEqual(
            (record.direction, record.called, record.extension, record.outcome),
            ('outbound', '02079460151', '101', 'answered'),
        )

    def test_click_to_call_to_an_unknown_phone(self):
        failure = {
            'Event': 'OriginateResponse',
            'Timestamp': '1795326672.5',
            'Response': 'Failure',
            'Reason': '0',
            'Uniqueid': 'crm-1',
            'Exten': '02079460151',
        }
        self.assertIn("did not pick up", self.record([failure]))

    def test_outbound_call_transferred(self):
        lab = (
            Lab('101')
            .call_out('02079460151')
            .dial(1, 3, 'ANSWER', 'trunk')
            .bridge(3, '101', 'trunk')
        )
        lab.hang_up(9, '101').dial(9, 12, 'ANSWER', '102', caller='trunk').bridge(
            12, '102', 'trunk'
        )
        lab.hang_up(20, '102', 'trunk')
        record = self.record(lab.events)
        self.assertEqual((record.extension, record.talk_seconds), ('101', 17))
        self.assertEqual(
            {leg.extension: leg.talk_seconds for leg in record.legs}, {'101': 6, '102': 8}
        )

    def test_transfer_into_an_older_call(self):
        """The customer is handed to a colleague with whom 101 was talking before: the older
        Linkedid stays, and the customer's call ends where its events end."""
        older = {
            'OrigTransfererLinkedid': f'{Lab.START}.1',
            'SecondTransfererLinkedid': f'{Lab.START - 60}.9',
        }
        lab = Lab().call_in().dial(1, 3, 'ANSWER', '101').bridge(3, '101', 'trunk')
        lab.add(13, 'AttendedTransfer', Result='Success', DestType='Bridge', **older).hang_up(
            13, '101'
        )
        records = self.records(lab.events)
        self.assertEqual(len(records), 2)
        record = records[f'{Lab.START}.1']
        self.assertEqual(
            (record.state, record.outcome, record.talk_seconds), ('ended', 'answered', 10)
        )

    def test_failed_transfer(self):
        lab = Lab().call_in().dial(1, 3, 'ANSWER', '101').bridge(3, '101', 'trunk')
        lab.add(
            9,
            'AttendedTransfer',
            Result='Fail',
            OrigTransfererLinkedid=f'{Lab.START}.1',
            SecondTransfererLinkedid=f'{Lab.START}.7',
            TransferTargetUniqueid='7',
            TransferTargetChannel='PJSIP/102-00000001',
        )
        record = self.records(lab.events)[f'{Lab.START}.1']
        self.assertEqual((record.state, self.legs(record)), ('in_progress', {'101': 'answered'}))

    def test_recording_names(self):
        def refs(*values):
            lab = (
                Lab()
                .call_in()
                .dial(1, 3, 'ANSWER', '101')
                .bridge(3, '101', 'trunk')
                .hang_up(9, '101', 'trunk')
            )
            for at, value in values:
                lab.add(at, 'VarSet', 'trunk', Variable='MIXMONITOR_FILENAME', Value=value)
            return [recording.ref for recording in self.record(lab.events).recordings]

        self.assertEqual(refs((1, '/var/spool/asterisk/monitor/a.wav')), ['a.wav'])
        self.assertEqual(refs((1, r'..\..\a.wav')), ['a.wav'])
        self.assertEqual(refs((1, '/etc/..'), (1, '/etc/'), (1, '.')), [])
        # on demand, in the middle of the talk; and one that began when nobody talked any more
        self.assertEqual(refs((5, 'b.wav')), ['b.wav'])
        self.assertEqual(refs((1, 'a.wav'), (9, 'b.wav')), ['a.wav'])

    def test_stream_without_its_beginning(self):
        """The bridge was started in the middle of a call."""
        events = STREAMS['in-direct-answered']['events']
        record = self.record(events[1:])
        self.assertEqual(
            (record.direction, record.caller, record.outcome, record.extension),
            ('inbound', '442079460111', 'answered', '101'),
        )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAsteriskGaps(AsteriskCase):
    """The bridge was away: the list of live channels and hang-ups without a cause stand in for what
    was said then."""

    def live(self, lab, at, channel, application='', bridge='', duration='00:00:00', **headers):
        return lab.add(
            at,
            'CoreShowChannel',
            channel,
            Application=application,
            BridgeId=bridge,
            Duration=duration,
            Bridge='live',
            **headers,
        )

    def trunk_is_live(self, lab, at, bridge, duration):
        return self.live(
            lab,
            at,
            'trunk',
            'Dial',
            bridge,
            duration,
            Context='from-trunk',
            Exten='442079460001',
            CallerIDNum='442079460111',
        )

    def assert_answered(self, record, wait, talk):
        self.assertEqual(
            (
                record.direction,
                record.outcome,
                record.state,
                record.extension,
                record.caller,
                record.called,
            ),
            ('inbound', 'answered', 'ended', '101', '442079460111', '442079460001'),
        )
        self.assertEqual((record.wait_seconds, record.talk_seconds), (wait, talk))
        self.assertEqual(self.legs(record), {'101': 'answered'})

    def test_answered_in_the_gap(self):
        lab = Lab().call_in().dial(0, None, '', '101')
        self.trunk_is_live(lab, 6, 'b1', '00:00:06')
        self.live(lab, 6, '101', 'AppDial', 'b1', '00:00:06', Context='internal')
        self.assert_answered(self.record(lab.hang_up(20, '101', 'trunk').events), wait=6, talk=14)

    def test_begun_in_the_gap(self):
        lab = Lab()
        self.trunk_is_live(lab, 6, '', '00:00:03')
        self.live(lab, 6, '101', 'AppDial', '', '00:00:02', Context='internal')
        lab.add(
            8, 'DialEnd', 'trunk', '101', DialStatus='ANSWER', DestChannelStateDesc='Up'
        ).bridge(8, '101', 'trunk')
        self.assert_answered(self.record(lab.hang_up(20, '101', 'trunk').events), wait=5, talk=12)

    def test_begun_and_answered_in_the_gap(self):
        lab = Lab()
        self.trunk_is_live(lab, 6, 'b1', '00:00:03')
        self.live(lab, 6, '101', 'AppDial', 'b1', '00:00:02', Context='internal')
        self.assert_answered(self.record(lab.hang_up(20, '101', 'trunk').events), wait=3, talk=14)

    def test_answered_between_the_gap_and_what_was_said_before(self):
        """DialEnd was lost, BridgeEnter was heard."""
        lab = Lab().call_in().dial(0, None, '', '101').bridge(6, '101', 'trunk')
        self.assert_answered(self.record(lab.hang_up(20, '101', 'trunk').events), wait=6, talk=14)

    def test_ended_in_the_gap(self):
        lab = Lab().call_in().dial(0, 5, 'ANSWER', '101').bridge(5, '101', 'trunk')
        for channel in ('101', 'trunk'):
            lab.add(20, 'Hangup', channel, Bridge='missed')
        self.assert_answered(self.record(lab.events), wait=5, talk=15)

    def test_given_up_in_the_gap(self):
        lab = Lab().call_in().dial(0, None, '', '101')
        for channel in ('101', 'trunk'):
            lab.add(20, 'Hangup', channel, Bridge='missed')
        record = self.record(lab.events)
        self.assertEqual(
            (record.outcome, record.state, self.legs(record)),
            ('missed', 'ended', {'101': 'no_answer'}),
        )

    def test_a_list_without_news(self):
        """A bridge that starts again changes nothing of what is known."""
        whole = (
            Lab()
            .call_in()
            .dial(0, 5, 'ANSWER', '101')
            .bridge(5, '101', 'trunk')
            .hang_up(20, '101', 'trunk')
        )
        lab = (
            Lab()
            .call_in()
            .dial(0, 5, 'ANSWER', '101')
            .bridge(5, '101', 'trunk')
            .hang_up(20, '101', 'trunk')
        )
        self.trunk_is_live(lab, 9, 'b1', '00:00:09')
        self.live(lab, 9, '101', 'AppDial', 'b1', '00:00:09', Context='internal')
        self.assertEqual(self.record(lab.events), self.record(whole.events))

    def test_an_outbound_call(self):
        lab = Lab('101')
        self.live(
            lab,
            6,
            '101',
            'Dial',
            'b1',
            '00:00:04',
            Context='internal',
            Exten='02079460151',
            CallerIDNum='101',
        )
        self.live(lab, 6, 'trunk', 'AppDial', 'b1', '00:00:04', Context='from-trunk')
        record = self.record(lab.hang_up(20, '101', 'trunk').events)
        self.assertEqual(
            (record.direction, record.outcome, record.extension, record.called),
            ('outbound', 'answered', '101', '02079460151'),
        )

    def test_odd_durations(self):
        for text in ('', 'soon', '1:2', '99999999:00:00', '-1:00:00'):
            lab = Lab()
            self.trunk_is_live(lab, 6, '', text)
            self.assertEqual(self.record(lab.hang_up(20, 'trunk').events).wait_seconds, 14)
