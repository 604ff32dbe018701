"""Periods of whole local days, and what came before them. Pure; times are aware or said to be naive
UTC."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import pytz

# The names of periods that :func:`period_of` knows.
NAMED = (
    'today',
    'yesterday',
    'this_week',
    'last_week',
    'this_month',
    'last_month',
    'days_7',
    'days_30',
    'days_90',
)
# A longer period is shown by weeks, without the one before.
MOST_DAYS = 92
LONGEST_DAYS = 3 * 366


class Period(NamedTuple):
    """Whole local days, the last one included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def bounds(self, zone) -> tuple[datetime, datetime]:
        """Return the beginning of the first day and the end of the last one as naive UTC, each with
        the offset that it has itself.

        :param zone: pytz
        """
        return midnight(self.first, zone), midnight(self.last + timedelta(days=1), zone)

    def dates(self) -> list[date]:
        return [self.first + timedelta(days=day) for day in range(self.days)]

    def before(self) -> Period:
        """Return the period to compare with: as many days, moved back by the least number of whole
        weeks that avoids an overlap, so that weekdays meet weekdays. A single day: a week before."""
        back = timedelta(days=-(-self.days // 7) * 7)
        return Period(self.first - back, self.last - back)


def around(day: date, weeks: int) -> tuple[Period, Period]:
    """Return what to compare after something has changed on a day: so many whole weeks that end before
    it, and as many that begin a week after it. The first week is left out, because people are still
    getting used to the change."""
    length, eve = timedelta(weeks=weeks), timedelta(days=-1)
    after = day + timedelta(weeks=1)
    return Period(day - length, day + eve), Period(after, after + length + eve)


def midnight(day: date, zone) -> datetime:
    """Return the beginning of a local day as naive UTC. Where the clock skips midnight, the day
    begins at the first moment that exists."""
    local = datetime.combine(day, time.min)
    try:
        moment = zone.localize(local, is_dst=None)
    except pytz.AmbiguousTimeError:
        moment = zone.localize(local, is_dst=True)
    except pytz.NonExistentTimeError:
        moment = zone.localize(local, is_dst=False)  # as the clock went before it skips
    return moment.astimezone(pytz.utc).replace(tzinfo=None)


def period_of(name: str, today: date) -> Period:
    """Return a named period as seen on a local day.

    :raise ValueError: there is no such name
    """
    day = timedelta(days=1)
    monday = today - today.weekday() * day
    month = today.replace(day=1)
    if name not in NAMED:
        raise ValueError(name)
    if name.startswith('days_'):
        return Period(today - (int(name[5:]) - 1) * day, today)
    return {
        'today': Period(today, today),
        'yesterday': Period(today - day, today - day),
        'this_week': Period(monday, today),
        'last_week': Period(monday - 7 * day, monday - day),
        'this_month': Period(month, today),
        'last_month': Period((month - day).replace(day=1), month - day),
    }[name]
