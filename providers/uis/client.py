"""Asks and tells UIS, CoMagic, CallGear and Novofon 2.0 over two APIs, both JSON-RPC: the Data API
has the past, the Call API takes commands.

Both have hosts of their own (dataapi.…, callapi.…); either of them may be entered, any other host
serves both. Employees are named by their ids, as in the notifications. Webhooks are set by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from .. import inputs
from ..base import ProviderError, _, text_of
from ..capabilities import Extension, Number
from ..client import PASSING, Client

PATTERN = '%Y-%m-%d %H:%M:%S'
DATA, CALLS = ('dataapi', '/v2.0'), ('callapi', '/v4.0')
# A report gives so many rows at a time, none behind the last offset, and at most 3 months.
PAGE, LAST_OFFSET, SPAN = 1000, 100_000, timedelta(days=28)
# The period in which a recording is looked for, because the time of its call is not known.
SEARCHED = timedelta(days=89)
# fmt: off
CALL_FIELDS = (
    'id', 'start_time', 'finish_time', 'finish_reason', 'direction', 'source',
    'is_lost', 'is_transfer',
    'contact_phone_number', 'virtual_phone_number', 'communication_id',
    'wait_duration', 'total_wait_duration', 'talk_duration', 'clean_talk_duration',
    'total_duration',
    'call_records', 'full_record_file_link', 'voice_mail_records',
    'employees', 'first_answered_employee_id', 'last_answered_employee_id',
    'last_talked_employee_id',
    'scenario_name', 'call_api_external_id',
)
# fmt: on

LIMIT, INTERNAL = -32029, -32603
# The mnemonic of an error -> the sentence that the admin reads.
WORDS = {
    'access_token_invalid': _(
        "UIS does not accept the access token. Make a new one in the UIS account and enter it here."
    ),
    'access_token_expired': _(
        "The access token has expired. Make a new one in the UIS account and enter it here."
    ),
    'access_token_blocked': _(
        "The access token is blocked. Unblock it in the UIS account, or make a new one."
    ),
    'auth_error': _("UIS does not accept the login and the access token. Check both."),
    'ip_not_whitelisted': _(
        "UIS turns this server away. Enter its address in the white list of the UIS account."
    ),
    'limit_exceeded': _(
        "UIS asks to wait: there were too many requests. Try again in some minutes."
    ),
    'component_disabled': _(
        "The UIS account lacks the component that this needs. Order it at UIS."
    ),
    'account_inactive': _("The UIS account is not active. Ask the support of UIS."),
    'call_session_not_found': _("This call is over."),
    'contact_in_blacklist': _("The number is on the black list of the UIS account."),
}
TOKEN_GONE = ('access_token_invalid', 'access_token_expired', 'auth_error')
# The sentence that the customer hears while waiting. Most tariffs have speech synthesis [assumed].
WAIT = {'ru': "Пожалуйста, оставайтесь на линии", 'en': "Please hold the line"}


class _RpcError(ProviderError):
    def __init__(self, message, retryable, mnemonic):
        super().__init__(message, retryable)
        self.mnemonic = mnemonic


class _Rpc(Client):
    """One of the two APIs."""

    label = "UIS"
    access = _("the access token")

    def __init__(self, account, api):
        host, self._path = api
        url = re.sub(r'(?<=//)(?:dataapi|callapi)(?=[.-])', host, account.api_url)
        super().__init__(replace(account, api_url=url))
        self._token = account.api_secret

    def ask(self, method: str, **params) -> dict:
        """Call a method and return its `result`. If a login is entered and the secret is no token,
        it is the password [assumed]."""
        try:
            return self._ask(method, access_token=self._token, **params)
        except _RpcError as error:
            if error.mnemonic not in TOKEN_GONE or not self.account.api_key:
                raise
        answer = self._ask(
            'login.user', login=self.account.api_key, password=self.account.api_secret
        )
        data = answer.get('data')
        self._token = text_of(data, 'access_token', required=True) if isinstance(data, dict) else ''
        return self._ask(method, access_token=self._token, **params)

    def _ask(self, method: str, **params) -> dict:
        answer = self.call(
            'POST',
            self._path,
            headers={'Content-Type': 'application/json; charset=UTF-8'},
            json={'jsonrpc': '2.0', 'id': 'odoo', 'method': method, 'params': params},
        )
        result = answer.get('result') if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            raise self.not_understood()
        return result

    def complaint(self, response, body):
        """UIS: says no by an object `error` with a mnemonic, whatever the HTTP status."""
        error = body.get('error') if isinstance(body, dict) else None
        if not isinstance(error, dict):
            return super().complaint(response, body)
        data = error.get('data') if isinstance(error.get('data'), dict) else {}
        mnemonic = str(data.get('mnemonic') or '')
        passing = error.get('code') in (LIMIT, INTERNAL) or response.status_code in PASSING
        words = WORDS.get(mnemonic) or self.refusal(
            str(error.get('message') or ''),
            mnemonic or ('' if error.get('message') else response.status_code),
        )
        raise _RpcError(self._masked(words), passing, mnemonic)

    def _secrets(self):
        return *super()._secrets(), self._token

    def rows(self, method: str, **params) -> tuple[list[dict], int]:
        """Return a page of rows, and how many rows there are in all, -1 if that is not told."""
        result = self.ask(method, **params)
        data = result.get('data')
        if not isinstance(data, list):
            raise self.not_understood()
        metadata = result.get('metadata')
        total = metadata.get('total_items') if isinstance(metadata, dict) else None
        return data, total if isinstance(total, int) else -1


class UisClient(Client):
    code = 'uis'
    label = "UIS"
    needs = (('api_secret', _("access token")),)
    asks_first = False

    def __init__(self, account):
        super().__init__(account)
        self._data, self._calls = _Rpc(account, DATA), _Rpc(account, CALLS)

    def check(self) -> str:
        rows, _total = self._data.rows('get.account')
        found = rows[0] if rows and isinstance(rows[0], dict) else {}
        zone = text_of(found, 'timezone')
        name = text_of(found, 'name') or text_of(found, 'app_id')
        now = datetime.now(timezone.utc)
        if zone and self.account.to_local(now) != replace(self.account, timezone=zone).to_local(
            now
        ):
            return _(
                "UIS answers: account %(name)s. It is in the time zone %(theirs)s, this form says %(ours)s: correct one "
                "of them, or the times of calls will be wrong.",
                name=name,
                theirs=zone,
                ours=self.account.timezone,
            )
        return _("UIS answers: account %(name)s, time zone %(zone)s.", name=name, zone=zone)

    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield the sessions of calls, in order of time. Their times are the account's [seen, not
        documented]."""
        for since, until in inputs.windows(start, end, SPAN):
            for row in self._report(since, until):
                if isinstance(row, dict) and row.get('id'):
                    yield {'history': row}

    def _report(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield as many rows as the first page announces, however many a page holds. A period with
        more rows than can be reached is halved."""
        offset, total = 0, None
        while total is None or offset < total:
            rows, told = self._data.rows(
                'get.calls_report',
                date_from=self._local(start),
                date_till=self._local(end),
                limit=PAGE,
                offset=offset,
                sort=[{'field': 'start_time', 'order': 'asc'}],
                fields=list(CALL_FIELDS),
            )
            if total is None:
                total = told
                if total > LAST_OFFSET and end - start > timedelta(minutes=1):
                    middle = start + (end - start) / 2
                    yield from self._report(start, middle)
                    yield from self._report(middle, end)
                    return
            yield from rows
            offset += len(rows)
            if not rows or total < 0 and len(rows) < PAGE:
                return
            total = offset + 1 if total < 0 else total

    def _local(self, moment: datetime) -> str:
        return self.account.to_local(moment).strftime(PATTERN)

    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return the address of the recording of a whole call of the last three months."""
        now = datetime.now(timezone.utc)
        rows, _total = self._data.rows(
            'get.calls_report',
            date_from=self._local(now - SEARCHED),
            date_till=self._local(now),
            limit=1,
            offset=0,
            filter={'field': 'id', 'operator': '=', 'value': _session(call_ref)},
            fields=['id', 'full_record_file_link'],
        )
        url = text_of(rows[0], 'full_record_file_link') if rows else ''
        if not url:
            raise self.no_recording_yet()
        return url

    def _all(self, method: str, *fields: str) -> list[dict]:
        def page(offset):
            return self._data.rows(method, limit=PAGE, offset=offset, fields=list(fields))[0]

        return [row for row in self.pages(page, PAGE) if isinstance(row, dict) and row.get('id')]

    def _employees(self) -> list[dict]:
        return self._all('get.employees', 'id', 'full_name', 'phone_numbers', 'extension')

    def extensions(self) -> list[Extension]:
        """Return employees by their ids, because notifications name them so."""
        return [
            Extension(text_of(row, 'id'), text_of(row, 'full_name')) for row in self._employees()
        ]

    def numbers(self) -> list[Number]:
        rows = self._all('get.virtual_numbers', 'id', 'virtual_phone_number', 'status', 'name')
        return [
            Number(text_of(row, 'virtual_phone_number'), text_of(row, 'name'))
            for row in rows
            if row.get('virtual_phone_number') and row.get('status', 'active') == 'active'
        ]

    def _employee(self, extension: str) -> dict:
        """Return the employee with this id, or whose phone has this short number.

        :raise ProviderError: there is none
        """
        extension = inputs.own_extension(self.account, extension)
        rows = self._employees()
        found = [row for row in rows if text_of(row, 'id') == extension]
        found += [row for row in rows if _short_number(row) == extension]
        if not found:
            raise ProviderError(
                _(
                    "UIS has no employee with the extension or id %(extension)s. Correct the extension in Odoo.",
                    extension=extension,
                )
            )
        return found[0]

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Call, and let the customer see the first of the account's numbers that Odoo knows as the
        company's, else the account's first number."""
        contact, employee = inputs.digits(number), self._employee(extension)
        lines = [number.number.lstrip('+') for number in self.numbers()]
        ours = {number.lstrip('+') for number in self.account.own_numbers}
        line = next((line for line in lines if line in ours), '') or next(iter(lines), '')
        if not line:
            raise ProviderError(
                _("The UIS account has no active number to call from. Activate one at UIS.")
            )
        result = self._calls.ask(
            'start.employee_call',
            first_call='employee',
            direction='out',
            virtual_phone_number=line,
            contact=contact,
            employee={'id': employee['id']},
            **({'external_id': reference} if reference else {}),
        )
        data = result.get('data')
        return text_of(data, 'call_session_id') if isinstance(data, dict) else ''

    def hang_up(self, call_ref: str, extension: str = '') -> None:
        self._calls.ask('release.call', call_session_id=_session(call_ref))

    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        """Put the customer on hold, call the colleague, pass the call on. UIS: to ask first would
        take further commands, to pass the call on and to go back."""
        if attended:
            raise self.cannot_ask_first()
        session, employee = _session(call_ref), self._employee(extension)
        to = _short_number(employee) or _phone_number(employee)
        if not to:
            raise ProviderError(
                _("This colleague has no phone at UIS, so the call cannot be passed on.")
            )
        language = 'en' if 'callgear' in self.account.api_url else 'ru'
        self._calls.ask(
            'hold.call',
            call_session_id=session,
            contact_message={'type': 'tts', 'value': WAIT[language]},
        )
        try:
            self._calls.ask('make.call', call_session_id=session, to=to)
            self._calls.ask('transfer.talk', call_session_id=session)
        except ProviderError:
            # the customer must not stay on hold because the colleague cannot be called
            self._give_back(session)
            raise

    def _give_back(self, session: int) -> None:
        for method in ('restore.talk', 'unhold.call'):
            try:
                self._calls.ask(method, call_session_id=session)
            except ProviderError:
                continue
            return


def _session(call_ref: str) -> int:
    if not call_ref.isdecimal():
        raise ProviderError(
            _("UIS has no call of this name, so it cannot be controlled from Odoo.")
        )
    return int(call_ref)


def _short_number(row: dict) -> str:
    extension = row.get('extension')
    return text_of(extension, 'extension_phone_number') if isinstance(extension, dict) else ''


def _phone_number(row: dict) -> str:
    phones = [phone for phone in row.get('phone_numbers') or [] if isinstance(phone, dict)]
    return next(
        (
            text_of(phone, 'phone_number')
            for phone in phones
            if phone.get('status', 'active') == 'active'
        ),
        '',
    )
