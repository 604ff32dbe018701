"""Sorts captured requests by what they look like: which field is the id of the call, which fields
tell one kind of request from another, and which kinds there are. Nothing is known of the PBX but
what it sent."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .words import KIND_OF, OUTCOME_OF, is_word

# A field that tells kinds apart has so many different values, none longer.
MOST_VALUES = 12
LONGEST_VALUE = 40
# So many fields tell kinds apart at most: a command, and what it is about.
MOST_DISCRIMINATORS = 2
# The id of the call is in so large a part of the requests at least: others are no calls.
MOSTLY = 0.6
# A request has no more leaves that a person would look through.
MOST_LEAVES = 400
_SIMPLE_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_OF_A_CALL = re.compile(r'call|session|conversation|dialog|linked|general|track|global|unique')
_ID = re.compile(r'(?:id|uuid|guid|ref|tag|sid)$')
_OF_A_PART = re.compile(r'leg|sub|parent|event|message|second|user|account|company|record|queue')
_KIND = re.compile(r'event|kind|cmd|command|action|method|requesttype|state|notification')
_TYPE = re.compile(r'type|status|cause')


@dataclass(frozen=True)
class Captured:
    """A request as a document: `kind` is what it is written in (json, form, query, xml, empty),
    `leaves` gives the values at each path, in which all elements of a list have one path."""

    kind: str
    leaves: Mapping[str, Sequence[object]] = field(default_factory=dict)

    def value(self, path: str) -> str:
        """Return the first value at a path as text, '' if there is none."""
        return next(iter(self.values(path)), '')

    def values(self, path: str) -> list[str]:
        return [
            str(value).strip()
            for value in self.leaves.get(path, ())
            if value is not None and not isinstance(value, bool) and str(value).strip()
        ]


@dataclass(frozen=True)
class Shape:
    """One kind of request. `value` has the values of the fields that tell it from the others,
    `members` are the places of its requests, `paths` all that they have."""

    kind: str
    value: tuple[str, ...]
    members: tuple[int, ...]
    paths: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name of the shape, the same as long as the same fields tell it apart."""
        return '|'.join((self.kind, *(self.value or self.paths[:5])))


def leaves_of(document, root: str = '$') -> dict[str, list]:
    """Return the values at each path of a document."""
    found: dict[str, list] = {}
    for path, value in _walk(document, root):
        if path not in found and len(found) >= MOST_LEAVES:
            break
        found.setdefault(path, []).append(value)
    return found


def step(path: str, name: str) -> str:
    """Return the path to a field of what is at this path."""
    if _SIMPLE_NAME.fullmatch(name):
        return f'{path}.{name}'
    escaped = name.replace('\\', '\\\\').replace("'", "\\'")
    return f"{path}['{escaped}']"


def name_of(path: str) -> str:
    """Return the last name in a path, without case and signs, to look for what it may mean."""
    names = re.findall(r"\.([A-Za-z0-9_]+)|\['((?:[^'\\]|\\.)*)'\]", path)
    return re.sub(r'[^a-z0-9]', '', ''.join(names[-1]).lower()) if names else ''


def _walk(value, path) -> Iterator[tuple[str, object]]:
    """Yield each leaf, without recursion: what is captured may be nested deeply."""
    waiting = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping):
            # an element of XML: a path that ends there means its text
            waiting += [
                (path if name == '#text' else step(path, str(name)), item)
                for name, item in reversed(value.items())
            ]
        elif isinstance(value, list):
            waiting += [(f'{path}[*]', item) for item in reversed(value)]
        else:
            yield path, value


# --- the id of the call ------------------------------------------------------------------------------------------


def call_paths(
    requests: Sequence[Captured], numbers: Iterable[str] = ()
) -> list[tuple[tuple[str, ...], bool]]:
    """Return where the id of the call may stand, the likeliest first: the paths that share a name,
    because one kind of request may have it deeper than another; and of each whether it can be
    nothing else: it is equal within each call, different between them, and called so.

    :param numbers: values that are known to be something else
    """
    told = [request for request in requests if request.leaves]
    known, scored = set(numbers), []
    for name, paths in _by_name(told):
        values = [value for request in told if (value := id_of(request, paths))]
        hint = 2 * bool(_ID.search(name)) + 2 * bool(_OF_A_CALL.search(name))
        if (
            len(values) < len(told) * MOSTLY
            or hint < 4
            and known.intersection(values)
            or not all(len(value) <= 200 and '://' not in value for value in values)
            or not hint
            and any(len(value) < 3 for value in values)
            or all(is_word(value) for value in values)
        ):
            continue
        counts = Counter(values)
        runs = sum(a != b for a, b in zip(values, [None, *values]))
        hint -= 2 * bool(_OF_A_PART.search(name)) + (len(counts) == 1 < len(told))
        grouped = sum(count for count in counts.values() if count > 1) / len(told)
        in_runs = len(counts) / runs
        is_everywhere = len(values) == len(told)
        is_number = bool(re.fullmatch(r'\+?\d{10,15}', values[0])) and not hint
        score = hint + 2 * grouped * in_runs + 0.5 * (1 - len(counts) / len(told))
        score += is_everywhere - 2 * is_number
        is_sure = hint >= 4 and len(counts) > 1 and in_runs == 1 and is_everywhere
        scored.append((score, is_sure, tuple(paths)))
    scored.sort(key=lambda item: -item[0])
    return [
        (paths, is_sure and all(score > other for other, *_rest in scored[1:]))
        for score, is_sure, paths in scored
        if score > 0
    ]


