"""Twilio Voice: form posts of each step of our TwiML and of each leg, signed with the address that
they go to.

See "TwiML Voice" and "Track outbound calls with statusCallback" in its documentation. The TwiML is
taken to ring the phones of the scenario (`<Dial answerOnBridge>`), to hold callers (`<Enqueue>`)
and to take messages (`<Record>`). Phones are browser clients named as the extensions. Employees
call out by click-to-call; the customer is dialled at once.
"""

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from ..dialects import Pbx, Request, Said, number_from
from ..scenarios import END, Call, Facts

LABEL = "Twilio"
BATCH = 1
KEY = 'AC00000000000000000000000000000001'
BLIND = {
    'queue': "requests have the QueueSid, never the FriendlyName: no name is told",
    'recordings': "a message left is a recording too, and told as one",
}
UNTOLD = {
    'attended_transfer': "is made of a conference, whose parties are calls of their own; no TwiML of this addon makes one",
}

ACCOUNT = 'AC00000000000000000000000000000001'
# Why a phone stopped ringing, or the call ended without talk: CallStatus of the leg.
STATUSES = {
    'timeout': 'no-answer',
    'elsewhere': 'canceled',
    'cancel': 'canceled',
    'busy': 'busy',
    'failed': 'failed',
    'caller': 'no-answer',
}
SIP_CODES = {'no-answer': '487', 'canceled': '487', 'busy': '486', 'failed': '404'}
STATUS_STEP, END_STEP = 'status', 'end'  # suffixes that our TwiML names


def tell(call: Call, ref: str, began: datetime, pbx: Pbx) -> list[Said]:
    return _Parent(call, ref, began, pbx).run()


class _Leg:
    """A Call of Twilio's and what is true of it for good."""

    def __init__(self, sid: str, caller: str, called: str, direction: str, parent: str = ''):
        self.sid, self.sequence, self.answered_at, self.is_over = sid, 0, None, False
        self.common = {'CallSid': sid, 'From': caller, 'To': called, 'Direction': direction}
        if parent:
            self.common['ParentCallSid'] = parent


