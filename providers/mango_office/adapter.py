"""Mango Office VPBX: signed form posts whose field `json` holds one event, the kind of event in the
address.

A call is all events with one `entry_id`. Its legs (`call_id`) tell live who rings and who talks,
and one summary tells how it went; each of the two is enough. Codes and names are Mango's: see
"MANGO OFFICE VPBX API".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from .. import signing
from ..base import (
    Account,
    CallEvent,
    HistoryProvider,
    Identity,
    ProviderError,
    Refused,
    Reply,
    Stored,
    WebhookRequest,
    _,
    digest,
    doubt,
    heard_and_history,
    missing,
    moment_or,
    parse_json,
    text_of,
    unfit,
    unix_time_of,
    unknown_event,
    word_of,
)

# The end of the address that Mango calls, and what it brings.
CALL, SUMMARY, RECORDING, ADDED = (
    'events/call',
    'events/summary',
    'events/recording',
    'events/record/added',
)
USED = (CALL, SUMMARY, RECORDING, ADDED)
IGNORED = {
    'events/record/tagged': _("Topics of a recording."),
    'events/dtmf': _("A key pressed in a menu."),
    'events/sms': _("The report of an SMS."),
    'result/callback': _("The result of a command."),
    'result/callback_group': _("The result of a command."),
    'result/call/hangup': _("The result of a command."),
    'result/route': _("The result of a command."),
    'result/transfer': _("The result of a command."),
    'result/sms': _("The result of a command."),
    'result/recording/start': _("The result of a command."),
    'result/stats': _("The result of a command."),
}
# Where the address does not tell the kind: fields that only this kind has.
KNOWN_BY = (
    ('call_state', CALL),
    ('recording_state', RECORDING),
    ('call_direction', SUMMARY),
    ('product_id', ADDED),
)

DIRECTION = {'0': 'internal', '1': 'inbound', '2': 'outbound'}
STATES = ('Appeared', 'Connected', 'OnHold', 'Disconnected')
LOCATIONS = ('ivr', 'queue', 'abonent')
RECORDING_STATES = ('Started', 'Continued', 'Completed')
KEPT = '1000'

# disconnect_reason of a call without talk: outcome of an inbound call, of any other. The longest
# beginning of the code that is found counts, so unknown codes fall back to their class. A comment
# names what a class is about.
OUTCOME = {
    '1': ('missed', 'no_answer'),  # 1000, 1100: ended as usual
    '1110': ('missed', 'no_answer'),  # the caller hung up, see _outcome
    '1121': ('busy', 'busy'),
    '1122': ('missed', 'busy'),  # rejected
    '1123': ('missed', 'busy'),  # do not disturb
    '113': ('failed', 'failed'),  # the number cannot be reached, does not exist
    '114': ('failed', 'failed'),  # the region is forbidden
    '115': ('failed', 'failed'),  # the caller is blocked
    '1161': ('missed', 'failed'),  # hold is not allowed
    '1162': ('abandoned', 'no_answer'),  # the queue is full
    '1163': ('abandoned', 'no_answer'),  # the queue's time is over
    '1164': ('abandoned', 'no_answer'),  # all operators are away
    '117': ('failed', 'failed'),  # the call scheme is wrong
    '1170': ('abandoned', 'failed'),  # the call scheme ended the call, as a rule in the menu
    '119': ('missed', 'failed'),  # the number is inactive or off schedule
    '2': ('failed', 'failed'),  # billing
    '3': ('failed', 'failed'),  # wrong request, wrong number
    '4': ('failed', 'failed'),  # the command is impossible, the call is gone, limits
    '42': ('missed', 'no_answer'),  # the party cannot be reached now
    '5': ('failed', 'failed'),  # Mango's servers
}
CALLER_HUNG_UP, BUSY, JOINED = '1110', '1121', '1000'
# The client hung up: a leg that ended so is the last one. Where an employee does the call may go on
# with a colleague.
FINAL = {'inbound': ('1110', '1170'), 'outbound': ('1120',), 'internal': ('1110', '1120')}

# The official document calls its times UTC, a digest of the newer one UTC+3. No event can tell a
# time to come: whose times lie this far ahead of their arrival has them in UTC+3.
SHIFT, SLACK = timedelta(hours=3), timedelta(minutes=20)


class MangoOffice(HistoryProvider):
    code = 'mango_office'
    label = "Mango Office"
    api_key_label = _("Unique code of your PBX (vpbx_api_key)")
    api_secret_label = _("Key for the signature (vpbx_api_salt)")
    default_api_url = 'https://app.mango-office.ru/vpbx/'
    no_secret = _(
        "The unique code or the key for the signature is not entered, so nobody can be let in. Enter both on the "
        "form of this PBX."
    )
    recording_hosts = ('.mango-office.ru',)
    setup_steps = (
        _("In the Mango Office account open Integrations → API connector and switch it on."),
        _(
            "Copy the unique code of your PBX and the key for the signature into this form and save it."
        ),
        _(
            "Enter the webhook address as the address of the external system; Mango adds events/call, events/summary…"
        ),
        _(
            "If your account asks for an address for each event, enter the webhook address each time, with that ending."
        ),
        _(
            "Switch on the events call, summary, recording and record/added, and check the connection with its button."
        ),
        _("Enter the extensions of your employees (101, 102…) here, so that calls find them."),
    )

    def handshake(self, request: WebhookRequest) -> Reply | None:
        """Mango: the button that checks the connection sends an empty post."""
        empty = request.method == 'POST' and not request.form and not request.body.strip()
        return Reply() if empty else None

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """Mango: sign, the SHA-256 of key, json and salt, where json is the text as it was sent. No
        HMAC."""
        if not account.api_key:
            raise Refused(self.no_secret)
        fields = request.fields
        for name in ('vpbx_api_key', 'sign', 'json'):
            if name not in fields:
                raise Refused(missing(name).args[0])
        key_is_ours = signing.same(fields['vpbx_api_key'], account.api_key)
        sign = sign_of(account.api_key, fields['json'], account.api_secret)
        if not signing.same(fields['sign'].strip(), sign) or not key_is_ours:
            raise Refused(
                signing.WRONG_SIGNATURE
                if key_is_ours
                else _(
                    "The unique code (vpbx_api_key) is that of another PBX. Correct it, or the address in the other PBX."
                )
            )

    def split(self, request: WebhookRequest) -> list[dict]:
        text = request.fields.get('json', '')
        if not text.strip():
            return []  # a check of the connection that is signed
        event = parse_json(text, _("the field json"))
        if not isinstance(event, dict):
            raise ProviderError(_("In the body, the field json should be a JSON object."))
        return [{'path': request.suffix.strip('/'), 'json': event}]

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        kind, key = _kind(payload), digest(payload)
        if kind in IGNORED:
            result = text_of(_body(payload), 'result') if kind.startswith('result/') else ''
            ignored = (
                IGNORED[kind]
                if result in ('', KEPT)
                else _("%(what)s Its code: %(result)s", what=IGNORED[kind], result=result[:20])
            )
            return Identity(kind=kind, call_ref='', key=key, ignored=ignored)
        call_ref = text_of(_body(payload), 'entry_id', required=True)
        self.translate_alone(payload, account)
        return Identity(kind=kind, call_ref=call_ref, key=key)

    def history_ref(self, payload: Mapping, account: Account) -> str:
        return _legs_of(payload)[0].ref

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        call, shift = _read(heard, account), _shift(heard)
        told = {leg for one in history for leg in _legs_of(one.payload, shift)}
        return _tell(_completed(call, told) if told else call)

    def command_ref(self, stored: Sequence[Stored], account: Account) -> str:
        """The leg whose phone talks, or rings, and its employee; '' when there is none.

        Mango: commands want the id of a leg, and a transfer the employee who makes it.
        """
        heard, _history = heard_and_history(stored)
        call = _read(heard, account)
        running = [
            leg[-1]
            for leg in call.legs.values()
            if leg[-1].phone and leg[-1].state != 'Disconnected'
        ]
        talking = [state for state in running if state.state in ('Connected', 'OnHold')]
        last = max(talking or running, key=lambda state: state.order, default=None)
        return f'{last.leg} {last.phone}' if last else ''

    def route_ref(self, stored: Sequence[Stored], account: Account) -> str:
        """The leg of the menu or queue. Mango: a leg may be sent elsewhere until somebody has
        answered; whose phone rings already is not disturbed."""
        heard, _history = heard_and_history(stored)
        call = _read(heard, account)
        if (
            call.summary
            or _direction(call) != 'inbound'
            or any(state.location == 'abonent' for state in call.states)
        ):
            return ''
        waiting = [leg[-1] for leg in call.legs.values() if leg[-1].state != 'Disconnected']
        last = max(waiting, key=lambda state: state.order, default=None)
        return last.leg if last else ''


def sign_of(key: str, text: str, salt: str) -> str:
    """Mango's signature, both ways."""
    return hashlib.sha256((key + text + salt).encode('utf-8', 'surrogatepass')).hexdigest()


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Party:
    """`from` or `to` of an event."""

    extension: str = ''
    number: str = ''
    line: str = ''
    queue: str = ''


