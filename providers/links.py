"""Checks recording links in the events of a PBX, before anything is fetched (that is fetch.py's
part)."""

import re
from urllib.parse import urlsplit


def link_of(text: str, has_https: bool = False) -> str:
    """Return the address of a recording, '' if it is no plain https address. A bad link never makes
    its event fail, because everything else in the event may be right.

    :param has_https: whether the PBX writes http for hosts that have https

    Whether the host may be asked is decided when somebody listens, with the recording hosts that
    the administrator has entered by then, because an event that nobody signed must not lead a
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
