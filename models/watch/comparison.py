from collections import Counter
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ...providers import clients
from ...providers.capabilities import ReadsHistory
from ...tools import turns
from ...tools.clocks import next_try
from ..core.words_field import WordsField, in_words

# The longest period (days) that is compared at once.
LONGEST = 3 * 366
COUNTS = ('there', 'fetched', 'differing', 'only_here')


class TelephonyComparison(models.Model):
    """A period that somebody wants to be compared with the PBX's own log, or brought in from it.

    It is worked off a day at a time, the latest first, and goes on after any failure where it was.
    The PBX's limits are kept: it is asked for one day, then the client says how long to wait.
    """

    _name = 'telephony.comparison'
    _description = "Comparison with the PBX's log"
    _order = 'id desc'

    account_id = fields.Many2one(
        'telephony.account', string="PBX", required=True, ondelete='cascade', index=True
    )
    company_id = fields.Many2one(related='account_id.company_id', store=True, index=True)
    first = fields.Date(
        string="From", required=True, default=lambda self: self._yesterday() - timedelta(days=6)
    )
    last = fields.Date(string="To", required=True, default=lambda self: self._yesterday())
    is_import = fields.Boolean(
        string="Past Calls",
        readonly=True,
        help="Brings in calls of the time before the PBX was connected. Nothing follows from them.",
    )
    state = fields.Selection(
        [
            ('draft', "New"),
            ('running', "Running"),
            ('paused', "Paused"),
            ('failed', "Stopped"),
            ('done', "Done"),
        ],
        default='draft',
        required=True,
        readonly=True,
        copy=False,
    )
    next_day = fields.Date(readonly=True, copy=False, help="The day that is compared next.")
    next_at = fields.Datetime(
        string="Goes On At",
        readonly=True,
        copy=False,
        help="The PBX asked to wait, or did not answer.",
    )
    attempts = fields.Integer(readonly=True, copy=False)
    progress = fields.Float(compute='_compute_progress', help="Share of the days, in percent.")
    there_count = fields.Integer(string="At the PBX", readonly=True, copy=False)
    fetched_count = fields.Integer(string="Fetched", readonly=True, copy=False)
    differing_count = fields.Integer(string="Differing", readonly=True, copy=False)
    only_here_count = fields.Integer(string="Only in Odoo", readonly=True, copy=False)
    message = WordsField(string="Why It Waits", readonly=True, copy=False)
    user_id = fields.Many2one(
        'res.users', string="Wanted By", readonly=True, default=lambda self: self.env.user
    )
    done_at = fields.Datetime(readonly=True, copy=False)

    @api.depends('account_id', 'first', 'last')
    def _compute_display_name(self):
        for period in self:
            period.display_name = f'{period.account_id.name}: {period.first} – {period.last}'

    @api.depends('state', 'first', 'last', 'next_day')
    def _compute_progress(self):
        for period in self:
            days = (period.last - period.first).days + 1 if period.first and period.last else 0
            done = (period.last - period.next_day).days if days and period.next_day else 0
            period.progress = 100 if period.state == 'done' else 100 * done / days if days else 0

    @api.constrains('first', 'last', 'account_id')
    def _check_period(self):
        for period in self:
            if period.last < period.first:
                raise ValidationError(
                    self.env._("The period ends before it begins. Correct its dates.")
                )
            if (period.last - period.first).days >= LONGEST:
                raise ValidationError(
                    self.env._("A period has three years at most. Compare it in parts.")
                )
            if not period.account_id._can(ReadsHistory):
                raise ValidationError(
                    self.env._(
                        "%(pbx)s keeps no log that Odoo can read. Choose another PBX.",
                        pbx=period.account_id.name,
                    )
                )

    @api.model
    def _yesterday(self):
        return fields.Date.context_today(self) - timedelta(days=1)

    # === BUTTONS === #

    def action_start(self):
        """Start the comparison, or let it go on where it was.

        :raise UserError: the PBX's credentials are missing
        """
        self.check_access('write')
        for period in self.filtered(lambda period: period.state != 'done'):
            if missing := period.account_id._missing():
                raise UserError(
                    self.env._(
                        "%(pbx)s cannot be asked yet: its %(field)s is not entered.",
                        pbx=period.account_id.name,
                        field=self.env._(missing),
                    )
                )
            period.write(
                {
                    'state': 'running',
                    'next_day': period.next_day
                    or min(period.last, period.account_id._local_today()),
                    'next_at': False,
                    'attempts': 0,
                    'message': False,
                }
            )
        self._started()
        return True

    def action_pause(self):
        self.check_access('write')
        self.filtered(lambda period: period.state == 'running').state = 'paused'
        return True

    def action_view_days(self):
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_completeness_action'
            ),
            'domain': [
                ('account_id', '=', self.account_id.id),
                ('day', '>=', self.first),
                ('day', '<=', self.last),
            ],
        }

    @api.model
    def _started(self):
        """Wake the scheduled action, and return the notification that says so."""
        self.env.ref('crm_telephony.ir_cron_fetch_history').sudo()._trigger()
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'message': self.env._(
                    "The comparison has started. Its result will appear on this form."
                ),
                'type': 'info',
            },
        }

    # === WORKING OFF === #

    @api.model
    def _work_off(self):
        """Go on with the periods that run, one day of each in turn, as long as the scheduled action
        has time. Commits."""
        waiting = Domain('state', '=', 'running')
        now = fields.Datetime.now()
        ready = Domain('next_at', '=', False) | Domain('next_at', '<=', now)
        while periods := self.search(waiting & ready, order='id'):
            for period in periods:
                period._compare_next()
                if not self.env['ir.cron']._commit_progress(1, remaining=1):
                    return
        self.env['ir.cron']._commit_progress(remaining=0)
        if later := self.search(waiting).mapped('next_at'):
            turns.wake_cron(self.env, 'crm_telephony.ir_cron_fetch_history', filter(None, later))

    def _compare_next(self):
        """Compare the next day. Commits."""
        found, _until, error = self.account_id._compare_day(self.next_day)
        self.invalidate_recordset()  # a person may have paused it meanwhile
        if error:
            values = self._waiting_values(error)
        else:
            pause = clients[self.account_id.provider].history_pause
            values = {
                **self._sums(found),
                'next_day': self.next_day - timedelta(days=1),
                'attempts': 0,
                'message': False,
                'next_at': fields.Datetime.now() + timedelta(seconds=pause) if pause else False,
            }
            if self.next_day <= self.first:
                values.update(state='done', done_at=fields.Datetime.now(), next_at=False)
        self.write(values)
        if self.state == 'done' and self.is_import:
            # no follow-up finds the working hours and causes of past calls for the figures
            self.env['telephony.recompute'].create(
                {'company_id': self.company_id.id, 'first': self.first, 'last': self.last}
            )._begin('running')

    def _sums(self, found: Counter):
        return {f'{name}_count': self[f'{name}_count'] + found[name] for name in COUNTS}

    def _waiting_values(self, error):
        """Return the values of a period whose day could not be read to the end: one that waiting may
        help goes on by itself, after growing pauses."""
        attempts = self.attempts + 1
        again = getattr(error, 'retryable', False) and next_try(attempts)
        return {
            'attempts': attempts,
            'message': in_words(error),
            'next_at': again,
            **({} if again else {'state': 'failed'}),
        }


