"""Keeps what must outlive a crash: the events not delivered yet, in order, the live channels, and
the recordings (:mod:`recordings` works them off).

SQLite of the standard library, in WAL mode: one transaction holds the events of one read from AMI
together with what they change about channels and recordings, so that after `kill -9` or a power cut
all still fit each other.
"""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_logger = logging.getLogger(__name__)

SCHEMA = """
    CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS channel (uniqueid TEXT PRIMARY KEY, name TEXT NOT NULL, linkedid TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS recording (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL, linkedid TEXT NOT NULL, uniqueid TEXT NOT NULL,
        began REAL NOT NULL, ended REAL NOT NULL DEFAULT 0, talked INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'open', next_at REAL NOT NULL DEFAULT 0,
        path TEXT NOT NULL DEFAULT '', channels INTEGER NOT NULL DEFAULT 1,
        size INTEGER NOT NULL DEFAULT 0, sha256 TEXT NOT NULL DEFAULT '', have INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, restarts INTEGER NOT NULL DEFAULT 0,
        UNIQUE (name, linkedid)
    );
    CREATE TABLE IF NOT EXISTS heard (linkedid TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS recording_open ON recording (uniqueid) WHERE state = 'open';
    CREATE INDEX IF NOT EXISTS recording_todo ON recording (next_at) WHERE state = 'todo';
"""
# Seconds from the end of a call until Asterisk has closed its recording.
CLOSING_SECONDS = 1
# So long (seconds) it is known which calls were heard.
REMEMBERED_SECONDS = 4 * 86400
DROP_EVENTS = 1000  # so many are dropped at once when the limit is reached


class SpoolError(Exception):
    """Raised when the spool cannot be used; the text says why."""


@dataclass(frozen=True)
class Channel:
    name: str
    linkedid: str


@dataclass(frozen=True)
class Announced:
    """A recording that a channel began to write; `name` is the file's base name."""

    name: str
    linkedid: str
    uniqueid: str


@dataclass(frozen=True)
class Batch:
    last: int  # id of its last event
    events: tuple[str, ...]

    @property
    def body(self) -> bytes:
        return b'{"events": [%s]}' % ', '.join(self.events).encode()


