"""OnlinePBX: a pair of keys from a login, and a history that silently tells less than it was asked
for."""

from ..server import Answer, FakePbx

WEEK = 7 * 86400


class FakeOnlinePbx(FakePbx):
    domain, key, secret = 'demo.onpbx.ru', 'demo.onpbx.ru-unused', 'onpbx-api-key-0001'

    def __init__(self):
        super().__init__()
        self.rows = []
        self.most = None  # rows in an answer
        self.newest_first = False
        self.pair = 0  # how many were given
        self.users = [
            {'num': '101', 'name': "Anna", 'enabled': '1'},
            {'num': 102, 'name': "Boris", 'enabled': '1'},
        ]
        self.trunks = [
            {'number': '74957778899', 'description': "Main"},
            {'number': 'sip-login', 'description': ""},
        ]
        self.link = 'http://api2.onlinepbx.ru/calls-records/download/1/record.mp3'
        self.dialled = {'uuid': 'uuid-dialled'}

    def answer(self, request):
        _empty, domain, path = request.path.split('/', 2)
        if request.method != 'POST' or domain != self.domain:
            return Answer('Not found', 404)
        if path == 'auth.json':
            return self._log_in(request.form)
        if request.headers.get('x-pbx-authentication') != f'id-{self.pair}:pair-secret-{self.pair}':
            return Answer(
                {
                    'status': '0',
                    'comment': 'Not authorised',
                    'isNotAuth': True,
                    'errorCode': 'API_KEY_CHECK_FAILED',
                }
            )
        known = {
            'user/get.json': lambda form: self.users,
            'trunks/get.json': lambda form: self.trunks,
            'mongo_history/search.json': self._search,
            'call/instantly.json': lambda form: self.dialled,
        }
        if path not in known:
            return Answer({'status': '0', 'comment': 'unknown method'})
        data = known[path](request.form)
        return (
            data
            if isinstance(data, Answer)
            else Answer({'status': '1', 'comment': 'ok', 'data': data})
        )

    def _log_in(self, form):
        assert 'new' not in form, "would end the other sessions"
        if form.get('auth_key') != self.secret:
            return Answer(
                {
                    'status': 0,
                    'comment': 'wrong key',
                    'isNotAuth': True,
                    'errorCode': 'WRONG_AUTH_DATA',
                }
            )
        self.pair += 1
        return Answer(
            {
                'status': '1',
                'data': {'key_id': f'id-{self.pair}', 'key': f'pair-secret-{self.pair}'},
            }
        )

    def _search(self, form):
        assert form, "at least one filter is needed"
        if form.get('download') == '1':
            return self.link
        since, until = int(form['start_stamp_from']), int(form['start_stamp_to'])
        since = max(since, until - WEEK)
        rows = [row for row in self.rows if since <= row['start_stamp'] <= until]
        rows.sort(key=lambda row: row['start_stamp'], reverse=self.newest_first)
        return rows[: self.most]
