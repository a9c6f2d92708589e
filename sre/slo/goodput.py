"""Requests that met several SLIs at once, bounded where each SLI was counted on its own.

Our gateway decides goodput request by request and publishes exact counters; that is an ordinary ratio. From separate
counters (TTFT and inter-token histograms, say) only bounds are known, those of Frechet: with p_i the share of requests
good by SLI i, the share good by all lies between max(0, sum(p_i) - (n - 1)) and min(p_i). In counts of one window:
bad is at most min(total, sum(bad_i)) and at least max(bad_i).

The bounds are taken of each window's sums. Bounds of single samples, added up, would be wider below and wrong above.
The first SLI names the population. What another SLI did not see of it (a request that failed has no first token) is
unknown, so bad in the most and good in the least, or good where `uncovered="good"` says that it does not apply there.
What another SLI saw beyond it may be all of its bad events: the least is lower by as much. That presumes that one of
the two holds the other; and a request that one SLI counts in a window and another in the next stands on both edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from sre.metrics.model import FloatArray
from sre.slo.burn import Counts, Lookup, SliEvents
from sre.slo.counters import EventCurve, sum_of

Uncovered = Literal["unknown", "good"]


def joint_bounds(shares: Sequence[float]) -> tuple[float, float]:
    """(least, most) share of events good by all criteria, from the share good by each (Frechet 1935)."""
    if not shares:
        raise ValueError("bounds of no criteria: give at least one share")
    return max(0.0, sum(shares) - (len(shares) - 1)), min(shares)


def joint_events(slis: Sequence[SliEvents], *, uncovered: Uncovered = "unknown") -> SliEvents:
    """The events good by all of the SLIs, with the band of what is not known. One SLI is itself."""
    if not slis:
        raise ValueError("goodput of no SLI: give at least one")
    if len(slis) == 1:
        return slis[0]
    total = slis[0].total
    missing = [total.minus(one.total) for one in slis[1:] if uncovered == "unknown"]
    least = reduce(_higher, (one.bad_least or one.bad for one in slis))
    return JointEvents(
        bad=sum_of([*(one.bad for one in slis), *missing]),
        total=total,
        bad_least=least,
        slis=tuple(slis),
        uncovered=uncovered,
    )


@dataclass(frozen=True, slots=True, eq=False)
class JointEvents(SliEvents):
    """SLIs of the same requests, combined window by window.

    The plain curves hold too where all SLIs saw the same requests, but loosely: `bad` may exceed the total, and
    differences of `bad_least` understate.
    """

    slis: tuple[SliEvents, ...] = ()
    uncovered: Uncovered = "unknown"

    def at(self, times: FloatArray) -> Lookup:
        found = [one.at(times) for one in self.slis]
        parts = tuple(part for one in found for part in (one.bad, one.total))
        return Lookup(bad=found[0].bad, total=found[0].total, parts=parts)

    def counts(self, start: Lookup, end: Lookup) -> Counts:
        total = end.total - start.total
        worst = np.zeros_like(total)
        for i in range(0, len(end.parts), 2):
            bad, seen = (np.maximum(end.parts[j] - start.parts[j], 0.0) for j in (i, i + 1))
            worst += bad
            if self.uncovered == "unknown":
                worst += np.maximum(total - seen, 0.0)
        return np.minimum(worst, total), total

    def least_within(self, start: FloatArray, end: FloatArray) -> FloatArray:
        total = self.total.within(start, end)
        beyond = [np.maximum(one.total.within(start, end) - total, 0.0) for one in self.slis]
        inside = [one.least_within(start, end) - over for one, over in zip(self.slis, beyond, strict=True)]
        bounded: FloatArray = np.clip(np.max(inside, axis=0), 0.0, total)
        return bounded

    def without(self, ranges: Sequence[tuple[float, float]]) -> SliEvents:
        return joint_events([one.without(ranges) for one in self.slis], uncovered=self.uncovered)


def _higher(one: EventCurve, other: EventCurve) -> EventCurve:
    """The higher of two curves at each time: no window's difference of it exceeds the larger of theirs."""
    times = np.unique(np.concatenate([one.times, other.times]))
    return EventCurve(times, np.maximum(one.before(times), other.before(times)))
