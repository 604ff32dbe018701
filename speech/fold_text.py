"""What was said and what is looked for, made alike: without case and punctuation, Kazakh letters as
the Russian ones that people type for them, ё as е.

It is done here and not in PostgreSQL, because a database whose character type is `C` does not know
the small letters of Cyrillic.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ..tools.words import Words
from ..tools.words import _lt as _

KAZAKH = 'әіөүұқғңһ'
_AS_TYPED = str.maketrans(KAZAKH + 'ё', 'аиоуукгнх' + 'е')
_WORD = re.compile(r'[^\W_]+')
# Of a text with so many Kazakh letters (of all letters) the language is Kazakh, or both.
_ALL_KAZAKH, _SOME_KAZAKH = 0.03, 0.005

LONGEST_QUERY, MOST_WORDS = 200, 12
# A word with so many letters is also found in its longer forms.
_PREFIX = 4
# A last consonant that becomes another one before an ending: қабық, қабығы.
_VOICED = {'к': 'г', 'п': 'б'}
# Which part of the stored vector holds whose words.
WEIGHTS = {'ours': 'A', 'theirs': 'B'}
_ASKED = re.compile(r'(?P<without>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


def fold(text: str) -> str:
    """Return the words of a text as they are compared."""
    return ' '.join(words(text))


def words(text: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    lower = unicodedata.normalize('NFC', text).lower()
    return _WORD.findall(lower.translate(_AS_TYPED))


def language_of(text: str, told: str = '') -> str:
    """Return the language of a text: 'kk' or 'mixed' by its Kazakh letters, else what was told."""
    letters = [letter for letter in unicodedata.normalize('NFC', text).lower() if letter.isalpha()]
    share = sum(letter in KAZAKH for letter in letters) / (len(letters) or 1)
    if share >= _ALL_KAZAKH:
        return 'kk'
    return 'mixed' if share >= _SOME_KAZAKH and told != 'kk' else told


class BadQuery(ValueError):
    """Raised when nothing can be looked for.

    :ivar words: a sentence for people that says why
    """

    def __init__(self, words: Words):
        super().__init__(words)
        self.words = words


class Query(NamedTuple):
    """What is looked for. `tsquery` is in the language of PostgreSQL's `to_tsquery`; `wanted` are the
    folded words that must be there, for marking them in a line."""

    tsquery: str
    wanted: tuple[str, ...]


def read_query(text: str, who: str = '') -> Query:
    """Return what a person has typed: all words, "words side by side", and -words that must not be
    there. Whatever signs there are in it, nothing of it is a command to PostgreSQL.

    :param who: 'ours' or 'theirs' if only that side's words count
    :raise BadQuery: there is nothing to look for in it
    """
    if len(text) > LONGEST_QUERY:
        raise BadQuery(
            _("That is too long to look for. Use at most %(most)s letters.", most=LONGEST_QUERY)
        )
    weight = WEIGHTS.get(who, '')
    terms, wanted = [], []
    for match in _ASKED.finditer(text):
        found = words(match['phrase'] or match['word'] or '')
        if not found:
            continue
        term = ' <-> '.join(_term(word, weight) for word in found)
        if match['without']:
            terms.append(f'!({term})')
        else:
            terms.append(f'({term})')
            wanted += found
    if not wanted:
        raise BadQuery(_("Type at least one word that was said."))
    if len(wanted) > MOST_WORDS:
        raise BadQuery(_("Look for at most %(most)s words at once.", most=MOST_WORDS))
    return Query(' & '.join(terms), tuple(wanted))


def _term(word: str, weight: str) -> str:
    sign = ('*' if len(word) >= _PREFIX and not word.isdigit() else '') + weight
    forms = [word]
    if len(word) >= _PREFIX and word[-1] in _VOICED:
        forms.append(word[:-1] + _VOICED[word[-1]])
    joined = ' | '.join(f'{form}:{sign}' if sign else form for form in forms)
    return f'({joined})' if len(forms) > 1 else joined


def is_heard(line: str, wanted: tuple[str, ...]) -> int:
    """Return how many of the wanted words a line has, by their first letters; for choosing the line
    that is shown."""
    spoken = words(line)
    return sum(any(_alike(word, other) for other in spoken) for word in wanted)


def marked(line: str, wanted: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Return a line in parts, each with whether it is one of the wanted words."""
    parts, last = [], 0
    for match in _WORD.finditer(line):
        if any(_alike(word, other) for word in wanted for other in words(match[0])):
            if match.start() > last:
                parts.append((line[last : match.start()], False))
            parts.append((match[0], True))
            last = match.end()
    if last < len(line):
        parts.append((line[last:], False))
    return parts


def _alike(wanted: str, spoken: str) -> bool:
    """Whether two folded words are forms of one, as far as their beginnings tell."""
    if len(wanted) < _PREFIX or wanted.isdigit():
        return wanted == spoken
    stem = wanted[: max(_PREFIX, len(wanted) - 2)]
    return spoken.startswith(stem)
