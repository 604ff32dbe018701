"""R1 and R2: storing our copy of a recording, and playing a part of it."""

import hashlib
import random
import statistics
import time
from pathlib import Path

import requests

from .. import screenshot
from ..setup.console import phase
from . import inside, server
from .data import Bench
from .sizes import Size
from .table import Pair, Row, at_most

MEGABYTE = 1024 * 1024
# What beside the floor is allowed (ms), and beside the file (MB).
OVERHEAD_MS, OVERHEAD_MB, QUERIES = 40, 40, 6
PARTS, PART = 30, 64 * 1024


def measure(bench: Bench, database: str, wanted: set[str], size: Size) -> list[Row]:
    """In a copy, with an account and a user of its own."""
    copy = f'{database}_recordings'
    inside.ask(bench, inside.account, database)
    with phase('R1, R2: copies of recordings'), bench.copy(database, copy):
        rows = _stored(inside.ask(bench, store, copy, size.rounds, size.copy))
        return rows + (_played(bench, copy, size) if 'r2' in wanted else [])


def _stored(answer: dict) -> list[Row]:
    floor, ours, megabytes = answer['floor'], answer['ours'], answer['megabytes']
    return [
        at_most(
            'R1',
            f'copy of {megabytes} MB stored; floor: an attachment of the same bytes',
            ours,
            1.5 * floor + OVERHEAD_MS,
            'ms',
            floor,
        ),
        at_most('R1', 'memory gained meanwhile', answer['grown'], megabytes + OVERHEAD_MB, 'MB'),
        at_most('R1', 'of one copy', answer['queries'], QUERIES, 'queries'),
    ]


def _played(bench: Bench, database: str, size: Size) -> list[Row]:
    recording, attachment, length = inside.ask(bench, provide, database, size.copy)
    with server.running(bench, database) as running:
        url = f'http://127.0.0.1:{running.port}'
        session = requests.Session()
        session.cookies['session_id'] = screenshot.session(url, database, 'admin', None)
        opened = session.post(
            f'{url}/telephony/recording/{recording}/open', json={'jsonrpc': '2.0', 'params': {}}
        )
        ours, pair = opened.json()['result']['url'], Pair()
        for turn in range(size.rounds):
            pair.add(
                _part_ms(session, f'{url}/web/content/{attachment}', length, turn),
                _part_ms(session, url + ours, length, turn),
            )
    return [pair.row('R2', 'a part of 64 KB; floor: /web/content', 'ms', most=1.5)]


def _part_ms(session: requests.Session, url: str, length: int, turn: int) -> float:
    """Milliseconds for a part, the median of some from all over the file."""
    chance, times = random.Random(turn), []
    for _part in range(PARTS):
        begin = chance.randrange(max(length - PART, 1))
        start = time.perf_counter()
        answer = session.get(url, headers={'Range': f'bytes={begin}-{begin + PART - 1}'})
        times.append((time.perf_counter() - start) * 1000)
        if answer.status_code != 206:
            raise AssertionError(f'{url} answered {answer.status_code}')
    return statistics.median(times)


def store(database: str, rounds: str, megabytes: str) -> dict:
    """Inside Odoo: milliseconds, queries and the memory gained for a copy whose bytes lie in a file, as
    after a fetch."""
    floor, ours, grown, queries = [], [], [], []
    with inside.environment(database) as env:
        for turn in range(int(rounds) + 1):
            recording = _recording(env, turn)
            sound = random.Random(turn).randbytes(int(megabytes) * MEGABYTE)
            floor.append(_timed(env, _attach, env, sound))
            sound = None
            fetched = _fetched(f'ours {turn}', int(megabytes))
            _forget_peak()
            before, count = _memory('VmRSS'), env.cr.sql_log_count
            recording = recording.with_context(telephony_probed_later=True)  # as by the queue
            ours.append(_timed(env, recording._keep_sound, fetched, 'audio/mpeg'))
            queries.append(env.cr.sql_log_count - count)
            grown.append(_memory('VmHWM') - before)
        assert recording.copy_state == 'done' and recording.size == int(megabytes) * MEGABYTE
    return {
        'megabytes': int(megabytes),
        'floor': statistics.median(floor[1:]),
        'ours': statistics.median(ours[1:]),
        'grown': max(grown),
        'queries': statistics.median(queries[1:]),
    }


def provide(database: str, megabytes: str) -> list[int]:
    """Inside Odoo: a recording with our copy, an attachment of the same size, and this in bytes."""
    with inside.environment(database) as env:
        length = int(megabytes) * MEGABYTE
        recording = _recording(env, 'played')
        recording._store_sound(random.Random('ours').randbytes(length), 'audio/mpeg')
        attachment = _attach(env, random.Random('floor').randbytes(length))
        env.cr.commit()
        return [recording.id, attachment.id, length]


def _attach(env, sound):
    return env['ir.attachment'].create({'name': 'floor', 'mimetype': 'audio/mpeg', 'raw': sound})


def _recording(env, name):
    account = env['telephony.account'].search([('name', '=', 'Bench')])
    account.recording_storage = 'copy'
    # the databases of the workplace keep their assets in themselves
    env['ir.config_parameter'].set_param('ir_attachment.location', 'file')
    call = env['telephony.call'].create(
        {
            'account_id': account.id,
            'external_id': f'recorded-{name}',
            'direction': 'inbound',
            'state': 'ended',
            'outcome': 'answered',
        }
    )
    recording = env['telephony.recording'].create(
        {'call_id': call.id, 'state': 'ready', 'url': f'https://pbx.example.com/{name}.mp3'}
    )
    env.cr.commit()
    return recording


def _fetched(seed: str, megabytes: int):
    """What a fetch hands over: the file lies on the disk."""
    import tempfile

    from odoo.addons.crm_telephony.providers.fetch import IN_MEMORY, Sound

    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - read by whoever gets it
    digest, chance = hashlib.sha256(), random.Random(seed)
    for _part in range(megabytes):
        part = chance.randbytes(MEGABYTE)
        file.write(part)
        digest.update(part)
    file.seek(0)
    return Sound(200, {}, file, megabytes * MEGABYTE, digest.hexdigest())


def _timed(env, work, *arguments) -> float:
    start = time.perf_counter()
    work(*arguments)
    env.flush_all()
    spent = (time.perf_counter() - start) * 1000
    env.cr.commit()
    return spent


def _forget_peak() -> None:
    Path('/proc/self/clear_refs').write_text('5', encoding='ascii')


def _memory(name: str) -> float:
    """MB: `VmRSS` now, `VmHWM` at most since the peak was forgotten."""
    text = Path('/proc/self/status').read_text(encoding='ascii')
    [line] = (line for line in text.splitlines() if line.startswith(f'{name}:'))
    return int(line.split()[1]) / 1024
