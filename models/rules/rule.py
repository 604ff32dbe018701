import logging
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, format_amount, format_list

from ...tools.records import label_of
from ...tools.working_hours import Openings
from ..callbacks import ledger
from ..calls.call import OUTCOMES
from ..core.words_field import WordsField, in_words
from .rule_action import CALLBACK_KINDS

_logger = logging.getLogger(__name__)

# Conditions that hold for every call when they are empty, in the order of the summary.
RECORD_CONDITIONS = ('number_ids', 'source_ids', 'team_ids', 'account_ids', 'category_ids')


class Planned(NamedTuple):
    """One effect that a rule would have on a call. `due_at` is naive UTC; `users` are those whom it
    is for, possibly nobody; `error` is what went wrong while it was planned."""

    call: models.Model
    rule: models.Model
    action: models.Model
    due_at: object = None
    users: models.Model = None
    error: Exception = None

    def as_promise(self):
        """As the ledger takes it, None for what could not be planned."""
        if self.error:
            return None
        return ledger.Promise(
            self.action.kind,
            self.due_at,
            self.action.priority,
            self.users[:1].id or None,
            self.rule.id,
        )


class TelephonyRule(models.Model):
    """Conditions on an ended call, and the actions that follow if all of them hold.

    Every rule that fits a call acts, in their order, until one says that no further rule is asked.
    A call has room for one callback only, so the first rule that opens (or gives up) one decides
    about it. Deciding (:meth:`_plan`) writes nothing.
    """

    _name = 'telephony.rule'
    _description = "Telephony rule"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    company_id = fields.Many2one('res.company', help="Empty: for every company.")
    summary = fields.Char(string="In Words", compute='_compute_summary')
    stop = fields.Boolean(
        string="No Further Rules",
        help="When this rule fits a call, the rules below it are not asked any more.",
    )

    outcome = fields.Selection(OUTCOMES, default='missed', help="Empty: any.")
    direction = fields.Selection(
        [('inbound', "Inbound"), ('outbound', "Outbound")], default='inbound', help="Empty: both."
    )
    working_time = fields.Selection(
        [('in', "In working hours"), ('out', "Out of working hours")],
        string="When",
        help="Working hours of the company's number, else of its team, else of the company; holidays are no working time. "
        "Empty: at any time.",
    )
    wait_over = fields.Integer(string="Waited More Than (s)", help="0: however long.")
    wait_most = fields.Integer(string="Waited at Most (s)", help="0: however long.")
    menu_too = fields.Boolean(
        string="Also Who Left in the Menu",
        help="Callers who hung up so soon in the menu that they did not want to talk to us.",
    )
    talk_over = fields.Integer(string="Talked More Than (s)", help="0: however long.")
    talk_most = fields.Integer(string="Talked at Most (s)", help="0: however long.")
    contact = fields.Selection(
        [('short', "Short talk"), ('real', "Real talk")],
        string="Kind of Talk",
        help="A talk below the company's threshold is short and no full contact. Empty: any.",
    )
    result_wait = fields.Integer(
        string="No Result Within (min)",
        help="Waits so long for the result of the call, and asks only if none is saved. What it has asked goes when the "
        "result comes after all. 0: does not ask about the result.",
    )
    attempt_least = fields.Integer(
        string="From Attempt",
        help="Of our vain attempts to reach the customer, this one included. 0: from the first.",
    )
    attempt_most = fields.Integer(string="Up to Attempt", help="0: without end.")
    repeat_least = fields.Integer(
        string="Calls in 24 Hours, at Least",
        help="Calls from this customer, this one included. 0: any number.",
    )
    number_ids = fields.Many2many('telephony.number', string="Company Numbers")
    source_ids = fields.Many2many(
        'utm.source', string="Sources", help="Sources of the company's number or of the deal."
    )
    team_ids = fields.Many2many(
        'crm.team', string="Sales Teams", help="Teams of the deal or of the company's number."
    )
    account_ids = fields.Many2many('telephony.account', string="PBXs")
    caller = fields.Selection(
        [('known', "Known contact or deal"), ('unknown', "Unknown number")],
        string="Customer",
        help="Empty: any.",
    )
    category_ids = fields.Many2many(
        'res.partner.category',
        string="Contact Tags",
        help="The contact or its company has one of these, such as VIP.",
    )
    answered_by = fields.Selection(
        [
            ('owner', "The customer's salesperson"),
            ('other', "Somebody else than the salesperson"),
            ('nobody', "Nobody"),
        ],
        help="The salesperson of the deal, or else of the contact. Empty: any.",
    )
    amount_least = fields.Float(
        string="Expected Revenue From",
        help="Of the deal, in the company's currency. 0: any.",
        digits=(16, 2),
    )

    action_ids = fields.One2many('telephony.rule.action', 'rule_id', string="Actions", copy=True)
    effect_ids = fields.One2many('telephony.effect', 'rule_id', string="What It Did", readonly=True)
    effect_count = fields.Integer(compute='_compute_effect_count')
    error = WordsField(string="Latest Error", readonly=True, copy=False)
    error_at = fields.Datetime(readonly=True, copy=False)

    # === COMPUTES === #

    def _compute_effect_count(self):
        counts = {
            rule.id: count
            for rule, count in self.env['telephony.effect']._read_group(
                [('rule_id', 'in', self.ids)], ['rule_id'], ['__count']
            )
        }
        for rule in self:
            rule.effect_count = counts.get(rule.id, 0)

    @api.depends_context('lang')
    @api.depends(
        'outcome',
        'direction',
        'working_time',
        'wait_over',
        'wait_most',
        'menu_too',
        'talk_over',
        'talk_most',
        'contact',
        'attempt_least',
        'attempt_most',
        'result_wait',
        'repeat_least',
        'caller',
        'answered_by',
        'amount_least',
        'company_id',
        *RECORD_CONDITIONS,
        'action_ids.summary',
    )
    def _compute_summary(self):
        for rule in self:
            actions = [action.summary for action in rule.action_ids if action.summary]
            rule.summary = self.env._(
                "%(conditions)s → %(actions)s",
                conditions=", ".join(rule._condition_words()),
                actions=", ".join(actions) or self.env._("nothing"),
            )

    def _condition_words(self):
        """Return the conditions as a person would say them, in a list."""
        _ = self.env._
        words = [label_of(self, 'outcome') if self.outcome else _("Any outcome")]
        words += [
            label_of(self, name) for name in ('direction', 'contact', 'working_time') if self[name]
        ]
        for value, text in (
            (self.wait_over, _("waited more than %s s", self.wait_over)),
            (self.wait_most, _("waited at most %s s", self.wait_most)),
            (self.menu_too, _("also who left in the menu")),
            (self.talk_over, _("talked more than %s s", self.talk_over)),
            (self.talk_most, _("talked at most %s s", self.talk_most)),
            (self.attempt_least, _("from attempt %s on", self.attempt_least)),
            (self.attempt_most, _("up to attempt %s", self.attempt_most)),
            (self.result_wait, _("no result within %s min", self.result_wait)),
            (self.repeat_least, _("at least %s calls in 24 hours", self.repeat_least)),
            (
                self.amount_least,
                _(
                    "deal of at least %s",
                    format_amount(
                        self.env,
                        self.amount_least,
                        (self.company_id or self.env.company).currency_id,
                    ),
                ),
            ),
            (self.answered_by, _("answered by: %s", label_of(self, 'answered_by').lower())),
        ):
            if value:
                words.append(text)
        if self.caller:
            words.append(label_of(self, 'caller'))
        for name in RECORD_CONDITIONS:
            if self[name]:
                label = self._fields[name]._description_string(self.env)
                words.append(
                    f"{label}: {format_list(self.env, self[name].mapped('display_name'), 'or')}"
                )
        return [words[0], *(word[:1].lower() + word[1:] for word in words[1:])]

    @api.onchange('outcome', 'direction')
    def _onchange_outcome(self):
        """Clear the conditions that the chosen outcome and direction hide, because a hidden condition
        would still apply."""
        if self.outcome == 'answered':
            self.wait_over = self.wait_most = 0
        elif self.outcome:
            self.contact = self.answered_by = False
            self.talk_over = self.talk_most = 0
        if self.direction == 'inbound':
            self.attempt_least = self.attempt_most = 0
        elif self.direction == 'outbound':
            self.repeat_least = 0

    # === CRUD === #

    def write(self, vals):
        if 'error' not in vals:  # a change may have mended the rule; if not, the error comes again
            vals = {**vals, 'error': False, 'error_at': False}
        return super().write(vals)

    def _failed(self, error):
        """Store the error on the rule, so that the other rules go on."""
        _logger.error(
            "telephony rule %s failed: see the error on the rule; the other rules acted",
            self.ids,
            exc_info=error,
        )
        self.write({'error': in_words(error), 'error_at': fields.Datetime.now()})

    # === ACTIONS === #

    def action_view_effects(self):
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'crm_telephony.telephony_effect_action'
        )
        return {**action, 'domain': [('rule_id', '=', self.id)], 'context': {}}

    # === DECIDING === #

    @api.model
    def _of(self, company):
        """Return the rules of a company, in their order."""
        return self.search(Domain('company_id', 'in', [False, company.id]))

    def _plan(self, calls):
        """Return what these rules would make of ended calls. Reads only.

        :return: list of :class:`Planned`, call by call and rule by rule
        """
        planner = Planner(self, calls)
        return [planned for call in calls for planned in planner.plan(call)]

    def _fits(self, facts):
        """Return whether all conditions hold.

        :param facts: :class:`CallFacts`
        """
        self.ensure_one()
        call = facts.call
        return (
            self.company_id in (call.company_id, self.company_id.browse())
            and self._fits_outcome(call)
            and self.contact
            in (False, 'real' if call.is_reached else 'short' if call.is_short else None)
            and not (self.result_wait and call.disposition_id)
            and _within(call.wait_seconds, self.wait_over, self.wait_most)
            and (self.menu_too or call.service_class != 'menu')
            and _within(call.talk_seconds, self.talk_over, self.talk_most)
            and _within(facts.attempt, self.attempt_least - 1, self.attempt_most)
            and (not self.number_ids or call.number_id in self.number_ids)
            and (not self.account_ids or call.account_id in self.account_ids)
            and (
                not self.source_ids
                or (call.number_id.source_id | call.lead_id.source_id) & self.source_ids
            )
            and (
                not self.team_ids
                or (call.lead_id.team_id or call.number_id.team_id) in self.team_ids
            )
            and self.caller in (False, 'known' if facts.is_known else 'unknown')
            and (
                not self.category_ids
                or (call.partner_id | call.partner_id.commercial_partner_id).category_id
                & self.category_ids
            )
            and (not self.amount_least or call.lead_id.expected_revenue >= self.amount_least)
            and self.answered_by in (False, facts.answered_by)
            and (not self.repeat_least or facts.repeats >= self.repeat_least)
            and self.working_time in (False, facts.working_time)
        )

    def _fits_outcome(self, call):
        return self.outcome in (False, call.outcome) and self.direction in (False, call.direction)


