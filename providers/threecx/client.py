"""Asks and tells 3CX v20: commands go to the Call Control API, the past comes from the
Configuration API (XAPI). Both take a token that an API client (Integrations → API) gets for its id
and secret; v18 has neither, and no API tells the called numbers or sets the CRM template. Nothing
of this was tried on a 3CX.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from .. import inputs
from ..base import ProviderError, _, text_of
from ..capabilities import Extension
from ..client import PASSING, Client
from ..fetch import LoginRefused, OwnServer, Sound, open_sound
from .adapter import log_payloads

XAPI, CONTROL = '/xapi/v1', '/callcontrol'
# Rows of a page of the XAPI. Their order cannot be asked for [seen in client code], so a period is
# sorted here.
PAGE = 100
# The first rows of a call are looked for so long before the period. A call that began before the
# period is left out.
LONGEST_CALL = timedelta(hours=4)
# Seconds before its end at which a token is renewed, and its life if none is told.
EARLY, LIFE = 60, 3600
DONE = ('1', 'success', '')

_RECORDING = re.compile(r'[0-9]{1,18}')

# (address, id, hash of the secret) -> (token, end). All clients of this process share the token,
# because 3CX keeps only one of an API client alive.
_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
_lock = threading.Lock()


class _Unauthorised(ProviderError):
    """Raised when the token is not accepted any more."""


class _Lacking(ProviderError):
    """Raised when the API client has not been granted this."""


class ThreeCxClient(Client):
    code = 'threecx'
    label = "3CX"
    needs = (
        ('api_key', _("client ID")),
        ('api_secret', _("client secret")),
        ('api_url', _("API address")),
    )
    access = _("the API address, the client ID and its secret")
    asks_first = False

    def __init__(self, account):
        super().__init__(account)
        self._token = ''
        self._key = (
            account.api_url,
            account.api_key,
            hashlib.sha256(account.api_secret.encode()).hexdigest(),
        )

    # --- the token ---------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, **kwargs):
        """Send a request with the token. One that another process has made invalid is renewed,
        once."""
        try:
            return self._authorised(method, path, **kwargs)
        except _Unauthorised:
            self._drop_token()
        try:
            return self._authorised(method, path, **kwargs)
        except _Unauthorised as error:
            raise ProviderError(error.args[0]) from None

    def _authorised(self, method: str, path: str, **kwargs):
        headers = {'Authorization': f'Bearer {self._valid_token()}', 'Accept': 'application/json'}
        return self.call(method, path, headers=headers, **kwargs)

    def _valid_token(self) -> str:
        with _lock:
            token, end = _tokens.get(self._key, ('', 0.0))
            if not token or time.monotonic() > end:
                token, end = _tokens[self._key] = self._new_token()
        self._token = token
        return token

    def _drop_token(self) -> None:
        """Forget the token that was refused, unless another one has taken its place."""
        with _lock:
            if _tokens.get(self._key, ('', 0))[0] == self._token:
                del _tokens[self._key]

    def _new_token(self) -> tuple[str, float]:
        answer = self.call(
            'POST',
            '/connect/token',
            data={
                'client_id': self.account.api_key,
                'client_secret': self.account.api_secret,
                'grant_type': 'client_credentials',
            },
        )
        token = text_of(answer, 'access_token') if isinstance(answer, dict) else ''
        if not token:
            raise self.not_understood()
        told = text_of(answer, 'expires_in')
        life = float(told) if told.isdecimal() and int(told) > EARLY else LIFE
        return token, time.monotonic() + life - EARLY

    def complaint(self, response, body):
        """3CX: says no to OAuth by `error`, in the XAPI by OData's {"error": {"code", "message"}},
        to commands by a `finalstatus` in a 200."""
        body = body if isinstance(body, dict) else {}
        if response.ok:
            return self._not_done(body)
        path, status = response.request.path_url, response.status_code
        if path.endswith('/connect/token') and status in (400, 401, 403):
            return _("3CX does not accept the client ID and its secret. Check both."), False
        if status == 401:
            raise _Unauthorised(
                _("3CX does not accept the token that it gave. Check the API client in the 3CX.")
            )
        if status == 403 and CONTROL in path:
            raise _Lacking(
                _(
                    "The API client of the 3CX lacks Call Control access to this extension. Grant it in the 3CX."
                )
            )
        if status == 403:
            raise _Lacking(
                _(
                    "The API client of the 3CX lacks XAPI access, or the role for this. Grant it in the 3CX."
                )
            )
        if status == 404 and '/participants/' in path:
            return self.call_is_over(), False
        error = body.get('error')
        told = error.get('message') if isinstance(error, dict) else error
        words = str(told or body.get('reasontext') or '')
        return self.refusal(words, '' if words else status), status in PASSING

    def _not_done(self, body: dict) -> tuple[str, bool] | None:
        """Return the complaint of a command that was answered with a 200, None if it was done."""
        statuses = (text_of(body, name) for name in ('finalstatus', 'FinalStatus') if name in body)
        status = next(statuses, '')
        if status.lower() in DONE:
            return None
        reasons = (body.get(name) for name in ('reasontext', 'ReasonText', 'reason', 'Reason'))
        words = str(next(filter(None, reasons), ''))
        return self.refusal(words, '' if words else status), False

    def _secrets(self):
        return *super()._secrets(), self._token

    # --- what was ----------------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Ask both APIs, because either may be granted without the other."""
        granted, refused = [], None
        for name, path in (("XAPI", f'{XAPI}/Defs?$select=Id'), ("Call Control", CONTROL)):
            try:
                self._ask('GET', path)
                granted.append(name)
            except _Lacking as error:
                refused = error
        if not granted:
            raise refused
        return _("3CX answers: the API client may use %(what)s.", what=granted)

    def _rows(self, path: str) -> Iterator[dict]:
        mark = '&' if '?' in path else '?'

        def page(offset):
            answer = self._ask('GET', f'{path}{mark}$top={PAGE}&$skip={offset}')
            rows = answer.get('value') if isinstance(answer, dict) else None
            if not isinstance(rows, list):
                raise self.not_understood()
            return rows

        return (row for row in self.pages(page, PAGE) if isinstance(row, dict))

    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield the calls of the call log, in order of time. Those between colleagues are left out,
        as they are in journals. The texts differ by version and language, see the adapter."""
        rows = []
        for since, until in inputs.windows(start - LONGEST_CALL, end, timedelta(days=1)):
            rows += self._rows(_log_path(since, until))
        yield from log_payloads(rows, start, end, self.account)

    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return the address of the sound in the XAPI, which only the token opens."""
        base = self.account.api_url.rstrip('/')
        return f'{base}{XAPI}/Recordings/Pbx.DownloadRecording(recId={_recording(ref)})'

    def delete_recording(self, ref: str, call_ref: str) -> None:
        """Delete it by the only way there is, in bulk [seen in client code]."""
        self._ask(
            'POST',
            f'{XAPI}/Recordings/Pbx.BulkRecordingsDelete',
            json={'Ids': [int(_recording(ref))]},
        )

    def open_sound(self, url: str, allowed_hosts: Iterable[str], byte_range: str = '') -> Sound:
        """Open a sound that lies on the 3CX with the token. One that another process has made
        invalid is renewed, once. Without an API client (v18) there is no token."""
        if not self.account.api_key or not OwnServer(self.account.api_url).serves(url):
            return open_sound(url, allowed_hosts, byte_range)
        self.require_access()
        try:
            return open_sound(url, allowed_hosts, byte_range, self._own_server())
        except LoginRefused:
            self._drop_token()
        return open_sound(url, allowed_hosts, byte_range, self._own_server())

    def _own_server(self) -> OwnServer:
        return OwnServer(
            self.account.api_url,
            {'Authorization': f'Bearer {self._valid_token()}'},
            kind='audio/wav',
        )

    def extensions(self) -> list[Extension]:
        rows = self._rows(f'{XAPI}/Users?$select=Id,Number,FirstName,LastName,EmailAddress')
        return [
            Extension(
                text_of(row, 'Number'),
                f"{text_of(row, 'FirstName')} {text_of(row, 'LastName')}".strip(),
            )
            for row in rows
            if text_of(row, 'Number')
        ]

    # --- commands ----------------------------------------------------------------------------------------------------

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Return a name of the running call that `hang_up` and `transfer` understand. Its journal
        comes after the end, under another name."""
        extension = inputs.own_extension(self.account, extension)
        answer = self._ask(
            'POST',
            f'{CONTROL}/{_part(extension)}/makecall',
            json={'destination': inputs.phone(number)},
        )
        made = answer.get('result') if isinstance(answer, dict) else None
        if not isinstance(made, dict) or not text_of(made, 'id'):
            return ''
        phone = text_of(made, 'dn') or extension
        return f"live:{phone}:{text_of(made, 'id')}:{text_of(made, 'callid')}"

    def hang_up(self, call_ref: str, extension: str = '') -> None:
        self._ask('POST', f'{self._participant(call_ref)}/drop', json={})

    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        """Pass the other side on by `transferto`, which does it at once [assumed]. There is no
        attended transfer."""
        if attended:
            raise self.cannot_ask_first()
        to = inputs.own_extension(self.account, extension)
        self._ask('POST', f'{self._participant(call_ref)}/transferto', json={'destination': to})

    def _participant(self, call_ref: str) -> str:
        """Return the address of the employee's part in a call.

        :raise ProviderError: the call is over, or cannot be controlled
        """
        kind, _colon, rest = call_ref.partition(':')
        parts = rest.split(':')
        if kind != 'live' or len(parts) != 3:
            raise ProviderError(
                _(
                    "3CX tells of this call after its end only, so it cannot be controlled from Odoo."
                )
            )
        extension, participant, call = parts
        path = f'{CONTROL}/{_part(extension)}/participants/{_part(participant)}'
        found = self._ask('GET', path)
        if not isinstance(found, dict) or text_of(found, 'callid') != call:
            raise ProviderError(self.call_is_over())
        return path


def _recording(ref: str) -> str:
    if not _RECORDING.fullmatch(ref):
        raise ProviderError(_("3CX has no recording of this name."))
    return ref


def _part(text: str) -> str:
    return quote(text, safe='')


def _log_path(start: datetime, end: datetime) -> str:
    """Return the address of the log of a period. Literals stand in the path: dates bare, texts in
    quotes; both encoded [seen in client code]."""
    since, until = (
        f'{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}'.replace(':', '%3A')
        for moment in (start, end)
    )
    return (
        f"{XAPI}/ReportCallLogData/Pbx.GetCallLogData(periodFrom={since},periodTo={until},sourceType=0,sourceFilter='',"
        "destinationType=0,destinationFilter='',callsType=0,callTimeFilterType=0,callTimeFilterFrom='0%3A00%3A0',"
        "callTimeFilterTo='0%3A00%3A0',hidePcalls=true)"
    )
