"""Metric names: that they exist, under which name, and that what they count are events."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre.metrics.catalogue import Metric
from sre.metrics.model import Selector
from sre.slo.lint import rules
from sre.slo.lint.knowledge import Knowledge, le_of
from sre.slo.lint.model import Finding, Side, Subject
from sre.slo.lint.wording import one_of
from sre.slo.model import RatioSli

_GROWING = ("_total", "_count", "_bucket")
_RATIO_NAME = re.compile(r".*_(ratio|perc|percent|percentage|pct|avg|average|mean|median|p\d\d+|quantile|hit_rate)")


def check_metrics(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Name, type and nature of every metric, each said once a side."""
    for side in subject.sides:
        for name in dict.fromkeys(selector.name for selector in side.selectors):
            if _is_ratio(subject, name):
                yield rules.RATIO_AS_EVENTS.at(
                    side.place,
                    subject.name,
                    what=f"{side.name} counts {name}, by its name a ratio or an average",
                    mend="count the events behind it, or make it a rawMetric or a thresholdMetric",
                )
            else:
                yield from _existence(subject, side, name, knowledge)
        for selector in side.selectors:
            yield from _type(subject, side, selector, knowledge)


def _is_ratio(subject: Subject, name: str) -> bool:
    return isinstance(subject.slo.sli, RatioSli) and _RATIO_NAME.fullmatch(name) is not None


def _existence(subject: Subject, side: Side, name: str, knowledge: Knowledge) -> Iterator[Finding]:
    catalogue, known = knowledge.catalogue, knowledge.catalogue.get(name)
    present = knowledge.present_as(name)
    if knowledge.live and present is None:
        bare = f"{name}_bucket" in knowledge.names and _bare_histogram(name, known)
        if not bare and not _is_native(name, knowledge):
            yield _absent(subject, side, name, knowledge)
        return
    if present is not None and present != name:
        yield _renamed(subject, side, name, present, knowledge, said="the source has")
    elif known is not None and catalogue.newest(name) != name:
        yield _renamed(subject, side, name, catalogue.newest(name), knowledge, said="newer versions have")
    elif known is not None and known.until is not None:
        yield rules.RETIRED_METRIC.at(
            side.place,
            subject.name,
            what=f"{name} in {side.name}: {known.exporter} has it up to {known.until}"
            + (f"; {known.why}" if known.why else ""),
            mend="choose another metric",
        )
    elif known is None and not knowledge.live:
        yield _absent(subject, side, name, knowledge)


def _is_native(name: str, knowledge: Knowledge) -> bool:
    """Whether the evaluator answers for `x_bucket` or `x_count` from a native histogram `x`."""
    return any(name.endswith(part) and knowledge.has_native(name.removesuffix(part)) for part in ("_bucket", "_count"))


def _bare_histogram(name: str, known: Metric | None) -> bool:
    """A histogram's family name: it exists, only not as a series. Its type is what is wrong."""
    return known is None or known.type == "histogram"


def _absent(subject: Subject, side: Side, name: str, knowledge: Knowledge) -> Finding:
    catalogue = knowledge.catalogue
    with_total = f"{name}_total"
    if with_total in knowledge.names or (not knowledge.live and catalogue.get(with_total) is not None):
        return rules.MISSING_TOTAL.at(
            side.place,
            subject.name,
            what=f"{name} in {side.name}: the series is called {with_total}",
            mend=f"write {with_total}",
        )
    exporter = catalogue.knows_exporter_of(name)
    nearest = catalogue.nearest(name, among=knowledge.names if knowledge.live else None)
    mend = f"did you mean {one_of(nearest)}?" if nearest else "check its name, and that its exporter is scraped"
    if knowledge.live:
        known = catalogue.get(name)
        born_later = known is not None and side.name != "total"
        return rules.UNKNOWN_METRIC.at(
            side.place,
            subject.name,
            what=f"{name} in {side.name}: the source has no such metric"
            + (f", though {known.exporter} exposes it" if known is not None else ""),
            mend="nothing, if it is exposed only after its first event; else " + mend if born_later else mend,
            severity="warning" if born_later else None,
        )
    if exporter is not None:
        return rules.UNKNOWN_METRIC.at(
            side.place, subject.name, what=f"{name} in {side.name}: {exporter} exposes no such metric", mend=mend
        )
    return rules.UNCHECKED_METRIC.at(
        side.place,
        subject.name,
        what=f"{name} in {side.name} is in no catalogue",
        mend=mend if nearest else "check against a source (--prometheus), or give a catalogue of yours (--catalogue)",
    )


