from odoo import api, fields, models


class TelephonySettle(models.TransientModel):
    """Asks for the contact or the deal of several calls at once, or whether they are really no
    customer's."""

    _name = 'telephony.settle'
    _description = "Settle calls"

    call_ids = fields.Many2many('telephony.call', string="Calls", required=True, readonly=True)
    mode = fields.Selection(
        [('contact', "Contact"), ('deal', "Deal"), ('ignore', "Never a customer")],
        required=True,
        default='contact',
        readonly=True,
    )
    partner_id = fields.Many2one('res.partner', string="Contact")
    lead_id = fields.Many2one('crm.lead', string="Deal")
    owners = fields.Char(
        compute='_compute_owners', help="The contacts and open deals that have these numbers."
    )
    numbers = fields.Char(compute='_compute_numbers')
    number = fields.Char(
        compute='_compute_numbers',
        help="The number of the first call, for a contact or deal that is created here.",
    )

    @api.depends('call_ids')
    def _compute_numbers(self):
        for wizard in self:
            numbers = list(dict.fromkeys(call.who for call in wizard.call_ids))
            wizard.number = wizard.call_ids[:1].customer_number
            wizard.numbers = ", ".join(numbers[:5]) + ("…" if len(numbers) > 5 else "")

    @api.depends('call_ids')
    @api.depends_context('uid')
    def _compute_owners(self):
        for wizard in self:
            found = [call.candidates for call in wizard.call_ids if call.candidates]
            names = list(
                dict.fromkeys(
                    name
                    for candidates in found
                    for name in (
                        *(contact['name'] for contact in candidates['contacts']),
                        *(deal['name'] for deal in candidates['deals']),
                        candidates['hidden_deals'],
                    )
                    if name
                )
            )
            wizard.owners = " · ".join(names[:5]) + ("…" if len(names) > 5 else "")

    def action_apply(self):
        """Settle the calls.

        :return: an action that says what happened and offers undo
        """
        self.ensure_one()
        if self.mode == 'ignore':
            return self.call_ids.action_ignore_number(confirmed=True)
        if self.mode == 'deal':
            return self.call_ids.action_pick(self.lead_id.id)
        return self.call_ids.action_pick_contact(self.partner_id.id)
