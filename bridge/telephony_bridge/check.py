"""`--check`: tries everything once, and says in plain words what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from . import ami
from .ami import AmiError, Connection
from .config import DEFAULT_FILE, Config
from .log import LogError, opened
from .noise import is_noise
from .recordings import TOO_OLD
from .sender import post
from .spool import Spool, SpoolError

DAY = 86400
ADDRESS = re.compile(r'/telephony/webhook/(asterisk|freepbx)/[^/]+/?$')
# Actions that a listener does not need, and what lets it take them.
TOO_MUCH = {
    'Originate': 'originate',
    'Command': 'command',
    'Redirect': 'call',
    'UpdateConfig': 'config',
}


class Report:
    def __init__(self):
        self.failed = False

    def good(self, text: str) -> None:
        print(f'  ok     {text}')

    def note(self, text: str) -> None:
        print(f'  note   {text}')

    def bad(self, text: str) -> None:
        self.failed = True
        print(f'  WRONG  {text}')


async def run(config: Config, file: str | None, listen: float) -> int:
    """Try everything and return the exit status: 0 if the bridge would work."""
    report = Report()
    _file(report, file or DEFAULT_FILE)
    _spool(report, config)
    await _webhook(report, config)
    if config.recordings:
        await _recordings(report, config)
    if config.log:
        await asyncio.to_thread(_log, report, config)
    await _pbx(report, config, listen)
    print('Something is wrong, see above.' if report.failed else 'The bridge can work.')
    return int(report.failed)


def _file(report: Report, file: str) -> None:
    try:
        mode = os.stat(file).st_mode
    except OSError:
        return  # all settings come from the environment
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        report.note(f'{file} holds passwords and can be read by everybody: chmod 600 {file}')


def _spool(report: Report, config: Config) -> None:
    try:
        spool = Spool(config.spool, config.spool_bytes, config.sync)
    except SpoolError as error:
        if 'another bridge' in str(error):
            report.good(f'spool: in use by the bridge that is running ({config.spool})')
        else:
            report.bad(f'spool: {error}')
    else:
        report.good(f'spool: {config.spool}, {len(spool)} events are waiting')
        spool.close()


async def _webhook(report: Report, config: Config) -> None:
    address = urlsplit(config.crm.url)
    if not ADDRESS.search(address.path):
        report.bad(
            "webhook: the address does not end in /telephony/webhook/asterisk/<token> (or freepbx): copy the "
            "account's Webhook Address to url in [crm]"
        )
    if address.scheme == 'http' and address.hostname not in ('127.0.0.1', 'localhost', '::1'):
        report.note('webhook: http sends the events in clear text; use https')
    began = time.monotonic()
    answer = await asyncio.to_thread(post, config.crm, b'{"events": []}')
    if answer.is_taken:
        report.good(
            f'webhook: {config.crm.shown} takes our signature ({time.monotonic() - began:.1f} s)'
        )
    else:
        report.bad(f'webhook: {config.crm.shown}: {answer}')


async def _recordings(report: Report, config: Config) -> None:
    root = config.recordings.path
    if problem := _unreadable(root, bool(config.recordings.delete != 'never')):
        report.bad(f'recordings: {problem}')
    else:
        report.good(f'recordings: {root} can be read')
    if os.geteuid() == 0:
        report.note(
            'recordings: root reads every file. README.md tells how to let the service read them, which runs as a '
            'user of its own'
        )
    # a file that no call has: an Odoo that takes recordings says that it does not know it yet
    head = {
        'name': 'check.wav',
        'linkedid': 'check',
        'uniqueid': 'check',
        'size': 1,
        'sha256': '0' * 64,
        'offset': 0,
        'channels': 1,
    }
    body = b'%s\n' % json.dumps({'recording': head}).encode()
    answer = await asyncio.to_thread(post, config.crm, body, 'recording')
    if answer.status == 425:
        report.good('recordings: Odoo takes them')
    elif answer.status == 410:
        report.note(
            "recordings: Odoo does not want them, because its PBX's form keeps links only: files will not be uploaded"
        )
    else:
        report.bad(f'recordings: {TOO_OLD if answer.is_taken else answer}')


def _log(report: Report, config: Config) -> None:
    log, rows = opened(config.log), []
    try:
        rows = list(log.rows(time.time() - DAY))
    except LogError as error:
        report.bad(f'history: {error}')
        return
    report.good(f'history: {log} has {len(rows)} rows of the last day')
    names = {row['EventName'] for row in rows}
    if rows and not {'CHAN_START', 'ANSWER', 'HANGUP', 'BRIDGE_ENTER', 'LINKEDID_END'} <= names:
        report.bad('history: set events = ALL in cel.conf: some kinds of events are not in the log')
    if rows and not any(row['EventName'] == 'APP_START' for row in rows):
        report.note(
            'history: the log does not tell Dial and Queue: set apps = dial,queue,voicemail,mixmonitor in cel.conf'
        )


def _unreadable(root: Path, deletes: bool) -> str:
    """Return what keeps the bridge from its work on the files below `root`, '' if nothing does. One
    file stands for all."""
    if not root.is_dir():
        return f'{root} is no folder: correct path in [recordings]'
    failures: list[OSError] = []
    for folder, _folders, files in os.walk(root, onerror=failures.append):
        if deletes and files and not os.access(folder, os.W_OK):
            return f'nothing can be deleted in {folder}: let the bridge write there, or say delete = never'
        if files and not os.access(os.path.join(folder, files[0]), os.R_OK):
            return f'{folder}/{files[0]} cannot be read: add the group of the files to the service'
        if files:
            break
    return f'{failures[0]}: add the group of the files to the service' if failures else ''


async def _pbx(report: Report, config: Config, listen: float) -> None:
    try:
        connection = await ami.login(config.pbx)
    except AmiError as error:
        report.bad(f'Asterisk: {error}')
        if 'refuses' in str(error):
            print(
                "         Check user and secret in [pbx], and in manager.conf the user's permit = for this machine."
            )
        return
    try:
        report.good(
            f'Asterisk: {config.pbx.user} is logged in at {config.pbx.host}:{config.pbx.port}'
        )
        await _rights(report, connection)
        if listen:
            await _listen(report, connection, listen)
    except AmiError as error:
        report.bad(f'Asterisk: {error}')
    finally:
        await connection.close()


async def _rights(report: Report, connection: Connection) -> None:
    answer = await connection.ask('CoreShowChannels')
    if answer['Response'] == 'Success':
        report.good('Asterisk: tells the live channels, so hang-ups during a gap are found')
    else:
        report.bad(
            f'Asterisk: does not tell the live channels ({answer.get("Message", "")}): give the user '
            'write = reporting in manager.conf'
        )
    allowed = await connection.ask('ListCommands')
    if needless := sorted({right for action, right in TOO_MUCH.items() if action in allowed}):
        report.note(
            f'Asterisk: the user may do more than listen (write = {",".join(needless)}): a stolen password '
            'then costs more than it has to. write = reporting is enough'
        )


async def _listen(report: Report, connection: Connection, seconds: float) -> None:
    print(f'         watching the events for {seconds:.0f} s: place a call now')
    seen, without_time, until = Counter(), 0, time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            messages = await connection.receive(left)
        except AmiError:
            break
        for event in messages:
            if 'Event' in event and not event.get('ActionID'):
                seen[event['Event']] += 1
                without_time += 'Timestamp' not in event and not is_noise(event)
    if not seen['Newchannel']:
        report.bad(
            'events: no call was seen. If there was one, the user needs read = call,agent,cdr,dialplan in '
            'manager.conf'
        )
        return
    report.good(f'events: {seen.total()} came, {seen["Newchannel"]} new channels')
    if not seen['VarSet']:
        report.note(
            'events: no VarSet: without read = dialplan the names of recordings are not known'
        )
    if without_time:
        report.note(
            'events: they have no Timestamp: set timestampevents = yes in manager.conf, else times are those '
            'of receipt'
        )