@dataclass(frozen=True)
class State:
    """A leg of the call as one events/call shows it."""

    leg: str
    at: datetime
    seq: int
    state: str
    location: str
    caller: Party
    callee: Party
    reason: str
    commanded: bool
    # it was made of another leg: a caller who was in the call already was sent on, by command or by
    # an employee
    was_taken: bool = False
    # Mango's own dialler rings the employee, then the client
    is_dialled: bool = False

    @property
    def order(self):
        return self.at, self.seq, self.leg, repr(self)

    @property
    def caller_was_there(self) -> bool:
        """An outside caller whom nobody of us had to call: he waits in a menu or queue, or was sent
        on from there."""
        return not self.caller.extension and (self.location != 'abonent' or self.was_taken)

    @property
    def phone(self) -> str:
        """The employee's phone: that which rings, or that which calls out."""
        return (
            (self.callee.extension or self.caller.extension) if self.location == 'abonent' else ''
        )


@dataclass(frozen=True)
class Summary:
    direction: str
    caller: Party
    callee: Party
    line: str
    created: datetime | None
    forwarded: datetime | None
    answered: datetime | None
    ended: datetime
    talked: bool | None  # what entry_result says where talk_time is absent
    reason: str
    is_dialled: bool = False


@dataclass(frozen=True)
class Call:
    ref: str
    states: tuple[State, ...]  # in order of time
    summaries: tuple[Summary, ...]  # the latest first; Mango sends one a call
    recordings: tuple[CallEvent, ...]
    account: Account

    @property
    def legs(self) -> dict[str, list[State]]:
        """The legs in the order in which they began, each with its states in order."""
        legs = {}
        for state in self.states:
            legs.setdefault(state.leg, []).append(state)
        return legs

    @property
    def summary(self) -> Summary | None:
        return next(iter(self.summaries), None)


