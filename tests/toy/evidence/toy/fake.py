"""The toy's API: POST /calls with phone and number, by HTTP basic authentication."""

import base64

from ..server import Answer, FakePbx


class FakeToy(FakePbx):
    key, secret = 'odoo', 'toy-secret-0001'

    def answer(self, request):
        login = base64.b64encode(f'{self.key}:{self.secret}'.encode()).decode()
        if request.headers.get('authorization') != f'Basic {login}':
            return Answer({'message': "Who are you?"}, 401)
        return Answer({'id': f"toy-{request.json()['number']}"})
