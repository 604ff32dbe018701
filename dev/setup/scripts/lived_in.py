"""Odoo's shell: some life for a database, so that there is something to lose.

Calls come through the door of the webhook, then each of our scheduled actions runs once.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone

from odoo.addons.crm_telephony.providers.base import WebhookRequest

SECRET = 'a-secret-that-nobody-guesses'
CUSTOMER = '+77771234567'


def deliver(account, call, event, seconds, **more):
    told = {
        'event': event,
        'call_id': call,
        'at': (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat(),
        'direction': 'inbound',
        'caller': CUSTOMER,
        'called': '+77272507612',
        **more,
    }
    body = json.dumps(told).encode()
    signature = 'sha256=' + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    account._receive(WebhookRequest(body=body, headers={'x-telephony-signature': signature}))


admin, kazakhstan = env.ref('base.user_admin'), env.ref('base.kz')
env.company.country_id = kazakhstan
admin.group_ids |= env.ref('crm_telephony.group_admin')
customer = env['res.partner'].search([('phone_sanitized', '=', CUSTOMER)], limit=1)
customer = customer or env['res.partner'].create({'name': "Customer", 'phone': CUSTOMER})
lead = env['crm.lead'].create(
    {'name': "Deal", 'type': 'opportunity', 'partner_id': customer.id, 'user_id': admin.id}
)
account = env['telephony.account'].create(
    {
        'name': "Middleware",
        'provider': 'generic',
        'api_secret': SECRET,
        'timezone': 'Asia/Almaty',
        'country_id': kazakhstan.id,
        'recording_storage': 'copy',
    }
)
env['telephony.number'].create({'name': '+77272507612', 'account_id': account.id})
env['telephony.extension'].create({'number': '101', 'account_id': account.id, 'user_id': admin.id})
deliver(account, 'talk', 'ringing', 900, extension='101')
deliver(account, 'talk', 'ended', 800, extension='101', outcome='answered', talk_seconds=60)
deliver(account, 'talk', 'recording', 790, recording_url='https://127.0.0.1:9/talk.mp3')
deliver(account, 'lost', 'ringing', 700, extension='101')
deliver(account, 'lost', 'ended', 690, outcome='missed')
deliver(account, 'stranger', 'ended', 600, outcome='missed', caller='+77770000001')
env.cr.commit()
env['telephony.event']._process(account)
env.cr.commit()
recording = env['telephony.recording'].search([], limit=1)
env['ir.attachment'].create(
    {
        'name': 'talk.mp3',
        'res_model': 'telephony.recording',
        'res_id': recording.id,
        'raw': b'a sound',
    }
)
env['ir.config_parameter'].set_param('crm_telephony.late_days', '300')
env['ir.filters'].create(
    {'name': "Mine", 'model_id': 'telephony.call', 'domain': '[]', 'user_ids': False}
)
env.cr.commit()
for job in env['ir.cron'].search([('cron_name', 'ilike', 'Telephony')]):
    job.method_direct_trigger()
    env.cr.commit()
for model in ('telephony.call', 'telephony.callback', 'telephony.effect'):
    assert env[model].search_count([]), f"no {model}: nothing would be proved"
