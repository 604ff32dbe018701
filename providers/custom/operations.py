"""Expressions: how a value of a delivery becomes a field of an event.

An expression is a path, or an object that takes a value (`path`, `const`, `first`, `join`, `case`,
`sides`) and then changes it. The changes are made in the order of this table, however the object is
written:

    absent          these values mean nothing; so do null and an empty text, always
    decode          `url` or `base64`
    split, take     the part number `take` (from 0) between the separators
    before, after   what stands before or after the first of these texts; all of it without them
    strip_prefix    without the first of these beginnings that fits
    digits, lower   the digits alone; small letters
    map, table      our word for this word, in any case; `else`: `fail`, `empty` or a word
    as              `time` (with `format`, `zone`) or `seconds` (with `unit`)
    plus, minus     seconds added to a time or a duration; the time between two times

Everything is read once into closures: an expression costs a few calls when a delivery comes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from ..base import (
    LONGEST_CALL,
    LONGEST_TEXT,
    Account,
    ProviderError,
    _,
    believed,
    doubt,
    later,
    plain,
    storable,
    unfit,
    unknown,
)
from ..sides import side
from .errors import BadTemplate, shown
from .paths import ROOTS, TEXT, Path, Scope, parse

# What an expression yields.
WORD, TIME, SECONDS = 'text', 'time', 'seconds'
SOURCES = ('path', 'const', 'first', 'join', 'case', 'sides')
TESTS = ('is', 'in', 'not', 'exists', 'over')
DECODERS = ('url', 'base64')
UNITS = {'s': 1, 'ms': 0.001, 'us': 0.000001, 'min': 60, 'h:m:s': 0}
EPOCHS = {'epoch_s': 1, 'epoch_ms': 1000, 'epoch_us': 1_000_000}
# What a pattern of a time may hold.
DIRECTIVES = frozenset('YymdbHIMSfpz')
LONGEST_PATTERN = 40
MOST_WORDS = 200
MOST_PARTS = 20
MOST_EXPRESSIONS = 400

_ISO = re.compile(
    r'(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?'
)
_HOURS = re.compile(r'(?:(\d{1,4}):)?(\d{1,4}):(\d\d(?:\.\d+)?)')
_NOTHING = re.compile(r'[0 :.,TZ/-]*')


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `kind` says what it yields, `name` is how complaints call it; `value`
    takes a :class:`Reader` and returns a text, an aware UTC time, seconds or None."""

    kind: str
    name: str
    value: Callable[[Reader], object]


@dataclass(frozen=True)
class Condition:
    """A compiled test, e.g. {"path": "$.event", "is": "answer"}. `path` is what it looks at, where
    that is a bare path."""

    path: str
    holds: Callable[[Reader], bool]


class Reader:
    """One item while it is read: its scope, the account, and the words that no table knew."""

    __slots__ = ('scope', 'account', 'unknown_words')

    def __init__(self, scope: Scope, account: Account):
        self.scope = scope
        self.account = account
        self.unknown_words: list[tuple[str, str]] = []


def text_of(value, name: str) -> str | None:
    """Return a value of a delivery as stripped, plain text; None if it is absent or empty.

    :raise ProviderError: it is a list or an object, or longer than any text that a PBX sends
    """
    if isinstance(value, dict) and TEXT in value:
        value = value[TEXT]
    if value is None:
        return None
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, (str, int, float)):
        raise unfit(name, _("a text"), shown(value))
    text = plain(storable(str(value))).strip()
    if len(text) > LONGEST_TEXT:
        raise ProviderError(
            _(
                "The field %(field)s is longer than %(most)s characters: %(text)s…",
                field=name,
                most=LONGEST_TEXT,
                text=text[:50],
            )
        )
    return text or None


