"""Fetching an address that came from outside (a recording link) without letting it lead anywhere
else.

Only hosts that the admin or the adapter has named, only public addresses, no credentials. The name
is resolved once and the connection goes to the address that was checked, so a name server cannot
answer differently the second time.

The one exception is the PBX itself: the admin has entered the address of its API, every command
goes there with the account's credentials, and it may stand beside us. See :class:`OwnServer`.

Whoever fetches holds up a thread, or with workers a whole process, so the other end sets the pace
for a short while only: it answers soon, keeps a pace, and players get a long sound in parts. What
is given back has been fetched: no listener waits for two slow ends at once, and whatever goes wrong
is known while it can still be told.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import ssl
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests.certs
import requests.utils

from .base import ProviderError, _

# Seconds until the answer begins, redirects included, and until all of it is there.
ANSWER_SECONDS, TOTAL_SECONDS = 15, 60
# The least pace (bytes a second), and the seconds over which it is looked at. Slower sound could
# not be listened to either.
LEAST_PACE, PACE_SECONDS = 16 * 1024, 10
# A player that asks for all from some place on gets so much, and asks again when it has come there.
PART = 1024 * 1024
MAX_REDIRECTS = 3
# Statuses after which the same file may be there later.
NOT_YET = (404, 429, 500, 502, 503, 504)
MAX_BYTES = 200 * 1024 * 1024
CHUNK = 64 * 1024
# More than this lies on the disk.
IN_MEMORY = 4 * 1024 * 1024
PORTS = {'http': 80, 'https': 443}
# What a browser may be given as sound; anything else is not a recording.
AUDIO_TYPES = {
    'audio/mpeg': 'audio/mpeg',
    'audio/mp3': 'audio/mpeg',
    'audio/wav': 'audio/wav',
    'audio/x-wav': 'audio/wav',
    'audio/wave': 'audio/wav',
    'audio/vnd.wave': 'audio/wav',
    'audio/ogg': 'audio/ogg',
    'application/ogg': 'audio/ogg',
    'audio/mp4': 'audio/mp4',
    'audio/aac': 'audio/aac',
    'audio/webm': 'audio/webm',
    'audio/x-m4a': 'audio/mp4',
    'audio/opus': 'audio/ogg',
    'audio/flac': 'audio/flac',
    'audio/gsm': 'audio/gsm',
}
# Servers that do not say what a file is; its name does.
UNNAMED_TYPES = {
    '',
    'application/octet-stream',
    'binary/octet-stream',
    'application/x-download',
    'application/force-download',
}
SUFFIX_TYPES = {
    '.mp3': 'audio/mpeg',
    '.wav': 'audio/wav',
    '.ogg': 'audio/ogg',
    '.m4a': 'audio/mp4',
    '.webm': 'audio/webm',
}


_RANGE = re.compile(r'bytes=(\d{1,15})-(\d{0,15})', re.ASCII)


class LoginRefused(ProviderError):
    """The PBX knows who asks, or does not any more, and refuses."""


class TooSlow(ProviderError):
    """The other end has had its time. Nobody should give it more at once."""

    def __init__(self, host: str):
        super().__init__(
            _(
                "%(host)s, where the recording lies, is too slow at the moment. Try again later.",
                host=host,
            ),
            retryable=True,
        )


@dataclass(frozen=True)
class Sound:
    """What was fetched: `status` is 200, 206 or 416; `headers` are what a player needs; `chunks`
    can be read once."""

    status: int
    headers: dict[str, str]
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class OwnServer:
    """The PBX's own API. What lies there, under exactly this scheme, name and port, may be fetched
    with `headers`; they go nowhere else, whatever redirects there are. `kind` is the type of its
    sound, where it calls that something else."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    kind: str = ''

    def serves(self, url: str) -> bool:
        home = _origin(self.url)
        return home is not None and home == _origin(url)


def _origin(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port), None where it is no plain http(s) address."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or '').rstrip('.'), parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    plain = parts.scheme in PORTS and host and parts.username is None and parts.password is None
    return (parts.scheme, host, port) if plain else None


