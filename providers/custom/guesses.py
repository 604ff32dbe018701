"""Guesses what the fields of captured requests mean, from their values: which number was called from,
when the requests came, how long the test call was talked. Each guess says why. One is sure only if its
reason leaves nothing else; a person ticks the others."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from ..base import Account, ProviderError, _
from ..numbers import clean, to_e164
from .shapes import (
    Captured,
    Shape,
    call_paths,
    calls_of,
    discriminators,
    id_of,
    name_of,
    shapes_of,
)
from .words import DIRECTION_OF, KIND_OF, OUTCOME_OF, bare

# A time in a request lies at most so far from its arrival.
NEAR = timedelta(minutes=15)
# Time zones differ by so much, and no farther.
QUARTER, FARTHEST = timedelta(minutes=15), timedelta(hours=14)
# An event is told within so many seconds, a duration is right by so many.
AT_ONCE = 5
# What holds for so large a part of the requests holds: one of them may come hours late.
MOSTLY = 0.6
ABOUT = 2
LONGEST = 7200
# The patterns of times, beside ISO 8601 and Unix time.
PATTERNS = (
    '%Y%m%dT%H%M%S%z',
    '%Y%m%dT%H%M%S',
    '%Y%m%d%H%M%S',
    '%d.%m.%Y %H:%M:%S',
    '%d.%m.%Y %H:%M',
    '%d/%m/%Y %H:%M:%S',
    '%m/%d/%Y %H:%M:%S',
    '%m/%d/%Y %I:%M:%S %p',
    '%Y/%m/%d %H:%M:%S',
    '%d-%m-%Y %H:%M:%S',
    '%d %b %Y %H:%M:%S',
    '%b %d %Y %H:%M:%S',
)
_ISO = re.compile(
    r'(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?', re.I
)
_NOTHING = re.compile(r'[0 :.T-]*|null|none|undefined', re.I)
_SOUND = re.compile(r'\.(?:mp3|wav|ogg|opus|gsm|m4a|webm|flac)(?:[?#]|$)', re.I)
# What the name of a field says of a time, a duration or a word. It decides only where values agree.
_NAMES = {
    'started_at': 'start|begin|creat|init|setup|^date$|^time$',
    'answered_at': 'answer|connect|bridge|establ|pick',
    'ended_at': 'end|hang|finish|stop|complet|releas',
    'talk_seconds': 'talk|bill|convers|speak|bridgedd|answeredd',
    'wait_seconds': 'wait|ring|hold|queue',
    'total_seconds': 'dur|total|length|second',
    'outcome': 'status|dispos|outcome|result|cause|reason|type$',
    'caller': 'from|caller|src|ani|anum|source|callingn|cli',
    'called': 'to$|called|dst|dnis|bnum|dest|did|callee',
    'queue': 'queue|group|scheme|tree|ivr|department',
    'recording_url': 'rec|link|url|audio|sound',
    'recording_ref': 'rec',
    'direction': 'direct|flow|calltype|^type$',
}
_NAMES = {target: re.compile(pattern) for target, pattern in _NAMES.items()}


@dataclass(frozen=True)
class Facts:
    """What the administrator said of the test call: the number they call from, the phone that
    answers, the company number that they dial, and the seconds they were asked to talk."""

    mobile: str = ''
    phone: str = ''
    dialled: str = ''
    talk_seconds: int = 20


@dataclass(frozen=True)
class Guess:
    """That a path holds what a target wants, read with these options, and why.

    :ivar is_sure: its reason leaves nothing else, so that it may be ticked without asking
    """

    path: str
    target: str
    reason: str
    is_sure: bool = False
    score: float = 0.0
    options: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Time:
    """How a path is read as a time, and the moments that it gives, None where it says nothing."""

    options: Mapping
    moments: tuple[datetime | None, ...]


class Study:
    """All that is guessed of some captured requests.

    :ivar id_paths: where the id of the call stands, () if none was found
    :ivar told_apart: the paths that tell kinds of requests apart
    :ivar shapes: the kinds
    :ivar offset: the offset from UTC of the PBX's own clock, if the account has another zone
    :ivar guesses: path → its guesses, the likeliest first
    """

    def __init__(
        self,
        requests: Sequence[Captured],
        received: Sequence[datetime],
        account: Account,
        facts: Facts,
        id_paths: Sequence[str] = (),
        told_apart: Sequence[str] = (),
    ):
        self.requests, self.received = requests, received
        self.account, self.facts = account, facts
        self.offset: timedelta | None = None
        self._known = {
            'mobile': self._e164(facts.mobile),
            'dialled': self._e164(facts.dialled),
            'phone': facts.phone.strip(),
        }
        self.call_guesses = call_paths(requests, {facts.mobile, facts.phone, facts.dialled})
        self.id_paths = tuple(id_paths) or next((paths for paths, _sure in self.call_guesses), ())
        self.calls = calls_of(requests, self.id_paths)
        self.told_apart = list(told_apart) or discriminators(requests, self.id_paths)
        self.shapes = shapes_of(requests, self.told_apart)
        self.kinds = {shape.key: self._kind(shape) for shape in self.shapes}
        self.guesses = self._all_guesses()

    @property
    def sure(self) -> dict[str, Guess]:
        """The guesses that may be ticked without asking: path → guess."""
        return {
            path: guess
            for path, guesses in self.guesses.items()
            for guess in guesses[:1]
            if guess.is_sure
        }

    # --- all together -----------------------------------------------------------------------------------------

    def _all_guesses(self):
        paths = [
            path
            for path in dict.fromkeys(path for request in self.requests for path in request.leaves)
            if any(request.value(path) for request in self.requests)
        ]
        found = [
            Guess(
                path,
                'call',
                _("It is the same within a call and differs between calls."),
                is_sure,
                3,
            )
            if is_sure
            else Guess(path, 'call', _("It may be the id of the call."), False, 0.5 - place / 10)
            for place, (id_paths, is_sure) in enumerate(self._id_guesses())
            for path in id_paths
        ]
        self.times = {path: time for path in paths if (time := self._time(path))}
        directions = [guess for path in paths if (guess := self._direction(path))]
        self.direction = max(directions, key=lambda guess: guess.score, default=None)
        found += directions
        for path in paths:
            found += self._number(path)
            found += self._moment(path)
            found += self._recording(path)
            found += self._outcome(path)
            found += self._queue(path)
        self.roles = {guess.target: guess.path for guess in found if guess.is_sure}
        for path in paths:
            found += self._duration(path)
        found = _alone(found, self.requests)
        order = sorted(found, key=lambda guess: (-guess.is_sure, -guess.score))
        return {
            path: [guess for guess in order if guess.path == path]
            for path in paths
            if any(guess.path == path for guess in found)
        }

    def _id_guesses(self):
        """Return the likeliest places of the id of the call: one if it is sure, else some."""
        return self.call_guesses[: 1 if any(sure for _paths, sure in self.call_guesses[:1]) else 3]

    def _e164(self, text):
        return to_e164(text, self.account.country)

    def _texts(self, path):
        return [request.value(path) for request in self.requests]

    def _call_of(self, place):
        return id_of(self.requests[place], self.id_paths)

    # --- kinds ------------------------------------------------------------------------------------------------

    def _kind(self, shape: Shape) -> tuple[str, bool]:
        """Return which event a kind of request tells ('' for none), and whether its own word says
        so."""
        if shape.kind == 'empty':
            return 'ignore', True
        words = {KIND_OF.get(bare(value)) for value in shape.value} - {None}
        if len(words) == 1:
            return words.pop(), True
        if len(words) > 1:
            # a command says that there is an event, its type which one
            last = next(
                KIND_OF[bare(value)] for value in shape.value[::-1] if bare(value) in KIND_OF
            )
            return last, False
        if OUTCOME_OF.get(bare(shape.value[-1] if shape.value else '')) is not None:
            return 'ended', False
        places = [
            (call.index(place), len(call))
            for call in self.calls.values()
            for place in shape.members
            if place in call
        ]
        if not places:
            return '', False
        if all(place == count - 1 for place, count in places):
            return 'ended', False
        if all(place == 0 for place, _count in places):
            return 'ringing', False
        return 'answered', False

    # --- numbers ----------------------------------------------------------------------------------------------

    def _role(self, text):
        """Return whose number of the test call this is, '' if nobody's."""
        if not text or not re.search(r'\d', text):
            return ''
        number, known = self._e164(text), self._known
        if number:
            if number == known['mobile']:
                return 'mobile'
            is_own = number == known['dialled'] or number in self.account.own_numbers
            return 'dialled' if is_own else ''
        phones = self.account.extensions | {known['phone']} - {''}
        return 'phone' if clean(text).split('@')[0].rpartition('/')[2] in phones else ''

    def _number(self, path):
        roles = [self._role(text) for text in self._texts(path)]
        counts = Counter(roles)
        if not counts - Counter({'': counts['']}):
            return
        options = {}
        if any('@' in text for text, role in zip(self._texts(path), roles) if role == 'phone'):
            options = {'before': '@'}
        by_direction: dict[str, set] = {}
        for place, role in enumerate(roles):
            if role:
                by_direction.setdefault(self._direction_at(place), set()).add(role)
        inward, outward = by_direction.get('inbound', set()), by_direction.get('outbound', set())
        all_roles = set().union(*by_direction.values())
        both = bool(inward and outward)
        ours = {'dialled', 'phone'}
        is_known = '' not in by_direction
        several = len(self.calls) > 1
        if all_roles == {'mobile'}:
            if both:
                yield Guess(
                    path,
                    'outside',
                    _("It is the number you called from in both directions."),
                    True,
                    3,
                )
            else:
                hinted = not _NAMES['called'].search(name_of(path))
                target = 'called' if outward and not inward or not hinted else 'caller'
                yield Guess(
                    path,
                    target,
                    _("It is the number you called from."),
                    hinted and (is_known or not several) and not outward,
                    2.5,
                )
        elif 'mobile' in all_roles and all_roles & ours:
            if both and inward == {'mobile'} and outward <= ours:
                yield self._side(path, 'caller', True)
            elif both and outward == {'mobile'} and inward <= ours:
                yield self._side(path, 'called', True)
            else:
                is_called = _NAMES['called'].search(name_of(path))
                yield self._side(path, 'called' if is_called else 'caller', False)
        elif all_roles == {'dialled'}:
            if both:
                yield Guess(
                    path, 'ours', _("It is the number you dialled, in both directions."), True, 2.5
                )
            else:
                target = 'caller' if outward else 'called'
                yield Guess(path, target, _("It is the number you dialled."), not outward, 2)
        elif all_roles == {'phone'}:
            yield Guess(path, 'extension', _("It is the phone that answered."), True, 2, options)
        else:  # a company number in one request, a phone in another
            yield Guess(
                path, 'called', _("It is the number you dialled, or the phone that rang."), False, 1
            )

    def _side(self, path, target, is_sure):
        return Guess(
            path,
            target,
            _("It changes sides with the direction of the call."),
            is_sure,
            3 if is_sure else 1,
        )

    # --- direction --------------------------------------------------------------------------------------------

    def _direction_at(self, place):
        """Return the direction that the request, or another of its call, tells."""
        if not self.direction:
            return ''
        call = self.calls.get(self._call_of(place), [place])
        words = {
            DIRECTION_OF.get(bare(self.requests[other].value(self.direction.path)))
            for other in (place, *call)
        } - {None}
        own = DIRECTION_OF.get(bare(self.requests[place].value(self.direction.path)))
        return own or (words.pop() if len(words) == 1 else '')

    def _direction(self, path):
        """Return the guess that a field tells the direction; None if it does not."""
        texts = {text for text in self._texts(path) if text}
        known = {text: DIRECTION_OF[bare(text)] for text in texts if bare(text) in DIRECTION_OF}
        name = name_of(path)
        is_named = bool(_NAMES['direction'].search(name))
        if is_named and texts and texts <= {'0', '1'}:
            return Guess(
                path,
                'direction',
                _("It is called a direction, and is 0 or 1."),
                score=1,
                options={'map': {'0': 'inbound', '1': 'outbound'}},
            )
        if not known:
            return None
        if len(known) < len(texts) and not is_named:
            return None
        is_steady = all(
            len(
                {DIRECTION_OF.get(bare(self.requests[place].value(path))) for place in call}
                - {None}
            )
            <= 1
            for call in self.calls.values()
        )
        guess = Guess(
            path,
            'direction',
            _("Its words are directions."),
            is_named and is_steady and len(known) == len(texts) and not self._contradicted(path),
            2 + is_named - 2 * (not is_steady),
            # a field that also tells other things says nothing of the direction then
            {'map': known, **({} if len(known) == len(texts) else {'else': 'empty'})},
        )
        return guess if is_steady else None

    def _contradicted(self, path):
        """Return whether a number changes sides while this direction stays: then it is told from the
        view of a switch, not of the company."""
        seen: dict[tuple, set] = {}
        for request in self.requests:
            word = DIRECTION_OF.get(bare(request.value(path)))
            for other in request.leaves:
                if word and (role := self._role(request.value(other))):
                    seen.setdefault((word, other), set()).add(role == 'mobile')
        return any(len(sides) > 1 for sides in seen.values())

    # --- times ------------------------------------------------------------------------------------------------

    def _time(self, path):
        """Return how a path is read as a time, None if it holds none."""
        texts = self._texts(path)
        told = [
            (text, at)
            for text, at in zip(texts, self.received)
            if text and not _NOTHING.fullmatch(text)
        ]
        if not told:
            return None
        for options in _readings(told[0][0]):
            moments = [self._read(text, options) for text, _at in told]
            near = [
                abs(moment - at) <= NEAR for moment, (_text, at) in zip(moments, told) if moment
            ]
            # a report may come hours late
            if len(near) == len(told) and sum(near) >= len(told) * MOSTLY:
                return Time(
                    options,
                    tuple(
                        self._read(text, options) if text and not _NOTHING.fullmatch(text) else None
                        for text in texts
                    ),
                )
        return self._elsewhere(texts, told)

    def _elsewhere(self, texts, told):
        """Return how a path is read as a time of another zone than the account's: it differs from the
        arrivals by the same quarters of an hour. None if it does not."""
        for options in _readings(told[0][0]):
            moments = [self._read(text, options) for text, _at in told]
            if options.get('zone') != 'UTC' or not all(moments):
                continue
            away = {round((moment - at) / QUARTER) for moment, (_text, at) in zip(moments, told)}
            offset = away.pop() * QUARTER
            if away or not -FARTHEST <= offset <= FARTHEST:
                continue
            self.offset = offset
            read = [self._read(text, options) for text in texts]
            return Time(
                {**options, 'zone': 'account'},
                tuple(moment and moment - offset for moment in read),
            )
        return None

    def _read(self, text, options):
        return read_time(text, options, self.account)

    def _moment(self, path):
        time = self.times.get(path)
        if not time:
            return
        told = [(moment, place) for place, moment in enumerate(time.moments) if moment]
        late = [abs((moment - self.received[place]).total_seconds()) for moment, place in told]
        at_once = sum(seconds <= AT_ONCE for seconds in late) >= len(late) * MOSTLY
        per_call = [
            {time.moments[place] for place in call} for call in self.calls.values() if len(call) > 1
        ]
        is_steady = bool(per_call) and all(len(moments - {None}) <= 1 for moments in per_call)
        moves = any(len(moments - {None}) > 1 for moments in per_call)
        name = name_of(path)
        named = {
            target: bool(_NAMES[target].search(name))
            for target in ('answered_at', 'ended_at', 'started_at')
        }
        first = all(self._is_first(moment, place) for moment, place in told)
        if moves and at_once and not named['answered_at']:
            yield self._at(
                path, 'at', _("It is the moment at which the request came."), True, 3, time
            )
        elif named['answered_at']:
            yield self._at(
                path, 'answered_at', _("It is a time, and called an answer."), not moves, 2.5, time
            )
        elif named['ended_at'] and not named['started_at'] and at_once:
            yield self._at(path, 'ended_at', _("It is a time, and called an end."), True, 2.5, time)
        elif named['started_at'] and (is_steady or not per_call) and first:
            yield self._at(
                path, 'started_at', _("It is the time at which the call began."), True, 2.5, time
            )
        elif is_steady and first:
            yield self._at(
                path,
                'started_at',
                _("It stays the same in a call, and is its first."),
                False,
                1,
                time,
            )
        elif at_once:
            yield self._at(
                path, 'at', _("It is the moment at which the request came."), False, 1.5, time
            )
        else:
            yield self._at(path, 'started_at', _("It is a time."), False, 0.5, time)

    def _is_first(self, moment, place):
        """Return whether no time in the request, nor the arrival of its call, is earlier."""
        call = self.calls.get(self._call_of(place), [place])
        others = [time.moments[place] for time in self.times.values()]
        slack = timedelta(seconds=AT_ONCE)
        return moment <= min(self.received[other] for other in call) + slack and all(
            moment <= other for other in others if other
        )

    def _at(self, path, target, reason, is_sure, score, time):
        return Guess(path, target, reason, is_sure, score, time.options)

    # --- durations --------------------------------------------------------------------------------------------

    def _spans(self, place):
        """Return the seconds of wait, talk and both that the times of this request's call give,
        None where they do not."""
        call = self.calls.get(self._call_of(place), [place])

        def told(target):
            path = self.roles.get(target)
            time = self.times.get(path) if path else None
            found = [time.moments[other] for other in call if time.moments[other]] if time else []
            return min(found, default=None)

        arrivals = {
            self.kinds[shape.key][0]: self.received[member]
            for shape in self.shapes
            for member in shape.members
            if member in call
        }
        start = told('started_at') or arrivals.get('ringing')
        answer = told('answered_at') or arrivals.get('answered')
        end = told('ended_at') or self.received[place]

        def between(first, last):
            return (last - first).total_seconds() if first and last else None

        return {
            'wait_seconds': between(start, answer or end),
            'talk_seconds': between(answer, end) if answer else 0,
            'total_seconds': between(start, end),
        }

    def _duration(self, path):
        if path in self.times or path in self.id_paths:
            return
        told = [
            (seconds, place)
            for place, text in enumerate(self._texts(path))
            if (seconds := _seconds(text)) is not None
        ]
        texts = [text for text in self._texts(path) if text]
        if not told or len(told) < len(texts) or not any(seconds for seconds, _place in told):
            return
        name = name_of(path)
        for unit, size in (('s', 1), ('ms', 1000), ('us', 1_000_000)):
            values = [(seconds / size, place) for seconds, place in told]
            if any(not 0 <= seconds <= LONGEST for seconds, _place in values):
                continue
            options = {'unit': unit} if unit != 's' else {}
            fits = {
                target
                for target in ('talk_seconds', 'wait_seconds', 'total_seconds')
                if all(
                    (span := self._spans(place)[target]) is not None
                    and abs(span - seconds) <= ABOUT
                    for seconds, place in values
                )
            }
            named = [
                target
                for target in ('talk_seconds', 'wait_seconds', 'total_seconds')
                if _NAMES[target].search(name)
            ]
            if len(fits) == 1:
                target = fits.pop()
                agrees = not named or target in named or named == ['total_seconds']
                yield Guess(
                    path,
                    target,
                    _("It is the difference of two times of the call."),
                    bool(named) and agrees,
                    2.5,
                    options,
                )
                return
            announced = any(
                abs(seconds - self.facts.talk_seconds) <= ABOUT for seconds, _place in values
            )
            if named or announced:
                # the ringing before it would make the whole longer
                target = 'talk_seconds' if announced or not named else named[0]
                yield Guess(
                    path,
                    target,
                    _("It is as long as you were asked to talk.")
                    if announced
                    else _("It is called a duration."),
                    False,
                    1.5,
                    options,
                )
                return

    # --- words and links --------------------------------------------------------------------------------------

    def _outcome(self, path):
        texts = {text for text in self._texts(path) if text}
        is_kind = path in self.told_apart and any(bare(text) in KIND_OF for text in texts)
        known = {
            text: OUTCOME_OF[bare(text)]
            for text in texts
            if bare(text) in OUTCOME_OF and not (is_kind and bare(text) in KIND_OF)
        }
        is_named = bool(_NAMES['outcome'].search(name_of(path)))
        if not known or not is_named and len(known) < len(texts):
            return
        is_sure = is_named and len(known) == len(texts) and path not in self.id_paths
        yield Guess(
            path,
            'outcome',
            _("Its words say how calls end."),
            is_sure,
            1.5 + is_named + (len(texts) > 1) / 2,
            {'map': {**dict.fromkeys(texts, ''), **known}},
        )

    def _recording(self, path):
        texts = [text for text in self._texts(path) if text]
        name = name_of(path)
        is_named = bool(_NAMES['recording_url'].search(name)) and 'voice' not in name
        if all(re.match('https?://', text) for text in texts):
            is_sound = any(map(_SOUND.search, texts))
            if is_sound or is_named:
                yield Guess(
                    path,
                    'recording_url',
                    _("It is the address of a sound."),
                    is_sound and is_named,
                    2.5,
                )
        elif any(map(_SOUND.search, texts)):
            yield Guess(path, 'recording_ref', _("It is the name of a sound file."), True, 2)

    def _queue(self, path):
        texts = {text for text in self._texts(path) if text}
        if (
            _NAMES['queue'].search(name_of(path))
            and path not in self.times
            and not any(_NOTHING.fullmatch(text) or '://' in text for text in texts)
        ):
            yield Guess(path, 'queue', _("It is called a queue or group."), False, 0.5)


