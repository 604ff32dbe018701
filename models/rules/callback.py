from odoo import api, models
from odoo.tools import SQL

from ..callbacks import ledger
from ..callbacks.book import Written
from .rule_action import CALLBACK_KINDS


class TelephonyCallback(models.Model):
    """What the rules know of callbacks: their effects are the promises that were made."""

    _inherit = 'telephony.callback'

    @api.model
    def _on_promises_asked(self, call_ids):
        """A promise that turned out to be none has no time."""
        effects = self.env['telephony.effect'].search(
            [
                ('call_id', 'in', call_ids),
                ('kind', 'in', CALLBACK_KINDS),
                ('due_at', '!=', False),
                ('state', '!=', 'error'),
            ],
            order='id',
        )
        return {
            **super()._on_promises_asked(call_ids),
            **{
                effect.call_id.id: Written(
                    ledger.Promise(
                        effect.kind,
                        effect.due_at,
                        effect.priority or effect.action_id.priority or '0',
                        rule=effect.rule_id.id,
                    ),
                    effect.attempt or None,
                    effect.callback_id.id or None,
                )
                for effect in effects
            },
        }

    def _on_begins_asked(self):
        """Losses join a callback that an earlier call has opened, or take over one."""
        self.env['telephony.effect'].flush_model()
        rows = (
            self.env.execute_query(
                SQL(
                    """ SELECT effect.callback_id, MIN(COALESCE(call.ended_at, call.start_at))
                      FROM telephony_effect AS effect
                      JOIN telephony_call AS call ON call.id = effect.call_id
                     WHERE effect.callback_id IN %s AND effect.kind = 'callback'
                  GROUP BY effect.callback_id """,
                    tuple(self.ids),
                )
            )
            if self
            else ()
        )
        return {**super()._on_begins_asked(), **dict(rows)}

    @api.model
    def _on_joined(self, callbacks):
        super()._on_joined(callbacks)
        effects = self.env['telephony.effect'].search(
            [('call_id', 'in', list(callbacks)), ('kind', '=', 'callback')]
        )
        for effect in effects:
            effect.callback_id = callbacks[effect.call_id.id]

    @api.model
    def _own_of(self, call):
        """The callback that this call opened or joined."""
        callback = (
            call.callback_id
            or call.effect_ids.filtered(
                lambda effect: effect.kind == 'callback' and effect.state == 'done'
            ).callback_id[:1]
        )
        return callback.filtered(lambda callback: callback.customer_number == call.customer_number)
