"""How often what breaks and how long it stays broken: the types of a rate book. Read by `sre.reliability.rates_reader`.

Rates are an hour of what they are counted by (`per`), times are hours. Every entry says whose number it is; nothing in
the model has a rate of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

Basis = Literal["published", "measured", "assumed"]
Hits = Literal["replica", "spot replica", "host", "zone", "spot in zone", "fleet"]
Per = Literal["gpu-hour", "hour", "rollout"]
Shape = Literal["lognormal", "exponential", "constant"]
HOURS_A_MONTH = 720.0


@dataclass(frozen=True, slots=True)
class Source:
    """Who says so. `hours` is what counts of events are divided by; None where the source counted none."""

    name: str
    title: str
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long one kind of outage lasts. `sigma` is the spread of a lognormal (standard deviation of the logarithm);
    of an exponential `median_h` is ln 2 x its mean. `starts`: the replica's cold start comes on top. `replaceable`:
    another machine may end it. `measured_by` are faults of drills whose recovery takes the place of `median_h`.
    """

    name: str
    title: str
    median_h: float
    shape: Shape
    sigma: float
    range_h: tuple[float, float]
    basis: Basis
    source: Source
    applies: str = ""
    starts: bool = False
    replaceable: bool = False
    measured_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultClass:
    """One kind of fault. `rate` is an hour of `per` (a chance where that is a rollout); `range` are factors on it.

    `loses` is the share of all traffic that is bad meanwhile, for what hits the fleet. `abrupt`: no drain comes before.
    """

    name: str
    title: str
    group: str
    hits: Hits
    per: Per
    rate: float
    range: tuple[float, float]
    recovery: str
    basis: Basis
    source: Source
    told: str
    loses: float = 1.0
    abrupt: bool = False
    applies: str = ""


@dataclass(frozen=True, slots=True)
class Failover:
    """Traffic lost at each abrupt loss of a replica: seconds of that replica's traffic."""

    lost_replica_s: float
    range_s: tuple[float, float]
    basis: Basis
    source: Source
    measured_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollouts:
    """Planned changes. Each takes the replicas out one after the other, unless a new one starts before (`surge`)."""

    a_month: float
    drain_s: float
    surge: bool
    basis: Basis
    source: Source


@dataclass(frozen=True, slots=True)
class SpotDiscount:
    """What spot saves, as a share of the on-demand price, where no price is known."""

    share: float
    basis: Basis
    source: Source


@dataclass(frozen=True, slots=True)
class RateBook:
    """Everything `sre whatif` knows of faults. `where` names the file it was read from."""

    where: str
    as_of: date
    faults: tuple[FaultClass, ...]
    recoveries: tuple[Recovery, ...]
    failover: Failover
    rollouts: Rollouts
    spot_discount: SpotDiscount

    def recovery(self, name: str) -> Recovery:
        """KeyError where it is not there; the reader refuses such a book."""
        for one in self.recoveries:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of faults, in order of first mention."""
        return tuple(dict.fromkeys(one.group for one in self.faults))

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everybody whose number is used, once."""
        used = [*(one.source for one in self.faults), *(one.source for one in self.recoveries)]
        used += [self.failover.source, self.rollouts.source, self.spot_discount.source]
        return tuple({source.name: source for source in used}.values())

    def an_hour(self, fault: FaultClass) -> float:
        """The rate an hour of what is hit or counted by; a rollout's chance times how often they come."""
        return fault.rate * self.rollouts.a_month / HOURS_A_MONTH if fault.per == "rollout" else fault.rate

    def scaled(self, groups: Collection[str], factor: Callable[[FaultClass], float]) -> RateBook:
        """The same with the rates of these groups times a factor; a chance stays a chance."""
        faults = (_scaled(one, factor(one)) if one.group in groups else one for one in self.faults)
        return replace(self, faults=tuple(faults))

    def with_recovery(self, changed: Recovery) -> RateBook:
        """The same with one recovery exchanged for that of the same name."""
        return replace(self, recoveries=tuple(changed if one.name == changed.name else one for one in self.recoveries))


def _scaled(fault: FaultClass, factor: float) -> FaultClass:
    rate = fault.rate * factor
    return replace(fault, rate=min(rate, 1.0) if fault.per == "rollout" else rate)


def hazard(share_a_month: float) -> float:
    """The hourly rate at which that share is hit within 720 h."""
    return -math.log1p(-share_a_month) / HOURS_A_MONTH
