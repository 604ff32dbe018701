"""Another Odoo, a missing library, no pg_trgm, a company without a country, a user without a time
zone: each is told in one sentence where the administrator looks, and the rest works.
"""

import sys
from importlib.metadata import PackageNotFoundError
from unittest.mock import patch

from odoo import release
from odoo.modules.module import Manifest, MissingDependency, check_version
from odoo.tests import new_test_user

from .common import CUSTOMER, TelephonyCase


class TestBadSurroundings(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = 'base.group_user,crm_telephony.group_admin'
        cls.admin = new_test_user(cls.env, 'tel_admin', groups=group, tz='Asia/Almaty')
        cls.manifest = Manifest.for_addon('crm_telephony')

    def stock(self):
        """The lines of Take Stock that are to be done."""
        steps = self.env['telephony.get.started'].with_user(self.admin).get_steps()
        [step] = [step for step in steps if step['code'] == 'stock']
        return [item['text'] for item in step['items'] if item['state'] == 'todo']

    def test_another_odoo(self):
        """Odoo refuses it by the version of the manifest."""
        version = self.manifest['version']
        self.assertTrue(check_version(version))
        with patch.object(release, 'major_version', '20.0'), self.assertRaises(ValueError) as told:
            check_version(version)
        self.assertIn(version, str(told.exception))

    def test_a_missing_library(self):
        """The Apps list names it: every library that is not Odoo's own stands in the manifest."""
        needs = self.manifest['external_dependencies']['python']
        self.assertIn('phonenumbers', needs)
        with (
            patch('importlib.metadata.version', side_effect=PackageNotFoundError(needs[0])),
            patch.dict(sys.modules, {needs[0]: None}),
            self.assertRaises(MissingDependency) as told,
        ):
            self.manifest.check_manifest_dependencies()
        self.assertIn(needs[0], str(told.exception))

    def test_no_trigrams(self):
        self.assertFalse([text for text in self.stock() if "pg_trgm" in text])
        with patch.object(self.env.registry, 'has_trigram', False):
            [text] = [text for text in self.stock() if "pg_trgm" in text]
        self.assertIn("CREATE EXTENSION", text)

    def test_a_company_without_a_country(self):
        self.company.country_id = self.account.country_id = False
        [text] = [text for text in self.stock() if self.company.name in text]
        self.assertIn("no country", text)
        self.play(self.event('ended', outcome='missed'))
        self.assertEqual(self.call().customer_number, CUSTOMER)
        self.assertEqual(self.call().partner_id, self.partner)

    def test_a_user_without_a_time_zone(self):
        self.assertFalse([text for text in self.stock() if self.anna.name in text])
        self.anna.tz = False
        [text] = [text for text in self.stock() if self.anna.name in text]
        self.assertIn("time zone", text)
        self.new_lead()
        self.play(
            self.event('ringing', at=-20, extension='101'), self.event('ended', outcome='missed')
        )
        self.assertTrue(self.callbacks().due_at)
