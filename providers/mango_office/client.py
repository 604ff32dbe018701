"""Asks and tells Mango Office: every request is a signed form post; commands are only confirmed,
their result comes as an event.

Commands name a leg, not the call: see `command_ref` of the adapter. Webhooks are set by hand in the
account.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from .. import inputs
from ..base import ProviderError, _, parse_json, text_of
from ..capabilities import Extension, Number
from ..client import PASSING, Client
from .adapter import sign_of

DONE = ('1000',)
SIGNATURE, ANOTHER_KEY, BUSY = '3102', '3105', '5008'
# Statistics give at most a month, and take one request in 2 s; their result may be asked for every
# 5 s and is gone after a minute.
SPAN, REQUEST_PAUSE, RESULT_PAUSE, RESULT_TRIES = timedelta(days=28), 2, 5, 7
ROUTE_PAUSE = 2
# The columns of the statistics, in the order in which they are asked for, because rows have no
# header. entry_id comes only if it is asked for.
# fmt: off
HISTORY_FIELDS = (
    'records', 'start', 'finish', 'answer',
    'from_extension', 'from_number', 'to_extension', 'to_number',
    'disconnect_reason', 'line_number', 'location', 'entry_id',
)
# fmt: on


class MangoOfficeClient(Client):
    code = 'mango_office'
    label = "Mango Office"
    needs = (
        ('api_key', _("unique code (vpbx_api_key)")),
        ('api_secret', _("signature key (vpbx_api_salt)")),
    )
    access = _("its unique code and its key for the signature")
    request_pause, result_pause, route_pause = REQUEST_PAUSE, RESULT_PAUSE, ROUTE_PAUSE

    def _form(self, content: dict) -> dict:
        """Return the signed form. What is signed is what is sent, to the byte."""
        text = json.dumps(content, separators=(',', ':'), ensure_ascii=False)
        sign = sign_of(self.account.api_key, text, self.account.api_secret)
        return {'vpbx_api_key': self.account.api_key, 'sign': sign, 'json': text}

    def _ask(self, path: str, content: dict):
        return self.call('POST', path, data=self._form(content))

    def complaint(self, response, body):
        """Mango: says no by HTTP 420 with a code, newer methods by a `result` in a 200. After wrong
        requests it answers 401 for a while."""
        if response.status_code == 429:
            return self.too_many(), True
        if response.status_code == 401:
            return _(
                "Mango Office turns requests away for some minutes, as it does after wrong ones. Check the unique code and the "
                "key for the signature, then try again."
            ), True
        if response.status_code == 403:
            return _(
                "Mango Office turns this server away. Allow its address in the settings of the API connector."
            ), False
        fields = body if isinstance(body, dict) else {}
        codes = (str(fields[name]) for name in ('result', 'code') if fields.get(name) is not None)
        code = next(filter(None, codes), '')
        if response.ok and code in ('', *DONE):
            return None
        if code == SIGNATURE:
            return _(
                "Mango Office does not accept the signature (3102). Check the key for the signature."
            ), False
        if code == ANOTHER_KEY:
            return _(
                "Mango Office does not know this unique code (3105). Copy it once more from the API connector."
            ), False
        words = str(fields.get('message') or '')
        passing = response.status_code in PASSING or code == BUSY
        return self.refusal(words, code or response.status_code), passing

    def check(self) -> str:
        """Ask for the balance [its body is not documented]; if that is not offered, for the list of
        employees."""
        try:
            answer = self._ask('/account/balance', {})
        except ProviderError as error:
            if error.retryable or SIGNATURE in str(error) or ANOTHER_KEY in str(error):
                raise
            return _("Mango Office answers: %(count)s employees.", count=len(self._users()))
        balance = answer.get('balance') if isinstance(answer, dict) else None
        if balance is None:
            return _("Mango Office answers.")
        return _("Mango Office answers: balance %(balance)s.", balance=str(balance))

    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield each call with all its legs. Mango makes the statistics after they are asked for, so
        this waits for up to half a minute a month; no user should wait for it. Times are Unix times
        [that they are not shifted is assumed].
        """
        for place, (since, until) in enumerate(inputs.windows(start, end, SPAN)):
            if place:
                time.sleep(self.request_pause)
            calls = {}
            for row in self._statistics(since, until):
                if ref := row['entry_id']:
                    calls.setdefault(ref, []).append(row)
            for own in sorted(calls.values(), key=lambda rows: min(row['start'] for row in rows)):
                yield {'history': {'rows': sorted(own, key=lambda row: sorted(row.items()))}}

    def _statistics(self, start: datetime, end: datetime) -> list[dict]:
        answer = self._ask(
            '/stats/request',
            {
                'date_from': str(int(start.timestamp())),
                'date_to': str(int(end.timestamp())),
                'fields': ','.join(HISTORY_FIELDS),
            },
        )
        key = text_of(answer, 'key') if isinstance(answer, dict) else ''
        if not key:
            raise self.not_understood()
        for attempt in range(RESULT_TRIES):
            time.sleep(self.result_pause if attempt else 0)
            response = self.request('POST', '/stats/result', data=self._form({'key': key}))
            if response.status_code != 204:
                break
        else:
            raise ProviderError(
                _("Mango Office is still making the statistics. They are asked for again later."),
                retryable=True,
            )
        response.encoding = 'utf-8'
        text = response.text.strip()
        if response.status_code == 404:
            raise ProviderError(
                _(
                    "Mango Office has lost the statistics that it made. They are asked for again later."
                ),
                retryable=True,
            )
        if not response.ok or text.startswith('{'):
            raise self._refusal(response, self.not_understood().args[0])
        lines = (line.strip() for line in text.split('\n'))
        return [
            _row(line) for line in lines if line and not line.startswith(HISTORY_FIELDS[0] + ';')
        ]

    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return a link that works once. That it is not ready yet is a passing error."""
        response = self.request(
            'POST',
            '/queries/recording/post',
            data=self._form({'recording_id': ref, 'action': 'download'}),
        )
        if response.status_code == 302 and response.headers.get('Location'):
            return response.headers['Location']
        if response.status_code == 404:
            raise self.no_recording_yet()
        raise self._refusal(
            response, _("Mango Office does not give this recording. Is it still stored there?")
        )

    def _refusal(self, response, otherwise: str) -> ProviderError:
        """Return the error that says why an answer is not the file that was asked for."""
        text = response.text.strip()
        body = parse_json(text, _("the answer")) if text.startswith('{') else None
        words, passing = self.complaint(response, body) or (otherwise, False)
        return ProviderError(self._masked(words), retryable=passing)

    def _users(self) -> list[dict]:
        answer = self._ask('/config/users/request', {})
        users = answer.get('users') if isinstance(answer, dict) else answer
        return [user for user in users or [] if isinstance(user, dict)]

    def extensions(self) -> list[Extension]:
        found = ((_part(user, 'telephony'), _part(user, 'general')) for user in self._users())
        return [
            Extension(text_of(telephony, 'extension'), text_of(general, 'name'))
            for telephony, general in found
            if text_of(telephony, 'extension')
        ]

    def numbers(self) -> list[Number]:
        """Return the lines [how they look is not documented]; if there are none, the numbers with
        which employees call out."""
        try:
            answer = self._ask('/incominglines', {})
        except ProviderError as error:
            if error.retryable or SIGNATURE in str(error) or ANOTHER_KEY in str(error):
                raise
            answer = []
        lists = [answer] if isinstance(answer, list) else answer.values()
        rows = [
            row if isinstance(row, dict) else {'number': str(row)}
            for found in lists
            if isinstance(found, list)
            for row in found
        ]
        lines = [(text_of(row, 'number'), text_of(row, 'name')) for row in rows]
        lines = lines or [
            (text_of(_part(user, 'telephony'), 'outgoingline'), '') for user in self._users()
        ]
        named = {number: name for number, name in reversed(lines) if number.lstrip('+').isdecimal()}
        return [Number(number, name) for number, name in sorted(named.items())]

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Mango: tells no id of the call; its events have one, and the reference as `command_id`."""
        self._ask(
            '/commands/callback',
            {
                'command_id': _command_id(reference),
                'from': {'extension': inputs.own_extension(self.account, extension)},
                'to_number': inputs.digits(number),
            },
        )
        return ''

    def hang_up(self, call_ref: str, extension: str = '') -> None:
        """:param call_ref: as the adapter's `command_ref` tells it"""
        leg, _employee = _leg(call_ref)
        self._ask('/commands/call/hangup', {'command_id': _command_id(), 'call_id': leg})

    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        """:param call_ref: as the adapter's `command_ref` tells it, with the employee who talks and
        passes the call on"""
        leg, employee = _leg(call_ref)
        self._ask(
            '/commands/transfer',
            {
                'command_id': _command_id(),
                'call_id': leg,
                'method': 'hold' if attended else 'blind',
                'to_number': inputs.own_extension(self.account, extension),
                'initiator': employee,
            },
        )

    def route(self, route_ref: str, extension: str) -> None:
        """Mango: a leg can be sent on until somebody has answered."""
        self._ask(
            '/commands/route',
            {
                'command_id': _command_id(),
                'call_id': route_ref,
                'to_number': inputs.own_extension(self.account, extension),
            },
        )


def _command_id(reference: str = '') -> str:
    """Return the id of a command. Mango: it has at most 128 bytes."""
    return reference.encode()[:128].decode('utf-8', 'ignore') or f'odoo-{uuid.uuid4()}'


def _leg(command_ref: str) -> tuple[str, str]:
    leg, _space, employee = command_ref.partition(' ')
    if not leg or not employee:
        raise ProviderError(_("None of your phones is in this call any more."))
    return leg, employee


def _part(user: dict, name: str) -> dict:
    part = user.get(name)
    return part if isinstance(part, dict) else {}


def _row(line: str) -> dict:
    values = line.split(';')
    if len(values) != len(HISTORY_FIELDS):
        raise ProviderError(
            _(
                "A row of Mango Office's statistics has %(count)s columns, not %(expected)s, so it cannot be read.",
                count=len(values),
                expected=len(HISTORY_FIELDS),
            )
        )
    return dict(zip(HISTORY_FIELDS, values))
