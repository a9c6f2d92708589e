"""PromQL's `increase` and `rate` over many evaluation times at once, as Prometheus itself computes them.

Our own windows never extrapolate (docs/adr/0010); Prometheus does, and a team that runs its rules there wants to know
what those rules would have done. So its arithmetic is followed here step by step, from the behaviour of `extrapolatedRate`
in Prometheus 2.42 and 3.x:

- samples of the window: 2.x takes both ends in, [t - w, t]; 3.x leaves the left one out, (t - w, t];
- fewer than two samples: no value (NaN here, an absent element there). Staleness markers are no samples;
- a value below its predecessor is a restart: what the counter stood at before is added;
- the difference is stretched to the window's edges. An edge further from its sample than 1.1 mean sample intervals counts
  as a series that begins or ends inside the window and is stretched by half an interval only;
- at the start no further than to where the counter would have been 0. Prometheus 2.42 looks at this before the half
  interval, 3.x after it (changed in 2024 by its pull request 13725).

Times are whole milliseconds, as in Prometheus. A grid whose windows are multiples of its step costs two look-ups a
series, whatever the number of windows: the start of one window is the end of an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray, Series

_IntArray = NDArray[np.int64]
_CLOSE = 1.1  # mean sample intervals between an edge and its sample that still count as covered


@dataclass(frozen=True, slots=True)
class RangeConvention:
    """How a Prometheus cuts a range. `zero_first`: the counter's zero limits the start before the half interval does."""

    name: str
    closed: bool
    zero_first: bool


PROMETHEUS_2 = RangeConvention("promql-closed", closed=True, zero_first=True)
PROMETHEUS_3 = RangeConvention("promql-left-open", closed=False, zero_first=False)


def increase(series: Series, times: FloatArray, window_s: float, convention: RangeConvention) -> FloatArray:
    """`increase(series[window])` at each of the ascending `times`; NaN where PromQL has no element."""
    return CounterWindows([series], times, convention).increase(window_s)


def rate(series: Series, times: FloatArray, window_s: float, convention: RangeConvention) -> FloatArray:
    """`rate(series[window])`, per second; NaN where PromQL has no element."""
    return increase(series, times, window_s, convention) / (_to_ms(window_s) / 1000)


class CounterWindows:
    """Several counters on one grid of evaluation times: `sum(increase(x[w]))` for any number of windows.

    `windows_s` are the windows that will be asked for; one that was not announced is answered too, only slower.
    """

    def __init__(
        self,
        series: Iterable[Series],
        times: FloatArray,
        convention: RangeConvention,
        *,
        windows_s: Sequence[float] = (),
    ) -> None:
        self._convention = convention
        self._grid = _Grid(_to_ms_array(times), [_to_ms(w) for w in windows_s])
        ends = self._grid.extended
        samples = (_Samples.of(one) for one in series)
        self._series = [(one, _edges(one, ends, convention)) for one in samples if one.times.size >= 2]

    def increase(self, window_s: float) -> FloatArray:
        """The sum over the series that have a value; NaN where none has."""
        window = _to_ms(window_s)
        total = np.zeros(self._grid.times.size)
        known = np.zeros(self._grid.times.size, dtype=bool)
        for samples, edges in self._series:
            first, last = self._grid.window(edges, window) or _cut(samples, self._grid.times, window, self._convention)
            values, present = _extrapolated(first, last, self._grid.times - window, self._grid.times, self._convention)
            np.add(total, values, out=total, where=present)
            known |= present
        total[~known] = np.nan
        return total


