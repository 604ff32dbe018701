"""Number → contact → deal. A call on the wrong deal is worse than one on none."""

from datetime import datetime, timedelta

from psycopg2 import IntegrityError

from odoo.exceptions import ValidationError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from odoo.addons.crm_telephony.hooks import post_init_hook, pre_init_hook
from odoo.addons.crm_telephony.models.matching.matcher import Caller

from .common import CUSTOMER, DID, TelephonyCase


class TestMatcher(TelephonyCase):
    def match(self, number=CUSTOMER, company=None, **more):
        caller = Caller(number, **more)
        return self.env['telephony.matcher']._match(company or self.company, [caller])[caller]

    def partner_with(self, phone, **values):
        return self.env['res.partner'].create(
            {'name': "Somebody", 'phone': phone, 'country_id': self.env.ref('base.kz').id, **values}
        )

    def test_every_way_of_typing_a_number_is_found(self):
        ways = (
            '+7 701 222 33 0{}',
            '7701222331{}',
            '8701222332{}',
            '8 (701) 222-33-4{}',
            '+7-701-222335{}',
            '701222336{}',
        )
        for index, way in enumerate(ways):
            with self.subTest(way=way):
                partner = self.partner_with(way.format(index))
                digits = ''.join(filter(str.isdigit, way.format(index)))[-10:]
                self.assertEqual(self.match('+7' + digits).partner, partner)

    def test_numbers_as_people_type_them(self):
        """Two in one field, a name or a note beside it, 00 for +, a plus before the trunk prefix, a
        spreadsheet's .0: each is found, on contacts and on deals."""
        for place, (way, expected) in enumerate(
            (
                ("8 (701) 333-01-01 / 8 (702) 333-01-02", ['+77013330101', '+77023330102']),
                (
                    "+77013330201, +77073330202; 8 702 333 02 03",
                    ['+77013330201', '+77073330202', '+77023330203'],
                ),
                ("8 701 333 03 01 8 702 333 03 02", ['+77013330301', '+77023330302']),
                ("Ерлан 8 701 333 04 01 (после 18)", ['+77013330401']),
                ("00 7 701 333 05 01", ['+77013330501']),
                ("+8 701 333 06 01", ['+77013330601']),
                ("87013330701.0", ['+77013330701']),
                ("моб. 87013330801 или 00 7 702 333 08 02", ['+77013330801', '+77023330802']),
            )
        ):
            with self.subTest(way=way):
                partner = self.partner_with(way)
                self.assertEqual(
                    [self.match(number).partner for number in expected], [partner] * len(expected)
                )
                self.assertEqual(partner._telephony_numbers(), expected)
                lead = self.env['crm.lead'].create(
                    {
                        'name': "Web form",
                        'phone': way.replace('333', '444'),
                        'country_id': self.env.ref('base.kz').id,
                    }
                )
                numbers = [number.replace('333', '444') for number in expected]
                self.assertEqual(
                    [self.match(number).lead for number in numbers], [lead] * len(expected), place
                )
        partner.phone = "8 701 333 09 01"
        self.assertFalse(self.match('+77023330802').partner)

    def test_installing_reads_what_odoo_did_not_understand(self):
        partner = self.partner_with("8 (701) 333-01-01 / 8 (702) 333-01-02")
        plain = self.partner_with("8 701 333 02 01")
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE res_partner SET phone_sanitized = NULL, telephony_more_phones = NULL WHERE id = %s",
            [partner.id],
        )
        self.env.invalidate_all()
        pre_init_hook(self.env)
        post_init_hook(self.env)
        self.assertEqual(partner._telephony_numbers(), ['+77013330101', '+77023330102'])
        self.assertEqual(self.match('+77023330102').partner, partner)
        self.assertEqual(self.match('+77013330201').partner, plain)

    def test_installing_forgets_no_number_of_another_company(self):
        """Whoever installs works in one company; a number without a country code is of the
        contact's own, or else of that from whose country the number is that Odoo knew."""
        kazakh, american = (
            self.env.company,
            self.env['res.company'].create(
                {'name': "US", 'country_id': self.env.ref('base.us').id}
            ),
        )
        contacts = self.env['res.partner'].create(
            [
                {'name': "Theirs", 'phone': "8 (701) 333-01-01 Anna", 'company_id': kazakh.id},
                {'name': "Everybody's", 'phone': "8 (701) 333-02-02, 8 (702) 333-03-03"},
            ]
        )
        self.assertEqual(contacts.mapped('phone_sanitized'), ['+77013330101', '+77013330202'])
        self.env.flush_all()
        post_init_hook(self.env(context={'allowed_company_ids': american.ids}))
        self.assertEqual(
            [contact._telephony_numbers() for contact in contacts],
            [['+77013330101'], ['+77013330202', '+77023330303']],
        )

    def test_nobody(self):
        match = self.match('+77012223344')
        self.assertEqual((match.state, match.partner.ids, match.lead.ids), ('none', [], []))

    def test_contact_without_a_deal(self):
        match = self.match()
        self.assertEqual((match.state, match.partner, match.lead.ids), ('auto', self.partner, []))
        self.assertTrue(match.reason)

    def test_the_single_open_deal_among_closed_ones(self):
        lead = self.new_lead()
        self.new_lead(name="Won").action_set_won()
        self.new_lead(name="Lost").action_set_lost()
        self.new_lead(name="Archived").active = False
        match = self.match()
        self.assertEqual((match.state, match.lead, match.partner), ('auto', lead, self.partner))
        self.assertIn("Customer", match.reason)

    def test_several_open_deals_wait_for_a_person(self):
        leads = self.new_lead() | self.new_lead(name="Second")
        match = self.match()
        self.assertEqual(
            (match.state, match.partner, match.lead.ids), ('ambiguous', self.partner, [])
        )
        self.assertEqual({candidate.lead for candidate in match.candidates}, set(leads))
        self.assertIn('2', match.reason)

    def test_lead_that_carries_the_number_itself(self):
        lead = self.env['crm.lead'].create(
            {
                'name': "Web form",
                'type': 'lead',
                'phone': '8 701 555 66 77',
                'country_id': self.env.ref('base.kz').id,
            }
        )
        match = self.match('+77015556677')
        self.assertEqual((match.state, match.lead, match.partner.ids), ('auto', lead, []))

    def test_a_company_line_belongs_to_the_company(self):
        firm = self.partner_with('+77012223344', name="Firm", is_company=True)
        for index in range(3):
            self.partner_with('8 701 222 33 44', name=f"Person {index}", parent_id=firm.id)
        match = self.match('+77012223344')
        self.assertEqual((match.state, match.partner), ('auto', firm))

    def test_strangers_with_one_number_wait_for_a_person(self):
        one, two = self.partner_with('+77012223344'), self.partner_with('+77012223344')
        self.new_lead(partner_id=one.id)
        match = self.match('+77012223344')
        self.assertEqual((match.state, match.partner.ids, match.lead.ids), ('ambiguous', [], []))
        self.assertTrue(two)

    def test_the_deal_of_the_company_of_the_caller(self):
        firm = self.partner_with(False, name="Firm", is_company=True)
        person = self.partner_with('+77012223344', parent_id=firm.id)
        lead = self.new_lead(partner_id=firm.id)
        match = self.match('+77012223344')
        self.assertEqual((match.state, match.partner, match.lead), ('auto', person, lead))

    def test_archived_contacts_and_other_companies_are_not_found(self):
        other = self.env['res.company'].create({'name': "Other company"})
        self.partner_with('+77012223344', company_id=other.id)
        self.partner_with('+77012223344').active = False
        foreign = self.new_lead(
            partner_id=False, phone='+77012223344', company_id=other.id, user_id=False
        )
        self.assertEqual(self.match('+77012223344').state, 'none')
        self.assertEqual(self.match('+77012223344', other).lead, foreign)

    def test_two_queries_whatever_the_count(self):
        numbers = [f'+7701222{index:04}' for index in range(40)]
        for number in numbers:
            self.new_lead(partner_id=self.partner_with(number).id)
        self.env.flush_all()
        self.env.invalidate_all()
        self.match()  # companies and languages are cached
        self.env.invalidate_all()
        matcher = self.env['telephony.matcher']
        company = self.company
        company.partner_id.lang  # noqa: B018 - read before counting
        with self.assertQueryCount(2):
            matches = matcher._match(company, [Caller(number) for number in numbers])
        self.assertTrue(all(match.lead for match in matches.values()))

    def test_a_crowded_number_does_not_hide_the_others_deals(self):
        crowded = self.partner_with('+77012223344')
        quiet = self.partner_with('+77012223355')
        lead = self.new_lead(partner_id=quiet.id)
        for index in range(60):
            self.new_lead(name=str(index), partner_id=crowded.id)
        callers = Caller('+77012223344'), Caller('+77012223355')
        matches = self.env['telephony.matcher']._match(self.company, callers)
        self.assertEqual([matches[caller].state for caller in callers], ['ambiguous', 'auto'])
        self.assertEqual(matches[callers[1]].lead, lead)

    def test_three_queries_where_deals_compete(self):
        numbers = [f'+7701222{index:04}' for index in range(40)]
        for number in numbers:
            partner = self.partner_with(number)
            self.new_lead(partner_id=partner.id)
            self.new_lead(partner_id=partner.id, user_id=self.boris.id)
        callers = [Caller(number, self.number.id, self.anna.id) for number in numbers]
        matcher, company = self.env['telephony.matcher'], self.company
        matcher._match(company, callers)  # settings are cached
        self.env.flush_all()
        self.env.invalidate_all()
        company.partner_id.lang  # noqa: B018 - read before counting
        with self.assertQueryCount(3):
            matches = matcher._match(company, callers)
        self.assertEqual({match.lead.user_id for match in matches.values()}, {self.anna})

    # --- further numbers, and what a person decided ---

    def test_a_further_number_in_any_spelling(self):
        self.partner.telephony_number_ids = [
            (0, 0, {'number': '8 (701) 222-33-44', 'label': "Assistant"})
        ]
        self.assertEqual(self.partner.telephony_number_ids.number, '+77012223344')
        self.assertEqual(self.match('+77012223344').partner, self.partner)
        self.partner.active = False
        self.assertEqual(self.match('+77012223344').state, 'none')

    def test_a_further_number_is_a_whole_number_and_once_a_contacts(self):
        for wrong in ('101', 'call me', ''):
            with self.subTest(wrong), self.assertRaises(ValidationError):
                self.partner.telephony_number_ids = [(0, 0, {'number': wrong})]
        self.partner.telephony_number_ids = [(0, 0, {'number': '+77012223344'})]
        with self.assertRaises(IntegrityError), mute_logger('odoo.sql_db'), self.cr.savepoint():
            self.partner.telephony_number_ids = [(0, 0, {'number': '8 701 222 33 44'})]

    def decide(self, **values):
        # as settling a call does: nobody writes them himself but an administrator
        return (
            self.env['telephony.decision']
            .with_user(self.anna)
            .sudo()
            .create({'number': CUSTOMER, **values})
        )

    def test_a_choice_decides_and_says_who_made_it_until_the_deal_is_closed(self):
        lead, other = self.new_lead(name="Chosen"), self.new_lead(name="Other")
        self.decide(partner_id=self.partner.id, lead_id=lead.id)
        match = self.match()
        self.assertEqual((match.lead, match.state), (lead, 'auto'))
        self.assertIn("Chosen by Anna for this number: the likeliest of 2 open deals", match.reason)
        lead.action_set_lost()
        self.assertEqual(self.match().lead, other)

    def test_a_decision_of_another_company_is_none_here(self):
        self.env['telephony.decision'].create(
            {
                'number': CUSTOMER,
                'kind': 'ignore',
                'company_id': self.env['res.company'].create({'name': "Other"}).id,
            }
        )
        self.assertEqual(self.match().partner, self.partner)

    def test_a_decision_names_somebody(self):
        with self.assertRaises(ValidationError):
            self.decide()

    # --- who is no customer ---

    def test_who_is_no_customer(self):
        colleague = new_test_user(self.env, 'tel_colleague', name="Colleague").partner_id
        colleague.write({'phone': '+77012223344', 'country_id': self.env.ref('base.kz').id})
        self.company.partner_id.phone = '+77272507699'
        self.decide(kind='ignore')
        for number, reason in (
            ('+77012223344', "A colleague: Colleague"),
            ('+77272507699', f"A colleague: {self.company.name}"),
            (CUSTOMER, "Anna said that this is never a customer"),
            (DID, "One of the company's own numbers"),
        ):
            with self.subTest(number):
                match = self.match(number)
                self.assertEqual(
                    (match.excluded, match.state, match.partner.ids, match.lead.ids, match.reason),
                    (True, 'none', [], [], reason),
                )

    def test_a_person_knows_better_who_is_a_customer(self):
        self.anna.partner_id.write(
            {'phone': '+77012223344', 'country_id': self.env.ref('base.kz').id}
        )
        self.decide(number='+77012223344', partner_id=self.anna.partner_id.id)
        match = self.match('+77012223344')
        self.assertEqual((match.excluded, match.partner), (False, self.anna.partner_id))

    # --- policies, weights, margin ---

    def test_policies(self):
        self.number.deal_policy = False
        older, newer = (
            self.new_lead(name="Older"),
            self.new_lead(name="Newer", user_id=self.boris.id),
        )
        for policy, state, lead, reason in (
            (
                'score',
                'auto',
                older,
                "Its salesperson Anna has the call: the likeliest of 2 open deals",
            ),
            ('newest', 'auto', newer, "The newest of 2 open deals"),
            ('ask', 'ambiguous', older.browse(), "2 open deals: choose the right one"),
            ('new', 'auto', older.browse(), "each call begins a new deal"),
            ('contact', 'auto', older.browse(), "no deals are linked"),
        ):
            for company, number in ((policy, False), ('score', policy), ('ask', policy)):
                with self.subTest(company=company, number=number):
                    self.company.telephony_deal_policy, self.number.deal_policy = company, number
                    match = self.match(did=self.number.id, user=self.anna.id)
                    self.assertEqual(
                        (match.state, match.lead, match.partner), (state, lead, self.partner)
                    )
                    self.assertIn(reason, match.reason)
                    self.assertEqual(
                        {one.lead for one in match.candidates},
                        {older, newer},
                        "a person may still choose",
                    )

    def test_always_ask_asks_about_a_single_deal(self):
        self.company.telephony_deal_policy = 'ask'
        self.new_lead()
        self.assertEqual(self.match().state, 'ambiguous')

    def test_weights_and_margin_are_the_companys(self):
        lead = self.new_lead()
        self.new_lead(user_id=self.boris.id)
        self.assertEqual(self.match(user=self.anna.id).lead, lead)
        self.company.telephony_match_margin = 31
        self.assertEqual(self.match(user=self.anna.id).state, 'ambiguous')
        own = self.env['telephony.match.weight'].create(
            {'code': 'owner', 'weight': 31, 'company_id': self.company.id}
        )
        self.assertEqual(self.match(user=self.anna.id).lead, lead)
        own.weight = 0
        match = self.match(user=self.anna.id)
        self.assertEqual(match.state, 'ambiguous')
        self.assertNotIn(
            'owner', [reason.code for one in match.candidates for reason in one.reasons]
        )
        own.company_id = self.env['res.company'].create({'name': "Other"})
        self.company.telephony_match_margin = 20
        self.assertEqual(self.match(user=self.anna.id).lead, lead)

    def test_the_reason_is_one_line_of_what_made_the_difference(self):
        lead = self.new_lead()
        self.new_lead(user_id=self.boris.id)
        self.env['telephony.call'].create(
            {
                'account_id': self.account.id,
                'external_id': 'earlier',
                'direction': 'outbound',
                'state': 'ended',
                'outcome': 'answered',
                'lead_id': lead.id,
                'start_at': datetime.now() - timedelta(days=2),
            }
        )
        match = self.match(user=self.anna.id)
        self.assertEqual(
            match.reason,
            "Its salesperson Anna has the call, called about it 2 days ago: the likeliest of 2 open deals",
        )
        self.assertEqual(
            [match.reason.values[name] for name in ('points', 'score', 'next')], [[30, 12], 92, 50]
        )
        self.assertEqual(
            [reason.text for reason in match.candidates[0].reasons],
            [
                "it has this number",
                "its salesperson Anna has the call",
                "called about it 2 days ago",
            ],
        )

    def test_the_call_that_is_decided_is_no_evidence_for_its_own_deal(self):
        lead = self.new_lead()
        self.new_lead()
        call = self.env['telephony.call'].create(
            {
                'account_id': self.account.id,
                'external_id': 'this',
                'direction': 'inbound',
                'state': 'ended',
                'outcome': 'answered',
                'lead_id': lead.id,
                'start_at': datetime.now(),
            }
        )
        caller = Caller(CUSTOMER)
        matcher = self.env['telephony.matcher']
        scores = [
            {
                one.score
                for one in matcher._match(self.company, [caller], without)[caller].candidates
            }
            for without in ((), call.ids)
        ]
        self.assertEqual([len(one) for one in scores], [2, 1])

    def test_a_renamed_salesperson(self):
        """The names that explanations use are kept at hand, but not those of before."""
        self.env['telephony.decision'].create(
            {
                'number': CUSTOMER,
                'kind': 'ignore',
                'user_id': self.boris.id,
                'company_id': self.company.id,
            }
        )
        self.assertIn("Boris said", self.match().reason)
        self.boris.name = "Bella"
        self.assertIn("Bella said", self.match().reason)

    def test_names_of_any_script(self):
        self.partner.name = "שלום 😀 %(name)s {x}"
        self.new_lead(name="עסקה 🧾")
        self.assertIn("שלום 😀 %(name)s {x}", self.match().reason)

    def test_two_hundred_contacts_and_five_thousand_deals(self):
        self.env['res.partner'].create(
            [
                {'name': str(index), 'phone': '+77012223344', 'parent_id': self.partner.id}
                for index in range(200)
            ]
        )
        self.assertEqual(self.match('+77012223344').partner, self.partner)
        lead = self.new_lead(name="Anna's")
        self.env.flush_all()
        self.env.cr.execute(
            """ INSERT INTO crm_lead (name, type, active, won_status, partner_id, user_id, create_uid)
                SELECT 'Deal ' || i, 'opportunity', TRUE, 'pending', %s, %s, 1 FROM generate_series(1, 5000) AS i """,
            (self.partner.id, self.boris.id),
        )
        match = self.match(user=self.anna.id)
        self.assertEqual(
            (match.state, match.reason),
            ('ambiguous', "More than 20 open deals: choose the right one"),
        )
        self.assertEqual(len(match.candidates), 20)
        self.assertEqual(
            match.candidates[0].lead, lead, "the talker's own is offered among the first"
        )


