"""Pages of a workspace: what they rest on, what replaces what, and that those of this repository are as built."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import BadDocument
from sre.reports.model import Subject
from sre.reports.runbook_pages import build_page, page_facts, page_text, read_workspace, recorded_drills
from sre.reports.write import write_report
from sre.runbooks.render import evidence_hash, evidence_in

ROOT = Path(__file__).resolve().parents[3]
SUBJECT = Subject("EXP-001", "replica", "replica-crash", ("replica-crash",), ("availability",))


@pytest.fixture(scope="module")
def here():
    return read_workspace(ROOT)


@pytest.fixture
def workspace(tmp_path) -> Path:
    (tmp_path / "experiments").mkdir()
    for name in ("replica-crash", "dns-failure"):
        shutil.copy(ROOT / "experiments" / f"{name}.yaml", tmp_path / "experiments")
    shutil.copytree(ROOT / "slo", tmp_path / "slo", ignore=shutil.ignore_patterns("generated", "triton", "vllm"))
    return tmp_path


@pytest.fixture
def passed(drill):
    return replace(drill, id="first", verdict="passed", subject=SUBJECT)


def later(report, **changes):
    return replace(report, started_at=report.started_at + 100.0, **changes)


def build(workspace: Path, *reports, page="replica-crash"):
    return build_page(page, read_workspace(workspace), reports, workspace / "runbooks")


def test_a_passed_drill_makes_a_proven_page(workspace, passed):
    built = build(workspace, passed)
    assert (built.done, built.is_proven, built.drills) == ("written", True, ("first",))
    assert "Shown by drill: EXP-001" in built.path.read_text()


def test_built_again_from_what_it_holds_it_is_the_same(workspace, passed):
    before = build(workspace, passed).path.read_bytes()
    again = build(workspace)
    assert (again.done, again.drills) == ("unchanged", ("first",))
    assert again.path.read_bytes() == before


def test_a_newer_passed_drill_replaces_an_older_one_whatever_comes_first(workspace, passed):
    newer = later(passed, id="second")
    assert build(workspace, newer, passed).drills == ("second",)
    assert build(workspace, passed).drills == ("second",)


def test_a_doubtful_drill_never_replaces_a_proven_one(workspace, passed):
    before = build(workspace, passed).path.read_bytes()
    built = build(workspace, later(passed, id="second", verdict="deviated"))
    assert built.kept == ("second is deviated: first stays",)
    assert built.path.read_bytes() == before


def test_where_nothing_is_proven_a_doubtful_drill_is_better_than_none_and_says_so(workspace, passed):
    built = build(workspace, replace(passed, verdict="deviated", verdict_reasons=("requests survive: 6 failed",)))
    assert (built.is_proven, built.drills) == (False, ("first",))
    assert "**EXP-001 did not pass** (first): requests survive: 6 failed" in built.path.read_text()
    assert build(workspace, replace(passed, id="older", started_at=0.0)).drills == ("older",)


def test_a_drill_that_tested_nothing_changes_nothing(workspace, passed):
    assert build(workspace, replace(passed, verdict="void")).drills == ()


def test_an_older_report_is_known_by_its_experiments_file(workspace, passed):
    assert build(workspace, replace(passed, subject=None, experiment="replica-crash.yaml")).drills == ("first",)


def test_an_experiment_nobody_has_drilled_has_a_page_all_the_same(workspace):
    built = build(workspace, page="dns-failure")
    assert not built.is_proven
    assert "**Not proven by a drill yet.**" in built.path.read_text()


def test_drills_that_cannot_be_read_are_not_lost_in_silence(workspace, passed):
    path = build(workspace, passed).path
    path.write_text(path.read_text().replace('"report_id": "first", ', ""))
    with pytest.raises(BadDocument, match="report_id: missing"):
        build(workspace)
    path.write_text(path.read_text().replace("[\n{", "[{{"))
    with pytest.raises(BadDocument, match=r"are not JSON.*restore it from the history"):
        build(workspace)


def test_a_broken_experiment_stops_the_verb_and_not_the_end_of_another_drill(workspace):
    (workspace / "experiments" / "broken.yaml").write_text("title: [\n")
    with pytest.raises(BadDocument, match=r"broken\.yaml"):
        read_workspace(workspace)
    assert len(read_workspace(workspace, tolerant=True).drills) == 2


def test_the_record_cannot_end_its_comment(workspace, passed):
    text = build(workspace, replace(passed, platform=replace(passed.platform, replicas=("--> x",)))).path.read_text()
    assert text.count("-->") == 1
    assert recorded_drills(text, "x")[0].replicas == ("--> x",)


def test_the_verb_builds_from_reports_and_from_experiments(workspace, passed):
    write_report(passed, workspace / "reports" / "first")
    dns = workspace / "experiments" / "dns-failure.yaml"
    arguments = [
        "runbook",
        "build",
        str(workspace / "reports"),
        "--experiment",
        str(dns),
        "--workspace",
        str(workspace),
    ]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    pages = json.loads(result.stdout)["pages"]
    assert [(page["page"], page["done"], page["proven"]) for page in pages if page["kind"] == "failure"] == [
        ("dns-failure", "written", False),
        ("replica-crash", "written", True),
    ]
    again = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert re.search(r"unchanged .*dns-failure.md: not proven by a drill yet", again)
    assert re.search(r"unchanged .*replica-crash.md: proven", again)


def test_the_verb_without_reports_builds_every_page_of_the_workspace_elsewhere_too(workspace, tmp_path):
    out = tmp_path / "elsewhere"
    CliRunner().invoke(
        app, ["runbook", "build", "--workspace", str(workspace), "--out", str(out)], catch_exceptions=False
    )
    names = {path.name for path in out.iterdir()}
    assert {name for name in names if name[0].islower()} == {"dns-failure.md", "replica-crash.md"}
    assert {"TtftErrorBudgetBurn.md", "TtftNoData.md"} < names


def test_a_report_of_a_stranger_is_refused_with_the_mend(workspace, passed):
    strange = replace(passed, subject=replace(SUBJECT, id="EXP-999"))
    write_report(strange, workspace / "reports" / "first")
    result = CliRunner().invoke(app, ["runbook", "build", str(workspace / "reports"), "--workspace", str(workspace)])
    assert isinstance(result.exception, BadDocument)
    assert "is not in experiments/: give --workspace" in str(result.exception)


def test_every_experiment_and_every_alert_has_its_page_and_every_page_one_of_them(here):
    alerts = {alert.name for alert in here.alerts}
    assert {path.stem for path in (ROOT / "runbooks").glob("*.md")} == set(here.pages) | alerts


def test_the_pages_of_this_repository_are_as_built(here):
    for page in here.pages:
        text = (ROOT / "runbooks" / f"{page}.md").read_text()
        facts = page_facts(page, here, recorded_drills(text, page))
        assert evidence_in(text) == evidence_hash(facts), f"{page}: run `make docs`"
        assert text == page_text(facts), f"{page}: run `make docs`"


def test_the_pages_of_this_repository_name_no_place_of_another_machine_and_link_to_what_is_there(here):
    for page in here.pages:
        text = (ROOT / "runbooks" / f"{page}.md").read_text()
        assert not re.search(r"/(?:tmp|home|root|work)/|127\.0\.0\.1:(?!8400)", text), page
        for link in re.findall(r"\]\(([^)]+\.md)\)", text):
            assert (ROOT / "runbooks" / link).is_file(), f"{page}: {link}"
        for experiment in re.findall(r"(?:gameday|chaos) run (experiments/\S+)`", text):
            assert (ROOT / experiment).is_file(), f"{page}: {experiment}"
