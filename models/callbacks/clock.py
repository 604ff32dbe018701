import logging
from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, format_datetime

from ...tools import turns

_logger = logging.getLogger(__name__)


class TelephonyCallback(models.Model):
    """The clock of callbacks. Late ones change their column, and the team leader and supervisor are
    told once each. A callback whose owner is away goes to somebody who is there. A number that is
    no customer's any more is not called."""

    _inherit = 'telephony.callback'

    check_at = fields.Datetime(readonly=True, help="When the clock looks at it next.")
    escalation = fields.Selection(
        [('0', "Nobody told"), ('1', "Team leader told"), ('2', "Supervisor told")],
        string="Escalated",
        readonly=True,
        default='0',
        required=True,
    )
    told_user_ids = fields.Many2many(
        'res.users',
        'telephony_callback_told_user_rel',
        string="Told",
        readonly=True,
        help="Who was told that it is late, once each.",
    )
    absent_user_id = fields.Many2one(
        'res.users',
        string="Instead Of",
        readonly=True,
        ondelete='set null',
        help="Whose it was, but who is away.",
    )

    _check_idx = models.Index("(check_at) WHERE check_at IS NOT NULL")

    @api.model
    def _before_opened(self, vals):
        # known at once, mostly: no second statement for each
        check_at = vals.get('state', 'open') == 'open' and vals.get('due_at')
        return {**super()._before_opened(vals), 'check_at': check_at}

    def _after_opened(self):
        super()._after_opened()
        self._start_clock()

    def _after_written(self, vals, memory):
        super()._after_written(vals, memory)
        if {'due_at', 'state'} & set(vals):
            self._start_clock()

    def _start_clock(self):
        """The clock looks at a promise when it falls due, and no more at what is closed."""
        clock = self.sudo()
        for callback in clock:
            check_at = callback.due_at if callback.state == 'open' else False
            if callback.check_at != check_at:
                callback.check_at = check_at
        clock._wake_clock()

    def _wake_clock(self):
        """Ask for the scheduled action at the moments that these callbacks wait for."""
        turns.wake_cron(
            self.env,
            'crm_telephony.ir_cron_callback_clock',
            self.filtered('check_at').mapped('check_at'),
        )

    # === SCHEDULED ACTION === #

    @api.model
    def _cron_clock(self, batch_size=100):
        """Late columns, escalation and absent owners, in batches; one bad record never stops the
        rest."""
        with turns.gives_way(self.env):
            self._cancel_colleagues()
            self._reassign_absent()
        self.env['ir.cron']._commit_progress()
        domain = Domain('check_at', '<=', fields.Datetime.now())
        # somebody works on one of them: the next turn
        with turns.gives_way(self.env, 'crm_telephony.ir_cron_callback_clock'):
            while callbacks := self.search(domain, limit=batch_size, order='check_at, id'):
                with turns.isolated(self.env.cr) as trial:
                    callbacks._tick()
                if trial.error:  # find the one that is bad
                    for callback in callbacks:
                        callback._tick_alone()
                if not self.env['ir.cron']._commit_progress(
                    len(callbacks), remaining=self.search_count(domain)
                ):
                    break

    def _tick_alone(self):
        with turns.isolated(
            self.env.cr, _logger, "the clock of callback %s failed", self.id
        ) as trial:
            self._tick()
        if trial.error:
            self.check_at = fields.Datetime.now() + timedelta(hours=1)

    def _tick(self):
        """It is time to look at these. Nobody is told twice, and nobody out of working hours."""
        now = fields.Datetime.now()
        self.modified(['due_at'])  # time has gone on: open ones are late now
        letters = defaultdict(self.browse)
        for callback, hours in self._working_hours():
            if callback.state != 'open' or callback.due_at > now:
                callback._start_clock()
                continue
            callback.check_at = False
            opening = hours.after(now, 0)
            for level, minutes in callback._escalation_steps():
                moment = max(hours.after(callback.due_at, minutes), opening)
                if moment > now:
                    callback.check_at = moment
                    break
                users = callback._escalate_to(level)
                callback.write(
                    {
                        'escalation': level,
                        'told_user_ids': [fields.Command.link(user.id) for user in users],
                    }
                )
                for user in users:
                    letters[user] |= callback
        self._wake_clock()
        self._tell_owners()
        for user, callbacks in letters.items():
            callbacks._send_letter(user, 'late')

    def _escalation_steps(self):
        """What is still to be told: [(level, working minutes after the due time), …]."""
        company = self.company_id
        steps = [
            ('1', company.telephony_escalate_minutes),
            ('2', company.telephony_escalate_again_minutes),
        ]
        return [
            (level, minutes) for level, minutes in steps if level > self.escalation and minutes >= 0
        ]

    def _escalate_to(self, level):
        """Whose matter a late callback is: first the team leader's, where there is one, then the
        supervisors'."""
        leader = (
            self._available(
                self.team_id.filtered('active').user_id.filtered(
                    lambda user: user._is_telephonist()
                )
            )
            - self.user_id
            if level == '1'
            else False
        )
        return (
            leader or self.company_id._telephony_supervisors() - self.user_id
        ) - self.told_user_ids

    @api.model
    def _cancel_colleagues(self):
        """Nobody calls back a contact who has become a colleague, or a number that has become ours
        or is to be ignored; unless a person said whose call it is."""
        is_open = Domain('state', '=', 'open')
        for company, numbers in self._read_group(
            is_open, ['company_id'], ['customer_number:array_agg']
        ):
            reasons = self.env['telephony.matcher']._no_customers(company, numbers)
            callbacks = self.search(
                is_open
                & Domain('company_id', '=', company.id)
                & Domain('customer_number', 'in', list(reasons)),
                order='id',
            )
            for callback in callbacks.filtered(
                lambda callback: callback.origin_call_id.match_state != 'manual'
            ):
                with turns.isolated(
                    self.env.cr, _logger, "callback %s could not be cancelled", callback.id
                ):
                    callback._close('cancelled', reasons[callback.customer_number])

    # === OWNERS WHO ARE AWAY === #

    def _available(self, users):
        """Those of the users who can call back in time."""
        there = users.filtered(lambda user: user.active and self.company_id in user.company_ids)
        return there - there._telephony_away(max(self.due_at, fields.Datetime.now()))

    def _successors(self):
        """Who is responsible after the owner, the nearest first."""
        call = self.origin_call_id
        return (
            call._chain(
                self.company_id,
                self.lead_id,
                self.partner_id,
                call.number_id,
                call.user_id | call.leg_ids.user_id,
            )
            | self.team_id.user_id
        )

    @api.model
    def _reassign_absent(self):
        """Give callbacks whose owner is on leave or has left to the next responsible user. An owner
        who took the callback, or was given it, during the leave keeps it."""
        self.flush_model()
        now = fields.Datetime.now()
        rows = self.env.execute_query(
            SQL(
                """ SELECT callback.id FROM telephony_callback callback
                  JOIN res_users owner ON owner.id = callback.user_id
                 WHERE callback.state = 'open' AND (NOT owner.active OR NOT EXISTS (
                       SELECT 1 FROM res_company_users_rel member
                        WHERE member.user_id = owner.id AND member.cid = callback.company_id
                       ) OR EXISTS (
                       SELECT 1 FROM resource_calendar_leaves leave
                         JOIN resource_resource resource ON resource.id = leave.resource_id
                        WHERE resource.user_id = owner.id AND leave.time_type = 'leave'
                          AND (callback.taken_at IS NULL OR callback.taken_at < leave.date_from)
                          AND GREATEST(callback.due_at, %s) BETWEEN leave.date_from AND leave.date_to))
              ORDER BY callback.id """,
                now,
            )
        )
        letters = defaultdict(self.browse)
        for callback in self.browse(row[0] for row in rows):
            with turns.isolated(
                self.env.cr, _logger, "callback %s could not be given to somebody else", callback.id
            ):
                if callback._reassign():
                    letters[callback.user_id] |= callback
        for user, callbacks in letters.items():
            callbacks._send_letter(user, 'reassigned')

    def _reassign(self):
        """To the next who is responsible and there, if there is one."""
        absent = self.user_id
        stand_in = self._available(self._successors() - absent)[:1]
        if not stand_in:
            return False
        self.env['telephony.callback.act']._note(self, 'passed', owner_id=stand_in.id)
        self.write({'user_id': stand_in.id, 'absent_user_id': absent.id, 'taken_at': False})
        _ = self.with_context(lang=self.company_id._telephony_lang()).env._
        self._message_log(
            body=_(
                "%(absent)s is away: %(user)s calls back.", absent=absent.name, user=stand_in.name
            )
        )
        return True

    # === LETTERS === #

    def _send_letter(self, user, kind):
        """Send the user one notification about all of these callbacks, in their language; in Odoo's
        inbox or by e-mail, as they prefer.

        :param str kind: `late` or `reassigned`
        """
        callbacks = self.with_context(lang=user.lang or self.env.lang, tz=user.tz).sorted()
        _ = callbacks.env._
        count = len(callbacks)
        if kind == 'late':
            subject = (
                _("Late: %(what)s", what=callbacks.display_name)
                if count == 1
                else _("%(count)s customers wait for a late call", count=count)
            )
        else:
            subject = (
                _("Now yours: %(what)s", what=callbacks.display_name)
                if count == 1
                else _("%(count)s callbacks are yours now", count=count)
            )
        body = callbacks.env['ir.qweb']._render(
            'crm_telephony.telephony_callback_letter',
            {'callbacks': callbacks, 'kind': kind},
            minimal_qcontext=True,
        )
        thread = callbacks if count == 1 else callbacks.browse()
        thread.message_notify(
            partner_ids=user.partner_id.ids,
            subject=subject,
            body=body,
            force_send=False,
            author_id=self.env.ref('base.partner_root').id,
            model_description=_("Callback"),
            email_layout_xmlid='mail.mail_notification_light',
        )

    def _letter_line(self, kind):
        """What a letter says of this one, in the language and zone of the environment."""
        if kind == 'late':
            return self.env._(
                "Late by %(minutes)s working minutes, responsible: %(user)s.",
                minutes=self.late_minutes,
                user=self.user_id.name or self.env._("nobody"),
            )
        due = format_datetime(self.env, self.due_at, dt_format='short')
        return self.env._(
            "To be called before %(time)s, instead of %(user)s.",
            time=due,
            user=self.absent_user_id.name,
        )
