"""Retention: how long recordings are kept, what a dry run shows, and what is deleted then."""

import os
from datetime import date, datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import new_test_user

from ..models.recordings import retention
from ..providers import registry
from .common import CUSTOMER
from .keep_case import KeepCase


class TestRetentionRules(KeepCase):
    def dated(self, recording):
        """(days kept, rule) of a recording, after the rules were asked."""
        self.env['telephony.retention.rule']._date(self.company)
        day = recording.delete_after
        return day and (day - recording.call_id.ended_at.date()).days, recording.retention_rule_id

    def test_the_first_rule_that_fits(self):
        team = self.env['crm.team'].create({'name': "Wholesale"})
        other = self.new_account(self.company, name="Other")
        number = self.env['telephony.number'].create(
            {'name': '+77272507699', 'account_id': other.id, 'team_id': team.id}
        )
        lead = self.new_lead(team_id=team.id)
        conditions = (
            ({'outcome_missed': True, 'outcome_voicemail': True}, {'outcome': 'voicemail'}),
            ({'direction': 'outbound'}, {'direction': 'outbound'}),
            ({'account_ids': other.ids}, {'account_id': other.id}),
            ({'number_ids': number.ids}, {'number_id': number.id}),
            ({'team_ids': team.ids}, {'lead_id': lead.id}),
            ({'team_ids': team.ids}, {'number_id': number.id}),
            ({'only_short': True}, {'is_short': True}),
            ({'max_talk_seconds': 10}, {'talk_seconds': 10}),
            ({'company_id': False}, {}),
        )
        noon = datetime(2026, 3, 10, 7)
        for condition, values in conditions:
            with self.subTest(condition, values=values):
                self.env['telephony.retention.rule'].search([]).unlink()
                rule, rest = self.rule(5, **condition), self.rule(90)
                self.assertEqual(self.dated(self.talk(ended_at=noon, **values)), (5, rule))
                if values:
                    lead_of_nobody = {'lead_id': False, 'number_id': False}
                    plain = self.talk(ended_at=noon, **lead_of_nobody)
                    self.assertEqual(self.dated(plain), (90, rest))
                rest.sequence = 0
                fits = self.talk(ended_at=noon, **values)
                self.assertEqual(self.dated(fits), (90, rest), "the order of the list counts")

    def test_without_a_rule_for_ever(self):
        recording = self.talk(4000, b'old')
        self.rule(5, outcome_missed=True)
        self.assertEqual(self.dated(recording)[0], False)
        self.switch_on()
        self.night()
        self.assert_kept(recording, b'old')
        self.rule(0)
        self.assertEqual(self.dated(recording)[0], False, "0 days are for ever")

    def test_rules_of_another_company(self):
        other = self.env['res.company'].create({'name': "Other"})
        self.rule(1, company_id=other.id)
        rule = self.rule(7)
        self.assertEqual(self.dated(self.talk(ended_at=datetime(2026, 3, 10, 7))), (7, rule))

    def test_midnight_in_the_companys_zone(self):
        self.rule(30)
        for zone, ended, day in (
            ('Asia/Almaty', '2026-03-31 18:59:59', '2026-04-30'),
            ('Asia/Almaty', '2026-03-31 19:00:00', '2026-05-01'),
            # winter time ends in the night to 29 March, summer time in the one to 25 October
            ('Europe/Berlin', '2026-03-28 22:59:59', '2026-04-27'),
            ('Europe/Berlin', '2026-03-28 23:00:00', '2026-04-28'),
            ('Europe/Berlin', '2026-03-29 22:00:00', '2026-04-29'),
            ('Europe/Berlin', '2026-10-24 22:00:00', '2026-11-24'),
            ('Europe/Berlin', '2026-10-25 22:59:59', '2026-11-24'),
            ('Europe/Berlin', '2026-10-25 23:00:00', '2026-11-25'),
        ):
            with self.subTest(zone, ended=ended):
                self.calendar.tz = zone
                recording = self.talk(ended_at=datetime.fromisoformat(ended), sound=b'x')
                self.assertEqual(recording.delete_after, date.fromisoformat(day))

    def test_a_day_is_over_at_midnight_in_the_companys_zone(self):
        self.rule(30)
        recording = self.talk(ended_at=datetime(2026, 3, 31, 7), sound=b'x')
        self.assertEqual(recording.delete_after, date(2026, 4, 30))
        for now, due in (('2026-04-30 18:59:59', False), ('2026-04-30 19:00:00', True)):
            with self.subTest(now), freeze_time(now):
                found = self.env['telephony.recording'].search(
                    self.env['telephony.recording']._due(self.company)
                )
                self.assertEqual(recording in found, due)


