"""The test call: an administrator calls, and each fact is ticked off or named as missing."""

import re
from datetime import datetime, timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, new_test_user, tagged

from odoo.addons.crm_telephony.models.watch.verdict import (
    ANSWERED,
    ARRIVAL,
    LONGEST,
    MISSED,
    RECORDING,
    TROUBLES,
    Evidence,
    has_passed,
    is_from_before,
    is_over,
    judge,
    minutes_off,
)
from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.advice import ADVICE, VALUES

from .common import CUSTOMER, DID, TelephonyCase

MOBILE = CUSTOMER
STRANGER = '+77019998877'
BEGIN = datetime(2026, 11, 30, 9)


def after(seconds):
    return BEGIN + timedelta(seconds=seconds)


# A call as it should be: answered by Anna, recorded, shown to her.
WHOLE = Evidence(
    begun_at=BEGIN,
    heard_at=after(20),
    direction='inbound',
    caller=MOBILE,
    customer=MOBILE,
    called=DID,
    is_known_line=True,
    is_chosen_line=True,
    start_at=after(20),
    ended_at=after(50),
    is_over=True,
    talk_seconds=25,
    outcome='answered',
    extension='101',
    has_user=True,
    is_answered=True,
    card='shown',
    is_matched=True,
    recording='ready',
)
LOST = WHOLE._replace(
    outcome='missed',
    talk_seconds=0,
    extension='',
    has_user=False,
    is_answered=False,
    has_callback=True,
    has_activity=True,
)


def found(evidence, is_missed=False, now=None, **kwargs):
    findings = judge(evidence, is_missed, now or after(600), **kwargs)
    return {
        fact: finding.cause or finding.state
        for fact, finding in findings.items()
        if finding.state != 'seen'
    }


