"""Whose turn it is, when several transactions want the same rows.

Somebody else may write the same rows at any moment: a webhook, a person, another scheduled action.
That is no fault. There are four answers to it, each with a name here, so that no other file knows
PostgreSQL's errors for it.

    isolated    a fault of one record harms no other; somebody else's write is raised to one of
    gives_way   undo, and come back in a minute: for a scheduled action
    retried     undo, and do it again at once: if somebody waits
    held        wait, or leave it, until the holder of the lock has committed

:func:`in_time` is for what nobody else is to blame for: a statement that takes too long.
"""

import contextlib
import enum
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import psycopg2
from psycopg2.errors import QueryCanceled

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import ConcurrencyError
from odoo.modules.registry import Registry
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

Result = TypeVar('Result')

# Errors that pass: a request that meets one of them may be sent again.
BUSY = (psycopg2.OperationalError, ConcurrencyError)


class Lock(enum.Enum):
    """The spaces of our advisory locks. The numbers never change, because during an update workers
    with the old code still run."""

    FILING = 0x7E1E  # an account's id: who files its calls
    TAKING = 0x74656C62  # a callback's id: who takes it
    DIALING = 0x74656C64  # a user's id: whose phone is being called
    LEASING = 0x74656C6C  # a phone's id: which browser is that phone
    TEXTING = 0x74656C73  # a company's id and a number: who writes to it


# === ALONE === #


class Trial:
    """The outcome of an isolated block.

    :ivar error: the block's own fault, None if it went well
    """

    error: Exception | None = None


@contextlib.contextmanager
def isolated(cr, *log, whole=False) -> Iterator[Trial]:
    """Undo the block if it fails by its own fault, and go on behind it. Somebody else's write is no
    such fault and is raised.

    :param log: a logger, the pattern that it logs for such a fault, and the values of the pattern.
        Without them the caller looks at the error
    :param bool whole: undo the whole transaction instead of the block; then the block may commit
    """
    trial = Trial()
    try:
        with contextlib.nullcontext() if whole else cr.savepoint():
            yield trial
    except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
        raise
    except Exception as error:  # noqa: BLE001 - logged, or looked at by the caller
        if whole:
            cr.rollback()
        trial.error = error
        if log:
            logger, *message = log
            logger.error(*message, exc_info=error)


class TooLong(Exception):
    """Raised when a statement has taken longer than it may."""


@contextlib.contextmanager
def in_time(cr, seconds: float, **settings: str) -> Iterator[None]:
    """End any statement of the block that takes longer, and undo the block then.

    :param settings: of PostgreSQL, for the block only
    :raise TooLong: a statement was ended
    """
    settings = {'statement_timeout': f'{int(seconds * 1000)}ms', **settings}
    before = {}
    for name in settings:
        cr.execute("SELECT current_setting(%s)", [name])
        before[name] = cr.fetchone()[0]
    try:
        with cr.savepoint():
            _set(cr, settings)
            yield
            _set(cr, before)
    except QueryCanceled:
        raise TooLong from None


