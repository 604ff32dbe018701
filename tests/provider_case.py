"""Drives an adapter as the inbox does: verify, split, identify, translate, fold. No database, no
HTTP.

A payload file is one scenario:

    about           what it shows
    account         settings of the account, see Account; `extensions` is a list
    started_at      the moment from which received_after counts
    deliveries      requests in order of arrival, each {"form": {...}} or {"json": ...}, with
    received_after in seconds expected        the fields of the one call that must come of it, in
    our names; null when no call comes of it ignored         true where the event belongs to no call
    failed          what the reason says of an event that is not understood events          how many
    rows of the inbox there are, where it is not one for each event order_matters   true where only
    the order of arrival tells who was first
"""

import itertools
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

from hypothesis import HealthCheck, settings

from odoo.tests import BaseCase

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import (
    OUTCOMES,
    Account,
    CallRecord,
    ProviderError,
    Stored,
    WebhookRequest,
    dump,
    in_calls,
)
from odoo.addons.crm_telephony.providers.reading import read_call

from . import providers as evidence

# How a delivery is written in a payload file; the fields of the PBX's own are inside.
WRAPPING = {'received_after', 'json', 'form', 'raw', 'query', 'path', 'suffix', 'headers'}
# Property tests find the same on every machine and leave nothing behind.
PROPERTY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def evidence_of(code: str) -> Path:
    """The folder of a PBX's samples and tests."""
    return Path(import_module(f'{evidence.__name__}.{code}').__file__).parent


def scenarios(code: str) -> list[tuple[str, dict]]:
    """The payload files of a provider."""
    return [
        (path.stem, json.loads(path.read_text('utf-8')))
        for path in sorted((evidence_of(code) / 'payloads').glob('*.json'))
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace('Z', '+00:00'))


def form_request(form: dict, headers: dict | None = None) -> WebhookRequest:
    """A form post as Odoo hands it over."""
    return WebhookRequest(
        headers={'content-type': 'application/x-www-form-urlencoded', **(headers or {})},
        form={
            name: tuple(value) if isinstance(value, list) else (value,)
            for name, value in form.items()
        },
        body=urlencode(form, doseq=True).encode(),
    )


def typeset(value):
    """A payload whose times and numbers have narrow no-break spaces, full-width digits and a mark
    of writing direction."""
    if isinstance(value, dict):
        return {name: typeset(one) for name, one in value.items()}
    if isinstance(value, list):
        return [typeset(one) for one in value]
    if not isinstance(value, str) or not re.search('[0-9]', value) or re.search('[A-Za-z/]', value):
        return value
    return '\u200e' + value.translate(
        {ord(' '): '\u202f', **{ord(str(digit)): 0xFF10 + digit for digit in range(10)}}
    )


@dataclass
class Inbox:
    """What a sequence of requests left behind."""

    stored: dict = field(default_factory=dict)  # (call_ref, key): Stored
    identities: dict = field(default_factory=dict)  # (call_ref, key): Identity
    ignored: list = field(default_factory=list)
    failed: list = field(default_factory=list)


