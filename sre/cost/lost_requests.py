"""Requests that an incident cost, counted so that no request is counted twice.

A request belongs to the window (start, end] in which it ended, as counters see it, so windows that follow each other
add up. It is lost in one way only: rejected, failed (any other failure), or slow (answered, but beyond the limits).
Cancelled and invalid requests are the client's own doing. Columns, since a drill may have 100,000 requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.incidents.model import FAILED_OUTCOMES

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """How requests ended, by the clients' own records, an entry each. Latencies are NaN where it never got that far."""

    ended_at: Floats
    outcome: NDArray[np.str_]
    ttft_s: Floats
    mean_gap_s: Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry."""

    ended_at: float
    outcome: str
    ttft_s: float | None
    mean_gap_s: float | None


def answers(rows: Sequence[Answer]) -> Answers:
    """As columns."""
    return Answers(
        np.array([row.ended_at for row in rows], dtype=np.float64),
        np.array([row.outcome for row in rows], dtype=np.str_),
        np.array([row.ttft_s for row in rows], dtype=np.float64),
        np.array([row.mean_gap_s for row in rows], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on an answer is slow; None: that signal does not count. `source` says whose limits they are."""

    ttft_s: float | None
    mean_gap_s: float | None
    source: str

    def are_passed(self, found: Answers) -> NDArray[np.bool_]:
        """Of each answer, whether it came later than either limit; what is NaN passed none."""
        late = found.ttft_s > (np.inf if self.ttft_s is None else self.ttft_s)
        gaps = found.mean_gap_s > (np.inf if self.mean_gap_s is None else self.mean_gap_s)
        return late | gaps


@dataclass(frozen=True, slots=True)
class LostRequests:
    """Of `total` requests that ended in the window: three disjoint kinds of loss, and those answered well."""

    total: int
    failed: int
    rejected: int
    slow: int
    good: int


def lost_requests(found: Answers, limits: Limits, *, start: float, end: float) -> LostRequests:
    """Counts over (start, end]."""
    inside = (found.ended_at > start) & (found.ended_at <= end)
    answered, slow = found.outcome == "ok", limits.are_passed(found)
    failed = np.isin(found.outcome, sorted(FAILED_OUTCOMES - {"rejected"}))
    return LostRequests(
        total=int(inside.sum()),
        failed=int((inside & failed).sum()),
        rejected=int((inside & (found.outcome == "rejected")).sum()),
        slow=int((inside & answered & slow).sum()),
        good=int((inside & answered & ~slow).sum()),
    )