class TestRetention(KeepCase):
    def test_nothing_is_deleted_before_the_dry_run(self):
        recording = self.talk(31, b'due')
        rule = self.rule(30)
        self.night()
        self.assert_kept(recording, b'due')
        self.assertEqual(rule.retention_state, 'off')
        trial = self.dry_run()
        self.assertEqual((trial.state, trial.due_count), ('off', 1))
        trial.action_switch_on()
        rule.invalidate_recordset()
        self.assertEqual(rule.retention_state, 'on')
        self.night()
        self.assert_gone(recording)
        self.assertEqual(str(recording.deleted_why), "Kept for 30 days, as the rule “30 days” says")

    def test_changed_rules_wait_for_another_dry_run(self):
        rule = self.rule(30)
        self.switch_on()
        recording = self.talk(31, b'due')
        for change in (
            {'keep_audio_days': 20},
            {'outcome_answered': True},
            {'pbx_copy': 'delete'},
            {'active': False},
        ):
            with self.subTest(change):
                rule.write(change)
                self.assertEqual(rule.retention_state, 'changed')
                self.night()
                self.assert_kept(recording, b'due')
        rule.active = True
        self.switch_on()
        self.night()
        self.assert_gone(recording)

    def test_a_name_is_no_change(self):
        rule = self.rule(30)
        self.switch_on()
        rule.name = "A month"
        self.assertEqual(rule.retention_state, 'on')

    def test_a_dry_run_that_is_out_of_date(self):
        rule = self.rule(30)
        trial = self.dry_run()
        rule.keep_audio_days = 1
        with self.assertRaisesRegex(UserError, "have changed"):
            trial.action_switch_on()
        self.assertEqual(rule.retention_state, 'off')

    def test_switched_off(self):
        rule = self.rule(30)
        self.switch_on()
        recording = self.talk(31, b'due')
        self.dry_run().action_switch_off()
        self.night()
        self.assertEqual(rule.retention_state, 'off')
        self.assert_kept(recording, b'due')

    def test_a_longer_period_counts_at_once(self):
        """Whatever day stands on the recordings from before."""
        rule = self.rule(30)
        recording = self.talk(31, b'due')
        self.switch_on()
        rule.keep_audio_days = 90
        [line] = self.dry_run().line_ids
        self.assertEqual((line.due_count, line.moved_count), (0, 1))
        self.switch_on()
        self.night()
        self.assert_kept(recording, b'due')
        # 90 days after the talk, by the company's calendar: its day may be tomorrow's already
        self.assertAlmostEqual((recording.delete_after - date.today()).days, 59, delta=1)

    def test_what_the_dry_run_shows_is_what_is_deleted(self):
        """To the row."""
        short, missed, rest = (
            self.rule(10, only_short=True),
            self.rule(20, outcome_missed=True, pbx_copy='delete'),
            self.rule(100),
        )
        recordings = self.env['telephony.recording']
        for days in (5, 11, 15, 19, 25, 99, 101, 150):
            recordings |= self.talk(days, f'short {days}'.encode(), is_short=True)
            recordings |= self.talk(days, f'missed {days}'.encode(), outcome='missed')
            recordings |= self.talk(days, b'' if days % 2 else f'talk {days}'.encode())
        # one number among them is held
        held = recordings.filtered(lambda one: one.call_id.external_id in ('k10', 'k21', 'k23'))
        held.call_id.customer_number = '+77010000001'
        self.hold(customer_number='+77010000001')
        trial = self.dry_run()
        shown = {}
        for line in trial.line_ids:
            action = line.action_view_due()
            shown[line.rule_id] = recordings.search(action['domain'])
            self.assertEqual(line.due_count, len(shown[line.rule_id]))
            self.assertAlmostEqual(line.hours, line.due_count / 60, 3)
            bytes_due = sum(shown[line.rule_id].mapped('size'))
            self.assertAlmostEqual(line.megabytes, bytes_due / 2**20, 6)
            self.assertEqual(line.oldest_at, min(shown[line.rule_id].call_id.mapped('start_at')))
        self.assertEqual(set(shown), {short, missed, rest})
        self.assertEqual(sum(trial.line_ids.mapped('held_count')), 3)
        self.assertEqual(sum(trial.line_ids.mapped('present_count')), len(recordings))
        trial.action_switch_on()
        self.night()
        for recording in recordings:
            with self.subTest(recording.call_id.external_id):
                rule = next((one for one in shown if recording in shown[one]), None)
                if rule:
                    self.assert_gone(recording)
                    self.assertEqual(recording.retention_rule_id, rule)
                    self.assertEqual(self.told(recording), rule == missed)
                else:
                    self.assert_kept(recording)
                    self.assertFalse(self.told(recording))
        self.assertFalse(self.dry_run().due_count, "nothing is left to do")

    def test_links_are_deleted_too(self):
        recording = self.talk(31)
        self.rule(30, pbx_copy='delete')
        self.switch_on()
        self.night()
        self.assert_gone(recording)
        self.assertEqual(self.told(recording), 1)

    def test_the_text_may_go_before_the_sound(self):
        recording = self.talk(15, b'a')
        self.rule(30, keep_text_days=10)
        self.switch_on()
        self.night()
        self.assert_kept(recording, b'a')
        self.assertFalse(recording.transcript)

    def test_text_outlives_the_sound(self):
        recording = self.talk(31, b'a')
        rule = self.rule(30, keep_text_days=40)
        self.switch_on()
        self.night()
        self.assert_gone(recording)
        self.assertTrue(recording.transcript)
        rule.keep_text_days = 30
        self.switch_on()
        self.night()
        self.assertFalse(recording.transcript)

    def test_a_bad_record_stops_no_other(self):
        first, bad, last = (self.talk(31, name) for name in (b'1', b'2', b'3'))
        self.rule(30)
        self.switch_on()
        deleting = type(bad)._before_deleted

        def fail(recordings, pbx_too):
            deleting(recordings, pbx_too)
            if bad in recordings:
                raise ValueError("of this one alone")

        with (
            patch.object(type(bad), '_before_deleted', fail),
            self.assertLogs(retention.__name__, 'ERROR') as logs,
        ):
            self.run_cron('retain')
        self.assertEqual(len(logs.output), 1)
        self.assert_gone(first)
        self.assert_gone(last)
        self.assert_kept(bad, b'2')

    def test_only_who_may_delete_switches_it_on(self):
        self.rule(30)
        for user in (self.anna, self.supervisor):
            with self.subTest(user.name), self.assertRaises(AccessError):
                self.env['telephony.retention.trial'].with_user(user)._open()

    # --- the brake -----------------------------------------------------------------------------------------------

    def braked(self, count, percent=0):
        """The brake holds when more than so many are due."""
        self.startPatcher(patch.object(retention, 'BRAKE_COUNT', count))
        self.startPatcher(patch.object(retention, 'BRAKE_PERCENT', percent))

    def test_too_many_at_once_wait_for_a_person(self):
        self.braked(2)
        rule = self.rule(30)
        self.switch_on()
        recordings = self.talk(31, b'1') | self.talk(32, b'2') | self.talk(33, b'3')
        self.night()
        self.night()
        for recording in recordings:
            self.assert_kept(recording)
        asked = rule.activity_ids.filtered(lambda activity: activity.user_id == self.keeper)
        self.assertEqual(len(asked), 1, "asked once")
        self.assertIn("3 recordings", asked.note)
        trial = self.dry_run()
        self.assertTrue(trial.is_braked)
        trial.action_delete_all_the_same()
        self.assertFalse(rule.activity_ids)
        self.night()
        for recording in recordings:
            self.assert_gone(recording)
        # the next time it is asked again
        again = self.talk(31, b'4') | self.talk(32, b'5') | self.talk(33, b'6')
        self.night()
        for recording in again:
            self.assert_kept(recording)

    def test_more_than_was_shown_wait_again(self):
        self.braked(1)
        self.rule(30)
        recordings = self.talk(31, b'1') | self.talk(32, b'2')
        trial = self.dry_run()
        recordings |= self.talk(33, b'3')
        trial.action_delete_all_the_same()
        self.night()
        for recording in recordings:
            self.assert_kept(recording)

    def test_as_many_as_usual(self):
        self.braked(2, 60)
        self.rule(30)
        self.switch_on()
        recordings = self.talk(31, b'1') | self.talk(32, b'2') | self.talk(33, b'3')
        self.talk(1) | self.talk(1)
        self.night()
        for recording in recordings:
            self.assert_gone(recording)

    # --- the file ------------------------------------------------------------------------------------------------

    def test_the_file_is_gone_before_it_is_called_deleted(self):
        recording = self.talk(0, b'a sound that nobody else has')
        path = self.path(recording)
        recording._delete_sound("test")
        self.assertEqual(recording.file_state, 'waiting')
        self.assertTrue(os.path.exists(path))
        self.run_cron('sweep_files')
        self.assertEqual(recording.file_state, 'gone')
        self.assertFalse(os.path.exists(path))

    def test_bytes_that_another_record_has_too(self):
        first, second = self.talk(0, b'the same sound'), self.talk(0, b'the same sound')
        path = self.path(first)
        self.assertEqual(path, self.path(second))
        first._delete_sound("test")
        self.run_cron('sweep_files')
        self.assertEqual(first.file_state, 'shared')
        self.assert_kept(second, b'the same sound')
        second._delete_sound("test")
        self.run_cron('sweep_files')
        self.assertEqual(second.file_state, 'gone')
        self.assertFalse(os.path.exists(path))

    def test_a_file_that_cannot_be_deleted_yet(self):
        recording = self.talk(0, b'a sound in use')
        path = self.path(recording)
        recording._delete_sound("test")
        with patch.object(type(self.env['ir.attachment']), '_gc_file_store', lambda self: False):
            self.run_cron('sweep_files')
        self.assertEqual(recording.file_state, 'waiting')
        self.run_cron('sweep_files')
        self.assertEqual(recording.file_state, 'gone')
        self.assertFalse(os.path.exists(path))

    def test_a_deleted_call_leaves_no_file(self):
        recording = self.talk(0, b'of a call that is deleted')
        attachment, path = recording.attachment_id, self.path(recording)
        recording.call_id.unlink()
        self.assertFalse(attachment.exists())
        with self.enter_registry_test_mode(), self.env.registry.cursor() as cr:
            self.env(cr=cr)['ir.attachment']._gc_file_store()
        self.assertFalse(os.path.exists(path))


