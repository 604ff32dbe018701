"""Two people who click on one callback, in transactions of their own: one call is placed, and
nobody waits for the PBX."""

from unittest.mock import patch

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import UserError
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, get_db_name, tagged

from ..providers.client import _clients
from .common import FakeClient

NUMBER = '+77059998877'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTakingAtOnce(BaseCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.told, self.meanwhile = [], lambda: None

        class SlowPbx(FakeClient):
            def dial(_client, extension, number, reference):
                self.told.append(extension)
                self.meanwhile()
                return 'placed'

        self.startPatcher(patch.dict(_clients, {'generic': SlowPbx}))
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            account = env['telephony.account'].create(
                {
                    'name': "Two clicks",
                    'provider': 'generic',
                    'api_secret': 'any',
                    'country_id': env.ref('base.kz').id,
                    'timezone': 'UTC',
                }
            )
            groups = env.ref('base.group_user') | env.ref('crm_telephony.group_supervisor')
            users = (
                env['res.users']
                .with_context(no_reset_password=True)
                .create(
                    [
                        {'name': name, 'login': f'at_once_{name}', 'group_ids': groups.ids}
                        for name in ("Dina", "Erlan")
                    ]
                )
            )
            env['telephony.extension'].create(
                [
                    {'number': user.name, 'account_id': account.id, 'user_id': user.id}
                    for user in users
                ]
            )
            callback = env['telephony.callback'].create(
                {
                    'company_id': account.company_id.id,
                    'customer_number': NUMBER,
                    'due_at': fields.Datetime.now(),
                }
            )
            self.account, self.users, self.callback = account.id, users.ids, callback.id
        self.registry.clear_cache()
        self.addCleanup(self.clean)

    def clean(self):
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env['telephony.callback'].browse(self.callback).unlink()
            env['telephony.callback.act'].search([('customer_number', '=', NUMBER)]).unlink()
            env['telephony.account'].browse(self.account).unlink()
            users = env['res.users'].browse(self.users)
            partners = users.partner_id
            users.unlink()
            partners.unlink()
        self.registry.clear_cache()

    def debt(self, cr, place):
        return api.Environment(cr, self.users[place], {})['telephony.callback'].browse(
            self.callback
        )

    def test_one_call(self):
        def meanwhile():
            """The PBX takes its time: the other clicks too, and a call moves the promise on."""
            with (
                self.registry.cursor() as other,
                self.assertRaisesRegex(UserError, "at this very moment"),
            ):
                self.debt(other, 1).action_call()
            with self.registry.cursor() as follow_up:
                follow_up.execute("SET LOCAL lock_timeout = '1s'")
                self.debt(follow_up, 1).sudo().priority = '1'

        self.meanwhile = meanwhile
        with self.registry.cursor() as one, self.registry.cursor() as late:
            late.execute("SELECT 1")  # its view of the world is from now on
            self.assertEqual(self.debt(one, 0).action_call()['tag'], 'display_notification')
            one.commit()
            with self.assertRaisesRegex(UserError, "Dina has taken this callback"):
                self.debt(late, 1).action_call()
        self.assertEqual(self.told, ["Dina"])
        with self.registry.cursor() as cr:
            debt = self.debt(cr, 0)
            self.assertEqual((debt.user_id.id, debt.priority), (self.users[0], '1'))