@tagged('post_install', '-at_install', 'crm_telephony')
class TestVerdict(BaseCase):
    def test_a_whole_call(self):
        for evidence, is_missed, facts in ((WHOLE, False, ANSWERED), (LOST, True, MISSED)):
            findings = judge(evidence, is_missed, after(60))
            self.assertEqual(tuple(findings), facts)
            self.assertEqual({finding.state for finding in findings.values()}, {'seen'})
            self.assertTrue(has_passed(findings))
            self.assertTrue(is_over(evidence, findings, after(60)))

    def test_each_fact_that_is_missing_has_its_cause(self):
        for change, fact, cause in (
            ({'caller': '', 'customer': ''}, 'caller', 'hidden'),
            ({'caller': '12', 'customer': ''}, 'caller', 'unread'),
            ({'is_chosen_line': False}, 'called', 'called_other'),
            ({'is_chosen_line': False, 'is_known_line': False}, 'called', 'called_unknown'),
            ({'is_chosen_line': False, 'called': ''}, 'called', 'called_none'),
            ({'direction': 'internal'}, 'direction', 'direction'),
            ({'has_time': False}, 'times', 'no_time'),
            ({'start_at': after(20 - 6 * 3600)}, 'times', 'clock'),
            ({'is_end_known': False}, 'times', 'no_end'),
            ({'talk_seconds': 0}, 'talk', 'no_talk'),
            ({'outcome': ''}, 'outcome', 'no_outcome'),
            ({'outcome': 'missed', 'is_answered': False}, 'outcome', 'not_answered'),
            ({'outcome': 'voicemail', 'is_answered': False}, 'outcome', 'voicemail'),
            ({'has_user': False}, 'who', 'no_user'),
            ({'has_user': False, 'extension': ''}, 'who', 'no_phone'),
            ({'is_excluded': True}, 'card', 'excluded'),
            ({'card': 'told'}, 'card', 'no_card'),
            ({'card': 'off'}, 'card', 'card_off'),
            ({'card': ''}, 'card', 'no_card_user'),
            ({'is_matched': False}, 'match', 'no_contact'),
            ({'recording': 'off'}, 'recording', 'recording_off'),
            ({'recording': ''}, 'recording', 'no_recording'),
            ({'recording': 'waits'}, 'recording', 'recording_late'),
            ({'recording': 'foreign'}, 'recording', 'recording_host'),
            ({'recording': 'failed'}, 'recording', 'recording_failed'),
        ):
            with self.subTest(**change):
                self.assertEqual(found(WHOLE._replace(**change)).get(fact), cause)
        for change, fact, cause in (
            ({'outcome': 'answered', 'talk_seconds': 9}, 'outcome', 'was_answered'),
            ({'has_callback': False}, 'callback', 'no_callback'),
            ({'has_activity': False}, 'activity', 'no_activity'),
            ({'has_callback': False, 'is_excluded': True}, 'callback', 'excluded'),
        ):
            with self.subTest(is_missed=True, **change):
                self.assertEqual(found(LOST._replace(**change), True).get(fact), cause)

    def test_what_a_firm_may_do_without_fails_no_test(self):
        for change in ({'recording': ''}, {'recording': 'off'}, {'is_matched': False}):
            self.assertTrue(has_passed(judge(WHOLE._replace(**change), False, after(600))))
        nameless = WHOLE._replace(is_chosen_line=False, called='')
        self.assertFalse(has_passed(judge(nameless, False, after(600))))
        self.assertTrue(has_passed(judge(nameless, False, after(600), frozenset({'called'}))))

    def test_a_fact_is_missing_only_when_its_time_is_over(self):
        nothing = Evidence(BEGIN, trouble='refused')
        self.assertEqual(found(nothing, now=after(ARRIVAL - 1))['arrival'], 'waiting')
        self.assertEqual(found(nothing, now=after(ARRIVAL))['arrival'], 'refused')
        waits = WHOLE._replace(recording='waits')
        self.assertEqual(found(waits, now=after(50 + RECORDING - 1)), {'recording': 'waiting'})
        self.assertEqual(found(waits, now=after(50 + RECORDING)), {'recording': 'recording_late'})
        rings = Evidence(
            BEGIN,
            after(20),
            direction='inbound',
            caller=MOBILE,
            customer=MOBILE,
            start_at=after(20),
        )
        self.assertEqual(found(rings, now=after(30))['times'], 'waiting')
        self.assertEqual(found(rings, now=after(LONGEST))['times'], 'no_end')
        self.assertFalse(is_over(rings, judge(rings, False, after(30)), after(30)))
        self.assertTrue(is_over(rings, judge(rings, False, after(LONGEST)), after(LONGEST)))

    def test_a_wrong_clock_is_told_from_an_old_call(self):
        self.assertEqual(minutes_off(after(0), after(3)), 0)
        self.assertEqual(minutes_off(after(0), after(600)), 0, "told at the end only")
        self.assertEqual(minutes_off(after(6 * 3600), after(5)), 360)
        self.assertEqual(minutes_off(after(-3600), after(5)), -60)
        for start, heard, is_old in (
            (20, 21, False),
            (20 - 3600, 21, False),  # a wrong zone
            (20 + 6 * 3600, 21, False),
            (-300, 21, True),  # its end was told late
            (-8 * 60 - 3600, 21, True),
            (5, -1, True),
        ):
            with self.subTest(start=start, heard=heard):
                self.assertEqual(is_from_before(after(start), after(heard), BEGIN), is_old)

    def test_every_cause_has_advice_for_every_pbx(self):
        causes = {'hidden', 'was_answered', *TROUBLES}
        sources = (
            WHOLE._replace(**change)
            for name, type_ in Evidence.__annotations__.items()
            for change in [{name: type_()} if type_ in (str, int, bool) else {}]
        )
        for evidence in sources:
            for is_missed in (False, True):
                causes |= {f.cause for f in judge(evidence, is_missed, after(999)).values()} - {''}
        self.assertLessEqual(causes, ADVICE.keys())
        for code, provider in registry.items():
            with self.subTest(code):
                self.assertLessEqual(provider.advice.keys(), ADVICE.keys())
                self.assertLessEqual(provider.untold, set(ANSWERED))
                for cause in ADVICE:
                    text = provider.advise(cause)
                    self.assertLessEqual(set(re.findall(r'%\((\w+)\)s', text)), set(VALUES))
                    self.assertTrue(text % dict.fromkeys(VALUES, ''), cause)


