"""Reads AMI events into the spool. After every gap it compares the live channels with those that
were known before."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import time
from collections.abc import Callable

from . import ami
from .ami import AmiError, Connection, Message, Refused
from .config import Pbx
from .noise import is_noise
from .spool import Announced, Channel, Spool

_logger = logging.getLogger(__name__)

PING_SECONDS, SILENCE_SECONDS = 25, 60
RETRY_SECONDS, REFUSED_SECONDS, MAX_RETRY_SECONDS = 1, 60, 15
DISK_SECONDS = 1
# So often it is noted that Asterisk is heard.
NOTED_SECONDS = 5

# Our own header, on events that Asterisk did not send by itself: the end of a channel that ended
# unseen, and the channels that are alive after a gap.
OURS = 'Bridge'
MISSED, LIVE = 'missed', 'live'
# The variable that names the file of a call which is being recorded.
RECORDING = 'MIXMONITOR_FILENAME'


class Watcher:
    def __init__(
        self,
        pbx: Pbx,
        spool: Spool,
        wake: Callable[[], None],
        notes_recordings: bool = False,
        gap: Callable[[], None] = lambda: None,
    ):
        """
        :param wake: called when there is something new in the spool
        :param notes_recordings: whether somebody works off the recordings in the spool
        :param gap: called when Asterisk is heard again after a gap
        """
        self.pbx, self.spool, self.wake = pbx, spool, wake
        self._notes_recordings, self._gap = notes_recordings, gap
        self._clock = 0  # microseconds
        self._deaf_since: float | None = time.monotonic()

    def deaf(self) -> float:
        """Return for how long (seconds) there has been no connection to Asterisk."""
        return time.monotonic() - self._deaf_since if self._deaf_since is not None else 0

    async def run(self) -> None:
        """Stay connected for ever."""
        delay = RETRY_SECONDS
        while True:
            try:
                connection = await ami.login(self.pbx)
                _logger.info("connected to Asterisk at %s:%d", self.pbx.host, self.pbx.port)
                delay, self._deaf_since = RETRY_SECONDS, None
                try:
                    await self._follow(connection)
                finally:
                    self._deaf_since = time.monotonic()
                    await connection.close()
            except Refused as refusal:
                delay = REFUSED_SECONDS
                _logger.error(
                    "%s. Check user and secret in [pbx], and in manager.conf the user's permit = for this machine's "
                    "address. Next try in %d s.",
                    refusal,
                    delay,
                )
            except AmiError as error:
                _logger.warning("%s. Next try in %d s.", error, delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_RETRY_SECONDS)

    async def _follow(self, connection: Connection) -> None:
        ping = asyncio.create_task(_ping(connection))
        self.spool.connected()
        self._gap()
        noted = 0.0
        try:
            reading = Reading(self.spool.channels, connection.send('CoreShowChannels'), self._now)
            while True:
                messages = await connection.receive(SILENCE_SECONDS)
                for message in messages:
                    reading.take(message)
                await self._keep(reading)
                if time.monotonic() - noted > NOTED_SECONDS:
                    self.spool.listening()
                    noted = time.monotonic()
        finally:
            ping.cancel()

    async def _keep(self, reading: Reading) -> None:
        """Write what was read to the spool. While that fails, nothing more is read from Asterisk."""
        events, alive, gone = reading.harvest()
        if not (events or alive or gone):
            return
        files, talked = recordings_of(events) if self._notes_recordings else ([], [])
        while True:
            try:
                self.spool.write(events, alive, gone, files, talked, begun_in(events))
                break
            except sqlite3.OperationalError as error:
                _logger.error(
                    "%d events cannot be written to the spool: %s. Next try in %d s.",
                    len(events),
                    error,
                    DISK_SECONDS,
                )
                await asyncio.sleep(DISK_SECONDS)
        if events:
            self.wake()

    def _now(self) -> float:
        """Return the time of receipt in Unix seconds. No two are the same, or the order would be
        lost."""
        now = time.time_ns() // 1000
        if 0 <= self._clock - now < 1_000_000:  # beyond that the clock was set back
            now = self._clock + 1
        self._clock = now
        return now / 1_000_000


class Reading:
    """What one connection has told since the last write to the spool."""

    def __init__(self, known: dict[str, Channel], list_id: str, now: Callable[[], float]):
        """
        :param known: the channels in the spool
        :param list_id: ActionID of the question for the live channels
        """
        self._known, self._now = known, now
        self._list_id = list_id  # empty after the list is complete
        self._before = dict(known)
        self._listed: list[Message] = []
        self._ended: set[str] = set()  # since we are connected, until the list is complete
        self._events: list[Message] = []
        self._alive: dict[str, Channel] = {}
        self._gone: set[str] = set()

    def harvest(self) -> tuple[list[Message], dict[str, Channel], set[str]]:
        """Return the events to forward, the channels that appeared or changed, and the channels that
        ended, all since the last harvest."""
        harvest = self._events, self._alive, self._gone
        self._events, self._alive, self._gone = [], {}, set()
        return harvest

    def take(self, message: Message) -> None:
        if 'Event' in message:
            if self._list_id and message.get('ActionID') == self._list_id:
                self._take_of_list(message)
            else:
                self._note(message)
                self._forward(message)
        elif (
            self._list_id
            and message.get('ActionID') == self._list_id
            and message.get('Response') == 'Error'
        ):
            self._list_id = ''
            self._gone |= self._before.keys()
            _logger.error(
                "Asterisk does not tell the live channels: %s. Hang-ups during a gap cannot be found: give the user "
                "write = reporting in manager.conf.",
                message.get('Message', ''),
            )

    def _forward(self, event: Message) -> None:
        if not is_noise(event):
            self._events.append(
                event if 'Timestamp' in event else {**event, 'ReceivedAt': self._now()}
            )

    def _note(self, event: Message) -> None:
        """Note what an event changes about the live channels: a transfer can move one into another
        call, a masquerade renames it."""
        uniqueid = event.get('Uniqueid')
        if event['Event'] == 'Hangup' and uniqueid:
            self._alive.pop(uniqueid, None)
            self._gone.add(uniqueid)
            if self._list_id:
                self._ended.add(uniqueid)
        elif event['Event'] == 'Newchannel' and uniqueid:
            self._set(uniqueid, Channel(event.get('Channel', ''), event.get('Linkedid', '')))
        else:
            for side in ('', 'Dest'):
                uniqueid, linkedid = event.get(f'{side}Uniqueid'), event.get(f'{side}Linkedid')
                old = self._alive.get(uniqueid) or self._known.get(uniqueid)
                if not old or uniqueid in self._gone:
                    continue
                name = (
                    event.get('Newname')
                    if event['Event'] == 'Rename'
                    else event.get(f'{side}Channel')
                )
                self._set(uniqueid, Channel(name or old.name, linkedid or old.linkedid))

    def _set(self, uniqueid: str, channel: Channel) -> None:
        if self._known.get(uniqueid) != channel or uniqueid in self._alive:
            self._alive[uniqueid] = channel

    def _take_of_list(self, message: Message) -> None:
        if message['Event'] != 'CoreShowChannelsComplete':
            self._listed.append(message)
            return
        self._list_id = ''
        live = {message['Uniqueid'] for message in self._listed}
        missed = [uniqueid for uniqueid in self._before if uniqueid not in live | self._ended]
        for uniqueid in missed:
            channel = self._known.get(uniqueid, self._before[uniqueid])
            self._gone.add(uniqueid)
            self._forward(
                {
                    'Event': 'Hangup',
                    'Channel': channel.name,
                    'Uniqueid': uniqueid,
                    'Linkedid': channel.linkedid,
                    OURS: MISSED,
                }
            )
        strangers = 0
        for message in self._listed:
            uniqueid = message['Uniqueid']
            if uniqueid in self._ended:
                continue  # it ended before the list was complete
            strangers += uniqueid not in self._known and uniqueid not in self._alive
            self._set(uniqueid, Channel(message.get('Channel', ''), message.get('Linkedid', '')))
            self._forward(
                {
                    **{name: value for name, value in message.items() if name != 'ActionID'},
                    OURS: LIVE,
                }
            )
        _logger.info(
            "%d live channels, of which %d are new to us; %d ended unseen",
            len(live),
            strangers,
            len(missed),
        )
        self._listed, self._before, self._ended = [], {}, set()


def begun_in(events: list[Message]) -> list[str]:
    """Return the calls whose beginning these events tell."""
    return [
        event['Linkedid']
        for event in events
        if event['Event'] == 'Newchannel' and event.get('Uniqueid') == event.get('Linkedid')
        if isinstance(event.get('Linkedid'), str)
    ]


def recordings_of(events: list[Message]) -> tuple[list[Announced], list[str]]:
    """Return the files that these events announce, and the channels that began to talk. A path
    becomes its base name, as in the CRM."""
    files, talked = [], []
    for event in events:
        headers = (event.get(name) for name in ('Variable', 'Value', 'Linkedid', 'Uniqueid'))
        variable, path, linkedid, uniqueid = (
            text if isinstance(text, str) else '' for text in headers
        )
        name = re.split(r'[/\\]', path)[-1]
        if event['Event'] == 'BridgeEnter':
            talked.append(uniqueid)
        elif variable.lstrip('_') == RECORDING and name not in ('', '.', '..'):
            files.append(Announced(name, linkedid, uniqueid))
    return files, talked


async def _ping(connection: Connection) -> None:
    """Ask again and again, so that a dead connection shows by its silence."""
    while True:
        await asyncio.sleep(PING_SECONDS)
        connection.send('Ping')
