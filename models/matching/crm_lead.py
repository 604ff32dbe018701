from odoo import api, fields, models

# What decides whose calls may hang on a deal: its number, its customer, its company, and whether it
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
    """Deals decide whose calls are whose: past calls are looked up when they change."""

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
        leads._bind_late()
        return leads

    def write(self, vals):
        result = super().write(vals)
        if OWNERSHIP & set(vals):
            self._bind_late()
        if vals.get('partner_id'):
            # a lead that became a customer's: his are the calls that made it
            self.env['telephony.call'].sudo().search(
                [('lead_id', 'in', self.ids), ('partner_id', '=', False)]
            ).write({'partner_id': vals['partner_id']})
        return result

    def _bind_late(self):
        """Past calls of these deals' and their contacts' numbers may belong to them. Where a deal
        was closed nothing is looked up: the calls that waited for a choice may have been about
        it."""
        leads = self.sudo().filtered(lambda lead: lead.active and lead.won_status == 'pending')
        self.env['telephony.rebind'].sudo()._queue(
            [*leads._telephony_numbers(), *leads.partner_id._telephony_numbers()]
        )

    def _merge_dependences(self, opportunities):
        """The calls of merged deals go with them, and so does what was decided about their numbers.
        Numbers that the merged deal has no room for stay known by its contact, or else by a
        decision."""
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
        """A deal that this user has just made of a call, and that nobody has worked on since."""
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
