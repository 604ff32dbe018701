"""P9 to P12: charts, figures, lists and counts on a log of a million calls, and what five million
make of them.

Each question is asked as the screens ask it, through Odoo as a supervisor, and beside it in SQL:
that is the floor.
"""

import json
import time
from ast import literal_eval
from collections import defaultdict
from contextlib import ExitStack

from ..setup.console import phase
from . import inside
from .data import Bench
from .sizes import FULL, Size
from .table import Pair, Row, at_most, nothing, percentile

# A day begins where the reader is.
LOCAL = "(start_at AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Almaty')"
MONTH, LOST = (
    "start_at >= now() at time zone 'UTC' - interval '30 days'",
    "outcome IN ('missed', 'abandoned')",
)
SERVED = """EXISTS (SELECT FROM telephony_call AS reached
                     WHERE reached.customer_number = lost.customer_number AND reached.company_id = lost.company_id
                       AND reached.is_reached
                       AND reached.ended_at >= lost.ended_at)"""
# Six charts of a dashboard: what they group, what they add up, of which calls, and the same in SQL.
CHARTS = {
    'day x outcome': (
        ['start_at:day', 'outcome'],
        ['__count', 'talk_seconds:sum'],
        [],
        f"SELECT date_trunc('day', {LOCAL}), outcome, count(*), sum(talk_seconds) FROM telephony_call "
        f"WHERE {MONTH} GROUP BY 1, 2",
    ),
    'employees': (
        ['user_id'],
        ['__count', 'talk_seconds:sum', 'wait_seconds:avg'],
        [],
        f"SELECT user_id, count(*), sum(talk_seconds), avg(wait_seconds) FROM telephony_call WHERE {MONTH} "
        f"GROUP BY 1",
    ),
    'lost, weekday x hour': (
        ['start_at:day_of_week', 'start_at:hour_number'],
        ['__count'],
        [('direction', '=', 'inbound'), ('outcome', 'in', ['missed', 'abandoned'])],
        f"SELECT extract(isodow FROM {LOCAL}), extract(hour FROM {LOCAL}), count(*) FROM telephony_call "
        f"WHERE {MONTH} AND direction = 'inbound' AND {LOST} GROUP BY 1, 2",
    ),
    'direction x outcome': (
        ['direction', 'outcome'],
        ['__count'],
        [],
        f"SELECT direction, outcome, count(*) FROM telephony_call WHERE {MONTH} GROUP BY 1, 2",
    ),
    'company numbers': (
        ['number_id'],
        ['__count', 'wait_seconds:avg'],
        [('direction', '=', 'inbound')],
        f"SELECT number_id, count(*), avg(wait_seconds) FROM telephony_call "
        f"WHERE {MONTH} AND direction = 'inbound' GROUP BY 1",
    ),
    'waits': (
        ['outcome'],
        ['__count', 'wait_seconds:avg'],
        [('direction', '=', 'inbound')],
        f"SELECT outcome, count(*), avg(wait_seconds) FROM telephony_call "
        f"WHERE {MONTH} AND direction = 'inbound' GROUP BY 1",
    ),
}
LIST = [
    'start_at',
    'direction',
    'outcome',
    'customer_number',
    'partner_id',
    'lead_id',
    'user_id',
    'talk_seconds',
    'wait_seconds',
    'state',
    'is_short',
]
PAGE, COUNT_LIMIT, CONTACTS = 80, 10_001, 80
SCANS = ('Seq Scan', 'Parallel Seq Scan')


