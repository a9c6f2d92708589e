"""PromQL's `increase` and `rate` over many evaluation times at once, as Prometheus itself computes them.

Our own windows never extrapolate (docs/adr/0010); Prometheus does, and a team that runs its rules there wants to know
what those rules would have done. So its arithmetic is followed here step by step, from the behaviour of
`extrapolatedRate` in Prometheus 2.42 and 3.x:

- samples of the window: 2.x takes both ends in, [t - w, t]; 3.x leaves the left one out, (t - w, t];
- fewer than two samples: no value (NaN here, an absent element there). Staleness markers are no samples;
- a value below its predecessor is a restart: what the counter stood at before is added;
- the difference is stretched to the window's edges. An edge further from its sample than 1.1 mean sample intervals
  counts as a series that begins or ends inside the window and is stretched by half an interval only;
- at the start no further than to where the counter would have been 0. Prometheus 2.42 looks at this before the half
  interval, 3.x after it (changed in 2024 by its pull request 13725).

Times are whole milliseconds, as in Prometheus. On an even grid whose step divides the windows, a series is looked up
once, whatever the number of windows: where one window starts, an earlier one ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray, Series, SeriesId

_IntArray = NDArray[np.int64]
_Bools = NDArray[np.bool_]
_CLOSE = 1.1  # mean sample intervals between an edge and its sample that still count as covered
_BLOCK = 8192  # evaluation times worked on together, so that a window's arrays stay in the processor's cache


@dataclass(frozen=True, slots=True)
class RangeConvention:
    """How a Prometheus cuts a range. `zero_first`: the counter's zero limits the start before the half interval."""

    name: str
    closed: bool
    zero_first: bool


PROMETHEUS_2 = RangeConvention("promql-closed", closed=True, zero_first=True)
PROMETHEUS_3 = RangeConvention("promql-left-open", closed=False, zero_first=False)


def increase(series: Series, times: FloatArray, window_s: float, convention: RangeConvention) -> FloatArray:
    """`increase(series[window])` at each of the ascending `times`; NaN where PromQL has no element."""
    return CounterWindows([[series]], times, convention).increase(window_s)[0]


def rate(series: Series, times: FloatArray, window_s: float, convention: RangeConvention) -> FloatArray:
    """`rate(series[window])`, per second; NaN where PromQL has no element."""
    return increase(series, times, window_s, convention) / (_to_ms(window_s) / 1000)


class CounterWindows:
    """Groups of counters on one grid of evaluation times: `sum(increase(x[w]))` of each group, for any windows.

    A series that stands in several groups (a bad event is one of the total) is computed once. `windows_s` are the
    windows that will be asked for; one not announced is answered too, only slower. `times` ascend (Unix seconds).
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Series]],
        times: FloatArray,
        convention: RangeConvention,
        *,
        windows_s: Sequence[float] = (),
    ) -> None:
        self._convention = convention
        self._grid = _Grid(_to_ms_array(times), [_to_ms(w) for w in windows_s])
        self._groups = len(groups)
        self._series = [_Looked(samples, self._grid, convention, among) for samples, among in _distinct(groups)]

    def increase(self, window_s: float) -> tuple[FloatArray, ...]:
        """For each group the sum over its series that have a value, (times,) each; NaN where none has."""
        window = _to_ms(window_s)
        sums = np.zeros((self._groups, self._grid.times.size))
        known = np.zeros(sums.shape, dtype=bool)
        for looked in self._series:
            first, last = looked.edges(window)
            for block in _blocks(sums.shape[1]):
                values, present = _extrapolated(first.part(block), last.part(block), looked.positive, self._convention)
                whole = bool(present.all())
                for group in looked.among:
                    sums[group, block] += values if whole else np.where(present, values, 0.0)
                    known[group, block] |= present
        sums[~known] = np.nan
        return tuple(sums)


def error_ratio(bad: FloatArray, total: FloatArray) -> FloatArray:
    """`sum(increase(bad[w])) / sum(increase(total[w]))` as PromQL divides: no element on either side is NaN, as is 0/0;
    bad events without any event in all are +Inf, which is above every threshold there, too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: FloatArray = bad / total
    return ratio


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """A counter without staleness markers, times in ms: `resets` is what restarts have taken away up to each sample."""

    times: FloatArray
    values: FloatArray
    resets: FloatArray | None

    @classmethod
    def of(cls, series: Series) -> _Samples:
        kept = ~np.isnan(series.values)
        times, values = series.times, series.values
        if not kept.all():
            times, values = times[kept], values[kept]
        fell = values[1:] < values[:-1]
        resets = None
        if fell.any():
            resets = np.concatenate([[0.0], np.cumsum(np.where(fell, values[:-1], 0.0))])
        return cls(np.rint(times * 1000), values, resets)


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """The sample at one edge of each window: its index, time (ms), value, resets up to it, and its distance (s)."""

    index: FloatArray
    times: FloatArray
    values: FloatArray
    resets: FloatArray | None
    gap: FloatArray

    def part(self, chosen: slice) -> _Edge:
        resets = None if self.resets is None else self.resets[chosen]
        return _Edge(self.index[chosen], self.times[chosen], self.values[chosen], resets, self.gap[chosen])


