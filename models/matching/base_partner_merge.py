from odoo import api, models


class BasePartnerMerge(models.TransientModel):
    _inherit = 'base.partner.merge.automatic.wizard'

    @api.model
    def _update_foreign_keys(self, src_partners, dst_partner):
        """All numbers of merged contacts stay known: the one that remains has a single phone of its
        own."""
        Number = self.env['telephony.contact.number'].sudo()
        further, numbers = (
            src_partners.telephony_number_ids.sudo(),
            set(src_partners._telephony_numbers()),
        )
        labels = {row.number: (row.label, row.origin) for row in further}
        further.unlink()  # core would move them in one go, and fail on one that both have
        super()._update_foreign_keys(src_partners, dst_partner)
        dst_partner.invalidate_recordset(['telephony_number_ids'])
        have = set(dst_partner._telephony_numbers())
        if not dst_partner.phone:
            have |= set(src_partners.mapped('phone_sanitized')[:1])  # core takes it over
        Number.create(
            [
                {
                    'partner_id': dst_partner.id,
                    'number': number,
                    'label': labels.get(number, ("", ""))[0],
                    'origin': labels.get(number, ("", 'typed'))[1],
                }
                for number in sorted(numbers - have)
            ]
        )
        self.env['telephony.rebind']._queue(numbers | have)
