from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ...providers import registry
from ...providers.advice import LINE_ADVICE
from ...providers.knock import knock
from ...tools.words import _lt
from ..core.words_field import told

# What the test looks at, in this order: each with what it is called and the causes for which it fails.
STEPS = {
    'page': (_lt("Odoo is opened by https"), {'insecure'}),
    'microphone': (
        _lt("The microphone may be used"),
        {
            'microphone_policy',
            'microphone_denied',
            'microphone_none',
            'microphone_busy',
            'insecure',
        },
    ),
    'level': (_lt("The microphone gives sound"), {'microphone_silent'}),
    'address': (
        _lt("The PBX's address answers"),
        {'host_unknown', 'refused', 'timeout', 'no_websocket', 'blocked', 'elsewhere', 'set_up'},
    ),
    'certificate': (_lt("Its certificate is trusted"), {'certificate'}),
    'registration': (
        _lt("The PBX takes this browser as a phone"),
        {'wrong_password', 'unknown_phone', 'no_register'},
    ),
    'stun': (_lt("The STUN server answers"), {'no_stun'}),
    'turn': (_lt("The TURN server passes sound on"), {'no_turn', 'turn_login'}),
    'echo': (
        _lt("The echo number answers"),
        {'echo_unknown', 'echo_silent', 'codec', 'echo_failed'},
    ),
    'sound': (_lt("Sound goes there and comes back"), {'no_sound', 'not_heard'}),
}
OK, SKIPPED = 'ok', 'skipped'


class TelephonyAccount(models.Model):
    """What the line test calls, and what browsers can be of this PBX."""

    _inherit = 'telephony.account'

    echo_number = fields.Char(
        compute='_compute_echo_number',
        store=True,
        readonly=False,
        groups='crm_telephony.group_admin',
        help="At this number the PBX plays back what it hears. The line test calls it.",
    )
    softphone_note = fields.Char(compute='_compute_softphone_note')

    @api.depends('provider')
    def _compute_echo_number(self):
        for account in self:
            provider = registry.get(account.provider)
            account.echo_number = provider and provider.echo_number or False

    @api.depends('provider', 'extension_ids.line_test')
    @api.depends_context('lang')
    def _compute_softphone_note(self):
        for account in self:
            provider, text = registry.get(account.provider), ''
            if provider and provider.line_why:
                text = told(self.env, provider.line_why)
            elif provider and provider.line_is_trial and not account._has_green_line():
                text = self.env._(
                    "Experimental: nobody has confirmed yet that this kind of PBX takes calls from browsers. "
                    "Try it with one "
                    "extension; this note goes when its line test has passed."
                )
            account.softphone_note = text

    def _has_green_line(self):
        """Return whether the line test has passed with one of this PBX's phones."""
        return any(phone.line_test_state == 'passed' for phone in self.sudo().extension_ids)

    def action_test_line(self):
        """Open the line test, in the browser of the administrator: it tests the line of that browser."""
        self.ensure_one()
        phone = self.env['telephony.extension']._my_softphone()
        if phone.account_id != self:
            raise UserError(
                self.env._(
                    "The line test runs in a browser that is a phone of %(pbx)s, and yours is none. Enter "
                    "yourself as the user of one "
                    "of its browser phones, or let one of their users click on “Test the Line” under the "
                    "telephone: the result "
                    "stands here.",
                    pbx=self.name,
                )
            )
        return {'type': 'ir.actions.client', 'tag': 'crm_telephony.line_test'}


