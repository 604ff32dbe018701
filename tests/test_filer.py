"""The thread that makes calls of what deliveries have stored, behind the answers."""
import threading
import time
from unittest.mock import patch

from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger

from ..controllers import filer as filer_module
from ..controllers.filer import Filer


class Account:
    """Stands in for an account: counts how often it was filed."""
    id = 7

    def __init__(self):
        self.pool = type('Pool', (), {'db_name': 'any'})
        self.filed, self.seen, self.hold = 0, threading.Semaphore(0), None

    def _file_in_new_transaction(self):
        self.filed += 1
        self.seen.release()
        if self.hold:
            self.hold.wait(5)
        if self.filed == 1 and getattr(self, 'fails', False):
            raise ZeroDivisionError("a database that went away")

    def wait_filed(self):
        return self.seen.acquire(timeout=5)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestFiler(BaseCase):

    def setUp(self):
        super().setUp()
        self.filer, self.account = Filer(), Account()
        self.startPatcher(patch.object(filer_module, 'pause_after', return_value=0.01))

    def wait_quiet(self):
        deadline = time.monotonic() + 5
        while self.filer._woken and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(self.filer._woken, "the thread must end when nothing comes any more")

    def test_the_first_delivery_is_filed_at_once_and_the_thread_ends(self):
        self.filer.wake(self.account)
        self.assertTrue(self.account.wait_filed())
        self.wait_quiet()
        self.assertEqual(self.account.filed, 1)
        self.filer.wake(self.account)
        self.assertTrue(self.account.wait_filed(), "a later one wakes a new thread")
        self.wait_quiet()

    def test_what_comes_while_filing_is_filed_together_afterwards(self):
        self.account.hold = threading.Event()
        self.filer.wake(self.account)
        self.assertTrue(self.account.wait_filed())
        for _delivery in range(20):
            self.filer.wake(self.account)
        self.account.hold.set()
        self.assertTrue(self.account.wait_filed())
        self.wait_quiet()
        self.assertEqual(self.account.filed, 2)

    @mute_logger('odoo.addons.crm_telephony.controllers.filer')
    def test_a_failure_does_not_stop_it(self):
        self.account.fails, self.account.hold = True, threading.Event()
        self.filer.wake(self.account)
        self.assertTrue(self.account.wait_filed())
        self.filer.wake(self.account)
        self.account.hold.set()
        self.assertTrue(self.account.wait_filed())
        self.wait_quiet()
        self.assertEqual(self.account.filed, 2)