class TestTestCall(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env,
            'tel_admin',
            groups='base.group_user,sales_team.group_sale_salesman,crm_telephony.group_admin',
            name="Admin",
            tz='Asia/Almaty',
        )

    def setUp(self):
        super().setUp()
        self.work_around_the_clock()
        self.told = []
        send = type(self.env['bus.bus'])._sendone

        def note(bus, target, kind, message):
            if kind == 'crm_telephony.test_call':
                self.told.append((target, message['id']))
            return send(bus, target, kind, message)

        self.startPatcher(patch.object(type(self.env['bus.bus']), '_sendone', note))

    @property
    def tests(self):
        return self.env['telephony.test.call'].with_user(self.admin)

    def begin(self, phone='', is_missed=False, number=None):
        number = self.number if number is None else number
        progress = self.tests.begin_test(self.account.id, number.id, phone, is_missed)
        return self.tests.browse(progress['id'])

    def pass_time(self, test, seconds):
        """Let the test, and what it has heard, be so much older."""
        gone = timedelta(seconds=seconds)
        record = test.sudo()
        record.begun_at -= gone
        for event in self.events():
            event.received_at -= gone
        for name in ('start_at', 'answered_at', 'ended_at'):
            if record.call_id[name]:
                record.call_id[name] -= gone

    def run_cron(self):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_test_calls').method_direct_trigger()
        self.env.invalidate_all()

    def states(self, test):
        return {line['fact']: line['state'] for line in test.get_progress()['lines']}

    def line(self, test, fact):
        return next(line for line in test.get_progress()['lines'] if line['fact'] == fact)

    def answer(self, call_id='c1', **more):
        self.play(self.event('ringing', call_id, extension='101', **more))
        self.env['telephony.call'].with_user(self.anna).browse(self.call(call_id).id).get_card()
        self.play(
            self.event('answered', call_id, 3, extension='101', **more),
            self.event('ended', call_id, 43, outcome='answered', talk_seconds=40, **more),
        )

    def test_an_answered_call_fact_by_fact(self):
        test = self.begin(phone='8 777 123 45 67')
        progress = test.get_progress()
        self.assertEqual(progress['state'], 'waiting')
        self.assertEqual(set(self.states(test).values()), {'waiting'})
        self.assertLessEqual(progress['next_seconds'], ARRIVAL + 1)

        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.told, [(self.admin.partner_id, test.id)])
        states = self.states(test)
        for fact in ('arrival', 'caller', 'called', 'direction', 'match'):
            self.assertEqual(states[fact], 'seen', fact)
        for fact in ('times', 'talk', 'outcome', 'who', 'card', 'recording'):
            self.assertEqual(states[fact], 'waiting', fact)
        self.assertEqual(test.found_by, 'phone')

        self.told.clear()
        self.env['telephony.call'].with_user(self.anna).browse(self.call().id).get_card()
        self.assertEqual(self.told, [(self.admin.partner_id, test.id)])
        self.assertEqual(self.states(test)['card'], 'seen')
        self.assertEqual(self.line(test, 'card')['value'], "Anna")

        self.play(self.event('answered', at=3, extension='101'))
        self.assertEqual(self.states(test)['who'], 'seen')
        self.play(self.event('ended', at=43, outcome='answered', talk_seconds=40))
        self.assertEqual(
            {fact for fact, state in self.states(test).items() if state != 'seen'}, {'recording'}
        )
        self.account.recording_hosts = 'records.example.com'
        self.play(self.event('recording', at=50, recording_url='https://records.example.com/1.mp3'))
        progress = test.get_progress()
        self.assertEqual(progress['state'], 'passed')
        self.assertIsNone(progress['next_seconds'])
        self.assertEqual(tuple(line['fact'] for line in progress['lines']), ANSWERED)
        self.assertEqual(
            {line['fact']: line['value'] for line in progress['lines']}['who'], "101 Anna"
        )
        self.assertFalse(test.phone, "the tester's own number is not kept")
        self.assertRecordValues(
            test,
            [{'user_id': self.admin.id, 'call_id': self.call().id, 'number_id': self.number.id}],
        )
        self.assertTrue(test.version)
        self.assertTrue(test.odoo_version)

    def test_a_missed_call_up_to_its_callback(self):
        test = self.begin(phone=MOBILE, is_missed=True)
        self.play(self.event('ringing', extension='101'))
        self.env['telephony.call'].with_user(self.anna).browse(self.call().id).get_card()
        self.play(self.event('ended', at=20, outcome='missed'), follow_up=False)
        states = self.states(test)
        self.assertEqual((states['who'], states['talk']), ('seen', 'seen'))
        self.assertEqual((states['callback'], states['activity']), ('waiting', 'waiting'))
        self.told.clear()
        self.file_calls()
        self.assertTrue(self.told, "the follow-up tells the page")
        self.assertEqual(test.state, 'passed', self.states(test))
        self.assertIn("rang: 101 Anna", self.line(test, 'who')['value'])

    def test_the_call_of_a_stranger_is_not_the_testers(self):
        test = self.begin(phone=MOBILE)
        self.play(self.event('ringing', 'stranger', caller=STRANGER, extension='102'))
        self.assertFalse(test.call_id)
        self.pass_time(test, ARRIVAL)
        line = self.line(test, 'arrival')
        self.assertEqual(line['state'], 'missing')
        self.assertIn("+7 701 999 8877", line['text'])
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(test.call_id, self.call())
        self.assertEqual(self.states(test)['arrival'], 'seen')

    def test_without_a_mobile_the_first_call_counts_until_the_tester_says_no(self):
        test = self.begin()
        self.play(self.event('ringing', 'stranger', caller=STRANGER, extension='102'))
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(test.call_id, self.call('stranger'))
        progress = test.get_progress()
        self.assertFalse(progress['is_sure'])
        self.assertTrue(progress['found_by'])
        test.not_this_call()
        self.assertEqual(test.call_id, self.call(), "it had come meanwhile")
        self.play(self.event('ended', 'stranger', 30, caller=STRANGER, outcome='missed'))
        self.assertEqual(test.call_id, self.call())

    def test_a_hidden_caller(self):
        test = self.begin(phone=MOBILE)
        self.play(self.event('ringing', caller='anonymous', extension='101'))
        self.assertEqual(test.found_by, 'hidden')
        line = self.line(test, 'caller')
        self.assertEqual(line['state'], 'missing')
        self.assertIn("hidden", line['text'])

    def test_a_call_that_began_before_is_none(self):
        self.play(self.event('ringing', extension='101'))
        self.events().received_at -= timedelta(seconds=60)
        test = self.begin(phone=MOBILE)
        self.play(self.event('ended', at=5, outcome='missed'))
        self.assertFalse(test.call_id)

    def test_two_tests_at_once(self):
        other = self.env['telephony.number'].create(
            {'name': '+77272507699', 'account_id': self.account.id}
        )
        second = new_test_user(self.env, 'tel_admin2', groups='crm_telephony.group_admin')
        first = self.begin()
        mine = self.tests.with_user(second)
        test = mine.browse(mine.begin_test(self.account.id, other.id, STRANGER, False)['id'])
        self.play(self.event('ringing', 'b', caller=STRANGER, called=other.name, extension='102'))
        self.play(self.event('ringing', 'a', extension='101'))
        self.assertEqual((first.call_id, test.call_id), (self.call('a'), self.call('b')))
        again = self.begin()
        self.assertEqual((first.state, again.state), ('stopped', 'waiting'))
        self.assertEqual(test.state, 'waiting', "a colleague's goes on")

    def test_a_clock_six_hours_off(self):
        test = self.begin(phone=MOBILE)
        self.play(self.event('ringing', at=6 * 3600, extension='101'))
        line = self.line(test, 'times')
        self.assertEqual(line['state'], 'missing')
        self.assertIn("+6 h", line['text'])
        self.assertEqual(line['place'], 'account')

    def test_what_came_instead(self):
        test = self.begin()
        self.pass_time(test, ARRIVAL)
        self.env['ir.config_parameter'].set_param('web.base.url', 'http://localhost:8069')
        self.env.registry.clear_cache()
        self.env.invalidate_all()
        self.assertIn("web.base.url", self.line(test, 'arrival')['text'])
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://odoo.example.com')
        self.env.registry.clear_cache()
        self.env.invalidate_all()
        self.assertEqual(self.line(test, 'arrival')['text'], registry['generic'].advise('nothing'))
        self.account.write({'refused_at': fields.Datetime.now(), 'refused_reason': "Wrong secret."})
        self.assertIn("Wrong secret.", self.line(test, 'arrival')['text'])
        self.play({'event': 'nonsense', 'call_id': 'x'})
        line = self.line(test, 'arrival')
        self.assertIn("could not be read", line['text'])
        self.assertEqual(line['place'], 'events')
        self.assertEqual(test.state, 'waiting', "it may still come")

    def test_an_extension_without_a_user(self):
        test = self.begin(phone=MOBILE)
        self.play(
            self.event('ringing', extension='103'), self.event('answered', at=3, extension='103')
        )
        line = self.line(test, 'who')
        self.assertEqual(line['state'], 'missing')
        self.assertIn("103", line['text'])

    def test_a_recording_on_a_foreign_host(self):
        test = self.begin(phone=MOBILE)
        self.answer()
        self.play(self.event('recording', at=50, recording_url='https://elsewhere.example/1.mp3'))
        line = self.line(test, 'recording')
        self.assertEqual(line['state'], 'missing')
        self.assertIn("elsewhere.example", line['text'])
        self.assertEqual(test.state, 'failed')
        self.assertEqual(test.missing, "Recording")

    def test_a_number_that_is_no_customers(self):
        self.env['telephony.decision'].create({'number': MOBILE, 'kind': 'ignore'})
        test = self.begin(phone=MOBILE, is_missed=True)
        self.play(
            self.event('ringing', extension='101'), self.event('ended', at=20, outcome='missed')
        )
        self.assertEqual(test.state, 'failed')
        self.assertIn("no customer", self.line(test, 'callback')['text'])

    def test_a_forgotten_test_ends_by_itself(self):
        test = self.begin(phone=MOBILE)
        self.pass_time(test, LONGEST)
        self.run_cron()
        self.assertEqual(test.state, 'failed')
        self.assertFalse(test.phone)

    def test_nobody_else_tests(self):
        test = self.begin()
        for user in (self.anna, self.supervisor):
            for ask in (
                lambda user=user: self.tests.with_user(user).begin_test(self.account.id),
                lambda user=user: self.tests.with_user(user).get_test_choices(),
                test.with_user(user).get_progress,
                test.with_user(user).end_test,
            ):
                with self.assertRaises(AccessError):
                    ask()
        with self.assertRaises(UserError):
            self.begin(phone="my mobile")

    def test_calls_are_filed_when_a_test_fails(self):
        test = self.begin()
        with (
            patch.object(type(test), '_evidence', side_effect=ValueError("broken")),
            self.assertLogs('odoo.addons.crm_telephony.models.watch.test_call', 'ERROR'),
        ):
            self.play(self.event('ringing', extension='101'))
        self.assertTrue(self.call())

    # --- whether it was tested as it stands ---------------------------------------------------------------------

    def test_what_has_changed_since_the_test(self):
        self.assertEqual(self.account.test_state, 'untested')
        test = self.begin(phone=MOBILE)
        self.answer()
        self.pass_time(test, RECORDING + 60)
        test.get_progress()
        self.account.invalidate_recordset()
        self.assertEqual((self.account.test_state, self.account.test_note), ('passed', False))

        def note():
            self.account.invalidate_recordset()
            return self.account.test_note or ''

        self.account.timezone = 'Europe/Paris'
        self.assertIn("Timezone", note())
        self.account.timezone = 'Asia/Almaty'
        self.assertEqual(note(), '')
        self.account.api_secret = 'another secret'
        self.assertNotIn('another secret', note())
        self.assertTrue(note())
        self.account.api_secret = 'a-secret-that-nobody-guesses'
        phone = self.env['telephony.extension'].create(
            {'number': '105', 'account_id': self.account.id}
        )
        self.assertIn("105", note())
        self.assertEqual(self.account.test_state, 'changed')
        phone.unlink()
        with patch.object(type(self.account), '_addon_version', lambda account: '19.0.9.0.0'):
            self.assertIn("19.0.9.0.0", note())
        self.assertEqual(note(), '')

    def test_each_administrator_is_asked_once_until_a_test_passes(self):
        def asked():
            return self.account.activity_ids.filtered(
                lambda activity: activity.user_id == self.admin
            )

        ask = self.run_cron
        ask()
        self.assertFalse(asked(), "not in use yet")
        self.play(self.event('ringing', extension='101'))
        ask()
        ask()
        self.assertEqual(len(asked()), 1)
        test = self.begin(phone=MOBILE)
        self.answer('c2')
        self.pass_time(test, RECORDING + 60)
        test.get_progress()
        self.assertEqual(test.state, 'passed')
        self.account.invalidate_recordset()
        self.assertFalse(asked())
        ask()
        self.assertFalse(asked())
