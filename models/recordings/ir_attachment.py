from odoo import api, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL

MODEL = 'telephony.recording'


class IrAttachment(models.Model):
    """The sound of recordings is closed to everybody but the system, administrators of the settings
    included: it is heard through `/telephony/recording/<id>` only, which asks the recording's own
    rules and writes the listening log."""

    _inherit = 'ir.attachment'

    def _check_access(self, operation):
        """Refuse whatever is done to the sound of a recording."""
        result = super()._check_access(operation)
        if self.env.su:
            return result
        forbidden = result[0] if result else self.browse()
        sounds = (
            (self - forbidden)
            .sudo()
            .filtered(lambda attachment: attachment.res_model == MODEL and attachment.res_field)
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

    @api.model
    def _search(
        self,
        domain,
        offset=0,
        limit=None,
        order=None,
        *,
        active_test=True,
        bypass_access=False,
    ):
        """Find no sound of recordings: grouping and counting, which read without asking
        :meth:`_check_access`, would else give it away. The condition is no condition on a field,
        because Odoo looks at those to decide which attachments it hides."""
        if not self.env.su and not bypass_access:
            domain = Domain(domain) & Domain.custom(to_sql=self._no_sound)
        return super()._search(
            domain, offset, limit, order, active_test=active_test, bypass_access=bypass_access
        )

    @api.model
    def _no_sound(self, _model, alias, _query):
        return SQL(
            "(%s IS NULL OR %s IS DISTINCT FROM %s)",
            SQL.identifier(alias, 'res_field'),
            SQL.identifier(alias, 'res_model'),
            MODEL,
        )
