"""What AMI events say of a call, as facts that have no order of arrival.

A call is all the channels that share a Linkedid: when each appeared and hung up, who dialled whom and how that ended,
who entered a bridge. What follows from it is the adapter's business.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from .base import Account, Stored, _, believed, text_of, unfit

# Channel variables that are used, without the underscores of inheritance.
RECORDING, MAILBOX, DIDS = 'MIXMONITOR_FILENAME', 'VMSTATUS', ('FROM_DID', 'DID')
VARIABLES = frozenset({RECORDING, MAILBOX, *DIDS})

HEADERS = (
    'Event', 'Channel', 'Uniqueid', 'Context', 'Exten', 'CallerIDNum', 'ChannelStateDesc',
    'DestChannel', 'DestUniqueid', 'DestContext', 'DestChannelStateDesc', 'DialStatus', 'DialString',
    'Cause', 'TechCause', 'Queue', 'New', 'Variable', 'Value', 'Response', 'UniqueID', 'Disposition', 'RecordingFile',
    'Result', 'DestType', 'Application', 'BridgeId', 'Duration', 'BridgeUniqueid', 'DestBridgeUniqueid',
    'OrigTransfererLinkedid', 'SecondTransfererLinkedid', 'TransfereeUniqueid', 'TransfereeChannel',
    'TransferTargetUniqueid', 'TransferTargetChannel',
)
NOTHING = frozenset({'<unknown>', '<null>', '<none>'})
# Our own header: which of its two calls an AttendedTransfer is kept for.
KEPT_FOR = 'KeptForLinkedid'
# Where an event has the id of its call, if not in Linkedid. A Cdr has LinkedID when cdr_manager.conf maps it.
CALL_REF = {
    'AttendedTransfer': (KEPT_FOR, 'OrigTransfererLinkedid'),
    'OriginateResponse': ('Uniqueid',),
    'Cdr': ('LinkedID', 'UniqueID'),
}

# The application of a channel that was dialled, as the list of live channels names it.
DIALLED = frozenset({'AppDial', 'AppDial2', 'AppQueue'})
PLUMBING = frozenset({'Local', 'Surrogate', 'Announcer', 'Recorder', 'Snoop', 'Message', 'CBAnn', 'CBRec'})


# --- one event ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Event:
    """An AMI event with the headers that are used; '' for what is absent."""
    at: datetime
    headers: Mapping[str, str]
    variables: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.headers[name]

    @property
    def order(self):
        return self.at, self['Event'] != 'Newchannel', repr(self)


def read(stored: Stored) -> Event:
    """:raise ProviderError: a header that is used is no text, or the time is none"""
    payload = stored.payload
    headers = {name: text_at(payload, name) for name in HEADERS}
    lines = payload.get('ChanVariable') or []
    pairs = [str(line).partition('=')[::2] for line in (lines if isinstance(lines, list) else [lines])]
    pairs += [(headers['Variable'], headers['Value'])] if headers['Event'] == 'VarSet' else []
    variables = {name.lstrip('_'): value for name, value in pairs if value and name.lstrip('_') in VARIABLES}
    return Event(_time(payload) or stored.received_at, headers, variables)


def text_at(payload: Mapping, name: str) -> str:
    """A header's text, '' for AMI's words for nothing."""
    text = text_of(payload, name)
    return '' if text.lower() in NOTHING else text


def _time(payload: Mapping) -> datetime | None:
    name = 'Timestamp' if payload.get('Timestamp') else 'ReceivedAt'
    text = text_of(payload, name)
    try:
        return believed(datetime.fromtimestamp(float(text), timezone.utc)) if text else None
    except (ValueError, OverflowError, OSError):
        raise unfit(name, _("a time in Unix seconds"), text[:100]) from None


def call_ref(payload: Mapping) -> str:
    """The Linkedid of the call, '' for none."""
    names = CALL_REF.get(payload['Event'], ('Linkedid', 'DestLinkedid'))
    return next((ref for name in names if (ref := text_at(payload, name))), '')


# --- the facts of a call -----------------------------------------------------------------------------------------

@dataclass(eq=False)
class Channel:
    """One leg, as it was first told of: a pick-up changes its name, the dialplan its context and its number."""
    uid: str
    name: str
    context: str = ''
    number: str = ''
    exten: str = ''             # what was dialled; only Newchannel tells, later it is s, h or a queue's number
    originated: bool = False    # made by the PBX to ring somebody, not by somebody who calls
    born: datetime | None = None
    ended: datetime | None = None
    cause: str = ''
    tech_cause: str = ''
    bridged: datetime | None = None

    @property
    def is_plumbing(self) -> bool:
        return self.name.partition('/')[0] in PLUMBING


@dataclass(eq=False)
class Try:
    """One attempt to reach a channel. `caller` is the Uniqueid of who dialled, '' where the PBX itself did."""
    dest: Channel
    caller: str = ''
    string: str = ''
    shown: str = ''             # the number that it sees as its caller's
    begun: datetime | None = None
    over: datetime | None = None
    status: str = ''
    taken_as: str = ''          # the channel's name at the end of the attempt
    rang: bool = True
    is_found: bool = False      # only the list of live channels told of it

    @property
    def answered(self) -> bool:
        """Somebody talked. Who hung up without a bridge was only asked whether he takes the call."""
        return self.status == 'ANSWER' and (self.dest.bridged or not self.dest.ended)

    @property
    def order(self):
        return self.begun or self.over, self.dest.uid


@dataclass(eq=False)
class Call:
    """The channels of one Linkedid. `events` are in the order of their times, `phone` tells a channel's extension."""
    ref: str
    events: list[Event]
    account: Account
    phone: Callable[[Channel], str]
    channels: dict[str, Channel] = field(default_factory=dict)
    tries: dict[str, Try] = field(default_factory=dict)      # by the Uniqueid of who was to be reached

    @property
    def first(self) -> Channel | None:
        return self.channels.get(self.ref)

    def named(self, kind: str) -> list[Event]:
        return [event for event in self.events if event['Event'] == kind]

    def twin(self, channel: Channel) -> Channel | None:
        """The other half of a Local channel."""
        other = {';1': ';2', ';2': ';1'}.get(channel.name[-2:], '')
        return next((one for one in self.channels.values() if other and one.name == channel.name[:-2] + other), None)

    def reach(self, start: Channel, without: Channel | None = None) -> list[Channel]:
        """`start` and whom it dialled, directly or through Local channels; not what only `without` leads to."""
        found, todo = [], [start]
        while todo:
            channel = todo.pop()
            if channel not in found and channel is not without:
                found.append(channel)
                todo += [one.dest for one in self.tries.values() if one.caller == channel.uid]
                todo += [twin] if (twin := self.twin(channel)) else []
        return found

    def tries_of(self, start: Channel, without: Channel | None = None) -> list[Try]:
        """The attempts to reach somebody from `start`, in order, without the plumbing on the way."""
        found = [self.tries[one.uid] for one in self.reach(start, without)[1:] if one.uid in self.tries]
        return sorted((one for one in found if not one.dest.is_plumbing), key=lambda one: one.order)


