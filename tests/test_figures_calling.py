"""The hours of the week at which customers answer."""

from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import BaseCase, tagged

from ..tools.best_hours import best_hours, least_share, own_hour
from .common import TelephonyCase

PERIOD = {'first': '2026-11-02', 'last': '2026-11-08'}
# (weekday, hour in Almaty): calls out, and of them those that reached the customer.
WEEK = {(1, 11): (24, 12), (2, 10): (19, 19), (3, 16): (20, 15), (4, 9): (22, 0)}


@tagged('post_install', '-at_install', 'crm_telephony')
class TestBestHours(BaseCase):
    def hour(self, reached, dialled, hour=9):
        return {'weekday': 0, 'hour': hour, 'dialled': dialled, 'reached': reached}

    def test_what_share_is_behind_so_many_at_least(self):
        # Wilson's interval of 4 of 10 begins at 0.1682
        self.assertAlmostEqual(least_share(4, 10), 0.1682, 4)
        self.assertAlmostEqual(least_share(0, 10), 0, 9)
        self.assertLess(least_share(9, 20), least_share(90, 200))

    def test_the_surest_hour_is_the_best(self):
        sure, lucky, few = self.hour(90, 200), self.hour(10, 21, 10), self.hour(19, 19, 11)
        self.assertEqual(best_hours([lucky, few, sure]), [sure, lucky])

    def test_an_hour_that_reached_nobody_is_not_the_best_of_all(self):
        self.assertEqual(best_hours([self.hour(0, 40)]), [])

    def test_at_most_three_are_named(self):
        hours = [self.hour(30 - place, 40, place) for place in range(5)]
        self.assertEqual(best_hours(reversed(hours)), hours[:3])

    def test_a_customer_s_own_hour_is_the_one_of_at_least_two_answers(self):
        self.assertEqual(own_hour([9, 16, 11, 16]), 16)
        self.assertEqual(own_hour([0, 0]), 0)
        self.assertIsNone(own_hour([9, 16]))
        self.assertIsNone(own_hour([]))


class TestCalling(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.startPatcher(freeze_time('2026-11-09 12:00:00'))
        self.play(*self.calls())
        self.log_by_hand()

    def calls(self):
        for (weekday, hour), (dialled, reached) in WEEK.items():
            for place in range(dialled):
                begin = datetime(2026, 11, 2 + weekday, hour - 5) + timedelta(minutes=2 * place)
                facts = {
                    'call_id': f'{weekday}-{place}',
                    'called': f'+77020000{place:03}',
                    **(
                        {'outcome': 'answered', 'talk_seconds': 60}
                        if place < reached
                        else {'outcome': 'no_answer'}
                    ),
                }
                end = begin + timedelta(seconds=70)
                yield self.outbound('ringing', **{**facts, 'at': f'{begin.isoformat()}+00:00'})
                yield self.outbound('ended', **{**facts, 'at': f'{end.isoformat()}+00:00'})

    def log_by_hand(self):
        """A talk whose hour somebody typed in."""
        start = datetime(2026, 11, 4, 5)
        self.env['telephony.call'].with_user(self.anna)._log_by_hand(
            self.company,
            {
                'direction': 'outbound',
                'start_at': start,
                'answered_at': start,
                'ended_at': start + timedelta(seconds=90),
                'outcome': 'answered',
                'talk_seconds': 90,
                'number_id': False,
                'customer_number': '+77020000999',
            },
        )

    def test_by_weekday_and_hour(self):
        report = self.env['telephony.report'].with_user(self.supervisor)
        told = report.get_tab('claims', PERIOD)['answering']
        self.assertEqual(
            {
                (hour['weekday'], hour['hour']): (hour['dialled'], hour['reached'])
                for hour in told['hours']
            },
            WEEK,
        )
        self.assertEqual(
            [(hour['weekday'], hour['hour']) for hour in told['best']], [(3, 16), (1, 11)]
        )
        for name, expected in zip(('dialled', 'reached'), WEEK[1, 11], strict=True):
            domain = report.get_cell_domain(PERIOD, {}, 1, 11, name)
            self.assertEqual(report.env['telephony.call'].search_count(domain), expected)

    def test_when_a_customer_answers(self):
        report = self.env['telephony.report'].with_user(self.supervisor)
        hours = {row['number']: row['answers_at'] for row in report.get_attempts(PERIOD)}
        # they have answered on three days, each at another hour
        self.assertIsNone(hours['+77020000000'])
        self.play(
            self.outbound(
                'ended',
                'again',
                '2026-11-06T11:20:00+00:00',
                called='+77020000000',
                outcome='answered',
                talk_seconds=60,
            )
        )
        hours = {row['number']: row['answers_at'] for row in report.get_attempts(PERIOD)}
        self.assertEqual(hours['+77020000000'], 16)

    def test_one_s_own(self):
        report = self.env['telephony.report'].with_user(self.anna)
        told = report.get_mine('today')['best_hours']
        self.assertEqual(
            [(hour['weekday'], hour['hour']) for hour in told['best']], [(3, 16), (1, 11)]
        )
        for hour in told['best']:
            found = report.env['telephony.call'].search_count(hour['domain'])
            self.assertEqual(found, hour['reached'])
        boris = self.env['telephony.report'].with_user(self.boris).get_mine('today')
        self.assertEqual(boris['best_hours']['best'], [])
