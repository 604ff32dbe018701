from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..calls.call import LOST_OUTCOMES
from .metric import ANSWERED, BY_HAND, OFFERED, OUTBOUND, TALKED
from .report import filtered


def was_free(leg):
    """Return the condition that a phone rang in vain although its employee neither talked in another
    call nor dialled meanwhile.

    :param str leg: alias of `telephony_call_leg`
    """
    return SQL(
        """ %(outcome)s IS DISTINCT FROM 'answered'
        AND NOT (EXISTS (SELECT FROM telephony_call_leg other
                          WHERE other.user_id = %(user)s AND other.call_id != %(call)s
                            AND other.start_at BETWEEN %(start)s - INTERVAL '4 hours' AND %(end)s
                            AND other.answered_at < %(end)s AND other.ended_at > %(start)s)
              OR EXISTS (SELECT FROM telephony_call other
                          WHERE other.user_id = %(user)s AND other.direction = 'outbound'
                            AND other.is_manual IS NOT TRUE
                            AND other.start_at BETWEEN %(start)s - INTERVAL '4 hours' AND %(end)s
                            AND other.ended_at > %(start)s)) """,
        outcome=SQL.identifier(leg, 'outcome'),
        user=SQL.identifier(leg, 'user_id'),
        call=SQL.identifier(leg, 'call_id'),
        start=SQL.identifier(leg, 'start_at'),
        end=SQL.identifier(leg, 'ended_at'),
    )


