from odoo import SUPERUSER_ID, api

from odoo.addons.crm_telephony.hooks import post_init_hook


def migrate(cr, version):
    """Read the phones of contacts and deals again: those with two numbers, with a note, or written
    as 00 7… were not read before."""
    post_init_hook(api.Environment(cr, SUPERUSER_ID, {}))
