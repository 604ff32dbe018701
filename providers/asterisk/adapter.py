"""Asterisk: the bridge beside the PBX posts AMI events as they are, and everything is decided here.

The story of a call is read off the facts that :mod:`ami` gathers. Five ideas carry it:

* The first channel (Uniqueid == Linkedid) is the caller: a trunk that calls in, or a phone that
  calls out or calls a colleague.
* A channel that is bridged with an older one takes its Linkedid. The caller's call goes on, so it
  also uses other calls' events of the caller's channel and of the rooms in which that was. Any
  colleague who hears the caller there has a leg: who takes the call from a parking lot or a pool of
  agents, who joins a conference.
* Local channels are plumbing. What counts is whom the caller reaches along the dials, through any
  Local pair. A channel that is in the Linkedid but not reached belongs to a consultation, until an
  AttendedTransfer lets it join.
* A channel that takes the place of another one of its phone in a bridge goes on with that one's leg:
  a browser whose page was loaded anew. What it began as is no call.
* A person answered if the attempt to reach their channel ended with ANSWER and the channel entered
  a bridge. A line that is Up says nothing: queues, menus and mailboxes answer it too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

from .. import numbers, signing
from ..base import (
    UNKNOWN_ARRIVAL,
    Account,
    Answer,
    CallEvent,
    Deletion,
    Identity,
    Provider,
    ProviderError,
    Question,
    Reply,
    SetupFile,
    Stored,
    Stranger,
    WebhookRequest,
    _,
    digest,
    missing,
    text_of,
    unfit,
)
from . import ami, cel
from .ami import Call, Channel, Event, Try

# Events that tell nothing of a call in any reading. With the VarSets of other VARIABLES they are
# most of a stream.
# fmt: off
NOISE = frozenset({
    'RTCPSent', 'RTCPReceived', 'Newexten', 'TestEvent', 'NewConnectedLine',
    'DTMFBegin', 'DTMFEnd', 'ChannelTalkingStart', 'ChannelTalkingStop',
    'BridgeCreate', 'BridgeDestroy',
    'DeviceStateChange', 'ExtensionStatus', 'PresenceStateChange', 'QueueMemberStatus',
    'PeerStatus', 'Registry', 'ContactStatus', 'ContactStatusDetail',
    'SuccessfulAuth', 'ChallengeSent', 'ChallengeResponseFailed', 'InvalidPassword',
    'FullyBooted', 'Reload',
})
# fmt: on
# Events that are used, with the headers they cannot do without.
_LEG, _TRY = ('Channel', 'Uniqueid'), ('DestChannel', 'DestUniqueid')
USED = {
    'Newchannel': _LEG,
    'BridgeEnter': _LEG,
    'HangupRequest': _LEG,
    'Hangup': _LEG,
    'DialBegin': _TRY,
    'DialEnd': (*_TRY, 'DialStatus'),
    'QueueCallerJoin': (*_LEG, 'Queue'),
    'QueueCallerAbandon': _LEG,
    'AttendedTransfer': ('OrigTransfererLinkedid', 'SecondTransfererLinkedid'),
    'CoreShowChannel': _LEG,  # live after a gap, see bridge/
    'MessageWaiting': (),
    'OriginateResponse': (),
    'VarSet': (),
    'Cdr': (),
    'NewCallerid': (),
    'AgentConnect': (),
    'UnParkedCall': (),
    'BridgeLeave': (),
    'ConfbridgeJoin': (),
    'ConfbridgeLeave': (),
    'MeetmeJoin': (),
    'MeetmeLeave': (),
    'CEL': (*_LEG, 'EventName'),
}
# The bridge's settings; see bridge/crm-telephony-bridge.ini for all of them.
BRIDGE_SETTINGS = """; Copy to /etc/crm-telephony-bridge.ini, readable by root only (chmod 600).

[pbx]
; the user of its own in manager.conf, and its password
user = crm-bridge
secret =

[crm]
url = {url}
secret = {secret}

