"""speech_server/: what clients are answered, over real HTTP, with a model that says what it is told.
The real ones: test_live_speech."""

import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from contextlib import closing
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..speech.engine import Engine, EngineError
from .speech_case import talk

SERVER = Path(__file__).parents[1] / 'speech_server'
MISSING = '' if SERVER.exists() else "NOT TESTED: there is no speech_server/ beside this addon"
if not MISSING:
    from ..speech_server.telephony_speech import server, utterances
    from ..speech_server.telephony_speech.engines import Answer, Line, SoundError

KEY = 'a key of the speech server'
PATIENCE = 10


class Model:
    """Says `lines`, and remembers what it was asked."""

    def __init__(self):
        self.asked, self.lines, self.error = [], [Line(0.5, 2, " Алло ", -0.2, 0.1)], None
        self.go_on = threading.Event()
        self.go_on.set()

    def transcribe(self, sound, language, hints):
        self.asked.append((sound, language, hints))
        if self.error:
            raise self.error
        return Answer(12.0, language or 'ru', self.say())

    def say(self):
        for line in self.lines:
            self.go_on.wait(PATIENCE)
            yield line


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class SpeechServerCase(BaseCase):
    def setUp(self):
        super().setUp()
        self.model = Model()
        self.sound = talk([(0.5, 3)])
        self.server = self.start()

    def start(self, **options):
        found = server.Server(('127.0.0.1', 0), self.model, **{'key': KEY, **options})
        thread = threading.Thread(
            target=found.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True
        )
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(found.server_close)
        self.addCleanup(found.shutdown)
        return found

    def connect(self):
        connection = http.client.HTTPConnection(*self.server.server_address, timeout=PATIENCE)
        return self.enterContext(closing(connection))

    def post(
        self, fields=None, path=server.PATH if not MISSING else '', connection=None, **headers
    ):
        """The status and the answer."""
        fields = {'file': self.sound} if fields is None else fields
        body = b''.join(
            b'--limit\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
            % (
                name.encode(),
                b'; filename="talk.wav"' if name == 'file' else b'',
                value if isinstance(value, bytes) else value.encode(),
            )
            for name, value in fields.items()
        )
        connection = connection or self.connect()
        head = {
            'Authorization': f'Bearer {KEY}',
            'Content-Type': 'multipart/form-data; boundary=limit',
            **{name.replace('_', '-'): value for name, value in headers.items()},
        }
        connection.request('POST', path, body + b'--limit--\r\n', head)
        answer = connection.getresponse()
        self.headers = answer.headers
        text = answer.read().decode()
        is_json = answer.headers.get('Content-Type') == 'application/json'
        return answer.status, json.loads(text) if is_json else text


