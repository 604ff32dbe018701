import hmac
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError

# The watch looks each five minutes. If it has not for so long, nothing is known.
STALE = timedelta(minutes=15)
STATES = [
    ('good', "All is well"),
    ('warns', "Needs attention"),
    ('loses', "Loses calls"),
    ('unknown', "Not watched"),
]
# So many alarms have a line of their own on the live board; the rest have one together.
MOST_ON_BOARD = 3


class TelephonyAccount(models.Model):
    """Shows how a PBX does, by its open alarms and those that concern all."""

    _inherit = 'telephony.account'

    alarm_ids = fields.One2many(
        'telephony.alarm', 'account_id', string="Alarms", domain=[('state', '=', 'open')]
    )
    health = fields.Selection(STATES, compute='_compute_health')
    health_line = fields.Char(
        string="What Is Wrong",
        compute='_compute_health',
        help="The worst open alarm, and how many more there are.",
    )

    @api.depends('alarm_ids.state')
    @api.depends_context('lang', 'tz')
    def _compute_health(self):
        alarms = self.env['telephony.alarm'].sudo()._open_of(self)
        stale = self.env['telephony.alarm']._is_stale()
        for account in self:
            mine = alarms.filtered(
                lambda alarm, account=account: alarm.account_id in (account, account.browse())
            )
            account.health = mine._health(stale)
            account.health_line = mine._line()

    def action_view_alarms(self):
        """Open the alarms of this PBX, those that are over too."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_alarm_action'
        )
        action['domain'] = [('account_id', 'in', [self.id, False])]
        return action


class TelephonyAlarm(models.Model):
    _inherit = 'telephony.alarm'

    @api.model
    def _open_of(self, accounts):
        """Return the open alarms of these PBXs, and those that concern all."""
        return self.search([('state', '=', 'open'), ('account_id', 'in', [False, *accounts.ids])])

    @api.model
    def _is_stale(self):
        """Return whether the watch has not run lately, so that nothing is known."""
        last = self._watched_at()
        return not last or last < fields.Datetime.now() - STALE

    def _health(self, stale):
        """Return the word of STATES for these open alarms."""
        if any(self.mapped('is_losing')):
            return 'loses'
        return 'unknown' if stale else 'warns' if self else 'good'

    def _line(self):
        """Return the worst of these alarms as one line, '' without one."""
        if not self:
            return ''
        line = str(self._worst().text)
        if len(self) == 1:
            return line
        return self.env._("%(line)s (and %(count)s more)", line=line, count=len(self) - 1)

    def _worst(self):
        """Return the one by which calls are lost, the oldest of several."""
        return self.sorted(lambda alarm: (not alarm.is_losing, alarm.since))[:1]

    # === FOR THE FIRM'S OWN MONITORING === #

    @api.model
    def _health_report(self, token):
        """Return (HTTP status, report) for the monitoring of the company with this token, None if
        there is none. The report names kinds of alarms, and nothing of PBXs, numbers or people."""
        companies = self.env['res.company'].sudo().search([('telephony_health_token', '!=', False)])
        company = companies.browse()
        for candidate in companies:  # all of them, so that the time tells nothing
            if hmac.compare_digest(candidate.telephony_health_token.encode(), token.encode()):
                company = candidate
        if not company:
            return None
        alarms = self.sudo().search(
            [('state', '=', 'open'), ('company_id', 'in', [False, company.id])]
        )
        health, last = alarms._health(self._is_stale()), self._watched_at()
        report = {
            'status': health,
            'watched_at': f'{last:%Y-%m-%dT%H:%M:%SZ}' if last else None,
            'alarms': [
                {
                    'code': alarm.code,
                    'loses_calls': alarm.is_losing,
                    'since': f'{alarm.since:%Y-%m-%dT%H:%M:%SZ}',
                }
                for alarm in alarms
            ],
        }
        return (503 if health in ('loses', 'unknown') else 200), report


class ResCompany(models.Model):
    _inherit = 'res.company'

    telephony_health_token = fields.Char(
        groups='crm_telephony.group_admin', copy=False, readonly=True
    )
    telephony_health_url = fields.Char(
        string="Address for Monitoring",
        compute='_compute_telephony_health_url',
        groups='crm_telephony.group_admin',
        help="Answers 200 while no calls are lost, else 503, with a short report without personal data. Whoever has the "
        "address may read it.",
    )

    @api.depends('telephony_health_token')
    def _compute_telephony_health_url(self):
        for company in self:
            token = company.telephony_health_token
            company.telephony_health_url = (
                f'{company.get_base_url()}/telephony/health/{token}' if token else False
            )

    def _new_telephony_health_token(self):
        """Give the company a new address for its monitoring; the old one answers 404 from now on.

        :raise AccessError: the user is no telephony administrator
        """
        self.ensure_one()
        if not self.env.user.has_group('crm_telephony.group_admin'):
            raise AccessError(
                self.env._("Only telephony administrators can change the address for monitoring.")
            )
        self.sudo().telephony_health_token = secrets.token_urlsafe(32)


class ResConfigSettings(models.TransientModel):
    _inherit = 'res.config.settings'

    telephony_health_url = fields.Char(related='company_id.telephony_health_url')

    def action_new_telephony_health_token(self):
        """Make the address for monitoring, or a new one."""
        self.company_id._new_telephony_health_token()
        return {'type': 'ir.actions.client', 'tag': 'soft_reload'}


class TelephonyLive(models.AbstractModel):
    _inherit = 'telephony.live'

    def _after_board(self, board):
        """Show what is wrong with the PBXs of the companies that are chosen in the browser."""
        super()._after_board(board)
        alarms = self.env['telephony.alarm'].sudo()
        alarms = alarms.search(
            [('state', '=', 'open'), ('company_id', 'in', [False, *self.env.companies.ids])]
        )
        named = alarms.filtered('is_losing')[:MOST_ON_BOARD]
        rest = alarms - named
        board['alarms'] = [
            {'id': part._worst().id, 'text': part._line(), 'loses': part._worst().is_losing}
            for part in (*named, rest)
            if part
        ]
