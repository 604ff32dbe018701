"""3CX v18 and v20: the CRM template on its server asks who calls and journals every call after its
end.

A journal names one phone and no call. A queue or ring group sends one for each phone that rang
[assumed], and their starts differ by seconds. So journals of one number that begin within seconds
are one call, and two calls that come in at once from one number cannot be told apart. The called
number, the queue, an abandon and voicemail are not in a journal. `duration` is the talk [assumed];
if the times of answer and end are given they tell it, whatever `duration` means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from types import MappingProxyType
from typing import NamedTuple
from xml.etree import ElementTree

from .. import signing
from ..base import (
    Account,
    Answer,
    CallEvent,
    Contact,
    HistoryProvider,
    Identity,
    ProviderError,
    Question,
    Refused,
    Reply,
    SetupFile,
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
    unknown,
)

# call_type in small letters -> direction, outcome. The field `direction` says the same and is not
# needed.
CALL_TYPE = {
    'inbound': ('inbound', 'answered'),
    'missed': ('inbound', 'missed'),
    'outbound': ('outbound', 'answered'),
    'notanswered': ('outbound', 'no_answer'),
}
# Direction, whether somebody talked -> call_type.
TYPE = {
    ('inbound', True): 'Inbound',
    ('inbound', False): 'Missed',
    ('outbound', True): 'Outbound',
    ('outbound', False): 'Notanswered',
}
# Suffix of the webhook address -> what is asked there. Whatever else is posted is a journal.
DOORS = {'lookup': 'lookup', 'contacts': 'create'}
JSON = 'application/json; charset=utf-8'
# Our own field: the arrival of a journal that tells no time of its own.
HEARD_AT = 'HeardAt'


class Pace(NamedTuple):
    """How far apart, in seconds, the journals of one call begin: each within `near` of another, all
    within `longest`.

    Calls are numbered by windows of time, just so long that two calls never begin in one. Together
    `near` and `longest` are whole windows, so that each journal is kept for equally many.
    """

    near: int
    longest: int
    window: int


# Phones of one ring group start seconds apart. An outbound call rings one phone; its journal and
# the call log may differ by a second, and nobody redials within one.
PACE = {'inbound': Pace(5, 13, 6), 'outbound': Pace(1, 1, 2)}
# Our own field: the window for which a journal is kept. The journal may belong to a call that began
# in a window before its own, and show that none began in the one after.
KEPT_FOR = 'kept_for'

_VARIABLE = re.compile(r'\[.*\]', re.DOTALL)
_SPAN = re.compile(r'(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:[.,]\d+)?')
_ISO = re.compile(
    r'(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?', re.IGNORECASE
)
# Only capitals: a small am stands behind the time where the day is written first, as in Australia,
# and that is no American time.
_AMERICAN = re.compile(r'(\d\d?)/(\d\d?)/(\d{4}),? +(\d\d?:\d\d:\d\d)(?: *([AP]M))?')


class ThreeCX(HistoryProvider):
    code = 'threecx'
    line_why = _(
        "3CX takes no calls from other vendors' browser phones. Keep 3CX's web client open in another tab: "
        "Odoo lets it ring and places calls with it."
    )
    label = "3CX"
    api_key_label = _("Client ID")
    api_secret_label = _("Client secret, also the key that the CRM template sends")
    stands_inside = True
    setup_steps = (
        _(
            "Choose a long random client secret and save this form; in v20 with an Enterprise licence it is the secret of"
            " the API client (Integrations → API)."
        ),
        _("Download the CRM template of this form."),
        _(
            "In the 3CX console open Settings → CRM (v20: Integrations → CRM), add the template and choose it. A Pro or"
            " Enterprise licence is needed."
        ),
        _(
            "Leave the address and the key of the template's form as they are, switch call journaling on, and save."
        ),
        _("Enter the extensions here, so that calls find their employees."),
    )
    untold = frozenset({'called'})
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. 3CX tells of a call after its end: hang up, and wait some seconds. If nothing "
                "comes then, look whether the CRM template of the PBX's form is loaded and chosen, and call "
                "journaling switched on. A Pro or Enterprise licence is needed."
            ),
            'refused': _(
                "3CX's deliveries are refused: %(reason)s Save the PBX's form, download the CRM template anew, and "
                "load it into the 3CX."
            ),
            'called_none': _(
                "3CX does not write the called number into its journal. Advertisements cannot be told apart by it; "
                "all else works."
            ),
            'no_recording': _(
                "3CX told of no recording. It does so in v20: with transcription in the journal, or with an "
                "Enterprise licence in the history that is read each night."
            ),
        }
    )

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """3CX signs nothing; the template sends `Authorization: Bearer <client secret>`."""
        scheme, _space, given = request.headers.get('authorization', '').strip().partition(' ')
        if scheme.lower() != 'bearer' or not given.strip():
            raise signing.no_header("Authorization: Bearer")
        if not signing.same(given.strip(), account.api_secret.strip()):
            raise Refused(_("The key is wrong. Load the template into the 3CX once more."))

    def split(self, request: WebhookRequest) -> list[dict]:
        """Keep a journal for every window to which it matters. A lookup and a new contact are no
        events."""
        if _door(request) or request.method in ('GET', 'HEAD', 'OPTIONS'):
            return []
        payload = {
            name: value
            for name, value in request.content().items()
            if name not in (KEPT_FOR, HEARD_AT)
        }
        try:
            if not any(
                _moment(payload, name) for name in ('started_at', 'established_at', 'ended_at')
            ):
                payload[HEARD_AT] = datetime.now(timezone.utc).isoformat(timespec='seconds')
            journal = _journal(payload)
        except ProviderError:
            return [payload]  # identify tells why
        return _kept(payload, journal)

    def identify_event(self, payload: Mapping, account: Account) -> Identity:
        journal = _journal(payload)
        call_ref = _call_ref(journal, payload.get(KEPT_FOR))
        same = {
            'call': call_ref,
            'started_at': journal.started_at.isoformat(),
            'agent': journal.agent,
            'digits': journal.digits,
            'call_type': journal.call_type,
        }
        return Identity(kind=journal.call_type, call_ref=call_ref, key=digest(same))

    def history_ref(self, payload: Mapping, account: Account) -> str:
        return _call_ref(_logged(payload, account).journals[0], _window_of(payload))

    def tell(
        self, heard: Sequence[Stored], history: Sequence[Stored], account: Account
    ) -> list[CallEvent]:
        posted = [_journal(item.payload) for item in heard]
        logged = [_logged(item.payload, account) for item in history]
        journals = sorted({*posted, *_unheard(posted, logged)}, key=lambda journal: journal.order)
        window = _window_of((*heard, *history)[0].payload)
        ref = _call_ref(journals[0], window)
        own = journals if window is None else _begun_in(window, journals)
        if not own:
            return [
                CallEvent(
                    'void',
                    ref,
                    at=journals[0].started_at,
                    note=_("Another phone rang first: the call is kept with its journal."),
                )
            ]
        near = [
            logged_call
            for logged_call in logged
            if any(_is_near(journal, logged_call.journals[0]) for journal in own)
        ]
        return _tell(ref, own, near, account)

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        door = _door(request)
        if door == 'lookup':
            # an unescaped + of a query arrives as a space
            number = re.sub(r'^\s+(?=\d)', '+', request.param('number'))
            number = _text({'number': number}, 'number')
            return Question('lookup', number) if number else None
        if door == 'create' and request.method == 'POST':
            contact, number = _contact(request.content())
            return Question('create', number, contact=contact)
        return None

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        if not _door(request):
            return Reply('{}', content_type=JSON)
        contacts = [asdict(contact) for contact in answer.contacts] if answer else []
        return Reply(json.dumps({'contacts': contacts}, ensure_ascii=False), content_type=JSON)

    def setup_file(self, account: Account) -> SetupFile:
        return SetupFile(
            'odoo-crm-template.xml',
            template(account.webhook_url, account.api_secret),
            'application/xml',
        )


# --- a request ---------------------------------------------------------------------------------------------------


def _door(request: WebhookRequest) -> str:
    return DOORS.get(request.suffix.strip('/').lower(), '')


def _contact(fields: Mapping) -> tuple[Contact, str]:
    """Return the contact that the template wants entered, and their number.

    :raise ProviderError: the fields hold neither a name nor a number
    """
    names = ('first_name', 'last_name', 'company', 'email', 'phone_business', 'phone_mobile')
    contact = Contact(**{name: _text(fields, name) for name in names})
    number = _text(fields, 'number') or contact.phone_business or contact.phone_mobile
    if not number and not (contact.first_name or contact.last_name or contact.company):
        raise missing('number')
    return contact, number


# --- a journal ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Journal:
    """A journal: the part of one phone in a call."""

    call_type: str
    number: str
    agent: str
    started_at: datetime
    established_at: datetime | None
    ended_at: datetime | None
    talk_seconds: float | None
    recording_url: str
    recording_ref: str = ''

    @property
    def direction(self) -> str:
        return CALL_TYPE[self.call_type.lower()][0]

    @property
    def outcome(self) -> str:
        return CALL_TYPE[self.call_type.lower()][1]

    @property
    def digits(self) -> str:
        return re.sub(r'\D', '', self.number)

    @property
    def order(self):
        return self.started_at, self.established_at or self.started_at, repr(self)

    @property
    def pace(self) -> Pace:
        return PACE[self.direction]


def _journal(payload: Mapping) -> _Journal:
    """Read a journal.

    :raise ProviderError: the call, its start or a duration cannot be read
    """
    talk = _duration(payload, 'duration')
    call_type = _call_type(payload, bool(talk))
    started_at, established_at, ended_at = (
        _moment(payload, name) for name in ('started_at', 'established_at', 'ended_at')
    )
    if not started_at:
        doubt('time')
        began_at = (
            established_at
            or (ended_at and ended_at - timedelta(seconds=talk or 0))
            or _moment(payload, HEARD_AT)
        )
        if not (started_at := began_at):
            raise missing('started_at')
    established_at, ended_at = (
        at if at and at >= started_at else None for at in (established_at, ended_at)
    )
    if established_at and ended_at and (ended_at - established_at or not talk):
        talk = max((ended_at - established_at).total_seconds(), 0)
    return _Journal(
        call_type=call_type,
        number=_text(payload, 'number'),
        agent=_text(payload, 'agent'),
        started_at=started_at,
        established_at=established_at,
        ended_at=ended_at,
        talk_seconds=talk,
        recording_url=_link(_text(payload, 'recording_url')),
    )


def _call_type(payload: Mapping, talked: bool) -> str:
    """Return the call_type, a key of CALL_TYPE but for capitals. If the PBX tells none, `direction`
    and whether anybody talked decide.

    :raise ProviderError: it is another word
    """
    call_type = _text(payload, 'call_type')
    if call_type and call_type.lower() not in CALL_TYPE:
        raise unknown('call_type', call_type[:100])
    if call_type:
        return call_type
    doubt('direction')
    out = _text(payload, 'direction').lower().startswith('out')
    return TYPE['outbound' if out else 'inbound', talked]


def _text(payload: Mapping, name: str) -> str:
    """Return a field as text, without literal quotes. 3CX: a variable that it does not know comes as
    [Name], which is empty here."""
    text = text_of(payload, name).strip('"\'').strip()
    return '' if _VARIABLE.fullmatch(text) else text


def _moment(payload: Mapping, name: str) -> datetime | None:
    """Return a field that holds a time, as aware UTC in whole seconds; None if it is empty or .NET's
    year 1. 3CX: it is ISO in UTC as the template writes it, or MM/DD/YYYY HH:mm:ss on the clock of
    24 or 12 hours, of the UTC variable too.

    :raise ProviderError: it is another form
    """
    text = _text(payload, name)
    try:
        if match := _ISO.fullmatch(text):
            zone = (match[3] or 'Z').upper().replace('Z', '+00:00')
            zone = zone if ':' in zone else f'{zone[:3]}:{zone[3:]}'
            moment = datetime.fromisoformat(f'{match[1]}T{match[2]}{zone}')
        elif match := _AMERICAN.fullmatch(text):
            clock = '%I:%M:%S%p' if match[5] else '%H:%M:%S'
            moment = datetime.strptime(
                f'{match[3]}-{match[1]}-{match[2]} {match[4]}{match[5] or ""} +0000',
                f'%Y-%m-%d {clock} %z',
            )
        elif text:
            raise ValueError
        else:
            return None
        return believed(moment) and moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise unfit(name, _("an ISO 8601 time"), text[:100]) from None


def _duration(payload: Mapping, name: str) -> float | None:
    """Return a field that holds a duration, in seconds. 3CX: it is hh:mm:ss, with days before a dot,
    or seconds.

    :raise ProviderError: it is neither
    """
    text = _text(payload, name)
    if match := _SPAN.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        text = str(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    return seconds_of({name: text}, name)


# --- a call ------------------------------------------------------------------------------------------------------


def _window(at: datetime, pace: Pace) -> int:
    return int(at.timestamp()) // pace.window


def _window_of(payload: Mapping) -> int | None:
    window = payload.get(KEPT_FOR)
    return window if isinstance(window, int) else None


def _kept(payload: Mapping, journal: _Journal) -> list[dict]:
    """Return the payload once for each window to which it matters."""
    pace, at = journal.pace, int(journal.started_at.timestamp())
    windows = range((at - pace.longest) // pace.window, (at + pace.near) // pace.window + 1)
    return [{**payload, KEPT_FOR: window} for window in windows]


def _call_ref(journal: _Journal, window: int | None) -> str:
    """Return the id of a call: direction, number and window, and the phone of an outbound call,
    because that rings only one."""
    start = journal.started_at
    if window is not None:
        start = datetime.fromtimestamp(window * journal.pace.window, timezone.utc)
    phone = '' if journal.direction == 'inbound' else f':{journal.agent}'
    direction, number = journal.direction.removesuffix('bound'), journal.digits or 'hidden'
    return f'{direction}:{number}:{start:%Y%m%dT%H%M%SZ}{phone}'


def _begun_in(window: int, journals: Sequence[_Journal]) -> list[_Journal]:
    """Return the journals of the call that began in this window.

    :param journals: all that are kept for the window, in order of their starts
    """
    call: list[_Journal] = []
    pace = journals[0].pace
    for journal in journals:
        if call and journal.started_at - call[-1].started_at > timedelta(seconds=pace.near):
            if _window(call[0].started_at, pace) == window:
                break
            call = []
        call.append(journal)
    if _window(call[0].started_at, pace) != window:
        return []
    return [
        journal
        for journal in call
        if journal.started_at - call[0].started_at <= timedelta(seconds=pace.longest)
    ]


def _tell(
    ref: str, journals: Sequence[_Journal], logged: Sequence[_Logged], account: Account
) -> list[CallEvent]:
    """Tell a call. A phone that rang in vain did not miss it if another one answered. What a
    journal cannot tell comes from the call log."""
    first = journals[0]
    incoming, direction = first.direction == 'inbound', first.direction
    taken = [journal for journal in journals if journal.outcome == 'answered']
    agent = next((journal.agent for journal in taken or journals if journal.agent), '')
    outcomes = (logged_call.outcome for logged_call in logged)
    outcome = 'answered' if taken else next(filter(None, outcomes), first.outcome)
    if first.number in account.extensions:
        direction = 'internal'
        outcome = outcome.replace('missed', 'no_answer')
    say = partial(
        CallEvent,
        external_id=ref,
        direction=direction,
        started_at=first.started_at,
        caller=first.number if incoming else agent,
        called=(agent if direction == 'internal' else '') if incoming else first.number,
    )
    events = [
        say('ringing', at=first.started_at, queue=logged_call.queue)
        for logged_call in logged
        if logged_call.queue
    ]
    for place, journal in enumerate(journals):
        say_it = partial(say, extension=journal.agent, order=place)
        events += _leg_events(say_it, journal, incoming, is_passed_on=len(taken) > 1)
        events += _recording_events(say, journal, logged)
    ends = [journal.ended_at for journal in taken or journals]
    ended_at = max(ends) if all(ends) else None
    end = {'order': len(journals), 'outcome': outcome, 'talk_seconds': _talk(taken)}
    return [*events, say('ended', at=ended_at, **end)]


def _leg_events(
    say: Callable[..., CallEvent], journal: _Journal, incoming: bool, is_passed_on: bool
) -> list[CallEvent]:
    """Tell the leg of a journal.

    :param is_passed_on: whether several phones took the call
    """
    events = [say('ringing', at=journal.started_at)]
    if journal.outcome == 'answered':
        events.append(say('answered', at=journal.established_at))
        if journal.ended_at and is_passed_on:
            events.append(say('leg_ended', at=journal.ended_at))
    elif incoming:
        events.append(say('leg_ended', at=journal.ended_at, outcome='no_answer'))
    return events


def _recording_events(
    say: Callable[..., CallEvent], journal: _Journal, logged: Sequence[_Logged]
) -> list[CallEvent]:
    url, ref = journal.recording_url, _recording_ref(journal, logged)
    if not url and not ref:
        return []
    return [say('recording', at=journal.started_at, recording_url=url, recording_ref=ref)]


def _recording_ref(journal: _Journal, logged: Sequence[_Logged]) -> str:
    """Return the number of a journal's recording, which only the log tells."""
    told = (
        leg
        for call in logged
        for leg in call.journals
        if leg.agent == journal.agent and _is_near(leg, journal)
    )
    return next(
        (
            leg.recording_ref
            for leg in (journal, *told)
            if leg.recording_ref and leg.outcome == journal.outcome
        ),
        '',
    )


