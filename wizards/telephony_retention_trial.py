from odoo import api, fields, models


class TelephonyRetentionTrial(models.TransientModel):
    """The dry run: shows what the retention rules would delete tonight, and then lets them.

    Only rules that were shown may delete. So retention is switched on here, and a changed rule
    switches it off until it was shown too.
    """

    _name = 'telephony.retention.trial'
    _description = "Dry run of retention rules"

    company_id = fields.Many2one(
        'res.company', required=True, readonly=True, default=lambda self: self.env.company
    )
    fingerprint = fields.Char(readonly=True)
    state = fields.Selection(
        [('off', "Off"), ('changed', "Off: changed since the dry run"), ('on', "On")],
        compute='_compute_state',
    )
    due_count = fields.Integer(string="Due", readonly=True)
    is_braked = fields.Boolean(
        readonly=True, help="More are due at once than may be deleted without asking."
    )
    line_ids = fields.One2many('telephony.retention.trial.line', 'trial_id', readonly=True)

    def _compute_display_name(self):
        self.display_name = self.env._("Dry Run")

    @api.depends('company_id')
    def _compute_state(self):
        for trial in self:
            trial.state = trial.company_id._telephony_retention()

    @api.model
    def _open(self):
        """Run the rules of the user's company dry, and return the action that shows the result."""
        company = self.env.company
        rules = self.env['telephony.retention.rule'].sudo()
        order = rules._cases(company.id).ids
        totals = sorted(
            rules._totals(company),
            key=lambda total: order.index(total['rule_id']) if total['rule_id'] else len(order),
        )
        due = sum(total['due'] for total in totals)
        trial = self.create(
            {
                'company_id': company.id,
                'fingerprint': rules._cases(company.id).fingerprint,
                'due_count': due,
                'is_braked': due > self.env['telephony.recording'].sudo()._most_at_once(company),
                'line_ids': [fields.Command.create(self._line_values(total)) for total in totals],
            }
        )
        return {**trial._get_records_action(name=self.env._("Dry Run")), 'target': 'new'}

    @staticmethod
    def _line_values(total):
        return {
            'rule_id': total['rule_id'],
            'present_count': total['present'],
            'due_count': total['due'],
            'hours': total['seconds'] / 3600,
            'megabytes': total['bytes'] / 2**20,
            'oldest_at': total['oldest'],
            'held_count': total['held'],
            'text_count': total['texts'],
            'moved_count': total['moved'],
        }

    # === BUTTONS === #

    def action_switch_on(self):
        """Let the rules that were shown delete from now on."""
        self.company_id._telephony_switch_retention(self.fingerprint)
        return self._closed(self.env._("Retention is on. What is due is deleted each night."))

    def action_switch_off(self):
        self.company_id._telephony_switch_retention(False)
        return self._closed(self.env._("Retention is off. Nothing is deleted."))

    def action_delete_all_the_same(self):
        """Let so many recordings be deleted at once as this dry run has counted."""
        self.company_id._telephony_switch_retention(self.fingerprint, self.due_count)
        return self._closed(
            self.env._("%(count)s recordings are being deleted.", count=self.due_count)
        )

    def _closed(self, message):
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'message': message,
                'type': 'info',
                'next': {'type': 'ir.actions.act_window_close'},
            },
        }


class TelephonyRetentionTrialLine(models.TransientModel):
    """What one rule would delete tonight. A line without a rule is what is kept for ever."""

    _name = 'telephony.retention.trial.line'
    _description = "Dry run of retention rules: total of a rule"

    trial_id = fields.Many2one(
        'telephony.retention.trial', required=True, ondelete='cascade', index=True
    )
    rule_id = fields.Many2one(
        'telephony.retention.rule', string="Retention Rule", readonly=True, ondelete='cascade'
    )
    rule_name = fields.Char(string="Rule", compute='_compute_rule_name')
    present_count = fields.Integer(
        string="Recordings", readonly=True, help="Recordings that this rule is the first to fit."
    )
    due_count = fields.Integer(
        string="Due", readonly=True, help="Recordings that would be deleted tonight."
    )
    hours = fields.Float(readonly=True, help="Of the due ones, as the PBX told.")
    megabytes = fields.Float(string="MB", readonly=True, help="Of our copies of the due ones.")
    oldest_at = fields.Datetime(string="Oldest", readonly=True)
    held_count = fields.Integer(string="Held", readonly=True, help="Due, but kept by a legal hold.")
    text_count = fields.Integer(
        string="Texts", readonly=True, help="Texts that would be deleted tonight."
    )
    moved_count = fields.Integer(
        string="Other Date",
        readonly=True,
        help="Recordings that get another day than they have now, because a rule has changed or is new.",
    )

    @api.depends('rule_id')
    def _compute_rule_name(self):
        for line in self:
            line.rule_name = line.rule_id.name or self.env._("No rule: kept for ever")

    def action_view_due(self):
        self.ensure_one()
        return self.env['telephony.recording']._kept_action(
            self.rule_id.name, self.rule_id.sudo()._due_ids(self.trial_id.company_id)
        )
