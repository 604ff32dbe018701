from odoo import models


class MailActivity(models.Model):
    _inherit = 'mail.activity'

    def _on_called(self):
        """The record whose company's phone is used when the customer of this activity is called, or
        None."""
        self.ensure_one()
        return self.env[self.res_model].browse(self.res_id) if self.res_model else None
