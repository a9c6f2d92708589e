"""What the report says, and that nothing is said without a source."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from sre.incidents.events import ItemSet, MilestoneMark
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.json_file import post_incident_from_json, post_incident_json
from sre.reports.postincident.lint.sentences import sentences
from sre.reports.postincident.model import Figure, PostIncidentReport, Source, Sourced
from sre.reports.postincident.sources import sources_of, statements_of
from sre.reports.rebuild import without_store


@pytest.fixture(scope="session")
def told(drill, drill_case, ranking, cost_sum):
    return post_incident(drill_case, drill=drill, causes=ranking, costs=(cost_sum,))


@pytest.fixture(scope="session")
def alerted(alert_case):
    return post_incident(alert_case)


def test_a_figure_without_a_source_cannot_be_made():
    with pytest.raises(ValueError, match="no source"):
        Sourced("4", ())
    with pytest.raises(ValueError, match="no source"):
        Sourced("4", (Source(""),))


def test_an_na_without_a_reason_cannot_be_made():
    with pytest.raises(ValueError, match="no reason"):
        Sourced("n/a", (Source("cost.json"),))


def test_every_number_of_the_report_is_sourced(told, alerted):
    """By type: a field that holds text with a figure is a `Sourced`, or is one of those named here."""
    labels = {"label", "note", "title", "name", "subject", "signature", "formula", "caveat", "spread", "basis"}
    words = labels | {"clock", "since", "doubt", "kind", "id", "subtitle", "due", "when", "document", "anchor"}
    rest = {"zero_name", "decision", "target", "owner", "status", "rel", "role", "origin", "currency", "reason"}
    for report in (told, alerted):
        for owner, field, value in _texts(report):
            assert owner in ("Sourced", "Source") or field in words | rest, f"{owner}.{field} = {value!r} has no source"


def _texts(value):
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            if isinstance(inner, str) and re.search(r"\d", inner):
                yield type(value).__name__, field.name, inner
            elif not isinstance(inner, str) and field.name not in ("limits", "notes"):
                yield from _texts(inner)
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)


def test_impact_and_head_hold_figures_only(told):
    assert all(isinstance(figure, Figure) and figure.value.sources for figure in (*told.figures, *told.impact))


@pytest.mark.parametrize("which", ["told", "alerted"])
def test_the_summary_is_three_sentences(which, request):
    summary = request.getfixturevalue(which).summary
    assert len(sentences(" ".join(one.text for one in summary))) == 3


def test_a_title_with_full_stops_does_not_make_a_fourth_sentence(alert_drafts, make_draft):
    first = alert_drafts[0]
    odd = dataclasses.replace(
        first, payload=dataclasses.replace(first.payload, title="It broke. Again! Why? Nobody knows.")
    )
    summary = post_incident(without_store((odd, *alert_drafts[1:]), "INC-0008")).summary
    assert len(sentences(" ".join(one.text for one in summary))) == 3


def test_impact_counts_what_the_records_say(drill, told):
    figures = {figure.label: figure.value.text for figure in told.impact}
    failed = sum(point.outcome != "ok" for point in drill.requests)
    assert figures["requests sent"] == "420"
    assert figures["requests failed"] == str(failed)
    assert figures["tokens lost"] == f"{drill.incident.impact.tokens_in_failed:,}"
    assert figures["cost"] == "$0.13"


def test_a_cost_says_how_much_of_it_was_measured(told):
    assert "$0.0053 of it measured, the rest assumed" in told.summary[2].text
    (table,) = told.costs
    assert [row.basis for row in table.rows] == ["measured", "assumed", "assumed"]
    assert table.rows[2].amount.text == "n/a"
    assert "SLA credits" in table.notes[-1]


def test_what_is_unknown_is_an_open_question_with_its_reason(told, alerted):
    asked = " ".join(question.text for question in told.questions)
    assert "Cost, SLA credits: n/a, the month is not over" in asked
    assert "Causes: no samples of GPUs" in asked
    assert "requests: n/a, nobody counted them" in " ".join(q.text for q in alerted.questions)


def test_the_known_truth_of_a_drill_stands_beside_the_ranking_and_is_said_to(told, drill):
    assert told.causes.trigger.text.startswith("Known, because this was a drill: replica-crash was injected into llm-1")
    assert [row.is_true for row in told.causes.candidates] == [True]
    assert "does not prove" in told.causes.caveat


def test_an_alert_without_a_named_cause_says_so_and_proposes_to_find_it(alerted):
    assert alerted.causes.trigger.text == "n/a"
    assert alerted.causes.trigger.reason == "nobody has named what began it"
    assert [row.status for row in alerted.actions] == ["open", "proposed, no owner yet"]


def test_actions_of_people_keep_owner_and_due_date(alerted):
    taken = alerted.actions[0]
    assert (taken.id, taken.owner, taken.due, taken.is_proposed) == ("A1", "ada", "2026-10-01", False)


def test_a_failed_check_proposes_an_action_once(factory, drill):
    checks = (dataclasses.replace(drill.checks[1], ok=False, key="recovery", observed="after 45 s"),)
    failing = dataclasses.replace(drill, checks=checks, verdict="deviated")
    case = without_store(_opened(failing), "INC-0002")
    (proposed,) = post_incident(case, drill=failing).actions
    assert proposed.is_proposed
    assert "observed after 45 s" in proposed.title.text
    item = ItemSet("A1", proposed.title.text, "bob", None, "2026-12-01", "open")
    taken = without_store((*_opened(failing), _said(item)), "INC-0002")
    assert [row.id for row in post_incident(taken, drill=failing).actions] == ["A1"]


def _opened(drill):
    from sre.incidents.events import Draft, Opened

    return (Draft(drill.started_at, Opened(drill.title, "drill", "SEV2"), "", "report.json", "sre gameday"),)


def _said(payload):
    from sre.incidents.events import Draft

    return Draft(1_790_000_500.0, payload, "", "", "ada")


def test_lessons_are_facts_and_peoples_notes_follow(drill, drill_case, alerted):
    kept, lost = (dataclasses.replace(drill.checks[1], key="recovery", ok=ok) for ok in (True, False))
    for check, place in ((kept, "worked"), (lost, "failed")):
        found = getattr(post_incident(drill_case, drill=dataclasses.replace(drill, checks=(check,))).lessons, place)
        assert "Recovery: expected ready again within 20 s, observed 6.40 s." in [one.text for one in found]
    assert any("step 'drain' worked" in one.text for one in alerted.lessons.worked)
    assert alerted.lessons.notes[0].text == "ada: the graph of llm-1 looked flat"


def test_a_mark_that_a_person_corrected_wins_over_the_drills(drill, drill_case):
    at = drill.started_at + 31
    events = [_as_draft(e) for e in drill_case.events]
    corrected = without_store((*events, _said(MilestoneMark("detected", at, 0.0))), "INC-0001")
    rows = {row.name: row for row in post_incident(corrected, drill=drill).milestones}
    assert rows["detected"].at == at
    assert rows["detected"].when.sources[0].where.startswith("INC-0001#")
    assert not rows["recovered"].when.sources[0].where.startswith("INC-0001#")


def _as_draft(event):
    from sre.incidents.events import Draft

    return Draft(event.at, event.payload, event.text, event.source, event.actor)


def test_what_the_drill_wrote_into_the_store_is_not_told_twice(told, drill):
    assert len(told.timeline) == len(drill.incident.timeline)


def test_rows_that_reach_a_milestone_say_so(told):
    reached = {name for row in told.timeline for name in row.milestones}
    assert {"fault injected", "detected", "recovered"} <= reached


def test_roles_that_have_not_signed_are_open(alerted):
    assert [(row.title, row.shown) for row in alerted.approvals] == [
        ("SRE lead", "open"),
        ("Security/GRC", "open"),
        ("Finance", "open"),
        ("SRE lead", "approved another document"),
    ]


def test_links_of_the_store_lead_out_of_the_report_folder(alerted):
    assert [(one.rel, one.target) for one in alerted.related] == [("runbook", "../../runbooks/AvailabilityBurns.md")]


def test_json_gives_back_the_same_report(told, alerted):
    for report in (told, alerted):
        assert post_incident_from_json(post_incident_json(report)) == report


def test_a_json_whose_figure_lost_its_source_is_refused_in_one_line(told):
    document = json.loads(post_incident_json(told))
    document["impact"][0]["value"]["sources"] = []
    with pytest.raises(Exception, match="no source") as caught:
        post_incident_from_json(json.dumps(document))
    assert type(caught.value).__name__ == "BadDocument"


def test_no_source_is_lost_on_the_way_to_the_appendix(told):
    named = {source.where for one in statements_of(told) for source in one.sources}
    assert named <= {source.where for source in sources_of(told)}


def test_the_report_is_one_type_that_holds_no_dict():
    assert not any("Mapping" in str(field.type) for field in dataclasses.fields(PostIncidentReport))


def test_it_is_blameless(told, alerted):
    from sre.reports.postincident.lint.blame import blame
    from sre.reports.postincident.lint.model import Line

    lines = [Line("", one.text) for report in (told, alerted) for one in statements_of(report)]
    assert list(blame(lines)) == []