class Compiler:
    """Reads the expressions and conditions of one template.

    :ivar tables: the template's word tables, by their names
    """

    def __init__(self, tables: Mapping[str, Mapping[str, str]] | None = None):
        self.tables = dict(tables or {})
        self.count = 0

    # --- expressions -------------------------------------------------------------------------------------------------

    def expression(self, source, place: str) -> Expression:
        """:raise BadTemplate: it cannot be used"""
        self.count += 1
        if self.count > MOST_EXPRESSIONS:
            raise BadTemplate(
                _("A template has at most %(most)s expressions.", most=MOST_EXPRESSIONS), place
            )
        if isinstance(source, str):
            return self._path(source, place)
        if not isinstance(source, dict):
            raise BadTemplate(
                _("Here belongs a path or an object, not: %(text)s", text=shown(source)), place
            )
        found = [name for name in SOURCES if name in source]
        if len(found) != 1:
            raise BadTemplate(
                _("It should take its value from exactly one of: %(names)s", names=[*SOURCES]),
                place,
            )
        rest = {name: value for name, value in source.items() if name != found[0]}
        result = getattr(self, f'_{found[0]}')(source[found[0]], place, rest)
        result = self._changes(result, rest, place)
        if rest:
            raise BadTemplate(
                _("These words are not known here: %(names)s", names=sorted(rest)), place
            )
        return result

    def typed(self, source, place: str, kind: str) -> Expression:
        """Return an expression that must yield this kind."""
        result = self.expression(source, place)
        if result.kind != kind:
            raise BadTemplate(
                _(
                    "Here belongs %(wanted)s, and this yields %(found)s. A time needs “as”: “time”, a duration "
                    "“as”: “seconds”.",
                    wanted=kind,
                    found=result.kind,
                ),
                place,
            )
        return result

    def _path(self, source, place: str, rest=None) -> Expression:
        path = parse(source, place)

        def value(reader: Reader):
            nodes = path.nodes(reader.scope)
            for node in nodes:
                if (text := text_of(node, path.text)) is not None:
                    return text
            return None

        return Expression(WORD, path.text, value)

    def _const(self, source, place: str, rest) -> Expression:
        text = constant(source, place)
        return Expression(WORD, place, lambda reader: text or None)

    def _first(self, source, place: str, rest) -> Expression:
        parts = self._several(source, place)
        kinds = {part.kind for part in parts}
        if len(kinds) != 1:
            raise BadTemplate(_("All of these should yield the same kind of value."), place)

        def value(reader: Reader):
            for part in parts:
                if (found := part.value(reader)) is not None:
                    return found
            return None

        return Expression(kinds.pop(), ', '.join(part.name for part in parts), value)

    def _join(self, source, place: str, rest) -> Expression:
        if not isinstance(source, list) or not 1 <= len(source) <= MOST_PARTS:
            raise BadTemplate(_("Here belongs a list of 1 to %(most)s.", most=MOST_PARTS), place)
        between = constant(rest.pop('with', ''), f'{place}.with')
        paths = [
            parse(part, f'{place}.join[{number}]')
            if isinstance(part, str) and part[:1] in (*ROOTS,)
            else self.typed(part, f'{place}.join[{number}]', WORD)
            for number, part in enumerate(source)
        ]
        name = ', '.join(part.text if isinstance(part, Path) else part.name for part in paths)

        def value(reader: Reader):
            found = []
            for part in paths:
                if isinstance(part, Path):
                    found += [text_of(node, part.text) for node in part.nodes(reader.scope)]
                else:
                    found.append(part.value(reader))
            return between.join(filter(None, found))[:LONGEST_TEXT] or None

        return Expression(WORD, name, value)

    def _case(self, source, place: str, rest) -> Expression:
        if not isinstance(source, list) or not 1 <= len(source) <= MOST_PARTS:
            raise BadTemplate(_("Here belongs a list of 1 to %(most)s.", most=MOST_PARTS), place)
        branches = []
        for number, branch in enumerate(source):
            here = f'{place}.case[{number}]'
            if not isinstance(branch, dict) or set(branch) != {'when', 'then'}:
                raise BadTemplate(_("Here belong “when” and “then”, and nothing else."), here)
            branches.append(
                (
                    self.conditions(branch['when'], f'{here}.when'),
                    self.expression(branch['then'], f'{here}.then'),
                )
            )
        other = rest.pop('else', None)
        if other is not None:
            branches.append(((), self.expression(other, f'{place}.else')))
        kinds = {part.kind for _when, part in branches}
        if len(kinds) != 1:
            raise BadTemplate(_("All of these should yield the same kind of value."), place)

        def value(reader: Reader):
            for when, part in branches:
                if all(condition.holds(reader) for condition in when):
                    return part.value(reader)
            return None

        return Expression(kinds.pop(), ', '.join(part.name for _when, part in branches), value)

    def _sides(self, source, place: str, rest) -> Expression:
        if not isinstance(source, list) or len(source) != 2:
            raise BadTemplate(_("Here belong the caller and the called, as a list of two."), place)
        caller, called = (
            self.typed(part, f'{place}.sides[{number}]', WORD) for number, part in enumerate(source)
        )

        def value(reader: Reader):
            numbers = caller.value(reader) or '', called.value(reader) or ''
            if not any(numbers):
                return None
            if direction := side(*numbers, reader.account):
                return direction
            raise ProviderError(
                _(
                    "Neither “%(caller)s” nor “%(called)s” is one of our phones or numbers, so the direction of this call is "
                    "not known. Enter the extension or the company number on the PBX's form, then replay this event.",
                    caller=shown(numbers[0]),
                    called=shown(numbers[1]),
                )
            )

        return Expression(WORD, f'{caller.name}, {called.name}', value)

    def _several(self, source, place: str) -> list[Expression]:
        if not isinstance(source, list) or not 1 <= len(source) <= MOST_PARTS:
            raise BadTemplate(_("Here belongs a list of 1 to %(most)s.", most=MOST_PARTS), place)
        return [self.expression(part, f'{place}[{number}]') for number, part in enumerate(source)]

    # --- changes -----------------------------------------------------------------------------------------------------

    def _changes(self, result: Expression, rest: dict, place: str) -> Expression:
        """Apply the changes in `rest`, and take them out of it."""
        for name, change in self._text_changes(rest, place, result.name):
            if result.kind != WORD:
                raise BadTemplate(
                    _("“%(name)s” changes a text, and this is none.", name=name), place
                )
            result = _then(result, WORD, change)
        if 'as' in rest:
            if result.kind != WORD:
                raise BadTemplate(
                    _("“%(name)s” changes a text, and this is none.", name='as'), place
                )
            kind, change = self._reading(rest, place, result.name)
            result = _then(result, kind, change)
        for name, sign in (('plus', 1), ('minus', -1)):
            if name in rest:
                result = self._sum(result, rest.pop(name), sign, f'{place}.{name}')
        return result

    def _text_changes(self, rest: dict, place: str, name: str):
        """Yield the changes of a text, in their order: name and function."""
        if 'absent' in rest:
            words = {text.casefold() for text in texts(rest.pop('absent'), f'{place}.absent')}
            yield 'absent', lambda text, reader: None if text.casefold() in words else text
        if 'decode' in rest:
            steps = rest.pop('decode')
            steps = steps if isinstance(steps, list) else [steps]
            if len(steps) > 3 or any(step not in DECODERS for step in steps):
                raise BadTemplate(
                    _("Here belongs one of: %(names)s", names=[*DECODERS]), f'{place}.decode'
                )
            yield 'decode', lambda text, reader: decoded(text, steps, name)
        if 'split' in rest:
            mark = constant(rest.pop('split'), f'{place}.split', is_needed=True)
            take = whole(rest.pop('take', 0), f'{place}.take', 100)

            def part(text, reader):
                parts = text.split(mark, take + 1)
                return parts[take].strip() if take < len(parts) else None

            yield 'split', part
        elif 'take' in rest:
            raise BadTemplate(_("“take” belongs to “split”."), place)
        for cut in ('before', 'after'):
            if cut in rest:
                marks = texts(rest.pop(cut), f'{place}.{cut}')
                yield cut, lambda text, reader, cut=cut, marks=marks: _cut(text, cut, marks)
        if 'strip_prefix' in rest:
            beginnings = texts(rest.pop('strip_prefix'), f'{place}.strip_prefix')

            def stripped(text, reader):
                begun = next((start for start in beginnings if text.startswith(start)), '')
                return text[len(begun) :].strip()

            yield 'strip_prefix', stripped
        for switch, change in (('digits', _digits), ('lower', str.lower)):
            if switch in rest and truth(rest.pop(switch), f'{place}.{switch}'):
                yield switch, lambda text, reader, change=change: change(text)
        if 'map' in rest or 'table' in rest:
            yield 'map', self._words(rest, place, name)

    def _words(self, rest: dict, place: str, name: str):
        if 'map' in rest and 'table' in rest:
            raise BadTemplate(_("Use “map” or “table”, not both."), place)
        if 'map' in rest:
            words = word_table(rest.pop('map'), f'{place}.map')
        else:
            table = rest.pop('table')
            if not isinstance(table, str) or table not in self.tables:
                raise BadTemplate(
                    _("There is no table of this name: %(text)s", text=shown(table)),
                    f'{place}.table',
                )
            words = self.tables[table]
        other = constant(rest.pop('else', 'fail'), f'{place}.else')

        def word(text, reader):
            found = words.get(text.casefold())
            if found is not None:
                return found
            if other == 'fail':
                raise unknown(name, shown(text))
            if other != 'empty':
                return other
            reader.unknown_words.append((name, shown(text)))
            return None

        return word

    def _reading(self, rest: dict, place: str, name: str):
        """Return what `as` makes of a text: kind and function."""
        kind = rest.pop('as')
        if kind == TIME:
            formats = rest.pop('format', 'iso')
            formats = formats if isinstance(formats, list) else [formats]
            if not 1 <= len(formats) <= MOST_PARTS:
                raise BadTemplate(_("A time needs a format."), f'{place}.format')
            readers = [_time_format(text, f'{place}.format') for text in formats]
            zone = _zone(rest.pop('zone', 'account'), f'{place}.zone')

            def time(text, reader):
                if _NOTHING.fullmatch(text):
                    return None
                for read in readers:
                    try:
                        moment = read(text)
                    except (ValueError, OverflowError, OSError):
                        continue
                    return _in_utc(moment, zone, reader.account)
                raise unfit(name, _("a time"), shown(text))

            return TIME, time
        if kind == SECONDS:
            unit = rest.pop('unit', 's')
            if unit not in UNITS:
                raise BadTemplate(
                    _("Here belongs one of: %(names)s", names=[*UNITS]), f'{place}.unit'
                )
            return SECONDS, lambda text, reader: _seconds(text, unit, name)
        raise BadTemplate(_("Here belongs one of: %(names)s", names=[TIME, SECONDS]), f'{place}.as')

    def _sum(self, result: Expression, source, sign: int, place: str) -> Expression:
        parts = self._several(source if isinstance(source, list) else [source], place)
        kinds = {part.kind for part in parts}
        if result.kind == TIME and sign < 0 and kinds == {TIME} and len(parts) == 1:
            (begun,) = parts

            def between(reader: Reader):
                end, start = result.value(reader), begun.value(reader)
                return _possible((end - start).total_seconds()) if end and start else None

            return Expression(SECONDS, f'{result.name}, {begun.name}', between)
        if result.kind == WORD or kinds != {SECONDS}:
            raise BadTemplate(_("Only seconds are added to a time or a duration."), place)

        def moved(reader: Reader):
            base = result.value(reader)
            if base is None:
                return None
            seconds = sign * sum(part.value(reader) or 0 for part in parts)
            return later(base, seconds) if result.kind == TIME else _possible(base + seconds)

        return Expression(result.kind, result.name, moved)

    # --- conditions --------------------------------------------------------------------------------------------------

    def conditions(self, source, place: str) -> tuple[Condition, ...]:
        """Return conditions, all of which must hold."""
        source = [source] if isinstance(source, dict) else source
        if not isinstance(source, list) or len(source) > MOST_PARTS:
            raise BadTemplate(
                _("Here belongs a list of at most %(most)s conditions.", most=MOST_PARTS), place
            )
        return tuple(
            self._condition(test, f'{place}[{number}]') for number, test in enumerate(source)
        )

    def _condition(self, source, place: str) -> Condition:
        found = [name for name in TESTS if isinstance(source, dict) and name in source]
        if len(found) != 1:
            raise BadTemplate(_("A condition has exactly one of: %(names)s", names=[*TESTS]), place)
        test = found[0]
        taken = {name: value for name, value in source.items() if name != test}
        bare = taken.get('path') if set(taken) == {'path'} else None
        if test == 'exists':
            return self._exists(taken, truth(source[test], f'{place}.{test}'), place)
        what = self.expression(taken if bare is None else bare, place)
        given = source[test]
        if test == 'over':
            if isinstance(given, bool) or not isinstance(given, (int, float)):
                raise BadTemplate(_("Here belongs a number."), f'{place}.over')
            return Condition(what.name, lambda reader: _is_over(what.value(reader), given))
        if what.kind != WORD:
            raise BadTemplate(_("Only a text is compared with words."), place)
        words = {
            text.casefold() for text in texts([given] if test == 'is' else given, f'{place}.{test}')
        }
        if test == 'not':
            return Condition(
                what.name, lambda reader: (what.value(reader) or '').casefold() not in words
            )
        return Condition(what.name, lambda reader: (what.value(reader) or '').casefold() in words)

    def _exists(self, taken: dict, wanted: bool, place: str) -> Condition:
        if set(taken) == {'path'}:
            path = parse(taken['path'], place)
            return Condition(
                path.text,
                lambda reader: (
                    any(node not in (None, '') for node in path.nodes(reader.scope)) == wanted
                ),
            )
        what = self.expression(taken, place)
        return Condition(what.name, lambda reader: (what.value(reader) is not None) == wanted)


