"""UIS, CoMagic, CallGear and Novofon 2.0, one platform: notifications whose bodies the account's
owner types in.

So this adapter defines its own payload: TEMPLATES, with an address for each event. Older
notifications send parameters instead, and Novofon nests them. Nothing is signed; the token in the
address is the only protection. Notifications do not tell why a call ended; the report of the Data
API does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from types import MappingProxyType

from .. import numbers
from ..base import (
    UNKNOWN_ARRIVAL,
    Account,
    Answer,
    CallEvent,
    HistoryProvider,
    Identity,
    ProviderError,
    Question,
    Reply,
    SetupBody,
    Stored,
    WebhookRequest,
    _,
    believed,
    digest,
    doubt,
    later,
    local_time_of,
    missing,
    moment_or,
    seconds_of,
    text_of,
    unfit,
    unix_time_of,
    unknown,
    unknown_event,
    word_of,
)
from ..links import link_of

# Event, which is the end of its address: its title in the account (in English or Russian), and the
# variables of its body.
# fmt: off
_LEG = (
    'direction', 'notification_time', 'virtual_phone_number', 'contact_phone_number',
    'employee_id', 'employee_full_name', 'external_id',
)
EVENTS = {
    'inbound': (_("Inbound call on a virtual phone number"), (
        'call_session_id', 'notification_time', 'notification_timestamp',
        'virtual_phone_number', 'contact_phone_number', 'scenario_name')),
    'ringing': (_("Waiting for the answer"), ('call_session_id', 'leg_id', *_LEG)),
    'talk_started': (_("Talk started"), ('call_session_id', 'leg_ids', *_LEG)),
    'call_finished': (_("Call finished"), (
        'call_session_id', 'communication_id', 'direction',
        'start_time', 'notification_time', 'notification_timestamp',
        'virtual_phone_number', 'contact_phone_number', 'employee_id', 'employee_full_name',
        'talk_time_duration', 'total_time_duration', 'wait_time_duration',
        'is_internal', 'external_id', 'call_source')),
    'lost_call': (_("Lost call"), (
        'call_session_id', 'notification_time', 'virtual_phone_number', 'contact_phone_number',
        'wait_time_duration', 'employee_ids', 'scenario_name')),
    'recording': (_("Call recording completed"), (
        'call_session_id', 'file_link', 'file_duration',
        'employee_id', 'contact_phone_number', 'virtual_phone_number', 'notification_time')),
}
# fmt: on
# The bodies that the owner pastes. The account puts a JSON value in the place of each variable.
TEMPLATES = {
    event: '{' + ','.join(f'"{name}":{{{{{name}}}}}' for name in names) + '}'
    for event, (_title, names) in EVENTS.items()
}

# Event -> what it is in our words. The last two are read if the owner has set them up.
KIND = {
    'inbound': 'ringing',
    'ringing': 'ringing',
    'talk_started': 'answered',
    'call_finished': 'ended',
    'lost_call': 'ended',
    'recording': 'recording',
    'outbound': 'ringing',
    'talk_finished': 'leg_ended',
}
QUESTION = 'route'
# Names in the body of Novofon, for addresses that tell no event.
NAMED = {'CALL_END': 'call_finished', 'RECORD_CALL': 'recording'}
# Without either: variable -> the only event that has it, in the order in which they are asked.
KNOWN_BY = (
    ('file_link', 'recording'),
    ('employee_ids', 'lost_call'),
    ('total_time_duration', 'call_finished'),
    ('leg_id', 'ringing'),
)
NESTED = ('contact_info', 'employee_info', 'call_info', 'call_record_file_info')

DIRECTION = {'in': 'inbound', 'out': 'outbound'}
DIRECTION_OF_EVENT = {'inbound': 'inbound', 'lost_call': 'inbound', 'outbound': 'outbound'}
FLAGS = {'true': True, '1': True, 'false': False, '0': False, '': False}
# The outcome of a call without talk. Notifications tell no reason, so it is the nearest true word.
UNANSWERED = {'inbound': 'missed', 'outbound': 'no_answer', 'internal': 'no_answer'}

_PLACEHOLDER = re.compile(r'\{\{[^{}]*\}\}')
_UNQUOTED = re.compile(rb'([:,\[]\s*)\{\{[^{}"]*\}\}')
_OFFSET = re.compile(r'(.*\d)\s*([+-]\d\d:?\d\d|Z)$')


class Uis(HistoryProvider):
    code = 'uis'
    line = 'sip'
    line_is_trial = True
    label = "UIS / CoMagic / CallGear / Novofon 2.0"
    api_key_label = _("Login (only where your brand needs one)")
    api_secret_label = _("Access token")
    default_api_url = 'https://dataapi.uiscom.ru'
    # one platform under several brands; CallGear's hosts were never checked, so all below the
    # domains of its API count
    recording_hosts = (
        'media.uiscom.ru',
        'app.uiscom.ru',
        'media.comagic.ru',
        'app.comagic.ru',
        'media.novofon.ru',
        'app.novofon.ru',
        '.callgear.com',
        '.callgear.ae',
    )
    signs = False
    setup_bodies = tuple(
        SetupBody(title, f'/{event}', TEMPLATES[event]) for event, (title, _names) in EVENTS.items()
    )
    setup_steps = (
        _(
            "Set the time zone of this form to the zone of the account: its events carry local time. Save this form."
        ),
        _(
            "Your tariff needs the option of HTTP notifications. Open Notifications in the account and create six of "
            "them, each with the channel HTTP and the method POST. The table below has the event, the whole address and the "
            "body of each, to be copied."
        ),
        _("If the editor refuses a variable, leave it out of the body, with its name."),
        _(
            "Enter the id of each employee (501…) as an extension here: notifications name employees by it."
        ),
        _(
            "To let calls go to the customer's own salesperson, add the operation Interactive call processing to your "
            "scenario with the webhook address, /route at its end, and the parameters cdr_id, numa and numb. Set what "
            "happens without an answer."
        ),
    )
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. Open Notifications in the account: each of the six has to have the channel HTTP, "
                "the method POST and its own address from the table on the PBX's form. Your tariff needs the option "
                "of HTTP notifications."
            ),
            'no_end': _(
                "The end of the call has not come. Look whether the notification of the end is switched on, and has "
                "its own address and body from the table on the PBX's form."
            ),
            'no_user': _(
                "The employee %(extension)s answered, but has no user here. Enter this id as an extension with its "
                "user: notifications name employees by their id, not by their short number."
            ),
            'clock': _(
                "The events carry the time of the account's zone, and are off by %(hours)s h. Set the time zone on "
                "the PBX's form, now %(zone)s, to that of the account."
            ),
            'no_recording': _(
                "No recording was told. If you record, create the notification of the recorded talk with its address "
                "and body from the table on the PBX's form."
            ),
        }
    )

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """UIS signs nothing, so the token in the address is the only check."""

    def split(self, request: WebhookRequest) -> list[dict]:
        if _is_question(request):
            return []
        body = _content(request)
        return [{'path': request.suffix.strip('/'), 'body': body}] if body else []

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        notification = Notification.of(payload, account, UNKNOWN_ARRIVAL)
        return Identity(kind=notification.name, call_ref=notification.ref, key=digest(payload))

    def history_ref(self, payload: Mapping, account: Account) -> str:
        return Session.of(payload, account).ref

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        notifications = [Notification.of(item.payload, account, item.received_at) for item in heard]
        sessions = [Session.of(item.payload, account) for item in history]
        if sessions:
            last = max(sessions, key=lambda session: (session.ended_at, repr(session)))
            return _completed(notifications, last)
        call = Call.of(notifications)
        return [event for told in notifications for event in _tell(told, call)]

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        """UIS: interactive call processing sends numa (the caller) and numb (the called number)."""
        if not _is_question(request):
            return None
        body = _content(request)
        return Question('route', number=_text(body, 'numa'), called=_text(body, 'numb'))

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        """UIS: interactive call processing takes `phones` to ring; without them the scenario goes
        its own way. Extensions that are ids of employees are no phones."""
        if not _is_question(request):
            return Reply()
        answer = answer or Answer()
        extensions = [answer.manager] if answer.manager else answer.team
        digits = (re.sub(r'\D', '', extension) for extension in extensions)
        phones = [number for number in digits if len(number) > numbers.SHORT]
        body = json.dumps({'phones': phones} if phones else {})
        return Reply(body, content_type='application/json')


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Notification:
    """One notification. `at` is its own time, `started_at` that of the call, if it tells it."""

    name: str
    ref: str
    at: datetime
    started_at: datetime | None
    direction: str
    is_internal: bool
    contact: str
    line: str
    employee: str
    lost_by: tuple[str, ...]
    talk: float | None
    wait: float | None
    total: float | None
    link: str
    seconds: float | None

    @classmethod
    def of(cls, payload: Mapping, account: Account, received_at: datetime) -> Notification:
        """:raise ProviderError: a variable that is used cannot be understood"""
        body = _flat(payload)
        name = _name(payload, body)
        direction = word_of({'direction': _text(body, 'direction')}, 'direction', DIRECTION)
        return cls(
            name=name,
            ref=_text(body, 'call_session_id', required=True),
            at=moment_or(_moment(body, account), received_at),
            started_at=_local_time(body, 'start_time', account),
            direction=DIRECTION_OF_EVENT.get(name) or DIRECTION.get(direction, ''),
            is_internal=_flag(body, 'is_internal'),
            contact=_text(body, 'contact_phone_number'),
            line=_text(body, 'virtual_phone_number') or _text(body, 'communication_number'),
            employee=_text(body, 'employee_id'),
            lost_by=_ids(body, 'employee_ids'),
            talk=_seconds(body, 'talk_time_duration'),
            wait=_seconds(body, 'wait_time_duration'),
            total=_seconds(body, 'total_time_duration'),
            link=_link(body) if name == 'recording' else '',
            seconds=_seconds(body, 'file_duration'),
        )


def _is_question(request: WebhookRequest) -> bool:
    return request.suffix.strip('/').rpartition('/')[2] == QUESTION


def _content(request: WebhookRequest) -> dict:
    """Read the fields of a request. A variable without a value may stay in the body as it stands in
    the template, which makes it no JSON; it is read as null."""
    try:
        return request.content()
    except ProviderError:
        body = _UNQUOTED.sub(rb'\1null', request.body)
        if body == request.body:
            raise
        return replace(request, body=body, form={}).content()


def _flat(payload: Mapping) -> dict:
    body = payload.get('body')
    if not isinstance(body, dict):
        raise ProviderError(_("The body should be a JSON object."))
    flat = {}
    for name in NESTED:
        part = body.get(name) or {}
        if not isinstance(part, dict):
            if _text(body, name):
                raise unfit(name, _("an object"), repr(part)[:100])
            part = {}
        flat.update(part)
    return {**flat, **{name: value for name, value in body.items() if name not in NESTED}}


def _name(payload: Mapping, body: Mapping) -> str:
    """Return which event this is: the one that the address names, else the body."""
    path = text_of(payload, 'path')
    if path:
        name = path.rpartition('/')[2]
        if name not in KIND:
            raise unknown_event(path[:100])
        return name
    if named := _text(body, 'event'):
        if named.upper() not in NAMED:
            raise unknown('event', named[:100])
        return NAMED[named.upper()]
    found = next((event for name, event in KNOWN_BY if body.get(name) not in (None, '')), '')
    if not found:
        raise ProviderError(
            _(
                "This event is not known: neither the address nor the body tells what it is. Check the address that is entered "
                "in the PBX."
            )
        )
    return found


def _text(body: Mapping, name: str, required: bool = False) -> str:
    """Return a variable as text, '' without a value. UIS: then come null, nothing or the variable
    itself; older notifications put texts in quotes."""
    text = text_of(body, name)
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    if text in ('null', 'None') or _PLACEHOLDER.fullmatch(text):
        text = ''
    if required and not text:
        raise missing(name)
    return text


def _link(body: Mapping) -> str:
    return link_of(_text(body, 'file_link'))


def _seconds(body: Mapping, name: str) -> float | None:
    return seconds_of({name: _text(body, name)}, name)


def _flag(body: Mapping, name: str) -> bool:
    value = body.get(name)
    text = str(value).lower() if isinstance(value, bool) else _text(body, name).lower()
    if text not in FLAGS:
        raise unfit(name, _("true or false"), text[:100])
    return FLAGS[text]


def _ids(body: Mapping, name: str) -> tuple[str, ...]:
    """Return a variable that holds ids, sorted. UIS: how a list looks is not documented; a JSON list
    and a text with commas are read."""
    value = body.get(name)
    if not isinstance(value, list):
        text = _text(body, name)
        value = re.split(r'[\s,;]+', text.strip('[]{}')) if text else []
    try:
        ids = (_text({name: part}, name) for part in value)
        return tuple(sorted({identifier for identifier in ids if identifier}))
    except ProviderError:
        raise unfit(name, _("a list of ids"), repr(value)[:100]) from None


def _moment(body: Mapping, account: Account) -> datetime | None:
    """Return the time of a notification. UIS: notification_timestamp, of which it is not documented
    that it is Unix time in seconds; else the local notification_time."""
    name = 'notification_timestamp'
    stamp, local = _text(body, name), _local_time(body, 'notification_time', account)
    if local and not stamp.isdecimal():
        return local
    milliseconds = len(stamp) == 13
    return unix_time_of({name: stamp[:-3] if milliseconds else stamp}, name) or local


def _local_time(body: Mapping, name: str, account: Account) -> datetime | None:
    """Return a variable that holds a local time, as aware UTC. UIS: it is in the account's zone,
    unless an offset stands behind it."""
    text = _text(body, name).replace('T', ' ', 1)
    if not text:
        return None
    pattern = '%Y-%m-%d %H:%M:%S.%f' if '.' in text else '%Y-%m-%d %H:%M:%S'
    if match := _OFFSET.match(text):
        try:
            return believed(
                datetime.strptime(match[1] + match[2], pattern + '%z').astimezone(timezone.utc)
            )
        except (ValueError, OverflowError):
            raise unfit(name, _("a time"), text[:100]) from None
    return local_time_of({name: text}, name, account, pattern)


# --- telling ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """What only all notifications of a call together tell."""

    direction: str
    caller: str
    called: str
    talked: bool

    @classmethod
    def of(cls, read: Sequence[Notification]) -> Call:
        """UIS: is_internal comes with the last notification. The contact of an internal call is the
        other phone."""
        read = sorted(read, key=lambda notification: (notification.at, repr(notification)))
        outward = next(
            (notification.direction for notification in read if notification.direction), ''
        )
        if not outward:
            if any(
                notification.name == 'call_finished' and not notification.is_internal
                for notification in read
            ):
                doubt('direction')
            outward = 'inbound'
        direction = (
            'internal' if any(notification.is_internal for notification in read) else outward
        )

        def first(name: str) -> str:
            return next(
                (value for notification in read if (value := getattr(notification, name))), ''
            )

        contact, line, employee = first('contact'), first('line'), first('employee')
        ours = employee if direction == 'internal' else line
        caller, called = (ours, contact) if outward == 'outbound' else (contact, ours)
        return cls(direction, caller, called, any(notification.talk for notification in read))


def _tell(notification: Notification, call: Call) -> list[CallEvent]:
    if notification.name == 'recording':
        return [
            CallEvent(
                'recording',
                notification.ref,
                at=notification.at,
                recording_url=notification.link,
                recording_seconds=int(notification.seconds or 0) or None,
            )
        ]
    event = CallEvent(
        KIND[notification.name],
        notification.ref,
        at=notification.at,
        direction=call.direction,
        caller=call.caller,
        called=call.called,
        extension=_extension(notification, call),
        started_at=notification.started_at,
    )
    if notification.name == 'lost_call':
        return [
            *_lost(notification, event),
            replace(
                event,
                extension='',
                outcome='' if call.talked else 'missed',
                wait_seconds=notification.wait,
                started_at=_ago(notification.at, notification.wait),
            ),
        ]
    if notification.name == 'call_finished':
        return [_finished(notification, event)]
    return [event]


def _extension(notification: Notification, call: Call) -> str:
    """Return the phone of our side, which is the id of its employee. If the employee placed an
    internal call, it is the other's phone."""
    if call.direction == 'internal' and call.caller == notification.employee:
        return call.called
    return notification.employee


