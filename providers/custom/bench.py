"""The workbench on which an administrator makes a template of captured requests: what came, what it
may mean, what they have said, and which calls would come of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

from ..base import (
    DIRECTIONS,
    OUTCOMES,
    Account,
    CallRecord,
    Provider,
    ProviderError,
    Stored,
    WebhookRequest,
    _,
    dump,
    in_calls,
)
from ..fetch import host_allowed
from ..reading import read_call
from . import genuine
from .guesses import Facts, Study
from .language import load
from .mapping import EVENTS, TARGETS, TIMES, Said, template_of
from .masking import masked, restored
from .unknown import captured, kind_of, request_of
from .words import DIRECTION_OF, OUTCOME_OF, bare

# The body that a PBX is given that lets its administrator write one, for the template of this id; the
# PBX's own variables stand in <…>.
READY_TEMPLATE = 'plain-json'
READY_BODY = """{
  "call_id": "<id of the call>",
  "event": "<ringing, answered or ended>",
  "direction": "<inbound or outbound>",
  "caller": "<number of the caller>",
  "called": "<number that was called>",
  "extension": "<extension of the phone>"
}"""
# Values of a field that the screen shows, and their length.
SHOWN_VALUES = 3
SHOWN_LENGTH = 200


@dataclass(frozen=True)
class Kept:
    """A captured request: its id, as it is stored, and when it came."""

    id: int
    stored: Mapping
    received_at: datetime


class Bench:
    """What the adapter offers for PBXs that nobody knows yet."""

    ready_body = READY_BODY
    ready_template = READY_TEMPLATE
    masked = staticmethod(masked)
    restored = staticmethod(restored)

    def kept(self, capture_id: int, stored: Mapping, received_at: datetime) -> Kept:
        return Kept(capture_id, stored, received_at)

    def desk(self, *args, **kwargs) -> Desk:
        return Desk(*args, **kwargs)


class Desk:
    """One look at the captured requests of an account.

    :param base: `id`, `version` and `label` of the template to be made
    :param said: what the administrator has chosen, see :class:`Said`; `auth` is the chosen way to know
        genuine deliveries, `told_apart` what tells kinds of requests apart
    :param salt: of the account's captured secrets
    :param hosts: from which recordings may be fetched
    :param live: the template that the account has now, None if it has none
    """

    def __init__(
        self,
        provider: Provider,
        kept: Sequence[Kept],
        account: Account,
        facts: Mapping,
        said: Mapping,
        base: Mapping,
        salt: bytes,
        hosts: Sequence[str] = (),
        live: Mapping | None = None,
    ):
        self.provider, self.account, self.kept = provider, account, kept
        self.said, self.base, self.salt = said, base, salt
        self.hosts, self.live = hosts, live
        self.requests = [restored(item.stored, account.webhook_url) for item in kept]
        self.reading = request_of(self.requests)
        self.study = Study(
            [captured(request, self.reading) for request in self.requests],
            [item.received_at for item in kept],
            account,
            Facts(**{name: str(facts.get(name) or '') for name in ('mobile', 'phone', 'dialled')}),
            [
                path
                for path, field in (said.get('fields') or {}).items()
                if field.get('target') == 'call'
            ],
            said.get('told_apart') or (),
        )
        self.mapping = Said(self.study, said)

    # --- the template -----------------------------------------------------------------------------------------

    @cached_property
    def template(self) -> dict:
        return template_of(
            self.mapping,
            {
                **self.base,
                'request': self.reading,
                'auth': self.said.get('auth') or {'address_only': True},
            },
        )

    @cached_property
    def _trial(self) -> Trial:
        return Trial(self.provider, self.template, self.account)

    @cached_property
    def _told(self) -> Told:
        return self._trial.told(self._deliveries(self.requests))

    def _deliveries(self, requests: Sequence[WebhookRequest]):
        """Return requests with the moments of arrival, in that order; without those that say
        nothing."""
        arrivals = [item.received_at for item in self.kept]
        return [item for item in zip(requests, arrivals) if kind_of(item[0]) != 'empty']

    @property
    def next_version(self) -> str:
        """Return the version of the template: the first number counts what makes known calls look new,
        the second what changes their reading; the same as now if nothing changes."""
        if not self.live:
            return '1.0.0'
        first, second, _third = map(int, self.live['version'].split('.'))
        if self.live.get('call') != self.template['call']:
            return f'{first + 1}.0.0'
        parts = ('request', 'auth', 'all', 'ignore', 'rules')
        if any(self.live.get(name) != self.template.get(name) for name in parts):
            return f'{first}.{second + 1}.0'
        return self.live['version']

    def samples(self) -> list[dict]:
        """Return the captured calls as samples of the template, with the numbers of those who made
        them: they are for the adapter's `template_to_share` only."""
        return [
            {
                'about': f'{record.direction}, {record.outcome or record.state}',
                'account': {
                    'timezone': self.account.timezone,
                    'country': self.account.country,
                    'extensions': sorted(self.account.extensions),
                    'own_numbers': sorted(self.account.own_numbers),
                },
                'started_at': self._told.deliveries[ref][0][1].isoformat(),
                'deliveries': [
                    _delivery(request, received_at - self._told.deliveries[ref][0][1])
                    for request, received_at in self._told.deliveries[ref]
                ],
                'expected': _expected(record),
            }
            for ref, record in self._told.calls.items()
            if record
        ]

    # --- what is said -----------------------------------------------------------------------------------------

    def said_too(self, change: Mapping) -> dict:
        """Return what is said with one more choice: `path` with `target`, or with a `word` and its
        `meaning`; `shape` with `event`; `told_apart`; `auth`.

        :raise ProviderError: there is no such thing to choose
        """
        fields = {**(self.said.get('fields') or {})}
        said = {**self.said, 'fields': fields}
        match change:
            case {'path': str(path), 'target': str(target)} if path in self._paths and target in (
                '',
                *TARGETS,
            ):
                fields[path] = {'target': target, 'options': self._options(path, target)}
            case {'path': str(path), 'word': str(word), 'meaning': str(meaning)} if (
                path in self.mapping.fields and meaning in ('', *DIRECTIONS, *OUTCOMES)
            ):
                field = self.mapping.fields[path]
                options = field.get('options') or {}
                words = {**options.get('map', {}), word: meaning}
                fields[path] = {**field, 'options': {**options, 'map': words}}
            case {'shape': str(key), 'event': str(event)} if (
                key in self.mapping.kinds and event in ('', *EVENTS)
            ):
                said['kinds'] = {**(self.said.get('kinds') or {}), key: event}
            case {'told_apart': str(path)} if path in self._paths:
                said |= {'told_apart': [path], 'kinds': {}}
            case {'auth': auth} if any(way['auth'] == auth for way in self._ways()):
                said['auth'] = auth
            case _:
                raise ProviderError(_("This cannot be chosen. Load the page again."))
        return said

    @property
    def _paths(self) -> set[str]:
        return {path for shape in self.study.shapes for path in shape.paths}

    def _options(self, path: str, target: str) -> dict:
        """Return how a field is read that the administrator says to be this."""
        for guess in self.study.guesses.get(path, ()):
            if guess.target == target:
                return dict(guess.options)
        texts = {text for request in self.study.requests for text in request.values(path)}
        if target in TIMES:
            time = self.study.times.get(path)
            return dict(time.options) if time else {'format': 'iso'}
        if target == 'direction':
            return {
                'map': {text: DIRECTION_OF.get(bare(text), 'inbound') for text in sorted(texts)}
            }
        if target == 'outcome':
            return {'map': {text: OUTCOME_OF.get(bare(text), '') for text in sorted(texts)}}
        if target == 'extension' and any('@' in text for text in texts):
            return {'before': '@'}
        return {}

    # --- the screen -------------------------------------------------------------------------------------------

    def screen(self) -> dict:
        """Return all that the screen shows, as plain data; texts are marked for translation."""
        return {
            'shapes': [
                self._shape(number, shape) for number, shape in enumerate(self.study.shapes)
            ],
            'fields': self._fields(),
            'told_apart': self.study.told_apart,
            'calls': self._calls(),
            'problems': self.problems(),
            'auth': {
                'chosen': self.said.get('auth') or False,
                'choices': self._ways(),
            },
            'targets': TARGETS,
            'events': EVENTS,
            'hosts': self._unknown_hosts(),
        }

    def _shape(self, number: int, shape) -> dict:
        guess, is_sure = self.study.kinds[shape.key]
        return {
            'key': shape.key,
            'letter': _letter(number),
            'kind': shape.kind,
            'told_by': ', '.join(
                f'{path.rpartition(".")[2]}={value}'
                for path, value in zip(self.study.told_apart, shape.value)
                if value
            ),
            'count': len(shape.members),
            'event': self.mapping.kinds[shape.key],
            'guess': '' if is_sure else guess,
            'paths': shape.paths,
            'values': {
                path: [
                    self.study.requests[place].value(path)[:SHOWN_LENGTH]
                    for place in shape.members[:SHOWN_VALUES]
                ]
                for path in shape.paths
            },
        }

    def _ways(self) -> list[dict]:
        """Return the ways in which genuine requests may be known."""
        told = [request for request in self.study.requests if request.leaves]

        def verify(auth, request):
            try:
                self.provider.of(
                    account := replace(
                        self.account, template=json.dumps({**self.template, 'auth': auth})
                    )
                ).verify(request, account)
            except ProviderError:
                return False
            return True

        paths = dict.fromkeys(path for request in told for path in request.leaves)
        return genuine.choices(
            self.requests,
            self.account,
            self.salt,
            verify,
            {path: [value for request in told for value in request.values(path)] for path in paths},
        )

    def _fields(self) -> dict:
        found = {}
        for path in dict.fromkeys(path for shape in self.study.shapes for path in shape.paths):
            field = self.mapping.fields.get(path, {})
            guesses = self.study.guesses.get(path, [])
            texts = sorted(
                {text for request in self.study.requests for text in request.values(path)}
            )
            found[path] = {
                'target': field.get('target', ''),
                'options': field.get('options') or {},
                'by_itself': bool(field) and path not in (self.said.get('fields') or {}),
                'guesses': [
                    {
                        'target': guess.target,
                        'options': dict(guess.options),
                        'reason': guess.reason,
                        'is_sure': guess.is_sure,
                    }
                    for guess in guesses[:3]
                ],
                'words': texts[:20] if field.get('target') in ('direction', 'outcome') else [],
            }
        return found

    def _calls(self) -> list[dict]:
        return [
            self._call(number, ref, record)
            for number, (ref, record) in enumerate(self._told.calls.items(), 1)
        ]

    def _call(self, number: int, ref: str, record: CallRecord | None) -> dict:
        if not record:
            return {'number': number, 'ref': ref[:SHOWN_LENGTH], 'record': False}

        def clock(moment):
            return f'{self.account.to_local(moment):%H:%M:%S}' if moment else ''

        return {
            'number': number,
            'ref': ref[:SHOWN_LENGTH],
            'record': {
                'direction': record.direction,
                'caller': record.caller,
                'called': record.called,
                'extension': record.extension,
                'queue': record.queue,
                'start': clock(record.start_at),
                'answer': clock(record.answered_at),
                'end': clock(record.ended_at),
                'wait': record.wait_seconds,
                'talk': record.talk_seconds,
                'state': record.state,
                'outcome': record.outcome,
                'legs': [
                    {'extension': leg.extension, 'outcome': leg.outcome, 'talk': leg.talk_seconds}
                    for leg in record.legs
                ],
                'recordings': [sound.url or sound.ref for sound in record.recordings],
            },
        }

    # --- what is missing --------------------------------------------------------------------------------------

    def problems(self) -> list[dict]:
        """Return what must be done before going live, and what to know, in the order in which it is
        best looked at."""
        return [
            {'must': must, 'text': text, 'place': place}
            for must, text, place in (*self._musts(), *self._warnings())
        ]

    def _musts(self) -> Iterable[tuple]:
        if not self.kept:
            yield True, _("Nothing was captured yet: make a test call."), ''
            return
        if not self.mapping.expression('call'):
            yield True, _("Say which field is the id of the call."), 'call'
        for number, shape in enumerate(self.study.shapes):
            if not self.mapping.kinds[shape.key]:
                yield (
                    True,
                    _(
                        "Say what the requests of kind %(letter)s tell, or leave them out.",
                        letter=_letter(number),
                    ),
                    shape.key,
                )
        if set(self.mapping.kinds.values()) <= {'', 'ignore'}:
            yield True, _("No kind of request tells anything of a call."), ''
        for target, complaint in (
            ('caller', _("Say which field is the caller.")),
            ('called', _("Say which field is the number that was called.")),
        ):
            if target not in self.template['all']:
                yield True, complaint, target
        if 'direction' not in self.template['all']:
            yield (
                True,
                _("Say which field is the direction, or which are caller and called."),
                'direction',
            )
        if not self.said.get('auth'):
            yield True, _("Choose how genuine requests are known."), 'auth'
        if self._trial.complaint:
            yield True, self._trial.complaint, ''
        elif self._told.failed:
            yield (
                True,
                _(
                    "%(count)s of the captured requests cannot be read so: %(reason)s",
                    count=len(self._told.failed),
                    reason=self._told.failed[0],
                ),
                '',
            )

    def _warnings(self) -> Iterable[tuple]:
        if not self.kept or self._trial.complaint:
            return
        records = [record for record in self._told.calls.values() if record]
        directions = {record.direction for record in records}
        outcomes = {record.outcome for record in records if record.direction == 'inbound'}
        if records and 'outbound' not in directions:
            yield False, _("No outgoing call was captured, so outgoing calls are untried."), ''
        if records and 'answered' not in outcomes:
            yield False, _("No answered incoming call was captured."), ''
        if records and not outcomes - {'answered', ''}:
            yield False, _("No missed incoming call was captured."), ''
        if any(not record or record.state != 'ended' for record in self._told.calls.values()):
            yield False, _("A captured call has no end: does the PBX tell of it?"), ''
        if self.study.offset is not None:
            hours, minutes = divmod(round(abs(self.study.offset).total_seconds()) // 60, 60)
            sign = '-' if self.study.offset < timedelta() else '+'
            yield (
                False,
                _(
                    "The PBX's times fit an offset of %(offset)s from UTC, and its form says %(zone)s. Change the zone there.",
                    offset=f'{sign}{hours:02d}:{minutes:02d}',
                    zone=self.account.timezone,
                ),
                '',
            )
        if not self._is_steady():
            yield (
                False,
                _(
                    "In another order of arrival the same requests give another call. Look at the times."
                ),
                '',
            )
        for host in self._unknown_hosts():
            yield (
                False,
                _("Recordings come from %(host)s, which is not allowed yet.", host=host),
                host,
            )
        for path in self.mapping.paths('outcome'):
            words = self.mapping.fields[path].get('options', {}).get('map', {})
            if silent := sorted(word for word, meaning in words.items() if not meaning):
                yield (
                    False,
                    _(
                        "These words leave the outcome to what happened: %(words)s",
                        words=silent[:10],
                    ),
                    path,
                )
        if self.live and self.live.get('call') != self.template['call']:
            yield (
                False,
                _("The id of the call is another field than now: calls of today may appear twice."),
                'call',
            )
        if (self.said.get('auth') or {}).get('address_only'):
            yield (
                False,
                _("Only the secret address tells genuine requests: give it to nobody but the PBX."),
                'auth',
            )

    def _is_steady(self) -> bool:
        """Return whether the calls are the same in other orders of arrival."""
        requests = self.requests
        for mixed in (requests[::-1], [*requests[1::2], *requests[::2]]):
            told = self._trial.told(self._deliveries(mixed))
            if {ref: _kernel(record) for ref, record in told.calls.items()} != {
                ref: _kernel(record) for ref, record in self._told.calls.items()
            }:
                return False
        return True

    def _unknown_hosts(self) -> list[str]:
        hosts = {
            urlsplit(sound.url).hostname
            for record in self._told.calls.values()
            if record
            for sound in record.recordings
            if re.match('https?://', sound.url)
        } - {None}
        return sorted(host for host in hosts if not host_allowed(host, self.hosts))


@dataclass(frozen=True)
class Told:
    """What came of requests: call reference → record, None where nothing more is known; why others
    could not be read; and which deliveries told of each call."""

    calls: Mapping[str, CallRecord | None]
    failed: Sequence[str]
    deliveries: Mapping[str, Sequence[tuple[WebhookRequest, datetime]]]


class Trial:
    """A template tried on captured requests, the way that deliveries take, with nothing stored."""

    def __init__(self, provider: Provider, template: Mapping, account: Account):
        self.account = replace(account, template=json.dumps(template))
        self.provider, self.complaint = provider.of(self.account), ''
        try:
            load(template)
        except ProviderError as error:
            self.complaint = error.args[0]

    def told(self, deliveries: Sequence[tuple[WebhookRequest, datetime]]) -> Told:
        if self.complaint:
            return Told({}, [], {})
        found, failed, by_call = {}, [], {}
        for request, received_at in deliveries:
            try:
                for payload in self.provider.split(request):
                    identity = self.provider.identify(json.loads(dump(payload)), self.account)
                    if identity.call_ref and not identity.ignored:
                        by_call.setdefault(identity.call_ref, {})[id(request)] = (
                            request,
                            received_at,
                        )
                        found.setdefault(
                            (identity.call_ref, identity.key),
                            (identity, Stored(payload, received_at)),
                        )
            except ProviderError as error:
                failed.append(error.args[0])
        calls = {}
        for ref, stored in in_calls(found.values()).items():
            try:
                calls[ref] = read_call(self.provider, stored, self.account)[0]
            except ProviderError as error:
                calls[ref] = None
                failed.append(error.args[0])
        told = {ref: [*deliveries.values()] for ref, deliveries in by_call.items()}
        return Told(calls, failed, told)


def _kernel(record: CallRecord | None):
    """Return what must not depend on the order of arrival: not the times, where the PBX tells none."""
    return record and (
        record.direction,
        record.caller,
        record.called,
        record.extension,
        record.outcome,
        record.state,
    )


def _delivery(request: WebhookRequest, after: timedelta) -> dict:
    """Return a request as a sample holds it."""
    kind, told = kind_of(request), {}
    if kind == 'form' and request.form:
        told['form'] = _singles(request.form)
    elif kind == 'json':
        told['json'] = request.json()
    elif request.body:
        told['xml' if kind == 'xml' else 'raw'] = request.body.decode('utf-8', 'replace')
    if request.query:
        told['query'] = _singles(request.query)
    if request.suffix:
        told['suffix'] = request.suffix
    return {**told, 'received_after': round(after.total_seconds())}


def _singles(fields: Mapping[str, Sequence[str]]) -> dict:
    return {name: values[0] if len(values) == 1 else [*values] for name, values in fields.items()}


def _expected(record: CallRecord) -> dict:
    """Return what a sample expects of its call: what the PBX told, not what only arrival tells."""
    return {
        'direction': record.direction,
        'caller': record.caller,
        'called': record.called,
        'extension': record.extension,
        'state': record.state,
        'outcome': record.outcome,
        'talk_seconds': record.talk_seconds,
    }


def _letter(number: int) -> str:
    return chr(ord('A') + number) if number < 26 else str(number + 1)