def _read(stored: Sequence[Stored], account: Account) -> Call:
    """:raise ProviderError: a field that is used cannot be understood"""
    shift = _shift(stored)
    states, summaries, recordings, ref = set(), set(), [], ''
    for one in stored:
        kind, body = _kind(one.payload), _body(one.payload)
        ref = text_of(body, 'entry_id', required=True)
        if kind == CALL:
            states.add(_state(body, shift, one.received_at))
        elif kind == SUMMARY:
            summaries.add(_summary(body, shift, one.received_at))
        elif kind in (RECORDING, ADDED) and (event := _recording(kind, body, shift)):
            recordings.append(event)
    ordered = sorted(states, key=lambda state: state.order)
    latest_first = sorted(
        summaries, key=lambda summary: (summary.ended, repr(summary)), reverse=True
    )
    return Call(ref, tuple(ordered), tuple(latest_first), tuple(recordings), account)


def _kind(payload: Mapping) -> str:
    """Mango: the address tells; where each event has an address of its own it may tell nothing,
    then the fields do."""
    path, body = text_of(payload, 'path'), _body(payload)
    if path:
        found = next(
            (kind for kind in (*USED, *IGNORED) if path == kind or path.endswith('/' + kind)), ''
        )
        if not found:
            raise unknown_event(path[:100])
        return found
    found = next((kind for name, kind in KNOWN_BY if name in body), '')
    if not found:
        raise ProviderError(
            _(
                "This event is not known: neither the address nor the fields tell what it is. Check the address that is "
                "entered in the PBX."
            )
        )
    return found


