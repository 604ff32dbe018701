from odoo import api, fields, models, tools

# The match reasons. The first four say how near the deal is to the number; a deal has one of them.
CODES = [
    ('number', "The deal carries this very number"),
    ('person', "Deal of this very contact, or of anybody behind a company's line"),
    ('firm', "Deal of the contact's company"),
    ('colleague', "Deal of somebody else in the contact's company"),
    ('choice', "Chosen before for this number"),
    ('owner', "Its salesperson talks"),
    ('campaign', "Its campaign is the called number's"),
    ('source', "Its source is the called number's"),
    ('team', "Its team is the called number's"),
    ('planned', "A callback or activity is due"),
    ('recent', "Last contact was recent"),
    ('quotation', "A quotation is open"),
    ('probability', "Probability"),
    ('amount', "Highest expected revenue"),
]


class TelephonyMatchWeight(models.Model):
    """How much a match reason counts when a call could belong to several deals."""

    _name = 'telephony.match.weight'
    _description = "Weight of a match reason"
    _inherit = ['telephony.settings.mixin']
    _order = 'company_id nulls first, weight desc, id'
    _rec_name = 'code'

    code = fields.Selection(CODES, string="Match Reason", required=True)
    weight = fields.Integer(required=True, help="0: this reason does not count.")
    company_id = fields.Many2one(
        'res.company',
        index=True,
        ondelete='cascade',
        help="Empty: of every company that has no weight of its own.",
    )

    _code_uniq = models.UniqueIndex(
        '(code, COALESCE(company_id, 0))', "This reason has a weight already."
    )
    _weight_range = models.Constraint(
        'CHECK (weight BETWEEN 0 AND 1000)', "Enter a weight from 0 to 1000."
    )

    @api.model
    @tools.ormcache('company_id')
    def _weights(self, company_id):
        """Return the weights of a company, dict code → weight. It is cached: do not change it."""
        rows = self.sudo().search_fetch(
            [('company_id', 'in', [False, company_id])], ['code', 'weight', 'company_id']
        )
        return {code: 0 for code, _label in CODES} | {
            row.code: row.weight for row in rows.sorted(lambda row: bool(row.company_id))
        }
