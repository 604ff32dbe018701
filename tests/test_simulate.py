import io
import itertools
import json
import sys
import unittest
from contextlib import redirect_stdout
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from unittest.mock import patch
from urllib.parse import parse_qs

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import Account, CallRecord, WebhookRequest
from odoo.addons.crm_telephony.providers.numbers import clean

from .common import TelephonyHttpCase
from .provider_case import ProviderCase
from .providers.dialects import Pbx, dialects, in_requests
from .providers.scenarios import CONSULT, SCENARIOS, Cast, Facts, Pace

try:
    # the simulator is not shipped with the addon
    from ..dev.simulate import __main__ as command
    from ..dev.simulate import day
    from ..dev.simulate.odoo import Customer, Line
except ImportError as error:
    MISSING = f"NOT TESTED: the simulator's commands, there is no simulator here: {error}"
else:
    MISSING = ''

SECRET = 'sim-secret-0001'
BEGAN = datetime(2026, 3, 2, 5, 15, tzinfo=timezone.utc)


def key_of(code: str) -> str:
    return getattr(dialects()[code], 'KEY', '')


def template_of(code: str) -> str:
    """The text of the template by which this dialect is read; '' where none is needed."""
    key = getattr(dialects()[code], 'TEMPLATE', '')
    return next((text for text in registry[code].templates() if json.loads(text)['id'] == key), '')


