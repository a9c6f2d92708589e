"""A Kubernetes `autoscaling/v2` HorizontalPodAutoscaler as a `Policy`.

Fields and limits follow the API reference (HorizontalPodAutoscaler v2 autoscaling) and its validation. Three things the
API would accept are refused, because here they would mean something else than they say: no `metrics` at all (the
cluster's default is CPU), label expressions, and scaling to zero.
"""

from __future__ import annotations

from fractions import Fraction

from serving.autoscale.model import (
    DEFAULT_SCALE_DOWN_WINDOW_S,
    DEFAULT_TOLERANCE,
    LabelMatcher,
    MetricSpec,
    Policy,
    ScalingPolicy,
    ScalingRules,
    SourceType,
    Target,
    TargetType,
)
from serving.autoscale.quantity import milli
from serving.autoscale.reader import Section

SURGE_ANNOTATION = "sre.dev/surge-replicas"
_SOURCES: dict[SourceType, str] = {
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_TARGETS: dict[SourceType, tuple[TargetType, ...]] = {
    "Pods": ("AverageValue",),
    "Object": ("Value", "AverageValue"),
    "External": ("Value", "AverageValue"),
    "Resource": ("Utilization", "AverageValue"),
    "ContainerResource": ("Utilization", "AverageValue"),
}
_FIELDS: dict[TargetType, str] = {
    "Value": "value",
    "AverageValue": "averageValue",
    "Utilization": "averageUtilization",
}
DEFAULT_UP = ScalingRules((ScalingPolicy("Percent", 100, 15), ScalingPolicy("Pods", 4, 15)), "Max", 0)
DEFAULT_DOWN = ScalingRules((ScalingPolicy("Percent", 100, 15),), "Max", DEFAULT_SCALE_DOWN_WINDOW_S)


def read_hpa(root: Section) -> Policy:
    """Faults go into the section's list; the caller raises them."""
    name, surge = read_metadata(root)
    spec = root.section("spec", required=True)
    root.refuse(("status",), lambda _: ("is written by the cluster", "remove it"))
    least, most = _bounds(spec)
    metrics = tuple(_metric(item) for item in spec.items("metrics"))
    if not metrics:
        spec.fault("metrics", "is missing", "name at least one metric (Kubernetes would scale on CPU)")
    up, down = read_behavior(spec.section("behavior"))
    return Policy(
        name=name,
        kind="HorizontalPodAutoscaler",
        where=root.faults.where,
        scale_target=_scale_target(spec),
        min_replicas=least,
        max_replicas=most,
        metrics=metrics,
        scale_up=up,
        scale_down=down,
        surge_replicas=surge,
    )


def read_metadata(root: Section) -> tuple[str, int]:
    """The document's name and its surge replicas."""
    metadata = root.section("metadata", required=True)
    name = metadata.text("name")
    metadata.text("namespace", "")
    metadata.words("labels")
    annotations = metadata.words("annotations")
    for key in annotations.keys() - {SURGE_ANNOTATION}:
        if key.startswith("sre.dev/"):
            metadata.fault("annotations", f"{key} is not a known annotation of ours", f"known is {SURGE_ANNOTATION}")
    surge = annotations.get(SURGE_ANNOTATION, "0")
    if not surge.isdigit() or int(surge) > 100:
        metadata.fault("annotations", f"{SURGE_ANNOTATION} is {surge!r}", "write a whole number from 0 to 100")
        return name, 0
    return name, int(surge)


def _bounds(spec: Section) -> tuple[int, int]:
    least = spec.integer("minReplicas", 1)
    if least == 0:
        spec.fault("minReplicas", "is 0", "write 1 or more: scaling to zero is not supported here")
    most = spec.integer("maxReplicas", least=1)
    if most < least:
        spec.fault("maxReplicas", f"{most} lies below minReplicas {least}", "raise it")
    return max(1, least), max(1, least, most)


def _scale_target(spec: Section) -> str:
    target = spec.section("scaleTargetRef", required=True)
    target.text("apiVersion", "")
    return f"{target.text('kind')}/{target.text('name')}"


def _metric(item: Section) -> MetricSpec:
    source = _source(item)
    body = item.section(_SOURCES[source], required=True)
    selector: tuple[LabelMatcher, ...] = ()
    if source in ("Pods", "Object", "External"):
        name, selector = _metric_identifier(body.section("metric", required=True))
    else:
        name = body.text("name")
        if source == "ContainerResource":
            name = f"{body.text('container')}/{name}"
    if source == "Object":
        described = body.section("describedObject", required=True)
        described.text("apiVersion", "")
        described.text("kind")
        described.text("name")
    return MetricSpec(source, name, _target(body.section("target", required=True), source), selector)


def _source(item: Section) -> SourceType:
    text = item.text("type", choices=tuple(_SOURCES))
    return next(source for source in _SOURCES if source == text)


def _metric_identifier(metric: Section) -> tuple[str, tuple[LabelMatcher, ...]]:
    name = metric.text("name")
    selector = metric.section("selector")
    labels = selector.words("matchLabels")
    selector.refuse(
        ("matchExpressions",), lambda _: ("cannot be evaluated here", "write matchLabels with exact values")
    )
    return name, tuple(LabelMatcher(label, "=", value) for label, value in sorted(labels.items()))


def _target(target: Section, source: SourceType) -> Target:
    text = target.text("type", choices=_TARGETS[source])
    kind = next(kind for kind in _TARGETS[source] if kind == text)
    for other in ("value", "averageValue", "averageUtilization"):
        if other != _FIELDS[kind] and target.has(other):
            target.fault(other, f"does not belong to a target of type {kind}", f"write {_FIELDS[kind]}")
    if kind == "Utilization":
        return Target(kind, target.integer(_FIELDS[kind], least=1) * 1000)
    return Target(kind, max(1, milli(target.quantity(_FIELDS[kind]))))


def read_behavior(behavior: Section) -> tuple[ScalingRules, ScalingRules]:
    """(scaleUp, scaleDown), with the defaults of the API where nothing is said."""
    return (
        _rules(behavior.section("scaleUp"), DEFAULT_UP),
        _rules(behavior.section("scaleDown"), DEFAULT_DOWN),
    )


def _rules(rules: Section, default: ScalingRules) -> ScalingRules:
    given = tuple(_policy(item) for item in rules.items("policies"))
    if rules.has("policies") and not given:
        rules.fault("policies", "is empty", "name at least one policy, or leave the key out")
    select = rules.text("selectPolicy", default.select, choices=("Max", "Min", "Disabled"))
    return ScalingRules(
        policies=given or default.policies,
        select="Max" if select == "Max" else "Min" if select == "Min" else "Disabled",
        window_s=rules.integer("stabilizationWindowSeconds", default.window_s, most=3600),
        tolerance=_tolerance(rules),
    )


def _tolerance(rules: Section) -> Fraction:
    """Configurable since KEP-4951."""
    return rules.quantity("tolerance", DEFAULT_TOLERANCE, above_zero=False)


def _policy(item: Section) -> ScalingPolicy:
    kind = item.text("type", choices=("Pods", "Percent"))
    value, period_s = item.integer("value", least=1), item.integer("periodSeconds", least=1, most=1800)
    return ScalingPolicy("Pods" if kind == "Pods" else "Percent", value, period_s)
