"""Finds how the requests of an unknown PBX show that they are genuine, and tries which way fits the
secret that was entered."""

import re
from collections.abc import Callable, Iterator, Sequence

from ..base import Account, WebhookRequest, _
from ..signing import base64_text
from .masking import MARK, is_marked, mark

_PREFIXED = re.compile(r'(?P<prefix>[A-Za-z][\w.-]{1,11}=)?(?P<digest>[\w+/=-]{27,128})')
_STRUCTURED = re.compile(r't=\d{9,13},v1=(?P<digest>[\w+/=-]{27,128})')
_TIME = re.compile(r'\d{10}(?:\d{3})?')
_HEX = {40: 'sha1', 64: 'sha256', 128: 'sha512'}
_BASE64 = {28: 'sha1', 44: 'sha256', 88: 'sha512'}
_BASE64_OF_HEX = {56: 'sha1', 88: 'sha256', 172: 'sha512'}


def choices(
    requests: Sequence[WebhookRequest],
    account: Account,
    salt: bytes,
    verify: Callable[[dict, WebhookRequest], bool],
    fields: dict[str, list],
) -> list[dict]:
    """Return the ways to choose from, the best first: `auth` as a template has it, `label`, and `fits`:
    `yes` or `no` if the entered secret was tried on all requests, '' where it cannot be.

    :param verify: whether a request is genuine by such an `auth`
    :param fields: path → the values of fields of the requests
    """
    told = [request for request in requests if request.body or request.query or request.form]
    found = [
        *_signatures(told, account, verify),
        *_logins(told, account, salt),
        *_named(told, account, salt, fields),
    ]
    found.sort(key=lambda choice: choice['fits'] != 'yes')
    by_address = {
        'auth': {'address_only': True},
        'label': _("The secret address only: my PBX cannot do better"),
        'fits': '',
    }
    return [*found, by_address]


def _everywhere(requests, name) -> list[str]:
    """Return the values of a header that all requests have, [] if one has none."""
    values = [request.headers.get(name, '') for request in requests]
    return values if values and all(values) else []


def _signatures(requests, account, verify) -> Iterator[dict]:
    names = dict.fromkeys(name for request in requests for name in request.headers)
    times = [
        name for name in names if all(map(_TIME.fullmatch, _everywhere(requests, name) or ['']))
    ]
    for name in names:
        values = [value.strip() for value in _everywhere(requests, name)]
        if not values or len(set(values)) == 1 < len(values) or any(map(is_marked, values)):
            continue
        schemes = [*_schemes(name, values[0], times)]
        if not schemes:
            continue
        fits = ''
        can_be_tried = account.api_secret and not any(
            MARK in request.body.decode('utf-8', 'replace') for request in requests
        )
        if can_be_tried:
            fitting = [
                scheme
                for scheme in schemes
                if all(verify({'any': [scheme]}, request) for request in requests)
            ]
            fits, schemes = 'yes' if fitting else 'no', fitting or schemes
        scheme = schemes[0]
        yield {
            'auth': {'any': [scheme]},
            'label': _(
                "A signature in the header %(header)s: HMAC %(algorithm)s of %(over)s",
                header=name,
                algorithm=scheme['hmac'].upper(),
                over=scheme['over'],
            ),
            'fits': fits,
        }


def _schemes(name: str, value: str, times: Sequence[str]) -> Iterator[dict]:
    """Yield the usual ways in which such a header is computed."""
    structured = _STRUCTURED.fullmatch(value)
    found = structured or _PREFIXED.fullmatch(value)
    if not found:
        return
    digest = found['digest']
    encodings = [
        (encoding, sizes[len(digest)])
        for encoding, sizes, pattern in (
            ('hex', _HEX, '[0-9a-fA-F]+'),
            ('base64', _BASE64, r'[\w+/-]+={0,2}'),
            ('base64-of-hex', _BASE64_OF_HEX, r'[\w+/-]+={0,2}'),
        )
        if len(digest) in sizes and re.fullmatch(pattern, digest)
    ]
    for encoding, algorithm in encodings:
        scheme = {'hmac': algorithm, 'encoding': encoding, 'header': name}
        if structured:
            yield {**scheme, 'over': 'timestamp.body', 'structured': True}
            continue
        if found['prefix']:
            scheme['prefix'] = found['prefix']
        yield {**scheme, 'over': 'body'}
        yield {**scheme, 'over': 'url+body'}
        for time in times:
            yield {**scheme, 'over': 'timestamp.body', 'timestamp_header': time}
            yield {**scheme, 'over': 'timestamp|body', 'timestamp_header': time}


def _logins(requests, account, salt) -> Iterator[dict]:
    values = _everywhere(requests, 'authorization')
    if not values:
        return
    scheme, _blank, rest = values[0].partition(' ')
    same = len(set(values)) == 1
    if scheme.lower() == 'basic':
        login = base64_text(f'{account.api_key}:{account.api_secret}'.encode())
        yield {
            'auth': {'any': [{'basic': True}]},
            'label': _("User and password (HTTP basic authentication)"),
            'fits': _fit(account, same and mark(login, salt) == rest),
        }
    elif same:
        is_bearer = scheme.lower() == 'bearer'
        given = rest if is_bearer else values[0]
        auth = {'bearer': True} if is_bearer else {'header': 'authorization'}
        yield {
            'auth': {'any': [auth]},
            'label': _("A secret in the header Authorization"),
            'fits': _fit(account, mark(account.api_secret, salt) == given),
        }
    elif scheme.lower() == 'bearer':
        yield {
            'auth': {'any': [{'jwt': 'header'}]},
            'label': _("A signed token (JWT) in the header Authorization"),
            'fits': '',
        }


def _named(requests, account, salt, fields) -> Iterator[dict]:
    """Yield the headers and fields that hold the same secret in all requests."""
    secret = account.api_secret and mark(account.api_secret, salt)
    for name in dict.fromkeys(name for request in requests for name in request.headers):
        values = set(_everywhere(requests, name))
        if name != 'authorization' and len(values) == 1 and is_marked(*values):
            yield {
                'auth': {'any': [{'header': name}]},
                'label': _("A secret in the header %(header)s", header=name),
                'fits': _fit(account, values == {secret}),
            }
    for path, values in fields.items():
        if len(values) == len(requests) and len(set(values)) == 1 and is_marked(values[0]):
            yield {
                'auth': {'any': [{'field': path}]},
                'label': _("A secret in the field %(field)s", field=path),
                'fits': _fit(account, values[0] == secret),
            }


def _fit(account: Account, is_same: bool) -> str:
    """Return whether the entered secret is the one that was sent, '' while none is entered."""
    return ('yes' if is_same else 'no') if account.api_secret else ''
