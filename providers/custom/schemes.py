"""How a delivery shows that it is genuine: the schemes that a template may name.

The secret is on the account, never in the template. All comparisons take constant time, and a
secret that is not entered refuses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import time

from .. import signing
from ..base import NO_SECRET, Account, ProviderError, Refused, WebhookRequest, _
from .documents import json_document, jwt_claims, read, request_parts, unbase64url
from .language import Authentication, Scheme, Template
from .operations import text_of
from .paths import Path, Scope

WRONG = signing.WRONG_SIGNATURE


def require(template: Template, request: WebhookRequest, account: Account) -> None:
    """Check that a request is genuine by a template.

    :raise Refused: it is not, or no secret is entered to check it with
    """
    check(template.authentication, template, request, account)


def check(
    authentication: Authentication,
    template: Template | None,
    request: WebhookRequest,
    account: Account,
) -> None:
    """Check that a request is genuine. `template` is None if only its authentication is sound: then
    no scheme fits that has to read the body.

    :raise Refused: it is not
    """
    _require_sender(authentication, request, account)
    refusals = []
    for scheme in authentication.schemes:
        try:
            if scheme.kind != 'address_only' and not account.api_secret:
                raise Refused(NO_SECRET)
            SCHEMES[scheme.kind](scheme, template, request, account)
            return
        except Refused as refusal:
            refusals.append(refusal)
        except ProviderError:  # a body that cannot be read shows nothing
            refusals.append(Refused(WRONG))
    raise refusals[0]


def _require_sender(
    authentication: Authentication, request: WebhookRequest, account: Account
) -> None:
    senders = account.senders or authentication.senders
    if not senders:
        return
    try:
        sender = ipaddress.ip_address(request.remote_addr)
        if any(sender in ipaddress.ip_network(known, strict=False) for known in senders):
            return
    except ValueError:
        pass
    raise Refused(
        _(
            "This address may not deliver: %(address)s. If it is the PBX's, add it to the senders on the PBX's form.",
            address=request.remote_addr[:50] or '–',
        )
    )


def _hmac(scheme: Scheme, template, request: WebhookRequest, account: Account) -> None:
    given, stamp = _given(scheme, request)
    mac = hmac.new(
        account.api_secret.encode(),
        _signed(scheme, template, request, account, stamp),
        ALGORITHMS[scheme.algorithm],
    )
    expected = {
        'hex': mac.hexdigest(),
        'base64': signing.base64_text(mac.digest()),
        'base64-of-hex': signing.base64_text(mac.hexdigest().encode()),
    }[scheme.encoding]
    given = given.lower() if scheme.encoding == 'hex' else given
    if not signing.same(given, expected):
        raise Refused(WRONG)


ALGORITHMS = {'sha1': hashlib.sha1, 'sha256': hashlib.sha256, 'sha512': hashlib.sha512}


def _given(scheme: Scheme, request: WebhookRequest) -> tuple[str, str]:
    """Return the signature that was sent, and the timestamp beside it ('' if the scheme has none).

    :raise Refused: the header is missing, or the timestamp too old
    """
    given = request.headers.get(scheme.header, '').strip()
    if not given:
        raise signing.no_header(scheme.header)
    stamp = request.headers.get(scheme.timestamp_header, '').strip()
    if scheme.is_structured:
        parts = dict(part.strip().partition('=')[::2] for part in given.split(','))
        given, stamp = parts.get('v1', ''), parts.get('t', stamp)
    elif scheme.prefix:
        if not given.startswith(scheme.prefix):
            raise Refused(WRONG)
        given = given[len(scheme.prefix) :]
    if scheme.is_structured or scheme.timestamp_header:
        require_fresh(stamp, scheme.tolerance)
    return given, stamp


def require_fresh(stamp: str, tolerance: int) -> None:
    """Check a timestamp in Unix seconds or milliseconds, so that nobody sends an old delivery again.

    :raise Refused: it is missing, or further from now than `tolerance` seconds
    """
    try:
        moment = float(stamp)
    except ValueError:
        raise Refused(_("The timestamp of the signature is missing.")) from None
    if moment > 10**11:
        moment /= 1000
    if not abs(time.time() - moment) <= tolerance:
        raise Refused(
            _(
                "The signature is too old or too new. Are the clocks of the PBX and of this server right?"
            )
        )


def _signed(
    scheme: Scheme, template, request: WebhookRequest, account: Account, stamp: str
) -> bytes:
    """Return what the sender has signed."""
    if scheme.fields:
        scope = _scope(template, request)
        return ''.join(
            text_of(path.first(scope), path.text) or '' for path in scheme.fields
        ).encode('utf-8', 'surrogatepass')
    before = {
        'body': '',
        'url+body': _address(request, account),
        'timestamp.body': f'{stamp}.',
        'timestamp|body': f'{stamp}|',
    }[scheme.over]
    return before.encode('utf-8', 'surrogatepass') + request.body


def _address(request: WebhookRequest, account: Account) -> str:
    """Return the address to which the sender has posted: the public one, which a proxy changes."""
    own, mark, query = request.url.partition('?')
    if account.webhook_url:
        own = '/'.join(filter(None, (account.webhook_url, request.suffix)))
    return own + mark + query


def _scope(template: Template | None, request: WebhookRequest) -> Scope:
    """Return what the paths of an unverified request can reach.

    :raise ProviderError: its body cannot be read
    """
    if not template:
        raise ProviderError(WRONG)
    _kind, document = read(template.request, request)
    return Scope(document, document, request_parts(template, request))


def _basic(scheme, template, request: WebhookRequest, account: Account) -> None:
    signing.require_login(request, account.api_key, account.api_secret)


def _bearer(scheme, template, request: WebhookRequest, account: Account) -> None:
    given = request.headers.get('authorization', '').strip()
    if not given.lower().startswith('bearer '):
        raise signing.no_header('Authorization')
    if not signing.same(given[7:].strip(), account.api_secret):
        raise Refused(WRONG)


def _header(scheme: Scheme, template, request: WebhookRequest, account: Account) -> None:
    given = request.headers.get(scheme.header, '').strip()
    if not given:
        raise signing.no_header(scheme.header)
    if not signing.same(given, scheme.prefix + account.api_secret):
        raise Refused(WRONG)


def _field(scheme: Scheme, template, request: WebhookRequest, account: Account) -> None:
    path: Path = scheme.path
    given = text_of(path.first(_scope(template, request)), path.text)
    if not given:
        raise Refused(_("The field %(field)s with the secret is missing.", field=path.text))
    if not signing.same(given, account.api_secret):
        raise Refused(WRONG)


def _jwt(scheme: Scheme, template, request: WebhookRequest, account: Account) -> None:
    """HS256 alone: another algorithm, `none` above all, is what a forger would choose."""
    if scheme.place == 'body':
        token = request.body.decode('utf-8', 'replace').strip()
    else:
        token = request.headers.get('authorization', '').strip()
        token = token[7:].strip() if token.lower().startswith('bearer ') else ''
        if not token:
            raise signing.no_header('Authorization')
    head, _dot, signature = token.rpartition('.')
    if token.count('.') != 2:
        raise Refused(WRONG)
    header = json_document(unbase64url(head.partition('.')[0]), _("the JWT"))
    if not isinstance(header, dict) or header.get('alg') != 'HS256':
        raise Refused(WRONG)
    mac = hmac.new(
        account.api_secret.encode(), head.encode('utf-8', 'surrogatepass'), hashlib.sha256
    )
    expected = base64.urlsafe_b64encode(mac.digest()).rstrip(b'=').decode()
    if not signing.same(signature.rstrip('='), expected):
        raise Refused(WRONG)
    claims = jwt_claims(token)
    claims = claims if isinstance(claims, dict) else {}
    now = time.time()
    for name, is_right in (
        ('exp', lambda at: now <= at + scheme.tolerance),
        ('nbf', lambda at: now >= at - scheme.tolerance),
    ):
        at = claims.get(name)
        if at is not None and not (isinstance(at, (int, float)) and is_right(at)):
            raise Refused(_("The token is not valid at this time."))
    if scheme.place == 'header' and (scheme.needs_payload_hash or 'payload_hash' in claims):
        told = str(claims.get('payload_hash') or '').lower()
        if request.body and not signing.same(told, hashlib.sha256(request.body).hexdigest()):
            raise Refused(WRONG)


def _ed25519(scheme: Scheme, template, request: WebhookRequest, account: Account) -> None:
    """The secret of the account is the PBX's public key, in base64 or hex."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise Refused(
            _(
                "This template needs the Python package cryptography, which the server lacks. Ask its administrator."
            )
        ) from None
    given, stamp = _given(scheme, request)
    try:
        key = _raw(account.api_secret)
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(
            _raw(given), _signed(scheme, template, request, account, stamp)
        )
    except Exception:  # noqa: BLE001 - a wrong signature and a wrong key have many names there
        raise Refused(WRONG) from None


def _raw(text: str) -> bytes:
    text = text.strip()
    try:
        return bytes.fromhex(text)
    except ValueError:
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return b''


SCHEMES = {
    'hmac': _hmac,
    'basic': _basic,
    'bearer': _bearer,
    'header': _header,
    'field': _field,
    'jwt': _jwt,
    'ed25519': _ed25519,
    'address_only': lambda scheme, template, request, account: None,
}
