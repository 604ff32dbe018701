"""R10: the bridge uploads a large file of a PBX while its events go on.

The floor posts the same pieces with a wrong signature: HTTP, the sum and nothing else.
"""

import os
import random
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil

from bridge.telephony_bridge import config, recordings, sender, spool

from ..setup import paths
from ..setup.console import fail, phase
from . import inside, server
from .data import Bench
from .sizes import Size
from .table import Row, at_most, percentile

NAME, CALL, SECRET = 'bench-20261130-151652-1.1.wav', '1.1', 'bench'
HEAD = b'RIFF\0\0\0\0WAVEfmt '
LOOK = 0.05  # how often it is looked at (seconds)
PATIENCE = 120
EVENT_SECONDS = 0.2


def measure(bench: Bench, database: str, size: Size) -> list[Row]:
    copy, megabytes = f'{database}_upload', size.copy
    with (
        phase(f'R10: a file of {megabytes} MB'),
        bench.copy(database, copy),
        tempfile.TemporaryDirectory() as folder,
        _chatter() as pbx,
    ):
        address, folder = inside.ask(bench, recording, copy), Path(folder)
        file = folder / 'monitor' / '2026' / '11' / '30' / NAME
        file.parent.mkdir(parents=True)
        file.write_bytes(HEAD + random.Random(10).randbytes(megabytes * 1_000_000 - len(HEAD)))
        with server.running(bench, copy) as running:
            url = f'http://127.0.0.1:{running.port}{address}'
            floor = _floor(file, url)
            with _bridge(folder, url, pbx) as bridge:
                seconds, memory, waits = _upload(
                    folder / 'spool.sqlite', file.stat().st_size, bridge
                )
        joined = inside.ask(bench, join, copy)
        is_whole = joined['sha256'] == recordings.digest(file)[1]
    rate = megabytes / max(seconds, LOOK)
    return [
        Row(
            'R10',
            f'{megabytes} MB, uploaded',
            f'{megabytes / floor:.3g} MB/s',
            f'{rate:.3g} MB/s' if is_whole else 'broken',
            f'{rate * floor / megabytes:.2f}',
            '>= 10 MB/s',
            is_whole and rate >= 10,
        ),
        at_most('R10', 'memory of the bridge', memory, 40, 'MB'),
        at_most('R10', 'wait of an event meanwhile, at most', max(waits), 1, 's'),
        Row('R10', 'wait of an event meanwhile, median', '', f'{percentile(waits, 0.5):.3g} s'),
        Row('R10', f'{megabytes} MB, joined', '', f"{joined['seconds']:.3g} s"),
        at_most('R10', 'memory for it', joined['megabytes'], 1.1 * megabytes + 5, 'MB'),
    ]


def join(database: str) -> dict:
    """Inside Odoo: join the pieces; how long that took and how much memory (MB)."""
    with inside.environment(database) as env:
        before, start = _memory('VmRSS'), time.perf_counter()
        Path('/proc/self/clear_refs').write_text('5')  # the peak counts from here
        env['telephony.recording']._cron_join()
        seconds, megabytes = time.perf_counter() - start, _memory('VmHWM') - before
        found = env['telephony.recording'].search([('ref', '=', NAME)])
        return {'seconds': seconds, 'megabytes': megabytes, 'sha256': found.sha256}


def _memory(name: str) -> float:
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


def recording(database: str) -> str:
    """Inside Odoo: a recording that waits for its file; the path of the webhook."""
    from odoo import fields

    with inside.environment(database) as env:
        # the benches' databases keep files in themselves; a real one keeps them on the disk
        env['ir.config_parameter'].set_param('ir_attachment.location', 'file')
        account = env['telephony.account'].create(
            {
                'name': "Bench of uploads",
                'provider': 'asterisk',
                'api_secret': SECRET,
                'country_id': env.ref('base.kz').id,
                'timezone': 'UTC',
            }
        )
        call = env['telephony.call'].create(
            {
                'account_id': account.id,
                'external_id': CALL,
                'direction': 'inbound',
                'state': 'ended',
                'outcome': 'answered',
                'follow_up': 'done',
                'start_at': fields.Datetime.now(),
                'ended_at': fields.Datetime.now(),
            }
        )
        env['telephony.recording'].create({'call_id': call.id, 'ref': NAME})
        env.cr.commit()
        return f'/telephony/webhook/asterisk/{account.webhook_token}'


