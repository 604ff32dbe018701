"""C1, C2: a day beside the PBX's own log, and calls that are read again while the PBX delivers."""

import json
import statistics
import time
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

from ..setup.console import phase
from . import inside, load, server
from .data import Bench
from .load import Address
from .sizes import FULL, Size
from .table import Row, at_most, exactly

MODES = {'threaded': 0, 'workers=2': 2}
CRON = 'ir_cron_reprocess'
DELIVERY = 500  # events
# So long (seconds) deliveries come in before and while calls are read again.
WATCHED_SECONDS = 12


def measure(bench: Bench, database: str, wanted: set[str], size: Size) -> list[Row]:
    """In a copy, with a day of calls that were told by events."""
    copy, rows = f'{database}_comparison', []
    path = '/telephony/webhook/generic/' + inside.ask(bench, inside.account, database)
    with bench.copy(database, copy):
        with phase(f'C1, C2: a day of {size.ended:,} calls'):
            inside.ask(bench, fill, copy, size.ended)
        if 'c1' in wanted:
            rows += _compared(bench, copy, size)
        if 'c2' in wanted:
            rows += _alone(bench, copy, size)
            for mode, workers in MODES.items():
                rows += _read_again(bench, copy, path, mode, workers, size)
    return rows


def _compared(bench: Bench, database: str, size: Size) -> list[Row]:
    with phase(f'C1: {size.ended:,} calls beside the PBX log'):
        answer = inside.ask(bench, compare, database, size.ended)
    most = 10 * size.ended / FULL.ended
    return [
        at_most(
            'C1',
            f'{size.ended:,} calls of a day, compared; floor: the PBX alone',
            answer['seconds'],
            most,
            's',
            answer['floor'],
        ),
        exactly('C1', 'calls in its row', answer['there'], size.ended),
        exactly('C1', 'calls that differ or were fetched', answer['other']),
    ]


def _alone(bench: Bench, database: str, size: Size) -> list[Row]:
    with phase(f'C2: {size.ended:,} calls read again, alone'):
        inside.ask(bench, mend, database)
        rate = size.ended / inside.ask(bench, read_again, database)
    return [
        Row(
            'C2',
            'calls read again, all of them changed, with its pauses',
            '',
            f'{rate:.3g} /s',
            goal='>= 100 /s',
            met=rate >= 100,
        )
    ]


def _read_again(bench: Bench, database: str, path, mode, workers, size: Size) -> list[Row]:
    with ExitStack() as stack:
        client = stack.enter_context(load.client())
        cursor = stack.enter_context(stack.enter_context(bench.connect(database)).cursor())
        wake = stack.enter_context(stack.enter_context(bench.connect('postgres')).cursor())
        stack.enter_context(bench.only_cron(database, CRON))
        stack.enter_context(phase(f'C2: {size.ended:,} calls read again, {mode}'))
        inside.ask(bench, mend, database)
        running = stack.enter_context(server.running(bench, database, workers, crons=1))
        address = Address(running.port, path)

        def streams(until):
            shots = []
            while not shots or until():
                shots.append(client.submit(load.stream, address, 1, size.seconds, 10**6).result())
            return shots

        streams(lambda: False)
        end = time.monotonic() + WATCHED_SECONDS * size.late_share
        alone = streams(lambda: time.monotonic() < end)
        begin = time.monotonic()
        cursor.execute(
            """ INSERT INTO ir_cron_trigger (cron_id, call_at, create_uid, write_uid, create_date, write_date)
                SELECT res_id, now() at time zone 'UTC', 1, 1, now(), now() FROM ir_model_data WHERE name = %s """,
            [CRON],
        )
        wake.execute('SELECT pg_notify(%s, %s)', ['cron_trigger', database])
        beside = streams(
            lambda: _left(cursor) and time.monotonic() < begin + WATCHED_SECONDS * size.late_share
        )
        rate = (size.ended - _left(cursor)) / (time.monotonic() - begin)
    before, while_read = (
        statistics.median(ms for shot in shots for ms in shot.ms) for shots in (alone, beside)
    )
    return [
        Row(
            'C2',
            f'accepted while {size.ended:,} calls are read again, {mode}, p50',
            f'{before:.4g} ms',
            f'{while_read:.4g} ms',
            f'{while_read / before:.2f}',
            '<= 1.5',
            while_read / before <= 1.5,
        ),
        Row(
            'C2',
            f'calls read again beside deliveries without a pause, {mode}',
            '',
            f'{rate:.3g} /s',
        ),
    ]


