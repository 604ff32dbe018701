"""What the folders of every PBX hold, whichever is registered: no list names them."""

import inspect
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers import clients, registry
from odoo.addons.crm_telephony.providers.base import (
    Account,
    HistoryProvider,
    Provider,
    Refused,
    WebhookRequest,
)
from odoo.addons.crm_telephony.providers.capabilities import (
    CAPABILITIES,
    Checks,
    DeletesRecordings,
    Dials,
    GivesPasswords,
    HangsUp,
    ListsExtensions,
    ListsNumbers,
    LocatesRecordings,
    OpensSound,
    ReadsHistory,
    Routes,
    SetsWebhooks,
    TellsBalance,
    Transfers,
)
from odoo.addons.crm_telephony.providers.client import Client

from .provider_case import evidence_of, scenarios
from .providers import readme

# Rows of a PBX's README: each says whether its client has the capability.
ROWS = {
    'check': Checks,
    'balance': TellsBalance,
    'history': ReadsHistory,
    'click-to-call': Dials,
    'hang up': HangsUp,
    'transfer': Transfers,
    'recording address': LocatesRecordings,
    'recordings opened with its login': OpensSound,
    'recordings deleted there': DeletesRecordings,
    'set webhooks': SetsWebhooks,
    'waiting callers sent to a phone': Routes,
    'one-time passwords of browser phones': GivesPasswords,
}
IMPORTS = {'extensions': ListsExtensions, 'numbers': ListsNumbers}


def folder_of(thing: type) -> Path:
    return Path(inspect.getfile(thing)).parent


@tagged('post_install', '-at_install', 'crm_telephony')
class TestProviderContract(BaseCase):
    def test_one_folder_of_code(self):
        for code, provider in registry.items():
            with self.subTest(code):
                self.assertEqual(folder_of(type(provider)).name, code)
                self.assertTrue(provider.label)
                self.assertTrue(provider.setup_steps)
        for code, client in clients.items():
            with self.subTest(code):
                self.assertIn(code, registry)
                self.assertEqual(folder_of(client), folder_of(type(registry[code])))

    def test_one_folder_of_evidence(self):
        """Samples with the record that must come of them, and tests of what is of its own."""
        for code in registry:
            with self.subTest(code):
                found = scenarios(code)
                self.assertTrue(any(sample.get('expected') for _name, sample in found))
                self.assertTrue((evidence_of(code) / 'test_adapter.py').exists())
                if code in clients:
                    tested = {
                        evidence_of(kin.code)
                        for kin in clients[code].__mro__
                        if getattr(kin, 'code', '')
                    }
                    self.assertTrue(any((one / 'test_client.py').exists() for one in tested))
                    self.assertTrue(any((one / 'fake.py').exists() for one in tested))

    def test_nobody_is_let_in_without_a_secret(self):
        for code, provider in registry.items():
            if provider.signs:
                with self.subTest(code), self.assertRaises(Refused) as refused:
                    provider.verify(WebhookRequest(body=b'{}'), Account(api_key='key'))
                self.assertEqual(refused.exception.status, 403)
                self.assertEqual(str(refused.exception), str(provider.no_secret))

    def test_whose_events_are_not_signed_is_let_in_by_the_address_alone(self):
        """Whatever is entered, since nothing of it could be compared with a signature."""
        unsigned = [provider for provider in registry.values() if not provider.signs]
        self.assertTrue(unsigned)
        for provider in unsigned:
            for account in (Account(), Account(api_key='key', api_secret='secret')):
                with self.subTest(provider.code, secret=account.api_secret):
                    provider.verify(WebhookRequest(), account)

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

    def test_every_capability_has_its_row(self):
        self.assertEqual({*ROWS.values(), *IMPORTS.values()}, set(CAPABILITIES.values()))

    def test_methods_take_what_their_capability_says(self):
        def taken(owner, name):
            return [
                (one.name, one.default)
                for one in inspect.signature(getattr(owner, name)).parameters.values()
            ]

        for code, client in clients.items():
            for name, capability in CAPABILITIES.items():
                if client.can(capability):
                    with self.subTest(code, capability=name):
                        self.assertEqual(taken(client, name), taken(capability, name))

    def test_history_is_read_on_both_sides(self):
        for code, provider in registry.items():
            with self.subTest(code):
                reads = code in clients and clients[code].can(ReadsHistory)
                self.assertEqual(isinstance(provider, HistoryProvider), reads)

    def test_readme_says_what_the_code_does(self):
        for code, provider in registry.items():
            rows, client = readme.read(folder_of(type(provider))), clients.get(code, Client)
            for row, capability in ROWS.items():
                with self.subTest(code, row=row):
                    by_bridge = capability is DeletesRecordings and provider.uploads_recordings
                    self.assertEqual(
                        rows[row] != readme.NOTHING, client.can(capability) or by_bridge
                    )
            with self.subTest(code):
                ways = ['blind', 'attended'] if client.asks_first else ['blind']
                self.assertEqual(
                    rows['transfer'], ', '.join(ways) if client.can(Transfers) else readme.NOTHING
                )
                brought = [name for name, capability in IMPORTS.items() if client.can(capability)]
                self.assertEqual(rows['import'], ', '.join(brought) or readme.NOTHING)
                self.assertEqual('nothing is signed' not in rows[readme.TELLS[0]], provider.signs)
                asks = type(provider).question is not Provider.question or client.can(Routes)
                self.assertEqual(rows[readme.SALESPERSON] != readme.NOTHING, asks)
                self.assertFalse(
                    [name for name in (*readme.TELLS, *readme.SET_UP) if not rows[name]]
                )
        self.assertEqual({*ROWS, 'import'}, set(readme.ASKED))

    def test_the_page_of_all_pbxs_is_made_of_their_readmes(self):
        """`python3 tests/providers/readme.py` makes it anew."""
        text = readme.PAGE.read_text('utf-8')
        self.assertEqual(readme.page(text, readme.folders()), text)
        for folder in readme.folders():
            self.assertIn(f'| `{folder.name}` |', text)
