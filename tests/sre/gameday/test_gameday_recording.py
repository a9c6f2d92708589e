"""A finished drill in the incident store, and what becomes of one whose platform is gone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sre.gameday.recording import record, resolve_with_platform
from sre.incidents.model import Milestone
from sre.incidents.store import STORE_VARIABLE, open_store
from sre.reports.json_report import load_report
from sre.reports.model import DrillReport
from sre.risks.register import load_register

EXAMPLE = Path(__file__).parents[3] / "reports" / "example"


@pytest.fixture(autouse=True)
def the_store_is_the_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORE_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def drill() -> DrillReport:
    report = load_report(EXAMPLE / "report.json")
    nobody = Milestone("resolved", None, "chaos.jsonl", "nobody worked on this drill")
    marks = (*(mark for mark in report.incident.milestones if mark.name != "resolved"), nobody)
    return replace(report, incident=replace(report.incident, milestones=marks))


def unrecovered(drill: DrillReport) -> DrillReport:
    marks = tuple(
        replace(mark, at=None, reason="it never came back") if mark.name == "recovered" else mark
        for mark in drill.incident.milestones
    )
    return replace(drill, incident=replace(drill.incident, milestones=marks))


def stored(workspace: Path, incident: str):
    with closing(open_store(workspace / "incidents.sqlite")) as store:
        return store.case(incident)


def test_a_drill_that_recovered_is_resolved_at_its_recovery(drill, tmp_path):
    recorded = record(drill, EXAMPLE, workspace=tmp_path, runbook="", gone_at=None)
    assert not recorded.is_unresolved
    assert recorded.anchor is not None
    mark, _ = recorded.case.marks["resolved"]
    assert mark.instant == recorded.case.marks["recovered"][0].instant


def test_one_that_did_not_recover_stays_open_while_its_platform_runs(drill, tmp_path):
    recorded = record(unrecovered(drill), EXAMPLE, workspace=tmp_path, runbook="", gone_at=None)
    assert recorded.is_unresolved
    assert stored(tmp_path, recorded.case.head.id).head.status == "open"


def test_its_platform_takes_it_along_without_claiming_that_it_recovered(drill, tmp_path):
    recorded = record(unrecovered(drill), EXAMPLE, workspace=tmp_path, runbook="", gone_at=None)
    resolve_with_platform(recorded.case.head.id, workspace=tmp_path, at=drill.ended_at + 5)
    case = stored(tmp_path, recorded.case.head.id)
    assert case.head.status == "resolved"
    mark, _ = case.marks["resolved"]
    assert mark.instant is None
    assert "taken down" in mark.reason


def test_a_platform_that_is_down_already_leaves_nothing_open(drill, tmp_path):
    recorded = record(unrecovered(drill), EXAMPLE, workspace=tmp_path, runbook="", gone_at=drill.ended_at + 5)
    assert recorded.case.head.status == "resolved"


def test_what_a_person_closed_is_not_touched_when_the_platform_goes(drill, tmp_path):
    recorded = record(drill, EXAMPLE, workspace=tmp_path, runbook="", gone_at=None)
    before = stored(tmp_path, recorded.case.head.id)
    resolve_with_platform(recorded.case.head.id, workspace=tmp_path, at=drill.ended_at + 5)
    assert stored(tmp_path, recorded.case.head.id) == before


def test_a_store_that_is_none_costs_the_drill_its_place_there_and_nothing_else(drill, tmp_path):
    (tmp_path / "incidents.sqlite").write_text("no database\n")
    recorded = record(drill, EXAMPLE, workspace=tmp_path, runbook="", gone_at=None)
    assert "incidents.sqlite" in recorded.problem
    assert recorded.anchor is None
    assert recorded.case.head.key == drill.id
    assert not recorded.is_unresolved


def test_the_risks_that_the_experiment_tests_are_linked(drill, tmp_path):
    (tmp_path / "risks.yaml").write_text((EXAMPLE.parents[1] / "risks.yaml").read_text())
    recorded = record(drill, EXAMPLE, workspace=tmp_path, runbook="", gone_at=None)
    targets = [link.target for link in recorded.case.links if link.rel == "risk"]
    expected = [f"risks.yaml#{e.id}" for e in load_register(tmp_path) if drill.subject.id in e.experiments]
    assert targets == expected != []
