"""P13: what ended calls lead to, worked off by the scheduled action."""

import random
import resource
import time
from datetime import timedelta
from pathlib import Path

from ..setup.console import phase
from . import inside
from .data import Bench
from .sizes import FULL
from .table import Row, at_most

# As a sales department's day: (outcome, direction, share, kind of talk).
DAY = (
    ('answered', 'inbound', 50),
    ('missed', 'inbound', 18),
    ('abandoned', 'inbound', 5),
    ('voicemail', 'inbound', 1),
    ('answered', 'outbound', 10),
    ('no_answer', 'outbound', 12),
    ('busy', 'outbound', 3),
    ('failed', 'outbound', 1),
)
BATCH = 100


def measure(bench: Bench, database: str, calls: int) -> list[Row]:
    """In a copy: what follows from calls is not taken back."""
    copy = f'{database}_follow_up'
    inside.ask(bench, inside.account, database)
    with phase(f'P13: what {calls:,} ended calls lead to'), bench.copy(database, copy):
        answer = inside.ask(bench, work_off, copy, calls)
    most = 60 * calls / FULL.ended
    return [
        at_most(
            'P13',
            f"ended call: chatter, callback, effects ({answer['effects']:,} in all); floor: a chatter line",
            answer['ms'],
            4,
            'ms',
            answer['floor'],
        ),
        at_most('P13', 'of one call', answer['queries'], 2, 'queries'),
        Row(
            'P13',
            f'{calls:,} ended calls, one scheduled action',
            str(calls),
            f"{answer['done']} in {answer['seconds']:.3g} s",
            goal=f'all, <= {most:g} s',
            met=answer['done'] == calls and answer['seconds'] <= most,
        ),
        at_most('P13', 'memory gained after the first fifth', answer['grown'], 20, 'MB'),
    ]


def work_off(database: str, calls: str) -> dict:
    """Inside Odoo: seconds, queries and memory for so many ended calls. The first fifth warms up: memory is
    looked at after it."""
    with inside.environment(database) as env:
        count = int(calls)
        customers = (
            env['crm.lead']
            .search(
                [('won_status', '=', 'pending'), ('partner_id', '!=', False)],
                limit=min(count, 5000),
            )
            .ids
        )
        floor = _floor(env, customers[:1000])
        first, rest = count // 5, count - count // 5
        warm, _queries = _work_off(env, customers, first, 'first')
        before = _resident()
        seconds, queries = _work_off(env, customers, rest, 'rest')
        done = env['telephony.call'].search_count(
            [('external_id', '=like', 'follow-%'), ('follow_up', '=', 'done')]
        )
        return {
            'floor': floor,
            'seconds': warm + seconds,
            'ms': seconds / rest * 1000,
            'queries': queries / rest,
            'grown': _resident() - before,
            'done': done,
            'effects': env['telephony.effect'].search_count([]),
        }


def _floor(env, customers) -> float:
    """Milliseconds for a chatter line alone, in batches of the same size."""
    start = time.perf_counter()
    for at in range(0, len(customers), BATCH):
        part = env['crm.lead'].browse(customers[at : at + BATCH])
        part._message_log_batch(bodies={lead.id: "Inbound call" for lead in part})
        env.cr.commit()
        env.invalidate_all()
    return (time.perf_counter() - start) / len(customers) * 1000


def _work_off(env, customers, count, name) -> tuple[float, int]:
    from odoo import fields

    chance = random.Random(name)
    account = env['telephony.account'].search([('name', '=', 'Bench')])
    kinds = chance.choices(DAY, [share for *_kind, share in DAY], k=count)
    end = fields.Datetime.now() - timedelta(minutes=1)
    leads = env['crm.lead'].browse(chance.choices(customers, k=count))
    env['telephony.call'].create(
        [
            {
                'account_id': account.id,
                'external_id': f'follow-{name}-{place}',
                'direction': direction,
                'outcome': outcome,
                'state': 'ended',
                'start_at': end - timedelta(seconds=count - place + 60),
                'ended_at': end - timedelta(seconds=count - place),
                'customer_number': lead.partner_id.phone_sanitized,
                'partner_id': lead.partner_id.id,
                'lead_id': lead.id,
                'match_state': 'auto',
                'wait_seconds': chance.randint(1, 90),
                'is_short': outcome == 'answered' and chance.random() < 0.1,
                'talk_seconds': chance.randint(5, 300) if outcome == 'answered' else 0,
                'user_id': 2 if outcome == 'answered' or direction == 'outbound' else False,
            }
            for place, ((outcome, direction, _share), lead) in enumerate(zip(kinds, leads))
        ]
    )
    env.cr.commit()
    env.invalidate_all()
    queries, start = env.cr.sql_log_count, time.perf_counter()
    env['telephony.call']._cron_follow_up(BATCH)
    return time.perf_counter() - start, env.cr.sql_log_count - queries


def _resident() -> float:
    """MB of memory that the process holds now."""
    return (
        int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
        * resource.getpagesize()
        / 2**20
    )
