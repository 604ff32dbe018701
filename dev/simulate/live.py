"""A slow trickle of calls in real time, until stopped."""
import random
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

from dev.simulate.dialects import DIALECTS, in_requests
from dev.simulate.odoo import Account, Line, Odoo
from dev.simulate.post import NotDelivered
from dev.simulate.scenarios import SCENARIOS, Call, Cast, Pace

PAUSE_SECONDS = (6, 24)
AT_ONCE = 4                 # calls; each is a thread
LAST_SECONDS = 10           # for the calls that are cut short at the end
USUAL = {
    'answered': 20, 'queue_answered': 26, 'ring_group_answered': 12, 'short_talk': 6, 'transfer': 6, 'hidden_caller': 2,
    'missed': 6, 'ring_group_missed': 5, 'abandoned': 5, 'abandoned_while_ringing': 4, 'outbound_answered': 14,
    'outbound_no_answer': 6, 'outbound_busy': 3, 'internal': 2}
LOST = ('missed', 'ring_group_missed', 'abandoned', 'abandoned_while_ringing')
CALLED_BACK = 0.4           # how probably the next call is to somebody who was lost


def trickle(odoo: Odoo, rng: random.Random) -> None:
    accounts, lines, customers = odoo.accounts(), odoo.lines(), odoo.customers()
    lost: list[tuple[Line, Cast]] = []
    stopped, threads = threading.Event(), []
    try:
        while True:
            threads = [thread for thread in threads if thread.is_alive()]
            if len(threads) < AT_ONCE:
                if lost and rng.random() < CALLED_BACK:
                    scenario, (line, cast) = 'outbound_answered', lost.pop(0)
                else:
                    scenario, line, cast = _next(rng, lines, [customer.number for customer in customers])
                if scenario in LOST:
                    lost.append((line, cast))
                pace = Pace(rng.randint(4, 20), rng.randint(15, 90))
                account = accounts[line.provider]
                _say(f'{datetime.now(account.pbx.zone):%H:%M:%S}  {line.label}: {scenario}, {cast.customer}')
                for number, call in enumerate(SCENARIOS[scenario](cast, pace)):
                    threads.append(threading.Thread(
                        target=_play, args=(account, call, f'live-{time.time()}-{number}', stopped), daemon=True))
                    threads[-1].start()
            time.sleep(rng.uniform(*PAUSE_SECONDS))
    finally:
        # a call without an end would stay on the list for hours: what is left of each goes out at once
        stopped.set()
        until = time.monotonic() + LAST_SECONDS
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0))


def _next(rng: random.Random, lines: list[Line], numbers: list[str]) -> tuple[str, Line, Cast]:
    line, scenario = rng.choice(lines), rng.choices(list(USUAL), list(USUAL.values()))[0]
    phones = tuple(rng.sample(line.phones, min(3, len(line.phones))))
    return scenario, line, Cast(rng.choice(numbers), line.number, phones, line.team)


def _play(account: Account, call: Call, ref: str, stopped: threading.Event) -> None:
    dialect, began = DIALECTS[account.provider], datetime.now(timezone.utc) + timedelta(seconds=call.begins)
    try:
        for at, request in in_requests(dialect, dialect.tell(call, ref, began, account.pbx), account.pbx):
            stopped.wait(max((at - datetime.now(timezone.utc)).total_seconds(), 0))
            account.webhook.post(request)
    except NotDelivered as problem:
        _say(f'not delivered: {problem}')


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
