"""Recordings that a bridge uploads in pieces: what is answered to each, and what it becomes."""

import hashlib
import json
import random
import threading
from datetime import timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import mute_logger

from ..models.recordings import upload
from ..providers.base import WebhookRequest
from ..providers.signing import basic
from ..tools.turns import BUSY
from ..tools.words import _lt
from .common import SECRET, TelephonyHttpCase, sign
from .provider_case import scenarios

PBX = 'asterisk'
NAME = 'external-101-20261130-151652-1795326672.1.wav'
CALL = '1795326672.1'
PIECE = 400


def wav(size=1000, seed=1):
    return b'RIFF\0\0\0\0WAVEfmt ' + random.Random(seed).randbytes(size - 16)


def sha256(sound):
    return hashlib.sha256(sound).hexdigest()


def body_of(sound, offset=0, length=PIECE, **head):
    """The body of one delivery, written from docs/webhook.md."""
    told = {
        'name': NAME,
        'linkedid': CALL,
        'size': len(sound),
        'sha256': sha256(sound),
        'offset': offset,
        **head,
    }
    return json.dumps({'recording': told}).encode() + b'\n' + sound[offset : offset + length]


class UploadCase(TelephonyHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pbx = cls.new_account(cls.company, provider=PBX, name="Ours")

    def setUp(self):
        super().setUp()
        self.recording = self.new_recording()

    def new_recording(self, call_ref=CALL, name=NAME, account=None):
        call = self.env['telephony.call'].create(
            {
                'account_id': (account or self.pbx).id,
                'external_id': call_ref,
                'direction': 'inbound',
                'state': 'ended',
                'outcome': 'answered',
                'start_at': fields.Datetime.now() - timedelta(minutes=5),
                'ended_at': fields.Datetime.now(),
            }
        )
        return self.env['telephony.recording'].create({'call_id': call.id, 'ref': name})

    def send(self, sound, offset=0, length=PIECE, account=None, secret=SECRET, **head):
        """Status of the answer to one piece, and what it tells."""
        self.env.flush_all()
        account = account or self.pbx
        answer = self.post(
            body_of(sound, offset, length, **head),
            secret=secret,
            path=self.path(account, account.provider, '/recording'),
            **{'Content-Type': 'application/octet-stream'},
        )
        self.env.invalidate_all()
        return answer.status_code, answer.json() if answer.text.startswith('{') else answer.text

    def upload(self, sound, **head):
        """Send all pieces, as far as they are taken; the last answer."""
        for offset in range(0, len(sound), PIECE):
            answer = self.send(sound, offset, **head)
        return answer

    def parts(self):
        return self.env['telephony.recording.part'].search([])


class TestUploads(UploadCase):
    def test_a_file_in_pieces_is_played(self):
        sound = wav()
        self.assertEqual(self.recording.state, 'pending')
        self.assertEqual(self.send(sound), (200, {'have': 400, 'done': False}))
        self.assertEqual(self.send(sound, 400), (200, {'have': 800, 'done': False}))
        self.assertFalse(self.recording.attachment_id)
        self.assertEqual(self.send(sound, 800), (200, {'have': 1000, 'done': True}))
        self.assertRecordValues(
            self.recording,
            [
                {
                    'state': 'ready',
                    'copy_state': 'done',
                    'error': False,
                    'size': 1000,
                    'sha256': sha256(sound),
                    'mimetype': 'audio/wav',
                }
            ],
        )
        self.assertFalse(self.parts(), "nothing is left behind")
        self.authenticate('tel_super', 'tel_super')
        played = self.url_open(self.recording.player_url)
        self.assertEqual((played.status_code, played.content), (200, sound))

    def test_what_waits_says_who_delivers_it(self):
        self.assertFalse(self.recording.next_try_at, "nobody is asked where it is")
        state = self.env['telephony.recording']._state_of_address(self.pbx, '')
        self.assertEqual(state['state'], 'pending')
        self.assertIn("The bridge delivers the file", state['error'])

    def test_repeats_gaps_and_swaps(self):
        sound = wav()
        self.assertEqual(self.send(sound, 400), (409, {'have': 0}))
        self.send(sound)
        self.assertEqual(self.send(sound), (409, {'have': 400}))
        self.assertEqual(self.send(sound, 800), (409, {'have': 400}))
        self.assertEqual(self.send(sound, 200), (409, {'have': 400}))
        self.assertEqual(self.send(sound, 400, length=600), (200, {'have': 1000, 'done': True}))
        self.assertEqual(self.recording.sha256, sha256(sound))
        for offset in (0, 400, 800, 1000):
            self.assertEqual(self.send(sound, offset), (200, {'have': 1000, 'done': True}))
        self.assertFalse(self.parts())

    def test_two_senders_with_different_files(self):
        one, other = wav(), wav(900, seed=2)
        for offset in (0, 400):
            self.assertEqual(self.send(one, offset)[1]['have'], offset + 400)
            self.assertEqual(self.send(other, offset)[1]['have'], offset + 400)
        self.assertEqual(self.send(other, 800), (200, {'have': 900, 'done': True}))
        self.assertEqual(self.send(one, 800), (200, {'have': 1000, 'done': True}))
        self.assertEqual(self.recording.sha256, sha256(other), "the first that is whole")
        self.assertFalse(self.parts())

    @mute_logger('odoo.addons.crm_telephony.models.recordings.upload')
    def test_a_sum_that_differs(self):
        sound = wav()
        self.assertEqual(self.upload(sound, sha256='0' * 64)[0], 422)
        self.assertFalse(self.parts())
        self.assertEqual(self.recording.state, 'pending')
        self.assertEqual(self.upload(sound), (200, {'have': 1000, 'done': True}))

    def test_a_call_that_is_not_known(self):
        sound = wav()
        for head in ({'linkedid': 'other'}, {'name': 'other.wav'}):
            with self.subTest(head):
                self.assertEqual(self.send(sound, **head)[0], 425)
        stranger = self.new_account(self.company, provider=PBX, name="Another")
        self.assertEqual(self.send(sound, account=stranger)[0], 425)
        self.recording.call_id.ended_at -= timedelta(minutes=11)
        self.assertEqual(self.send(sound, name='ringing.wav')[0], 410, "nobody talked in it")
        self.recording.call_id.state = 'in_progress'
        self.assertEqual(self.send(sound, name='ringing.wav')[0], 425)
        self.assertFalse(self.parts())

    def test_what_is_not_wanted(self):
        sound = wav()
        self.send(sound)
        self.recording._delete_sound(_lt("By hand"))
        self.assertFalse(self.parts(), "what had come is deleted too")
        self.assertEqual(self.send(sound)[0], 410)
        self.recording.state = 'refused'
        self.assertEqual(self.send(sound)[0], 410)
        self.recording.state = 'pending'
        self.pbx.recording_storage = 'link'
        self.assertEqual(self.send(sound)[0], 410)
        self.assertEqual(self.send(sound, name='other.wav')[0], 410)
        self.assertFalse(self.recording.attachment_id)

    def test_an_erased_call(self):
        with patch.object(
            type(self.pbx), '_on_stray_recording', lambda account, ref: ref == 'erased'
        ):
            self.assertEqual(self.send(wav(), linkedid='erased')[0], 410)
            self.assertEqual(self.send(wav(), linkedid='other')[0], 425)

    def test_a_file_above_the_limit(self):
        self.pbx.copy_max_megabytes = 1
        self.assertEqual(self.send(wav(), size=3 * 1024**2)[0], 410)
        self.assertEqual(self.recording.copy_state, 'lost')
        self.assertIn("the limit on the PBX's form is 1 MB", self.recording.error)
        self.assertFalse(self.parts())

    def test_the_signature_comes_first(self):
        with patch.object(upload, 'read_piece', side_effect=AssertionError):
            self.assertEqual(self.send(wav(), secret='another')[0], 403)
            self.assertEqual(self.send(wav(), secret='')[0], 403)
        self.assertFalse(self.parts())

    def test_what_cannot_be_read(self):
        sound = wav()
        for head in (
            {'name': ''},
            {'name': ['a']},
            {'linkedid': None},
            {'size': 'many'},
            {'size': 100},
            {'offset': -1},
            {'sha256': 'x'},
        ):
            with self.subTest(head):
                self.assertEqual(self.send(sound, **head)[0], 400)
        self.assertEqual(self.send(sound, 400, length=0)[0], 400, "an empty piece")
        path = self.path(self.pbx, PBX, '/recording')
        for body in (
            body_of(sound).replace(b'"offset": 0', b'"offset": 0.5'),
            b'',
            b'\n',
            b'[1]\nxx',
            b'{"recording": 5}\nxx',
            b'\xff\nxx',
            b'[' * 9999,
        ):
            with self.subTest(body[:20]):
                self.assertEqual(self.post(body, path=path).status_code, 400)
        self.assertFalse(self.events(self.pbx), "a piece is no event")

    def test_other_pbxs_answer_as_before(self):
        """The suffix belongs to PBXs with a bridge; elsewhere it is one as any other."""
        event = self.event('ended', outcome='missed')
        answer = self.post(event, path=self.path(suffix='/recording'))
        self.assertEqual((answer.status_code, answer.text), (200, ''))
        self.assertEqual(self.events().mapped('state'), ['pending'])

    def test_a_large_file_is_joined_by_the_scheduled_action(self):
        sound = wav()
        with patch.object(upload, 'AT_ONCE', 999):
            self.assertEqual(self.upload(sound), (200, {'have': 1000, 'done': False}))
            self.assertEqual(self.send(sound, 1000), (200, {'have': 1000, 'done': False}))
            self.assertEqual(self.recording.state, 'pending')
            self.send(wav(seed=2), sha256=sha256(wav(seed=2)))  # another one that is not whole
            self.join()
            self.assertEqual(self.recording.sha256, sha256(sound))
            self.assertEqual(self.send(sound, 1000), (200, {'have': 1000, 'done': True}))
        self.assertFalse(self.parts())

    @mute_logger('odoo.addons.crm_telephony.models.recordings.upload')
    def test_a_large_file_with_another_sum(self):
        sound = wav()
        with patch.object(upload, 'AT_ONCE', 999):
            self.upload(sound, sha256='0' * 64)
            self.join()
            self.assertEqual(self.recording.state, 'pending')
            self.assertEqual(self.send(sound, 1000, sha256='0' * 64), (409, {'have': 0}))

    def join(self):
        self.env.ref('crm_telephony.ir_cron_join_recordings').method_direct_trigger()
        self.env.invalidate_all()

    def test_one_file_of_two_calls(self):
        """A leg that began as a call of its own: both have the file."""
        other = self.new_recording('1795326672.9')
        stranger = self.new_recording('1795326672.10')
        self.upload(wav(), linkedid='1795326672.9', uniqueid=CALL)
        self.assertEqual((self.recording | other).mapped('state'), ['ready', 'ready'])
        self.assertEqual(len((self.recording | other).mapped('sha256')), 1 + 1)
        self.assertEqual(stranger.state, 'pending', "the same name, but another call")

    def test_half_an_upload_is_deleted_after_two_days(self):
        self.send(wav())
        self.send(wav(seed=2), sha256=sha256(wav(seed=2)))
        parts = self.parts()
        self.env.cr.execute(
            "UPDATE telephony_recording_part SET create_date = create_date - interval '49 hours' WHERE id = %s",
            [parts[0].id],
        )
        self.env['telephony.recording.part']._gc_parts()
        self.assertEqual(self.parts(), parts[1])

    def test_a_file_of_any_kind_is_never_a_page(self):
        for sound in (b'<html><script>alert(1)</script></html>' * 30, bytes(range(256)) * 4):
            with self.subTest(sound[:6]):
                self.assertEqual(self.upload(sound)[0], 410)
                self.assertEqual(
                    (self.recording.state, self.recording.copy_state), ('failed', 'lost')
                )
                self.assertIn("no sound", self.recording.error)
                self.assertFalse(self.parts())
        self.assertEqual(self.upload(wav())[0], 200, "what comes later may be one")
        self.assertEqual(self.recording.state, 'ready')

    # --- whose side --------------------------------------------------------------------------------------------

    def test_which_channel_is_ours(self):
        """The first channel is the leg that was recorded: the customer's trunk, or our phone."""
        samples = dict(scenarios(PBX))
        for name, ours in (('in-direct-answered', 'second'), ('out-answered', 'first')):
            with self.subTest(name):
                sample = samples[name]
                self.env['telephony.extension'].search([('account_id', '=', self.pbx.id)]).unlink()
                self.env['telephony.extension'].create({'number': '101', 'account_id': self.pbx.id})
                self.assertEqual(self.tell(*sample['events']).status_code, 200)
                self.file_calls(self.pbx, follow_up=False)
                call = self.call(sample['expected']['external_id'], self.pbx)
                recording = call.recording_ids
                self.assertEqual(recording.ref, sample['expected']['recordings'][0])
                sound = wav(seed=len(name))
                self.upload(
                    sound,
                    name=recording.ref,
                    linkedid=call.external_id,
                    uniqueid=call.external_id,
                    channels=2,
                )
                self.assertRecordValues(
                    recording,
                    [{'state': 'ready', 'agent_channel': ours, 'agent_channel_source': 'pbx'}],
                )

    def test_the_sender_may_know_which_channel_is_ours(self):
        self.upload(wav(), channels=2, agent_channel='second')
        self.assertEqual(self.recording.agent_channel, 'second')

    def test_nobody_knows_which_channel_is_ours(self):
        self.upload(wav(), channels=2, agent_channel='third')
        self.assertEqual(self.recording.agent_channel, 'unknown')

    # --- deleting at the PBX -----------------------------------------------------------------------------------

    def tell(self, *events):
        self.env.flush_all()
        answer = self.post({'events': list(events)}, path=self.path(self.pbx, PBX))
        self.env.invalidate_all()
        return answer

    def to_delete(self):
        """A recording that is deleted here and is to be deleted there."""
        self.upload(wav())
        self.recording._delete_sound(_lt("By hand"), pbx_too=True)
        self.assertEqual(self.recording.pbx_copy, 'deleting')
        self.assertFalse(self.recording.ref)

    def test_the_bridge_is_told_what_to_delete_until_it_reports(self):
        self.assertEqual(self.tell().text, '')
        self.to_delete()
        for _time in range(2):
            self.assertEqual(self.tell().json(), {'delete_recordings': [NAME]})
        report = {'Event': 'BridgeRecordingDeleted', 'Name': NAME, 'ReceivedAt': 1795326672.5}
        self.assertEqual(self.tell(report).text, '')
        self.assertEqual(self.recording.pbx_copy, 'deleted')
        self.assertEqual(self.events(self.pbx).mapped('state'), ['ignored'])
        self.assertEqual(self.tell(report).text, '', "a repeat does no harm")

    def test_what_the_bridge_keeps_is_deleted_by_hand(self):
        self.to_delete()
        self.tell({'Event': 'BridgeRecordingKept', 'Name': NAME, 'Why': 'never'})
        self.assertEqual(self.recording.pbx_copy, 'cannot')
        self.assertIn("delete = never", self.recording.pbx_copy_error)
        self.assertEqual(self.tell().text, '')

        self.recording.pbx_copy = 'deleting'
        self.tell({'Event': 'BridgeRecordingKept', 'Name': NAME, 'Why': 'Permission denied'})
        self.assertIn("Permission denied", self.recording.pbx_copy_error)

    def test_what_was_deleted_on_delivery(self):
        self.upload(wav())
        self.tell({'Event': 'BridgeRecordingDeleted', 'Name': NAME})
        self.assertEqual((self.recording.state, self.recording.pbx_copy), ('ready', 'deleted'))

    def test_another_pbx_is_not_told(self):
        self.to_delete()
        stranger = self.new_account(self.company, provider=PBX, name="Another")
        answer = self.post({'events': []}, path=self.path(stranger, PBX))
        self.assertEqual(answer.text, '')

    def test_what_is_held_is_not_deleted(self):
        self.to_delete()
        self.env['telephony.hold'].create(
            {'name': "Lawsuit", 'reason': "Court", 'call_ids': self.recording.call_id.ids}
        )
        self.assertTrue(self.recording.is_held)
        self.assertEqual(self.tell().text, '')

    def test_fifty_at_once(self):
        for number in range(60):
            recording = self.new_recording(f'c{number}', f'{number}.wav')
            recording._delete_sound(_lt("By hand"), pbx_too=True)
        names = self.tell().json()['delete_recordings']
        self.assertEqual(names, [f'{number}.wav' for number in range(50)])

    @mute_logger('odoo.addons.crm_telephony.models.recordings.bridge')
    def test_reports_that_make_no_sense(self):
        for report in ({'Name': ['a']}, {'Name': ''}, {}, {'Name': 'unknown.wav'}):
            with self.subTest(report):
                answer = self.tell({'Event': 'BridgeRecordingDeleted', **report})
                self.assertEqual(answer.status_code, 200)

    def test_a_question_gets_its_answer(self):
        self.to_delete()
        self.pbx.api_key = 'crm'
        reply = self.pbx._receive(
            WebhookRequest(
                method='GET',
                suffix='route',
                query={'number': ('1',)},
                headers={'authorization': basic('crm', SECRET)},
            )
        )
        self.assertNotIn('delete_recordings', reply.body)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestUploadsAtOnce(BaseCase):
    """Several senders in transactions of their own."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            account = env['telephony.account'].create(
                {
                    'name': "Uploads at once",
                    'provider': PBX,
                    'api_secret': SECRET,
                    'timezone': 'UTC',
                    'country_id': env.ref('base.kz').id,
                }
            )
            call = env['telephony.call'].create(
                {
                    'account_id': account.id,
                    'external_id': CALL,
                    'direction': 'inbound',
                    'state': 'ended',
                    'outcome': 'answered',
                    'start_at': fields.Datetime.now(),
                    'ended_at': fields.Datetime.now(),
                }
            )
            recording = env['telephony.recording'].create({'call_id': call.id, 'ref': NAME})
            self.account, self.call, self.recording = account.id, call.id, recording.id
        self.addCleanup(self.clean)

    def clean(self):
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env['telephony.recording'].browse(self.recording).attachment_id.unlink()
            env['telephony.call'].browse(self.call).unlink()
            env['telephony.account'].browse(self.account).unlink()

    def send(self, sound, offset):
        body = body_of(sound, offset)
        request = WebhookRequest(
            suffix='recording', body=body, headers={'x-telephony-signature': sign(body)}
        )
        with self.registry.cursor() as cr:
            account = api.Environment(cr, SUPERUSER_ID, {})['telephony.account'].browse(
                self.account
            )
            reply = account._receive(request)
        return reply.status, json.loads(reply.body)

    @mute_logger('odoo.sql_db')
    def test_four_senders(self):
        """Each sends all of one of two files, as fast as it can."""
        files, ready, failures = (wav(4000), wav(3600, seed=2)), threading.Barrier(4), []

        def sender(sound):
            try:
                ready.wait(10)
                have, done = 0, False
                while not done:
                    try:
                        _status, told = self.send(sound, have)
                    except BUSY:  # the answer is 503, and a bridge sends it again
                        continue
                    have, done = told['have'], told.get('done')
            except Exception as error:  # noqa: BLE001 - told in the main thread
                failures.append(error)

        threads = [
            threading.Thread(target=sender, args=(files[number % 2],)) for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(failures, [])
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            recording = env['telephony.recording'].browse(self.recording)
            self.assertIn(recording.sha256, list(map(sha256, files)))
            self.assertIn(recording.attachment_id.raw, files)
            self.assertEqual(
                env['ir.attachment'].search_count(
                    [('res_model', '=', recording._name), ('res_id', '=', recording.id)]
                    + [('res_field', '=', 'sound')]
                ),
                1,
            )
            self.assertFalse(env['telephony.recording.part'].search([]))
