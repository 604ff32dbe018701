"""Zadarma cloud PBX, and Novofon 1.0, which has the same API: one form post an event.

Its call events carry the start of the call and no time of their own, so the moment of arrival
stands in for it if that is plausible, and their order is the order of arrival. Names in capitals
are Zadarma's: see "Call notification system" on zadarma.com/en/support/api.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

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
    digest,
    local_time_of,
    moment_or,
    seconds_of,
    text_of,
    unknown_event,
)

# Event -> what it is in our words.
KIND = {
    'NOTIFY_START': 'ringing',
    'NOTIFY_IVR': 'ringing',  # as NOTIFY_START, with what the caller pressed
    'NOTIFY_INTERNAL': 'ringing',
    'NOTIFY_ANSWER': 'answered',
    'NOTIFY_END': 'ended',
    'NOTIFY_OUT_START': 'ringing',
    'NOTIFY_OUT_END': 'ended',
    'NOTIFY_RECORD': 'recording',
}
IGNORED = {
    'SMS': _("An incoming SMS."),
    'NUMBER_LOOKUP': _("The result of a number lookup."),
    'CALL_TRACKING': _("A report of the call tracking."),
    'SPEECH_RECOGNITION': _("A transcript."),
    'DOCUMENT': _("A message about the account's documents."),
    'NOTIFY_INTERNAL_END': _("Not documented: NOTIFY_END tells how the call ended."),
}
BEGINNINGS = ('NOTIFY_START', 'NOTIFY_OUT_START')
OUTGOING = ('NOTIFY_OUT_START', 'NOTIFY_OUT_END')
INCOMING = ('NOTIFY_START', 'NOTIFY_IVR', 'NOTIFY_INTERNAL', 'NOTIFY_END')

# Event -> the fields that its signature is made of, in this order. An event that is not here is
# signed like NOTIFY_START.
SIGNED = {
    'NOTIFY_ANSWER': ('caller_id', 'destination', 'call_start'),
    'NOTIFY_OUT_START': ('internal', 'destination', 'call_start'),
    'NOTIFY_OUT_END': ('internal', 'destination', 'call_start'),
    'NOTIFY_RECORD': ('pbx_call_id', 'call_id_with_rec'),
    'SMS': ('result',),
    'NUMBER_LOOKUP': ('result',),
    'CALL_TRACKING': ('result',),
    'DOCUMENT': ('result',),
    'SPEECH_RECOGNITION': ('result',),  # not documented; like the others of its family
}
SIGNED_AS_START = ('caller_id', 'called_did', 'call_start')

# NOTIFY_END and NOTIFY_OUT_END: disposition -> outcome of an inbound call, of any other. Statistics
# say `call failed`.
OUTCOME = {
    'answered': ('answered', 'answered'),
    'no answer': ('missed', 'no_answer'),
    'cancel': ('missed', 'no_answer'),
    'busy': ('busy', 'busy'),
    'failed': ('failed', 'failed'),
    'call failed': ('failed', 'failed'),
    'unallocated number': ('failed', 'failed'),
    'no money': ('failed', 'failed'),
    'no limit': ('failed', 'failed'),
    'no day limit': ('failed', 'failed'),
    'line limit': ('failed', 'failed'),
    'no money, no limit': ('failed', 'failed'),
}

# An event that arrives later than this after the start of its call was held up or sent again, so
# its arrival tells no time.
LATEST = timedelta(hours=6)
# Two clocks never agree to the second.
SKEW = timedelta(minutes=1)
# Longer numbers are outside numbers. Extensions have three digits; so have emergency numbers, and
# no customer stands behind those either.
SHORT, PHONE = 4, 3
# No call has so many events, and no event so many fields.
MANY = 1000

# Seconds for which the customer's own salesperson is rung before the call goes on as set in the
# PBX.
RING_SECONDS = 15
_STEERABLE = re.compile(r'\d{3}')
_ECHO = re.compile(r'[A-Za-z0-9._~!*+/=:@-]{1,256}')


class Zadarma(HistoryProvider):
    code = 'zadarma'
    line_why = _(
        "Zadarma lets browsers in by its own widget only, which is a foreign script: Odoo does not run it in "
        "the page in which people are logged in. Calls are placed with the phones that people have."
    )
    label = "Zadarma"
    api_key_label = _("API key")
    default_api_url = 'https://api.zadarma.com'
    tells_outgoing_answer = False
    recording_hosts = ('.zadarma.com',)
    setup_steps = (
        _(
            "In the Zadarma account open Settings → Integrations and API, create API keys, copy key and secret here."
        ),
        _(
            "Set the time zone here to the time zone of the Zadarma account: its events carry local time. Save."
        ),
        _(
            "In the Notifications block there, paste the webhook address into the field for PBX call notifications."
        ),
        _("Press Enable there; Zadarma checks the address at once."),
        _(
            "Switch on all events: NOTIFY_START, INTERNAL, ANSWER, END, OUT_START, OUT_END and RECORD."
        ),
        _(
            "Enter the PBX extensions (100, 101…) here: calls then find their employees, internal calls are told apart."
        ),
    )
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. In the Zadarma account open Settings → Integrations and API → Notifications: the "
                "webhook address has to stand in the field for PBX call notifications, and Enable to be pressed. "
                "Enter Webhook Address in the PBX, on the PBX's form, does both."
            ),
            'no_end': _(
                "The end of the call has not come. Switch on NOTIFY_END in Notifications of the Zadarma account, and "
                "call again."
            ),
            'no_phone': _(
                "Zadarma did not tell which extension answered. Switch on NOTIFY_INTERNAL and NOTIFY_ANSWER in "
                "Notifications, and call again."
            ),
            'clock': _(
                "Zadarma's events carry the time of the account's zone, and are off by %(hours)s h. Set the time zone"
                " on the PBX's form, now %(zone)s, to that of the Zadarma account."
            ),
            'no_recording': _(
                "Zadarma told of no recording. If you record, switch it on for the extension there, and NOTIFY_RECORD"
                " in Notifications."
            ),
        }
    )

    def handshake(self, request: WebhookRequest) -> Reply | None:
        """Zadarma: sends zd_echo, unsigned, when the address is saved; in the query, by other
        sources in the form."""
        echo = request.param('zd_echo')
        if not echo or request.param('event'):
            return None
        if not _ECHO.fullmatch(echo):
            return Reply("zd_echo is not plain text", status=400)
        return Reply(echo)

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """Zadarma: signs in the header Signature, HMAC-SHA1 with the API secret.

        The PHP SDK and the documentation take base64 of the hex digest, the TypeScript SDK base64
        of the bytes.
        """
        given = request.headers.get('signature', '').strip()
        if not given:
            raise signing.no_header("Signature")
        fields = _fields(request)
        names = SIGNED.get(fields.get('event', '').strip(), SIGNED_AS_START)
        mac = signing.hmac_sha1(account.api_secret, ''.join(fields.get(name, '') for name in names))
        matches = [
            signing.same(given, signing.base64_text(form)) for form in (mac.hex().encode(), mac)
        ]
        if True not in matches:
            raise Refused(signing.WRONG_SIGNATURE)

    def split(self, request: WebhookRequest) -> list[dict]:
        fields = _fields(request)
        if not fields:
            raise ProviderError(
                _("The request holds no form fields. Is it really the PBX that sends it?")
            )
        return [fields]

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        event = text_of(payload, 'event', required=True)
        if event in IGNORED:
            return Identity(kind=event, call_ref='', key=digest(payload), ignored=IGNORED[event])
        if event not in KIND:
            raise unknown_event(event[:100])
        [translated] = self.translate_alone(payload, account)
        return Identity(kind=event, call_ref=translated.external_id, key=digest(payload))

    def history_ref(self, payload: Mapping, account: Account) -> str:
        return _rows(payload)[0].ref

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        stored = _completed(heard, history, account)
        call = _Call.of([item.payload for item in stored], account)
        return _timed([_event(item, call, account, place) for place, item in enumerate(stored)])

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        fields = _fields(request)
        if fields.get('event', '').strip() != 'NOTIFY_START':
            return None
        return Question('route', text_of(fields, 'caller_id'), called=text_of(fields, 'called_did'))

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        """Zadarma: the answer to NOTIFY_START may name the caller and pass the call to an extension
        of three digits. If nobody takes it there, the call goes on as set in the PBX
        (return_timeout)."""
        steer = {}
        if answer and answer.caller_name:
            steer['caller_name'] = answer.caller_name
        if answer and _STEERABLE.fullmatch(answer.manager):
            steer.update(redirect=answer.manager, return_timeout=RING_SECONDS)
        if not steer:
            return Reply()
        return Reply(json.dumps(steer, ensure_ascii=False), content_type='application/json')


@dataclass(frozen=True)
class _Call:
    """What only all events of a call together tell. Of an inbound call the numbers stand in each
    event, so they are empty here."""

    direction: str
    caller: str
    called: str
    rang: bool  # a phone rang
    taken: bool  # a person answered, as far as the events tell

    @classmethod
    def of(cls, payloads: Sequence[Mapping], account: Account) -> _Call:
        """Zadarma: pbx_call_id begins with in_ or out_; without that the family of the events
        tells.

        An outgoing call is internal when its destination is a phone of the account or too short for
        the world outside. Click-to-call may bring the employee's own phone and the customer under
        one id: then the customer is meant. Its caller is the line shown to the customer, which
        NOTIFY_OUT_END tells, until then the extension.
        """
        names = [text_of(payload, 'event') for payload in payloads]

        def values(field: str, *events: str) -> list[str]:
            found = (
                text_of(payload, field)
                for payload, name in zip(payloads, names)
                if name in (events or KIND)
            )
            return [value for value in found if value]

        rang = bool(
            {'NOTIFY_INTERNAL', 'NOTIFY_ANSWER'} & set(names) or values('internal', 'NOTIFY_END')
        )
        taken = bool('NOTIFY_ANSWER' in names or values('internal', 'NOTIFY_END'))
        prefix = next(iter(values('pbx_call_id')), '').partition('_')[0]
        if prefix == 'in' or prefix != 'out' and not set(OUTGOING) & set(names):
            # a lone NOTIFY_ANSWER without prefix may be either
            known = prefix == 'in' or set(INCOMING) & set(names)
            return cls('inbound' if known else '', '', '', rang, taken)
        destinations = values('destination', *OUTGOING) or values('destination')
        outside = [number for number in destinations if not _is_inside(number, account)]
        extensions = values('internal', *OUTGOING)
        if destinations and not outside:
            return cls('internal', next(iter(extensions), ''), destinations[0], rang, taken)
        lines = (
            values('caller_id', 'NOTIFY_OUT_END')
            + values('caller_id', 'NOTIFY_OUT_START')
            + extensions
        )
        return cls('outbound', next(iter(lines), ''), next(iter(outside), ''), rang, taken)


def _event(item: Stored, call: _Call, account: Account, place: int) -> CallEvent:
    """Translate one event; `place` is its place among all that arrived for the call."""
    payload = item.payload
    name = text_of(payload, 'event', required=True)
    event = CallEvent(
        kind=KIND[name],
        external_id=text_of(payload, 'pbx_call_id', required=True),
        direction=call.direction,
        recording_ref=_recording_ref(payload),
        order=place,
    )
    if name == 'NOTIFY_RECORD':
        text_of(payload, 'call_id_with_rec', required=True)
        return event
    started_at = moment_or(local_time_of(payload, 'call_start', account), item.received_at)
    at = started_at
    if name not in BEGINNINGS:
        is_plausible = -SKEW <= item.received_at - started_at <= LATEST
        at = max(item.received_at, started_at) if is_plausible else None
    if call.direction in ('outbound', 'internal'):
        caller, called = call.caller, call.called
    else:
        caller, called = text_of(payload, 'caller_id'), text_of(payload, 'called_did')
    extension = _extension(payload, call, account)
    event = replace(
        event, at=at, started_at=started_at, caller=caller, called=called, extension=extension
    )
    if name == 'NOTIFY_ANSWER' and text_of(payload, 'transfer_from'):
        # whoever got the call from a colleague did not take it first, however the events arrived
        event = replace(event, order=place + MANY)
    if KIND[name] == 'ended':
        event = replace(
            event, outcome=_outcome(payload, call), talk_seconds=seconds_of(payload, 'duration')
        )
    return event


def _timed(events: list[CallEvent]) -> list[CallEvent]:
    """Correct the times of arrival by the end. Zadarma: NOTIFY_END tells the talk, so the first
    answer was that long before it, and no event came after it."""
    end = next((event for event in reversed(events) if event.kind == 'ended' and event.at), None)
    if not end:
        return events
    events = [replace(event, at=min(event.at, end.at)) if event.at else event for event in events]
    answers = sorted(
        (event for event in events if event.kind == 'answered'), key=lambda event: event.order
    )
    if not answers or end.outcome != 'answered' or end.talk_seconds is None:
        return events
    first_at = max(end.at - timedelta(seconds=end.talk_seconds), end.started_at)

    def corrected(event: CallEvent) -> CallEvent:
        if event is answers[0]:
            return replace(event, at=first_at)
        if event.kind == 'answered' and event.at:
            return replace(event, at=max(event.at, first_at))
        return event

    return [corrected(event) for event in events]


def _extension(payload: Mapping, call: _Call, account: Account) -> str:
    """Return the phone of our side. Zadarma: NOTIFY_ANSWER names it in `internal`, else in
    `destination`, which is an outside number if the call was forwarded to a mobile."""
    if call.direction == 'internal':
        return call.called
    extension, destination = text_of(payload, 'internal'), text_of(payload, 'destination')
    if extension or not destination:
        return extension
    return destination if call.direction != 'outbound' or _is_inside(destination, account) else ''


def _outcome(payload: Mapping, call: _Call) -> str:
    """Return the outcome of the call. Zadarma: `disposition` alone is not enough, because a menu
    answers too, and cancels look alike whether a phone rang or not."""
    disposition = text_of(payload, 'disposition').lower()
    seconds = seconds_of(payload, 'duration')
    inbound, other = OUTCOME.get(disposition, ('', 'failed' if disposition else ''))
    if call.direction in ('outbound', 'internal'):
        return other
    if not inbound and seconds is not None:
        inbound = 'answered' if seconds else 'missed'
    if disposition == 'cancel' or inbound == 'answered' and not call.taken:
        return 'missed' if call.rang else 'abandoned'
    return inbound


def _recording_ref(payload: Mapping) -> str:
    """Return the name of the recording, '' for none. Zadarma: it is call_id_with_rec; is_recorded
    says whether there is one."""
    return '' if text_of(payload, 'is_recorded') == '0' else text_of(payload, 'call_id_with_rec')


def _is_inside(number: str, account: Account) -> bool:
    return number in account.extensions or number.isdigit() and len(number) <= SHORT


def _fields(request: WebhookRequest) -> dict[str, str]:
    """Return the fields of the form. Odoo finds none in a multipart body whose header names another
    boundary, so the boundary is taken from the beginning of the body."""
    if request.form or not request.body.lstrip().startswith(b'--'):
        return request.fields
    boundary = request.body.split(maxsplit=1)[0]
    fields = {}
    for part in request.body.split(boundary, MANY)[1:]:
        head, *content = re.split(rb'\r?\n\r?\n', part, maxsplit=1)
        if content and (name := re.search(rb'\bname="?([^";\r\n]+)', head)):
            value = re.sub(rb'\r?\n\Z', b'', content[0])
            fields.setdefault(name[1].decode('utf-8', 'replace'), value.decode('utf-8', 'replace'))
    return fields


# --- history: rows of the statistics, as the events that would have told the same ------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of the statistics: one phone, menu or scenario of a call.

    What the columns hold is documented by their names only. Outgoing: `sip` is the phone and
    `destination` the customer [seen]. Incoming: the caller in `clid` or `sip`, a phone, a scenario
    or our number in `destination` [assumed].
    """

    ref: str
    start: str  # as Zadarma writes it
    sip: str
    clid: str
    destination: str
    disposition: str
    seconds: float
    recording: str

    @classmethod
    def of(cls, row: Mapping) -> Row:
        """:raise ProviderError: a column that is used cannot be understood"""
        if not isinstance(row, dict):
            raise ProviderError(_("A row of the statistics should be a JSON object."))
        recorded = str(row.get('is_recorded')).lower() in ('true', '1')
        return cls(
            ref=text_of(row, 'pbx_call_id', required=True),
            start=text_of(row, 'callstart', required=True),
            sip=text_of(row, 'sip'),
            clid=numbers.clean(text_of(row, 'clid')),
            destination=text_of(row, 'destination'),
            disposition=text_of(row, 'disposition').lower(),
            seconds=seconds_of(row, 'seconds') or 0.0,
            recording=text_of(row, 'call_id') if recorded else '',
        )

    @property
    def is_answered(self) -> bool:
        return self.disposition == 'answered' and self.seconds > 0


