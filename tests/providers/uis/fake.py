"""UIS: the Data API and the Call API, JSON-RPC, both on one host."""

from datetime import datetime, timedelta

from ..server import Answer, FakePbx

PATTERN = '%Y-%m-%d %H:%M:%S'
NEEDED = {
    'start.employee_call': ('first_call', 'virtual_phone_number', 'contact', 'employee'),
    'hold.call': ('call_session_id', 'contact_message'),
    'make.call': ('call_session_id', 'to'),
}


class FakeUis(FakePbx):
    key, secret = 'uis-login-0001', 'uis-access-token-0001'

    def __init__(self):
        super().__init__()
        self.rows = []  # of the report of calls
        self.page = 10000  # no page holds more
        self.whole = None  # so many rows are announced where they are too many to be paged
        self.employees = [
            {
                'id': 501,
                'full_name': "Anna",
                'phone_numbers': [{'phone_number': '74951112299', 'status': 'active'}],
                'extension': {'extension_phone_number': '101'},
            },
            {
                'id': 502,
                'full_name': "Boris",
                'phone_numbers': [
                    {'phone_number': '74951112200', 'status': 'inactive'},
                    {'phone_number': '74951112201', 'status': 'active'},
                ],
            },
        ]
        self.lines = [
            {'id': 1, 'virtual_phone_number': '74957778800', 'status': 'active', 'name': "Spare"},
            {'id': 2, 'virtual_phone_number': '74957778899', 'status': 'active', 'name': "Main"},
            {'id': 3, 'virtual_phone_number': '74957778811', 'status': 'reserved', 'name': ""},
        ]
        self.tokens = {self.secret}
        self.calls = {900100201: 'talk'}  # id: talk, hold, dialing or operator_talk
        self.unreachable = ()
        self.methods = []

    def error(self, code, mnemonic, message="Error"):
        return Answer(
            {
                'jsonrpc': '2.0',
                'id': 'req',
                'error': {
                    'code': code,
                    'message': message,
                    'data': {'mnemonic': mnemonic, 'metadata': {}},
                },
            }
        )

    def answer(self, request):
        body = request.json()
        assert request.method == 'POST' and body['jsonrpc'] == '2.0'
        if 'id' not in body:
            return self.error(-32600, 'notifications_not_supported')
        method, params = body['method'], dict(body['params'])
        self.methods.append(method)
        if method == 'login.user':
            if (params['login'], params['password']) != (self.key, self.secret):
                return self.error(-32001, 'auth_error')
            self.tokens.add('session-token')
            return self.result(
                {'access_token': 'session-token', 'expire_at': 1772460000, 'app_id': 1}
            )
        if params.pop('access_token', None) not in self.tokens:
            return self.error(
                -32001, 'access_token_invalid', f"Access token {self.secret} is invalid"
            )
        data = method.startswith('get.')
        assert request.path == ('/v2.0' if data else '/v4.0'), "another API's method"
        missing = [name for name in NEEDED.get(method, ()) if name not in params]
        if missing:
            return self.error(-32602, 'required_parameter_missed')
        if data:
            return self._get(method, params)
        if method == 'start.employee_call':
            assert params['direction'] == 'out' and params['first_call'] == 'employee'
            return self.result({'call_session_id': 900100999})
        return self._command(method, params)

    def result(self, data, total=None):
        metadata = {
            'limits': {'minute_remaining': 59},
            **({'total_items': total} if total is not None else {}),
        }
        return Answer(
            {'jsonrpc': '2.0', 'id': 'req', 'result': {'data': data, 'metadata': metadata}}
        )

    def _get(self, method, params):
        if method == 'get.account':
            return self.result([{'app_id': 1, 'name': 'Firm', 'timezone': 'Europe/Moscow'}])
        rows = {
            'get.employees': self.employees,
            'get.virtual_numbers': self.lines,
            'get.calls_report': self.rows,
        }[method]
        if method == 'get.calls_report':
            since, until = (
                datetime.strptime(params[name], PATTERN) for name in ('date_from', 'date_till')
            )
            if until - since > timedelta(days=92):
                return self.error(-32602, 'date_interval_limit_reached')
            rows = [
                row
                for row in rows
                if since <= datetime.strptime(row['start_time'], PATTERN) <= until
            ]
            if self.whole and until - since > timedelta(days=1):
                return self.result(rows[:1], self.whole)
            wanted = params.get('filter')
            if wanted:
                assert wanted['operator'] == '='
                rows = [row for row in rows if row[wanted['field']] == wanted['value']]
        limit, offset = min(params.get('limit', 1000), self.page), params.get('offset', 0)
        assert limit <= 10000 and offset <= 100000
        page = [
            {name: row.get(name) for name in params['fields']}
            for row in rows[offset : offset + limit]
        ]
        return self.result(page, len(rows))

    def _command(self, method, params):
        session = params['call_session_id']
        state = self.calls.get(session)
        if not state:
            return self.error(-32602, 'call_session_not_found')
        if method == 'make.call' and params['to'] in self.unreachable:
            return self.error(-32602, 'invalid_parameter_value')
        before, after = {
            'release.call': ((state,), None),
            'hold.call': (('talk',), 'hold'),
            'make.call': (('hold',), 'dialing'),
            'transfer.talk': (('dialing', 'operator_talk'), 'talk'),
            'restore.talk': (('dialing', 'operator_talk'), 'talk'),
            'unhold.call': (('hold',), 'talk'),
        }[method]
        if state not in before:
            return self.error(
                -32004, 'invalid_state', "This method can not be called in this state"
            )
        self.calls[session] = after
        return self.result({'success': 'true'})
