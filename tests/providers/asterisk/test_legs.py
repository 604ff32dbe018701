"""Channels of an Asterisk that are more than they seem: trunks named like phones, agents and
colleagues who are bridged with a caller whom they were not dialled for. The streams are written
here as Asterisk writes them."""

import itertools
import random
from dataclasses import replace

from odoo.tests import tagged

from .test_adapter import ACCOUNT, AsteriskCase

OUTSIDE, DID = '02079460111', '442079460001'


class Wire:
    """What Asterisk says of a few channels. A channel takes another Linkedid when :meth:`joins`
    says so."""

    START = 1795326672

    def __init__(self):
        self.events, self.uids, self.refs, self.contexts, self.numbers = [], {}, {}, {}, {}

    def leg(self, channel, prefix=''):
        state = {'Context': self.contexts[channel], 'CallerIDNum': self.numbers[channel]}
        leg = {
            'Channel': channel,
            'Uniqueid': self.uids[channel],
            'Linkedid': self.refs[channel],
            **state,
        }
        return {prefix + name: value for name, value in leg.items()}

    def add(self, at, event, channel, dest='', **headers):
        legs = {
            **(self.leg(channel) if channel else {}),
            **(self.leg(dest, 'Dest') if dest else {}),
        }
        self.events.append(
            {'Event': event, 'Timestamp': f'{self.START + at:.6f}', **legs, **headers}
        )
        return self

    def new(self, at, channel, context, number='<unknown>', exten='s', of='', state='Ring'):
        """A channel is born, as a call of its own or `of` another channel's."""
        self.uids[channel] = f'{self.START}.{len(self.uids) + 1}'
        self.refs[channel] = self.refs[of] if of else self.uids[channel]
        self.contexts[channel], self.numbers[channel] = context, number
        return self.add(
            at, 'Newchannel', channel, ChannelStateDesc='Down' if of else state, Exten=exten
        )

    def joins(self, channel, other):
        self.refs[channel] = self.refs[other]
        return self

    def dial(
        self,
        at,
        caller,
        dest,
        string,
        context='from-internal',
        over=None,
        status='ANSWER',
        **headers,
    ):
        self.new(at, dest, context, of=caller)
        self.add(at, 'DialBegin', caller, dest, DialString=string, DestChannelStateDesc='Down')
        if over:
            state = 'Up' if status == 'ANSWER' else 'Ringing'
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

    def enter(self, at, bridge, *channels, technology='simple_bridge'):
        for channel in channels:
            self.add(at, 'BridgeEnter', channel, BridgeUniqueid=bridge, BridgeTechnology=technology)
        return self

    def leave(self, at, bridge, *channels, technology='simple_bridge'):
        for channel in channels:
            self.add(at, 'BridgeLeave', channel, BridgeUniqueid=bridge, BridgeTechnology=technology)
        return self

    def hang_up(self, at, *channels, cause='16'):
        for channel in channels:
            self.add(at, 'Hangup', channel, Cause=cause)
        return self

    def talk(self, at, over, *channels):
        return (
            self.enter(at, f'b{at}', *channels)
            .leave(over, f'b{at}', *channels)
            .hang_up(over, *channels)
        )


