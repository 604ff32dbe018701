"""The figures on the screen: every number opens the list that it counted."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from odoo.tests import tagged

from .common import TelephonyHttpCase

ALMATY = ZoneInfo('Asia/Almaty')


@tagged('post_install', '-at_install', 'crm_telephony')
class TestFiguresTours(TelephonyHttpCase):
    def test_every_number_opens_its_list(self):
        self.work_around_the_clock()
        self.play(*self.yesterday())
        self.start_tour('/odoo/telephony-report', 'telephony_figures', login='tel_super')

    def test_people(self):
        self.tour_of_yesterday('people')

    def test_sources(self):
        self.tour_of_yesterday('sources')

    def test_lines(self):
        self.tour_of_yesterday('lines')

    def test_claims(self):
        claim = self.mark_call_done()
        claim.telephony_done_at -= timedelta(days=1)
        self.tour_of_yesterday('claims')

    def test_before_and_after_a_milestone(self):
        self.work_around_the_clock()
        self.play(*self.yesterday())
        self.env['telephony.milestone'].create(
            {'name': "More lines", 'day': datetime.now(ALMATY).date() - timedelta(days=9)}
        )
        self.start_tour('/odoo/telephony-milestones', 'telephony_milestone', login='tel_super')

    def test_my_figures(self):
        self.mark_call_done()
        rings = {'extension': '101', 'caller': '+77020000001'}
        self.play(
            self.event('ringing', 'in', -300, **rings),
            self.event('ended', 'in', -200, outcome='answered', talk_seconds=90, **rings),
            *self.call_out(datetime.now(ALMATY) - timedelta(seconds=100)),
            self.event('ringing', 'lost', -50, caller='+77020000003', extension='101'),
            self.event('ended', 'lost', -30, caller='+77020000003', outcome='missed'),
        )
        callback = self.callbacks('+77020000003')
        self.assertTrue(callback, "the test needs a callback")
        callback.user_id = self.anna
        self.start_tour('/odoo/telephony-mine', 'telephony_mine', login='tel_anna')

    def tour_of_yesterday(self, tab):
        self.work_around_the_clock()
        self.play(*self.yesterday())
        self.start_tour('/odoo/telephony-report', f'telephony_figures_{tab}', login='tel_super')

    def mark_call_done(self):
        """Anna says that she called a customer with whom there is no call."""
        claim = self.partner.with_user(self.anna).activity_schedule(
            'mail.mail_activity_data_call', user_id=self.anna.id
        )
        claim.with_user(self.anna).action_feedback()
        self.assertEqual(claim.telephony_evidence, 'none')
        return claim.sudo()

    def call_out(self, begin):
        facts = {'called': '+77020000002'}
        yield self.outbound('ringing', 'out', begin.isoformat(), **facts)
        end = begin + timedelta(seconds=60)
        yield self.outbound(
            'ended', 'out', end.isoformat(), outcome='answered', talk_seconds=50, **facts
        )

    def yesterday(self):
        """Calls of yesterday morning: seven answered, of which two are short, three lost, of which
        two are of one caller, one that could not get in, and one to a customer."""
        ten = datetime.now(ALMATY).replace(hour=10, minute=0, second=0) - timedelta(days=1)
        facts = [
            *(
                {'outcome': 'answered', 'talk_seconds': 10, 'extension': '101'}
                for _call in range(2)
            ),
            *(
                {'outcome': 'answered', 'talk_seconds': 90, 'extension': '102'}
                for _call in range(5)
            ),
            {'outcome': 'missed', 'caller': '+77010000001', 'extension': '101'},
            {'outcome': 'missed', 'caller': '+77010000001'},
            {'outcome': 'abandoned', 'caller': '+77010000002', 'queue': "Sales"},
            {'outcome': 'busy', 'caller': '+77010000003'},
        ]
        yield from self.call_out(ten + timedelta(hours=3))
        for place, known in enumerate(facts):
            begin = ten + timedelta(minutes=9 * place)
            more = {'caller': f'+7702000000{place}', **known}
            ref, waits = f'y{place}', 0 if known['outcome'] == 'busy' else 12
            yield self.event('ringing', ref, begin.isoformat(), **_without(more, 'outcome'))
            end = begin + timedelta(seconds=waits + more.get('talk_seconds', 0))
            yield self.event('ended', ref, end.isoformat(), wait_seconds=waits, **more)


def _without(facts, *names):
    return {name: value for name, value in facts.items() if name not in (*names, 'talk_seconds')}