def _talk(taken: Sequence[_Journal]) -> float | None:
    """Return the talk in seconds: from the first answer to the last end; without those times the
    sum of what the phones tell. None if it is not known."""
    spans = [
        (journal.established_at, journal.ended_at)
        for journal in taken
        if journal.established_at and journal.ended_at
    ]
    if len(taken) > 1 and len(spans) == len(taken):
        return (
            max(end for _start, end in spans) - min(start for start, _end in spans)
        ).total_seconds()
    talks = [journal.talk_seconds for journal in taken]
    return sum(talks) if taken and None not in talks else None


# --- history: the call log of v20, as the journals that would have told the same ----------------------------------

QUEUE = 'queue'
# Words in a row's texts, which differ by version and language [seen in client code; the words for
# voicemail and failures assumed].
VOICEMAIL = re.compile(r'voice ?mail|special ?menu', re.IGNORECASE)
ENDED_BY = re.compile(r'ended by [^(]*\(([^)]*)\)', re.IGNORECASE)
FAILED = re.compile(r'not found|invalid|no route|fail|unavailable|rejected', re.IGNORECASE)
BUSY = re.compile(r'busy', re.IGNORECASE)

_ISO_SPAN = re.compile(r'P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?')


@dataclass(frozen=True)
class _Logged:
    """A call of the log: the journals that 3CX would have posted, and what those do not tell."""

    journals: tuple[_Journal, ...]
    outcome: str = ''
    queue: str = ''


