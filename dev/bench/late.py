"""Late: what deliveries cost while past calls are given to contacts that came after them."""

import statistics
import time
from contextlib import ExitStack

from ..setup.console import phase
from . import inside, load, server
from .data import Bench, forget_calls
from .load import Address
from .sizes import Size
from .table import Row, exactly, percentile

CALLS_A_NUMBER = 5
MODES = {'threaded': 0, 'workers=2': 2}
# So long deliveries come in before the calls are to be bound, and while they are; and so long
# binding has the machine for itself afterwards.
IDLE_SECONDS, BESIDE_SECONDS, ALONE_SECONDS = 8, 12, 20
# Until then the server has finished what it was at.
QUIET_SECONDS = 30
CRON = 'ir_cron_bind_late'

# Missed calls of the last hours that nobody knew, of numbers that contacts have by now.
FILL = """
    INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, outcome, match_state, follow_up,
                                caller_number, customer_number, start_at, ended_at, wait_seconds,
                                create_uid, write_uid, create_date, write_date)
    SELECT account.id, account.company_id, 'late-' || contact.id || '-' || i, 'inbound', 'ended', 'missed', 'none', 'done',
           phone_sanitized, phone_sanitized, now() at time zone 'UTC' - i * interval '1 hour',
           now() at time zone 'UTC' - i * interval '1 hour', 20, 1, 1, now(), now()
      FROM (SELECT id, phone_sanitized FROM res_partner WHERE ref LIKE 'bench-%%' ORDER BY id LIMIT %(numbers)s) AS contact
     CROSS JOIN generate_series(1, %(calls)s) AS i
     CROSS JOIN (SELECT id, company_id FROM telephony_account WHERE name = 'Bench' LIMIT 1) AS account;
    ANALYZE telephony_call
"""
# What the contacts' creation has asked for.
QUEUE = """
    INSERT INTO telephony_rebind (number) SELECT DISTINCT customer_number FROM telephony_call WHERE external_id LIKE 'late-%%';
    INSERT INTO ir_cron_trigger (cron_id, call_at, create_uid, write_uid, create_date, write_date)
    SELECT res_id, now() at time zone 'UTC', 1, 1, now(), now() FROM ir_model_data WHERE name = %(cron)s
"""


def measure(bench: Bench, database: str, size: Size) -> list[Row]:
    path = '/telephony/webhook/generic/' + inside.ask(bench, inside.account, database)
    rows = []
    with ExitStack() as stack:
        client = stack.enter_context(load.client())
        cursor = stack.enter_context(stack.enter_context(bench.connect(database)).cursor())
        # the scheduler of every database listens there
        wake = stack.enter_context(stack.enter_context(bench.connect('postgres')).cursor())
        # what follows a call is not to be measured here
        stack.enter_context(bench.only_cron(database, CRON))
        stack.callback(_empty, cursor)
        for mode, workers in MODES.items():
            with (
                phase(f'Late matches: {size.late_calls:,} calls, {mode}'),
                server.running(bench, database, workers, crons=1) as running,
            ):
                rows += _one_mode(
                    mode, client, cursor, wake, database, Address(running.port, path), size
                )
    return rows


def _one_mode(mode, client, cursor, wake, database, address, size: Size) -> list[Row]:
    def stream():
        return client.submit(load.stream, address, 1, size.seconds, 10**6).result()

    _empty(cursor)
    for _warm_up in range(3):
        stream()
    idle, busy, ratios, bound, bound_alone, answers = [], [], [], [], [], 0
    for _round in range(max(size.rounds // 2, 2) if size.rounds > 1 else 1):
        _empty(cursor)
        cursor.execute(
            FILL, {'numbers': size.late_calls // CALLS_A_NUMBER, 'calls': CALLS_A_NUMBER}
        )
        begin, alone = time.monotonic(), []
        while time.monotonic() < begin + IDLE_SECONDS * size.late_share:
            alone.append(stream())
        cursor.execute(QUEUE, {'cron': CRON})
        wake.execute('SELECT pg_notify(%s, %s)', ['cron_trigger', database])
        begin, beside = time.monotonic(), []
        while _waiting(cursor) and time.monotonic() < begin + BESIDE_SECONDS * size.late_share:
            beside.append(stream())
        bound.append(_bound(cursor) / (time.monotonic() - begin))
        begin, before = time.monotonic(), _bound(cursor)
        while _waiting(cursor) and time.monotonic() < begin + ALONE_SECONDS * size.late_share:
            time.sleep(0.2)
        bound_alone.append((_bound(cursor) - before) / (time.monotonic() - begin))
        idle.append(percentile([ms for shot in alone for ms in shot.ms], 0.95))
        busy.append(percentile([ms for shot in beside for ms in shot.ms], 0.95))
        ratios.append(busy[-1] / idle[-1])
        answers += sum(shot.statuses.total() - shot.statuses[200] for shot in alone + beside)
    ratio = statistics.median(ratios)
    return [
        Row(
            'late',
            f'accepted while {size.late_calls:,} past calls are matched late, {mode}, p95',
            f'{statistics.median(idle):.4g} ms',
            f'{statistics.median(busy):.4g} ms',
            f'{ratio:.2f}',
            '<= 1.5',
            ratio <= 1.5,
        ),
        exactly('late', 'answers other than 200', answers),
        Row(
            'late',
            'calls matched, beside deliveries without a pause and alone',
            '',
            f'{statistics.median(bound):.3g} /s, {statistics.median(bound_alone):.3g} /s',
        ),
    ]


def _waiting(cursor) -> bool:
    cursor.execute('SELECT EXISTS (SELECT FROM telephony_rebind)')
    return cursor.fetchone()[0]


def _bound(cursor) -> int:
    """Calls that were looked up; those of numbers that several have wait for a person."""
    cursor.execute(
        "SELECT count(*) FROM telephony_call WHERE external_id LIKE 'late-%' AND match_state != 'none'"
    )
    return cursor.fetchone()[0]


def _empty(cursor) -> None:
    """Once nobody is at work any more: the scheduler's own transaction waits for its job, which
    PostgreSQL cannot see."""
    cursor.execute('DELETE FROM telephony_rebind')
    cursor.execute('DELETE FROM ir_cron_trigger')
    until = time.monotonic() + QUIET_SECONDS
    while _others_at_work(cursor) and time.monotonic() < until:
        time.sleep(0.2)
    forget_calls(cursor)
    cursor.execute(
        "DELETE FROM mail_message WHERE model IN ('res.partner', 'crm.lead') AND message_type = 'notification'"
    )


def _others_at_work(cursor) -> bool:
    cursor.execute("""
        SELECT EXISTS (SELECT FROM pg_stat_activity
                        WHERE datname = current_database() AND pid != pg_backend_pid() AND xact_start IS NOT NULL)""")
    return cursor.fetchone()[0]
