import logging
from datetime import timedelta

from markupsafe import Markup

from odoo import api, fields, models
from odoo.fields import Domain

from .telephony_call import CONCURRENCY_ERRORS, clock, next_try
from .telephony_rule import Planner
from .telephony_rule_action import PROMISES

_logger = logging.getLogger(__name__)


class TelephonyCall(models.Model):
    """What an ended call leads to: a line in the chatter, and what the rules make of it. Done by scheduled action, never
    in the webhook."""
    _inherit = 'telephony.call'

    promised_time = fields.Char(
        compute='_compute_promised_time', help="When the customer is called back, in the time of where the customer is.")
    effect_ids = fields.One2many('telephony.effect', 'call_id', string="What Followed", readonly=True)

    @api.model
    def _cron_follow_up(self, batch_size=100):
        """Chatter and callbacks of ended calls, in batches; one bad record never stops the rest."""
        again = self.search([('follow_up_next_at', '<=', fields.Datetime.now())], limit=1000)
        again.write({'follow_up': 'todo', 'follow_up_next_at': False})
        self.env['telephony.callback']._plan_lost_activities()
        domain = Domain('follow_up', '=', 'todo')
        while calls := self.search(domain, limit=batch_size, order='ended_at, id'):
            try:
                with self.env.cr.savepoint():
                    calls._follow_up()
            except CONCURRENCY_ERRORS:  # a webhook writes one of them: the next turn
                self.env.cr.rollback()
                self.env.ref('crm_telephony.ir_cron_follow_up')._trigger(fields.Datetime.now() + timedelta(minutes=1))
                self.env.cr.commit()    # pylint: disable=invalid-commit
                return
            except Exception:   # noqa: BLE001 - find the one that is bad
                for call in calls:
                    call._follow_up_alone()
            if not self.env['ir.cron']._commit_progress(len(calls), remaining=self.search_count(domain)):
                break

    def _follow_up_alone(self):
        try:
            with self.env.cr.savepoint():
                self._follow_up()
        except CONCURRENCY_ERRORS:
            raise
        except Exception as error:
            _logger.exception("follow-up of call %s failed", self.id)
            attempts = self.follow_up_attempts + 1
            self.write({
                'follow_up': 'error', 'follow_up_error': str(error)[:500] or type(error).__name__,
                'follow_up_attempts': attempts, 'follow_up_next_at': next_try(attempts),
            })

    def action_follow_up_again(self):
        """After the cause was mended."""
        self.check_access('write')
        self.sudo().write({'follow_up': 'todo', 'follow_up_attempts': 0, 'follow_up_next_at': False})
        self.env.ref('crm_telephony.ir_cron_follow_up').sudo()._trigger()
        return True

    def _follow_up(self):
        # attempts are the company's, filed by one filer an account: only here does one process see them all
        self._count_attempts()
        for company, calls in self.grouped('company_id').items():
            calls = calls.with_company(company).with_context(lang=company.partner_id.lang or self.env.lang)
            calls._log_in_chatter()
            calls._apply_rules()
        self.write({'follow_up': 'done', 'follow_up_error': False, 'follow_up_attempts': 0})

    def _log_in_chatter(self):
        """One line on the deal, or else the contact, of each call; corrected where the call has changed since."""
        told = self.filtered('message_id')
        for call in told:
            call.message_id.sudo().body = call._chatter_line()
        waiting = (self - told).filtered(lambda call: call.lead_id or call.partner_id)
        for model, calls in waiting.grouped(lambda call: 'crm.lead' if call.lead_id else 'res.partner').items():
            while calls:    # a batch takes one line a record, so further calls of one record go round again
                turn = self.browse(call[:1].id for call in calls.grouped(
                    lambda call: (call.lead_id or call.partner_id).id).values())
                bodies = {(call.lead_id or call.partner_id).id: call.with_env(self.env)._chatter_line() for call in turn}
                messages = self.env[model].browse(bodies)._message_log_batch(
                    bodies=bodies, author_id=self.env.ref('base.partner_root').id)
                by_record = {message.res_id: message.id for message in messages}
                for call in turn:
                    call.message_id = by_record[(call.lead_id or call.partner_id).id]
                calls -= turn

    def _chatter_line(self):
        outcomes = dict(self._fields['outcome']._description_selection(self.env))
        directions = dict(self._fields['direction']._description_selection(self.env))
        parts = [outcomes.get(self.outcome) or self.env._("end unknown")]
        if self.user_id:
            parts.append(self.user_id.name)
        if self.outcome == 'answered':
            parts.append(self.env._("talk %(clock)s", clock=clock(self.talk_seconds)))
        else:
            parts.append(self.env._("wait %(clock)s", clock=clock(self.wait_seconds)))
        return Markup('<span class="fa fa-phone me-1"></span><a href="#" data-oe-model="telephony.call" data-oe-id="%s">'
                      '%s %s</a>: %s') % (
            self.id, directions[self.direction], self.customer_number or '', ", ".join(parts))

    # === RULES === #

    def _apply_rules(self):
        """Do what the rules make of these calls of one company, in the order in which they ended."""
        callbacks = self.env['telephony.callback']
        rules = self.env['telephony.rule']._of(self.company_id)
        planner = Planner(rules, self)
        for call in self:
            callback = callbacks._open_of(call)
            if callback and call.direction == 'outbound':
                callback._count_attempts()
            # a promise has attempts of its own: a new loss after many vain tries deserves new ones
            plan = planner.plan(call, callback.attempt_count if callback else None)
            promise = None if call._is_reached() else next(
                (planned for planned in plan if planned.action.kind in PROMISES), None)
            if promise and promise.error:
                raise promise.error
            callbacks._after_call(call, callback, promise)

    def _owner(self):
        """The customer's salesperson: the deal's, or else the contact's or its company's."""
        return self.lead_id.user_id or self.partner_id.user_id or self.partner_id.commercial_partner_id.user_id
