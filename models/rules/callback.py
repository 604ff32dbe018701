from odoo import api, models


class TelephonyCallback(models.Model):
    """What the rules know of callbacks: their effects tell which losses have joined one."""

    _inherit = 'telephony.callback'

    def _before_absorbed(self, older):
        super()._before_absorbed(older)
        self.env['telephony.effect'].search([('callback_id', '=', older.id)]).callback_id = self

    def _on_losses_asked(self):
        effects = self.env['telephony.effect'].search(
            [('callback_id', '=', self.id), ('kind', '=', 'callback'), ('state', '=', 'done')]
        )
        return effects.call_id

    @api.model
    def _on_reviewed(self, call):
        """A rule that was switched off since does not take the callback back."""
        rules = call.effect_ids.filtered(lambda effect: effect.kind == 'callback').rule_id
        return not rules or any(rule._fits_outcome(call) for rule in rules)
