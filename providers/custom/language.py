"""Templates: what another PBX sends, told in plain data.

A template is a JSON object: no code, no expression language, no regular expression. :func:`load`
checks it whole and compiles it, and refuses it with the place of what is wrong. docs/any-pbx.md
tells the language to whoever writes one.

    load(data)                      a Template, of the file's text or of the object in it
    loaded(text)                    the same, kept in memory: what runs for every delivery
    evaluation.evaluate(...)        what the events of a request mean
    samples.problems(template)      what its own samples give otherwise than they should

The limits below hold when a template is saved and again when it is loaded, because a database may
be written by others.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ..base import DIRECTIONS, KINDS, OUTCOMES, _
from .errors import BadTemplate, shown
from .operations import (
    SECONDS,
    TIME,
    WORD,
    Compiler,
    Condition,
    Expression,
    constant,
    iso,
    truth,
    whole,
    word_table,
)
from .paths import GONE, Path, parse

FORMAT = 1  # "telephony_template": how the file is laid out
LANGUAGE = 1  # "language": what its words mean

MOST_BYTES = 256 * 1024
MOST_DEPTH = 20
MOST_RULES = 60
MOST_EVENTS = 20
MOST_REPLY = 1024
MOST_NAME = 60
MOST_SAMPLES = 100
MOST_DELIVERIES = 1000
MOST_SECONDS = 10**7  # from the start of a sample to a delivery

BODIES = ('json', 'form', 'query', 'xml', 'jwt')
UNWRAPS = ('json', 'xml', 'form', 'url', 'base64')
DOCUMENTS = ('json', 'xml', 'form')
ALGORITHMS = ('sha1', 'sha256', 'sha512')
ENCODINGS = ('hex', 'base64', 'base64-of-hex')
SIGNED = ('body', 'url+body', 'timestamp.body', 'timestamp|body')
SCHEMES = ('hmac', 'basic', 'bearer', 'header', 'field', 'jwt', 'ed25519', 'address_only')
REPLY_TYPES = ('text/plain', 'application/json', 'application/xml')
PLACEHOLDERS = ('webhook_url', 'caller_name', 'manager', 'echo')
QUESTIONS = ('lookup', 'route')
# Fields of a CallEvent that a template fills, and what an expression must yield for them.
TARGETS: Mapping[str, str] = {
    'at': TIME,
    'started_at': TIME,
    'direction': WORD,
    'caller': WORD,
    'called': WORD,
    'extension': WORD,
    'queue': WORD,
    'outcome': WORD,
    'talk_seconds': SECONDS,
    'wait_seconds': SECONDS,
    'recording_url': WORD,
    'recording_ref': WORD,
    'recording_seconds': SECONDS,
}
OUR_WORDS: Mapping[str, tuple[str, ...]] = {'direction': DIRECTIONS, 'outcome': OUTCOMES}


@dataclass(frozen=True)
class Unwrap:
    """A field that holds a document as text: its path, and the steps that open it."""

    path: Path
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """How a request becomes a document. `bodies` are the kinds of body that this PBX sends; `split`
    is the list of items in it, `root` what an item holds around its fields."""

    bodies: tuple[str, ...] = ('json',)
    brackets: bool = False
    unwrap: tuple[Unwrap, ...] = ()
    headers: tuple[str, ...] = ()
    split: Path | None = None
    root: Path | None = None


@dataclass(frozen=True)
class Scheme:
    """One way in which a delivery shows that it is genuine. `kind` is one of SCHEMES; which other
    fields count depends on it."""

    kind: str
    algorithm: str = 'sha256'
    encoding: str = 'hex'
    header: str = ''
    prefix: str = ''
    over: str = 'body'
    fields: tuple[Path, ...] = ()
    timestamp_header: str = ''
    is_structured: bool = False
    tolerance: int = 300
    path: Path | None = None
    place: str = 'header'
    needs_payload_hash: bool = False


@dataclass(frozen=True)
class Authentication:
    """One of `schemes` has to fit, and the sender has to be among `senders` if there are any."""

    schemes: tuple[Scheme, ...] = ()
    senders: tuple[str, ...] = ()

    @property
    def is_by_address_only(self) -> bool:
        """Whether the secret address alone shows that a delivery is genuine."""
        return any(scheme.kind == 'address_only' for scheme in self.schemes)

    @property
    def secret_fields(self) -> tuple[Path, ...]:
        """The fields that hold the secret, which is never stored."""
        return tuple(scheme.path for scheme in self.schemes if scheme.path)


@dataclass(frozen=True)
class Answering:
    """The body that the PBX expects. `nobody` stands for it where nothing is known of the caller;
    `echo` is the field of a handshake."""

    content_type: str = 'text/plain'
    body: str = ''
    nobody: str = ''
    echo: str = ''


@dataclass(frozen=True)
class EventPlan:
    """An event that a rule makes: of each element at `each`, if there is such a path."""

    kind: str
    when: tuple[Condition, ...]
    each: Path | None
    fields: tuple[tuple[str, Expression], ...]
    is_received_now: bool
    note: str


@dataclass(frozen=True)
class Asking:
    """What a request asks: who calls, or who should get the call."""

    kind: str
    number: Expression
    called: Expression | None = None


@dataclass(frozen=True)
class Rule:
    """What requests that fit all of `when` tell. The first rule that fits counts."""

    name: str
    when: tuple[Condition, ...]
    events: tuple[EventPlan, ...] = ()
    asks: Asking | None = None
    answering: Answering | None = None


@dataclass(frozen=True, eq=False)
class Template:
    """A template that was checked and compiled. `data` is the object that it was made of."""

    key: str
    version: str
    label: Mapping[str, str]
    setup: Mapping[str, tuple[str, ...]]
    request: Request
    authentication: Authentication
    call: Expression
    leave_out: tuple[Path, ...]
    ignored: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    answering: Answering
    tells_outgoing_answer: bool
    waiting_ended_by_caller: bool
    recording_hosts: tuple[str, ...]
    vendor_url: str = ''
    licence: str = ''
    needs: tuple[str, ...] = ()
    samples: tuple[Mapping, ...] = ()
    data: Mapping = field(default_factory=dict, repr=False)

    def label_in(self, language: str) -> str:
        """Return its name in a language such as `ru_RU`, else in English."""
        return in_language(self.label, language)

    def setup_in(self, language: str) -> tuple[str, ...]:
        """Return what the administrator does in the PBX, one step a line."""
        return in_language(self.setup, language) if self.setup else ()


_TOO_DEEP = _("It is nested more than %(most)s deep.", most=MOST_DEPTH)


def in_language(told: Mapping, language: str):
    return next(
        (told[code] for code in (language, language[:2], 'en') if code in told),
        next(iter(told.values())),
    )


def load(data: str | bytes | Mapping) -> Template:
    """Check a template and return it compiled.

    :param data: the text of the file, or the object in it
    :raise BadTemplate: it cannot be used; the message names the place and says what belongs there
    """
    try:
        return _Loader().template(_object_of(data))
    except BadTemplate:
        raise
    except RecursionError:
        raise BadTemplate(_TOO_DEEP, '$') from None


@lru_cache(maxsize=64)
def _tried(text: str) -> Template | BadTemplate:
    try:
        return load(text)
    except BadTemplate as error:
        return error


def loaded(text: str) -> Template:
    """Return the template of this text, compiled once in each process.

    :raise BadTemplate: it cannot be used
    """
    template = _tried(text)
    if isinstance(template, BadTemplate):
        raise template
    return template


def authentication_of(text: str) -> Authentication:
    """Return how the deliveries of a template are known to be genuine, even if the rest of it is
    broken: what it refuses to read is not let in by it.

    :raise BadTemplate: that part is broken too
    """
    loader, data = _Loader(), _object_of(text)
    return loader.authentication(data.get('auth'), 'auth')


def _object_of(data: str | bytes | Mapping) -> dict:
    """Return the object of a template's file.

    :raise BadTemplate: it is none, too large, nested too deeply, or has a name twice
    """
    text = data
    if isinstance(data, Mapping):
        try:
            text = json.dumps(data)
        except RecursionError:
            raise BadTemplate(_TOO_DEEP, '$') from None
        except (TypeError, ValueError):
            raise BadTemplate(_("This is no JSON object."), '$') from None
    raw = text.encode('utf-8', 'surrogatepass') if isinstance(text, str) else bytes(text)
    if len(raw) > MOST_BYTES:
        raise BadTemplate(_("A template has at most %(most)s kB.", most=MOST_BYTES // 1024), '$')
    raw = raw.removeprefix(b'\xef\xbb\xbf')
    try:
        value = json.loads(raw, object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
    except BadTemplate:
        raise
    except (ValueError, RecursionError):
        raise BadTemplate(
            _("A template is a JSON file, and this is none. YAML is not read."), '$'
        ) from None
    level = [value]
    for _depth in range(MOST_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    if level:
        raise BadTemplate(_TOO_DEEP, '$')
    if not isinstance(value, dict):
        raise BadTemplate(_("A template is a JSON object."), '$')
    return value


def _no_name_twice(pairs: list) -> dict:
    names = [name for name, _value in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadTemplate(
            _("The name “%(name)s” stands twice in one object.", name=twice[:100]), '$'
        )
    return dict(pairs)


def _no_constant(name: str):
    raise BadTemplate(_("%(name)s is no JSON.", name=name), '$')


class _Loader:
    """Reads one template. Every method takes a part and its place, and raises BadTemplate."""

    def __init__(self):
        self.compiler = Compiler()

    def template(self, data: dict) -> Template:
        for name, newest in (('telephony_template', FORMAT), ('language', LANGUAGE)):
            number = data.get(name)
            if isinstance(number, int) and not isinstance(number, bool) and number > newest:
                raise BadTemplate(
                    _("This template was made for a newer version. Update Odoo's telephony."), name
                )
            if number != newest or isinstance(number, bool):
                raise BadTemplate(
                    _("Here belongs %(number)s: is this a template file?", number=newest), name
                )
        part = _Part(data, '$')
        part.take('telephony_template', None)
        part.take('language', None)
        tables = part.object('tables')
        self.compiler.tables = {
            name: word_table(words, f'tables.{shown(name)}') for name, words in tables.items()
        }
        every = part.object('all')
        # in the order of the file's own sections, so that complaints come in reading order
        template = Template(
            key=_key(part.take('id', '')),
            version=_version(part.take('version', '1.0.0')),
            label=_label(part.take('label', None)),
            vendor_url=constant(part.take('vendor_url', ''), 'vendor_url'),
            licence=constant(part.take('licence', ''), 'licence'),
            needs=_names(part.take('needs', []), 'needs'),
            setup=_setup(part.take('setup', [])),
            request=self.request(part.take('request', {}), 'request'),
            authentication=self.authentication(part.take('auth', None), 'auth'),
            call=self.compiler.typed(part.take('call', None), 'call', WORD),
            leave_out=self.leave_out(part.take('key', {}), 'key'),
            ignored=tuple(
                self.ignored(value, f'ignore[{number}]')
                for number, value in enumerate(_list(part.take('ignore', []), 'ignore', MOST_RULES))
            ),
            rules=self.rules(part.take('rules', None), every),
            answering=self.answering(part.take('reply', {}), 'reply'),
            tells_outgoing_answer=truth(
                part.take('tells_outgoing_answer', True), 'tells_outgoing_answer'
            ),
            waiting_ended_by_caller=truth(
                part.take('waiting_ended_by_caller', False), 'waiting_ended_by_caller'
            ),
            recording_hosts=_names(part.take('recording_hosts', []), 'recording_hosts'),
            samples=tuple(_samples(part.take('samples', []))),
            data=data,
        )
        part.end()
        return template

    # --- the request -------------------------------------------------------------------------------------------------

    def request(self, value, place: str) -> Request:
        part = _Part(value, place)
        bodies = _words(part.take('body', 'json'), f'{place}.body', BODIES)
        split, root = part.take('split', None), part.take('root', None)
        request = Request(
            bodies=bodies,
            brackets=truth(part.take('brackets', False), f'{place}.brackets'),
            unwrap=tuple(
                self.unwrap(item, f'{place}.unwrap[{number}]')
                for number, item in enumerate(_list(part.take('unwrap', []), f'{place}.unwrap', 10))
            ),
            headers=tuple(
                name.lower()
                for name in _names(part.take('keep_headers', []), f'{place}.keep_headers')
            ),
            split=parse(split, f'{place}.split') if split is not None else None,
            root=parse(root, f'{place}.root') if root is not None else None,
        )
        if secret := {'authorization', 'cookie', 'proxy-authorization'} & {*request.headers}:
            raise BadTemplate(
                _("The header %(name)s is never kept.", name=next(iter(secret))),
                f'{place}.keep_headers',
            )
        part.end()
        return request

    def unwrap(self, value, place: str) -> Unwrap:
        part = _Part({'path': value} if isinstance(value, str) else value, place)
        unwrap = Unwrap(
            parse(part.take('path', None), f'{place}.path'),
            _words(part.take('as', 'json'), f'{place}.as', UNWRAPS),
        )
        part.end()
        if unwrap.steps[-1] not in DOCUMENTS or len(unwrap.steps) > 4:
            raise BadTemplate(
                _("The last step is one of: %(names)s", names=[*DOCUMENTS]), f'{place}.as'
            )
        return unwrap

    # --- authentication ----------------------------------------------------------------------------------------------

    def authentication(self, value, place: str) -> Authentication:
        if value is None:
            raise BadTemplate(
                _(
                    "It is missing how a delivery shows that it is genuine. If the PBX can do no better than the secret "
                    'address, write {"address_only": true}.'
                ),
                place,
            )
        part = _Part(value, place)
        senders = _names(part.take('senders', []), f'{place}.senders')
        for number, sender in enumerate(senders):
            try:
                ipaddress.ip_network(sender, strict=False)
            except ValueError:
                raise BadTemplate(
                    _("Here belongs an address such as 192.0.2.7 or 192.0.2.0/24."),
                    f'{place}.senders[{number}]',
                ) from None
        if 'any' in part.value:
            schemes = _list(part.take('any', None), f'{place}.any', 5)
            places = [f'{place}.any[{number}]' for number in range(len(schemes))]
        else:
            schemes = [{name: part.take(name, None) for name in [*part.rest]}]
            places = [place]
        part.end()
        if not schemes:
            raise BadTemplate(_("At least one scheme is needed."), place)
        return Authentication(tuple(map(self.scheme, schemes, places)), senders)

    def scheme(self, value, place: str) -> Scheme:
        part = _Part(value, place)
        found = [name for name in SCHEMES if name in part.value]
        if found == ['hmac', 'header']:
            found = ['hmac']
        if found == ['header', 'ed25519']:
            found = ['ed25519']
        if len(found) != 1:
            raise BadTemplate(_("Here belongs one of: %(names)s", names=[*SCHEMES]), place)
        scheme = getattr(self, f'_{found[0]}')(part, place)
        part.end()
        return scheme

    def _hmac(self, part, place: str) -> Scheme:
        over = part.take('over', 'body')
        return Scheme(
            'hmac',
            algorithm=_word(part.take('hmac', None), f'{place}.hmac', ALGORITHMS),
            encoding=_word(part.take('encoding', 'hex'), f'{place}.encoding', ENCODINGS),
            header=_header(part.take('header', None), f'{place}.header'),
            prefix=constant(part.take('prefix', ''), f'{place}.prefix'),
            over='fields' if isinstance(over, list) else _word(over, f'{place}.over', SIGNED),
            fields=tuple(
                parse(path, f'{place}.over[{number}]')
                for number, path in enumerate(_list(over, f'{place}.over', 20))
            )
            if isinstance(over, list)
            else (),
            **self._timestamp(part, place, over),
        )

    def _ed25519(self, part, place: str) -> Scheme:
        truth(part.take('ed25519', None), f'{place}.ed25519')
        over = _word(part.take('over', 'timestamp|body'), f'{place}.over', SIGNED)
        return Scheme(
            'ed25519',
            header=_header(part.take('header', None), f'{place}.header'),
            over=over,
            **self._timestamp(part, place, over),
        )

    def _timestamp(self, part, place: str, over) -> dict:
        is_structured = truth(part.take('structured', False), f'{place}.structured')
        told = part.take('timestamp_header', None)
        is_timed = isinstance(over, str) and over.startswith('timestamp')
        if is_timed and told is None and not is_structured:
            raise BadTemplate(
                _("Where does the timestamp stand? Enter “timestamp_header” or “structured”."),
                place,
            )
        return {
            'timestamp_header': _header(told, f'{place}.timestamp_header') if told else '',
            'is_structured': is_structured,
            'tolerance': whole(part.take('tolerance', 300), f'{place}.tolerance', 86400),
        }

    def _basic(self, part, place: str) -> Scheme:
        _must_be_true(part.take('basic', None), f'{place}.basic')
        return Scheme('basic')

    def _bearer(self, part, place: str) -> Scheme:
        _must_be_true(part.take('bearer', None), f'{place}.bearer')
        return Scheme('bearer')

    def _header(self, part, place: str) -> Scheme:
        return Scheme(
            'header',
            header=_header(part.take('header', None), f'{place}.header'),
            prefix=constant(part.take('prefix', ''), f'{place}.prefix'),
        )

    def _field(self, part, place: str) -> Scheme:
        path = parse(part.take('field', None), f'{place}.field')
        if path.root not in '$~' or not path.steps:
            raise BadTemplate(_("The secret stands in a field of the request."), f'{place}.field')
        return Scheme('field', path=path)

    def _jwt(self, part, place: str) -> Scheme:
        return Scheme(
            'jwt',
            place=_word(part.take('jwt', None), f'{place}.jwt', ('header', 'body')),
            needs_payload_hash=truth(part.take('payload_hash', False), f'{place}.payload_hash'),
        )

    def _address_only(self, part, place: str) -> Scheme:
        _must_be_true(part.take('address_only', None), f'{place}.address_only')
        return Scheme('address_only')

    # --- what is told ------------------------------------------------------------------------------------------------

    def leave_out(self, value, place: str) -> tuple[Path, ...]:
        part = _Part(value, place)
        paths = _list(part.take('leave_out', []), f'{place}.leave_out', 20)
        part.end()
        return tuple(
            parse(path, f'{place}.leave_out[{number}]') for number, path in enumerate(paths)
        )

    def ignored(self, value, place: str) -> Rule:
        part = _Part(value, place)
        rule = Rule(
            name=_name(part.take('name', ''), f'{place}.name'),
            when=self.compiler.conditions(part.take('when', None), f'{place}.when'),
        )
        part.end()
        return rule

    def rules(self, value, every: dict) -> tuple[Rule, ...]:
        rules = _list(value, 'rules', MOST_RULES)
        if not rules:
            raise BadTemplate(_("At least one rule is needed."), 'rules')
        shared = self.fields(every, 'all')
        return tuple(self.rule(rule, f'rules[{n}]', shared) for n, rule in enumerate(rules))

    def rule(self, value, place: str, shared: dict[str, Expression]) -> Rule:
        part = _Part(value, place)
        asks, reply = part.take('asks', None), part.take('reply', None)
        rule = Rule(
            name=_name(part.take('name', ''), f'{place}.name'),
            when=self.compiler.conditions(part.take('when', []), f'{place}.when'),
            events=tuple(
                self.event(event, f'{place}.events[{number}]', shared)
                for number, event in enumerate(
                    _list(part.take('events', []), f'{place}.events', MOST_EVENTS)
                )
            ),
            asks=self.asking(asks, f'{place}.asks') if asks is not None else None,
            answering=self.answering(reply, f'{place}.reply') if reply is not None else None,
        )
        part.end()
        return rule

    def event(self, value, place: str, shared: dict[str, Expression]) -> EventPlan:
        part = _Part(value, place)
        each = part.take('each', None)
        plan = {
            'kind': _word(part.take('kind', None), f'{place}.kind', KINDS),
            'when': self.compiler.conditions(part.take('if', []), f'{place}.if'),
            'each': parse(each, f'{place}.each') if each is not None else None,
            'is_received_now': truth(part.take('received', True), f'{place}.received'),
            'note': constant(part.take('note', ''), f'{place}.note'),
        }
        own = {name: part.take(name, None) for name in [*part.rest] if name in TARGETS}
        part.end()
        # null takes away what `all` gives
        fields = {name: what for name, what in shared.items() if name not in own}
        fields |= self.fields({n: v for n, v in own.items() if v is not None}, place)
        return EventPlan(fields=tuple(fields.items()), **plan)

    def fields(self, value: dict, place: str) -> dict[str, Expression]:
        fields = {}
        for name, source in value.items():
            if name not in TARGETS:
                raise BadTemplate(
                    _("An event has no field of this name: %(name)s", name=shown(name)), place
                )
            here = f'{place}.{name}'
            fields[name] = self.compiler.typed(source, here, TARGETS[name])
            if name in OUR_WORDS:
                self._check_our_words(source, here, OUR_WORDS[name])
        return fields

    def _check_our_words(self, source, place: str, ours: tuple[str, ...]):
        """Check that a table, a constant and `else` give our words, where they are written."""
        if isinstance(source, list):
            for number, part in enumerate(source):
                self._check_our_words(part, f'{place}[{number}]', ours)
        if not isinstance(source, dict):
            return
        table = source.get('map') or self.compiler.tables.get(source.get('table') or '', {})
        other = source.get('else')
        given = [*table.values()] if isinstance(table, dict) else []
        if table and isinstance(other, str) and other not in ('fail', 'empty'):
            given.append(other)
        if not table and 'const' in source:
            given.append(source['const'])
        for word in given:
            if word not in (*ours, ''):
                raise BadTemplate(
                    _("%(text)s is none of: %(names)s", text=shown(word), names=[*ours]),
                    place,
                )
        if not table:
            for name in ('first', 'case', 'then', 'else'):
                self._check_our_words(source.get(name), f'{place}.{name}', ours)

    def asking(self, value, place: str) -> Asking:
        part = _Part(value, place)
        called = part.take('called', None)
        asking = Asking(
            kind=_word(part.take('kind', 'lookup'), f'{place}.kind', QUESTIONS),
            number=self.compiler.typed(part.take('number', None), f'{place}.number', WORD),
            called=self.compiler.typed(called, f'{place}.called', WORD) if called else None,
        )
        part.end()
        return asking

    def answering(self, value, place: str) -> Answering:
        part = _Part(value, place)
        answering = Answering(
            content_type=_word(part.take('type', 'text/plain'), f'{place}.type', REPLY_TYPES),
            body=_reply(part.take('body', ''), f'{place}.body'),
            nobody=_reply(part.take('nobody', ''), f'{place}.nobody'),
            echo=_name(part.take('echo', ''), f'{place}.echo'),
        )
        part.end()
        if ('{echo}' in answering.body) != bool(answering.echo):
            raise BadTemplate(_("“echo” names the field that {echo} gives back."), place)
        if answering.echo and answering.content_type != 'text/plain':
            raise BadTemplate(_("An echo is answered as text/plain."), place)
        return answering


class _Part:
    """An object of a template whose names are taken one by one: what is left is not known."""

    def __init__(self, value, place: str):
        if not isinstance(value, dict):
            raise BadTemplate(_("Here belongs an object."), place)
        self.value, self.place, self.rest = value, place, dict(value)

    def take(self, name: str, default):
        return self.rest.pop(name, default)

    def object(self, name: str) -> dict:
        value = self.take(name, {})
        if not isinstance(value, dict):
            raise BadTemplate(_("Here belongs an object."), name)
        return value

    def end(self) -> None:
        if self.rest:
            raise BadTemplate(
                _(
                    "These words are not known here: %(names)s",
                    names=[shown(name) for name in sorted(self.rest)],
                ),
                self.place,
            )


def _list(value, place: str, most: int) -> list:
    if not isinstance(value, list) or len(value) > most:
        raise BadTemplate(_("Here belongs a list of at most %(most)s.", most=most), place)
    return value


def _names(value, place: str) -> tuple[str, ...]:
    return tuple(
        constant(text, f'{place}[{number}]', is_needed=True)
        for number, text in enumerate(_list(value, place, 100))
    )


def _word(value, place: str, words: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in words:
        raise BadTemplate(_("Here belongs one of: %(names)s", names=[*words]), place)
    return value


def _words(value, place: str, words: tuple[str, ...]) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or len(values) > len(words):
        raise BadTemplate(_("Here belongs one of: %(names)s", names=[*words]), place)
    return tuple(_word(text, place, words) for text in values)


def _must_be_true(value, place: str) -> None:
    if value is not True:
        raise BadTemplate(_("Here belongs true."), place)


def _name(value, place: str) -> str:
    text = constant(value, place)
    if len(text) > MOST_NAME:
        raise BadTemplate(_("A name has at most %(most)s characters.", most=MOST_NAME), place)
    return text


def _header(value, place: str) -> str:
    name = constant(value, place, is_needed=True)
    if not all(char.isalnum() or char in '-_' for char in name) or not name.isascii():
        raise BadTemplate(_("Here belongs the name of a header."), place)
    return name.lower()


def _key(value) -> str:
    key = constant(value, 'id')
    if not key or len(key) > MOST_NAME or not all(c.isalnum() or c in '-_.' for c in key):
        raise BadTemplate(_("An id is made of letters, digits, dots and hyphens."), 'id')
    return key


def _version(value) -> str:
    version = constant(value, 'version')
    parts = version.split('.')
    if len(parts) != 3 or not all(
        part.isascii() and part.isdigit() and len(part) < 7 for part in parts
    ):
        raise BadTemplate(_("A version is three numbers, such as 1.0.0."), 'version')
    return version


def _label(value) -> dict[str, str]:
    told = {'en': value} if isinstance(value, str) else value
    if not isinstance(told, dict) or not told or len(told) > 20:
        raise BadTemplate(_("Here belongs a name, or names by language."), 'label')
    return {
        constant(code, 'label'): _name(constant(text, 'label', is_needed=True), 'label')
        for code, text in told.items()
    }


def _setup(value) -> dict[str, tuple[str, ...]]:
    told = {'en': value} if isinstance(value, list) else value
    if not isinstance(told, dict) or len(told) > 20:
        raise BadTemplate(_("Here belongs a list of steps, or lists by language."), 'setup')
    return {code: _names(steps, f'setup.{shown(code)}') for code, steps in told.items() if steps}


def _reply(value, place: str) -> str:
    text = constant(value, place)
    if len(text.encode('utf-8', 'surrogatepass')) > MOST_REPLY:
        raise BadTemplate(_("A reply has at most %(most)s bytes.", most=MOST_REPLY), place)
    return text


# What a sample may hold, the form of all PBXs' samples, and of what kind it is.
SAMPLE: Mapping[str, tuple[type, ...]] = {
    'about': (str,),
    'account': (dict,),
    'started_at': (str,),
    'deliveries': (list,),
    'expected': (dict, type(None)),
    'ignored': (bool,),
    'failed': (str,),
    'events': (int,),
    'order_matters': (bool,),
}
ACCOUNT: Mapping[str, tuple[type, ...]] = {
    'timezone': (str,),
    'country': (str,),
    'webhook_url': (str,),
    'extensions': (list,),
    'own_numbers': (list,),
    'trunks': (list,),
    'outside_codes': (list,),
}
DELIVERY: Mapping[str, tuple[type, ...]] = {
    'json': (object,),
    'form': (dict,),
    'xml': (str,),
    'raw': (str,),
    'query': (dict,),
    'headers': (dict,),
    'suffix': (str,),
    'method': (str,),
    'received_after': (int, float),
}


def _samples(value) -> list[Mapping]:
    samples, count = _list(value, 'samples', MOST_SAMPLES), 0
    for number, sample in enumerate(samples):
        place = f'samples[{number}]'
        _kinds(sample, place, SAMPLE)
        account = sample.get('account', {})
        _kinds(account, f'{place}.account', ACCOUNT)
        for name, part in account.items():
            if isinstance(part, list):
                for index, text in enumerate(part):
                    constant(text, f'{place}.account.{name}[{index}]')
        if 'started_at' in sample and not iso(sample['started_at']):
            raise BadTemplate(_("Here belongs a time such as 2026-03-02T06:00:00Z."), place)
        deliveries = _list(sample.get('deliveries'), f'{place}.deliveries', 100)
        count += len(deliveries)
        for index, delivery in enumerate(deliveries):
            here = f'{place}.deliveries[{index}]'
            _kinds(delivery, here, DELIVERY)
            if not abs(delivery.get('received_after', 0)) < MOST_SECONDS:
                raise BadTemplate(_("Here belongs a number."), f'{here}.received_after')
    if count > MOST_DELIVERIES:
        raise BadTemplate(
            _("The samples have more than %(most)s deliveries.", most=MOST_DELIVERIES), 'samples'
        )
    return samples


def _kinds(value, place: str, kinds: Mapping[str, tuple[type, ...]]) -> None:
    """Check the names in an object, and of what kind each value is."""
    part = _Part(value, place)
    for name, wanted in kinds.items():
        found = part.take(name, GONE)
        if found is not GONE and not isinstance(found, wanted):
            raise BadTemplate(
                _(
                    "This value is of another kind than what belongs here: %(text)s",
                    text=shown(found),
                ),
                f'{place}.{name}',
            )
    part.end()
