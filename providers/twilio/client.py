"""Asks and tells Twilio over its REST API: basic authentication with Account SID and auth token,
forms in, JSON out, lists in pages.

Twilio has no extensions: what is dialled are browser clients, SIP addresses and numbers that the
admin has entered. Calls can be passed on blind only, because asking the colleague first would take
a conference of both legs, which is a call of another shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from .. import inputs
from ..base import ProviderError, _, text_of
from ..capabilities import Number
from ..client import PASSING, Client
from ..fetch import OwnServer, Sound, open_sound
from ..signing import basic
from .adapter import (
    RING_SECONDS,
    STATUS,
    STATUS_EVENTS,
    call_twiml,
    is_phone,
    noun,
    status_address,
    transfer_twiml,
)

VERSION = '/2010-04-01'
PAGE = 1000
# Twilio's error code -> the sentence that the admin reads.
WRONG_KEYS, NOT_THERE, TOO_MANY = 20003, 20404, 20429
REGION = _(
    "Calls to this region are not allowed. Allow them in Twilio's console, under Voice geographic permissions."
)
WORDS = {
    WRONG_KEYS: _(
        "Twilio does not accept the Account SID and the auth token. Copy both once more from its console."
    ),
    TOO_MANY: _("Twilio asks to wait: there were too many requests. Try again in some minutes."),
    NOT_THERE: _("Twilio does not have this any more: it was deleted there."),
    13224: _("Twilio cannot call this number."),
    13225: _("Calls to this number are blocked at Twilio."),
    13227: REGION,
    21211: _("Twilio does not accept the number that is to be called: it is not valid."),
    21212: _("Twilio does not accept the number that calls: it is not valid."),
    21215: REGION,
    21220: _("This call is over."),
}
CALL_FIELDS = (
    'sid',
    'parent_call_sid',
    'from',
    'to',
    'status',
    'start_time',
    'end_time',
    'date_created',
    'duration',
    'direction',
    'answered_by',
)
UNFINISHED = ('in-progress', 'paused', 'stopped', 'processing')
RECORDING_FIELDS = ('sid', 'call_sid', 'status', 'duration', 'source')

_CALL_SID = re.compile(r'CA[0-9a-fA-F]{32}')
_RECORDING_SID = re.compile(r'RE[0-9a-fA-F]{32}')


class _Gone(ProviderError):
    """Raised when Twilio does not have any more what was asked for."""


class TwilioClient(Client):
    code = 'twilio'
    label = "Twilio"
    needs = (('api_key', _("Account SID")), ('api_secret', _("auth token")))
    access = _("the Account SID and the auth token")
    asks_first = False

    def _ask(self, method: str, path: str, **fields) -> dict:
        """Send a request below the account. A list as a value becomes a repeated field."""
        account = self.account.api_key.strip()
        path = path if path.startswith(VERSION) else f'{VERSION}/Accounts/{account}{path}'
        sent = {'params': fields} if method == 'GET' else {'data': fields}
        answer = self.call(method, path, auth=(account, self.account.api_secret), **sent)
        if not isinstance(answer, dict):
            raise self.not_understood()
        return answer

    def complaint(self, response, body):
        """Twilio: says no by HTTP status and an object with `code` and `message`."""
        if response.ok:
            return None
        code = body.get('code') if isinstance(body, dict) else None
        passing = response.status_code in PASSING or code == TOO_MANY
        if response.status_code == 401:
            code = WRONG_KEYS
        if code == NOT_THERE:
            raise _Gone(WORDS[NOT_THERE])
        told = str(body.get('message') or '') if isinstance(body, dict) else ''
        refusal = self.refusal(told, code or ('' if told else response.status_code))
        return WORDS.get(code) or refusal, passing

    def _list(self, path: str, name: str, **params) -> Iterator[dict]:
        """Yield all rows of a list, whose pages each name the next."""
        answer = self._ask('GET', path, PageSize=PAGE, **params)
        while True:
            rows = answer.get(name)
            if not isinstance(rows, list):
                raise self.not_understood()
            yield from (row for row in rows if isinstance(row, dict) and row.get('sid'))
            following = text_of(answer, 'next_page_uri')
            if not following:
                return
            if not following.startswith(f'{VERSION}/Accounts/'):
                raise self.not_understood()
            answer = self._ask('GET', following)

    def check(self) -> str:
        answer = self._ask('GET', '.json')
        status = text_of(answer, 'status')
        if status != 'active':
            raise ProviderError(
                _(
                    "The Twilio account is not active (%(status)s). Activate it in Twilio's console.",
                    status=status or '?',
                )
            )
        return _(
            "Twilio answers: the account %(name)s is active.", name=text_of(answer, 'friendly_name')
        )

    # --- history -----------------------------------------------------------------------------------------------------

    def history(self, start: datetime, end: datetime) -> Iterator[dict]:
        """Yield each ended call with all its legs and recordings, in order of time. Twilio selects
        whole UTC days and sends the newest leg first, so a period is read as a whole. It does not
        tell when a call was answered, nor whether a caller left a queue."""
        if not start.tzinfo or not end.tzinfo or end < start:
            raise ProviderError(
                _("The period ends before it begins, or its times have no time zone.")
            )
        start, end = start.astimezone(timezone.utc), end.astimezone(timezone.utc)
        # legs and recordings may be of the day after
        since, until = f'{start:%Y-%m-%d}', f'{end + timedelta(days=1):%Y-%m-%d}'
        calls, sounds = self._calls(since, until), self._sounds(since, until)
        begun = sorted(
            (at, ref)
            for ref, legs in calls.items()
            if ref in legs and (at := _begun(legs[ref])) and start <= at <= end
        )
        for _at, ref in begun:
            legs = [calls[ref][sid] for sid in sorted(calls[ref])]
            if text_of(calls[ref][ref], 'parent_call_sid') or not all(
                STATUS.get(text_of(leg, 'status')) for leg in legs
            ):
                continue  # the leg of a call that was passed on, or not over yet
            recordings = [
                sound
                for leg in legs
                for sound in sounds.get(leg['sid'], ())
                if sound['status'] == 'completed'
            ]
            recordings.sort(key=lambda sound: sound['sid'])
            yield {'history': {'calls': legs, 'recordings': recordings}}

    def _calls(self, since: str, until: str) -> dict[str, dict[str, dict]]:
        """Return the legs of these days by their Sid, for each parent call."""
        calls = {}
        for row in self._list('/Calls.json', 'calls', **{'StartTime>': since, 'StartTime<': until}):
            leg = {name: row.get(name) for name in CALL_FIELDS}
            ref = text_of(row, 'parent_call_sid') or text_of(row, 'sid')
            calls.setdefault(ref, {})[text_of(row, 'sid')] = leg
        return calls

    def _sounds(self, since: str, until: str) -> dict[str, list[dict]]:
        """Return the recordings of these days for each leg."""
        sounds = {}
        days = {'DateCreated>': since, 'DateCreated<': until}
        for row in self._list('/Recordings.json', 'recordings', **days):
            sound = {name: row.get(name) for name in RECORDING_FIELDS}
            sound['url'] = self._media_url(text_of(row, 'sid'))
            sounds.setdefault(text_of(row, 'call_sid'), []).append(sound)
        return sounds

    def _media_url(self, recording: str) -> str:
        base, account = self.account.api_url.rstrip('/'), self.account.api_key.strip()
        return f'{base}{VERSION}/Accounts/{account}/Recordings/{recording}'

    def open_sound(self, url: str, allowed_hosts: Iterable[str], byte_range: str = '') -> Sound:
        """Open a sound with the account's login, which Twilio wants if the account is set so."""
        own = OwnServer(
            self.account.api_url,
            {'Authorization': basic(self.account.api_key.strip(), self.account.api_secret)},
        )
        return open_sound(url, allowed_hosts, byte_range, own)

    def recording_url(self, ref: str, call_ref: str) -> str:
        """Return the address of a sound, once it is there."""
        status = text_of(self._ask('GET', f'/Recordings/{_sound(ref)}.json'), 'status')
        if status != 'completed':
            raise ProviderError(
                _(
                    "Twilio has not finished this recording (%(status)s). Try again in some minutes.",
                    status=status or '?',
                ),
                retryable=status in UNFINISHED,
            )
        return self._media_url(ref) + '.mp3'

    def delete_recording(self, ref: str, call_ref: str) -> None:
        try:
            self._ask('DELETE', f'/Recordings/{_sound(ref)}.json')
        except _Gone:
            return

    # --- numbers -----------------------------------------------------------------------------------------------------

    def _own_numbers(self) -> list[dict]:
        return [
            row
            for row in self._list('/IncomingPhoneNumbers.json', 'incoming_phone_numbers')
            if row.get('phone_number')
        ]

    def numbers(self) -> list[Number]:
        """Return the numbers. Twilio: one without a name has the number again as its name."""
        rows = [
            (text_of(row, 'phone_number'), text_of(row, 'friendly_name'))
            for row in self._own_numbers()
        ]
        return [
            Number(number, name if any(char.isalpha() for char in name) else '')
            for number, name in rows
        ]

    def _sender(self) -> str:
        """Return a number of the account that can call: the first that Odoo knows as the company's,
        else the first.

        :raise ProviderError: there is none
        """
        able = [text_of(row, 'phone_number') for row in self._own_numbers() if _is_able(row)]
        if not able:
            raise ProviderError(
                _("The Twilio account has no number that can call. Buy one in Twilio's console.")
            )
        return next((number for number in able if number in self.account.own_numbers), able[0])

    def set_webhooks(self) -> str:
        """Set the address for each number that is entered in Odoo, but for those that another
        program answers."""
        address = self.account.webhook_url
        ours = address.rstrip('/').rpartition('/')[0]
        done, left = [], []
        for row in self._own_numbers():
            number, present = text_of(row, 'phone_number'), text_of(row, 'voice_url')
            if number not in self.account.own_numbers:
                continue
            foreign = present and not present.startswith((f'{ours}/', 'https://demo.twilio.com/'))
            if foreign or text_of(row, 'voice_application_sid') or text_of(row, 'trunk_sid'):
                left.append(number)
                continue
            self._ask(
                'POST',
                f"/IncomingPhoneNumbers/{text_of(row, 'sid')}.json",
                VoiceUrl=address,
                VoiceMethod='POST',
                StatusCallback=address,
                StatusCallbackMethod='POST',
            )
            done.append(number)
        if not done and not left:
            raise ProviderError(
                _(
                    "None of the account's numbers is entered in Odoo. Import the numbers first, then set the webhooks."
                )
            )
        if not left:
            return _("The webhooks are set for %(numbers)s.", numbers=done)
        return _(
            "The webhooks are set for %(numbers)s, and not for %(left)s, which another program answers.",
            numbers=done or "–",
            left=left,
        )

    # --- commands ----------------------------------------------------------------------------------------------------

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Call the employee with TwiML that then rings the customer, whose leg is a child of the
        employee's."""
        kind, address = noun(inputs.own_extension(self.account, extension))
        sender, customer = self._sender(), inputs.phone(number)
        answer = self._ask(
            'POST',
            '/Calls.json',
            To=f'client:{address}' if kind == 'Client' else address,
            From=sender,
            Twiml=call_twiml(customer, sender, self.account),
            StatusCallback=status_address(self.account),
            StatusCallbackEvent=list(STATUS_EVENTS),
            Timeout=RING_SECONDS,
        )
        return text_of(answer, 'sid', required=True)

    def hang_up(self, call_ref: str, extension: str = '') -> None:
        self._ask('POST', f'/Calls/{_call(call_ref)}.json', Status='completed')

    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        if attended:
            raise self.cannot_ask_first()
        phone = inputs.own_extension(self.account, extension)
        customer = self._customer_leg(_call(call_ref))
        self._ask('POST', f'/Calls/{customer}.json', Twiml=transfer_twiml(phone, self.account))

    def _customer_leg(self, call: str) -> str:
        """Return the Sid of the customer's leg: the parent, if the customer called in; else the
        child that is no phone of ours.

        :raise ProviderError: the customer has left
        """
        parent = self._ask('GET', f'/Calls/{call}.json')
        if text_of(parent, 'direction') == 'inbound' and not is_phone(
            text_of(parent, 'from'), self.account
        ):
            return call
        for row in self._list('/Calls.json', 'calls', ParentCallSid=call, Status='in-progress'):
            if not is_phone(text_of(row, 'to'), self.account):
                return _call(text_of(row, 'sid'))
        raise ProviderError(
            _("The customer is not in this call any more, so it cannot be passed on.")
        )


def _call(call_ref: str) -> str:
    if not _CALL_SID.fullmatch(call_ref):
        raise ProviderError(
            _("Twilio has no call of this name, so it cannot be controlled from Odoo.")
        )
    return call_ref


def _sound(ref: str) -> str:
    if not _RECORDING_SID.fullmatch(ref):
        raise ProviderError(_("Twilio has no recording of this name."))
    return ref


def _begun(row: dict) -> datetime | None:
    text = text_of(row, 'start_time') or text_of(row, 'date_created')
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc)


def _is_able(row: dict) -> bool:
    """Return whether a number can call; if Twilio does not tell, it can."""
    told = row.get('capabilities')
    return bool(told.get('voice', True)) if isinstance(told, dict) else True
