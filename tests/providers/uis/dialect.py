"""UIS, CoMagic, CallGear, Novofon 2.0: notifications whose bodies the account's owner has typed in,
an address each.

The bodies are the templates that this addon's form shows. Nothing is signed. The simulated account
gives its employees their extensions as ids, so that nobody needs a second list.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import (
    ANSWER,
    CONSENT,
    CONSULT,
    END,
    RECORDING,
    RING,
    START,
    TRANSFER,
    Call,
    Facts,
    Step,
)

LABEL = "UIS / CoMagic / CallGear / Novofon 2.0"
BATCH = 1
BLIND = {
    'queue': "no variable names a queue; scenario_name is that of the whole scenario",
    'outcome': "no notification has a reason: a lost call is missed, whether it was abandoned, busy or left a message, and "
    "an outgoing one not answered; finish_reason is in the report of the Data API alone",
    'legs': "employee_ids of a lost call are those who did not take it, no matter why",
}
# A transfer and a consultation look alike: the colleague's phone rings and talks. Internal calls
# are known by is_internal of the last notification.
UNTOLD: dict[str, str] = {}

SCENARIO = "Основной"


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    return list(_notifications(call, ref, began, pbx))


def _notifications(call: Call, ref: str, began: datetime, pbx: Pbx):
    facts, session = call.facts, 900000000 + number_from(ref, 8)
    placed_by = call.steps[0].phone
    line = None if call.direction == 'internal' else call.cast.line.lstrip('+')
    contact = (
        facts.called if call.direction == 'internal' else call.cast.customer.lstrip('+') or None
    )
    direction = 'out' if placed_by else 'in'

    def said(step: Step, event: str, **variables) -> Said:
        at = began + timedelta(seconds=step.at)
        common = {
            'call_session_id': session,
            'notification_time': _local(at, pbx),
            'virtual_phone_number': line,
            'contact_phone_number': contact,
        }
        return Said(at, {'event': event, 'body': {**common, **variables}})

    def leg(step: Step, event: str, phone: str) -> Said:
        number = 7000 + call.steps.index(step)
        return said(
            step,
            event,
            direction=direction,
            **_employee(phone),
            external_id=None,
            **({'leg_id': number} if event == 'ringing' else {'leg_ids': [7000, number]}),
        )

    talker = placed_by
    for step in call.steps:
        if step.what == START and direction == 'in':
            yield said(
                step, 'inbound', notification_timestamp=_stamp(began, step), scenario_name=SCENARIO
            )
        elif step.what == START and pbx.is_chatty:
            yield said(step, 'outbound', **_employee(placed_by))
        elif step.what in (RING, TRANSFER, CONSULT):
            yield leg(step, 'ringing', step.phone if direction == 'in' else placed_by)
        elif step.what in (ANSWER, CONSENT):
            # whom the last notification names after a transfer is not documented: either talker
            if step.what == ANSWER or pbx.is_chatty:
                talker = step.phone if direction == 'in' else placed_by
            yield leg(step, 'talk_started', step.phone if direction == 'in' else placed_by)
        elif step.what == RECORDING:
            yield said(
                step,
                'recording',
                file_link=f'https://media.uiscom.ru/{session}/{number_from(ref, 8):08x}',
                file_duration=int(facts.talk),
                **_employee(talker),
            )
        elif step.what == END:
            talked = facts.outcome == 'answered'
            if direction == 'in' and not talked:
                rung = [_id(phone) for phone in facts.legs]
                yield said(
                    step,
                    'lost_call',
                    wait_time_duration=int(facts.wait),
                    employee_ids=rung,
                    scenario_name=SCENARIO,
                )
            yield said(
                step,
                'call_finished',
                communication_id=session,
                direction=direction,
                start_time=_local(began, pbx),
                notification_timestamp=_stamp(began, step),
                **_employee(talker if talked or placed_by else ''),
                talk_time_duration=int(facts.talk),
                total_time_duration=int(call.seconds),
                wait_time_duration=int(facts.wait),
                is_internal=call.direction == 'internal',
                external_id=None,
                call_source='va',
            )


def _employee(phone: str) -> dict:
    return {
        'employee_id': _id(phone),
        'employee_full_name': f'Сотрудник {phone}' if phone else None,
    }


def _id(phone: str) -> int | None:
    return (int(phone) if phone.isdecimal() else number_from(phone, 6)) if phone else None


def _stamp(began: datetime, step: Step) -> int:
    return int(began.timestamp() + step.at)


def _local(moment: datetime, pbx: Pbx) -> str:
    return moment.astimezone(pbx.zone).strftime('%Y-%m-%d %H:%M:%S')


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [payload] = payloads
    body = json.dumps(payload['body'], ensure_ascii=False).encode()
    return Request(
        body, {'Content-Type': 'application/json; charset=utf-8'}, suffix=payload['event']
    )


def told(call: Call) -> Facts:
    facts = replace(call.facts, queue='')
    if facts.outcome != 'answered':
        facts = replace(facts, outcome='missed' if call.direction == 'inbound' else 'no_answer')
    legs = {
        phone: 'no_answer' if outcome == 'busy' else outcome
        for phone, outcome in facts.legs.items()
    }
    return replace(facts, legs=legs)