def host_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Exactly a named host, or below one that is named with a leading dot."""
    host = host.lower().rstrip('.')
    return any(
        host == one or (one.startswith('.') and host.endswith(one))
        for one in (entry.strip().lower() for entry in allowed)
        if one
    )


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet: no loopback, private, link-local, CG-NAT,
    multicast, nor a v6 form of one of these."""
    ip = ipaddress.ip_address(address.split('%', 1)[0])
    inner = [getattr(ip, name, None) for name in ('ipv4_mapped', 'sixtofour')]
    if getattr(ip, 'teredo', None) or (
        ip.version == 6 and ip in ipaddress.ip_network('64:ff9b::/96')
    ):
        return False
    return all(
        one.is_global and not one.is_multicast and not one.is_reserved
        for one in [ip, *filter(None, inner)]
    )


def open_sound(
    url: str, allowed_hosts: Iterable[str], byte_range: str = '', own: OwnServer | None = None
) -> Sound:
    """Fetch a recording for playing.

    :param byte_range: the player's Range header; without an end it gets a part
    :param own: the PBX, if its recordings need a login
    :raise LoginRefused: the PBX does not accept the login
    :raise TooSlow: it takes longer than a listener, and those who want something else of us, would
        wait
    :raise ProviderError: the address is not allowed, does not answer, or is no sound
    """
    allowed_hosts = tuple(allowed_hosts)
    begin = time.monotonic()
    for _hop in range(MAX_REDIRECTS + 1):
        at_home = own if own and own.serves(url) else None
        with _get(url, allowed_hosts, _part(byte_range), at_home, begin + ANSWER_SECONDS) as line:
            if line.answer.status not in (301, 302, 303, 307, 308):
                return _sound(line, url, begin + TOTAL_SECONDS, at_home)
            url = urljoin(url, line.answer.getheader('Location', ''))
    raise ProviderError(
        _("The recording's address leads on to others too often, so it is not followed.")
    )


def _part(byte_range: str) -> str:
    """The Range header to send for a player's; what is more than one simple range may be answered
    with the whole."""
    match = _RANGE.fullmatch(byte_range.strip())
    if not match:
        return ''
    first = int(match[1])
    most = first + PART - 1
    return f'bytes={first}-{min(int(match[2]), most) if match[2] else most}'


