"""Number → contact → deal. A call on the wrong deal is worse than one on none."""
from odoo.addons.crm_telephony.models.telephony_matcher import Caller

from .common import CUSTOMER, TelephonyCase


class TestMatcher(TelephonyCase):

    def match(self, number=CUSTOMER, company=None, **more):
        caller = Caller(number, **more)
        return self.env['telephony.matcher']._match(company or self.company, [caller])[caller]

    def partner_with(self, phone, **values):
        return self.env['res.partner'].create({
            'name': "Somebody", 'phone': phone, 'country_id': self.env.ref('base.kz').id, **values})

    def test_every_way_of_typing_a_number_is_found(self):
        ways = ('+7 701 222 33 0{}', '7701222331{}', '8701222332{}', '8 (701) 222-33-4{}', '+7-701-222335{}', '701222336{}')
        for index, way in enumerate(ways):
            with self.subTest(way=way):
                partner = self.partner_with(way.format(index))
                digits = ''.join(filter(str.isdigit, way.format(index)))[-10:]
                self.assertEqual(self.match('+7' + digits).partner, partner)

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
        self.assertEqual((match.state, match.partner, match.lead.ids), ('ambiguous', self.partner, []))
        self.assertEqual({candidate.lead for candidate in match.candidates}, set(leads))
        self.assertIn('2', match.reason)

    def test_lead_that_carries_the_number_itself(self):
        lead = self.env['crm.lead'].create({
            'name': "Web form", 'type': 'lead', 'phone': '8 701 555 66 77', 'country_id': self.env.ref('base.kz').id})
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
        foreign = self.new_lead(partner_id=False, phone='+77012223344', company_id=other.id, user_id=False)
        self.assertEqual(self.match('+77012223344').state, 'none')
        self.assertEqual(self.match('+77012223344', other).lead, foreign)

    def test_two_queries_whatever_the_count(self):
        numbers = [f'+7701222{index:04}' for index in range(40)]
        for number in numbers:
            self.new_lead(partner_id=self.partner_with(number).id)
        self.env.flush_all()
        self.env.invalidate_all()
        self.match()    # companies and languages are cached
        self.env.invalidate_all()
        matcher = self.env['telephony.matcher']
        company = self.company
        company.partner_id.lang     # noqa: B018 - read before counting
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
