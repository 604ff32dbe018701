from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ...tools.periods import Period
from ...tools.records import changes
from ...tools.working_hours import Openings
from ..calls.service import class_of, is_short_abandon

BATCH = 500


class TelephonyRecompute(models.Model):
    """Rewrites the figures of a past period by today's thresholds and working hours, because
    somebody wants it: first it counts how many calls would change, then it changes them. The row
    stays, so that everybody sees who has changed the past."""

    _name = 'telephony.recompute'
    _description = "Recomputed figures of a period"
    _order = 'id desc'

    company_id = fields.Many2one(
        'res.company', required=True, readonly=True, default=lambda self: self.env.company
    )
    first = fields.Date(string="From", required=True)
    last = fields.Date(string="To", required=True)
    state = fields.Selection(
        [
            ('draft', "New"),
            ('counting', "Counting"),
            ('counted', "Counted"),
            ('running', "Rewriting"),
            ('done', "Done"),
        ],
        default='draft',
        required=True,
        readonly=True,
    )
    call_count = fields.Integer(string="Calls Looked At", readonly=True)
    change_count = fields.Integer(string="Calls That Change", readonly=True)
    last_id = fields.Integer(readonly=True)
    user_id = fields.Many2one(
        'res.users', string="Wanted By", readonly=True, default=lambda self: self.env.user
    )
    done_at = fields.Datetime(readonly=True)

    @api.depends('first', 'last')
    def _compute_display_name(self):
        for period in self:
            period.display_name = f'{period.first} – {period.last}'

    @api.constrains('first', 'last')
    def _check_period(self):
        for period in self:
            if period.last < period.first:
                raise ValidationError(
                    self.env._("The period ends before it begins. Enter the later date as its end.")
                )

    def action_count(self):
        """Count in the background how many calls would change."""
        return self._begin('counting')

    def action_rewrite(self):
        """Rewrite the figures in the background."""
        return self._begin('running')

    def _begin(self, state):
        self.check_access('write')
        self.write({'state': state, 'call_count': 0, 'change_count': 0, 'last_id': 0})
        self.env.ref('crm_telephony.ir_cron_recompute_figures').sudo()._trigger()
        return True

    @api.model
    def _cron_recompute(self):
        """Go on with the periods that wait, in batches."""
        for period in self.search([('state', 'in', ('counting', 'running'))], order='id'):
            while calls := self.env['telephony.call'].search(
                period._domain(), limit=BATCH, order='id'
            ):
                period._look_at(calls)
                self.env.flush_all()
                self.env.invalidate_all()
                if not self.env['ir.cron']._commit_progress(len(calls), remaining=1):
                    return
            period.write(
                {'state': 'counted'}
                if period.state == 'counting'
                else {'state': 'done', 'done_at': fields.Datetime.now()}
            )
            self.env['ir.cron']._commit_progress(remaining=0)

    def _domain(self):
        begin, end = Period(self.first, self.last).bounds(self.company_id._telephony_zone())
        return (
            Domain('company_id', '=', self.company_id.id)
            & Domain('start_at', '>=', begin)
            & Domain('start_at', '<', end)
            & Domain('state', '=', 'ended')
            & Domain('id', '>', self.last_id)
        )

    def _look_at(self, calls):
        changed = calls.browse()
        for call, values in calls._figures_now().items():
            if news := changes(call, values):
                changed |= call
                if self.state == 'running':
                    call.write(news)
        if self.state == 'running':
            changed._recount_customers()
        self.write(
            {
                'call_count': self.call_count + len(calls),
                'change_count': self.change_count + len(changed),
                'last_id': calls[-1].id,
            }
        )


class TelephonyCall(models.Model):
    _inherit = 'telephony.call'

    def _figures_now(self):
        """Return the figures of these calls of one company by today's settings: dict call → field
        values. A talk of 0 seconds is one that the PBX did not tell."""
        company = self.company_id
        short, abandon = company.telephony_short_seconds, company.telephony_short_abandon_seconds
        found = self._known_now(Openings())
        for call, values in found.items():
            service = class_of(call, bool(call.queue or call.leg_ids), abandon)
            values.update(
                is_short=call.outcome == 'answered' and 0 < call.talk_seconds < short,
                service_class=service,
                is_short_abandon=is_short_abandon(call, service, abandon),
            )
        return found
