"""What a telephone does in one call, as a scenario for SIPp. Times are seconds.

Callers:    call_and_hang_up, call_and_stay, call_and_give_up, call_in_vain
Answerers:  answer, answer_and_hang_up, answer_and_transfer, answer_and_hold, ring, refuse
"""

from xml.sax.saxutils import escape

TONE = '/lab/tone.al'  # inside the root
LIMIT = 60

# SIPp fills in what stands in brackets. `caller` is written by us.
SDP = """
v=0
o=phone 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio {port} RTP/AVP 8
a=rtpmap:8 PCMA/8000
a={direction}
"""
ANSWER_TO = '[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]'
OUR_TAG = ';tag=[pid]answer[call_number]'
CONTACT = 'Contact: <sip:[local_ip]:[local_port]>'


def _message(text: str, body: str = '', *, again: bool = False) -> str:
    """Something to send; `again` if it is repeated until it is answered."""
    lines = text.strip() + (
        f'\nContent-Type: application/sdp\nContent-Length: [len]\n{body}'
        if body
        else '\nContent-Length: 0\n\n'
    )
    return f'<send{" retrans=" + chr(34) + "500" + chr(34) if again else ""}><![CDATA[\n{lines}\n]]></send>'


def _sdp(*, tone: bool = False, direction: str = 'sendrecv') -> str:
    return SDP.format(
        port='[rtpstream_audio_port]' if tone else '[media_port]', direction=direction
    )


def _pause(seconds: float) -> str:
    return f'<pause milliseconds="{int(seconds * 1000)}"/>'


def _scenario(name: str, *steps: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
        f'<scenario name="{escape(name)}">\n' + '\n'.join(steps) + '\n</scenario>\n'
    )


# --- callers ---------------------------------------------------------------------------------------------------------


def _invite(caller: str, tone: bool = False) -> list[str]:
    return [
        _message(
            f"""
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]call[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
{CONTACT}
Max-Forwards: 70""",
            _sdp(tone=tone),
            again=True,
        ),
        '<recv response="100" optional="true"/>',
    ]


def _progress() -> list[str]:
    return [f'<recv response="{status}" optional="true" rrs="true"/>' for status in (180, 183)]


def _accepted() -> list[str]:
    return [
        *_progress(),
        '<recv response="200" rrs="true"/>',
        _message(f"""
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: [cseq] ACK
{CONTACT}
Max-Forwards: 70"""),
    ]


def _play() -> str:
    return f'<nop><action><exec rtp_stream="{TONE},-1,8,PCMA/8000"/></action></nop>'


def call_and_hang_up(caller: str, after: float, tone: bool = False) -> str:
    """Hangs up so long after the line was answered, by a person or a machine."""
    return _scenario(
        'call and hang up',
        *_invite(caller, tone),
        *_accepted(),
        _play() if tone else '',
        _pause(after),
        _message(
            """
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: [cseq] BYE
Max-Forwards: 70""",
            again=True,
        ),
        '<recv response="200"/>',
    )


def call_and_stay(caller: str) -> str:
    """The other side hangs up."""
    return _scenario('call and stay', *_invite(caller), *_accepted(), *_hung_up_on())


def call_and_give_up(caller: str, after: float) -> str:
    """Nobody answers, the caller has had enough."""
    same = f"""
From: <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]call[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 """
    return _scenario(
        'call and give up',
        *_invite(caller),
        '<recv response="180" optional="true" next="1"/>',
        '<recv response="183"/>',
        '<label id="1"/>',
        _pause(after),
        _message(
            f'CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n[last_Via:]{same}CANCEL\nMax-Forwards: 70',
            again=True,
        ),
        '<recv response="200"/>',
        '<recv response="487"/>',
        _acknowledge_refusal(),
    )


def call_in_vain(caller: str, status: int) -> str:
    """The PBX refuses in the end, with this SIP status."""
    return _scenario(
        'call in vain',
        *_invite(caller),
        *_progress(),
        f'<recv response="{status}"/>',
        _acknowledge_refusal(),
    )


