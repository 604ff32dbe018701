"""The calls of a period are read again after something was mended: first it is shown what would change,
then it is changed, and nothing happens twice."""

import json
from datetime import timedelta
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.tools import mute_logger

from odoo.addons.crm_telephony.providers.base import ProviderError

from .common import CUSTOMER, TelephonyCase


class TestReprocess(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.zarina = self.boris.copy({'login': 'tel_zarina', 'name': "Zarina"})
        self.adapter = type(self.account._adapter())

    def ended(self, name, **more):
        fields = {'outcome': 'answered', 'extension': '103', 'talk_seconds': 60, **more}
        return self.event('ended', name, at=-3600, **fields)

    def period(self, **values):
        today = self.account._local_today()
        return self.env['telephony.reprocess'].create(
            {
                'account_id': self.account.id,
                'first': today - timedelta(days=2),
                'last': today + timedelta(days=1),
                **values,
            }
        )

    def run_cron(self, xmlid='ir_cron_reprocess'):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.{xmlid}').method_direct_trigger()
        self.env.invalidate_all()

    def look(self, period=None):
        period = period or self.period()
        period.action_count()
        self.run_cron()
        self.assertEqual(period.state, 'counted')
        return period

    def apply(self, period):
        period.action_apply()
        self.run_cron()
        self.assertEqual(period.state, 'done')
        self.run_cron('ir_cron_follow_up')

    def mend_phone(self):
        """103 was nobody's: now it is Zarina's."""
        self.account.extension_ids.filtered(lambda one: one.number == '103').user_id = self.zarina
        self.env.registry.clear_cache()

    def test_a_mended_phone_is_shown_then_applied(self):
        self.play(self.ended('of 103'), self.ended('of 101', extension='101'))
        self.mend_phone()
        period = self.look()
        self.assertRecordValues(
            period, [{'call_count': 2, 'change_count': 1, 'new_count': 0, 'progress': 100}]
        )
        self.assertIn("Employee: – → Zarina", period.line_ids.change_text)
        self.assertFalse(self.call('of 103').user_id, "nothing changes before somebody says so")
        self.apply(period)
        self.assertEqual(self.call('of 103').user_id, self.zarina)
        self.assertEqual(self.call('of 101').user_id, self.anna)
        self.assertEqual(self.look().change_count, 0, "once is enough")

    def test_a_mended_adapter(self):
        self.play(self.ended('call'))
        translate = self.adapter.translate

        def mended(adapter, stored, account):
            return [
                event.__class__(**{**event.__dict__, 'queue': 'sales'})
                for event in translate(adapter, stored, account)
            ]

        with patch.object(self.adapter, 'translate', mended):
            period = self.look()
            self.assertIn("Queue: – → sales", period.line_ids.change_text)
            self.apply(period)
            self.assertEqual(self.call('call').queue, 'sales')

    def test_what_was_not_understood_becomes_calls(self):
        identify = self.adapter.identify

        def blind(adapter, payload, account):
            raise ProviderError("not understood")

        with patch.object(self.adapter, 'identify', blind):
            self.play(self.ended('unread'))
        self.assertFalse(self.call('unread'))
        self.assertEqual(self.adapter.identify, identify)
        period = self.look()
        self.assertEqual((period.new_count, period.line_ids.kind), (1, 'new'))
        self.assertFalse(self.call('unread'))
        self.assertNotIn(CUSTOMER, json.dumps(period.line_ids.changes))
        self.apply(period)
        self.assertEqual(self.call('unread').outcome, 'answered')
        self.assertNotIn('failed', self.events().mapped('state'))

    def test_events_that_belong_to_another_call_move(self):
        self.play(self.ended('wrong'))
        identify = self.adapter.identify

        def mended(adapter, payload, account):
            identity = identify(adapter, payload, account)
            return identity.__class__(**{**identity.__dict__, 'call_ref': 'right'})

        def translate(adapter, stored, account, told=self.adapter.translate):
            return [
                event.__class__(**{**event.__dict__, 'external_id': 'right'})
                for event in told(adapter, stored, account)
            ]

        with (
            patch.object(self.adapter, 'identify', mended),
            patch.object(self.adapter, 'translate', translate),
        ):
            period = self.look()
            self.assertEqual((period.new_count, period.gone_count), (1, 1))
            self.apply(period)
        self.assertTrue(self.call('right'))
        self.assertFalse(self.call('wrong'))

    def test_a_call_with_which_somebody_worked_is_not_taken_away(self):
        self.play(self.ended('noted'), self.ended('plain'))
        self.call('noted').note = "They want ten"
        with patch.object(self.adapter, 'translate', lambda *args: []):
            period = self.look()
            self.assertEqual(period.gone_count, 1)
            self.assertEqual(
                {line.external_id: line.is_kept for line in period.line_ids},
                {'noted': True, 'plain': False},
            )
            self.apply(period)
        self.assertEqual(self.call('noted').note, "They want ten")
        self.assertFalse(self.call('plain'))

    @mute_logger('odoo.addons.crm_telephony.models.watch.reprocess')
    def test_an_adapter_that_has_become_worse_takes_nothing_away(self):
        self.play(self.ended('first'), self.ended('second'))

        def refuses(adapter, *args):
            raise ProviderError("not understood any more")

        for name in ('identify', 'translate'):
            with self.subTest(name), patch.object(self.adapter, name, refuses):
                period = self.look()
                self.assertFalse(period.line_ids)
                self.apply(period)
        self.assertTrue(self.call('first') and self.call('second'))
        self.assertNotIn('failed', self.events().mapped('state'))

    def test_what_people_chose_stays(self):
        deal = self.new_lead()
        self.play(self.ended('call'))
        call = self.call('call')
        call.action_pick(deal.id)
        call.write({'note': "Their words"})
        self.mend_phone()
        self.apply(self.look())
        self.assertRecordValues(
            self.call('call'),
            [
                {
                    'user_id': self.zarina.id,
                    'lead_id': deal.id,
                    'match_state': 'manual',
                    'note': "Their words",
                }
            ],
        )

    def test_nothing_is_done_twice(self):
        self.work_around_the_clock()
        self.play(self.ended('lost', outcome='missed', talk_seconds=0, extension='102'))
        callback, effects = self.callbacks(), self.call('lost').effect_ids
        self.assertEqual(len(callback), 1)
        texts = self.env['sms.sms'].search_count([])
        lines = self.partner.message_ids
        # another phone rang: the call changes, and is followed up again
        self.account.extension_ids.filtered(lambda one: one.number == '102').user_id = self.zarina
        translate = self.adapter.translate

        def mended(adapter, stored, account):
            return [
                event.__class__(**{**event.__dict__, 'at': event.at + timedelta(seconds=5)})
                for event in translate(adapter, stored, account)
            ]

        with patch.object(self.adapter, 'translate', mended):
            self.apply(self.look())
        self.assertEqual(self.call('lost').follow_up, 'done')
        self.assertEqual(self.callbacks(), callback)
        self.assertEqual(self.call('lost').effect_ids, effects)
        self.assertEqual(self.env['sms.sms'].search_count([]), texts)
        self.assertEqual(self.partner.message_ids, lines)

    def test_a_lost_end_stays_assumed(self):
        self.play(self.event('ringing', 'endless', at=-7200, extension='101'))
        self.env['telephony.event']._close_lost(self.account, self.call('endless'))
        self.assertTrue(self.call('endless').end_unknown)
        self.assertEqual(self.look().change_count, 0)

    def test_final_calls_are_left_alone(self):
        self.play(self.ended('old'))
        self.call('old').is_sealed = True
        self.mend_phone()
        period = self.look()
        self.assertRecordValues(period, [{'final_count': 1, 'change_count': 0}])

    def test_it_goes_on_in_batches(self):
        self.play(*(self.ended(f'c{number}') for number in range(5)))
        self.mend_phone()
        with patch('odoo.addons.crm_telephony.models.watch.reprocess.BATCH', 2):
            period = self.look()
            self.assertEqual((period.call_count, period.change_count), (5, 5))
            self.apply(period)
        self.assertEqual({self.call(f'c{number}').user_id for number in range(5)}, {self.zarina})

    def test_only_administrators_and_only_after_a_look(self):
        with self.assertRaises(AccessError):
            self.env['telephony.reprocess'].with_user(self.supervisor).create(
                {'account_id': self.account.id}
            )
        period = self.period()
        period.action_apply()
        self.assertEqual(period.state, 'draft')
        with self.assertRaises(ValidationError):
            period.last = period.first - timedelta(days=1)
