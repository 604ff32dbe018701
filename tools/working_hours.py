from datetime import datetime, time, timedelta

import pytz

# Calendars are read so many days at a time, and at most so many times: a company that is closed for
# a year has no hours.
SPAN_DAYS = 28
MOST_SPANS = 14


class WorkingHours:
    """Tells when a resource.calendar is open, without its holidays. Keeps what it has read, so that
    all calls of a batch cost one look at the calendar. All times are naive UTC.

    Without a calendar, or with one that has no hours or flexible ones, it is always open, because
    nothing is known.
    """

    def __init__(self, calendar, company):
        self.calendar = (
            calendar.browse()
            if calendar.flexible_hours or not calendar.attendance_ids
            else calendar
        )
        self.company = company
        self.zone = pytz.timezone(calendar.tz) if calendar else company._telephony_zone()
        self._spans = {}

    def is_open(self, at):
        return not self.calendar or any(
            start <= at < end for start, end in self._span(self._index(at))
        )

    def after(self, at, minutes):
        """Return the moment so many open minutes after `at`. At night they start at the opening."""
        left = timedelta(minutes=minutes)
        if not self.calendar:
            return at + left
        for start, end in self._intervals(at):
            if left <= end - start:
                return start + left
            left -= end - start
        return at + timedelta(minutes=minutes)

    def next_day(self, at):
        """Return the opening of the next working day."""
        return self.after(self._midnight(at, 1), 0)

    def next_morning(self, at):
        """Return the next opening; before work that of the same day."""
        opening = self.after(self._midnight(at), 0)
        return opening if opening > at else self.next_day(at)

    def _midnight(self, at, days=0):
        """Return the beginning of the day of a moment, or of the day `days` later."""
        day = pytz.utc.localize(at).astimezone(self.zone).date() + timedelta(days=days)
        return (
            self.zone.localize(datetime.combine(day, time.min))
            .astimezone(pytz.utc)
            .replace(tzinfo=None)
        )

    def minutes_between(self, start, end):
        """Return the open minutes from `start` to `end`, 0 if `end` is earlier."""
        if not self.calendar:
            return max((end - start) / timedelta(minutes=1), 0)
        minutes = 0
        for opening, closing in self._intervals(start):
            if opening >= end:
                break
            minutes += (min(closing, end) - opening) / timedelta(minutes=1)
        return minutes

    def _intervals(self, at):
        """Return the open intervals from a moment on; the first one begins no earlier than it."""
        for index in range(self._index(at), self._index(at) + MOST_SPANS):
            for start, end in self._span(index):
                if end > at:
                    yield max(start, at), end

    @staticmethod
    def _index(at):
        return at.toordinal() // SPAN_DAYS

    def _span(self, index):
        if index not in self._spans:
            first = pytz.utc.localize(datetime.fromordinal(index * SPAN_DAYS))
            # Odoo leaves the holidays of other companies to the record rules
            holidays = [('time_type', '=', 'leave'), ('company_id', 'in', [False, self.company.id])]
            intervals = self.calendar._work_intervals_batch(
                first, first + timedelta(days=SPAN_DAYS), domain=holidays
            )[False]
            self._spans[index] = _naive(intervals)
        return self._spans[index]


class Presence:
    """Tells which of some users were at work, by their own calendars with their leaves, else by that
    of the company. Without a calendar one is always at work. Keeps what it has read, as
    :class:`WorkingHours` does. All times are naive UTC."""

    def __init__(self, users, company):
        self.users = users.sudo()
        self.company = company
        self._spans = {}

    def at_work(self, at):
        """Return the ids of those who were at work at this moment."""
        return [
            user_id
            for user_id, intervals in self._span(at.toordinal() // SPAN_DAYS).items()
            if intervals is None or any(start <= at < end for start, end in intervals)
        ]

    def _span(self, index):
        """Return the working intervals of each user in the span: dict user id → list of pairs, None
        for a user without a calendar."""
        if index not in self._spans:
            first = pytz.utc.localize(datetime.fromordinal(index * SPAN_DAYS))
            span = self._spans[index] = {}
            by_calendar = self.users.grouped(
                lambda user: user.resource_calendar_id or self.company.resource_calendar_id
            )
            for calendar, users in by_calendar.items():
                hours = calendar and calendar._work_intervals_batch(
                    first, first + timedelta(days=SPAN_DAYS), resources=users.resource_ids
                )
                for user in users:
                    span[user.id] = _naive(hours[user.resource_ids[:1].id]) if calendar else None
        return self._spans[index]


def _naive(intervals):
    return [
        tuple(moment.astimezone(pytz.utc).replace(tzinfo=None) for moment in interval[:2])
        for interval in intervals
    ]


class Openings:
    """The working hours of many calls. Each calendar is read once for each company."""

    def __init__(self):
        self._hours = {}

    def of(self, call):
        return self.of_number(call.number_id, call.lead_id, call.company_id)

    def of_number(self, number, lead, company):
        """Return the :class:`WorkingHours` of a company's number, else of its team, else of the
        deal's team, else of the company."""
        calendar = (
            number.resource_calendar_id
            or (number.team_id or lead.team_id).resource_calendar_id
            or company.resource_calendar_id
        )
        key = (calendar.id, company.id)
        if key not in self._hours:
            self._hours[key] = WorkingHours(calendar.sudo(), company)
        return self._hours[key]
