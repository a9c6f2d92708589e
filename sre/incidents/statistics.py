"""What many incidents took: for each duration how many, median, 90th percentile and mean, by what kind of incident.

An incident that is still going on has not ended after zero seconds, nor can it be left out: then the longest ones would
be missing and every figure too good. It counts as right-censored, "at least so long". With censored ones the median and
the 90th percentile are Kaplan and Meier's estimate: the first time t at which the share still going on,
S(t) = product over ends at or before t of (1 - ends / at risk), is at most 0.5 or 0.1. The mean is that of the ended
ones, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from sre.incidents.case import CaseHead
from sre.incidents.durations import DURATIONS, ZEROS
from sre.incidents.milestones import HUMAN, NAMES
from sre.metrics.model import FloatArray

LEAST_FOR_P90 = 10
"""Below ten ended ones the 90th percentile is the longest one by another name."""
GROUPS = ("origin", "severity", "experiment", "month")
_ONGOING = frozenset({"open", "acknowledged", "mitigated"})
_AWAITS_CLOSING = _ONGOING | {"resolved"}
_INDEX = {name: index for index, name in enumerate(NAMES)}
_Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class SetDuration:
    """One duration over a set. `n` ended, `censored` go on, `missing` are n/a (in neither). `negative` of the ended
    ones are below zero: kept, and worth a look. A figure is None with its reason in `reasons` (`median`, `p90`,
    `mean`); `notes` say what a known one leaves out.
    """

    name: str
    n: int
    censored: int
    missing: int
    negative: int
    median_s: float | None
    p90_s: float | None
    mean_s: float | None
    reasons: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, str, str]:
        """What the three figures are called: `median_time_to_detect`, `p90_time_to_detect`, `mean_time_to_detect`."""
        return f"median_{self.name}", f"p90_{self.name}", f"mean_{self.name}"


@dataclass(frozen=True, slots=True)
class SetStatistics:
    """One set of incidents: those of which `by` (`all`, `origin` ...) is `value`. `zeros` say how many durations count
    from which milestone; the rest of the incidents have no zero.
    """

    by: str
    value: str
    incidents: int
    ongoing: int
    zeros: tuple[tuple[str, int], ...]
    durations: tuple[SetDuration, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """Arrays over incidents: seconds of each duration, (n, durations), NaN where n/a, and which of them go on."""

    seconds: FloatArray
    is_censored: NDArray[np.bool_]
    zero: _Indices
    ongoing: NDArray[np.bool_]


def summarise(heads: Sequence[CaseHead], *, now: float) -> tuple[SetStatistics, ...]:
    """All incidents, then each group in the order of `GROUPS` and of its values. `now` (Unix s) is how far the ongoing
    ones have come.
    """
    table = _table(heads, now)
    every = np.arange(len(heads))
    sets = [_statistics("all", "all", every, table)]
    for by in GROUPS:
        rows: dict[str, list[int]] = {}
        for row, value in enumerate(_values(heads, by)):
            rows.setdefault(value, []).append(row)
        sets += [_statistics(by, value, np.array(rows[value]), table) for value in sorted(rows) if value]
    return tuple(sets)


def _values(heads: Sequence[CaseHead], by: str) -> list[str]:
    if by == "month":
        opened = np.array([head.opened_at for head in heads], dtype=np.float64)
        months: list[str] = np.datetime_as_string(opened.astype("datetime64[s]"), unit="M").tolist()
        return months
    return [str(value) for value in map(attrgetter(by), heads)]


def _table(heads: Sequence[CaseHead], now: float) -> _Table:
    marks = np.array([[head.milestones.get(name, np.nan) for name in NAMES] for head in heads], dtype=np.float64)
    marks = marks.reshape(len(heads), len(NAMES))
    zero, begin = _zeros(marks)
    is_drill = np.array([head.origin == "drill" for head in heads], dtype=np.bool_)
    ongoing = np.array([head.status in _ONGOING for head in heads], dtype=np.bool_)
    unclosed = np.array([head.status in _AWAITS_CLOSING for head in heads], dtype=np.bool_)
    columns, censored = [], []
    for _, start, end in DURATIONS:
        start_index = np.full(len(heads), _INDEX[start]) if start else zero
        started = marks[:, _INDEX[start]] if start else begin
        ended = np.where(start_index == _INDEX[end], np.nan, marks[:, _INDEX[end]])
        waits = (unclosed if end == "closed" else ongoing) & ~np.isnan(started) & np.isnan(ended)
        waits &= (start_index < _INDEX[end]) & (~is_drill | (end in HUMAN))
        columns.append(np.where(waits, np.maximum(now - started, 0.0), ended - started))
        censored.append(waits)
    return _Table(np.column_stack(columns), np.column_stack(censored), zero, ongoing)


def _zeros(marks: FloatArray) -> tuple[_Indices, FloatArray]:
    """Which milestone each incident counts from (-1: none known), and when that was."""
    zero = np.full(len(marks), -1)
    begin = np.full(len(marks), np.nan)
    for name in reversed(ZEROS):
        known = ~np.isnan(marks[:, _INDEX[name]])
        zero[known] = _INDEX[name]
        begin[known] = marks[known, _INDEX[name]]
    return zero, begin


def _statistics(by: str, value: str, rows: _Indices, table: _Table) -> SetStatistics:
    counted = [(name, int(np.count_nonzero(table.zero[rows] == _INDEX[name]))) for name in ZEROS]
    return SetStatistics(
        by=by,
        value=value,
        incidents=len(rows),
        ongoing=int(np.count_nonzero(table.ongoing[rows])),
        zeros=tuple((name, n) for name, n in counted if n),
        durations=tuple(
            _duration(name, table.seconds[rows, column], table.is_censored[rows, column])
            for column, (name, _, _) in enumerate(DURATIONS)
        ),
    )


def _duration(name: str, seconds: FloatArray, is_censored: NDArray[np.bool_]) -> SetDuration:
    known = ~np.isnan(seconds)
    ended, going = seconds[known & ~is_censored], seconds[known & is_censored]
    median, p90 = quantile(ended, going, 0.5), quantile(ended, going, 0.9)
    if len(ended) < LEAST_FOR_P90:
        p90 = None
    return SetDuration(
        name=name,
        n=len(ended),
        censored=len(going),
        missing=int(np.count_nonzero(~known)),
        negative=int(np.count_nonzero(ended < 0)),
        median_s=median,
        p90_s=p90,
        mean_s=float(ended.mean()) if len(ended) else None,
        reasons=tuple(_reasons(len(ended), len(going), median, p90)),
        notes=tuple(_notes(ended, going)),
    )


def quantile(ended: FloatArray, ongoing: FloatArray, share: float) -> float | None:
    """After how many seconds `share` of all have ended; None where that is not known (yet).

    Without ongoing ones numpy's quantile (linear between neighbours), else Kaplan and Meier's, `ongoing` being how long
    each has lasted so far; at equal times ends come first.
    """
    if not len(ended):
        return None
    if not len(ongoing):
        return float(np.quantile(ended, share))
    times, ends = np.unique(ended, return_counts=True)
    everyone = np.sort(np.concatenate((ended, ongoing)))
    at_risk = len(everyone) - np.searchsorted(everyone, times, side="left")
    lasting = np.cumprod(1.0 - ends / at_risk)
    reached = np.flatnonzero(lasting <= 1.0 - share + 1e-12)
    return float(times[reached[0]]) if len(reached) else None


def _reasons(n: int, censored: int, median: float | None, p90: float | None) -> Iterator[tuple[str, str]]:
    none = f"none has ended, {censored} go on" if censored else "none is known"
    if n == 0:
        yield from (("median", none), ("p90", none), ("mean", none))
        return
    if median is None:
        yield "median", f"more than half go on: {censored} of {n + censored}"
    if p90 is None:
        few = f"only {n} have ended, {LEAST_FOR_P90} are needed"
        yield "p90", few if n < LEAST_FOR_P90 else f"too many go on: {censored} of {n + censored}"


def _notes(ended: FloatArray, going: FloatArray) -> Iterator[str]:
    if len(going) and len(ended):
        yield f"mean of the {len(ended)} ended ones alone: too short while {len(going)} go on"
    negative = int(np.count_nonzero(ended < 0))
    if negative:
        yield f"{negative} below zero, kept: look at their milestones"
