"""Looks whether an address is that of a websocket for SIP, and says what it is not."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from urllib.parse import urlsplit, urlunsplit

import requests

SECONDS = 5.0
PORTS = {'wss': 443, 'ws': 80}
# As much of an answer is read.
LONGEST = 4096


def knock(url: str) -> tuple[str, str]:
    """Return why browsers get no connection at this address, a key of advice.LINE_ADVICE, and what
    was said; ('', '') if they should get one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or '', parts.port or PORTS.get(parts.scheme, 443)
        path = urlunsplit(('', '', parts.path or '/', parts.query, ''))
        with socket.create_connection((host, port), SECONDS) as sock:
            if parts.scheme == 'wss':
                context = ssl.create_default_context(cafile=requests.certs.where())
                context.load_default_certs()
                with context.wrap_socket(sock, server_hostname=host) as safe:
                    return _asked(safe, host, path)
            return _asked(sock, host, path)
    except ssl.SSLCertVerificationError as error:
        return 'certificate', error.verify_message or 'invalid'
    except ssl.SSLError as error:
        return 'certificate', error.reason or 'no TLS'
    except (socket.gaierror, ValueError):
        return 'host_unknown', ''
    except TimeoutError:
        return 'timeout', ''
    except OSError:
        return 'refused', ''


def _asked(sock: socket.socket, host: str, path: str) -> tuple[str, str]:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f'GET {path} HTTP/1.1',
        f'Host: {host}',
        'Upgrade: websocket',
        'Connection: Upgrade',
        f'Sec-WebSocket-Key: {key}',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Protocol: sip',
        '\r\n',
    )
    sock.sendall('\r\n'.join(lines).encode())
    first = sock.recv(LONGEST).split(b'\r\n', 1)[0].decode('latin-1')
    if first.startswith('HTTP/1.1 101'):
        return '', ''
    shown = ''.join(filter(str.isprintable, first))[:60]
    return 'no_websocket', shown or 'no answer'
