"""Stands beside an Asterisk or a FreePBX and posts its AMI events to the CRM, in order, without
losing one.

    config      the settings and where they come from
    ami         Asterisk's manager interface: messages, login
    noise       the events that are left out
    watcher     AMI ─▶ spool; after every gap, what has been missed
    spool       what is not delivered yet and which channels are alive, on disk
    sender      spool ─▶ webhook
    check       `--check`: what is wrong, in plain words

The bridge decides nothing about calls: that is the business of the adapter in the CRM.
"""

__version__ = '1.0.0'
