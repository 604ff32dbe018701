"""Build the browser's bundles now and keep them in the database: those built during a test are rolled back with it, and
`CREATE DATABASE ... TEMPLATE` does not copy Odoo's file store. Fed to `odoo shell`, which knows `env`."""
env['ir.config_parameter'].set_param('ir_attachment.location', 'db')  # noqa: F821
env['ir.attachment'].force_storage()  # noqa: F821
env['ir.qweb']._pregenerate_assets_bundles()  # noqa: F821
env.cr.commit()  # noqa: F821
