import logging
import threading
import time

from ..models.telephony_event import pause_after

_logger = logging.getLogger(__name__)


class Filer:
    """Makes calls of what deliveries have stored, behind the answers: in a thread for each account, which lives while
    deliveries come in.

    The first delivery after a quiet time is filed at once. Those that follow closely are filed together a moment later:
    filing twenty events costs hardly more than filing one, and the requests need the processor too. What a killed
    process leaves behind is filed by the scheduled action.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._woken = {}    # (database, account id) of each running thread → account that has new events, or None

    def wake(self, account):
        """There are new events of this account, committed."""
        key = account.pool.db_name, account.id
        with self._lock:
            running = key in self._woken
            self._woken[key] = account
        if not running:
            try:
                threading.Thread(target=self._run, args=key, name=f'telephony.filer.{account.id}').start()
            except RuntimeError:    # no thread to be had now: the next delivery tries again, and the scheduled action
                _logger.warning("no thread to file the calls of telephony account %s", account.id)
                with self._lock:
                    self._woken.pop(key, None)

    def _run(self, database, account_id):
        threading.current_thread().dbname = database    # for the log
        while account := self._next((database, account_id)):
            begin = time.monotonic()
            try:
                account._file_in_new_transaction()
            except Exception:   # the events are safe, and the next delivery needs this thread
                _logger.exception("filing calls of telephony account %s failed; the scheduled action will", account_id)
            time.sleep(pause_after(time.monotonic() - begin))

    def _next(self, key):
        with self._lock:
            account, self._woken[key] = self._woken[key], None
            if not account:
                del self._woken[key]
            return account


filer = Filer()
