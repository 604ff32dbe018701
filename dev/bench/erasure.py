"""R9: how long somebody waits for the preview of an erasure in a log of a million calls, and how long
the background reads all texts in search of a number."""

import time

from ..setup.console import phase
from . import inside
from .data import Bench
from .sizes import FULL, Size
from .table import Row, at_most, percentile

TEXTS = 10_000_000
# Deliveries as PBXs send them, none with the number.
EVENTS = """
    INSERT INTO telephony_event (account_id, received_at, kind, call_ref, dedupe_key, state, payload, create_date)
    SELECT account.id, now() at time zone 'UTC', 'ended', 'read-' || i, 'read-' || i, 'done',
           '{"event": "ended", "call_id": "read-' || i || '", "caller": "+7701' || lpad(i::text, 7, '0')
           || '", "called": "+77272507612", "text": "' || repeat(md5(i::text) || ' ', 15) || '"}', now() at time zone 'UTC'
      FROM generate_series(1, %s) AS i, (SELECT id FROM telephony_account ORDER BY id LIMIT 1) AS account
"""
FLOOR = "SELECT count(*) FROM telephony_call WHERE customer_number = %s"


def measure(bench: Bench, size: Size) -> list[Row]:
    """The preview of the number with most calls, and the speed of reading."""
    name = bench.call_log(size.small, size.calls)
    with phase('R9: the preview of an erasure, and the look for what is left'):
        answer = inside.ask(bench, inside_odoo, name, size.rounds, size.calls // 10)
    floor, ours = (percentile(ms, 0.5) for ms in answer['preview'])
    # the goal is that of a million calls
    most = 1000 * max(size.calls / FULL.calls, 1)
    what = f'preview of an erasure, {answer["found"]} calls of {size.calls:,}'
    return [
        at_most('R9', what, ours, most, 'ms', floor),
        at_most(
            'R9',
            f'reading {TEXTS:,} texts for what is left',
            answer['seconds'] / answer['texts'] * TEXTS,
            300,
            's',
        ),
    ]


def inside_odoo(name: str, rounds: str, texts: str) -> dict:
    """Milliseconds of the preview, floor and ours; seconds for reading so many texts."""
    with inside.environment(name) as env:
        env.cr.execute(
            "SELECT customer_number, count(*) FROM telephony_call WHERE customer_number IS NOT NULL "
            "GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
        )
        number, found = env.cr.fetchone()
        erasure = env['telephony.erasure'].create({'number': number, 'reason': "bench"})
        times = [], []
        for turn in range(int(rounds) + 1):
            for place, ask in enumerate(
                (lambda: env.cr.execute(FLOOR, [number]), erasure.action_preview)
            ):
                env.invalidate_all()
                begin = time.perf_counter()
                ask()
                env.flush_all()
                if turn:  # the first one fills the caches
                    times[place].append(1000 * (time.perf_counter() - begin))
        env.cr.execute(EVENTS, [int(texts)])
        erasure.until = '2100-01-01'
        place = [erasure._text_models().index('telephony.event'), 0]
        table, begin = place[0], time.perf_counter()
        while place and place[0] == table:
            place = erasure._read_texts(place, erasure._note_left)
        seconds = time.perf_counter() - begin
        env.cr.rollback()
    return {'preview': times, 'found': found, 'seconds': seconds, 'texts': int(texts)}
