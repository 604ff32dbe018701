"""Fetches an address that came from outside (a recording link) without letting it lead anywhere
else.

Only hosts that the admin or the adapter has named, only public addresses, no credentials. The name
is resolved once and the connection goes to the address that was checked, so that a name server
cannot answer differently the second time.

The one exception is the PBX itself: the admin has entered the address of its API, every command
goes there with the account's credentials, and it may stand in our own network. See
:class:`OwnServer`.

A fetch holds up a thread, or with workers a whole process. Therefore the other server must answer
soon and keep a pace, and players get a long sound in parts. A sound is fetched as a whole before it
is returned, so that no listener waits for two slow ends at once, and whatever goes wrong is known
while it can still be shown.
"""

from __future__ import annotations

import hashlib
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
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests.certs
import requests.utils

from .base import ProviderError, _

# Seconds until the answer begins, redirects included.
ANSWER_SECONDS = 15
# The least pace (bytes a second), and the seconds over which it is measured. Nobody could listen to
# a slower sound either.
LEAST_PACE, PACE_SECONDS = 16 * 1024, 10
# Bytes for a player that asks for all from some place on; it asks again when it has played them.
PART = 1024 * 1024
MAX_REDIRECTS = 3
# Statuses after which the same file may be there later.
NOT_YET = (404, 408, 425, 429, 500, 502, 503, 504)
CHUNK = 64 * 1024
# A larger sound lies on the disk while it is fetched.
IN_MEMORY = 4 * 1024 * 1024
PORTS = {'http': 80, 'https': 443}
# Content type -> the type that a browser is given. Anything else is no recording.
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
# Content types of servers that do not say what a file is; its name does.
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


@dataclass(frozen=True)
class Limits:
    """What a fetch may take: `seconds` until all is there, redirects included, and `most` bytes."""

    seconds: float
    most: int


# Of a sound that is fetched because somebody wants to hear it.
LISTENING = Limits(60, 200 * 1024 * 1024)


class BadStatus(ProviderError):
    """Raised when the answer holds no sound.

    :param status: the HTTP status
    :param retry_after: the seconds after which the server wants to be asked again, None if it does
        not say
    """

    def __init__(self, message: str, status: int, retry_after: float | None = None):
        super().__init__(message, retryable=status in NOT_YET)
        self.status, self.retry_after = status, retry_after


class LoginRefused(BadStatus):
    """Raised when the PBX does not accept the account's login."""


class NoSound(ProviderError):
    """Raised when what the server sent is no sound.

    :param kind: its MIME type, '' if nobody knows
    """

    def __init__(self, kind: str):
        super().__init__(
            _("The recording's server sent %(kind)s, which is no sound.", kind=kind)
            if kind
            else _("The recording's server sent something that is no known kind of sound.")
        )


