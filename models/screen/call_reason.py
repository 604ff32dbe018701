import logging
from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

_logger = logging.getLogger(__name__)

MOST = 3
# So many due activities are read, because rules may have planned most of them.
MOST_ACTIVITIES = 10


class Reason(NamedTuple):
    """A card reason, one line of the card. The greater its `weight`, the likelier the call is about
    it; `model` and `id` are what a click opens."""

    weight: int
    icon: str
    text: str
    model: str
    id: int


class TelephonyCallReason(models.AbstractModel):
    """Finds what is open with a customer, anywhere in Odoo, because a call may be about it.

    An addon adds a source by extending :meth:`_sources`. A source makes one query, under the rights
    of the user who reads the card, and returns at most a few reasons.
    """

    _name = 'telephony.call.reason'
    _description = "What is open with a customer"

    @api.model
    def _sources(self):
        """Return pairs of a model, which has to be installed and readable, and a method, which takes
        the customer and their open deals and returns a list of :class:`Reason`."""
        return [
            ('calendar.event', self._meetings),
            ('mail.activity', self._planned_activities),
            ('account.move', self._overdue_invoices),
            ('sale.order', self._quotations),
            ('stock.picking', self._deliveries),
            ('project.task', self._tasks),
            ('helpdesk.ticket', self._tickets),
        ]

    @api.model
    def _reasons(self, partner, leads):
        """Return the likeliest reasons, best first, at most MOST. A source that fails is left out,
        because the phone is ringing.

        :param partner: the caller, readable by the user
        :param leads: their open deals, readable by the user
        """
        found = []
        for model, source in self._sources():
            if model not in self.env or not self.env[model].has_access('read'):
                continue
            try:
                with self.env.cr.savepoint(flush=False):
                    found += source(partner, leads)
            except AccessError:
                continue
            except Exception:  # an error of another app must not take the card away
                _logger.exception(
                    "call card: what is open with customer %s could not be read from %s; the card leaves it out. "
                    "The fault is in that app or in _sources of an extension.",
                    partner.id,
                    model,
                )
        return sorted(found, key=lambda reason: -reason.weight)[:MOST]

    # === SOURCES === #

    def _of(self, partner, field='partner_id'):
        """Return the domain of records of the caller, their company or a colleague."""
        return Domain(f'{field}.commercial_partner_id', '=', partner.commercial_partner_id.id)

    def _when(self, date):
        """Return a day in words: 'today', 'tomorrow', '3 days ago', 'on 03/14/2026'."""
        days = (date - fields.Date.context_today(self)).days
        _ = self.env._
        if days < -1:
            return _("%(days)s days ago", days=-days)
        return {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}.get(days) or _(
            "on %(date)s", date=self.env['ir.qweb.field.date'].value_to_html(date, {})
        )

    def _day(self, moment):
        return fields.Datetime.context_timestamp(self, moment).date()

    def _meetings(self, partner, leads):
        """Return the next meeting: within two days, or begun less than two hours ago."""
        if not partner:
            return []
        now = fields.Datetime.now()
        meeting = self.env['calendar.event'].search_fetch(
            Domain('partner_ids', 'in', partner.ids)
            & Domain('start', '>', now - timedelta(hours=2))
            & Domain('start', '<', now + timedelta(days=2)),
            ['name', 'start', 'allday'],
            order='start',
            limit=1,
        )
        if not meeting:
            return []
        start = fields.Datetime.context_timestamp(self, meeting.start)
        text = (
            self.env._(
                "Meeting %(when)s: %(name)s",
                when=self._when(self._day(meeting.start)),
                name=meeting.name,
            )
            if meeting.allday
            else self.env._(
                "Meeting %(when)s at %(time)s: %(name)s",
                when=self._when(start.date()),
                time=start.strftime('%H:%M'),
                name=meeting.name,
            )
        )
        return [Reason(95, 'fa-calendar', text, 'calendar.event', meeting.id)]

    def _planned_activities(self, partner, leads):
        """Return the latest due activity that a person has planned with the customer."""
        of_leads = Domain('res_model', '=', 'crm.lead') & Domain('res_id', 'in', leads.ids)
        of_partner = Domain('res_model', '=', 'res.partner') & Domain('res_id', 'in', partner.ids)
        due = Domain('date_deadline', '<=', fields.Date.context_today(self))
        activities = self.env['mail.activity'].search_fetch(
            (of_leads | of_partner) & due,
            ['summary', 'date_deadline', 'activity_type_id', 'user_id', 'res_model', 'res_id'],
            order='date_deadline desc, id desc',
            limit=MOST_ACTIVITIES,
        )
        planned = activities - self._made_by_rules(activities)
        return [self._activity_reason(activity) for activity in planned[:1]]

    def _made_by_rules(self, activities):
        """Return those of the activities that nobody has agreed with the customer: those of rules,
        and those of callbacks, which have a line of their own."""
        made = activities.browse()
        for model in ('telephony.effect', 'telephony.callback') if activities else ():
            made |= (
                self.env[model]
                .sudo()
                .search([('activity_id', 'in', activities.ids)])
                .activity_id.sudo(False)
            )
        return made

    def _activity_reason(self, activity):
        _, user = self.env._, activity.user_id
        what = activity.summary or activity.activity_type_id.name
        when = self._when(activity.date_deadline)
        if user == self.env.user:
            text = _("Due %(when)s: %(what)s", when=when, what=what)
        else:
            text = _(
                "Due %(when)s: %(what)s (%(who)s)",
                when=when,
                what=what,
                who=user.name or _("nobody"),
            )
        return Reason(85, 'fa-clock-o', text, activity.res_model, activity.res_id)

    def _overdue_invoices(self, partner, leads):
        if not partner:
            return []
        moves = self.env['account.move'].search_fetch(
            Domain('commercial_partner_id', '=', partner.commercial_partner_id.id)
            & Domain('move_type', '=', 'out_invoice')
            & Domain('state', '=', 'posted')
            & Domain('payment_state', 'in', ('not_paid', 'partial'))
            & Domain('invoice_date_due', '<', fields.Date.context_today(self)),
            ['name', 'invoice_date_due', 'amount_residual', 'currency_id'],
            order='invoice_date_due',
            limit=100,
        )
        if not moves:
            return []
        days = (fields.Date.context_today(self) - moves[0].invoice_date_due).days
        sums = [
            currency.format(sum(invoices.mapped('amount_residual')))
            for currency, invoices in moves.grouped('currency_id').items()
        ]
        amount = ' + '.join(sums)
        text = (
            self.env._(
                "Invoice %(name)s is overdue by %(days)s days: %(amount)s",
                name=moves.name,
                days=days,
                amount=amount,
            )
            if len(moves) == 1
            else self.env._(
                "%(count)s overdue invoices, the oldest by %(days)s days: %(amount)s",
                count=len(moves),
                days=days,
                amount=amount,
            )
        )
        return [Reason(91 if days <= 30 else 65, 'fa-money', text, 'account.move', moves[0].id)]

    def _quotations(self, partner, leads):
        """Return the latest quotation that waits for the customer's answer."""
        if not partner:
            return []
        quotations = self.env['sale.order'].search_fetch(
            self._of(partner)
            & Domain('state', '=', 'sent')
            & Domain('date_order', '>', fields.Datetime.now() - timedelta(days=30)),
            ['name', 'date_order', 'amount_total', 'currency_id'],
            order='date_order desc, id desc',
            limit=1,
        )
        return [
            Reason(
                90 if quotation.date_order > fields.Datetime.now() - timedelta(days=3) else 70,
                'fa-file-text-o',
                self.env._(
                    "Quotation %(name)s, sent %(when)s: %(amount)s",
                    name=quotation.name,
                    when=self._when(self._day(quotation.date_order)),
                    amount=quotation.currency_id.format(quotation.amount_total),
                ),
                'sale.order',
                quotation.id,
            )
            for quotation in quotations
        ]

    def _deliveries(self, partner, leads):
        """Return the first delivery that is late, or due today or tomorrow."""
        if not partner:
            return []
        today = fields.Date.context_today(self)
        pickings = self.env['stock.picking'].search_fetch(
            self._of(partner)
            & Domain('picking_type_code', '=', 'outgoing')
            & Domain('state', 'in', ('waiting', 'confirmed', 'assigned'))
            & Domain('scheduled_date', '<', fields.Datetime.now() + timedelta(days=2)),
            ['name', 'scheduled_date'],
            order='scheduled_date, id',
            limit=1,
        )
        reasons = []
        for picking in pickings:
            day = self._day(picking.scheduled_date)
            when = self._when(day)
            text = (
                self.env._("Delivery %(name)s was due %(when)s", name=picking.name, when=when)
                if day < today
                else self.env._("Delivery %(name)s is due %(when)s", name=picking.name, when=when)
            )
            weight = 92 if day <= today else 75
            reasons.append(Reason(weight, 'fa-truck', text, 'stock.picking', picking.id))
        return reasons

    def _tasks(self, partner, leads):
        if not partner:
            return []
        tasks = self.env['project.task'].search_fetch(
            self._of(partner) & Domain('state', 'not in', ('1_done', '1_canceled')),
            ['name', 'stage_id'],
            order='date_last_stage_update desc, id desc',
            limit=1,
        )
        return [self._ticket_reason(task) for task in tasks]

    def _tickets(self, partner, leads):
        if not partner:
            return []
        tickets = self.env['helpdesk.ticket'].search_fetch(
            self._of(partner) & Domain('stage_id.fold', '=', False),
            ['name', 'stage_id'],
            order='id desc',
            limit=1,
        )
        return [self._ticket_reason(ticket) for ticket in tickets]

    def _ticket_reason(self, record):
        text = (
            self.env._("Open: %(name)s (%(stage)s)", name=record.name, stage=record.stage_id.name)
            if record.stage_id
            else self.env._("Open: %(name)s", name=record.name)
        )
        return Reason(78, 'fa-life-ring', text, record._name, record.id)
