"""The toy: one JSON object a call, when it is over, HMAC-SHA256 of the body."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import Call, Facts

LABEL = "Toy PBX"
BATCH = 1
BLIND = {
    'queue': "it has none",
    'legs': "only who had the call in the end is told",
    'recordings': "it records nothing",
}
UNTOLD: dict[str, str] = {}


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    facts, ended = call.facts, began + timedelta(seconds=call.seconds)
    told = {
        'id': f'toy-{number_from(ref, 12):012}',
        'direction': facts.direction,
        'from': facts.caller,
        'to': facts.called,
        'phone': facts.extension,
        'began': began.timestamp(),
        'ended': ended.timestamp(),
        'wait': facts.wait,
        'talk': facts.talk,
        'result': facts.outcome,
    }
    return [Said(ended, told)]


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [call] = payloads
    body = json.dumps(call).encode()
    signature = hmac.new(pbx.secret.encode(), body, hashlib.sha256).hexdigest()
    return Request(
        body, {'Content-Type': 'application/json', 'X-Telephony-Signature': f'sha256={signature}'}
    )


def told(call: Call) -> Facts:
    talked = {phone: how for phone, how in call.facts.legs.items() if phone == call.facts.extension}
    return replace(call.facts, queue='', recordings=0, legs=talked)
