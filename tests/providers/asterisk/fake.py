"""Asterisk's HTTP server: ARI with basic authentication, AMI actions at /arawman with digest. A
refusal of AMI is a 200."""

import base64
import hashlib
import re
from urllib.parse import unquote

from ..server import Answer, FakePbx

NONCE = '5f1e0c'
AUTH = '/asterisk/config/dynamic/res_pjsip/auth/'


class FakeAsterisk(FakePbx):
    key, secret = 'crm-control', 'control-password'

    def __init__(self):
        super().__init__()
        self.endpoints = [
            ('PJSIP', '101', 'online'),
            ('PJSIP', '102', 'offline'),
            ('PJSIP', 'trunk', 'online'),
            ('PJSIP', '99101', 'online'),
            ('SIP', '103', 'online'),
        ]
        self.settings = {'101': {'context': 'office', 'callerid': '"Anna" <101>'}}
        self.channels = []  # rows of CoreShowChannels
        self.passwords = {}
        self.denied = set()  # AMI actions
        self.read_only = False

    def answer(self, request):
        return self._ami(request) if request.path == '/arawman' else self._ari(request)

    # --- what a PBX does; here it does nothing more than to forget channels --------------------------------------------

    def dial(self, query):
        """A channel is made: it rings the phone, then the number."""

    def live_channels(self):
        return self.channels

    def hang_up(self, uid) -> bool:
        left = [channel for channel in self.channels if channel['Uniqueid'] != uid]
        is_found, self.channels = len(left) < len(self.channels), left
        return is_found

    def pass_on(self, action, channel, phone) -> bool:
        return channel in {channel['Channel'] for channel in self.channels}

    # --- ARI ---------------------------------------------------------------------------------------------------------

    def _ari(self, request):
        expected = 'Basic ' + base64.b64encode(f'{self.key}:{self.secret}'.encode()).decode()
        if request.headers.get('authorization') != expected:
            return Answer({'message': 'Authentication required'}, 401)
        if self.read_only and request.method != 'GET':
            return Answer({'message': 'Write access denied'}, 403)
        path = request.path.removeprefix('/ari')
        if path == '/asterisk/ping':
            return Answer(
                {
                    'asterisk_id': '00:00',
                    'ping': 'pong',
                    'timestamp': '2026-03-02T05:15:00.000+0000',
                }
            )
        if path == '/asterisk/info':
            return Answer({'system': {'version': '22.10.1'}})
        if path == '/endpoints':
            return Answer(
                [
                    {'technology': kind, 'resource': name, 'state': state, 'channel_ids': []}
                    for kind, name, state in self.endpoints
                ]
            )
        if path.startswith('/asterisk/config/dynamic/res_pjsip/endpoint/'):
            found = self.settings.get(path.rpartition('/')[2])
            return (
                Answer([{'attribute': name, 'value': value} for name, value in found.items()])
                if found
                else Answer({'message': 'Object not found'}, 404)
            )
        if request.method == 'POST' and path == '/channels':
            if request.query['endpoint'].endswith('/nowhere'):
                return Answer({'error': 'Allocation failed'}, 500)
            self.dial(request.query)
            return Answer({'id': request.query['channelId'], 'state': 'Down'})
        if path.startswith(AUTH):
            name = path.removeprefix(AUTH)
            if request.method == 'PUT':
                fields = {row['attribute']: row['value'] for row in request.json()['fields']}
                self.passwords[name] = (fields['auth_type'], fields['username'], fields['password'])
                return Answer([])
            return Answer('', 204 if self.passwords.pop(name, None) else 404)
        if request.method == 'DELETE' and path.startswith('/channels/'):
            if not self.hang_up(unquote(path.removeprefix('/channels/'))):
                return Answer({'message': 'Channel not found'}, 404)
            return Answer('', 204)
        return Answer({'message': 'Resource not found'}, 404)

    # --- AMI ---------------------------------------------------------------------------------------------------------

    def _ami(self, request):
        if not self._is_authentic(request):
            challenge = f'Digest algorithm=MD5, realm="asterisk", nonce="{NONCE}", qop="auth", opaque="{NONCE}"'
            return Answer('401', 401, {'WWW-Authenticate': challenge})
        form = request.form
        assert not any(char in value for value in form.values() for char in '\r\n'), (
            "an injected header"
        )
        action = form['Action']
        if action in self.denied:
            return self._said(('Response', 'Error'), ('Message', 'Permission denied'))
        if action == 'Ping':
            return self._said(('Response', 'Success'), ('Ping', 'Pong'))
        if action == 'CoreShowChannels':
            blocks = [
                (
                    ('Response', 'Success'),
                    ('EventList', 'start'),
                    ('Message', 'Channels will follow'),
                )
            ]
            channels = self.live_channels()
            blocks += [(('Event', 'CoreShowChannel'), *channel.items()) for channel in channels]
            blocks.append(
                (('Event', 'CoreShowChannelsComplete'), ('ListItems', str(len(channels))))
            )
            return Answer(
                ''.join(self._block(block) for block in blocks), 200, {'Content-Type': 'text/plain'}
            )
        if action in ('Redirect', 'Atxfer'):
            if not self.pass_on(action, form['Channel'], form['Exten']):
                return self._said(
                    ('Response', 'Error'), ('Message', 'Channel does not exist: ' + form['Channel'])
                )
            return self._said(('Response', 'Success'), ('Message', f'{action} successful'))
        return self._said(('Response', 'Error'), ('Message', f'Invalid/unknown command: {action}.'))

    def _is_authentic(self, request):
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get('authorization', '')))
        if given.get('username') != self.key or given.get('nonce') != NONCE:
            return False

        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()  # noqa: S324

        user, what = (
            md5(f'{self.key}:asterisk:{self.secret}'),
            md5(f"{request.method}:{given['uri']}"),
        )
        return given['response'] == md5(
            f"{user}:{NONCE}:{given['nc']}:{given['cnonce']}:{given['qop']}:{what}"
        )

    def _said(self, *pairs):
        return Answer(self._block(pairs), 200, {'Content-Type': 'text/plain'})

    @staticmethod
    def _block(pairs):
        return ''.join(f'{name}: {value}\r\n' for name, value in pairs) + '\r\n'

    def actions(self):
        """The AMI actions that were let in, without their names for it."""
        found = [
            request.form for request in self.asked('/arawman') if 'authorization' in request.headers
        ]
        return [form for form in found if form['Action'] not in ('CoreShowChannels', 'Ping')]
