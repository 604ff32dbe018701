"""A browser loads its page anew in a talk and takes the talk up again: one call, one leg."""

import random
from functools import partial

from odoo.tests import tagged

from .test_adapter import STREAMS, AsteriskCase, Lab

FIRST, SECOND, THIRD = 'PJSIP/104-0000000a', 'PJSIP/104-0000000b', 'PJSIP/104-0000000c'


def take_up(lab, at, channel, before, exten='104'):
    """What Asterisk tells of an INVITE with Replaces."""
    own = lab.uid(channel)
    lab.add(
        at,
        'Newchannel',
        channel,
        ChannelStateDesc='Ring',
        Context='internal',
        Exten=exten,
        CallerIDNum='104',
        Linkedid=own,
    )
    room = 'b618db54'
    lab.add(at, 'BridgeLeave', before, BridgeUniqueid=room)
    lab.add(at, 'BridgeEnter', channel, BridgeUniqueid=room, SwapUniqueid=lab.uid(before))
    lab.hang_up(at + 0.01, before)
    return lab


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTakenUp(AsteriskCase):
    def answered(self):
        return (
            Lab()
            .call_in(0, exten='442079460007')
            .dial(1, 2, 'ANSWER', FIRST)
            .bridge(2, 'trunk', FIRST)
        )

    def in_all_orders(self, lab):
        """The one call of these events, which is the same in any order and told twice."""
        straight = self.one_call(lab.events)
        for seed in range(8):
            chance = random.Random(seed)
            shuffled = chance.sample(lab.events, len(lab.events))
            self.assertEqual(self.one_call([*shuffled, *shuffled]), straight)
        return straight

    def one_call(self, events):
        records = self.records(events)
        calls = [record for record in records.values() if not isinstance(record, str)]
        self.assertEqual(len(calls), 1, records)
        for reason in records.values():
            if isinstance(reason, str):
                self.assertIn("takes its talk up again", reason)
        return calls[0]

    def talks(self, record):
        return {leg.extension: (leg.outcome, leg.talk_seconds) for leg in record.legs}

    def test_streams_of_browsers(self):
        """What Asterisk sent of calls of browsers: one call each, in any order and told twice."""
        streams = {name: each for name, each in STREAMS.items() if name.startswith('browser-')}
        self.assertEqual(len(streams), 6)
        for name, stream in streams.items():
            with self.subTest(name):
                straight = self.records(stream['events'])
                calls = [each for each in straight.values() if not isinstance(each, str)]
                self.assertEqual(len(calls), 1)
                for seed in range(8):
                    twice = [*stream['events'], *stream['events']]
                    random.Random(seed).shuffle(twice)
                    self.assertEqual(self.records(twice), straight)

    def test_inbound(self):
        lab = take_up(self.answered(), 5, SECOND, FIRST)
        record = self.in_all_orders(lab.hang_up(12, SECOND, 'trunk'))
        self.assertEqual((record.direction, record.outcome), ('inbound', 'answered'))
        self.assertEqual((record.extension, record.talk_seconds), ('104', 10))
        self.assertEqual(self.talks(record), {'104': ('answered', 10)})

    def test_twice(self):
        lab = take_up(take_up(self.answered(), 5, SECOND, FIRST), 8, THIRD, SECOND)
        record = self.in_all_orders(lab.hang_up(12, THIRD, 'trunk'))
        self.assertEqual(self.talks(record), {'104': ('answered', 10)})

    def test_while_it_goes_on(self):
        record = self.in_all_orders(take_up(self.answered(), 5, SECOND, FIRST))
        self.assertEqual(record.state, 'in_progress')
        [leg] = record.legs
        self.assertIsNone(leg.ended_at)

    def test_between_colleagues(self):
        lab = Lab('101').call_out('104').dial(1, 2, 'ANSWER', FIRST).bridge(2, '101', FIRST)
        record = self.in_all_orders(take_up(lab, 5, SECOND, FIRST).hang_up(12, SECOND, '101'))
        self.assertEqual(record.direction, 'internal')
        self.assertEqual(self.talks(record), {'104': ('answered', 10)})

    def test_outbound(self):
        lab = Lab(FIRST).call_out('+442079460141', CallerIDNum='104')
        lab.dial(1, 2, 'ANSWER', 'trunk', string='trunk/+442079460141').bridge(2, FIRST, 'trunk')
        record = self.in_all_orders(take_up(lab, 5, SECOND, FIRST).hang_up(12, SECOND, 'trunk'))
        self.assertEqual((record.direction, record.extension), ('outbound', '104'))
        self.assertEqual(record.talk_seconds, 10)

    def test_in_a_ring_group(self):
        lab = (
            Lab()
            .call_in(0, exten='442079460007')
            .dial(1, 2, 'CANCEL', '101')
            .dial(1, 2, 'ANSWER', FIRST)
            .hang_up(2, '101', cause='26')
            .bridge(2, 'trunk', FIRST)
        )
        record = self.in_all_orders(take_up(lab, 5, SECOND, FIRST).hang_up(12, SECOND, 'trunk'))
        self.assertEqual(self.talks(record), {'101': ('no_answer', 0), '104': ('answered', 10)})

    def test_in_a_queue(self):
        lab = self.answered().add(0.5, 'QueueCallerJoin', 'trunk', Queue='sales')
        record = self.in_all_orders(take_up(lab, 5, SECOND, FIRST).hang_up(12, SECOND, 'trunk'))
        self.assertEqual((record.queue, record.talk_seconds), ('sales', 10))

    def test_then_transferred(self):
        lab = take_up(self.answered(), 5, SECOND, FIRST).hang_up(7, SECOND)
        lab.dial(7, 8, 'ANSWER', '101').bridge(8, '101').hang_up(12, '101', 'trunk')
        record = self.in_all_orders(lab)
        self.assertEqual(self.talks(record), {'104': ('answered', 5), '101': ('answered', 4)})

    def test_another_phone_in_its_place_is_another_leg(self):
        """A colleague whose channel takes the place of this phone's is no second page of it."""
        lab = self.answered()
        lab.dial(5, 6, 'ANSWER', '101')
        lab.add(6, 'BridgeLeave', FIRST, BridgeUniqueid='b618db54')
        swap = partial(lab.add, BridgeUniqueid='b618db54', SwapUniqueid=lab.uid(FIRST))
        swap(6, 'BridgeEnter', '101')
        record = self.record(lab.hang_up(6, FIRST).hang_up(12, '101', 'trunk').events)
        self.assertEqual(self.talks(record), {'104': ('answered', 4), '101': ('answered', 6)})
