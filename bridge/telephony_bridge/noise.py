"""Tells the events that the bridge leaves out, because they say nothing of a call in any reading.

On a busy PBX they are most of the stream. Everything else is forwarded, also events that no adapter
uses yet.
"""

from __future__ import annotations

from collections.abc import Mapping

# fmt: off
EVENTS = frozenset({
    # the quality of the sound, the dialplan's steps, Asterisk's own tests
    'RTCPSent', 'RTCPReceived', 'Newexten', 'TestEvent', 'DTMFBegin', 'DTMFEnd',
    'ChannelTalkingStart', 'ChannelTalkingStop', 'MusicOnHoldStart', 'MusicOnHoldStop',
    # telephones and trunks, not calls
    'DeviceStateChange', 'ExtensionStatus', 'PresenceStateChange', 'PeerStatus', 'Registry',
    'ContactStatus', 'ContactStatusDetail', 'QueueMemberStatus', 'PresenceStatus',
    # logins, and the PBX itself
    'SuccessfulAuth', 'ChallengeSent', 'ChallengeResponseFailed', 'InvalidPassword',
    'InvalidAccountID', 'RequestBadFormat', 'FailedACL', 'FullyBooted', 'Reload', 'Load', 'Unload',
    # the end of the list that the bridge asked for
    'CoreShowChannelsComplete',
})
# The dialplan sets some twenty variables a call. Only these are forwarded, with any underscores of
# inheritance before them.
VARIABLES = frozenset({
    'MIXMONITOR_FILENAME', 'VMSTATUS', 'VM_MESSAGEFILE',
    'FROM_DID', 'DID', 'QUEUESTATUS', 'DIALSTATUS', 'CRM_REF',
})
# fmt: on


def is_noise(event: Mapping) -> bool:
    if event['Event'] == 'VarSet':
        variable = event.get('Variable')
        return isinstance(variable, str) and variable.lstrip('_') not in VARIABLES
    return event['Event'] in EVENTS
