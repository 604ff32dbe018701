from collections import Counter

from odoo import fields, models

from .telephony_call import LOST_OUTCOMES


class TelephonyCallsMixin(models.AbstractModel):
    """Counts and a button for records that have `telephony_call_ids`."""
    _name = 'telephony.calls.mixin'
    _description = "Record with phone calls"

    telephony_call_count = fields.Integer(
        string="Call Count", compute='_compute_telephony_counts', groups='crm_telephony.group_user')
    telephony_missed_count = fields.Integer(
        string="Missed Calls", compute='_compute_telephony_counts', groups='crm_telephony.group_user')

    def unlink(self):
        """Calls outlive their contact and deal, and are looked up again."""
        field = self._fields['telephony_call_ids'].inverse_name
        calls = self.env['telephony.call'].sudo().search([(field, 'in', self.ids)])
        decisions = self.env['telephony.decision'].sudo().search([(field, 'in', self.ids)])
        result = super().unlink()
        decisions.filtered(lambda one: one.kind == 'contact' and not one.partner_id and not one.lead_id).unlink()
        calls.exists()._lose_place()
        return result

    telephony_check_number = fields.Char(
        string="Number to Check", copy=False, readonly=True, groups='crm_telephony.group_user',
        help="This number could not be called. It is taken as right again when the customer talks to us from it, when the "
             "phone number is changed, or when somebody says so.")

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

    def _compute_telephony_counts(self):
        """One query for the calls of all records, whatever their count."""
        field = self._fields['telephony_call_ids'].inverse_name
        counts, missed = Counter(), Counter()
        for record, outcome, count in self.env['telephony.call']._read_group(
            [(field, 'in', self._telephony_family())], [field, 'outcome'], ['__count'],
        ):
            counts[record.id] += count
            if outcome in LOST_OUTCOMES:
                missed[record.id] += count
        for record in self:
            family = record._telephony_family()
            record.telephony_call_count = sum(counts[one] for one in family)
            record.telephony_missed_count = sum(missed[one] for one in family)

    def action_view_telephony_calls(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id('crm_telephony.telephony_call_action')
        field = self._fields['telephony_call_ids'].inverse_name
        action['domain'] = [(field, 'in', self._telephony_family())]
        action['context'] = {}
        return action
