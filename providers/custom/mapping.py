"""Makes a template of what an administrator has said by clicking: which field is what, and which kind
of request tells which event. What they have not said is taken from the guesses that are sure."""

from collections.abc import Mapping

from .guesses import Study
from .shapes import Shape

# What a field can be, in the order in which the screen offers it.
TARGETS = (
    *('call', 'direction', 'caller', 'called', 'outside', 'ours', 'extension', 'queue'),
    *('at', 'started_at', 'answered_at', 'ended_at'),
    *('talk_seconds', 'wait_seconds', 'total_seconds'),
    *('outcome', 'recording_url', 'recording_ref'),
)
TIMES = ('at', 'started_at', 'answered_at', 'ended_at')
SECONDS = ('talk_seconds', 'wait_seconds', 'total_seconds')
# What a kind of request can tell.
EVENTS = ('ringing', 'answered', 'transferred', 'leg_ended', 'ended', 'recording', 'ignore')
# What only the end of a call tells.
OF_THE_END = ('outcome', 'talk_seconds', 'wait_seconds', 'recording_url', 'recording_ref')


class Said:
    """What is said of the captured requests, with the sure guesses where nothing is.

    :ivar fields: path → {'target', 'options'}
    :ivar kinds: key of a shape → event that it tells, '' while nobody has said it
    """

    def __init__(self, study: Study, said: Mapping):
        self.study = study
        self.fields = {
            path: {'target': guess.target, 'options': dict(guess.options)}
            for path, guess in study.sure.items()
        }
        chosen = said.get('fields') or {}
        # what a person has chosen replaces a guess for the same that says otherwise
        self.fields = {
            path: field
            for path, field in self.fields.items()
            if not any(
                other['target'] == field['target'] and self._contradict(path, name)
                for name, other in chosen.items()
            )
        } | dict(chosen)
        self.fields = {path: field for path, field in self.fields.items() if field['target']}
        self.kinds = {
            shape.key: (said.get('kinds') or {}).get(shape.key)
            or (study.kinds[shape.key][0] if study.kinds[shape.key][1] else '')
            for shape in study.shapes
        }

    def _contradict(self, path: str, other: str) -> bool:
        return any(
            len({request.value(path), request.value(other)} - {''}) > 1
            for request in self.study.requests
        )

    def paths(self, target: str) -> list[str]:
        """Return the paths that were said to hold this, in the order in which they came."""
        known = dict.fromkeys(path for shape in self.study.shapes for path in shape.paths)
        return [path for path in known if self.fields.get(path, {}).get('target') == target]

    def expression(self, target: str, shape: Shape | None = None):
        """Return the expression of a target, None if no field holds it.

        :param shape: only what requests of this kind have
        """
        parts = [
            self._read(path, target)
            for path in self.paths(target)
            if not shape or path in shape.paths
        ]
        return _first(parts)

    def _read(self, path, target):
        options = self.fields[path].get('options') or {}
        if target in TIMES:
            return {'path': path, 'as': 'time', **options}
        if target in SECONDS:
            return {'path': path, 'as': 'seconds', **options}
        if target == 'direction':
            return {'path': path, **options}
        if target == 'outcome':
            return {'path': path, **options, 'else': 'empty'}
        return {'path': path, **options} if options else path


def template_of(mapping: Said, base: Mapping) -> dict:
    """Return the template.

    :param base: what does not follow from the fields: id, version, label, request, auth
    """
    study = mapping.study
    # an empty request, such as a check of the address, is read by nobody
    shapes = [shape for shape in study.shapes if mapping.kinds[shape.key] and shape.kind != 'empty']
    told = [shape for shape in shapes if mapping.kinds[shape.key] != 'ignore']
    return {
        'telephony_template': 1,
        'language': 1,
        **base,
        'call': mapping.expression('call') or '',
        'all': _of_all(mapping),
        'ignore': [
            {'name': _name(shape), 'when': _when(shape, study)}
            for shape in shapes
            if mapping.kinds[shape.key] == 'ignore'
        ],
        'rules': [
            {
                'name': _name(shape),
                'when': _when(shape, study),
                'events': _events(mapping, shape),
            }
            for shape in sorted(told, key=lambda shape: -sum(map(bool, shape.value)))
        ],
    }


