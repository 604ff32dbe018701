"""Reads AMI events and gathers the facts of a call, whatever the order of their arrival.

A call is all the channels that share a Linkedid: when each appeared and hung up, who dialled whom
and how that ended, who entered a bridge. The adapter decides what follows from these facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from .. import numbers
from ..base import Account, Stored, _, believed, text_of, unfit

# Channel variables that are used, without the underscores of inheritance.
RECORDING, MAILBOX, DIDS = 'MIXMONITOR_FILENAME', 'VMSTATUS', ('FROM_DID', 'DID')
VARIABLES = frozenset({RECORDING, MAILBOX, *DIDS})

# The headers that are used. Their order decides between events of the same time.
# fmt: off
HEADERS = (
    'Event', 'Channel', 'Uniqueid', 'Context', 'Exten', 'CallerIDNum', 'ChannelStateDesc',
    'DestChannel', 'DestUniqueid', 'DestContext', 'DestChannelStateDesc',
    'DialStatus', 'DialString', 'Cause', 'TechCause',
    'Queue', 'New', 'Variable', 'Value', 'Response',
    'UniqueID', 'Disposition', 'RecordingFile',
    'Result', 'DestType', 'Application', 'BridgeId', 'Duration',
    'BridgeUniqueid', 'DestBridgeUniqueid', 'OrigTransfererLinkedid', 'SecondTransfererLinkedid',
    'TransfereeUniqueid', 'TransfereeChannel', 'TransferTargetUniqueid', 'TransferTargetChannel',
    'BridgeTechnology', 'Conference', 'Meetme',
    'DestLinkedid', 'ParkeeUniqueid', 'RetrieverUniqueid', 'SwapUniqueid',
)
# fmt: on
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

# A room is a bridge or a conference: whoever is in it hears all others. These events tell who
# enters and who leaves.
ENTER = frozenset({'BridgeEnter', 'ConfbridgeJoin', 'MeetmeJoin'})
LEAVE = frozenset({'BridgeLeave', 'ConfbridgeLeave', 'MeetmeLeave'})
MEETME = frozenset({'MeetmeJoin', 'MeetmeLeave'})
# Where callers and agents wait without hearing each other: a parking lot, a pool of agents.
HOLDING = 'holding_bridge'

# Two spellings with the same last digits are one number.
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
    """Read a payload as an event.

    :raise ProviderError: a header that is used is no text, or the time cannot be read
    """
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
    return Event(time_of(stored), headers, variables)


def text_at(payload: Mapping, name: str) -> str:
    """Return a header's text, '' for AMI's words for nothing."""
    text = text_of(payload, name)
    return '' if text.lower() in NOTHING else text


def time_of(stored: Stored) -> datetime:
    """Return when an event happened, or else arrived."""
    return _time(stored.payload) or stored.received_at


def _time(payload: Mapping) -> datetime | None:
    name = 'Timestamp' if payload.get('Timestamp') else 'ReceivedAt'
    text = text_of(payload, name)
    try:
        return believed(datetime.fromtimestamp(float(text), timezone.utc)) if text else None
    except (ValueError, OverflowError, OSError):
        raise unfit(name, _("a time in Unix seconds"), text[:100]) from None


def call_ref(payload: Mapping) -> str:
    """Return the Linkedid of an event's call, '' if it belongs to none."""
    names = CALL_REF.get(payload['Event'], ('Linkedid', 'DestLinkedid'))
    return next((ref for name in names if (ref := text_at(payload, name))), '')