def _finished(notification: Notification, event: CallEvent) -> CallEvent:
    """Tell the end of a call. UIS: a call that nobody took may name an employee too, who did not
    have it."""
    outcome = ''
    if notification.talk is not None:
        outcome = 'answered' if notification.talk else UNANSWERED.get(event.direction, '')
    mine = notification.talk != 0 or event.direction == 'outbound'
    ended_at = event.at
    if notification.started_at and notification.total is not None:
        # a notification may be late, the call's own times are not
        ended_at = later(notification.started_at, notification.total)
    return replace(
        event,
        at=ended_at,
        outcome=outcome,
        talk_seconds=notification.talk,
        wait_seconds=notification.wait,
        extension=event.extension if mine else '',
        started_at=notification.started_at or _ago(notification.at, notification.total),
    )


def _lost(notification: Notification, event: CallEvent) -> list[CallEvent]:
    """Tell whose phones rang in vain. UIS: those are employee_ids, without times."""
    return [
        replace(
            event,
            kind='leg_ended',
            at=None,
            extension=employee,
            outcome='no_answer',
            started_at=None,
        )
        for employee in notification.lost_by
    ]


def _ago(moment: datetime, seconds: float | None) -> datetime | None:
    return later(moment, -seconds) if seconds is not None else None


# --- history: a row of the report, which knows why a call ended ------------------------------------------------------

