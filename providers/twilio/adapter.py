"""Twilio Voice: our TwiML answers the call, and every step and every leg of it comes back as a form
post.

A call is one parent Call and the children that `<Dial>` makes of it. The parent of an inbound call
is the caller, and its `completed` means only that our TwiML answered; the parent of a click-to-call
is the employee, the child is the customer. So who talked is read off the children, and off what
`<Dial>` and `<Enqueue>` report if the TwiML of somebody else asks for no callbacks of the children.
Requests are told apart by their parameters, whatever the address.

[assumed] and therefore not relied on alone: CallDuration counts from the answer of its leg,
DialCallSid is absent if several were tried, SipResponseCode names the reason of a failure.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qs, urlsplit
from xml.etree import ElementTree

from .. import numbers, signing
from ..base import (
    UNKNOWN_ARRIVAL,
    Account,
    Answer,
    CallEvent,
    HistoryProvider,
    Identity,
    ProviderError,
    Question,
    Refused,
    Reply,
    Stored,
    WebhookRequest,
    _,
    believed,
    digest,
    doubt,
    missing,
    seconds_of,
    text_of,
    unfit,
    word_of,
)

# CallStatus -> whether the leg is over, in the order in which a leg goes through them.
STATUS = {
    'queued': False,
    'initiated': False,
    'ringing': False,
    'in-progress': False,
    'answered': False,
    'completed': True,
    'busy': True,
    'no-answer': True,
    'canceled': True,
    'cancelled': True,
    'failed': True,
}
RANK = {status: rank for rank, status in enumerate(STATUS)}
TAKEN = ('in-progress', 'answered', 'completed')
# CallStatus -> how the leg ended, seen from whoever was called.
REFUSED = {
    'busy': 'busy',
    'no-answer': 'no_answer',
    'canceled': 'no_answer',
    'cancelled': 'no_answer',
    'failed': 'failed',
}
DIAL_STATUS = ('completed', 'answered', *REFUSED)
# QueueResult -> what became of the waiting, '' if later requests tell it.
QUEUE_RESULT = {
    'bridged': 'answered',
    'redirected-from-bridged': 'answered',
    'bridging-in-process': '',
    'leave': '',
    'redirected': '',
    'hangup': 'abandoned',
    'queue-full': 'missed',
    'error': 'missed',
    'system-error': 'missed',
}
# fmt: off
RECORDING_STATUS = (
    'in-progress', 'paused', 'stopped', 'processing',
    'completed', 'absent', 'failed', 'deleted',
)
# fmt: on
MACHINE = ('machine', 'fax')
# `From` of a withheld caller: words spelled on a keypad.
WITHHELD = frozenset({'266696687', '8656696', '86282452253', '7378742833', '2562533'})
# Parameter that only a request has which tells of no call -> what that request is.
IGNORED = {
    'MessageSid': _("An SMS."),
    'SmsSid': _("An SMS."),
    'MessageStatus': _("An SMS."),
    'TaskSid': _("An event of TaskRouter."),
    'WorkerSid': _("An event of TaskRouter."),
    'TranscriptionSid': _("A transcript."),
    'TranscriptionStatus': _("A transcript."),
    'Payload': _("A report of Twilio's debugger."),
    'ConferenceSid': _("An event of a conference."),
}
# Parameter -> the only kind of request that has it, in the order in which they are asked.
KIND = {
    'RecordingStatus': 'Recording',
    'RecordingSource': 'Recording',
    'DialCallStatus': 'Dial',
    'QueueResult': 'Queue',
    'DequeingCallSid': 'Dequeue',
    'QueuePosition': 'Wait',
    'ConferenceSid': 'ConferenceSid',
    'CallbackSource': 'Status',
    'SequenceNumber': 'Status',
    'Timestamp': 'Status',
    'RecordingUrl': 'Message',
}
DIRECTION = (
    'inbound',
    'outbound-api',
    'outbound-dial',
    'trunking-originating',
    'trunking-terminating',
)
# A shorter message is a caller who heard the beep and hung up.
MESSAGE_SECONDS = 1

# Seconds for which TwiML rings a phone and a customer, and how many phones at once (Twilio's own
# limit).
RING_SECONDS, CUSTOMER_SECONDS = 20, 60
RING_AT_ONCE = 10
# Steps in the query of the webhook address. Only the first means something: the salesperson did not
# answer, so the team is rung.
TEAM_STEP, STATUS_STEP, END_STEP = 'team', 'status', 'end'
STATUS_EVENTS = ('initiated', 'ringing', 'answered', 'completed')
TWIML = 'text/xml; charset=utf-8'

_PORTS = {'https': 443, 'http': 80}
_E164 = re.compile(r'\+\d{7,15}')
_RECORDING_SID = re.compile(r'RE[0-9a-f]{32}', re.IGNORECASE)


class Twilio(HistoryProvider):
    code = 'twilio'
    line_why = _(
        "Twilio lets browsers in by its own program only, which Odoo does not bring. Calls ring the phones and "
        "browser clients that are entered as extensions."
    )
    label = "Twilio"
    api_key_label = _("Account SID")
    api_secret_label = _("Auth token")
    default_api_url = 'https://api.twilio.com'
    recordings_stay = False  # their addresses are public unless the account is set otherwise
    setup_steps = (
        _("Copy Account SID and Auth Token from the Twilio console into this form and save it."),
        _(
            "Check that web.base.url in Odoo's system parameters is the address that Twilio reaches: requests are signed"
            " with it."
        ),
        _(
            "In the console open Phone Numbers → Manage → Active numbers → your number, Voice: for a call that comes in"
            " choose Webhook, paste the webhook address, HTTP POST."
        ),
        _("Paste the same address into Call status changes."),
        _(
            "If you use TwiML of your own, give its Number, Client and Sip nouns the webhook address as statusCallback"
            " with statusCallbackEvent initiated ringing answered completed, and its Dial, Record and Enqueue verbs the"
            " same address as action and recordingStatusCallback."
        ),
        _(
            "Enter as extensions whom to ring: the name of a browser client, a SIP address or an employee's number."
        ),
    )
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. In the Twilio console open the number: for a call that comes in, Webhook has to "
                "be chosen with the webhook address and HTTP POST. Enter Webhook Address in the PBX, on the PBX's "
                "form, does it."
            ),
            'refused': _(
                "Twilio's deliveries are refused: %(reason)s Twilio signs the very address that it calls. Check that "
                "web.base.url is that address, with https, and that the Auth Token is the account's present one."
            ),
            'no_end': _(
                "The end of the call has not come. In the Twilio console paste the webhook address into Call status "
                "changes of the number, too."
            ),
            'no_phone': _(
                "Twilio did not tell who answered. With TwiML of your own, give its Number, Client and Sip nouns the "
                "webhook address as statusCallback, and its Dial verb as action."
            ),
            'no_recording': _(
                "Twilio told of no recording. If you record, give Dial the attribute record, and "
                "recordingStatusCallback with the webhook address."
            ),
        }
    )

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """Twilio: the header X-Twilio-Signature signs the address and the form; the address alone
        if its query has the SHA-256 of a JSON body. Accounts that sign with a shared key say so in
        a header, and its secret takes the place of the auth token. Behind a proxy the address is
        the one that Twilio was given.
        """
        given = request.headers.get('x-twilio-signature', '').strip()
        if not given:
            raise signing.no_header("X-Twilio-Signature")
        settings = request.headers.get('x-twilio-webhooks-signature-settings', '')
        hashed = (
            hashlib.sha256
            if 'algorithm=hmac_sha256' in settings.lower().replace(' ', '')
            else hashlib.sha1
        )
        form = ''.join(
            name + value
            for name in sorted(request.form)
            for value in sorted(set(request.form[name]))
        )
        if not request.form and request.body:
            body_hash = parse_qs(urlsplit(request.url).query).get('bodySHA256', [''])[0]
            if not signing.same(body_hash, hashlib.sha256(request.body).hexdigest()):
                raise Refused(
                    _("The body is not signed. Set up the PBX so that it signs what it sends.")
                )
        secret = account.api_secret.encode()
        texts = [
            (url + form).encode('utf-8', 'surrogatepass') for url in _addresses(request, account)
        ]
        expected = [signing.base64_text(hmac.new(secret, text, hashed).digest()) for text in texts]
        if True not in [signing.same(given, signature) for signature in expected]:
            raise Refused(signing.WRONG_SIGNATURE)
        sid = str(_read(request).get('AccountSid') or '').strip()
        if sid and account.api_key and sid != account.api_key.strip():
            raise Refused(
                _(
                    "The request is from another Twilio account. Correct the Account SID, or the address in the other account."
                )
            )

    def split(self, request: WebhookRequest) -> list[dict]:
        fields = request.content()
        if not fields:
            raise ProviderError(
                _("The request holds no parameters. Is it really the PBX that sends it?")
            )
        return [fields]

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        kind, key = _kind(payload), digest(payload)
        if kind in IGNORED:
            return Identity(kind=kind, call_ref='', key=key, ignored=IGNORED[kind])
        ref = _call_ref(payload)
        recording = word_of(payload, 'RecordingStatus', RECORDING_STATUS)
        if kind == 'Recording' and recording in ('absent', 'failed', 'deleted'):
            return Identity(kind=kind, call_ref='', key=key, ignored=_("There is no recording."))
        self.translate_alone(payload, account)
        return Identity(kind=kind, call_ref=ref, key=key)

    def history_ref(self, payload: Mapping, account: Account) -> str:
        return _history_ref(payload)

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        return _tell(_gather(_completed(heard, history)), account)

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        """Return the question who should get a call that comes in, or that the salesperson has not
        taken."""
        fields = request.content()
        kind, status = _kind(fields), text_of(fields, 'CallStatus')
        fresh = kind == 'Voice' and status == 'ringing'
        onward = (
            kind == 'Dial' and _is_onward(request) and text_of(fields, 'DialCallStatus') in REFUSED
        )
        if not (fresh or onward) or STATUS.get(status) or text_of(fields, 'Direction') != 'inbound':
            return None
        caller = _number(fields, 'From')
        return (
            None
            if is_phone(caller, account)
            else Question('route', caller, called=_number(fields, 'To'))
        )

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        """Answer with TwiML, or with no more than the status if the request is a callback."""
        if _kind(_read(request)) in ('Status', 'Recording', 'Machine'):
            return Reply()
        answer = answer or Answer()
        phones, then = [phone for phone in answer.team if phone != answer.manager], END_STEP
        if answer.manager and not _is_onward(request):
            phones, then = [answer.manager], TEAM_STEP if phones else END_STEP
        return Reply(_twiml(phones, '', then), content_type=TWIML)


# --- a request ---------------------------------------------------------------------------------------------------


def _read(request: WebhookRequest) -> dict:
    """Return the fields of a request, none if it cannot be read."""
    try:
        return request.content()
    except ProviderError:
        return {}


def _is_onward(request: WebhookRequest) -> bool:
    return request.param('step') == TEAM_STEP


def _addresses(request: WebhookRequest, account: Account) -> list[str]:
    """Return the address as Odoo saw it and as Twilio was given it, each with and without the port,
    because Twilio may sign any of them."""
    seen = urlsplit(request.url)
    found = [seen]
    if account.webhook_url:
        given = urlsplit(account.webhook_url)
        tail = seen.path[len(_base_path(request)) :]
        found.append(given._replace(path=given.path.rstrip('/') + tail, query=seen.query))
    return list(
        dict.fromkeys(url for address in found for url in (address.geturl(), *_ports(address)))
    )


def _ports(url: SplitResult) -> list[str]:
    host = url.netloc.rpartition('@')[2]
    bare = re.sub(r':\d+$', '', host)
    return [
        url._replace(netloc=netloc).geturl()
        for netloc in (bare, f'{bare}:{_PORTS.get(url.scheme, 80)}')
    ]


def _base_path(request: WebhookRequest) -> str:
    """Return the path of the webhook address, without the suffix of the request."""
    path = urlsplit(request.url).path
    steps = len([step for step in request.suffix.split('/') if step])
    parts = path.rstrip('/').split('/')
    return '/'.join(parts[: len(parts) - steps] if steps else parts)


def _kind(payload: Mapping) -> str:
    """Return which of Twilio's requests it is: a key of IGNORED, a value of KIND, `Machine` for what
    an answering machine detection found, or `Voice` for the question for TwiML."""
    told = [name for name in IGNORED if name not in KIND and payload.get(name)]
    told += [kind for name, kind in KIND.items() if payload.get(name)]
    if told:
        return told[0]
    is_machine = payload.get('AnsweredBy') and not payload.get('CallStatus')
    return 'Machine' if is_machine else 'Voice'


def _call_ref(payload: Mapping) -> str:
    """Return the Sid of the parent call.

    :raise ProviderError: the payload names no call
    """
    sid = text_of(payload, 'CallSid', required=True)
    return text_of(payload, 'ParentCallSid') or sid


def _number(payload: Mapping, name: str) -> str:
    number = text_of(payload, name)
    return '' if number.lstrip('+') in WITHHELD else number


# --- the facts of a call -----------------------------------------------------------------------------------------


@dataclass
class _Leg:
    """One Call of Twilio's, which is a leg: who is called, and how far it came."""

    sid: str
    caller: str = ''
    called: str = ''
    direction: str = ''
    status: str = ''
    sequence: float = -1
    times: dict[str, datetime] = field(default_factory=dict)  # status: when
    # status: the arrival of a request that bore no time
    arrivals: dict[str, datetime] = field(default_factory=dict)
    seconds: float | None = None
    machine: bool = False

    def at(self, *statuses: str) -> datetime | None:
        """Return the first moment at which the leg had one of these statuses; if no request bore a
        time, that of an arrival."""
        for times in (self.times, self.arrivals):
            if found := [times[status] for status in statuses if status in times]:
                return min(found)
        return None

    @property
    def is_over(self) -> bool:
        return STATUS.get(self.status, False)

    @property
    def ended_at(self) -> datetime | None:
        if not self.is_over:
            return None
        return self.at(*(status for status, final in STATUS.items() if final))

    @property
    def is_taken(self) -> bool:
        return self.status in TAKEN and not (self.is_over and self.seconds == 0)

    @property
    def answered_at(self) -> datetime | None:
        if at := self.at('in-progress', 'answered'):
            return at
        known = self.is_taken and self.ended_at and self.seconds
        return self.ended_at - timedelta(seconds=self.seconds) if known else None


