"""Odoo's shell: file all calls once more from all their events."""

events = env['telephony.event'].search([('call_ref', '!=', False), ('state', '=', 'done')])
for event in events.filtered(lambda event: event.kind != 'odoo:route'):
    event._reread()
env.cr.commit()
env['telephony.event']._process(events.account_id)
env.cr.commit()
