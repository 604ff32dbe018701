"""Decides which deal a call is about: what speaks for each, and whether one is clearly ahead. Takes
and returns plain values; the matcher reads them and finds the words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

# How near a deal is to the caller; each deal has exactly one of these.
NEARNESS = ('number', 'person', 'firm', 'colleague')
# The deal of a caller's colleague is linked only for one of these, however many weak reasons add up.
STRONG = {'choice', 'owner'}
# Days since the last contact, at most, and the share of the weight that counts then.
RECENT = ((3, 1), (14, 1 / 2), (30, 1 / 4))
REMEMBERED_DAYS = RECENT[-1][0]
# Days until a callback or activity is due, at most, and the share of the weight that counts then. One
# that is long overdue was forgotten and counts nothing.
PLANNED = ((-15, 0), (1, 1), (14, 1 / 2))


class Called(NamedTuple):
    """Source, campaign and team of the number that was called: ids or None."""

    source: int | None = None
    campaign: int | None = None
    team: int | None = None


class Deal(NamedTuple):
    """An open deal and what is known of it; ids, None where there is none. `user` is its
    salesperson, `contact` its contact (None where archived), `firm` that one's commercial entity.
    Moments are naive UTC."""

    id: int
    number: str | None = None
    contact: int | None = None
    firm: int | None = None
    user: int | None = None
    source: int | None = None
    campaign: int | None = None
    team: int | None = None
    probability: float = 0
    amount: float = 0
    contacted_at: datetime | None = None
    contacted_by: str = ''
    due_at: datetime | None = None
    due_what: str = ''
    has_quotation: bool = False


class Asked(NamedTuple):
    """The call: its number, the contacts who have the number, their commercial entities, the user
    who talked, the called number, the deal that was chosen before, and whether a person said that
    the number is this contact's alone."""

    number: str
    contacts: frozenset[int] = frozenset()
    firms: frozenset[int] = frozenset()
    user: int | None = None
    called: Called = Called()
    chosen: int | None = None
    is_said: bool = False


class Scored(NamedTuple):
    """A deal with its points: dict code → weight, of the reasons that apply."""

    deal: Deal
    points: Mapping[str, int]

    @property
    def score(self) -> int:
        return sum(self.points.values())

    @property
    def is_far(self) -> bool:
        """Return whether the deal is only a colleague's of the caller, and neither its salesperson
        nor a choice speaks for it."""
        return 'colleague' in self.points and not STRONG & set(self.points)


def nearness(deal: Deal, asked: Asked) -> str:
    """Return the code of NEARNESS that says how near a deal is to the caller.

    Anybody of a company may speak behind the company's own line, so all its deals are equally near.
    Once a person has said whose number it is, deals of others with the number are no nearer than
    those without.
    """
    if deal.number == asked.number and not (
        asked.is_said and deal.contact and deal.contact not in asked.contacts
    ):
        return 'number'
    if deal.id == asked.chosen or not asked.contacts or {deal.contact, deal.firm} & asked.contacts:
        return 'person'
    return 'firm' if deal.contact in asked.firms else 'colleague'


def rank(
    deals: list[Deal], asked: Asked, weights: Mapping[str, int], now: datetime
) -> list[Scored]:
    """Return the deals with their points, best first; of equals the newest first."""
    amounts = sorted((deal.amount for deal in deals), reverse=True)
    highest = amounts[0] if len(amounts) > 1 and amounts[0] > amounts[1] else None
    scored = [Scored(deal, _points(deal, asked, weights, now, highest)) for deal in deals]
    return sorted(scored, key=lambda rated: (rated.score, rated.deal.id), reverse=True)


def winner(ranked: list[Scored], margin: int) -> Scored | None:
    """Return the deal that a call may be linked to without asking, or None.

    It is the only one, or ahead of the next by the margin, and never a far one.
    """
    if not ranked or ranked[0].is_far:
        return None
    if len(ranked) == 1 or ranked[0].score - ranked[1].score >= max(margin, 1):
        return ranked[0]
    return None


def _points(
    deal: Deal, asked: Asked, weights: Mapping[str, int], now: datetime, highest: float | None
) -> dict[str, int]:
    def same(value, other):
        return value is not None and value == other

    shares = {
        nearness(deal, asked): 1,
        'choice': deal.id == asked.chosen,
        'owner': same(deal.user, asked.user),
        'campaign': same(deal.campaign, asked.called.campaign),
        'source': same(deal.source, asked.called.source),
        'team': same(deal.team, asked.called.team),
        'planned': _share(PLANNED, (deal.due_at - now) / timedelta(days=1)) if deal.due_at else 0,
        'recent': _share(RECENT, (now - deal.contacted_at) / timedelta(days=1))
        if deal.contacted_at
        else 0,
        'quotation': deal.has_quotation,
        'probability': deal.probability / 100,
        'amount': same(deal.amount, highest),
    }
    # nearness is told even where its weight is 0: all that follows depends on it
    points = {code: round(weights.get(code, 0) * share) for code, share in shares.items()}
    return {code: weight for code, weight in points.items() if weight or code in NEARNESS}


def _share(steps, days: float) -> float:
    """Return how much of the weight counts after so many days."""
    return next((share for most, share in steps if days <= most), 0)
