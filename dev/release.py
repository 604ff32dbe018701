"""`make release`: what is committed, as a zip for an addons path and as a wheel for pip, in dist/.

    TAG=19.0.2.0.0   refuse unless the manifest and the changelog say the same, with a date
    CHECK=1          then install both into a stock Odoo, each into a database of its own, and play a
                     tour there

Tests, development and hidden files stay out: they are megabytes that no server needs. The wheel is
`odoo-addon-crm_telephony`, made by OCA's back end `whool`, which pip fetches while it builds.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from ast import literal_eval
from io import BytesIO
from pathlib import Path, PurePosixPath

from .setup import locks, paths, workplace
from .setup.console import call, fail, phase, readable_failures, run, say

DIST = paths.REPO / 'dist'
LEFT_OUT = ('dev', 'tests', 'static/tests', 'Makefile', 'pyproject.toml', 'CONTRIBUTING.md')
PYPROJECT = """\
[build-system]
requires = ["whool==1.3.1"]
build-backend = "whool.buildapi"
"""
UNRELEASED = 'not released yet'
# The tests that are laid over a release, to play its tours in it.
TOUR = 'tests/test_tours.py'


def main() -> None:
    manifest = literal_eval((paths.REPO / '__manifest__.py').read_text())
    version, tag = manifest['version'], os.environ.get('TAG', '')
    if wrong := disagreements(version, (paths.REPO / 'CHANGELOG.md').read_text(), tag):
        fail('\n'.join(wrong))
    if call(['git', 'status', '--porcelain'], cwd=paths.REPO):
        say('what is not committed is not in the release')
    addon = _lay_out(paths.CHECKOUT / 'release-tree')
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    made = [_zip(addon, version), _wheel(addon)]
    for file in made:
        say(f'{file.relative_to(paths.REPO)}: {file.stat().st_size / 1e6:.1f} MB')
    if os.environ.get('CHECK', '0') not in ('', '0'):
        place = workplace.ensure(browser=True)
        for file in made:
            _check(place, file)


def disagreements(version: str, changelog: str, tag: str = '') -> list[str]:
    """Say where manifest, changelog and tag disagree; for a tag the release has to have a day."""
    first = re.search(r'^## (\S+) \((.+)\)$', changelog, re.M)
    if not first:
        return ["CHANGELOG.md has no heading like: ## 19.0.1.0.0 (2026-12-31)"]
    wrong = []
    if first[1] != version:
        wrong.append(f"__manifest__.py says {version}, CHANGELOG.md {first[1]}")
    if tag and tag.removeprefix('v') != version:
        wrong.append(f"the tag is {tag}, __manifest__.py says {version}")
    if tag and first[2] == UNRELEASED:
        wrong.append(f"CHANGELOG.md says of {first[1]}: {UNRELEASED}. Write the day there")
    return wrong


def is_shipped(name: str) -> bool:
    """Return whether a file of the repository belongs into a release."""
    path = PurePosixPath(name)
    return not path.parts[0].startswith('.') and not any(
        path.is_relative_to(left_out) for left_out in LEFT_OUT
    )


def _lay_out(tree: Path) -> Path:
    """Lay out the files of the last commit as they are shipped. Return the addon's folder."""
    shutil.rmtree(tree, ignore_errors=True)
    addon = tree / paths.ADDON
    archive = subprocess.run(
        ['git', 'archive', 'HEAD'], cwd=paths.REPO, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        members = [member for member in tar if member.isfile() and is_shipped(member.name)]
        for member in members:
            tar.extract(member, addon, filter='data')
    return addon


def _zip(addon: Path, version: str) -> Path:
    """The same commit gives the same bytes."""
    file = DIST / f'{paths.ADDON}-{version}.zip'
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in addon.rglob('*') if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(addon.parent).as_posix())
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return file


def _wheel(addon: Path) -> Path:
    (addon / 'pyproject.toml').write_text(PYPROJECT)
    with phase('Building the wheel'):
        run(
            [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--wheel-dir', DIST, addon],
            'release-wheel',
            env={**os.environ, 'PYTHONPATH': ''},
        )
    return next(DIST.glob('*.whl'))


def _check(place, file: Path) -> None:
    """Install a release into a stock Odoo that has nothing of this checkout on its path, and play a
    tour there."""
    where = paths.CHECKOUT / f'release-{file.suffix[1:]}'
    shutil.rmtree(where, ignore_errors=True)
    if file.suffix == '.zip':
        with zipfile.ZipFile(file) as archive:
            archive.extractall(where)  # noqa: S202  made here
        addons = where
    else:
        pip = [sys.executable, '-m', 'pip', 'install', '--no-deps', '--target', where, file]
        run(pip, 'release-pip')
        addons = where / 'odoo' / 'addons'
    database = f'{paths.ADDON}_release_{file.suffix[1:]}'
    with locks.locked(f'database-{database}', f'the database {database}'):
        place.databases.drop(database)
        place.databases.copy(place.databases.template(demo=False), database)
        place.databases.remember(database, release=file.name)
        path = ','.join(map(str, (*place.odoo.source.addons, addons)))
        with phase(f'Installing {file.name}'):
            options = ('-i', paths.ADDON, '--stop-after-init')
            if complaints := place.odoo.run(database, *options, addons_path=path):
                fail('\n'.join(complaints) + f'\n\nInstalling {file.name} is not clean')
        with phase('A tour in it'):
            _lay_tests_over(addons / paths.ADDON)
            _play(place, database, path)
        place.databases.drop(database)


def _lay_tests_over(addon: Path) -> None:
    """Put the tests of one tour over a release, which has none."""
    shutil.copytree(paths.REPO / 'static' / 'tests', addon / 'static' / 'tests')
    (addon / 'tests').mkdir()
    (addon / 'tests' / '__init__.py').write_text(f'from . import {Path(TOUR).stem}\n')
    for name in ('common.py', Path(TOUR).name):
        shutil.copy(paths.REPO / 'tests' / name, addon / 'tests')


def _play(place, database: str, addons_path: str) -> None:
    options = ('-u', paths.ADDON, '--test-tags', f'/{paths.ADDON}:TestTours', '--stop-after-init')
    place.odoo.run(database, *options, addons_path=addons_path)
    log = (paths.LOGS / f'odoo-run-{database}.log').read_text(errors='replace')
    result = re.search(r'0 failed, 0 error\(s\) of (\d+) tests', log)
    if not result or not int(result[1]):
        fail(f'the tour failed or was not played, see odoo-run-{database}.log')
    say(f'{result[1]} tests are green')


if __name__ == '__main__':
    with readable_failures():
        main()
