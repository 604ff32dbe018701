"""Tells what was said from what an engine made up. Engines fill poor sound and silence with loops of
a word, with another language, and with lines that they know from films."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from .fold_text import words

# Text that repeats itself is packed smaller than this: what people say has 1.3 to 1.8.
_PACKED = 2.4
# One to six words that come so often in a row, and so many words in all.
_PHRASE, _TIMES, _WORDS = 6, 4, 6
_LETTERS_A_SECOND = 35
_SILENT, _UNSURE = 0.6, -1.0
# So much of a line must lie where somebody speaks.
_SPOKEN = 0.2
_FEW_BYTES = 60  # the head of what is packed counts too much in fewer
# Languages that are written in Cyrillic, and from how many words on a line in none of its letters
# counts as another language.
_CYRILLIC, _FOREIGN = {'ru', 'kk', 'ky', 'uk', 'be', 'tg', 'mn'}, 3
_FILMS = re.compile(
    r'^(субтитры|редактор субтитров|продолжение следует|спасибо за просмотр|thanks? (you )?for watching|'
    r'подписывайтесь на|subtitles by)\b'
)


class Line(NamedTuple):
    """What an engine heard. Times are seconds of the recording, `channel` is a channel of it (2 for
    both in one); what an engine did not tell is None."""

    start: float
    end: float
    channel: int
    text: str
    confidence: float | None = None
    silent: float | None = None
    packed: float | None = None


def is_invented(line: Line, turns: Sequence[tuple[float, float]], language: str = '') -> bool:
    """Return whether a line was made up.

    :param turns: when somebody speaks on its channel; empty if that is not known
    :param language: two letters, if it is known
    """
    folded = ' '.join(words(line.text))
    seconds = line.end - line.start
    return bool(
        not folded
        or (line.packed or packed(line.text)) > _PACKED
        or loops(folded.split())
        or seconds > 0
        and len(line.text) > _LETTERS_A_SECOND * max(seconds, 1)
        or (line.silent or 0) > _SILENT
        and (line.confidence or 0) < _UNSURE
        or turns
        and seconds > 0
        and spoken(line, turns) < _SPOKEN * seconds
        or _FILMS.match(folded)
        or language in _CYRILLIC
        and len(folded.split()) >= _FOREIGN
        and not re.search('[а-я]', folded)
        and re.search('[^\\W\\d]', folded)
    )


def packed(text: str) -> float:
    """Return how much smaller a text becomes by packing it."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if len(data) >= _FEW_BYTES else 1.0


def loops(spoken_words: Sequence[str]) -> bool:
    """Return whether the same few words come again and again."""
    for size in range(1, _PHRASE + 1):
        for place in range(len(spoken_words) - size + 1):
            times, phrase = 1, spoken_words[place : place + size]
            while spoken_words[place + times * size : place + (times + 1) * size] == phrase:
                times += 1
            if times >= _TIMES and times * size >= _WORDS:
                return True
    return False


def spoken(line: Line, turns: Sequence[tuple[float, float]]) -> float:
    """Return for how many seconds of a line somebody speaks."""
    return sum(max(0.0, min(end, line.end) - max(start, line.start)) for start, end in turns)
