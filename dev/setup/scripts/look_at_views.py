"""Odoo's shell: every view of every model is made as for a browser."""

for view in env['ir.ui.view'].search([('model', '!=', False), ('mode', '=', 'primary')]):
    if view.model not in env:
        print(f'BROKEN {view.xml_id or view.id}: there is no model {view.model}')
        continue
    try:
        with env.cr.savepoint():
            env[view.model].get_view(view.id, view.type)
    except Exception as error:  # noqa: BLE001  all of them are to be named
        print(f'BROKEN {view.xml_id or view.id}: {error}')
print('LOOKED')
