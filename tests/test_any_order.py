"""The callbacks of a customer do not depend on the order in which their calls are told."""

import random

from .common import TelephonyCase
from .test_callbacks import WEDNESDAY, iso

SEED = 20261104
ORDERS = 6
TALK = {'outcome': 'answered', 'talk_seconds': 60}
# What the PBX tells, each with its call and when that ended: a call that is told twice was another
# one after all.
STORIES = {
    "two losses, a vain attempt, a talk, lost again": [
        ('m1', 0, {'outcome': 'missed'}),
        ('m2', 120, {'outcome': 'abandoned', 'wait_seconds': 90}),
        ('o1', 300, {'outcome': 'no_answer'}),
        ('o2', 900, TALK),
        ('m3', 1800, {'outcome': 'missed'}),
    ],
    "four vain attempts": [
        ('o1', 0, {'outcome': 'no_answer'}),
        ('o2', 600, {'outcome': 'failed'}),
        ('o3', 1200, {'outcome': 'no_answer'}),
        ('o4', 1800, {'outcome': 'no_answer'}),
        ('o5', 2400, {'outcome': 'no_answer'}),
    ],
    "our attempts, and then the customer": [
        ('o1', 0, {'outcome': 'no_answer'}),
        ('o2', 600, {'outcome': 'no_answer'}),
        ('m1', 1200, {'outcome': 'missed'}),
        ('o3', 1800, {'outcome': 'busy'}),
    ],
    "a loss and a talk that were none": [
        ('m1', 0, {'outcome': 'missed'}),
        ('m1', 1, {**TALK, 'extension': '101'}),
        ('m2', 60, {'outcome': 'missed'}),
        ('o1', 300, TALK),
        ('o1', 301, {'outcome': 'no_answer'}),
        ('m3', 900, {'outcome': 'missed'}),
    ],
}
FIELDS = (
    'state',
    'status',
    'close_kind',
    'direction',
    'cause',
    'lost_at',
    'due_at',
    'priority',
    'attempt_count',
    'first_try_at',
    'first_try_minutes',
    'served_minutes',
    'done_at',
    'user_id',
)


class TestAnyOrder(TelephonyCase):
    def told(self, place, story):
        """The callbacks of a customer of whom these events are told, one delivery after the
        other."""
        number = f'+7701222{place:04}'
        for name, seconds, values in story:
            make, party = (
                (self.event, 'caller') if name.startswith('m') else (self.outbound, 'called')
            )
            self.play(
                make(
                    'ended', f'{name}-{place}', iso(WEDNESDAY, seconds), **{party: number}, **values
                )
            )
        callbacks = self.callbacks(number)
        found = callbacks.sorted('lost_at').read(FIELDS, load=None)
        for row, callback in zip(found, callbacks.sorted('lost_at'), strict=True):
            del row['id']
            row['calls'] = [
                (call.external_id or '').partition('-')[0]
                for call in (callback.origin_call_id, callback.closing_call_id)
            ]
        return found

    def test_any_order_gives_the_same_callbacks(self):
        chance, place = random.Random(SEED), 0
        for name, story in STORIES.items():
            expected = self.told(place, story)
            self.assertTrue(expected)
            for _order in range(ORDERS):
                place += 1
                order = chance.sample(story, len(story))
                with self.subTest(name, seed=SEED, order=[(call, at) for call, at, _more in order]):
                    self.assertEqual(self.told(place, order), expected)
            place += 1

    def test_a_batch_of_customers_gives_what_each_alone_gives(self):
        """A callback that is closed stays as it is, whatever else its batch is about."""
        talked, lost = (self.event('x')['caller'], '+77012223344')
        self.play(self.event('ended', 'm1', iso(WEDNESDAY), outcome='missed'))
        self.play(self.event('ended', 'm2', iso(WEDNESDAY, 300), **TALK, extension='101'))
        self.play(self.event('ended', 'n1', iso(WEDNESDAY, 400), outcome='missed', caller=lost))
        [closed] = self.callbacks(talked).read(FIELDS, load=None)
        self.assertEqual(closed['close_kind'], 'called_again')
        self.play(
            self.event('ended', 'm3', iso(WEDNESDAY, 900), outcome='missed'),
            self.event('ended', 'n2', iso(WEDNESDAY, 901), outcome='missed', caller=lost),
        )
        first, second = self.callbacks(talked).read(FIELDS, load=None)
        self.assertEqual(first, closed)
        self.assertEqual(second['state'], 'open')
        self.assertEqual(len(self.callbacks(lost)), 1)

    def test_a_call_that_becomes_another_attempt_is_looked_at_once(self):
        """Even where the rules that promised do not exist any more."""
        for name, seconds in (('n4', 1800), ('n3', 1200), ('n2', 600)):
            self.tell(name, seconds)
        self.env['telephony.rule'].search([]).active = False
        self.tell('n1', 0)
        for _turn in range(3):
            self.file_calls()
        self.assertFalse(self.env['telephony.call'].search([('follow_up', '=', 'todo')]))

    def tell(self, name, seconds):
        self.play(self.outbound('ended', name, iso(WEDNESDAY, seconds), outcome='no_answer'))
