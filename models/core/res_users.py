from datetime import datetime, timedelta, timezone

from odoo import api, fields, models, tools

PREFERENCES = (
    'telephony_pop',
    'telephony_sound',
    'telephony_dnd',
    'telephony_tab',
    'telephony_extension_id',
)
# What the browser knows of them, under names of its own.
BROWSER_PREFERENCES = {
    'pop': 'telephony_pop',
    'sound': 'telephony_sound',
    'dnd': 'telephony_dnd',
    'tab': 'telephony_tab',
}
# Each sees and changes his own; those of others are the business of who administers users.
PERSONAL = 'base.group_erp_manager'
PREFERENCES_MESSAGE = 'crm_telephony.preferences'


class ResUsers(models.Model):
    """How a person wants to see and place calls."""

    _inherit = 'res.users'

    telephony_pop = fields.Boolean(
        string="Show Calls",
        default=True,
        groups=PERSONAL,
        help="A card on the screen when your phone rings.",
    )
    telephony_sound = fields.Boolean(
        string="Sound",
        groups=PERSONAL,
        help="The browser rings too, for who cannot hear the phone.",
    )
    telephony_dnd = fields.Boolean(
        string="Do Not Disturb",
        groups=PERSONAL,
        help="No card and no sound for now. Your phone goes on ringing: that is the PBX's business.",
    )
    telephony_tab = fields.Selection(
        [
            ('stay', "Stay where I am"),
            ('current', "Open it in this tab"),
            ('new', "Open it in a new tab"),
        ],
        string="Deal or Contact, When I Answer",
        default='stay',
        required=True,
        groups=PERSONAL,
    )
    telephony_extension_id = fields.Many2one(
        'telephony.extension',
        string="Call With",
        domain="[('id', 'in', telephony_extension_ids)]",
        ondelete='set null',
        groups=PERSONAL,
        help="Which of your phones rings when you call from Odoo. Where the deal is another company's, a phone of that "
        "company's PBX is taken if you have one.",
    )
    telephony_extension_ids = fields.Many2many(
        'telephony.extension',
        string="Phones",
        compute='_compute_telephony_extension_ids',
        groups=PERSONAL,
    )

    @property
    def SELF_READABLE_FIELDS(self):
        return [*super().SELF_READABLE_FIELDS, *PREFERENCES, 'telephony_extension_ids']

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return [*super().SELF_WRITEABLE_FIELDS, *PREFERENCES]

    def write(self, vals):
        """A change holds at once in each tab that the user has open."""
        result = super().write(vals)
        if set(vals) & set(BROWSER_PREFERENCES.values()):
            for user in self:
                self.env['bus.bus']._sendone(
                    user.partner_id, PREFERENCES_MESSAGE, user._telephony_preferences()
                )
        return result

    @api.depends_context('uid')
    def _compute_telephony_extension_ids(self):
        for user in self:
            user.telephony_extension_ids = user._telephony_phones()

    def _telephony_phones(self):
        """The phones of PBXs in use that are this user's or that he shares (sudo)."""
        self.ensure_one()
        return (
            self.env['telephony.extension']
            .sudo()
            .search(
                [
                    '|',
                    ('user_id', '=', self.id),
                    ('also_user_ids', '=', self.id),
                    ('account_id.active', '=', True),
                    ('company_id', 'in', self.sudo().company_ids.ids),
                ]
            )
        )

    def _is_telephonist(self):
        """Whether he sees calls and callbacks at all."""
        return self.has_group('crm_telephony.group_user')

    def _telephony_at_work(self, company=None):
        """Those who work now, by their own calendar, else by the company's (their own one's): as
        many queries for many users as for one of each calendar. Without a calendar everybody
        works."""
        now, present = datetime.now(timezone.utc), self.browse()
        for calendar, users in (
            self.sudo()
            .grouped(
                lambda user: user.resource_calendar_id
                or (company or user.company_id).resource_calendar_id
            )
            .items()
        ):
            if calendar:
                hours = calendar._work_intervals_batch(
                    now, now + timedelta(minutes=1), resources=users.resource_ids
                )
                users = users.browse(user.id for user in users if hours[user.resource_ids[:1].id])
            present |= users
        return present.sudo(self.env.su)

    def _telephony_away(self, moment):
        """Those who are on leave then (naive UTC), by the working calendar of their resource."""
        resources = self.sudo().resource_ids
        leaves = self.env['resource.calendar.leaves'].sudo()
        if resources:
            leaves = leaves.search(
                [
                    ('resource_id', 'in', resources.ids),
                    ('time_type', '=', 'leave'),
                    ('date_from', '<=', moment),
                    ('date_to', '>=', moment),
                ]
            )
        return self & leaves.resource_id.user_id

    def _telephony_preferences(self):
        return {key: self.sudo()[name] for key, name in BROWSER_PREFERENCES.items()}

    @tools.ormcache('self.id')
    def _telephony_can_call(self):
        """Whether he has a phone of a PBX that places calls. No query for each page: settings of
        PBXs clear the cache, and so does a user who gets another company."""
        return any(phone.can_dial for phone in self._telephony_phones())
