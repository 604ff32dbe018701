"""Asks and tells OnlinePBX by HTTP: a login gives a pair of keys, which every other request shows.

Hanging up, transfers and webhooks are not in this API. Much of it is known from other people's
programs only.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from .. import inputs
from ..base import ProviderError, _, text_of
from ..capabilities import Extension, Number
from ..client import PASSING, Client

# At most a week is asked for, because of a longer period only the last week would come, and nothing
# would tell that.
SPAN = timedelta(days=7) - timedelta(minutes=1)
# At most 2 requests a second.
PAUSE = 0.5
# Both hosts are in use; some accounts are known to one of them only.
OTHER_HOST = {
    'https://api2.onlinepbx.ru': 'https://api.onlinepbx.ru',
    'https://api.onlinepbx.ru': 'https://api2.onlinepbx.ru',
}

WORDS = {
    'WRONG_AUTH_DATA': _(
        "OnlinePBX does not accept the API key. Copy it once more from its settings."
    ),
    'API_KEY_CHECK_FAILED': _(
        "OnlinePBX does not accept the API key: it is wrong or was changed. Copy it once more."
    ),
    'DOMAIN_NOT_FOUND': _("OnlinePBX does not know this domain. Correct the PBX domain."),
    'DISABLED_DOMAIN': _("This PBX is switched off at OnlinePBX. Ask its support."),
}

WRONG_DOMAIN = _(
    "OnlinePBX does not know this domain. Are the PBX domain and the API address right?"
)

# (address, domain, hash of the key) -> (host, pair). All clients of this process share the pairs,
# because a login may end other sessions.
_pairs: dict[tuple[str, str, str], tuple[str, str]] = {}
_login = threading.Lock()


class _Unknown(ProviderError):
    """Raised when the pair is not accepted any more, or the key never was."""


class OnlinePbxClient(Client):
    code = 'onlinepbx'
    label = "OnlinePBX"
    needs = (('api_key', _("PBX domain")), ('api_secret', _("API key")))
    access = _("the PBX domain and its API key")
    pause = PAUSE

    def __init__(self, account):
        super().__init__(account)
        self._domain = re.sub(r'^\w+://', '', account.api_key.strip().lower()).strip('/')
        self._free_at = 0.0
        secret = hashlib.sha256(account.api_secret.encode()).hexdigest()
        self._key = (account.api_url, self._domain, secret)

    def _ask(self, path: str, **fields):
        """Send a request and return the `data` of its answer. A pair that is not accepted any more is
        renewed, once."""
        pair = self._pair()
        try:
            return self._post(path, fields, pair)
        except _Unknown:
            with _login:
                if _pairs.get(self._key, ('', ''))[1] == pair:
                    del _pairs[self._key]
        return self._post(path, fields, self._pair())

    def _pair(self) -> str:
        with _login:
            if self._key not in _pairs:
                _pairs[self._key] = self._log_in()
            host, pair = _pairs[self._key]
        self.account = replace(self.account, api_url=host)
        return pair

    def _log_in(self) -> tuple[str, str]:
        """Log in, without `new`, which would make the pair of every other session invalid. Return
        the host that answered, and the pair."""
        own = self.account.api_url.rstrip('/')
        for host in (own, OTHER_HOST.get(own)) if own in OTHER_HOST else (own,):
            self.account = replace(self.account, api_url=host)
            try:
                data = self._post('auth.json', {'auth_key': self.account.api_secret})
            except _NoSuchPage:
                continue
            if not isinstance(data, dict):
                break
            key_id, key = (
                text_of(data, 'key_id', required=True),
                text_of(data, 'key', required=True),
            )
            return host, f'{key_id}:{key}'
        raise ProviderError(WRONG_DOMAIN)

    def _post(self, path: str, fields: dict, pair: str = ''):
        wait = self._free_at - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, self.pause))
        self._free_at = time.monotonic() + self.pause
        headers = {'x-pbx-authentication': pair} if pair else {}
        answer = self.call('POST', f'/{quote(self._domain)}/{path}', data=fields, headers=headers)
        return answer.get('data') if isinstance(answer, dict) else answer

    def complaint(self, response, body):
        """OnlinePBX: says no by status 0, text or number, in a 200, with `isNotAuth` if the pair is
        not accepted."""
        if response.status_code == 429:
            return self.too_many(), True
        if isinstance(body, dict) and (
            body.get('isNotAuth') or str(body.get('status', '1')) != '1'
        ):
            code = str(body.get('errorCode') or '')
            words = WORDS.get(code) or self.refusal(
                str(body.get('comment') or ''),
                code or ('' if body.get('comment') else response.status_code),
            )
            if body.get('isNotAuth'):
                if not body.get('comment') and not code:
                    words = WORDS['WRONG_AUTH_DATA']
                raise _Unknown(self._masked(words))
            return words, response.status_code in PASSING
        if response.status_code == 404:
            raise _NoSuchPage(WRONG_DOMAIN)
        return super().complaint(response, body)

    def check(self) -> str:
        return _(
            "OnlinePBX answers: %(count)s extensions of %(domain)s.",
            count=len(self._users()),
            domain=self._domain,
        )

    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield calls, in order of time. How many rows an answer holds is not known, nor how to
        page. So what lies before the first and behind the last call of an answer is asked for
        again, until nothing new comes."""
        for since, until in inputs.windows(start, end, SPAN):
            rows, asked = {}, [(int(since.timestamp()), int(until.timestamp()))]
            while asked:
                low, high = asked.pop()
                found = self._search(start_stamp_from=low, start_stamp_to=high)
                new = {
                    text_of(row, 'uuid'): row for row in found if text_of(row, 'uuid') not in rows
                }
                new.pop('', None)
                if not new:
                    continue
                rows.update(new)
                stamps = [stamp for row in found if low <= (stamp := _stamp(row)) <= high]
                stamps = stamps or [low, high]
                # the first and the last second are asked for again: a cut may go through them
                asked += [
                    (since, until)
                    for since, until in ((low, min(stamps)), (max(stamps), high))
                    if since < until and (since, until) != (low, high)
                ]
            for row in sorted(rows.values(), key=lambda row: (_stamp(row), text_of(row, 'uuid'))):
                yield {'history': row}

    def _search(self, **fields) -> list[dict]:
        rows = self._ask('mongo_history/search.json', **fields) or []
        if not isinstance(rows, list):
            raise self.not_understood()
        return [row for row in rows if isinstance(row, dict)]

    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return a link that is good for some minutes. The file may need a minute."""
        found = self._ask('mongo_history/search.json', uuid=call_ref or ref, download=1)
        url = found[0] if isinstance(found, list) and found else found
        if not isinstance(url, str) or not url.startswith('http'):
            raise self.no_recording_yet()
        return re.sub('^http://(?=[^/]*on(?:line)?pbx\\.ru(?:[:/]|$))', 'https://', url)

    def _users(self) -> list[dict]:
        return _list(self._ask('user/get.json'))

    def extensions(self) -> list[Extension]:
        return [
            Extension(text_of(row, 'num'), text_of(row, 'name'))
            for row in self._users()
            if text_of(row, 'num')
        ]

    def numbers(self) -> list[Number]:
        """Return the numbers of the trunks, without those that are named by a SIP login."""
        rows = [
            (text_of(row, 'number'), text_of(row, 'description'))
            for row in _list(self._ask('trunks/get.json'))
        ]
        return [Number(number, label) for number, label in rows if number.lstrip('+').isdecimal()]

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Call by `call/instantly`, which answers at once; `call/now` takes the same fields and may
        wait for the employee."""
        data = self._ask(
            'call/instantly.json',
            **{'from': inputs.own_extension(self.account, extension), 'to': inputs.phone(number)},
        )
        return text_of(data, 'uuid') if isinstance(data, dict) else ''


class _NoSuchPage(ProviderError):
    """Raised when the host does not know the PBX's domain."""


def _list(data) -> list[dict]:
    """Return the rows of an answer. OnlinePBX: a single row may come without a list."""
    rows = data if isinstance(data, list) else [data]
    return [row for row in rows if isinstance(row, dict)]


def _stamp(row: dict) -> int:
    text = text_of(row, 'start_stamp')
    return int(float(text)) if text.replace('.', '', 1).isdecimal() else 0
