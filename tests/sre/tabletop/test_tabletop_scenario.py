"""The shipped data is whole, and a mistake in it is named with its line."""

from __future__ import annotations

import shutil

import pytest

from sre.chaos.experiment import load_drill
from sre.errors import BadDocument
from sre.runbooks.knowledge import shipped_knowledge
from sre.tabletop.known import Known
from sre.tabletop.scenario_reader import DATA, load_scenario, shipped_scenario

from .conftest import ROOT


def broken(tmp_path, file, old, new):
    """The faults after one change of the data."""
    shutil.copytree(DATA, tmp_path / "data")
    path = tmp_path / "data" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadDocument) as error:
        load_scenario(tmp_path / "data")
    return [fault.replace(f"{tmp_path}/data/", "") for fault in error.value.faults]


def test_every_experiment_has_people_who_notice_it():
    scenario = shipped_scenario()
    for path in (ROOT / "experiments").glob("*.yaml"):
        drill = load_drill(path)
        mode = scenario.mode_of(path.stem, drill.runbook, drill.failure_mode)
        assert mode is not scenario.modes["default"], path.stem


def test_an_experiment_of_somebody_else_has_some_too():
    scenario = shipped_scenario()
    assert scenario.mode_of("coffee-machine-down") is scenario.modes["default"]


def test_every_objective_is_asked_for_by_an_inject():
    scenario = shipped_scenario()
    assert {inject.objective for inject in scenario.injects} == {objective.key for objective in scenario.objectives}


def test_ratings_are_those_of_hseep_and_their_source_is_named():
    scenario = shipped_scenario()
    assert [(rating, name) for rating, name, _ in scenario.ratings] == [
        ("P", "performed without challenges"),
        ("S", "performed with some challenges"),
        ("M", "performed with major challenges"),
        ("U", "unable to be performed"),
    ]
    assert "HSEEP" in scenario.rating_source


def test_every_runbook_can_be_asked_what_injects_ask():
    for page in shipped_knowledge().values():
        known = Known(page)
        assert known.first.title
        assert known.sign.see
        assert "@" not in " ".join((known.first.do, known.first.verify, known.over, known.never))
        assert "heal" not in [one.split(",")[0] for one in known.runbook().mitigations]


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("injects.yaml", "channel: pager", "channel: pigeon", "injects.yaml:12: injects[0].channel: is 'pigeon'"),
        (
            "injects.yaml",
            "    rank: 1",
            "    rank: first",
            "injects.yaml:8: injects[0].rank: is 'first': write a number",
        ),
        ("injects.yaml", "objective: notice", "objective: notise", "did you mean `notice`?"),
        ("injects.yaml", "when: [alerted]", "when: [tired]", "injects[0].when[0]: is 'tired'"),
        ("exercise.yaml", "sre-lead:", "boss:", "roles.boss: no such role"),
        ("modes.yaml", "    herring:", "    hering:", "modes.default.hering: unknown key: did you mean `herring`?"),
        ("modes.yaml", "  default:", "  usual:", "`default` is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_mend(tmp_path, file, old, new, says):
    assert any(says in fault for fault in broken(tmp_path, file, old, new))
