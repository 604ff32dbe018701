"""The live board: what supervisors see of the calls that go on now."""

from datetime import datetime, timedelta, timezone
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from odoo.addons.crm_telephony.providers.numbers import pretty

from .common import CUSTOMER, TelephonyCase


class TestLiveBoard(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.work_around_the_clock()

    def board(self, user=None, companies=None):
        self.env.flush_all()
        self.env.invalidate_all()
        user = user or self.supervisor
        return (
            self.env['telephony.live']
            .with_user(user)
            .with_context(allowed_company_ids=(companies or self.company).ids)
            .get_board()
        )

    def row(self, board=None):
        [row] = (board or self.board())['calls']
        return row

    def person(self, name, board=None):
        return next(one for one in (board or self.board())['people'] if one['name'] == name)

    def test_a_call_from_the_queue_to_its_end(self):
        lead = self.new_lead()
        self.number.label = "Main"
        self.play(self.event('ringing', at=-40, queue='Sales'))
        row = self.row()
        self.assertEqual(
            (
                row['phase'],
                row['direction'],
                row['who'],
                row['lead'],
                row['line'],
                row['queue'],
                row['people'],
                row['company'],
            ),
            ('waiting', 'inbound', "Customer", lead.name, "Main", 'Sales', [], ''),
        )
        self.assertAlmostEqual(row['seconds'], 40, delta=5)
        self.assertEqual(self.person("Anna")['state'], 'free')

        self.play(
            self.event('ringing', at=-20, extension='101'),
            self.event('ringing', at=-20, extension='102'),
        )
        board = self.board()
        self.assertEqual(
            (self.row(board)['phase'], self.row(board)['people']), ('ringing', ["Anna", "Boris"])
        )
        self.assertEqual(
            (self.person("Anna", board)['state'], self.person("Anna", board)['who']),
            ('ringing', "Customer"),
        )

        self.play(self.event('answered', at=-10, extension='102'))
        board = self.board()
        self.assertEqual(
            (self.row(board)['phase'], self.row(board)['people']), ('talking', ["Boris"])
        )
        self.assertAlmostEqual(self.row(board)['seconds'], 10, delta=5)
        self.assertEqual(
            (self.person("Boris", board)['state'], self.person("Boris", board)['talks']),
            ('talking', 1),
        )

        self.play(self.event('ended', outcome='answered', extension='102', talk_seconds=10))
        board = self.board()
        self.assertEqual(
            (
                board['calls'],
                self.person("Boris", board)['state'],
                self.person("Anna", board)['state'],
            ),
            ([], 'free', 'free'),
        )
        self.assertIsNotNone(self.person("Boris", board)['seconds'], "free since his talk ended")

    def test_an_employee_who_calls_out(self):
        self.play(self.outbound('ringing', at=-8))
        board = self.board()
        self.assertEqual(
            (self.row(board)['phase'], self.row(board)['people']), ('dialling', ["Anna"])
        )
        self.assertEqual(self.person("Anna", board)['state'], 'dialling')
        self.play(self.outbound('answered', at=-4))
        self.assertEqual(self.person("Anna")['state'], 'talking')
        self.play(self.outbound('ended', outcome='answered', talk_seconds=4))
        self.assertEqual((self.person("Anna")['state'], self.person("Anna")['talks']), ('free', 1))

    def test_an_outgoing_call_whose_answer_is_not_told(self):
        account, begin = (
            self.new_account_without_answers(),
            datetime.now(timezone.utc) - timedelta(seconds=70),
        )
        self.outgoing_without_answer(account, 'NOTIFY_OUT_START', begin)
        self.file_calls(account)
        board = self.board()
        self.assertEqual(
            (self.row(board)['phase'], self.row(board)['people']), ('on_line', ["Anna"])
        )
        self.assertEqual(self.person("Anna", board)['state'], 'on_line')
        self.outgoing_without_answer(
            account, 'NOTIFY_OUT_END', begin, duration='42', disposition='answered'
        )
        self.file_calls(account)
        self.assertEqual((self.board()['calls'], self.person("Anna")['state']), ([], 'free'))

    def test_who_is_not_at_work_is_not_free(self):
        resource = self.env['resource.resource'].create(
            {'name': "Anna", 'user_id': self.anna.id, 'calendar_id': self.calendar.id}
        )
        self.assertEqual(self.person("Anna")['state'], 'free')
        leave = self.env['resource.calendar.leaves'].create(
            {
                'name': "On leave",
                'resource_id': resource.id,
                'calendar_id': self.calendar.id,
                'date_from': fields.Datetime.now() - timedelta(days=1),
                'date_to': fields.Datetime.now() + timedelta(days=1),
            }
        )
        board = self.board()
        self.assertEqual(
            [self.person(name, board)['state'] for name in ("Anna", "Boris")], ['away', 'free']
        )
        self.play(self.event('ringing', extension='101'), self.event('answered', extension='101'))
        self.assertEqual(self.person("Anna")['state'], 'talking', "a call is a call")
        leave.unlink()
        self.calendar.attendance_ids.unlink()
        self.assertEqual(
            [self.person(name)['state'] for name in ("Anna", "Boris")], ['talking', 'away']
        )

    def test_who_has_passed_the_call_on_is_free(self):
        self.play(
            self.event('ringing', at=-30, extension='101'),
            self.event('answered', at=-20, extension='101'),
            self.event('transferred', at=-5, extension='102'),
            self.event('answered', at=-4, extension='102'),
        )
        board = self.board()
        self.assertEqual(self.row(board)['people'], ["Boris"])
        self.assertEqual(
            [self.person(name, board)['state'] for name in ("Anna", "Boris")], ['free', 'talking']
        )

    def test_colleagues_who_call_each_other(self):
        call = {'direction': 'internal', 'caller': '101', 'called': '102', 'extension': '102'}
        self.play(self.event('ringing', **call))
        board = self.board()
        self.assertEqual(
            (self.row(board)['phase'], self.row(board)['who']), ('dialling', '101 → 102')
        )
        self.assertEqual(
            [self.person(name, board)['state'] for name in ("Anna", "Boris")],
            ['dialling', 'ringing'],
        )
        self.play(self.event('answered', **call))
        self.assertEqual(
            [self.person(name)['state'] for name in ("Anna", "Boris")], ['talking', 'talking']
        )

    def test_who_talks_while_another_phone_of_his_rings_talks(self):
        self.env['telephony.extension'].create(
            {'number': '201', 'account_id': self.account.id, 'user_id': self.anna.id}
        )
        self.play(
            self.event('ringing', 'a', at=-30, extension='101'),
            self.event('answered', 'a', at=-20, extension='101'),
            self.event('ringing', 'b', at=-5, extension='201', caller='+77012223344'),
        )
        self.assertEqual(
            (self.person("Anna")['state'], self.person("Anna")['who']), ('talking', "Customer")
        )

    def test_a_shared_phone_rings_for_all_who_use_it(self):
        self.account.extension_ids.filtered(
            lambda one: one.number == '101'
        ).also_user_ids = self.boris
        self.play(self.event('ringing', extension='101'))
        self.assertEqual({self.person(name)['state'] for name in ("Anna", "Boris")}, {'ringing'})
        self.play(self.event('answered', extension='101'))
        self.assertEqual(
            [self.person(name)['state'] for name in ("Anna", "Boris")], ['talking', 'free']
        )

    def test_do_not_disturb_is_told(self):
        self.boris.telephony_dnd = True
        self.assertTrue(self.person("Boris")['dnd'])
        self.assertFalse(self.person("Anna")['dnd'])

    def test_late_callbacks_and_the_share_lost_today(self):
        before = self.board()
        now = fields.Datetime.now()
        for minutes, number in ((-30, CUSTOMER), (-90, '+77012223344'), (30, '+77012223345')):
            self.env['telephony.callback'].create(
                {
                    'company_id': self.company.id,
                    'customer_number': number,
                    'due_at': now + timedelta(minutes=minutes),
                    'user_id': self.anna.id,
                }
            )
        board = self.board()
        self.assertEqual(
            [row['who'] for row in board['callbacks']['rows']],
            ['+7 701 222 3344', pretty(CUSTOMER)],
        )
        self.assertEqual(
            (
                board['callbacks']['late'] - before['callbacks']['late'],
                board['callbacks']['open'] - before['callbacks']['open'],
            ),
            (2, 3),
        )
        self.play(
            self.event('ended', 'x', outcome='missed', extension='101'),
            self.event('ended', 'y', outcome='busy'),
            self.event('ended', 'z', outcome='abandoned'),
            self.outbound('ended', outcome='no_answer'),
            follow_up=False,
        )
        self.assertEqual(
            self.board()['today'],
            {'inbound': before['today']['inbound'] + 3, 'lost': before['today']['lost'] + 2},
        )

    def test_late_in_working_minutes_as_on_the_debt_board(self):
        opening = datetime(2026, 11, 5, 4, 0)  # a Thursday, 9:00 in Almaty
        self.calendar.attendance_ids = self.week()
        debt = self.env['telephony.callback'].create(
            {
                'company_id': self.company.id,
                'customer_number': CUSTOMER,
                'due_at': datetime(2026, 11, 4, 12, 45),
            }
        )
        for at, minutes in ((opening, 15), (opening + timedelta(minutes=7), 22)):
            with self.subTest(at=at), freeze_time(at):
                [row] = [row for row in self.board()['callbacks']['rows'] if row['id'] == debt.id]
                self.assertEqual((row['minutes'], debt.late_minutes), (minutes, minutes))

    def test_today_begins_at_midnight_of_who_looks(self):
        board = self.env['telephony.live'].with_context(tz='Asia/Almaty')
        self.assertEqual(
            str(board._midnight(fields.Datetime.to_datetime('2026-11-22 20:00:00'))),
            '2026-11-22 19:00:00',
        )
        self.assertEqual(
            str(board._midnight(fields.Datetime.to_datetime('2026-11-22 18:59:59'))),
            '2026-11-21 19:00:00',
        )

    def test_only_supervisors_and_only_of_their_companies(self):
        with self.assertRaises(AccessError):
            self.board(self.anna)
        other = self.env['res.company'].create({'name': "Other"})
        self.supervisor.company_ids = self.company | other
        account = self.new_account(other)
        self.play(self.event('ringing', 'here'))
        self.play(self.event('ringing', 'there', caller='+77012223344'), account=account)
        self.assertEqual(self.row()['who'], "Customer")
        self.assertEqual(self.row(self.board(companies=other))['who'], '+7 701 222 3344')
        both = self.board(companies=self.company | other)
        self.assertEqual({call['company'] for call in both['calls']}, {self.company.name, "Other"})
        stranger = new_test_user(
            self.env,
            'tel_other',
            groups='base.group_user,crm_telephony.group_supervisor',
            company_id=self.company.id,
        )
        with self.assertRaises(AccessError), mute_logger('odoo.http'):
            self.board(stranger, other)

    def test_a_call_whose_end_was_lost_does_not_stay_on_the_wall(self):
        self.play(self.event('ringing', at=-5 * 3600))
        self.assertEqual(self.board()['calls'], [])

    def test_a_dead_call_is_cleared_by_a_supervisor(self):
        self.play(
            self.event('ringing', at=-600, extension='101'),
            self.event('answered', at=-590, extension='101'),
        )
        call = self.call()
        self.assertTrue(self.row())
        with self.assertRaises(AccessError):
            call.with_user(self.anna).action_clear()
        with freeze_time('2026-11-04 10:00:00'):
            call.with_user(self.supervisor).action_clear()
        self.assertFalse(self.board()['calls'])
        self.assertEqual(self.person("Anna")['state'], 'free')
        said = call.end_reason
        self.assertRegex(said, "^Cleared by Saule at .+: nobody was on the line$")
        cleared = {
            'state': 'ended',
            'outcome': False,
            'end_unknown': True,
            'end_reason': said,
            'user_id': self.anna.id,
        }
        self.assertRecordValues(call, [cleared])
        self.assertTrue(call.answered_at, "what is known of it stays")
        # what is told later does not bring it back, but a true end counts
        self.play(self.event('transferred', at=-30, extension='102'))
        self.assertRecordValues(call, [cleared])
        self.play(
            self.event('ended', at=-20, outcome='answered', extension='101', talk_seconds=500)
        )
        self.assertRecordValues(
            call,
            [
                {
                    'outcome': 'answered',
                    'end_unknown': False,
                    'talk_seconds': 500,
                    'end_reason': said,
                }
            ],
        )
        call.with_user(self.supervisor).action_clear()
        self.assertEqual(call.outcome, 'answered', "what has ended is not cleared")

    def test_of_another_company_nothing_is_cleared(self):
        account = self.new_account(self.env['res.company'].create({'name': "Other"}))
        self.play(self.event('ringing'), account=account)
        with self.assertRaises(AccessError):
            self.call(account=account).with_user(self.supervisor).action_clear()

    def test_of_a_team(self):
        """Calls of its numbers, its deals and its people; its people; its callbacks; its share of
        what was lost."""
        flour, sugar = self.env['crm.team'].create(
            [
                {'name': "Flour", 'member_ids': [(4, self.anna.id)]},
                {'name': "Sugar", 'user_id': self.boris.id},
            ]
        )
        lead = self.new_lead(team_id=sugar.id)
        numbers = {flour: '+77272000001', sugar: '+77272000002'}
        for team, number in numbers.items():
            self.env['telephony.number'].create(
                {'name': number, 'account_id': self.account.id, 'team_id': team.id}
            )
        strangers = iter(range(10, 99))

        def ring(ref, kind='ringing', **more):
            self.play(
                self.event(kind, ref, **{'caller': f'+770122233{next(strangers)}', **more}),
                follow_up=False,
            )
            return self.call(ref)

        calls = {
            'number': ring('number', called=numbers[flour]),
            'phone': ring('phone', extension='101'),
            'deal': ring('deal', caller=CUSTOMER),
            'leader': ring('leader', 'answered', extension='102'),
            'nobody': ring('nobody'),
        }
        calls['deal'].sudo().lead_id = lead
        now = fields.Datetime.now()
        for team, number in numbers.items():
            self.env['telephony.callback'].create(
                {
                    'company_id': self.company.id,
                    'customer_number': f'+7701999{team.id:04}',
                    'due_at': now - timedelta(minutes=9),
                    'user_id': self.anna.id,
                }
            ).team_id = team
            ring(f'lost {team.id}', 'ended', outcome='missed', called=number)
        self.env.flush_all()
        board = self.env['telephony.live'].with_user(self.supervisor)
        for team, shown, people in (
            (flour, {'number', 'phone'}, ["Anna"]),
            (sugar, {'deal', 'leader'}, ["Boris"]),
        ):
            with self.subTest(team=team.name):
                told = board.get_board(team.id)
                self.assertEqual(
                    {call['id'] for call in told['calls']}, {calls[ref].id for ref in shown}
                )
                self.assertEqual([person['name'] for person in told['people']], people)
                self.assertEqual(
                    ([row['who'] for row in told['callbacks']['rows']], told['callbacks']['open']),
                    ([pretty(f'+7701999{team.id:04}')], 1),
                )
                self.assertEqual(told['today'], {'inbound': 1, 'lost': 1})
                self.assertLessEqual({"Flour", "Sugar"}, {one['name'] for one in told['teams']})
        self.assertGreaterEqual(len(board.get_board()['calls']), 5)
        self.assertEqual(
            len(board.get_board(-1)['calls']),
            len(board.get_board()['calls']),
            "a team that is gone is none",
        )

    def test_as_many_queries_for_sixty_calls_as_for_five(self):
        """Of as many customers and deals, at as many phones."""

        def begin(first, last):
            partners = self.env['res.partner'].create(
                [
                    {'name': f'Customer {number}', 'phone': f'+7701000{number:04}'}
                    for number in range(first, last)
                ]
            )
            leads = self.env['crm.lead'].create(
                [
                    {'name': f'Deal {partner.id}', 'type': 'opportunity', 'partner_id': partner.id}
                    for partner in partners
                ]
            )
            users = (
                self.env['res.users']
                .with_context(no_reset_password=True)
                .create(
                    [
                        {'name': f'User {number}', 'login': f'live_{number}'}
                        for number in range(first, last)
                    ]
                )
            )
            self.env['telephony.extension'].create(
                [
                    {'number': f'7{number:04}', 'account_id': self.account.id, 'user_id': user.id}
                    for number, user in zip(range(first, last), users)
                ]
            )
            self.env['resource.resource'].create(
                [
                    {'name': user.name, 'user_id': user.id, 'calendar_id': self.calendar.id}
                    for user in users
                ]
            )
            self.env['telephony.call'].create(
                [
                    {
                        'account_id': self.account.id,
                        'external_id': f'live-{number}',
                        'direction': 'inbound',
                        'state': 'in_progress',
                        'caller_number': partner.phone,
                        'customer_number': partner.phone,
                        'partner_id': partner.id,
                        'lead_id': lead.id,
                        'number_id': self.number.id,
                        'start_at': fields.Datetime.now(),
                        'answered_at': fields.Datetime.now(),
                        'user_id': user.id,
                        'extension': f'7{number:04}',
                        'leg_ids': [
                            (
                                0,
                                0,
                                {
                                    'extension': f'7{number:04}',
                                    'user_id': user.id,
                                    'start_at': fields.Datetime.now(),
                                    'answered_at': fields.Datetime.now(),
                                },
                            )
                        ],
                    }
                    for number, partner, lead, user in zip(
                        range(first, last), partners, leads, users
                    )
                ]
            )
            self.env['telephony.callback'].create(
                [
                    {
                        'company_id': self.company.id,
                        'customer_number': f'+7702000{number:04}',
                        'partner_id': partner.id,
                        'lead_id': lead.id,
                        'user_id': user.id,
                        'due_at': fields.Datetime.now() - timedelta(hours=1),
                    }
                    for number, partner, lead, user in zip(
                        range(first, last), partners, leads, users
                    )
                ]
            )

        def queries():
            self.board()  # what is cached for good
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            board = self.env['telephony.live'].with_user(self.supervisor).get_board()
            return self.env.cr.sql_log_count - before, len(board['calls'])

        begin(0, 5)
        few, calls = queries()
        self.assertEqual(calls, 5)
        begin(5, 65)
        many, calls = queries()
        self.assertEqual(calls, 65)
        self.assertLessEqual(many, few + 2, "those that are counted because not all are shown")
        self.assertLess(many, 34)
        with patch('odoo.addons.crm_telephony.models.screen.live.CALLS', 60):
            board = self.board()
        self.assertEqual(
            (
                len(board['calls']),
                board['more'],
                len(board['callbacks']['rows']),
                board['callbacks']['late'],
            ),
            (60, 5, 50, 65),
        )
