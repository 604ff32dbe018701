"""OnlinePBX: one post an event, as JSON or as a form. Nothing is signed; token and domain are all.

The four events tell who called whom and how it ended, but not whom a queue or a group has rung, nor
that the caller waited in one. Causes are FreeSWITCH's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

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

# hangup_cause of a call without talk: outcome of an inbound call, of any other.
OUTCOME = {
    'NORMAL_CLEARING': ('missed', 'no_answer'),
    'NORMAL_UNSPECIFIED': ('missed', 'no_answer'),
    # in a queue it would be abandoned, but nobody tells of queues
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
# Beginnings of whole families, which are failed.
FAILED = ('NO_ROUTE_', 'BEARERCAPABILITY_', 'SERVICE_', 'MANDATORY_', 'FACILITY_')
UNKNOWN_CAUSE = ('missed', 'failed')

_SCHEME = re.compile(r'^\w+://')


class OnlinePbx(HistoryProvider):
    code = 'onlinepbx'
    label = "OnlinePBX"
    api_key_label = _("PBX domain (example.onpbx.ru)")
    api_secret_label = _("API key")
    default_api_url = 'https://api2.onlinepbx.ru'
    signs = False
    recording_hosts = ('onlinepbx.ru', '.onlinepbx.ru', 'onpbx.ru', '.onpbx.ru')
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

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """OnlinePBX signs nothing. Who knows the address was let in; another PBX's domain is
        refused."""
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
        uuid, is_call = (
            text_of(payload, 'uuid'),
            bool(text_of(payload, 'caller') or text_of(payload, 'callee')),
        )
        if not uuid and not is_call:
            # uuid is not the only thing that the panel's test lacks
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
        read = [Hook.of(one.payload, one.received_at) for one in heard]
        rows = [Row.of(one.payload) for one in history]
        last = max(rows, key=lambda row: (row.ended_at, repr(row)), default=None)
        read += _unheard(read, last) if last else []
        read = _with_direction(read, account)
        call = Call.of(read, account)
        events = [event for one in read for event in _tell(one, call, account)]
        return events + _told_by_history(events, last) if last else events


def _domain(text: str) -> str:
    return _SCHEME.sub('', text.strip().lower()).strip('/')


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hook:
    """One event as it was sent."""

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
    """OnlinePBX: may be http on a host that has https."""
    return link_of(text_of(payload, 'download_url'), has_https=True)


@dataclass(frozen=True)
class Call:
    """What only the events of a call together tell."""

    started_at: datetime | None  # as call_start says
    line: str
    answered: bool
    dated_by_start: bool
    answered_at: datetime | None  # where no date tells it

    @classmethod
    def of(cls, read: Sequence[Hook], account: Account) -> Call:
        """OnlinePBX: `date` is the time of the event in all samples, but nobody says so. Where the
        end of a call that lasted has the date of its start, all its dates are that.

        `gateway` is our number or the login of a trunk; then our number is what was called before
        distribution.
        """
        starts = [one for one in read if one.name == 'call_start']
        started_at = min((one.date for one in starts), default=None)
        late = [
            one
            for one in read
            if KIND[one.name] == 'ended' and one.date == started_at and one.duration
        ]
        gateways = sorted({one.gateway for one in read if one.gateway})
        called = sorted({one.callee for one in starts if one.direction == 'inbound'})
        ours = (line for line in gateways + called if numbers.to_e164(line, account.country))
        return cls(
            started_at=started_at,
            line=next(ours, '') or next(iter(gateways), ''),
            answered=any(one.name == 'call_answered' for one in read),
            dated_by_start=bool(late),
            answered_at=max(
                (later(one.date, one.duration - one.talk) for one in late if one.talk), default=None
            ),
        )


def _with_direction(read: Sequence[Hook], account: Account) -> list[Hook]:
    """Hooks that do not tell their direction have that of the others; where none tells, who called
    whom does."""
    if all(one.direction for one in read):
        return list(read)
    direction = next((one.direction for one in read if one.direction), '')
    if not direction:
        doubt('direction')
        inside = [
            _is_phone(next((value for one in read if (value := getattr(one, name))), ''), account)
            for name in ('caller', 'callee')
        ]
        direction = {(True, True): 'internal', (True, False): 'outbound'}.get(
            tuple(inside), 'inbound'
        )
    return [replace(one, direction=one.direction or direction) for one in read]


# --- telling ---------------------------------------------------------------------------------------------------------


def _tell(one: Hook, call: Call, account: Account) -> list[CallEvent]:
    caller, called = _numbers(one, call)
    kind, at, phone = KIND[one.name], one.date, _phone(one, account)
    common = {
        'external_id': one.ref,
        'direction': one.direction,
        'caller': caller,
        'called': called,
    }
    if kind == 'ringing':
        rings = one.direction != 'inbound' or phone in account.extensions
        return [CallEvent(kind, at=at, started_at=at, extension=phone if rings else '', **common)]
    if kind == 'answered':
        return [
            CallEvent(
                kind, at=call.answered_at if call.dated_by_start else at, extension=phone, **common
            )
        ]
    if call.dated_by_start:
        at = later(at, one.duration or 0)
    talked = bool(one.talk)
    events = []
    if one.direction == 'inbound' and not talked and phone in account.extensions:
        # who was rung at last; nobody says since when
        events.append(
            CallEvent(
                'leg_ended',
                extension=phone,
                outcome='busy' if one.cause == 'USER_BUSY' else 'no_answer',
                **common,
            )
        )
    events.append(
        CallEvent(
            kind,
            at=at,
            extension=phone if talked or one.direction != 'inbound' else '',
            outcome='answered' if talked else _outcome(one, call),
            talk_seconds=one.talk,
            started_at=call.started_at
            or (later(at, -one.duration) if one.duration is not None else None),
            recording_url=one.link,
            # links differ from time to time, the history knows it by this
            recording_ref=one.ref if one.link else '',
            order=int(one.name == 'call_end'),  # of both the more exact one
            **common,
        )
    )
    return events


def _numbers(one: Hook, call: Call) -> tuple[str, str]:
    if one.direction == 'inbound':
        return one.caller, call.line
    if one.direction == 'outbound':
        return call.line or one.caller, one.callee
    return one.caller, one.callee


def _phone(one: Hook, account: Account) -> str:
    """The phone of our side. OnlinePBX: `callee` of an inbound call, before distribution our
    number, a queue or a group; `caller` of an outbound one."""
    number = one.caller if one.direction == 'outbound' else one.callee
    return number if _is_phone(number, account) else ''


def _is_phone(number: str, account: Account) -> bool:
    return number in account.extensions or number.isdecimal() and len(number) <= numbers.SHORT


def _outcome(one: Hook, call: Call) -> str:
    """The outcome of a call without talk; '' where no talk was told but an answer. OnlinePBX:
    call_missed is missed, whatever the cause; it is sent for outbound calls too."""
    if one.talk is None and call.answered:
        return ''
    if not one.cause:
        return ''
    inbound, other = OUTCOME.get(
        one.cause, ('failed', 'failed') if one.cause.startswith(FAILED) else UNKNOWN_CAUSE
    )
    if one.direction == 'inbound':
        return 'missed' if one.name == 'call_missed' else inbound
    return other


# --- history: a row of the search, which knows queues and who was rung -----------------------------------------------

# Events of a row that are no place where a caller waits. Names of queues and menus are not
# documented.
NO_PLACE = ('user', 'transfer', 'hold', 'unhold', 'dtmf')
LEFT = ('ORIGINATOR_CANCEL', 'NORMAL_CLEARING')


@dataclass(frozen=True)
class Ring:
    """A phone that rang."""

    phone: str
    at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Row:
    """A row of mongo_history/search. All rows that anybody has shown are of outbound calls: how
    those of others look, and that `missed` as an account code is an inbound call, is assumed."""

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
        direction = DIRECTION.get(
            word_of(row, 'accountcode', (*DIRECTION, 'missed'), required=True), 'inbound'
        )
        started_at = unix_time_of(row, 'start_stamp')
        if not started_at:
            raise missing('start_stamp')
        ended_at = unix_time_of(row, 'end_stamp') or later(
            started_at, seconds_of(row, 'duration') or 0
        )
        # their order is not that of time
        events = sorted(
            events, key=lambda event: (unix_time_of(event, 'timestamp') or started_at, repr(event))
        )
        rings = [
            Ring(
                text_of(event, 'number'),
                unix_time_of(event, 'timestamp'),
                unix_time_of(event, 'answered_stamp'),
                unix_time_of(event, 'end_stamp'),
            )
            for event in events
            if text_of(event, 'type') == 'user'
        ]
        answered_at = min((ring.answered_at for ring in rings if ring.answered_at), default=None)
        name, number = text_of(row, 'caller_id_name'), text_of(row, 'caller_id_number')
        if direction == 'outbound':
            # the number is that of the trunk
            number = next((ring.phone for ring in rings if ring.phone), '') or name or number
        return cls(
            ref=text_of(row, 'uuid', required=True),
            direction=direction,
            started_at=started_at,
            ended_at=ended_at,
            caller=number,
            called=text_of(row, 'destination_number'),
            gateway=text_of(row, 'gateway'),
            # user_talk_time leaves out what was on hold
            talk=(ended_at - answered_at).total_seconds()
            if answered_at
            else seconds_of(row, 'user_talk_time') or 0.0,
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


def _unheard(heard: Sequence[Hook], row: Row) -> list[Hook]:
    """The events of which only the row tells, as they would have come."""
    names = {one.name for one in heard}
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
    """Phones of which nobody else tells, the queue, and that the caller left it."""
    first = events[0]
    common = {
        'external_id': row.ref,
        'direction': first.direction,
        'caller': first.caller,
        'called': first.called,
    }
    known = {event.extension for event in events}
    told = []
    if row.direction == 'inbound':
        for ring in row.rings:
            if ring.phone and ring.phone not in known:
                told.append(CallEvent('ringing', at=ring.at, extension=ring.phone, **common))
                if ring.answered_at:
                    told.append(
                        CallEvent('answered', at=ring.answered_at, extension=ring.phone, **common)
                    )
                outcome = '' if ring.answered_at else 'no_answer'
                told.append(
                    CallEvent(
                        'leg_ended',
                        at=ring.ended_at,
                        extension=ring.phone,
                        outcome=outcome,
                        **common,
                    )
                )
        told += [
            CallEvent('ringing', at=at, queue=number, **common)
            for at, number in row.waited
            if number
        ]
    ends = [event for event in events if event.kind == 'ended']
    if (
        row.direction == 'inbound'
        and row.waited
        and not row.rings
        and row.cause in LEFT
        and not any(event.talk_seconds for event in ends)
    ):
        last = max((event.at for event in ends if event.at), default=row.ended_at)
        told.append(CallEvent('ended', at=last, outcome='abandoned', order=2, **common))
    return told