def log_payloads(
    rows: Iterable[Mapping], start: datetime, end: datetime, account: Account
) -> list[dict]:
    """Return the calls with customers that began in this period as payloads, each as often as it is
    kept.

    :param rows: rows of the log, in any order
    """
    calls: dict[str, dict[str, Mapping]] = {}
    for row in rows:
        if ref := text_of(row, 'MainCallHistoryId') or text_of(row, 'CallHistoryId'):
            calls.setdefault(ref, {})[repr(sorted(row.items(), key=repr))] = {
                name: row[name] for name in LOG_FIELDS if row.get(name) not in (None, '')
            }
    found = []
    for own in calls.values():
        payload = {'history': {'rows': [own[key] for key in sorted(own)]}}
        try:
            first = _logged(payload, account).journals[0]
        except ProviderError:
            continue  # between colleagues, or of no number
        if start <= first.started_at.replace(tzinfo=timezone.utc) <= end:
            found.append((first.order, payload, first))
    found.sort(key=lambda call: call[0])
    return [kept for _order, payload, first in found for kept in _kept(payload, first)]


# fmt: off
LOG_FIELDS = (
    'CdrId', 'SegmentId', 'StartTime', 'Direction', 'CallType', 'Answered', 'Reason',
    'RingingDuration', 'TalkingDuration',
    'SourceDn', 'SourceCallerId',
    'DestinationDn', 'DestinationCallerId', 'DestinationDisplayName',
    'RecordingUrl', 'Recordings', 'DstRecId', 'SrcRecId',
)
# fmt: on


