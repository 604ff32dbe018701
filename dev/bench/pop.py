"""P8: from the PBX's POST to the card on the screen, against the least that sends something over
the bus; and what our part of the page's loading costs.

Deliveries come one at a time, with a rest in between: that is when a person waits for the card.
Each shot of ours follows one of the floor.
"""

import json
import statistics
import threading
import time
import urllib.request
import uuid
from contextlib import ExitStack
from datetime import datetime, timezone

import requests
import websocket

from .. import screenshot
from ..setup import chromium
from ..setup.console import fail, phase
from . import inside, load, server
from .data import OFTEN, PAST_OF_OFTEN, Bench
from .sizes import Size
from .table import Pair, Row, at_most, percentile

MODES = {'threaded': 0, 'workers=2': 2}
REST = 1.2  # seconds: the filer's thread is gone by then
PATIENCE = 20
FLOOR_PATH, FLOOR_TYPE, OUR_TYPE = '/telephony_floor/bus', 'telephony_floor', 'crm_telephony.call'
SESSION_PATH, LOADS = '/telephony_floor/session', 20  # in each round, of each

# Runs in the page: posts, and tells the milliseconds until what it waits for is there and painted.
BROWSER = """ (async () => {
    const begin = performance.now();
    const painted = new Promise((resolve) => {
        const done = () => requestAnimationFrame(() => resolve(performance.now() - begin));
        if (%(waits_for)s) {
            const look = () => document.querySelector(%(waits_for)s) && (observer.disconnect(), done());
            const observer = new MutationObserver(look);
            observer.observe(document.body, { childList: true, subtree: true });
        } else {
            const bus = odoo.__WOWL_DEBUG__.root.env.services.bus_service;
            const heard = () => { bus.unsubscribe("telephony_floor", heard); done(); };
            bus.subscribe("telephony_floor", heard);
        }
    });
    const headers = { "Content-Type": "application/json", "X-Telephony-Signature": %(signature)s };
    await fetch(%(path)s, { method: "POST", body: %(body)s, headers });
    return painted;
})() """
CLOSE = "document.querySelectorAll('.o_telephony_card_close').forEach((button) => button.click())"
CARD, WHOLE_CARD = (
    '.o_telephony_card[data-phase=ringing]',
    '.o_telephony_card[data-phase=ringing] .o_telephony_card_body',
)


