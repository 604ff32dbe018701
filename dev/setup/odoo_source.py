"""Odoo 19.0 Community: a checkout that `ODOO_SRC` names, else Debian's package, else a shallow
clone.

Debian's package comes from the mirror that this machine's apt already uses, verified by Debian's
keys (see apt.py).
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import apt, paths, system
from .console import call, fail, phase, run, say

HOME = paths.CACHE / 'odoo'
GIT_URL = 'https://github.com/odoo/odoo.git'
KEYRING = Path('/usr/share/keyrings/debian-archive-keyring.gpg')

PACKAGE = 'odoo-19'
# of its dependencies, what browsers load
COMPANIONS = re.compile(r'\b(?:libjs|fonts)-[a-z0-9-]+|\bgsfonts\b')
# Odoo's links name files that newer releases of these packages dropped (Font Awesome 4, Inconsolata
# as .otf).
OLD_COMPANIONS = ('fonts-font-awesome', 'fonts-inconsolata')
OLD_SUITE = 'bookworm'
SEGMENTATION = 'addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js'
SEGMENTATION_NPM = '@mediapipe/selfie_segmentation@0.1.1675465747'


@dataclass(frozen=True)
class OdooSource:
    """`path` goes on PYTHONPATH, `addons` on the addons path (in Debian's they are found without),
    `key` names it."""

    path: Path
    addons: tuple[Path, ...]
    key: str


def ensure() -> OdooSource:
    if given := os.environ.get('ODOO_SRC'):
        return _checkout(Path(given).expanduser().absolute())
    debian, clone = HOME / 'debian', HOME / 'git'
    if not (debian / 'complete').exists() and not (clone / 'complete').exists():
        with phase('Odoo 19'):
            if mirrors := apt.debian_mirrors():
                _unpack_debian(mirrors, debian)
            else:
                say('no Debian mirror among the sources of this machine: cloning Odoo instead')
                _clone(clone)
    if (debian / 'complete').exists():
        return OdooSource(
            debian / 'usr/lib/python3/dist-packages', (), (debian / 'complete').read_text()
        )
    return _checkout(clone)


def _checkout(path: Path) -> OdooSource:
    release = path / 'odoo' / 'release.py'
    if not release.exists() or 'version_info = (19, 0,' not in release.read_text():
        fail(f'{path} is no source tree of Odoo 19.0 (ODOO_SRC)')
    head = call(['git', '-C', path, 'rev-parse', 'HEAD']) or ''
    return OdooSource(path, (path / 'addons',), f'{path} {head.strip()}')


def _clone(target: Path) -> None:
    if not shutil.which('git'):
        system.install(['git'], 'The source of Odoo')
    shutil.rmtree(target, ignore_errors=True)
    run(
        ['git', 'clone', '--progress', '--depth', '1', '--branch', '19.0', GIT_URL, target],
        'odoo-clone',
    )
    (target / 'complete').touch()


# -- Debian's package


def _unpack_debian(mirrors: list[str], target: Path) -> None:
    if not KEYRING.exists():
        system.install(['debian-archive-keyring'], 'Verifying the Debian package of Odoo')
    for mirror in mirrors:
        archive = apt.Apt(
            'debian',
            ''.join(
                f'deb [signed-by={KEYRING}] {mirror} {suite} main\n' for suite in ('sid', OLD_SUITE)
            ),
        )
        if archive.update():
            break
    else:
        fail(
            f'none of this machine\'s Debian mirrors answered; see {paths.LOGS}. A source tree in ODOO_SRC works too.'
        )

    about = archive.show(PACKAGE)
    version = re.search(r'^Version: (.+)$', about, re.M)
    if not version:
        fail(
            f'the Debian mirror of this machine has no package {PACKAGE}. A source tree in ODOO_SRC works too.'
        )
    depends = re.search(r'^Depends: (.+)$', about, re.M)[1]
    alternatives = [clause.split('|')[0] for clause in depends.split(',')]
    companions = {found[0] for clause in alternatives if (found := COMPANIONS.search(clause))}
    packages = [
        PACKAGE,
        *(f'{name}/{OLD_SUITE}' if name in OLD_COMPANIONS else name for name in sorted(companions)),
    ]

    shutil.rmtree(target, ignore_errors=True)
    archive.unpack(packages, target)
    _mend_links(target)
    _add_segmentation(target / 'usr/lib/python3/dist-packages/odoo')
    (target / 'complete').write_text(version[1])


def _mend_links(root: Path) -> None:
    """Point absolute links into the unpacked tree, and refuse a tree in which a link leads
    nowhere."""
    links = [path for path in root.rglob('*') if path.is_symlink()]
    for link in links:
        if (goal := os.readlink(link)).startswith('/'):
            link.unlink()
            link.symlink_to(os.path.relpath(root / goal[1:], link.parent))
    lost = [link for link in links if not link.exists()]
    for link in lost:
        say(f'    a link leads nowhere: {link.relative_to(root)}')
    if any('/addons/web/' in str(link) for link in lost):
        fail(
            'the Debian package of Odoo misses browser files that every page needs (the links above)'
        )


def _add_segmentation(odoo: Path) -> None:
    """A browser file that Debian leaves out and every page asks for (the blurred background of
    video calls)."""
    file = odoo / SEGMENTATION
    file.parent.mkdir(parents=True, exist_ok=True)
    packed = HOME / 'npm'
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir(parents=True)
    if shutil.which('npm'):
        run(
            ['npm', 'pack', '--silent', '--cache', packed / 'cache', SEGMENTATION_NPM],
            'npm',
            cwd=packed,
            check=False,
        )
    for archive in packed.glob('*.tgz'):
        shutil.unpack_archive(archive, packed)
    if (script := packed / 'package' / file.name).exists():
        shutil.copy(script, file)
    else:
        say('    no npm: video calls have no blurred background (an empty file stands in for it)')
        file.write_text(
            '/* stands in for @mediapipe/selfie_segmentation: no npm on this machine */\n'
        )
    shutil.rmtree(packed)
