"""Kind SLO: what of its indicator is promised, by which budgeting method."""

from __future__ import annotations

import math
from decimal import Decimal

from sre.slo.documents import Faults, Node
from sre.slo.model import Method, Op
from sre.slo.openslo.alerting import read_policies
from sre.slo.openslo.durations import FIXED, read_duration
from sre.slo.openslo.header import NO_DATA, SLO_ANNOTATIONS, place_of, read_description, read_metadata
from sre.slo.openslo.indicators import read_indicator
from sre.slo.openslo.model import Duration, Metadata, Objective, SloDocument, TimeWindow
from sre.slo.openslo.windows import read_window

METHODS: tuple[Method, ...] = ("Occurrences", "Timeslices", "RatioTimeslices")
OPS: tuple[Op, ...] = ("lte", "gte", "lt", "gt")
_SPEC = (
    "description",
    "service",
    "indicator",
    "indicatorRef",
    "timeWindow",
    "budgetingMethod",
    "objectives",
    "alertPolicies",
)
_OBJECTIVE = (
    "displayName",
    "op",
    "value",
    "target",
    "targetPercent",
    "timeSliceTarget",
    "timeSliceWindow",
    "indicator",
    "indicatorRef",
)
_WEIGHTED = (
    "is not evaluated: a weighted sum hides which part failed, and burns no budget of its own: remove it, and every "
    "objective is an SLO of its own"
)


def read_slo(document: Node, faults: Faults) -> SloDocument | None:
    """The document, with stand-ins after faults; None when there is no spec to go on with."""
    spec = faults.required(document, "spec", "say what the objective is")
    head = faults.required(document, "metadata", "give at least metadata.name")
    metadata = read_metadata(head, faults, ours=SLO_ANNOTATIONS) if head is not None else None
    if spec is None or spec.fields is None:
        if spec is not None:
            faults.mapping(spec, _SPEC)
        return None
    fields = faults.mapping(spec, _SPEC)
    service = faults.required(spec, "service", "name the service this SLO is about")
    method = _method(spec, faults)
    indicator = read_indicator(spec, faults)
    window = read_window(faults.required(spec, "timeWindow", "write a list with one window"), faults)
    objectives = _objectives(spec, faults, method)
    _check_indicators(spec, faults)
    _check_no_data(head, method, faults)
    name = faults.text(service, "name the service this SLO is about")
    policies = read_policies(fields.get("alertPolicies"), faults)
    description = read_description(fields, faults)
    return SloDocument(
        metadata=metadata or Metadata(""),
        service=name,
        indicator=indicator,
        window=window or TimeWindow(Duration(28, "d")),
        objectives=objectives,
        method=method or "Occurrences",
        alert_policies=policies,
        description=description,
        service_place=place_of(service or spec, faults),
        place=place_of(document, faults),
    )


def _method(spec: Node, faults: Faults) -> Method | None:
    mend = f"write one of {', '.join(METHODS)}"
    word = faults.one_of(
        faults.required(spec, "budgetingMethod", "write `budgetingMethod: Occurrences`"), METHODS, mend
    )
    return next((method for method in METHODS if method == word), None)


def _check_no_data(head: Node | None, method: Method | None, faults: Faults) -> None:
    """Without data there is no number of events that could be bad or good."""
    annotations = ((head.fields if head is not None else None) or {}).get("annotations")
    node = (annotations.fields or {}).get(NO_DATA) if annotations is not None else None
    if node is not None and method == "Occurrences" and node.scalar in ("bad", "good"):
        faults.add(node, f"is {node.kind}: has no meaning under Occurrences: write ignore, or budget by Timeslices")


def _check_indicators(spec: Node, faults: Faults) -> None:
    """Above the objectives, or in each of them."""
    above = _has_indicator(spec)
    objectives = (spec.fields or {}).get("objectives")
    below = [_has_indicator(item) for item in (objectives.items or ())] if objectives is not None else []
    if above and any(below):
        faults.add(spec, "has an indicator above its objectives and in them: keep one of the two")
    if not above and (not any(below) or not all(below)):
        faults.add(
            spec, "missing: write the indicator inline, or indicatorRef with the name of an SLI", key="indicator"
        )


