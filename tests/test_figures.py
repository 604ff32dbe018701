"""The figures: a day that was counted by hand, and the promise that every number opens the list that
it counted."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytz
from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, new_test_user, tagged

from ..tools import periods
from ..tools.lost_cause import covered, most_at_once
from .common import TelephonyCase

GOLDEN = json.loads((Path(__file__).parent / 'figures' / 'golden_day.json').read_text('utf-8'))
EXPECTED = GOLDEN['expected']
DAY = {'first': '2026-11-10', 'last': '2026-11-10'}
LETTERS = 'odoo.addons.crm_telephony.models.figures.letter'
CAUSES = {'hung_up_at_once': 'at_once'}


class GoldenDay(TelephonyCase):
    """The golden day, told by the PBX of each company."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        env, numbers = cls.env, GOLDEN['numbers']
        cls.number.unlink()
        cls.account.extension_ids.unlink()
        cls.partner.unlink()
        groups = 'base.group_user,sales_team.group_sale_salesman,crm_telephony.group_user'
        cls.users = {
            name: new_test_user(env, f'golden_{name}', groups=groups, name=name, tz='Asia/Almaty')
            for name in GOLDEN['users'].values()
        }
        cls.sources = {
            name: env['utm.source'].create({'name': name})
            for name in set(GOLDEN['sources'].values()) - {None}
        }
        cls.other_company = env['res.company'].create(
            {'name': "B", 'country_id': env.ref('base.kz').id}
        )
        cls.other_company.resource_calendar_id.tz = 'Asia/Almaty'
        cls.other_account = cls.new_account(cls.other_company)
        env['telephony.number'].create(
            [
                {
                    'name': number,
                    'account_id': cls.account.id,
                    'source_id': cls.sources[GOLDEN['sources'][did]].id
                    if GOLDEN['sources'][did]
                    else False,
                }
                for did, number in numbers.items()
            ]
            + [{'name': '+77272500099', 'account_id': cls.other_account.id}]
        )
        env['telephony.extension'].create(
            [
                {'number': number, 'account_id': cls.account.id, 'user_id': cls.users[name].id}
                for number, name in GOLDEN['users'].items()
            ]
        )
        env['telephony.decision'].create(
            {
                'number': GOLDEN['customers']['X1'],
                'kind': 'ignore',
                'company_id': cls.company.id,
            }
        )
        cls.company.write({'telephony_effect_hours': 0})
        cls.account.line_count = GOLDEN['settings']['lines']

    def tell(self):
        """Let both PBXs tell their calls, and close the one whose end never came."""
        for known in GOLDEN['known_before']:
            self.play(*self.before(known), follow_up=False)
        for call in filter(lambda call: call.get('manual'), GOLDEN['calls']):
            self._log(call)
        for account, company in ((self.account, None), (self.other_account, 'B')):
            events = [
                event
                for call in GOLDEN['calls']
                for event in call['events']
                if call.get('company') == company
            ]
            self.play(*events, account=account)
        self.close()

    def before(self, known):
        """The events of an earlier call of a customer."""
        moments = (
            ('ringing', {}),
            ('answered', {}),
            ('ended', {'outcome': 'answered', 'talk_seconds': 60}),
        )
        return [
            self.event(
                kind,
                f'before-{known}',
                '2026-11-01T05:00:00+00:00',
                caller=GOLDEN['customers'][known],
                called=GOLDEN['numbers']['D1'],
                extension='101',
                **more,
            )
            for kind, more in moments
        ]

    def close(self):
        self.run_cron('close_lost')
        self.run_cron('follow_up')

    def run_cron(self, name):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.ir_cron_{name}').method_direct_trigger()
        self.env.invalidate_all()

    def _log(self, call):
        start = datetime.fromisoformat(call['start_utc']).replace(tzinfo=None)
        user = self.users[GOLDEN['users'][call['manual']]]
        self.env['telephony.call'].with_user(user)._log_by_hand(
            self.company,
            {
                'direction': call['direction'],
                'start_at': start,
                'answered_at': start,
                'ended_at': start + timedelta(seconds=call['talk']),
                'outcome': call['outcome'],
                'talk_seconds': call['talk'],
                'number_id': False,
                'customer_number': GOLDEN['customers'][call['customer']],
            },
        )

    def board(self, period=None, user=None, **filters):
        report = self.env['telephony.report'].with_user(user or self.supervisor)
        return report.get_board(period or DAY, filters)

    def values(self, board):
        return {name: count['value'] for name, count in board['counts'].items()}

    def assertShare(self, share, expected):
        self.assertEqual((share['n'], share['d']), (expected['n'], expected['d']))


