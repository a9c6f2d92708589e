"""Reads an SLI from a source of samples and turns it into events, whatever its kind and budgeting method.

One decision lives here: what an absent counter means. Exporters create a labelled series at its first event, so a
selector that matches nothing is 0 events *if* its metric exists with other labels; if the metric itself is unknown, the
name may be misspelt, and the answer is NoData.
"""

from __future__ import annotations

from collections.abc import Sequence

from sre.metrics.model import SampleSource, Selector, Series
from sre.slo.burn import SliEvents
from sre.slo.goodput import joint_events
from sre.slo.model import JointSli, RatioSli, RawSli, Sli, Slo, ratios_of
from sre.slo.reader import LOOKBACK_S, CounterReader
from sre.slo.sampled import counted_samples, raw_events, threshold_events
from sre.slo.slices import slice_events

__all__ = ["LOOKBACK_S", "read_events", "selectors_of", "sli_events", "slo_events"]

PERIOD_LOOKBACK_S = 300.0  # for a budget period: as long as Prometheus holds a series for current
_TARGET_LABELS = frozenset({"job", "instance"})


def slo_events(
    source: SampleSource, slo: Slo, *, start: float, end: float, lookback_s: float = PERIOD_LOOKBACK_S
) -> SliEvents:
    """Bad and total events of the SLO in (start, end]: of its SLI, or of its slices. Raises NoData as `read_events`."""
    events = sli_events(source, slo.sli, start=start, end=end, lookback_s=lookback_s)
    return events if slo.method == "Occurrences" else slice_events(slo, events, start=start, end=end)


def sli_events(
    source: SampleSource, sli: Sli, *, start: float, end: float, lookback_s: float = LOOKBACK_S
) -> SliEvents:
    """Bad and total events of any kind of SLI in (start, end]. Raises NoData as `read_events`."""
    if isinstance(sli, RatioSli):
        return read_events(source, sli, start=start, end=end, lookback_s=lookback_s)
    if isinstance(sli, JointSli):
        # a criterion that is not watched leaves goodput unknown, hence NoData, not the bound of the others
        return joint_events([read_events(source, s, start=start, end=end, lookback_s=lookback_s) for s in sli.slis])
    found = _samples(CounterReader(source, start, end, lookback_s=0.0), selectors_of(sli), must_be_observed=True)
    return raw_events(found, sli) if isinstance(sli, RawSli) else threshold_events(found, sli)


def read_events(
    source: SampleSource, sli: RatioSli, *, start: float, end: float, lookback_s: float = LOOKBACK_S
) -> SliEvents:
    """Bad and total events in (start, end]. Raises NoData when the source holds no sample of the total there.

    `lookback_s` is how far before `start` the base of a counter is looked for: at least one scrape interval.
    """
    if not sli.counter:
        return _counted(CounterReader(source, start, end, lookback_s=0.0), sli)
    reader = CounterReader(source, start, end, lookback_s=lookback_s, kinds=_kinds(sli))
    total = reader.total(sli.total)
    if sli.bad:
        bad = reader.side(sli.bad)
        return SliEvents(bad=bad.most, total=total, bad_least=None if bad.is_exact else bad.least)
    if not sli.good:
        return SliEvents(bad=total.minus(total), total=total)
    good = reader.side(sli.good)
    return SliEvents(
        bad=total.minus(good.least), total=total, bad_least=None if good.is_exact else total.minus(good.most)
    )


def selectors_of(sli: Sli) -> tuple[Selector, ...]:
    """The selectors that show whether the SLI is watched at all: those of its total, its ratio or its gauge.

    Of a joint SLI the totals of every criterion.
    """
    if isinstance(sli, RatioSli | JointSli):
        return tuple(dict.fromkeys(selector for ratio in ratios_of(sli) for selector in ratio.total))
    return sli.ratio if isinstance(sli, RawSli) else sli.metric


def _counted(reader: CounterReader, sli: RatioSli) -> SliEvents:
    """Samples that are counts since the last one."""
    total = counted_samples(_samples(reader, sli.total, must_be_observed=True))
    if sli.bad:
        return SliEvents(bad=counted_samples(_samples(reader, sli.bad)), total=total)
    good = counted_samples(_samples(reader, sli.good)) if sli.good else total
    return SliEvents(bad=total.minus(good), total=total)


def _samples(reader: CounterReader, selectors: Sequence[Selector], *, must_be_observed: bool = False) -> list[Series]:
    found = [series for selector in selectors for series in reader.series(selector)]
    if must_be_observed:
        reader.demand(found, selectors)
    return found


def _kinds(sli: RatioSli) -> frozenset[str]:
    """The labels that the SLI tells its own events apart by: those its selectors do not all match alike."""
    matchers = [frozenset(selector.matchers) for selector in (*sli.total, *sli.good, *sli.bad)]
    apart = frozenset().union(*matchers) - frozenset.intersection(*matchers)
    return frozenset(m.label for m in apart) - _TARGET_LABELS
