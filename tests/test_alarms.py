"""Each fault is named once, with its cause and what to do, and withdrawn when it is over."""

import json
import logging
import shutil
from contextlib import closing, suppress
from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import BaseCase, new_test_user, tagged

from odoo.addons.crm_telephony.providers.base import Refused, WebhookRequest
from odoo.addons.crm_telephony.providers.capabilities import Balance

from ..controllers.log_mask import TokenMask
from ..models.pbx import account as pbx_account
from ..models.watch.alarm import GAP, Finding, without_consequences
from ..models.watch.alarm_clock import skew_of, zone_hours
from ..models.watch.alarm_kinds import KINDS
from ..tools import turns
from .common import CUSTOMER, DID, FakeClient, TelephonyCase, TelephonyHttpCase, sign

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
# A Tuesday at 15:00 in Almaty.
NOW = '2026-03-17 10:00:00'


class AlarmCase(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['ir.config_parameter'].set_param('web.base.url', 'https://crm.example.com')
        cls.admin = new_test_user(
            cls.env,
            'tel_admin',
            groups='base.group_user,crm_telephony.group_admin',
            name="Dana",
            email='dana@example.com',
            tz='Asia/Almaty',
        )
        cls.watch = cls.env.ref('crm_telephony.ir_cron_watch')
        cls.alarms = cls.env['telephony.alarm']
        cls.rest_crons()

    @classmethod
    def rest_crons(cls):
        """The scheduled actions of a database that runs; the test's own never does."""
        now = fields.Datetime.now()
        for cron in cls.alarms._our_crons().values():
            cron.write({'active': True, 'nextcall': now + MINUTE, 'failure_count': 0})
        cls.watch.lastcall = now - 5 * MINUTE

    def look(self):
        """One round; the codes of the alarms that are open after it."""
        self.env.flush_all()
        self.env.invalidate_all()
        self.alarms._cron_watch()
        self.watch.lastcall = fields.Datetime.now()
        self.env.flush_all()
        return sorted(self.alarms.search([('state', '=', 'open')]).mapped('code'))

    def set(self, record, **values):
        """Write what no person may."""
        self.env.flush_all()
        for name, value in values.items():
            self.env.cr.execute(
                f'UPDATE {record._table} SET {name} = %s WHERE id IN %s',  # noqa: S608
                [value, tuple(record.ids)],
            )
        self.env.invalidate_all()

    def ago(self, **passed):
        return fields.Datetime.now() - timedelta(**passed)

    def reminders(self):
        return self.env['mail.activity'].search(
            [
                (
                    'activity_type_id',
                    '=',
                    self.env.ref('crm_telephony.mail_activity_type_alarm').id,
                ),
                ('user_id', '=', self.admin.id),
            ]
        )


class TestFaults(AlarmCase):
    """Faults, one method each. Each breaks something and yields; what comes then mends it. A method
    that yields False has broken nothing yet that should be named."""

    def call_of(self, **more):
        return [
            self.event('ringing', 'f0', -300, **{'extension': '101', **more}),
            self.event('ended', 'f0', -200, outcome='missed', **more),
        ]

    def beat(self, account, **more):
        body = json.dumps(
            {'up_seconds': 9000, 'deaf_seconds': 0, 'waiting': 0, 'waiting_seconds': 0, **more}
        ).encode()
        request = WebhookRequest(
            suffix='bridge', body=body, headers={'x-telephony-signature': sign(body)}
        )
        return account._receive(request)

    def with_bridge(self, **more):
        account = self.new_account(self.company, provider='asterisk', name="Office")
        self.assertEqual(self.beat(account, **more).status, 200)
        return account

    def refused(self):
        account = self.new_account(self.company, name="New")
        self.env.flush_all()
        with (
            patch.object(pbx_account, '_refusals', turns.Tally(0)),
            suppress(Refused),  # assertRaises would undo what it has written
        ):
            account._receive(WebhookRequest(body=b'{}', headers={'x-telephony-signature': 'x'}))
        yield
        self.play(*self.call_of(extension=''), account=account)

    def refused_some(self):
        self.play(*self.call_of())
        self.account.refused_at = self.ago(minutes=1)
        self.set(self.events(), received_at=fields.Datetime.now())
        yield
        self.account.refused_at = self.ago(minutes=11)

    def no_events(self):
        account = self.new_account(self.company, name="New")
        self.set(account, create_date=self.ago(hours=23))
        yield False
        self.set(account, create_date=self.ago(hours=25))
        yield
        self.play(*self.call_of(extension=''), account=account)

    def failed_events(self):
        self.play({'event': 'ringing', 'call_id': 'f1', 'at': "yesterday"})
        yield False
        failed = self.events().filtered(lambda event: event.state == 'failed')
        self.assertTrue(failed)
        self.set(failed, received_at=self.ago(minutes=11))
        yield
        failed.unlink()

    def pending_events(self):
        self.play(*self.call_of())
        event = self.events()[:1]
        self.set(event, state='pending', received_at=self.ago(minutes=9))
        yield False
        self.set(event, received_at=self.ago(minutes=11))
        yield
        self.file_calls()

    def bridge_silent(self):
        account = self.with_bridge()
        self.set(account.bridge_ids, seen_at=self.ago(minutes=4))
        yield False
        self.set(account.bridge_ids, seen_at=self.ago(minutes=6))
        yield
        self.beat(account)

    def bridge_deaf(self):
        account = self.with_bridge(deaf_seconds=200)
        yield False
        self.beat(account, deaf_seconds=400)
        yield
        self.beat(account)

    def bridge_spools(self):
        account = self.with_bridge(waiting=7, waiting_seconds=200)
        yield False
        self.beat(account, waiting=12, waiting_seconds=400)
        yield
        self.beat(account)

    def bridge_restarts(self):
        account = self.with_bridge(up_seconds=3000)
        for up in (2000, 1000):
            self.beat(account, up_seconds=up)
        yield False
        self.beat(account, up_seconds=5)
        yield
        self.set(account.bridge_ids, starts=json.dumps([]))

    def unmapped_extension(self):
        self.play(*self.call_of(), self.event('ringing', 'f2', extension='199'))
        yield
        alarm = self.alarms.search([('code', '=', 'unmapped_extension')])
        self.map(alarm)

    def unmapped_number(self):
        self.play(*self.call_of(called='+77272507699'))
        yield
        alarm = self.alarms.search([('code', '=', 'unmapped_number')])
        self.map(alarm)
        self.env['telephony.call'].search(
            [('called_number', '=', '+77272507699')]
        ).number_id = self.env['telephony.number'].search([('name', '=', '+77272507699')])

    def map(self, alarm):
        """Press *Map It* and save."""
        self.assertTrue(alarm.can_map)
        action = alarm.with_user(self.admin).action_map()
        model = self.env[action['res_model']].with_user(self.admin)
        model.with_context(**action['context']).create({})

    def clock(self, ahead=600):
        for number in range(6):
            self.play(self.event('ringing', f'f{number}', ahead, extension='101'))
        yield
        for number in range(30):
            self.play(self.event('ended', f'f{number}', extension='101'), follow_up=False)

    def clock_behind(self):
        self.code = 'clock'
        yield from self.clock(-1200)

    def zone(self):
        yield from self.clock(5 * 3600 + 7)

    def ends_missing(self):
        calls = self.calls(6, state='ended', end_unknown=True, start_at=self.ago(hours=5))
        yield
        calls.unlink()

    def calls(self, count, **values):
        return self.env['telephony.call'].create(
            [
                {
                    'account_id': self.account.id,
                    'external_id': f'x{place}',
                    'direction': 'inbound',
                    'customer_number': CUSTOMER,
                    'number_id': self.number.id,
                    **values,
                }
                for place in range(count)
            ]
        )

    def follow_up(self):
        calls = self.calls(1, state='ended', start_at=self.ago(hours=5), follow_up='error')
        yield False
        calls.follow_up_attempts = 2
        yield
        calls.follow_up = 'done'

    def recordings(self, **values):
        start, end = self.ago(hours=5), self.ago(hours=4)
        calls = self.calls(3, state='ended', start_at=start, ended_at=end, follow_up='done')
        return self.env['telephony.recording'].create(
            [{'call_id': call.id, 'ref': call.external_id, **values} for call in calls]
        )

    def recordings_lost(self):
        recordings = self.recordings(state='ready', url='https://pbx.example.com/1')
        recordings.write({'copy_state': 'lost', 'copied_at': self.ago(hours=1)})
        yield
        recordings.write({'copy_state': 'done'})

    def recordings_missing(self):
        recordings = self.recordings()
        recordings.next_try_at = False
        yield
        recordings.write({'state': 'ready'})

    def api_refused(self):
        pbx = self.plug_in(complaint="wrong key")
        self.account._ask()
        yield
        pbx.complaint = ''
        self.account._ask()

    def api_down(self):
        pbx = self.plug_in(complaint="no answer", retryable=True)
        self.account._ask()
        yield False
        self.account.ask_failed_since = self.ago(hours=3)
        self.account._ask()
        yield
        pbx.complaint = ''
        self.account._ask()

    def balance_low(self):
        class Paid(FakeClient):
            left = 500.0

            def balance(self):
                return Balance(self.left, 'KZT')

        pbx = self.plug_in(Paid)
        self.account.balance_least = 1000
        self.account._ask()
        yield
        pbx.left = 1500.0
        self.account._ask()

    def history_late(self):
        self.plug_in()
        self.account.history_until = self.ago(days=3)
        yield
        self.account.history_until = self.ago(hours=3)

    def cron_vital(self):
        cron = self.env.ref('crm_telephony.ir_cron_process_events')
        cron.nextcall = self.ago(minutes=14)
        yield False
        cron.nextcall = self.ago(minutes=16)
        yield
        cron.nextcall = fields.Datetime.now()

    def cron(self):
        letter = self.env.ref('crm_telephony.ir_cron_letter')
        letter.active = False
        yield
        letter.active = True

    def cron_fails(self):
        self.code = 'cron'
        letter = self.env.ref('crm_telephony.ir_cron_letter')
        letter.failure_count = 3
        yield
        letter.failure_count = 0

    def address(self):
        self.look()
        self.account.known_host = False
        self.env['ir.config_parameter'].set_param('web.base.url', 'http://localhost:8069')
        yield
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://crm.example.com')
        self.account.known_host = False

    def base_url(self):
        self.look()
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://other.example.com')
        yield
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://crm.example.com')

    def disk(self):
        usage = type(shutil.disk_usage('/'))
        full = patch.object(shutil, 'disk_usage', return_value=usage(10**12, 10**12, 10**6))
        full.start()
        yield
        full.stop()

    def test_each_fault(self):
        faults = [
            *(code for code in KINDS if code not in ('pbx_silent', 'line_silent', 'unwatched')),
            'clock_behind',
            'cron_fails',
        ]
        self.assertGreaterEqual(len(faults), 20)
        self.assertEqual(self.look(), [])
        for fault in faults:
            with self.subTest(fault), closing(self.env.cr.savepoint()):
                self.code = fault
                steps = getattr(self, fault)()
                while next(steps) is False:
                    self.assertEqual(self.look(), [], "too early")
                self.assertEqual(self.look(), [self.code], "it is named")
                alarm = self.alarms.search([('state', '=', 'open')])
                self.assertTrue(alarm.advice and alarm.text)
                self.assertEqual(len(self.reminders()), int(alarm.is_losing))
                self.assertEqual(self.look(), [self.code], "once")
                self.assertEqual(len(self.reminders()), int(alarm.is_losing))
                self.assertFalse(list(steps))
                self.assertEqual(self.look(), [], "it is withdrawn")
                self.assertEqual(alarm.state, 'over')
                self.assertFalse(self.reminders())
            self.env.invalidate_all()
            self.forget_clients()


class TestSilence(AlarmCase):
    """Six weeks of a firm in Almaty: 9 calls an hour on its number, 9 to 18 from Monday to Friday."""

    @classmethod
    def setUpClass(cls):
        clock = freeze_time(NOW)
        clock.start()
        cls.addClassCleanup(clock.stop)
        super().setUpClass()
        cls.env.flush_all()
        # PostgreSQL's clock is not the test's
        cls.env.cr.execute("UPDATE telephony_number SET create_date = '2025-01-01'")
        cls.calls_on(cls.number)

    @classmethod
    def calls_on(cls, number, until='2026-03-17 06:00:00', since='2026-01-20', every=400):
        cls.env.flush_all()
        cls.env.cr.execute(
            """ INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, match_state,
                                            number_id, start_at, ended_at, caller_number, follow_up)
                SELECT %s, %s, 'h' || %s || at, 'inbound', 'ended', 'none', %s, at, at, '', 'done'
                  FROM generate_series(%s::timestamp, %s::timestamp, make_interval(secs => %s)) AS at
                 WHERE extract(isodow FROM at) < 6 AND extract(hour FROM at) BETWEEN 4 AND 12 """,
            [
                number.account_id.id,
                number.company_id.id,
                number.id,
                number.id,
                since,
                until,
                every,
            ],
        )
        cls.env.invalidate_all()

    def speak(self, **ago):
        """An event of the PBX."""
        self.play(self.event('ringing', 'e1', direction='internal', caller='101', called='102'))
        self.set(self.events(), received_at=self.ago(**ago))

    def test_a_silent_number(self):
        """Nobody has called since 11:00, and the PBX speaks."""
        self.speak(minutes=2)
        self.assertEqual(self.look(), ['line_silent'])
        alarm = self.alarms.search([('state', '=', 'open')])
        text = alarm.with_context(tz='Asia/Almaty').text
        self.assertRegex(
            text, r'^Nothing on \+7 7272 50 76 12 since .*11:00.*, usually 9 calls an hour'
        )
        self.assertRegex(text, r'Last event of the PBX: .*2:58')
        self.assertTrue(alarm.is_losing)
        self.assertEqual(alarm.since, fields.Datetime.to_datetime('2026-03-17 06:00:00'))
        self.play(self.event('ringing', 'e2'))
        self.assertEqual(self.look(), [])

    def test_a_silent_pbx(self):
        """That explains the silence of its numbers."""
        self.speak(hours=4)
        self.assertEqual(self.look(), ['pbx_silent'])
        self.play(self.event('ringing', 'e2'))
        self.assertEqual(self.look(), [])

    def test_the_cause_is_named_alone(self):
        self.speak(hours=4)
        self.account.refused_at = self.ago(minutes=3)
        self.assertEqual(self.look(), ['refused'])

    def test_not_before_it_is_news(self):
        self.speak(minutes=2)
        self.calls_on(self.number, '2026-03-17 09:10:00', '2026-03-17 06:05:00')
        self.assertEqual(self.look(), [])

    def test_a_day_off(self):
        self.speak(minutes=2)
        self.env['resource.calendar.leaves'].create(
            {
                'name': "Nauryz",
                'company_id': self.company.id,
                'date_from': '2026-03-16 19:00:00',
                'date_to': '2026-03-17 18:59:59',
            }
        )
        self.assertEqual(self.look(), [])

    def test_a_move_to_another_number(self):
        """The calls come in on another number since this morning, entered or not."""
        self.speak(minutes=2)
        with closing(self.env.cr.savepoint()):
            other = self.env['telephony.number'].create(
                {'name': '+77272507699', 'account_id': self.account.id}
            )
            self.calls_on(other, '2026-03-17 09:55:00', '2026-03-17 06:00:00')
            self.assertEqual(self.look(), [])
        self.env.invalidate_all()
        calls = self.env['telephony.call'].create(
            [
                {
                    'account_id': self.account.id,
                    'external_id': f'm{place}',
                    'direction': 'inbound',
                    'state': 'ended',
                    'start_at': self.ago(minutes=5 * place + 5),
                }
                for place in range(25)
            ]
        )
        self.assertTrue(calls)
        self.assertEqual(self.look(), [])

    def test_the_first_weeks(self):
        self.speak(minutes=2)
        self.env.cr.execute("DELETE FROM telephony_call WHERE start_at < %s", [self.ago(days=18)])
        self.assertEqual(self.look(), [])

    def test_after_a_standstill(self):
        """Of Odoo, or a clock that jumps: silence counts from then on. Nothing else is late either."""
        self.speak(hours=4)
        self.watch.lastcall = self.ago(hours=4)
        for cron in self.alarms._our_crons().values():
            cron.nextcall = self.ago(hours=4)
        self.assertEqual(self.look(), [])
        gap = self.alarms.search([('code', '=', 'unwatched')])
        self.assertEqual((len(gap), gap.state, gap.since), (1, 'over', self.ago(hours=4)))
        self.rest_crons()
        with freeze_time('2026-03-17 12:30:00'):
            self.watch.lastcall = self.ago(minutes=5)
            self.rest_crons()
            self.assertEqual(self.look(), ['pbx_silent'])

    def test_a_short_gap_is_none(self):
        self.watch.lastcall = fields.Datetime.now() - GAP + MINUTE
        self.look()
        self.assertFalse(self.alarms.search([('code', '=', 'unwatched')]))


class TestAnswers(AlarmCase):
    """Who is told, and what they can do about it."""

    def setUp(self):
        super().setUp()
        self.look()
        self.account.refused_at = self.ago(minutes=3)

    def test_one_mail_and_one_activity(self):
        russian = self.env['res.lang']._activate_lang('ru_RU')
        self.admin.lang = russian.code
        self.assertEqual(self.look(), ['refused'])
        mail = self.env['mail.mail'].search([('email_to', 'ilike', 'dana@example.com')])
        self.assertEqual(len(mail), 1)
        self.assertIn("Middleware", mail.subject)
        self.assertEqual(self.reminders().res_id, self.account.id)
        self.look()
        self.assertEqual(len(self.reminders()), 1)

    def test_what_flutters_is_told_once(self):
        self.look()
        alarm = self.alarms.search([('state', '=', 'open')])
        self.account.refused_at = False
        self.assertEqual(self.look(), [])
        self.account.refused_at = self.ago(minutes=1)
        self.assertEqual(self.look(), ['refused'])
        self.assertEqual(self.alarms.search([('state', '=', 'open')]), alarm)
        mails = self.env['mail.mail'].search([('email_to', 'ilike', 'dana@example.com')])
        self.assertEqual(len(mails), 1)

    def test_known(self):
        self.look()
        alarm = self.alarms.search([('state', '=', 'open')])
        alarm.with_user(self.admin).action_known()
        self.assertFalse(self.reminders())
        self.assertEqual(self.look(), [])
        self.assertEqual((alarm.state, self.account.health), ('known', 'good'))
        alarm.with_user(self.admin).action_not_known()
        self.assertEqual(self.look(), ['refused'])
        alarm.with_user(self.admin).action_known()
        self.account.refused_at = False
        self.look()
        self.assertEqual(alarm.state, 'over')

    def test_a_new_address_is_accepted(self):
        self.account.refused_at = False
        self.look()
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://other.example.com')
        self.assertEqual(self.look(), ['base_url'])
        self.alarms.search([('state', '=', 'open')]).with_user(self.admin).action_known()
        self.assertEqual(self.look(), [])
        self.assertEqual(self.alarms.search([('code', '=', 'base_url')]).state, 'over')

    def test_supervisors_see_and_administrators_answer(self):
        self.look()
        alarm = self.alarms.search([('state', '=', 'open')]).with_user(self.supervisor)
        self.assertTrue(alarm.text)
        for answer in (alarm.action_known, alarm.action_not_known, alarm.action_map):
            with self.assertRaises(AccessError):
                answer()
        board = self.env['telephony.live'].with_user(self.supervisor).get_board()
        self.assertEqual([row['loses'] for row in board['alarms']], [True])
        for name in ('letter', 'retain'):
            self.env.ref(f'crm_telephony.ir_cron_{name}').active = False
        self.look()
        board = self.env['telephony.live'].with_user(self.supervisor).get_board()
        self.assertEqual([row['loses'] for row in board['alarms']], [True, False])
        self.assertIn("(and 1 more)", board['alarms'][1]['text'])

    def test_another_company_does_not_see_it(self):
        self.look()
        company = self.env['res.company'].create({'name': "Another"})
        other = new_test_user(
            self.env,
            'tel_other',
            groups='base.group_user,crm_telephony.group_admin',
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        self.assertFalse(self.alarms.with_user(other).search([]))
        self.assertFalse(self.env['mail.activity'].search([('user_id', '=', other.id)]))

    def test_a_look_that_fails_changes_nothing(self):
        """Neither what it has found before, nor what the others find."""
        self.look()
        self.account.refused_at = False
        self.env.ref('crm_telephony.ir_cron_letter').active = False
        with (
            patch.object(type(self.alarms), '_find_refused', side_effect=ValueError("broken")),
            self.assertLogs('odoo.addons.crm_telephony.models.watch.alarm', 'ERROR'),
        ):
            self.assertEqual(self.look(), ['cron', 'refused'])
        self.assertEqual(self.look(), ['cron'])

    def test_health(self):
        self.assertEqual(self.account.health, 'good')
        self.look()
        self.account.invalidate_recordset()
        self.assertEqual(self.account.health, 'loses')
        self.assertIn("refused", self.account.health_line)
        self.env.ref('crm_telephony.ir_cron_letter').active = False
        self.look()
        self.account.invalidate_recordset()
        self.assertIn("(and 1 more)", self.account.health_line)
        self.account.refused_at = False
        self.look()
        self.account.invalidate_recordset()
        self.assertEqual(self.account.health, 'warns')
        self.env.ref('crm_telephony.ir_cron_letter').active = True
        self.look()
        self.watch.lastcall = self.ago(hours=1)
        self.account.invalidate_recordset()
        self.assertEqual(self.account.health, 'unknown')

    def test_no_number_of_a_customer_is_kept(self):
        self.play({'event': 'ringing', 'call_id': 'f1', 'at': f"{CUSTOMER} {CUSTOMER}"})
        self.set(self.events(), received_at=self.ago(minutes=11))
        self.look()
        alarm = self.alarms.search([('code', '=', 'failed_events')])
        self.assertTrue(alarm)
        self.assertNotIn(CUSTOMER[1:], alarm.text)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestPlain(BaseCase):
    def test_skew(self):
        for differences, skew in (
            ([], 0),
            ([600] * 4, 0),
            ([-1, -2, 0, -3, -600, -1], 0),
            ([600, 601, 599, 600, -3000, 602], 600),
            ([-1200] * 3 + [-1300] * 9, -1200),
            ([-3000] * 20 + [-2] * 6, 0),  # a spool that was worked off
            ([119] * 9, 0),
            (range(-60000, -30000, 1000), 0),  # a day that was delivered in the evening
        ):
            self.assertEqual(skew_of(differences), skew, differences)
        for skew, hours in ((3600, 1), (-18010, -5), (1800, 0.5), (600, 0), (2700, 0), (90, 0)):
            self.assertEqual(zone_hours(skew), hours)

    def test_consequences(self):
        """A PBX that is refused is silent, and so are its numbers; another PBX is not."""
        found = [
            Finding(code, account, "x", is_cause=code == 'refused')
            for code, account in (
                ('refused', 1),
                ('pbx_silent', 1),
                ('line_silent', 1),
                ('clock', 1),
                ('pbx_silent', 2),
                ('line_silent', 2),
                ('line_silent', 3),
            )
        ]
        self.assertEqual(
            [(finding.code, finding.account) for finding in without_consequences(found)],
            [('refused', 1), ('clock', 1), ('pbx_silent', 2), ('line_silent', 3)],
        )

    def test_every_kind_has_words(self):
        for code, kind in KINDS.items():
            self.assertTrue(kind.label and kind.advice, code)


class TestHealthAddress(TelephonyHttpCase):
    """The address for a firm's own monitoring."""

    def setUp(self):
        super().setUp()
        self.watch = self.env.ref('crm_telephony.ir_cron_watch')
        self.watch.lastcall = fields.Datetime.now()
        self.company.sudo().telephony_health_token = 'token-of-this-test'
        self.path = '/telephony/health/token-of-this-test'

    def alarm(self, **values):
        return self.env['telephony.alarm'].create(
            {
                'code': 'refused',
                'is_losing': True,
                'account_id': self.account.id,
                'key': '-',
                'text': f"secret {DID}",
                'since': fields.Datetime.now(),
                **values,
            }
        )

    def ask(self, path=None):
        self.env.flush_all()
        response = self.url_open(path or self.path)
        return response.status_code, response

    def test_200_or_503(self):
        status, response = self.ask()
        self.assertEqual((status, response.json()['status']), (200, 'good'))
        alarm = self.alarm(code='cron', is_losing=False, account_id=False)
        self.assertEqual(self.ask()[0], 200)
        alarm.is_losing = True
        self.assertEqual(self.ask()[0], 503)
        alarm.state = 'known'
        self.assertEqual(self.ask()[0], 200)
        self.watch.lastcall = fields.Datetime.now() - HOUR
        status, response = self.ask()
        self.assertEqual((status, response.json()['status']), (503, 'unknown'))

    def test_it_tells_no_names(self):
        self.alarm()
        status, response = self.ask()
        self.assertEqual(status, 503)
        self.assertEqual(set(response.json()['alarms'][0]), {'code', 'loses_calls', 'since'})
        for told in (DID, self.account.name, 'secret'):
            self.assertNotIn(told, response.text)

    def test_alarms_of_another_company(self):
        company = self.env['res.company'].create({'name': "Another"})
        self.alarm(account_id=self.new_account(company, name="Theirs").id)
        self.assertEqual(self.ask()[0], 200)

    def test_who_may_not(self):
        for path in (
            '/telephony/health/',
            '/telephony/health/x',
            self.path + 'x',
            '/telephony/health/%D0%B6',
        ):
            self.assertEqual(self.ask(path)[0], 404, path)
        self.company.sudo().telephony_health_token = False
        for path in (self.path, '/telephony/health/False'):
            self.assertEqual(self.ask(path)[0], 404, path)

    def test_the_token_is_no_business_of_the_log(self):
        record = logging.LogRecord(
            'werkzeug', 20, '', 0, f'"GET {self.path} HTTP/1.1" 200', (), None
        )
        TokenMask().filter(record)
        self.assertNotIn('token-of-this-test', record.msg)

    def test_a_new_address(self):
        for user in (self.anna, self.supervisor):
            with self.assertRaises(AccessError):
                self.company.with_user(user)._new_telephony_health_token()
            with self.assertRaises(AccessError):
                self.company.with_user(user).read(['telephony_health_token'])
        admin = new_test_user(
            self.env, 'tel_admin', groups='base.group_user,crm_telephony.group_admin'
        )
        self.company.with_user(admin)._new_telephony_health_token()
        self.assertEqual(self.ask()[0], 404)
        address = self.company.with_user(admin).telephony_health_url
        self.assertEqual(self.ask(address[address.index('/telephony') :])[0], 200)
