"""Every outcome has its consequence: the customer's table row by row, and rules when things are not as they should be."""
from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo.tests import new_test_user

from ..providers.base import ProviderError
from ..providers.clients import base as clients_base
from .common import CUSTOMER, TelephonyHttpCase

# a Wednesday, 15:00 in Almaty (UTC+5); the Friday after it is a holiday
WEDNESDAY = datetime(2026, 11, 4, 10, 0)
STRANGER = '+77012223344'


class Pbx(clients_base.Client):
    """A PBX that rings phones: what it was told stands in `told`."""
    told, complaint = [], ''

    def dial(self, extension, number, reference):
        self.told.append((extension, number))
        if self.complaint:
            raise ProviderError(self.complaint)
        return 'redialled'


class RulesMixin:
    """Time stands still at the moment of which the PBX tells."""

    @classmethod
    def set_up_rules(cls):
        cls.company.write({'telephony_effect_hours': 48, 'name': "Almaty Wholesale"})
        cls.calendar.attendance_ids.unlink()
        cls.calendar.attendance_ids = [(0, 0, {
            'name': f'{day} {first}', 'dayofweek': str(day), 'hour_from': first, 'hour_to': last,
            'day_period': 'morning' if first < 13 else 'afternoon',
        }) for day in range(5) for first, last in ((9, 13), (14, 18))]
        cls.env['resource.calendar.leaves'].create({
            'name': "Holiday", 'calendar_id': cls.calendar.id, 'company_id': cls.company.id,
            'date_from': datetime(2026, 11, 5, 19, 0), 'date_to': datetime(2026, 11, 6, 19, 0)})
        (cls.anna | cls.boris | cls.supervisor).notification_type = 'inbox'
        cls.lead = cls.new_lead(user_id=cls.boris.id, name="Flour, 20 t")
        cls.env['mail.notification'].search([('res_partner_id', '=', cls.boris.partner_id.id)]).unlink()

    def tell(self, at, *events):
        """Let the PBX tell calls at a moment (naive UTC) and everything happen that follows at once."""
        with freeze_time(at):
            self.play(*events)

    def lost(self, outcome, at=WEDNESDAY, call_id='c', **more):
        self.tell(at, self.event('ended', call_id, f'{at.isoformat()}+00:00', outcome=outcome, **{'wait_seconds': 20, **more}))
        return self.call(call_id)

    def tried(self, outcome, at=WEDNESDAY, call_id='o', **more):
        self.tell(at, self.outbound('ended', call_id, f'{at.isoformat()}+00:00', outcome=outcome, **more))
        return self.call(call_id)

    def work_off(self, at):
        """The scheduled action for what was put off, at a moment."""
        with freeze_time(at), self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_effects').method_direct_trigger()
        self.env.invalidate_all()

    def texts(self, number=CUSTOMER):
        return self.env['sms.sms'].search([('number', '=', number)], order='id')

    def told(self, user):
        """Subjects of the notices in a user's inbox, oldest first."""
        return self.env['mail.notification'].search([
            ('res_partner_id', '=', user.partner_id.id), ('mail_message_id.message_type', '=', 'user_notification'),
        ], order='id').mail_message_id.mapped('subject')

    def effects(self, call):
        return {effect.kind: effect for effect in call.effect_ids}


