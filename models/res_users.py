from odoo import api, fields, models, tools

PREFERENCES = (
    'telephony_pop', 'telephony_sound', 'telephony_dnd', 'telephony_tab', 'telephony_extension_id')


class ResUsers(models.Model):
    """How a person wants to see and place calls."""
    _inherit = 'res.users'

    telephony_pop = fields.Boolean(
        string="Show Calls", default=True, help="A card on the screen when your phone rings.")
    telephony_sound = fields.Boolean(string="Sound", help="The browser rings too, for who cannot hear the phone.")
    telephony_dnd = fields.Boolean(
        string="Do Not Disturb", help="No card and no sound for now. Your phone goes on ringing: that is the PBX's business.")
    telephony_tab = fields.Selection(
        [('stay', "Stay where I am"), ('current', "Open it in this tab"), ('new', "Open it in a new tab")],
        string="Deal or Contact, When I Answer", default='stay', required=True)
    telephony_extension_id = fields.Many2one(
        'telephony.extension', string="Call With", domain="[('user_id', '=', id)]", ondelete='set null',
        help="Which of your phones rings when you call from Odoo. Where the deal is another company's, a phone of that "
             "company's PBX is taken if you have one.")
    telephony_extension_ids = fields.One2many('telephony.extension', 'user_id', string="Phones", readonly=True)

    @property
    def SELF_READABLE_FIELDS(self):
        return [*super().SELF_READABLE_FIELDS, *PREFERENCES, 'telephony_extension_ids']

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return [*super().SELF_WRITEABLE_FIELDS, *PREFERENCES]

    def _telephony_session(self):
        """What the web client knows of the user from the start, without a query for who has been here before:
        ``{'can_call': bool, 'pop': bool, 'sound': bool, 'dnd': bool, 'tab': 'stay'|'current'|'new'}``; None for who has
        nothing to do with telephony."""
        self.ensure_one()
        if not self.has_group('crm_telephony.group_user'):
            return None
        user = self.sudo()
        return {
            'can_call': self._telephony_can_call(self.id),
            'pop': user.telephony_pop,
            'sound': user.telephony_sound,
            'dnd': user.telephony_dnd,
            'tab': user.telephony_tab,
        }

    @api.model
    @tools.ormcache('user_id')
    def _telephony_can_call(self, user_id):
        """Whether a user has a phone of a PBX that places calls. Settings of PBXs clear the cache."""
        phones = self.env['telephony.extension'].sudo().search([
            ('user_id', '=', user_id), ('account_id.active', '=', True)])
        return any(account._can('dial') for account in phones.account_id)
