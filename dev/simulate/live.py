"""A slow trickle of calls in real time, until stopped."""

import random
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

from dev.simulate.dialects import DIALECTS, in_requests
from dev.simulate.odoo import Account, Odoo
from dev.simulate.post import NotDelivered
from dev.simulate.scenarios import SCENARIOS, Call, Cast, Pace

PAUSE_SECONDS = (6, 24)
AT_ONCE = 4
USUAL = {
    'answered': 20,
    'queue_answered': 26,
    'ring_group_answered': 12,
    'short_talk': 6,
    'transfer': 6,
    'hidden_caller': 2,
    'missed': 6,
    'ring_group_missed': 5,
    'abandoned': 5,
    'abandoned_while_ringing': 4,
    'outbound_answered': 14,
    'outbound_no_answer': 6,
    'outbound_busy': 3,
    'internal': 2,
}
LOST = ('missed', 'ring_group_missed', 'abandoned', 'abandoned_while_ringing')
# A lost caller is called back with this probability, as the next call.
CALLED_BACK = 0.4


def trickle(odoo: Odoo, rng: random.Random) -> None:
    accounts, lines, customers = odoo.accounts(), odoo.lines(), odoo.customers()
    lost: list[Cast] = []
    places = threading.Semaphore(AT_ONCE)
    while True:
        line = rng.choice(lines)
        scenario = rng.choices(list(USUAL), list(USUAL.values()))[0]
        if line.provider == 'zadarma' and scenario == 'internal':
            scenario = 'answered'
        cast = Cast(
            rng.choice(customers).number,
            line.number,
            tuple(rng.sample(line.phones, min(3, len(line.phones)))),
            line.team,
        )
        if lost and rng.random() < CALLED_BACK:
            scenario, cast = 'outbound_answered', lost.pop(0)
            line = next(one for one in lines if one.number == cast.line)
        if scenario in LOST:
            lost.append(cast)
        pace = Pace(rng.randint(4, 20), rng.randint(15, 90))
        places.acquire()  # the thread gives it back
        account = accounts[line.provider]
        for number, call in enumerate(SCENARIOS[scenario](cast, pace)):
            threading.Thread(
                target=_play,
                args=(account, call, f'live-{time.time()}-{number}', places if not number else None),
                daemon=True,
            ).start()
        _say(f'{datetime.now(account.pbx.zone):%H:%M:%S}  {line.label}: {scenario}, {cast.customer}')
        time.sleep(rng.uniform(*PAUSE_SECONDS))


def _play(account: Account, call: Call, ref: str, places: threading.Semaphore | None) -> None:
    dialect, began = DIALECTS[account.provider], datetime.now(timezone.utc) + timedelta(seconds=call.begins)
    try:
        for at, request in in_requests(dialect, dialect.tell(call, ref, began, account.pbx), account.pbx):
            time.sleep(max((at - datetime.now(timezone.utc)).total_seconds(), 0))
            account.webhook.post(request)
    except NotDelivered as problem:
        _say(f'not delivered: {problem}')
    finally:
        if places:
            places.release()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
