"""Erlang B, C and A against published values, limits and a brute force.

Published: the README of the R package ErlangC (probability, service level and mean wait of 10
erlangs), values that a capacity planner's tests quote from Mathematica (logarithms), and the example
of Garnett, Mandelbaum and Reiman (2002) for callers who hang up.
"""

import json
import math
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from ..tools import erlang

GOLDEN = json.loads((Path(__file__).parent / 'figures' / 'golden_day.json').read_text('utf-8'))[
    'erlang'
]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestErlang(BaseCase):
    def test_published_values_of_waiting(self):
        for row in GOLDEN['erlang_c']:
            people, load = row['agents'], row['load']
            with self.subTest(people=people):
                self.assertAlmostEqual(erlang.waiting(people, load), row['wait_probability'], 6)
                level = erlang.service_level(people, load, 20, 180)
                self.assertAlmostEqual(level, row['service_level_20s_aht_180'], 6)
                wait = erlang.answer_seconds(people, load, 180)
                self.assertAlmostEqual(wait, row['asa_aht_180'], 3)
        for row in GOLDEN['agents_for_80_20']:
            load = row['calls_per_half_hour'] * row['aht'] / 1800
            self.assertEqual(erlang.people_for(load, row['aht'], 0.8, 20), row['agents'])

    def test_published_logarithms(self):
        for row in GOLDEN['ln_erlang_c']:
            value = erlang.log_waiting(row['agents'], row['load'])
            self.assertAlmostEqual(value, row['value'], 6)
        for row in GOLDEN['ln_erlang_b']:
            value = erlang.log_blocking(row['lines'], row['load'])
            self.assertAlmostEqual(value, row['value'], 6)

    def test_published_values_of_callers_who_hang_up(self):
        for row in GOLDEN['erlang_a']:
            load = row['calls_per_minute'] * row['aht'] / 60
            left, wait, _level = erlang.with_patience(
                row['agents'], load, row['aht'], row['patience']
            )
            self.assertAlmostEqual(left, row['abandoned'], 3)
            self.assertAlmostEqual(wait, row['wait'], 1)
            self.assertAlmostEqual(
                erlang.answer_seconds(row['agents'], load, row['aht']), row['erlang_c_wait'], 1
            )

    def test_what_five_lines_block(self):
        for load, share in GOLDEN['own']['blocking_of_5_lines'].items():
            self.assertAlmostEqual(erlang.blocking(5, float(load)), share, 4)

    def test_too_much_load(self):
        self.assertEqual(erlang.waiting(5, 5), 1)
        self.assertEqual(erlang.service_level(5, 7, 20, 180), 0)
        self.assertEqual(erlang.answer_seconds(5, 5, 180), math.inf)
        self.assertLess(erlang.log_blocking(10_000, 100), -10_000)

    @given(st.integers(1, 30), st.floats(0.05, 40))
    @settings(max_examples=60, deadline=None)
    def test_blocking_by_its_definition(self, lines, load):
        terms = [load**count / math.factorial(count) for count in range(lines + 1)]
        self.assertAlmostEqual(erlang.blocking(lines, load), terms[-1] / sum(terms), 9)

    @given(st.integers(2, 30), st.floats(0.1, 0.95))
    @settings(max_examples=40, deadline=None)
    def test_endless_patience_is_erlang_c(self, people, share):
        load = people * share
        left, wait, _level = erlang.with_patience(people, load, 180, 1e9)
        self.assertAlmostEqual(left, 0, 5)
        exact = erlang.answer_seconds(people, load, 180)
        self.assertAlmostEqual(wait / exact, 1, 2)

    @given(st.floats(0.1, 60))
    @settings(max_examples=40, deadline=None)
    def test_as_few_lines_as_will_do(self, load):
        lines = erlang.lines_for(load)
        self.assertLessEqual(erlang.blocking(lines, load), 0.02)
        self.assertGreater(erlang.blocking(lines - 1, load), 0.02)

    def test_a_simulated_day(self):
        """20,000 callers of an M/M/n+M queue: the advice is right within one."""
        handling, patience, arrivals = 180.0, 120.0, 10 / 180
        load = arrivals * handling
        for advised, known in (
            (erlang.people_for(load, handling, 0.8, 20), None),
            (erlang.people_for(load, handling, 0.8, 20, patience), patience),
        ):
            levels = [
                _simulate(people, arrivals, handling, known)
                for people in (advised - 1, advised + 1)
            ]
            self.assertLess(levels[0], 0.83)
            self.assertGreater(levels[1], 0.78)


def _simulate(people, arrivals, handling, patience, count=20_000):
    """The share of callers who are answered within 20 s."""
    dice = random.Random(7)
    free_at = [0.0] * people
    now, in_time = 0.0, 0
    for _caller in range(count):
        now += dice.expovariate(arrivals)
        place = min(range(people), key=free_at.__getitem__)
        wait = max(free_at[place] - now, 0)
        if patience and wait > dice.expovariate(1 / patience):
            continue
        free_at[place] = now + wait + dice.expovariate(1 / handling)
        in_time += wait <= 20
    return in_time / count