def _logged(payload: Mapping, account: Account) -> _Logged:
    """Read a call of the log, whose rows are legs. StartTime is UTC, and in the first row that of
    the call; a leg is answered RingingDuration after its start [assumed]. A queue's row counts the
    wait as talk and says who ended it.

    :raise ProviderError: the rows tell of no call with a customer
    """
    rows = payload['history'].get('rows')
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ProviderError(_("The history holds no rows."))
    legs = [(_moment(row, 'StartTime'), row) for row in rows]
    legs.sort(key=lambda leg: (leg[0] is None, leg[0] or 0, repr(leg[1])))
    started_at, first = legs[0]
    if not started_at:
        raise missing('StartTime')
    rows = [row for _at, row in legs]
    if _log_direction(first, account) == 'outbound':
        return _logged_outbound(first, rows, started_at)
    number = text_of(first, 'SourceCallerId')
    ended_at = max(
        (at or started_at) + _span(row, 'RingingDuration') + _span(row, 'TalkingDuration')
        for at, row in legs
    )
    journals = [
        _leg_journal('inbound', number, phone, at or started_at, row, started_at)
        for at, row in legs
        if (phone := text_of(row, 'DestinationDn')) in account.extensions
    ]
    queue = next((row for row in rows if text_of(row, 'CallType').lower() == QUEUE), {})
    return _Logged(
        tuple(journals) or (_missed_journal(number, started_at, ended_at),),
        outcome=_log_outcome(rows, account),
        queue=text_of(queue, 'DestinationDisplayName') or text_of(queue, 'DestinationDn'),
    )


