from datetime import datetime, timedelta, timezone

from odoo import fields, models

PREFERENCES = (
    'telephony_pop',
    'telephony_sound',
    'telephony_dnd',
    'telephony_tab',
)
# The browser's names for them.
BROWSER_PREFERENCES = {
    'pop': 'telephony_pop',
    'sound': 'telephony_sound',
    'dnd': 'telephony_dnd',
    'tab': 'telephony_tab',
}
# Users read and write their own preferences; those of others only who administers users.
PERSONAL = 'base.group_erp_manager'
PREFERENCES_MESSAGE = 'crm_telephony.preferences'


class ResUsers(models.Model):
    """How a user wants to see and place calls."""

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
        help="The browser rings too, in case you cannot hear the phone.",
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
        """Send changed preferences to each tab that the user has open, where they hold at once."""
        result = super().write(vals)
        if set(vals) & set(BROWSER_PREFERENCES.values()):
            for user in self:
                self.env['bus.bus']._sendone(
                    user.partner_id, PREFERENCES_MESSAGE, user._telephony_preferences()
                )
        return result

    def _is_telephonist(self):
        """Return whether the user has any right on telephony."""
        return self.has_group('crm_telephony.group_user')

    def _telephony_led_ids(self):
        """Return the ids of the members of the teams that this user leads, for record rules. Ids and
        no path over the teams, because with the empty list of who leads nobody the condition is
        left out of each query."""
        self.ensure_one()
        members = self.env['crm.team.member'].sudo()
        return members.search(
            [('crm_team_id.user_id', '=', self.id), ('crm_team_id.active', '=', True)]
        ).user_id.ids

    def _telephony_at_work(self, company=None):
        """Return those of the users who work now.

        A user works by the calendar of their own, else by that of `company`, else by that of their
        main company. Without a calendar they always work. One look-up serves all users of a
        calendar.
        """
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
        """Return those of the users who are on leave at a moment (naive UTC)."""
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
