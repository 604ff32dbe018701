"""Odoo 19.0 Community: a checkout that `ODOO_SRC` names, else Debian's package, else a shallow clone.

Debian's package is fetched with an apt of our own (lists, cache and dpkg status in the cache directory) from the mirror
that this machine's apt already uses, verified by Debian's keys, and unpacked: nothing is installed.
"""
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from dev.setup import paths, system
from dev.setup.console import call, fail, phase, run, say

HOME = paths.CACHE / 'odoo'
GIT_URL = 'https://github.com/odoo/odoo.git'
KEYRING = Path('/usr/share/keyrings/debian-archive-keyring.gpg')

PACKAGE = 'odoo-19'
COMPANIONS = re.compile(r'\b(?:libjs|fonts)-[a-z0-9-]+|\bgsfonts\b')     # of its dependencies, what browsers load
# Odoo's links name files that newer releases of these packages dropped (Font Awesome 4, Inconsolata as .otf).
OLD_COMPANIONS = ('fonts-font-awesome', 'fonts-inconsolata')
OLD_SUITE = 'bookworm'
SEGMENTATION = 'addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js'
SEGMENTATION_NPM = '@mediapipe/selfie_segmentation@0.1.1675465747'


@dataclass(frozen=True)
class OdooSource:
    """`path` goes on PYTHONPATH, `addons` on the addons path (Debian's has them inside the package); `key` tells versions apart."""
    path: Path
    addons: tuple[Path, ...]
    key: str


def ensure() -> OdooSource:
    if given := os.environ.get('ODOO_SRC'):
        return _checkout(Path(given).expanduser().absolute())
    debian, clone = HOME / 'debian', HOME / 'git'
    if not (debian / 'complete').exists() and not (clone / 'complete').exists():
        with phase('Odoo 19'):
            if mirrors := _debian_mirrors():
                _unpack_debian(mirrors, debian)
            else:
                say('no Debian mirror among the sources of this machine: cloning Odoo instead')
                _clone(clone)
    if (debian / 'complete').exists():
        return OdooSource(debian / 'usr/lib/python3/dist-packages', (), (debian / 'complete').read_text())
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
    run(['git', 'clone', '--progress', '--depth', '1', '--branch', '19.0', GIT_URL, target], 'odoo-clone')
    (target / 'complete').touch()


# -- Debian's package

def _debian_mirrors() -> list[str]:
    """Debian archives that this machine's apt is set up with, nearest first as its sources name them."""
    if not shutil.which('apt-get') or not shutil.which('dpkg-deb'):
        return []
    question = ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(LABEL)', 'Created-By: Packages']
    rows = call(['apt-get', *question])
    if not rows:        # a machine that never ran `apt-get update`; ours needs no root and leaves its lists alone
        conf = _apt_conf(None)
        run(['apt-get', '-c', conf, 'update'], 'apt-lists', check=False)
        rows = call(['apt-get', '-c', conf, *question]) or ''
    uris = [row.split()[0] for row in rows.splitlines() if row.endswith(' Debian Debian')]
    return list(dict.fromkeys(uris))


def _apt_conf(sources: str | None) -> Path:
    """An apt configuration with all state under the cache directory; proxies and credentials stay this machine's.

    Without `sources` it reads the machine's own. Hooks are cleared: they are meant for the system's lists.
    """
    state = HOME / ('apt' if sources else 'apt-of-machine')
    for directory in ('lists/partial', 'cache/archives/partial', 'log'):
        (state / directory).mkdir(parents=True, exist_ok=True)
    (state / 'status').touch()
    lines = [
        '#clear APT::Update::Pre-Invoke;', '#clear APT::Update::Post-Invoke;', '#clear APT::Update::Post-Invoke-Success;',
        f'Dir::State "{state}";', f'Dir::State::lists "{state}/lists";', f'Dir::State::status "{state}/status";',
        f'Dir::Cache "{state}/cache";', f'Dir::Log "{state}/log";',
        'Dir::Etc::preferences "/dev/null";', 'Dir::Etc::preferencesparts "/dev/null";',
        'APT::Sandbox::User "";', 'Acquire::Languages "none";', 'Acquire::Retries "3";',
    ]
    if sources:
        (state / 'sources.list').write_text(sources)
        lines += [f'Dir::Etc::sourcelist "{state}/sources.list";', 'Dir::Etc::sourceparts "/dev/null";']
    (state / 'apt.conf').write_text('\n'.join(lines) + '\n')
    return state / 'apt.conf'