class TelephonyAccount(models.Model):
    """Brings in the calls that the PBX had before it was connected."""

    _inherit = 'telephony.account'

    comparison_ids = fields.One2many(
        'telephony.comparison', 'account_id', string="Comparisons", readonly=True
    )
    wants_no_past = fields.Boolean(
        readonly=True, copy=False, help="Somebody declined to bring in the past calls."
    )
    offers_past = fields.Boolean(compute='_compute_offers_past')

    @api.depends('provider', 'past_until', 'wants_no_past', 'answered_at')
    def _compute_offers_past(self):
        for account in self:
            account.offers_past = (
                account.can_fetch_history
                and bool(account.answered_at)
                and not account.past_until
                and not account.wants_no_past
            )

    def action_import_past(self):
        """Bring in the calls of so many months (`months` in the context) before the PBX was
        connected."""
        self.ensure_one()
        self.check_access('write')
        if not self.past_until:
            self.write({'past_until': self._connected_at()})
        last = self._local_day(self.past_until)
        period = self.env['telephony.comparison'].create(
            {
                'account_id': self.id,
                'first': last - relativedelta(months=self.env.context.get('months', 1)),
                'last': last,
                'is_import': True,
            }
        )
        period.action_start()
        return period._get_records_action()

    def action_want_no_past(self):
        self.check_access('write')
        self.wants_no_past = True
        return True

    def _connected_at(self):
        """Return since when the PBX has told of its calls by itself (naive UTC)."""
        [(first,)] = self.env['telephony.call']._read_group(
            [('account_id', '=', self.id)], [], ['create_date:min']
        )
        return min(filter(None, (first, fields.Datetime.now())))
