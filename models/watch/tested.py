from datetime import timedelta

from odoo import api, fields, models, release

from ...tools.fingerprint import fingerprint
from ...tools.records import labels

# The settings of a PBX after whose change a test call is due.
TESTED_FIELDS = (
    'provider',
    'api_key',
    'api_secret',
    'api_url',
    'webhook_url',
    'country_id',
    'timezone',
    'outside_codes',
    'trunks',
    'recording_hosts',
)
# Administrators who have done the activity without a test are asked again after so long.
ASK_AGAIN = timedelta(days=7)


class TelephonyAccount(models.Model):
    """Whether the PBX was tested as it stands now, and who is told if not."""

    _inherit = 'telephony.account'

    test_state = fields.Selection(
        [
            ('untested', "Never tested"),
            ('failed', "Test call incomplete"),
            ('changed', "Changed since the test"),
            ('passed', "Tested"),
        ],
        string="Test Call",
        compute='_compute_test',
    )
    test_note = fields.Char(string="About the Test", compute='_compute_test')
    tested_at = fields.Datetime(string="Last Test Call", compute='_compute_test')

    @api.depends(*TESTED_FIELDS, 'number_ids.name', 'extension_ids.number')
    @api.depends_context('lang')
    def _compute_test(self):
        latest = self._latest_tests()
        for account in self:
            test = latest.get(account._origin.id)
            account.tested_at = test.begun_at if test else False
            changes = account._origin.sudo()._changed_since(test.tested or {}) if test else []
            if not test:
                account.test_state, account.test_note = 'untested', False
            elif test.state == 'failed':
                account.test_state = 'failed'
                account.test_note = self.env._("Missing: %(facts)s", facts=test.missing)
            else:
                account.test_state = 'changed' if changes else 'passed'
                account.test_note = (
                    self.env._("Not tested since: %(changes)s", changes='; '.join(changes))
                    if changes
                    else False
                )

    def _latest_tests(self):
        """Return dict account id → its latest test that is over (sudo)."""
        tests = self.env['telephony.test.call'].sudo()
        rows = tests._read_group(
            [('account_id', 'in', self._origin.ids), ('state', 'in', ('passed', 'failed'))],
            ['account_id'],
            ['id:max'],
        )
        return {account.id: tests.browse(test_id) for account, test_id in rows}

    @api.model
    def _addon_version(self):
        module = self.env['ir.module.module'].sudo().search([('name', '=', 'crm_telephony')])
        return module.latest_version or ''

    def _tested_now(self):
        """Return what a test call tests: versions, settings as fingerprints because some are secret,
        numbers and extensions."""
        account = self.sudo().with_context(lang=None)
        settings = {
            name: fingerprint(self.env, f'tested.{name}', str(account[name] or ''))[:16]
            for name in TESTED_FIELDS
        }
        return {
            'version': self._addon_version(),
            'odoo': release.version,
            'settings': settings,
            'numbers': sorted(account.number_ids.mapped('name')),
            'extensions': sorted(account.extension_ids.mapped('number')),
        }

    def _changed_since(self, tested):
        """Return in words what has changed since a test: list of sentences without an end.

        :param dict tested: what :meth:`_tested_now` gave then
        """
        _, now, changes = self.env._, self._tested_now(), []
        if now['version'] != tested.get('version'):
            changes.append(_("CRM Telephony was updated to %(version)s", version=now['version']))
        if now['odoo'] != tested.get('odoo'):
            changes.append(_("Odoo was updated to %(version)s", version=now['odoo']))
        before = tested.get('settings', {})
        if names := [name for name, value in now['settings'].items() if before.get(name) != value]:
            changes.append(_("changed here: %(fields)s", fields=labels(self, names)))
        if new := sorted(set(now['numbers']) - set(tested.get('numbers', ()))):
            changes.append(_("new company numbers: %(numbers)s", numbers=', '.join(new)))
        if new := sorted(set(now['extensions']) - set(tested.get('extensions', ()))):
            changes.append(_("new extensions: %(extensions)s", extensions=', '.join(new)))
        return changes

    def action_test_call(self):
        """Open the page of test calls with this PBX chosen."""
        self.ensure_one()
        action = self.env['ir.actions.client']._for_xml_id('crm_telephony.telephony_test_call_page')
        return {**action, 'params': {'account_id': self.id}}

    def action_view_tests(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_test_call_action'
        )
        return {**action, 'domain': [('account_id', '=', self.id)], 'context': {}}

    def _test_passed(self):
        """Take the request for a test from the administrators' lists."""
        self.activity_unlink(['crm_telephony.mail_activity_type_test_call'])

    def _ask_for_tests(self):
        """Give the administrators of each PBX in use that was never tested, or not since a change, an
        activity."""
        for account in self:
            if account.test_state == 'changed' or (
                account.test_state == 'untested' and account.last_event_at
            ):
                account._tell_administrators(
                    'test_call',
                    ASK_AGAIN,
                    lambda env, account=account: env._(
                        "Make a test call on %(pbx)s: it takes five minutes", pbx=account.name
                    ),
                )


class TelephonyCall(models.Model):
    """Tells the test calls what has come."""

    _inherit = 'telephony.call'

    def _after_filed(self, changed, memory):
        super()._after_filed(changed, memory)
        self.env['telephony.test.call']._look_at(self)

    def _after_rules_applied(self, openings):
        super()._after_rules_applied(openings)
        self.env['telephony.test.call']._look_at(self)

    def _after_card_read(self, user):
        super()._after_card_read(user)
        self.env['telephony.test.call']._card_was_read(self, user)


class TelephonyRecording(models.Model):
    _inherit = 'telephony.recording'

    def _after_located(self):
        super()._after_located()
        self.env['telephony.test.call']._look_at(self.call_id)

    def _after_stored(self):
        super()._after_stored()
        self.env['telephony.test.call']._look_at(self.call_id)
