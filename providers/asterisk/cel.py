"""Reads what Asterisk keeps of its channels (CEL, channel event logging) as the AMI events that
would have told the same.

AMI repeats nothing to a listener who was away. The bridge then sends the rows of CEL of the calls
that it has missed, each as an event CEL. A row tells of one channel; what AMI says of two (who dialled
whom, and how that ended) follows from the rows of both. So a call that was only logged becomes the same
record as one that was heard.

What the log does not tell: whether a phone that nobody took rang (it did unless the cause of its end
says that it could not), and whether a message was left in a mailbox (it was, if the beep was heard
and the caller stayed).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced

from ..base import Stored
from . import ami

KIND = 'CEL'
# The bridge's mark of a row that it has read from the log, and of events around a gap.
MARK, LOGGED, MISSED = 'Bridge', 'log', 'missed'
# Causes with which a phone ends that has not rung.
SILENT_CAUSES = frozenset(map(str, (1, 2, 3, 18, 20, 22, 27, 28, 31, 34, 38, 41, 42, 44, 58, 88)))
STATUS = {'17': 'BUSY', '34': 'CONGESTION', '20': 'CHANUNAVAIL', '3': 'CHANUNAVAIL'}
DIALLING = frozenset({'Dial', 'Queue', 'FollowMe', 'Page'})
# A caller who stays so long (seconds) after the beep has left a message.
BEEP, MESSAGE_SECONDS = 'beep', 3
# A phone that refuses within so many seconds is offline.
AT_ONCE = 0.2


@dataclass
class Row:
    """A row of CEL. `at` is Unix seconds, as text for the events and as a number."""

    stored: Stored
    name: str
    at: float
    uid: str
    ref: str
    extra: Mapping

    def __getitem__(self, header: str) -> str:
        return ami.text_at(self.stored.payload, header)


@dataclass
class Leg:
    """A channel, with its rows in order of time."""

    uid: str
    rows: list[Row] = field(default_factory=list)

    def first(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    @property
    def name(self) -> str:
        return self.rows[0]['Channel']

    @property
    def is_dialled(self) -> bool:
        """Whether the PBX made it to ring somebody."""
        return any(row['Application'] in ami.DIALLED for row in self.rows)


def is_row(payload: Mapping) -> bool:
    return payload.get('Event') == KIND and payload.get(MARK) == LOGGED


def completed(stored: Sequence[Stored]) -> list[Stored]:
    """Return the events of some calls, with AMI events in place of the rows of the log. A call that
    was heard from its beginning to its end without a gap needs none."""
    rows = [row_of(item) for item in stored if is_row(item.payload)]
    if not rows:
        return list(stored)
    heard = [item for item in stored if not is_row(item.payload)]
    whole = _heard_whole(heard)
    rows = _in_order(row for row in rows if row.ref not in whole)
    told = _told(rows, {row.uid: row.ref for row in rows if row.name == 'CHAN_START'})
    return _joined(heard, told, {row.uid for row in rows if row.name == 'HANGUP'})


def row_of(stored: Stored) -> Row:
    """Read a payload as a row of the log.

    :raise ProviderError: a header that is used is no text, or the time cannot be read
    """
    payload = stored.payload
    try:
        extra = json.loads(ami.text_at(payload, 'Extra') or '{}')
    except ValueError:
        extra = {}
    return Row(
        stored,
        ami.text_at(payload, 'EventName'),
        ami.time_of(stored).timestamp(),
        ami.text_at(payload, 'Uniqueid'),
        ami.text_at(payload, 'Linkedid'),
        extra if isinstance(extra, dict) else {},
    )


def _in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows in the order in which they were written. Where the log has whole seconds only, its
    numbers tell, and the times become different."""

    def key(row: Row):
        number = row['Id']
        return row.at, int(number) if number.isdecimal() else 0, repr(row.stored.payload)

    rows = sorted(rows, key=key)
    for before, row in itertools.pairwise(rows):
        if row['Id']:
            row.at = max(row.at, before.at + 1e-6)
    return rows


def _heard_whole(heard: Iterable[Stored]) -> set[str]:
    """Return the calls of whose events none is missing: their first channel began and ended while
    somebody listened, as did all others, and there was no gap."""
    begun, ended, channels, gaps = set(), set(), {}, set()
    for item in heard:
        payload = item.payload
        ref, uid = ami.call_ref(payload), ami.text_at(payload, 'Uniqueid')
        if payload.get(MARK):
            gaps.add(ref)
        if uid:
            channels.setdefault(ref, set()).add(uid)
        if payload['Event'] == 'Newchannel':
            begun.add(uid)
        elif payload['Event'] == 'Hangup':
            ended.add(uid)
    return {
        ref for ref, uids in channels.items() if ref not in gaps and ref in begun and uids <= ended
    }