class TestGoldenDay(GoldenDay):
    def setUp(self):
        super().setUp()
        self.startPatcher(freeze_time('2026-11-11 12:00:00'))
        self.tell()

    def test_the_facts_of_each_call(self):
        for told in GOLDEN['calls']:
            account = self.other_account if told.get('company') else self.account
            call = self.call(told['id'], account)
            if told.get('manual'):
                continue
            with self.subTest(call=told['id']):
                self.assertEqual(call.service_class or None, told['service_class'])
                self.assertEqual(call.menu_seconds, told['menu_seconds'])
                if told['direction'] == 'inbound' and told['outcome']:
                    self.assertEqual(call.service_wait, told['service_wait'])
                self.assertEqual(call.is_short_abandon, told['is_short_abandon'])
                if not told.get('company'):
                    self.assertEqual(call.in_hours, told['in_hours'])
                cause = EXPECTED['lost_cause'].get(told['id'])
                self.assertEqual(call.lost_cause or None, CAUSES.get(cause, cause))
                source = GOLDEN['sources'].get(told['did'])
                self.assertEqual(call.source_id.name or None, source)

    def test_the_first_calls(self):
        first = self.env['telephony.call'].search(
            [('is_first_call', '=', True), ('company_id', '=', self.company.id)]
        )
        by_source = {}
        for call in first.filtered(lambda call: not call.external_id.startswith('before')):
            if call.start_at < datetime(2026, 11, 10, 19):
                name = call.source_id.name or '(none)'
                by_source[name] = by_source.get(name, 0) + 1
        expected = {name: its['first_calls'] for name, its in EXPECTED['sources'].items()}
        self.assertEqual(by_source, expected)

    def test_the_board(self):
        board = self.board()
        values = self.values(board)
        self.assertEqual(values['offered'], EXPECTED['offered'])
        for outcome, count in EXPECTED['offered_by_outcome'].items():
            self.assertEqual(values[outcome], count, outcome)
        self.assertEqual(values['blocked'], EXPECTED['blocked'])
        self.assertEqual(values['short_abandon'], EXPECTED['short_abandons'])
        self.assertEqual(
            values['offered'] - values['offered_in_hours'], EXPECTED['offered_out_of_hours']
        )
        for name, expected in (
            ('answer_rate', EXPECTED['answer_rate']),
            ('lost_call_rate', EXPECTED['lost_call_rate']),
            ('lost_call_rate_in_hours', EXPECTED['lost_call_rate_in_hours']),
            ('abandonment_rate', EXPECTED['abandonment_rate']),
            ('short_talk_share', EXPECTED['short_talk_share']),
            ('transfer_rate', EXPECTED['transfer_rate']),
            ('connect_rate', EXPECTED['connect_rate']),
            ('service_level', EXPECTED['service_level']['offered_less_short (default)']),
            ('service_level_offered', EXPECTED['service_level']['offered']),
            ('service_level_answered', EXPECTED['service_level']['answered']),
            (
                'service_level_answered_and_abandoned',
                EXPECTED['service_level']['answered_and_abandoned'],
            ),
            (
                'service_level_answered_and_abandoned_not_short',
                EXPECTED['service_level']['answered_and_abandoned_less_short'],
            ),
        ):
            with self.subTest(share=name):
                self.assertShare(board['shares'][name], expected)
        times, asa = board['times'], EXPECTED['asa']
        self.assertEqual(times['answer_sum'], asa['sum'])
        self.assertAlmostEqual(times['answer_mean'], asa['mean'], 4)
        self.assertAlmostEqual(times['answer_median'], asa['median'], 4)
        self.assertAlmostEqual(times['answer_p90'], asa['p90'], 4)
        self.assertAlmostEqual(times['abandon_mean'], EXPECTED['average_time_to_abandon'], 4)
        self.assertEqual(times['waited_sum'], EXPECTED['patience_seconds']['waited'])
        talk = EXPECTED['talk_seconds']
        self.assertEqual(
            (times['talk_inbound'], times['talk_outbound'], times['talk_by_hand']),
            (talk['inbound'], talk['outbound'], talk['by_hand']),
        )
        self.assertAlmostEqual(times['talk_mean'], EXPECTED['average_talk'], 4)
        self.assertEqual(values['contacts'], EXPECTED['qualified_contacts'])
        self.assertEqual(values['contacts_by_hand'], EXPECTED['qualified_contacts_by_hand'])
        self.assertEqual(values['attempts'], EXPECTED['outbound_attempts'])
        self.assertEqual(values['attempts_by_hand'], EXPECTED['outbound_by_hand'])

    def test_callers_and_callbacks(self):
        callers, debts = self.board()['callers'], EXPECTED['debts']
        self.assertEqual(callers['callers'], EXPECTED['callers'])
        self.assertEqual(callers['reached'], EXPECTED['customers_reached_by_us'])
        self.assertEqual(callers['repeated'], EXPECTED['repeat_callers_24h']['n'])
        self.assertEqual(
            {
                name: callers[f'debts_{name}']['value']
                for name in ('opened', 'served', 'reached_by_us', 'called_again', 'tried_soon')
            },
            {
                'opened': debts['opened'],
                'served': debts['served'],
                'reached_by_us': debts['we_reached'],
                'called_again': debts['called_again'],
                'tried_soon': debts['first_try_within_15']['n'],
            },
        )
        lost = self.env['telephony.callback'].search(callers['debts_lost']['domain'])
        customers = {number: name for name, number in GOLDEN['customers'].items()}
        self.assertEqual(
            sorted(customers[number] for number in lost.mapped('customer_number')),
            EXPECTED['lost_caller_rate']['who'],
        )

    def test_a_loss_whose_end_was_not_told_has_a_cause(self):
        """Some PBXs tell how long the caller waited, but not when they left."""
        call = self.call('A28')
        call.write({'ended_at': False, 'lost_cause': False, 'follow_up': 'todo'})
        self.run_cron('follow_up')
        self.assertEqual(call.lost_cause, 'not_picked_up')

    def test_who_left_in_the_menu_is_not_called_back(self):
        """Unless a rule says so."""
        menu = self.call('A32')
        self.assertEqual(menu.service_class, 'menu')
        self.assertFalse(self.callbacks(menu.customer_number))
        rule = self.env.ref('crm_telephony.rule_abandoned')
        self.assertNotIn("left in the menu", rule.summary)
        rule.menu_too = True
        self.assertIn("left in the menu", rule.summary)
        menu.follow_up = 'todo'
        self.run_cron('follow_up')
        self.assertEqual(self.callbacks(menu.customer_number).state, 'open')

    def test_why_they_were_lost(self):
        counts = self.board()['counts']
        causes = list(EXPECTED['lost_cause'].values())
        for cause in set(causes):
            name = CAUSES.get(cause, cause)
            self.assertEqual(counts[f'cause_{name}']['value'], causes.count(cause), name)

    def test_the_hours_of_the_week(self):
        hours = {
            f'{cell["hour"]:02}': {'offered': cell['offered'], 'lost': cell['lost']}
            for cell in self.board()['hours']
        }
        self.assertEqual(hours, EXPECTED['heat_map_tuesday'])

    def test_another_zone_cuts_another_day(self):
        self.calendar.tz = 'Europe/Moscow'
        board, expected = self.board(), EXPECTED['same_day_in_Europe/Moscow']
        self.assertEqual(self.values(board)['offered'], expected['offered'])
        self.assertShare(board['shares']['lost_call_rate'], expected['lost_call_rate'])
        self.assertAlmostEqual(board['times']['answer_mean'], expected['asa']['mean'], 4)
        self.assertEqual(board['times']['answer_sum'], expected['asa']['sum'])

    def test_the_reader_s_zone_changes_nothing(self):
        expected = self.values(self.board())
        self.supervisor.tz = 'America/New_York'
        self.assertEqual(self.values(self.board()), expected)

    def test_two_companies_on_one_screen(self):
        self.supervisor.company_ids |= self.other_company
        report = self.env['telephony.report'].with_user(self.supervisor)
        both = report.with_context(
            allowed_company_ids=[self.company.id, self.other_company.id]
        ).get_board(DAY)
        self.assertEqual(self.values(both)['offered'], EXPECTED['offered'] + 1)
        alone = report.with_context(allowed_company_ids=self.company.ids).get_board(DAY)
        self.assertEqual(self.values(alone)['offered'], EXPECTED['offered'])

    def test_every_number_opens_the_list_that_it_counted(self):
        board = self.board({'first': '2026-11-09', 'last': '2026-11-11'})
        Call = self.env['telephony.call'].with_user(self.supervisor)
        for name, count in board['counts'].items():
            with self.subTest(count=name):
                domain = json.loads(json.dumps(count['domain']))
                self.assertEqual(Call.search_count(domain), count['value'])
        for day in board['days']:
            self.assertEqual(
                Call.search_count(day['domain'] + board['counts']['offered']['domain']),
                day['counts']['offered'],
            )
        Callback = self.env['telephony.callback'].with_user(self.supervisor)
        for name, count in board['callers'].items():
            if isinstance(count, dict):
                self.assertEqual(Callback.search_count(count['domain']), count['value'], name)
        self.assertEqual(Callback.search_count(board['owed']['domain']), board['owed']['value'])
        report = self.env['telephony.report'].with_user(self.supervisor)
        for cell in board['hours']:
            for name in ('offered', 'lost'):
                domain = report.get_cell_domain(
                    {'first': '2026-11-09', 'last': '2026-11-11'},
                    {},
                    cell['weekday'],
                    cell['hour'],
                    name,
                )
                self.assertEqual(Call.search_count(domain), cell[name], cell)

    def test_what_adds_up(self):
        board = self.board({'first': '2026-11-02', 'last': '2026-11-11'})
        values = self.values(board)
        outcomes = ('answered', 'missed', 'abandoned', 'voicemail', 'busy', 'failed')
        self.assertEqual(sum(values[name] for name in outcomes), values['offered'])
        self.assertEqual(sum(day['counts']['offered'] for day in board['days']), values['offered'])
        self.assertEqual(sum(cell['offered'] for cell in board['hours']), values['offered'])
        for share in board['shares'].values():
            self.assertLessEqual(share['n'], share['d'])

    def test_only_supervisors_see_everybody(self):
        with self.assertRaises(AccessError):
            self.board(user=self.users['aigerim'])
        with self.assertRaises(AccessError):
            self.env['telephony.report'].with_user(self.users['aigerim']).get_choices()

    def test_the_choices_of_a_company(self):
        choices = self.env['telephony.report'].with_user(self.supervisor).get_choices()
        self.assertEqual([account['name'] for account in choices['account_ids']], ["Middleware"])
        self.assertEqual(len(choices['number_ids']), len(GOLDEN['numbers']))
        self.assertEqual(
            {source['name'] for source in choices['source_ids']},
            {name for name in GOLDEN['sources'].values() if name},
        )
        google = self.sources['Google']
        self.assertIn({'id': google.id, 'name': "Google"}, choices['source_ids'])
        values = self.values(self.board(source_ids=google.ids))
        self.assertEqual(values['offered'], EXPECTED['sources']['Google']['offered'])

    def test_a_day_that_is_not_over_is_compared_until_the_same_hour(self):
        report = self.env['telephony.report'].with_user(self.supervisor)
        # 09:03 in Almaty, a week after the golden day
        with freeze_time('2026-11-17 04:03:00'):
            before = report.get_before('today')
        began = [
            call
            for call in GOLDEN['calls']
            if call['service_class'] == 'offered'
            and not call.get('company')
            and '2026-11-09T19:00' <= call['start_utc'] < '2026-11-10T04:03'
        ]
        self.assertTrue(began)
        self.assertEqual(before['counts']['offered']['value'], len(began))
        self.assertEqual(before['period']['first'], '2026-11-10')
        with freeze_time('2026-11-18 04:03:00'):
            before = report.get_before('yesterday')
        self.assertEqual(before['counts']['offered']['value'], EXPECTED['offered'])

    def test_nothing_happened(self):
        board = self.board({'first': '2026-10-01', 'last': '2026-10-02'})
        self.assertEqual(self.values(board)['offered'], 0)
        self.assertIsNone(board['times']['answer_mean'])
        self.assertEqual(board['shares']['lost_call_rate']['d'], 0)

    def test_what_cannot_be_read(self):
        for period in (
            'ever',
            {'first': '2026-11-10'},
            {'first': 'x', 'last': 'y'},
            {'first': '2026-11-10', 'last': '2026-11-09'},
        ):
            with self.subTest(period=period), self.assertRaises(UserError):
                self.board(period)
        with self.assertRaises(UserError):
            self.board(DAY, user_ids=[1])

    def test_the_past_keeps_its_campaign(self):
        number = self.env['telephony.number'].search([('name', '=', GOLDEN['numbers']['D1'])])
        number.source_id = self.sources['Instagram']
        call = self.call('A02')
        self.play(GOLDEN['calls'][1]['events'][-1] | {'at': '2026-11-10T04:04:21+00:00'})
        self.assertEqual(call.source_id.name, 'Google')

    # === PEOPLE, LINES, SOURCES === #

    def test_people(self):
        people = {
            row['name']: row
            for row in self.env['telephony.report'].with_user(self.supervisor).get_people(DAY)
        }
        words = {
            'phone_rang': 'rang',
            'picked_up': 'picked_up',
            'not_picked_up': 'in_vain',
            'not_picked_up_and_lost': 'in_vain_and_lost',
            'taken_first': 'taken_first',
            'outbound_attempts': 'attempts',
            'outbound_by_hand': 'attempts_by_hand',
            'outbound_answered': 'attempts_answered',
            'qualified_contacts': 'contacts',
        }
        for name, expected in EXPECTED['people'].items():
            for theirs, ours in words.items():
                self.assertEqual(people[name][ours]['value'], expected[theirs], (name, ours))
            self.assertAlmostEqual(
                people[name]['ring_seconds'], expected['ring_seconds_to_pick_up']
            )
            self.assertEqual(people[name]['talk_inbound'], expected['inbound_talk'])
            self.assertEqual(people[name]['talk_outbound'], expected['outbound_talk'])
        self.assertEqual(
            sum(row['talk_inbound'] for row in people.values()), EXPECTED['talk_seconds']['inbound']
        )
        Call = self.env['telephony.call'].with_user(self.supervisor)
        for row in people.values():
            for name, count in row.items():
                if isinstance(count, dict):
                    self.assertEqual(Call.search_count(count['domain']), count['value'], name)

    def test_a_tab_brings_all_that_it_shows(self):
        report = self.env['telephony.report'].with_user(self.supervisor)
        period = report.get_board(DAY)['period']
        for tab, names in (
            ('people', {'people', 'phones', 'calls'}),
            ('sources', {'sources', 'calls', 'currency_id', 'won_days', 'open_days'}),
            ('lines', {'accounts', 'causes', 'blocked', 'advice'}),
            (
                'claims',
                {'claims', 'claimed', 'attempts', 'calls', 'answering', 'evidence', 'outcomes'},
            ),
        ):
            told = report.get_tab(tab, DAY)
            self.assertEqual(told['period'], period)
            self.assertEqual(set(told), names | {'period'})
        with freeze_time('2026-11-20 06:00:00'):  # ten days after the golden day
            self.assertEqual(
                report.get_tab('sources', DAY)['open_days'],
                self.company.telephony_won_days - 10,
            )
        with self.assertRaises(UserError):
            report.get_tab('settings', DAY)
        with self.assertRaises(AccessError):
            self.env['telephony.report'].with_user(self.users['dana']).get_tab('people', DAY)

    def test_lines(self):
        lines = self.env['telephony.report'].with_user(self.supervisor).get_lines(DAY)
        [account] = [row for row in lines['accounts'] if row['id'] == self.account.id]
        expected = EXPECTED['concurrency']
        self.assertEqual(account['most'], expected['peak'])
        self.assertEqual(account['most_at'], expected['peak_quarters'])
        self.assertEqual(account['seconds_full'], expected['seconds_at_all_lines'])
        self.assertEqual(account['quarters'], expected['by_quarter'])
        self.assertIsNone(lines['advice'], "one day says nothing about a weekday")

    def test_sources(self):
        self._make_deals()
        rows = {
            row['name']: row
            for row in self.env['telephony.report'].with_user(self.supervisor).get_sources(DAY)
        }
        for name, expected in EXPECTED['sources'].items():
            row = rows['no advertisement' if name == '(none)' else name]
            with self.subTest(source=name):
                self.assertEqual(
                    {
                        'offered': row['offered']['value'],
                        'blocked': row['blocked']['value'],
                        'lost': row['lost']['value'],
                        'callers': row['callers'],
                        'first_calls': row['first_calls']['value'],
                        'qualified': row['contacts']['value'],
                        'revenue': row['revenue'],
                    },
                    {
                        key: expected[key]
                        for key in (
                            'offered',
                            'blocked',
                            'lost',
                            'callers',
                            'first_calls',
                            'qualified',
                            'revenue',
                        )
                    },
                )
                self.assertEqual(row['won'], expected['call_to_won']['n'])
                self.assertEqual(row['visits'], expected['call_to_visit']['n'])

    def _make_deals(self):
        """The deals of the day, each made of its customer's first call."""
        for deal in GOLDEN['deals']:
            call = self.env['telephony.call'].search(
                [
                    ('customer_number', '=', GOLDEN['customers'][deal['customer']]),
                    ('is_first_call', '=', True),
                    ('company_id', '=', self.company.id),
                ]
            )
            lead = self.env['crm.lead'].create(
                {
                    'name': deal['id'],
                    'type': 'opportunity',
                    'expected_revenue': deal['revenue'],
                    'company_id': self.company.id,
                }
            )
            call.lead_id = lead
            if won := deal.get('won'):
                lead.action_set_won()
                lead.date_closed = f'{won} 10:00:00'
            if deal.get('lost'):
                lead.action_set_lost()
            if visit := deal.get('visit'):
                self.env['calendar.event'].create(
                    {
                        'name': "Visit",
                        'start': f'{visit} 10:00:00',
                        'stop': f'{visit} 11:00:00',
                        'opportunity_id': lead.id,
                    }
                )
        self.env.flush_all()
        self.env.cr.execute("UPDATE crm_lead SET create_date = '2026-11-10 20:00:00'")
        self.startPatcher(freeze_time('2026-12-31 12:00:00'))

    def test_sales_managers_get_no_calls(self):
        manager = new_test_user(
            self.env, 'figures_manager', groups='base.group_user,sales_team.group_sale_manager'
        )
        report = self.env['telephony.report'].with_user(manager)
        rows = report.get_sources(DAY)
        self.assertNotIn('domain', json.dumps(rows))
        for method in (report.get_board, report.get_people, report.get_lines):
            with self.assertRaises(AccessError):
                method(DAY)
        with self.assertRaises(AccessError):
            self.env['telephony.report'].with_user(self.users['dana']).get_sources(DAY)

    def test_my_figures(self):
        report = self.env['telephony.report'].with_user(self.users['aigerim'])
        mine = report.get_mine(DAY)
        self.assertEqual(mine['mine']['rang']['value'], EXPECTED['people']['aigerim']['phone_rang'])
        self.assertIsNone(mine['team'], "three people are no team to compare with")
        text = json.dumps(mine)
        for name in ('bolat', 'dana'):
            self.assertNotIn(name, text)
        Call = self.env['telephony.call'].with_user(self.users['aigerim'])
        for name, count in mine['mine'].items():
            if isinstance(count, dict):
                self.assertEqual(Call.search_count(count['domain']), count['value'], name)

    # === CLAIMS === #

    def test_claims_are_compared_with_the_calls(self):
        found = {}
        for claim in GOLDEN['claims']:
            user = self.users[claim['user']]
            customer = self.env['res.partner'].create(
                {'name': claim['customer'], 'phone': GOLDEN['customers'][claim['customer']]}
            )
            with freeze_time(f'2026-11-10 {claim["done"]}:00+05:00'):
                activity = customer.with_user(user).activity_schedule(
                    'mail.mail_activity_data_call', user_id=user.id
                )
                activity.with_user(user).action_feedback()
            found[claim['id']] = activity
        self.assertEqual(
            {name: activity.telephony_evidence for name, activity in found.items()},
            EXPECTED['claims'],
        )
        self.assertEqual(found['T5'].telephony_evidence_call_id, self.call('A10'))
        # a salesperson sees their own at once, the supervisor after a day
        mine = self.env['telephony.report'].with_user(self.users['bolat']).get_mine(DAY)
        self.assertEqual(mine['unproved']['value'], 1)
        report = self.env['telephony.report'].with_user(self.supervisor)
        with freeze_time('2026-11-10 15:00:00'):
            self.assertNotIn('bolat', {row['name'] for row in report.get_claims(DAY)})
        rows = {row['name']: row for row in report.get_claims(DAY)}
        self.assertEqual(rows['bolat']['none']['value'], 1)
        # the PBX tells the call later
        self.play(
            *(
                self.outbound(
                    kind,
                    'late-told',
                    at,
                    called=GOLDEN['customers']['K9'],
                    extension='102',
                    caller='102',
                    **more,
                )
                for kind, at, more in (
                    ('ringing', '2026-11-10T09:50:00+00:00', {}),
                    ('ended', '2026-11-10T09:50:20+00:00', {'outcome': 'no_answer'}),
                )
            )
        )
        self.run_cron('judge_claims')
        self.assertEqual(found['T2'].telephony_evidence, 'found')

    def test_who_has_no_phone_cannot_be_judged(self):
        customer = self.env['res.partner'].create({'name': "No call", 'phone': '+77019998877'})
        activity = customer.with_user(self.anna).activity_schedule(
            'mail.mail_activity_data_call', user_id=self.anna.id
        )
        activity.with_user(self.anna).action_feedback()
        self.assertEqual(activity.telephony_evidence, 'unjudged')

    def test_attempts(self):
        rows = self.env['telephony.report'].with_user(self.supervisor).get_attempts(DAY)
        by_number = {row['number']: row for row in rows}
        for customer, expected in EXPECTED['attempt_truth'].items():
            row = by_number[GOLDEN['customers'][customer]]
            self.assertEqual({name: row[name] for name in expected}, expected, customer)

    # === LETTER === #

    def test_the_weekly_letter(self):
        """Once a week, to whom may see the figures, with the numbers of the screen."""
        self.env['res.lang']._activate_lang('ru_RU')
        self.supervisor.write({'email': 'saule@example.com', 'lang': 'ru_RU'})
        self.users['dana'].email = 'dana@example.com'
        self.company.telephony_letter_user_ids = self.supervisor | self.users['dana']
        mails = self.env['mail.mail'].search([])
        with freeze_time('2026-11-16 02:30:00'):  # Monday, 7:30 in Almaty
            self.run_cron('letter')
            self.assertFalse(self.env['mail.mail'].search([]) - mails)
        with freeze_time('2026-11-16 03:30:00'), self.assertLogs(LETTERS, level='WARNING') as log:
            self.run_cron('letter')
            letter = self.env['mail.mail'].search([]) - mails
            self.run_cron('letter')
            self.assertEqual(self.env['mail.mail'].search([]) - mails, letter)
        self.assertIn(f'user {self.users["dana"].id}', ''.join(log.output))
        self.assertIn('saule@example.com', letter.email_to)
        # offered: the day and two calls of the next
        self.assertIn(f'Поступило звонков: {EXPECTED["offered"] + 2}', letter.body_html)
        self.assertIn(GOLDEN['customers']['K18'], letter.body_html)

    def test_a_week_without_calls(self):
        with freeze_time('2026-12-28 03:30:00'):
            _subject, body = self.env['telephony.report'].with_user(self.supervisor)._letter()
        self.assertIn("No calls came in last week", body)

    def test_the_digest(self):
        digest = self.env['digest.digest'].create({'name': "Calls", 'company_id': self.company.id})
        digest = digest.with_user(self.supervisor).sudo(False)
        with freeze_time('2026-11-10 18:00:00'):
            offered = digest.with_context(
                start_datetime=datetime(2026, 11, 9, 19), end_datetime=datetime(2026, 11, 10, 19)
            ).kpi_telephony_offered_value
        self.assertEqual(offered, EXPECTED['offered'])
        with self.assertRaises(AccessError):
            digest.with_user(self.users['dana']).kpi_telephony_lost_value  # noqa: B018

    # === PIVOT === #

    def test_totals_of_a_pivot_are_computed_from_the_calls(self):
        calls = self.env['telephony.call'].with_user(self.supervisor).with_context(tz='Asia/Almaty')
        day = self.board()['counts']
        base = [('start_at', '>=', '2026-11-09 19:00:00'), ('start_at', '<', '2026-11-10 19:00:00')]
        measures = [
            'lost_rate:avg',
            'service_level:avg',
            'short_rate:avg',
            'asa_seconds:avg',
            'asa_median:avg',
            'asa_p90:avg',
            'offered_count:sum',
            'contact_count:sum',
            'caller_count:count_distinct',
        ]
        total, by_side = calls.formatted_read_grouping_sets(base, [[], ['direction']], measures)
        [row] = total
        self.assertAlmostEqual(row['lost_rate:avg'], 7 / 24, 6)
        self.assertAlmostEqual(row['service_level:avg'], 11 / 23, 6)
        self.assertAlmostEqual(row['short_rate:avg'], 3 / 17, 6)
        self.assertAlmostEqual(row['asa_seconds:avg'], EXPECTED['asa']['mean'], 4)
        self.assertAlmostEqual(row['asa_median:avg'], EXPECTED['asa']['median'], 4)
        self.assertAlmostEqual(row['asa_p90:avg'], EXPECTED['asa']['p90'], 4)
        self.assertEqual(row['offered_count:sum'], day['offered']['value'])
        self.assertEqual(row['contact_count:sum'], day['contacts']['value'])
        self.assertEqual(row['caller_count:count_distinct'], EXPECTED['callers'])
        sides = {part['direction']: part for part in by_side}
        self.assertFalse(sides['outbound']['lost_rate:avg'], "100 % of nothing is nothing")
        self.assertAlmostEqual(sides['inbound']['lost_rate:avg'], 7 / 24, 6)

    # === THE PAST IS REWRITTEN ON PURPOSE ONLY === #

    def test_a_changed_threshold_changes_no_past_figure(self):
        before = self.board()['shares']['short_talk_share']
        self.company.telephony_short_seconds = 20
        self.assertEqual(self.board()['shares']['short_talk_share'], before)
        period = self.env['telephony.recompute'].create(
            {'first': DAY['first'], 'last': DAY['last']}
        )
        for act, state in ((period.action_count, 'counted'), (period.action_rewrite, 'done')):
            act()
            self.run_cron('recompute_figures')
            self.assertEqual((period.state, period.change_count), (state, 1))
            share = self.board()['shares']['short_talk_share']
            if state == 'counted':
                self.assertEqual(share, before)
        self.assertShare(share, EXPECTED['short_talk_share_at_20s'])


