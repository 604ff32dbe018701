"""What is printed: a line for each figure, with its goal beside it."""

import statistics
from typing import NamedTuple


class Row(NamedTuple):
    """One figure. `goal` is text for the reader, `met` says whether it is reached; None where there
    is none."""

    bench: str
    what: str
    floor: str
    ours: str
    ratio: str = ''
    goal: str = ''
    met: bool | None = None


class Pair:
    """Floor and ours of the same rounds, and the median of each round's ratio."""

    def __init__(self):
        self.floor, self.ours = [], []

    def add(self, floor: float, ours: float) -> None:
        self.floor.append(floor)
        self.ours.append(ours)

    @property
    def ratio(self) -> float:
        return statistics.median(ours / floor for floor, ours in zip(self.floor, self.ours))

    def row(self, bench: str, what: str, unit: str, most: float = 0, least: float = 0) -> Row:
        ratio = self.ratio
        floor, ours = statistics.median(self.floor), statistics.median(self.ours)
        goal, met = (
            (f'<= {most}', ratio <= most)
            if most
            else (f'>= {least}', ratio >= least)
            if least
            else ('', None)
        )
        return Row(
            bench, what, f'{floor:.4g} {unit}', f'{ours:.4g} {unit}', f'{ratio:.2f}', goal, met
        )


def at_most(
    bench: str, what: str, ours: float, most: float, unit: str, floor: float | None = None
) -> Row:
    """A figure and the most that it may be; the floor stands beside it."""
    beside = ('', '') if floor is None else (f'{floor:.3g} {unit}', f'{ours / floor:.2f}')
    return Row(
        bench, what, beside[0], f'{ours:.3g} {unit}', beside[1], f'<= {most:g} {unit}', ours <= most
    )


def exactly(bench: str, what: str, count: int, wanted: int = 0) -> Row:
    """A count that has to be this one: nothing wrong, or all of so many."""
    return Row(
        bench, what, str(wanted), str(count), goal='all' if wanted else '0', met=count == wanted
    )


def nothing(bench: str, what: str, found: list[str]) -> Row:
    """Names, of which there may be none."""
    return Row(bench, what, '', ', '.join(found) or 'none', goal='none', met=not found)


def percentile(values: list[float], share: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def show(rows: list[Row]) -> str:
    lines = [('', 'path', 'floor', 'ours', 'ratio', 'goal', 'met')]
    lines += [(*row[:6], {True: 'yes', False: 'NO', None: ''}[row.met]) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)).join(('| ', ' |'))
        for line in lines
    ]
    return '\n'.join(
        [text[0], '|'.join(['', *('-' * (width + 2) for width in widths), '']), *text[1:]]
    )
