"""The small commands inside the environment: env, shell, clean."""

import os
import shlex
import shutil
import sys

from . import paths, workplace
from .console import CLOCK, readable_failures, say


def env() -> None:
    """Print what a shell needs: eval "$(make -s env)"."""
    environment = workplace.ensure(addon=False, browser=True).environment()
    for name in (
        'PATH',
        'PYTHONPATH',
        'VENV',
        'ADDONS_DIR',
        'CONF_DIR',
        'PGHOST',
        'PGPORT',
        'PGUSER',
        'PGPASSWORD',
    ):
        if name in environment:
            print(f'export {name}={shlex.quote(environment[name])}')


def shell() -> None:
    environment = workplace.ensure(addon=False).environment()
    environment.pop(CLOCK)
    program = environment.get('SHELL', '/bin/sh')
    say('a shell with odoo, python, pytest, ruff and psql of this project; leave it with exit')
    os.execvpe(program, [program], environment)


def clean() -> None:
    """Drop this project's databases (templates, demo, tests); downloads and the environment
    stay."""
    databases = workplace.ensure(addon=False).databases
    for name in databases.names():
        databases.drop(name)
        say(f'dropped {name}')
    shutil.rmtree(paths.DATA, ignore_errors=True)


if __name__ == '__main__':
    with readable_failures():
        {command.__name__: command for command in (env, shell, clean)}[sys.argv[1]]()
