"""The plain part of choosing a deal: what holds whatever the deals and the weights are."""

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.models.matching.score import (
    NEARNESS,
    Asked,
    Called,
    Deal,
    nearness,
    rank,
    winner,
)

NOW = datetime(2026, 3, 10, 12)
CODES = (
    *NEARNESS,
    'choice',
    'owner',
    'campaign',
    'source',
    'team',
    'planned',
    'recent',
    'quotation',
    'probability',
    'amount',
)
few = st.none() | st.integers(1, 3)
moments = st.none() | st.integers(-60, 60).map(lambda days: NOW + timedelta(days=days))
deal = st.builds(
    Deal,
    st.integers(1, 10**6),
    st.sampled_from((None, '+1', '+2')),
    few,
    few,
    few,
    few,
    few,
    few,
    st.floats(0, 100),
    st.floats(0, 10**9),
    moments,
    st.just('call'),
    moments,
    st.just('activity'),
    st.booleans(),
)
deals = st.lists(deal, max_size=8, unique_by=lambda one: one.id)
asked = st.builds(
    Asked,
    st.just('+1'),
    st.frozensets(st.integers(1, 3), max_size=2),
    st.frozensets(st.integers(1, 3), max_size=2),
    few,
    st.builds(Called, few, few, few),
    few,
    st.booleans(),
)
weights = st.fixed_dictionaries({code: st.integers(0, 100) for code in CODES})
margins = st.integers(0, 60)
# a busy machine is no defect
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestMatchScore(BaseCase):
    @patient
    @given(deals, asked, weights, st.randoms(use_true_random=False))
    def test_the_order_of_the_deals_does_not_matter(self, deals, asked, weights, random):
        shuffled = random.sample(deals, len(deals))
        self.assertEqual(rank(deals, asked, weights, NOW), rank(shuffled, asked, weights, NOW))

    @patient
    @given(deals, asked, weights)
    def test_a_score_is_the_sum_of_told_reasons(self, deals, asked, weights):
        for one in rank(deals, asked, weights, NOW):
            self.assertEqual(one.score, sum(one.points.values()))
            self.assertTrue(
                all(0 <= points <= weights[code] for code, points in one.points.items())
            )
            self.assertEqual(
                [code for code in one.points if code in NEARNESS], [nearness(one.deal, asked)]
            )

    @patient
    @given(deals, asked, weights, margins)
    def test_no_tie_is_ever_decided(self, deals, asked, weights, margin):
        """A twin of the winner, told apart by nothing but its age, makes it a question."""
        best = winner(rank(deals, asked, weights, NOW), margin)
        if best and best.deal.id != asked.chosen:
            twins = [
                *(one for one in deals if one.id != best.deal.id),
                best.deal._replace(id=-1),
                best.deal,
            ]
            decided = winner(rank(twins, asked, weights, NOW), margin)
            self.assertNotIn(decided and decided.deal, (*twins[-2:],))

    @patient
    @given(deals, asked, weights, margins, margins)
    def test_a_wider_margin_only_asks_more(self, deals, asked, weights, one, other):
        ranked = rank(deals, asked, weights, NOW)
        wide, narrow = winner(ranked, max(one, other)), winner(ranked, min(one, other))
        self.assertIn(wide, (None, narrow))

    def test_due_and_recent_fade(self):
        weights = {'planned': 12, 'recent': 12}
        for days, points in ((0, 12), (2, 12), (10, 6), (25, 3), (31, 0)):
            with self.subTest(contacted=days):
                [one] = rank(
                    [Deal(1, contacted_at=NOW - timedelta(days=days))], Asked('+1'), weights, NOW
                )
                self.assertEqual(one.score, points)
        for days, points in ((-60, 0), (-10, 12), (0, 12), (1, 12), (7, 6), (30, 0)):
            with self.subTest(due=days):
                [one] = rank(
                    [Deal(1, due_at=NOW + timedelta(days=days))], Asked('+1'), weights, NOW
                )
                self.assertEqual(one.score, points)

    def test_somebody_elses_deal_needs_more_than_weak_reasons(self):
        asked = Asked('+1', frozenset({1}), frozenset({9}), user=5)
        weights = dict.fromkeys(CODES, 50)
        weak = Deal(
            1, contact=2, firm=9, contacted_at=NOW, due_at=NOW, has_quotation=True, probability=100
        )
        self.assertIsNone(winner(rank([weak], asked, weights, NOW), 20))
        self.assertTrue(winner(rank([weak._replace(user=5)], asked, weights, NOW), 20))