def _body(payload: Mapping) -> Mapping:
    body = payload.get('json')
    if not isinstance(body, dict):
        raise ProviderError(_("In the body, the field json should be a JSON object."))
    return body


def _shift(stored: Sequence[Stored]) -> timedelta:
    return SHIFT if any(_is_ahead(one) for one in stored) else timedelta()


def _is_ahead(one: Stored) -> bool:
    body = _body(one.payload)
    times = [moment for name in ('timestamp', 'end_time') if (moment := unix_time_of(body, name))]
    return any(abs(moment - one.received_at - SHIFT) < SLACK for moment in times)


def _time(body: Mapping, name: str, shift: timedelta) -> datetime | None:
    moment = unix_time_of(body, name)
    return moment - shift if moment else None


def _state(body: Mapping, shift: timedelta, received_at: datetime) -> State:
    caller, callee = _party(body, 'from'), _party(body, 'to')
    location = word_of(body, 'location', LOCATIONS) or (
        'abonent' if callee.extension or caller.extension else 'ivr'
    )
    return State(
        # without its id it is told by whom it leads to
        leg=text_of(body, 'call_id')
        or f'{callee.extension or callee.number} {caller.extension or caller.number}',
        at=moment_or(_time(body, 'timestamp', shift), received_at),
        seq=_seq(body),
        state=word_of(body, 'call_state', STATES) or 'Appeared',
        location=location,
        caller=caller,
        callee=callee,
        reason=_reason(body),
        commanded=bool(text_of(body, 'command_id') or text_of(body, 'callback_initiator')),
        was_taken=any(
            text_of(body[side], 'taken_from_call_id')
            for side in ('from', 'to')
            if isinstance(body.get(side), dict)
        ),
        is_dialled=bool(text_of(body, 'task_id')),
    )


def _summary(body: Mapping, shift: timedelta, received_at: datetime) -> Summary:
    """Mango: a call that ended in the menu may have entry_result 1, so talk_time decides where it
    is given."""
    result = word_of(body, 'entry_result', ('0', '1'))
    return Summary(
        direction=DIRECTION.get(word_of(body, 'call_direction', DIRECTION), ''),
        caller=_party(body, 'from'),
        callee=_party(body, 'to'),
        line=text_of(body, 'line_number'),
        created=_time(body, 'create_time', shift),
        forwarded=_time(body, 'forward_time', shift),
        answered=_time(body, 'talk_time', shift),
        ended=moment_or(_time(body, 'end_time', shift), received_at),
        talked=None if text_of(body, 'talk_time') else {'0': False, '1': True}.get(result),
        reason=_reason(body),
        is_dialled=bool(text_of(body, 'task_id')),
    )


def _recording(kind: str, body: Mapping, shift: timedelta) -> CallEvent | None:
    """Mango: while it runs a recording may still be thrown away (too short, no money), so only its
    end tells of it. What is sent by e-mail alone cannot be fetched."""
    ref, at = text_of(body, 'recording_id', required=True), _time(body, 'timestamp', shift)
    if kind == RECORDING:
        state = word_of(body, 'recording_state', RECORDING_STATES, required=True)
        code, recipient = text_of(body, 'completion_code'), text_of(body, 'recipient')
        if state != 'Completed' or code not in ('', KEPT) or recipient == 'Mail':
            return None
    return CallEvent(
        'recording', text_of(body, 'entry_id', required=True), at=at, recording_ref=ref
    )


