"""Reads captured requests of which nothing is known: what they are written in, and what is packed
into their fields."""

import base64
import json
import re
from collections.abc import Sequence

from ..base import ProviderError, WebhookRequest
from .documents import read
from .language import Request, Unwrap
from .paths import parse
from .shapes import Captured, leaves_of

# The ways in which a document may be packed into a field.
PACKED = (('json',), ('base64', 'json'), ('url', 'json'), ('xml',))


def kind_of(request: WebhookRequest) -> str:
    """Return what a request is written in, `empty` if it says nothing."""
    body = request.body.lstrip(b'\xef\xbb\xbf \t\r\n')
    if request.form:
        return 'form'
    if body[:1] in (b'{', b'['):
        return 'json'
    if body[:1] == b'<' or body[:2] in (b'\xff\xfe', b'\xfe\xff'):
        return 'xml'
    if body[:2] == b'ey' and body.count(b'.') == 2:
        return 'jwt'
    if body:
        return 'form'
    return 'query' if request.query else 'empty'


def request_of(requests: Sequence[WebhookRequest]) -> dict:
    """Return the `request` part of a template that reads these requests."""
    kinds = dict.fromkeys(kind for request in requests if (kind := kind_of(request)) != 'empty')
    found: dict = {'body': [*kinds] or ['json']}
    if any('[' in name for request in requests for name in request.form):
        found['brackets'] = True
    unwrap = {}
    for request in requests:
        for path, values in captured(request, found).leaves.items():
            for steps in PACKED:
                if path not in unwrap and _opens(values, steps):
                    unwrap[path] = {'path': path, 'as': [*steps]}
    if unwrap:
        found['unwrap'] = [*unwrap.values()][:10]
    return found


def captured(request: WebhookRequest, reading: dict) -> Captured:
    """Return a request as a document, without leaves if it cannot be read."""
    kind = kind_of(request)
    plan = Request(
        bodies=tuple(reading['body']),
        brackets=reading.get('brackets', False),
        unwrap=tuple(
            Unwrap(parse(part['path'], ''), tuple(part['as'])) for part in reading.get('unwrap', ())
        ),
    )
    try:
        leaves = leaves_of(read(plan, request)[1]) if kind != 'empty' else {}
    except ProviderError:
        leaves = {}
    if request.suffix:
        leaves['~.suffix'] = [request.suffix]
    if kind != 'query':
        leaves |= leaves_of({name: [*values] for name, values in request.query.items()}, '~.query')
    return Captured(kind, leaves)


def _opens(values, steps) -> bool:
    """Return whether texts are packed in this way. One that is not packed settles it."""
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    return bool(texts) and all(_opened(text, steps) for text in texts)


def _opened(text: str, steps) -> bool:
    try:
        if steps[0] == 'base64':
            if not re.fullmatch(r'[A-Za-z0-9+/\s]{16,}={0,2}', text):
                return False
            text = base64.b64decode(text).decode()
        elif steps[0] == 'url':
            return bool(re.match('%(?:7B|5B)', text, re.IGNORECASE))
        if steps[-1] == 'xml':
            return text[:1] == '<' and text[-1:] == '>' and '</' in text
        return text[:1] in ('{', '[') and isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False
