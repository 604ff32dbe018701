"""FreePBX: Asterisk with a dialplan of its own making, whose AMI events the same bridge posts.

Written after the differences that FreePBX's sources show: its template asks for no Timestamp, so
the bridge adds the moment of receipt; an inbound route inherits FROM_DID; queues ring their members
through Local channels; a ring group and a queue are numbers; outside lines are dialled with a
prefix that the carrier never sees.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ..asterisk import dialect as asterisk
from ..asterisk.dialect import STOPS, Channel, Exchange
from ..dialects import Pbx, Request, Said
from ..scenarios import Call, Facts

LABEL = "FreePBX"
BATCH = asterisk.BATCH
QUEUE, RING_GROUP = '700', '600'
BLIND = {
    'queue': "a queue and a ring group are told by their numbers; the name is in FreePBX's settings alone"
}
UNTOLD: dict[str, str] = {}

OUTSIDE_LINE = '9'
CHATTER = asterisk.CHATTER


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    said = _FreePbx(replace(call, facts=told(call)), ref, began).run()
    return [event for event in said if pbx.is_chatty or event.payload['Event'] not in CHATTER]


class _FreePbx(Exchange):
    trunk_context, phone_context, did_context, out_context = (
        'from-pstn',
        'from-internal',
        'macro-dial-one',
        'macro-dialout-trunk',
    )

    def __init__(self, call: Call, ref: str, began: datetime):
        super().__init__(call, ref, began)
        # by the phone that is rung through them
        self.halves: dict[str, tuple[Channel, Channel]] = {}
        self.is_group = call.facts.queue == RING_GROUP
        if self.is_group:
            self.call = replace(call, facts=replace(call.facts, queue=''))

    def _start(self, step):
        super()._start(step)
        facts = self.call.facts
        if facts.direction == 'inbound':
            self._say('VarSet', self.first, Variable='__FROM_DID', Value=facts.called.lstrip('+'))
        if self.is_group:
            self.first.context, self.first.exten = 'ext-group', RING_GROUP
            self._say('VarSet', self.first, Variable='__MIXMON_ID', Value='')
            self._say('NewConnectedLine', self.first)

    def _dialled(self):
        prefix = OUTSIDE_LINE if self.call.facts.direction == 'outbound' else ''
        return prefix + super()._dialled()

    def _trunk_string(self):
        return f'{asterisk.TRUNK}/sip:{self.call.facts.called.lstrip("+")}@203.0.113.5'

    def _through(self, phone):
        if not self.call.facts.queue or self.talking:
            return self.first
        name = f'Local/{phone}@from-queue-{self.count:08x}'
        near = self._channel(f'{name};1', phone, 'from-queue', phone)
        far = self._channel(f'{name};2', self.first.number, 'from-queue', phone, 'Ring')
        self._say('DialBegin', self.first, near, DialString=f'Local/{phone}@from-queue/n')
        self.halves[phone] = near, far
        return far

    def _given_up(self, channel, why):
        status, cause, _ = STOPS[why]
        for near, far in self._halves_of(channel):
            self._say('DialEnd', self.first, near, DialStatus=status)
            self._hang_up(near, cause)
            self._hang_up(far, cause)

    def _taken(self, channel):
        for near, far in self._halves_of(channel):
            self._say('DialEnd', self.first, near, DialStatus='ANSWER')
            for half in (near, far):
                half.state = 'Up'
                self._say('BridgeEnter', half, **self._bridge(second=half is far))

    def _end(self, step):
        super()._end(step)
        for channel in self.talking:
            for half in (half for halves in self._halves_of(channel) for half in halves):
                self._hang_up(half, '16')

    def _halves_of(self, channel) -> list[tuple[Channel, Channel]]:
        return [
            self.halves[phone]
            for phone, held in self.phones.items()
            if held is channel and phone in self.halves
        ]

    def _time(self):
        return {'ReceivedAt': f'{self.at.timestamp() + len(self.said) * 0.001:.3f}'}


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    return asterisk.request(payloads, pbx)


def told(call: Call) -> Facts:
    if call.facts.queue:
        return replace(call.facts, queue=QUEUE)
    return replace(call.facts, queue=RING_GROUP) if len(call.rung) > 1 else call.facts
