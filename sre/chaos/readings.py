"""Service levels over the last few seconds, read from samples. What cannot be read is NoData with the mend, never a number.

A window ends at the newest sample, not at the clock: counters are known at scrapes only. Samples older than `STALE_S` mean
that nobody watches any more, which is not the same as a quiet service.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from sre.errors import NoData, SreError
from sre.metrics.model import SampleSource, Selector
from sre.slo.counters import event_curve
from sre.slo.events import LOOKBACK_S, read_events
from sre.slo.model import RatioSli
from sre.slo.openslo import load_slos

STALE_S = 5.0
NO_TRAFFIC = "no request ended in the last {:g} s: start load with `sre load`, or use a longer window_s"


def sli_of(name: str, slo_dir: Path) -> RatioSli:
    """The SLI of the SLO document called `name`. Raises SreError listing what there is."""
    slos = {slo.name: slo for slo in load_slos(slo_dir)}
    if name not in slos:
        raise SreError(f"{slo_dir}: no SLO is named {name!r}: use one of {', '.join(sorted(slos))}")
    return slos[name].sli


def good_ratio(source: SampleSource, sli: RatioSli, *, window_s: float, now: float) -> float:
    """1 - bad / total over the last `window_s` seconds. Raises NoData without fresh samples or without events."""
    end = newest_sample(source, sli.total, now=now)
    events = read_events(source, sli, start=end - window_s, end=end)
    total = events.total.between(end - window_s, end)
    if total <= 0:
        raise NoData(NO_TRAFFIC.format(window_s))
    return min(1.0, max(0.0, 1.0 - events.bad.between(end - window_s, end) / total))


def quantile(source: SampleSource, histogram: str, q: float, *, window_s: float, now: float) -> float:
    """The q-quantile of a Prometheus histogram over the last `window_s` seconds, by PromQL's linear interpolation.

    Like PromQL it cannot see beyond the highest finite bound, which it then returns.
    """
    bucket = Selector(f"{histogram}_bucket")
    end = newest_sample(source, (bucket,), now=now)
    start = end - window_s
    up = source.series(Selector("up"), start=start - LOOKBACK_S, end=end)
    by_bound: dict[float, float] = {}
    for series in source.series(bucket, start=start - LOOKBACK_S, end=end):
        bound = float(series.id.label("le") or "nan")
        count = event_curve([series], up=up, after=start).between(start, end)
        by_bound[bound] = by_bound.get(bound, 0.0) + count
    return interpolate(sorted(by_bound.items()), q, window_s=window_s)


def interpolate(buckets: Sequence[tuple[float, float]], q: float, *, window_s: float) -> float:
    """The q-quantile of cumulative buckets (upper bound, events at or below it), ascending, the last bound infinite."""
    if not buckets or not math.isinf(buckets[-1][0]):
        raise NoData("the histogram has no +Inf bucket: it cannot be trusted, look at the target's /metrics")
    total = buckets[-1][1]
    if total <= 0:
        raise NoData(NO_TRAFFIC.format(window_s))
    rank = q * total
    below, low = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if math.isinf(bound):
                return low
            inside = count - below
            return bound if inside <= 0 else low + (bound - low) * (rank - below) / inside
        below, low = count, bound
    return low


def newest_sample(source: SampleSource, selectors: Sequence[Selector], *, now: float) -> float:
    """Time of the newest sample of any of the selectors. Raises NoData when there is none fresh enough."""
    fresh = [s for selector in selectors for s in source.series(selector, start=now - STALE_S, end=now)]
    times = [float(series.times[-1]) for series in fresh if series.times.size]
    if not times:
        names = ", ".join(sorted({selector.name for selector in selectors}))
        raise NoData(
            f"no sample of {names} in the last {STALE_S:g} s: is the platform up and its recorder running? "
            "see `sre status`"
        )
    return max(times)
