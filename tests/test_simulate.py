import itertools
import sys
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs

from odoo.tests import tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import Account, CallRecord, WebhookRequest
from odoo.addons.crm_telephony.providers.numbers import clean

from .provider_case import ProviderCase

REPO = Path(__file__).resolve().parents[1]
try:
    # the simulator is not shipped with the addon
    with patch.object(sys, 'path', [str(REPO), *sys.path]):
        from dev.simulate import day
        from dev.simulate.dialects import DIALECTS, Pbx, in_requests
        from dev.simulate.odoo import Customer, Line
        from dev.simulate.scenarios import SCENARIOS, Cast, Facts, Pace
except ImportError as error:
    MISSING = f"NOT TESTED: scenarios, dialects and adapters against each other, there is no simulator here: {error}"
else:
    MISSING = ''

SECRET = 'sim-secret-0001'
BEGAN = datetime(2026, 3, 2, 5, 15, tzinfo=timezone.utc)


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install')
class TestSimulate(ProviderCase):
    """The same scenarios through all dialects, each read by its adapter, mean the same. What a PBX cannot tell is taken
    out by the `told` of its dialect, and listed there as BLIND."""

    code = 'generic'

    def test_every_scenario_in_every_dialect(self):
        pace = Pace(wait=9, talk=64)
        for code, dialect in DIALECTS.items():
            self.assertIn(code, registry, "a dialect without an adapter")
            self.provider = registry[code]
            for (name, scenario), chatty in itertools.product(SCENARIOS.items(), (False, True)):
                with self.subTest(f'{code} {name}', chatty=chatty):
                    calls = scenario(Cast(), pace)
                    records = self.heard(dialect, calls, chatty)
                    self.assertEqual(len(records), len(calls))
                    for call, record in zip(calls, records):
                        self.check_sane(record)
                        self.check_facts(record, dialect.told(call))

    def test_all_in_one_delivery(self):
        """A bridge that was away sends everything at once."""
        calls = [call for scenario in SCENARIOS.values() for call in scenario(Cast(), Pace())]
        for code, dialect in DIALECTS.items():
            if dialect.BATCH == 1:
                continue
            self.provider, pbx = registry[code], Pbx(SECRET)
            said = [
                one
                for number, call in enumerate(calls)
                for one in dialect.tell(call, f'one-{number}', BEGAN + timedelta(minutes=number), pbx)
            ]
            arrivals = [
                (
                    self.delivered(dialect.request([one.payload for one in said[first : first + dialect.BATCH]], pbx)),
                    BEGAN,
                )
                for first in range(0, len(said), dialect.BATCH)
            ]
            with self.subTest(code):
                records = self.records(self.receive(arrivals, self.dialect_account()), self.dialect_account())
                self.assertEqual([record.outcome for record in records], [dialect.told(call).outcome for call in calls])

    def test_paces_and_casts(self):
        """No answer at once, an hour of talk, foreign and hidden numbers."""
        casts = [Cast(customer='+79125550123'), Cast(customer=''), Cast(phones=('112', '107')), Cast(queue='Опт')]
        for code, dialect in DIALECTS.items():
            self.provider = registry[code]
            for pace in (Pace(1, 1), Pace(0, 3600), Pace(240, 5)):
                for cast in casts:
                    for name in ('queue_answered', 'transfer', 'abandoned', 'missed'):
                        if name == 'transfer' and pace.talk < 5:
                            continue
                        [call] = SCENARIOS[name](cast, pace)
                        with self.subTest(f'{code} {name}', pace=pace, cast=cast):
                            [record] = self.heard(dialect, [call])
                            self.check_sane(record)
                            self.check_facts(record, dialect.told(call))

    def test_plan_of_a_day(self):
        """Whenever it is started: enough calls, all of them over, the same each time."""
        lines = [
            Line(f'+7727355010{number}', label, provider, 'team', phones)
            for number, (label, provider, phones) in enumerate([
                ('Сайт', 'asterisk', ('101', '102', '103')), ('2GIS', 'asterisk', ('104', '105', '106')),
                ('Офис и склад', 'asterisk', ('107', '108')), ('Instagram', 'zadarma', ('109', '110', '111')),
                ('OLX', 'zadarma', ('110', '111', '112'))])]
        keys = {who for *_what, who, _wait, _talk in day.STORY if who.startswith('demo_')}
        customers = [Customer(key, f'+7701555{number:04}') for number, key in enumerate(
            [*sorted(keys), *(f'demo_contact_{more:02}' for more in range(30))])]
        sunday = datetime(2026, 11, 22, 14, tzinfo=timezone.utc)
        for hours in (0, 14.01, 40.5, 47, 134.5):   # just opened on Monday, Tuesday noon and evening, Saturday morning
            now = sunday + timedelta(hours=hours)
            with self.subTest(now=now):
                plan = day.plan(lines, customers, now)
                self.assertEqual(plan, day.plan(lines, customers, now))
                self.assertGreater(len(plan), 130)
                self.assertEqual([one.start for one in plan], sorted(one.start for one in plan))
                self.assertTrue({'transfer', 'two_at_once', 'voicemail', 'internal'} <= {one.scenario for one in plan})
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

    def dialect_account(self) -> Account:
        return Account(
            api_secret=SECRET,
            timezone='Asia/Almaty',
            country='KZ',
            own_numbers=frozenset({Cast().line}),
            extensions=frozenset({'101', '102', '103', '107', '112'}),
        )

    def delivered(self, request) -> WebhookRequest:
        """As Odoo hands it over."""
        is_form = request.headers['Content-Type'] == 'application/x-www-form-urlencoded'
        return WebhookRequest(
            method=request.method,
            suffix=request.suffix,
            body=request.body,
            headers={name.lower(): value for name, value in request.headers.items()},
            form={name: tuple(values) for name, values in parse_qs(request.body.decode()).items()} if is_form else {},
        )

    def heard(self, dialect, calls, chatty=False) -> list[CallRecord]:
        pbx, account = Pbx(SECRET, is_chatty=chatty), self.dialect_account()
        arrivals = []
        for number, call in enumerate(calls):
            said = dialect.tell(call, f'test-{number}', BEGAN + timedelta(seconds=call.begins), pbx)
            arrivals += [(at, self.delivered(request)) for at, request in in_requests(dialect, said, pbx)]
        arrivals.sort(key=lambda arrival: arrival[0])
        inbox = self.receive([(request, at) for at, request in arrivals], account)
        self.assertEqual(inbox.failed, [])
        return sorted(self.records(inbox, account), key=lambda record: record.start_at)

    def check_facts(self, record: CallRecord, facts: 'Facts'):
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
                'legs': {leg.extension: leg.outcome for leg in record.legs} if facts.direction == 'inbound' else {},
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
