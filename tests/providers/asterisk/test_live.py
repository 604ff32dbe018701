"""Real calls: SIPp telephones, a real Asterisk, the bridge, a real Odoo server; then a look at the
call rows.

Runs where the root of `make asterisk` exists. FULL=1 keeps Odoo away for two minutes instead of
twenty seconds.
"""

import array
import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import time
import unittest
import wave
from concurrent.futures import ThreadPoolExecutor

import requests

from odoo.tests import BaseCase, tagged

try:
    # not shipped with the addon
    from ....dev import screenshot
    from ....dev.asterisk import dialogs, root, scenarios, stage
    from ....dev.asterisk.phones import Line
except ImportError as error:
    MISSING = f"NOT TESTED: calls through a real Asterisk, there is no dev/ here: {error}"
else:
    MISSING = (
        ''
        if root.exists()
        else "NOT TESTED: calls through a real Asterisk; make test-asterisk builds it"
    )

FULL = os.environ.get('FULL', '0') not in ('', '0')
ODOO_AWAY = 120 if FULL else 20
TOLERANCE = 1.5  # seconds, on a machine that has other things to do
PATIENCE = 60
CALLS = 50


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestAsteriskLive(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(stage.ready())

    def line(self, number):
        line = Line(self.stage.asterisk.ports, number)
        self.addCleanup(line.unplug)
        return line

    def test_scenarios(self):
        lines = {
            scenario.name: self.line(number) for number, scenario in enumerate(scenarios.SCENARIOS)
        }
        with ThreadPoolExecutor(len(lines)) as pool:
            played = {
                scenario.name: pool.submit(scenario.play, lines[scenario.name], self.stage.ami)
                for scenario in scenarios.SCENARIOS
            }
        for scenario in scenarios.SCENARIOS:
            with self.subTest(scenario.name):
                played[scenario.name].result()
                self.check_line(lines[scenario.name], scenario.calls)
        self.assertEqual(self.stage.failed_events(), [])

    def test_odoo_is_away(self):
        sipps, callers = self.start_many(first=900, rate=4)
        self.stage.odoo.process.kill()
        self.stage.odoo.process.wait()
        stopped = time.monotonic()
        for sipp in sipps:
            sipp.finish()
        time.sleep(max(ODOO_AWAY - (time.monotonic() - stopped), 0))
        self.assertIn('not delivered', self.stage.bridge.log.read_text())
        self.stage.start_odoo()
        self.check_many(callers)

    def test_the_bridge_is_killed(self):
        sipps, callers = self.start_many(first=800, rate=4)
        for _time in range(2):
            time.sleep(5)
            self.stage.bridge.process.kill()
            self.stage.bridge.process.wait()
            time.sleep(1)  # the unit takes less
            self.stage.start_bridge()
        for sipp in sipps:
            sipp.finish()
        self.check_many(callers)

    def test_calls_that_the_bridge_missed_are_read_from_the_log(self):
        """Most of them begin and end while it is away."""
        sipps, callers = self.start_many(first=950, rate=4)
        time.sleep(3)
        self.stage.bridge.process.kill()
        self.stage.bridge.process.wait()
        for sipp in sipps:
            sipp.finish()
        self.stage.start_bridge()
        self.check_many(callers)

    def test_asterisk_is_killed(self):
        """Nobody says that the call is over: the bridge finds it out."""
        line = self.line(95)
        line.phone(2, dialogs.answer(1))
        line.call_in(1, dialogs.call_and_stay(line.caller))
        self.stage.ami.wait('BridgeEnter', Channel=f'PJSIP/{line.extension(2)}-')
        self.stage.asterisk.kill()
        line.unplug()
        self.stage.asterisk.start()
        self.stage.reconnect()
        self.check_line(
            line,
            [
                scenarios.Expected(
                    'answered', 1, -1, extension=2, legs={2: 'answered'}, recordings=1
                )
            ],
        )

        phone = line.phone(3, dialogs.answer(1))
        line.call_from(dialogs.call_and_hang_up(line.extension(2), 2), line.extension(3)).finish()
        phone.finish()
        self.eventually(
            lambda: self.assertEqual(
                [row['outcome'] for row in self.stage.calls([line.extension(3)])],
                ['answered'],
                "life goes on",
            )
        )

    # --- recordings --------------------------------------------------------------------------------------------------

    def test_a_recording_is_played(self):
        """From the PBX's disk to the player."""
        line = self.line(70)
        phone = line.phone(2, dialogs.answer(1))
        line.call_in(1, dialogs.call_and_hang_up(line.caller, 5, tone=True)).finish()
        over = time.monotonic()
        phone.finish()
        [lane] = self.lanes(self.listen(self.recording(line)))
        self.assertLess(time.monotonic() - over, 20)
        self.assertAlmostEqual(len(lane) / 8000, 5, delta=TOLERANCE)
        self.assertGreater(max(lane), 1000, "the customer's tone is heard")

    def test_two_sides_are_two_channels(self):
        """The customer's trunk was recorded, so what it said comes first, and ours is the second."""
        line = self.line(71)
        phone = line.phone(2, dialogs.answer(1))
        line.call_in(7, dialogs.call_and_hang_up(line.caller, 4, tone=True)).finish()
        phone.finish()
        recording = self.recording(line)
        self.assertEqual(recording['agent_channel'], 'second')
        customer, ours = self.lanes(self.listen(recording))
        self.assertGreater(max(customer), 1000)
        self.assertLess(max(ours), 100)

    @unittest.skipUnless(FULL, "NOT TESTED: a file of 100 MB; FULL=1 takes a minute for it")
    def test_a_large_file_and_all_that_fails(self):
        """Killed in the middle: the bridge, Odoo; and an Odoo that does not answer."""
        line = self.line(72)
        phone = line.phone(2, dialogs.answer(1))
        line.call_in(1, dialogs.call_and_hang_up(line.caller, 2, tone=True)).finish()
        phone.finish()
        [recording] = self.eventually(lambda: self.announced(line))
        [path] = self.stage.monitor.rglob(recording['ref'])
        sound = b'RIFF\0\0\0\0WAVEfmt ' + random.Random(1).randbytes(99_000_000)
        path.write_bytes(sound)
        self.when_sent(recording, 10_000_000)
        self.stage.bridge.process.kill()
        self.stage.bridge.process.wait()
        self.stage.start_bridge()
        self.when_sent(recording, 30_000_000)
        self.stage.odoo.process.kill()
        self.stage.odoo.process.wait()
        self.stage.start_odoo()
        self.when_sent(recording, 60_000_000)
        os.kill(self.stage.odoo.process.pid, signal.SIGSTOP)
        time.sleep(25)  # longer than the bridge waits for an answer
        os.kill(self.stage.odoo.process.pid, signal.SIGCONT)
        self.assertEqual(self.recording(line)['sha256'], hashlib.sha256(sound).hexdigest())

    def announced(self, line):
        found = self.stage.recordings([f'+{line.caller}'])
        self.assertTrue(found)
        return found

    def recording(self, line):
        """The one recording of the customer's call, when it can be played."""

        def check():
            [recording] = self.announced(line)
            self.assertEqual(recording['state'], 'ready', recording)
            return recording

        return self.eventually(check)

    def listen(self, recording):
        session = screenshot.session(self.stage.url, stage.DATABASE, 'admin', None)
        answer = requests.get(
            self.stage.url + recording['player_url'], cookies={'session_id': session}, timeout=10
        )
        self.assertEqual(answer.status_code, 200)
        return answer.content

    def lanes(self, sound):
        """The samples of each channel."""
        with wave.open(io.BytesIO(sound)) as file:
            channels = file.getnchannels()
            samples = array.array('h', file.readframes(file.getnframes()))
        return [samples[place::channels] for place in range(channels)]

    def when_sent(self, recording, size):
        def check():
            with sqlite3.connect(f'file:{self.stage.spool}?mode=ro', uri=True) as spool:
                [(have,)] = spool.execute(
                    'SELECT have FROM recording WHERE name = ?', [recording['ref']]
                ).fetchall()
            self.assertGreaterEqual(have, size)

        self.eventually(check)

    # --- driven from Odoo --------------------------------------------------------------------------------------------

    def test_a_click_on_a_deals_number(self):
        """In a real browser: both phones ring, the call lands on the deal, and a button ends it."""
        line = self.line(60)
        self.sits_at(line.extension(2))
        customer = self.stage.ask(
            'res.partner', 'create', [{'name': "Live Customer", 'phone': line.customer}]
        )[0]
        deals = self.stage.ask(
            'crm.lead',
            'create',
            [
                {
                    'name': name,
                    'type': 'opportunity',
                    'partner_id': customer,
                    'phone': line.customer,
                    'user_id': stage.ADMIN,
                }
                for name in ("The one", "Another")
            ],
        )
        phone, outside = line.phone(2, dialogs.answer(1)), line.outside(dialogs.answer(1))
        browser = self.browser()

        self.open(browser, f'/odoo/crm.lead/{deals[0]}', 'div[name=phone] .o_telephony_call')
        browser.click('div[name=phone] .o_telephony_call')
        browser.until(
            lambda: f'Your phone {line.extension(2)} is ringing'
            in browser.evaluate(
                '[...document.querySelectorAll(".o_notification")].map((one) => one.textContent).join()'
            ),
            "the notification",
        )
        call = self.talking(line.extension(2))
        self.open(browser, f'/odoo/telephony-calls/{call}', 'button[name=action_hang_up]')
        browser.click('button[name=action_hang_up]')
        phone.finish()
        outside.finish()

        def check():
            row = self.stage.ask(
                'telephony.call',
                'read',
                [call],
                [
                    'state',
                    'outcome',
                    'direction',
                    'customer_number',
                    'lead_id',
                    'partner_id',
                    'match_reason',
                ],
            )[0]
            self.assertEqual(
                (row['state'], row['outcome'], row['direction'], row['customer_number']),
                ('ended', 'answered', 'outbound', f'+44{line.customer[1:]}'),
            )
            self.assertEqual((row['lead_id'][0], row['partner_id'][0]), (deals[0], customer))
            self.assertIn("Called from this deal by", row['match_reason'])

        self.eventually(check)
        self.assertEqual(
            len(self.stage.calls([f'+44{line.customer[1:]}'])), 1, "one click, one call"
        )

    def test_two_clicks_at_once_are_one_call(self):
        line = self.line(63)
        self.sits_at(line.extension(2))
        phone, outside = line.phone(2, dialogs.answer(1)), line.outside(dialogs.answer(1))
        with ThreadPoolExecutor(2) as pool:
            clicks = [
                pool.submit(self.stage.ask, 'telephony.dial', 'place_call', line.customer)
                for _click in range(2)
            ]
        self.assertEqual(clicks[0].result(), clicks[1].result())
        self.stage.ask('telephony.call', 'action_hang_up', [self.talking(line.extension(2))])
        phone.finish()
        outside.finish()
        number = f'+44{line.customer[1:]}'
        self.assertEqual(
            self.stage.ask('telephony.dial', 'search_count', [('number', '=', number)]), 1
        )
        self.eventually(
            lambda: self.assertEqual(
                [row['state'] for row in self.stage.calls([number])], ['ended']
            )
        )

    def test_a_running_call_is_passed_on(self):
        for number, attended in ((61, False), (62, True)):
            with self.subTest(attended=attended):
                line = self.line(number)
                first = line.phone(
                    2, dialogs.answer_and_hang_up(1, 12) if attended else dialogs.answer(1)
                )
                second = line.phone(3, dialogs.answer_and_hang_up(1, 15 if attended else 3))
                customer = line.call_in(1, dialogs.call_and_stay(line.caller))
                call = self.talking(line.extension(2))
                told = self.stage.ask('telephony.call', 'get_colleagues', [call])
                colleague = next(
                    colleague
                    for colleague in told['colleagues']
                    if colleague['number'] == line.extension(3)
                )
                self.assertEqual(
                    (told['kinds'], colleague['state']), (['blind', 'attended'], 'free')
                )
                self.stage.ask('telephony.call', 'transfer', [call], colleague['id'], attended)
                for sipp in (customer, first, second):
                    sipp.finish()
                self.check_line(
                    line,
                    [
                        scenarios.Expected(
                            'answered',
                            1,
                            -1,
                            extension=2,
                            legs={2: 'answered', 3: 'answered'},
                            recordings=-1,
                        )
                    ],
                )

    # --- helpers -----------------------------------------------------------------------------------------------------

    def sits_at(self, extension):
        """The administrator, who looks at the browser, is called on this phone."""
        self.stage.ask(
            'telephony.extension',
            'write',
            self.stage.ask('telephony.extension', 'search', [('user_id', '=', stage.ADMIN)]),
            {'user_id': False},
        )
        phones = self.stage.ask(
            'telephony.extension',
            'search',
            [('account_id', '=', self.stage.account), ('number', '=', extension)],
        )
        self.stage.ask('telephony.extension', 'write', phones, {'user_id': stage.ADMIN})

    def browser(self):
        browser = screenshot.Browser(stage.DATABASE)
        self.addCleanup(browser.close)
        browser.log_in(
            self.stage.url, screenshot.session(self.stage.url, stage.DATABASE, 'admin', None)
        )
        return browser

    def open(self, browser, page, selector):
        browser.do('Page.navigate', url=self.stage.url + page)
        # the first page builds the bundles
        self.eventually(
            lambda: self.assertTrue(
                browser.evaluate(f'!!document.querySelector({json.dumps(selector)})')
            )
        )

    def talking(self, extension):
        """The id of the call in which this phone talks."""
        found = []

        def check():
            found[:] = self.stage.ask(
                'telephony.call',
                'search',
                [
                    ('account_id', '=', self.stage.account),
                    ('extension', '=', extension),
                    ('state', '=', 'in_progress'),
                ],
            )
            self.assertTrue(found)

        self.eventually(check)
        return found[0]

    def start_many(self, first, rate):
        callers = [f'44207946{first + number:04}' for number in range(CALLS)]
        taken, rung = self.line(scenarios.TAKEN_LINE), self.line(scenarios.RUNG_LINE)
        return scenarios.many(taken, rung, callers, rate), callers

    def check_many(self, callers):
        numbers = [f'+{caller}' for caller in callers]

        def check():
            rows = self.stage.calls(numbers)
            self.assertEqual(
                sorted(row['customer_number'] for row in rows), numbers, "each call once"
            )
            for row in rows:
                is_taken = numbers.index(row['customer_number']) < CALLS // 2
                line = Line(None, scenarios.TAKEN_LINE if is_taken else scenarios.RUNG_LINE)
                self.check_row(row, scenarios.TAKEN if is_taken else scenarios.RUNG, line)
            self.assertEqual(
                sorted(
                    callback['customer_number'] for callback in self.stage.open_callbacks(numbers)
                ),
                numbers[CALLS // 2 :],
            )

        self.eventually(check)
        self.assertEqual(self.stage.failed_events(), [])

    def check_line(self, line, expected):
        theirs = {
            line.caller,
            line.number(1),
            line.number(2),
            line.number(3),
            line.number(4),
            f'44{line.customer[1:]}',
        }
        numbers = [f'+{number}' for number in theirs] + [line.extension(row) for row in (2, 3)]

        def check():
            rows = self.stage.calls(numbers)
            self.assertEqual(len(rows), len(expected), rows)
            for row, caller in zip(rows, expected):
                self.check_row(row, caller, line)
            wanted = [
                row['customer_number'] for row, caller in zip(rows, expected) if caller.callback
            ]
            self.assertEqual(
                [callback['customer_number'] for callback in self.stage.open_callbacks(numbers)],
                wanted,
            )

        self.eventually(check)

    def check_row(self, row, expected, line):
        told = {
            'state': row['state'],
            'direction': row['direction'],
            'outcome': row['outcome'],
            'extension': row['extension'] or '',
            'queue': row['queue'] or '',
            'has_customer': bool(row['customer_number']),
            'has_callback': bool(row['callback_id']),
            'is_answered': bool(row['answered_at']),
        }
        wanted = {
            'state': 'ended',
            'direction': expected.direction,
            'outcome': expected.outcome,
            'extension': line.extension(expected.extension) if expected.extension else '',
            'queue': f'sales-{line.line}' if expected.queue else '',
            'has_customer': expected.direction != 'internal' and not expected.hidden,
            'has_callback': expected.callback,
            'is_answered': expected.outcome == 'answered',
        }
        if expected.direction == 'inbound':
            told['legs'] = row['legs']
            wanted['legs'] = {
                line.extension(phone): outcome for phone, outcome in expected.legs.items()
            }
        if expected.recordings >= 0:
            told['recordings'], wanted['recordings'] = (
                len(row['recording_ids']),
                expected.recordings,
            )
        self.assertEqual(told, wanted)
        for name, seconds in (('wait_seconds', expected.wait), ('talk_seconds', expected.talk)):
            if seconds >= 0:
                self.assertAlmostEqual(row[name], seconds, delta=TOLERANCE, msg=name)

    def eventually(self, check):
        """What the check returns at last: filing, following up and uploading are done in the
        background."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return check()
            except AssertionError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.5)