def _rows(payload: Mapping) -> list[Row]:
    rows = payload['history'].get('rows')
    if not isinstance(rows, list) or not rows:
        raise ProviderError(_("The statistics hold no rows."))
    return [Row.of(row) for row in rows]


def _completed(
    heard: Sequence[Stored], history: Sequence[Stored], account: Account
) -> list[Stored]:
    """Return what was heard, and what only the statistics tell: phones, a lost end, recordings."""
    rows = {row for item in history for row in _rows(item.payload)}
    return [*heard, *(_unheard(heard, sorted(rows, key=repr), account) if rows else ())]


def _unheard(live: Sequence[Stored], rows: Sequence[Row], account: Account) -> list[Stored]:
    """Return the events of which only the statistics tell, as they would have come."""
    rows = sorted(rows, key=lambda row: (row.start, row.recording, repr(row)))
    payloads = [item.payload for item in live]
    names = {text_of(payload, 'event') for payload in payloads}
    if _is_outgoing(names, rows[0], account):
        told = _unheard_outgoing(names, rows, account)
    else:
        told = _unheard_incoming(live, names, rows, account)
    start = next(
        (text for payload in payloads if (text := text_of(payload, 'call_start'))), rows[0].start
    )
    common = {'pbx_call_id': rows[0].ref, 'call_start': start}
    recordings = [
        ({'event': 'NOTIFY_RECORD', 'call_id_with_rec': row.recording}, UNKNOWN_ARRIVAL)
        for row in rows
        if row.recording
    ]
    return [Stored({**common, **payload}, at) for payload, at in told + recordings]