def _of_all(mapping: Said) -> dict:
    """Return what every event tells: the parties, the queue, and the start where it is repeated."""
    caller, called = mapping.expression('caller'), mapping.expression('called')
    outside = mapping.expression('outside')
    direction = mapping.expression('direction')
    if outside and direction:
        inbound = [
            {'path': path, 'in': words}
            for path in mapping.paths('direction')
            if (words := _words_of(mapping.fields[path], 'inbound'))
        ]
        own = _first(
            [part for target in ('ours', 'extension') if (part := mapping.expression(target))]
        )
        caller = caller or _case(inbound, outside, own)
        called = called or _case(inbound, own, outside)
    else:
        caller, called = caller or outside, called or mapping.expression('ours')
    if not direction and caller and called:
        direction = {'sides': [caller, called]}
    found = {
        'direction': direction,
        'caller': caller,
        'called': called,
        'queue': mapping.expression('queue'),
        'started_at': mapping.expression('started_at'),
    }
    return {name: value for name, value in found.items() if value}


def _events(mapping: Said, shape: Shape) -> list[dict]:
    def told(*targets):
        found = {target: mapping.expression(target, shape) for target in targets}
        return {target: value for target, value in found.items() if value}

    kind = mapping.kinds[shape.key]
    at = mapping.expression('at', shape)
    answered = mapping.expression('answered_at', shape)
    extension = told('extension')
    if kind != 'ended':
        when = {'answered': answered}.get(kind) or at or None
        links = told('recording_url', 'recording_ref') if kind == 'recording' else {}
        outcome = told('outcome') if kind == 'leg_ended' else {}
        return [{'kind': kind, **({'at': when} if when else {}), **extension, **links, **outcome}]
    events = []
    if answered:
        # the report of a call that was answered tells when
        events.append(
            {
                'kind': 'answered',
                'if': [{**part, 'exists': True} for part in _parts(answered)[:1]],
                'at': answered,
                **extension,
            }
        )
    end = mapping.expression('ended_at', shape) or _counted_end(mapping, shape) or at
    ended = {'kind': 'ended', **({'at': end} if end else {}), **extension, **told(*OF_THE_END)}
    return [*events, ended]


def _counted_end(mapping: Said, shape: Shape):
    """Return the end as the start and what the call took, for reports that may come hours later."""
    start = mapping.expression('started_at', shape)
    total = mapping.expression('total_seconds', shape)
    wait = mapping.expression('wait_seconds', shape)
    talk = mapping.expression('talk_seconds', shape)
    if start and total:
        return {**_alone(start), 'plus': total}
    if start and wait and talk:
        return {**_alone(start), 'plus': [wait, talk]}
    return None


def _name(shape: Shape) -> str:
    return (' '.join(filter(None, shape.value)) or shape.kind)[:60]


def _when(shape: Shape, study: Study) -> list[dict]:
    """Return the conditions that only requests of this kind fulfil."""
    if shape.value:
        return [
            {'path': path, 'is': value}
            for path, value in zip(study.told_apart, shape.value)
            if value
        ]
    others = [other for other in study.shapes if other is not shape and other.kind != 'empty']
    own = [path for path in shape.paths if all(path not in other.paths for other in others)]
    return [{'path': path, 'exists': True} for path in own[:2]] if others else []


def _words_of(field, meaning):
    return [
        word
        for word, told in (field.get('options') or {}).get('map', {}).items()
        if told == meaning
    ]


def _case(when, then, other):
    if not when or not other:
        return then
    return {'case': [{'when': when, 'then': then}], 'else': other}


def _first(parts):
    if len(parts) > 1:
        return {'first': parts}
    return parts[0] if parts else None


def _parts(expression):
    return expression.get('first', [expression])


def _alone(expression):
    """Return an expression to which something can be added."""
    return expression if 'first' not in expression else {'first': expression['first']}