@tagged('post_install', '-at_install')
class TestSimulate(ProviderCase):
    """The same scenarios through all dialects, each read by its adapter, give the same record. What
    a PBX cannot tell is listed in its dialect with the reason: BLIND by field, UNTOLD by scenario;
    `python -m dev.simulate list` prints it."""

    code = 'generic'

    def test_every_pbx_has_a_dialect(self):
        self.assertEqual(set(dialects()), set(registry))

    def test_every_scenario_in_every_dialect(self):
        for code, dialect in dialects().items():
            self.provider = registry[code]
            for (name, scenario), chatty in itertools.product(SCENARIOS.items(), (False, True)):
                if name in dialect.UNTOLD:
                    continue
                with self.subTest(f'{code} {name}', chatty=chatty):
                    calls = scenario(Cast(), Pace(wait=9, talk=64))
                    records = self.heard(dialect, calls, chatty)
                    self.assertEqual(len(records), len(calls))
                    for call, record in zip(calls, records):
                        self.check_sane(record)
                        self.check_facts(record, call, dialect.told(call))

    def test_exceptions_are_listed(self):
        """What a dialect tells otherwise than it was, BLIND lists with its reason, and BLIND lists
        nothing else. Numbers of calls, times and talk have no exceptions."""
        for code, dialect in dialects().items():
            with self.subTest(code):
                self.assertLessEqual(set(dialect.UNTOLD), set(SCENARIOS))
                calls = [
                    call
                    for name, scenario in SCENARIOS.items()
                    if name not in dialect.UNTOLD
                    for call in scenario(Cast(), Pace())
                ]
                differing = {
                    one.name
                    for call in calls
                    for one in fields(Facts)
                    if getattr(call.facts, one.name) != getattr(dialect.told(call), one.name)
                }
                self.assertEqual(differing, set(dialect.BLIND))
                self.assertFalse({'direction', 'extension', 'wait', 'talk'} & set(dialect.BLIND))

    def test_handshakes(self):
        for code, dialect in dialects().items():
            if hasattr(dialect, 'handshake'):
                with self.subTest(code):
                    request, expected = dialect.handshake(self.pbx(code))
                    reply = registry[code].handshake(self.delivered(request))
                    self.assertEqual((reply.status, reply.body), (200, expected))

    def test_all_in_one_delivery(self):
        """A bridge that was away sends everything at once."""
        calls = [call for name, scenario in SCENARIOS.items() for call in scenario(Cast(), Pace())]
        for code, dialect in dialects().items():
            if dialect.BATCH == 1:
                continue
            self.provider, pbx = registry[code], self.pbx(code)
            said = [
                one
                for number, call in enumerate(calls)
                for one in dialect.tell(
                    call, f'one-{number}', BEGAN + timedelta(minutes=number), pbx
                )
            ]
            arrivals = [
                (
                    self.delivered(
                        dialect.request(
                            [one.payload for one in said[first : first + dialect.BATCH]], pbx
                        )
                    ),
                    BEGAN + timedelta(minutes=len(calls) + 60),
                )
                for first in range(0, len(said), dialect.BATCH)
            ]
            with self.subTest(code):
                records = self.records(
                    self.receive(arrivals, self.dialect_account(code)), self.dialect_account(code)
                )
                records = sorted(
                    self.without_consultation(records, calls), key=lambda record: record.start_at
                )
                self.assertEqual(
                    [record.outcome for record in records],
                    [dialect.told(call).outcome for call in calls],
                )

    def test_paces_and_casts(self):
        """No answer at once, an hour of talk, foreign and hidden numbers."""
        casts = [
            Cast(customer='+79125550123'),
            Cast(customer=''),
            Cast(phones=('112', '107')),
            Cast(queue='Опт'),
        ]
        for code, dialect in dialects().items():
            self.provider = registry[code]
            for pace in (Pace(1, 1), Pace(0, 3600), Pace(240, 5)):
                for cast in casts:
                    for name in (
                        'queue_answered',
                        'transfer',
                        'abandoned',
                        'missed',
                        'outbound_answered',
                    ):
                        if (
                            name == 'transfer'
                            and pace.talk < 5
                            or name == 'outbound_answered'
                            and not cast.customer
                        ):
                            continue
                        [call] = SCENARIOS[name](cast, pace)
                        with self.subTest(f'{code} {name}', pace=pace, cast=cast):
                            [record] = self.heard(dialect, [call])
                            self.check_sane(record)
                            self.check_facts(record, call, dialect.told(call))

    @unittest.skipIf(MISSING, MISSING)
    def test_plan_of_a_day(self):
        """Whenever it is started: enough calls, all of them over, the same each time."""
        lines = [
            Line(f'+7727355010{number}', label, provider, 'team', phones)
            for number, (label, provider, phones) in enumerate(
                [
                    ('Сайт', 'asterisk', ('101', '102', '103')),
                    ('2GIS', 'asterisk', ('104', '105', '106')),
                    ('Офис и склад', 'asterisk', ('107', '108')),
                    ('Instagram', 'zadarma', ('109', '110', '111')),
                    ('OLX', 'zadarma', ('110', '111', '112')),
                ]
            )
        ]
        keys = {who for *_what, who, _wait, _talk in day.STORY if who.startswith('demo_')}
        customers = [
            Customer(key, f'+7701555{number:04}')
            for number, key in enumerate(
                [*sorted(keys), *(f'demo_contact_{more:02}' for more in range(30))]
            )
        ]
        sunday = datetime(2026, 11, 22, 14, tzinfo=timezone.utc)
        # just opened on Monday, Tuesday noon and evening, Saturday morning
        for hours in (0, 14.01, 40.5, 47, 134.5):
            now = sunday + timedelta(hours=hours)
            with self.subTest(now=now):
                plan = day.plan(lines, customers, now)
                self.assertEqual(plan, day.plan(lines, customers, now))
                self.assertGreater(len(plan), 130)
                self.assertEqual([one.start for one in plan], sorted(one.start for one in plan))
                self.assertTrue(
                    {'transfer', 'two_at_once', 'voicemail', 'internal'}
                    <= {one.scenario for one in plan}
                )
                lost = [one for one in plan if one.is_lost]
                self.assertTrue(0.1 < len(lost) / len(plan) < 0.3, len(lost))
                for one in plan:
                    self.assertLessEqual(day.end_of(one), now)
                    if one.line.provider in day.LATE:
                        self.assertGreater(now - one.start, day.LATE[one.line.provider])
                for part in day.rounds(plan):
                    seen = set()
                    for one in part:
                        self.assertNotIn(one.cast.customer or None, seen)
                        seen |= {one.cast.customer} if one.is_lost else set()
                for one in day.just_now(lines, customers, now):
                    self.assertIn(one.line.provider, day.LATE)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def pbx(self, code, is_chatty=False) -> Pbx:
        return Pbx(
            SECRET,
            key_of(code),
            url=f'https://odoo.example.com/telephony/webhook/{code}/t0ken',
            is_chatty=is_chatty,
        )

    def dialect_account(self, code) -> Account:
        return Account(
            api_key=key_of(code),
            api_secret=SECRET,
            webhook_url=self.pbx(code).url,
            timezone='Asia/Almaty',
            country='KZ',
            own_numbers=frozenset({Cast().line}),
            extensions=frozenset({'101', '102', '103', '107', '112'}),
            template=template_of(code),
        )

    def delivered(self, request, url='') -> WebhookRequest:
        """As Odoo hands it over."""
        is_form = request.headers.get('Content-Type') == 'application/x-www-form-urlencoded'
        parsed = parse_qs(request.body.decode(), keep_blank_values=True) if is_form else {}
        return WebhookRequest(
            method=request.method,
            suffix=request.suffix,
            url=f'{url}/{request.suffix}'.rstrip('/'),
            body=request.body,
            headers={name.lower(): value for name, value in request.headers.items()},
            query={name: tuple(values) for name, values in parse_qs(request.query).items()},
            form={name: tuple(values) for name, values in parsed.items()},
        )

    def heard(self, dialect, calls, chatty=False) -> list[CallRecord]:
        pbx, account = (
            self.pbx(self.provider.code, chatty),
            self.dialect_account(self.provider.code),
        )
        arrivals = []
        for number, call in enumerate(calls):
            said = dialect.tell(call, f'test-{number}', BEGAN + timedelta(seconds=call.begins), pbx)
            arrivals += [
                (at, self.delivered(request, pbx.url))
                for at, request in in_requests(dialect, said, pbx)
            ]
        arrivals.sort(key=lambda arrival: arrival[0])
        inbox = self.receive([(request, at) for at, request in arrivals], account)
        self.assertEqual(inbox.failed, [])
        records = self.without_consultation(self.records(inbox, account), calls)
        return sorted(records, key=lambda record: record.start_at)

    def without_consultation(self, records, calls) -> list[CallRecord]:
        """A consultation may stand as an internal call of its own, one for each; it is never a
        customer's call."""
        many = sum(call.direction == 'internal' for call in calls)
        consulted = sum(step.what == CONSULT for call in calls for step in call.steps)
        internal = sorted(
            (record for record in records if record.direction == 'internal'),
            key=lambda record: record.start_at,
        )
        self.assertLessEqual(len(internal), many + consulted)
        if many == len(internal):
            return records
        talks = {round(call.facts.talk) for call in calls if call.direction == 'internal'}
        return [
            record for record in records if record not in internal or record.talk_seconds in talks
        ]

    def check_facts(self, record: CallRecord, call, facts: Facts):
        """:param facts: as far as this PBX tells them"""
        self.assertEqual(
            {
                'direction': record.direction,
                'outcome': record.outcome,
                'state': record.state,
                'caller': clean(record.caller).lstrip('+'),
                'called': clean(record.called).lstrip('+'),
                'extension': record.extension,
                'queue': record.queue,
                'recordings': len(record.recordings),
                'legs': {leg.extension: leg.outcome for leg in record.legs}
                if facts.direction == 'inbound'
                else {},
            },
            {
                'direction': facts.direction,
                'outcome': facts.outcome,
                'state': 'ended',
                'caller': facts.caller.lstrip('+'),
                'called': facts.called.lstrip('+'),
                'extension': facts.extension,
                'queue': facts.queue,
                'recordings': facts.recordings,
                'legs': facts.legs,
            },
        )
        self.assertAlmostEqual(record.talk_seconds, facts.talk, delta=1)
        self.assertAlmostEqual(record.wait_seconds, facts.wait, delta=1)
        began = BEGAN + timedelta(seconds=call.begins)
        self.assert_about(record.start_at, began)
        self.assert_about(record.ended_at, began + timedelta(seconds=call.seconds))
        self.assert_about(
            record.answered_at, began + timedelta(seconds=facts.wait) if facts.talk else None
        )

    def assert_about(self, given, expected):
        self.assertEqual(bool(given), bool(expected), f'{given}, not {expected}')
        if expected:
            self.assertLessEqual(
                abs(given - expected), timedelta(seconds=1), f'{given}, not {expected}'
            )


