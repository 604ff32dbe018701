"""P14 to P16: nothing is lost when the server is killed, one bad event harms no other, calls
without an end are closed."""

import json
import random
import threading
import time
import uuid

from ..setup.console import phase, say
from . import inside, load, server
from .data import Bench
from .sizes import FULL, Size
from .table import Row, exactly

KILLS, COPIES, LINES = 3, 3, 8
# A PBX that got no answer sends again, for so long (seconds).
PATIENCE, PAUSE = 120, 0.2
POISONED, AROUND = 'poisoned', 99
# A call that cannot be written, whatever it says: what a bug of ours would do.
POISON = f"""
    CREATE FUNCTION bench_poison() RETURNS trigger AS $$
    BEGIN
        IF NEW.external_id = '{POISONED}' THEN RAISE EXCEPTION 'poisoned'; END IF;
        RETURN NEW;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER bench_poison BEFORE INSERT ON telephony_call FOR EACH ROW EXECUTE FUNCTION bench_poison()
"""
# Calls that ring since five hours, as they lie in the log and in the inbox.
LOST_ENDS = """
    WITH calls AS (
        INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, match_state, caller_number,
                                    called_number, customer_number, start_at, create_uid, write_uid, create_date, write_date)
        SELECT account.id, account.company_id, 'endless-' || i, 'inbound', 'ringing', 'none', number, '+77272000000', number,
               now() at time zone 'UTC' - interval '5 hours', 1, 1, now(), now()
          FROM (SELECT i, '+7701' || lpad(i::text, 7, '0') AS number FROM generate_series(1, %(calls)s) AS i) AS caller
         CROSS JOIN (SELECT id, company_id FROM telephony_account WHERE name = 'Bench' LIMIT 1) AS account
     RETURNING id, account_id, external_id, caller_number, start_at
    ), legs AS (
        INSERT INTO telephony_call_leg (call_id, extension, start_at, create_uid, write_uid, create_date, write_date)
        SELECT id, '101', start_at, 1, 1, now(), now() FROM calls
    )
    INSERT INTO telephony_event (account_id, call_id, received_at, kind, call_ref, dedupe_key, state, attempts, payload)
    SELECT account_id, id, start_at, 'ringing', external_id, external_id, 'done', 0, json_build_object(
               'call_id', external_id, 'event', 'ringing', 'at', to_char(start_at, 'YYYY-MM-DD"T"HH24:MI:SS+00:00'),
               'direction', 'inbound', 'caller', caller_number, 'called', '+77272000000', 'extension', '101')::text
      FROM calls
"""


def measure(bench: Bench, database: str, wanted: set[str], size: Size) -> list[Row]:
    """Each in a copy of the database."""
    inside.ask(bench, inside.account, database)
    rows = []
    for name, ask in {'p14': _killed, 'p15': _poisoned, 'p16': _endless}.items():
        if name in wanted:
            copy = f'{database}_{name}'
            with bench.copy(database, copy):
                rows += ask(bench, copy, size)
    return rows


# --- P14 ---------------------------------------------------------------------------------------------------------


def _killed(bench: Bench, database: str, size: Size) -> list[Row]:
    """Every event three times and in any order, while the server is killed; the PBX repeats what
    was not answered 200."""
    path = '/telephony/webhook/generic/' + inside.ask(bench, inside.account, database)
    refs = [uuid.uuid4().hex for _call in range(size.survivors)]
    bodies = [body for ref in refs for body in load.events_of_call(ref)[: load.STREAMED]] * COPIES
    random.Random(14).shuffle(bodies)
    sender = _Sender(bodies, path)
    with phase(f'P14: {size.survivors} calls, the server is killed {KILLS} times'):
        for life in range(KILLS + 1):
            with server.running(bench, database, crons=1) as running:
                sender.port = running.port
                sender.start()
                sender.wait_for(len(bodies) * (life + 1) // (KILLS + 1))
                if life < KILLS:
                    running.process.kill()
                    continue
                given_up = sender.finish()
                _wake_inbox(bench, database)
                _wait_until_filed(bench, database)
    with bench.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            """ SELECT count(*), count(DISTINCT external_id),
                       count(*) FILTER (WHERE state = 'ended' AND outcome = 'answered' AND talk_seconds = 60
                                          AND (SELECT count(*) FROM telephony_call_leg WHERE call_id = call.id) = 1)
                  FROM telephony_call AS call WHERE external_id = ANY(%s) """,
            [refs],
        )
        there, different, right = cursor.fetchone()
    return [
        Row(
            'P14',
            f'calls after {KILLS} kills, each of {len(bodies):,} deliveries repeated until answered',
            str(len(refs)),
            f'{there}, {right} right',
            goal='all',
            met=there == different == right == len(refs),
        ),
        exactly('P14', f'deliveries without an answer in {PATIENCE} s', given_up),
    ]


class _Sender:
    """A PBX that repeats a delivery until it is answered 200."""

    def __init__(self, bodies: list[bytes], path: str):
        self.port, self._path, self._left, self._done, self._given_up = (
            0,
            path,
            list(reversed(bodies)),
            0,
            0,
        )
        self._lock, self._threads = threading.Lock(), []

    def start(self) -> None:
        if not self._threads:
            self._threads = [threading.Thread(target=self._line) for _line in range(LINES)]
            for thread in self._threads:
                thread.start()

    def wait_for(self, answered: int) -> None:
        until = time.monotonic() + PATIENCE
        while self._done < answered and time.monotonic() < until:
            time.sleep(0.05)

    def finish(self) -> int:
        """How many deliveries were never answered."""
        for thread in self._threads:
            thread.join()
        return self._given_up

    def _line(self) -> None:
        while True:
            with self._lock:
                if not self._left:
                    return
                body = self._left.pop()
            until = time.monotonic() + PATIENCE
            while not (answered := self._deliver(body)) and time.monotonic() < until:
                time.sleep(PAUSE)
            with self._lock:
                self._done += 1
                self._given_up += not answered

    def _deliver(self, body: bytes) -> bool:
        return load.deliver(load.Address(self.port, self._path), body)[1] == 200


