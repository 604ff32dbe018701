"""A PBX that exists in tests alone, and the smallest adapter: one JSON object a call, sent when the
call is over.

Its texts are not marked with _(), because nobody translates a toy.
"""

from collections.abc import Mapping, Sequence

from .. import signing
from ..base import (
    DIRECTIONS,
    OUTCOMES,
    Account,
    CallEvent,
    Identity,
    Provider,
    Stored,
    WebhookRequest,
    digest,
    later,
    moment_or,
    seconds_of,
    text_of,
    unix_time_of,
    word_of,
)


class Toy(Provider):
    code = 'toy'
    label = "Toy PBX"
    setup_steps = ("Enter the same secret here and in the toy.",)
    tells_outgoing_answer = False

    def authenticate(self, request: WebhookRequest, account: Account) -> None:
        signing.require_hmac(request, account.api_secret)

    def split(self, request: WebhookRequest) -> list[dict]:
        return [request.content()]

    def identify(self, payload: Mapping, account: Account) -> Identity:
        [*_events, end] = self.translate_alone(payload, account)
        return Identity(kind='call', call_ref=end.external_id, key=digest(payload))

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        return [event for one in stored for event in _tell(one)]


def _tell(one: Stored) -> list[CallEvent]:
    call = one.payload
    began_at = moment_or(unix_time_of(call, 'began'), one.received_at)
    wait, talk = seconds_of(call, 'wait') or 0, seconds_of(call, 'talk') or 0
    common = {
        'external_id': text_of(call, 'id', required=True),
        'direction': word_of(call, 'direction', DIRECTIONS, required=True),
        'caller': text_of(call, 'from'),
        'called': text_of(call, 'to'),
        'extension': text_of(call, 'phone'),
    }
    events = [CallEvent('ringing', at=began_at, **{**common, 'extension': ''})]
    if talk:
        events.append(CallEvent('answered', at=later(began_at, wait), **common))
    end = CallEvent(
        'ended',
        at=unix_time_of(call, 'ended') or later(began_at, wait + talk),
        outcome=word_of(call, 'result', OUTCOMES),
        talk_seconds=talk,
        wait_seconds=wait,
        **common,
    )
    return [*events, end]
