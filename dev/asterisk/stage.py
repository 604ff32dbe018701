"""Asterisk, the bridge and an Odoo server with the addon, all real, and a look at what the calls
became."""

import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..setup import locks, paths, workplace
from ..setup.console import phase
from ..setup.database import code_hash
from ..setup.process import fail_with, free_ports, stop, wait_until_it_answers
from . import root, server
from .ami import Ami
from .server import BRIDGE_SECRET, BRIDGE_USER, CONTROL_SECRET, CONTROL_USER, LINES

BRIDGE = paths.REPO / 'bridge'
DATABASE = f'{paths.ADDON}_asterisk_{paths.CHECKOUT_ID}'
ADMIN = 2
PHONE_ROWS, NUMBER_KINDS = (2, 3), (1, 2, 3, 4, 7)


class Program:
    """A child whose output goes to a log."""

    def __init__(self, command: list[str], environment: dict[str, str], cwd: Path, log: Path):
        self.command, self.environment, self.cwd, self.log = command, environment, cwd, log
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open('ab') as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        stop(self.process, how)


class Stage:
    def __init__(self, place: workplace.Workplace, asterisk: server.Asterisk, port: int):
        self.place, self.asterisk, self.port = place, asterisk, port
        self.url = f'http://127.0.0.1:{port}'
        self.odoo = Program(
            place.odoo.command('-c', place.odoo.conf(DATABASE, crons=True, http_port=port)),
            place.environment(),
            paths.CHECKOUT,
            _fresh(paths.LOGS / 'asterisk-odoo.log'),
        )
        self.spool = paths.CHECKOUT / 'bridge' / 'spool.sqlite'
        for file in self.spool.parent.glob('spool.sqlite*'):
            file.unlink()
        self.bridge = Program([], {}, BRIDGE, _fresh(paths.LOGS / 'asterisk-bridge.log'))
        self.ami = Ami(asterisk.ports)
        self.account = 0

    def start_odoo(self) -> None:
        self.odoo.start()
        wait_until_it_answers(self.odoo.process, f'{self.url}/web/health', self.odoo.log)

    def connect(self) -> None:
        """An account for our Asterisk with its numbers and phones, and the bridge set up for it."""
        company, country = 1, self.ask('res.country', 'search', [('code', '=', 'GB')])[0]
        self.ask('res.company', 'write', [company], {'country_id': country})
        self.account = self.ask(
            'telephony.account',
            'create',
            [
                {
                    'name': "Asterisk",
                    'provider': 'asterisk',
                    'api_key': CONTROL_USER,
                    'api_secret': CONTROL_SECRET,
                    'api_url': f'http://127.0.0.1:{self.asterisk.ports.http}',
                    'country_id': country,
                    'timezone': 'UTC',
                }
            ],
        )[0]
        self.ask(
            'telephony.number',
            'create',
            [
                {'name': f'+442079460{kind}{line:02}', 'account_id': self.account}
                for line in LINES
                for kind in NUMBER_KINDS
            ],
        )
        self.ask(
            'telephony.extension',
            'create',
            [
                {'number': f'{row}{line:02}', 'account_id': self.account}
                for line in LINES
                for row in PHONE_ROWS
            ],
        )
        token = self.ask('telephony.account', 'read', [self.account], ['webhook_token'])[0][
            'webhook_token'
        ]
        self.bridge.command = [sys.executable, '-m', 'telephony_bridge']
        self.bridge.environment = {
            'PATH': os.environ['PATH'],
            'PYTHONDONTWRITEBYTECODE': '1',
            'BRIDGE_PBX_PORT': str(self.asterisk.ports.ami),
            'BRIDGE_PBX_USER': BRIDGE_USER,
            'BRIDGE_PBX_SECRET': BRIDGE_SECRET,
            'BRIDGE_CRM_SECRET': CONTROL_SECRET,
            'BRIDGE_CRM_URL': f'{self.url}/telephony/webhook/asterisk/{token}',
            'BRIDGE_SPOOL_PATH': str(self.spool),
            'BRIDGE_RECORDINGS_PATH': str(self.monitor),
            'BRIDGE_RECORDINGS_DELETE': 'asked',
            'BRIDGE_HISTORY_CEL_FILE': str(
                root.inside(root.WORK / 'log' / 'cel-custom' / 'crm.csv')
            ),
        }

    @property
    def monitor(self) -> Path:
        """Where Asterisk keeps its recordings."""
        return root.inside(root.WORK / 'spool' / 'monitor')

    def start_bridge(self) -> None:
        before = self.connections()
        self.bridge.start()
        until = time.monotonic() + 10
        while self.connections() == before:
            if time.monotonic() > until or self.bridge.process.poll() is not None:
                fail_with(self.bridge.log, 'the bridge does not start')
            time.sleep(0.02)

    def reconnect(self) -> None:
        """After Asterisk has been away."""
        self.ami.close()
        self.ami = Ami(self.asterisk.ports)

    def connections(self) -> int:
        """How often the bridge has found out which channels are live."""
        return self.bridge.log.read_text(errors='replace').count('live channels')

    def ask(self, model: str, method: str, *arguments, **options):
        """Odoo's external API, as the administrator."""
        odoo = xmlrpc.client.ServerProxy(f'{self.url}/xmlrpc/2/object', allow_none=True)
        return odoo.execute_kw(DATABASE, ADMIN, 'admin', model, method, arguments, options)

    def calls(self, numbers: list[str]) -> list[dict]:
        """The calls in which one of these numbers takes part, oldest first, with `legs` and
        `callback`."""
        rows = self.ask(
            'telephony.call',
            'search_read',
            [
                ('account_id', '=', self.account),
                '|',
                ('caller_number', 'in', numbers),
                ('called_number', 'in', numbers),
            ],
            [
                'external_id',
                'direction',
                'caller_number',
                'called_number',
                'customer_number',
                'number_id',
                'start_at',
                'answered_at',
                'ended_at',
                'wait_seconds',
                'talk_seconds',
                'state',
                'outcome',
                'extension',
                'queue',
                'recording_ids',
                'callback_id',
            ],
            order='start_at, id',
        )
        legs = self.ask(
            'telephony.call.leg',
            'search_read',
            [('call_id', 'in', [row['id'] for row in rows])],
            ['call_id', 'extension', 'outcome'],
        )
        for row in rows:
            row['legs'] = {
                leg['extension']: leg['outcome'] for leg in legs if leg['call_id'][0] == row['id']
            }
        return rows

    def recordings(self, numbers: list[str]) -> list[dict]:
        """The recordings of the calls in which one of these numbers takes part."""
        return self.ask(
            'telephony.recording',
            'search_read',
            [('call_id', 'in', [row['id'] for row in self.calls(numbers)])],
            ['ref', 'state', 'sha256', 'channels', 'agent_channel', 'player_url', 'pbx_copy'],
        )

    def open_callbacks(self, numbers: list[str]) -> list[dict]:
        return self.ask(
            'telephony.callback',
            'search_read',
            [('customer_number', 'in', numbers), ('state', '=', 'open')],
            ['customer_number', 'due_at'],
        )

    def failed_events(self) -> list[dict]:
        return self.ask(
            'telephony.event',
            'search_read',
            [('account_id', '=', self.account), ('state', '=', 'failed')],
            ['kind', 'error', 'payload'],
            limit=10,
        )


