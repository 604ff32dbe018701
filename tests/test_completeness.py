"""Is every call of the PBX in Odoo? Its own log is compared with ours, day by day, and what is missing is
brought in, of the past without anything following from it."""

from datetime import datetime, timedelta, timezone
from unittest.mock import patch

from freezegun import freeze_time

from odoo.exceptions import AccessError, ValidationError

from odoo.addons.crm_telephony.models.calls import history as history_module
from odoo.addons.crm_telephony.providers.base import ProviderError

from .common import FakeClient, TelephonyCase

# A Wednesday, 15:00 in Almaty (UTC+5).
NOW = datetime(2026, 11, 4, 10, 0)
TODAY, YESTERDAY = NOW.date(), NOW.date() - timedelta(days=1)


class LoggingPbx(FakeClient):
    """A PBX that keeps a log: `log` has its calls by when they ended (naive UTC)."""

    log: list[tuple[datetime, dict]] = []
    broken_days: tuple = ()  # what it cannot tell, by the day of its own clock

    def history(self, start, end):
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
        self._note('history', start, end)
        for moment, payload in self.log:
            if start <= moment <= end:
                yield payload
        if (start + timedelta(hours=5)).date() in self.broken_days:
            raise ProviderError("too many requests", retryable=self.retryable)


class CompletenessCase(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.telephony_effect_hours = 72

    def setUp(self):
        super().setUp()
        self.pbx = self.plug_in(LoggingPbx, log=[])
        self.clock = self.enterContext(freeze_time(NOW))

    def ended(self, name, at=NOW - timedelta(hours=1), **more):
        """The end of a call, as events and log tell it."""
        fields = {'outcome': 'answered', 'extension': '101', 'talk_seconds': 60, **more}
        return self.event('ended', name, at=at.replace(tzinfo=timezone.utc).isoformat(), **fields)

    def logs(self, *payloads):
        """Let the PBX's log have these."""
        self.pbx.log = [
            *self.pbx.log,
            *(
                (datetime.fromisoformat(payload['at']).replace(tzinfo=None), payload)
                for payload in payloads
            ),
        ]

    def inside(self, work):
        """Run what commits, in a transaction as a scheduled action has one."""
        self.env.flush_all()
        with self.enter_registry_test_mode(), self.env.registry.cursor() as cr:
            work(self.env(cr=cr, su=True))
        self.env.invalidate_all()

    def compare(self, day=TODAY):
        self.inside(lambda env: env['telephony.account'].browse(self.account.id)._compare_day(day))
        return self.row(day)

    def run_cron(self, xmlid='ir_cron_fetch_history'):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(f'crm_telephony.{xmlid}').method_direct_trigger()
        self.env.invalidate_all()

    def row(self, day=TODAY, account=None):
        return self.env['telephony.completeness'].search(
            [('account_id', '=', (account or self.account).id), ('day', '=', day)]
        )

    def asked_days(self):
        """The local days that the PBX was asked for, in order."""
        return [(start + timedelta(hours=5)).date() for _what, start, _end in self.pbx.told]

    def follow_up(self):
        self.run_cron('ir_cron_follow_up')


class TestDay(CompletenessCase):
    def test_a_day_tells_what_was_missing_and_what_differed(self):
        self.play(self.ended('same'), self.ended('other', outcome='missed', talk_seconds=0))
        later = NOW - timedelta(minutes=59)
        self.logs(self.ended('same'), self.ended('other', later), self.ended('lost on the way'))
        for _time in range(2):  # what was mended stays told
            row = self.compare()
            self.assertEqual(row.summary, "PBX 3, Odoo 2, fetched 1, differing 1")
        self.assertEqual(self.call('lost on the way').outcome, 'answered')
        self.assertEqual(self.call('other').outcome, 'answered')
        by_kind = {line.kind: line for line in row.line_ids}
        self.assertEqual(by_kind.keys(), {'fetched', 'differing'})
        self.assertEqual(by_kind['fetched'].call_id, self.call('lost on the way'))
        self.assertIn("Outcome: Missed → Answered", by_kind['differing'].change_text)
        self.assertIn("Talk (s): 0:00 → 1:00", by_kind['differing'].change_text)

    def test_a_log_that_says_the_same_adds_nothing(self):
        self.play(*(self.ended(f'c{number}') for number in range(5)))
        before = len(self.events())
        # another payload of the same content, as a log has
        self.logs(*({**self.ended(f'c{number}'), 'row': number} for number in range(5)))
        self.assertEqual(self.compare().summary, "PBX 5, Odoo 5, fetched 0, differing 0")
        self.assertEqual(len(self.events()), before)

    def test_what_only_odoo_has_is_told_and_not_touched(self):
        self.play(
            self.ended('not in the log'),
            self.ended('colleagues', direction='internal', caller='102', called='101'),
        )
        row = self.compare()
        self.assertEqual(row.only_here_count, 1)
        self.assertEqual(row.line_ids.call_id, self.call('not in the log'))
        self.logs(self.ended('not in the log'))  # it was late
        self.assertEqual(self.compare().only_here_count, 0)

    def test_a_call_that_is_told_twice_is_one(self):
        self.logs(*([self.ended('twice')] * 2), {**self.ended('twice'), 'page': 2})
        self.assertEqual(self.compare().summary, "PBX 1, Odoo 0, fetched 1, differing 0")
        self.assertEqual(len(self.call('twice')), 1)

    def test_a_log_that_repeats_its_page_for_ever_ends(self):
        def history(client, start, end):
            while True:
                yield self.ended('the same page')

        with (
            patch.object(self.pbx, 'history', history),
            patch.object(history_module, 'MOST_REPEATS', 10),
        ):
            row = self.compare()
        self.assertTrue(self.call('the same page'))
        self.assertFalse(row.is_whole)
        self.assertIn("same page", row.error)

    def test_a_log_that_breaks_off_is_read_again(self):
        self.logs(self.ended('first page'))
        self.pbx.broken_days, self.pbx.retryable = (TODAY,), True
        row = self.compare()
        self.assertTrue(self.call('first page'))
        self.assertFalse(row.is_whole)
        self.assertIn("too many requests", row.error)
        self.pbx.broken_days = ()
        self.logs(self.ended('second page'))
        row = self.compare()
        self.assertTrue(row.is_whole and not row.error)
        self.assertEqual(row.fetched_count, 2)

    def test_a_clock_in_the_wrong_zone_changes_nothing(self):
        names = [f'c{number}' for number in range(4)]
        self.play(*(self.ended(name, NOW - timedelta(hours=4)) for name in names))
        before = self.call('c0').start_at
        self.logs(*(self.ended(name, NOW - timedelta(hours=1)) for name in [*names, 'new']))
        row = self.compare()
        self.assertEqual(self.call('c0').start_at, before)
        self.assertFalse(self.call('new'))
        self.assertIn("+3 hours", row.error)
        self.assertIn("Timezone", row.error)

    def test_a_key_that_may_not_read_the_log_is_told(self):
        self.pbx.complaint = "this key may not read the call log"
        self.run_cron()
        self.assertIn("may not read", self.row().error or self.row(YESTERDAY).error)
        self.assertEqual(self.account.state, 'error')
        self.assertIn("may not read", self.account.history_message)

    def test_one_bad_row_harms_no_other(self):
        self.logs(self.ended('good'), {**self.ended('bad'), 'talk_seconds': 'many'})
        self.assertEqual(self.compare().fetched_count, 1)
        self.assertEqual(self.events().filtered(lambda e: e.state == 'failed').mapped('kind'), [''])

    def test_what_happens_between_two_days_counts_for_the_day_of_its_start(self):
        midnight = datetime(2026, 11, 3, 19, 0)
        over_night = self.ended('over night', midnight + timedelta(minutes=5), talk_seconds=900)
        self.logs(over_night)
        self.assertEqual(self.compare(TODAY).there_count, 0)
        for _time in range(2):
            row = self.row(YESTERDAY)
            self.assertEqual(row.summary, "PBX 1, Odoo 0, fetched 1, differing 0")
            self.compare(YESTERDAY)


class TestDays(CompletenessCase):
    def test_today_every_hour_the_last_days_every_night(self):
        self.run_cron()
        self.assertEqual(self.asked_days(), [TODAY, YESTERDAY, YESTERDAY - timedelta(days=1)])
        self.pbx.told.clear()
        self.clock.move_to(NOW + timedelta(hours=1))
        self.run_cron()
        self.assertEqual(self.asked_days(), [TODAY])
        self.pbx.told.clear()
        self.clock.move_to(NOW + timedelta(hours=13))  # four in the morning
        self.run_cron()
        tomorrow = TODAY + timedelta(days=1)
        self.assertEqual(self.asked_days(), [tomorrow, TODAY, YESTERDAY])
        self.pbx.told.clear()
        self.clock.move_to(NOW + timedelta(hours=14))
        self.run_cron()
        self.assertEqual(self.asked_days(), [tomorrow])

    def test_days_without_odoo_are_made_up_for(self):
        self.run_cron()
        self.pbx.told.clear()
        self.clock.move_to(NOW + timedelta(days=6))
        self.run_cron()
        self.assertEqual(self.asked_days()[-1], TODAY)
        self.assertEqual(len(self.asked_days()), 7)


class TestPeriod(CompletenessCase):
    def period(self, days=3, **values):
        return self.env['telephony.comparison'].create(
            {
                'account_id': self.account.id,
                'first': YESTERDAY - timedelta(days=days - 1),
                'last': YESTERDAY,
                **values,
            }
        )

    def work_off(self):
        self.inside(lambda env: env['telephony.comparison']._work_off())

    def test_a_period_is_compared_a_day_at_a_time_the_latest_first(self):
        self.logs(*(self.ended(f'd{back}', NOW - timedelta(days=back)) for back in (1, 2, 3, 4)))
        period = self.period()
        period.action_start()
        self.work_off()
        self.assertRecordValues(
            period, [{'state': 'done', 'fetched_count': 3, 'there_count': 3, 'progress': 100}]
        )
        self.assertEqual(self.asked_days(), [YESTERDAY - timedelta(days=back) for back in range(3)])
        self.assertEqual(self.row(YESTERDAY).fetched_count, 1)

    def test_it_goes_on_where_it_was(self):
        middle = YESTERDAY - timedelta(days=1)
        self.pbx.broken_days, self.pbx.retryable = (middle,), True
        period = self.period()
        period.action_start()
        self.work_off()
        self.assertRecordValues(period, [{'state': 'running', 'next_day': middle}])
        self.assertAlmostEqual(period.progress, 100 / 3, places=1)
        self.assertIn("too many requests", period.message)
        self.work_off()
        self.assertEqual(len(self.pbx.told), 2, "not before its time")
        self.pbx.broken_days = ()
        self.clock.move_to(period.next_at)
        self.work_off()
        self.assertRecordValues(period, [{'state': 'done', 'message': False}])
        self.assertEqual(
            self.asked_days(), [YESTERDAY, middle, middle, YESTERDAY - timedelta(days=2)]
        )

    def test_what_waiting_does_not_help_stops_it_until_somebody_says_so(self):
        self.pbx.broken_days, self.pbx.retryable = (YESTERDAY,), False
        period = self.period()
        period.action_start()
        self.work_off()
        self.assertEqual(period.state, 'failed')
        self.pbx.broken_days = ()
        period.action_start()
        self.work_off()
        self.assertEqual(period.state, 'done')

    def test_a_pause_holds(self):
        period = self.period()
        period.action_start()
        period.action_pause()
        self.work_off()
        self.assertFalse(self.pbx.told)

    def test_the_pbx_is_asked_no_faster_than_it_allows(self):
        self.pbx.history_pause = 60
        period = self.period()
        period.action_start()
        self.work_off()
        self.assertEqual(len(self.pbx.told), 1)
        self.assertEqual(period.next_at, NOW + timedelta(seconds=60))
        self.clock.move_to(period.next_at)
        self.work_off()
        self.assertEqual(len(self.pbx.told), 2)

    def test_what_makes_no_period_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "ends before it begins"):
            self.period(days=-1)
        with self.assertRaisesRegex(ValidationError, "three years"):
            self.period(days=2000)
        self.unplug()
        with self.assertRaisesRegex(ValidationError, "no log"):
            self.period()

    def test_supervisors_see_and_administrators_compare(self):
        self.logs(self.ended('lost on the way'))
        row = self.compare()
        self.assertEqual(row.with_user(self.supervisor).fetched_count, 1)
        self.assertTrue(row.with_user(self.supervisor).line_ids.change_text is not None)
        with self.assertRaises(AccessError):
            row.with_user(self.supervisor).action_compare()
        with self.assertRaises(AccessError):
            row.with_user(self.anna).fetched_count  # noqa: B018
        row.action_compare()
        self.work_off()
        self.assertEqual(len(self.pbx.told), 2)


