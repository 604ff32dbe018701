"""One small HTTP client for all PBX APIs: time-outs, bounded retries, the vendor's rate limit,
masked logs, readable errors. What a client may offer is in :mod:`capabilities`."""

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

TIMEOUT = 15
# Reads that met a broken connection or a 502-504 are repeated this often; what changes something
# never is.
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
    """A conversation with one PBX. Subclassing with a `code` registers it for the adapter of that
    code."""

    code = ''
    # what people call this PBX
    label = ''
    # what has to be entered before the API can be used: field of Account, and its name within a
    # sentence
    needs: tuple[tuple[str, str], ...] = (('api_secret', _("API secret")),)
    # all of them, as part of the sentence that asks to enter them
    access = _("the API secret")
    # seconds from one `route` to the next, if the vendor limits them
    route_pause = 0
    # whether `transfer` can ask the colleague before it passes the call on
    asks_first = True
    # how fractions in answers are read, where they are no numbers but ids
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
        """Whether it has this one of CAPABILITIES."""
        return issubclass(cls, capability)

    @classmethod
    def missing(cls, account: Account) -> str:
        """The name of the first of `needs` that is not entered, '' where all are: no command is
        offered that must fail."""
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
        """One request below the account's API address. The answer's status is not judged here but
        in :meth:`call`.

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
            raise ProviderError(self._silence(error), retryable=True) from None
        _logger.info("%s %s: %s", method, self._masked(path), response.status_code)
        return response

    def call(self, method: str, path: str, **kwargs) -> dict | list:
        """A request whose answer is JSON; the vendor's way of saying no is read by
        :meth:`complaint`.

        :raise ProviderError: with the vendor's own words, retryable where waiting helps
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

    def _silence(self, error: requests.RequestException) -> str:
        """Why a request had no answer."""
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
        """What people read when the PBX says no: its own words, or at least its code."""
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
        """(what the PBX complains of, whether waiting helps), None when it does not. Vendors refine
        this: some say no in a 200, some have their own words for a rate limit."""
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
        """A text without the account's credentials and without whole phone numbers, no longer than
        anybody reads."""

        def mask(part):
            for secret in self._secrets():
                if secret:
                    part = part.replace(secret, '***')
            return re.sub(r'\d{5,}(?=\d{2})', '…', part)[:300]

        return changed(text, mask)

    def pages(self, fetch, size: int) -> Iterator[dict]:
        """All rows of a paged list: `fetch(offset)` gives one page, a page shorter than `size` is
        the last."""
        offset = 0
        while rows := fetch(offset):
            yield from rows
            if len(rows) < size:
                return
            offset += len(rows)


_clients: dict[str, type[Client]] = {}
clients: Mapping[str, type[Client]] = MappingProxyType(_clients)
