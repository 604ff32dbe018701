"""A round of the watch over 20 PBXs and 200 numbers, on the large log of calls."""

import time

from ..setup.console import phase
from . import inside
from .data import Bench
from .sizes import FULL, Size
from .table import Row, at_most, percentile

ACCOUNTS, NUMBERS = 20, 200
# Of the round, in seconds.
MOST = 2.0
WEEKS = 7
# Calls of the last weeks in office hours, for the numbers by turns; as many as the log has in that time.
CALLS = """
    INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, outcome, match_state, number_id,
                                start_at, ended_at, called_number, follow_up, create_uid, write_uid, create_date, write_date)
    SELECT number.account_id, number.company_id, 'watch-' || i, 'inbound', 'ended', 'answered', 'none', number.id, at,
           at + interval '2 minutes', number.name, 'done', 1, 1, at, at
      FROM (SELECT i, 1 + i %% array_length(%(numbers)s, 1) AS place,
                   date_trunc('day', now() at time zone 'UTC') - (i %% %(days)s + 1) * interval '1 day'
                   + interval '8 hours' + ((i * 7919) %% 32400) * interval '1 second' AS at
              FROM generate_series(1::bigint, %(calls)s) AS i) AS told
      JOIN telephony_number AS number ON number.id = (%(numbers)s)[place]
"""
EVENTS = """
    INSERT INTO telephony_event (account_id, received_at, kind, call_ref, dedupe_key, state, payload, attempts,
                                 create_uid, write_uid, create_date, write_date)
    SELECT account, now() at time zone 'UTC' - i * interval '1 minute', 'ringing', 'watch-' || i, 'watch-' || i, 'done',
           json_build_object('event', 'ringing', 'call_id', 'watch-' || i, 'direction', 'inbound', 'caller', '+77771234567',
                             'called', '+77272507612', 'at', now() - i * interval '1 minute')::text, 0, 1, 1, now(), now()
      FROM unnest(%(accounts)s) AS account, generate_series(1, 200) AS i
"""


def measure(bench: Bench, size: Size) -> list[Row]:
    name = bench.call_log(size.small, size.more_calls)
    calls = max(size.more_calls * WEEKS * 7 // 1095, NUMBERS)
    with phase(f'watch: {ACCOUNTS} PBXs, {NUMBERS} numbers, {size.more_calls:,} calls'):
        try:
            answer = inside.ask(bench, look, name, size.rounds, calls)
        finally:
            with bench.connect(name) as connection, connection.cursor() as cursor:
                cursor.execute('VACUUM ANALYZE telephony_call')
    what = f'a round, {ACCOUNTS} PBXs, {NUMBERS} numbers, {size.more_calls:,} calls'
    most = MOST * max(size.more_calls / FULL.more_calls, 1)
    return [at_most('watch', what, percentile(answer['seconds'], 0.5), most, 's')]


def look(database: str, rounds: str, calls: str) -> dict:
    """Inside Odoo: seconds of each round. Nothing of it stays."""
    with inside.environment(database) as env:
        accounts = env['telephony.account'].create(
            [
                {
                    'name': f'Watched {place}',
                    'provider': 'generic',
                    'api_secret': 'bench',
                    'timezone': 'UTC',
                    'country_id': env.ref('base.kz').id,
                }
                for place in range(ACCOUNTS)
            ]
        )
        numbers = env['telephony.number'].create(
            [
                {'name': f'+7727250{place:04}', 'account_id': accounts[place % ACCOUNTS].id}
                for place in range(NUMBERS)
            ]
        )
        env.flush_all()
        days = WEEKS * 7
        env.cr.execute(CALLS, {'numbers': numbers.ids, 'calls': int(calls), 'days': days})
        env.cr.execute(EVENTS, {'accounts': accounts.ids})
        env.cr.execute('ANALYZE telephony_call')
        seconds = []
        for _round in range(int(rounds)):
            env.invalidate_all()
            start = time.perf_counter()
            _found, looked = env['telephony.alarm']._look()
            seconds.append(time.perf_counter() - start)
            assert len(looked) > 20, looked
        env.cr.rollback()
        return {'seconds': seconds}
