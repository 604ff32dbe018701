"""Zadarma cloud PBX: one form post an event, with the start of the call and no time of its own.

See "Call notification system" on zadarma.com/en/support/api. Its clock has whole seconds and no
offset.
"""

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import ANSWER, END, JOIN, RECORDING, RING, START, TRANSFER, Call, Facts

LABEL = "Zadarma"
BATCH = 1
BLIND = {
    'queue': "there is no event of a queue and no name of one",
    'outcome': "who hangs up while a phone rings looks the same in a queue as without one, and a message left looks "
    "like a call that nobody took: missed",
    'legs': "a phone that was busy looks like one that rang in vain",
}
# Not documented, and told here as: extension to extension, an outgoing call to a short number; a
# transfer, blind or not, further NOTIFY_INTERNAL and NOTIFY_ANSWER; a consultation, not at all.
# Events have no time of their own, so wait and end are known where they arrive promptly.
UNTOLD: dict[str, str] = {}

# What the signature is made of.
SIGNED = {
    'NOTIFY_ANSWER': ('caller_id', 'destination', 'call_start'),
    'NOTIFY_OUT_START': ('internal', 'destination', 'call_start'),
    'NOTIFY_OUT_END': ('internal', 'destination', 'call_start'),
    'NOTIFY_RECORD': ('pbx_call_id', 'call_id_with_rec'),
}
SIGNED_OTHERWISE = ('caller_id', 'called_did', 'call_start')
# How a call ended without talk: disposition and Q.931 cause.
ENDS = {
    'cancel': ('cancel', '16'),
    'timeout': ('no answer', '19'),
    'busy': ('busy', '17'),
    'failed': ('unallocated number', '1'),
}


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    return (
        _inbound(call, ref, began, pbx)
        if call.direction == 'inbound'
        else _outgoing(call, ref, began, pbx)
    )


def _inbound(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    facts, line = call.facts, call.facts.called.lstrip('+')
    common = {
        'caller_id': facts.caller.lstrip('+') or 'anonymous',
        'call_start': _local(began, pbx),
        'pbx_call_id': f"in_{number_from('in' + ref, 30):030}",
    }
    said, last, talker = [], '', ''

    def say(step, event, **fields):
        said.append(Said(began + timedelta(seconds=step.at), {'event': event, **common, **fields}))

    for step in call.steps:
        last = step.phone if step.what == RING else last
        if step.what == START:
            say(step, 'NOTIFY_START', called_did=line)
        elif step.what in (RING, TRANSFER):
            say(step, 'NOTIFY_INTERNAL', called_did=line, internal=step.phone)
        elif step.what in (ANSWER, JOIN):
            if step.what == JOIN:
                say(step, 'NOTIFY_INTERNAL', called_did=line, internal=step.phone)
            talker = step.phone
            say(step, 'NOTIFY_ANSWER', destination=talker, internal=talker)
        elif step.what == RECORDING:
            said.append(_record(step, common, ref, began))
        elif step.what == END:
            mailbox = facts.outcome == 'voicemail'
            disposition, cause = ('answered', '16') if talker or mailbox else ENDS[step.why]
            took = {'internal': talker or last} if (talker or last) and not mailbox else {}
            heard = facts.talk if talker else call.message_seconds if mailbox else 0
            say(
                step,
                'NOTIFY_END',
                called_did=line,
                **took,
                duration=str(int(heard)),
                disposition=disposition,
                status_code=cause,
                **_recorded(call, ref, began),
            )
    return said


def _outgoing(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    """Calls out, and those between colleagues: a pair of events."""
    facts = call.facts
    common = {
        'internal': call.steps[0].phone,
        'destination': facts.called.lstrip('+'),
        'call_start': _local(began, pbx),
        'pbx_call_id': f"out_{number_from('out' + ref, 30):030}",
    }
    said = []
    for step in call.steps:
        at = began + timedelta(seconds=step.at)
        if step.what == START:
            said.append(Said(at, {'event': 'NOTIFY_OUT_START', **common}))
        elif step.what == RECORDING:
            said.append(_record(step, common, ref, began))
        elif step.what == END:
            disposition, cause = (
                ('answered', '16') if facts.outcome == 'answered' else ENDS[step.why]
            )
            said.append(
                Said(
                    at,
                    {
                        'event': 'NOTIFY_OUT_END',
                        **common,
                        'caller_id': call.cast.line.lstrip('+'),
                        'duration': str(int(facts.talk)),
                        'disposition': disposition,
                        'status_code': cause,
                        'calltype': 'normal',
                        **_recorded(call, ref, began),
                    },
                )
            )
    return said


def _record(step, common, ref, began) -> Said:
    return Said(
        began + timedelta(seconds=step.at),
        {
            'event': 'NOTIFY_RECORD',
            'pbx_call_id': common['pbx_call_id'],
            'call_id_with_rec': _file(ref, began),
        },
    )


def _recorded(call, ref, began) -> dict[str, str]:
    return (
        {'is_recorded': '1', 'call_id_with_rec': _file(ref, began)}
        if call.is_recorded
        else {'is_recorded': '0'}
    )


def _file(ref: str, began: datetime) -> str:
    return f'{int(began.timestamp())}.{number_from(ref, 6):06}'


def _local(moment: datetime, pbx: Pbx) -> str:
    return moment.astimezone(pbx.zone).strftime('%Y-%m-%d %H:%M:%S')


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [fields] = payloads
    text = ''.join(fields.get(name, '') for name in SIGNED.get(fields['event'], SIGNED_OTHERWISE))
    mac = hmac.new(pbx.secret.encode(), text.encode(), hashlib.sha1).hexdigest()
    return Request(
        urllib.parse.urlencode(fields).encode(),
        {
            'Content-Type': 'application/x-www-form-urlencoded',
            'Signature': base64.b64encode(mac.encode()).decode(),
        },
    )


def handshake(pbx: Pbx) -> tuple[Request, str]:
    """The address is checked when it is saved: it must echo."""
    return Request(b'', {}, 'GET', query='zd_echo=4b1f8c'), '4b1f8c'


def told(call: Call) -> Facts:
    facts = replace(call.facts, queue='')
    if facts.outcome in ('abandoned', 'voicemail'):
        facts = replace(facts, outcome='missed' if facts.legs else 'abandoned')
    return replace(
        facts,
        legs={
            phone: 'no_answer' if outcome == 'busy' else outcome
            for phone, outcome in facts.legs.items()
        },
    )
