import logging
from collections import defaultdict
from datetime import datetime, time, timedelta

import pytz

from odoo import api, fields, models, tools
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ...tools import turns
from ..calls.recording import GONE

_logger = logging.getLogger(__name__)

# Somebody is asked so often whether a hold is still needed.
REVIEW_DAYS = 90
# So many of the recordings that a hold keeps are listed; all are kept.
MOST_LISTED = 10_000
# The fields that say which calls are held, and those of which a change holds others.
CRITERIA = ('call_ids', 'customer_number', 'partner_id', 'lead_id', 'date_from', 'date_to')
DECISIVE = {*CRITERIA, 'company_id', 'state'}


class TelephonyHold(models.Model):
    """Keeps the recordings of some calls, whatever a rule, a person or an erasure wants, until the
    hold is released.

    What it covers is asked anew whenever something is about to be deleted. The mark on recordings
    (`is_held`) is for people and searches: it is written when a hold changes, when a recording
    comes, and each night for calls that have got another contact or deal.
    """

    _name = 'telephony.hold'
    _description = "Legal hold"
    _inherit = ['telephony.settings.mixin', 'mail.thread', 'mail.activity.mixin']
    _order = 'state, id desc'
    _check_company_auto = True
    _cached_fields = frozenset(('state',))

    name = fields.Char(required=True, tracking=True)
    reason = fields.Text(
        required=True, tracking=True, help="Why nothing may be deleted, such as a claim or a court."
    )
    company_id = fields.Many2one(
        'res.company', required=True, index=True, default=lambda self: self.env.company
    )
    state = fields.Selection(
        [('active', "Active"), ('released', "Released")],
        required=True,
        default='active',
        readonly=True,
        copy=False,
        tracking=True,
    )
    call_ids = fields.Many2many(
        'telephony.call',
        string="Calls",
        check_company=True,
        help="These calls, whenever they were.",
    )
    customer_number = fields.Char(
        string="Customer's Number", tracking=True, help="All calls of this number."
    )
    partner_id = fields.Many2one(
        'res.partner',
        string="Contact",
        check_company=True,
        ondelete='restrict',
        tracking=True,
        help="All calls of this contact, and of those below it.",
    )
    lead_id = fields.Many2one(
        'crm.lead',
        string="Deal",
        check_company=True,
        ondelete='restrict',
        tracking=True,
        help="All calls of this deal.",
    )
    date_from = fields.Date(
        string="From",
        tracking=True,
        help="The first day of the calls of the number, contact or deal; without these, of all calls.",
    )
    date_to = fields.Date(
        string="To",
        tracking=True,
        help="The last day of the calls of the number, contact or deal; without these, of all calls.",
    )
    review_on = fields.Date(
        required=True,
        default=lambda self: fields.Date.context_today(self) + timedelta(days=REVIEW_DAYS),
        help="On this day, and every 90 days from then on, the responsible is asked whether the hold is still needed.",
    )
    user_id = fields.Many2one(
        'res.users',
        string="Responsible",
        required=True,
        ondelete='restrict',
        domain="[('share', '=', False)]",
        default=lambda self: self.env.user,
        tracking=True,
    )
    released_by_id = fields.Many2one(
        'res.users', string="Released By", readonly=True, copy=False, ondelete='restrict'
    )
    released_at = fields.Datetime(string="Released On", readonly=True, copy=False)
    recording_count = fields.Integer(string="Recordings", compute='_compute_recording_count')

    def _compute_recording_count(self):
        for hold in self:
            hold.recording_count = (
                self.env['telephony.recording'].sudo().search_count(hold._recordings())
            )

    @api.constrains('name', *CRITERIA)  # the name is always given, else nothing might be asked
    def _check_criteria(self):
        for hold in self:
            if not any(hold[name] for name in CRITERIA):
                raise ValidationError(
                    self.env._(
                        "The hold covers nothing yet. Choose calls, a number, a contact, a deal or a period."
                    )
                )
            if hold.date_from and hold.date_to and hold.date_from > hold.date_to:
                raise ValidationError(
                    self.env._("The period ends before it begins. Correct its dates.")
                )

    # === CRUD === #

    @api.model_create_multi
    def create(self, vals_list):
        holds = super().create(
            [self._with_e164(vals, vals.get('company_id')) for vals in vals_list]
        )
        holds._mark(holds.company_id)
        return holds

    def write(self, vals):
        companies = self.company_id
        vals = self._with_e164(vals, vals.get('company_id') or companies[:1].id)
        result = super().write(vals)
        if not DECISIVE.isdisjoint(vals):
            self._mark(companies | self.company_id)
            self._wake_what_waited()
        return result

    def unlink(self):
        companies = self.company_id
        result = super().unlink()
        self._mark(companies)
        self._wake_what_waited()
        return result

    @api.model
    def _with_e164(self, vals, company_id):
        if not vals.get('customer_number'):
            return vals
        asked = {'number': vals['customer_number']}
        number = self.env['telephony.decision']._with_e164(asked, company_id)['number']
        return {**vals, 'customer_number': number}

    # === WHAT IS HELD === #

    def _domain(self):
        """Return which calls these holds cover, as a domain of telephony.call."""
        return Domain.OR(hold._own_domain() for hold in self)

    def _own_domain(self):
        self.ensure_one()
        whose = [
            Domain(name, operator, value)
            for name, operator, value in (
                ('customer_number', '=', self.customer_number),
                ('partner_id', 'child_of', self.partner_id.id),
                ('lead_id', '=', self.lead_id.id),
            )
            if value
        ]
        covered = Domain('id', 'in', self.call_ids.ids)
        if whose or self.date_from or self.date_to:
            covered |= (Domain.OR(whose) if whose else Domain.TRUE) & self._period()
        return Domain('company_id', '=', self.company_id.id) & covered

    def _period(self):
        """Return the days of the hold in its company's time zone, as a domain of telephony.call."""
        zone, period = self.company_id._telephony_zone(), Domain.TRUE
        for operator, day in (
            ('>=', self.date_from),
            ('<', self.date_to and self.date_to + timedelta(days=1)),
        ):
            if day:
                begin = zone.localize(datetime.combine(day, time())).astimezone(pytz.utc)
                period &= Domain('start_at', operator, begin.replace(tzinfo=None))
        return period

    def _recordings(self):
        """Return which recordings these holds keep, as a domain of telephony.recording."""
        return Domain('call_id', 'any!', self._domain()) & Domain('state', 'not in', GONE)

    @api.model
    def _active(self):
        return self.sudo().search([('state', '=', 'active')])

    @api.model
    @tools.ormcache()
    def _active_ids(self):
        """Return the ids of the active holds from the cache, so that filing costs no query."""
        return self._active()._ids

    @api.model
    def _held(self, calls, holds=None):
        """Return those of the calls that an active hold covers.

        :param holds: the active holds; None to look for them
        """
        holds = self._active() if holds is None else holds.sudo()
        if not holds or not calls:
            return calls.browse()
        return calls & calls.sudo().search(Domain('id', 'in', calls.ids) & holds._domain())

    @api.model
    def _holding(self, calls):
        """Return the active holds of each of these calls that has one: dict call id → holds."""
        result = defaultdict(self.sudo().browse)
        for hold in self._active():
            for call in self._held(calls, hold):
                result[call.id] |= hold
        return result

    @api.model
    def _refusal(self, calls):
        """Return the sentence that says why nothing of these calls is deleted; '' if it may be."""
        holds = self.browse().union(*self._holding(calls).values())
        return holds and self.env._(
            "Nothing was deleted: a legal hold covers it (%(holds)s). Release the hold first.",
            holds=", ".join(holds.sudo().mapped('name')),
        )

    @api.model
    def _mark(self, companies):
        """Write anew which recordings of these companies are held."""
        recordings = self.env['telephony.recording'].sudo()
        covered = Domain('call_id', 'any!', self._active()._domain())
        of_them = Domain('company_id', 'in', companies.ids)
        for is_held, differ in ((True, covered), (False, ~covered)):
            recordings.search(of_them & Domain('is_held', '!=', is_held) & differ).write(
                {'is_held': is_held}
            )

    # === REVIEW AND RELEASE === #

    def action_release(self):
        """Let go what is held. What waited for it is deleted at the next turn of its scheduled
        action, which is asked for."""
        active = self.filtered(lambda hold: hold.state == 'active')
        active.write(
            {
                'state': 'released',
                'released_by_id': self.env.uid,
                'released_at': fields.Datetime.now(),
            }
        )
        active.activity_unlink(['mail.mail_activity_data_todo'])
        active._after_released()
        return True

    def _wake_what_waited(self):
        for name in ('retain', 'delete_at_pbx'):
            turns.wake_cron(self.env, f'crm_telephony.ir_cron_{name}', [fields.Datetime.now()])

    def action_view_recordings(self):
        self.ensure_one()
        recordings = self.env['telephony.recording']
        return recordings._kept_action(
            self.env._("Held Recordings"),
            recordings.sudo().search(self._recordings(), limit=MOST_LISTED).ids,
        )

    @api.model
    def _remind(self):
        """Ask the responsible of each hold whose day has come whether it is still needed."""
        today = fields.Date.today()
        for hold in self.search([('state', '=', 'active'), ('review_on', '<=', today)]):
            reader = hold.with_context(lang=hold.user_id.lang)
            with turns.isolated(
                self.env.cr,
                _logger,
                "hold %s: its responsible could not be asked whether it is still needed; asked again tomorrow",
                hold.id,
            ):
                reader.activity_schedule(
                    'mail.mail_activity_data_todo',
                    date_deadline=hold.review_on,
                    user_id=hold.user_id.id,
                    summary=reader.env._("Is this hold still needed? Release it if not."),
                )
                hold.review_on = today + timedelta(days=REVIEW_DAYS)

    # === HOOKS OF LATER STAGES === #

    def _after_released(self):
        """Runs when these holds are released, in the same transaction: go on with what they kept."""


