"""What happens when: a heap of moments, and what comes first among those of one instant.

Arrivals are not in it: there are millions, they are in order already, and each comes before all else of its instant.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[int], None]
FAULT, READY, JOIN, STEP, RETRY, LOOK, SCRAPE, SYNC = range(8)
"""Kinds of moments, in the order in which they happen within one nanosecond."""


class Agenda:
    """Moments as (at_ns, kind, index, number, action): within a kind the lower index goes first, then the older entry.

    The end of a replica's steps has its index and no action.
    """

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, int, int, Action | None]] = []
        self._pushed = 0

    def at(self, at_ns: int, kind: int, action: Action, *, index: int = 0) -> None:
        """Call `action(at_ns)` then."""
        self._pushed += 1
        heappush(self.heap, (at_ns, kind, index, self._pushed, action))

    def step(self, at_ns: int, index: int) -> None:
        """The steps under way of the replica with that index end then."""
        self._pushed += 1
        heappush(self.heap, (at_ns, STEP, index, self._pushed, None))

    def pop(self) -> tuple[int, int, int, int, Action | None]:
        return heappop(self.heap)
