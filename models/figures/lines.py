from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools import erlang
from .call_facts import LONGEST_CALL
from .metric import BY_HAND, CALLERS_TRYING, OUTSIDE, metrics
from .report import company_of, filtered, local_of, quarter_of, told_period, within, zones_of

# Fewer calls say nothing about an hour of the week.
LEAST_CALLS = 20
# Fewer abandons say nothing about how long callers wait.
LEAST_ABANDONS = 20
# Fewer weeks say nothing about a weekday.
LEAST_WEEKS = 4
MOST_BLOCKED = 0.02


class TelephonyReport(models.AbstractModel):
    """People or lines: how many calls there were at once, why callers were lost, and how many people
    and lines the load would need."""

    _inherit = 'telephony.report'

    @api.model
    @api.readonly
    def get_lines(self, period='days_30', filters=None):
        """Return what the lines carried and what would be needed, for supervisors.

        :return: dict of `accounts` (a list of {id, name, lines, most, most_at, seconds_full,
            quarters}), `causes` and `advice`, see :meth:`_advice`
        :raise AccessError: the reader is no supervisor
        """
        self._check_supervisor()
        scope = span, cuts, base = self._scope(period, filters)
        counts = self._counts_of_lines(base)
        return {
            'period': told_period(span, cuts),
            'accounts': self._concurrency(scope),
            'causes': {name: count for name, count in counts.items() if name.startswith('cause_')},
            'blocked': counts['blocked'],
            'advice': self._advice(scope, counts),
        }

    def _counts_of_lines(self, base):
        """Return the counts that the page shows or computes with."""
        counted = {
            name: metric
            for name, metric in metrics(self.env.company.telephony_service_seconds).items()
            if name.startswith('cause_') or name in ('blocked', 'answered', 'abandoned')
        }
        columns = (filtered("COUNT(*)", metric.domain) for metric in counted.values())
        [row] = self._select(base, *columns)
        return self._told_counts(base, counted, dict(zip(counted, row, strict=True)))

    # === AT ONCE === #

    def _concurrency(self, scope):
        """Return how many calls with the outside each PBX carried at once, from the start of each to
        its end, both directions together. A call of before midnight counts."""
        _span, cuts, _base = scope
        calls = self.env['telephony.call']
        calls.flush_model()
        found = defaultdict(lambda: {'most': 0, 'seconds_full': 0.0, 'quarters': {}})
        accounts = self.env['telephony.account'].with_context(active_test=False)
        accounts = accounts.search([('company_id', 'in', [company.id for company in cuts])])
        for company, (begin, end, zone) in cuts.items():
            query = calls._search(
                within({company: (begin - LONGEST_CALL, end, zone)})
                & Domain('direction', '!=', 'internal')
                & ~BY_HAND
                & Domain('account_id', '!=', False)
                & Domain('ended_at', '>', fields.Datetime.to_string(begin))
            )
            account, start, stop = (
                SQL.identifier(calls._table, name)
                for name in ('account_id', 'start_at', 'ended_at')
            )
            its = query.select(
                SQL("%s AS account_id", account),
                SQL("%s AS start_at", start),
                SQL("%s AS ended_at", stop),
            )
            for account_id, quarter, most, full in self.env.execute_query(
                self._sweep_sql(
                    its, begin, end, {account.id: account.line_count for account in accounts}
                )
            ):
                figures = found[account_id]
                figures['most'] = max(figures['most'], most)
                figures['seconds_full'] += float(full)
                if most:
                    at = local_of(quarter, zone).strftime('%H:%M')
                    figures['quarters'][at] = max(figures['quarters'].get(at, 0), most)
        return [
            {
                'id': account.id,
                'name': account.name,
                'lines': account.line_count,
                'most': found[account.id]['most'],
                'most_at': sorted(
                    at
                    for at, most in found[account.id]['quarters'].items()
                    if most == found[account.id]['most']
                ),
                'seconds_full': round(found[account.id]['seconds_full']),
                'quarters': dict(sorted(found[account.id]['quarters'].items())),
            }
            for account in accounts
            if account.id in found
        ]

    @staticmethod
    def _sweep_sql(calls, begin, end, lines):
        """Return the statement that walks along the starts and ends of calls: for each account and
        quarter of an hour the most calls at once, and the seconds in which all lines were used.

        :param SQL calls: rows (account_id, start_at, ended_at)
        :param dict lines: account id → how many lines it has, 0 if that is not known
        """
        return SQL(
            """ WITH calls AS MATERIALIZED (%(calls)s),
                     lines (account_id, count) AS (SELECT * FROM unnest(%(accounts)s::int[], %(lines)s::int[])),
                     steps AS (
                    SELECT account_id, start_at AS at, 1 AS step FROM calls WHERE ended_at > start_at
                 UNION ALL
                    SELECT account_id, ended_at, -1 FROM calls WHERE ended_at > start_at
                 UNION ALL
                    SELECT account_id, quarter, 0
                      FROM (SELECT DISTINCT account_id FROM calls) AS used,
                           generate_series(%(begin)s::timestamp, %(end)s::timestamp, '15 minutes') AS quarter
                ), walked AS (
                    SELECT account_id, at, SUM(SUM(step)) OVER (PARTITION BY account_id ORDER BY at) AS busy,
                           LEAD(at) OVER (PARTITION BY account_id ORDER BY at) AS until
                      FROM steps
                  GROUP BY account_id, at
                )
                SELECT walked.account_id, date_bin('15 minutes', at, %(begin)s::timestamp) AS quarter,
                       MAX(busy)::int,
                       COALESCE(SUM(EXTRACT(EPOCH FROM until - at))
                                FILTER (WHERE lines.count > 0 AND busy >= lines.count), 0)
                  FROM walked
             LEFT JOIN lines ON lines.account_id = walked.account_id
                 WHERE at >= %(begin)s AND at < %(end)s AND busy > 0
              GROUP BY 1, 2 """,
            calls=calls,
            accounts=list(lines),
            lines=list(lines.values()),
            begin=begin,
            end=end,
        )

    # === ADVICE === #

    def _advice(self, scope, counts):
        """Return how many people and lines each hour of the week needs.

        :return: dict of `assumes` (handling and patience in seconds, weeks, the targets), `hours`: a
            list of {weekday, hour, calls, load, people_least, people_most, lines}, where people and
            lines are None for too few calls; or None for less than four weeks
        """
        span, cuts, base = scope
        weeks = span.days / 7
        if weeks < LEAST_WEEKS:
            return None
        company, answered = self.env.company, counts['answered']['value']
        if not answered:
            return None
        times = self._times(base)
        acw = (
            times['acw_sum'] / times['acw_count']
            if times['acw_count']
            else company.telephony_acw_seconds
        )
        handling = (times['talk_inbound'] or 0) / answered + acw
        abandoned = counts['abandoned']['value']
        patience = (
            times['waited_sum'] / abandoned
            if abandoned >= LEAST_ABANDONS and times['waited_sum']
            else 0
        )
        share, seconds = company.telephony_service_percent / 100, company.telephony_service_seconds
        rows = self._select(
            base,
            company_of,
            quarter_of,
            filtered("COUNT(*)", CALLERS_TRYING),
            filtered("SUM(%s + %s)", OUTSIDE & ~BY_HAND, 'wait_seconds', 'talk_seconds'),
            groupby='1, 2',
        )
        zones = zones_of(cuts)
        cells, by_hour = defaultdict(lambda: [0, 0, 0]), defaultdict(lambda: [0, 0, 0])
        for company_id, moment, count, used in rows:
            at = local_of(moment, zones[company_id])
            for cell in (cells[at.weekday(), at.hour], by_hour[at.hour]):
                cell[0] += count
                cell[1] += used or 0
        days = defaultdict(int)
        for day in span.dates():
            days[day.weekday()] += 1
        for weekday, hour in cells:
            by_hour[hour][2] += days[weekday]
        hours = []
        for (weekday, hour), (count, used, _days) in sorted(cells.items()):
            occasions, is_merged = days[weekday], False
            if count < LEAST_CALLS:
                count_all, used_all, occasions_all = by_hour[hour]
                if count_all >= LEAST_CALLS:
                    count, used, occasions, is_merged = count_all, used_all, occasions_all, True
            load = count / occasions * handling / 3600
            enough = count >= LEAST_CALLS
            most = erlang.people_for(load, handling, share, seconds) if enough else None
            least = (
                min(erlang.people_for(load, handling, share, seconds, patience), most)
                if enough and patience
                else most
            )
            hours.append(
                {
                    'weekday': weekday,
                    'hour': hour,
                    'calls': cells[weekday, hour][0],
                    'is_merged': is_merged,
                    'load': round(load, 2),
                    'people_least': least,
                    'people_most': most,
                    'lines': erlang.lines_for(used / occasions / 3600, MOST_BLOCKED)
                    if enough
                    else None,
                }
            )
        return {
            'assumes': {
                'handling': round(handling),
                'acw': round(acw),
                'patience': round(patience) or None,
                'weeks': round(weeks, 1),
                'service_percent': company.telephony_service_percent,
                'service_seconds': seconds,
                'most_blocked': MOST_BLOCKED,
            },
            'hours': hours,
        }
