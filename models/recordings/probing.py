from odoo import fields, models


class TelephonyRecording(models.Model):
    """What was measured of a recording's sound."""

    _inherit = 'telephony.recording'

    channels = fields.Integer(readonly=True)
    seconds = fields.Float(readonly=True)
    peaks = fields.Char(readonly=True)
    quality = fields.Selection(
        [
            ('ok', "Fine"),
            ('one_sided', "One side only"),
            ('silent', "Silent"),
            ('truncated', "Truncated"),
            ('dual_mono', "Both sides on one channel"),
            ('unreadable', "Unreadable"),
        ],
        readonly=True,
    )
    agent_channel = fields.Selection(
        [('first', "First"), ('second', "Second"), ('unknown', "Unknown")], readonly=True
    )
    agent_channel_source = fields.Selection(
        [('pbx', "PBX"), ('rule', "Rule"), ('guess', "Guess"), ('hand', "By hand")], readonly=True
    )
    keep_until = fields.Datetime(readonly=True)