@unittest.skipIf(MISSING, MISSING)
class TestPlay(TelephonyHttpCase):
    """`python -m dev.simulate play` against the real webhook."""

    def test_every_pbx(self):
        for number, (code, dialect) in enumerate(dialects().items()):
            account = self.new_account(
                self.company,
                provider=code,
                api_key=key_of(code),
                api_secret=SECRET,
                extension_ids=[(0, 0, {'number': phone}) for phone in Cast().phones],
                template_id=self.env['telephony.template']
                .search([('key', '=', getattr(dialect, 'TEMPLATE', '')), ('is_shipped', '=', True)])
                .id,
            )
            self.env.flush_all()
            for name in ('ring_group_answered', 'missed', 'outbound_answered'):
                with self.subTest(f'{code} {name}'):
                    cast = Cast(customer=f'+77015550{number:02}{len(name) % 10}')
                    self.play_scenario(account, name, cast)
                    [call] = SCENARIOS[name](cast, Pace())
                    facts = dialect.told(call)
                    row = self.env['telephony.call'].search(
                        [('account_id', '=', account.id), ('customer_number', '=', cast.customer)]
                    )
                    self.assertEqual(
                        (
                            row.direction,
                            row.outcome,
                            row.state,
                            row.extension or '',
                            row.talk_seconds,
                        ),
                        (facts.direction, facts.outcome, 'ended', facts.extension, facts.talk),
                    )
            self.assertFalse(self.events(account).filtered(lambda event: event.state == 'failed'))

    def play_scenario(self, account, name, cast):
        arguments = [
            'simulate',
            'play',
            '--pbx',
            account.provider,
            '--scenario',
            name,
            '--secret',
            SECRET,
            '--url',
            account.webhook_url,
            '--key',
            account.api_key or '',
            '--customer',
            cast.customer,
        ]

        def post(_webhook, request):
            query = f'?{request.query}' if request.query else ''
            response = self.url_open(
                self.path(account, account.provider, f'/{request.suffix}' if request.suffix else '')
                + query,
                data=request.body,
                headers=request.headers,
                method=request.method,
            )
            self.assertEqual(response.status_code, 200, response.text)
            return response.text

        with (
            patch.object(sys, 'argv', arguments),
            patch.object(command.Webhook, 'post', post),
            redirect_stdout(io.StringIO()),
        ):
            command.main()
        self.file_calls(account)