# finish_reason of a call without talk, sorted by what becomes of it: outcome of an inbound call, of
# any other. A reason that is not here has failed.
# fmt: off
OUTCOME_OF = {
    # the caller hung up, see _why
    ('', 'no_answer'): (
        'subscriber_disconnects', 'disconnect_before_call_processing'),
    ('missed', 'no_answer'): (
        'operator_disconnects', 'transfer_disconnects', 'scenario_disconnects',
        'no_operator_confirmation', 'operator_not_responsible', 'timeout',
        'no_success_operator_call', 'no_operator_cdr_found', 'action_interval_exceeded',
        'subscriber_not_responsible', 'no_success_subscriber_call',
        'operator_answer', 'another_operator_answer', 'success_finish'),
    ('busy', 'busy'): (
        'operator_busy', 'employee_busy', 'employee_busy_after_call', 'operator_channels_busy',
        'max_in_call_reached', 'subscriber_busy'),
    ('missed', 'failed'): (
        'group_inactive_by_schedule', 'phone_group_inactive_by_schedule',
        'group_phone_inactive', 'sip_offline'),
    ('abandoned', 'no_answer'): (
        'call_enqueued', 'max_transition_count_exceeded', 'no_operation'),
}
# fmt: on
REASONS = {reason: outcome for outcome, reasons in OUTCOME_OF.items() for reason in reasons}
# Families of reasons that mean that an employee is away.
AWAY = re.compile(
    r'employee_inactive.*|employee_phone_inactive.*|employee_status_.*|.*_not_allowed_by_status'
)


