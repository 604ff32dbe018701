"""Recordings: who may listen, in parts, and from where alone they are fetched."""

import http.server
import itertools
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

from odoo.tests import BaseCase, tagged
from odoo.tools import config

from ..models.calls import recording as telephony_recording
from ..providers import fetch
from ..providers.base import ProviderError
from ..tools import seats
from ..tools.seats import Full, seated
from .common import TelephonyHttpCase
from .providers.twilio.fake import SOUND as TWILIO_SOUND
from .providers.twilio.fake import FakeTwilio

SOUND = bytes(range(256)) * 40


class PbxStorage(http.server.BaseHTTPRequestHandler):
    """A PBX's file server: sound with Range, redirects, and answers that are no sound."""

    seen = []

    def do_GET(self):
        self.seen.append((self.path, dict(self.headers)))
        if self.path.startswith('/to?'):
            self.send_response(302)
            self.send_header('Location', self.path[4:])
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        if self.path == '/gone.mp3':
            self.send_error(404)
            return
        body, status = SOUND, 200
        if wanted := self.headers.get('Range'):
            first, last = wanted.removeprefix('bytes=').split('-')
            body, status = SOUND[int(first) : int(last or len(SOUND) - 1) + 1], 206
        self.send_response(status)
        self.send_header(
            'Content-Type', 'text/html' if self.path == '/page.mp3' else 'application/octet-stream'
        )
        self.send_header('Content-Length', str(len(body)))
        if status == 206:
            self.send_header(
                'Content-Range', f'bytes {first}-{int(first) + len(body) - 1}/{len(SOUND)}'
            )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def storage():
    """The address of a running storage."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), PbxStorage)
    PbxStorage.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_address[1]}'
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def as_public():
    """Loopback counts as public: the storage of the tests stands there."""
    with patch.object(fetch, 'is_public', return_value=True):
        yield


@tagged('post_install', '-at_install', 'crm_telephony')
class TestFetch(BaseCase):
    def test_only_public_addresses(self):
        for address in (
            '127.0.0.1',
            '127.8.8.8',
            '0.0.0.0',
            '10.1.2.3',
            '172.16.0.1',
            '192.168.1.1',
            '169.254.169.254',
            '100.64.0.1',
            '224.0.0.1',
            '255.255.255.255',
            '::1',
            '::',
            'fe80::1%eth0',
            'fc00::1',
            'ff02::1',
            '::ffff:127.0.0.1',
            '::ffff:10.0.0.1',
            '2002:7f00:1::',
            '64:ff9b::7f00:1',
            '2001:0:1::',
        ):
            with self.subTest(address=address):
                self.assertFalse(fetch.is_public(address))
        for address in ('8.8.8.8', '2a00:1450:4010:c0f::71', '185.45.152.42'):
            with self.subTest(address=address):
                self.assertTrue(fetch.is_public(address))

    def test_no_connection_to_anywhere_inside(self):
        """Whatever is named as an allowed host, nothing inside is ever contacted."""
        listener = socket.create_server(('127.0.0.1', 0))
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        self.addCleanup(listener.close)
        hosts = (
            '127.0.0.1',
            'localhost',
            '2130706433',
            '0x7f000001',
            '127.1',
            '[::1]',
            '[::ffff:127.0.0.1]',
            '0',
        )
        for host in hosts:
            with self.subTest(host=host), self.assertRaises(ProviderError):
                fetch.open_sound(
                    f'http://{host}:{port}/a.mp3', [host.strip('[]'), '.localhost', 'localhost']
                )
        with self.assertRaises(TimeoutError):
            listener.accept()

    def test_only_named_hosts_and_plain_addresses(self):
        for url in (
            'https://evil.example.com/a.mp3',
            'https://notrecords.example.com/a.mp3',
            'https://records.example.com.evil.org/a.mp3',
            'https://records.example.com@evil.org/a.mp3',
            'https://user:pass@records.example.com/a.mp3',
            'file:///etc/passwd',
            'ftp://records.example.com/a',
            '//records.example.com/a',
            'gopher://records.example.com',
            '',
            'https://',
            'https://[bad/',
        ):
            with (
                self.subTest(url=url),
                patch.object(socket, 'getaddrinfo') as resolve,
                self.assertRaises(ProviderError),
            ):
                fetch.open_sound(url, ['records.example.com'])
            resolve.assert_not_called()
        self.assertTrue(fetch.host_allowed('a.records.example.com', ['.records.example.com']))
        self.assertTrue(fetch.host_allowed('Records.Example.com.', ['records.example.com']))
        self.assertFalse(fetch.host_allowed('anything', ['', ' ']))

    def test_a_name_is_resolved_once_and_every_address_must_be_public(self):
        def resolve(*answers):
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, '', (answer, 443)) for answer in answers
            ]

        with (
            patch.object(socket, 'getaddrinfo', return_value=resolve('8.8.8.8', '10.0.0.1')),
            self.assertRaisesRegex(ProviderError, "private network"),
        ):
            fetch.open_sound('https://records.example.com/a.mp3', ['records.example.com'])
        # public at the first answer, private at the second: the connection must go to the first
        with (
            patch.object(
                socket, 'getaddrinfo', side_effect=[resolve('203.0.114.1'), resolve('127.0.0.1')]
            ) as asked,
            patch.object(socket, 'create_connection', side_effect=ConnectionError) as connect,
            self.assertRaisesRegex(ProviderError, "does not answer"),
        ):
            fetch.open_sound('https://records.example.com/a.mp3', ['records.example.com'])
        self.assertEqual(asked.call_count, 1)
        self.assertEqual(connect.call_args.args[0], ('203.0.114.1', 443))

    def test_redirects_are_checked_like_the_first_address(self):
        with storage() as here, as_public():
            with self.assertRaisesRegex(ProviderError, "evil.example.org"):
                fetch.open_sound(f'{here}/to?https://evil.example.org/a.mp3', ['127.0.0.1'])
            sound = fetch.open_sound(f'{here}/to?/a.mp3', ['127.0.0.1'])
            self.assertEqual(b''.join(sound.chunks), SOUND)
            with self.assertRaisesRegex(ProviderError, "too often"):
                fetch.open_sound(f'{here}/to?/to?/to?/to?/a.mp3', ['127.0.0.1'])

    def test_sound_and_nothing_else(self):
        with storage() as here, as_public():
            for path, reason in [('/page.mp3', "text/html"), ('/gone.mp3', "404")]:
                with self.subTest(path), self.assertRaisesRegex(ProviderError, reason):
                    fetch.open_sound(here + path, ['127.0.0.1'])
            with self.assertRaisesRegex(fetch.TooLarge, "1 MB, the limit is 0"):
                fetch.open_sound(f'{here}/a.wav', ['127.0.0.1'], limits=fetch.Limits(60, 100))
            self.assertEqual(
                fetch.open_sound(f'{here}/a.wav', ['127.0.0.1']).headers['Content-Type'],
                'audio/wav',
            )
            self.assertNotIn('Authorization', PbxStorage.seen[-1][1])


def drip(pause, *pieces, endless=b''):
    """What a slow server sends: one piece after another, then the last for ever."""

    def serve(client):
        client.recv(65536)
        for piece in itertools.chain(pieces, itertools.repeat(endless) if endless else ()):
            client.sendall(piece)
            time.sleep(pause)

    return serve


@contextmanager
def slow_server(serve):
    """The address of a server that handles each connection so."""
    listener = socket.create_server(('127.0.0.1', 0))

    def handle(client):
        with client, suppress(OSError):
            serve(client)

    def accept():
        with suppress(OSError):
            while True:
                threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{listener.getsockname()[1]}/a.mp3'
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestSlowServers(BaseCase):
    """A recording's server takes little of our time, however it spends it."""

    def setUp(self):
        super().setUp()
        for name, seconds in (
            ('ANSWER_SECONDS', 0.6),
            ('PACE_SECONDS', 0.6),
            ('LEAST_PACE', 8192),
        ):
            self.startPatcher(patch.object(fetch, name, seconds))

    def fetch(self, serve, error=None, reason="too slow", most=10**7):
        limits = fetch.Limits(1.5, most)
        with slow_server(serve) as url, as_public():
            begin = time.monotonic()
            try:
                if not error:
                    sound = fetch.open_sound(url, ['127.0.0.1'], limits=limits)
                    return b''.join(sound.chunks)
                with self.assertRaisesRegex(error, reason) as caught:
                    fetch.open_sound(url, ['127.0.0.1'], limits=limits)
                return caught.exception
            finally:
                self.assertLess(time.monotonic() - begin, 2.5)

    def test_never_answers(self):
        self.fetch(lambda client: time.sleep(4), fetch.TooSlow)

    def test_answers_byte_by_byte(self):
        self.fetch(drip(0.1, *(HEAD[at : at + 1] for at in range(len(HEAD)))), fetch.TooSlow)
        self.fetch(drip(0.1, HEAD, endless=b'X-More: 1\r\n'), fetch.TooSlow)

    def test_leads_on_and_on(self):
        self.fetch(
            drip(0.4, b'', b'HTTP/1.1 302 Found\r\nLocation: /b.mp3\r\nContent-Length: 0\r\n\r\n'),
            fetch.TooSlow,
        )

    def test_sends_byte_by_byte(self):
        self.fetch(drip(0.1, HEAD + b'Content-Length: 100000\r\n\r\n', endless=b'x'), fetch.TooSlow)
        self.fetch(
            drip(0.1, HEAD + b'Transfer-Encoding: chunked\r\n\r\n', endless=b'1\r\nx\r\n'),
            fetch.TooSlow,
        )
        self.fetch(drip(0.1, HEAD + b'\r\n', endless=b'x'), fetch.TooSlow)

    def test_sends_and_stops(self):
        def serve(client):
            drip(0, HEAD + b'Content-Length: 100000\r\n\r\n', b'x' * 50000)(client)
            time.sleep(4)

        self.fetch(serve, fetch.TooSlow)

    def test_never_ends(self):
        self.fetch(drip(0.05, HEAD + b'\r\n', endless=b'x' * 4096), fetch.TooSlow)
        self.fetch(
            drip(0, HEAD + b'\r\n', endless=b'x' * 65536),
            fetch.TooLarge,
            "more than 0 MB",
            most=10**6,
        )

    def test_breaks_off(self):
        error = self.fetch(
            drip(0, HEAD + b'Content-Length: 1000\r\n\r\n', b'x' * 999),
            fetch.BrokenOff,
            "broke off",
        )
        self.assertEqual(b''.join(error.sound.chunks), b'x' * 999)
        self.fetch(
            drip(0, HEAD + b'Transfer-Encoding: chunked\r\n\r\n3\r\nab'), ProviderError, "broke off"
        )
        self.fetch(drip(0, b'nonsense\r\n'), ProviderError, "does not answer")

    def test_slow_but_steady(self):
        self.assertEqual(self.fetch(drip(0.1, HEAD, b'\r\n', *[b'x' * 2000] * 8)), b'x' * 16000)
        chunked = HEAD + b'Transfer-Encoding: chunked\r\n\r\n', b'3\r\nabc\r\n', b'0\r\n\r\n'
        self.assertEqual(self.fetch(drip(0.1, *chunked)), b'abc')

    def test_a_player_gets_parts(self):
        with storage() as here, as_public(), patch.object(fetch, 'PART', 1000):
            for asked, first, last in (
                ('bytes=0-', 0, 1000),
                ('bytes=5000-', 5000, 6000),
                ('bytes=5-9', 5, 10),
                ('bytes=0-99999', 0, 1000),
                ('bytes=10000-', 10000, 10240),
            ):
                sound = fetch.open_sound(f'{here}/a.mp3', ['127.0.0.1'], asked)
                self.assertEqual(
                    (sound.status, b''.join(sound.chunks)), (206, SOUND[first:last]), asked
                )
                self.assertEqual(
                    sound.headers['Content-Range'], f'bytes {first}-{last - 1}/{len(SOUND)}'
                )
            for asked in ('', 'bytes=0-1,5-9', 'lines=1-', 'bytes=x-', 'bytes=-5', 'bytes=\u0661-'):
                sound = fetch.open_sound(f'{here}/a.mp3', ['127.0.0.1'], asked)
                self.assertEqual((sound.status, b''.join(sound.chunks)), (200, SOUND), asked)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestSeats(BaseCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def seated(self, rows, waiting=1, patience=0):
        return seated(self.folder, rows, {'waiting': waiting}, patience)

    def test_so_many_and_no_more(self):
        with self.seated({'a': 2}), self.seated({'a': 2, 'b': 1}):
            for rows in ({'a': 2}, {'b': 1}, {'c': 1, 'b': 1}):
                with self.assertRaises(Full), self.seated(rows):
                    pass
            with self.seated({'c': 1}):
                pass
        with self.assertRaises(KeyError), self.seated({'a': 1, 'b': 1}):
            raise KeyError
        with self.seated({'a': 1, 'b': 1}):
            pass

    def test_so_many_wait_and_no_more(self):
        tried, freed = threading.Event(), []

        def wait():
            tried.set()
            with self.seated({'a': 1}, patience=20):
                freed.append('waited')

        with self.seated({'a': 1}):
            thread = threading.Thread(target=wait)
            thread.start()
            tried.wait(5)
            time.sleep(0.5)
            begin = time.monotonic()
            with self.assertRaises(Full), self.seated({'a': 1}, patience=20):
                pass
            self.assertLess(time.monotonic() - begin, 5)
            self.assertFalse(freed)
        thread.join()
        self.assertEqual(freed, ['waited'])

    def test_other_processes_sit_too_and_a_killed_one_does_not(self):
        code = f"""
import runpy, sys, pathlib, time
seated = runpy.run_path({seats.__file__!r})['seated']
with seated(pathlib.Path({str(self.folder)!r}), {{'a': 1}}, {{}}):
    print('sits', flush=True)
    time.sleep(60)
"""
        with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE) as other:  # noqa: S603 - our own
            self.assertEqual(other.stdout.readline().strip(), b'sits')
            with self.assertRaises(Full), self.seated({'a': 1}):
                pass
            other.kill()
            with self.seated({'a': 1}, patience=5):
                pass


