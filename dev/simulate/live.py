"""A slow trickle of calls in real time, until stopped."""

import random
import threading
import time
from datetime import datetime

from .odoo import Line, Odoo
from .providers.scenarios import SCENARIOS, Cast, Pace

PAUSE_SECONDS = (6, 24)
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
CALLED_BACK = 0.4  # how probably the next call is to somebody who was lost


def trickle(odoo: Odoo, rng: random.Random, servers: dict, stopped: threading.Event, tell) -> None:
    """:param servers: provider → the PBX that plays a call
    :param tell: gets a line for the log
    """
    lines, customers = odoo.lines(), odoo.customers()
    lost: list[tuple[Line, Cast]] = []
    while not stopped.wait(rng.uniform(*PAUSE_SECONDS)):
        if lost and rng.random() < CALLED_BACK:
            scenario, (line, cast) = 'outbound_answered', lost.pop(0)
        else:
            scenario, line, cast = _next(rng, lines, [customer.number for customer in customers])
        if scenario in LOST:
            lost.append((line, cast))
        pace = Pace(rng.randint(4, 20), rng.randint(15, 90))
        tell(f'{datetime.now():%H:%M:%S}  {line.label}: {scenario}, {cast.customer}')
        for number, call in enumerate(SCENARIOS[scenario](cast, pace)):
            servers[line.provider].play(call, f'live-{time.time()}-{number}')


def _next(rng: random.Random, lines: list[Line], numbers: list[str]) -> tuple[str, Line, Cast]:
    line, scenario = rng.choice(lines), rng.choices(list(USUAL), list(USUAL.values()))[0]
    phones = tuple(rng.sample(line.phones, min(3, len(line.phones))))
    return scenario, line, Cast(rng.choice(numbers), line.number, phones, line.team)
