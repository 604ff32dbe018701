"""The dialog of an uninstallation says what goes for ever. `make test-install` uninstalls in earnest."""

from .common import TelephonyCase


class TestUninstalling(TelephonyCase):
    def loss(self, name):
        addon = self.env['ir.module.module'].search([('name', '=', name)])
        return self.env['base.module.uninstall'].create({'module_ids': addon.ids}).telephony_loss

    def test_in_numbers(self):
        self.play(self.event('ended', outcome='missed'))
        self.play(self.event('ended', 'c2', outcome='answered', extension='101', talk_seconds=5))
        told = self.loss('crm_telephony')
        calls = self.env['telephony.call'].search_count([])
        self.assertIn(f"{calls} calls", told)
        self.assertIn(f"{self.env['telephony.callback'].search_count([])} callbacks", told)

    def test_it_goes_with_what_it_needs(self):
        self.assertIn("calls", self.loss('crm'))

    def test_another_addon(self):
        self.assertFalse(self.loss('crm_sms'))
