"""Tells the CRM once a minute how the bridge does, so that its silence is noticed where people look."""

from __future__ import annotations

import asyncio
import json
import logging
import time

from . import __version__
from .config import Crm
from .sender import post
from .spool import Spool
from .watcher import Watcher

_logger = logging.getLogger(__name__)

PAUSE_SECONDS = 60
# What follows the webhook's address.
SUFFIX = 'bridge'


class Heartbeat:
    def __init__(self, crm: Crm, spool: Spool, watcher: Watcher):
        self._crm, self._spool, self._watcher = crm, spool, watcher
        self._begin = time.monotonic()

    async def run(self) -> None:
        """Tell it for ever. One that does not arrive is not repeated: the next one says the same."""
        while True:
            answer = await asyncio.to_thread(post, self._crm, self._told(), SUFFIX)
            if not answer.is_taken:
                _logger.debug("the CRM did not take how the bridge does: %s", answer)
            await asyncio.sleep(PAUSE_SECONDS)

    def _told(self) -> bytes:
        """Return how the bridge does. Only ages are told, so that no clock matters."""
        told = {
            'version': __version__,
            'up_seconds': round(time.monotonic() - self._begin),
            'deaf_seconds': round(self._watcher.deaf()),
            'waiting': len(self._spool),
            'waiting_seconds': round(self._spool.waits()),
        }
        return json.dumps(told).encode()