[recordings]
; the folder of the PBX's recordings, if they are to be uploaded, and who may read there: see bridge/README.md
;path = /var/spool/asterisk/monitor
"""
# The bridge's own events of recordings that were to be deleted.
DELETED, KEPT = 'BridgeRecordingDeleted', 'BridgeRecordingKept'
WHY_KEPT = {
    'never': _("its configuration has delete = never"),
    'unknown': _("it has not delivered this file"),
    'busy': _("it has not delivered this file yet, or a newer call has a file of the same name"),
}
# Usually the contexts of trunks, of analogue and digital lines, and of phones begin so.
TRUNK_CONTEXTS = (
    'from-trunk',
    'from-pstn',
    'from-did',
    'from-analog',
    'from-digital',
    'from-zaptel',
    'from-dahdi',
    'from-sip-external',
)
PHONE_CONTEXTS = ('internal', 'from-internal')

BUSY, REJECTED, UNREACHED, DECLINED = '17', '21', ('18', '19', '20'), '603'
FAILED_STATUS = ('CONGESTION', 'CHANUNAVAIL')
FAILED_CAUSES = frozenset(
    map(str, (1, 2, 3, 22, 27, 28, 31, 34, 38, 41, 42, 44, *range(50, 67), 88, 111))
)

TAKEN_UP = _("A phone called its own number, as a browser does that takes its talk up again.")
AT_ONCE = timedelta(seconds=1)
# The path after the token under which a dialplan asks who calls: GET …/route?number=…&did=…
LOOKUP = 'route'
_SYNTAX = re.compile(r'[^\w .\-+&()«»/]')
_DEFAULT_ID = re.compile(r'(\d{9,})\.(\d+)$')


class Asterisk(Provider):
    code = 'asterisk'
    label = "Asterisk (AMI)"
    api_key_label = _("Control user (the same name in ARI and AMI)")
    api_secret_label = _("Password of the control user, also signs what the bridge posts")
    stands_inside = True
    recordings_stay = False
    shares_legs = True
    names_trunks = True
    line = 'sip'
    sip_realm = 'asterisk'
    line_advice = MappingProxyType(
        {
            'refused': _(
                "Nothing listens at %(url)s. In http.conf set enabled = yes, and bindaddr and bindport (for "
                "wss tlsenable and "
                "tlsbindaddr, usually port 8089), then restart Asterisk."
            ),
            'no_websocket': _(
                "%(url)s answers, but not as a websocket for SIP (%(reason)s). The path is /ws; Asterisk needs "
                "the modules "
                "res_http_websocket and res_pjsip_transport_websocket, and a proxy has to pass on Upgrade and "
                "Connection."
            ),
            'certificate': _(
                "Browsers do not trust the certificate of %(host)s: %(reason)s. Put one of a known authority "
                "into tlscertfile of "
                "http.conf, or pass /ws through Odoo's own host."
            ),
            'no_register': _(
                "The websocket works, but Asterisk does not answer the registration. Add a transport with "
                "protocol = ws to pjsip.conf."
            ),
            'unknown_phone': _(
                "Asterisk does not know extension %(extension)s. Its endpoint in pjsip.conf needs aors and "
                "auth of its own, with "
                "max_contacts = 1 and remove_existing = yes."
            ),
            'echo_unknown': _(
                "Asterisk does not know the echo number in the context of this phone. Add it to "
                "extensions.conf: Answer(), then Echo()."
            ),
            'codec': _(
                "Asterisk and the browser share no codec. Set webrtc = yes and allow = alaw,ulaw on endpoint "
                "%(extension)s."
            ),
            'no_sound': _(
                "The call stands, but no sound arrives. Open the UDP ports from rtpstart to rtpend of "
                "rtp.conf; behind NAT set "
                "external_media_address, else enter a STUN or TURN server."
            ),
        }
    )
    uploads_recordings = True
    recording_waits = _(
        "The bridge delivers the file within a minute or so after the call, if [recordings] is set in its configuration."
    )
    setup_steps = (
        _(
            "In manager.conf set timestampevents = yes and give the bridge a user with read = call,agent,cdr,dialplan "
            "and write = reporting."
        ),
        _(
            "Set up the bridge beside the PBX, as bridge/README.md in the addon's folder tells. "
            "The set-up file of this form is its /etc/crm-telephony-bridge.ini with the webhook address and the secret in it: "
            "add the manager user's password."
        ),
        _(
            "Enter the phones as extensions of this account. Endpoints that nobody has entered are judged by what they do; "
            "this form shows them under Extensions, to say with one click which are trunks."
        ),
        _(
            "To call, hang up and pass calls on from Odoo, give the control user above the same password in ari.conf and in "
            "manager.conf, there with write = originate,call,reporting. Set webenabled = yes in manager.conf and enabled = yes "
            "in http.conf, let only Odoo's address in, and enter the address of this HTTP server above."
        ),
    )
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. Look whether the bridge beside the PBX runs and what its log says: it needs the "
                "webhook address and the secret of the set-up file of the PBX's form, and a manager user with read = "
                "call,agent,cdr,dialplan."
            ),
            'direction': _(
                "The call is logged as: %(direction)s. The PBX's events name trunks and phones alike: enter the trunk"
                " that the call came through under Trunks, and the phones as extensions."
            ),
            'no_time': _(
                "The events carry no time of the PBX, so that of the arrival stands in. Set timestampevents = yes in "
                "manager.conf, and reload the manager."
            ),
            'no_phone': _(
                "The events do not tell which phone answered. The manager user of the bridge needs read = "
                "call,agent,cdr,dialplan, and the phones have to be entered as extensions."
            ),
            'no_recording': _(
                "No recording was told. If you record with MixMonitor, name the folder under [recordings] in the "
                "bridge's configuration."
            ),
        }
    )

    def setup_file(self, account: Account) -> SetupFile:
        """Return the settings of the bridge, without the password of its manager user."""
        return SetupFile(
            'crm-telephony-bridge.ini',
            BRIDGE_SETTINGS.format(
                url=account.webhook_url.replace('\n', ''),
                secret=account.api_secret.replace('\n', ''),
            ),
        )

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        """Check the bridge's signature, or the login of the dialplan, which cannot sign and takes the
        control user."""
        if _is_lookup(request):
            signing.require_login(request, account.api_key, account.api_secret)
        else:
            signing.require_hmac(request, account.api_secret)

    def question(self, request: WebhookRequest, account: Account) -> Question | None:
        if not _is_lookup(request):
            return None
        return Question('route', request.param('number'), called=request.param('did'))

    def reply(self, request: WebhookRequest, answer: Answer | None = None) -> Reply:
        """Answer the dialplan's lookup: the salesperson's extension, a bar, the caller's name;
        either may be empty. The name comes without characters that a dialplan takes for syntax."""
        if not _is_lookup(request):
            return Reply()
        name = ' '.join(_SYNTAX.sub(' ', answer.caller_name).split()) if answer else ''
        return Reply(f"{answer.manager if answer else ''}|{name[:80]}")

    def split(self, request: WebhookRequest) -> list[dict]:
        """Make one payload of each event, without NOISE. An attended transfer belongs to two calls
        and is kept for each."""
        if _is_lookup(request):
            return []
        body = request.json()
        events = body.get('events') if isinstance(body, dict) else None
        if not isinstance(events, list):
            raise ProviderError(_("The body should be a JSON object with a list “events”."))
        payloads = []
        for event in events:
            if not isinstance(event, dict):
                payloads.append({'not_an_object': event})
            elif not _is_noise(event):
                payloads += [{**event, ami.KEPT_FOR: ref} for ref in _two_calls(event)] or [event]
        return payloads

    def identify(self, payload: Mapping, account: Account) -> Identity:
        if 'not_an_object' in payload:
            raise unfit('events', _("JSON objects"), str(payload['not_an_object'])[:100])
        kind, key = text_of(payload, 'Event', required=True), digest(payload)
        if kind not in USED or kind == cel.KIND and not cel.is_row(payload):
            return Identity(
                kind=kind,
                call_ref='',
                key=key,
                ignored=_("%(kind)s is not needed to tell a call.", kind=kind),
            )
        for name in USED[kind]:
            if not ami.text_at(payload, name):
                raise missing(name)
        ref = ami.call_ref(payload)
        if not ref and USED[kind]:
            raise missing('Linkedid')
        ami.read(Stored(payload, UNKNOWN_ARRIVAL))
        if kind == cel.KIND:
            cel.row_of(Stored(payload, UNKNOWN_ARRIVAL))
        return Identity(
            kind=kind,
            call_ref=ref,
            leg_ref=ami.leg_ref(payload),
            key=key,
            ignored='' if ref else _("This %(kind)s belongs to no call.", kind=kind),
        )

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        if not stored:
            return []
        return _tell(self._gather(stored, account))

    def _gather(self, stored: Sequence[Stored], account: Account) -> Call:
        ref = ami.call_ref(stored[0].payload)
        stored = cel.completed(stored)
        own, others = [], []
        for item in stored:
            is_own = ref in (ami.call_ref(item.payload), ami.leg_ref(item.payload))
            (own if is_own else others).append(item)
        others = _of_rooms(ref, own, others)
        events = sorted(map(ami.read, own), key=lambda event: event.order)
        call = ami.gather(
            ref, events, list(map(ami.read, others)), account, partial(self.phone, account=account)
        )
        for channel in sorted(call.channels.values(), key=lambda channel: channel.originated):
            channel.is_trunk = _does_what_a_trunk_does(call, channel)
        return call

    def strangers(self, calls: Iterable[Sequence[Stored]], account: Account) -> list[Stranger]:
        found = {}
        for stored in calls:
            for channel in self._gather(stored, account).channels.values():
                extension, name = ami.endpoint(channel.name), ami.technology(channel.name)
                if (
                    extension
                    and not channel.is_plumbing
                    and not _is_trunk_by_name(channel, account)
                    and (self.phone(channel, account) or extension) not in account.extensions
                ):
                    found[name] = Stranger(name, extension, not self.phone(channel, account))
        return [found[name] for name in sorted(found)]

    def dialled(self, number: str, account: Account) -> str:
        """Return the number as an employee in the account's country dials it."""
        return numbers.as_dialled(number, account.country)

    def deletion(self, payload: Mapping) -> Deletion | None:
        kind = payload.get('Event')
        if kind not in (DELETED, KEPT):
            return None
        why = text_of(payload, 'Why')
        return Deletion(text_of(payload, 'Name'), kind == DELETED, WHY_KEPT.get(why, why))

    def agent_channel(self, stored: Sequence[Stored], account: Account, leg_ref: str) -> str:
        channel = self._gather(stored, account).channels.get(leg_ref) if stored else None
        if not channel or channel.is_plumbing:
            return ''
        return 'first' if self.phone(channel, account) else 'second'

    def legs_told(self, new: Sequence[Stored], known: Sequence[Stored]) -> set[str]:
        return ami.legs_told(
            [item.payload for item in cel.completed(new)],
            [item.payload for item in cel.completed(known)],
        )

    def phone(self, channel: Channel, account: Account) -> str:
        """Return the extension of a channel, '' for a trunk and for plumbing.

        What the admin has entered counts. Otherwise the context decides, then what the channel
        does, and at last whether its name is short.
        """
        endpoint = '' if channel.is_plumbing else ami.endpoint(channel.name)
        if not endpoint or _is_trunk_by_name(channel, account):
            return ''
        if endpoint in account.extensions:
            return endpoint
        if channel.context.startswith(TRUNK_CONTEXTS) or channel.is_trunk:
            return ''
        return endpoint if channel.context.startswith(PHONE_CONTEXTS) or _is_short(endpoint) else ''


