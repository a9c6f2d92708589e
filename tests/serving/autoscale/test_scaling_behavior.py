"""How fast a recommendation may be followed: windows, rates and bounds, with figures worked out by hand.

Source: KEP-853; kubernetes.io, "Configurable scaling behavior".
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.autoscale import Autoscaler, Decision, Pod, Policy, Sample, ScalingPolicy, ScalingRules, Snapshot
from serving.autoscale.hpa import DEFAULT_DOWN, DEFAULT_UP
from serving.autoscale.model import MetricSpec, SelectPolicy, Target

WAITING = MetricSpec("External", "waiting", Target("AverageValue", 1000))
OTHER = MetricSpec("External", "other", Target("AverageValue", 1000))
BOTH = ScalingPolicy("Percent", 50, 60), ScalingPolicy("Pods", 2, 60)


def policy(up: ScalingRules = DEFAULT_UP, down: ScalingRules = DEFAULT_DOWN, **changed: object) -> Policy:
    base = Policy("p", "HorizontalPodAutoscaler", "p.yaml", "Deployment/llm", 1, 100, (WAITING,), up, down)
    return replace(base, **changed)  # type: ignore[arg-type]


def at_once(rules: ScalingRules) -> ScalingRules:
    return replace(rules, window_s=0)


class Fleet:
    """Does at once what the autoscaler says; the metric asks for `wanted` replicas."""

    def __init__(self, policy_: Policy, replicas: int) -> None:
        self.autoscaler, self.replicas = Autoscaler(policy_), replicas

    def decide(self, wanted: float | None, now: float, *, other: float | None = None) -> Decision:
        values = (("waiting", wanted), ("other", other))
        samples = tuple(Sample(name, value) for name, value in values if value is not None)
        pods = [Pod(f"r{i}", "ready") for i in range(self.replicas)]
        decision = self.autoscaler.decide(pods, Snapshot(samples), evaluate=lambda _: None, now=now)
        self.autoscaler.applied(decision, now=now)
        self.replicas = decision.desired
        return decision

    def follow(self, *asked: tuple[float, float]) -> list[int]:
        """Counts after each (time, wanted)."""
        return [self.decide(wanted, now).desired for now, wanted in asked]


def test_by_default_a_fleet_may_double_or_grow_by_four_in_15_seconds() -> None:
    assert Fleet(policy(), 1).follow((0, 50), (15, 50), (30, 50), (45, 50)) == [5, 10, 20, 40]


def test_a_second_decision_within_the_period_counts_what_was_added() -> None:
    # 5 s later the period began with 3: 3 + 4 = 7 is still all there may be
    assert Fleet(policy(), 3).follow((0, 50), (5, 50), (14, 50), (15, 50)) == [7, 7, 7, 14]


@pytest.mark.parametrize(
    ("select", "replicas", "up", "down"),
    [
        ("Max", 10, 15, 5),  # 50 % of 10 is 5, more than 2 pods
        ("Min", 10, 12, 8),
        ("Max", 3, 5, 1),  # 2 pods are more than 50 % of 3: up 4.5 -> 5, down 1
        ("Min", 2, 3, 1),  # 50 % of 2 is 1
        ("Disabled", 10, 10, 10),
    ],
)
def test_of_several_policies_the_one_selected_limits(select: SelectPolicy, replicas: int, up: int, down: int) -> None:
    rules = ScalingRules(BOTH, select, 0)
    assert Fleet(policy(rules, rules), replicas).decide(99, 0).desired == up
    assert Fleet(policy(rules, rules), replicas).decide(0.5, 0).desired == down


def test_a_percentage_is_rounded_so_that_one_can_grow_and_the_last_can_go() -> None:
    rules = ScalingRules((ScalingPolicy("Percent", 10, 60),), "Max", 0)
    assert Fleet(policy(rules, rules), 1).decide(99, 0).desired == 2  # 1.1 up
    assert Fleet(policy(rules, rules), 5).decide(1, 0).desired == 4  # 4.5 down


def test_what_was_removed_in_the_period_counts_for_the_next_removal() -> None:
    rules = ScalingRules((ScalingPolicy("Pods", 2, 60),), "Max", 0)
    assert Fleet(policy(down=rules), 10).follow((0, 1), (30, 1), (59, 1), (60, 1)) == [8, 8, 8, 6]


def test_what_was_removed_may_come_back_within_the_period() -> None:
    # at 30 s the period began with 10 (8 + 2 removed): 10 + 1 may be there
    up, down = (ScalingRules((ScalingPolicy("Pods", n, 60),), "Max", 0) for n in (1, 2))
    assert Fleet(policy(up, down), 10).follow((0, 1), (30, 50)) == [8, 11]


def test_scale_in_takes_the_largest_recommendation_of_its_window() -> None:
    fleet = Fleet(policy(), 10)
    assert fleet.follow((0, 10), (15, 8), (30, 4), (299, 4)) == [10, 10, 10, 10]
    assert fleet.follow((300, 4), (315, 4), (330, 4)) == [8, 4, 4]  # the 10 of time 0, then the 8 of time 15 is too old


def test_a_controller_that_has_just_started_does_not_scale_in_before_a_window_has_passed() -> None:
    assert Fleet(policy(), 6).follow((0, 2), (150, 2), (299, 2), (300, 2)) == [6, 6, 6, 2]


def test_scale_out_with_a_window_takes_the_smallest_recommendation_in_it() -> None:
    up = replace(DEFAULT_UP, window_s=60)
    assert Fleet(policy(up), 2).follow((0, 2), (15, 6), (30, 5), (60, 6), (74, 6), (90, 6)) == [2, 2, 2, 5, 5, 6]


@pytest.mark.parametrize(
    ("replicas", "wanted", "desired", "rule"),
    [
        (2, 3, 3, ""),
        (2, 50, 6, "ScaleUpLimit"),
        (15, 50, 20, "TooManyReplicas"),
        (9, 4, 9, "ScaleDownStabilized"),
        (1, 9, 2, "TooFewReplicas"),
        (25, 9, 20, "TooManyReplicas"),
    ],
)
def test_the_rule_that_made_the_difference_is_named(replicas: int, wanted: int, desired: int, rule: str) -> None:
    decision = Fleet(policy(min_replicas=2, max_replicas=20), replicas).decide(wanted, 0)
    assert (decision.desired, decision.limited_by) == (desired, rule)


def test_scale_in_stops_at_the_minimum_and_at_the_rate() -> None:
    low = Fleet(policy(down=at_once(DEFAULT_DOWN), min_replicas=3), 9).decide(1, 0)
    assert (low.desired, low.limited_by) == (3, "TooFewReplicas")
    slow = ScalingRules((ScalingPolicy("Pods", 1, 60),), "Max", 0)
    cut = Fleet(policy(down=slow, min_replicas=3), 9).decide(1, 0)
    assert (cut.desired, cut.limited_by) == (8, "ScaleDownLimit")


def test_of_several_metrics_the_one_that_asks_for_most_wins() -> None:
    assert Fleet(policy(metrics=(WAITING, OTHER)), 4).decide(5, 0, other=7).desired == 7


@pytest.mark.parametrize(("known", "desired", "rule"), [(7, 7, ""), (4, 4, ""), (1, 4, "MetricUnavailable")])
def test_while_a_metric_is_unavailable_the_others_may_only_add(known: int, desired: int, rule: str) -> None:
    both = policy(down=at_once(DEFAULT_DOWN), metrics=(WAITING, OTHER))
    decision = Fleet(both, 4).decide(known, 0)
    assert (decision.desired, decision.limited_by) == (desired, rule)


def test_without_any_metric_nothing_is_done() -> None:
    decision = Fleet(policy(), 4).decide(None, 0)
    assert (decision.desired, decision.recommended, decision.limited_by) == (4, None, "MetricUnavailable")


class TestSurge:
    """Spare replicas above what the metrics ask for."""

    def test_they_are_added_to_what_is_needed(self) -> None:
        assert Fleet(policy(surge_replicas=2), 4).decide(6, 0).desired == 8

    def test_they_do_not_add_up_while_the_tolerance_holds_the_count(self) -> None:
        fleet = Fleet(policy(surge_replicas=1), 10)
        assert fleet.follow(*((15.0 * n, 10) for n in range(40))) == [11] * 40

    def test_a_spare_one_in_use_is_replaced(self) -> None:
        assert Fleet(policy(surge_replicas=1), 11).decide(10.5, 0).desired == 12

    def test_they_stay_within_the_maximum(self) -> None:
        assert Fleet(policy(surge_replicas=3, max_replicas=7), 4).decide(6, 0).desired == 7
