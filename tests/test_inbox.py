"""The inbox: nothing that was answered 200 is lost, and one bad event harms none of its
neighbours."""

import json
from datetime import timedelta
from unittest.mock import patch

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from odoo import SUPERUSER_ID, fields
from odoo.api import Environment
from odoo.modules.registry import Registry
from odoo.sql_db import db_connect
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import mute_logger

from ..providers.base import ProviderError, WebhookRequest
from ..providers.generic.adapter import Generic
from ..tools import turns
from ..tools.clocks import RETRY_MINUTES
from .common import CUSTOMER, DID, SECRET, TelephonyCase, sign

POISON = 'poison'


def fails_on_poison(self, stored, account, translate=Generic.translate):
    if any(one.payload['call_id'] == POISON for one in stored):
        raise ZeroDivisionError("a bug in the adapter")
    return translate(self, stored, account)


class TestInbox(TelephonyCase):
    def poisoned(self):
        return patch.object(Generic, 'translate', fails_on_poison)

    def test_what_a_crash_left_behind_is_filed_by_the_scheduled_action(self):
        body = json.dumps(self.event('ended', outcome='missed')).encode()
        self.account._receive(
            WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
        )
        self.assertEqual(self.events().state, 'pending')
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_process_events').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(self.events().state, 'done')
        self.assertEqual(self.call().outcome, 'missed')

    @mute_logger('odoo.addons.crm_telephony.models.inbox.event')
    def test_a_poison_event_between_good_ones_harms_none(self):
        with self.poisoned():
            self.play(
                self.event('ended', 'good1', outcome='missed'),
                self.event('ended', POISON, outcome='missed'),
                self.event('ended', 'good2', outcome='missed'),
            )
        self.assertTrue(self.call('good1') and self.call('good2'))
        self.assertFalse(self.call(POISON))
        bad = self.events().filtered(lambda event: event.call_ref == POISON)
        self.assertEqual((bad.state, bad.attempts), ('failed', 1))
        self.assertIn("a bug in the adapter", bad.error)
        self.assertEqual(set((self.events() - bad).mapped('state')), {'done'})

    @mute_logger('odoo.addons.crm_telephony.models.inbox.event')
    def test_our_own_failure_is_tried_again_with_growing_pauses_and_an_end(self):
        cron = self.env.ref('crm_telephony.ir_cron_process_events')
        pauses = []
        with self.poisoned():
            self.play(self.event('ended', POISON, outcome='missed'))
            event = self.events()
            while event.next_try_at:
                pauses.append((event.next_try_at - event.write_date).total_seconds() / 60)
                with self.enter_registry_test_mode():
                    cron.method_direct_trigger()
                self.env.invalidate_all()
                self.assertEqual(event.attempts, len(pauses), "not before its time")
                event.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
                with self.enter_registry_test_mode():
                    cron.method_direct_trigger()
                self.env.invalidate_all()
        self.assertEqual([round(pause) for pause in pauses], list(RETRY_MINUTES))
        self.assertEqual(event.state, 'failed')
        # the adapter is mended, the admin presses Replay
        event.action_replay()
        self.file_calls()
        self.assertEqual(event.state, 'done')
        self.assertEqual(self.call(POISON).outcome, 'missed')

    def test_replay_reads_a_delivery_that_was_not_understood_at_all(self):
        def refuse(self, request):
            raise ProviderError("not yet understood")

        with patch.object(Generic, 'split', refuse):
            self.play(
                [
                    self.event('ended', 'a', outcome='missed'),
                    self.event('ended', 'b', outcome='missed'),
                ]
            )
        event = self.events()
        self.assertEqual((event.state, event.error), ('failed', "not yet understood"))
        event.action_replay()
        self.file_calls()
        self.assertEqual(event.state, 'done')
        self.assertEqual(self.call('a').customer_number, CUSTOMER)
        self.assertTrue(self.call('b'))
        # a delivery that turns out to hold no event at all is no error either
        with patch.object(Generic, 'split', refuse):
            self.play([self.event('ended', 'c', outcome='missed')])
        with patch.object(Generic, 'split', return_value=[]):
            self.events().filtered(lambda event: event.state == 'failed').action_replay()
        self.assertEqual(set(self.events().mapped('state')), {'done'})

    def test_replay_changes_nothing_that_was_right(self):
        self.play(
            self.event('ringing', at=-30, extension='101'), self.event('ended', outcome='missed')
        )
        before = (
            self.call().read(),
            self.callbacks().read(['state', 'due_at']),
            len(self.partner.message_ids),
        )
        self.events().action_replay()
        self.file_calls()
        after = (
            self.call().read(),
            self.callbacks().read(['state', 'due_at']),
            len(self.partner.message_ids),
        )
        for one in (before[0][0], after[0][0]):
            one.pop('write_date')
        self.assertEqual(before, after)

    def test_retention_seals_the_call(self):
        self.play(
            self.event('ringing', at=-30, extension='101'),
            self.event('ended', outcome='answered', talk_seconds=45),
        )
        self.env['ir.config_parameter'].set_param('crm_telephony.event_retention_days', '90')
        self.events().received_at = fields.Datetime.now() - timedelta(days=89)
        self.env['telephony.event']._gc_events()
        self.assertEqual(len(self.events()), 2)
        self.events().received_at = fields.Datetime.now() - timedelta(days=91)
        self.env['telephony.event']._gc_events()
        self.assertFalse(self.events())
        # a straggler alone must not be taken for the whole call
        self.play(self.event('ended', outcome='missed'))
        self.assertEqual((self.call().outcome, self.call().talk_seconds), ('answered', 45))

    def test_a_call_whose_end_never_came_is_closed_and_a_late_end_still_wins(self):
        start = -5 * 3600
        self.play(self.event('ringing', at=start, extension='101'))
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_close_lost').method_direct_trigger()
        self.env.invalidate_all()
        call = self.call()
        self.assertEqual((call.state, call.outcome, call.end_unknown), ('ended', False, True))
        self.play(
            self.event('ended', at=start + 50, outcome='answered', extension='101', talk_seconds=40)
        )
        self.assertEqual(
            (call.outcome, call.end_unknown, call.talk_seconds), ('answered', False, 40)
        )

    def test_closing_many_calls_at_once_says_what_the_fold_says(self):
        start = -5 * 3600
        self.play(
            self.event('ringing', 'rings', at=start, extension='101'),
            self.event('ringing', 'queue', at=start, queue='Sales'),
            self.event('ringing', 'talks', at=start, extension='101'),
            self.event('answered', 'talks', at=start + 9, extension='101'),
            self.event('ringing', 'passed', at=start, extension='101'),
            self.event('answered', 'passed', at=start + 9, extension='101'),
            self.event('transferred', 'passed', at=start + 60, extension='102'),
            self.event('ringing', 'out', at=start, direction='outbound', extension='101'),
            self.event('answered', 'out', at=start + 5, direction='outbound', extension='101'),
        )
        refs = ['rings', 'queue', 'talks', 'passed', 'out']

        def facts():
            self.env.invalidate_all()
            calls = [self.call(ref) for ref in refs]
            told = [
                call.read(
                    [
                        'state',
                        'outcome',
                        'end_unknown',
                        'is_short',
                        'start_at',
                        'answered_at',
                        'ended_at',
                        'wait_seconds',
                        'talk_seconds',
                        'extension',
                        'user_id',
                        'queue',
                        'attempt',
                        'partner_id',
                        'lead_id',
                        'match_state',
                    ]
                )
                for call in calls
            ]
            return told, [
                call.leg_ids.read(['extension', 'answered_at', 'ended_at', 'outcome'])
                for call in calls
            ]

        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_close_lost').method_direct_trigger()
        closed = facts()
        self.assertEqual({call['state'] for [call] in closed[0]}, {'ended'})
        self.assertEqual({call['outcome'] for [call] in closed[0]}, {False})
        self.assertEqual(
            self.events().filtered(lambda event: event.kind == 'lost').mapped('state'),
            ['done'] * len(refs),
        )
        self.assertTrue(all(event.call_id for event in self.events()))
        self.events().action_replay()
        self.file_calls()
        self.assertEqual(facts(), closed)

    def test_a_replayed_lost_end_closes_the_call_again(self):
        self.play(self.event('ringing', at=-5 * 3600, extension='101'))
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_close_lost').method_direct_trigger()
        self.env.invalidate_all()
        self.events().action_replay()
        self.file_calls()
        self.assertEqual((self.call().state, self.call().end_unknown), ('ended', True))

    def test_scheduled_actions_serve_all_accounts(self):
        other = self.new_account(self.company)
        for account in (self.account, other):
            body = json.dumps(self.event('ended', outcome='missed')).encode()
            account._receive(
                WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
            )
        self.env.registry.clear_cache()
        self.env.flush_all()
        self.env.invalidate_all()
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_process_events').method_direct_trigger()
            self.env.ref('crm_telephony.ir_cron_fetch_history').method_direct_trigger()
        self.env.invalidate_all()
        self.assertTrue(self.call() and self.call(account=other))
        self.assertEqual(
            len({one['webhook_url'] for one in (self.account | other).read(['webhook_url'])}), 2
        )

    @mute_logger('odoo.addons.crm_telephony.models.inbox.event', 'odoo.sql_db')
    def test_what_the_database_refuses_holds_up_nobody(self):
        model = type(self.env['telephony.call'])

        def file(call, account, records, right=model._file):
            if 'bad' in records:
                # program limit exceeded: an OperationalError
                call.env.cr.execute("SELECT lpad('x', 2000000000)")
            return right(call, account, records)

        with patch.object(model, '_file', file):
            self.play(
                self.event('ended', 'good1', outcome='missed'),
                self.event('ended', 'bad', outcome='missed'),
                self.event('ended', 'good2', outcome='missed'),
            )
        self.assertTrue(self.call('good1') and self.call('good2'))
        self.assertEqual(
            self.events().filtered(lambda event: event.state == 'failed').mapped('call_ref'),
            ['bad'],
        )
        # long texts that no index row can hold are no such case
        self.play(
            self.event(
                'ended',
                'long',
                outcome='answered',
                talk_seconds=60,
                extension='長' * 1900,
                queue='я' * 1900,
            )
        )
        self.assertEqual(self.call('long').outcome, 'answered')

    @mute_logger('odoo.addons.crm_telephony.models.inbox.event')
    def test_a_bug_at_the_door_loses_nothing(self):
        def identify(adapter, payload, account, right=Generic.identify):
            if payload['call_id'] == POISON:
                raise KeyError("a bug in the adapter")
            return right(adapter, payload, account)

        with patch.object(Generic, 'identify', identify):
            self.play(
                [
                    self.event('ended', 'good', outcome='missed'),
                    self.event('ended', POISON, outcome='missed'),
                ]
            )
        self.assertTrue(self.call('good'))
        event = self.events().filtered(lambda event: event.state == 'failed')
        self.assertTrue(event.next_try_at)
        event.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_process_events').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(self.call(POISON).outcome, 'missed')

    def test_one_filer_an_account(self):
        """While another process files this account's calls, this one leaves them to it."""
        with db_connect(self.env.cr.dbname).cursor() as other:
            turns.claimed(other, turns.Lock.FILING, self.account.ids)
            self.play(self.event('ended', outcome='missed'))
        self.assertEqual(self.events().state, 'pending')
        self.file_calls()
        self.assertEqual(self.events().state, 'done')


