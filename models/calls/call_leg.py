from odoo import api, fields, models

from ...tools.clocks import clock
from .call import OUTCOMES


class TelephonyCallLeg(models.Model):
    """One phone that rang in a call. A ring group of five phones is one call with five legs."""

    _name = 'telephony.call.leg'
    _description = "Phone that rang in a call"
    _order = 'call_id, start_at, extension'
    _rec_name = 'extension'

    call_id = fields.Many2one(
        'telephony.call', string="Phone Call", required=True, index=True, ondelete='cascade'
    )
    extension = fields.Char(required=True, readonly=True)
    user_id = fields.Many2one(
        'res.users', readonly=True, index='btree_not_null', ondelete='set null'
    )
    start_at = fields.Datetime(string="Ringing Since", readonly=True)
    answered_at = fields.Datetime(readonly=True)
    ended_at = fields.Datetime(readonly=True)
    talk_seconds = fields.Integer(string="Talk (s)", readonly=True)
    talk_clock = fields.Char(string="Talk", compute='_compute_talk_clock')
    outcome = fields.Selection(
        OUTCOMES, readonly=True, help="As this phone saw it: No answer, if it rang in vain."
    )

    _start_idx = models.Index('(start_at)')
    _extension_uniq = models.UniqueIndex(
        '(call_id, md5(extension))', "A phone is one leg of a call."
    )

    @api.depends('talk_seconds')
    def _compute_talk_clock(self):
        for leg in self:
            leg.talk_clock = clock(leg.talk_seconds) if leg.talk_seconds else False

    def _running(self):
        """Return those of the legs that still ring or talk."""
        return self.filtered(lambda leg: not leg.ended_at and leg.outcome in (False, 'answered'))