class _Grid:
    """Evaluation times (ms) and, where they are evenly spaced, the same spacing carried back by the longest window."""

    def __init__(self, times: _IntArray, windows: Sequence[int]) -> None:
        self.times = times
        steps = np.diff(times)
        even = steps.size > 0 and bool((steps == steps[0]).all())
        self.step = int(steps[0]) if even else 0
        self._back = max((w // self.step for w in windows if self._divides(w)), default=0)
        before = times[0] - self.step * np.arange(self._back, 0, -1, dtype=np.int64) if times.size else times
        self.extended: _IntArray = np.concatenate([before, times])

    def _divides(self, window: int) -> bool:
        return self.step > 0 and window % self.step == 0

    def starts(self, window: int) -> slice | None:
        """Where in `extended` the windows start; None when they do not start on the grid, or before it."""
        if not self._divides(window) or window // self.step > self._back:
            return None
        begin = self._back - window // self.step
        return slice(begin, begin + self.times.size)

    @property
    def ends(self) -> slice:
        return slice(self._back, None)


class _Looked:
    """One counter looked up at every point of the grid; `among` are the groups it stands in."""

    def __init__(self, samples: _Samples, grid: _Grid, convention: RangeConvention, among: Sequence[int]) -> None:
        self._samples, self._grid, self._convention = samples, grid, convention
        self.among = among
        self.positive = bool((samples.values >= 0).all())
        since, until = _counts(samples.times, grid.extended, grid.step)
        self._first = self._edge(since if convention.closed else until, grid.extended)
        self._last = self._edge(until - 1, grid.extended)

    def edges(self, window: int) -> tuple[_Edge, _Edge]:
        """(first, last) sample of each window of `window` ms."""
        starts = self._grid.starts(window)
        if starts is not None:
            return self._first.part(starts), self._last.part(self._grid.ends)
        at = self._grid.times - window
        since, until = _counts(self._samples.times, at, self._grid.step)
        return self._edge(since if self._convention.closed else until, at), self._last.part(self._grid.ends)

    def _edge(self, index: _IntArray, at: _IntArray) -> _Edge:
        """An index outside the samples is kept for counting; the sample beside it is then not looked at."""
        inside = np.clip(index, 0, self._samples.times.size - 1)
        times = self._samples.times[inside]
        resets = None if self._samples.resets is None else self._samples.resets[inside]
        return _Edge(index.astype(np.float64), times, self._samples.values[inside], resets, np.abs(times - at) / 1000)


def _distinct(groups: Sequence[Sequence[Series]]) -> Iterator[tuple[_Samples, tuple[int, ...]]]:
    """Each series that can have a window of two samples, once, with the groups it stands in."""
    found: dict[SeriesId, tuple[Series, set[int]]] = {}
    for number, group in enumerate(groups):
        for series in group:
            found.setdefault(series.id, (series, set()))[1].add(number)
    for series, among in found.values():
        samples = _Samples.of(series)
        if samples.times.size >= 2:
            yield samples, tuple(sorted(among))


def _counts(samples: FloatArray, at: _IntArray, step: int) -> tuple[_IntArray, _IntArray]:
    """(samples before, samples up to and including) each of the ascending `at`, which are `step` apart; 0: unevenly.

    Counting the samples into the grid's cells is several times cheaper than searching for every point of the grid.
    """
    if step == 0 or at.size == 0:
        return np.searchsorted(samples, at, side="left"), np.searchsorted(samples, at, side="right")
    places = (samples - at[0]) / step
    cells = np.ceil(places)
    counted = np.bincount(np.clip(cells, 0, at.size).astype(np.int64), minlength=at.size + 1)[: at.size]
    until: _IntArray = np.cumsum(counted)
    on_grid = cells[(cells == places) & (cells >= 0) & (cells < at.size)].astype(np.int64)
    since: _IntArray = until - np.bincount(on_grid, minlength=at.size)
    return since, until


def _blocks(size: int) -> Iterator[slice]:
    return (slice(begin, begin + _BLOCK) for begin in range(0, size, _BLOCK))


def _extrapolated(first: _Edge, last: _Edge, positive: bool, convention: RangeConvention) -> tuple[FloatArray, _Bools]:
    """(increase, whether there is one) of one counter in each window; the value is meaningless where there is none."""
    intervals = last.index - first.index
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = last.values - first.values
        if first.resets is not None and last.resets is not None:
            grown += last.resets - first.resets
        sampled = (last.times - first.times) / 1000
        mean = sampled / intervals
        close = mean * _CLOSE
        mean /= 2
        to_zero = first.values / grown  # nothing counted: infinite or NaN, which `fmin` passes over
        to_zero *= sampled
        if not positive:
            to_zero[(grown <= 0) | (first.values < 0)] = np.inf
        if convention.zero_first:
            to_start = np.fmin(first.gap, to_zero)
            to_start = np.where(to_start < close, to_start, mean)
        else:
            to_start = np.fmin(np.where(first.gap < close, first.gap, mean), to_zero)
        to_start += np.where(last.gap < close, last.gap, mean)
        to_start += sampled
        to_start /= sampled
        grown *= to_start
    return grown, intervals >= 1


def _to_ms(seconds: float) -> int:
    return round(seconds * 1000)


def _to_ms_array(seconds: FloatArray) -> _IntArray:
    whole: _IntArray = np.rint(seconds * 1000).astype(np.int64)
    return whole
