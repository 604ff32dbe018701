"""A stand-in for a speech engine, over real HTTP, and sounds in which somebody speaks."""

import http.server
import io
import json
import math
import re
import struct
import threading
import wave

RATE = 8000


def talk(*sides, seconds=12.0):
    """A WAV file with one channel for each side; on it a tone stands for speech.

    :param sides: (start, end) seconds of each turn, side by side
    """
    file = io.BytesIO()
    with wave.open(file, 'wb') as wav:
        wav.setnchannels(len(sides))
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        tone = [
            int(9000 * math.sin(place * (0.3 + 0.05 * channel)))
            for channel in range(2)
            for place in range(RATE)
        ]
        frames = bytearray()
        for place in range(int(seconds * RATE)):
            for channel, turns in enumerate(sides):
                speaks = any(start * RATE <= place < end * RATE for start, end in turns)
                frames += struct.pack('<h', tone[channel * RATE + place % RATE] if speaks else 0)
        wav.writeframes(bytes(frames))
    return file.getvalue()


class Request:
    """What the engine was asked: `form`, the fields beside the file; `sound`, the file; `key`."""

    def __init__(self, handler, body):
        self.key = handler.headers.get('Authorization', '')
        boundary = re.search(r'boundary=(.+)', handler.headers['Content-Type'])[1].encode()
        self.form, self.sound = {}, b''
        for part in body.split(b'--' + boundary)[1:-1]:
            head, _blank, content = part.strip(b'\r\n').partition(b'\r\n\r\n')
            name = re.search(rb' name="([^"]+)"', head)[1].decode()
            if b'filename=' in head:
                self.sound = part.partition(b'\r\n\r\n')[2][:-2]
            else:
                self.form[name] = content.decode()

    @property
    def seconds(self):
        with wave.open(io.BytesIO(self.sound)) as wav:
            return wav.getnframes() / wav.getframerate()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = Request(self, self.rfile.read(int(self.headers['Content-Length'])))
        server = self.server
        server.asked.append(request)
        answer = server.answers.pop(0) if server.answers else server.usual
        status, body, headers = answer(request) if callable(answer) else answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def said(*segments, **more):
    """An answer with lines, each (start, end, text) or a dict."""
    lines = [
        segment if isinstance(segment, dict) else dict(zip(('start', 'end', 'text'), segment))
        for segment in segments
    ]
    text = ' '.join(str(line.get('text')) for line in lines)
    return 200, {'text': text, 'segments': lines, **more}, {}


class Engines:
    """For cases that need an engine: :meth:`set_up_engine` starts one."""

    def set_up_engine(self):
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
        server.asked, server.answers, server.usual = [], [], said((0, 1, "Алло"))
        thread = threading.Thread(
            target=server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True
        )
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.engine_url = f'http://127.0.0.1:{server.server_address[1]}/v1/audio/transcriptions'
        self.server = server
