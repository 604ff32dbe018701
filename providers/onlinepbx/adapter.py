"""OnlinePBX: one post an event, as JSON or as a form. Nothing is signed; the token in the address
and the PBX's domain are the only protection.

The four events tell who called whom and how it ended, but not whom a queue or a group has rung, nor
that the caller waited in one. Causes are FreeSWITCH's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType

from .. import numbers
from ..base import (
    Account,
    CallEvent,
    HistoryProvider,
    Identity,
    ProviderError,
    Refused,
    Stored,
    WebhookRequest,
    _,
    digest,
    doubt,
    later,
    missing,
    moment_or,
    seconds_of,
    text_of,
    unix_time_of,
    word_of,
)
from ..links import link_of

KIND = {
    'call_start': 'ringing',
    'call_answered': 'answered',
    'call_end': 'ended',
    'call_missed': 'ended',
}
DIRECTION = {'inbound': 'inbound', 'outbound': 'outbound', 'local': 'internal'}

# hangup_cause of a call without talk -> outcome of an inbound call, of any other.
OUTCOME = {
    'NORMAL_CLEARING': ('missed', 'no_answer'),
    'NORMAL_UNSPECIFIED': ('missed', 'no_answer'),
    # in a queue it would be abandoned, but no event tells of queues
    'ORIGINATOR_CANCEL': ('missed', 'no_answer'),
    'NO_ANSWER': ('missed', 'no_answer'),
    'NO_USER_RESPONSE': ('missed', 'no_answer'),
    'ALLOTTED_TIMEOUT': ('missed', 'no_answer'),
    'PROGRESS_TIMEOUT': ('missed', 'no_answer'),
    'RECOVERY_ON_TIMER_EXPIRE': ('missed', 'no_answer'),
    'USER_BUSY': ('busy', 'busy'),
    'CALL_REJECTED': ('missed', 'busy'),
    'SUBSCRIBER_ABSENT': ('missed', 'failed'),
    'USER_NOT_REGISTERED': ('missed', 'failed'),
    'UNALLOCATED_NUMBER': ('failed', 'failed'),
    'INVALID_NUMBER_FORMAT': ('failed', 'failed'),
    'NUMBER_CHANGED': ('failed', 'failed'),
    'DESTINATION_OUT_OF_ORDER': ('failed', 'failed'),
    'EXCHANGE_ROUTING_ERROR': ('failed', 'failed'),
    'NORMAL_CIRCUIT_CONGESTION': ('failed', 'failed'),
    'CHAN_NOT_IMPLEMENTED': ('failed', 'failed'),
    'SRTP_READ_ERROR': ('failed', 'failed'),
    'NETWORK_OUT_OF_ORDER': ('failed', 'failed'),
    'NORMAL_TEMPORARY_FAILURE': ('failed', 'failed'),
    'SWITCH_CONGESTION': ('failed', 'failed'),
    'REQUESTED_CHAN_UNAVAIL': ('failed', 'failed'),
    'INCOMPATIBLE_DESTINATION': ('failed', 'failed'),
    'MEDIA_TIMEOUT': ('failed', 'failed'),
    'CRASH': ('failed', 'failed'),
    'SYSTEM_SHUTDOWN': ('failed', 'failed'),
    'PROTOCOL_ERROR': ('failed', 'failed'),
    'INTERWORKING': ('failed', 'failed'),
    'OUTGOING_CALL_BARRED': ('failed', 'failed'),
    'INCOMING_CALL_BARRED': ('failed', 'failed'),
    'USER_CHALLENGE': ('failed', 'failed'),
    # of a leg that was given up for another one
    'LOSE_RACE': ('missed', 'no_answer'),
    'PICKED_OFF': ('missed', 'no_answer'),
    'BLIND_TRANSFER': ('missed', 'no_answer'),
    'ATTENDED_TRANSFER': ('missed', 'no_answer'),
    'MANAGER_REQUEST': ('missed', 'no_answer'),
}
# Beginnings of whole families of causes, which have failed.
FAILED = ('NO_ROUTE_', 'BEARERCAPABILITY_', 'SERVICE_', 'MANDATORY_', 'FACILITY_')
UNKNOWN_CAUSE = ('missed', 'failed')

_SCHEME = re.compile(r'^\w+://')


class OnlinePbx(HistoryProvider):
    code = 'onlinepbx'
    line_why = _(
        "OnlinePBX speaks another language with browsers than SIP, which Odoo does not speak yet. Calls are "
        "placed with the phones that people have."
    )
    label = "OnlinePBX"
    api_key_label = _("PBX domain (example.onpbx.ru)")
    api_secret_label = _("API key")
    default_api_url = 'https://api2.onlinepbx.ru'
    signs = False
    recording_hosts = ('onlinepbx.ru', '.onlinepbx.ru', 'onpbx.ru', '.onpbx.ru')
    recordings_stay = False  # their addresses die within half an hour
    setup_steps = (
        _(
            "In the OnlinePBX panel open Integration → API and copy the key into this form. Add the domain of your PBX."
        ),
        _(
            "Save this form, then open Profile → Webhooks in the panel and enter the webhook address."
        ),
        _("Switch on all four events: call start, call answered, call end and missed call. Save."),
        _("The address needs a valid TLS certificate, else OnlinePBX sends nothing."),
        _(
            "Enter the extensions of your employees (101, 102…) here: that tells phones from queues and groups."
        ),
    )
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. In the OnlinePBX panel open Profile → Webhooks: the webhook address has to stand "
                "there, with all four events switched on. Without a valid TLS certificate of Odoo's address OnlinePBX"
                " sends nothing."
            ),
            'no_end': _(
                "The end of the call has not come. Switch on call end and missed call in Profile → Webhooks, and call"
                " again."
            ),
            'no_phone': _(
                "OnlinePBX did not tell who answered. Switch on call answered in Profile → Webhooks, and enter the "
                "extensions here."
            ),
        }
    )

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """OnlinePBX signs nothing, so the token in the address is checked, and that the domain is not
        another PBX's."""
        try:
            told = request.content().get('domain')
        except ProviderError:
            return  # split will say what is wrong with it
        domain = _domain(told) if isinstance(told, str) else ''
        if domain and account.api_key and domain != _domain(account.api_key):
            raise Refused(
                _(
                    "The field domain names another PBX. Correct the PBX domain, or the address in the other PBX."
                )
            )

    def split(self, request: WebhookRequest) -> list[dict]:
        body = request.content()
        return [body] if body else []

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        event, key = text_of(payload, 'event'), digest(payload)
        uuid = text_of(payload, 'uuid')
        is_call = text_of(payload, 'caller') or text_of(payload, 'callee')
        if not uuid and not is_call:
            # the panel's test has no uuid, but neither has it other fields of a call
            return Identity(
                kind=event[:100], call_ref='', key=key, ignored=_("A test of the address.")
            )
        text_of(payload, 'domain')
        self.translate_alone(payload, account)
        return Identity(kind=event, call_ref=uuid, key=key)

    def history_ref(self, payload: Mapping, account: Account) -> str:
        return Row.of(payload).ref

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        hooks = [Hook.of(item.payload, item.received_at) for item in heard]
        rows = [Row.of(item.payload) for item in history]
        last = max(rows, key=lambda row: (row.ended_at, repr(row)), default=None)
        hooks += _unheard(hooks, last) if last else []
        hooks = _with_direction(hooks, account)
        call = Call.of(hooks, account)
        events = [event for hook in hooks for event in _tell(hook, call, account)]
        return events + _told_by_history(events, last) if last else events


