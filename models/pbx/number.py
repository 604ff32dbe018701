from odoo import api, fields, models, tools

from ...providers.numbers import normalise
from ..core.res_company import DEAL_POLICIES, LEAD_OWNERS, LEAD_POLICIES


class TelephonyNumber(models.Model):
    """A number of the company itself (DID). New deals of its callers get its source, campaign and
    team; it is never taken for a customer's number."""

    _name = 'telephony.number'
    _description = "Company number"
    _inherit = ['telephony.settings.mixin']
    _order = 'name'
    _check_company_auto = True

    name = fields.Char(
        string="Number", required=True, help="Stored as +77272507612, whatever way it is typed."
    )
    label = fields.Char(help="What it is used for, such as the advertisement that shows it.")
    account_id = fields.Many2one('telephony.account', required=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(
        related='account_id.company_id', store=True, precompute=True, index=True
    )
    source_id = fields.Many2one('utm.source', ondelete='set null')
    campaign_id = fields.Many2one('utm.campaign', ondelete='set null')
    team_id = fields.Many2one(
        'crm.team', string="Sales Team", check_company=True, ondelete='set null'
    )
    user_id = fields.Many2one(
        'res.users',
        string="Responsible",
        check_company=True,
        ondelete='set null',
        domain="[('share', '=', False)]",
        help="Who calls back when the caller has neither a deal nor a salesperson.",
    )
    resource_calendar_id = fields.Many2one(
        'resource.calendar',
        string="Working Hours",
        check_company=True,
        ondelete='set null',
        help="Of this number, if they differ from the team's and the company's.",
    )
    deal_policy = fields.Selection(
        DEAL_POLICIES, string="Which Deal", help="Empty: as the company's settings say."
    )
    lead_policy = fields.Selection(
        LEAD_POLICIES,
        string="New Deals",
        help="For unknown callers of this number. Empty: as the company's settings say.",
    )
    lead_owner = fields.Selection(
        LEAD_OWNERS, string="Owner of New Deals", help="Empty: as the company's settings say."
    )

    # the same number may stand at two PBXs: firms move from one to the other
    _name_uniq = models.UniqueIndex('(account_id, name)', "This number is already entered.")

    @api.depends('name', 'label')
    def _compute_display_name(self):
        for number in self:
            number.display_name = f'{number.name} ({number.label})' if number.label else number.name

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get('name'):
                account = self.env['telephony.account'].browse(vals.get('account_id'))
                vals['name'] = self._normalise(vals['name'], account)
        numbers = super().create(vals_list)
        numbers.account_id._after_entered()
        return numbers

    def write(self, vals):
        if not vals.get('name'):
            return super().write(vals)
        for number in self:
            account = self.env['telephony.account'].browse(
                vals.get('account_id') or number.account_id.id
            )
            super(TelephonyNumber, number).write(
                {**vals, 'name': self._normalise(vals['name'], account)}
            )
        return True

    @api.model
    def _normalise(self, number, account):
        return normalise(number, account.sudo().country_id.code or '')

    # === FOR MATCHING: CACHED, BECAUSE EVERY CALL ASKS === #

    @api.model
    @tools.ormcache('company_id')
    def _own_names(self, company_id):
        """Return all numbers of a company, as they are stored."""
        return frozenset(
            self.sudo().search_fetch([('company_id', '=', company_id)], ['name']).mapped('name')
        )

    @api.model
    @tools.ormcache('number_id')
    def _own_deal_policy(self, number_id):
        """Return the number's own deal policy, False if it has none."""
        return self.sudo().browse(number_id).deal_policy
