"""Types of the SLO engine: what an OpenSLO document says, and what an evaluation of it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from sre.metrics.model import FloatArray, Selector

Severity = Literal["page", "ticket"]
Method = Literal["Occurrences", "Timeslices", "RatioTimeslices"]
Op = Literal["lte", "gte", "lt", "gt"]
NoDataPolicy = Literal["ignore", "bad", "good"]
"""What a stretch without data is to the budget. `ignore`: nothing was served, nothing is spent. `bad`: not being able
to see counts as failing (time-based methods only). `good`: it counts as served well (time-based methods only)."""


@dataclass(frozen=True, slots=True)
class RatioSli:
    """Either `good` or `bad` events over `total`. Selectors of one side are summed.

    With `counter` the metrics are monotone counters; without, each sample is the number of events since the last one.
    """

    total: tuple[Selector, ...]
    good: tuple[Selector, ...] = ()
    bad: tuple[Selector, ...] = ()
    counter: bool = True


@dataclass(frozen=True, slots=True)
class RawSli:
    """A ratio that the source has computed already, one value in [0, 1] a sample; `failure`: it is the bad share."""

    ratio: tuple[Selector, ...]
    failure: bool = False


@dataclass(frozen=True, slots=True)
class ThresholdSli:
    """A gauge whose samples are good when `sample OP value` holds."""

    metric: tuple[Selector, ...]
    op: Op
    value: float


@dataclass(frozen=True, slots=True)
class JointSli:
    """Requests that are good by several ratios at once, each counted on its own over counters.

    The first ratio names the population. How many met all of them is known within bounds (`sre.slo.goodput`).
    """

    slis: tuple[RatioSli, ...]


Sli = RatioSli | RawSli | ThresholdSli | JointSli


def ratios_of(sli: Sli) -> tuple[RatioSli, ...]:
    """The ratios that an SLI consists of: itself, or the criteria of a joint one; () for gauges and raw ratios."""
    if isinstance(sli, JointSli):
        return sli.slis
    return (sli,) if isinstance(sli, RatioSli) else ()


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """Budget periods that begin on the calendar: `count` days, weeks, months, quarters or years from `start` on.

    `start` is wall time in `zone`; period k begins at start + k x count units, in wall time (DST makes days uneven).
    """

    count: int
    unit: Literal["d", "w", "M", "Q", "Y"]
    start: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class BurnTier:
    """A multiwindow burn-rate condition: fires while long AND short window burn at or above `factor`.

    Windows are in production seconds; a DrillClock divides them. `for_s` (OpenSLO's alertAfter) is how long the
    condition must hold before it counts. `budget_share` is the part of the period's budget gone when the long window
    burns at `factor`. The low-traffic guard is `min_bad_events` in the long window and, where `max_p_value` is set,
    also an exact binomial test of the long window against the budget: both must hold.
    """

    name: str
    severity: Severity
    factor: float
    long_s: float
    short_s: float
    budget_share: float
    min_bad_events: int = 2
    max_p_value: float | None = None
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective of one SLO document. `target` is a ratio in (0, 1).

    `period_s` is the budget period in seconds; for a `calendar` window its nominal length (30 d a month), from which
    tiers are scaled. `slice_s` and `slice_target` belong to the two Timeslices methods. `tiers` come from the
    document's alert policies; empty means the workbook's (`sre.slo.tiers.tiers_of`). `budget_usd` is what a whole
    period's budget is worth, for people who count in money. `line` is where the document begins.
    """

    name: str
    title: str
    description: str
    service: str
    target: float
    period_s: float
    sli: Sli
    path: str
    runbook: str | None = None
    line: int = 1
    method: Method = "Occurrences"
    slice_s: float | None = None
    slice_target: float | None = None
    calendar: CalendarWindow | None = None
    tiers: tuple[BurnTier, ...] = ()
    no_data: NoDataPolicy = "ignore"
    budget_usd: Decimal | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def budget(self) -> float:
        """Allowed error ratio, 1 - target, as written in decimals: in binary 1 - 0.9 is less than 0.1."""
        return float(1 - Decimal(str(self.target)))


@dataclass(frozen=True, slots=True)
class DrillClock:
    """Compresses alert windows by `factor` so that a drill of minutes exercises rules made for a month."""

    factor: float = 60.0

    def compress(self, seconds: float) -> float:
        return seconds / self.factor


REAL_TIME = DrillClock(1.0)


@dataclass(frozen=True, slots=True, eq=False)
class BurnCurve:
    """Burn rates of one tier at each evaluation time; NaN means no traffic in that window (no data)."""

    tier: BurnTier
    times: FloatArray
    long_burn: FloatArray
    short_burn: FloatArray


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one tier. `reset_at` is None when it was still firing when observation ended."""

    slo: str
    tier: str
    severity: Severity
    fired_at: float
    reset_at: float | None


@dataclass(frozen=True, slots=True, eq=False)
class SloResult:
    """What one SLO did over [start, end), read from `source`.

    `good` and `total` are event counts. `error_ratio` is None, with `no_data_reason`, when there were no events.
    `error_band` is (least, most) of the error ratio where the source cannot tell exactly (a latency threshold between
    two bucket bounds, goodput from separate histograms); `error_ratio` is then the most. None: exact.
    """

    slo: Slo
    source: str
    start: float
    end: float
    good: float
    total: float
    error_ratio: float | None
    no_data_reason: str | None
    curves: tuple[BurnCurve, ...]
    alerts: tuple[Alert, ...]
    error_band: tuple[float, float] | None = field(default=None)

    @property
    def met(self) -> bool | None:
        """Whether the error ratio over the interval stayed within budget; None without data."""
        return None if self.error_ratio is None else self.error_ratio <= self.slo.budget
