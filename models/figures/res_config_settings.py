from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = 'res.config.settings'

    telephony_letter_user_ids = fields.Many2many(
        related='company_id.telephony_letter_user_ids', readonly=False
    )
