"""HTTP, with the standard library alone."""

import http.client
import ipaddress
import socket
import urllib.parse
from dataclasses import dataclass

from .providers.dialects import Request

TIMEOUT_SECONDS = 60


class NotDelivered(Exception):
    """A request that the server did not answer with 200."""


@dataclass(frozen=True)
class Webhook:
    """The address that a PBX posts to."""

    url: str

    def post(self, request: Request) -> str:
        """Deliver; gives the body of the answer.

        :raise NotDelivered: another status than 200, or no answer
        """
        parts = urllib.parse.urlsplit(self.url)
        connect = {'http': http.client.HTTPConnection, 'https': http.client.HTTPSConnection}.get(
            parts.scheme
        )
        if not connect or not parts.hostname:
            raise NotDelivered(f'{self.url} is no http address')
        connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        query = '&'.join(filter(None, (parts.query, request.query)))
        path = (
            parts.path
            + (f'/{request.suffix}' if request.suffix else '')
            + (f'?{query}' if query else '')
        )
        try:
            connection.request(request.method, path, request.body, request.headers)
            answer = connection.getresponse()
            text = answer.read(4096).decode('utf-8', 'replace')
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(f'{parts.hostname} does not answer: {error}') from None
        finally:
            connection.close()
        if answer.status != 200:
            raise NotDelivered(f'{answer.status} {answer.reason}: {text[:200]}')
        return text


def is_loopback(url: str) -> bool:
    """Whether all that this address resolves to is this machine."""
    host = urllib.parse.urlsplit(url).hostname or ''
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)
