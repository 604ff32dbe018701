"""The HTTP server: `POST /v1/audio/transcriptions` and `GET /health`.

The form and the answers are those of OpenAI's interface, as far as the CRM and other clients of it
use them: `file`, `language`, `prompt`, `response_format` json, verbose_json or text.
"""

from __future__ import annotations

import email.parser
import email.policy
import hmac
import json
import logging
import math
import select
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import __version__
from .engines import Answer, Engine, Line, SoundError

_logger = logging.getLogger('telephony_speech')

PATH = '/v1/audio/transcriptions'
FORMATS = ('json', 'verbose_json', 'text')
# Who sends nothing for so long is gone, and at most so many are heard at once.
PATIENCE_SECONDS, CONNECTIONS = 30, 16
# A busy server is asked again after so many seconds.
BUSY_SECONDS = 5
# Who has just been answered sends the next talk before the last one is over for us.
MOMENT_SECONDS = 0.5
MOST_HINTS = 2000


class Server(ThreadingHTTPServer):
    """One model, one job at a time: two at once would each take twice as long.

    :param key: what clients have to send as bearer; '' lets everybody in
    :param limit: bytes of a request
    """

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], engine: Engine, key: str = '', limit: int = 25 << 20
    ):
        self.address_family = socket.AF_INET6 if ':' in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self.engine, self.key, self.limit = engine, key, limit
        self.job, self.slots = threading.Lock(), threading.BoundedSemaphore(CONNECTIONS)

    def process_request_thread(self, request, client_address):
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request, client_address):
        _logger.debug("a connection broke", exc_info=True)


class Refusal(Exception):
    """Raised when a request is answered with an error: its code, what is wrong, headers."""

    def __init__(self, status: int, words: str, **headers: str):
        super().__init__(words)
        self.status, self.headers = status, headers


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version, sys_version = f'crm-telephony-speech/{__version__}', ''
    timeout = PATIENCE_SECONDS
    server: Server

    def do_GET(self):
        if self.path != '/health':
            return self.refuse(Refusal(404, 'ask POST ' + PATH))
        self.say(200, {'status': 'ok', 'busy': self.server.job.locked()})

    def do_POST(self):
        try:
            self.authenticate()
            if self.path.partition('?')[0] != PATH:
                raise Refusal(404, 'ask POST ' + PATH)
            form = self.form()
            sound = form.get('file', b'')
            shape = _text(form, 'response_format') or 'json'
            language = _text(form, 'language').lower()
            if not sound:
                raise Refusal(400, 'the form has no file')
            if shape not in FORMATS:
                raise Refusal(400, f'response_format is one of {", ".join(FORMATS)}')
            with self.turn():
                began = time.monotonic()
                answer, lines = self.transcribe(sound, language, _text(form, 'prompt')[:MOST_HINTS])
                _logger.info(
                    "%.1f s of sound, language %s, took %.1f s",
                    answer.seconds,
                    answer.language or '-',
                    time.monotonic() - began,
                )
                self.tell(shape, answer, lines)
        except Refusal as refusal:
            self.refuse(refusal)

    # --- the request ---------------------------------------------------------------------------

    def authenticate(self):
        """Refuse whoever has not the key, before anything of the request is read."""
        scheme, _blank, key = self.headers.get('Authorization', '').partition(' ')
        if self.server.key and not (
            scheme.lower() == 'bearer'
            and hmac.compare_digest(key.strip().encode(), self.server.key.encode())
        ):
            raise Refusal(401, 'the key is missing or wrong', **{'WWW-Authenticate': 'Bearer'})

    def form(self) -> dict[str, bytes]:
        """The fields of the multipart body; of several with one name the first."""
        kind, length = self.headers.get('Content-Type', ''), self.headers.get('Content-Length', '')
        if not kind.lower().startswith('multipart/form-data'):
            raise Refusal(400, 'send a form: multipart/form-data')
        if not length.isdecimal():
            raise Refusal(411, 'say the Content-Length')
        if int(length) > self.server.limit:
            raise Refusal(413, f'a request may have {self.server.limit} bytes')
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refusal(400, 'the request is incomplete')
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b'Content-Type: ' + kind.encode('latin-1', 'replace') + b'\r\n\r\n' + body
        )
        found: dict[str, bytes] = {}
        for part in message.iter_parts() if message.is_multipart() else ():
            name = part.get_param('name', header='content-disposition')
            if isinstance(name, str) and not part.is_multipart():
                found.setdefault(name, part.get_payload(decode=True) or b'')
        return found

    # --- the work ------------------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Iterator[None]:
        if not self.server.job.acquire(timeout=MOMENT_SECONDS):
            raise Refusal(429, 'busy with another talk', **{'Retry-After': str(BUSY_SECONDS)})
        try:
            yield
        finally:
            self.server.job.release()

    def transcribe(self, sound: bytes, language: str, hints: str) -> tuple[Answer, list[Line]]:
        lines = []
        try:
            answer = self.server.engine.transcribe(sound, language, hints)
            for line in answer.lines:
                lines.append(line)
                if self.is_gone():
                    raise Refusal(499, 'nobody waits for the answer any more')
        except SoundError as error:
            raise Refusal(400, str(error)) from error
        except Refusal:
            raise
        except Exception as error:  # the library's own: the next talk may go well
            _logger.exception("the engine failed")
            raise Refusal(500, 'the engine failed; its log says why') from error
        return answer, lines

    def is_gone(self) -> bool:
        """Whether the client has hung up: the rest of the work would be for nobody."""
        ready, _write, _error = select.select([self.connection], [], [], 0)
        try:
            return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    # --- the answer ----------------------------------------------------------------------------

    def tell(self, shape: str, answer: Answer, lines: list[Line]):
        text = ' '.join(line.text.strip() for line in lines)
        if shape == 'text':
            self.say(200, text + '\n', 'text/plain; charset=utf-8')
        else:
            self.say(200, {'text': text} if shape == 'json' else _verbose(answer, text, lines))

    def refuse(self, refusal: Refusal):
        # what was not read of the body would be taken for the next request
        self.close_connection = True
        kind = 'server_error' if refusal.status >= 500 else 'invalid_request_error'
        self.say(
            refusal.status,
            {'error': {'message': str(refusal), 'type': kind}},
            **refusal.headers,
        )

    def say(self, status: int, told: object, kind: str = 'application/json', **headers: str):
        body = (told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)).encode()
        self.send_response(status)
        for name, value in {
            'Content-Type': kind,
            'Content-Length': str(len(body)),
            **({'Connection': 'close'} if self.close_connection else {}),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        _logger.debug(format, *args)


def _text(form: dict[str, bytes], name: str) -> str:
    return form.get(name, b'').decode('utf-8', 'replace').strip()


def _verbose(answer: Answer, text: str, lines: list[Line]) -> dict[str, object]:
    return {
        'task': 'transcribe',
        'language': answer.language,
        'duration': round(answer.seconds, 3),
        'text': text,
        'segments': [
            {
                'id': number,
                'start': round(line.start, 3),
                'end': round(line.end, 3),
                'text': line.text.strip(),
                'avg_logprob': round(line.sureness, 4) if math.isfinite(line.sureness) else 0.0,
                'no_speech_prob': round(line.silence, 4),
                'compression_ratio': _compression(line.text.strip()),
            }
            for number, line in enumerate(lines)
        ],
    }


def _compression(text: str) -> float:
    """How often a text says the same: what loops is packed well."""
    raw = text.encode()
    return round(len(raw) / len(zlib.compress(raw)), 3) if raw else 0.0
