"""OnlinePBX: four events, each a post of texts, as JSON or as a form. Nothing is signed.

See "Веб-хуки" in its knowledge base. A quiet one posts JSON, a chatty one forms, and a call_end
after call_missed.
"""

import json
import urllib.parse
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import ANSWER, END, START, Call, Facts

LABEL = "OnlinePBX"
BATCH = 1
KEY = 'demo.onpbx.ru'
GROUP = '5000'
BLIND = {
    'queue': "a queue appears as callee alone, where a phone or our number may stand as well",
    'outcome': "call_missed is the same for who gave up in a queue, and a message left is seen in the history at most: "
    "missed",
    'legs': "one callee is told, no phones of a group; a transfer is an event of the history alone",
}
# A consultation is not told at all, nor is a blind transfer. The link to a recording comes with
# call_end alone.
UNTOLD: dict[str, str] = {}

DIRECTIONS = {'inbound': 'inbound', 'outbound': 'outbound', 'internal': 'local'}
CAUSES = {
    'caller': 'NORMAL_CLEARING',
    'phone': 'NORMAL_CLEARING',
    'cancel': 'ORIGINATOR_CANCEL',
    'timeout': 'NO_ANSWER',
    'busy': 'USER_BUSY',
    'failed': 'UNALLOCATED_NUMBER',
}
DOMAIN = 'demo.onpbx.ru'


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    facts, domain = call.facts, pbx.key or DOMAIN
    line, customer = call.cast.line.lstrip('+'), call.cast.customer.lstrip('+') or 'anonymous'
    caller, callee = customer, line
    if call.direction != 'inbound':
        caller, callee = call.steps[0].phone, facts.called.lstrip('+')
    common = {
        'domain': domain,
        'direction': DIRECTIONS[call.direction],
        'uuid': str(uuid.UUID(int=number_from(ref, 36))),
        'caller': caller,
        'to_domain': '' if call.direction == 'outbound' else domain,
        'gateway': '' if call.direction == 'internal' else line,
    }
    said: list[Said] = []

    def say(step, event, callee, **fields):
        at = began + timedelta(seconds=step.at)
        said.append(
            Said(
                at,
                {
                    'event': event,
                    **common,
                    'callee': callee,
                    'date': str(int(at.timestamp())),
                    **fields,
                },
            )
        )

    for step in call.steps:
        if step.what == START:
            say(
                step,
                'call_start',
                callee,
                from_domain='' if call.direction == 'inbound' else domain,
            )
        elif step.what == ANSWER and not any(
            event.payload['event'] == 'call_answered' for event in said
        ):
            say(step, 'call_answered', step.phone if call.direction == 'inbound' else callee)
        elif step.what == END:
            talked = facts.outcome == 'answered'
            if call.direction == 'inbound':
                callee = facts.extension or _whom_it_rang(call) or line
            ending = {
                'call_duration': str(int(call.seconds)),
                'dialog_duration': str(int(facts.talk)),
                'hangup_cause': CAUSES['timeout' if facts.outcome == 'voicemail' else step.why],
            }
            lost = call.direction == 'inbound' and not talked and step.why != 'busy'
            if lost:
                say(step, 'call_missed', callee, **ending)
            if not lost or pbx.is_chatty:
                link = f'http://api2.onlinepbx.ru/calls-records/download/{number_from(ref, 8):08x}/record.mp3'
                say(
                    step,
                    'call_end',
                    callee,
                    **ending,
                    download_url=link if call.is_recorded else '',
                )
    return said


def _whom_it_rang(call: Call) -> str:
    """`callee` of a lost call: a phone, or the group or queue of phones."""
    if call.facts.queue or len(call.rung) > 1:
        return GROUP
    return next(iter(call.rung), '')


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [fields] = payloads
    if pbx.is_chatty:
        return Request(
            urllib.parse.urlencode(fields).encode(),
            {'Content-Type': 'application/x-www-form-urlencoded'},
        )
    return Request(json.dumps(fields).encode(), {'Content-Type': 'application/json'})


def told(call: Call) -> Facts:
    facts = replace(call.facts, queue='')
    if facts.outcome in ('abandoned', 'voicemail'):
        facts = replace(facts, outcome='missed')
    if call.direction != 'inbound':
        return facts
    told_phone = facts.extension or _whom_it_rang(call)
    return replace(
        facts, legs={phone: outcome for phone, outcome in facts.legs.items() if phone == told_phone}
    )
