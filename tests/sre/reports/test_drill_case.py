"""A drill as an incident of the store."""

import hashlib
from dataclasses import replace

import pytest

from sre.errors import SreError
from sre.incidents.events import Linked, Measured, MilestoneMark, Observed, Opened, StatusSet
from sre.incidents.milestones import NAMES
from sre.incidents.store import open_store
from sre.reports.drill_case import drafts_of, record_drill


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "reports" / "20260901T000000Z-replica-crash"
    made.mkdir(parents=True)
    (made / "report.json").write_text("{}")
    return made


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "incidents.sqlite", clock=lambda: 1_800_000_000.0)
    yield opened
    opened.close()


def told(drill, folder, kind, **options):
    return [draft for draft in drafts_of(drill, folder, **options) if isinstance(draft.payload, kind)]


def without(drill, milestone):
    marks = tuple(
        replace(m, at=None, reason="it did not come back") if m.name == milestone else m
        for m in drill.incident.milestones
    )
    return replace(drill, incident=replace(drill.incident, milestones=marks))


def test_it_opens_under_the_id_of_its_report(drill, folder):
    first, *_ = drafts_of(drill, folder)
    assert isinstance(first.payload, Opened)
    assert (first.payload.key, first.payload.origin, first.at) == (drill.id, "drill", drill.faults[0].begin)


def test_recording_a_report_twice_adds_nothing_even_when_it_was_closed(store, drill, folder):
    case = record_drill(store, drill, folder)
    store.append(case.head.id, [replace(drafts_of(drill, folder)[0], payload=StatusSet("closed"))])
    again = record_drill(store, drill, folder)
    assert (again.head.id, len(again.events)) == (case.head.id, len(case.events) + 1)
    assert len(store.heads()) == 1


def test_every_row_of_the_timeline_is_kept_with_where_it_can_be_looked_at(drill, folder):
    rows = told(drill, folder, Observed)
    assert [(row.at, row.text, row.source) for row in rows] == [
        (row.at, row.text, row.source) for row in drill.incident.timeline
    ]
    assert all(row.payload.evidence for row in rows)


def test_every_milestone_is_an_instant_with_its_uncertainty_or_na_with_the_reason(drill, folder):
    marks = [draft.payload for draft in told(drill, folder, MilestoneMark)]
    assert [mark.name for mark in marks] == list(NAMES)
    assert all((mark.instant is None) == bool(mark.reason) for mark in marks)


def test_each_alert_is_told_firing_and_resolved(store, drill, folder):
    case = record_drill(store, drill, folder)
    expected = sum(1 + (alert.reset_at is not None) for r in drill.primary_results() for alert in r.alerts)
    assert len(case.alerts) == expected > 0
    assert all(alert.runbook == f"runbooks/{alert.name}.md" for alert in case.alerts)


def test_a_figure_that_nobody_could_tell_is_na_with_the_reason_and_never_0(drill, folder):
    poor = replace(drill, cost=replace(drill.cost, incident_total=None, notes=("no price is in force",)))
    (measured,) = told(poor, folder, Measured)
    assert measured.payload.figures["cost_usd"] == ""
    assert measured.payload.reasons["cost_usd"] == "no price is in force"
    assert measured.payload.figures["requests_failed"] == str(drill.incident.impact.failed)


def test_a_drill_that_recovered_is_resolved_and_not_closed(store, drill, folder):
    assert record_drill(store, drill, folder).head.status == "resolved"


def test_a_drill_that_did_not_recover_stays_open(store, drill, folder):
    assert record_drill(store, without(drill, "recovered"), folder).head.status == "open"


def test_a_drill_that_injected_nothing_left_nothing_to_resolve(store, drill, folder):
    void = replace(without(drill, "recovered"), faults=())
    case = record_drill(store, void, folder)
    assert (case.head.status, case.head.opened_at) == ("resolved", drill.started_at)


def test_the_report_is_linked_with_the_hash_of_its_record_and_without_the_path_of_the_machine(drill, folder):
    links = {draft.payload.rel: draft.payload for draft in told(drill, folder, Linked, runbook="runbooks/a.md")}
    assert links["report"].target == f"reports/{folder.name}"
    assert links["report"].sha256 == hashlib.sha256(b"{}").hexdigest()
    assert links["runbook"].target == "runbooks/a.md"


def test_a_severity_that_is_none_is_refused(drill, folder):
    with pytest.raises(SreError, match="severity 'worst' is none of SEV1"):
        drafts_of(replace(drill, incident=replace(drill.incident, severity="worst")), folder)
