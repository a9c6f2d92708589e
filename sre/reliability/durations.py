"""How long an outage lasts: a lognormal, an exponential or a constant, plus the cold start that follows.

`residual` is what is left of an outage that is under way at a random moment: a length-biased one, times a uniform
(renewal theory; Cox, Renewal Theory, 1962, section 5.4). With it a simulated month begins in the steady state, without
a warm-up. A length-biased lognormal (mu, sigma) is the lognormal (mu + sigma^2, sigma), an exponential a gamma of 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.reliability.rates import Recovery, Shape

Floats = NDArray[np.float64]
_LN2 = math.log(2)


@dataclass(frozen=True, slots=True)
class Duration:
    """Hours: a part by `shape` with this median and spread, plus `shift_h` that is always there."""

    shape: Shape
    median_h: float
    sigma: float = 0.0
    shift_h: float = 0.0

    @property
    def mean_h(self) -> float:
        return self._part_mean_h + self.shift_h

    @property
    def _part_mean_h(self) -> float:
        if self.shape == "exponential":
            return self.median_h / _LN2
        return self.median_h * math.exp(self.sigma**2 / 2) if self.shape == "lognormal" else self.median_h

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """`count` new outages, hours."""
        return self._part(rng, count) + self.shift_h

    def residual(self, rng: np.random.Generator, count: int) -> Floats:
        """What is left of `count` outages that are under way at a random moment, hours."""
        biased, plain = self._biased(rng, count), self._part(rng, count)
        share = self._part_mean_h / self.mean_h if self.mean_h > 0 else 1.0
        whole = np.where(rng.random(count) < share, biased, plain) + self.shift_h
        left: Floats = whole * rng.random(count)
        return left

    def _part(self, rng: np.random.Generator, count: int) -> Floats:
        if self.shape == "exponential":
            return rng.exponential(self.median_h / _LN2, count)
        if self.shape == "constant":
            return np.full(count, self.median_h)
        drawn: Floats = self.median_h * np.exp(self.sigma * rng.standard_normal(count))
        return drawn

    def _biased(self, rng: np.random.Generator, count: int) -> Floats:
        if self.shape == "exponential":
            return rng.gamma(2.0, self.median_h / _LN2, count)
        if self.shape == "constant":
            return np.full(count, self.median_h)
        drawn: Floats = self.median_h * np.exp(self.sigma**2 + self.sigma * rng.standard_normal(count))
        return drawn


def duration_of(recovery: Recovery, *, cold_start_h: float, replacement_h: float | None) -> Duration:
    """A recovery where a replica takes `cold_start_h` to start, and another machine comes within `replacement_h`
    (None: the machine itself has to come back).
    """
    shift = cold_start_h if recovery.starts else 0.0
    if recovery.replaceable and replacement_h is not None:
        return Duration("constant", replacement_h, 0.0, shift)
    return Duration(recovery.shape, recovery.median_h, recovery.sigma, shift)
