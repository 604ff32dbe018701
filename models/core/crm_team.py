from datetime import timedelta

from odoo import fields, models

# Who got nothing for so long is next, whatever came before.
ROTATION_DAYS = 90


class CrmTeam(models.Model):
    _inherit = 'crm.team'

    resource_calendar_id = fields.Many2one(
        'resource.calendar',
        string="Working Hours",
        check_company=True,
        help="Callbacks of this team fall due in these hours. Empty: the company's.",
    )

    def _next_telephony_member(self, company):
        """The member whose turn it is: he whose latest deal in this team is the oldest. Who is not
        at work is passed over, unless nobody is."""
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