class TestTableOfOutcomes(RulesMixin, TelephonyHttpCase):
    """Each row of the customer's table, through the webhook."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_rules()

    def work_off(self, at):
        with freeze_time(at):
            self.env.ref('crm_telephony.ir_cron_effects').method_direct_trigger()
        self.env.invalidate_all()

    def assertPromised(self, due, priority='0', number=CUSTOMER):
        self.assertRecordValues(self.callbacks(number), [{'state': 'open', 'due_at': due, 'priority': priority}])

    def test_missed_in_working_hours(self):
        call = self.lost('missed')
        self.assertPromised(WEDNESDAY + timedelta(minutes=15))
        self.assertEqual(self.callbacks().rule_id, self.env.ref('crm_telephony.rule_missed'))
        self.assertRecordValues(self.texts(), [{
            'state': 'outgoing', 'partner_id': self.partner.id,
            'body': "Almaty Wholesale: sorry we missed your call. We will call you back by 15:15."}])
        self.assertEqual(self.texts().mail_message_id.res_id, self.lead.id, "the SMS stands in the chatter of the deal")
        self.assertEqual(self.texts().mail_message_id.notification_ids.notification_type, 'sms')
        self.assertEqual({kind: effect.state for kind, effect in self.effects(call).items()}, {'callback': 'done', 'sms': 'done'})
        self.assertFalse(self.told(self.supervisor))

    def test_missed_just_before_lunch_and_before_the_holiday(self):
        self.lost('missed', datetime(2026, 11, 4, 7, 50))       # 12:50
        self.assertPromised(datetime(2026, 11, 4, 9, 5))        # lunch from 13 to 14
        self.lost('missed', datetime(2026, 11, 5, 12, 55), 'eve', caller=STRANGER)      # Thursday 17:55
        self.assertPromised(datetime(2026, 11, 9, 4, 10), number=STRANGER)      # Monday 9:10

    def test_missed_out_of_working_hours(self):
        opening = datetime(2026, 11, 9, 4, 0)   # Monday 9:00
        self.lost('missed', datetime(2026, 11, 5, 15, 0))       # Thursday 20:00
        self.assertPromised(opening)
        self.assertEqual(self.callbacks().rule_id, self.env.ref('crm_telephony.rule_missed_out'))
        self.assertEqual(self.texts().body, "Almaty Wholesale: we are closed now. We will call you back when we open, "
                                            "Monday, 9 November, 09:00.")
        self.lost('missed', datetime(2026, 11, 4, 8, 30), 'at lunch', caller=STRANGER)
        self.assertPromised(datetime(2026, 11, 4, 9, 0), number=STRANGER)

    def test_abandoned_after_more_than_a_minute(self):
        call = self.lost('abandoned', wait_seconds=61)
        self.assertPromised(WEDNESDAY + timedelta(minutes=2), '1')
        self.assertEqual(self.told(self.supervisor), ["Hung up after waiting more than a minute: Customer"])
        self.assertFalse(self.told(self.anna) or self.told(self.boris))
        self.assertFalse(self.texts())
        self.assertEqual(call.effect_ids.rule_id, self.env.ref('crm_telephony.rule_abandoned_long'))

    def test_abandoned_after_a_minute_or_less(self):
        self.lost('abandoned', wait_seconds=60)
        self.assertPromised(WEDNESDAY + timedelta(minutes=15), '1')     # before those who were merely missed
        self.assertEqual(len(self.texts()), 1)
        self.assertFalse(self.told(self.supervisor))

    def test_no_answer_three_times(self):
        first = self.tried('no_answer')
        self.assertPromised(WEDNESDAY + timedelta(hours=2))
        second = self.tried('no_answer', WEDNESDAY + timedelta(hours=2), 'o2')      # 17:00
        self.assertPromised(datetime(2026, 11, 5, 5, 0))        # an hour today, an hour tomorrow
        third = self.tried('no_answer', datetime(2026, 11, 5, 5, 0), 'o3')
        self.assertEqual(self.callbacks().state, 'cancelled')
        decide = self.lead.activity_ids
        self.assertEqual((decide.user_id, decide.activity_type_id), (self.boris, self.env.ref('mail.mail_activity_data_todo')))
        self.assertEqual([(call.attempt, call.effect_ids.kind, call.effect_ids.state) for call in (first, second, third)], [
            (1, 'callback', 'done'), (2, 'callback', 'done'), (3, 'give_up', 'done')])

    def test_busy(self):
        pbx = type('ThisPbx', (Pbx,), {'told': []})
        self.startPatcher(patch.dict(clients_base._clients, {'generic': pbx}))
        self.env.registry.clear_cache()
        call = self.tried('busy')
        due = WEDNESDAY + timedelta(minutes=5)
        self.assertPromised(due)
        self.assertRecordValues(self.effects(call)['redial'], [{'state': 'planned', 'due_at': due}])
        self.work_off(due - timedelta(seconds=1))
        self.assertFalse(pbx.told)
        self.work_off(due)
        self.assertEqual(pbx.told, [('101', CUSTOMER)], "the phone of who had called")
        self.assertEqual(self.effects(call)['redial'].state, 'done')
        self.assertPromised(due)
        self.work_off(due + timedelta(minutes=1))
        self.assertEqual(len(pbx.told), 1)

    def test_failed(self):
        call = self.tried('failed')
        self.assertFalse(self.callbacks())
        self.assertEqual(self.lead.telephony_check_number, CUSTOMER)
        self.assertEqual(self.partner.telephony_check_number, CUSTOMER)
        self.assertEqual(self.lead.activity_ids.user_id, self.boris)
        self.assertIn(CUSTOMER, self.lead.activity_ids.summary)
        self.assertEqual(self.told(self.boris), ["Number cannot be reached: Customer"])
        self.assertEqual({kind: effect.state for kind, effect in self.effects(call).items()},
                         {'check_number': 'done', 'notify': 'done'})

    def test_failed_number_is_right_again(self):
        for right in ('talk', 'other number', 'somebody says so'):
            with self.subTest(right):
                self.tried('failed', call_id=right)
                self.assertTrue(self.partner.telephony_check_number)
                if right == 'talk':
                    self.lost('answered', WEDNESDAY + timedelta(minutes=5), 'talked', extension='101', talk_seconds=60)
                elif right == 'other number':
                    self.partner.phone = self.lead.phone = '8 777 123 45 67'
                else:
                    self.partner.with_user(self.anna).action_telephony_number_checked()
                    self.lead.with_user(self.boris).action_telephony_number_checked()
                self.assertFalse(self.partner.telephony_check_number or self.lead.telephony_check_number)

    def test_voicemail(self):
        self.lost('voicemail')
        self.assertPromised(datetime(2026, 11, 5, 4, 0))        # the next working morning
        self.tried('voicemail', datetime(2026, 11, 5, 9, 0), called=STRANGER)
        self.assertPromised(datetime(2026, 11, 9, 4, 0), number=STRANGER)
        self.assertFalse(self.texts() or self.texts(STRANGER))

    def test_short_talk(self):
        call = self.lost('answered', talk_seconds=29, extension='101')
        self.assertTrue(call.is_short)
        self.assertFalse(self.callbacks())
        self.assertRecordValues(self.lead.activity_ids, [{
            'user_id': self.anna.id, 'summary': "Only 0:29 with Customer: what was it about?",
            'date_deadline': WEDNESDAY.date()}])
        self.assertFalse(self.told(self.boris), "a short talk is nothing to tell the salesperson")
        self.lost('answered', WEDNESDAY + timedelta(minutes=5), 'again', talk_seconds=3, extension='101')
        self.assertEqual(len(self.lead.activity_ids), 1, "the same question is not asked twice")

    def test_answered_by_somebody_else_than_the_salesperson(self):
        call = self.lost('answered', talk_seconds=80, extension='101')
        self.assertEqual(self.told(self.boris), ["Answered by somebody else than the salesperson: Customer"])
        notice = self.env['mail.message'].search([('message_type', '=', 'user_notification')], limit=1, order='id desc')
        self.assertIn(f'/odoo/telephony-calls/{call.id}', notice.body)
        self.assertIn("Anna", notice.body)
        self.assertFalse(self.told(self.anna))
        self.lost('answered', WEDNESDAY + timedelta(minutes=9), 'own', talk_seconds=80, extension='102')
        self.assertEqual(len(self.told(self.boris)), 1)

    def test_the_salesperson_may_listen_to_what_he_is_told_about(self):
        call = self.lost('answered', talk_seconds=80, extension='101')
        self.play(self.event('recording', 'c', recording_url='https://records.example.com/a.mp3'))
        self.assertTrue(call.recording_ids.with_user(self.boris).has_access('read'))
        other = new_test_user(self.env, 'tel_other', groups='crm_telephony.group_user')
        self.assertFalse(call.recording_ids.with_user(other).has_access('read'))
