from datetime import datetime, timedelta, timezone

from odoo import fields, models

PREFERENCES = (
    'telephony_pop',
    'telephony_sound',
    'telephony_dnd',
    'telephony_tab',
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

    @property
    def SELF_READABLE_FIELDS(self):
        return [*super().SELF_READABLE_FIELDS, *PREFERENCES]

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
