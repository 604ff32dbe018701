from odoo import api, fields, models

# Fields that decide whose calls may be linked to a deal: number, customer, company, and whether it
# is open.
OWNERSHIP = {
    'phone',
    'phone_sanitized',
    'country_id',
    'partner_id',
    'company_id',
    'active',
    'stage_id',
}


class CrmLead(models.Model):
    """Queues late matches when a deal changes, and keeps calls with their deal when it is merged or
    gets a customer."""

    _name = 'crm.lead'
    _inherit = ['crm.lead', 'telephony.matched.mixin']

    telephony_origin_call_id = fields.Many2one(
        'telephony.call',
        string="Made of Call",
        readonly=True,
        copy=False,
        index='btree_not_null',
        ondelete='set null',
    )

    @api.model_create_multi
    def create(self, vals_list):
        leads = super().create(vals_list)
        leads._queue_late_match()
        return leads

    def write(self, vals):
        result = super().write(vals)
        if OWNERSHIP & set(vals):
            self._queue_late_match()
        if vals.get('partner_id'):
            # the calls that a lead was made of are its new customer's
            self.env['telephony.call'].sudo().search(
                [('lead_id', 'in', self.ids), ('partner_id', '=', False)]
            ).write({'partner_id': vals['partner_id']})
        return result

    def _queue_late_match(self):
        """Queue the numbers of these deals and their contacts for a late match, because past calls
        may belong to them. Not of closed deals: the calls that wait to be settled may have been
        about them."""
        leads = self.sudo().filtered(lambda lead: lead.active and lead.won_status == 'pending')
        self.env['telephony.rebind'].sudo()._queue(
            [*leads._telephony_numbers(), *leads.partner_id._telephony_numbers()]
        )

    def _merge_dependences(self, opportunities):
        """Move the calls of merged deals and the decisions about their numbers. Numbers that the
        merged deal has no room for stay known by its contact, or else by a decision."""
        super()._merge_dependences(opportunities)
        for model in ('telephony.call', 'telephony.decision'):
            self.env[model].sudo().search([('lead_id', 'in', opportunities.ids)]).write(
                {'lead_id': self.id}
            )
        numbers = set(opportunities._telephony_numbers()) - set(self._telephony_numbers())
        if self.partner_id:
            self.env['telephony.contact.number'].sudo()._learn(self.partner_id, numbers)
        else:
            company = self.company_id or self.env.company
            decisions = self.env['telephony.decision'].sudo()
            decided = decisions.search(
                [('company_id', '=', company.id), ('number', 'in', list(numbers))]
            )
            decisions.create(
                [
                    {'company_id': company.id, 'number': number, 'lead_id': self.id}
                    for number in sorted(numbers - set(decided.mapped('number')))
                ]
            )

    def _is_untouched_from_call(self, user):
        """Return whether this user has made the deal of a call within the last hour, and nobody has
        worked on it since."""
        self.ensure_one()
        age = self.env.cr.now() - self.create_date
        return (
            self.telephony_origin_call_id
            and self.create_uid == user
            and self.write_date <= self.create_date
            and age.total_seconds() < 3600
            and all(self.activity_ids.mapped('automated'))
            and not self.message_ids.filtered(lambda message: message.message_type == 'comment')
        )
