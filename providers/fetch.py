"""Fetching an address that came from outside (a recording link) without letting it lead anywhere else.

Only hosts that the admin or the adapter has named, only public addresses, no credentials. The name is resolved once and
the connection goes to the address that was checked, so a name server cannot answer differently the second time.

The one exception is the PBX itself: the admin has entered the address of its API, every command goes there with the account's
credentials, and it may stand beside us. See :class:`OwnServer`.
"""
from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from .base import ProviderError, _

TIMEOUT, TOTAL_SECONDS = 15, 600
MAX_REDIRECTS = 3
# Statuses after which the same file may be there later.
NOT_YET = (404, 429, 500, 502, 503, 504)
MAX_BYTES = 200 * 1024 * 1024
CHUNK = 64 * 1024
PORTS = {'http': 80, 'https': 443}
# What a browser may be given as sound; anything else is not a recording.
AUDIO_TYPES = {
    'audio/mpeg': 'audio/mpeg', 'audio/mp3': 'audio/mpeg', 'audio/wav': 'audio/wav', 'audio/x-wav': 'audio/wav',
    'audio/wave': 'audio/wav', 'audio/vnd.wave': 'audio/wav', 'audio/ogg': 'audio/ogg', 'application/ogg': 'audio/ogg',
    'audio/mp4': 'audio/mp4', 'audio/aac': 'audio/aac', 'audio/webm': 'audio/webm', 'audio/x-m4a': 'audio/mp4',
    'audio/opus': 'audio/ogg', 'audio/flac': 'audio/flac', 'audio/gsm': 'audio/gsm',
}
# Servers that do not say what a file is; its name does.
UNNAMED_TYPES = {'', 'application/octet-stream', 'binary/octet-stream', 'application/x-download', 'application/force-download'}
SUFFIX_TYPES = {'.mp3': 'audio/mpeg', '.wav': 'audio/wav', '.ogg': 'audio/ogg', '.m4a': 'audio/mp4', '.webm': 'audio/webm'}


class LoginRefused(ProviderError):
    """The PBX knows who asks, or does not any more, and refuses."""


