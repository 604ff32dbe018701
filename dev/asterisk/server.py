"""Asterisk with our configuration, as a child of ours, on the loopback interface."""

import math
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..setup import locks
from ..setup.console import fail
from ..setup.process import fail_with, free_ports, stop
from . import root

ETC = Path(__file__).parent / 'etc'
BRIDGE_USER, BRIDGE_SECRET = 'crm-bridge', 'bridge-password'
# Phones that are browsers.
BROWSERS, BROWSER_SECRET = ('104', '105', '106'), 'browser-password'
CONTROL_USER, CONTROL_SECRET = 'crm-control', 'control-password'
# Seconds
RING, QUEUE_RING, QUEUE_MAX, MAILBOX_RING, BROWSER_RING = 6, 5, 40, 3, 25
START = 60

LINES = range(100)
ROWS = '234'  # of a line: the first digit of its phones
RTP_PORTS = 1000
ENVIRONMENT = {
    'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
    'HOME': '/lab',
    'TERM': 'dumb',
    'TZ': 'UTC',
    'LANG': 'C.UTF-8',
}


@dataclass(frozen=True)
class Ports:
    """Phone 207 listens at base + 207, line 07's caller at base + 507, and so on; RTP above."""

    ami: int
    http: int
    base: int

    PHONE, CALLER, CALLING_PHONE, CUSTOMER, RTP, SIPP_RTP = 0, 500, 600, 700, 1000, 2000

    def tokens(self) -> dict[str, int]:
        return {
            'AMI_PORT': self.ami,
            'HTTP_PORT': self.http,
            'SIP_PORT': self.base,
            'CARRIER_PORT': self.base + 900,
            'CUSTOMER_PORT': self.base + self.CUSTOMER,
            'RTP_START': self.base + self.RTP,
            'RTP_END': self.base + self.RTP + RTP_PORTS - 2,
        }


def roomy_ports() -> Ports:
    """For tests: wherever there is room."""
    ami, http = free_ports(2)
    for base in range(20000, 32000, 3000):
        with suppress(OSError):
            for port in (base, base + 200, base + 500, base + 600, base + 700, base + Ports.RTP):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(('127.0.0.1', port))
            return Ports(ami, http, base)
    fail('no room for SIP: all of the UDP ports from 20000 that were tried are taken')


class Asterisk:
    def __init__(self, ports: Ports):
        self.ports = ports
        self.process: subprocess.Popen | None = None

    @property
    def log(self) -> Path:
        return root.inside(root.WORK / 'log' / 'full')

    def start(self) -> None:
        self.process = subprocess.Popen(
            root.command('asterisk', '-f', '-C', root.WORK / 'etc' / 'asterisk.conf'),
            env=ENVIRONMENT,
            cwd='/',
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + START
        while self.process.poll() is None and time.monotonic() < until:
            if 'Asterisk Ready' in self._said():
                return
            time.sleep(0.1)
        self.stop()
        fail_with(self.log, 'Asterisk does not start')

    def stop(self) -> None:
        stop(self.process)

    def kill(self) -> None:
        """As if the power had failed."""
        self.process.kill()
        self.process.wait()
        self.log.unlink(missing_ok=True)

    def install(self) -> None:
        """A clean state: configuration, mailboxes, recordings."""
        work = root.inside(root.WORK)
        for entry in work.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for name in (
            'etc',
            'lib',
            'run',
            'log/cdr-csv',
            'log/cdr-custom',
            'log/cel-custom',
            'spool/monitor',
            'spool/voicemail',
            'spool/recording',
        ):
            (work / name).mkdir(parents=True)
        tokens = {
            **self.ports.tokens(),
            **_lists(self.ports),
            **{
                name: globals()[name]
                for name in (
                    'BRIDGE_USER',
                    'BRIDGE_SECRET',
                    'CONTROL_USER',
                    'CONTROL_SECRET',
                    'RING',
                    'QUEUE_RING',
                    'QUEUE_MAX',
                    'MAILBOX_RING',
                    'BROWSER_RING',
                    'BROWSER_SECRET',
                )
            },
        }
        for file in ETC.iterdir():
            text = re.sub(r'@([A-Z_]+)@', lambda match: str(tokens[match[1]]), file.read_text())
            (work / 'etc' / file.name).write_text(text)
        (work / 'tone.al').write_bytes(_tone())

    def _said(self) -> str:
        return self.log.read_text(errors='replace') if self.log.exists() else ''


@contextmanager
def running(ports: Ports):
    with locks.locked('asterisk', 'Asterisk'):
        asterisk = Asterisk(ports)
        asterisk.install()
        asterisk.start()
        try:
            yield asterisk
        finally:
            asterisk.stop()


def _lists(ports: Ports) -> dict[str, str]:
    phones = [f'{row}{line:02}' for row in ROWS for line in LINES]
    return {
        'PHONES': '\n'.join(
            f'[{phone}](phone)\naors = {phone}\ncallerid = "Phone {phone}" <{phone}>\n'
            f'[{phone}]\ntype = aor\ncontact = sip:{phone}@127.0.0.1:{ports.base + int(phone)}\n'
            for phone in phones
        ),
        'BROWSERS': '\n'.join(
            f'[{phone}](browser)\naors = {phone}\nauth = {phone}\ncallerid = "Browser {phone}" <{phone}>\n'
            f'[{phone}](browser-aor)\n[{phone}](browser-auth)\nusername = {phone}\n'
            for phone in BROWSERS
        ),
        'QUEUES': '\n'.join(
            f'[sales-{line:02}](everybody)\nmember => PJSIP/2{line:02}\nmember => PJSIP/3{line:02}\n'
            for line in LINES
        ),
        'MAILBOXES': '\n'.join(f'2{line:02} => 1234,Phone 2{line:02}' for line in LINES),
    }


def _tone() -> bytes:
    """Two seconds of 440 Hz in A-law."""
    return bytes(
        _alaw(int(8000 * math.sin(2 * math.pi * 440 * sample / 8000))) for sample in range(16000)
    )


def _alaw(sample: int) -> int:
    size = min(abs(sample), 32635)
    exponent = max(size.bit_length() - 8, 0)
    mantissa = (size >> (max(exponent, 1) + 3)) & 15
    return ((128 if sample >= 0 else 0) | exponent << 4 | mantissa) ^ 0x55
