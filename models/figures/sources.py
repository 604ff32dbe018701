from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL

from .metric import CALLERS, CALLERS_TRYING, LOST, OFFERED, TALKED
from .report import filtered

BY = {'source': 'source_id', 'campaign': 'campaign_id', 'number': 'number_id'}
# A deal that was entered a little before the call, while somebody talked, is the call's.
BEFORE_CALL = '1 hour'


class TelephonySourceCost(models.Model):
    """What an advertising source cost in a month, entered by hand or imported."""

    _name = 'telephony.source.cost'
    _description = "Monthly cost of an advertising source"
    _order = 'month desc, source_id, campaign_id'
    _rec_name = 'source_id'
    _check_company_auto = True

    source_id = fields.Many2one('utm.source', required=True, index=True, ondelete='cascade')
    campaign_id = fields.Many2one(
        'utm.campaign', ondelete='cascade', help="Empty: the whole source."
    )
    month = fields.Date(
        required=True,
        default=lambda self: fields.Date.context_today(self).replace(day=1),
        help="Any day of the month.",
    )
    amount = fields.Monetary(required=True)
    currency_id = fields.Many2one(related='company_id.currency_id')
    company_id = fields.Many2one(
        'res.company', required=True, index=True, default=lambda self: self.env.company
    )

    _month_uniq = models.UniqueIndex(
        "(company_id, source_id, COALESCE(campaign_id, 0), month)",
        "The cost of this source in this month is already entered.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._with_first_day(vals) for vals in vals_list])

    def write(self, vals):
        return super().write(self._with_first_day(vals))

    @api.model
    def _with_first_day(self, vals):
        if not (month := fields.Date.to_date(vals.get('month'))):
            return vals
        return {**vals, 'month': month.replace(day=1)}

    @api.constrains('amount')
    def _check_amount(self):
        for cost in self:
            if cost.amount < 0:
                raise ValidationError(
                    self.env._("A cost cannot be negative. Enter what was paid in the month.")
                )


class TelephonyReport(models.AbstractModel):
    """What the advertising brought: from a caller's first call to the deal that was won.

    The base is first calls, one a number: repeated calls would flatter a source whose callers talk
    much. A deal that is older than the call is not its fruit, and a deal counts once.
    """

    _inherit = 'telephony.report'

    @api.model
    @api.readonly
    def get_sources(self, period='days_30', filters=None, by='source'):
        """Return the figures by source, campaign or company number, for supervisors and for sales
        managers. The latter get no domains, because they may not see the calls.

        :param str by: a key of :data:`BY`
        :return: list of dicts: `id`, `name` and counts {value, domain}; `won`, `visits`, `revenue` and
            `cost` in the currency of the company
        :raise AccessError: the reader is neither
        """
        user = self.env.user
        is_supervisor = user.has_group('crm_telephony.group_supervisor')
        if not is_supervisor and not user.has_group('sales_team.group_sale_manager'):
            raise AccessError(
                self.env._("The figures of sources are for supervisors and sales managers.")
            )
        report = self if is_supervisor else self.sudo()
        span, cuts, base = report._scope(period, filters)
        base &= CALLERS_TRYING
        rows = report._source_rows(base, BY[by], span)
        if not is_supervisor:
            for row in rows:
                for value in row.values():
                    if isinstance(value, dict):
                        value.pop('domain', None)
        return rows

    # What is counted of the calls of each source.
    _SOURCE_COUNTS = {
        'offered': OFFERED,
        'lost': LOST,
        'blocked': Domain('service_class', '=', 'blocked'),
        'first_calls': Domain('is_first_call', '=', True),
        'contacts': TALKED & Domain('is_short', '=', False),
    }

    def _source_rows(self, base, field, span):
        rows = self._select(
            base,
            lambda calls, query: calls._field_to_sql(calls._table, field, query),
            *(filtered("COUNT(*)", domain) for domain in self._SOURCE_COUNTS.values()),
            filtered("COUNT(DISTINCT %s)", CALLERS, 'customer_number'),
            groupby='1',
        )
        fruits, costs = self._fruits(base, field), self._costs(field, span)
        comodel = self.env['telephony.call']._fields[field].comodel_name
        records = (
            self.env[comodel].sudo().browse(record_id for record_id, *_values in rows if record_id)
        )
        names = {record.id: record.display_name for record in records}
        answer = []
        for record_id, *values in rows:
            *counts, callers = values
            won, revenue, visits = fruits.get(record_id, (0, 0, 0))
            only = Domain(field, '=', record_id or False)
            answer.append(
                {
                    'id': record_id or False,
                    'name': names.get(record_id) or self.env._("no advertisement"),
                    **{
                        name: {'value': count, 'domain': list(base & domain & only)}
                        for (name, domain), count in zip(
                            self._SOURCE_COUNTS.items(), counts, strict=True
                        )
                    },
                    'callers': callers,
                    'won': won,
                    'visits': visits,
                    'revenue': float(revenue),
                    'cost': costs.get(record_id),
                }
            )
        return sorted(
            answer, key=lambda row: (not row['id'], -row['offered']['value'], row['name'])
        )

    def _fruits(self, base, field):
        """Return what came of first calls: dict id → (won deals, their revenue, visits). A deal is
        the fruit of a call if a call of its number hangs on it and it was entered after the call."""
        calls = self.env['telephony.call']
        self.env['crm.lead'].flush_model()
        self.env['calendar.event'].flush_model()
        query = calls._search(base & Domain('is_first_call', '=', True))
        columns = ('id', 'company_id', 'customer_number', 'start_at', field)
        first = query.select(*(SQL.identifier(calls._table, name) for name in columns))
        company = self.env.company
        rows = self.env.execute_query(
            SQL(
                """ WITH first AS MATERIALIZED (%(first)s),
                     deals AS (
                    SELECT DISTINCT ON (lead.id) lead.id, first.id AS call_id, first.%(field)s AS key, first.start_at,
                           lead.expected_revenue,
                           lead.won_status = 'won'
                           AND lead.date_closed < first.start_at + %(won)s * INTERVAL '1 day' AS is_won
                      FROM first
                      JOIN telephony_call its
                        ON its.company_id = first.company_id AND its.customer_number = first.customer_number
                       AND its.start_at >= first.start_at
                       AND its.start_at < first.start_at + %(longest)s * INTERVAL '1 day'
                      JOIN crm_lead lead ON lead.id = its.lead_id
                     WHERE lead.create_date >= first.start_at - %(before)s::interval
                  ORDER BY lead.id, first.start_at, first.id),
                     visited AS (
                    SELECT DISTINCT deals.call_id, deals.key
                      FROM deals
                      JOIN calendar_event visit ON visit.opportunity_id = deals.id AND visit.active
                       AND visit.start >= deals.start_at
                       AND visit.start < LEAST(deals.start_at + %(visit)s * INTERVAL '1 day', %(now)s))
                    SELECT key, COUNT(DISTINCT call_id) FILTER (WHERE is_won),
                           COALESCE(SUM(expected_revenue) FILTER (WHERE is_won), 0),
                           (SELECT COUNT(*) FROM visited WHERE visited.key IS NOT DISTINCT FROM deals.key)
                      FROM deals
                  GROUP BY key """,
                first=first,
                field=SQL.identifier(field),
                won=company.telephony_won_days,
                visit=company.telephony_visit_days,
                longest=max(company.telephony_won_days, company.telephony_visit_days),
                before=BEFORE_CALL,
                now=fields.Datetime.now(),
            )
        )
        return {key: tuple(values) for key, *values in rows}

    def _costs(self, field, span):
        """Return what the sources or campaigns cost in the months of the period, each month by the
        share of its days that belongs to the period: dict id → amount."""
        if field == 'number_id':
            return {}
        costs = {}
        domain = Domain('company_id', 'in', self.env.companies.ids)
        domain &= Domain('month', '>=', span.first.replace(day=1)) & Domain(
            'month', '<=', span.last
        )
        for cost in self.env['telephony.source.cost'].sudo().search(domain):
            following = fields.Date.add(cost.month, months=1)
            begin, end = (
                max(cost.month, span.first),
                min(following, fields.Date.add(span.last, days=1)),
            )
            share = (end - begin).days / (following - cost.month).days
            key = cost[field].id
            if key and share > 0:
                costs[key] = costs.get(key, 0) + cost.amount * share
        return costs