@dataclass(frozen=True)
class Session:
    """A row of get.calls_report. `vain` are employees who did not take the call, `took` those who
    did, `first` and `last` the first and the last of these."""

    ref: str
    started_at: datetime
    ended_at: datetime
    direction: str
    contact: str
    line: str
    talk: float
    wait: float | None
    total: float | None
    reason: str
    left_message: bool
    vain: tuple[str, ...]
    took: tuple[str, ...]
    first: str
    last: str
    link: str

    @classmethod
    def of(cls, payload: Mapping, account: Account) -> Session:
        """:raise ProviderError: a field that is used cannot be understood"""
        row = payload['history']
        start = _local_time(row, 'start_time', account)
        if not start:
            raise missing('start_time')
        total = _seconds(row, 'total_duration')
        rang, took = _employees(row)
        first = _text(row, 'first_answered_employee_id')
        last = _text(row, 'last_talked_employee_id')
        last = last or _text(row, 'last_answered_employee_id') or first
        took = [employee for employee in dict.fromkeys((first, *took, last)) if employee]
        talk = _seconds(row, 'talk_duration') or _seconds(row, 'clean_talk_duration') or 0
        direction = _text(row, 'direction', required=True)
        return cls(
            ref=_text(row, 'id', required=True),
            started_at=start,
            ended_at=_local_time(row, 'finish_time', account) or later(start, total or 0),
            direction=word_of({'direction': direction}, 'direction', DIRECTION),
            contact=_text(row, 'contact_phone_number'),
            line=_text(row, 'virtual_phone_number'),
            talk=0 if _flag(row, 'is_lost') else talk,
            wait=_seconds(row, 'wait_duration'),
            total=total,
            reason=_text(row, 'finish_reason'),
            left_message=bool(row.get('voice_mail_records')),
            vain=tuple(sorted(set(rang) - {'', *took})),
            took=tuple(took),
            first=first or next(iter(took), ''),
            last=last or next(iter(took), ''),
            link=_own_link(row),
        )

    def notification(self, name: str, at: datetime, **more) -> Notification:
        """Return a notification that would have told the same."""
        values = {
            'ref': self.ref,
            'started_at': None,
            'direction': DIRECTION[self.direction],
            'is_internal': False,
            'contact': self.contact,
            'line': self.line,
            'employee': '',
            'lost_by': (),
            'talk': None,
            'wait': None,
            'total': None,
            'link': '',
            'seconds': None,
        }
        return Notification(name=name, at=at, **{**values, **more})


