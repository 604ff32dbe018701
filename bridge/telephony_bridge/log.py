"""Reads what Asterisk itself keeps of its channels (CEL), for the calls that the bridge has missed.

AMI repeats nothing. So after every gap, and once a night, the bridge looks into the log of the PBX,
a file of cel_custom or the table of FreePBX, and sends the rows of the calls that it did not hear,
each as an event CEL. What follows from them is the business of the CRM.
"""

from __future__ import annotations

import asyncio
import csv
import importlib
import io
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from .config import Log
from .spool import REMEMBERED_SECONDS, Announced, Spool

_logger = logging.getLogger(__name__)

# The columns of the file, as README.md tells to set them, by the names that AMI has for them.
COLUMNS = (
    'Timestamp',
    'EventName',
    'CallerIDNum',
    'Exten',
    'Context',
    'Channel',
    'Application',
    'AppData',
    'Uniqueid',
    'Linkedid',
    'Peer',
    'Extra',
)
# The same of FreePBX's table, and the order of its rows, because their times may be whole seconds. The
# times are local; the database knows in which zone.
TABLE_COLUMNS = (
    'id',
    'UNIX_TIMESTAMP(eventtime)',
    'eventtype',
    'cid_num',
    'exten',
    'context',
    'channame',
    'appname',
    'appdata',
    'uniqueid',
    'linkedid',
    'peer',
    'extra',
)
# Modules that talk to MySQL and MariaDB, with the names of their parameters for host and database.
DRIVERS = (('pymysql', 'database'), ('MySQLdb', 'db'), ('mysql.connector', 'database'))
# What says nothing of a call.
LEFT_OUT = frozenset({'DTMF', 'STREAM_END', 'CHAN_END', 'LINKEDID_END'})

SETTLE_SECONDS = 3  # Asterisk writes its log a moment later
MARGIN_SECONDS = 30  # before a gap: so often at least it is noted that something is heard
NIGHT_SECONDS = 48 * 3600  # what is looked through each night
QUIET_SECONDS = 600  # a call that ended later is left for the next night
NIGHT_HOUR = 3
BLOCK = 1 << 20
AT_ONCE = 200
RETRY_SECONDS = 60

Row = dict[str, str]


class LogError(Exception):
    """Raised when the log cannot be read; the text says why."""


class FileLog:
    """A file of cel_custom, and the one before it if it was rotated."""

    def __init__(self, path: Path):
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def rows(self, since: float) -> Iterator[Row]:
        """Yield the rows since then (Unix seconds).

        :raise LogError: the file cannot be read, or has other columns
        """
        try:
            parts = [_tail(self.path, since)]
            older = self.path.with_name(f'{self.path.name}.1')
            if parts[0][1] and older.exists():
                parts.insert(0, _tail(older, since))
        except OSError as error:
            raise LogError(f'{self.path} cannot be read: {error}') from None
        for text, _is_whole in parts:
            for line in csv.reader(io.StringIO(text, newline='')):
                if not line:
                    continue
                if len(line) != len(COLUMNS) or _seconds(line[0]) is None:
                    raise LogError(
                        f'{self.path} does not have the columns that README.md tells to set in cel_custom.conf: '
                        f'{",".join(line)[:100]}'
                    )
                row = dict(zip(COLUMNS, line, strict=True))
                if float(row['Timestamp']) >= since:
                    yield row


def _tail(path: Path, since: float) -> tuple[str, bool]:
    """Return the end of a file, from a line before `since` on, and whether that is all of it."""
    with path.open('rb') as file:
        place = file.seek(0, os.SEEK_END)
        data = b''
        while place:
            size = min(BLOCK, place)
            place = file.seek(place - size)
            data = file.read(size) + data
            _cut, newline, rest = data.partition(b'\n')
            first = rest[:40].split(b',')[0].strip(b'"').decode('ascii', 'replace')
            if place and newline and (moment := _seconds(first)) is not None and moment < since:
                return rest.decode('utf-8', 'replace'), False
        return data.decode('utf-8', 'replace'), True


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class TableLog:
    """The table `cel` of FreePBX, read by a user who may only read."""

    def __init__(self, log: Log):
        self.log = log

    def __str__(self) -> str:
        return f'table {self.log.table} of {self.log.database} at {self.log.host}'

    def rows(self, since: float) -> Iterator[Row]:
        """Yield the rows since then (Unix seconds), in order of time.

        :raise LogError: there is no driver, or the database refuses
        """
        connection = self._connect()
        try:
            cursor = connection.cursor()
            cursor.execute(
                f'SELECT {", ".join(TABLE_COLUMNS)} FROM {self.log.table} '  # noqa: S608 - a name, see config
                'WHERE eventtime >= FROM_UNIXTIME(%s) ORDER BY eventtime, id',
                (since,),
            )
            while part := cursor.fetchmany(AT_ONCE):
                for line in part:
                    yield {
                        name: '' if value is None else _text(value)
                        for name, value in zip(('Id', *COLUMNS), line, strict=True)
                    }
        except Exception as error:  # noqa: BLE001 - each driver has its own
            raise LogError(f'{self} cannot be read: {error}') from None
        finally:
            connection.close()

    def _connect(self):
        log = self.log
        for name, database in DRIVERS:
            try:
                driver = importlib.import_module(name)
            except ImportError:
                continue
            try:
                return driver.connect(
                    host=log.host,
                    port=log.port,
                    user=log.user,
                    **{'password' if name != 'MySQLdb' else 'passwd': log.secret},
                    **{database: log.database},
                    connect_timeout=10,
                )
            except Exception as error:  # noqa: BLE001 - each driver has its own
                raise LogError(f'{self} cannot be reached: {error}') from None
        raise LogError(
            f'{self} needs a driver: install python3-pymysql (or python3-mysqldb) on this machine'
        )


