"""Texts that are kept for people: stored as facts, put into words for whoever reads them.

A text that is written once and read by many (why a call is on this deal, what a rule did, what a
PBX refused) has readers of several languages and time zones. So it is not kept as a sentence but as
what it says: an English pattern (the msgid, by which its translations are found) and its values.
:func:`_lt` makes such a text where it is written, :func:`dump` and :func:`load` take it to a column
and back, :func:`render` puts it into the words of a :class:`Reader`.

A :class:`Words` is a `str`, its English reading, so it can go into logs and be compared like any
other text. Whatever makes a new string of it (slicing, formatting) keeps the English and loses the
facts.

The stored form is JSON, `{"msgid": "Set by %(user)s", "values": {"user": "Aigerim"}}`. A value is

- a text, a number, true, false or null, shown as it is;
- a fact of the same form, put into words too;
- a list of values, shown one after another with commas;
- `{"at": "2026-03-14T09:30:00"}`, a moment (UTC), shown in the reader's time zone; `{"on":
  "2026-03-14"}`, a day;
- `{"label": ["telephony.call", "outcome", "missed"]}`, what a choice is called;
- `{"name": ["telephony.callback.reason", 3, "Wrong number"]}`, what a record with a translated name
  is called, and was.

A column may also hold text from before facts were stored, or what a person wrote: anything else
than this JSON is shown as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

_SURROGATE = re.compile('[\ud800-\udfff]')
# How the stored form of a fact begins; no other text begins so, see dump().
MARK = '{"msgid": '


class Label(NamedTuple):
    """What a choice is called: the value `key` of the selection field `field` of `model`."""

    model: str
    field: str
    key: str


class Name(NamedTuple):
    """What a record with a translated name is called, or else, where it is gone, was: `text`. For
    names that everybody may know; any other is stored as it was."""

    model: str
    id: int
    text: str


class Words(str):
    """A text and what it was made of: `msgid`, its English pattern, and `values`, the dict that
    fills it. As a string it is the reading of whoever it was rendered for, in English where it was
    made."""

    __slots__ = ('msgid', 'values')

    @classmethod
    def reading(cls, text: str, msgid: str, values: Mapping) -> Words:
        """The same fact, read as `text`."""
        words = cls(text)
        words.msgid, words.values = msgid, dict(values)
        return words


def _lt(msgid: str, /, **values) -> Words:
    """A text whose translation waits for its reader. Odoo's export finds its msgid by the name of
    this function."""
    return render(Words.reading('', msgid, values), Reader())


class Reader:
    """How a fact is put into words: here in English and UTC. Odoo's models refine this for a user's
    language and zone."""

    def sentence(self, msgid: str, values: Mapping[str, object]) -> str:
        return msgid % values if values else msgid

    def moment(self, moment: datetime) -> str:
        return f'{moment:%Y-%m-%d %H:%M}'

    def day(self, day: date) -> str:
        return day.isoformat()

    def label(self, label: Label) -> str:
        return label.key

    def name(self, name: Name) -> str:
        return name.text

    def listing(self, texts: Iterable[str]) -> str:
        return ', '.join(texts)


def render(text: str, reader: Reader) -> str:
    """A text in the words of a reader; :class:`Words` again, where it is one. What begins with
    another fact, or with a list of them, begins with a capital letter."""
    if not isinstance(text, Words):
        return text
    sentence, (msgid, values) = _sentence(text, reader), (text.msgid, text.values)
    first = values.get(msgid[2 : msgid.find(')')]) if msgid.startswith('%(') else None
    if isinstance(first, (Words, list, tuple)):
        sentence = sentence[:1].upper() + sentence[1:]
    return Words.reading(sentence, msgid, values)


def changed(text: str, change: Callable[[str], str]) -> str:
    """A text after a change of its own words, such as the masking of secrets: of :class:`Words` the
    values, not the pattern."""
    return (
        _lt(text.msgid, **{name: _changed(value, change) for name, value in text.values.items()})
        if (isinstance(text, Words))
        else change(text)
    )


def storable(text: str) -> str:
    """A text for a database column: NUL and lone surrogates, which none takes, become U+FFFD."""
    return _SURROGATE.sub('\ufffd', text).replace('\0', '\ufffd')


def dump(text: str) -> str:
    """How a text is stored: a fact as JSON, any other text as it is, unless it looks like one."""
    if not isinstance(text, Words):
        if not text.startswith(MARK):
            return storable(text)
        text = Words.reading(text, '%(text)s', {'text': text})
    return json.dumps(_packed(text), ensure_ascii=False)


def load(stored: str) -> str:
    """The inverse of :func:`dump`: :class:`Words` in English, or the plain text."""
    if not stored.startswith(MARK):
        return stored
    try:
        fact = _unpacked(json.loads(stored))
        return fact if isinstance(fact, Words) else stored
    except (ValueError, TypeError, KeyError):  # no fact after all
        return stored


def _sentence(text: Words, reader: Reader) -> str:
    return reader.sentence(
        text.msgid, {name: _shown(value, reader) for name, value in text.values.items()}
    )


def _shown(value, reader: Reader):
    """What fills a pattern: a text or a number."""
    match value:
        case Words():
            return _sentence(value, reader)
        case Label():
            return reader.label(value)
        case Name():
            return reader.name(value)
        case list() | tuple():
            return reader.listing([str(_shown(one, reader)) for one in value])
        case datetime():
            return reader.moment(value)
        case date():
            return reader.day(value)
        case None | False:
            return ''
    return value


def _changed(value, change):
    match value:
        case str():
            return changed(value, change)
        case list():
            return [_changed(one, change) for one in value]
    return value


def _packed(value):
    match value:
        case Words():
            return {
                'msgid': value.msgid,
                'values': {name: _packed(one) for name, one in value.values.items()},
            }
        case Label():
            return {'label': list(value)}
        case Name():
            return {'name': list(value)}
        case list() | tuple():
            return [_packed(one) for one in value]
        case datetime():
            return {'at': value.replace(microsecond=0).isoformat()}
        case date():
            return {'on': value.isoformat()}
        case str():  # a subclass, such as a markup, is a text as any other
            return storable(value)
    return value


def _unpacked(value):
    match value:
        case {'msgid': msgid, 'values': values}:
            return _lt(msgid, **{name: _unpacked(one) for name, one in values.items()})
        case {'label': [model, field, key]}:
            return Label(model, field, key)
        case {'name': [model, record_id, text]}:
            return Name(model, record_id, text)
        case {'at': moment}:
            return datetime.fromisoformat(moment)
        case {'on': day}:
            return date.fromisoformat(day)
        case list():
            return [_unpacked(one) for one in value]
    return value
