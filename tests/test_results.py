"""A saved result is the truth: what it says of a short talk closes the callback, and nobody asks
what is told already."""

from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.modules.migration import load_script
from odoo.tools import file_path

from .common import TelephonyCase

# a Wednesday, 15:00 in Almaty
WEDNESDAY = datetime(2026, 11, 4, 10, 0)


class TestResults(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.telephony_effect_hours = 48
        cls.rule = cls.env.ref('crm_telephony.rule_short')
        cls.rule.active = True
        cls.lead = cls.new_lead()
        cls.agreed, cls.again, cls.wrong = (
            cls.env.ref(f'crm_telephony.disposition_{name}')
            for name in ('agreed', 'call_again', 'wrong_number')
        )

    def tell(self, minutes, event):
        moment = WEDNESDAY + timedelta(minutes=minutes)
        with freeze_time(moment):
            self.play({**event, 'at': f'{moment.isoformat()}+00:00'})

    def lose_and_call(self):
        """A missed call, and Anna's short talk with the customer five minutes later."""
        self.tell(0, self.event('ended', outcome='missed', wait_seconds=20))
        self.tell(5, self.outbound('ended', outcome='answered', talk_seconds=20))
        return self.call('o1')

    def save(self, call, result, minutes=6):
        with freeze_time(WEDNESDAY + timedelta(minutes=minutes)):
            call.with_user(self.anna).save_result({'disposition_id': result.id})
            self.file_calls()

    def work_off(self, minutes):
        with freeze_time(WEDNESDAY + timedelta(minutes=minutes)), self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_effects').method_direct_trigger()
        self.env.invalidate_all()

    def questions(self):
        return self.lead.activity_ids.filtered(
            lambda activity: "what was it about" in (activity.summary or '')
        )

    def test_a_short_talk_to_a_result_closes_the_callback(self):
        call = self.lose_and_call()
        self.assertEqual(self.callbacks().state, 'open', "nobody has said yet that it was a talk")
        self.save(call, self.agreed)
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'state': 'done',
                    'close_kind': 'reached',
                    'closing_call_id': call.id,
                    'closed_by_id': self.anna.id,
                    'recovery_rate': 1,
                    'served_minutes': 4,
                }
            ],
        )
        self.assertTrue(call.is_reached)
        self.assertTrue(call.is_short, "the PBX's word stays")
        self.assertTrue(self.call('c1').is_called_back)
        self.tell(30, self.outbound('ended', 'o2', outcome='no_answer'))
        self.assertEqual(
            self.call('o2').attempt, 1, "the count starts again: the customer was reached"
        )

    def test_what_does_not_count_as_reached_leaves_it_open(self):
        for result in self.again, self.wrong:
            call = self.lose_and_call()
            self.save(call, result)
            self.assertEqual(self.callbacks().state, 'open', result.name)
            self.assertFalse(self.call('c1').is_called_back)

    def test_another_result_opens_what_the_first_has_closed(self):
        call = self.lose_and_call()
        self.save(call, self.agreed)
        self.save(call, self.again, 8)
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'state': 'open',
                    'close_kind': False,
                    'closing_call_id': False,
                    'done_at': False,
                    'recovery_rate': 0,
                }
            ],
        )
        self.assertTrue(self.callbacks().activity_id.active)
        self.assertFalse(self.call('c1').is_called_back)

    def test_another_result_does_not_open_what_was_closed_otherwise(self):
        call = self.lose_and_call()
        self.callbacks().with_user(self.anna).action_done()
        self.save(call, self.agreed)
        self.save(call, self.again, 8)
        self.assertRecordValues(self.callbacks(), [{'state': 'done', 'close_kind': 'by_hand'}])

    def test_the_talk_that_came_after_closes_it_in_its_place(self):
        call = self.lose_and_call()
        self.save(call, self.agreed)
        self.tell(20, self.outbound('ended', 'o2', outcome='answered', talk_seconds=120))
        self.save(call, self.again, 25)
        self.assertRecordValues(
            self.callbacks(), [{'state': 'done', 'closing_call_id': self.call('o2').id}]
        )

    def test_the_word_of_who_talked_where_the_end_was_lost(self):
        self.tell(0, self.event('ended', outcome='missed', wait_seconds=20))
        self.tell(5, self.outbound('answered'))
        with freeze_time(WEDNESDAY + timedelta(hours=5)):
            self.call('o1')._close_without_end()
            self.file_calls()
        self.assertEqual(self.callbacks().state, 'open')
        self.save(self.call('o1'), self.agreed, 301)
        self.assertEqual(self.callbacks().closing_call_id, self.call('o1'))

    def test_asked_only_after_ten_minutes(self):
        call = self.lose_and_call()
        self.assertEqual(self.rule.result_wait, 10)
        self.assertIn("no result within 10 min", self.rule.summary)
        self.assertFalse(self.questions())
        self.work_off(14)
        self.assertFalse(self.questions())
        self.work_off(15)
        self.assertEqual(self.questions().user_id, self.anna)
        self.assertEqual(call.effect_ids.state, 'done')

    def test_never_asked_once_there_is_a_result(self):
        for result in self.agreed, self.again:
            with self.subTest(result=result.name):
                call = self.lose_and_call()
                with freeze_time(WEDNESDAY + timedelta(minutes=14)):
                    call.with_user(self.anna).save_result({'disposition_id': result.id})
                self.work_off(15)  # before the follow-up has heard of it
                self.file_calls()
                self.work_off(30)
                self.assertFalse(self.questions())

    def test_a_late_result_takes_the_question_back(self):
        call = self.lose_and_call()
        self.work_off(15)
        question = self.questions()
        self.save(call, self.again, 20)
        self.assertFalse(question.exists())
        self.assertRecordValues(call.effect_ids, [{'state': 'skipped', 'activity_id': False}])
        self.save(call, self.agreed.browse(), 25)
        self.assertEqual(len(self.questions()), 1, "no result: it is asked again")

    def test_a_result_after_days_takes_the_question_back(self):
        call = self.lose_and_call()
        self.work_off(15)
        self.save(call, self.again, 60 * 24 * 5)
        self.assertFalse(self.questions())

    def test_what_somebody_has_answered_already_stays_answered(self):
        call = self.lose_and_call()
        self.work_off(15)
        question = self.questions()
        question.with_user(self.anna).action_feedback()
        self.save(call, self.agreed, 20)
        self.assertEqual(call.effect_ids.state, 'done')
        self.assertTrue(question.exists())

    def test_a_result_with_another_meaning_does_not_rewrite_the_past(self):
        call = self.lose_and_call()
        self.save(call, self.again)
        self.again.counts_as_reached = True
        self.env.flush_all()
        self.assertFalse(call.is_reached)

    def test_an_older_database(self):
        """The addon's own results get their meaning; one that the firm has renamed, and its own,
        keep what they had."""
        own = self.env['telephony.disposition'].create({'name': "Wants a catalogue"})
        thinking = self.env.ref('crm_telephony.disposition_thinking')
        every = self.agreed | self.again | thinking | own
        every.counts_as_reached = self.rule.result_wait = False
        thinking.name = "Thinks it over for the third time"
        self.env.flush_all()
        script = load_script(
            file_path('crm_telephony/migrations/19.0.2.0.0/post-results.py'), 'post_results'
        )
        script.migrate(self.cr, '19.0.1.1.0')
        self.env.invalidate_all()
        self.assertEqual(every.filtered('counts_as_reached'), self.agreed)
        self.assertEqual(self.rule.result_wait, 10)