def _domain(text: str) -> str:
    return _SCHEME.sub('', text.strip().lower()).strip('/')


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hook:
    """One event, as it was sent."""

    name: str
    ref: str
    date: datetime
    direction: str
    caller: str
    callee: str
    gateway: str
    duration: float | None
    talk: float | None
    cause: str
    link: str

    @classmethod
    def of(cls, payload: Mapping, received_at: datetime) -> Hook:
        """:raise ProviderError: a field that is used cannot be understood"""
        return cls(
            name=word_of(payload, 'event', KIND, required=True),
            ref=text_of(payload, 'uuid', required=True),
            date=moment_or(unix_time_of(payload, 'date'), received_at),
            direction=DIRECTION.get(word_of(payload, 'direction', DIRECTION), ''),
            caller=text_of(payload, 'caller'),
            callee=text_of(payload, 'callee'),
            gateway=text_of(payload, 'gateway'),
            duration=seconds_of(payload, 'call_duration'),
            talk=seconds_of(payload, 'dialog_duration'),
            cause=text_of(payload, 'hangup_cause').upper(),
            link=_link(payload),
        )


def _link(payload: Mapping) -> str:
    """Return the recording's link. OnlinePBX: it may be http on a host that has https."""
    return link_of(text_of(payload, 'download_url'), has_https=True)