def _employees(row: Mapping) -> tuple[list[str], list[str]]:
    """Return the ids of the employees whose phones rang, and of those who took the call."""
    people = row.get('employees') or []
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ProviderError(_("The field employees should hold a list of employees."))
    took = [
        _text(person, 'employee_id')
        for person in people
        if _flag(person, 'is_answered') or _flag(person, 'is_talked')
    ]
    return [_text(person, 'employee_id') for person in people], took


def _own_link(row: Mapping) -> str:
    return link_of(_text(row, 'full_record_file_link'))


def _completed(heard: Sequence[Notification], session: Session) -> list[CallEvent]:
    """Tell a call from its notifications, completed with what only the report tells: employees,
    a lost end, why nobody talked, a recording."""
    told = [*heard, *_unheard({notification.name for notification in heard}, session)]
    call = Call.of(told)
    events = [event for notification in told for event in _tell(notification, call)]
    known = {event.extension for event in events} | {''}
    say = partial(
        CallEvent,
        external_id=session.ref,
        direction=call.direction,
        caller=call.caller,
        called=call.called,
    )
    if session.direction != 'out':
        events += [
            say('leg_ended', extension=employee, outcome='no_answer')
            for employee in session.vain
            if employee not in known
        ]
    events += [
        say('transferred', extension=employee) for employee in session.took if employee not in known
    ]
    rang = bool(known - {''} or session.vain)
    if outcome := '' if session.talk or call.talked else _why(session, call, rang):
        last = max(event.at for event in events if event.kind == 'ended' and event.at)
        events.append(say('ended', at=last, outcome=outcome, order=1))
    return events


