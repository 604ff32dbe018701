import os
import subprocess
from unittest.mock import patch

from lxml import etree

from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tests.common import TEST_CURSOR_COOKIE_NAME, release_test_lock

from odoo.addons.crm_telephony.controllers.filer import filer
from odoo.addons.crm_telephony.providers import registry


@tagged('post_install', '-at_install', 'crm_telephony')
class TestSetupFile(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accounts = {
            code: cls.env['telephony.account'].create(
                {'name': code, 'provider': code, 'api_secret': 'k<e>"y', 'timezone': 'UTC'}
            )
            for code in registry
        }
        new_test_user(cls.env, 'setup_admin', groups='base.group_user,crm_telephony.group_admin')
        new_test_user(
            cls.env, 'setup_supervisor', groups='base.group_user,crm_telephony.group_supervisor'
        )

    def get(self, account_id):
        return self.url_open(f'/telephony/template/{account_id}', allow_redirects=False)

    def test_the_administrator_gets_it(self):
        self.authenticate('setup_admin', 'setup_admin')
        account = self.accounts['threecx']
        self.assertEqual(
            account.action_download_setup_file()['url'], f'/telephony/template/{account.id}'
        )
        response = self.get(account.id)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.headers['Content-Type'].partition(';')[0], 'application/xml')
        self.assertIn('attachment', response.headers['Content-Disposition'])
        self.assertEqual(response.headers['Cache-Control'], 'no-store')
        defaults = {
            one.get('Name'): one.get('Default')
            for one in etree.fromstring(response.content).iter('Parameter')
        }
        self.assertEqual(
            (defaults['OdooUrl'], defaults['OdooKey']), (account.webhook_url, 'k<e>"y')
        )

    def test_texts(self):
        self.authenticate('setup_admin', 'setup_admin')
        text = self.get(self.accounts['uis'].id).text
        self.assertIn(
            self.accounts['uis'].webhook_url
            + '/call_finished\n{"call_session_id":{{call_session_id}}',
            text,
        )

    def test_the_example_posts_a_call_that_is_taken(self):
        """The script as it is downloaded, run against this server."""
        account = self.accounts['generic']
        self.env['ir.config_parameter'].set_param('web.base.url', self.base_url())
        account.api_secret = "it's $ecret"
        self.authenticate('setup_admin', 'setup_admin')
        script = (
            self.get(account.id)
            .text.replace('sleep', ':')
            .replace(
                # of Odoo's test server
                'curl ',
                f'curl --cookie {TEST_CURSOR_COOKIE_NAME}={self.http_request_key} ',
            )
        )
        # a thread of the filer has no test cursor
        with patch.object(filer, 'wake'), release_test_lock():
            done = subprocess.run(  # noqa: S603 - our own script
                ['/bin/sh', '-c', script],
                capture_output=True,
                text=True,
                timeout=60,
                env={**os.environ, 'NO_PROXY': '*'},
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('Odoo has taken the call', done.stdout)
        self.env.invalidate_all()
        events = self.env['telephony.event'].search([('account_id', '=', account.id)], order='id')
        self.assertEqual(events.mapped('kind'), ['ringing', 'answered', 'ended'])
        self.assertEqual(set(events.mapped('state')), {'pending'})

    def test_nobody_else_does(self):
        account = self.accounts['threecx']
        self.assertEqual(self.get(account.id).status_code, 303)
        self.authenticate('setup_supervisor', 'setup_supervisor')
        response = self.get(account.id)
        self.assertEqual(response.status_code, 403)
        self.assertNotIn('Crm', response.text)

    def test_what_is_not_there(self):
        self.authenticate('setup_admin', 'setup_admin')
        self.assertEqual(self.get(self.accounts['zadarma'].id).status_code, 404)
        self.assertEqual(self.get(0).status_code, 404)

    def test_the_button_is_shown_where_there_is_one(self):
        for code, account in self.accounts.items():
            self.assertEqual(account.has_setup_file, bool(account._setup_file()), code)
        self.assertTrue(self.accounts['threecx'].has_setup_file)
        self.assertFalse(self.accounts['zadarma'].has_setup_file)