class _Line:
    """A connection on which every byte comes before `deadline`, however the other end spreads them:
    a time-out of the socket alone is for each byte. It is what HTTPConnection needs of a socket."""

    def __init__(self, host: str, sock: socket.socket, deadline: float):
        self.host, self.deadline = host, deadline
        self.answer: HTTPResponse | None = None
        self._sock = sock

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        if self.answer:
            self.answer.close()
        self._sock.close()

    def _wait(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TooSlow(self.host)
        self._sock.settimeout(left)

    def sendall(self, data: bytes) -> None:
        self._wait()
        self._sock.sendall(data)

    def recv_into(self, buffer) -> int:
        self._wait()
        try:
            return self._sock.recv_into(buffer)
        except TimeoutError:
            raise TooSlow(self.host) from None

    def makefile(self, *_args) -> io.BufferedReader:
        return io.BufferedReader(_Bytes(self))

    def close(self) -> None:
        """The answer is still to be read."""


class _Bytes(io.RawIOBase):
    def __init__(self, line: _Line):
        super().__init__()
        self._line = line

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._line.recv_into(buffer)


def _get(
    url: str,
    allowed_hosts: tuple[str, ...],
    byte_range: str,
    own: OwnServer | None,
    deadline: float,
) -> _Line:
    if not (origin := _origin(url)):
        raise ProviderError(
            _("The recording's address is no plain web address, so it is not opened.")
        )
    parts, (scheme, host, port) = urlsplit(url), origin
    if not own and not host_allowed(host, allowed_hosts):
        raise ProviderError(
            _(
                "Recordings are not fetched from %(host)s: it is not among the recording hosts of this PBX. "
                "An administrator can add it on the PBX's form.",
                host=host,
            )
        )
    address = _resolve(host, port, inside=bool(own))
    headers = {
        'User-Agent': requests.utils.default_user_agent(),
        'Accept': '*/*',
        'Connection': 'close',
    }
    if own:
        headers.update(own.headers)
    if byte_range:
        headers['Range'] = byte_range
    line = None
    try:
        line = _connect(scheme, host, address, port, deadline)
        name = f'[{host}]' if ':' in host else host.encode('idna').decode()
        connection = HTTPConnection(name, port, timeout=ANSWER_SECONDS)
        connection.default_port = PORTS[scheme]  # any other stands in the Host header
        connection.sock = line
        connection.request(
            'GET',
            requests.utils.requote_uri(urlunsplit(('', '', parts.path or '/', parts.query, ''))),
            headers=headers,
        )
        line.answer = connection.getresponse()
        return line
    except (OSError, HTTPException, ValueError, ProviderError) as error:
        if line:
            line.__exit__()
        if isinstance(error, ProviderError):
            raise
        if isinstance(error, TimeoutError):
            raise TooSlow(host) from None
        raise ProviderError(
            _("%(host)s, where the recording lies, does not answer. Try again later.", host=host),
            retryable=True,
        ) from None


def _connect(scheme: str, host: str, address: str, port: int, deadline: float) -> _Line:
    """To an address, but asking for the certificate of the name."""
    sock = socket.create_connection(
        (address, port), timeout=max(deadline - time.monotonic(), 0.001)
    )
    if scheme == 'https':
        try:
            context = ssl.create_default_context(cafile=requests.certs.where())
            sock = context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
    return _Line(host, sock, deadline)


def _resolve(host: str, port: int, inside: bool = False) -> str:
    """One address of the host, after all of them were found public, unless it may be `inside`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProviderError(
            _(
                "%(host)s, where the recording lies, is not known to the name servers. Try again later.",
                host=host,
            ),
            retryable=True,
        ) from None
    addresses = [entry[4][0] for entry in found]
    if not addresses or not (inside or all(is_public(address) for address in addresses)):
        raise ProviderError(
            _(
                "%(host)s, where the recording lies, leads into a private network, so it is not opened.",
                host=host,
            )
        )
    return addresses[0]


def _sound(line: _Line, url: str, deadline: float, own: OwnServer | None) -> Sound:
    answer = line.answer
    if own and answer.status in (401, 403):
        raise LoginRefused(
            _(
                "The PBX does not give this recording with the login of this account (%(code)s). Check the login on its form.",
                code=answer.status,
            )
        )
    if answer.status not in (200, 206, 416):
        raise ProviderError(
            _(
                "The recording's server answered with code %(code)s. It may have deleted the recording, or not have it yet.",
                code=answer.status,
            ),
            retryable=answer.status in NOT_YET,
        )
    told = answer.getheader('Content-Type', '').split(';')[0].strip().lower()
    path = urlsplit(url).path.lower()
    kind = AUDIO_TYPES.get(told)
    if not kind and own and own.kind and told != 'text/html':
        kind = own.kind
    elif not kind and told in UNNAMED_TYPES:
        kind = next(
            (kind for suffix, kind in SUFFIX_TYPES.items() if path.endswith(suffix)), 'audio/mpeg'
        )
    if not kind and answer.status != 416:
        raise ProviderError(
            _(
                "The recording's server sent something that is no sound (%(kind)s).",
                kind=told or '?',
            )
        )
    headers = {
        name: value
        for name in ('Content-Range', 'Accept-Ranges')
        if (value := answer.getheader(name))
    }
    with ExitStack() as stack:
        sound = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        size = _fetch(line, sound, deadline) if answer.status != 416 else 0
        sound.seek(0)
        stack.pop_all()
    return Sound(
        answer.status,
        {**headers, 'Content-Length': str(size), 'Content-Type': kind or 'audio/mpeg'},
        _chunks(sound),
    )


def _fetch(line: _Line, sound: BinaryIO, deadline: float) -> int:
    """The size of what was fetched; all of it, or an error."""
    answer, size, seen = line.answer, 0, 0
    expected = answer.length
    try:
        while True:
            if not seen:
                line.deadline = min(deadline, time.monotonic() + PACE_SECONDS)
            chunk = answer.read1(CHUNK)
            if not chunk:
                break
            sound.write(chunk)
            size += len(chunk)
            seen = seen + len(chunk) if seen + len(chunk) < LEAST_PACE * PACE_SECONDS else 0
            if max(size, expected or 0) > MAX_BYTES:
                raise ProviderError(
                    _(
                        "The recording's server sends more than %(most)s MB: no recording is so long, so it is not played.",
                        most=MAX_BYTES // 1024**2,
                    )
                )
    except (HTTPException, OSError, ValueError):
        size = -1
    if size < (expected or 0):
        raise ProviderError(_("The recording's server broke off. Try again later."), retryable=True)
    return size


def _chunks(sound: BinaryIO) -> Iterator[bytes]:
    with sound:
        while chunk := sound.read(CHUNK):
            yield chunk