def _wake_inbox(bench: Bench, database: str) -> None:
    """What a killed server has left is filed by the scheduled action; its next turn is now."""
    with bench.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ir_cron SET nextcall = now() at time zone 'UTC' WHERE id = (SELECT res_id FROM ir_model_data "
            "WHERE module = 'crm_telephony' AND name = 'ir_cron_process_events')"
        )
    with bench.connect('postgres') as connection, connection.cursor() as cursor:
        cursor.execute('SELECT pg_notify(%s, %s)', ['cron_trigger', database])


def _wait_until_filed(bench: Bench, database: str) -> None:
    until = time.monotonic() + PATIENCE
    with bench.connect(database) as connection, connection.cursor() as cursor:
        pending = True
        while pending and time.monotonic() < until:
            cursor.execute("SELECT EXISTS (SELECT FROM telephony_event WHERE state = 'pending')")
            [pending] = cursor.fetchone()
            time.sleep(0.2)
    if pending:
        say('    events are still pending')


# --- P15 ---------------------------------------------------------------------------------------------------------


def _poisoned(bench: Bench, database: str, _size: Size) -> list[Row]:
    with (
        phase('P15: a call that cannot be filed among others'),
        bench.connect(database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(POISON)
        answer = inside.ask(bench, poisoned, database)
    return [
        exactly(
            'P15',
            'calls of its neighbours, filed by one run of the scheduled action',
            answer['others'],
            AROUND,
        ),
        Row(
            'P15',
            'the poisoned event',
            '',
            f"{answer['state']}, {answer['reason'].splitlines()[0]}",
            goal='failed, with reason and next try',
            met=answer['state'] == 'failed' and bool(answer['reason']) and answer['again'],
        ),
        Row(
            'P15',
            'the same, after the cause was mended',
            '',
            answer['mended'],
            goal='done',
            met=answer['mended'] == 'done',
        ),
    ]


def poisoned(database: str) -> dict:
    """Inside Odoo: a delivery with the poisoned call in its middle, and two runs of the scheduled
    action."""
    from odoo.addons.crm_telephony.providers.base import WebhookRequest

    with inside.environment(database) as env:
        account = env['telephony.account'].search([('name', '=', 'Bench')])
        refs = [uuid.uuid4().hex for _call in range(AROUND)]
        events = [
            json.loads(load.events_of_call(ref)[0])
            for ref in [*refs[: AROUND // 2], POISONED, *refs[AROUND // 2 :]]
        ]
        body = json.dumps(events).encode()
        account._receive(
            WebhookRequest(body=body, headers={'x-telephony-signature': load.signature(body)})
        )
        env.cr.commit()
        event_model = env['telephony.event']
        event_model._cron_process()
        env.invalidate_all()
        event = event_model.search([('call_ref', '=', POISONED)])
        told = {
            'others': env['telephony.call'].search_count([('external_id', 'in', refs)]),
            'state': event.state,
            'reason': event.error,
            'again': bool(event.next_try_at),
        }
        env.cr.execute('DROP TRIGGER bench_poison ON telephony_call')
        event.next_try_at = event.received_at
        env.cr.commit()
        event_model._cron_process()
        env.invalidate_all()
        return {**told, 'mended': event_model.search([('call_ref', '=', POISONED)]).state}


# --- P16 ---------------------------------------------------------------------------------------------------------


def _endless(bench: Bench, database: str, size: Size) -> list[Row]:
    with phase(f'P16: {size.lost_ends:,} calls whose end never came'):
        answer = inside.ask(bench, endless, database, size.lost_ends)
    most = 2 * size.lost_ends / FULL.lost_ends
    return [
        Row(
            'P16',
            f'{size.lost_ends:,} calls whose end never came, closed by the scheduled action',
            '',
            f"{answer['closed']} in {answer['seconds']:.3g} s",
            goal=f'all, <= {most:g} s',
            met=answer['closed'] == size.lost_ends and answer['seconds'] <= most,
        ),
        exactly(
            'P16', 'the same after events of some were read again', answer['again'], size.lost_ends
        ),
    ]


def endless(database: str, count: str) -> dict:
    """Inside Odoo: seconds until none of these calls goes on; then events of some are filed again,
    which changes nothing."""
    with inside.environment(database) as env:
        env.cr.execute(LOST_ENDS, {'calls': int(count)})
        env.cr.execute('ANALYZE telephony_call, telephony_call_leg, telephony_event')
        env.cr.commit()
        closed = [
            ('external_id', '=like', 'endless-%'),
            ('state', '=', 'ended'),
            ('end_unknown', '=', True),
        ]
        begin = time.perf_counter()
        env['telephony.event']._cron_close_lost()
        env.cr.commit()
        seconds = time.perf_counter() - begin
        env.invalidate_all()
        there = env['telephony.call'].search_count(closed)
        some = env['telephony.event'].search(
            [('call_ref', '=like', 'endless-%'), ('kind', '=', 'ringing')], limit=200
        )
        for event in some:
            event._reread()
        env.cr.commit()
        event_model = env['telephony.event']
        event_model._process(some.account_id)
        env.invalidate_all()
        return {
            'closed': there,
            'seconds': seconds,
            'again': env['telephony.call'].search_count(closed),
        }