def _unpack_debian(mirrors: list[str], target: Path) -> None:
    if not KEYRING.exists():
        system.install(['debian-archive-keyring'], 'Verifying the Debian package of Odoo')
    for mirror in mirrors:
        apt = ['apt-get', '-q', '-c', _apt_conf(''.join(
            f'deb [signed-by={KEYRING}] {mirror} {suite} main\n' for suite in ('sid', OLD_SUITE)))]
        if _update(apt):
            break
    else:
        fail(f'none of the Debian mirrors of this machine answered; see {paths.LOGS}/odoo-lists.log. A source tree in ODOO_SRC works too.')

    about = call(['apt-cache', *apt[2:], 'show', '--no-all-versions', PACKAGE]) or ''
    version = re.search(r'^Version: (.+)$', about, re.M)
    if not version:
        fail(f'the Debian mirror of this machine has no package {PACKAGE}. A source tree in ODOO_SRC works too.')
    depends = re.search(r'^Depends: (.+)$', about, re.M)[1]
    alternatives = [clause.split('|')[0] for clause in depends.split(',')]
    companions = {found[0] for clause in alternatives if (found := COMPANIONS.search(clause))}
    packages = [PACKAGE, *(f'{name}/{OLD_SUITE}' if name in OLD_COMPANIONS else name for name in sorted(companions))]

    shutil.rmtree(target, ignore_errors=True)
    downloads = HOME / 'downloads'
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    run([*apt, 'download', *packages], 'odoo-download', cwd=downloads)
    for package in sorted(downloads.glob('*.deb')):
        run(['dpkg-deb', '-x', package, target], 'odoo-unpack')
    shutil.rmtree(downloads)
    _mend_links(target)
    _add_segmentation(target / 'usr/lib/python3/dist-packages/odoo')
    (target / 'complete').write_text(version[1])


def _update(apt: list[str | Path]) -> bool:
    env = dict(os.environ, LC_ALL='C')
    status, output = run([*apt, 'update', '--error-on=any'], 'odoo-lists', env=env, check=False)
    if status and re.search(r'Release file .* (is expired|is not valid)', output):
        say('the mirror is a frozen copy whose Release file has expired; its signature still counts, its date no longer')
        status, output = run([*apt, '-o', 'Acquire::Check-Valid-Until=false', 'update', '--error-on=any'],
                             'odoo-lists', env=env, check=False)
    return not status


def _mend_links(root: Path) -> None:
    """Point absolute links into the unpacked tree, and refuse a tree in which a link leads nowhere."""
    links = [path for path in root.rglob('*') if path.is_symlink()]
    for link in links:
        if (goal := os.readlink(link)).startswith('/'):
            link.unlink()
            link.symlink_to(os.path.relpath(root / goal[1:], link.parent))
    lost = [link for link in links if not link.exists()]
    for link in lost:
        say(f'    a link leads nowhere: {link.relative_to(root)}')
    if any('/addons/web/' in str(link) for link in lost):
        fail('the Debian package of Odoo misses browser files that every page needs (the links above)')


def _add_segmentation(odoo: Path) -> None:
    """A browser file that Debian leaves out and every page asks for (the blurred background of video calls)."""
    file = odoo / SEGMENTATION
    file.parent.mkdir(parents=True, exist_ok=True)
    packed = HOME / 'npm'
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir(parents=True)
    if shutil.which('npm'):
        run(['npm', 'pack', '--silent', '--cache', packed / 'cache', SEGMENTATION_NPM], 'npm', cwd=packed, check=False)
    for archive in packed.glob('*.tgz'):
        shutil.unpack_archive(archive, packed)
    if (script := packed / 'package' / file.name).exists():
        shutil.copy(script, file)
    else:
        say('    no npm: video calls have no blurred background (an empty file stands in for it)')
        file.write_text('/* stands in for @mediapipe/selfie_segmentation: no npm on this machine */\n')
    shutil.rmtree(packed)
