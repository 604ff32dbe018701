"""How much a bench run measures: the whole, a short look, or only enough to see that every bench
still works."""

from typing import NamedTuple


class Size(NamedTuple):
    """One way to run the benches. Rounds are interleaved with the floor's; `seconds` are those of
    one stream of deliveries."""

    rounds: int
    seconds: float
    small: int  # contacts in the small database
    large: int  # contacts in the large one
    calls: int  # P9 to P12: calls of three years
    more_calls: int  # the same, to see growth
    ended: int  # P13: ended calls
    survivors: int  # P14: calls delivered while the server is killed
    lost_ends: int  # P16: calls whose end never came
    shots: int  # P8: cards in each round
    clients: tuple[int, ...]  # P8: pages that listen
    past_calls: int  # P8: the log beside which a card is measured
    late_calls: int  # late matches beside deliveries
    late_share: float  # of the seconds that late matches are watched
    copy: int  # R1, R2, R10: MB of a recording
    talk: int  # R6: seconds of sound


FULL = Size(
    7,
    1,
    100_000,
    1_000_000,
    1_000_000,
    5_000_000,
    10_000,
    500,
    10_000,
    6,
    (1, 20),
    100_000,
    10_000,
    1,
    100,
    600,
)
QUICK = Size(
    3,
    0.5,
    10_000,
    100_000,
    50_000,
    250_000,
    1_000,
    100,
    2_000,
    6,
    (1, 20),
    100_000,
    10_000,
    1,
    20,
    120,
)
SMOKE = Size(1, 0.1, 2_000, 2_000, 2_000, 4_000, 100, 10, 100, 1, (1,), 4_000, 100, 0.1, 1, 20)
