from datetime import timedelta

from odoo import api, fields, models

# A member who got nothing for so long is next, whatever came before.
ROTATION_DAYS = 90


class CrmTeam(models.Model):
    _inherit = 'crm.team'

    resource_calendar_id = fields.Many2one(
        'resource.calendar',
        string="Working Hours",
        check_company=True,
        help="Callbacks of this team fall due in these hours. Empty: the company's.",
    )

    def write(self, vals):
        result = super().write(vals)
        if {'user_id', 'active'} & set(vals):
            self.env.registry.clear_cache()  # of the rules that ask who leads whom
        return result

    def unlink(self):
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

    def _next_telephony_member(self, company):
        """Return the member whose turn it is: the one whose latest deal in this team is the oldest.
        Members who are not at work are passed over, unless none is at work."""
        members = self.crm_team_member_ids.user_id.filtered('active')
        present = (members & members._telephony_at_work(company)) or members
        if not present:
            return present
        since = fields.Datetime.now() - timedelta(days=ROTATION_DAYS)
        latest = dict(
            self.env['crm.lead']
            .with_context(active_test=False)
            ._read_group(
                [
                    ('create_date', '>=', since),
                    ('team_id', '=', self.id),
                    ('user_id', 'in', present.ids),
                ],
                ['user_id'],
                ['id:max'],
            )
        )
        return min(present, key=lambda user: (latest.get(user, 0), user.id))


class CrmTeamMember(models.Model):
    """Who leads whom stands in Odoo's cache of record rules, see
    :meth:`res.users._telephony_led_ids`. So it is forgotten when a membership changes."""

    _inherit = 'crm.team.member'

    @api.model_create_multi
    def create(self, vals_list):
        members = super().create(vals_list)
        self.env.registry.clear_cache()
        return members

    def write(self, vals):
        result = super().write(vals)
        if {'user_id', 'crm_team_id', 'active'} & set(vals):
            self.env.registry.clear_cache()
        return result

    def unlink(self):
        result = super().unlink()
        self.env.registry.clear_cache()
        return result
