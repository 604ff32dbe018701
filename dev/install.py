"""`make test-install`: the addon comes, lives, goes and comes back, in real databases.

- alone, with only CRM, and beside the apps that say why a customer calls
- installed without a complaint, then some calls; the tests that need these apps
- the dialog says what will be lost; uninstalled, the database is what it was: no table, column,
  index, scheduled action, file or setting of ours, and every view opens
- installed once more without a complaint

FULL=0 leaves out the apps, and takes half a minute: so `make test` runs it.
"""

import os
import re
import subprocess
import sys
from contextlib import closing

from psycopg2 import sql

from . import test
from .setup import locks, paths, workplace
from .setup.console import fail, phase, readable_failures, say
from .setup.database import TEMPLATE_MODULES
from .setup.odoo import COMPLAINT

APPS = 'sale_management,account,project,stock,calendar,website_crm,hr'
# what only an app's own models can show
TESTS = ('tests/test_beside_apps.py', 'tests/test_call_card.py', 'tests/test_neutralized.py')
# What may speak of us afterwards: Odoo's list of addons, its log, messages to browsers, which go within
# a day, and its notes on what it has deleted (of foreign keys; of what other addons added to our
# models, which go with their next update).
MAY_NAME_US = {
    'bus_bus',
    'ir_logging',
    'ir_model_constraint',
    'ir_module_module',
    'ir_module_module_dependency',
    'ir_module_module_exclusion',
}
OURS = "module = 'crm_telephony'"
# Odoo rebuilds it with the next page.
REBUILT = "(url IS NULL OR url NOT LIKE '/web/assets/%%')"
SCHEMA = {
    'table': "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    'column': "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns "
    "WHERE table_schema = 'public'",
    'index': "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
    'constraint': "SELECT conrelid::regclass || '.' || conname FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace AND contype != 'n'",
    'function': "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    'trigger': "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal",
    'sequence': "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'",
    'scheduled action': "SELECT cron_name FROM ir_cron",
    'setting': "SELECT key FROM ir_config_parameter",
    'field': "SELECT model || '.' || name FROM ir_model_fields",
    'menu': "SELECT complete_name FROM (SELECT name->>'en_US' AS complete_name FROM ir_ui_menu) menus",
    'right': "SELECT name->>'en_US' FROM res_groups",
}


def main() -> None:
    place = workplace.ensure(browser=False)
    with locks.locked('install', 'another test of the installation'):
        _live_and_go(place, f'{paths.ADDON}_install', TEMPLATE_MODULES)
        if os.environ.get('FULL') != '0':
            _live_and_go(place, f'{paths.ADDON}_install_beside', f'{TEMPLATE_MODULES},{APPS}')
    say('it comes, goes and leaves nothing behind')


def _live_and_go(place, database: str, modules: str) -> None:
    template = place.databases.template(demo=False, modules=modules)
    place.databases.drop(database)
    place.databases.copy(template, database)
    place.databases.remember(database, copy=template)
    before = _snapshot(place, database)
    _install(place, database, 'Installing it')
    if modules != TEMPLATE_MODULES:
        _test(place, database)
    with phase('Some calls'):
        place.odoo.script(database, 'lived_in')
    with phase('Uninstalling it'):
        said = _said(place, database, 'uninstall')
    loss = re.search(r'^BEFORE: (.+)', said, re.M)
    if not loss or '3 calls' not in loss[1]:
        fail(f'the dialog does not say what will be lost, but: {loss and loss[1]}')
    say(loss[1])
    with phase('Opening every view'):
        broken = re.findall(r'^BROKEN .*', _said(place, database, 'look_at_views'), re.M)
    left = broken + _left(before, _snapshot(place, database)) + _mentions(place, database)
    if left:
        fail('\n'.join(left) + f'\n\n{len(left)} things are left behind in {database}')
    _install(place, database, 'Installing it once more')
    place.databases.drop(database)


def _install(place, database: str, title: str) -> None:
    with phase(title):
        if complaints := place.odoo.install(database, paths.ADDON):
            fail('\n'.join(complaints) + '\n\nThe installation is not clean (the lines above)')


def _test(place, database: str) -> None:
    """Run the tests of what is there only beside other apps; none of them may be left out."""
    with phase('Tests beside the apps'):
        done = subprocess.run(
            test.pytest_command(TESTS, database) + ['-q', '-rs', '-p', 'no:cacheprovider'],
            cwd=paths.CHECKOUT,
            env={**place.environment(), 'ODOO_RC': str(place.odoo.conf(database))},
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode or 'skipped' in done.stdout.splitlines()[-1]:
        fail(f'{done.stdout}\n{done.stderr[-2000:]}')


def _said(place, database: str, script: str) -> str:
    """Run a script in Odoo's shell and return what it printed; a complaint ends the test."""
    place.odoo.script(database, script)
    text = (paths.LOGS / f'odoo-{script}-{database}.log').read_text(errors='replace')
    if complaints := COMPLAINT.findall(text):
        fail('\n'.join(complaints) + f'\n\n{script} is not clean (the lines above)')
    return text


def _snapshot(place, database: str) -> dict[str, set[str]]:
    """What a database is made of: {kind: names}."""
    with closing(place.databases.connect(database)) as connection, connection.cursor() as cursor:
        found = {}
        for kind, query in SCHEMA.items():
            cursor.execute(query)
            found[kind] = {name for (name,) in cursor.fetchall()}
    return found


def _left(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """Say what is there that was not, and what is gone that was there."""
    lines = []
    for kind in SCHEMA:
        lines += [f'a {kind} is left: {name}' for name in sorted(after[kind] - before[kind])]
        lines += [f'a {kind} is gone: {name}' for name in sorted(before[kind] - after[kind])]
    return lines


def _mentions(place, database: str) -> list[str]:
    """Say which rows of which tables still speak of telephony, whatever they are."""
    lines = []
    with closing(place.databases.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(SCHEMA['table'])
        for (table,) in cursor.fetchall():
            if table in MAY_NAME_US:
                continue
            condition = {'ir_attachment': REBUILT, 'ir_model_data': OURS}.get(table, 'TRUE')
            cursor.execute(
                sql.SQL('SELECT its::text FROM {} its WHERE its::text ILIKE %s AND {}').format(
                    sql.Identifier(table), sql.SQL(condition)
                ),
                ['%telephony%'],
            )
            rows = [row for (row,) in cursor.fetchall()]
            if rows:
                lines.append(f'{len(rows)} rows of {table} speak of telephony: {rows[0][:300]}')
    return lines


if __name__ == '__main__':
    with readable_failures():
        sys.exit(main())