def _renamed(subject: Subject, side: Side, name: str, other: str, knowledge: Knowledge, *, said: str) -> Finding:
    catalogue = knowledge.catalogue
    newest = catalogue.newest(name)
    new, old = catalogue.get(newest), catalogue.get(name if newest != name else other)
    since = f"{new.exporter} {new.since}" if new is not None and new.since else "a newer version"
    until = f" (the old name is gone in {old.until})" if old is not None and old.until else ""
    return rules.RENAMED_METRIC.at(
        side.place,
        subject.name,
        what=f"{name} in {side.name}: {said} {other}; renamed with {since}{until}",
        mend=f"write {newest}" if newest != name else f"upgrade the exporter, or write {other}",
    )


def _type(subject: Subject, side: Side, selector: Selector, knowledge: Knowledge) -> Iterator[Finding]:
    wrong = _wrong_type(subject, selector, knowledge)
    if wrong is not None:
        what, mend = wrong
        yield rules.WRONG_TYPE.at(side.place, subject.name, what=f"{selector.name} in {side.name} {what}", mend=mend)
    if any(m.label == "quantile" and m.op in ("=", "=~") for m in selector.matchers):
        counted = isinstance(subject.slo.sli, RatioSli)
        yield rules.RATIO_AS_EVENTS.at(
            side.place,
            subject.name,
            what=f"{selector.name} in {side.name} is a percentile that each instance computed for itself",
            mend="use a histogram: its buckets can be added up",
            severity=None if counted else "warning",
        )


def _wrong_type(subject: Subject, selector: Selector, knowledge: Knowledge) -> tuple[str, str] | None:
    """(what is wrong, the mend), or None."""
    name, known = selector.name, knowledge.catalogue.get(selector.name)
    if name.endswith("_bucket") and _is_part(name, "_bucket", known, knowledge) and le_of(selector) is None:
        return "has no le: every event is in several buckets", 'pick one bucket, le="...", or use _count'
    if _is_family(name, known, knowledge):
        return "is a histogram's family, which no series is called", f"write {name}_bucket with le, or {name}_count"
    if _is_part(name, "_sum", known, knowledge):
        count = name.removesuffix("_sum") + "_count"
        return "adds up what was measured, not how often", f"write {count}"
    metric_type = knowledge.type_of(name)
    if not isinstance(subject.slo.sli, RatioSli):
        if metric_type in ("counter", "histogram") or (metric_type is None and name.endswith(_GROWING)):
            return "only ever grows: its samples are no level", "make it a side of a ratioMetric, or choose a gauge"
        return None
    if metric_type == "gauge" and subject.slo.sli.counter:
        return "is a gauge", "count events with a counter, or make it a thresholdMetric"
    return None


def _is_family(name: str, known: Metric | None, knowledge: Knowledge) -> bool:
    if known is not None:
        return known.type == "histogram" and knowledge.catalogue.part(name) is None
    return f"{name}_bucket" in knowledge.names and name not in knowledge.names


def _is_part(name: str, part: str, known: Metric | None, knowledge: Knowledge) -> bool:
    """Whether the name is that part of a histogram or summary, by the catalogue or by its siblings in the source."""
    if known is not None:
        return knowledge.catalogue.part(name) == part
    return name.endswith(part) and (name.removesuffix(part) + "_count" in knowledge.names or part == "_bucket")