class TooLarge(ProviderError):
    """Raised when a sound is larger than the limit.

    :param size: in bytes, None if the server does not tell
    :param most: the limit, in bytes
    """

    def __init__(self, size: int | None, most: int):
        megabytes = 1024 * 1024
        super().__init__(
            _(
                "The recording has %(size)s MB, the limit is %(most)s.",
                size=-(-size // megabytes),
                most=most // megabytes,
            )
            if size
            else _(
                "The recording has more than %(most)s MB, which is the limit.",
                most=most // megabytes,
            )
        )


class DiskFull(ProviderError):
    """Raised when the sound finds no room on our own disk."""

    def __init__(self):
        super().__init__(
            _(
                "The server's disk has no room for the recording. Ask your administrator to make room."
            ),
            retryable=True,
        )


class BrokenOff(ProviderError):
    """Raised when the answer ends too early.

    :param sound: what came, as a :class:`Sound`
    """

    def __init__(self, sound: Sound):
        super().__init__(_("The recording's server broke off. Try again later."), retryable=True)
        self.sound = sound


class TooSlow(ProviderError):
    """Raised when the other server has used up its time."""

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
    """A fetched sound. `status` is 200, 206 or 416; `headers` are those that a player needs; `file`
    stands at its beginning and is deleted when it is closed; `size` in bytes; `sha256` as
    hexadecimal digits."""

    status: int
    headers: dict[str, str]
    file: BinaryIO
    size: int
    sha256: str

    @property
    def chunks(self) -> Iterator[bytes]:
        """The bytes of the file, which is closed at the end."""
        with self.file:
            while chunk := self.file.read(CHUNK):
                yield chunk


@dataclass(frozen=True)
class OwnServer:
    """The server of the PBX's own API. Addresses with exactly its scheme, name and port may be
    fetched with `headers`, which hold the login and go nowhere else, whatever redirects there are.
    `kind` is the type of its sound, if the server calls it something else."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    kind: str = ''

    def serves(self, url: str) -> bool:
        home = _origin(self.url)
        return home is not None and home == _origin(url)


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address, None if it is no plain http(s) address."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or '').rstrip('.'), parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    plain = parts.scheme in PORTS and host and parts.username is None and parts.password is None
    return (parts.scheme, host, port) if plain else None


def host_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Return whether a host is among the allowed ones. A leading dot allows all names below it."""
    host = host.lower().rstrip('.')
    return any(
        host == name or (name.startswith('.') and host.endswith(name))
        for name in (entry.strip().lower() for entry in allowed)
        if name
    )


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet: no loopback, private, link-local,
    CG-NAT, multicast, nor a v6 form of one of these."""
    ip = ipaddress.ip_address(address.split('%', 1)[0])
    inner = [getattr(ip, name, None) for name in ('ipv4_mapped', 'sixtofour')]
    if getattr(ip, 'teredo', None) or (
        ip.version == 6 and ip in ipaddress.ip_network('64:ff9b::/96')
    ):
        return False
    return all(
        part.is_global and not part.is_multicast and not part.is_reserved
        for part in [ip, *filter(None, inner)]
    )


def open_sound(
    url: str,
    allowed_hosts: Iterable[str],
    byte_range: str = '',
    limits: Limits = LISTENING,
    own: OwnServer | None = None,
) -> Sound:
    """Fetch a recording.

    :param byte_range: the player's Range header; without an end it gets a part
    :param own: the PBX, if its recordings need a login
    :raise BadStatus: the server does not give it; LoginRefused: not with this login
    :raise NoSound: the server gives something else
    :raise TooSlow: the server takes longer than `limits`, or than other requests would wait
    :raise TooLarge: there is more than `limits` allow
    :raise BrokenOff: there is less than the server has announced
    :raise DiskFull: there is no room for it here
    :raise ProviderError: the address is not allowed, or does not answer
    """
    allowed_hosts = tuple(allowed_hosts)
    begin = time.monotonic()
    for _hop in range(MAX_REDIRECTS + 1):
        at_home = own if own and own.serves(url) else None
        with _get(url, allowed_hosts, _part(byte_range), at_home, begin + ANSWER_SECONDS) as line:
            if line.answer.status not in (301, 302, 303, 307, 308):
                return _sound(line, url, Limits(begin + limits.seconds, limits.most), at_home)
            url = urljoin(url, line.answer.getheader('Location', ''))
    raise ProviderError(
        _("The recording's address leads on to others too often, so it is not followed.")
    )


def _part(byte_range: str) -> str:
    """Return the Range header to send for that of a player. '' asks for the whole: an answer that
    is allowed to a range which is not one simple range."""
    match = _RANGE.fullmatch(byte_range.strip())
    if not match:
        return ''
    first = int(match[1])
    most = first + PART - 1
    return f'bytes={first}-{min(int(match[2]), most) if match[2] else most}'


class _Line:
    """A connection on which all bytes must come before `deadline`, however the other server spreads
    them, because the time-out of a socket is for each byte anew. It has what HTTPConnection needs
    of a socket."""

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
        """Stay open: HTTPConnection closes its socket before the answer is read."""


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
    """Ask for an address; the connection that is returned has the beginning of the answer."""
    if not (origin := _origin(url)):
        raise ProviderError(
            _("The recording's address is no plain web address, so it is not opened.")
        )
    scheme, host, port = origin
    if not own and not host_allowed(host, allowed_hosts):
        raise ProviderError(
            _(
                "Recordings are not fetched from %(host)s: it is not among the recording hosts of this PBX. "
                "An administrator can add it on the PBX's form.",
                host=host,
            )
        )
    address = _resolve(host, port, inside=bool(own))
    line = None
    try:
        line = _connect(scheme, host, address, port, deadline)
        line.answer = _answer(line, url, _headers(byte_range, own))
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


def _headers(byte_range: str, own: OwnServer | None) -> dict[str, str]:
    headers = {
        'User-Agent': requests.utils.default_user_agent(),
        'Accept': '*/*',
        'Connection': 'close',
    }
    if own:
        headers.update(own.headers)
    if byte_range:
        headers['Range'] = byte_range
    return headers


def _answer(line: _Line, url: str, headers: Mapping[str, str]) -> HTTPResponse:
    """Send the request on a connection and read the headers of the answer."""
    parts, (scheme, host, port) = urlsplit(url), _origin(url)
    name = f'[{host}]' if ':' in host else host.encode('idna').decode()
    connection = HTTPConnection(name, port, timeout=ANSWER_SECONDS)
    connection.default_port = PORTS[scheme]  # any other stands in the Host header
    connection.sock = line
    path = urlunsplit(('', '', parts.path or '/', parts.query, ''))
    connection.request('GET', requests.utils.requote_uri(path), headers=headers)
    return connection.getresponse()


def _connect(scheme: str, host: str, address: str, port: int, deadline: float) -> _Line:
    """Connect to an address, but check the certificate of the host's name."""
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
    """Resolve a host to one address. All its addresses must be public, unless it may be `inside`."""
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


def _sound(line: _Line, url: str, until: Limits, own: OwnServer | None) -> Sound:
    """Fetch the sound of an answer that has begun.

    :param until: the limits; their seconds are a moment of the monotonic clock
    """
    answer = line.answer
    _check_status(answer, own)
    kind = _kind_of(answer, url, own)
    headers = {
        name: value
        for name in ('Content-Range', 'Accept-Ranges')
        if (value := answer.getheader(name))
    }
    digest, size, is_whole = hashlib.sha256(), 0, True
    expected = 0 if answer.status == 416 else answer.length or 0
    try:
        with ExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
            if answer.status != 416:
                size, is_whole = _fetch(line, file, digest, until)
            file.seek(0)
            stack.pop_all()
    except OSError:
        raise DiskFull from None
    headers.update({'Content-Length': str(size), 'Content-Type': kind})
    sound = Sound(answer.status, headers, file, size, digest.hexdigest())
    if not is_whole or size < expected:
        raise BrokenOff(sound)
    return sound


def _check_status(answer: HTTPResponse, own: OwnServer | None) -> None:
    """:raise BadStatus: an answer with this status holds no sound"""
    status = answer.status
    if own and status in (401, 403):
        raise LoginRefused(
            _(
                "The PBX does not give this recording with the login of this account (%(code)s). Check the login on its form.",
                code=status,
            ),
            status,
        )
    if status not in (200, 206, 416):
        raise BadStatus(
            _(
                "The recording's server answered with code %(code)s. It may have deleted the recording, or not have it yet.",
                code=status,
            ),
            status,
            _retry_after(answer),
        )


def _retry_after(answer: HTTPResponse) -> float | None:
    """Return in how many seconds the server wants to be asked again, None if it does not say."""
    told = answer.getheader('Retry-After', '').strip()
    if re.fullmatch(r'\d{1,9}', told, re.ASCII):
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=moment.tzinfo or timezone.utc)
    return max((moment - datetime.now(timezone.utc)).total_seconds(), 0.0)