# any JSON that a sender may come up with, with our field names among the keys so that some of it
# goes far
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ['call_id', 'event', 'at', 'direction', 'caller', 'called', 'extension', 'outcome', 'x']
        )
        | st.text(max_size=8),
        inner,
        max_size=9,
    ),
    max_leaves=12,
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        'call_id': st.text(max_size=9) | st.integers() | JSON,
        'event': st.sampled_from(['ringing', 'answered', 'ended', 'recording', 'transferred', 'x'])
        | JSON,
        'at': st.sampled_from(
            [
                '2026-11-02T10:00:00+05:00',
                '2026-11-02T10:00:00Z',
                '0001-01-01T00:00:00+14:00',
                '9999-12-31T23:59:59-14:00',
                '2026-11-02',
            ]
        )
        | JSON,
        'direction': st.sampled_from(['inbound', 'outbound', 'internal']) | JSON,
        'caller': st.sampled_from(['+77771234567', 'anonymous', '101', '+7916;ext=5', '٧٧٧'])
        | JSON,
        'called': st.sampled_from(['+77272507612', '', '102']) | JSON,
        'extension': st.text(max_size=4) | JSON,
        'queue': JSON,
        'outcome': st.sampled_from(['answered', 'missed', 'abandoned', 'voicemail', 'x']) | JSON,
        'talk_seconds': st.integers() | st.floats() | JSON,
        'wait_seconds': st.integers(-9, 9**9) | JSON,
        'recording_url': st.text(max_size=30) | JSON,
    },
)


