"""A day of the fictional wholesaler: who calls when, what comes of it, and who is called back.

The plan is made from the date alone, so the same day is always the same. It is played in rounds: a
lost call and the call that makes up for it never share a round, because between rounds Odoo draws
its conclusions.
"""

import heapq
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from itertools import count
from zoneinfo import ZoneInfo

from .odoo import Account, Customer, Line, NotReady, Odoo
from .providers.dialects import Request, dialects
from .providers.scenarios import SCENARIOS, Call, Cast, Pace, with_recording

ZONE = ZoneInfo('Asia/Almaty')
HOURS = {**dict.fromkeys(range(5), (9, 18)), 5: (10, 15)}  # weekday: opening, closing
# how much is going on
BY_HOUR = {9: 9, 10: 16, 11: 16, 12: 9, 13: 7, 14: 10, 15: 16, 16: 12, 17: 7}
INBOUND_AN_HOUR, OUTBOUND_AN_HOUR = 150 / 9, 26 / 9  # callbacks come on top of these
ENOUGH_HOURS = 6  # with less of today, the working day before is played too
POSTING_THREADS = 4
SOUNDS = 60
ROUNDS_A_LINE = 5  # of progress
# Zadarma's events carry no time. Ones that arrive so late are known to be late; younger ones would
# seem to end now.
LATE = {'zadarma': timedelta(hours=6, minutes=15)}

# What comes of a call that a free phone could take, and of one that nobody takes: scenario, weight.
TAKEN = {
    'answered': 24,
    'queue_answered': 40,
    'ring_group_answered': 12,
    'short_talk': 9,
    'transfer': 5,
    'hidden_caller': 3,
}
LOST = {
    'missed': 6,
    'ring_group_missed': 5,
    'abandoned': 6,
    'abandoned_while_ringing': 5,
    'busy': 1,
    'voicemail': 1,
}
LOST_SHARE = 0.21
DIALLED = {
    'outbound_answered': 60,
    'outbound_no_answer': 18,
    'outbound_cancelled': 7,
    'outbound_busy': 8,
    'outbound_failed': 7,
}
STRANGERS = ('701', '747', '775', '708', '778')  # codes of numbers that nobody knows yet
MOST_CALLS = 2  # of one known number, besides what follows from a lost call
# What becomes of a lost caller: he is called back, he calls again, he is tried in vain, he is
# forgotten.
FATES = {'called_back': 46, 'calls_again': 14, 'tried': 14, 'forgotten': 26}
LINES = {'Сайт': 32, '2GIS': 24, 'Офис и склад': 18, 'Instagram': 16, 'OLX': 10}
RECORDED = {'Сайт'}

