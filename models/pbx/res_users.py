from odoo import api, fields, models, tools

from ..core.res_users import PERSONAL


class ResUsers(models.Model):
    """The phones of a person."""

    _inherit = 'res.users'

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
        return [
            *super().SELF_READABLE_FIELDS,
            'telephony_extension_id',
            'telephony_extension_ids',
        ]

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return [*super().SELF_WRITEABLE_FIELDS, 'telephony_extension_id']

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

    @tools.ormcache('self.id')
    def _telephony_can_call(self):
        """Whether he has a phone of a PBX that places calls. No query for each page: settings of
        PBXs clear the cache, and so does a user who gets another company."""
        return any(phone.can_dial for phone in self._telephony_phones())
