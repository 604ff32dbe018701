from collections import Counter, defaultdict
from datetime import datetime, time, timedelta

import pytz

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ..models.core.words_field import in_words, told
from ..models.rules.rule_action import KINDS
from .rehearsal_play import Rehearsal

RESULTS = [
    ('opened', "Opens a callback"),
    ('joined', "Joins the open callback"),
    ('gave_up', "The owner decides"),
    ('done', "Does it"),
    ('skipped', "Does nothing"),
    ('error', "Fails"),
]
# How many effects are listed; all are counted.
MOST_LINES = 2000


class TelephonyRehearsal(models.TransientModel):
    """Shows what rules would have done in a past period, so that a rule can be tried before it is
    switched on. Nothing is done."""

    _name = 'telephony.rehearsal'
    _description = "Rehearsal of rules"

    company_id = fields.Many2one(
        'res.company', required=True, default=lambda self: self.env.company
    )
    date_from = fields.Date(
        string="From",
        required=True,
        default=lambda self: fields.Date.context_today(self) - timedelta(days=30),
    )
    date_to = fields.Date(
        string="To",
        required=True,
        default=lambda self: fields.Date.context_today(self) - timedelta(days=1),
    )
    rule_ids = fields.Many2many(
        'telephony.rule',
        'telephony_rehearsal_rule_rel',
        string="Rules",
        context={'active_test': False},
        help="The rules that are shown. They are played together with all active rules, even if they are not active "
        "themselves. Empty: all active rules.",
    )
    without_ids = fields.Many2many(
        'telephony.rule',
        'telephony_rehearsal_without_rel',
        string="Without",
        context={'active_test': False},
        help="Active rules that are left out, such as the old rule when you rehearse a changed copy of it.",
    )
    is_played = fields.Boolean()
    call_count = fields.Integer(string="Calls", readonly=True)
    hit_count = fields.Integer(string="Calls That Fit", readonly=True)
    effect_count = fields.Integer(string="Effects", readonly=True)
    opened_count = fields.Integer(string="Callbacks", readonly=True)
    saved_count = fields.Integer(
        string="Closed by a Call",
        readonly=True,
        help="Callbacks that a later talk with the customer, which did take place, would have closed.",
    )
    out_of_hours_count = fields.Integer(string="After Hours", readonly=True)
    out_of_hours_share = fields.Float(string="After-Hours Share", readonly=True)
    absent_count = fields.Integer(string="To Somebody on Leave", readonly=True)
    nobody_count = fields.Integer(string="To Nobody", readonly=True)
    failures = fields.Text(readonly=True, help="Rules whose conditions failed, and why.")
    total_ids = fields.One2many('telephony.rehearsal.total', 'rehearsal_id', readonly=True)
    line_ids = fields.One2many('telephony.rehearsal.line', 'rehearsal_id', readonly=True)

    def _compute_display_name(self):
        self.display_name = self.env._("Rehearsal")

    @api.constrains('date_from', 'date_to')
    def _check_dates(self):
        for rehearsal in self:
            if rehearsal.date_from > rehearsal.date_to:
                raise ValidationError(
                    self.env._("The period ends before it begins. Correct its dates.")
                )

    def action_play(self):
        """Play the period anew. The form then shows what would have followed."""
        self.ensure_one()
        rules = self._rules()
        rehearsal, shown = Rehearsal(rules, self.company_id), self.rule_ids or rules
        totals, lines, call_ids = defaultdict(Counter), [], set()
        for played in rehearsal.play(*self._period()):
            planned = played.planned
            if planned.rule not in shown:
                continue
            totals[planned.action].update(self._counts(played))
            call_ids.add(planned.call.id)
            if len(lines) < MOST_LINES:
                lines.append(self._line_values(played))
        in_order = sorted(totals, key=lambda action: rules.ids.index(action.rule_id.id))
        self.write(
            {
                **self._sums(sum(totals.values(), Counter())),
                'is_played': True,
                'call_count': rehearsal.call_count,
                'hit_count': len(call_ids),
                'saved_count': rehearsal.saved_count,
                'failures': "\n".join(
                    f"{rule.name}: {told(self.env, in_words(error))}"
                    for rule, error in rehearsal.failures.items()
                ),
                'total_ids': [
                    fields.Command.clear(),
                    *(
                        fields.Command.create(self._total_values(action, totals[action]))
                        for action in in_order
                    ),
                ],
                'line_ids': [fields.Command.clear(), *map(fields.Command.create, lines)],
            }
        )
        return True

    @staticmethod
    def _counts(played):
        """Return what one effect adds to the counts: dict name of a field → number."""
        planned = played.planned
        return {
            'effect_count': 1,
            played.result: 1,
            'out_of_hours_count': played.out_of_hours,
            'absent_count': bool(played.absent),
            'nobody_count': not planned.users and planned.action.kind == 'callback',
        }

    @staticmethod
    def _sums(counts):
        """Return the values of the form that sum up all effects."""
        return {
            'effect_count': counts['effect_count'],
            'opened_count': counts['opened'],
            'out_of_hours_count': counts['out_of_hours_count'],
            'out_of_hours_share': counts['out_of_hours_count'] / (counts['effect_count'] or 1),
            'absent_count': counts['absent_count'],
            'nobody_count': counts['nobody_count'],
        }

    @staticmethod
    def _total_values(action, counts):
        names = ('effect_count', 'out_of_hours_count', 'absent_count', *dict(RESULTS))
        return {
            'rule_id': action.rule_id.id,
            'action_id': action.id,
            **{name: counts[name] for name in names},
        }

    @staticmethod
    def _line_values(played):
        planned = played.planned
        return {
            'call_id': planned.call.id,
            'rule_id': planned.rule.id,
            'kind': planned.action.kind,
            'result': played.result,
            'due_at': planned.due_at,
            'user_id': planned.users[:1].id if planned.users else False,
            'is_out_of_hours': played.out_of_hours,
            'is_absent': bool(played.absent),
        }

    def action_view_lines(self):
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_rehearsal_line_action'
            ),
            'domain': [('rehearsal_id', '=', self.id)],
        }

    def _rules(self):
        """Return all rules that are played, in their order: which one acts depends on those above
        it."""
        return (
            self.env['telephony.rule']
            .with_context(active_test=False)
            .search(
                Domain('company_id', 'in', [False, self.company_id.id])
                & (
                    Domain('active', '=', True) & Domain('id', 'not in', self.without_ids.ids)
                    | Domain('id', 'in', self.rule_ids.ids)
                )
            )
        )

    def _period(self):
        """Return the beginning of the first day and the end of the last one in the company's time
        zone (naive UTC)."""
        zone = self.company_id._telephony_zone()
        return [
            zone.localize(datetime.combine(day, time())).astimezone(pytz.utc).replace(tzinfo=None)
            for day in (self.date_from, self.date_to + timedelta(days=1))
        ]


