"""What the call log says, told by the PBX event by event."""

import itertools
import random
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL, mute_logger

from odoo.addons.crm_telephony.models.matching.call_choice import WAITING
from odoo.addons.crm_telephony.providers import registry

from .common import CUSTOMER, DID, TelephonyCase


class TestCalls(TelephonyCase):
    def test_a_call_from_ring_to_recording(self):
        self.play(self.event('ringing', at=-90, extension='101'))
        call = self.call()
        self.assertRecordValues(
            call,
            [
                {
                    'state': 'ringing',
                    'outcome': False,
                    'direction': 'inbound',
                    'customer_number': CUSTOMER,
                    'called_number': DID,
                    'number_id': self.number.id,
                    'partner_id': self.partner.id,
                    'user_id': False,
                }
            ],
        )
        self.play(self.event('answered', at=-75, extension='101'))
        self.assertRecordValues(
            call,
            [
                {
                    'state': 'in_progress',
                    'outcome': False,
                    'user_id': self.anna.id,
                    'wait_seconds': 15,
                }
            ],
        )
        self.play(self.event('ended', at=-11, extension='101', outcome='answered', talk_seconds=64))
        self.play(self.event('recording', recording_url='https://records.example.com/a.mp3'))
        self.assertRecordValues(
            call,
            [
                {
                    'state': 'ended',
                    'outcome': 'answered',
                    'talk_seconds': 64,
                    'wait_seconds': 15,
                    'is_short': False,
                    'extension': '101',
                    'user_id': self.anna.id,
                    'has_recording': True,
                    'attempt': 0,
                }
            ],
        )
        self.assertEqual(call.recording_ids.url, 'https://records.example.com/a.mp3')

    def test_ring_group_is_one_call(self):
        """Five silent phones are no five missed calls."""
        self.play(
            *(
                self.event('ringing', at=-60, extension=phone, queue="Sales")
                for phone in ('101', '102', '103', '104', '105')
            ),
            self.event('answered', at=-50, extension='102', queue="Sales"),
            self.event(
                'ended', at=-10, extension='102', queue="Sales", outcome='answered', talk_seconds=40
            ),
        )
        call = self.call()
        self.assertRecordValues(
            call,
            [
                {
                    'outcome': 'answered',
                    'user_id': self.boris.id,
                    'queue': "Sales",
                    'callback_id': False,
                }
            ],
        )
        self.assertEqual(
            call.leg_ids.sorted('extension').mapped(
                lambda leg: (leg.extension, leg.outcome, leg.talk_seconds)
            ),
            [
                ('101', 'no_answer', 0),
                ('102', 'answered', 40),
                ('103', 'no_answer', 0),
                ('104', 'no_answer', 0),
                ('105', 'no_answer', 0),
            ],
        )
        self.assertFalse(self.callbacks())

    def test_short_talk_is_measured_with_the_threshold_of_its_day(self):
        self.play(
            self.event('ended', 'k29', outcome='answered', extension='101', talk_seconds=29),
            self.event('ended', 'k30', outcome='answered', extension='101', talk_seconds=30),
        )
        self.assertTrue(self.call('k29').is_short)
        self.assertFalse(self.call('k30').is_short)
        self.company.telephony_short_seconds = 20
        self.assertTrue(self.call('k29').is_short, "a new threshold does not rewrite the past")
        self.play(self.event('ended', 'k25', outcome='answered', extension='101', talk_seconds=25))
        self.assertFalse(self.call('k25').is_short)

    def test_any_order_any_repeats_any_grouping_give_the_same_rows(self):
        events = [
            self.event('ringing', at=-60, extension='101'),
            self.event('ringing', at=-60, extension='102'),
            self.event('answered', at=-50, extension='102'),
            self.event('transferred', at=-30, extension='101'),
            self.event(
                'ended',
                at=-10,
                extension='101',
                outcome='answered',
                talk_seconds=40,
                wait_seconds=10,
            ),
            self.event('recording', at=-5, recording_url='https://records.example.com/a.mp3'),
        ]
        dice = random.Random(7)
        ways = [events, events[::-1], *(dice.sample(events, len(events)) for _ in range(6))]
        seen = set()
        for number, way in enumerate(ways):
            call_id = f'way{number}'
            mine = [{**event, 'call_id': call_id} for event in way]
            mine += mine[::2]
            cuts = sorted(dice.sample(range(1, len(mine)), 2))
            parts = (
                [mine[a:b] for a, b in itertools.pairwise([0, *cuts, len(mine)])]
                if number % 2
                else mine
            )
            self.play(*parts)
            call = self.call(call_id)
            seen.add(
                (
                    call.state,
                    call.outcome,
                    call.start_at,
                    call.answered_at,
                    call.ended_at,
                    call.wait_seconds,
                    call.talk_seconds,
                    call.user_id,
                    call.extension,
                    call.attempt,
                    tuple(
                        call.leg_ids.sorted('extension').mapped(
                            lambda leg: (
                                leg.extension,
                                leg.outcome,
                                leg.start_at,
                                leg.answered_at,
                                leg.talk_seconds,
                            )
                        )
                    ),
                    tuple(call.recording_ids.mapped('url')),
                )
            )
            self.assertEqual(
                len(self.events().filtered(lambda event, ref=call_id: event.call_ref == ref)),
                len(events),
            )
        self.assertEqual(len(seen), 1)

    def test_filters_over_the_whole_log_are_answered_by_their_indexes(self):
        """PostgreSQL takes a partial index only where it sees that the filter means the same."""
        domains = {
            'telephony_call_not_called_back_idx': Domain('is_not_called_back', '=', True),
            'telephony_call_waiting_idx': WAITING,
        }
        self.env.cr.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'telephony_call' AND indexname NOT LIKE '%%_pkey'"
        )
        for (index,) in self.env.cr.fetchall():
            if index not in domains:
                self.env.cr.execute(SQL("DROP INDEX %s", SQL.identifier(index)))
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        for index, domain in domains.items():
            query = self.env['telephony.call'].with_user(self.supervisor)._search(domain)
            plan = self.env.execute_query(SQL("EXPLAIN %s", query.select()))
            self.assertIn(index, str(plan))

    def test_own_numbers_and_extensions_are_no_customers(self):
        second = self.env['telephony.number'].create(
            {'name': '+77272507613', 'account_id': self.account.id}
        )
        trap = self.env['res.partner'].create(
            [
                {'name': "Our office", 'phone': second.name},
                {'name': "Odd", 'phone': '101'},
                {'name': "Odd too", 'phone': '+7101'},
            ]
        )
        self.assertTrue(trap[0].phone_sanitized)
        self.play(
            self.event('ended', 'own', caller='8 727 250 76 13', outcome='missed'),
            self.event('ended', 'short', caller='1414', outcome='missed'),
            self.event('ended', 'extension', caller='101', outcome='missed'),
            self.event('ended', 'hidden', caller='anonymous', outcome='missed'),
            self.event('ended', 'internal', direction='internal', caller='101', called='102'),
        )
        for call_id in ('own', 'short', 'extension', 'hidden', 'internal'):
            with self.subTest(call_id):
                self.assertRecordValues(
                    self.call(call_id),
                    [
                        {
                            'customer_number': False,
                            'partner_id': False,
                            'lead_id': False,
                            'match_state': 'none',
                            'callback_id': False,
                        }
                    ],
                )
        self.assertEqual(self.call('short').caller_number, '1414')

    def test_code_for_an_outside_line(self):
        """9 for a line is no part of the customer's number; a code of one's own is entered on the
        PBX's form."""
        self.play(self.outbound('ringing', called='987771234567'))
        self.assertEqual(
            (self.call('o1').customer_number, self.call('o1').partner_id), (CUSTOMER, self.partner)
        )
        self.account.outside_codes = "7, *55"
        for call_id, called in (('o2', '7' + CUSTOMER[1:]), ('o3', '*558' + CUSTOMER[2:])):
            self.play(self.outbound('ringing', call_id, called=called))
            self.assertEqual(self.call(call_id).customer_number, CUSTOMER)

    def test_what_a_pbx_left_out_is_told_on_the_call(self):
        self.play(
            {
                'event': 'ended',
                'call_id': 'c9',
                'caller': CUSTOMER,
                'called': DID,
                'talk_seconds': -4,
            }
        )
        call = self.call('c9')
        self.assertEqual(
            (call.direction, call.state, call.partner_id), ('inbound', 'ended', self.partner)
        )
        self.assertLess(abs((call.start_at - fields.Datetime.now()).total_seconds()), 60)
        self.assertEqual(call.doubts, 'time,duration,direction')
        for word in ("time", "duration", "direction"):
            self.assertIn(word, call.doubt_text)
        self.play(self.event('ended', 'c10'))
        self.assertFalse(self.call('c10').doubt_text)

    @mute_logger('odoo.addons.crm_telephony.models.calls.recording')
    def test_a_link_that_an_unsigned_event_tells(self):
        """Whoever knows the address of a PBX that signs nothing could send one: it leads nobody to
        a stranger's host. Its event stands, and so does the recording once the administrator has
        entered the host and replays the event."""
        with patch.object(type(registry['generic']), 'signs', False):
            self.play(
                self.event('ended', at=-60, outcome='answered', talk_seconds=50, extension='101'),
                self.event('recording', recording_url='https://elsewhere.example.com/a.mp3'),
            )
            self.assertEqual((self.call().outcome, self.call().recording_ids.ids), ('answered', []))
            self.assertEqual(set(self.events().mapped('state')), {'done'})
            self.account.recording_hosts = 'elsewhere.example.com'
            self.events().action_replay()
            self.file_calls()
            self.assertEqual(self.call().recording_ids.state, 'ready')

    def test_how_long_a_call_may_go_on_is_one_setting(self):
        """The schedule that closes it and the screens that show it ask the same."""
        self.play(self.event('ringing', at=-3 * 3600, extension='101'))
        card = self.env['telephony.call'].with_user(self.anna)
        self.assertTrue(card.ringing_now())
        self.env['ir.config_parameter'].set_param('crm_telephony.lost_call_hours', '2')
        self.assertFalse(card.ringing_now())
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_close_lost').method_direct_trigger()
        self.assertTrue(self.call().end_unknown)

    def test_a_time_to_come_is_none(self):
        """The call is closed and its callback is due as if the PBX's clock were right."""
        self.play(self.event('ringing', at=5 * 86400), self.event('ended', at=5 * 86400 + 20))
        call = self.call()
        self.assertLessEqual(call.ended_at, fields.Datetime.now())
        self.assertEqual(call.wait_seconds, 20)
        self.assertLess(self.callbacks().due_at, fields.Datetime.now() + timedelta(days=4))

    def test_attempts_count_to_the_customer_until_he_is_reached(self):
        def attempt(call_id, at, **more):
            self.play(self.outbound('ended', call_id, at, **more))

        attempt('a1', -600, outcome='no_answer')
        attempt('a2', -500, outcome='busy')
        attempt('other', -450, outcome='no_answer', called='+77012223344')
        attempt('short', -420, outcome='answered', talk_seconds=5)
        attempt('a3', -350, outcome='answered', talk_seconds=31)
        attempt('b1', -300, outcome='no_answer')
        self.play(
            self.event('ended', 'in', at=-200, outcome='answered', extension='101', talk_seconds=60)
        )
        attempt('c1', -100, outcome='no_answer')
        self.assertEqual(
            [
                self.call(call_id).attempt
                for call_id in ('a1', 'a2', 'other', 'short', 'a3', 'b1', 'in', 'c1')
            ],
            [1, 2, 1, 3, 4, 1, 0, 1],
        )
        # an attempt that is told late takes its place
        attempt('late', -550, outcome='no_answer')
        self.assertEqual(
            [self.call(call_id).attempt for call_id in ('a1', 'late', 'a2', 'a3')], [1, 2, 3, 5]
        )

    def test_one_line_in_the_chatter_without_notifying_anybody(self):
        lead = self.new_lead()
        lead.message_subscribe(self.boris.partner_id.ids)
        self.play(
            self.event('ended', outcome='missed', wait_seconds=20),
            self.event('ended', 'c2', outcome='missed'),
        )
        lines = lead.message_ids.filtered(lambda message: 'telephony.call' in (message.body or ''))
        self.assertEqual(len(lines), 2)
        self.assertFalse(lines.notification_ids)
        self.assertIn('0:20', lines.sorted('id')[0].body)
        # a late event corrects the line
        self.play(self.event('ended', at=1, outcome='answered', extension='101', talk_seconds=61))
        self.assertIn('1:01', self.call().message_id.body)
        self.assertEqual(
            len(
                lead.message_ids.filtered(lambda message: 'telephony.call' in (message.body or ''))
            ),
            2,
        )

    def test_a_person_may_change_whom_a_call_belongs_to_and_nothing_else(self):
        lead, other = self.new_lead(), self.new_lead(name="Other")
        self.play(
            self.event('ringing', extension='101'),
            self.event('ended', outcome='answered', extension='101', talk_seconds=60),
        )
        call = self.call().with_user(self.anna)
        self.assertEqual(call.match_state, 'ambiguous')
        call.lead_id = other
        self.assertRecordValues(
            call, [{'lead_id': other.id, 'match_state': 'manual', 'partner_id': self.partner.id}]
        )
        self.assertIn("Anna", call.match_reason)
        for values in (
            {'talk_seconds': 900},
            {'outcome': 'missed'},
            {'match_state': 'auto'},
            {'user_id': self.boris.id},
        ):
            with self.subTest(values=values), self.assertRaises(AccessError):
                call.write(values)
        # a replay does not overrule him
        other.action_set_lost()
        self.events().action_replay()
        self.file_calls()
        self.assertEqual(call.lead_id, other)
        self.assertEqual(call.match_state, 'manual')
        self.assertTrue(lead)

    def test_merged_deals_keep_their_calls(self):
        first, second = (
            self.new_lead(),
            self.new_lead(name="Twin", phone='+77012223344', partner_id=False),
        )
        self.play(
            self.event('ended', outcome='missed'),
            self.event('ended', 'c2', outcome='missed', caller='+77012223344'),
        )
        merged = (first | second).merge_opportunity()
        self.assertEqual(merged.telephony_call_ids, self.call() | self.call('c2'))
        self.assertEqual(self.callbacks('+77012223344').lead_id | self.callbacks().lead_id, merged)

    def test_a_number_that_moves_to_another_pbx(self):
        other = self.new_account(self.company)
        moved = self.env['telephony.number'].create(
            {'name': '8 727 250-76-12', 'account_id': other.id}
        )
        self.play(self.event('ended', 'old', outcome='missed'))
        self.play(self.event('ended', 'new', outcome='missed'), account=other)
        self.assertEqual(self.call('old').number_id, self.number)
        self.assertEqual(self.call('new', other).number_id, moved)

    def test_words_of_the_other_side(self):
        self.play(
            self.event('ended', 'in', outcome='no_answer'),
            self.outbound('ended', 'out', outcome='missed'),
        )
        self.assertEqual(
            (self.call('in').outcome, self.call('out').outcome), ('missed', 'no_answer')
        )

    def test_filing_a_batch_does_not_ask_once_a_call(self):
        def deliver(name, count):
            self.play(
                [
                    event
                    for index in range(count)
                    for event in (
                        self.event(
                            'ringing',
                            f'{name}{index}',
                            extension='101',
                            caller=f'+7777{name}{index:05}',
                        ),
                        self.event(
                            'ended',
                            f'{name}{index}',
                            outcome='missed',
                            caller=f'+7777{name}{index:05}',
                        ),
                    )
                ],
                follow_up=False,
            )

        deliver('10', 5)
        with self.subTest("queries of ten times as many calls"):
            self.env.flush_all()
            before = self.cr.sql_log_count
            deliver('20', 5)
            few, before = self.cr.sql_log_count - before, self.cr.sql_log_count
            deliver('30', 50)
            many = self.cr.sql_log_count - before
            self.assertLess(many, few * 2)
