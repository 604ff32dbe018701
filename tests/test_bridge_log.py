"""The bridge reads what Asterisk keeps of its channels, for the calls that it has missed: with files as
cel_custom writes them, a database as FreePBX has one, and the real program that is killed."""

import csv
import io
import itertools
import subprocess
import sys
import time
import unittest
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from .test_bridge import MISSING, BridgeCase, event, wait_for

if not MISSING:
    from ..bridge.telephony_bridge import check, config, log, spool

# The program without its pauses.
PROGRAM = """
import sys
from telephony_bridge import __main__, log, watcher
log.SETTLE_SECONDS = log.MARGIN_SECONDS = log.RETRY_SECONDS = 0.1
watcher.NOTED_SECONDS = 0
sys.exit(__main__.main())
"""


def row(moment, name, number, linked=None, **more):
    """A row of the log, of the channel with this number."""
    uid = f'1795326672.{number}'
    return {
        **dict.fromkeys(log.COLUMNS, ''),
        'Timestamp': f'{moment:.6f}',
        'EventName': name,
        'Channel': f'PJSIP/trunk-{number:08x}',
        'Uniqueid': uid,
        'Linkedid': f'1795326672.{number if linked is None else linked}',
        **more,
    }


def call(moment, number):
    """The rows of a short call."""
    return [
        row(moment, 'CHAN_START', number),
        row(moment + 0.1, 'APP_START', number, Application='Dial', AppData='PJSIP/101,"a",b'),
        row(moment + 0.2, 'HANGUP', number, Extra='{"hangupcause":16}'),
        row(moment + 0.2, 'LINKEDID_END', number),
    ]


