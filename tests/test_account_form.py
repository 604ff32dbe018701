"""The form on which an administrator connects a PBX: what it warns of, and what it offers to
copy."""

from unittest.mock import patch

from odoo.tests import Form, TransactionCase, new_test_user, tagged

from odoo.addons.crm_telephony.providers import registry
from odoo.addons.crm_telephony.providers.base import Account
from odoo.addons.crm_telephony.tools.reach import reach_of

ADDRESSES = {
    'machine': (
        'http://localhost:8069',
        'http://127.0.0.1',
        'https://127.5.5.5:8443',
        'http://[::1]:8069',
        'http://0.0.0.0:8069',
        'http://odoo.localhost',
        'http://LOCALHOST.',
    ),
    'network': (
        'http://192.168.1.5:8069',
        'https://10.0.0.2',
        'http://172.16.3.4',
        'https://100.64.0.1',
        'http://169.254.1.1',
        'http://odoo:8069',
        'https://crm.local',
        'https://crm.firm.lan',
        'http://[fd00::1]',
        'https://crm.home.arpa',
    ),
    'world': (
        'https://crm.example.com',
        'http://8.8.8.8',
        'https://xn--80ak6aa92e.com',
        'https://[2a00:1450::1]/odoo',
    ),
    '': ('', 'https://', 'nonsense', 'http://[::1'),
}


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAccountForm(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env, 'form_admin', groups='base.group_user,crm_telephony.group_admin'
        )
        cls.accounts = {
            code: cls.env['telephony.account'].create(
                {'name': code, 'provider': code, 'api_secret': "it's $ecret", 'timezone': 'UTC'}
            )
            for code in registry
        }

    def warning(self, code, base_url):
        self.env['ir.config_parameter'].set_param('web.base.url', base_url)
        self.env.invalidate_all()
        return self.accounts[code].with_user(self.admin).webhook_warning

    def test_who_reaches_an_address(self):
        for reach, urls in ADDRESSES.items():
            for url in urls:
                self.assertEqual(reach_of(url), reach, url)

    def test_an_address_that_no_pbx_reaches_is_told(self):
        for code, provider in registry.items():
            self.assertIn("127.0.0.1", self.warning(code, 'http://127.0.0.1:8069'), code)
            self.assertFalse(self.warning(code, 'https://crm.example.com'), code)
            self.assertIn("https", self.warning(code, 'http://crm.example.com'), code)
            inside = self.warning(code, 'http://192.168.1.5:8069')
            self.assertEqual(bool(inside), not provider.stands_inside, code)

    def test_a_new_account_chooses_its_pbx(self):
        with Form(self.env['telephony.account'].with_user(self.admin)) as form:
            self.assertFalse(form.provider)
            self.assertFalse(form.webhook_warning)
            form.name, form.provider, form.timezone = "Office", 'uis', 'UTC'
        self.assertTrue(form.record.webhook_url)

    def test_notifications_are_to_be_copied_whole(self):
        account = self.accounts['uis'].with_user(self.admin)
        rows = account.setup_bodies
        self.assertEqual(len(rows), 6)
        for row in rows:
            self.assertTrue(row['url'].startswith(account.webhook_url + '/'), row)
            self.assertTrue(row['body'].startswith('{'), row)
        for code, other in self.accounts.items():
            self.assertEqual(
                bool(other.with_user(self.admin).setup_bodies),
                bool(registry[code].setup_bodies),
                code,
            )

    def test_the_addresses_are_the_administrators_alone(self):
        supervisor = new_test_user(
            self.env, 'form_supervisor', groups='base.group_user,crm_telephony.group_supervisor'
        )
        fields = self.env['telephony.account'].with_user(supervisor).fields_get()
        self.assertFalse(
            {'setup_bodies', 'webhook_warning', 'webhook_url', 'api_secret'} & set(fields)
        )

    def test_the_bridges_settings_are_read_as_they_were_written(self):
        """By the rules of the bridge itself, which is not on the path of Odoo."""
        import configparser

        for code in ('asterisk', 'freepbx'):
            file = registry[code].setup_file(
                Account(api_secret='50%; # "x"', webhook_url='https://crm.example.com/t/abc')
            )
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(file.content)
            self.assertEqual(
                dict(parser['crm']),
                {'url': 'https://crm.example.com/t/abc', 'secret': '50%; # "x"'},
            )
            self.assertEqual(file.name, 'crm-telephony-bridge.ini')

    def test_an_empty_log_says_how_to_connect_a_pbx(self):
        calls = self.env['telephony.call']
        salesperson = new_test_user(
            self.env, 'form_user', groups='sales_team.group_sale_salesman,crm_telephony.group_user'
        )
        self.assertEqual(calls.with_user(self.admin).get_empty_list_help(''), '')
        with patch.object(
            type(self.env['telephony.account']), 'search_count', lambda *_args, **_options: 0
        ):
            self.assertIn(
                '/odoo/telephony-pbx/new',
                calls.with_user(self.admin).get_empty_list_help('<p>x</p>'),
            )
            self.assertNotIn('href', calls.with_user(salesperson).get_empty_list_help(''))
