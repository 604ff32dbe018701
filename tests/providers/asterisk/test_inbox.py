"""The inbox keeps a call together whose channel takes another call's id, in whatever order its
events come."""

import json
import random
from unittest.mock import patch

from odoo.addons.crm_telephony.models.inbox.event import TelephonyEvent
from odoo.addons.crm_telephony.providers.base import WebhookRequest

from ...common import TelephonyCase, sign
from .test_legs import DID, Wire

ANNA, BORIS = 'PJSIP/101-00000002', 'PJSIP/102-00000003'
CUSTOMERS = [f'PJSIP/trunk-0000010{number}' for number in range(3)]


def agent():
    """Three customers, one after the other, with an agent who stays on one channel that is older
    than theirs."""
    wire = Wire().new(-3000, ANNA, 'from-internal', '101', '*55')
    for number, caller in enumerate(CUSTOMERS):
        at = 100 * number
        wire.new(at, caller, 'from-trunk', f'7777123456{number}', DID).add(
            at, 'QueueCallerJoin', caller, Queue='sales'
        )
        wire.enter(at + 10, f'q{number}', ANNA).joins(caller, ANNA).enter(
            at + 10, f'q{number}', caller
        )
        wire.leave(at + 50, f'q{number}', caller, ANNA).hang_up(at + 50, caller)
    return wire.hang_up(900, ANNA)


def parked():
    wire, caller = Wire(), CUSTOMERS[0]
    wire.new(0, caller, 'from-trunk', '77771234560', DID).dial(
        1, caller, ANNA, 'PJSIP/101', over=10
    )
    wire.enter(10, 'b1', ANNA, caller).leave(30, 'b1', caller, ANNA).hang_up(30, ANNA)
    wire.new(45, BORIS, 'from-internal', '102', '701').enter(46, 'b2', BORIS).joins(
        BORIS, caller
    ).enter(46, 'b2', caller)
    return wire.leave(90, 'b2', caller, BORIS).hang_up(90, BORIS, caller)


class TestAsteriskInbox(TelephonyCase):
    def told(self, wire, batches):
        """What the log and the inbox say after these deliveries to a new account."""
        account = self.new_account(self.company, provider='asterisk', timezone='UTC')
        self.env['telephony.extension'].create(
            [
                {'number': number, 'account_id': account.id, 'user_id': user.id}
                for number, user in (('101', self.anna), ('102', self.boris))
            ]
        )
        for events in batches:
            body = json.dumps({'events': events}).encode()
            account._receive(
                WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
            )
            self.file_calls(account, follow_up=False)
        calls = self.env['telephony.call'].search(
            [('account_id', '=', account.id)], order='start_at'
        )
        events = self.events(account)
        self.assertLessEqual(set(events.mapped('state')), {'done', 'ignored'})
        return [
            (
                call.direction,
                call.outcome,
                call.state,
                call.customer_number,
                call.extension,
                call.talk_seconds,
                sorted((leg.extension, leg.talk_seconds) for leg in call.leg_ids),
            )
            for call in calls
        ], sorted(
            (event.kind, event.state, event.call_id.external_id or '', event.leg_ref or '')
            for event in events
        )

    def check(self, wire, expected):
        straight, inbox = self.told(wire, [wire.events])
        self.assertEqual(straight, expected)
        for seed in range(4):
            chance = random.Random(seed)
            shuffled = chance.sample(wire.events, len(wire.events)) if seed else wire.events[::-1]
            single = [[event] for event in shuffled + chance.sample(wire.events, 5)]
            self.assertEqual(self.told(wire, single), (straight, inbox))

    def test_an_agent_on_one_channel(self):
        self.check(
            agent(),
            [
                ('inbound', 'answered', 'ended', f'+7777123456{number}', '101', 40, [('101', 40)])
                for number in range(3)
            ],
        )

    def test_parked_and_retrieved(self):
        self.check(
            parked(),
            [
                (
                    'inbound',
                    'answered',
                    'ended',
                    '+77771234560',
                    '101',
                    80,
                    [('101', 20), ('102', 44)],
                )
            ],
        )

    def test_one_bad_call_does_not_hold_up_those_that_share_a_leg(self):
        wire = agent()
        straight, _inbox = self.told(wire, [wire.events])
        with self.poisoned_once():
            told, _inbox = self.told(wire, [wire.events])
        self.assertEqual(told, straight)

    def test_a_late_replay_of_a_leg_whose_own_events_are_gone(self):
        """Past the retention only the younger events of a leg may be left: read again, they are
        done with, once and for all."""
        account = self.new_account(self.company, provider='asterisk', timezone='UTC')
        body = json.dumps({'events': agent().events}).encode()
        account._receive(WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)}))
        self.file_calls(account, follow_up=False)
        events = self.events(account)
        legs = events.filtered(
            lambda event: event.leg_ref and event.call_id.external_id == event.leg_ref
        )
        calls = legs.call_id
        self.assertTrue(calls)
        events.filtered(lambda event: event.call_ref in calls.mapped('external_id')).unlink()
        calls.is_sealed = True
        legs.action_replay()
        inbox = self.env['telephony.event'].sudo()
        inbox._file(
            account,
            *inbox._with_sharers(account, inbox._events_of(account, legs.mapped('call_ref'))),
        )
        self.assertEqual(set(legs.mapped('state')), {'done'})
        self.assertEqual(legs.call_id, calls)

    def poisoned_once(self):
        """The batch as a whole fails once: each call is then filed alone."""
        real, left = TelephonyEvent._file, [True]

        def file(events, account, own, shared):
            if left and left.pop():
                raise ZeroDivisionError("a bug")
            return real(events, account, own, shared)

        return patch.object(TelephonyEvent, '_file', file)

    def test_the_administrator_says_what_a_stranger_is(self):
        wire = Wire().new(0, 'SIP/701-00000035', 'from-gateway', '77771234560', '101')
        wire.dial(1, 'SIP/701-00000035', 'SIP/205-00000036', '205', 'office', over=5)
        account = self.new_account(self.company, provider='asterisk')
        body = json.dumps({'events': wire.events}).encode()
        account._receive(WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)}))
        self.assertEqual(
            account.strangers,
            [
                {'name': 'SIP/205', 'extension': '205', 'is_trunk': False},
                {'name': 'SIP/701', 'extension': '701', 'is_trunk': True},
            ],
        )
        account.action_is_trunk('SIP/701')
        account.action_is_phone('205')
        account.action_is_phone('205')
        self.assertEqual(account.trunks, 'SIP/701')
        self.assertEqual(account._settings().trunks, {'SIP/701'})
        self.assertEqual(account.extension_ids.mapped('number'), ['205'])
        account.invalidate_recordset()
        self.assertFalse(account.strangers)
        self.assertFalse(self.account.has_trunks)