def measure(bench: Bench, size: Size) -> list[Row]:
    """Charts, lists and counts on the smaller and the larger log by turns."""
    names = [bench.call_log(size.small, calls) for calls in (size.calls, size.more_calls)]
    with phase('P9, P10, P11, P12: a long call log'):
        answer = inside.ask(bench, inside_odoo, *names, size.rounds)
    times = {(name, what): (floor, ours) for name, what, floor, ours in answer['times']}
    rows = []

    def pair(name: str, what: str) -> Pair:
        both = Pair()
        for floor, ours in zip(*times[name, what]):
            both.add(floor, ours)
        return both

    first, larger = names
    rows += [
        pair(first, chart).row(
            'P9', f'chart of 30 days, {size.calls:,} calls: {chart}', 'ms', most=2
        )
        for chart in CHARTS
    ]
    for name, calls, most in ((first, size.calls, 150), (larger, size.more_calls, 1000)):
        floor, whole = (percentile(ms, 0.5) for ms in times[name, 'dashboard'])
        what = f'six charts with their labels, {calls:,} calls'
        rows.append(at_most('P9', what, whole, most, 'ms', floor))
    for name, calls, most, compared in (
        (first, size.calls, 11, 18),
        (larger, size.more_calls, 8, 14),
    ):
        # against one chart in SQL, because that is what the figures of a month cannot do without
        for what, goal in (('figures', most), ('figures and the period before', compared)):
            rows.append(pair(name, what).row('P9', f'{what}, {calls:,} calls', 'ms', most=goal))
        for what, goal in (('people', 6), ('lines', 6), ('sources', 10)):
            rows.append(pair(name, what).row('P9', f'{what}, {calls:,} calls', 'ms', most=goal))
    rows.append(
        pair(first, 'list').row(
            'P10', f'list of calls, first page, {size.calls:,} calls', 'ms', most=1.5
        )
    )
    growth = Pair()
    for few, many in zip(times[first, 'list'][1], times[larger, 'list'][1]):
        growth.add(few, many)
    rows.append(
        growth.row(
            'P10', f'the same, {size.more_calls:,} calls against {size.calls:,}', 'ms', most=1.3
        )
    )
    for what in ('not called back: list', 'not called back: count', 'open callbacks: board'):
        floor, ours = (percentile(ms, 0.5) for ms in times[larger, what])
        most = 5 * max(size.more_calls / FULL.more_calls, 1)
        what = f'{what}, {size.more_calls:,} calls'
        rows.append(at_most('P11', what, ours, most, 'ms', floor))
    return [
        *rows,
        nothing('P11', 'tables scanned', answer['scans']),
        pair(first, 'smart button').row('P12', f'calls of {CONTACTS} contacts', 'ms', most=1.5),
        at_most('P12', 'of one page of contacts', answer['queries'], 1, 'queries'),
    ]


def inside_odoo(first: str, larger: str, rounds: str) -> dict:
    """Milliseconds of each question, floor and ours, in both databases by turns; the queries of a
    smart button; tables that the list of lost calls reads from end to end."""
    with ExitStack() as stack:
        sides = {
            name: _Log(stack.enter_context(inside.environment(name))) for name in (first, larger)
        }
        times = defaultdict(lambda: ([], []))
        for turn in range(int(rounds) + 1):
            for name, side in sides.items():
                for what, ways in side.questions().items():
                    for place, ask in enumerate(ways):
                        side.env.invalidate_all()
                        begin = time.perf_counter()
                        ask()
                        if turn:  # the first one fills the caches
                            times[name, what][place].append(1000 * (time.perf_counter() - begin))
        queries, scans = sides[first].queries_of_smart_button(), sides[larger].scans()
    return {
        'times': [[*key, *both] for key, both in times.items()],
        'queries': queries,
        'scans': scans,
    }


