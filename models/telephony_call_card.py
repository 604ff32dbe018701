from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

# What a call is for one of us, the most telling first: who talks on one of his phones is not told that another rings.
PHASES = ('talking', 'ringing', 'ended', 'lost', 'gone')
# A call that goes on longer than this (hours) has lost its end.
LIVE_HOURS = 4
# A call that we first hear of after its end is shown when it ended so recently (seconds): its result can be noted.
LATE_SECONDS = 120
CALL_MESSAGE, LIVE_MESSAGE = 'crm_telephony.call', 'crm_telephony.live'


class View(NamedTuple):
    """A call as one user has it: `phase` (of PHASES), when that began (naive UTC, or False), on which phone.

    ringing: at his phone, or he dials; talking; ended: he has talked, or dialled in vain; lost: it rang at his phone and
    nobody took it; gone: somebody else has it.
    """
    phase: str
    since: object
    extension: str


class TelephonyCall(models.Model):
    """The call on the screen: who is told of it, and what the card shows."""
    _inherit = 'telephony.call'

    # === WHO SEES IT === #

    def _views(self):
        """Users whom this call concerns → :class:`View`. Internal calls concern nobody's customers.

        Where the PBX tells only a queue or our number, and no phone, the group is the number's team, else the team called
        like the queue, as far as its members have phones of this PBX; else the number's responsible.
        """
        self.ensure_one()
        views = {}
        if self.direction == 'internal':
            return views
        phones = self.account_id.extension_ids._users_by_number()
        for leg in self.leg_ids:
            view = self._view_of_leg(leg)
            for user in phones.get(leg.extension, leg.user_id):
                self._add_view(views, user, view)
        if self.direction == 'outbound' and self.user_id and self.user_id not in views:
            phase = {'ringing': 'ringing', 'in_progress': 'talking', 'ended': 'ended'}[self.state]
            self._add_view(views, self.user_id, View(phase, self.answered_at or self.start_at, self.extension))
        if self.direction == 'inbound' and all(leg.outcome == 'answered' or leg.answered_at for leg in self.leg_ids):
            phase = 'ringing' if self.state == 'ringing' else 'lost' if self._is_lost() else 'gone'
            for user in self._group_users(phones):
                self._add_view(views, user, View(phase, self.start_at, ''))
        return views

    def _view_of_leg(self, leg):
        taken = leg.answered_at or leg.outcome == 'answered'
        if self.state == 'ended':
            phase = 'ended' if taken else 'lost' if self._is_lost() else 'gone'
        elif taken:
            phase = 'ended' if leg.ended_at else 'talking'
        else:
            phase = 'gone' if leg.outcome or leg.ended_at else 'ringing'
        return View(phase, leg.answered_at or leg.start_at or self.start_at, leg.extension)

    def _is_lost(self):
        return self.state == 'ended' and self.outcome != 'answered'

    @api.model
    def _add_view(self, views, user, view):
        if user not in views or PHASES.index(view.phase) < PHASES.index(views[user].phase):
            views[user] = view

    def _group_users(self, phones):
        number = self.number_id
        team = number.team_id or (self.queue and self.env['crm.team'].search([
            ('name', '=ilike', self.queue.replace('%', r'\%').replace('_', r'\_')),
            ('company_id', 'in', [False, self.company_id.id])], limit=1))
        if team:
            return team.member_ids & self.env['res.users'].union(*phones.values())
        return number.user_id

    # === TELLING THEM === #

    def _announce(self, shown):
        """Tell each user what these calls are for him now, and supervisors that something has changed. Goes out when the
        transaction commits.

        :param shown: calls that were going on before: they may stand on a screen
        """
        now = fields.Datetime.now()
        bus = self.env['bus.bus']
        for call in self:
            if call not in shown and not call._is_current(now):
                continue
            for user, view in call._views().items():
                if (view.phase != 'gone' or call in shown) and call._is_told(user):
                    bus._sendone(user.partner_id, CALL_MESSAGE, call._message(view, now))
        group = self.env.ref('crm_telephony.group_supervisor')
        for company in self.company_id:
            bus._sendone(group, LIVE_MESSAGE, {'company_id': company.id})

    def _is_current(self, now):
        if self.state == 'ended':
            return bool(self.ended_at) and self.outcome == 'answered' and now - self.ended_at < timedelta(seconds=LATE_SECONDS)
        return not self.start_at or now - self.start_at < timedelta(hours=LIVE_HOURS)

    def _is_told(self, user):
        """An employee who may use telephony, works for this company and wants to be told."""
        return user.active and self.company_id.id in user._get_company_ids() and user.has_group('crm_telephony.group_user')

    def _message(self, view, now):
        """What goes over the bus: no name of a customer, for reading that is the card's business and under the user's own
        rights. `seconds` is the age of the phase, so that no clock of a browser matters."""
        message = {'id': self.id, 'phase': view.phase}
        if view.phase == 'gone':
            return {**message, 'by': self.user_id.name or ''}
        return {
            **message,
            'direction': self.direction,
            'number': self.customer_number or (self.caller_number if self.direction == 'inbound' else self.called_number) or '',
            'extension': view.extension or '',
            'outcome': self.outcome or '',
            'seconds': max(int((now - view.since).total_seconds()), 0) if view.since else 0,
            'talk_seconds': self.talk_seconds or 0,
        }

    # === WHAT THE BROWSER ASKS === #

    @api.model
    def ringing_now(self):
        """The calls that ring at or are talked on the user's phones, for a page that was opened or connected again."""
        user, now = self.env.user, fields.Datetime.now()
        if not user.has_group('crm_telephony.group_user'):
            return []
        calls = self.sudo().search(
            Domain('state', '!=', 'ended') & Domain('start_at', '>', now - timedelta(hours=LIVE_HOURS))
            & Domain('company_id', 'in', user._get_company_ids()) & Domain('direction', '!=', 'internal'))
        answer = []
        for call in calls:
            view = call._views().get(user)
            if view and view.phase in ('ringing', 'talking') and call._is_told(user):
                answer.append(call._message(view, now))
        return answer

    def _check_mine(self):
        """Whose phone rings may see the call, whatever the rules say of calls in general.

        :raise AccessError: the call is none of the user's business
        """
        self.ensure_one()
        if not self.has_access('read') and self.env.user not in self.sudo()._views():
            raise AccessError(self.env._("This call is not yours."))

    def get_card(self):
        """What the card of this call shows, read under the user's own rights; False when the call is gone."""
        if not self.exists():
            return False
        self._check_mine()
        call = self.sudo()
        return {'id': self.id, 'who': call.who, 'partner': False, 'leads': []}
