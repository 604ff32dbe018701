from datetime import timedelta

import pytz
from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import format_datetime

from ...tools import turns
from ...tools.records import label_of
from ...tools.words import _lt
from ...tools.working_hours import Openings
from ..core.words_field import WordsField, in_words
from .judge import promise_of
from .rule_action import CALLBACK_KINDS, KINDS

# A redial waits while the employee or the customer talks: so many minutes at a time, and so many
# minutes in all.
REDIAL_PAUSE_MINUTES = 2
REDIAL_PATIENCE_MINUTES = 30
# Actions that ask a PBX: they are done outside the transaction of the follow-up.
OUTSIDE = ('redial',)
# Actions whose due time is a person's deadline: they are done at once.
DEADLINES = ('activity', 'check_number')


class TelephonyEffect(models.Model):
    """What an action of a rule did, or will do, about one call: planned, done, skipped with the
    reason, or failed.

    A call and an action have one effect, whatever is replayed and however many schedulers run. When
    an effect falls due, its conditions are checked again, because the customer may have been
    reached meanwhile.
    """

    _name = 'telephony.effect'
    _description = "Effect of a telephony rule"
    _order = 'id desc'
    _rec_name = 'kind'

    call_id = fields.Many2one(
        'telephony.call',
        string="Phone Call",
        required=True,
        readonly=True,
        index=True,
        ondelete='cascade',
    )
    company_id = fields.Many2one(related='call_id.company_id', store=True, precompute=True)
    rule_id = fields.Many2one(
        'telephony.rule', readonly=True, index='btree_not_null', ondelete='set null'
    )
    action_id = fields.Many2one(
        'telephony.rule.action',
        string="Rule Action",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    kind = fields.Selection(KINDS, string="Action", required=True, readonly=True)
    state = fields.Selection(
        [('planned', "Planned"), ('done', "Done"), ('skipped', "Skipped"), ('error', "Error")],
        required=True,
        default='planned',
        readonly=True,
    )
    due_at = fields.Datetime(string="Due", readonly=True)
    priority = fields.Char(
        readonly=True, help="Of the callback, as the action said when it was planned."
    )
    done_at = fields.Datetime(string="Done", readonly=True)
    attempt = fields.Integer(
        readonly=True, help="Which attempt of the callback the call was when this was planned."
    )
    note = WordsField(string="What Happened", readonly=True)
    callback_id = fields.Many2one(
        'telephony.callback', readonly=True, index='btree_not_null', ondelete='set null'
    )
    activity_id = fields.Many2one(
        'mail.activity', readonly=True, index='btree_not_null', ondelete='set null'
    )
    sms_uuid = fields.Char(
        readonly=True, index='btree_not_null', help="Of the sms.sms that this effect has sent."
    )

    _action_uniq = models.UniqueIndex(
        '(call_id, action_id)', "This action has already followed from this call."
    )
    _due_idx = models.Index("(due_at) WHERE state = 'planned'")

    @api.depends('kind')
    def _compute_display_name(self):
        for effect in self:
            effect.display_name = label_of(effect, 'kind')

    def action_open_call(self):
        self.ensure_one()
        return self.call_id._get_records_action()

    # === FOLLOWING FROM CALLS === #

    @api.model
    def _follow(self, plans, careful=False):
        """Store what rules plan about calls, and do what is due.

        :param dict plans: {call: (list of :class:`Planned`, values of the effect on its callback)};
            an effect that is stored already is not done again, and one that is no longer planned
            is not done
        :param careful: an effect that fails is noted as failed, instead of raising
        """
        calls = self.env['telephony.call'].union(*plans)
        known = {(effect.call_id.id, effect.action_id.id): effect for effect in calls.effect_ids}
        vals_list, again = [], self.browse()
        for call, (plan, promise_values) in plans.items():
            for planned in plan:
                values = {}
                if planned.action.kind in CALLBACK_KINDS:
                    values = dict(promise_values) or {
                        'state': 'skipped',
                        'note': _lt("The customer was talked to"),
                    }
                if planned.error:
                    if not careful:
                        raise planned.error
                    values = {'state': 'error', 'note': in_words(planned.error)}
                    planned.rule._failed(planned.error)
                effect = known.pop((call.id, planned.action.id), None)
                if not effect:
                    vals_list.append(
                        {
                            'call_id': call.id,
                            'rule_id': planned.rule.id,
                            'action_id': planned.action.id,
                            'kind': planned.action.kind,
                            'due_at': planned.due_at,
                            **values,
                        }
                    )
                elif values:
                    effect.write(values)
                elif effect._is_to_be_repeated() or effect._is_taken_back():
                    effect.write({'state': 'planned', 'due_at': planned.due_at})
                    again |= effect
        for effect in known.values():
            plan, values = plans[effect.call_id]
            if effect.kind in CALLBACK_KINDS and values and not promise_of(plan):
                # a rule that was switched off since takes no promise back
                effect.attempt = values.get('attempt', 0)
                continue
            if (
                effect.kind in CALLBACK_KINDS
                and effect.due_at
                or (
                    effect.state == 'planned'
                    or effect._is_to_be_repeated()
                    or effect._is_still_asked()
                )
            ):
                effect._take_back(_lt("The call changed, so this no longer applies"))
        planned = (self.create(vals_list) | again).filtered(
            lambda effect: effect.state == 'planned'
        )
        now = fields.Datetime.now()
        due = planned.filtered(
            lambda effect: effect.kind not in OUTSIDE
            and (
                effect.due_at <= now or effect.kind in DEADLINES and not effect.rule_id.result_wait
            )
        )
        (planned - due)._trigger_when_due()
        for effects in due.grouped('kind').values():
            if careful:
                for effect in effects:
                    effect._do_alone()
            else:
                effects._do()

    def _is_to_be_repeated(self):
        """Return whether the effect failed before it did anything."""
        self.ensure_one()
        return self.state == 'error' and not self.done_at

    def _is_taken_back(self):
        """Return whether the effect was taken back because the call changed. It may be planned
        again."""
        self.ensure_one()
        return self.state == 'skipped' and not self.due_at

    def _is_still_asked(self):
        """Return whether the effect is an activity that nobody has done yet."""
        self.ensure_one()
        return self.kind == 'activity' and self.state == 'done' and self.activity_id.active

    def _is_answered(self):
        """Return whether the effect asks for the result of the call, and somebody has saved it."""
        self.ensure_one()
        return bool(self.rule_id.result_wait and self.call_id.disposition_id)

    def _take_back(self, note):
        self.activity_id.filtered('active').unlink()
        self.write({'state': 'skipped', 'due_at': False, 'note': note})

    # === DOING === #

    @api.model
    def _cron_work_off(self, batch_size=100):
        """Do the effects that have fallen due. One that fails never stops the others."""
        now = fields.Datetime.now()
        domain = Domain('state', '=', 'planned') & Domain('due_at', '<=', now)
        inside = domain & Domain('kind', 'not in', OUTSIDE)
        outside = domain & Domain('kind', 'in', OUTSIDE)
        # somebody writes one of their records, or has since we looked: the next turn
        with turns.gives_way(self.env, 'crm_telephony.ir_cron_effects'):
            while effects := self.search(inside, limit=batch_size, order='due_at, id'):
                # another scheduler may be at some of them
                effects = effects.try_lock_for_update().filtered_domain(inside)
                for effect in effects:
                    effect._in_companys_language()._do_alone()
                if not effects or not self.env['ir.cron']._commit_progress(
                    len(effects), remaining=self.search_count(domain)
                ):
                    return
            for effect in self.search(outside, order='due_at, id'):
                if effect := effect.try_lock_for_update().filtered_domain(outside):
                    with turns.isolated(self.env.cr, whole=True) as trial:
                        effect._in_companys_language()._do()
                    if trial.error:
                        effect._note_failure(trial.error)
                    if not self.env['ir.cron']._commit_progress(1):
                        return

    def _in_companys_language(self):
        return self.with_context(lang=self.company_id._telephony_lang())

    def _do_alone(self):
        """Do this effect; an error is stored on it and on its rule, and not raised."""
        self.ensure_one()
        with turns.isolated(self.env.cr) as trial:
            self._do()
        if trial.error:
            self._note_failure(trial.error)

    def _note_failure(self, error):
        """Store the error on the effect and on its rule, where an administrator looks."""
        self.write({'state': 'error', 'note': in_words(error)})
        self.rule_id._failed(error)

    def _do(self):
        """Do these effects of one kind."""
        self = self.with_context(mail_activity_quick_update=True, mail_notify_force_send=False)
        orphans = self.filtered(lambda effect: not effect.action_id.rule_id.active)
        orphans._skip(_lt("The rule is gone or switched off"))
        answered = (self - orphans).filtered(lambda effect: effect._is_answered())
        answered._take_back(_lt("The result was saved"))
        if effects := self - orphans - answered:
            getattr(effects, f'_do_{effects[0].kind}')()

    def _done(self, note, **values):
        self.write({'state': 'done', 'done_at': fields.Datetime.now(), 'note': note, **values})

    def _skip(self, note):
        self.write({'state': 'skipped', 'note': note})

    def _postpone(self, moment, note):
        """Try again at this moment (naive UTC); then the conditions are checked anew."""
        self.write({'state': 'planned', 'due_at': moment, 'note': note})
        self._trigger_when_due()

    def _trigger_when_due(self):
        turns.wake_cron(
            self.env,
            'crm_telephony.ir_cron_effects',
            {
                effect.due_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
                for effect in self
            },
        )

    def _records(self):
        """Return the record that each effect is about: the deal, else the contact, else the open
        callback.

        :return: dict effect → record, None for a stranger without a callback
        """
        callbacks = self.env['telephony.callback']._open_of(
            self.call_id.filtered(lambda call: not call.lead_id and not call.partner_id)
        )
        return {
            effect: effect.call_id.lead_id
            or effect.call_id.partner_id
            or callbacks.get(effect.call_id)
            for effect in self
        }

    def _do_activity(self):
        """Plan an activity for one person, unless the last one about the same customer is still
        open."""
        numbers = self.call_id.mapped('customer_number')
        planned_keys = {
            (effect.action_id, effect.call_id.customer_number)
            for effect in self.search(
                [
                    ('action_id', 'in', self.action_id.ids),
                    ('call_id.customer_number', 'in', numbers),
                    ('activity_id.active', '=', True),
                    ('company_id', 'in', self.company_id.ids),
                ]
            )
        }
        vals_list, planned = [], []
        for effect in self:
            action, call = effect.action_id, effect.call_id
            key, user = (action, call.customer_number), action._users(call, effect.due_at)[:1]
            if key in planned_keys or not user:
                effect._skip(
                    _lt("The same activity is already planned")
                    if user
                    else _lt("Nobody is responsible")
                )
                continue
            planned_keys.add(key)
            vals_list.append(effect._activity_values(user))
            planned.append(effect)
        for effect, activity in zip(
            planned, self.env['mail.activity'].create(vals_list), strict=True
        ):
            effect._done(_lt("For %(user)s", user=activity.user_id.name), activity_id=activity.id)

    def _activity_values(self, user, summary=None):
        action, call = self.action_id, self.call_id
        lead_or_partner = call.lead_id or call.partner_id
        activity_type = action.activity_type_id.id or self.env['ir.model.data']._xmlid_to_res_id(
            'mail.mail_activity_data_todo'
        )
        there = call.with_context(lang=user.lang or self.env.lang)
        return {
            'res_model_id': self.env['ir.model']._get_id(lead_or_partner._name)
            if lead_or_partner
            else False,
            'res_id': lead_or_partner.id,
            'activity_type_id': activity_type,
            'user_id': user.id,
            'date_deadline': pytz.utc.localize(self.due_at)
            .astimezone(call.company_id._telephony_zone(user))
            .date(),
            'summary': summary or action.with_env(there.env).text or there._question(),
            'note': there._chatter_line(),
            'automated': True,
        }

    def _do_notify(self):
        """Notify each user in their language, in the inbox, by mail or by push, as they prefer.
        Mails go through their queue."""
        author = self.env['ir.model.data']._xmlid_to_res_id('base.partner_root')
        records, callbacks = self._records(), self.env['telephony.callback']._open_of(self.call_id)
        for effect in self:
            action, call = effect.action_id, effect.call_id
            users = action._users(call, effect.due_at)
            if not users:
                effect._skip(_lt("There is nobody to tell"))
                continue
            record, callback = records[effect], callbacks.get(call)
            for lang, readers in users.grouped('lang').items():
                there = effect.with_context(lang=lang or self.env.lang)
                thread = record.with_env(there.env) if record else there.env['mail.thread']
                thread.message_notify(
                    partner_ids=readers.partner_id.ids,
                    subject=there._subject(),
                    body=there._notice(callback),
                    author_id=author,
                    force_send=False,
                )
            effect._done(_lt("Told %(users)s", users=", ".join(users.mapped('name'))))

    def _subject(self):
        call = self.call_id
        return f"{self.action_id.text or self.rule_id.name}: {call.customer_name or call.customer_number}"

    def _notice(self, callback):
        """Return the body of the notice: the call in words, its deal, its callback, and a link to
        the call."""
        call, _ = self.call_id, self.env._
        lines = [call._chatter_line()]
        if call.lead_id:
            lines.append(_("Deal: %(deal)s", deal=call.lead_id.display_name))
        if callback:
            zone = call.company_id._telephony_zone().zone
            lines.append(
                _(
                    "Callback: %(user)s, due %(time)s",
                    user=callback.user_id.name or _("nobody yet"),
                    time=format_datetime(self.env, callback.due_at, tz=zone, dt_format='short'),
                )
            )
        if call.outcome == 'answered':
            label = _("Listen to the recording") if call.has_recording else _("Open the call")
            lines.append(
                Markup('<a href="%s/odoo/telephony-calls/%s">%s</a>')
                % (call.get_base_url(), call.id, label)
            )
        return Markup('<br/>').join(lines)

    def _do_tag(self):
        for effect in self:
            action, call = effect.action_id, effect.call_id
            tags = action.lead_tag_ids if call.lead_id else action.lead_tag_ids.browse()
            categories = action.category_ids if call.partner_id else action.category_ids.browse()
            if not tags and not categories:
                effect._skip(_lt("Not tagged: the call has no deal or contact for these tags"))
                continue
            call.lead_id.tag_ids |= tags
            call.partner_id.category_id |= categories
            effect._done(", ".join((*tags.mapped('name'), *categories.mapped('name'))))

    def _do_lead(self):
        for effect in self:
            call = effect.call_id
            if call.lead_id:
                effect._skip(_lt("There is a deal: %(deal)s", deal=call.lead_id.display_name))
            elif lead := call._create_lead():
                effect._done(lead.display_name)
            else:
                effect._skip(_lt("Somebody has to choose the deal first"))

    def _do_check_number(self):
        """Mark the number, which could not be called, on deal and contact, until somebody has
        corrected it."""
        for effect in self:
            call = effect.call_id
            owners = [record for record in (call.lead_id, call.partner_id) if record]
            if not owners:
                effect._skip(_lt("The number is nobody's"))
                continue
            if all(record.telephony_check_number == call.customer_number for record in owners):
                effect._skip(_lt("It is marked already"))
                continue
            for record in owners:
                record.telephony_check_number = call.customer_number
            user = effect.action_id._users(call, effect.due_at)[:1]
            activity = (
                self.env['mail.activity'].create(
                    effect._activity_values(
                        user,
                        effect.with_context(lang=user.lang or self.env.lang).env._(
                            "Check the number %(number)s: it cannot be called",
                            number=call.customer_number,
                        ),
                    )
                )
                if user
                else None
            )
            effect._done(call.customer_number, activity_id=activity.id if activity else False)

    # === REDIAL === #

    def _do_redial(self):
        """Ring the employee, then the customer. At most once, whatever happens, because the try is
        committed before the PBX is asked. If it fails, the callback still stands."""
        self.ensure_one()
        call, now = self.call_id, fields.Datetime.now()
        callback, user = call._open_callback(), self.action_id._users(call, self.due_at)[:1]
        number = call.customer_number
        patience = self.action_id._due_at(call, Openings().of(call)) + timedelta(
            minutes=REDIAL_PATIENCE_MINUTES
        )
        if not callback:
            return self._skip(_lt("Not needed: the callback is closed"))
        if not user:
            return self._skip(_lt("Nobody is responsible"))
        if not callback._is_latest(call):
            return self._skip(_lt("The customer has been called again since"))
        if callback.taken_at and callback.user_id != user:
            return self._skip(
                _lt("%(user)s calls back", user=callback.user_id.name or _lt("Somebody else"))
            )
        if now > patience:
            return self._skip(
                _lt("Given up after %(minutes)s minutes", minutes=REDIAL_PATIENCE_MINUTES)
            )
        if user.telephony_dnd:
            return self._skip(_lt("%(user)s does not want to be disturbed", user=user.name))
        if busy := self.env['telephony.call']._busy(call.company_id, number, user):
            return self._postpone(now + timedelta(minutes=REDIAL_PAUSE_MINUTES), busy)
        self._done(_lt("Ringing %(user)s", user=user.name))
        self.env['ir.cron']._commit_progress()
        try:
            result = self.env['telephony.dial'].with_user(user)._place(number, call)
        except (AccessError, UserError) as error:
            return self.write({'state': 'error', 'note': in_words(error)})
        if result.outcome == 'unconfirmed':
            self._skip("; ".join(result.warnings.values()))
        elif result.outcome == 'own_device':
            self.write({'state': 'error', 'note': result.reason})
