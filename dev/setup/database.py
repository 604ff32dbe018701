"""Databases: templates that take a minute once, copies that take a second, and what a database remembers about itself.

What we have to know of a database (the code it was last updated to, whether traffic was played) is its COMMENT: it
goes away with the database, and a copy starts without it.
"""
import hashlib
import json
from contextlib import closing

import psycopg2
from psycopg2 import sql

from dev.setup import paths
from dev.setup.console import phase
from dev.setup.odoo import Odoo

TEMPLATE_MODULES = 'crm,sms,crm_sms'
# What the database holds of the addon; a change elsewhere (tests, dev, static) needs no update.
CODE_SUFFIXES = {'.py', '.xml', '.csv', '.sql', '.po'}
NOT_CODE = {'tests', 'dev', 'static', 'bridge', 'docs'}


class Databases:
    def __init__(self, odoo: Odoo):
        self.odoo = odoo

    def exists(self, name: str) -> bool:
        return bool(self._query('SELECT 1 FROM pg_database WHERE datname = %s', name))

    def names(self) -> list[str]:
        return [name for name, in self._query("SELECT datname FROM pg_database WHERE datname LIKE 'crm\\_telephony%%'")]

    def drop(self, name: str) -> None:
        self._do('DROP DATABASE IF EXISTS {} WITH (FORCE)', name)

    def rename(self, name: str, to: str) -> None:
        self._do('ALTER DATABASE {} RENAME TO {}', name, to)

    def copy(self, template: str, name: str) -> None:
        self._do('CREATE DATABASE {} TEMPLATE {}', name, template)

    def memory(self, name: str) -> dict:
        rows = self._query("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", name)
        try:
            return json.loads(rows[0][0])
        except (IndexError, TypeError, ValueError):
            return {}

    def remember(self, name: str, **facts) -> None:
        text = json.dumps({**self.memory(name), **facts})
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL('COMMENT ON DATABASE {} IS {}').format(sql.Identifier(name), sql.Literal(text)))

    def template(self, *, demo: bool) -> str:
        """CRM without our addon, with or without demo data; built when first asked for."""
        kind = 'demo' if demo else 'plain'
        name = f'{paths.ADDON}_tpl_{kind}_{paths.hashed(f"{self.odoo.source.key} {TEMPLATE_MODULES}")}'
        if not self.exists(name):
            building = f'{name}_building'
            with phase(f'Template database ({kind}: {TEMPLATE_MODULES})'):
                self.drop(building)
                self.odoo.install(building, TEMPLATE_MODULES, demo=demo, strict=False)
                self.odoo.script(building, 'warm_assets')
                self.rename(building, name)
                self._do('ALTER DATABASE {} ALLOW_CONNECTIONS false', name)     # a connected template cannot be copied
        return name

    def create(self, name: str, *, demo: bool) -> None:
        """A database with the addon freshly installed and its browser bundles built."""
        template = self.template(demo=demo)
        code = code_hash()
        with phase(f'Installing {paths.ADDON} into a fresh database {name}'):
            self.drop(name)
            self.copy(template, name)
            self.odoo.install(name, paths.ADDON, demo=demo)
        self.warm(name)
        self.remember(name, code=code, demo=demo)

    def refresh(self, name: str) -> None:
        """Update the addon if its code changed since the last time."""
        code = code_hash()
        if self.memory(name).get('code') != code:
            with phase(f'Updating {paths.ADDON} in {name}: its code has changed'):
                self.odoo.install(name, paths.ADDON, update=True)
            self.remember(name, code=code)

    def warm(self, name: str) -> None:
        with phase('Building browser bundles'):
            self.odoo.script(name, 'warm_assets')

    # -- PostgreSQL

    def _connect(self):
        server = self.odoo.server
        connection = psycopg2.connect(dbname='postgres', host=server.host, port=server.port or None, user=server.user,
                                      password=server.password or None)
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
        if file.suffix in CODE_SUFFIXES and parts[0] not in NOT_CODE and not parts[0].startswith('.'):
            digest.update('/'.join(parts).encode() + b'\0' + file.read_bytes())
    return digest.hexdigest()[:16]
