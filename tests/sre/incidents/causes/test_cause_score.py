"""The scorer reads the ledger only after the ranking, and counts a hit as what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import BadDocument
from sre.incidents.causes.model import Candidate, CauseRanking
from sre.incidents.causes.score import Truth, reports_in, scored, tallies, truth_of
from sre.reports.json_report import load_report
from sre.reports.model import DrillReport

EXAMPLE = "reports/example"


@pytest.fixture
def example(request) -> Path:
    """The committed drill: a replica crash."""
    return Path(request.config.rootpath / EXAMPLE)


@pytest.fixture
def drill(example) -> DrillReport:
    return load_report(example / "report.json")


def ranking(*named: tuple[str, str]) -> CauseRanking:
    found = [Candidate(i, "replica", subject, failure, 0.5, ()) for i, (subject, failure) in enumerate(named, 1)]
    return CauseRanking(tuple(found), None)


def ranks(truth, *named):
    drill = scored("r", truth, ranking(*named))
    return drill.subject_rank, drill.failure_rank


def truth(failure="replica-crash", subjects=("llm-1",), *, at_most=None, is_replicas=True, experiment="EXP-001"):
    return Truth(failure, experiment, frozenset(subjects), at_most or len(subjects), is_replicas)


def test_subject_and_failure_are_counted_apart():
    assert ranks(truth(), ("llm-1", "replica-hang"), ("llm-0", "replica-crash")) == (1, 2)
    assert ranks(truth()) == (None, None)


def test_several_replicas_must_all_be_named():
    zone = truth("zone-loss", ("llm-1", "llm-3"))
    assert ranks(zone, ("llm-1", "replica-crash"), ("llm-1, llm-3", "zone-loss")) == (2, 2)


def test_of_replicas_that_are_only_some_of_those_named_any_will_do():
    poison = truth("poison-request", ("llm-0", "llm-1", "llm-2"), at_most=2)
    assert ranks(poison, ("llm-0, llm-2", "poison-request")) == (1, 1)


def test_of_components_one_will_do():
    assert ranks(truth("metrics-lying", ("recorder", "prometheus"), is_replicas=False), ("recorder", "x")) == (1, None)


def test_drills_are_tallied_by_failure_half_and_in_all():
    right = scored("a", truth(), ranking(("llm-1", "replica-crash")))
    third = scored("b", truth(experiment="EXP-002"), ranking(("x", "y"), ("x", "z"), ("llm-1", "replica-crash")))
    silent = scored("c", truth("clock-skew", experiment="EXP-022"), ranking())
    rows = {t.name: t for t in tallies([right, third, silent])}
    assert list(rows) == ["clock-skew", "replica-crash", "odd experiments", "even experiments", "all"]
    crash = rows["replica-crash"]
    assert (crash.n, crash.subject_first, crash.subject_among, crash.failure_first, crash.silent) == (2, 1, 2, 1, 0)
    assert (rows["even experiments"].n, rows["all"].silent) == (2, 1)


def test_the_truth_is_the_ledgers_first_fault_by_its_experiments_name(tmp_path):
    plan = {"replicas": ["llm-0"], "components": []}
    row = {"at": 1.0, "event": "fault_begin", "fault": "replica-hang", "target": "llm-0", "detail": {"plan": plan}}
    (tmp_path / "chaos.jsonl").write_text(json.dumps(row) + "\n")
    assert truth_of(tmp_path).failure == "replica-hang"
    subject = {"id": "EXP-004", "failure_mode": "stub-hang"}
    (tmp_path / "report.json").write_text(json.dumps({"subject": subject}))
    found = truth_of(tmp_path)
    assert (found.failure, found.half, found.subjects) == ("stub-hang", "even", frozenset({"llm-0"}))
    (tmp_path / "chaos.jsonl").write_text("")
    assert truth_of(tmp_path) is None


def test_a_folder_without_drills_is_said(tmp_path):
    with pytest.raises(BadDocument, match="no drill with"):
        reports_in(tmp_path)


def run(*arguments: str):
    return CliRunner().invoke(app, ["incident", "causes", *arguments])


def test_the_example_drill_is_ranked_and_scored(example, drill):
    shown = run(str(example))
    assert shown.exit_code == 0
    assert f"1. replica-crash on {drill.faults[0].target}" in shown.stdout
    said = json.loads(run(str(example), "--json").stdout)
    assert said["candidates"][0]["signature"] == "replica-crash"
    assert "all" in run("--score", str(example)).stdout
    (scored_drill,) = json.loads(run("--score", str(example), "--json").stdout)["drills"]
    assert (scored_drill["subject_rank"], scored_drill["failure_rank"]) == (1, 1)


def test_samples_alone_do_for_a_real_incident(example, drill):
    since = str(round(drill.started_at))
    said = json.loads(run("--samples", str(example / "samples.jsonl"), "--since", since, "--json").stdout)
    assert {c["subject"] for c in said["candidates"][:3]} == {drill.faults[0].target}
    assert any("no supervisor events" in limit for limit in said["limits"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give one of"),
        (("a", "--samples", "b"), "give one of"),
        (("no-such-folder",), "no such folder"),
        (("--prometheus", "http://127.0.0.1:1"), "needs --since"),
        (("reports", "--since", "20", "--until", "10"), "not before"),
        (("reports", "--since", "-10m", "--until", "-20m"), "not before"),
        (("reports", "--since", "soon"), "no time with its zone"),
        (("2",), "INC-0002 is an incident, and the store keeps no samples: give its drill's report folder"),
        (("INC-0002",), "or --samples with --since"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, said):
    result = run(*arguments)
    assert result.exit_code != 0
    assert said in str(result.exception) + result.output


@pytest.mark.parametrize("until_s", [None, 400.0])
def test_a_begin_after_the_last_sample_is_said_with_its_instant(example, drill, until_s):
    until = () if until_s is None else ("--until", str(drill.ended_at + until_s))
    result = run("--samples", str(example / "samples.jsonl"), "--since", str(drill.ended_at + 300), *until)
    assert result.exit_code != 0
    assert "--since 20" in str(result.exception)
    assert "is after the last sample, 20" in str(result.exception)


def test_an_end_before_the_first_sample_and_a_begin_after_the_last_request_are_said_too(example, drill):
    early = run("--samples", str(example / "samples.jsonl"), "--until", "1000000000")
    assert "is before the first sample" in str(early.exception)
    assert "is after the last request" in str(run(str(example), "--since", str(drill.ended_at + 300)).exception)


def test_a_quiet_folder_exits_1(tmp_path):
    sent = {"id": "r", "scheduled_at": 1.0, "sent_at": 1.0, "finished_at": 2.0, "outcome": "ok"}
    (tmp_path / "requests.jsonl").write_text(json.dumps(sent) + "\n")
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert "no samples in this time" in result.output