def _missed_journal(number: str, started_at: datetime, ended_at: datetime) -> _Journal:
    """Return the journal of an inbound call that rang no phone of ours."""
    return _Journal(
        call_type='Missed',
        number=number,
        agent='',
        started_at=started_at,
        established_at=None,
        ended_at=ended_at,
        talk_seconds=None,
        recording_url='',
    )


def _log_direction(row: Mapping, account: Account) -> str:
    """Return the direction of a row. If its word is another language's, our phones tell it.

    :raise ProviderError: the call is between colleagues
    """
    word = text_of(row, 'Direction').lower()
    ours = [text_of(row, name) in account.extensions for name in ('SourceDn', 'DestinationDn')]
    if word.startswith('internal') or all(ours):
        raise ProviderError(_("This is a call between colleagues, not with a customer."))
    if word.startswith(('in', 'out')):
        return 'inbound' if word.startswith('in') else 'outbound'
    return 'outbound' if ours[0] else 'inbound'


def _logged_outbound(first: Mapping, rows: Sequence[Mapping], started_at: datetime) -> _Logged:
    number = text_of(first, 'DestinationCallerId') or text_of(first, 'DestinationDn')
    if not number:
        raise ProviderError(_("This is a call to no number."))
    answered = next((row for row in rows if _is_talk(row)), None)
    row = answered or first
    reason = ' '.join(text_of(leg, 'Reason') for leg in rows)
    outcome = ''
    if not answered and BUSY.search(reason):
        outcome = 'busy'
    elif not answered and FAILED.search(reason):
        outcome = 'failed'
    at, agent = _moment(row, 'StartTime') or started_at, text_of(first, 'SourceDn')
    return _Logged((_leg_journal('outbound', number, agent, at, row, started_at),), outcome=outcome)


