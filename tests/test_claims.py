"""Finished call activities are judged together, and each as if it were alone."""

from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import Command

from .common import TelephonyCase

NOW = datetime(2026, 11, 10, 7)


class TestClaims(TelephonyCase):
    def setUp(self):
        super().setUp()
        self.startPatcher(freeze_time(NOW))

    def claims(self, *numbers, user=None):
        """Activities that Anna marks done, each about a customer with one of these numbers."""
        user = user or self.anna
        customers = self.env['res.partner'].create(
            [{'name': f'Customer {number}', 'phone': number} for number in numbers]
        )
        claims = self.env['mail.activity']
        for customer in customers:
            claims |= customer.with_user(user).activity_schedule(
                'mail.mail_activity_data_call', user_id=user.id
            )
        claims.with_user(user).action_feedback()
        return claims.sudo()

    def call_out(self, number, begin=-600, **more):
        self.play(
            self.outbound('ringing', f'o{number}', begin, called=number, **more),
            self.outbound(
                'ended', f'o{number}', begin + 20, called=number, outcome='no_answer', **more
            ),
        )

    def test_many_are_judged_with_as_many_queries_as_two(self):
        claims = self.claims(*(f'+7702000{place:04}' for place in range(12)))
        self.env.flush_all()
        needed = []
        for some in (claims[:2], claims):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            some._judge()
            needed.append(self.env.cr.sql_log_count - before)
        self.assertEqual(*needed)

    def test_each_gets_the_calls_of_its_own_customer(self):
        called, not_called, by_boris = '+77020000001', '+77020000002', '+77020000003'
        self.call_out(called)
        self.call_out(by_boris, extension='102', caller='102')
        claims = self.claims(called, not_called, by_boris)
        self.assertEqual(claims.mapped('telephony_evidence'), ['found', 'none', 'colleague'])
        self.assertEqual(claims[0].telephony_evidence_call_id.customer_number, called)

    def test_a_call_of_a_deal_counts_whatever_its_number(self):
        lead = self.new_lead()
        self.call_out('+77020000009')
        self.call('o+77020000009').lead_id = lead
        claim = lead.with_user(self.anna).activity_schedule(
            'mail.mail_activity_data_call', user_id=self.anna.id
        )
        claim.with_user(self.anna).action_feedback()
        self.assertEqual(claim.sudo().telephony_evidence, 'found')

    def test_only_calls_from_the_day_before_until_half_an_hour_later(self):
        """The day before begins at midnight in Almaty, five hours ahead of Greenwich."""
        midnight = (datetime(2026, 11, 8, 19) - NOW).total_seconds()
        early, first = '+77020000001', '+77020000002'
        self.call_out(early, midnight - 1)
        self.call_out(first, midnight)
        claims = self.claims(early, first)
        self.assertEqual(claims.mapped('telephony_evidence'), ['none', 'found'])
        last, late = '+77020000003', '+77020000004'
        claims = self.claims(last, late)
        with freeze_time(NOW + timedelta(hours=1)):
            self.call_out(last, -1800)
            self.call_out(late, -1799)
        claims._judge()
        self.assertEqual(claims.mapped('telephony_evidence'), ['found', 'none'])

    def test_where_an_event_could_not_be_read_nobody_is_judged(self):
        """Only in the day before the activity and the half hour after it, and of the author's PBX."""
        claims = self.claims('+77020000001')
        event = self.env['telephony.event'].create(
            {'account_id': self.account.id, 'dedupe_key': 'bad', 'payload': '{}', 'state': 'failed'}
        )
        for hours, expected in ((-25, 'none'), (-24, 'unjudged'), (0.5, 'unjudged'), (0.6, 'none')):
            event.received_at = NOW + timedelta(hours=hours)
            claims._judge()
            self.assertEqual(claims.telephony_evidence, expected, hours)
        event.received_at = NOW
        self.account.extension_ids.filtered(
            lambda phone: phone.user_id == self.anna
        ).user_id = False
        other = self.new_account(self.company, name="Other")
        self.env['telephony.extension'].create(
            {'number': '101', 'account_id': other.id, 'also_user_ids': [Command.link(self.anna.id)]}
        )
        claims._judge()
        self.assertEqual(claims.telephony_evidence, 'none')
