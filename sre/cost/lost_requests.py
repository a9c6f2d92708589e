"""Requests that an incident cost, counted so that no request is counted twice.

A request belongs to the window (start, end] in which it ended, as counters see it, so windows that follow each other
add up. It is lost in one way only: rejected, failed (any other failure), or slow (answered, but beyond the limits).
Cancelled and invalid requests are the client's own doing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sre.incidents.model import FAILED_OUTCOMES


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended, by the client's own record. Latencies are None where it never got that far."""

    ended_at: float
    outcome: str
    ttft_s: float | None
    mean_gap_s: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on an answer is slow; None: that signal does not count. `source` says whose limits they are."""

    ttft_s: float | None
    mean_gap_s: float | None
    source: str

    def is_slow(self, answer: Answer) -> bool:
        """Whether a whole answer came later than either limit."""
        late = self.ttft_s is not None and answer.ttft_s is not None and answer.ttft_s > self.ttft_s
        gaps = self.mean_gap_s is not None and answer.mean_gap_s is not None and answer.mean_gap_s > self.mean_gap_s
        return late or gaps


@dataclass(frozen=True, slots=True)
class LostRequests:
    """Of `total` requests that ended in the window: three disjoint kinds of loss."""

    total: int
    failed: int
    rejected: int
    slow: int


def lost_requests(answers: Iterable[Answer], limits: Limits, *, start: float, end: float) -> LostRequests:
    """Counts over (start, end]."""
    total = failed = rejected = slow = 0
    for answer in answers:
        if not start < answer.ended_at <= end:
            continue
        total += 1
        rejected += answer.outcome == "rejected"
        failed += answer.outcome in FAILED_OUTCOMES and answer.outcome != "rejected"
        slow += answer.outcome == "ok" and limits.is_slow(answer)
    return LostRequests(total, failed, rejected, slow)
