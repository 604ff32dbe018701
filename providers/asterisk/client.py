"""Sends commands to Asterisk by HTTP: ARI makes and ends calls, AMI over HTTP (`/arawman`, with
digest) passes them on, which ARI refuses for calls outside a Stasis application. The control user
has the same name in both.

Neither has a history or tells the company's numbers. The recordings are files that AMI and ARI do
not serve.
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote

from requests.auth import HTTPDigestAuth

from .. import inputs, numbers
from ..base import ProviderError, _, text_of
from ..capabilities import Extension
from ..client import PASSING, Client
from . import ami

ARI, AMI = '/ari', '/arawman'
# Technologies of endpoints whose channels are called Technology/endpoint, the likelier first.
TECHNOLOGIES = ('PJSIP', 'SIP', 'IAX2')
# The context in which a phone's calls begin, if the PBX does not tell it.
CONTEXT = 'from-internal'
# Seconds that the employee's phone rings.
RING_SECONDS = 30
NORMAL_CLEARING = 16
# So many names are asked for, because each costs a request.
NAMES = 200

_CONTROL = re.compile(r'[\x00-\x1f\x7f]')
_DIALLED = re.compile(r'[0-9+*#]{1,32}')
_LOGIN = re.compile(r'[\w.-]{1,40}', re.ASCII)
_CALLER_ID = re.compile(r'^"?([^"<]*?)"?\s*<')


class AsteriskClient(Client):
    code = 'asterisk'
    label = "Asterisk"
    needs = (
        ('api_key', _("control user")),
        ('api_secret', _("control user's password")),
        ('api_url', _("API address")),
    )
    access = _("the API address, the control user and its password")
    # the context of calls that are passed on, if not that of the phone's own calls
    transfer_context = ''

    def __init__(self, account):
        super().__init__(account)
        self._digest = HTTPDigestAuth(account.api_key, account.api_secret)

    # --- the two ways ------------------------------------------------------------------------------------------------

    def _ari(self, method: str, path: str, **kwargs):
        return self.call(
            method, ARI + path, auth=(self.account.api_key, self.account.api_secret), **kwargs
        )

    def _ami(self, action: str, **headers) -> list[dict]:
        """Send an action and return the messages of its answer.

        :raise ProviderError: Asterisk refuses, which it does in a 200 too
        """
        fields = {name: _one_line(value) for name, value in {'Action': action, **headers}.items()}
        response = self.request('POST', AMI, data=fields, auth=self._digest)
        if not response.ok:
            raise ProviderError(
                self._masked(self._ami_status(response.status_code)),
                response.status_code in PASSING,
            )
        messages = _messages(response.content.decode('utf-8', 'replace'))
        answers = [message for message in messages if 'Response' in message]
        if not answers:
            raise self.not_understood()
        if answers[0]['Response'] in ('Success', 'Follows', 'Goodbye'):
            return messages
        words = answers[0].get('Message', '')
        if words == 'Permission denied':
            raise ProviderError(
                _(
                    "The control user may not do this (AMI: %(action)s). Complete its “write =” in manager.conf.",
                    action=action,
                )
            )
        raise ProviderError(
            self._masked(self.refusal(words, '' if words else answers[0]['Response']))
        )

    def complaint(self, response, body):
        """Asterisk: ARI says no in `message`, or in `error` of a 500 if it could not make a channel."""
        if response.ok:
            return None
        words = ''
        if isinstance(body, dict):
            words = str(body.get('message') or body.get('error') or '')
        told = self._ari_status(response.status_code, words)
        if told:
            return told, False
        code = '' if words else response.status_code
        return self.refusal(words, code), response.status_code in PASSING

    def _ari_status(self, status: int, words: str) -> str:
        """The sentence for a refusal that the admin can mend, '' for any other."""
        if status == 401:
            return _(
                "ARI does not accept the control user and its password. Check both, here and in ari.conf."
            )
        if status == 403:
            return _(
                "ARI does not let the control user do this. Set “read_only = no” for it in ari.conf."
            )
        if status == 404 and not words:
            return _(
                "There is no ARI at this address. Enable it in http.conf and ari.conf, or correct the API address."
            )
        if words == 'Allocation failed':
            return _(
                "%(pbx)s could not call this phone. Is it switched on and connected?",
                pbx=self.label,
            )
        return ''

    def _ami_status(self, status: int) -> str:
        if status in (401, 403):
            return _(
                "AMI over HTTP does not accept the control user and its password. Check both, here and in manager.conf."
            )
        if status == 404:
            return _(
                "There is no AMI over HTTP at this address. Set “webenabled = yes” in manager.conf, or correct the API "
                "address."
            )
        return self.refusal('', status)

    # --- capabilities ------------------------------------------------------------------------------------------------

    def check(self) -> str:
        self._ari('GET', '/asterisk/ping')
        info = self._ari('GET', '/asterisk/info', params={'only': 'system'})
        self._ami('Ping')
        system = info.get('system') if isinstance(info, dict) else None
        version = text_of(system, 'version') if isinstance(system, dict) else ''
        return _(
            "%(pbx)s %(version)s: ARI and AMI over HTTP answer.",
            pbx=self.label,
            version=version or '?',
        )

    def extensions(self) -> list[Extension]:
        """Return the endpoints with the short name of a phone, because phones with other names look
        like trunks."""
        names = sorted(
            {name for _technology, name, _state in self._endpoints() if _is_phone(name)},
            key=_by_number,
        )
        return [
            Extension(name, self._name(name) if place < NAMES else '')
            for place, name in enumerate(names)
        ]

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        """Return an id of our own, which Asterisk makes Uniqueid and Linkedid of the whole call. The
        number is sent as an employee in the account's country dials it."""
        phone = self._ready_endpoint(inputs.own_extension(self.account, extension))
        call_id = f'odoo-{uuid.uuid4().hex[:20]}'
        settings = self._settings(extension)
        self._ari(
            'POST',
            '/channels',
            params={
                'endpoint': phone,
                'extension': numbers.as_dialled(inputs.phone(number), self.account.country),
                'context': settings.get('context') or CONTEXT,
                'priority': 1,
                'callerId': _one_line(f'Odoo <{extension}>'),
                'timeout': RING_SECONDS,
                'channelId': call_id,
            },
            json={'variables': self._variables(extension, reference)},
        )
        return call_id

    def hang_up(self, call_ref: str, extension: str = '') -> None:
        """End every channel of the call, because a dialplan could go on with one that is left. After
        a colleague was asked first, end only the phone of whoever hangs up, so that the call is
        passed on, or goes back to the one who asked."""
        channels = self._channels(call_ref)
        phones = [
            channel for channel in channels if self._phone_of(channel) in self.account.extensions
        ]
        own = [channel for channel in phones if self._phone_of(channel) == extension]
        asked_first = own and len(phones) > len(own) and len(channels) > len(phones)
        for channel in own if asked_first else channels:
            path = f"/channels/{quote(channel['Uniqueid'], safe='')}"
            try:
                self._ari('DELETE', path, params={'reason_code': NORMAL_CLEARING})
            except ProviderError as error:
                if 'Channel not found' not in str(error):
                    raise

    def transfer(self, call_ref: str, extension: str, attended: bool) -> None:
        """Blind: send the customer to the colleague, which hangs our phone up. Attended: let our
        phone call the colleague while the customer waits; hanging up passes the call on."""
        to = inputs.own_extension(self.account, extension)
        if not _DIALLED.fullmatch(to):
            raise ProviderError(
                _("“%(number)s” cannot be dialled: only digits, +, * and # can.", number=to[:20])
            )
        talking = [channel for channel in self._channels(call_ref) if not _is_plumbing(channel)]
        bridged = [channel for channel in talking if channel.get('BridgeId')] or talking
        phones = [
            channel for channel in bridged if self._phone_of(channel) in self.account.extensions
        ]
        customers = [channel for channel in bridged if channel not in phones] or phones[:1]
        if attended:
            bridge = customers[0].get('BridgeId')
            own = [
                phone
                for phone in phones
                if bridge and phone.get('BridgeId') == bridge and phone not in customers
            ]
            if not own:
                raise ProviderError(
                    _("None of your phones talks in this call, so nobody can pass it on.")
                )
            action, channel = 'Atxfer', own[0]
        else:
            action, channel = 'Redirect', customers[0]
        context = self.transfer_context or self._settings(to).get('context') or CONTEXT
        self._ami(action, Channel=channel['Channel'], Context=context, Exten=to, Priority='1')

    def one_time_password(self, login: str, password: str) -> None:
        """Put the password into the memory of Asterisk, where the endpoint's own auth object is looked
        for first: `auth = memory` for res_pjsip in sorcery.conf, and `auth = once-104` for phone 104."""
        if not _LOGIN.fullmatch(login):
            raise ProviderError(_("“%(login)s” is no SIP login.", login=login[:20]))
        path = f'/asterisk/config/dynamic/res_pjsip/auth/once-{login}'
        if not password:
            self._ari('DELETE', path)
            return
        values = {'auth_type': 'userpass', 'username': login, 'password': password}
        fields = [{'attribute': name, 'value': value} for name, value in values.items()]
        self._ari('PUT', path, json={'fields': fields})

    # --- what the PBX knows ------------------------------------------------------------------------------------------

    def _endpoints(self) -> list[tuple[str, str, str]]:
        """Return (technology, name, state) of the endpoints, the likelier technology first."""
        rows = self._ari('GET', '/endpoints')
        endpoints = [
            (text_of(row, 'technology'), text_of(row, 'resource'), text_of(row, 'state'))
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict)
        ]
        known = (endpoint for endpoint in endpoints if endpoint[0] in TECHNOLOGIES)
        return sorted(known, key=lambda endpoint: TECHNOLOGIES.index(endpoint[0]))

    def _devices(self, extension: str) -> tuple[str, ...]:
        """Return the endpoints that may be this extension, the main one first."""
        return (extension,)

    def _phone_of(self, channel: dict) -> str:
        endpoint = ami.endpoint(channel['Channel'])
        return next(
            (
                extension
                for extension in self.account.extensions
                if endpoint in self._devices(extension)
            ),
            endpoint,
        )

    def _ready_endpoint(self, extension: str) -> str:
        """Return the endpoint to ring for an extension.

        :raise ProviderError: there is none, or it is not connected
        """
        devices = self._devices(extension)
        found = sorted(
            (endpoint for endpoint in self._endpoints() if endpoint[1] in devices),
            key=lambda endpoint: devices.index(endpoint[1]),
        )
        if not found:
            raise ProviderError(
                _(
                    "%(pbx)s has no phone %(extension)s. Correct the extension in Odoo.",
                    pbx=self.label,
                    extension=extension,
                )
            )
        ready = [endpoint for endpoint in found if endpoint[2] != 'offline']
        if not ready:
            raise ProviderError(
                _(
                    "The phone %(extension)s is not connected to the PBX. Switch it on and try again.",
                    extension=extension,
                )
            )
        technology, name, _state = ready[0]
        return f'{technology}/{name}'

    def _settings(self, extension: str) -> dict[str, str]:
        """Return the settings of a PJSIP phone, as far as ARI tells them. ARI knows no settings of
        other technologies."""
        try:
            rows = self._ari(
                'GET', f"/asterisk/config/dynamic/res_pjsip/endpoint/{quote(extension, safe='')}"
            )
        except ProviderError as error:
            if error.retryable:
                raise
            return {}
        pairs = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return {text_of(row, 'attribute'): text_of(row, 'value') for row in pairs}

    def _name(self, extension: str) -> str:
        match = _CALLER_ID.match(self._settings(extension).get('callerid', ''))
        return match[1].strip() if match else ''

    def _variables(self, extension: str, reference: str) -> dict[str, str]:
        return {'__CRM_REF': _one_line(reference)} if reference else {}

    def _channels(self, call_ref: str) -> list[dict]:
        """Return the live channels of a call, its first one first.

        :raise ProviderError: the call is over
        """
        found = [
            message
            for message in self._ami('CoreShowChannels')
            if message.get('Event') == 'CoreShowChannel'
        ]
        own = [
            channel
            for channel in found
            if channel.get('Linkedid') == call_ref
            and channel.get('Uniqueid')
            and channel.get('Channel')
        ]
        if not own:
            raise ProviderError(self.call_is_over())
        return sorted(own, key=lambda channel: channel['Uniqueid'] != call_ref)


def _one_line(value) -> str:
    """Return the value without control characters, because a line break would begin another header
    of AMI, and an empty line another action."""
    return _CONTROL.sub('', str(value))


def _messages(text: str) -> list[dict[str, str]]:
    blocks = re.split(r'\r?\n\r?\n', text.strip())
    return [dict(_header(line) for line in block.splitlines() if ':' in line) for block in blocks]


def _header(line: str) -> tuple[str, str]:
    name, _colon, value = line.partition(':')
    return name.strip(), value.strip()


def _is_phone(name: str) -> bool:
    return name.isdecimal() and len(name) <= numbers.SHORT


def _is_plumbing(channel: dict) -> bool:
    return channel['Channel'].partition('/')[0] in ami.PLUMBING


def _by_number(name: str):
    return len(name), name
