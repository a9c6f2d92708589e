"""What balancing is worth on the same traffic, and what a score says of it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from serving.gateway.config import RoutingConfig
from serving.simulator import FleetResult, GatewayRules, Scenario, Workload, run_fleet, score
from serving.simulator.model import NS
from serving.simulator.scenario import Balancing
from serving.simulator.traffic import Arrival, workload_of
from tests.serving.simulator.fleets import GROUP

FLEET = (replace(GROUP, count=4, scheduler=replace(GROUP.scheduler, kv_blocks=1000, max_num_seqs=32)),)


def rules(balancing: Balancing, *, affinity: bool = False) -> GatewayRules:
    return GatewayRules(balancing, routing=RoutingConfig(affinity=affinity, overflow_tokens=2000))


def play(workload: Workload, balancing: Balancing, *, affinity: bool = False) -> FleetResult:
    return run_fleet(Scenario("balancing", FLEET, workload, 120, gateway=rules(balancing, affinity=affinity)))


@pytest.fixture(scope="module")
def skewed() -> Workload:
    """Each fourth request is twenty times as long, in step with a round of four replicas."""
    rng = random.Random(5)
    at = np.cumsum([rng.expovariate(9) for _ in range(800)])
    rows = [
        Arrival(round(second * NS), *((900, 260) if index % 4 == 0 else (45, 13))) for index, second in enumerate(at)
    ]
    workload = workload_of("skewed", rows)
    klass = np.array([index % 4 == 0 for index in range(len(rows))], np.int16)
    return replace(workload, klass=klass, classes=("short", "long"))


@pytest.fixture(scope="module")
def talkative() -> Workload:
    """Eighty prefixes of 384 tokens, twice what one replica's cache holds; each prompt is one and a little more."""
    rng = random.Random(6)
    at = np.cumsum([rng.expovariate(9) for _ in range(800)])
    rows = [Arrival(round(second * NS), 400, 20) for second in at]
    whose = [rng.randrange(80) for _ in rows]
    prefix = tuple(tuple(1000 * one + block for block in range(24)) for one in whose)
    return replace(workload_of("talkative", rows), prefix=prefix, prefix_block_tokens=16)


def test_least_outstanding_serves_a_skewed_load_sooner_than_round_robin(skewed: Workload) -> None:
    by_turn, by_load = (score(play(skewed, way)) for way in ("round_robin", "least_outstanding"))
    short_by_turn, short_by_load = by_turn.classes[0], by_load.classes[0]
    assert short_by_load.ttft.p99 < 0.7 * short_by_turn.ttft.p99  # type: ignore[operator]
    assert by_load.overall.e2e.mean < 0.7 * by_turn.overall.e2e.mean  # type: ignore[operator]


def test_round_robin_gives_everyone_the_same_number(skewed: Workload) -> None:
    run = play(skewed, "round_robin")
    assert np.bincount(run.outcomes.replica).tolist() == [200] * 4


def test_prefix_affinity_computes_less_and_answers_sooner(talkative: Workload) -> None:
    spread, affine = play(talkative, "least_outstanding"), play(talkative, "least_outstanding", affinity=True)
    assert affine.prefix_queries_tokens == spread.prefix_queries_tokens == 800 * 400
    assert affine.prefix_hits_tokens > 1.3 * spread.prefix_hits_tokens
    assert score(affine).overall.ttft.mean < score(spread).overall.ttft.mean  # type: ignore[operator]


def test_affinity_overflows_to_others_when_the_holder_is_too_busy() -> None:
    rows = [Arrival(index * NS // 50, 400, 100) for index in range(200)]
    everybody = tuple(tuple(range(24)) for _ in rows)
    workload = replace(workload_of("one prefix", rows), prefix=everybody)
    shares = np.bincount(play(workload, "least_outstanding", affinity=True).outcomes.replica, minlength=4) / len(rows)
    assert (shares > 0.1).all()


def test_a_score_by_class_adds_up(skewed: Workload) -> None:
    found = score(play(skewed, "least_outstanding"))
    assert [one.name for one in found.classes] == ["short", "long"]
    for name in ("requests", "counted", "good", "tokens", "good_tokens", "wasted_tokens"):
        assert getattr(found.overall, name) == sum(getattr(one, name) for one in found.classes)
    assert found.overall.outcomes == tuple(np.sum([one.outcomes for one in found.classes], axis=0))
    assert found.replica_s == 4 * 120
    assert found.starting_s == 0


def test_other_thresholds_judge_the_same_run_otherwise(skewed: Workload) -> None:
    run = play(skewed, "least_outstanding")
    strict, lax = score(run, ttft_s=0.05, tpot_s=0.05), score(run, ttft_s=60, tpot_s=60)
    assert strict.overall.good < score(run).overall.good <= lax.overall.good == 800
    assert strict.overall.ttft == lax.overall.ttft
