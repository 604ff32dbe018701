from odoo import models


class ResPartner(models.Model):
    """Who may listen to a contact's calls follows its salesperson."""

    _inherit = 'res.partner'

    def write(self, vals):
        owners, calls = {}, self.env['telephony.call'].sudo()
        if 'user_id' in vals:
            owners = calls.search(
                [
                    '|',
                    ('partner_id', 'in', self.ids),
                    ('partner_id.commercial_partner_id', 'in', self.ids),
                ]
            )._owners()
        result = super().write(vals)
        # anybody may change a contact: a user who is not its salesperson gives only what they may
        # hear themselves
        calls._pass_on(owners)
        return result