def _party(body: Mapping, name: str) -> Party:
    """Mango: an object, empty where nobody was reached; then some PHP writes a list."""
    party = body.get(name) or {}
    if not isinstance(party, dict):
        raise unfit(name, _("an object"), repr(party)[:100])
    try:
        return Party(
            *(text_of(party, part) for part in ('extension', 'number', 'line_number', 'acd_group'))
        )
    except ProviderError as error:
        raise ProviderError(
            _("In the field %(field)s: %(complaint)s", field=name, complaint=error.args[0])
        ) from None


def _seq(body: Mapping) -> int:
    text = text_of(body, 'seq')
    if text and not (text.isdecimal() and len(text) < 10):
        raise unfit('seq', _("a whole number"), text[:100])
    return int(text or 0)


def _reason(body: Mapping) -> str:
    text = text_of(body, 'disconnect_reason')
    if text and not text.isdecimal():
        raise unfit('disconnect_reason', _("a code of digits"), text[:100])
    return text


# --- telling ---------------------------------------------------------------------------------------------------------


def _tell(call: Call) -> list[CallEvent]:
    legs, summary = list(call.legs.values()), call.summary
    direction = _direction(call)
    callbacks = list(takewhile(_rings_employee, legs)) if direction == 'outbound' else []
    talked = bool(summary and (summary.answered or summary.talked))
    if callbacks == legs != [] and not talked and not any(map(_picked_up, legs)):
        return _no_call(call, legs)

    caller, called = _numbers(call, direction)

    def say(kind: str, at: datetime | None, **more) -> CallEvent:
        return CallEvent(
            kind, call.ref, at=at, direction=direction, caller=caller, called=called, **more
        )

    events = list(call.recordings)
    for leg in legs:
        if not _is_consultation(leg, direction, summary):
            events += _leg(say, leg, leg in callbacks, direction, summary if talked else None)
    answered = any(event.kind == 'answered' for event in events)
    if summary:
        events += _end(say, call, summary, direction, answered)
    elif last := _last_word(legs, [leg for leg in legs if leg not in callbacks], direction):
        events.append(
            say(
                'ended', last.at, outcome='' if answered else _outcome(call, direction, last.reason)
            )
        )
    return events


def _direction(call: Call) -> str:
    """As the summary tells, and until it comes as the legs do. Mango: `from` without an extension
    is no employee; a call by command, by the dialler or from the website rings the employee first
    and shows him the client as its caller. So does a caller who is sent to an employee by command,
    but he was in the call already: a menu, a queue or the leg that he was taken from tells."""
    was_there = any(state.caller_was_there for state in call.states)
    is_dialled = any(one.is_dialled for one in (*call.summaries, *call.states)) and not was_there
    if (summary := call.summary) and summary.direction:
        return 'outbound' if is_dialled and summary.direction == 'inbound' else summary.direction
    if summary:
        doubt('direction')
    if not call.states:
        return _direction_of(summary) if summary else ''
    first = call.states[0]
    if first.caller.extension:
        return 'internal' if first.callee.extension else 'outbound'
    rings_first = first.location == 'abonent' and not was_there and (first.commanded or is_dialled)
    return 'outbound' if rings_first else 'inbound'


def _direction_of(summary: Summary) -> str:
    """What the parties of a summary tell that has no direction: employees have extensions."""
    if not summary.caller.extension:
        return 'outbound' if summary.is_dialled else 'inbound'
    return 'internal' if summary.callee.extension else 'outbound'