class TestPbxCopy(KeepCase):
    def delete(self, recording):
        recording._delete_sound("test", pbx_too=True)

    def test_deleted_there(self):
        recording = self.talk()
        self.delete(recording)
        self.assertEqual((recording.pbx_copy, self.told(recording)), ('deleting', 0))
        self.run_cron('delete_at_pbx')
        self.assertEqual(self.pbx.told, [('delete', 'rec-k1', 'k1')])
        self.assertEqual(recording.pbx_copy, 'deleted')
        self.assertFalse(recording.sudo().pbx_copy_ref or recording.sudo().pbx_copy_call)
        self.run_cron('delete_at_pbx')
        self.assertEqual(len(self.pbx.told), 1)

    def test_kept_there(self):
        recording = self.talk()
        recording._delete_sound("test")
        self.run_cron('delete_at_pbx')
        self.assertEqual((recording.pbx_copy, self.pbx.told), ('unknown', []))

    def test_a_pbx_that_is_away_holds_up_no_other(self):
        recordings = self.talk() | self.talk() | self.talk()
        other = self.new_account(self.company, name="Other")
        elsewhere = self.talk(account_id=other.id)
        self.delete(recordings | elsewhere)
        self.pbx.complaint, self.pbx.retryable = "too busy", True
        now = datetime.now()
        self.run_cron('delete_at_pbx')
        self.assertEqual(len(self.pbx.told), 2, "one of each PBX")
        self.assertEqual(set(recordings.mapped('pbx_copy')), {'deleting'})
        self.assertIn("too busy", recordings.mapped('pbx_copy_error'))
        self.assertGreater(min(recordings.mapped('pbx_copy_next_at')), now + timedelta(seconds=50))
        self.pbx.complaint = ''
        with freeze_time(now + timedelta(minutes=2)):
            self.run_cron('delete_at_pbx')
        self.assertEqual(set((recordings | elsewhere).mapped('pbx_copy')), {'deleted'})
        self.assertFalse(any(recordings.mapped('pbx_copy_error')))

    def test_given_up_in_the_end(self):
        recording = self.talk()
        self.delete(recording)
        self.pbx.complaint, self.pbx.retryable = "too busy", True
        for day in range(8):
            with freeze_time(datetime.now() + timedelta(days=2 * day)):
                self.run_cron('delete_at_pbx')
        self.assertEqual(recording.pbx_copy, 'failed')
        self.assertEqual(len(self.pbx.told), 7, "the first try and six more")

    def test_refused(self):
        recording = self.talk()
        self.delete(recording)
        self.pbx.complaint = "not allowed"
        self.run_cron('delete_at_pbx')
        self.assertEqual((recording.pbx_copy, recording.pbx_copy_next_at), ('failed', False))
        self.assertIn("not allowed", recording.pbx_copy_error)
        self.pbx.complaint = ''
        with self.assertRaises(AccessError):
            recording.with_user(self.supervisor).action_delete_at_pbx_again()
        recording.with_user(self.keeper).action_delete_at_pbx_again()
        self.run_cron('delete_at_pbx')
        self.assertEqual(recording.pbx_copy, 'deleted')

    def test_what_a_pbx_cannot_is_done_by_hand(self):
        self.unplug()
        recording = self.talk()
        self.delete(recording)
        self.assertEqual(recording.pbx_copy, 'cannot')
        for known in ("Middleware", "rec-k1", "k1"):
            self.assertIn(known, recording.pbx_copy_error)
        recording.with_user(self.keeper).action_deleted_at_pbx()
        self.assertEqual(recording.pbx_copy, 'deleted')
        self.assertFalse(recording.pbx_copy_error or recording.sudo().pbx_copy_ref)

    def test_a_bridge_deletes(self):
        recording = self.talk()
        with patch.object(type(registry['generic']), 'uploads_recordings', True):
            self.delete(recording)
        self.run_cron('delete_at_pbx')
        self.assertEqual((recording.pbx_copy, self.pbx.told), ('deleting', []))
        self.assertEqual(recording.sudo().pbx_copy_ref, 'rec-k1')
        recording._note_deleted_at_pbx()
        self.assertEqual(recording.pbx_copy, 'deleted')
        self.assertFalse(recording.sudo().pbx_copy_ref)

    def test_what_the_pbx_still_holds(self):
        account = self.account.with_user(
            new_test_user(self.env, 'tel_admin', groups='crm_telephony.group_admin')
        )
        self.talk(31, b'1') | self.talk(32) | self.talk(1, b'3')
        self.rule(30)
        self.env['telephony.retention.rule']._date(self.company)
        self.assertEqual(account.pbx_copies_left, 2)
        self.switch_on()
        self.night()
        account.invalidate_recordset(['pbx_copies_left'])
        self.assertEqual(account.pbx_copies_left, 2)
        for recording in self.env['telephony.recording'].search([('state', '=', 'deleted')]):
            recording._note_deleted_at_pbx()
        account.invalidate_recordset(['pbx_copies_left'])
        self.assertEqual(account.pbx_copies_left, 0)

    def test_a_neutralized_copy_deletes_nothing(self):
        due, asked = self.talk(31, b'due'), self.talk()
        self.rule(30, pbx_copy='delete')
        self.switch_on()
        self.delete(asked)
        self.env.flush_all()
        for query in get_neutralization_queries(['crm_telephony']):
            self.env.cr.execute(query)
        self.forget_clients()
        self.night()
        self.assert_kept(due, b'due')
        self.assertEqual((self.pbx.told, asked.pbx_copy), ([], 'unknown'))


class TestNothingComesBack(KeepCase):
    def test_a_replay_brings_nothing_back(self):
        talk = [
            self.event('ended', outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', recording_url='https://pbx.example.com/c1.mp3', at=1),
        ]
        self.play(*talk, follow_up=False)
        [recording] = self.call().recording_ids
        self.rule(30)
        self.switch_on()
        with freeze_time(datetime.now() + timedelta(days=40)):
            self.run_cron('retain')
            self.assert_gone(recording)
            self.play(*talk, {**talk[1], 'at': self.at(5)}, follow_up=False)
        self.assertEqual(self.call().recording_ids, recording)
        self.assert_gone(recording)
        self.assertEqual(self.call().customer_number, CUSTOMER)
