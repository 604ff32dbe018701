"""Any PBX through a middleware of one's own: one JSON object an event, signed with HMAC-SHA256."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from types import MappingProxyType

from .. import signing
from ..base import (
    DIRECTIONS,
    OUTCOMES,
    UNKNOWN_ARRIVAL,
    Account,
    CallEvent,
    Identity,
    Provider,
    ProviderError,
    Refused,
    SetupFile,
    Stored,
    WebhookRequest,
    _,
    believed,
    digest,
    moment_or,
    seconds_of,
    text_of,
    unfit,
    word_of,
)
from ..sides import directed

# The set-up file: it posts three events of one call that begins now.
EXAMPLE = r"""#!/bin/sh
# Posts one answered call to Odoo, as your middleware should. It needs curl, openssl and date.
set -eu
url=@URL@
secret=@SECRET@
call="example-$(date +%s)"

post() {    # event, further fields
    body=$(printf '{"call_id":"%s","event_id":"%s-%s","event":"%s","at":"%s","direction":"inbound","caller":"+77770000001",' \
        "$call" "$call" "$1" "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        printf '"called":"+77270000001","extension":"101"%s}' "$2")
    signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$secret" | sed 's/^.* //')
    curl --fail --silent --show-error -H 'Content-Type: application/json' -H "X-Telephony-Signature: sha256=$signature" \
        --data-binary "$body" "$url"
}

post ringing ''
sleep 2
post answered ''
sleep 3
post ended ',"outcome":"answered","talk_seconds":3'
echo "Odoo has taken the call $call."
"""
EVENTS = ('ringing', 'answered', 'ended', 'recording', 'transferred', 'void')
BATCH_LIMIT = 500


class Generic(Provider):
    code = 'generic'
    line = 'sip'
    hears_browsers = True
    label = _("Generic webhook")
    api_secret_label = _("HMAC secret")
    stands_inside = True
    setup_steps = (
        _("Choose a long random HMAC secret and save this form."),
        _("Let your middleware POST every call event as JSON to the webhook address."),
        _(
            "Sign the raw body: X-Telephony-Signature: sha256=<hex HMAC-SHA256 with the HMAC secret>."
        ),
        _(
            "The set-up file of this form is a shell script that posts one answered call, signed: run it where the middleware "
            "runs, and take it as the example. docs/webhook.md in the addon's folder lists all fields."
        ),
    )
    advice = MappingProxyType(
        {
            'nothing': _(
                "No event has come. Run the set-up file of the PBX's form where the middleware runs: it posts one "
                "signed call. If that one arrives, the middleware does not post; if not, it says what it got."
            ),
            'refused': _(
                "The deliveries are refused: %(reason)s Sign the raw body with the secret of the PBX's form, as the "
                "set-up file does."
            ),
            'no_end': _(
                "The end of the call has not come. Post the event ended for each call, with its outcome."
            ),
            'no_phone': _(
                "The events do not tell which phone answered. Post the event answered with the extension."
            ),
            'called_none': _(
                "The events do not tell the called number. Put it into called, with its country code."
            ),
            'no_recording': _(
                "No recording was told. If you record, post the event recording with recording_url."
            ),
        }
    )

    def setup_file(self, account: Account) -> SetupFile:
        """Return an example that works: it posts one call, signed with the account's secret."""
        script = EXAMPLE.replace('@URL@', shlex.quote(account.webhook_url))
        script = script.replace('@SECRET@', shlex.quote(account.api_secret))
        return SetupFile('post-a-call.sh', script)

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        signing.require_hmac(request, account.api_secret)

    def split(self, request: WebhookRequest) -> list[dict]:
        body = request.json()
        items = body if isinstance(body, list) else [body]
        if len(items) > BATCH_LIMIT:
            raise Refused(
                _(
                    "A batch holds at most %(most)s events, this one has %(count)s. Send it in parts.",
                    most=BATCH_LIMIT,
                    count=len(items),
                ),
                status=413,
            )
        if not isinstance(body, (list, dict)):
            raise ProviderError(_("The body should be a JSON object or a list of objects."))
        return [item if isinstance(item, dict) else {'not_an_object': item} for item in items]

    def identify(self, payload: Mapping, account: Account) -> Identity:
        if 'not_an_object' in payload:
            raise ProviderError(
                _(
                    "Each element of the batch should be a JSON object, this one is: %(text)s",
                    text=str(payload['not_an_object'])[:100],
                )
            )
        event = _event(Stored(payload, UNKNOWN_ARRIVAL))
        event_id = text_of(payload, 'event_id')
        return Identity(
            kind=event.kind,
            call_ref=event.external_id,
            key=f'id:{event_id}' if event_id else digest(payload),
        )

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        return directed([_event(item) for item in stored], account)


def _event(stored: Stored) -> CallEvent:
    """Read one object of the addon's own scheme (docs/webhook.md)."""
    payload = stored.payload
    kind = word_of(payload, 'event', EVENTS, required=True)
    return CallEvent(
        kind=kind,
        note=_("Somebody else took the call") if kind == 'void' else '',
        external_id=text_of(payload, 'call_id', required=True),
        at=moment_or(_moment(payload, 'at'), stored.received_at),
        direction=word_of(payload, 'direction', DIRECTIONS),
        caller=text_of(payload, 'caller'),
        called=text_of(payload, 'called'),
        extension=text_of(payload, 'extension'),
        queue=text_of(payload, 'queue'),
        outcome=word_of(payload, 'outcome', OUTCOMES),
        talk_seconds=seconds_of(payload, 'talk_seconds'),
        wait_seconds=seconds_of(payload, 'wait_seconds'),
        recording_url=text_of(payload, 'recording_url'),
    )


def _moment(payload: Mapping, name: str) -> datetime | None:
    """Return a field that holds an ISO 8601 time with offset, as aware UTC; None if it is empty.

    :raise ProviderError: the field is another text, or has no offset
    """
    text = text_of(payload, name)
    if not text:
        return None
    try:
        # Python 3.10 reads neither the Z nor fractions of other than 3 or 6 digits
        moment = datetime.fromisoformat(
            _six_digits(text[:-1] + '+00:00' if text[-1] in 'Zz' else text)
        )
    except ValueError:
        raise unfit(name, _("an ISO 8601 time"), text[:100]) from None
    if moment.tzinfo is None:
        raise ProviderError(
            _(
                "The time in the field %(field)s needs an offset from UTC, such as +05:00: %(text)s",
                field=name,
                text=text[:100],
            )
        )
    try:
        return believed(moment.astimezone(timezone.utc))
    except OverflowError:
        return believed(moment)


def _six_digits(text: str) -> str:
    head, dot, rest = text.partition('.')
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip('0123456789'))
    return f'{head}.{rest[:digits][:6]:0<6}{rest[digits:]}'
