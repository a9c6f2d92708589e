"""Samples of many series gathered column by column, in any order, and handed back as one tidy Series each.

Readers of files append whole chunks (arrays of series codes, times, values, line numbers), so that memory is 28 bytes
a sample and no object is made for one. Values that are not finite are dropped at the end, as every source does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sre.metrics.faults import Faults
from sre.metrics.model import FloatArray, Series, SeriesId

_IntArray = NDArray[np.int64]


class SampleColumns:
    """Grows by chunks. `code` numbers a series; codes, times, values and lines of a chunk have the same length."""

    def __init__(self) -> None:
        self._codes: dict[SeriesId, int] = {}
        self._chunks: list[tuple[NDArray[np.int32], FloatArray, FloatArray, _IntArray]] = []

    def code(self, series: SeriesId) -> int:
        return self._codes.setdefault(series, len(self._codes))

    def extend(self, codes: ArrayLike, times: ArrayLike, values: ArrayLike, lines: ArrayLike) -> None:
        """Append one chunk. Times are seconds unless `scale` is given to `series`."""
        self._chunks.append(
            (
                np.asarray(codes, np.int32),
                np.asarray(times, np.float64),
                np.asarray(values, np.float64),
                np.asarray(lines, np.int64),
            )
        )

    def latest(self) -> float | None:
        """The largest time appended so far; None before the first."""
        return max((float(times.max()) for _, times, _, _ in self._chunks if times.size), default=None)

    def series(self, faults: Faults, *, scale: float = 1.0) -> list[Series]:
        """One Series for each code that has a finite sample, sorted by name and labels; times are divided by `scale`.

        A sample given twice counts once; two values for one time are a fault at the second's line.
        """
        codes, times, values, lines = self._columns()
        kept = np.isfinite(values)
        codes, times, values, lines = codes[kept], times[kept] / scale, values[kept], lines[kept]
        order = np.lexsort((lines, times, codes))
        codes, times, values, lines = codes[order], times[order], values[order], lines[order]
        again = np.flatnonzero((codes[1:] == codes[:-1]) & (times[1:] == times[:-1])) + 1
        for i in again[values[again] != values[again - 1]].tolist():
            faults.add(f"{lines[i]}", f"a second value for one time ({values[i]:g} after {values[i - 1]:g}): keep one")
        if again.size:
            codes, times, values = (np.delete(column, again) for column in (codes, times, values))
        starts = np.searchsorted(codes, np.arange(len(self._codes) + 1))
        found = [
            Series(one, times[starts[code] : starts[code + 1]], values[starts[code] : starts[code + 1]])
            for one, code in self._codes.items()
            if starts[code + 1] > starts[code]
        ]
        return sorted(found, key=by_identity)

    def _columns(self) -> tuple[NDArray[np.int32], FloatArray, FloatArray, _IntArray]:
        if not self._chunks:
            return np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0, np.int64)
        codes, times, values, lines = (np.concatenate(column) for column in zip(*self._chunks, strict=True))
        self._chunks = []
        return codes, times, values, lines


def by_identity(series: Series) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The order in which sources answer."""
    return series.id.name, series.id.labels


def join(series: SeriesId, pieces: Sequence[tuple[FloatArray, FloatArray]]) -> Series:
    """Pieces of one series, in the order read, as one; what two of them hold for one time counts once (the first)."""
    if len(pieces) == 1:
        times, values = pieces[0]
    else:
        times = np.concatenate([times for times, _ in pieces])
        values = np.concatenate([values for _, values in pieces])
    if times.size > 1 and not np.all(times[1:] > times[:-1]):
        times, first = np.unique(times, return_index=True)
        values = values[first]
    return Series(series, times, values)