class _Log:
    """One database, asked as a supervisor."""

    def __init__(self, env):
        from datetime import timedelta

        from odoo import fields

        user = env.ref('base.user_admin')
        user.group_ids |= env.ref('crm_telephony.group_admin')
        self.env = env(
            user=user.id,
            context={
                'tz': 'Asia/Almaty',
                'lang': 'en_US',
                'allowed_company_ids': user.company_id.ids,
            },
        )
        self.calls = self.env['telephony.call']
        self.month = [('start_at', '>=', fields.Datetime.now() - timedelta(days=30))]
        self.partners = self.env['res.partner'].browse(
            partner
            for (partner,) in self.select(f"""
            SELECT DISTINCT partner_id
              FROM (SELECT partner_id FROM telephony_call WHERE partner_id IS NOT NULL LIMIT 2000) AS part
             LIMIT {CONTACTS} """)
        )
        self.page = self._specification()

    def select(self, query: str) -> list[tuple]:
        self.env.cr.execute(query)
        return self.env.cr.fetchall()

    def _specification(self) -> dict:
        """What the list of calls asks for, as the web client derives it from the view."""
        from lxml import etree

        arch = etree.fromstring(
            self.calls.get_view(self.env.ref('crm_telephony.telephony_call_view_list').id, 'list')[
                'arch'
            ]
        )
        names = {node.get('name') for node in arch.iter('field') if node.get('optional') != 'hide'}
        relations = {'many2one': {'fields': {'display_name': {}}}, 'many2many': {}, 'one2many': {}}
        return {name: relations.get(self.calls._fields[name].type, {}) for name in names}

    def waiting(self) -> list:
        """The domain of the filter *Not Called Back*."""
        from lxml import etree

        view = self.env.ref('crm_telephony.telephony_call_view_search')
        arch = etree.fromstring(self.calls.get_view(view.id, 'search')['arch'])
        [node] = arch.xpath("//filter[@name='not_called_back']")
        return literal_eval(node.get('domain'))

    def questions(self) -> dict:
        """What is asked: (floor, ours)."""
        asked = {
            chart: (
                lambda sql=sql: self.select(sql),
                lambda groups=groups, sums=sums, only=only: self.calls._read_group(
                    self.month + only, groups, sums
                ),
            )
            for chart, (groups, sums, only, sql) in CHARTS.items()
        }
        lost = self.waiting()
        waiting = f"FROM telephony_call AS lost WHERE {LOST} AND customer_number IS NOT NULL AND NOT {SERVED}"
        board = self.env['telephony.callback']
        asked.update(
            {
                'dashboard': (
                    lambda: [self.select(sql) for *_chart, sql in CHARTS.values()],
                    lambda: [
                        self.calls.formatted_read_group(self.month + only, groups, sums)
                        for groups, sums, only, _sql in CHARTS.values()
                    ],
                ),
                'list': (
                    lambda: self.calls.search([], limit=PAGE).read(LIST),
                    lambda: self.calls.web_search_read(
                        [], self.page, limit=PAGE, count_limit=COUNT_LIMIT
                    ),
                ),
                'not called back: list': (
                    lambda: self.select(
                        f"SELECT id {waiting} ORDER BY start_at DESC, id DESC LIMIT {PAGE}"
                    ),
                    lambda: self.calls.search(lost, limit=PAGE),
                ),
                'not called back: count': (
                    lambda: self.select(
                        f"SELECT count(*) FROM (SELECT {waiting} LIMIT {COUNT_LIMIT}) AS part"
                    ),
                    lambda: self.calls.search_count(lost, limit=COUNT_LIMIT),
                ),
                'open callbacks: board': (
                    lambda: self.select(
                        f"SELECT id FROM telephony_callback WHERE state = 'open' ORDER BY rank, id LIMIT {PAGE}"
                    ),
                    lambda: board.search([('state', '=', 'open')], limit=PAGE),
                ),
                **self._figures(),
                'smart button': (
                    lambda: self.calls._read_group(
                        [('partner_id', 'in', self.partners.ids)], ['partner_id'], ['__count']
                    ),
                    self.smart_button,
                ),
            }
        )
        return asked

    def _figures(self) -> dict:
        """The screen *Figures*, against its first chart in SQL."""
        report = self.env['telephony.report']
        asked = {
            'figures': lambda: report.get_board('days_30'),
            'figures and the period before': lambda: (
                report.get_board('days_30'),
                report.get_before('days_30'),
            ),
            'people': lambda: report.get_people('days_30'),
            'lines': lambda: report.get_lines('days_30'),
            'sources': lambda: report.get_sources('days_30'),
        }
        *_chart, floor = CHARTS['day x outcome']
        return {what: (lambda: self.select(floor), ask) for what, ask in asked.items()}

    def smart_button(self) -> list:
        """As a list of contacts reads it: a compute that is called by hand would write each count
        like a user."""
        self.partners.invalidate_recordset(
            ['telephony_call_count', 'telephony_missed_count'], flush=False
        )
        return self.partners.mapped('telephony_call_count')

    def queries_of_smart_button(self) -> int:
        self.env.invalidate_all()
        self.partners.mapped('name')  # which the list of contacts has read before
        before = self.env.cr.sql_log_count
        self.partners.mapped('telephony_call_count')
        return self.env.cr.sql_log_count - before

    def scans(self) -> list[str]:
        """Tables that the list of calls not called back reads from end to end."""
        from odoo.tools import SQL

        query = self.calls._search(self.waiting(), limit=PAGE)
        self.env.cr.execute(SQL("EXPLAIN (FORMAT JSON) %s", query.select()))
        plan = json.dumps(self.env.cr.fetchone()[0][0]['Plan'])
        return ['telephony_call'] if any(f'"Node Type": "{scan}"' in plan for scan in SCANS) else []
