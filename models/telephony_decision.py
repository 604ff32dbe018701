from odoo import api, fields, models
from odoo.exceptions import ValidationError


class TelephonyDecision(models.Model):
    """What a person decided about a number. The matcher heeds it from then on: the contact for good, the deal as long as
    it is open."""
    _name = 'telephony.decision'
    _description = "Decision about a phone number"
    _order = 'write_date desc, id desc'
    _rec_name = 'number'
    _check_company_auto = True

    company_id = fields.Many2one(
        'res.company', required=True, index=True, ondelete='cascade', default=lambda self: self.env.company)
    number = fields.Char(required=True, readonly=True, help="As +77771234567.")
    kind = fields.Selection(
        [('contact', "Belongs to"), ('ignore', "Never a customer")], required=True, default='contact')
    partner_id = fields.Many2one(
        'res.partner', string="Contact", check_company=True, index='btree_not_null', ondelete='set null')
    lead_id = fields.Many2one(
        'crm.lead', string="Deal", check_company=True, index='btree_not_null', ondelete='set null',
        help="Calls of this number go here while the deal is open.")
    user_id = fields.Many2one(
        'res.users', string="Decided by", readonly=True, ondelete='set null', default=lambda self: self.env.user)
    note = fields.Char()

    _number_uniq = models.UniqueIndex('(company_id, number)', "There is a decision about this number already.")

    @api.constrains('kind', 'partner_id', 'lead_id')
    def _check_owner(self):
        if any(one.kind == 'contact' and not one.partner_id and not one.lead_id for one in self):
            raise ValidationError(self.env._("Say to which contact or deal the number belongs."))
