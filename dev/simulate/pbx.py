"""The demo company's two PBXs while `make run` is up: real HTTP servers that place, end and pass on
calls when Odoo says so.

They are the PBXs against which the clients are tested (tests/providers/*/fake.py), with calls behind them. Phones
are picked up and customers answer by themselves after some seconds; a talk goes on until somebody
hangs up, or for two minutes.
"""

import base64
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone

from . import live
from .odoo import Account, Line, NotReady, Odoo
from .post import NotDelivered
from .providers.asterisk.fake import FakeAsterisk
from .providers.dialects import Request, dialects, in_requests
from .providers.scenarios import SCENARIOS, Call, Cast, Pace
from .providers.server import Answer
from .providers.zadarma.fake import FakeZadarma
from .switchboard import Switchboard, clicked

INCOMING = '/demo/call'  # what `make call` asks of the demo's Asterisk
RINGS, TALKS = 12, 120  # seconds of an incoming call
TRIES, PAUSE_SECONDS = 5, 2  # of a delivery
Tell = Callable[[str], None]  # a line for the log
# How a cloud PBX paces a call that Odoo asks for: the phone is picked up, the customer answers, the
# talk.
CLOUD_PICK_UP, CLOUD_WAIT, CLOUD_TALK = 3, 5, 40


class DemoPbx:
    """What every PBX of the demo knows: its account in Odoo, and which company number its phones
    call from."""

    def __init__(self, account: Account, lines: list[Line], tell: Tell):
        super().__init__()
        self.account, self.tell = account, tell
        self.key, self.secret = account.pbx.key, account.pbx.secret
        self.lines = {phone: line for line in reversed(lines) for phone in line.phones}


class DemoAsterisk(DemoPbx, FakeAsterisk):
    """ARI and AMI over HTTP, and a trunk on which `make call` calls in."""

    def __init__(self, account: Account, lines: list[Line], names: dict[str, str], tell: Tell):
        super().__init__(account, lines, tell)
        self.endpoints = [('PJSIP', phone, 'online') for phone in names] + [
            ('PJSIP', 'trunk', 'online')
        ]
        self.settings = {
            phone: {'context': 'internal', 'callerid': f'"{name}" <{phone}>'}
            for phone, name in names.items()
        }
        self.board = Switchboard(self._deliver)

    def close(self):
        self.board.close()
        super().close()

    def play(self, call: Call, ref: str) -> None:
        self.board.play(call, ref)

    def dial(self, query):
        phone = query['endpoint'].rpartition('/')[2]
        number, call_id = query['extension'], query['channelId']
        self.board.play(clicked(phone, number, self.lines[phone].number), call_id, linked=call_id)

    def live_channels(self):
        return self.board.channels()

    def hang_up(self, uid) -> bool:
        return self.board.hang_up(uid)

    def pass_on(self, action, channel, phone) -> bool:
        command = self.board.consult if action == 'Atxfer' else self.board.redirect
        return command(channel, phone)

    def _ari(self, request):
        if request.method == 'POST' and request.path == INCOMING:
            if request.headers.get('authorization') != basic(self.key, self.secret):
                return Answer({'message': 'Authentication required'}, 401)
            return self._call_in(request.query)
        return super()._ari(request)

    def _call_in(self, query):
        phone = query['phone']
        if phone not in self.lines:
            return Answer(
                {'message': f"no phone {phone}: there are {', '.join(sorted(self.lines))}"}, 404
            )
        line = query.get('line') or self.lines[phone].number
        cast = Cast(query['customer'], line, (phone,))
        scenario = 'missed' if query.get('missed') else 'answered'
        [call] = SCENARIOS[scenario](cast, Pace(RINGS, TALKS))
        self.board.play(call, f'call-{time.time()}')
        return Answer({'rings': RINGS})

    def _deliver(self, events):
        dialect = dialects()['asterisk']
        if needed := [event for event in events if event['Event'] not in dialect.CHATTER]:
            deliver(self.account, dialect.request(needed, self.account.pbx), self.tell)


