from odoo import fields, models


class TelephonyCallbackReason(models.Model):
    """Why nobody calls back: what a person says who cancels a callback."""

    _name = 'telephony.callback.reason'
    _description = "Reason to cancel a callback"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
