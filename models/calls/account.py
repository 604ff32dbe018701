from odoo import models
from odoo.fields import Domain

from ...providers.capabilities import HangsUp, Transfers


class TelephonyAccount(models.Model):
    """What a PBX can be told about its running calls."""

    _inherit = 'telephony.account'

    def action_view_calls(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_call_action'
        )
        action['domain'] = [('account_id', '=', self.id)]
        action['context'] = {}
        return action

    def _hang_up(self, call):
        phone = self.env.user._telephony_phones().filtered(lambda one: one.account_id == self)[:1]
        return self._command(HangsUp, self._command_ref(call), phone.number or '')

    def _transfer(self, call, extension, attended=False):
        return self._command(Transfers, self._command_ref(call), extension.number, attended)

    def _phone_states(self):
        """Phone → 'talking' or 'ringing', of the phones of this PBX that are not free."""
        self.ensure_one()
        calls = self.env['telephony.call'].sudo()
        calls = calls.search(calls._live_domain() & Domain('account_id', '=', self.id))
        states = {}
        for call in calls:
            legs = call.leg_ids._running()
            phones = {leg.extension: leg.answered_at for leg in legs}
            if call.direction != 'inbound' and call.extension and not legs.filtered('answered_at'):
                phones[call.extension] = call.answered_at
            for phone, talks in phones.items():
                if talks or phone not in states:
                    states[phone] = 'talking' if talks else 'ringing'
        return states

    def _command_ref(self, call):
        """What the PBX's commands call this running call."""
        stored = self.env['telephony.event'].sudo()._stored(call.sudo().event_ids.sorted('id'))
        return self._adapter().command_ref(stored, self._settings()) or call.external_id
