"""A package on disk: complete, the same for the same inputs, checkable, and careful with other people's files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sre.chaos.experiment import load_drill
from sre.errors import BadDocument, SreError
from sre.reports.manifest import verify
from sre.tabletop.choosing import Wanted
from sre.tabletop.drills import find_drill
from sre.tabletop.package import PACKAGE, files_of, read_package, write_package

from .conftest import EXAMPLE, ROOT, exercise_of, found_in, no_drill, told_by

DOCUMENTS = {
    *(f"players/{name}.{ending}" for name in ("player-manual", "feedback-form") for ending in ("md", "html")),
    *(f"handouts/handouts.{ending}" for ending in ("md", "html")),
    *(
        f"control/{name}.{ending}"
        for name in ("facilitator-handbook", "inject-list", "evaluation-guide", "sign-off-sheet")
        for ending in ("md", "html")
    ),
}


def drill():
    return load_drill(ROOT / "experiments" / "replica-crash.yaml")


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_package_holds_every_document_twice_and_its_manifest_agrees(package):
    assert files(package).keys() >= DOCUMENTS | {PACKAGE, "manifest.json"}
    assert verify(package) == []


def test_the_same_inputs_give_the_same_bytes(package, tmp_path):
    again = exercise_of("replica-crash", find_drill(drill(), ROOT, EXAMPLE))
    write_package(again, tmp_path / "again")
    assert files(tmp_path / "again") == files(package)


def test_what_was_written_is_read_back(exercise, package):
    found, sha256 = read_package(package)
    assert found == exercise
    assert re.fullmatch("[0-9a-f]{64}", sha256)


def test_a_changed_package_is_not_played_unless_that_is_said(exercise, tmp_path):
    write_package(exercise, tmp_path / "p")
    path = tmp_path / "p" / PACKAGE
    path.write_text(path.read_text("utf-8").replace("A replica crash loses", "A replica crash looses"), "utf-8")
    with pytest.raises(BadDocument, match=r"package\.json: changed.*--edited"):
        read_package(tmp_path / "p")
    changed, _ = read_package(tmp_path / "p", edited=True)
    assert changed.title == "A replica crash looses no request"


@pytest.mark.parametrize(("text", "says"), [("{", "not JSON"), ('{"schema": 9}', "schema 9"), ("[]", "schema None")])
def test_what_is_no_package_is_said_in_one_line(text, says, tmp_path):
    (tmp_path / PACKAGE).write_text(text)
    with pytest.raises(BadDocument, match=says):
        read_package(tmp_path, edited=True)


def test_every_missing_field_of_a_package_is_named(package, tmp_path):
    document = json.loads((package / PACKAGE).read_text("utf-8"))
    del document["name"], document["injects"][0]["text"]
    (tmp_path / PACKAGE).write_text(json.dumps(document))
    with pytest.raises(BadDocument) as error:
        read_package(tmp_path, edited=True)
    assert [fault.rpartition("package.json")[2] for fault in error.value.faults] == [
        ".name: missing",
        ".injects[0].text: missing",
    ]


def test_a_folder_with_other_files_is_left_alone(exercise, tmp_path):
    (tmp_path / "thesis.md").write_text("do not touch")
    with pytest.raises(SreError, match="holds files that are no package"):
        write_package(exercise, tmp_path)
    assert files(tmp_path) == {"thesis.md": b"do not touch"}


def test_building_anew_leaves_nothing_of_the_older_package(exercise, tmp_path):
    write_package(exercise, tmp_path / "p")
    write_package(exercise_of("replica-crash", no_drill()), tmp_path / "p")
    assert not list((tmp_path / "p" / "handouts").rglob("*.svg"))
    assert verify(tmp_path / "p") == []


def test_html_needs_no_network_and_no_script(exercise):
    for name, text in files_of(exercise).items():
        if name.endswith(".html"):
            assert "default-src 'none'" in text
            assert "<script" not in text
            assert not re.search(r"(src|href)=\"(?!data:|#)", text), name


def test_handouts_show_the_drills_own_charts_and_readings(exercise):
    text = files_of(exercise)["handouts/handouts.html"]
    assert text.count("<svg") >= 4
    assert "sre_gateway_requests_total{outcome=&#34;ok&#34;}" in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)), "two charts share an id"


def test_without_a_drill_the_package_says_so_and_invents_nothing(tmp_path):
    exercise = exercise_of("zone-loss", no_drill())
    artefacts = [artefact for inject in exercise.injects for artefact in inject.artefacts]
    assert artefacts
    assert all(a.absent.startswith("n/a") and not a.text and not a.svg for a in artefacts)
    assert all(inject.drill_time.startswith("n/a") for inject in exercise.injects)
    assert exercise.figures[0].value.startswith("n/a")
    handbook = files_of(exercise)["control/facilitator-handbook.md"]
    assert "no drill is there" in handbook


def test_the_page_comes_as_it_fired(alerted):
    exercise = exercise_of("replica-slow", found_in(alerted))
    page = exercise.injects[0].artefacts[0].text
    assert page.startswith("[FIRING:1]")
    assert "AvailabilityErrorBudgetBurn" in page
    assert "times too fast" in page


def test_a_page_whose_runbook_names_the_cause_keeps_it_to_itself(alerted):
    told = replace(
        alerted,
        results=tuple(replace(r, slo=replace(r.slo, runbook="runbooks/replica-crash.md")) for r in alerted.results),
    )
    here = exercise_of("replica-crash", found_in(told)).injects[0].artefacts[0].text
    zone = load_drill(ROOT / "experiments" / "zone-loss.yaml")
    elsewhere = exercise_of("zone-loss", found_in(told_by(told, zone))).injects[0].artefacts[0].text
    assert "runbook_url:  withheld by exercise control" in here
    assert "runbook_url:  runbooks/replica-crash.md" in elsewhere


@pytest.mark.parametrize("minutes", [30, 45, 60, 90, 240])
def test_a_session_has_eight_to_fourteen_injects_and_each_its_time(minutes):
    exercise = exercise_of("replica-crash", no_drill(), wanted=Wanted(minutes))
    assert 8 <= len(exercise.injects) <= 14
    times = [inject.at_min for inject in exercise.injects]
    assert times == sorted(set(times))
    assert times[0] == 0
    assert sum(inject.minutes for inject in exercise.injects) == exercise.play_min
    assert exercise.briefing_min + exercise.play_min + exercise.hot_wash_min == minutes


def test_every_role_is_asked_something_in_an_hour(exercise):
    assert {inject.receiver for inject in exercise.injects} == {role.id for role in exercise.roles}


def test_without_finance_nobody_is_asked_for_money():
    exercise = exercise_of("replica-crash", no_drill(), wanted=Wanted(60, ("sre-lead", "on-call", "communications")))
    assert len(exercise.injects) >= 8
    assert {inject.receiver for inject in exercise.injects} == {"sre-lead", "on-call", "communications"}
    assert "Decide about money" not in {objective.title for objective in exercise.objectives}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted(20), "20 minutes cannot be played"),
        (Wanted(60, ("on-call", "finance")), "add sre-lead"),
    ],
)
def test_what_cannot_be_played_is_refused(wanted, says):
    with pytest.raises(SreError, match=says):
        exercise_of("replica-crash", no_drill(), wanted=wanted)


def test_a_report_of_another_experiment_is_refused():
    other = load_drill(ROOT / "experiments" / "zone-loss.yaml")
    with pytest.raises(BadDocument, match="is a drill of EXP-001, not of EXP-026"):
        find_drill(other, ROOT, EXAMPLE)


def test_a_changed_report_is_refused(tmp_path):
    for path in EXAMPLE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "report.md").write_text("all was well")
    with pytest.raises(BadDocument, match=r"is not as its manifest says \(report\.md: changed"):
        find_drill(drill(), ROOT, tmp_path)


def test_the_newest_report_of_the_experiment_is_taken():
    assert find_drill(drill(), ROOT, None).recording is not None
    assert find_drill(load_drill(ROOT / "experiments" / "dns-failure.yaml"), Path("nowhere"), None).recording is None
