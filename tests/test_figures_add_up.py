"""What holds for the figures of any days: every number opens just the list that it counted, whoever
looks, and the parts add up to the whole."""

import json
from contextlib import closing
from datetime import datetime, timedelta, timezone

from freezegun import freeze_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo.fields import Command, Domain
from odoo.tests import new_test_user
from odoo.tools.json import json_default

from ..models.calls.call import LOST_OUTCOMES
from ..providers.base import WebhookRequest
from .common import TelephonyCase, sign

# Berlin has an hour twice on the second of these days.
FIRST = datetime(2026, 10, 24, tzinfo=timezone.utc)
DAYS = {'first': '2026-10-24', 'last': '2026-10-26'}
MINUTES = 3 * 24 * 60
NOW = '2026-10-27 12:00:00'
# The last one is nobody's: an ignored number.
CUSTOMERS = [f'+7702000000{place}' for place in range(5)]
PHONES = ('101', '102')
TAKEN = ('answered', 'voicemail')
NOT_TAKEN = ('missed', 'abandoned', 'busy', 'failed')
# What calls of the parts add up to.
OUTCOMES = (*TAKEN, *NOT_TAKEN)
CLASSES = ('offered', 'blocked', 'menu', 'excluded', 'manual', 'open')

calls = st.fixed_dictionaries(
    {
        'company': st.sampled_from('AAB'),
        'kind': st.sampled_from(
            ['inbound'] * 6 + ['outbound'] * 3 + ['internal', 'by hand in', 'by hand out']
        ),
        'minute': st.integers(0, MINUTES - 7 * 60),
        'customer': st.sampled_from([*CUSTOMERS, None]),
        'did': st.integers(0, 1),
        'menu': st.sampled_from([0, 0, 10]),
        'wait': st.sampled_from([0, 3, 5, 18, 20, 21, 60]),
        'talk': st.sampled_from([10, 29, 30, 45, 300]),
        'outcome': st.sampled_from([*TAKEN[:1] * 3, *TAKEN, *NOT_TAKEN * 2]),
        'phones': st.sets(st.sampled_from(PHONES)),
        'queue': st.booleans(),
        'has_end': st.sampled_from([True] * 8 + [False]),
    }
)
days = st.lists(calls, min_size=12, max_size=24)
some = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class TestFiguresAddUp(TelephonyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        env = cls.env
        berlin = env['resource.calendar'].create(
            {'name': "Berlin", 'tz': 'Europe/Berlin', 'attendance_ids': cls.week(7)}
        )
        cls.other = env['res.company'].create(
            {
                'name': "B",
                'country_id': env.ref('base.kz').id,
                'resource_calendar_id': berlin.id,
                'telephony_effect_hours': 0,
            }
        )
        berlin.company_id = cls.other
        cls.accounts = {'A': cls.account, 'B': cls.new_account(cls.other)}
        cls.number.unlink()
        sources = env['utm.source'].create([{'name': "Google"}, {'name': "Radio"}])
        for company, account in cls.accounts.items():
            account.line_count = 2
            env['telephony.number'].create(
                [
                    {
                        'name': cls.did(company, place),
                        'account_id': account.id,
                        'source_id': place and sources[company == 'B'].id,
                    }
                    for place in range(2)
                ]
            )
            env['telephony.decision'].create(
                {
                    'number': CUSTOMERS[-1],
                    'kind': 'ignore',
                    'company_id': account.company_id.id,
                }
            )
        both = [Command.set([cls.company.id, cls.other.id])]
        cls.boris.company_ids = both
        env['telephony.extension'].create(
            {'number': '102', 'account_id': cls.accounts['B'].id, 'user_id': cls.boris.id}
        )
        admin = new_test_user(env, 'tel_admin', groups='crm_telephony.group_admin')
        (cls.supervisor | admin | cls.anna).write({'company_ids': both, 'tz': 'America/New_York'})
        # who reads: everything, the same of one company, and what is their own
        cls.readers = [
            (cls.supervisor, cls.company | cls.other),
            (admin, cls.company | cls.other),
            (cls.supervisor, cls.other),
        ]
        cls.salespeople = [cls.anna, cls.boris]

    @staticmethod
    def did(company, place):
        return f'+7727250{"AB".index(company)}00{place}'

    # === WHAT THE PBXS TELL === #

    def tell(self, day, order=None):
        """Let the PBXs tell these calls, in one delivery each, and let everything follow from them.

        :param order: returns the events in another order
        """
        told = {'A': [], 'B': []}
        with freeze_time(NOW):
            for place, call in enumerate(day):
                if call['kind'].startswith('by hand'):
                    self.log(call)
                else:
                    told[call['company']] += self.events_of(f'c{place}', call)
            for company, events in told.items():
                account = self.accounts[company]
                body = json.dumps(order(events) if order else events).encode()
                account._receive(
                    WebhookRequest(body=body, headers={'x-telephony-signature': sign(body)})
                )
                self.file_calls(account)
            self.run_crons('close_lost', 'follow_up')

    def run_crons(self, *names):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            for name in names:
                self.env.ref(f'crm_telephony.ir_cron_{name}').method_direct_trigger()
        self.env.invalidate_all()

    def events_of(self, ref, call):
        begin = FIRST + timedelta(minutes=call['minute'])
        at = lambda seconds: (begin + timedelta(seconds=seconds)).isoformat()  # noqa: E731
        kind, customer, did = call['kind'], call['customer'], self.did(call['company'], call['did'])
        if kind == 'inbound':
            facts = {'caller': customer or '', 'called': did}
        elif kind == 'outbound':
            facts = {'caller': did, 'called': customer or CUSTOMERS[0], 'extension': PHONES[1]}
        else:
            facts = {'caller': PHONES[0], 'called': PHONES[1]}
        facts |= {'call_id': ref, 'direction': kind}
        is_answered = call['outcome'] == 'answered'
        phones = sorted(call['phones'] or (PHONES[1:] if is_answered else ()))
        yield {**facts, 'event': 'ringing', 'at': at(0)}
        if kind != 'outbound':
            rings = at(call['menu'])
            if call['queue']:
                yield {**facts, 'event': 'ringing', 'at': rings, 'queue': "sales"}
            for phone in phones:
                yield {**facts, 'event': 'ringing', 'at': rings, 'extension': phone}
        wait = call['menu'] + call['wait']
        if is_answered:
            answers = {} if kind == 'outbound' else {'extension': phones[-1]}
            yield {**facts, 'event': 'answered', 'at': at(wait), **answers}
        if call['has_end']:
            outcome = call['outcome']
            if kind != 'inbound' and outcome in LOST_OUTCOMES:
                outcome = 'no_answer'
            talk = call['talk'] if is_answered else 0
            yield {
                **facts,
                'event': 'ended',
                'at': at(wait + talk),
                'outcome': outcome,
                'talk_seconds': talk,
                'wait_seconds': wait,
            }

    def log(self, call):
        start = (FIRST + timedelta(minutes=call['minute'])).replace(tzinfo=None)
        company = self.accounts[call['company']].company_id
        is_answered = call['outcome'] == 'answered'
        talk = call['talk'] if is_answered else 0
        inbound = call['kind'] == 'by hand in'
        self.env['telephony.call'].with_user(self.boris)._log_by_hand(
            company,
            {
                'direction': 'inbound' if inbound else 'outbound',
                'start_at': start,
                'answered_at': is_answered and start,
                'ended_at': start + timedelta(seconds=talk),
                'outcome': 'answered' if is_answered else 'missed' if inbound else 'no_answer',
                'talk_seconds': talk,
                'number_id': False,
                'customer_number': call['customer'] or CUSTOMERS[0],
            },
        )

    # === WHAT IS SHOWN === #

    def report(self, user, companies):
        return (
            self.env['telephony.report']
            .with_user(user)
            .with_context(allowed_company_ids=companies.ids, tz=user.tz)
        )

    def clickable(self, report):
        """Yield all that a supervisor can click on: (what it is, model, domain, number)."""
        board = report.get_board(DAYS)
        counts = board['counts']
        for name, count in counts.items():
            yield name, 'telephony.call', count['domain'], count['value']
        for day in board['days']:
            for name, number in day['counts'].items():
                domain = [*day['domain'], *counts[name]['domain']]
                yield (day['first'], name), 'telephony.call', domain, number
        for hour in board['hours']:
            for name in ('offered', 'lost'):
                domain = report.get_cell_domain(DAYS, {}, hour['weekday'], hour['hour'], name)
                yield (hour['weekday'], hour['hour'], name), 'telephony.call', domain, hour[name]
        for name, count in board['callers'].items():
            if isinstance(count, dict):
                yield name, 'telephony.callback', count['domain'], count['value']
        owed = board['owed']
        yield 'owed', 'telephony.callback', owed['domain'], owed['value']
        yield 'late', 'telephony.callback', owed['late_domain'], owed['late']
        tabs = {name: report.get_tab(name, DAYS) for name in ('people', 'lines', 'claims')}
        rows = [
            *tabs['people']['people'],
            tabs['lines']['causes'],
            *(
                row
                for by in ('source', 'campaign', 'number')
                for row in report.get_tab('sources', DAYS, by=by)['sources']
            ),
        ]
        for row in rows:
            for name, count in row.items():
                if isinstance(count, dict):
                    what = (row.get('name'), name)
                    yield what, 'telephony.call', count['domain'], count['value']
        for row in tabs['claims']['attempts']:
            yield row['number'], 'telephony.call', row['domain'], row['attempts']
        for hour in tabs['claims']['answering']['hours']:
            for name in ('dialled', 'reached'):
                domain = report.get_cell_domain(DAYS, {}, hour['weekday'], hour['hour'], name)
                yield (hour['weekday'], hour['hour'], name), 'telephony.call', domain, hour[name]
        for row in tabs['claims']['claims']:
            for name, count in row.items():
                if isinstance(count, dict):
                    what = (row['name'], name)
                    yield what, 'mail.activity', count['domain'], count['value']

    def clickable_own(self, report):
        """Yield what a salesperson can click on."""
        told = report.get_mine(DAYS)
        for name, count in told['mine'].items():
            if isinstance(count, dict):
                yield name, 'telephony.call', count['domain'], count['value']
        for name, count in told['callbacks'].items():
            if isinstance(count, dict):
                yield name, 'telephony.callback', count['domain'], count['value']
        unproved = told['unproved']
        yield 'unproved', 'mail.activity', unproved['domain'], unproved['value']

    def assert_opens(self, report, numbers):
        """Each number is that of its list, under the rights of its reader."""
        env = report.with_context(active_test=False).env
        for what, model, domain, number in numbers:
            domain = json.loads(json.dumps(domain, default=json_default))
            self.assertEqual(env[model].search_count(domain), number, (env.user.login, what))

    def mark_done(self):
        """Two call activities that were marked done, one of them about a customer who was called."""
        for place, user in enumerate(self.salespeople):
            customer = self.env['res.partner'].create(
                {'name': f"Customer {place}", 'phone': CUSTOMERS[place]}
            )
            with freeze_time(FIRST + timedelta(minutes=MINUTES - 13 * 60)):
                activity = customer.with_user(user).activity_schedule(
                    'mail.mail_activity_data_call', user_id=user.id
                )
                activity.with_user(user).action_feedback()

    def test_who_called_two_companies_is_one_caller(self):
        call = {
            **{'kind': 'inbound', 'minute': 9 * 60, 'customer': CUSTOMERS[0], 'did': 0, 'menu': 0},
            **{'wait': 20, 'talk': 0, 'outcome': 'missed', 'phones': set(PHONES)},
            **{'queue': False, 'has_end': True},
        }
        self.tell([{**call, 'company': company} for company in 'AB'])
        report = self.report(self.supervisor, self.company | self.other)
        with freeze_time(NOW):
            callers = report.get_board(DAYS)['callers']
        self.assertEqual(callers['debts_opened']['value'], 2)
        self.assertEqual((callers['debts_lost']['value'], callers['callers']), (1, 1))

    # === PROPERTIES === #

    @some
    @given(days)
    def test_every_number_opens_its_list(self, day):
        with closing(self.env.cr.savepoint()):
            self.mark_done()
            self.tell(day)
            with freeze_time(NOW):
                for user, companies in self.readers:
                    report = self.report(user, companies)
                    self.assert_opens(report, self.clickable(report))
                for user in self.salespeople:
                    report = self.report(user, user.company_ids)
                    self.assert_opens(report, self.clickable_own(report))

    @some
    @given(days)
    def test_the_parts_add_up(self, day):
        with closing(self.env.cr.savepoint()):
            self.tell(day)
            with freeze_time(NOW):
                self.assert_adds_up(self.report(self.supervisor, self.company | self.other))

    def assert_adds_up(self, report):
        board = report.get_board(DAYS)
        values = {name: count['value'] for name, count in board['counts'].items()}
        offered = values['offered']
        self.assertEqual(sum(values[name] for name in OUTCOMES), offered)
        for parts in (board['days'], board['hours']):
            for name in ('offered', 'lost'):
                numbers = (part.get('counts', part)[name] for part in parts)
                self.assertEqual(sum(numbers), values[name], name)
        for name, share in board['shares'].items():
            self.assertLessEqual(share['n'], share['d'], name)
        callers = board['callers']
        self.assertLessEqual(callers['debts_lost']['value'], callers['callers'])
        self.assertLessEqual(callers['repeated'], callers['callers'])
        calls = report.env['telephony.call']
        _span, _cuts, period = report._scope(DAYS, None)
        inbound = period & Domain('direction', '=', 'inbound')
        by_class = dict(calls._read_group(inbound, ['service_class'], ['__count']))
        self.assertLessEqual(set(by_class), set(CLASSES))
        self.assertEqual(sum(by_class.values()), calls.search_count(inbound))
        for by in ('source', 'campaign', 'number'):
            rows = report.get_sources(DAYS, by=by)
            self.assertEqual(sum(row['offered']['value'] for row in rows), offered, by)
        people = report.get_people(DAYS)
        answered = calls.search(board['counts']['answered']['domain'])
        self.assertEqual(
            sum(row['taken_first']['value'] for row in people)
            + len(answered.filtered(lambda call: not call.user_id)),
            len(answered),
        )
        for name in ('contacts', 'attempts'):
            nobodys = calls.search_count(
                [*board['counts'][name]['domain'], ('user_id', '=', False)]
            )
            mine = sum(row[name]['value'] for row in people)
            self.assertEqual(mine + nobodys, values[name], name)
        for call in answered:
            legs = call.leg_ids.filtered(lambda leg: leg.outcome == 'answered')
            self.assertEqual(sum(legs.mapped('talk_seconds')), call.talk_seconds)
        self.assert_splits(report, values, callers)
        self.assert_pivots_agree(report, board, people)

    def assert_splits(self, report, values, callers):
        """A period that is cut in two adds up; of those who called in both, one is counted."""
        halves = [
            report.get_board({'first': first, 'last': last})
            for first, last in (('2026-10-24', '2026-10-25'), ('2026-10-26', '2026-10-26'))
        ]
        for name, value in values.items():
            self.assertEqual(sum(half['counts'][name]['value'] for half in halves), value, name)
        numbers = [half['callers']['callers'] for half in halves]
        self.assertLessEqual(max(numbers), callers['callers'])
        self.assertLessEqual(callers['callers'], sum(numbers))

    def assert_pivots_agree(self, report, board, people):
        """A cell of a pivot is the figure of the same cut."""
        tab = report.get_tab('people', DAYS)
        rows = {row['user_id']: row for row in people}
        legs = report.env['telephony.call.leg'].formatted_read_group(
            json.loads(json.dumps(tab['phones'], default=json_default)),
            ['user_id'],
            [
                'rang_count:sum',
                'picked_up_count:sum',
                'lost_beside_free_count:sum',
                'ring_seconds:avg',
            ],
        )
        self.assertEqual(
            {
                leg['user_id'][0]: (
                    leg['rang_count:sum'],
                    leg['picked_up_count:sum'],
                    leg['lost_beside_free_count:sum'],
                    leg['ring_seconds:avg'] or None,
                )
                for leg in legs
            },
            {
                user_id: (
                    row['rang']['value'],
                    row['picked_up']['value'],
                    row['lost_beside_free']['value'],
                    row['ring_seconds'] or None,
                )
                for user_id, row in rows.items()
                if row['rang']['value']
            },
        )
        calls = report.env['telephony.call'].formatted_read_group(
            tab['calls'],
            ['user_id'],
            ['contact_count:sum', 'outbound_count:sum', 'outbound_answered_count:sum'],
        )
        for cell in calls:
            row = rows[cell['user_id'][0]]
            for measure, name in (
                ('contact_count', 'contacts'),
                ('outbound_count', 'attempts'),
                ('outbound_answered_count', 'attempts_answered'),
            ):
                self.assertEqual(cell[f'{measure}:sum'], row[name]['value'], name)
        tab = report.get_tab('sources', DAYS)
        [total] = report.env['telephony.call'].formatted_read_group(
            tab['calls'], [], ['offered_count:sum', 'lost_count:sum', 'caller_count:count_distinct']
        )
        counts = board['counts']
        self.assertEqual(total['offered_count:sum'], counts['offered']['value'])
        self.assertEqual(total['lost_count:sum'], counts['lost']['value'])
        self.assertEqual(total['caller_count:count_distinct'], board['callers']['callers'])

    def figures(self):
        """All that the screens of a supervisor show, without domains and ids."""
        report = self.report(self.supervisor, self.company | self.other)
        with freeze_time(NOW):
            shown = [report.get_board(DAYS), report.get_sources(DAYS), report.get_lines(DAYS)]
            shown.append(report.get_people(DAYS))
            return without_domains(shown)

    @some
    @given(days, st.randoms(use_true_random=False))
    def test_told_in_any_order_and_twice_the_figures_are_the_same(self, day, chance):
        with closing(self.env.cr.savepoint()):
            self.tell(day)
            expected = self.figures()
        self.env.invalidate_all()

        def shuffled(events):
            return chance.sample(events + events, 2 * len(events))

        with closing(self.env.cr.savepoint()):
            self.tell(day, shuffled)
            self.assertEqual(self.figures(), expected)

    @some
    @given(days)
    def test_what_is_no_customer_changes_nothing_but_what_is_not_counted(self, day):
        counted = [
            call for call in day if call['customer'] != CUSTOMERS[-1] and call['kind'] != 'internal'
        ]
        more = {'company': 'A', 'did': 0, 'queue': True, 'wait': 20, 'talk': 60, 'menu': 0}
        others = [
            # a colleague, an ignored number, an end that nobody told; when nobody else calls
            {
                **more,
                'kind': kind,
                'customer': customer,
                'minute': MINUTES - 6 * 60 + place,
                'outcome': 'answered',
                'phones': set(),
                'has_end': has_end,
            }
            for place, (kind, customer, has_end) in enumerate(
                (
                    ('internal', None, True),
                    ('inbound', CUSTOMERS[-1], True),
                    ('inbound', CUSTOMERS[0], False),
                )
            )
        ]
        found = []
        for told in (counted, counted + others):
            with closing(self.env.cr.savepoint()):
                self.tell(told)
                report = self.report(self.supervisor, self.company | self.other)
                with freeze_time(NOW):
                    board = report.get_board(DAYS)
                found.append({name: count['value'] for name, count in board['counts'].items()})
            self.env.invalidate_all()
        before, after = found
        self.assertEqual(
            {name: after[name] - before[name] for name in after if after[name] != before[name]},
            {'excluded': 1, 'end_unknown': 1},
        )


def without_domains(shown):
    """What is shown, without what differs from one database to the other."""
    if isinstance(shown, dict):
        return {
            name: without_domains(value) for name, value in shown.items() if 'domain' not in name
        }
    if isinstance(shown, list | tuple):
        return [without_domains(value) for value in shown]
    return shown
