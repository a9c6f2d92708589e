"""A source that is asked again and again for a window that moves on: only what is new is read.

`sre slo status --watch` looks back a month every few seconds; a Prometheus should not send it all each time.
Samples that arrive late, before the newest one already read, are not seen until the next start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sre.metrics.model import HistogramSeries, HistogramSource, SampleSource, Selector, Series, SeriesId


@dataclass(slots=True)
class _Kept:
    start: float
    end: float
    widest: float
    series: dict[SeriesId, Series]


class FollowingSamples:
    """`inner` with what was read of each selector kept; a question that reaches further back is read anew."""

    def __init__(self, inner: SampleSource) -> None:
        self._inner = inner
        self._kept: dict[Selector, _Kept] = {}

    @property
    def name(self) -> str:
        return self._inner.name

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end."""
        kept = self._kept.get(selector)
        if kept is None or start < kept.start or end < kept.end:
            found = self._inner.series(selector, start=start, end=end)
            kept = self._kept[selector] = _Kept(start, end, end - start, {one.id: one for one in found})
        elif end > kept.end:
            self._extend(kept, selector, start, end)
        cut = (_after(one, start) for one in kept.series.values())
        return sorted((one for one in cut if one.times.size), key=lambda one: (one.id.name, one.id.labels))

    def histograms(self, selector: Selector, *, start: float, end: float) -> list[HistogramSeries]:
        """Native histograms are read anew each time; [] where the source has none."""
        inner = self._inner
        return inner.histograms(selector, start=start, end=end) if isinstance(inner, HistogramSource) else []

    def _extend(self, kept: _Kept, selector: Selector, start: float, end: float) -> None:
        new = {one.id: one for one in self._inner.series(selector, start=kept.end, end=end)}
        joined = {identity: _join(kept.series.get(identity), new.get(identity)) for identity in {*kept.series, *new}}
        kept.widest = max(kept.widest, end - start)
        kept.start = max(kept.start, end - 2 * kept.widest)  # the same metric may be asked for windows of other widths
        cut = {identity: _after(series, kept.start) for identity, series in joined.items()}
        kept.series = {identity: series for identity, series in cut.items() if series.times.size}
        kept.end = end


def _join(old: Series | None, new: Series | None) -> Series:
    if old is None or new is None:
        whole = old if new is None else new
        assert whole is not None  # noqa: S101  for the type: one of the two is there
        return whole
    return Series(old.id, np.concatenate([old.times, new.times]), np.concatenate([old.values, new.values]))


def _after(series: Series, start: float) -> Series:
    first = int(np.searchsorted(series.times, start, side="right"))
    return series if first == 0 else Series(series.id, series.times[first:], series.values[first:])
