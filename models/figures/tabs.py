from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .metric import CALLERS_TRYING, OFFERED, OUTBOUND, OUTSIDE
from .report import told_period


class TelephonyReport(models.AbstractModel):
    """The tabs of the figures beside the overview. One question brings all that a tab shows."""

    _inherit = 'telephony.report'

    # Name of a tab → method that gets the period, the filters and by what sources are told.
    _TABS = {
        'people': '_people_tab',
        'sources': '_sources_tab',
        'lines': '_lines_tab',
        'claims': '_claims_tab',
    }

    @api.model
    @api.readonly
    def get_tab(self, tab, period='days_30', filters=None, by='source'):
        """Return what a tab shows, for supervisors.

        :param str tab: a key of :attr:`_TABS`
        :param str by: see :meth:`get_sources`
        :return: dict of `period`, as :meth:`get_board` tells it, and what the tab's method adds
        :raise AccessError: the reader is no supervisor
        :raise UserError: the tab, the period or a filter cannot be read
        """
        self._check_supervisor()
        if tab not in self._TABS:
            raise UserError(self.env._("There is no tab %(name)s.", name=tab))
        span, cuts, _base = self._scope(period, filters)
        return {
            **getattr(self, self._TABS[tab])(period, filters, by),
            'period': told_period(span, cuts),
        }

    def _people_tab(self, period, filters, _by):
        """:return: dict of `people`, and the domains of `phones` (legs) and `calls` of all of them"""
        _span, _cuts, base = self._scope(period, filters)
        return {
            'people': self.get_people(period, filters),
            'phones': list(
                Domain('call_id', 'any', base & OFFERED) & Domain('user_id', '!=', False)
            ),
            'calls': list(base & OUTSIDE & Domain('user_id', '!=', False)),
        }

    def _sources_tab(self, period, filters, by):
        """:return: dict of `sources`, `calls`: the domain of the calls, `currency_id`, `won_days`: for so
        long a deal may be won after the first call, and `open_days`: how many of these are still to
        come for the latest calls"""
        company = self.env.company
        span, _cuts, base = self._scope(period, filters)
        return {
            'sources': self.get_sources(period, filters, by),
            'calls': list(base & CALLERS_TRYING),
            'currency_id': company.currency_id.id,
            'won_days': company.telephony_won_days,
            'open_days': self._won_open_days(span),
        }

    def _won_open_days(self, span):
        """Return on how many days to come a deal may still be won for the latest first calls of a
        period."""
        past = (self._today() - span.last).days
        return max(0, self.env.company.telephony_won_days - max(0, past))

    def _lines_tab(self, period, filters, _by):
        return self.get_lines(period, filters)

    def _claims_tab(self, period, filters, _by):
        """:return: dict of `claims`, `attempts`, `claimed` and `calls`: the domains of all of them,
        `answering`: see :meth:`_answering_hours`, and the words of their `evidence` and `outcomes` as
        lists of (code, word)"""
        words = {
            name: self.env[model]._fields[field]._description_selection(self.env)
            for name, model, field in (
                ('evidence', 'mail.activity', 'telephony_evidence'),
                ('outcomes', 'telephony.call', 'outcome'),
            )
        }
        _span, cuts, base = self._scope(period, filters)
        return {
            **words,
            'claims': self.get_claims(period),
            'claimed': list(self._shown_claims(period)),
            'attempts': self.get_attempts(period, filters),
            'calls': list(base & OUTBOUND),
            'answering': self._answering_hours(cuts, base),
        }
