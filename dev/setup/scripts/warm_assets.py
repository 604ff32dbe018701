"""Build the browser's bundles now and keep them in the database: those built during a test are
rolled back with it, and `CREATE DATABASE ... TEMPLATE` does not copy Odoo's file store. Fed to
`odoo shell`, which knows `env`."""

env['ir.config_parameter'].set_param('ir_attachment.location', 'db')
env['ir.attachment'].force_storage()

# what nobody asks for unless they choose it takes a quarter of the time: Odoo's old tests, dark mode
qweb = env['ir.qweb']
scripts, styles = qweb._get_bundles_to_pregenarate()
for name in sorted(scripts - {'web.tests_assets'}):
    qweb._get_asset_bundle(name, css=False, js=True).js()
for name in sorted(styles - {'web.tests_assets', 'web.assets_web_dark'}):
    qweb._get_asset_bundle(name, css=True, js=False).css()
env.cr.commit()
