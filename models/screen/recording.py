from odoo import fields, models


class TelephonyRecording(models.Model):
    """Puts a recording on the card of a call that has just ended, as soon as it can be heard."""

    _inherit = 'telephony.recording'

    def _after_located(self):
        super()._after_located()
        self._show_on_cards()

    def _after_stored(self):
        super()._after_stored()
        self._show_on_cards()

    def _show_on_cards(self):
        now = fields.Datetime.now()
        if calls := self.call_id.filtered(lambda call: call._is_current(now)):
            calls._announce({})
