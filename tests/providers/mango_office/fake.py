"""Mango Office: signed forms, statistics that are made after they were asked for."""

import hashlib
import json

from ..server import Answer, FakePbx

COLUMNS = (
    'records',
    'start',
    'finish',
    'answer',
    'from_extension',
    'from_number',
    'to_extension',
    'to_number',
    'disconnect_reason',
    'line_number',
    'location',
    'entry_id',
)


class FakeMangoOffice(FakePbx):
    key, secret = 'mangokey0001', 'mangosalt0001'

    def __init__(self):
        super().__init__()
        self.rows = []  # of the statistics, by column
        self.not_ready = 1  # so many times
        self.old_errors = False  # HTTP 420 and a code, in place of a result in a 200
        self.recordings = {}
        self.lines = {
            'result': 1000,
            'lines': [{'line_id': 1, 'number': '74957778899', 'name': 'Main'}],
        }
        self.balance = {'result': 1000, 'balance': 300.5}
        self._made = {}

    def answer(self, request):
        if request.method != 'POST':
            return self._error(3101)
        form = request.form
        if set(form) != {'vpbx_api_key', 'sign', 'json'}:
            return self._error(3103)
        if form['vpbx_api_key'] != self.key:
            return self._error(3105)
        if (
            hashlib.sha256((self.key + form['json'] + self.secret).encode()).hexdigest()
            != form['sign']
        ):
            return self._error(3102)
        request.content = self.parse(form['json'])
        if request.content is None:
            return self._error(3104)
        path = request.path.removeprefix('/vpbx/')
        known = {
            'account/balance': lambda _: self.balance,
            'config/users/request': lambda _: {
                'users': [
                    {
                        'general': {'name': "Anna", 'user_id': 400000777},
                        'telephony': {
                            'extension': '101',
                            'outgoingline': '74957778899',
                            'numbers': [],
                        },
                    },
                    {'general': {'name': "Without phone"}, 'telephony': {'extension': ''}},
                ]
            },
            'incominglines': lambda _: self.lines,
            'commands/callback': lambda _: {'result': 1000},
            'commands/call/hangup': lambda _: {'result': 1000},
            'commands/transfer': lambda _: {'result': 1000},
            'commands/route': lambda _: {'result': 1000},
            'stats/request': self._request,
            'stats/result': self._result,
            'queries/recording/post': self._recording,
        }
        if path not in known:
            return Answer('Not found', 404)
        found = known[path](request.content)
        return found if isinstance(found, Answer) else Answer(found)

    @staticmethod
    def parse(text):
        try:
            content = json.loads(text)
        except ValueError:
            return None
        # what the vendor asks for: one JSON text without extra blanks
        return content if ', "' not in text and '": ' not in text else None

    def _error(self, code):
        return Answer({'code': code}, 420) if self.old_errors else Answer({'result': code})

    def _request(self, content):
        since, until = int(content['date_from']), int(content['date_to'])
        if until - since > 31 * 86400:
            return self._error(3111)
        columns = content['fields'].split(',')
        assert set(columns) <= set(COLUMNS)
        rows = [row for row in self.rows if since <= int(row['start']) <= until]
        key = f'key+{len(self._made)}=='
        self._made[key] = [
            self.not_ready,
            '\n'.join(';'.join(str(row[name]) for name in columns) for row in rows),
        ]
        return {'key': key}

    def _result(self, content):
        made = self._made.get(content['key'])
        if not made:
            return Answer('', 404)
        if made[0]:
            made[0] -= 1
            return Answer('', 204)
        return Answer(made[1], 200, {'Content-Type': 'text/csv;charset=UTF-8'})

    def _recording(self, content):
        assert content['action'] in ('download', 'play')
        url = self.recordings.get(content['recording_id'])
        return Answer('', 302, {'Location': url}) if url else Answer('', 404)
