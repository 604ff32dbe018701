from odoo import api, fields, models

from ...providers.capabilities import Dials


class TelephonyExtension(models.Model):
    """A phone of a PBX and its user. Its extension is never taken for a customer's number."""

    _name = 'telephony.extension'
    _description = "PBX extension"
    _inherit = ['telephony.settings.mixin']
    _order = 'account_id, number'
    _rec_name = 'number'
    _check_company_auto = True

    number = fields.Char(required=True, help="What the PBX's events call the phone.")
    account_id = fields.Many2one('telephony.account', required=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(
        related='account_id.company_id', store=True, precompute=True, index=True
    )
    user_id = fields.Many2one(
        'res.users',
        string="User",
        ondelete='set null',
        index='btree_not_null',
        domain="[('share', '=', False)]",
    )
    also_user_ids = fields.Many2many(
        'res.users',
        string="Also Used By",
        domain="[('share', '=', False)]",
        help="Who shares this phone. The call card opens for all of them; its calls count as the user's above.",
    )
    can_dial = fields.Boolean(
        string="Calls From Odoo",
        compute='_compute_can_dial',
        help="The PBX rings this phone for a call that is started in Odoo.",
    )

    _number_uniq = models.UniqueIndex('(account_id, number)', "This extension is already entered.")

    @api.depends('number', 'user_id', 'account_id.name')
    @api.depends_context('telephony_show_pbx')
    def _compute_display_name(self):
        """Name a phone by its user, or by its PBX in the list of one user's phones."""
        show_pbx = self.env.context.get('telephony_show_pbx')
        for extension in self:
            more = extension.account_id.name if show_pbx else extension.user_id.name
            extension.display_name = f'{extension.number} {more}' if more else extension.number

    @api.depends(
        'account_id.provider', 'account_id.api_key', 'account_id.api_secret', 'account_id.api_url'
    )
    def _compute_can_dial(self):
        for extension in self:
            extension.can_dial = extension.account_id._is_ready(Dials)

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get('number'):
                vals['number'] = vals['number'].strip()
        extensions = super().create(vals_list)
        extensions.account_id._after_entered()
        return extensions

    def write(self, vals):
        if vals.get('number'):
            vals = {**vals, 'number': vals['number'].strip()}
        return super().write(vals)
