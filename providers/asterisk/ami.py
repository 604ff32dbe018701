"""What AMI events say of a call, as facts that have no order of arrival.

A call is all the channels that share a Linkedid: when each appeared and hung up, who dialled whom
and how that ended, who entered a bridge. What follows from it is the adapter's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from .. import numbers
from ..base import Account, Stored, _, believed, text_of, unfit

# Channel variables that are used, without the underscores of inheritance.
RECORDING, MAILBOX, DIDS = 'MIXMONITOR_FILENAME', 'VMSTATUS', ('FROM_DID', 'DID')
VARIABLES = frozenset({RECORDING, MAILBOX, *DIDS})

HEADERS = (
    'Event',
    'Channel',
    'Uniqueid',
    'Context',
    'Exten',
    'CallerIDNum',
    'ChannelStateDesc',
    'DestChannel',
    'DestUniqueid',
    'DestContext',
    'DestChannelStateDesc',
    'DialStatus',
    'DialString',
    'Cause',
    'TechCause',
    'Queue',
    'New',
    'Variable',
    'Value',
    'Response',
    'UniqueID',
    'Disposition',
    'RecordingFile',
    'Result',
    'DestType',
    'Application',
    'BridgeId',
    'Duration',
    'BridgeUniqueid',
    'DestBridgeUniqueid',
    'OrigTransfererLinkedid',
    'SecondTransfererLinkedid',
    'TransfereeUniqueid',
    'TransfereeChannel',
    'TransferTargetUniqueid',
    'TransferTargetChannel',
    'BridgeTechnology',
    'Conference',
    'Meetme',
    'DestLinkedid',
    'ParkeeUniqueid',
    'RetrieverUniqueid',
)
NOTHING = frozenset({'<unknown>', '<null>', '<none>'})
# Our own header: which of its two calls an AttendedTransfer is kept for.
KEPT_FOR = 'KeptForLinkedid'
# Where an event has the id of its call, if not in Linkedid. A Cdr has LinkedID when
# cdr_manager.conf maps it.
CALL_REF = {
    'AttendedTransfer': (KEPT_FOR, 'OrigTransfererLinkedid'),
    'OriginateResponse': ('Uniqueid',),
    'UnParkedCall': ('ParkeeLinkedid',),
    'Cdr': ('LinkedID', 'UniqueID'),
}

# Who enters a room can be heard by all who are in it, and who leaves it no more. A room is a bridge
# or a conference.
ENTER = frozenset({'BridgeEnter', 'ConfbridgeJoin', 'MeetmeJoin'})
LEAVE = frozenset({'BridgeLeave', 'ConfbridgeLeave', 'MeetmeLeave'})
MEETME = frozenset({'MeetmeJoin', 'MeetmeLeave'})
# Where callers and agents wait without hearing each other: a parking lot, a pool of agents.
HOLDING = 'holding_bridge'

# Digits at the end that make two spellings of a number the same.
SAME = 7

# The application of a channel that was dialled, as the list of live channels names it.
DIALLED = frozenset({'AppDial', 'AppDial2', 'AppQueue'})
PLUMBING = frozenset(
    {'Local', 'Surrogate', 'Announcer', 'Recorder', 'Snoop', 'Message', 'CBAnn', 'CBRec'}
)


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
    pairs = [
        str(line).partition('=')[::2] for line in (lines if isinstance(lines, list) else [lines])
    ]
    pairs += [(headers['Variable'], headers['Value'])] if headers['Event'] == 'VarSet' else []
    variables = {
        name.lstrip('_'): value for name, value in pairs if value and name.lstrip('_') in VARIABLES
    }
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


def leg_ref(payload: Mapping) -> str:
    """The leg of which an event tells, where it is another than the call's first: '' otherwise. It
    may have been a call of its own before it was bridged with an older one.

    Who meets in a conference of MeetMe keeps his Linkedid: the conference of that day is what their
    calls have in common.
    """
    if payload['Event'] in MEETME:
        at = _time(payload)
        return f"meetme:{text_at(payload, 'Meetme')}:{at:%Y-%m-%d}" if at else ''
    if payload['Event'] == 'UnParkedCall':
        return text_at(payload, 'RetrieverUniqueid')
    if payload['Event'] in CALL_REF:
        return ''
    ref, dest_ref = call_ref(payload), text_at(payload, 'DestLinkedid')
    leg = text_at(payload, 'DestUniqueid' if dest_ref not in ('', ref) else 'Uniqueid')
    return leg if ref and leg != ref else ''


def legs_told(new: Iterable[Mapping], known: Iterable[Mapping]) -> set[str]:
    """The legs of which new events tell, and those in the rooms of which they tell, also behind
    Local channels."""
    entries = entries_of(known)
    legs = {
        text_at(payload, name)
        for payload in new
        for name in ('Uniqueid', 'DestUniqueid', 'ParkeeUniqueid')
    } - {''}
    rooms = {place for payload in new if (place := room(payload))}
    gone = {text_at(payload, 'Uniqueid') for payload in new if payload['Event'] == 'Hangup'}
    rooms |= {place for leg, _pair, place in entries if leg in gone}
    rooms, _legs = connected(rooms, set(), entries)
    return (
        legs
        | {leg_ref(payload) for payload in new}
        | {leg for leg, _pair, place in entries if place in rooms}
    )


def entries_of(payloads: Iterable[Mapping]) -> list[tuple[str, str, str]]:
    """Who was in which room: the leg, the Local channel of which it is a half, and the room."""
    return [
        (text_at(payload, 'Uniqueid'), pair(text_at(payload, 'Channel')), place)
        for payload in payloads
        if (place := room(payload))
    ]


def connected(
    rooms: set[str], legs: set[str], entries: Sequence[tuple[str, str, str]]
) -> tuple[set[str], set[str]]:
    """The rooms that can be heard in these or by these legs, and the legs and Local channels
    through which."""
    before = -1
    while before != (before := len(legs) + len(rooms)):
        rooms = rooms | {place for leg, pair, place in entries if leg in legs or pair in legs}
        legs = legs | {pair for _leg, pair, place in entries if pair and place in rooms}
    return rooms, legs


def room(payload: Mapping) -> str:
    """The bridge or conference of which an event tells, '' for none and for one in which nobody
    hears the others."""
    if payload['Event'] not in ENTER | LEAVE or payload.get('BridgeTechnology') == HOLDING:
        return ''
    return next(
        (
            f'{name}:{text}'
            for name in ('BridgeUniqueid', 'Conference', 'Meetme')
            if (text := payload.get(name))
        ),
        '',
    )


# --- the facts of a call -----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Stay:
    """A channel in a room. Who is only heard to leave has come before; who does not leave stays
    until he hangs up."""

    room: str
    since: datetime | None
    until: datetime | None = None


@dataclass(eq=False)
class Channel:
    """One leg, as it was first told of: a pick-up changes its name, the dialplan its context and
    its number. The number is the first that is known, for an analogue line tells it some rings
    later."""

    uid: str
    name: str
    context: str = ''
    number: str = ''
    # what was dialled; only Newchannel tells, later it is s, h or a queue's number
    exten: str = ''
    originated: bool = False  # made by the PBX to ring somebody, not by somebody who calls
    born: datetime | None = None
    ended: datetime | None = None
    cause: str = ''
    tech_cause: str = ''
    bridged: datetime | None = None
    stays: list[Stay] = field(default_factory=list)
    # the number that was dialled through it, where that is not its own name
    carries: str = ''
    # what it does, see asterisk.py; None where that tells nothing
    is_trunk: bool | None = None

    @property
    def is_plumbing(self) -> bool:
        return is_plumbing(self.name)


@dataclass(eq=False)
class Try:
    """One attempt to reach a channel. `caller` is the Uniqueid of who dialled, '' where the PBX
    itself did."""

    dest: Channel
    caller: str = ''
    string: str = ''
    shown: str = ''  # the number that it sees as its caller's
    begun: datetime | None = None
    over: datetime | None = None
    status: str = ''
    taken_as: str = ''  # the channel's name at the end of the attempt
    rang: bool = True
    is_found: bool = False  # only the list of live channels told of it

    @property
    def answered(self) -> bool:
        """Somebody talked. Who hung up without a bridge was only asked whether he takes the
        call."""
        return self.status == 'ANSWER' and (self.dest.bridged or not self.dest.ended)

    @property
    def order(self):
        return self.begun or self.over, self.dest.uid


@dataclass(eq=False)
class Call:
    """The channels of one Linkedid. `events` are in the order of their times, `phone` tells a
    channel's extension."""

    ref: str
    events: list[Event]
    account: Account
    phone: Callable[[Channel], str]
    channels: dict[str, Channel] = field(default_factory=dict)
    # by the Uniqueid of who was to be reached
    tries: dict[str, Try] = field(default_factory=dict)

    @property
    def first(self) -> Channel | None:
        return self.channels.get(self.ref)

    def named(self, kind: str) -> list[Event]:
        return [event for event in self.events if event['Event'] == kind]

    def twin(self, channel: Channel) -> Channel | None:
        """The other half of a Local channel."""
        other = {';1': ';2', ';2': ';1'}.get(channel.name[-2:], '')
        return next(
            (
                one
                for one in self.channels.values()
                if other and one.name == channel.name[:-2] + other
            ),
            None,
        )

    def reach(self, start: Channel, without: Channel | None = None) -> list[Channel]:
        """`start` and whom it dialled, directly or through Local channels; not what only `without`
        leads to."""
        found, todo = [], [start]
        while todo:
            channel = todo.pop()
            if channel not in found and channel is not without:
                found.append(channel)
                todo += [one.dest for one in self.tries.values() if one.caller == channel.uid]
                todo += [twin] if (twin := self.twin(channel)) else []
        return found

    def tries_of(self, start: Channel, without: Channel | None = None) -> list[Try]:
        """The attempts to reach somebody from `start`, in order, without the plumbing on the
        way."""
        found = [
            self.tries[one.uid] for one in self.reach(start, without)[1:] if one.uid in self.tries
        ]
        return sorted((one for one in found if not one.dest.is_plumbing), key=lambda one: one.order)

    def company(
        self,
        start: Channel,
        since: datetime | None = None,
        until: datetime | None = None,
        seen: frozenset[str] = frozenset(),
    ) -> list[tuple[Channel, datetime, datetime | None]]:
        """Who was in a room together with `start`, also behind Local channels, and from when until
        when."""
        found, seen = [], seen | {start.uid}
        for stay in start.stays:
            for other in self.channels.values():
                for its in other.stays if other.uid not in seen else ():
                    begun = max(filter(None, (since, stay.since, its.since)), default=None)
                    over = min(
                        filter(None, (until, stay.until, its.until, start.ended, other.ended)),
                        default=None,
                    )
                    if its.room != stay.room or not begun or over and over <= begun:
                        continue
                    if not other.is_plumbing:
                        found.append((other, begun, over))
                    elif twin := self.twin(other):
                        found += self.company(twin, begun, over, seen | {other.uid})
        return found


