"""How many lines and people a load of calls needs: Erlang B, C and A by exact recursion.

A load is in erlangs: calls a second times the seconds that each takes. The recursions are the
textbook ones; they neither overflow nor need a table. Sources of the reference values:
`tests/test_erlang.py`.
"""

from __future__ import annotations

import math

# Nobody has more lines or people than this.
MOST = 10_000
# Terms of the sums of Erlang A that are still worth adding.
SMALLEST = 1e-12


def blocking(lines: int, load: float) -> float:
    """Return the share of calls that find all lines used (Erlang B): 1/B(n) = 1 + n/(a·B(n−1))."""
    return math.exp(log_blocking(lines, load))


def log_blocking(lines: int, load: float) -> float:
    """Return the natural logarithm of :func:`blocking`, for shares that are too small for a float."""
    if load <= 0:
        return 0.0 if lines == 0 else -math.inf
    # L(n) = ln(1/B(n)) = ln(1 + n/a · 1/B(n−1))
    inverse = 0.0
    for count in range(1, lines + 1):
        term = math.log(count / load) + inverse
        inverse = term + math.log1p(math.exp(-term)) if term > 0 else math.log1p(math.exp(term))
    return -inverse


def waiting(people: int, load: float) -> float:
    """Return the share of callers that have to wait, if nobody hangs up (Erlang C); 1 where the load
    is more than all can carry."""
    return math.exp(log_waiting(people, load))


def log_waiting(people: int, load: float) -> float:
    if load <= 0:
        return -math.inf
    if load >= people:
        return 0.0
    blocked = log_blocking(people, load)
    return math.log(people) + blocked - math.log(people - load * -math.expm1(blocked))


def service_level(people: int, load: float, seconds: float, handling: float) -> float:
    """Return the share of callers who are answered within `seconds`, if nobody hangs up.

    :param handling: seconds of talk and after-call work of a call
    """
    if load >= people:
        return 0.0
    return 1 - waiting(people, load) * math.exp(-(people - load) * seconds / handling)


def answer_seconds(people: int, load: float, handling: float) -> float:
    """Return the mean wait of all callers, if nobody hangs up; infinite where the load is more than
    all can carry."""
    return waiting(people, load) * handling / (people - load) if load < people else math.inf


def with_patience(
    people: int, load: float, handling: float, patience: float, seconds: float = 0
) -> tuple[float, float, float]:
    """Return what happens if callers hang up (Erlang A): the share of those who do, the mean wait of
    all, and the share that is answered within about `seconds`.

    :param patience: mean seconds after which a waiting caller hangs up
    """
    arrivals, serving, leaving = load / handling, 1 / handling, 1 / patience
    if not arrivals:
        return 0.0, 0.0, 1.0
    # probabilities relative to that of `people` busy and nobody waiting
    weight, below = 1.0, []
    for busy in range(people, 0, -1):
        weight *= busy * serving / arrivals
        below.append(weight)
        if weight < SMALLEST:
            break
    weight, queue, total, waiting_callers = 1.0, [1.0], 1.0, 0.0
    while len(queue) < MOST:
        waits = len(queue)
        weight *= arrivals / (people * serving + waits * leaving)
        queue.append(weight)
        total += weight
        waiting_callers += waits * weight
        if weight < SMALLEST * total:
            break
    total += sum(below)
    mean_queue = waiting_callers / total
    left = mean_queue * leaving / arrivals
    wait = mean_queue / arrivals
    # who finds k waiting is served after k+1 departures, each at the rate with so many waiting
    in_time = sum(below) / total
    for found, share in enumerate(queue):
        rate = people * serving + (found + 1) / 2 * leaving
        in_time += share / total * _within(found + 1, rate, seconds) * (1 - leaving / rate)
    return left, wait, min(in_time, 1.0)


def _within(count: int, rate: float, seconds: float) -> float:
    """Return the probability that `count` events of this rate come within `seconds`."""
    mean, term, rest = rate * seconds, math.exp(-rate * seconds), 0.0
    for index in range(count):
        rest += term
        term *= mean / (index + 1)
    return max(1 - rest, 0.0)


def people_for(
    load: float, handling: float, share: float, seconds: float, patience: float = 0
) -> int:
    """Return the least number of people with which `share` of the callers are answered within
    `seconds`: by Erlang C, or by Erlang A where the patience is known."""
    least = max(math.ceil(load), 1) if not patience else 1
    for people in range(least, MOST):
        level = (
            with_patience(people, load, handling, patience, seconds)[2]
            if patience
            else service_level(people, load, seconds, handling)
        )
        if level >= share:
            return people
    return MOST


def lines_for(load: float, most_blocked: float = 0.02) -> int:
    """Return the least number of lines on which at most this share of the calls is blocked."""
    inverse = 1.0
    for lines in range(MOST):
        if 1 / inverse <= most_blocked:
            return lines
        inverse = 1 + inverse * (lines + 1) / load if load else math.inf
    return MOST
