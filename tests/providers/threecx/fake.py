"""3CX v20: OAuth tokens of which one lives, the Call Control API and the XAPI."""

from urllib.parse import unquote

from ..server import Answer, FakePbx, sound

SOUND = b'RIFF' + bytes(range(256)) * 8


class FakeThreeCx(FakePbx):
    key, secret = 'odoo-client', 'threecx-secret-0001'

    def __init__(self):
        super().__init__()
        self.tokens = 0
        self.granted = {'xapi', 'callcontrol'}
        self.rows = []  # of the call log
        self.users = [
            {'Id': 1, 'Number': '101', 'FirstName': 'Anna', 'LastName': 'Ng'},
            {'Id': 2, 'Number': '102', 'FirstName': 'Boris', 'LastName': ''},
        ]
        self.recordings = {}  # id: content type that the file says
        self.participants = {}  # (dn, id): participant
        self.result = {'finalstatus': 1, 'reason': 'NoReason'}

    @property
    def token(self):
        return f'token-{self.tokens:04}-secret'

    def answer(self, request):
        if (request.method, request.path) == ('POST', '/connect/token'):
            if request.form != {
                'client_id': self.key,
                'client_secret': self.secret,
                'grant_type': 'client_credentials',
            }:
                return Answer({'error': 'invalid_client'}, 400)
            self.tokens += 1
            return Answer(
                {
                    'token_type': 'Bearer',
                    'expires_in': 3600,
                    'access_token': self.token,
                    'refresh_token': None,
                }
            )
        if not self.tokens or request.headers.get('authorization') != f'Bearer {self.token}':
            return Answer('', 401)
        api = 'xapi' if request.path.startswith('/xapi/v1/') else 'callcontrol'
        if api not in self.granted:
            return Answer({'error': {'code': '', 'message': 'Forbidden', 'details': []}}, 403)
        return self._xapi(request) if api == 'xapi' else self._control(request)

    def _xapi(self, request):
        path = unquote(request.path.removeprefix('/xapi/v1'))
        first, size = int(request.query.get('$skip', 0)), int(request.query.get('$top', 100))
        if path == '/Defs':
            return Answer({'value': [{'Id': 1}]})
        if path == '/Users':
            return Answer({'value': self.users[first : first + size]})
        if path.startswith('/ReportCallLogData/Pbx.GetCallLogData('):
            asked = dict(part.split('=') for part in path.partition('(')[2].rstrip(')').split(','))
            assert (
                len(asked) == 11
                and asked['hidePcalls'] == 'true'
                and asked['callTimeFilterTo'] == "'0:00:0'"
            ), asked
            rows = [
                row
                for row in self.rows
                if asked['periodFrom'] <= row['StartTime'] <= asked['periodTo']
            ]
            rows.sort(key=lambda row: row['StartTime'], reverse=True)
            return Answer({'value': rows[first : first + size]})
        if (request.method, path) == ('POST', '/Recordings/Pbx.BulkRecordingsDelete'):
            for number in request.json()['Ids']:
                self.recordings.pop(str(number), None)
            return Answer('', 204)
        number = path.removeprefix('/Recordings/Pbx.DownloadRecording(recId=').rstrip(')')
        if number in self.recordings:
            return sound(request, SOUND, self.recordings[number])
        return Answer({'error': {'code': '', 'message': 'Not found', 'details': []}}, 404)

    def _control(self, request):
        parts = [unquote(part) for part in request.path.split('/')[2:]]
        if not parts:
            return Answer([{'dn': '101', 'type': 'Wextension', 'devices': [], 'participants': []}])
        if parts[1:] == ['makecall']:
            made = {'id': 55, 'dn': parts[0], 'status': 'Dialing', 'callid': 7, 'legid': 1}
            if self.result['finalstatus'] in (1, 'Success'):
                self.participants[parts[0], '55'] = made
                return Answer({**self.result, 'result': made})
            return Answer(self.result)
        found = self.participants.get((parts[0], parts[2]))
        if not found:
            return Answer('', 404)
        if request.method == 'GET':
            return Answer(found)
        if parts[3] == 'drop':
            del self.participants[parts[0], parts[2]]
        return Answer({**self.result, 'result': found})
