"""Which hours of the week are the best to reach customers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import sqrt

# Fewer calls say nothing about an hour.
LEAST_CALLS = 20
MOST_NAMED = 3
# A customer's own hour is the one at which they have answered so often; it says more than all others do.
LEAST_ANSWERS = 2
# Of so many standard deviations is an interval that holds the truth 95 times of 100.
Z = 1.96


def least_share(part: int, whole: int) -> float:
    """Return the share that is at least behind `part` of `whole` (the lower bound of Wilson's interval):
    9 of 20 promise less than 90 of 200."""
    share = part / whole
    middle = share + Z**2 / (2 * whole)
    half = Z * sqrt(share * (1 - share) / whole + Z**2 / (4 * whole**2))
    return (middle - half) / (1 + Z**2 / whole)


def best_hours(hours: Iterable[Mapping]) -> list[Mapping]:
    """Return the hours of the week in which most customers were reached, the best first. An hour with
    few calls is left out, and so is one in which nobody was reached.

    :param hours: `weekday`, `hour`, `dialled`, `reached`
    """
    enough = [hour for hour in hours if hour['dialled'] >= LEAST_CALLS and hour['reached']]
    return sorted(
        enough,
        key=lambda hour: (
            -least_share(hour['reached'], hour['dialled']),
            hour['weekday'],
            hour['hour'],
        ),
    )[:MOST_NAMED]


def own_hour(hours: Iterable[int]) -> int | None:
    """Return the local hour at which a customer answers, None as long as no hour has answers enough.

    :param hours: of their answers; of two that are as good the one of the first answer
    """
    [(hour, answers)] = Counter(hours).most_common(1) or [(None, 0)]
    return hour if answers >= LEAST_ANSWERS else None
