from statistics import median

from odoo import api, models
from odoo.fields import Domain

from ..callbacks.board import TALKED

# With fewer people the median would tell what one colleague did.
LEAST_TEAM = 5
# What of a colleague's figures goes into the team's median.
COMPARED = ('rang', 'picked_up', 'contacts', 'attempts')


class TelephonyReport(models.AbstractModel):
    """A salesperson's own page: their figures, and of the team no more than its median."""

    _inherit = 'telephony.report'

    @api.model
    @api.readonly
    def get_mine(self, period='this_week'):
        """Return the reader's own figures.

        :return: dict of `period`, `mine` (see :meth:`_people`), `unproved`, `callbacks`, `best_hours` (see
            :meth:`_own_best_hours`) and `team`: the medians of the reader's team, None for a team of
            fewer than five
        """
        span, _cuts, base = self._scope(period, None)
        user = self.env.user
        [mine] = self._people(base, user) or [self._with_domains(base, user, None, None)]
        unproved = self._claims_domain(period, user) & Domain('telephony_evidence', '=', 'none')
        activities = self.env['mail.activity'].with_context(active_test=False)
        return {
            'period': {'first': span.first.isoformat(), 'last': span.last.isoformat()},
            'mine': mine,
            'unproved': {
                'value': activities.search_count(unproved),
                'domain': list(unproved),
            },
            'callbacks': self._own_callbacks(base),
            'best_hours': self._own_best_hours(),
            'team': self.sudo()._team_medians(base, user),
        }

    def _own_callbacks(self, base):
        """Return the reader's callbacks: open now, late, and those of the period that were made
        good."""
        Callback = self.env['telephony.callback']
        own = Domain('user_id', '=', self.env.uid)
        opened = own & Domain('origin_call_id', 'any', base)
        good = opened & Domain('close_kind', 'in', TALKED)
        figures = {}
        for name, domain in (
            ('open', own & Domain('state', '=', 'open')),
            ('late', own & Domain('is_late', '=', True)),
            ('opened', opened),
            ('made_good', good),
        ):
            figures[name] = {'value': Callback.search_count(domain), 'domain': list(domain)}
        minutes = [callback.served_minutes for callback in Callback.search(good)]
        return {**figures, 'served_median': median(minutes) if minutes else None}

    def _team_medians(self, base, user):
        """Return the medians of the user's team (sudo: only these leave it)."""
        team = user.sale_team_id
        members = team.member_ids.filtered('active')
        if len(members) < LEAST_TEAM or user not in members:
            return None
        by_user = {row['user_id']: row for row in self._people(base, members)}
        return {
            name: median(
                by_user[member.id][name]['value'] if member.id in by_user else 0
                for member in members
            )
            for name in COMPARED
        }
