from odoo import fields, models


class CrmLead(models.Model):
    _name = 'crm.lead'
    _inherit = ['crm.lead', 'telephony.calls.mixin']

    telephony_call_ids = fields.One2many(
        'telephony.call', 'lead_id', string="Calls", groups='crm_telephony.group_user')

    def _merge_dependences(self, opportunities):
        """The calls and promises of merged deals go with them."""
        super()._merge_dependences(opportunities)
        for model in ('telephony.call', 'telephony.callback'):
            self.env[model].sudo().search([('lead_id', 'in', opportunities.ids)]).write({'lead_id': self.id})
