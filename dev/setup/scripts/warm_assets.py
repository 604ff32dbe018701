"""Build the browser's bundles now and keep them in the database: those built during a test are
rolled back with it, and `CREATE DATABASE ... TEMPLATE` does not copy Odoo's file store. Fed to
`odoo shell`, which knows `env`."""

env['ir.config_parameter'].set_param('ir_attachment.location', 'db')
env['ir.attachment'].force_storage()
env['ir.qweb']._pregenerate_assets_bundles()
env.cr.commit()
