from collections import defaultdict
from datetime import date, timedelta, timezone

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools.periods import LONGEST_DAYS, MOST_DAYS, Period, period_of
from ..callbacks.board import TALKED as GOOD
from .metric import ANSWERED, BY_HAND, CALLERS, CALLING, CAUSES, OFFERED, SHARES, TALKED, metrics

# What is shown of each day and of each hour of the week.
OF_DAYS = ('offered', 'answered', 'lost', 'voicemail', 'busy', 'failed', 'blocked')
OF_HOURS = ('offered', 'lost')
# Seconds after which a report is given up.
TIMEOUT = 20
FILTERS = {
    'in_hours': ('in_hours', bool),
    'account_ids': ('account_id', list),
    'number_ids': ('number_id', list),
    'source_ids': ('source_id', list),
    'campaign_ids': ('campaign_id', list),
    'team_ids': ('number_id.team_id', list),
}


class TelephonyReport(models.AbstractModel):
    """The figures of a period, each with the domain of the very calls that it counts.

    A day is the company's day, whoever looks: two readers see the same numbers. With several
    companies each is cut by its own zone. What a reader may not see is not counted, and not in the
    lists either.
    """

    _name = 'telephony.report'
    _description = "Figures of the calls"

    # === BOARD === #

    @api.model
    @api.readonly
    def get_board(self, period='days_30', filters=None):
        """Return the figures of a period for supervisors.

        :param period: a name of :data:`tools.periods.NAMED`, or a dict of the ISO dates `first` and
            `last`, both included
        :param dict filters: keys of :data:`FILTERS`
        :return: dict of `period`, `counts` (name → {value, domain, label, help}), `shares` (name →
            {n, d}), `times`, `callers`, `owed`, `causes`, `days` and `hours`
        :raise AccessError: the reader is no supervisor
        :raise UserError: the period or a filter cannot be read
        """
        self._check_supervisor()
        scope = self._scope(period, filters)
        return {**self._figures(scope), 'owed': self._owed(), 'settings': self._settings()}

    @api.model
    @api.readonly
    def get_before(self, period='days_30', filters=None):
        """Return `counts`, `shares`, `times` and `callers` of the period to compare with, as
        :meth:`get_board` does; None for a period that is too long to be compared. A period that is
        not over is compared until the same hour."""
        self._check_supervisor()
        span = self._period(period)
        if span.days > MOST_DAYS:
            return None
        before = span.before()
        figures = self._figures(
            self._scope(
                {'first': before.first.isoformat(), 'last': before.last.isoformat()},
                filters,
                until=fields.Datetime.now() - (span.first - before.first),
            )
        )
        return {name: figures[name] for name in ('period', 'counts', 'shares', 'times', 'callers')}

    @api.model
    @api.readonly
    def get_choices(self):
        """Return what the figures can be narrowed down to: dict key of :data:`FILTERS` → list of
        {id, name}, in the order of the screen."""
        self._check_supervisor()
        numbers = self.env['telephony.number'].search(
            [('company_id', 'in', self.env.companies.ids)]
        )
        # whoever sees the calls may know where they came in, whatever they may do with campaigns
        return {
            name: [{'id': record.id, 'name': record.display_name} for record in records]
            for name, records in (
                ('number_ids', numbers),
                ('source_ids', numbers.sudo().source_id.sorted('name')),
                ('campaign_ids', numbers.sudo().campaign_id.sorted('name')),
                ('team_ids', numbers.sudo().team_id.sorted('name')),
                ('account_ids', numbers.account_id),
            )
        }

    def _check_supervisor(self):
        if not self.env.user.has_group('crm_telephony.group_supervisor'):
            raise AccessError(
                self.env._(
                    "The figures of all employees are for supervisors. Yours are in My Figures."
                )
            )

    def _settings(self):
        company = self.env.company
        return {
            name: company[f'telephony_{name}']
            for name in (
                'service_percent',
                'service_seconds',
                'short_seconds',
                'short_abandon_seconds',
                'target_lost_callers',
                'target_wait_seconds',
                'target_short_talks',
            )
        }

    # === WHAT IS ASKED FOR === #

    def _period(self, period):
        """:raise UserError: it cannot be read"""
        try:
            if isinstance(period, str):
                return period_of(period, self._today())
            span = Period(date.fromisoformat(period['first']), date.fromisoformat(period['last']))
        except (KeyError, TypeError, ValueError):
            raise UserError(
                self.env._("This period cannot be read. Choose one of the list, or two dates.")
            ) from None
        if not 1 <= span.days <= LONGEST_DAYS:
            raise UserError(
                self.env._("The period ends before it begins, or is longer than three years.")
            )
        return span

    def _today(self):
        """Return the day that it is at the company."""
        return local_of(fields.Datetime.now(), self.env.company._telephony_zone()).date()

    def _scope(self, period, filters, until=None):
        """Return what is asked for: (Period, dict company → (begin, end, zone), Domain of all its
        calls).

        :param datetime until: naive UTC; later calls are left out
        """
        span = self._period(period)
        cuts = self._cuts(span, until)
        return span, cuts, within(cuts) & self._filter(filters)

    def _cuts(self, span, until=None):
        """Return where a period begins and ends for each company, and in which zone."""
        cuts = {}
        for company in self.env.companies:
            zone = company._telephony_zone()
            begin, end = span.bounds(zone)
            cuts[company] = (begin, min(end, until or end), zone)
        return cuts

    def _filter(self, filters):
        """:raise UserError: there is no such filter"""
        domain = Domain.TRUE
        for name, value in (filters or {}).items():
            field, kind = FILTERS.get(name, (None, None))
            if not field or not isinstance(value, kind):
                raise UserError(self.env._("There is no filter %(name)s.", name=name))
            if kind is bool:
                domain &= Domain(field, '=', True) if value else Domain.TRUE
            elif value:
                domain &= Domain(field, 'in', [int(record_id) for record_id in value])
        return domain

    # === COUNTING === #

    def _figures(self, scope):
        span, cuts, base = scope
        counted = metrics(self.env.company.telephony_service_seconds)
        domains = {name: metric.domain for name, metric in counted.items()}
        rows = self._by_hour(base, domains, cuts)
        totals = {name: sum(row[name] for row in rows) for name in domains}
        return {
            'period': told_period(span, cuts),
            'counts': self._told_counts(base, counted, totals),
            'shares': {
                name: {'n': totals[part], 'd': totals[whole], 'part': part, 'whole': whole}
                for name, (part, whole) in SHARES.items()
            },
            'times': self._times(base),
            'callers': self._callers(base),
            'causes': [
                {'cause': cause, 'count': f'cause_{cause}'}
                for cause in CAUSES
                if totals[f'cause_{cause}']
            ],
            'milestones': [
                {'id': milestone.id, 'day': milestone.day.isoformat(), 'name': milestone.name}
                for milestone in self.env['telephony.milestone'].search(
                    [
                        ('company_id', 'in', self.env.companies.ids),
                        ('day', '>=', span.first),
                        ('day', '<=', span.last),
                    ],
                    order='day, id',
                )
            ],
            'days': self._days(span, cuts, base, rows),
            'hours': self._hours(cuts, rows, OF_HOURS),
        }

    def _told_counts(self, base, counted, totals):
        """Return counts as the screen takes them, each with the domain of the calls that it counted.

        :param dict counted: name → :class:`.metric.Metric`
        :param dict totals: name → number
        """
        return {
            name: {
                'value': totals[name],
                'domain': list(base & metric.domain),
                'label': self.env._(metric.label),
                'help': self.env._(metric.help),
            }
            for name, metric in counted.items()
        }

    def _select(self, domain, *columns, groupby=None):
        """Select columns of the calls that the reader may see, in one query.

        :param columns: functions that get the query and return SQL
        """
        calls = self.env['telephony.call']
        calls.flush_model()
        query = calls._search(domain)
        if groupby:
            query.groupby = SQL(groupby)
        self.env.cr.execute(SQL("SET LOCAL jit = off"))
        self.env.cr.execute(SQL("SET LOCAL statement_timeout = %s", TIMEOUT * 1000))
        return self.env.execute_query(query.select(*(column(calls, query) for column in columns)))

    def _by_hour(self, base, domains, cuts):
        """Return the counts of each quarter of an hour in which there were calls, as dicts that
        also hold `company_id` and the `moment` (naive UTC). Zones are applied to them here, because
        that is right over changes of the clock, and one database of zones rules."""
        rows = self._select(
            base,
            company_of,
            quarter_of,
            *(filtered("COUNT(*)", domain) for domain in domains.values()),
            groupby='1, 2',
        )
        names = ('company_id', 'moment', *domains)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _times(self, base):
        """Return the seconds of waits and talks, and what they are counted over."""
        wait = ('service_wait',)
        [row] = self._select(
            base,
            filtered("AVG(%s)", ANSWERED, *wait),
            filtered("percentile_cont(0.5) WITHIN GROUP (ORDER BY %s)", ANSWERED, *wait),
            filtered("percentile_cont(0.9) WITHIN GROUP (ORDER BY %s)", ANSWERED, *wait),
            filtered("SUM(%s)", ANSWERED, *wait),
            filtered("STDDEV_SAMP(%s)", ANSWERED, *wait),
            filtered("AVG(%s)", OFFERED & Domain('outcome', '=', 'abandoned'), *wait),
            filtered(
                "SUM(%s)", OFFERED & Domain('outcome', 'in', ('answered', 'abandoned')), *wait
            ),
            *(
                filtered(
                    "SUM(%s)", TALKED & ~BY_HAND & Domain('direction', '=', side), 'talk_seconds'
                )
                for side in ('inbound', 'outbound')
            ),
            filtered("SUM(%s)", TALKED & BY_HAND, 'talk_seconds'),
            filtered("AVG(%s)", TALKED & ~BY_HAND, 'talk_seconds'),
            filtered("SUM(%s)", TALKED & Domain('acw_seconds', '>', 0), 'acw_seconds'),
            filtered("COUNT(%s)", TALKED & Domain('acw_seconds', '>', 0), 'acw_seconds'),
        )
        names = (
            'answer_mean',
            'answer_median',
            'answer_p90',
            'answer_sum',
            'answer_deviation',
            'abandon_mean',
            'waited_sum',
            'talk_inbound',
            'talk_outbound',
            'talk_by_hand',
            'talk_mean',
            'acw_sum',
            'acw_count',
        )
        return {
            name: None if value is None else float(value)
            for name, value in zip(names, row, strict=True)
        }

    # === CALLERS === #

    def _callers(self, base):
        """Return how many callers there were, how many were lost for good so far, how many called
        again within a day, and how many of our customers we reached."""
        number = 'customer_number'
        [[callers, reached]] = self._select(
            base,
            filtered("COUNT(DISTINCT %s)", CALLERS, number),
            filtered(
                "COUNT(DISTINCT %s)",
                TALKED & Domain('direction', '=', 'outbound') & Domain('is_short', '=', False),
                number,
            ),
        )
        debts = self._debts(base)
        return {
            'callers': callers,
            'reached': reached,
            'repeated': self._repeated(base),
            **debts,
        }

    def _debts(self, base):
        """Return what became of the callbacks that calls of the period opened."""
        Callback = self.env['telephony.callback']
        opened = Domain('origin_call_id', 'any', base & CALLERS)
        good = Domain('close_kind', 'in', GOOD)
        tried = Domain('attempt_count', '>', 0)
        soon = Domain('first_try_minutes', '<=', 15) & Domain('first_try_at', '!=', False)
        unserved = self._latest_of_each(opened & ~good)
        figures = {}
        for name, label, domain in (
            ('opened', self.env._("Callbacks Opened"), opened),
            ('lost', self.env._("Lost Callers"), unserved),
            ('served', self.env._("Made Good"), opened & good),
            (
                'reached_by_us',
                self.env._("We Reached Them"),
                opened & Domain('close_kind', '=', 'reached'),
            ),
            (
                'called_again',
                self.env._("They Called Again"),
                opened & Domain('close_kind', '=', 'called_again'),
            ),
            ('tried', self.env._("Called Back"), opened & tried),
            ('tried_soon', self.env._("Tried Within 15 Minutes"), opened & soon),
        ):
            figures[f'debts_{name}'] = {
                'value': Callback.search_count(domain),
                'domain': list(domain),
                'label': label,
            }
        return figures

    def _latest_of_each(self, domain):
        """Return the domain of the latest of each number's callbacks, so that one caller counts
        once, also one who called two companies."""
        Callback = self.env['telephony.callback']
        Callback.flush_model()
        query = Callback._search(domain)
        query.order = None
        number, record_id = (
            SQL.identifier(Callback._table, name) for name in ('customer_number', 'id')
        )
        query.groupby = number
        query.having = SQL("COUNT(*) > 1")
        rows = self.env.execute_query(
            query.select(SQL("array_agg(%s ORDER BY %s)", record_id, record_id))
        )
        older = [record_id for (ids,) in rows for record_id in ids[:-1]]
        return domain & Domain('id', 'not in', older) if older else domain

    def _repeated(self, base):
        """Return how many callers called again within 24 hours, the calls after the period
        included."""
        calls = self.env['telephony.call']
        query = calls._search(base & CALLERS)
        company, number, start = (
            SQL.identifier(calls._table, name)
            for name in ('company_id', 'customer_number', 'start_at')
        )
        query.add_where(
            SQL(
                """ EXISTS (SELECT FROM telephony_call AS again
                             WHERE again.company_id = %s AND again.customer_number = %s
                               AND again.service_class IN ('offered', 'blocked')
                               AND again.start_at > %s AND again.start_at <= %s + INTERVAL '24 hours') """,
                company,
                number,
                start,
                start,
            )
        )
        [[count]] = self.env.execute_query(query.select(SQL("COUNT(DISTINCT %s)", number)))
        return count

    def _owed(self):
        """Return the callbacks that are open now, whatever the period, and the money on them."""
        Callback = self.env['telephony.callback']
        domain = Domain('state', '=', 'open') & Domain('company_id', 'in', self.env.companies.ids)
        [[count, money]] = Callback._read_group(domain, [], ['__count', 'expected_revenue:sum'])
        late = domain & Domain('is_late', '=', True)
        return {
            'value': count,
            'domain': list(domain),
            'late': Callback.search_count(late),
            'late_domain': list(
                domain & Domain('due_at', '<', fields.Datetime.to_string(fields.Datetime.now()))
            ),
            'money': money or 0,
            'currency_id': self.env.company.currency_id.id,
        }

    # === DAYS AND HOURS === #

    def _days(self, span, cuts, base, rows):
        """Return the counts of each local day, or of each week of a long period."""
        step = 7 if span.days > MOST_DAYS else 1
        dates = span.dates()
        parts = [
            Period(dates[at], dates[min(at + step, span.days) - 1])
            for at in range(0, span.days, step)
        ]
        counts = defaultdict(lambda: dict.fromkeys(OF_DAYS, 0))
        zones = zones_of(cuts)
        for row in rows:
            local = local_of(row['moment'], zones[row['company_id']]).date()
            for name in OF_DAYS:
                counts[(local - span.first).days // step][name] += row[name]
        return [
            {
                'first': part.first.isoformat(),
                'last': part.last.isoformat(),
                'counts': counts[at],
                'domain': list(
                    within(
                        {
                            company: (*part.bounds(zone), zone)
                            for company, (_b, _e, zone) in cuts.items()
                        }
                    )
                    & base
                ),
            }
            for at, part in enumerate(parts)
        ]

    def _hours(self, cuts, rows, names):
        """Return the counts of each hour of the week that has calls; :meth:`get_cell_domain` gives the
        list of one."""
        zones = zones_of(cuts)
        counts = defaultdict(lambda: dict.fromkeys(names, 0))
        for row in rows:
            local = local_of(row['moment'], zones[row['company_id']])
            for name in names:
                counts[local.weekday(), local.hour][name] += row[name]
        return [
            {'weekday': weekday, 'hour': hour, **its}
            for (weekday, hour), its in sorted(counts.items())
            if any(its.values())
        ]

    @api.model
    @api.readonly
    def get_cell_domain(self, period, filters, weekday, hour, count):
        """Return the domain of one cell of a heat map: the calls of one hour of the week.

        :param int weekday: 0 is Monday
        :param int hour: local, 0 to 23
        :param str count: a name of `counts`, or of :data:`.metric.CALLING`
        """
        _span, cuts, base = self._scope(period, filters)
        counted = {**metrics(self.env.company.telephony_service_seconds), **CALLING}
        return list(base & counted[count].domain & self._cell(cuts, weekday, hour))

    @staticmethod
    def _cell(cuts, weekday, hour):
        """Return the domain of the calls that began in one hour of the week."""
        cells = []
        for company, (begin, end, zone) in cuts.items():
            moments = Domain.OR(
                Domain('start_at', '>=', first) & Domain('start_at', '<', last)
                for first, last in _hours_of(begin, end, zone, weekday, hour)
            )
            cells.append(Domain('company_id', '=', company.id) & moments)
        return Domain.OR(cells)


def told_period(span, cuts):
    """Return a period as the screen takes it."""
    return {
        'first': span.first.isoformat(),
        'last': span.last.isoformat(),
        'days': span.days,
        'zones': sorted({str(zone) for _begin, _end, zone in cuts.values()}),
    }


def within(cuts):
    """Return the domain of the calls that began in the period, each company's in its own zone."""
    return Domain.OR(
        Domain('company_id', '=', company.id)
        & Domain('start_at', '>=', fields.Datetime.to_string(begin))
        & Domain('start_at', '<', fields.Datetime.to_string(end))
        for company, (begin, end, _zone) in cuts.items()
    )


def company_of(calls, query):
    """Column for :meth:`TelephonyReport._select`: the company's id."""
    return calls._field_to_sql(calls._table, 'company_id', query)


def quarter_of(calls, query):
    """Column for :meth:`TelephonyReport._select`: the quarter of an hour in which the call began
    (naive UTC); each time zone's hours and days are made of whole quarters."""
    return SQL(
        "date_bin('15 minutes', %s, '2000-01-01')",
        calls._field_to_sql(calls._table, 'start_at', query),
    )


def zones_of(cuts):
    """Return dict company id → its time zone (pytz)."""
    return {company.id: zone for company, (_begin, _end, zone) in cuts.items()}


def filtered(aggregate, domain, *names):
    """Return a column for :meth:`TelephonyReport._select`: an aggregate of the calls that meet a
    domain.

    :param str aggregate: SQL with a placeholder for each of the fields `names`
    """

    def column(calls, query):
        condition = domain.optimize_full(calls)._to_sql(calls, calls._table, query)
        values = (calls._field_to_sql(calls._table, name, query) for name in names)
        return SQL("%s FILTER (WHERE %s)", SQL(aggregate, *values), condition)

    return column


def local_of(moment, zone):
    return moment.replace(tzinfo=timezone.utc).astimezone(zone)


def _hours_of(begin, end, zone, weekday, hour):
    """Yield the intervals of one hour of the week between two moments (naive UTC, as text). An hour
    that the clock gives twice is two of them."""
    moment = begin
    quarter = timedelta(minutes=15)
    open_since = None
    while moment < end:
        local = local_of(moment, zone)
        inside = local.weekday() == weekday and local.hour == hour
        if inside and open_since is None:
            open_since = moment
        elif not inside and open_since is not None:
            yield fields.Datetime.to_string(open_since), fields.Datetime.to_string(moment)
            open_since = None
        moment += quarter
    if open_since is not None:
        yield fields.Datetime.to_string(open_since), fields.Datetime.to_string(end)