class TestPlayer(TelephonyHttpCase):
    def record(self, url):
        self.play(
            self.event('ended', outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', recording_url=url),
        )
        return self.call().recording_ids

    def get(self, recording, **headers):
        return self.url_open(
            f'/telephony/recording/{recording.id}', headers=headers, allow_redirects=False
        )

    def test_played_in_parts_through_our_own_route(self):
        with storage() as here, as_public():
            recording = self.record(f'{here}/a.mp3')
            self.account.recording_hosts = 'other.example.com, 127.0.0.1'
            self.authenticate('tel_anna', 'tel_anna')
            whole = self.get(recording)
            self.assertEqual((whole.status_code, whole.content), (200, SOUND))
            self.assertEqual(whole.headers['Content-Type'], 'audio/mpeg')
            self.assertEqual(whole.headers['X-Content-Type-Options'], 'nosniff')
            part = self.get(recording, Range='bytes=100-199')
            self.assertEqual((part.status_code, part.content), (206, SOUND[100:200]))
            self.assertEqual(part.headers['Content-Range'], f'bytes 100-199/{len(SOUND)}')

    def test_who_may_listen(self):
        with storage() as here, as_public():
            recording = self.record(f'{here}/a.mp3')
            self.account.recording_hosts = '127.0.0.1'
            for login, status in [('tel_anna', 200), ('tel_super', 200), ('tel_boris', 403)]:
                with self.subTest(login):
                    self.authenticate(login, login)
                    self.assertEqual(self.get(recording).status_code, status)
            self.authenticate(None, None)
            self.assertIn('/web/login', self.get(recording).headers['Location'])
            self.assertEqual(
                len(PbxStorage.seen), 2, "who may not listen must not make us fetch either"
            )
        self.authenticate('tel_super', 'tel_super')
        self.assertEqual(self.url_open('/telephony/recording/999999999').status_code, 404)

    def test_what_goes_wrong_stands_on_the_recording(self):
        recording = self.record('https://records.example.com/a.mp3')
        self.authenticate('tel_super', 'tel_super')
        response = self.get(recording)
        self.assertEqual(response.status_code, 502)
        self.env.invalidate_all()
        self.assertEqual(recording.state, 'failed')
        self.assertIn('records.example.com', recording.error)

    def test_who_finds_no_seat_is_told(self):
        with (
            storage() as here,
            as_public(),
            patch.multiple(telephony_recording, THREAD_SEATS=1, PATIENCE=0.1),
        ):
            recording = self.record(f'{here}/a.mp3')
            self.account.recording_hosts = '127.0.0.1'
            self.authenticate('tel_anna', 'tel_anna')
            with recording._seated():
                response = self.get(recording)
                self.assertEqual((response.status_code, PbxStorage.seen), (503, []))
                self.assertEqual(self.post(self.event('ended', 'c2')).status_code, 200)
            self.env.invalidate_all()
            self.assertIn("Too many", response.text)
            self.assertEqual(
                (recording.with_user(self.anna).error, recording.state), (response.text, 'failed')
            )
            self.assertEqual(self.get(recording).content, SOUND)
            self.env.invalidate_all()
            self.assertEqual((recording.error, recording.state), (False, 'ready'))

    def test_a_slow_server_is_told_to_the_listener(self):
        with (
            slow_server(lambda client: time.sleep(4)) as url,
            as_public(),
            patch.object(fetch, 'ANSWER_SECONDS', 0.3),
        ):
            recording = self.record(url)
            self.account.recording_hosts = '127.0.0.1'
            self.authenticate('tel_anna', 'tel_anna')
            response = self.get(recording)
            self.assertEqual(response.status_code, 502)
            self.assertIn("127.0.0.1, where the recording lies, is too slow", response.text)
            self.env.invalidate_all()
            self.assertEqual(recording.error, response.text)

    def test_workers_are_never_all_taken(self):
        """One PBX gets a quarter of them, all together half, and who waits leaves one."""
        recording = self.record('https://records.example.com/a.mp3')
        for workers, own, of_all, waiting in (
            (1, 1, 1, 0),
            (2, 1, 1, 0),
            (4, 1, 2, 1),
            (9, 2, 4, 4),
        ):
            with (
                patch.dict(config.options, workers=workers),
                patch.object(telephony_recording, 'seated') as sit,
            ):
                recording._seated()
            (_folder, rows, queue, _patience), _named = sit.call_args
            self.assertEqual((*rows.values(), *queue.values()), (own, of_all, waiting), workers)
            self.assertTrue(of_all + waiting < workers or workers == 1)

    def test_a_supervisor_may_open_it_at_the_pbx(self):
        """Where it cannot be played here: a PBX that wants its own people's login, as 3CX without
        its XAPI."""
        recording = self.record('https://records.example.com/a.mp3')
        self.assertEqual(
            recording.with_user(self.supervisor).source_url, 'https://records.example.com/a.mp3'
        )
        self.assertFalse(recording.with_user(self.anna).source_url)
        recording.url = 'javascript:alert(1)'
        self.assertFalse(recording.with_user(self.supervisor).source_url)

    def test_what_needs_a_login_is_played_with_the_account_s(self):
        """Twilio with HTTP authentication of media, whose API stands on loopback here: no host has
        to be entered for it."""
        pbx = FakeTwilio()
        self.addCleanup(pbx.close)
        sid = 'RE00000000000000000000000000000001'
        pbx.recordings = [{'sid': sid, 'status': 'completed'}]
        self.play(self.event('ended', outcome='answered', extension='101', talk_seconds=60))
        self.account.write(
            {'provider': 'twilio', 'api_url': pbx.url, 'api_key': pbx.key, 'api_secret': pbx.secret}
        )
        recording = self.env['telephony.recording'].create({'call_id': self.call().id, 'ref': sid})
        self.authenticate('tel_anna', 'tel_anna')
        whole = self.get(recording)
        self.assertEqual((whole.status_code, whole.content), (200, TWILIO_SOUND))
        part = self.get(recording, Range='bytes=3-9')
        self.assertEqual((part.status_code, part.content), (206, TWILIO_SOUND[3:10]))
        self.account.api_secret = 'another'
        self.assertEqual(self.get(recording).status_code, 502)
        self.env.invalidate_all()
        self.assertNotIn('another', recording.error)

    def test_an_attachment_of_ours(self):
        recording = self.record('https://records.example.com/a.mp3')
        recording.attachment_id = self.env['ir.attachment'].create(
            {
                'name': 'a.wav',
                'raw': SOUND,
                'mimetype': 'audio/wav',
                'res_model': recording._name,
                'res_id': recording.id,
            }
        )
        self.authenticate('tel_anna', 'tel_anna')
        part = self.get(recording, Range='bytes=0-9')
        self.assertEqual((part.status_code, part.content), (206, SOUND[:10]))
        self.authenticate('tel_boris', 'tel_boris')
        self.assertEqual(self.get(recording).status_code, 403)
