"""Takes card, identity and phone numbers out of what was said, before anything of it is stored.

A digit becomes a dot, so that a text keeps its length. Numbers that an engine writes as words are
not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import phonenumbers

DOT = '•'
# Digits of a card, with what a speaker's pauses become between them.
_CARD = re.compile(r'(?<!\d)\d(?:[ \-.,]{0,2}\d){12,18}(?!\d)')
_IDENTITY = re.compile(r'(?<![\d+])\d(?:[ \-]?\d){9,11}(?!\d)')
# "плюс 7 777 …" is how an engine writes what people say.
_PLUS = re.compile(r'\bплюс\s+(?=\d)', re.IGNORECASE)
_INN = (
    (2, 4, 10, 3, 5, 9, 4, 6, 8),
    (7, 2, 4, 10, 3, 5, 9, 4, 6, 8),
    (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8),
)
_IIN = ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))


def mask(text: str, country: str = 'KZ') -> tuple[str, int]:
    """Return a text without such numbers, and how many were taken out. The last two digits of a phone
    number stay, so that people can tell two of them apart.

    :param country: two letters; in which country a phone number without a code is
    """
    text = _PLUS.sub('+', text)
    spans: list[tuple[int, int, int]] = []  # from, to, digits that stay

    def add(found: Iterable[tuple[int, int]], stay: int = 0) -> None:
        for start, end in found:
            if not any(start < stop and begin < end for begin, stop, _stay in spans):
                spans.append((start, end, stay))

    add(match.span() for match in _CARD.finditer(text) if is_card(_digits(match[0])))
    add(match.span() for match in _IDENTITY.finditer(text) if is_identity(_digits(match[0])))
    add(
        ((match.start, match.end) for match in phonenumbers.PhoneNumberMatcher(text, country)),
        stay=2,
    )
    for start, end, stay in spans:
        part = text[start:end]
        left = len(_digits(part)) - stay
        text = text[:start] + re.sub(r'\d', DOT, part, count=left) + text[end:]
    return text, len(spans)


def is_card(digits: str) -> bool:
    """Return whether 13 to 19 digits have the check digit of a card (Luhn)."""
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_identity(digits: str) -> bool:
    """Return whether digits are a Kazakh IIN or BIN, or a Russian INN, by their check digits."""
    return is_iin(digits) or is_inn(digits)


def is_iin(digits: str) -> bool:
    """Return whether 12 digits have the check digit of a Kazakh IIN or BIN, and begin with a month
    of a year."""
    if len(digits) != 12 or not 1 <= int(digits[2:4]) <= 12:
        return False
    rest = _weighed(digits, _IIN[0]) % 11
    if rest == 10:
        rest = _weighed(digits, _IIN[1]) % 11
    return rest == int(digits[11])


def is_inn(digits: str) -> bool:
    """Return whether 10 or 12 digits have the check digits of a Russian INN."""
    if len(digits) not in (10, 12) or len(set(digits)) == 1:
        return False
    weights = _INN[:1] if len(digits) == 10 else _INN[1:]
    return all(_weighed(digits, row) % 11 % 10 == int(digits[len(row)]) for row in weights)


def _weighed(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights))


def _digits(text: str) -> str:
    return re.sub(r'\D', '', text)
