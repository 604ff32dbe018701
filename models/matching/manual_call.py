from odoo import api, fields, models
from odoo.exceptions import AccessError

from ...tools.words import _lt


class TelephonyCall(models.Model):
    """Calls that no PBX has told of, such as those of a private mobile: logged by hand, and counted
    like any other."""

    _inherit = 'telephony.call'

    is_manual = fields.Boolean(
        string="By Hand", readonly=True, help="Logged by hand: no PBX has told of this call."
    )
    can_correct = fields.Boolean(compute='_compute_can_correct')

    @api.depends('is_manual', 'create_uid')
    @api.depends_context('uid')
    def _compute_can_correct(self):
        for call in self:
            call.can_correct = call.is_manual and call.create_uid == self.env.user

    def _before_written_by_user(self, vals):
        super()._before_written_by_user(vals)
        if 'note' in vals:
            self._check_author()

    def _check_author(self):
        """:raise AccessError: one of the calls was logged by hand by somebody else"""
        if foreign := self.sudo().filtered(lambda call: call.is_manual and not call.can_correct):
            raise AccessError(
                self.env._(
                    "Only %(user)s, who logged this call, can correct it.",
                    user=foreign[0].create_uid.name,
                )
            )

    def _check_correctable(self):
        """:raise AccessError: the call comes from a PBX, or was logged by somebody else"""
        self.ensure_one()
        self._check_author()
        if not self.sudo().is_manual:
            raise AccessError(
                self.env._(
                    "This call comes from the PBX and cannot be edited. Only calls that were logged by hand can."
                )
            )

    def action_correct(self):
        """Open the dialog that corrects a call that was logged by hand."""
        self._check_correctable()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_manual_call_action'
        )
        return {
            **action,
            'name': self.env._("Correct the Call"),
            'context': {'default_call_id': self.id},
        }

    @api.model
    def _log_by_hand(self, company, values):
        """Create an ended call of the current user, and return it.

        :param dict values: field values, at least direction, start_at, outcome and customer_number;
            with the contact or deal that the user has chosen, else the matcher looks
        """
        self._before_by_hand(company, values)
        values = {
            **values,
            'company_id': company.id,
            'is_manual': True,
            'state': 'ended',
            'user_id': self.env.uid,
        }
        if values.get('partner_id') or values.get('lead_id'):
            values.update(
                match_state='manual',
                match_reason=_lt("Logged by hand by %(user)s", user=self.env.user.name),
            )
        else:
            self.sudo()._add_matches(company, {'': values}, {}, {'': self.env.uid})
        call = self.sudo().create(values)
        call._recount_customers()
        self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()
        return call.sudo(False)

    def _correct(self, values):
        """Change a call that was logged by hand, and bring up to date what follows from it."""
        self._check_correctable()
        call, before = self.sudo(), self.sudo().customer_number
        self._before_by_hand(call.company_id, values)
        with call._moving_along():
            call._write_changes({**values, 'state': 'ended'})
        call._recount_numbers(call.company_id, {before, call.customer_number})
        self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()

    # === HOOKS OF LATER STAGES === #

    def _before_by_hand(self, company, values):
        """Check what a person is about to log by hand, or to correct of these calls.

        :param dict values: field values, at least `customer_number` and `start_at`
        :raise UserError: it must not be logged
        """
