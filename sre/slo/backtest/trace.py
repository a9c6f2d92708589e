"""Curves small enough to draw: a month of minutes on a thousand pixels, each showing the most that happened in it.

An average over a pixel would hide the five minutes that paged somebody, so bins keep the maximum; the error ratio of a
bin is its bad events over all of its events.
"""

from __future__ import annotations

import numpy as np

from sre.metrics.model import FloatArray
from sre.slo.backtest.model import TierTrace, Trace
from sre.slo.backtest.replay import Replay

PIXELS = 900


def trace(replay: Replay, *, pixels: int = PIXELS) -> Trace:
    """The replay's curves over at most `pixels` bins of whole evaluation steps."""
    times = replay.times
    step = float(times[1] - times[0]) if times.size > 1 else 1.0
    width = -(-times.size // pixels)
    firsts = np.arange(0, times.size, width)
    edges = np.append(times[firsts] - step, times[-1])
    bad, total = replay.events.within(edges[:-1], edges[1:])
    ratio = np.divide(bad, total, out=np.full(total.shape, np.nan), where=total > 0)
    tiers = tuple(
        TierTrace(burn.curve.tier, _most(burn.curve.long_burn, firsts), _most(burn.curve.short_burn, firsts))
        for burn in replay.burns
    )
    return Trace(edges, ratio, tiers)


def _most(values: FloatArray, firsts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    """The maximum of each bin; NaN only where the whole bin has no data."""
    most: FloatArray = np.fmax.reduceat(values, firsts)
    return most
