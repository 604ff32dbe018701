"""Mango Office VPBX: signed form posts whose field `json` holds one event; the address tells its
kind.

A call is all events with one `entry_id`. Its legs (`call_id`) tell live who rings and who talks,
and one summary tells how it went; either of the two is enough. Codes and names are Mango's: see
"MANGO OFFICE VPBX API".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from types import MappingProxyType

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

# The kinds of events, which are the ends of their addresses.
CALL, SUMMARY = 'events/call', 'events/summary'
RECORDING, ADDED = 'events/recording', 'events/record/added'
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
# If the address does not tell the kind: field -> the only kind that has it.
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

# disconnect_reason of a call without talk -> outcome of an inbound call, of any other. The longest
# beginning of the code that is here counts, so unknown codes fall back to their class, which the
# comment names.
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
# The customer hung up, so a leg that ended so is the last one. After an employee hung up the call
# may go on with a colleague.
FINAL = {'inbound': ('1110', '1170'), 'outbound': ('1120',), 'internal': ('1110', '1120')}

# The official document calls its times UTC, a digest of the newer one UTC+3. No event can tell a
# future time, so times that lie this far ahead of their arrival are in UTC+3.
SHIFT, SLACK = timedelta(hours=3), timedelta(minutes=20)


class MangoOffice(HistoryProvider):
    code = 'mango_office'
    line_why = _(
        "Mango Office takes no calls from other vendors' browser phones, only from its own M.TALK. Calls are "
        "placed with the phones that people have."
    )
    label = "Mango Office"
    api_key_label = _("Unique code of your PBX (vpbx_api_key)")
    api_secret_label = _("Key for the signature (vpbx_api_salt)")
    default_api_url = 'https://app.mango-office.ru/vpbx/'
    no_secret = _(
        "The unique code or the key for the signature is not entered, so deliveries are refused. Enter both on the "
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
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. In the Mango Office account open Integrations → API connector: it has to be "
                "switched on, with the webhook address as the address of the external system. Its button checks the "
                "connection."
            ),
            'no_end': _(
                "The end of the call has not come. Switch on the event summary in the API connector, and call again."
            ),
            'no_phone': _(
                "Mango Office did not tell which extension answered. Switch on the event call in the API connector, "
                "and call again."
            ),
            'no_recording': _(
                "Mango Office told of no recording. If you record, switch on the events recording and record/added in"
                " the API connector."
            ),
        }
    )

    def handshake(self, request: WebhookRequest) -> Reply | None:
        """Mango: sends an empty post when the connection is checked by its button."""
        empty = request.method == 'POST' and not request.form and not request.body.strip()
        return Reply() if empty else None

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """Mango: `sign` is the SHA-256, not an HMAC, of key, json and salt, where json is the text as
        it was sent."""
        if not account.api_key:
            raise Refused(self.no_secret)
        fields = request.fields
        for name in ('vpbx_api_key', 'sign', 'json'):
            if name not in fields:
                raise Refused(missing(name).args[0])
        key_is_ours = signing.same(fields['vpbx_api_key'], account.api_key)
        sign = sign_of(account.api_key, fields['json'], account.api_secret)
        is_signed = signing.same(fields['sign'].strip(), sign)
        if not key_is_ours:
            raise Refused(
                _(
                    "The unique code (vpbx_api_key) is that of another PBX. Correct it, or the address in the other PBX."
                )
            )
        if not is_signed:
            raise Refused(signing.WRONG_SIGNATURE)

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
            ignored = IGNORED[kind]
            if result not in ('', KEPT):
                ignored = _("%(what)s Its code: %(result)s", what=ignored, result=result[:20])
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
        told = {leg for item in history for leg in _legs_of(item.payload, shift)}
        return _tell(_completed(call, told) if told else call)

    def command_ref(self, stored: Sequence[Stored], account: Account) -> str:
        """Return the leg whose phone talks, or else rings, and its employee; '' if there is none.

        Mango: commands take the id of a leg, and a transfer the employee who makes it.
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
        """Return the leg of the menu or queue. Mango: a leg can be sent on until somebody has
        answered. Once a phone rings, it is left alone."""
        heard, _history = heard_and_history(stored)
        call = _read(heard, account)
        has_rung = any(state.location == 'abonent' for state in call.states)
        if call.summary or has_rung or _direction(call) != 'inbound':
            return ''
        waiting = [leg[-1] for leg in call.legs.values() if leg[-1].state != 'Disconnected']
        last = max(waiting, key=lambda state: state.order, default=None)
        return last.leg if last else ''


