"""Time slices as events: the Timeslices budgeting methods, over whatever the SLI counts.

A slice (a, a + s] is one event at its end. Timeslices: bad wholly, when its share of good events is below the slice
target. RatioTimeslices: bad by its error ratio. Slices are aligned to the epoch, for a calendar window to its start, so
that two evaluations agree on them; a slice that is cut by the range, or not over yet, is left out.
A slice without samples follows the SLO's no-data policy from the first sample on (before it there may have been no
service). A slice with samples but without events was watched and idle: under `ignore` it is no event, otherwise a good
one, since nobody was failed and nobody was blind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sre.errors import SreError
from sre.metrics.model import FloatArray
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve
from sre.slo.model import Slo
from sre.slo.periods import timestamp

BoolArray = NDArray[np.bool_]
_ROUNDING = 1e-9


def slice_events(slo: Slo, events: SliEvents, *, start: float, end: float) -> SliEvents:
    """The slices of a Timeslices or RatioTimeslices SLO in (start, end] as events. Raises SreError without a length."""
    if not slo.slice_s:
        raise SreError(f"{slo.path}:{slo.line}: {slo.name} uses {slo.method} and says no timeSliceWindow: add one")
    edges = slice_edges(start, end, slo.slice_s, anchor=_anchor(slo))
    begin, over = edges[:-1], edges[1:]
    bad, total = events.within(begin, over)
    served = total > 0
    counted, blind_is_bad = _counted(slo, events, edges, served)

    def curve(bad_events: FloatArray) -> EventCurve:
        ratio = np.divide(bad_events, total, out=np.zeros_like(total), where=served)
        spent = np.where(served, _spent(slo, ratio), blind_is_bad)
        return EventCurve(over[counted], np.cumsum(spent[counted]))

    return SliEvents(
        bad=curve(bad),
        total=EventCurve(over[counted], np.arange(1.0, counted.sum() + 1)),
        bad_least=None if events.is_exact else curve(events.least_within(begin, over)),
    )


def slice_edges(start: float, end: float, slice_s: float, *, anchor: float = 0.0) -> FloatArray:
    """Edges of the whole slices in (start, end]: k + 1 for k slices, at least one."""
    first = np.ceil((start - anchor) / slice_s - _ROUNDING)
    last = max(np.floor((end - anchor) / slice_s + _ROUNDING), first)
    edges: FloatArray = anchor + slice_s * np.arange(first, last + 1)
    return edges


def _anchor(slo: Slo) -> float:
    return 0.0 if slo.calendar is None else timestamp(slo.calendar.start, slo.calendar.zone)


def _spent(slo: Slo, error_ratio: FloatArray) -> FloatArray:
    """How much of each slice is bad."""
    if slo.method == "RatioTimeslices":
        return np.clip(error_ratio, 0.0, 1.0)
    target = slo.target if slo.slice_target is None else slo.slice_target
    return (1 - error_ratio < target - _ROUNDING).astype(np.float64)


def _counted(slo: Slo, events: SliEvents, edges: FloatArray, served: BoolArray) -> tuple[BoolArray, FloatArray]:
    """(which slices are events, how bad each is that served nothing)."""
    nothing = np.zeros(served.size)
    if slo.no_data == "ignore":
        return served, nothing
    places = events.total.places(edges)
    blind = np.diff(places) == 0
    known = places[1:] > 0
    return known | served, np.where(blind & (slo.no_data == "bad"), 1.0, nothing)
