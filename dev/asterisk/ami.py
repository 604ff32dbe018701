"""The control user's connection: commands, and events to wait for."""

import socket
import threading
from contextlib import suppress
from itertools import count

from .server import CONTROL_SECRET, CONTROL_USER, Ports

PATIENCE = 20


class Ami:
    def __init__(self, ports: Ports):
        self._socket = socket.create_connection(('127.0.0.1', ports.ami), PATIENCE)
        self._messages: list[dict[str, str]] = []
        self._news, self._numbers = threading.Condition(), count(1)
        self._socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()
        answer = self.action('Login', Username=CONTROL_USER, Secret=CONTROL_SECRET)
        assert answer['Response'] == 'Success', answer

    def close(self) -> None:
        with suppress(OSError):  # the other side may have been quicker
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def action(self, name: str, **headers: str) -> dict[str, str]:
        number = f'dev-{next(self._numbers)}'
        lines = {'Action': name, 'ActionID': number, **headers}
        self._socket.sendall(
            ''.join(f'{key}: {value}\r\n' for key, value in lines.items()).encode() + b'\r\n'
        )
        return self._find(
            lambda message: 'Response' in message and message.get('ActionID') == number, name
        )

    def wait(self, event: str, **beginnings: str) -> dict[str, str]:
        """The first event, past or to come, of this kind whose headers begin like this."""

        def wanted(message: dict[str, str]) -> bool:
            return message.get('Event') == event and all(
                message.get(name, '').startswith(beginning)
                for name, beginning in beginnings.items()
            )

        return self._find(wanted, f'{event} {beginnings}')

    def _find(self, wanted, what: str) -> dict[str, str]:
        with self._news:
            found = self._news.wait_for(
                lambda: next(filter(wanted, self._messages), None), PATIENCE
            )
        assert found, f'waited {PATIENCE} s for {what}'
        return found

    def _read(self) -> None:
        message: dict[str, str] = {}
        with self._socket.makefile(encoding='utf-8', errors='replace', newline='\r\n') as lines:
            for line in lines:
                name, _colon, value = line.rstrip('\r\n').partition(':')
                if name:
                    message[name] = value.strip()
                    continue
                with self._news:
                    self._messages.append(message)
                    self._news.notify_all()
                message = {}
