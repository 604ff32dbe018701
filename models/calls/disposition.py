from odoo import fields, models


class TelephonyDisposition(models.Model):
    """What came of a call, in the firm's own words: chosen in the result window, counted in the
    reports."""

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
        help="The customer was reached, however short the talk was: it closes the callback. Past calls stay as they are.",
    )
    activity_type_id = fields.Many2one(
        'mail.activity.type',
        string="Next Activity",
        ondelete='set null',
        domain="[('res_model', '=', False)]",
        help="Is proposed when this result is chosen; nothing is planned without a person's consent.",
    )
    activity_days = fields.Integer(string="In (days)", default=1)

    _name_uniq = models.UniqueIndex("((name->>'en_US'))", "This result is already there.")
