"""What moves one option most: each group of rates, each duration, the traffic lost at a failover, at both ends.

Every other input stays, and the failures of units that are not touched stay the very same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sre.reliability.fleet import Fleet
from sre.reliability.history import Histories
from sre.reliability.months import World, simulate_all
from sre.reliability.rates import FaultClass, RateBook
from sre.reliability.units import units_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """The mean share of bad requests, and the share of months beyond their budget."""

    bad: float
    exceeded: float


@dataclass(frozen=True, slots=True)
class Swing:
    """One input at its low and its high end; `low` and `high` say what those are."""

    name: str
    low: str
    high: str
    at_low: Outcome
    at_high: Outcome

    @property
    def width(self) -> float:
        """In share of bad requests."""
        return abs(self.at_high.bad - self.at_low.bad)


@dataclass(frozen=True, slots=True)
class _Lever:
    name: str
    ends: tuple[str, str]
    books: tuple[RateBook, RateBook]


def swings(
    fleet: Fleet,
    world: World,
    blocks: Sequence[Histories],
    budget: float,
    on_swing: Callable[[str], None] = lambda _: None,
) -> tuple[Swing, ...]:
    """The widest first. What cannot strike this fleet is left out."""
    found = []
    for lever in _levers(fleet, world.book):
        on_swing(lever.name)
        ends = [_outcome(fleet, replace(world, book=book), blocks, budget) for book in lever.books]
        found.append(Swing(lever.name, *lever.ends, *ends))
    return tuple(sorted(found, key=lambda swing: (-swing.width, swing.name)))


def _outcome(fleet: Fleet, world: World, blocks: Sequence[Histories], budget: float) -> Outcome:
    months = simulate_all(fleet, world, [block.fork() for block in blocks])
    return Outcome(float(months.bad.mean()), float((months.bad > budget).mean()))


def _levers(fleet: Fleet, book: RateBook) -> Iterator[_Lever]:
    causes = sorted({threat.cause for unit in units_of(fleet, book) for threat in unit.threats})
    striking = [book.faults[cause] for cause in causes]
    yield from _rates(book, striking)
    yield from _lasting(fleet, book, striking)
    lost = book.failover.range_s
    if lost[0] < lost[1]:
        low, high = (replace(book, failover=replace(book.failover, lost_replica_s=end)) for end in lost)
        yield _Lever("traffic lost at a failover", (f"{lost[0]:.3g} s", f"{lost[1]:.3g} s"), (low, high))


def _rates(book: RateBook, striking: Sequence[FaultClass]) -> Iterator[_Lever]:
    for group in dict.fromkeys(fault.group for fault in striking):
        lows, highs = zip(*(fault.range for fault in striking if fault.group == group), strict=True)
        if {*lows, *highs} == {1.0}:
            continue
        low = book.scaled([group], lambda fault: fault.range[0])
        high = book.scaled([group], lambda fault: fault.range[1])
        yield _Lever(f"rate: {group}", (_times(lows), _times(highs)), (low, high))


def _lasting(fleet: Fleet, book: RateBook, striking: Sequence[FaultClass]) -> Iterator[_Lever]:
    for name in dict.fromkeys(fault.recovery for fault in striking):
        recovery = book.recovery(name)
        low, high = recovery.range_h
        if low == high or (recovery.replaceable and fleet.replacement_h is not None):
            continue
        books = (
            book.with_recovery(replace(recovery, median_h=low)),
            book.with_recovery(replace(recovery, median_h=high)),
        )
        yield _Lever(f"median: {recovery.title}", (_hours(low), _hours(high)), books)


def _times(factors: Sequence[float]) -> str:
    low, high = min(factors), max(factors)
    return f"x {low:g}" if low == high else f"x {low:g} to {high:g}"


def _hours(hours: float) -> str:
    return f"{hours:.3g} h" if hours >= 1 else f"{hours * 60:.3g} min" if hours >= 1 / 60 else f"{hours * 3600:.3g} s"
