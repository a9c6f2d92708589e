"""What a policy document says, after reading: both kinds become one `Policy`.

Targets are in thousandths of the metric's unit (percent for `Utilization`), times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

TargetType = Literal["Value", "AverageValue", "Utilization"]
SourceType = Literal["Pods", "Object", "External", "Resource", "ContainerResource"]
SelectPolicy = Literal["Max", "Min", "Disabled"]
PodPhase = Literal["ready", "starting", "ending"]

DEFAULT_TOLERANCE = Fraction(1, 10)
"""`--horizontal-pod-autoscaler-tolerance` of the controller manager."""
DEFAULT_SYNC_PERIOD_S = 15.0
"""`--horizontal-pod-autoscaler-sync-period` of the controller manager."""
DEFAULT_SCALE_DOWN_WINDOW_S = 300
"""`--horizontal-pod-autoscaler-downscale-stabilization` of the controller manager."""


@dataclass(frozen=True, slots=True)
class Target:
    """`milli` is the target in thousandths."""

    type: TargetType
    milli: int


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """One label condition; `op` is =, !=, =~ or !~ (regular expressions are anchored)."""

    label: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric of a policy. `query` is a KEDA trigger's PromQL; then `name` is the one KEDA gives the HPA.

    `empty_is_zero` is KEDA's `ignoreNullValues`: a query without a result counts as 0 instead of as unavailable.
    """

    source: SourceType
    name: str
    target: Target
    selector: tuple[LabelMatcher, ...] = ()
    query: str | None = None
    empty_is_zero: bool = False

    @property
    def title(self) -> str:
        return f"{self.source} {self.name}"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """At most `value` pods, or per cent of the pods, in any `period_s`."""

    type: Literal["Pods", "Percent"]
    value: int
    period_s: int


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """One direction of `behavior`, defaults filled in."""

    policies: tuple[ScalingPolicy, ...]
    select: SelectPolicy
    window_s: int
    tolerance: Fraction = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True)
class Policy:
    """A HorizontalPodAutoscaler, or what KEDA would make of a ScaledObject.

    `surge_replicas` (annotation `sre.dev/surge-replicas`) are kept above what the metrics ask for. `notes` say which
    fields have no effect here.
    """

    name: str
    kind: Literal["HorizontalPodAutoscaler", "ScaledObject"]
    where: str
    scale_target: str
    min_replicas: int
    max_replicas: int
    metrics: tuple[MetricSpec, ...]
    scale_up: ScalingRules
    scale_down: ScalingRules
    surge_replicas: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """A replica as the autoscaler sees it. `ending` ones (draining) count neither as capacity nor as current."""

    name: str
    phase: PodPhase
