"""Odoo's shell: what the dialog says before, and the uninstallation as a click does it."""

addon = env['ir.module.module'].search([('name', '=', 'crm_telephony')])
dialog = env['base.module.uninstall'].create({'module_ids': addon.ids})
print('BEFORE:', dialog.telephony_loss)
addon.button_immediate_uninstall()
