"""A small HTTP server in a thread; what a vendor answers is in the module named after it."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    method: str
    target: str  # path and query as they were sent
    headers: dict
    body: bytes
    path: str = ''
    query: dict = field(default_factory=dict)
    form: dict = field(default_factory=dict)

    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    content: object = None  # an object becomes JSON, a text or bytes are sent as they are
    status: int = 200
    headers: dict = field(default_factory=dict)


def sound(request: Request, content: bytes, content_type: str) -> Answer:
    """A file, or the part of it that the Range header asks for."""
    headers = {'Content-Type': content_type, 'Accept-Ranges': 'bytes'}
    if not (wanted := request.headers.get('range')):
        return Answer(content, 200, headers)
    first, last = wanted.removeprefix('bytes=').split('-')
    part = content[int(first) : int(last or len(content) - 1) + 1]
    return Answer(
        part,
        206,
        {**headers, 'Content-Range': f'bytes {first}-{int(first) + len(part) - 1}/{len(content)}'},
    )


class FakePbx:
    """`url` is its address, `requests` what it was asked. An answer in `next_answers` is given
    instead of the right one, to whichever request comes next; None there closes the connection
    without an answer."""

    def __init__(self):
        self.requests: list[Request] = []
        self.next_answers: list[Answer | None] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self):
                body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
                answer = fake.receive(self.command, self.path, self.headers, body)
                if answer is None:
                    self.close_connection = True
                    return
                content = answer.content
                if isinstance(content, (dict, list)):
                    content = json.dumps(content)
                raw = content if isinstance(content, bytes) else (content or '').encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True
        ).start()
        self.url = f'http://127.0.0.1:{self._server.server_address[1]}'

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def receive(self, method, target, headers, body) -> Answer | None:
        parts = urlsplit(target)
        lower = {name.lower(): value for name, value in headers.items()}
        form = {}
        if lower.get('content-type', '').startswith('application/x-www-form-urlencoded'):
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(method, target, lower, body, parts.path, query, form)
        self.requests.append(request)
        if self.next_answers:
            return self.next_answers.pop(0)
        return self.answer(request)

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def asked(self, path: str) -> list[Request]:
        """The requests of one path."""
        return [request for request in self.requests if request.path == path]