@dataclass
class _Call:
    """The facts that all requests of a call tell, the same whichever came first."""

    ref: str
    parent: _Leg
    heard_at: datetime
    children: dict[str, _Leg] = field(default_factory=dict)
    # DialCallStatus, DialCallDuration
    dials: list[tuple[str, float | None]] = field(default_factory=list)
    queue: str = ''  # its Sid, which is no name for people: it is not told
    queue_results: list[str] = field(default_factory=list)
    queue_seconds: float | None = None
    has_message: bool = False
    # RecordingSid: address, seconds
    recordings: dict[str, tuple[str, int | None]] = field(default_factory=dict)

    def answers(self, legs: Sequence[_Leg]) -> tuple[bool, float | None]:
        """Return whether a person took the call on one of these legs, and the seconds of their talk,
        None if they are not told."""
        taken = [leg for leg in legs if leg.is_taken]
        talks = [
            seconds
            for status, seconds in self.dials
            if status in ('completed', 'answered') and seconds != 0
        ]
        if len(taken) == 1:
            told = taken[0].seconds
            return True, told if told is not None else next(iter(talks), None)
        if taken:
            return True, None
        if talks and not any(leg.is_over and leg.seconds == 0 for leg in legs):
            return True, None if None in talks else sum(talks)
        return 'answered' in self.queue_results, None

    def refusals(self, legs: Sequence[_Leg]) -> list[str]:
        told = [REFUSED[leg.status] for leg in legs if leg.status in REFUSED]
        return told or [REFUSED[status] for status, _seconds in self.dials if status in REFUSED]