def _by_name(requests: Sequence[Captured]) -> Iterator[tuple[str, list[str]]]:
    """Yield paths with their name: those of one name together, unless a request has several."""
    by_name: dict[str, list[str]] = {}
    for path in _paths(requests):
        by_name.setdefault(name_of(path), []).append(path)
    for name, paths in by_name.items():
        if any(len({request.value(path) for path in paths} - {''}) > 1 for request in requests):
            yield from ((name, [path]) for path in paths)
        else:
            yield name, paths


def id_of(request: Captured, paths: Iterable[str]) -> str:
    """Return the id of the call in a request, '' if it has none."""
    return next((value for path in paths if (value := request.value(path))), '')


def calls_of(requests: Sequence[Captured], paths: Sequence[str]) -> dict[str, list[int]]:
    """Return the places of the requests of each call."""
    calls: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        if call := id_of(request, paths):
            calls.setdefault(call, []).append(place)
    return calls


# --- the kinds of requests ---------------------------------------------------------------------------------------


def discriminators(requests: Sequence[Captured], id_paths: Sequence[str] = ()) -> list[str]:
    """Return the fields that best tell the kinds of requests apart: at most two, the second within
    the kinds of the first."""
    chosen: list[str] = []
    places = [place for place, request in enumerate(requests) if request.leaves]
    groups = [places]
    while len(chosen) < MOST_DISCRIMINATORS:
        found = [
            (path, score)
            for group in groups
            if _is_mixed(requests, group, id_paths)
            for path, score in _candidates(requests, group, id_paths)
            if path not in chosen and (not chosen or _tells_kinds(requests, group, path))
        ]
        if not found:
            break
        best = max(found, key=lambda item: item[1])[0]
        chosen.append(best)
        groups = [part for group in groups for part in _split(group, requests, best)]
    return chosen


def shapes_of(requests: Sequence[Captured], told_apart: Sequence[str]) -> list[Shape]:
    """Return the kinds of requests in the order in which they came.

    :param told_apart: the paths whose values tell them apart; requests that have none of these
        fields are told apart by the fields that they have
    """
    members: dict[tuple, list[int]] = {}
    for place, request in enumerate(requests):
        value = tuple(request.value(path) for path in told_apart)
        rest = () if any(value) else tuple(sorted(request.leaves))
        members.setdefault((request.kind, value if any(value) else (), rest), []).append(place)
    return [
        Shape(
            kind,
            value,
            tuple(places),
            tuple(dict.fromkeys(path for place in places for path in requests[place].leaves)),
        )
        for (kind, value, _rest), places in members.items()
    ]


def _candidates(requests, places, id_paths):
    """Yield the paths that could tell these requests apart, each with what speaks for it."""
    told = [requests[place] for place in places]
    calls = [
        [place for place in call if place in set(places)]
        for call in calls_of(requests, id_paths).values()
    ]
    for path in _paths(told):
        values = {place: requests[place].value(path) for place in places}
        counts = Counter(value for value in values.values() if value)
        if (
            path in id_paths
            or not 2 <= len(counts) <= MOST_VALUES
            or sum(counts.values()) < len(places) * MOSTLY
            or any(len(value) > LONGEST_VALUE or _is_number(value) for value in counts)
        ):
            continue
        coverage = sum(counts.values()) / len(places)
        looks = {
            value: Counter(
                frozenset(requests[place].leaves) for place in places if values[place] == value
            )
            for value in counts
        }
        purity = sum(look.most_common(1)[0][1] for look in looks.values()) / len(places)
        several = [call for call in calls if len(call) > 1]
        apart = sum(len({values[place] for place in call}) / len(call) for call in several)
        apart = apart / len(several) if several else 0
        again = sum(
            sum(value in {values[place] for place in call} for call in calls) > 1
            for value in counts
        ) / len(counts)
        name = name_of(path)
        hint = 1.0 * bool(_KIND.search(name)) + 0.4 * bool(_TYPE.search(name))
        yield path, (2 * apart + purity + again) * coverage + hint


def _tells_kinds(requests, places, path):
    """Return whether half of the words of a field are words for kinds: a second field has to show
    more than that it differs."""
    texts = {requests[place].value(path) for place in places}
    return 2 * sum(is_word(text, KIND_OF, OUTCOME_OF) for text in texts) >= len(texts)


def _is_mixed(requests, places, id_paths):
    """Return whether these requests are of several kinds: some call has two of them that differ; if
    the calls are not known, whether they have different fields."""
    if not id_paths:
        return len({frozenset(requests[place].leaves) for place in places}) > 1
    present = set(places)
    return any(
        len({str(requests[place].leaves) for place in call if place in present}) > 1
        for call in calls_of(requests, id_paths).values()
    )


def _split(places, requests, path):
    parts: dict[str, list[int]] = {}
    for place in places:
        parts.setdefault(requests[place].value(path), []).append(place)
    return parts.values()


def _paths(requests):
    return dict.fromkeys(path for request in requests for path in request.leaves)


def _is_number(value):
    """Return whether a value is a number of a phone, a time or an address: no word."""
    return bool(re.fullmatch(r'\+?\d{7,}(?:\.\d+)?|\d{4}-\d\d-\d\d.*|.*\d\d:\d\d.*', value)) or (
        '://' in value
    )
