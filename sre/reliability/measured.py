"""Recoveries and lost requests that this workspace's own drills measured, in the place of assumed ones.

Drills time the short outages (a process that dies or hangs); nobody drills a burnt GPU, so repairs stay as published.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median, stdev

from sre.reliability.rates import Failover, RateBook, Recovery, Source

FEWEST_FOR_SPREAD = 3
_RULE_OF_THREE = 3.0


@dataclass(frozen=True, slots=True)
class Drill:
    """What one drill measured. `faults` are those injected; `recovery_s` from the fault until its target served again;
    `bad` of `requests` that ended meanwhile failed or were refused, at `rate_rps` over `replicas`.
    """

    report: str
    faults: tuple[str, ...]
    recovery_s: float | None
    bad: int
    requests: int
    rate_rps: float
    replicas: int

    @property
    def lost_replica_s(self) -> float | None:
        """Bad requests in seconds of one replica's traffic; None where none was offered."""
        return self.bad * self._one_request_s if self.rate_rps > 0 and self.requests else None

    @property
    def most_lost_replica_s(self) -> float | None:
        """The most that this few requests can rule out: where none of n failed, 3 of n may (rule of three)."""
        if self.rate_rps <= 0 or not self.requests:
            return None
        return max(float(self.bad), _RULE_OF_THREE) * self._one_request_s

    @property
    def _one_request_s(self) -> float:
        return self.replicas / self.rate_rps


@dataclass(frozen=True, slots=True)
class Taken:
    """One assumed figure that a measured one took the place of, in words."""

    what: str
    assumed: str
    measured: str
    drills: tuple[str, ...]


def with_drills(book: RateBook, drills: Sequence[Drill]) -> tuple[RateBook, tuple[Taken, ...]]:
    """The book with what drills measured, and what was taken from them; unchanged where they measured nothing."""
    taken: list[Taken] = []
    for recovery in book.recoveries:
        used = [drill for drill in drills if _is_about(drill, recovery.measured_by) and drill.recovery_s]
        if used:
            changed = _recovery(recovery, used)
            book = book.with_recovery(changed)
            taken.append(_taken(recovery.title, recovery.median_h * 3600, changed.median_h * 3600, used))
    about = [drill for drill in drills if _is_about(drill, book.failover.measured_by)]
    told = [drill for drill in about if drill.lost_replica_s is not None]
    if told:
        changed_failover = _failover(book.failover, told)
        lost = book.failover.lost_replica_s, changed_failover.lost_replica_s
        taken.append(_taken("traffic lost at a failover, of one replica", *lost, told))
        book = replace(book, failover=changed_failover)
    return book, tuple(taken)


def _is_about(drill: Drill, measured_by: Sequence[str]) -> bool:
    return len(set(drill.faults)) == 1 and drill.faults[0] in measured_by


def _recovery(assumed: Recovery, drills: Sequence[Drill]) -> Recovery:
    seen = sorted(drill.recovery_s for drill in drills if drill.recovery_s)
    logs = [math.log(seconds) for seconds in seen]
    sigma = stdev(logs) if len(logs) >= FEWEST_FOR_SPREAD else assumed.sigma
    middle = median(seen) / 3600
    low, high = min(assumed.range_h[0], seen[0] / 3600), max(assumed.range_h[1], seen[-1] / 3600)
    return replace(assumed, median_h=middle, sigma=sigma, range_h=(low, high), basis="measured", source=_source(drills))


def _failover(assumed: Failover, drills: Sequence[Drill]) -> Failover:
    lost = [drill.lost_replica_s or 0.0 for drill in drills]
    most = max(drill.most_lost_replica_s or 0.0 for drill in drills)
    return replace(
        assumed,
        lost_replica_s=sum(lost) / len(lost),
        range_s=(min(lost), max(most, *lost)),
        basis="measured",
        source=_source(drills),
    )


def _source(drills: Sequence[Drill]) -> Source:
    names = ", ".join(drill.report for drill in drills[:3]) + (", ..." if len(drills) > 3 else "")
    count = "1 drill" if len(drills) == 1 else f"{len(drills)} drills"
    return Source("drills", f"{count} of this workspace: {names}")


def _taken(what: str, assumed_s: float, measured_s: float, drills: Sequence[Drill]) -> Taken:
    return Taken(what, f"{assumed_s:.3g} s", f"{measured_s:.3g} s", tuple(drill.report for drill in drills))