def _numbers(call: Call, direction: str) -> tuple[str, str]:
    """Who called whom. Our own number is the line; employees are extensions, their SIP addresses
    tell nothing more."""
    callers = [one.caller for one in (*call.summaries, *call.states)]
    callees = [one.callee for one in (*call.summaries, *call.states)]
    lines = [one.line for one in (*call.summaries, *callees)]
    if direction == 'internal':
        return _first(callers, 'extension'), _first(callees, 'extension')
    line = next(filter(None, lines), '')
    outside = [party for party in callers + callees if not party.extension]
    if direction == 'outbound':
        clients = [party for party in callees if not party.extension] or outside
        return line or _first(callers, 'extension'), _first(clients, 'number')
    clients = [party for party in callers if not party.extension]
    lines = [state.callee.number for state in call.states if state.location != 'abonent']
    return _first(clients, 'number'), line or next(filter(None, lines), '')


def _first(parties: Sequence[Party], name: str) -> str:
    return next((value for party in parties if (value := getattr(party, name))), '')


def _rings_employee(leg: Sequence[State]) -> bool:
    return bool(leg[0].callee.extension and not leg[0].caller.extension)


def _picked_up(leg: Sequence[State]) -> bool:
    return any(state.state in ('Connected', 'OnHold') or state.reason == JOINED for state in leg)


def _no_call(call: Call, legs: Sequence[Sequence[State]]) -> list[CallEvent]:
    """While the employee's own phone rings the client is not called yet."""
    if any(leg[-1].state != 'Disconnected' for leg in legs) and not call.summary:
        return []
    last = max((leg[-1] for leg in legs), key=lambda state: state.order)
    note = _(
        "Click-to-call: the employee did not pick up, so the customer was not called (%(reason)s).",
        reason=last.reason or "–",
    )
    return [CallEvent('void', call.ref, at=last.at, note=note)]


def _is_consultation(leg: Sequence[State], direction: str, summary: Summary | None) -> bool:
    """An employee asks a colleague while the client waits. It is told only when the client was
    passed on to him."""
    asks = all(state.caller.extension and state.callee.extension for state in leg)
    passed_on = summary and summary.callee.extension == leg[0].callee.extension
    return direction != 'internal' and asks and not passed_on


def _leg(
    say, leg: Sequence[State], is_callback: bool, direction: str, talk: Summary | None
) -> list[CallEvent]:
    """Mango: each menu, queue and phone is a leg of its own; menus and queues answer too, but
    nobody talks there.

    :param is_callback: an employee's own phone, from which the client is then called
    """
    events, taken = [], False
    for state in leg:
        if state.location != 'abonent':
            events.append(say('ringing', state.at, queue=state.callee.queue, order=state.seq))
        elif is_callback:
            # of a group that was called only who picked up is in the call
            phone = state.phone if _picked_up(leg) else ''
            events.append(say('ringing', state.at, extension=phone, order=state.seq))
        elif state.state in ('Connected', 'OnHold'):
            taken = True
            events.append(
                say(
                    'answered',
                    state.at,
                    extension=state.phone,
                    queue=state.callee.queue,
                    order=state.seq,
                )
            )
        elif state.state == 'Disconnected':
            # a leg whose answer was lost on the way, and who had the call in the end
            had_it = talk and talk.callee.extension == state.phone
            vain = not taken and not had_it and direction != 'outbound'
            outcome = ('busy' if state.reason == BUSY else 'no_answer') if vain else ''
            events.append(
                say('leg_ended', state.at, extension=state.phone, outcome=outcome, order=state.seq)
            )
        else:
            events.append(
                say(
                    'ringing',
                    state.at,
                    extension=state.phone,
                    queue=state.callee.queue,
                    order=state.seq,
                )
            )
    return events