# --- parts of a template -----------------------------------------------------------------------------------------


def constant(value, place: str, is_needed: bool = False) -> str:
    """Return a fixed text of a template; a number becomes text.

    :raise BadTemplate: it is none, too long, or empty though needed
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or is_needed and not value:
        raise BadTemplate(
            _("Here belongs a text of at most %(most)s characters.", most=LONGEST_TEXT),
            place,
        )
    return value


def texts(value, place: str) -> tuple[str, ...]:
    """Return a list of fixed texts; a single one stands for a list of one."""
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= MOST_WORDS:
        raise BadTemplate(_("Here belong 1 to %(most)s texts.", most=MOST_WORDS), place)
    return tuple(constant(text, f'{place}[{number}]') for number, text in enumerate(values))


def truth(value, place: str) -> bool:
    if not isinstance(value, bool):
        raise BadTemplate(_("Here belongs true or false."), place)
    return value


def whole(value, place: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadTemplate(_("Here belongs a whole number from 0 to %(most)s.", most=most), place)
    return value


def word_table(value, place: str) -> dict[str, str]:
    """Return a table of words; their words stand in small letters, because senders change them."""
    if not isinstance(value, dict) or not 1 <= len(value) <= MOST_WORDS:
        raise BadTemplate(_("Here belong 1 to %(most)s words.", most=MOST_WORDS), place)
    return {
        constant(theirs, place).strip().casefold(): constant(ours, f'{place}.{shown(theirs)}')
        for theirs, ours in value.items()
    }


def _time_format(text, place: str) -> Callable[[str], datetime]:
    """Return what reads a text of this format as a time, naive where the text tells no offset."""
    if text == 'iso':
        return _iso
    if isinstance(text, str) and text in EPOCHS:
        divisor = EPOCHS[text]
        return lambda value: datetime.fromtimestamp(float(value) / divisor, timezone.utc)
    found = re.findall('%(.?)', text) if isinstance(text, str) else []
    if (
        not found
        or len(text) > LONGEST_PATTERN
        or len(set(found)) < len(found)
        or not DIRECTIVES.issuperset(found)
    ):
        raise BadTemplate(
            _(
                "A format is “iso”, “epoch_s”, “epoch_ms”, “epoch_us” or a pattern of at most %(most)s characters with each of "
                "these once: %(names)s",
                most=LONGEST_PATTERN,
                names=[f'%{directive}' for directive in sorted(DIRECTIVES)],
            ),
            place,
        )
    return lambda value: datetime.strptime(value, text)


def _zone(text, place: str):
    """Return a time zone; None for the account's own."""
    if text == 'account':
        return None
    try:
        return ZoneInfo(constant(text, place, is_needed=True))
    except (OSError, ValueError, LookupError):
        raise BadTemplate(
            _("Here belongs “account” or a known time zone, not: %(text)s", text=shown(text)), place
        ) from None


