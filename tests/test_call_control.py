"""A phone that is driven from Odoo: a click rings it, the call lands on the record, the call is
ended and passed on."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from odoo.addons.bus.models.bus import BusBus

from ..providers.capabilities import Dials
from ..providers.client import Client, clients
from .common import CUSTOMER, SECRET, TelephonyCase

BLACKLISTED = "is on the phone blacklist: the customer asked not to be called."


class CallControlCase(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in()
        self.lead = self.new_lead()

    def place(self, number=CUSTOMER, record=None, user=None, confirmed=()):
        """What a click of Anna on a number does; the action that answers it."""
        dial = self.env['telephony.dial'].with_user(user or self.anna)
        with self.enter_registry_test_mode():
            return dial.place_call(number, record and record._name, record and record.id, confirmed)

    def dials(self):
        return self.env['telephony.dial'].search([])


class TestPlaceCall(CallControlCase):
    def test_a_debt_of_another_company_is_called_by_its_pbx(self):
        """A stranger's, and one of a contact that both companies share; also from the activity."""
        other = self.env['res.company'].create(
            {
                'name': "Other",
                'country_id': self.env.ref('base.kz').id,
                'resource_calendar_id': self.calendar.id,
            }
        )
        account = self.new_account(other, state='connected')
        self.env['telephony.extension'].create(
            {'number': '201', 'account_id': account.id, 'user_id': self.anna.id}
        )
        self.anna.company_ids = self.company | other
        self.lead.unlink()
        for index, caller in enumerate(('+77012223344', CUSTOMER)):
            self.play(
                self.event('ended', f'm{index}', caller=caller, outcome='missed', at=-60),
                account=account,
            )
            callback = self.callbacks(caller)
            callback.user_id = self.anna
            both = {'allowed_company_ids': (self.company | other).ids}
            records = [callback, callback.activity_id]
            if index:
                records.append(self.call('m1', account))
            for record in records:
                self.pbx.told.clear()
                self.dials().unlink()
                self.place(caller, record.with_context(both))
                self.assertEqual(self.pbx.told, [('dial', '201', caller)], record)

    def test_one_click_rings_the_phone_and_the_call_lands_on_the_deal(self):
        self.new_lead(name="Another deal of the same customer")
        action = self.place('8 (777) 123-45-67', self.lead)
        self.assertEqual(self.pbx.told, [('dial', '101', CUSTOMER)])
        self.assertEqual(action['tag'], 'display_notification')
        self.assertEqual(action['params']['title'], "Your phone 101 is ringing")
        self.play(self.outbound('ringing'))
        linked = [
            {
                'lead_id': self.lead.id,
                'partner_id': self.partner.id,
                'match_state': 'manual',
                'match_reason': "Called from this deal by Anna",
            }
        ]
        self.assertRecordValues(self.call('o1'), linked)
        self.play(
            self.outbound('answered', at=5),
            self.outbound('ended', at=60, outcome='answered', talk_seconds=55),
        )
        self.assertRecordValues(self.call('o1'), linked)
        self.assertIn("Outbound", self.lead.message_ids[0].body)

    def test_the_pbx_tells_another_id_and_another_spelling(self):
        self.pbx.call_id = 'asked-1'
        self.new_lead()
        self.place(CUSTOMER, self.lead)
        self.play(
            self.outbound('ended', 'told-1', at=90, called='98' + CUSTOMER[2:], outcome='no_answer')
        )
        self.assertEqual(self.call('told-1').lead_id, self.lead)
        self.play(self.outbound('ended', 'told-2', at=100, outcome='no_answer'))
        self.assertEqual(self.call('told-1').match_state, 'manual')
        self.assertNotEqual(self.call('told-2').match_state, 'manual', "one click is one call")

    def test_somebody_elses_call_and_another_number_are_not_this_click(self):
        self.pbx.call_id = ''
        self.new_lead()
        self.place(CUSTOMER, self.lead)
        self.play(
            self.outbound('ended', 'boris', caller='102', extension='102', outcome='no_answer'),
            self.outbound('ended', 'other', called='+77011112233', outcome='no_answer'),
            self.outbound('ended', 'long ago', at=-3600, outcome='no_answer'),
            self.event('ended', 'he called', outcome='answered', extension='101', talk_seconds=50),
        )
        self.assertFalse(self.env['telephony.call'].search([('match_state', '=', 'manual')]))
        self.play(self.outbound('ended', 'this', outcome='no_answer'))
        self.assertEqual(self.call('this').lead_id, self.lead)

    def test_a_click_on_a_contact_settles_the_contact_and_leaves_the_deal_to_the_matcher(self):
        twin = self.env['res.partner'].create({'name': "Namesake", 'phone': CUSTOMER})
        self.place(CUSTOMER, twin)
        self.play(self.outbound('ended', outcome='no_answer'))
        self.assertRecordValues(
            self.call('o1'),
            [
                {
                    'partner_id': twin.id,
                    'lead_id': False,
                    'match_state': 'manual',
                    'match_reason': "Called from this contact by Anna",
                }
            ],
        )
        self.pbx.call_id = 'o2'
        self.place('+77051234567', self.partner)
        self.play(self.outbound('ended', 'o2', called='+77051234567', outcome='no_answer'))
        self.assertEqual(
            self.call('o2').lead_id,
            self.lead,
            "the only open deal of a contact who was called on another number",
        )
        self.new_lead()
        self.pbx.call_id = 'o3'
        self.place('+77051234568', self.partner)
        self.play(self.outbound('ended', 'o3', called='+77051234568', outcome='no_answer'))
        self.assertRecordValues(
            self.call('o3'),
            [{'partner_id': self.partner.id, 'lead_id': False, 'match_state': 'ambiguous'}],
        )

    def test_a_click_on_what_belongs_to_a_deal(self):
        """A callback, an activity, a call: the deal behind it is called from."""
        self.new_lead()
        self.play(self.event('ended', outcome='missed'))
        callback = self.callbacks()
        callback.lead_id = self.lead
        activity = self.lead.activity_schedule('mail.mail_activity_data_call', user_id=self.anna.id)
        self.call().with_user(self.anna).write({'lead_id': self.lead.id})
        for number, record in enumerate((callback, activity, self.call())):
            self.pbx.call_id = f'o{number}'
            self.place(f'+7777000000{number}', record)
            self.play(
                self.outbound(
                    'ended', f'o{number}', called=f'+7777000000{number}', outcome='no_answer'
                )
            )
            self.assertEqual(self.call(f'o{number}').lead_id, self.lead, record._name)
        self.assertEqual(self.dials().activity_id, activity | callback.activity_id)

    def test_a_callback_whose_deal_he_may_not_read(self):
        """It is his to call, a colleague's deal stands behind it: he calls, and reads nothing of
        the deal."""
        self.lead.user_id = self.boris
        self.play(self.event('ended', outcome='missed', extension='101'))
        callback = self.callbacks()
        callback.user_id = self.anna
        self.assertEqual(callback.lead_id, self.lead)
        self.env.invalidate_all()
        action = self.place(CUSTOMER, callback)
        self.assertEqual(self.pbx.told, [('dial', '101', CUSTOMER)])
        self.assertEqual(self.dials().res_id, self.lead.id, "his call lands there")
        self.assertEqual(action['params']['message'], "Pick it up, then +7 777 123 4567 is called.")

    def test_the_systray_lists_a_callback_whose_deal_he_may_not_read(self):
        self.lead.user_id = self.boris
        self.play(self.event('ended', outcome='missed', extension='101'))
        callback = self.callbacks()
        callback.user_id = self.anna
        self.env.flush_all()
        self.env.invalidate_all()
        [debt] = self.env['telephony.callback'].with_user(self.anna).get_my_callbacks()['callbacks']
        self.assertEqual((debt['id'], debt['name'], debt['deal']), (callback.id, "Customer", ''))

    def test_a_callback_is_taken_by_who_calls_after_a_warning(self):
        """As by a click without one, from its number on the form too."""
        self.play(self.event('ended', outcome='missed', extension='101'))
        callback = self.callbacks()
        callback.user_id = False
        self.env['phone.blacklist'].add(CUSTOMER)
        action = self.place(CUSTOMER, callback)
        self.assertFalse(callback.user_id or self.pbx.told, "he is asked")
        params = action['params']
        with self.enter_registry_test_mode():
            self.env['telephony.dial'].with_user(self.anna).place_call(
                params['number'], params['res_model'], params['res_id'], params['confirmed']
            )
        self.assertEqual(callback.user_id, self.anna)
        self.assertTrue(callback.taken_at)
        with self.assertRaisesRegex(UserError, "Anna has taken"):
            self.place(CUSTOMER, callback, user=self.supervisor)
        callback.action_done()
        self.place(
            '+77051234567',
            callback,
            user=self.boris if callback.with_user(self.boris).has_access('read') else None,
        )

    def test_from_a_card_of_who_may_not_read_the_call(self):
        """A lost call of an unknown caller, of which the number's responsible was told, and that
        nobody is to call back."""
        self.number.user_id, caller = self.anna, '+77019999999'
        self.env['telephony.rule'].search([]).active = False
        self.play(
            self.event('ringing', caller=caller),
            self.event('ended', caller=caller, outcome='abandoned'),
        )
        lost = self.call()
        self.assertFalse(lost.with_user(self.anna).has_access('read'))
        self.assertFalse(lost.with_user(self.anna).get_card()['can_open'])
        self.env['phone.blacklist'].add(caller)
        asked = self.place(caller, lost)['params']
        self.assertEqual(asked['confirmed'], ['blacklist'])
        self.place(caller, lost, confirmed=asked['confirmed'])
        self.assertEqual(self.pbx.told, [('dial', '101', caller)])
        with self.assertRaises(AccessError):
            self.place(caller, lost, user=self.boris)

    def test_from_a_card_of_another_company_than_is_chosen(self):
        other = self.env['res.company'].create(
            {'name': "Other", 'country_id': self.env.ref('base.kz').id}
        )
        self.anna.company_ids += other
        self.lead.company_id = self.company
        self.play(self.event('ringing', extension='101'), self.event('ended', outcome='missed'))
        lost = self.call()
        self.assertEqual(lost.lead_id, self.lead)
        self.assertTrue(lost.with_user(self.anna).get_card()['can_open'])
        dial = (
            self.env['telephony.dial']
            .with_user(self.anna)
            .with_context(allowed_company_ids=other.ids)
        )
        with self.enter_registry_test_mode():
            dial.place_call(CUSTOMER, 'telephony.call', lost.id)
        self.assertEqual(self.pbx.told, [('dial', '101', CUSTOMER)])
        self.assertEqual((self.dials().res_model, self.dials().res_id), ('crm.lead', self.lead.id))

    def test_a_deal_that_is_gone_or_anothers_does_not_stop_the_call_from_being_filed(self):
        self.place(CUSTOMER, self.lead)
        self.lead.unlink()
        self.play(self.outbound('ended', outcome='no_answer'))
        self.assertEqual(self.call('o1').partner_id, self.partner)
        elsewhere = self.env['res.company'].create({'name': "Elsewhere"})
        foreign = self.env['crm.lead'].create(
            {'name': "Foreign", 'company_id': elsewhere.id, 'user_id': False}
        )
        self.anna.company_ids += elsewhere
        self.pbx.call_id = 'o2'
        self.place('+77051234567', foreign)
        self.play(self.outbound('ended', 'o2', called='+77051234567', outcome='no_answer'))
        self.assertFalse(self.call('o2').lead_id)

    def test_a_decision_by_hand_is_not_undone(self):
        self.pbx.call_id = ''
        self.play(self.outbound('ringing'))
        other = self.new_lead()
        self.call('o1').with_user(self.anna).write({'lead_id': other.id})
        self.place(CUSTOMER, self.lead)
        self.play(self.outbound('ended', outcome='no_answer'))
        self.assertEqual(self.call('o1').lead_id, other)

    # === WHY NOT === #

    def test_refusals_say_why(self):
        for number, user, reason in (
            ('1414', self.anna, "1414 is not a complete phone number"),
            ('anonymous', self.anna, "is not a complete phone number"),
            (False, self.anna, "There is no number to call"),
        ):
            with self.subTest(reason), self.assertRaisesRegex(UserError, reason):
                self.place(number, self.partner, user=user)
        self.assertFalse(self.pbx.told)

    def without_a_phone(self):
        return new_test_user(
            self.env,
            'tel_none',
            groups='base.group_user,sales_team.group_sale_salesman_all_leads,crm_telephony.group_user',
        )

    def assert_own_device(self, action, number, reason):
        self.assertEqual(
            (action['type'], action['tag'], action['params']['number']),
            ('ir.actions.client', 'crm_telephony.own_device', number),
        )
        self.assertIn(reason, action['params']['reason'])

    def test_without_a_phone_of_a_pbx_ones_own_device_calls(self):
        """From a number, a callback, an activity, a card; and a callback is not taken before there
        is a call."""
        none, reason = self.without_a_phone(), "You have no phone on a PBX"
        activity = self.lead.activity_schedule('mail.mail_activity_data_call', user_id=none.id)
        self.play(self.event('ended', outcome='missed', extension='101'))
        callback = self.callbacks()
        self.assertEqual(callback.user_id, self.anna)
        for record in (None, self.partner, self.lead, callback, activity, self.call()):
            with self.subTest(record and record._name):
                self.assert_own_device(self.place(CUSTOMER, record, user=none), CUSTOMER, reason)
        for record in (callback, activity, callback.activity_id):
            self.assert_own_device(record.with_user(none).action_call(), CUSTOMER, reason)
        self.assertEqual((callback.user_id, callback.taken_at), (self.anna, False))
        self.assertFalse(self.pbx.told or self.dials())
        self.assert_own_device(self.place('8 (777) 123-45-67', user=none), CUSTOMER, reason)
        self.assert_own_device(self.place('1414', user=none), '1414', reason)
        self.assert_own_device(self.place('*100#', user=none), '*100#', reason)
        for number in (False, 'anonymous', 'javascript:1'):
            with self.assertRaises(UserError):
                self.place(number, user=none)

    def test_ones_own_device_is_warned_too(self):
        self.env['phone.blacklist'].add(CUSTOMER)
        none = self.without_a_phone()
        asked = self.place(CUSTOMER, user=none)['params']
        self.assertEqual(asked['warnings'], [f"{CUSTOMER} {BLACKLISTED}"])
        self.assert_own_device(
            self.place(CUSTOMER, user=none, confirmed=asked['confirmed']), CUSTOMER, "no phone"
        )

    def test_a_pbx_that_cannot_place_calls_has_no_button(self):
        # whose client dials, but this account is not reachable
        self.account.provider = 'asterisk'
        self.plug_in(Client, 'asterisk')
        self.assertFalse(self.anna._telephony_can_call())
        self.assert_own_device(self.place(), CUSTOMER, "Middleware cannot place calls from Odoo")

    def test_without_credentials_there_is_no_button_for_any_pbx(self):
        """And who asks anyway is told what is missing, and whom to ask; nothing is sent, no
        callback is taken."""
        self.play(self.event('ended', outcome='missed', extension='101'))
        callback = self.callbacks()
        values = {'api_key': 'key', 'api_secret': SECRET, 'api_url': 'http://127.0.0.1:9'}
        for code, client in clients.items():
            if code == 'generic' or not client.can(Dials):
                continue
            for field, name in client.needs:
                with self.subTest(code, field=field):
                    self.account.write({**values, 'provider': code, 'api_url': values['api_url']})
                    self.account.write({field: False})
                    self.assertFalse(self.anna._telephony_can_call())
                    self.assertFalse(self.account.extension_ids[0].can_dial)
                    sentence = (
                        f"Middleware cannot place calls yet: its {name} is not entered. "
                        "Ask your telephony administrator."
                    )
                    self.assert_own_device(self.place(), CUSTOMER, sentence)
                    self.assert_own_device(
                        callback.with_user(self.anna).action_call(), CUSTOMER, sentence
                    )
                    with self.assertRaisesRegex(UserError, "cannot place calls yet"):
                        self.account._dial(self.account.extension_ids[0], CUSTOMER)
                    self.assertFalse(callback.taken_at)
                    self.account.write(values)
                    self.assertTrue(self.anna._telephony_can_call())
        self.assertFalse(self.dials())

    def test_without_credentials_a_running_call_has_no_buttons(self):
        self.play(
            self.event('ringing', extension='101'), self.event('answered', extension='101', at=3)
        )
        call = self.call().with_user(self.anna)
        self.assertTrue(call.can_hang_up and call.can_transfer)
        self.account.api_secret = False
        call.invalidate_recordset()
        self.assertFalse(call.can_hang_up or call.can_transfer)
        self.assertEqual(call.get_card()['controls'], {'hang_up': False, 'transfer': []})
        with self.assertRaisesRegex(
            UserError, "Middleware cannot be told anything yet: its API secret is not entered"
        ):
            call.action_hang_up()
        self.assertFalse(self.pbx.told)

    def test_a_callback_is_taken_when_the_pbx_has_accepted_the_call(self):
        self.play(self.event('ended', outcome='missed', extension='101'))
        callback = self.callbacks()
        self.pbx.complaint = "the phone 101 is not connected to the PBX"
        with self.enter_registry_test_mode(), self.assertRaises(UserError):
            callback.with_user(self.anna).action_call()
        self.assertFalse(callback.taken_at)
        self.pbx.complaint = ''
        with self.enter_registry_test_mode():  # from its activity: that is the callback
            action = callback.activity_id.with_user(self.anna).action_call()
        self.assertEqual(action['tag'], 'display_notification')
        self.assertTrue(callback.taken_at)
        self.assertEqual(self.dials()[0].activity_id, callback.activity_id)

    def test_the_former_name_of_the_door_still_works(self):
        with self.enter_registry_test_mode():
            action = self.env['telephony.account'].with_user(self.anna).place_call(CUSTOMER)
        self.assertEqual(action['tag'], 'display_notification')

    def test_the_pbx_says_no_and_may_be_asked_again(self):
        self.pbx.complaint = "the phone 101 is not connected to the PBX"
        with self.assertRaisesRegex(UserError, "the phone 101 is not connected"):
            self.place()
        self.assertRecordValues(
            self.dials(),
            [{'state': 'refused', 'complaint': "the phone 101 is not connected to the PBX"}],
        )
        self.pbx.complaint = ''
        self.place()
        self.assertEqual(len(self.pbx.told), 2)

    def test_two_clicks_at_once_are_one_call(self):
        self.assertEqual(self.place(), self.place())
        self.assertEqual(self.pbx.told, [('dial', '101', CUSTOMER)])
        self.dials().state = 'asked'  # the PBX takes its time
        with self.assertRaisesRegex(UserError, "Your phone is just being called"):
            self.place('+77051234567')
        self.place(user=self.boris)
        self.assertEqual(
            self.pbx.told[1:], [('dial', '102', CUSTOMER)], "a colleague's click is his own"
        )

    def test_rights(self):
        private = self.env['crm.lead'].create(
            {'name': "Saule's own", 'user_id': self.supervisor.id}
        )
        with self.assertRaises(AccessError):
            self.place(CUSTOMER, private)
        nobody = new_test_user(self.env, 'tel_clerk', groups='base.group_user')
        self.env['telephony.extension'].create(
            {'number': '109', 'account_id': self.account.id, 'user_id': nobody.id}
        )
        with self.assertRaises(AccessError):
            self.place(user=nobody)
        self.assertFalse(self.pbx.told)

    # === WARNINGS === #

    def test_who_asked_not_to_be_called_is_called_only_when_confirmed(self):
        self.env['phone.blacklist'].add(CUSTOMER)
        action = self.place(CUSTOMER, self.lead)
        self.assertEqual(action['tag'], 'crm_telephony.confirm_call')
        self.assertEqual(action['params']['warnings'], [f"{CUSTOMER} {BLACKLISTED}"])
        self.assertFalse(self.pbx.told or self.dials())
        self.place(CUSTOMER, self.lead, confirmed=action['params']['confirmed'])
        self.assertEqual(self.pbx.told, [('dial', '101', CUSTOMER)])

    def test_a_talk_that_lost_its_end_warns_nobody(self):
        self.play(
            self.event('ringing', extension='102', at=-5 * 3600),
            self.event('answered', extension='102', at=-5 * 3600),
        )
        self.assertEqual(self.call().state, 'in_progress')
        self.assertEqual(self.place(CUSTOMER, self.lead)['tag'], 'display_notification')

    def test_a_colleague_talks_to_him_now(self):
        self.play(self.event('ringing', extension='102'))
        self.assertEqual(
            self.place()['params']['warnings'], [f"{CUSTOMER} is calling us right now."]
        )
        self.play(self.event('answered', extension='102', at=3))
        action = self.place()
        self.assertEqual(
            action['params']['warnings'], [f"Boris is talking to {CUSTOMER} right now."]
        )
        self.env['phone.blacklist'].add(CUSTOMER)
        again = self.place(confirmed=action['params']['confirmed'])
        self.assertEqual(
            again['params']['warnings'],
            [f"{CUSTOMER} {BLACKLISTED}"],
            "each warning is read once",
        )
        self.place(confirmed=again['params']['confirmed'])
        self.assertEqual(len(self.pbx.told), 1)

    # === WHICH PHONE === #

    def test_of_two_phones_the_preferred_one_rings(self):
        branch = self.env['res.company'].create(
            {'name': "Branch", 'country_id': self.env.ref('base.kz').id}
        )
        second, third = (
            self.new_account(self.company, name="Second"),
            self.new_account(branch, name="Branch PBX"),
        )
        phones = self.env['telephony.extension'].create(
            [
                {'number': '501', 'account_id': second.id, 'user_id': self.anna.id},
                {'number': '701', 'account_id': third.id, 'user_id': self.anna.id},
            ]
        )
        self.place('+77010000001')
        self.anna.with_user(self.anna).write({'telephony_extension_id': phones[0].id})
        self.place('+77010000002')
        self.anna.company_ids += branch
        self.place(
            '+77010000003',
            self.env['crm.lead'].create(
                {'name': "The branch's", 'company_id': branch.id, 'user_id': self.anna.id}
            ),
        )
        self.place('+77010000004', self.lead)
        self.assertEqual([told[1] for told in self.pbx.told], ['101', '501', '701', '501'])
        phones[0].write({'user_id': self.boris.id, 'also_user_ids': [(4, self.anna.id)]})
        self.place('+77010000006')
        self.assertEqual(self.pbx.told[-1][1], '501', "a phone that she shares")
        phones[0].also_user_ids = False
        self.place('+77010000005')
        self.assertEqual(
            self.pbx.told[-1][1], '101', "a phone that became another's is not rung for her"
        )

    def test_the_number_is_read_in_the_customers_country(self):
        moscow = self.env['res.partner'].create(
            {'name': "Moscow", 'country_id': self.env.ref('base.de').id}
        )
        self.place('030 901820', moscow)
        self.assertEqual(self.pbx.told, [('dial', '101', '+4930901820')])

    def test_the_client_knows_who_can_call(self):
        self.assertEqual(self.anna._telephony_session()['can_call'], True)
        self.assertEqual(self.supervisor._telephony_session()['can_call'], False)
        self.assertFalse(
            new_test_user(self.env, 'tel_clerk', groups='base.group_user')._telephony_session()
        )
        self.account.extension_ids.unlink()
        self.assertEqual(self.anna._telephony_session()['can_call'], False)

    def test_a_change_of_preferences_is_told_to_all_tabs(self):
        with patch.object(BusBus, '_sendone', autospec=True) as sendone:
            self.anna.with_user(self.anna).write({'telephony_dnd': True})
            self.anna.with_user(self.anna).write({'signature': "Anna"})
        sendone.assert_called_once_with(
            self.env['bus.bus'],
            self.anna.partner_id,
            'crm_telephony.preferences',
            {'pop': True, 'sound': False, 'dnd': True, 'tab': 'stay'},
        )
        self.assertEqual(self.anna._telephony_session()['dnd'], True)

    def test_a_call_in_advance_was_the_planned_one(self):
        """What is planned for later is offered as done where the call was started from it."""
        later = fields.Date.today() + timedelta(days=30)
        _planned, dialled = (
            self.lead.activity_schedule(
                'mail.mail_activity_data_call',
                user_id=self.anna.id,
                date_deadline=later,
                summary=name,
            )
            for name in "ab"
        )
        self.lead.activity_schedule(
            'mail.mail_activity_data_call',
            user_id=self.anna.id,
            date_deadline=fields.Date.today(),
            summary="c",
        )
        self.place(CUSTOMER, dialled)
        self.play(self.outbound('ended', self.pbx.call_id, outcome='answered', talk_seconds=90))
        form = self.call(self.pbx.call_id).with_user(self.anna).get_result_form()
        self.assertEqual(
            {one['summary']: one['is_due'] for one in form['calls_to_do']},
            {'a': False, 'b': True, 'c': True},
        )

    def test_the_call_button_of_an_activity(self):
        activity = self.lead.activity_schedule('mail.mail_activity_data_call', user_id=self.anna.id)
        silent = self.env['crm.lead'].create({'name': "No number", 'user_id': self.anna.id})
        mute = silent.activity_schedule('mail.mail_activity_data_call', user_id=self.anna.id)
        self.play(self.event('ended', caller='+77770001122', outcome='missed', at=-100))
        debt = self.callbacks('+77770001122')
        debt.user_id = self.anna
        with self.enter_registry_test_mode():
            activity.with_user(self.anna).action_call()
            with self.assertRaisesRegex(UserError, "No number has no phone number"):
                mute.with_user(self.anna).action_call()
        self.dials().asked_at = '2020-01-01'
        with self.enter_registry_test_mode():
            debt.activity_id.with_user(self.anna).action_call()
        self.assertEqual([told[2] for told in self.pbx.told], [CUSTOMER, '+77770001122'])


