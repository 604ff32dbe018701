from odoo import api, fields, models
from odoo.fields import Domain

from .telephony_call import OUTCOMES


class TelephonyRule(models.Model):
    """What an ended call leads to. The first rule that fits a call decides; calls that no rule fits lead to nothing."""
    _name = 'telephony.rule'
    _description = "Telephony rule"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one('res.company', help="Empty: for every company.")
    direction = fields.Selection([('inbound', "Inbound"), ('outbound', "Outbound")], required=True, default='inbound')
    outcome = fields.Selection(OUTCOMES, required=True, default='missed')
    min_wait_seconds = fields.Integer(
        string="Waited More Than (s)", default=-1, help="Only calls that waited longer than this; -1 takes all.")
    min_attempt = fields.Integer(
        string="From Attempt", default=0, help="Only from this attempt to reach the customer on; 0 takes all.")
    action = fields.Selection(
        [('callback', "Call back"), ('give_up', "Stop calling, ask the owner")], required=True, default='callback')
    delay_kind = fields.Selection(
        [('working', "Working minutes"), ('next_day', "Opening of the next working day")],
        string="Due", required=True, default='working',
        help="Working minutes start at the opening when the call came out of hours.")
    delay_minutes = fields.Integer(default=15)
    priority = fields.Selection([('0', "Normal"), ('1', "High")], required=True, default='0')

    @api.model
    def _first_for(self, call, attempt):
        """The rule that decides about this call, or none. `attempt`: how often the customer was tried in vain."""
        rules = self.search(Domain('company_id', 'in', [False, call.company_id.id]))
        return next((rule for rule in rules if rule._fits(call, attempt)), self.browse())

    def _fits(self, call, attempt):
        self.ensure_one()
        return (
            self.direction == call.direction and self.outcome == call.outcome
            and call.wait_seconds > self.min_wait_seconds and attempt >= self.min_attempt
        )