class Pop:
    def __init__(self, bench: Bench, database: str, size: Size):
        self.bench, self.database, self.size = bench, database, size
        self.path = '/telephony/webhook/generic/' + inside.ask(bench, inside.pop_account, database)

    def run(self) -> list[Row]:
        rows = []
        for mode, workers in MODES.items():
            with server.running(self.bench, self.database, workers) as running:
                url = f'http://127.0.0.1:{running.port}'
                cookie = screenshot.session(url, self.database, 'admin', None)
                for clients in self.size.clients:
                    with phase(f'P8: {mode}, {clients} clients'):
                        rows += self._over_the_bus(running, cookie, mode, clients)
                if not workers:  # a browser finds the websocket behind the same port
                    with phase(f'P8: {mode}, a browser'):
                        rows += self._in_a_browser(url, cookie)
        with (
            phase(f'P8: beside {self.size.past_calls:,} past calls'),
            self.bench.past_calls(self.database, self.size.past_calls),
            server.running(self.bench, self.database) as running,
        ):
            url = f'http://127.0.0.1:{running.port}'
            cookie = screenshot.session(url, self.database, 'admin', None)
            return rows + self._of_a_frequent_caller(url, cookie) + self._page_load(url, cookie)

    # -- to the websocket

    def _over_the_bus(
        self, running: server.Server, cookie: str, mode: str, clients: int
    ) -> list[Row]:
        p50, p95, slowest = Pair(), Pair(), []
        with ExitStack() as stack:
            version = _websocket_version(f'http://127.0.0.1:{running.port}', cookie)
            ears = [
                stack.enter_context(_Ear(running.websocket_port, cookie, version))
                for _ in range(clients)
            ]
            self._shoot(running.port, ears)  # warm
            for _turn in range(self.size.rounds):
                floor, ours = self._shoot(running.port, ears)
                p50.add(percentile(floor, 0.5), percentile(ours, 0.5))
                p95.add(percentile(floor, 0.95), percentile(ours, 0.95))
                slowest += ours
        what = (
            f'POST to {"the client" if clients == 1 else f"the last of {clients} clients"}, {mode}'
        )
        if clients > 1:
            return [p95.row('P8', f'{what}, p95', 'ms', most=1.5)]
        limit = percentile(slowest, 0.95)
        return [
            p50.row('P8', f'{what}, p50', 'ms', most=1.5),
            at_most('P8', f'{what}, p95', limit, 100, 'ms'),
        ]

    def _shoot(self, port: int, ears: list) -> tuple[list, list]:
        times = {FLOOR_TYPE: [], OUR_TYPE: []}
        for _shot in range(self.size.shots):
            for path, kind in ((FLOOR_PATH, FLOOR_TYPE), (self.path, OUR_TYPE)):
                body = ringing()
                for ear in ears:
                    ear.listen(kind)
                begin = time.perf_counter()
                _post(f'http://127.0.0.1:{port}{path}', body)
                times[kind].append(1000 * (max(ear.heard_at() for ear in ears) - begin))
                time.sleep(REST)
        return times[FLOOR_TYPE], times[OUR_TYPE]

    # -- to the eye

    def _in_a_browser(self, url: str, cookie: str) -> list[Row]:
        times = self._watch(url, cookie, {'': {}, CARD: {}, WHOLE_CARD: {}})
        floor, card, whole = (percentile(ms, 0.95) for ms in times.values())
        return [
            Row(
                'P8',
                'POST to the card painted, p50',
                f'{statistics.median(times[""]):.4g} ms',
                f'{statistics.median(times[CARD]):.4g} ms',
            ),
            Row(
                'P8',
                'the same, p95',
                f'{floor:.4g} ms',
                f'{card:.4g} ms',
                f'{card - floor:+.0f} ms',
                '<= +150 ms',
                card - floor <= 150,
            ),
            at_most('P8', 'POST to the whole card, p95', whole, 1000, 'ms'),
        ]

    def _of_a_frequent_caller(self, url: str, cookie: str) -> list[Row]:
        times = self._watch(url, cookie, {'': {}, WHOLE_CARD: {'caller': OFTEN}})
        floor, whole = (percentile(ms, 0.95) for ms in times.values())
        what = f'POST to the whole card of who called {PAST_OF_OFTEN:,} of {self.size.past_calls:,} times, p95'
        return [at_most('P8', what, whole, 1000, 'ms', floor)]

    def _watch(self, url: str, cookie: str, ways: dict[str, dict]) -> dict[str, list]:
        """Milliseconds by way: what has to be on the screen ('' the floor's message) → what differs
        in the event."""
        times = {waits_for: [] for waits_for in ways}
        chromium.ensure()
        browser = screenshot.Browser(self.database)
        try:
            browser.log_in(url, cookie)
            browser.do('Page.navigate', url=url + '/odoo/telephony-calls')
            browser.wait_for('.o_list_view')
            for shot in range(self.size.shots * self.size.rounds + 1):
                for waits_for, ms in times.items():
                    body = ringing(**ways[waits_for])
                    took = browser.evaluate(
                        BROWSER
                        % {
                            'waits_for': json.dumps(waits_for),
                            'path': json.dumps(self.path if waits_for else FLOOR_PATH),
                            'body': json.dumps(body.decode()),
                            'signature': json.dumps(load.signature(body)),
                        }
                    )
                    if shot:  # the first one is slower
                        ms.append(took)
                    browser.evaluate(CLOSE)
                    time.sleep(REST)
        finally:
            browser.close()
        return times

    # -- when a page is loaded

    def _page_load(self, url: str, cookie: str) -> list[Row]:
        """The systray has what it shows from the session, which each page asks for; the floor is
        that without us."""
        told = {False: [], True: []}
        for turn in range(LOADS * self.size.rounds + 1):
            for ours, answers in told.items():
                answer = requests.post(
                    url + SESSION_PATH,
                    json={'jsonrpc': '2.0', 'params': {'ours': ours}},
                    cookies={'session_id': cookie},
                    timeout=PATIENCE,
                ).json()['result']
                if turn:  # the first one fills the caches
                    answers.append(answer)
        floor, ours = (statistics.median(one['ms'] for one in answers) for answers in told.values())
        few, many = (max(one['queries'] for one in answers) for answers in told.values())
        return [
            Row(
                'P8',
                "page load: the session's facts, p50",
                f'{floor:.3g} ms',
                f'{ours:.3g} ms',
                f'{ours - floor:+.2g} ms',
                '<= +30 ms',
                ours - floor <= 30,
            ),
            Row(
                'P8',
                'page load: queries',
                str(few),
                str(many),
                f'{many - few:+}',
                '<= +1',
                many - few <= 1,
            ),
        ]


class _Ear:
    """One client of the websocket: notes when a message of a type has come."""

    def __init__(self, port: int, cookie: str, version: str):
        address = f'127.0.0.1:{port}'
        self._socket = websocket.create_connection(
            f'ws://{address}/websocket?version={version}',
            cookie=f'session_id={cookie}',
            origin=f'http://{address}',
            timeout=PATIENCE,
        )
        self._socket.send(
            json.dumps({'event_name': 'subscribe', 'data': {'channels': [], 'last': 0}})
        )
        self._kind, self._heard, self._at = '', threading.Event(), 0.0
        threading.Thread(target=self._run, daemon=True).start()
        time.sleep(0.5)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._socket.close()

    def _run(self):
        while True:
            try:
                batch = self._socket.recv()
            except (websocket.WebSocketException, OSError):
                return
            at = time.perf_counter()
            if batch and any(one['message']['type'] == self._kind for one in json.loads(batch)):
                self._at = at
                self._heard.set()

    def listen(self, kind: str):
        self._kind = kind
        self._heard.clear()

    def heard_at(self) -> float:
        if not self._heard.wait(PATIENCE):
            fail(f'no {self._kind} over the bus in {PATIENCE} s')
        return self._at


def _websocket_version(url: str, cookie: str) -> str:
    """What a client has to say it was built for."""
    answer = requests.post(
        url + '/web/session/get_session_info',
        json={'jsonrpc': '2.0', 'params': {}},
        cookies={'session_id': cookie},
        timeout=PATIENCE,
    )
    return answer.json()['result']['websocket_worker_version']


def ringing(**more) -> bytes:
    """A customer of the large database rings at our phone, now."""
    event = json.loads(load.events_of_call(uuid.uuid4().hex)[0])
    return json.dumps(
        {
            **event,
            'at': datetime.now(timezone.utc).isoformat(),
            'extension': inside.POP_EXTENSION,
            **more,
        }
    ).encode()


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(
        url,
        data=body,
        headers={'Content-Type': 'application/json', 'X-Telephony-Signature': load.signature(body)},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE):
        pass
