import logging
from datetime import datetime, time

import pytz

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools import turns
from ...tools.records import changes, labels
from ...tools.words import Name, _lt
from ..core.words_field import WordsField, told
from .ledger import CLOSED_BY_TALK, REOPENABLE

_logger = logging.getLogger(__name__)

CLOSE_KINDS = [
    ('reached', "We called"),
    ('called_again', "The customer called again"),
    ('by_hand', "By hand"),
    ('withdrawn', "Answered after all"),
    ('gave_up', "Not reached"),
    ('cancelled', "Cancelled"),
]

# What is known of an end that was none.
REOPENED = {
    'state': 'open',
    'done_at': False,
    'closed_by_id': False,
    'close_reason': False,
    'close_kind': False,
    'closing_call_id': False,
    'reason_id': False,
    'activity_id': False,
}


class TelephonyCallback(models.Model):
    """A promise to call a number back, with a clock and an owner. A number has at most one open:
    further tries join it, and any real contact closes it, by whomever, on any line, in either
    direction."""

    _name = 'telephony.callback'
    _description = "Callback"
    _inherit = ['mail.thread', 'mail.activity.mixin', 'telephony.other.side']
    _order = 'rank, id'
    _check_company_auto = True

    company_id = fields.Many2one('res.company', required=True, readonly=True)
    customer_number = fields.Char(string="Customer's Number", required=True, readonly=True)
    partner_id = fields.Many2one(
        'res.partner',
        string="Contact",
        index='btree_not_null',
        check_company=True,
        ondelete='set null',
    )
    lead_id = fields.Many2one(
        'crm.lead', string="Deal", index='btree_not_null', check_company=True, ondelete='set null'
    )
    user_id = fields.Many2one(
        'res.users',
        string="Responsible",
        index='btree_not_null',
        check_company=True,
        ondelete='set null',
        domain="[('share', '=', False)]",
    )
    due_at = fields.Datetime(string="Due", required=True)
    priority = fields.Selection([('0', "Normal"), ('1', "High")], required=True, default='0')
    state = fields.Selection(
        [('open', "To call"), ('done', "Done"), ('cancelled', "Cancelled")],
        required=True,
        default='open',
        readonly=True,
    )
    is_late = fields.Boolean(compute='_compute_is_late', search='_search_is_late')
    attempt_count = fields.Integer(
        string="Attempts",
        readonly=True,
        help="Outbound calls to the number since the callback was opened, without those that could not be placed.",
    )
    origin_call_id = fields.Many2one(
        'telephony.call',
        string="Opening Call",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    closing_call_id = fields.Many2one(
        'telephony.call',
        string="Closing Call",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    done_at = fields.Datetime(string="Closed", readonly=True)
    closed_by_id = fields.Many2one(
        'res.users', string="Closed By", readonly=True, ondelete='set null'
    )
    close_reason = WordsField(string="How It Was Closed", readonly=True)
    close_kind = fields.Selection(CLOSE_KINDS, string="Kind of Closing", readonly=True)
    can_reopen = fields.Boolean(compute='_compute_can_reopen')
    reason_id = fields.Many2one(
        'telephony.callback.reason',
        string="Reason",
        readonly=True,
        index='btree_not_null',
        ondelete='restrict',
    )
    rule_id = fields.Many2one('telephony.rule', string="Rule", readonly=True, ondelete='set null')
    activity_id = fields.Many2one(
        'mail.activity',
        string="Activity",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
    )
    is_number_to_check = fields.Boolean(
        compute='_compute_is_number_to_check',
        help="The number could not be called, and nobody has put it right yet.",
    )
    last_try_at = fields.Datetime(
        readonly=True, help="End of the latest attempt that has moved the due time on."
    )

    _open_uniq = models.UniqueIndex(
        "(company_id, customer_number) WHERE state = 'open'",
        "This number already has an open callback.",
    )
    _due_idx = models.Index("(company_id, due_at) WHERE state = 'open'")
    _number_idx = models.Index("(customer_number, company_id)")

    # === COMPUTES === #

    @api.depends('customer_phone', 'customer_name')
    @api.depends_context('lang', 'uid')
    def _compute_display_name(self):
        for callback in self:
            callback.display_name = self.env._(
                "Call back %(who)s", who=callback.customer_name or callback.customer_phone
            )

    @api.depends('customer_number', 'lead_id', 'partner_id')
    def _compute_is_number_to_check(self):
        for callback in self:
            owner = callback.sudo()
            callback.is_number_to_check = callback.customer_number in (
                owner.lead_id.telephony_check_number,
                owner.partner_id.telephony_check_number,
            )

    @api.depends('close_kind', 'user_id')
    @api.depends_context('uid')
    def _compute_can_reopen(self):
        is_supervisor = self.env.user.has_group('crm_telephony.group_supervisor')
        for callback in self:
            callback.can_reopen = callback.close_kind in REOPENABLE and (
                is_supervisor or callback.user_id == self.env.user
            )

    @api.depends('state', 'due_at')
    def _compute_is_late(self):
        now = fields.Datetime.now()
        for callback in self:
            callback.is_late = callback.state == 'open' and callback.due_at < now

    def _search_is_late(self, operator, value):
        if operator != 'in':
            return NotImplemented
        late = Domain('state', '=', 'open') & Domain('due_at', '<', fields.Datetime.now())
        return late if True in value else ~late

    # === ACTIONS === #

    def action_done(self, how=None, note=False):
        """Done by hand: the activity is done with it.

        :param str how: how the customer was served without a call, a fact
        :param str note: in the words of whoever closes it
        """
        self.check_access('write')
        user, said = self.env.user, [text for text in (how, note) if text]
        reason = (
            _lt("Closed by hand by %(user)s: %(how)s", user=user.name, how=said)
            if said
            else _lt("Closed by hand by %(user)s", user=user.name)
        )
        for callback in self.filtered(lambda callback: callback.state == 'open'):
            callback._close('done', reason, user=user)
        return True

    def action_reopen(self):
        """It was closed too early, by a person or a rule: the customer still waits.

        :raise AccessError: for others than its owner and supervisors
        :raise UserError: the customer does not wait, or waits already
        """
        self.check_access('write')
        closed = self.filtered(lambda callback: callback.close_kind in REOPENABLE)
        if not all(closed.mapped('can_reopen')):
            raise AccessError(
                self.env._("The owner of the callback and supervisors open it again.")
            )
        for callback in closed.sudo():
            if callback.search_count(
                [
                    ('company_id', '=', callback.company_id.id),
                    ('customer_number', '=', callback.customer_number),
                    ('state', '=', 'open'),
                ],
                limit=1,
            ):
                raise UserError(self.env._("This number already has an open callback."))
            if self._reached_after(callback.origin_call_id):
                raise UserError(self.env._("The customer has been talked to since: nobody waits."))
            self.env['telephony.callback.act']._note(callback, 'reopened', self.env.user)
            callback._open_again(_lt("Opened again by %(user)s.", user=self.env.user.name))
            self.sudo()._balance(callback.company_id, {callback.customer_number: callback.lost_at})
        return True

    def action_cancel(self, reason_id=False, note=False):
        """Nobody will call back.

        :param int reason_id: telephony.callback.reason, why
        :param str note: in the words of whoever cancels
        """
        self.check_access('write')
        why = self.env['telephony.callback.reason'].browse(reason_id or []).exists()
        user = self.env.user
        name = why and Name(why._name, why.id, why.name)
        said = (
            _lt("%(reason)s: %(note)s", reason=name, note=note) if name and note else name or note
        )
        reason = (
            _lt("Cancelled by %(user)s: %(reason)s", user=user.name, reason=said)
            if said
            else _lt("Cancelled by %(user)s", user=user.name)
        )
        for callback in self.filtered(lambda callback: callback.state == 'open'):
            callback._close('cancelled', reason, user=user, why=why)
        return True

    @api.model_create_multi
    def create(self, vals_list):
        callbacks = super().create([{**self._before_opened(vals), **vals} for vals in vals_list])
        callbacks._after_opened()
        return callbacks

    # _write_told calls super
    def write(self, vals):  # pylint: disable=method-required-super
        if not self.env.su:
            if forbidden := {
                name for name in vals if name in self._fields and self._fields[name].readonly
            }:
                raise AccessError(
                    self.env._(
                        "These facts come from the calls, nobody changes them: %(fields)s",
                        fields=labels(self, forbidden),
                    )
                )
            for name in ('lead_id', 'partner_id'):
                self.env[self._fields[name].comodel_name].browse(vals.get(name) or []).check_access(
                    'read'
                )
        self._note_acts(vals)
        return self._write_told(vals)

    def _write_told(self, vals):
        """Write what is known to be so from calls and acts: it is no act itself."""
        memory = self._before_written(vals)
        result = super().write(vals)
        if {'user_id', 'due_at', 'lead_id', 'partner_id'} & set(vals):
            for callback in self.filtered(lambda callback: callback.state == 'open'):
                callback.sudo()._plan_activity()
        self._after_written(vals, memory)
        return result

    def _note_acts(self, vals, user=None):
        """Remember what is done with these by writing these values.

        :param user: who does it, if that is known; the superuser is nobody, and takes nothing
        """
        acts, user = self.env['telephony.callback.act'], user or not self.env.su and self.env.user
        for kind, source, name in (
            ('given', 'user_id', 'owner_id'),
            ('moved', 'due_at', 'due_at'),
            ('urged', 'priority', 'priority'),
        ):
            if source in vals and (user or kind != 'given'):
                changed = self.filtered(
                    lambda callback, source=source: callback.state == 'open'
                    # who takes what is theirs already takes it anew
                    and (
                        source == 'user_id'
                        and 'taken_at' in vals
                        or changes(callback, {source: vals[source]})
                    )
                )
                acts._note(changed, kind, user, **{name: vals[source]})

    def _check_company(self, fnames=None):
        """What the system promises comes from a call of the same company: no need to read it all
        again."""
        if self.env.uid != SUPERUSER_ID:
            super()._check_company(fnames)

    def unlink(self):
        self._before_deleted()
        activities = self.sudo().activity_id
        result = super().unlink()
        activities.exists().unlink()
        return result

    # === AFTER A CALL === #

    @api.model
    def _open_of(self, calls):
        """{call: the open callback of its customer}, for those of these calls that have one"""
        numbers = [number for number in calls.mapped('customer_number') if number]
        found = (
            {
                (callback.company_id, callback.customer_number): callback
                for callback in self.search(
                    [
                        ('company_id', 'in', calls.company_id.ids),
                        ('customer_number', 'in', numbers),
                        ('state', '=', 'open'),
                    ]
                )
            }
            if numbers
            else {}
        )
        return {
            call: found[call.company_id, call.customer_number]
            for call in calls
            if (call.company_id, call.customer_number) in found
        }

    @api.model
    def _reached_after(self, calls):
        """{call: the first call after it in which its customer was really talked to}: nothing is
        left to promise"""
        rows = (
            self.env.execute_query(
                SQL(
                    """ SELECT DISTINCT ON (lost.id) lost.id, reached.id FROM telephony_call lost, telephony_call reached
                 WHERE lost.id IN %s AND %s
              ORDER BY lost.id, COALESCE(reached.ended_at, reached.start_at), reached.id """,
                    tuple(calls.ids),
                    calls._served_condition(),
                )
            )
            if calls
            else ()
        )
        # each is read at once
        lost, reached = (calls.browse(ids) for ids in zip(*rows)) if rows else ((), ())
        return dict(zip(lost, reached, strict=True))

    def _is_latest(self, call):
        return not self.last_try_at or call._moment() >= self.last_try_at

    # === WHO AND WHEN === #

    def _plan_activity(self):
        """A mail activity of type Call on the deal, or else the contact; where there is neither, on
        the callback itself, if it has an owner. Without an owner it stands on the record for
        whoever takes it."""
        activities = self.env['mail.activity'].with_context(mail_activity_quick_update=True)
        call_type = self.env['ir.model.data']._xmlid_to_res_id(
            'mail.mail_activity_data_call', raise_if_not_found=False
        )
        new = {}
        for callback in self:
            user, record = callback.user_id, callback.lead_id or callback.partner_id or callback
            activity = callback.activity_id
            if record == callback and not user:
                activity.unlink()
                continue
            local_due = callback._local(callback.due_at)
            values = {
                'user_id': user.id,
                'date_deadline': local_due.date(),
                'summary': callback._in_owners_language().env._(
                    "Call back %(number)s by %(time)s",
                    number=callback.customer_phone,
                    time=local_due.strftime('%H:%M'),
                ),
            }
            if activity and (activity.res_model, activity.res_id) == (record._name, record.id):
                if changed := changes(activity, values):
                    activity.with_env(activities.env).write(changed)
                continue
            activity.unlink()
            new[callback] = {
                **values,
                'res_model_id': self.env['ir.model']._get_id(record._name),
                'res_id': record.id,
                'activity_type_id': call_type,
                'automated': True,
            }
        for callback, activity in zip(new, activities.create(list(new.values())), strict=True):
            callback.activity_id = activity

    def _follow_activity(self):
        """Give the callback the day and owner that somebody has given its activity."""
        for callback in self:
            activity, values = callback.activity_id, {}
            local = callback._local(callback.due_at)
            if activity.date_deadline != local.date():
                values['due_at'] = callback._due_on(activity.date_deadline, local.time())
            if activity.user_id and activity.user_id != callback.user_id:
                values.update(user_id=activity.user_id.id, taken_at=fields.Datetime.now())
            if values:
                callback._note_acts(values, self.env.user)
                callback._write_told(values)

    def _due_on(self, day, clock):
        """The same hour of another day (UTC); of today, when that has passed, the end of the day's
        work."""
        zone = self._zone()

        def moment(time_of_day):
            return (
                zone.localize(datetime.combine(day, time_of_day))
                .astimezone(pytz.utc)
                .replace(tzinfo=None)
            )

        due, now = moment(clock), fields.Datetime.now()
        if due > now or day < pytz.utc.localize(now).astimezone(zone).date():
            return due
        return max(now, moment(time(18)))

    def _zone(self, user=None):
        """Where the owner, or this user, works."""
        return self.company_id._telephony_zone(user or self.user_id)

    def _local(self, moment, user=None):
        return pytz.utc.localize(moment).astimezone(self._zone(user))

    @api.model
    def _plan_lost_activities(self, limit=100):
        """Somebody deleted the activity, or its deal: the promise stands, so it gets another; one
        bad record never stops the rest. What is nobody's has none."""
        for callback in self.search(
            [
                ('state', '=', 'open'),
                ('activity_id', '=', False),
                '|',
                '|',
                ('user_id', '!=', False),
                ('lead_id', '!=', False),
                ('partner_id', '!=', False),
            ],
            limit=limit,
        ):
            with turns.isolated(self.env.cr, _logger, "callback %s got no activity", callback.id):
                callback._plan_activity()

    # === CLOSING === #

    def _close_by_call(self, call):
        self.ensure_one()
        who, at = call.user_id.name or call.extension or _lt("somebody"), call._moment()
        reason = (
            _lt("Reached by %(user)s at %(time)s", user=who, time=at)
            if call.direction == 'outbound'
            else _lt("Called again and was answered by %(user)s at %(time)s", user=who, time=at)
        )
        self._close('done', reason, user=call.user_id, call=call)

    def _give_up(self, at):
        """The owner decides what to do about a customer who cannot be reached."""
        self.ensure_one()
        user, record = self.user_id, self.lead_id or self.partner_id or self
        _, count = self._in_owners_language().env._, self.attempt_count
        reason = _lt("Not reached in %(count)s attempts", count=count)
        self._close('cancelled', reason, kind='gave_up', at=at)
        if user:
            record.with_context(mail_activity_quick_update=True).activity_schedule(
                'mail.mail_activity_data_todo',
                user_id=user.id,
                date_deadline=self._local(fields.Datetime.now()).date(),
                summary=_(
                    "%(number)s was not reached in %(count)s attempts: decide what to do",
                    number=self.customer_number,
                    count=count,
                ),
            )

    def _in_owners_language(self):
        """What the system writes is for whoever owes the call."""
        return self.with_context(lang=self.user_id.lang or self.env.lang)

    def _close(self, state, reason, user=None, call=None, kind=None, why=None, at=None):
        """Close the callback and, with the reason, its activity.

        :param str reason: one readable line (Words), or what a person wrote
        :param user: who reached the customer, or says that it is done
        :param call: the telephony.call that did it
        :param str kind: one of CLOSE_KINDS, where state, user and call do not tell
        :param why: telephony.callback.reason of a cancellation
        :param at: when, if that is neither now nor the end of the call
        """
        if not kind:
            kind = (
                'cancelled'
                if state == 'cancelled'
                else CLOSED_BY_TALK[call.direction]
                if call
                else 'by_hand'
            )
            if not call:
                self.env['telephony.callback.act']._note(
                    self,
                    state,
                    user or not self.env.su and self.env.user,
                    reason=reason,
                    reason_id=why.id if why else False,
                )
        for callback in self:
            callback.sudo().write(
                {
                    'state': state,
                    'close_reason': reason,
                    'close_kind': kind,
                    'done_at': call._moment() if call else at or fields.Datetime.now(),
                    'closed_by_id': user.id if user and state == 'done' else False,
                    'closing_call_id': call.id if call else False,
                    'reason_id': why.id if why else False,
                }
            )
            activity = callback.sudo().activity_id.filtered('active')
            if state == 'done':
                activity = activity.with_user(user or self.env.user).sudo()
                # else each activity would look for its callback, and Odoo write each by itself
                activity.with_context(telephony_callback_is_closed=True)._action_done(
                    feedback=told(callback._in_owners_language().env, reason, callback._zone().zone)
                )
            else:
                activity.unlink()
        self.sudo()._after_closed()

    def _open_again(self, reason):
        """:param str reason: one readable line (Words)"""
        self.write(REOPENED)
        self._plan_activity()
        self._log_reopened(reason)

    def _log_reopened(self, reason):
        self._message_log(body=told(self._in_owners_language().env, reason, self._zone().zone))

    # === HOOKS === #
    # Each runs in the transaction of what it belongs to, and an error in it undoes that.

    @api.model
    def _before_opened(self, vals):
        """Further field values of a callback that is about to be created with these.

        :return: dict; what `vals` says itself counts
        """
        return {}

    def _after_opened(self):
        """These callbacks were created."""

    def _before_written(self, vals):
        """Some fields of these callbacks are about to change.

        :return: dict, what :meth:`_after_written` needs
        """
        return {}

    def _after_written(self, vals, memory):
        """The fields of these callbacks have changed, and their activities with them."""

    def _after_attempts(self, starts):
        """The attempts of these callbacks were counted.

        :param dict starts: callback → start times of our calls since it was opened (naive UTC)
        """

    def _before_recounted(self):
        """What was measured of these callbacks does not hold any more: a call has come or gone."""

    def _after_closed(self):
        """These callbacks were closed, or those of them that are closed were counted anew."""

    def _before_deleted(self):
        """These callbacks are about to be deleted."""