class Spool:
    def __init__(self, path: Path, max_bytes: int = 500_000_000, sync: bool = True):
        """
        :param max_bytes: of waiting events; beyond them the oldest are dropped
        :param sync: wait for the disk at every write: then not even a power cut loses anything
        :raise SpoolError: the spool is not usable, or another bridge uses it
        """
        self.max_bytes, self._path = max_bytes, path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(f'{path}.lock', 'w')  # noqa: SIM115 - held as long as we live
            path.touch(mode=0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.db = sqlite3.connect(path)
            self.db.execute('PRAGMA journal_mode = WAL')
            self.db.execute(f'PRAGMA synchronous = {"FULL" if sync else "NORMAL"}')
            self.db.executescript(SCHEMA)
            rows = self.db.execute('SELECT uniqueid, name, linkedid FROM channel').fetchall()
            self._count, self._bytes = self.db.execute(
                'SELECT count(*), coalesce(sum(length(CAST(body AS BLOB))), 0) FROM event'
            ).fetchone()
        except BlockingIOError:
            raise SpoolError(f'another bridge is running with {path}') from None
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f'{path} cannot be used: {error}') from None
        self._since = time.monotonic()
        self.channels: dict[str, Channel] = {uniqueid: Channel(*rest) for uniqueid, *rest in rows}

    def __len__(self) -> int:
        return self._count

    def waits(self) -> float:
        """Return for how long (seconds) there have been events in it without a break, 0 if there are
        none."""
        return time.monotonic() - self._since if self._count else 0

    def write(
        self,
        events: Iterable[Mapping],
        alive: Mapping[str, Channel],
        gone: Collection[str] = (),
        announced: Iterable[Announced] = (),
        talked: Iterable[str] = (),
        heard: Iterable[str] = (),
    ) -> None:
        """Append events and note what they change about channels and recordings, all or nothing.

        :param heard: the calls of which they tell the beginning, or all

        :raise sqlite3.Error: nothing was written
        """
        now = time.time()
        bodies = [json.dumps(event, ensure_ascii=False) for event in events]
        with self.db:
            self.db.executemany('INSERT INTO event (body) VALUES (?)', [(body,) for body in bodies])
            self.db.executemany(
                'INSERT OR REPLACE INTO channel VALUES (?, ?, ?)',
                [(uniqueid, channel.name, channel.linkedid) for uniqueid, channel in alive.items()],
            )
            self.db.executemany(
                'DELETE FROM channel WHERE uniqueid = ?', [(uniqueid,) for uniqueid in gone]
            )
            self.db.executemany(
                'INSERT OR IGNORE INTO recording (name, linkedid, uniqueid, began) VALUES (?, ?, ?, ?)',
                [(file.name, file.linkedid, file.uniqueid, now) for file in announced],
            )
            self.db.executemany(
                "UPDATE recording SET talked = 1 WHERE state = 'open' AND uniqueid = ?",
                [(uniqueid,) for uniqueid in talked],
            )
            self.db.executemany(
                "UPDATE recording SET state = 'todo', ended = ?, next_at = ? WHERE state = 'open' AND uniqueid = ?",
                [(now, now + CLOSING_SECONDS, uniqueid) for uniqueid in gone],
            )
            self.db.executemany(
                'INSERT OR REPLACE INTO heard VALUES (?, ?)', [(ref, now) for ref in heard]
            )
        if not self._count:
            self._since = time.monotonic()
        self._count += len(bodies)
        self._bytes += sum(len(body.encode()) for body in bodies)
        self.channels.update(alive)
        for uniqueid in gone:
            self.channels.pop(uniqueid, None)
        while self._bytes > self.max_bytes and self._count > 1:
            self._drop_oldest()

    def listening(self) -> None:
        """Note that Asterisk is heard now."""
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO mark VALUES ('heard', ?)", [time.time()])

    def connected(self) -> None:
        """Note that Asterisk is heard again: what was missed meanwhile is a gap, until the log of the
        PBX was read. One that was not read yet grows."""
        with self.db:
            self.db.execute(
                "INSERT OR IGNORE INTO mark SELECT 'gap', at FROM mark WHERE name = 'heard'"
            )

    def gap(self) -> float:
        """Return since when nothing was heard before the last connection (Unix seconds), 0 if nothing
        was missed."""
        row = self.db.execute("SELECT at FROM mark WHERE name = 'gap'").fetchone()
        return row[0] if row else 0

    def filled(self, since: float) -> None:
        """Note that the log was read for the gap that began then."""
        with self.db:
            self.db.execute("DELETE FROM mark WHERE name = 'gap' AND at = ?", [since])

    def heard_calls(self) -> set[str]:
        """Return the calls of the last days that were heard from their beginning, or read from the
        log. Those before are forgotten. For a thread of its own."""
        with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
            db.execute('DELETE FROM heard WHERE at < ?', [time.time() - REMEMBERED_SECONDS])
            return {ref for (ref,) in db.execute('SELECT linkedid FROM heard')}

    def batch(self, max_events: int, max_bytes: int) -> Batch | None:
        """Return the oldest events, at least one if there are any."""
        rows = self.db.execute(
            'SELECT id, body FROM event ORDER BY id LIMIT ?', [max_events]
        ).fetchall()
        chosen, size = [], 0
        for number, body in rows:
            size += len(body.encode()) + 2
            if chosen and size > max_bytes:
                break
            chosen.append((number, body))
        return Batch(chosen[-1][0], tuple(body for _number, body in chosen)) if chosen else None

    def delivered(self, batch: Batch) -> None:
        """Forget a batch, unless its events were dropped meanwhile."""
        self._forget(batch.last)

    def close(self) -> None:
        self.db.close()
        self._lock.close()

    def _drop_oldest(self) -> None:
        number = min(DROP_EVENTS, self._count // 2)
        (last,) = self.db.execute(
            'SELECT id FROM event ORDER BY id LIMIT 1 OFFSET ?', [number - 1]
        ).fetchone()
        self._forget(last)
        _logger.error(
            "EVENTS ARE LOST: %d waiting events, the oldest, were dropped because the spool has reached its limit of "
            "%d MB (max_megabytes in [spool]). Calls of that time may be missing or wrong in the CRM.",
            number,
            self.max_bytes // 1_000_000,
        )

    def _forget(self, last: int) -> None:
        count, size = self.db.execute(
            'SELECT count(*), coalesce(sum(length(CAST(body AS BLOB))), 0) FROM event WHERE id <= ?',
            [last],
        ).fetchone()
        with self.db:
            self.db.execute('DELETE FROM event WHERE id <= ?', [last])
        self._count -= count
        self._bytes -= size
