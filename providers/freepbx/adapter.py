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
