"""Paths: where in a delivery a value stands.

A path is a root and at most 12 steps. Roots are `$` (the item), `^` (the whole delivery), `%` (the
element of `each`) and `~` (the request). Steps are `.name`, `['any name']`, `[3]` and `[*]`. It is
a part of JSONPath (RFC 9535), so any JSONPath tool shows the same nodes, with one addition: a
single value under `[*]` counts as a list of one, because senders write lists of one so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..base import _
from .errors import BadTemplate, TooMuch

ROOTS = '$^%~'
LONGEST_PATH = 12
# Values that the paths of one delivery may visit.
MOST_NODES = 50_000
ALL = object()
# What a value becomes that is to be left out.
GONE = object()
# Where the text of an XML element stands that has attributes or children too.
TEXT = '#text'

_STEP = re.compile(
    r"""\.(?P<name>[^\W\d][\w-]*)
      | \[(?P<index>\d{1,6})\]
      | \[(?P<all>\*)\]
      | \['(?P<single>(?:[^'\\]|\\['\\])*)'\]
      | \["(?P<double>(?:[^"\\]|\\["\\])*)"\]""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"""\\(['"\\])""")


class Element(dict):
    """An XML element: its children by their names, its attributes as `@name`, its own text as
    `#text`. Under `[*]` it counts as one, because a list of one looks the same."""


class Scope:
    """What the paths of one delivery can reach: an item, the delivery around it, an element of
    `each`, the request. It counts how much of them was visited."""

    __slots__ = ('left', 'roots')

    def __init__(
        self,
        item: Any,
        delivery: Any = None,
        request: dict | None = None,
        most: int = MOST_NODES,
    ):
        self.roots = {'$': item, '^': delivery, '%': None, '~': request or {}}
        self.left = most

    def spend(self, nodes: int) -> None:
        """Count visited values.

        :raise TooMuch: more than there may be
        """
        self.left -= nodes
        if self.left < 0:
            raise TooMuch


@dataclass(frozen=True)
class Path:
    """A path that was read. `text` is how it was written."""

    text: str
    root: str
    steps: tuple = field(default=())

    def nodes(self, scope: Scope) -> list:
        """Return the values at this path, those that are null among them; a missing step gives
        nothing."""
        level = [scope.roots[self.root]]
        for step in self.steps:
            level = list(_next(level, step))
            scope.spend(len(level) + 1)
        return level

    def first(self, scope: Scope):
        """Return the first value at this path that is not null; None if there is none."""
        return next((node for node in self.nodes(scope) if node is not None), None)


def parse(text: str, place: str) -> Path:
    """Read a path.

    :param place: where it stands in the template
    :raise BadTemplate: it is none
    """
    if not isinstance(text, str) or text[:1] not in (*ROOTS,):
        raise BadTemplate(
            _("A path begins with $, ^, %% or ~; this is: %(text)s", text=str(text)[:100]), place
        )
    steps, at = [], 1
    while at < len(text):
        match = _STEP.match(text, at)
        if not match or len(steps) == LONGEST_PATH:
            reason = (
                _(
                    "A path has at most %(most)s steps: %(text)s",
                    most=LONGEST_PATH,
                    text=text[:100],
                )
                if match
                else _(
                    "This path cannot be read from “%(rest)s” on: %(text)s",
                    rest=text[at : at + 20],
                    text=text[:100],
                )
            )
            raise BadTemplate(reason, place)
        steps.append(_step(match))
        at = match.end()
    return Path(text, text[0], tuple(steps))


def _step(match: re.Match):
    if match['all']:
        return ALL
    if match['index']:
        return int(match['index'])
    quoted = match['single'] if match['single'] is not None else match['double']
    return match['name'] if quoted is None else _ESCAPED.sub(r'\1', quoted)


def _next(level: list, step) -> Iterator:
    """Yield the values one step further."""
    for value in level:
        if step is ALL:
            if isinstance(value, list):
                yield from value
            elif isinstance(value, dict) and not isinstance(value, Element):
                yield from value.values()
            elif value is not None:
                yield value
        elif isinstance(step, int):
            if isinstance(value, list) and step < len(value):
                yield value[step]
        elif isinstance(value, dict) and step in value:
            yield value[step]


def changed(document, steps: tuple, change):
    """Return the document with `change` applied to the values at these steps; a value that becomes
    GONE is left out. The document itself stays as it is."""
    if not steps:
        return change(document)
    step, further = steps[0], steps[1:]
    if isinstance(document, dict) and (step is ALL or step in document):
        parts = (
            (name, changed(value, further, change) if step in (ALL, name) else value)
            for name, value in document.items()
        )
        return type(document)((name, part) for name, part in parts if part is not GONE)
    if isinstance(document, list) and (step is ALL or isinstance(step, int)):
        parts = (
            changed(value, further, change) if step in (ALL, place) else value
            for place, value in enumerate(document)
        )
        return [part for part in parts if part is not GONE]
    return document
