"""Every outcome has its consequence: the customer's table row by row, and rules when things are not
as they should be."""

from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time
from psycopg2.errors import SerializationFailure

from odoo.exceptions import ValidationError
from odoo.modules.migration import load_script
from odoo.tests import Form, new_test_user
from odoo.tools import convert_file, file_path

from ..providers.numbers import pretty
from .common import CUSTOMER, TelephonyCase, TelephonyHttpCase

# a Wednesday, 15:00 in Almaty (UTC+5); the Friday after it is a holiday
WEDNESDAY = datetime(2026, 11, 4, 10, 0)
STRANGER = '+77012223344'
NO_CALLBACK = (
    "Not sent: the text announces a callback, and none is due after the time at which it may go out"
)
# midnight before the holiday, and when texts go out on it; the office opens on Monday
HOLIDAY_NIGHT, HOLIDAY_MORNING = datetime(2026, 11, 5, 19, 0), datetime(2026, 11, 6, 4, 0)


class RulesMixin:
    """Time stands still at the moment of which the PBX tells."""

    @classmethod
    def set_up_rules(cls):
        cls.company.write({'telephony_effect_hours': 48, 'name': "Almaty Wholesale"})
        cls.calendar.attendance_ids.unlink()
        cls.calendar.attendance_ids = [
            (
                0,
                0,
                {
                    'name': f'{day} {first}',
                    'dayofweek': str(day),
                    'hour_from': first,
                    'hour_to': last,
                    'day_period': 'morning' if first < 13 else 'afternoon',
                },
            )
            for day in range(5)
            for first, last in ((9, 13), (14, 18))
        ]
        cls.env['resource.calendar.leaves'].create(
            {
                'name': "Holiday",
                'calendar_id': cls.calendar.id,
                'company_id': cls.company.id,
                'date_from': datetime(2026, 11, 5, 19, 0),
                'date_to': datetime(2026, 11, 6, 19, 0),
            }
        )
        cls.env.ref('crm_telephony.rule_short').active = cls.env.ref(
            'crm_telephony.rule_answered_by_other'
        ).active = True
        (cls.anna | cls.boris | cls.supervisor).notification_type = 'inbox'
        cls.lead = cls.new_lead(user_id=cls.boris.id, name="Flour, 20 t")
        cls.env['mail.notification'].search(
            [('res_partner_id', '=', cls.boris.partner_id.id)]
        ).unlink()

    def tell(self, at, *events):
        """Let the PBX tell calls at a moment (naive UTC) and everything happen that follows at
        once."""
        with freeze_time(at):
            self.play(*events)

    def lost(self, outcome, at=WEDNESDAY, call_id='c', **more):
        self.tell(
            at,
            self.event(
                'ended',
                call_id,
                f'{at.isoformat()}+00:00',
                outcome=outcome,
                **{'wait_seconds': 20, **more},
            ),
        )
        return self.call(call_id)

    def tried(self, outcome, at=WEDNESDAY, call_id='o', **more):
        self.tell(
            at, self.outbound('ended', call_id, f'{at.isoformat()}+00:00', outcome=outcome, **more)
        )
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
        return (
            self.env['mail.notification']
            .search(
                [
                    ('res_partner_id', '=', user.partner_id.id),
                    ('mail_message_id.message_type', '=', 'user_notification'),
                ],
                order='id',
            )
            .mail_message_id.mapped('subject')
        )

    def states(self, call):
        return {effect.kind: effect.state for effect in call.effect_ids}

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
        self.assertRecordValues(
            self.callbacks(number), [{'state': 'open', 'due_at': due, 'priority': priority}]
        )

    def test_missed_in_working_hours(self):
        call = self.lost('missed')
        self.assertPromised(WEDNESDAY + timedelta(minutes=15))
        self.assertEqual(self.callbacks().rule_id, self.env.ref('crm_telephony.rule_missed'))
        self.assertRecordValues(
            self.texts(),
            [
                {
                    'state': 'outgoing',
                    'partner_id': self.partner.id,
                    'body': "Almaty Wholesale: sorry we missed your call. We will call you back by 15:15.",
                }
            ],
        )
        self.assertEqual(
            self.texts().mail_message_id.res_id,
            self.lead.id,
            "the SMS stands in the chatter of the deal",
        )
        self.assertEqual(self.texts().mail_message_id.notification_ids.notification_type, 'sms')
        self.assertEqual(self.states(call), {'callback': 'done', 'sms': 'done'})
        self.assertFalse(self.told(self.supervisor))

    def test_missed_just_before_lunch_and_before_the_holiday(self):
        self.lost('missed', datetime(2026, 11, 4, 7, 50))  # 12:50
        self.assertPromised(datetime(2026, 11, 4, 9, 5))  # lunch from 13 to 14
        # Thursday 17:55
        self.lost('missed', datetime(2026, 11, 5, 12, 55), 'eve', caller=STRANGER)
        self.assertPromised(datetime(2026, 11, 9, 4, 10), number=STRANGER)  # Monday 9:10

    def test_missed_out_of_working_hours(self):
        opening = datetime(2026, 11, 9, 4, 0)  # Monday 9:00
        self.lost('missed', datetime(2026, 11, 5, 15, 0))  # Thursday 20:00
        self.assertPromised(opening)
        self.assertEqual(self.callbacks().rule_id, self.env.ref('crm_telephony.rule_missed_out'))
        self.assertEqual(
            self.texts().body,
            "Almaty Wholesale: we are closed now. We will call you back when we open, "
            "Monday, 9 November, 09:00.",
        )
        self.lost('missed', datetime(2026, 11, 4, 8, 30), 'at lunch', caller=STRANGER)
        self.assertPromised(datetime(2026, 11, 4, 9, 0), number=STRANGER)

    def test_abandoned_after_more_than_a_minute(self):
        call = self.lost('abandoned', wait_seconds=61)
        self.assertPromised(WEDNESDAY + timedelta(minutes=2), '1')
        self.assertEqual(
            self.told(self.supervisor), ["Hung up after waiting more than a minute: Customer"]
        )
        self.assertFalse(self.told(self.anna) or self.told(self.boris))
        self.assertFalse(self.texts())
        self.assertEqual(call.effect_ids.rule_id, self.env.ref('crm_telephony.rule_abandoned_long'))

    def test_abandoned_after_a_minute_or_less(self):
        self.lost('abandoned', wait_seconds=60)
        # before those who were merely missed
        self.assertPromised(WEDNESDAY + timedelta(minutes=15), '1')
        self.assertEqual(len(self.texts()), 1)
        self.assertFalse(self.told(self.supervisor))

    def test_no_answer_three_times(self):
        first = self.tried('no_answer')
        self.assertPromised(WEDNESDAY + timedelta(hours=2))
        second = self.tried('no_answer', WEDNESDAY + timedelta(hours=2), 'o2')  # 17:00
        self.assertPromised(datetime(2026, 11, 5, 5, 0))  # an hour today, an hour tomorrow
        third = self.tried('no_answer', datetime(2026, 11, 5, 5, 0), 'o3')
        self.assertEqual(self.callbacks().state, 'cancelled')
        decide = self.lead.activity_ids
        self.assertEqual(
            (decide.user_id, decide.activity_type_id),
            (self.boris, self.env.ref('mail.mail_activity_data_todo')),
        )
        self.assertEqual(
            [
                (call.attempt, call.effect_ids.kind, call.effect_ids.state)
                for call in (first, second, third)
            ],
            [(1, 'callback', 'done'), (2, 'callback', 'done'), (3, 'give_up', 'done')],
        )

    def test_busy(self):
        pbx = self.plug_in()
        call = self.tried('busy')
        due = WEDNESDAY + timedelta(minutes=5)
        self.assertPromised(due)
        self.assertRecordValues(self.effects(call)['redial'], [{'state': 'planned', 'due_at': due}])
        self.work_off(due - timedelta(seconds=1))
        self.assertFalse(pbx.told)
        self.work_off(due)
        self.assertEqual(pbx.told, [('dial', '101', CUSTOMER)], "the phone of who had called")
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
        self.lost('missed', WEDNESDAY + timedelta(minutes=1))
        self.assertTrue(self.callbacks().with_user(self.boris).is_number_to_check)
        self.assertEqual(self.states(call), {'check_number': 'done', 'notify': 'done'})

    def test_failed_number_is_right_again(self):
        for right in ('talk', 'other number', 'somebody says so'):
            with self.subTest(right):
                self.tried('failed', call_id=right)
                self.assertTrue(self.partner.telephony_check_number)
                if right == 'talk':
                    self.lost(
                        'answered',
                        WEDNESDAY + timedelta(minutes=5),
                        'talked',
                        extension='101',
                        talk_seconds=60,
                    )
                elif right == 'other number':
                    self.partner.phone = self.lead.phone = '8 777 123 45 67'
                else:
                    self.partner.with_user(self.anna).action_telephony_number_checked()
                    self.lead.with_user(self.boris).action_telephony_number_checked()
                self.assertFalse(
                    self.partner.telephony_check_number or self.lead.telephony_check_number
                )

    def test_voicemail(self):
        self.lost('voicemail')
        self.assertPromised(datetime(2026, 11, 5, 4, 0))  # the next working morning
        # one o'clock on Wednesday, and half past eight: before the work of that day
        night = '+77012223355'
        self.lost('voicemail', datetime(2026, 11, 3, 20, 0), 'night', caller=night)
        self.assertPromised(datetime(2026, 11, 4, 4, 0), number=night)
        early = '+77012223366'
        self.tried('voicemail', datetime(2026, 11, 4, 3, 30), 'early', called=early)
        self.assertPromised(datetime(2026, 11, 5, 4, 0), number=early)
        self.tried('voicemail', datetime(2026, 11, 5, 9, 0), called=STRANGER)
        self.assertPromised(datetime(2026, 11, 9, 4, 0), number=STRANGER)
        self.assertFalse(self.texts() or self.texts(STRANGER))

    def test_short_talk(self):
        call = self.lost('answered', talk_seconds=29, extension='101')
        self.assertTrue(call.is_short)
        self.assertFalse(self.callbacks())
        self.work_off(WEDNESDAY + timedelta(minutes=10))
        self.assertRecordValues(
            self.lead.activity_ids,
            [
                {
                    'user_id': self.anna.id,
                    'summary': "Only 0:29 with Customer: what was it about?",
                    'date_deadline': WEDNESDAY.date(),
                }
            ],
        )
        self.assertFalse(self.told(self.boris), "a short talk is nothing to tell the salesperson")
        self.lost(
            'answered', WEDNESDAY + timedelta(minutes=15), 'again', talk_seconds=3, extension='101'
        )
        self.work_off(WEDNESDAY + timedelta(minutes=25))
        self.assertEqual(len(self.lead.activity_ids), 1, "the same question is not asked twice")

    def test_answered_by_somebody_else_than_the_salesperson(self):
        call = self.lost('answered', talk_seconds=80, extension='101')
        self.assertEqual(
            self.told(self.boris), ["Answered by somebody else than the salesperson: Customer"]
        )
        notice = self.env['mail.message'].search(
            [('message_type', '=', 'user_notification')], limit=1, order='id desc'
        )
        self.assertIn(f'/odoo/telephony-calls/{call.id}', notice.body)
        self.assertIn("Anna", notice.body)
        self.assertFalse(self.told(self.anna))
        self.lost(
            'answered', WEDNESDAY + timedelta(minutes=9), 'own', talk_seconds=80, extension='102'
        )
        self.assertEqual(len(self.told(self.boris)), 1)

    def test_a_salesperson_on_leave_is_told_all_the_same(self):
        """That is mostly why somebody else answers."""
        resource = self.env['resource.resource'].create({'name': "Boris", 'user_id': self.boris.id})
        self.env['resource.calendar.leaves'].create(
            {
                'name': "Leave",
                'resource_id': resource.id,
                'calendar_id': resource.calendar_id.id,
                'date_from': WEDNESDAY - timedelta(days=1),
                'date_to': WEDNESDAY + timedelta(days=1),
            }
        )
        self.lost('answered', talk_seconds=80, extension='101')
        self.assertEqual(
            self.told(self.boris), ["Answered by somebody else than the salesperson: Customer"]
        )
        self.assertFalse(self.told(self.anna))

    def test_who_is_on_leave_when_it_is_due_gets_nothing_to_do(self):
        self.number.user_id = self.anna
        resource = self.env['resource.resource'].create({'name': "Boris", 'user_id': self.boris.id})
        self.env['resource.calendar.leaves'].create(
            {
                'name': "Leave",
                'resource_id': resource.id,
                'calendar_id': resource.calendar_id.id,
                'date_from': WEDNESDAY + timedelta(hours=9),
                'date_to': WEDNESDAY + timedelta(days=1),
            }
        )
        self.env['telephony.rule'].create(
            {
                'name': "Tomorrow",
                'sequence': 1,
                'action_ids': [(0, 0, {'kind': 'activity', 'delay_kind': 'next_day'})],
            }
        )
        call = self.lost('missed')
        self.assertEqual(self.effects(call)['activity'].activity_id.user_id, self.anna)

    def test_the_supervisor_who_is_named(self):
        self.company.telephony_supervisor_id = self.anna
        self.lost('abandoned', wait_seconds=61)
        self.assertEqual(
            self.told(self.anna), ["Hung up after waiting more than a minute: Customer"]
        )
        self.assertFalse(self.told(self.supervisor))

    def test_the_salesperson_may_listen_to_what_he_is_told_about(self):
        call = self.lost('answered', talk_seconds=80, extension='101')
        self.play(self.event('recording', 'c', recording_url='https://records.example.com/a.mp3'))
        self.assertTrue(call.recording_ids.with_user(self.boris).has_access('read'))
        other = new_test_user(self.env, 'tel_other', groups='crm_telephony.group_user')
        self.assertFalse(call.recording_ids.with_user(other).has_access('read'))