@contextmanager
def ready():
    """All three at work, on free ports and a database of their own."""
    place = workplace.ensure()
    with ExitStack() as stack:
        stack.enter_context(locks.locked(f'database-{DATABASE}', f'the database {DATABASE}'))
        _prepare(place)
        asterisk = stack.enter_context(server.running(server.roomy_ports()))
        stage = Stage(place, asterisk, *free_ports(1))
        stack.callback(stage.odoo.stop)
        stack.callback(stage.bridge.stop)
        stack.callback(lambda: stage.ami.close())
        with phase('Odoo for the Asterisk tests'):
            stage.start_odoo()
            stage.connect()
        stage.start_bridge()
        yield stage


def _prepare(place: workplace.Workplace) -> None:
    """A copy, made anew each time, of a database that has the addon as it is now. No browser looks
    at it."""
    databases, origin, code = place.databases, f'{DATABASE}_origin', code_hash()
    if databases.memory(origin).get('code') != code:
        databases.drop(origin)
        databases.copy(databases.template(demo=False), origin)
        databases.remember(origin, code='')  # ours, though not finished
        place.odoo.install(origin, paths.ADDON)
        databases.remember(origin, code=code)
    databases.drop(DATABASE)
    databases.copy(origin, DATABASE)
    databases.remember(DATABASE, copy_of=origin)


def _fresh(log: Path) -> Path:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b'')
    return log
