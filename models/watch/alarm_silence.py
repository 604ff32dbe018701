from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from functools import cache

from odoo import api, fields, models
from odoo.tools import SQL

from ...providers.numbers import pretty
from ...tools.words import _lt
from .alarm import Finding
from .rhythm import DAY, WEEK, WEEKS, Calls, risk_of, silence_of

# Seconds of the half hours of the rhythm.
SLOT = 1800
# The key of all calls of a PBX among those of its numbers.
ALL = 0
# A number that was first called so lately (half hours) may be the one to which another has moved.
YOUNG = 2 * WEEK


class TelephonyAlarm(models.Model):
    """Finds PBXs and numbers that are silent although they usually are not."""

    _inherit = 'telephony.alarm'

    @api.model
    def _find_silence(self, accounts):
        now = fields.Datetime.now()
        spoke = self.env['telephony.event']._last_delivered(accounts)
        accounts = accounts.filtered(lambda account: account.id in spoke)
        counts, last = self._counts(accounts, now)
        numbers = accounts.number_ids
        clocks = {company: Clock(company._telephony_zone(), now) for company in accounts.company_id}
        closed = self._days_off(accounts, clocks, now)
        watched = self._watched_since()
        found = []
        for account in accounts:
            clock, lines = clocks[account.company_id], counts[account.id]
            rhythms = {key: clock.calls(line) for key, line in lines.items()}
            if ALL not in rhythms:
                continue
            risk = risk_of(rhythms[ALL].between(clock.now - 4 * WEEK, clock.now))
            young = [
                calls
                for key, calls in rhythms.items()
                if key != ALL and calls.begin > clock.now - YOUNG
            ]
            for number in [numbers.browse(), *account.number_ids]:
                if (key := number.id or ALL) not in rhythms:
                    continue
                heard = spoke[account.id] if key == ALL else last[account.id, key]
                calls, off = rhythms[key], closed[account, number]
                silence = silence_of(
                    calls,
                    clock.slot(max(heard, watched, number.create_date or watched)),
                    clock.now,
                    off,
                    risk,
                )
                if silence and not _has_moved(young, silence, clock.slot(heard), clock.now):
                    found.append(_finding(account, number, silence, heard, spoke[account.id]))
        return found

    @api.model
    def _counts(self, accounts, now):
        """Return how often the lines of these PBXs were called: dict id of the PBX → dict id of the
        number, None for those that are not entered, or ALL → Counter of half hours of UTC, and when
        each was called last: dict (id of the PBX, id of the number) → naive UTC."""
        counts, last = defaultdict(lambda: defaultdict(Counter)), {}
        self.env['telephony.call'].flush_model()
        since = now - timedelta(days=7 * WEEKS + 1)
        for account, number, is_inbound, slot, count, start in self.env.execute_query(
            SQL(
                """ SELECT account_id, number_id, direction = 'inbound',
                           floor(date_part('epoch', start_at) / %s)::int, count(*), max(start_at)
                      FROM telephony_call
                     WHERE start_at >= %s AND start_at <= %s AND direction != 'internal'
                       AND account_id = ANY(%s)
                  GROUP BY 1, 2, 3, 4 """,
                SLOT,
                since,
                now,
                accounts.ids,
            )
        ):
            counts[account][ALL][slot] += count
            if is_inbound:
                counts[account][number][slot] += count
                last[account, number] = max(start, last.get((account, number), start))
        return counts, last

    @api.model
    def _days_off(self, accounts, clocks, now):
        """Return the days off of these PBXs and their numbers, by the calendars whose hours count for
        them: dict (account, number) → beginnings of days, in half hours. A part of a day off is one."""
        first = now - timedelta(days=7 * WEEKS + 8)
        leaves = (
            self.env['resource.calendar.leaves']
            .sudo()
            .search(
                [
                    ('resource_id', '=', False),
                    ('time_type', '=', 'leave'),
                    ('date_to', '>', first),
                    ('date_from', '<', now),
                    ('company_id', 'in', [False, *accounts.company_id.ids]),
                ]
            )
        )
        closed = {}
        for account in accounts:
            company, clock = account.company_id, clocks[account.company_id]
            for number in [account.number_ids.browse(), *account.number_ids]:
                calendar = (
                    number.resource_calendar_id
                    or number.team_id.resource_calendar_id
                    or company.resource_calendar_id
                )
                closed[account, number] = frozenset(
                    day
                    for leave in leaves
                    if leave.company_id in (company, company.browse())
                    and leave.calendar_id in (calendar, calendar.browse())
                    for day in clock.days(leave.date_from, leave.date_to)
                )
        return closed


class Clock:
    """Turns moments (naive UTC) into half hours of a local time, as the rhythm has them.

    :param zone: pytz
    """

    def __init__(self, zone, now):
        self._offset = cache(
            lambda slot: datetime.fromtimestamp(slot * SLOT, zone).utcoffset().total_seconds()
        )
        self.now = self.slot(now)

    def slot(self, moment) -> float:
        seconds = moment.replace(tzinfo=timezone.utc).timestamp()
        return (seconds + self._offset(int(seconds // SLOT))) / SLOT

    def calls(self, counts) -> Calls:
        """Return the calls of a line.

        :param counts: Counter of half hours of UTC
        """
        local = Counter()
        for slot, count in counts.items():
            local[slot + int(self._offset(slot) // SLOT)] += count
        return Calls(local, int(self.now // DAY) * DAY - WEEKS * WEEK, int(self.now) + 1)

    def days(self, start, end):
        """Return the beginnings of the days that a time off (naive UTC) touches."""
        return range(int(self.slot(start) // DAY) * DAY, int(-(-self.slot(end) // 1)), DAY)


def _has_moved(young, silence, since, now):
    """Return whether a number that is new has taken over the calls of a silent one."""
    return any(calls.between(since, now) * 2 >= silence.usual for calls in young)


def _finding(account, number, silence, since, spoke):
    values = {
        'line': pretty(number.name) if number else account.name,
        'since': since,
        'last': spoke,
        'usual': round(silence.usual),
        'hourly': round(silence.hourly),
    }
    if not number and round(silence.hourly) >= 1:
        text = _lt(
            "Nothing of %(line)s since %(since)s, usually %(hourly)s calls an hour",
            **values,
        )
    elif not number:
        text = _lt(
            "Nothing of %(line)s since %(since)s, usually %(usual)s calls in that time",
            **values,
        )
    elif round(silence.hourly) >= 1:
        text = _lt(
            "Nothing on %(line)s since %(since)s, usually %(hourly)s calls an hour. Last event of the PBX: %(last)s",
            **values,
        )
    else:
        text = _lt(
            "Nothing on %(line)s since %(since)s, usually %(usual)s calls in that time. Last event of the PBX: %(last)s",
            **values,
        )
    return Finding(
        'line_silent' if number else 'pbx_silent',
        account,
        text,
        key=str(number.id or ALL),
        since=since,
        called=number.name or '',
    )
