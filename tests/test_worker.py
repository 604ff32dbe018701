"""The threads that work behind the answers."""

import threading
import time
from unittest.mock import patch

from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger

from ..tools.worker import Worker

LOGGER = 'odoo.addons.crm_telephony.tools.worker'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestWorker(BaseCase):
    def setUp(self):
        super().setUp()
        self.done, self.gate = [], threading.Semaphore(0)
        self.worker = Worker('telephony.test', self.work)

    def work(self, database, record_id, item):
        self.gate.acquire(timeout=5)
        self.done.append((database, record_id, item))
        if item == 'bad':
            raise ZeroDivisionError("a database that went away")
        return 0.001

    def let(self, count):
        """Let so many items be worked off, and wait until the threads are over."""
        self.gate.release(count)
        deadline = time.monotonic() + 5
        while not self.worker.is_idle() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertTrue(self.worker.is_idle(), "a thread must end when nothing waits any more")

    def test_work_is_done_at_once_and_the_thread_ends(self):
        self.worker.wake('any', 7)
        self.let(1)
        self.worker.wake('any', 7)
        self.let(1)
        self.assertEqual(self.done, [('any', 7, None)] * 2, "a later one wakes a new thread")

    def test_what_waits_already_is_not_added_again(self):
        """Twenty deliveries while the first is filed are filed together afterwards."""
        self.worker.wake('any', 7)
        while self.worker._waiting['any', 7]:  # until the first is taken up
            time.sleep(0.005)
        for _delivery in range(20):
            self.worker.wake('any', 7)
        self.let(2)
        self.assertEqual(len(self.done), 2)

    def test_one_after_the_other_and_a_bad_one_stops_nobody(self):
        with mute_logger(LOGGER):
            self.worker.wake('any', 7, ['first', 'bad'])
            self.worker.wake('any', 7, ['second'])
            self.assertEqual(
                len([one for one in threading.enumerate() if one.name == 'telephony.test.7']), 1
            )
            self.let(3)
        self.assertEqual([item for *_key, item in self.done], ['first', 'bad', 'second'])

    def test_each_key_has_a_thread_of_its_own(self):
        self.worker.wake('any', 7)
        self.worker.wake('any', 8)
        self.worker.wake('other', 7)
        self.let(3)
        self.assertEqual(
            sorted(self.done), [('any', 7, None), ('any', 8, None), ('other', 7, None)]
        )

    def test_a_machine_without_threads(self):
        with (
            patch.object(threading.Thread, 'start', side_effect=RuntimeError),
            self.assertLogs(LOGGER, 'WARNING'),
        ):
            self.worker.wake('any', 7)
        self.assertTrue(self.worker.is_idle())
        self.worker.wake('any', 7)
        self.let(1)
        self.assertEqual(len(self.done), 1, "the next one tries again")
