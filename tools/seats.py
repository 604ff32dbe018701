"""Seats: how many threads and processes of this machine may do the same slow thing at once.

A seat is a locked file, because the system frees the seats of a killed process, and sees those of
all processes, which a counter in memory does not.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

try:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except ImportError:  # Windows
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)


LOOK_AGAIN = 0.1


class Full(Exception):
    """All seats are taken."""


@contextlib.contextmanager
def seated(
    folder: Path, rows: Mapping[str, int], queue: Mapping[str, int], patience: float = 0
) -> Iterator[None]:
    """Hold a seat in each of these rows while the block runs.

    :param rows: name, fit for a file → number of seats
    :param queue: the same, for those who wait for a seat; without a place there nobody waits
    :param patience: seconds to wait
    :raise Full: no seat was free
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as seats:
        if not _sit_in_all(folder, rows, seats):
            with contextlib.ExitStack() as places:
                until = time.monotonic() + patience
                waits = _sit_in_all(folder, queue, places)
                while waits and time.monotonic() < until:
                    time.sleep(LOOK_AGAIN)
                    if _sit_in_all(folder, rows, seats):
                        break
                else:
                    raise Full
        yield


def _sit_in_all(folder: Path, rows: Mapping[str, int], stack: contextlib.ExitStack) -> bool:
    if all(_sit(folder, name, seats, stack) for name, seats in rows.items()):
        return True
    stack.close()
    return False


def _sit(folder: Path, name: str, seats: int, stack: contextlib.ExitStack) -> bool:
    for number in range(seats):
        file = os.open(folder / f'{name}.{number}', os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(file)
        except OSError:
            os.close(file)
        else:
            stack.callback(os.close, file)
            return True
    return False
