"""Whether the runbooks of a workspace can be trusted: every way in which they cannot is found, where it is."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.cli.command_tree import refusal_of
from sre.errors import SreError
from sre.reports.model import Subject
from sre.reports.runbook_check import Today, check_pages
from sre.reports.runbook_pages import build_alert_pages, build_page, read_workspace
from sre.slo.openslo import load_slos
from sre.slo.rules import RuleOptions, generate

ROOT = Path(__file__).resolve().parents[3]
SUBJECT = Subject("EXP-001", "replica", "replica-crash", ("replica-crash",), ("availability",))
TODAY = Today(dt.date(2026, 11, 26))


@pytest.fixture
def workspace(tmp_path, drill) -> Path:
    """One experiment, drilled, and one SLO with its rules: the page of the failure and those of both alerts."""
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "replica-crash.yaml", tmp_path / "experiments")
    (tmp_path / "slo").mkdir()
    shutil.copy(ROOT / "slo" / "availability.yaml", tmp_path / "slo")
    for name, text in generate(load_slos(tmp_path / "slo"), RuleOptions()).files.items():
        (tmp_path / "slo" / "generated" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "slo" / "generated" / name).write_text(text)
    report = replace(drill, id="first", verdict="passed", subject=SUBJECT)
    known = read_workspace(tmp_path)
    build_page("replica-crash", known, [report], tmp_path / "runbooks")
    build_alert_pages(known, tmp_path / "runbooks")
    return tmp_path


def _linked(path: Path) -> set[str]:
    return {name for name in re.findall(r"\]\(([^)#/]+\.md)\)", path.read_text()) if not (path.parent / name).exists()}


def check(workspace: Path, today: Today = TODAY, **options):
    """All but links to pages of failures that this small workspace has not."""
    checked = check_pages(workspace, read_workspace(workspace), today=today, verbs=refusal_of, **options)
    return [one for one in checked.findings if "there is no" not in one.what or "beside" not in one.what]


def codes(findings) -> list[str]:
    return [one.code for one in findings]


def test_pages_as_they_were_built_have_no_errors(workspace):
    assert [one for one in check(workspace) if one.severity == "error"] == []


def test_a_page_edited_by_hand_is_stale_at_the_line_that_was_edited(workspace):
    path = workspace / "runbooks" / "replica-crash.md"
    lines = path.read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("One model server died."))
    path.write_text("".join(lines).replace("One model server died.", "Some model server died."))
    (only,) = [one for one in check(workspace) if one.severity == "error"]
    assert (only.code, only.line, only.mend) == ("stale", number, "run `sre runbook build`")
    assert "its words changed" in only.what
    assert "One model server died." in only.what


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("slo/availability.yaml", "target: 0.999", "target: 0.99", {"replica-crash", "AvailabilityErrorBudgetBurn"}),
        ("experiments/replica-crash.yaml", "title: Requests", "title: All requests", {"replica-crash"}),
        ("experiments/replica-crash.yaml", "lease_s:", "signal: kill\n        lease_s:", set()),
    ],
)
def test_a_page_is_stale_when_a_fact_behind_it_changed(workspace, file, old, new, stale):
    path = workspace / file
    assert old in path.read_text()
    if not stale:
        return
    path.write_text(path.read_text().replace(old, new))
    found = {Path(one.file).stem for one in check(workspace) if one.code == "stale" and "a fact behind it" in one.what}
    assert stale <= found


def test_a_green_drill_that_is_too_old_is_a_warning(workspace, drill):
    proven = dt.datetime.fromtimestamp(drill.started_at, dt.UTC).date()
    fresh = check(workspace, Today(proven + dt.timedelta(days=30)), only=["replica-crash"])
    old = check(workspace, Today(proven + dt.timedelta(days=31)), only=["replica-crash"])
    strict = check(workspace, Today(proven + dt.timedelta(days=2), max_age_days=1), only=["replica-crash"])
    assert "unproven" not in codes(fresh)
    assert [one.severity for one in old if one.code == "unproven"] == ["warning"]
    assert "last proven 31 days ago" in next(one.what for one in old if one.code == "unproven")
    assert "last proven 2 days ago" in next(one.what for one in strict if one.code == "unproven")


def test_a_page_without_any_green_drill_is_a_warning(workspace):
    (workspace / "runbooks" / "replica-crash.md").unlink()
    known = read_workspace(workspace)
    build_page("replica-crash", known, [], workspace / "runbooks")
    build_alert_pages(known, workspace / "runbooks")
    found = check(workspace, only=["replica-crash"])
    assert [(one.severity, one.what) for one in found] == [
        ("warning", "not proven: no green drill of EXP-001 has shown what it says")
    ]


def test_an_alert_and_an_experiment_without_a_page_are_found(workspace):
    for name in ("AvailabilityNoData", "replica-crash"):
        (workspace / "runbooks" / f"{name}.md").unlink()
    found = [one.what for one in check(workspace) if one.code == "no-page"]
    assert "an alert has no runbook: it would be AvailabilityNoData" in found
    assert "an experiment has no runbook: it would be replica-crash" in found
    rules = [one for one in check(workspace) if one.file.endswith("prometheus/availability.yaml")]
    assert "alert AvailabilityNoData links to runbooks/AvailabilityNoData.md: no such file" in [r.what for r in rules]
    assert all(rule.line > 300 for rule in rules)


def test_a_page_that_nothing_leads_to_is_found_and_an_index_is_not(workspace):
    (workspace / "runbooks" / "meteor.md").write_text("# Meteor\n")
    (workspace / "runbooks" / "README.md").write_text("# Index\n")
    assert [one.file for one in check(workspace) if one.code == "orphan"] == [str(workspace / "runbooks" / "meteor.md")]


def test_an_experiment_that_carries_out_what_no_page_says_is_found(workspace):
    text = (ROOT / "experiments" / "replica-hang-replace.yaml").read_text()
    wrong = text.replace("mitigation: replace", "mitigation: replce").replace("EXP-036", "EXP-901")
    (workspace / "experiments" / "wrong.yaml").write_text(wrong)
    other = text.replace("page: replica-hang", "page: replica-slow").replace("EXP-036", "EXP-902")
    (workspace / "experiments" / "other.yaml").write_text(other)
    found = {Path(one.file).name: one for one in check(workspace) if one.file.endswith("r.yaml") or "wrong" in one.file}
    assert "has no mitigation 'replce'" in found["wrong.yaml"].what
    assert found["other.yaml"].mend == "write `page: replica-hang`"


def test_drills_that_cannot_be_read_are_a_finding_and_no_traceback(workspace):
    path = workspace / "runbooks" / "replica-crash.md"
    path.write_text(path.read_text().replace('"report_id": "first", ', ""))
    assert "unreadable" in codes(check(workspace, only=["replica-crash"]))


def test_a_name_that_is_no_page_is_refused(workspace):
    with pytest.raises(SreError, match="meteor: no such runbook"):
        check(workspace, only=["meteor"])


def test_every_shipped_page_passes_with_a_fixed_date():
    newest = dt.date(2026, 12, 1)
    checked = check_pages(ROOT, read_workspace(ROOT), today=Today(newest), verbs=refusal_of)
    assert len(checked.pages) == len(list((ROOT / "runbooks").glob("*.md")))
    assert [one.text for one in checked.errors] == []
    assert {one.code for one in checked.findings} <= {"unproven"}
    assert [one.text for one in checked.findings if "days ago" in one.what] == []


def test_the_verb_fails_on_errors_and_with_strict_on_warnings(workspace):
    for name in _linked(workspace / "runbooks" / "AvailabilityNoData.md"):
        (workspace / "runbooks" / name).write_text("# there\n")
    base = ["runbook", "check", "AvailabilityNoData", "--workspace", str(workspace), "--today", "2026-11-26"]
    good = CliRunner().invoke(app, base)
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "1 runbooks: 0 errors, 1 warnings")
    assert CliRunner().invoke(app, [*base, "--strict"]).exit_code == 1
    told = json.loads(CliRunner().invoke(app, [*base, "--json"]).stdout)
    assert (told["ok"], told["errors"], told["warnings"]) == (True, 0, 1)
    assert told["findings"][0]["code"] == "unproven"
    path = workspace / "runbooks" / "AvailabilityNoData.md"
    path.write_text(path.read_text().replace("## Impact", "## Damage"))
    bad = CliRunner().invoke(app, base)
    assert bad.exit_code == 1
    assert f"error: {path}:1: there is no section `## Impact`" in bad.output


def test_a_day_that_is_none_is_refused():
    result = CliRunner().invoke(app, ["runbook", "check", "--today", "yesterday"])
    assert isinstance(result.exception, SreError)
    assert "write it as 2026-11-25" in str(result.exception)
