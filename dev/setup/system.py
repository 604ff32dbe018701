"""Packages of the operating system, for the few things that cannot live in the cache directory."""

import os
import shutil
import sys

from .console import call, fail, run, say


def as_root() -> list[str] | None:
    """The prefix that makes a command run as root, None if there is no way to."""
    if os.geteuid() == 0:
        return []
    if not shutil.which('sudo'):
        return None
    if call(['sudo', '-n', 'true']) is not None:
        return ['sudo', '-n']
    return ['sudo'] if sys.stdin.isatty() else None


def install(packages: list[str], why: str) -> None:
    """Install Debian or Ubuntu packages, telling what for."""
    wanted = ' '.join(packages)
    prefix = as_root()
    if not shutil.which('apt-get') or prefix is None:
        fail(
            f'{why} needs system packages. Install them and start again. As root: apt-get install {wanted}'
        )
    say(f'{why}: installing the system packages {wanted}')
    apt = [*prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y']
    command = [*apt, 'install', '--no-install-recommends', *packages]
    status, _output = run(command, 'apt-install', check=False)
    if status:  # no package lists yet, or old ones
        run([*apt, 'update'], 'apt-update')
        run(command, 'apt-install')