class DemoZadarma(DemoPbx, FakeZadarma):
    """Zadarma's API. It places calls; it cannot end them or pass them on."""

    def __init__(self, account: Account, lines: list[Line], names: dict[str, str], tell: Tell):
        super().__init__(account, lines, tell)
        self.stopped, self.threads = threading.Event(), []

    def close(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(5)
        super().close()

    def play(self, call: Call, ref: str, after: float = 0) -> None:
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        thread = threading.Thread(target=self._play, args=(call, ref, after), daemon=True)
        self.threads.append(thread)
        thread.start()

    def answer(self, request):
        answer = super().answer(request)
        if request.path == '/v1/request/callback/' and answer.status == 200:
            phone, number = request.query['from'], '+' + request.query['to'].lstrip('+')
            cast = Cast(number, self.lines[phone].number, (phone,))
            [call] = SCENARIOS['outbound_answered'](cast, Pace(CLOUD_WAIT, CLOUD_TALK))
            self.play(call, f'click-{time.time()}', after=CLOUD_PICK_UP)
        return answer

    def _play(self, call, ref, after):
        """What is left of a call when the demo stops goes out at once: one without an end would
        stay on the screens."""
        dialect = dialects()[self.account.provider]
        began = datetime.now(timezone.utc) + timedelta(seconds=call.begins + after)
        for at, request in in_requests(
            dialect, dialect.tell(call, ref, began, self.account.pbx), self.account.pbx
        ):
            self.stopped.wait(max((at - datetime.now(timezone.utc)).total_seconds(), 0))
            deliver(self.account, request, self.tell)


SERVERS = {'asterisk': DemoAsterisk, 'zadarma': DemoZadarma}


def deliver(account: Account, request: Request, tell: Tell) -> None:
    """As a bridge does: again, if Odoo cannot be reached for a moment."""
    for attempt in range(TRIES):
        try:
            account.webhook.post(request)
            return
        except NotDelivered as problem:
            tell(f'not delivered: {problem}')
            if attempt + 1 < TRIES:
                time.sleep(PAUSE_SECONDS)


def basic(key: str, secret: str) -> str:
    return 'Basic ' + base64.b64encode(f'{key}:{secret}'.encode()).decode()


@contextmanager
def answering(odoo: Odoo, *, is_live: bool = False, tell: Tell = print):
    """The demo's PBXs answer Odoo until the end of the block; with `is_live` calls also come in by
    themselves."""
    with ExitStack() as stack:
        accounts, lines, names = odoo.accounts(), odoo.lines(), odoo.phones()
        servers = {}
        for provider, account in accounts.items():
            own = [line for line in lines if line.provider == provider]
            server = servers[provider] = SERVERS[provider](account, own, names[provider], tell)
            stack.callback(server.close)
            odoo.connect(account, server.url)
        if is_live:
            stopped = threading.Event()
            trickle = threading.Thread(
                target=live.trickle,
                args=(odoo, random.Random(), servers, stopped, tell),
                daemon=True,
            )
            trickle.start()
            stack.callback(trickle.join, 5)
            stack.callback(stopped.set)
        yield servers


def call_in(odoo: Odoo, customer: str, phone: str) -> str:
    """Let a customer call the running demo; gives a line for the person at the keyboard. If a test
    call is waited for, the customer calls the number that is tested, and is answered or not as the
    tester wants.

    :raise NotReady: nobody answers as the demo's PBX
    """
    number, name = odoo.find_customer(customer)
    account = odoo.accounts()['asterisk']
    test = odoo.awaited_test(account.ref)
    missed = bool(test and test['is_missed'])
    asked = {'customer': number, 'phone': phone, 'missed': missed and '1' or ''}
    query = urllib.parse.urlencode({**asked, 'line': test['number'] if test else ''})
    request = urllib.request.Request(
        f'{account.api_url}{INCOMING}?{query}',
        method='POST',
        headers={'Authorization': basic(account.pbx.key, account.pbx.secret)},
    )
    try:
        with urllib.request.urlopen(request, timeout=10):
            pass
    except urllib.error.HTTPError as error:
        raise NotReady(f"the demo's PBX says {error.code}: {error.read().decode()[:200]}") from None
    except (OSError, ValueError) as error:
        raise NotReady(f"the demo's PBX does not answer ({error}): is `make run` up?") from None
    if missed:
        return f'{name} calls for the test, phone {phone} rings; they give up in {RINGS} s.'
    return (
        f'{name} calls{" for the test" if test else ""}, phone {phone} rings; it is picked up in {RINGS} s. Who is logged in '
        'as its user sees the card, where Transfer and Hang Up work.'
    )