def _has_indicator(node: Node) -> bool:
    return bool({"indicator", "indicatorRef"} & set(node.fields or {}))


def _objectives(spec: Node, faults: Faults, method: Method | None) -> tuple[Objective, ...]:
    node = faults.required(spec, "objectives", "write a list with at least one objective")
    items = faults.list_of(node, "write a list with at least one objective")
    if node is not None and node.items == ():
        faults.add(node, "is a list of 0: write a list with at least one objective")
    return tuple(_objective(item, faults, method) for item in items)


def _objective(node: Node, faults: Faults, method: Method | None) -> Objective:
    fields = faults.mapping(node, (*_OBJECTIVE, "compositeWeight"))
    if "compositeWeight" in fields:
        faults.add(fields["compositeWeight"], _WEIGHTED)
    op = faults.one_of(fields.get("op"), OPS, f"write one of {', '.join(OPS)}")
    slice_target, slice_window = _slices(node, faults, method)
    return Objective(
        target=_target(node, faults),
        display_name=faults.text(fields.get("displayName"), "write one line of text"),
        op=next((known for known in OPS if known == op), None),
        value=_value(fields.get("value"), faults),
        slice_target=slice_target,
        slice_window=slice_window,
        indicator=read_indicator(node, faults),
        place=place_of(node, faults),
    )


def _target(objective: Node, faults: Faults) -> float:
    """A stand-in after a fault."""
    fields = objective.fields or {}
    given = [fields[key] for key in ("target", "targetPercent") if key in fields]
    if len(given) != 1:
        if objective.fields is not None:
            faults.add(objective, "needs exactly one of target, targetPercent: e.g. `target: 0.999`")
        return 0.5
    percent = "targetPercent" in fields
    bounds = "write a number between 0 and 100, e.g. 99.9" if percent else "write a number between 0 and 1, e.g. 0.999"
    number = faults.number(given[0], bounds)
    if number is None:
        return 0.5
    target = float(Decimal(str(number)) / (100 if percent else 1))
    if not 0 < target < 1:
        faults.add(given[0], f"is {given[0].kind}: {bounds} (both ends excluded)")
    return target


def _value(node: Node | None, faults: Faults) -> float | None:
    if node is None:
        return None
    number = faults.number(node, "write the number that the metric is compared with")
    if number is not None and not math.isfinite(number):
        faults.add(node, f"is {node.kind}: write a finite number")
        return None
    return number


def _slices(objective: Node, faults: Faults, method: Method | None) -> tuple[float | None, Duration | None]:
    fields = objective.fields or {}
    wanted = {
        "timeSliceTarget": method == "Timeslices",
        "timeSliceWindow": method in ("Timeslices", "RatioTimeslices"),
    }
    example = {"timeSliceTarget": "0.95", "timeSliceWindow": "5m"}
    for key, needed in wanted.items():
        if method is not None and needed and objective.fields is not None:
            faults.required(objective, key, f"{method} needs it: write e.g. `{key}: {example[key]}`")
        if method is not None and not needed and key in fields:
            faults.add(fields[key], f"has no meaning under {method}: remove it")
    return _slice_target(fields.get("timeSliceTarget"), faults), _slice_window(fields.get("timeSliceWindow"), faults)


def _slice_target(node: Node | None, faults: Faults) -> float | None:
    number = faults.number(node, "write a number above 0, at most 1, e.g. 0.95") if node is not None else None
    if node is not None and number is not None and not 0 < number <= 1:
        faults.add(node, f"is {node.kind}: write a number above 0, at most 1, e.g. 0.95")
    return number


def _slice_window(node: Node | None, faults: Faults) -> Duration | None:
    """A bare number is minutes."""
    if node is not None and isinstance(node.scalar, int) and not isinstance(node.scalar, bool):
        if 0 < node.scalar <= 525_600:
            return Duration(node.scalar, "m")
        faults.add(node, f"is {node.kind}: write whole minutes from 1 on, e.g. 5m")
        return None
    return read_duration(node, faults, units=FIXED, example="5m")
