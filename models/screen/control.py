from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ...providers.capabilities import HangsUp


class TelephonyCall(models.Model):
    """Ends and passes on running calls from Odoo, as far as their PBX can do it."""

    _inherit = 'telephony.call'

    can_hang_up = fields.Boolean(compute='_compute_controls')
    can_transfer = fields.Boolean(compute='_compute_controls')

    @api.depends('state', 'leg_ids.answered_at', 'leg_ids.ended_at')
    @api.depends_context('uid')
    def _compute_controls(self):
        for call in self:
            controls = call._controls()
            call.can_hang_up = controls['hang_up']
            call.can_transfer = bool(controls['transfer'])

    def _controls(self):
        """Return what the user can do with this call now: ``{'hang_up': bool, 'transfer': ['blind',
        'attended']}``. What its PBX cannot do is missing."""
        self.ensure_one()
        call = self.sudo()
        account = call.account_id
        if call.state == 'ended' or not account or not self._is_controlled_by(self.env.user):
            return {'hang_up': False, 'transfer': []}
        return {
            'hang_up': account._is_ready(HangsUp),
            'transfer': account._transfer_kinds() if call.state == 'in_progress' else [],
        }

    def _is_controlled_by(self, user):
        """Return whether the user may end and pass on the call: they talk, have dialled, theirs is
        the only phone that rings, or they are a supervisor. A member of a group whose phones ring,
        at once or in turn, may not, because a colleague may still take the call."""
        call = self.sudo()
        if user.has_group('crm_telephony.group_supervisor'):
            return call.company_id.id in user._get_company_ids()
        own = set(
            user._telephony_phones()
            .filtered(lambda phone: phone.account_id == call.account_id)
            .mapped('number')
        )
        placed = call.user_id == user or call.extension in own
        running = call.leg_ids._running()
        if call.state == 'in_progress':
            talking = running.filtered('answered_at')
            return (
                any(leg.user_id == user or leg.extension in own for leg in talking)
                if talking
                else placed
            )
        if call.direction == 'outbound':
            return placed
        return (
            not call.queue
            and not call.number_id.team_id
            and bool(running)
            and all(leg.user_id == user or leg.extension in own for leg in running)
        )

    def _check_control(self):
        """Check that the user can control this call.

        :raise AccessError: it is not the user's call
        :raise UserError: it is over, or was logged by hand
        """
        self.ensure_one()
        if self.sudo().state == 'ended':
            raise UserError(self.env._("This call is over."))
        if not self._is_controlled_by(self.env.user):
            raise AccessError(self.env._("You can end or transfer only your own calls."))
        if not self.sudo().account_id:
            raise UserError(self.env._("This call was logged by hand, so it cannot be controlled."))

    def action_hang_up(self):
        """End the call for everybody in it. After *Ask First*, only the user leaves, which passes
        the call on."""
        self._check_control()
        self.sudo().account_id._hang_up(self)
        return self._done(self.env._("Hanging up…"))

    def action_transfer(self):
        """Open the dialog that asks for the colleague to whom the call is passed on."""
        self._check_control()
        return {
            'type': 'ir.actions.client',
            'tag': 'crm_telephony.transfer',
            'params': {'call_id': self.id},
        }

    def get_colleagues(self):
        """Return to whom this call can be passed on, and how.

        :return: ``{'kinds': ['blind', 'attended'], 'colleagues': [{'id': extension, 'number',
            'name', 'user_id' or False, 'state': 'free' | 'ringing' | 'talking' | 'away'}]}``, free
            colleagues first; away: not at work
        """
        self._check_control()
        account = self.sudo().account_id
        return {
            'kinds': account._transfer_kinds(),
            'colleagues': self._colleagues(
                account.extension_ids - self.env.user._telephony_phones()
            ),
        }

    def _colleagues(self, phones):
        """Return what the phones do now, free ones first, without those that talk in this call; a
        list of dicts, see :meth:`get_colleagues`.

        :param phones: telephony.extension of one PBX
        """
        states = phones.account_id._phone_states() if phones else {}
        users = phones.user_id | phones.also_user_ids
        away = users - users._telephony_at_work()
        talking, order = self._talking_phones(), ('free', 'ringing', 'talking', 'away')
        return sorted(
            (
                {
                    'id': phone.id,
                    'number': phone.number,
                    'name': phone.user_id.name or phone.number,
                    'user_id': phone.user_id.id,
                    'state': states.get(phone.number)
                    or (
                        'away' if phone.user_id in away and phone.also_user_ids <= away else 'free'
                    ),
                }
                for phone in phones
                if phone.number not in talking
            ),
            key=lambda colleague: (
                order.index(colleague['state']),
                not colleague['user_id'],
                colleague['name'],
            ),
        )

    def _talking_phones(self):
        return set(self.sudo().leg_ids._running().filtered('answered_at').mapped('extension'))

    def transfer(self, extension_id, attended=False):
        """Pass the call on to a colleague's phone.

        :param int extension_id: id of the phone, a telephony.extension
        :param bool attended: the colleague is asked first
        :return: a client action that tells what happens
        :raise UserError: the call cannot be passed on to this phone, with the reason
        """
        self._check_control()
        account = self.sudo().account_id
        phone = account.extension_ids.filtered(lambda phone: phone.id == extension_id)
        if not phone:
            raise UserError(
                self.env._(
                    "This phone does not belong to %(pbx)s. Choose a phone from the list.",
                    pbx=account.name,
                )
            )
        if self.sudo().state != 'in_progress':
            raise UserError(
                self.env._("This call is not answered yet. It can be passed on after the answer.")
            )
        if attended and 'attended' not in account._transfer_kinds():
            raise UserError(
                self.env._(
                    "%(pbx)s cannot ask a colleague before it passes a call on.", pbx=account.name
                )
            )
        account._transfer(self, phone, attended)
        who = phone.user_id.name or phone.number
        return self._done(
            self.env._(
                "%(user)s is called. Say who it is, then put down your phone: that passes the call on.",
                user=who,
            )
            if attended
            else self.env._("The call goes to %(user)s.", user=who)
        )

    def _done(self, message):
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {'message': message, 'type': 'info'},
        }