def _set(cr, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        cr.execute("SELECT set_config(%s, %s, TRUE)", [name, value])


# === LATER === #


def wake_cron(env, xml_id, moments):
    """Trigger a scheduled action at some moments, in one statement when the transaction is flushed
    for its commit or for a savepoint. Otherwise a batch that asks for each of its records would
    write a hundred triggers one by one.

    :param str xml_id: the scheduled action; nothing happens if an administrator has deleted it
    :param moments: naive UTC datetimes
    """
    precommit, key = env.cr.precommit, f'crm_telephony.wake.{xml_id}'
    if key in precommit.data:
        precommit.data[key].update(moments)
        return
    waiting = precommit.data[key] = set(moments)

    def trigger():
        cron = env.ref(xml_id, raise_if_not_found=False)
        if cron and waiting:
            cron.sudo()._trigger(sorted(waiting))

    precommit.add(trigger)


def wake_cron_later(env, xml_id):
    """Trigger a scheduled action in a minute, because somebody else is writing its records."""
    wake_cron(env, xml_id, [fields.Datetime.now() + timedelta(minutes=1)])


@contextlib.contextmanager
def gives_way(env, xml_id=None) -> Iterator[None]:
    """End the block when somebody else writes the same rows, and undo what it has not committed.

    :param str xml_id: the scheduled action that comes back in a minute; None if the work is done
        later anyhow
    """
    try:
        yield
    except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as error:
        _logger.info(
            "%s: somebody else wrote the same rows; the work is left to the next run of the scheduled action",
            type(error).__name__,
        )
        env.cr.rollback()
        if xml_id:
            wake_cron_later(env, xml_id)
            env.cr.commit()  # pylint: disable=invalid-commit


# === AGAIN === #


def retried(cr, work: Callable[[], Result], tries: int = 3) -> Result:
    """Run `work` and return its result. When somebody else writes the same rows, undo the
    transaction and run it again in a new one, which sees what they have written.

    `work` comes first in its transaction and does nothing that must not happen twice. There is no
    pause between the tries: Odoo's own retry sleeps for seconds, and here somebody waits.

    :raise PG_CONCURRENCY_EXCEPTIONS_TO_RETRY: the last try has failed too
    """
    for left in reversed(range(tries)):
        try:
            return work()
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as error:
            cr.rollback()
            if not left:
                raise
            _logger.debug(
                "%s: somebody else wrote the same rows; done again at once, %s tries left",
                type(error).__name__,
                left,
            )
    raise ValueError("no try at all")


# === TRANSACTIONS OF THEIR OWN === #


@contextlib.contextmanager
def begun(database: str) -> Iterator[api.Environment]:
    """Give a thread the superuser's environment in a new transaction, which is committed at the
    end."""
    with Registry(database).cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


@contextlib.contextmanager
def beside(env) -> Iterator[api.Environment]:
    """Open a transaction beside this one, committed at the end. It sees what others have committed
    until now, and nothing of what this one has written."""
    with env.registry.cursor() as cr:
        yield env(cr=cr)


def done_beside(env, work: Callable[[api.Environment], Result], tries: int = 3) -> Result:
    """Run `work` in a transaction beside this one, commit it, and return its result. It is retried
    there. For callers that have asked a PBX and must not be repeated."""
    with beside(env) as own:

        def committed():
            result = work(own)
            own.cr.commit()  # pylint: disable=invalid-commit
            return result

        return retried(own.cr, committed, tries)


# === ONE AFTER THE OTHER === #


def claimed(cr, lock: Lock, keys: Sequence[int] | Sequence[str]) -> list:
    """Return the keys that nobody else holds; they are ours until the end of the transaction.

    The transaction does not see what an earlier holder has committed since it began;
    :func:`beside` does.
    """
    if not keys:
        return []
    number = SQL("hashtext(key)" if isinstance(keys[0], str) else "key")
    cr.execute(
        SQL(
            "SELECT key FROM unnest(%s) AS key WHERE pg_try_advisory_xact_lock(%s, %s)",
            list(keys),
            lock.value,
            number,
        )
    )
    return [key for (key,) in cr.fetchall()]


@contextlib.contextmanager
def held(env, lock: Lock, key: int, wait: bool = False) -> Iterator[bool]:
    """Hold a lock while the block runs, and tell the block whether it is ours.

    Commits before the block, and rolls back what the block has not committed. The block runs in
    transactions that begin after the lock is ours, so it sees all that the holder before has
    committed.

    As in Odoo's `fetchmail`, the lock belongs to another transaction, which does nothing else. So it
    outlives the commits of the block, ends with its connection, and holds behind a connection pooler
    too, which hands sessions on. If that connection is lost, block and next holder meet in the rows
    that both write, and PostgreSQL stops one of them.

    :param wait: wait until the lock is ours
    """
    env.cr.commit()  # pylint: disable=invalid-commit
    with env.registry.cursor() as keeper:
        if wait:
            keeper.execute(SQL("SELECT pg_advisory_xact_lock(%s, %s)", lock.value, key))
        is_ours = wait or bool(claimed(keeper, lock, [key]))
        try:
            yield is_ours
        finally:
            env.cr.rollback()
            keeper.commit()  # pylint: disable=invalid-commit


# === ONCE IN A WHILE === #


class Tally:
    """Counts in memory, for each process by itself, what must not be written each time.

    :param interval: seconds between two writes
    """

    def __init__(self, interval: float):
        self._interval, self._lock = interval, threading.Lock()
        self._counts, self._written = defaultdict(int), {}

    def add(self, key: Hashable) -> int:
        """Count one more, and return the number to write now, or 0."""
        now = time.monotonic()
        with self._lock:
            self._counts[key] += 1
            if now - self._written.get(key, -self._interval) < self._interval:
                return 0
            self._written[key] = now
            return self._counts.pop(key)