def sign_of(key: str, text: str, salt: str) -> str:
    """Return Mango's signature of a text, of what it sends and of what it is sent."""
    return hashlib.sha256((key + text + salt).encode('utf-8', 'surrogatepass')).hexdigest()


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Party:
    """A party of a call: `from` or `to` of an event."""

    extension: str = ''
    number: str = ''
    line: str = ''
    queue: str = ''


@dataclass(frozen=True)
class State:
    """The state of a leg, as one events/call tells it."""

    leg: str
    at: datetime
    seq: int
    state: str
    location: str
    caller: Party
    callee: Party
    reason: str
    commanded: bool
    # the leg was made of another one: a caller who was in the call already was sent on, by command
    # or by an employee
    was_taken: bool = False
    # Mango's own dialler rings the employee, then the customer
    is_dialled: bool = False

    @property
    def order(self):
        return self.at, self.seq, self.leg, repr(self)

    @property
    def caller_was_there(self) -> bool:
        """Whether an outside caller was in the call before our phones: they wait in a menu or queue,
        or were sent on from there."""
        return not self.caller.extension and (self.location != 'abonent' or self.was_taken)

    @property
    def phone(self) -> str:
        """The employee's phone: the one that rings, or the one that calls out."""
        if self.location != 'abonent':
            return ''
        return self.callee.extension or self.caller.extension


@dataclass(frozen=True)
class Summary:
    """The events/summary of a call."""

    direction: str
    caller: Party
    callee: Party
    line: str
    created: datetime | None
    forwarded: datetime | None
    answered: datetime | None
    ended: datetime
    talked: bool | None  # as entry_result tells it, if talk_time is absent
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
        """The states of each leg in order; the legs in the order in which they began."""
        legs = {}
        for state in self.states:
            legs.setdefault(state.leg, []).append(state)
        return legs

    @property
    def summary(self) -> Summary | None:
        return next(iter(self.summaries), None)


def _read(stored: Sequence[Stored], account: Account) -> Call:
    """Read the events of a call.

    :raise ProviderError: a field that is used cannot be understood
    """
    shift = _shift(stored)
    states, summaries, recordings, ref = set(), set(), [], ''
    for item in stored:
        kind, body = _kind(item.payload), _body(item.payload)
        ref = text_of(body, 'entry_id', required=True)
        if kind == CALL:
            states.add(_state(body, shift, item.received_at))
        elif kind == SUMMARY:
            summaries.add(_summary(body, shift, item.received_at))
        elif kind in (RECORDING, ADDED) and (event := _recording(kind, body, shift)):
            recordings.append(event)
    ordered = sorted(states, key=lambda state: state.order)
    latest_first = sorted(
        summaries, key=lambda summary: (summary.ended, repr(summary)), reverse=True
    )
    return Call(ref, tuple(ordered), tuple(latest_first), tuple(recordings), account)


def _kind(payload: Mapping) -> str:
    """Return the kind of an event. Mango: the address tells it. If each event was given an address
    of its own, the address may tell nothing; then the fields do."""
    path, body = text_of(payload, 'path'), _body(payload)
    if path:
        kinds = (kind for kind in (*USED, *IGNORED) if f'/{path}'.endswith(f'/{kind}'))
        found = next(kinds, '')
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
    return SHIFT if any(_is_ahead(item) for item in stored) else timedelta()


def _is_ahead(item: Stored) -> bool:
    body = _body(item.payload)
    times = [moment for name in ('timestamp', 'end_time') if (moment := unix_time_of(body, name))]
    return any(abs(moment - item.received_at - SHIFT) < SLACK for moment in times)


def _time(body: Mapping, name: str, shift: timedelta) -> datetime | None:
    moment = unix_time_of(body, name)
    return moment - shift if moment else None


