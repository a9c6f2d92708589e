"""The compiled core gives the bytes of the fleet's event loop: every time, gap, count and outcome of every request."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.autoscale.model import Policy
from serving.batching import SchedulerConfig, StepTimeModel
from serving.gateway.config import AdmissionConfig, RoutingConfig
from serving.simulator.columns import OUTCOMES, Outcomes, Workload
from serving.simulator.compiled import compiled
from serving.simulator.fleet import Fleet
from serving.simulator.kernel import can_play, is_compiled, play
from serving.simulator.scenario import FleetFault, GatewayRules, ReplicaGroup, Scenario

pytest.importorskip("numba", reason="numba is not installed: pip install '.[fast]'")

STEP_TIMES = (
    StepTimeModel.from_tables(
        decode_ms={1: 6.2, 8: 7.2},
        prefill_ms={8: 14, 32: 20},
        mixed_factor=1.5,
        kv_ms_per_1k_tokens=9.0,
        kv_included_tokens=6,
        prefill_ms_per_1m_pairs=9000.0,
    ),
    StepTimeModel.from_tables(
        decode_ms={1: 5, 8: 9}, prefill_ms={8: 10, 32: 20}, mixed_ms={2: 7, 40: 30}, host_overhead_ms=0.3
    ),
    StepTimeModel.from_tables(decode_ms={1: 1, 8: 1}, prefill_ms={1: 1, 32: 1}),  # many steps end together
    StepTimeModel.from_tables(decode_ms={1: 1, 8: 2}, prefill_ms={1: 1, 32: 3}, request_overhead_ms=4.0),
)
ROOMY = SchedulerConfig(kv_blocks=400, block_size_tokens=4, max_num_seqs=6, max_num_batched_tokens=16, max_model_len=80)
TIGHT = SchedulerConfig(kv_blocks=14, block_size_tokens=4, max_num_seqs=6, max_num_batched_tokens=12, max_model_len=50)
TINY = SchedulerConfig(kv_blocks=12, block_size_tokens=1, max_num_seqs=4, max_num_batched_tokens=4, max_model_len=12)


def group(name: str, scheduler: SchedulerConfig, step_time: StepTimeModel, count: int) -> ReplicaGroup:
    return ReplicaGroup(name, "none", "none", 1, scheduler, step_time, (("load", 1.0),), count)


def workload(at_ms: list[int], prompts: list[int], outputs: list[int]) -> Workload:
    nothing = np.zeros(len(at_ms), np.int16)
    at_ns = np.array(at_ms, np.int64) * 1_000_000
    return Workload("w", at_ns, np.array(prompts, np.int32), np.array(outputs, np.int32), nothing, nothing)


def drawn(rng: random.Random) -> Scenario:
    """A fleet of one or two kinds under any load, from idle to hopeless; times are whole milliseconds, so that many
    things happen at once.
    """
    schedulers = [rng.choice([ROOMY, TIGHT, TINY]) for _ in range(rng.choice([1, 1, 2]))]
    groups = [group(f"g{i}", s, rng.choice(STEP_TIMES), rng.randint(1, 4)) for i, s in enumerate(schedulers)]
    most = max(s.max_model_len for s in schedulers) // rng.choice([2, 8]) + rng.choice([0, 2])
    count, gap_ms, at_ms = rng.randint(1, 60), rng.choice([0, 1, 5, 20]), [0]
    while len(at_ms) < count:
        at_ms.append(at_ms[-1] + rng.randint(0, 2 * gap_ms))
    tokens = [[rng.randint(1, most) for _ in range(count)] for _ in range(2)]
    admission = AdmissionConfig(
        max_queue=rng.choice([0, 3, 100]),
        queue_timeout_s=rng.choice([0.05, 1.0, 30.0]),
        kv_overcommit=rng.choice([0.5, 1.0, 1.5, 4.0]),
    )
    rules = GatewayRules(
        balancing=rng.choice(["round_robin", "least_outstanding"]),
        routing=RoutingConfig(affinity=rng.random() < 0.5),
        admission=admission,
    )
    return Scenario(
        "drawn",
        tuple(groups),
        workload(at_ms, *tokens),
        rng.choice([0.01, 0.5, 3.0]),
        gateway=rules,
        sync_period_s=rng.choice([0.02, 0.25, 15.0]),
    )


def columns(outcomes: Outcomes) -> dict[str, bytes]:
    return {field.name: getattr(outcomes, field.name).tobytes() for field in dataclasses.fields(Outcomes)}


@settings(max_examples=400)
@given(st.integers(0, 2**32))
def test_every_fleet_without_faults_comes_out_the_same_to_the_byte(seed: int) -> None:
    scenario = drawn(random.Random(seed))
    fast, reference = compiled(scenario), Fleet(scenario).run(None)
    assert columns(fast.outcomes) == columns(reference.outcomes)
    assert (fast.max_queue, fast.preemptions, fast.moments) == (
        reference.max_queue,
        reference.preemptions,
        reference.moments,
    )


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_tokens_and_requests_are_conserved(seed: int) -> None:
    scenario = drawn(random.Random(seed))
    outcomes, offered = play(scenario).outcomes, scenario.workload
    served = outcomes.outcome == OUTCOMES.index("ok")
    assert np.isin(outcomes.outcome, [OUTCOMES.index(word) for word in ("ok", "rejected", "invalid")]).all()
    assert (outcomes.emitted == np.where(served, offered.output_tokens, 0)).all()
    assert (offered.at_ns[served] <= outcomes.placed_ns[served]).all()
    assert (outcomes.placed_ns[served] < outcomes.first_ns[served]).all()
    assert (outcomes.first_ns[served] <= outcomes.last_ns[served]).all()
    assert (outcomes.ended_ns >= offered.at_ns).all()


def test_a_workload_played_in_parts_is_the_same_as_in_one() -> None:
    scenario = drawn(random.Random(7))
    whole = play(scenario)
    shares: list[float] = []
    parts = play(scenario, on_progress=shares.append, at_once=5)
    assert columns(parts.outcomes) == columns(whole.outcomes)
    assert parts.waiting.tolist() == whole.waiting.tolist()
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_a_group_may_be_empty() -> None:
    scenario = drawn(random.Random(3))
    nobody = group("nobody", TINY, STEP_TIMES[2], 0)
    for groups in ((nobody, *scenario.groups), (*scenario.groups, nobody)):
        for balancing in ("round_robin", "least_outstanding"):
            rules = dataclasses.replace(scenario.gateway, balancing=balancing)
            fleet = dataclasses.replace(scenario, groups=groups, gateway=rules)
            assert columns(compiled(fleet).outcomes) == columns(Fleet(fleet).run(None).outcomes)


def test_nothing_offered_is_played_too() -> None:
    scenario = Scenario("idle", (group("g", ROOMY, STEP_TIMES[0], 2),), workload([], [], []), 60.0)
    played = play(scenario)
    assert len(played.outcomes) == 0
    assert played.waiting.tolist() == [0, 0, 0, 0]


def test_what_was_compiled_once_is_not_compiled_again() -> None:
    play(drawn(random.Random(1)))
    assert is_compiled()


def test_it_says_what_it_cannot_play() -> None:
    scenario = drawn(random.Random(1))
    shared = dataclasses.replace(scenario.workload, prefix=tuple(() for _ in range(len(scenario.workload))))
    urgent = dataclasses.replace(scenario.workload, priority=np.arange(len(scenario.workload), dtype=np.int16))
    policy = Policy.__new__(Policy)
    assert can_play(scenario) is None
    assert "faults" in str(can_play(dataclasses.replace(scenario, faults=(FleetFault("crash", 1.0),))))
    assert "autoscaler" in str(can_play(dataclasses.replace(scenario, policy=policy)))
    assert "samples" in str(can_play(dataclasses.replace(scenario, keep_samples=True)))
    assert "prefixes" in str(can_play(dataclasses.replace(scenario, workload=shared)))
    assert "priorities" in str(can_play(dataclasses.replace(scenario, workload=urgent)))