def _is_lookup(request: WebhookRequest) -> bool:
    return request.suffix.strip('/') == LOOKUP


def _is_noise(event: Mapping) -> bool:
    kind, variable = event.get('Event'), event.get('Variable')
    if kind == 'VarSet':
        return isinstance(variable, str) and variable.lstrip('_') not in ami.VARIABLES
    # the dialplan sets the number of this channel; only that of the caller's own channel is used
    if kind == 'NewCallerid':
        return event.get('Uniqueid') != event.get('Linkedid')
    return isinstance(kind, str) and kind in NOISE


def _two_calls(event: Mapping) -> list[str]:
    refs = [event.get('OrigTransfererLinkedid'), event.get('SecondTransfererLinkedid')]
    if event.get('Event') != 'AttendedTransfer' or refs[0] == refs[1]:
        return []
    return refs if all(ref and isinstance(ref, str) for ref in refs) else []


def _is_short(text: str) -> bool:
    return text.isdigit() and len(text) <= numbers.SHORT


def _is_own(number: str, account: Account) -> bool:
    return numbers.to_e164(number, account.country) in account.own_numbers


def _is_trunk_by_name(channel: Channel, account: Account) -> bool:
    return bool(
        account.trunks & {ami.endpoint(channel.name), ami.technology(channel.name), channel.context}
    )


