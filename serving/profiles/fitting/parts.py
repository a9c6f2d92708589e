"""Which requests a fit may look at. All others are known to it by arrival and lengths only, and are the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PartName = Literal["first", "last", "odd"]
PARTS: tuple[PartName, ...] = ("odd", "first", "last")
MOST_FITTED = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """`first` or `last` `share` of the requests by arrival, or every second one (`odd`, which has no share).

    Of a long log no more than `most` are taken, `odd` ones among the first 2 x `most`: in a fit each is replayed
    hundreds of times.
    """

    name: PartName = "odd"
    share: float = 0.5
    most: int = MOST_FITTED

    def mask(self, requests: int) -> NDArray[np.bool_]:
        """True for each request that is fitted; at least one is and one is not."""
        index = np.arange(requests)
        if self.name == "odd":
            return np.asarray((index % 2 == 1) & (index < 2 * self.most))
        count = min(requests - 1, self.most, max(1, round(requests * self.share)))
        return np.asarray(index < count if self.name == "first" else index >= requests - count)

    def in_words(self, requests: int) -> str:
        fitted = int(self.mask(requests).sum())
        if self.name != "odd":
            return f"the {self.name} {fitted:,} of {requests:,} requests by arrival"
        among = f"the first {2 * self.most:,} of " if requests > 2 * self.most else ""
        return f"every second one of {among}{requests:,} requests by arrival"
