"""What people decide about calls: it moves everything, is remembered, and can be taken back."""

from ast import literal_eval
from datetime import timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, fields
from odoo.api import Environment
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.modules.registry import Registry
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, retrying
from odoo.tests import BaseCase, new_test_user, tagged
from odoo.tests.common import get_db_name
from odoo.tools import mute_logger

from ..providers.numbers import pretty
from .common import CUSTOMER, DID, TelephonyCase

STRANGER = '+77015550011'


class SettleCase(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(
            patch('odoo.addons.crm_telephony.models.matching.late_match.LONGEST_PAUSE', 0)
        )

    def lost(self, call_id='c1', at=0, **more):
        """A missed call that rang at Anna's phone."""
        self.play(
            self.event('ringing', call_id, at, extension='101', **more),
            self.event('ended', call_id, at + 20, outcome='missed', **more),
        )
        return self.call(call_id)

    def answered(self, call_id='c1', at=0, talk=60, **more):
        self.play(
            self.event('ringing', call_id, at, extension='101', **more),
            self.event('answered', call_id, at + 5, extension='101', **more),
            self.event(
                'ended', call_id, at + 5 + talk, outcome='answered', talk_seconds=talk, **more
            ),
        )
        return self.call(call_id)

    def lines(self, record, call):
        """The chatter lines about this call."""
        return record.message_ids.filtered(
            lambda message: f'data-oe-id="{call.id}"' in (message.body or '')
        )

    def run_cron(self, name):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.{name}').method_direct_trigger()
        self.env.invalidate_all()

    def bind_late(self):
        self.run_cron('ir_cron_bind_late')


class TestChoice(SettleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one, cls.two = (
            cls.new_lead(name="Flour"),
            cls.new_lead(name="Sugar", user_id=cls.boris.id),
        )

    def test_a_pick_moves_call_chatter_callback_and_activity(self):
        call = self.lost()
        self.assertEqual(call.match_state, 'ambiguous')
        callback = self.callbacks()
        self.assertEqual(len(self.lines(self.partner, call)), 1)
        call.with_user(self.anna).action_pick(self.one.id)
        self.assertRecordValues(
            call,
            [
                {
                    'lead_id': self.one.id,
                    'partner_id': self.partner.id,
                    'match_state': 'manual',
                    'settled_by_id': self.anna.id,
                    'match_reason': "Set by Anna",
                }
            ],
        )
        self.assertEqual(
            (len(self.lines(self.partner, call)), len(self.lines(self.one, call))), (0, 1)
        )
        self.assertRecordValues(
            callback, [{'lead_id': self.one.id, 'user_id': self.anna.id, 'state': 'open'}]
        )
        self.assertEqual(callback.activity_id, self.one.activity_ids)
        self.assertFalse(self.partner.activity_ids)

    def test_changing_the_deal_of_a_call_moves_everything_to_its_owner(self):
        self.two.active = False
        call = self.lost()
        callback = self.callbacks()
        self.assertEqual((call.lead_id, callback.user_id), (self.one, self.anna))
        self.two.active = True
        call.with_user(self.anna).sudo()._attach_by_hand({'lead_id': self.two.id})
        self.assertEqual(
            (callback.lead_id, callback.user_id, callback.activity_id.user_id),
            (self.two, self.boris, self.boris),
        )
        self.assertEqual((len(self.lines(self.one, call)), len(self.lines(self.two, call))), (0, 1))
        self.assertEqual((len(self.one.activity_ids), len(self.two.activity_ids)), (0, 1))

    def test_who_took_the_callback_keeps_it(self):
        call = self.lost()
        self.callbacks().user_id = self.supervisor
        call.with_user(self.anna).action_pick(self.one.id)
        self.assertEqual(self.callbacks().user_id, self.supervisor)

    def test_the_other_calls_of_the_callback_and_those_that_wait_follow(self):
        old = self.lost('old', -86400)
        self.callbacks().action_done()
        first, second = self.lost('c1', -600), self.lost('c2', -300)
        second.with_user(self.anna).action_pick(self.one.id)
        self.assertEqual((first | second | old).lead_id, self.one)
        self.assertEqual((first | second | old).mapped('match_state'), ['manual', 'manual', 'auto'])
        self.assertEqual(self.callbacks()[1:].lead_id, self.one)
        for call in first | second | old:
            self.assertEqual(len(self.lines(self.one, call)), 1)

    def test_the_next_call_goes_there_by_itself_and_says_why(self):
        self.lost().with_user(self.boris).sudo()._attach_by_hand({'lead_id': self.two.id})
        call = self.answered('c2', 60)
        self.assertEqual((call.lead_id, call.match_state), (self.two, 'auto'))
        self.assertTrue(call.match_reason)

    def test_a_choice_is_not_overwritten_by_what_the_pbx_says_later(self):
        call = self.lost()
        call.with_user(self.anna).action_pick(self.one.id)
        self.one.action_set_lost()
        self.play(
            self.event('ringing', at=0, extension='101'),
            self.event('recording', at=30, recording_url='https://x/1.mp3'),
            self.event('ended', at=21, outcome='missed'),
        )
        self.assertRecordValues(call, [{'lead_id': self.one.id, 'match_state': 'manual'}])
        self.env['telephony.rebind']._queue([CUSTOMER])
        self.bind_late()
        self.assertRecordValues(call, [{'lead_id': self.one.id, 'match_state': 'manual'}])

    def test_taking_back_moves_everything_back(self):
        call, other = self.lost('c1', -600), self.lost('c2', -300)
        callback = self.callbacks()
        call.with_user(self.anna).action_pick(self.one.id)
        action = call.with_user(self.anna).action_forget_choice()
        self.assertFalse(action['params']['call_ids'])
        self.assertEqual((call | other).mapped('match_state'), ['ambiguous', 'ambiguous'])
        self.assertFalse((call | other).lead_id)
        self.assertEqual(
            (len(self.lines(self.partner, call)), len(self.lines(self.one, call))), (1, 0)
        )
        self.assertEqual(
            (callback.lead_id.ids, callback.activity_id), ([], self.partner.activity_ids)
        )
        self.assertFalse(self.one.activity_ids)
        self.assertFalse(self.env['telephony.decision'].search([('number', '=', CUSTOMER)]))

    def test_taking_back_restores_the_choice_before(self):
        first = self.answered('c1', -600)
        first.with_user(self.anna).action_pick(self.one.id)
        first.settled_at -= timedelta(hours=1)
        second = self.answered('c2', -300)
        self.assertEqual(second.lead_id, self.one)
        second.with_user(self.anna).sudo()._attach_by_hand({'lead_id': self.two.id})
        self.assertEqual(
            self.env['telephony.decision'].search([('number', '=', CUSTOMER)]).lead_id, self.two
        )
        second.with_user(self.anna).action_forget_choice()
        self.assertEqual(
            (first.lead_id, second.lead_id, second.match_state), (self.one, self.one, 'auto')
        )
        self.assertEqual(
            self.env['telephony.decision'].search([('number', '=', CUSTOMER)]).lead_id, self.one
        )

    def test_another_contact_leaves_the_deal_of_the_first(self):
        other = self.env['res.partner'].create({'name': "Other"})
        call = self.lost()
        call.with_user(self.anna).action_pick(self.one.id)
        call.with_user(self.anna).write({'partner_id': other.id})
        self.assertRecordValues(
            call, [{'partner_id': other.id, 'lead_id': False, 'match_state': 'manual'}]
        )

    def test_who_calls_about_his_companys_deal_stays_who_he_is(self):
        firm = self.env['res.partner'].create({'name': "Firm", 'is_company': True})
        self.partner.parent_id = firm
        (self.one | self.two).partner_id = firm
        call = self.lost()
        call.with_user(self.anna).action_pick(self.one.id)
        self.assertRecordValues(call, [{'partner_id': self.partner.id, 'lead_id': self.one.id}])
        self.assertEqual(self.lost('c2', 60).partner_id, self.partner)

    def test_contact_only(self):
        call = self.lost()
        call.with_user(self.anna).action_pick_contact()
        self.assertRecordValues(
            call, [{'partner_id': self.partner.id, 'lead_id': False, 'match_state': 'manual'}]
        )

    def test_only_deals_that_one_may_read(self):
        call = self.lost()
        with self.assertRaises(AccessError):
            call.with_user(self.anna).action_pick(self.two.id)
        offered = call.with_user(self.anna).get_candidates()
        self.assertEqual([deal['id'] for deal in offered['deals']], [self.one.id])
        self.assertEqual((offered['hidden'], offered['state']), (1, 'ambiguous'))
        self.assertEqual(offered['partner_id'], {'id': self.partner.id, 'name': "Customer"})

    def test_calls_that_one_may_not_see(self):
        call = self.lost()
        self.partner.company_id = self.company
        stranger = new_test_user(
            self.env, 'tel_carl', groups='base.group_user,crm_telephony.group_user'
        )
        call.sudo().write({'partner_id': False})
        for method, args in (
            ('get_candidates', ()),
            ('action_pick', (self.one.id,)),
            ('action_create_lead', ()),
            ('action_ignore_number', ()),
            ('action_forget_choice', ()),
        ):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(call.with_user(stranger), method)(*args)

    def test_a_deal_that_went_meanwhile(self):
        call = self.lost()
        gone = self.two.id
        self.two.unlink()
        action = call.with_user(self.anna).action_pick(gone)
        self.assertIn("gone", action['params']['message'])
        self.assertNotEqual(call.match_state, 'manual')

    def test_other_companies_deals_are_refused(self):
        other = self.env['res.company'].create({'name': "Other company"})
        foreign = self.env['crm.lead'].create(
            {'name': "Foreign", 'company_id': other.id, 'user_id': False, 'team_id': False}
        )
        call = self.lost()
        self.anna.company_ids |= other
        with self.assertRaises(UserError):
            call.with_user(self.anna).with_context(
                allowed_company_ids=[self.company.id, other.id]
            ).action_pick(foreign.id)
        self.env.invalidate_all()
        self.assertNotEqual(call.lead_id, foreign)


class TestStrangers(SettleCase):
    def stranger(self, call_id='c1', at=0, **more):
        return self.lost(call_id, at, caller=STRANGER, **more)

    def test_a_number_is_learnt_and_forgotten(self):
        call = self.stranger()
        call.with_user(self.anna).action_pick_contact(self.partner.id)
        self.assertRecordValues(
            self.partner.telephony_number_ids, [{'number': STRANGER, 'origin': 'learnt'}]
        )
        self.assertEqual(self.stranger('c2', 60).partner_id, self.partner)
        call.with_user(self.anna).action_forget_choice()
        self.assertFalse(self.partner.telephony_number_ids)
        self.assertEqual((call.match_state, call.partner_id.ids), ('none', []))
        self.assertEqual(self.call('c2').match_state, 'none')

    def test_a_number_that_somebody_has_is_not_given_to_another(self):
        call = self.lost()
        other = self.env['res.partner'].create({'name': "Other"})
        call.with_user(self.anna).action_pick_contact(other.id)
        self.assertFalse(other.telephony_number_ids)

    def test_archived_and_other_companies_contacts_do_not_keep_a_number_from_being_learnt(self):
        other = self.env['res.company'].create({'name': "Other"})
        theirs = self.env['res.partner'].create(
            {'name': "Theirs", 'phone': STRANGER, 'company_id': other.id}
        )
        gone = self.env['res.partner'].create({'name': "Gone", 'active': False})
        self.env['telephony.contact.number'].create(
            [{'partner_id': partner.id, 'number': STRANGER} for partner in (theirs, gone)]
        )
        self.lost(caller=STRANGER).with_user(self.supervisor).action_pick_contact(self.partner.id)
        self.assertEqual(self.partner.telephony_number_ids.mapped('number'), [STRANGER])

    def test_a_customers_number_is_not_ignored_by_just_anybody(self):
        """It would be for the whole company. A supervisor may, is asked, and the owners are
        told."""
        self.partner.user_id = self.boris
        for number, make in (
            (CUSTOMER, lambda: None),
            (
                STRANGER,
                lambda: self.new_lead(partner_id=False, phone=STRANGER, user_id=self.boris.id),
            ),
        ):
            with self.subTest(number=number):
                call = self.lost(f'of {number}', caller=number)
                make()
                self.assertFalse(call.with_user(self.anna).get_candidates()['can_ignore'])
                with self.assertRaisesRegex(UserError, "belongs to a contact or an open deal"):
                    call.with_user(self.anna).action_ignore_number(confirmed=True)
                self.assertTrue(call.with_user(self.supervisor).get_candidates()['can_ignore'])
                question = call.with_user(self.supervisor).action_ignore_number()
                self.assertEqual(question['res_model'], 'telephony.settle')
                self.assertFalse(call.is_excluded)
                wizard = (
                    self.env['telephony.settle']
                    .with_user(self.supervisor)
                    .with_context(question['context'])
                    .create({})
                )
                self.assertTrue(wizard.owners)
                wizard.action_apply()
                self.assertTrue(call.is_excluded)
                told = self.env['mail.message'].search(
                    [('partner_ids', 'in', self.boris.partner_id.ids)], order='id desc'
                )[:1]
                self.assertIn(pretty(number), told.subject)
                self.assertIn("Saule", told.body)

    def test_who_decided_takes_it_back_though_he_has_lost_the_call_by_it(self):
        call = self.lost(caller=STRANGER)
        self.play(self.event('ended', 'second', 60, caller=STRANGER, outcome='abandoned'))
        for decide in (
            lambda call: call.action_ignore_number(),
            lambda call: call.action_pick_contact(self.partner.id),
            lambda call: call.action_create_lead(),
        ):
            call.leg_ids.user_id = self.anna
            decide(call.with_user(self.anna))
            call.leg_ids.user_id = call.lead_id.user_id = self.boris
            self.env.flush_all()
            self.env.invalidate_all()
            (call | self.call('second')).with_user(self.anna).action_forget_choice()
            self.assertRecordValues(
                call | self.call('second'),
                [
                    {
                        'lead_id': False,
                        'partner_id': False,
                        'match_state': 'none',
                        'is_excluded': False,
                    }
                ]
                * 2,
            )

    def test_taking_back_brings_contact_and_lines_back(self):
        self.new_lead(name="Flour"), self.new_lead(name="Sugar")
        calls = self.lost('old', -86400 * 40) | self.lost('c1', -600) | self.lost('c2', -300)
        self.assertEqual([len(self.lines(self.partner, call)) for call in calls], [1, 1, 1])
        calls[2].with_user(self.supervisor).action_ignore_number(confirmed=True)
        self.assertFalse(calls.partner_id)
        calls[2].with_user(self.supervisor).action_forget_choice()
        self.assertEqual(calls.partner_id, self.partner)
        self.assertEqual(calls.mapped('match_state')[1:], ['ambiguous', 'ambiguous'])
        self.assertEqual([len(self.lines(self.partner, call)) for call in calls], [1, 1, 1])

    def test_an_ignored_number_is_nobodys_customer(self):
        call = self.stranger()
        self.assertEqual(self.callbacks(STRANGER).state, 'open')
        call.with_user(self.anna).action_ignore_number()
        self.assertEqual(self.callbacks(STRANGER).state, 'cancelled')
        self.assertIn("Anna", self.callbacks(STRANGER).close_reason)
        self.assertEqual(
            self.env['telephony.decision'].search([('number', '=', STRANGER)]).kind, 'ignore'
        )
        call.with_user(self.anna).action_forget_choice()
        self.assertEqual(self.callbacks(STRANGER).state, 'open')
        self.assertFalse(self.env['telephony.decision'].search([('number', '=', STRANGER)]))

    def test_who_was_lost_while_ignored_is_owed_a_call_after_all(self):
        self.answered(at=-900, caller=STRANGER).with_user(self.anna).action_ignore_number()
        lost = self.stranger('c2', -300)
        self.assertFalse(self.callbacks(STRANGER))
        lost.with_user(self.anna).action_forget_choice()
        self.file_calls()
        self.assertRecordValues(
            self.callbacks(STRANGER), [{'state': 'open', 'origin_call_id': lost.id}]
        )

    def test_a_new_deal_by_hand(self):
        source = self.env['utm.source'].create({'name': "Billboard"})
        self.number.source_id = source
        call, again = self.stranger('c1', -600), self.stranger('c2', -300)
        action = (call | again).with_user(self.anna).action_create_lead()
        lead = call.lead_id
        self.assertEqual(again.lead_id, lead)
        self.assertRecordValues(
            lead,
            [
                {
                    'phone': STRANGER,
                    'user_id': self.anna.id,
                    'source_id': source.id,
                    'telephony_origin_call_id': again.id,
                    'medium_id': self.env.ref('utm.utm_medium_phone').id,
                }
            ],
        )
        self.assertEqual(self.callbacks(STRANGER).lead_id, lead)
        self.assertEqual(action['params']['call_ids'], (call | again).ids)
        (call | again).with_user(self.anna).action_forget_choice()
        self.assertFalse(lead.exists())
        self.assertEqual((call | again).mapped('match_state'), ['none', 'none'])
        self.assertEqual(self.callbacks(STRANGER).state, 'open')

    def test_a_new_deal_that_was_worked_on_stays(self):
        call = self.stranger()
        call.with_user(self.anna).action_create_lead()
        lead = call.lead_id
        lead.with_user(self.anna).message_post(body="He wants flour", message_type='comment')
        call.with_user(self.anna).action_forget_choice()
        self.assertTrue(lead.exists().active)

    def test_a_new_deal_that_becomes_a_colleagues(self):
        """Who talked gets it, whoever clicks."""
        for number in (STRANGER, CUSTOMER):
            call_id = f'of {number}'
            self.play(
                self.event('ringing', call_id, caller=number, extension='102'),
                self.event(
                    'ended',
                    call_id,
                    60,
                    caller=number,
                    outcome='answered',
                    extension='102',
                    talk_seconds=50,
                ),
            )
            call = self.call(call_id)
            if number == STRANGER:
                self.env['telephony.call.leg'].create(
                    {
                        'call_id': call.id,
                        'extension': '101',
                        'user_id': self.anna.id,
                        'start_at': call.start_at,
                    }
                )
            self.env.flush_all()
            self.env.invalidate_all()
            action = call.with_user(self.anna).action_create_lead()
            self.assertEqual(action['params']['call_ids'], call.ids)
            self.assertRecordValues(
                call, [{'match_state': 'manual', 'settled_by_id': self.anna.id}]
            )
            self.assertEqual(call.lead_id.user_id, self.boris)

    def test_a_new_deal_whose_fields_were_filled_in_stays(self):
        call = self.stranger()
        call.with_user(self.anna).action_create_lead()
        lead = call.lead_id
        # a later transaction of hers, which this test's one cannot tell by the clock
        self.env.cr.execute(
            "UPDATE crm_lead SET create_date = create_date - interval '1 minute' WHERE id = %s",
            [lead.id],
        )
        lead.invalidate_recordset()
        lead.with_user(self.anna).write({'name': "Flour, 20 t", 'expected_revenue': 5000})
        self.env.flush_all()
        call.with_user(self.anna).action_forget_choice()
        self.assertTrue(lead.exists().active)

    def test_hidden_and_internal_calls_can_be_settled_without_a_trap(self):
        self.play(self.event('ended', 'h', caller='anonymous', outcome='missed', extension='101'))
        hidden = self.call('h').with_user(self.supervisor)
        self.assertEqual(hidden.get_candidates()['deals'], [])
        hidden.action_create_lead()
        hidden.action_ignore_number()
        hidden.action_forget_choice()
        hidden.action_pick_contact(self.partner.id)
        self.assertEqual((hidden.partner_id, hidden.match_state), (self.partner, 'manual'))
        self.assertFalse(self.env['telephony.decision'].search_count([]))


class TestLeadPolicy(SettleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.team = cls.env['crm.team'].create(
            {
                'name': "Wholesale",
                'user_id': cls.supervisor.id,
                'crm_team_member_ids': [
                    fields.Command.create({'user_id': user.id}) for user in (cls.anna, cls.boris)
                ],
            }
        )

    def leads(self, number=STRANGER):
        return self.env['crm.lead'].search([('phone_sanitized', '=', number)])

    def stranger(self, call_id='c1', at=0, how='lost', **more):
        return getattr(self, how)(call_id, at, caller=STRANGER, **more)

    def test_a_number_where_each_call_begins_a_deal(self):
        self.number.deal_policy = 'new'
        old = self.new_lead()
        first, again = self.lost().lead_id, self.lost('c2', 60).lead_id
        self.assertEqual(len(old | first), 2)
        self.assertEqual((again, first.partner_id), (first, self.partner))
        self.env.cr.execute(
            "UPDATE crm_lead SET create_date = create_date - interval '2 days' WHERE id = %s",
            [first.id],
        )
        self.env.invalidate_all()
        self.assertEqual(len(old | first | self.lost('c3', 120).lead_id), 3)

    def test_never_by_default(self):
        self.stranger()
        self.stranger('c2', 60, 'answered')
        self.assertFalse(self.leads())

    def test_each_policy_makes_its_leads(self):
        for policy, made in (
            ('never', ''),
            ('missed', 'lost'),
            ('answered', 'answered'),
            ('always', 'lost answered'),
        ):
            for how in ('lost', 'answered'):
                with self.subTest(policy=policy, how=how):
                    self.number.lead_policy = policy
                    self.leads().unlink()
                    self.env['telephony.decision'].search([]).unlink()
                    call = self.stranger(f'{policy}-{how}', how=how)
                    self.assertEqual(bool(call.lead_id), how in made.split())
                    self.assertEqual(call.lead_id, self.leads())

    def test_calls_of_long_ago_make_none(self):
        self.company.write({'telephony_lead_policy': 'missed', 'telephony_effect_hours': 48})
        self.assertFalse(self.stranger('old', -3600 * 24 * 400).lead_id)
        self.assertTrue(self.stranger('new', -60).lead_id)

    def test_the_companys_policy_where_the_number_has_none(self):
        self.company.telephony_lead_policy = 'missed'
        call = self.stranger()
        self.assertTrue(call.lead_id)
        self.assertRecordValues(call, [{'match_state': 'auto'}])
        self.assertEqual(len(self.lines(call.lead_id, call)), 1)
        self.assertEqual(self.callbacks(STRANGER).lead_id, call.lead_id)

    def test_a_short_talk_makes_no_lead(self):
        self.company.telephony_lead_policy = 'answered'
        self.assertFalse(self.stranger(how='answered', talk=5).lead_id)

    def test_while_it_rings(self):
        self.company.telephony_lead_policy = 'always'
        self.play(self.event('ringing', caller=STRANGER, extension='101'))
        lead = self.leads()
        self.assertEqual((self.call().state, self.call().lead_id), ('ringing', lead))
        self.play(
            self.event('answered', at=5, caller=STRANGER, extension='101'),
            self.event('ended', at=90, caller=STRANGER, outcome='answered', talk_seconds=80),
        )
        self.assertEqual((self.call().lead_id, self.leads()), (lead, lead))

    def test_while_it_rings_nobody_has_to_choose_what_was_made_of_it(self):
        self.company.write({'telephony_lead_policy': 'always', 'telephony_deal_policy': 'ask'})
        self.play(self.event('ringing', caller=STRANGER, extension='101'))
        self.play(
            self.event(
                'ended',
                at=90,
                caller=STRANGER,
                extension='101',
                outcome='answered',
                talk_seconds=80,
            )
        )
        self.assertRecordValues(self.call(), [{'match_state': 'auto', 'lead_id': self.leads().id}])
        self.play(self.event('ringing', 'c2', at=100, caller=STRANGER, extension='101'))
        self.assertEqual(self.call('c2').match_state, 'ambiguous')

    def test_one_number_makes_one_lead_while_it_is_open(self):
        self.company.telephony_lead_policy = 'missed'
        first = self.stranger().lead_id
        first.phone = '+77019998877'  # somebody corrects it
        self.assertEqual(self.stranger('c2', 60).lead_id, first)
        first.action_set_lost()
        second = self.stranger('c3', 120).lead_id
        self.assertTrue(second)
        self.assertNotEqual(second, first)

    def test_a_batch_of_calls_of_one_number_makes_one_lead(self):
        self.company.telephony_lead_policy = 'missed'
        self.play(
            *(
                self.event('ended', f'c{index}', index, caller=STRANGER, outcome='missed')
                for index in range(5)
            )
        )
        self.assertEqual(len(self.leads()), 1)
        self.assertEqual(
            self.env['telephony.call'].search([('customer_number', '=', STRANGER)]).lead_id,
            self.leads(),
        )

    def test_known_callers_and_outgoing_calls_make_none(self):
        self.company.telephony_lead_policy = 'always'
        self.lost()
        self.play(self.outbound('ended', called=STRANGER, outcome='no_answer'))
        self.assertFalse(self.leads(CUSTOMER) | self.leads())

    def test_source_campaign_team_and_medium(self):
        campaign = self.env['utm.campaign'].create({'name': "Autumn"})
        source = self.env['utm.source'].create({'name': "Billboard"})
        self.number.write(
            {
                'source_id': source.id,
                'campaign_id': campaign.id,
                'team_id': self.team.id,
                'lead_policy': 'missed',
            }
        )
        self.assertRecordValues(
            self.stranger().lead_id,
            [
                {
                    'source_id': source.id,
                    'campaign_id': campaign.id,
                    'team_id': self.team.id,
                    'company_id': self.company.id,
                    'medium_id': self.env.ref('utm.utm_medium_phone').id,
                    'phone': STRANGER,
                    'user_id': self.supervisor.id,
                }
            ],
        )

    def test_the_owner(self):
        self.number.write({'team_id': self.team.id, 'lead_policy': 'always'})
        for index, (owner, how, expected) in enumerate(
            (
                ('answered', 'answered', self.anna),
                ('responsible', 'answered', self.boris),
                ('answered', 'lost', self.boris),
            )
        ):
            with self.subTest(owner=owner, how=how):
                self.number.write({'lead_owner': owner, 'user_id': self.boris.id})
                self.leads().unlink()
                call = self.stranger(f'c{index}', how=how)
                self.assertEqual(call.lead_id.user_id, expected)

    def test_in_turn(self):
        self.number.write(
            {'team_id': self.team.id, 'lead_policy': 'always', 'lead_owner': 'rotation'}
        )
        owners = [
            self.lost(f'c{index}', index, caller=f'+7701555002{index}').lead_id.user_id
            for index in range(4)
        ]
        self.assertEqual(owners, [self.anna, self.boris, self.anna, self.boris])

    def test_names_in_every_script(self):
        for name in ("שרה כהן", "محمد", "💐 Flowers 🌷", "‮evil‬"):
            with self.subTest(name=name):
                partner = self.env['res.partner'].create({'name': name, 'phone': STRANGER})
                self.new_lead(name=name, partner_id=partner.id)
                call = self.stranger(f'c-{partner.id}')
                self.assertEqual(call.partner_id, partner)
                call.with_user(self.anna).action_pick(
                    call.with_user(self.anna).get_candidates()['deals'][0]['id']
                )
                self.assertIn(name, call.with_user(self.anna)._say_settled()['params']['message'])
                call.with_user(self.anna).action_create_lead()
                self.assertIn(name, call.lead_id.name)
                self.assertEqual(len(self.lines(call.lead_id, call)), 1)
                self.env['telephony.decision'].search([]).unlink()
                partner.active = False
                self.env['crm.lead'].search([('partner_id', '=', partner.id)]).action_set_lost()


class TestTray(SettleCase):
    """Calls that wait for a person: each number once, by what is asked about it."""

    def tray(self, user=None):
        """The rows of *To Settle* as it opens: question → calls."""
        calls = self.env['telephony.call'].with_user(user or self.supervisor)
        action = self.env.ref('crm_telephony.telephony_call_action_settle')
        domain = Domain(literal_eval(action.domain)) & Domain('is_latest_waiting', '=', True)
        groups = calls.formatted_read_group(domain, ['open_question'], ['__count'])
        found = {
            group['open_question']: calls.search(domain & Domain(group['__extra_domain']))
            for group in groups
        }
        self.assertEqual(
            [group['__count'] for group in groups], [len(calls) for calls in found.values()]
        )
        return {question: set(calls.mapped('external_id')) for question, calls in found.items()}

    def test_a_row_a_number_by_what_is_asked(self):
        self.new_lead(name="Flour"), self.new_lead(name="Sugar")
        self.lost('old', -900)
        self.lost('chosen', -600)
        self.lost('stranger', -500, caller=STRANGER)
        self.answered('talked', -400, caller='+77015550012')
        self.lost('missed', -300, caller='+77015550012')
        self.answered('who', -200, caller='+77015550013')
        self.assertEqual(
            self.tray(),
            {'choose': {'chosen'}, 'talked': {'who'}, 'untalked': {'stranger', 'missed'}},
        )
        self.assertEqual(list(self.tray()), ['choose', 'talked', 'untalked'])
        self.assertEqual(self.call('missed').waiting_count, 2)
        self.assertEqual(
            (self.call('old') | self.call('missed')).mapped('is_latest_waiting'), [False, True]
        )

    def test_who_settles_one_has_done_with_its_number(self):
        self.answered('talked', -400, caller=STRANGER)
        self.lost('missed', -300, caller=STRANGER).with_user(self.supervisor).action_pick_contact(
            self.partner.id
        )
        self.lost('c1', -200, caller='+77015550012').with_user(
            self.supervisor
        ).action_ignore_number()
        self.assertFalse(self.tray())
        self.assertEqual(
            set(
                self.env['telephony.call']
                .search([('open_question', '=', False)])
                .mapped('external_id')
            ),
            {'talked', 'missed', 'c1'},
        )

    def test_a_later_call_that_one_may_not_see_hides_none_of_ones_own(self):
        self.answered('annas', -400, caller=STRANGER)
        self.play(
            self.event('ringing', 'boris', -300, caller=STRANGER, extension='102'),
            self.event('ended', 'boris', -280, caller=STRANGER, outcome='missed'),
        )
        self.assertEqual(self.tray(), {'untalked': {'boris'}})
        self.assertEqual(self.tray(self.anna), {'talked': {'annas'}})
        self.assertEqual(self.call('annas').with_user(self.anna).waiting_count, 1)

    def test_a_salesperson_is_asked_what_she_can_answer(self):
        """Of a contact that all may read, about deals that only their owners may read."""
        self.new_lead(name="Flour", user_id=self.boris.id)
        self.new_lead(name="Sugar", user_id=self.supervisor.id)
        self.play(self.event('ended', 'queue', -900, outcome='abandoned'))
        call = self.call('queue')
        self.assertEqual(self.tray(), {'choose': {'queue'}})
        self.assertEqual(self.tray(self.boris), {'choose': {'queue'}})
        self.assertEqual(self.tray(self.anna), {})
        self.assertTrue(call.with_user(self.anna).has_access('read'))
        self.assertEqual(
            (call.with_user(self.anna).is_answerable, call.with_user(self.boris).is_answerable),
            (False, True),
        )
        offered = call.with_user(self.anna).get_candidates()
        self.assertEqual((offered['deals'], offered['hidden']), ([], 2))
        self.assertRegex(offered['hidden_deals'], r"2 deals: (Boris, Saule|Saule, Boris)")
        self.lost('rang')
        self.assertEqual(self.tray(self.anna), {'choose': {'rang'}})


@tagged('post_install', '-at_install', 'crm_telephony')
class TestAtOnce(BaseCase):
    """Two people, or a person and the scheduled action, decide about one number's calls at the same
    moment: real transactions, which is why this cleans up behind itself."""

    NUMBER = '+77015559999'

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.addCleanup(self.clean)
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            account = env['telephony.account'].create(
                {'name': "At once", 'provider': 'generic', 'api_secret': 'x'}
            )
            self.call_ids = (
                env['telephony.call']
                .create(
                    [
                        {
                            'account_id': account.id,
                            'external_id': f'at-once-{index}',
                            'direction': 'inbound',
                            'state': 'ended',
                            'outcome': 'missed',
                            'customer_number': self.NUMBER,
                            'start_at': fields.Datetime.now(),
                        }
                        for index in range(2)
                    ]
                )
                .ids
            )
            self.partner_ids = (
                env['res.partner'].create([{'name': "At once, one"}, {'name': "At once, two"}]).ids
            )

    def clean(self):
        with self.registry.cursor() as cr:
            env = Environment(cr, SUPERUSER_ID, {})
            env['telephony.call'].search([('customer_number', '=', self.NUMBER)]).unlink()
            env['telephony.decision'].search([('number', '=', self.NUMBER)]).unlink()
            env['crm.lead'].search([('phone_sanitized', '=', self.NUMBER)]).unlink()
            env['telephony.account'].search([('name', '=', "At once")]).unlink()
            env['res.partner'].search([('name', 'like', "At once, ")]).unlink()
            env['telephony.rebind'].search([]).unlink()

    def two(self):
        """One call each for two, who both see the database as it is now."""
        for call_id in self.call_ids:
            cr = self.registry.cursor()
            self.addCleanup(cr.close)
            call = Environment(cr, SUPERUSER_ID, {})['telephony.call'].browse(call_id)
            call.state  # noqa: B018 - from here on this one sees nothing of the other
            yield call

    def test_one_number_one_lead(self):
        first, second = self.two()
        lead = first._create_lead()
        first.env.cr.commit()
        with self.assertRaises(PG_CONCURRENCY_EXCEPTIONS_TO_RETRY), mute_logger('odoo.sql_db'):
            second._create_lead()
        second.env.cr.rollback()
        second.env.invalidate_all()
        self.assertEqual(second._create_lead().id, lead.id)

    def test_of_two_decisions_the_later_one_holds(self):
        def one(call):
            return call.action_pick_contact(self.partner_ids[0])

        def two(call):
            return call.action_pick_contact(self.partner_ids[1])

        def ignore(call):
            return call.action_ignore_number(confirmed=True)

        for begin, choices in enumerate(
            [(one, two), (one, one), (ignore, two), (one, ignore), (ignore, ignore)]
        ):
            with self.subTest(choices=[choice.__name__ for choice in choices]):
                if begin:
                    self.clean()
                    self.setUp()
                with self.registry.cursor() as cr:
                    # known to somebody, so that neither choice touches the other's call
                    Environment(cr, SUPERUSER_ID, {})['telephony.call'].browse(
                        self.call_ids
                    ).match_state = 'auto'
                first, second = self.two()
                choices[0](first)
                first.env.cr.commit()
                with mute_logger('odoo.sql_db', 'odoo.service.model'), patch('time.sleep'):
                    retrying(lambda second=second, later=choices[1]: later(second), second.env)
                [decision] = second.env['telephony.decision'].search([('number', '=', self.NUMBER)])
                self.assertEqual(
                    (decision.kind, decision.partner_id.id),
                    {
                        one: ('contact', self.partner_ids[0]),
                        two: ('contact', self.partner_ids[1]),
                        ignore: ('ignore', False),
                    }[choices[1]],
                )


class TestBadInput(SettleCase):
    def test_a_deal_deleted_while_it_rings(self):
        lead = self.new_lead()
        self.play(self.event('ringing', extension='101'))
        self.assertEqual(self.call().lead_id, lead)
        lead.unlink()
        self.assertRecordValues(self.call(), [{'lead_id': False, 'partner_id': self.partner.id}])
        other = self.new_lead(name="Other")
        self.play(
            self.event('answered', at=5, extension='101'),
            self.event('ended', at=80, outcome='answered'),
        )
        self.bind_late()
        self.assertRecordValues(self.call(), [{'lead_id': other.id, 'match_state': 'auto'}])

    def test_a_deleted_deal_takes_its_choice_along(self):
        lead, other = self.new_lead(), self.new_lead(name="Other")
        call = self.lost()
        call.with_user(self.anna).action_pick(lead.id)
        lead.unlink()
        self.bind_late()
        self.assertRecordValues(call, [{'lead_id': other.id, 'match_state': 'auto'}])
        self.assertEqual(self.callbacks().state, 'open')
        self.file_calls()
        self.assertTrue(self.callbacks().activity_id)

    def test_a_deleted_contact_takes_its_choice_along(self):
        partner = self.env['res.partner'].create({'name': "Short-lived"})
        call = self.lost(caller=STRANGER)
        call.with_user(self.anna).action_pick_contact(partner.id)
        partner.unlink()
        self.assertRecordValues(
            call, [{'partner_id': False, 'match_state': 'none', 'settled_by_id': False}]
        )
        self.assertFalse(self.env['telephony.decision'].search([('number', '=', STRANGER)]))
        self.bind_late()
        self.assertEqual(call.match_state, 'none')

    def test_merged_contacts_keep_calls_choice_and_numbers(self):
        other = self.env['res.partner'].create(
            {
                'name': "Customer",
                'phone': '+77015550022',
                'country_id': self.env.ref('base.kz').id,
                'telephony_number_ids': [
                    fields.Command.create({'number': number})
                    for number in (STRANGER, '+77015550033')
                ],
            }
        )
        self.partner.telephony_number_ids = [fields.Command.create({'number': STRANGER})]
        call = self.lost(caller='+77015550022')
        call.with_user(self.anna).action_pick_contact(other.id)
        wizard = self.env['base.partner.merge.automatic.wizard'].create({})
        wizard._merge((self.partner | other).ids, self.partner)
        self.assertFalse(other.exists())
        self.assertRecordValues(call, [{'partner_id': self.partner.id, 'match_state': 'manual'}])
        self.assertEqual(self.env['telephony.decision'].search([]).partner_id, self.partner)
        self.assertEqual(
            set(self.partner.telephony_number_ids.mapped('number')),
            {STRANGER, '+77015550022', '+77015550033'},
        )
        self.assertEqual(self.lost('c2', 60, caller='+77015550022').partner_id, self.partner)
        self.assertEqual(len(self.lines(self.partner, call)), 1)

    def test_merged_deals_keep_calls_choice_and_numbers(self):
        head, tail = self.env['crm.lead'].create(
            [
                {
                    'name': "Head",
                    'phone': '+77015550022',
                    'partner_id': False,
                    'user_id': self.anna.id,
                    'type': 'opportunity',
                },
                {
                    'name': "Tail",
                    'phone': STRANGER,
                    'partner_id': False,
                    'user_id': self.anna.id,
                    'type': 'opportunity',
                },
            ]
        )
        call = self.lost(caller=STRANGER)
        self.assertEqual(call.lead_id, tail)
        merged = (head | tail).merge_opportunity()
        self.assertEqual(call.lead_id, merged)
        self.assertEqual(self.callbacks(STRANGER).lead_id, merged)
        self.assertEqual(len(self.lines(merged, call)), 1)
        for index, number in enumerate((STRANGER, '+77015550022')):
            self.assertEqual(self.lost(f'm{index}', 60, caller=number).lead_id, merged)

    def test_a_lead_that_is_converted_gives_its_calls_the_customer(self):
        lead = self.env['crm.lead'].create(
            {'name': "Web", 'type': 'lead', 'phone': STRANGER, 'contact_name': "Dana"}
        )
        call = self.lost(caller=STRANGER)
        self.assertRecordValues(call, [{'lead_id': lead.id, 'partner_id': False}])
        lead._handle_partner_assignment(create_missing=True)
        lead.convert_opportunity(lead.partner_id)
        self.assertRecordValues(
            call, [{'lead_id': lead.id, 'partner_id': lead.partner_id.id, 'match_state': 'auto'}]
        )
        self.assertEqual(lead.partner_id.name, "Dana")

    def test_a_contact_with_5000_deals(self):
        team = self.env['crm.team'].search([], limit=1)
        self.env['crm.lead'].create(
            [
                {
                    'name': "Seed",
                    'type': 'opportunity',
                    'partner_id': self.partner.id,
                    'user_id': self.anna.id,
                    'team_id': team.id,
                }
            ]
        )
        self.env.flush_all()
        self.env.cr.execute(
            """
            INSERT INTO crm_lead (name, type, active, won_status, partner_id, user_id, stage_id, phone_sanitized, priority,
                                  team_id)
            SELECT 'Deal ' || i, 'opportunity', true, 'pending', partner_id, user_id, stage_id, phone_sanitized, '0', team_id
              FROM crm_lead, generate_series(1, 5000) AS i WHERE partner_id = %s""",
            [self.partner.id],
        )
        self.env.invalidate_all()
        call = self.lost()
        offered = call.with_user(self.anna).get_candidates()
        self.assertEqual(call.match_state, 'ambiguous')
        self.assertLessEqual(len(offered['deals']), 20)
        call.with_user(self.anna).action_pick(offered['deals'][0]['id'])
        self.assertEqual(call.lead_id.id, offered['deals'][0]['id'])
        self.partner.write({'phone': '8 777 123 45 68'})  # does not take for ever

    def test_200_contacts_with_one_number(self):
        partners = self.env['res.partner'].create(
            [{'name': f"Guest {index}", 'phone': STRANGER} for index in range(200)]
        )
        call = self.lost(caller=STRANGER)
        self.assertEqual((call.match_state, call.partner_id.ids), ('ambiguous', []))
        offered = call.with_user(self.anna).get_candidates()
        self.assertTrue(0 < len(offered['contacts']) <= 21)
        call.with_user(self.anna).action_pick_contact(partners[150].id)
        self.assertEqual(self.lost('c2', 60, caller=STRANGER).partner_id, partners[150])


class TestFurtherNumbers(TelephonyCase):
    def find(self, text, operator='ilike'):
        return self.env['res.partner'].search([('phone_mobile_search', operator, text)])

    def test_odoos_search_box_finds_them_in_every_spelling(self):
        self.partner.telephony_number_ids = [fields.Command.create({'number': '8 701 555 00 11'})]
        other = self.env['res.partner'].create({'name': "Other", 'phone': '+77015550012'})
        for text in (
            '+77015550011',
            '0077015550011',
            '7015550011',
            '550011',
            '+7701555',
            '701 555-00-11',
        ):
            with self.subTest(text=text):
                self.assertIn(self.partner, self.find(text))
        self.assertIn(other, self.find('701555'))
        self.assertNotIn(self.partner, self.find('550012'))
        self.assertEqual(self.find('+77015550011', '='), self.partner)
        self.assertIn(self.partner, self.find('123-45-67'))

    def test_who_has_no_rights_on_telephony_searches_as_before(self):
        self.partner.telephony_number_ids = [fields.Command.create({'number': '8 701 555 00 11'})]
        user = new_test_user(
            self.env, 'tel_none', groups='base.group_user,base.group_partner_manager'
        )
        found = (
            self.env['res.partner']
            .with_user(user)
            .search([('phone_mobile_search', 'ilike', '701555')])
        )
        self.assertIn(self.partner, found)
        self.assertEqual(DID, self.number.name)
