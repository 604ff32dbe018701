"""One small HTTP client for all PBX APIs: time-outs, bounded retries, the vendor's rate limit,
masked logs, readable errors. What a client may be able to do is in :mod:`capabilities`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ..tools.words import changed
from .base import Account, ProviderError, _

_logger = logging.getLogger(__name__)

TIMEOUT = 15  # seconds
# A read that met a broken connection or a 502-504 is repeated twice; a command never is, because it
# may have been done.
RETRIES = Retry(
    total=2,
    backoff_factor=0.3,
    status_forcelist=(502, 503, 504),
    allowed_methods=('GET', 'HEAD'),
    raise_on_status=False,
    respect_retry_after_header=False,
)
TOO_MANY = 429
# Statuses after which the same request may succeed later.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Client:
    """A conversation with the API of one PBX. A subclass with a `code` registers itself for the
    adapter of that code."""

    code = ''
    # what people call this PBX
    label = ''
    # what has to be entered before the API can be used: a field of Account, and its name
    needs: tuple[tuple[str, str], ...] = (('api_secret', _("API secret")),)
    # all of `needs`, as the sentence that asks to enter them names them
    access = _("the API secret")
    # seconds from one `route` to the next, if the vendor limits them
    route_pause = 0
    # seconds from one day of `history` to the next, if the vendor limits them
    history_pause = 0
    # whether `transfer` can ask the colleague before it passes the call on
    asks_first = True
    # reads the fractions in answers; `str` where they are ids, not numbers
    parse_float = float

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.code:
            _clients[cls.code] = cls

    def __init__(self, account: Account):
        self.account = account
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ('https://', 'http://'):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRIES))

    @classmethod
    def can(cls, capability: type) -> bool:
        """Return whether the client has this one of CAPABILITIES."""
        return issubclass(cls, capability)

    @classmethod
    def missing(cls, account: Account) -> str:
        """Return the name of the first of `needs` that is not entered, '' if all are. Commands are
        not offered while something is missing, because they would fail."""
        return next((name for field, name in cls.needs if not getattr(account, field).strip()), '')

    def require_access(self) -> None:
        """:raise ProviderError: one of `needs` is not entered"""
        if self.missing(self.account):
            raise ProviderError(
                _(
                    "The access to %(pbx)s is not complete: enter %(what)s on its form.",
                    pbx=self.label,
                    what=self.access,
                )
            )

    def request(
        self,
        method: str,
        path: str,
        *,
        params=None,
        data=None,
        json=None,
        headers: Mapping | None = None,
        auth=None,
    ) -> requests.Response:
        """Send one request below the account's API address and return the answer. :meth:`call`
        judges its status.

        :raise ProviderError: the access is not complete, or the PBX cannot be reached (retryable)
        """
        self.require_access()
        url = self.account.api_url.rstrip('/') + path
        try:
            response = self._session.request(
                method,
                url,
                params=params,
                data=data,
                json=json,
                headers=headers,
                auth=auth,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ProviderError(self._no_answer(error), retryable=True) from None
        _logger.info(
            "%s API: %s %s answered with HTTP %s",
            self.label,
            method,
            self._masked(path),
            response.status_code,
        )
        return response

    def call(self, method: str, path: str, **kwargs) -> dict | list:
        """Send a request and return its answer, which is JSON. :meth:`complaint` reads how the
        vendor says no.

        :raise ProviderError: with the vendor's own words, retryable if waiting helps
        """
        response = self.request(method, path, **kwargs)
        try:
            body = response.json(parse_float=self.parse_float) if response.content else {}
        except ValueError:
            body = None
        complaint = self.complaint(response, body)
        if complaint:
            text, passing = complaint
            raise ProviderError(self._masked(text), retryable=passing)
        if body is None:
            raise self.not_understood()
        return body

    def _no_answer(self, error: requests.RequestException) -> str:
        """The sentence that says why a request had no answer."""
        host = urlsplit(self.account.api_url).netloc.rpartition('@')[2]
        if isinstance(error, requests.exceptions.SSLError):
            return _(
                "%(pbx)s at %(host)s has no valid certificate. Check the API address, or have the certificate renewed.",
                pbx=self.label,
                host=host,
            )
        if isinstance(error, requests.Timeout):
            return _(
                "%(pbx)s at %(host)s did not answer within %(seconds)s seconds. Try again later.",
                pbx=self.label,
                host=host,
                seconds=TIMEOUT,
            )
        if isinstance(error, requests.ConnectionError):
            return _(
                "%(pbx)s at %(host)s cannot be reached. Check the API address and the network between it and Odoo.",
                pbx=self.label,
                host=host,
            )
        return _(
            "“%(address)s” is no address that can be asked. Correct the API address of %(pbx)s.",
            address=self.account.api_url,
            pbx=self.label,
        )

    def refusal(self, words: str, code: str | int = '') -> str:
        """The sentence for a request that the PBX refused: its own words, or at least its code."""
        if words:
            return _(
                "%(pbx)s refused: %(words)s",
                pbx=self.label,
                words=f'{words} ({code})' if code else words,
            )
        if code == TOO_MANY:
            return self.too_many()
        return _(
            "%(pbx)s refused with code %(code)s and gave no reason. Try again later, or ask its support.",
            pbx=self.label,
            code=code or '?',
        )

    def not_understood(self) -> ProviderError:
        return ProviderError(
            _(
                "%(pbx)s answered with something that its API does not describe. Is the API address right?",
                pbx=self.label,
            )
        )

    def too_many(self) -> str:
        return _(
            "%(pbx)s asks to wait: there were too many requests. Try again in some minutes.",
            pbx=self.label,
        )

    def no_recording_yet(self) -> ProviderError:
        return ProviderError(
            _(
                "%(pbx)s has no recording of this call yet. Try again in some minutes.",
                pbx=self.label,
            ),
            retryable=True,
        )

    def cannot_ask_first(self) -> ProviderError:
        return ProviderError(
            _(
                "%(pbx)s passes calls on at once and cannot ask the colleague first. Transfer without asking.",
                pbx=self.label,
            )
        )

    def call_is_over(self) -> str:
        return _("This call is over.")

    def complaint(self, response: requests.Response, body) -> tuple[str, bool] | None:
        """Return the PBX's complaint and whether waiting helps; None if it does not complain.
        Clients override this, because some vendors say no in a 200, and some have their own words
        for a rate limit."""
        if response.ok:
            return None
        words = ''
        if isinstance(body, dict):
            told = (body.get(name) for name in ('message', 'error', 'error_description', 'detail'))
            words = next((str(text) for text in told if text), '')
        return self.refusal(words, response.status_code), response.status_code in PASSING

    def _secrets(self) -> Iterable[str]:
        return self.account.api_secret, self.account.api_key

    def _masked(self, text: str) -> str:
        """Return the text without the account's credentials and without whole phone numbers, cut to
        300 characters."""

        def mask(part):
            for secret in self._secrets():
                if secret:
                    part = part.replace(secret, '***')
            return re.sub(r'\d{5,}(?=\d{2})', '…', part)[:300]

        return changed(text, mask)

    def pages(self, fetch, size: int) -> Iterator[dict]:
        """Yield all rows of a paged list. `fetch(offset)` gives one page; a page with fewer than
        `size` rows is the last."""
        offset = 0
        while rows := fetch(offset):
            yield from rows
            if len(rows) < size:
                return
            offset += len(rows)


_clients: dict[str, type[Client]] = {}
clients: Mapping[str, type[Client]] = MappingProxyType(_clients)
