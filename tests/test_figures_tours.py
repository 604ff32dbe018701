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

    def yesterday(self):
        """Calls of yesterday morning: seven answered, of which two are short, three lost, of which
        two are of one caller, and one that could not get in."""
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
            {'outcome': 'missed', 'caller': '+77010000001'},
            {'outcome': 'missed', 'caller': '+77010000001'},
            {'outcome': 'abandoned', 'caller': '+77010000002', 'queue': "Sales"},
            {'outcome': 'busy', 'caller': '+77010000003'},
        ]
        for place, known in enumerate(facts):
            begin = ten + timedelta(minutes=9 * place)
            more = {'caller': f'+7702000000{place}', **known}
            ref, waits = f'y{place}', 0 if known['outcome'] == 'busy' else 12
            yield self.event('ringing', ref, begin.isoformat(), **_without(more, 'outcome'))
            end = begin + timedelta(seconds=waits + more.get('talk_seconds', 0))
            yield self.event('ended', ref, end.isoformat(), wait_seconds=waits, **more)


def _without(facts, *names):
    return {name: value for name, value in facts.items() if name not in (*names, 'talk_seconds')}