def _end(say, call: Call, summary: Summary, direction: str, answered: bool) -> list[CallEvent]:
    """The summary. Mango: `to` is who answered (after a transfer who had the call in the end), else
    the first employee or group that missed it.

    :param answered: the legs tell who answered
    """
    talked = bool(summary.answered or summary.talked)
    inbound = direction == 'inbound'
    employee = summary.caller.extension if direction == 'outbound' else summary.callee.extension
    told = {state.phone for state in call.states}
    events = []
    if summary.answered:
        events.append(
            say(
                'answered',
                min(summary.answered, summary.ended),
                extension='' if answered else employee,
            )
        )
    elif (
        not talked and inbound and employee not in told and _is_phone(summary.callee, call.account)
    ):
        events.append(say('ringing', summary.forwarded or summary.created, extension=employee))
    if talked and answered and inbound and employee and employee not in told:
        # the call was passed to him, nobody told when
        events.append(say('transferred', None, extension=employee))
    talk = (summary.ended - summary.answered).total_seconds() if summary.answered else None
    events.append(
        say(
            'ended',
            summary.ended,
            extension=employee if talked or direction == 'outbound' else '',
            outcome='answered' if talked else _outcome(call, direction, summary.reason),
            talk_seconds=max(talk, 0) if talk is not None else None if talked else 0,
            started_at=summary.created,
        )
    )
    return events


def _is_phone(party: Party, account: Account) -> bool:
    """Groups have extensions too, but no number."""
    return bool(party.extension and (party.number or party.extension in account.extensions))


def _last_word(
    legs: Sequence[Sequence[State]], talks: Sequence[Sequence[State]], direction: str
) -> State | None:
    """What ended the call where only its legs tell: all of them are over, and somebody has talked
    or the client hung up. A call without talk that ended for another reason may go on in a leg that
    is not there yet: the next phone, a queue.

    :param talks: the legs without those of an employee who is rung first, before the client
    """
    if not legs or any(leg[-1].state != 'Disconnected' for leg in legs):
        return None
    last = max((leg[-1] for leg in legs), key=lambda state: state.order)
    talked = any(
        state.location == 'abonent' and state.state in ('Connected', 'OnHold')
        for leg in talks
        for state in leg
    )
    return last if talked or last.reason in FINAL[direction] else None


def _outcome(call: Call, direction: str, reason: str) -> str:
    """How a call without talk ended; '' where the code tells nothing. Who hangs up while a phone
    rings was missed, who does so in a menu or queue has abandoned the call: legs tell, or the empty
    `to` of a summary."""
    found = next(
        (OUTCOME[reason[:size]] for size in (4, 3, 2, 1) if reason[:size] in OUTCOME), ('', '')
    )
    outcome = found[0 if direction == 'inbound' else 1]
    if direction == 'inbound' and reason == CALLER_HUNG_UP:
        places = {state.location for state in call.states}
        summary = call.summary
        rang = 'abonent' in places or bool(summary and _is_phone(summary.callee, call.account))
        waited = places & {'ivr', 'queue'} or bool(summary and summary.callee == Party())
        return 'abandoned' if waited and not rang else 'missed'
    return outcome


# --- history: rows of the statistics, one a leg ----------------------------------------------------------------------


@dataclass(frozen=True)
class Leg:
    """A row of the statistics."""

    ref: str
    start: datetime
    answer: datetime | None
    finish: datetime
    caller: Party
    callee: Party
    location: str
    reason: str
    recordings: tuple[str, ...]

    @classmethod
    def of(cls, row: Mapping, shift: timedelta) -> Leg:
        """Mango: no header, no direction; `answer` is 0 where nobody answered. A menu or a queue
        has no employee [that its `to_extension` is then the group is assumed].

        :raise ProviderError: a column that is used cannot be understood
        """
        if not isinstance(row, dict):
            raise ProviderError(_("A row of the statistics should be a JSON object."))
        reached, line = text_of(row, 'to_extension'), text_of(row, 'line_number')
        location = text_of(row, 'location').partition('.')[0]
        if location not in LOCATIONS:
            location = 'abonent' if reached or text_of(row, 'from_extension') else 'ivr'
        waits = location != 'abonent'
        start = _time(row, 'start', shift)
        if not start:
            raise missing('start')
        return cls(
            ref=text_of(row, 'entry_id', required=True),
            start=start,
            answer=_time(row, 'answer', shift),
            finish=max(_time(row, 'finish', shift) or start, start),
            caller=Party(text_of(row, 'from_extension'), text_of(row, 'from_number')),
            callee=Party(
                '' if waits else reached, text_of(row, 'to_number'), line, reached if waits else ''
            ),
            location=location,
            reason=_reason(row),
            recordings=tuple(filter(None, re.split(r'[\s,\[\]"]+', text_of(row, 'records')))),
        )

    @property
    def is_phone(self) -> bool:
        return self.location == 'abonent'

    def states(self) -> list[State]:
        """The events that would have told of it. Rows have no id of the leg."""
        leg = f'{self.start.timestamp():.0f} {self.callee.extension or self.caller.extension} {self.callee.number}'

        def state(seq: int, at: datetime, name: str) -> State:
            return State(
                leg,
                at,
                seq,
                name,
                self.location,
                self.caller,
                self.callee,
                self.reason if name == 'Disconnected' else '',
                commanded=False,
            )

        states = [state(1, self.start, 'Appeared'), state(3, self.finish, 'Disconnected')]
        return states + [state(2, self.answer, 'Connected')] if self.answer else states


