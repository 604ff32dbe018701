"""The virtual environment: what Odoo 19 imports, what the addon imports, and the tools for tests
and lint.

Run as a program it makes the environment and starts a module inside it. All before that is the
standard library."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from . import locks, paths, system
from .console import fail, phase, readable_failures, run

REQUIREMENTS = paths.REPO / 'dev' / 'requirements.txt'
VERSIONS = ((3, 10), (3, 13))  # Odoo 19's own limits


def location() -> Path:
    """Named after all that decides its content, so a changed requirement never breaks a server that
    is running."""
    version = f'{sys.version_info.major}.{sys.version_info.minor}'
    recipe = f'{sys.base_prefix} {sys.version} {REQUIREMENTS.read_text()}'
    return paths.CACHE / 'python' / f'{version}-{paths.hashed(recipe)}'


def ensure() -> Path:
    """The environment's directory; made from the Python that runs this."""
    if not VERSIONS[0] <= sys.version_info[:2] <= VERSIONS[1]:
        fail(
            f'Odoo 19 needs Python 3.10 to 3.13, this is {sys.version.split()[0]}. Choose: make PYTHON=python3.12 ...'
        )
    venv = location()
    complete = venv / 'complete'
    if complete.exists():
        return venv
    with phase(f'Python {sys.version.split()[0]} environment'):
        shutil.rmtree(venv, ignore_errors=True)
        create(venv, REQUIREMENTS)
        complete.touch()
    return venv


def create(venv: Path, requirements: Path) -> Path:
    """Make an environment with these packages. Return its Python."""
    python = venv / 'bin' / 'python'
    run(_venv_command(venv), 'venv')
    run([python, '-m', 'pip', 'install', '--prefer-binary', '-r', requirements], 'pip')
    return python


def _venv_command(venv: Path) -> list[str | Path]:
    """Debian and Ubuntu keep `ensurepip`, which venv needs, in a package of its own."""
    if importlib.util.find_spec('ensurepip'):
        return [sys.executable, '-m', 'venv', venv]
    if importlib.util.find_spec('virtualenv'):
        return [sys.executable, '-m', 'virtualenv', '-q', venv]
    system.install(
        [f'python{sys.version_info.major}.{sys.version_info.minor}-venv'], 'The Python environment'
    )
    return [sys.executable, '-m', 'venv', venv]


def main(module: str, arguments: list[str]) -> None:
    """Make the environment and become `python -m module` inside it: how the Makefile starts every
    command."""
    with readable_failures():
        with locks.setting_up():
            python = str(ensure() / 'bin' / 'python')
        os.execv(python, [python, '-m', module, *arguments])


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