class TelephonyReport(models.AbstractModel):
    """Who picked up, and who called. Phones and calls are two tables: a ring group's other four
    phones have failed nobody, so a call that rang in vain says nothing unless the caller was lost
    and the phone was free."""

    _inherit = 'telephony.report'

    @api.model
    @api.readonly
    def get_people(self, period='days_30', filters=None):
        """Return the figures of each employee for supervisors, by name.

        :return: list of dicts: `user_id`, `name`, `active`, and for each of its counts {value,
            domain}; seconds as numbers, None where there is nothing to divide by
        :raise AccessError: the reader is no supervisor
        """
        self._check_supervisor()
        _span, _cuts, base = self._scope(period, filters)
        return self._people(base)

    def _people(self, base, users=None):
        """:param users: only these; None for all who occur"""
        phones, calls = self._phones(base, users), self._calls_of_people(base, users)
        found = self.env['res.users'].sudo().browse({*phones, *calls}).exists()
        rows = []
        for user in found.sorted(lambda user: (not user.active, user.name or '')):
            rows.append(
                {
                    'user_id': user.id,
                    'name': user.name,
                    'active': user.active,
                    **self._with_domains(base, user, phones.get(user.id), calls.get(user.id)),
                }
            )
        return rows

    @staticmethod
    def _phone_conditions(outcome):
        """Return what is counted of the phones: dict name → condition on `leg`.

        :param SQL outcome: of the call
        """
        in_vain = SQL("leg.outcome IS DISTINCT FROM 'answered'")
        lost = SQL("%s IN %s", outcome, LOST_OUTCOMES)
        return {
            'rang': SQL("TRUE"),
            'picked_up': SQL("leg.outcome = 'answered'"),
            'in_vain': in_vain,
            'in_vain_and_lost': SQL("%s AND %s", in_vain, lost),
            'lost_beside_free': SQL("%s AND %s", lost, was_free('leg')),
        }

    def _phones(self, base, users):
        """Return what the phones did in offered calls: dict user id → dict. A call counts once for
        each employee, however many of their phones rang."""
        calls = self.env['telephony.call']
        calls.flush_model()
        self.env['telephony.call.leg'].flush_model()
        query = calls._search(base & OFFERED)
        query.add_join(
            'JOIN',
            'leg',
            'telephony_call_leg',
            SQL("leg.call_id = %s", SQL.identifier(calls._table, 'id')),
        )
        query.add_where(SQL("leg.user_id IS NOT NULL"))
        if users is not None:
            query.add_where(SQL("leg.user_id IN %s", users._ids or (0,)))
        query.groupby = SQL("leg.user_id")
        counted = self._phone_conditions(SQL.identifier(calls._table, 'outcome'))
        columns = [
            SQL("leg.user_id"),
            *(
                SQL("COUNT(DISTINCT leg.call_id) FILTER (WHERE %s)", condition)
                for condition in counted.values()
            ),
            SQL(
                "AVG(EXTRACT(EPOCH FROM leg.answered_at - leg.start_at)) FILTER (WHERE leg.outcome = 'answered')"
            ),
            SQL("COALESCE(SUM(leg.talk_seconds) FILTER (WHERE leg.outcome = 'answered'), 0)"),
        ]
        names = (*counted, 'ring_seconds', 'talk_inbound')
        return {
            user_id: dict(zip(names, values, strict=True))
            for user_id, *values in self.env.execute_query(query.select(*columns))
        }

    # What is counted of the calls that an employee took first or placed.
    _CALLS = {
        'taken_first': ANSWERED,
        'attempts': OUTBOUND,
        'attempts_by_hand': OUTBOUND & BY_HAND,
        'attempts_answered': OUTBOUND & Domain('outcome', '=', 'answered'),
        'contacts': TALKED & Domain('is_short', '=', False),
        'short': TALKED & ~BY_HAND & Domain('is_short', '=', True),
        'acw_count': TALKED & Domain('acw_seconds', '>', 0),
    }

    def _calls_of_people(self, base, users):
        whose = (
            Domain('user_id', 'in', users.ids)
            if users is not None
            else Domain('user_id', '!=', False)
        )
        rows = self._select(
            base & whose,
            lambda calls, query: calls._field_to_sql(calls._table, 'user_id', query),
            *(filtered("COUNT(*)", domain) for domain in self._CALLS.values()),
            filtered("SUM(%s)", OUTBOUND & ~BY_HAND, 'talk_seconds'),
            filtered("SUM(%s)", self._CALLS['acw_count'], 'acw_seconds'),
            groupby='1',
        )
        names = (*self._CALLS, 'talk_outbound', 'acw_seconds')
        return {user_id: dict(zip(names, values, strict=True)) for user_id, *values in rows}

    def _with_domains(self, base, user, phones, calls):
        """Return the figures of an employee, each count with the domain of its calls."""
        phones = phones or {}
        calls = calls or {}
        mine = Domain('leg_ids', 'any', [('user_id', '=', user.id)])
        took = Domain('leg_ids', 'any', [('user_id', '=', user.id), ('outcome', '=', 'answered')])
        in_vain = Domain(
            'leg_ids', 'any', [('user_id', '=', user.id), ('outcome', '!=', 'answered')]
        )
        lost = Domain('outcome', 'in', LOST_OUTCOMES)
        figures = {
            name: {'value': phones.get(name, 0), 'domain': list(base & OFFERED & domain)}
            for name, domain in (
                ('rang', mine),
                ('picked_up', took),
                ('in_vain', in_vain),
                ('in_vain_and_lost', in_vain & lost),
                (
                    'lost_beside_free',
                    in_vain & lost & Domain('free_user_ids', 'in', [user.id]),
                ),
            )
        }
        figures.update(
            {
                name: {
                    'value': calls.get(name, 0),
                    'domain': list(base & domain & Domain('user_id', '=', user.id)),
                }
                for name, domain in self._CALLS.items()
            }
        )
        ring = phones.get('ring_seconds')
        return {
            **figures,
            'ring_seconds': None if ring is None else float(ring),
            'talk_inbound': phones.get('talk_inbound', 0),
            'talk_outbound': calls.get('talk_outbound') or 0,
            'acw_seconds': calls.get('acw_seconds') or 0,
        }


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    free_user_ids = fields.Many2many(
        'res.users',
        string="Rang in Vain Beside",
        compute='_compute_free_user_ids',
        search='_search_free_user_ids',
        help="Employees whose phones rang in vain although they neither talked nor dialled.",
    )

    def _compute_free_user_ids(self):
        rows = self.env.execute_query(
            SQL(
                "SELECT leg.call_id, leg.user_id FROM telephony_call_leg leg "
                "WHERE leg.call_id IN %s AND leg.user_id IS NOT NULL AND %s",
                self._ids or (0,),
                was_free('leg'),
            )
        )
        found = {}
        for call_id, user_id in rows:
            found.setdefault(call_id, set()).add(user_id)
        for call in self:
            call.free_user_ids = [fields.Command.set(found.get(call.id, ()))]

    def _search_free_user_ids(self, operator, value):
        """Calls in which the phones of these employees rang in vain although they were free."""
        if operator != 'in':
            return NotImplemented
        return Domain.custom(
            to_sql=lambda model, alias, _query: SQL(
                "EXISTS (SELECT FROM telephony_call_leg leg WHERE leg.call_id = %s AND leg.user_id IN %s AND %s)",
                SQL.identifier(alias, 'id'),
                tuple(value),
                was_free('leg'),
            )
        )
