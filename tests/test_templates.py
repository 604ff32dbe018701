"""The templates that come with the addon: their samples give their calls, in whatever order and
however often the deliveries come, and docs/any-pbx.md tells of each."""

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.custom import pseudonym, samples
from odoo.addons.crm_telephony.providers.custom.adapter import Custom
from odoo.addons.crm_telephony.providers.custom.language import load
from odoo.addons.crm_telephony.providers.numbers import is_mobile, to_e164

PAGE = Path(__file__).parents[1] / 'docs' / 'any-pbx.md'
SHUFFLES = 20
# What every template shows, as pairs of direction and outcome.
SHOWN = (
    ('inbound', 'answered'),
    ('inbound', 'missed'),
    ('outbound', 'answered'),
    ('outbound', 'no_answer'),
)
# A template as it comes of captured requests, with what nobody else should read.
CALL = {'id': 'f3a9-pbx7', 'agent': 'Aigerim Bekova <aigerim@kazoil.kz>', 'vpbx': '004711'}
PRIVATE = {
    'telephony_template': 1,
    'language': 1,
    'id': 'private',
    'label': 'Private',
    'auth': {'address_only': True},
    'call': '$.id',
    'all': {
        'at': {'path': '$.at', 'as': 'time', 'format': ['epoch_s', '%d.%m.%Y %H:%M:%S']},
        'direction': {'path': '$.way', 'map': {'in': 'inbound'}},
        'caller': '$.from',
        'called': '$.to',
        'extension': {'path': '$.agent', 'before': ' <'},
    },
    'rules': [
        {'when': [{'path': '$.event', 'is': 'start'}], 'events': [{'kind': 'answered'}]},
        {'when': [{'path': '$.event', 'is': 'end'}], 'events': [{'kind': 'ended'}]},
    ],
    'samples': [
        {
            'about': 'Call of +7 701 111 22 33',
            'account': {
                'country': 'KZ',
                'timezone': 'Asia/Almaty',
                'own_numbers': ['+77272507612'],
            },
            'started_at': '2024-05-10T05:00:00Z',
            'deliveries': [
                {
                    'json': {
                        **CALL,
                        'event': 'start',
                        'at': 1715317200,
                        'way': 'in',
                        'from': '8 (701) 111-22-33',
                        'to': '77272507612',
                        'blob': 'bXlzZWxm',
                    }
                },
                {
                    'json': {
                        **CALL,
                        'event': 'end',
                        'at': '10.05.2024 10:00:42',
                        'from': '+77011112233',
                        'file': 'https://pbx7.kazoil.kz/secret-room/f3a9.mp3',
                    },
                    'received_after': 42,
                },
            ],
            'expected': {
                'outcome': 'answered',
                'talk_seconds': 42,
                'start_at': '2024-05-10T05:00:00Z',
                'extension': 'Aigerim Bekova',
                'caller': '8 (701) 111-22-33',
            },
        }
    ],
}


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTemplates(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.templates = [load(text) for text in Custom().templates()]

    def each_sample(self):
        for template in self.templates:
            for sample in template.samples:
                with self.subTest(template.key, sample=sample['about']):
                    yield template, sample

    def played(self, template, sample, arrivals):
        return samples.play(template, arrivals, samples.account_of(sample, template))

    def test_there_are_some(self):
        self.assertGreaterEqual(len(self.templates), 16)
        self.assertEqual(len({template.key for template in self.templates}), len(self.templates))

    def test_samples_give_their_calls(self):
        for template in self.templates:
            with self.subTest(template.key):
                self.assertEqual(samples.problems(template), [])

    def test_a_wrong_expectation_is_found(self):
        """Or the test above could not fail."""
        for template, sample in self.each_sample():
            if not sample['expected']:
                continue
            wrong = {**sample, 'expected': {**sample['expected'], 'outcome': 'void'}}
            played = self.played(template, sample, samples.arrivals_of(sample))
            self.assertEqual(samples.differences(played, sample), [])
            self.assertTrue(samples.differences(played, wrong))

    def test_order_and_repeats_change_nothing(self):
        """The rows of the inbox come in another order; each keeps the moment of its arrival."""
        for template, sample in self.each_sample():
            arrivals = samples.arrivals_of(sample)
            straight = self.played(template, sample, arrivals)
            doubled = [*itertools.chain(*zip(arrivals, arrivals)), *arrivals]
            ways = [arrivals[::-1], doubled]
            ways += [
                random.Random(seed).sample(arrivals, len(arrivals)) for seed in range(SHUFFLES)
            ]
            for way in ways:
                played = self.played(template, sample, way)
                self.assertEqual(
                    (played.calls, played.events),
                    (straight.calls, straight.events),
                    f"{template.key}: {sample['about']}",
                )

    def test_deliveries_that_overtake_each_other(self):
        """Where every event tells its time, the moments of arrival mean nothing."""
        told = 0
        for template, sample in self.each_sample():
            plans = [event for rule in template.rules for event in rule.events]
            if not all('at' in dict(event.fields) for event in plans):
                continue
            arrivals = samples.arrivals_of(sample)
            straight = self.played(template, sample, arrivals)
            for seed in range(SHUFFLES):
                requests = random.Random(seed).sample(arrivals, len(arrivals))
                late = [(request, at) for (request, _at), (_request, at) in zip(requests, arrivals)]
                self.assertEqual(self.played(template, sample, late).calls, straight.calls)
            told += 1
        self.assertGreater(told, 50)

    def test_each_shows_what_it_must(self):
        for template in self.templates:
            with self.subTest(template.key):
                expected = [sample['expected'] for sample in template.samples if sample['expected']]
                shown = {(call['direction'], call['outcome']) for call in expected}
                self.assertLessEqual(set(SHOWN), shown)
                self.assertIn('anonymous', {call.get('caller') for call in expected})

    def test_what_it_may_write_is_ours(self):
        """A secret field of a sample is masked already, and each template can be shared as it is."""
        for template in self.templates:
            with self.subTest(template.key):
                self.assertTrue(template.setup_in('ru_RU'))
                self.assertNotEqual(template.setup_in('ru_RU'), template.setup_in('en_US'))
                self.assertTrue(template.label_in('ru_RU'))
                self.assertEqual(template.licence, 'CC0-1.0')

    def test_the_page_tells_of_each(self):
        page = PAGE.read_text('utf-8')
        for template in self.templates:
            self.assertIn(f'`{template.key}`', page)

    def test_a_late_report_has_the_times_of_its_call(self):
        """Ten hours late: not one time is that of the arrival."""
        for template, sample in self.each_sample():
            if 'late' not in sample['about'] or not sample['expected']:
                continue
            [record] = self.played(template, sample, samples.arrivals_of(sample)).records
            self.assertEqual(record.doubts, ())
            self.assertEqual(f'{record.ended_at:%H:%M}', '06:00')

    def test_replies(self):
        """What each PBX must get, for events that are not understood too."""
        provider = registry['custom']
        replies = {
            'sipuni': ('application/json', '{"success": true}'),
            'binotel': ('application/json', '{"status":"success"}'),
            'sipgate-push': ('application/xml', 'onAnswer="https://odoo.example/x?a=1&amp;b=2"'),
        }
        for template in self.templates:
            if template.key not in replies:
                continue
            kind, body = replies[template.key]
            account = samples.account_of(template.samples[0], template)
            adapter = provider.of(replace(account, webhook_url='https://odoo.example/x?a=1&b=2'))
            for delivery in (template.samples[0]['deliveries'][0], {'form': {'nothing': 'x'}}):
                with self.subTest(template.key, delivery=delivery):
                    reply = adapter.reply(samples.request_of(delivery))
                    self.assertIn(body, reply.body)
                    self.assertTrue(reply.content_type.startswith(kind))
                    self.assertEqual(reply.status, 200)

    def test_shared_ones_give_their_calls(self):
        for template in self.templates:
            with self.subTest(template.key):
                again = load(pseudonym.shared(template))
                self.assertEqual(samples.problems(again), [])
                self.assertNotIn('1112233', json.dumps(again.data['samples']))

    def test_what_belongs_to_somebody_is_not_shared(self):
        """Searched literally, wherever it stood."""
        template = load(json.dumps(PRIVATE))
        self.assertEqual(samples.problems(template), [])
        text = pseudonym.shared(template)
        for private in (
            *('7011112233', '011 112 2', '2507612', 'Aigerim', 'Bekova', 'aigerim', 'kazoil'),
            *('2024', '1715317200', 'f3a9', 'pbx7', 'secret-room', 'bXlzZWxm'),
        ):
            self.assertNotIn(private, text)
        data, left = pseudonym.pseudonymised(template)
        self.assertEqual(left, ['004711'])
        # the same by the same, of the same country and kind, and the words of the template stay
        first, second = (delivery['json'] for delivery in data['samples'][0]['deliveries'])
        self.assertEqual(first['id'], second['id'])
        self.assertEqual((first['event'], second['event']), ('start', 'end'))
        self.assertEqual(to_e164(first['from'], 'KZ'), to_e164(second['from'], 'KZ'))
        self.assertTrue(is_mobile(to_e164(first['from'], 'KZ')))
        self.assertEqual(load(json.dumps(data)).data['samples'], json.loads(text)['samples'])

    def test_a_file_survives_its_way(self):
        for template in self.templates:
            again = load(json.dumps(template.data))
            self.assertEqual(again.data, template.data)