def _kind_of(answer: HTTPResponse, url: str, own: OwnServer | None) -> str:
    """Return the content type that a browser is given for an answer.

    :raise NoSound: the answer is no sound
    """
    told = answer.getheader('Content-Type', '').split(';')[0].strip().lower()
    if kind := AUDIO_TYPES.get(told):
        return kind
    if own and own.kind and told != 'text/html':
        return own.kind
    if told in UNNAMED_TYPES:
        path = urlsplit(url).path.lower()
        kinds = (kind for suffix, kind in SUFFIX_TYPES.items() if path.endswith(suffix))
        return next(kinds, 'audio/mpeg')
    if answer.status == 416:
        return 'audio/mpeg'
    raise NoSound(told)


def _fetch(line: _Line, sound: BinaryIO, digest, until: Limits) -> tuple[int, bool]:
    """Read the whole answer into `sound`, and return its size in bytes and whether it ended as it
    should.

    :param digest: of hashlib; made of the bytes on their way
    :raise ProviderError: the answer is too long or too slow
    :raise OSError: `sound` takes no more
    """
    answer, size, seen = line.answer, 0, 0
    if answer.length and answer.length > until.most:
        raise TooLarge(answer.length, until.most)
    while True:
        if not seen:
            line.deadline = min(until.seconds, time.monotonic() + PACE_SECONDS)
        try:
            chunk = answer.read1(CHUNK)
        except (HTTPException, OSError, ValueError):
            return size, False
        if not chunk:
            return size, True
        sound.write(chunk)
        digest.update(chunk)
        size += len(chunk)
        seen = seen + len(chunk) if seen + len(chunk) < LEAST_PACE * PACE_SECONDS else 0
        if size > until.most:
            raise TooLarge(None, until.most)
