import inspect
import re

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.client import CAPABILITIES, Client, clients

# What each PBX's document says that it offers.
OFFERED = {
    code: set(offered.split())
    for code, offered in {
        'zadarma': 'check history recording_url extensions numbers dial set_webhooks',
        'mango_office': 'check history recording_url extensions numbers dial hang_up transfer route',
        'uis': 'check history recording_url extensions numbers dial hang_up transfer',
        'onlinepbx': 'check history recording_url extensions numbers dial',
        'twilio': 'check history recording_url open_sound numbers dial hang_up transfer set_webhooks',
        'threecx': 'check history recording_url open_sound extensions dial hang_up transfer',
        'asterisk': 'check extensions dial hang_up transfer',
        'freepbx': 'check extensions dial hang_up transfer',
    }.items()
}


@tagged('post_install', '-at_install', 'crm_telephony')
class TestClientContract(BaseCase):
    def test_capabilities(self):
        self.assertEqual(set(clients), set(OFFERED))
        for code, offered in OFFERED.items():
            with self.subTest(code):
                self.assertEqual(
                    {name for name in CAPABILITIES if clients[code].can(name)}, offered
                )

    def test_every_client_has_its_adapter(self):
        self.assertEqual(set(clients) - set(registry), set())

    def test_public_methods_are_capabilities(self):
        helpers = set(dir(Client))
        for code, client in clients.items():
            with self.subTest(code):
                public = {
                    name
                    for name, value in inspect.getmembers(client, inspect.isfunction)
                    if name[0] != '_'
                }
                self.assertEqual(public - helpers - set(CAPABILITIES), set())

    def test_signatures(self):
        for code, client in clients.items():
            for name, described in CAPABILITIES.items():
                if not client.can(name):
                    continue
                with self.subTest(code, capability=name):
                    # "(extension, number, reference) -> str: …" or "(start, end: aware UTC) -> …"
                    wanted = [
                        re.split('[:=]', part)[0].strip()
                        for part in described[1 : described.index(')')].split(',')
                    ]
                    parameters = list(inspect.signature(getattr(client, name)).parameters)[1:]
                    self.assertEqual(parameters, [one for one in wanted if one])
                    self.assertTrue(callable(getattr(client, name)))