def _gather(stored: Sequence[Stored]) -> _Call:
    """Gather the facts of a call.

    :raise ProviderError: a parameter cannot be read
    """
    ref = _call_ref(stored[0].payload)
    call = _Call(ref, _Leg(ref), heard_at=min(item.received_at for item in stored))
    for item in sorted(stored, key=lambda item: (digest(item.payload), item.received_at)):
        payload, sid = item.payload, text_of(item.payload, 'CallSid')
        kind = _kind(payload)
        leg = call.parent if sid == ref else call.children.setdefault(sid, _Leg(sid))
        _note(leg, payload, item.received_at)
        if kind == 'Dial':
            status = word_of(payload, 'DialCallStatus', DIAL_STATUS)
            bridged = text_of(payload, 'DialBridged').lower() != 'false'
            seconds = seconds_of(payload, 'DialCallDuration')
            call.dials.append((status, seconds if bridged else 0))
        elif kind in ('Queue', 'Wait', 'Dequeue'):
            call.queue = (
                call.queue or text_of(payload, 'QueueSid') or text_of(payload, 'CurrentQueueSid')
            )
            result = word_of(payload, 'QueueResult', QUEUE_RESULT)
            seconds = seconds_of(payload, 'QueueTime')
            if result:
                call.queue_results.append(QUEUE_RESULT[result])
                call.queue_seconds = seconds if seconds is not None else call.queue_seconds
        _note_recording(call, payload, kind)
    call.dials.sort(key=repr)
    return call


