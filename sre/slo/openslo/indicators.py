"""Kind SLI, by itself or inline: how good is told from bad."""

from __future__ import annotations

from sre.slo.documents import Faults, Node
from sre.slo.openslo.header import place_of, read_description, read_metadata
from sre.slo.openslo.model import Measure, Metric, RatioMetric, RawMetric, Ref, Sli, ThresholdMetric
from sre.slo.openslo.queries import read_metric, read_ref

_PARTS = ("good", "bad", "total", "raw", "rawType")


def read_sli(document: Node, faults: Faults, *, inline: bool = False) -> Sli | None:
    """None after a fault that leaves no indicator. An inline one needs no metadata."""
    fields = document.fields or {}
    metadata = fields.get("metadata")
    if metadata is None and not inline:
        faults.required(document, "metadata", "give at least metadata.name")
    spec = faults.required(document, "spec", "put the ratioMetric or thresholdMetric here")
    head = read_metadata(metadata, faults) if metadata is not None else None
    if spec is None:
        return None
    inside = faults.mapping(spec, ("description", "ratioMetric", "thresholdMetric"))
    description = read_description(inside, faults)
    given = [key for key in ("ratioMetric", "thresholdMetric") if key in inside]
    if spec.fields is not None and len(given) != 1:
        faults.add(spec, "needs exactly one of ratioMetric, thresholdMetric")
    if len(given) != 1:
        return None
    node = inside[given[0]]
    measure = _ratio(node, faults) if given == ["ratioMetric"] else ThresholdMetric(read_metric(node, faults))
    return None if measure is None else Sli(head, measure, description, place_of(document, faults))


def read_indicator(parent: Node, faults: Faults) -> Sli | Ref | None:
    """`indicator` or `indicatorRef` of an SLO or an objective; None when there is neither, or after a fault."""
    fields = parent.fields or {}
    if "indicator" in fields and "indicatorRef" in fields:
        faults.add(parent, "has indicator and indicatorRef: keep one")
    if "indicator" in fields:
        faults.mapping(fields["indicator"], ("metadata", "spec"))
        return read_sli(fields["indicator"], faults, inline=True)
    return read_ref(fields.get("indicatorRef"), faults, "SLI")


def _ratio(node: Node, faults: Faults) -> Measure | None:
    fields = faults.mapping(node, ("counter", *_PARTS))
    sides: dict[str, Metric] = {
        key: read_metric(fields[key], faults) for key in ("good", "bad", "total", "raw") if key in fields
    }
    if "raw" in fields or ("rawType" in fields and "total" not in fields):
        return _raw(node, faults, sides)
    if "rawType" in fields:
        faults.add(fields["rawType"], "belongs to `raw`: remove it, good or bad says which side is counted")
    counter = faults.required(node, "counter", "write `counter: true` for counters that only grow, else `false`")
    counts = faults.boolean(counter, "write `true` for counters that only grow, else `false`", default=True)
    if fields and ("good" in fields) == ("bad" in fields):
        faults.add(node, "needs exactly one of good, bad: count one side, the other follows from total")
    faults.required(node, "total", "count all events that matter")
    if "total" not in sides:
        return None
    return RatioMetric(total=sides["total"], good=sides.get("good"), bad=sides.get("bad"), counter=counts)


def _raw(node: Node, faults: Faults, sides: dict[str, Metric]) -> RawMetric | None:
    extra = [key for key in ("good", "bad", "total") if key in sides]
    if extra:
        faults.add(node, f"has raw and {', '.join(extra)}: write raw and rawType alone, or a side and total")
    faults.required(node, "raw", "give the metric that holds the ratio")
    kind = faults.required(node, "rawType", "write `success` for good/total, `failure` for bad/total")
    word = faults.one_of(kind, ("success", "failure"), "write `success` for good/total, `failure` for bad/total")
    faults.boolean((node.fields or {}).get("counter"), "write true or false, or remove it: raw ratios have no counter")
    return RawMetric(sides["raw"], failure=word == "failure") if "raw" in sides else None
