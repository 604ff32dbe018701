from odoo import models


class CrmLead(models.Model):
    """Callbacks follow their deal, and so do those who may listen to its calls."""

    _inherit = 'crm.lead'

    def write(self, vals):
        calls = self.env['telephony.call'].sudo()
        owners = calls.search([('lead_id', 'in', self.ids)])._owners() if 'user_id' in vals else {}
        result = super().write(vals)
        calls._pass_on(owners, inherited=True)
        return result

    def _merge_dependences(self, opportunities):
        calls = self.env['telephony.call'].sudo()
        owners = calls.search([('lead_id', 'in', opportunities.ids)])._owners()
        super()._merge_dependences(opportunities)
        self.env['telephony.callback'].sudo().search([('lead_id', 'in', opportunities.ids)]).write(
            {'lead_id': self.id}
        )
        calls._pass_on(owners, inherited=True)
