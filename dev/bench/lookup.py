"""P5 to P7: one number's contact and deals, in a small and in a large database by turns."""

import random
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager

from ..setup.console import phase
from . import inside
from .data import Bench
from .sizes import FULL, Size
from .table import Pair, Row, at_most, exactly, nothing, percentile

FLOOR = 'SELECT id FROM res_partner WHERE phone_sanitized = %s'
# How other addons find a caller: base_phone 18.0 by the last digits, voip_oca 19.0 by the number as
# delivered.
PEERS = {
    'base_phone': (
        "SELECT id FROM res_partner WHERE replace(phone, ' ', '') ILIKE %s",
        lambda e164: '%' + e164[-9:],
    ),
    'voip_oca': (
        "SELECT id FROM res_partner WHERE phone = %s AND active LIMIT 1",
        lambda e164: e164,
    ),
}
NUMBERS, PEER_ROUNDS, RECALL = 60, 3, 10


def measure(bench: Bench, large: str, small: str, size: Size) -> list[Row]:
    for name in (small, large):
        inside.ask(bench, inside.account, name)
        bench.fill_calls(name)
    with phase('P5, P6, P7: lookups'):
        answer = inside.ask(bench, look_up, large, small, size.rounds)
    times = defaultdict(list)
    for database, way, _turn, ms in answer['times']:
        times[database, way].append(ms)

    def median(way, share=0.5):
        return statistics.median(percentile(ms, share) for ms in times[large, way])

    rows = [
        at_most('P5', f'{what}, {name}', median(way, share), most, 'ms', median('floor', share))
        for way, what in (
            ('ours', 'contact and deals of a number'),
            ('several', 'the same where several deals are weighed'),
        )
        for name, share, most in (('p50', 0.5, 3), ('p95', 0.95, 5))
    ]
    rows += [
        at_most('P5', 'of one lookup', answer['queries'], 3, 'queries'),
        nothing('P5', 'tables scanned', answer['scans']),
    ]
    # they were set for the large one
    for peer, least in (('base_phone', 100), ('voip_oca', 50)) if size is FULL else ():
        theirs, ours = median(peer), median('ours')
        rows.append(
            Row(
                'P5',
                f"against {peer}'s query, p50",
                f'{theirs:.3g} ms',
                f'{ours:.3g} ms',
                f'1/{theirs / ours:.0f}',
                f'<= 1/{least}',
                theirs / ours >= least,
            )
        )
    growth = Pair()
    for before, after in zip(times[small, 'ours'], times[large, 'ours']):
        growth.add(percentile(before, 0.5), percentile(after, 0.5))
    return [
        *rows,
        exactly('P6', 'found, of numbers typed in six ways', answer['found'], answer['asked']),
        growth.row('P7', 'ten times as many contacts, p50', 'ms', most=2),
    ]


def look_up(large: str, small: str, rounds: str) -> dict:
    """Inside Odoo: milliseconds by database and way, queries, plans and recall."""
    with ExitStack() as stack:
        sides = {
            name: _Side(stack.enter_context(inside.environment(name))) for name in (large, small)
        }
        times = {name: defaultdict(list) for name in sides}
        for turn in range(int(rounds)):
            for place in range(NUMBERS):
                for name, side in sides.items():
                    number = side.numbers[(turn * NUMBERS + place) % len(side.numbers)]
                    times[name]['floor', turn].append(_timed(side.floor, number))
                    side.forget()
                    times[name]['ours', turn].append(_timed(side.match, number))
                    number = side.several[(turn * NUMBERS + place) % len(side.several)]
                    side.forget()
                    times[name]['several', turn].append(_timed(side.match, number))
        for turn in range(PEER_ROUNDS):
            for peer, (query, argument) in PEERS.items():
                number = sides[large].numbers[turn]
                times[large][peer, turn].append(
                    _timed(sides[large].select, query, argument(number))
                )
        queries, scans = sides[large].look_closely()
        found, asked = sides[large].recall()
        return {
            'times': [
                [name, way, turn, ms] for name in sides for (way, turn), ms in times[name].items()
            ],
            'queries': queries,
            'scans': scans,
            'found': found,
            'asked': asked,
        }


