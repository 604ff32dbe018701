"""Odoo listens to a PBX that nobody knows: what is kept of it, what is refused, and what never comes
of it."""

import json
import logging
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from odoo.addons.crm_telephony.providers import registry

from .common import CUSTOMER, DID, TelephonyHttpCase

OTHER = next(code for code, provider in registry.items() if provider.bench)
SECRET = 'secret-of-the-unknown-pbx'
LIVE = {
    'telephony_template': 1,
    'language': 1,
    'id': 'capture-test',
    'version': '1.0.0',
    'label': "Capture test",
    'auth': {'address_only': True},
    'call': '$.id',
    'all': {'direction': {'const': 'inbound'}, 'caller': '$.from', 'called': '$.to'},
    'rules': [{'name': 'end', 'events': [{'kind': 'ended'}]}],
}


class TestCapture(TelephonyHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.unknown = cls.new_account(
            cls.company, provider=OTHER, name="Unknown", api_secret=SECRET, api_key='pbx-user'
        )
        cls.admin = new_test_user(
            cls.env, 'cap_admin', groups='base.group_user,crm_telephony.group_admin', name="Adel"
        )

    def send(self, payload, account=None, **headers):
        return self.post(
            payload, secret='', path=self.path(account or self.unknown, OTHER), **headers
        )

    def captures(self, account=None):
        return self.env['telephony.capture'].search(
            [('account_id', '=', (account or self.unknown).id)]
        )

    def listen(self, account=None):
        return (account or self.unknown).with_user(self.admin).learn_start({'mobile': CUSTOMER})

    def go_live(self):
        template = self.env['telephony.template'].create({'content': json.dumps(LIVE)})
        template.action_go_live()
        self.unknown.template_id = template

    def end(self, call='c-1', **more):
        return {'id': call, 'from': CUSTOMER, 'to': DID, **more}

    # --- what is kept ---------------------------------------------------------------------------------------------

    def test_off_until_somebody_begins(self):
        self.assertEqual(self.send(self.end()).status_code, 200)
        self.assertFalse(self.captures())
        self.assertEqual(self.events(self.unknown).mapped('state'), ['failed'], "nothing is lost")

    def test_a_request_is_kept_and_nothing_comes_of_it(self):
        self.listen()
        buses = self.env['bus.bus'].search_count([])
        response = self.send(self.end())
        self.assertEqual((response.status_code, response.text), (200, ''))
        self.file_calls(self.unknown)
        self.assertEqual(len(self.captures()), 1)
        self.assertFalse(self.events(self.unknown))
        self.assertFalse(self.env['telephony.call'].search([('account_id', '=', self.unknown.id)]))
        self.assertFalse(self.callbacks())
        self.assertEqual(self.env['bus.bus'].search_count([]), buses)

    def test_the_address_is_the_key(self):
        self.listen()
        for path in (
            f'/telephony/webhook/{OTHER}/wrong',
            self.path(self.unknown, 'generic'),
            self.path(self.account, OTHER),
        ):
            self.assertEqual(self.post(self.end(), secret='', path=path).status_code, 404)
        self.unknown.active = False
        self.assertEqual(self.send(self.end()).status_code, 404)
        self.assertFalse(self.captures())

    def test_no_secret_is_written_logged_or_shown(self):
        self.listen()
        token = self.unknown.webhook_token
        payload = self.end(
            api_key='hidden-one', nested={'password': 'hidden-two'}, said=f'{SECRET}!', url=token
        )
        self.opener.cookies.set('pbx', 'hidden-four')
        with self.assertLogs(level=logging.DEBUG) as log:
            response = self.send(payload, Authorization='Basic aGlkZGVuLXRocmVl')
        self.assertEqual(response.status_code, 200)
        self.env.cr.execute('SELECT row_to_json(c)::text FROM telephony_capture c')
        (row,) = self.env.cr.fetchone()
        screen = self.unknown.with_user(self.admin).get_learning()
        shown = json.dumps({name: part for name, part in screen.items() if name != 'account'})
        for text in (row, shown):
            for secret in ('hidden-', 'aGlkZGVuLXRocmVl', SECRET, token):
                self.assertNotIn(secret, text)
            self.assertIn('c-1', text)
        # the server's access log has the address that the PBX calls, as it has of every webhook
        told = [
            line for line in log.output if not line.startswith(('INFO:werkzeug', 'DEBUG:urllib3'))
        ]
        for secret in ('hidden-', SECRET):
            self.assertNotIn(secret, '\n'.join(told))

    # --- limits ---------------------------------------------------------------------------------------------------

    def test_a_large_request_is_refused(self):
        self.listen()
        response = self.send({'id': 'x' * 256 * 1024})
        self.assertEqual(response.status_code, 413)
        self.assertIn('256', response.text)
        self.assertFalse(self.captures())
        self.assertFalse(self.events(self.unknown))

    def test_too_many_at_once_are_refused(self):
        self.listen()
        codes = [self.send(self.end(f'c-{number}')).status_code for number in range(21)]
        self.assertEqual(codes, [200] * 20 + [429])
        self.assertEqual(len(self.captures()), 20)
        self.captures().received_at = fields.Datetime.now() - timedelta(minutes=2)
        self.assertEqual(self.send(self.end('later')).status_code, 200)

    def fill(self, count, size=100):
        self.env['telephony.capture'].create(
            [
                {
                    'account_id': self.unknown.id,
                    'received_at': fields.Datetime.now() - timedelta(minutes=5),
                    'request': '{}',
                    'size': size,
                }
                for _number in range(count)
            ]
        )

    def test_it_stops_by_itself_after_so_many(self):
        self.listen()
        self.fill(99)
        self.send(self.end('last'))
        self.assertEqual(len(self.captures()), 100)
        self.assertLessEqual(self.unknown.capture_until, fields.Datetime.now())
        self.send(self.end('one more'))
        self.assertEqual(len(self.captures()), 100)
        self.assertEqual(len(self.events(self.unknown)), 1, "it lies in the inbox instead")

    def test_it_stops_by_itself_after_so_much(self):
        self.listen()
        self.fill(1, 4 * 1024 * 1024)
        self.send(self.end('no room'))
        self.assertEqual(len(self.captures()), 1)
        self.assertLessEqual(self.unknown.capture_until, fields.Datetime.now())
        self.assertEqual(len(self.events(self.unknown)), 1, "it lies in the inbox instead")

    def test_it_stops_after_an_hour(self):
        self.listen()
        self.assertAlmostEqual(
            self.unknown.capture_until,
            fields.Datetime.now() + timedelta(hours=1),
            delta=timedelta(seconds=10),
        )
        self.unknown.capture_until = fields.Datetime.now() - timedelta(seconds=1)
        self.send(self.end())
        self.assertFalse(self.captures())

    def test_deleted_a_day_after(self):
        self.listen()
        self.send(self.end())
        forget = self.env.ref('crm_telephony.ir_cron_forget_captures')
        self.unknown.capture_until = fields.Datetime.now() - timedelta(hours=23)
        forget.method_direct_trigger()
        self.assertTrue(self.captures())
        self.unknown.capture_until = fields.Datetime.now() - timedelta(hours=25)
        forget.method_direct_trigger()
        self.assertFalse(self.captures())

    # --- a PBX at work --------------------------------------------------------------------------------------------

    def test_a_live_pbx_works_on(self):
        self.go_live()
        self.listen()
        self.send(self.end())
        self.file_calls(self.unknown)
        self.assertEqual(self.call('c-1', self.unknown).outcome, 'missed')
        self.assertEqual(len(self.captures()), 1)

    def test_the_limits_are_not_those_of_a_live_pbx(self):
        self.go_live()
        self.listen()
        self.fill(20)
        self.captures().received_at = fields.Datetime.now()
        self.assertEqual(self.send(self.end('busy')).status_code, 200)
        self.assertEqual(self.send(self.end('big', text='x' * 300_000)).status_code, 200)
        self.assertEqual(len(self.captures()), 20)
        self.assertEqual(len(self.events(self.unknown)), 2)

    @mute_logger('odoo.addons.crm_telephony.models.inbox.capturing')
    def test_an_error_of_capturing_harms_no_delivery(self):
        self.go_live()
        self.listen()
        self.patch(type(self.unknown), '_masked', lambda account, request: 1 / 0)
        self.assertEqual(self.send(self.end()).status_code, 200)
        self.assertEqual(len(self.events(self.unknown)), 1)

    # --- rights ---------------------------------------------------------------------------------------------------

    def test_who_begins_is_told(self):
        with self.assertLogs('odoo.addons.crm_telephony.models.inbox.capturing') as log:
            self.listen()
        self.assertIn(f'user {self.admin.id}', log.output[0])
        self.assertNotIn(self.unknown.webhook_token, log.output[0])
        self.env.flush_all()
        self.env.cr.precommit.run()
        message = self.unknown.message_ids.filtered('tracking_value_ids')[:1]
        self.assertEqual(message.author_id, self.admin.partner_id)

    def test_others_see_and_do_nothing(self):
        self.listen()
        self.send(self.end())
        elsewhere = self.env['res.company'].create({'name': "Elsewhere"})
        stranger = new_test_user(
            self.env,
            'cap_stranger',
            groups='base.group_user,crm_telephony.group_admin',
            company_id=elsewhere.id,
            company_ids=[(6, 0, elsewhere.ids)],
        )
        for user in (stranger, self.supervisor, self.anna):
            account = self.unknown.with_user(user)
            for act in (
                account.get_learning,
                lambda account=account: account.learn_start({}),
                account.learn_stop,
                account.learn_from_failed,
                account.learn_clear,
                lambda account=account: account.learn_say({}),
                lambda account=account: account.learn_secret('x'),
                lambda account=account: account.learn_allow('x'),
                lambda account=account: account.learn_use(1),
                lambda account=account: account.learn_go_live(True),
                account.learn_replay,
                account.action_learn,
                lambda account=account: account.read(['capture_until', 'mapping']),
            ):
                with self.assertRaises(AccessError), self.cr.savepoint():
                    act()
        self.assertFalse(self.env['telephony.capture'].with_user(stranger).search([]))
        for user in (self.supervisor, self.anna):
            with self.assertRaises(AccessError):
                self.env['telephony.capture'].with_user(user).search([])
        self.assertTrue(self.env['telephony.capture'].with_user(self.admin).search([]))
        with self.assertRaises(AccessError):
            self.captures().with_user(self.admin).write({'request': '{}'})
