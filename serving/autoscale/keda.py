"""A KEDA `keda.sh/v1alpha1` ScaledObject as the HorizontalPodAutoscaler KEDA would create for it.

Each prometheus trigger becomes an External metric `s<index>-prometheus`, target type AverageValue unless the trigger's
`metricType` says Value (ScaledObject specification; prometheus scaler). With at least one replica KEDA itself has
nothing more to do: polling interval, cool-down and activation threshold only matter between 0 and 1 replicas, which is
not supported here.
"""

from __future__ import annotations

from fractions import Fraction

from serving.autoscale.hpa import read_behavior, read_metadata
from serving.autoscale.model import MetricSpec, Policy, ScalingRules, Target
from serving.autoscale.quantity import milli
from serving.autoscale.reader import Section

_ZERO = ("scales to and from zero", "remove it: not supported here")
_ELSEWHERE = ("idleReplicaCount", "initialCooldownPeriod", "fallback")
_AUTH = ("authModes", "customHeaders", "namespace", "queryParameters", "unsafeSsl", "cortexOrgID", "metricName")


def read_scaled_object(root: Section) -> Policy:
    """Faults go into the section's list; the caller raises them."""
    name, surge = read_metadata(root)
    spec = root.section("spec", required=True)
    root.refuse(("status",), lambda _: ("is written by the cluster", "remove it"))
    target = spec.section("scaleTargetRef", required=True)
    target.text("apiVersion", "")
    target.text("envSourceContainerName", "")
    least, most = _bounds(spec)
    spec.refuse(_ELSEWHERE, lambda key: ("cannot be honoured here", "remove it") if key == "fallback" else _ZERO)
    triggers = spec.items("triggers")
    if not triggers:
        spec.fault("triggers", "is missing", "name at least one trigger of type prometheus")
    up, down = _behavior(spec)
    return Policy(
        name=name,
        kind="ScaledObject",
        where=root.faults.where,
        scale_target=f"{target.text('kind', 'Deployment')}/{target.text('name')}",
        min_replicas=least,
        max_replicas=most,
        metrics=tuple(_trigger(item, index) for index, item in enumerate(triggers)),
        scale_up=up,
        scale_down=down,
        surge_replicas=surge,
        notes=_notes(spec),
    )


def _bounds(spec: Section) -> tuple[int, int]:
    least = spec.integer("minReplicaCount", 0)
    if least == 0:
        spec.fault("minReplicaCount", "is 0 (KEDA's default)", "write 1 or more: scaling to zero is not supported here")
    most = spec.integer("maxReplicaCount", 100, least=1)
    if most < least:
        spec.fault("maxReplicaCount", f"{most} lies below minReplicaCount {least}", "raise it")
    return max(1, least), max(1, least, most)


def _behavior(spec: Section) -> tuple[ScalingRules, ScalingRules]:
    advanced = spec.section("advanced")
    advanced.flag("restoreToOriginalReplicaCount", default=False)
    advanced.refuse(("scalingModifiers",), lambda _: ("cannot be evaluated here", "write one trigger a signal"))
    config = advanced.section("horizontalPodAutoscalerConfig")
    config.text("name", "")
    return read_behavior(config.section("behavior"))


def _trigger(item: Section, index: int) -> MetricSpec:
    item.text("type", choices=("prometheus",))
    item.text("name", "")
    item.flag("useCachedMetrics", default=False)
    item.refuse(("authenticationRef",), lambda _: ("needs a secret of the cluster", "remove it"))
    metadata = item.section("metadata", required=True)
    metadata.text("serverAddress")
    metadata.quantity("activationThreshold", Fraction(0), above_zero=False)
    metadata.text("timeout", "")
    metadata.refuse(_AUTH, lambda _: ("cannot be honoured here", "remove it"))
    kind = item.text("metricType", "AverageValue", choices=("AverageValue", "Value"))
    return MetricSpec(
        source="External",
        name=f"s{index}-prometheus",
        target=Target("Value" if kind == "Value" else "AverageValue", max(1, milli(metadata.quantity("threshold")))),
        query=metadata.text("query"),
        empty_is_zero=metadata.flag("ignoreNullValues", default=True),
    )


def _notes(spec: Section) -> tuple[str, ...]:
    spec.integer("pollingInterval", 30, least=1)
    spec.integer("cooldownPeriod", 300)
    return (
        "pollingInterval, cooldownPeriod and activationThreshold act between 0 and 1 replicas only: no effect here",
        "serverAddress is the cluster's: here the platform's own Prometheus is asked",
    )