class _Side:
    """One database and the numbers to ask it for: of contacts, of deals without contact, further
    numbers of contacts, of nobody; and `several`: those of contacts with several deals, whose
    reasons have to be weighed."""

    def __init__(self, env):
        from odoo.addons.crm_telephony.models.matching.matcher import Caller

        self.env, self.company, self.caller = env, env.company, Caller
        rows = self.select(
            """ SELECT phone_sanitized FROM res_partner WHERE ref LIKE 'bench-%%' AND id %% 7 = 3
                 UNION ALL
                SELECT phone_sanitized FROM crm_lead WHERE partner_id IS NULL AND id %% 7 = 3
                 UNION ALL
                SELECT number FROM telephony_contact_number WHERE id %% 7 = 3 """
        )
        random.Random(19).shuffle(rows)
        self.several = [
            number
            for (number,) in self.select(
                "SELECT phone_sanitized FROM res_partner WHERE ref LIKE 'bench-%%25' ORDER BY md5(ref) LIMIT 1000"
            )
        ]
        self.numbers = [
            f'+7777999{place:04}' if place % 10 == 0 else number
            for place, (number,) in enumerate(rows)
        ]
        for number in self.numbers[:20] + self.several[:20]:
            self.match(number)

    def select(self, query: str, *values) -> list[tuple]:
        self.env.cr.execute(query, values)
        return self.env.cr.fetchall()

    def floor(self, number: str) -> list[tuple]:
        return self.select(FLOOR, number)

    def match(self, number: str):
        caller = self.caller(number)
        return self.env['telephony.matcher']._match(self.company, {caller})[caller]

    def forget(self) -> None:
        """A cache as empty as a new transaction's, but for the company, which filing has read by
        then."""
        self.env.invalidate_all()
        self.company.partner_id.lang  # noqa: B018 - read for its effect

    def look_closely(self) -> tuple[int, list[str]]:
        """The most queries that one lookup needed, and the tables that its real queries read from
        end to end."""
        most, scanned = 0, set()
        for number in self.numbers[:100] + self.several[:20]:
            self.forget()
            with _recorded(self.env.cr) as queries:
                self.match(number)
            most = max(most, len(queries))
            for query in queries:
                self.env.cr.execute(
                    'EXPLAIN (FORMAT JSON) ' + query.decode().replace('%', '%%'), ()
                )
                scanned |= set(_scans(self.env.cr.fetchone()[0][0]['Plan']))
        # what fits a few pages is read from end to end whatever its indexes
        large = {
            name
            for (name,) in self.select(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages > 10"
            )
        }
        return most, sorted(scanned & large)

    def recall(self) -> tuple[int, int]:
        """Contacts typed in six usual ways, whose numbers Odoo itself has sanitised: how many does
        a call find?"""
        from odoo.addons.crm_telephony.providers.numbers import to_e164

        contacts, country = [], self.env.ref('base.kz')
        for place in range(RECALL):
            for way, pattern in enumerate(
                (
                    '+7{}{}{}',
                    '+7 {} {}-{}',
                    '8 ({}) {}-{}',
                    '8{}{}{}',
                    '+7 ({}) {}{}',
                    '{} {} {}',
                )
            ):
                parts = '701', f'{900 + way}', f'{1000 + place}'
                contacts.append((pattern.format(*parts), '7' + ''.join(parts)))
        records = self.env['res.partner'].create(
            [
                {'name': typed, 'phone': typed, 'country_id': country.id}
                for typed, _delivered in contacts
            ]
        )
        records.flush_recordset()
        found = sum(
            record
            in self.env['res.partner'].search([('phone_sanitized', '=', to_e164(delivered, 'KZ'))])
            and self.match(to_e164(delivered, 'KZ')).state != 'none'
            for record, (_typed, delivered) in zip(records, contacts)
        )
        self.env.cr.rollback()
        return found, len(contacts)


@contextmanager
def _recorded(cr):
    """The statements that a cursor executes, as they went to the server."""
    queries, execute = [], cr.execute

    def record(*args, **kwargs):
        result = execute(*args, **kwargs)
        queries.append(cr._obj.query)
        return result

    cr.execute = record
    try:
        yield queries
    finally:
        del cr.execute


def _scans(plan: dict):
    if plan['Node Type'] == 'Seq Scan':
        yield plan['Relation Name']
    for part in plan.get('Plans', ()):
        yield from _scans(part)


def _timed(function, *arguments) -> float:
    begin = time.perf_counter()
    function(*arguments)
    return 1000 * (time.perf_counter() - begin)
