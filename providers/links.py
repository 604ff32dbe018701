"""Recording links that a PBX tells in its events, before anything is fetched (see fetch.py for that)."""
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from .base import ProviderError, text_of
from .fetch import host_allowed


def link_of(payload: Mapping, name: str, hosts: Iterable[str], required: bool = False) -> str:
    """A field with an address, '' when it is empty. Only https and only the PBX's own hosts: events of PBXs that sign
    nothing must not lead us or a listener elsewhere.

    :raise ProviderError: the address is another one, or it is required and empty
    """
    url = text_of(payload, name, required)
    if not url:
        return ''
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or '', parts.port
    except ValueError:
        raise ProviderError(f"{name} is no address: {url[:100]}") from None
    if parts.scheme != 'https' or parts.username is not None or parts.password is not None:
        raise ProviderError(f"{name} is no plain https address: {url[:100]}")
    if not host_allowed(host, hosts):
        raise ProviderError(f"{name} leads to {host[:100]}, which is no host of this PBX")
    return url
