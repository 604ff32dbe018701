"""Contacts, deals and numbers that come after their calls."""

from contextlib import closing
from datetime import timedelta
from unittest.mock import patch

from odoo import fields

from odoo.addons.crm_telephony.models.matching.late_match import BATCH, LONGEST_PAUSE, NUMBERS
from odoo.addons.crm_telephony.tools.settings import DEFAULTS

from .common import CUSTOMER
from .test_settle import STRANGER, SettleCase


class TestLateBinding(SettleCase):
    def past(self, days=0, call_id=None, number=STRANGER, **more):
        """A missed call that nobody knew, so many days ago; its follow-up is done."""
        start = fields.Datetime.now() - timedelta(days=days, minutes=5)
        call = self.env['telephony.call'].create(
            {
                'account_id': self.account.id,
                'external_id': call_id or f'past-{number}-{days}',
                'direction': 'inbound',
                'caller_number': number,
                'called_number': self.number.name,
                'customer_number': number,
                'number_id': self.number.id,
                'start_at': start,
                'ended_at': start + timedelta(seconds=30),
                'wait_seconds': 30,
                'state': 'ended',
                'outcome': 'missed',
                **more,
            }
        )
        call.follow_up = 'done'
        return call

    def contact(self, **values):
        return self.env['res.partner'].create(
            {
                'name': "Dana",
                'phone': '8 701 555 00 11',
                'country_id': self.env.ref('base.kz').id,
                **values,
            }
        )

    def queue(self):
        return self.env['telephony.rebind'].search([]).mapped('number')

    def test_a_new_contact_gets_its_calls(self):
        call = self.past()
        partner = self.contact()
        self.assertFalse(call.partner_id)
        self.bind_late()
        self.assertRecordValues(call, [{'partner_id': partner.id, 'match_state': 'auto'}])
        [line] = self.lines(partner, call)
        self.assertEqual(line.date, call.ended_at)
        self.assertFalse(self.queue())

    def test_the_open_callback_goes_there_too(self):
        self.play(self.event('ended', caller=STRANGER, outcome='missed'))
        partner = self.contact(user_id=self.boris.id)
        self.bind_late()
        self.assertRecordValues(
            self.callbacks(STRANGER), [{'partner_id': partner.id, 'user_id': self.boris.id}]
        )
        self.assertEqual(self.callbacks(STRANGER).activity_id, partner.activity_ids)

    def test_what_makes_it_look_again(self):
        def phone():
            self.env['res.partner'].create({'name': "Dana"}).phone = STRANGER

        def further():
            self.partner.telephony_number_ids = [
                fields.Command.create({'number': '8 701 555 00 11'})
            ]

        def unarchived():
            partner = self.contact(active=False)
            self.assertFalse(self.queue())
            partner.active = True

        def lead():
            self.env['crm.lead'].create({'name': "Web", 'phone': STRANGER})

        def reopened():
            deal = self.env['crm.lead'].create(
                {'name': "Web", 'phone': STRANGER, 'active': False, 'probability': 0}
            )
            self.assertFalse(self.queue())
            deal.active = True

        def deal_of_contact():
            partner = self.contact()
            forget()
            self.new_lead(partner_id=partner.id)

        def forget():
            self.env['telephony.rebind'].search([]).unlink()

        def further_given_to_another():
            number = self.env['telephony.contact.number'].create(
                {'partner_id': self.partner.id, 'number': STRANGER}
            )
            forget()
            number.partner_id = self.env['res.partner'].create({'name': "Dana"})

        def further_spelt_right():
            self.env['telephony.contact.number'].create(
                {'partner_id': self.partner.id, 'number': CUSTOMER[:-1] + '0'}
            ).number = STRANGER

        def ours():
            partner = self.contact(company_id=self.env['res.company'].create({'name': "Other"}).id)
            forget()
            partner.company_id = self.company

        def country():
            contact = self.contact(country_id=self.env.ref('base.us').id)
            self.assertFalse(self.queue())
            contact.country_id = self.env.ref('base.kz')

        def person_of_the_firm():
            partner = self.contact(parent_id=self.partner.id, is_company=True)
            forget()
            partner.is_company = False

        def deal_phone():
            self.env['crm.lead'].create({'name': "Web"}).phone = STRANGER

        def deal_country():
            deal = self.env['crm.lead'].create(
                {
                    'name': "Web",
                    'phone': '8 701 555 00 11',
                    'country_id': self.env.ref('base.us').id,
                }
            )
            self.assertFalse(self.queue())
            deal.country_id = self.env.ref('base.kz')

        def deal_given_to_contact():
            partner = self.contact()
            deal = self.new_lead(partner_id=False)
            forget()
            deal.partner_id = partner

        def deal_of_our_company():
            deal = self.env['crm.lead'].create(
                {
                    'name': "Web",
                    'phone': STRANGER,
                    'team_id': False,
                    'user_id': False,
                    'company_id': self.env['res.company'].create({'name': "Third"}).id,
                }
            )
            forget()
            deal.company_id = self.company

        def not_won_after_all():
            deal = self.env['crm.lead'].create({'name': "Web", 'phone': STRANGER})
            stage = deal.stage_id
            deal.action_set_won()
            forget()
            deal.stage_id = stage

        self.past()
        for change in (
            self.contact,
            phone,
            further,
            further_given_to_another,
            further_spelt_right,
            unarchived,
            ours,
            country,
            person_of_the_firm,
            lead,
            reopened,
            not_won_after_all,
            deal_of_contact,
            deal_phone,
            deal_country,
            deal_given_to_contact,
            deal_of_our_company,
        ):
            with self.subTest(change=change.__name__), closing(self.env.cr.savepoint()):
                forget()
                change()
                self.assertIn(STRANGER, self.queue())

    def test_what_goes_leaves_its_past_calls_alone(self):
        """A call that waits may have been about the very deal that was closed, or by the contact
        who is archived."""
        contact, other = self.contact(), self.contact(name="Erlan")
        number = self.env['telephony.contact.number'].create(
            {'partner_id': contact.id, 'number': CUSTOMER[:-1] + '0'}
        )
        one, _two = (
            self.env['crm.lead'].create({'name': name, 'phone': STRANGER})
            for name in ("Flour", "Sugar")
        )
        self.past(match_state='ambiguous')
        self.env['telephony.rebind'].search([]).unlink()
        one.action_set_won()
        other.active = False
        contact.phone = False
        number.unlink()
        self.assertFalse(self.queue())

    def test_some_numbers_are_done_before_odoo_ends_a_scheduled_action(self):
        """One that is ended begins again with the same numbers, while PBXs deliver for ever."""
        batches = NUMBERS * DEFAULTS['late_count'] / BATCH
        self.assertLess(batches * LONGEST_PAUSE, 120 - 10)

    def test_numbers_that_never_called_are_not_queued(self):
        self.past()
        self.env['res.partner'].create(
            [{'name': str(index), 'phone': f'+7701666{index:04}'} for index in range(50)]
        )
        self.new_lead()
        self.assertFalse(self.queue())

    def test_old_calls_get_a_contact_and_no_deal(self):
        old, recent = self.past(60), self.past(10)
        partner = self.contact()
        lead = self.new_lead(partner_id=partner.id)
        self.bind_late()
        self.assertRecordValues(
            old | recent,
            [
                {'partner_id': partner.id, 'lead_id': False, 'match_state': 'auto'},
                {'partner_id': partner.id, 'lead_id': lead.id, 'match_state': 'auto'},
            ],
        )
        self.assertFalse(old.message_id)
        self.assertEqual(len(self.lines(lead, recent)), 1)

    def test_limits(self):
        self.env['ir.config_parameter'].set_param('crm_telephony.late_days', 20)
        self.env['ir.config_parameter'].set_param('crm_telephony.late_count', 3)
        calls = self.env['telephony.call'].union(*(self.past(days) for days in (1, 2, 3, 4, 30)))
        partner = self.contact()
        self.bind_late()
        self.assertEqual(
            [call.partner_id == partner for call in calls], [True, True, True, False, False]
        )

    def test_a_deal_that_is_made_after_the_call_of_a_known_contact(self):
        call = self.past(1, number=CUSTOMER, partner_id=self.partner.id, match_state='auto')
        call._log_in_chatter()
        self.assertEqual(len(self.lines(self.partner, call)), 1)
        lead = self.new_lead()
        self.bind_late()
        self.assertEqual(call.lead_id, lead)
        self.assertEqual((len(self.lines(self.partner, call)), len(self.lines(lead, call))), (0, 1))

    def test_what_a_person_set_is_not_stolen(self):
        call = self.past()
        call.with_user(self.supervisor).action_pick_contact(self.partner.id)
        self.env['telephony.decision'].search([]).unlink()
        self.partner.telephony_number_ids.unlink()
        self.contact()
        self.bind_late()
        self.assertEqual(call.partner_id, self.partner)

    def test_a_call_of_one_contact_does_not_go_to_another(self):
        call = self.past(number=CUSTOMER, partner_id=self.partner.id, match_state='auto')
        self.partner.phone = '+77010000000'
        self.contact(phone=CUSTOMER)
        self.bind_late()
        self.assertEqual(call.partner_id, self.partner)

    def test_what_was_certain_does_not_become_uncertain(self):
        call = self.past(number=CUSTOMER, partner_id=self.partner.id, match_state='auto')
        self.contact(phone=CUSTOMER)
        self.bind_late()
        self.assertRecordValues(call, [{'partner_id': self.partner.id, 'match_state': 'auto'}])

    def test_other_companies_contacts_get_none_of_our_calls(self):
        call = self.past()
        self.contact(company_id=self.env['res.company'].create({'name': "Other company"}).id)
        self.bind_late()
        self.assertFalse(call.partner_id)

    def test_one_bad_call_never_stops_the_rest(self):
        calls = self.env['telephony.call'].union(*(self.past(days) for days in (1, 2, 3)))
        partner = self.contact()
        model = type(calls)
        chatter = model._log_in_chatter

        def broken(these):
            if calls[1] in these:
                raise ValueError("bad call")
            return chatter(these)

        with (
            patch.object(model, '_log_in_chatter', broken),
            self.assertLogs('odoo.addons.crm_telephony.models.matching.late_match', 'ERROR'),
        ):
            self.bind_late()
        self.assertEqual([call.partner_id == partner for call in calls], [True, False, True])
        self.assertFalse(self.queue())

    def test_queries_do_not_grow_with_the_calls_of_a_number(self):
        self.contact()
        few = self.env['telephony.call'].union(
            *(self.past(index, f'few{index}') for index in range(40, 43))
        )
        many = self.env['telephony.call'].union(
            *(self.past(index, f'many{index}') for index in range(43, 83))
        )
        counts = []
        for calls in (few, many):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            calls._match_late()
            self.env.flush_all()
            counts.append(self.env.cr.sql_log_count - before)
            self.assertTrue(all(call.partner_id for call in calls))
        self.assertLessEqual(counts[1], counts[0] + 2)
