"""What the toy can be told: to place a call."""

from .. import inputs, signing
from ..base import text_of
from ..client import Client


class ToyClient(Client):
    code = 'toy'
    label = "Toy PBX"

    def dial(self, extension: str, number: str, reference: str = '') -> str:
        answer = self.call(
            'POST',
            '/calls',
            json={
                'phone': inputs.own_extension(self.account, extension),
                'number': inputs.phone(number),
            },
            headers={'Authorization': signing.basic('odoo', self.account.api_secret)},
        )
        if not isinstance(answer, dict):
            raise self.not_understood()
        return text_of(answer, 'id')
