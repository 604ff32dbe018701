"""The Debian root that Asterisk and SIPp live in.

Debian stable has no Asterisk; sid has the long-term version. A root of its own leaves this
machine's packages alone. It comes from the mirror that this machine's apt uses, with the signatures
checked.
"""

import os
import re
import shutil
from pathlib import Path

from ..setup import apt, locks, paths, system
from ..setup.console import fail, phase, run, say

SUITE = 'sid'
PACKAGES = ('asterisk', 'asterisk-core-sounds-en-gsm', 'sip-tester')
KEYRING = Path('/usr/share/keyrings/debian-archive-keyring.gpg')
HOME = paths.CACHE / 'asterisk'
ROOT = HOME / f'root-{paths.hashed(f"{SUITE} {PACKAGES}")}'
WORK = Path('/lab')  # inside the root: all that a run writes; belongs to who runs it


def exists() -> bool:
    return ROOT.exists()


def ensure() -> Path:
    with locks.locked('asterisk-root', 'the root of Asterisk'):
        if not exists():
            with phase(f'Asterisk and SIPp from Debian {SUITE}'):
                _build()
    return ROOT


def inside(path: Path | str) -> Path:
    """Where a file of the root lies on this machine."""
    return ROOT / str(path).lstrip('/')


def command(*arguments: str | Path) -> list[str]:
    """A program inside the root, run as whoever asks for it."""
    owner = f'--userspec={os.geteuid()}:{os.getegid()}'
    return [*_as_root(), 'chroot', owner, str(ROOT), *map(str, arguments)]


def _as_root() -> list[str]:
    prefix = system.as_root()
    if prefix is None:
        fail(
            'A root of its own needs root rights (debootstrap, chroot). Start again as root or with sudo at hand.'
        )
    return prefix


def _build() -> None:
    if not shutil.which('debootstrap') or not KEYRING.exists():
        system.install(['debootstrap', 'debian-archive-keyring'], 'Asterisk')
    mirrors = apt.debian_mirrors()
    if not mirrors:
        fail("Asterisk is taken from a Debian mirror, and this machine's apt knows none.")
    building, prefix = ROOT.with_suffix('.building'), _as_root()
    run([*prefix, 'rm', '-rf', '--one-file-system', building], 'asterisk-clean')
    building.parent.mkdir(parents=True, exist_ok=True)
    run(
        [
            *prefix,
            'debootstrap',
            '--variant=minbase',
            f'--keyring={KEYRING}',
            SUITE,
            building,
            mirrors[0],
        ],
        'asterisk-debootstrap',
    )
    # no service starts in there
    _write(prefix, building / 'usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', '755')
    if Path('/etc/resolv.conf').exists():
        _write(prefix, building / 'etc/resolv.conf', Path('/etc/resolv.conf').read_text(), '644')
    settings = [
        line
        for line in run(['apt-config', 'dump'], 'asterisk-apt-config')[1].splitlines()
        # this machine's proxy, if any
        if line.startswith(('Acquire::http', 'Acquire::https'))
    ]
    _write(prefix, building / 'etc/apt/apt.conf.d/90machine', '\n'.join(settings) + '\n', '644')
    _install(prefix, building)
    run([*prefix, 'mkdir', '-p', str(building) + str(WORK)], 'asterisk-work')
    run(
        [*prefix, 'chown', f'{os.geteuid()}:{os.getegid()}', str(building) + str(WORK)],
        'asterisk-work',
    )
    run([*prefix, 'mv', building, ROOT], 'asterisk-work')


def _write(prefix: list[str], file: Path, text: str, mode: str) -> None:
    draft = HOME / 'draft'
    draft.write_text(text)
    run([*prefix, 'install', '-m', mode, draft, file], 'asterisk-install')
    draft.unlink()


def _install(prefix: list[str], building: Path) -> None:
    within = [*prefix, 'env', 'LC_ALL=C', 'DEBIAN_FRONTEND=noninteractive', 'chroot', building]
    update = [*within, 'apt-get', '-q', 'update', '--error-on=any']
    status, output = run(update, 'asterisk-lists', check=False)
    if status and re.search(r'Release file .* (is expired|is not valid)', output):
        say(
            'a frozen mirror: its Release file has expired. The signature is verified all the same, the date not.'
        )
        run([*update, '-o', 'Acquire::Check-Valid-Until=false'], 'asterisk-lists')
    elif status:
        fail(f'{output}\n\nThe package lists of Debian {SUITE} cannot be fetched (the lines above)')
    run(
        [*within, 'apt-get', '-q', '-y', 'install', '--no-install-recommends', *PACKAGES],
        'asterisk-packages',
    )
    run([*within, 'apt-get', '-q', 'clean'], 'asterisk-packages')
