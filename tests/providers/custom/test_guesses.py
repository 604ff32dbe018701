"""What Odoo guesses of requests that it has never seen, measured on the samples of all shipped
templates: the template says what each field really is."""

import json
from collections import Counter
from datetime import datetime, timedelta, timezone

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import Account
from odoo.addons.crm_telephony.providers.custom import samples
from odoo.addons.crm_telephony.providers.custom.guesses import Facts, Study
from odoo.addons.crm_telephony.providers.custom.language import load
from odoo.addons.crm_telephony.providers.custom.shapes import Captured
from odoo.addons.crm_telephony.providers.custom.unknown import captured, kind_of, request_of

# Guesses that name the same thing from another side: the template may have the one or the other.
KIN = {
    'at': {'at', 'started_at', 'answered_at', 'ended_at'},
    'started_at': {'started_at', 'at'},
    'caller': {'caller', 'outside', 'ours', 'extension'},
    'called': {'called', 'outside', 'ours', 'extension'},
}
# What nothing but the vendor's documentation tells.
TOLD_BY_NOBODY = ('$.user', '$.variables.originating_leg_uuid', '$.variables.bridge_epoch')


def paths_in(part):
    """The paths whose values an expression takes."""
    if isinstance(part, str):
        return [part] if part[:1] in '$~' else []
    if isinstance(part, list):
        return [path for item in part for path in paths_in(item)]
    if not isinstance(part, dict):
        return []
    if 'case' in part:
        return paths_in([branch['then'] for branch in part['case']]) + paths_in(part.get('else'))
    return paths_in([part[name] for name in ('path', 'first', 'join', 'sides') if name in part])


def truth_of(template):
    """Path → what it is, as the template says."""
    truth, around = {}, template.get('request', {}).get('root', '$')[1:]

    def is_told(path, target):
        # a request may have its fields at the root or in what the template takes them out of
        for place in (path, f'{path[0]}{around}{path[1:]}' if path[0] == '$' else path):
            truth.setdefault(place, set()).add(target)

    for path in paths_in(template['call']):
        is_told(path, 'call')
    for fields in (
        template.get('all', {}),
        *(event for rule in template['rules'] for event in rule.get('events', ())),
    ):
        for target, part in fields.items():
            if target not in ('kind', 'if', 'each', 'received', 'note'):
                for path in paths_in(part):
                    is_told(path, target)
    return truth


class Learnt:
    """What is guessed of the samples of a template.

    :param is_named: whether the fields have their names; else only their values tell
    """

    def __init__(self, text, is_named=True):
        self.template, template = json.loads(text), load(text)
        scenarios = [sample for sample in template.samples if sample.get('expected')]
        arrivals = [
            arrival
            for sample in scenarios
            if not sample.get('failed')
            for arrival in samples.arrivals_of(sample)
        ]
        # an account sends in one way; the samples show all of them
        usual_kind = Counter(kind_of(request) for request, _at in arrivals).most_common(1)[0][0]
        arrivals = [(one, at) for one, at in arrivals if kind_of(one) == usual_kind]
        reading = request_of([request for request, _at in arrivals])
        requests = [captured(request, reading) for request, _at in arrivals]
        self.truth = {
            path: targets
            for path, targets in truth_of(self.template).items()
            if any(path in request.leaves for request in requests) and path not in TOLD_BY_NOBODY
        }
        if not is_named:
            paths = dict.fromkeys(path for request in requests for path in request.leaves)
            new = {path: f'$.field{number}' for number, path in enumerate(paths)}
            self.truth = {new[path]: targets for path, targets in self.truth.items()}
            requests = [
                Captured(one.kind, {new[path]: values for path, values in one.leaves.items()})
                for one in requests
            ]
        expected = [sample['expected'] for sample in scenarios]
        inbound = [call for call in expected if call.get('direction') == 'inbound']

        def usual(name, is_fit=bool):
            found = Counter(call[name] for call in inbound if is_fit(call.get(name)))
            return found.most_common(1)[0][0] if found else ''

        self.study = Study(
            requests,
            [at for _request, at in arrivals],
            samples.account_of(scenarios[0], template),
            Facts(
                mobile=usual('caller'),
                dialled=usual('called'),
                phone=usual('extension', lambda text: str(text or '').isdigit()),
                talk_seconds=usual('talk_seconds') or 20,
            ),
        )

    def first(self, path):
        return next((guess.target for guess in self.study.guesses.get(path, ())), '')

    def is_right(self, path, target):
        return any(target in KIN.get(told, {told}) for told in self.truth[path])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestGuesses(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.learnt = [Learnt(text) for text in registry['custom'].templates()]
        assert len(cls.learnt) > 10

    def missed(self, all_learnt):
        """How many of all fields got a wrong guess first, or none: their share, and which."""
        missed, count = [], 0
        for learnt in all_learnt:
            for path in learnt.truth:
                count += 1
                if not learnt.is_right(path, learnt.first(path)):
                    missed.append((learnt.template['id'], path, learnt.first(path)))
        self.assertGreater(count, 80)
        return len(missed) / count, missed

    def test_nine_of_ten_are_right(self):
        share, missed = self.missed(self.learnt)
        self.assertLessEqual(share, 0.1, missed)

    def test_seven_of_ten_are_right_whatever_the_fields_are_called(self):
        share, missed = self.missed(
            [Learnt(text, is_named=False) for text in registry['custom'].templates()]
        )
        self.assertLessEqual(share, 0.3, missed)

    def test_none_is_wrong_that_is_ticked_by_itself(self):
        for learnt in self.learnt:
            for path, guess in learnt.study.sure.items():
                with self.subTest(learnt.template['id'], path=path):
                    if path in learnt.truth:
                        self.assertTrue(learnt.is_right(path, guess.target), guess)
                        continue
                    # the template takes it from elsewhere: then it must not say otherwise
                    for request in learnt.study.requests:
                        for other, targets in learnt.truth.items():
                            if guess.target in targets and guess.target != 'outcome':
                                values = {request.value(path), request.value(other)} - {''}
                                self.assertLessEqual(len(values), 1, other)

    def test_the_zone_of_the_pbx_is_told(self):
        """Its clock is three hours ahead of UTC, the account says five."""
        at = datetime(2026, 3, 2, 6, tzinfo=timezone.utc)
        minutes = range(0, 60, 20)
        requests = [
            Captured('form', {'$.id': [f'call-{n}'], '$.time': [f'2026-03-02 09:{n:02d}:01']})
            for n in minutes
        ]
        study = Study(
            requests,
            [at + timedelta(minutes=n) for n in minutes],
            Account(timezone='Asia/Almaty'),
            Facts(),
        )
        self.assertEqual(study.offset, timedelta(hours=3))
        self.assertEqual(study.times['$.time'].options['zone'], 'account')
        self.assertEqual(study.times['$.time'].moments[0], at + timedelta(seconds=1))

    def test_the_id_of_the_call_is_found(self):
        for learnt in self.learnt:
            with self.subTest(learnt.template['id']):
                told = {path for path, targets in learnt.truth.items() if 'call' in targets}
                self.assertLessEqual(set(learnt.study.id_paths), told)
