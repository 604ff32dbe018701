"""`make run SOFTPHONE=1`: a real Asterisk beside the demo, whose phones 104 and 105 are the browsers of two
people."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from ..setup import paths
from ..setup.process import stop
from ..simulate.odoo import Odoo
from . import root, server
from .server import BRIDGE_SECRET, BRIDGE_USER, BROWSER_SECRET, CONTROL_SECRET, CONTROL_USER

NAME = 'Asterisk'
PEOPLE = {'104': 'admin', '105': 'aigerim'}
NUMBER = '+442079460804'  # rings 104


@contextmanager
def browser_phones(url: str, odoo: Odoo, log: Path):
    """Asterisk, its bridge, and an account of it in this Odoo."""
    root.ensure()
    with server.running(server.roomy_ports()) as asterisk:
        account = _connect(odoo, asterisk.ports)
        token = odoo.read('telephony.account', [account], 'webhook_token')[0]['webhook_token']
        with log.open('w') as output:
            bridge = subprocess.Popen(
                [sys.executable, '-m', 'telephony_bridge'],
                cwd=paths.REPO / 'bridge',
                env={
                    'PATH': '/usr/bin:/bin',
                    'PYTHONDONTWRITEBYTECODE': '1',
                    'BRIDGE_PBX_PORT': str(asterisk.ports.ami),
                    'BRIDGE_PBX_USER': BRIDGE_USER,
                    'BRIDGE_PBX_SECRET': BRIDGE_SECRET,
                    'BRIDGE_CRM_SECRET': CONTROL_SECRET,
                    'BRIDGE_CRM_URL': f'{url}/telephony/webhook/asterisk/{token}',
                    'BRIDGE_SPOOL_PATH': str(log.with_suffix('.sqlite')),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield
        finally:
            stop(bridge)


def _connect(odoo: Odoo, ports: server.Ports) -> int:
    http = f'http://127.0.0.1:{ports.http}'
    values = {
        'name': NAME,
        'provider': 'asterisk',
        'api_key': CONTROL_USER,
        'api_secret': CONTROL_SECRET,
        'api_url': http,
        'sip_ws_url': f'ws://127.0.0.1:{ports.http}/ws',
        'echo_number': '600',
        'timezone': 'UTC',
    }
    known = odoo.call('telephony.account', 'search', [('name', '=', NAME)])
    if known:
        odoo.call('telephony.account', 'write', known, values)
        return known[0]
    [country] = odoo.call('res.country', 'search', [('code', '=', 'GB')])
    [account] = odoo.call('telephony.account', 'create', [{**values, 'country_id': country}])
    odoo.call('telephony.number', 'create', [{'name': NUMBER, 'account_id': account}])
    for number, login in PEOPLE.items():
        [user] = odoo.call('res.users', 'search', [('login', '=', login)])
        [phone] = odoo.call(
            'telephony.extension',
            'create',
            [
                {
                    'number': number,
                    'account_id': account,
                    'user_id': user,
                    'softphone': True,
                    'sip_password': BROWSER_SECRET,
                }
            ],
        )
        odoo.call('res.users', 'write', [user], {'telephony_extension_id': phone})
    return account
