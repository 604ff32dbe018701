"""`make run`: Odoo with the addon in the foreground, a day of calls played through its real
webhooks.

    PORT=8069            the next free one if it is taken
    HOST=127.0.0.1       0.0.0.0 lets other machines in
    DB=crm_telephony     kept between runs
    DEMO=0               a database without demo data and without calls
    LIVE=1               a slow trickle of calls goes on
    SOFTPHONE=1          a real Asterisk beside it, whose phones are browsers

While it runs the demo company's PBXs answer (dev/simulate/pbx.py), so that people can be called
from Odoo.
"""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from pathlib import Path

from .setup import locks, paths, workplace
from .setup.console import Failure, fail, phase, readable_failures, say
from .setup.database import Databases
from .setup.process import fail_with, next_free_port, stop, wait_until_it_answers
from .simulate.odoo import NotReady, Odoo
from .simulate.pbx import answering

SIMULATOR = 'dev.simulate'
ANSWER_SECONDS = 120


def main() -> None:
    place = workplace.ensure()
    database = _option('DB', paths.ADDON)
    demo = _option('DEMO', '1') != '0'
    live = _option('LIVE', '0') != '0'
    host = _option('HOST', '127.0.0.1')
    with locks.locked(f'database-{database}', f'the database {database}', wait=False) as lock:
        databases = place.databases
        _prepare(databases, database, demo)
        port = next_free_port(int(_option('PORT', '8069')), host)
        conf = place.odoo.conf(database, crons=True, http_interface=host, http_port=port)
        url = f'http://127.0.0.1:{port}'
        log = paths.LOGS / f'server-{database}.log'
        command, environment = place.odoo.command('-c', conf), place.environment()
        with _process(command, environment, paths.CHECKOUT, log, inherit=lock.fileno()) as server:
            with phase(f'Odoo on {url}'):
                wait_until_it_answers(server, f'{url}/web/login', log, ANSWER_SECONDS)
            simulate = [sys.executable, '-m', SIMULATOR, '--url', url, '--db', database]
            if demo and not databases.memory(database).get('day_played'):
                _play_a_day(simulate, environment, databases, database)
            with (
                _demo_pbx(url, database, live) if demo else nullcontext(),
                _browser_phones(url, database)
                if demo and _option('SOFTPHONE', '0') != '0'
                else nullcontext(),
                suppress(KeyboardInterrupt),
            ):
                _tell(url, database, demo, live, log)
                server.wait()
                fail_with(log, 'Odoo has ended by itself')
    say('stopped')


def _option(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _interrupt(_signal, _frame):
    raise KeyboardInterrupt


def _prepare(databases: Databases, name: str, demo: bool) -> None:
    """The database as it was left, updated if the code changed.

    Where the one of that name is of the other kind (with or without demo data) the two change
    places: nothing is lost.
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


@contextmanager
def _process(
    command: list[str],
    environment: dict[str, str],
    cwd: Path,
    log: Path,
    inherit: int | None = None,
):
    """A child in a process group of its own, so that Ctrl-C reaches us alone and we stop it in
    order.

    It may inherit the lock of its database: a server that outlives us keeps others away.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('wb') as output:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[inherit] if inherit else [],
        )
    try:
        yield process
    finally:
        stop(process, signal.SIGINT)


def _play_a_day(
    simulate: list[str], environment: dict[str, str], databases: Databases, database: str
) -> None:
    try:
        with phase('Playing a day of calls through the webhooks'):
            day = [*simulate, 'day']
            if status := subprocess.call(
                day, env=environment, cwd=paths.REPO, stdin=subprocess.DEVNULL
            ):
                fail(f'the simulator ended with status {status}')
    except Failure as failure:  # the server is there to be looked at all the same
        say(f'{failure}; it will be tried again at the next start')
    else:
        databases.remember(database, day_played=True)


@contextmanager
def _demo_pbx(url: str, database: str, live: bool):
    """The demo's PBXs answer, so that Call, Transfer and Hang Up work; what they have to say goes
    into a log of its own."""
    log = paths.LOGS / f'pbx-{database}.log'
    with log.open('w', encoding='utf-8', buffering=1) as output, ExitStack() as stack:
        try:
            odoo = Odoo(url, database, login='admin', password='admin')
            odoo.open_now(datetime.now(timezone.utc))
            stack.enter_context(
                answering(odoo, is_live=live, tell=lambda text: print(text, file=output))
            )
        # as where the password is another: Odoo can be looked at all the same
        except NotReady as problem:
            say(f'Call, Transfer and Hang Up will not work, the demo PBX cannot start: {problem}')
        yield


def _browser_phones(url: str, database: str):
    from .asterisk.browsers import browser_phones

    odoo = Odoo(url, database, login='admin', password='admin')
    return browser_phones(url, odoo, paths.LOGS / f'bridge-{database}.log')


def _tell(url: str, database: str, demo: bool, live: bool, log: Path) -> None:
    print(
        f'\n  Odoo answers on {url}   (database {database})\n\n'
        + (
            _tour(url, live)
            if demo
            else (
                '  Log in as admin / admin. The database is empty: connect a PBX on\n'
                f'  {url}/odoo/telephony-pbx'
            )
        )
        + f'\n\n  Log: {log}   Ctrl-C stops the server; the database stays.\n',
        flush=True,
    )


def _tour(url: str, live: bool) -> str:
    calls = (
        'Calls come in by themselves, a few a minute; those at phone 101 show their card.'
        if live
        else '`make call` in a second terminal: a customer calls phone 101, and its card comes up.'
    )
    return f"""\
  Log in as (name and password are the same)
    admin      the administrator; shares phone 101             reads English
    aigerim    a salesperson at phone 101                      reads Russian
    zhanna     the head of sales, has no phone                 reads Russian, as all others do
  The language is chosen under one's picture at the top right → My Preferences.

  Look first at
    {url}/odoo/telephony-callbacks    who has to be called back, and until when.
        Press Call: the PBX of the demo answers. The phone is picked up, the customer answers, the card follows; hang up
        or pass the call on to a colleague, and say what came of it.
    {url}/odoo/telephony-settle       calls that may be about several deals
    {url}/odoo/telephony-calls        all calls, lost ones in red
    {url}/odoo/telephony-live         what goes on now (admin, zhanna)
    {url}/odoo/crm                    the deals, each with its calls
  {calls}
  With SOFTPHONE=1 the browsers of admin and aigerim are phones 104 and 105 of a real Asterisk: call 105 from one of them."""


if __name__ == '__main__':
    # A shell that started us in the background may have told us to ignore Ctrl-C.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    with readable_failures():
        main()