def gather(
    ref: str,
    events: list[Event],
    others: list[Event],
    account: Account,
    phone: Callable[[Channel], str],
) -> Call:
    """:param others: events of other calls which tell of the rooms that this one's first channel
    was in"""
    call = Call(ref, events, account, phone)
    for event in sorted([*events, *others], key=lambda event: event.order) if others else events:
        kind = event['Event']
        if kind in CALL_REF:
            continue  # it tells of no single channel, or not by its Uniqueid
        channel = _channel(
            call, event['Uniqueid'], event['Channel'], event['Context'], event['CallerIDNum']
        )
        dest = _channel(call, event['DestUniqueid'], event['DestChannel'], event['DestContext'])
        if kind in ('DialBegin', 'DialEnd'):
            dest.originated = True
            _note(call.tries.setdefault(dest.uid, Try(dest)), event)
        elif not channel:
            continue
        elif kind == 'Newchannel' and not channel.born:
            channel.born, channel.exten = event.at, event['Exten']
            channel.originated = channel.originated or event['ChannelStateDesc'] == 'Down'
        elif kind in ENTER:
            channel.bridged = channel.bridged or event.at
            _enter(channel, room(event.headers), event.at)
        elif kind in LEAVE:
            _leave(channel, room(event.headers), event.at)
        elif kind == 'CoreShowChannel':
            _note_alive(call, channel, event)
        elif kind == 'Hangup':
            channel.ended, channel.cause, channel.tech_cause = (
                event.at,
                event['Cause'],
                event['TechCause'],
            )
    dialled = {channel.exten[-SAME:] for channel in call.channels.values()}
    for attempt in call.tries.values():
        _fill_gaps(call, attempt)
        number = asked_for(attempt.string)
        # behind sip: may stand what a phone calls itself at random
        if (
            number.lstrip('+').isdigit()
            and number != endpoint(attempt.dest.name)
            and ('sip:' not in attempt.string or number[-SAME:] in dialled)
        ):
            attempt.dest.carries = number
    return call