def _text(value) -> str:
    return value.decode('utf-8', 'replace') if isinstance(value, bytes) else str(value)


def opened(log: Log) -> FileLog | TableLog:
    return FileLog(log.file) if log.file else TableLog(log)


# --- which calls -------------------------------------------------------------------------------------------------


def of_gap(rows: Iterator[Row], since: float, until: float) -> list[Row]:
    """Return the rows of all calls in which something happened during a gap."""
    rows = [row for row in rows if row['Linkedid']]
    calls = {row['Linkedid'] for row in rows if since <= float(row['Timestamp']) <= until}
    return [row for row in rows if row['Linkedid'] in calls]


def unheard(rows: Iterator[Row], until: float, is_heard: Callable[[str], bool]) -> list[Row]:
    """Return the rows of the calls that ended before `until` and that nobody has heard. One whose
    beginning lies before the first row was looked at the night before."""
    rows = [row for row in rows if row['Linkedid']]
    begun = {
        row['Linkedid']
        for row in rows
        if row['EventName'] == 'CHAN_START' and row['Uniqueid'] == row['Linkedid']
    }
    ended = {
        row['Linkedid']
        for row in rows
        if row['EventName'] == 'LINKEDID_END' and float(row['Timestamp']) <= until
    }
    calls = {ref for ref in begun & ended if not is_heard(ref)}
    return [row for row in rows if row['Linkedid'] in calls]


def event_of(row: Row) -> dict[str, str]:
    return {
        'Event': 'CEL',
        'Bridge': 'log',
        **{name: value for name, value in row.items() if value},
    }


def recordings_of(rows: Iterable[Row]) -> tuple[list[Announced], list[str]]:
    """Return the files that these rows announce, and the channels that talked."""
    files = [
        Announced(name, row['Linkedid'], row['Uniqueid'])
        for row in rows
        if row['EventName'] == 'APP_START' and row['Application'] == 'MixMonitor'
        if (name := row['AppData'].partition(',')[0].rpartition('/')[2]) not in ('', '.', '..')
    ]
    return files, [row['Uniqueid'] for row in rows if row['EventName'] == 'BRIDGE_ENTER']


class Reader:
    """Puts the rows of missed calls into the spool.

    :param wake: called when there is something new in the spool
    :param notes_recordings: whether somebody works off the recordings in the spool
    """

    def __init__(
        self, log: Log, spool: Spool, wake: Callable[[], None], notes_recordings: bool = False
    ):
        self.log, self.spool, self.wake = opened(log), spool, wake
        self._notes_recordings = notes_recordings
        self._again = asyncio.Event()

    def gap(self) -> None:
        """Asterisk is heard again: look what was missed, see Spool.gap."""
        self._again.set()

    async def run(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._again.wait(), _until_night())
            except asyncio.TimeoutError:
                await self._patiently(self._night)
                continue
            self._again.clear()
            if since := self.spool.gap():
                await asyncio.sleep(SETTLE_SECONDS)
                await self._patiently(partial(self._gap, since - MARGIN_SECONDS, time.time()))
                self.spool.filled(since)

    async def _patiently(self, read: Callable[[], list[Row]]) -> None:
        """Read, and try again until the log can be read."""
        while True:
            try:
                rows = await asyncio.to_thread(read)
                break
            except LogError as error:
                _logger.error(
                    "%s. Calls of the time when nothing was heard are missing in the CRM until it can. Next try in %d s.",
                    error,
                    RETRY_SECONDS,
                )
                await asyncio.sleep(RETRY_SECONDS)
        await self._keep(rows)

    def _gap(self, since: float, until: float) -> list[Row]:
        oldest = time.time() - REMEMBERED_SECONDS
        return of_gap(self.log.rows(max(since - QUIET_SECONDS, oldest)), since, until)

    def _night(self) -> list[Row]:
        now = time.time()
        heard = self.spool.heard_calls()
        return unheard(self.log.rows(now - NIGHT_SECONDS), now - QUIET_SECONDS, heard.__contains__)

    async def _keep(self, rows: list[Row]) -> None:
        calls = {row['Linkedid'] for row in rows}
        events = [event_of(row) for row in rows if row['EventName'] not in LEFT_OUT]
        over = {row['Uniqueid'] for row in rows if row['EventName'] == 'HANGUP'}
        files, talked = recordings_of(rows) if self._notes_recordings else ([], [])
        while True:
            try:
                for place in range(0, len(events), AT_ONCE):
                    self.spool.write(events[place : place + AT_ONCE], {})
                    self.wake()
                    await asyncio.sleep(0)
                self.spool.write([], {}, over, files, talked, calls)
                break
            except sqlite3.OperationalError as error:
                _logger.error(
                    "%d rows of the PBX's log cannot be written to the spool: %s. Next try in %d s.",
                    len(events),
                    error,
                    RETRY_SECONDS,
                )
                await asyncio.sleep(RETRY_SECONDS)
        if calls:
            _logger.info("%d calls were read from %s", len(calls), self.log)


def _until_night() -> float:
    """Return the seconds until the next look at night."""
    now = time.localtime()
    hour = NIGHT_HOUR if now.tm_hour < NIGHT_HOUR else NIGHT_HOUR + 24
    return (hour - now.tm_hour) * 3600 - now.tm_min * 60 - now.tm_sec
