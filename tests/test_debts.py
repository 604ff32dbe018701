"""The debt board: columns, money, minutes, who takes it, who is told, and the two sides of its
activity."""

import json
from datetime import datetime, timedelta

from freezegun import freeze_time
from psycopg2.errors import SerializationFailure

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user

from ..models.matching.dial import DialResult
from .common import CUSTOMER, TelephonyCase, TelephonyHttpCase

# a Wednesday, 15:00 in Almaty (UTC+5), working hours 9 to 18
NOON = datetime(2026, 11, 4, 10, 0)
CLOCK = 'crm_telephony.ir_cron_callback_clock'


def iso(moment):
    return moment.isoformat() + '+00:00'


class Debts:
    """Ways to lose and to reach a customer at a given moment, and to let the clock look."""

    def lost(self, call_id='m1', at=NOON, **more):
        with freeze_time(at):
            self.play(
                self.event(
                    'ended', call_id, iso(at), **{'outcome': 'missed', 'wait_seconds': 20, **more}
                )
            )
        return self.callbacks(more.get('caller', CUSTOMER))[-1:]

    def tried(self, call_id='o1', at=NOON, **more):
        with freeze_time(at):
            self.play(self.outbound('ended', call_id, iso(at), **{'outcome': 'no_answer', **more}))

    def clock(self, at):
        with freeze_time(at), self.enter_registry_test_mode():
            self.env.flush_all()
            self.env.ref(CLOCK).method_direct_trigger()
        self.env.invalidate_all()

    def letters(self, user):
        """Subjects of what this user was told."""
        messages = self.env['mail.message'].search(
            [
                ('message_type', '=', 'user_notification'),
                ('partner_ids', '=', user.partner_id.id),
                ('model', 'in', ['telephony.callback', False]),
            ],
            order='id',
        )
        return messages.mapped('subject')

    def on_leave(self, user, start, end):
        resource = self.env['resource.resource'].create(
            {
                'name': user.name,
                'user_id': user.id,
                'company_id': self.company.id,
                'calendar_id': self.calendar.id,
            }
        )
        return self.env['resource.calendar.leaves'].create(
            {
                'name': "On leave",
                'resource_id': resource.id,
                'calendar_id': self.calendar.id,
                'date_from': start,
                'date_to': end,
                'company_id': self.company.id,
            }
        )


class TestOneDebt(Debts, TelephonyHttpCase):
    def test_three_tries_and_a_call_from_a_colleagues_mobile(self):
        """Through the real webhook: one debt, closed, with the right name and the right minutes."""
        self.env['telephony.extension'].create(
            {'number': '+77015550011', 'account_id': self.account.id, 'user_id': self.boris.id}
        )
        lead = self.new_lead(expected_revenue=500000)
        closing = NOON + timedelta(hours=2, minutes=50)  # 17:50
        self.lost('try 1', closing)
        self.lost('try 2', closing + timedelta(minutes=4), outcome='abandoned', wait_seconds=30)
        self.lost('try 3', closing + timedelta(hours=4))
        answered = NOON + timedelta(days=1, hours=-6, minutes=7)  # 9:07 on the next day
        with freeze_time(answered + timedelta(minutes=3)):
            mobile = {'caller': '+77015550011', 'extension': '+77015550011'}
            self.play(
                self.outbound('ringing', 'mobile', iso(answered - timedelta(seconds=20)), **mobile),
                self.outbound('answered', 'mobile', iso(answered), **mobile),
                self.outbound(
                    'ended',
                    'mobile',
                    iso(answered + timedelta(minutes=3)),
                    outcome='answered',
                    talk_seconds=180,
                    **mobile,
                ),
            )
        debt = self.callbacks()
        self.assertRecordValues(
            debt,
            [
                {
                    'state': 'done',
                    'status': 'saved',
                    'close_kind': 'reached',
                    'closed_by_id': self.boris.id,
                    'user_id': self.anna.id,
                    'closing_call_id': self.call('mobile').id,
                    'lost_at': closing,
                    # ten minutes of the evening and seven of the morning
                    'served_minutes': 17,
                    'served_in': '0030',
                    'recovery_rate': 1,
                    'first_try_minutes': 16,
                    'try_count': 3,
                    'attempt_count': 1,
                    'expected_revenue': 500000,
                    'lead_id': lead.id,
                }
            ],
        )
        self.assertFalse(lead.activity_ids)


