from odoo import fields, models
from odoo.tools import SQL

from .call import LOST_OUTCOMES


class TelephonyCallsMixin(models.AbstractModel):
    """Counts and a button for records that have `telephony_call_ids`."""

    _name = 'telephony.calls.mixin'
    _description = "Record with phone calls"

    # The field that names the record to which this one's calls count too, if there is one.
    _telephony_head = None

    # Without `groups`, which Odoo would check once a record: whoever may not see calls reads 0.
    telephony_call_count = fields.Integer(string="Call Count", compute='_compute_telephony_counts')
    telephony_missed_count = fields.Integer(
        string="Missed Calls", compute='_compute_telephony_counts'
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

    def _telephony_members_sql(self):
        """Other records whose calls count as these records' too, as rows (id, head_id)."""
        if not self._telephony_head:
            return SQL("SELECT NULL::int AS id, NULL::int AS head_id WHERE FALSE")
        self.env[self._name].flush_model([self._telephony_head])
        head, table = SQL.identifier(self._telephony_head), SQL.identifier(self._table)
        return SQL(
            "SELECT id, %s AS head_id FROM %s WHERE %s = ANY(%s)", head, table, head, self.ids
        )

    def _compute_telephony_counts(self):
        """The calls of these records and of their members that the reader may see."""
        counts, stored = {}, self._origin.filtered('id')
        may_see = stored and self.env['telephony.call'].has_access('read')
        for owner, head, *found in stored._telephony_counts() if may_see else ():
            for record in {owner, head}:
                counts[record] = tuple(map(sum, zip(counts.get(record, (0, 0)), found)))
        for (count, missed), records in self.grouped(
            lambda record: counts.get(record._origin.id, (0, 0))
        ).items():
            records.telephony_call_count, records.telephony_missed_count = count, missed

    def _telephony_counts(self):
        """One query for the calls of all these records and their members, whatever their count,
        under the reader's own rights.

        :return: list of (whose calls, whose member that is, calls, lost calls)
        """
        calls, field = self.env['telephony.call'], self._fields['telephony_call_ids'].inverse_name
        calls.flush_model([field, 'outcome'])
        readable = calls._search([])
        owner = SQL.identifier(calls._table, field)
        return self.env.execute_query(
            SQL(
                """ WITH members AS MATERIALIZED (%(members)s)
                  SELECT owner, (SELECT head_id FROM members WHERE id = owner), calls, lost
                    FROM (SELECT %(owner)s AS owner, COUNT(*) AS calls,
                                 COUNT(*) FILTER (WHERE %(outcome)s IN %(lost)s) AS lost
                            FROM %(calls)s
                           WHERE %(owner)s = ANY(%(ids)s || ARRAY(SELECT id FROM members))
                             AND %(readable)s
                        GROUP BY 1) AS counted """,
                members=self._telephony_members_sql(),
                ids=self.ids,
                owner=owner,
                outcome=SQL.identifier(calls._table, 'outcome'),
                lost=LOST_OUTCOMES,
                calls=readable.from_clause,
                readable=readable.where_clause or SQL("TRUE"),
            )
        )

    def action_view_telephony_calls(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_call_action'
        )
        field = self._fields['telephony_call_ids'].inverse_name
        members = self.env.execute_query(self._telephony_members_sql())
        action['domain'] = [(field, 'in', [self.id, *(member for member, _head in members)])]
        action['context'] = {}
        return action
