"""`make test`: lint, a clean install into a fresh database, every test with its HTTP server and
browser, then whether the addon can be uninstalled without a trace and whether each bench still works.
All tests run in two halves at once, each in a database of its own, because one waits for its browser
while the other works.

- DB=name: another database than this checkout's own: several people can test one checkout at once
- KEEP=1: go on with that database (the addon is updated if its code changed), without lint and
  benches: for seconds
- ARGS=...: go to pytest, without benches; a path below tests/ takes the place of all tests
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import lint
from .setup import locks, paths, workplace
from .setup.console import readable_failures, say


def main(arguments: list[str]) -> int:
    place = workplace.ensure(browser=True)
    keep = os.environ.get('KEEP', '0') not in ('', '0')
    database = os.environ.get('DB') or f'{paths.ADDON}_test_{paths.CHECKOUT_ID}'
    with locks.locked(f'database-{database}', f'the database {database}'):
        if keep and place.databases.exists(database):
            place.databases.refresh(database)
        else:
            with ThreadPoolExecutor(1) as beside:  # each takes one core
                clean = keep or beside.submit(lint.check)
                place.databases.create(database, demo=False)
            if not keep and not clean.result():
                return 1
        say(f'Tests in {database}')
        halves = [arguments] if keep or arguments else _halves()
        runs = []
        for number, half in enumerate(halves):
            name = f'{database}_{number}' if number else database
            if number:
                place.databases.drop(name)
                place.databases.copy(database, name)
                place.databases.remember(name, copy=database)
            runs.append((half, name, place, bool(number)))
        with ThreadPoolExecutor(len(runs)) as beside:
            failed = any(beside.map(lambda run: _run(*run), runs))
    if failed or keep or arguments:
        return int(failed)
    alone = {**place.environment(), 'FULL': '0'}
    if subprocess.call([sys.executable, '-m', 'dev.install'], cwd=paths.REPO, env=alone):
        return 1
    # they guard the speed, and one was broken for a release unnoticed
    say('Benches: whether each still works')
    return subprocess.call(
        [sys.executable, '-m', 'dev.bench', '--smoke'], cwd=paths.REPO, env=place.environment()
    )


def _halves() -> list[list[str]]:
    """Return all test files as two lists of about the same size."""
    root = paths.ADDONS_DIR / paths.ADDON
    found = (file for file in (root / 'tests').rglob('test_*.py') if 'toy' not in file.parts)
    files = sorted(found, key=lambda file: (-file.stat().st_size, str(file)))
    halves = [], []
    for place, file in enumerate(files):
        halves[(place + 1) // 2 % 2].append(file.relative_to(root).as_posix())
    return list(halves)


def _run(arguments: list[str], database: str, place, at_the_end: bool) -> int:
    """Run these tests and return pytest's status.

    :param at_the_end: show the output as a whole when all have run, because another run shows its
        own meanwhile
    """
    done = subprocess.run(
        pytest_command(arguments, database),
        cwd=paths.CHECKOUT,
        env={
            **place.environment(),
            'ODOO_RC': str(place.odoo.conf(database)),
            'HYPOTHESIS_STORAGE_DIRECTORY': str(paths.CHECKOUT / 'hypothesis'),
        },
        check=False,
        capture_output=at_the_end,
        text=True,
    )
    if done.stdout:
        print(done.stdout, done.stderr, sep='', flush=True)
    return done.returncode


def pytest_command(arguments: Sequence[str], database: str) -> list[str]:
    """From outside the checkout and through the symlink, else the checkout's directory passes for
    the addon's name."""
    addon = paths.ADDONS_DIR / paths.ADDON
    chosen = [
        str(addon / argument) if _is_test_path(argument) else argument for argument in arguments
    ]
    everything = [str(addon / 'tests')] if chosen == list(arguments) else []
    cache = f'cache_dir={paths.CHECKOUT / "pytest" / database}'
    return [sys.executable, '-m', 'pytest', '--odoo-http', '-o', cache, *chosen, *everything]


def _is_test_path(argument: str) -> bool:
    return argument.startswith('tests/') and (paths.REPO / Path(argument.split('::')[0])).exists()


if __name__ == '__main__':
    with readable_failures():
        sys.exit(main(sys.argv[1:]))
