from odoo import models


class TelephonyMatchedMixin(models.AbstractModel):
    """Records to which calls belong: contacts and deals."""

    _name = 'telephony.matched.mixin'
    _description = "Record to which calls belong"

    def unlink(self):
        """Calls outlive their contact and deal, and are looked up again."""
        field = self._fields['telephony_call_ids'].inverse_name
        calls = self.env['telephony.call'].sudo().search([(field, 'in', self.ids)])
        decisions = self.env['telephony.decision'].sudo().search([(field, 'in', self.ids)])
        result = super().unlink()
        decisions.filtered(
            lambda decision: decision.kind == 'contact'
            and not decision.partner_id
            and not decision.lead_id
        ).unlink()
        calls.exists()._lose_place()
        return result