def _left(cursor) -> int:
    cursor.execute(
        "SELECT all_count - call_count FROM telephony_reprocess WHERE state = 'running' LIMIT 1"
    )
    return (cursor.fetchone() or [0])[0]


# --- inside Odoo -------------------------------------------------------------------------------------------------


def _events(number: int) -> list[dict]:
    """A call of yesterday's noon, as the PBX tells it."""
    noon = datetime.now(timezone.utc).replace(hour=7, minute=0, second=0) - timedelta(days=1)
    begin = noon + timedelta(seconds=number)
    call = {
        'call_id': f'watched-{number}',
        'direction': 'inbound',
        'caller': f'+7705{number:07}',
        'called': '+77272000000',
        'extension': '101',
    }
    return [
        {**call, 'event': 'ringing', 'at': begin.isoformat()},
        {**call, 'event': 'answered', 'at': (begin + timedelta(seconds=5)).isoformat()},
        {
            **call,
            'event': 'ended',
            'at': (begin + timedelta(seconds=65)).isoformat(),
            'outcome': 'answered',
            'talk_seconds': 60,
            'wait_seconds': 5,
        },
    ]


def fill(database: str, calls: str) -> int:
    """Deliver and file a day of calls."""
    from odoo.addons.crm_telephony.providers.base import WebhookRequest

    with inside.environment(database) as env:
        account = env['telephony.account'].search([('name', '=', 'Bench')])
        events = [event for number in range(int(calls)) for event in _events(number)]
        for place in range(0, len(events), DELIVERY):
            body = json.dumps(events[place : place + DELIVERY]).encode()
            account._receive(
                WebhookRequest(body=body, headers={'x-telephony-signature': load.signature(body)})
            )
            env.cr.commit()
        env['telephony.event']._process(account)
        # what follows from them is not measured here
        env.cr.execute("UPDATE telephony_call SET follow_up = 'done'")
        env.cr.execute('ANALYZE telephony_call, telephony_call_leg, telephony_event')
        env.cr.commit()
        return env['telephony.call'].search_count([('external_id', '=like', 'watched-%')])


def compare(database: str, calls: str) -> dict:
    """Compare the day with a log that has the same calls; the floor is the time for reading it."""
    from odoo.addons.crm_telephony.providers.client import Client, _clients

    log = [{**_events(number)[-1], 'row': number} for number in range(int(calls))]

    class LoggingPbx(Client):
        needs = ()

        def history(self, start, end):
            for payload in log:
                yield json.loads(json.dumps(payload))

    with inside.environment(database) as env:
        _clients['generic'] = LoggingPbx
        account = env['telephony.account'].search([('name', '=', 'Bench')])
        begin = time.perf_counter()
        list(LoggingPbx(account._settings()).history(None, None))
        floor = time.perf_counter() - begin
        day = account._local_day(datetime.now() - timedelta(days=1))
        begin = time.perf_counter()
        account._compare_day(day)
        seconds = time.perf_counter() - begin
        row = env['telephony.completeness'].search([('account_id', '=', account.id)])
        return {
            'seconds': seconds,
            'floor': floor,
            'there': row.there_count,
            'other': row.fetched_count + row.differing_count,
        }


def mend(database: str) -> int:
    """Give the phone of all these calls to another user, and have them read again."""
    with inside.environment(database) as env:
        account = env['telephony.account'].search([('name', '=', 'Bench')])
        phone = account.extension_ids.filtered(lambda phone: phone.number == '101')
        phone = phone or phone.create({'number': '101', 'account_id': account.id})
        admin = env.ref('base.user_admin')
        phone.user_id = False if phone.user_id == admin else admin
        env['telephony.reprocess'].search([]).unlink()
        today = account._local_today()
        period = env['telephony.reprocess'].create(
            {'account_id': account.id, 'first': today - timedelta(days=2), 'last': today}
        )
        period._begin('counting')
        period.state = 'counted'
        period._begin('running')
        env['ir.cron.trigger'].search([]).unlink()
        env.cr.commit()
        return period.all_count


def read_again(database: str) -> float:
    """Seconds until all calls of the waiting period are read again."""
    with inside.environment(database) as env:
        begin = time.perf_counter()
        env['telephony.reprocess']._cron_reprocess()
        env.cr.commit()
        return time.perf_counter() - begin
