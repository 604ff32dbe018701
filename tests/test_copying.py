"""Our own copies of recordings: what is copied and what is not, and what becomes of what comes late,
broken or not at all."""

import errno
import http.server
import io
import os
import random
import struct
import threading
import time
import wave
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.modules.migration import load_script
from odoo.tools import config, file_path, mute_logger

from ..models.calls import recording as calls_recording
from ..models.calls.recording import LOCATE_SECONDS
from ..models.recordings import copying
from ..models.recordings.playing import asked_of
from ..providers import fetch, registry
from ..tools.words import _lt
from .common import TelephonyCase, TelephonyHttpCase
from .test_recordings import as_public

LOGGER = 'odoo.addons.crm_telephony.models.recordings.copying'
RECORDING = 'telephony.recording'


def sound(seconds=2.0, seed=1):
    """A WAV file of noise, 16 kB a second; another one for each seed."""
    file = io.BytesIO()
    with wave.open(file, 'wb') as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(random.Random(seed).randbytes(int(seconds * 8000) * 2))
    return file.getvalue()


SOUND = sound()


class Answer:
    """What the storage sends: `promised` bytes are told, `body` is sent."""

    def __init__(self, status=200, body=b'', kind='audio/wav', promised=None, **headers):
        self.status, self.body, self.promised = status, body, promised
        self.headers = {'Content-Type': kind, **headers}