class TestPast(CompletenessCase):
    """The first connection offers to bring in the past, from which nothing follows."""

    def bring_in(self, months=1):
        self.account.action_check()
        self.assertTrue(self.account.offers_past)
        self.account.with_context(months=months).action_import_past()
        self.inside(lambda env: env['telephony.comparison']._work_off())

    def test_nothing_follows_from_the_past(self):
        self.company.telephony_effect_hours = 0  # rules act on calls of any time
        deal = self.new_lead()
        lines = deal.message_ids | self.partner.message_ids
        old = NOW - timedelta(days=20)
        self.logs(
            self.ended('talk', old),
            self.ended('missed', old + timedelta(hours=1), outcome='missed', talk_seconds=0),
            self.ended('recent', NOW - timedelta(hours=2), outcome='missed', talk_seconds=0),
            self.ended('long ago', NOW - timedelta(days=60)),
        )
        self.bring_in()
        calls = self.call('talk') | self.call('missed') | self.call('recent')
        self.assertEqual(len(calls), 3)
        self.assertFalse(self.call('long ago'), "more than was wanted")
        self.assertEqual(set(calls.mapped('is_imported')), {True})
        self.assertEqual(set(calls.mapped('follow_up')), {'done'})
        self.follow_up()
        self.assertFalse(self.callbacks())
        self.assertFalse(calls.effect_ids or calls.message_id)
        cards = self.env['bus.bus'].search([('message', 'like', 'crm_telephony.call')])
        self.assertFalse(cards.mapped('message'))
        # whose calls they were is known; today's deals are not what they were about
        self.assertEqual(calls.partner_id, self.partner)
        self.assertFalse(calls.lead_id)
        self.assertEqual(deal.message_ids | self.partner.message_ids, lines)
        self.assertEqual(set(calls.mapped('is_owned')), {True})

    def test_life_goes_on_after_the_past(self):
        self.bring_in()
        self.clock.move_to(NOW + timedelta(hours=1))
        self.play(self.ended('new', NOW + timedelta(minutes=50), outcome='missed', talk_seconds=0))
        self.assertFalse(self.call('new').is_imported)
        self.assertEqual(len(self.callbacks()), 1)

    def test_it_is_offered_once(self):
        self.bring_in()
        self.assertFalse(self.account.offers_past)
        other = self.new_account(self.company)
        other.action_check()
        self.assertTrue(other.offers_past)
        other.action_want_no_past()
        self.assertFalse(other.offers_past)

    def test_figures_of_the_past_are_found(self):
        self.logs(self.ended('talk', NOW - timedelta(days=5)))
        self.bring_in()
        again = self.env['telephony.recompute'].search([], limit=1)
        self.assertEqual((again.state, again.first), ('running', TODAY - timedelta(days=31)))
