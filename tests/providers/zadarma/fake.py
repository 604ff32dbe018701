"""Zadarma: signed requests, statistics in pages of an account's time."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from ..server import Answer, FakePbx

PATTERN = '%Y-%m-%d %H:%M:%S'


class FakeZadarma(FakePbx):
    key, secret = 'zd-key-0001', 'zd-secret-0001'

    def __init__(self):
        super().__init__()
        self.rows = []  # of the statistics
        self.page = 1000
        self.earliest = None  # nothing before it is told, and the answer says so
        self.recordings = {}  # call_id or pbx_call_id: address
        self.callinfo = {'url': '', 'notifications': {}}

    def answer(self, request):
        params = request.query if request.method == 'GET' else request.form
        if not self._signed(request, params):
            return Answer({'status': 'error', 'message': 'Not authorized'}, 401)
        known = {
            ('GET', '/v1/info/balance/'): lambda: {'balance': 12.5, 'currency': 'USD'},
            ('GET', '/v1/info/timezone/'): lambda: {
                'unixtime': 1772435700,
                'datetime': '',
                'timezone': 'UTC+3',
            },
            ('GET', '/v1/statistics/pbx/'): lambda: self._statistics(params),
            ('GET', '/v1/request/callback/'): lambda: {
                'from': params['from'],
                'to': params['to'],
                'time': 1772435700,
            },
            ('GET', '/v1/pbx/internal/'): lambda: {'pbx_id': 1234, 'numbers': [101, 102]},
            ('GET', '/v1/pbx/internal/101/info/'): lambda: {'number': 101, 'name': "Anna"},
            ('GET', '/v1/direct_numbers/'): lambda: {
                'info': [
                    {
                        'number': '74957778899',
                        'status': 'on',
                        'description': 'Moscow',
                        'number_name': None,
                    },
                    {'number': '74957778800', 'status': 'checking', 'description': 'Moscow'},
                ]
            },
            ('POST', '/v1/pbx/callinfo/url/'): lambda: self._set(url=params['url']),
            ('POST', '/v1/pbx/callinfo/notifications/'): lambda: self._set(
                notifications={
                    name: value for name, value in params.items() if name.startswith('notify_')
                }
            ),
        }
        if request.path == '/v1/pbx/record/request/' and request.method in ('GET', 'DELETE'):
            return self._recording(request.method, params)
        if (request.method, request.path) not in known:
            return Answer({'status': 'error', 'message': 'Method not found'}, 404)
        return Answer({'status': 'success', **known[request.method, request.path]()})

    def _signed(self, request, params) -> bool:
        # PHP's http_build_query(ksort($params), PHP_QUERY_RFC1738), of the decoded parameters
        query = '&'.join(
            f"{quote_plus(name)}={quote_plus(value)}".replace('~', '%7E')
            for name, value in sorted(params.items())
        )
        text = request.path + query + hashlib.md5(query.encode()).hexdigest()  # noqa: S324
        mac = hmac.new(self.secret.encode(), text.encode(), 'sha1').hexdigest()
        return (
            request.headers.get('authorization')
            == f'{self.key}:{base64.b64encode(mac.encode()).decode()}'
        )

    def _statistics(self, params):
        start, end = (datetime.strptime(params[name], PATTERN) for name in ('start', 'end'))
        assert (
            end - start <= timedelta(days=31)
            and int(params['limit']) <= 1000
            and params['version'] == '2'
        )
        start = max(start, self.earliest) if self.earliest and end > self.earliest else start
        found = [
            row for row in self.rows if start <= datetime.strptime(row['callstart'], PATTERN) <= end
        ]
        first, limit = int(params.get('skip', 0)), int(params['limit'])
        return {
            'start': start.strftime(PATTERN),
            'end': end.strftime(PATTERN),
            'version': 2,
            'stats': found[first : first + limit],
        }

    def _recording(self, method, params):
        assert 'call_id' in params or 'pbx_call_id' in params
        name = params.get('call_id') or params.get('pbx_call_id')
        url = self.recordings.get(name)
        if not url:
            return Answer({'status': 'error', 'message': 'Record not found'}, 400)
        if method == 'DELETE':
            del self.recordings[name]
            return Answer({'status': 'success'})
        told = {'link': url} if 'call_id' in params else {'links': [url]}
        return Answer({'status': 'success', **told, 'lifetime_till': '2026-03-02 12:00:00'})

    def _set(self, **values):
        self.callinfo.update(values)
        return values