def _floor(file: Path, url: str) -> float:
    """Seconds for the same pieces, of which each is refused."""
    crm, begin = config.Crm(url, 'another'), time.perf_counter()
    with file.open('rb') as pieces:
        while piece := pieces.read(recordings.PIECE):
            answer = sender.post(crm, piece, 'recording', 'application/octet-stream')
            if answer.status != 403:
                fail(f'a piece with a wrong signature: {answer}')
    return time.perf_counter() - begin


@contextmanager
def _bridge(folder: Path, url: str, pbx: int):
    """The bridge with one recording to upload, whose call has just ended."""
    own = spool.Spool(folder / 'spool.sqlite', sync=False)
    own.write([], {}, (), [spool.Announced(NAME, CALL, CALL)])
    own.write([], {}, [CALL])
    own.close()
    log = (paths.LOGS / 'bench-bridge.log').open('wb')
    process = subprocess.Popen(
        [sys.executable, '-m', 'telephony_bridge'],
        env={
            'PATH': os.environ['PATH'],
            'BRIDGE_PBX_PORT': str(pbx),
            'BRIDGE_PBX_USER': 'bench',
            'BRIDGE_PBX_SECRET': 'bench',
            'BRIDGE_CRM_URL': url,
            'BRIDGE_CRM_SECRET': SECRET,
            'BRIDGE_SPOOL_PATH': str(folder / 'spool.sqlite'),
            'BRIDGE_RECORDINGS_PATH': str(folder / 'monitor'),
        },
        cwd=paths.REPO / 'bridge',
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()
        log.close()


def _upload(file: Path, size: int, bridge: psutil.Process) -> tuple[float, float, list[float]]:
    """Seconds from the first piece to the last, megabytes of the bridge, and how long events have
    waited in its spool (seconds)."""
    began, most, waits, since = 0.0, 0.0, [0.0], {}
    until = time.monotonic() + PATIENCE
    with sqlite3.connect(f'file:{file}?mode=ro', uri=True) as own:
        while time.monotonic() < until:
            now = time.monotonic()
            rows = own.execute('SELECT sha256, have FROM recording').fetchall()
            # a file that has come is forgotten; a small one before we look again
            sha256, have = rows[0] if rows else (True, size)
            began = began or (now if sha256 else 0)
            there = {number for (number,) in own.execute('SELECT id FROM event')}
            waits += [now - since.pop(number) for number in since.keys() - there]
            since = {number: since.get(number, now) for number in there}
            most = max(most, bridge.memory_info().rss / 2**20)
            if sha256 and have == size:
                return now - began, most, waits + [now - moment for moment in since.values()]
            time.sleep(LOOK)
    return fail(f'the file did not come within {PATIENCE} s, see {paths.LOGS}/bench-bridge.log')


class _Pbx(socketserver.StreamRequestHandler):
    """Lets everybody in, and says something five times a second."""

    def handle(self):
        self.wfile.write(b'Asterisk Call Manager/11.0.0\r\n')
        threading.Thread(target=self.chat, daemon=True).start()
        action = {}
        for line in self.rfile:
            name, _colon, value = line.decode().strip().partition(': ')
            if name:
                action[name] = value
                continue
            answer = {'Response': 'Success', 'ActionID': action['ActionID'], 'Challenge': '1'}
            self.say(answer)
            if action['Action'] == 'CoreShowChannels':
                self.say({'Event': 'CoreShowChannelsComplete', 'ActionID': action['ActionID']})
            action = {}

    def chat(self):
        number = 0
        while True:
            time.sleep(EVENT_SECONDS)
            try:
                self.say({'Event': 'UserEvent', 'UserEvent': 'bench', 'Number': str(number)})
            except OSError:
                return
            number += 1

    def say(self, headers):
        self.wfile.write(
            ''.join(f'{name}: {value}\r\n' for name, value in headers.items()).encode() + b'\r\n'
        )


@contextmanager
def _chatter():
    """The port of a PBX that talks all the time."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(('127.0.0.1', 0), _Pbx) as pbx:
        threading.Thread(target=pbx.serve_forever, daemon=True).start()
        yield pbx.server_address[1]
        pbx.shutdown()