def error_ratio(bad: FloatArray, total: FloatArray) -> FloatArray:
    """`sum(increase(bad[w])) / sum(increase(total[w]))` as PromQL divides: no element on either side is NaN, as is 0/0;
    bad events without any event in all are +Inf, which is above every threshold there, too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: FloatArray = bad / total
    return ratio


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """A counter without staleness markers: `resets` is what restarts have taken away up to each sample."""

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
        return cls(_to_ms_array(times).astype(np.float64), values, resets)


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """The sample at one edge of each window: its index, time (ms), value and resets up to it."""

    index: _IntArray
    times: FloatArray
    values: FloatArray
    resets: FloatArray | None

    def part(self, chosen: slice) -> _Edge:
        resets = None if self.resets is None else self.resets[chosen]
        return _Edge(self.index[chosen], self.times[chosen], self.values[chosen], resets)


def _edges(samples: _Samples, ends: _IntArray, convention: RangeConvention) -> tuple[_Edge, _Edge]:
    """(first sample of a window that starts there, last sample of one that ends there) for each of `ends`."""
    at = ends.astype(np.float64)
    after = np.searchsorted(samples.times, at, side="right")
    since = np.searchsorted(samples.times, at, side="left") if convention.closed else after
    return _take(samples, since), _take(samples, after - 1)


def _take(samples: _Samples, index: _IntArray) -> _Edge:
    """An index outside the samples is kept for counting, the rest of it is then not looked at."""
    inside = np.clip(index, 0, samples.times.size - 1)
    resets = None if samples.resets is None else samples.resets[inside]
    return _Edge(index, samples.times[inside], samples.values[inside], resets)


def _cut(samples: _Samples, times: _IntArray, window: int, convention: RangeConvention) -> tuple[_Edge, _Edge]:
    """Both edges of each window by look-up: for windows that do not fall on the grid."""
    first, _ = _edges(samples, times - window, convention)
    _, last = _edges(samples, times, convention)
    return first, last


class _Grid:
    """Evaluation times and, where they are evenly spaced, the same spacing carried back by the longest window."""

    def __init__(self, times: _IntArray, windows: Sequence[int]) -> None:
        self.times = times
        steps = np.diff(times)
        even = steps.size > 0 and bool((steps == steps[0]).all())
        self._step = int(steps[0]) if even else 0
        self._back = max((w // self._step for w in windows if self._on_grid(w)), default=0)
        before = times[0] - self._step * np.arange(self._back, 0, -1, dtype=np.int64) if times.size else times
        self.extended: _IntArray = np.concatenate([before, times])

    def _on_grid(self, window: int) -> bool:
        return self._step > 0 and window % self._step == 0

    def window(self, edges: tuple[_Edge, _Edge], window: int) -> tuple[_Edge, _Edge] | None:
        """Both edges as slices of what was looked up; None when the window does not fall on the grid."""
        if not self._on_grid(window) or window // self._step > self._back:
            return None
        begin = self._back - window // self._step
        first, last = edges
        return first.part(slice(begin, begin + self.times.size)), last.part(slice(self._back, None))


def _extrapolated(
    first: _Edge, last: _Edge, starts: _IntArray, ends: _IntArray, convention: RangeConvention
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(increase, whether there is one) of one counter in each window; the value is meaningless where there is none."""
    intervals = last.index - first.index
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = last.values - first.values
        if first.resets is not None and last.resets is not None:
            grown += last.resets - first.resets
        sampled = (last.times - first.times) / 1000
        mean = sampled / intervals
        close = mean * _CLOSE
        to_start = (first.times - starts) / 1000
        to_end = (ends - last.times) / 1000
        # where nothing was counted, or the counter is below 0, there is no zero to stop at
        to_zero = np.where((grown > 0) & (first.values >= 0), sampled * (first.values / grown), np.inf)
        half = mean / 2
        if convention.zero_first:
            to_start = np.minimum(to_start, to_zero)
            to_start = np.where(to_start < close, to_start, half)
        else:
            to_start = np.minimum(np.where(to_start < close, to_start, half), to_zero)
        to_end = np.where(to_end < close, to_end, half)
        grown *= (sampled + to_start + to_end) / sampled
    return grown, intervals >= 1


def _to_ms(seconds: float) -> int:
    return round(seconds * 1000)


def _to_ms_array(seconds: FloatArray) -> _IntArray:
    return np.rint(seconds * 1000).astype(np.int64)