@dataclass(frozen=True)
class Call:
    """What only all events of a call together tell."""

    started_at: datetime | None  # as call_start says
    line: str
    answered: bool
    dated_by_start: bool
    answered_at: datetime | None  # if no date tells it

    @classmethod
    def of(cls, read: Sequence[Hook], account: Account) -> Call:
        """OnlinePBX: `date` is the time of the event in all samples, but that is not documented. If
        the end of a call that lasted has the date of its start, all its dates are that one.

        `gateway` is our number or the login of a trunk; then our number is the one that was called
        before distribution.
        """
        starts = [hook for hook in read if hook.name == 'call_start']
        started_at = min((hook.date for hook in starts), default=None)
        late = [
            hook
            for hook in read
            if KIND[hook.name] == 'ended' and hook.date == started_at and hook.duration
        ]
        gateways = sorted({hook.gateway for hook in read if hook.gateway})
        called = sorted({hook.callee for hook in starts if hook.direction == 'inbound'})
        ours = (line for line in gateways + called if numbers.to_e164(line, account.country))
        return cls(
            started_at=started_at,
            line=next(ours, '') or next(iter(gateways), ''),
            answered=any(hook.name == 'call_answered' for hook in read),
            dated_by_start=bool(late),
            answered_at=max(
                (later(hook.date, hook.duration - hook.talk) for hook in late if hook.talk),
                default=None,
            ),
        )


def _with_direction(read: Sequence[Hook], account: Account) -> list[Hook]:
    """Give hooks without a direction that of the others. If none tells it, who called whom does."""
    if all(hook.direction for hook in read):
        return list(read)
    direction = next((hook.direction for hook in read if hook.direction), '')
    if not direction:
        doubt('direction')

        def is_inside(name: str) -> bool:
            values = (getattr(hook, name) for hook in read)
            return _is_phone(next(filter(None, values), ''), account)

        direction = 'inbound'
        if is_inside('caller'):
            direction = 'internal' if is_inside('callee') else 'outbound'
    return [replace(hook, direction=hook.direction or direction) for hook in read]


# --- telling ---------------------------------------------------------------------------------------------------------


def _tell(hook: Hook, call: Call, account: Account) -> list[CallEvent]:
    caller, called = _numbers(hook, call)
    kind, phone = KIND[hook.name], _phone(hook, account)
    say = partial(
        CallEvent,
        external_id=hook.ref,
        direction=hook.direction,
        caller=caller,
        called=called,
    )
    if kind == 'ringing':
        rings = hook.direction != 'inbound' or phone in account.extensions
        extension = phone if rings else ''
        return [say(kind, at=hook.date, started_at=hook.date, extension=extension)]
    if kind == 'answered':
        at = call.answered_at if call.dated_by_start else hook.date
        return [say(kind, at=at, extension=phone)]
    events = []
    if hook.direction == 'inbound' and not hook.talk and phone in account.extensions:
        # the phone that was rung at last; no event tells since when
        outcome = 'busy' if hook.cause == 'USER_BUSY' else 'no_answer'
        events.append(say('leg_ended', extension=phone, outcome=outcome))
    return [*events, _ended(hook, call, say, phone)]