def _note(leg: _Leg, payload: Mapping, received_at: datetime) -> None:
    leg.caller = leg.caller or _number(payload, 'From') or _number(payload, 'Caller')
    leg.called = leg.called or _number(payload, 'To') or _number(payload, 'Called')
    must = _kind(payload) in ('Status', 'Voice')
    leg.direction = leg.direction or word_of(payload, 'Direction', DIRECTION)
    if leg.direction == 'outbound-dial':
        text_of(payload, 'ParentCallSid', required=must)
    leg.machine = leg.machine or text_of(payload, 'AnsweredBy').startswith(MACHINE)
    status, sequence = word_of(payload, 'CallStatus', STATUS), _sequence(payload)
    seconds = seconds_of(payload, 'CallDuration')
    if must and not status:
        # only a leg that is over has a length
        status = 'completed' if seconds is not None else 'ringing'
    if not status:
        return
    if at := _time(payload, 'Timestamp'):
        leg.times[status] = min(at, leg.times.get(status, at))
    else:
        leg.arrivals[status] = min(received_at, leg.arrivals.get(status, received_at))
    if (STATUS[status], sequence, RANK[status]) > (
        leg.is_over,
        leg.sequence,
        RANK.get(leg.status, -1),
    ):
        leg.status, leg.sequence = status, sequence
    if seconds is not None and STATUS[status]:
        leg.seconds = seconds


