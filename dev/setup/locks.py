"""One at a time: several checkouts, terminals and people's tools share one cache directory."""

import fcntl
import os
from contextlib import contextmanager

from . import paths
from .console import fail, say


@contextmanager
def locked(name: str, what: str, *, wait: bool = True):
    """Hold a lock that ends with the process. The file tells who holds it."""
    file = paths.CACHE / 'locks' / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open('a+') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = f'process {file.read_text().strip()}'
            if not wait:
                fail(f'{what} is in use by {holder}')
            say(f'waiting for {what}: {holder} is at it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        file.write_text(f'{os.getpid()}\n')
        yield lock


def setting_up():
    """Around every step of the set-up that may make something."""
    return locked('setup', 'the set-up')
