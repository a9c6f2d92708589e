"""Who is preempted finds its own blocks in the prefix cache: a run in which that matters is played exactly."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from serving.gateway.config import AdmissionConfig
from serving.profiles import load
from serving.profiles.fitting import read_run
from serving.profiles.fitting.score import compare, measures, worst
from serving.simulator import FleetResult, GatewayRules, ReplicaGroup, Scenario, fleet
from serving.simulator.columns import Outcomes, Workload
from serving.simulator.fleet import Fleet, run_fleet
from serving.simulator.model import NS
from serving.simulator.scenario import FleetFault
from serving.simulator.traffic import workload_of
from tests.serving.simulator.fleets import GROUP, steady

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("SRE_PUBLIC_DATA", ROOT.parent / "shared" / "data")) / "vllm_runs"
RUN = DATA / "RTX4090_Llama-3.1-8B_vllm_requests.jsonl"
EVERYTHING = GatewayRules(admission=AdmissionConfig(kv_overcommit=100, queue_timeout_s=600))
TIGHT = dataclasses.replace(GROUP.scheduler, kv_blocks=30)


def overloaded(*, caches: bool = True, faults: tuple[FleetFault, ...] = ()) -> Scenario:
    group = dataclasses.replace(GROUP, scheduler=dataclasses.replace(TIGHT, enable_prefix_caching=caches), count=2)
    offered = workload_of("w", steady(8, begin_s=0, end_s=8, prompt=60, output=90))
    return Scenario("overload", (group,), offered, 60.0, gateway=EVERYTHING, faults=faults)


def columns(run: FleetResult) -> dict[str, bytes]:
    return {field.name: getattr(run.outcomes, field.name).tobytes() for field in dataclasses.fields(Outcomes)}


def test_a_run_with_preemptions_is_played_by_replicas_that_name_their_blocks() -> None:
    scenario = overloaded()
    fast, run = Fleet(scenario).run(None), run_fleet(scenario)
    assert fast.preemptions > 10
    assert run.prefix_hits_tokens > 0
    assert run.outcomes.ended_ns.mean() < fast.outcomes.ended_ns.mean()
    assert not run.forgets_preempted_blocks
    assert columns(run) == columns(run_fleet(scenario))


def test_so_is_one_with_faults_and_what_a_surge_brings_comes_once() -> None:
    faults = (FleetFault("crash", 3.0, target="llm-1"), FleetFault("surge", 2.0, 2.0))
    run = run_fleet(overloaded(faults=faults))
    assert run.prefix_hits_tokens > 0
    assert len(run.scenario.workload) == 64 + 16
    assert (run.outcomes.emitted == 90).all()


def test_a_longer_one_is_not_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = overloaded()
    monkeypatch.setattr(fleet, "MOST_NAMED", len(scenario.workload) - 1)
    run = run_fleet(scenario)
    assert run.forgets_preempted_blocks
    assert columns(run) == columns(Fleet(scenario).run(None))


def test_an_engine_without_a_prefix_cache_forgets_them_too() -> None:
    scenario = overloaded(caches=False)
    run = run_fleet(scenario)
    assert run.preemptions > 10
    assert not run.forgets_preempted_blocks
    assert columns(run) == columns(Fleet(scenario).run(None))


def test_without_preemptions_a_run_is_played_once() -> None:
    scenario = dataclasses.replace(overloaded(), gateway=GatewayRules())
    shares: list[float] = []
    run = run_fleet(scenario, on_progress=shares.append)
    assert (run.preemptions, run.prefix_queries_tokens, shares) == (0, 0, [1.0])


def test_where_prompts_share_prefixes_blocks_have_names_already() -> None:
    scenario = overloaded()
    shared = dataclasses.replace(scenario.workload, prefix=tuple(() for _ in range(len(scenario.workload))))
    shares: list[float] = []
    run = run_fleet(dataclasses.replace(scenario, workload=shared), on_progress=shares.append)
    assert run.preemptions > 10
    assert shares == [1.0]


@pytest.mark.skipif(not RUN.is_file(), reason="the run is not there: set SRE_PUBLIC_DATA")
def test_an_overloaded_real_run_takes_as_long_in_the_fleet() -> None:
    log, profile = read_run(RUN).log, load("rtx4090-llama3.1-8b")
    nothing = np.zeros(len(log), np.int16)
    offered = Workload(
        "the run",
        np.round(log.arrival_s * NS).astype(np.int64),
        log.prompt_tokens.astype(np.int32),
        log.output_tokens.astype(np.int32),
        nothing,
        nothing,
    )
    group = ReplicaGroup(
        "llm", profile.name, "RTX-4090", 1, profile.scheduler, profile.step_time, (("load", 1.0),), count=1
    )
    run = run_fleet(Scenario("overload", (group,), offered, 300.0, gateway=EVERYTHING))
    assert run.preemptions > 200
    found = compare(
        measures(log, log.first_s, log.last_s),
        measures(log, run.outcomes.first_ns / NS, run.outcomes.last_ns / NS),
        np.ones(len(log), np.bool_),
    )
    assert worst(found, "mean") < 0.05