class TelephonyRecording(models.Model):
    _inherit = 'telephony.recording'

    is_held = fields.Boolean(
        string="Held",
        readonly=True,
        copy=False,
        help="A legal hold covers the call, so nothing of it is deleted.",
    )
    held_by = fields.Char(compute='_compute_held_by', groups='crm_telephony.group_privacy')

    _held_idx = models.Index("(call_id) WHERE is_held IS TRUE")

    @api.depends('is_held')
    def _compute_held_by(self):
        holding = self.env['telephony.hold']._holding(self.filtered('is_held').call_id)
        for recording in self:
            holds = holding.get(recording.call_id.id)
            recording.held_by = holds and ", ".join(holds.mapped('name'))

    @api.model
    def _before_created(self, vals_list):
        super()._before_created(vals_list)
        holds = self.env['telephony.hold']
        if active := holds.browse(holds._active_ids()):
            calls = self.env['telephony.call'].browse([vals['call_id'] for vals in vals_list])
            held = set(holds._held(calls, active)._ids)
            for vals in vals_list:
                vals['is_held'] = vals['call_id'] in held

    def _on_kept_back(self):
        """Mark what is found, so that scheduled actions do not come back to it."""
        held = self.env['telephony.hold']._held(self.call_id)
        kept = self.filtered(lambda recording: recording.call_id in held)
        kept.filtered(lambda recording: not recording.is_held).write({'is_held': True})
        return super()._on_kept_back() | kept

    @api.ondelete(at_uninstall=False)
    def _unlink_except_held(self):
        self.call_id._unlink_except_held()


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    has_held_recording = fields.Boolean(compute='_compute_has_held_recording')

    @api.depends('recording_ids.is_held')
    def _compute_has_held_recording(self):
        for call in self:
            call.has_held_recording = any(call.sudo().recording_ids.mapped('is_held'))

    @api.ondelete(at_uninstall=False)
    def _unlink_except_held(self):
        if refusal := self.env['telephony.hold']._refusal(self):
            raise UserError(refusal)