class TestAnyBody(TelephonyCase):
    @settings(
        max_examples=250,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @example(b'["a\\u0000b\\ud800"]')
    @example(
        json.dumps(
            {
                'call_id': 'x',
                'event': 'ended',
                'at': '0001-01-01T00:00:00Z',
                'direction': 'inbound',
                'extension': '\u9577' * 1900,
            }
        ).encode()
    )
    @given(
        st.binary(max_size=200)
        | (JSON | NEARLY_RIGHT | st.lists(NEARLY_RIGHT, max_size=4)).map(
            lambda value: json.dumps(value).encode()
        )
    )
    def test_every_signed_body_is_kept_or_understood(self, body):
        """Never an exception, and never a row that is neither filed nor explained."""
        self.account._receive(
            WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
        )
        self.file_calls(follow_up=False)
        for event in self.events():
            self.assertIn(event.state, ('done', 'ignored', 'failed'))
            if event.state == 'failed':
                self.assertFalse(event.next_try_at, f"our own processing failed: {event.error}")
                self.assertTrue(event.error)


@tagged('post_install', '-at_install', 'crm_telephony')
class TestStoredMeanwhile(BaseCase):
    """In transactions of their own: what happens between a request's first look and its INSERT."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            self.account = (
                env['telephony.account']
                .create(
                    {
                        'name': "Meanwhile",
                        'provider': 'generic',
                        'api_secret': SECRET,
                        'country_id': env.ref('base.kz').id,
                        'timezone': 'UTC',
                    }
                )
                .id
            )
        self.addCleanup(self.clean)

    def clean(self):
        with self.registry.cursor() as cr:
            Environment(cr, SUPERUSER_ID, {})['telephony.account'].browse(self.account).unlink()

    def receive(self, env):
        body = json.dumps(
            {
                'call_id': 'm1',
                'event': 'ringing',
                'at': '2026-03-02T05:15:00+00:00',
                'direction': 'inbound',
                'caller': CUSTOMER,
                'called': DID,
            }
        ).encode()
        env['telephony.account'].browse(self.account)._receive(
            WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
        )

    @mute_logger('odoo.sql_db')
    def test_nothing_is_lost(self):
        def change(env):
            account = env['telephony.account'].browse(self.account)
            env.cr.execute("SELECT FROM telephony_account WHERE id = %s FOR UPDATE", account.ids)
            account.name = "Meanwhile changed"
            env.flush_all()

        for meanwhile in (change, self.receive):
            with self.subTest(meanwhile.__name__), self.registry.cursor() as cr:
                env = Environment(cr, SUPERUSER_ID, {})
                env.cr.execute("SELECT 1")  # the transaction has begun
                with self.registry.cursor() as other:
                    meanwhile(Environment(other, SUPERUSER_ID, {}))
                self.receive(env)
                cr.commit()  # pylint: disable=invalid-commit
                self.assertEqual(
                    env['telephony.event'].search_count([('account_id', '=', self.account)]), 1
                )
                env['telephony.event'].search([('account_id', '=', self.account)]).unlink()
