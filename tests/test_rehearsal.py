"""What a rule would have done is what it then does."""

from collections import Counter
from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo.exceptions import AccessError, ValidationError

from .common import TelephonyCase
from .test_debts import Debts, iso

MONDAY = datetime(2026, 11, 2, 4, 0)  # 9:00 in Almaty
# when, which customer, what happens
DAY = [
    (1, 0, 'missed', {}),
    (3, 0, 'missed', {}),
    (5, 0, 'try', {}),
    (10, 0, 'reached', {}),
    (20, 0, 'missed', {}),
    (30, 1, 'abandoned', {'wait_seconds': 90}),
    (31, 1, 'missed', {}),
    (33, 1, 'back', {}),
    (60, 2, 'try', {}),
    (190, 2, 'try', {}),
    (330, 2, 'try', {}),
    (500, 2, 'missed', {}),
    (100, 3, 'voicemail', {}),
    (105, 3, 'back', {'talk_seconds': 5}),
    (110, 4, 'busy', {}),
    (600, 5, 'missed', {}),
    (610, 5, 'abandoned', {'wait_seconds': 100}),  # in the evening
    (120, 6, 'failed', {'direction': 'out'}),
    (125, 7, 'try', {'outcome': 'busy'}),
]


class TestRehearsal(Debts, TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rules = cls.env['telephony.rule'].search([])

    def play_day(self, day, base, tag):
        """The same calls on another day, of other customers: +7701<base>000…"""
        for index, (minutes, customer, what, more) in enumerate(
            sorted(DAY, key=lambda row: row[0])
        ):
            at, number = day + timedelta(minutes=minutes), f'+7701{base}{customer:04}'
            values = {**more}
            values.pop('direction', None)
            with freeze_time(at + timedelta(seconds=5)):
                if what == 'try' or more.get('direction'):
                    outcome = values.pop(
                        'outcome', 'failed' if more.get('direction') else 'no_answer'
                    )
                    event = self.outbound(
                        'ended', f'{tag}{index}', iso(at), called=number, outcome=outcome, **values
                    )
                elif what in ('reached', 'back'):
                    make = self.outbound if what == 'reached' else self.event
                    party = (
                        {'called': number}
                        if what == 'reached'
                        else {'caller': number, 'extension': '102'}
                    )
                    event = make(
                        'ended',
                        f'{tag}{index}',
                        iso(at),
                        outcome='answered',
                        **{'talk_seconds': 45, **party, **values},
                    )
                else:
                    event = self.event(
                        'ended',
                        f'{tag}{index}',
                        iso(at),
                        caller=number,
                        outcome=what,
                        **{'wait_seconds': 10, **values},
                    )
                self.play(event)

    def rehearse(self, rules=None, without=None, day=MONDAY):
        rehearsal = self.env['telephony.rehearsal'].create(
            {
                'date_from': day.date(),
                'date_to': day.date(),
                'rule_ids': [(6, 0, (rules or self.rules.browse()).ids)],
                'without_ids': [(6, 0, (without or self.rules.browse()).ids)],
            }
        )
        rehearsal.action_play()
        return rehearsal

    def test_the_numbers_are_what_the_rules_then_do(self):
        self.rules.action_archive()
        self.play_day(MONDAY, '100', 'a')
        self.assertFalse(self.callbacks('+77011000000'))
        rehearsal = self.rehearse(self.rules)
        self.assertFalse(self.env['telephony.effect'].search([]), "nothing was done")
        self.assertFalse(
            self.env['telephony.callback'].search([('customer_number', '=like', '+7701100%')])
        )

        self.rules.action_unarchive()
        tuesday = MONDAY + timedelta(days=1)
        self.play_day(tuesday, '200', 'b')
        effects = self.env['telephony.effect'].search([('call_id.external_id', '=like', 'b%')])
        self.assertTrue(effects)
        done = Counter(effects.action_id.browse(effect.action_id.id) for effect in effects)
        self.assertEqual(
            {total.action_id: total.effect_count for total in rehearsal.total_ids}, dict(done)
        )
        self.assertEqual(
            {total.action_id: total.skipped for total in rehearsal.total_ids if total.skipped},
            dict(
                Counter(
                    effect.action_id
                    for effect in effects
                    if effect.state == 'skipped' and effect.kind != 'redial'
                )
            ),
            "but whether he was called again before the redial",
        )
        callbacks = self.env['telephony.callback'].search(
            [('customer_number', '=like', '+7701200%')]
        )
        self.assertEqual(rehearsal.opened_count, len(callbacks))
        self.assertEqual(rehearsal.saved_count, len(callbacks.filtered('closing_call_id')))
        self.assertEqual(
            sum(rehearsal.total_ids.mapped('gave_up')),
            len(callbacks.filtered(lambda one: one.close_kind == 'gave_up')),
        )
        dues = sorted(
            callbacks.mapped(
                lambda one: one.origin_call_id.effect_ids.filtered(
                    lambda effect: effect.callback_id == one and effect.kind == 'callback'
                )[:1].due_at
                - timedelta(days=1)
            )
        )
        self.assertEqual(
            sorted(
                rehearsal.line_ids.filtered(lambda line: line.result == 'opened').mapped('due_at')
            ),
            dues,
        )
        late = rehearsal.line_ids.filtered('is_out_of_hours')
        self.assertEqual(
            (len(late), set(late.mapped('customer_number'))),
            (rehearsal.out_of_hours_count, {'+77011000005'}),
        )

    def test_a_change_instead_of_the_rule(self):
        """A changed copy that is not active yet, played in the place of the original."""
        rule = self.env.ref('crm_telephony.rule_missed')
        self.play_day(MONDAY, '100', 'a')
        before = self.rehearse(rule)
        copy = rule.copy({'active': False, 'wait_over': 5000, 'sequence': rule.sequence})
        after = self.rehearse(copy, without=rule)
        self.assertTrue(before.hit_count)
        self.assertEqual(after.hit_count, 0)
        self.assertEqual(after.call_count, before.call_count)

    def test_who_was_on_leave(self):
        rule = self.env.ref('crm_telephony.rule_missed')
        rule.action_ids.filtered(lambda action: action.kind == 'callback').write(
            {'who': 'user', 'user_id': self.anna.id}
        )
        self.on_leave(self.anna, MONDAY, MONDAY + timedelta(hours=1))
        self.play_day(MONDAY, '100', 'a')
        rehearsal = self.rehearse(rule)
        absent = rehearsal.line_ids.filtered('is_absent')
        self.assertEqual(absent.user_id, self.anna)
        self.assertEqual(len(absent), rehearsal.absent_count)
        self.assertTrue(all(line.due_at <= MONDAY + timedelta(hours=1) for line in absent))
        self.assertLess(
            len(absent), len(rehearsal.line_ids.filtered(lambda line: line.user_id == self.anna))
        )

    def test_what_a_rule_would_not_have_done(self):
        """A stranger's number is nobody's, a deal has to be chosen, a second activity is none, a
        text came too late."""
        self.env['crm.lead'].create(
            [{'name': name, 'phone': '+77010000002'} for name in ("Flour", "Sugar")]
        )
        self.rules.action_archive()
        rule = self.rules.create(
            {
                'name': "All",
                'outcome': 'missed',
                'action_ids': [
                    (0, 0, values)
                    for values in (
                        {
                            'kind': 'sms',
                            'sms_template_id': self.env.ref(
                                'crm_telephony.sms_template_missed_out'
                            ).id,
                        },
                        {'kind': 'callback'},
                        {'kind': 'check_number'},
                        {'kind': 'lead'},
                        {'kind': 'activity', 'who': 'user', 'user_id': self.anna.id},
                    )
                ],
            }
        )
        # 22:30: no text before the office opens
        evening = MONDAY + timedelta(hours=13, minutes=30)
        for index, (at, number) in enumerate(
            (
                (MONDAY, '+77010000001'),
                (MONDAY + timedelta(minutes=5), '+77010000001'),
                (MONDAY, '+77010000002'),
                (evening, '+77010000003'),
            )
        ):
            with freeze_time(at):
                self.play(
                    self.event(
                        'ended',
                        f'w{index}',
                        iso(at),
                        caller=number,
                        outcome='missed',
                        wait_seconds=5,
                    )
                )
        calls = self.env['telephony.call'].search([('external_id', '=like', 'w_')])
        self.assertEqual(self.call('w2').match_state, 'ambiguous')
        really = {(effect.call_id, effect.kind): effect.state for effect in calls.effect_ids}
        calls.filtered(lambda call: call.match_state == 'auto').write(
            {'lead_id': False, 'match_state': 'none'}
        )
        rehearsed = {
            (line.call_id, line.kind): line.result for line in self.rehearse(rule).line_ids
        }
        # the rehearsal knows of no lead that it would have made of the first call
        really[self.call('w1'), 'lead'], really[self.call('w1'), 'check_number'] = 'done', 'skipped'
        self.assertEqual(
            {key for key, result in rehearsed.items() if result == 'skipped'},
            {key for key, state in really.items() if state == 'skipped'},
        )

    def test_a_rule_that_cannot_be_asked_says_so(self):
        model = type(self.rules)
        with patch.object(model, '_fits', lambda rule, facts: {}['broken']):
            self.play_day(MONDAY, '100', 'a')
            rehearsal = self.rehearse(self.env.ref('crm_telephony.rule_missed'))
        self.assertIn(
            "Missed in working hours: Unexpected error: 'broken'. The server's log has the details; send them to your "
            "administrator.",
            rehearsal.failures,
        )
        self.assertFalse(self.rehearse().failures)

    def test_the_days_are_the_companys(self):
        # 0:05 on Monday in Almaty, Sunday in UTC
        at = MONDAY - timedelta(hours=9) + timedelta(minutes=5)
        with freeze_time(at):
            self.play(self.event('ended', 'night', iso(at), outcome='missed', wait_seconds=10))
        self.assertEqual(self.rehearse().call_count, 1)
        self.assertEqual(self.rehearse(day=MONDAY - timedelta(days=1)).call_count, 0)

    def test_calls_whose_end_no_pbx_tells(self):
        self.play_day(MONDAY, '100', 'a')
        before = self.rehearse(self.rules)
        self.env['telephony.call'].search(
            [('external_id', '=like', 'a%'), ('outcome', '=', 'missed')]
        ).ended_at = False
        after = self.rehearse(self.rules)
        self.assertEqual(
            (after.call_count, after.opened_count), (before.call_count, before.opened_count)
        )

    def test_bad_input(self):
        with self.assertRaises(ValidationError):
            self.env['telephony.rehearsal'].create(
                {'date_from': '2026-11-02', 'date_to': '2026-11-01'}
            )
        with self.assertRaises(AccessError):
            self.env['telephony.rehearsal'].with_user(self.supervisor).create({})
        self.assertEqual(self.rehearse(day=datetime(2001, 1, 1)).effect_count, 0)
        self.company.resource_calendar_id = False
        self.play_day(MONDAY, '100', 'a')
        rehearsal = self.rehearse()
        self.assertTrue(rehearsal.effect_count)
        self.assertEqual(rehearsal.out_of_hours_count, 0)
