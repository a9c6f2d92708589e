"""Service levels over the last few seconds, read from samples. What cannot be read is NoData with the mend.

A window ends at the newest sample, not at the clock: counters are known at scrapes only. Samples older than `STALE_S`
mean that nobody watches any more, which is not the same as a quiet service.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sre.chaos.sight import STALE_S
from sre.errors import NoData, SreError
from sre.metrics.model import SampleSource, Selector
from sre.slo.model import RatioSli
from sre.slo.openslo import load_slos
from sre.slo.sli import quantile_over, ratio_over

MEND = "start load with `sre load`, or use a longer window_s"


def sli_of(name: str, slo_dir: Path) -> RatioSli:
    """The SLI of the SLO document called `name`. Raises SreError listing what there is, or when it counts no events."""
    slos = {slo.name: slo for slo in load_slos(slo_dir)}
    if name not in slos:
        raise SreError(f"{slo_dir}: no SLO is named {name!r}: use one of {', '.join(sorted(slos))}")
    slo = slos[name]
    if not isinstance(slo.sli, RatioSli) or not slo.sli.counter:
        raise SreError(f"{slo.path}:{slo.line}: {name!r} counts no events: a probe needs a ratioMetric of counters")
    return slo.sli


def good_ratio(source: SampleSource, sli: RatioSli, *, window_s: float, now: float, stale_s: float = STALE_S) -> float:
    """Good over all events of the last `window_s` seconds. Raises NoData without fresh samples or without events."""
    end = newest_sample(source, sli.total, now=now, stale_s=stale_s)
    good, total = ratio_over(source, sli, end=end, window_s=window_s)
    if total <= 0:
        raise NoData(f"no request ended in the last {window_s:g} s: {MEND}")
    return good / total


def quantile(
    source: SampleSource, histogram: str, q: float, *, window_s: float, now: float, stale_s: float = STALE_S
) -> float:
    """The q-quantile of a histogram over the last `window_s` seconds. Raises NoData like `good_ratio`."""
    end = newest_sample(source, (Selector(f"{histogram}_bucket"),), now=now, stale_s=stale_s)
    try:
        return quantile_over(source, histogram, q, end=end, window_s=window_s)
    except NoData as error:
        raise NoData(f"{error}: {MEND}") from error


def newest_sample(
    source: SampleSource, selectors: Sequence[Selector], *, now: float, stale_s: float = STALE_S
) -> float:
    """Time of the newest sample of any of the selectors. Raises NoData when there is none fresh enough."""
    fresh = [s for selector in selectors for s in source.series(selector, start=now - stale_s, end=now)]
    times = [float(series.times[-1]) for series in fresh if series.times.size]
    if not times:
        names = ", ".join(sorted({selector.name for selector in selectors}))
        raise NoData(
            f"no sample of {names} in the last {stale_s:g} s: is the platform up, and does somebody scrape it? "
            "see `sre status`"
        )
    return max(times)
