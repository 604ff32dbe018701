"""Debian packages that are unpacked in the cache directory instead of being installed.

An apt of our own: lists, downloads and settings in the cache directory, so that it needs no root
and the system's stay untouched. Proxies, credentials and, if wanted, sources are this machine's.
"""

import os
import re
import shutil
from pathlib import Path

from . import paths
from .console import call, run, say

HOME = paths.CACHE / 'apt'
SYSTEM_STATUS = Path('/var/lib/dpkg/status')


class Apt:
    def __init__(self, name: str, sources: str | None = None):
        """With `sources`, the content of a sources.list, it knows these; without, the machine's
        own."""
        self.name = name
        state = HOME / name
        for directory in ('lists/partial', 'cache/archives/partial', 'log'):
            (state / directory).mkdir(parents=True, exist_ok=True)
        (state / 'status').touch()
        lines = [
            # hooks are meant for the system's lists
            '#clear APT::Update::Pre-Invoke;',
            '#clear APT::Update::Post-Invoke;',
            '#clear APT::Update::Post-Invoke-Success;',
            f'Dir::State "{state}";',
            f'Dir::State::lists "{state}/lists";',
            f'Dir::State::status "{state}/status";',
            f'Dir::Cache "{state}/cache";',
            f'Dir::Log "{state}/log";',
            'Dir::Etc::preferences "/dev/null";',
            'Dir::Etc::preferencesparts "/dev/null";',
            'APT::Sandbox::User "";',
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
        ]
        if sources:
            (state / 'sources.list').write_text(sources)
            lines += [
                f'Dir::Etc::sourcelist "{state}/sources.list";',
                'Dir::Etc::sourceparts "/dev/null";',
            ]
        self.archives = state / 'cache' / 'archives'
        self.conf = state / 'apt.conf'
        self.conf.write_text('\n'.join(lines) + '\n')

    def update(self) -> bool:
        """Fetch the package lists, with their signatures verified."""
        command = ['apt-get', '-q', '-c', self.conf, 'update', '--error-on=any']
        log, env = f'apt-{self.name}-lists', {**os.environ, 'LC_ALL': 'C'}
        status, output = run(command, log, env=env, check=False)
        if status and re.search(r'Release file .* (is expired|is not valid)', output):
            say(
                'a frozen mirror: its Release file has expired. The signature is verified all the same, the date not.'
            )
            command += ['-o', 'Acquire::Check-Valid-Until=false']
            status, _output = run(command, log, env=env, check=False)
        return not status

    def ask(self, *question: str) -> str:
        return call(['apt-get', '-c', self.conf, *question]) or ''

    def show(self, package: str) -> str:
        """What the lists know of the newest version of a package."""
        return call(['apt-cache', '-c', self.conf, 'show', '--no-all-versions', package]) or ''

    def unpack(self, packages: list[str], target: Path, *, with_dependencies: bool = False) -> None:
        """Fetch packages, verified against the lists, and unpack them; with the dependencies that
        the system lacks."""
        self._forget_downloads()
        target.mkdir(parents=True)
        apt = ['apt-get', '-q', '-y', '-c', self.conf]
        if with_dependencies:
            system = ['-o', f'Dir::State::status={SYSTEM_STATUS}', '-o', 'Debug::NoLocking=true']
            run(
                [*apt, *system, '--no-install-recommends', '--download-only', 'install', *packages],
                f'apt-{self.name}-download',
            )
        else:
            run([*apt, 'download', *packages], f'apt-{self.name}-download', cwd=self.archives)
        for package in sorted(self.archives.glob('*.deb')):
            run(['dpkg-deb', '-x', package, target], f'apt-{self.name}-unpack')
        self._forget_downloads()

    def _forget_downloads(self) -> None:
        for package in self.archives.glob('*.deb'):
            package.unlink()


def available() -> bool:
    return bool(shutil.which('apt-get') and shutil.which('dpkg-deb'))


def debian_mirrors() -> list[str]:
    """Addresses of the Debian archives among this machine's sources, in their order."""
    if not available():
        return []
    question = [
        'indextargets',
        '--format',
        '$(REPO_URI) $(ORIGIN) $(LABEL)',
        'Created-By: Packages',
    ]
    rows = call(['apt-get', *question])
    if not rows:  # this machine never fetched its lists
        machine = Apt('machine')
        machine.update()
        rows = machine.ask(*question)
    uris = [row.split()[0] for row in rows.splitlines() if row.endswith(' Debian Debian')]
    return list(dict.fromkeys(uris))
