"""What is known of a PBX's state, and what it costs to know it."""
from unittest.mock import patch

from odoo.orm.registry import Registry

from .common import TelephonyCase


class TestCachedSettings(TelephonyCase):

    def known(self):
        """All that is cached of the account."""
        try:
            door = self.account._account_of_token(self.token)
        except LookupError:
            door = None
        account = self.account
        return door, account._settings(), account._directory(), account._provider_code(), self.anna._telephony_can_call()

    def test_what_is_cached_is_never_old(self):
        self.token = self.account.webhook_token
        company = self.env['res.company'].create({'name': "Another"})
        for name, value in (
            ('api_key', 'another'), ('api_secret', 'another'), ('api_url', 'https://pbx.example.com'), ('timezone', 'Asia/Tokyo'),
            ('country_id', self.env.ref('base.de').id), ('provider', 'zadarma'), ('webhook_token', 'x' * 43), ('active', False),
            ('extension_ids', [(0, 0, {'number': '190'})]), ('number_ids', [(0, 0, {'name': '+77272507600'})]),
            ('extension_ids', [(1, self.account.extension_ids[0].id, {'user_id': self.boris.id})]),
        ):
            before = self.known()
            self.account.write({name: value})
            self.assertNotEqual(self.known(), before, name)
        self.account.write({'number_ids': [(5, 0, 0)], 'extension_ids': [(5, 0, 0)], 'active': True})
        before = self.known()
        self.env['telephony.number'].create({
            'name': '+77272507633', 'account_id': self.new_account(company, name="Theirs").id})
        self.account.write({'company_id': company.id, 'country_id': self.env.ref('base.de').id})
        self.assertNotEqual(self.known(), before)

    def test_what_is_not_cached_makes_no_worker_forget(self):
        self.token = self.account.webhook_token
        before = self.known()
        with patch.object(Registry, 'clear_cache') as forget:
            self.account.write({
                'name': "Renamed", 'state': 'error', 'state_message': "no", 'refused_count': 7, 'history_message': "same",
                'history_until': '2026-01-01 00:00:00', 'route_to_owner': False, 'recording_hosts': 'a.example.com'})
            self.play(self.event('ended', outcome='missed'))
            self.account.action_reset_refusals()
        forget.assert_not_called()
        self.assertEqual(self.known(), before)
        with patch.object(Registry, 'clear_cache') as forget:
            self.account.api_key = 'another'
        forget.assert_called()