def _unheard(names: set[str], session: Session) -> list[Notification]:
    """Return the notifications of which only the report tells, as they would have come.

    :param names: the notifications that were heard
    """
    is_outgoing, found = session.direction == 'out', []
    if session.talk and 'talk_started' not in names:
        # the report names who passed the call on, but tells no time of it
        answered_at = later(session.started_at, session.wait or 0)
        found.append(session.notification('talk_started', answered_at, employee=session.first))
    if 'call_finished' not in names:
        employee = session.last
        if is_outgoing:
            employee = session.first or next(iter(session.vain), '')
        found.append(
            session.notification(
                'call_finished',
                session.ended_at,
                started_at=session.started_at,
                employee=employee,
                talk=session.talk,
                wait=session.wait,
                total=session.total,
            )
        )
    if session.link and 'recording' not in names:
        found.append(session.notification('recording', session.ended_at, link=session.link))
    return found


def _why(session: Session, call: Call, rang: bool) -> str:
    """Return how a call without talk ended, '' if the report does not tell it. A message is one that
    the customer left, so the call is inbound."""
    if session.left_message and call.direction == 'inbound':
        return 'voicemail'
    if not session.reason:
        return ''
    fallback = ('missed', 'failed') if AWAY.fullmatch(session.reason) else ('failed', 'failed')
    inbound, other = REASONS.get(session.reason) or fallback
    if call.direction != 'inbound':
        return other
    return inbound or ('missed' if rang else 'abandoned')