def _leg_journal(
    direction: str, number: str, agent: str, at: datetime, row: Mapping, started_at: datetime
) -> _Journal:
    """Return the journal that would have told of a leg.

    :param at: when the leg began; `started_at` is when the call did
    """
    answered, taken = _is_talk(row), at + _span(row, 'RingingDuration')
    talk = _span(row, 'TalkingDuration')
    return _Journal(
        call_type=TYPE[direction, answered],
        number=number,
        agent=agent,
        started_at=started_at,
        established_at=taken if answered else None,
        ended_at=taken + talk,
        talk_seconds=talk.total_seconds() if answered else None,
        recording_url=_link(text_of(row, 'RecordingUrl')),
        recording_ref=_recording_id(row),
    )


def _link(text: str) -> str:
    """Return the text if it is an address. Otherwise it is a file on the 3CX, which only the number
    of the recording opens."""
    return text if text.startswith(('https://', 'http://')) else ''


def _recording_id(row: Mapping) -> str:
    """Return the number of a leg's recording, by which the XAPI gives the sound [assumed: the
    destination's side is the talk]."""
    listed = row.get('Recordings')
    listed = listed if isinstance(listed, list) else []
    first = next((recording for recording in listed if isinstance(recording, dict)), {})
    found = (
        text_of(part, name) for part, name in ((first, 'Id'), (row, 'DstRecId'), (row, 'SrcRecId'))
    )
    return next((number for number in found if number.isdecimal() and int(number)), '')


