from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...providers.numbers import to_e164


class TelephonyDecision(models.Model):
    """What a person decided about a number. The matcher heeds it from then on: the contact for
    good, the deal as long as it is open."""

    _name = 'telephony.decision'
    _description = "Decision about a phone number"
    _order = 'write_date desc, id desc'
    _rec_name = 'number'
    _check_company_auto = True

    company_id = fields.Many2one(
        'res.company',
        required=True,
        index=True,
        ondelete='cascade',
        default=lambda self: self.env.company,
    )
    number = fields.Char(required=True, readonly=True, help="As +77771234567.")
    kind = fields.Selection(
        [('contact', "Belongs to"), ('ignore', "Never a customer")],
        required=True,
        default='contact',
    )
    partner_id = fields.Many2one(
        'res.partner',
        string="Contact",
        check_company=True,
        index='btree_not_null',
        ondelete='set null',
    )
    lead_id = fields.Many2one(
        'crm.lead',
        string="Deal",
        check_company=True,
        index='btree_not_null',
        ondelete='set null',
        help="Calls of this number go here while the deal is open.",
    )
    user_id = fields.Many2one(
        'res.users',
        string="Decided by",
        readonly=True,
        ondelete='set null',
        default=lambda self: self.env.user,
    )
    note = fields.Char()

    _number_uniq = models.UniqueIndex(
        '(company_id, number)', "There is a decision about this number already."
    )

    @api.model_create_multi
    def create(self, vals_list):
        decisions = super().create(
            [self._with_e164(vals, vals.get('company_id')) for vals in vals_list]
        )
        decisions._bind_late()
        return decisions

    def write(self, vals):
        if vals.get('number'):
            vals = self._with_e164(vals, vals.get('company_id') or self[:1].company_id.id)
        result = super().write(vals)
        self._bind_late()
        return result

    def unlink(self):
        numbers = self.mapped('number')
        result = super().unlink()
        self.env['telephony.rebind'].sudo()._queue(numbers)
        return result

    def _bind_late(self):
        """Past calls that nobody has settled follow the decision."""
        self.env['telephony.rebind'].sudo()._queue(self.mapped('number'))
        self.filtered(lambda decision: decision.kind == 'ignore')._after_ignored()

    @api.model
    def _with_e164(self, vals, company_id):
        """The values with the number as E.164, as people in the company's country write it.

        :raise ValidationError: it is no outside number
        """
        company = self.env['res.company'].browse(company_id) or self.env.company
        if not (number := to_e164(vals.get('number'), company.country_id.code or '')):
            raise ValidationError(
                self.env._(
                    "%(number)s is not a complete phone number.", number=vals.get('number') or '–'
                )
            )
        return {**vals, 'number': number}

    @api.constrains('kind', 'partner_id', 'lead_id')
    def _check_owner(self):
        if any(one.kind == 'contact' and not one.partner_id and not one.lead_id for one in self):
            raise ValidationError(self.env._("Say to which contact or deal the number belongs."))

    # === HOOKS OF LATER STAGES === #

    def _after_ignored(self):
        """These numbers are never a customer's."""

    def _after_ignoring_ended(self):
        """The number may be a customer's after all."""