class Storage(http.server.BaseHTTPRequestHandler):
    """The file server of a PBX, which gives to each path the answers that the test has prepared, the
    last of them for ever."""

    def do_GET(self):
        self.server.seen.append(self.path)
        answers = self.server.answers[self.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace('_', '-'), value)
        if answer.promised != 'nothing':
            self.send_header('Content-Length', str(answer.promised or len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args):
        pass


class Copies:
    """What the cases share: a PBX with an API whose recordings are copied, and its storage."""

    def set_up_storage(self):
        self.storage = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Storage)
        self.storage.seen, self.storage.answers = [], {}
        thread = threading.Thread(target=self.storage.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.storage.server_close)
        self.addCleanup(self.storage.shutdown)
        self.here = f'http://127.0.0.1:{self.storage.server_address[1]}'
        public = as_public()
        public.__enter__()
        self.addCleanup(public.__exit__, None, None, None)
        self.account.write({'recording_storage': 'copy', 'recording_hosts': '127.0.0.1'})
        self.store_in('file')

    def store_in(self, place):
        self.env['ir.config_parameter'].set_param('ir_attachment.location', place)

    def tell(self, *answers, path='/a.wav'):
        """Let the storage give these answers, one after another, and return the address."""
        self.storage.answers[path] = list(answers)
        return self.here + path

    def record(self, url, call_id='c1', account=None, **told):
        """Let the PBX tell of a talk of Anna's and of its recording, and what else it may tell."""
        self.play(
            self.event('ended', call_id, outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', call_id, at=1, recording_url=url),
            account=account,
        )
        recording = self.call(call_id, account).recording_ids
        if told:
            recording.write(told)
        return recording

    def run_cron(self, name):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.ir_cron_{name}').method_direct_trigger()
        self.env.invalidate_all()

    def try_copy(self, recording, times=1):
        """Let it be time for the next try, and return the seconds until the one after it; 0 if there
        is none."""
        for _try in range(times):
            recording.copy_next_at = fields.Datetime.now() - timedelta(seconds=1)
            self.run_cron('copy_recordings')
        return round(
            (recording.copy_next_at - fields.Datetime.now()).total_seconds()
            if recording.copy_next_at
            else 0,
            -1,
        )

    def stored(self, recording):
        return recording.attachment_id.raw

    def parts(self):
        return self.env['ir.attachment'].search(
            [('res_model', '=', RECORDING), ('res_field', '=', 'sound_part')]
        )


class TestCopying(Copies, TelephonyCase):
    def setUp(self):
        super().setUp()
        self.set_up_storage()

    # === WHAT COMES, AND THEN === #

    def test_late_and_broken_files_become_one_copy(self):
        """Not there, not there, out of order, a part only, and at last whole."""
        recording = self.record(
            self.tell(
                Answer(404),
                Answer(404),
                Answer(503),
                Answer(body=SOUND[:9000], promised=len(SOUND)),
                Answer(body=SOUND),
            )
        )
        self.assertEqual(recording.copy_state, 'todo')
        first = (recording.copy_next_at - fields.Datetime.now()).total_seconds()
        self.assertAlmostEqual(first, LOCATE_SECONDS[0], delta=5)
        pauses = [self.try_copy(recording) for _try in range(4)]
        self.assertEqual(pauses, list(LOCATE_SECONDS[1:5]))
        self.assertFalse(recording.attachment_id)
        self.assertIn("part", recording.copy_error)
        self.assertEqual(self.try_copy(recording), 0)
        self.assertRecordValues(
            recording,
            [
                {
                    'copy_state': 'done',
                    'state': 'ready',
                    'copy_error': False,
                    'size': len(SOUND),
                    'mimetype': 'audio/wav',
                    'copy_attempts': 5,
                }
            ],
        )
        self.assertEqual(self.stored(recording), SOUND)
        self.assertEqual(len(recording.sha256), 64)
        self.assertFalse(self.parts())
        self.assertEqual(len(self.storage.seen), 5)

    def test_a_server_may_put_us_off(self):
        for told, pause in (
            ('1800', 1800),
            ('999999', 3600),
            ('5', 60),
            (f'{datetime.now(timezone.utc) + timedelta(minutes=20):%a, %d %b %Y %T GMT}', 1200),
            ('whenever', 60),
        ):
            with self.subTest(told):
                url = self.tell(Answer(429, Retry_After=told), path=f'/{pause}{told[:3]}')
                recording = self.record(url, f'c{told[:6]}')
                self.assertEqual(self.try_copy(recording), pause)

    def test_a_link_that_has_run_out_is_renewed_once(self):
        pbx = self.plug_in(
            recording_url=lambda client, ref, call_ref: (
                client._note('recording', ref),
                self.here + '/new.wav',
            )[1]
        )
        old = self.tell(Answer(403), path='/old.wav')
        self.tell(Answer(body=SOUND), path='/new.wav')
        recording = self.record(old, ref='r1')
        self.assertEqual(self.try_copy(recording), 60)
        self.assertEqual((recording.url, recording.copy_state), (self.here + '/new.wav', 'todo'))
        self.try_copy(recording)
        self.assertEqual((recording.copy_state, self.stored(recording)), ('done', SOUND))
        self.assertEqual(pbx.told, [('recording', 'r1')])

    def test_a_link_that_is_refused_twice_is_lost(self):
        recording = self.record(self.tell(Answer(401), Answer(404), Answer(403), Answer(410)))
        self.try_copy(recording, 3)
        self.assertEqual(recording.copy_state, 'todo', "twice in a row is what counts")
        self.assertEqual(self.try_copy(recording), 0)
        self.assertRecordValues(recording, [{'copy_state': 'lost', 'state': 'ready'}])
        self.assertIn("410", recording.copy_error)

    def test_of_what_is_always_cut_off_the_longest_is_kept(self):
        recording = self.record(
            self.tell(
                *(
                    Answer(body=SOUND[:size], promised=len(SOUND))
                    for size in (3000, 9000, 5000, 4000)
                )
            )
        )
        self.try_copy(recording, 3)
        self.assertFalse(recording.attachment_id)
        self.assertEqual(self.parts().file_size, 9000)
        self.try_copy(recording)
        self.assertEqual(self.stored(recording), SOUND[:9000])
        self.assertRecordValues(
            recording, [{'copy_state': 'done', 'quality': 'truncated', 'copy_next_at': False}]
        )
        self.assertFalse(self.parts())
        self.run_cron('probe_recordings')
        self.assertEqual(recording.quality, 'truncated')

    def test_a_file_that_ends_before_its_own_end(self):
        """Whatever length the server tells."""
        recording = self.record(self.tell(Answer(body=SOUND[:9000]), Answer(body=SOUND)))
        self.assertEqual(self.try_copy(recording), 60)
        self.assertFalse(recording.attachment_id)
        self.try_copy(recording)
        self.assertEqual(self.stored(recording), SOUND)

    def test_a_head_that_does_not_know_the_length_is_no_lie(self):
        endless = SOUND[:40] + struct.pack('<I', 0xFFFFFFFF) + SOUND[44:]
        recording = self.record(self.tell(Answer(body=endless, promised='nothing')))
        self.try_copy(recording)
        self.assertEqual(self.stored(recording), endless)

    def test_what_is_no_sound_is_not_asked_for_again(self):
        unnamed = 'application/octet-stream'
        for name, body, kind, told in (
            ('page', b'<html><body>Log in</body></html>', 'text/html', "text/html"),
            ('hidden page', b'<!doctype html><p>Log in', unnamed, "text/html"),
            ('json', b'{"error": "no such file"}', unnamed, "application/json"),
            ('zip', b'PK\x03\x04' + bytes(100), 'audio/mpeg', "application/zip"),
            ('noise', bytes(range(256)) * 40, unnamed, "no known kind"),
        ):
            with self.subTest(name):
                url = self.tell(Answer(body=body, kind=kind), path=f'/{name.split()[0]}{len(body)}')
                recording = self.record(url, name)
                self.assertEqual(self.try_copy(recording), 0)
                self.assertRecordValues(recording, [{'copy_state': 'lost', 'state': 'failed'}])
                self.assertIn(told, recording.copy_error)
                self.assertFalse(recording.attachment_id)

    def test_a_head_alone_is_silence(self):
        for size in (0, 44):
            url = self.tell(Answer(body=sound(0)[:size]), path=f'/{size}')
            recording = self.record(url, f'c{size}')
            self.try_copy(recording)
            self.run_cron('probe_recordings')
            self.assertRecordValues(recording, [{'copy_state': 'done', 'quality': 'silent'}])

    def test_what_is_too_large_stays_at_the_pbx(self):
        self.account.copy_max_megabytes = 1
        large = sound(70)
        for promised, words in ((None, "has 2 MB, the limit is 1"), ('nothing', "more than 1 MB")):
            url = self.tell(Answer(body=large, promised=promised), path=f'/{promised}')
            recording = self.record(url, f'c{promised}')
            self.assertEqual(self.try_copy(recording), 0)
            self.assertRecordValues(recording, [{'copy_state': 'lost', 'state': 'ready'}])
            self.assertIn(words, recording.copy_error)
        with self.assertRaises(ValidationError):
            self.account.copy_max_megabytes = 0

    def test_what_takes_too_long_is_lost(self):
        """Unless our own limit for scheduled actions was the shorter one."""
        recording = self.record(self.tell(Answer(body=SOUND)))
        with patch.object(
            calls_recording, 'open_sound', side_effect=lambda *_asked: self.fail_slowly()
        ):
            self.assertEqual(self.try_copy(recording), 60)
            with patch.object(copying, 'MOST_SECONDS', 0):
                self.assertEqual(self.try_copy(recording), 0)
        self.assertRecordValues(recording, [{'copy_state': 'lost', 'state': 'ready'}])
        for cron, real, workers, seconds in (
            (-1, 120, 4, 60),
            (1000, 120, 4, 500),
            (5000, 120, 4, 600),
            (0, 120, 4, 600),
            (0, 120, 0, 60),
        ):
            limits = {
                'limit_time_real_cron': cron,
                'limit_time_real': real,
                'workers': workers,
            }
            with patch.dict(config.options, limits):
                self.assertEqual(copying._most_seconds(), seconds)

    def fail_slowly(self):
        raise fetch.TooSlow('pbx')

    def test_another_length_than_the_pbx_says(self):
        """Two more tries, then it is kept as it is, and marked."""
        recording = self.record(self.tell(Answer(body=SOUND)), duration=60)
        for pause in (*LOCATE_SECONDS[1:3], 0):
            self.try_copy(recording)
            self.assertEqual(self.stored(recording), SOUND, "it plays meanwhile")
            self.run_cron('probe_recordings')
            left = recording.copy_next_at and recording.copy_next_at - fields.Datetime.now()
            self.assertEqual(round(left.total_seconds() if left else 0, -1), pause)
        self.assertRecordValues(
            recording,
            [{'copy_state': 'done', 'quality': 'truncated', 'seconds': 2.0, 'copy_attempts': 3}],
        )
        self.assertEqual(recording.copy_error, "The PBX says 1:00, the sound has 0:02.")
        near = self.record(self.tell(Answer(body=SOUND), path='/b'), 'c2', duration=4)
        self.try_copy(near)
        self.run_cron('probe_recordings')
        self.assertRecordValues(near, [{'copy_state': 'done', 'copy_error': False}])

    def test_the_last_try(self):
        recording = self.record(self.tell(Answer(404)))
        pauses = [self.try_copy(recording) for _try in range(len(LOCATE_SECONDS))]
        self.assertEqual(pauses, [*(round(pause, -1) for pause in LOCATE_SECONDS[1:]), 0])
        self.assertRecordValues(recording, [{'copy_state': 'lost', 'state': 'ready'}])
        self.assertIn("404", recording.copy_error)
        with self.assertRaises(AccessError):
            recording.with_user(self.anna).action_copy()
        self.tell(Answer(body=SOUND))
        recording.with_user(self.supervisor).action_copy()
        self.run_cron('copy_recordings')
        self.assertEqual((recording.copy_state, recording.copy_attempts), ('done', 1))

    def test_administrators_are_told_once_a_day(self):
        admin = self.env.ref('base.user_admin')
        for call_id in ('c1', 'c2'):
            self.try_copy(self.record(self.tell(Answer(410), path=f'/{call_id}'), call_id), 2)
        activity = self.account.activity_ids.filtered(lambda one: one.user_id == admin)
        self.assertEqual(activity.summary, "2 recordings of Middleware could not be copied")
        activity.with_user(admin).action_done()
        self.try_copy(self.record(self.tell(Answer(410), path='/c3'), 'c3'), 2)
        self.assertFalse(
            self.account.activity_ids.filtered(lambda one: one.user_id == admin), "not twice a day"
        )

    def test_a_recording_of_no_address(self):
        """Waited for as long as for any other; whoever brings it later is welcome."""
        self.play(self.event('ended', outcome='answered', extension='101', talk_seconds=60))
        recording = self.env[RECORDING].create({'call_id': self.call().id, 'ref': 'on its disk'})
        self.assertRecordValues(recording, [{'copy_state': 'todo', 'next_try_at': False}])
        self.try_copy(recording, len(LOCATE_SECONDS))
        self.assertRecordValues(
            recording, [{'copy_state': 'lost', 'state': 'failed', 'copy_next_at': False}]
        )
        recording._store_sound(SOUND, 'audio/wav')
        self.assertRecordValues(
            recording, [{'copy_state': 'done', 'state': 'ready', 'error': False}]
        )

    def test_what_the_pbx_does_not_find_is_lost(self):
        pbx = self.plug_in(complaint="it was deleted")
        self.play(self.event('ended', outcome='answered', extension='101', talk_seconds=60))
        recording = self.env[RECORDING].create({'call_id': self.call().id, 'ref': 'r1'})
        self.assertRecordValues(recording, [{'copy_state': 'todo', 'copy_next_at': False}])
        recording.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        self.run_cron('locate_recordings')
        self.assertRecordValues(recording, [{'copy_state': 'lost', 'copy_error': "it was deleted"}])
        pbx.complaint = ''
        recording._locate()
        self.assertRecordValues(recording, [{'copy_state': 'todo', 'copy_error': False}])

    # === WHEN SOMETHING OF OURS FAILS === #

    @mute_logger(LOGGER, 'odoo.addons.base.models.ir_attachment')
    def test_a_full_disk(self):
        recording = self.record(self.tell(Answer(body=SOUND)))
        full = patch.object(
            type(self.env['ir.attachment']),
            '_file_write',
            side_effect=OSError(errno.ENOSPC, "No space left on device"),
        )
        with full:
            self.assertEqual(self.try_copy(recording), 60)
            self.try_copy(recording)
        self.assertIn("no room", recording.copy_error)
        self.assertEqual((recording.copy_state, recording.state), ('todo', 'ready'))
        admin = self.account.activity_ids.filtered(
            lambda one: one.user_id == self.env.ref('base.user_admin')
        )
        self.assertIn("disk is full", admin.summary)
        self.assertEqual(len(admin), 1)
        self.try_copy(recording)
        self.assertEqual(self.stored(recording), SOUND)

    def test_half_a_file_of_a_killed_process_does_no_harm(self):
        attachments = self.env['ir.attachment']
        checksum = attachments._compute_checksum(SOUND)
        path = attachments._full_path(f'{checksum[:2]}/{checksum}')
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as half:
            half.write(SOUND[:5000])
        os.utime(path, (time.time() - 60,) * 2)
        recording = self.record(self.tell(Answer(body=SOUND)))
        self.try_copy(recording)
        self.assertEqual(self.stored(recording), SOUND)

    def test_a_killed_try_is_planned_again_and_leaves_nothing(self):
        recording = self.record(self.tell(Answer(body=SOUND)))
        recording.copy_next_at = fields.Datetime.now()
        self.env.flush_all()
        for attempt in (1, 2):
            with (
                self.enter_registry_test_mode(),
                patch.object(copying.TelephonyRecording, '_after_stored', side_effect=SystemExit),
                suppress(SystemExit),  # assertRaises would undo what was committed
                self.registry.cursor() as cr,
            ):
                recording.with_env(self.env(cr=cr))._copy()
                self.fail("it was not killed")
            self.env.invalidate_all()
            self.assertRecordValues(
                recording,
                [{'copy_attempts': attempt, 'copy_state': 'todo', 'attachment_id': False}],
            )
            self.assertGreater(recording.copy_next_at, fields.Datetime.now())
        recording.copy_attempts = len(LOCATE_SECONDS)
        self.assertEqual(self.try_copy(recording), 0)
        self.assertEqual(recording.copy_state, 'lost')

    @mute_logger(LOGGER)
    def test_an_error_of_ours_is_tried_again(self):
        recording = self.record(self.tell(Answer(body=SOUND)))
        with patch.object(copying, 'looks_like', side_effect=ValueError("a bug")):
            self.assertEqual(self.try_copy(recording), 60)
        self.assertIn("a bug", recording.copy_error)

    def test_what_is_deleted_on_the_way_stays_deleted(self):
        recording = self.record(self.tell(Answer(body=SOUND)))

        def erase(*asked):
            sound = fetch.open_sound(*asked)
            recording._delete_sound(_lt("Erased"))
            self.env.flush_all()
            return sound

        with patch.object(calls_recording, 'open_sound', erase):
            self.try_copy(recording)
        self.assertEqual(self.storage.seen, ['/a.wav'])
        self.assertRecordValues(
            recording, [{'state': 'deleted', 'attachment_id': False, 'copy_next_at': False}]
        )

    # === WHOSE TURN IT IS === #

    def test_pbxs_take_turns(self):
        other = self.new_account(
            self.company,
            name="Other",
            recording_storage='copy',
            recording_hosts='127.0.0.1',
        )
        recordings = self.env[RECORDING]
        for account, name in ((self.account, 'slow'), (other, 'fast')):
            for number in range(3):
                url = self.tell(Answer(body=SOUND), path=f'/{name}{number}')
                recordings += self.record(url, f'{name}{number}', account)
        recordings.copy_next_at = fields.Datetime.now() - timedelta(seconds=1)
        self.run_cron('copy_recordings')
        self.assertEqual(recordings.mapped('copy_state'), ['done'] * 6)
        turns = [path[1:5] for path in self.storage.seen]
        self.assertEqual(turns[::2] + turns[1::2], [turns[0]] * 3 + [turns[1]] * 3)

    def test_a_call_that_goes_on_is_left_alone(self):
        self.play(
            self.event('answered', extension='101'),
            self.event('recording', at=1, recording_url=self.tell(Answer(body=SOUND))),
        )
        recording = self.call().recording_ids
        self.assertEqual(self.try_copy(recording), 60)
        self.assertEqual((self.storage.seen, recording.copy_attempts), ([], 0))

    def test_the_form_says_how_it_goes(self):
        self.try_copy(self.record(self.tell(Answer(body=SOUND))))
        self.try_copy(self.record(self.tell(Answer(410), path='/b'), 'c2'), 2)
        waiting = self.record(self.tell(Answer(404), path='/c'), 'c3')
        self.env.invalidate_all()
        self.assertEqual(self.account.copies_today, "1 of 3 copied today, 1 lost")
        self.assertEqual(self.account.oldest_to_copy, waiting.start_at)
        action = self.account.action_view_recordings()
        self.assertEqual(
            (action['domain'], action['context']),
            ([('account_id', '=', self.account.id)], {'search_default_lost': 1}),
        )

    def test_the_waveform_and_our_side(self):
        self.account.agent_channel_in = 'second'
        stereo = io.BytesIO()
        with wave.open(stereo, 'wb') as wav:
            wav.setnchannels(2)
            wav.setsampwidth(2)
            wav.setframerate(8000)
            wav.writeframes(random.Random(3).randbytes(64000))
        recording = self.record(self.tell(Answer(body=stereo.getvalue())))
        self.try_copy(recording)
        self.run_cron('probe_recordings')
        self.assertRecordValues(
            recording,
            [
                {
                    'channels': 2,
                    'rate': 8000,
                    'seconds': 2.0,
                    'agent_channel': 'second',
                    'agent_channel_source': 'rule',
                    'is_unprobed': False,
                }
            ],
        )
        self.assertEqual(len(recording.peaks), 2668)


class TestPolicy(Copies, TelephonyCase):
    def setUp(self):
        super().setUp()
        self.set_up_storage()
        self.url = self.tell(Answer(body=SOUND))

    def phone(self, number):
        return self.account.extension_ids.filtered(lambda one: one.number == number)

    def test_what_is_never_kept_is_not_fetched_and_not_shown(self):
        self.account.recording_policy = 'off'
        recording = self.record(self.url)
        self.assertRecordValues(
            recording,
            [{'state': 'refused', 'url': False, 'ref': False, 'copy_state': 'none'}],
        )
        self.assertFalse(recording.player_url)
        self.account.recording_policy = 'always'
        self.play(self.event('recording', at=2, recording_url=self.url))
        self.assertEqual(self.call().recording_ids, recording)
        self.assertEqual((recording.state, self.storage.seen), ('refused', []))

    def test_the_strictest_counts(self):
        for number, phone, account, state in (
            ('off', 'always', 'always', 'refused'),
            ('always', 'off', 'always', 'refused'),
            (False, 'always', 'off', 'ready'),
            (False, False, 'off', 'refused'),
            ('always', False, 'off', 'ready'),
        ):
            with self.subTest(number=number, phone=phone, account=account):
                self.account.recording_policy = account
                self.number.recording_policy = number
                self.phone('101').recording_policy = phone
                recording = self.record(self.url, f'{number}{phone}{account}')
                self.assertEqual(recording.state, state)

    def test_the_phone_may_be_known_late(self):
        """When the recording is announced, nobody has answered; and a call is passed on."""
        self.phone('102').recording_policy = 'off'
        self.play(
            self.event('ringing'),
            self.event('recording', at=1, recording_url=self.url),
            self.event('answered', at=2, extension='101'),
        )
        self.assertEqual(self.call().recording_ids.copy_state, 'todo')
        self.play(
            self.event('answered', at=20, extension='102'),
            self.event('ended', at=60, outcome='answered', talk_seconds=58),
        )
        self.assertRecordValues(
            self.call().recording_ids, [{'state': 'refused', 'copy_next_at': False, 'url': False}]
        )

    def test_a_changed_policy_leaves_past_calls_alone(self):
        recording = self.record(self.url)
        self.phone('101').recording_policy = 'off'
        self.play(self.event('ended', at=3, outcome='answered', extension='101', talk_seconds=61))
        self.assertEqual(recording.state, 'ready')

    def test_who_talked_may_keep_it(self):
        self.account.recording_policy = 'user'
        recording = self.record(self.url)
        call = self.call()
        self.assertRecordValues(recording, [{'state': 'ready', 'copy_state': 'none'}])
        hours = (recording.keep_until - fields.Datetime.now()).total_seconds() / 3600
        self.assertAlmostEqual(hours, 24, delta=0.1)
        self.assertFalse(call.with_user(self.boris).sudo(False).can_keep_recording)
        for mean in (
            lambda: recording.with_user(self.boris).action_keep(),
            lambda: call.with_user(self.boris).action_keep_recording(),
        ):
            with self.assertRaises(AccessError):
                mean()
        self.assertTrue(call.with_user(self.anna).can_keep_recording)
        self.assertTrue(call.with_user(self.anna).get_card()['can_keep'])
        self.assertFalse(call.with_user(self.anna).keep_recording()['can_keep'])
        self.assertRecordValues(recording, [{'keep_until': False, 'copy_state': 'todo'}])
        self.try_copy(recording)
        self.assertEqual(self.stored(recording), SOUND)

    def test_it_may_be_kept_before_it_is_announced(self):
        self.account.recording_policy = 'user'
        self.play(self.event('answered', extension='101'))
        self.call().with_user(self.anna).action_keep_recording()
        recording = self.record(self.url)
        self.assertRecordValues(recording, [{'keep_until': False, 'copy_state': 'todo'}])

    def test_what_nobody_keeps_goes(self):
        self.account.recording_policy = 'user'
        recording, held = self.record(self.url), self.record(self.url, 'c2')
        (recording + held).keep_until = fields.Datetime.now() - timedelta(seconds=1)
        with patch.object(type(recording), '_on_kept_back', lambda recordings: recordings & held):
            self.run_cron('refuse_recordings')
        self.assertRecordValues(
            recording, [{'state': 'refused', 'url': False, 'keep_until': False}]
        )
        self.assertIn("24 hours", recording.deleted_why)
        self.assertEqual(held.state, 'ready')
        self.assertGreater(held.keep_until, fields.Datetime.now())
        self.assertFalse(self.call().with_user(self.anna).can_keep_recording)

    def test_what_stays_at_the_pbx_is_not_copied(self):
        self.account.recording_storage = 'link'
        recording = self.record(self.url)
        self.assertRecordValues(recording, [{'copy_state': 'none', 'copy_next_at': False}])
        recording.with_user(self.supervisor).action_copy()
        self.run_cron('copy_recordings')
        self.assertEqual(self.stored(recording), SOUND, "unless somebody wants it to be")

    def test_where_links_die_copies_are_the_default(self):
        for code, adapter in registry.items():
            account = self.new_account(self.company, provider=code, name=code)
            self.assertEqual(
                account.recording_storage, 'link' if adapter.recordings_stay else 'copy', code
            )
        self.assertTrue({adapter.recordings_stay for adapter in registry.values()} == {True, False})

    def test_an_older_database(self):
        """Nothing is copied that was not before, but for PBXs whose recordings only the bridge can
        bring."""
        accounts = {
            adapter: self.new_account(self.company, provider=code, name=code)
            for code, adapter in registry.items()
        }
        self.env.flush_all()
        name = 'recording_storage'
        path = f'crm_telephony/migrations/19.0.2.0.0/post-{name}.py'
        load_script(file_path(path), name).migrate(self.cr, '19.0.1.1.0')
        self.env.invalidate_all()
        for adapter, account in accounts.items():
            self.assertEqual(
                account.recording_storage, 'copy' if adapter.uploads_recordings else 'link'
            )
        self.assertTrue(any(adapter.uploads_recordings for adapter in accounts))

    def test_the_policy_asks_nothing_of_the_database_when_a_recording_is_filed(self):
        """A caller waits for the card."""
        self.phone('102').recording_policy = 'off'
        self.account.recording_storage = 'link'
        self.record(self.url)
        call, Recording = self.call(), self.env[RECORDING]
        values = {'url': self.url, 'state': 'ready'}
        call.mapped('leg_ids.outcome')
        call.mapped('extension')
        self.account._recording_settings()
        with self.assertQueryCount(0):
            Recording._values_by_policy(call, values)


class TestOurCopy(Copies, TelephonyHttpCase):
    """Our copy is played by the same route, from wherever it is stored."""

    def setUp(self):
        super().setUp()
        self.set_up_storage()
        self.recording = self.record(self.tell(Answer(404)))
        self.recording._store_sound(SOUND, 'audio/wav')
        self.authenticate('tel_anna', 'tel_anna')

    def get(self, byte_range=None):
        return self.url_open(
            f'/telephony/recording/{self.recording.id}',
            headers={'Range': byte_range} if byte_range else {},
        )

    def assert_played(self):
        whole = self.get()
        self.assertEqual((whole.status_code, whole.content), (200, SOUND))
        self.assertEqual(whole.headers['Content-Type'], 'audio/wav')
        self.assertEqual(whole.headers['X-Content-Type-Options'], 'nosniff')
        for asked, part in (
            ('bytes=100-199', SOUND[100:200]),
            ('bytes=30000-', SOUND[30000:]),
            ('bytes=-50', SOUND[-50:]),
            ('bytes=0-999999', SOUND),
        ):
            response = self.get(asked)
            self.assertEqual((response.status_code, response.content), (206, part), asked)
            begin = SOUND.index(part)
            self.assertEqual(
                response.headers['Content-Range'],
                f'bytes {begin}-{begin + len(part) - 1}/{len(SOUND)}',
            )
        self.assertEqual(self.get('bytes=999999-').status_code, 416)

    def test_from_where_odoo_stores_it(self):
        self.assertTrue(self.recording.attachment_id.store_fname)
        self.assert_played()
        self.store_in('db')
        self.recording._store_sound(SOUND, 'audio/wav')
        self.assertFalse(self.recording.attachment_id.store_fname)
        self.assert_played()
        self.assertFalse(self.storage.seen)

    def test_from_another_storage_no_more_is_read_than_asked(self):
        """As the addon fs_attachment keeps attachments: `fs_filename` and `open` tell and read."""
        reads = []

        class File(io.BytesIO):
            def read(self, size=-1):
                reads.append(size)
                return super().read(size)

        @contextmanager
        def opened(_attachment, mode='rb', block_size=None, **_more):
            self.assertEqual(mode, 'rb')
            reads.append(block_size)
            with File(SOUND) as file:
                yield file

        Attachment = type(self.env['ir.attachment'])
        with (
            patch.object(Attachment, 'fs_filename', 'sound-1-0.wav', create=True),
            patch.object(Attachment, 'open', opened, create=True),
            patch.object(Attachment, '_compute_raw', side_effect=AssertionError("reads it whole")),
        ):
            self.assert_played()
            reads.clear()
            self.get('bytes=100-199')
            self.assertLessEqual(sum(reads), 100 + 64 * 1024)

    def test_what_is_gone_is_not_found(self):
        for state in ('deleted', 'refused'):
            self.recording._delete_sound(_lt("Erased"), state=state)
            self.assertEqual(self.get().status_code, 404)
            self.recording.state = 'ready'

    def test_what_a_player_asks_for(self):
        for asked, part in (
            (None, None),
            ('bytes=0-', (0, 10)),
            ('bytes=3-5', (3, 6)),
            ('bytes=3-99', (3, 10)),
            ('bytes=-4', (6, 10)),
            ('bytes=-40', (0, 10)),
            ('bytes=-0', (0, 0)),
            ('bytes=10-', (0, 0)),
            ('bytes=5-3', None),
            ('bytes=-', None),
            ('bytes=0-1,5-6', None),
            ('lines=0-1', None),
            ('bytes=\u0661-', None),
        ):
            self.assertEqual(asked_of(asked, 10), part, asked)
