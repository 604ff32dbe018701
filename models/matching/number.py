from odoo import api, models, tools

from .score import Called


class TelephonyNumber(models.Model):
    _inherit = 'telephony.number'

    @api.model
    @tools.ormcache('number_id')
    def _called(self, number_id):
        """What it says of a call that this number was called."""
        number = self.sudo().browse(number_id)
        return Called(
            number.source_id.id or None, number.campaign_id.id or None, number.team_id.id or None
        )
