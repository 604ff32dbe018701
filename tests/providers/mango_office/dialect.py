"""Mango Office VPBX: signed form posts, one event each, the kind of event at the end of the
address.

See "MANGO OFFICE VPBX API". A call has one entry_id; each menu, queue and phone of it is a leg with
a call_id and a counter of its own. A summary comes once, at the end.
"""

import hashlib
import json
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import Call, Facts

LABEL = "Mango Office"
BATCH = 1
KEY = 'mangokey0001'
GROUP = '500'
BLIND = {
    'queue': "acd_group is the number of the group, its name is told nowhere",
    'outcome': "code 1110, the caller hung up, is an abandon only where no phone had rung; a mailbox has no event and no "
    "code, so a message left is a missed call",
}
UNTOLD: dict[str, str] = {}

DIRECTIONS = {'internal': 0, 'inbound': 1, 'outbound': 2}
# Why a leg or a call ended, in Mango's codes: disconnect_reason.
REASONS = {
    'caller': 1110,
    'phone': 1110,
    'cancel': 1110,
    'timeout': 1111,
    'busy': 1121,
    'failed': 1131,
    'elsewhere': 1182,
    'passed on': 1120,
    'forwarded': 1000,
}


@dataclass
class Leg:
    call_id: str
    location: str
    caller: dict
    callee: dict
    seq: int = 0
    is_over: bool = False
    more: dict = field(default_factory=dict)


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    return _Entry(call, ref, began, pbx).run()


