"""How much of a stretch was observed at all: the share that has samples near enough to each other.

The events of an hour in which nobody looked are unknown, not zero, so a budget says what it rests on. The scrape
interval is taken from the samples (the median step), and up to five of them without a sample still count as observed:
a scrape or two that fail lose nothing, since the counter shows their events at the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sre.slo.counters import EventCurve

_MOST_INTERVALS = 5.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What part of (start, end] was observed: `seconds` of it, from `since` on; None: no sample."""

    start: float
    end: float
    since: float | None
    seconds: float

    @property
    def coverage(self) -> float:
        """The observed share of the stretch."""
        return self.seconds / (self.end - self.start) if self.end > self.start else 0.0


def observation(curve: EventCurve, *, start: float, end: float) -> Observation:
    """What part of (start, end] the samples of a curve cover."""
    first, last = curve.places(np.array([start, end]))
    times = curve.times[first:last]
    if not times.size:
        return Observation(start, end, None, 0.0)
    steps = np.diff(times)
    steps = steps[steps > 0]
    interval = float(np.median(steps)) if steps.size else 0.0
    longest = _MOST_INTERVALS * interval
    lead, tail = float(times[0]) - start, end - float(times[-1])
    if lead > longest:  # a first sample with events of its own stands for an interval, one that is a base for none
        lead = interval if curve.counts[first] > (curve.counts[first - 1] if first else 0.0) else 0.0
    seconds = float(steps[steps <= longest].sum()) + lead + (tail if tail <= longest else 0.0)
    return Observation(start, end, max(start, float(times[0]) - lead), seconds)