class TestRunningCall(CallControlCase):
    """Anna is 101, Boris 102, nobody sits at 103."""

    def talk(self):
        self.play(
            self.event('ringing', extension='101'), self.event('answered', extension='101', at=3)
        )
        return self.call().with_user(self.anna)

    def test_hang_up(self):
        call = self.talk()
        self.assertTrue(call.can_hang_up)
        call.action_hang_up()
        self.assertEqual(self.pbx.told, [('hang_up', 'c1', '101')])
        self.pbx.complaint = "this call is over"
        with self.assertRaisesRegex(UserError, "this call is over"):
            call.action_hang_up()
        self.play(self.event('ended', at=60, outcome='answered'))
        self.assertFalse(call.can_hang_up or call.can_transfer)
        with self.assertRaisesRegex(UserError, "This call is over"):
            call.action_hang_up()

    def test_only_ones_own_call(self):
        """A call of a readable contact can be read by a colleague, and not be ended by him."""
        self.lead.user_id = False
        call = self.talk()
        theirs = call.with_user(self.boris)
        self.assertTrue(theirs.has_access('read'))
        self.assertFalse(theirs.can_hang_up or theirs.can_transfer)
        for command in (
            theirs.action_hang_up,
            theirs.action_transfer,
            theirs.get_colleagues,
            lambda: theirs.transfer(self.account.extension_ids[1].id),
        ):
            with self.assertRaises(AccessError):
                command()
        self.assertFalse(self.pbx.told)
        call.with_user(self.supervisor).action_hang_up()
        self.assertEqual(len(self.pbx.told), 1)
        elsewhere = self.env['res.company'].create({'name': "Elsewhere"})
        stranger = new_test_user(
            self.env,
            'tel_far',
            groups='base.group_user,crm_telephony.group_supervisor',
            company_id=elsewhere.id,
            company_ids=[(6, 0, elsewhere.ids)],
        )
        with self.assertRaises(AccessError):
            call.with_user(stranger).action_hang_up()

    def test_one_of_a_ringing_group_does_not_end_it_for_all(self):
        self.play(self.event('ringing', extension='101'), self.event('ringing', extension='102'))
        self.assertFalse(self.call().with_user(self.anna).can_hang_up)
        self.play(self.event('ringing', 'c2', extension='101', caller='+77010000009'))
        self.assertTrue(self.call('c2').with_user(self.anna).can_hang_up)
        self.play(
            self.event('ringing', 'c3', extension='101', queue='sales', caller='+77010000010')
        )
        self.assertFalse(
            self.call('c3').with_user(self.anna).can_hang_up, "the queue tries the next one"
        )
        self.play(self.outbound('ringing'))
        self.assertTrue(self.call('o1').with_user(self.anna).can_hang_up)
        self.assertFalse(
            self.call('o1').with_user(self.anna).can_transfer, "nobody has answered yet"
        )

    def test_who_was_passed_a_call_controls_it(self):
        self.talk()
        self.play(
            self.event('transferred', extension='102', at=20),
            self.event('answered', extension='102', at=21),
        )
        self.assertTrue(self.call().with_user(self.boris).can_hang_up)
        self.assertFalse(self.call().with_user(self.anna).can_hang_up)

    def test_colleagues_by_name_with_their_state(self):
        self.work_around_the_clock()
        call = self.talk()
        self.play(self.event('ringing', 'c2', extension='102', caller='+77010000009'))
        told = call.get_colleagues()
        self.assertEqual(told['kinds'], ['blind', 'attended'])
        self.assertEqual(
            [(one['name'], one['state']) for one in told['colleagues']],
            [('103', 'free'), ("Boris", 'ringing')],
        )
        self.play(self.event('answered', 'c2', extension='102', caller='+77010000009', at=5))
        self.assertEqual(call.get_colleagues()['colleagues'][-1]['state'], 'talking')
        self.play(
            self.event('ended', 'c2', extension='102', caller='+77010000009', at=9),
            self.outbound('ringing', 'o2', extension='103', caller='103', called='+77010000008'),
        )
        self.assertEqual(
            [(one['name'], one['state']) for one in call.get_colleagues()['colleagues']],
            [("Boris", 'free'), ('103', 'ringing')],
        )
        self.calendar.attendance_ids.unlink()
        self.assertEqual(
            [(one['name'], one['state']) for one in call.get_colleagues()['colleagues']],
            [('103', 'ringing'), ("Boris", 'away')],
        )

    def test_transfer(self):
        call = self.talk()
        boris = self.account.extension_ids.filtered(lambda one: one.user_id == self.boris)
        self.assertEqual(call.transfer(boris.id)['params']['message'], "The call goes to Boris.")
        self.assertIn(
            "then put down your phone", call.transfer(boris.id, attended=True)['params']['message']
        )
        self.assertEqual(
            self.pbx.told, [('transfer', 'c1', '102', False), ('transfer', 'c1', '102', True)]
        )
        foreign = self.env['telephony.extension'].create(
            {'number': '901', 'account_id': self.new_account(self.company, name="Second").id}
        )
        with self.assertRaisesRegex(UserError, "does not belong to Middleware"):
            call.transfer(foreign.id)
        self.pbx.complaint = "102 is not registered"
        with self.assertRaisesRegex(UserError, "102 is not registered"):
            call.transfer(boris.id)

    def test_what_the_pbx_cannot_do_is_not_there(self):
        call = self.talk()
        self.pbx.asks_first = False
        self.assertEqual(call.get_colleagues()['kinds'], ['blind'])
        with self.assertRaisesRegex(UserError, "cannot ask"):
            call.transfer(self.account.extension_ids[1].id, attended=True)
        self.plug_in(Client)
        self.assertFalse(call.can_hang_up or call.can_transfer)
        with self.assertRaisesRegex(UserError, "cannot do this"):
            call.action_hang_up()
        self.assertFalse(self.pbx.told)
