"""R8: recordings whose time has come, deleted by the scheduled action; and the brake before it."""

import time
from datetime import timedelta

from ..setup.console import phase
from . import inside
from .data import Bench
from .sizes import FULL
from .table import Row, at_most

DAYS = 30
# Bytes of each sound; every file is another one.
SOUND = 4096


def measure(bench: Bench, database: str, recordings: int) -> list[Row]:
    """In a copy: what is deleted is not brought back."""
    copy = f'{database}_retention'
    inside.ask(bench, inside.account, database)
    with phase(f'R8: {recordings:,} recordings are due'), bench.copy(database, copy):
        answer = inside.ask(bench, retain, copy, recordings)
    most = 60 * recordings / FULL.ended
    return [
        Row(
            'R8',
            f'{recordings:,} recordings due, at first',
            '',
            f"{answer['braked']} deleted",
            goal='0: the brake',
            met=not answer['braked'],
        ),
        Row(
            'R8',
            f'{recordings:,} recordings due, when a person has agreed',
            str(recordings),
            f"{answer['done']} in {answer['seconds']:.3g} s",
            goal=f'all, <= {most:g} s',
            met=answer['done'] == recordings and answer['seconds'] <= most,
        ),
        at_most('R8', 'of one recording; its files not counted', answer['queries'], 3, 'queries'),
        Row(
            'R8',
            'files, deleted afterwards',
            str(recordings),
            f"{answer['gone']} in {answer['sweep']:.3g} s",
            goal='all',
            met=answer['gone'] == recordings,
        ),
    ]


def retain(database: str, count: str) -> dict:
    """Inside Odoo: seconds and queries for so many recordings that are due, each with a sound."""
    with inside.environment(database) as env:
        from odoo.addons.crm_telephony.models.recordings import retention

        retention.BRAKE_COUNT = 0  # so that a smaller look is stopped too
        company, recordings = env.company, _talks(env, int(count))
        rules = env['telephony.retention.rule']
        rules.create({'name': "Bench", 'keep_audio_days': DAYS, 'pbx_copy': 'delete'})
        company._telephony_switch_retention(rules._cases(company.id).fingerprint)
        env.cr.commit()
        env['telephony.recording']._cron_retain()
        braked = _deleted(env)
        company._telephony_switch_retention(
            rules._cases(company.id).fingerprint, allowed=len(recordings)
        )
        env.cr.commit()
        queries, start = env.cr.sql_log_count, time.perf_counter()
        env['telephony.recording']._cron_retain()
        seconds, queries = time.perf_counter() - start, env.cr.sql_log_count - queries
        start = time.perf_counter()
        env['telephony.recording']._cron_sweep_files()
        return {
            'braked': braked,
            'done': _deleted(env),
            'seconds': seconds,
            'queries': queries / len(recordings),
            'sweep': time.perf_counter() - start,
            'gone': env['telephony.recording'].search_count([('file_state', '=', 'gone')]),
        }


def _deleted(env) -> int:
    return env['telephony.recording'].search_count([('state', '=', 'deleted')])


def _talks(env, count):
    """Recordings of calls that ended longer ago than the rule keeps them."""
    from odoo import fields

    account = env['telephony.account'].search([('name', '=', 'Bench')])
    end = fields.Datetime.now() - timedelta(days=DAYS + 5)
    calls = env['telephony.call'].create(
        [
            {
                'account_id': account.id,
                'external_id': f'keep-{place}',
                'direction': 'inbound',
                'outcome': 'answered',
                'state': 'ended',
                'follow_up': 'done',
                'start_at': end - timedelta(seconds=place + 60),
                'ended_at': end - timedelta(seconds=place),
                'talk_seconds': 60,
            }
            for place in range(count)
        ]
    )
    recordings = env['telephony.recording'].create(
        [
            {
                'call_id': call.id,
                'ref': call.external_id,
                'url': f'https://pbx.example.com/{call.id}',
            }
            for call in calls
        ]
    )
    for recording in recordings:
        recording._store_sound(recording.id.to_bytes(8, 'big') * (SOUND // 8), 'audio/mpeg')
    env.cr.commit()
    return recordings