# --- values of a delivery ----------------------------------------------------------------------------------------


def _then(result: Expression, kind: str, change) -> Expression:
    """Return the expression with a change of its value; nothing stays nothing."""
    before = result.value

    def value(reader: Reader):
        found = before(reader)
        if found is None:
            return None
        found = change(found, reader)
        return None if found == '' else found

    return Expression(kind, result.name, value)


def _digits(text: str) -> str:
    return ''.join(char for char in text if char in '0123456789')


def _cut(text: str, cut: str, marks) -> str:
    places = [(text.find(mark), mark) for mark in marks if mark and mark in text]
    if not places:
        return text
    at, mark = min(places)
    return (text[:at] if cut == 'before' else text[at + len(mark) :]).strip()


def decoded(text: str, steps, name: str) -> str:
    """Return a text without its URL or base64 encoding.

    :raise ProviderError: it is not encoded so
    """
    for step in steps:
        if step == 'url':
            text = unquote_plus(text)
            continue
        try:
            raw = base64.b64decode(text + '=' * (-len(text) % 4), validate=True)
            text = raw.decode('utf-8')
        except (ValueError, binascii.Error):
            raise unfit(name, _("base64 of a text"), shown(text)) from None
    return storable(text)


def iso(text: str) -> datetime | None:
    """Return an ISO 8601 time, naive if it has no offset; None if the text is none."""
    try:
        return _iso(text)
    except ValueError:
        return None