def _note_recording(call: _Call, payload: Mapping, kind: str) -> None:
    """Note the recording of which a request tells. Twilio: RecordingSid, else the end of
    RecordingUrl, is its name, whichever request tells of it."""
    url = text_of(payload, 'RecordingUrl')
    seconds = seconds_of(payload, 'RecordingDuration')
    sid = text_of(payload, 'RecordingSid') or next(iter(_RECORDING_SID.findall(url)), '') or url
    source = text_of(payload, 'RecordingSource')
    if kind == 'Recording' and not sid:
        raise missing('RecordingSid')
    if not url or word_of(payload, 'RecordingStatus', RECORDING_STATUS) not in ('', 'completed'):
        return
    known = call.recordings.get(sid, ('', None))
    call.recordings[sid] = (url or known[0], int(seconds) if seconds is not None else known[1])
    if kind == 'Message' or source == 'RecordVerb':
        call.has_message = call.has_message or seconds is None or seconds >= MESSAGE_SECONDS


def _sequence(payload: Mapping) -> float:
    text = text_of(payload, 'SequenceNumber')
    if not text:
        return -1
    try:
        return float(int(text))
    except (ValueError, OverflowError):
        raise unfit('SequenceNumber', _("a whole number"), text[:100]) from None


def _time(payload: Mapping, name: str) -> datetime | None:
    """Return a parameter that holds a time (RFC 2822), as aware UTC; None if it is empty.

    :raise ProviderError: it is another form
    """
    text = text_of(payload, name)
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return believed(
            moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
        )
    except (ValueError, TypeError, IndexError, OverflowError):
        raise unfit(name, _("an RFC 2822 time"), text[:100]) from None


# --- the story ---------------------------------------------------------------------------------------------------


def _tell(call: _Call, account: Account) -> list[CallEvent]:
    parent = call.parent
    _complete_direction(parent, account)
    children = sorted(
        call.children.values(), key=lambda leg: (_begun(leg) or UNKNOWN_ARRIVAL, leg.sid)
    )
    direction, employee = _direction(call, children, account)
    is_outbound = direction == 'outbound'
    is_direct = is_outbound and parent.direction == 'outbound-api' and not children and not employee
    customers = [leg for leg in children if not is_phone(leg.called, account)]
    customers = [parent] if is_direct else customers
    phones = [leg for leg in children if direction == 'inbound' or leg not in customers]
    others = customers if is_outbound else phones  # whom the caller wants
    if direction in ('outbound', 'internal') and not (is_direct or children or call.dials):
        return _no_call(call, employee)

    is_over = parent.is_over or is_outbound and others and all(leg.is_over for leg in others)
    ended_at = _ended_at(call, direction, others) if is_over else None
    is_machine = is_outbound and any(leg.machine for leg in others)
    placed_by = employee if is_outbound else ''
    say = partial(
        CallEvent,
        external_id=call.ref,
        direction=direction,
        started_at=_started_at(call, children, ended_at),
        caller=_caller(call, direction, others, account) or employee,
        called=_called(call, direction, others, account),
    )
    events = [say('ringing', extension=placed_by)]
    events += [
        say('answered', at=leg.answered_at, extension=placed_by)
        for leg in others
        if leg.is_taken and leg not in phones and not is_machine
    ]
    for leg in phones:
        events += _phone_events(say, leg, _phone(leg.called, account))
    events += _recording_events(say, call)
    if is_over:
        events.append(say('ended', at=ended_at, **_end(call, direction, others, is_machine)))
    return events


