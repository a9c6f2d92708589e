"""A simulation asked for in our words: what a request changes in a scenario, and what comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sre.errors import BadDocument, SreError
from sre.platforms.fault_text import parse_fault
from sre.platforms.local.simulate import scenario_path, simulate, summarise
from sre.platforms.local.simulate_document import document_of, portable
from sre.platforms.simulation import FaultRequest, Simulation, SimulationRequest

PROFILE = "h100-llama3-8b-tp1"
SMALL = SimulationRequest(profile=PROFILE, replicas=2, workload="chat", rate_rps=4, duration_s=30, seed=3)
POLICY = Path(__file__).resolve().parents[3] / "serving" / "deploy" / "autoscaling" / "hpa-queue.yaml"


def run(request: SimulationRequest) -> Simulation:
    return simulate(request, on_progress=lambda _: None)


@pytest.fixture(scope="module")
def crashed() -> Simulation:
    return run(replace(SMALL, faults=(parse_fault("crash@10:llm-1"),), cold_start_s=5.0, drill_clock=60.0))


def test_a_request_changes_the_scenario_it_names(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        f"groups: [{{profile: {PROFILE}, count: 9, cold_start: {{load: 4}}}}]\n"
        "workload: {classes: [{name: chat, rate_rps: 2}, {name: rag, rate_rps: 6}]}\n"
        "faults: [{kind: crash, at_s: 1}]\nseed: 7\n"
    )
    request = SimulationRequest(
        scenario=scenario,
        replicas=2,
        rate_rps=4.0,
        routing="round_robin",
        cold_start_s=9.0,
        ttft_s=0.5,
        faults=(FaultRequest("hang", 2.0, 3.0),),
    )

    document = document_of(request)

    assert (document.groups[0].count, document.groups[0].cold_start_s, document.groups[0].cold_start) == (2, 9.0, None)
    assert [one.rate_rps for one in document.workload.classes or ()] == [1.0, 3.0]
    assert (document.gateway.balancing, document.gateway.routing.affinity) == ("round_robin", False)
    assert [fault.kind for fault in document.faults] == ["crash", "hang"]
    assert (document.seed, document.thresholds.ttft_s, document.thresholds.tpot_s) == (7, 0.5, 0.05)


def test_a_drill_clock_brings_the_scrapes_of_a_drill() -> None:
    assert document_of(replace(SMALL, drill_clock=60.0)).scrape_interval_s == 1.0
    assert document_of(replace(SMALL, drill_clock=60.0, scrape_interval_s=2.0)).scrape_interval_s == 2.0
    assert document_of(SMALL).scrape_interval_s == 5.0


def test_a_document_in_a_folder_names_its_files_by_what_they_are_called_there() -> None:
    written = portable(document_of(replace(SMALL, policy=POLICY)))

    assert "policy: policy.yaml" in written.text
    assert written.files == (("policy.yaml", POLICY),)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (SimulationRequest(), "nothing to simulate"),
        (replace(SMALL, profile="nope"), "unknown"),
        (replace(SMALL, workload="tea"), "use one of day, chat"),
        (replace(SMALL, trace=Path("t.csv")), "two sources"),
        (replace(SMALL, faults=(FaultRequest("crash", 99.0),)), "outside the run"),
        (replace(SMALL, faults=(FaultRequest("zone_loss", 9.0, target="z"),)), "unknown zone"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(request_: SimulationRequest, said: str) -> None:
    with pytest.raises(SreError, match=said) as refused:
        run(request_)
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)


def test_a_scenario_with_faults_is_told_line_by_line(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("groups: [{profile: x, count: 0}]\nworkload: {}\n")

    with pytest.raises(BadDocument) as refused:
        run(SimulationRequest(scenario=scenario))

    assert len(refused.value.faults) == 2


def test_outcomes_and_tokens_add_up(crashed: Simulation) -> None:
    requests, overall = crashed.requests, crashed.summary.overall

    assert sum(count for _, count in overall.outcomes) == overall.requests == len(requests)
    assert overall.tokens == int(requests.emitted.sum())
    assert sum(one.requests for one in crashed.service) == overall.requests
    assert sum(one.good for one in crashed.service) == overall.good
    assert sum(one.good_tokens for one in crashed.summary.classes) == overall.good_tokens


def test_time_that_is_paid_is_started_vacant_or_worked(crashed: Simulation) -> None:
    (time,) = crashed.summary.gpu_time
    lives = sum(life.end_s - life.start_s for life in crashed.lives)

    assert time.replica_s == pytest.approx(lives)
    assert 0 < time.starting_s < time.replica_s
    assert 0 <= time.vacant_s <= time.replica_s - time.starting_s


def test_a_fault_is_told_with_whom_it_hit_and_until_when(crashed: Simulation) -> None:
    (fault,) = crashed.faults

    assert (fault.kind, fault.begin_s, fault.replicas) == ("crash", 10.0, ("llm-1",))
    assert fault.end_s is not None
    assert 15.0 <= fault.end_s < 17.0


def test_the_same_request_gives_the_same_run_again(crashed: Simulation) -> None:
    again = run(replace(SMALL, faults=(parse_fault("crash@10:llm-1"),), cold_start_s=5.0, drill_clock=60.0))

    assert again.summary == crashed.summary
    assert again.document == crashed.document
    assert np.array_equal(again.requests.ended_s, crashed.requests.ended_s, equal_nan=True)
    assert all(np.array_equal(a.values, b.values) for a, b in zip(again.series, crashed.series, strict=True))


def test_figures_do_not_depend_on_whether_samples_are_kept() -> None:
    assert summarise(SMALL) == run(SMALL).summary


def test_a_shipped_scenario_is_found_by_its_name() -> None:
    assert scenario_path(Path("zone-loss")).name == "zone-loss.yaml"
    with pytest.raises(SreError, match="or one of day, sizing-sweep"):
        scenario_path(Path("zone-los"))


@pytest.mark.parametrize("name", ["day", "zone-loss", "spot-fleet", "steady-chat"])
def test_shipped_scenarios_can_be_played(name: str) -> None:
    request = SimulationRequest(scenario=scenario_path(Path(name)), keep_samples=False)
    document = document_of(request)
    assert document.title
    short = replace(request, duration_s=max([20.0, *(fault.at_s + 1 for fault in document.faults)]), rate_rps=1.0)
    assert run(short).summary.overall.requests > 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("crash@60:busiest", FaultRequest("crash", 60.0)),
        ("slow@60+120:llm-1=4", FaultRequest("slow", 60.0, 120.0, "llm-1", 4.0)),
        ("cold-start@5+10=2.5", FaultRequest("cold_start_slow", 5.0, 10.0, "busiest", 2.5)),
        ("zone@5s:b", FaultRequest("zone_loss", 5.0, None, "b")),
    ],
)
def test_a_fault_is_read_as_a_person_writes_it(text: str, fault: FaultRequest) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crash", "write KIND@SECONDS"),
        ("crash@-3", "write KIND@SECONDS"),
        ("crush@3", "did you mean crash"),
        ("flood@3", "use one of"),
        ("slow@3+0", "lasts 0 s"),
    ],
)
def test_what_is_no_fault_is_refused_in_a_line(text: str, said: str) -> None:
    with pytest.raises(SreError, match=said):
        parse_fault(text)


def test_a_long_run_with_preemptions_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("serving.simulator.fleet.MOST_NAMED", 50)
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        f"groups: [{{profile: {PROFILE}}}]\nduration_s: 40\nworkload: {{classes: [{{name: chat, rate_rps: 4}}]}}\n"
        "faults: [{kind: kv_loss, at_s: 5, duration_s: 30, target: all, value: 0.004}]\n"
    )
    found = run(SimulationRequest(scenario=scenario))
    assert found.summary.preemptions > 0
    assert [note for note in found.notes if "found nothing of itself in the prefix cache" in note]
