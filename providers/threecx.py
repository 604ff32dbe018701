"""3CX v18 and v20: the CRM template on its server asks who calls and journals every call after its end.

A journal names one phone and no call. A queue or ring group sends one for each phone that rang [assumed], and their
starts differ by seconds, so what began within NEAR of each other at one number is one call: two that ring in at once
from one number cannot be told apart. The called number, the queue, an abandon and voicemail are not in a journal.
`duration` is the talk [assumed]; where the times of answer and end are given they tell it, whatever `duration` means.
"""
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from xml.etree import ElementTree

from . import signing
from .base import (
    Account,
    Answer,
    CallEvent,
    Contact,
    Identity,
    Provider,
    ProviderError,
    Question,
    Refused,
    Reply,
    Stored,
    WebhookRequest,
    _,
    digest,
    seconds_of,
    text_of,
)

# call_type in small letters -> direction, outcome. `direction` of a journal says the same and is not needed.
CALL_TYPE = {
    'inbound': ('inbound', 'answered'),
    'missed': ('inbound', 'missed'),
    'outbound': ('outbound', 'answered'),
    'notanswered': ('outbound', 'no_answer'),
}
# The addresses below the webhook's, and what is asked there. Whatever else is posted is a journal.
DOORS = {'lookup': 'lookup', 'contacts': 'create'}
JSON = 'application/json; charset=utf-8'
# Other years are no time of a call.
YEARS = range(1990, 2100)

# Phones of one ring group start within NEAR of each other, and all of them within LONGEST. Inbound calls are numbered
# by windows of time (in seconds), just so long that two calls never begin in one. Together NEAR and LONGEST are whole
# windows, so that every journal is kept for equally many.
NEAR, LONGEST, WINDOW = timedelta(seconds=5), timedelta(seconds=13), 6
# Our own field: the window for which a journal is kept. It may belong to a call that began in one before, and show that
# none began in the one after.
KEPT_FOR = 'kept_for'

_VARIABLE = re.compile(r'\[.*\]', re.DOTALL)
_SPAN = re.compile(r'(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:[.,]\d+)?')
_ISO = re.compile(r'(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?', re.IGNORECASE)
_AMERICAN = re.compile(r'(\d\d?)/(\d\d?)/(\d{4}) (\d\d?:\d\d:\d\d)')


class ThreeCX(Provider):
    code = 'threecx'
    label = "3CX"
    api_key_label = _("Client ID")
    api_secret_label = _("Client secret, also the key that the CRM template sends")
    setup_steps = (
        _("Choose a long random client secret and save this form; in v20 with an Enterprise licence it is the secret of"
          " the API client (Integrations → API)."),
        _("Download the CRM template of this form."),
        _("In the 3CX console open Settings → CRM (v20: Integrations → CRM), add the template and choose it. A Pro or"
          " Enterprise licence is needed."),
        _("Leave the address and the key of the template's form as they are, switch call journaling on, and save."),
        _("Enter the extensions here, so that calls find their employees."),
    )

    def verify(self, request: WebhookRequest, account: Account) -> None:
        """3CX signs nothing: the template sends `Authorization: Bearer <client secret>`."""
        if not account.api_secret:
            raise Refused("no secret is configured for this account, so nothing can be authenticated")
        scheme, _space, given = request.headers.get('authorization', '').strip().partition(' ')
        if scheme.lower() != 'bearer' or not given.strip():
            raise Refused("the header Authorization: Bearer is missing")
        if not signing.same(given.strip(), account.api_secret.strip()):
            raise Refused("the key is wrong")

    def split(self, request: WebhookRequest) -> list[dict]:
        """A lookup or a new contact is no event. An inbound journal is kept for every window that it matters to."""
        if _door(request) or request.method in ('GET', 'HEAD', 'OPTIONS'):
            return []
        payload = {name: value for name, value in request.content().items() if name != KEPT_FOR}
        try:
            journal = _journal(payload)
        except ProviderError:
            return [payload]        # identify tells why
        if journal.direction != 'inbound':
            return [payload]
        windows = range(_window(journal.started_at - LONGEST), _window(journal.started_at + NEAR) + 1)
        return [{**payload, KEPT_FOR: window} for window in windows]

    def identify(self, payload: Mapping, account: Account) -> Identity:
        journal = _journal(payload)
        call_ref = _call_ref(journal, payload.get(KEPT_FOR))
        same = {'call': call_ref, 'started_at': journal.started_at.isoformat(), 'agent': journal.agent,
                'digits': journal.digits, 'call_type': journal.call_type}
        return Identity(kind=journal.call_type, call_ref=call_ref, key=digest(same))

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        if not stored:
            return []
        journals = sorted((_journal(one.payload) for one in stored), key=lambda one: one.order)
        window = stored[0].payload.get(KEPT_FOR)
        ref = _call_ref(journals[0], window)
        own = journals if window is None else _begun_in(window, journals)
        if not own:
            return [CallEvent('void', ref, at=journals[0].started_at,
                              note="another phone rang first: the call is kept with its journal")]
        return _tell(ref, own, account)

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


