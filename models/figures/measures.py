from odoo import fields, models
from odoo.tools import SQL

from ..calls.call import LOST_OUTCOMES
from .metric import ANSWERED, CALLERS, metrics
from .people import was_free

# Measure → (aggregator, the counts that are divided; a single one is a count itself).
RATES = {
    'lost_rate': ('lost', 'offered'),
    'answer_rate': ('answered', 'offered'),
    'service_level': ('in_time', 'offered_not_short'),
    'short_rate': ('short', 'talked'),
}
COUNTS = {
    'offered_count': 'offered',
    'lost_count': 'lost',
    'first_call_count': 'first_calls',
    'contact_count': 'contacts',
    'outbound_count': 'attempts',
    'outbound_answered_count': 'attempts_answered',
}
WAITS = {
    'asa_seconds': "AVG(%s)",
    'asa_median': "percentile_cont(0.5) WITHIN GROUP (ORDER BY %s)",
    'asa_p90': "percentile_cont(0.9) WITHIN GROUP (ORDER BY %s)",
}


class TelephonyCall(models.Model):
    """Measures for pivot and graph that are right at every level, because PostgreSQL computes each
    total from its calls: a share is never the mean of shares."""

    _inherit = 'telephony.call'

    offered_count = fields.Integer(string="Offered", compute='_compute_measures', aggregator='sum')
    lost_count = fields.Integer(string="Lost Calls", compute='_compute_measures', aggregator='sum')
    lost_rate = fields.Float(
        string="Lost Calls (share)", compute='_compute_measures', aggregator='avg', digits=(16, 3)
    )
    answer_rate = fields.Float(
        string="Answered (share)", compute='_compute_measures', aggregator='avg', digits=(16, 3)
    )
    service_level = fields.Float(
        string="Service Level (share)",
        compute='_compute_measures',
        aggregator='avg',
        digits=(16, 3),
        help="Answered in time of the offered calls, less short abandons.",
    )
    asa_seconds = fields.Float(
        string="Time to Answer (s)", compute='_compute_measures', aggregator='avg', digits=(16, 1)
    )
    asa_median = fields.Float(
        string="Time to Answer, Median (s)",
        compute='_compute_measures',
        aggregator='avg',
        digits=(16, 1),
    )
    asa_p90 = fields.Float(
        string="Time to Answer, 90 % (s)",
        compute='_compute_measures',
        aggregator='avg',
        digits=(16, 1),
        help="Nine of ten answered calls were answered sooner.",
    )
    short_rate = fields.Float(
        string="Short Talks (share)", compute='_compute_measures', aggregator='avg', digits=(16, 3)
    )
    first_call_count = fields.Integer(
        string="First Calls", compute='_compute_measures', aggregator='sum'
    )
    contact_count = fields.Integer(string="Contacts", compute='_compute_measures', aggregator='sum')
    outbound_count = fields.Integer(
        string="Calls Out", compute='_compute_measures', aggregator='sum'
    )
    outbound_answered_count = fields.Integer(
        string="Calls Out Answered", compute='_compute_measures', aggregator='sum'
    )
    caller_count = fields.Integer(
        string="Callers",
        compute='_compute_measures',
        aggregator='count_distinct',
        help="Different numbers. A total is smaller than its parts where a number called in several of them.",
    )

    def _compute_measures(self):
        """The values of a single call; totals are computed by PostgreSQL."""
        counted = metrics(self.env.company.telephony_service_seconds)

        def chosen(domain):
            return set(self.filtered_domain(domain)._ids)

        names = {name for pair in RATES.values() for name in pair} | set(COUNTS.values())
        found = {name: chosen(counted[name].domain) for name in names}
        answered, callers = chosen(ANSWERED), chosen(CALLERS)
        for call in self:
            for field, (part, whole) in RATES.items():
                call[field] = call.id in found[part] and call.id in found[whole]
            for field, name in COUNTS.items():
                call[field] = call.id in found[name]
            for field in WAITS:
                call[field] = call.service_wait if call.id in answered else False
            call.caller_count = call.id in callers

    def _read_group_select(self, aggregate_spec, query):
        name, _colon, aggregator = aggregate_spec.partition(':')
        if name not in self._fields or self._fields[name].compute != '_compute_measures':
            return super()._read_group_select(aggregate_spec, query)
        if aggregator != self._fields[name].aggregator:
            raise ValueError(f'{name} cannot be aggregated by {aggregator}')
        counted = metrics(self.env.company.telephony_service_seconds)

        def which(domain):
            return SQL(
                "FILTER (WHERE %s)",
                domain.optimize_full(self)._to_sql(self, self._table, query),
            )

        def count(metric):
            return SQL("COUNT(*) %s", which(counted[metric].domain))

        if name in RATES:
            part, whole = RATES[name]
            return SQL("%s::float / NULLIF(%s, 0)", count(part), count(whole))
        if name in COUNTS:
            return count(COUNTS[name])
        if name in WAITS:
            wait = SQL(WAITS[name], self._field_to_sql(self._table, 'service_wait', query))
            return SQL("%s %s", wait, which(ANSWERED))
        number = self._field_to_sql(self._table, 'customer_number', query)
        return SQL("COUNT(DISTINCT %s) %s", number, which(CALLERS))


