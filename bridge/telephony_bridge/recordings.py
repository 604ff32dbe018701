"""Uploads the recordings of calls in signed pieces, and deletes files of the PBX when it is told to.

A recording is a row of the spool: *open* while its call goes on, *todo* until the CRM has the file,
*delivered* if somebody may still ask to delete it. Files never hold back events: a piece is posted
beside them, and only while they get through. The CRM says with each answer how much it has, so whoever is killed goes
on from there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import os
import re
import sqlite3
import stat
import time
import wave
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .config import Crm, Recordings
from .sender import Answer, post
from .spool import Spool

_logger = logging.getLogger(__name__)

PIECE, MIN_PIECE = 768 * 1024, 64 * 1024  # the webhook takes 1 MiB
BLOCK = 64 * 1024
# A WAV file that is not longer has a header and no sound.
EMPTY = 44
SETTLED_SECONDS = 10  # a file that has not grown for so long is complete
SEARCH_SECONDS, GIVE_UP_SECONDS = 300, 24 * 3600
# Pauses while the CRM does not know the call of a file, after the last one it is given up.
UNKNOWN_SECONDS = (60, 300, 1800, 2 * 3600, 6 * 3600, 24 * 3600)
JOIN_SECONDS = 5  # the CRM has all of a file and has not yet joined it
# Events come before files: these wait while there have been events in the spool for so long.
LATE_SECONDS, BUSY_SECONDS = 0.5, 0.1
RESTARTS = 3
TROUBLE_SECONDS, DISK_SECONDS = 600, 10
# How often the CRM is asked which files it wants deleted, while there are no events to post.
ASK_SECONDS = 300
# Our own events: what became of a file that was to be deleted.
DELETED, KEPT = 'BridgeRecordingDeleted', 'BridgeRecordingKept'
TOO_OLD = 'this Odoo takes no recordings: update the addon there, or empty path in [recordings]'

# What Asterisk's and FreePBX's post-processing (MIXMON_POST) makes of a recording.
SUFFIXES = ('.mp3', '.WAV', '.wav', '.gsm', '.ogg', '.opus')
# FreePBX's names end in -YYYYMMDD-HHMMSS-<uniqueid>; the last such date counts.
DAY = re.compile(r'.*-(\d{4})(\d\d)(\d\d)-\d{6}-')
RATES = (8000, 12000, 16000, 24000, 32000, 48000)


# --- files -------------------------------------------------------------------------------------------------------


def find(root: Path, name: str) -> Path | None:
    """Return where below `root` a recording lies: under its name, else with another suffix after a
    conversion. None if it is not there."""
    day = DAY.match(name)
    folders = [*([root.joinpath(*day.groups())] if day else []), root]
    stem = os.path.splitext(name)[0]
    names = dict.fromkeys((name, *(stem + suffix for suffix in SUFFIXES)))
    found = (
        folder / file for file in names for folder in folders if _is_inside(root, folder / file)
    )
    return next(found, None)


def sides(root: Path, name: str) -> list[Path]:
    """Return the two files of a recording whose sides were recorded apart: what the channel said,
    then what it heard; empty if they are not both there."""
    stem = os.path.splitext(name)[0]
    found = [find(root, f'{stem}-{side}.wav') for side in ('in', 'out')]
    return found if all(found) else []


def _is_inside(root: Path, path: Path) -> bool:
    """Return whether this is a regular file, no link, whose folder really lies below `root`."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        real, top = os.path.realpath(path.parent), os.path.realpath(root)
        return os.path.commonpath((real, top)) == top
    except (OSError, ValueError):
        return False


def _open(path: Path) -> BinaryIO:
    """:raise OSError: the file is gone, or has become a link"""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), 'rb')


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(BLOCK), b'')


def merge(first: Path, second: Path, target: Path) -> None:
    """Write one WAV file with two channels, block by block. The shorter side ends in silence.

    :raise wave.Error: these are not two WAV files of 16 bits, one channel and the same rate
    """
    with (
        _open(first) as left_file,
        _open(second) as right_file,
        wave.open(left_file) as left,
        wave.open(right_file) as right,
        wave.open(str(target), 'wb') as both,
    ):
        rate = left.getframerate()
        both.setparams((2, 2, rate, 0, 'NONE', ''))
        if not left.getparams()[:3] == right.getparams()[:3] == (1, 2, rate):
            raise wave.Error('the two sides differ, or are not of 16 bits and one channel')
        while True:
            lanes = left.readframes(BLOCK), right.readframes(BLOCK)
            size = max(map(len, lanes)) // 2
            if not size:
                return
            mixed = array('h', bytes(4 * size))
            for place, lane in enumerate(lanes):
                mixed[place::2] = array('h', lane[: 2 * size].ljust(2 * size, b'\0'))
            both.writeframesraw(mixed.tobytes())


