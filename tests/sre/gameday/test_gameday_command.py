"""The command line of suites: what is asked for is understood or refused, and the exit code says how it went."""

import json

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError
from sre.gameday.suite import Suite
from sre.gameday.suite_drills import SuiteOutcome
from sre.reports.model import Subject
from sre.reports.suite_model import Entry, SuiteReport


@pytest.fixture
def sre(monkeypatch, tmp_path):
    """`sre gameday run ...` with suites that end as told; `asked` are the suite and what it was run with."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def call(*arguments, outcomes=("passed",), interrupted=False):
        entries = tuple(
            Entry(f"{n}.yaml", "t", Subject(f"EXP-00{n}", "replica", "crash", risk="RISK-001"), outcome, ("why",))
            for n, outcome in enumerate(outcomes, 1)
        )
        report = SuiteReport("id", "smoke", 0.0, 61.0, entries, 1, interrupted, ("It rained.",))

        def run(suite, options, **how):
            asked.append((suite, options, how))
            return SuiteOutcome(report, tmp_path / "reports" / "id" / "suite.html")

        monkeypatch.setattr("sre.gameday.suite_drills.run_suite", run)
        monkeypatch.setattr("sre.gameday.suite.suite_of", lambda name, workspace: Suite(name, ()))
        return CliRunner().invoke(app, ["gameday", "run", *arguments])

    call.asked = asked
    return call


def test_nothing_to_run_is_told_with_the_choices(sre):
    result = sre()
    assert isinstance(result.exception, SreError)
    assert "--suite smoke" in str(result.exception)


def test_files_and_a_suite_are_one_too_many(sre):
    assert "not both" in str(sre("a.yaml", "--suite", "smoke").exception)


def test_several_files_are_a_suite_of_their_own(sre):
    assert sre("a.yaml", "b.yaml", "--duration", "20").exit_code == 0
    ((suite, options, how),) = sre.asked
    assert (suite.name, [str(path) for path in suite.experiments]) == ("files", ["a.yaml", "b.yaml"])
    assert options.duration_s == 20
    assert how["runbooks"] is False


@pytest.mark.parametrize(
    ("outcomes", "flags", "code"),
    [
        (("passed", "known"), (), 0),
        (("passed", "known"), ("--strict",), 1),
        (("passed", "deviated"), (), 1),
        (("passed", "error"), (), 7),
    ],
)
def test_the_exit_code_says_how_it_went(sre, outcomes, flags, code):
    result = sre("--suite", "smoke", *flags, outcomes=outcomes)
    assert result.exit_code == code
    assert "EXP-002" in result.stdout
    assert "It rained." in result.stdout


def test_json_is_one_object_with_every_drill(sre):
    said = json.loads(sre("--suite", "smoke", "--json", outcomes=("known", "skipped")).stdout)
    assert [(d["id"], d["outcome"], d["known_weakness"]) for d in said["drills"]] == [
        *(("EXP-001", "known", "RISK-001"), ("EXP-002", "skipped", None)),
    ]
    assert (said["exit_code"], said["platform_starts"], said["notes"]) == (0, 1, ["It rained."])
    assert said["areas"]["replica"] is None


def test_an_interrupted_suite_tells_what_was_done_and_ends_as_ctrl_c_does(sre):
    result = sre("--suite", "smoke", outcomes=("passed", "interrupted", "not run"), interrupted=True)
    assert result.exit_code == 130
    assert "not run" in result.stdout
