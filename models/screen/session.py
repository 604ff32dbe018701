from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = 'ir.http'

    def session_info(self):
        return {
            **super().session_info(),
            'telephony': self.env.user._telephony_session(),
        }


class ResUsers(models.Model):
    _inherit = 'res.users'

    def _telephony_session(self):
        """Return what the web client knows of the user from the start:
        ``{'can_call': bool, 'pop': bool, 'sound': bool, 'dnd': bool, 'tab': 'stay'|'current'|'new',
        'callbacks': {'open': int, 'late': int}}``; False for a user without rights on telephony."""
        self.ensure_one()
        if not self._is_telephonist():
            return False
        return {
            'can_call': self._telephony_can_call(),
            **self._telephony_preferences(),
            'callbacks': self.env['telephony.callback']._count_mine(),
        }
