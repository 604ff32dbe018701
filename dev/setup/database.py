"""Databases: templates that take a minute once, copies that take a second, and what a database
remembers about itself.

What we have to know of a database (that it is ours, the code it was last updated to, whether
traffic was played) is its COMMENT: it goes away with the database, and a copy starts without it. A
database without it is never dropped.
"""

import hashlib
import json
import time
from contextlib import closing

import psycopg2
import psycopg2.errors
from psycopg2 import sql

from . import locks, paths
from .console import fail, phase, say
from .odoo import Odoo

TEMPLATE_MODULES = 'crm,sms,crm_sms'
# the first is the base; the other is chosen in the user's preferences
DEMO_LANGUAGES = 'en_US,ru_RU'
# What the database holds of the addon; a change elsewhere (tests, dev, static) needs no update.
CODE_SUFFIXES = {'.py', '.xml', '.csv', '.sql', '.po'}
COPY_STRATEGIES = 150000  # the first version that knows them
BUILDING = '_building'  # what is not finished is not found under its proper name
NOT_CODE = {'tests', 'dev', 'static', 'bridge', 'speech_server', 'docs'}
# so long an autovacuum of one database may take
VACUUM_SECONDS = 60


class Databases:
    def __init__(self, odoo: Odoo):
        self.odoo = odoo

    def exists(self, name: str) -> bool:
        return bool(self._query('SELECT 1 FROM pg_database WHERE datname = %s', name))

    def names(self) -> list[str]:
        """Those we made, finished or not."""
        return [
            name
            for (name,) in self._query('SELECT datname FROM pg_database ORDER BY 1')
            if self.memory(name) or name.startswith(paths.ADDON) and name.endswith(BUILDING)
        ]

    def drop(self, name: str) -> None:
        """Drop a database whoever is connected. PostgreSQL's own autovacuum, which we may not end, is
        waited for."""
        until = time.monotonic() + VACUUM_SECONDS
        while True:
            try:
                return self._do('DROP DATABASE IF EXISTS {} WITH (FORCE)', name)
            except psycopg2.errors.InsufficientPrivilege:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def rename(self, name: str, to: str) -> None:
        self._do('ALTER DATABASE {} RENAME TO {}', name, to)

    def copy(self, template: str, name: str) -> None:
        """A crash must not cost the copy anything. Since version 15 PostgreSQL copies through its
        log by default; the numbers that a sequence then gives until the next checkpoint are not
        logged, and are given again after a crash."""
        with closing(self._connect()) as connection:
            by_files = ' STRATEGY file_copy' if connection.server_version >= COPY_STRATEGIES else ''
        self._do('CREATE DATABASE {} TEMPLATE {}' + by_files, name, template)

    def memory(self, name: str) -> dict:
        rows = self._query(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", name
        )
        try:
            return json.loads(rows[0][0])
        except (IndexError, TypeError, ValueError):
            return {}

    def remember(self, name: str, **facts) -> None:
        text = json.dumps({**self.memory(name), **facts})
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                sql.SQL('COMMENT ON DATABASE {} IS {}').format(
                    sql.Identifier(name), sql.Literal(text)
                )
            )

    def template(self, *, demo: bool, modules: str = TEMPLATE_MODULES) -> str:
        """CRM without our addon, with or without demo data; built when first asked for.

        :param modules: other apps that are to be there, with CRM
        """
        kind = 'demo' if demo else 'plain'
        name = f'{paths.ADDON}_tpl_{kind}_{paths.hashed(f"{self.odoo.source.key} {modules} {DEMO_LANGUAGES}")}'
        building = name + BUILDING
        with locks.locked(name, 'the template database'):
            if not self.exists(name):
                with phase(f'Template database ({kind}: {modules})'):
                    self.drop(building)
                    self.odoo.install(
                        building,
                        modules,
                        demo=demo,
                        language=DEMO_LANGUAGES if demo else None,
                    )
                    self.odoo.script(building, 'warm_assets')
                    self.remember(building, template=kind)
                    self.rename(building, name)
                    # who is connected prevents copies
                    self._do('ALTER DATABASE {} ALLOW_CONNECTIONS false', name)
        return name

    def create(self, name: str, *, demo: bool) -> None:
        """A database with the addon freshly installed, without a warning, and its browser bundles
        built."""
        if self.exists(name) and not self.memory(name):
            fail(
                f'there is a database {name} that was not made here; it is left alone. Give another name: DB=...'
            )
        template, building, code = self.template(demo=demo), name + BUILDING, code_hash()
        with phase(f'Installing {paths.ADDON} into a fresh database'):
            self.drop(building)
            self.copy(template, building)
            if complaints := self.odoo.install(building, paths.ADDON, demo=demo):
                fail(
                    '\n'.join(complaints)
                    + f'\n\nInstalling {paths.ADDON} is not clean (the lines above)'
                )
        with phase('Building browser bundles'):
            self.odoo.script(building, 'warm_assets')
        self.remember(building, code=code, demo=demo)
        self.drop(name)
        self.rename(building, name)

    def refresh(self, name: str) -> None:
        """Update the addon if its code changed since the last time."""
        code = code_hash()
        if self.memory(name).get('code') != code:
            with phase(f'Updating {paths.ADDON} in {name}: its code has changed'):
                for complaint in self.odoo.install(name, paths.ADDON, update=True):
                    say(complaint)
            self.remember(name, code=code)

    # -- PostgreSQL

    def connect(self, name: str):
        """Return a psycopg2 connection to a database."""
        server = self.odoo.server
        return psycopg2.connect(
            dbname=name,
            host=server.host,
            port=server.port or None,
            user=server.user,
            password=server.password or None,
        )

    def _connect(self):
        connection = self.connect('postgres')
        connection.autocommit = True
        return connection

    def _query(self, query: str, *values) -> list[tuple]:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def _do(self, statement: str, *names: str) -> None:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def code_hash() -> str:
    """Tells whether the addon has changed in a way that a database has to be told of."""
    digest = hashlib.sha256()
    for file in sorted(paths.REPO.rglob('*')):
        parts = file.relative_to(paths.REPO).parts
        if (
            file.suffix in CODE_SUFFIXES
            and parts[0] not in NOT_CODE
            and not parts[0].startswith('.')
        ):
            digest.update('/'.join(parts).encode() + b'\0' + file.read_bytes())
    return digest.hexdigest()[:16]