class Planner:
    """Asks rules about calls. Reads only, and once what several calls need.

    :param rules: in their order
    :param calls: all calls that will be asked about
    """

    def __init__(self, rules, calls):
        self.rules = rules.sudo()
        self.calls = calls.sudo()
        self.openings = Openings()
        self.failures = {}  # rule → the error of its conditions

    @cached_property
    def repeats(self):
        """Count the calls from each customer in the 24 hours up to the call, itself included: dict
        call id → count."""
        self.calls.flush_model(['customer_number', 'company_id', 'direction', 'start_at'])
        return (
            dict(
                self.calls.env.execute_query(
                    SQL(
                        """ SELECT asked.id, COUNT(*)
                  FROM telephony_call asked
                  JOIN telephony_call before ON before.customer_number = asked.customer_number
                   AND before.company_id = asked.company_id AND before.direction = 'inbound'
                   AND before.start_at BETWEEN asked.start_at - INTERVAL '24 hours' AND asked.start_at
                 WHERE asked.id IN %s
              GROUP BY asked.id """,
                        tuple(self.calls.ids),
                    )
                )
            )
            if self.calls
            else {}
        )

    @cached_property
    def failed(self):
        """Count the attempts before each call that could not be placed, because these did not reach
        the customer's phone: dict call id → count."""
        later = self.calls.filtered(lambda call: call.attempt > 1)
        self.calls.flush_model(
            ['customer_number', 'company_id', 'direction', 'start_at', 'outcome', 'attempt']
        )
        return (
            dict(
                self.calls.env.execute_query(
                    SQL(
                        """ SELECT call.id, COUNT(*)
                  FROM telephony_call call, LATERAL (
                       SELECT earlier.outcome FROM telephony_call earlier
                        WHERE earlier.customer_number = call.customer_number AND earlier.company_id = call.company_id
                          AND earlier.direction = 'outbound' AND (earlier.start_at, earlier.id) < (call.start_at, call.id)
                     ORDER BY earlier.start_at DESC, earlier.id DESC
                        LIMIT call.attempt - 1) before
                 WHERE call.id IN %s AND before.outcome = 'failed'
              GROUP BY call.id """,
                        tuple(later.ids),
                    )
                )
            )
            if later
            else {}
        )

    def plan(self, call, attempt=None):
        """Return what the rules make of one ended call.

        :param attempt: which attempt of its callback it is; by default the call's own count
        :return: list of :class:`Planned`
        """
        call = call.sudo()
        if call.direction == 'internal' or not call.customer_number or call.is_excluded:
            return []
        facts = CallFacts(
            self, call, call.attempt - self.failed.get(call.id, 0) if attempt is None else attempt
        )
        plan, has_callback = [], False
        for rule in self.rules:
            try:
                fits = rule._fits(facts)
            except Exception as error:  # noqa: BLE001 - the others are asked all the same
                self.failures[rule] = error
                continue
            if not fits:
                continue
            for action in rule.action_ids:
                if action.kind in CALLBACK_KINDS:
                    if has_callback:
                        continue
                    has_callback = True
                plan.append(self._planned(call, rule, action))
            if rule.stop:
                break
        return plan

    def _planned(self, call, rule, action):
        try:
            due = max(
                action._due_at(call, self.openings.of(call)),
                call._moment() + timedelta(minutes=rule.result_wait),
            )
            return Planned(call, rule, action, due, action._users(call, due))
        except Exception as error:  # noqa: BLE001 - whoever does it says so, and the other actions go on
            return Planned(call, rule, action, error=error)


