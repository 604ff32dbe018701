"""Speaks Asterisk's manager interface: text messages over TCP, and the login."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from itertools import count

from .config import Pbx

Message = dict  # header: its value, or the list of its values where the header is repeated
END = b'\r\n\r\n'
MAX_MESSAGE = 256 * 1024
CONNECT_SECONDS = 10
ANSWER_SECONDS = 15


class AmiError(Exception):
    """Raised when the conversation with Asterisk is over; the text says why."""


class Refused(AmiError):
    """Raised when Asterisk refuses the login: somebody has to change a setting."""


class Parser:
    """Takes bytes and gives whole messages; `waiting` is the beginning of the next one."""

    def __init__(self):
        self.waiting = b''

    def feed(self, data: bytes) -> list[Message]:
        *whole, self.waiting = (self.waiting + data).split(END)
        if len(self.waiting) > MAX_MESSAGE:
            raise AmiError(f'a message of more than {MAX_MESSAGE} bytes: this is no Asterisk')
        return [message for text in whole if (message := _message(text.decode('utf-8', 'replace')))]


def _message(text: str) -> Message:
    message: Message = {}
    for line in text.split('\r\n'):
        name, colon, value = line.partition(':')
        if not colon:  # the banner, before the first message
            continue
        value = value[1:] if value.startswith(' ') else value
        if name not in message:
            message[name] = value
        elif isinstance(message[name], list):
            message[name].append(value)
        else:
            message[name] = [message[name], value]
    return message


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer
        self._parser, self._numbers, self._early = Parser(), count(1), []

    def send(self, action: str, **headers: str) -> str:
        """Send an action. Its answer comes among the messages, with the ActionID that is returned."""
        action_id = f'bridge-{next(self._numbers)}'
        lines = {'Action': action, 'ActionID': action_id, **headers}
        self._writer.write(
            ''.join(f'{name}: {value}\r\n' for name, value in lines.items()).encode() + b'\r\n'
        )
        return action_id

    async def receive(self, timeout: float = ANSWER_SECONDS) -> list[Message]:
        """Return the messages that have come by now, at least one.

        :raise AmiError: the connection is lost, or silent for `timeout` seconds
        """
        messages, self._early = self._early, []
        while not messages:
            try:
                data = await asyncio.wait_for(self._reader.read(65536), timeout)
            except asyncio.TimeoutError:
                raise AmiError(f'Asterisk has been silent for {timeout:.0f} s') from None
            except OSError as error:
                raise AmiError(f'the connection is lost: {error}') from None
            if not data:
                raise AmiError('Asterisk has closed the connection')
            messages = self._parser.feed(data)
        return messages

    async def ask(self, action: str, **headers: str) -> Message:
        """Send an action and return its answer. Other messages that come in between are kept for
        :meth:`receive`."""
        action_id, others = self.send(action, **headers), []
        while True:
            messages = await self.receive()
            for number, message in enumerate(messages):
                if message.get('ActionID') == action_id and 'Response' in message:
                    self._early = others + messages[number + 1 :]
                    return message
                others.append(message)

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):  # it is gone in any case
            await self._writer.wait_closed()


async def login(pbx: Pbx) -> Connection:
    """Log in and return the connection, on which events flow from then on.

    :raise Refused: user or password are wrong
    :raise AmiError: there is no Asterisk at this address
    """
    where = f'{pbx.host}:{pbx.port}'
    try:
        opened = asyncio.open_connection(pbx.host, pbx.port, ssl=pbx.tls)
        connection = Connection(*await asyncio.wait_for(opened, CONNECT_SECONDS))
    except asyncio.TimeoutError:
        raise AmiError(f'no answer from {where}') from None
    except OSError as error:  # ssl.SSLError is one
        raise AmiError(f'no connection to {where}: {error}') from None
    try:
        challenge = await connection.ask('Challenge', AuthType='MD5')
        key = hashlib.md5(f'{challenge.get("Challenge", "")}{pbx.secret}'.encode()).hexdigest()  # noqa: S324 - AMI's
        answer = await connection.ask('Login', AuthType='MD5', Username=pbx.user, Key=key)
        if answer['Response'] != 'Success':
            raise Refused(f'{where} refuses the user {pbx.user}: {answer.get("Message", "")}')
    except BaseException:
        await connection.close()
        raise
    return connection
