"""Posts generated bodies, well signed, to a `generic` account and counts the answers: never a 5xx.

    python -m dev.fuzz --url WEBHOOK_ADDRESS --secret S [--count 10000] [--pid SERVER]

With --pid it also tells how much the server's memory grew from the first tenth to the end.
"""

import argparse
import hashlib
import hmac
import http.client
import json
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = [
    'call_id',
    'event',
    'at',
    'direction',
    'caller',
    'called',
    'extension',
    'queue',
    'outcome',
    'talk_seconds',
    'wait_seconds',
    'recording_url',
    'event_id',
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=9), inner),
    max_leaves=20,
)
RIGHT = {
    'call_id': st.text(min_size=1, max_size=12),
    'event': st.sampled_from(['ringing', 'answered', 'ended', 'recording', 'transferred']),
    'at': st.datetimes().map(lambda moment: moment.isoformat() + '+05:00'),
    'direction': st.sampled_from(['inbound', 'outbound', 'internal']),
}
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        **{name: right | ANYTHING for name, right in RIGHT.items()},
        'caller': st.from_regex(r'\+?[78]?[ (]?7[0-9 ()-]{9,14}') | ANYTHING,
        'called': st.from_regex(r'\+7727[0-9]{7}') | ANYTHING,
        'extension': st.text(max_size=5) | ANYTHING,
        'outcome': st.sampled_from(
            ['answered', 'no_answer', 'busy', 'failed', 'voicemail', 'missed', 'abandoned']
        )
        | ANYTHING,
        'talk_seconds': st.integers() | ANYTHING,
        'wait_seconds': st.floats() | ANYTHING,
        'recording_url': st.text(max_size=60) | ANYTHING,
        'event_id': st.text(max_size=9) | ANYTHING,
    },
)
UNUSUAL = st.fixed_dictionaries(
    RIGHT,
    optional={
        'caller': st.text(max_size=20),
        'called': st.text(max_size=20),
        'extension': st.text(max_size=5),
        'outcome': st.sampled_from(
            ['answered', 'no_answer', 'busy', 'failed', 'voicemail', 'missed', 'abandoned']
        ),
        'queue': st.text(max_size=9),
        'talk_seconds': st.integers(0, 9999),
        'recording_url': st.text(max_size=60),
    },
)
VALUES = (
    ANYTHING
    | NEARLY_RIGHT
    | UNUSUAL
    | st.lists(UNUSUAL, max_size=6)
    | st.lists(NEARLY_RIGHT, max_size=6)
)
BODIES = st.binary(max_size=400) | VALUES.map(lambda value: json.dumps(value).encode())


def memory(pid: int) -> int:
    """Resident memory in MB."""
    pages = int(Path(f'/proc/{pid}/statm').read_text('ascii').split()[1])
    return pages * 4096 // 2**20


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='python -m dev.fuzz',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--url', required=True)
    parser.add_argument('--secret', required=True)
    parser.add_argument('--count', type=int, default=10_000)
    parser.add_argument('--pid', type=int)
    given_options = parser.parse_args()
    where, answers, sizes = urlsplit(given_options.url), Counter(), []

    def post(body: bytes) -> None:
        connection = http.client.HTTPConnection(where.hostname, where.port or 80, timeout=60)
        signature = hmac.new(given_options.secret.encode(), body, hashlib.sha256).hexdigest()
        connection.request(
            'POST',
            where.path,
            body,
            {'Content-Type': 'application/json', 'X-Telephony-Signature': f'sha256={signature}'},
        )
        status = connection.getresponse().status
        connection.close()
        answers[status] += 1
        if given_options.pid and sum(answers.values()) % (given_options.count // 10) == 0:
            sizes.append(memory(given_options.pid))
        if status >= 500:
            print(status, body[:300], file=sys.stderr)

    @settings(
        max_examples=given_options.count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(BODIES)
    def every_body(body):
        post(body)

    every_body()
    print(
        f"{sum(answers.values())} bodies: "
        + ', '.join(f'{count} × {status}' for status, count in sorted(answers.items()))
    )
    if sizes:
        print(f"memory of the server after each tenth: {sizes} MB")
    return any(status >= 500 for status in answers)


if __name__ == '__main__':
    sys.exit(main())
