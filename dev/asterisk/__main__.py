"""`make asterisk`: one to develop against. `make test-asterisk`: the live tests, with the root
built if need be.

    AMI_PORT=5038 HTTP_PORT=8088 SIP_PORT=15060     the next free ones if they are taken
"""

import os
import signal
import socket
import sys
from contextlib import suppress

from dev import test
from dev.asterisk import root, server
from dev.setup.console import fail, readable_failures

TESTS = 'tests/providers/asterisk/test_live.py'


def serve() -> None:
    root.ensure()
    ports = server.Ports(
        _free('AMI_PORT', 5038), _free('HTTP_PORT', 8088), int(os.environ.get('SIP_PORT') or 15060)
    )
    with server.running(ports) as asterisk:
        print(
            f"""
  Asterisk answers on the loopback interface (root: {root.ROOT})
    AMI         127.0.0.1:{ports.ami}   {server.BRIDGE_USER}/{server.BRIDGE_SECRET} listens, \
{server.CONTROL_USER}/{server.CONTROL_SECRET} commands
    ARI, rawman http://127.0.0.1:{ports.http}   {server.CONTROL_USER}/{server.CONTROL_SECRET}
    SIP         127.0.0.1:{ports.base}/udp; phones 200 to 499 at {ports.base + 200} to {ports.base + 499}, no password
    numbers     4420794601NN rings 2NN; 2: a group; 3: a queue; 4: with mailbox; 600 is an echo (dev/asterisk/etc)
  Log: {asterisk.log}   Ctrl-C stops it.
""",
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            asterisk.process.wait()
            fail(f'Asterisk has ended by itself, see {asterisk.log}')


def _free(name: str, usual: int) -> int:
    first = int(os.environ.get(name) or usual)
    for port in range(first, first + 100):
        with suppress(OSError), socket.create_server(('127.0.0.1', port)):
            return port
    fail(f'no free port from {first} to {first + 99}')


def _interrupt(_signal, _frame):
    raise KeyboardInterrupt


def live_tests(arguments: list[str]) -> int:
    root.ensure()
    # the tests make their own databases; pytest wants one, whatever is in it
    os.environ['KEEP'] = '1'
    return test.main([TESTS, *arguments])


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, _interrupt)
    with readable_failures():
        sys.exit(live_tests(sys.argv[2:]) if sys.argv[1:2] == ['test'] else serve())
