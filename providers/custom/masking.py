"""Takes the secrets out of a captured request before anything of it is written.

What is masked: headers that log somebody in, every header and field whose name speaks of a secret,
and every text that holds a secret which Odoo knows. In its place stands a mark with a salted hash, so
that it can still be said whether it is the same in all requests and whether a secret fits it. Signatures
are kept, because they reveal nothing and a scheme can be tried only with them."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode

from ..base import MAX_DEPTH, WebhookRequest

LOGIN_HEADERS = {'authorization', 'cookie', 'set-cookie', 'proxy-authorization'}
# What the way to us adds to a request, which says nothing about the PBX.
OF_THE_WAY = {'host', 'connection', 'content-length', 'accept-encoding', 'x-forwarded-for'}
OF_THE_WAY |= {'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'}
_SECRET_NAME = re.compile('token|secret|key|passw|auth|sign', re.IGNORECASE)
_SIGNATURE_NAME = re.compile('sign', re.IGNORECASE)
# A digest of SHA-1, SHA-256 or SHA-512 in hex or base64, behind a prefix (sha256=…, t=…,v1=…).
_DIGEST = re.compile(
    r'(?:[\w.-]{1,12}=(?:\d{1,14},))?(?:[\w.-]{1,12}=)?'
    r'(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}|[\w+/-]{27}=|[\w+/-]{43}=|[\w+/-]{86}==|[\w+/]{54}==|[\w+/]{88})',
    re.IGNORECASE,
)
# A name and its value in a text that is neither JSON, XML nor a form.
_PAIR = re.compile(
    r'(?<![\w.-])(?P<name>[\w.-]{0,60}?(?:token|secret|key|passw|auth|sign)[\w.-]{0,60}["\']?\s{0,9}[:=]\s{0,9}["\']?)'
    r'(?P<value>[^\s"\'&,;}<]+)',
    re.IGNORECASE,
)
_XML_PART = re.compile(r'<!\[CDATA\[.*?\]\]>|<[^<>]*>|[^<]+|<', re.DOTALL)
_XML_ATTRIBUTE = re.compile(r'([\w:.-]+)(\s*=\s*)("[^"<]*"|\'[^\'<]*\')')
# A secret of ours that is shorter is looked for as a whole value only: it is in every other text.
FINDABLE = 8
MARK = 'masked:'


def mark(value: str, salt: bytes) -> str:
    """Return what stands in the place of a secret: equal for equal secrets of one account."""
    return MARK + hashlib.sha256(salt + value.encode('utf-8', 'surrogatepass')).hexdigest()[:32]


def is_marked(value) -> bool:
    return isinstance(value, str) and MARK in value


def masked(request: WebhookRequest, secrets: Iterable[str], salt: bytes) -> dict:
    """Return a request as plain data that may be stored, without any secret.

    :param secrets: all secrets that Odoo knows: they are masked wherever they stand
    :param salt: of the account, see :func:`mark`
    """
    mask = _Mask(secrets, salt)
    form = mask.pairs(request.form)
    body = request.body.decode('utf-8', 'surrogateescape')
    if request.form and form != _plain(request.form):
        body = urlencode(form, doseq=True, errors='surrogatepass')
    elif not request.form:
        body = mask.text(body)
    if request.form and 'multipart' in request.headers.get('content-type', ''):
        body = ''
    return {
        'method': request.method,
        'suffix': mask.text(request.suffix),
        'headers': {
            name: mask.header(name, value)
            for name, value in request.headers.items()
            if name not in OF_THE_WAY
        },
        'query': mask.pairs(request.query),
        'form': form,
        'body': body,
        'remote_addr': request.remote_addr,
    }


def unmasked_body(request: WebhookRequest, stored: Mapping) -> bool:
    """Return whether the body is stored as it came, so that a signature over it can be tried."""
    return stored['body'].encode('utf-8', 'surrogateescape') == request.body


def restored(stored: Mapping, url: str = '') -> WebhookRequest:
    """Return the request of which :func:`masked` made this, with marks in the place of secrets."""
    return WebhookRequest(
        **{**stored, 'body': stored['body'].encode('utf-8', 'surrogateescape')}, url=url
    )


class _Mask:
    def __init__(self, secrets, salt):
        known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self.salt, self.whole = salt, set(known)
        self.parts = [secret for secret in known if len(secret) >= FINDABLE]

    def mark(self, value):
        return value if is_marked(value) else mark(value, self.salt)

    def header(self, name, value):
        if name in LOGIN_HEADERS:
            # the word before it says which kind of login it is
            scheme, blank, rest = value.partition(' ')
            return f'{scheme} {self.mark(rest)}' if blank and scheme.isalpha() else self.mark(value)
        return self.value(name, value)

    def pairs(self, fields):
        return {
            self.text(name): [self.value(name, value) for value in values]
            for name, values in fields.items()
        }

    def value(self, name, value, is_secret=False, depth=0):
        """Return a value without secrets.

        :param is_secret: whether something around it is called a secret
        """
        if depth > MAX_DEPTH:
            return self.mark(str(value))
        is_secret = is_secret or bool(_SECRET_NAME.search(name))
        if isinstance(value, Mapping):
            return {
                self.text(key): self.value(key, item, is_secret, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value('', item, is_secret, depth + 1) for item in value]
        if value is None or isinstance(value, bool) or value == '':
            return value
        text = value if isinstance(value, str) else str(value)
        is_ours = any(part in text for part in self.parts) or text in self.whole
        if is_secret and (is_ours or not (_SIGNATURE_NAME.search(name) and _is_digest(text))):
            return self.mark(text)
        if not isinstance(value, str):
            return self.mark(text) if text in self.whole else value
        return self.text(text, depth + 1)

    def text(self, text, depth=0):
        """Return a text without secrets, whatever is packed into it; the text itself if it holds
        none."""
        if text in self.whole:
            return self.mark(text)
        if depth > MAX_DEPTH:
            return self._opaque(text)
        packed = text.lstrip('\ufeff \t\r\n')
        if packed[:1] in ('{', '['):
            try:
                data = json.loads(packed)
            except (ValueError, RecursionError):
                return self._opaque(text)
            clean = self.value('', data, depth=depth + 1)
            return text if clean == data else json.dumps(clean, ensure_ascii=False)
        if packed[:1] == '<':
            return self._known(self._xml(text))
        if (opened := _from_base64(packed)) is not None:
            clean = self.text(opened, depth + 1)
            return text if clean == opened else base64.b64encode(clean.encode()).decode()
        if '=' in packed and not re.search(r'\s', packed.strip()):
            fields = parse_qsl(packed, keep_blank_values=True)
            clean = [
                (self.text(name, depth + 1), self.value(name, value, depth=depth + 1))
                for name, value in fields
            ]
            if fields and clean != fields:
                return urlencode(clean)
        return self._opaque(text)

    def _opaque(self, text):
        return _PAIR.sub(
            lambda found: (
                found[0]
                if _is_digest(found['value']) and _SIGNATURE_NAME.search(found['name'])
                else found['name'] + self.mark(found['value'])
            ),
            self._known(text),
        )

    def _known(self, text):
        for secret in self.parts:
            for spelling in {secret, quote(secret, safe=''), json.dumps(secret)[1:-1]}:
                text = text.replace(spelling, mark(secret, self.salt))
        return text

    def _xml(self, text):
        """Mask attributes and elements by their names. The text stays as it was but for that."""
        clean, secret_depth = [], 0
        for part in _XML_PART.findall(text):
            if part.startswith('<') and not part.startswith('<![CDATA['):
                name = part.strip('</ >').split(None, 1)[0] if part.strip('</ >') else ''
                if part.startswith('</'):
                    secret_depth = max(secret_depth - 1, 0)
                elif part.endswith('/>') or part.startswith(('<?', '<!')):
                    pass
                elif secret_depth or _SECRET_NAME.search(name.rsplit(':', 1)[-1]):
                    secret_depth += 1
                part = _XML_ATTRIBUTE.sub(self._attribute, part)
            elif secret_depth and part.strip():
                part = self.mark(part.strip())
            clean.append(part)
        return ''.join(clean)

    def _attribute(self, found):
        if not _SECRET_NAME.search(found[1]) or len(found[3]) == 2:
            return found[0]
        return f'{found[1]}{found[2]}"{self.mark(found[3][1:-1])}"'


def _plain(fields):
    return {name: list(values) for name, values in fields.items()}


def _is_digest(text):
    return bool(_DIGEST.fullmatch(text.strip()))


def _from_base64(text):
    """Return the JSON or XML that a text holds in base64; None if it holds neither."""
    if len(text) < 16 or not re.fullmatch(r'[A-Za-z0-9+/\s]+={0,2}\s*', text):
        return None
    try:
        opened = base64.b64decode(text).decode()
    except (binascii.Error, ValueError):
        return None
    return opened if opened.lstrip()[:1] in ('{', '[', '<') else None