@dataclass(frozen=True)
class Sound:
    """An open answer: `status` is 200, 206 or 416; `headers` are what a player needs; `chunks` closes what it reads."""
    status: int
    headers: dict[str, str]
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class OwnServer:
    """The PBX's own API. What lies there, under exactly this scheme, name and port, may be fetched with `headers`; they go
    nowhere else, whatever redirects there are. `kind` is the type of its sound, where it calls that something else."""
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
    return any(host == one or (one.startswith('.') and host.endswith(one)) for one in
               (entry.strip().lower() for entry in allowed) if one)


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet: no loopback, private, link-local, CG-NAT, multicast, nor a
    v6 form of one of these."""
    ip = ipaddress.ip_address(address.split('%', 1)[0])
    inner = [getattr(ip, name, None) for name in ('ipv4_mapped', 'sixtofour')]
    if getattr(ip, 'teredo', None) or (ip.version == 6 and ip in ipaddress.ip_network('64:ff9b::/96')):
        return False
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in [ip, *filter(None, inner)])


def open_sound(url: str, allowed_hosts: Iterable[str], byte_range: str = '', own: OwnServer | None = None) -> Sound:
    """Open a recording for playing.

    :param byte_range: the player's Range header, passed on
    :param own: the PBX, if its recordings need a login
    :raise LoginRefused: the PBX does not accept the login
    :raise ProviderError: the address is not allowed, does not answer, or is no sound
    """
    allowed_hosts = tuple(allowed_hosts)
    deadline = time.monotonic() + TOTAL_SECONDS
    for _hop in range(MAX_REDIRECTS + 1):
        at_home = own if own and own.serves(url) else None
        answer = _get(url, allowed_hosts, byte_range, at_home)
        if answer.status_code not in (301, 302, 303, 307, 308):
            return _sound(answer, url, deadline, at_home)
        answer.close()
        url = urljoin(url, answer.headers.get('Location', ''))
    raise ProviderError(_("The recording's address leads on to others too often, so it is not followed."))


def _get(url: str, allowed_hosts: tuple[str, ...], byte_range: str, own: OwnServer | None) -> requests.Response:
    if not (origin := _origin(url)):
        raise ProviderError(_("The recording's address is no plain web address, so it is not opened."))
    parts, (_scheme, host, port) = urlsplit(url), origin
    if not own and not host_allowed(host, allowed_hosts):
        raise ProviderError(_(
            "Recordings are not fetched from %(host)s: it is not among the recording hosts of this PBX. An administrator can "
            "add it on the PBX's form.", host=host))
    address = _resolve(host, port, inside=bool(own))
    netloc = f'[{address}]:{port}' if ':' in address else f'{address}:{port}'
    session = requests.Session()
    session.trust_env = False       # a proxy or netrc of the server's environment would undo the checks
    session.mount('https://', _NamedAdapter(host))
    headers = {'Host': host if port == PORTS[parts.scheme] else f'{host}:{port}', 'Accept-Encoding': 'identity'}
    if own:
        headers.update(own.headers)
    if byte_range:
        headers['Range'] = byte_range
    try:
        return session.get(
            parts._replace(netloc=netloc, fragment='').geturl(), headers=headers, stream=True, allow_redirects=False,
            timeout=TIMEOUT)
    except requests.RequestException:
        raise ProviderError(_(
            "%(host)s, where the recording lies, does not answer. Try again later.", host=host), retryable=True) from None


class _NamedAdapter(HTTPAdapter):
    """Connects to an address, but asks for the certificate of the name."""

    def __init__(self, host):
        self._host = host
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, server_hostname=self._host, assert_hostname=self._host, **kwargs)


def _resolve(host: str, port: int, inside: bool = False) -> str:
    """One address of the host, after all of them were found public, unless it may be `inside`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProviderError(_(
            "%(host)s, where the recording lies, is not known to the name servers. Try again later.", host=host),
            retryable=True) from None
    addresses = [entry[4][0] for entry in found]
    if not addresses or not (inside or all(is_public(address) for address in addresses)):
        raise ProviderError(_(
            "%(host)s, where the recording lies, leads into a private network, so it is not opened.", host=host))
    return addresses[0]


def _sound(answer: requests.Response, url: str, deadline: float, own: OwnServer | None) -> Sound:
    if own and answer.status_code in (401, 403):
        answer.close()
        raise LoginRefused(_(
            "The PBX does not give this recording with the login of this account (%(code)s). Check the login on its form.",
            code=answer.status_code))
    if answer.status_code not in (200, 206, 416):
        answer.close()
        raise ProviderError(_(
            "The recording's server answered with code %(code)s. It may have deleted the recording, or not have it yet.",
            code=answer.status_code), retryable=answer.status_code in NOT_YET)
    told = answer.headers.get('Content-Type', '').split(';')[0].strip().lower()
    path = urlsplit(url).path.lower()
    kind = AUDIO_TYPES.get(told)
    if not kind and own and own.kind and told != 'text/html':
        kind = own.kind
    elif not kind and told in UNNAMED_TYPES:
        kind = next((kind for suffix, kind in SUFFIX_TYPES.items() if path.endswith(suffix)), 'audio/mpeg')
    if not kind and answer.status_code != 416:
        answer.close()
        raise ProviderError(_(
            "The recording's server sent something that is no sound (%(kind)s).", kind=told or '?'))
    headers = {name: answer.headers[name] for name in ('Content-Length', 'Content-Range', 'Accept-Ranges')
               if name in answer.headers}
    return Sound(answer.status_code, {**headers, 'Content-Type': kind or 'audio/mpeg'}, _chunks(answer, deadline))


def _chunks(answer: requests.Response, deadline: float) -> Iterator[bytes]:
    """The bytes, no more and no longer than a recording can be."""
    total = 0
    with answer:
        for chunk in answer.iter_content(CHUNK):
            total += len(chunk)
            if total > MAX_BYTES or time.monotonic() > deadline:
                return
            yield chunk
