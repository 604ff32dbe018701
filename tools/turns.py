"""Whose turn it is: what has to happen alone, again, once, later, or one after the other.

Somebody else may write the same rows at any moment: a webhook, a person, another scheduled action.
That is no fault, and there are four answers to it, each with a name here. Nobody else has to know
which errors PostgreSQL has for it.

    isolated    one record's own fault harms no other; somebody else's write goes through to one of
    gives_way   undo, and come back in a minute: for a scheduled action
    retried     undo, and at once again: where somebody waits
    held        wait, or leave it, until whoever holds the lock has committed
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

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import ConcurrencyError
from odoo.modules.registry import Registry
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

Result = TypeVar('Result')

# The database cannot do it now: a request that meets one of these may be sent again.
BUSY = (psycopg2.OperationalError, ConcurrencyError)


class Lock(enum.Enum):
    """The spaces of our advisory locks. The numbers stay as they are: during an update workers with
    the old code still run."""

    FILING = 0x7E1E  # an account's id: who files its calls
    TAKING = 0x74656C62  # a callback's id: who takes it
    DIALING = 0x74656C64  # a user's id: whose phone is being called
    TEXTING = 0x74656C73  # a company's id and a number: who writes to it


# === ALONE === #


class Trial:
    """How it went.

    :ivar error: the block's own fault; None where it went well
    """

    error: Exception | None = None


@contextlib.contextmanager
def isolated(cr, *told, whole=False) -> Iterator[Trial]:
    """What fails in this block by its own fault is undone, and whoever comes after it goes on.
    Somebody else's write is no such fault and is raised.

    :param told: a logger, and what it says of such a fault: a pattern and its values. Without it the
        caller looks at the error
    :param bool whole: undo the transaction instead of the block, which may then commit
    """
    trial = Trial()
    try:
        with contextlib.nullcontext() if whole else cr.savepoint():
            yield trial
    except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
        raise
    except Exception as error:  # noqa: BLE001 - told, or looked at by the caller
        if whole:
            cr.rollback()
        trial.error = error
        if told:
            logger, *message = told
            logger.error(*message, exc_info=error)


# === LATER === #


def wake_cron(env, xml_id, moments):
    """Ask for a scheduled action at some moments, in one statement when the transaction is flushed
    for its commit or for a savepoint: a batch that asks for each of its records would else write a
    hundred triggers one by one.

    :param str xml_id: of the scheduled action, which an administrator may have deleted: then
        nothing happens
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
    """Ask for a scheduled action in a minute: somebody else is at its records."""
    wake_cron(env, xml_id, [fields.Datetime.now() + timedelta(minutes=1)])


@contextlib.contextmanager
def gives_way(env, xml_id=None) -> Iterator[None]:
    """Where somebody else writes at the same moment this block ends, and what it has not committed
    is undone.

    :param str xml_id: the scheduled action that comes back in a minute. None where it is done later
        anyhow
    """
    try:
        yield
    except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as error:
        _logger.info("%s: somebody else goes first", type(error).__name__)
        env.cr.rollback()
        if xml_id:
            wake_cron_later(env, xml_id)
            env.cr.commit()  # pylint: disable=invalid-commit


# === AGAIN === #


def retried(cr, work: Callable[[], Result], tries: int = 3) -> Result:
    """What `work` returns. Where somebody else writes at the same moment the transaction is undone,
    and the work done again in a new one that sees what they have written. It comes first in its
    transaction, and does nothing that must not happen twice.

    Without a pause, unlike Odoo's own retry: that one sleeps for seconds, and here somebody waits.

    :raise PG_CONCURRENCY_EXCEPTIONS_TO_RETRY: so many tries were in vain
    """
    for left in reversed(range(tries)):
        try:
            return work()
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as error:
            cr.rollback()
            if not left:
                raise
            _logger.debug("%s: done again at once", type(error).__name__)
    raise ValueError("no try at all")


# === TRANSACTIONS OF THEIR OWN === #


@contextlib.contextmanager
def begun(database: str) -> Iterator[api.Environment]:
    """The environment of the system in a new transaction, committed at the end: for a thread."""
    with Registry(database).cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


@contextlib.contextmanager
def beside(env) -> Iterator[api.Environment]:
    """A transaction beside this one, committed at the end. It sees what others have committed until
    now, and nothing of what this one has written."""
    with env.registry.cursor() as cr:
        yield env(cr=cr)


def done_beside(env, work: Callable[[api.Environment], Result], tries: int = 3) -> Result:
    """What `work` returns, committed in a transaction beside this one and retried there: this one
    has asked a PBX and must not be repeated."""
    with beside(env) as own:

        def committed():
            result = work(own)
            own.cr.commit()  # pylint: disable=invalid-commit
            return result

        return retried(own.cr, committed, tries)


# === ONE AFTER THE OTHER === #


def claimed(cr, lock: Lock, keys: Sequence[int] | Sequence[str]) -> list:
    """Those of the keys that nobody else holds; they are ours until the end of the transaction.

    It does not see what whoever held them has committed since it began: :func:`beside` does.
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
    """Whether the lock is ours for this block, which runs in new transactions of this environment:
    they begin after the lock is ours, so they see all that its holder before has committed. Commits
    before, and rolls back what the block has not committed.

    As Odoo's `fetchmail` does it, the lock belongs to another transaction, which does nothing else.
    It outlives the commits of the block, ends with its connection, and holds behind a connection
    pooler too, where a session is handed on. Whoever loses that connection and goes on meets the
    next holder in the rows they both write, and one of them is told so by PostgreSQL.

    :param wait: until it is ours
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
    """Counts what must not be written each time: in memory, in each process by itself."""

    def __init__(self, interval: float):
        """:param interval: seconds between two writes"""
        self._interval, self._lock = interval, threading.Lock()
        self._counts, self._written = defaultdict(int), {}

    def add(self, key: Hashable) -> int:
        """Count one; the number to write now, or 0."""
        now = time.monotonic()
        with self._lock:
            self._counts[key] += 1
            if now - self._written.get(key, -self._interval) < self._interval:
                return 0
            self._written[key] = now
            return self._counts.pop(key)