class TestBoard(Debts, TelephonyCase):
    def test_columns_and_order(self):
        numbers = [f'+7701000000{index}' for index in range(6)]
        for index, number in enumerate(numbers):
            self.lost(f'm{index}', NOON + timedelta(minutes=index), caller=number)
        first, second, third, fourth, late, high = (self.callbacks(number) for number in numbers)
        with freeze_time(NOON + timedelta(minutes=30)):
            first.action_done()
        with freeze_time(NOON + timedelta(minutes=31)):
            second.action_done()
            third.action_cancel()
        (fourth | high).due_at = NOON + timedelta(hours=2)
        late.due_at = NOON + timedelta(minutes=40)
        high.priority = '1'
        self.clock(NOON + timedelta(minutes=41))
        every = first | second | third | fourth | late | high
        self.assertEqual(
            [callback.status for callback in every],
            ['saved', 'saved', 'lost', 'open', 'late', 'open'],
        )
        board = self.env['telephony.callback'].search([('id', 'in', every.ids)])
        self.assertEqual(board[:3], late | high | fourth)
        self.assertEqual(
            board[-1], first, "what was closed last stands above what was closed before"
        )

    def test_every_column_is_there_and_sums_the_money(self):
        self.new_lead(expected_revenue=700)
        debt = self.lost()
        groups = dict(
            self.env['telephony.callback']._read_group(
                [('id', '=', debt.id)], ['status'], ['expected_revenue:sum']
            )
        )
        self.assertEqual(groups, {'open': 700})
        board = self.env['telephony.callback'].with_context(read_group_expand=True)
        shown = board.web_read_group([('id', '=', debt.id)], ['status'])['groups']
        self.assertEqual([group['status'] for group in shown], ['late', 'open', 'saved', 'lost'])

    def test_two_numbers_of_one_deal_are_one_amount(self):
        """In the column, in the total, and in the currency of whoever looks; each deal that waits
        counts."""
        lead, other = self.new_lead(expected_revenue=700), self.new_lead(expected_revenue=50.5)
        debts = self.env['telephony.callback'].union(
            *(self.lost(f'm{index}', caller=f'+7701000000{index}') for index in range(5))
        )
        debts[:3].lead_id = lead
        debts[3].lead_id = other
        with freeze_time(NOON):
            debts[2].action_cancel()
        model, domain = self.env['telephony.callback'], [('id', 'in', debts.ids)]
        sums = ['expected_revenue:sum', 'expected_revenue:sum_currency', '__count']
        self.env['res.currency.rate'].search(
            [('currency_id', '=', self.company.currency_id.id)]
        ).unlink()
        self.env['res.currency.rate'].create(
            {'currency_id': self.company.currency_id.id, 'rate': 2, 'name': '2020-01-01'}
        )
        self.assertEqual(
            model._read_group(domain, ['status'], sums, order='status'),
            [('lost', 700, 350, 1), ('open', 750.5, 375.25, 4)],
        )
        self.assertEqual(model._read_group(domain, [], sums), [(750.5, 375.25, 5)])
        self.assertEqual(model._read_group([('id', '=', debts[4].id)], [], sums), [(0, 0, 1)])

    def test_tries_and_the_last_of_them(self):
        self.lost(
            'before',
            NOON - timedelta(minutes=30),
            outcome='answered',
            extension='101',
            talk_seconds=90,
        )
        debt = self.lost('m1')
        self.lost('m2', NOON + timedelta(minutes=3), outcome='abandoned')
        self.tried('o1', NOON + timedelta(minutes=9))
        self.assertRecordValues(
            debt,
            [
                {
                    'try_count': 2,
                    'attempt_count': 1,
                    'last_call_at': NOON + timedelta(minutes=9),
                    'last_call_outcome': 'no_answer',
                    'last_call_text': "No answer",
                    'last_call_direction': 'outbound',
                    'first_try_minutes': 9,
                }
            ],
        )
        self.assertEqual(set(debt.call_ids.mapped('external_id')), {'m1', 'm2', 'o1'})

    def test_a_short_talk_says_that_it_does_not_count(self):
        debt = self.lost()
        self.tried(at=NOON + timedelta(minutes=9), outcome='answered', talk_seconds=20)
        self.assertRecordValues(
            debt, [{'state': 'open', 'last_call_text': "Short talk, 0:20, does not count"}]
        )

    def test_board_of_many_asks_few_questions(self):
        for index in range(12):
            self.lost(f'm{index}', NOON + timedelta(minutes=index), caller=f'+770100000{index:02}')
        debts = self.env['telephony.callback'].search([('lost_at', '>=', NOON)])
        names = [
            'try_count',
            'last_call_at',
            'last_call_text',
            'late_minutes',
            'busy_with',
            'expected_revenue',
        ]
        self.env.flush_all()

        def queries(records):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            with freeze_time(NOON + timedelta(hours=1)):
                records.read(names)
            return self.env.cr.sql_log_count - before

        queries(debts[:1])  # settings are read once
        self.assertEqual(queries(debts), queries(debts[:2]))

    def test_late_in_working_minutes(self):
        debt = self.lost(at=NOON + timedelta(hours=2, minutes=30))  # 17:30, due at 17:45
        for at, minutes in [
            (NOON + timedelta(hours=2, minutes=40), 0),
            (NOON + timedelta(hours=2, minutes=50), 5),
            (NOON + timedelta(hours=8), 15),
            (NOON + timedelta(days=1, hours=-6, minutes=10), 25),
        ]:
            with self.subTest(at=at), freeze_time(at):
                debt.invalidate_recordset(['late_minutes'])
                self.assertEqual(debt.late_minutes, minutes)

    def test_lost_again_knows_its_predecessor(self):
        debt = self.lost('m1')
        self.tried('o1', NOON + timedelta(minutes=5), outcome='answered', talk_seconds=60)
        again = self.lost('m2', NOON + timedelta(days=1))
        self.assertRecordValues(again, [{'state': 'open', 'previous_id': debt.id}])
        self.assertFalse(debt.previous_id)
        self.tried('o2', NOON + timedelta(days=1, minutes=5), outcome='answered', talk_seconds=60)
        much_later = self.lost('m3', NOON + timedelta(days=40))
        self.assertFalse(much_later.previous_id)

    def test_how_it_was_closed(self):
        for kind, close in [
            (
                'reached',
                lambda number: self.tried(
                    'o',
                    NOON + timedelta(minutes=10),
                    called=number,
                    outcome='answered',
                    talk_seconds=60,
                ),
            ),
            (
                'called_again',
                lambda number: self.lost(
                    'i',
                    NOON + timedelta(minutes=10),
                    caller=number,
                    outcome='answered',
                    extension='102',
                    talk_seconds=60,
                ),
            ),
            ('by_hand', lambda number: self.callbacks(number).action_done()),
            ('cancelled', lambda number: self.callbacks(number).action_cancel()),
        ]:
            with self.subTest(kind):
                number = f'+77010000{sum(map(ord, kind)) % 1000:03}'
                debt = self.lost(f'm-{kind}', caller=number)
                with freeze_time(NOON + timedelta(minutes=9)):
                    close(number)
                saved = kind in ('reached', 'called_again')
                self.assertRecordValues(
                    debt,
                    [
                        {
                            'close_kind': kind,
                            'recovery_rate': float(saved),
                            'served_minutes': 9 if saved else 0,
                            'served_in': '0015' if saved else False,
                            'status': 'lost' if kind == 'cancelled' else 'saved',
                        }
                    ],
                )

    def test_closed_by_hand_says_how_and_claims_no_talk(self):
        debt = self.lost()
        dialog = (
            self.env['telephony.callback.done']
            .with_user(self.supervisor)
            .create({'callback_id': debt.id, 'how': 'other'})
        )
        with self.assertRaises(UserError):
            dialog.action_done()
        dialog.write({'how': 'messenger', 'note': "sent the price list"})
        dialog.action_done()
        self.assertRecordValues(
            debt,
            [
                {
                    'state': 'done',
                    'close_kind': 'by_hand',
                    'closed_by_id': self.supervisor.id,
                    'first_try_at': False,
                    'close_reason': "Closed by hand by Saule: in a messenger, sent the price list",
                }
            ],
        )

    def test_a_talk_on_another_phone_is_logged_as_the_call_that_it_was(self):
        debt = self.lost(at=datetime.now().replace(microsecond=0) - timedelta(minutes=30))
        debt.user_id = self.anna
        action = (
            self.env['telephony.callback.done']
            .with_user(self.anna)
            .create({'callback_id': debt.id})
            .action_done()
        )
        self.assertEqual(debt.state, 'open')
        form = Form(
            self.env[action['res_model']].with_user(self.anna).with_context(**action['context'])
        )
        self.assertEqual(
            (form.number, form.partner_id, form.outcome), (CUSTOMER, self.partner, 'answered')
        )
        form.save().action_save()
        self.file_calls()
        self.assertRecordValues(
            debt, [{'state': 'done', 'close_kind': 'reached', 'closed_by_id': self.anna.id}]
        )

    def test_opened_again_by_its_owner_and_supervisors(self):
        debt = self.lost()
        debt.user_id = self.anna
        lead = self.new_lead(user_id=self.boris.id)
        debt.lead_id = lead  # Boris may see it, and yet it is Anna's
        for close in (debt.action_done, debt.action_cancel):
            for user in (self.anna, self.supervisor):
                with self.subTest(close=close.__name__, user=user.name):
                    close()
                    self.assertFalse(debt.with_user(self.boris).can_reopen)
                    with self.assertRaises(AccessError):
                        debt.with_user(self.boris).action_reopen()
                    self.assertTrue(debt.with_user(user).can_reopen)
                    debt.with_user(user).action_reopen()
                    self.assertRecordValues(
                        debt,
                        [
                            {
                                'state': 'open',
                                'close_kind': False,
                                'done_at': False,
                                'closed_by_id': False,
                                'reason_id': False,
                            }
                        ],
                    )
                    self.assertEqual(debt.activity_id.user_id, self.anna)
                    self.assertIn(f"Opened again by {user.name}.", debt.message_ids[0].body)

    def test_who_does_not_wait_any_more_is_not_opened_again(self):
        debt = self.lost()
        debt.action_done()
        again = self.lost('m2', NOON + timedelta(minutes=5))
        self.assertNotEqual(again, debt)
        with self.assertRaisesRegex(UserError, "already has an open callback"):
            debt.action_reopen()
        self.tried(at=NOON + timedelta(minutes=9), outcome='answered', talk_seconds=60)
        with self.assertRaisesRegex(UserError, "talked to since"):
            debt.action_reopen()
        self.assertFalse(again.can_reopen, "a talk has closed it")

    def test_recovery_of_a_team(self):
        """What the pivot adds up: the mean of what has a value, nothing for what is still open."""
        for index, minutes in enumerate((4, 8, None)):
            number = f'+7701000000{index}'
            self.lost(f'm{index}', caller=number)
            if minutes:
                at = NOON + timedelta(minutes=minutes + 1)
                self.tried(f'o{index}', at, called=number, outcome='answered', talk_seconds=60)
        [(count, rate, minutes)] = self.env['telephony.callback']._read_group(
            [('lost_at', '=', NOON)], [], ['__count', 'recovery_rate:avg', 'served_minutes:avg']
        )
        self.assertEqual((count, round(rate, 3), minutes), (3, 0.667, 6))

    def test_two_working_zones(self):
        """The debt counts the hours of the number's own calendar, wherever that is."""
        moscow = self.calendar.copy({'name': "Moscow", 'tz': 'Europe/Moscow'})
        self.number.resource_calendar_id = moscow
        at = datetime(2026, 11, 4, 14, 50)  # 17:50 in Moscow, 19:50 in Almaty
        debt = self.lost(at=at)
        self.assertEqual(debt.due_at, datetime(2026, 11, 5, 6, 5))
        self.tried('o1', datetime(2026, 11, 5, 6, 3), outcome='answered', talk_seconds=60)
        self.assertEqual(debt.served_minutes, 12)

    def test_minutes_without_hours(self):
        """No calendar, or one without hours: the clock itself counts."""
        empty = self.env['resource.calendar'].create(
            {
                'name': "No hours",
                'tz': 'Asia/Almaty',
                'company_id': self.company.id,
                'attendance_ids': [(5, 0, 0)],
            }
        )
        for calendar in (self.env['resource.calendar'], empty):
            with self.subTest(calendar=calendar.name):
                self.company.resource_calendar_id = calendar
                number = f'+7701000000{len(calendar)}'
                debt = self.lost(f'm{calendar.id}', NOON + timedelta(hours=10), caller=number)
                self.assertEqual(debt.due_at, NOON + timedelta(hours=10, minutes=15))
                self.clock(NOON + timedelta(hours=10, minutes=21))
                self.assertEqual((debt.status, debt.escalation), ('late', '1'))
                at = NOON + timedelta(hours=11, minutes=1)
                self.tried(
                    f'o{calendar.id}', at, called=number, outcome='answered', talk_seconds=60
                )
                self.assertEqual(debt.served_minutes, 60)

    def test_clock_change(self):
        """The night in which Berlin's clocks go back has an hour more, and the minutes are real
        ones."""
        night = self.env['resource.calendar'].create(
            {
                'name': "Berlin, round the clock",
                'tz': 'Europe/Berlin',
                'company_id': self.company.id,
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
        self.company.resource_calendar_id = night
        lost = datetime(2026, 10, 25, 0, 30)  # 2:30 in summer
        debt = self.lost(at=lost)
        self.assertEqual(debt.due_at, lost + timedelta(minutes=15))
        # since 2:30 in winter
        self.tried('o1', lost + timedelta(minutes=61), outcome='answered', talk_seconds=60)
        self.assertEqual(debt.served_minutes, 60)


class TestTaking(Debts, TelephonyCase):
    def test_mine(self):
        debt = self.lost()
        self.assertFalse(debt.user_id, "an unknown caller of a number without a responsible")
        debt.with_user(self.boris).action_take()
        self.assertRecordValues(debt, [{'user_id': self.boris.id}])
        self.assertEqual(debt.activity_id.user_id, self.boris)
        with self.assertRaisesRegex(UserError, "Boris has taken"):
            debt.with_user(self.supervisor).action_take()
        with self.assertRaises(AccessError):
            debt.with_user(self.anna).action_take()
        debt.with_user(self.boris).action_take()  # once more is no harm
        debt.with_user(self.supervisor).user_id = self.anna
        self.assertEqual(debt.user_id, self.anna, "a supervisor gives it to somebody else")
        self.assertTrue(debt.taken_at)

    def test_what_is_closed_is_not_taken(self):
        debt = self.lost()
        debt.action_done()
        with self.assertRaisesRegex(UserError, "closed already"):
            debt.with_user(self.boris).action_take()

    def test_who_has_no_phone_calls_with_their_own_device(self):
        """And does not take the callback: nobody knows whether they call at all."""
        debt = self.lost()
        owner = debt.user_id
        action = debt.with_user(self.supervisor).action_call()
        self.assertEqual(
            (action['tag'], action['params']['number']), ('crm_telephony.own_device', CUSTOMER)
        )
        self.assertEqual((debt.user_id, debt.taken_at), (owner, False))

    def test_one_click_calls_and_takes(self):
        """It is mine when my phone rings, and not yet when I am asked whether I really want to."""
        debt = self.lost()
        asked = []
        for outcome, owner in [('unconfirmed', self.env['res.users']), ('ringing', self.boris)]:
            self.patch(
                type(self.env['telephony.dial']),
                '_place',
                lambda dial, number, record, confirmed, outcome=outcome: (
                    asked.append((number, record)),
                    DialResult(outcome, number),
                )[1],
            )
            with self.enter_registry_test_mode():
                self.assertEqual(debt.with_user(self.boris)._call().outcome, outcome)
            self.assertEqual(debt.user_id, owner)
        self.assertEqual(asked, [(CUSTOMER, debt), (CUSTOMER, debt)])

    def test_who_is_talking_now_is_shown(self):
        debt = self.lost()
        at = NOON + timedelta(minutes=5)
        for event, words in [
            (self.event('ringing', 'c2', iso(at), extension='101'), "calling us right now"),
            (self.event('answered', 'c2', iso(at), extension='102'), "Boris is talking"),
            (
                self.event(
                    'ended', 'c2', iso(at), extension='102', outcome='answered', talk_seconds=5
                ),
                None,
            ),
        ]:
            with self.subTest(words), freeze_time(at):
                self.play(event)
                debt.invalidate_recordset()
                if words:
                    self.assertIn(words, debt.busy_with)
                else:
                    self.assertFalse(debt.busy_with)
        with freeze_time(at):
            self.play(
                self.event('answered', 'other', iso(at), extension='102', caller='+77010000000')
            )
            debt.invalidate_recordset()
            self.assertFalse(debt.busy_with, "another customer")

    def test_cancelled_with_a_reason(self):
        lead = self.new_lead()
        debt = self.lost()
        reason = self.env.ref('crm_telephony.callback_reason_elsewhere')
        action = debt.with_user(self.anna).action_open_cancel()
        wizard = (
            self.env[action['res_model']]
            .with_user(self.anna)
            .with_context(action['context'])
            .create({'reason_id': reason.id, 'note': "was cheaper"})
        )
        wizard.action_cancel()
        self.assertRecordValues(
            debt,
            [
                {
                    'state': 'cancelled',
                    'status': 'lost',
                    'reason_id': reason.id,
                    'closed_by_id': False,
                }
            ],
        )
        for words in ("Anna", "Bought elsewhere", "was cheaper"):
            self.assertIn(words, debt.close_reason)
        self.assertFalse(lead.activity_ids)


class TestActivities(Debts, TelephonyCase):
    def test_the_activity_moves_with_the_promise(self):
        lead = self.new_lead()
        debt = self.lost()
        debt.with_user(self.anna).due_at = datetime(2026, 11, 6, 5, 30)
        self.assertEqual(lead.activity_ids.date_deadline, fields.Date.to_date('2026-11-06'))
        self.assertIn('10:30', lead.activity_ids.summary)

    def test_the_promise_moves_with_the_activity(self):
        lead = self.new_lead()
        debt = self.lost()
        activity = lead.activity_ids.with_user(self.anna)
        with freeze_time(NOON + timedelta(minutes=20)):
            activity.action_reschedule_tomorrow()
            self.assertEqual(
                debt.due_at, NOON + timedelta(days=1, minutes=15), "the same hour of the next day"
            )
            self.assertEqual((debt.status, lead.activity_ids), ('open', activity))
        self.assertIn('15:15', activity.summary)
        with freeze_time(NOON + timedelta(days=1, hours=1)):
            activity.action_reschedule_today()
        self.assertEqual(
            debt.due_at, NOON + timedelta(days=1, minutes=15), "it was that day already"
        )
        with freeze_time(NOON + timedelta(days=2, hours=1)):
            activity.action_reschedule_today()
        self.assertEqual(
            debt.due_at, datetime(2026, 11, 6, 13, 0), "the hour has passed: before the evening"
        )
        activity.user_id = self.boris
        self.assertEqual(debt.user_id, self.boris)

    def test_cancelled_in_the_chatter(self):
        """Odoo's own Cancel button deletes the activity."""
        lead = self.new_lead()
        debt = self.lost()
        with self.assertRaises(AccessError):
            lead.activity_ids.with_user(self.boris).unlink()
        self.assertEqual(debt.state, 'open')
        lead.activity_ids.with_user(self.anna).unlink()
        self.assertRecordValues(
            debt, [{'state': 'cancelled', 'close_kind': 'cancelled', 'activity_id': False}]
        )
        self.assertIn("Anna", debt.close_reason)

    def test_a_deleted_debt_takes_its_activity_along(self):
        debt = self.lost()
        activity = debt.activity_id
        self.assertTrue(activity)
        debt.unlink()
        self.assertFalse(activity.exists())

    def test_a_deleted_activity_comes_back_however_many_wait_for_nobody(self):
        debt = self.lost()
        for index in range(3):
            self.lost(
                f's{index}', NOON - timedelta(minutes=1), caller=f'+7701000000{index}'
            ).user_id = False
        debt.activity_id.sudo().unlink()
        self.env['telephony.callback']._plan_lost_activities(limit=2)
        self.assertTrue(debt.activity_id)

    def test_one_activity_that_cannot_be_planned_does_not_stop_the_rest(self):
        bad, good = self.lost(), self.lost('m2', caller='+77010000001')
        good.user_id = self.anna
        (bad | good).activity_id.sudo().unlink()
        model = type(self.env['telephony.callback'])
        right = model._plan_activity

        def plan(callbacks):
            if bad in callbacks:
                raise ZeroDivisionError("a broken type of activity")
            return right(callbacks)

        self.patch(model, '_plan_activity', plan)
        with self.assertLogs('odoo.addons.crm_telephony.models.callbacks.callback', 'ERROR'):
            self.lost('m3', caller='+77010000002')
        self.assertTrue(good.activity_id)
        self.assertTrue(self.callbacks('+77010000002'))

    def test_a_colleague_takes_it_and_has_the_activity(self):
        self.new_lead()
        debt = self.lost()
        debt.with_user(self.supervisor).action_take()
        self.assertEqual(debt.activity_id.user_id, self.supervisor)


class TestClock(Debts, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.leader = new_test_user(
            cls.env,
            'tel_leader',
            groups='sales_team.group_sale_salesman_all_leads,crm_telephony.group_user',
            name="Leader",
            tz='Asia/Almaty',
        )
        cls.team = cls.env['crm.team'].create(
            {'name': "Wholesale", 'user_id': cls.leader.id, 'company_id': cls.company.id}
        )
        cls.company.telephony_supervisor_id = cls.supervisor
        cls.lead = cls.new_lead(
            name="Twenty tons of flour", team_id=cls.team.id, expected_revenue=900000
        )

    def test_told_once_and_once_more_and_never_twice(self):
        debt = self.lost()  # due at 15:15
        due = NOON + timedelta(minutes=15)
        for minutes, status, leader, supervisor in [
            (-1, 'open', 0, 0),
            (0, 'late', 0, 0),
            (4, 'late', 0, 0),
            (5, 'late', 1, 0),
            (6, 'late', 1, 0),
            (29, 'late', 1, 0),
            (30, 'late', 1, 1),
            (31, 'late', 1, 1),
            (90, 'late', 1, 1),
        ]:
            with self.subTest(minutes=minutes):
                self.clock(due + timedelta(minutes=minutes))
                self.assertEqual(debt.status, status)
                self.assertEqual(
                    (len(self.letters(self.leader)), len(self.letters(self.supervisor))),
                    (leader, supervisor),
                )
        self.assertFalse(self.letters(self.anna))
        self.assertEqual(debt.told_user_ids, self.leader | self.supervisor)
        self.assertFalse(debt.check_at, "nothing is left to do for the clock")
        # moved on by a vain attempt, and late again
        self.tried(at=due + timedelta(minutes=100))
        self.clock(NOON + timedelta(days=2))
        self.assertEqual(debt.status, 'late')
        self.assertEqual(
            (len(self.letters(self.leader)), len(self.letters(self.supervisor))), (1, 1)
        )

    def test_not_out_of_hours(self):
        debt = self.lost(at=NOON + timedelta(hours=2, minutes=43))  # 17:43, due at 17:58
        night, morning = NOON + timedelta(hours=6), NOON + timedelta(days=1, hours=-6)
        self.clock(night)
        self.assertEqual((debt.status, debt.escalation), ('late', '0'))
        self.assertEqual(
            debt.check_at, morning + timedelta(minutes=3), "two minutes of the evening are over"
        )
        self.clock(morning + timedelta(minutes=2))
        self.assertFalse(self.letters(self.leader))
        self.clock(morning + timedelta(minutes=3))
        self.assertEqual(len(self.letters(self.leader)), 1)

    def test_a_scheduler_that_slept_tells_both_but_not_at_night(self):
        debt = self.lost()
        self.clock(NOON + timedelta(hours=10))
        self.assertEqual(debt.escalation, '0')
        self.clock(NOON + timedelta(days=1, hours=-6))
        self.assertEqual(debt.escalation, '2')
        self.assertEqual(
            (len(self.letters(self.leader)), len(self.letters(self.supervisor))), (1, 1)
        )

    def test_one_letter_for_many(self):
        self.lost()
        self.lost('m2', caller='+77010000001')
        self.callbacks('+77010000001').lead_id = self.lead
        self.clock(NOON + timedelta(minutes=25))
        [subject] = self.letters(self.leader)
        self.assertIn('2', subject)

    def test_the_letter(self):
        self.lost()
        self.clock(NOON + timedelta(minutes=25))
        body = (
            self.env['mail.message']
            .search(
                [
                    ('model', '=', 'telephony.callback'),
                    ('partner_ids', '=', self.leader.partner_id.id),
                ]
            )
            .body
        )
        for words in (CUSTOMER, "Twenty tons of flour", "900,000", "Anna", "10 working minutes"):
            self.assertIn(words, body)

    def test_who_is_told(self):
        """A leader who owes it himself is not his own judge; an archived team has no leader;
        somebody is always told."""
        others = new_test_user(
            self.env, 'tel_super2', groups='crm_telephony.group_supervisor', name="Second"
        )
        for name, change, first, second in [
            ('leader owes it', {'user_id': self.leader.id}, self.supervisor, self.env['res.users']),
            ('archived team', {}, self.supervisor, self.env['res.users']),
            ('nobody named', {}, self.supervisor | others, self.env['res.users']),
        ]:
            with self.subTest(name):
                number = f'+77010000{len(name):03}'
                debt = self.lost(name, caller=number)
                debt.lead_id = self.lead
                debt.write(change)
                if name == 'archived team':
                    self.team.active = False
                elif name == 'nobody named':
                    self.company.telephony_supervisor_id = False
                self.clock(NOON + timedelta(minutes=25))
                self.assertLessEqual(first, debt.told_user_ids)
                self.assertNotIn(self.leader, debt.told_user_ids)
                told = debt.told_user_ids
                self.clock(NOON + timedelta(minutes=55))
                self.assertEqual(debt.told_user_ids - told, second)

    def test_switched_off(self):
        self.company.write(
            {'telephony_escalate_minutes': -1, 'telephony_escalate_again_minutes': -1}
        )
        debt = self.lost()
        self.clock(NOON + timedelta(hours=1))
        self.assertRecordValues(debt, [{'status': 'late', 'escalation': '0', 'check_at': False}])

    def test_who_has_no_email_is_told_inside(self):
        self.leader.write({'email': False, 'notification_type': 'inbox'})
        self.leader.partner_id.email = False
        self.lost()
        self.clock(NOON + timedelta(minutes=25))
        self.assertEqual(len(self.letters(self.leader)), 1)
        self.leader.notification_type = 'email'
        self.lost('m2', caller='+77010000001')
        self.callbacks('+77010000001').lead_id = self.lead
        self.clock(NOON + timedelta(minutes=26))
        self.assertEqual(
            self.callbacks('+77010000001').escalation, '1', "an address that lacks stops nothing"
        )

    def test_closed_in_time_is_told_to_nobody(self):
        debt = self.lost()
        self.tried(at=NOON + timedelta(minutes=10), outcome='answered', talk_seconds=60)
        self.clock(NOON + timedelta(hours=1))
        self.assertEqual((debt.escalation, debt.check_at), ('0', False))
        self.assertFalse(self.letters(self.leader))

    def test_an_owner_who_is_away_when_it_opens(self):
        self.on_leave(self.anna, NOON - timedelta(days=1), NOON + timedelta(days=3))
        debt = self.lost()
        self.assertEqual(debt.user_id, self.leader)

    def test_an_owner_who_goes_away(self):
        debt = self.lost()
        self.assertEqual(debt.user_id, self.anna)
        leave = self.on_leave(self.anna, NOON + timedelta(hours=20), NOON + timedelta(days=3))
        self.clock(NOON + timedelta(minutes=1))
        self.assertEqual(debt.user_id, self.anna, "she is there in time")
        leave.date_from = NOON
        self.env['res.lang']._activate_lang('ru_RU')
        self.company.partner_id.lang = 'ru_RU'
        self.clock(NOON + timedelta(minutes=2))
        self.assertRecordValues(debt, [{'user_id': self.leader.id, 'absent_user_id': self.anna.id}])
        said = debt.with_context(lang='ru_RU').env._(
            "%(absent)s is away: %(user)s calls back.", absent=self.anna.name, user=self.leader.name
        )
        self.assertNotIn("is away", said)
        self.assertEqual(
            debt.message_ids.filtered(lambda message: said in message.body)[:1].message_type,
            'notification',
            "in the company's language",
        )
        self.assertEqual(debt.activity_id.user_id, self.leader)
        self.assertEqual(len(self.letters(self.leader)), 1)
        self.clock(NOON + timedelta(minutes=3))
        self.assertEqual(len(self.letters(self.leader)), 1)

    def test_what_a_person_gave_her_stays_hers(self):
        self.on_leave(self.anna, NOON - timedelta(days=1), NOON + timedelta(days=3))
        debt = self.lost()
        debt.with_user(self.supervisor).user_id = self.anna
        self.clock(NOON + timedelta(minutes=1))
        self.assertEqual(debt.user_id, self.anna)

    def test_what_she_had_before_her_leave_does_not_stay_hers(self):
        debt = self.lost()
        with freeze_time(NOON):
            debt.with_user(self.anna).action_take()
        self.on_leave(self.anna, NOON + timedelta(minutes=10), NOON + timedelta(days=3))
        self.clock(NOON + timedelta(minutes=11))
        self.assertRecordValues(
            debt, [{'user_id': self.leader.id, 'absent_user_id': self.anna.id, 'taken_at': False}]
        )

    def test_an_owner_who_does_not_work_in_the_company_any_more(self):
        debt = self.lost()
        other = self.env['res.company'].create({'name': "Other"})
        self.anna.write({'company_id': other.id, 'company_ids': [(6, 0, other.ids)]})
        self.clock(NOON + timedelta(minutes=1))
        self.assertEqual(debt.user_id, self.leader)

    def test_who_tried_in_vain_does_not_hold_it_any_longer(self):
        self.supervisor.tz = 'Asia/Almaty'
        debt = self.lost()
        with freeze_time(NOON + timedelta(minutes=1)):
            debt.with_user(self.supervisor).action_take()
        self.tried(at=NOON + timedelta(minutes=3))
        with freeze_time(NOON + timedelta(minutes=4)):
            debt.with_user(self.anna).action_take()
        self.assertEqual(debt.user_id, self.anna)
        # a vain try before she took it is told late
        self.tried('o0', at=NOON + timedelta(minutes=2))
        for at, told in (
            (NOON + timedelta(minutes=5), "at 15:04"),
            (NOON + timedelta(days=1), "at 04.11.2026 15:04"),
        ):
            with freeze_time(at), self.assertRaisesRegex(UserError, told):
                debt.with_user(self.supervisor).action_take()

    def test_whoever_is_told_can_open_it(self):
        """The leader by his team, salespeople of all deals by the deal; a leader without telephony
        is not told."""
        self.leader.group_ids = (
            self.env.ref('base.group_user')
            | self.env.ref('sales_team.group_sale_manager')
            | self.env.ref('crm_telephony.group_user')
        )
        colleague = new_test_user(
            self.env,
            'tel_all_deals',
            groups='sales_team.group_sale_salesman_all_leads,crm_telephony.group_user',
        )
        self.number.team_id = self.team
        debts = self.lost() | self.lost('m2', caller='+77010000001')
        self.assertEqual(debts.mapped('lead_id'), debts[0].lead_id)
        debts[1].user_id = self.anna
        for user, seen in (
            (self.leader, debts),
            (colleague, debts[0]),
            (self.boris, debts.browse()),
        ):
            self.assertEqual(debts.with_user(user)._filtered_access('read').sudo(), seen, user.name)
        self.leader.group_ids = self.env.ref('base.group_user')
        self.clock(NOON + timedelta(minutes=25))
        self.assertEqual(debts.told_user_ids, self.supervisor)

    def test_nobody_is_there(self):
        for user in (self.anna, self.leader):
            self.on_leave(user, NOON - timedelta(days=1), NOON + timedelta(days=3))
        debt = self.lost()
        self.clock(NOON + timedelta(minutes=25))
        self.assertRecordValues(debt, [{'user_id': self.anna.id, 'escalation': '1'}])
        self.assertEqual(debt.told_user_ids, self.supervisor)

    def test_an_owner_who_left_the_firm(self):
        debt = self.lost()
        debt.with_user(self.anna).action_take()
        self.anna.active = False
        self.clock(NOON + timedelta(minutes=1))
        self.assertEqual(debt.user_id, self.leader)

    def test_one_bad_record_does_not_stop_the_others(self):
        bad = self.lost()
        good = self.lost('m2', caller='+77010000001')
        model = type(self.env['telephony.callback'])
        right = model._escalation_steps

        def steps(callback):
            if callback == bad:
                raise ZeroDivisionError("a broken setting")
            return right(callback)

        self.patch(model, '_escalation_steps', steps)
        with self.assertLogs('odoo.addons.crm_telephony.models.callbacks.clock', 'ERROR'):
            self.clock(NOON + timedelta(minutes=25))
        self.assertEqual((good.status, good.escalation), ('late', '1'))
        self.assertEqual(bad.check_at, NOON + timedelta(minutes=25, hours=1))

    def test_who_writes_at_the_same_time_is_waited_for(self):
        """While the bad one is looked for too: the scheduled action does not fail."""
        debts = self.lost() | self.lost('m2', caller='+77010000001')

        def tick(callbacks):
            raise SerializationFailure if len(callbacks) == 1 else ZeroDivisionError

        self.patch(type(debts), '_tick', tick)
        late = NOON + timedelta(minutes=25)
        self.clock(late)
        self.assertEqual(
            self.env['ir.cron.trigger'].search_count(
                [
                    ('cron_id', '=', self.env.ref(CLOCK).id),
                    ('call_at', '=', late + timedelta(minutes=1)),
                ]
            ),
            1,
        )
        self.assertEqual(len(debts.filtered('check_at')), 2)

    def test_it_is_asked_for_when_it_falls_due(self):
        self.env['ir.cron.trigger'].search([('cron_id', '=', self.env.ref(CLOCK).id)]).unlink()
        debt = self.lost()
        self.env.cr.precommit.run()
        self.assertIn(
            debt.due_at,
            self.env['ir.cron.trigger']
            .search([('cron_id', '=', self.env.ref(CLOCK).id)])
            .mapped('call_at'),
        )


class TestNoCustomers(Debts, TelephonyCase):
    """Who turns out to be no customer while we owe him a call."""

    def test_what_happens_to_his_callback(self):
        people = self.env['res.partner'].create(
            [
                {'name': name, 'phone': f'+7701000000{place}', 'company_id': False}
                for place, name in enumerate(("Dina", "Erlan", "Farida"))
            ]
        )
        by_hand, becomes, customer = (
            self.lost(f'm{place}', caller=one.phone) for place, one in enumerate(people)
        )
        ours = self.lost('m3', caller='+77272507699')
        self.call('m0').with_user(self.supervisor).partner_id = people[0]
        for one in people[:2]:
            new_test_user(
                self.env,
                f'tel_{one.name}',
                groups='base.group_user',
                partner_id=one.id,
                name=one.name,
            )
        self.env['telephony.number'].create(
            {'name': '+7 727 250 76 99', 'account_id': self.account.id}
        )
        self.clock(NOON + timedelta(minutes=1))
        self.assertRecordValues(
            by_hand | becomes | customer | ours,
            [
                {'state': 'open', 'close_reason': False},
                {'state': 'cancelled', 'close_reason': "A colleague: Erlan"},
                {'state': 'open', 'close_reason': False},
                {'state': 'cancelled', 'close_reason': "One of the company's own numbers"},
            ],
        )
        self.assertFalse(people[1].activity_ids)
        self.clock(NOON + timedelta(minutes=2))
        with freeze_time(NOON + timedelta(minutes=3)):
            self.call('m1').action_follow_up_again()
            self.file_calls()
        self.assertEqual(
            self.callbacks(people[1].phone), becomes, "looked at again it opens no other"
        )

    def test_ignored_in_the_list_of_remembered_numbers(self):
        debt = self.lost()
        self.call('m1').with_user(self.supervisor).partner_id = self.partner  # by hand
        decision = self.env['telephony.decision'].search([('number', '=', CUSTOMER)])
        decision.with_user(self.env.ref('base.user_admin')).write({'kind': 'ignore'})
        self.assertRecordValues(debt, [{'state': 'cancelled', 'close_kind': 'cancelled'}])
        self.assertIn("set to be ignored by", debt.close_reason)


class TestSystray(Debts, TelephonyCase):
    def test_mine_late_first(self):
        self.number.user_id = self.anna
        with freeze_time(NOON):
            self.lost('m1')
            self.lost('m2', NOON + timedelta(minutes=50), caller='+77010000001')
            self.lost('m3', caller='+77010000002')
        self.callbacks('+77010000002').user_id = self.boris
        with freeze_time(NOON + timedelta(hours=1)):
            answer = self.env['telephony.callback'].with_user(self.anna).get_my_debts()
        self.assertEqual((answer['open'], answer['late']), (2, 1))
        self.assertEqual(
            [(debt['number'], debt['late_minutes']) for debt in answer['debts']],
            [(CUSTOMER, 45), ('+77010000001', 0)],
        )
        self.assertEqual(answer['debts'][0]['name'], "Customer")

    def test_the_page_asks_one_question(self):
        self.env.flush_all()
        model = self.env['telephony.callback'].with_user(self.anna)
        self.assertTrue(model.env.companies.ids, "every page knows them")
        with self.assertQueryCount(1):
            model._count_mine()

    def test_owners_are_told(self):
        self.number.user_id = self.anna
        self.lost()
        debt = self.callbacks()
        self.env.cr.precommit.run()

        def told(change):
            self.env['bus.bus'].sudo().search([]).unlink()
            change()
            self.env.flush_all()
            self.env.cr.precommit.run()
            channels = (
                self.env['bus.bus']
                .sudo()
                .search([('message', 'like', 'crm_telephony.debts')])
                .mapped('channel')
            )
            return {
                user.name
                for user in (self.anna, self.boris)
                if any(
                    f'"res.partner",{user.partner_id.id}' in channel.replace(' ', '')
                    for channel in channels
                )
            }

        self.assertEqual(told(lambda: debt.write({'user_id': self.boris.id})), {"Anna", "Boris"})
        self.assertEqual(told(lambda: debt.write({'priority': '1'})), set())
        self.assertEqual(told(debt.action_done), {"Boris"})

    def test_boards_are_told(self):
        """Of all that happens to a callback, by whomever, and of the calls with its customer from
        the first ring to the end."""
        debt = self.lost()
        group = self.env.ref('crm_telephony.group_user')
        bus = self.env['bus.bus'].sudo()

        def told(change):
            self.env.cr.precommit.run()
            bus.search([]).unlink()
            change()
            self.env.flush_all()
            self.env.cr.precommit.run()
            return [
                json.loads(message.message)['payload']
                for message in bus.search(
                    [('message', 'like', 'crm_telephony.callbacks')], order='id'
                )
                if json.loads(message.channel)[1:] == ['res.groups', group.id]
            ]

        anybody, mine = ({'company_id': self.company.id, 'ids': ids} for ids in (None, debt.ids))
        self.assertEqual(told(lambda: debt.write({'priority': '1'})), [anybody])
        self.assertEqual(told(lambda: debt.with_user(self.anna).action_take()), [anybody])
        at = NOON + timedelta(minutes=5)
        for event, news in (
            (self.event('answered', 'c2', iso(at), extension='101'), [mine]),
            (self.event('answered', 'other', iso(at), extension='102', caller='+77010000000'), []),
            (
                self.event(
                    'ended', 'c2', iso(at), extension='101', outcome='answered', talk_seconds=5
                ),
                [mine],
            ),
        ):
            with self.subTest(event['event']), freeze_time(at):
                self.assertEqual(told(lambda event=event: self.play(event, follow_up=False)), news)
        self.assertEqual(told(debt.action_done), [anybody])


class TestDebtTours(Debts, TelephonyHttpCase):
    def test_board(self):
        lead = self.new_lead(
            name="Twenty tons of flour",
            expected_revenue=900,
            user_id=False,
            partner_id=self.env['res.partner'].create({'name': "Big customer"}).id,
        )
        due = fields.Datetime.now() - timedelta(days=7)
        debts = self.env['telephony.callback'].create(
            [
                {
                    'company_id': self.company.id,
                    'customer_number': f'+7701000000{index}',
                    'due_at': due + timedelta(minutes=index),
                    **values,
                }
                for index, values in enumerate(
                    [
                        {
                            'lead_id': lead.id,
                            'partner_id': lead.partner_id.id,
                            'priority': '1',
                            'user_id': self.boris.id,
                        },
                        {},
                        {},
                    ],
                    1,
                )
            ]
        )
        self.start_tour('/odoo/telephony-callbacks', 'telephony_board', login='tel_super')
        _first, taken, by_hand = debts
        self.assertRecordValues(taken, [{'state': 'open', 'user_id': self.supervisor.id}])
        self.assertRecordValues(
            by_hand, [{'status': 'saved', 'close_kind': 'by_hand', 'reason_id': False}]
        )

    def test_recovery(self):
        now = fields.Datetime.now()
        for index in range(3):
            self.lost(f'm{index}', now, caller=f'+7701000000{index}')
        self.tried(
            at=now + timedelta(seconds=1),
            called='+77010000001',
            outcome='answered',
            talk_seconds=60,
        )
        self.env['telephony.callback'].search(
            [('customer_number', 'not like', '+7701000000')]
        ).unlink()
        self.start_tour('/odoo/telephony-recovery', 'telephony_recovery', login='tel_super')

    def test_rehearsal(self):
        """The numbers that are shown are those that the rule then makes."""
        day = fields.Datetime.now() - timedelta(days=1)
        while day.weekday() > 4:
            day -= timedelta(days=1)
        at = day.replace(hour=7, minute=0, second=0, microsecond=0)  # noon in Almaty
        rule = self.env.ref('crm_telephony.rule_missed')
        rule.active = False
        for index in (1, 2):
            self.lost(f'm{index}', at + timedelta(minutes=index), caller=f'+7701000000{index}')
        self.assertFalse(self.callbacks('+77010000001'))
        rule.active = True
        self.start_tour('/odoo/telephony-rules', 'telephony_rehearsal', login='admin')
        self.assertFalse(self.callbacks('+77010000001'), "nothing was done")
        with freeze_time(at + timedelta(minutes=5)):
            self.env['telephony.call'].search([('external_id', 'in', ['m1', 'm2'])]).write(
                {'follow_up': 'todo'}
            )
            self.env.flush_all()
            self.env.ref('crm_telephony.ir_cron_follow_up').method_direct_trigger()
        self.assertEqual(len(self.callbacks('+77010000001') | self.callbacks('+77010000002')), 2)