def wrap(raw: Path, seconds: float, target: Path) -> None:
    """Write the two-channel samples that MixMonitor's option D leaves as a WAV file. Their rate is
    written nowhere: it is the one that fits the seconds of the recording best."""
    with _open(raw) as samples, wave.open(str(target), 'wb') as both:
        frames = os.fstat(samples.fileno()).st_size / 4
        heard = max(frames, 1) / max(seconds, 1)
        both.setparams(
            (2, 2, min(RATES, key=lambda rate: abs(math.log(heard / rate))), 0, 'NONE', '')
        )
        for block in _blocks(samples):
            both.writeframesraw(block[: len(block) // 4 * 4])


def digest(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file."""
    size, sha256 = 0, hashlib.sha256()
    with _open(path) as file:
        for block in _blocks(file):
            size += len(block)
            sha256.update(block)
    return size, sha256.hexdigest()


# --- rows --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """A row of the spool. `talked`: the channel was connected with another. `path` is the file that
    is uploaded, '' until it is complete; times are Unix seconds."""

    id: int
    name: str
    linkedid: str
    uniqueid: str
    began: float
    ended: float
    talked: int
    state: str
    next_at: float
    path: str
    channels: int
    size: int
    sha256: str
    have: int
    attempts: int
    restarts: int


class Shelf:
    """The recordings in the spool."""

    COLUMNS = ', '.join(Recording.__dataclass_fields__)

    def __init__(self, spool: Spool):
        self._db = spool.db

    def due(self) -> Recording | None:
        return next(self._read("state = 'todo' AND next_at <= ?", time.time()), None)

    def next_at(self) -> float | None:
        """Return when the next one is due, None if none waits."""
        return self._db.execute(
            "SELECT min(next_at) FROM recording WHERE state = 'todo'"
        ).fetchone()[0]

    def named(self, name: str) -> list[Recording]:
        return list(self._read('name = ?', name))

    def set(self, recording: Recording, **values) -> None:
        with self._db:
            self._db.execute(
                f'UPDATE recording SET {", ".join(f"{name} = ?" for name in values)} WHERE id = ?',  # noqa: S608 - our own names
                [*values.values(), recording.id],
            )

    def forget(self, recording: Recording) -> None:
        with self._db:
            self._db.execute('DELETE FROM recording WHERE id = ?', [recording.id])

    def _read(self, condition: str, value) -> Iterator[Recording]:
        rows = self._db.execute(
            f'SELECT {self.COLUMNS} FROM recording WHERE {condition} ORDER BY next_at, id',  # noqa: S608 - our own conditions
            [value],
        )
        return (Recording(*row) for row in rows)


# --- work --------------------------------------------------------------------------------------------------------


class Uploader:
    def __init__(
        self,
        crm: Crm,
        spool: Spool,
        recordings: Recordings,
        scratch: Path,
        report: Callable[[], None],
    ):
        """
        :param scratch: the folder for files that are made of two sides
        :param report: called when there is an event of ours in the spool
        """
        self.crm, self.spool, self.report = crm, spool, report
        self.root, self.delete, self.scratch = recordings.path, recordings.delete, scratch
        self.shelf = Shelf(spool)
        self._news, self._piece, self._failures, self._asked_at = asyncio.Event(), PIECE, 0, 0.0
        self._joins: dict[int, float] = {}

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Work off recordings for ever. What goes wrong with one holds up neither events nor the
        other recordings."""
        while True:
            recording, pause = None, BUSY_SECONDS
            self._news.clear()
            try:
                recording = self.shelf.due()
                if not recording:
                    pause = await self._idle()
                elif self.spool.waits() <= LATE_SECONDS:
                    pause = await self._work(recording)
            except Exception as error:  # noqa: BLE001 - logged; events go on
                _logger.log(
                    logging.ERROR,
                    "recording %s: %s. Next try in %d s.",
                    recording and recording.name,
                    error,
                    TROUBLE_SECONDS,
                    exc_info=not isinstance(error, OSError),
                )
                pause = DISK_SECONDS
                with suppress(sqlite3.Error):
                    if recording:
                        self.shelf.set(recording, next_at=time.time() + TROUBLE_SECONDS)
            await asyncio.sleep(pause)

    async def _idle(self) -> float:
        """Ask what is to be deleted, if it is time, and wait for the next recording."""
        if (
            self.delete == 'asked'
            and not len(self.spool)
            and time.monotonic() - self._asked_at > ASK_SECONDS
        ):
            self.heard(await asyncio.to_thread(post, self.crm, b'{"events": []}'))
        wait = min((self.shelf.next_at() or math.inf) - time.time(), ASK_SECONDS)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), max(wait, 0))
        return 0

    async def _work(self, recording: Recording) -> float:
        """Do the next step for a recording, and return how long to wait (seconds) before any other."""
        if not recording.sha256:
            await self._prepare(recording)
            return 0
        body = await asyncio.to_thread(self._body, recording)
        if not body:  # converted, or still growing after all
            self._search(recording)
            return 0
        kind = 'application/octet-stream'
        answer = await asyncio.to_thread(post, self.crm, body, 'recording', kind)
        return self._answered(recording, answer)

    # --- before ------------------------------------------------------------------------------------------------

    async def _prepare(self, recording: Recording) -> None:
        """Look for the file; when it has stopped growing, note what is to be uploaded."""
        now, size = time.time(), await asyncio.to_thread(self._size, recording)
        if size and size == recording.size:
            path, channels = await asyncio.to_thread(self._complete, recording)
            size, sha256 = await asyncio.to_thread(digest, path)
            self.shelf.set(
                recording, path=str(path), channels=channels, size=size, sha256=sha256, have=0
            )
        elif not size and now - recording.ended > GIVE_UP_SECONDS:
            why = f'it is not below {self.root}, or there is no sound in it'
            # a call in which nobody talked often has no file
            self._give_up(recording, why, logging.WARNING if recording.talked else logging.INFO)
        else:
            pause = SETTLED_SECONDS if size else (now - recording.ended) / 10
            pause = min(max(pause, SETTLED_SECONDS), SEARCH_SECONDS)
            self.shelf.set(recording, size=size, next_at=now + pause)

    def _search(self, recording: Recording, **values) -> None:
        """Begin anew with the search for the file."""
        self.shelf.set(recording, path='', size=0, sha256='', have=0, next_at=time.time(), **values)

    def _sources(self, recording: Recording) -> list[Path]:
        """Return the two sides of a recording, else its file, as far as there is sound in them."""
        whole = find(self.root, recording.name)
        return sides(self.root, recording.name) or ([whole] if whole else [])

    def _size(self, recording: Recording) -> int:
        """Return the bytes of the recording's files, 0 while one is missing or holds no sound."""
        sizes = [path.lstat().st_size for path in self._sources(recording)]
        return sum(sizes) if sizes and min(sizes) > EMPTY else 0

    def _complete(self, recording: Recording) -> tuple[Path, int]:
        """Return the file to upload and the number of its channels; one of two sides is written to
        the scratch folder."""
        files = self._sources(recording)
        target, draft = self._scratch(recording), self._scratch(recording, '.part')
        try:
            if len(files) == 2:
                merge(*files, draft)
            elif files[0].suffix == '.raw':
                wrap(*files, recording.ended - recording.began, draft)
            else:
                return files[0], 1
        except (wave.Error, EOFError) as error:
            whole = find(self.root, recording.name)
            if not whole:
                raise FileNotFoundError(f'{error}, and there is no mixed file') from None
            _logger.warning("recording %s: %s. The mixed file is uploaded.", recording.name, error)
            return whole, 1
        draft.replace(target)
        return target, 2

    def _scratch(self, recording: Recording, suffix: str = '.wav') -> Path:
        return self.scratch / f'recording-{recording.id}{suffix}'

    # --- upload ------------------------------------------------------------------------------------------------

    def _body(self, recording: Recording) -> bytes:
        """Return the next piece, with one line of JSON before it; empty if the file is not any more
        what it was."""
        path = Path(recording.path)
        if path != self._scratch(recording) and not _is_inside(self.root, path):
            return b''
        try:
            with _open(path) as file:
                if os.fstat(file.fileno()).st_size != recording.size:
                    return b''
                file.seek(recording.have)
                piece = file.read(self._piece)
        except FileNotFoundError:
            return b''
        head = {
            'name': recording.name,
            'linkedid': recording.linkedid,
            'uniqueid': recording.uniqueid,
            'size': recording.size,
            'sha256': recording.sha256,
            'offset': recording.have,
            'channels': recording.channels,
        }
        return b'%s\n%s' % (json.dumps({'recording': head}).encode(), piece)

    def _answered(self, recording: Recording, answer: Answer) -> float:
        """Note what the CRM said of a piece, and return how long to wait (seconds)."""
        now, status, have = time.time(), answer.status, answer.told.get('have')
        if status == 200 and answer.told.get('done') is True:
            self._delivered(recording)
        elif (
            status in (200, 409)
            and isinstance(have, int)
            and 0 <= have <= recording.size
            # all of it, but not joined yet; else the same again would be no progress
            and (have != recording.have or have == recording.size)
        ):
            if have < recording.have and recording.restarts >= RESTARTS:
                self._give_up(recording, 'the CRM has lost what it had, again and again')
            else:
                self.shelf.set(
                    recording,
                    have=have,
                    restarts=recording.restarts + (have < recording.have),
                    next_at=now + (self._joining(recording) if have == recording.size else 0),
                )
        elif status == 425:
            if recording.attempts < len(UNKNOWN_SECONDS):
                pause = UNKNOWN_SECONDS[recording.attempts]
                self.shelf.set(recording, attempts=recording.attempts + 1, next_at=now + pause)
            else:
                self._give_up(recording, 'the CRM knows no call with it')
        elif status == 410:
            _logger.info("recording %s is not wanted by the CRM", recording.name)
            self._forget(recording)
        elif status == 422:
            if recording.restarts < RESTARTS:
                self._search(recording, restarts=recording.restarts + 1)
            else:
                self._give_up(recording, 'the CRM gets other bytes than were sent, again and again')
        elif status == 413 and self._piece > MIN_PIECE:
            self._piece //= 2
            _logger.warning("a piece of a recording is too large for the webhook: halved")
        else:
            return self._failed(recording, answer)
        self._failures = 0
        return 0

    def _joining(self, recording: Recording) -> float:
        """Return how long to wait (seconds) for the CRM to join a file, longer each time."""
        before = self._joins.get(recording.id, JOIN_SECONDS / 2)
        pause = self._joins[recording.id] = min(2 * before, ASK_SECONDS)
        return pause

    def _failed(self, recording: Recording, answer: Answer) -> float:
        pause = answer.pause(self._failures)
        self._failures += 1
        # then it is another one's turn
        self.shelf.set(recording, next_at=time.time() + pause)
        _logger.log(
            logging.WARNING if answer.is_temporary else logging.ERROR,
            "recording %s not delivered to %s: %s. Next try in %.0f s.",
            recording.name,
            self.crm.shown,
            TOO_OLD if answer.is_taken else answer,
            pause,
        )
        return pause

    def _delivered(self, recording: Recording) -> None:
        _logger.debug("recording %s is delivered", recording.name)
        self._joins.pop(recording.id, None)
        self._scratch(recording).unlink(missing_ok=True)
        if self.delete == 'never':
            self._forget(recording)
            return
        self.shelf.set(recording, state='delivered')
        if self.delete == 'delivered':
            self._remove(recording.name)

    def _give_up(self, recording: Recording, why: str, level: int = logging.WARNING) -> None:
        _logger.log(level, "recording %s is given up: %s.", recording.name, why)
        self._forget(recording)

    def _forget(self, recording: Recording) -> None:
        for suffix in ('.wav', '.part'):
            self._scratch(recording, suffix).unlink(missing_ok=True)
        self.shelf.forget(recording)

    # --- delete ------------------------------------------------------------------------------------------------

    def heard(self, answer: Answer) -> None:
        """Delete what the answer to a batch of events asks for."""
        self._asked_at = time.monotonic()
        names = answer.told.get('delete_recordings')
        try:
            for name in names if isinstance(names, list) else ():
                if isinstance(name, str):
                    self._remove(name)
        except sqlite3.Error as error:
            _logger.error("recordings cannot be deleted: %s. The CRM asks again.", error)

    def _remove(self, name: str) -> None:
        """Delete the files of a recording, in all formats, if we have delivered it, and report that
        they are gone or why they are kept."""
        recordings, why = self.shelf.named(name), ''
        if self.delete == 'never':
            why = 'never'
        elif not recordings:
            why = 'unknown'
        elif any(recording.state != 'delivered' for recording in recordings):
            why = 'busy'  # not delivered yet, or another call writes a file of the same name
        try:
            while not why and (files := [*sides(self.root, name), find(self.root, name)]) != [None]:
                for path in filter(None, files):
                    path.unlink()
        except OSError as error:
            why = error.strerror or str(error)
            _logger.error(
                "recording %s cannot be deleted: %s. The bridge needs the right to write below %s.",
                name,
                why,
                self.root,
            )
        report = {'Event': KEPT, 'Why': why} if why else {'Event': DELETED}
        self.spool.write([{**report, 'Name': name, 'ReceivedAt': time.time()}], {})
        for recording in () if why else recordings:
            self._forget(recording)
        self.report()
