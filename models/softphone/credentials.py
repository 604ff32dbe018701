"""What a browser needs to be a phone, computed of what an administrator has entered. Pure."""

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

# Relays take a login for so long (hours): the longest working day.
TURN_HOURS = 8
ICE_SERVER = re.compile(r'(stun|turn)s?:[^\s/?]+(\?transport=(udp|tcp))?')


def ha1(login: str, realm: str, password: str) -> str:
    """Return what stands for a password in SIP's digest: it opens this phone at this PBX and nothing
    else."""
    digest = hashlib.md5(f'{login}:{realm}:{password}'.encode(), usedforsecurity=False)
    return digest.hexdigest()


def turn_login(secret: str, user_id: int, now: datetime) -> dict[str, str]:
    """Return a login for a TURN server that knows the secret. It ends by itself."""
    until = int((now + timedelta(hours=TURN_HOURS)).timestamp())
    username = f'{until}:{user_id}'
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {'username': username, 'credential': base64.b64encode(digest).decode()}


def servers(text: str) -> list[str]:
    """Return the addresses in a text that separates them by commas, spaces or lines."""
    return [part for part in re.split(r'[,;\s]+', text or '') if part]


def is_ice_server(address: str) -> bool:
    return bool(ICE_SERVER.fullmatch(address))


def is_safe_websocket(url: str) -> bool:
    """Return whether nobody on the way hears what goes to this address: it is encrypted, or does not
    leave the machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ''
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == 'wss' or parts.scheme == 'ws' and host in ('localhost', '127.0.0.1', '::1')
    )
