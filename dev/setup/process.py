"""Servers that run beside us: a free port, waiting until one answers, an end in order."""

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

from .console import fail, say, tail

LOCAL = '127.0.0.1'


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface, wherever there is room."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server((LOCAL, 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def next_free_port(first: int, host: str = LOCAL) -> int:
    """This one, or the first free one after it."""
    for port in range(first, first + 100):
        with suppress(OSError), socket.create_server((host, port)):
            if port != first:
                say(f'port {first} is taken, using {port}')
            return port
    fail(f'no free port from {first} to {first + 99}')


def wait_until_it_answers(server: subprocess.Popen, url: str, log: Path, seconds: int = 90) -> None:
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        with (
            suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(url, timeout=30),
        ):
            return
        time.sleep(0.2)
    fail_with(log, f'nothing answers on {url}')


def fail_with(log: Path, what: str) -> NoReturn:
    """The end of a child's log, and what is wrong."""
    said = log.read_text(errors='replace') if log.exists() else ''
    fail(f'{tail(said)}\n\n{what} (the lines above are from {log})')


def stop(
    process: subprocess.Popen | None, how: signal.Signals = signal.SIGTERM, seconds: int = 20
) -> None:
    """Ask it to end, and end it if it does not."""
    if process and process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