def _log_outcome(rows: Sequence[Mapping], account: Account) -> str:
    """Return how a call ended that no phone of ours took, '' if the rows do not tell it."""
    if any(
        _is_talk(row)
        and VOICEMAIL.search(f"{text_of(row, 'CallType')} {text_of(row, 'DestinationDisplayName')}")
        for row in rows
    ):
        return 'voicemail'
    waits = [row for row in rows if text_of(row, 'CallType').lower() == QUEUE]
    ended_by = ENDED_BY.search(text_of(waits[-1], 'Reason')) if waits else None
    return 'abandoned' if ended_by and ended_by[1].strip() not in account.extensions else ''


def _is_talk(row: Mapping) -> bool:
    return str(row.get('Answered')).lower() == 'true' and bool(_span(row, 'TalkingDuration'))


def _span(row: Mapping, name: str) -> timedelta:
    """Return a field that holds a duration, in whole seconds, as journals tell them. XAPI: it is
    PT1M5.25S.

    :raise ProviderError: it is another form
    """
    text = text_of(row, name)
    match = _ISO_SPAN.fullmatch(text)
    if text and not match:
        raise unfit(name, _("a duration"), text[:100])
    days, hours, minutes, seconds = (
        (float(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    )
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=int(seconds))


def _is_near(journal: _Journal, other: _Journal) -> bool:
    return abs(journal.started_at - other.started_at) <= timedelta(seconds=journal.pace.near)


def _unheard(heard: Sequence[_Journal], logged: Sequence[_Logged]) -> list[_Journal]:
    """Return the log's journals that were not posted: of phones that no journal names, or of no
    phone if no journal was posted. A phone that rang several times is told once, as it took the
    call."""
    found: dict[tuple, _Journal] = {}
    journals = [journal for call in logged for journal in call.journals]
    for journal in sorted(journals, key=lambda journal: journal.order):
        is_heard = any(
            _is_near(posted, journal) and (not journal.agent or posted.agent == journal.agent)
            for posted in heard
        )
        key = (journal.agent, journal.started_at)
        if not is_heard and (key not in found or journal.outcome == 'answered'):
            found[key] = journal
    return list(found.values())


# --- the CRM template --------------------------------------------------------------------------------------------

# Output type of 3CX -> field of a contact in our answer.
CONTACT_OUTPUTS = {
    'ContactID': 'id',
    'FirstName': 'first_name',
    'LastName': 'last_name',
    'CompanyName': 'company',
    'Email': 'email',
    'PhoneBusiness': 'phone_business',
    'PhoneMobile': 'phone_mobile',
    'ContactUrl': 'url',
    'EntityId': 'id',
}
# Field of a new contact -> variable of 3CX. One that a version does not know arrives as [Name].
NEW_CONTACT = {
    'number': '[Number]',
    'first_name': '[FirstName]',
    'last_name': '[LastName]',
    'company': '[CompanyName]',
    'email': '[Email]',
    'phone_business': '[PhoneBusiness]',
    'phone_mobile': '[PhoneMobile]',
}
_UTC = '[[{}UTC].ToString("yyyy-MM-ddTHH:mm:ssZ")]'
JOURNAL = {
    'call_type': '[CallType]',
    'direction': '[CallDirection]',
    'number': '[Number]',
    'agent': '[Agent]',
    'agent_email': '[AgentEmail]',
    'duration': '[Duration]',
    'started_at': _UTC.format('CallStartTime'),
    'established_at': _UTC.format('CallEstablishedTime'),
    'ended_at': _UTC.format('CallEndTime'),
    'transcription': '[Transcription]',
    'summary': '[Summary]',
    'recording_url': '[RecordingUrl]',
}
# The requests that the template makes.
LOOKUP = {
    'Url': '[OdooUrl]/lookup?number=[Number]',
    'RequestType': 'Get',
    'RequestEncoding': 'UrlEncoded',
}
CREATE = {'Url': '[OdooUrl]/contacts', 'RequestType': 'Post', 'RequestEncoding': 'Json'}
REPORT = {'Url': '[OdooUrl]/journal', 'RequestType': 'Post', 'RequestEncoding': 'Json'}


def template(base_url: str, key: str) -> str:
    """Return the CRM template that the admin uploads to 3CX, as XML: lookup, new contact and
    journal.

    :param base_url: the account's webhook address; it and the key are the defaults of the form that
        3CX shows
    """
    root = ElementTree.Element(
        'Crm',
        Country='',
        Name='Odoo',
        Version='1',
        SupportsEmojis='true',
        SupportsTranscription='true',
    )
    add = ElementTree.SubElement
    add(root, 'Number', Prefix='Plus', MaxLength='')
    add(root, 'Connection', MaxConcurrentRequests='4')
    _parameters(add(root, 'Parameters'), base_url, key)
    add(root, 'Authentication', Type='No')
    scenarios = add(root, 'Scenarios')
    _contact_scenario(scenarios, '', LOOKUP, {})
    _contact_scenario(
        scenarios,
        'CreateContactRecord',
        {'SkipIf': '[CreateContactRecordEnabled]!=True', **CREATE},
        NEW_CONTACT,
    )
    _contact_scenario(scenarios, 'CreateContactRecordFromClient', CREATE, NEW_CONTACT)
    report = add(scenarios, 'Scenario', Id='ReportCall', Type='REST')
    _request(report, {'SkipIf': '[ReportCallEnabled]!=True', **REPORT}, JOURNAL)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding='unicode')
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _parameters(parameters: ElementTree.Element, base_url: str, key: str) -> None:
    for name, kind, title, default in (
        ('OdooUrl', 'String', "Webhook address", base_url.rstrip('/')),
        ('OdooKey', 'Password', "Key", key),
        ('ReportCallEnabled', 'Boolean', "Log calls", 'True'),
        ('CreateContactRecordEnabled', 'Boolean', "Create contacts for unknown callers", 'False'),
    ):
        ElementTree.SubElement(
            parameters,
            'Parameter',
            Name=name,
            Type=kind,
            Parent="General Configuration",
            Editor='String',
            Title=title,
            Default=default,
        )


