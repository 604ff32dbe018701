from odoo import models

from ...tools.words import _lt


class TelephonyDecision(models.Model):
    """Whom nobody is to call is not called back."""

    _inherit = 'telephony.decision'

    def _after_ignored(self):
        super()._after_ignored()
        for company, ignored in self.grouped('company_id').items():
            self.env['telephony.callback'].sudo().search(
                [
                    ('company_id', '=', company.id),
                    ('customer_number', 'in', ignored.mapped('number')),
                    ('state', '=', 'open'),
                ]
            )._close(
                'cancelled',
                _lt("The number was set to be ignored by %(user)s", user=self.env.user.name),
            )

    def _after_ignoring_ended(self):
        """The callback that was cancelled because the number was ignored is due again."""
        super()._after_ignoring_ended()
        callback = (
            self.env['telephony.callback']
            .sudo()
            .search(
                [
                    ('company_id', '=', self.company_id.id),
                    ('customer_number', '=', self.number),
                ],
                order='id desc',
                limit=1,
            )
        )
        if callback.state == 'cancelled' and callback.done_at >= self.write_date.replace(
            microsecond=0
        ):
            self.env['telephony.callback.act']._note(callback, 'reopened', self.env.user)
            callback.write(
                {'state': 'open', 'close_reason': False, 'close_kind': False, 'done_at': False}
            )
            callback._plan_activity()
