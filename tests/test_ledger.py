"""The callbacks of a number follow from its calls and from what people did, in whatever order they
were told."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.models.callbacks.ledger import (
    Act,
    Call,
    Promise,
    Row,
    compare,
    debts,
)

from .provider_case import PROPERTY

START = datetime(2026, 11, 4, 10, 0)
# Minutes from a loss to its callback, and its priority.
PLANS = {'missed': (15, '0'), 'abandoned': (2, '1'), 'no_answer': (120, '0'), 'busy': (5, '0')}


def at(minutes):
    return START + timedelta(minutes=minutes)


def call(call_id, minutes, outcome='missed', direction='inbound', seconds=20, talk=False, **more):
    """A call that ended then, and took so many seconds."""
    moment = at(minutes)
    return Call(
        id=call_id,
        direction=direction,
        start_at=moment - timedelta(seconds=seconds),
        moment=moment,
        outcome=outcome,
        is_reached=talk,
        answered_at=moment - timedelta(seconds=seconds) if talk else None,
        **more,
    )


def tried(call_id, minutes, outcome='no_answer', **more):
    return call(call_id, minutes, outcome, 'outbound', **more)


def talked(call_id, minutes, direction='outbound', **more):
    return call(call_id, minutes, 'answered', direction, talk=True, **more)


def act(kind, after, number=1, value=None, about=None, when=None):
    return Act(number, kind, at(600) if when is None else when, after, None, value, about)


def rules(lost, attempt):
    """As those of the house, in short: no third attempt."""
    if lost.outcome not in PLANS:
        return None
    if lost.direction == 'outbound' and (attempt or 1) >= 3:
        return Promise('give_up', rule='the owner decides')
    minutes, priority = PLANS[lost.outcome]
    due = lost.moment + timedelta(minutes=minutes)
    return Promise('callback', due, priority, owner='anna', rule=lost.outcome)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestLedger(BaseCase):
    def owed(self, *facts, rules=rules):
        return debts(
            [fact for fact in facts if isinstance(fact, Call)],
            [fact for fact in facts if isinstance(fact, Act)],
            rules,
        )

    def test_an_older_act_is_not_about_what_no_call_has_opened(self):
        """A callback whose call was deleted, or that was imported, of a number that had another."""
        cancelled = Act(5, 'cancelled', at(10), 'c1', at(0), None, 'c1')
        opened = Act(-2, 'opened', at(60), None, at(60), at(90))
        urged = Act(-1, 'urged', at(60), None, at(60), '1')
        first, second = self.owed(call('c1', 0), urged, cancelled, opened)
        self.assertEqual((first.close_kind, second.state), ('cancelled', 'open'))
        self.assertEqual((first.priority, second.priority), ('0', '1'))
        [imported] = self.owed(Act(5, 'cancelled', at(10)), opened)
        self.assertEqual(imported.state, 'open')

    def check(self, *facts, **expected):
        """There is one debt, and it looks so."""
        [debt] = self.owed(*facts)
        self.assertEqual({name: getattr(debt, name) for name in expected}, expected)
        return debt

    # --- it opens ---------------------------------------------------------------------------------

    def test_nothing_is_owed(self):
        self.assertEqual(self.owed(), [])
        self.assertEqual(self.owed(call('f', 0, 'failed'), talked('t', 5)), [])

    def test_a_lost_caller(self):
        lost = call('m', 0)
        debt = self.check(
            lost,
            state='open',
            opened_by=lost,
            lost_at=at(0),
            due_at=at(15),
            priority='0',
            owner='anna',
            rule='missed',
            attempts=0,
            calls=['m'],
            first_try_at=None,
            close_kind=None,
        )
        self.assertFalse(debt.is_late(at(14)))
        self.assertTrue(debt.is_late(at(15)))

    def test_our_own_vain_attempt(self):
        self.check(tried('n', 0), due_at=at(120), attempts=1, last_try_at=at(0))

    def test_a_callback_that_no_call_has_opened(self):
        opened = Act(1, 'opened', at(0), after_at=at(0), value=at(30))
        self.check(opened, opened_by=None, lost_at=at(0), due_at=at(30), state='open')
        self.check(opened, talked('t', 5), tried('n', -5, 'failed'), close_kind='reached')

    # --- further calls join it --------------------------------------------------------------------

    def test_further_losses_can_only_make_it_more_urgent(self):
        self.check(call('m1', 0), call('m2', 2), due_at=at(15), lost_at=at(0), calls=['m1', 'm2'])
        urgent = call('q', 3, 'abandoned')
        self.check(call('m1', 0), urgent, due_at=at(5), priority='1', rule='abandoned')
        self.check(call('m1', 0), urgent, call('m2', 4), due_at=at(5), priority='1')

    def test_each_vain_attempt_moves_it_on(self):
        self.check(
            call('m', 0),
            tried('n1', 5),
            tried('n2', 9, 'busy'),
            due_at=at(14),
            lost_at=at(0),
            last_try_at=at(9),
            attempts=2,
            first_try_at=at(5) - timedelta(seconds=20),
            rule='missed',
        )

    def test_an_attempt_that_could_not_be_placed_is_none(self):
        self.check(call('m', 0), tried('f', 5, 'failed'), due_at=at(15), attempts=0)

    def test_an_attempt_that_began_before_the_loss_answers_it_not(self):
        self.check(call('m', 0), tried('n', 5, seconds=360), due_at=at(125), attempts=0)

    def test_a_short_talk_is_an_attempt(self):
        self.check(call('m', 0), tried('s', 5, 'answered'), due_at=at(15), attempts=1, state='open')

    def test_a_customer_who_calls_after_our_vain_attempts_is_owed_from_then_on(self):
        lost = call('m', 60)
        self.check(
            tried('n1', 0),
            tried('n2', 10),
            lost,
            opened_by=lost,
            lost_at=at(60),
            due_at=at(75),
            attempts=0,
            first_try_at=None,
            calls=['n1', 'n2', 'm'],
        )
        self.check(tried('n1', 0), tried('n2', 10), lost, tried('n3', 70), attempts=1)

    # --- it ends ----------------------------------------------------------------------------------

    def test_any_talk_closes_it(self):
        for direction, kind in (('outbound', 'reached'), ('inbound', 'called_again')):
            with self.subTest(direction):
                talk = talked('t', 10, direction)
                debt = self.check(
                    call('m', 0),
                    talk,
                    state='done',
                    close_kind=kind,
                    closed_by=talk,
                    done_at=at(10),
                )
                self.assertEqual(debt.talked_at, talk.answered_at)
                self.assertEqual(debt.attempts, int(direction == 'outbound'))

    def test_a_talk_at_the_moment_of_the_loss_comes_after_it(self):
        self.check(talked('t', 0), call('m', 0), state='done')

    def test_lost_again_is_a_new_debt(self):
        first, second = self.owed(call('m1', 0), talked('t', 5), call('m2', 15))
        self.assertEqual((first.state, second.state, second.lost_at), ('done', 'open', at(15)))

    def test_the_third_attempt_gives_up(self):
        tries = [tried(f'n{place}', 10 * place) for place in range(3)]
        self.check(
            *tries,
            state='cancelled',
            close_kind='gave_up',
            closed_by=tries[2],
            done_at=at(20),
            attempts=3,
            rule='the owner decides',
            talked_at=None,
        )
        # nothing is left to give up, and a new loss deserves new attempts
        given_up, again = self.owed(*tries, call('m', 60), tried('n4', 65))
        self.assertEqual((again.state, again.attempts), ('open', 1))

    def test_without_a_callback_there_is_nothing_to_give_up(self):
        self.assertEqual(self.owed(tried('n', 0), rules=lambda *_facts: Promise('give_up')), [])

    def test_how_long_the_customer_waited(self):
        def half(start, end):  # an office that works every other minute
            return (end - start).total_seconds() / 120

        debt = self.check(call('m', 0), tried('n', 4, seconds=0), talked('t', 9, seconds=60))
        self.assertEqual(debt.waited(debt.first_try_at, half), 2)
        self.assertEqual(debt.waited(debt.talked_at, half), 4)
        self.assertEqual(debt.waited(at(-1), half), 0)
        self.assertIsNone(debt.waited(None, half))
        # whoever calls again and is answered was first tried then
        debt = self.check(call('m', 0), talked('t', 9, 'inbound', seconds=60))
        self.assertEqual(debt.first_try_at, debt.talked_at)

    # --- what people do ---------------------------------------------------------------------------

    def test_closed_by_hand(self):
        for kind, closed in (('done', 'by_hand'), ('cancelled', 'cancelled')):
            closing = act(kind, 'm')
            self.check(
                call('m', 0),
                closing,
                state=kind,
                close_kind=closed,
                closed_by=closing,
                done_at=closing.at,
                talked_at=None,
                first_try_at=None,
            )

    def test_what_nobody_had_seen_is_not_closed_by_hand(self):
        """However late it is told, and whatever the clock of the PBX says."""
        for when in (at(-600), at(600)):
            first, second = self.owed(call('m1', 0), act('done', 'm1', when=when), call('m2', 1))
            self.assertEqual((first.close_kind, second.state), ('by_hand', 'open'))
        # but a loss before the latest one that they saw is the same debt
        self.check(call('m1', 0), act('done', 'm1'), call('m0', -1), close_kind='by_hand')

    def test_an_act_follows_the_call_that_was_seen_where_that_is_moved_or_gone(self):
        first, second = self.owed(call('m1', 5), act('done', 'm1'), call('m2', 10))
        self.assertEqual((first.state, second.state), ('done', 'open'))
        gone = act('done', 'gone')._replace(after_at=at(3))
        first, second = self.owed(call('m1', 0), gone, call('m2', 10))
        self.assertEqual((first.state, second.state), ('done', 'open'))

    def test_put_off(self):
        later = act('moved', 'm', value=at(2000))
        self.check(call('m', 0), later, due_at=at(2000))
        self.check(call('m', 0), later, tried('n', 5), due_at=at(125))
        self.check(call('m', 0), later, call('m2', 5), due_at=at(20))
        self.check(call('m', 0), later, act('urged', 'm', 2, '1'), priority='1', due_at=at(2000))

    def test_the_last_act_behind_a_call_counts(self):
        first, last = act('moved', 'm', 1, at(50)), act('moved', 'm', 2, at(40), when=at(-9))
        self.check(call('m', 0), last, first, due_at=at(40))

    def test_taken_until_a_vain_try(self):
        taken = act('given', 'm', value='boris', when=at(3))
        self.check(call('m', 0), taken, owner='boris', taken_at=at(3))
        self.check(call('m', 0), taken, call('m2', 5), owner='boris', taken_at=at(3))
        self.check(call('m', 0), taken, tried('n', 5), owner='boris', taken_at=None)
        self.check(call('m', 0), taken, tried('n', 2), owner='boris', taken_at=at(3))
        self.check(call('m', 0), taken, act('given', 'm', 2), owner=None, taken_at=None)
        passed = act('passed', 'm', 2, 'carl')
        self.check(call('m', 0), taken, passed, owner='carl', taken_at=None)

    def test_what_is_nobodys_goes_to_the_first_who_is_responsible(self):
        def nobody_first(lost, attempt):
            return rules(lost, attempt)._replace(owner=None if lost.id == 'm1' else 'anna')

        [debt] = self.owed(call('m1', 0), call('m2', 5), rules=nobody_first)
        self.assertEqual(debt.owner, 'anna')

    def test_opened_again(self):
        closed, again = act('cancelled', 'm'), act('reopened', 'm', 2, about='m')
        self.check(
            call('m', 0), closed, again, state='open', due_at=at(15), close_kind=None, done_at=None
        )
        self.check(call('m', 0), closed, again, talked('t', 5), close_kind='reached')
        self.check(call('m', 0), closed, again, act('done', 'm', 3), close_kind='by_hand')
        self.check(call('m', 0), closed, again, call('m2', 5), calls=['m', 'm2'], state='open')

    def test_opened_again_after_a_talk_that_nobody_had_seen(self):
        seen = call('s', 9, 'failed')
        again = act('reopened', 's', 2, about='m')
        self.check(call('m', 0), act('done', 'm'), seen, again, talked('t', 5), done_at=at(5))

    def test_opened_again_is_the_one_that_was_meant(self):
        for about, states in (('m1', ['open', 'done']), ('gone', ['done', 'open'])):
            owed = self.owed(
                call('m1', 0),
                act('done', 'm1'),
                call('m2', 5),
                act('done', 'm2', 2),
                act('reopened', 'm2', 3, about=about),
            )
            self.assertEqual([debt.state for debt in owed], states)

    def test_a_talk_or_an_open_callback_leaves_nothing_to_reopen(self):
        again = act('reopened', 'm2', 9, about='m1')
        self.check(call('m1', 0), talked('t', 1), call('m2', -9, 'failed'), again, state='done')
        first, second = self.owed(call('m1', 0), act('done', 'm1'), call('m2', 5), again)
        self.assertEqual((first.state, second.state), ('done', 'open'))

    # --- calls that turn out otherwise ------------------------------------------------------------

    def test_no_loss_is_no_debt_whatever_was_done_with_it(self):
        self.assertEqual(self.owed(talked('m', 0), act('given', 'm', value='boris')), [])
        self.assertEqual(self.owed(talked('m', 0), act('done', 'm')), [])

    def test_a_talk_that_was_none_between_two_losses_leaves_one_debt(self):
        self.check(
            call('m1', 0), tried('t', 1), call('m2', 15), lost_at=at(0), due_at=at(30), attempts=1
        )

    # --- which stored callback it is --------------------------------------------------------------

    def test_stored_callbacks(self):
        owed = self.owed(call('m1', 0), call('m2', 2), talked('t', 5), call('m3', 9))
        m1, m3 = Row(1, 'm1', frozenset({'m1', 'm2'})), Row(2, 'm3', frozenset({'m3'}))
        self.assertEqual(compare([m3, m1], owed), ([m1, m3], {}, []))
        self.assertEqual(compare([], owed), ([None, None], {}, []))
        # the talk was found out later
        was_one = Row(1, 'm1', frozenset({'m1', 'm2', 'm3'}))
        self.assertEqual(compare([was_one], owed), ([was_one, None], {}, []))
        # and was another one before
        other = Row(0, 'm2', frozenset({'m2', 'm3'}))
        self.assertEqual(compare([other, was_one], owed), ([was_one, other], {}, []))
        # what had opened it was none, what had joined it is
        joined = Row(1, 'gone', frozenset({'gone', 'm3'}))
        self.assertEqual(compare([joined], owed), ([None, joined], {}, []))
        # two are one, and one is none
        m2, none = Row(3, 'm2', frozenset({'m2'})), Row(4, 'x', frozenset({'x'}))
        self.assertEqual(compare([m1, m2, m3, none], owed), ([m1, m3], {m2: owed[0]}, [none]))
        # what no call has opened
        by_hand = Row(5, None, frozenset())
        owed = self.owed(Act(1, 'opened', at(0), after_at=at(0), value=at(30)))
        self.assertEqual(compare([none, by_hand], owed), ([by_hand], {}, [none]))


# --- any order, any repetition, any grouping ---------------------------------------------------------


OUTCOMES = [
    ('inbound', 'missed', False),
    ('inbound', 'abandoned', False),
    ('inbound', 'answered', False),
    ('inbound', 'answered', True),
    ('outbound', 'no_answer', False),
    ('outbound', 'busy', False),
    ('outbound', 'failed', False),
    ('outbound', 'answered', True),
]


@st.composite
def stories(draw):
    """Calls of one customer within two hours, many at the same minute, and what was done after some
    of them."""
    told = [
        call(f'c{place}', minutes, outcome, direction, seconds, is_talk)
        for place, (minutes, (direction, outcome, is_talk), seconds) in enumerate(
            draw(
                st.lists(
                    st.tuples(st.integers(0, 120), st.sampled_from(OUTCOMES), st.integers(0, 300)),
                    max_size=9,
                )
            )
        )
    ]
    names = [one.id for one in told] + ['gone']
    done = [
        Act(
            number,
            kind,
            at(when),
            after,
            at(when),
            {'moved': at(due), 'opened': at(due), 'given': 'boris', 'passed': 'carl'}.get(kind),
            about,
        )
        for number, (kind, when, after, due, about) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from(
                            ['opened', 'given', 'passed', 'moved', 'done', 'cancelled', 'reopened']
                        ),
                        st.integers(0, 150),
                        st.sampled_from(names),
                        st.integers(0, 300),
                        st.sampled_from(names),
                    ),
                    max_size=4,
                )
            )
        )
    ]
    return told, done


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAnyOrder(BaseCase):
    @PROPERTY
    @given(stories(), st.randoms(use_true_random=False))
    def test_any_order_and_repetition_tells_the_same(self, story, chance):
        calls, acts = story
        expected = debts(calls, acts, rules)
        calls, acts = (facts + chance.choices(facts, k=3) if facts else [] for facts in story)
        chance.shuffle(calls)
        chance.shuffle(acts)
        self.assertEqual(debts(calls, acts, rules), expected)

    @PROPERTY
    @given(stories())
    def test_what_always_holds(self, story):
        owed = debts(*story, rules)
        self.assertLessEqual(sum(debt.state == 'open' for debt in owed), 1)
        joined = [name for debt in owed for name in debt.calls]
        self.assertEqual(len(joined), len(set(joined)), "no loss is owed twice")
        for debt in owed:
            self.assertEqual(debt.state == 'open', debt.close_kind is None)
            self.assertEqual(debt.state == 'open', debt.closed_by is None)
            if debt.talked_at:
                self.assertGreaterEqual(debt.closed_by.moment, debt.lost_at)
            if debt.talk:
                self.assertNotEqual(debt.state, 'open', "whoever was talked to does not wait")

    @PROPERTY
    @given(stories(), st.integers(0, 9), st.randoms(use_true_random=False))
    def test_the_past_is_told_anew_from_where_nothing_was_owed(self, story, place, chance):
        """So that of a customer of many years only what is owed now has to be read."""
        calls, _acts = story
        calls = sorted(calls, key=lambda one: (one.moment, one.is_reached, one.start_at, one.id))
        before, after = calls[:place], calls[place:]
        first = debts(before, [], rules)
        if any(debt.state == 'open' for debt in first):
            return
        self.assertEqual(
            debts(calls, [], rules), first_talked(first, after) + debts(after, [], rules)
        )


def first_talked(owed, calls):
    """These debts, where the talks among these calls have come since."""
    talk = next((one for one in calls if one.is_reached), None)
    for debt in owed:
        debt.talk = debt.talk or talk
    return owed