class CallFacts:
    """What rules ask about a call beyond its fields, worked out when first asked."""

    def __init__(self, planner, call, attempt):
        self.planner, self.call, self.attempt = planner, call, attempt

    @cached_property
    def working_time(self):
        call = self.call
        return (
            'in'
            if self.planner.openings.of(call).is_open(call.start_at or call._moment())
            else 'out'
        )

    @cached_property
    def answered_by(self):
        """Who talked, a value of the rule's `answered_by`; False if the customer has no
        salesperson."""
        call, owner = self.call, self.call._owner()
        if call.outcome != 'answered':
            return 'nobody'
        talkers = call.user_id | call.leg_ids.filtered('talk_seconds').user_id
        return ('owner' if owner in talkers else 'other') if owner else False

    @cached_property
    def is_known(self):
        """Whether the customer was known before the call: a deal that was made of this very call
        does not count."""
        call = self.call
        return bool(
            call.partner_id or call.lead_id and call.lead_id.telephony_origin_call_id != call
        )

    @cached_property
    def repeats(self):
        return self.planner.repeats.get(self.call.id, 0)


def _within(value, over, most):
    """Return whether a value is above `over` and at most `most`; 0 and less are no limits."""
    return (over <= 0 or value > over) and (most <= 0 or value <= most)