def _request(
    scenario: ElementTree.Element, attributes: Mapping[str, str], values: Mapping[str, str]
) -> None:
    """Add a request to a scenario. 3CX evaluates a text once, so that brackets in it stay, but an
    expression that holds a variable has to be evaluated twice."""
    add = ElementTree.SubElement
    request = add(scenario, 'Request', {**attributes, 'ResponseType': 'Json'})
    add(add(request, 'Headers'), 'Value', Key='Authorization').text = 'Bearer [OdooKey]'
    if values:
        post = add(request, 'PostValues', Key='')
        for name, text in values.items():
            passes = '2' if text.startswith('[[') else '1'
            add(post, 'Value', Key=name, Passes=passes, Type='String').text = text


def _contact_scenario(
    scenarios: ElementTree.Element,
    scenario_id: str,
    attributes: Mapping[str, str],
    values: Mapping[str, str],
) -> None:
    add = ElementTree.SubElement
    scenario = add(scenarios, 'Scenario', Id=scenario_id, Type='REST')
    _request(scenario, attributes, values)
    add(add(scenario, 'Rules'), 'Rule', Type='Any').text = 'contacts.id'
    variables = add(scenario, 'Variables')
    for name in dict.fromkeys(CONTACT_OUTPUTS.values()):
        add(add(variables, 'Variable', Name=f'contact_{name}', Path=f'contacts.{name}'), 'Filter')
    outputs = add(scenario, 'Outputs', AllowEmpty='false')
    for kind, name in CONTACT_OUTPUTS.items():
        add(outputs, 'Output', Type=kind, Passes='0', Value=f'[contact_{name}]')
