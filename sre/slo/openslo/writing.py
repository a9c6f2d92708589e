"""Typed documents to OpenSLO v1 YAML: the inverse of reading, with one order of keys.

Comments and the layout of the file are not kept: a document that a person writes stays theirs. Targets are written as
`target`, slices as a duration, selectors in their normal form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from sre.metrics.selector import format_selector
from sre.slo.openslo.header import API_VERSION
from sre.slo.openslo.model import (
    AlertCondition,
    AlertPolicy,
    DataSource,
    Document,
    Metadata,
    Metric,
    NotificationTarget,
    Objective,
    RatioMetric,
    RawMetric,
    Ref,
    Service,
    Sli,
    SloDocument,
    ThresholdMetric,
    TimeWindow,
    kind_of,
)

Tree = dict[str, Any]


def write_documents(documents: Iterable[Document]) -> str:
    """YAML that `load_documents` reads back to equal documents; `Documents` is such an iterable. "" for none."""
    parts = [yaml.dump(_document(document), Dumper=_Dumper, **_LAYOUT) for document in documents]
    return "---\n".join(parts)


_LAYOUT: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 110, "default_flow_style": False}


class _Dumper(yaml.SafeDumper):
    """No anchors: the same list twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Text with characters that YAML takes for line ends is escaped, or reading would change it."""
    odd = any(not c.isprintable() and c != "\n" for c in text)
    style = '"' if odd else "|" if "\n" in text and text == text.strip() and " \n" not in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _document(document: Document) -> Tree:
    return {"apiVersion": API_VERSION, "kind": kind_of(document), **_body(document)}


def _body(document: Document) -> Tree:
    """Metadata, where there is one, and spec."""
    head = {"metadata": _metadata(document.metadata)} if document.metadata is not None else {}
    return {**head, "spec": _spec(document)}


def _spec(document: Document) -> Tree:
    spec: Tree = {"description": document.description} if document.description else {}
    if isinstance(document, SloDocument):
        spec |= _slo(document)
    elif isinstance(document, Sli):
        spec |= _measure(document)
    elif isinstance(document, AlertPolicy):
        spec |= _policy(document)
    elif isinstance(document, AlertCondition):
        spec |= {"severity": document.severity, "condition": _condition(document)}
    elif isinstance(document, NotificationTarget):
        spec |= {"target": document.target}
    elif isinstance(document, DataSource):
        details = json.loads(document.connection)
        spec |= {"type": document.type} | ({"connectionDetails": details} if details != {} else {})
    elif not isinstance(document, Service):
        raise TypeError(f"{type(document)} is no OpenSLO document")
    return spec


def _metadata(metadata: Metadata) -> Tree:
    tree: Tree = {"name": metadata.name}
    if metadata.display_name:
        tree["displayName"] = metadata.display_name
    if metadata.labels:
        tree["labels"] = {key: value if isinstance(value, str) else list(value) for key, value in metadata.labels}
    if metadata.annotations:
        tree["annotations"] = dict(metadata.annotations)
    return tree


def _slo(slo: SloDocument) -> Tree:
    tree: Tree = {"service": slo.service, **_indicator(slo.indicator)}
    tree |= {"timeWindow": [_window(slo.window)], "budgetingMethod": slo.method}
    tree["objectives"] = [_objective(objective) for objective in slo.objectives]
    if slo.alert_policies:
        tree["alertPolicies"] = [_part(policy, "alertPolicyRef") for policy in slo.alert_policies]
    return tree


def _indicator(indicator: Sli | Ref | None) -> Tree:
    if indicator is None:
        return {}
    if isinstance(indicator, Ref):
        return {"indicatorRef": indicator.name}
    return {"indicator": _body(indicator)}


def _window(window: TimeWindow) -> Tree:
    if window.calendar is None:
        return {"duration": str(window.duration), "isRolling": True}
    start = window.calendar.start.isoformat(sep=" ", timespec="seconds")
    calendar = {"startTime": start, "timeZone": window.calendar.zone}
    return {"duration": str(window.duration), "calendar": calendar, "isRolling": False}


def _objective(objective: Objective) -> Tree:
    fields = {
        "displayName": objective.display_name or None,
        "op": objective.op,
        "value": objective.value,
        "target": objective.target,
        "timeSliceTarget": objective.slice_target,
        "timeSliceWindow": str(objective.slice_window) if objective.slice_window is not None else None,
    }
    return {**{key: value for key, value in fields.items() if value is not None}, **_indicator(objective.indicator)}


def _measure(sli: Sli) -> Tree:
    measure = sli.measure
    if isinstance(measure, ThresholdMetric):
        return {"thresholdMetric": _metric(measure.metric)}
    if isinstance(measure, RawMetric):
        kind = "failure" if measure.failure else "success"
        return {"ratioMetric": {"rawType": kind, "raw": _metric(measure.raw)}}
    return {"ratioMetric": _ratio(measure)}


def _ratio(measure: RatioMetric) -> Tree:
    sides = {"good": measure.good, "bad": measure.bad, "total": measure.total}
    return {"counter": measure.counter, **{key: _metric(side) for key, side in sides.items() if side is not None}}


def _metric(metric: Metric) -> Tree:
    source: Tree = {"metricSourceRef": metric.source.name} if metric.source is not None else {}
    if metric.type:
        source["type"] = metric.type
    query = " + ".join(format_selector(selector) for selector in metric.selectors)
    return {"metricSource": {**source, "spec": {"query": query}}}


def _policy(policy: AlertPolicy) -> Tree:
    return {
        "alertWhenBreaching": True,
        "alertWhenResolved": policy.when_resolved,
        "alertWhenNoData": policy.when_no_data,
        "conditions": [_part(policy.condition, "conditionRef")],
        "notificationTargets": [_part(target, "targetRef") for target in policy.targets],
    }


def _condition(condition: AlertCondition) -> Tree:
    tree: Tree = {"kind": "burnrate", "op": "gte", "threshold": condition.threshold}
    tree["lookbackWindow"] = str(condition.lookback)
    if condition.alert_after is not None:
        tree["alertAfter"] = str(condition.alert_after)
    return tree


def _part(part: AlertPolicy | AlertCondition | NotificationTarget | Ref, key: str) -> Tree:
    if isinstance(part, Ref):
        return {key: part.name}
    return {"kind": kind_of(part), **_body(part)}
