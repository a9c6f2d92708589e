"""The simulated fleet: routing, cold start, draining, the queue's bounds, and the policy that steers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from serving.autoscale import parse_policy
from serving.errors import BadInput
from serving.gateway.config import AdmissionConfig, FailoverConfig
from serving.simulator import (
    OUTCOMES,
    FleetFault,
    FleetResult,
    GatewayRules,
    Scenario,
    run_fleet,
    score,
    sustained_rps,
)
from serving.simulator.model import NS
from serving.simulator.traffic import Arrival, workload_of
from tests.serving.simulator.fleets import GROUP, POLICY, steady


def fixed(arrivals: Sequence[Arrival], replicas: int = 1, rules: GatewayRules | None = None) -> FleetResult:
    groups = (replace(GROUP, count=replicas),)
    return run_fleet(Scenario("fixed", groups, workload_of("w", arrivals), 300, gateway=rules or GatewayRules()))


def ttft_s(run: FleetResult) -> list[float]:
    firsts = run.outcomes.first_ns
    return list((firsts - run.scenario.workload.at_ns)[firsts >= 0] / NS)


def test_one_request_alone_takes_its_prefill_and_its_steps() -> None:
    run = fixed([Arrival(NS, 64, 11)])
    assert ttft_s(run) == pytest.approx([0.020])
    assert score(run).overall.tpot.p50 == pytest.approx(0.010)
    assert run.outcomes.longest_gap_ns[0] == 10_000_000


def test_two_requests_at_once_go_to_two_replicas() -> None:
    apart = fixed([Arrival(0, 64, 11), Arrival(0, 64, 11)], replicas=2)
    assert ttft_s(apart) == pytest.approx([0.020, 0.020])
    assert apart.outcomes.replica.tolist() == [0, 1]


def test_every_request_is_served_once_or_rejected_and_the_bill_is_the_time_there_was() -> None:
    found = score(fixed(steady(30, begin_s=0, end_s=60)))
    served = found.overall
    assert served.count("ok") + served.count("rejected") == served.requests == 1800
    assert 0 < served.count("rejected") < 1800
    assert found.replica_s == 300


def test_a_full_queue_rejects_and_a_late_request_is_given_up_when_its_time_is_over() -> None:
    arrivals = steady(100, begin_s=0, end_s=10)
    full = fixed(arrivals, rules=GatewayRules(admission=AdmissionConfig(max_queue=5)))
    late = fixed(arrivals, rules=GatewayRules(admission=AdmissionConfig(queue_timeout_s=0.5)))
    assert score(full).overall.count("rejected") > 500
    assert score(late).overall.count("rejected") > 500
    given_up = late.outcomes.outcome == OUTCOMES.index("rejected")
    assert set((late.outcomes.ended_ns - late.scenario.workload.at_ns)[given_up]) == {NS // 2}
    # the queue's limit, and then what the replica had accepted before
    assert max(ttft_s(late)) < max(ttft_s(fixed(arrivals)))


def test_a_full_queue_gives_the_place_of_its_worst_to_a_better_one() -> None:
    arrivals = [Arrival(0, 60, 40)] * 20
    workload = replace(workload_of("w", arrivals), priority=np.array([5] * 18 + [0, 9], np.int16))
    rules = GatewayRules(admission=AdmissionConfig(max_queue=3))
    run = run_fleet(Scenario("shed", (GROUP,), workload, 300, gateway=rules))
    said = [OUTCOMES[code] for code in run.outcomes.outcome]
    assert said[18] == "ok"
    assert said[19] == "rejected"
    assert said.count("ok") == 8 + 3


@pytest.mark.parametrize("prompt", [2048, 100_000])
def test_a_request_longer_than_the_model_takes_is_invalid_and_the_next_is_served(prompt: int) -> None:
    run = fixed([Arrival(0, prompt, 10), Arrival(NS, 64, 11)])
    assert [OUTCOMES[code] for code in run.outcomes.outcome] == ["invalid", "ok"]
    assert ttft_s(run) == pytest.approx([0.020])
    assert score(run).overall.attainment == 1


def test_of_two_kinds_of_replica_only_the_one_that_can_hold_it_gets_a_long_request() -> None:
    small = replace(GROUP, name="small", scheduler=replace(GROUP.scheduler, kv_blocks=10))
    run = run_fleet(Scenario("two kinds", (small, GROUP), workload_of("w", [Arrival(0, 500, 10)] * 3), 300))
    assert [OUTCOMES[code] for code in run.outcomes.outcome] == ["ok"] * 3
    assert {run.lives[index].group for index in run.outcomes.replica} == {"llm"}


def test_a_request_reaches_its_engine_after_the_overhead_and_is_the_gateways_meanwhile() -> None:
    slow_start = replace(GROUP, step_time=replace(GROUP.step_time, request_overhead_ms=35.0), count=2)
    workload = workload_of("w", [Arrival(NS, 64, 11)])
    calm = run_fleet(Scenario("overhead", (slow_start,), workload, 60))
    assert ttft_s(calm) == pytest.approx([0.055])
    assert calm.outcomes.placed_ns[0] == NS
    crash = FleetFault("crash", 1.01, target="llm-0")
    hit = run_fleet(Scenario("overhead", (slow_start,), workload, 60, faults=(crash,)))
    assert ttft_s(hit) == pytest.approx([0.010 + 0.055])
    assert hit.outcomes.attempts[0] == 2


def test_a_fleet_that_begins_with_nobody_is_begun_by_its_policy() -> None:
    arrivals = [Arrival(NS, 64, 11), Arrival(29 * NS, 64, 11)]
    policy = parse_policy(POLICY, where="p.yaml")
    run = run_fleet(Scenario("empty", (replace(GROUP, count=0),), workload_of("w", arrivals), 60, policy=policy))
    assert [OUTCOMES[code] for code in run.outcomes.outcome] == ["error", "ok"]
    assert run.outcomes.ended_ns[0] == 6 * NS  # no_replica_wait_s
    assert run.outcomes.placed_ns[1] == 30 * NS


def test_of_what_the_autoscaler_adds_a_share_is_spot_and_lies_in_zones_in_turn() -> None:
    group = replace(GROUP, zones=("a", "b", "c"), added_spot_share=0.5)
    policy = replace(parse_policy(POLICY, where="p.yaml"), min_replicas=5)
    run = run_fleet(Scenario("spot", (group,), workload_of("w", [Arrival(0, 64, 11)]), 60, policy=policy))
    assert [(life.zone, life.spot) for life in run.lives] == [
        ("a", False),
        ("b", False),
        ("c", True),
        ("a", False),
        ("b", True),
    ]


def test_only_the_first_group_is_scaled() -> None:
    other = replace(GROUP, name="fixed", count=3)
    policy = parse_policy(POLICY, where="p.yaml")
    arrivals = steady(40, begin_s=0, end_s=60)
    run = run_fleet(Scenario("two", (GROUP, other), workload_of("w", arrivals), 120, policy=policy))
    added = [life for life in run.lives if life.start_s > 0]
    assert {life.group for life in added} == {"llm"}
    assert max(moment.desired for moment in run.moments) == len(added) + 4


@pytest.fixture(scope="module")
def busy_hours() -> FleetResult:
    """One replica, a quiet minute, three busy ones, and quiet again."""
    arrivals = [
        *steady(1, begin_s=0, end_s=60),
        *steady(14, begin_s=60, end_s=240),
        *steady(1, begin_s=240, end_s=600),
    ]
    policy = parse_policy(POLICY, where="p.yaml")
    return run_fleet(Scenario("busy hours", (GROUP,), workload_of("w", arrivals), 600, policy=policy))


def test_a_new_replica_serves_after_its_cold_start_and_is_paid_from_its_start(busy_hours: FleetResult) -> None:
    added = [life for life in busy_hours.lives if life.start_s > 0]
    assert added
    assert all((life.ready_s or 0) - life.start_s == pytest.approx(30.0) for life in added)
    assert all(60 < life.start_s < 240 and life.start_s % 15 == 0 for life in added)


def test_the_fleet_grows_with_the_load_and_shrinks_a_window_after(busy_hours: FleetResult) -> None:
    wanted = {moment.at_s: moment.desired for moment in busy_hours.moments}
    assert wanted[60.0] == 1
    assert max(wanted.values()) >= 3
    # the last busy scrape is before 240 s; its recommendation holds until a window of 60 s later
    assert wanted[285.0] > 1
    assert wanted[585.0] == 1


def test_what_is_removed_is_drained_first(busy_hours: FleetResult) -> None:
    assert [life for life in busy_hours.lives if life.end_s < 600]
    assert score(busy_hours).overall.count("ok") == len(busy_hours.outcomes)
    said = [event.event for event in busy_hours.events]
    assert said.count("replica_drain_started") == said.count("replica_exited") > 0


def test_the_bill_follows_the_lives(busy_hours: FleetResult) -> None:
    found = score(busy_hours)
    assert found.replica_s == pytest.approx(sum(life.end_s - life.start_s for life in busy_hours.lives))
    assert 600 < found.replica_s < 600 * found.max_replicas


def test_a_second_run_is_the_same(busy_hours: FleetResult) -> None:
    again = run_fleet(busy_hours.scenario)
    for column in ("placed_ns", "first_ns", "last_ns", "ended_ns", "longest_gap_ns", "emitted", "outcome", "replica"):
        assert getattr(again.outcomes, column).tobytes() == getattr(busy_hours.outcomes, column).tobytes()
    assert (again.lives, again.moments, again.events) == (busy_hours.lives, busy_hours.moments, busy_hours.events)


def test_everything_that_is_wrong_with_a_scenario_is_said_at_once() -> None:
    resource = POLICY[: POLICY.index("    - type: Pods")] + (
        "    - type: Resource\n      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}\n"
    )
    bad = Scenario(
        "bad",
        (replace(GROUP, count=-1), GROUP),
        workload_of("w", []),
        0.0,
        policy=parse_policy(resource, where="p.yaml"),
    )
    with pytest.raises(BadInput) as told:
        run_fleet(bad)
    said = str(told.value)
    hedged = GatewayRules(failover=FailoverConfig(hedge_after_s=1.0))
    with pytest.raises(BadInput, match="hedge_after_s"):
        run_fleet(Scenario("hedged", (GROUP,), workload_of("w", [Arrival(0, 60, 40)]), 60, gateway=hedged))
    with pytest.raises(BadInput, match="no request fits"):
        run_fleet(Scenario("long", (GROUP,), workload_of("w", [Arrival(0, 60_000, 40)]), 60))
    for part in ("duration_s is 0", "count is -1", "group llm is there twice", "workload is empty", "not simulated"):
        assert part in said


def test_more_than_one_replica_sustains_is_not_good() -> None:
    rate = sustained_rps(GROUP, [(60, 40)], ttft_s=1.0, tpot_s=0.05)
    assert 2 < rate < 60
    over = score(fixed(steady(rate * 1.3, begin_s=0, end_s=90)))
    under = score(fixed(steady(rate * 0.95, begin_s=0, end_s=90)))
    assert over.overall.attainment < 0.99 <= under.overall.attainment
