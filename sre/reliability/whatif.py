"""A what-if: every combination of spares, spot share and zones on the same simulated failures, and what one more buys.

Recommended is the option of least total expected cost (bill and known cost of failures) among those whose chance of a
month beyond its error budget is at most the accepted risk. None may be; then the least risky one is named instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise, product

from sre.errors import SreError
from sre.reliability.estimates import Settling, settling
from sre.reliability.fleet import Fleet
from sre.reliability.history import blocks_of
from sre.reliability.measured import Taken
from sre.reliability.months import Months, World, simulate_all
from sre.reliability.options import Economics, Option, option_of
from sre.reliability.sensitivity import Swing, swings

_MOST_REPLICA_MONTHS = 2_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `fleet` gives all that the options share; `risk` is the accepted chance of a month beyond its
    budget. `slo` names whose target it is.
    """

    fleet: Fleet
    spares: tuple[int, ...]
    spot_percents: tuple[int, ...]
    zones: tuple[int, ...]
    risk: float
    months: int
    days: int
    seed: int
    slo: str
    has_sensitivity: bool = True

    @property
    def hours(self) -> float:
        return self.days * 24.0

    def fleets(self) -> tuple[Fleet, ...]:
        """In order of zones, spot share, spares."""
        return tuple(
            replace(self.fleet, zones=zones, spot_percent=spot, spares=spares)
            for zones, spot, spares in product(self.zones, self.spot_percents, self.spares)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What more spares buy: from one option to the next with the same zones and spot share."""

    before: Option
    after: Option

    @property
    def costs(self) -> Decimal:
        """More on the bill, a month."""
        return self.after.money.bill - self.before.money.bill

    @property
    def saves(self) -> Decimal | None:
        """Less expected cost of failures, a month; None where it cannot be told."""
        old, new = self.before.money.failures, self.after.money.failures
        return None if old is None or new is None else old - new


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything a page shows. `chosen` is the recommended option, or without one the least risky; `taken` is what
    drills measured; `struck` are faults a month of `chosen` by their place in the book.
    """

    question: Question
    world: World
    economics: Economics
    taken: tuple[Taken, ...]
    options: tuple[Option, ...]
    chosen: Option
    is_kept: bool
    steps: tuple[Step, ...]
    swings: tuple[Swing, ...]
    settled: tuple[Settling, ...]
    struck: tuple[float, ...]

    @property
    def currency(self) -> str:
        return self.economics.prices.currency

    @property
    def ladder(self) -> tuple[Option, ...]:
        """The options with the zones and spot share of the chosen one, by spares."""
        fleet = self.chosen.fleet
        return tuple(
            one
            for one in self.options
            if (one.fleet.zones, one.fleet.spot_percent) == (fleet.zones, fleet.spot_percent)
        )


def answer(
    question: Question,
    world: World,
    economics: Economics,
    *,
    taken: Sequence[Taken] = (),
    on_progress: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Simulates every option. Same question and inputs: the same answer to the last digit."""
    _require_few(question)
    blocks = blocks_of(seed=question.seed, months=question.months, hours=question.hours)
    options = []
    for fleet in question.fleets():
        on_progress(fleet.name)
        options.append(option_of(fleet, simulate_all(fleet, world, blocks), economics))
    kept = [one for one in options if one.keeps(question.risk)]
    chosen = min(kept, key=_cheapest) if kept else min(options, key=_safest)
    months = simulate_all(chosen.fleet, world, blocks)
    moved = swings(chosen.fleet, world, blocks, economics.budget, on_progress) if question.has_sensitivity else ()
    found = Answer(
        *(question, world, economics, tuple(taken), tuple(options), chosen, bool(kept)),
        steps=(),
        swings=moved,
        settled=settling(months.bad, economics.budget),
        struck=_struck(months),
    )
    ladder = found.ladder
    return replace(found, steps=tuple(Step(a, b) for a, b in pairwise(ladder)))


def _require_few(question: Question) -> None:
    replicas = question.fleet.needed + max(question.spares)
    if question.months * replicas > _MOST_REPLICA_MONTHS:
        raise SreError(
            f"{question.months:,} months of {replicas:,} replicas are more than the "
            f"{_MOST_REPLICA_MONTHS:,} replica-months that are simulated: give fewer --months"
        )


def _cheapest(option: Option) -> tuple[Decimal, float]:
    return option.money.total, option.exceeded.value


def _safest(option: Option) -> tuple[float, Decimal]:
    return option.exceeded.value, option.money.total


def _struck(months: Months) -> tuple[float, ...]:
    return tuple(float(count) for count in months.by_cause)