def _is_outside(number: str, account: Account) -> bool:
    return bool(numbers.to_e164(number, account.country)) and not _is_own(number, account)


def _of_rooms(ref: str, own: Sequence[Stored], others: Sequence[Stored]) -> list[Stored]:
    """Return those of other calls' events that tell which channels were in a room with this call's
    first channel, also behind Local channels, and when they hung up."""
    entries = ami.entries_of(item.payload for item in (*own, *others))
    rooms, _legs = ami.connected(set(), {ref}, entries)
    there = {leg for leg, _pair, place in entries if place in rooms} | {
        ami.text_at(item.payload, 'DestUniqueid') for item in own
    }
    return [
        item
        for item in others
        if ami.text_at(item.payload, 'Uniqueid') in there
        and (item.payload['Event'] == 'Hangup' or ami.room(item.payload) in rooms)
    ]


def _does_what_a_trunk_does(call: Call, channel: Channel) -> bool:
    """Return whether a channel, whose endpoint nobody has entered, carries a call from outside or to
    the outside."""
    account, is_at_phones = call.account, channel.context.startswith(PHONE_CONTEXTS)
    if channel.carries:
        return not is_at_phones or _is_outside(channel.carries, account)
    if channel.originated or channel.is_plumbing:
        return not is_at_phones and _leads_outside(call, channel)
    if channel.exten.startswith(('*', '#')):
        return False  # a service of the PBX
    if not is_at_phones and _is_own(channel.exten, account):
        return True
    dials_out = _is_outside(channel.exten, account)
    if _is_outside(channel.number, account):
        # a phone may show an outside number of its own, but then it calls out through a trunk
        return (
            not dials_out
            or not is_at_phones
            and not any(attempt.dest.carries for attempt in call.tries_of(channel))
        )
    return (
        not numbers.clean(channel.number)
        and not dials_out
        and (channel.exten == 's' or not is_at_phones)
    )