def _complete_direction(parent: _Leg, account: Account) -> None:
    """Give a parent without a direction the one that its caller tells."""
    if parent.status and not parent.direction:
        doubt('direction')
        ours = numbers.to_e164(parent.caller, account.country) in account.own_numbers
        parent.direction = 'outbound-api' if ours else 'inbound'


def _no_call(call: _Call, employee: str) -> list[CallEvent]:
    """Say why a click-to-call that is over called no customer."""
    if not call.parent.is_over:
        return []
    note = _(
        "Click-to-call: the customer was not called. The call to the employee (%(phone)s) ended as %(status)s.",
        phone=employee or "–",
        status=call.parent.status,
    )
    return [CallEvent('void', call.ref, at=call.parent.ended_at, note=note)]


def _recording_events(say: Callable[..., CallEvent], call: _Call) -> list[CallEvent]:
    return [
        say(
            'recording',
            recording_url=url,
            recording_ref=sid if sid != url else '',
            recording_seconds=seconds,
        )
        for sid, (url, seconds) in sorted(call.recordings.items())
    ]


def _end(call: _Call, direction: str, others: Sequence[_Leg], is_machine: bool) -> dict:
    """Return what the end of a call tells: outcome, talk and wait."""
    answered, talk = call.answers(others)
    outcome = 'voicemail' if is_machine else 'answered'
    if not answered:
        outcome = _refusal(call, direction, others)
    waited = outcome == 'abandoned' or (answered and not any(leg.answered_at for leg in others))
    return {
        'outcome': outcome,
        'talk_seconds': talk if outcome == 'answered' else None,
        'wait_seconds': call.queue_seconds if waited else None,
    }


def _direction(call: _Call, children: Sequence[_Leg], account: Account) -> tuple[str, str]:
    """Return the direction, and the employee who placed the call. The direction is '' while only
    legs are known, because they may belong to a call that was passed on, whose parent is itself a
    leg.

    Twilio: a browser or SIP phone of ours that calls out is `inbound`, because Twilio sees it come
    in.
    """
    parent = call.parent
    inside = bool(children) and all(is_phone(leg.called, account) for leg in children)
    if parent.direction == 'outbound-api':
        is_sip_phone = parent.called.startswith('sip:') and not numbers.to_e164(
            parent.called, account.country
        )
        is_employee = children or call.dials or is_phone(parent.called, account) or is_sip_phone
        employee = _phone(parent.called, account) if is_employee else ''
        return 'internal' if inside else 'outbound', employee
    if not parent.direction or not is_phone(parent.caller, account):
        return 'inbound' if parent.direction else '', ''
    inside = inside or (not children and is_phone(parent.called, account))
    return 'internal' if inside else 'outbound', _phone(parent.caller, account)


def _caller(call: _Call, direction: str, others: Sequence[_Leg], account: Account) -> str:
    """Return the number of an inbound caller; of an outgoing call our number that the customer
    sees, from which their leg, or the call to the employee, comes; otherwise ''."""
    if direction == 'inbound':
        return call.parent.caller
    if direction != 'outbound':
        return ''
    shown = [leg.caller for leg in others] + [call.parent.caller]
    return next((number for number in shown if number and not is_phone(number, account)), '')


def _called(call: _Call, direction: str, others: Sequence[_Leg], account: Account) -> str:
    """Return what was dialled. The parent of a click-to-call does not count, because it is the call
    to the employee."""
    if direction == 'inbound':
        return call.parent.called
    dialled = call.parent.called if call.parent.direction != 'outbound-api' else ''
    dialled = next((leg.called for leg in others if leg.called), dialled)
    return _phone(dialled, account) if direction == 'internal' else dialled


def _begun(leg: _Leg) -> datetime | None:
    return leg.at('queued', 'initiated', 'ringing') or leg.answered_at or leg.ended_at


def _started_at(
    call: _Call, children: Sequence[_Leg], ended_at: datetime | None
) -> datetime | None:
    """Return when the first request came in. If it came after what followed, it was held up; then
    the end of the call and its length tell the start."""
    known = [at for leg in children if leg.times and (at := min(leg.times.values()))]
    known += [*call.parent.times.values(), *([ended_at] if ended_at else [])]
    arrived = call.parent.arrivals.get('ringing')
    if arrived and arrived <= min(known, default=arrived):
        known.append(arrived)
    elif call.parent.direction != 'outbound-api' and call.parent.seconds and ended_at:
        known.append(ended_at - timedelta(seconds=call.parent.seconds))
    return min(known, default=call.heard_at)


