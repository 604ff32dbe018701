from contextlib import contextmanager

from odoo import fields, models

from .telephony_call import changes


class TelephonyCall(models.Model):
    """What people decide about calls. What a person chose stays, whatever the matcher would say later; what has already
    followed from a call moves along with it."""
    _inherit = 'telephony.call'

    settled_by_id = fields.Many2one('res.users', string="Set By", readonly=True, ondelete='set null')
    settled_at = fields.Datetime(string="Set At", readonly=True)

    # === A CHOICE BY HAND === #

    def _attach_by_hand(self, vals):
        """A person's choice of contact or deal."""
        self.check_access('write')
        lead = self.env['crm.lead'].browse(vals.get('lead_id') or [])
        partner = self.env['res.partner'].browse(vals.get('partner_id') or [])
        lead.check_access('read')
        partner.check_access('read')
        if lead and 'partner_id' not in vals and (customer := lead.sudo().partner_id):
            vals = {**vals, 'partner_id': customer.id}
        calls = self.sudo()
        with calls._moving_along():
            calls.write({
                **vals, 'match_state': 'manual', 'settled_by_id': self.env.uid, 'settled_at': fields.Datetime.now(),
                'match_reason': self.env._("Set by %(user)s", user=self.env.user.name),
            })
            if partner and 'lead_id' not in vals:
                calls.filtered(lambda call: call._is_deal_of_another()).lead_id = False
        return True

    def _is_deal_of_another(self):
        """The deal belongs to another customer than the call."""
        customer = self.lead_id.partner_id.commercial_partner_id
        return customer and customer != self.partner_id.commercial_partner_id

    @contextmanager
    def _moving_along(self):
        """Whatever changes contact and deal of these calls inside, their chatter lines and open callbacks (with
        activity, and the owner where he came from contact or deal) go to where the calls are then."""
        Callback = self.env['telephony.callback'].sudo()
        before = {call: call._place() for call in self}
        callbacks = Callback.search([('state', '=', 'open'), ('origin_call_id', 'in', self.ids)])
        owners = {callback: Callback._responsible(callback.origin_call_id) for callback in callbacks}
        yield
        moved = self.filtered(lambda call: call._place() != before[call])
        # a line that somebody has deleted does not come back
        told = moved.filtered(lambda call: call.follow_up == 'done' and (call.message_id or not before[call]))
        moved.message_id.sudo().unlink()
        for company, calls in told.grouped('company_id').items():
            calls.with_company(company).with_context(lang=company.partner_id.lang or self.env.lang)._log_in_chatter()
        for callback, owner in owners.items():
            call = callback.origin_call_id
            values = {'partner_id': call.partner_id.id, 'lead_id': call.lead_id.id}
            if callback.user_id == owner and (now := Callback._responsible(call)):
                values['user_id'] = now.id
            if changed := changes(callback, values):
                callback.write(changed)

    def _place(self):
        """The record that bears the call's chatter line."""
        return self.lead_id or self.partner_id
