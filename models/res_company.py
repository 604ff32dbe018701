from odoo import fields, models


class ResCompany(models.Model):
    _inherit = 'res.company'

    telephony_short_seconds = fields.Integer(
        string="Short Talk (s)", default=30,
        help="An answered call with less talk is no full contact. A new threshold does not rewrite past calls.")
