"""What the replicas of an incident's window were busy with, by its own samples and nobody else's.

A drill goes on after its incident: clients that hang up at its end waste tokens that no fault is to blame for. So the
samples are read over the window alone. Counters move when they are scraped, a second apart, so either edge is off by up
to a scrape, and a window that holds fewer than two tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sre.cost.activity import RUNNING, activity
from sre.cost.layer_time import US_PER_S, LayerTime, layer_time, total_time
from sre.cost.model import ReplicaUse
from sre.cost.shares import Shares, shares_of
from sre.cost.work import work_of
from sre.errors import NoData
from sre.metrics.model import SampleSource, Selector

_UP = Selector("up")
_LEAST_SCRAPES = 2


@dataclass(frozen=True, slots=True)
class WindowLayers:
    """Paid time of a window, and how its busy time divides; `shares` are None where nobody counted the tokens."""

    time: LayerTime
    shares: Shares | None

    @property
    def failed(self) -> Fraction:
        """The share of busy time that went into requests that failed or were given up."""
        return Fraction(0) if self.shares is None else self.shares.failed

    @property
    def recomputed(self) -> Fraction:
        """The share of busy time that went into tokens computed again."""
        return Fraction(0) if self.shares is None else self.shares.recomputed

    @property
    def told(self) -> Decimal:
        """Of the serving time, the share that is stalled, unseen or wasted; at most 1."""
        if not self.time.serving_us:
            return Decimal(0)
        spent = self.time.stalled_us + self.time.unseen_us + self.time.busy_us * (self.failed + self.recomputed)
        share = Fraction(spent) / self.time.serving_us
        return Decimal(share.numerator) / Decimal(share.denominator)


def window_layers(source: SampleSource | None, uses: Sequence[ReplicaUse], *, start: float, end: float) -> WindowLayers:
    """Of `uses` over [start, end). Raises NoData without samples, or with too few in the window; and as the source."""
    if source is None:
        raise NoData("there are no samples of the drill (samples.jsonl)")
    if _scrapes(source, start, end) < _LEAST_SCRAPES:
        raise NoData(f"the incident's {end - start:.1f} s hold fewer than {_LEAST_SCRAPES} scrapes")
    slots = activity(source, start=start, end=end)
    if not slots and not source.series(RUNNING, start=min((use.start for use in uses), default=start), end=end):
        raise NoData("no sample shows what the replicas did (vllm:num_requests_running)")
    time = total_time(layer_time(use, slots, start=start, end=end) for use in uses)
    return WindowLayers(time, shares_of(work_of(source, start=start, end=end)))


def replica_s(microseconds: int | Fraction) -> Decimal:
    """Seconds as a decimal, to the microsecond."""
    return Decimal(round(microseconds)) / US_PER_S


def _scrapes(source: SampleSource, start: float, end: float) -> int:
    """Of the target that was tried most often, answered or not."""
    if not start < end:
        return 0
    return max((one.times.size for one in source.series(_UP, start=start, end=end)), default=0)