class LegsCase(AsteriskCase):
    def told(self, wire, account=ACCOUNT):
        """The calls that these events tell, whatever their order, their repeats and their
        deliveries."""
        straight = self.records(wire.events, account=account)
        for seed in range(8):
            chance = random.Random(seed)
            shuffled = chance.sample(wire.events, len(wire.events)) + chance.choices(
                wire.events, k=len(wire.events) // 2
            )
            cut = chance.randrange(len(shuffled))
            self.assertEqual(
                self.records(shuffled[:cut], shuffled[cut:], account=account), straight
            )
        return {
            ref: record
            for ref, record in straight.items()
            if record and not isinstance(record, str)
        }

    def only(self, wire, account=ACCOUNT):
        told = self.told(wire, account)
        self.assertEqual(len(told), 1, told)
        return next(iter(told.values()))

    def talks(self, record):
        return {leg.extension: leg.talk_seconds for leg in record.legs}


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTrunks(LegsCase):
    """A trunk may be called 701, 5061 or 1; what it does tells it from a phone."""

    NAMES = (
        'SIP/701-00000035',
        'IAX2/5061-1234',
        'PJSIP/123456-0000000a',
        'DAHDI/3-1',
        'DAHDI/i1/02079460111-7',
        'SIP/gw-00000001',
    )

    def call_in(self, name, context, number, exten):
        wire = Wire().new(0, name, context, number, exten)
        wire.dial(1, name, 'SIP/101-00000036', '101', over=5).talk(5, 45, name, 'SIP/101-00000036')
        return wire

    def test_a_call_from_outside(self):
        for name, context, number, exten in itertools.product(
            self.NAMES,
            ('from-gateway', 'default', 'from-internal'),
            (OUTSIDE, '+442079460111'),
            ('101', 's', DID),
        ):
            with self.subTest(name, context=context, number=number, exten=exten):
                record = self.only(self.call_in(name, context, number, exten))
                self.assertEqual(
                    (
                        record.direction,
                        record.outcome,
                        record.caller,
                        record.extension,
                        record.talk_seconds,
                        self.legs(record),
                    ),
                    ('inbound', 'answered', number, '101', 40, {'101': 'answered'}),
                )

    def test_a_hidden_number_from_outside(self):
        for name, context, number, exten in itertools.product(
            self.NAMES,
            ('from-gateway', 'from-analog', 'from-pstn'),
            ('<unknown>', 'anonymous', ''),
            ('101', 's'),
        ):
            with self.subTest(name, context=context, number=number, exten=exten):
                record = self.only(self.call_in(name, context, number, exten))
                self.assertEqual(
                    (record.direction, record.outcome, record.extension),
                    ('inbound', 'answered', '101'),
                )

    def test_a_call_to_outside(self):
        for name, string, context in itertools.product(
            self.NAMES,
            (
                '701/02079460111',
                '02079460111@701',
                'IAX2/me:word@5061/02079460111',
                'DAHDI/g0/02079460111',
                'PJSIP/123456/sip:02079460111@192.0.2.1:5060',
            ),
            ('from-gateway', 'default', 'from-internal'),
        ):
            with self.subTest(name, string=string, context=context):
                wire = Wire().new(0, 'SIP/101-00000001', 'from-internal', '101', OUTSIDE)
                wire.dial(1, 'SIP/101-00000001', name, string, context, over=10)
                record = self.only(wire.talk(10, 50, 'SIP/101-00000001', name))
                self.assertEqual(
                    (
                        record.direction,
                        record.outcome,
                        record.called,
                        record.extension,
                        record.talk_seconds,
                    ),
                    ('outbound', 'answered', OUTSIDE, '101', 40),
                )

    def test_a_short_number_outside(self):
        wire = Wire().new(0, 'SIP/101-00000001', 'from-internal', '101', '112')
        wire.dial(1, 'SIP/101-00000001', 'SIP/701-00000002', '701/112', 'from-gateway', over=10)
        record = self.only(wire.talk(10, 50, 'SIP/101-00000001', 'SIP/701-00000002'))
        self.assertEqual((record.direction, record.called), ('outbound', '112'))

    def test_a_port_that_is_told_the_number_by_tones(self):
        """Nothing is dialled through it that could be seen; but an outside number was called, and
        this is no office phone."""
        wire = Wire().new(0, 'SIP/101-00000001', 'office', '101', OUTSIDE)
        wire.dial(1, 'SIP/101-00000001', 'DAHDI/4-1', 'DAHDI/4', 'lines', over=10).talk(
            10, 50, 'SIP/101-00000001', 'DAHDI/4-1'
        )
        self.assertEqual(self.only(wire).direction, 'outbound')
        wire = Wire().new(0, 'SIP/101-00000001', 'office', '101', OUTSIDE)
        wire.dial(1, 'SIP/101-00000001', 'DAHDI/4-1', 'DAHDI/4', 'office', over=10)
        wire.talk(10, 50, 'SIP/101-00000001', 'DAHDI/4-1')
        self.assertEqual(self.only(wire).direction, 'internal')

    def test_phones_that_were_not_entered_stay_phones(self):
        nobody = replace(ACCOUNT, extensions=frozenset())
        for context, own in itertools.product(('from-internal', 'office'), ('205', '206')):
            with self.subTest(context, number=own):
                wire = Wire().new(0, 'PJSIP/205-00000001', context, own, '101')
                wire.dial(
                    1,
                    'PJSIP/205-00000001',
                    'PJSIP/101-00000002',
                    'PJSIP/101/sip:84751236@192.0.2.7:5061',
                    context,
                    over=5,
                )
                record = self.only(
                    wire.talk(5, 15, 'PJSIP/205-00000001', 'PJSIP/101-00000002'), nobody
                )
                self.assertEqual((record.direction, record.extension), ('internal', '101'))
                wire = Wire().new(0, 'PJSIP/205-00000001', context, own, OUTSIDE)
                wire.dial(
                    1,
                    'PJSIP/205-00000001',
                    'PJSIP/trunk-00000002',
                    '02079460111@trunk',
                    'from-trunk',
                    over=5,
                )
                record = self.only(
                    wire.talk(5, 15, 'PJSIP/205-00000001', 'PJSIP/trunk-00000002'), nobody
                )
                self.assertEqual((record.direction, record.extension), ('outbound', '205'))

    def test_a_phone_that_shows_its_own_number_of_the_city_calls_out(self):
        wire = Wire().new(0, 'PJSIP/205-00000001', 'office', '02079460150', OUTSIDE)
        wire.dial(1, 'PJSIP/205-00000001', 'SIP/701-00000002', '701/02079460111', 'default', over=5)
        record = self.only(wire.talk(5, 15, 'PJSIP/205-00000001', 'SIP/701-00000002'))
        self.assertEqual(
            (record.direction, record.extension, record.called), ('outbound', '205', OUTSIDE)
        )

    def test_who_calls_a_service_of_the_pbx_is_a_phone(self):
        for number in (OUTSIDE, '205', '<unknown>'):
            wire = (
                Wire()
                .new(0, 'PJSIP/205-00000001', 'office', number, '*97')
                .hang_up(9, 'PJSIP/205-00000001')
            )
            self.assertEqual(self.told(wire), {})

    def test_what_the_administrator_says_counts(self):
        wire = self.call_in('DAHDI/7-1', 'office', '7', '101')
        self.assertEqual(self.only(wire).direction, 'internal')
        for said in ('7', 'DAHDI/7', 'office'):
            for extensions in (ACCOUNT.extensions, ACCOUNT.extensions | {'7'}):
                account = replace(ACCOUNT, trunks=frozenset({said}), extensions=extensions)
                self.assertEqual(self.only(wire, account).direction, 'inbound', said)
        as_phone = replace(ACCOUNT, extensions=ACCOUNT.extensions | {'701'})
        self.assertEqual(
            self.only(
                self.call_in('SIP/701-00000035', 'default', OUTSIDE, '101'), as_phone
            ).direction,
            'internal',
        )

    def test_strangers_are_told_with_what_they_are_taken_for(self):
        stored = [
            list(calls)
            for wire in (
                self.call_in('SIP/701-00000035', 'from-gateway', OUTSIDE, '101'),
                self.call_in('DAHDI/7-1', 'office', '7', '101'),
            )
            for calls in self.receive(wire.events).values()
        ]
        told = {
            stranger.name: (stranger.extension, stranger.is_trunk)
            for stranger in self.provider.strangers(stored, ACCOUNT)
        }
        self.assertEqual(told, {'SIP/701': ('701', True), 'DAHDI/7': ('7', False)})
        known = replace(ACCOUNT, trunks=frozenset({'701'}), extensions=ACCOUNT.extensions | {'7'})
        self.assertEqual(self.provider.strangers(stored, known), [])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestLateNumber(LegsCase):
    """An analogue line tells the caller's number between the first rings."""

    def test_it_comes_after_the_first_event(self):
        for later in ('NewCallerid', 'Ringing'):
            wire = Wire().new(0, 'DAHDI/33-1', 'from-pstn', state='Pre-ring')
            wire.numbers['DAHDI/33-1'] = OUTSIDE
            if later == 'NewCallerid':
                wire.add(3, 'NewCallerid', 'DAHDI/33-1')
                record = self.only(Wire.hang_up(wire, 9, 'DAHDI/33-1'))
                self.assertEqual((record.caller, record.outcome), (OUTSIDE, 'missed'))
            wire.dial(4, 'DAHDI/33-1', 'SIP/101-00000036', '101', over=10).talk(
                10, 50, 'DAHDI/33-1', 'SIP/101-00000036'
            )
            record = self.only(wire)
            self.assertEqual(
                (record.direction, record.caller, record.extension), ('inbound', OUTSIDE, '101')
            )

    def test_the_first_known_number_counts(self):
        wire = Wire().new(0, 'PJSIP/trunk-00000001', 'from-trunk', OUTSIDE, DID)
        wire.numbers['PJSIP/trunk-00000001'] = '600'
        wire.add(1, 'NewCallerid', 'PJSIP/trunk-00000001').hang_up(9, 'PJSIP/trunk-00000001')
        self.assertEqual(self.only(wire).caller, OUTSIDE)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestCompany(LegsCase):
    """Whoever hears the caller has a leg, however they came into the room."""

    IN, ANNA, BORIS = 'PJSIP/trunk-00000001', 'PJSIP/101-00000002', 'PJSIP/102-00000003'

    def caller(self, at=0):
        return Wire().new(at, self.IN, 'from-trunk', OUTSIDE, DID)

    def answered(self, record):
        return (
            record.direction,
            record.state,
            record.outcome,
            record.caller,
            record.extension,
            record.talk_seconds,
        )

    def parked(self, lot, technology='simple_bridge'):
        wire = self.caller().dial(1, self.IN, self.ANNA, 'PJSIP/101', over=10)
        wire.enter(10, 'b1', self.ANNA, self.IN).leave(30, 'b1', self.IN, self.ANNA)
        return wire.enter(30, lot, self.IN, technology=technology).hang_up(30, self.ANNA)

    def test_parked_and_retrieved(self):
        for technology, swallowed in itertools.product(
            ('simple_bridge', 'holding_bridge'), (True, False)
        ):
            with self.subTest(technology, swallowed=swallowed):
                wire = self.parked('lot', technology).new(
                    45, self.BORIS, 'from-internal', '102', '701'
                )
                wire.leave(46, 'lot', self.IN, technology=technology)
                if swallowed:
                    wire.joins(self.BORIS, self.IN)
                # the first event of the new bridge may still have the retriever's own Linkedid
                wire.enter(46, 'b2', self.BORIS).joins(self.BORIS, self.IN).enter(46, 'b2', self.IN)
                record = self.only(
                    wire.leave(90, 'b2', self.IN, self.BORIS).hang_up(90, self.BORIS, self.IN)
                )
                self.assertEqual(
                    self.answered(record), ('inbound', 'ended', 'answered', OUTSIDE, '101', 80)
                )
                self.assertEqual(self.talks(record), {'101': 20, '102': 44})

    def test_retrieved_and_never_swallowed(self):
        """The retriever keeps their own Linkedid; a single event says whose call they took."""
        wire = self.parked('lot').new(45, self.BORIS, 'from-internal', '102', '701')
        wire.add(
            46,
            'UnParkedCall',
            '',
            ParkeeChannel=self.IN,
            ParkeeUniqueid=wire.uids[self.IN],
            ParkeeLinkedid=wire.refs[self.IN],
            RetrieverChannel=self.BORIS,
            RetrieverUniqueid=wire.uids[self.BORIS],
        )
        wire.enter(46, 'b2', self.BORIS, self.IN).leave(90, 'b2', self.IN, self.BORIS).hang_up(
            90, self.BORIS, self.IN
        )
        self.assertEqual(self.talks(self.only(wire)), {'101': 20, '102': 44})

    def test_given_up_in_the_parking_lot(self):
        record = self.only(self.parked('lot', 'holding_bridge').hang_up(60, self.IN))
        self.assertEqual((record.outcome, self.talks(record)), ('answered', {'101': 20}))

    def test_two_callers_in_one_parking_lot_do_not_hear_each_other(self):
        other = 'PJSIP/trunk-00000009'
        wire = self.parked('lot', 'holding_bridge').new(31, other, 'from-trunk', '02079460112', DID)
        wire.dial(31, other, self.BORIS, 'PJSIP/102', over=33).enter(33, 'b3', self.BORIS, other)
        wire.leave(35, 'b3', self.BORIS, other)
        wire.enter(35, 'lot', other, technology='holding_bridge').hang_up(36, self.BORIS).hang_up(
            50, other, self.IN
        )
        self.assertEqual(
            [self.talks(record) for record in self.told(wire).values()], [{'101': 20}, {'102': 3}]
        )

    def test_agent_who_is_logged_in_on_one_channel(self):
        wire = Wire().new(-3000, self.ANNA, 'from-internal', '101', '*55')
        for number, at in enumerate((0, 300)):
            caller = f'PJSIP/trunk-0000010{number}'
            wire.new(at, caller, 'from-trunk', f'0207946011{number}', DID).add(
                at, 'QueueCallerJoin', caller, Queue='sales'
            )
            wire.enter(at + 10, f'q{number}', self.ANNA).joins(caller, self.ANNA).enter(
                at + 10, f'q{number}', caller
            )
            wire.leave(at + 50, f'q{number}', caller, self.ANNA).hang_up(at + 50, caller)
        told = self.told(wire)
        self.assertEqual(
            [self.answered(record) for record in told.values()],
            [
                ('inbound', 'ended', 'answered', f'0207946011{number}', '101', 40)
                for number in (0, 1)
            ],
        )
        self.assertEqual([record.queue for record in told.values()], ['sales', 'sales'])
        self.assertEqual(self.told(wire.hang_up(900, self.ANNA)), told)

    def test_agent_and_caller_keep_their_own_linkedid(self):
        wire = (
            Wire()
            .new(-3000, self.ANNA, 'from-internal', '101', '*55')
            .new(0, self.IN, 'from-trunk', OUTSIDE, DID)
        )
        wire.add(10, 'AgentConnect', self.IN, self.ANNA, Queue='sales').enter(
            10, 'q1', self.ANNA, self.IN
        )
        record = self.only(wire.leave(50, 'q1', self.ANNA, self.IN).hang_up(50, self.IN))
        self.assertEqual(
            self.answered(record), ('inbound', 'ended', 'answered', OUTSIDE, '101', 40)
        )

    def test_agent_behind_a_local_channel(self):
        """The queue rings Local/…, whose far half asks for the agent; that half alone takes the
        agent's Linkedid."""
        near, far = 'Local/3001@agents-00000001;1', 'Local/3001@agents-00000001;2'
        wire = (
            Wire()
            .new(-3000, self.ANNA, 'from-internal', '101', '*55')
            .new(0, self.IN, 'from-trunk', OUTSIDE, DID)
        )
        wire.add(0, 'QueueCallerJoin', self.IN, Queue='sales').dial(
            1, self.IN, near, 'Local/3001@agents', 'agents', over=10
        )
        wire.new(1, far, 'agents', of=self.IN).joins(far, self.ANNA)
        wire.enter(9, 'a1', self.ANNA, far).enter(10, 'q1', near, self.IN)
        wire.leave(50, 'q1', near, self.IN).leave(50, 'a1', far, self.ANNA).hang_up(
            50, self.IN, near, far
        )
        record = self.only(wire)
        self.assertEqual(
            self.answered(record), ('inbound', 'ended', 'answered', OUTSIDE, '101', 40)
        )
        self.assertEqual(self.talks(record), {'101': 40})

    def test_conference(self):
        """Colleagues join the caller, or the caller joins them: whoever was there first gives the
        others their Linkedid."""
        for order in itertools.permutations((self.IN, self.ANNA, self.BORIS)):
            with self.subTest(str(order)):
                wire, room = (
                    Wire(),
                    {'Conference': '8000', 'BridgeUniqueid': 'c1', 'BridgeTechnology': 'softmix'},
                )
                for at, channel in zip((0, 10, 20), order):
                    if channel == self.IN:
                        wire.new(at, channel, 'from-trunk', OUTSIDE, DID)
                    else:
                        wire.new(at, channel, 'from-internal', channel[6:9], '8000')
                    wire.joins(channel, order[0]).add(at + 2, 'ConfbridgeJoin', channel, **room)
                    wire.add(at + 2, 'BridgeEnter', channel, **room)
                wire.leave(60, 'c1', self.ANNA).hang_up(60, self.ANNA).leave(
                    80, 'c1', self.IN, self.BORIS
                )
                record = self.only(wire.hang_up(80, self.BORIS, self.IN))
                since = {
                    channel: 2 + max(10 * order.index(channel), 10 * order.index(self.IN))
                    for channel in order
                }
                self.assertEqual(
                    self.talks(record),
                    {'101': 60 - since[self.ANNA], '102': 80 - since[self.BORIS]},
                )
                self.assertEqual(
                    (record.direction, record.outcome, record.caller),
                    ('inbound', 'answered', OUTSIDE),
                )

    def test_conference_of_meetme(self):
        """MeetMe leaves everybody their own Linkedid."""
        wire = (
            self.caller()
            .new(0, self.ANNA, 'from-internal', '101', '8000')
            .add(1, 'MeetmeJoin', self.ANNA, Meetme='8000')
        )
        wire.add(5, 'MeetmeJoin', self.IN, Meetme='8000').add(
            45, 'MeetmeLeave', self.IN, Meetme='8000'
        ).hang_up(45, self.IN)
        record = self.only(
            wire.add(46, 'MeetmeLeave', self.ANNA, Meetme='8000').hang_up(46, self.ANNA)
        )
        self.assertEqual(
            self.answered(record), ('inbound', 'ended', 'answered', OUTSIDE, '101', 40)
        )

    def test_a_colleague_joins_an_outgoing_call(self):
        out = 'PJSIP/trunk-00000009'
        wire = Wire().new(0, self.ANNA, 'from-internal', '101', OUTSIDE)
        wire.dial(1, self.ANNA, out, '02079460111@trunk', 'from-trunk', over=5)
        wire.enter(5, 'b1', self.ANNA, out).leave(20, 'b1', self.ANNA, out).enter(
            20, 'c1', self.ANNA, out
        )
        wire.new(25, self.BORIS, 'from-internal', '102', '8000').joins(self.BORIS, self.ANNA).enter(
            26, 'c1', self.BORIS
        )
        record = self.only(
            wire.leave(46, 'c1', self.ANNA, self.BORIS, out).hang_up(46, self.ANNA, self.BORIS, out)
        )
        self.assertEqual(
            (record.direction, record.extension, record.talk_seconds), ('outbound', '101', 41)
        )
        self.assertEqual(self.talks(record)['102'], 20)

    def test_colleagues_who_meet_without_a_customer_are_no_call(self):
        wire = Wire().new(0, self.ANNA, 'from-internal', '101', '8000').enter(1, 'c1', self.ANNA)
        wire.new(5, self.BORIS, 'from-internal', '102', '8000').joins(self.BORIS, self.ANNA).enter(
            6, 'c1', self.BORIS
        )
        self.assertEqual(
            self.told(
                wire.leave(20, 'c1', self.ANNA, self.BORIS).hang_up(20, self.ANNA, self.BORIS)
            ),
            {},
        )