def _alone(guesses: Iterable[Guess], requests: Sequence[Captured]) -> list[Guess]:
    """Return the guesses; where two are sure of one target and give different values, or of one path,
    none is: the administrator chooses."""
    guesses = list(guesses)
    sure = [guess for guess in guesses if guess.is_sure]
    paths = Counter(guess.path for guess in sure)
    doubtful = {path for path, count in paths.items() if count > 1}
    for guess in sure:
        for other in sure:
            if guess.target == other.target and any(
                len({request.value(guess.path), request.value(other.path)} - {''}) > 1
                for request in requests
            ):
                doubtful |= {guess.path, other.path}
    return [
        replace(guess, is_sure=guess.is_sure and guess.path not in doubtful) for guess in guesses
    ]


# --- reading times and durations ---------------------------------------------------------------------------------


def _readings(text: str) -> list[dict]:
    """Return the ways in which a text may be read as a time, as options of the language."""
    if re.fullmatch(r'\d{9,11}(?:\.\d+)?', text):
        return [{'format': 'epoch_s'}]
    if re.fullmatch(r'\d{13}', text):
        return [{'format': 'epoch_ms'}]
    if re.fullmatch(r'\d{16}', text):
        return [{'format': 'epoch_us'}]
    if found := _ISO.fullmatch(text):
        ways = [{'format': 'iso'}]
        return (
            ways if found[4] else [{'format': 'iso', 'zone': zone} for zone in ('account', 'UTC')]
        )
    ways = []
    for pattern in PATTERNS:
        zones = (None,) if '%z' in pattern else ('account', 'UTC')
        ways += [{'format': pattern, **({'zone': zone} if zone else {})} for zone in zones]
    return ways


