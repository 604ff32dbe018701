"""The bridge uploads recordings: against a webhook that fails in every way, over real HTTP and with
the real program."""

import array
import asyncio
import hashlib
import hmac
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import unittest
import wave
from contextlib import contextmanager
from unittest.mock import patch

from odoo.tests import tagged

from .test_bridge import (
    MISSING,
    PASSWORD,
    PATIENCE,
    SECRET,
    TOKEN,
    BridgeCase,
    FakeCrmRequest,
    event,
    wait_for,
)

if not MISSING:
    from ..bridge.telephony_bridge import config, recordings, sender, spool, watcher

NAME = 'external-101-+77771234567-20261130-151652-1795326672.1.wav'
# Pauses and pieces of the tests: a few hundredths of a second, a thousand bytes.
QUICK = {
    'SETTLED_SECONDS': 0.05,
    'SEARCH_SECONDS': 0.05,
    'JOIN_SECONDS': 0.02,
    'BUSY_SECONDS': 0.01,
    'LATE_SECONDS': 0,
    'ASK_SECONDS': 0.1,
    'PIECE': 1000,
    'MIN_PIECE': 100,
}
# The program with these pauses.
PROGRAM = f"""
import sys
from telephony_bridge import __main__, recordings, sender, spool
for name, value in {QUICK!r}.items():
    setattr(recordings, name, value)
spool.CLOSING_SECONDS = 0
sender.RETRY_SECONDS, sender.MAX_RETRY_SECONDS = 0.05, 0.1
sys.exit(__main__.main())
"""


def sound(size=5500, seed=1):
    return b'RIFF' + random.Random(seed).randbytes(size - 4)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class RecordingRequest(FakeCrmRequest):
    """A webhook that takes pieces as docs/webhook.md says, and events as before. `answers` are given
    instead of its own, first; an answer of None cuts the connection."""

    def do_POST(self):
        crm = self.server
        if not self.path.endswith('/recording'):
            return self.events()
        body = self.rfile.read(int(self.headers['Content-Length']))
        line, _feed, piece = body.partition(b'\n')
        head = json.loads(line)['recording']
        crm.heads.append(head)
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if len(body) > 1024 * 1024 or self.headers['X-Telephony-Signature'] != f'sha256={expected}':
            return self.say(403, b'')
        answer = crm.answers.pop(0) if crm.answers else crm.always
        if callable(answer):
            answer = answer()
        if answer == 'cut':
            return self.connection.shutdown(socket.SHUT_RDWR)
        if answer == 'cut after' or answer is None:
            with crm.lock:
                status, told = crm.take(head, piece)
            if answer:
                return self.connection.shutdown(socket.SHUT_RDWR)
            return self.say(status, json.dumps(told).encode())
        return self.say(*answer)

    def events(self):
        crm, body = self.server, self.rfile.read(int(self.headers['Content-Length']))
        crm.requests += 1
        crm.taken.append(json.loads(body)['events'])
        self.say(crm.status, json.dumps(crm.to_tell.pop(0) if crm.to_tell else {}).encode())

    def say(self, status, body):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def take(crm, head, piece):
    have = crm.pieces.setdefault((head['name'], head['sha256']), b'')
    if head['name'] in crm.stored:
        return 200, {'have': head['size'], 'done': True}
    if head['offset'] != len(have):
        return 409, {'have': len(have)}
    have = crm.pieces[head['name'], head['sha256']] = have + piece
    if len(have) < head['size']:
        return 200, {'have': len(have), 'done': False}
    crm.stored[head['name']] = have
    return 200, {'have': len(have), 'done': True}


