"""Twilio's REST API: basic authentication, forms, lists in pages, whole UTC days, the newest
first."""

import base64
from email.utils import parsedate_to_datetime

from ..server import Answer, FakePbx, sound

SOUND = b'ID3' + bytes(range(256)) * 8

PREFIX = '/2010-04-01/Accounts/AC00000000000000000000000000000001'


class FakeTwilio(FakePbx):
    key, secret = 'AC00000000000000000000000000000001', '0123456789abcdef0123456789abcdef'

    def __init__(self):
        super().__init__()
        self.status = 'active'
        self.calls = []  # rows of the list, oldest first
        self.recordings = []
        self.media_login = True  # the account's setting
        self.media_at = ''  # sent on to, in place of the sound
        self.page = 1000
        self.numbers = [
            {
                'sid': 'PN1',
                'phone_number': '+442079460001',
                'friendly_name': '(020) 7946 0001',
                'voice_url': '',
                'capabilities': {'voice': True, 'sms': False},
            },
            {
                'sid': 'PN2',
                'phone_number': '+442079460002',
                'friendly_name': 'Sales',
                'voice_url': 'https://demo.twilio.com/welcome/voice/',
                'capabilities': {'voice': True, 'sms': True},
            },
        ]

    def answer(self, request):
        if (
            '/Recordings/RE' in request.path
            and not request.path.endswith('.json')
            and not self.media_login
        ):
            return self._media(request)
        expected = 'Basic ' + base64.b64encode(f'{self.key}:{self.secret}'.encode()).decode()
        if request.headers.get('authorization') != expected:
            return self.error(401, 20003, 'Authenticate')
        if not request.path.startswith(PREFIX):
            return self.error(404, 20404, 'The requested resource was not found')
        path = request.path.removeprefix(PREFIX)
        if '/Recordings/RE' in path and not path.endswith('.json'):
            return self._media(request)
        if request.method == 'GET':
            return self._get(path, request.query)
        sid = path.rpartition('/')[2].removesuffix('.json')
        if request.method == 'DELETE':
            kept = [row for row in self.recordings if row['sid'] != sid]
            if not path.startswith('/Recordings/') or len(kept) == len(self.recordings):
                return self.error(404, 20404, f'The requested resource {path} was not found')
            self.recordings = kept
            return Answer('', 204)
        if path == '/Calls.json':
            return Answer({'sid': 'CA' + 'f' * 32, 'status': 'queued'}, 201)
        if path.startswith('/Calls/'):
            call = next((row for row in self.calls if row['sid'] == sid), None)
            if not call:
                return self.error(404, 20404, f'The requested resource {path} was not found')
            if call['status'] not in ('queued', 'ringing', 'in-progress'):
                return self.error(400, 21220, 'Call is not in-progress. Cannot redirect.')
            return Answer(call)
        if path.startswith('/IncomingPhoneNumbers/'):
            return Answer({'sid': sid})
        return self.error(404, 20404, 'not found')

    def _media(self, request):
        sid = request.path.rpartition('/')[2].partition('.')[0]
        if sid not in [row['sid'] for row in self.recordings]:
            return self.error(404, 20404, 'not found')
        if self.media_at:
            return Answer('', 302, {'Location': self.media_at})
        return sound(
            request, SOUND, 'audio/mpeg' if request.path.endswith('.mp3') else 'audio/x-wav'
        )

    def _get(self, path, query):
        if path == '.json':
            return Answer({'sid': self.key, 'status': self.status, 'friendly_name': "Firm"})
        if path == '/Calls.json':
            rows = [row for row in self.calls if self._is_asked(row, query)]
            return self._paged(path, 'calls', sorted(rows, key=_started, reverse=True), query)
        if path == '/Recordings.json':
            return self._paged(path, 'recordings', self.recordings, query)
        if path == '/IncomingPhoneNumbers.json':
            return self._paged(path, 'incoming_phone_numbers', self.numbers, query)
        sid = path.rpartition('/')[2].removesuffix('.json')
        found = next((row for row in [*self.calls, *self.recordings] if row['sid'] == sid), None)
        return (
            Answer(found)
            if found
            else self.error(404, 20404, f'The requested resource {path} was not found')
        )

    def _is_asked(self, row, query):
        day = _started(row).strftime('%Y-%m-%d')
        return (
            query.get('StartTime>', day) <= day <= query.get('StartTime<', day)
            and query.get('ParentCallSid', row['parent_call_sid']) == row['parent_call_sid']
            and query.get('Status', row['status']) == row['status']
        )

    def _paged(self, path, name, rows, query):
        number = int(query.get('Page', 0))
        first = number * self.page
        following = (
            f'{PREFIX}{path}?Page={number + 1}&PageToken=PA{number}'
            if first + self.page < len(rows)
            else None
        )
        return Answer({name: rows[first : first + self.page], 'next_page_uri': following})

    @staticmethod
    def error(status, code, message):
        return Answer(
            {
                'code': code,
                'message': message,
                'more_info': f'https://www.twilio.com/docs/errors/{code}',
                'status': status,
            },
            status,
        )


def _started(row):
    return parsedate_to_datetime(row['start_time'] or row['date_created'])