class TelephonyCallLeg(models.Model):
    """Measures of the phones for pivot and graph. A call counts once for each employee, however many of
    their phones rang."""

    _inherit = 'telephony.call.leg'

    rang_count = fields.Integer(
        string="Rang",
        compute='_compute_measures',
        aggregator='sum',
        help="Calls in which the employee's phone rang. A call counts for each employee whose phone rang.",
    )
    picked_up_count = fields.Integer(
        string="Picked Up", compute='_compute_measures', aggregator='sum'
    )
    picked_up_rate = fields.Float(
        string="Picked Up (share)", compute='_compute_measures', aggregator='avg', digits=(16, 3)
    )
    lost_beside_free_count = fields.Integer(
        string="Lost Beside a Free Phone",
        compute='_compute_measures',
        aggregator='sum',
        help="Lost calls in which the employee's phone rang while they neither talked nor dialled.",
    )
    ring_seconds = fields.Float(
        string="Time to Pick Up (s)", compute='_compute_measures', aggregator='avg', digits=(16, 1)
    )

    def _compute_measures(self):
        """The values of a single phone; totals are computed by PostgreSQL."""
        for leg in self:
            picked_up, call = leg.outcome == 'answered', leg.call_id
            leg.rang_count = bool(leg.user_id)
            leg.picked_up_count = leg.picked_up_rate = picked_up and bool(leg.user_id)
            leg.lost_beside_free_count = (
                not picked_up
                and call.outcome in LOST_OUTCOMES
                and leg.user_id in call.free_user_ids
            )
            leg.ring_seconds = (
                (leg.answered_at - leg.start_at).total_seconds()
                if picked_up and leg.answered_at and leg.start_at
                else False
            )

    def _read_group_select(self, aggregate_spec, query):
        name, _colon, aggregator = aggregate_spec.partition(':')
        if name not in self._fields or self._fields[name].compute != '_compute_measures':
            return super()._read_group_select(aggregate_spec, query)
        if aggregator != self._fields[name].aggregator:
            raise ValueError(f'{name} cannot be aggregated by {aggregator}')
        call, user, outcome, start, answered = (
            SQL.identifier(self._table, column)
            for column in ('call_id', 'user_id', 'outcome', 'start_at', 'answered_at')
        )
        picked_up = SQL("%s = 'answered'", outcome)

        def count(condition):
            return SQL(
                "COUNT(DISTINCT (%s, %s)) FILTER (WHERE %s IS NOT NULL AND %s)",
                call,
                user,
                user,
                condition,
            )

        if name == 'ring_seconds':
            return SQL(
                "AVG(EXTRACT(EPOCH FROM %s - %s)) FILTER (WHERE %s)", answered, start, picked_up
            )
        if name == 'lost_beside_free_count':
            self.flush_model()
            self.env['telephony.call'].flush_model()
            lost = SQL(
                "EXISTS (SELECT FROM telephony_call lost WHERE lost.id = %s AND lost.outcome IN %s)",
                call,
                LOST_OUTCOMES,
            )
            return count(SQL("%s AND %s", lost, was_free(self._table)))
        if name == 'picked_up_rate':
            return SQL("%s::float / NULLIF(%s, 0)", count(picked_up), count(SQL("TRUE")))
        return count(picked_up if name == 'picked_up_count' else SQL("TRUE"))