# Calls that the longest of the days has: hour, line, scenario, who (a record of the demo data, a
# number, '' if hidden), wait, talk.
OFFICE = '+77273550101'
STORY = [
    (9.20, 'Сайт', 'queue_answered', 'demo_partner_02', 14, 190),
    (9.75, 'Офис и склад', 'voicemail', 'demo_person_04', 20, 14),
    (10.05, 'Сайт', 'abandoned_while_ringing', 'demo_partner_02', 75, 0),
    (10.18, 'Сайт', 'outbound_answered', 'demo_partner_02', 9, 244),
    (10.42, 'Сайт', 'queue_answered', 'demo_partner_07', 22, 131),
    (10.70, '2GIS', 'two_at_once', 'demo_partner_09', 11, 80),
    (11.10, 'Сайт', 'queue_answered', 'demo_person_ru', 17, 205),
    (11.35, '2GIS', 'abandoned', 'demo_partner_16', 94, 0),
    (11.60, 'Офис и склад', 'hidden_caller', '', 8, 41),
    (12.30, 'Сайт', 'answered', OFFICE, 5, 58),
    (12.80, '2GIS', 'transfer', 'demo_partner_02', 10, 160),
    (13.40, 'Сайт', 'queue_answered', 'demo_shared_1', 19, 88),
    (14.20, '2GIS', 'queue_answered', 'demo_contact_03', 25, 117),
    (14.90, '2GIS', 'outbound_failed', 'demo_partner_22', 1, 0),
    (15.15, 'Сайт', 'ring_group_missed', 'demo_partner_03', 32, 0),
    (15.45, 'Сайт', 'outbound_no_answer', 'demo_partner_03', 30, 0),
    (16.30, 'Сайт', 'ring_group_missed', 'demo_partner_12', 41, 0),
]
# Aigerim's customers with two open deals each, at her phone: she has to say which one it was about.
AT_HER_PHONE = [
    (11.85, 'Сайт', 'answered', 'demo_partner_20', 9, 96),
    (14.35, 'Сайт', 'outbound_answered', 'demo_person_12', 12, 141),
    (16.75, 'Сайт', 'missed', 'demo_person_12', 24, 0),
]
HER_PHONE = '101'
# Colleagues among themselves: hour, from, to.
INTERNAL = [(9.4, '101', '107'), (11.5, '103', '108'), (14.6, '107', '102'), (16.1, '105', '101')]
# On the advertisements' lines at the very end: scenario, wait, talk.
JUST_NOW = [
    ('answered', 8, 95),
    ('ring_group_missed', 31, 0),
    ('queue_answered', 16, 143),
    ('abandoned', 45, 0),
    ('short_talk', 5, 6),
    ('outbound_answered', 10, 72),
    ('transfer', 7, 120),
]
JUST_NOW_CLOSED = [('missed', 28, 0), ('abandoned', 22, 0)]


@dataclass(frozen=True, order=True)
class Planned:
    """One call of the plan."""

    start: datetime
    number: int  # keeps apart what starts together
    line: Line
    scenario: str
    cast: Cast
    pace: Pace

    @property
    def ref(self) -> str:
        return f'{self.start:%Y%m%d%H%M%S}-{self.number}'

    @property
    def is_lost(self) -> bool:
        return self.scenario in LOST

    def calls(self) -> list[Call]:
        calls = SCENARIOS[self.scenario](self.cast, self.pace)
        if self.line.label in RECORDED and calls[0].facts.outcome == 'answered':
            return with_recording(calls, after_end=1)
        return calls


# --- the plan ----------------------------------------------------------------------------------------------------


def periods(now: datetime) -> list[tuple[datetime, datetime]]:
    """The working hours to play, the earliest first: today's until now, and days before until it is
    enough."""
    found: list[tuple[datetime, datetime]] = []
    day = now.astimezone(ZONE).date()
    while sum((end - start).total_seconds() for start, end in found) < ENOUGH_HOURS * 3600:
        if day.weekday() in HOURS:
            opening, closing = (
                datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)
                for hour in HOURS[day.weekday()]
            )
            end = min(closing, now.astimezone(ZONE))
            if end > opening:
                found.insert(0, (opening, end))
        day -= timedelta(days=1)
    return found


def is_open(now: datetime) -> bool:
    local = now.astimezone(ZONE)
    opening, closing = HOURS.get(local.weekday(), (0, 0))
    return opening <= local.hour < closing


def plan(lines: Sequence[Line], customers: Sequence[Customer], now: datetime) -> list[Planned]:
    """All calls until now, in order; the longest of the days has the story."""
    days = periods(now)
    longest = max(days, key=lambda period: period[1] - period[0])
    return [
        one
        for period in days
        for one in Planner(period[0].date(), lines, customers, now).plan(
            *period, STORY if period is longest else ()
        )
    ]


