"""One option of a what-if as its readers compare it: availability, risk and money of a fleet over simulated months."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from sre.cost.finance import Finance
from sre.reliability.estimates import Estimate, mean_of, quantile_of, share_of
from sre.reliability.fleet import Fleet
from sre.reliability.money import GpuPrices, Money, money_of
from sre.reliability.months import Months

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Economics:
    """What an option is priced with. `target` is the availability that the month's error budget is 1 minus of."""

    prices: GpuPrices
    finance: Finance
    target: float
    hours: float

    @property
    def budget(self) -> float:
        """As written in decimals: in binary 1 - 0.9 is less than 0.1."""
        return float(1 - Decimal(str(self.target)))


@dataclass(frozen=True, slots=True)
class Option:
    """`bad` is the mean share of requests that are bad, `worst` the availability that 5 % of the months lie below,
    `exceeded` the chance that a month spends more than its error budget. Counts and hours are means of a month.
    `bad_quantiles` are at `QUANTILES`.
    """

    fleet: Fleet
    bad: Estimate
    worst: Estimate
    exceeded: Estimate
    failures: float
    episodes: float
    short_h: float
    down_h: float
    lost_by: tuple[tuple[str, float], ...]
    bad_quantiles: tuple[float, ...]
    money: Money

    @property
    def availability(self) -> float:
        return 1.0 - self.bad.value

    def keeps(self, risk: float) -> bool:
        """Whether the chance of a month beyond its budget is at most that."""
        return self.exceeded.value <= risk


def option_of(fleet: Fleet, found: Months, economics: Economics) -> Option:
    """The figures of one simulated fleet."""
    bad = found.bad
    return Option(
        fleet=fleet,
        bad=mean_of(bad),
        worst=quantile_of(found.availability, 0.05),
        exceeded=share_of(int((bad > economics.budget).sum()), len(bad)),
        failures=float(found.failures.mean()),
        episodes=float(found.episodes.mean()),
        short_h=float(found.short_h.mean()),
        down_h=float(found.down_h.mean()),
        lost_by=found.lost_by,
        bad_quantiles=tuple(float(value) for value in np.quantile(bad, QUANTILES)),
        money=money_of(fleet, found, economics.prices, economics.finance, hours=economics.hours),
    )
