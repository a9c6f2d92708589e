"""What the game-day programme returns: the inputs of the simulation and its results. Money a year, in one currency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sre.cost.finance import CreditStep
from sre.cost.provenance import Input

NAMES = (
    "incidents_without",
    "incidents_with",
    "minutes_without",
    "minutes_with",
    "share_lost",
    "requests_a_month",
    "good_request",
    "responders_hour",
    "follow_up",
    "drills_a_month",
    "drill_cost",
    "fixed_cost",
    "monthly_fee",
)


@dataclass(frozen=True, slots=True)
class RoiInputs:
    """Each with its range. `responders_hour` is what an hour of all who respond costs, `follow_up` the labour after one
    incident, `drill_cost` one drill whole. `monthly_fee` None: no credits are promised, `credit_steps` is empty.
    """

    currency: str
    incidents_without: Input
    incidents_with: Input
    minutes_without: Input
    minutes_with: Input
    share_lost: Input
    requests_a_month: Input
    good_request: Input
    responders_hour: Input
    follow_up: Input
    drills_a_month: Input
    drill_cost: Input
    fixed_cost: Input | None = None
    monthly_fee: Input | None = None
    credit_steps: tuple[CreditStep, ...] = ()

    def given(self) -> tuple[tuple[str, Input], ...]:
        """(field, input) of those that are there, in the order of `NAMES`."""
        found = ((name, getattr(self, name)) for name in NAMES)
        return tuple((name, one) for name, one in found if one is not None)

    def fixed_at(self, name: str, value: Decimal) -> RoiInputs:
        """The same with one input known for sure."""
        given: Input = getattr(self, name)
        changed: Any = {name: replace(given, value=value, low=value, high=value)}
        return replace(self, **changed)


@dataclass(frozen=True, slots=True)
class Band:
    """Percentiles over the simulated years, and their mean."""

    p10: Decimal
    p50: Decimal
    p90: Decimal
    mean: Decimal


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Incidents a year that must be avoided altogether, or shortened as the inputs say, for the programme to pay.

    From the means of the inputs (closed form) and from the simulated years; None where one saves nothing.
    """

    avoided: Decimal | None
    avoided_simulated: Decimal | None
    shortened: Decimal | None
    shortened_simulated: Decimal | None


@dataclass(frozen=True, slots=True)
class Swing:
    """What one input does to the mean net benefit while all others keep their ranges: at its low and its high end."""

    name: str
    given: Input
    at_low: Decimal
    at_high: Decimal

    @property
    def width(self) -> Decimal:
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class Roi:
    """A year of the programme. `chance_positive` is the share of simulated years in which it paid, `standard_error` how
    sure that share is; `ratio` net benefit / cost, by their means; None when the programme costs nothing. `bins` are
    (from, to, years) of the net benefit; `swings` by width.
    """

    currency: str
    seed: int
    years: int
    cost: Band
    benefit: Band
    net: Band
    chance_positive: Decimal
    standard_error: Decimal
    ratio: Decimal | None
    incident_without: Decimal
    incident_with: Decimal
    break_even: BreakEven
    swings: tuple[Swing, ...]
    bins: tuple[tuple[Decimal, Decimal, int], ...]
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    has_credits: bool = False
