"""Asterisk: AMI events as the bridge beside it posts them, in batches, HMAC-SHA256 of the body.

Written after streams of Asterisk 22 with PJSIP, `timestampevents = yes` and the classes call, agent, cdr and dialplan;
of dialplan only the variables that name a recording or tell of a mailbox.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from dev.simulate.dialects import Pbx, Request, Said, number_from
from dev.simulate.scenarios import Call, Facts

LABEL = "Asterisk (AMI)"
BATCH = 500
BLIND = {
    'line': "an outgoing call does not tell which of our numbers the customer saw, where the trunk sets it",
    'recording': "AMI names the file when the recording begins, never after the end",
}

# What a bridge may keep to itself.
CHATTER = {
    'Newstate',
    'NewCallerid',
    'AgentCalled',
    'AgentConnect',
    'QueueCallerLeave',
    'BridgeLeave',
    'MixMonitorStart',
}
UNKNOWN = '<unknown>'
TRUNK = 'trunk'
STATES = {'Down': '0', 'Ring': '4', 'Ringing': '5', 'Up': '6'}
CAUSES = {
    '0': "Unknown",
    '16': "Normal Clearing",
    '17': "User busy",
    '19': "User alerting, no answer",
    '26': "Answered elsewhere",
    '1': "Unallocated (unassigned) number",
    '127': "Interworking, unspecified",
}
# Why a phone stopped ringing, or a call ended without talk: DialStatus, cause of the dialled leg, of the caller's leg.
STOPS = {
    'timeout': ('NOANSWER', '0', '19'),
    'elsewhere': ('CANCEL', '26', '16'),
    'cancel': ('CANCEL', '0', '127'),
    'busy': ('BUSY', '17', '17'),
    'failed': ('CONGESTION', '1', '1'),
}


@dataclass
class Channel:
    name: str
    uid: str
    number: str
    context: str
    exten: str
    state: str = 'Down'
    connected: str = UNKNOWN


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    said = _Exchange(call, ref, began).run()
    return [one for one in said if pbx.is_chatty or one.payload['Event'] not in CHATTER]


class _Exchange:
    """The channels of one call and what AMI says about them."""

    def __init__(self, call: Call, ref: str, began: datetime):
        self.call, self.began, self.said = call, began, []
        self.count = number_from(ref, 6) * 10
        self.linked = f'{int(began.timestamp())}.{self.count}'
        self.at = began
        self.phones: dict[str, Channel] = {}
        self.ringing: list[Channel] = []
        self.talking: list[Channel] = []
        self.bridge = ''
        self.answered_at = began

    def run(self) -> list[Said]:
        for step in self.call.steps:
            self.at = self.began + timedelta(seconds=step.at)
            handler = getattr(self, '_' + step.what, None)
            if handler:
                handler(step)
        return self.said

    # -- what happens

    def _start(self, step):
        facts = self.call.facts
        if facts.direction == 'inbound':
            number = facts.caller.lstrip('+') or 'anonymous'
            self.first = self._channel(TRUNK, number, 'from-trunk', facts.called.lstrip('+'), 'Ring')
        else:
            self.first = self._channel(step.phone, step.phone, 'internal', facts.called.lstrip('+'), 'Ring')
        if self.call.is_recorded:
            stamp = self.began.astimezone(timezone.utc)
            kind = {'inbound': 'external', 'outbound': 'out'}.get(facts.direction, 'internal')
            file = f'{kind}-{facts.called.lstrip("+")}-{self.first.number}-{stamp:%Y%m%d-%H%M%S}-{self.linked}.wav'
            self._say(
                'VarSet',
                self.first,
                Variable='MIXMONITOR_FILENAME',
                Value=f'/var/spool/asterisk/monitor/{stamp:%Y/%m/%d}/{file}',
            )
            self._say('MixMonitorStart', self.first)
        self.first.context = 'did'
        if facts.direction == 'outbound':
            self.first.context, self.first.exten, self.first.number = 'out', 's', self.call.cast.line.lstrip('+')
            self._say('NewCallerid', self.first)

    def _queue(self, step):
        self._state(self.first, 'Up')
        self._say('QueueCallerJoin', self.first, Queue=self.call.facts.queue, Position='1', Count='1')

    def _ring(self, step):
        self._dial(step.phone)

    def _dial(self, phone):
        if phone:
            to = self._channel(phone, phone, 'internal', 's')
            string = f'PJSIP/{phone}' if self.call.facts.queue else phone
        else:
            to = self._channel(TRUNK, UNKNOWN, 'from-trunk', 's')
            to.number, string = 's', f'{self.call.facts.called.lstrip("+")}@{TRUNK}'
        self.phones[phone] = to
        to.connected, to.exten = self.first.number, self.first.exten
        if self.call.facts.queue:
            self._say(
                'AgentCalled', self.first, to, Queue=self.call.facts.queue, Interface=f'PJSIP/{phone}', MemberName=phone
            )
        self._say('DialBegin', self.first, to, DialString=string)
        self._state(to, 'Ringing')
        self.ringing.append(to)

    def _stop(self, step):
        self._stop_ringing(self.phones[step.phone], step.why)

    def _stop_ringing(self, channel, why):
        status, cause, _ = STOPS[why]
        self.ringing.remove(channel)
        self._say('DialEnd', self.first, channel, DialStatus=status)
        self._hang_up(channel, cause)

    def _answer(self, step):
        channel = self.phones[step.phone]
        facts = self.call.facts
        self.ringing.remove(channel)
        self._state(channel, 'Up')
        self._say('DialEnd', self.first, channel, DialStatus='ANSWER')
        if not self.bridge:
            self.bridge, self.answered_at = (
                f'{number_from(self.linked, 8):08x}-0000-4000-8000-{self.count:012}',
                self.at,
            )
        if facts.queue:
            wait = str(int(step.at))
            self._say('QueueCallerLeave', self.first, Queue=facts.queue, Position='1', Count='0')
            self._say(
                'AgentConnect',
                self.first,
                channel,
                Queue=facts.queue,
                Interface=f'PJSIP/{step.phone}',
                MemberName=step.phone,
                HoldTime=wait,
                RingTime=wait,
            )
        elif self.first.state != 'Up':
            self._state(self.first, 'Up')
        for one in (channel, self.first):
            self._say('BridgeEnter', one, **self._bridge())
        self.talking = [channel]

    def _transfer(self, step):
        [leaver] = self.talking
        sides = {
            f'{side}{name}': value
            for side, one in (('Transferer', leaver), ('Transferee', self.first))
            for name, value in self._headers(one).items()
        }
        self._say(
            'BlindTransfer',
            None,
            Result='Success',
            **sides,
            **self._bridge(),
            IsExternal='Yes',
            Context='internal',
            Extension=step.phone,
        )
        for one in (leaver, self.first):
            self._say('BridgeLeave', one, **self._bridge())
        self._hang_up(leaver, '16')
        self.first.context, self.first.exten = 'internal', step.phone
        self._dial(step.phone)

    def _message(self, step):
        self._state(self.first, 'Up')
        self._say('HangupRequest', self.first)
        self._say(
            'MessageWaiting', self.first, Mailbox=f'{self.call.cast.phones[0]}@default', Waiting='1', New='1', Old='0'
        )
        self._say('VarSet', self.first, Variable='VMSTATUS', Value='SUCCESS')

    def _end(self, step):
        facts = self.call.facts
        if step.why == 'failed':  # the trunk refuses at once
            self._dial('')
        for channel in list(self.ringing):
            self._stop_ringing(channel, step.why)
        if facts.outcome == 'abandoned':
            wait = str(int(step.at))
            self._say('HangupRequest', self.first)
            self._say(
                'QueueCallerAbandon', self.first, Queue=facts.queue, Position='1', OriginalPosition='1', HoldTime=wait
            )
            self._say('QueueCallerLeave', self.first, Queue=facts.queue, Position='1', Count='0')
        if self.talking:
            self._say('HangupRequest', self.first if step.why == 'caller' else self.talking[0], Cause='16')
            for channel in (self.first, *self.talking):
                self._say('BridgeLeave', channel, **self._bridge())
        self._cdr()
        for channel in self.talking:
            self._hang_up(channel, '16')
        self.first.exten = 'h'
        self._hang_up(self.first, '16' if self.talking or step.why == 'caller' else STOPS[step.why][2])

    def _cdr(self):
        facts, talked = self.call.facts, bool(self.talking)

        def local(moment):  # of the server, which runs in UTC
            return moment.astimezone(timezone.utc).strftime('%Y-%m-%d %H:%M:%S')

        self._say(
            'Cdr',
            None,
            Source=self.first.number,
            Destination=facts.called.lstrip('+'),
            Channel=self.first.name,
            LastApplication='Queue' if facts.queue else 'Dial',
            StartTime=local(self.began),
            AnswerTime=local(self.answered_at) if talked else '',
            EndTime=local(self.at),
            Duration=str(int((self.at - self.began).total_seconds())),
            BillableSeconds=str(int((self.at - self.answered_at).total_seconds())) if talked else '0',
            Disposition='ANSWERED' if talked else 'BUSY' if facts.outcome == 'busy' else 'NO ANSWER',
            UniqueID=self.linked,
            LinkedID=self.linked,
        )

    # -- what AMI says

    def _channel(self, endpoint, number, context, exten, state='Down') -> Channel:
        uid = f'{int(self.at.timestamp())}.{self.count}' if self.said else self.linked
        channel = Channel(f'PJSIP/{endpoint}-{self.count:08x}', uid, number, context, exten, state)
        self.count += 1
        self._say('Newchannel', channel)
        return channel

    def _state(self, channel, state):
        channel.state = state
        self._say('Newstate', channel)

    def _hang_up(self, channel, cause):
        self._say('Hangup', channel, **{'Cause': cause, 'Cause-txt': CAUSES[cause]})

    def _bridge(self):
        return {'BridgeUniqueid': self.bridge, 'BridgeType': 'basic', 'BridgeTechnology': 'simple_bridge'}

    def _headers(self, channel):
        return {
            'Channel': channel.name,
            'ChannelState': STATES[channel.state],
            'ChannelStateDesc': channel.state,
            'CallerIDNum': channel.number,
            'CallerIDName': UNKNOWN,
            'ConnectedLineNum': channel.connected,
            'ConnectedLineName': UNKNOWN,
            'Language': 'ru',
            'AccountCode': '',
            'Context': channel.context,
            'Exten': channel.exten,
            'Priority': '1',
            'Uniqueid': channel.uid,
            'Linkedid': self.linked,
        }

    def _say(self, event, channel, dest=None, **headers):
        # a moment apart, as on the wire
        stamp = self.at.timestamp() + len(self.said) * 0.0001
        self.said.append(
            Said(
                self.at,
                {
                    'Event': event,
                    'Timestamp': f'{stamp:.6f}',
                    **(self._headers(channel) if channel else {}),
                    **({f'Dest{name}': value for name, value in self._headers(dest).items()} if dest else {}),
                    **headers,
                },
            )
        )


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    body = json.dumps({'events': list(payloads)}, ensure_ascii=False).encode()
    signature = hmac.new(pbx.secret.encode(), body, hashlib.sha256).hexdigest()
    return Request(body, {'Content-Type': 'application/json', 'X-Telephony-Signature': f'sha256={signature}'})


def told(call: Call) -> Facts:
    facts = call.facts
    if facts.direction == 'outbound':
        facts = replace(facts, caller=facts.extension)
    if facts.outcome == 'voicemail':
        facts = replace(facts, wait=call.seconds)
    return facts
