"""When the silence of a line is news. Five firms over a quarter of a year, and single lines."""

import math
import random
from collections import Counter

from odoo.tests import BaseCase, tagged

from ..models.watch.rhythm import (
    DAY,
    HOUR,
    WEEK,
    WEEKS,
    Calls,
    Habit,
    chance_of_none,
    risk_of,
    silence_of,
)

QUARTER = 13
MONTH = 30 * DAY


def poisson(dice, expected):
    """A Poisson number; `random` has none."""
    limit, number, product = math.exp(-expected), 0, dice.random()
    while product > limit:
        number, product = number + 1, product * dice.random()
    return number


class Line:
    """A line with a rate of calls in each hour of the week, which the test chooses."""

    def __init__(self, dice, rate, weeks, off=(), level=lambda week: 1.0, unsteady=0.15):
        """:param rate: called with weekday and hour: calls in that hour
        :param off: days from the first Monday on that nobody works
        :param level: called with the week: what its calls are a multiple of
        :param unsteady: how much one day differs from another"""
        self.moments = []
        for day in range(weeks * 7):
            mood = dice.gammavariate(1 / unsteady**2, unsteady**2) * level(day / 7)
            for slot in range(DAY):
                expected = 0 if day in off else rate(day % 7, slot / HOUR) * mood / HOUR
                for _call in range(poisson(dice, expected) if expected else 0):
                    at = day * DAY + slot + dice.random()
                    self.moments.append(at)
                    # some do not get through and call again at once
                    while dice.random() < 0.15:
                        at += dice.random() / 5
                        self.moments.append(at)
        self.moments.sort()
        self.off = frozenset(day * DAY for day in off)
        self.calls = Calls(Counter(map(int, self.moments)), 0, weeks * WEEK + DAY)

    def judged(self, since, now, risk):
        return silence_of(self.calls, since, now, self.off, risk)

    def silences(self, begin, risk):
        """Moments at which a pause between two calls was called news. It grows with the pause, so
        the end of each pause, and of each day in it, says it all."""
        for last, following in zip(self.moments, self.moments[1:], strict=False):
            if last >= begin and self.judged(last, following, risk):
                yield following


