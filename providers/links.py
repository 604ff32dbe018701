"""Recording links that a PBX tells in its events, before anything is fetched (see fetch.py for
that)."""

import re
from urllib.parse import urlsplit


def link_of(text: str, has_https: bool = False) -> str:
    """The address of a recording, '' where it is no plain https address. It never makes an event
    fail: what else the event tells stands, whatever its link leads to.

    :param has_https: the PBX writes http of hosts that have https

    Whether the host may be asked is settled when somebody listens, with the hosts that the
    administrator has entered by then: events of PBXs that sign nothing must not lead us or a
    listener elsewhere.
    """
    text = text.strip()
    if has_https:
        text = re.sub('^http:', 'https:', text, flags=re.IGNORECASE)
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or '', parts.port
    except ValueError:
        return ''
    plain = parts.scheme == 'https' and host and parts.username is None and parts.password is None
    return text if plain else ''
