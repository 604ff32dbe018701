from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .engine import LANGUAGES


class TelephonySpeechRoute(models.Model):
    """Says which calls become text, by which engine and in which language. The first route that fits
    counts; a call that no route fits stays sound."""

    _name = 'telephony.speech.route'
    _description = "Speech route"
    _order = 'sequence, id'
    _check_company_auto = True

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one(
        'res.company', help="Empty: for every company.", default=lambda self: self.env.company
    )
    account_ids = fields.Many2many('telephony.account', string="PBXs", check_company=True)
    number_ids = fields.Many2many('telephony.number', string="Company Numbers", check_company=True)
    team_ids = fields.Many2many(
        'crm.team',
        string="Sales Teams",
        check_company=True,
        help="Teams of the deal, or else of the company's number.",
    )
    lang_ids = fields.Many2many(
        'res.lang',
        string="Languages of the Contact",
        help="Empty: any, also where no contact is known.",
    )
    direction = fields.Selection(
        [('inbound', "Inbound"), ('outbound', "Outbound"), ('internal', "Internal")],
        help="Empty: any.",
    )
    min_seconds = fields.Integer(
        string="From (s)", default=10, help="Shorter recordings stay sound."
    )
    max_seconds = fields.Integer(
        string="Up to (s)", default=7200, help="Longer recordings stay sound."
    )
    percent = fields.Integer(
        string="Share (%)", default=100, help="Of so many of a hundred calls the text is made."
    )
    engine_id = fields.Many2one(
        'telephony.speech.engine', required=True, ondelete='restrict', check_company=True
    )
    language = fields.Selection(
        LANGUAGES, help="What is spoken. Empty: the engine finds out for each side."
    )

    @api.constrains('percent', 'min_seconds', 'max_seconds')
    def _check_limits(self):
        for route in self:
            if not 1 <= route.percent <= 100:
                raise ValidationError(self.env._("The share is 1 to 100 per cent."))
            if not 0 <= route.min_seconds < route.max_seconds:
                raise ValidationError(self.env._("“From” must be less than “Up to”."))

    @api.model
    def _route_of(self, recording):
        """Return the first route that fits a recording; empty if it stays sound."""
        routes = self.search([('company_id', 'in', [False, recording.company_id.id])])
        return next((route for route in routes if route._fits(recording)), self.browse())

    def _fits(self, recording):
        call = recording.call_id
        team = call.lead_id.team_id or call.number_id.team_id
        seconds = recording.seconds or recording.duration
        return (
            (not self.account_ids or call.account_id in self.account_ids)
            and (not self.number_ids or call.number_id in self.number_ids)
            and (not self.team_ids or team in self.team_ids)
            and (not self.lang_ids or call.partner_id.lang in self.lang_ids.mapped('code'))
            and (not self.direction or call.direction == self.direction)
            and self.min_seconds <= seconds <= self.max_seconds
            and recording.id % 100 < self.percent
        )