class RulesCase(RulesMixin, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_rules()
        cls.rules = cls.env['telephony.rule']

    def follow_up_again(self, call, at=WEDNESDAY):
        call.action_follow_up_again()
        with freeze_time(at):
            self.file_calls()

    def only(self, *actions, **conditions):
        """The one rule that is left."""
        self.rules.search([]).active = False
        return self.rules.create(
            {
                'name': "The rule",
                'outcome': False,
                'direction': False,
                **conditions,
                'action_ids': [
                    (0, 0, {'kind': action} if isinstance(action, str) else action)
                    for action in actions
                ],
            }
        )


class TestEffects(RulesCase):
    """What rules do is done once, or says why not."""

    def test_replays_do_nothing_twice(self):
        call = self.lost('missed')
        other = self.lost(
            'answered',
            WEDNESDAY + timedelta(minutes=1),
            'talk',
            caller=STRANGER,
            talk_seconds=5,
            extension='101',
        )
        self.work_off(WEDNESDAY + timedelta(minutes=11))
        before = (call | other).effect_ids.mapped(
            lambda effect: (effect.id, effect.state, effect.note)
        )
        self.events().action_replay()
        self.file_calls()
        self.follow_up_again(call)
        self.follow_up_again(other)
        self.assertEqual(
            (call | other).effect_ids.mapped(lambda effect: (effect.id, effect.state, effect.note)),
            before,
        )
        self.assertEqual((len(self.texts()), len(self.callbacks())), (1, 1))
        self.assertEqual(self.env['mail.activity'].search_count([('summary', 'like', '0:05')]), 1)

    def test_calls_of_three_years_ago_lead_to_nothing_but_their_line(self):
        long_ago = datetime(2023, 11, 1, 10, 0)
        with freeze_time(WEDNESDAY):
            self.play(
                self.event('ended', 'old', long_ago.isoformat() + '+00:00', outcome='missed'),
                self.outbound('ended', 'old2', long_ago.isoformat() + '+00:00', outcome='failed'),
            )
        old = self.call('old') | self.call('old2')
        self.assertEqual(old.mapped('follow_up'), ['done', 'done'])
        self.assertEqual(len(old.message_id), 2)
        self.assertFalse(
            old.effect_ids or self.callbacks() or self.texts() or self.lead.activity_ids
        )

    def test_an_old_promise_stands_when_its_call_is_looked_at_again(self):
        call = self.lost('missed')
        callback = self.callbacks()
        self.follow_up_again(call, WEDNESDAY + timedelta(days=9))
        self.assertEqual((callback.state, call.callback_id), ('open', callback))
        self.lost(
            'answered',
            WEDNESDAY + timedelta(days=9, minutes=1),
            'late',
            talk_seconds=70,
            extension='101',
        )
        self.assertEqual(callback.state, 'done')

    def test_a_loss_that_joined_opens_none_when_it_is_looked_at_after_the_closing(self):
        self.lost('missed')
        joined = self.lost('missed', WEDNESDAY + timedelta(minutes=1), 'joined')
        self.callbacks().with_user(self.boris).action_done()
        self.follow_up_again(joined, WEDNESDAY + timedelta(minutes=30))
        self.assertEqual(
            self.callbacks().mapped('state'), ['done'], "what a person has closed stays closed"
        )
        later = self.lost('missed', WEDNESDAY + timedelta(minutes=40), 'later')
        due, origin = later.callback_id.due_at, later.callback_id.origin_call_id
        self.follow_up_again(joined, WEDNESDAY + timedelta(minutes=50))
        self.assertEqual(
            (later.callback_id.due_at, later.callback_id.origin_call_id), (due, origin)
        )

    def test_looking_at_a_call_again_moves_no_promise(self):
        """Neither one that a person has put off, nor one that an attempt has."""
        call = self.lost('missed')
        tomorrow = WEDNESDAY + timedelta(days=1)
        self.callbacks().with_user(self.boris).due_at = tomorrow
        self.follow_up_again(call)
        self.assertEqual(self.callbacks().due_at, tomorrow)
        other = self.lost('missed', call_id='other', caller=STRANGER)
        self.tried('no_answer', WEDNESDAY + timedelta(minutes=5), called=STRANGER)
        due = self.callbacks(STRANGER).due_at
        self.assertGreater(due, WEDNESDAY + timedelta(hours=2))
        self.follow_up_again(other, WEDNESDAY + timedelta(minutes=10))
        self.assertEqual(self.callbacks(STRANGER).due_at, due)

    def test_a_loss_that_was_none_leaves_the_later_one_its_promise(self):
        self.lost('missed')
        later = self.lost('missed', WEDNESDAY + timedelta(minutes=2), 'later')
        self.lost('answered', extension='101', talk_seconds=60)
        self.assertRecordValues(
            self.callbacks(),
            [
                {
                    'state': 'open',
                    'origin_call_id': later.id,
                    'lost_at': WEDNESDAY + timedelta(minutes=2),
                }
            ],
        )
        self.assertEqual(
            (self.call('c').callback_id, later.callback_id),
            (self.env['telephony.callback'], self.callbacks()),
        )

    def test_what_a_rule_has_put_off_ends_with_the_rule(self):
        call = self.lost('missed', HOLIDAY_NIGHT)
        self.assertEqual(self.states(call)['sms'], 'planned')
        self.env.ref('crm_telephony.rule_missed_out').active = False
        self.work_off(HOLIDAY_MORNING)
        self.assertEqual(
            (self.states(call), len(self.texts())), ({'callback': 'done', 'sms': 'skipped'}, 0)
        )

    def test_a_rule_that_is_switched_off_takes_nothing_back(self):
        call = self.lost('missed')
        self.rules.search([]).active = False
        self.follow_up_again(call)
        self.assertEqual(self.callbacks().state, 'open')

    def test_what_turns_out_otherwise_does_not_follow_any_more(self):
        night = HOLIDAY_NIGHT  # the SMS waits
        call = self.lost('missed', night)
        sms = self.effects(call)['sms']
        self.assertEqual((sms.state, sms.due_at), ('planned', HOLIDAY_MORNING))
        self.tell(
            night,
            self.event(
                'ended',
                'c',
                night.isoformat() + '+00:00',
                outcome='answered',
                extension='101',
                talk_seconds=60,
            ),
        )
        self.assertEqual(
            {effect.kind: effect.state for effect in call.effect_ids if effect.kind != 'notify'},
            {'callback': 'skipped', 'sms': 'skipped'},
        )
        self.work_off(HOLIDAY_MORNING)
        self.assertFalse(self.texts() or self.callbacks())

    def test_colleagues_lead_to_nothing(self):
        with freeze_time(WEDNESDAY):
            self.play(
                self.event('ended', 'c', WEDNESDAY.isoformat() + '+00:00', outcome='missed'),
                follow_up=False,
            )
            call = self.call('c')
            call.is_excluded = True
            self.file_calls()
        self.assertEqual(call.follow_up, 'done')
        self.assertFalse(call.effect_ids or self.callbacks())

    def test_a_broken_template_stops_only_itself_and_says_so(self):
        template = self.env.ref('crm_telephony.sms_template_missed')
        right, rule = template.body, self.env.ref('crm_telephony.rule_missed')
        template.body = "We call {{ object.who_knows_what() }}"
        with self.assertLogs('odoo.addons.crm_telephony.models.rules.rule', 'ERROR'):
            call = self.lost('missed')
        self.assertEqual(self.callbacks().state, 'open')
        self.assertEqual(self.effects(call)['sms'].state, 'error')
        self.assertIn('who_knows_what', self.effects(call)['sms'].note)
        self.assertIn('who_knows_what', rule.error)
        self.assertEqual(call.follow_up, 'error')
        other = self.lost(
            'answered',
            WEDNESDAY + timedelta(minutes=1),
            'other',
            caller=STRANGER,
            talk_seconds=5,
            extension='101',
        )
        self.assertEqual(other.follow_up, 'done')
        template.body = right
        rule.name = "Mended"
        self.assertFalse(rule.error)
        with freeze_time(WEDNESDAY + timedelta(minutes=10)):
            self.file_calls()
        self.assertEqual((call.follow_up, len(self.texts())), ('done', 1))
        self.assertEqual(self.effects(call)['sms'].state, 'done')

    def test_a_broken_rule_does_not_stop_the_others(self):
        model = type(self.rules)

        def fits(rule, facts, right=model._fits):
            if rule == self.env.ref('crm_telephony.rule_abandoned_long'):
                raise ZeroDivisionError("a broken condition")
            return right(rule, facts)

        with (
            patch.object(model, '_fits', fits),
            self.assertLogs('odoo.addons.crm_telephony.models.rules.rule', 'ERROR'),
        ):
            self.lost('missed')
        self.assertEqual((self.callbacks().state, len(self.texts())), ('open', 1))
        self.assertIn("a broken condition", self.env.ref('crm_telephony.rule_abandoned_long').error)

    def test_who_writes_at_the_same_time_is_waited_for(self):
        """The scheduled actions come back in a minute; they do not fail."""
        self.only(
            {'kind': 'activity', 'delay_kind': 'real'},
            {
                'kind': 'sms',
                'delay_kind': 'real',
                'delay_minutes': 10,
                'sms_template_id': self.env.ref('crm_telephony.sms_template_missed').id,
            },
        )
        model = type(self.env['telephony.effect'])

        def crowded(effects, *args):
            raise SerializationFailure("somebody else writes")

        def woken(cron, at):
            return self.env['ir.cron.trigger'].search_count(
                [
                    ('cron_id', '=', self.env.ref(f'crm_telephony.{cron}').id),
                    ('call_at', '=', at + timedelta(minutes=1)),
                ]
            )

        with (
            patch.object(model, '_do_activity', lambda effects: {}['broken']),
            patch.object(model, '_do_alone', crowded),
        ):
            call = self.lost('missed')
        self.assertEqual((call.follow_up, woken('ir_cron_follow_up', WEDNESDAY)), ('todo', 1))
        with freeze_time(WEDNESDAY):
            self.file_calls()
        self.assertEqual(self.states(call), {'activity': 'done', 'sms': 'planned'})
        later = WEDNESDAY + timedelta(minutes=10)
        with patch.object(model, '_do_sms', crowded):
            self.work_off(later)
        self.assertEqual(
            (self.states(call)['sms'], woken('ir_cron_effects', later)), ('planned', 1)
        )

    def test_in_the_language_of_whoever_reads(self):
        """What a scheduled action writes later as well: it has no language of its own."""
        self.env['res.lang']._activate_lang('ru_RU')
        self.company.partner_id.lang = 'ru_RU'
        self.only({'kind': 'notify', 'delay_kind': 'real', 'delay_minutes': 10})
        call = self.lost('missed')
        self.work_off(WEDNESDAY + timedelta(minutes=10))
        told = self.effects(call)['notify']
        self.assertEqual(told.state, 'done')
        self.assertEqual(told.note, "Told Boris")
        self.assertEqual(
            told.with_context(lang='ru_RU').note,
            told.with_context(lang='ru_RU').env._("Told %(users)s", users="Boris"),
        )
        self.assertNotIn("Told", told.with_context(lang='ru_RU').note)

    def test_nobody_is_told_where_nobody_is(self):
        """No owner, no leader, no e-mail address, an archived team."""
        self.lead.user_id = self.lead.team_id = False
        team = self.env['crm.team'].create(
            {'name': "Gone", 'user_id': self.anna.id, 'active': False}
        )
        self.number.team_id = team
        self.supervisor.write({'email': False, 'notification_type': 'email'})
        call = self.lost('abandoned', wait_seconds=90)
        self.assertEqual(self.states(call), {'callback': 'done', 'notify': 'done'})
        self.assertEqual(call.follow_up, 'done')
        self.only(
            {'kind': 'activity', 'who': 'leader'},
            {'kind': 'notify', 'who': 'user', 'user_id': self.anna.id},
        )
        self.number.team_id = False
        self.anna.active = False
        call = self.lost('missed', WEDNESDAY + timedelta(minutes=1), 'm', caller=STRANGER)
        self.assertEqual(set(call.effect_ids.mapped('state')), {'skipped'})
        self.assertEqual(call.follow_up, 'done')


class TestSms(RulesCase):
    """Texts to customers: in their language, by day, and not too many."""

    def test_in_the_language_of_the_customer(self):
        for lang in ('ru_RU', 'kk_KZ'):
            self.env['res.lang']._activate_lang(lang)
        template = self.env.ref('crm_telephony.sms_template_missed')
        template.with_context(lang='ru_RU').body = "Перезвоним до {{ object.promised_time }}"
        template.with_context(
            lang='kk_KZ'
        ).body = "Біз {{ object.promised_time }} дейін қоңырау шаламыз"
        self.partner.lang = 'kk_KZ'
        self.company.partner_id.lang = 'ru_RU'
        self.lost('missed')
        self.lost('missed', call_id='stranger', caller=STRANGER)
        self.assertEqual(self.texts().body, "Біз 15:15 дейін қоңырау шаламыз")
        self.assertEqual(self.texts(STRANGER).body, "Перезвоним до 15:15")

    def test_a_day_needs_no_case(self):
        """Russian and Kazakh inflect what stands after "by"; a day and a time come as they are."""
        for lang in ('ru_RU', 'kk_KZ'):
            self.env['res.lang']._activate_lang(lang)
        self.env['ir.module.module']._load_module_terms(['crm_telephony'], ['kk_KZ'])
        template = self.env.ref('crm_telephony.sms_template_missed').with_context(lang='kk_KZ')
        shipped = template.body
        self.assertIn("шалу мерзімі: {{ object.promised_time }}.", shipped)
        script = load_script(
            file_path('crm_telephony/migrations/19.0.2.0.0/post-sms.py'), 'post_sms'
        )
        for lang, (old, new) in script.REWORDED.items():
            for before, after in ((old, new), ("Our own", "Our own")):
                translated = template.with_context(lang=lang)
                translated.body = before
                self.env.flush_all()
                script.migrate(self.cr, '19.0.1.1.0')
                self.env.invalidate_all()
                self.assertEqual(translated.body, after)
        self.assertEqual(script.REWORDED['kk_KZ'][1], shipped)

    def test_who_gets_none(self):
        self.env['phone.blacklist'].create({'number': '+77015556677'})
        for number, note in (
            ('+77272223344', "No mobile number"),
            ('+77015556677', "The number is blacklisted"),
        ):
            call = self.lost('missed', call_id=number, caller=number)
            self.assertRecordValues(self.effects(call)['sms'], [{'state': 'skipped', 'note': note}])
            self.assertEqual(self.callbacks(number).state, 'open')
            self.assertFalse(self.texts(number))

    def test_without_a_promise_too(self):
        """A rule may send a text and nothing else; who was reached before it goes out gets none."""
        template = self.env.ref('crm_telephony.sms_template_missed')
        self.only({'kind': 'sms', 'sms_template_id': template.id}, outcome='missed')
        call = self.lost('missed', call_id='untrue')
        self.assertRecordValues(
            call.effect_ids,
            [{'state': 'skipped', 'note': NO_CALLBACK}],
        )
        template.body = "Sorry we missed your call"
        call = self.lost('missed')
        self.assertEqual((self.states(call), len(self.texts())), ({'sms': 'done'}, 1))
        night = datetime(2026, 11, 4, 19, 0)
        late = self.lost('missed', night, 'night', caller=STRANGER)
        self.lost(
            'answered',
            night + timedelta(minutes=5),
            'talk',
            caller=STRANGER,
            talk_seconds=60,
            extension='102',
        )
        self.work_off(datetime(2026, 11, 5, 4, 0))
        self.assertEqual((self.states(late), len(self.texts(STRANGER))), ({'sms': 'skipped'}, 0))

    def test_not_to_a_number_that_is_ignored_meanwhile(self):
        self.only(
            {'kind': 'sms', 'sms_template_id': self.env.ref('crm_telephony.sms_template_missed').id}
        )
        call = self.lost('voicemail', datetime(2026, 11, 4, 19, 0), caller=STRANGER)
        call.with_user(self.supervisor).action_ignore_number()
        self.work_off(datetime(2026, 11, 5, 4, 0))
        self.assertEqual((self.states(call), len(self.texts(STRANGER))), ({'sms': 'skipped'}, 0))

    def test_a_long_night(self):
        """Where texts go out for few hours a day, the one of the evening still goes out in the
        morning."""
        self.company.write({'telephony_sms_from': 10, 'telephony_sms_to': 18})
        call = self.lost('missed', datetime(2026, 11, 5, 13, 30))  # 18:30
        self.work_off(datetime(2026, 11, 6, 5, 0))
        self.assertEqual(self.states(call)['sms'], 'done')

    def test_a_day_after_the_call(self):
        template = self.env.ref('crm_telephony.sms_template_missed')
        template.body = "Sorry we missed your call"
        self.only(
            {
                'kind': 'sms',
                'sms_template_id': template.id,
                'delay_kind': 'real',
                'delay_minutes': 1440,
            },
            outcome='missed',
        )
        call = self.lost('missed')
        self.work_off(WEDNESDAY + timedelta(days=1))
        self.assertEqual((self.states(call), len(self.texts())), ({'sms': 'done'}, 1))

    def test_not_twice_within_the_quiet_time(self):
        self.lost('missed')
        self.lost(
            'answered', WEDNESDAY + timedelta(minutes=5), 'talk', talk_seconds=60, extension='102'
        )
        second = self.lost('missed', WEDNESDAY + timedelta(minutes=30), 'second')
        self.assertEqual((self.effects(second)['sms'].state, len(self.texts())), ('skipped', 1))
        self.callbacks().with_user(self.boris).action_done()
        self.lost('missed', WEDNESDAY + timedelta(minutes=245), 'third')
        self.assertEqual(len(self.texts()), 2)

    def test_many_at_once_get_one_each(self):
        with freeze_time(WEDNESDAY):
            self.play(
                *(
                    self.event(
                        'ended',
                        f'm{index}',
                        WEDNESDAY.isoformat() + '+00:00',
                        outcome='missed',
                        caller=(CUSTOMER, STRANGER)[index % 2],
                    )
                    for index in range(6)
                )
            )
        self.assertEqual((len(self.texts()), len(self.texts(STRANGER))), (1, 1))
        self.assertEqual(len(self.callbacks() | self.callbacks(STRANGER)), 2)

    def test_queries_do_not_grow_with_the_strangers(self):
        def effects(count):
            with freeze_time(WEDNESDAY):
                self.play(
                    *(
                        self.event(
                            'ended',
                            f's{count}-{index}',
                            WEDNESDAY.isoformat() + '+00:00',
                            outcome='missed',
                            caller=f'+77013{count:02}00{index:02}',
                        )
                        for index in range(count)
                    ),
                    follow_up=False,
                )
            calls = self.env['telephony.call'].search([('external_id', '=like', f's{count}-%')])
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            with freeze_time(WEDNESDAY):
                calls._follow_up()
                self.env.flush_all()
            self.assertEqual(set(calls.effect_ids.mapped('state')), {'done'})
            return self.env.cr.sql_log_count - before

        effects(2)  # caches
        few = effects(3)
        self.assertLess(effects(30) - few, 20)

    def test_the_night_of_the_customer(self):
        """A customer in New York does not hear of us at six in the morning, one in Almaty does not
        at night."""
        american = '+12125550123'
        # 5:00 there, a holiday here
        self.lost('missed', datetime(2026, 11, 6, 10, 0), 'us', caller=american)
        self.assertFalse(self.texts(american))
        self.work_off(datetime(2026, 11, 6, 13, 59))
        self.assertFalse(self.texts(american))
        self.work_off(datetime(2026, 11, 6, 14, 0))
        self.assertIn("Sunday, 8 November, 23:00", self.texts(american).body)
        one, two = (
            self.lost('missed', HOLIDAY_NIGHT + timedelta(minutes=index), f'night{index}')
            for index in range(2)
        )
        self.work_off(HOLIDAY_MORNING)
        self.assertEqual(
            [self.effects(call)['sms'].state for call in (one, two)], ['done', 'skipped']
        )
        self.assertIn("Monday, 9 November, 09:00", self.texts().body)

    def test_no_text_comes_after_what_it_announces(self):
        """Where the morning brings the call it needs no text that still says that we are closed."""
        untrue = NO_CALLBACK
        # 22:00, and the office opens at nine as well
        for call_id, at in (
            ('night', datetime(2026, 11, 3, 17, 0)),
            ('early', datetime(2026, 11, 4, 3, 5)),
            ('American', WEDNESDAY),
        ):
            number = '+12125550123' if call_id == 'American' else f'+7701{at:%d%H%M}0'
            call = self.lost('missed', at, call_id, caller=number)
            self.assertRecordValues(
                self.effects(call)['sms'], [{'state': 'skipped', 'note': untrue}]
            )
            self.assertEqual(self.callbacks(number).state, 'open')
        call = self.lost('missed', HOLIDAY_NIGHT)
        self.assertEqual(self.states(call)['sms'], 'planned')
        self.callbacks().with_user(self.boris).due_at = HOLIDAY_MORNING - timedelta(minutes=5)
        self.work_off(HOLIDAY_MORNING)
        self.assertRecordValues(self.effects(call)['sms'], [{'state': 'skipped', 'note': untrue}])
        self.assertFalse(self.texts())

    def test_who_was_reached_before_the_morning_gets_none(self):
        call = self.lost('missed', HOLIDAY_NIGHT)
        self.callbacks().with_user(self.boris).action_done()
        self.work_off(HOLIDAY_MORNING)
        self.assertRecordValues(
            self.effects(call)['sms'],
            [{'state': 'skipped', 'note': "The customer was reached meanwhile"}],
        )
        self.assertFalse(self.texts())

    def test_the_gateway_is_down(self):
        call = self.lost('missed')
        sms = self.texts()
        with patch(
            'odoo.addons.sms.tools.sms_api.SmsApi._send_sms_batch',
            side_effect=ConnectionError("no route"),
        ):
            sms.send()
        self.assertEqual((sms.state, sms.failure_type), ('error', 'sms_server'))
        self.assertEqual(self.effects(call)['sms'].state, 'error')
        self.assertIn("the SMS gateway cannot be reached", str(self.effects(call)['sms'].note))
        self.assertEqual((call.follow_up, self.callbacks().state), ('done', 'open'))
        self.follow_up_again(call)
        self.assertEqual(len(self.texts()), 1, "that is for Odoo's own resend")
        with patch(
            'odoo.addons.sms.tools.sms_api.SmsApi._send_sms_batch',
            return_value=[{'uuid': sms.uuid, 'state': 'success'}],
        ):
            sms.resend_failed()
        self.assertEqual(self.effects(call)['sms'].state, 'done')


class TestRedial(RulesCase):
    """The customer was busy: the employee's phone rings again, if it makes sense then."""

    DUE = WEDNESDAY + timedelta(minutes=5)

    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in(call_id='redialled')

    def redial(self, call_id='busy'):
        self.busy_call = self.tried('busy', call_id=call_id)
        return self.effects(self.busy_call)['redial']

    def test_the_call_that_comes_of_it_is_the_deals(self):
        self.redial()
        self.work_off(self.DUE)
        self.tried('answered', self.DUE + timedelta(minutes=2), 'redialled', talk_seconds=60)
        self.assertEqual(self.call('redialled').lead_id, self.lead)
        self.assertEqual(self.callbacks().state, 'done')

    def test_not_while_the_customer_or_the_employee_talks(self):
        for name, event in (
            (
                'customer',
                self.event('answered', 'talk1', self.DUE.isoformat() + '+00:00', extension='102'),
            ),
            (
                'employee',
                self.event(
                    'answered',
                    'talk2',
                    self.DUE.isoformat() + '+00:00',
                    extension='101',
                    caller=STRANGER,
                ),
            ),
        ):
            with self.subTest(name):
                effect = self.redial(name)
                with freeze_time(self.DUE):
                    self.play(event)
                self.work_off(self.DUE)
                self.assertFalse(self.pbx.told)
                self.assertEqual(
                    (effect.state, effect.due_at), ('planned', self.DUE + timedelta(minutes=2))
                )
                self.work_off(self.DUE + timedelta(minutes=2))
                self.assertEqual(effect.state, 'planned')
                self.work_off(self.DUE + timedelta(minutes=31))
                self.assertRecordValues(
                    effect, [{'state': 'skipped', 'note': "Given up after 30 minutes"}]
                )
                (self.busy_call | self.call('talk1')).unlink()
                self.callbacks().unlink()

    def test_a_colleagues_talk_and_a_lost_end_hold_nobody_up(self):
        """Anna's phone rang too, but Boris talks; five hours ago she talked on a line whose end was
        lost."""

        def at(moment):
            return moment.isoformat() + '+00:00'

        effect = self.redial()
        with freeze_time(WEDNESDAY - timedelta(hours=5)):
            self.play(
                self.event(
                    'answered',
                    'lost end',
                    at(WEDNESDAY - timedelta(hours=5)),
                    extension='101',
                    caller=STRANGER,
                )
            )
        with freeze_time(self.DUE):
            self.play(
                *(
                    self.event(
                        what,
                        'group',
                        at(self.DUE - timedelta(seconds=9 - index)),
                        extension=phone,
                        caller=STRANGER,
                    )
                    for index, (what, phone) in enumerate(
                        (('ringing', '101'), ('ringing', '102'), ('answered', '102'))
                    )
                )
            )
        self.assertEqual(len(self.call('group').leg_ids), 2)
        self.work_off(self.DUE)
        self.assertEqual((effect.state, self.pbx.told), ('done', [('dial', '101', CUSTOMER)]))

    def test_not_when_the_promise_has_moved_on(self):
        effect = self.redial()
        self.tried('no_answer', WEDNESDAY + timedelta(minutes=2), 'again')
        self.work_off(self.DUE)
        self.assertRecordValues(
            effect, [{'state': 'skipped', 'note': "The customer has been called again since"}]
        )
        self.assertFalse(self.pbx.told)

    def test_not_when_somebody_else_has_taken_it(self):
        effect = self.redial()
        with freeze_time(WEDNESDAY + timedelta(minutes=1)):
            self.callbacks().with_user(self.boris).action_take()
        self.work_off(self.DUE)
        self.assertRecordValues(effect, [{'state': 'skipped', 'note': "Boris calls back"}])
        self.assertFalse(self.pbx.told)

    def test_not_when_he_was_reached_meanwhile(self):
        effect = self.redial()
        self.lost(
            'answered', WEDNESDAY + timedelta(minutes=3), 'back', extension='102', talk_seconds=60
        )
        self.work_off(self.DUE)
        self.assertEqual((effect.state, self.pbx.told), ('skipped', []))

    def test_not_who_does_not_want_to_be_disturbed(self):
        effect = self.redial()
        self.anna.telephony_dnd = True
        self.work_off(self.DUE)
        self.assertEqual((effect.state, self.pbx.told), ('skipped', []))

    def test_the_callback_stays_where_the_pbx_cannot(self):
        for complaint in ("extension offline", None):
            with self.subTest(complaint):
                effect = self.redial(str(complaint))
                self.pbx.complaint = complaint
                if not complaint:
                    self.unplug()
                self.work_off(self.DUE)
                self.assertEqual(effect.state, 'error')
                self.assertTrue(effect.note)
                self.assertEqual(self.callbacks().state, 'open')
                self.assertEqual(self.busy_call.follow_up, 'done')
                self.work_off(self.DUE + timedelta(minutes=1))
                self.assertLessEqual(len(self.pbx.told), 1)
                self.busy_call.unlink()
                self.callbacks().unlink()

    def test_it_ends_some_time(self):
        for index in range(4):
            call = self.tried('busy', WEDNESDAY + timedelta(minutes=6 * index), f'o{index}')
        self.assertEqual(call.effect_ids.mapped('kind'), ['callback'])
        self.assertEqual(self.callbacks().due_at, WEDNESDAY + timedelta(hours=2, minutes=18))


class TestPromises(RulesCase):
    def test_there_is_nothing_to_promise_to_who_was_talked_to(self):
        """A rule for every outcome promises where somebody waits, and fails nowhere."""
        self.only('callback')
        for minute, outcome in enumerate(('answered', 'missed')):
            call = self.lost(
                outcome,
                WEDNESDAY + timedelta(minutes=minute),
                outcome,
                extension='101',
                talk_seconds=60 if outcome == 'answered' else 0,
            )
            self.assertEqual(
                (self.states(call), call.follow_up),
                ({'callback': 'done' if outcome == 'missed' else 'skipped'}, 'done'),
            )
        self.assertEqual(len(self.callbacks()), 1)


class TestComplete(RulesCase):
    def test_an_action_has_what_it_cannot_do_without(self):
        foreign = self.env['sms.template'].create(
            {
                'name': "For contacts",
                'model_id': self.env['ir.model']._get_id('res.partner'),
                'body': "Hello",
            }
        )
        for values, words in [
            ({'kind': 'sms'}, "template of the SMS"),
            ({'kind': 'sms', 'sms_template_id': foreign.id}, "made for calls"),
            ({'kind': 'tag'}, "at least one tag"),
            *(
                ({'kind': kind, 'who': 'user'}, "Choose the user whom")
                for kind in ('callback', 'activity', 'notify', 'redial', 'check_number')
            ),
        ]:
            with (
                self.subTest(values),
                self.cr.savepoint(),
                self.assertRaisesRegex(ValidationError, words),
            ):
                self.only(values)
        rule = self.only(
            *({'kind': kind, 'who': 'user'} for kind in ('give_up', 'lead')), {'kind': 'notify'}
        )
        with self.assertRaisesRegex(ValidationError, "Choose the user whom “Notify” is for"):
            rule.action_ids[-1].who = 'user'


class TestConditions(RulesCase):
    """Which rules fit a call; deciding alone writes nothing."""

    def plan(self, call, rules=None):
        return (rules or self.rules.search([]))._plan(call)

    def test_planning_writes_nothing_and_is_what_happens(self):
        call = self.lost('missed')
        done = [
            (effect.rule_id, effect.action_id, effect.due_at)
            for effect in call.effect_ids.sorted('id')
        ]
        counts = [
            self.env[model].search_count([])
            for model in ('telephony.effect', 'telephony.callback', 'sms.sms')
        ]
        plan = self.plan(call)
        self.assertEqual([(one.rule, one.action, one.due_at) for one in plan], done)
        self.assertEqual(plan[0].users, self.boris)
        self.assertEqual(
            [
                self.env[model].search_count([])
                for model in ('telephony.effect', 'telephony.callback', 'sms.sms')
            ],
            counts,
        )

    def test_each_condition(self):
        vip = self.env['res.partner.category'].create({'name': "VIP"})
        source = self.env['utm.source'].create({'name': "Billboard"})
        team = self.env['crm.team'].create({'name': "North"})
        elsewhere = self.env['telephony.number'].create(
            {'name': '+77272507613', 'account_id': self.account.id}
        )
        self.number.write({'source_id': source.id, 'team_id': team.id})
        self.lead.write({'expected_revenue': 1000, 'team_id': team.id})
        self.company.name = "Head of a group"
        self.partner.parent_id = self.env['res.partner'].create(
            {'name': "Holding", 'category_id': [(4, vip.id)]}
        )
        missed = self.lost('missed', wait_seconds=30)
        stranger = self.lost(
            'missed', call_id='s', caller=STRANGER, called='+77272507613', wait_seconds=31
        )
        night = self.lost('missed', datetime(2026, 11, 4, 18, 0), 'night')
        talk = self.lost(
            'answered', WEDNESDAY + timedelta(days=2), 'talk', talk_seconds=40, extension='101'
        )
        own = self.lost(
            'answered', WEDNESDAY + timedelta(days=3), 'own', talk_seconds=10, extension='102'
        )
        tried = self.tried('no_answer', WEDNESDAY + timedelta(days=4))
        again = self.tried('no_answer', WEDNESDAY + timedelta(days=4, hours=1), 'o2')
        every = missed | stranger | night | talk | own | tried | again
        self.rules.search([]).active = False
        for conditions, fitting in (
            ({}, every),
            ({'outcome': 'missed'}, missed | stranger | night),
            ({'direction': 'outbound'}, tried | again),
            ({'working_time': 'in', 'outcome': 'missed'}, missed | stranger),
            # a holiday, a Saturday
            ({'working_time': 'out', 'direction': 'inbound'}, night | talk | own),
            ({'wait_over': 30, 'outcome': 'missed'}, stranger),
            ({'wait_most': 30, 'outcome': 'missed'}, missed | night),
            ({'talk_over': 39}, talk),
            ({'talk_most': 10, 'outcome': 'answered'}, own),
            ({'contact': 'short'}, own),
            ({'contact': 'real', 'outcome': 'answered'}, talk),
            ({'contact': 'real'}, talk),
            ({'attempt_least': 2}, again),
            ({'attempt_most': 1, 'direction': 'outbound'}, tried),
            ({'repeat_least': 2}, night),
            ({'number_ids': elsewhere.ids}, stranger),
            ({'source_ids': source.ids}, missed | night | talk | own),
            ({'team_ids': team.ids}, every - stranger),
            ({'account_ids': self.new_account(self.company, name="Other").ids}, every.browse()),
            ({'caller': 'unknown'}, stranger),
            ({'caller': 'known'}, every - stranger),
            ({'category_ids': vip.ids}, every - stranger),
            ({'answered_by': 'owner'}, own),
            ({'answered_by': 'other'}, talk),
            ({'answered_by': 'nobody'}, every - talk - own),
            ({'amount_least': 1000}, every - stranger),
            ({'amount_least': 1001}, every.browse()),
            (
                {'company_id': self.env['res.company'].create({'name': "Another"}).id},
                every.browse(),
            ),
        ):
            with self.subTest(conditions=conditions):
                rule = self.rules.create(
                    {
                        'name': "One",
                        'outcome': False,
                        'direction': False,
                        **conditions,
                        'action_ids': [(0, 0, {'kind': 'notify'})],
                    }
                )
                self.assertEqual(
                    every.browse(one.call.id for one in self.plan(every, rule)), fitting
                )
                self.assertIn('→', rule.summary)
                rule.active = False

    def test_a_stranger_whom_a_lead_was_made_of(self):
        """By the policy, before the rules are asked: he is unknown still, and known when he calls
        again."""
        self.company.telephony_lead_policy = 'missed'
        self.only({'kind': 'notify', 'who': 'user', 'user_id': self.anna.id}, caller='unknown')
        for minute, states in ((0, {'notify': 'done'}), (5, {})):
            call = self.lost(
                'missed', WEDNESDAY + timedelta(minutes=minute), f's{minute}', caller=STRANGER
            )
            self.assertEqual(call.lead_id.phone, STRANGER)
            self.assertEqual(self.states(call), states)

    def test_what_the_form_hides_holds_no_call_back(self):
        form = Form(self.rules)
        form.name, form.outcome, form.direction = "Talked", 'answered', 'inbound'
        form.contact, form.answered_by, form.talk_over, form.repeat_least = 'real', 'other', 60, 2
        form.outcome, form.direction = 'no_answer', 'outbound'
        form.wait_over, form.attempt_least = 10, 2
        rule = form.save()
        self.assertRecordValues(
            rule,
            [
                {
                    'contact': False,
                    'answered_by': False,
                    'talk_over': 0,
                    'repeat_least': 0,
                    'wait_over': 10,
                    'attempt_least': 2,
                }
            ],
        )
        form = Form(rule)
        form.outcome, form.direction = 'answered', 'inbound'
        self.assertRecordValues(form.save(), [{'wait_over': 0, 'attempt_least': 0}])

    def test_order_stop_and_one_callback(self):
        first, second, third = (
            self.rules.create(
                {
                    'name': name,
                    'sequence': sequence,
                    'stop': stop,
                    'action_ids': [
                        (0, 0, {'kind': 'callback', 'delay_minutes': sequence}),
                        (0, 0, {'kind': 'notify', 'text': name}),
                    ],
                }
            )
            for name, sequence, stop in (("a", 1, False), ("b", 2, True), ("c", 3, False))
        )
        call = self.lost('missed')
        self.assertEqual(
            call.effect_ids.sorted('id').mapped(lambda effect: (effect.rule_id.name, effect.kind)),
            [("a", 'callback'), ("a", 'notify'), ("b", 'notify')],
        )
        self.assertEqual(self.callbacks().due_at, WEDNESDAY + timedelta(minutes=1))
        self.assertFalse(third.effect_count)
        self.assertEqual((first.effect_count, second.effect_count), (2, 1))

    def test_the_other_actions(self):
        tag = self.env['crm.tag'].create({'name': "Called"})
        category = self.env['res.partner.category'].create({'name': "Caller"})
        rule = self.only(
            'lead',
            {'kind': 'tag', 'lead_tag_ids': tag.ids, 'category_ids': category.ids},
            {
                'kind': 'activity',
                'who': 'user',
                'user_id': self.anna.id,
                'text': "Have a look",
                'delay_kind': 'next_day',
            },
            {'kind': 'notify', 'who': 'leader', 'delay_kind': 'real', 'delay_minutes': 10},
            direction='inbound',
        )
        self.lead.team_id.user_id = self.anna
        call = self.lost('missed')
        self.assertEqual((self.lead.tag_ids, self.partner.category_id), (tag, category))
        self.assertEqual(self.effects(call)['lead'].state, 'skipped')
        self.assertRecordValues(
            self.lead.activity_ids,
            [
                {
                    'summary': "Have a look",
                    'user_id': self.anna.id,
                    'date_deadline': datetime(2026, 11, 5).date(),
                }
            ],
        )
        self.assertEqual(self.effects(call)['notify'].state, 'planned')
        self.work_off(WEDNESDAY + timedelta(minutes=10))
        self.assertEqual(self.told(self.anna)[-1:], ["The rule: Customer"])
        stranger = self.lost('missed', WEDNESDAY + timedelta(minutes=1), 's', caller=STRANGER)
        self.assertRecordValues(
            self.effects(stranger)['lead'],
            [{'state': 'done', 'note': f'Call from {pretty(STRANGER)}'}],
        )
        self.assertEqual(stranger.lead_id.phone, STRANGER)
        self.assertEqual(self.effects(stranger)['tag'].state, 'done')
        self.assertEqual(rule.effect_count, 8)

    def test_what_an_admin_reads(self):
        read = {
            name: self.env.ref(f'crm_telephony.rule_{name}').summary
            for name in (
                'missed',
                'abandoned_long',
                'no_answer_third',
                'busy_outbound',
                'answered_by_other',
            )
        }
        self.assertEqual(
            read,
            {
                'missed': "Missed, inbound, in working hours → call back in 15 min, SMS",
                'abandoned_long': "Abandoned, inbound, waited more than 60 s → "
                "call back in 2 min, high priority, notify: supervisors",
                'no_answer_third': "No answer, outbound, from attempt 3 on → stop calling, the owner decides",
                'busy_outbound': "Busy, outbound, up to attempt 3 → call back in 5 min, redial in 5 min",
                'answered_by_other': "Answered, inbound, real talk, answered by: somebody else than the salesperson "
                "→ notify: whoever is responsible",
            },
        )


class TestWorkingHours(RulesCase):
    """When promises fall due where calendars are odd."""

    def due(self, at, call_id='c'):
        number = f'+7701{at:%d%H%M}0'
        self.lost('missed', at, call_id, caller=number)
        return self.callbacks(number).due_at

    def test_without_hours_it_is_always_open(self):
        saturday_night = datetime(2026, 11, 7, 20, 0)
        self.calendar.attendance_ids.unlink()
        self.assertEqual(self.due(saturday_night), saturday_night + timedelta(minutes=15))
        self.company.resource_calendar_id = False
        later = saturday_night + timedelta(hours=1)
        self.assertEqual(self.due(later, 'none'), later + timedelta(minutes=15))

    def test_flexible_hours_are_no_closed_doors(self):
        self.calendar.schedule_type = 'flexible'
        saturday_night = datetime(2026, 11, 7, 20, 0)
        self.assertEqual(self.due(saturday_night), saturday_night + timedelta(minutes=15))
        self.assertEqual(
            self.callbacks(f'+7701{saturday_night:%d%H%M}0').rule_id,
            self.env.ref('crm_telephony.rule_missed'),
        )

    def test_the_holiday_of_another_company(self):
        """Odoo's public holidays are mostly of no calendar: each company has its own."""
        other = self.env['res.company'].create({'name': "Other"})
        holiday = {
            'name': "Holiday",
            'date_from': WEDNESDAY - timedelta(hours=9),
            'date_to': WEDNESDAY + timedelta(hours=9),
        }
        leaves = self.env['resource.calendar.leaves']
        self.assertEqual(leaves.with_company(other).create(holiday).company_id, other)
        self.assertEqual(self.due(WEDNESDAY), WEDNESDAY + timedelta(minutes=15))
        leaves.create(holiday)
        self.assertEqual(
            self.due(WEDNESDAY + timedelta(minutes=1), 'ours'), datetime(2026, 11, 5, 4, 0)
        )

    def test_the_time_of_a_company_without_a_zone(self):
        """What is nobody's, or the matter of somebody without a time zone, is told in the zone
        where the company works."""
        self.company.partner_id.tz = self.boris.tz = False
        at = datetime(2026, 11, 4, 19, 30)  # half past midnight in Almaty
        self.only(
            {'kind': 'callback', 'delay_kind': 'real', 'delay_minutes': 15},
            {'kind': 'activity', 'delay_kind': 'real', 'text': "Look at it"},
        )
        for owner in (self.boris, self.boris.browse()):
            with self.subTest(owner=owner.name):
                self.lead.user_id = self.lead.team_id = False
                self.lead.user_id = owner
                self.lost('missed', at, f'c{owner.id}')
                activity = self.callbacks()[-1].activity_id
                self.assertRecordValues(
                    activity,
                    [
                        {
                            'summary': f"Call back {pretty(CUSTOMER)} by 00:45",
                            'date_deadline': datetime(2026, 11, 5).date(),
                        }
                    ],
                )
                self.callbacks()[-1].action_done()
        self.assertEqual(
            self.lead.activity_ids.filtered(lambda one: one.summary == "Look at it").mapped(
                'date_deadline'
            ),
            [datetime(2026, 11, 5).date()],
        )

    def test_a_company_that_is_closed_for_years(self):
        self.env['resource.calendar.leaves'].create(
            {
                'name': "Closed",
                'calendar_id': self.calendar.id,
                'date_from': datetime(2026, 1, 1),
                'date_to': datetime(2036, 1, 1),
            }
        )
        self.assertEqual(self.due(WEDNESDAY), WEDNESDAY)

    def test_a_team_in_another_zone(self):
        berlin = self.calendar.copy({'tz': 'Europe/Berlin'})
        self.number.team_id = self.env['crm.team'].create(
            {'name': "Berlin", 'resource_calendar_id': berlin.id, 'company_id': self.company.id}
        )
        # 7:30 in Berlin, 11:30 in Almaty
        self.assertEqual(self.due(datetime(2026, 11, 4, 6, 30)), datetime(2026, 11, 4, 8, 0))

    def test_the_clock_changes_at_night(self):
        """Europe leaves summer time on 25 October 2026: nine o'clock comes an hour later."""
        self.calendar.tz = 'Europe/Berlin'
        self.assertEqual(self.due(datetime(2026, 10, 23, 18, 0)), datetime(2026, 10, 26, 8, 0))
        self.assertEqual(
            self.due(datetime(2026, 10, 22, 18, 0), 'before'), datetime(2026, 10, 23, 7, 0)
        )


class TestDelivered(RulesCase):
    def test_a_rule_that_was_deleted_does_not_come_back(self):
        """An update of the module makes no rule that texts customers again; only the first one to
        such rules makes them."""
        data = 'data/telephony_rule_data.xml'
        self.env.ref('crm_telephony.rule_missed').unlink()
        convert_file(self.env, 'crm_telephony', data, {}, mode='update')
        self.assertFalse(self.env.ref('crm_telephony.rule_missed', raise_if_not_found=False))
        self.rules.search([]).unlink()
        script = load_script(
            file_path('crm_telephony/migrations/19.0.1.1.0/post-rules.py'), 'post_rules'
        )
        script.migrate(self.cr, '19.0.1.0.0')
        self.assertEqual(
            self.env.ref('crm_telephony.rule_missed').action_ids.mapped('kind'), ['callback', 'sms']
        )
