import pytz

from odoo import fields, models

# The fields of the company that filing reads, see `telephony.account._recall`.
FILING_FIELDS = (
    'partner_id',
    'telephony_short_seconds',
    'telephony_deal_policy',
    'telephony_lead_policy',
    'telephony_match_margin',
    'telephony_has_erased',
    'telephony_short_abandon_seconds',
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
LISTEN_REASONS = [
    ('never', "Never"),
    ('others', "For the talks of others"),
    ('always', "Always"),
]
DOWNLOADS = [
    ('nobody', "Nobody"),
    ('supervisors', "Supervisors"),
    ('all', "Everybody who may listen"),
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
        "A changed threshold counts for later calls only.",
    )
    telephony_short_abandon_seconds = fields.Integer(
        string="Short Abandon (s)",
        default=5,
        help="A caller who hangs up earlier did not really wait for us: they dialled by mistake, or heard the menu only. "
        "A changed threshold counts for later calls only.",
    )
    telephony_service_percent = fields.Integer(
        string="Service Level (%)",
        default=80,
        help="So many of the callers are to be answered in time.",
    )
    telephony_service_seconds = fields.Integer(
        string="Answered in Time Within (s)",
        default=20,
        help="The wait without the menu. Exactly so many seconds are in time.",
    )
    telephony_acw_seconds = fields.Integer(
        string="After-call Work if Unknown (s)",
        default=30,
        help="Counted for a call whose employee saved no result, where the need of people is computed.",
    )
    telephony_won_days = fields.Integer(
        string="Won Within (days)",
        default=30,
        help="A deal counts for the caller's first call if it is won so many days after it.",
    )
    telephony_visit_days = fields.Integer(
        string="Visit Within (days)",
        default=14,
        help="A meeting counts for the caller's first call if it begins so many days after it.",
    )
    telephony_target_lost_callers = fields.Integer(string="Lost Callers, at Most (%)", default=10)
    telephony_target_wait_seconds = fields.Integer(string="Time to Answer, at Most (s)", default=20)
    telephony_target_short_talks = fields.Integer(string="Short Talks, at Most (%)", default=10)
    telephony_effect_hours = fields.Integer(
        string="Rules Act for (hours)",
        default=72,
        help="Rules leave calls alone that ended longer ago than this, because they were imported, replayed or fetched late: "
        "such a call gets its line in the chatter only. Long enough for a weekend. 0: rules act on all calls.",
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
        string="Which Deal",
        required=True,
        default='score',
        help="Which open deal a call is linked to.",
    )
    telephony_match_margin = fields.Integer(
        string="Clear Lead",
        default=20,
        help="By how many points a deal must lead the next one to be linked without asking.",
    )
    telephony_lead_policy = fields.Selection(
        LEAD_POLICIES, string="New Deals for Unknown Callers", default='never', required=True
    )
    telephony_lead_owner = fields.Selection(
        LEAD_OWNERS,
        string="Owner of New Deals",
        default='answered',
        required=True,
        help="If this finds nobody, the number's responsible gets the deal, then the team's leader.",
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
        help="Who is told about late callbacks and long waits. Empty: all supervisors.",
    )
    telephony_has_erased = fields.Boolean(
        readonly=True, help="A person was erased: calls are filed only if they are not theirs."
    )
    telephony_erase_two = fields.Boolean(
        string="A Second Person Confirms Erasures",
        help="Whoever asks for an erasure cannot start it: somebody else who may erase has to confirm it.",
    )

    telephony_listen_reason = fields.Selection(
        LISTEN_REASONS,
        string="Ask Why Somebody Listens",
        default='never',
        required=True,
        help="The reason stands in the listening log. Who may listen only as one of the Privacy group is always "
        "asked.",
    )
    telephony_download = fields.Selection(
        DOWNLOADS,
        string="Who Downloads Recordings",
        default='supervisors',
        required=True,
        help="A downloaded recording is out of reach of retention and erasure.",
    )
    telephony_speech_month = fields.Float(
        string="Spend on Speech in a Month",
        help="When speech engines have cost so much in a month, by the prices on their forms, further talks wait for the "
        "next one. 0: no limit.",
    )

    def write(self, vals):
        result = super().write(vals)
        if not set(FILING_FIELDS).isdisjoint(vals):
            self.env['telephony.settings.mixin']._forget_settings()
        return result

    def _telephony_lang(self):
        """Return the language in which the system writes for everybody in the company."""
        # without the other fields of the contact
        partner = self.partner_id.with_context(prefetch_fields=False)
        return partner.lang or self.env.lang

    def _telephony_zone(self, person=None):
        """Return the time zone of a user or contact, else of the company (pytz)."""
        company = self.sudo()
        return pytz.timezone(
            person
            and person.tz
            or company.resource_calendar_id.tz
            or company.partner_id.tz
            or 'UTC'
        )

    def _telephony_supervisors(self):
        """Return who is told of late callbacks and long waits: the user whom the settings name, else
        all supervisors, else the administrators."""
        if named := self._telephony_staff(self.telephony_supervisor_id):
            return named
        administrators = self._telephony_administrators()
        return self._telephony_group('supervisor') - administrators or administrators

    def _telephony_administrators(self):
        """Return the users who administer the telephony of this company."""
        return self._telephony_group('admin')

    def _telephony_group(self, name):
        group_id = self.env['ir.model.data']._xmlid_to_res_id(f'crm_telephony.group_{name}')
        return self._telephony_staff(self.env['res.groups'].sudo().browse(group_id).all_user_ids)

    def _telephony_staff(self, users):
        """Return those of the users who work in this company."""
        return users.filtered(
            lambda user: user.active and not user.share and self in user.company_ids
        )