class _Entry:
    """The legs of one call."""

    def __init__(self, call: Call, ref: str, began: datetime, pbx: Pbx):
        self.call, self.ref, self.began, self.pbx = call, ref, began, pbx
        self.entry = f'ent-{number_from(ref, 10):010}'
        self.said: list[Said] = []
        self.at = began
        self.legs: list[Leg] = []
        self.phones: dict[str, Leg] = {}
        self.menu: Leg | None = None
        self.queue: Leg | None = None
        self.talker = ''
        self.line = call.cast.line.lstrip('+')
        self.client = {'number': call.cast.customer.lstrip('+') or 'anonymous'}

    def run(self) -> list[Said]:
        for step in self.call.steps:
            self.at = self.began + timedelta(seconds=step.at)
            if handler := getattr(self, '_' + step.what, None):
                handler(step)
        return self.said

    # -- what happens

    def _start(self, step):
        if self.call.direction == 'inbound':
            self.menu = self._leg(
                'ivr', self.client, {'number': self.line, 'line_number': self.line}
            )
            self._state(self.menu, 'Connected')
            if self.pbx.is_chatty:
                self._say(
                    'events/dtmf',
                    seq=1,
                    dtmf='1',
                    call_id=self.menu.call_id,
                    location='ivr.1',
                    initiator='0',
                )

    def _queue(self, step):
        self._over(self.menu, 'forwarded')
        self.queue = self._leg('queue', self.client, {'line_number': self.line, 'acd_group': GROUP})

    def _ring(self, step):
        if self.menu:
            self._over(self.menu, 'forwarded')
        if self.call.direction == 'inbound':
            group = {'acd_group': GROUP} if self.queue else {}
            self._phone(
                step.phone,
                self.client,
                {**_employee(step.phone), 'line_number': self.line, **group},
            )
        elif self.call.direction == 'outbound':
            self._out()
        else:
            self._phone(step.phone, _employee(self.call.steps[0].phone), _employee(step.phone))

    def _out(self):
        phone = self.call.steps[0].phone
        self._phone(phone, _employee(phone), {**self.client, 'line_number': self.line})

    def _phone(self, phone, caller, callee, **more):
        self.phones[phone] = self._leg('abonent', caller, callee, **more)

    def _stop(self, step):
        self._over(self.phones[step.phone], step.why)

    def _answer(self, step):
        self.talker = step.phone or self.call.steps[0].phone
        self._state(self.phones[self.talker], 'Connected')
        if self.queue and not self.queue.is_over:
            self._over(self.queue, 'forwarded')
        if self.call.is_recorded:
            self._recorder('Started')

    def _transfer(self, step):
        passed = self.phones[self.talker]
        self._over(passed, 'passed on')
        self._take_over(step.phone, passed, 'blind')

    def _take_over(self, phone, passed, kind):
        caller = {**self.client, 'taken_from_call_id': passed.call_id, 'was_transferred': True}
        self._phone(phone, caller, {**_employee(phone), 'line_number': self.line}, transfer=kind)

    def _consult(self, step):
        self._state(self.phones[self.talker], 'OnHold')
        self.consultation = self._leg('abonent', _employee(self.talker), _employee(step.phone))

    def _consent(self, step):
        self._state(self.consultation, 'Connected')

    def _join(self, step):
        passed = self.phones[self.talker]
        self._over(self.consultation, 'passed on')
        self._over(passed, 'passed on')
        self._take_over(step.phone, passed, 'consultative')
        self.talker = step.phone
        self._state(self.phones[self.talker], 'Connected')

    def _message(self, step):
        """The mailbox is a part of the call scheme."""
        self._state(
            self._leg('ivr', self.client, {'number': self.line, 'line_number': self.line}),
            'Connected',
        )

    def _recorder(self, state):
        self._say(
            'events/recording',
            recording_id=self._recording_id,
            recording_state=state,
            seq=1 + (state != 'Started'),
            call_id=self.phones[self.talker].call_id,
            extension=self.talker,
            timestamp=self._stamp(self.at),
            **({'completion_code': 1000, 'recipient': 'Cloud'} if state == 'Completed' else {}),
        )

    def _recording(self, step):
        self._say(
            'events/record/added',
            product_id=400000001,
            user_id=400000777,
            recording_id=self._recording_id,
            timestamp=self._stamp(self.at),
        )
        if self.pbx.is_chatty:
            self._say(
                'events/record/tagged',
                product_id=400000001,
                user_id=400000777,
                recording_id=self._recording_id,
                timestamp=self._stamp(self.at),
            )

    def _end(self, step):
        if step.why == 'failed':
            self._out()
        for leg in self.legs:
            if not leg.is_over:
                self._over(leg, step.why)
        if self.call.is_recorded:
            self._recorder('Completed')
        self._summary(step)

    def _summary(self, step):
        call, facts, pbx = self.call, self.call.facts, self.pbx
        placed_by = _employee(call.steps[0].phone) if call.steps[0].phone else self.client
        first_rung = (
            _employee(call.rung[0]) if call.rung else {'extension': GROUP} if facts.queue else {}
        )
        if call.direction == 'outbound':
            reached = self.client
        elif call.direction == 'internal':
            reached = _employee(facts.called)
        else:
            reached = _employee(self.talker) if self.talker else first_rung
        answered, rung = (
            call.answered_after,
            next((step.at for step in call.steps if step.what == 'ring'), None),
        )
        line = {} if call.direction == 'internal' else {'line_number': self.line}

        def moment(after):
            stamp = 0 if after is None else self._stamp(self.began + timedelta(seconds=after))
            return str(stamp) if pbx.is_chatty else stamp

        self._say(
            'events/summary',
            call_direction=DIRECTIONS[call.direction],
            **{'from': placed_by, 'to': reached},
            **line,
            create_time=moment(0),
            forward_time=moment(rung),
            talk_time=moment(answered),
            end_time=moment(step.at),
            entry_result=int(answered is not None),
            disconnect_reason=REASONS[step.why],
        )

    # -- what Mango says

    @property
    def _recording_id(self):
        return f'rec-{number_from(self.ref, 10):010}'

    def _leg(self, location, caller, callee, **more) -> Leg:
        leg = Leg(
            f'leg-{number_from(self.ref, 10):010}-{len(self.legs)}',
            location,
            caller,
            callee,
            more=more,
        )
        self.legs.append(leg)
        self._state(leg, 'Appeared')
        return leg

    def _over(self, leg, why):
        if not leg.is_over:
            leg.is_over = True
            self._state(leg, 'Disconnected', disconnect_reason=REASONS[why])

    def _state(self, leg, state, **more):
        leg.seq += 1
        self._say(
            'events/call',
            call_id=leg.call_id,
            timestamp=self._stamp(self.at),
            seq=leg.seq,
            call_state=state,
            location=leg.location,
            **{'from': leg.caller, 'to': leg.callee},
            **leg.more,
            **more,
        )

    def _stamp(self, moment):
        return int(moment.timestamp())

    def _say(self, path, **fields):
        self.said.append(Said(self.at, {'path': path, 'json': {'entry_id': self.entry, **fields}}))


def _employee(phone: str) -> dict:
    return {'extension': phone, 'number': f'sip:user{phone}@demo.mangosip.ru'}


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    [event] = payloads
    text = json.dumps(event['json'], separators=(',', ':'), ensure_ascii=False)
    sign = hashlib.sha256((pbx.key + text + pbx.secret).encode()).hexdigest()
    form = urllib.parse.urlencode({'vpbx_api_key': pbx.key, 'sign': sign, 'json': text})
    return Request(
        form.encode(), {'Content-Type': 'application/x-www-form-urlencoded'}, suffix=event['path']
    )


def handshake(pbx: Pbx) -> tuple[Request, str]:
    """The button that checks the connection posts nothing at all."""
    return Request(b'', {'Content-Type': 'application/x-www-form-urlencoded'}), ''


def told(call: Call) -> Facts:
    facts = replace(call.facts, queue=GROUP if call.facts.queue else '')
    if facts.outcome == 'voicemail' or facts.outcome == 'abandoned' and call.rung:
        facts = replace(facts, outcome='missed')
    return facts