def written(rows):
    """As cel_custom writes them: each value in quotes."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator='\n').writerows(
        [each[column] for column in log.COLUMNS] for each in rows
    )
    return text.getvalue()


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestLog(BridgeCase):
    def setUp(self):
        super().setUp()
        self.path = self.folder / 'crm.csv'

    def append(self, *rows):
        with self.path.open('a') as file:
            file.write(written(rows))

    def rows(self, since):
        return list(log.FileLog(self.path).rows(since))

    def test_a_file_is_read_from_its_end(self):
        rows = [row(1000 + number, 'ANSWER', number) for number in range(500)]
        self.append(*rows)
        for block in (100, 1000, 1 << 20):
            with self.subTest(block=block), patch.object(log, 'BLOCK', block):
                self.assertEqual(self.rows(1490), rows[490:])
                self.assertEqual(self.rows(0), rows)
                self.assertEqual(self.rows(9999), [])

    def test_quotes_and_commas_come_through(self):
        self.append(*call(1000, 1))
        self.assertEqual(self.rows(0)[1]['AppData'], 'PJSIP/101,"a",b')

    def test_a_rotated_file_is_read_too(self):
        old, new = call(1000, 1), call(2000, 2)
        self.append(*old)
        self.path.rename(f'{self.path}.1')
        self.append(*new)
        self.assertEqual(self.rows(500), old + new)
        self.assertEqual(self.rows(1999), new)

    def test_what_is_no_such_file_says_so(self):
        with self.assertRaisesRegex(log.LogError, 'cannot be read'):
            self.rows(0)
        for text in ('"1000.0","ANSWER"\n', '"2026-11-30 10:00:00"' + ',""' * 11 + '\n'):
            self.path.write_text(text)
            with self.subTest(text), self.assertRaisesRegex(log.LogError, 'columns'):
                self.rows(0)

    def test_the_calls_of_a_gap(self):
        before, there, after = call(1000, 1), call(1100, 2), call(1200, 3)
        half = [row(1040, 'CHAN_START', 4), row(1105, 'HANGUP', 4)]
        rows = sorted([*before, *there, *after, *half], key=lambda each: each['Timestamp'])
        self.assertEqual(
            {each['Linkedid'] for each in log.of_gap(iter(rows), 1050, 1150)},
            {'1795326672.2', '1795326672.4'},
        )
        self.assertIn(half[0], log.of_gap(iter(rows), 1050, 1150), "its beginning too")

    def test_the_calls_of_a_day_that_nobody_heard(self):
        rows = [*call(1000, 1), *call(1100, 2), *call(5000, 3), row(1200, 'CHAN_START', 4)]
        rows += [row(900, 'HANGUP', 5), row(901, 'LINKEDID_END', 5)]  # it began before all rows
        heard = {'1795326672.1'}
        self.assertEqual(
            {each['Linkedid'] for each in log.unheard(iter(rows), 4000, heard.__contains__)},
            {'1795326672.2'},
        )

    def test_the_spool_remembers_the_gap_and_what_was_heard(self):
        first = self.open_spool()
        first.connected()
        self.assertFalse(first.gap(), "nothing was missed before the first time")
        with patch.object(spool.time, 'time', return_value=time.time() - 100):
            first.listening()
        first.write([event('Newchannel', 1)], {}, heard=['1795326672.1'])
        first.connected()
        since = first.gap()
        self.assertAlmostEqual(time.time() - since, 100, delta=5)
        first.listening()
        first.connected()
        self.assertEqual(first.gap(), since, "it was not read yet")
        self.assertEqual(first.heard_calls(), {'1795326672.1'})
        first.filled(since)
        self.assertFalse(first.gap())
        with patch.object(spool.time, 'time', return_value=time.time() + 10 * 86400):
            self.assertFalse(first.heard_calls(), "the spool does not grow")

    def test_the_table_of_a_database(self):
        asked = []

        class Cursor:
            def execute(self, statement, values):
                asked.append((statement, values))
                self.left = [(7, 1000.5, 'ANSWER', b'101', *([None] * 9))]

            def fetchmany(self, _size):
                left, self.left = self.left, []
                return left

        connection = SimpleNamespace(cursor=Cursor, close=lambda: asked.append('closed'))
        driver = SimpleNamespace(connect=lambda **values: asked.append(values) or connection)
        table = config.Log(host='db', user='crm', secret='s', database='cdr', table='cel')
        with patch.object(log.importlib, 'import_module', return_value=driver):
            [found] = log.opened(table).rows(900)
        self.assertEqual(
            (found['Id'], found['Timestamp'], found['CallerIDNum']), ('7', '1000.5', '101')
        )
        self.assertEqual((asked[0]['host'], asked[0]['database']), ('db', 'cdr'))
        self.assertIn('FROM cel WHERE eventtime >=', asked[1][0])
        self.assertEqual(asked[-1], 'closed')
        with (
            patch.object(log.importlib, 'import_module', side_effect=ImportError),
            self.assertRaisesRegex(log.LogError, 'python3-pymysql'),
        ):
            list(log.opened(table).rows(900))

    def test_settings(self):
        base = self.environment(5038, 'http://127.0.0.1/telephony/webhook/asterisk/x')

        def of(**history):
            return config.load(
                None, {**base, **{f'BRIDGE_HISTORY_{key}': value for key, value in history.items()}}
            ).log

        self.assertIsNone(of())
        self.assertEqual(of(CEL_FILE='/x.csv').file.name, 'x.csv')
        self.assertEqual(of(USER='crm', SECRET='top-secret').table, 'cel')
        self.assertNotIn('top-secret', repr(of(USER='crm', SECRET='top-secret')))
        with self.assertRaisesRegex(config.ConfigError, 'table'):
            of(USER='crm', TABLE='cel; DROP TABLE cel')

    def test_check_says_what_is_missing_in_the_log(self):
        def told(*rows):
            self.path.write_text(written(rows))
            report = check.Report()
            with patch.object(sys, 'stdout', io.StringIO()) as out:
                check._log(report, SimpleNamespace(log=config.Log(self.path)))
            return report.failed, out.getvalue()

        now = time.time() - 60
        whole = [*call(now, 1), row(now, 'ANSWER', 1), row(now, 'BRIDGE_ENTER', 1)]
        self.assertEqual(told(*whole)[0], False)
        self.assertIn('apps = dial', told(*(each for each in whole if not each['AppData']))[1])
        failed, text = told(*call(now, 1))
        self.assertTrue(failed)
        self.assertIn('events = ALL', text)
        self.path.unlink()
        report = check.Report()
        with patch.object(sys, 'stdout', io.StringIO()):
            check._log(report, SimpleNamespace(log=config.Log(self.path)))
        self.assertTrue(report.failed)

    # --- the real program --------------------------------------------------------------------------------------------

    @contextmanager
    def program(self, pbx, crm):
        with (self.folder / 'log').open('ab') as output:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, '-c', PROGRAM],
                env=self.environment(pbx.port, crm.url, BRIDGE_HISTORY_CEL_FILE=str(self.path)),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def test_calls_of_a_gap_are_sent_once(self):
        """Killed, then started three times; the log is there only at the second time."""
        pbx, crm = self.start_pbx(), self.start_crm()
        with self.program(pbx, crm):
            self.logged_in(pbx)
            pbx.say(event('Newchannel', 1), event('Hangup', 1))
            wait_for(lambda: len(crm.events) == 2, "what was heard")
        missed = list(itertools.chain.from_iterable(call(time.time(), n) for n in (2, 3)))
        time.sleep(0.5)
        for times in (2, 3, 4):
            if times == 3:
                self.append(*call(time.time() - 3600, 9), *missed)
            with self.program(pbx, crm):
                self.logged_in(pbx, times)
                if times == 2:
                    wait_for(
                        lambda: 'cannot be read' in (self.folder / 'log').read_text(), "the error"
                    )
                else:
                    wait_for(lambda: len(crm.events) >= 8, "what was missed")
                    time.sleep(0.5)
        told = [each for each in crm.events if each['Event'] == 'CEL']
        self.assertEqual(
            [(each['Linkedid'][-1], each['EventName']) for each in told],
            [(n, kind) for n in '23' for kind in ('CHAN_START', 'APP_START', 'HANGUP')],
        )
        self.assertTrue(all(each['Bridge'] == 'log' for each in told))
