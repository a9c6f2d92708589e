"""A sweep judged: which configurations nobody beats, which is the cheapest that meets the target, why others failed.

The front is over cost of a million good tokens (less is better) and share of good requests (more is better), among
the configurations that were played over the whole time. A configuration is dominated when another is at least as good
in both and better in one; of equal ones the one with the earlier first tokens stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sre.cost.model import Price
from sre.errors import BadDocument
from sre.platforms.simulation import SimulationSummary, Sweep, SweepPoint
from sre.reports.formats import percent
from sre.reports.simulation.money import SimulatedBill, bill_of


@dataclass(frozen=True, slots=True)
class JudgedPoint:
    """A point with its money. `reason` says why it is no choice; "" for one that meets the target."""

    point: SweepPoint
    bill: SimulatedBill | None
    reason: str
    on_front: bool

    @property
    def summary(self) -> SimulationSummary | None:
        return self.point.summary

    @property
    def attainment(self) -> float | None:
        return None if self.point.summary is None else self.point.summary.attainment

    @property
    def cost(self) -> Decimal | None:
        """Of a million good tokens."""
        return None if self.bill is None else self.bill.per_million_good_tokens


@dataclass(frozen=True, slots=True)
class SweepReport:
    """A sweep judged. `cheapest` meets the target at the least cost of a good token; None when none does."""

    sweep: Sweep
    points: tuple[JudgedPoint, ...]
    cheapest: JudgedPoint | None
    currency: str

    @property
    def front(self) -> tuple[JudgedPoint, ...]:
        """Cheapest first."""
        return tuple(sorted((one for one in self.points if one.on_front), key=lambda one: one.cost or Decimal(0)))

    @property
    def missing(self) -> tuple[JudgedPoint, ...]:
        """Those that could not be played, or not to the end, in the sweep's order."""
        return tuple(one for one in self.points if one.summary is None or one.point.fidelity < 1)

    @property
    def margin(self) -> float | None:
        """By how much the cheapest is above the target, as a share of requests."""
        if self.cheapest is None or self.cheapest.attainment is None:
            return None
        return self.cheapest.attainment - self.sweep.target


def price_in(book: Sequence[Price], summary: SimulationSummary) -> float | None:
    """Cost of a million good tokens, for a search; None without a price or a good token."""
    try:
        cost = bill_of(summary, book).per_million_good_tokens
    except BadDocument:
        return None
    return None if cost is None else float(cost)


def judge_sweep(sweep: Sweep, book: Sequence[Price]) -> SweepReport:
    """Money, front and failures."""
    found = [_judged(point, sweep.target, book) for point in sweep.points]
    front = front_of([(one.cost if _comparable(one) else None, one.attainment, _first_token(one)) for one in found])
    points = tuple(JudgedPoint(one.point, one.bill, one.reason, number in front) for number, one in enumerate(found))
    able = [one for one in points if not one.reason and one.cost is not None]
    cheapest = min(able, key=lambda one: (one.cost, -(one.attainment or 0.0), _first_token(one)), default=None)
    currency = next((one.bill.currency for one in points if one.bill is not None), "USD")
    return SweepReport(sweep, points, cheapest, currency)


def _judged(point: SweepPoint, target: float, book: Sequence[Price]) -> JudgedPoint:
    if point.summary is None:
        return JudgedPoint(point, None, point.reason, on_front=False)
    try:
        bill = bill_of(point.summary, book)
    except BadDocument as error:
        return JudgedPoint(point, None, str(error), on_front=False)
    share = point.summary.attainment
    if point.fidelity < 1:
        seen = f"left by the search after {point.fidelity:.0%} of the time ({percent(share)} good there)"
        return JudgedPoint(point, bill, seen, on_front=False)
    if share is None or share < target:
        reason = f"misses the target: {percent(share)} good of {percent(target)}"
        return JudgedPoint(point, bill, reason, on_front=False)
    return JudgedPoint(point, bill, "", on_front=False)


def _first_token(one: JudgedPoint) -> float:
    """The 99th percentile: what decides between equals."""
    found = None if one.summary is None else one.summary.overall.ttft.p99
    return float("inf") if found is None else found


def _comparable(one: JudgedPoint) -> bool:
    return one.point.fidelity == 1 and one.cost is not None and one.attainment is not None


def front_of(points: Sequence[tuple[Decimal | None, float | None, float]]) -> frozenset[int]:
    """Indices of (cost, share, tie) that no other dominates; those with None are no candidates. Of those that are equal
    in cost and share the one with the least `tie` stays, then the first.
    """
    known = [
        (cost, -share, tie, number)
        for number, (cost, share, tie) in enumerate(points)
        if cost is not None and share is not None
    ]
    front = set()
    best = float("inf")
    for _, missed, _, number in sorted(known):
        if missed < best:
            front.add(number)
            best = missed
    return frozenset(front)
