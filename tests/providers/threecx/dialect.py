"""3CX: its CRM template looks the number up while the phone rings, and journals the call after its
end, a phone each.

See "CRM Template XML Description". Nothing is signed: the template sends the key that the admin
entered.
"""

import json
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import ANSWER, CONSENT, END, JOIN, TRANSFER, Call, Facts

LABEL = "3CX"
BATCH = 1
BLIND = {
    'called': "the number that the customer called is in no variable of the journal",
    'caller': "of an outgoing call the journal has the phone, not the number that the customer saw",
    'queue': "the queue is in no variable of the journal",
    'outcome': "the journal has four types of calls: lost is Missed, or Notanswered where we called, for whatever reason",
    'legs': "a phone that was busy is Missed as one that rang in vain",
}
UNTOLD = {
    'internal': "a journal is of a call with an outside party: [Number] is always that",
    'two_at_once': "a journal has no id of the call; phones of a ring group start some seconds apart, so what began at the "
    "same time and number is one call",
}
# Whether a caller who left before a phone rang is journaled is not documented; told here as Missed
# by nobody.

TYPES = {'inbound': ('Inbound', 'Missed'), 'outbound': ('Outbound', 'Notanswered')}


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    """The lookup, and the journals, which come together at the end: 3CX tells nothing else."""
    facts = call.facts
    number = call.cast.customer
    said = [Said(began, {'door': 'lookup', 'number': number})] if number else []
    for phone, (answered, ended) in _phones(call).items():
        duration = 0 if answered is None else ended - answered
        minutes, seconds = divmod(int(duration), 60)
        journal = {
            'call_type': TYPES[call.direction][answered is None],
            'direction': call.direction.capitalize(),
            'number': number,
            'agent': phone,
            'agent_email': f'user{phone}@example.com' if phone else '[AgentEmail]',
            'duration': f'{minutes // 60:02}:{minutes % 60:02}:{seconds:02}',
            'started_at': _utc(began, 0),
            'established_at': _utc(began, answered),
            'ended_at': _utc(began, ended),
            # v18 knows none of these, v20 without transcription neither
            'transcription': '[Transcription]',
            'summary': '[Summary]',
            'recording_url': '[RecordingUrl]',
        }
        if call.is_recorded and answered is not None:
            journal['recording_url'] = (
                f'https://pbx.example.com/xapi/v1/recordings/{number_from(ref, 6)}'
            )
        if pbx.is_chatty and facts.talk:
            journal |= {'transcription': "[00:01] Здравствуйте [смех]", 'summary': "Заказ"}
        said.append(Said(began + timedelta(seconds=call.seconds), {'door': 'journal', **journal}))
    return said


def _phones(call: Call) -> dict[str, tuple[float | None, float]]:
    """Each phone's answer and end, in seconds after the start. One Missed for each that rang in
    vain."""
    phones = (
        [call.steps[0].phone] if call.direction == 'outbound' else list(call.facts.legs) or ['']
    )
    found = dict.fromkeys(phones, (None, call.seconds))
    talker = ''
    for step in call.steps:
        if step.what in (ANSWER, CONSENT):
            phone = step.phone or phones[0]
            found[phone] = (step.at, call.seconds)
            talker = phone if step.what == ANSWER else talker
        elif step.what in (TRANSFER, JOIN):
            found[talker] = (found[talker][0], step.at)
            if step.what == JOIN:
                # what they talked of before is a call of theirs, and not journaled
                found[step.phone] = (step.at, call.seconds)
        elif step.what == END:
            break
    return found


def _utc(began: datetime, after: float | None) -> str:
    if after is None:
        return '0001-01-01T00:00:00Z'  # .NET's nothing
    return (
        (began + timedelta(seconds=after)).astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
    )


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [payload] = payloads
    headers = {'Authorization': f'Bearer {pbx.secret}'}
    if payload['door'] == 'lookup':
        return Request(
            b'', headers, 'GET', 'lookup', urllib.parse.urlencode({'number': payload['number']})
        )
    fields = {name: value for name, value in payload.items() if name != 'door'}
    body = json.dumps(fields, ensure_ascii=False).encode()
    return Request(body, {**headers, 'Content-Type': 'application/json'}, suffix='journal')


def told(call: Call) -> Facts:
    facts = replace(call.facts, queue='')
    if facts.outcome != 'answered':
        facts = replace(facts, outcome='missed' if call.direction == 'inbound' else 'no_answer')
    if call.direction == 'outbound':
        return replace(facts, caller=facts.extension)
    legs = {
        phone: 'no_answer' if outcome == 'busy' else outcome
        for phone, outcome in facts.legs.items()
    }
    return replace(facts, called='', legs=legs)