def gather(ref: str, events: list[Event], account: Account, phone: Callable[[Channel], str]) -> Call:
    call = Call(ref, events, account, phone)
    for event in events:
        kind = event['Event']
        if kind in CALL_REF:
            continue        # it tells of no single channel, or not by its Uniqueid
        channel = _channel(call, event['Uniqueid'], event['Channel'], event['Context'], event['CallerIDNum'])
        dest = _channel(call, event['DestUniqueid'], event['DestChannel'], event['DestContext'])
        if kind == 'Newchannel' and not channel.born:
            channel.born, channel.exten = event.at, event['Exten']
            channel.originated = channel.originated or event['ChannelStateDesc'] == 'Down'
        elif kind == 'BridgeEnter':
            channel.bridged = channel.bridged or event.at
        elif kind == 'CoreShowChannel':
            _note_alive(call, channel, event)
        elif kind == 'Hangup':
            channel.ended, channel.cause, channel.tech_cause = event.at, event['Cause'], event['TechCause']
        elif kind in ('DialBegin', 'DialEnd'):
            dest.originated = True
            _note(call.tries.setdefault(dest.uid, Try(dest)), event)
    for attempt in call.tries.values():
        _fill_gaps(call, attempt)
    return call


def _channel(call: Call, uid: str, name: str, context: str, number: str = '') -> Channel | None:
    if not uid or not name:
        return None
    return call.channels.setdefault(uid, Channel(uid, name, context, number))


def _note(attempt: Try, event: Event) -> None:
    attempt.caller = attempt.caller or event['Uniqueid']
    attempt.string = attempt.string or event['DialString']
    if event['Event'] == 'DialBegin':
        attempt.begun, attempt.shown = attempt.begun or event.at, attempt.shown or event['CallerIDNum']
    elif attempt.status != 'ANSWER':        # the end may be told twice
        attempt.over, attempt.status = event.at, event['DialStatus']
        attempt.taken_as, attempt.rang = event['DestChannel'], event['DestChannelStateDesc'] != 'Down'


def _note_alive(call: Call, channel: Channel, event: Event) -> None:
    """A channel as the bridge found it after a gap. It stands in for the events of the gap that told the same."""
    if not channel.born:
        channel.born, channel.exten = event.at - _duration(event['Duration']), event['Exten']
    if event['BridgeId']:
        channel.bridged = channel.bridged or event.at
    if event['Application'] in DIALLED:
        channel.originated = True
        attempt = call.tries.setdefault(channel.uid, Try(channel, is_found=True))
        attempt.begun = attempt.begun or channel.born


def _fill_gaps(call: Call, attempt: Try) -> None:
    """Who is in a bridge has answered, whether that was heard or not; who dialled him was most likely the caller."""
    if attempt.is_found and attempt.dest.uid != call.ref:
        attempt.caller = attempt.caller or call.ref
    if not attempt.status and attempt.dest.bridged:
        attempt.over, attempt.status, attempt.taken_as = attempt.dest.bridged, 'ANSWER', attempt.dest.name


def _duration(text: str) -> timedelta:
    """01:02:03"""
    parts = [int(part) for part in text.split(':') if part.isdigit() and len(part) < 6]
    return timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2]) if len(parts) == 3 else timedelta()


def endpoint(name: str) -> str:
    """PJSIP/my-trunk-0000001b: my-trunk"""
    return name.rpartition('/')[2].rpartition('-')[0]
