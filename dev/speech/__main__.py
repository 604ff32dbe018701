"""`make speech`: an engine that turns talks into text, for the demo that `make run` has started in
another terminal. `make test-speech`: what the engine makes of talks whose words are known.

    PORT=8069  DB=crm_telephony     of the demo
    SPEECH_PORT=9377                the next free one if it is taken
"""

import os
import signal
import sys
from contextlib import suppress

from .. import test
from ..setup import paths
from ..setup.console import fail, readable_failures, say
from ..setup.process import next_free_port
from ..simulate.odoo import NotReady, Odoo
from . import engine

TESTS = ['tests/test_live_speech.py']


def serve() -> None:
    with engine.running(next_free_port(int(os.environ.get('SPEECH_PORT') or 9377))) as server:
        url = f'http://127.0.0.1:{os.environ.get("PORT") or 8069}'
        try:
            odoo = Odoo(url, os.environ.get('DB') or paths.ADDON, login='admin', password='admin')
            count = odoo.have_talks_heard(
                server.url, server.key, [engine.SOUNDS / f'{name}.wav' for name in engine.LANGUAGES]
            )
        except NotReady as problem:
            say(
                f'There is no demo to set up: {problem}. Start `make run`, then `make speech` again.'
            )
        else:
            say(
                f'{count} recordings of the demo hold a talk now; it becomes text within a minute or two.\n'
                f'  Read it on {url}/odoo/telephony-said'
            )
        print(
            f"""
  The speech engine answers on {server.url}
  Its key is {server.key}
  Log: {server.log}   Ctrl-C stops it.
""",
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            server.process.wait()
            fail(f'The engine has ended by itself, see {server.log}')


def live_tests(arguments: list[str]) -> int:
    engine.ensure()
    os.environ['KEEP'] = '1'
    return test.main([*TESTS, '-s', *arguments])


def _interrupt(_signal, _frame):
    raise KeyboardInterrupt


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, _interrupt)
    with readable_failures():
        sys.exit(live_tests(sys.argv[2:]) if sys.argv[1:2] == ['test'] else serve())
