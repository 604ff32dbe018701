from odoo import models
from odoo.fields import Domain

from odoo.addons.mail.tools.discuss import Store

# Records whose chatters bear the lines of calls.
BEARERS = ('crm.lead', 'res.partner')


class MailMessage(models.Model):
    """The line of a call in a chatter: the web client gets the call with the message, and draws the
    line from it."""

    _inherit = 'mail.message'

    def _to_store(self, store: Store, fields, **kwargs):
        is_whole = 'message_format' in fields
        super()._to_store(store, fields, **kwargs)
        if is_whole and self.env.user._is_internal():
            for message, line in self._telephony_lines().items():
                store.add_records_fields(message, {'telephony_call': line})

    def _telephony_lines(self):
        """{message: the call that it tells of, as `telephony.call._chatter_lines` gives it}, for
        those that tell of one"""
        # sudo: whoever reads the message may know of the call what it tells
        bearers = self.sudo().filtered(
            lambda message: message.message_type == 'notification' and message.model in BEARERS
        )
        if not bearers:
            return {}
        calls = self.env['telephony.call'].sudo().search([('message_id', 'in', bearers.ids)])
        lines = calls.with_env(self.env)._chatter_lines()
        return {call.message_id.with_env(self.env): line for call, line in lines.items()}

    def _message_fetch(self, domain, *, thread=None, search_term=None, **kwargs):
        """A contact's chatter tells the calls about its deals too, each with the deal on whose
        chatter it stands: so nobody who opens the contact thinks that nothing was said. Those of
        deals that the user does not read are left out."""
        if thread is None or thread._name != 'res.partner' or search_term:
            return super()._message_fetch(domain, thread=thread, search_term=search_term, **kwargs)
        # sudo: messages have their own rights, which the search below heeds
        calls = (
            self.env['telephony.call']
            .sudo()
            ._search([('partner_id', '=', thread.id), ('lead_id', '!=', False)])
        )
        own = Domain('res_id', '=', thread.id) & Domain('model', '=', thread._name)
        domain = (
            Domain(True if domain is None else domain)
            & Domain('message_type', '!=', 'user_notification')
            & (own | Domain('id', 'in', calls.subselect('message_id')))
        )
        return super()._message_fetch(domain, search_term=search_term, **kwargs)
