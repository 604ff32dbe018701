"""Two transactions that meet: in a real PostgreSQL, which is why most of this cleans up behind
itself."""

import logging
import threading
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from unittest.mock import Mock, patch

import psycopg2
from freezegun import freeze_time
from psycopg2.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import mute_logger

from ..controllers.filer import filer
from ..models.inbox import event as event_module
from ..tools import turns
from ..tools.turns import Lock
from .common import CUSTOMER, DID, SECRET, TelephonyHttpCase, sign

LOGGER = 'odoo.addons.crm_telephony.tests.test_turns'
CRON = 'crm_telephony.ir_cron_effects'
NOON = datetime(2026, 11, 4, 10, 0)
# No record has such an id.
KEY = 2147483647


class TurnsCase(BaseCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        # PostgreSQL's complaints are what these tests are about
        muted = ExitStack()
        muted.enter_context(mute_logger('odoo.sql_db'))
        self.addCleanup(muted.close)

    @contextmanager
    def transaction(self):
        """An environment that sees the database as it is now. Whoever waits for ever fails."""
        with self.registry.cursor() as cr:
            cr.execute("SET lock_timeout = '10s'")
            cr.execute("SELECT 1")
            yield api.Environment(cr, SUPERUSER_ID, {})

    def end_connection_of_lock(self, lock, key):
        """As when a server or a cable between fails."""
        with self.transaction() as env:
            env.cr.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                "WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [lock.value, key],
            )
            self.assertEqual(env.cr.fetchall(), [(True,)])

    def is_free(self, lock, key):
        with self.transaction() as env:
            return turns.claimed(env.cr, lock, [key]) == [key]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestRows(TurnsCase):
    """Who writes what somebody else writes."""

    def setUp(self):
        super().setUp()
        with self.transaction() as env:
            env.cr.execute(
                "INSERT INTO ir_config_parameter (key, value) "
                "SELECT 'crm_telephony.test_turns.' || place, '0' FROM generate_series(0, 2) AS place "
                "RETURNING id"
            )
            self.rows = [row[0] for row in env.cr.fetchall()]
        self.addCleanup(self.clean)

    def clean(self):
        with self.transaction() as env:
            env.cr.execute("DELETE FROM ir_config_parameter WHERE id = ANY(%s)", [self.rows])
            env.cr.execute(
                "DELETE FROM ir_cron_trigger WHERE cron_id = %s AND call_at < %s",
                [env.ref(CRON).id, NOON + timedelta(days=1)],
            )

    def add(self, env, place, amount):
        env.cr.execute(
            "UPDATE ir_config_parameter SET value = value::int + %s WHERE id = %s",
            [amount, self.rows[place]],
        )

    def add_in_between(self, place, amount):
        """Somebody else, who is faster."""
        with self.transaction() as env:
            self.add(env, place, amount)

    def values(self):
        with self.transaction() as env:
            env.cr.execute(
                "SELECT value::int FROM ir_config_parameter WHERE id = ANY(%s) ORDER BY id",
                [self.rows],
            )
            return [row[0] for row in env.cr.fetchall()]

    def triggers(self):
        with self.transaction() as env:
            env.cr.execute(
                "SELECT call_at FROM ir_cron_trigger WHERE cron_id = %s AND call_at < %s",
                [env.ref(CRON).id, NOON + timedelta(days=1)],
            )
            return [row[0] for row in env.cr.fetchall()]

    # === ALONE === #

    def test_an_error_in_one_leaves_the_others(self):
        with self.transaction() as env, self.assertLogs(LOGGER, 'ERROR') as log:
            trials = []
            for place in range(3):
                with turns.isolated(env.cr, logging.getLogger(LOGGER), "%s is bad", place) as trial:
                    self.add(env, place, 1)
                    if place == 1:
                        env.cr.execute("SELECT 1 / 0")
                trials.append(trial)
        self.assertEqual(self.values(), [1, 0, 1])
        self.assertEqual([bool(trial.error) for trial in trials], [False, True, False])
        self.assertIsInstance(trials[1].error, psycopg2.errors.DivisionByZero)
        [record] = log.records
        self.assertEqual((record.getMessage(), record.exc_info[1]), ("1 is bad", trials[1].error))

    def test_a_block_that_commits_loses_only_the_rest(self):
        with self.transaction() as env:
            with turns.isolated(env.cr, whole=True) as trial:
                self.add(env, 0, 1)
                env.cr.commit()
                self.add(env, 1, 1)
                raise ZeroDivisionError
            self.add(env, 2, 1)
        self.assertIsInstance(trial.error, ZeroDivisionError)
        self.assertEqual(self.values(), [1, 0, 1])

    def test_somebody_elses_write_is_nobodys_fault(self):
        with self.transaction() as env:
            self.add_in_between(0, 1)
            with self.assertRaises(SerializationFailure), turns.isolated(env.cr):
                self.add(env, 0, 1)
        with self.transaction() as env, self.transaction() as other:
            self.add(other, 0, 1)
            with self.assertRaises(LockNotAvailable), turns.isolated(env.cr):
                env.cr.execute(
                    "SELECT FROM ir_config_parameter WHERE id = %s FOR UPDATE NOWAIT",
                    [self.rows[0]],
                )
        for whole in (False, True):
            with (
                self.transaction() as env,
                self.assertRaises(DeadlockDetected),
                turns.isolated(env.cr, whole=whole),
            ):
                raise DeadlockDetected

    # === LATER === #

    def test_a_scheduled_action_gives_way_and_comes_back_in_a_minute(self):
        with freeze_time(NOON), self.transaction() as env:
            with turns.gives_way(env, CRON):
                self.add(env, 1, 1)
                env.cr.commit()
                self.add(env, 2, 1)
                self.add_in_between(0, 1)
                self.add(env, 0, 1)
                self.fail("it cannot come here")
            # whatever happens to the rest of the scheduled action
            self.assertEqual(self.triggers(), [NOON + timedelta(minutes=1)])
        self.assertEqual(self.values(), [1, 1, 0])

    def test_what_is_done_later_anyhow_asks_for_nothing(self):
        with freeze_time(NOON), self.transaction() as env:
            with turns.gives_way(env):
                self.add(env, 1, 1)
                raise SerializationFailure
            self.add(env, 2, 1)
        self.assertEqual((self.values(), self.triggers()), ([0, 0, 1], []))

    def test_a_fault_of_its_own_fails(self):
        with (
            freeze_time(NOON),
            self.assertRaises(ZeroDivisionError),
            self.transaction() as env,
            turns.gives_way(env, CRON),
        ):
            raise ZeroDivisionError
        self.assertEqual(self.triggers(), [])

    def test_a_scheduled_action_is_asked_for_once_a_transaction(self):
        with freeze_time(NOON), self.transaction() as env:
            model = type(env['ir.cron'])
            with patch.object(model, '_trigger', autospec=True) as trigger:
                for minutes in (3, 1, 3):
                    turns.wake_cron(env, CRON, [NOON + timedelta(minutes=minutes)])
                turns.wake_cron(env, 'crm_telephony.deleted_by_somebody', [NOON])
                env.cr.commit()
                trigger.assert_called_once_with(
                    env.ref(CRON), [NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)]
                )
                turns.wake_cron(env, CRON, [NOON])
                env.cr.commit()
                self.assertEqual(trigger.call_count, 2, "the next transaction asks anew")

    # === AGAIN === #

    def test_again_with_what_somebody_else_has_written(self):
        with self.transaction() as env:
            self.add_in_between(0, 10)
            turns.retried(env.cr, lambda: self.add(env, 0, 1))
        self.assertEqual(self.values(), [11, 0, 0])

    def test_a_retry_gives_up(self):
        self.startPatcher(patch.object(turns, 'time', Mock(spec=())))  # nobody sleeps
        for tries in (1, 2, 3):
            work = Mock(side_effect=SerializationFailure)
            with self.transaction() as env:
                with self.assertRaises(SerializationFailure):
                    turns.retried(env.cr, work, tries)
                env.cr.execute("SELECT 1")  # the cursor is left fit for use
            self.assertEqual(work.call_count, tries)
        work = Mock(side_effect=ZeroDivisionError)
        with self.transaction() as env, self.assertRaises(ZeroDivisionError):
            turns.retried(env.cr, work)
        self.assertEqual(work.call_count, 1, "a fault of its own would only come again")

    def test_beside_a_transaction_that_must_not_be_repeated(self):
        met = []

        def work(own):
            met.append(self.add(own, 0, 1))
            if len(met) == 1:
                # seen by nobody before the end of the transaction, and then too late
                raise SerializationFailure
            return 'done'

        with self.transaction() as env:
            self.add(env, 1, 1)
            self.assertEqual(turns.done_beside(env, work), 'done')
            self.assertEqual(self.values(), [1, 0, 0])
            env.cr.rollback()
        self.assertEqual((self.values(), len(met)), ([1, 0, 0], 2))
        with self.transaction() as env, self.assertRaises(ZeroDivisionError):
            turns.done_beside(env, lambda own: self.add(own, 0, 1) or 1 / 0)
        self.assertEqual(self.values(), [1, 0, 0])

    def test_beside_is_what_others_have_committed(self):
        with self.transaction() as env:
            self.add_in_between(0, 1)
            self.add(env, 1, 1)
            with turns.beside(env) as now:
                now.cr.execute(
                    "SELECT value FROM ir_config_parameter WHERE id = ANY(%s) ORDER BY id",
                    [self.rows],
                )
                self.assertEqual(now.cr.fetchall(), [('1',), ('0',), ('0',)])

    # === ONE AFTER THE OTHER === #

    def test_the_next_holder_sees_what_the_one_before_has_committed(self):
        with self.transaction() as one, self.transaction() as two:
            with turns.held(one, Lock.FILING, KEY) as is_ours:
                self.assertTrue(is_ours)
                self.add(one, 0, 1)
                one.cr.commit()
                self.add(one, 1, 1)
                one.cr.commit()
                with turns.held(two, Lock.FILING, KEY) as is_ours:
                    self.assertFalse(is_ours, "it outlives the commits of its holder")
                self.add(one, 2, 1)  # never committed
            with turns.held(two, Lock.FILING, KEY) as is_ours:
                self.assertTrue(is_ours)
                for place in range(3):
                    self.add(two, place, 1)
                two.cr.commit()
        self.assertEqual(self.values(), [2, 2, 1])

    def test_a_block_that_fails_lets_go(self):
        with self.transaction() as env:
            with self.assertRaises(ZeroDivisionError), turns.held(env, Lock.FILING, KEY):
                self.add(env, 0, 1)
                raise ZeroDivisionError
            self.assertTrue(self.is_free(Lock.FILING, KEY))
        self.assertEqual(self.values(), [0, 0, 0])

    def test_who_waits_sees_what_the_one_before_has_committed(self):
        waits, failures = threading.Event(), []

        def second():
            try:
                with self.transaction() as env:
                    waits.set()
                    with turns.held(env, Lock.DIALING, KEY, wait=True) as is_ours:
                        self.assertTrue(is_ours)
                        self.add(env, 0, 1)
                        env.cr.commit()
            except Exception as error:  # noqa: BLE001 - told in the main thread
                failures.append(error)

        thread = threading.Thread(target=second)
        with self.transaction() as env, turns.held(env, Lock.DIALING, KEY, wait=True):
            thread.start()
            self.assertTrue(waits.wait(10))
            thread.join(0.2)
            self.assertTrue(thread.is_alive(), "it waits")
            self.add(env, 0, 10)
            env.cr.commit()
        thread.join(10)
        self.assertEqual((failures, self.values()), ([], [11, 0, 0]))

    def test_the_connection_of_a_lock_is_lost(self):
        with self.transaction() as env:
            with (
                self.assertRaises(psycopg2.Error),  # whoever goes on is told
                turns.held(env, Lock.FILING, KEY),
            ):
                self.end_connection_of_lock(Lock.FILING, KEY)
                self.assertTrue(self.is_free(Lock.FILING, KEY), "it does not outlive it")
                self.add(env, 0, 1)
                env.cr.commit()
            self.add(env, 1, 1)
        self.assertEqual(self.values(), [1, 1, 0], "what was committed is, and work goes on")

    def test_the_connection_of_the_holder_is_lost(self):
        cr = self.registry.cursor()
        self.addCleanup(cr.close)
        env = api.Environment(cr, SUPERUSER_ID, {})
        with self.assertRaises(psycopg2.Error), turns.held(env, Lock.FILING, KEY):
            self.add(env, 0, 1)
            with self.transaction() as other:
                other.cr.execute(
                    "SELECT pg_terminate_backend(%s, 5000)", [cr._cnx.info.backend_pid]
                )
            self.add(env, 1, 1)
        self.assertTrue(self.is_free(Lock.FILING, KEY))
        self.assertEqual(self.values(), [0, 0, 0])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestLocks(TurnsCase):
    def test_no_space_is_another(self):
        """Two names of one number would be one lock."""
        self.assertEqual(len({lock.value for lock in Lock}), len(Lock.__members__))
        with self.transaction() as one:
            for lock in Lock:
                with self.subTest(lock):
                    self.assertTrue(self.is_free(lock, KEY))
                    turns.claimed(one.cr, lock, [KEY])
                    self.assertFalse(self.is_free(lock, KEY))

    def test_workers_with_the_old_code_are_kept_out(self):
        """They run on during an update, and know the numbers only."""
        self.assertEqual(
            {lock.name: lock.value for lock in Lock},
            {
                'FILING': 0x7E1E,
                'TAKING': 0x74656C62,
                'DIALING': 0x74656C64,
                'LEASING': 0x74656C6C,
                'TEXTING': 0x74656C73,
            },
        )
        with self.transaction() as old:
            old.cr.execute("SELECT pg_advisory_lock(%s, %s)", [Lock.FILING.value, KEY])
            with self.transaction() as new, turns.held(new, Lock.FILING, KEY) as is_ours:
                self.assertFalse(is_ours)
            old.cr.execute("SELECT pg_advisory_unlock(%s, %s)", [Lock.FILING.value, KEY])

    def test_of_some_keys_those_are_ours_that_nobody_else_has(self):
        for lock, keys in (
            (Lock.TAKING, [KEY - 2, KEY - 1, KEY]),
            (Lock.TEXTING, ['1 +77010000001', '1 +77010000002', '2 +77010000001']),
        ):
            with self.subTest(lock), self.transaction() as one, self.transaction() as two:
                self.assertEqual(turns.claimed(one.cr, lock, keys[1:2]), keys[1:2])
                self.assertEqual(turns.claimed(two.cr, lock, keys), [keys[0], keys[2]])
                one.cr.commit()
                self.assertEqual(turns.claimed(two.cr, lock, keys), keys)
                self.assertEqual(turns.claimed(two.cr, lock, []), [])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTally(BaseCase):
    def test_what_must_not_be_written_each_time(self):
        tally = turns.Tally(10)
        with patch.object(turns, 'time') as clock:
            for seconds, key, write in (
                (100, 'one', 1),
                (101, 'one', 0),
                (109, 'one', 0),
                (109, 'other', 1),
                (110, 'one', 3),
                (111, 'one', 0),
                (200, 'one', 2),
            ):
                clock.monotonic.return_value = seconds
                self.assertEqual(tally.add(key), write, (seconds, key))


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTwoFilers(TurnsCase):
    """The lock is lost while its holder works, and the next one comes in."""

    def setUp(self):
        super().setUp()
        with self.transaction() as env:
            self.account = (
                env['telephony.account']
                .create(
                    {
                        'name': "Two filers",
                        'provider': 'generic',
                        'api_secret': SECRET,
                        'country_id': env.ref('base.kz').id,
                        'timezone': 'UTC',
                    }
                )
                .id
            )
            for index in range(3):
                env['telephony.account'].browse(self.account)._receive(self.delivery(index))
        self.addCleanup(self.clean)

    def delivery(self, index):
        body = (
            f'{{"call_id": "two-filers-{index}", "event": "ringing", "direction": "inbound", '
            f'"at": "2026-03-02T05:15:00+00:00", "caller": "{CUSTOMER}", "called": "{DID}"}}'
        ).encode()
        return event_module.WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})

    def clean(self):
        with self.transaction() as env:
            env['telephony.call'].search([('account_id', '=', self.account)]).unlink()
            env['telephony.account'].browse(self.account).unlink()

    def test_nothing_twice(self):
        file = self.registry['telephony.event']._process_in_new_transaction
        model = self.registry['telephony.event']
        begun = []

        def file_slowly(events, account, pending, shared, right=model._file):
            begun.append(len(pending))
            if len(begun) == 1:
                self.end_connection_of_lock(Lock.FILING, self.account)
                file(events.env.cr.dbname, self.account)
            return right(events, account, pending, shared)

        with patch.object(model, '_file', file_slowly), self.assertRaises(psycopg2.Error):
            file(get_db_name(), self.account)
        with self.transaction() as env:
            events = env['telephony.event'].search([('account_id', '=', self.account)])
            calls = env['telephony.call'].search([('account_id', '=', self.account)])
            self.assertEqual((len(events), set(events.mapped('state'))), (3, {'done'}))
            self.assertEqual((len(calls), begun[:2]), (3, [3, 3]), "both were at all of them")
            self.assertFalse(sum(events.mapped('attempts')), "none is taken for a bad one")


class TestWithoutThread(TelephonyHttpCase):
    """The system gives no thread, or each filer is killed: the scheduled action files alone."""

    def test_the_scheduled_action_files_everything(self):
        other = self.new_account(self.company, api_secret=SECRET)
        with (
            patch.object(threading.Thread, 'start', side_effect=RuntimeError),
            mute_logger('odoo.addons.crm_telephony.tools.worker'),
        ):
            filer.wake(self.env.cr.dbname, self.account.id)
        self.assertTrue(filer.is_idle())
        with patch.object(filer, 'wake'):
            for account in (self.account, other):
                for index in range(5):
                    event = self.event('ended', f'left-{index}', outcome='missed')
                    self.assertEqual(self.post(event, account).status_code, 200)
        events = self.events() | self.events(other)
        self.assertEqual((len(events), set(events.mapped('state'))), (10, {'pending'}))
        with patch.object(event_module, 'BATCH', 2), patch('time.sleep'):
            self.env.ref('crm_telephony.ir_cron_process_events').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(set(events.mapped('state')), {'done'})
        for account in (self.account, other):
            for index in range(5):
                self.assertEqual(self.call(f'left-{index}', account).outcome, 'missed')
