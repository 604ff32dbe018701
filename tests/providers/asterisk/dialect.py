"""Asterisk: AMI events as the bridge beside it posts them, in batches, HMAC-SHA256 of the body.

Written after streams of Asterisk 22 with PJSIP, `timestampevents = yes` and the classes call,
agent, cdr and dialplan; of dialplan only the variables that name a recording or tell of a mailbox.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import Call, Facts

LABEL = "Asterisk (AMI)"
BATCH = 500
# AMI names the file of a recording when it begins, never after the end. Where the carrier sets the
# number that the customer sees, nothing tells it.
BLIND: dict[str, str] = {}
UNTOLD: dict[str, str] = {}

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
# Why a phone stopped ringing, or a call ended without talk: DialStatus, cause of the dialled leg,
# of the caller's leg.
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
    linked: str
    state: str = 'Down'
    connected: str = UNKNOWN


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    said = Exchange(call, ref, began).run()
    return [event for event in said if pbx.is_chatty or event.payload['Event'] not in CHATTER]


class Exchange:
    """The channels of one call and what AMI says about them."""

    trunk_context, phone_context, did_context, out_context = 'from-trunk', 'internal', 'did', 'out'

    def __init__(self, call: Call, ref: str, began: datetime):
        self.call, self.began, self.said = call, began, []
        self.count = number_from(ref, 6) * 10
        self.linked = f'{int(began.timestamp())}.{self.count}'
        self.at = began
        self.phones: dict[str, Channel] = {}
        self.dialler: dict[str, Channel] = {}
        self.ringing: list[Channel] = []
        self.talking: list[Channel] = []
        self.bridge = ''
        self.answered_at = began
        # the leg of a consultation from which the colleague is called
        self.asking: Channel | None = None

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
            self.first = self._channel(
                TRUNK, number, self.trunk_context, facts.called.lstrip('+'), 'Ring'
            )
        else:
            self.first = self._channel(
                step.phone, step.phone, self.phone_context, self._dialled(), 'Ring'
            )
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
        self.first.context = self.did_context
        if facts.direction == 'outbound':
            self.first.context, self.first.exten = self.out_context, 's'
            self.first.number = self.call.cast.line.lstrip('+')
            self._say('NewCallerid', self.first)

    def _dialled(self):
        return self.call.facts.called.lstrip('+')

    def _trunk_string(self):
        return f'{self.call.facts.called.lstrip("+")}@{TRUNK}'

    def _through(self, phone):
        """Who dials this phone."""
        return self.first

    def _given_up(self, channel, why):
        """A phone has stopped ringing."""

    def _taken(self, channel):
        """A phone has been answered."""

    def _queue(self, step):
        self._state(self.first, 'Up')
        self._say(
            'QueueCallerJoin', self.first, Queue=self.call.facts.queue, Position='1', Count='1'
        )

    def _ring(self, step):
        self._dial(step.phone)

    def _dial(self, phone):
        if phone:
            by = self._through(phone)
            to = self._channel(phone, phone, self.phone_context, 's')
            string = f'PJSIP/{phone}' if self.call.facts.queue and by is self.first else phone
        else:
            by, to = self.first, self._channel(TRUNK, UNKNOWN, self.trunk_context, 's')
            to.number, string = 's', self._trunk_string()
        self.dialler[to.uid] = by
        self.phones[phone] = to
        to.connected, to.exten = self.first.number, self.first.exten
        if self.call.facts.queue:
            self._say(
                'AgentCalled',
                self.first,
                to,
                Queue=self.call.facts.queue,
                Interface=f'PJSIP/{phone}',
                MemberName=phone,
            )
        self._say('DialBegin', by, to, DialString=string)
        self._state(to, 'Ringing')
        self.ringing.append(to)

    def _stop(self, step):
        self._stop_ringing(self.phones[step.phone], step.why)

    def _stop_ringing(self, channel, why):
        status, cause, _ = STOPS[why]
        self.ringing.remove(channel)
        self._say('DialEnd', self.dialler[channel.uid], channel, DialStatus=status)
        self._hang_up(channel, cause)
        self._given_up(channel, why)

    def _answer(self, step):
        channel = self.phones[step.phone]
        facts = self.call.facts
        self.ringing.remove(channel)
        self._state(channel, 'Up')
        self._say('DialEnd', self.dialler[channel.uid], channel, DialStatus='ANSWER')
        self._taken(channel)
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
        for party in (channel, self.first):
            self._say('BridgeEnter', party, **self._bridge())
        self.talking = [channel]

    def _transfer(self, step):
        [leaver] = self.talking
        sides = {
            f'{side}{name}': value
            for side, channel in (('Transferer', leaver), ('Transferee', self.first))
            for name, value in self._headers(channel).items()
        }
        self._say(
            'BlindTransfer',
            None,
            Result='Success',
            **sides,
            **self._bridge(),
            IsExternal='Yes',
            Context=self.phone_context,
            Extension=step.phone,
        )
        for channel in (leaver, self.first):
            self._say('BridgeLeave', channel, **self._bridge())
        self._hang_up(leaver, '16')
        self.first.context, self.first.exten = self.phone_context, step.phone
        self._dial(step.phone)

    def _consult(self, step):
        [asker] = self.talking
        self._say('Hold', asker)
        self.asking = self._channel(
            asker.number, asker.number, self.phone_context, step.phone, 'Ring', is_new_call=True
        )
        colleague = self._channel(
            step.phone, step.phone, self.phone_context, 's', linked=self.asking.uid
        )
        self.phones[step.phone] = colleague
        self._say('DialBegin', self.asking, colleague, DialString=step.phone)
        self._state(colleague, 'Ringing')

    def _consent(self, step):
        colleague = self.phones[step.phone]
        for channel in (colleague, self.asking):
            self._state(channel, 'Up')
        self._say('DialEnd', self.asking, colleague, DialStatus='ANSWER')
        for channel in (colleague, self.asking):
            self._say('BridgeEnter', channel, **self._bridge(second=True))

    def _join(self, step):
        """The customer comes into the bridge of the consultation, and the asker leaves both."""
        [asker], colleague = self.talking, self.phones[step.phone]
        for channel in (asker, self.asking):
            self._say('Unhold', channel)
        self._say('BridgeEnter', self.first, **self._bridge(second=True))
        parties = {
            'OrigTransferer': asker,
            'SecondTransferer': self.asking,
            'Transferee': self.first,
            'TransferTarget': colleague,
        }
        sides = {
            f'{side}{name}': value
            for side, channel in parties.items()
            for name, value in self._headers(channel).items()
        }
        self._say('AttendedTransfer', None, Result='Success', DestType='Bridge', **sides)
        for channel in (asker, self.asking):
            self._hang_up(channel, '16')
        colleague.linked, colleague.connected = self.first.linked, self.first.number
        self.talking = [colleague]

    def _message(self, step):
        self._state(self.first, 'Up')
        self._say('HangupRequest', self.first)
        self._say(
            'MessageWaiting',
            self.first,
            Mailbox=f'{self.call.cast.phones[0]}@default',
            Waiting='1',
            New='1',
            Old='0',
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
                'QueueCallerAbandon',
                self.first,
                Queue=facts.queue,
                Position='1',
                OriginalPosition='1',
                HoldTime=wait,
            )
            self._say('QueueCallerLeave', self.first, Queue=facts.queue, Position='1', Count='0')
        if self.talking:
            self._say(
                'HangupRequest', self.first if step.why == 'caller' else self.talking[0], Cause='16'
            )
            for channel in (self.first, *self.talking):
                self._say('BridgeLeave', channel, **self._bridge())
        self._cdr()
        for channel in self.talking:
            self._hang_up(channel, '16')
        self.first.exten = 'h'
        self._hang_up(
            self.first, '16' if self.talking or step.why == 'caller' else STOPS[step.why][2]
        )

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
            BillableSeconds=str(int((self.at - self.answered_at).total_seconds()))
            if talked
            else '0',
            Disposition='ANSWERED'
            if talked
            else 'BUSY'
            if facts.outcome == 'busy'
            else 'NO ANSWER',
            UniqueID=self.linked,
            LinkedID=self.linked,
        )

    # -- what AMI says

    def _channel(
        self, endpoint, number, context, exten, state='Down', linked='', is_new_call=False
    ) -> Channel:
        uid = f'{int(self.at.timestamp())}.{self.count}' if self.said else self.linked
        name = endpoint if '/' in endpoint else f'PJSIP/{endpoint}-{self.count:08x}'
        channel = Channel(
            name, uid, number, context, exten, uid if is_new_call else linked or self.linked, state
        )
        self.count += 1
        self._say('Newchannel', channel)
        return channel

    def _state(self, channel, state):
        channel.state = state
        self._say('Newstate', channel)

    def _hang_up(self, channel, cause):
        self._say('Hangup', channel, **{'Cause': cause, 'Cause-txt': CAUSES[cause]})

    def _bridge(self, second=False):
        bridge = self.bridge[:-1] + 'c' if second else self.bridge
        return {
            'BridgeUniqueid': bridge,
            'BridgeType': 'basic',
            'BridgeTechnology': 'simple_bridge',
        }

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
            'Linkedid': channel.linked,
        }

    def _time(self):
        # a moment apart, as on the wire
        return {'Timestamp': f'{self.at.timestamp() + len(self.said) * 0.0001:.6f}'}

    def _say(self, event, channel, dest=None, **headers):
        self.said.append(
            Said(
                self.at,
                {
                    'Event': event,
                    **self._time(),
                    **(self._headers(channel) if channel else {}),
                    **(
                        {f'Dest{name}': value for name, value in self._headers(dest).items()}
                        if dest
                        else {}
                    ),
                    **headers,
                },
            )
        )


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    body = json.dumps({'events': list(payloads)}, ensure_ascii=False).encode()
    signature = hmac.new(pbx.secret.encode(), body, hashlib.sha256).hexdigest()
    return Request(
        body, {'Content-Type': 'application/json', 'X-Telephony-Signature': f'sha256={signature}'}
    )


def told(call: Call) -> Facts:
    return call.facts