def _enter(channel: Channel, place: str, at: datetime) -> None:
    present = next((stay for stay in channel.stays if not stay.until), None)
    if present and present.room != place:
        present.until, present = at, None  # nobody is in two rooms
    if place and not present:
        channel.stays.append(Stay(place, at))


def _leave(channel: Channel, place: str, at: datetime) -> None:
    present = next((stay for stay in channel.stays if not stay.until and stay.room == place), None)
    if present:
        present.until = at
    elif place and not any(stay.room == place for stay in channel.stays):
        channel.stays.append(Stay(place, None, at))


def _channel(call: Call, uid: str, name: str, context: str, number: str = '') -> Channel | None:
    if not uid or not name:
        return None
    channel = call.channels.setdefault(uid, Channel(uid, name, context, number))
    if not numbers.clean(channel.number):
        channel.number = number or channel.number
    return channel


def _note(attempt: Try, event: Event) -> None:
    attempt.caller = attempt.caller or event['Uniqueid']
    attempt.string = attempt.string or event['DialString']
    if event['Event'] == 'DialBegin':
        attempt.begun, attempt.shown = (
            attempt.begun or event.at,
            attempt.shown or event['CallerIDNum'],
        )
    elif attempt.status != 'ANSWER':  # the end may be told twice
        attempt.over, attempt.status = event.at, event['DialStatus']
        attempt.taken_as, attempt.rang = (
            event['DestChannel'],
            event['DestChannelStateDesc'] != 'Down',
        )


