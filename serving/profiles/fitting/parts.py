"""Which requests a fit may look at. All others are known to it by arrival and lengths only, and are the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PartName = Literal["first", "last", "odd"]
PARTS: tuple[PartName, ...] = ("first", "last", "odd")


@dataclass(frozen=True, slots=True)
class Part:
    """`first` or `last` `share` of the requests by arrival, or every second one (`odd`, which has no share)."""

    name: PartName = "first"
    share: float = 0.5

    def mask(self, requests: int) -> NDArray[np.bool_]:
        """True for each request that is fitted; at least one is and one is not."""
        index = np.arange(requests)
        if self.name == "odd":
            return np.asarray(index % 2 == 1)
        count = min(requests - 1, max(1, round(requests * self.share)))
        return np.asarray(index < count if self.name == "first" else index >= requests - count)

    def in_words(self, requests: int) -> str:
        fitted = int(self.mask(requests).sum())
        which = "every second one" if self.name == "odd" else f"the {self.name} {fitted}"
        return f"{which} of {requests} requests by arrival"
