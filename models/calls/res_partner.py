from odoo import fields, models


class ResPartner(models.Model):
    _name = 'res.partner'
    _inherit = ['res.partner', 'telephony.calls.mixin']
    _telephony_head = 'parent_id'  # a company shows the calls of its people too

    telephony_call_ids = fields.One2many(
        'telephony.call', 'partner_id', string="Calls", groups='crm_telephony.group_user'
    )
