from odoo import fields, models


class TelephonyDisposition(models.Model):
    """A result of calls, in the company's own words: employees choose it after a call, reports count
    it."""

    _name = 'telephony.disposition'
    _description = "Call result"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    color = fields.Integer()
    applies_to = fields.Selection(
        [('any', "Every call"), ('talk', "Calls with a talk"), ('no_talk', "Calls without a talk")],
        string="Offered After",
        required=True,
        default='any',
    )
    counts_as_reached = fields.Boolean(
        string="Counts as Reached",
        help="A call with this result has reached the customer, however short the talk was, and closes the callback. Past "
        "calls stay as they are.",
    )
    activity_type_id = fields.Many2one(
        'mail.activity.type',
        string="Next Activity",
        ondelete='set null',
        domain="[('res_model', '=', False)]",
        help="Proposed when this result is chosen. Nothing is planned until the user saves.",
    )
    activity_days = fields.Integer(string="In (days)", default=1)

    _name_uniq = models.UniqueIndex("((name->>'en_US'))", "This result is already there.")
