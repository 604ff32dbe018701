from odoo import models
from odoo.exceptions import AccessError


class IrAttachment(models.Model):
    _inherit = 'ir.attachment'

    def _check_access(self, operation):
        """Close the sound of recordings to everybody but the system, administrators of the settings
        included: it is heard through `/telephony/recording/<id>` only, which asks the recording's
        own rules and writes the listening log."""
        result = super()._check_access(operation)
        if self.env.su:
            return result
        forbidden = result[0] if result else self.browse()
        sounds = (
            (self - forbidden)
            .sudo()
            .filtered(
                lambda attachment: attachment.res_model == 'telephony.recording'
                and attachment.res_field
            )
        )
        if not sounds:
            return result

        def error():
            return AccessError(
                self.env._(
                    "The sound of a call is heard in the call itself, by those who may listen to it."
                )
            )

        return (forbidden + sounds).sudo(False), result[1] if result else error