def alarms(lines, weeks=QUARTER, begin=WEEKS):
    """How many false alarms a firm gets each month: of its lines and of all of them together. What
    comes within a day of another is the same one."""
    calls = sum(len(line.moments) for line in lines) / (weeks + begin) * 4
    found = sorted(at for line in lines for at in line.silences(begin * WEEK, risk_of(calls)))
    first = [at for place, at in enumerate(found) if not place or at - found[place - 1] > DAY]
    return Counter(int((at - begin * WEEK) // MONTH) for at in first)


def office(each, first=9, last=18, days=5, lunch=(13, 14), quiet=0.3):
    def rate(day, hour):
        if day >= days or not first <= hour < last:
            return 0
        return each * (quiet if lunch and lunch[0] <= hour < lunch[1] else 1)

    return rate


def firm(number, seed):
    dice, weeks = random.Random(f'{number} {seed}'), WEEKS + QUARTER
    holidays = {49, 50, 51, 85, 93}
    match number:
        case 0:  # an office with three lines, one of them hardly used
            return [Line(dice, office(each), weeks, holidays) for each in (9, 3, 0.4)]
        case 1:  # a clinic that grows by half, six days a week
            return [
                Line(dice, office(each, 8, 20, 6, None), weeks, holidays, lambda w: 1 + w / 38)
                for each in (14, 6)
            ]
        case 2:  # a shop, every day, on weekends more; its holidays are its best days

            def shop(day, hour):
                return (
                    (6 if day < 5 else 10) * math.sin(math.pi * (hour - 10) / 12)
                    if 10 < hour < 22
                    else 0
                )

            return [Line(dice, shop, weeks)]
        case 3:  # a dispatcher, from early to late
            return [
                Line(dice, office(each, 6, 24, 7, (6, 8)), weeks, unsteady=0.25)
                for each in (12, 5, 1)
            ]
        case 4:  # a small firm; an advertisement that is forgotten slowly; a holiday not entered
            lines = [
                Line(dice, office(1.5, 10, 17, 5, (12.5, 13.5), 0), weeks, {65}),
                Line(dice, office(3), weeks, {65}, lambda w: 1 if w < 9 else 0.5 ** (w - 8)),
            ]
            for line in lines:
                line.off = frozenset()
            return lines
    raise ValueError(number)


TUESDAY = 18 * WEEK + DAY


RISK = risk_of(1000)


def hours_until(line, since, risk=RISK, most=WEEK):
    """After how many hours a silence that began then is news, None if never."""
    steps = (step / 4 for step in range(4 * most))
    return next((step / HOUR for step in steps if line.judged(since, since + step, risk)), None)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestRhythm(BaseCase):
    def test_a_quarter_of_a_year(self):
        """At most one false alarm a firm and month, and hardly any but for the holiday that nobody
        has entered."""
        total = 0
        for seed in range(3):
            for number in range(5):
                with self.subTest(firm=number, seed=seed):
                    months = alarms(firm(number, seed))
                    self.assertLessEqual(max(months.values(), default=0), 1, months)
                    total += sum(months.values())
        self.assertGreaterEqual(total, 3, "the holiday not entered is told")
        self.assertLessEqual(total, 6)

    def line(self, rate, **more):
        return Line(random.Random(7), rate, WEEKS + QUARTER, **more)

    def test_how_long_it_takes(self):
        """The rarer the calls, the longer; nights, lunch and weekends do not count."""
        morning, evening = TUESDAY + 10 * HOUR, TUESDAY + 17.5 * HOUR
        friday = TUESDAY + 3 * DAY + 17.5 * HOUR
        busy, quiet = self.line(office(9)), self.line(office(3))
        self.assertLess(hours_until(busy, morning), 2.25)
        self.assertTrue(2.25 < hours_until(quiet, morning) < 9)
        self.assertTrue(15 < hours_until(busy, evening) < 18, "the next morning")
        self.assertTrue(63 < hours_until(busy, friday) < 67, "on Monday")
        told = busy.judged(morning, morning + 2.25 * HOUR, RISK)
        self.assertAlmostEqual(told.hourly, 10, delta=2)
        over_night = busy.judged(evening, evening + 18 * HOUR, RISK)
        self.assertEqual(over_night.hourly, 0)

    def test_it_stays_news(self):
        line = self.line(office(9))
        morning = TUESDAY + 10 * HOUR
        for days in (1, 2, 5, 7, 9, 14, 20):
            self.assertTrue(line.judged(morning, morning + days * DAY, RISK), days)
        self.assertFalse(line.judged(morning, morning + 22 * DAY, RISK), "it is out of use")

    def test_days_off(self):
        """On a day off, and in the night after it, silence is no news; after it, it is again."""
        off = {18 * 7 + 1}
        line = self.line(office(9), off=off)
        evening = TUESDAY - DAY + 17.9 * HOUR
        self.assertFalse(line.judged(evening, TUESDAY + 23 * HOUR, RISK))
        self.assertFalse(line.judged(evening, TUESDAY + DAY + 9.5 * HOUR, RISK))
        self.assertTrue(line.judged(evening, TUESDAY + DAY + 12 * HOUR, RISK))

    def test_a_day_off_weeks_ago_changes_nothing(self):
        """Neither one that is entered, nor one that is not."""
        for entered in (True, False):
            line = self.line(office(9), off={16 * 7 + 1, 17 * 7 + 1})
            line.off = line.off if entered else frozenset()
            self.assertLess(hours_until(line, TUESDAY + 10 * HOUR), 3 if entered else 5)

    def test_half_of_the_weeks_had_a_day_off(self):
        """The others tell what is usual."""
        line = self.line(office(9), off={week * 7 + 1 for week in (12, 14, 16)})
        self.assertLess(hours_until(line, TUESDAY + 10 * HOUR), 2.5)

    def test_a_line_that_is_hardly_used(self):
        """Once a month, or once a day."""
        for each in (1 / 200, 1 / 9):
            line = self.line(office(each))
            self.assertIsNone(hours_until(line, TUESDAY + 10 * HOUR, most=WEEK), each)

    def test_without_history(self):
        """Three weeks are needed."""
        line = self.line(office(9))
        for weeks, is_news in ((0, False), (1, False), (2.9, False), (3.1, True)):
            begin = int(TUESDAY - weeks * WEEK)
            counts = Counter(int(at) for at in line.moments if at >= begin)
            for first in (0, begin):  # whether the PBX is new or the number
                line.calls = Calls(counts, first, TUESDAY + 2 * DAY)
                news = line.judged(TUESDAY + 10 * HOUR, TUESDAY + 15 * HOUR, RISK)
                self.assertEqual(bool(news), is_news, weeks)

    def test_a_line_that_falls_asleep(self):
        """An advertisement that fewer and fewer people see."""
        line = self.line(office(6), level=lambda week: 0.5 ** max(week - 12, 0))
        news = [at for at in line.silences(12 * WEEK, RISK) if at < 16 * WEEK]
        self.assertLessEqual(len(news), 1)

    def test_growth(self):
        """A line that has grown is judged by what it was at least."""
        line = self.line(office(3), level=lambda week: 1 + week / 10)
        self.assertLess(hours_until(line, TUESDAY + 10 * HOUR), 3)

    def test_more_calls_make_a_firm_more_patient(self):
        line = self.line(office(9))
        waits = [hours_until(line, TUESDAY + 9 * HOUR, risk_of(calls)) for calls in (10, 10_000)]
        self.assertLess(*waits)

    def test_chance_of_none(self):
        """Of calls that come by themselves it is Poisson's; clumps and moody days make it larger."""
        plain = Habit(1.0, 1e9)
        self.assertAlmostEqual(chance_of_none(5, plain), math.exp(-5), 6)
        self.assertEqual(chance_of_none(0, Habit(2.0, 5.0)), 1)
        self.assertLess(chance_of_none(9, plain), chance_of_none(9, Habit(1.5, 1e9)))
        self.assertLess(chance_of_none(9, plain), chance_of_none(9, Habit(1.0, 20.0)))

    def test_counts(self):
        calls = Calls({10: 2, 11: 4}, 10, 20)
        for start, end, count in (
            (10, 12, 6),
            (10.5, 11, 1),
            (10.5, 11.25, 2),
            (0, 99, 6),
            (12, 20, 0),
        ):
            self.assertAlmostEqual(calls.between(start, end), count)
