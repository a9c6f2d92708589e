"""What a simulated figure is worth: 95 % intervals of the simulation's own error, and how the estimate settled.

Means by the normal approximation, shares by Wilson's interval, quantiles by the order statistics whose ranks lie 1.96
standard deviations of a binomial apart. They say nothing about rates that are wrong: the sensitivity does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sre.reliability.durations import Floats

Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Settling:
    """The estimates after the first `months` simulated months."""

    months: int
    exceeded: Estimate
    bad: Estimate


def mean_of(values: Floats) -> Estimate:
    """The mean of independent months."""
    mean = float(values.mean())
    error = Z * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(mean, mean - error, mean + error)


def share_of(hits: int, count: int) -> Estimate:
    """A share of independent months; the interval is not empty at 0 and at 1."""
    share, square = hits / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return Estimate(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def quantile_of(values: Floats, share: float) -> Estimate:
    """The value below which a share of the months lies."""
    ordered, count = np.sort(values), len(values)
    half = Z * math.sqrt(count * share * (1 - share))
    ends = [ordered[min(count - 1, max(0, round(count * share + step)))] for step in (-half, half)]
    return Estimate(float(np.quantile(ordered, share)), float(ends[0]), float(ends[1]))


def settling(bad: Floats, budget: float) -> tuple[Settling, ...]:
    """After 1, 2 and 5 times each power of ten from 100 months on, and after all."""
    steps = [factor * 10**power for power in range(2, 7) for factor in (1, 2, 5)]
    counts = [*(step for step in steps if step < len(bad)), len(bad)]
    return tuple(
        Settling(count, share_of(int((bad[:count] > budget).sum()), count), mean_of(bad[:count])) for count in counts
    )
