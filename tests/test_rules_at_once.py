"""Two schedulers at once, in transactions of their own: no effect is had twice."""

import threading
from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import SQL, mute_logger

CALLS = 60


@tagged('post_install', '-at_install', 'crm_telephony')
class TestTwoSchedulers(BaseCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            account = env['telephony.account'].create(
                {
                    'name': "Two schedulers",
                    'provider': 'generic',
                    'country_id': env.ref('base.kz').id,
                    'timezone': 'UTC',
                }
            )
            self.account = account.id
            now = fields.Datetime.now()
            calls = env['telephony.call'].create(
                [
                    {
                        'account_id': account.id,
                        'external_id': f'two-{index}',
                        'direction': 'inbound',
                        'state': 'ended',
                        'outcome': 'missed',
                        'customer_number': f'+7705999{index % 50:04}',
                        'start_at': now,
                        'ended_at': now,
                        'match_state': 'none',
                    }
                    for index in range(CALLS)
                ]
            )
            self.calls = calls.ids
        self.addCleanup(self.clean)

    def clean(self):
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            calls = env['telephony.call'].browse(self.calls)
            numbers = calls.mapped('customer_number')
            env['sms.sms'].search([('number', 'in', numbers)]).unlink()
            callbacks = env['telephony.callback'].search([('customer_number', 'in', numbers)])
            callbacks.activity_ids.unlink()
            callbacks.unlink()
            calls.unlink()
            env['telephony.account'].browse(self.account).unlink()

    @mute_logger('odoo.sql_db')
    def test_no_effect_twice(self):
        ready, failures = threading.Barrier(3), []

        def schedule():
            try:
                for _turn in range(20):
                    ready.wait(30)
                    with self.registry.cursor() as cr:
                        api.Environment(cr, SUPERUSER_ID, {})['telephony.call']._cron_follow_up(
                            batch_size=7
                        )
                    ready.wait(30)
            except threading.BrokenBarrierError:
                pass
            except Exception as error:  # noqa: BLE001 - told in the main thread
                failures.append(error)
                ready.abort()

        threads = [threading.Thread(target=schedule) for _scheduler in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _turn in range(20):
                ready.wait(30)
                ready.wait(30)
                with self.registry.cursor() as cr:
                    env = api.Environment(cr, SUPERUSER_ID, {})
                    calls = env['telephony.call'].browse(self.calls)
                    # who lost the race is tried again after a minute; the test does not wait for it
                    calls.filtered(lambda call: call.follow_up == 'error').write(
                        {'follow_up': 'todo'}
                    )
                    if not calls.filtered(lambda call: call.follow_up != 'done'):
                        break
        finally:
            ready.abort()
            for thread in threads:
                thread.join()
        self.assertFalse(failures)
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            calls = env['telephony.call'].browse(self.calls)
            self.assertEqual(set(calls.mapped('follow_up')), {'done'})
            self.assertEqual(
                len(calls.effect_ids), 2 * CALLS, "each call: the callback and the SMS"
            )
            numbers = set(calls.mapped('customer_number'))
            self.assertEqual(
                env['telephony.callback'].search_count([('customer_number', 'in', list(numbers))]),
                len(numbers),
            )
            self.assertLessEqual(
                env['sms.sms'].search_count([('number', 'in', list(numbers))]), len(numbers)
            )

    def text(self, cr, place):
        """What becomes of the planned SMS about one of the calls, in the transaction of this
        cursor."""
        effect = api.Environment(cr, SUPERUSER_ID, {})['telephony.effect'].search(
            [('call_id', '=', self.calls[place]), ('kind', '=', 'sms')]
        )
        effect._do_alone()
        return effect.state

    def test_one_text_a_number(self):
        """Neither of two transactions sees what the other has not committed, nor what it commits
        meanwhile."""
        noon = datetime(2026, 11, 4, 10, 0)  # nobody sleeps from Brussels to Almaty
        with freeze_time(noon):
            with self.registry.cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                action = env.ref('crm_telephony.rule_missed').action_ids.filtered(
                    lambda action: action.kind == 'sms'
                )
                calls = env['telephony.call'].browse(self.calls)
                calls.write({'start_at': noon, 'ended_at': noon, 'follow_up': 'done'})
                env['telephony.effect'].create(
                    [
                        {
                            'call_id': call.id,
                            'rule_id': action.rule_id.id,
                            'action_id': action.id,
                            'kind': 'sms',
                            'due_at': noon,
                        }
                        for call in calls
                    ]
                )
                numbers = calls.mapped('customer_number')
                env['telephony.callback'].create(
                    [
                        {
                            'company_id': calls.company_id.id,
                            'customer_number': number,
                            'due_at': datetime(2026, 11, 4, 11, 0),
                        }
                        for number in set(numbers)
                    ]
                )
            with self.registry.cursor() as one, self.registry.cursor() as other:
                other.execute("SELECT 1")  # its view of the world is from now on
                self.assertEqual(self.text(one, 0), 'done')
                self.assertEqual(
                    self.text(other, 50), 'planned', "somebody is writing to this number"
                )
                one.commit()
                self.assertEqual(
                    self.text(other, 50), 'skipped', "somebody has written to it since"
                )
                self.assertEqual(self.text(other, 1), 'done')
                self.assertEqual(self.text(other, 51), 'skipped', "this transaction itself has")
            with self.registry.cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                self.assertEqual(env['sms.sms'].search_count([('number', 'in', numbers)]), 2)

    def written_meanwhile(self, model, ids):
        """Another transaction writes these records just before they are locked."""
        cls = self.registry[model]
        lock = cls.try_lock_for_update

        def try_lock_for_update(records, **options):
            with self.registry.cursor() as cr:
                cr.execute(
                    SQL(
                        "UPDATE %s SET write_date = now() WHERE id IN %s",
                        SQL.identifier(cls._table),
                        tuple(ids),
                    )
                )
            return lock(records, **options)

        return patch.object(cls, 'try_lock_for_update', try_lock_for_update)

    def woken(self, cron):
        """How often the scheduled action is asked to come back from now on; these calls are taken
        back."""
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            triggers = env['ir.cron.trigger'].search(
                [
                    ('cron_id', '=', env.ref(f'crm_telephony.{cron}').id),
                    ('call_at', '>', fields.Datetime.now()),
                ]
            )
            count = len(triggers)
            triggers.unlink()
            return count

    @mute_logger('odoo.sql_db')
    def test_what_is_written_meanwhile_fails_no_scheduled_action(self):
        """It comes back in a minute: a failed one came back after five, and nothing asked it to."""
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env['ir.cron.trigger'].search([]).unlink()
        with (
            self.subTest("ended calls"),
            self.written_meanwhile('telephony.call', self.calls),
            self.registry.cursor() as cr,
        ):
            api.Environment(cr, SUPERUSER_ID, {})['telephony.call']._cron_follow_up()
            self.assertEqual(self.woken('ir_cron_follow_up'), 1)
        for kind, rule in (('sms', 'rule_missed'), ('redial', 'rule_busy_outbound')):
            with self.registry.cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                env['telephony.call'].browse(self.calls).follow_up = 'done'
                env['telephony.effect'].search([('call_id', 'in', self.calls)]).unlink()
                action = env.ref(f'crm_telephony.{rule}').action_ids.filtered(
                    lambda action, kind=kind: action.kind == kind
                )
                effect = env['telephony.effect'].create(
                    {
                        'call_id': self.calls[0],
                        'rule_id': action.rule_id.id,
                        'action_id': action.id,
                        'kind': kind,
                        'due_at': fields.Datetime.now() - timedelta(minutes=1),
                    }
                )
                ids = effect.ids
            with (
                self.subTest(kind),
                self.written_meanwhile('telephony.effect', ids),
                self.registry.cursor() as cr,
            ):
                env = api.Environment(cr, SUPERUSER_ID, {})
                env['telephony.effect']._cron_work_off()
                self.assertEqual(
                    (env['telephony.effect'].browse(ids).state, self.woken('ir_cron_effects')),
                    ('planned', 1),
                )