def read_time(text: str, options: Mapping, account: Account) -> datetime | None:
    """Return the moment that a text tells, as aware UTC; None if it is none."""
    form = options['format']
    try:
        if form.startswith('epoch'):
            size = {'epoch_s': 1, 'epoch_ms': 1000, 'epoch_us': 1_000_000}[form]
            return datetime.fromtimestamp(float(text) / size, timezone.utc)
        if form == 'iso':
            found = _ISO.fullmatch(text)
            clock = found[2] if found[2].count(':') == 2 else f'{found[2]}:00'
            moment = datetime.fromisoformat(f'{found[1]} {clock}')
            if zone := found[4]:
                zone = '+0000' if zone in 'Zz' else zone.replace(':', '')
                moment = moment.replace(tzinfo=datetime.strptime(zone, '%z').tzinfo)
        else:
            moment = datetime.strptime(text, form)
        if moment.tzinfo:
            return moment.astimezone(timezone.utc)
        if options.get('zone') == 'UTC':
            return moment.replace(tzinfo=timezone.utc)
        return account.to_utc(moment)
    except (ValueError, OverflowError, OSError, TypeError, ProviderError):
        return None


def _seconds(text: str) -> float | None:
    if re.fullmatch(r'\d{1,12}(?:\.\d{1,6})?', text):
        return float(text)
    if found := re.fullmatch(r'(?:(\d{1,2}):)?(\d{1,2}):(\d\d)', text):
        return int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])
    return None
