"""A PBX is one folder of code and one of evidence: the toy of tests/toy is two such folders, and
nothing else in the addon knows of it."""

import importlib
import json
import sys
import unittest
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from odoo.tests import Form

from odoo.addons.crm_telephony import providers
from odoo.addons.crm_telephony.providers.base import _registry
from odoo.addons.crm_telephony.providers.client import _clients

from . import providers as evidence
from . import test_architecture, test_provider_contract, test_simulate
from .common import CUSTOMER, DID, TelephonyHttpCase
from .providers import readme
from .providers.dialects import dialects

TOY = Path(__file__).parent / 'toy'
CODE, EVIDENCE = TOY / 'code', TOY / 'evidence'


@contextmanager
def one_folder_more():
    """As if the toy's two folders lay where those of all PBXs do."""
    with ExitStack() as stack:
        for package, folder in ((providers, CODE), (evidence, EVIDENCE)):
            path = [*package.__path__, str(folder)]
            stack.enter_context(patch.object(package, '__path__', path))
            stack.callback(_forget, package)
        stack.enter_context(patch.dict(_registry))
        stack.enter_context(patch.dict(_clients))
        providers.load()
        yield


def _forget(package):
    name = f'{package.__name__}.toy'
    for module in [one for one in sys.modules if one == name or one.startswith(f'{name}.')]:
        del sys.modules[module]
    if hasattr(package, 'toy'):
        del package.toy


class TestOneFolder(TelephonyHttpCase):
    def setUp(self):
        super().setUp()
        stack = ExitStack()
        self.addCleanup(stack.close)
        stack.enter_context(one_folder_more())
        self.fake = self.module('fake').FakeToy()
        self.addCleanup(self.fake.close)
        self.toy = self.new_account(
            self.company, provider='toy', api_url=self.fake.url, api_secret=self.fake.secret
        )
        self.phone = self.env['telephony.extension'].create(
            {'number': '101', 'account_id': self.toy.id, 'user_id': self.anna.id}
        )

    def module(self, name):
        return importlib.import_module(f'{evidence.__name__}.toy.{name}')

    def keep(self, case, *names):
        """These tests of a class pass, all of them if none is named."""
        names = names or unittest.defaultTestLoader.getTestCaseNames(case)
        self.assertTrue(names)
        for name in names:
            with self.subTest(f'{case.__name__}.{name}'):
                case(name).debug()

    def test_the_form_offers_it(self):
        offered = dict(
            self.env['telephony.account'].fields_get(['provider'])['provider']['selection']
        )
        self.assertEqual(offered['toy'], "Toy PBX")
        with Form(self.env['telephony.account']) as form:
            form.name, form.provider, form.timezone = "Office", 'toy', 'UTC'
            self.assertTrue(form.has_api)
            self.assertIn("Enter the same secret", form.setup_steps)
        self.assertTrue(form.record.exists())

    def test_its_call_is_filed(self):
        sample = json.loads((EVIDENCE / 'toy/payloads/answered.json').read_text('utf-8'))
        [delivery] = sample['deliveries']
        path = self.path(self.toy, 'toy')
        self.assertEqual(self.post(delivery['json'], path=path, secret='wrong').status_code, 403)
        self.assertFalse(self.events(self.toy))
        self.assertEqual(
            self.post(delivery['json'], path=path, secret=self.fake.secret).status_code, 200
        )
        self.assertEqual(self.events(self.toy).mapped('state'), ['pending'])
        self.file_calls(self.toy)
        call = self.call('t1', self.toy)
        self.assertEqual(
            (call.outcome, call.extension, call.talk_seconds, call.partner_id, call.called_number),
            ('answered', '101', 64, self.partner, DID),
        )

    def test_a_click_calls(self):
        self.assertTrue(self.phone.can_dial)
        self.assertEqual(self.toy._dial(self.phone, CUSTOMER), f'toy-{CUSTOMER}')
        [request] = self.fake.asked('/calls')
        self.assertEqual(request.json(), {'phone': '101', 'number': CUSTOMER})

    def test_its_own_tests_pass(self):
        self.keep(self.module('test_adapter').TestToyAdapter)
        self.keep(self.module('test_client').TestToyClient)

    def test_what_holds_for_all_holds_for_it(self):
        """And no name of it is anywhere else."""
        self.assertIn('toy', providers.registry)
        self.keep(test_provider_contract.TestProviderContract)
        self.keep(
            test_architecture.TestArchitecture,
            'test_no_pbx_is_named_outside_its_folders',
            'test_no_test_keeps_a_list_of_pbxs',
        )

    def test_it_tells_every_scenario(self):
        with patch.object(test_simulate, 'dialects', lambda: {'toy': dialects()['toy']}):
            self.keep(
                test_simulate.TestSimulate,
                'test_every_scenario_in_every_dialect',
                'test_exceptions_are_listed',
                'test_paces_and_casts',
            )

    def test_the_page_names_it(self):
        page = readme.page(readme.PAGE.read_text('utf-8'), [*readme.folders(), CODE / 'toy'])
        for name in readme.TABLES:
            table = page.partition(f'<!-- {name} -->')[2].partition(f'<!-- /{name} -->')[0]
            self.assertIn('| Toy PBX | `toy` |', table)
