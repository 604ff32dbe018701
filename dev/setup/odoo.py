"""Odoo's configuration and how it is called."""

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .console import run
from .odoo_source import OdooSource
from .postgres import Server

COMPLAINT = re.compile(r'^\S+ \S+ \d+ (?:WARNING|ERROR|CRITICAL) .*$', re.M)


def link_addon() -> None:
    """Odoo knows an addon by its directory's name, and the checkout may be called anything."""
    paths.ADDONS_DIR.mkdir(parents=True, exist_ok=True)
    link = paths.ADDONS_DIR / paths.ADDON
    if not link.is_symlink():
        link.symlink_to(paths.REPO)


@dataclass(frozen=True)
class Odoo:
    """Odoo of one source on one PostgreSQL server, with this checkout's addon on its path."""

    source: OdooSource
    server: Server

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.server.environment(),
            'PYTHONPATH': str(self.source.path),
            'PYTHONUNBUFFERED': '1',
        }

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, '-m', 'odoo', *map(str, arguments)]

    def conf(self, database: str, *, crons: bool = False, **options: str | int) -> Path:
        """The configuration file for one database. It names the database and so hides all others: a
        webhook carries no session that could choose one. No dbfilter: with one, Odoo asks the
        server for its databases in every request."""
        lines = {
            'addons_path': ','.join(map(str, (*self.source.addons, paths.ADDONS_DIR))),
            'data_dir': paths.DATA,
            'db_name': database,
            'list_db': False,
            'db_host': self.server.host,
            'db_port': self.server.port,
            'db_user': self.server.user,
            'db_password': self.server.password,
            'http_interface': '127.0.0.1',
            'workers': 0,
            'max_cron_threads': int(crons),
            'limit_time_real': 600,
            **options,
        }
        file = paths.CHECKOUT / 'conf' / f'{database}.conf'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        text = ''.join(f'{key} = {value}\n' for key, value in lines.items() if value != '')
        file.write_text(f'[options]\n{text}')
        return file

    def install(
        self,
        database: str,
        modules: str,
        *,
        update: bool = False,
        demo: bool = False,
        language: str | None = None,
    ) -> list[str]:
        """Install modules, or update those that are installed. Returns the warnings and errors of
        Odoo's log.

        Odoo exits with 0 after many of them, even after a module it does not know.
        """
        _status, output = run(
            self.command(
                '-c',
                self.conf(database),
                '-i',
                modules,
                *(['-u', modules] if update else []),
                *(['--with-demo'] if demo else []),
                *([f'--load-language={language}'] if language else []),
                '--stop-after-init',
            ),
            f'odoo-install-{database}',
            env=self.environment(),
            cwd=paths.CHECKOUT,
        )
        return COMPLAINT.findall(output)

    def run(self, database: str, *arguments: str, **options: str | int) -> list[str]:
        """Run Odoo with these arguments, and options of its configuration. Returns the warnings and
        errors of its log."""
        _status, output = run(
            self.command('-c', self.conf(database, **options), *arguments),
            f'odoo-run-{database}',
            env=self.environment(),
            cwd=paths.CHECKOUT,
        )
        return COMPLAINT.findall(output)

    def script(self, database: str, name: str) -> None:
        """Run one of the scripts beside this file inside Odoo's shell."""
        run(
            self.command('shell', '-c', self.conf(database)),
            f'odoo-{name}-{database}',
            env=self.environment(),
            cwd=paths.CHECKOUT,
            stdin=Path(__file__).parent / 'scripts' / f'{name}.py',
        )

    def write_launcher(self) -> Path:
        """`odoo` as a program, for people and for `make shell`."""
        launcher = paths.CHECKOUT / 'bin' / 'odoo'
        launcher.parent.mkdir(parents=True, exist_ok=True)
        source = shlex.quote(str(self.source.path))
        launcher.write_text(
            f'#!/bin/sh\nPYTHONPATH={source} exec {shlex.join(self.command())} "$@"\n'
        )
        launcher.chmod(0o755)
        return launcher
