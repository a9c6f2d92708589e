"""The simulated fleet: routing, cold start, draining, the queue's bounds, and the policy that steers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from serving.autoscale import parse_policy
from serving.batching import SchedulerConfig, StepTimeModel
from serving.errors import BadInput
from serving.simulator import Arrival, FixedFleet, FleetRun, FleetSpec, score, simulate, sustained_rps
from serving.simulator.model import NS

SPEC = FleetSpec(
    SchedulerConfig(kv_blocks=400, max_num_seqs=8, max_num_batched_tokens=256, max_model_len=2048),
    StepTimeModel.from_tables(decode_ms={1: 10, 8: 20}, prefill_ms={64: 20, 256: 60}, mixed_factor=1.5),
    cold_start=(("weights", 20.0), ("warm-up", 10.0)),
)
POLICY = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec:
  scaleTargetRef: {kind: Deployment, name: llm}
  minReplicas: 1
  maxReplicas: 6
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_running}
        target: {type: AverageValue, averageValue: "3"}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 60}
"""


def steady(rate_rps: float, *, begin_s: float, end_s: float, prompt: int = 60, output: int = 40) -> list[Arrival]:
    count = round((end_s - begin_s) * rate_rps)
    return [Arrival(round((begin_s + i / rate_rps) * NS), prompt, output) for i in range(count)]


def fixed(arrivals: Sequence[Arrival], replicas: int = 1, spec: FleetSpec = SPEC) -> FleetRun:
    return simulate(spec, arrivals, FixedFleet("fixed", replicas), duration_s=300, start_replicas=1)


def test_one_request_alone_takes_its_prefill_and_its_steps() -> None:
    (served,) = fixed([Arrival(NS, 64, 11)]).served
    assert served.ttft_s == pytest.approx(0.020)
    assert served.inter_token_s == pytest.approx(0.010)


def test_two_requests_at_once_go_to_two_replicas() -> None:
    apart = fixed([Arrival(0, 64, 11), Arrival(0, 64, 11)], replicas=2)
    assert [served.ttft_s for served in apart.served] == pytest.approx([0.020, 0.020])


def test_every_request_is_served_once_or_rejected_and_the_bill_is_the_time_there_was() -> None:
    run = fixed(steady(30, begin_s=0, end_s=60))
    found = score(run, ttft_s=1.0, inter_token_s=0.05)
    done = sum(served.done_ns is not None for served in run.served)
    assert done + found.rejected == found.requests == 1800
    assert 0 < found.rejected < 1800
    assert found.replica_s == 300


def test_a_full_queue_rejects_and_a_late_request_is_given_up() -> None:
    arrivals = steady(100, begin_s=0, end_s=10)
    full = fixed(arrivals, spec=replace(SPEC, max_queue=5))
    late = fixed(arrivals, spec=replace(SPEC, queue_timeout_s=0.5))
    assert sum(served.rejected for served in full.served) > 500
    waited = [served.ttft_s for served in late.served if served.ttft_s is not None]
    assert sum(served.rejected for served in late.served) > 500
    # the queue's limit, and then what the replica had accepted before
    assert max(waited) < max(served.ttft_s or 0 for served in fixed(arrivals).served)


@pytest.mark.parametrize("prompt", [2048, 100_000])
def test_a_request_longer_than_the_model_takes_is_rejected_and_the_next_is_served(prompt: int) -> None:
    long, short = fixed([Arrival(0, prompt, 10), Arrival(NS, 64, 11)]).served
    assert long.rejected
    assert short.ttft_s == pytest.approx(0.020)


@pytest.fixture(scope="module")
def busy_hours() -> FleetRun:
    """One replica, a quiet minute, three busy ones, and quiet again."""
    arrivals = [
        *steady(1, begin_s=0, end_s=60),
        *steady(14, begin_s=60, end_s=240),
        *steady(1, begin_s=240, end_s=600),
    ]
    return simulate(SPEC, arrivals, parse_policy(POLICY, where="p.yaml"), duration_s=600, start_replicas=1)


def test_a_new_replica_serves_after_its_cold_start_and_is_paid_from_its_start(busy_hours: FleetRun) -> None:
    added = [life for life in busy_hours.lives if life.start_s > 0]
    assert added
    assert all(life.ready_s - life.start_s == pytest.approx(30.0) for life in added)
    assert all(60 < life.start_s < 240 and life.start_s % 15 == 0 for life in added)


def test_the_fleet_grows_with_the_load_and_shrinks_a_window_after(busy_hours: FleetRun) -> None:
    wanted = {moment.at_s: moment.desired for moment in busy_hours.moments}
    assert wanted[60.0] == 1
    assert max(wanted.values()) >= 3
    # the last busy scrape is before 240 s; its recommendation holds until a window of 60 s later
    assert wanted[285.0] > 1
    assert wanted[585.0] == 1


def test_what_is_removed_is_drained_first(busy_hours: FleetRun) -> None:
    removed = [life for life in busy_hours.lives if life.end_s is not None and life.end_s < 600]
    assert removed
    assert all(served.done_ns is not None for served in busy_hours.served)


def test_the_bill_follows_the_lives(busy_hours: FleetRun) -> None:
    found = score(busy_hours, ttft_s=1.0, inter_token_s=0.05)
    assert found.replica_s == pytest.approx(sum((life.end_s or 0) - life.start_s for life in busy_hours.lives))
    assert 600 < found.replica_s < 600 * found.max_replicas


def test_a_second_run_is_the_same(busy_hours: FleetRun) -> None:
    arrivals = [served.arrival for served in busy_hours.served]
    again = simulate(SPEC, arrivals, parse_policy(POLICY, where="p.yaml"), duration_s=600, start_replicas=1)
    assert again == busy_hours


def test_a_policy_without_a_signal_here_is_refused() -> None:
    resource = POLICY[: POLICY.index("    - type: Pods")] + (
        "    - type: Resource\n      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}\n"
    )
    with pytest.raises(BadInput, match="not simulated"):
        simulate(SPEC, [], parse_policy(resource, where="p.yaml"), duration_s=60, start_replicas=1)


def test_more_than_one_replica_sustains_is_not_good() -> None:
    lengths = [(60, 40)]
    rate = sustained_rps(SPEC, lengths, ttft_s=1.0, inter_token_s=0.05)
    assert 2 < rate < 60
    over = score(fixed(steady(rate * 1.3, begin_s=0, end_s=90)), ttft_s=1.0, inter_token_s=0.05)
    under = score(fixed(steady(rate * 0.95, begin_s=0, end_s=90)), ttft_s=1.0, inter_token_s=0.05)
    assert over.attainment < 0.99 <= under.attainment