def _leads_outside(call: Call, channel: Channel) -> bool:
    """Return whether an employee dialled an outside number and got this channel, whose context is
    another than that of phones."""
    first, attempt = call.first, call.tries.get(channel.uid)
    return bool(
        first
        and attempt
        and attempt.caller == first.uid
        and call.phone(first)
        and channel.context != first.context
        and _is_outside(first.exten, call.account)
    )


# --- the story ---------------------------------------------------------------------------------------------------


def _tell(call: Call) -> list[CallEvent]:
    first = call.first
    if call.ref in call.heirs:
        return [CallEvent('void', call.ref, at=call.events[0].at, note=TAKEN_UP)]
    if not first:
        return _no_call(call)
    # the employee is behind the Local channel of a click-to-call
    twin = call.twin(first)
    tries = call.tries_of(first, without=twin)
    is_trunk = not first.is_plumbing and not call.phone(first)
    direction = _direction(call, tries, is_trunk)
    if not is_trunk and not tries and (first.originated or not direction):
        return _no_call(call)

    phones, others, employee = _sides(call, direction, is_trunk, tries)
    extension = call.phone(employee) if employee else ''
    placed_by = extension if direction == 'outbound' else ''
    called = _called(call, is_trunk, others)
    caller = _caller(call, direction, others, called) or extension
    say = partial(
        CallEvent, external_id=call.ref, direction=direction, caller=caller, called=called
    )
    joined = _joined(call)
    known = {attempt.dest.uid for attempt in tries} | {channel.uid for channel, *_times in joined}
    company = _company(call, direction, others, known | {employee.uid if employee else ''})

    events = _customer_side(
        call, say, [attempt for attempt in others if attempt not in phones], placed_by
    )
    if placed_by and employee.ended:
        events.append(say('leg_ended', at=employee.ended, extension=placed_by))
    for attempt in phones:
        events += _leg(call, say, attempt)
    for channel, since, until in joined + company:
        events += _talk(say, call.phone(channel), since, until)
    if company or any(attempt.answered for attempt in others):
        files = _recordings(call, _talks({*others, *phones}, joined + company))
        events += [say('recording', at=at, recording_ref=name) for at, name in files]
    if ended_at := _ended_at(call, direction, others):
        outcome = 'answered' if company else _outcome(call, direction, others)
        events.append(say('ended', at=ended_at, outcome=outcome))
    return events


def _sides(
    call: Call, direction: str, is_trunk: bool, tries: list[Try]
) -> tuple[list[Try], list[Try], Channel | None]:
    """Return the attempts to reach phones of ours, the attempts to reach whom the caller wanted,
    whose answers and refusals make the outcome, and the employee who takes part from the start."""
    first = call.first
    phones = [attempt for attempt in tries if call.phone(attempt.dest)]
    others = tries
    if direction == 'outbound':
        others = [attempt for attempt in tries if attempt not in phones]
    if direction == 'outbound' and is_trunk:
        # the PBX was told to ring the customer first
        return phones, [call.tries[first.uid]] if first.uid in call.tries else [], _who(phones)
    if is_trunk:
        return phones, others, None
    twin = call.twin(first)
    return phones, others, _who(call.tries_of(twin, without=first)) if twin else first


