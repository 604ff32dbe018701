"""A lost caller is a promise with a clock, an owner and an end."""

import random
from datetime import datetime, timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import new_test_user

from .common import CUSTOMER, TelephonyCase

# a Wednesday, 15:00 in Almaty (UTC+5), working hours 9 to 18
WEDNESDAY = datetime(2026, 11, 4, 10, 0)


def iso(moment, seconds=0):
    return (moment + timedelta(seconds=seconds)).isoformat() + '+00:00'


class TestCallbacks(TelephonyCase):
    def missed(self, call_id='m1', at=WEDNESDAY, seconds=0, **more):
        self.play(
            self.event(
                'ended',
                call_id,
                iso(at, seconds),
                **{'outcome': 'missed', 'wait_seconds': 20, **more},
            )
        )

    def tried(self, call_id='o1', at=WEDNESDAY, seconds=0, **more):
        self.play(
            self.outbound('ended', call_id, iso(at, seconds), **{'outcome': 'no_answer', **more})
        )

    def test_missed_opens_one_with_clock_owner_and_activity(self):
        lead = self.new_lead(user_id=self.boris.id)
        self.missed()
        callback = self.callbacks()
        self.assertRecordValues(
            callback,
            [
                {
                    'state': 'open',
                    'customer_number': CUSTOMER,
                    'partner_id': self.partner.id,
                    'lead_id': lead.id,
                    'user_id': self.boris.id,
                    'priority': '0',
                    'due_at': WEDNESDAY + timedelta(minutes=15),
                    'origin_call_id': self.call('m1').id,
                }
            ],
        )
        self.assertEqual(self.call('m1').callback_id, callback)
        activity = lead.activity_ids
        self.assertEqual(activity, callback.activity_id)
        self.assertEqual(activity.activity_type_id, self.env.ref('mail.mail_activity_data_call'))
        self.assertEqual((activity.user_id, activity.date_deadline), (self.boris, WEDNESDAY.date()))
        self.assertIn('15:15', activity.summary, "the hour of the day where the owner works")

    def test_due_in_working_hours(self):
        for name, at, due in [
            ("before closing", datetime(2026, 11, 4, 12, 55), datetime(2026, 11, 5, 4, 10)),
            ("at night", datetime(2026, 11, 4, 20, 0), datetime(2026, 11, 5, 4, 0)),
            ("on Saturday", datetime(2026, 11, 7, 6, 0), datetime(2026, 11, 9, 4, 0)),
        ]:
            with self.subTest(name):
                number = f'+7701{at:%d%H}000'
                self.missed(name, at, caller=number)
                self.assertEqual(self.callbacks(number).due_at, due)

    def test_hours_of_the_number_and_of_its_team_come_before_the_companys(self):
        night = self.env['resource.calendar'].create(
            {
                'name': "Round the clock",
                'tz': 'Asia/Almaty',
                'attendance_ids': [(5, 0, 0)]
                + [
                    (
                        0,
                        0,
                        {
                            'name': str(day),
                            'dayofweek': str(day),
                            'hour_from': 0,
                            'hour_to': 24,
                            'day_period': 'morning',
                        },
                    )
                    for day in range(7)
                ],
            }
        )
        at = datetime(2026, 11, 4, 20, 0)
        team = self.env['crm.team'].create(
            {'name': "Night shift", 'resource_calendar_id': night.id, 'company_id': self.company.id}
        )
        self.number.team_id = team
        self.missed('team', at)
        self.assertEqual(self.callbacks().due_at, at + timedelta(minutes=15))
        self.number.resource_calendar_id = self.calendar
        self.missed('number', at, caller='+77010000000')
        self.assertEqual(self.callbacks('+77010000000').due_at, datetime(2026, 11, 5, 4, 0))

    def test_the_rules_of_the_house(self):
        """The customer's own numbers, delivered as data."""
        morning = datetime(2026, 11, 5, 4, 0)
        for call, minutes, priority in [
            ({'outcome': 'abandoned', 'wait_seconds': 61}, 2, '1'),
            ({'outcome': 'abandoned', 'wait_seconds': 60}, 15, '1'),
            ({'outcome': 'missed', 'wait_seconds': 90}, 15, '0'),
            ({'outcome': 'busy'}, 5, '0'),
            ({'outcome': 'voicemail'}, morning, '0'),
            ({'outcome': 'failed'}, None, None),
        ]:
            with self.subTest(call=call):
                number = f"+77013{len(call['outcome']):02}{call.get('wait_seconds', 0):04}"
                self.missed(str(call), caller=number, **{'wait_seconds': 0, **call})
                callback = self.callbacks(number)
                if minutes is None:
                    self.assertFalse(callback)
                else:
                    due = (
                        minutes
                        if isinstance(minutes, datetime)
                        else WEDNESDAY + timedelta(minutes=minutes)
                    )
                    self.assertEqual((callback.due_at, callback.priority), (due, priority))

    def test_further_tries_join_and_can_only_make_it_more_urgent(self):
        self.missed('m1')
        self.missed('m2', seconds=120)
        callback = self.callbacks()
        self.assertRecordValues(
            callback,
            [
                {
                    'due_at': WEDNESDAY + timedelta(minutes=15),
                    'origin_call_id': self.call('m1').id,
                    'priority': '0',
                }
            ],
        )
        self.missed('q', seconds=200, outcome='abandoned', wait_seconds=90)
        self.assertRecordValues(
            callback, [{'due_at': WEDNESDAY + timedelta(seconds=200 + 120), 'priority': '1'}]
        )
        self.missed('m3', seconds=300)
        self.assertEqual(callback.priority, '1')
        self.assertEqual(self.callbacks(), callback)

    def test_closed_by_anyone_in_either_direction(self):
        for direction in ('inbound', 'outbound'):
            with self.subTest(direction):
                number = '+77012223344' if direction == 'inbound' else '+77012223355'
                lead = self.new_lead(partner_id=False, phone=number, user_id=self.anna.id)
                self.missed(f'm-{direction}', caller=number)
                callback = self.callbacks(number)
                reached = {'outcome': 'answered', 'extension': '102', 'talk_seconds': 45}
                if direction == 'inbound':
                    self.missed('back', seconds=600, caller=number, **reached)
                else:
                    self.tried('back2', seconds=600, called=number, caller='102', **reached)
                self.assertRecordValues(
                    callback,
                    [
                        {
                            'state': 'done',
                            'done_at': WEDNESDAY + timedelta(seconds=600),
                            'closed_by_id': self.boris.id,
                            'closing_call_id': self.call(
                                'back' if direction == 'inbound' else 'back2'
                            ).id,
                        }
                    ],
                )
                self.assertFalse(lead.activity_ids)
                done = callback.with_context(active_test=False).activity_id
                self.assertEqual((done.active, done.date_done is not False), (False, True))
                self.assertIn("Boris", done.feedback)
                self.assertIn("Boris", lead.message_ids[0].body)

    def test_short_talks_and_vain_tries_do_not_close(self):
        self.missed()
        self.tried('o1', seconds=60)
        self.tried('o2', seconds=120, outcome='failed')
        self.tried('o3', seconds=180, outcome='answered', talk_seconds=8)
        self.missed(
            'other',
            seconds=200,
            caller='+77012223344',
            outcome='answered',
            extension='101',
            talk_seconds=80,
        )
        self.assertRecordValues(self.callbacks(), [{'state': 'open', 'attempt_count': 2}])

    def test_a_loss_that_is_told_after_it_was_made_good_is_no_debt(self):
        self.tried('o1', seconds=300, outcome='answered', talk_seconds=60)
        self.missed()
        self.missed('m0', seconds=-60)
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'state': 'done',
                    'closing_call_id': self.call('o1').id,
                    'origin_call_id': self.call('m0').id,
                    'lost_at': WEDNESDAY - timedelta(minutes=1),
                    'attempt_count': 1,
                    'closed_by_id': self.anna.id,
                    'activity_id': False,
                }
            ],
        )
        self.assertTrue(self.call('m1').is_called_back)

    def test_a_lost_call_is_called_back_whatever_comes_when(self):
        lost, reached = (
            self.event('ended', 'm1', outcome='missed'),
            self.event(
                'ended',
                'o1',
                at=300,
                direction='outbound',
                caller='+77272000000',
                called=CUSTOMER,
                extension='101',
                outcome='answered',
                talk_seconds=60,
            ),
        )
        for place, deliveries in enumerate(
            ([lost, reached], [reached, lost], [lost], [reached, lost, reached])
        ):
            self.play(
                *(
                    {
                        **one,
                        'call_id': f"{one['call_id']}-{place}",
                        'event_id': f"{one['call_id']}-{place}-{turn}",
                        'caller' if one is lost else 'called': f'+7701555000{place}',
                    }
                    for turn, one in enumerate(deliveries)
                )
            )
            lost_call = self.call(f'm1-{place}')
            self.assertEqual(lost_call.is_called_back, len(deliveries) > 1, deliveries)
            self.assertEqual(lost_call.is_not_called_back, len(deliveries) == 1, deliveries)

    def test_who_waits_is_the_same_whatever_comes_when(self):
        """Calls are told in any order, told anew, deleted, logged by hand, moved to another number,
        and given a result."""
        dice, calls = random.Random(11), self.env['telephony.call']
        numbers = [f'+7701555010{place}' for place in range(2)]
        result = self.env['telephony.disposition'].create(
            {'name': "Settled", 'counts_as_reached': True}
        )

        def told():
            reached = {'outcome': 'answered', 'talk_seconds': dice.choice([5, 60])}
            facts = dice.choice(
                [{'outcome': 'missed'}, {'outcome': 'abandoned'}, {'outcome': 'busy'}, reached]
            )
            told = self.event if dice.random() < 0.7 else self.outbound
            side = 'caller' if told == self.event else 'called'
            return told(
                'ended',
                f'w{dice.randrange(12)}',
                iso(WEDNESDAY, dice.randrange(20) * 60),
                **{'extension': '101', **facts, side: dice.choice(numbers)},
            )

        def by_hand():
            return {
                'direction': 'outbound',
                'outcome': dice.choice(['answered', 'no_answer']),
                'talk_seconds': 60,
                'start_at': WEDNESDAY + timedelta(minutes=dice.randrange(20)),
                'customer_number': dice.choice(numbers),
                'number_id': False,
            }

        def change(call):
            kind = dice.choice(
                ['delete', 'take back', 'result', 'correct']
                if call.is_manual
                else ['delete', 'result']
            )
            if kind == 'delete':
                call.unlink()
            elif kind == 'take back':
                call._take_back()
            elif kind == 'result':
                call.write({'disposition_id': dice.choice([result.id, False])})
            else:
                call.with_user(self.anna)._correct(by_hand())

        seen = set()
        for _turn in range(50):
            if dice.random() < 0.3:
                calls.with_user(self.anna)._log_by_hand(self.company, by_hand())
            elif (
                found := calls.search([('customer_number', 'in', numbers)])
            ) and dice.random() < 0.6:
                change(dice.choice(found))
            self.play(*(told() for _event in range(dice.choice([0, 0, 3]))))
            for same in (
                calls.search([('customer_number', 'in', numbers)])
                .grouped('customer_number')
                .values()
            ):
                latest = max(
                    same.filtered('is_reached').mapped(lambda call: call._moment()), default=None
                )
                for call in same:
                    lost = call.outcome in ('missed', 'abandoned')
                    reached = bool(latest) and latest >= call._moment()
                    self.assertEqual(
                        (call.is_called_back, call.is_not_called_back),
                        (lost and reached, lost and not reached),
                    )
                    seen.add((lost, reached))
        self.assertEqual(len(seen), 4, "each case came up")

    def test_a_talk_that_turns_out_to_be_none_calls_nobody_back(self):
        self.missed()
        self.tried('o1', seconds=300, outcome='answered', talk_seconds=60)
        self.assertTrue(self.call('m1').is_called_back)
        self.call('o1')._take_back()
        self.assertFalse(self.call('m1').is_called_back)

    def test_lost_again_is_a_new_promise(self):
        self.missed()
        self.tried(seconds=60, outcome='answered', talk_seconds=60)
        self.missed('m2', seconds=900)
        self.assertEqual(self.callbacks().mapped('state'), ['done', 'open'])

    def test_no_answer_moves_on_and_the_third_time_the_owner_decides(self):
        lead = self.new_lead()
        self.tried('n1')
        callback = self.callbacks()
        self.assertEqual(callback.due_at, WEDNESDAY + timedelta(hours=2))
        self.tried('n2', seconds=600)
        self.assertRecordValues(
            callback,
            [
                {
                    'state': 'open',
                    'due_at': WEDNESDAY + timedelta(hours=2, minutes=10),
                    'attempt_count': 2,
                }
            ],
        )
        self.tried('n3', seconds=1200)
        self.assertEqual(callback.state, 'cancelled')
        self.assertIn('3', callback.close_reason)
        self.assertEqual(
            lead.activity_ids.mapped('activity_type_id'),
            self.env.ref('mail.mail_activity_data_todo'),
        )
        self.assertEqual(lead.activity_ids.user_id, self.anna)

    def test_a_call_that_was_answered_after_all_takes_its_callback_back(self):
        lead = self.new_lead()
        self.missed()
        self.assertTrue(lead.activity_ids)
        self.play(
            self.event('answered', 'm1', iso(WEDNESDAY, -60), extension='101'),
            self.event(
                'ended',
                'm1',
                iso(WEDNESDAY, 1),
                outcome='answered',
                extension='101',
                talk_seconds=60,
            ),
        )
        self.assertFalse(self.callbacks())
        self.assertFalse(lead.activity_ids)

    def test_a_try_that_turned_out_otherwise_takes_its_callback_back(self):
        self.tried()
        self.assertEqual(self.callbacks().attempt_count, 1, "the try itself")
        self.tried(seconds=1, outcome='failed')
        self.assertFalse(self.callbacks())

    def test_a_try_that_turned_out_otherwise_leaves_the_promise_to_the_next(self):
        self.tried('n1')
        self.tried('n2', seconds=60)
        self.tried('n1', seconds=1, outcome='failed')
        self.assertRecordValues(
            self.callbacks(),
            [{'state': 'open', 'origin_call_id': self.call('n2').id, 'attempt_count': 1}],
        )

    def test_done_by_hand(self):
        lead = self.new_lead()
        self.missed()
        lead.activity_ids.with_user(self.anna).action_feedback(feedback="I met him")
        self.assertRecordValues(
            self.callbacks(),
            [{'state': 'done', 'closed_by_id': self.anna.id, 'close_reason': "I met him"}],
        )
        self.missed('m2', seconds=60)
        self.callbacks()[-1].with_user(self.anna).action_done()
        self.assertEqual(self.callbacks()[-1].state, 'done')
        self.assertFalse(lead.activity_ids)
        self.missed('m3', seconds=120)
        lead.activity_ids.with_user(self.anna).action_cancel()
        self.assertEqual(self.callbacks()[-1].state, 'cancelled')

    def test_who_calls_back(self):
        leader = self.boris
        self.number.team_id = self.env['crm.team'].create({'name': "Team", 'user_id': leader.id})
        lead = self.new_lead(user_id=False, team_id=False)

        def responsible(call_id):
            self.missed(call_id, caller='+77012223344' if call_id == 'unknown' else CUSTOMER)
            callback = self.callbacks('+77012223344' if call_id == 'unknown' else CUSTOMER)[-1]
            user = callback.user_id
            callback.action_cancel()
            return user

        self.assertEqual(responsible('unknown'), leader)
        self.assertEqual(responsible('leader'), leader)
        self.number.user_id = self.supervisor
        self.assertEqual(responsible('number'), self.supervisor)
        self.partner.user_id = self.anna
        self.assertEqual(responsible('contact'), self.anna)
        lead.user_id = self.boris
        self.assertEqual(responsible('deal'), self.boris)
        self.boris.active = False
        self.assertEqual(responsible('on leave for ever'), self.anna)

    def test_who_would_not_see_the_callback_comes_last(self):
        plain = new_test_user(
            self.env, 'tel_plain', groups='base.group_user,sales_team.group_sale_salesman'
        )
        self.new_lead(user_id=plain.id, team_id=False)
        self.missed()
        self.assertEqual(self.callbacks().user_id, plain)
        self.callbacks().action_cancel()
        self.number.user_id = self.anna
        self.missed('m2', seconds=60)
        self.assertEqual(self.callbacks()[-1].user_id, self.anna)

    def test_nobody_of_another_company_is_given_it(self):
        self.missed()
        other = self.env['res.company'].create({'name': "Other"})
        stranger = new_test_user(
            self.env, 'tel_other', company_id=other.id, company_ids=[(6, 0, other.ids)]
        )
        foreign = self.env['res.partner'].create({'name': "Theirs", 'company_id': other.id})
        for values in ({'user_id': stranger.id}, {'partner_id': foreign.id}):
            with self.subTest(values), self.assertRaises(UserError), self.cr.savepoint():
                self.callbacks().with_user(self.supervisor).sudo().write(values)

    def test_unknown_caller_gets_his_callback_too(self):
        self.number.user_id = self.anna
        self.missed(caller='+77012223344')
        callback = self.callbacks('+77012223344')
        self.assertRecordValues(
            callback, [{'state': 'open', 'partner_id': False, 'user_id': self.anna.id}]
        )
        self.assertEqual(callback.activity_ids, callback.activity_id)

    def test_done_by_hand_is_said_once(self):
        lead = self.new_lead()
        self.missed()
        before = len(lead.message_ids)
        lead.activity_ids.with_user(self.anna).action_feedback(feedback="I met him")
        self.assertEqual(len(lead.message_ids) - before, 1)

    def test_a_promise_whose_origin_is_gone_still_closes(self):
        self.missed()
        self.call('m1').unlink()
        self.tried(seconds=60, outcome='answered', talk_seconds=60)
        self.assertEqual(self.callbacks().state, 'done')

    def test_what_turns_out_to_be_no_call_takes_everything_back(self):
        lead = self.new_lead()
        self.missed()
        with patch.object(type(self.env['telephony.event']), '_stored', return_value=[]):
            self.events().action_replay()
            self.file_calls()
        self.assertFalse(self.call('m1') or self.callbacks() or lead.activity_ids)
        self.assertFalse(
            lead.message_ids.filtered(lambda message: 'telephony.call' in (message.body or ''))
        )

    def test_a_promise_without_an_activity_gets_another(self):
        lead = self.new_lead()
        self.missed()
        lead.activity_ids.unlink()
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_follow_up').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(lead.activity_ids, self.callbacks().activity_id)
        lead.unlink()
        self.missed('m2', seconds=60)
        self.assertEqual(self.callbacks().activity_id.res_model, 'res.partner')

    def test_a_late_word_about_an_old_call_does_not_touch_the_next_promise(self):
        self.missed('m1')
        self.callbacks().with_user(self.anna).action_done()
        self.missed('m2', seconds=600)
        second = self.callbacks()[-1]
        due = second.due_at
        self.play(
            self.event('ended', 'm1', iso(WEDNESDAY, 5), outcome='abandoned', wait_seconds=99)
        )
        self.assertRecordValues(
            second, [{'origin_call_id': self.call('m2').id, 'due_at': due, 'priority': '0'}]
        )

    def test_a_new_loss_deserves_new_attempts(self):
        for index in range(3):
            self.tried(f'n{index}', seconds=60 * index)
        self.assertEqual(self.callbacks().state, 'cancelled')
        self.missed('again', seconds=3600)
        self.tried('n4', seconds=4000)
        self.assertEqual(self.call('n4').attempt, 4)
        self.assertRecordValues(self.callbacks()[-1], [{'state': 'open', 'attempt_count': 1}])

    def test_a_customer_who_calls_after_our_vain_attempts_deserves_new_ones(self):
        """His loss is what is owed then, in whatever order the PBX tells."""
        loss, tries = ('m', {'seconds': 3600}), [('n1', {}), ('n2', {'seconds': 600})]
        for number, order in (
            ('+77012220001', [*tries, loss]),
            ('+77012220002', [loss, *tries]),
            ('+77012220003', [tries[1], loss, tries[0]]),
        ):
            for name, more in order:
                played, party = (self.missed, 'caller') if name == 'm' else (self.tried, 'called')
                played(f'{name}{number}', **{party: number}, **more)
            callback = self.callbacks(number)
            self.assertRecordValues(
                callback,
                [
                    {
                        'state': 'open',
                        'direction': 'inbound',
                        'cause': 'missed',
                        'attempt_count': 0,
                        'first_try_at': False,
                        'origin_call_id': self.call(f'm{number}').id,
                        'lost_at': WEDNESDAY + timedelta(hours=1),
                        'due_at': WEDNESDAY + timedelta(minutes=75),
                    }
                ],
            )
            self.assertEqual(self.call(f'm{number}').callback_id, callback)
            self.assertFalse(self.call(f'n1{number}').callback_id)
            self.tried(f'n3{number}', seconds=7200, called=number)
            self.assertRecordValues(callback, [{'state': 'open', 'attempt_count': 1}])
        # it was no call after all: then the last attempt was the third one in vain
        with patch.object(type(self.env['telephony.event']), '_stored', return_value=[]):
            self.events().filtered(lambda event: event.call_ref == f'm{number}').action_replay()
            self.file_calls()
        self.assertRecordValues(
            callback,
            [
                {
                    'state': 'cancelled',
                    'close_kind': 'gave_up',
                    'direction': 'outbound',
                    'origin_call_id': self.call(f'n1{number}').id,
                }
            ],
        )
        self.assertEqual(callback.attempt_count, 3)

    def test_our_own_attempts_count_from_the_first_whichever_is_told_first(self):
        self.tried('n2', seconds=600)
        self.tried('n1')
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'origin_call_id': self.call('n1').id,
                    'attempt_count': 2,
                    'due_at': WEDNESDAY + timedelta(hours=2, minutes=10),
                }
            ],
        )

    def test_an_attempt_that_could_not_be_placed_is_none(self):
        for number, missed in (('+77012220001', True), ('+77012220002', False)):
            if missed:
                self.missed(f'm{number}', seconds=-60, caller=number)
            self.tried(f'f1{number}', called=number, outcome='failed')
            self.tried(f'f2{number}', seconds=60, called=number, outcome='failed')
            self.tried(f'n1{number}', seconds=120, called=number)
            callback = self.callbacks(number)
            self.assertRecordValues(
                callback,
                [
                    {
                        'state': 'open',
                        'attempt_count': 1,
                        'due_at': WEDNESDAY + timedelta(seconds=120, hours=2),
                    }
                ],
            )
            self.tried(f'n2{number}', seconds=180, called=number)
            self.tried(f'n3{number}', seconds=240, called=number)
            self.assertEqual(callback.close_reason, "Not reached in 3 attempts")

    def test_giving_up_stays_as_it_was_when_looked_at_again(self):
        for index in range(3):
            self.tried(f'n{index}', seconds=60 * index)
        effect = self.call('n2').effect_ids.filtered(lambda effect: effect.kind == 'give_up')
        expected = [
            {'state': 'done', 'note': "The owner decides", 'callback_id': self.callbacks().id}
        ]
        self.assertRecordValues(effect, expected)
        self.call('n2').follow_up = 'todo'
        self.file_calls()
        self.assertRecordValues(effect, expected)

    def test_answered_after_all_is_not_called_again(self):
        """The call that opened the callback cannot be the one that made it good."""
        self.missed()
        self.tried(seconds=60, outcome='answered', talk_seconds=8)
        self.missed(outcome='answered', extension='101', talk_seconds=60, seconds=1)
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'state': 'cancelled',
                    'close_kind': 'withdrawn',
                    'closing_call_id': False,
                    'recovery_rate': 0,
                }
            ],
        )

    def test_a_vain_attempt_is_owed_another_whatever_it_was_for(self):
        """As if the PBX had told at once that the customer was answered."""
        for number, first in (('+77012220001', 'missed'), ('+77012220002', 'answered')):
            answered = {'outcome': 'answered', 'extension': '101', 'talk_seconds': 60}
            told = {} if first == 'missed' else answered
            self.missed(f'm{number}', seconds=1, caller=number, **told)
            self.tried(f'n{number}', seconds=60, called=number)
            self.missed(f'm{number}', seconds=2, caller=number, **answered)
            self.assertRecordValues(
                self.callbacks(number),
                [
                    {
                        'state': 'open',
                        'origin_call_id': self.call(f'n{number}').id,
                        'due_at': WEDNESDAY + timedelta(hours=2, seconds=60),
                        'attempt_count': 1,
                    }
                ],
            )

    # === A TALK THAT WAS NONE === #

    def test_a_talk_that_turns_out_vain_leaves_the_debt(self):
        """As if the PBX had told so at once, and so again after each repeat."""
        lead = self.new_lead()
        self.missed()
        self.tried(seconds=60, outcome='answered', talk_seconds=60)
        callback = self.callbacks()
        self.assertEqual(callback.status, 'saved')
        for _repeat in range(2):
            self.tried(seconds=61)
            self.assertRecordValues(
                callback,
                [
                    {
                        'state': 'open',
                        'close_kind': False,
                        'close_reason': False,
                        'done_at': False,
                        'closed_by_id': False,
                        'closing_call_id': False,
                        'attempt_count': 1,
                        'recovery_rate': 0,
                        'served_in': False,
                        'served_minutes': 0,
                        'due_at': WEDNESDAY + timedelta(hours=2, seconds=61),
                        'check_at': WEDNESDAY + timedelta(hours=2, seconds=61),
                    }
                ],
            )
            self.assertEqual(lead.activity_ids, callback.activity_id)
            self.assertEqual(self.callbacks(), callback)
            self.call('o1').follow_up = 'todo'
            self.file_calls()
        self.tried('o2', seconds=600, outcome='answered', talk_seconds=60)
        self.assertRecordValues(
            callback, [{'status': 'saved', 'closing_call_id': self.call('o2').id}]
        )

    def test_a_talk_that_was_too_short_after_all(self):
        self.missed()
        self.tried(seconds=60, outcome='answered', talk_seconds=60)
        self.tried(seconds=61, outcome='answered', talk_seconds=5)
        self.assertEqual(self.callbacks().state, 'open')

    def test_a_talk_that_was_none_between_two_losses_leaves_one_debt(self):
        lead = self.new_lead()
        self.missed('m1')
        self.tried(seconds=60, outcome='answered', talk_seconds=60)
        self.missed('m2', seconds=900)
        self.tried(seconds=61)
        callback = self.callbacks()
        self.assertRecordValues(
            callback,
            [
                {
                    'state': 'open',
                    'origin_call_id': self.call('m1').id,
                    'attempt_count': 1,
                    'previous_id': False,
                    'lost_at': WEDNESDAY,
                }
            ],
        )
        self.assertEqual(lead.activity_ids, callback.activity_id)
        self.assertEqual((self.call('m1') | self.call('m2')).callback_id, callback)
        self.call('m1').follow_up = self.call('m2').follow_up = 'todo'
        self.file_calls()
        self.assertEqual(self.callbacks(), callback)

    def test_a_talk_that_was_none_before_another_one(self):
        self.missed('m1')
        self.tried('o1', seconds=60, outcome='answered', talk_seconds=60)
        self.tried(
            'o2', seconds=600, outcome='answered', talk_seconds=60, caller='102', extension='102'
        )
        self.tried('o1', seconds=61)
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'status': 'saved',
                    'closing_call_id': self.call('o2').id,
                    'closed_by_id': self.boris.id,
                    'served_minutes': 9,
                    'first_try_minutes': 1,
                }
            ],
        )
        self.assertFalse(self.callbacks().activity_id)

    def test_a_number_that_turns_out_to_be_our_own(self):
        self.missed(caller='+77272507613')
        self.assertTrue(self.callbacks('+77272507613'))
        self.env['telephony.number'].create({'name': '+77272507613', 'account_id': self.account.id})
        self.events().action_replay()
        self.file_calls()
        self.assertFalse(self.callbacks('+77272507613'))
        self.assertFalse(self.call('m1').customer_number)

    def test_one_bad_call_does_not_stop_the_others(self):
        model = type(self.env['telephony.rule.action'])

        def due(action, call, hours, right=model._due_at):
            if call.external_id == 'bad':
                raise ZeroDivisionError("a broken calendar")
            return right(action, call, hours)

        with (
            patch.object(model, '_due_at', due),
            self.assertLogs('odoo.addons.crm_telephony.models', 'ERROR'),
        ):
            self.play(
                *(
                    self.event(
                        'ended',
                        call_id,
                        iso(WEDNESDAY),
                        outcome='missed',
                        caller=f'+7701222334{index}',
                    )
                    for index, call_id in enumerate(('good1', 'bad', 'good2'))
                )
            )
        self.assertEqual(self.call('bad').follow_up, 'error')
        self.assertIn("a broken calendar", self.call('bad').follow_up_error)
        self.assertTrue(self.call('good1').callback_id and self.call('good2').callback_id)
        # it is tried again, and a person can ask for it
        self.call('bad').follow_up_next_at = fields.Datetime.now() - timedelta(seconds=1)
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_follow_up').method_direct_trigger()
        self.env.invalidate_all()
        self.assertRecordValues(self.call('bad'), [{'follow_up': 'done', 'follow_up_error': False}])
        self.assertTrue(self.call('bad').callback_id)

    def test_late_is_a_matter_of_the_clock(self):
        self.missed(at=fields.Datetime.now() - timedelta(days=9))
        callback = self.callbacks()
        self.assertTrue(callback.is_late)
        self.assertIn(callback, self.env['telephony.callback'].search([('is_late', '=', True)]))
        callback.due_at = fields.Datetime.now() + timedelta(hours=1)
        self.assertNotIn(callback, self.env['telephony.callback'].search([('is_late', '=', True)]))
