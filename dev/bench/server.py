"""Odoo servers to be measured, on free ports of the loopback interface."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil

from ..setup import paths
from ..setup.process import free_ports, stop, wait_until_it_answers
from .data import Bench

START = Path(__file__).parent / 'start' / 'odoo_server.py'


class Server:
    def __init__(self, process: subprocess.Popen, port: int, websocket_port: int, log: Path):
        self.process = psutil.Process(process.pid)
        self.port, self.websocket_port, self.log = port, websocket_port, log

    def megabytes(self) -> float:
        """Memory of the process that answers, the largest if there are several."""
        return (
            max(process.memory_info().rss for process in [self.process, *self._workers()]) / 2**20
        )

    def processor_ms(self) -> float:
        """What all its processes have used so far; hardly disturbed by what else the machine
        does."""
        times = [process.cpu_times() for process in [self.process, *self._workers()]]
        return 1000 * sum(one.user + one.system for one in times)

    def logged(self, pattern: str) -> int:
        """How often that stands in the log."""
        return len(re.findall(pattern, self.log.read_text(errors='replace')))

    def _workers(self) -> list[psutil.Process]:
        return [child for child in self.process.children() if 'gevent' not in child.cmdline()]


@contextmanager
def running(bench: Bench, database: str, workers: int = 0, crons: int = 0):
    """One server, by default without scheduled actions: what follows a call is not to be measured
    then."""
    port, websocket_port = free_ports(2)
    log = paths.LOGS / f'bench-workers-{workers}.log'
    log.unlink(missing_ok=True)
    # with a dbfilter Odoo opens a connection to list the databases in every request: as long as the
    # floor itself
    options = (
        '-c',
        bench.odoo.conf(database, dbfilter=''),
        '--workers',
        workers,
        '--http-port',
        port,
        '--gevent-port',
        websocket_port,
        '--max-cron-threads',
        crons,
        '--logfile',
        log,
    )
    process = subprocess.Popen(
        [sys.executable, START, *map(str, options)],
        env=bench.odoo.environment(),
        cwd=paths.CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_it_answers(process, f'http://127.0.0.1:{port}/web/health', log)
        if workers:  # the websocket's process starts later
            wait_until_it_answers(
                process, f'http://127.0.0.1:{websocket_port}/websocket/health', log
            )
        yield Server(process, port, websocket_port if workers else port, log)
    finally:
        stop(process)
