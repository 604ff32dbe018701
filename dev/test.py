"""`make test`: lint, a clean install into a fresh database, every test with its HTTP server and
browser, then whether each bench still works.

- DB=name: another database than this checkout's own: several people can test one checkout at once
- KEEP=1: go on with that database (the addon is updated if its code changed), without lint and
  benches: for seconds
- ARGS=...: go to pytest, without benches; a path below tests/ takes the place of all tests
"""

import os
import subprocess
import sys
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
        failed = subprocess.call(
            _pytest(arguments),
            cwd=paths.CHECKOUT,
            env={
                **place.environment(),
                'ODOO_RC': str(place.odoo.conf(database)),
                'HYPOTHESIS_STORAGE_DIRECTORY': str(paths.CHECKOUT / 'hypothesis'),
            },
        )
    if failed or keep or arguments:
        return failed
    # they guard the speed, and one was broken for a release unnoticed
    say('Benches: whether each still works')
    return subprocess.call(
        [sys.executable, '-m', 'dev.bench', '--smoke'], cwd=paths.REPO, env=place.environment()
    )


def _pytest(arguments: list[str]) -> list[str]:
    """From outside the checkout and through the symlink, else the checkout's directory passes for
    the addon's name."""
    addon = paths.ADDONS_DIR / paths.ADDON
    chosen = [
        str(addon / argument) if _is_test_path(argument) else argument for argument in arguments
    ]
    everything = [str(addon / 'tests')] if chosen == arguments else []
    cache = f'cache_dir={paths.CHECKOUT / "pytest"}'
    return [sys.executable, '-m', 'pytest', '--odoo-http', '-o', cache, *chosen, *everything]


def _is_test_path(argument: str) -> bool:
    return argument.startswith('tests/') and (paths.REPO / Path(argument.split('::')[0])).exists()


if __name__ == '__main__':
    with readable_failures():
        sys.exit(main(sys.argv[1:]))
