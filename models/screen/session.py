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
        """What the web client knows of the user from the start:
        ``{'can_call': bool, 'pop': bool, 'sound': bool, 'dnd': bool, 'tab': 'stay'|'current'|'new',
        'debts': {'open': int, 'late': int}}``; False for who has nothing to do with telephony."""
        self.ensure_one()
        if not self._is_telephonist():
            return False
        return {
            'can_call': self._telephony_can_call(),
            **self._telephony_preferences(),
            'debts': self.env['telephony.callback']._count_mine(),
        }
