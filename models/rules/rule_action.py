from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...tools.records import label_of

# Actions about the customer's callback: a call has room for one of them.
CALLBACK_KINDS = ('callback', 'give_up')
KINDS = [
    ('callback', "Call back"),
    ('give_up', "Stop calling, ask the owner"),
    ('activity', "Plan an activity"),
    ('notify', "Notify"),
    ('sms', "SMS to the customer"),
    ('redial', "Redial"),
    ('tag', "Tag deal or contact"),
    ('lead', "Create a lead"),
    ('check_number', "Number to check"),
]
# Actions that are for no user.
UNADDRESSED = ('sms', 'tag', 'lead', 'give_up')


class TelephonyRuleAction(models.Model):
    """One thing that a rule does, with its parameters."""

    _name = 'telephony.rule.action'
    _description = "Action of a telephony rule"
    _order = 'rule_id, sequence, id'

    rule_id = fields.Many2one('telephony.rule', required=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(related='rule_id.company_id')
    sequence = fields.Integer(default=10)
    kind = fields.Selection(KINDS, string="Action", required=True, default='callback')
    summary = fields.Char(string="In Words", compute='_compute_summary')
    delay_kind = fields.Selection(
        [
            ('working', "Working minutes"),
            ('real', "Minutes by the clock"),
            ('next_day', "Opening of the next working day"),
        ],
        string="Delay",
        required=True,
        default='working',
        help="Working minutes start at the opening when the call came out of hours.",
    )
    delay_minutes = fields.Integer(string="Minutes", default=0)
    priority = fields.Selection([('0', "Normal"), ('1', "High")], required=True, default='0')
    who = fields.Selection(
        [
            ('owner', "Whoever is responsible"),
            ('talker', "Who talked or called"),
            ('leader', "Team leader"),
            ('supervisor', "Supervisors"),
            ('user', "This user"),
        ],
        required=True,
        default='owner',
        help="Responsible is the salesperson of the deal, of the contact, of the company's number, or its team's leader.",
    )
    user_id = fields.Many2one('res.users', string="User", domain="[('share', '=', False)]")
    activity_type_id = fields.Many2one(
        'mail.activity.type',
        string="Activity Type",
        help="Empty: to-do.",
        ondelete='set null',
        domain="[('res_model', 'in', [False, 'crm.lead', 'res.partner'])]",
    )
    text = fields.Char(
        translate=True, help="What the activity or the notice says. Empty: what happened, in words."
    )
    sms_template_id = fields.Many2one(
        'sms.template',
        string="SMS Template",
        ondelete='restrict',
        domain="[('model', '=', 'telephony.call')]",
    )
    lead_tag_ids = fields.Many2many('crm.tag', string="Tags of the Deal")
    category_ids = fields.Many2many('res.partner.category', string="Tags of the Contact")

    @api.constrains('kind', 'who', 'user_id', 'sms_template_id', 'lead_tag_ids', 'category_ids')
    def _check_complete(self):
        """Refuse an action that lacks what it needs."""
        _ = self.env._
        for action in self:
            if action.kind == 'sms' and action.sms_template_id.model != 'telephony.call':
                raise ValidationError(
                    _("Choose the template of the SMS, one that is made for calls.")
                )
            if action.kind == 'tag' and not action.lead_tag_ids and not action.category_ids:
                raise ValidationError(
                    _("Choose at least one tag to put on the deal or the contact.")
                )
            if action.who == 'user' and not action.user_id and action.kind not in UNADDRESSED:
                raise ValidationError(
                    _("Choose the user whom “%(action)s” is for.", action=label_of(action, 'kind'))
                )

    @api.depends_context('lang')
    @api.depends(
        'rule_id.working_time',
        'kind',
        'delay_kind',
        'delay_minutes',
        'priority',
        'who',
        'user_id',
        'text',
        'sms_template_id',
        'lead_tag_ids',
        'category_ids',
    )
    def _compute_summary(self):
        for action in self:
            action.summary = action._words()

    def _words(self):
        """Return the action as a person would say it, inside a sentence."""
        self.ensure_one()
        _ = self.env._
        who = self.user_id.name or "?" if self.who == 'user' else label_of(self, 'who').lower()
        when = self._when()
        if self.kind == 'callback':
            closed = self.delay_kind == 'working' and self.rule_id.working_time == 'out'
            text = _(
                "call back %(when)s", when=when or (_("at the opening") if closed else _("at once"))
            )
            return _("%(action)s, high priority", action=text) if self.priority == '1' else text
        if self.kind == 'activity':
            text = _("activity for: %(who)s", who=who)
        elif self.kind == 'notify':
            text = _("notify: %(who)s", who=who)
        elif self.kind == 'sms':
            text = _("SMS")
        elif self.kind == 'redial':
            text = _("redial")
        elif self.kind == 'tag':
            text = _(
                "tag %(tags)s",
                tags=", ".join(
                    (*self.lead_tag_ids.mapped('name'), *self.category_ids.mapped('name'))
                ),
            )
        else:
            return {
                'give_up': _("stop calling, the owner decides"),
                'lead': _("create a lead"),
                'check_number': _("number to be checked"),
            }.get(self.kind, '')
        return f'{text} {when}' if when else text

    def _when(self):
        _ = self.env._
        if self.delay_kind == 'next_day':
            return _("at the opening of the next working day")
        if not self.delay_minutes:
            return ''
        hours, minutes = divmod(self.delay_minutes, 60)
        clock = _("in %s h", hours) if hours and not minutes else _("in %s min", self.delay_minutes)
        return _("%s by the clock", clock) if self.delay_kind == 'real' else clock

    # === DECIDING === #

    def _due_at(self, call, hours):
        """Return when the action falls due (naive UTC), counted from the end of the call.

        :param hours: :class:`WorkingHours` of the call
        """
        moment = call._moment()
        if self.delay_kind == 'next_day':
            # a customer who called in the night waits for this morning; one whom we tried early in
            # the morning is not tried again the same day
            due = (
                hours.next_morning(moment)
                if call.direction == 'inbound'
                else hours.next_day(moment)
            )
        elif self.delay_kind == 'real' or not (self.delay_minutes or self.kind == 'callback'):
            due = moment + timedelta(minutes=self.delay_minutes)
        else:
            due = hours.after(moment, self.delay_minutes)
        return due.replace(microsecond=0)

    def _tells_a_time(self, call):
        """Return whether the SMS tells the customer of this call the time of the callback."""
        return 'promised_time' in (
            self.sms_template_id.with_context(lang=call._customer_lang()).body or ''
        )

    def _users(self, call, due=None):
        """Return whom the action is for, without archived users and those of other companies.

        :param due: when it is to be done (naive UTC); users on leave then are passed over
        """
        company = call.company_id
        if self.kind in UNADDRESSED:
            return self.env['res.users']

        def of_us(users):
            return users.filtered(lambda user: user.active and company in user.company_ids)

        if self.who == 'user':
            users = self.user_id
        elif self.who == 'supervisor':
            users = company._telephony_supervisors()
        elif self.who == 'talker' and call.user_id:
            users = call.user_id
        elif self.who == 'owner' and self.kind == 'notify' and (owner := of_us(call._owner())):
            users = owner  # also while they are away: they read it when they are back
        else:
            users = call._responsible(due)
            if self.who == 'leader':
                users = (
                    call.lead_id.team_id.user_id
                    or call.number_id.team_id.user_id
                    or users.sale_team_id.user_id
                )
        return of_us(users)
