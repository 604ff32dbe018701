"""A call from a private mobile: logged by hand, counted like any other, changed by its author
alone."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form

from .common import CUSTOMER, TelephonyCase


class TestManualCall(TelephonyCase):
    def dialog(self, record=None, user=None):
        context = {'active_model': record._name, 'active_id': record.id} if record else {}
        return Form(
            self.env['telephony.manual.call'].with_user(user or self.anna).with_context(context)
        )

    def log(self, record=None, **values):
        """Fill in the dialog that opens from a record and save it; the call that was logged."""
        before = self.env['telephony.call'].search([])
        dialog = self.dialog(record)
        for name, value in values.items():
            setattr(dialog, name, value)
        dialog.save().action_save()
        self.follow_up()
        return self.env['telephony.call'].search([]) - before

    def follow_up(self):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_follow_up').method_direct_trigger()
        self.env.invalidate_all()

    def test_a_call_from_a_deal(self):
        lead = self.new_lead()
        call = self.log(lead, talk_minutes=7, note="Wants a discount")
        self.assertRecordValues(
            call,
            [
                {
                    'is_manual': True,
                    'company_id': self.company.id,
                    'customer_number': CUSTOMER,
                    'lead_id': lead.id,
                    'partner_id': self.partner.id,
                    'match_state': 'manual',
                    'match_reason': "Logged by hand by Anna",
                    'user_id': self.anna.id,
                    'direction': 'outbound',
                    'state': 'ended',
                    'outcome': 'answered',
                    'talk_seconds': 420,
                    'is_short': False,
                    'attempt': 1,
                    'note': "Wants a discount",
                }
            ],
        )
        self.assertFalse(call.account_id)
        self.assertEqual(call.create_uid, self.anna)
        self.assertIn("logged by hand", lead.message_ids[0].body)

    def test_it_closes_the_callback_if_the_customer_was_reached(self):
        self.play(self.event('ended', outcome='missed', at=-3600))
        callback = self.callbacks()
        self.log(callback, outcome='no_answer')
        self.assertRecordValues(callback, [{'state': 'open', 'attempt_count': 1}])
        call = self.log(callback, talk_minutes=2)
        self.assertRecordValues(
            callback, [{'state': 'done', 'closing_call_id': call.id, 'closed_by_id': self.anna.id}]
        )

    def test_a_talk_that_is_taken_back_or_corrected_leaves_the_debt(self):
        lead = self.new_lead()
        self.play(self.event('ended', outcome='missed', at=-3600))
        callback = self.callbacks()
        for outcome, attempts in (('answered', 0), ('no_answer', 1)):
            call = self.log(callback, outcome='answered', talk_minutes=2)
            self.assertEqual(callback.status, 'saved')
            wizard = (
                self.env['telephony.manual.call']
                .with_user(self.anna)
                .with_context(default_call_id=call.id)
                .create({})
            )
            if outcome == 'answered':
                wizard.action_take_back()
            else:
                wizard.outcome = outcome
                wizard.action_save()
            self.follow_up()
            self.assertRecordValues(
                callback,
                [
                    {
                        'state': 'open',
                        'close_kind': False,
                        'closed_by_id': False,
                        'recovery_rate': 0,
                        'attempt_count': attempts,
                    }
                ],
            )
            self.assertEqual(lead.activity_ids, callback.activity_id)
        wizard.action_take_back()
        self.assertRecordValues(
            callback, [{'state': 'open', 'attempt_count': 0, 'first_try_at': False}]
        )

    def test_it_is_filed_where_it_was_opened_from(self):
        other = self.env['res.company'].create(
            {
                'name': "Other",
                'country_id': self.env.ref('base.kz').id,
                'resource_calendar_id': self.calendar.id,
            }
        )
        self.anna.company_ids = self.company | other
        self.play(
            self.event('ended', caller='+77012223344', outcome='missed', at=-600),
            account=self.new_account(other),
        )
        callback = self.callbacks('+77012223344')
        callback.user_id = self.anna
        both = {
            'active_model': callback._name,
            'active_id': callback.id,
            'allowed_company_ids': (self.company | other).ids,
        }
        dialog = Form(self.env['telephony.manual.call'].with_user(self.anna).with_context(both))
        dialog.talk_minutes = 2
        dialog.save().action_save()
        self.follow_up()
        self.assertRecordValues(
            callback.closing_call_id, [{'company_id': other.id, 'is_manual': True}]
        )

    def correct(self, call, **values):
        wizard = (
            self.env['telephony.manual.call']
            .with_user(self.anna)
            .with_context(default_call_id=call.id)
            .create({})
        )
        wizard.write(values)
        wizard.action_save()
        self.follow_up()

    def test_a_talk_with_another_number_leaves_the_debt(self):
        self.play(self.event('ended', outcome='missed', at=-3600))
        self.correct(self.log(self.callbacks(), talk_minutes=2), number='+77012223344')
        self.assertRecordValues(
            self.callbacks(), [{'state': 'open', 'closing_call_id': False, 'attempt_count': 0}]
        )

    def test_a_loss_of_another_number_is_promised_there(self):
        call = self.log(number=CUSTOMER, direction='inbound', outcome='missed')
        tried = self.log(
            self.callbacks(),
            outcome='no_answer',
            start_at=fields.Datetime.now() + timedelta(seconds=30),
        )
        self.correct(call, number='+77012223344')
        self.assertRecordValues(
            self.callbacks(), [{'state': 'open', 'origin_call_id': tried.id, 'attempt_count': 1}]
        )
        self.assertRecordValues(
            self.callbacks('+77012223344'), [{'state': 'open', 'origin_call_id': call.id}]
        )

    def test_from_a_contact_the_promised_number_is_proposed(self):
        self.play(self.event('ended', caller='+77051112233', outcome='missed', at=-600))
        callback = self.callbacks('+77051112233')
        callback.partner_id = self.partner
        self.assertEqual(self.dialog(self.partner).number, '+77051112233')
        self.log(self.partner)
        self.assertEqual(callback.state, 'done')

    def test_from_the_call_list_the_matcher_looks_whose_number_it_is(self):
        lead = self.new_lead()
        call = self.log(number='8 777 123 45 67', direction='inbound', outcome='missed')
        self.assertRecordValues(
            call, [{'lead_id': lead.id, 'partner_id': self.partner.id, 'match_state': 'auto'}]
        )
        self.assertEqual(
            self.callbacks().origin_call_id,
            call,
            "a call that he missed is a promise like any other",
        )
        self.assertEqual(self.log(number='+77019998877').match_state, 'none')

    def test_what_cannot_be(self):
        for values, error in (
            (
                {'number': CUSTOMER, 'start_at': fields.Datetime.now() + timedelta(hours=1)},
                ValidationError,
            ),
            ({'number': CUSTOMER, 'talk_minutes': -1}, ValidationError),
            ({'number': CUSTOMER, 'direction': 'inbound', 'outcome': 'busy'}, ValidationError),
            ({'number': '12'}, UserError),
            ({}, UserError),
        ):
            with self.subTest(values), self.assertRaises(error), self.cr.savepoint():
                self.log(**values)

    def test_only_its_author_changes_it(self):
        lead = self.new_lead(user_id=False)
        call = self.log(lead, outcome='no_answer')
        self.assertTrue(call.with_user(self.anna).can_correct)
        for user in (self.boris, self.supervisor):
            theirs = call.with_user(user)
            self.assertFalse(theirs.can_correct)
            with self.assertRaises(AccessError):
                theirs.action_correct()
            with self.assertRaises(AccessError):
                theirs.write({'note': "It was me"})
            wizard = (
                self.env['telephony.manual.call']
                .with_user(user)
                .create({'call_id': call.id, 'number': CUSTOMER, 'outcome': 'answered'})
            )
            for button in (wizard.action_save, wizard.action_take_back):
                with self.assertRaises(AccessError):
                    button()
        with self.assertRaises(AccessError):
            call.with_user(self.anna).write({'outcome': 'answered'})
        self.assertEqual(call.outcome, 'no_answer')

    def test_the_author_corrects_it_and_takes_it_back(self):
        lead = self.new_lead()
        self.play(self.event('ended', outcome='missed', at=-3600))
        call = self.log(lead, outcome='no_answer')
        action = call.with_user(self.anna).action_correct()
        correction = Form(
            self.env['telephony.manual.call'].with_user(self.anna).with_context(action['context'])
        )
        self.assertEqual(
            (correction.outcome, correction.number, correction.lead_id),
            ('no_answer', CUSTOMER, lead),
        )
        correction.outcome, correction.talk_minutes = 'answered', 3
        wizard = correction.save()
        wizard.action_save()
        self.follow_up()
        self.assertRecordValues(call, [{'outcome': 'answered', 'talk_seconds': 180}])
        self.assertEqual(self.callbacks().state, 'done')
        message = call.message_id
        wizard.action_take_back()
        self.assertFalse(call.exists() or message.exists())

    def test_a_call_of_a_pbx_is_not_corrected_by_hand(self):
        self.play(self.event('ended', outcome='answered', extension='101', talk_seconds=50))
        wizard = (
            self.env['telephony.manual.call']
            .with_user(self.anna)
            .create(
                {
                    'call_id': self.call().id,
                    'number': CUSTOMER,
                    'outcome': 'answered',
                    'talk_minutes': 9,
                }
            )
        )
        for button in (wizard.action_save, wizard.action_take_back):
            with self.assertRaises(AccessError):
                button()
        self.assertEqual(self.call().talk_seconds, 50)

    def test_a_contact_that_one_may_not_read(self):
        private = self.env['crm.lead'].create(
            {'name': "Saule's own", 'user_id': self.supervisor.id, 'phone': CUSTOMER}
        )
        wizard = (
            self.env['telephony.manual.call']
            .with_user(self.anna)
            .create({'number': CUSTOMER, 'outcome': 'answered'})
        )
        wizard.sudo().lead_id = private
        with self.assertRaises(AccessError):
            wizard.action_save()
