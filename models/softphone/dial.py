from odoo import api, fields, models


class TelephonyDial(models.Model):
    """Calls that the user's browser places itself, because it is the phone: no second phone rings.

    The web client sends `telephony_browser` in its context while it is the phone, as it sends the
    language: so every button that calls knows it.
    """

    _inherit = 'telephony.dial'

    @api.model
    def _on_own_browser(self):
        browser = self.env.context.get('telephony_browser')
        if not browser:
            return super()._on_own_browser()
        lease = (
            self.env['telephony.softphone']
            .sudo()
            .search(
                [
                    ('browser', '=', str(browser)),
                    ('user_id', '=', self.env.uid),
                    ('until', '>', fields.Datetime.now()),
                ],
                limit=1,
            )
        )
        phone = lease.extension_id
        is_theirs = phone.softphone and phone.user_id == self.env.user and phone.account_id.active
        return phone if is_theirs else phone.browse()