class ProviderCase(BaseCase):
    code = ''
    secret = 'zd-secret-0001'
    # fields of the record that depend on the moment of arrival, where the PBX sends no time
    volatile = ()

    def setUp(self):
        super().setUp()
        self.provider = registry[self.code]

    def signed(self, delivery: dict, secret: str) -> WebhookRequest:
        """The request that this PBX makes of a delivery. Written from its description, not from the
        adapter."""
        raise NotImplementedError

    def account(self, **values) -> Account:
        values = {'api_secret': self.secret, **values}
        return Account(**{**values, 'extensions': frozenset(values.get('extensions', ()))})

    def receive(self, deliveries, account: Account) -> Inbox:
        """:param deliveries: pairs of a request and the moment of its arrival"""
        inbox, provider = Inbox(), self.provider.of(account)
        for request, received_at in deliveries:
            self.assertIsNone(provider.handshake(request))
            provider.verify(request, account)
            for payload in provider.split(request):
                kept = json.loads(dump(payload))
                try:
                    identity = provider.identify(kept, account)
                except ProviderError as error:
                    inbox.failed.append(str(error))
                    continue
                if identity.ignored:
                    inbox.ignored.append(identity)
                else:
                    inbox.stored.setdefault(
                        (identity.call_ref, identity.key), Stored(kept, received_at)
                    )
                    inbox.identities[identity.call_ref, identity.key] = identity
        return inbox

    def records(self, inbox: Inbox, account: Account) -> list[CallRecord]:
        calls = in_calls((inbox.identities[key], stored) for key, stored in inbox.stored.items())
        provider = self.provider.of(account)
        found = [read_call(provider, stored, account)[0] for stored in calls.values()]
        return [record for record in found if record]

    def play(self, scenario: dict) -> tuple[Inbox, list[CallRecord]]:
        account = self.account(**scenario.get('account', {}))
        inbox = self.receive(self.arrivals(scenario), account)
        return inbox, self.records(inbox, account)

    def arrivals(self, scenario: dict):
        start = moment(scenario.get('started_at', '2026-03-02T05:15:00Z'))
        return [
            (
                self.signed(delivery, self.secret),
                start + timedelta(seconds=delivery.get('received_after', 0)),
            )
            for delivery in scenario['deliveries']
        ]

    # --- what every scenario must fulfil -----------------------------------------------------------------------------

    def check_scenarios(self):
        files = scenarios(self.code)
        self.assertTrue(files)
        for name, scenario in files:
            with self.subTest(name):
                self.assertTrue(scenario['about'])
                inbox, records = self.play(scenario)
                self.assertEqual(bool(inbox.ignored), scenario.get('ignored', False))
                if 'failed' in scenario:
                    self.assertEqual(len(inbox.failed), 1)
                    self.assertIn(scenario['failed'], inbox.failed[0])
                else:
                    self.assertEqual(inbox.failed, [])
                if 'events' in scenario:
                    self.assertEqual(len(inbox.stored), scenario['events'])
                if scenario['expected'] is None:
                    self.assertEqual(records, [])
                else:
                    self.assertEqual(len(records), 1)
                    self.check_record(records[0], scenario['expected'])

    def check_typography(self):
        """Times and numbers that were set for people's eyes say the same."""
        for name, scenario in scenarios(self.code):
            if scenario['expected'] is not None:
                with self.subTest(name):
                    inbox, records = self.play(
                        {**scenario, 'deliveries': typeset(scenario['deliveries'])}
                    )
                    self.assertEqual((inbox.failed, records), ([], self.play(scenario)[1]))

    def check_disorder(self):
        """Repeats add nothing; another order of arrival changes nothing but what only arrival
        tells."""
        for name, scenario in scenarios(self.code):
            account = self.account(**scenario.get('account', {}))
            arrivals = self.arrivals(scenario)
            _inbox, straight = self.play(scenario)
            with self.subTest(name, way='doubled'):
                inbox = self.receive(
                    [*itertools.chain(*zip(arrivals, arrivals)), *arrivals], account
                )
                self.assertEqual(self.records(inbox, account), straight)
            if scenario.get('order_matters'):
                continue
            shuffles = [
                arrivals[::-1],
                *(random.Random(seed).sample(arrivals, len(arrivals)) for seed in range(3)),
            ]
            for shuffled in shuffles:
                with self.subTest(name, way='shuffled'):
                    # the moments of arrival stay in their order, the requests come otherwise
                    late = [
                        (request, at) for (request, _at), (_request, at) in zip(shuffled, arrivals)
                    ]
                    records = self.records(self.receive(late, account), account)
                    self.assertEqual(
                        [self.steady(record) for record in records],
                        [self.steady(record) for record in straight],
                    )

    def check_nothing_hides_a_call(self, *identity: str, but: Iterable[str] = ()):
        """Whatever field a PBX leaves out of all its events, the call is in the log.

        :param identity: what says which event it is, or of which call: without it there is nothing
            to file
        :param but: scenarios of events that only one of many fields tells apart
        """
        for name, scenario in scenarios(self.code):
            if not scenario['expected'] or 'failed' in scenario or name in but:
                continue
            account = self.account(**scenario.get('account', {}))
            names = sorted(
                {key for delivery in scenario['deliveries'] for key in _keys(delivery)}
                - {*identity}
                - WRAPPING
            )
            for left_out in names:
                with self.subTest(name, left_out=left_out):
                    arrivals = self.arrivals(
                        {
                            **scenario,
                            'deliveries': [
                                {
                                    **_without(delivery, left_out),
                                    'received_after': delivery.get('received_after', 0),
                                }
                                for delivery in scenario['deliveries']
                            ],
                        }
                    )
                    inbox = self.receive(arrivals, account)
                    self.assertEqual(inbox.failed, [])
                    records = self.records(inbox, account)
                    self.assertTrue(records)
                    for record in records:
                        self.check_sane(record)
                        self.assertIsNotNone(record.start_at)

    def steady(self, record: CallRecord) -> CallRecord:
        empty = {one.name: one.default for one in fields(CallRecord) if one.name in self.volatile}
        return replace(record, **empty)

    def check_record(self, record: CallRecord, expected: dict):
        self.check_sane(record)
        for name, value in expected.items():
            given = getattr(record, name)
            if name in ('legs', 'recordings'):
                self.assertEqual(len(given), len(value), f"{name}: {given}")
                for one, wanted in zip(given, value):
                    for key, part in wanted.items():
                        self.assert_value(getattr(one, key), part, f"{name} {key} of {one}")
            else:
                self.assert_value(given, value, name)

    def assert_value(self, given, expected, where: str):
        if isinstance(given, datetime):
            self.assertEqual(given.utcoffset(), timedelta(0), f"{where} is not UTC")
            self.assertIsNotNone(expected, f"{where} is {given}, not empty")
            expected = moment(expected).astimezone(timezone.utc)
        self.assertEqual(list(given) if isinstance(given, tuple) else given, expected, where)

    def check_sane(self, record: CallRecord):
        """What holds for every call, whatever the events said."""
        self.assertGreaterEqual(record.talk_seconds, 0)
        self.assertGreaterEqual(record.wait_seconds, 0)
        self.assertIn(record.state, ('ringing', 'in_progress', 'ended'))
        if record.state == 'ended' and not record.end_unknown:
            self.assertIn(record.outcome, OUTCOMES)
        else:
            self.assertEqual(record.outcome, '')
        if record.state == 'ended' and record.outcome not in ('answered', ''):
            self.assertIsNone(record.answered_at)
            self.assertEqual(record.talk_seconds, 0)
            self.assertNotIn('answered', [leg.outcome for leg in record.legs])
            if record.direction == 'inbound':
                self.assertEqual(record.extension, '')
        if record.outcome == 'answered' and record.talk_known:
            self.assertGreater(record.talk_seconds, 0)
        for leg in record.legs:
            self.assertTrue(leg.extension)
            self.assertGreaterEqual(leg.talk_seconds, 0)
            self.assertIn(leg.outcome, (*OUTCOMES, ''))
        self.assertEqual(len({leg.extension for leg in record.legs}), len(record.legs))


def _keys(part) -> set[str]:
    """The names of all fields, at any depth."""
    if isinstance(part, list):
        return set().union(*map(_keys, part))
    return set(part).union(*map(_keys, part.values())) if isinstance(part, dict) else set()


def _without(part, name: str):
    if isinstance(part, list):
        return [_without(one, name) for one in part]
    return (
        {key: _without(value, name) for key, value in part.items() if key != name}
        if isinstance(part, dict)
        else part
    )