class TestSpeechServer(SpeechServerCase):
    def test_the_crm_understands_it(self):
        url = 'http://{}:{}'.format(*self.server.server_address) + server.PATH
        told = Engine(url, KEY, hints="Ромашка").ask(self.sound, 'kk')
        self.assertEqual(told['segments'][0]['text'], "Алло")
        self.assertEqual(told['language'], 'kk')
        self.assertEqual(self.model.asked, [(self.sound, 'kk', "Ромашка")])
        with self.assertRaises(EngineError) as refusal:
            Engine(url, 'wrong').ask(self.sound)
        self.assertTrue(refusal.exception.is_wrong)

    def test_answers(self):
        segment = {
            'id': 0,
            'start': 0.5,
            'end': 2,
            'text': "Алло",
            'avg_logprob': -0.2,
            'no_speech_prob': 0.1,
            'compression_ratio': server._compression("Алло"),
        }
        whole = {
            'task': 'transcribe',
            'language': 'ru',
            'duration': 12.0,
            'text': "Алло",
            'segments': [segment],
        }
        for shape, expected in (
            ('', {'text': "Алло"}),
            ('json', {'text': "Алло"}),
            ('text', "Алло\n"),
            ('verbose_json', whole),
        ):
            with self.subTest(shape):
                fields = {'file': self.sound, 'response_format': shape}
                self.assertEqual(self.post(fields), (200, expected))

    def test_every_byte_of_the_sound_arrives(self):
        for sound in (bytes(range(256)) * 50, b'\r\n--limi\r\n\n\r', b'x\r\n', b'\n'):
            self.post({'language': 'ru', 'file': sound, 'prompt': "ё"})
            self.assertEqual(self.model.asked[-1], (sound, 'ru', "ё"))

    def test_who_has_no_key_is_not_heard(self):
        for given in (
            '',
            'Bearer',
            'Bearer wrong',
            f'Basic {KEY}',
            f'Bearer {KEY}x',
            'Bearer ключ',
        ):
            with self.subTest(given):
                status, told = self.post(Authorization=given.encode())
                self.assertEqual(status, 401)
                self.assertNotIn(KEY, str(told))
        self.assertEqual(self.post(path='/anything', Authorization=b'')[0], 401)
        self.assertFalse(self.model.asked)

    def test_what_is_refused(self):
        self.server.limit = 300_000
        for status, fields, headers in (
            (400, {}, {}),
            (400, {'file': b''}, {}),
            (400, {'file': self.sound, 'response_format': 'srt'}, {}),
            (400, {'file': self.sound}, {'Content_Type': 'application/json'}),
            (400, {'file': self.sound}, {'Content_Type': 'multipart/form-data'}),
            (411, {'file': self.sound}, {'Content_Length': '-5'}),
            (413, {'file': bytes(300_001)}, {}),
        ):
            with self.subTest(status, headers=headers):
                answer = self.post(fields, **headers)
                self.assertEqual(answer[0], status)
                self.assertTrue(answer[1]['error']['message'])
        self.assertEqual(self.post(path='/v1/models')[0], 404)
        self.assertFalse(self.model.asked)

    def test_a_sound_that_cannot_be_read(self):
        self.model.error = SoundError("it is no WAV file")
        self.assertEqual(self.post()[0], 400)
        self.assertIn("no WAV", self.post()[1]['error']['message'])

    def test_an_engine_that_fails_serves_the_next(self):
        self.model.error = RuntimeError("out of memory at 0x7f")
        with self.assertLogs('telephony_speech', 'ERROR'):
            status, told = self.post()
        self.assertEqual(status, 500)
        self.assertNotIn('0x7f', str(told))
        self.model.error = None
        self.assertEqual(self.post()[0], 200)

    def test_one_talk_at_a_time(self):
        self.model.go_on.clear()
        answers = []
        first = threading.Thread(target=lambda: answers.append(self.post()[0]))
        first.start()
        while not self.server.job.locked():
            time.sleep(0.01)
        status, _told = self.post(connection=self.connect())
        self.assertEqual((status, self.headers['Retry-After']), (429, '5'))
        self.assertEqual(self.health(), {'status': 'ok', 'busy': True})
        self.model.go_on.set()
        first.join()
        self.assertEqual(answers, [200])
        while self.server.job.locked():
            time.sleep(0.01)
        self.assertEqual(self.health(), {'status': 'ok', 'busy': False})
        self.assertEqual(self.post()[0], 200)

    def health(self):
        connection = self.connect()
        connection.request('GET', '/health')
        return json.loads(connection.getresponse().read())

    def test_work_for_nobody_ends(self):
        said = []

        def lines():
            for number in range(1000):
                said.append(number)
                self.model.go_on.wait(PATIENCE)
                yield Line(number, number + 1, "Алло")

        self.model.say = lines
        self.model.go_on.clear()
        connection = self.connect()
        connection.request(
            'POST',
            server.PATH,
            b'--limit\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--limit--\r\n',
            {
                'Authorization': f'Bearer {KEY}',
                'Content-Type': 'multipart/form-data; boundary=limit',
            },
        )
        while not said:
            time.sleep(0.01)
        connection.close()
        self.model.go_on.set()
        while self.server.job.locked():
            time.sleep(0.01)
        self.assertLess(len(said), 1000)

    def test_a_connection_serves_many(self):
        connection = self.connect()
        for _time in range(3):
            self.assertEqual(self.post(connection=connection)[0], 200)


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestSpeechCommand(BaseCase):
    def command(self, *arguments):
        done = subprocess.run(  # noqa: S603
            [sys.executable, '-m', 'telephony_speech', *arguments],
            cwd=SERVER,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr

    def test_wrong_options_end_it_for_good(self):
        with tempfile.TemporaryDirectory() as model:
            empty = Path(model) / 'key'
            empty.touch()
            for arguments, says in (
                (['--model', 'nowhere'], "no such folder"),
                (['--model', model, '--engine', 'onnx_asr'], "--kind"),
                (['--model', model, '--host', '0.0.0.0'], "--key-file"),
                (['--model', model, '--host', 'crm.example.com'], "--key-file"),
                (['--model', model, '--key-file', 'nowhere'], "nowhere"),
                (['--model', model, '--key-file', str(empty)], "empty"),
            ):
                with self.subTest(says, arguments=arguments[2:]):
                    status, told = self.command(*arguments)
                    self.assertEqual(status, 78)
                    self.assertIn(says, told)
                    self.assertNotIn('Traceback', told)


@unittest.skipIf(MISSING, MISSING)
@tagged('post_install', '-at_install', 'crm_telephony')
class TestUtterances(BaseCase):
    def cut(self, *turns, seconds=60):
        rng = random.Random(1)
        return utterances.utterances(
            [
                (-20 if any(start <= place * 0.02 < end for start, end in turns) else -70)
                + rng.random()
                for place in range(int(seconds * 50))
            ]
        )

    def check(self, found, *expected):
        for span, wanted in zip(found, expected, strict=True):
            for second, about in zip(span, wanted, strict=True):
                self.assertAlmostEqual(second, about, delta=0.03)

    def test_it_is_cut_at_pauses(self):
        self.check(self.cut((1, 4), (4.3, 6), (10, 12)), (0.8, 6.2), (9.8, 12.2))

    def test_none_is_too_long_and_none_is_lost(self):
        found = self.cut((2, 55))
        self.assertGreater(len(found), 2)
        self.assertLessEqual(max(end - start for start, end in found), utterances.MOST)
        self.assertEqual([start for start, _end in found[1:]], [end for _start, end in found[:-1]])
        self.check([(found[0][0], found[-1][1])], (1.8, 55.2))

    def test_who_speaks_all_the_time_is_heard(self):
        self.check(self.cut((0, 10), seconds=10), (0, 10))

    def test_silence_says_nothing(self):
        self.assertEqual(self.cut(seconds=30), [])
        self.assertEqual(self.cut(seconds=0), [])
