import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers.base import (
    DIRECTIONS,
    KINDS,
    OUTCOMES,
    CallEvent,
    RecordingRecord,
)
from odoo.addons.crm_telephony.providers.fold import fold, void_reason

from .provider_case import PROPERTY

START = datetime(2026, 3, 2, 5, 15, tzinfo=timezone.utc)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(kind: str, seconds: float | None = 0, direction: str = 'inbound', **values) -> CallEvent:
    return CallEvent(
        kind=kind,
        external_id='c-1',
        at=None if seconds is None else at(seconds),
        direction=direction,
        **values,
    )


def ringing(seconds=0, extension='', **values):
    return event('ringing', seconds, extension=extension, **values)


def answered(seconds, extension='101', **values):
    return event('answered', seconds, extension=extension, **values)


def ended(seconds, outcome='', **values):
    return event('ended', seconds, outcome=outcome, **values)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestFold(BaseCase):
    def check(self, events, **expected):
        record = fold(events)
        self.assertEqual({name: getattr(record, name) for name in expected}, expected)
        return record

    def outcome(self, *events):
        return fold(events).outcome

    # --- is there a call? --------------------------------------------------------------------------------------------

    def test_nothing(self):
        self.assertIsNone(fold([]))
        self.assertEqual(void_reason([]), '')

    def test_recording_waits_for_its_call(self):
        recording = event('recording', 5, recording_url='https://records.example.com/1.mp3')
        self.assertIsNone(fold([recording]))
        self.assertEqual(len(fold([recording, ringing()]).recordings), 1)

    def test_direction_unknown(self):
        self.assertIsNone(fold([ringing(direction='')]))
        self.assertEqual(fold([ringing(direction=''), ended(5, 'missed')]).direction, 'inbound')

    def test_void(self):
        """A click-to-call whose employee never picks up reached no customer."""
        events = [
            ringing(direction='outbound'),
            event('void', 30, 'outbound', note="101 did not pick up"),
        ]
        self.assertIsNone(fold(events))
        self.assertEqual(void_reason(events), "101 did not pick up")

    # --- states ------------------------------------------------------------------------------------------------------

    def test_states(self):
        self.check(
            [ringing(0, '101')],
            state='ringing',
            outcome='',
            answered_at=None,
            ended_at=None,
            extension='',
            wait_seconds=0,
        )
        self.check(
            [ringing(0, '101'), answered(5)],
            state='in_progress',
            outcome='',
            answered_at=at(5),
            extension='101',
            wait_seconds=5,
            talk_seconds=0,
        )
        self.check(
            [ringing(0, '101'), answered(5), ended(25, 'answered')],
            state='ended',
            outcome='answered',
            talk_seconds=20,
        )

    def test_lost(self):
        """Over, but nobody knows how; the true end wins when it comes after all."""
        lost = [ringing(0, '101'), answered(5), event('lost', 14400)]
        self.check(
            lost,
            state='ended',
            outcome='',
            end_unknown=True,
            ended_at=None,
            talk_seconds=0,
            talk_known=False,
        )
        self.check(
            [*lost, ended(65, 'answered')],
            state='ended',
            outcome='answered',
            end_unknown=False,
            talk_seconds=60,
        )

    # --- outcomes of inbound calls -----------------------------------------------------------------------------------

    def test_missed(self):
        self.check(
            [ringing(0, '101'), ended(25, 'missed')],
            outcome='missed',
            extension='',
            answered_at=None,
            wait_seconds=25,
            talk_seconds=0,
        )
        self.assertEqual(self.outcome(ringing(0, '101'), ended(25)), 'missed')
        # an offline phone: nothing rang, no queue
        self.assertEqual(self.outcome(ringing(), ended(1)), 'missed')

    def test_abandoned(self):
        self.assertEqual(self.outcome(ringing(queue='Sales'), ended(25, 'abandoned')), 'abandoned')
        self.assertEqual(self.outcome(ringing(queue='Sales'), ended(25)), 'abandoned')

    def test_queue_that_gave_up(self):
        self.assertEqual(self.outcome(ringing(queue='Sales'), ended(60, 'missed')), 'missed')

    def test_queue_whose_phones_rang(self):
        """Nobody said that he hung up: missed is the word that is true in any case."""
        self.assertEqual(
            self.outcome(ringing(queue='Sales'), ringing(5, '101', queue='Sales'), ended(60)),
            'missed',
        )

    def test_answered(self):
        self.check(
            [ringing(0, '101'), answered(12), ended(57)],
            outcome='answered',
            extension='101',
            answered_at=at(12),
            ended_at=at(57),
            wait_seconds=12,
            talk_seconds=45,
            talk_known=True,
        )

    def test_told_seconds_win_over_the_clock(self):
        self.check(
            [
                ringing(0, '101'),
                answered(12),
                ended(60, 'answered', talk_seconds=40, wait_seconds=11),
            ],
            wait_seconds=11,
            talk_seconds=40,
            answered_at=at(12),
        )

    def test_no_talk_is_no_answer(self):
        for events in (
            [ringing(0, '101'), answered(5), ended(5)],
            [ringing(0, '101'), answered(5), ended(5, 'answered')],
            [ringing(0, '101'), answered(5), ended(30, 'answered', talk_seconds=0)],
            [ringing(0, '101'), ended(30, 'answered', talk_seconds=0)],
            # the answer is told to be after the end
            [ringing(0, '101'), answered(50), ended(30, 'answered')],
        ):
            self.check(events, outcome='missed', answered_at=None, talk_seconds=0, extension='')

    def test_answered_with_unknown_talk(self):
        """The PBX says answered and tells neither talk nor answer."""
        self.check(
            [ringing(0, '101'), ended(30, 'answered', extension='101')],
            outcome='answered',
            talk_known=False,
            talk_seconds=0,
            extension='101',
            answered_at=None,
        )

    def test_busy_failed_voicemail(self):
        for outcome in ('busy', 'failed', 'voicemail'):
            for direction in DIRECTIONS:
                self.check(
                    [
                        ringing(0, '101', direction=direction),
                        ended(5, outcome, direction=direction),
                    ],
                    outcome=outcome,
                    talk_seconds=0,
                    answered_at=None,
                )

    def test_voicemail_after_an_answer_of_the_machine(self):
        self.check(
            [ringing(0), answered(20, ''), ended(50, 'voicemail')],
            outcome='voicemail',
            talk_seconds=0,
            answered_at=None,
        )

    # --- outbound and internal ---------------------------------------------------------------------------------------

    def test_outbound(self):
        dialled = ringing(0, '101', direction='outbound')
        self.check(
            [dialled, ended(30, direction='outbound')],
            outcome='no_answer',
            extension='101',
            wait_seconds=30,
            legs=(),
        )
        self.check(
            [dialled, answered(10, direction='outbound'), ended(50, direction='outbound')],
            outcome='answered',
            extension='101',
            wait_seconds=10,
            talk_seconds=40,
            legs=(),
        )
        self.check(
            [dialled, ended(30, 'answered', direction='outbound', talk_seconds=0)],
            outcome='no_answer',
        )

    def test_internal(self):
        rings = ringing(0, '102', direction='internal', caller='101')
        self.check([rings, ended(30, direction='internal')], outcome='no_answer', caller='101')
        self.check(
            [rings, answered(5, '102', direction='internal'), ended(25, direction='internal')],
            outcome='answered',
            extension='102',
            talk_seconds=20,
        )

    # --- times -------------------------------------------------------------------------------------------------------

    def test_end_only(self):
        self.check(
            [ended(60, 'answered', extension='101', talk_seconds=50, wait_seconds=10)],
            start_at=at(0),
            answered_at=at(10),
            ended_at=at(60),
            wait_seconds=10,
            talk_seconds=50,
            extension='101',
        )
        self.check(
            [ended(60, 'missed', wait_seconds=10)],
            start_at=at(50),
            ended_at=at(60),
            wait_seconds=10,
        )
        self.check([ended(60, 'missed')], start_at=at(60), ended_at=at(60), wait_seconds=0)

    def test_start_that_is_told(self):
        self.check(
            [ended(60, 'answered', extension='101', talk_seconds=50, started_at=at(0))],
            start_at=at(0),
            answered_at=at(10),
            wait_seconds=10,
        )
        # rounded up by the PBX: nobody answers before the start
        self.check(
            [ended(49, 'answered', extension='101', talk_seconds=50, started_at=at(0))],
            answered_at=at(0),
            wait_seconds=0,
        )

    def test_times_that_nobody_told(self):
        record = self.check(
            [
                ringing(None, '101', started_at=at(0)),
                answered(None),
                ended(None, 'answered', talk_seconds=64),
            ],
            start_at=at(0),
            answered_at=None,
            ended_at=None,
            wait_seconds=0,
            talk_seconds=64,
            state='ended',
            outcome='answered',
            extension='101',
            end_unknown=False,
        )
        self.assertEqual([leg.outcome for leg in record.legs], ['answered'])
        record = self.check(
            [ringing(None, '101', started_at=at(0)), ended(None, 'missed')],
            outcome='missed',
            ended_at=None,
        )
        self.assertEqual([leg.outcome for leg in record.legs], ['no_answer'])

    def test_year_one(self):
        """What some PBXs send where they know no time."""
        first = datetime.min.replace(tzinfo=timezone.utc)
        fold(
            [
                replace(
                    ended(0, 'answered', extension='101', talk_seconds=64, wait_seconds=5), at=first
                )
            ]
        )
        fold(
            [
                replace(
                    ended(0, 'answered', extension='101', talk_seconds=64, started_at=at(0)),
                    at=first,
                )
            ]
        )

    def test_order_where_there_are_no_times(self):
        answers = [answered(None, '102', order=1, started_at=at(0)), answered(None, '101', order=2)]
        self.check([*answers, ended(None, 'answered', talk_seconds=60, order=3)], extension='102')
        self.check(
            [*answers[::-1], ended(None, 'answered', talk_seconds=60, order=3)], extension='102'
        )

    def test_rounding(self):
        self.check(
            [ringing(0, '101'), answered(9.5), ended(60, 'answered')],
            wait_seconds=10,
            talk_seconds=51,
        )
        self.check(
            [ended(60, 'answered', extension='101', talk_seconds=0.4)],
            outcome='answered',
            talk_seconds=0,
        )

    # --- phones ------------------------------------------------------------------------------------------------------

    def legs(self, *events):
        return [(leg.extension, leg.outcome, leg.talk_seconds) for leg in fold(events).legs]

    def test_ring_group(self):
        phones = [ringing(0, str(phone)) for phone in range(101, 106)]
        self.assertEqual(
            self.legs(*phones, answered(10, '103'), ended(50, 'answered', extension='103')),
            [
                ('101', 'no_answer', 0),
                ('102', 'no_answer', 0),
                ('103', 'answered', 40),
                ('104', 'no_answer', 0),
                ('105', 'no_answer', 0),
            ],
        )
        self.assertEqual(
            {outcome for _extension, outcome, _talk in self.legs(*phones, ended(30))}, {'no_answer'}
        )

    def test_legs_while_it_rings(self):
        self.assertEqual(
            self.legs(ringing(0, '101'), ringing(0, '102')), [('101', '', 0), ('102', '', 0)]
        )

    def test_a_queue_rings_the_same_phone_again(self):
        events = [
            ringing(0, queue='sales'),
            ringing(2, '101'),
            event('leg_ended', 17, extension='101', outcome='no_answer'),
            ringing(22, '101'),
            answered(25, '101'),
            ended(60),
        ]
        legs = [fold(events[:told]).legs[-1] for told in range(2, 7)]
        self.assertEqual(
            [(leg.outcome, leg.ended_at) for leg in legs],
            [
                ('', None),
                ('no_answer', at(17)),
                ('', None),
                ('answered', None),
                ('answered', at(60)),
            ],
        )
        self.assertEqual(legs[-1].talk_seconds, 35)

    def test_leg_that_ended_before_the_call(self):
        record = fold(
            [
                ringing(0, '101'),
                event('leg_ended', 3, extension='101', outcome='busy'),
                ringing(4, '102'),
                answered(9, '102'),
                ended(29, 'answered'),
            ]
        )
        self.assertEqual(
            [(leg.extension, leg.outcome, leg.ended_at) for leg in record.legs],
            [('101', 'busy', at(3)), ('102', 'answered', at(29))],
        )

    def test_transfer(self):
        """Who took it first is the call's; both share the talk by the clock."""
        events = [
            ringing(0, '101'),
            answered(10),
            event('transferred', 40, extension='102'),
            ended(100, 'answered', extension='102', talk_seconds=90),
        ]
        self.check(events, extension='101', talk_seconds=90, wait_seconds=10)
        self.assertEqual(self.legs(*events), [('101', 'answered', 30), ('102', 'answered', 60)])

    def test_transfer_that_is_answered(self):
        events = [
            ringing(0, '101'),
            answered(10),
            ringing(40, '102'),
            answered(45, '102'),
            ended(100, 'answered'),
        ]
        self.check(events, extension='101', talk_seconds=90)
        self.assertEqual(self.legs(*events), [('101', 'answered', 35), ('102', 'answered', 55)])

    def test_transfer_that_nobody_took(self):
        events = [
            ringing(0, '101'),
            answered(10),
            event('transferred', 40, extension='102'),
            ended(60, 'answered', extension='101'),
        ]
        self.assertEqual(self.legs(*events)[-1], ('102', 'no_answer', 0))

    def test_outbound_that_was_passed_on(self):
        events = [
            ringing(0, '101', direction='outbound'),
            answered(10, direction='outbound'),
            event('transferred', 40, 'outbound', extension='102'),
            ended(100, 'answered', direction='outbound', extension='102'),
        ]
        self.check(events, extension='101', talk_seconds=90)
        self.assertEqual([leg[0] for leg in self.legs(*events)], ['101', '102'])

    def test_lost_call_has_no_talkers(self):
        record = fold(
            [ringing(None, '101', started_at=at(0)), answered(None), ended(None, 'missed')]
        )
        self.assertEqual(
            (record.outcome, record.extension, [leg.outcome for leg in record.legs]),
            ('missed', '', ['no_answer']),
        )

    # --- recordings --------------------------------------------------------------------------------------------------

    def test_recordings(self):
        base = [
            ringing(0, '101'),
            ended(60, 'answered', extension='101', talk_seconds=50, recording_ref='r1'),
        ]
        self.assertEqual(fold(base).recordings, (RecordingRecord(ref='r1'),))
        with_address = event(
            'recording',
            70,
            recording_ref='r1',
            recording_url='https://records.example.com/1',
            recording_seconds=50,
        )
        second = event('recording', 71, recording_url='https://records.example.com/2')
        found = fold([*base, with_address, second, second]).recordings
        self.assertEqual(
            set(found),
            {
                RecordingRecord(url='https://records.example.com/1', ref='r1', seconds=50),
                RecordingRecord(url='https://records.example.com/2'),
            },
        )

    # --- any events --------------------------------------------------------------------------------------------------

    seconds = st.one_of(st.none(), st.integers(0, 8), st.sampled_from((0.4, 30.5, 7200)))
    moments = seconds.map(lambda value: None if value is None else at(value))
    any_event = st.builds(
        CallEvent,
        kind=st.sampled_from([kind for kind in KINDS if kind != 'void']),
        external_id=st.just('c-1'),
        at=moments
        | st.sampled_from(
            (datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc))
        ),
        direction=st.sampled_from(('inbound', 'outbound', 'internal', '')),
        caller=st.sampled_from(('', '+77011112233', '101')),
        called=st.sampled_from(('', '+77272507612')),
        extension=st.sampled_from(('', '101', '102', '103')),
        queue=st.sampled_from(('', 'Sales')),
        outcome=st.sampled_from(('', *OUTCOMES)),
        talk_seconds=seconds,
        wait_seconds=seconds,
        started_at=moments,
        recording_url=st.sampled_from(('', '', 'https://records.example.com/1')),
        recording_ref=st.sampled_from(('', '', 'r1')),
        recording_seconds=st.sampled_from((None, 50)),
        order=st.integers(0, 2),
    )
    any_events = st.lists(any_event, max_size=8)

    @PROPERTY
    @given(any_events, st.randoms(use_true_random=False))
    def test_order_and_repeats_do_not_matter(self, events, chance):
        record = fold(events)
        again = [*events, *chance.choices(events, k=3)] if events else []
        chance.shuffle(again)
        self.assertEqual(fold(again), record)
        self.assertEqual(fold(reversed(events)), record)
        self.assertEqual(fold(iter(events)), record)

    @PROPERTY
    @given(any_events, any_events)
    def test_finished_stays_finished(self, events, later):
        before, after = fold(events), fold([*events, *later])
        if before:
            self.assertIsNotNone(after)
            if before.state == 'ended':
                self.assertEqual(after.state, 'ended')
            if before.outcome:
                self.assertTrue(after.outcome)
            if before.state == 'in_progress':
                self.assertNotEqual(after.state, 'ringing')
            self.assertLessEqual(
                {leg.extension for leg in before.legs},
                {leg.extension for leg in after.legs} | self.placed(after),
            )
            self.assertLessEqual(len(before.recordings), len(after.recordings))

    def placed(self, record):
        """An outbound call that one phone placed has no legs."""
        return {'101', '102', '103'} if record.direction == 'outbound' else set()

    @PROPERTY
    @given(any_events)
    def test_every_record_makes_sense(self, events):
        record = fold(events)
        if not record:
            return
        self.assertEqual(record.external_id, 'c-1')
        self.assertIn(record.direction, DIRECTIONS)
        self.assertGreaterEqual(record.talk_seconds, 0)
        self.assertGreaterEqual(record.wait_seconds, 0)
        self.assertIsInstance(record.talk_seconds, int)
        self.assertIsInstance(record.wait_seconds, int)
        if record.state == 'ended' and not record.end_unknown:
            self.assertIn(record.outcome, OUTCOMES)
        else:
            self.assertEqual(record.outcome, '')
            self.assertIsNone(record.ended_at)
        if record.outcome not in ('', 'answered'):
            self.assertEqual((record.talk_seconds, record.answered_at), (0, None))
            self.assertNotIn(
                'answered', {leg.outcome for leg in record.legs if not self.told(events, leg)}
            )
            if record.direction == 'inbound':
                self.assertEqual(record.extension, '')
        extensions = [leg.extension for leg in record.legs]
        self.assertEqual(len(set(extensions)), len(extensions))
        self.assertNotIn('', extensions)
        for leg in record.legs:
            self.assertGreaterEqual(leg.talk_seconds, 0)
            self.assertIn(leg.outcome, ('', *OUTCOMES))
            if record.state == 'ended' and not record.end_unknown:
                self.assertTrue(leg.outcome)
        self.assertEqual(
            len({(one.url, one.ref) for one in record.recordings}), len(record.recordings)
        )

    def told(self, events, leg):
        return any(
            one.kind == 'leg_ended' and one.extension == leg.extension and one.outcome == 'answered'
            for one in events
        )

    @PROPERTY
    @given(any_events, st.integers(0, 8))
    def test_void_wins(self, events, seconds):
        self.assertIsNone(fold([*events, event('void', seconds, note="no call")]))

    def test_permutations_of_a_busy_call(self):
        """The same by example: five phones, a transfer, two recordings, in two hundred orders."""
        events = [
            *(ringing(0, str(phone)) for phone in range(101, 106)),
            answered(10, '103'),
            event('transferred', 40, extension='102'),
            ended(100, 'answered', extension='102', talk_seconds=90),
            event('recording', 110, recording_ref='r1'),
            event('recording', 111, recording_ref='r2'),
        ]
        straight, chance = fold(events), random.Random(1)
        for _round in range(200):
            chance.shuffle(events)
            self.assertEqual(fold([*events, *events[:3]]), straight)