class TelephonyRehearsalTotal(models.TransientModel):
    """What one action of a rule would have done."""

    _name = 'telephony.rehearsal.total'
    _description = "Rehearsal of rules: total of an action"

    rehearsal_id = fields.Many2one(
        'telephony.rehearsal', required=True, ondelete='cascade', index=True
    )
    rule_id = fields.Many2one('telephony.rule', readonly=True, ondelete='cascade')
    action_id = fields.Many2one('telephony.rule.action', readonly=True, ondelete='cascade')
    summary = fields.Char(related='action_id.summary', string="What It Does")
    effect_count = fields.Integer(string="Effects", readonly=True)
    opened = fields.Integer(readonly=True)
    joined = fields.Integer(readonly=True)
    gave_up = fields.Integer(string="Given Up", readonly=True)
    done = fields.Integer(string="Carried Out", readonly=True)
    skipped = fields.Integer(string="Nothing", readonly=True)
    error = fields.Integer(string="Failed", readonly=True)
    out_of_hours_count = fields.Integer(string="After Hours", readonly=True)
    absent_count = fields.Integer(string="On Leave", readonly=True)


class TelephonyRehearsalLine(models.TransientModel):
    """One effect that a rule would have had."""

    _name = 'telephony.rehearsal.line'
    _description = "Rehearsal of rules: effect"

    rehearsal_id = fields.Many2one(
        'telephony.rehearsal', required=True, ondelete='cascade', index=True
    )
    call_id = fields.Many2one(
        'telephony.call', string="Phone Call", readonly=True, ondelete='cascade'
    )
    start_at = fields.Datetime(related='call_id.start_at', string="Time of the Call")
    customer_number = fields.Char(related='call_id.customer_number')
    customer_phone = fields.Char(related='call_id.customer_phone', string="Number")
    partner_id = fields.Many2one(related='call_id.partner_id')
    lead_id = fields.Many2one(related='call_id.lead_id')
    rule_id = fields.Many2one('telephony.rule', readonly=True, ondelete='cascade')
    kind = fields.Selection(KINDS, string="Action", readonly=True)
    result = fields.Selection(RESULTS, readonly=True)
    due_at = fields.Datetime(string="Due", readonly=True)
    user_id = fields.Many2one('res.users', string="For", readonly=True, ondelete='cascade')
    is_out_of_hours = fields.Boolean(string="After Hours", readonly=True)
    is_absent = fields.Boolean(string="On Leave", readonly=True)

    def action_open_call(self):
        self.ensure_one()
        return self.call_id._get_records_action()
