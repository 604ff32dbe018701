from odoo import SUPERUSER_ID, api

from odoo.addons.crm_telephony.hooks import pre_init_hook


def migrate(cr, version):
    pre_init_hook(api.Environment(cr, SUPERUSER_ID, {}))