def leg_ref(payload: Mapping) -> str:
    """Return the leg of which an event tells, '' if it is the call's first. The leg may have been a
    call of its own before it was bridged with an older one.

    In a conference of MeetMe everybody keeps their Linkedid. What their calls have in common is the
    conference of that day, which stands for the leg.
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
    """Return the legs of which new events tell, and all legs in the rooms of which they tell, also
    behind Local channels."""
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
    """Return who was in which room: the leg, the Local channel of which it is a half, the room."""
    return [
        (text_at(payload, 'Uniqueid'), pair(text_at(payload, 'Channel')), place)
        for payload in payloads
        if (place := room(payload))
    ]


def connected(
    rooms: set[str], legs: set[str], entries: Sequence[tuple[str, str, str]]
) -> tuple[set[str], set[str]]:
    """Return all rooms that hear each other, beginning with these rooms and those of these legs, and
    the legs and Local channels that connect them."""
    before = -1
    while before != (before := len(legs) + len(rooms)):
        rooms = rooms | {place for leg, pair, place in entries if leg in legs or pair in legs}
        legs = legs | {pair for _leg, pair, place in entries if pair and place in rooms}
    return rooms, legs


def room(payload: Mapping) -> str:
    """Return the bridge or conference of which an event tells; '' if it tells of none, or of one in
    which nobody hears the others."""
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
    """The time of a channel in a room. `since` is None if only the leaving was told; a channel that
    does not leave stays until it hangs up."""

    room: str
    since: datetime | None
    until: datetime | None = None


@dataclass(eq=False)
class Channel:
    """One leg, with the name and context that were told first, because a pick-up changes the name
    and the dialplan the context. The number is the first that is known: an analogue line tells it
    some rings later."""

    uid: str
    name: str
    context: str = ''
    number: str = ''
    # what was dialled; only Newchannel tells it, later Exten is s, h or a queue's number
    exten: str = ''
    originated: bool = False  # made by the PBX to ring somebody, not by a caller
    born: datetime | None = None
    ended: datetime | None = None
    cause: str = ''
    tech_cause: str = ''
    bridged: datetime | None = None
    stays: list[Stay] = field(default_factory=list)
    # the number that was dialled through it, if that is not its own name
    carries: str = ''
    # whether it does what a trunk does, as the adapter decides
    is_trunk: bool | None = None

    @property
    def is_plumbing(self) -> bool:
        return is_plumbing(self.name)


@dataclass(eq=False)
class Try:
    """An attempt to reach a channel. `caller` is the Uniqueid of the channel that dialled, '' if the
    PBX itself did."""

    dest: Channel
    caller: str = ''
    string: str = ''
    shown: str = ''  # the number that it is shown as its caller's
    begun: datetime | None = None
    over: datetime | None = None
    status: str = ''
    taken_as: str = ''  # the channel's name at the end of the attempt
    rang: bool = True
    is_found: bool = False  # only the list of live channels told of it

    @property
    def answered(self) -> bool:
        """Whether somebody talked. A channel that hung up without a bridge was only asked whether it
        takes the call."""
        return self.status == 'ANSWER' and (self.dest.bridged or not self.dest.ended)

    @property
    def order(self):
        return self.begun or self.over, self.dest.uid


@dataclass(eq=False)
class Call:
    """The channels of one Linkedid. `events` are in the order of their times, `phone` returns the
    extension of a channel."""

    ref: str
    events: list[Event]
    account: Account
    phone: Callable[[Channel], str]
    channels: dict[str, Channel] = field(default_factory=dict)
    # by the Uniqueid of the channel that was to be reached
    tries: dict[str, Try] = field(default_factory=dict)
    # by the Uniqueid of a channel that takes its phone's talk up: that of the channel which had it
    heirs: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> Channel | None:
        return self.channels.get(self.ref)

    def named(self, kind: str) -> list[Event]:
        return [event for event in self.events if event['Event'] == kind]

    def first_with_talk(self, uid: str) -> str:
        """Return the channel that first had the talk which this channel has taken up."""
        for _step in self.heirs:  # so many at most, whatever the events say
            uid = self.heirs.get(uid, uid)
        return uid

    def twin(self, channel: Channel) -> Channel | None:
        """Return the other half of a Local channel, None for any other channel."""
        half = {';1': ';2', ';2': ';1'}.get(channel.name[-2:])
        if not half:
            return None
        name = channel.name[:-2] + half
        return next((other for other in self.channels.values() if other.name == name), None)

    def reach(self, start: Channel, without: Channel | None = None) -> list[Channel]:
        """Return `start` and the channels that it dialled, directly or through Local channels, but
        not those to which only `without` leads."""
        found, todo = [], [start]
        while todo:
            channel = todo.pop()
            if channel not in found and channel is not without:
                found.append(channel)
                todo += [
                    attempt.dest for attempt in self.tries.values() if attempt.caller == channel.uid
                ]
                todo += [twin] if (twin := self.twin(channel)) else []
        return found

    def tries_of(self, start: Channel, without: Channel | None = None) -> list[Try]:
        """Return the attempts to reach somebody from `start`, in order, without the Local channels
        on the way."""
        found = [
            self.tries[dialled.uid]
            for dialled in self.reach(start, without)[1:]
            if dialled.uid in self.tries
        ]
        return sorted(
            (attempt for attempt in found if not attempt.dest.is_plumbing),
            key=lambda attempt: attempt.order,
        )

    def company(
        self,
        start: Channel,
        since: datetime | None = None,
        until: datetime | None = None,
        seen: frozenset[str] = frozenset(),
    ) -> list[tuple[Channel, datetime, datetime | None]]:
        """Return who was in a room together with `start`, also behind Local channels, and from when
        until when."""
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
    """Gather the facts of a call.

    :param others: events of other calls that tell who was in a room with this call's first channel
    """
    heard = sorted([*events, *others], key=lambda event: event.order) if others else events
    call = Call(ref, events, account, phone, heirs=_heirs(heard))
    for event in heard:
        # these events tell of no single channel, or not by its Uniqueid
        if event['Event'] not in CALL_REF:
            _note_event(call, event)
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


def _heirs(events: Sequence[Event]) -> dict[str, str]:
    """Return the channels that take up the talk of another channel of their phone, each with that
    channel. A browser whose page was loaded anew calls with Replaces: the PBX puts the new channel
    in the place of the old one, and hangs the old one up."""
    swaps = [event for event in events if event['Event'] == 'BridgeEnter' and event['SwapUniqueid']]
    if not swaps:
        return {}
    names = {event['Uniqueid']: event['Channel'] for event in events}
    dialled = {event['DestUniqueid'] for event in events}
    return {
        event['Uniqueid']: event['SwapUniqueid']
        for event in swaps
        if event['Uniqueid'] not in dialled
        and not is_plumbing(event['Channel'])
        and technology(event['Channel']) == technology(names.get(event['SwapUniqueid'], ''))
    }


def _note_event(call: Call, event: Event) -> None:
    kind = event['Event']
    if kind == 'Hangup' and event['Uniqueid'] in call.heirs.values():
        return  # the phone talks on
    if event['Uniqueid'] in call.heirs:
        uid = call.first_with_talk(event['Uniqueid'])
        event = replace(event, headers={**event.headers, 'Uniqueid': uid})
    channel = _channel(
        call, event['Uniqueid'], event['Channel'], event['Context'], event['CallerIDNum']
    )
    dest = _channel(call, event['DestUniqueid'], event['DestChannel'], event['DestContext'])
    if kind in ('DialBegin', 'DialEnd'):
        dest.originated = True
        _note_attempt(call.tries.setdefault(dest.uid, Try(dest)), event)
    elif not channel:
        return
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
        channel.ended = event.at
        channel.cause, channel.tech_cause = event['Cause'], event['TechCause']


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


def _note_attempt(attempt: Try, event: Event) -> None:
    attempt.caller = attempt.caller or event['Uniqueid']
    attempt.string = attempt.string or event['DialString']
    if event['Event'] == 'DialBegin':
        attempt.begun = attempt.begun or event.at
        attempt.shown = attempt.shown or event['CallerIDNum']
    elif attempt.status != 'ANSWER':  # the end may be told twice
        attempt.over, attempt.status = event.at, event['DialStatus']
        attempt.taken_as = event['DestChannel']
        attempt.rang = event['DestChannelStateDesc'] != 'Down'


def _note_alive(call: Call, channel: Channel, event: Event) -> None:
    """Note a channel as the bridge found it after a gap, in place of the events of the gap that told
    the same."""
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
    """Complete an attempt whose events were not heard: a channel in a bridge has answered, and most
    likely it was the caller who dialled it."""
    dest = attempt.dest
    if attempt.is_found and dest.uid != call.ref:
        attempt.caller = attempt.caller or call.ref
    if not attempt.status and dest.bridged:
        attempt.over, attempt.status, attempt.taken_as = dest.bridged, 'ANSWER', dest.name


def _duration(text: str) -> timedelta:
    """Read a duration like 01:02:03; anything else counts as none."""
    parts = [int(part) for part in text.split(':') if part.isdecimal() and len(part) < 6]
    if len(parts) != 3:
        return timedelta()
    hours, minutes, seconds = parts
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def pair(name: str) -> str:
    """Return the Local channel of which this is a half, '' for any other channel."""
    return name[:-2] if name.endswith((';1', ';2')) else ''


def is_plumbing(name: str) -> bool:
    return name.partition('/')[0] in PLUMBING


def endpoint(name: str) -> str:
    """Return the endpoint of a channel: my-trunk of PJSIP/my-trunk-0000001b, or i1 of
    DAHDI/i1/5550199-7, a digital line."""
    parts = name.split('/')
    return parts[1] if len(parts) > 2 and parts[0] == 'DAHDI' else parts[-1].rpartition('-')[0]


def technology(name: str) -> str:
    """Return the endpoint of a channel as a dialplan writes it, with its technology:
    PJSIP/my-trunk."""
    return f"{name.partition('/')[0]}/{endpoint(name)}"


def asked_for(dial_string: str) -> str:
    """Return whom a channel was to reach. A dial string is 101, PJSIP/101, 02079460151@trunk,
    trunk/02079460151 or trunk/sip:02079460151@host."""
    return dial_string.rpartition('/')[2].partition('@')[0].rpartition(':')[2]