def _joined(heard: Sequence[Stored], told: Sequence[Stored], ended: set[str]) -> list[Stored]:
    """Return what was heard and what the log tells, without what both tell of the same: who was
    there knows better how a phone's ringing ended, and the log when a channel ended unseen."""
    tried = {
        (item.payload['Event'], ami.text_at(item.payload, 'DestUniqueid'))
        for item in heard
        if item.payload['Event'] in ('DialBegin', 'DialEnd')
    }
    return [
        *(
            item
            for item in heard
            if not (
                item.payload['Event'] == 'Hangup'
                and item.payload.get(MARK) == MISSED
                and ami.text_at(item.payload, 'Uniqueid') in ended
            )
        ),
        *(
            item
            for item in told
            if (item.payload['Event'], item.payload.get('DestUniqueid')) not in tried
        ),
    ]


def _told(rows: Sequence[Row], refs: Mapping[str, str]) -> list[Stored]:
    """Return the AMI events that these rows stand for.

    :param refs: channel → the call in which it began
    """
    legs: dict[str, Leg] = {}
    for row in rows:
        legs.setdefault(row.uid, Leg(row.uid)).rows.append(row)
    events = []
    for leg in legs.values():
        events += _of_leg(leg)
        if leg.is_dialled:
            events += _of_try(leg, _dialler(leg, legs))
    for row in rows:
        if row.name == 'ATTENDEDTRANSFER':
            events += _of_transfer(row, refs)
    return events


def _event(row: Row, kind: str, **headers: str) -> Stored:
    payload = row.stored.payload
    kept = {
        name: payload[name]
        for name in ('Channel', 'Uniqueid', 'Linkedid', 'Context', 'Exten', 'CallerIDNum')
        if payload.get(name)
    }
    return replaced(
        row.stored,
        payload={'Event': kind, 'Timestamp': f'{row.at:.6f}', **kept, **headers},
    )


# --- one channel -------------------------------------------------------------------------------------------------


def _of_leg(leg: Leg) -> list[Stored]:
    """Tell what a channel did by itself."""
    events, waiting = [], None
    is_up = False
    for row in leg.rows:
        application = row['Application']
        if row.name == 'CHAN_START':
            state = 'Down' if leg.is_dialled else 'Ring'
            events.append(_event(row, 'Newchannel', ChannelStateDesc=state))
        elif row.name == 'ANSWER':
            is_up = True
        elif row.name in ('BRIDGE_ENTER', 'BRIDGE_EXIT'):
            kind = 'BridgeEnter' if row.name == 'BRIDGE_ENTER' else 'BridgeLeave'
            waiting = None
            events.append(
                _event(
                    row,
                    kind,
                    BridgeUniqueid=str(row.extra.get('bridge_id', '')),
                    BridgeTechnology=str(row.extra.get('bridge_technology', '')),
                )
            )
        elif row.name == 'APP_START' and application == 'Queue':
            waiting = row
            queue = row['AppData'].partition(',')[0]
            events.append(_event(row, 'QueueCallerJoin', Queue=queue))
        elif row.name == 'APP_START' and application == 'MixMonitor':
            file = row['AppData'].partition(',')[0]
            events.append(_event(row, 'VarSet', Variable=ami.RECORDING, Value=file))
        elif row.name == 'APP_START' and application.startswith('VoiceMail'):
            status = 'SUCCESS' if _left_message(leg, row) else 'FAILED'
            events.append(_event(row, 'VarSet', Variable=ami.MAILBOX, Value=status))
        elif row.name == 'APP_START' and waiting:
            waiting = None  # the queue gave up, the dialplan goes on
        elif row.name == 'HANGUP':
            by_itself = row.extra.get('hangupsource') == row['Channel']
            if by_itself and waiting:
                events.append(_event(row, 'QueueCallerAbandon', Queue=''))
            if by_itself:
                state = 'Up' if is_up else 'Ring'
                events.append(_event(row, 'HangupRequest', ChannelStateDesc=state))
            cause = str(row.extra.get('hangupcause', ''))
            events.append(_event(row, 'Hangup', Cause=cause))
    return events


def _left_message(leg: Leg, start: Row) -> bool:
    """Return whether the caller stayed after the beep of a mailbox."""
    inside = [row for row in leg.rows if row.at >= start.at and row['AppData'] == start['AppData']]
    beeps = (
        row.at for row in inside if row.name == 'STREAM_BEGIN' and row.extra.get('sound') == BEEP
    )
    return inside[-1].at - next(beeps, inside[-1].at) >= MESSAGE_SECONDS


