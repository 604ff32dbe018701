"""The client: signed deliveries over loopback, from a process of its own so that it does not wait
for itself.

Odoo closes the connection after each answer, so each delivery is timed from its connect to the last
byte of its answer.
"""

import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from typing import NamedTuple

SECRET = b'bench'
TIMEOUT = 60
START = datetime(2026, 1, 12, 9, tzinfo=timezone.utc)
# (seconds since the call's start, event, extension); a stream plays the first STREAMED of them
STORY = (
    (0, 'ringing', '101'),
    (5, 'answered', '101'),
    (65, 'ended', '101'),
    (66, 'recording', ''),
    (0, 'ringing', ''),
    (1, 'ringing', '102'),
    (20, 'transferred', '103'),
    (22, 'answered', '103'),
)
STREAMED = 4
# the networks of data.E164, so that most callers of the large database are in it
NETWORKS = ('00', '01', '02', '05', '07', '08', '47', '71', '75', '76', '77', '78')


class Address(NamedTuple):
    """Where to, and whether it is signed rightly."""

    port: int
    path: str
    signed: bool = True


class Shot(NamedTuple):
    """What came of some deliveries: milliseconds each, answers by status, seconds for all of them;
    milliseconds of the server's processors, and seconds until all calls were filed."""

    ms: list
    statuses: Counter
    seconds: float
    processor: float = 0
    until_filed: float = 0

    def plus(self, other: 'Shot') -> 'Shot':
        return Shot(*(mine + theirs for mine, theirs in zip(self, other)))

    @property
    def rate(self) -> float:
        return len(self.ms) / self.seconds


def events_of_call(reference: str) -> list[bytes]:
    """The eight events of an answered call, as bodies of the `generic` provider."""
    n = int(hashlib.sha256(reference.encode()).hexdigest(), 16) % 1_000_000
    number = f'+77{NETWORKS[n % 12]}{n * 48271 % 10**7:07}'
    return [
        json.dumps(
            {
                'call_id': reference,
                'event': event,
                'at': (START + timedelta(seconds=second)).isoformat(),
                'direction': 'inbound',
                'caller': number,
                'called': '+77272000000',
                'extension': extension,
                **({'outcome': 'answered', 'talk_seconds': 60} if event == 'ended' else {}),
                **(
                    {'recording_url': f'https://pbx.example.com/{reference}.mp3'}
                    if event == 'recording'
                    else {}
                ),
                'event_id': f'{reference}:{place}',
            }
        ).encode()
        for place, (second, event, extension) in enumerate(STORY)
    ]


def stream(address: Address, concurrency: int, seconds: float, most: int) -> Shot:
    """Calls one after the other on each of so many lines, until the time is over or that many
    deliveries are sent."""
    until = time.perf_counter() + seconds
    results, left = [], threading.Semaphore(most)

    def line():
        while True:
            for body in events_of_call(uuid.uuid4().hex)[:STREAMED]:
                if time.perf_counter() >= until or not left.acquire(blocking=False):
                    return
                results.append(deliver(address, body))

    return _together([line] * concurrency, results)


def burst(address: Address, bodies: list[bytes]) -> Shot:
    """All of these at the same moment."""
    results, start = [], threading.Barrier(len(bodies))

    def one(body):
        start.wait()
        results.append(deliver(address, body))

    return _together([lambda body=body: one(body) for body in bodies], results)


def client() -> ProcessPoolExecutor:
    """The process: `client().submit(stream, ...).result()`."""
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context('spawn'))


def _together(functions, results: list) -> Shot:
    threads = [threading.Thread(target=function) for function in functions]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    return Shot(
        [ms for ms, _status in results], Counter(status for _ms, status in results), seconds
    )


def signature(body: bytes, rightly: bool = True) -> str:
    digest = hmac.new(SECRET if rightly else b'another', body, hashlib.sha256).hexdigest()
    return f'sha256={digest}'


def deliver(address: Address, body: bytes) -> tuple[float, int]:
    """(milliseconds, status); 0 where no answer came."""
    head = (
        f'POST {address.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n'
        f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\n'
        f'X-Telephony-Signature: {signature(body, address.signed)}\r\n\r\n'
    )
    begin = time.perf_counter()
    try:
        with socket.create_connection(('127.0.0.1', address.port), TIMEOUT) as connection:
            connection.sendall(head.encode() + body)
            status = _status(connection)
    except OSError:
        status = 0
    return 1000 * (time.perf_counter() - begin), status


def _status(connection: socket.socket) -> int:
    """Read one answer to the end that its Content-Length tells."""
    answer = b''
    while b'\r\n\r\n' not in answer:
        if not (part := connection.recv(65536)):
            return 0
        answer += part
    head, _, body = answer.partition(b'\r\n\r\n')
    headers = head.lower().split(b'\r\n')
    length = next(
        int(line.split(b':')[1]) for line in headers if line.startswith(b'content-length:')
    )
    while len(body) < length:
        if not (part := connection.recv(65536)):
            return 0
        body += part
    return int(head.split()[1])