# --- a request ---------------------------------------------------------------------------------------------------

def _door(request: WebhookRequest) -> str:
    return DOORS.get(request.suffix.strip('/').lower(), '')


def _contact(fields: Mapping) -> tuple[Contact, str]:
    """Whom the template wants entered, and his number.

    :raise ProviderError: nothing is said of him
    """
    names = ('first_name', 'last_name', 'company', 'email', 'phone_business', 'phone_mobile')
    contact = Contact(**{name: _text(fields, name) for name in names})
    number = _text(fields, 'number') or contact.phone_business or contact.phone_mobile
    if not number and not (contact.first_name or contact.last_name or contact.company):
        raise ProviderError("number is missing")
    return contact, number


# --- a journal ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class _Journal:
    """What one phone had of a call."""
    call_type: str
    number: str
    agent: str
    started_at: datetime
    established_at: datetime | None
    ended_at: datetime | None
    talk_seconds: float | None
    recording_url: str

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


def _journal(payload: Mapping) -> _Journal:
    """:raise ProviderError: the call, its start or a duration cannot be read"""
    call_type = _text(payload, 'call_type')
    if not call_type:
        raise ProviderError("call_type is missing")
    if call_type.lower() not in CALL_TYPE:
        raise ProviderError(f"call_type is unknown: {call_type[:100]}")
    started_at = _moment(payload, 'started_at')
    if not started_at:
        raise ProviderError("started_at is missing")
    later = (_moment(payload, name) for name in ('established_at', 'ended_at'))
    established_at, ended_at = (at if at and at >= started_at else None for at in later)
    talk = _duration(payload, 'duration')
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
        recording_url=_text(payload, 'recording_url'),
    )


def _text(payload: Mapping, name: str) -> str:
    """A field without literal quotes; a variable that 3CX does not know stays in the text as [Name] and is empty."""
    text = text_of(payload, name).strip('"\'').strip()
    return '' if _VARIABLE.fullmatch(text) else text


def _moment(payload: Mapping, name: str) -> datetime | None:
    """3CX: ISO in UTC as the template writes it, or MM/DD/YYYY HH:mm:ss, of the UTC variable too. .NET's year 1 is no
    time. Whole seconds.

    :raise ProviderError: it is another form
    """
    text = _text(payload, name)
    try:
        if match := _ISO.fullmatch(text):
            zone = (match[3] or 'Z').upper().replace('Z', '+00:00')
            zone = zone if ':' in zone else f'{zone[:3]}:{zone[3:]}'
            moment = datetime.fromisoformat(f'{match[1]}T{match[2]}{zone}')
        elif match := _AMERICAN.fullmatch(text):
            moment = datetime.strptime(f'{match[3]}-{match[1]}-{match[2]} {match[4]} +0000', '%Y-%m-%d %H:%M:%S %z')
        elif text:
            raise ValueError
        else:
            return None
        if moment.year == 1:
            return None
        if moment.year not in YEARS:
            raise ValueError
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ProviderError(f"{name} is no ISO time: {text[:100]}") from None