def _is_outgoing(names: set[str], row: Row, account: Account) -> bool:
    if row.ref.startswith('out_') or names & set(OUTGOING):
        return True
    return not row.ref.startswith('in_') and not names and _is_inside(row.sip, account)


def _unheard_outgoing(
    names: set[str], rows: Sequence[Row], account: Account
) -> list[tuple[dict, datetime]]:
    """Zadarma: click-to-call may have a row for the employee's own phone; the customer's counts."""
    own = [row for row in rows if not _is_inside(row.destination, account)] or rows
    last = next((row for row in own if row.is_answered), own[-1])
    told = {'internal': last.sip, 'destination': last.destination}
    payloads = []
    if 'NOTIFY_OUT_START' not in names:
        payloads.append({'event': 'NOTIFY_OUT_START', **told})
    if 'NOTIFY_OUT_END' not in names:
        is_line = last.clid.lstrip('+').isdecimal() and not _is_inside(last.clid, account)
        payloads.append(
            {
                'event': 'NOTIFY_OUT_END',
                **told,
                'caller_id': last.clid if is_line else '',
                'disposition': last.disposition,
                'duration': sum(row.seconds for row in own if row.is_answered),
            }
        )
    return [(payload, UNKNOWN_ARRIVAL) for payload in payloads]