def _ended_at(call: _Call, direction: str, others: Sequence[_Leg]) -> datetime | None:
    """Return when the call ended: an outbound call with the customer's leg, any other with the
    caller's."""
    ends = [leg.ended_at for leg in others if leg.ended_at]
    if direction == 'outbound' and len(ends) == len(others) and ends:
        return max(ends)
    return call.parent.ended_at or max(ends, default=None)


def _phone_events(say, leg: _Leg, extension: str) -> list[CallEvent]:
    events = [say('ringing', at=_begun(leg), extension=extension)]
    if leg.is_taken:
        events.append(say('answered', at=leg.answered_at, extension=extension))
    if leg.is_over:
        outcome = '' if leg.is_taken else REFUSED.get(leg.status, 'no_answer')
        events.append(say('leg_ended', at=leg.ended_at, extension=extension, outcome=outcome))
    return events


def _refusal(call: _Call, direction: str, others: Sequence[_Leg]) -> str:
    """Return how a call came to nothing, '' if no request tells it."""
    refusals = call.refusals(others)
    if direction != 'inbound':
        # the last attempt decides
        return refusals[-1] if refusals else ''
    if call.has_message:
        return 'voicemail'
    for result in ('abandoned', 'missed'):
        if result in call.queue_results:
            return result
    if refusals and set(refusals) == {'busy'} or (not refusals and call.parent.status == 'busy'):
        return 'busy'
    if not refusals and call.parent.status == 'failed':
        return 'failed'
    # a caller who left a queue before a phone rang has abandoned the call
    return 'abandoned' if call.queue and not others else 'missed'


# --- history: rows of the lists of calls and recordings, as the callbacks that would have told the same -----------


def _rows(payload: Mapping, name: str) -> list[Mapping]:
    rows = payload['history'].get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProviderError(
            _("The field %(field)s of the history should be a list of objects.", field=name)
        )
    return rows


def _history_ref(payload: Mapping) -> str:
    parents = [row for row in _rows(payload, 'calls') if not text_of(row, 'parent_call_sid')]
    if len(parents) != 1:
        raise ProviderError(_("The history tells of no call, or of several."))
    return text_of(parents[0], 'sid', required=True)


def _completed(heard: Sequence[Stored], history: Sequence[Stored]) -> list[Stored]:
    """Return what was heard, and what only the lists tell: legs of which the end or everything was
    lost, recordings."""
    if not history:
        return list(heard)
    ref = _history_ref(history[0].payload)
    begun = {text_of(item.payload, 'CallSid') for item in heard}
    over = {
        text_of(item.payload, 'CallSid')
        for item in heard
        if _kind(item.payload) == 'Status' and STATUS.get(text_of(item.payload, 'CallStatus'))
    }
    known = {sid for item in heard for sid in _recording_sids(item.payload)}
    rows = {
        text_of(row, 'sid', required=True): row
        for item in history
        for row in sorted(_rows(item.payload, 'calls'), key=repr)
    }
    sounds = {
        text_of(row, 'sid', required=True): row
        for item in history
        for row in _rows(item.payload, 'recordings')
    }
    payloads = [
        payload
        for sid, row in sorted(rows.items())
        if sid not in over
        for payload in _callbacks(sid, row, ref, is_heard=sid in begun)
    ]
    payloads += [
        _recording_callback(sid, row, ref)
        for sid, row in sorted(sounds.items())
        if sid not in known
    ]
    return [*heard, *(Stored(payload, history[0].received_at) for payload in payloads)]


def _recording_sids(payload: Mapping) -> list[str]:
    return [
        text_of(payload, 'RecordingSid'),
        *_RECORDING_SID.findall(text_of(payload, 'RecordingUrl')),
    ]


