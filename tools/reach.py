"""From where an address can be reached, as far as the address itself tells."""

import ipaddress
from urllib.parse import urlsplit

# Ends of names that only a local network knows, by RFC 2606, RFC 6762 and RFC 8375. So are names
# without a dot.
LOCAL_NAMES = (
    '.local',
    '.localhost',
    '.internal',
    '.intranet',
    '.lan',
    '.home',
    '.home.arpa',
    '.test',
    '.invalid',
    '.example',
)


def reach_of(url: str) -> str:
    """Return who can reach the host of an address: 'machine' (only the server itself), 'network'
    (only its own network), 'world', or '' if the address has no host. Names are not resolved, so a
    public name counts as 'world'."""
    try:
        host = (urlsplit(url).hostname or '').rstrip('.')
    except ValueError:
        return ''
    if not host:
        return ''
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host == 'localhost' or host.endswith('.localhost'):
            return 'machine'
        return 'network' if '.' not in host or host.endswith(LOCAL_NAMES) else 'world'
    if address.is_loopback or address.is_unspecified:
        return 'machine'
    return 'world' if address.is_global else 'network'


def is_encrypted(url: str) -> bool:
    return url.lower().startswith('https://')
