"""The one kind of thread that this addon starts: what has to happen at once, but not before an
answer is out.

A scheduled action would do the same, and stands behind each of these threads: it finds what a
killed process has left. But its workers may be busy for minutes, and a caller waits for seconds.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable

_logger = logging.getLogger(__name__)


class Worker:
    """A thread for each key that works off what it is given, and ends when nothing is left.

    A key is a pair of a database's name and a record's id: plain values, for no record may be taken
    across threads.

    :param name: what the threads are called in the log, before the id
    :param work: called in the thread as ``work(database, record_id, item)``, with one item at a
        time, in the order of arrival; gives the seconds to pause before the next. It opens its own
        cursor. What it raises is logged, and the next item comes
    """

    def __init__(self, name: str, work: Callable[[str, int, Hashable], float | None]):
        self._name, self._work = name, work
        self._lock = threading.Lock()
        # key of each running thread → its items, as the keys of a dict
        self._waiting: dict[tuple[str, int], dict] = {}

    def wake(self, database: str, record_id: int, items: Iterable[Hashable] = (None,)) -> None:
        """There is work for this key. An item that waits already is not added again.

        Never raises: where no thread can be started, the scheduled action does the work.
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
        """The next item as a list of one; an empty list when nothing waits, and then the thread is
        over."""
        with self._lock:
            if not self._waiting[key]:
                del self._waiting[key]
                return []
            item = next(iter(self._waiting[key]))
            del self._waiting[key][item]
            return [item]