def _note_alive(call: Call, channel: Channel, event: Event) -> None:
    """A channel as the bridge found it after a gap. It stands in for the events of the gap that
    told the same."""
    if not channel.born:
        channel.born, channel.exten = event.at - _duration(event['Duration']), event['Exten']
    if event['BridgeId']:
        channel.bridged = channel.bridged or event.at
        _enter(channel, f"BridgeUniqueid:{event['BridgeId']}", event.at)
    if event['Application'] in DIALLED:
        channel.originated = True
        attempt = call.tries.setdefault(channel.uid, Try(channel, is_found=True))
        attempt.begun = attempt.begun or channel.born


def _fill_gaps(call: Call, attempt: Try) -> None:
    """Who is in a bridge has answered, whether that was heard or not; who dialled him was most
    likely the caller."""
    if attempt.is_found and attempt.dest.uid != call.ref:
        attempt.caller = attempt.caller or call.ref
    if not attempt.status and attempt.dest.bridged:
        attempt.over, attempt.status, attempt.taken_as = (
            attempt.dest.bridged,
            'ANSWER',
            attempt.dest.name,
        )


def _duration(text: str) -> timedelta:
    """01:02:03"""
    parts = [int(part) for part in text.split(':') if part.isdecimal() and len(part) < 6]
    return (
        timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2])
        if len(parts) == 3
        else timedelta()
    )


def pair(name: str) -> str:
    """The Local channel of which this is a half, '' for any other channel."""
    return name[:-2] if name.endswith((';1', ';2')) else ''


def is_plumbing(name: str) -> bool:
    return name.partition('/')[0] in PLUMBING


def endpoint(name: str) -> str:
    """PJSIP/my-trunk-0000001b: my-trunk. DAHDI/i1/5550199-7, a digital line: i1"""
    parts = name.split('/')
    return parts[1] if len(parts) > 2 and parts[0] == 'DAHDI' else parts[-1].rpartition('-')[0]


def technology(name: str) -> str:
    """The endpoint with its technology, as it stands in a dialplan: PJSIP/my-trunk"""
    return f"{name.partition('/')[0]}/{endpoint(name)}"


def asked_for(dial_string: str) -> str:
    """101, PJSIP/101, 02079460151@trunk, trunk/02079460151, trunk/sip:02079460151@host: whom the
    channel was to reach"""
    return dial_string.rpartition('/')[2].partition('@')[0].rpartition(':')[2]