def _state(body: Mapping, shift: timedelta, received_at: datetime) -> State:
    caller, callee = _party(body, 'from'), _party(body, 'to')
    location = word_of(body, 'location', LOCATIONS)
    if not location:
        location = 'abonent' if callee.extension or caller.extension else 'ivr'
    # without an id the leg is known by its parties
    parties = f'{callee.extension or callee.number} {caller.extension or caller.number}'
    return State(
        leg=text_of(body, 'call_id') or parties,
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
    """Read a summary. Mango: a call that ended in the menu may have entry_result 1, so talk_time
    counts, if it is given."""
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
    """Return the recording of which an event tells, None if there is none yet. Mango: a recording
    that runs may still be thrown away (too short, no money), so only its end counts. One that is
    sent by e-mail alone cannot be fetched."""
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
    """Return a party. Mango: it is an object, or an empty list if nobody was reached."""
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
    """Tell a call by its legs and its summary, whichever are there."""
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
    """Return the direction that the summary tells and, until it comes, the legs. Mango: `from`
    without an extension is no employee. A call by command, by the dialler or from the website rings
    the employee first and shows the customer as its caller. So does a caller who is sent to an
    employee by command, but that caller was in the call already, as a menu, a queue or the leg that
    it was taken from shows."""
    was_there = any(state.caller_was_there for state in call.states)
    is_dialled = (
        any(source.is_dialled for source in (*call.summaries, *call.states)) and not was_there
    )
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
    """Return the direction of a summary that tells none, by its parties: employees have
    extensions."""
    if not summary.caller.extension:
        return 'outbound' if summary.is_dialled else 'inbound'
    return 'internal' if summary.callee.extension else 'outbound'


def _numbers(call: Call, direction: str) -> tuple[str, str]:
    """Return who called whom. Our own number is the line, employees are their extensions."""
    callers = [source.caller for source in (*call.summaries, *call.states)]
    callees = [source.callee for source in (*call.summaries, *call.states)]
    lines = [source.line for source in (*call.summaries, *callees)]
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
    """Tell a call that rang employees only: no call with a customer once it is over. While their own
    phone rings the customer is not called yet."""
    if any(leg[-1].state != 'Disconnected' for leg in legs) and not call.summary:
        return []
    last = max((leg[-1] for leg in legs), key=lambda state: state.order)
    note = _(
        "Click-to-call: the employee did not pick up, so the customer was not called (%(reason)s).",
        reason=last.reason or "–",
    )
    return [CallEvent('void', call.ref, at=last.at, note=note)]


def _is_consultation(leg: Sequence[State], direction: str, summary: Summary | None) -> bool:
    """Return whether an employee asks a colleague in this leg while the customer waits. It is no
    consultation any more if the customer was passed on to the colleague."""
    asks = all(state.caller.extension and state.callee.extension for state in leg)
    passed_on = summary and summary.callee.extension == leg[0].callee.extension
    return direction != 'internal' and asks and not passed_on


def _leg(
    say, leg: Sequence[State], is_callback: bool, direction: str, talk: Summary | None
) -> list[CallEvent]:
    """Tell a leg. Mango: each menu, queue and phone is a leg of its own; menus and queues answer
    too, but nobody talks there.

    :param is_callback: whether it is an employee's own phone, and the customer is called after it
    :param talk: the summary, if it tells that somebody talked
    """
    events, taken = [], False
    for state in leg:
        if state.location != 'abonent':
            events.append(say('ringing', state.at, queue=state.callee.queue, order=state.seq))
        elif is_callback:
            # only the phone of a called group that picked up is in the call
            phone = state.phone if _picked_up(leg) else ''
            events.append(say('ringing', state.at, extension=phone, order=state.seq))
        elif state.state == 'Disconnected':
            # the answer may have been lost on the way: the summary tells who had the call at last
            had_it = talk and talk.callee.extension == state.phone
            vain = not taken and not had_it and direction != 'outbound'
            outcome = ('busy' if state.reason == BUSY else 'no_answer') if vain else ''
            events.append(
                say('leg_ended', state.at, extension=state.phone, outcome=outcome, order=state.seq)
            )
        else:
            answers = state.state in ('Connected', 'OnHold')
            taken = taken or answers
            place = {'extension': state.phone, 'queue': state.callee.queue, 'order': state.seq}
            events.append(say('answered' if answers else 'ringing', state.at, **place))
    return events


def _end(say, call: Call, summary: Summary, direction: str, answered: bool) -> list[CallEvent]:
    """Tell the summary. Mango: `to` is the phone that answered (after a transfer the one that had
    the call at last), else the first employee or group that missed the call.

    :param answered: whether the legs tell which phone answered
    """
    talked = bool(summary.answered or summary.talked)
    inbound = direction == 'inbound'
    employee = summary.caller.extension if direction == 'outbound' else summary.callee.extension
    told = {state.phone for state in call.states}
    events = []
    if summary.answered:
        answered_at = min(summary.answered, summary.ended)
        events.append(say('answered', answered_at, extension='' if answered else employee))
    elif (
        not talked and inbound and employee not in told and _is_phone(summary.callee, call.account)
    ):
        events.append(say('ringing', summary.forwarded or summary.created, extension=employee))
    if talked and answered and inbound and employee and employee not in told:
        # the call was passed on to this employee, but no event tells when
        events.append(say('transferred', None, extension=employee))
    talk = None if talked else 0
    if summary.answered:
        talk = max((summary.ended - summary.answered).total_seconds(), 0)
    events.append(
        say(
            'ended',
            summary.ended,
            extension=employee if talked or direction == 'outbound' else '',
            outcome='answered' if talked else _outcome(call, direction, summary.reason),
            talk_seconds=talk,
            started_at=summary.created,
        )
    )
    return events


def _is_phone(party: Party, account: Account) -> bool:
    """Return whether a party is a phone. A group has an extension too, but no number."""
    return bool(party.extension and (party.number or party.extension in account.extensions))


def _last_word(
    legs: Sequence[Sequence[State]], talks: Sequence[Sequence[State]], direction: str
) -> State | None:
    """Return what ended a call without a summary, None if it may go on. It is over when all its
    legs are, and somebody has talked or the customer hung up. Without talk and with another reason
    it may go on in a leg that is still to come: the next phone, a queue.

    :param talks: the legs without those of an employee who is rung before the customer
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
    """Return how a call without talk ended; '' if the code tells nothing. A caller who hangs up
    while a phone rings was missed, one who hangs up in a menu or queue has abandoned the call. Legs
    tell which it is, or the empty `to` of a summary."""
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
    """A row of the statistics, which is a leg."""

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
        """Read a row. Mango: it has no direction, and `answer` is 0 if nobody answered. A menu or a
        queue has no employee [that its `to_extension` is then the group is assumed].

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
        """Return the states that events would have told. A row has no id of the leg, so one is made
        of its start and parties."""
        phone = self.callee.extension or self.caller.extension
        leg = f'{self.start.timestamp():.0f} {phone} {self.callee.number}'

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
    """Complete a call with what no event told: menus, queues and phones, a lost summary, recordings.
    Events and statistics have the same clock [assumed]."""
    legs = sorted(told, key=lambda leg: (leg.start, repr(leg)))
    ref, heard = legs[0].ref, call.states
    phones = {state.phone for state in heard}
    places = {state.location for state in heard}

    def is_heard(leg: Leg) -> bool:
        if leg.is_phone:
            return (leg.callee.extension or leg.caller.extension) in phones
        return leg.location in places

    states = [*heard, *(state for leg in legs if not is_heard(leg) for state in leg.states())]
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
    """Return the summary that would have come. Statistics do not tell the direction. What was heard
    of the call tells it, else its first leg, unless that only rang the employee's phone before the
    customer was called.

    A call by command whose employee did not pick up, and of which no event was heard, looks like a
    lost call of the customer.
    """
    phones = [leg for leg in legs if leg.is_phone]
    first = legs[0]
    clients = [leg for leg in phones if leg.caller.extension and not leg.callee.extension]
    direction = heard or _direction_of_legs(first, clients)
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


def _direction_of_legs(first: Leg, clients: Sequence[Leg]) -> str:
    """Return the direction that the legs tell.

    :param clients: the legs that lead to customers
    """
    if first.caller.extension:
        return 'internal' if first.callee.extension else 'outbound'
    # the customer's number is shown as the caller when the employee's own phone is rung first
    numbers = [leg.callee.number for leg in clients if leg.callee.number]
    return 'outbound' if first.caller.number in numbers else 'inbound'