def _ended(hook: Hook, call: Call, say: Callable[..., CallEvent], phone: str) -> CallEvent:
    at = later(hook.date, hook.duration or 0) if call.dated_by_start else hook.date
    started_at = call.started_at
    if not started_at and hook.duration is not None:
        started_at = later(at, -hook.duration)
    talked = bool(hook.talk)
    return say(
        'ended',
        at=at,
        extension=phone if talked or hook.direction != 'inbound' else '',
        outcome='answered' if talked else _outcome(hook, call),
        talk_seconds=hook.talk,
        started_at=started_at,
        recording_url=hook.link,
        # links differ from time to time; the history knows the recording by this
        recording_ref=hook.ref if hook.link else '',
        order=int(hook.name == 'call_end'),  # it is more exact than call_missed
    )


def _numbers(hook: Hook, call: Call) -> tuple[str, str]:
    if hook.direction == 'inbound':
        return hook.caller, call.line
    if hook.direction == 'outbound':
        return call.line or hook.caller, hook.callee
    return hook.caller, hook.callee


def _phone(hook: Hook, account: Account) -> str:
    """Return the phone of our side. OnlinePBX: it is `caller` of an outbound call, else `callee`,
    which before distribution is our number, a queue or a group."""
    number = hook.caller if hook.direction == 'outbound' else hook.callee
    return number if _is_phone(number, account) else ''


def _is_phone(number: str, account: Account) -> bool:
    return number in account.extensions or number.isdecimal() and len(number) <= numbers.SHORT


def _outcome(hook: Hook, call: Call) -> str:
    """Return the outcome of a call without talk; '' if no talk was told but an answer. OnlinePBX:
    call_missed is missed, whatever the cause; it is sent for outbound calls too."""
    if not hook.cause or hook.talk is None and call.answered:
        return ''
    fallback = ('failed', 'failed') if hook.cause.startswith(FAILED) else UNKNOWN_CAUSE
    inbound, other = OUTCOME.get(hook.cause, fallback)
    if hook.direction == 'inbound':
        return 'missed' if hook.name == 'call_missed' else inbound
    return other


# --- history: a row of the search, which knows queues and who was rung -----------------------------------------------

# The types of a row's events that are no place where a caller waits. Those of queues and menus are
# not documented.
NO_PLACE = ('user', 'transfer', 'hold', 'unhold', 'dtmf')
LEFT = ('ORIGINATOR_CANCEL', 'NORMAL_CLEARING')


@dataclass(frozen=True)
class Ring:
    """The ringing of a phone."""

    phone: str
    at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, event: Mapping) -> Ring:
        return cls(
            text_of(event, 'number'),
            unix_time_of(event, 'timestamp'),
            unix_time_of(event, 'answered_stamp'),
            unix_time_of(event, 'end_stamp'),
        )


@dataclass(frozen=True)
class Row:
    """A row of mongo_history/search. All rows that anybody has shown are of outbound calls. How rows
    of other calls look, and that the account code `missed` is an inbound call, is assumed."""

    ref: str
    direction: str
    started_at: datetime
    ended_at: datetime
    caller: str
    called: str
    gateway: str
    talk: float
    cause: str
    rings: tuple[Ring, ...]
    waited: tuple[tuple[datetime | None, str], ...]  # where: a queue or a menu

    @classmethod
    def of(cls, payload: Mapping) -> Row:
        """:raise ProviderError: a field that is used cannot be understood"""
        row = payload['history']
        events = row.get('events') or []
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise ProviderError(_("The field events should hold a list of events."))
        word = word_of(row, 'accountcode', (*DIRECTION, 'missed'), required=True)
        direction = DIRECTION.get(word, 'inbound')
        started_at = unix_time_of(row, 'start_stamp')
        if not started_at:
            raise missing('start_stamp')
        ended_at = unix_time_of(row, 'end_stamp')
        ended_at = ended_at or later(started_at, seconds_of(row, 'duration') or 0)
        # they are not in the order of time
        events = sorted(
            events, key=lambda event: (unix_time_of(event, 'timestamp') or started_at, repr(event))
        )
        rings = [Ring.of(event) for event in events if text_of(event, 'type') == 'user']
        return cls(
            ref=text_of(row, 'uuid', required=True),
            direction=direction,
            started_at=started_at,
            ended_at=ended_at,
            caller=_caller(row, direction, rings),
            called=text_of(row, 'destination_number'),
            gateway=text_of(row, 'gateway'),
            talk=_talk(row, rings, ended_at),
            cause=text_of(row, 'hangup_cause').upper(),
            rings=tuple(rings),
            waited=tuple(
                (unix_time_of(event, 'timestamp'), text_of(event, 'number'))
                for event in events
                if text_of(event, 'type') not in NO_PLACE
            ),
        )

    @property
    def answer(self) -> Ring | None:
        answers = [ring for ring in self.rings if ring.answered_at]
        return min(answers, key=lambda ring: (ring.answered_at, repr(ring)), default=None)


