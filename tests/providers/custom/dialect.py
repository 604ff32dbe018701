"""A PBX whose administrator writes the body of each event, as the template *Your own body, unsigned*
reads it: one JSON object an event, nothing signed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import (
    ANSWER,
    END,
    JOIN,
    QUEUE,
    RECORDING,
    RING,
    START,
    TRANSFER,
    Call,
    Facts,
)

LABEL = "Another PBX"
BATCH = 1
TEMPLATE = 'plain-json'
BLIND = {
    'legs': "there is no event of one phone's end, so one that was busy looks like one that rang in vain"
}
# A consultation is not told, only that the call went to the colleague.
UNTOLD: dict[str, str] = {}

EVENTS = {
    START: 'ringing',
    QUEUE: 'ringing',
    RING: 'ringing',
    ANSWER: 'answered',
    TRANSFER: 'transferred',
    JOIN: 'transferred',
    END: 'ended',
    RECORDING: 'recording',
}


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    facts, call_id = call.facts, f'own-{number_from(ref, 12):012}'
    said, talker = [], ''
    for step in call.steps:
        if step.what not in EVENTS or (step.what == RING and not step.phone):
            continue
        phone = step.phone
        if step.what == ANSWER:
            talker = phone = phone or facts.extension
        elif step.what == JOIN:
            talker = phone
        at = began + timedelta(seconds=step.at)
        event = {
            'call_id': call_id,
            'event': EVENTS[step.what],
            'at': at.astimezone(pbx.zone).isoformat(timespec='milliseconds'),
            'direction': facts.direction,
            'caller': facts.caller or 'anonymous',
            'called': facts.called,
            'extension': phone,
            'queue': facts.queue if step.what == QUEUE else '',
        }
        if step.what == END:
            event |= {
                'extension': talker,
                'outcome': facts.outcome,
                'talk_seconds': facts.talk,
                'wait_seconds': facts.wait,
            }
        if step.what == RECORDING:
            event['recording_url'] = f'https://records.example.com/{call_id}.mp3'
        said.append(Said(at, event))
    return said


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [payload] = payloads
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Request(body, {'Content-Type': 'application/json'})


def told(call: Call) -> Facts:
    return replace(
        call.facts,
        legs={
            phone: 'answered' if outcome == 'answered' else 'no_answer'
            for phone, outcome in call.facts.legs.items()
        },
    )