def _customer_side(
    call: Call, say: Callable[..., CallEvent], customers: Sequence[Try], placed_by: str
) -> list[CallEvent]:
    """Tell the beginning of the call, its queues and the customer's answers.

    :param customers: the attempts to reach whom the caller wanted, without phones of ours
    """
    began = min(call.first.born or call.events[0].at, call.events[0].at)
    events = [say('ringing', at=began, extension=placed_by)]
    events += [
        say('ringing', at=event.at, queue=event['Queue']) for event in call.named('QueueCallerJoin')
    ]
    events += [
        say('answered', at=attempt.over, extension=placed_by)
        for attempt in customers
        if attempt.answered
    ]
    return events


def _no_call(call: Call) -> list[CallEvent]:
    """Say why this is no call with a customer: a click-to-call that came to nothing, or a phone that
    called a service of the PBX. Empty while that may still change."""
    first = call.first
    has_failed = any(event['Response'] == 'Failure' for event in call.named('OriginateResponse'))
    is_over = (
        first
        and (first.originated or first.born)
        and all(channel.ended for channel in call.channels.values())
    )
    if not has_failed and not is_over:
        return []
    if not has_failed and _calls_itself(call):
        note = TAKEN_UP
    elif not has_failed and not first.originated:
        note = _(
            "%(phone)s called a service of the PBX: %(number)s",
            phone=ami.endpoint(first.name),
            number=first.exten,
        )
    elif any(attempt.status == 'ANSWER' for attempt in call.tries.values()):
        note = _("Click-to-call: the employee picked up, but the customer was not called.")
    else:
        note = _("Click-to-call: the employee did not pick up, so the customer was not called.")
    return [CallEvent('void', call.ref, at=call.events[0].at, note=note)]


def _direction(call: Call, tries: Sequence[Try], is_trunk: bool) -> str:
    """Return the direction, '' while nobody is called: an employee's own phone rings, or the
    employee listens to a service of the PBX."""
    first, account = call.first, call.account
    if is_trunk:
        return 'outbound' if first.originated else 'inbound'
    if not first.originated:
        if _calls_itself(call) and not tries:
            return ''
        if first.exten in account.extensions:
            return 'internal'
        dials_out = (
            first.exten.lstrip('+').isdigit()
            and not _is_short(first.exten)
            and not _is_own(first.exten, account)
        )
        if dials_out and not tries:
            return 'internal' if _stays_inside(call) else 'outbound'
        # a colleague may be called by an outside number: who was reached decides, not the digits
        if dials_out and tries:
            reached = [attempt for attempt in tries if attempt.answered][:1] or tries
            return (
                'internal' if all(call.phone(attempt.dest) for attempt in reached) else 'outbound'
            )
    if not tries:
        return ''
    return 'internal' if call.phone(tries[0].dest) else 'outbound'


def _calls_itself(call: Call) -> bool:
    """Return whether a phone called its own number, as a browser does to take its talk up again."""
    first = call.first
    return bool(first and first.exten) and first.exten == call.phone(first)


def _stays_inside(call: Call) -> bool:
    """Return whether the first channel came to a queue, a mailbox or colleagues, though nobody was
    dialled."""
    return bool(
        call.named('QueueCallerJoin')
        or any(ami.MAILBOX in event.variables for event in call.events)
        or any(call.phone(channel) for channel, _since, _until in call.company(call.first))
    )


def _who(tries: Sequence[Try]) -> Channel | None:
    """Return the channel that answered, else the one that was rung first."""
    answered_first = sorted(tries, key=lambda attempt: not attempt.answered)
    return next((attempt.dest for attempt in answered_first), None)


def _called(call: Call, is_trunk: bool, others: Sequence[Try]) -> str:
    """Return what the caller dialled. The first channel of a click-to-call dials nothing itself, and
    a trunk may call `s`."""
    first = call.first
    if not first.originated and any(char.isdigit() for char in first.exten):
        return first.exten
    if is_trunk and not first.originated:
        dids = (event.variables.get(name) for event in call.events for name in ami.DIDS)
        return next(filter(None, dids), '')
    asked = [event['Exten'] for event in call.named('OriginateResponse')] if not is_trunk else []
    asked += [ami.asked_for(attempt.string) for attempt in others]
    return next(filter(None, asked), '')