def _caller(row: Mapping, direction: str, rings: Sequence[Ring]) -> str:
    name, number = text_of(row, 'caller_id_name'), text_of(row, 'caller_id_number')
    if direction != 'outbound':
        return number
    # the number is that of the trunk
    return next((ring.phone for ring in rings if ring.phone), '') or name or number


def _talk(row: Mapping, rings: Sequence[Ring], ended_at: datetime) -> float:
    """Return the talk in seconds: from the first answer to the end, because user_talk_time leaves
    out what was on hold."""
    answered_at = min((ring.answered_at for ring in rings if ring.answered_at), default=None)
    if answered_at:
        return (ended_at - answered_at).total_seconds()
    return seconds_of(row, 'user_talk_time') or 0.0


def _unheard(heard: Sequence[Hook], row: Row) -> list[Hook]:
    """Return the events of which only the row tells, as they would have come."""
    names = {hook.name for hook in heard}
    inbound = row.direction == 'inbound'
    callee = row.answer.phone if inbound and row.answer else row.called
    hook = Hook(
        name='call_start',
        ref=row.ref,
        date=row.started_at,
        direction=row.direction,
        caller=row.caller,
        callee=row.gateway or row.called if inbound else row.called,
        gateway=row.gateway,
        duration=None,
        talk=None,
        cause='',
        link='',
    )
    hooks = [] if 'call_start' in names else [hook]
    if row.talk and 'call_answered' not in names and not (inbound and not row.answer):
        answered_at = row.answer.answered_at if row.answer else later(row.ended_at, -row.talk)
        hooks.append(replace(hook, name='call_answered', date=answered_at, callee=callee))
    if not names & {'call_end', 'call_missed'}:
        hooks.append(
            replace(
                hook,
                name='call_end',
                date=row.ended_at,
                callee=callee,
                talk=row.talk,
                cause=row.cause,
                duration=(row.ended_at - row.started_at).total_seconds(),
            )
        )
    return hooks


def _told_by_history(events: Sequence[CallEvent], row: Row) -> list[CallEvent]:
    """Tell what only the history tells of an inbound call: phones, the queue, and that the caller
    left it."""
    if row.direction != 'inbound':
        return []
    first = events[0]
    say = partial(
        CallEvent,
        external_id=row.ref,
        direction=first.direction,
        caller=first.caller,
        called=first.called,
    )
    known = {event.extension for event in events}
    told = []
    for ring in row.rings:
        if ring.phone and ring.phone not in known:
            told += _ring_events(partial(say, extension=ring.phone), ring)
    told += [say('ringing', at=at, queue=number) for at, number in row.waited if number]
    ends = [event for event in events if event.kind == 'ended']
    talked = any(event.talk_seconds for event in ends)
    if row.waited and not row.rings and row.cause in LEFT and not talked:
        last = max((event.at for event in ends if event.at), default=row.ended_at)
        told.append(say('ended', at=last, outcome='abandoned', order=2))
    return told


def _ring_events(say: Callable[..., CallEvent], ring: Ring) -> list[CallEvent]:
    told = [say('ringing', at=ring.at)]
    if ring.answered_at:
        told.append(say('answered', at=ring.answered_at))
    outcome = '' if ring.answered_at else 'no_answer'
    return [*told, say('leg_ended', at=ring.ended_at, outcome=outcome)]
