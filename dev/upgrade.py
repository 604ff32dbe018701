"""`make test-upgrade`: a database of each earlier version, updated to this code.

The version's own code makes it: demo data, a day of calls through the webhooks, and some settings
that a customer has changed. After the update every row is still there and says what it said, and
filing all events once more changes no call. What a migration changes on purpose is named below.

    VERSION=19.0.1.1.0   only this one
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import closing
from typing import NamedTuple

from psycopg2 import sql

from dev.setup import locks, paths, workplace
from dev.setup.console import fail, phase, readable_failures, say
from dev.setup.database import Databases

# The last commit of each version.
RELEASES = {
    '19.0.1.0.0': 'acb78d9eb6960b361e0fd2e65d809f7c851935b9',
    '19.0.1.1.0': '6b1d5dbe0595a6e333545d4e869311782cbc8cd4',
}
DATABASE = f'{paths.ADDON}_upgrade'
DAY_SECONDS = 900
# What customers change on what we ship, and may not lose.
CHANGES = (
    "UPDATE telephony_rule SET name = name || jsonb_build_object('en_US', 'Renamed by a customer') "
    "WHERE id = (SELECT min(id) FROM telephony_rule)",
    "UPDATE telephony_rule SET active = FALSE WHERE id = (SELECT max(id) FROM telephony_rule)",
    "UPDATE telephony_match_weight SET weight = weight + 7",
    "UPDATE telephony_callback SET priority = '1' "
    "WHERE id = (SELECT min(id) FROM telephony_callback WHERE state = 'open')",
)
# Columns that the update fills anew: (table, column), and why.
RENEWED = {
    ('*', 'write_date'): "Odoo's own",
    ('*', 'write_uid'): "Odoo's own",
    ('telephony_event', 'leg_ref'): "told by the adapters of this version",
    ('telephony_call', 'is_called_back'): "counts real talks, as results say",
    ('telephony_call', 'is_not_called_back'): "the same",
    ('telephony_call', 'attempt'): "counts since the last real talk",
}
# Tables whose rows a later version deletes and loads anew.
REPLACED = {'19.0.1.0.0': {'telephony_rule', 'telephony_rule_action'}}  # they had one action each
# What leads to them.
LEADS_TO = {'telephony_rule': 'rule_id', 'telephony_rule_action': 'action_id'}


class Table(NamedTuple):
    """The rows of a table: {id: {column: value}}."""

    columns: set[str]
    rows: dict[int, dict]


def main() -> None:
    place = workplace.ensure()
    wanted = os.environ.get('VERSION')
    with locks.locked('upgrade', 'another update'):
        for version, commit in RELEASES.items():
            if wanted in (None, '', version):
                _update(place, version, commit)
    say('everything is there after the update')


def _update(place, version: str, commit: str) -> None:
    _make(place, version, commit)
    before = _snapshot(place.databases, REPLACED.get(version, set()))
    if not before['telephony_event'].rows or not before['telephony_callback'].rows:
        fail(f'the day of {version} has left no events or callbacks: nothing would be proved')
    with phase(f'Updating {version} to this code'):
        if complaints := place.odoo.install(DATABASE, paths.ADDON, update=True):
            fail('\n'.join(complaints) + '\n\nThe update is not clean (the lines above)')
    after = _snapshot(place.databases)
    lost = _differences(before, after)
    with phase('Filing all events once more'):
        place.odoo.script(DATABASE, 'refile')
    lost += [f'filed anew: {line}' for line in _differences(after, _snapshot(place.databases))]
    for name in sorted(before):
        say(f'{name}: {len(before[name].rows)} rows, {len(after[name].rows)} afterwards')
    if lost:
        fail('\n'.join(lost[:60]) + f'\n\n{len(lost)} differences after the update of {version}')
    place.databases.drop(DATABASE)


def _make(place, version: str, commit: str) -> None:
    """The database of a version: its code is taken out of the history and run."""
    tree = paths.CHECKOUT / 'release'
    with phase(f'{version}, with a day of calls'):
        subprocess.run(['rm', '-rf', tree], check=True)
        tree.mkdir(parents=True)
        archive = subprocess.run(
            ['git', 'archive', commit], cwd=paths.REPO, capture_output=True, check=False
        )
        if archive.returncode:
            fail(f'the history of this clone does not reach back to {commit[:7]}')
        subprocess.run(['tar', '-x', '-C', tree], input=archive.stdout, check=True)
        place.databases.drop(DATABASE)
        environment = {**os.environ, 'DB': DATABASE, 'PORT': '8369', 'LIVE': '0', 'DEMO': '1'}
        environment.pop('PYTHONPATH', None)
        log = paths.LOGS / 'upgrade-release.log'
        with log.open('wb') as output:
            server = subprocess.Popen(
                [sys.executable, '-m', 'dev.run'],
                cwd=tree,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + DAY_SECONDS
        while 'Ctrl-C stops the server' not in log.read_text(errors='replace'):
            if server.poll() is not None or time.monotonic() > until:
                server.kill()
                fail(f'{version} did not start, see {log}')
            time.sleep(1)
        time.sleep(90)  # until its scheduled actions have followed up the last call
        server.send_signal(signal.SIGINT)
        server.wait(60)
    with (
        closing(place.databases.connect(DATABASE)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for change in CHANGES:
            cursor.execute(change)


def _snapshot(databases: Databases, replaced: Collection[str] = ()) -> dict[str, Table]:
    """All rows of our tables but the replaced ones, and the xml ids of what we ship and customers
    may have changed."""
    found = {}
    with closing(databases.connect(DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT model.model, field.name FROM ir_model model "
            "JOIN ir_model_fields field ON field.model_id = model.id "
            r"WHERE model.model LIKE 'telephony.%' AND NOT model.transient AND field.store "
            "AND field.ttype NOT IN ('one2many', 'many2many')"
        )
        left_out = {LEADS_TO[table] for table in replaced}
        columns: dict[str, set[str]] = {}
        for model, field in cursor.fetchall():
            columns.setdefault(model.replace('.', '_'), set()).add(field)
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_name LIKE 'telephony%'"
        )
        real = set(cursor.fetchall())
        for table, names in columns.items():
            names = sorted(name for name in names - left_out if (table, name) in real)
            if 'id' in names and table not in replaced:
                found[table] = _read(cursor, table, names)
        cursor.execute(
            "SELECT id, name, model, res_id FROM ir_model_data WHERE module = %s "
            "AND noupdate AND model LIKE 'telephony.%%'",
            [paths.ADDON],
        )
        rows = {
            row[0]: dict(zip(('name', 'model', 'res_id'), row[1:], strict=True))
            for row in cursor.fetchall()
            if row[2].replace('.', '_') not in replaced
        }
        found['xml ids'] = Table({'name', 'model', 'res_id'}, rows)
    return found


def _read(cursor, table: str, names: list[str]) -> Table:
    cursor.execute(
        sql.SQL('SELECT {} FROM {}').format(
            sql.SQL(', ').join(map(sql.Identifier, names)), sql.Identifier(table)
        )
    )
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Table(set(names), {row['id']: row for row in rows})


def _differences(before: dict[str, Table], after: dict[str, Table]) -> list[str]:
    lines = []
    for name, old in before.items():
        if name not in after:
            lines.append(f'{name}: the table is gone')
            continue
        new = after[name]
        kept = [
            column
            for column in sorted(old.columns & new.columns)
            if (name, column) not in RENEWED and ('*', column) not in RENEWED
        ]
        for id_, row in old.rows.items():
            if id_ not in new.rows:
                lines.append(f'{name} {id_}: gone ({row})')
                continue
            lines += [
                f'{name} {id_}.{column}: {row[column]!r} became {new.rows[id_][column]!r}'
                for column in kept
                if row[column] != new.rows[id_][column]
            ]
    return lines


if __name__ == '__main__':
    with readable_failures():
        main()
