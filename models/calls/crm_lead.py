from odoo import fields, models


class CrmLead(models.Model):
    _name = 'crm.lead'
    _inherit = ['crm.lead', 'telephony.calls.mixin']

    telephony_call_ids = fields.One2many(
        'telephony.call', 'lead_id', string="Calls", groups='crm_telephony.group_user'
    )
