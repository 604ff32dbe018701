from odoo import models, tools


class IrHttp(models.AbstractModel):
    _inherit = 'ir.http'

    def session_info(self):
        """Say whether the user has a browser phone. What it needs comes when a browser claims it."""
        info = super().session_info()
        if info['telephony']:
            info['telephony']['softphone'] = self.env.user._telephony_has_softphone()
        return info


class ResUsers(models.Model):
    _inherit = 'res.users'

    @tools.ormcache('self.id')
    def _telephony_has_softphone(self):
        """Return whether the user has a browser phone. Cached as :meth:`_telephony_can_call` is."""
        return bool(self.env['telephony.extension'].with_user(self)._my_softphone())
