from odoo import fields, models
from odoo.tools import SQL


class ResPartner(models.Model):
    _name = 'res.partner'
    _inherit = ['res.partner', 'telephony.calls.mixin']

    telephony_call_ids = fields.One2many(
        'telephony.call', 'partner_id', string="Calls", groups='crm_telephony.group_user'
    )

    def _telephony_family(self):
        """A company shows the calls of its people too."""
        return (self | self.with_context(active_test=False).child_ids).ids

    def _telephony_members_sql(self):
        self.env['res.partner'].flush_model(['parent_id'])
        return SQL(
            "SELECT id, parent_id AS head_id FROM res_partner WHERE parent_id IN %s", self._ids
        )
