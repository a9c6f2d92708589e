"""How many replicas one metric asks for.

The algorithm is Kubernetes' published one (kubernetes.io, "Horizontal Pod Autoscaling", Algorithm details):
desired = ceil(current x value / target), nothing within the tolerance, missing and not-yet-ready pods counted so that
they dampen the change. Where the page is silent (integer averages, which count of pods is multiplied) this follows the
controller's behaviour: averages are whole thousandths, per-pod metrics multiply the pods that were counted, `Value`
targets multiply the ready pods, `AverageValue` targets of a single value divide it by the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from serving.autoscale.model import MetricSpec, Pod, Policy
from serving.autoscale.quantity import milli
from serving.autoscale.signals import Observation, PerPod, Single, Unavailable

_ONE = Fraction(1)
_FULL_USE_MILLI = 100_000  # 100 per cent of the request


@dataclass(frozen=True, slots=True)
class Proposal:
    """`replicas` is the answer, `needed` the same without the tolerance; `value_milli` is what was compared."""

    replicas: int
    needed: int
    ratio: Fraction
    value_milli: int


@dataclass(frozen=True, slots=True)
class _Counts:
    current: int
    up: Fraction
    down: Fraction

    def within(self, ratio: Fraction) -> bool:
        """Ratios on the bound count as within; each direction may have its own tolerance (KEP-4951)."""
        return _ONE - self.down <= ratio <= _ONE + self.up

    def keep(self, needed: int, ratio: Fraction, value_milli: int) -> Proposal:
        return Proposal(self.current, needed, ratio, value_milli)


def propose(metric: MetricSpec, observed: Observation, pods: Sequence[Pod], policy: Policy) -> Proposal | Unavailable:
    """What `metric` asks for. `pods` are all replicas, the ending ones included."""
    if isinstance(observed, Unavailable):
        return observed
    staying = [pod for pod in pods if pod.phase != "ending"]
    counts = _Counts(len(staying), policy.scale_up.tolerance, policy.scale_down.tolerance)
    if isinstance(observed, PerPod):
        return _per_pod(metric, observed.values, staying, counts)
    ready = sum(pod.phase == "ready" for pod in staying)
    return _single(metric, observed, ready, counts)


def _single(metric: MetricSpec, observed: Single, ready: int, counts: _Counts) -> Proposal | Unavailable:
    value = milli(observed.value)
    if metric.target.type == "Value":
        ratio = Fraction(value, metric.target.milli)
        needed = math.ceil(ratio * ready)
    else:
        ratio = Fraction(value, metric.target.milli * counts.current) if counts.current else _ONE
        needed = math.ceil(Fraction(value, metric.target.milli))
    return counts.keep(needed, ratio, value) if counts.within(ratio) else Proposal(needed, needed, ratio, value)


def _per_pod(
    metric: MetricSpec, values: Mapping[str, float], staying: Sequence[Pod], counts: _Counts
) -> Proposal | Unavailable:
    ready = [pod.name for pod in staying if pod.phase == "ready"]
    starting = [pod.name for pod in staying if pod.phase == "starting"]
    counted = {name: milli(values[name]) for name in ready if name in values}
    missing = [name for name in ready if name not in values]
    if not counted:
        return Unavailable(f"{metric.title}: no ready replica has a value")
    target = metric.target.milli
    average, ratio = _usage(counted, target)
    needed = math.ceil(ratio * len(counted))
    rebalances = bool(starting) and ratio > 1
    if not missing and not rebalances:
        return counts.keep(needed, ratio, average) if counts.within(ratio) else Proposal(needed, needed, ratio, average)
    counted |= dict.fromkeys(missing, _assumed(metric) if ratio < 1 else 0)
    if rebalances:
        counted |= dict.fromkeys(starting, 0)
    _, corrected = _usage(counted, target)
    needed = math.ceil(corrected * len(counted))
    turns = (ratio < 1 < corrected) or (corrected < 1 < ratio)
    wrong_way = (corrected < 1 and needed > counts.current) or (corrected > 1 and needed < counts.current)
    if counts.within(corrected) or turns or wrong_way:
        return counts.keep(needed if not turns else counts.current, corrected, average)
    return Proposal(needed, needed, corrected, average)


def _usage(counted: Mapping[str, int], target: int) -> tuple[int, Fraction]:
    """The average in whole thousandths, and its ratio to the target."""
    average = sum(counted.values()) // len(counted)
    return average, Fraction(average, target)


def _assumed(metric: MetricSpec) -> int:
    """What a missing pod is taken to use when the others ask for fewer: all of the target (of the request, if more)."""
    if metric.target.type == "Utilization":
        return max(_FULL_USE_MILLI, metric.target.milli)
    return metric.target.milli
