from odoo import api, fields, models

ADDON = 'crm_telephony'


class BaseModuleUninstall(models.TransientModel):
    """Odoo's dialog says what goes for ever with telephony, because whoever confirms it seldom knows
    how much that is."""

    _inherit = 'base.module.uninstall'

    telephony_loss = fields.Text(string="What Is Lost", compute='_compute_telephony_loss')

    @api.depends('module_ids')
    def _compute_telephony_loss(self):
        for dialog in self:
            goes = ADDON in dialog._get_modules().mapped('name')
            dialog.telephony_loss = dialog._telephony_loss() if goes else False

    def _telephony_loss(self):
        """Return what is deleted, in numbers, and what stays, as one paragraph."""

        def count(model, *domain):
            return self.env[model].sudo().search_count(list(domain))

        return self.env._(
            "Deleted for ever: %(calls)s calls with their results and notes, %(recordings)s recordings (Odoo keeps the "
            "sound of %(copies)s), %(texts)s texts of talks, %(callbacks)s callbacks (%(open)s still open), %(holds)s legal "
            "holds, the log of who listened, the PBXs with their credentials, the rules and the figures. What stays: contacts, "
            "deals, and the lines about calls in their chatter. Export Calls before, and remove the webhook address from the "
            "PBX, because Odoo will answer it with 404.",
            calls=count('telephony.call'),
            recordings=count('telephony.recording'),
            copies=count('telephony.recording', ('copy_state', '=', 'done')),
            texts=count('telephony.transcript'),
            callbacks=count('telephony.callback'),
            open=count('telephony.callback', ('state', '=', 'open')),
            holds=count('telephony.hold', ('state', '=', 'active')),
        )
