"""Texts that are stored as facts, and read in the language and time zone of each reader.

A text that is written once and read by many (why a call is on this deal, what a rule did, what a
PBX refused) has readers of several languages and time zones. So not the sentence is stored, but an
English pattern (the msgid, by which its translations are found) and its values. :func:`_lt` makes
such a text where it is written, :func:`dump` and :func:`load` take it to a column and back,
:func:`render` gives the sentence for a :class:`Reader`.

A :class:`Words` is a `str`, its English reading, so it can go into logs and be compared like any
other text. Whatever makes a new string of it (slicing, formatting) keeps the English and loses the
facts.

The stored form is JSON, `{"msgid": "Set by %(user)s", "values": {"user": "Aigerim"}}`. A value is

- a text, a number, true, false or null, shown as it is;
- a fact of the same form, rendered too;
- a list of values, shown one after another with commas;
- `{"at": "2026-03-14T09:30:00"}`, a moment (UTC), shown in the reader's time zone; `{"on":
  "2026-03-14"}`, a day;
- `{"label": ["telephony.call", "outcome", "missed"]}`, the label of a selection value;
- `{"name": ["telephony.callback.reason", 3, "Wrong number"]}`, a record with a translated name, and
  its name when the text was written.

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
    """The label of a selection value: `key` of the selection field `field` of `model`."""

    model: str
    field: str
    key: str


class Name(NamedTuple):
    """The name of a record that has a translated one; if the record is gone, its old name `text`.
    Only for names that everybody may read: any other name is stored as text."""

    model: str
    id: int
    text: str


class Words(str):
    """A text and its fact: `msgid`, the English pattern, and `values`, the dict that fills it. The
    string is English where it was made, and in the language of the reader once it is rendered."""

    __slots__ = ('msgid', 'values')

    @classmethod
    def reading(cls, text: str, msgid: str, values: Mapping) -> Words:
        """Return the fact of `msgid` and `values`, with the string `text`."""
        words = cls(text)
        words.msgid, words.values = msgid, dict(values)
        return words


def _lt(msgid: str, /, **values) -> Words:
    """Return a text that is translated when somebody reads it. Odoo's export finds its msgid by the
    name of this function."""
    return render(Words.reading('', msgid, values), Reader())


class Reader:
    """Renders facts in English and UTC. Odoo's models extend it for a user's language and zone."""

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
    """Return a text in the language of a reader; :class:`Words` stay :class:`Words`. A sentence that
    begins with another fact, or with a list of them, gets a capital letter."""
    if not isinstance(text, Words):
        return text
    sentence, (msgid, values) = _sentence(text, reader), (text.msgid, text.values)
    first = values.get(msgid[2 : msgid.find(')')]) if msgid.startswith('%(') else None
    if isinstance(first, (Words, list, tuple)):
        sentence = sentence[:1].upper() + sentence[1:]
    return Words.reading(sentence, msgid, values)


def changed(text: str, change: Callable[[str], str]) -> str:
    """Return a text with `change` applied to it, such as the masking of secrets. Of :class:`Words` it
    changes the values, not the pattern."""
    if not isinstance(text, Words):
        return change(text)
    values = {name: _changed(value, change) for name, value in text.values.items()}
    return _lt(text.msgid, **values)


def storable(text: str) -> str:
    """Return a text that a database column takes: NUL and lone surrogates become U+FFFD."""
    return _SURROGATE.sub('\ufffd', text).replace('\0', '\ufffd')


def dump(text: str) -> str:
    """Return a text as it is stored: a fact as JSON, any other text as it is, unless it looks like
    one."""
    if not isinstance(text, Words):
        if not text.startswith(MARK):
            return storable(text)
        text = Words.reading(text, '%(text)s', {'text': text})
    return json.dumps(_packed(text), ensure_ascii=False)


def load(stored: str) -> str:
    """Return a stored text, the inverse of :func:`dump`: :class:`Words` in English, or the plain
    text."""
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
    """Return a value as it fills a pattern: a text or a number."""
    match value:
        case Words():
            return _sentence(value, reader)
        case Label():
            return reader.label(value)
        case Name():
            return reader.name(value)
        case list() | tuple():
            return reader.listing([str(_shown(item, reader)) for item in value])
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
            return [_changed(item, change) for item in value]
    return value


def _packed(value):
    match value:
        case Words():
            return {
                'msgid': value.msgid,
                'values': {name: _packed(item) for name, item in value.values.items()},
            }
        case Label():
            return {'label': list(value)}
        case Name():
            return {'name': list(value)}
        case list() | tuple():
            return [_packed(item) for item in value]
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
            return _lt(msgid, **{name: _unpacked(item) for name, item in values.items()})
        case {'label': [model, field, key]}:
            return Label(model, field, key)
        case {'name': [model, record_id, text]}:
            return Name(model, record_id, text)
        case {'at': moment}:
            return datetime.fromisoformat(moment)
        case {'on': day}:
            return date.fromisoformat(day)
        case list():
            return [_unpacked(item) for item in value]
    return value
