from odoo import fields, models


class CrmTeam(models.Model):
    _inherit = 'crm.team'

    resource_calendar_id = fields.Many2one(
        'resource.calendar', string="Working Hours", check_company=True,
        help="Callbacks of this team fall due in these hours. Empty: the company's.")
