"""The triangular distribution of (low, mode, high): all that people can say of a number they guess.

Its quantiles need a square root and nothing else, which every machine rounds alike, so a seeded simulation gives the
same bytes everywhere; a PERT distribution needs a beta quantile and would not. Source of the formulas: Evans, Hastings,
Peacock, Statistical Distributions, chapter on the triangular distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.cost.provenance import Input

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Triangular:
    """low <= mode <= high; all equal is a constant."""

    low: float
    mode: float
    high: float

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3

    def quantile(self, u: Floats) -> Floats:
        """The value below which a share `u` (in [0, 1)) lies."""
        width = self.high - self.low
        if width <= 0:
            return np.full_like(u, self.mode)
        split = (self.mode - self.low) / width
        left = self.low + np.sqrt(u * width * (self.mode - self.low))
        right = self.high - np.sqrt((1 - u) * width * (self.high - self.mode))
        return np.where(u < split, left, right)

    def above(self, x: Floats) -> Floats:
        """The share that lies above `x`."""
        width = self.high - self.low
        if width <= 0:
            return np.where(x < self.mode, 1.0, 0.0)
        split = (self.mode - self.low) / width
        part = (np.clip(x, self.low, self.high) - self.low) / width
        left, right = np.minimum(part, split), np.minimum(1 - part, 1 - split)
        rising = 1 - left * (left / split) if split > 0 else np.ones_like(part)
        falling = right * (right / (1 - split)) if split < 1 else np.zeros_like(part)
        return np.where(part < split, rising, falling)


def triangular(given: Input) -> Triangular:
    """The distribution of an input: its value is the mode, its bounds the ends."""
    low, high = given.bounds
    return Triangular(float(low), float(given.value), float(high))
