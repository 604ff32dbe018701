"""`make asterisk`: one to develop against. `make test-asterisk`: the live tests, with the root
built if need be.

    AMI_PORT=5038 HTTP_PORT=8088 SIP_PORT=15060     the next free ones if they are taken
"""

import os
import signal
import sys
from contextlib import suppress

from .. import test
from ..setup.console import fail, readable_failures
from ..setup.process import next_free_port
from . import root, server

TESTS = [
    'tests/providers/asterisk/test_live.py',
    'tests/providers/asterisk/test_live_browser.py',
]


def serve() -> None:
    root.ensure()
    ports = server.Ports(
        next_free_port(_option('AMI_PORT', 5038)),
        next_free_port(_option('HTTP_PORT', 8088)),
        _option('SIP_PORT', 15060),
    )
    with server.running(ports) as asterisk:
        print(
            f"""
  Asterisk answers on the loopback interface (root: {root.ROOT})
    AMI         127.0.0.1:{ports.ami}   {server.BRIDGE_USER}/{server.BRIDGE_SECRET} listens, \
{server.CONTROL_USER}/{server.CONTROL_SECRET} commands
    ARI, rawman http://127.0.0.1:{ports.http}   {server.CONTROL_USER}/{server.CONTROL_SECRET}
    SIP         127.0.0.1:{ports.base}/udp; phones 200 to 499 at {ports.base + 200} to {ports.base + 499}, no password
    browsers    ws://127.0.0.1:{ports.http}/ws   {', '.join(server.BROWSERS)}, password {server.BROWSER_SECRET}
    numbers     4420794601NN rings 2NN; 2: a group; 3: a queue; 4: with mailbox; 600 is an echo (dev/asterisk/etc)
  Log: {asterisk.log}   Ctrl-C stops it.
""",
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            asterisk.process.wait()
            fail(f'Asterisk has ended by itself, see {asterisk.log}')


def _option(name: str, usual: int) -> int:
    return int(os.environ.get(name) or usual)


def _interrupt(_signal, _frame):
    raise KeyboardInterrupt


def live_tests(arguments: list[str]) -> int:
    root.ensure()
    # the tests make their own databases; pytest wants one, whatever is in it
    os.environ['KEEP'] = '1'
    return test.main([*TESTS, *arguments])


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, _interrupt)
    with readable_failures():
        sys.exit(live_tests(sys.argv[2:]) if sys.argv[1:2] == ['test'] else serve())
