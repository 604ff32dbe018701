"""`make lint`: ruff, pylint with pylint-odoo, well-formed XML."""

import os
import subprocess
import sys
from pathlib import Path

from lxml import etree

from .setup import paths
from .setup.console import call, phase, readable_failures, say
from .setup.odoo import link_addon

CACHE = paths.CHECKOUT / 'lint'


def check() -> bool:
    """All checks, even after one has found something; True if there is nothing to find."""
    link_addon()
    clean = True
    for title, find in (('ruff', _ruff), ('pylint-odoo', _pylint), ('XML', _xml)):
        with phase(f'Lint: {title}'):
            clean &= find()
    say('Lint: nothing to complain about' if clean else 'Lint: see above')
    return clean


def _tool(*command: str | Path) -> bool:
    environment = {
        **os.environ,
        'RUFF_CACHE_DIR': str(CACHE / 'ruff'),
        'PYLINTHOME': str(CACHE / 'pylint'),
    }
    return (
        subprocess.call([sys.executable, '-m', *map(str, command)], cwd=paths.REPO, env=environment)
        == 0
    )


def _ruff() -> bool:
    checked = _tool('ruff', 'check', '--quiet', '.')
    return _tool('ruff', 'format', '--check', '--quiet', '.') and checked


def _pylint() -> bool:
    """Through the addon's proper name: pylint-odoo judges by the directory's."""
    return _tool(
        'pylint', '--rcfile', paths.REPO / 'pyproject.toml', paths.ADDONS_DIR / paths.ADDON
    )


def _xml() -> bool:
    clean = True
    for file in _files('*.xml'):
        try:
            etree.parse(file)
        except etree.XMLSyntaxError as error:
            print(f'{file.relative_to(paths.REPO)}: {error}')
            clean = False
    return clean


def _files(pattern: str) -> list[Path]:
    """What is tracked or would be, not what git ignores; all there is where git does not know the
    directory."""
    question = 'git ls-files -z --cached --others --exclude-standard --'
    listed = call([*question.split(), pattern], cwd=paths.REPO)
    if listed is None:
        return sorted(paths.REPO.rglob(pattern))
    return [file for name in listed.split('\0') if name and (file := paths.REPO / name).exists()]


if __name__ == '__main__':
    with readable_failures():
        sys.exit(not check())