class Planner:
    """Plans one working day. Phones are busy while their owners talk; who finds none free is
    lost."""

    def __init__(
        self, day: date, lines: Sequence[Line], customers: Sequence[Customer], now: datetime
    ):
        self.day, self.now = day, now
        self.rng = random.Random(f'{day}')
        self.lines = {line.label: line for line in lines}
        self.customers = {customer.key: customer.number for customer in customers}
        self.strangers = [
            f'+7{code}444{self.rng.randrange(10000):04}' for code in STRANGERS for _ in range(30)
        ]
        self.free_at: dict[str, datetime] = {}
        self.numbers = count()
        self.queue: list[tuple] = []  # heap of what is still to happen
        self.called: Counter[str] = Counter()

    def plan(self, opening: datetime, end: datetime, story: Sequence[tuple] = ()) -> list[Planned]:
        hours = HOURS[self.day.weekday()][1] - opening.hour
        for *_what, key, _wait, _talk in story:
            self.called[self.customers.get(key, key)] = MOST_CALLS
        for _ in range(round(INBOUND_AN_HOUR * hours) - len(story)):
            self._ask(self._moment(opening, hours), self._line(), '', self._caller(), None)
        for _ in range(round(OUTBOUND_AN_HOUR * hours)):
            self._ask(
                self._moment(opening, hours),
                self.lines['2GIS'],
                self._pick(DIALLED),
                self._caller(strangers=0.1),
                None,
            )
        for hour, label, scenario, who, wait, talk in story:
            self._ask(
                self._at(hour),
                self.lines[label],
                scenario,
                self.customers.get(who, who),
                Pace(wait, talk),
            )
        planned = [self._internal(*one) for one in INTERNAL]
        planned += [
            self._at_her_phone(*one) for one in AT_HER_PHONE if story and one[3] in self.customers
        ]
        while self.queue:
            start, _number, line, scenario, customer, pace = heapq.heappop(self.queue)
            if start + timedelta(seconds=60) < end:
                planned.append(self._happen(start, line, scenario, customer, pace))
        return sorted(one for one in planned if opening <= one.start and end_of(one) < end)

    def _ask(self, start, line, scenario, customer, pace):
        heapq.heappush(self.queue, (start, next(self.numbers), line, scenario, customer, pace))

    def _happen(self, start, line, scenario, customer, pace) -> Planned:
        if line.provider in LATE and self.now - start < LATE[line.provider]:
            line = self.lines['Сайт']
        scripted = bool(pace)
        free = [phone for phone in line.phones if self.free_at.get(phone, start) <= start]
        self.rng.shuffle(free)
        if not scenario:
            scenario = self._pick(LOST if self.rng.random() < LOST_SHARE else TAKEN)
            if not free:
                scenario = 'abandoned'
        phones = tuple((free or list(line.phones))[:3])
        if len(phones) < 2:
            phones += tuple(phone for phone in line.phones if phone not in phones)[:1]
        pace = pace or self._pace(scenario)
        number = next(self.numbers)
        one = Planned(
            start,
            number,
            line,
            scenario,
            Cast(
                '' if scenario == 'hidden_caller' else customer, line.number, phones, f'{line.team}'
            ),
            pace,
        )
        if scenario not in LOST:
            for phone in phones[: 2 if scenario in ('transfer', 'two_at_once') else 1]:
                self.free_at[phone] = end_of(one) + timedelta(seconds=20)
        elif customer and not scripted:
            self._decide_fate(one)
        return one

    def _decide_fate(self, lost: Planned):
        fate, after, customer = self._pick(FATES), end_of(lost), lost.cast.customer
        line = self.lines['2GIS'] if lost.line.provider in LATE else lost.line
        minutes = self.rng.choice((3, 5, 8, 11, 14, 19, 27, 40))
        if fate == 'called_back':
            self._ask(
                after + timedelta(minutes=minutes),
                line,
                'outbound_answered',
                customer,
                Pace(9, self.rng.randint(45, 220)),
            )
        elif fate == 'calls_again':
            self._ask(
                after + timedelta(minutes=minutes),
                line,
                'queue_answered',
                customer,
                Pace(12, self.rng.randint(50, 240)),
            )
        elif fate == 'tried':
            self._ask(
                after + timedelta(minutes=minutes),
                line,
                'outbound_no_answer',
                customer,
                Pace(30, 0),
            )

    def _internal(self, hour, caller, called) -> Planned:
        line = self.lines['Офис и склад']
        return Planned(
            self._at(hour),
            next(self.numbers),
            line,
            'internal',
            Cast('', line.number, (caller, called)),
            Pace(4, self.rng.randint(20, 90)),
        )

    def _at_her_phone(self, hour, label, scenario, key, wait, talk) -> Planned:
        line, customer = self.lines[label], self.customers[key]
        self.called[customer] = MOST_CALLS
        cast = Cast(customer, line.number, (HER_PHONE,), line.team)
        return Planned(self._at(hour), next(self.numbers), line, scenario, cast, Pace(wait, talk))

    def _pace(self, scenario) -> Pace:
        talk = min(600, max(32, int(self.rng.lognormvariate(4.7, 0.7))))
        if scenario.startswith('outbound'):
            return Pace(
                self.rng.randint(6, 16)
                if scenario == 'outbound_answered'
                else self.rng.randint(18, 40),
                talk,
            )
        if scenario.startswith('abandoned'):
            return Pace(self.rng.choice((9, 17, 26, 38, 52, 66, 83, 118)), 0)
        if scenario in LOST:
            return Pace(self.rng.randint(18, 45), 0)
        wait = min(90, max(3, int(self.rng.lognormvariate(2.6, 0.6))))
        return Pace(wait, self.rng.randint(4, 24) if scenario == 'short_talk' else talk)

    def _caller(self, strangers=0.4) -> str:
        """Mostly people who have not called today, or the day would be one long conversation with a
        few."""
        known = [number for number in self.customers.values() if self.called[number] < MOST_CALLS]
        if not known or self.rng.random() < strangers:
            return self.rng.choice(self.strangers)
        number = self.rng.choice(known)
        self.called[number] += 1
        return number

    def _line(self) -> Line:
        return self.lines[
            self._pick({label: weight for label, weight in LINES.items() if label in self.lines})
        ]

    def _moment(self, opening, hours) -> datetime:
        weights = {
            hour: weight
            for hour, weight in BY_HOUR.items()
            if opening.hour <= hour < opening.hour + hours
        }
        return self._at(self._pick(weights) + self.rng.random())

    def _at(self, hour: float) -> datetime:
        midnight = datetime(self.day.year, self.day.month, self.day.day, tzinfo=ZONE)
        return midnight + timedelta(seconds=round(hour * 3600))

    def _pick(self, weights):
        return self.rng.choices(list(weights), list(weights.values()))[0]


