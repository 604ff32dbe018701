"""The command: runs until it is told to stop; with --check it only tries whether everything is
right."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from functools import partial

from . import __version__, check
from .config import DEFAULT_FILE, Config, ConfigError, load
from .heartbeat import Heartbeat
from .log import Reader
from .recordings import Uploader
from .sender import Sender
from .spool import Spool, SpoolError
from .watcher import Watcher

_logger = logging.getLogger('telephony_bridge')

FLUSH_SECONDS = 10
WRONG_CONFIG = 78  # EX_CONFIG: after it systemd does not start the bridge again, see the unit


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='crm-telephony-bridge', description="Posts Asterisk's AMI events to the CRM."
    )
    parser.add_argument(
        '-c', '--config', help=f"configuration file (default: {DEFAULT_FILE}, if it exists)"
    )
    parser.add_argument(
        '--check', action='store_true', help="try everything once and say what is wrong"
    )
    parser.add_argument(
        '--listen',
        type=float,
        default=0,
        metavar='SECONDS',
        help="with --check: also watch the events for so long; place a call meanwhile",
    )
    parser.add_argument('--version', action='version', version=__version__)
    arguments = parser.parse_args()
    try:
        config = load(arguments.config)
    except ConfigError as error:
        print(f'configuration: {error}', file=sys.stderr)
        return WRONG_CONFIG
    # journald adds the time
    logging.basicConfig(level=config.level.upper(), format='%(levelname)s %(message)s')
    try:
        if arguments.check:
            return asyncio.run(check.run(config, arguments.config, arguments.listen))
        return asyncio.run(serve(config))
    except SpoolError as error:
        print(f'spool: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def serve(config: Config) -> int:
    """Watch and send until SIGTERM or SIGINT. What was read from Asterisk by then is in the spool,
    and is delivered if the webhook takes it; the rest waits for the next start."""
    spool = Spool(config.spool, config.spool_bytes, config.sync)
    sender = Sender(config.crm, spool)
    uploader = config.recordings and Uploader(
        config.crm, spool, config.recordings, config.spool.parent, sender.wake
    )
    reader = config.log and Reader(config.log, spool, sender.wake, bool(uploader))
    watcher = Watcher(
        config.pbx,
        spool,
        sender.wake,
        bool(uploader),
        *((reader.gap,) if reader else ()),
    )
    if uploader:
        sender.heard, watcher.wake = uploader.heard, partial(_wake, sender, uploader)
    _logger.info(
        "bridge %s: events of %s:%d go to %s; %d are waiting in %s",
        __version__,
        config.pbx.host,
        config.pbx.port,
        config.crm.shown,
        len(spool),
        config.spool,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # they go on from where they were at the next start
    heartbeat = Heartbeat(config.crm, spool, watcher)
    others = [asyncio.create_task(part.run()) for part in (uploader, reader, heartbeat) if part]
    watching, sending = asyncio.create_task(watcher.run()), asyncio.create_task(sender.run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({watching, sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        for task in others:
            task.cancel()
        for task in await asyncio.gather(watching, return_exceptions=True):
            if not isinstance(task, asyncio.CancelledError):
                raise task
        sender.stop()
        await asyncio.wait({sending}, timeout=FLUSH_SECONDS)
        if sending.done():
            # a mistake of ours ends the program; the service manager starts it again
            sending.result()
        _logger.info("stopped, %d events are waiting", len(spool))
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        spool.close()
    return 0


def _wake(*parts: Sender | Uploader) -> None:
    for part in parts:
        part.wake()


if __name__ == '__main__':
    sys.exit(main())