class TelephonyExtension(models.Model):
    """How the last line test of this browser phone went."""

    _inherit = 'telephony.extension'

    line_test = fields.Json(
        string="Line Test, by Step", copy=False, groups='crm_telephony.group_admin', readonly=True
    )
    line_tested_at = fields.Datetime(
        string="Line Tested", copy=False, groups='crm_telephony.group_admin', readonly=True
    )
    line_test_state = fields.Selection(
        [('passed', "Passed"), ('failed', "Failed")],
        string="Line Test",
        copy=False,
        groups='crm_telephony.group_admin',
        readonly=True,
    )
    line_test_words = fields.Char(
        string="Failed at, and What to Do",
        compute='_compute_line_test_words',
        groups='crm_telephony.group_admin',
    )

    @api.depends('line_test')
    @api.depends_context('lang')
    def _compute_line_test_words(self):
        for phone in self:
            rows = phone._line_test_rows(phone.line_test or {})
            phone.line_test_words = next((row['text'] for row in rows if row['text']), '')

    @api.model
    def softphone_line_plan(self):
        """Return what the line test of the user's browser phone looks at: ``{'echo': number or '',
        'steps': [{'name', 'label'}]}``.

        :raise AccessError: the user has no browser phone
        """
        phone = self._my_tested_phone()
        return {
            'echo': phone.account_id.sudo().echo_number or '',
            'steps': [
                {'name': name, 'label': told(self.env, label)}
                for name, (label, _causes) in STEPS.items()
            ],
        }

    @api.model
    def softphone_line_tested(self, outcomes, said=''):
        """Keep what the line test of the user's browser phone has shown.

        :param outcomes: step → 'ok', 'skipped' or why it failed, a key of LINE_ADVICE
        :param said: the server's own words, why a browser got no phone
        :return: the steps with ``{'name', 'label', 'state': 'ok'|'failed'|'skipped', 'text': what to do}``
        :raise ValidationError: the test knows no such outcome
        """
        phone = self._my_tested_phone().sudo()
        kept = self._checked_outcomes(outcomes)
        if kept['address'] == 'blocked':
            cause, reason = knock(phone.account_id.sip_ws_url or '')
            kept['reason'] = reason
            if cause == 'certificate':
                kept |= {'address': OK, 'certificate': cause}
            else:
                kept['address'] = cause or 'blocked'
        elif kept['address'] == 'set_up':
            kept['reason'] = ''.join(filter(str.isprintable, str(said)))[:300]
        rows = phone._line_test_rows(kept)
        has_failed = any(row['state'] == 'failed' for row in rows)
        is_whole = kept['sound'] == OK
        phone.write(
            {
                'line_test': kept,
                'line_tested_at': fields.Datetime.now(),
                'line_test_state': 'failed' if has_failed else 'passed' if is_whole else False,
            }
        )
        return rows

    @api.model
    def _checked_outcomes(self, outcomes):
        kept = {}
        for name, (_label, causes) in STEPS.items():
            outcome = outcomes.get(name) if isinstance(outcomes, dict) else None
            if outcome not in {OK, SKIPPED, *causes}:
                raise ValidationError(
                    self.env._(
                        "%(field)s cannot be %(value)s.", field=name, value=str(outcome)[:40]
                    )
                )
            kept[name] = outcome
        return kept

    def _my_tested_phone(self):
        phone = self._my_softphone()
        if not phone:
            raise AccessError(self.env._("You have no browser phone."))
        return phone

    def _line_test_rows(self, kept):
        self.ensure_one()
        account = self.account_id.sudo()
        provider = registry.get(account.provider)
        advice = {**LINE_ADVICE, **(provider.line_advice if provider else {})}
        values = {
            'pbx': account.name,
            'url': account.sip_ws_url or '',
            'host': urlsplit(account.sip_ws_url or '').hostname or '',
            'extension': self.number,
            'reason': kept.get('reason') or '',
        }
        rows = []
        for name, (label, _causes) in STEPS.items():
            outcome = kept.get(name) or SKIPPED
            is_fine = outcome in (OK, SKIPPED)
            rows.append(
                {
                    'name': name,
                    'label': told(self.env, label),
                    'state': outcome if is_fine else 'failed',
                    'text': ''
                    if is_fine
                    else told(self.env, advice[outcome]) % values
                    if outcome in advice
                    else values['reason'],  # the server's own words
                }
            )
        return rows
