"""FreePBX: Asterisk with a dialplan that FreePBX writes. The bridge posts the same events, and they
mean the same.

Its habits: events carry no Timestamp unless the admin asks for it (the bridge then adds
ReceivedAt), a softphone or mobile twin of extension 101 is the endpoint 99101 or 98101 [assumed], a
ring group is known by the context in which its caller waits, and employees dial a prefix for an
outside line, which the carrier never sees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from .. import numbers
from ..asterisk import ami, cel
from ..asterisk.adapter import Asterisk
from ..asterisk.ami import Channel, Event
from ..base import Account, CallEvent, Stored, _

# An endpoint's name with one of these before an extension is that extension's twin.
TWINS = ('99', '98')
# Where the caller is while a ring group rings; Exten is its number.
RING_GROUP = 'ext-group'
# Two spellings with the same last digits are one number.
LOCAL = 9


class FreePBX(Asterisk):
    code = 'freepbx'
    echo_number = '*43'
    line_advice = MappingProxyType(
        {
            **Asterisk.line_advice,
            'refused': _(
                "Nothing listens at %(url)s. Switch on the mini-HTTP server with HTTPS in Settings → Advanced "
                "Settings, usually at port "
                "8089."
            ),
            'certificate': _(
                "Browsers do not trust the certificate of %(host)s: %(reason)s. Make one of Let's Encrypt in "
                "Admin → Certificate "
                "Management and choose it for the mini-HTTP server, or pass /ws through Odoo's own host."
            ),
            'no_register': _(
                "The websocket works, but the PBX does not answer the registration. Switch on ws and wss in "
                "Settings → Asterisk SIP "
                "Settings → SIP Settings (chan_pjsip)."
            ),
            'unknown_phone': _(
                "FreePBX does not know extension %(extension)s. Make it a PJSIP extension with Max Contacts 1."
            ),
            'echo_unknown': _(
                "FreePBX does not know the echo number. Admin → Feature Codes shows that of the Echo Test, "
                "usually *43."
            ),
            'codec': _(
                "FreePBX and the browser share no codec. In the extension, Advanced: AVPF, ICE Support, rtcp "
                "Mux and DTLS-SRTP on, "
                "codecs alaw and ulaw."
            ),
            'no_sound': _(
                "The call stands, but no sound arrives. Open the RTP ports (10000–20000/udp), and enter the "
                "external address in "
                "Settings → Asterisk SIP Settings; else enter a STUN or TURN server."
            ),
        }
    )
    label = "FreePBX"
    setup_steps = (
        _(
            "In /etc/asterisk/manager_custom.conf give the bridge a user of its own with read = call,agent,cdr,dialplan "
            "and write = reporting; "
            "FreePBX's own user is not for others."
        ),
        _(
            "Add there [general](+) with timestampevents = yes, so that events carry the PBX's own time."
        ),
        _(
            "Set up the bridge beside the PBX, as bridge/README.md in the addon's folder tells. "
            "The set-up file of this form is its /etc/crm-telephony-bridge.ini with the webhook address and the secret in it: "
            "add the manager user's password."
        ),
        _(
            "Enter the extensions here, so that calls find their employees and twins like 99101 are known as 101."
        ),
        _(
            "To call, hang up and pass calls on from Odoo, make the control user above a REST interface user and, in "
            "manager_custom.conf, a manager user with write = originate,call,reporting and the same password. Add "
            "webenabled = yes to [general](+), let only Odoo's address in, and enter the address of the HTTP server (port "
            "8088 or 8089) above."
        ),
    )
    advice = MappingProxyType(
        {
            **Asterisk.advice,
            'nothing': _(
                "No event has come. Look whether the bridge beside the PBX runs and what its log says: it needs the "
                "webhook address and the secret of the set-up file of the PBX's form, and a manager user of its own "
                "in manager_custom.conf."
            ),
            'no_time': _(
                "The events carry no time of the PBX, so that of the arrival stands in. Add timestampevents = yes "
                "under [general](+) in manager_custom.conf, and reload."
            ),
            'no_recording': _(
                "No recording was told. If you record, set Force or Yes for the inbound route or the extension, and "
                "name the folder under [recordings] in the bridge's configuration."
            ),
        }
    )

    def phone(self, channel: Channel, account: Account) -> str:
        number = super().phone(channel, account)
        main = number[2:] if number.startswith(TWINS) else ''
        return main if main in account.extensions and number not in account.extensions else number

    def translate(self, stored: Sequence[Stored], account: Account) -> list[CallEvent]:
        stored = cel.completed(stored)
        told = super().translate(stored, account)
        events = sorted(map(ami.read, stored), key=lambda event: event.order)
        dialled = next((event.called for event in told if event.direction == 'outbound'), '')
        if dialled and (sent := _sent(events, account)) and _has_prefix(dialled, sent, account):
            return [replace(event, called=sent) for event in told]
        is_inbound = any(event.direction == 'inbound' for event in told)
        if not is_inbound or any(event.queue for event in told):
            return told
        group = _ring_group(events)
        return [replace(event, queue=group) if event.kind == 'ringing' else event for event in told]


def _ring_group(events: Sequence[Event]) -> str:
    exten = (event['Exten'] for event in events if event['Context'] == RING_GROUP)
    return next(filter(str.isdigit, exten), '')


def _has_prefix(dialled: str, sent: str, account: Account) -> bool:
    """Return whether `dialled` has a prefix for an outside line. With it a number is none, or
    another country's: 9 and 77015550199 is one of Nepal."""
    if not numbers.to_e164(dialled, account.country):
        return True
    tails = {re.sub(r'\D', '', number)[-LOCAL:] for number in (dialled, sent)}
    return len(tails) == 1 and len(sent) < len(dialled)


def _sent(events: Sequence[Event], account: Account) -> str:
    """Return the outside number that a trunk was told to dial, '' for none. Dial strings are
    02079460151@trunk or PJSIP/trunk/sip:02079460151@host."""
    dialled = (
        event['DialString'].partition('@')[0] for event in events if event['Event'] == 'DialBegin'
    )
    sent = (re.split('[/:]', string)[-1] for string in dialled)
    return next((number for number in sent if numbers.to_e164(number, account.country)), '')