@tagged('post_install', '-at_install', 'crm_telephony')
class TestWhoWasReached(LegsCase):
    """Not the digits decide whether a call goes outside."""

    ANNA, BORIS, OUT = 'PJSIP/101-00000001', 'PJSIP/102-00000002', 'PJSIP/trunk-00000003'

    def dialled(self):
        return Wire().new(0, self.ANNA, 'from-internal', '101', OUTSIDE)

    def gist(self, record):
        return record.direction, record.outcome, record.extension, record.talk_seconds

    def test_a_colleague_by_a_number_of_the_city(self):
        wire = (
            self.dialled()
            .dial(1, self.ANNA, self.BORIS, 'PJSIP/102', over=10)
            .talk(10, 50, self.ANNA, self.BORIS)
        )
        self.assertEqual(self.gist(self.only(wire)), ('internal', 'answered', '102', 40))
        wire = self.dialled().dial(
            1, self.ANNA, self.BORIS, 'PJSIP/102', over=20, status='NOANSWER'
        )
        wire.hang_up(20, self.BORIS, self.ANNA)
        self.assertEqual(self.gist(self.only(wire)), ('internal', 'no_answer', '102', 0))

    def test_a_colleague_behind_a_local_channel(self):
        near, far = 'Local/102@from-internal-00000001;1', 'Local/102@from-internal-00000001;2'
        wire = self.dialled().dial(1, self.ANNA, near, 'Local/102@from-internal', over=10)
        wire.new(1, far, 'from-internal', of=self.ANNA).dial(
            2, far, self.BORIS, 'PJSIP/102', over=10
        )
        wire.enter(10, 'b1', self.ANNA, near).enter(10, 'b2', far, self.BORIS)
        record = self.only(wire.hang_up(50, self.ANNA, near, far, self.BORIS))
        self.assertEqual(self.gist(record), ('internal', 'answered', '102', 40))

    def test_his_desk_rings_and_then_his_mobile(self):
        wire = (
            self.dialled()
            .dial(1, self.ANNA, self.BORIS, 'PJSIP/102', over=20, status='NOANSWER')
            .hang_up(20, self.BORIS)
        )
        wire.dial(20, self.ANNA, self.OUT, '02079460111@trunk', 'from-trunk', over=30).talk(
            30, 50, self.ANNA, self.OUT
        )
        self.assertEqual(self.gist(self.only(wire)), ('outbound', 'answered', '101', 20))

    def test_a_customer_who_is_passed_on_was_called(self):
        wire = self.dialled().dial(
            1, self.ANNA, self.OUT, '02079460111@trunk', 'from-trunk', over=10
        )
        wire.enter(10, 'b1', self.ANNA, self.OUT)
        wire.hang_up(20, self.ANNA).dial(20, self.OUT, self.BORIS, 'PJSIP/102', over=25).enter(
            25, 'b2', self.OUT, self.BORIS
        )
        record = self.only(wire.hang_up(40, self.OUT, self.BORIS))
        self.assertEqual(self.gist(record), ('outbound', 'answered', '101', 30))

    def test_what_nobody_dialled(self):
        """A number of the firm that nobody has entered leads to a queue, a mailbox or a
        conference."""
        wire = (
            self.dialled()
            .add(1, 'QueueCallerJoin', self.ANNA, Queue='sales')
            .hang_up(20, self.ANNA)
        )
        self.assertEqual(self.gist(self.only(wire)), ('internal', 'no_answer', '', 0))
        wire = (
            self.dialled()
            .add(5, 'VarSet', self.ANNA, Variable='VMSTATUS', Value='SUCCESS')
            .hang_up(20, self.ANNA)
        )
        self.assertEqual(self.gist(self.only(wire)), ('internal', 'voicemail', '', 0))
        wire = (
            self.dialled()
            .enter(5, 'c1', self.ANNA)
            .new(6, self.BORIS, 'from-internal', '102', '8000')
        )
        wire.joins(self.BORIS, self.ANNA).enter(10, 'c1', self.BORIS).leave(
            30, 'c1', self.ANNA, self.BORIS
        )
        wire.hang_up(30, self.ANNA, self.BORIS)
        self.assertEqual(self.gist(self.only(wire)), ('internal', 'answered', '102', 20))
