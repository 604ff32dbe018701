"""`make bench`: ARGS="p1 p5" picks, ARGS=--quick is a short look on a small database, ARGS=--smoke
only checks that every bench still works (`make test` runs it)."""

import argparse
import os
import platform
import sys

from ..setup import locks
from ..setup.console import fail, readable_failures, say
from . import (
    erasure,
    follow_up,
    history,
    late,
    listening,
    lookup,
    recordings,
    retention,
    sound,
    survival,
    template,
    upload,
)
from .data import Bench
from .pop import Pop
from .sizes import FULL, QUICK, SMOKE, Size
from .table import Row, show
from .webhook import Webhook

WEBHOOK = ('p1', 'p2', 'p3', 'p4', 'a1', 'memory')
TEMPLATE = ('a2',)
LOOKUP = ('p5', 'p6', 'p7')
LATE = ('late',)
POP = ('p8',)
HISTORY = ('p9', 'p10', 'p11', 'p12')
FOLLOW_UP = ('p13',)
SURVIVAL = ('p14', 'p15', 'p16')
RECORDINGS = ('r1', 'r2')
SOUND = ('r6',)
LISTENING = ('r3',)
RETENTION = ('r8',)
ERASURE = ('r9',)
UPLOAD = ('r10',)
OURS = RECORDINGS + LISTENING + SOUND + RETENTION + ERASURE + UPLOAD
ALL = WEBHOOK + TEMPLATE + LOOKUP + LATE + POP + HISTORY + FOLLOW_UP + SURVIVAL + OURS
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
    of_small = LOOKUP + FOLLOW_UP + SURVIVAL + RECORDINGS + LISTENING + RETENTION + UPLOAD
    small = bench.database(size.small) if wanted & set(of_small) else None
    rows = []
    if wanted & set(WEBHOOK):
        rows += Webhook(bench, large, rounds=size.rounds, seconds=size.seconds).run(wanted)
    if wanted & set(TEMPLATE):
        rows += template.measure(size)
    if wanted & set(LATE):
        rows += late.measure(bench, large, size)
    if wanted & set(POP):
        bench.fill_calls(large)
        rows += Pop(bench, large, size).run()
    if wanted & set(LOOKUP):
        rows += lookup.measure(bench, large, small, size)
    if wanted & set(HISTORY):
        rows += history.measure(bench, size)
    if wanted & set(ERASURE):
        rows += erasure.measure(bench, size)
    if wanted & set(FOLLOW_UP):
        rows += follow_up.measure(bench, small, size.ended)
    if wanted & set(SURVIVAL):
        rows += survival.measure(bench, small, wanted, size)
    if wanted & set(LISTENING):
        rows += listening.measure(bench, small, size.rounds)
    if wanted & set(RECORDINGS):
        rows += recordings.measure(bench, small, wanted, size)
    if wanted & set(SOUND):
        rows += sound.measure(size)
    if wanted & set(RETENTION):
        rows += retention.measure(bench, small, size.ended)
    if wanted & set(UPLOAD):
        rows += upload.measure(bench, small, size)
    return [row for row in rows if row.bench.lower() in wanted]


if __name__ == '__main__':
    with readable_failures():
        sys.exit(main())