def end_of(one: Planned) -> datetime:
    return one.start + timedelta(seconds=max(call.begins + call.seconds for call in one.calls()))


def just_now(lines: Sequence[Line], customers: Sequence[Customer], now: datetime) -> list[Planned]:
    """Calls of PBXs whose events carry no time: they end when they are posted. Start is a
    placeholder."""
    rng = random.Random('just now')
    own = [line for line in lines if line.provider in LATE]
    who = [customer.number for customer in customers if customer.key.startswith('demo_contact')]
    script = JUST_NOW if is_open(now) else JUST_NOW_CLOSED
    return [
        Planned(
            now,
            number,
            line,
            scenario,
            Cast(customer, line.number, tuple(rng.sample(line.phones, 3)), ''),
            Pace(wait, talk),
        )
        for number, ((scenario, wait, talk), customer) in enumerate(
            zip(script, rng.sample(who, len(script)))
        )
        for line in [own[number % len(own)]]
    ]


def rounds(plan: Iterable[Planned]) -> Iterator[list[Planned]]:
    """Cut where somebody is reached whose call was lost in the same round."""
    part: list[Planned] = []
    lost: set[str] = set()
    for one in plan:
        if one.cast.customer in lost:
            yield part
            part, lost = [], set()
        part.append(one)
        if one.is_lost and one.cast.customer:
            lost.add(one.cast.customer)
    if part:
        yield part


# --- the play ----------------------------------------------------------------------------------------------------


