"""`make bench`: ARGS="p1 p5" picks, ARGS=--quick is a short look on a small database, ARGS=--smoke
only checks that every bench still works (`make test` runs it)."""

import argparse
import os
import platform
import statistics
import sys
from collections import defaultdict

from dev.bench import history, inside, late, survival
from dev.bench.data import Bench
from dev.bench.pop import Pop
from dev.bench.sizes import FULL, QUICK, SMOKE, Size
from dev.bench.table import Pair, Row, percentile, show
from dev.bench.webhook import Webhook
from dev.setup import locks
from dev.setup.console import fail, phase, readable_failures, say

WEBHOOK = ('p1', 'p2', 'p3', 'p4', 'memory')
LOOKUP = ('p5', 'p6', 'p7')
LATE = ('late',)
POP = ('p8',)
HISTORY = ('p9', 'p10', 'p11', 'p12')
FOLLOW_UP = ('p13',)
SURVIVAL = ('p14', 'p15', 'p16')
ALL = WEBHOOK + LOOKUP + LATE + POP + HISTORY + FOLLOW_UP + SURVIVAL
# What a look that is not the whole leaves out, because it takes minutes whatever the size.
LONG = {'memory'}


def main() -> int:
    parser = argparse.ArgumentParser(prog='make bench', description=__doc__)
    parser.add_argument(
        'benches', nargs='*', metavar='BENCH', help=' '.join(ALL) + '; all by default'
    )
    parser.add_argument(
        '--quick', action='store_true', help='fewer rounds, a tenth of the contacts, no memory'
    )
    parser.add_argument(
        '--smoke',
        action='store_true',
        help='as little as can be: no goal counts, a bench that breaks does',
    )
    given = parser.parse_args()
    if unknown := set(given.benches) - set(ALL):
        parser.error(f'unknown: {" ".join(sorted(unknown))}')
    size = SMOKE if given.smoke else QUICK if given.quick else FULL
    wanted = set(given.benches) or set(ALL) - (LONG if size is not FULL else set())
    with locks.locked('bench', 'another bench'):
        rows = _measure(Bench(), wanted, size)
    if silent := wanted - {row.bench.lower() for row in rows}:
        fail(f'nothing was measured by {" ".join(sorted(silent))}')
    print(
        f'\n{os.cpu_count()} cores, Python {platform.python_version()}, '
        f'{size.large:,} contacts; medians of rounds\n\n{show(rows)}\n'
    )
    if size is SMOKE:
        say('all benches work; so little is measured that no goal counts')
        return 0
    missed = sum(row.met is False for row in rows)
    say(f'{missed} goals are not met' if missed else 'all goals are met')
    return bool(missed)


def _measure(bench: Bench, wanted: set[str], size: Size) -> list[Row]:
    large = bench.database(size.large) if wanted & set(WEBHOOK + LOOKUP + LATE + POP) else None
    small = bench.database(size.small) if wanted & set(LOOKUP + FOLLOW_UP + SURVIVAL) else None
    rows = []
    if wanted & set(WEBHOOK):
        rows += Webhook(bench, large, rounds=size.rounds, seconds=size.seconds).run(wanted)
    if wanted & set(LATE):
        rows += late.measure(bench, large, size)
    if wanted & set(POP):
        bench.fill_calls(large)
        rows += Pop(bench, large, size).run()
    if wanted & set(LOOKUP):
        rows += [row for row in _lookup(bench, large, small, size) if row.bench.lower() in wanted]
    if wanted & set(HISTORY):
        rows += [row for row in history.measure(bench, size) if row.bench.lower() in wanted]
    if wanted & set(FOLLOW_UP):
        rows += _follow_up(bench, small, size.ended)
    if wanted & set(SURVIVAL):
        rows += survival.measure(bench, small, wanted, size)
    return rows


def _follow_up(bench: Bench, small: str, calls: int) -> list[Row]:
    """In a copy: what follows from calls is not taken back."""
    copy = f'{small}_follow_up'
    inside.ask(bench, 'account', small)
    with phase(f'P13: what {calls:,} ended calls lead to'), bench.copy(small, copy):
        answer = inside.ask(bench, 'follow_up', copy, calls)
    most = 60 * calls / FULL.ended
    return [
        Row(
            'P13',
            f"ended call: chatter, callback, effects ({answer['effects']:,} in all); floor: a chatter line",
            f"{answer['floor']:.3g} ms",
            f"{answer['ms']:.3g} ms",
            f"{answer['ms'] / answer['floor']:.1f}",
            '<= 4 ms',
            answer['ms'] <= 4,
        ),
        Row(
            'P13',
            'queries a call',
            '',
            f"{answer['queries']:.2f}",
            goal='<= 2',
            met=answer['queries'] <= 2,
        ),
        Row(
            'P13',
            f"{calls:,} ended calls, one scheduled action",
            str(calls),
            f"{answer['done']} in {answer['seconds']:.3g} s",
            goal=f'all, <= {most:g} s',
            met=answer['done'] == calls and answer['seconds'] <= most,
        ),
        Row(
            'P13',
            'memory gained after the first fifth',
            '',
            f"{answer['grown']:.0f} MB",
            goal='<= 20 MB',
            met=answer['grown'] <= 20,
        ),
    ]


def _lookup(bench: Bench, large: str, small: str, size: Size) -> list[Row]:
    for name in (small, large):
        inside.ask(bench, 'account', name)
        bench.fill_calls(name)
    with phase('P5, P6, P7: lookups'):
        answer = inside.ask(bench, 'lookup', large, small, size.rounds)
    times = defaultdict(list)
    for database, way, _turn, ms in answer['times']:
        times[database, way].append(ms)

    def median(database, way, share=0.5):
        return statistics.median(percentile(ms, share) for ms in times[database, way])

    rows = []
    for way, what in (
        ('ours', 'contact and deals of a number'),
        ('several', 'the same where several deals are weighed'),
    ):
        for name, share, most in (('p50', 0.5, 3), ('p95', 0.95, 5)):
            floor, ours = median(large, 'floor', share), median(large, way, share)
            rows.append(
                Row(
                    'P5',
                    f'{what}, {name}',
                    f'{floor:.3g} ms',
                    f'{ours:.3g} ms',
                    '',
                    f'<= {most} ms',
                    ours <= most,
                )
            )
    rows += [
        Row('P5', 'queries', '', str(answer['queries']), goal='<= 3', met=answer['queries'] <= 3),
        Row(
            'P5',
            'tables scanned',
            '',
            ', '.join(answer['scans']) or 'none',
            goal='none',
            met=not answer['scans'],
        ),
    ]
    # they were set for the large one
    for peer, least in (('base_phone', 100), ('voip_oca', 50)) if size is FULL else ():
        theirs, ours = median(large, peer), median(large, 'ours')
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
        Row(
            'P6',
            'found, of numbers typed in six ways',
            str(answer['asked']),
            str(answer['found']),
            goal='all',
            met=answer['found'] == answer['asked'],
        ),
        growth.row('P7', 'ten times as many contacts, p50', 'ms', most=2),
    ]


if __name__ == '__main__':
    with readable_failures():
        sys.exit(main())
