from odoo import SUPERUSER_ID, api

from odoo.addons.crm_telephony.hooks import post_init_hook


def migrate(cr, version):
    """Phones with two numbers, with a note or written as 00 7… are read for the first time."""
    post_init_hook(api.Environment(cr, SUPERUSER_ID, {}))
