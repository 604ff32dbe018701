"""The one kind of thread that this addon starts, for work that must begin as soon as an answer is
out.

A scheduled action does the same work and finds what a killed process has left. It alone would not
do, because Odoo's cron workers may be busy for minutes, and a caller waits for seconds.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable

_logger = logging.getLogger(__name__)


class Worker:
    """Runs a thread for each key, which works off its items and ends when none is left.

    A key is a pair of a database's name and a record's id: plain values, because no record may be
    taken across threads.

    :param name: the threads' name in the log, before the id
    :param work: called in the thread as ``work(database, record_id, item)``, with one item at a
        time, in the order of arrival. It opens its own cursor and returns the seconds to pause
        before the next item. An error is logged, and the next item comes
    """

    def __init__(self, name: str, work: Callable[[str, int, Hashable], float | None]):
        self._name, self._work = name, work
        self._lock = threading.Lock()
        # key of each running thread → its items, as the keys of a dict
        self._waiting: dict[tuple[str, int], dict] = {}

    def wake(self, database: str, record_id: int, items: Iterable[Hashable] = (None,)) -> None:
        """Add items to this key, and start its thread if none runs. An item that waits already is
        not added again.

        Never raises: if no thread can be started, the scheduled action does the work.
        """
        key = database, record_id
        with self._lock:
            is_running = key in self._waiting
            self._waiting.setdefault(key, {}).update(dict.fromkeys(items))
        if is_running:
            return
        try:
            threading.Thread(
                target=self._run, args=(key,), name=f'{self._name}.{record_id}'
            ).start()
        except RuntimeError:
            _logger.warning(
                "%s %s: the system gives no thread. The scheduled action will do the work later.",
                self._name,
                record_id,
            )
            with self._lock:
                self._waiting.pop(key, None)

    def is_idle(self) -> bool:
        with self._lock:
            return not self._waiting

    def _run(self, key):
        threading.current_thread().dbname = key[0]  # for the log
        while items := self._next(key):
            pause = 0
            try:
                pause = self._work(*key, items[0])
            except Exception:
                _logger.exception(
                    "%s %s failed. The scheduled action will do the work later.", self._name, key[1]
                )
            time.sleep(pause or 0)

    def _next(self, key):
        """Return the next item as a list of one, or an empty list, after which the thread has to
        end."""
        with self._lock:
            if not self._waiting[key]:
                del self._waiting[key]
                return []
            item = next(iter(self._waiting[key]))
            del self._waiting[key][item]
            return [item]