def _unheard_incoming(
    live: Sequence[Stored],
    names: set[str],
    rows: Sequence[Row],
    account: Account,
) -> list[tuple[dict, datetime]]:
    """Return the payloads of which only the statistics tell, and when each would have arrived.

    If only our own number was answered, a person did it [assumed], because menus have numbers of
    their own.
    """
    called, phones = _rung(live, rows, account)
    told = {'caller_id': _caller(live, rows, account), 'called_did': called}
    events = []
    if 'NOTIFY_START' not in names:
        events.append(({'event': 'NOTIFY_START', **told}, UNKNOWN_ARRIVAL))
    known = _heard(live, 'internal', 'destination')
    for row in phones:
        if row.destination not in known:
            begins = local_time_of({'callstart': row.start}, 'callstart', account)
            ring = {'event': 'NOTIFY_INTERNAL', 'internal': row.destination, **told}
            events.append((ring, begins or UNKNOWN_ARRIVAL))
    takers = [row for row in phones if row.is_answered]
    by_person = takers or [row for row in rows if row.is_answered and row.destination == called]
    if by_person and not {'NOTIFY_ANSWER', 'NOTIFY_END'} & names:
        taker = takers[0].destination if takers else ''
        answer = {'event': 'NOTIFY_ANSWER', 'internal': taker, 'caller_id': told['caller_id']}
        events.append((answer, UNKNOWN_ARRIVAL))
    if 'NOTIFY_END' not in names:
        answered = (row for row in (*by_person, *rows) if row.is_answered)
        talk = sum(row.seconds for row in by_person)
        end = {
            'event': 'NOTIFY_END',
            **told,
            'internal': by_person[-1].destination if takers else '',
            'disposition': next(answered, rows[-1]).disposition,
            'duration': talk,
        }
        events.append((end, _ended_at(live, talk)))
    return events