def _iso(text: str) -> datetime:
    match = _ISO.fullmatch(text)
    if not match:
        raise ValueError
    *parts, fraction, offset = match.groups()
    moment = datetime(*(int(part or 0) for part in parts), int(f'{fraction or 0:0<6}'[:6]))
    if not offset:
        return moment
    if offset in 'Zz':
        return moment.replace(tzinfo=timezone.utc)
    digits = offset[1:].replace(':', '')
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return moment.replace(tzinfo=timezone(-away if offset[0] == '-' else away))


def _in_utc(moment: datetime, zone: ZoneInfo | None, account: Account) -> datetime | None:
    try:
        if moment.tzinfo:
            moment = moment.astimezone(timezone.utc)
        elif zone:
            moment = moment.replace(tzinfo=zone).astimezone(timezone.utc)
        else:
            moment = account.to_utc(moment)
    except OverflowError:
        doubt('time')
        return None
    return believed(moment)


def _seconds(text: str, unit: str, name: str) -> float | None:
    """:raise ProviderError: the text is no duration, or a negative one"""
    try:
        if unit == 'h:m:s':
            hours, minutes, seconds = _HOURS.fullmatch(text).groups()
            value = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        else:
            value = float(text) * UNITS[unit]
        if not value >= 0:
            raise ValueError
    except (ValueError, AttributeError):
        raise unfit(name, _("a duration that is not negative"), shown(text)) from None
    return _possible(value)


def _possible(seconds: float) -> float | None:
    if 0 <= seconds <= LONGEST_CALL:
        return seconds
    doubt('duration')
    return None


def _is_over(value, limit) -> bool:
    try:
        return value is not None and float(value) > limit
    except (TypeError, ValueError):
        return False
