"""Stands beside an Asterisk or a FreePBX and posts its AMI events to the CRM, in order, without
losing one, and uploads the recordings of calls.

    config      the settings and where they come from
    ami         Asterisk's manager interface: messages, login
    noise       the events that are left out
    watcher     AMI ─▶ spool; after every gap, what was missed
    spool       the events not delivered yet, the live channels and the recordings, on disk
    sender      spool ─▶ webhook
    recordings  files of the PBX ─▶ webhook, in pieces; deletes what it is told to
    heartbeat   tells the webhook once a minute how the bridge does
    check       `--check`: says in plain words what is wrong

The bridge decides nothing about calls; the adapter in the CRM does.
"""

__version__ = '1.1.0'
