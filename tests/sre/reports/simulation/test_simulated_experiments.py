"""Experiment files as simulations: faults at their times, and a plain no to what the fleet model does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre.errors import BadDocument
from sre.platforms.simulation import FaultRequest, ReplicaFacts
from sre.reports.simulation.experiment import ExperimentPlan, plan_of

EXPERIMENTS = Path(__file__).resolve().parents[4] / "experiments"
FACTS = ReplicaFacts(kv_blocks=6400, cold_start_s=50.0)


def plan(name: str) -> ExperimentPlan:
    return plan_of(EXPERIMENTS / f"{name}.yaml", profile=None, facts=lambda _: FACTS)


def test_a_crash_comes_after_warm_up_and_pause() -> None:
    found = plan("replica-crash")

    assert found.request.faults == (FaultRequest("crash", 20.0),)
    assert (found.request.replicas, found.request.rate_rps, found.request.drill_clock) == (3, 6.0, 60.0)
    assert found.slos == ("availability",)


def test_a_fault_that_is_healed_lasts_until_then() -> None:
    assert plan("replica-slow").request.faults == (FaultRequest("slow", 13.0, 10.0, "busiest", 4.0),)
    assert plan("replica-hang").request.faults == (FaultRequest("hang", 13.0, 8.0),)


def test_the_replicas_of_a_zone_are_put_into_one() -> None:
    request = plan("zone-loss").request

    assert request.zones == ("lost", "lost", "kept", "kept")
    assert request.faults == (FaultRequest("zone_loss", 13.0, 8.0, "lost"),)


def test_a_zone_is_as_large_in_a_larger_fleet() -> None:
    found = plan_of(EXPERIMENTS / "zone-loss.yaml", profile=None, facts=lambda _: FACTS, replicas=7)

    assert found.request.zones == ("lost",) * 2 + ("kept",) * 5


def test_strengths_are_reckoned_from_the_replica() -> None:
    (kv,) = plan("kv-exhaustion").request.faults
    slow_start, crash = plan("cold-start").request.faults
    (surge,) = plan("traffic-surge").request.faults

    assert kv.value == pytest.approx(64 / 6400)
    assert (slow_start.kind, crash.kind, slow_start.value) == ("cold_start_slow", "crash", pytest.approx(1.2))
    assert surge.value == pytest.approx((5 + 15) / 5)


def test_a_spot_notice_needs_spot_machines() -> None:
    request = plan("spot-preemption").request

    assert request.spot is True
    assert request.faults == (FaultRequest("spot_notice", 13.0, None, "llm-0", 8.0),)


@pytest.mark.parametrize("name", ["disk-full", "network-latency", "gateway-crash", "gpu-lost", "retry-storm"])
def test_a_fault_that_the_model_does_not_know_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(BadDocument, match=rf"{name}\.yaml:\d+: the fleet model does not know") as refused:
        plan(name)
    assert len(refused.value.faults) == 1
    assert "rehearse" in refused.value.faults[0]


def test_every_shipped_experiment_is_either_played_or_refused() -> None:
    played = 0
    for path in sorted(EXPERIMENTS.glob("*.yaml")):
        try:
            found = plan_of(path, profile=None, facts=lambda _: FACTS)
        except BadDocument:
            continue
        played += 1
        assert found.request.faults
        assert all(fault.at_s < (found.request.duration_s or 0) for fault in found.request.faults)
    assert played >= 13
