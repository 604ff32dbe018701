from odoo import fields, models
from odoo.tools import SQL

from .call import LOST_OUTCOMES


class TelephonyCallsMixin(models.AbstractModel):
    """Counts and a button for records that have `telephony_call_ids`."""

    _name = 'telephony.calls.mixin'
    _description = "Record with phone calls"

    telephony_call_count = fields.Integer(
        string="Call Count", compute='_compute_telephony_counts', groups='crm_telephony.group_user'
    )
    telephony_missed_count = fields.Integer(
        string="Missed Calls",
        compute='_compute_telephony_counts',
        groups='crm_telephony.group_user',
    )

    telephony_check_number = fields.Char(
        string="Number to Check",
        copy=False,
        readonly=True,
        groups='crm_telephony.group_user',
        help="This number could not be called. It is taken as right again when the customer talks to us from it, when the "
        "phone number is changed, or when somebody says so.",
    )

    def write(self, vals):
        if 'phone' in vals and 'telephony_check_number' not in vals:
            self.sudo().filtered('telephony_check_number').telephony_check_number = False
        return super().write(vals)

    def action_telephony_number_checked(self):
        """Somebody says that the number is right."""
        self.check_access('write')
        self.sudo().telephony_check_number = False
        return True

    def _telephony_family(self):
        """Ids of the records whose calls count as these records'."""
        return self.ids

    def _telephony_members_sql(self):
        """Other records whose calls count as these records' too, as rows `id`, `head_id`; None
        where there are none."""
        return None

    def _compute_telephony_counts(self):
        """One query for the calls of all records, whatever their count, under the reader's own
        rights."""
        counts, stored = {}, self._origin.filtered('id')
        if stored:
            for head, count, missed in self.env.execute_query(
                SQL(" UNION ALL ").join(stored._telephony_counts_sql())
            ):
                before = counts.get(head, (0, 0))
                counts[head] = before[0] + count, before[1] + missed
        for record in self:
            record.telephony_call_count, record.telephony_missed_count = counts.get(
                record._origin.id, (0, 0)
            )

    def _telephony_counts_sql(self):
        """Queries for (id, calls, lost calls): of the records themselves and of their members. Two,
        because PostgreSQL would look up one record after the other for both together."""
        calls, field = self.env['telephony.call'], self._fields['telephony_call_ids'].inverse_name
        calls.flush_model([field, 'outcome'])
        owner = SQL.identifier(calls._table, field)
        counted = SQL(
            "COUNT(*), COUNT(*) FILTER (WHERE %s IN %s)",
            SQL.identifier(calls._table, 'outcome'),
            LOST_OUTCOMES,
        )
        own = calls._search([(field, 'in', self.ids)])
        yield SQL(
            "(SELECT %s, %s FROM %s WHERE %s GROUP BY 1)",
            owner,
            counted,
            own.from_clause,
            own.where_clause,
        )
        if members := self._telephony_members_sql():
            theirs = calls._search([(field, '!=', False)])
            yield SQL(
                "(SELECT member.head_id, %s FROM %s JOIN (%s) AS member ON member.id = %s WHERE %s GROUP BY 1)",
                counted,
                theirs.from_clause,
                members,
                owner,
                theirs.where_clause,
            )

    def action_view_telephony_calls(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_call_action'
        )
        field = self._fields['telephony_call_ids'].inverse_name
        action['domain'] = [(field, 'in', self._telephony_family())]
        action['context'] = {}
        return action
