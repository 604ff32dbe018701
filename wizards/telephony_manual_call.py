from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..providers.numbers import to_e164

# The outcomes that a person can log; only a PBX tells the others.
OUTCOMES = {
    'outbound': ('answered', 'no_answer', 'busy', 'voicemail'),
    'inbound': ('answered', 'missed'),
}


class TelephonyManualCall(models.TransientModel):
    """Logs a call that went past the PBX, or corrects it; opened from a contact, a deal, a callback
    or the list of calls."""

    _name = 'telephony.manual.call'
    _description = "Log a call by hand"

    call_id = fields.Many2one('telephony.call', string="Phone Call", readonly=True)
    company_id = fields.Many2one(
        'res.company',
        readonly=True,
        help="The company of the record from which the dialog was opened.",
    )
    lead_id = fields.Many2one('crm.lead', string="Deal")
    partner_id = fields.Many2one(
        'res.partner', string="Contact", compute='_compute_partner_id', store=True, readonly=False
    )
    number = fields.Char(
        string="Customer's Number",
        compute='_compute_number',
        store=True,
        readonly=False,
        help="The call closes the open callback of this number.",
    )
    direction = fields.Selection(
        [('outbound', "I called"), ('inbound', "The customer called")],
        required=True,
        default='outbound',
    )
    start_at = fields.Datetime(string="When", required=True, default=fields.Datetime.now)
    outcome = fields.Selection(
        [
            ('answered', "We talked"),
            ('no_answer', "No answer"),
            ('busy', "Busy"),
            ('voicemail', "Voicemail"),
            ('missed', "I missed it"),
        ],
        compute='_compute_outcome',
        store=True,
        readonly=False,
        required=True,
    )
    talk_minutes = fields.Integer(
        string="Minutes of Talk", help="Leave it at 0 if you do not know."
    )
    note = fields.Text()

    @api.model
    def default_get(self, fields_list):
        """Take the values of the call that is corrected, or contact, deal and number of the record
        from which the dialog was opened."""
        values = super().default_get(fields_list)
        call = self.env['telephony.call'].browse(values.get('call_id') or [])
        if call:
            values.update(
                {
                    'lead_id': call.lead_id.id,
                    'partner_id': call.partner_id.id,
                    'number': call.customer_number,
                    'direction': call.direction,
                    'start_at': call.start_at,
                    'outcome': call.outcome,
                    'talk_minutes': round(call.talk_seconds / 60),
                    'note': call.note,
                }
            )
            return values
        model, record_id = self.env.context.get('active_model'), self.env.context.get('active_id')
        if model in self.env and record_id and model != self._name:
            record = self.env[model].browse(record_id)
            target = self.env['telephony.dial']._customer_record(record)
            if target and target.has_access('read'):
                values['lead_id' if target._name == 'crm.lead' else 'partner_id'] = target.id
            values['company_id'] = self.env['telephony.dial']._company_of(record).id
            if model in ('telephony.callback', 'telephony.call'):
                values['number'] = record.customer_number
        return values

    @api.depends('lead_id')
    def _compute_partner_id(self):
        for wizard in self:
            wizard.partner_id = wizard.lead_id.partner_id or wizard.partner_id

    @api.depends('lead_id', 'partner_id')
    def _compute_number(self):
        """Take the number of the open callback of the deal or contact, else their phone."""
        for wizard in self:
            lead, partner = wizard.lead_id, wizard.partner_id
            callback = (lead or partner) and self.env['telephony.callback'].search(
                [
                    ('state', '=', 'open'),
                    ('lead_id', '=', lead.id) if lead else ('partner_id', '=', partner.id),
                ],
                limit=1,
            )
            wizard.number = (
                callback
                and callback.customer_number
                or lead.phone
                or partner.phone
                or wizard.number
            )

    @api.depends('direction')
    def _compute_outcome(self):
        for wizard in self:
            if wizard.outcome not in OUTCOMES[wizard.direction or 'outbound']:
                wizard.outcome = 'answered'

    @api.constrains('direction', 'outcome', 'start_at', 'talk_minutes')
    def _check_facts(self):
        for wizard in self:
            if wizard.outcome not in OUTCOMES[wizard.direction]:
                raise ValidationError(
                    self.env._(
                        "A call of this direction cannot have this outcome. Choose another outcome."
                    )
                )
            if wizard.start_at > fields.Datetime.now() + timedelta(minutes=1):
                raise ValidationError(
                    self.env._("The call cannot start in the future. Correct “When”.")
                )
            if not 0 <= wizard.talk_minutes <= 24 * 60:
                raise ValidationError(
                    self.env._(
                        "Enter the minutes of this one talk: at most a day, and not below 0."
                    )
                )

    def action_save(self):
        """Log the call, or correct it."""
        self.ensure_one()
        if self.call_id:
            self.call_id._correct(self._call_values(self.call_id.sudo().company_id))
        else:
            company = (
                self.lead_id.company_id or self.company_id & self.env.companies or self.env.company
            )
            self.env['telephony.call']._log_by_hand(company, self._call_values(company))
        return {'type': 'ir.actions.act_window_close'}

    def action_take_back(self):
        """Delete a call that was logged by mistake."""
        self.ensure_one()
        self.call_id._check_correctable()
        self.call_id.sudo()._take_back()
        return self.env['ir.actions.act_window']._for_xml_id('crm_telephony.telephony_call_action')

    def _call_values(self, company):
        for record in (self.lead_id, self.partner_id):
            record.check_access('read')
        country = self.lead_id.country_id or self.partner_id.country_id or company.country_id
        number = to_e164(self.number, country.code or '') or to_e164(
            self.number, company.country_id.code or ''
        )
        if self.number and not number:
            raise UserError(
                self.env._(
                    "%(number)s is not a complete phone number. Enter it with the area or country code.",
                    number=self.number,
                )
            )
        if not number and not self.lead_id and not self.partner_id:
            raise UserError(
                self.env._("Say with whom you talked: choose a contact or deal, or enter a number.")
            )
        talk = self.talk_minutes * 60 if self.outcome == 'answered' else 0
        return {
            'direction': self.direction,
            'customer_number': number,
            'caller_number' if self.direction == 'inbound' else 'called_number': number,
            'number_id': False,
            'lead_id': self.lead_id.id,
            'partner_id': self.partner_id.id or self.lead_id.partner_id.id,
            'start_at': self.start_at,
            'answered_at': self.start_at if self.outcome == 'answered' else False,
            'ended_at': self.start_at + timedelta(seconds=talk),
            'talk_seconds': talk,
            'wait_seconds': 0,
            'outcome': self.outcome,
            'is_short': 0 < talk < company.telephony_short_seconds,
            'note': self.note,
        }
