import pytz

from odoo import fields, models

# What filing a call reads of the company, see `telephony.account._recall`.
FILING_FIELDS = (
    'partner_id',
    'telephony_short_seconds',
    'telephony_deal_policy',
    'telephony_match_margin',
)
DEAL_POLICIES = [
    ('score', "Best reasons, else ask"),
    ('newest', "Newest"),
    ('ask', "Always ask"),
    ('new', "Always a new one"),
    ('contact', "None, contact only"),
]
LEAD_POLICIES = [
    ('never', "Never"),
    ('always', "At once, while it rings"),
    ('answered', "When somebody has talked to them"),
    ('missed', "When nobody answered"),
]
LEAD_OWNERS = [
    ('answered', "Who answered"),
    ('rotation', "In turn in the sales team"),
    ('responsible', "The number's responsible"),
]


class ResCompany(models.Model):
    _inherit = 'res.company'

    telephony_short_seconds = fields.Integer(
        string="Short Talk (s)",
        default=30,
        help="An answered call with less talk is no full contact, unless its result says so. "
        "A new threshold does not rewrite past calls.",
    )
    telephony_effect_hours = fields.Integer(
        string="Rules Act for (hours)",
        default=72,
        help="Calls that ended longer ago than this lead to nothing but a line in the chatter: those that are imported, "
        "replayed or fetched late. Long enough for what a weekend brought. 0: rules act on all.",
    )
    telephony_sms_quiet_minutes = fields.Integer(
        string="One SMS in (minutes)",
        default=240,
        help="No customer gets a second SMS from a rule within this time.",
    )
    telephony_sms_from = fields.Float(
        string="SMS From",
        default=9,
        help="In the customer's time. What comes up earlier waits until then.",
    )
    telephony_sms_to = fields.Float(string="SMS Until", default=21, help="In the customer's time.")
    telephony_deal_policy = fields.Selection(
        DEAL_POLICIES,
        string="Deal of a Call",
        required=True,
        default='score',
        help="Which open deal a call is linked to.",
    )
    telephony_match_margin = fields.Integer(
        string="Clear Lead",
        default=20,
        help="So many points a deal has to be ahead of the next one to be linked without asking.",
    )
    telephony_lead_policy = fields.Selection(
        LEAD_POLICIES, string="New Deals for Unknown Callers", default='never', required=True
    )
    telephony_lead_owner = fields.Selection(
        LEAD_OWNERS,
        string="Owner of New Deals",
        default='answered',
        required=True,
        help="Where this gives nobody: the number's responsible, then its team's leader.",
    )
    telephony_escalate_minutes = fields.Integer(
        string="Tell the Team Leader After (min)",
        default=5,
        help="Working minutes that a callback is late before the leader of its team is told, once. Negative: never.",
    )
    telephony_escalate_again_minutes = fields.Integer(
        string="Tell the Supervisor After (min)",
        default=30,
        help="Working minutes that a callback is late before the supervisor is told, once. Negative: never.",
    )
    telephony_supervisor_id = fields.Many2one(
        'res.users',
        string="Telephony Supervisor",
        domain="[('share', '=', False)]",
        ondelete='set null',
        help="Who is told of what goes wrong on the phone. Empty: all supervisors.",
    )

    def write(self, vals):
        result = super().write(vals)
        if not set(FILING_FIELDS).isdisjoint(vals):
            self.env['telephony.settings.mixin']._forget_settings()
        return result

    def _telephony_lang(self):
        """The language of what the system writes for everybody in the company."""
        # of its many fields only one is wanted
        partner = self.partner_id.with_context(prefetch_fields=False)
        return partner.lang or self.env.lang

    def _telephony_zone(self, person=None):
        """Where this user or contact is, else the company (pytz)."""
        company = self.sudo()
        return pytz.timezone(
            person
            and person.tz
            or company.resource_calendar_id.tz
            or company.partner_id.tz
            or 'UTC'
        )

    def _telephony_supervisors(self):
        """Who is told of what goes wrong: the one who is named, else all supervisors, else the
        administrators."""
        self.ensure_one()
        groups, xmlid_to_id = (
            self.env['res.groups'].sudo(),
            self.env['ir.model.data']._xmlid_to_res_id,
        )

        def of_us(users):
            return users.filtered(
                lambda user: user.active and not user.share and self in user.company_ids
            )

        if named := of_us(self.telephony_supervisor_id):
            return named
        supervisors, administrators = (
            of_us(groups.browse(xmlid_to_id(f'crm_telephony.{name}')).all_user_ids)
            for name in ('group_supervisor', 'group_admin')
        )
        return supervisors - administrators or administrators