# --- who dialled whom --------------------------------------------------------------------------------------------


def _dialler(leg: Leg, legs: Mapping[str, Leg]) -> tuple[Leg | None, Row | None]:
    """Return who dialled a channel, and in which row it began to: whoever was dialling when the
    channel appeared, best somebody who dialled this very endpoint. Without such rows, because the log
    leaves applications out, it is whose bridge the channel came into, else the call's first
    channel."""
    begun, ref = leg.rows[0].at, leg.rows[0].ref
    found = []
    for other in legs.values():
        running = None
        for row in other.rows if other is not leg and other.rows[0].ref == ref else ():
            if row.at > begun:
                break
            if row.name == 'APP_START':
                running = row if row['Application'] in DIALLING else None
            elif row.name == 'APP_END' and running and row['Application'] == running['Application']:
                running = None
        if running:
            found.append((bool(_dial_string(running, leg)), running.at, other.uid, other, running))
    if found:
        *_order, other, running = max(found, key=lambda item: item[:3])
        return other, running
    for other in legs.values():
        if other is not leg and any(row['Peer'] == leg.name for row in other.rows):
            return other, None
    return (legs.get(ref) if ref != leg.uid else None), None


def _dial_string(row: Row, leg: Leg) -> str:
    """Return the part of a Dial's data that led to a channel: PJSIP/02079460151@trunk, '' if none
    did."""
    if row['Application'] != 'Dial':
        return ''
    technology, _slash, _rest = leg.name.partition('/')
    for part in row['AppData'].partition(',')[0].split('&'):
        kind, _slash, target = part.partition('/')
        ends = {target, target.partition('/')[0], target.rpartition('@')[2].partition('/')[0]}
        if kind == technology and ami.endpoint(leg.name) in ends:
            return part
    return ''


def _of_try(leg: Leg, dialler: tuple[Leg | None, Row | None]) -> list[Stored]:
    """Tell that a channel was dialled, and how that ended."""
    caller, dialling = dialler
    start = leg.rows[0]
    dest = {
        'DestChannel': start['Channel'],
        'DestUniqueid': leg.uid,
        'DestLinkedid': start.ref,
        'DestContext': start['Context'],
    }
    source = dialling or (caller and caller.rows[0])
    theirs = {
        'Channel': caller.name if caller else '',
        'Uniqueid': caller.uid if caller else '',
        'Linkedid': start.ref if caller else '',
        'Context': '',
        'Exten': '',
        'CallerIDNum': source['CallerIDNum'] if source else '',
    }
    string = _dial_string(dialling, leg) if dialling else ''
    events = [_event(start, 'DialBegin', **theirs, **dest, DialString=string)]
    if end := leg.first('ANSWER'):
        status, rang = 'ANSWER', True
    elif end := leg.first('HANGUP'):
        cause = str(end.extra.get('hangupcause', ''))
        status = STATUS.get(cause, 'NOANSWER')
        rang = cause not in SILENT_CAUSES and end.at - start.at > AT_ONCE
    else:
        return events
    dest['DestChannel'] = end['Channel']
    state = 'Up' if status == 'ANSWER' else 'Ringing' if rang else 'Down'
    events.append(
        _event(end, 'DialEnd', **theirs, **dest, DialStatus=status, DestChannelStateDesc=state)
    )
    return events


# --- transfers ---------------------------------------------------------------------------------------------------


def _of_transfer(row: Row, refs: Mapping[str, str]) -> list[Stored]:
    """Tell an attended transfer, for each of its two calls."""
    second_uid = str(row.extra.get('channel2_uniqueid', ''))
    second = refs.get(second_uid, second_uid)
    headers = {
        'OrigTransfererLinkedid': row.ref,
        'SecondTransfererLinkedid': second,
        'Result': 'Success',
        'DestType': 'Bridge',
        'DestBridgeUniqueid': str(row.extra.get('bridge1_id', '')),
        'TransfereeUniqueid': str(row.extra.get('transferee_channel_uniqueid', '')),
        'TransfereeChannel': str(row.extra.get('transferee_channel_name', '')),
        'TransferTargetUniqueid': str(row.extra.get('transfer_target_channel_uniqueid', '')),
        'TransferTargetChannel': str(row.extra.get('transfer_target_channel_name', '')),
    }
    return [
        _event(row, 'AttendedTransfer', **headers, **{ami.KEPT_FOR: ref})
        for ref in dict.fromkeys((row.ref, second))
    ]
