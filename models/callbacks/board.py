from datetime import datetime

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...tools import turns
from ...tools.clocks import clock
from ...tools.records import label_of
from ...tools.working_hours import Openings
from ..calls.call import OUTCOMES
from .ledger import CLOSED_BY_TALK

# A customer who is lost again within so many days after a callback was closed has not been served
# well.
LOST_AGAIN_DAYS = 30
# Upper ends (working minutes) of the groups by which the board tells how fast callbacks were made.
SERVED_IN = [2, 5, 15, 30, 60, 120, 480]
SYSTRAY_LIMIT = 8
EPOCH = datetime(1970, 1, 1)
# Of the ways to close a callback, those in which the customer was talked to.
TALKED = tuple(CLOSED_BY_TALK.values())
BOARD_MESSAGE = 'crm_telephony.callbacks'
# What owners hear of.
TOLD = {'user_id', 'state', 'status', 'due_at'}
# What a card shows, and no owner has to hear of.
ON_THE_CARD = {'priority', 'attempt_count', 'escalation', 'lead_id', 'partner_id'}


class TelephonyCallback(models.Model):
    """The callback as a debt on the board: since when, in which column, with how much money on it,
    how fast it was made good; and what people do there: take it, call."""

    _inherit = 'telephony.callback'

    status = fields.Selection(
        [('late', "Late"), ('open', "Open"), ('saved', "Saved"), ('lost', "Lost")],
        string="Column",
        compute='_compute_status',
        store=True,
        precompute=True,
        group_expand=True,
    )
    rank = fields.Float(
        compute='_compute_status',
        store=True,
        precompute=True,
        aggregator=None,
        help="Order of the board: late before due, high before normal, earliest first; then what was closed last.",
    )
    company_currency_id = fields.Many2one(related='company_id.currency_id', string="Currency")
    expected_revenue = fields.Monetary(
        related='lead_id.expected_revenue',
        currency_field='company_currency_id',
        help="What the deal may bring that waits for this call. A sum counts each deal once, however many of its numbers wait.",
    )
    team_id = fields.Many2one(
        'crm.team',
        string="Team",
        compute='_compute_team_id',
        store=True,
        precompute=True,
        index='btree_not_null',
        ondelete='set null',
    )

    lost_at = fields.Datetime(
        string="Lost At",
        compute='_compute_cause',
        store=True,
        precompute=True,
        help="End of the call that opened the callback: the clock runs since then.",
    )
    direction = fields.Selection(
        [('inbound', "Lost caller"), ('outbound', "Not reached by us")],
        string="Kind",
        compute='_compute_cause',
        store=True,
        precompute=True,
    )
    cause = fields.Selection(OUTCOMES, compute='_compute_cause', store=True, precompute=True)
    previous_id = fields.Many2one(
        'telephony.callback',
        string="Lost Again",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        help="The callback of the same number that was closed within a month before this loss.",
    )

    first_try_at = fields.Datetime(string="First Try", readonly=True)
    first_try_minutes = fields.Integer(
        string="Working Minutes to First Try",
        readonly=True,
        aggregator='avg',
        help="From the loss to our first call or to the talk that closed it.",
    )
    served_minutes = fields.Integer(
        string="Working Minutes to the Talk",
        readonly=True,
        aggregator='avg',
        help="From the loss until the customer was talked to, in the working hours that the promise was made in.",
    )
    served_in = fields.Selection(
        '_selection_served_in',
        string="Made Good Within",
        compute='_compute_served_in',
        store=True,
        precompute=True,
    )
    recovery_rate = fields.Float(  # 0 or 1; the digits are those of its mean in per cent
        compute='_compute_served_in',
        store=True,
        precompute=True,
        aggregator='avg',
        digits=(3, 0),
        help="Share of the callbacks that were closed by a real talk, whoever called whom.",
    )

    try_count = fields.Integer(
        string="Customer's Tries",
        compute='_compute_calls',
        help="Calls of the customer that nobody took, since the first.",
    )
    last_call_at = fields.Datetime(string="Last Call", compute='_compute_calls')
    last_call_outcome = fields.Selection(OUTCOMES, compute='_compute_calls')
    last_call_text = fields.Char(string="Last Call's Outcome", compute='_compute_calls')
    last_call_direction = fields.Selection(
        [('inbound', "Inbound"), ('outbound', "Outbound")], compute='_compute_calls'
    )
    call_ids = fields.Many2many('telephony.call', string="Calls", compute='_compute_call_ids')
    late_minutes = fields.Integer(
        string="Late by (min)", compute='_compute_late_minutes', help="In working minutes."
    )
    busy_with = fields.Char(string="Right Now", compute='_compute_busy_with')
    taken_at = fields.Datetime(
        readonly=True,
        help="When somebody took the callback or was given it by a person: from then on it is not handed over automatically.",
    )

    _rank_idx = models.Index('(rank, id)')
    _mine_idx = models.Index("(user_id) WHERE state = 'open'")

    # === COMPUTES === #

    @api.depends('state', 'due_at', 'priority', 'done_at', 'close_kind')
    def _compute_status(self):
        """Time makes an open one late: the scheduled action asks for it again, see
        `_cron_clock`."""
        now = fields.Datetime.now()
        for callback in self:
            if callback.state == 'open':
                callback.status = 'late' if callback.due_at <= now else 'open'
                place = 2 * (callback.status == 'open') + (callback.priority != '1')
                moment = callback.due_at - EPOCH
            else:
                withdrawn = callback.close_kind == 'withdrawn'
                callback.status = 'saved' if callback.state == 'done' or withdrawn else 'lost'
                place, moment = 5, EPOCH - (callback.done_at or callback.due_at)
            callback.rank = place * 1e11 + moment.total_seconds()

    @api.depends('lead_id.team_id', 'user_id')
    def _compute_team_id(self):
        for callback in self:
            callback.team_id = (
                callback.lead_id.team_id
                or callback.origin_call_id.number_id.team_id
                or callback.user_id.sale_team_id
            )

    @api.depends('origin_call_id.outcome', 'origin_call_id.start_at', 'origin_call_id.ended_at')
    def _compute_cause(self):
        for callback in self:
            call = callback.origin_call_id
            # what is known of a call that is gone stays
            callback.lost_at = (
                call._moment()
                if call
                else callback.lost_at or callback.create_date or fields.Datetime.now()
            )
            callback.direction = (
                call.direction if call.direction in ('inbound', 'outbound') else callback.direction
            )
            callback.cause = call.outcome if call else callback.cause

    @api.model
    def _selection_served_in(self):
        return [
            *(
                (f'{minutes:04}', self.env._("%(minutes)s working minutes", minutes=minutes))
                for minutes in SERVED_IN
            ),
            ('9999', self.env._("Later")),
        ]

    @api.depends('close_kind', 'served_minutes')
    def _compute_served_in(self):
        for callback in self:
            served = callback.close_kind in TALKED
            callback.recovery_rate = float(served)
            callback.served_in = served and next(
                (f'{minutes:04}' for minutes in SERVED_IN if callback.served_minutes <= minutes),
                '9999',
            )

    @api.depends_context('lang')
    @api.depends('customer_number', 'lost_at', 'done_at')
    def _compute_calls(self):
        """Who tried how often, of all callbacks in one query."""
        self.env['telephony.call'].flush_model()
        self.flush_recordset(['lost_at', 'done_at'])
        rows = (
            self.env.execute_query(
                SQL(
                    """ SELECT callback.id, calls.*
                  FROM telephony_callback callback, LATERAL (
                       SELECT COUNT(*) FILTER (WHERE direction = 'inbound' AND outcome != 'answered') AS tries,
                              (ARRAY_AGG(call.start_at ORDER BY call.start_at DESC, call.id DESC))[1],
                              (ARRAY_AGG(call.outcome ORDER BY call.start_at DESC, call.id DESC))[1],
                              (ARRAY_AGG(call.direction ORDER BY call.start_at DESC, call.id DESC))[1],
                              (ARRAY_AGG(CASE WHEN call.outcome = 'answered' AND call.is_reached IS NOT TRUE
                                         THEN call.talk_seconds END ORDER BY call.start_at DESC, call.id DESC))[1]
                         FROM telephony_call call
                        WHERE call.customer_number = callback.customer_number AND call.company_id = callback.company_id
                          AND call.state = 'ended' AND COALESCE(call.ended_at, call.start_at) >= callback.lost_at
                          AND (callback.done_at IS NULL OR call.start_at <= callback.done_at)
                       ) calls
                 WHERE callback.id IN %s """,
                    tuple(self._origin.ids),
                )
            )
            if self._origin
            else []
        )
        known = {row[0]: row[1:] for row in rows}
        for callback in self:
            (
                callback.try_count,
                callback.last_call_at,
                callback.last_call_outcome,
                callback.last_call_direction,
                short_seconds,
            ) = known.get(callback._origin.id, (0, False, False, False, None))
            if short_seconds is not None:
                callback.last_call_text = self.env._(
                    "Short talk, %(clock)s, does not count", clock=clock(short_seconds)
                )
            elif callback.last_call_at:
                callback.last_call_text = label_of(callback, 'last_call_outcome') or self.env._(
                    "End unknown"
                )
            else:
                callback.last_call_text = False

    @api.depends('customer_number', 'lost_at', 'done_at')
    def _compute_call_ids(self):
        for callback in self:
            domain = (
                Domain('company_id', '=', callback.company_id.id)
                & Domain('customer_number', '=', callback.customer_number)
                & (
                    Domain('ended_at', '>=', callback.lost_at)
                    | Domain('start_at', '>=', callback.lost_at)
                )
            )
            if callback.done_at:
                domain &= Domain('start_at', '<=', callback.done_at)
            callback.call_ids = self.env['telephony.call'].search(domain, limit=100)

    @api.depends('state', 'due_at')
    def _compute_late_minutes(self):
        now = fields.Datetime.now()
        late = self.filtered(
            lambda callback: callback.state == 'open' and callback.due_at and callback.due_at < now
        )
        (self - late).late_minutes = 0
        for callback, hours in late._working_hours():
            callback.late_minutes = int(hours.minutes_between(callback.due_at, now))

    def _compute_busy_with(self):
        live = self.filtered(lambda callback: callback.state == 'open')._live_calls()
        for callback in self:
            callback.busy_with = callback._busy_line(
                live.get((callback.company_id, callback.customer_number))
            )

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        """The money of a deal counts once in each group."""
        total = super()._read_group_select(aggregate_spec, query)
        if aggregate_spec not in ('expected_revenue:sum', 'expected_revenue:sum_currency'):
            return total
        amount = self._field_to_sql(self._table, 'expected_revenue', query)
        if aggregate_spec == 'expected_revenue:sum_currency':  # super has joined the rates
            rates = query.make_alias(self._table, 'company_currency_id__rates')
            amount = SQL("%s / COALESCE(%s, 1.0)", amount, SQL.identifier(rates, 'rate'))
        lead = self._field_to_sql(self._table, 'lead_id', query)
        return SQL(
            "(SELECT SUM(amount::numeric) FROM jsonb_each_text(jsonb_object_agg(%(lead)s, %(amount)s) "
            "FILTER (WHERE %(lead)s IS NOT NULL)) AS deal (id, amount))",
            lead=lead,
            amount=amount,
        )

    # === CRUD === #

    def _after_opened(self):
        super()._after_opened()
        self._find_previous()
        self._tell_owners()

    def _before_written(self, vals):
        if 'user_id' in vals and not self.env.su and 'taken_at' not in vals:
            # given by a person, and readonly for them: only here
            self.sudo().filtered(
                lambda callback: callback.user_id.id != vals['user_id']
            ).taken_at = vals['user_id'] and fields.Datetime.now()
        if TOLD & set(vals):
            self._tell_owners()
        return super()._before_written(vals)

    def _after_written(self, vals, memory):
        super()._after_written(vals, memory)
        if TOLD & set(vals):
            self._tell_owners()
        elif ON_THE_CARD & set(vals):
            self._tell_later(self.env['res.users'])

    def _find_previous(self):
        """Which of these customers are lost again, in one query."""
        self.flush_model()
        for callback_id, previous_id in (
            self.env.execute_query(
                SQL(
                    """ SELECT DISTINCT ON (callback.id) callback.id, previous.id
                  FROM telephony_callback callback
                  JOIN telephony_callback previous ON previous.customer_number = callback.customer_number
                   AND previous.company_id = callback.company_id AND previous.state != 'open'
                   AND previous.close_kind != 'withdrawn' AND previous.id != callback.id
                   AND previous.done_at BETWEEN callback.lost_at - %s * INTERVAL '1 day' AND callback.lost_at
                 WHERE callback.id IN %s
              ORDER BY callback.id, previous.done_at DESC, previous.id DESC """,
                    LOST_AGAIN_DAYS,
                    tuple(self.ids),
                )
            )
            if self
            else ()
        ):
            self.browse(callback_id).previous_id = previous_id

    def _before_deleted(self):
        super()._before_deleted()
        self._tell_owners()

    def _after_attempts(self, starts):
        """And when the first of these calls was."""
        super()._after_attempts(starts)
        for callback, moments in starts.items():
            if moments and callback.first_try_at != (first := min(moments)):
                callback.write(
                    {'first_try_at': first, 'first_try_minutes': callback._minutes_to(first)}
                )

    def _after_closed(self):
        super()._after_closed()
        self._measure()

    def _measure(self):
        """How long the customers waited who have been served."""
        for callback in self.filtered(lambda callback: callback.close_kind in TALKED):
            # nobody waits any more from the moment when somebody talks to them
            talked_at = callback.closing_call_id.answered_at or callback.done_at
            values = {'served_minutes': callback._minutes_to(talked_at)}
            if not callback.first_try_at:
                values.update(first_try_at=talked_at, first_try_minutes=values['served_minutes'])
            callback.write(values)

    def _before_recounted(self):
        """What has not happened yet has no minutes: empty, not 0."""
        super()._before_recounted()
        if not self:
            return
        names = ['first_try_at', 'first_try_minutes', 'served_minutes']
        self.flush_recordset()
        self.env.execute_query(
            SQL(
                "UPDATE telephony_callback SET (first_try_at, first_try_minutes, served_minutes) = (NULL, NULL, NULL) "
                "WHERE id IN %s RETURNING id",
                tuple(self.ids),
            )
        )
        self.invalidate_recordset(names)

    def _minutes_to(self, moment):
        """Working minutes from the loss to this moment."""
        if moment <= self.lost_at:
            return 0
        [(_self, hours)] = self._working_hours()
        return int(hours.minutes_between(self.lost_at, moment))

    def _working_hours(self):
        """Each callback with the hours in which it was promised: of the company's number, else of
        the team, else of the company. A calendar is read once, whatever the number of callbacks.

        :return: list of (callback, :class:`WorkingHours`)
        """
        openings = self.env.context.get('telephony_openings') or Openings()
        return [
            (
                callback.with_env(self.env),
                openings.of_number(
                    callback.origin_call_id.number_id, callback.lead_id, callback.company_id
                ),
            )
            for callback in self.sudo()
        ]

    # === ACTIONS === #

    def action_take(self):
        """Mine. Of two who take it at the same time one gets it, the other is told who was
        faster."""
        self._claim()
        self._take()
        return True

    def _call(self, confirmed=()):
        """Call the customer and take the callback as soon as the PBX has accepted the call, not
        before: who only reads a warning, or calls with their own device, may not call after all.
        While the PBX thinks about it other people are told that the callback is being taken; nobody
        waits.

        :return: :class:`~.telephony_dial.DialResult`
        :raise UserError: somebody was faster, or the call cannot be placed
        """
        self.ensure_one()
        self._claim()
        result = self.env['telephony.dial']._place(self.customer_number, self, confirmed)
        if result.outcome in ('ringing', 'browser'):
            self._take_at_once()
        return result

    def _claim(self):
        """Nobody else takes these before the end of the transaction. No row is locked: calls go on
        closing them.

        :raise UserError: somebody was faster
        """
        self.check_access('write')
        if len(turns.claimed(self.env.cr, turns.Lock.TAKING, self.ids)) < len(self):
            raise UserError(self.env._("This callback is being taken at this very moment."))
        self._check_free()
        # somebody may have taken it since this transaction began
        with turns.beside(self.env) as env:
            self.with_env(env).exists()._check_free()

    def _check_free(self):
        for callback in self.sudo():
            if callback.state != 'open':
                raise UserError(
                    self.env._(
                        "This callback is closed already: %(reason)s",
                        reason=callback.close_reason or '',
                    )
                )
            if callback.taken_at and callback.user_id not in (self.env['res.users'], self.env.user):
                taken_at, now = (
                    callback._local(at, self.env.user)
                    for at in (callback.taken_at, fields.Datetime.now())
                )
                raise UserError(
                    self.env._(
                        "%(user)s has taken this callback at %(time)s.",
                        user=callback.user_id.name,
                        time=taken_at.strftime(
                            '%H:%M' if taken_at.date() == now.date() else '%d.%m.%Y %H:%M'
                        ),
                    )
                )

    def _take_at_once(self):
        """In a transaction of its own: were this one repeated because somebody else writes at the
        same moment, the PBX would be asked again."""
        turns.done_beside(self.env, lambda env: self.with_env(env)._take())
        self.invalidate_recordset()

    def _take(self):
        values = {'user_id': self.env.uid, 'taken_at': fields.Datetime.now()}
        self._note_acts(values, self.env.user)
        self.sudo().write(values)

    def action_open_done(self):
        """Ask how."""
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_callback_done_action'
            ),
            'context': {'default_callback_id': self.id, 'dialog_size': 'medium'},
        }

    def action_open_cancel(self):
        """Ask for the reason."""
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'crm_telephony.telephony_callback_cancel_action'
            ),
            'context': {'default_callback_ids': self.ids, 'dialog_size': 'medium'},
        }

    def action_open_previous(self):
        self.ensure_one()
        return self.previous_id._get_records_action()

    def action_open_lead(self):
        self.ensure_one()
        return self.lead_id._get_records_action()

    # === WHO IS TALKING === #

    def _live_calls(self):
        """The calls that these customers have with us right now: dict (company, number) →
        telephony.call."""
        if not self:
            return {}
        calls = self.env['telephony.call'].sudo()
        calls = calls.search(
            calls._live_domain() & Domain('customer_number', 'in', self.mapped('customer_number')),
            order='start_at, id',
        )
        return {(call.company_id, call.customer_number): call for call in calls}

    def _busy_line(self, call):
        if not call:
            return False
        if call.state == 'ringing' and call.direction == 'inbound':
            return self.env._("The customer is calling us right now")
        if not call.user_id:
            return self.env._("Somebody is talking to this customer right now")
        if call.user_id == self.env.user:
            return self.env._("You are talking to this customer right now")
        return self.env._("%(user)s is talking to this customer right now", user=call.user_id.name)

    # === TELLING OPEN BROWSERS === #

    @api.model
    def _tell_boards(self, company_id, ids=None):
        """Something on the callback board of this company is not true any more: whoever looks at it
        asks again.

        :param ids: callbacks that concern only a board that shows one of them; None: any board
        """
        group = self.env['res.groups'].browse(
            self.env['ir.model.data']._xmlid_to_res_id('crm_telephony.group_user')
        )
        self.env['bus.bus']._sendone(group, BOARD_MESSAGE, {'company_id': company_id, 'ids': ids})

    def _tell_owners(self):
        """The owners' open browsers ask again how much they owe, and whoever looks at the company's
        board what stands there."""
        self._tell_later(self.user_id)

    def _tell_later(self, owners):
        """Once a transaction, whatever changes."""
        waiting = self.env.cr.precommit.data.get('crm_telephony.my_callbacks')
        if waiting is None:
            waiting = self.env.cr.precommit.data['crm_telephony.my_callbacks'] = set(), set()
            callbacks, (users, companies) = self.sudo().browse(), waiting

            def tell():
                for user in callbacks.user_id.browse(users).exists():
                    user._bus_send('crm_telephony.my_callbacks', {})
                for company_id in companies:
                    callbacks._tell_boards(company_id)

            self.env.cr.precommit.add(tell)
        for told, ids in zip(waiting, (owners.ids, self.company_id.ids), strict=True):
            told.update(ids)

    @api.model
    def _count_mine(self):
        """Count the user's open callbacks in one query: ``{'open': all, 'late': how many of them}``."""
        self.flush_model(['user_id', 'state', 'due_at'])
        [(owed, late)] = self.env.execute_query(
            SQL(
                """ SELECT COUNT(*), COUNT(*) FILTER (WHERE due_at < %s) FROM telephony_callback
                 WHERE user_id = %s AND state = 'open' AND company_id IN %s """,
                fields.Datetime.now(),
                self.env.uid,
                tuple(self.env.companies.ids),
            )
        )
        return {'open': owed, 'late': late}

    @api.model
    def get_my_callbacks(self):
        """Return the user's open callbacks for the systray, at most SYSTRAY_LIMIT of them.

        :return: ``{'open': int, 'late': int, 'callbacks': [{'id', 'name', 'number', 'display',
            'deal', 'due_at', 'late_minutes', 'priority'}, …]}``, late ones first; `due_at` is UTC, the
            minutes are working ones
        """
        mine = self.search(
            [
                ('user_id', '=', self.env.uid),
                ('state', '=', 'open'),
                ('company_id', 'in', self.env.companies.ids),
            ],
            limit=SYSTRAY_LIMIT,
        )
        # a callback may have been given to somebody who does not see the deal
        deals = mine.lead_id._filtered_access('read')
        return {
            **self._count_mine(),
            'callbacks': [
                {
                    'id': callback.id,
                    'name': callback.customer_name or callback.customer_phone,
                    'number': callback.customer_number,
                    'display': callback.customer_phone,
                    'deal': (callback.lead_id & deals).display_name or '',
                    'due_at': fields.Datetime.to_string(callback.due_at),
                    'late_minutes': callback.late_minutes,
                    'priority': callback.priority,
                }
                for callback in mine
            ],
        }
