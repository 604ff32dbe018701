"""Who is on the other side, by name: most new deals have no contact."""

from datetime import timedelta

from odoo import fields

from odoo.addons.crm_telephony.providers.numbers import pretty

from .common import TelephonyCase

STRANGER = '+77785550158'


class TestOtherSide(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.lead = self.new_lead(
            partner_id=False, contact_name="Zeinep", partner_name="Dostyk", phone=STRANGER
        )

    def ring(self, call_id='c1', **more):
        self.play(
            self.event('ringing', call_id, **{'caller': STRANGER, 'extension': '101', **more})
        )
        return self.call(call_id).with_user(self.anna)

    def test_on_every_screen(self):
        call = self.ring()
        self.assertEqual(
            (call.lead_id, call.customer_name, call.display_name),
            (self.lead, "Zeinep", "Call from Zeinep"),
        )
        self.assertEqual(call.get_card()['name'], "Zeinep")
        board = self.env['telephony.live'].with_user(self.supervisor).get_board()
        self.assertEqual([row['who'] for row in board['calls']], ["Zeinep"])
        self.play(self.event('ended', caller=STRANGER, at=9, outcome='missed'))
        callback = self.callbacks(STRANGER).with_user(self.anna)
        self.assertEqual(
            (callback.customer_name, callback.display_name), ("Zeinep", "Call back Zeinep")
        )
        callback.sudo().write(
            {'user_id': self.anna.id, 'due_at': fields.Datetime.now() - timedelta(hours=1)}
        )
        self.assertEqual(callback.get_my_callbacks()['callbacks'][0]['name'], "Zeinep")
        board = self.env['telephony.live'].with_user(self.supervisor).get_board()
        self.assertEqual([row['who'] for row in board['callbacks']['rows']], ["Zeinep"])
        self.assertEqual(
            self.env['telephony.dial'].with_user(self.anna).recent_calls()[0]['name'], "Zeinep"
        )
        self.assertIn(call, call.search([('number_search', 'ilike', "zeinep")]))
        self.assertIn(call, call.search([('number_search', 'ilike', "dosty")]))

    def test_the_contact_comes_first_and_the_company_last(self):
        call = self.ring()
        self.lead.contact_name = False
        self.env.invalidate_all()
        self.assertEqual(call.customer_name, "Dostyk")
        call.sudo().partner_id = self.partner
        self.assertEqual(call.customer_name, "Customer")

    def test_an_open_deal_that_is_not_linked(self):
        call = self.ring()
        call.sudo().lead_id = False
        self.assertEqual(call.customer_name, "Zeinep")
        other = self.new_lead(partner_id=False, contact_name="Zeinep", phone=STRANGER)
        self.env.invalidate_all()
        self.assertEqual(call.customer_name, "Zeinep", "both say so")
        other.contact_name = "Erzhan"
        self.env.invalidate_all()
        self.assertFalse(call.customer_name, "nobody knows which of them it is")
        other.action_set_lost()
        self.env.invalidate_all()
        self.assertEqual(call.customer_name, "Zeinep")
        elsewhere = self.env['res.company'].create({'name': "Elsewhere"})
        self.lead.write({'user_id': False, 'team_id': False, 'company_id': elsewhere.id})
        self.env.invalidate_all()
        self.assertFalse(call.sudo().customer_name)

    def test_only_what_one_may_read(self):
        call = self.ring()
        self.lead.user_id = self.boris
        self.env.invalidate_all()
        self.assertFalse(call.customer_name)
        self.assertEqual(call.display_name, f"Call from {pretty(STRANGER)}")
        self.assertEqual(
            call.sudo().customer_name, "Zeinep", "and that is not kept for the next who looks"
        )
        self.assertFalse(call.customer_name)

    def test_a_list_asks_once(self):
        calls = [self.ring(f'c{number}', caller=f'+7778555020{number}') for number in range(6)]
        self.env['crm.lead'].create(
            [
                {
                    'name': "Deal",
                    'type': 'opportunity',
                    'contact_name': f'Customer {number}',
                    'phone': f'+7778555020{number}',
                    'user_id': self.anna.id,
                }
                for number in range(6)
            ]
        )
        calls = calls[0].union(*calls)
        calls.sudo().lead_id = False

        def queries(records):
            self.env.flush_all()
            self.env.invalidate_all()
            records.fetch(['company_id', 'customer_number', 'partner_id', 'lead_id'])
            before = self.env.cr.sql_log_count
            names = records.mapped('customer_name')
            return self.env.cr.sql_log_count - before, names

        queries(calls)
        count, names = queries(calls)
        self.assertEqual(sorted(names), [f'Customer {number}' for number in range(6)])
        self.assertEqual(count, queries(calls[:2])[0])