def _legs_of(payload: Mapping, shift: timedelta = timedelta()) -> list[Leg]:
    rows = payload['history'].get('rows')
    if not isinstance(rows, list) or not rows:
        raise ProviderError(_("The statistics hold no rows."))
    return [Leg.of(row, shift) for row in rows]


def _completed(call: Call, told: Iterable[Leg]) -> Call:
    """The call with what no event told: menus, queues and phones that nobody heard of, the summary
    if it was lost, and recordings. Events and statistics have the same clock [assumed]."""
    legs = sorted(told, key=lambda leg: (leg.start, repr(leg)))
    ref, heard = legs[0].ref, call.states
    phones = {state.phone for state in heard}
    places = {state.location for state in heard}
    unheard = [
        leg
        for leg in legs
        if (
            (leg.callee.extension or leg.caller.extension) not in phones
            if leg.is_phone
            else leg.location not in places
        )
    ]
    states = [*heard, *(state for leg in unheard for state in leg.states())]
    known = {event.recording_ref for event in call.recordings}
    recordings = sorted({name for leg in legs for name in leg.recordings} - known)
    return replace(
        call,
        ref=ref,
        states=tuple(sorted(states, key=lambda state: state.order)),
        summaries=call.summaries or (_summary_of(legs, _direction(call)),),
        recordings=(
            *call.recordings,
            *(CallEvent('recording', ref, recording_ref=name) for name in recordings),
        ),
    )


def _summary_of(legs: Sequence[Leg], heard: str) -> Summary:
    """What the summary would have said. Statistics do not tell the direction: what was heard of the
    call does, else its first leg, unless the employee's phone was only rung to call the client
    then.

    A call by command whose employee did not pick up, of which no event was heard, looks like a lost
    call of the client.
    """
    phones = [leg for leg in legs if leg.is_phone]
    first = legs[0]
    clients = [leg for leg in phones if leg.caller.extension and not leg.callee.extension]
    commanded = [
        leg for leg in clients if leg.callee.number and leg.callee.number == first.caller.number
    ]
    inside = bool(first.caller.extension)
    told = (
        'internal'
        if inside and first.callee.extension
        else 'outbound'
        if inside or commanded
        else 'inbound'
    )
    direction = heard or told
    talks = [leg for leg in (clients if direction == 'outbound' else phones) if leg.answer]
    if direction == 'outbound':
        meant = talks[:1] or clients[:1] or phones[:1]
    else:
        meant = talks[-1:] or phones[:1]
    leg = next(iter(meant), None)
    last = max(legs, key=lambda leg: (leg.finish, repr(leg)))
    return Summary(
        direction=direction,
        caller=leg.caller if leg and direction == 'outbound' else first.caller,
        callee=leg.callee if leg else Party(),
        line=next((leg.callee.line for leg in legs if leg.callee.line), ''),
        created=first.start,
        forwarded=leg.start if leg else None,
        answered=min((leg.answer for leg in talks), default=None),
        ended=last.finish,
        talked=None,
        reason=last.reason,
    )