def _acknowledge_refusal() -> str:
    return _message(f"""
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
{CONTACT}
Max-Forwards: 70""")


# --- answerers -------------------------------------------------------------------------------------------------------


def _rung() -> list[str]:
    """An INVITE comes and it rings. What a request of our own will need later is remembered."""
    remembered = ''.join(
        f'<ereg regexp="{escape(pattern)}" search_in="hdr" header="{header}:" assign_to="{number}"/>'
        for number, header, pattern in (
            (1, 'Contact', 'sip:[^>;]*'),
            (2, 'From', '.*'),
            (3, 'To', '<.*'),
        )
    )
    return [
        f'<recv request="INVITE" rrs="true"><action>{remembered}</action></recv>',
        '<Reference variables="1,2,3"/>',
        _reply('180 Ringing', OUR_TAG),
    ]


def _reply(status: str, tag: str = '', body: str = '', again: bool = False) -> str:
    return _message(f'SIP/2.0 {status}\n{ANSWER_TO.format(tag=tag)}\n{CONTACT}', body, again=again)


def _answered(ringing: float) -> list[str]:
    return [
        *_rung(),
        _pause(ringing),
        _reply('200 OK', OUR_TAG, _sdp(), again=True),
        '<recv request="ACK"/>',
    ]


def _request(method: str, number: int, more: str = '', body: str = '') -> str:
    """A request of the one who was called, within the call."""
    return _message(
        f"""
{method} [$1] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$3]{OUR_TAG}
To: [$2]
Call-ID: [call_id]
CSeq: {number} {method}
{CONTACT}
Max-Forwards: 70{more}""",
        body,
        again=method != 'ACK',
    )


def _hung_up_on() -> list[str]:
    return [f'<recv request="BYE" timeout="{LIMIT * 1000}"/>', _reply('200 OK')]


def answer(ringing: float) -> str:
    """The other side hangs up."""
    return _scenario('answer', *_answered(ringing), *_hung_up_on())


def answer_and_hang_up(ringing: float, after: float) -> str:
    return _scenario(
        'answer and hang up',
        *_answered(ringing),
        _pause(after),
        _request('BYE', 100),
        '<recv response="200"/>',
    )


def answer_and_transfer(ringing: float, after: float, target: str) -> str:
    """A blind transfer: REFER, and off."""
    refer = f'\nRefer-To: <sip:{target}@[remote_ip]:[remote_port]>\nReferred-By: <sip:[local_ip]:[local_port]>'
    return _scenario(
        'answer and transfer',
        *_answered(ringing),
        _pause(after),
        _request('REFER', 100, refer),
        '<recv response="202"/>',
        _pause(0.7),
        _request('BYE', 200),
        '<recv response="200"/>',
    )


def answer_and_hold(ringing: float, after: float) -> str:
    """Puts the caller on hold. What follows, somebody else does in our name
    (phones.transfer_to_consulted)."""
    return _scenario(
        'answer and hold',
        *_answered(ringing),
        _pause(after),
        _request('INVITE', 100, body=_sdp(direction='sendonly')),
        '<recv response="100" optional="true"/>',
        '<recv response="200"/>',
        _request('ACK', 100),
        _pause(LIMIT),
    )


def ring() -> str:
    """Nobody answers."""
    return _scenario(
        'ring',
        *_rung(),
        f'<recv request="CANCEL" timeout="{LIMIT * 1000}"/>',
        _reply('200 OK'),
        _message(
            f"""
SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
[last_To:]{OUR_TAG}
[last_Call-ID:]
CSeq: [cseq] INVITE""",
            again=True,
        ),
        '<recv request="ACK"/>',
    )


def refuse(status: str, ringing: float = 0) -> str:
    """'486 Busy Here', at once or after it rang."""
    first = [*_rung(), _pause(ringing)] if ringing else ['<recv request="INVITE" rrs="true"/>']
    return _scenario('refuse', *first, _reply(status, OUR_TAG, again=True), '<recv request="ACK"/>')
