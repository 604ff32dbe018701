"""Finds phone numbers in texts, in whatever spelling people and PBXs write them."""

import re
from collections.abc import Iterable

from ..providers.numbers import national

# What may stand between two digits of one number.
_APART = ' \u00a0\u202f()-./\u2010\u2011\u2012\u2013\u2014\u2015\u2212'
# What stands where a number was.
BLANK = '***'
# Texts that have so many of the last digits are looked at more closely.
ROUGHLY = 5
_GAP = f'[{re.escape(_APART)}]{{0,3}}'


class Spellings:
    """These numbers, as they may stand in texts: international, national, with any outside-line
    code, with blanks, brackets and dashes. A number within longer digits is another one.

    :param numbers: E.164
    """

    def __init__(self, numbers: Iterable[str]):
        self.tails = sorted({national(number) for number in numbers})
        self._pattern = re.compile(
            '|'.join(
                rf'(?<!\d)\+?\d{{0,5}}{_GAP}{_GAP.join(map(re.escape, tail))}(?!\d)'
                for tail in self.tails
            )
            or r'(?!)'
        )

    def roughly(self) -> str:
        """Return a regular expression for PostgreSQL that finds all that :meth:`is_in` finds and some
        more, without handing each text over."""
        return '|'.join('[^0-9A-Za-z]{0,3}'.join(tail[-ROUGHLY:]) for tail in self.tails)

    def is_in(self, text: str) -> bool:
        return bool(self._pattern.search(text))

    def blank(self, text: str) -> str:
        """Return the text with :data:`BLANK` where one of the numbers stood."""
        return self._pattern.sub(BLANK, text)

    def blank_in(self, value):
        """Return a value of JSON with the same done to each text and number in it, keys included."""
        match value:
            case dict():
                return {self.blank(key): self.blank_in(item) for key, item in value.items()}
            case list():
                return [self.blank_in(item) for item in value]
            case str():
                return self.blank(value)
            case bool() | None:
                return value
            case int() | float():
                return BLANK if self.is_in(str(value)) else value
        return value