class TestOrder(GoldenDay):
    def test_told_backwards_the_causes_are_the_same(self):
        """A colleague's talk that is told late says that nobody was free."""
        with freeze_time('2026-11-11 12:00:00'):
            for call in sorted(GOLDEN['calls'], key=lambda call: call['start_utc'], reverse=True):
                if call['events'] and not call.get('company'):
                    self.play(*call['events'])
            counts = self.board()['counts']
        causes = list(EXPECTED['lost_cause'].values())
        for cause in set(causes):
            name = CAUSES.get(cause, cause)
            self.assertEqual(counts[f'cause_{name}']['value'], causes.count(cause), name)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestPeriods(BaseCase):
    def test_a_day_has_25_hours_when_the_clock_goes_back(self):
        for zone, day in (('Europe/Berlin', '2026-10-25'), ('Asia/Almaty', '2024-02-29')):
            day = datetime.fromisoformat(day).date()
            begin, end = periods.Period(day, day).bounds(pytz.timezone(zone))
            hours = GOLDEN['zones']['hours_of_the_day'][f'{zone} {day}']
            self.assertEqual((end - begin) / timedelta(hours=1), hours, zone)

    def test_moments_fall_on_their_local_day(self):
        for name in ('Europe/Berlin', 'Asia/Almaty'):
            for moment in GOLDEN['zones'][name]:
                utc = datetime.fromisoformat(moment['utc']).replace(tzinfo=None)
                day = datetime.strptime(moment['local'][:10], '%Y-%m-%d').date()
                begin, end = periods.Period(day, day).bounds(pytz.timezone(name))
                self.assertTrue(begin <= utc < end, moment)
                self.assertEqual(
                    moment['local'],
                    utc.replace(tzinfo=ZoneInfo('UTC'))
                    .astimezone(ZoneInfo(name))
                    .strftime('%Y-%m-%d %H:%M %z'),
                )

    def test_the_period_before_meets_the_same_weekdays(self):
        today = datetime(2026, 11, 26).date()
        for name in periods.NAMED:
            period = periods.period_of(name, today)
            before = period.before()
            self.assertEqual(before.days, period.days, name)
            self.assertLess(before.last, period.first, name)
            self.assertEqual(before.first.weekday(), period.first.weekday(), name)
        month = periods.period_of('days_30', today)
        self.assertEqual((month.first - month.before().first).days, 35)

    def test_seconds_that_somebody_was_busy(self):
        at = lambda second: datetime(2026, 11, 10) + timedelta(seconds=second)  # noqa: E731
        self.assertEqual(
            covered([(at(0), at(10)), (at(5), at(20)), (at(30), at(99))], at(2), at(40)), 28
        )
        self.assertEqual(covered([], at(0), at(9)), 0)
        self.assertEqual(most_at_once([(at(0), at(5)), (at(5), at(9))], at(0), at(9)), 1)
        self.assertEqual(most_at_once([(at(0), at(6)), (at(5), at(9))], at(0), at(9)), 2)
        self.assertEqual(most_at_once([(at(0), at(6)), (at(5), at(9))], at(6), at(9)), 1)