def play(odoo: Odoo) -> None:
    """Play the day that this database has not seen yet, and tell what there is to look at."""
    before = odoo.played()
    if before.startswith('done'):
        _say(f'The day was already played ({before}).')
        return
    # a day that was interrupted goes on as the same day: what was posted is known already
    now = (
        datetime.fromisoformat(before.split()[-1])
        if before
        else datetime.now(timezone.utc).replace(microsecond=0)
    )
    began = time.monotonic()
    accounts, lines, customers = odoo.accounts(), odoo.lines(), odoo.customers()
    if not lines or not customers:
        raise NotReady('the demo data of the addon is gone, so nobody can call')
    odoo.remember(f'begun {now.isoformat()}')
    odoo.move_in()
    odoo.open_now(now)
    planned = plan(lines, customers, now)
    todo = list(rounds(planned))
    for number, part in enumerate(todo, 1):
        _post_all(accounts, part, together=number == len(todo) // 2)
        odoo.settle()
        if number % ROUNDS_A_LINE == 0:
            clock = part[-1].start.astimezone(ZONE)
            _say(
                f'    {clock:%d.%m. %H:%M}, {sum(len(one) for one in todo[:number])} of {len(planned)} calls'
            )
    _post_all(
        accounts, [replace(one, start=_ending_now(one)) for one in just_now(lines, customers, now)]
    )
    odoo.settle()
    odoo.give_sound(SOUNDS)
    odoo.date_arrivals()
    odoo.cancel_one()
    odoo.remember(f'done {now.isoformat()}')
    _say(f'    played in {time.monotonic() - began:.0f}s')
    _tell(odoo)


def _ending_now(one: Planned) -> datetime:
    return datetime.now(timezone.utc) - timedelta(seconds=max(call.seconds for call in one.calls()))


def _post_all(
    accounts: dict[str, Account], part: Sequence[Planned], together: bool = False
) -> None:
    """Each call in order, several calls at once. `together`: what can be sent in one request is, as
    by a bridge that was away for a while."""
    jobs: list[tuple[Account, list[Request]]] = []
    held: dict[str, list[dict]] = {}
    for one in part:
        account = accounts[one.line.provider]
        dialect = dialects()[account.provider]
        for number, call in enumerate(one.calls()):
            said = dialect.tell(
                call, f'{one.ref}-{number}', one.start + timedelta(seconds=call.begins), account.pbx
            )
            if (
                together
                and dialect.BATCH > 1
                and len(held.get(account.provider, ())) + len(said) <= dialect.BATCH
            ):
                held.setdefault(account.provider, []).extend(part.payload for part in said)
            else:
                size = min(dialect.BATCH, len(said))  # of the past, so a call at a time
                jobs.append(
                    (
                        account,
                        [
                            dialect.request(
                                [part.payload for part in said[first : first + size]], account.pbx
                            )
                            for first in range(0, len(said), size)
                        ],
                    )
                )
    jobs += [
        (accounts[provider], [dialects()[provider].request(payloads, accounts[provider].pbx)])
        for provider, payloads in held.items()
    ]
    with ThreadPoolExecutor(POSTING_THREADS) as pool:
        for _done in pool.map(_post, jobs):
            pass


def _post(job: tuple[Account, list[Request]]) -> None:
    account, requests = job
    for request in requests:
        account.webhook.post(request)


# --- what there is to see ----------------------------------------------------------------------------------------


def _tell(odoo: Odoo) -> None:
    company = [('company_id', '=', odoo.company)]
    rows = odoo.call('telephony.call', 'search_read', company, fields=['direction', 'outcome'])
    directions = Counter(row['direction'] for row in rows)
    lost = sum(row['outcome'] in ('missed', 'abandoned') for row in rows)
    callbacks = Counter(
        row['state']
        for row in odoo.call('telephony.callback', 'search_read', company, fields=['state'])
    )
    late = odoo.call('telephony.callback', 'search_count', [*company, ('is_late', '=', True)])
    unclear = odoo.call(
        'telephony.call', 'search_count', [*company, ('match_state', '=', 'ambiguous')]
    )
    _say(
        f"    {len(rows)} calls: {directions['inbound']} in, {directions['outbound']} out, {directions['internal']} between "
        f"colleagues. {lost} callers were lost: {callbacks['open']} wait to be called back, {late} of them too long, and "
        f"{callbacks['done']} were served. {unclear} calls may be about several deals."
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
