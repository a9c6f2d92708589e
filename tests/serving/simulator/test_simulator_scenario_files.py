"""Scenario files: every fault at once with its line, and what becomes of a good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.errors import BadInput
from serving.simulator.scenario_build import Built, build_scenario, shortened
from serving.simulator.scenario_file import ScenarioDocument, load_scenario, parse_scenario, text_of

PROFILE = "h100-llama3-8b-tp1"
SMALL = f"""\
groups:
  - profile: {PROFILE}
    count: 2
    zones: [a, b]
workload:
  generated: chat
  rate_rps: 2
duration_s: 30
"""


def parsed(text: str) -> ScenarioDocument:
    return parse_scenario(text, where="s.yaml")


def built(text: str, folder: Path = Path()) -> Built:
    return build_scenario(parsed(text), folder=folder)


def faults_of(text: str) -> list[str]:
    with pytest.raises(BadInput) as refused:
        parsed(text)
    return str(refused.value).splitlines()


def test_every_fault_of_a_file_is_told_at_once_with_its_line() -> None:
    faults = faults_of(
        "groups:\n  - profile: x\n    count: 0\n    colour: red\nworkload:\n  rate_rps: -3\nfaults:\n"
        "  - kind: crush\n    at_s: -1\n"
    )

    assert [fault.split(":")[1] for fault in faults] == ["3", "4", "6", "8", "9"]
    assert "groups.0.colour: is not a known key here" in faults[1]
    assert "is -3" in faults[2]
    assert "is 'crush'" in faults[3]
    assert "'crash', 'hang'" in faults[3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("groups: [\n", "s.yaml:2"),
        ("groups: []\ngroups: []\nworkload: {}\n", "stands here twice"),
        ("a: &a [*a]\n", "s.yaml:1"),
        ("- 1\n", "s.yaml:1"),
        ("seed: 2020-99-99\n", "s.yaml:1"),
        ("? [1, 2]\n: 3\n", "a key is no text"),
        ("12\n", "is no mapping"),
        (f'groups: [{{profile: {PROFILE}}}]\nworkload: {{trace: "a\\0b"}}\n', "other characters than it may"),
        ("a: " + "[" * 5000, "nested too deep"),
    ],
)
def test_what_is_no_document_is_refused_in_a_line(text: str, said: str) -> None:
    assert any(said in fault for fault in faults_of(text))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("workload: {}", "no source of requests"),
        ("workload: {trace: a.csv, generated: day}", "several sources"),
        ("workload: {generated: day, cv: 2}", "bring their own arrivals"),
        ("workload: {classes: [{name: mine, rate_rps: 1}]}", "state its prompt_tokens"),
        ("workload: {classes: [{name: chat, rate_rps: 1}], rate_rps: 3}", "stand in each class"),
        ("workload: {generated: chat, rate_rps: .inf}", "finite"),
    ],
)
def test_a_workload_has_one_source_and_says_what_it_means(section: str, said: str) -> None:
    assert said in "\n".join(faults_of(f"groups: [{{profile: {PROFILE}}}]\n{section}\n"))


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read the scenario"):
        load_scenario(tmp_path / "none.yaml")


def test_a_document_written_out_reads_back_to_the_same() -> None:
    document = parsed(SMALL + "faults:\n  - {kind: slow, at_s: 3, value: 2.5, target: llm-1}\n")

    assert parsed(text_of(document)) == document


def test_a_small_scenario_is_built() -> None:
    scenario = built(SMALL).scenario

    assert (scenario.groups[0].count, scenario.groups[0].zones) == (2, ("a", "b"))
    assert scenario.groups[0].gpu == "H100-80GB"
    assert scenario.duration_s == 30
    assert 30 < len(scenario.workload) < 90


def test_the_gateway_keeps_what_is_not_said() -> None:
    rules = built(SMALL + "gateway: {balancing: round_robin, routing: {affinity: false}}\n").scenario.gateway

    assert rules.balancing == "round_robin"
    assert rules.routing.affinity is False
    assert rules.failover.max_attempts == 3


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("profile: nothing", "is unknown"),
        (f"profile: {PROFILE}\n    max_num_seqs: 4096", "exceeds max_num_batched_tokens"),
        (f"profile: {PROFILE}\n    max_model_len: 9000000", "more or larger GPUs"),
        ("profile: ./nowhere.yaml", "cannot read the profile"),
    ],
)
def test_an_impossible_fleet_is_refused_in_a_line(group: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        built(f"groups:\n  - {group}\nworkload: {{generated: chat}}\nduration_s: 5\n")
    assert "\n" not in str(refused.value)


def test_seats_and_budget_are_the_groups_own() -> None:
    text = SMALL.replace("    count: 2\n", "    count: 2\n    max_num_seqs: 8\n    max_num_batched_tokens: 512\n")
    scheduler = built(text).scenario.groups[0].scheduler

    assert (scheduler.max_num_seqs, scheduler.max_num_batched_tokens) == (8, 512)


def test_a_trace_and_its_path_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,10,5\n2023-11-16 18:00:09,10,5\n"
    )
    text = f"groups: [{{profile: {PROFILE}}}]\nworkload: {{trace: t.csv}}\n"

    scenario = built(text, tmp_path).scenario

    assert len(scenario.workload) == 2
    assert scenario.duration_s == 10


def test_requests_longer_than_any_replica_takes_are_noted() -> None:
    text = f"""\
groups: [{{profile: {PROFILE}, max_model_len: 600}}]
workload: {{generated: chat, rate_rps: 3}}
duration_s: 60
"""
    assert "longer than any replica takes" in " ".join(built(text).notes)


def test_a_share_of_a_scenario_leaves_out_what_comes_later() -> None:
    document = parsed(SMALL + "faults: [{kind: crash, at_s: 3}, {kind: crash, at_s: 20}]\n")

    part = shortened(document, 0.5)

    assert part.duration_s == 15
    assert [fault.at_s for fault in part.faults] == [3]
