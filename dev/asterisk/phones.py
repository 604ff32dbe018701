"""SIPp processes: telephones of one line, and the customers of the line."""

import re
import secrets
import socket
import subprocess
import time
from itertools import count
from pathlib import Path

from . import root
from .server import ENVIRONMENT, Ports

LISTENING = 0.4  # seconds until a telephone that was just plugged in can be called
LIMIT = 90
_numbers = count(1)


class Sipp:
    """One SIPp, which plays one scenario for one call or, one after the other or at once, for
    several."""

    def __init__(
        self,
        ports: Ports,
        dialog: str,
        port: int,
        number: str = '',
        calls: int = 1,
        rate: float = 1,
        callers: list[str] | None = None,
        call_limit: int = 200,
    ):
        """:param callers: instead of a number in the scenario, one for each call"""
        own = next(_numbers)
        self.name = re.search(r'name="([^"]+)"', dialog)[1]
        file = root.WORK / f'{own}.xml'
        root.inside(file).write_text(dialog)
        self.messages = root.inside(f'{file}.messages')
        self.errors = root.inside(f'{file}.errors')
        first = ports.base + Ports.SIPP_RTP + 4 * own % 900
        command = [
            'sipp',
            f'127.0.0.1:{ports.base}',
            '-sf',
            file,
            '-i',
            '127.0.0.1',
            '-p',
            port,
            '-m',
            calls,
            '-r',
            rate,
            '-l',
            call_limit,
            '-nostdin',
            '-aa',
            '-timeout',
            f'{LIMIT}s',
            '-timeout_error',
            '-trace_msg',
            '-message_file',
            self.inner(self.messages),
            '-trace_err',
            '-error_file',
            self.inner(self.errors),
            '-mp',
            first,
            '-min_rtp_port',
            first,
            '-max_rtp_port',
            first + 3,
            '-cid_str',
            f'{own}-%u-%p@127.0.0.1',
            *(['-s', number] if number else []),
        ]
        if callers:
            root.inside(f'{file}.csv').write_text(
                'SEQUENTIAL\n' + ''.join(f'{caller};\n' for caller in callers)
            )
            command += ['-inf', f'{file}.csv']
        self.process = subprocess.Popen(
            root.command(*command),
            env=ENVIRONMENT,
            cwd='/',
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @staticmethod
    def inner(path: Path) -> str:
        return f'/{path.relative_to(root.ROOT)}'

    def finish(self, seconds: float = LIMIT) -> None:
        """Until the last call is over.

        :raise AssertionError: a call did not go as planned
        """
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.unplug()
            status = 'no end'
        if status:
            errors = self.errors.read_text(errors='replace')[-1500:] if self.errors.exists() else ''
            raise AssertionError(f'SIPp "{self.name}" ended with {status}: {errors}')

    def unplug(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Line:
    """Phones 2NN, 3NN and 4NN, the company's numbers 44 20 7946 0KNN, one customer outside."""

    def __init__(self, ports: Ports, line: int):
        self.ports, self.line = ports, f'{line:02}'
        self.caller = f'4420794605{self.line}'  # who calls from outside
        self.customer = f'020794606{self.line}'  # who is called by us
        self.plugged: list[Sipp] = []

    def extension(self, row: int) -> str:
        return f'{row}{self.line}'

    def number(self, kind: int) -> str:
        return f'442079460{kind}{self.line}'

    def phone(self, row: int, dialog: str, **options) -> Sipp:
        return self._plug(dialog, Ports.PHONE + int(self.extension(row)), **options)

    def outside(self, dialog: str) -> Sipp:
        """The customer's telephone."""
        return self._plug(dialog, Ports.CUSTOMER + int(self.line))

    def call_in(self, kind: int, dialog: str, **options) -> Sipp:
        """The customer calls one of the company's numbers."""
        return self._start(
            dialog, Ports.CALLER + int(self.line), number=self.number(kind), **options
        )

    def call_from(self, dialog: str, number: str) -> Sipp:
        """A phone of the line calls; who is calling says the dialog."""
        return self._start(dialog, Ports.CALLING_PHONE + int(self.line), number=number)

    def unplug(self) -> None:
        for one in self.plugged:
            one.unplug()

    def _plug(self, dialog: str, port: int, **options) -> Sipp:
        sipp = self._start(dialog, port, **options)
        time.sleep(LISTENING)
        return sipp

    def _start(self, dialog: str, port: int, **options) -> Sipp:
        sipp = Sipp(self.ports, dialog, self.ports.base + port, **options)
        self.plugged.append(sipp)
        return sipp


def transfer_to_consulted(ports: Ports, held: Sipp, consulted: Sipp, target: str) -> None:
    """What the phone does that has one caller on hold and talks to a colleague: REFER with
    Replaces, then it is out.

    :param held: the phone that answered and holds (dialogs.answer_and_hold)
    :param consulted: the same phone's call to the colleague
    """
    invite, ok = (
        _find(held, r'INVITE '),
        _find(held, r'SIP/2\.0 200 OK(?=[\s\S]*CSeq: *1?\d* INVITE)'),
    )
    consultation = _find(consulted, r'SIP/2\.0 200 OK')
    contact = re.search(r'<([^>]+)>', _header(invite, 'Contact'))[1]
    tags = {
        name: re.search(r'tag=([^;>\s]+)', _header(consultation, name))[1]
        for name in ('To', 'From')
    }
    replaces = f'{_header(consultation, "Call-ID")};to-tag={tags["To"]};from-tag={tags["From"]}'
    for plain, coded in ((';', '%3B'), ('=', '%3D'), ('@', '%40')):
        replaces = replaces.replace(plain, coded)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind(('127.0.0.1', 0))
        sip.settimeout(5)

        def ask(method: str, number: int, more: str = '') -> None:
            here = f'127.0.0.1:{sip.getsockname()[1]}'
            sip.sendto(
                (
                    f'{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(6)}\r\n'
                    f'From: {_header(ok, "To")}\r\nTo: {_header(ok, "From")}\r\nCall-ID: {_header(ok, "Call-ID")}\r\n'
                    f'CSeq: {number} {method}\r\nContact: <sip:{here}>\r\nMax-Forwards: 70\r\n{more}'
                    'Content-Length: 0\r\n\r\n'
                ).encode(),
                ('127.0.0.1', ports.base),
            )
            while not (answer := sip.recv(4096).decode().split('\r\n', 1)[0]).startswith('SIP/2.0'):
                pass  # NOTIFY: how the transfer goes on
            if not re.match(r'SIP/2\.0 2\d\d', answer):
                raise AssertionError(f'{method}: {answer}')

        ask(
            'REFER',
            500,
            f'Refer-To: <sip:{target}@127.0.0.1:{ports.base}?Replaces={replaces}>\r\n'
            f'Referred-By: <sip:127.0.0.1:{ports.base}>\r\n',
        )
        time.sleep(0.7)
        ask('BYE', 501)
    held.unplug()


def _find(sipp: Sipp, beginning: str) -> str:
    """The first message that begins like this, of those that SIPp sent or received."""
    for message in re.split(r'-{20,}[^\n]*\n', sipp.messages.read_text(errors='replace')):
        if found := re.search(rf'^{beginning}[\s\S]*', message, re.M):
            return found[0]
    raise AssertionError(f'SIPp "{sipp.name}" has no message {beginning}')


def _header(message: str, name: str) -> str:
    return re.search(rf'^{name}:\s*(.+?)\s*$', message, re.M | re.I)[1]
