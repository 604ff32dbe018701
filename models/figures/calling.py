from datetime import timedelta

from odoo import models
from odoo.fields import Domain

from ...tools.best_hours import LEAST_CALLS, best_hours
from .metric import CALLING, OUTBOUND

# An employee's own hours are those of the last weeks, whatever the period: one week has too few calls.
OWN_WEEKS = 12


class TelephonyReport(models.AbstractModel):
    """When customers answer: by hour of the week, how often they were called and how often somebody
    really talked to them."""

    _inherit = 'telephony.report'

    def _answering_hours(self, cuts, base):
        """Return when customers answer.

        :return: dict of `hours` (a list of {weekday, hour, dialled, reached}), `best`: those in which
            most were reached, and `least`: how many calls an hour needs to be one of them
        """
        domains = {name: metric.domain for name, metric in CALLING.items()}
        hours = self._hours(cuts, self._by_hour(base & OUTBOUND, domains, cuts), tuple(domains))
        return {'hours': hours, 'best': best_hours(hours), 'least': LEAST_CALLS}

    def _own_best_hours(self):
        """Return the hours at which the reader reached most customers, each with the domain of the calls
        in which they did."""
        today = self._today()
        first = today - timedelta(weeks=OWN_WEEKS, days=-1)
        _span, cuts, base = self._scope(
            {'first': first.isoformat(), 'last': today.isoformat()}, None
        )
        base &= Domain('user_id', '=', self.env.uid)
        told = self._answering_hours(cuts, base)
        return {
            'least': told['least'],
            'weeks': OWN_WEEKS,
            'best': [
                {
                    **hour,
                    'domain': list(
                        base
                        & CALLING['reached'].domain
                        & self._cell(cuts, hour['weekday'], hour['hour'])
                    ),
                }
                for hour in told['best']
            ],
        }
