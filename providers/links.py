"""Recording links that a PBX tells in its events, before anything is fetched (see fetch.py for that)."""
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from .base import ProviderError, _, text_of
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
        raise ProviderError(_("%(field)s is no address: %(text)s", field=name, text=url[:100])) from None
    if parts.scheme != 'https' or parts.username is not None or parts.password is not None:
        raise ProviderError(_("%(field)s is no plain https address: %(text)s", field=name, text=url[:100]))
    if not host_allowed(host, hosts):
        raise ProviderError(_("%(field)s leads to %(host)s, which is no host of this PBX.", field=name, host=host[:100]))
    return url
