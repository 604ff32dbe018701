"""Who sees what, as the real users."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .common import CUSTOMER, TelephonyCase

STRANGER = '+77015550011'


class TestRights(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env['res.company'].create(
            {
                'name': "Other",
                'country_id': cls.env.ref('base.kz').id,
                'resource_calendar_id': cls.calendar.id,
            }
        )
        cls.other_account = cls.new_account(cls.other_company)
        cls.stranger = new_test_user(
            cls.env,
            'tel_stranger',
            groups='base.group_user,crm_telephony.group_supervisor',
            company_id=cls.other_company.id,
            company_ids=[(6, 0, cls.other_company.ids)],
        )
        cls.admin = new_test_user(
            cls.env, 'tel_admin', groups='base.group_user,crm_telephony.group_admin'
        )
        cls.all_leads = new_test_user(
            cls.env,
            'tel_all',
            groups='sales_team.group_sale_salesman_all_leads,crm_telephony.group_user',
        )
        cls.employee = new_test_user(cls.env, 'tel_none', groups='base.group_user')
        cls.portal = new_test_user(cls.env, 'tel_portal', groups='base.group_portal')

    def seen(self, user, calls):
        return set(
            self.env['telephony.call']
            .with_user(user)
            .search([('id', 'in', calls.ids)])
            .mapped('external_id')
        )

    def test_calls(self):
        def answered(call_id, caller, **more):
            return self.event(
                'ended',
                call_id,
                caller=caller,
                **{'outcome': 'answered', 'extension': '102', 'talk_seconds': 40, **more},
            )

        kz = self.env.ref('base.kz').id
        contact = self.env['res.partner'].create(
            {'name': "Contact", 'phone': '+77010000001', 'country_id': kz}
        )
        self.new_lead(partner_id=False, phone='+77010000002', user_id=self.anna.id, country_id=kz)
        self.new_lead(partner_id=False, phone='+77010000003', user_id=self.boris.id, country_id=kz)
        self.play(
            answered('of a contact', '+77010000001'),
            answered('of my deal', '+77010000002'),
            answered('of his deal', '+77010000003'),
            answered('unknown to boris', '+77010000004'),
            answered('answered by me', '+77010000005', extension='101'),
            self.event('ringing', 'rang at my phone', caller='+77010000006', extension='101'),
        )
        self.play(answered('elsewhere', '+77010000001', extension=''), account=self.other_account)
        calls = self.env['telephony.call'].search(
            [('account_id', 'in', (self.account | self.other_account).ids)]
        )
        everything = set((calls - self.call('elsewhere', self.other_account)).mapped('external_id'))
        own = {'of a contact', 'of my deal', 'answered by me', 'rang at my phone'}
        for user, expected in [
            (self.anna, own),
            (self.boris, everything - {'answered by me', 'rang at my phone'}),
            (self.all_leads, {'of a contact', 'of my deal', 'of his deal'}),
            (self.supervisor, everything),
            (self.admin, everything),
            (self.stranger, {'elsewhere'}),
        ]:
            with self.subTest(user=user.login):
                self.assertEqual(self.seen(user, calls), expected)
        for user in (self.employee, self.portal):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.seen(user, calls)
        self.assertTrue(contact)

    def test_models(self):
        """read, write, create, unlink of a record for user, supervisor, admin."""
        self.play(
            self.event('ringing', extension='101'),
            self.event('ended', outcome='missed'),
            self.event('recording', recording_url='https://records.example.com/a.mp3'),
        )
        call = self.call()
        rule = self.env.ref('crm_telephony.rule_missed')
        for record, rights in [
            (self.account, ('r', 'r', 'rwcu')),
            (self.number, ('r', 'r', 'rwcu')),
            (self.account.extension_ids[:1], ('r', 'r', 'rwcu')),
            (rule, ('r', 'r', 'rwcu')),
            (self.events()[:1], ('', '', 'rw')),
            (call, ('rw', 'rw', 'rwu')),
            (call.leg_ids, ('r', 'r', 'r')),
            (call.recording_ids, ('r', 'r', 'ru')),
            (call.callback_id, ('rw', 'rw', 'rwu')),
        ]:
            for user, expected in zip(
                (self.anna, self.supervisor, self.admin), rights, strict=True
            ):
                with self.subTest(model=record._name, user=user.login):
                    allowed = ''.join(
                        letter
                        for letter, operation in zip(
                            'rwcu', ('read', 'write', 'create', 'unlink'), strict=True
                        )
                        if record.with_user(user).has_access(operation)
                    )
                    self.assertEqual(allowed, expected)
            for user in (self.employee, self.portal, self.stranger):
                with self.subTest(model=record._name, user=user.login):
                    shared = user == self.stranger and record == rule
                    self.assertEqual(record.with_user(user).has_access('read'), shared)

    def test_a_callback_is_closed_by_who_may(self):
        lead = self.new_lead(user_id=self.boris.id)
        self.play(self.event('ended', outcome='missed'))
        callback = self.call().callback_id
        for user in (self.employee, self.anna):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                lead.activity_ids.with_user(user).action_cancel()
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                callback.with_user(user).action_done()
        self.assertEqual(callback.state, 'open')
        for values in (
            {'state': 'done'},
            {'closed_by_id': self.boris.id},
            {'attempt_count': 9},
            {'close_reason': "I did it"},
        ):
            with self.subTest(values=values), self.assertRaises(AccessError):
                callback.with_user(self.boris).write(values)
        callback.with_user(self.boris).write(
            {'due_at': '2030-01-01 10:00:00', 'user_id': self.anna.id}
        )
        self.assertEqual(lead.activity_ids.user_id, self.anna)

    def test_a_colleagues_callback_is_not_changed_by_its_activity(self):
        """Whoever may change a contact may change its activities: the promise of a colleague is not
        among them."""
        self.partner.user_id = self.boris
        self.play(self.event('ended', outcome='missed'))
        callback = self.callbacks()
        activity = callback.activity_id.with_user(self.anna)
        self.assertTrue(activity.has_access('write'))
        for attempt in (
            lambda: activity.write({'user_id': self.anna.id}),
            lambda: activity.write({'date_deadline': '2030-01-01'}),
            lambda: activity.action_feedback(feedback="Done"),
            activity.action_cancel,
            activity.unlink,
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                attempt()
        self.assertEqual((callback.state, callback.user_id), ('open', self.boris))
        activity.write({'summary': "Ask for the invoice"})
        activity.with_user(self.boris).action_feedback(feedback="Done")
        self.assertEqual(callback.state, 'done')

    def test_nobody_gets_at_a_colleagues_call_as_the_salesperson_of_its_contact(self):
        """Anybody may make himself that. The callback of a colleague's deal, and with it the call,
        stays out of reach."""
        self.new_lead(user_id=self.boris.id)
        self.play(self.event('ended', outcome='missed'))
        call, callback = self.call(), self.callbacks()
        self.assertFalse(call.with_user(self.anna).has_access('read'))
        self.partner.with_user(self.anna).user_id = self.anna
        with self.assertRaises(AccessError):
            callback.with_user(self.anna).write({'user_id': self.anna.id})
        self.assertFalse(call.with_user(self.anna).has_access('read'))

    def test_what_followed_is_read_by_who_may_read_the_call(self):
        self.new_lead(user_id=self.boris.id)
        self.play(self.event('ended', outcome='missed'))
        effects = self.call().effect_ids
        self.assertTrue(effects)
        for user, may in [
            (self.boris, True),
            (self.all_leads, True),
            (self.supervisor, True),
            (self.anna, False),
            (self.stranger, False),
        ]:
            with self.subTest(user=user.login):
                self.assertEqual(effects[0].with_user(user).has_access('read'), may)

    def test_decisions_are_made_by_settling_calls(self):
        """Else anybody could have a colleague's customers sent to himself, in the name of somebody
        else. What others have decided is for supervisors to read."""
        decision = self.env['telephony.decision'].create(
            {'number': '+77010000001', 'partner_id': self.partner.id, 'user_id': self.anna.id}
        )
        for user, rights in [
            (self.anna, 'r'),
            (self.boris, ''),
            (self.supervisor, 'r'),
            (self.admin, 'rwcu'),
            (self.stranger, ''),
        ]:
            with self.subTest(user=user.login):
                self.assertEqual(
                    ''.join(
                        letter
                        for letter, operation in zip(
                            'rwcu', ('read', 'write', 'create', 'unlink'), strict=True
                        )
                        if decision.with_user(user).has_access(operation)
                    ),
                    'rwcu' if user == self.admin else rights,
                )
                self.assertEqual(
                    bool(decision.with_user(user).search([('id', '=', decision.id)])), 'r' in rights
                )

    def test_ones_preferences_are_ones_own(self):
        self.boris.telephony_dnd = True
        users = self.env['res.users'].with_user(self.anna)
        for attempt in (
            lambda: users.browse(self.boris.id).read(['telephony_dnd']),
            lambda: users.search([('telephony_dnd', '=', True)]),
            lambda: users.browse(self.boris.id).write({'telephony_dnd': False}),
            lambda: users._read_group([], ['telephony_tab']),
            lambda: users.with_user(self.supervisor)
            .browse(self.boris.id)
            .read(['telephony_extension_ids']),
        ):
            with self.assertRaises(AccessError):
                attempt()
        own = users.browse(self.anna.id)
        own.write({'telephony_dnd': True, 'telephony_tab': 'new'})
        self.assertEqual(own.read(['telephony_dnd', 'telephony_tab'])[0]['telephony_tab'], 'new')
        self.assertIn('telephony_dnd', users.fields_get())

    def test_a_colleagues_note_and_result_are_read_only(self):
        result = self.env['telephony.disposition'].search([], limit=1)
        self.play(
            self.event('ringing', extension='102'),
            self.event('ended', at=90, outcome='answered', extension='102', talk_seconds=60),
        )
        call = self.call()
        call.with_user(self.boris).write({'note': "Flour", 'disposition_id': result.id})
        theirs = call.with_user(self.anna)
        self.assertTrue(theirs.has_access('read'))
        self.assertFalse(theirs.can_note)
        for attempt in (
            lambda: theirs.write({'note': "Sugar"}),
            lambda: theirs.write({'disposition_id': False}),
            lambda: theirs.save_result({'note': "Sugar"}),
            lambda: theirs.save_result({'disposition_id': False}),
            lambda: theirs.save_result({'activity': False}),
        ):
            with self.assertRaisesRegex(AccessError, "Boris"):
                attempt()
        self.assertRecordValues(
            call, [{'note': "Flour", 'disposition_id': result.id, 'acw_seconds': 0}]
        )
        call.with_user(self.supervisor).note = "Flour, 2 t"
        # nobody's call: whoever looks after it says what came of it
        self.play(self.event('ended', 'c2', outcome='missed'))
        self.call('c2').callback_id.user_id = False
        self.call('c2').with_user(self.anna).note = "A wrong number"

    def test_who_calls_back_reads_the_calls_of_the_callback(self):
        """The customer hung up in the queue, and no phone rang."""
        self.play(
            self.event('ended', 'first', caller='+77010000009', queue="Sales", outcome='abandoned'),
            self.event(
                'ended', 'second', 60, caller='+77010000009', queue="Sales", outcome='abandoned'
            ),
        )
        callback = self.callbacks('+77010000009')
        self.assertTrue(callback)
        callback.user_id = False
        calls = self.call('first') | self.call('second')
        self.assertFalse(self.seen(self.anna, calls))
        callback.with_user(self.anna).action_take()
        self.assertEqual(self.seen(self.anna, calls), {'first', 'second'})
        self.assertEqual(callback.with_user(self.anna).call_ids, calls)
        self.assertTrue(calls.with_user(self.anna).effect_ids.mapped('note'))
        self.assertFalse(self.seen(self.boris, calls))

    def test_a_callback_is_given_to_deals_that_one_may_read(self):
        foreign = self.new_lead(user_id=self.boris.id, expected_revenue=7000, partner_id=False)
        self.play(self.event('ended', caller='+77010000009', outcome='missed'))
        callback = self.callbacks('+77010000009')
        callback.user_id = self.anna
        with self.assertRaises(AccessError):
            callback.with_user(self.anna).write({'lead_id': foreign.id})
        for values in (
            {'status': 'saved'},
            {'lost_at': '2030-01-01 10:00:00'},
            {'recovery_rate': 1},
        ):
            with self.subTest(values=values), self.assertRaises(AccessError):
                callback.with_user(self.anna).write(values)

    def test_a_call_goes_to_a_deal_that_one_may_read(self):
        foreign = self.new_lead(user_id=self.boris.id)
        self.new_lead(user_id=self.boris.id)
        self.play(self.event('ended', outcome='answered', extension='101', talk_seconds=60))
        for values in (
            {'lead_id': foreign.id},
            {'lead_id': foreign.id, 'partner_id': self.partner.id},
        ):
            with self.subTest(values=values), self.assertRaises(AccessError):
                self.call().with_user(self.anna).write(values)

    def test_secrets_cannot_be_searched_for(self):
        account = self.env['telephony.account'].with_user(self.supervisor)
        for attempt in (
            lambda: account.search([('api_secret', '=like', 'a%')]),
            lambda: account.search([], order='webhook_token'),
            lambda: account.search([]).read(['api_secret']),
            lambda: account.search([]).export_data(['webhook_url']),
            lambda: account._read_group([], ['webhook_token']),
            lambda: self.env['telephony.call']
            .with_user(self.supervisor)
            .search([('account_id.api_secret', '!=', False)]),
        ):
            try:
                attempt()
            except (UserError, ValueError):  # an AccessError is one
                continue
            self.fail("a secret can be found out")

    def test_listening(self):
        self.play(
            self.event('ringing', extension='102'),  # with Boris it only rang
            self.event('answered', extension='101', at=5),
            self.event('ended', at=65, outcome='answered', extension='101', talk_seconds=60),
            self.event('recording', recording_url='https://records.example.com/a.mp3'),
        )
        recording = self.call().recording_ids
        self.assertIn(self.boris, self.call().leg_ids.user_id)
        self.assertTrue(
            self.call().with_user(self.boris).has_access('read'),
            "the call of a contact is seen by all",
        )
        for user, may in [
            (self.anna, True),
            (self.boris, False),
            (self.supervisor, True),
            (self.stranger, False),
        ]:
            with self.subTest(user=user.login):
                self.assertEqual(recording.with_user(user).has_access('read'), may)
        self.assertNotIn(
            'url', recording.with_user(self.anna).fields_get(), "the address needs no credentials"
        )

    def test_counts_need_the_group_and_come_in_one_query(self):
        self.new_lead()
        self.play(
            self.event('ended', 'a', outcome='missed'),
            self.event('ended', 'b', outcome='answered', extension='101', talk_seconds=60),
        )
        partner = self.partner.with_user(self.anna)
        self.assertEqual((partner.telephony_call_count, partner.telephony_missed_count), (2, 1))
        self.assertEqual(partner.opportunity_ids.telephony_call_count, 2)
        self.assertNotIn('telephony_call_ids', self.partner.with_user(self.employee).fields_get())

    def test_a_company_counts_the_calls_of_its_people_too(self):
        firm = self.env['res.partner'].create({'name': "Firm", 'phone': '+77015550101'})
        self.partner.parent_id = firm
        self.partner.active = False
        other = self.env['res.partner'].create({'name': "Nobody called"})
        self.play(
            self.event('ended', 'a', outcome='missed'),
            self.event('ended', 'b', caller='+77015550101', outcome='answered', talk_seconds=60),
        )
        self.call('a').partner_id = self.partner
        both = (firm | self.partner | other).with_user(self.anna)
        self.assertEqual(both.mapped('telephony_call_count'), [2, 1, 0])
        self.assertEqual(both.mapped('telephony_missed_count'), [1, 1, 0])
        domain = both[0].action_view_telephony_calls()['domain']
        self.assertEqual(self.env['telephony.call'].search(domain), self.call('a') | self.call('b'))

    def test_numbers_and_accounts_of_other_companies(self):
        self.assertFalse(
            self.env['telephony.number']
            .with_user(self.stranger)
            .search([('id', '=', self.number.id)])
        )
        same = self.env['telephony.number'].create(
            {'name': self.number.name, 'account_id': self.other_account.id}
        )
        self.play(self.event('ended', outcome='missed'), account=self.other_account)
        self.assertEqual(self.call(account=self.other_account).number_id, same)
        self.assertEqual(self.call(account=self.other_account).company_id, self.other_company)


class TestListening(TelephonyCase):
    """Who may listen is settled when the call ends. Afterwards it grows by what others do, never by
    one's own act."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.carl = new_test_user(
            cls.env,
            'tel_carl',
            groups='base.group_user,base.group_partner_manager,crm_telephony.group_user',
            name="Carl",
        )

    def talk(self, call_id='c1', caller=CUSTOMER, extension='102'):
        """Boris talks, by default."""
        self.play(
            self.event('ringing', call_id, caller=caller, extension=extension),
            self.event(
                'ended',
                call_id,
                90,
                caller=caller,
                outcome='answered',
                extension=extension,
                talk_seconds=60,
            ),
            self.event(
                'recording',
                call_id,
                91,
                caller=caller,
                recording_url=f'https://records.example.com/{call_id}.mp3',
            ),
        )
        return self.call(call_id)

    def message(self, call_id='m1', caller=CUSTOMER):
        """Somebody left a message in the queue."""
        self.play(
            self.event('ended', call_id, caller=caller, outcome='voicemail'),
            self.event(
                'recording',
                call_id,
                5,
                caller=caller,
                recording_url=f'https://records.example.com/{call_id}.mp3',
            ),
        )
        return self.call(call_id)

    def assertListen(self, call, *users):
        self.env.flush_all()
        self.env.invalidate_all()
        heard = {
            user.name
            for user in (self.anna, self.boris, self.carl, self.supervisor)
            if call.recording_ids.with_user(user).has_access('read')
            and self.env['telephony.recording'].with_user(user).search([('call_id', '=', call.id)])
        }
        self.assertEqual(heard, {user.name for user in (*users, self.supervisor)})

    def bind_late(self):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref('crm_telephony.ir_cron_bind_late').method_direct_trigger()
        self.env.invalidate_all()

    def test_the_salesperson_at_the_end_of_the_call(self):
        self.assertListen(self.talk('nobodys'), self.boris)
        self.partner.user_id = self.anna
        self.assertListen(self.talk('of the contact'), self.boris, self.anna)
        self.new_lead(user_id=self.carl.id)
        self.assertListen(self.talk('of the deal'), self.boris, self.carl)
        self.assertListen(self.call('nobodys'), self.boris)
        self.assertListen(self.call('of the contact'), self.boris, self.anna)

    def test_who_calls_back_hears_the_message(self):
        self.number.user_id = self.anna
        message = self.message(caller=STRANGER)
        self.assertEqual(message.callback_id.user_id, self.anna)
        self.assertListen(message, self.anna)
        message.callback_id.with_user(self.anna).user_id = self.carl
        self.assertListen(message, self.anna, self.carl)

    def test_not_by_making_oneself_the_contacts_salesperson(self):
        call = self.talk()
        self.partner.with_user(self.carl).user_id = self.carl
        self.assertListen(call, self.boris)

    def test_not_by_putting_it_on_a_deal_of_ones_own(self):
        call, mine = self.talk(), self.new_lead(user_id=self.carl.id, partner_id=False)
        call.with_user(self.carl).write({'lead_id': mine.id})
        self.assertEqual(call.lead_id, mine)
        self.assertListen(call, self.boris)
        call.with_user(self.carl).action_create_lead()
        self.assertListen(call, self.boris)

    def test_not_by_entering_whose_number_it_is(self):
        call = self.talk(caller=STRANGER)
        deal = (
            self.env['crm.lead']
            .with_user(self.carl)
            .create(
                {'name': "Mine", 'type': 'opportunity', 'phone': STRANGER, 'user_id': self.carl.id}
            )
        )
        self.bind_late()
        self.assertEqual(call.lead_id, deal)
        self.assertListen(call, self.boris)
        other = self.talk('c2', caller='+77019998877')
        contact = (
            self.env['res.partner']
            .with_user(self.carl)
            .create({'name': "Mine", 'phone': '+77019998877', 'user_id': self.carl.id})
        )
        self.bind_late()
        self.assertEqual(other.partner_id, contact)
        self.assertListen(other, self.boris)
        other.follow_up = 'todo'
        self.file_calls()
        self.assertListen(other, self.boris)

    def test_not_while_it_rings_at_a_colleagues_phone_too(self):
        mine = self.new_lead(user_id=self.anna.id, partner_id=False)
        self.play(self.event('ringing', extension='101'), self.event('ringing', extension='102'))
        self.call().with_user(self.anna).link_caller(lead_id=mine.id)
        self.assertListen(self.talk(), self.boris)

    def test_not_by_a_way_round_over_a_colleague(self):
        """What one may not hear oneself one cannot give, nor get back."""
        call, mine = self.talk(), self.new_lead(user_id=self.carl.id, partner_id=False)
        call.with_user(self.carl).write({'lead_id': mine.id})
        mine.with_user(self.carl).user_id = self.anna
        self.assertListen(call, self.boris)
        mine.with_user(self.anna).user_id = self.carl
        self.assertListen(call, self.boris)
        self.partner.with_user(self.carl).user_id = self.anna
        self.assertListen(call, self.boris)

    def test_not_by_taking_the_callback(self):
        self.number.user_id = False
        message = self.message(caller=STRANGER)
        message.callback_id.user_id = False
        self.assertListen(message)
        message.callback_id.with_user(self.carl).action_take()
        self.assertListen(message)

    def test_a_deal_is_handed_over(self):
        deal = self.new_lead(user_id=self.anna.id)
        call = self.talk()
        self.assertListen(call, self.boris, self.anna)
        deal.with_user(self.anna).user_id = self.carl
        self.assertListen(call, self.boris, self.anna, self.carl)
        deal.with_user(self.supervisor).sudo().user_id = self.boris
        self.assertListen(call, self.boris, self.anna)
        leader = new_test_user(
            self.env, 'tel_leader', groups='sales_team.group_sale_salesman_all_leads'
        )
        deal.user_id = self.anna
        deal.with_user(leader).user_id = self.carl
        self.assertListen(call, self.boris, self.anna, self.carl)

    def test_a_contact_is_handed_over(self):
        self.partner.user_id = self.anna
        call = self.talk()
        self.partner.with_user(self.carl).user_id = self.carl  # anybody may write contacts
        self.assertListen(call, self.boris, self.anna)
        self.partner.with_user(self.supervisor).sudo().user_id = self.anna
        self.partner.with_user(self.anna).sudo().user_id = self.carl
        self.assertListen(call, self.boris, self.anna, self.carl)

    def test_a_supervisor_puts_a_call_where_it_belongs_and_takes_it_back(self):
        self.new_lead(user_id=self.anna.id)
        his = self.new_lead(user_id=self.carl.id, partner_id=False)
        call = self.talk()
        self.assertListen(call, self.boris, self.anna)
        call.with_user(self.supervisor).sudo()._attach_by_hand({'lead_id': his.id})
        self.assertListen(call, self.boris, self.carl)
        call.with_user(self.supervisor).action_forget_choice()
        self.assertListen(call, self.boris, self.anna)

    def test_who_talked_gives_it_to_the_salesperson(self):
        his = self.new_lead(user_id=self.carl.id, partner_id=False)
        call = self.talk(caller=STRANGER)
        call.with_user(self.boris).sudo()._attach_by_hand({'lead_id': his.id})
        self.assertListen(call, self.boris, self.carl)
        call.with_user(self.boris).action_forget_choice()
        self.assertListen(call, self.boris)
