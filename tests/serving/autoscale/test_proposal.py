"""What one metric asks for: each rule of the published algorithm, with figures worked out by hand.

Source: kubernetes.io, "Horizontal Pod Autoscaling", Algorithm details; KEP-4951 for the tolerances.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from serving.autoscale.hpa import DEFAULT_DOWN, DEFAULT_UP
from serving.autoscale.model import MetricSpec, Pod, Policy, ScalingRules, Target
from serving.autoscale.proposal import Proposal, propose
from serving.autoscale.signals import PerPod, Single, Unavailable

WAITING = MetricSpec("Pods", "waiting", Target("AverageValue", 10_000))
VALUE = MetricSpec("Object", "ttft", Target("Value", 500))
TOTAL = MetricSpec("External", "queue", Target("AverageValue", 10_000))
CPU = MetricSpec("Resource", "cpu", Target("Utilization", 50_000))


def policy(up: ScalingRules = DEFAULT_UP, down: ScalingRules = DEFAULT_DOWN) -> Policy:
    return Policy("p", "HorizontalPodAutoscaler", "p.yaml", "Deployment/llm", 1, 100, (WAITING,), up, down)


def fleet(ready: int, starting: int = 0, ending: int = 0) -> list[Pod]:
    pods = [Pod(f"r{i}", "ready") for i in range(ready)]
    return pods + [Pod(f"s{i}", "starting") for i in range(starting)] + [Pod(f"e{i}", "ending") for i in range(ending)]


@dataclass(frozen=True)
class Case:
    """`values` are of ready pods r0, r1, ...; None: that pod has no value."""

    values: tuple[float | None, ...]
    wanted: int
    starting: int = 0
    ending: int = 0
    others: dict[str, float] = field(default_factory=dict)


PER_POD = {
    "the ratio is rounded up: 3 x 15/10 = 4.5": Case((15, 15, 15), 5),
    "a ratio of 1.1 is within the tolerance": Case((11,) * 10, 10),
    "a little more is not: 10 x 11.1/10 = 11.1": Case((11.1,) * 10, 12),
    "1.2 x 10 is 12, not 13 as floats would round it": Case((12,) * 10, 12),
    "a ratio of 0.9 is within the tolerance": Case((9,) * 10, 10),
    "a little less is not: 10 x 8.9/10 = 8.9": Case((8.8,) * 10, 9),
    "no use at all asks for none (the minimum is applied later)": Case((0, 0), 0),
    # scale up: missing counts 0, so (30 + 30 + 0) / 3 = 20, 3 x 2 = 6; without it 2 x 3 = 6 of 2
    "a missing pod counts as idle when the rest ask for more": Case((30, 30, None), 6),
    # (14 + 14 + 0) / 3 = 9.333, ratio 0.93: direction would turn, so nothing
    "a correction that turns the direction changes nothing": Case((14, 14, None), 3),
    # (16.5 + 16.5 + 0) / 3 = 11, ratio 1.1: within the tolerance after the correction
    "a correction that leads into the tolerance changes nothing": Case((16.5, 16.5, None), 3),
    # scale down: missing counts 10, so (2 + 2 + 10) / 3 = 4.666, 3 x 0.4666 = 1.4
    "a missing pod counts as fully used when the rest ask for less": Case((2, 2, None), 2),
    # (8 + 8 + 10 + 10) / 4 = 9: within the tolerance after the correction
    "missing pods can stop a scale-in": Case((8, 8, None, None), 4),
    # scale up: not-ready counts 0, (20 + 20 + 0) / 3 = 13.333, 3 x 1.3333 = 4
    "a pod that starts counts as idle when the rest ask for more": Case((20, 20), 4, starting=1),
    # (20 + 20 + 0 + 0) / 4 = 10: what was added already is enough
    "pods under way are not asked for a second time": Case((20, 20), 4, starting=2),
    # scale down: not-ready is left out, 2 x 0.5 = 1
    "a pod that starts is left out when the rest ask for less": Case((5, 5), 1, starting=1),
    "what a starting pod reports is set aside: (5 + 5) / 2 = 5": Case((5, 5), 1, starting=1, others={"s0": 90}),
    # missing and starting at once: (40 + 0 + 0) / 3 = 13.333, 3 x 1.3333 = 4
    "missing and starting pods both count as idle": Case((40, None), 4, starting=1),
    "a pod on its way out counts in nothing: 2 x 1.5 = 3": Case((15, 15), 3, ending=2, others={"e0": 90, "e1": 90}),
    # current is 3 (1 ready with value, 2 missing): (18 + 0 + 0) / 3 = 6, turns
    "with most pods missing nothing is done": Case((18, None, None), 3),
}


@pytest.mark.parametrize("name", PER_POD)
def test_a_metric_of_pods(name: str) -> None:
    case = PER_POD[name]
    values = {f"r{i}": value for i, value in enumerate(case.values) if value is not None}
    pods = fleet(len(case.values), case.starting, case.ending)
    found = propose(WAITING, PerPod(values | case.others), pods, policy())
    assert isinstance(found, Proposal)
    assert found.replicas == case.wanted


def test_a_metric_without_a_value_of_any_ready_pod_is_unavailable() -> None:
    assert isinstance(propose(WAITING, PerPod({"s0": 4}), fleet(2, starting=1), policy()), Unavailable)


def test_a_missing_pod_is_taken_to_use_all_of_its_request_when_the_target_is_a_share() -> None:
    # target 50 %: (10 + 10 + 100) / 3 = 40 %, ratio 0.8, 3 x 0.8 = 2.4; with 50 % assumed it would be 1.4
    found = propose(CPU, PerPod({"r0": 10, "r1": 10}), fleet(3), policy())
    assert isinstance(found, Proposal)
    assert found.replicas == 3


SINGLE = {
    "a value over its target multiplies the ready pods: 4 x 0.75/0.5 = 6": (VALUE, 0.75, fleet(4), 6),
    "pods that start are no capacity yet: 2 x 0.75/0.5 = 3": (VALUE, 0.75, fleet(2, starting=2), 3),
    "within the tolerance the count stays, starting pods included": (VALUE, 0.55, fleet(2, starting=2), 4),
    "a value under its target: 4 x 0.2/0.5 = 1.6": (VALUE, 0.2, fleet(4), 2),
    "a total is divided by its target: 45 / 10 = 4.5": (TOTAL, 45.0, fleet(3), 5),
    "the tolerance of a total is against all pods: 42 / (10 x 4) = 1.05": (TOTAL, 42.0, fleet(3, starting=1), 4),
    "a total under its target: 12 / 10 = 1.2": (TOTAL, 12.0, fleet(4), 2),
    "a total of nothing asks for none": (TOTAL, 0.0, fleet(4), 0),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_metric_with_one_value(name: str) -> None:
    metric, value, pods, wanted = SINGLE[name]
    found = propose(metric, Single(value), pods, policy())
    assert isinstance(found, Proposal)
    assert found.replicas == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(10.4, 10), (10.6, 11), (7.1, 10), (6.9, 7)],
)
def test_each_direction_may_have_its_own_tolerance(value: float, wanted: int) -> None:
    up = ScalingRules(DEFAULT_UP.policies, "Max", 0, tolerance=Fraction(1, 20))
    down = ScalingRules(DEFAULT_DOWN.policies, "Max", 300, tolerance=Fraction(3, 10))
    found = propose(WAITING, PerPod({f"r{i}": value for i in range(10)}), fleet(10), policy(up, down))
    assert isinstance(found, Proposal)
    assert found.replicas == wanted


def test_a_tolerance_of_zero_follows_every_change() -> None:
    up = ScalingRules(DEFAULT_UP.policies, "Max", 0, tolerance=Fraction(0))
    found = propose(WAITING, PerPod({"r0": 10.01}), fleet(1), policy(up))
    assert isinstance(found, Proposal)
    assert found.replicas == 2