def _caller(call: Call, direction: str, others: Sequence[Try], called: str) -> str:
    """Return the number of an inbound caller; of an outgoing call our number that the customer
    sees, if the dialplan sets it before it dials; otherwise ''."""
    if direction == 'inbound':
        return call.first.number
    if direction != 'outbound':
        return ''
    to_e164 = partial(numbers.to_e164, country=call.account.country)
    return next(
        (
            attempt.shown
            for attempt in others
            if to_e164(attempt.shown) not in ('', to_e164(called))
        ),
        '',
    )


def _leg(call: Call, say: Callable[..., CallEvent], attempt: Try) -> list[CallEvent]:
    """Tell the leg of a phone of ours that was dialled. A colleague who picks the call up takes over
    its channel, so the phone that rang and the one that talked may differ."""
    rung = call.phone(attempt.dest)
    taker = call.phone(replace(attempt.dest, name=attempt.taken_as)) if attempt.answered else ''
    outcome = 'no_answer' if _refusal(attempt) == 'rejected' else _refusal(attempt)
    if not attempt.rang and not taker and outcome != 'busy':
        return []  # it is offline
    events = [
        say('ringing', at=attempt.begun or attempt.over, extension=rung),
        *_talk(say, taker, attempt.over, attempt.dest.ended),
    ]
    if taker != rung and (over := attempt.over or attempt.dest.ended):
        events.append(say('leg_ended', at=over, extension=rung, outcome=outcome))
    return events


def _talk(
    say: Callable[..., CallEvent], extension: str, since: datetime, until: datetime | None
) -> list[CallEvent]:
    if not extension:
        return []
    ended = [say('leg_ended', at=until, extension=extension)] if until else []
    return [say('answered', at=since, extension=extension), *ended]


def _talks(
    tries: Iterable[Try], company: Iterable[tuple[Channel, datetime, datetime | None]]
) -> list[tuple[datetime, datetime | None]]:
    """Return from when until when somebody talked."""
    talks = [(attempt.over, attempt.dest.ended) for attempt in tries if attempt.answered]
    return talks + [(since, until) for _channel, since, until in company]


def _joined(call: Call) -> list[tuple[Channel, datetime, datetime | None]]:
    """Return the channels that came in by an attended transfer, from when until when. Behind a Local
    channel it is the channel that answered."""
    found = []
    for event in _transfers(call):
        orig, second = event['OrigTransfererLinkedid'], event['SecondTransfererLinkedid']
        side = 'TransferTarget' if call.ref == orig or orig == second else 'Transferee'
        uid, name = event[side + 'Uniqueid'], event[side + 'Channel']
        if not uid and (entry := _entry(call, event)):
            uid, name = entry['Uniqueid'], entry['Channel']
        if uid and not _absorbed(call, event):
            channel = call.channels.get(uid) or Channel(uid, name)
            talkers = [channel]
            if channel.is_plumbing:
                talkers = [attempt.dest for attempt in call.tries_of(channel) if attempt.answered]
            found += [(talker, event.at, talker.ended) for talker in talkers]
    return found


def _company(
    call: Call,
    direction: str,
    others: Sequence[Try],
    known: set[str],
) -> list[tuple[Channel, datetime, datetime | None]]:
    """Return phones of ours that nobody dialled but that the customer heard, from when until
    when."""
    heard = [attempt.dest for attempt in others if attempt.answered]
    if direction == 'inbound' or not others:
        heard = [call.first]
    elif direction == 'internal':
        heard = []
    return [
        (channel, since, until)
        for listener in heard
        for channel, since, until in call.company(listener)
        if channel.uid not in known and call.phone(channel)
    ]


def _entry(call: Call, transfer: Event) -> Event | None:
    """Return how the target of a transfer entered the bridge, if Asterisk does not name the target
    because it had left the consultation already."""
    entries = [
        event
        for event in call.named('BridgeEnter')
        if event['BridgeUniqueid']
        and event['BridgeUniqueid'] == transfer['DestBridgeUniqueid']
        and abs(event.at - transfer.at) < AT_ONCE
    ]
    return min(entries, key=lambda event: abs(event.at - transfer.at), default=None)


def _transfers(call: Call) -> list[Event]:
    events = call.named('AttendedTransfer')
    return [
        event
        for event in events
        if event['Result'] in ('', 'Success') and event['DestType'] != 'Fail'
    ]


