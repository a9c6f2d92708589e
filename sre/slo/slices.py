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

from sre.errors import SreError
from sre.metrics.model import FloatArray
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve
from sre.slo.model import Slo
from sre.slo.periods import timestamp

_ROUNDING = 1e-9


def slice_events(slo: Slo, events: SliEvents, *, start: float, end: float) -> SliEvents:
    """The slices of a Timeslices or RatioTimeslices SLO in (start, end] as events. Raises SreError without a length."""
    if not slo.slice_s:
        raise SreError(f"{slo.path}:{slo.line}: {slo.name} uses {slo.method} and says no timeSliceWindow: add one")
    edges = slice_edges(start, end, slo.slice_s, anchor=_anchor(slo))
    begin, over = edges[:-1], edges[1:]
    bad, total = events.within(begin, over)
    served = total > 0
    places = events.total.places(edges)
    watched = np.diff(places) > 0
    counted = served if slo.no_data == "ignore" else served | (places[1:] > 0)
    known = served | counted | watched  # one that was idle is no event, and yet a sample: it was not missed

    def curve(bad_events: FloatArray) -> EventCurve:
        ratio = np.divide(bad_events, total, out=np.zeros_like(total), where=served)
        blind_is_bad = (counted & ~watched & (slo.no_data == "bad")).astype(np.float64)
        return EventCurve(over[known], np.cumsum(np.where(served, _spent(slo, ratio), blind_is_bad)[known]))

    return SliEvents(
        bad=curve(bad),
        total=EventCurve(over[known], np.cumsum(counted[known], dtype=np.float64)),
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