@unittest.skipIf(MISSING, MISSING)
class RecordingsCase(BridgeCase):
    def setUp(self):
        super().setUp()
        self.root = self.folder / 'monitor'
        self.root.mkdir()
        for name, value in QUICK.items():
            self.startPatcher(patch.object(recordings, name, value))
        for module, name, value in (
            (spool, 'CLOSING_SECONDS', 0),
            (sender, 'RETRY_SECONDS', 0.05),
            (sender, 'MAX_RETRY_SECONDS', 0.1),
            (sender, 'BLOCKED_SECONDS', 0.05),
            (sender, 'MAX_BLOCKED_SECONDS', 0.1),
        ):
            self.startPatcher(patch.object(module, name, value))

    def start_crm(self, port=0):
        crm = super().start_crm(port)
        crm.RequestHandlerClass = RecordingRequest
        crm.heads, crm.answers, crm.always, crm.to_tell = [], [], None, []
        crm.pieces, crm.stored, crm.lock = {}, {}, threading.Lock()
        crm.take = lambda head, piece: take(crm, head, piece)
        return crm

    def put(self, data, name=NAME, folder=None):
        path = (folder or self.root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def announce(self, own, name=NAME, linkedid='1795326672.1', ended=True, talked=True):
        uniqueid = linkedid
        own.write([], {}, (), [spool.Announced(name, linkedid, uniqueid)], [uniqueid] * talked)
        if ended:
            own.write([], {}, [uniqueid])

    def uploader(self, own, crm, delete='never', scratch=None):
        settings = config.Recordings(self.root, delete)
        return recordings.Uploader(
            config.Crm(crm.url, SECRET, 5), own, settings, scratch or self.folder, lambda: None
        )

    def work(self, own, crm, until, patience=PATIENCE, **options):
        """Run an uploader until the condition holds; its log."""
        part = self.uploader(own, crm, **options)

        async def run():
            task, end = asyncio.create_task(part.run()), time.monotonic() + patience
            while not until():
                self.assertFalse(task.done(), task.done() and task)
                self.assertLess(time.monotonic(), end, "it takes too long")
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        with self.assertLogs(recordings.__name__, 'DEBUG') as logs:
            recordings._logger.debug("begin")
            asyncio.run(run())
        return '\n'.join(logs.output)

    def rows(self, own):
        return [
            dict(zip(('name', 'state'), row, strict=True))
            for row in own.db.execute('SELECT name, state FROM recording ORDER BY id')
        ]


@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeFiles(RecordingsCase):
    """Which file is the recording, and what is made of it."""

    def test_where_a_file_is(self):
        day = self.root / '2026' / '11' / '30'
        top = self.put(b'x', 'plain.wav')
        dated = self.put(b'x', folder=day)
        converted = self.put(b'x', 'talk.mp3')
        for name, found in (
            ('plain.wav', top),
            (NAME, dated),
            ('talk.wav', converted),
            ('nothing.wav', None),
            ('plain', top),
            ('a' * 300, None),
            ('nul\0.wav', None),
        ):
            with self.subTest(name):
                self.assertEqual(recordings.find(self.root, name), found)

    def test_what_is_no_recording(self):
        outside = self.put(b'secret', 'secret.wav', self.folder)
        (self.root / 'link.wav').symlink_to(outside)
        (self.root / 'folder.wav').mkdir()
        os.mkfifo(self.root / 'pipe.wav')
        (self.folder / 'elsewhere' / '11' / '30').mkdir(parents=True)
        self.put(b'x', folder=self.folder / 'elsewhere' / '11' / '30')
        (self.root / '2026').symlink_to(self.folder / 'elsewhere')
        for name in ('link.wav', 'folder.wav', 'pipe.wav', '../secret.wav', str(outside), NAME):
            with self.subTest(name):
                self.assertIsNone(recordings.find(self.root, name))

    def test_the_folder_itself_may_be_a_link(self):
        self.put(b'x', 'plain.wav')
        link = self.folder / 'link'
        link.symlink_to(self.root)
        self.assertEqual(recordings.find(link, 'plain.wav'), link / 'plain.wav')

    def test_what_events_announce(self):
        def said(**headers):
            return event('VarSet', 1, **{'Variable': 'MIXMONITOR_FILENAME', **headers})

        found, talked = watcher.recordings_of(
            [
                said(Value='/var/spool/asterisk/monitor/2026/11/30/a.wav'),
                said(Variable='__MIXMONITOR_FILENAME', Value='b.wav'),
                said(Value='..'),
                said(Value='/etc/'),
                said(Value=['c', 'd']),
                said(Variable='OTHER', Value='e.wav'),
                event('BridgeEnter', 2),
                event('Hangup', 1),
            ]
        )
        self.assertEqual(talked, ['1795326672.2'])
        self.assertEqual(
            found,
            [spool.Announced(name, '1795326672.1', '1795326672.1') for name in ('a.wav', 'b.wav')],
        )

    def test_a_recording_outlives_a_restart_and_waits_for_the_end_of_its_call(self):
        first = spool.Spool(self.file, sync=False)
        self.announce(first, 'one.wav', 'a', ended=False)
        self.announce(first, 'one.wav', 'a', ended=False)
        self.announce(first, 'two.wav', 'b')
        first.close()
        own = self.open_spool()
        self.assertEqual(
            self.rows(own),
            [{'name': 'one.wav', 'state': 'open'}, {'name': 'two.wav', 'state': 'todo'}],
        )
        own.write([], {}, ['a'])
        self.assertEqual([row['state'] for row in self.rows(own)], ['todo', 'todo'])

    def wav(self, name, samples, channels=1, rate=8000):
        with wave.open(str(self.root / name), 'wb') as file:
            file.setparams((channels, 2, rate, 0, 'NONE', ''))
            file.writeframes(array.array('h', samples).tobytes())
        return self.root / name

    def lanes(self, path):
        with wave.open(str(path)) as file:
            self.assertEqual(file.getnchannels(), 2)
            mixed = array.array('h', file.readframes(file.getnframes()))
            return file.getframerate(), list(mixed[0::2]), list(mixed[1::2])

    def test_two_sides_become_two_channels(self):
        said = [random.Random(1).randrange(-30000, 30000) for _sample in range(70000)]
        heard = [number // 2 for number in said[:69999]]
        target = self.folder / 'both.wav'
        recordings.merge(
            self.wav('x-in.wav', said, rate=16000), self.wav('x-out.wav', heard, rate=16000), target
        )
        self.assertEqual(self.lanes(target), (16000, said, [*heard, 0]))

    def test_sides_that_do_not_fit(self):
        good = self.wav('x-in.wav', [1, 2])
        for other in (self.wav('rate.wav', [1], rate=16000), self.wav('two.wav', [1, 2], 2)):
            with self.subTest(other.name), self.assertRaises(wave.Error):
                recordings.merge(good, other, self.folder / 'both.wav')

    def test_two_channels_without_a_head(self):
        for rate in (8000, 16000, 48000):
            raw = self.put(array.array('h', [1, -1] * rate * 3).tobytes(), 'x.raw')
            # the call lasts a little longer than its recording
            recordings.wrap(raw, 3.4, self.folder / 'both.wav')
            found, left, right = self.lanes(self.folder / 'both.wav')
            self.assertEqual((found, set(left), set(right)), (rate, {1}, {-1}))
            self.assertEqual(len(left), rate * 3)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeUpload(RecordingsCase):
    def upload(self, crm, data=None, until=None, **options):
        """Announce a file, write it if there are bytes, and upload it; the log."""
        own = self.open_spool()
        if data:
            self.put(data)
        self.announce(own)
        log = self.work(own, crm, until or (lambda: not self.rows(own)), **options)
        left = self.rows(own)
        own.close()
        return log, left

    def test_a_file_in_pieces(self):
        crm, data = self.start_crm(), sound()
        self.upload(crm, data)
        self.assertEqual(crm.stored, {NAME: data})
        self.assertEqual([head['offset'] for head in crm.heads], [0, 1000, 2000, 3000, 4000, 5000])
        self.assertEqual(
            crm.heads[0],
            {
                'name': NAME,
                'linkedid': '1795326672.1',
                'uniqueid': '1795326672.1',
                'size': 5500,
                'sha256': sha256(data),
                'offset': 0,
                'channels': 1,
            },
        )
        self.assertTrue((self.root / NAME).exists(), "the PBX's file is not touched")

    def test_a_piece_fits_into_the_webhook(self):
        with patch.object(recordings, 'PIECE', 768 * 1024):
            crm, data = self.start_crm(), sound(2_000_000)
            self.upload(crm, data)
        self.assertEqual(crm.stored, {NAME: data})
        self.assertEqual(len(crm.heads), 3)

    def test_a_growing_file_is_sent_when_it_is_whole(self):
        crm, data, own = self.start_crm(), sound(), self.open_spool()
        path, parts = self.put(data[:1000]), [data[1000:3000], data[3000:]]
        self.announce(own)
        grown = []

        def until():
            looked = own.db.execute('SELECT size FROM recording').fetchone()
            if parts and looked and looked[0] == path.stat().st_size:
                with path.open('ab') as file:
                    file.write(parts.pop(0))
                grown.append(1)
            return not self.rows(own)

        self.work(own, crm, until)
        self.assertEqual(len(grown), 2)
        self.assertEqual(crm.stored, {NAME: data})
        self.assertEqual({head['size'] for head in crm.heads}, {len(data)})

    def test_a_file_that_is_converted_while_it_is_sent(self):
        crm, converted = self.start_crm(), sound(2500, 2)

        def convert():
            (self.root / NAME).unlink()
            self.put(converted, NAME.replace('.wav', '.mp3'))

        crm.answers = [None, convert]
        self.upload(crm, sound())
        self.assertEqual(crm.stored, {NAME: converted})

    def test_a_file_that_grows_while_it_is_sent(self):
        crm, data, more = self.start_crm(), sound(), sound(700, 2)

        def grow():
            with (self.root / NAME).open('ab') as file:
                file.write(more)

        crm.answers = [None, grow]
        self.upload(crm, data)
        self.assertEqual(crm.stored, {NAME: data + more})

    def test_two_sides_are_sent_as_one_file(self):
        crm, sides = self.start_crm(), TestBridgeFiles.wav
        stem = NAME.removesuffix('.wav')
        sides(self, f'{stem}-in.wav', [1] * 3000)
        sides(self, f'{stem}-out.wav', [2] * 3000)
        self.upload(crm, sound())
        (self.folder / 'sent.wav').write_bytes(crm.stored[NAME])
        self.assertEqual(
            TestBridgeFiles.lanes(self, self.folder / 'sent.wav'), (8000, [1] * 3000, [2] * 3000)
        )
        self.assertEqual(crm.heads[0]['channels'], 2)
        self.assertFalse(list(self.folder.glob('recording-*')), "nothing is left behind")

    def test_sides_that_cannot_be_joined(self):
        crm, data = self.start_crm(), sound()
        for side in ('in', 'out'):
            self.put(sound(300), NAME.replace('.wav', f'-{side}.wav'))
        log, _left = self.upload(crm, data)
        self.assertEqual(crm.stored, {NAME: data})
        self.assertIn('The mixed file is uploaded', log)

    def test_a_file_that_never_comes(self):
        for data, talked in ((None, True), (b'R' * 44, True), (None, False)):
            with (
                self.subTest(data, talked=talked),
                patch.object(recordings, 'GIVE_UP_SECONDS', 0.5),
            ):
                crm, own = self.start_crm(), self.open_spool()
                (self.root / NAME).unlink(missing_ok=True)
                if data:
                    self.put(data)
                self.announce(own, talked=talked)
                log = self.work(own, crm, lambda own=own: not self.rows(own))
                own.close()
                self.assertEqual(crm.heads, [])
                self.assertEqual(log.count('WARNING'), int(talked))
                self.assertIn(f'recording {NAME} is given up', log)

    # --- answers -----------------------------------------------------------------------------------------------

    def test_a_call_that_is_not_known_yet(self):
        crm, data = self.start_crm(), sound()
        crm.answers = [(425, b'no such recording yet')] * 2
        with patch.object(recordings, 'UNKNOWN_SECONDS', (0.02, 0.02, 0.02)):
            log, _left = self.upload(crm, data)
        self.assertEqual(crm.stored, {NAME: data})
        self.assertNotIn('WARNING', log)

    def test_a_call_that_nobody_knows(self):
        crm = self.start_crm()
        crm.always = (425, b'no such recording yet')
        with patch.object(recordings, 'UNKNOWN_SECONDS', (0.02, 0.02, 0.02)):
            log, _left = self.upload(crm, sound())
        self.assertEqual(len(crm.heads), 4)
        self.assertEqual(log.count('WARNING'), 1)

    def test_what_is_not_wanted_is_forgotten(self):
        crm = self.start_crm()
        crm.always = (410, b'not wanted')
        log, _left = self.upload(crm, sound(), delete='delivered')
        self.assertEqual(len(crm.heads), 1)
        self.assertNotIn('WARNING', log)
        self.assertTrue((self.root / NAME).exists(), "only what was delivered is deleted")

    def test_a_sum_that_differs(self):
        crm = self.start_crm()
        crm.answers = [None] * 5 + [(422, b'the sum differs')]
        self.upload(crm, sound())
        self.assertEqual(crm.heads[6]['offset'], 0)

        crm = self.start_crm()
        crm.always = (422, b'the sum differs')
        log, _left = self.upload(crm, sound())
        self.assertEqual(len(crm.heads), 4, "once, and three times more")
        self.assertEqual(log.count('WARNING'), 1)

    def test_another_sender_got_further(self):
        crm, data = self.start_crm(), sound()
        crm.pieces[NAME, sha256(data)] = data[:3500]
        self.upload(crm, data)
        self.assertEqual([head['offset'] for head in crm.heads], [0, 3500, 4500])
        self.assertEqual(crm.stored, {NAME: data})

    def test_the_crm_forgets_what_it_had(self):
        crm, data = self.start_crm(), sound()
        crm.answers = [None, None, lambda: crm.pieces.clear()]
        self.upload(crm, data)
        self.assertEqual(crm.stored, {NAME: data})

    def test_a_file_that_is_joined_later(self):
        crm, data = self.start_crm(), sound(1000)
        crm.answers = [(200, b'{"have": 1000, "done": false}')] * 3 + [
            (200, b'{"have": 1000, "done": true}')
        ]
        self.upload(crm, data)
        self.assertEqual([head['offset'] for head in crm.heads], [0, 1000, 1000, 1000])

    def test_a_proxy_with_a_smaller_limit(self):
        crm, data = self.start_crm(), sound()
        crm.answers = [(413, b'')]
        self.upload(crm, data)
        self.assertEqual(crm.heads[2]['offset'], 500)
        self.assertEqual(crm.stored, {NAME: data})

    def test_what_fails_is_tried_again(self):
        for answer, says in (
            ((503, b''), 'HTTP 503'),
            ('cut', 'no answer'),
            ('cut after', 'no answer'),
            ((403, b''), 'secret in'),
            ((404, b'no such address'), 'Webhook Address'),
            ((200, b''), 'update the addon'),
            ((409, b'{"have": -1}'), 'HTTP 409'),
            ((409, b'{"have": 99999}'), 'HTTP 409'),
            ((200, b'{"have": 0, "done": false}'), 'update the addon'),
            ((200, b'[1]'), 'update the addon'),
        ):
            with self.subTest(says, answer=answer):
                crm, data = self.start_crm(), sound()
                crm.answers = [answer] * 2
                log, _left = self.upload(crm, data)
                self.assertEqual(crm.stored, {NAME: data})
                self.assertIn(says, log)
                self.assertNotIn(SECRET, log)
                self.assertNotIn(TOKEN, log)

    def test_one_that_always_fails_holds_up_no_other(self):
        crm, own = self.start_crm(), self.open_spool()
        crm.take = lambda head, piece: (
            (500, {}) if head['name'] == 'bad.wav' else take(crm, head, piece)
        )
        for number, name in enumerate(('bad.wav', 'good.wav')):
            self.put(sound(), name)
            self.announce(own, name, str(number))
        # the webhook has the file a moment before the bridge has heard so
        self.work(own, crm, lambda: len(self.rows(own)) == 1)
        self.assertEqual([row['name'] for row in self.rows(own)], ['bad.wav'])
        self.assertEqual(list(crm.stored), ['good.wav'])

    def test_events_go_first(self):
        crm, own = self.start_crm(), self.open_spool()
        self.put(sound())
        self.announce(own)
        own.write([event('Newchannel', 1)], {})
        began = time.monotonic()

        def until():
            if len(own):
                self.assertEqual(crm.heads, [], "no piece while an event waits")
                if time.monotonic() > began + 0.5:
                    own.delivered(own.batch(10, 10000))
            return crm.stored

        self.work(own, crm, until)

    def test_a_pbx_that_always_talks_does_not_hold_up_files(self):
        crm, own, data = self.start_crm(), self.open_spool(), sound()
        self.put(data)
        self.announce(own)

        def until():
            # the last batch is just gone, and the next events are there
            while batch := own.batch(10, 10000):
                own.delivered(batch)
            own.write([event('Newchannel', 1)], {})
            return crm.stored

        with patch.object(recordings, 'LATE_SECONDS', 0.5):
            self.work(own, crm, until)
        self.assertEqual(crm.stored, {NAME: data})

    def test_two_bridges(self):
        """On two PBXs that share their disk: each sends the same file."""
        crm, data = self.start_crm(), sound(20_000)
        self.put(data)
        threads, logs = [], []

        def bridge(number):
            own = spool.Spool(self.folder / f'{number}.sqlite', sync=False)
            scratch = self.folder / str(number)
            scratch.mkdir()
            self.announce(own)
            part = self.uploader(own, crm, scratch=scratch)

            async def run():
                task = asyncio.create_task(part.run())
                end = time.monotonic() + PATIENCE
                while self.rows(own) and time.monotonic() < end:
                    await asyncio.sleep(0.01)
                task.cancel()

            asyncio.run(run())
            logs.append(self.rows(own))
            own.close()

        for number in range(2):
            threads.append(threading.Thread(target=bridge, args=(number,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(logs, [[], []])
        self.assertEqual(crm.stored, {NAME: data})

    # --- deleting ----------------------------------------------------------------------------------------------

    def reports(self, own):
        batch = own.batch(100, 10**6)
        return [
            (one['Event'], one['Name'], one.get('Why', ''))
            for one in (json.loads(batch.body)['events'] if batch else [])
        ]

    def test_a_file_is_deleted_when_it_is_delivered(self):
        crm, own = self.start_crm(), self.open_spool()
        path, stem = self.put(sound()), NAME.removesuffix('.wav')
        for side in ('in', 'out'):
            TestBridgeFiles.wav(self, f'{stem}-{side}.wav', [1] * 3000)
        other = self.put(b'x' * 100, 'other.wav')
        self.announce(own)
        self.work(own, crm, lambda: not self.rows(own), delete='delivered')
        self.assertEqual(list(self.root.iterdir()), [other], path)
        self.assertEqual(self.reports(own), [('BridgeRecordingDeleted', NAME, '')])

    def test_a_file_is_deleted_when_the_crm_asks_for_it(self):
        crm, own = self.start_crm(), self.open_spool()
        path, data = self.put(sound()), {'delete_recordings': [NAME, 7, '../secret.wav']}
        secret = self.put(b'secret', 'secret.wav', self.folder)
        self.announce(own)
        self.work(
            own,
            crm,
            lambda: crm.stored and self.rows(own)[0]['state'] == 'delivered',
            delete='asked',
        )
        self.assertTrue(path.exists())
        crm.to_tell = [{}, data]
        self.work(own, crm, lambda: not self.rows(own), delete='asked')
        self.assertFalse(path.exists())
        self.assertTrue(secret.exists())
        self.assertEqual(
            self.reports(own),
            [
                ('BridgeRecordingDeleted', NAME, ''),
                ('BridgeRecordingKept', '../secret.wav', 'unknown'),
            ],
        )
        self.assertEqual(crm.taken[:2], [[], []], "it asks by itself while no call goes on")

    def test_what_is_not_deleted(self):
        crm = self.start_crm()
        answer = sender.Answer(200, json.dumps({'delete_recordings': [NAME]}))
        for delete, state, says in (
            ('never', 'delivered', 'never'),
            ('asked', 'todo', 'busy'),
            ('asked', 'open', 'busy'),
            ('asked', None, 'unknown'),
        ):
            with self.subTest(says, state=state):
                own, path = self.open_spool(), self.put(sound())
                if state:
                    self.announce(own)
                    own.db.execute('UPDATE recording SET state = ?', [state])
                self.uploader(own, crm, delete).heard(answer)
                self.assertTrue(path.exists())
                [(kind, name, why)] = self.reports(own)
                self.assertEqual((kind, name, why), ('BridgeRecordingKept', NAME, says))
                own.close()
                self.file.unlink()

    def test_a_file_that_is_gone_already_counts_as_deleted(self):
        own = self.open_spool()
        self.announce(own)
        own.db.execute("UPDATE recording SET state = 'delivered'")
        answer = sender.Answer(200, json.dumps({'delete_recordings': [NAME]}))
        self.uploader(own, self.start_crm(), 'asked').heard(answer)
        self.assertEqual(self.reports(own), [('BridgeRecordingDeleted', NAME, '')])

    def test_a_newer_call_writes_a_file_of_the_same_name(self):
        own, path = self.open_spool(), self.put(sound())
        self.announce(own)
        own.db.execute("UPDATE recording SET state = 'delivered'")
        self.announce(own, linkedid='1795326672.9', ended=False)
        answer = sender.Answer(200, json.dumps({'delete_recordings': [NAME]}))
        self.uploader(own, self.start_crm(), 'asked').heard(answer)
        self.assertTrue(path.exists())

    def test_answers_that_make_no_sense(self):
        own = self.open_spool()
        part = self.uploader(own, self.start_crm(), 'asked')
        for text in (
            '',
            'x',
            '[]',
            '{"delete_recordings": 5}',
            '{"delete_recordings": [[], null]}',
        ):
            part.heard(sender.Answer(200, text))
        self.assertEqual(self.reports(own), [])


@tagged('post_install', '-at_install', 'crm_telephony')
class TestBridgeRecordingProgram(RecordingsCase):
    """The whole program, from AMI to the webhook."""

    @contextmanager
    def bridge(self, pbx, url, **settings):
        log = self.folder / 'log'
        with log.open('ab') as output:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, '-c', PROGRAM],
                env=self.environment(
                    pbx.port, url, **{'BRIDGE_RECORDINGS_PATH': str(self.root), **settings}
                ),
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

    def call(self, pbx, number=1, name=NAME):
        pbx.say(
            event('Newchannel', number),
            event('VarSet', number, Variable='MIXMONITOR_FILENAME', Value=f'/spool/{name}'),
        )
        return event('Hangup', number)

    def test_from_the_call_to_the_file(self):
        pbx, crm, data = self.start_pbx(), self.start_crm(), sound()
        with self.bridge(pbx, crm.url, BRIDGE_RECORDINGS_DELETE='delivered') as bridge:
            self.logged_in(pbx)
            hang_up = self.call(pbx)
            self.put(data)
            wait_for(lambda: len(crm.events) == 2, "the call")
            time.sleep(0.3)
            self.assertEqual(crm.heads, [], "the call goes on")
            pbx.say(hang_up)
            wait_for(lambda: crm.stored, "the file")
            wait_for(
                lambda: crm.events[-1]['Event'] == 'BridgeRecordingDeleted', "the report of it"
            )
            log = bridge.log()
        self.assertEqual(crm.stored, {NAME: data})
        self.assertFalse((self.root / NAME).exists())
        for word in (PASSWORD, SECRET, TOKEN):
            self.assertNotIn(word, log)

    def test_the_end_of_the_call_was_missed(self):
        pbx, crm, data = self.start_pbx(), self.start_crm(), sound()
        with self.bridge(pbx, crm.url):
            self.logged_in(pbx)
            self.call(pbx)
            wait_for(lambda: len(crm.events) == 2, "the call")
        self.put(data)
        with self.bridge(pbx, crm.url):
            wait_for(lambda: crm.stored, "the file")

    def test_killed_at_every_piece(self):
        pbx, crm, data = self.start_pbx(), self.start_crm(), sound(4500)
        self.put(data)
        killers = []

        def kill():
            killers[-1].kill()
            killers[-1].wait()

        def kill_before():
            kill()
            return 'cut'

        def kill_after():
            kill()
            return 'cut after'

        # one of each for each piece; between them the bridge goes on for one piece
        crm.answers = [answer for _piece in range(5) for answer in (kill_before, kill_after, None)]
        with self.bridge(pbx, crm.url) as bridge:
            killers.append(bridge)
            self.logged_in(pbx)
            pbx.say(self.call(pbx))
            bridge.wait(PATIENCE)
        while not crm.stored:
            with self.bridge(pbx, crm.url) as bridge:
                killers.append(bridge)
                wait_for(lambda bridge=bridge: crm.stored or bridge.poll() is not None, "the end")
        self.assertEqual(crm.stored, {NAME: data})
        self.assertGreater(len(killers), 5)
        offsets = [head['offset'] for head in crm.heads]
        self.assertEqual(offsets, sorted(offsets), "nothing that has come is sent from the start")

    def test_without_a_path_nothing_is_noted(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        self.put(sound())
        with self.bridge(pbx, crm.url, BRIDGE_RECORDINGS_PATH=''):
            self.logged_in(pbx)
            pbx.say(self.call(pbx))
            wait_for(lambda: len(crm.events) == 3, "the call")
        own = self.open_spool()
        self.assertEqual(self.rows(own), [])

    def test_sigterm_in_the_middle(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        crm.answers = [None, None]
        crm.always = (503, b'')
        self.put(sound())
        with self.bridge(pbx, crm.url) as bridge:
            self.logged_in(pbx)
            pbx.say(self.call(pbx))
            wait_for(lambda: len(crm.heads) > 2, "two pieces")
            bridge.terminate()
            self.assertEqual(bridge.wait(PATIENCE), 0)
            self.assertNotIn('Traceback', bridge.log())
        crm.always = None
        with self.bridge(pbx, crm.url):
            wait_for(lambda: crm.stored, "the rest")

    def check(self, pbx, crm, **settings):
        done = subprocess.run(  # noqa: S603
            [sys.executable, '-m', 'telephony_bridge', '--check'],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(
                pbx.port, crm.url, **{'BRIDGE_RECORDINGS_PATH': str(self.root), **settings}
            ),
            cwd=self.folder,
            timeout=60,
        )
        self.assertNotIn('Traceback', done.stderr)
        return done.returncode, done.stdout

    def test_check(self):
        pbx, crm = self.start_pbx(), self.start_crm()
        self.put(sound())
        crm.always = (425, b'no such recording yet')
        status, said = self.check(pbx, crm)
        self.assertEqual(status, 0, said)
        self.assertIn(f'recordings: {self.root} can be read', said)
        self.assertIn('Odoo takes them', said)
        crm.always = (410, b'not wanted')
        status, said = self.check(pbx, crm)
        self.assertEqual((status, 'does not want them' in said), (0, True), said)
        crm.always = (200, b'')
        for settings, says in (
            ({}, 'update the addon'),
            ({'BRIDGE_RECORDINGS_PATH': str(self.folder / 'nowhere')}, 'is no folder'),
        ):
            status, said = self.check(pbx, crm, **settings)
            self.assertEqual(status, 1)
            self.assertRegex(said, f'WRONG  recordings: .*{says}')

    def test_settings(self):
        file = self.folder / 'bridge.ini'
        good = '[pbx]\nuser = u\nsecret = s\n[crm]\nurl = http://x/y\nsecret = s\n'
        file.write_text(good)
        self.assertIsNone(config.load(str(file), {}).recordings)
        file.write_text(good + '[recordings]\npath = /monitor\ndelete = asked\n')
        loaded = config.load(str(file), {}).recordings
        self.assertEqual((str(loaded.path), loaded.delete), ('/monitor', 'asked'))
        file.write_text(good + '[recordings]\ndelete = always\n')
        with self.assertRaisesRegex(config.ConfigError, 'delete in'):
            config.load(str(file), {})
