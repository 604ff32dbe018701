"""R3: what it takes to begin a listening and write it to the log, without the network."""

import statistics
import time

from ..setup.console import phase
from . import inside
from .data import Bench
from .table import Row, at_most, exactly, percentile

OPENINGS, RANGES = 40, 5


def measure(bench: Bench, database: str, rounds: int) -> list[Row]:
    """In a copy: the log cannot be taken back."""
    copy = f'{database}_listening'
    inside.ask(bench, inside.account, database)
    with phase('R3: listening and its log'), bench.copy(database, copy):
        answer = inside.ask(bench, listen, copy, rounds)
    return [
        at_most(
            'R3',
            'open a recording, with its line of the log, p50; floor: a signed INSERT',
            answer['p50'],
            15,
            'ms',
            answer['floor'],
        ),
        at_most('R3', 'the same, p95', answer['p95'], 30, 'ms'),
        exactly('R3', f'lines that {RANGES} further ranges of each write', answer['more']),
    ]


def listen(database: str, rounds: str) -> dict:
    """Inside Odoo: milliseconds for one opening by a user under the rules, cold caches of records as
    in a request, and the lines that the tokens write which players bring along."""
    with inside.environment(database) as env:
        recording = _recording(env)
        floor, ours, more = [], [], 0
        for _round in range(int(rounds)):
            for _opening in range(OPENINGS):
                floor.append(_timed(env, lambda: _signed_insert(env, recording))[0])
                took, answer = _timed(env, recording._begin_listening)
                ours.append(took)
                before = _lines(env)
                token = answer['url'].partition('t=')[2]
                for _range in range(RANGES):
                    env.invalidate_all()
                    recording._check_listening('play')
                    if not recording._signed_listen('play', token):
                        recording._begin_unasked('play')
                more += _lines(env) - before
        return {
            'floor': statistics.median(floor),
            'p50': statistics.median(ours),
            'p95': percentile(ours, 0.95),
            'more': more,
        }


def _recording(env):
    """A recording of a talk of somebody who is a plain user and may hear it, as that user."""
    account = env['telephony.account'].search([('name', '=', 'Bench')])
    user = (
        env['res.users']
        .with_context(no_reset_password=True)
        .create(
            {
                'name': "Listener",
                'login': 'bench-listener',
                'group_ids': [(4, env.ref('crm_telephony.group_user').id)],
            }
        )
    )
    call = env['telephony.call'].create(
        {
            'account_id': account.id,
            'external_id': 'bench-listening',
            'direction': 'inbound',
            'state': 'ended',
            'outcome': 'answered',
            'talk_seconds': 60,
            'user_id': user.id,
        }
    )
    recording = env['telephony.recording'].create(
        {'call_id': call.id, 'url': 'https://records.example.com/a.mp3', 'state': 'ready'}
    )
    env.cr.commit()
    return recording.with_user(user)


def _timed(env, work) -> tuple:
    """Milliseconds, and what the work returns."""
    env.invalidate_all()
    begin = time.perf_counter()
    answer = work()
    env.flush_all()
    took = 1000 * (time.perf_counter() - begin)
    env.cr.commit()
    return took, answer


def _signed_insert(env, recording) -> None:
    from odoo.tools import hash_sign

    env.cr.execute(
        """ INSERT INTO telephony_listen (recording_id, company_id, user_id, who, at, kind)
            VALUES (%s, 1, %s, 'floor', now() at time zone 'UTC', 'play') RETURNING id """,
        [recording.id, recording.env.uid],
    )
    hash_sign(env, 'telephony.listen', [recording.id, recording.env.uid, env.cr.fetchone()[0]])


def _lines(env) -> int:
    env.cr.execute("SELECT count(*) FROM telephony_listen")
    return env.cr.fetchone()[0]
