"""`sre rehearse`: a prediction on the platform's own code, a drill beside it, and what is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The flagship drill, short and with little traffic, and the example's report as a drill of it."""
    root = tmp_path_factory.mktemp("rehearsal")
    shutil.copytree(ROOT / "slo", root / "slo")
    (root / "experiments").mkdir()
    text = (ROOT / "experiments" / "replica-crash.yaml").read_text()
    for old, new in (
        ("rate_rps: 6.0 ", "rate_rps: 1.5 "),
        ("duration_s: 65 ", "duration_s: 32 "),
        ("warmup_s: 12 ", "warmup_s: 10.5 "),
        ("before: 8 ", "before: 1 "),
        ("after: 25 ", "after: 12 "),
    ):
        assert old in text
        text = text.replace(old, new)
    (root / "experiments" / "replica-crash.yaml").write_text(text)
    shutil.copy(ROOT / "experiments" / "cpu-pressure.yaml", root / "experiments")
    return root


def run(workspace, *arguments):
    return CliRunner().invoke(app, ["rehearse", *map(str, arguments), "--workspace", str(workspace)])


@pytest.fixture(scope="module")
def crash(workspace):
    return run(workspace, workspace / "experiments" / "replica-crash.yaml", "--json", "--out", workspace / "out")


def test_a_crash_is_predicted_to_lose_no_request(crash):
    assert crash.exit_code == 0, crash.output
    found = json.loads(crash.stdout)
    figures = {one["key"]: one["value"] for one in found["seeds"][0]["figures"]}
    assert found["simulated"]
    assert found["met"]
    assert figures["failed"] == 0
    assert figures["replicas"] == 1
    assert 1.0 < figures["time_to_recover"] < 6.0
    assert figures["burn.availability"] == 0
    assert {one["n"] for one in found["assumptions"]} == {0}  # no drill in this workspace to learn from


def test_a_rehearsal_says_what_it_is_and_leaves_no_drill(crash, workspace):
    html = (workspace / "out" / "rehearsal.html").read_text()
    assert "predicted, not measured" in html
    assert "Nothing real is touched" in html
    assert not (workspace / "reports").exists()
    assert not (workspace / ".sre").exists()
    assert not list(workspace.glob("incidents*"))
    assert not (workspace / "runbooks").exists()
    report = json.loads(crash.stdout)["report"]
    assert report["platform"]["driver"] == "rehearsal"
    assert report["title"].startswith("Rehearsal: ")


@pytest.fixture(scope="module")
def library(crash, workspace):
    """The same drill again, one that promises too much, and one that cannot be rehearsed."""
    path = workspace / "experiments" / "hasty.yaml"
    text = (workspace / "experiments" / "replica-crash.yaml").read_text()
    path.write_text(text.replace("recovered_within_s: 30", "recovered_within_s: 1").replace("EXP-001", "EXP-901"))
    result = run(workspace, "--all", "--jobs", "1", "--json")
    path.unlink()
    return result.exit_code, {one["experiment"]: one for one in json.loads(result.stdout)["experiments"]}


def test_the_same_rehearsal_has_the_same_figures_to_the_last_digit(crash, library):
    _, found = library
    once = json.loads(crash.stdout)["seeds"][0]
    assert found["replica-crash.yaml"]["figures"] == once["figures"]
    assert found["replica-crash.yaml"]["checks"] == once["checks"]


def test_a_promise_that_would_not_be_kept_is_exit_1(library):
    exit_code, found = library
    assert exit_code == 1
    assert found["hasty.yaml"]["verdict"] == "deviated"
    assert found["hasty.yaml"]["reasons"][0].startswith("target recovers: expected within 1 s")


def test_the_library_names_what_is_not_rehearsed(library):
    _, found = library
    assert found["replica-crash.yaml"]["verdict"] == "passed"
    assert "not rehearsed" in found["cpu-pressure.yaml"]["why_not"]


def test_what_is_rehearsed_is_listed_without_rehearsing_it(workspace):
    result = run(workspace, "--list", "--json")
    found = {one["experiment"]: one for one in json.loads(result.stdout)["experiments"]}
    assert found["replica-crash.yaml"]["faults"][0]["fidelity"] == "exact"
    assert "play the drill" in found["cpu-pressure.yaml"]["refusals"][0]
    assert "exact" in run(workspace, "--list").output


def test_what_cannot_be_rehearsed_is_refused_before_anything_is_played(workspace):
    result = run(workspace, workspace / "experiments" / "cpu-pressure.yaml")
    assert isinstance(result.exception, SreError)
    assert result.exception.exit_code == 2
    assert "play the drill" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to rehearse"),
        (("experiments/replica-crash.yaml", "--all"), "not both"),
        (("--all", "--compare", "reports/x"), "leave --all"),
        (("--compare", "reports/nobody"), "cannot be read"),
        (("experiments/nothing.yaml",), "cannot be read"),
        (("experiments/replica-crash.yaml", "--as-planned"), "give --compare"),
        (("experiments/replica-crash.yaml", "--reports", "nowhere"), "no such folder"),
        (("--compare", "reports/x", "--rate", "9"), "the drill's own load"),
        (("--compare", "reports/x", "--seed", "0"), "the drill's own load"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(workspace, arguments, said):
    result = run(workspace, *arguments)
    assert isinstance(result.exception, SreError), result.output
    assert result.exception.exit_code == 2
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_drill_of_another_experiment_is_refused(workspace):
    result = run(workspace, workspace / "experiments" / "cpu-pressure.yaml", "--compare", ROOT / "reports" / "example")
    assert isinstance(result.exception, SreError)
    assert "is a drill of replica-crash.yaml" in str(result.exception)


def test_a_drill_that_went_as_rehearsed_is_within_tolerance_everywhere(crash, workspace, tmp_path):
    document = json.loads(crash.stdout)["report"]
    document["platform"]["driver"] = "local"
    drill = tmp_path / "drill"
    drill.mkdir()
    (drill / "report.json").write_text(json.dumps({"schema": 1, **document}))
    result = run(workspace, "--compare", drill, "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    known = [one for one in found["figures"] if one["key"] not in ("moved", "recomputed")]  # of samples, which it lacks
    assert found["as_planned"]
    assert [one["key"] for one in known if not one["within"]] == []
    assert "Predicted over measured" in (tmp_path / "out" / "rehearsal.html").read_text()