def _callbacks(sid: str, row: Mapping, ref: str, is_heard: bool) -> list[dict]:
    """Return the callbacks that would have told of a leg. A call that never started has no time but
    that of its creation."""
    times = [
        text for name in ('start_time', 'end_time', 'date_created') if (text := text_of(row, name))
    ]
    if not times:
        raise ProviderError(_("A call of the history has no time."))
    common = {
        'CallSid': sid,
        'ParentCallSid': ref if sid != ref else '',
        'CallbackSource': 'call-progress-events',
        'From': text_of(row, 'from'),
        'To': text_of(row, 'to'),
        'Direction': text_of(row, 'direction'),
    }
    begun = {**common, 'CallStatus': 'ringing', 'Timestamp': times[0]}
    ended = {
        **common,
        'CallStatus': text_of(row, 'status'),
        'Timestamp': text_of(row, 'end_time') or times[0],
        'CallDuration': text_of(row, 'duration'),
        'AnsweredBy': text_of(row, 'answered_by'),
    }
    return [ended] if is_heard else [begun, ended]


def _recording_callback(sid: str, row: Mapping, ref: str) -> dict:
    call = text_of(row, 'call_sid')
    return {
        'CallSid': call or ref,
        'ParentCallSid': ref if call not in ('', ref) else '',
        'RecordingSid': sid,
        'RecordingUrl': text_of(row, 'url'),
        'RecordingStatus': text_of(row, 'status'),
        'RecordingDuration': text_of(row, 'duration'),
        'RecordingSource': text_of(row, 'source'),
    }


# --- our side ----------------------------------------------------------------------------------------------------


def _spellings(address: str) -> list[str]:
    """Return the spellings of an address: client:anna and anna; sip:anna@example.sip.twilio.com,
    anna@example.sip.twilio.com and anna."""
    scheme, _colon, rest = address.partition(':')
    if scheme.lower() not in ('client', 'sip', 'sips'):
        return [address]
    rest = rest.partition(';')[0].partition('?')[0]
    return [address, rest, rest.partition('@')[0]]


def _known(address: str, account: Account) -> str:
    """Return the extension that the admin has entered for an address, in any spelling, '' for
    none."""
    for spelling in _spellings(address):
        if spelling in account.extensions:
            return spelling
    number = numbers.to_e164(address, account.country)
    known = (
        extension
        for extension in sorted(account.extensions)
        if numbers.to_e164(extension, account.country) == number
    )
    return next(known, '') if number else ''


def is_phone(address: str, account: Account) -> bool:
    return address.startswith('client:') or bool(_known(address, account))


def _phone(address: str, account: Account) -> str:
    return _known(address, account) or _spellings(address)[-1]


# --- TwiML -------------------------------------------------------------------------------------------------------


def _twiml(
    phones: Iterable[str], base: str, then: str, seconds: int = RING_SECONDS, **attributes: str
) -> str:
    """Return TwiML that rings these phones, then asks at the next step.

    :param base: '' in answers, so that addresses are only a query: Twilio completes them with its
        own address of this document, which need not be the one that Odoo sees, and the token stands
        in no answer
    """
    response = ElementTree.Element('Response')
    phones = [phone for phone in phones if phone.isprintable()][:RING_AT_ONCE]
    if phones:
        dial = ElementTree.SubElement(
            response,
            'Dial',
            action=f'{base}?step={then}',
            answerOnBridge='true',
            timeout=str(seconds),
            **attributes,
        )
        for phone in phones:
            name, address = noun(phone)
            ElementTree.SubElement(
                dial,
                name,
                statusCallback=f'{base}?step={STATUS_STEP}',
                statusCallbackEvent=' '.join(STATUS_EVENTS),
            ).text = address
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(
        response, encoding='unicode'
    )


def call_twiml(number: str, caller_id: str, account: Account) -> str:
    """Return the TwiML for an employee who has picked up a click-to-call: it rings the customer."""
    return _twiml(
        [number], account.webhook_url.rstrip('/'), END_STEP, CUSTOMER_SECONDS, callerId=caller_id
    )


def transfer_twiml(phone: str, account: Account) -> str:
    """Return the TwiML for a customer who is passed on: it rings the colleague and, without an
    answer, the number's team."""
    return _twiml([phone], account.webhook_url.rstrip('/'), TEAM_STEP)


def status_address(account: Account) -> str:
    return f"{account.webhook_url.rstrip('/')}?step={STATUS_STEP}"


def noun(phone: str) -> tuple[str, str]:
    """Return the noun and the address by which TwiML dials an extension: a number, a SIP address,
    else a browser client of that name."""
    number = numbers.to_e164(phone) or phone
    if _E164.fullmatch(number):
        return 'Number', number
    if '@' in phone:
        return 'Sip', phone if phone.startswith(('sip:', 'sips:')) else f'sip:{phone}'
    return 'Client', phone.removeprefix('client:')
