"""How many observations were at most a threshold, from histograms: exactly on a bucket bound, else between two numbers.

Exporters write one bound in several ways (`le="1"`, `"1.0"`, `"1e+00"`; Prometheus 3 normalises them), so bounds are
compared as numbers. Nothing is interpolated: between two bounds the observations may lie anywhere, and a verdict that
depends on where is a guess. `Side` carries both ends instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray, HistogramSeries, Matcher, Selector, Series
from sre.slo.counters import EventCurve, Piece, curve_of, sum_of

BUCKET, COUNT = "_bucket", "_count"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The least and the most events one side of an SLI may hold; one curve twice where it is exact."""

    least: EventCurve
    most: EventCurve

    @property
    def is_exact(self) -> bool:
        return self.least is self.most


def exact(curve: EventCurve) -> Side:
    """A side that is known exactly."""
    return Side(curve, curve)


def sum_of_sides(sides: Sequence[Side]) -> Side:
    """The events of all sides together; exact if all are."""
    least = sum_of(side.least for side in sides)
    return exact(least) if all(side.is_exact for side in sides) else Side(least, sum_of(side.most for side in sides))


def bound_asked(selector: Selector) -> float | None:
    """The bound of `X_bucket{le="0.5"}`; None for every other selector, `le=~` included."""
    if not selector.name.endswith(BUCKET):
        return None
    given = [m.value for m in selector.matchers if m.label == "le" and m.op == "="]
    return number(given[0]) if len(given) == 1 else None


def number(le: str | None) -> float | None:
    """A bound as a number; None for what is none."""
    try:
        value = float(le or "")
    except ValueError:
        return None
    return None if math.isnan(value) else value


def bound_of(series: Series) -> float | None:
    """The bound of a bucket's series."""
    return number(series.id.label("le"))


def target_of(series: Series) -> Labels:
    """What a histogram's buckets and its count share: all labels but the bound."""
    return tuple(pair for pair in series.id.labels if pair[0] != "le")


def one_spelling(buckets: Iterable[Series]) -> list[Series]:
    """The buckets with those of one target and bound joined, however the bound is written.

    When Prometheus is upgraded to 3, `le="1"` ends and `le="1.0"` goes on with its count: no new counter.
    """
    alike: dict[tuple[Labels, float | None, str], list[Series]] = {}
    for one in buckets:
        alike.setdefault((target_of(one), bound_of(one), one.id.name), []).append(one)
    return [same[0] if len(same) == 1 else _joined(same) for same in alike.values()]


def with_bounds(selector: Selector, bounds: Iterable[float]) -> Selector:
    """The selector for all series of some bounds, however they are written."""
    pattern = "|".join(spelled(bound) for bound in sorted(set(bounds)))
    return Selector(selector.name, (*without_bound(selector).matchers, Matcher("le", "=~", pattern)))


def without_bound(selector: Selector) -> Selector:
    """The selector for the buckets of every bound."""
    return Selector(selector.name, tuple(m for m in selector.matchers if m.label != "le"))


def family_of(selector: Selector) -> Selector:
    """The selector for the native histogram a bucket or count selector belongs to."""
    return Selector(re.sub(f"({BUCKET}|{COUNT})$", "", selector.name), without_bound(selector).matchers)


def spelled(bound: float) -> str:
    """A regular expression (RE2 and Python alike) for every way to write a number: 1, 1.0, 1e0, 1e+00, 01.00 ..."""
    if math.isinf(bound):
        return "[+]?[Ii]nf" if bound > 0 else "-[Ii]nf"
    if bound == 0:
        return r"[+-]?0+(\.0*)?"
    value = Decimal(repr(abs(bound))).normalize()
    whole, _, part = format(value, "f").partition(".")
    digits, exponent = "".join(map(str, value.as_tuple().digits)), value.adjusted()
    scientific = f"0*{digits[0]}{_fraction(digits[1:])}[eE]{_exponent(exponent)}"
    return f"{'-' if bound < 0 else '[+]?'}(0*{whole.lstrip('0')}{_fraction(part)}|{scientific})"


def neighbours(bounds: Iterable[float], bound: float) -> tuple[float | None, float | None]:
    """The nearest bounds below and above a threshold; None where there is none."""
    known = sorted(set(bounds))
    below = [one for one in known if one < bound]
    above = [one for one in known if one > bound]
    return (below[-1] if below else None), (above[0] if above else None)


