from odoo import models
from odoo.exceptions import AccessError

from ...tools.words import _lt


class MailActivity(models.Model):
    """A callback's activity is the callback: what is done with the one happens to the other."""

    _inherit = 'mail.activity'

    def write(self, vals):
        if moves := bool({'date_deadline', 'user_id'} & set(vals)):
            self._check_callbacks()
        result = super().write(vals)
        if moves:
            self._open_callbacks()._follow_activity()
        return result

    def _action_done(self, feedback=False, attachment_ids=None):
        if self.env.context.get('telephony_callback_is_closed'):  # by the callback itself
            return super()._action_done(feedback=feedback, attachment_ids=attachment_ids)
        self._check_callbacks()
        callbacks = self._open_callbacks()
        result = super()._action_done(feedback=feedback, attachment_ids=attachment_ids)
        for callback in callbacks:
            reason = feedback or _lt(
                "The activity was marked done by %(user)s", user=self.env.user.name
            )
            callback._close('done', reason, user=self.env.user)
        return result

    def action_cancel(self):
        self._cancel_callbacks()
        # closing takes the activity away with it
        return super(MailActivity, self.exists()).action_cancel()

    def unlink(self):
        """Odoo's own Cancel buttons delete the activity: by a person this cancels the callback.
        What goes with a deleted deal is no decision about the customer, see
        `_plan_lost_activities`."""
        if not self.env.su:
            self._cancel_callbacks()
        return super(MailActivity, self.exists()).unlink()

    def _cancel_callbacks(self):
        if callbacks := self._open_callbacks():
            self.check_access('unlink')
            self._check_callbacks()
            callbacks._close(
                'cancelled', _lt("The activity was cancelled by %(user)s", user=self.env.user.name)
            )

    def _check_callbacks(self):
        """A contact is everybody's, a colleague's promise to it is not: whoever could not change
        the callback cannot do it by its activity either, but for who manages sales.

        :raise AccessError: it is a colleague's callback
        """
        user = self.env.user
        if self.env.su or user.has_group('sales_team.group_sale_manager'):
            return
        self.check_access('read')
        for callback in self._open_callbacks():
            own = callback.sudo(False).with_context(
                allowed_company_ids=list(user._get_company_ids())
            )
            if callback.user_id not in (user, user.browse()) and not own.has_access('write'):
                raise AccessError(
                    self.env._(
                        "This callback is the business of %(user)s.", user=callback.user_id.name
                    )
                )

    def _on_called(self):
        """The company is the callback's, whosever its customer is."""
        return self._open_callbacks()[:1] or super()._on_called()

    def _open_callbacks(self):
        return (
            self.env['telephony.callback']
            .sudo()
            .search([('activity_id', 'in', self.ids), ('state', '=', 'open')])
        )