class TestMatchedCalls(TelephonyCase):
    """When a call is matched, and what it remembers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.annas = cls.new_lead(name="Anna's")
        cls.boriss = cls.new_lead(name="Boris's", user_id=cls.boris.id)

    def test_who_talked_decides_when_the_call_ends(self):
        self.play(self.event('ringing', extension='102'))
        self.assertRecordValues(self.call(), [{'match_state': 'ambiguous', 'lead_id': False}])
        self.play(
            self.event('answered', at=5, extension='102'),
            self.event('ended', at=90, outcome='answered', extension='102'),
        )
        self.assertRecordValues(
            self.call(),
            [{'match_state': 'auto', 'lead_id': self.boriss.id, 'user_id': self.boris.id}],
        )
        self.assertIn("Its salesperson Boris has the call", self.call().match_reason)

    def test_who_talked_longest_decides(self):
        self.play(
            self.event('ringing', at=-300, extension='101'),
            self.event('answered', at=-295, extension='101'),
            self.event('transferred', at=-285, extension='102'),
            self.event('answered', at=-280, extension='102'),
            self.event('ended', outcome='answered', extension='102'),
        )
        self.assertEqual(self.call().user_id, self.anna, "who took it first")
        self.assertEqual(self.call().lead_id, self.boriss)

    def test_what_is_told_after_the_end_changes_nothing(self):
        self.boriss.action_set_lost()
        self.play(self.event('ended', outcome='missed'))
        self.assertEqual(self.call().lead_id, self.annas)
        self.annas.action_set_lost()
        self.play(self.event('recording', at=60, recording_url='https://pbx.example.com/1.mp3'))
        self.assertEqual(self.call().lead_id, self.annas)

    def test_a_persons_choice_is_left_alone(self):
        self.play(self.event('ringing', extension='102'))
        self.call().with_user(self.anna).lead_id = self.annas
        self.play(
            self.event('answered', at=5, extension='102'),
            self.event('ended', at=90, outcome='answered', extension='102'),
        )
        self.assertRecordValues(self.call(), [{'match_state': 'manual', 'lead_id': self.annas.id}])

    def test_an_ignored_number_is_nobody_to_call_back(self):
        self.env['telephony.decision'].create({'number': CUSTOMER, 'kind': 'ignore'})
        self.play(self.event('ended', outcome='missed'))
        self.assertRecordValues(
            self.call(),
            [{'is_excluded': True, 'match_state': 'none', 'partner_id': False, 'lead_id': False}],
        )
        self.assertIn("never a customer", self.call().match_reason)
        self.assertFalse(self.callbacks())
