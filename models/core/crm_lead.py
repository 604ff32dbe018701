from odoo import models


class CrmLead(models.Model):
    _name = 'crm.lead'
    _inherit = ['crm.lead', 'telephony.phones.mixin']

    def _compute_phone_sanitized(self):
        super()._compute_phone_sanitized()
        self._read_phones()
