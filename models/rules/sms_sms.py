from odoo import models


class SmsSms(models.Model):
    _inherit = 'sms.sms'

    def write(self, vals):
        result = super().write(vals)
        if 'state' in vals:
            self.env['telephony.effect'].sudo()._note_sms(self)
        return result
