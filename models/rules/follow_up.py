import logging

import pytz

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import format_datetime

from ...providers.numbers import zones_of
from ...tools import turns
from ...tools.clocks import clock, next_try
from ...tools.records import label_of
from ...tools.words import _lt
from ..core.words_field import in_words
from .judge import Judge, promise_of
from .rule import Planner

_logger = logging.getLogger(__name__)


class TelephonyCall(models.Model):
    """The follow-up of an ended call: a line in the chatter, and what the rules make of it. A
    scheduled action does it, because a PBX waits for the webhook."""

    _inherit = 'telephony.call'

    promised_time = fields.Char(
        compute='_compute_promised_time',
        help="When the customer is called back, in the customer's time zone. For texts to customers.",
    )
    effect_ids = fields.One2many(
        'telephony.effect', 'call_id', string="What Followed", readonly=True
    )

    @api.model
    def _cron_follow_up(self, batch_size=100):
        """Follow up ended calls in batches. One call that fails never stops the others."""
        self._make_leads_while_ringing()
        domain = Domain('follow_up', '=', 'todo')
        # a webhook writes one of them, or has since we looked: the next turn
        with turns.gives_way(self.env, 'crm_telephony.ir_cron_follow_up'):
            again = self.search([('follow_up_next_at', '<=', fields.Datetime.now())], limit=1000)
            again.write({'follow_up': 'todo', 'follow_up_next_at': False})
            self.env['telephony.callback']._plan_lost_activities()
            self.env['ir.cron']._commit_progress()
            while calls := self.search(domain, limit=batch_size, order='ended_at, id'):
                # another scheduler may have some of them: it does them
                calls = calls.try_lock_for_update(allow_referencing=True).filtered_domain(domain)
                if not calls:
                    turns.wake_cron_later(self.env, 'crm_telephony.ir_cron_follow_up')
                    return
                calls._follow_up_batch()
                if not self.env['ir.cron']._commit_progress(
                    len(calls), remaining=self.search_count(domain)
                ):
                    break
                # the next batch needs nothing of this one: memory stays flat
                self.env.invalidate_all()

    def _follow_up_batch(self):
        with turns.isolated(self.env.cr) as trial:
            self._follow_up()
        if trial.error:  # find the call that fails
            for call in self:
                call._follow_up_alone()

    def _follow_up_alone(self):
        """Follow up one call, and do each of its effects by itself: what fails is noted and tried
        again, the others are done."""
        with turns.isolated(
            self.env.cr,
            _logger,
            "follow-up of call %s failed (try %s) and is tried again later. "
            "Filter Calls by Follow-Up Failed to see the reason.",
            self.id,
            self.follow_up_attempts + 1,
        ) as trial:
            self._follow_up(careful=True)
        if trial.error:
            self._follow_up_failed(in_words(trial.error))
        elif failed := self.effect_ids.filtered(lambda effect: effect._is_to_be_repeated()):
            self._follow_up_failed(failed[0].note)

    def _follow_up_failed(self, error):
        attempts = self.follow_up_attempts + 1
        self.write(
            {
                'follow_up': 'error',
                'follow_up_error': error,
                'follow_up_attempts': attempts,
                'follow_up_next_at': next_try(attempts),
            }
        )
        self._settle_owners()  # whoever enters the customer meanwhile must not become a listener

    def action_follow_up_again(self):
        """Run the follow-up of failed calls again."""
        self.check_access('unlink')  # an administrator's business
        self.sudo().write(
            {'follow_up': 'todo', 'follow_up_attempts': 0, 'follow_up_next_at': False}
        )
        self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()
        return True

    def _follow_up(self, careful=False):
        """Make deals by policy, write chatter lines and apply the rules to these ended calls.

        :param careful: an effect that fails is noted as failed, instead of raising
        """
        self._create_wanted_leads()
        # recount here: attempts are the company's, and each of its accounts has a filer that sees
        # only its own calls
        self._recount_customers()
        for company, calls in self.grouped('company_id').items():
            calls = calls.with_company(company).with_context(lang=company._telephony_lang())
            calls._log_in_chatter()
            calls._apply_rules(careful)
            # of past calls too, about which no rule is asked
            calls.effect_ids.filtered(
                lambda effect: effect._is_answered() and effect._is_still_asked()
            )._take_back(_lt("The result was saved"))
        self.write(
            {'follow_up': 'done', 'follow_up_error': False}
            if careful
            else {'follow_up': 'done', 'follow_up_error': False, 'follow_up_attempts': 0}
        )
        self._settle_owners()

    # === RULES === #

    def _apply_rules(self, careful=False):
        """Do what the rules make of these calls of one company, in the order in which they ended.

        :param careful: an effect that fails is noted as failed, instead of raising
        """
        judged = self.filtered(lambda call: not call._is_past())
        planner = Planner(self.env['telephony.rule']._of(self.company_id), judged)
        # callbacks count in the same hours
        self = self.with_context(telephony_openings=planner.openings)
        judge = Judge(planner, judged, careful)
        outcomes = self._balance_callbacks(judge)
        plans = {
            call: judge.plans[call.id]
            if call.id in judge.plans
            else planner.plan(call, judge.attempts.get(call.id))
            for call in judged
        }
        calls = self
        while calls:  # one call of a customer at a time: the next one finds what has become of it
            turn = self.browse(
                same[:1].id
                for same in calls.grouped(lambda call: call.customer_number or call.id).values()
            )
            turn._clear_checked_numbers()
            self.env['telephony.effect']._follow(
                {
                    call: (plans[call], call._promise_values(judge, outcomes.get(call.id)))
                    for call in turn
                    if call in plans
                },
                careful,
            )
            calls -= turn
        if judge.again:  # their other effects are another attempt's, too
            self.browse(judge.again).follow_up = 'todo'
        for rule, error in planner.failures.items():
            rule._failed(error)
        self._after_rules_applied(planner.openings)

    def _after_rules_applied(self, openings):
        """Runs when the rules have been applied to these calls of one company, past ones included.

        :param Openings openings: the working hours, as far as the rules have read them
        """

    def _balance_callbacks(self, judge):
        """Bring the callbacks of these calls' customers up to date, and those of numbers that these
        calls were taken to have.

        :return: dict call id → what became of it
        """
        callbacks = self.env['telephony.callback']
        touched = (
            callbacks.search([('closing_call_id', 'in', self.ids)])
            | self.callback_id
            | self.effect_ids.callback_id
        ).filtered(lambda callback: not callback._is_sealed())
        since = {}
        for call in self:
            numbers = {call.customer_number} if call.direction != 'internal' else set()
            for number in filter(None, numbers):
                since[number] = min(since.get(number, call._moment()), call._moment())
        for callback in touched:
            if callback.customer_number not in since:
                since[callback.customer_number] = callback.lost_at
        return callbacks._balance(self.company_id, since, judge, self, touched)

    def _promise_values(self, judge, outcome):
        """Values of the effect of what the rules promise after this call."""
        planned = promise_of(judge.plans.get(self.id, ()))
        if not outcome:
            if not planned or planned.action.kind != 'give_up':
                return {}
            return {
                'state': 'skipped',
                'attempt': 0,
                'note': _lt("There is no callback to give up"),
            }
        if outcome.what == 'served':
            values = {
                'state': 'skipped',
                'callback_id': outcome.callback.id,
                'note': _lt("The customer was reached meanwhile"),
            }
        else:
            note = {
                'opened': _lt("Callback opened"),
                'joined': _lt("Joined the open callback"),
                'gave_up': _lt("The owner decides"),
            }[outcome.what]
            values = {'state': 'done', 'callback_id': outcome.callback.id, 'note': note}
        if planned:
            values.update(due_at=planned.due_at, priority=planned.action.priority)
        if self.direction == 'outbound':
            values['attempt'] = judge.attempts.get(self.id) or 1
        return {**values, 'done_at': fields.Datetime.now()}

    def _clear_checked_numbers(self):
        """Unmark numbers that were to be checked, once somebody has talked to us from them."""
        for call in self.filtered(lambda call: call.is_reached):
            for record in (call.lead_id, call.partner_id):
                if (
                    record.telephony_check_number
                    and record.telephony_check_number == call.customer_number
                ):
                    record.telephony_check_number = False

    # === WHAT RULES AND THEIR EFFECTS ASK ABOUT A CALL === #

    def _open_callback(self):
        return (
            self.env['telephony.callback']._open_of(self).get(self, self.env['telephony.callback'])
        )

    @api.model
    def _busy(self, company, number, user):
        """Return in words why a redial has to wait: the customer or the employee talks, or their
        phone rings. '' if neither does."""
        live = self.search(
            self._live_domain()
            & Domain('company_id', '=', company.id)
            & (
                Domain('customer_number', '=', number)
                | Domain('user_id', '=', user.id)
                | Domain('leg_ids.user_id', '=', user.id)
            )
        )
        if with_us := live.filtered(lambda call: call.customer_number == number)[:1]:
            return _lt(
                "%(user)s is talking to the customer",
                user=with_us.user_id.name or with_us.extension or "?",
            )
        # the user's phone may have rung for a colleague, or have handed the call on; the user of the
        # call counts if none of their phones is in it
        busy = live.filtered(
            lambda call: user
            in (call.leg_ids._running() if user in call.leg_ids.user_id else call).user_id
        )
        return _lt("%(user)s is on the phone", user=user.name) if busy else ''

    def _customer_lang(self):
        """Return the code of the customer's language, for strangers of the company's."""
        lang = self.partner_id.lang or self.lead_id.lang_code or self.company_id._telephony_lang()
        return lang if lang and self.env['res.lang']._lang_get(lang) else self.env.lang or 'en_US'

    def _customer_zone(self):
        """Return the time zone of the customer: that of the number if there is only one, else the
        contact's, else the company's."""
        zones = zones_of(self.customer_number)
        if len(zones) == 1 and zones[0] in pytz.all_timezones_set:
            return pytz.timezone(zones[0])
        return self.company_id._telephony_zone(self.partner_id)

    @api.depends_context('lang')
    def _compute_promised_time(self):
        callbacks, now = self.env['telephony.callback']._open_of(self), fields.Datetime.now()
        for call in self:
            if call not in callbacks:
                call.promised_time = False
                continue
            zone = call._customer_zone()
            due, today = (
                pytz.utc.localize(moment).astimezone(zone).date()
                for moment in (callbacks[call].due_at, now)
            )
            call.promised_time = format_datetime(
                self.env,
                callbacks[call].due_at,
                tz=zone.zone,
                dt_format='HH:mm' if due == today else 'EEEE, d MMMM, HH:mm',
            )

    def _question(self):
        """Return the sentence that asks the responsible user about this call."""
        who = self.customer_name or self.customer_number
        if self.is_short:
            return self.env._(
                "Only %(clock)s with %(who)s: what was it about?",
                clock=clock(self.talk_seconds),
                who=who,
            )
        return f"{label_of(self, 'outcome')}: {who}"
