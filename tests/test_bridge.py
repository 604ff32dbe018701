"""The bridge beside an Asterisk, against a fake Asterisk over real TCP and a fake webhook over real
HTTP."""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import os
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers.asterisk.adapter import USED
from odoo.addons.crm_telephony.providers.asterisk.ami import VARIABLES

BRIDGE = Path(__file__).resolve().parents[1] / 'bridge'
MISSING = '' if BRIDGE.exists() else "NOT TESTED: there is no bridge/ beside this addon"
if not MISSING:
    from ..bridge import telephony_bridge
    from ..bridge.telephony_bridge import (
        ami,
        check,
        config,
        heartbeat,
        noise,
        sender,
        spool,
        watcher,
    )

USER, PASSWORD = 'crm-bridge', 'ami-password-0001'
SECRET, TOKEN = 'webhook-secret-0001', 'webhook-token-0001'
PATIENCE = 15


def wait_for(condition, what, patience=PATIENCE):
    until = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {patience} s for {what}")
        time.sleep(0.01)
    return result


def wire(**headers):
    """A message as AMI writes it; a list makes a repeated header."""
    lines = [
        f'{name}: {one}'
        for name, value in headers.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode()


def event(kind, number, **headers):
    """An event of the channel with this number."""
    return {
        'Event': kind,
        'Channel': f'PJSIP/trunk-{number:08x}',
        'Uniqueid': f'1795326672.{number}',
        'Linkedid': f'1795326672.{number}',
        **headers,
    }


class FakeAsterisk(socketserver.ThreadingTCPServer):
    """Lets in who knows the password, and says what the test wants said."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port=0, context=None):
        super().__init__(('127.0.0.1', port), FakeAsteriskSession)
        if context:
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.live, self.asked, self.sessions, self.tells_channels = [], [], [], True
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def say(self, *events):
        data = b''.join(wire(**one) for one in events)
        for session in list(self.sessions):
            session.request.sendall(data)

    def hang_up(self):
        """Cut all connections, as a restart does."""
        for session in list(self.sessions):
            session.request.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: not self.sessions, "the sessions to end")

    def close(self):
        self.shutdown()
        for session in list(self.sessions):
            session.request.close()
        self.server_close()


class FakeAsteriskSession(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b'Asterisk Call Manager/11.0.0\r\n')
        action, challenge = {}, '123456789'
        try:
            for line in self.rfile:
                name, _colon, value = line.decode().strip().partition(': ')
                if name:
                    action[name] = value
                    continue
                self.server.asked.append(action)
                self.answer(action, challenge)
                action = {}
        except OSError:
            pass
        finally:
            if self in self.server.sessions:
                self.server.sessions.remove(self)

    def answer(self, action, challenge):
        def say(response, **headers):
            self.request.sendall(wire(Response=response, ActionID=action['ActionID'], **headers))

        if action['Action'] == 'Challenge':
            say('Success', Challenge=challenge)
        elif action['Action'] == 'Login':
            expected = hashlib.md5(f'{challenge}{PASSWORD}'.encode()).hexdigest()  # noqa: S324
            if action.get('Secret') or (action['Username'], action['Key']) != (USER, expected):
                say('Error', Message='Authentication failed')
            else:
                say('Success', Message='Authentication accepted')
                self.server.sessions.append(self)
        elif action['Action'] == 'CoreShowChannels' and not self.server.tells_channels:
            say('Error', Message='Permission denied')
        elif action['Action'] == 'CoreShowChannels':
            say('Success', EventList='start')
            # an event in the middle of the list
            self.request.sendall(wire(Event='PeerStatus', Peer='PJSIP/101'))
            for number in self.server.live:
                self.request.sendall(
                    wire(**event('CoreShowChannel', number, ActionID=action['ActionID']))
                )
            self.request.sendall(
                wire(Event='CoreShowChannelsComplete', ActionID=action['ActionID'])
            )
        elif action['Action'] == 'ListCommands':
            say('Success', Ping='Keepalive command')
        else:
            say('Success')


class FakeCrm(ThreadingHTTPServer):
    """A webhook that keeps what it has answered 200 to."""

    daemon_threads = True

    def __init__(self, port=0):
        super().__init__(('127.0.0.1', port), FakeCrmRequest)
        self.taken, self.sizes, self.requests, self.beats = [], [], 0, []
        self.secret, self.status, self.answer_headers, self.max_events = SECRET, 200, {}, 500
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f'http://127.0.0.1:{self.server_port}/telephony/webhook/asterisk/{TOKEN}'

    @property
    def events(self):
        return [one for events in self.taken for one in events]

    def close(self):
        self.shutdown()
        self.server_close()


class FakeCrmRequest(BaseHTTPRequestHandler):
    def do_POST(self):
        crm, body = self.server, self.rfile.read(int(self.headers['Content-Length']))
        expected = hmac.new(crm.secret.encode(), body, hashlib.sha256).hexdigest()
        if self.path.endswith('/bridge'):
            if self.headers['X-Telephony-Signature'] == f'sha256={expected}':
                crm.beats.append(json.loads(body))
            self.send_response(crm.status)
            self.end_headers()
            return
        crm.requests += 1
        status, events = crm.status, json.loads(body)['events']
        if status == 200 and self.headers['X-Telephony-Signature'] != f'sha256={expected}':
            status = 403
        if status == 200 and len(events) > crm.max_events:
            status = 413
        if status == 200:
            crm.taken.append(events)
            crm.sizes.append(len(body))
        self.send_response(status)
        for name, value in crm.answer_headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_args):
        pass


class BridgeCase(BaseCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / 'spool.sqlite'

    def start_pbx(self, port=0, context=None):
        pbx = FakeAsterisk(port, context)
        self.addCleanup(pbx.close)
        return pbx

    def start_crm(self, port=0):
        crm = FakeCrm(port)
        self.addCleanup(crm.close)
        return crm

    def open_spool(self, **options):
        opened = spool.Spool(self.file, **{'sync': False, **options})
        self.addCleanup(opened.close)
        return opened

    def environment(self, pbx_port, url, **settings):
        return {
            'PATH': os.environ['PATH'],
            'PYTHONPATH': str(BRIDGE),
            'PYTHONDONTWRITEBYTECODE': '1',
            'BRIDGE_PBX_PORT': str(pbx_port),
            'BRIDGE_PBX_USER': USER,
            'BRIDGE_PBX_SECRET': PASSWORD,
            'BRIDGE_CRM_URL': url,
            'BRIDGE_CRM_SECRET': SECRET,
            'BRIDGE_SPOOL_PATH': str(self.file),
            **settings,
        }

    @contextmanager
    def bridge(self, pbx, url, **settings):
        """The real program, killed at the end if it still runs."""
        log = self.folder / 'log'
        with log.open('ab') as output:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, '-m', 'telephony_bridge'],
                env=self.environment(pbx.port, url, **settings),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        process.log = log.read_text
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def logged_in(self, pbx, times=1):
        """The bridge is connected and has compared the channels."""
        wait_for(
            lambda: [one['Action'] for one in pbx.asked].count('CoreShowChannels') >= times,
            "the log-in",
        )
        time.sleep(0.1)

    def spooled(self):
        """What another process has in its spool."""
        try:
            with sqlite3.connect(f'file:{self.file}?mode=ro', uri=True) as db:
                return db.execute('SELECT count(*) FROM event').fetchone()[0]
        except sqlite3.Error:
            return 0


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeParts(BridgeCase):
    def test_messages_in_any_pieces(self):
        data = (
            b'Asterisk Call Manager/11.0.0\r\n'
            + wire(Response='Success', ActionID='1')
            + wire(
                Event='Newchannel',
                Exten='',
                CallerIDName='ACME: Ltd',
                ChanVariable=['A=1', 'B=2', 'C=x: y'],
            )
            + 'Event: VarSet\r\nValue: привет\r\n\r\n'.encode()
            + b'Event: Bad\r\nValue: \xff\r\n\r\n'
        )
        whole = ami.Parser().feed(data)
        self.assertEqual(
            whole,
            [
                {'Response': 'Success', 'ActionID': '1'},
                {
                    'Event': 'Newchannel',
                    'Exten': '',
                    'CallerIDName': 'ACME: Ltd',
                    'ChanVariable': ['A=1', 'B=2', 'C=x: y'],
                },
                {'Event': 'VarSet', 'Value': 'привет'},
                {'Event': 'Bad', 'Value': '�'},
            ],
        )
        for size in (1, 2, 3, 7, 100):
            parser = ami.Parser()
            pieces = [data[start : start + size] for start in range(0, len(data), size)]
            self.assertEqual(
                [one for piece in pieces for one in parser.feed(piece)], whole, f"pieces of {size}"
            )

    def test_what_is_no_asterisk_ends(self):
        parser = ami.Parser()
        with self.assertRaises(ami.AmiError):
            for _time in range(100):
                parser.feed(b'x' * 10000)

    def test_the_noise_is_nothing_the_adapter_needs(self):
        for kind in USED:
            self.assertFalse(noise.is_noise({'Event': kind}), kind)
        for variable in VARIABLES:
            self.assertFalse(
                noise.is_noise({'Event': 'VarSet', 'Variable': f'__{variable}'}), variable
            )
        self.assertTrue(noise.is_noise({'Event': 'VarSet', 'Variable': 'RTPAUDIOQOS'}))
        self.assertFalse(
            noise.is_noise({'Event': 'SomethingNew'}), "what nobody knows yet is forwarded"
        )

    def test_spool_is_what_it_was(self):
        first = spool.Spool(self.file, sync=True)
        first.write(
            [event('Newchannel', 1), event('Newchannel', 2)],
            {'a': spool.Channel('PJSIP/101-1', 'a'), 'b': spool.Channel('PJSIP/102-1', 'a')},
        )
        first.write([event('Hangup', 1)], {}, {'b'})
        first.close()
        again = self.open_spool()
        self.assertEqual(len(again), 3)
        self.assertEqual(again.channels, {'a': spool.Channel('PJSIP/101-1', 'a')})
        batch = again.batch(2, 10000)
        self.assertEqual(
            json.loads(batch.body)['events'], [event('Newchannel', 1), event('Newchannel', 2)]
        )
        again.delivered(batch)
        self.assertEqual(len(again), 1)
        self.assertEqual(json.loads(again.batch(10, 10000).body)['events'], [event('Hangup', 1)])

    def test_batches_are_bounded(self):
        one = self.open_spool()
        one.write([event('UserEvent', number, Text='ю' * 5000) for number in range(300)], {})
        seen = 0
        while batch := one.batch(200, 900_000):
            self.assertLess(len(batch.body), 1024 * 1024)
            self.assertLessEqual(len(batch.events), 200)
            seen += len(batch.events)
            one.delivered(batch)
        self.assertEqual(seen, 300)

    def test_an_event_larger_than_a_batch_goes_alone(self):
        one = self.open_spool()
        one.write([event('UserEvent', 1, Text='x' * 500), event('UserEvent', 2)], {})
        self.assertEqual(len(one.batch(200, 100).events), 1)

    def test_a_full_spool_drops_the_oldest_and_says_so(self):
        one = self.open_spool(max_bytes=10_000)
        with self.assertLogs(spool.__name__, 'ERROR') as logs:
            for number in range(200):
                one.write([event('Newchannel', number)], {})
        self.assertIn('EVENTS ARE LOST', logs.output[0])
        kept = [one['Uniqueid'] for one in json.loads(one.batch(1000, 10**6).body)['events']]
        self.assertEqual(kept, [f'1795326672.{number}' for number in range(200 - len(kept), 200)])
        self.assertLess(sum(map(len, one.batch(1000, 10**6).events)), 10_000)

    def test_one_bridge_a_spool(self):
        self.open_spool()
        with self.assertRaisesRegex(spool.SpoolError, 'another bridge'):
            self.open_spool()

    def test_times_of_receipt_keep_the_order(self):
        one = watcher.Watcher(None, None, None)
        with patch.object(watcher.time, 'time_ns', return_value=1795326672500000000):
            times = [one._now() for _time in range(100)]
        self.assertEqual(times, sorted(set(times)))

    def test_retry_after(self):
        for value, expected in (('7', 7), ('99999', 600), ('', None), ('soon', None)):
            self.assertEqual(sender.Answer(503, '', {'Retry-After': value}).retry_after, expected)
        self.assertEqual(
            sender.Answer(503, '', {'Retry-After': 'Fri, 31 Dec 1999 23:59:59 GMT'}).retry_after, 0
        )

    # --- channels ----------------------------------------------------------------------------------------------

    def reading(self, **known):
        clock = iter(range(1000, 2000))
        return watcher.Reading(
            {uid: spool.Channel(*rest) for uid, rest in known.items()}, 'list', lambda: next(clock)
        )

    def test_a_gap(self):
        reading = self.reading(
            gone=('PJSIP/101-1', 'call'), stays=('PJSIP/102-1', 'call'), ends=('PJSIP/103-1', 'x')
        )

        def of_channel(kind, name, uniqueid, linkedid, **headers):
            reading.take(
                {
                    'Event': kind,
                    'Channel': name,
                    'Uniqueid': uniqueid,
                    'Linkedid': linkedid,
                    **headers,
                }
            )

        reading.take({'Response': 'Success', 'ActionID': 'list'})
        of_channel('CoreShowChannel', 'PJSIP/102-1', 'stays', 'call', ActionID='list')
        of_channel('Hangup', 'PJSIP/103-1', 'ends', 'x', Timestamp='1.5')
        of_channel('CoreShowChannel', 'PJSIP/104-1', 'new', 'y', ActionID='list')
        of_channel('CoreShowChannel', 'PJSIP/105-1', 'brief', 'z', ActionID='list')
        of_channel('Hangup', 'PJSIP/105-1', 'brief', 'z', Timestamp='1.6')
        reading.take({'Event': 'CoreShowChannelsComplete', 'ActionID': 'list', 'ListItems': '3'})
        events, alive, gone = reading.harvest()
        self.assertEqual(
            [(one['Event'], one['Uniqueid'], one.get('Bridge')) for one in events],
            [
                ('Hangup', 'ends', None),
                ('Hangup', 'brief', None),
                ('Hangup', 'gone', 'missed'),
                ('CoreShowChannel', 'stays', 'live'),
                ('CoreShowChannel', 'new', 'live'),
            ],
        )
        self.assertEqual(
            events[2],
            {
                'Event': 'Hangup',
                'Channel': 'PJSIP/101-1',
                'Uniqueid': 'gone',
                'Linkedid': 'call',
                'Bridge': 'missed',
                'ReceivedAt': 1000,
            },
        )
        self.assertEqual(alive, {'new': spool.Channel('PJSIP/104-1', 'y')})
        self.assertEqual(gone, {'gone', 'ends', 'brief'})

    def test_a_channel_that_moves_to_another_call(self):
        """Its missed hang-up belongs to the call that it was in last."""
        reading = self.reading(
            one=('PJSIP/102-1', 'consultation'), rung=('PJSIP/103-1', 'consultation')
        )
        reading.take(
            {
                'Event': 'BridgeEnter',
                'Channel': 'PJSIP/102-1',
                'Uniqueid': 'one',
                'Linkedid': 'customer',
            }
        )
        reading.take(
            {
                'Event': 'DialEnd',
                'Uniqueid': 'x',
                'DestChannel': 'PJSIP/103-2',
                'DestUniqueid': 'rung',
                'DestLinkedid': 'customer',
            }
        )
        self.assertEqual(
            reading.harvest()[1],
            {
                'one': spool.Channel('PJSIP/102-1', 'customer'),
                'rung': spool.Channel('PJSIP/103-2', 'customer'),
            },
        )

    # --- configuration -----------------------------------------------------------------------------------------

    def load(self, text, **environ):
        file = self.folder / 'bridge.ini'
        file.write_text(text)
        return config.load(str(file), environ)

    def test_configuration(self):
        text = (
            '[pbx]\nuser = u\nsecret = per%cent\n'
            '[crm]\nurl = https://crm.example/telephony/webhook/freepbx/t\nsecret = s\n'
        )
        loaded = self.load(text, BRIDGE_PBX_HOST='10.0.0.5', BRIDGE_SPOOL_MAX_MEGABYTES='2')
        self.assertEqual(
            (loaded.pbx.host, loaded.pbx.port, loaded.pbx.secret), ('10.0.0.5', 5038, 'per%cent')
        )
        self.assertEqual(loaded.spool_bytes, 2_000_000)
        self.assertEqual(loaded.crm.shown, 'https://crm.example/telephony/webhook/freepbx/…')
        self.assertNotIn('per%cent', repr(loaded))
        self.assertNotIn('freepbx/t', repr(loaded))

    def test_configuration_that_makes_no_sense(self):
        good = '[pbx]\nuser = u\nsecret = s\n[crm]\nurl = http://x/y\nsecret = s\n'
        for text, says in (
            ('', 'user in'),
            ('[pbx\n', 'cannot be read'),
            (good + '[pxb]\n', r'no section \[pxb\]'),
            (good + 'sceret = x\n', 'sceret'),
            (good.replace('http://x/y', 'crm.example'), 'no web address'),
            (good + '[log]\nlevel = loud\n', 'level'),
            (good.replace('user = u', 'user = u\nport = many'), 'no sense'),
            (good + '[spool]\nmax_megabytes = 0\n', 'out of range'),
            (good + '[spool]\nsync = perhaps\n', 'no sense'),
        ):
            with self.subTest(text), self.assertRaisesRegex(config.ConfigError, says):
                self.load(text)
        with self.assertRaisesRegex(config.ConfigError, 'cannot be read'):
            config.load('/nowhere/at/all.ini', {})


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeSender(BridgeCase):
    """What the webhook may answer. Pauses are shortened."""

    def setUp(self):
        super().setUp()
        for name, value in (
            ('RETRY_SECONDS', 0.05),
            ('MAX_RETRY_SECONDS', 0.1),
            ('BLOCKED_SECONDS', 0.3),
            ('MAX_BLOCKED_SECONDS', 0.3),
            ('GATHER_SECONDS', 0.01),
        ):
            self.startPatcher(patch.object(sender, name, value))

    def deliver(self, events, crm, steer, patience=PATIENCE, **settings):
        """Run the sender until the spool is empty; `steer` is called again and again meanwhile.
        Returns its log."""
        own = self.open_spool()
        own.write(events, {})
        target = config.Crm(**{'url': crm.url, 'secret': SECRET, 'timeout': 2, **settings})

        async def run():
            one = sender.Sender(target, own)
            task, until = asyncio.create_task(one.run()), time.monotonic() + patience
            while len(own) and time.monotonic() < until and not task.done():
                steer()
                await asyncio.sleep(0.01)
            one.stop()
            await task

        with self.assertLogs(sender.__name__, 'DEBUG') as logs:
            sender._logger.debug("begin")
            asyncio.run(run())
        self.assertEqual(len(own), 0)
        own.close()
        self.assertEqual(crm.events, events)
        return '\n'.join(logs.output)

    def events(self, count=20):
        return [event('Newchannel', number, Timestamp=str(number)) for number in range(count)]

    def test_temporary_answers(self):
        for status in (500, 502, 503, 429, 408):
            with self.subTest(status):
                crm = self.start_crm()
                crm.status = status

                def steer(crm=crm):
                    crm.status = 200 if crm.requests >= 3 else crm.status

                log = self.deliver(self.events(), crm, steer)
                self.assertIn(f'HTTP {status}', log)
                self.assertIn('takes deliveries again', log)

    def test_what_somebody_has_to_change(self):
        advice = {
            403: 'secret in',
            404: 'Webhook Address',
            301: 'has moved',
            405: 'not the webhook',
        }
        for status, says in advice.items():
            with self.subTest(status):
                crm = self.start_crm()
                crm.status = status

                def steer(crm=crm):
                    crm.status = 200 if crm.requests >= 2 else crm.status

                began = time.monotonic()
                log = self.deliver(self.events(), crm, steer)
                self.assertGreater(time.monotonic() - began, 0.4, "the pause is the long one")
                self.assertRegex(log, says)
                self.assertIn('ERROR', log)
                self.assertNotIn(SECRET, log)
                self.assertNotIn(TOKEN, log)

    def test_too_large(self):
        crm = self.start_crm()
        crm.max_events = 3
        log = self.deliver(self.events(50), crm, lambda: None)
        self.assertIn('split', log)

    def test_retry_after_is_honoured(self):
        crm = self.start_crm()
        crm.status, crm.answer_headers = 503, {'Retry-After': '1'}

        def steer():
            crm.status = 200 if crm.requests else 503

        began = time.monotonic()
        self.deliver(self.events(), crm, steer)
        self.assertGreater(time.monotonic() - began, 1)
        self.assertEqual(crm.requests, 2)

    def test_nobody_there(self):
        crm = self.start_crm()
        port, started = crm.server_port, time.monotonic()
        crm.close()
        late = []

        def steer():
            if not late and time.monotonic() > started + 0.5:
                late.append(self.start_crm(port))
                crm.taken = late[0].taken

        log = self.deliver(self.events(), crm, steer)
        self.assertIn('no answer', log)

    def test_an_answer_that_never_comes(self):
        with socket.create_server(('127.0.0.1', 0)) as silent:
            target = config.Crm(f'http://127.0.0.1:{silent.getsockname()[1]}/', SECRET, timeout=0.2)
            answer = sender.post(target, b'{}')
        self.assertEqual(answer.status, 0)
        self.assertTrue(answer.is_temporary)


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeProgram(BridgeCase):
    """The whole program, from AMI to the webhook."""

    def test_forwards_what_is_said(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        with self.bridge(pbx, crm.url) as bridge:
            self.logged_in(pbx)
            said = [
                event(
                    'Newchannel',
                    1,
                    Timestamp='1795326672.100000',
                    CallerIDName='Ёлка: "x" \\ <y>',
                    Exten='',
                ),
                event('DialEnd', 1, ChanVariable=['A=1', 'B=2'], Timestamp='1795326673.000000'),
            ]
            pbx.say(
                said[0],
                event('RTCPSent', 1),
                event('VarSet', 1, Variable='RTPAUDIOQOS', Value='x'),
                said[1],
                event('Hangup', 1),
            )
            wait_for(lambda: len(crm.events) == 3, "three events")
            self.assertEqual(crm.events[:2], said)
            last = crm.events[2]
            self.assertAlmostEqual(last.pop('ReceivedAt'), time.time(), delta=5)
            self.assertEqual(last, event('Hangup', 1))
            log = bridge.log()
        for word in (PASSWORD, SECRET, TOKEN):
            self.assertNotIn(word, log)
        self.assertEqual(
            [one['Action'] for one in pbx.asked], ['Challenge', 'Login', 'CoreShowChannels']
        )

    def test_killed_again_and_again_while_odoo_is_down(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        crm.status, said = 503, []
        for turn in range(3):
            with self.bridge(pbx, crm.url) as bridge:
                self.logged_in(pbx, turn + 1)
                more = [
                    event('UserEvent', 0, Number=str(len(said) + number)) for number in range(150)
                ]
                pbx.say(*more)
                said += more
                wait_for(lambda count=len(said): self.spooled() == count, "all events in the spool")  # noqa: B008
                bridge.kill()
                bridge.wait()
        crm.status = 200
        with self.bridge(pbx, crm.url) as bridge:
            wait_for(lambda: len(crm.events) >= len(said), "all events to arrive")
        self.assertEqual([one['Number'] for one in crm.events], [one['Number'] for one in said])
        self.assertLessEqual(max(map(len, crm.taken)), sender.MAX_EVENTS)

    def test_killed_during_a_delivery(self):
        """At worst a batch arrives twice, the same to the last byte: the inbox knows repeats."""
        pbx, crm = self.start_pbx(), self.start_crm()
        numbers = iter(range(10**6))
        said = 0
        for turn in range(4):
            with self.bridge(pbx, crm.url) as bridge:
                self.logged_in(pbx, turn + 1)
                pbx.say(
                    *[event('UserEvent', 0, Number=str(next(numbers))) for _time in range(1000)]
                )
                said += 1000
                wait_for(
                    lambda said=said: len(crm.events) + self.spooled() >= said,
                    "all events to be read",
                )
                bridge.kill()
                bridge.wait()
        with self.bridge(pbx, crm.url):
            wait_for(lambda: len(set(map(json.dumps, crm.events))) >= said, "all events to arrive")
        unique = list(dict.fromkeys(map(json.dumps, crm.events)))
        self.assertEqual(
            [json.loads(one)['Number'] for one in unique], [str(number) for number in range(said)]
        )

    def test_missed_hangups_after_a_kill(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        with self.bridge(pbx, crm.url):
            self.logged_in(pbx)
            pbx.say(*[event('Newchannel', number) for number in (1, 2, 3)], event('Hangup', 3))
            wait_for(lambda: len(crm.events) == 4, "four events")
        pbx.live = [2, 4]

        # what was posted just before the kill may be posted again: Odoo stores it once
        def told():
            return list(
                dict.fromkeys(
                    (one['Event'], one['Uniqueid'][-2:], one['Bridge'])
                    for one in crm.events
                    if 'Bridge' in one
                )
            )

        with self.bridge(pbx, crm.url):
            wait_for(lambda: len(told()) == 3, "what was missed")
        self.assertEqual(
            told(),
            [
                ('Hangup', '.1', 'missed'),
                ('CoreShowChannel', '.2', 'live'),
                ('CoreShowChannel', '.4', 'live'),
            ],
        )
        missed = next(one for one in crm.events if 'Bridge' in one)
        self.assertAlmostEqual(missed['ReceivedAt'], time.time(), delta=5)

    def test_asterisk_restarts(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        with self.bridge(pbx, crm.url) as bridge:
            self.logged_in(pbx)
            pbx.say(event('Newchannel', 1), event('Newchannel', 2))
            wait_for(lambda: len(crm.events) == 2, "two events")
            pbx.hang_up()
            wait_for(lambda: len(crm.events) == 4, "two missed hang-ups")
            pbx.say(event('Newchannel', 5))
            wait_for(lambda: len(crm.events) == 5, "life to go on")
            self.assertIn('has closed the connection', bridge.log())
        self.assertEqual(
            [one.get('Bridge') for one in crm.events], [None, None, 'missed', 'missed', None]
        )

    def test_asterisk_is_not_there_yet(self):
        crm = self.start_crm()
        with socket.create_server(('127.0.0.1', 0)) as reserved:
            port = reserved.getsockname()[1]
        absent = type('Absent', (), {'port': port})
        with self.bridge(absent, crm.url) as bridge:
            wait_for(lambda: 'no connection' in bridge.log(), "the bridge to notice")
            pbx = self.start_pbx(port)
            self.logged_in(pbx)
            pbx.say(event('Newchannel', 1))
            wait_for(lambda: crm.events, "an event")

    def test_without_the_right_to_list_channels(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        pbx.tells_channels = False
        with self.bridge(pbx, crm.url) as bridge:
            wait_for(lambda: 'write = reporting' in bridge.log(), "the advice")
            pbx.say(event('Newchannel', 1))
            wait_for(lambda: crm.events, "an event")

    def test_tls(self):
        authority, key = self.certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority, key)
        pbx, crm = self.start_pbx(context=context), self.start_crm()
        with self.bridge(pbx, crm.url, BRIDGE_PBX_TLS='yes', BRIDGE_PBX_TLS_CA=str(authority)):
            self.logged_in(pbx)
            pbx.say(event('Newchannel', 1))
            wait_for(lambda: crm.events, "an event")
        with self.bridge(pbx, crm.url, BRIDGE_PBX_TLS='yes') as bridge:
            wait_for(
                lambda: 'certificate verify failed' in bridge.log(), "the stranger to be refused"
            )

    def certificate(self):
        """A certificate for 127.0.0.1 that has signed itself, and its key, as files."""
        key, name = (
            ec.generate_private_key(ec.SECP256R1()),
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'pbx')]),
        )
        now, address = datetime.now(timezone.utc), x509.IPAddress(ipaddress.ip_address('127.0.0.1'))
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([address]), False)
            .sign(key, hashes.SHA256())
        )
        files = self.folder / 'pbx.crt', self.folder / 'pbx.key'
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def test_wrong_password(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        with self.bridge(pbx, crm.url, BRIDGE_PBX_SECRET='not-the-password') as bridge:
            wait_for(lambda: 'Authentication failed' in bridge.log(), "the refusal")
            self.assertIn('manager.conf', bridge.log())
            self.assertNotIn('not-the-password', bridge.log())

    def test_it_tells_how_it_does(self):
        """At once and each minute: here it cannot reach the PBX, and what it tells is signed."""
        pbx, crm = self.start_pbx(), self.start_crm()
        pbx.close()
        with self.bridge(pbx, crm.url):
            wait_for(lambda: crm.beats, "the first heartbeat")
        told = crm.beats[0]
        self.assertEqual((told['version'], told['waiting']), (telephony_bridge.__version__, 0))
        self.assertLess(told['up_seconds'], PATIENCE)

    def test_how_it_does(self):
        own = self.open_spool()
        deaf = watcher.Watcher(None, own, lambda: None)
        beat = heartbeat.Heartbeat(None, own, deaf)
        own.write([event('Newchannel', 1)], {})
        deaf._deaf_since -= 90
        told = json.loads(beat._told())
        self.assertEqual((told['waiting'], told['deaf_seconds']), (1, 90))
        deaf._deaf_since = None
        self.assertEqual(json.loads(beat._told())['deaf_seconds'], 0)

    def test_sigterm_delivers_what_is_there(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        crm.status = 503
        with self.bridge(pbx, crm.url) as bridge:
            self.logged_in(pbx)
            pbx.say(*[event('Newchannel', number) for number in range(300)])
            wait_for(lambda: self.spooled() == 300, "the spool to fill")
            wait_for(lambda: 'not delivered' in bridge.log(), "a failure")
            crm.status = 200
            bridge.send_signal(signal.SIGTERM)
            self.assertEqual(bridge.wait(PATIENCE), 0)
        self.assertEqual(len(crm.events), 300)

    def test_sigterm_while_odoo_is_down(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        crm.status = 503
        with self.bridge(pbx, crm.url) as bridge:
            self.logged_in(pbx)
            pbx.say(event('Newchannel', 1))
            wait_for(self.spooled, "the spool to fill")
            bridge.send_signal(signal.SIGTERM)
            self.assertEqual(bridge.wait(PATIENCE), 0)
            self.assertIn('stay in the spool', bridge.log())
        self.assertEqual(self.spooled(), 1)

    def test_no_configuration(self):
        done = subprocess.run(  # noqa: S603
            [sys.executable, '-m', 'telephony_bridge', '-c', '/nowhere.ini'],
            capture_output=True,
            text=True,
            check=False,
            env={'PYTHONPATH': str(BRIDGE), 'PYTHONDONTWRITEBYTECODE': '1'},
        )
        self.assertEqual(done.returncode, 78)
        self.assertIn('cannot be read', done.stderr)
        self.assertNotIn('Traceback', done.stderr)


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeCheck(BridgeCase):
    def check(self, pbx_port, url, *arguments, **settings):
        done = subprocess.run(  # noqa: S603
            [sys.executable, '-m', 'telephony_bridge', '--check', *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(pbx_port, url, **settings),
            cwd=self.folder,
            timeout=60,
        )
        self.assertNotIn('Traceback', done.stderr)
        for word in (PASSWORD, SECRET, TOKEN):
            self.assertNotIn(word, done.stdout + done.stderr)
        return done.returncode, done.stdout

    def test_all_is_well(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        status, said = self.check(pbx.port, crm.url)
        self.assertEqual(status, 0, said)
        self.assertIn('The bridge can work', said)
        self.assertEqual(crm.taken, [[]])

    def test_what_is_wrong(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        nowhere = 'http://127.0.0.1:1/telephony/webhook/asterisk/x'
        for port, url, settings, says in (
            (pbx.port, crm.url, {'BRIDGE_PBX_SECRET': 'x'}, 'Asterisk: .*Authentication failed'),
            (pbx.port, crm.url, {'BRIDGE_CRM_SECRET': 'x'}, 'webhook: .*HTTP 403.*secret in'),
            (pbx.port, crm.url.rpartition('/')[0], {}, 'webhook: the address does not end'),
            (pbx.port, nowhere, {}, 'webhook: .*no answer'),
            (1, crm.url, {}, 'Asterisk: no connection'),
        ):
            with self.subTest(says):
                status, said = self.check(port, url, **settings)
                self.assertEqual(status, 1)
                self.assertRegex(said, f'WRONG  {says}')
        pbx.tells_channels = False
        status, said = self.check(pbx.port, crm.url)
        self.assertEqual(status, 1)
        self.assertIn('write = reporting', said)

    def test_listen(self):
        pbx, crm = self.start_pbx(), self.start_crm()

        def call():
            self.logged_in(pbx)
            time.sleep(0.3)
            pbx.say(event('Newchannel', 1))

        speaker = threading.Thread(target=call)
        speaker.start()
        status, said = self.check(pbx.port, crm.url, '--listen', '2')
        speaker.join()
        self.assertEqual(status, 0, said)
        self.assertIn('timestampevents', said)
        self.assertRegex(self.check(pbx.port, crm.url, '--listen', '0.2')[1], 'no call was seen')

    def test_needless_rights(self):
        answers = {
            'CoreShowChannels': {'Response': 'Success'},
            'ListCommands': {'Originate': '', 'Ping': ''},
        }

        class Connection:
            async def ask(self, action):
                return answers[action]

        report = check.Report()
        with patch('builtins.print') as printed:
            asyncio.run(check._rights(report, Connection()))
        self.assertFalse(report.failed)
        self.assertIn('write = originate', ' '.join(str(call) for call in printed.call_args_list))
