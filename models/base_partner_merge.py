from odoo import api, models


class BasePartnerMerge(models.TransientModel):
    _inherit = 'base.partner.merge.automatic.wizard'

    @api.model
    def _update_foreign_keys(self, src_partners, dst_partner):
        """All numbers of merged contacts stay known: the one that remains has a single phone of its own."""
        Number = self.env['telephony.contact.number'].sudo()
        further = Number.search([('partner_id', 'in', src_partners.ids)])
        numbers = {*src_partners.mapped('phone_sanitized'), *further.mapped('number')} - {False}
        labels = {row.number: (row.label, row.origin) for row in further}
        further.unlink()    # core would move them in one go, and fail on one that both have
        super()._update_foreign_keys(src_partners, dst_partner)
        have = {dst_partner.phone_sanitized, *Number.search([('partner_id', '=', dst_partner.id)]).mapped('number')}
        if not dst_partner.phone:
            have |= set(src_partners.mapped('phone_sanitized')[:1])     # core takes it over
        Number.create([{
            'partner_id': dst_partner.id, 'number': number, 'label': labels.get(number, ("", ""))[0],
            'origin': labels.get(number, ("", 'typed'))[1],
        } for number in sorted(numbers - have)])
        self.env['telephony.rebind']._queue(numbers | have)
