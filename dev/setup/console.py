"""Progress a person can follow, and commands whose output is kept in a file until somebody needs
it."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from . import paths

# the command goes on with it when it continues inside the virtual environment
CLOCK = 'CRM_TELEPHONY_STARTED'
START = float(os.environ.setdefault(CLOCK, str(time.time())))
HEARTBEAT_SECONDS = 10
TAIL_LINES = 40


class Failure(Exception):
    """Something the person at the keyboard has to know; shown without a traceback."""


def say(text: str) -> None:
    print(f'[{time.time() - START:4.0f}s] {text}', file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    raise Failure(text)


@contextmanager
def phase(title: str):
    """Announce a piece of work and tell how long it took."""
    say(f'{title} ...')
    began = time.time()
    yield
    say(f'{title}: done in {time.time() - began:.0f}s')


@contextmanager
def readable_failures():
    """The outermost frame of every command: a `Failure` ends the program with its text and exit
    status 1."""
    try:
        yield
    except Failure as failure:
        print(f'\n{failure}', file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr, flush=True)
        sys.exit(130)


def call(
    command: Sequence[str | Path], *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> str | None:
    """Output of a short question to the system; None if it cannot be answered."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env=env,
            cwd=cwd,
            check=True,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def run(
    command: Sequence[str | Path],
    log: str,
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Path | None = None,
    check: bool = True,
) -> tuple[int, str]:
    """Run a long command. Its output goes to `<cache>/log/<log>.log`; what it is at is told every
    ten seconds.

    Returns the exit status and the output. With `check` a failing command ends the set-up and shows
    its last lines.
    """
    command = [str(part) for part in command]
    file = paths.LOGS / f'{log}.log'
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open('wb') as output, open(stdin or os.devnull, 'rb') as given:
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=given, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    status = process.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f'    {_last_line(file)}')
        except BaseException:
            process.terminate()
            process.wait()
            raise
    text = file.read_text(errors='replace')
    if check and status:
        fail(
            f'{tail(text)}\n\nStatus {status} of: {shlex.join(command)}\nAll of its output: {file}'
        )
    return status, text


def tail(text: str) -> str:
    """The end of a log, to be shown when something went wrong."""
    return '\n'.join(text.splitlines()[-TAIL_LINES:])


def _last_line(file: Path) -> str:
    """What a running command printed last, cut to a terminal's width."""
    with file.open('rb') as output:
        output.seek(max(0, file.stat().st_size - 4096))
        lines = re.split(r'[\r\n]+', output.read().decode(errors='replace').strip())
    return lines[-1].strip()[:110] or 'working'
