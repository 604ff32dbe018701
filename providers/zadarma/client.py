"""Asks and tells Zadarma, and Novofon 1.0, which has the same API: requests are signed with the
secret, times are the account's.

The API cannot hang up or transfer a call, and its click-to-call tells no id of the call.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from requests.adapters import HTTPAdapter

from .. import inputs, numbers, signing
from ..base import ProviderError, _, text_of
from ..capabilities import Balance, Extension, Number
from ..client import PASSING, Client

PATTERN = '%Y-%m-%d %H:%M:%S'
# Statistics give so many rows at a time, and at most a month, whose shortest has 28 days. Only 3
# requests a minute are allowed.
PAGE, SPAN = 1000, timedelta(days=28)
# So many names are asked for, because each costs a request, and an account has 100 a minute.
NAMES = 30
NOTIFICATIONS = (
    'notify_start',
    'notify_internal',
    'notify_answer',
    'notify_end',
    'notify_out_start',
    'notify_out_end',
)

_RATE_LIMIT = re.compile(r'rate.?limit|too many requests|user limits?\b', re.IGNORECASE)
_OFFSET = re.compile(r'(?:UTC|GMT)([+-]\d{1,2})(?::?(\d\d))?')


def signature(path: str, query: str, secret: str) -> str:
    """Return the signature of a request. Zadarma: HMAC-SHA1 of path, query and its MD5, in hex, in
    base64."""
    text = path + query + hashlib.md5(query.encode()).hexdigest()
    return signing.base64_text(signing.hmac_sha1(secret, text).hex().encode())


def query_of(params: dict) -> str:
    """Return the query sorted by name and encoded as PHP does it, because the signature is checked
    so [that `~` matters is assumed]."""
    return urlencode(sorted(params.items())).replace('~', '%7E')


class ZadarmaClient(Client):
    code = 'zadarma'
    history_pause = 60  # three requests a minute for all statistics
    label = "Zadarma"
    needs = (('api_key', _("API key")), ('api_secret', _("API secret")))
    access = _("the API key and its secret")
    # the ids of recordings look like numbers with a fraction, whose last digit may be a zero
    parse_float = str

    def __init__(self, account):
        super().__init__(account)
        # below this address a GET makes phones ring, so it is never repeated
        self._session.mount(account.api_url.rstrip('/') + '/v1/request/', HTTPAdapter())

    def _ask(self, method: str, path: str, **params) -> dict:
        query = query_of({'format': 'json', **params})
        headers = {
            'Authorization': f'{self.account.api_key}:{signature(path, query, self.account.api_secret)}'
        }
        if method == 'GET':
            answer = self.call(method, f'{path}?{query}', headers=headers)
        else:
            headers['Content-Type'] = 'application/x-www-form-urlencoded'
            answer = self.call(method, path, data=query, headers=headers)
        if not isinstance(answer, dict):
            raise self.not_understood()
        return answer

    def complaint(self, response, body):
        """Zadarma: says no by status `error` and a message, also in a 200; a rate limit has been
        seen there too."""
        if not isinstance(body, dict) or response.ok and body.get('status') != 'error':
            return super().complaint(response, body)
        words = str(body.get('message') or '')
        if response.status_code == 429 or _RATE_LIMIT.search(words):
            return self.too_many(), True
        if response.status_code == 401:
            return _(
                "Zadarma does not accept the API key and its secret. Copy both once more from the Zadarma account."
            ), False
        # a recording may take up to a minute after the call [the error's text is not documented]
        asked = response.request
        not_yet = asked.method == 'GET' and asked.path_url.startswith('/v1/pbx/record/')
        refusal = self.refusal(words, '' if words else response.status_code)
        return refusal, not_yet or response.status_code in PASSING

    def balance(self) -> Balance:
        answer = self._ask('GET', '/v1/info/balance/')
        try:
            return Balance(float(answer['balance']), text_of(answer, 'currency'))
        except (KeyError, TypeError, ValueError):
            raise self.not_understood() from None

    def check(self) -> str:
        balance = self.balance()
        told = self._ask('GET', '/v1/info/timezone/').get('timezone')
        amount = f'{balance.amount:g} {balance.currency}'.strip()
        text = _("Zadarma answers: balance %(amount)s.", amount=amount)
        match = _OFFSET.fullmatch(str(told).strip())
        if not match:
            return text
        hours, minutes = int(match[1]), int(match[2] or 0)
        theirs = timedelta(hours=hours, minutes=-minutes if match[1][0] == '-' else minutes)
        now = datetime.now(timezone.utc)
        if self.account.to_local(now) - now.replace(tzinfo=None) != theirs:
            return _(
                "%(answer)s The account is in the time zone %(theirs)s, this form says %(ours)s: correct one of them, or the "
                "times of calls will be wrong.",
                answer=text,
                theirs=str(told),
                ours=self.account.timezone,
            )
        return _("%(answer)s Time zone %(zone)s.", answer=text, zone=str(told))

    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield each call with all the rows that its page has; a row is a phone or a menu. A call
        may come in two payloads, which the adapter joins.

        A rate limit ends this early. What was yielded by then is in order of time, as far as
        Zadarma sends it so.
        """
        for since, until in inputs.windows(start, end, SPAN):
            for rows in self._pages(self.account.to_local(since), self.account.to_local(until)):
                calls = {}
                for row in rows:
                    # rows without the id belong to calls that bypass the PBX; no event tells them
                    if isinstance(row, dict) and (ref := text_of(row, 'pbx_call_id')):
                        calls.setdefault(ref, []).append(row)
                for own in calls.values():
                    own.sort(key=lambda row: (str(row.get('callstart')), str(row.get('call_id'))))
                    yield {'history': {'rows': own}}

    def _pages(self, start: datetime, end: datetime) -> Iterator[list]:
        """Yield the rows of a period in the account's time, page by page. Zadarma tells for what
        period it has answered; what is missing of the period that was asked for is asked again."""
        skip, answer = 0, {}
        while True:
            answer = self._ask(
                'GET',
                '/v1/statistics/pbx/',
                start=start.strftime(PATTERN),
                end=end.strftime(PATTERN),
                version=2,
                skip=skip,
                limit=PAGE,
            )
            rows = answer.get('stats') or []
            if not isinstance(rows, list):
                raise self.not_understood()
            yield rows
            if len(rows) < PAGE:
                break
            skip += len(rows)
        told_start, told_end = _local(answer.get('start'), start), _local(answer.get('end'), end)
        second = timedelta(seconds=1)
        if start.replace(microsecond=0) < told_start <= end:
            yield from self._pages(start, told_start - second)
        if start <= told_end < end.replace(microsecond=0):
            yield from self._pages(told_end + second, end)

    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return an address that is good for half an hour. That a recording is not there yet is a
        passing error."""
        answer = self._ask('GET', '/v1/pbx/record/request/', **_recording(ref, call_ref))
        links = answer.get('links')
        url = answer.get('link') or (links[0] if isinstance(links, list) and links else '')
        if not isinstance(url, str) or not url:
            raise self.no_recording_yet()
        return url

    def delete_recording(self, ref: str, call_ref: str) -> None:
        """Without a name all recordings of the call are deleted. What Zadarma answers for one that
        is gone is not documented, so that is a refusal as any other."""
        self._ask('DELETE', '/v1/pbx/record/request/', **_recording(ref, call_ref))

    def extensions(self) -> list[Extension]:
        found = map(str, self._ask('GET', '/v1/pbx/internal/').get('numbers') or [])
        return [
            Extension(number, self._name(number) if place < NAMES else '')
            for place, number in enumerate(found)
        ]

    def _name(self, extension: str) -> str:
        """Return the name of a phone, '' if it cannot be asked, because a phone without a name is
        better than none."""
        try:
            info = self._ask('GET', f'/v1/pbx/internal/{inputs.phone(extension)}/info/')
        except ProviderError:
            return ''
        return str(info.get('name') or '')

    def numbers(self) -> list[Number]:
        rows = self._ask('GET', '/v1/direct_numbers/').get('info') or []
        return [
            Number(str(row['number']), str(row.get('number_name') or row.get('description') or ''))
            for row in rows
            if row.get('number') and row.get('status', 'on') == 'on'
        ]

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Zadarma: tells no id of the call; extension, number and time join it to its events."""
        extension = inputs.own_extension(self.account, extension)
        self._ask(
            'GET',
            '/v1/request/callback/',
            **{'from': extension, 'to': inputs.phone(number), 'sip': extension},
        )
        return ''

    def set_webhooks(self) -> str:
        """Zadarma: checks the address at once (zd_echo). NOTIFY_RECORD cannot be set by API."""
        self._ask('POST', '/v1/pbx/callinfo/url/', url=self.account.webhook_url)
        self._ask('POST', '/v1/pbx/callinfo/notifications/', **dict.fromkeys(NOTIFICATIONS, 'true'))
        return _(
            "The address and the events of calls are set. Only NOTIFY_RECORD has to be switched on in the Zadarma account."
        )


def _recording(ref: str, call_ref: str) -> dict:
    """Return how a recording is asked for: by its own id, else by that of its call."""
    return {'call_id': ref} if ref else {'pbx_call_id': call_ref}


def _local(value, default: datetime) -> datetime:
    try:
        return datetime.strptime(numbers.plain(str(value)).strip(), PATTERN)
    except ValueError:
        return default
