"""A2: how fast a body is turned away that makes many values of few bytes, and how much memory that
takes. (A1, deliveries that a template reads, is measured in webhook.py.)"""

import json
import time
import tracemalloc

from ..setup.console import phase
from .addon.providers.base import Account, ProviderError, WebhookRequest
from .addon.providers.custom import evaluation, language
from .sizes import Size
from .table import Row, at_most

MIB = 1024 * 1024
MOST_MS, MOST_MB = 50, 10
TEMPLATE = {
    'telephony_template': 1,
    'language': 1,
    'id': 'bench',
    'label': 'Bench',
    'auth': {'address_only': True},
    'call': '$.id',
    'rules': [
        {
            'name': 'all',
            'events': [{'kind': 'ringing', 'each': '$[*][*][*]', 'caller': '$[*][*][*].a'}] * 20,
        }
    ],
}
# Each of 1 MiB, the size beyond which nothing is read at all.
BODIES = {
    'json': (b'[' + b'{},' * (MIB // 3 - 1) + b'{}]', b'{"a":' * (MIB // 5), b'[' * MIB),
    'form': (b'a=1&' * (MIB // 4), b'a' + b'[b]' * (MIB // 3) + b'=1'),
    'xml': (
        b'<a>' * (MIB // 3),
        b'<a ' + b' '.join(b'b%d="1"' % number for number in range(100_000)) + b'/>',
        b'<!DOCTYPE l [<!ENTITY a "lol">]><l>' + b'&a;' * (MIB // 3) + b'</l>',
    ),
}


def measure(size: Size) -> list[Row]:
    with phase('A2: hostile bodies'):
        spent = [
            _spent(kind, body)
            for kind, bodies in BODIES.items()
            for body in bodies
            for _turn in range(size.rounds)
        ]
    milliseconds, megabytes = (max(figures) for figures in zip(*spent))
    return [
        at_most(
            'A2', 'the worst body of 1 MiB: until it is turned away', milliseconds, MOST_MS, 'ms'
        ),
        at_most('A2', 'the same: memory beside the body', megabytes, MOST_MB, 'MB'),
    ]


def _spent(kind: str, body: bytes) -> tuple[float, float]:
    """Milliseconds and MB."""
    plan = {'body': kind, 'brackets': kind == 'form'}
    template = language.load(json.dumps({**TEMPLATE, 'request': plan}))
    request, account = WebhookRequest(body=body), Account()
    begin = time.perf_counter()
    [result] = evaluation.evaluate(template, request, account)
    milliseconds = 1000 * (time.perf_counter() - begin)
    if not isinstance(result, ProviderError):
        raise TypeError(f'{kind}: a hostile body was read')
    tracemalloc.start()
    evaluation.evaluate(template, request, account)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return milliseconds, peak / 1000**2
