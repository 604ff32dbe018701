from collections import Counter
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
# So many effects are listed; all are counted.
MOST_LINES = 2000


class TelephonyRehearsal(models.TransientModel):
    """What rules would have done in a past period, without doing anything: before one is switched
    on."""

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
        help="What they would have done among the active rules, whether they are active themselves or not. Empty: all "
        "active rules.",
    )
    without_ids = fields.Many2many(
        'telephony.rule',
        'telephony_rehearsal_without_rel',
        string="Without",
        context={'active_test': False},
        help="Active rules that are not asked: the old one, when you rehearse a changed copy of it.",
    )
    is_played = fields.Boolean()
    call_count = fields.Integer(string="Calls", readonly=True)
    hit_count = fields.Integer(string="Calls That Fit", readonly=True)
    effect_count = fields.Integer(string="Effects", readonly=True)
    opened_count = fields.Integer(string="Callbacks", readonly=True)
    saved_count = fields.Integer(
        string="Closed by a Call",
        readonly=True,
        help="Callbacks whose customer was really talked to afterwards, as it was.",
    )
    out_of_hours_count = fields.Integer(string="After Hours", readonly=True)
    out_of_hours_share = fields.Float(string="After-Hours Share", readonly=True)
    absent_count = fields.Integer(string="To Somebody on Leave", readonly=True)
    nobody_count = fields.Integer(string="To Nobody", readonly=True)
    failures = fields.Text(
        readonly=True, help="Rules that could not be asked whether they fit, and why."
    )
    total_ids = fields.One2many('telephony.rehearsal.total', 'rehearsal_id', readonly=True)
    line_ids = fields.One2many('telephony.rehearsal.line', 'rehearsal_id', readonly=True)

    def _compute_display_name(self):
        self.display_name = self.env._("Rehearsal")

    @api.constrains('date_from', 'date_to')
    def _check_dates(self):
        for rehearsal in self:
            if rehearsal.date_from > rehearsal.date_to:
                raise ValidationError(self.env._("The period ends before it begins."))

    def action_play(self):
        """Play the period anew; the form shows what came of it."""
        self.ensure_one()
        rules = self._rules()
        rehearsal, shown = Rehearsal(rules, self.company_id), self.rule_ids or rules
        totals, lines, hits, numbers = {}, [], set(), Counter()
        for played in rehearsal.play(*self._period()):
            planned = played.planned
            if planned.rule not in shown:
                continue
            total = totals.setdefault(planned.action, Counter())
            facts = {
                'effect_count': 1,
                played.result: 1,
                'out_of_hours_count': played.out_of_hours,
                'absent_count': bool(played.absent),
                'nobody_count': not planned.users and planned.action.kind == 'callback',
            }
            total.update(facts)
            numbers.update(facts)
            hits.add(planned.call.id)
            if len(lines) < MOST_LINES:
                lines.append(
                    {
                        'call_id': planned.call.id,
                        'rule_id': planned.rule.id,
                        'kind': planned.action.kind,
                        'result': played.result,
                        'due_at': planned.due_at,
                        'user_id': planned.users[:1].id if planned.users else False,
                        'is_out_of_hours': played.out_of_hours,
                        'is_absent': bool(played.absent),
                    }
                )
        self.write(
            {
                'is_played': True,
                'call_count': rehearsal.call_count,
                'hit_count': len(hits),
                'effect_count': numbers['effect_count'],
                'opened_count': numbers['opened'],
                'saved_count': rehearsal.saved_count,
                'out_of_hours_count': numbers['out_of_hours_count'],
                'out_of_hours_share': numbers['out_of_hours_count']
                / (numbers['effect_count'] or 1),
                'absent_count': numbers['absent_count'],
                'nobody_count': numbers['nobody_count'],
                'failures': "\n".join(
                    f"{rule.name}: {told(self.env, in_words(error))}"
                    for rule, error in rehearsal.failures.items()
                ),
                'total_ids': [
                    fields.Command.clear(),
                    *(
                        fields.Command.create(
                            {
                                'rule_id': action.rule_id.id,
                                'action_id': action.id,
                                **{
                                    name: total[name]
                                    for name in (
                                        'effect_count',
                                        'out_of_hours_count',
                                        'absent_count',
                                        *dict(RESULTS),
                                    )
                                },
                            }
                        )
                        for action, total in sorted(
                            totals.items(), key=lambda item: rules.ids.index(item[0].rule_id.id)
                        )
                    ),
                ],
                'line_ids': [fields.Command.clear(), *map(fields.Command.create, lines)],
            }
        )
        return True

    def action_view_lines(self):
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_rehearsal_line_action'
            ),
            'domain': [('rehearsal_id', '=', self.id)],
        }

    def _rules(self):
        """All rules that are asked, in their order: which one acts depends on those above it."""
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
        """From the beginning of the first day to the end of the last one, where the company works
        (naive UTC)."""
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
