"""Computes and checks signatures, as pure functions of what was sent and the secret. All comparisons
take constant time."""

import base64
import hashlib
import hmac

from .base import Refused, WebhookRequest, _

HEADER = 'x-telephony-signature'
WRONG_SIGNATURE = _("The signature is wrong. Enter the same secret here and in the PBX.")


def no_header(name: str) -> Refused:
    return Refused(
        _("The header %(header)s is missing. Does the sender sign what it sends?", header=name)
    )


def same(given: str, expected: str) -> bool:
    """Compare two texts in constant time; `given` may be any text."""
    return hmac.compare_digest(given.encode('utf-8', 'surrogateescape'), expected.encode())


def hmac_sha256(secret: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of a raw body as lower-case hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def hmac_sha1(secret: str, text: str) -> bytes:
    """Return the HMAC-SHA1 of a text, as bytes."""
    return hmac.new(secret.encode(), text.encode('utf-8', 'surrogatepass'), hashlib.sha1).digest()


def base64_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode('ascii')


def basic(user: str, password: str) -> str:
    """Return the Authorization header of HTTP basic authentication."""
    return f"Basic {base64_text(f'{user}:{password}'.encode())}"


def require_login(request: WebhookRequest, user: str, password: str) -> None:
    """Check HTTP basic authentication, for senders that can do no better.

    :raise Refused: the login is missing or wrong
    """
    given = request.headers.get('authorization', '').strip()
    if not given.lower().startswith('basic '):
        raise Refused(
            _(
                "The login (HTTP basic authentication) is missing. Enter user and password in the PBX."
            )
        )
    if not same(given[6:].strip(), base64_text(f'{user}:{password}'.encode())):
        raise Refused(
            _("The login is wrong. Enter the same user and password here and in the PBX.")
        )


def require_hmac(request: WebhookRequest, secret: str) -> None:
    """Check the scheme of senders that sign for this addon: `X-Telephony-Signature: sha256=<hex
    HMAC-SHA256 of the raw body>`.

    :raise Refused: the header is missing or wrong
    """
    given = request.headers.get(HEADER, '').strip()
    if not given:
        raise no_header("X-Telephony-Signature")
    if not same(given, 'sha256=' + hmac_sha256(secret, request.body)):
        raise Refused(WRONG_SIGNATURE)
