"""The same figures before and after a milestone."""

import json
from datetime import date, datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, tagged
from odoo.tools.json import json_default

from ..tools.periods import Period, around
from .common import TelephonyCase

DAY = date(2026, 9, 1)
WEEK = 7
# Days from the milestone on which a call comes in, at noon in Almaty, and whether it is lost.
CALLS = [
    *((-29, True), (-28, True), (-20, False), (-1, False)),
    *((0, True), (6, True)),
    *((7, False), (8, True), (34, False), (35, True)),
]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestWindows(BaseCase):
    def test_both_sides_have_the_same_weekdays_and_the_first_week_is_left_out(self):
        for weeks in (1, 4, 8):
            before, after = around(DAY, weeks)
            self.assertEqual(before.days, after.days)
            self.assertEqual(before.days, weeks * WEEK)
            self.assertEqual(before.first.weekday(), after.first.weekday())
            self.assertEqual(before.last, DAY - timedelta(days=1))
            self.assertEqual(after.first, DAY + timedelta(days=WEEK))
        self.assertEqual(
            around(DAY, 1),
            (
                Period(date(2026, 8, 25), date(2026, 8, 31)),
                Period(date(2026, 9, 8), date(2026, 9, 14)),
            ),
        )


class TestMilestones(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.milestone = cls.env['telephony.milestone'].create(
            {'name': "Two more lines", 'day': DAY}
        )

    def setUp(self):
        super().setUp()
        with freeze_time('2026-11-01 06:00:00'):
            self.play(*(event for call in CALLS for event in self.told(*call)))

    def told(self, day, is_lost):
        begin = datetime(2026, 9, 1, 7) + timedelta(days=day)
        facts = {'call_id': f'day {day}', 'caller': f'+770100000{day + 40:02}', 'extension': '101'}
        yield self.event('ringing', at=f'{begin.isoformat()}+00:00', **facts)
        end = begin + timedelta(seconds=100)
        outcome = {'outcome': 'missed'} if is_lost else {'outcome': 'answered', 'talk_seconds': 90}
        yield self.event('ended', at=f'{end.isoformat()}+00:00', **facts, **outcome)

    def around(self, now='2026-11-01 06:00:00', user=None, **asked):
        report = self.env['telephony.report'].with_user(user or self.supervisor)
        with freeze_time(now):
            return report.get_around(**{'milestone_id': self.milestone.id, **asked})

    def numbers(self, told, name='offered'):
        return [told[side]['counts'][name]['value'] for side in ('before', 'after')]

    def test_four_weeks_on_each_side(self):
        told = self.around()
        self.assertEqual(self.numbers(told), [3, 3])
        self.assertEqual(self.numbers(told, 'lost'), [1, 1])
        self.assertEqual(self.numbers(self.around(weeks=1)), [1, 2])
        self.assertEqual(self.numbers(self.around(weeks=5)), [4, 4])
        self.assertEqual(told['open_days'], 0)
        self.assertEqual(told['won_open_days'], 3, "the last first calls are of 5 October")
        self.assertEqual(
            (told['period']['first'], told['period']['last']), ('2026-08-04', '2026-10-05')
        )
        self.assertEqual([told[side]['people'] for side in ('before', 'after')], [1, 1])
        self.assertEqual(told['after']['won'], {'n': 0, 'd': 3})

    def test_each_number_opens_its_list(self):
        told = self.around(filters={'in_hours': True})
        env = self.env(user=self.supervisor)
        for side in ('before', 'after'):
            for model, counts in (
                ('telephony.call', told[side]['counts']),
                ('telephony.callback', told[side]['callers']),
            ):
                for name, count in counts.items():
                    if isinstance(count, dict):
                        domain = json.loads(json.dumps(count['domain'], default=json_default))
                        self.assertEqual(env[model].search_count(domain), count['value'], name)

    def test_until_the_time_after_is_over_both_sides_are_as_long(self):
        # the second day after the first week, 10 in the morning: one call came, one is still to come
        told = self.around('2026-09-09 05:00:00')
        self.assertEqual(self.numbers(told), [1, 1])
        self.assertEqual(told['open_days'], 27)
        self.assertEqual(self.numbers(self.around('2026-09-09 08:00:00')), [1, 2])

    def test_the_first_week_is_not_over(self):
        told = self.around('2026-09-08 12:00:00')
        self.assertIsNone(told['after'])
        self.assertIsNone(told['before'])
        self.assertEqual(told['begins'], '2026-09-08')

    def test_the_latest_that_can_be_compared_is_shown_first(self):
        later = self.milestone.copy({'day': '2026-10-30', 'name': "A training"})
        told = self.around(milestone_id=False)
        self.assertEqual(told['milestone'], self.milestone.id)
        self.assertEqual([row['id'] for row in told['milestones']], [later.id, self.milestone.id])
        self.milestone.unlink()
        self.assertEqual(self.around(milestone_id=False)['milestone'], later.id)
        later.unlink()
        told = self.around(milestone_id=False)
        self.assertFalse(told['milestone'])
        self.assertIsNone(told['period'])

    def test_another_company_s_milestone(self):
        other = self.env['res.company'].create({'name': "B"})
        theirs = self.milestone.copy({'company_id': other.id, 'name': "Theirs"})
        with self.assertRaises(UserError):
            self.around(milestone_id=theirs.id)
        self.supervisor.company_ids |= other
        user = self.supervisor.with_context(allowed_company_ids=[self.company.id, other.id])
        report = self.env['telephony.report'].with_context(user.env.context)
        with freeze_time('2026-11-01 06:00:00'):
            told = report.with_user(user).get_around(theirs.id)
        self.assertEqual(self.numbers(told), [0, 0], "our calls do not belong to it")

    def test_what_cannot_be_asked(self):
        for weeks in (0, 9, 'four', 1.5, None):
            with self.assertRaises(UserError):
                self.around(weeks=weeks)
        with self.assertRaises(AccessError):
            self.around(user=self.anna)

    def test_the_list_leads_to_the_figures(self):
        action = self.milestone.with_user(self.supervisor).action_compare()
        self.assertEqual(action['tag'], 'crm_telephony.report')
        self.assertEqual(action['params'], {'tab': 'milestones', 'milestone': self.milestone.id})
