"""What people do with callbacks is kept as facts, behind the last call that they could know of."""

from datetime import timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError

from .common import CUSTOMER, TelephonyCase
from .test_debts import NOON, Debts, iso

LATER = NOON + timedelta(days=2)


class TestActs(Debts, TelephonyCase):
    def acts(self):
        return self.env['telephony.callback.act'].search(
            [('customer_number', '=', CUSTOMER)], order='id'
        )

    def test_what_a_person_does(self):
        debt, reason = self.lost(), self.env.ref('crm_telephony.callback_reason_elsewhere')
        with freeze_time(NOON + timedelta(minutes=5)):
            debt.with_user(self.boris).action_take()
            debt.with_user(self.supervisor).write({'due_at': LATER, 'priority': '1'})
            debt.with_user(self.supervisor).user_id = self.anna
            debt.with_user(self.anna).action_cancel(reason.id, "was cheaper")
            debt.with_user(self.supervisor).action_reopen()
            debt.with_user(self.anna).action_done()
        self.assertEqual(
            [(act.kind, act.user_id) for act in self.acts()],
            [
                ('given', self.boris),
                ('moved', self.supervisor),
                ('urged', self.supervisor),
                ('given', self.supervisor),
                ('cancelled', self.anna),
                ('reopened', self.supervisor),
                ('done', self.anna),
            ],
        )
        taken, moved, urged, given, cancelled, _reopened, _done = self.acts()
        self.assertEqual((taken.owner_id, given.owner_id), (self.boris, self.anna))
        self.assertEqual((moved.due_at, urged.priority), (LATER, '1'))
        self.assertEqual(cancelled.reason_id, reason)
        self.assertIn("was cheaper", cancelled.reason)
        for act in self.acts():
            self.assertEqual(
                (act.after_call_id, act.after_at, act.opened_by_id, act.at),
                (self.call('m1'), NOON, self.call('m1'), NOON + timedelta(minutes=5)),
            )

    def test_what_is_done_with_the_activity(self):
        lead = self.new_lead()
        self.lost()
        activity = lead.activity_ids.with_user(self.anna)
        activity.date_deadline = LATER.date()
        activity.user_id = self.boris
        activity.with_user(self.boris).action_feedback(feedback="I met them")
        self.assertEqual(
            [(act.kind, act.user_id) for act in self.acts()],
            [('moved', self.anna), ('given', self.anna), ('done', self.boris)],
        )
        self.assertEqual(self.acts()[-1].reason, "I met them")

    def test_what_the_clock_does_in_their_place(self):
        self.new_lead()
        self.partner.user_id = self.boris
        debt = self.lost()
        self.on_leave(self.anna, NOON, NOON + timedelta(days=1))
        self.clock(NOON + timedelta(minutes=1))
        self.assertEqual(debt.user_id, self.boris)
        self.assertRecordValues(
            self.acts(), [{'kind': 'passed', 'owner_id': self.boris.id, 'user_id': False}]
        )

    def test_the_last_call_that_was_known(self):
        """Not one whose consequences nobody could see yet; where it goes, its time stays."""
        self.lost('m1')
        later = NOON + timedelta(minutes=1)
        with freeze_time(later):
            self.play(self.event('ended', 'm2', iso(later), outcome='missed'), follow_up=False)
            self.callbacks().with_user(self.boris).action_take()
            self.file_calls()
            self.callbacks().with_user(self.boris).action_take()
        first, second = self.acts()
        self.assertEqual(
            (first.after_call_id, second.after_call_id), (self.call('m1'), self.call('m2'))
        )
        self.call('m2').unlink()
        self.assertEqual((second.after_call_id.id, second.after_at), (False, later))

    def test_what_was_done_stays_when_the_calls_are_looked_at_again(self):
        """Whoever wrote it: an automation is the superuser."""
        debt = self.lost('m1')
        debt.write({'due_at': LATER, 'priority': '1'})
        debt.with_user(self.boris).action_take()
        for _time in range(2):
            self.call('m1').follow_up = 'todo'
            self.file_calls()
            self.assertRecordValues(
                debt, [{'due_at': LATER, 'priority': '1', 'user_id': self.boris.id}]
            )
            self.assertTrue(debt.taken_at)
        debt.with_user(self.boris).action_done()
        self.call('m1').follow_up = 'todo'
        self.file_calls()
        self.assertRecordValues(
            debt, [{'state': 'done', 'close_kind': 'by_hand', 'closed_by_id': self.boris.id}]
        )

    def test_what_calls_and_rules_do_is_no_act(self):
        self.lost('m1')
        self.lost('m2', NOON + timedelta(minutes=1), outcome='abandoned', wait_seconds=90)
        for place in range(3):
            self.tried(f'n{place}', NOON + timedelta(minutes=5 + place))
        self.assertEqual(self.callbacks().close_kind, 'gave_up')
        self.assertFalse(self.acts())

    def test_nobody_changes_them(self):
        self.lost().with_user(self.boris).action_take()
        admin = self.env.ref('base.user_admin')
        admin.group_ids += self.env.ref('crm_telephony.group_admin')
        self.assertEqual(self.acts().with_user(admin).mapped('kind'), ['given'])
        for user, mode in ((admin, 'write'), (admin, 'unlink'), (self.supervisor, 'read')):
            with self.assertRaises(AccessError):
                self.acts().with_user(user).check_access(mode)

    def test_a_result_on_a_call_that_was_known_does_not_call_it_unknown(self):
        """Done is said in the same window as the result, before the call is followed up again."""
        lead, debt = self.new_lead(), self.lost()
        self.tried('o1', NOON + timedelta(minutes=5), extension='101')
        result = self.env['telephony.disposition'].create({'name': "Rang in vain"})
        self.call('o1').with_user(self.anna).save_result(
            {'disposition_id': result.id, 'done_ids': lead.activity_ids.ids}
        )
        self.assertEqual(debt.state, 'done')
        self.assertEqual(self.call('o1').follow_up, 'todo')
        self.file_calls()
        self.assertEqual(self.callbacks(), debt)
        self.assertRecordValues(debt, [{'state': 'done', 'close_kind': 'by_hand'}])

    def test_a_served_customer_whose_talk_was_deleted_is_owed_no_call(self):
        debt = self.lost()
        self.tried('t1', NOON + timedelta(minutes=5), outcome='answered', talk_seconds=90)
        self.assertEqual(debt.close_kind, 'reached')
        self.call('t1').unlink()
        self.call('m1').follow_up = 'todo'
        self.file_calls()
        self.assertEqual(self.callbacks(), debt)
        self.assertRecordValues(debt, [{'state': 'done', 'close_kind': 'reached'}])

    def test_what_was_closed_before_acts_were_kept_stays_closed(self):
        debt = self.lost()
        debt.with_user(self.anna).action_done()
        self.acts().sudo().unlink()
        self.call('m1').follow_up = 'todo'
        self.file_calls()
        self.assertEqual(self.callbacks(), debt)
        self.assertRecordValues(debt, [{'state': 'done', 'close_kind': 'by_hand'}])

    def test_the_same_owner_again_is_no_act(self):
        debt = self.lost()
        debt.with_user(self.supervisor).write(
            {'priority': debt.priority, 'due_at': debt.due_at, 'user_id': debt.user_id.id}
        )
        self.assertFalse(self.acts())