def native_total(histograms: Iterable[HistogramSeries], *, after: float) -> EventCurve:
    """All observations of native histograms as one curve. The first sample of each is its base."""
    return curve_of([_steps(one, one.totals, after) for one in map(_clean, histograms) if one.times.size])


def native_side(histograms: Iterable[HistogramSeries], bound: float, *, after: float) -> Side:
    """Observations at most `bound`: exact where it is a bucket bound in every sample, else with both ends."""
    least, most, differs = [], [], False
    for one in map(_clean, histograms):
        if not one.times.size:
            continue
        sample, lowers, bounds, counts = _flat(one)
        inside = bounds <= bound * (1 + 1e-12) if bound > 0 else bounds <= bound
        straddles = ~inside & (lowers < bound)
        differs |= bool(counts[straddles].any())
        size = one.times.size
        sure = _per_sample(sample[inside], counts[inside], size)
        maybe = _per_sample(sample[straddles], counts[straddles], size)
        least.append(_steps(one, sure, after))
        most.append(_steps(one, sure + maybe, after))
    return Side(curve_of(least), curve_of(most)) if differs else exact(curve_of(least))


def _joined(same: Sequence[Series]) -> Series:
    times = np.concatenate([one.times for one in same])
    order = np.argsort(times, kind="stable")
    return Series(same[0].id, times[order], np.concatenate([one.values for one in same])[order])


def _steps(one: HistogramSeries, values: FloatArray, after: float) -> Piece:
    """(times, increments) after `after`; where the histogram began anew, the whole value is new."""
    amounts = np.diff(values, prepend=values[:1])
    anew = _resets(one)
    amounts[anew] = values[anew]
    kept = one.times > after
    return one.times[kept], np.maximum(amounts[kept], 0.0)


def _clean(one: HistogramSeries) -> HistogramSeries:
    keep = np.isfinite(one.totals)
    keep[1:] &= one.times[1:] > np.maximum.accumulate(one.times)[:-1]
    if keep.all():
        return one
    places = np.flatnonzero(keep)
    lowers, bounds, counts = (tuple(part[i] for i in places) for part in (one.lowers, one.bounds, one.counts))
    return HistogramSeries(one.id, one.times[keep], one.totals[keep], lowers, bounds, counts)


def _flat(one: HistogramSeries) -> tuple[NDArray[np.intp], FloatArray, FloatArray, FloatArray]:
    """(sample index, lower bound, upper bound, count) of every bucket of every sample."""
    sample = np.repeat(np.arange(one.times.size), [bounds.size for bounds in one.bounds])
    return sample, np.concatenate(one.lowers), np.concatenate(one.bounds), np.concatenate(one.counts)


def _per_sample(sample: NDArray[np.intp], counts: FloatArray, size: int) -> FloatArray:
    return np.bincount(sample, weights=counts, minlength=size).astype(np.float64)


def _resets(one: HistogramSeries) -> NDArray[np.bool_]:
    """Whether each sample began anew: the total fell, a bucket fell, or one vanished without a wider one in its place.

    Buckets that merge (a coarser schema, a wider zero bucket) are no restart.
    """
    anew = np.zeros(one.times.size, dtype=np.bool_)
    anew[1:] = np.diff(one.totals) < 0
    sample, lowers, bounds, counts = _flat(one)
    order = np.lexsort((sample, bounds, lowers))
    sample, lowers, bounds, counts = sample[order], lowers[order], bounds[order], counts[order]
    same = (lowers[1:] == lowers[:-1]) & (bounds[1:] == bounds[:-1]) & (sample[1:] == sample[:-1] + 1)
    anew[sample[1:][same & (counts[1:] < counts[:-1])]] = True
    last = one.times.size - 1
    gone = (np.append(~same, True)) & (counts > 0) & (sample < last)
    for i in np.flatnonzero(gone):
        after = sample[i] + 1
        wider = (one.lowers[after] <= lowers[i]) & (one.bounds[after] >= bounds[i]) & (one.counts[after] >= counts[i])
        anew[after] |= not wider.any()
    return anew


def _exponent(exponent: int) -> str:
    if exponent == 0:
        return "[+-]?0+"
    return f"{'-' if exponent < 0 else '[+]?'}0*{abs(exponent)}"


def _fraction(digits: str) -> str:
    return rf"\.{digits}0*" if digits else r"(\.0*)?"