def _rung(live: Sequence[Stored], rows: Sequence[Row], account: Account) -> tuple[str, list[Row]]:
    """Return our number that was called, and the rows of the phones that rang: a phone of ours, or
    an outside number other than ours, to which the call was forwarded."""
    dids = _heard(live, 'called_did')
    ours = dids | {number.lstrip('+') for number in account.own_numbers}
    own = (row.destination for row in rows if row.destination.lstrip('+') in ours)
    called = min(dids, default='') or next(own, '')
    outside = [
        row
        for row in rows
        if len(row.destination) > SHORT and row.destination.lstrip('+') not in ours
    ]
    if not called and outside:
        # the first number that was dialled is ours
        called = outside[0].destination
        outside = [row for row in outside if row.destination != called]
    phones = [
        row
        for row in rows
        if row.destination in account.extensions or len(row.destination) == PHONE or row in outside
    ]
    return called, phones


def _caller(live: Sequence[Stored], rows: Sequence[Row], account: Account) -> str:
    told = (number for row in rows for number in (row.clid, row.sip) if number)
    outside = (number for number in told if not _is_inside(number, account))
    return min(_heard(live, 'caller_id'), default='') or next(outside, '')


def _ended_at(live: Sequence[Stored], talk: float) -> datetime:
    """Return when the lost end would have arrived: so long after the answer."""
    answers = [
        item.received_at for item in live if text_of(item.payload, 'event') == 'NOTIFY_ANSWER'
    ]
    return min(answers) + timedelta(seconds=talk) if answers and talk else UNKNOWN_ARRIVAL


def _heard(live: Sequence[Stored], *fields: str) -> set[str]:
    """Return what stands in these fields of the events that were heard."""
    return {text for item in live for name in fields if (text := text_of(item.payload, name))}