class _Parent:
    """One parent Call, its children, and what Twilio posts about them."""

    def __init__(self, call: Call, ref: str, began: datetime, pbx: Pbx):
        self.call, self.ref, self.began, self.pbx = call, ref, began, pbx
        self.said: list[Said] = []
        self.at = began
        self.children: dict[str, _Leg] = {}
        self.customer = call.cast.customer or '+266696687'  # ANONYMOUS on a keypad
        placed_by = call.steps[0].phone
        if call.direction == 'inbound':
            ends = self.customer, call.cast.line, 'inbound'
        elif call.direction == 'outbound':
            ends = call.cast.line, _client(placed_by), 'outbound-api'
        else:
            ends = _client(placed_by), _client(call.facts.called), 'inbound'
        self.parent = _Leg(self._sid('CA', 'parent'), *ends)
        self.is_queued = self.has_left = False
        self.talker = ''

    def run(self) -> list[Said]:
        for step in self.call.steps:
            self.at = self.began + timedelta(seconds=step.at)
            if handler := getattr(self, '_' + step.what, None):
                handler(step)
        return self.said

    # -- what happens

    def _start(self, step):
        if self.call.direction != 'outbound':
            self._voice('', CallStatus='ringing')
            return
        for status in ('initiated', 'ringing', 'in-progress'):
            self._status(self.parent, status)

    def _queue(self, step):
        self.is_queued = True
        self._voice(
            'wait',
            CallStatus='in-progress',
            QueuePosition='1',
            QueueSid=_queue_sid(self.call),
            QueueTime='0',
            AvgQueueTime='10',
            CurrentQueueSize='1',
            MaxQueueSize='100',
        )

    def _ring(self, step):
        """A phone, or the customer of an outgoing call."""
        outbound = self.call.direction == 'outbound'
        caller, called = (
            self.parent.common['From'],
            self.customer if outbound else _client(step.phone),
        )
        child = _Leg(
            self._sid('CA', step.phone or 'customer'),
            caller,
            called,
            'outbound-dial',
            self.parent.sid,
        )
        self.children[step.phone] = child
        self._status(child, 'initiated')
        if step.what != END:
            self._status(child, 'ringing')

    def _stop(self, step):
        self._over(self.children[step.phone], STATUSES[step.why])

    def _answer(self, step):
        child = self.children[step.phone]
        child.answered_at, self.talker = self.at, step.phone
        self._status(child, 'in-progress')
        if self.parent.answered_at is None:
            self.parent.answered_at = self.at

    def _transfer(self, step):
        """Through the API: the customer gets another `<Dial>`, the first child ends with the old
        one."""
        self._over(self.children[self.talker], 'completed')
        self._ring(step)

    def _message(self, step):
        self._voice(
            END_STEP, CallStatus='in-progress', DialCallStatus='no-answer', DialBridged='false'
        )
        seconds = str(int(self.call.message_seconds))
        self._voice(
            '', CallStatus='completed', Digits='hangup', RecordingDuration=seconds, **self._sound()
        )
        self._record('RecordVerb', seconds)

    def _recording(self, step):
        self._record('DialVerb', str(int(self.call.facts.talk)))

    def _end(self, step):
        facts, mailbox = self.call.facts, self.call.facts.outcome == 'voicemail'
        if step.why == 'failed':
            self._ring(step)
        talked = facts.outcome == 'answered'
        for child in self.children.values():
            if not child.is_over:
                self._over(child, 'completed' if talked else STATUSES[step.why])
        if self.is_queued:
            waited = int(facts.wait)
            self._voice(
                '',
                CallStatus='completed',
                QueueResult='bridged' if talked else 'hangup',
                QueueSid=_queue_sid(self.call),
                QueueTime=str(waited),
            )
        elif not mailbox and (step.why != 'cancel' or self.pbx.is_chatty):
            self._dialled(step, talked)
        # who heard music, or a click-to-call's employee, was answered before anybody talked
        was_answered = talked or mailbox or self.is_queued or self.call.direction == 'outbound'
        if was_answered and not (
            talked and self.call.direction == 'inbound' and not self.is_queued
        ):
            self.parent.answered_at = self.began
        self._over(self.parent, 'completed' if was_answered else STATUSES[step.why])

    def _dialled(self, step, talked):
        """`<Dial action>`. If the caller gives up it may come, then with CallStatus completed."""
        last = list(self.children.values())[-1] if self.children else None
        result = {
            'DialCallStatus': 'completed' if talked else STATUSES[step.why],
            'DialBridged': str(talked).lower(),
        }
        if last and (talked or len(self.children) == 1):
            result['DialCallSid'] = last.sid
        if talked:
            result['DialCallDuration'] = self._seconds(self.children[self.talker])
        self._voice(
            END_STEP,
            CallStatus='completed' if step.why in ('cancel', 'caller') else 'in-progress',
            **result,
        )

    # -- what Twilio says

    def _over(self, leg, status):
        leg.is_over = True
        more = {'SipResponseCode': SIP_CODES.get(status, '200')}
        if status == 'completed':
            more |= {'CallDuration': self._seconds(leg), 'Duration': '1'}
        self._status(leg, status, **more)

    def _seconds(self, leg):
        return str(int((self.at - leg.answered_at).total_seconds())) if leg.answered_at else '0'

    def _status(self, leg, status, **more):
        sequence, leg.sequence = leg.sequence, leg.sequence + 1
        self._say(
            '' if leg is self.parent and self.call.direction == 'inbound' else STATUS_STEP,
            **leg.common,
            CallStatus=status,
            Timestamp=format_datetime(self.at.astimezone(timezone.utc)),
            SequenceNumber=str(sequence),
            CallbackSource='call-progress-events',
            **more,
        )

    def _voice(self, suffix, **more):
        common = self.parent.common
        self._say(suffix, **common, Caller=common['From'], Called=common['To'], **more)

    def _sound(self):
        sid = self._sid('RE', 'sound')
        address = f'https://api.twilio.com/2010-04-01/Accounts/{self._account}/Recordings/{sid}'
        return {'RecordingSid': sid, 'RecordingUrl': address}

    def _record(self, source, seconds):
        self._say(
            '',
            CallSid=self.parent.sid,
            **self._sound(),
            RecordingStatus='completed',
            RecordingDuration=seconds,
            RecordingChannels='1',
            RecordingSource=source,
            RecordingTrack='both',
            RecordingStartTime=format_datetime(self.began.astimezone(timezone.utc)),
        )

    @property
    def _account(self):
        return self.pbx.key or ACCOUNT

    def _sid(self, kind, what):
        return f'{kind}{number_from(self.ref + what, 32):032}'

    def _say(self, suffix, **fields):
        form = {'AccountSid': self._account, 'ApiVersion': '2010-04-01', **fields}
        if self.pbx.is_chatty and 'CallbackSource' not in fields:
            form |= {'FromCity': '', 'FromState': '', 'FromZip': '', 'FromCountry': 'KZ'}
        self.said.append(Said(self.at, {'suffix': suffix, 'form': form}))


def _client(phone: str) -> str:
    return f'client:{phone}'


def _queue_sid(call: Call) -> str:
    return f'QU{number_from(call.cast.queue, 32):032}'


def request(payloads: Sequence[dict], pbx: Pbx) -> Request:
    """Signed is the address as Twilio was given it, and the names and values of the form in order
    of the names."""
    [payload] = payloads
    form, suffix = payload['form'], payload['suffix']
    url = pbx.url.rstrip('/') + (f'/{suffix}' if suffix else '')
    text = url + ''.join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(
        hmac.new(pbx.secret.encode(), text.encode(), hashlib.sha1).digest()
    ).decode()
    headers = {'Content-Type': 'application/x-www-form-urlencoded', 'X-Twilio-Signature': signature}
    return Request(urllib.parse.urlencode(form).encode(), headers, suffix=suffix)


def told(call: Call) -> Facts:
    facts = replace(call.facts, queue='')
    return replace(facts, recordings=1) if facts.outcome == 'voicemail' else facts