def _duration(payload: Mapping, name: str) -> float | None:
    """3CX: hh:mm:ss, with days before a dot, or seconds.

    :raise ProviderError: it is neither
    """
    text = _text(payload, name)
    if match := _SPAN.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        text = str(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    return seconds_of({name: text}, name)


# --- a call ------------------------------------------------------------------------------------------------------

def _window(at: datetime) -> int:
    return int(at.timestamp()) // WINDOW


def _call_ref(journal: _Journal, window: int | None) -> str:
    """Inbound: the number and the window. Outbound calls ring one phone, which is part of the key."""
    number = journal.digits or 'hidden'
    if window is not None:
        start = datetime.fromtimestamp(window * WINDOW, timezone.utc)
        return f'in:{number}:{start:%Y%m%dT%H%M%SZ}'
    return f'{journal.direction[:3]}:{number}:{journal.started_at:%Y%m%dT%H%M%SZ}:{journal.agent}'


def _begun_in(window: int, journals: Sequence[_Journal]) -> list[_Journal]:
    """The journals of the call that began in this window, of all that are kept for it, in order of their starts."""
    call: list[_Journal] = []
    for journal in journals:
        if call and journal.started_at - call[-1].started_at > NEAR:
            if _window(call[0].started_at) == window:
                break
            call = []
        call.append(journal)
    if _window(call[0].started_at) != window:
        return []
    return [journal for journal in call if journal.started_at - call[0].started_at <= LONGEST]


def _tell(ref: str, journals: Sequence[_Journal], account: Account) -> list[CallEvent]:
    """Whoever answered counts: a phone that rang in vain in the same call did not miss it."""
    first = journals[0]
    incoming, direction = first.direction == 'inbound', first.direction
    taken = [one for one in journals if one.outcome == 'answered']
    agent = next((one.agent for one in taken or journals if one.agent), '')
    outcome = 'answered' if taken else first.outcome
    if first.number in account.extensions:
        direction = 'internal'
        outcome = outcome.replace('missed', 'no_answer')
    say = partial(
        CallEvent, external_id=ref, direction=direction, started_at=first.started_at,
        caller=first.number if incoming else agent,
        called=(agent if direction == 'internal' else '') if incoming else first.number,
    )
    events = []
    for place, one in enumerate(journals):
        say_it = partial(say, extension=one.agent, order=place)
        events.append(say_it('ringing', at=one.started_at))
        if one in taken:
            events.append(say_it('answered', at=one.established_at))
            events += [say_it('leg_ended', at=one.ended_at)] if one.ended_at and len(taken) > 1 else []
        elif incoming:
            events.append(say_it('leg_ended', at=one.ended_at, outcome='no_answer'))
        if one.recording_url:
            events.append(say('recording', at=one.started_at, recording_url=one.recording_url))
    ends = [one.ended_at for one in taken or journals]
    talks = [one.talk_seconds for one in taken]
    events.append(say(
        'ended', at=max(ends) if all(ends) else None, order=len(journals), outcome=outcome,
        talk_seconds=sum(talks) if taken and None not in talks else None,
    ))
    return events


# --- the CRM template --------------------------------------------------------------------------------------------

# What a contact of our answer is to 3CX: output types -> fields.
CONTACT_OUTPUTS = {
    'ContactID': 'id', 'FirstName': 'first_name', 'LastName': 'last_name', 'CompanyName': 'company', 'Email': 'email',
    'PhoneBusiness': 'phone_business', 'PhoneMobile': 'phone_mobile', 'ContactUrl': 'url', 'EntityId': 'id',
}
# What 3CX may say of a new contact; where a version does not know a variable it arrives as [Name].
NEW_CONTACT = {
    'number': '[Number]', 'first_name': '[FirstName]', 'last_name': '[LastName]', 'company': '[CompanyName]',
    'email': '[Email]', 'phone_business': '[PhoneBusiness]', 'phone_mobile': '[PhoneMobile]',
}
_UTC = '[[{}UTC].ToString("yyyy-MM-ddTHH:mm:ssZ")]'
JOURNAL = {
    'call_type': '[CallType]', 'direction': '[CallDirection]', 'number': '[Number]', 'agent': '[Agent]',
    'agent_email': '[AgentEmail]', 'duration': '[Duration]', 'started_at': _UTC.format('CallStartTime'),
    'established_at': _UTC.format('CallEstablishedTime'), 'ended_at': _UTC.format('CallEndTime'),
    'transcription': '[Transcription]', 'summary': '[Summary]', 'recording_url': '[RecordingUrl]',
}


def template(base_url: str, key: str) -> str:
    """The CRM template that the admin uploads to 3CX, as XML: lookup, new contact and journal.

    :param base_url: the account's webhook address; it and the key are defaults of the form that 3CX shows
    """
    root = ElementTree.Element(
        'Crm', Country='', Name='Odoo', Version='1', SupportsEmojis='true', SupportsTranscription='true')
    add = ElementTree.SubElement
    add(root, 'Number', Prefix='Plus', MaxLength='')
    add(root, 'Connection', MaxConcurrentRequests='4')
    parameters = add(root, 'Parameters')
    for name, kind, title, default in (
        ('OdooUrl', 'String', "Webhook address", base_url.rstrip('/')),
        ('OdooKey', 'Password', "Key", key),
        ('ReportCallEnabled', 'Boolean', "Log calls", 'True'),
        ('CreateContactRecordEnabled', 'Boolean', "Create contacts for unknown callers", 'False'),
    ):
        add(parameters, 'Parameter', Name=name, Type=kind, Parent="General Configuration", Editor='String',
            Title=title, Default=default)
    add(root, 'Authentication', Type='No')
    scenarios = add(root, 'Scenarios')
    lookup = {'Url': '[OdooUrl]/lookup?number=[Number]', 'RequestType': 'Get', 'RequestEncoding': 'UrlEncoded'}
    create = {'Url': '[OdooUrl]/contacts', 'RequestType': 'Post', 'RequestEncoding': 'Json'}
    journal = {'Url': '[OdooUrl]/journal', 'RequestType': 'Post', 'RequestEncoding': 'Json'}
    _contact_scenario(scenarios, '', lookup, {})
    _contact_scenario(
        scenarios, 'CreateContactRecord', {'SkipIf': '[CreateContactRecordEnabled]!=True', **create}, NEW_CONTACT)
    _contact_scenario(scenarios, 'CreateContactRecordFromClient', create, NEW_CONTACT)
    report = add(scenarios, 'Scenario', Id='ReportCall', Type='REST')
    _request(report, {'SkipIf': '[ReportCallEnabled]!=True', **journal}, JOURNAL)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding='unicode') + '\n'


def _request(scenario: ElementTree.Element, attributes: Mapping[str, str], values: Mapping[str, str]) -> None:
    """3CX evaluates a text once, so that brackets in it stay, and twice where an expression holds a variable."""
    add = ElementTree.SubElement
    request = add(scenario, 'Request', {**attributes, 'ResponseType': 'Json'})
    add(add(request, 'Headers'), 'Value', Key='Authorization').text = 'Bearer [OdooKey]'
    if values:
        post = add(request, 'PostValues', Key='')
        for name, text in values.items():
            passes = '2' if text.startswith('[[') else '1'
            add(post, 'Value', Key=name, Passes=passes, Type='String').text = text


def _contact_scenario(scenarios: ElementTree.Element, scenario_id: str, attributes: Mapping[str, str],
                      values: Mapping[str, str]) -> None:
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
