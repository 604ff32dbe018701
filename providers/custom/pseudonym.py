"""Replaces what belongs to somebody in a template's samples, so that the file can be shared.

What stays is listed, not what goes: names of fields, the words that the template itself compares
and translates, short numbers, true, false and null. Everything else is replaced, the same text by
the same text: telephone numbers by others of their country and kind, times by the same times of
another day, the rest by `x1`, `x2`… The samples must still give their calls after that.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, urlencode

import phonenumbers

from ..base import DIRECTIONS, KINDS, OUTCOMES, Account, ProviderError, _
from ..numbers import HIDDEN, SHORT, to_e164
from .language import Template, load
from .samples import PLAIN, STARTED, moment, problems

# The day on which shared samples play, and one with the other clock of summer time.
DAYS = (STARTED, STARTED.replace(month=7, day=6))
# Longer short numbers may say who the customer of the PBX is, so somebody should look at them.
HARMLESS = 3
# Words that say nothing of anybody.
KEPT = HIDDEN | {'***', 'true', 'http', 'https', 'example', *DIRECTIONS, *OUTCOMES, *KINDS}
# Numbers that no subscriber gets, by country code: the national number without its last digits.
FICTION = {1: ('{area}55501', 2), 44: ('7700900', 3)}
_TOKEN = re.compile(r'[^\W_]+')
_ISO = re.compile(
    r'(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d(?::\d\d)?)([.,]\d+)?\s*(Z|[+-]\d\d(?::?\d\d)?)?'
)
_COMPACT = re.compile(r'\d{8}T\d{6}Z?')
_EPOCHS = {10: 1, 13: 1000, 16: 1_000_000}
_YEARS = (978_307_200, 2_145_916_800)  # 2001 to 2037, in Unix seconds


def shared(template: Template) -> str:
    """Return the template's file with nothing in its samples that belongs to somebody.

    :raise ProviderError: without that its samples give other calls
    """
    data, _left = pseudonymised(template)
    if found := problems(load(data)):
        raise ProviderError(
            _(
                "With other numbers, names and times the samples give other calls: %(problem)s",
                problem=found[0],
            )
        )
    return json.dumps(data, ensure_ascii=False, indent=2)


def pseudonymised(template: Template) -> tuple[dict, list[str]]:
    """Return the object of a template with its samples replaced, and the texts that stay although
    they may belong to somebody."""
    words = _words_of({name: part for name, part in template.data.items() if name != 'samples'})
    cover = _Cover(words, _patterns_of(template.data))
    samples = [cover.sample(sample) for sample in template.samples]
    return {**template.data, 'samples': samples}, sorted(cover.left)


def _words_of(part) -> frozenset[str]:
    """Return all texts of a template, in small letters."""
    if isinstance(part, str):
        return frozenset({part.casefold()})
    children = part if isinstance(part, list) else part.values() if isinstance(part, dict) else ()
    names = {name.casefold() for name in part} if isinstance(part, dict) else set()
    return frozenset(names).union(*map(_words_of, children))


def _patterns_of(part) -> list[str]:
    """Return the patterns of times that a template knows."""
    if isinstance(part, dict):
        own = part.get('format') or []
        own = [text for text in (own if isinstance(own, list) else [own]) if '%' in text]
        return own + [found for child in part.values() for found in _patterns_of(child)]
    return (
        [found for child in part for found in _patterns_of(child)] if isinstance(part, list) else []
    )


class _Cover:
    """Replaces texts, the same by the same.

    :ivar left: what stays although somebody should look at it
    """

    def __init__(self, words: frozenset[str], patterns: list[str]):
        self.words, self.patterns = words | KEPT, list(dict.fromkeys(patterns))
        self.names: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.left: set[str] = set()
        self.country, self.shift = '', timedelta()

    def sample(self, sample: Mapping) -> dict:
        """Return a sample with other values. What is expected of it changes with them."""
        account = dict(sample.get('account') or {})
        self.country = account.get('country', '')
        self.shift = self._shift_of(sample, account)
        result = dict(sample)
        if 'started_at' in sample:
            result['started_at'] = self._time(sample['started_at'])
        result['account'] = {
            name: value if name in PLAIN and name != 'webhook_url' else self.value(value)
            for name, value in account.items()
        }
        result['deliveries'] = [
            {
                name: part
                if name in ('received_after', 'method')
                else self.raw(part)
                if name in ('raw', 'xml')
                else self.value(part)
                for name, part in delivery.items()
            }
            for delivery in sample['deliveries']
        ]
        if isinstance(sample.get('expected'), Mapping):
            result['expected'] = self.value(sample['expected'])
        for name in ('about', 'failed'):
            if isinstance(sample.get(name), str):
                result[name] = self._known(sample[name])
        return result

    def _shift_of(self, sample: Mapping, account: Mapping) -> timedelta:
        """Return how far the times of a sample are moved: to a day with the same offset from UTC, so
        that local times stay right."""
        if not sample.get('started_at'):
            return timedelta()
        begun, clock = moment(sample['started_at']), Account(timezone=account.get('timezone', ''))
        for day in DAYS:
            if clock.to_local(day) - day.replace(tzinfo=None) == clock.to_local(
                begun
            ) - begun.astimezone(timezone.utc).replace(tzinfo=None):
                return day - begun
        return DAYS[0] - begun

    # --- values ------------------------------------------------------------------------------------------------------

    def value(self, value):
        """Return a value of a delivery, at any depth, replaced. Names of fields stay, unless they are
        telephone numbers."""
        if isinstance(value, dict):
            return {
                self.text(name) if self._number(name) else name: self.value(part)
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self.value(part) for part in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return value
        text = self.text(str(value))
        try:
            return type(value)(text)
        except ValueError:
            return text

    def raw(self, text: str) -> str:
        """Return a whole body: a form, or XML, or what a field may hold."""
        if text.lstrip()[:1] == '<':
            return re.sub(
                r'>([^<>]+)<|="([^"<>]*)"',
                lambda match: f'>{self.text(match[1])}<'
                if match[1] is not None
                else f'="{self.text(match[2])}"',
                text,
            )
        if '=' in text and text.lstrip()[:1] not in '{[':
            return urlencode(
                [(n, self.text(v)) for n, v in parse_qsl(text, keep_blank_values=True)]
            )
        return self.text(text)

    def text(self, text: str) -> str:
        if text.casefold() in self.words:
            return text
        if opened := self._document(text):
            return opened
        if time := self._time(text):
            return time
        if number := self._number(text):
            return number
        return _TOKEN.sub(lambda match: self._token(match[0]), text)

    def _document(self, text: str) -> str:
        """Return a text that holds JSON, in base64 or as it is, with its values replaced; '' for
        another."""
        for is_encoded in (False, True):
            try:
                inner = base64.b64decode(text, validate=True).decode() if is_encoded else text
                document = json.loads(inner) if inner.lstrip()[:1] in ('{', '[') else None
            except ValueError:
                continue
            if isinstance(document, (dict, list)):
                told = json.dumps(self.value(document), ensure_ascii=False)
                return base64.b64encode(told.encode()).decode() if is_encoded else told
        return ''

    def _token(self, token: str) -> str:
        if token.casefold() in self.words:
            return token
        if token.isdecimal():
            if len(token) <= SHORT:
                if len(token) > HARMLESS:
                    self.left.add(token)
                return token
            return self._time(token) or self._number(token) or self._named(token, is_number=True)
        return self._named(token)

    def _named(self, token: str, is_number: bool = False) -> str:
        if token not in self.names:
            count = len(self.names) + 1
            self.names[token] = f'{count:0{len(token)}}' if is_number else f'x{count}'
        return self.names[token]

    def _known(self, text: str) -> str:
        """Return a sentence with what was replaced elsewhere replaced here too."""
        for found in re.findall(r'\+?\d[\d ()-]{6,}\d', text):
            text = text.replace(found, self._number(found) or found)
        return _TOKEN.sub(lambda match: self.names.get(match[0], match[0]), text)

    # --- times -------------------------------------------------------------------------------------------------------

    def _time(self, text: str) -> str:
        """Return a time of another day, written as this one is; '' if it is none."""
        if match := _ISO.fullmatch(text):
            day, between, clock, fraction, offset = match.groups()
            pattern = '%Y-%m-%d %H:%M:%S' if len(clock) == 8 else '%Y-%m-%d %H:%M'
            moved = self._moved(f'{day} {clock}', pattern).replace(' ', between, 1)
            return f"{moved}{fraction or ''}{offset or ''}"
        if _COMPACT.fullmatch(text):
            return self._moved(text.rstrip('Z'), '%Y%m%dT%H%M%S') + ('Z' if text[-1] == 'Z' else '')
        if text.isdecimal() and (divisor := _EPOCHS.get(len(text))):
            seconds = int(text) / divisor
            if _YEARS[0] < seconds < _YEARS[1]:
                return str(int(text) + int(self.shift.total_seconds()) * divisor)
        for pattern in self.patterns:
            if moved := self._moved(text, pattern):
                return moved
        return ''

    def _moved(self, text: str, pattern: str) -> str:
        try:
            return (datetime.strptime(text, pattern) + self.shift).strftime(pattern)
        except (ValueError, OverflowError):
            return ''

    # --- telephone numbers -------------------------------------------------------------------------------------------

    def _number(self, text: str) -> str:
        """Return a telephone number that is nobody's, spelled as this one is; '' if it is none."""
        e164 = to_e164(text, self.country) if 6 < len(text) < 40 else ''
        if not e164 or re.search('[A-Za-z]{3}', text):
            return ''
        if e164 not in self.numbers:
            self.numbers[e164] = self._another(e164)
        digits = re.sub(r'\D', '', self.numbers[e164])
        count = sum(char.isdigit() for char in text)
        # a trunk prefix or an outside code stands before the digits that both have
        own = len(digits) - len(str(phonenumbers.parse(e164).country_code))
        left = iter(digits[-min(count, len(digits)) :] if count >= len(digits) else digits[-own:])
        skipped = count - min(count, len(digits) if count >= len(digits) else own)
        result = []
        for char in text:
            if not char.isdigit():
                result.append(char)
            elif skipped:
                skipped -= 1
                result.append(char)
            else:
                result.append(next(left))
        return ''.join(result)

    def _another(self, e164: str) -> str:
        """Return a number of the same country, kind and length that is not yet taken."""
        number = phonenumbers.parse(e164)
        national = phonenumbers.national_significant_number(number)
        kind, taken = phonenumbers.number_type(number), set(self.numbers.values())
        code = number.country_code
        head, free = FICTION.get(code, ('', 0))
        heads = [(head.format(area=national[:3]), free)] if head else []
        heads += [(national[: len(national) - digits], digits) for digits in (4, 5, 6)]
        for head, free in heads:
            for count in range(1, 10 ** min(free, 3)):
                other = f'+{code}{head}{count:0{free}}'
                parsed = phonenumbers.parse(other)
                if (
                    other not in taken
                    and other != e164
                    and len(other) == len(e164)
                    and phonenumbers.is_valid_number(parsed)
                    and (phonenumbers.number_type(parsed) == kind or head.startswith('7700900'))
                ):
                    return other
        return e164[:-1] + str((int(e164[-1]) + 1) % 10)
