"""Posts the spool to the webhook: signed batches, one after the other, until each has been taken."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import hmac
import http.client
import json
import logging
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import __version__
from .config import Crm
from .spool import Batch, Spool

_logger = logging.getLogger(__name__)

MAX_EVENTS, MAX_BYTES = 200, 900_000  # the webhook takes 500 and 1 MiB
GATHER_SECONDS = 0.1  # a call's events come in bursts
RETRY_SECONDS, MAX_RETRY_SECONDS = 1, 15
BLOCKED_SECONDS, MAX_BLOCKED_SECONDS = 30, 300  # somebody has to change something first
MAX_RETRY_AFTER = 600
MAX_ANSWER = 65536

ADVICE = {
    301: "the address has moved: correct url in [crm] (perhaps https instead of http)",
    302: "the address leads elsewhere: correct url in [crm] (perhaps https instead of http)",
    307: "the address leads elsewhere: correct url in [crm] (perhaps https instead of http)",
    308: "the address has moved: correct url in [crm] (perhaps https instead of http)",
    401: "something in front of Odoo wants a login: let it pass /telephony/webhook/",
    403: "the signature is wrong: secret in [crm] must be the account's password in Odoo",
    404: "no such account: copy the account's Webhook Address to url in [crm]; the token may have been changed, the "
    "account archived, or Odoo has several databases and does not know which one is meant",
    405: "this is not the webhook: copy the account's Webhook Address to url in [crm]",
    413: "even one event is too large: raise the body limit of the proxy in front of Odoo to 1 MB",
}


@dataclass(frozen=True)
class Answer:
    """The answer to a delivery; status 0 means that there was none."""

    status: int
    text: str = ''
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_temporary(self) -> bool:
        return self.status in (0, 408, 425, 429) or self.status >= 500

    @property
    def told(self) -> dict:
        """The JSON object that the answer holds, empty without one."""
        try:
            told = json.loads(self.text)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """The seconds of the header Retry-After, which may be a number or a date; None without it."""
        value = self.headers.get('Retry-After', '').strip()
        if value.isdigit():
            return min(int(value), MAX_RETRY_AFTER)
        try:
            until = email.utils.parsedate_to_datetime(value).timestamp()
        except (TypeError, ValueError):
            return None
        return min(max(until - time.time(), 0), MAX_RETRY_AFTER)

    def pause(self, failures: int) -> float:
        """Return how long to wait (seconds) before the same is tried again, after so many failures
        before this one."""
        if self.retry_after is not None:
            return max(self.retry_after, 0.5)
        shortest, longest = (
            (RETRY_SECONDS, MAX_RETRY_SECONDS)
            if self.is_temporary
            else (BLOCKED_SECONDS, MAX_BLOCKED_SECONDS)
        )
        return min(shortest * 2 ** min(failures, 10), longest) * random.uniform(0.8, 1.2)  # noqa: S311

    def __str__(self) -> str:
        reason = ' '.join(self.text.split())[:200]
        if not self.status:
            return reason
        told = f'HTTP {self.status} ({reason})' if reason else f'HTTP {self.status}'
        if self.is_temporary:
            return told
        return f"{told}: {ADVICE.get(self.status, 'this is not what the webhook should say')}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, because a redirected POST would become a GET."""

    def redirect_request(self, *_args):
        return None


def post(crm: Crm, body: bytes, below: str = '', kind: str = 'application/json') -> Answer:
    """Post one signed delivery and return its answer. Blocks.

    :param below: what follows the webhook's address
    :param kind: the content type
    """
    address = urlsplit(crm.url)
    if below:
        address = address._replace(path=f'{address.path.rstrip("/")}/{below}')
    signature = hmac.new(crm.secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(  # noqa: S310 - config lets http and https pass
        address.geturl(),
        body,
        {
            'Content-Type': kind,
            'X-Telephony-Signature': f'sha256={signature}',
            'User-Agent': f'crm-telephony-bridge/{__version__}',
        },
    )
    handlers = [_NoRedirect()] + ([urllib.request.HTTPSHandler(context=crm.tls)] if crm.tls else [])
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=crm.timeout) as response:
            return Answer(
                response.status,
                response.read(MAX_ANSWER).decode('utf-8', 'replace'),
                response.headers,
            )
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _rest(error), error.headers)
    except urllib.error.URLError as error:
        return Answer(0, f'no answer: {error.reason}')
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f'no answer: {error or type(error).__name__}')


def _rest(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(1000).decode('utf-8', 'replace')
    except (OSError, http.client.HTTPException):
        return ''


class Sender:
    def __init__(
        self, crm: Crm, spool: Spool, heard: Callable[[Answer], None] = lambda answer: None
    ):
        """:param heard: called with each answer of a webhook that has taken a batch"""
        self.crm, self.spool, self.heard = crm, spool, heard
        self._something_new, self._stopping = asyncio.Event(), asyncio.Event()
        self._max_events, self._failures = MAX_EVENTS, 0

    def wake(self) -> None:
        self._something_new.set()

    def stop(self) -> None:
        """Deliver what is there while the webhook takes it, then end :meth:`run`."""
        self._stopping.set()
        self._something_new.set()

    async def run(self) -> None:
        while True:
            self._something_new.clear()
            while batch := self.spool.batch(self._max_events, MAX_BYTES):
                answer = await asyncio.to_thread(post, self.crm, batch.body)
                if answer.is_taken:
                    self._taken(batch)
                    self.heard(answer)
                elif answer.status == 413 and len(batch.events) > 1:
                    self._max_events = len(batch.events) // 2
                    _logger.warning(
                        "a batch of %d events is too large for the webhook: split",
                        len(batch.events),
                    )
                elif self._stopping.is_set():
                    _logger.warning(
                        "%s. %d events stay in the spool for the next start.",
                        answer,
                        len(self.spool),
                    )
                    return
                else:
                    await self._pause(answer)
            if self._stopping.is_set():
                return
            await self._something_new.wait()
            await self._sleep(GATHER_SECONDS)

    def _taken(self, batch: Batch) -> None:
        self.spool.delivered(batch)
        if self._failures:
            _logger.info(
                "the webhook takes deliveries again, %d events are waiting", len(self.spool)
            )
        self._failures, self._max_events = 0, min(self._max_events * 2, MAX_EVENTS)

    async def _pause(self, answer: Answer) -> None:
        delay = answer.pause(self._failures)
        self._failures += 1
        _logger.log(
            logging.WARNING if answer.is_temporary else logging.ERROR,
            "not delivered to %s: %s. %d events are waiting, next try in %.0f s.",
            self.crm.shown,
            answer,
            len(self.spool),
            delay,
        )
        await self._sleep(delay)

    async def _sleep(self, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
