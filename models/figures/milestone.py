from odoo import api, fields, models
from odoo.exceptions import UserError

from ...tools.periods import around
from .metric import ANSWERED, CALLERS_TRYING, OUTBOUND
from .report import filtered, told_period

# More weeks would compare seasons.
MOST_WEEKS = 8
# What of the figures of a period is compared.
COMPARED = ('period', 'counts', 'shares', 'times', 'callers')


class TelephonyMilestone(models.Model):
    """A day on which something changed: more lines, a new queue, a training. Charts show it, so that
    people see what came after."""

    _name = 'telephony.milestone'
    _description = "Milestone of the telephony"
    _order = 'day desc, id desc'

    name = fields.Char(string="What Changed", required=True)
    day = fields.Date(required=True, default=fields.Date.context_today)
    company_id = fields.Many2one(
        'res.company', required=True, index=True, default=lambda self: self.env.company
    )

    def action_compare(self):
        """Open the figures before and after the milestone."""
        self.ensure_one()
        action = self.env['ir.actions.actions']._for_xml_id('crm_telephony.telephony_report_action')
        return {**action, 'params': {'tab': 'milestones', 'milestone': self.id}}


class TelephonyReport(models.AbstractModel):
    """The same figures before and after a milestone. They say what has changed since, never that it
    changed because of it."""

    _inherit = 'telephony.report'

    @api.model
    @api.readonly
    def get_around(self, milestone_id=False, weeks=4, filters=None):
        """Return the figures of so many weeks before a milestone and after it, for supervisors, of the
        milestone's company. While the weeks after it are not over, both sides are counted for the same
        time.

        :param milestone_id: False for the latest whose first week is over, else the latest
        :return: dict of `milestones` (a list of {id, name, day}), `milestone` (its id), `weeks`,
            `period` (from the first day before to the last one after), `before` and `after`: each
            what :meth:`_side` tells, None before the first week after the milestone is over,
            `open_days`: how many days after it are still to come, `won_days`: for so long a deal may
            be won after the first call, and `won_open_days`: how many of these are still to come for
            the latest calls
        :raise AccessError: the reader is no supervisor
        :raise UserError: the milestone is gone, or the weeks or a filter cannot be read
        """
        self._check_supervisor()
        if weeks not in range(1, MOST_WEEKS + 1):
            raise UserError(
                self.env._("Choose 1 to %(most)s weeks to be compared.", most=MOST_WEEKS)
            )
        milestones = self.env['telephony.milestone'].search(
            [('company_id', 'in', self.env.companies.ids)]
        )
        answer = {
            'weeks': weeks,
            'milestones': [
                {'id': milestone.id, 'name': milestone.name, 'day': milestone.day.isoformat()}
                for milestone in milestones
            ],
        }
        milestone = self._chosen_milestone(milestones, milestone_id)
        if not milestone:
            return {**answer, 'milestone': False, 'period': None, 'before': None, 'after': None}
        report = self.with_context(allowed_company_ids=milestone.company_id.ids)
        return {
            **answer,
            'milestone': milestone.id,
            **report._around(milestone.day, weeks, filters),
        }

    def _chosen_milestone(self, milestones, milestone_id):
        """:raise UserError: it is gone"""
        if milestone_id:
            chosen = milestones.filtered(lambda milestone: milestone.id == milestone_id)
            if not chosen:
                raise UserError(
                    self.env._("This milestone is not there any more. Choose another one.")
                )
            return chosen
        today = self._today()
        told = milestones.filtered(lambda milestone: around(milestone.day, 1)[1].first < today)
        return (told or milestones)[:1]

    def _around(self, day, weeks, filters):
        before, after = around(day, weeks)
        today = self._today()
        now = fields.Datetime.now()
        company = self.env.company
        cuts = self._cuts(before._replace(last=after.last))
        has_begun = after.first < today
        return {
            'period': told_period(before._replace(last=after.last), cuts),
            'before': self._side(before, filters, now - (after.first - before.first))
            if has_begun
            else None,
            'after': self._side(after, filters, now) if has_begun else None,
            'begins': after.first.isoformat(),
            'open_days': max(0, (after.last - today).days + 1),
            'won_days': company.telephony_won_days,
            'won_open_days': self._won_open_days(after),
        }

    def _side(self, span, filters, until):
        """Return the figures of one side of a milestone: :data:`COMPARED`, `people` who took or placed
        calls, `lines`: the most calls at once on one PBX, and `won`: {n, d}, the first calls whose deal
        was won in time.

        :param datetime until: naive UTC; later calls are left out
        """
        scope = self._scope(
            {'first': span.first.isoformat(), 'last': span.last.isoformat()}, filters, until=until
        )
        _span, cuts, base = scope
        figures = self._figures(scope)
        [[people]] = self._select(
            base, filtered("COUNT(DISTINCT %s)", ANSWERED | OUTBOUND, 'user_id')
        )
        fruits = self._fruits(base & CALLERS_TRYING, 'source_id')
        return {
            **{name: figures[name] for name in COMPARED},
            'people': people,
            'lines': max((account['most'] for account in self._concurrency(scope)), default=0),
            'won': {
                'n': sum(won for won, _revenue, _visits in fruits.values()),
                'd': figures['counts']['first_calls']['value'],
            },
        }
