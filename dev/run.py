"""`make run`: Odoo with the addon in the foreground, a day of calls played through its real webhooks.

    PORT=8069            the next free one if it is taken
    HOST=127.0.0.1       0.0.0.0 lets other machines in
    DB=crm_telephony     kept between runs
    DEMO=0               a database without demo data and without calls
    LIVE=1               a slow trickle of calls goes on
"""
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NoReturn

from dev.setup import locks, paths, workplace
from dev.setup.console import Failure, fail, phase, readable_failures, say, tail
from dev.setup.database import Databases

SIMULATOR = 'dev.simulate'
ANSWER_SECONDS = 120
STOP_SECONDS = 15


def main() -> None:
    place = workplace.ensure()
    database = _option('DB', paths.ADDON)
    demo = _option('DEMO', '1') != '0'
    live = _option('LIVE', '0') != '0'
    host = _option('HOST', '127.0.0.1')
    with locks.locked(f'database-{database}', f'the database {database}', wait=False) as lock:
        databases = place.databases
        _prepare(databases, database, demo)
        port = _free_port(host, int(_option('PORT', '8069')))
        conf = place.odoo.conf(database, crons=True, http_interface=host, http_port=port)
        url = f'http://127.0.0.1:{port}'
        log = paths.LOGS / f'server-{database}.log'
        command, environment = place.odoo.command('-c', conf), place.environment()
        with _process(command, environment, paths.CHECKOUT, log, inherit=lock.fileno()) as server:
            with phase(f'Odoo on {url}'):
                _wait_until_it_answers(server, f'{url}/web/login', log)
            simulate = [sys.executable, '-m', SIMULATOR, '--url', url, '--db', database]
            if demo and not databases.memory(database).get('day_played'):
                _play_a_day(simulate, environment, databases, database)
            _tell(url, database, demo, live, log)
            trickle = _process([*simulate, 'live'], environment, paths.REPO, paths.LOGS / f'live-{database}.log')
            with trickle if live else nullcontext(), suppress(KeyboardInterrupt):
                server.wait()
                _fail_with(log, 'Odoo has ended by itself')
    say('stopped')


def _option(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _interrupt(_signal, _frame):
    raise KeyboardInterrupt


def _prepare(databases: Databases, name: str, demo: bool) -> None:
    """The database as it was left, updated if the code changed.

    Where the one of that name is of the other kind (with or without demo data) the two change places: nothing is lost.
    """
    kept = {True: f'{name}_with_demo', False: f'{name}_without_demo'}
    if databases.exists(name) and databases.memory(name).get('demo', demo) != demo:
        say(f'{name} has {"no " if demo else ""}demo data: it is kept as {kept[not demo]}')
        databases.drop(kept[not demo])
        databases.rename(name, kept[not demo])
        if databases.exists(kept[demo]):
            databases.rename(kept[demo], name)
    if databases.exists(name):
        databases.refresh(name)
    else:
        databases.create(name, demo=demo)


def _free_port(host: str, first: int) -> int:
    for port in range(first, first + 100):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            if port != first:
                say(f'port {first} is taken, using {port}')
            return port
    fail(f'no free port from {first} to {first + 99}')


@contextmanager
def _process(command: list[str], environment: dict[str, str], cwd: Path, log: Path, inherit: int | None = None):
    """A child in a process group of its own, so that Ctrl-C reaches us alone and we stop it in order.

    It may inherit the lock of its database: a server that outlives us keeps others away.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('wb') as output:
        process = subprocess.Popen(
            command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True, pass_fds=[inherit] if inherit else [])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(server: subprocess.Popen, url: str, log: Path) -> None:
    until = time.monotonic() + ANSWER_SECONDS
    while server.poll() is None and time.monotonic() < until:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError), urllib.request.urlopen(url, timeout=30):
            return
        time.sleep(0.3)
    _fail_with(log, f'Odoo does not answer on {url}')


def _fail_with(log: Path, what: str) -> NoReturn:
    fail(f'{tail(log.read_text(errors="replace"))}\n\n{what} (the lines above are from {log})')


def _play_a_day(simulate: list[str], environment: dict[str, str], databases: Databases, database: str) -> None:
    try:
        with phase('Playing a day of calls through the webhooks'):
            day = [*simulate, 'day']
            if status := subprocess.call(day, env=environment, cwd=paths.REPO, stdin=subprocess.DEVNULL):
                fail(f'the simulator ended with status {status}')
    except Failure as failure:      # the server is there to be looked at all the same
        say(f'{failure}; it will be tried again at the next start')
    else:
        databases.remember(database, day_played=True)


def _tell(url: str, database: str, demo: bool, live: bool, log: Path) -> None:
    print(f'\n  Odoo answers on {url}   login: admin   password: admin   (database {database})')
    if demo:
        print(f'  Look first at {url}/odoo/telephony-calls - the calls, missed ones in red,\n'
              f'                {url}/odoo/telephony-callbacks - who has to be called back, and until when,\n'
              f'                {url}/odoo/telephony-settle - which deal is it about?,\n'
              f'                {url}/odoo/crm - and at the calls of a deal.')
    else:
        print(f'  The database is empty: connect a PBX on {url}/odoo/telephony-pbx')
    if live:
        print('  Calls go on coming in, a few a minute: those that ring at 101 show their card, '
              f'all of them stand on {url}/odoo/telephony-live.')
    print(f'  Log: {log}   Ctrl-C stops the server; the database stays.\n', flush=True)


if __name__ == '__main__':
    # A shell that started us in the background may have told us to ignore Ctrl-C.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    with readable_failures():
        main()
