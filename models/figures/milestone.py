from odoo import fields, models


class TelephonyMilestone(models.Model):
    """A day on which something changed: more lines, a new queue, a training. Charts show it, so that
    people see what came after."""

    _name = 'telephony.milestone'
    _description = "Milestone of the telephony"
    _order = 'day desc, id desc'

    name = fields.Char(string="What Changed", required=True)
    day = fields.Date(required=True, default=fields.Date.context_today)
    company_id = fields.Many2one(
        'res.company', required=True, index=True, default=lambda self: self.env.company
    )
