"""How a request becomes a document that paths can look into: JSON, a form, the query, XML or a JWT.

What a hostile sender could make expensive is counted before it is read: a body of 1 MiB may hold
half a million values, and no delivery of a PBX does.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote_plus
from xml.parsers import expat

from ..base import MAX_DEPTH, ProviderError, Refused, WebhookRequest, _, parse_json, storable
from .errors import TooMuch, shown
from .language import Request, Template, Unwrap
from .operations import decoded
from .paths import GONE, MOST_NODES, TEXT, Element, Scope, changed

# Elements and attributes of an XML body.
MOST_ELEMENTS = 20_000
MOST_FIELDS = 5_000
MOST_ITEMS = 500
# Bytes of what stands around the items of one delivery, which is kept with each of them.
MOST_AROUND = 4 * 1024 * 1024
# Values that the paths of one item may visit, however many items there are.
LEAST_NODES = 1000
# What stands where a secret stood.
MASK = '***'

_BRACKET = re.compile(r'\[([^\[\]]*)\]')


def split(template: Template, request: WebhookRequest) -> list[dict]:
    """Split a request into payloads, one an item, as they are kept in the inbox.

    :raise ProviderError: it is not of a kind that this PBX sends, or not readable
    :raise Refused: it holds too many items
    """
    kind, document = read(template.request, request)
    document = masked(document, template)
    around = {'template': f'{template.key} {template.version}', **_around(template, request)}
    if not template.request.split:
        return [{'kind': kind, 'item': document, **around}]
    path = template.request.split
    scope = Scope(document, document)
    items = path.nodes(scope)
    if len(items) == 1 and isinstance(items[0], list):
        items = items[0]
    if not items:
        raise ProviderError(_("The list of events is empty or missing: %(path)s", path=path.text))
    if len(items) > MOST_ITEMS:
        raise Refused(
            _(
                "A batch holds at most %(most)s events, this one has %(count)s. Send it in parts.",
                most=MOST_ITEMS,
                count=len(items),
            ),
            status=413,
        )
    rest = changed(document, path.steps, lambda value: GONE)
    rest = None if rest is GONE else rest
    if len(items) * len(dumped(rest)) > MOST_AROUND:
        raise TooMuch
    return [
        {'kind': kind, 'item': item, 'rest': rest, 'of': len(items), **around} for item in items
    ]


def scope_of(template: Template, payload: Mapping) -> Scope:
    """Return what the paths of a template can reach in a payload of the inbox."""
    item, rest = payload.get('item'), payload.get('rest')
    if payload.get('kind') == 'xml':
        item, rest = _as_elements(item), _as_elements(rest)
    if 'rest' not in payload:
        # what the template has learnt to open since the payload was stored
        item = rest = opened(item, template.request)
    share = MOST_NODES // (payload.get('of') or 1)
    scope = Scope(item, rest, payload.get('request') or {}, most=max(share, LEAST_NODES))
    if template.request.root:
        # some send the same with and without something around it
        inner = template.request.root.first(scope)
        scope.roots['$'] = item if inner is None else inner
    return scope


def read(plan: Request, request: WebhookRequest) -> tuple[str, Any]:
    """Return the document of a request, and of which kind its body is."""
    kind = _kind(plan, request)
    if kind == 'json':
        document = json_document(request.body, _("the body"))
    elif kind == 'xml':
        document = xml_document(request.body)
    elif kind == 'jwt':
        document = jwt_claims(request.body.decode('utf-8', 'replace').strip())
    else:
        fields = request.query if kind == 'query' else request.form
        if kind == 'form' and not fields:
            text = request.body.decode('utf-8', 'replace')
            document = form_document(text)
        else:
            document = _fields(fields)
    return kind, opened(document, plan)


def _kind(plan: Request, request: WebhookRequest) -> str:
    """Return of which of its kinds a body is, by how it begins: content types say anything."""
    body = request.body.lstrip(b'\xef\xbb\xbf \t\r\n')
    if request.form and 'form' in plan.bodies:
        return 'form'
    utf_16 = body[:2] in (b'\xff\xfe', b'\xfe\xff')
    looks = (
        'json'
        if body[:1] in (b'{', b'[')
        else 'xml'
        if body[:1] == b'<' or utf_16 and 'xml' in plan.bodies
        else 'jwt'
        if body.count(b'.') == 2 and body[:2] == b'ey'
        else 'form'
        if body
        else 'query'
    )
    if looks in plan.bodies:
        return looks
    if looks == 'form' and b'=' not in body or looks not in ('form', 'query'):
        wanted = [kind for kind in plan.bodies if kind != 'query']
        if body and wanted:
            raise ProviderError(
                _(
                    "The body should be %(wanted)s, but begins with: %(text)s",
                    wanted=wanted,
                    text=shown(storable(body[:60].decode('utf-8', 'replace'))),
                )
            )
    if 'query' in plan.bodies and request.query and not body:
        return 'query'
    if not body and not request.form:
        raise ProviderError(_("The request is empty: it has no body and no fields."))
    raise ProviderError(
        _(
            "The body should be %(wanted)s, but begins with: %(text)s",
            wanted=[*plan.bodies],
            text=shown(storable(body[:60].decode('utf-8', 'replace'))),
        )
    )


def json_document(raw: bytes | str, what: str):
    """Parse JSON of at most MOST_NODES values."""
    commas = ',[{' if isinstance(raw, str) else (b',', b'[', b'{')
    if sum(raw.count(mark) for mark in commas) > MOST_NODES:
        raise TooMuch
    return parse_json(raw, what)


def form_document(text: str) -> dict:
    if text.count('&') >= MOST_FIELDS:
        raise TooMuch
    fields: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        fields.setdefault(name, []).append(value)
    return _fields(fields)


def _fields(fields: Mapping[str, Sequence[str]]) -> dict:
    """Return form fields by their names: one that came several times is a list."""
    if sum(map(len, fields.values())) > MOST_FIELDS:
        raise TooMuch
    return {
        name: values[0] if len(values) == 1 else [*values]
        for name, values in fields.items()
        if values
    }


# --- opening -----------------------------------------------------------------------------------------------------


def opened(document, plan: Request):
    """Return a document with its brackets nested, and with the documents inside its fields opened.
    Done twice it changes nothing."""
    if plan.brackets and isinstance(document, dict):
        document = nested(document)
    for unwrap in plan.unwrap:
        document = changed(
            document, unwrap.path.steps, lambda value, u=unwrap: _unwrapped(value, u)
        )
    return document


def _unwrapped(value, unwrap: Unwrap):
    if not isinstance(value, str) or not value.strip():
        return value
    text, name = value.strip(), unwrap.path.text
    for step in unwrap.steps[:-1]:
        # senders encode or not as they are configured; an encoded text begins otherwise
        if step == 'base64' and text[:1] not in '{[<%':
            text = decoded(text, ['base64'], name).strip()
        elif step == 'url' and text[:1] == '%':
            text = unquote_plus(text)
        elif step in DOCUMENT_READERS:
            break
    return DOCUMENT_READERS[unwrap.steps[-1]](text, name)


DOCUMENT_READERS = {
    'json': json_document,
    'xml': lambda text, name: xml_document(text.encode('utf-8', 'surrogatepass')),
    'form': lambda text, name: form_document(text),
}


def nested(fields: dict) -> dict:
    """Return fields such as `a[b][0]` as objects and lists in each other, as PHP means them."""
    tree: dict = {}
    for name, value in fields.items():
        if name.count('[') > MAX_DEPTH:
            raise TooMuch
        base, bracket, _rest = name.partition('[')
        keys = _BRACKET.findall(name[len(base) :]) if bracket and base else []
        if not keys or ''.join(f'[{k}]' for k in keys) != name[len(base) :]:
            tree[name] = value
            continue
        level, path = tree, [base, *keys]
        for key in path[:-1]:
            level = level.setdefault(_place(key, level), {})
            if not isinstance(level, dict):
                raise ProviderError(
                    _("The field %(field)s is a value and an object at once.", field=shown(name))
                )
        level[_place(path[-1], level)] = value
    return _listed(tree)


def _place(key: str, level: dict) -> str:
    """Return the name in this object for a key in brackets; an empty one is the next place."""
    return key or str(len(level))


def _listed(value):
    """Return an object whose names are 0, 1, 2… as a list. Names that begin so and go on otherwise
    stay names."""
    if not isinstance(value, dict):
        return value
    parts = {name: _listed(part) for name, part in value.items()}
    if parts and [*parts] == [str(number) for number in range(len(parts))]:
        flat = [*parts.values()]
        # a[]=1&a[]=2 comes as one field with two values
        return flat[0] if len(flat) == 1 and isinstance(flat[0], list) else flat
    return parts


def xml_document(raw: bytes) -> Element:
    """Return XML as objects: no namespaces, no DOCTYPE, no entities of its own."""
    if raw.count(b'<') > 2 * MOST_ELEMENTS or raw.count(b'=') > MOST_ELEMENTS:
        raise TooMuch
    root = Element()
    stack, texts, count = [root], [[]], 0
    parser = expat.ParserCreate(namespace_separator=' ')

    def begin(name, attributes):
        nonlocal count
        count += 1 + len(attributes)
        if count > MOST_ELEMENTS or len(stack) > MAX_DEPTH:
            raise TooMuch
        element = Element((f'@{_local(key)}', text) for key, text in attributes.items())
        stack.append(element)
        texts.append([])

    def end(name):
        element, text = stack.pop(), ''.join(texts.pop()).strip()
        if not element:
            value: Any = text
        else:
            value = element
            if text:
                element[TEXT] = text
        parent, key = stack[-1], _local(name)
        if key not in parent:
            parent[key] = value
        elif isinstance(parent[key], list):
            parent[key].append(value)
        else:
            parent[key] = [parent[key], value]

    def refuse(*_told):
        raise ProviderError(_("XML with a DOCTYPE or entities of its own is not read."))

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text)
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw.strip() if raw[:2] not in (b'\xff\xfe', b'\xfe\xff') else raw, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ProviderError(_("What came is not XML: %(error)s", error=shown(error))) from None
    return root


def _local(name: str) -> str:
    return name.rpartition(' ')[2]


def _as_elements(value):
    """Return the objects of an XML document that was stored as JSON as elements again."""
    if isinstance(value, dict):
        return Element((name, _as_elements(part)) for name, part in value.items())
    return [_as_elements(part) for part in value] if isinstance(value, list) else value


def jwt_claims(text: str):
    """Return what a JWT says, without a look at its signature."""
    parts = text.split('.')
    if len(parts) != 3:
        raise ProviderError(_("What came is no JWT."))
    return json_document(unbase64url(parts[1]), _("the JWT"))


def unbase64url(text: str) -> bytes:
    """:raise ProviderError: it is not base64"""
    try:
        return base64.urlsafe_b64decode(text.encode('ascii') + b'=' * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise ProviderError(_("What came is no JWT.")) from None


# --- what is kept ------------------------------------------------------------------------------------------------


def request_parts(template: Template, request: WebhookRequest) -> dict:
    """Return what paths from `~` can reach: suffix, query, and the headers that the template
    lists."""
    parts = {
        'suffix': request.suffix,
        'query': _fields(request.query),
        'header': {
            name: request.headers[name]
            for name in template.request.headers
            if name in request.headers
        },
    }
    return {name: part for name, part in parts.items() if part}


def _around(template: Template, request: WebhookRequest) -> dict:
    parts = request_parts(template, request)
    for path in template.authentication.secret_fields:
        if path.root == '~':
            parts = changed(parts, path.steps, lambda value: MASK)
    return {'request': parts} if parts else {}


def masked(document, template: Template):
    """Return a document without the secret that the sender put into it."""
    for path in template.authentication.secret_fields:
        if path.root == '$':
            document = changed(document, path.steps, lambda value: MASK)
    return document


def without(payload_part, root: str, paths: Iterable):
    """Return a part of a payload without what stands at these paths from `root`."""
    for path in paths:
        if path.root == root and path.steps:
            payload_part = changed(payload_part, path.steps, lambda value: GONE)
    return payload_part


def dumped(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(',', ':'))
