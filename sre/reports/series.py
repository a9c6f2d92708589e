"""Request rows to the few numbers a chart needs: binned here, so a chart costs the same for 100,000 requests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from sre.metrics.model import FloatArray
from sre.reports.model import DrillReport, RequestPoint

OUTCOME_ORDER = ("error", "truncated", "timeout", "rejected", "invalid", "cancelled", "ok")
MAX_BINS = 160
MAX_DOTS = 1200
NICE_WIDTHS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeRates:
    """Requests finished, and sent, per second between successive `edges` (n + 1 of them, seconds since drill start)."""

    edges: FloatArray
    by_outcome: tuple[tuple[str, FloatArray], ...]
    sent: FloatArray

    @property
    def width_s(self) -> float:
        return float(self.edges[1] - self.edges[0])


@dataclass(frozen=True, slots=True, eq=False)
class Percentiles:
    """p50, p95, p99 over the window that ends at each of `times`; NaN where no request fell into it."""

    times: FloatArray
    curves: tuple[tuple[str, FloatArray], ...]


def outcome_rates(report: DrillReport) -> OutcomeRates:
    """Requests counted when they ended, for then their outcome was known."""
    span = drill_span(report)
    width = next((w for w in NICE_WIDTHS_S if span / w <= MAX_BINS), span / MAX_BINS)
    edges = np.arange(0.0, span + width, width)
    sent, ended, _ = _times(report)
    outcomes = np.array([p.outcome for p in report.requests], dtype=object)
    present = set(outcomes.tolist())
    order = [*(o for o in OUTCOME_ORDER if o in present), *sorted(present - set(OUTCOME_ORDER))]
    by_outcome = tuple((name, _rate(ended[outcomes == name], edges)) for name in order)
    return OutcomeRates(edges, by_outcome, _rate(sent, edges))


def ttft_points(report: DrillReport) -> tuple[FloatArray, FloatArray]:
    """When each first token came (seconds since drill start) and its TTFT, in order of time; none for who got none."""
    sent, _, ttft = _times(report)
    got = ~np.isnan(ttft)
    at, value = sent[got] + ttft[got], ttft[got]
    order = np.argsort(at, kind="stable")
    return at[order], value[order]


def rolling_percentiles(at: FloatArray, value: FloatArray, *, end: float, window_s: float) -> Percentiles:
    """Percentiles of `value` over (t - window_s, t] on a grid of at most 240 instants up to `end`."""
    step = max(0.5, end / 240)
    times = np.arange(step, end + step / 2, step)
    lows, highs = np.searchsorted(at, times - window_s, side="right"), np.searchsorted(at, times, side="right")
    rows = np.full((3, len(times)), np.nan)
    for i, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if high > low:
            rows[:, i] = np.percentile(value[low:high], (50, 95, 99))
    return Percentiles(times, tuple(zip(("p50", "p95", "p99"), rows, strict=True)))


def thinned(at: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One dot for each occupied cell of a grid on (time, log value), coarsened until at most `MAX_DOTS` remain."""
    if len(at) <= MAX_DOTS:
        return at, value
    cells = 512
    logs = np.log10(np.maximum(value, 1e-4))
    while True:
        column = np.floor(_unit(at) * cells)
        row = np.floor(_unit(logs) * cells / 3)
        _, first = np.unique(column * 4096 + row, return_index=True)
        if len(first) <= MAX_DOTS or cells <= 16:
            return at[first], value[first]
        cells //= 2


def in_flight(report: DrillReport) -> tuple[FloatArray, FloatArray]:
    """Requests in flight, the most in each of at most 480 slices of the drill: (slice starts, maxima)."""
    sent, ended, _ = _times(report)
    edges = np.linspace(0.0, drill_span(report), 481)
    instants = np.concatenate([edges[:-1], sent])
    level = np.searchsorted(np.sort(sent), instants, side="right") - np.searchsorted(np.sort(ended), instants, "right")
    slots = np.clip(np.searchsorted(edges, instants, side="right") - 1, 0, 479)
    most = np.zeros(480)
    np.maximum.at(most, slots, level)
    return edges[:-1], most


class Timed(Protocol):
    """What has a time axis: a drill's report, or anything over a stretch of time."""

    @property
    def started_at(self) -> float: ...

    @property
    def ended_at(self) -> float: ...

    @property
    def requests(self) -> tuple[RequestPoint, ...]: ...


def drill_span(report: Timed) -> float:
    """Seconds the time axis covers: the drill, or longer when a request ended later."""
    return _columns(_Rows(report.requests), report.started_at, report.ended_at).span


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of one report, told from those of another by being the same object: comparing 100,000 takes longer."""

    points: tuple[RequestPoint, ...]

    def __hash__(self) -> int:
        return id(self.points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rows) and other.points is self.points


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Seconds since the drill began; TTFT is NaN where no token came."""

    sent: FloatArray
    ended: FloatArray
    ttft: FloatArray
    span: float


@lru_cache(maxsize=1)
def _columns(rows: _Rows, started_at: float, ended_at: float) -> _Columns:
    """Read once for all charts of a report. Whoever gets the arrays does not change them."""
    sent = np.array([p.at for p in rows.points], dtype=np.float64) - started_at
    ended = sent + np.array([p.e2e_s for p in rows.points], dtype=np.float64)
    ttft = np.array([np.nan if p.ttft_s is None else p.ttft_s for p in rows.points], dtype=np.float64)
    last = max((p.at + p.e2e_s for p in rows.points), default=started_at)
    return _Columns(sent, ended, ttft, float(max(ended_at, last) - started_at) or 1.0)


def _times(report: DrillReport) -> tuple[FloatArray, FloatArray, FloatArray]:
    columns = _columns(_Rows(report.requests), report.started_at, report.ended_at)
    return columns.sent, columns.ended, columns.ttft


def _rate(instants: FloatArray, edges: FloatArray) -> FloatArray:
    counts, _ = np.histogram(instants, bins=edges)
    return np.asarray(counts / (edges[1] - edges[0]), dtype=np.float64)


def _unit(values: FloatArray) -> FloatArray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
