"""P1 to P4, A1 and memory: what a delivery costs while the server also files the calls that it
tells of."""

import statistics
import time
import uuid
from collections import Counter, defaultdict
from contextlib import ExitStack

from ..setup.console import fail, phase, say
from . import inside, load, server
from .data import Bench, forget_calls
from .load import Address
from .table import Pair, Row, exactly, percentile

MODES = {'threaded': 0, 'workers=2': 2}
LINES = (1, 8)
AT_ONCE = 8
TIMES_AT_ONCE = 4  # in each round
FILING_SECONDS = 120
# memory: deliveries before the first look and before the last, MB that may lie between, and when to
# give up
WARM, MANY, MOST_GROWTH, MEMORY_SECONDS = 1000, 50_000, 20, 540
REPEATED, ERROR = 'tries left|maximum number of tries', r'\d (?:ERROR|CRITICAL) '  # in the log
STORE, CHECK = '/telephony_floor/create', '/telephony_floor/hmac'


class Webhook:
    def __init__(self, bench: Bench, database: str, *, rounds: int, seconds: float):
        self.bench, self.database, self.rounds, self.seconds = bench, database, rounds, seconds
        self.path = '/telephony/webhook/generic/' + inside.ask(bench, inside.account, database)
        self.sent, self.answers = Counter(), Counter()  # deliveries by mode, answers by status

    def run(self, wanted: set[str]) -> list[Row]:
        with ExitStack() as stack:
            self.client = stack.enter_context(load.client())
            connection = stack.enter_context(self.bench.connect(self.database))
            self.cursor = stack.enter_context(connection.cursor())
            self._empty()
            stack.callback(self._empty)
            self.servers = {
                mode: stack.enter_context(server.running(self.bench, self.database, workers))
                for mode, workers in MODES.items()
            }
            self._warm_up(WARM if 'memory' in wanted else WARM // 5)
            before = self.servers['threaded'].megabytes()
            rows = []
            if wanted & {'p1', 'p2'}:
                rows += [row for row in self._accepted() if row.bench.lower() in wanted]
            if 'p3' in wanted:
                rows += self._refused()
            if 'p4' in wanted:
                rows += self._collisions()
            if 'a1' in wanted:
                rows += self._by_template()
            if 'memory' in wanted:
                rows += self._memory(before)
            return rows

    # -- deliveries

    def _stream(
        self, mode: str, path: str, lines: int, *, seconds=0.0, most=10**6, signed=True
    ) -> load.Shot:
        clock = self.servers[mode].processor_ms
        address, begin = Address(self.servers[mode].port, path, signed), clock()
        shot = self.client.submit(
            load.stream, address, lines, seconds or self.seconds, most
        ).result()
        return shot._replace(processor=clock() - begin)

    def _ours(self, mode: str, lines: int, path: str = '', **options) -> load.Shot:
        clock, begin = self.servers[mode].processor_ms, time.perf_counter()
        shot, before = self._stream(mode, path or self.path, lines, **options), clock()
        self._count(mode, shot)
        return shot._replace(
            processor=shot.processor + clock() - before, until_filed=time.perf_counter() - begin
        )

    def _both(self, mode: str, floor: str, lines: int, **options) -> tuple[load.Shot, load.Shot]:
        """The floor and ours: half of the floor before and half after, since machines get slower
        and faster."""
        first = self._stream(mode, floor, lines, seconds=self.seconds / 2)
        ours = self._ours(mode, lines, **options)
        return first.plus(self._stream(mode, floor, lines, seconds=self.seconds / 2)), ours

    def _count(self, mode: str, shot: load.Shot) -> None:
        """Note what came of deliveries to the addon, and wait until all is filed: it must slow
        nothing else down."""
        self.sent[mode] += shot.statuses[200]
        self.answers += shot.statuses
        until = time.monotonic() + FILING_SECONDS
        while self._one("SELECT count(*) FROM telephony_event WHERE state = 'pending'"):
            if time.monotonic() > until:
                fail(f'events are still pending after {FILING_SECONDS} s')
            time.sleep(0.05)

    def _one(self, query: str, *values):
        self.cursor.execute(query, values)
        return self.cursor.fetchone()[0]

    def _empty(self) -> None:
        self.cursor.execute('TRUNCATE telephony_floor')
        # TRUNCATE refuses: calendars' recurrences point to triggers
        self.cursor.execute('DELETE FROM ir_cron_trigger')
        forget_calls(self.cursor)

    def _warm_up(self, deliveries: int) -> None:
        with phase('Warming up'):
            for mode in MODES:
                for path in (STORE, CHECK):
                    self._stream(mode, path, AT_ONCE, seconds=60, most=200)
                self._ours(mode, AT_ONCE, seconds=60, most=deliveries)
            self._empty()

    # -- benches

    def _accepted(self) -> list[Row]:
        """Against the least that stores a delivery. The processor's time includes the filing, which
        comes later."""
        pairs, filed = defaultdict(Pair), defaultdict(list)
        self.answers.clear()
        for turn in range(self.rounds):
            say(f'P1, P2: round {turn + 1} of {self.rounds}')
            for mode in MODES:
                for lines in LINES:
                    floor, ours = self._both(mode, STORE, lines)
                    filed[mode, lines].append(len(ours.ms) / ours.until_filed)
                    for name, share in (('p50', 0.5), ('p95', 0.95)):
                        pairs[mode, lines, name].add(
                            percentile(floor.ms, share), percentile(ours.ms, share)
                        )
                    pairs[mode, lines, 'rate'].add(floor.rate, ours.rate)
                    pairs[mode, lines, 'processor'].add(
                        floor.processor / len(floor.ms), ours.processor / len(ours.ms)
                    )
            self._empty()
        rows = []
        for mode in MODES:
            for lines in LINES:
                what = f'accepted, {mode}, c={lines}'
                rows += [
                    pairs[mode, lines, 'p50'].row('P1', f'{what}, p50', 'ms', most=1.5),
                    pairs[mode, lines, 'p95'].row('P1', f'{what}, p95', 'ms', most=2),
                ]
        wrong = self.answers.total() - self.answers[200]
        rows.append(exactly('P1', 'answers other than 200', wrong))
        for mode in MODES:
            rate = statistics.median(filed[mode, 8])
            rows += [
                pairs[mode, 8, 'rate'].row('P2', f'accepted, {mode}, c=8', '/s', least=0.65),
                Row('P2', 'the same with the time until all is filed', '', f'{rate:.4g} /s'),
                pairs[mode, 8, 'processor'].row(
                    'P2', 'processor time of one, filing included', 'ms'
                ),
            ]
        return rows

    def _refused(self) -> list[Row]:
        """Against the least that checks a signature."""
        pairs, answers = defaultdict(Pair), Counter()
        for turn in range(self.rounds):
            say(f'P3: round {turn + 1} of {self.rounds}')
            for mode in MODES:
                for lines in LINES:
                    floor, ours = self._both(mode, CHECK, lines, signed=False)
                    answers += ours.statuses
                    pairs[mode, lines].add(percentile(floor.ms, 0.5), percentile(ours.ms, 0.5))
        wrong = answers.total() - answers[403]
        stored = self._one(
            'SELECT (SELECT count(*) FROM telephony_event) + (SELECT count(*) FROM telephony_call)'
        )
        return [
            *(
                pair.row('P3', f'refused, {mode}, c={lines}, p50', 'ms', most=1.2)
                for (mode, lines), pair in pairs.items()
            ),
            exactly('P3', 'answers other than 403', wrong),
            exactly('P3', 'rows written', stored),
        ]

    def _by_template(self) -> list[Row]:
        """The same deliveries, signed alike, read by a template and by an adapter of their own."""
        path = '/telephony/webhook/' + inside.ask(
            self.bench, inside.template_account, self.database
        )
        median, processor, half = Pair(), Pair(), self.seconds / 2
        self._ours('threaded', 1, path, seconds=60, most=WARM // 20)
        self.answers.clear()
        for turn in range(self.rounds):
            say(f'A1: round {turn + 1} of {self.rounds}')
            first = self._ours('threaded', 1, seconds=half)
            ours = self._ours('threaded', 1, path)
            plain = first.plus(self._ours('threaded', 1, seconds=half))
            median.add(percentile(plain.ms, 0.5), percentile(ours.ms, 0.5))
            processor.add(plain.processor / len(plain.ms), ours.processor / len(ours.ms))
            self._empty()
        wrong = self.answers.total() - self.answers[200]
        return [
            median.row('A1', 'read by a template, threaded, c=1, p50', 'ms', most=1.3),
            processor.row('A1', 'the same: processor time, filing included', 'ms', most=1.3),
            exactly('A1', 'answers other than 200', wrong),
        ]

    def _collisions(self) -> list[Row]:
        """Eight copies of an event, eight events of a call, and to compare with: eight events of
        eight calls."""
        times, wrong, shots = defaultdict(list), 0, self.rounds * TIMES_AT_ONCE
        repeated, errors = self._logged(REPEATED), self._logged(ERROR)
        self.answers.clear()
        with phase(f'P4: {shots} times eight at once'):
            for _turn in range(shots):
                for mode in MODES:
                    copied, told = uuid.uuid4().hex, uuid.uuid4().hex
                    for what, bodies in {
                        'calls': [load.events_of_call(uuid.uuid4().hex)[2] for _ in range(AT_ONCE)],
                        'copies of one event': [load.events_of_call(copied)[2]] * AT_ONCE,
                        'events of one call': load.events_of_call(told),
                    }.items():
                        address = Address(self.servers[mode].port, self.path)
                        shot = self.client.submit(load.burst, address, bodies).result()
                        self._count(mode, shot)
                        times[mode, what] += shot.ms
                    wrong += not self._is_filed(copied, events=1, legs=1)
                    wrong += not self._is_filed(told, events=8, legs=3)
        rows = []
        for mode in MODES:
            alone = percentile(times[mode, 'calls'], 0.95)
            for what in ('copies of one event', 'events of one call'):
                ours = percentile(times[mode, what], 0.95)
                rows.append(
                    Row(
                        'P4',
                        f'eight {what} at once, {mode}, p95',
                        f'{alone:.4g} ms',
                        f'{ours:.4g} ms',
                        f'{ours / alone:.2f}',
                        '<= 3',
                        ours <= 3 * alone,
                    )
                )
        for what, count in (
            ('answers other than 200', self.answers.total() - self.answers[200]),
            ('requests that Odoo had to repeat', self._logged(REPEATED) - repeated),
            ('errors in the log', self._logged(ERROR) - errors),
            ('calls with a wrong final state', wrong),
        ):
            rows.append(exactly('P4', what, count))
        return rows

    def _logged(self, pattern: str) -> int:
        return sum(one.logged(pattern) for one in self.servers.values())

    def _is_filed(self, reference: str, *, events: int, legs: int) -> bool:
        """One call with these legs, of so many events."""
        return self._one(
            """ SELECT (SELECT count(*) FROM telephony_event WHERE call_ref = %s AND state = 'done') = %s
                   AND (SELECT array_agg((state, outcome, talk_seconds,
                                          (SELECT count(*) FROM telephony_call_leg WHERE call_id = call.id))::text)
                          FROM telephony_call AS call WHERE external_id = %s) = ARRAY[%s] """,
            reference,
            events,
            reference,
            f'(ended,answered,60,{legs})',
        )

    def _memory(self, before: float) -> list[Row]:
        """Of the threaded server: one process in which all happens."""
        mode, until = 'threaded', time.monotonic() + MEMORY_SECONDS
        with phase(f'Memory: {MANY:,} deliveries'):
            while self.sent[mode] < MANY and time.monotonic() < until:
                self._ours(mode, AT_ONCE, seconds=20, most=MANY - self.sent[mode])
                say(f'    {self.sent[mode]:,}: {self.servers[mode].megabytes():.0f} MB')
                self._empty()
        after = self.servers[mode].megabytes()
        return [
            Row(
                'memory',
                f'after {self.sent[mode]:,} deliveries against after {WARM:,}',
                f'{before:.0f} MB',
                f'{after:.0f} MB',
                f'{after - before:+.0f} MB',
                f'<= +{MOST_GROWTH} MB',
                self.sent[mode] >= MANY and after - before <= MOST_GROWTH,
            )
        ]