def _absorbed(call: Call, transfer: Event) -> bool:
    """Return whether the transfer merges this call into the other one. The older Linkedid stays, so
    as a rule it is the consultation's that goes."""
    orig, second = transfer['OrigTransfererLinkedid'], transfer['SecondTransfererLinkedid']
    ages = [
        (int(match[1]), int(match[2]))
        for ref in (orig, second)
        if (match := _DEFAULT_ID.search(ref))
    ]
    stays = second if len(ages) == 2 and ages[1] < ages[0] else orig
    return call.ref != stays


def _ended_at(call: Call, direction: str, others: Sequence[Try]) -> datetime | None:
    """Return when the call ended: with the customer's leg; between colleagues, or if no customer was
    reached, with the last leg. None while it goes on."""
    if direction == 'inbound' and call.first.ended:
        return call.first.ended
    if absorbed := [event.at for event in _transfers(call) if _absorbed(call, event)]:
        return absorbed[0]
    legs = list(call.channels.values())
    if direction == 'inbound':
        legs = [call.first]
    elif direction == 'outbound' and any(attempt.answered for attempt in others):
        legs = [attempt.dest for attempt in others if attempt.answered]
    return max(leg.ended for leg in legs) if all(leg.ended for leg in legs) else None


def _outcome(call: Call, direction: str, others: Sequence[Try]) -> str:
    if any(attempt.answered for attempt in others):
        return 'answered'
    if direction != 'outbound' and _has_message(call):
        return 'voicemail'
    refusals = [_refusal(attempt) for attempt in others]
    if direction != 'inbound':
        if not refusals:
            return 'no_answer' if direction == 'internal' and _stays_inside(call) else 'failed'
        # the last attempt decides: a trunk that fails is followed by another one
        if refusals[-1] == 'rejected':
            return 'busy' if others[-1].dest.tech_cause == DECLINED else 'failed'
        return refusals[-1]
    if call.named('QueueCallerAbandon') or (not others and _left_menu(call)):
        return 'abandoned'
    if refusals and set(refusals) == {'busy'}:
        return 'busy'
    if refusals and set(refusals) == {'failed'} and not any(attempt.rang for attempt in others):
        return 'failed'
    return 'missed'


def _refusal(attempt: Try) -> str:
    """Return how an attempt came to nothing. The cause with which the dialled leg was hung up counts
    before DialStatus, because it is finer."""
    cause = attempt.dest.cause
    if cause == REJECTED:
        return 'rejected'
    if cause == BUSY or attempt.status == 'BUSY':
        return 'busy'
    if cause in FAILED_CAUSES or (attempt.status in FAILED_STATUS and cause not in UNREACHED):
        return 'failed'
    return 'no_answer'


def _has_message(call: Call) -> bool:
    """Return whether a voice message was left."""
    return any(event['New'] != '0' for event in call.named('MessageWaiting')) or any(
        event.variables.get(ami.MAILBOX) == 'SUCCESS' for event in call.events
    )


def _left_menu(call: Call) -> bool:
    """Return whether the caller hung up by themselves, after the PBX had answered the line, and not
    in front of a mailbox."""
    if any(ami.MAILBOX in event.variables for event in call.events):
        return False
    asked = [event for event in call.named('HangupRequest') if event['Uniqueid'] == call.ref]
    return any(event['ChannelStateDesc'] == 'Up' for event in asked)


def _recordings(
    call: Call, talks: Sequence[tuple[datetime, datetime | None]]
) -> list[tuple[datetime, str]]:
    """Return the files in which somebody talked, and when each began. Those of a consultation do not
    belong to the call. Without the variable a Cdr names the file."""
    members = {channel.uid for channel in call.reach(call.first)}
    started: dict[str, dict[str, datetime]] = {}
    for event in call.events:
        if event['Uniqueid'] in members and (
            name := _base_name(event.variables.get(ami.RECORDING, ''))
        ):
            started.setdefault(event['Uniqueid'], {}).setdefault(name, event.at)
    if not started:
        rows = [event for event in call.named('Cdr') if event['UniqueID'] in members]
        return [
            (event.at, name)
            for event in rows
            if event['Disposition'] == 'ANSWERED' and (name := _base_name(event['RecordingFile']))
        ]
    found = []
    for files in started.values():
        starts = list(files.values())
        for (name, start), following in zip(files.items(), [*starts[1:], None]):
            if any(
                (not following or taken < following) and (not over or over > start)
                for taken, over in talks
            ):
                found.append((start, name))
    return found


def _base_name(path: str) -> str:
    name = re.split(r'[/\\]', path)[-1]
    return '' if name in ('.', '..') else name
