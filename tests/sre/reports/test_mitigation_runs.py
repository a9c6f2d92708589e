"""From Chaos Toolkit's journal to what a runbook says of a mitigation."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sre.errors import BadDocument
from sre.incidents.codec import encode
from sre.reports.facts import zero
from sre.reports.mitigation_runs import mitigation_checks, mitigation_facts, mitigations_in
from sre.reports.runbook_facts import drill_fact
from sre.reports.runbook_pages import page_text, recorded_drills
from sre.runbooks.model import ExperimentFact, RunbookFacts
from sre.runbooks.proving import Carried, mitigation_of
from sre.runbooks.render import render_runbook

REPLACE = mitigation_of("replica-hang", "replace")
DONE = Carried(
    page="replica-hang",
    mitigation="replace",
    title=REPLACE.title,
    command=REPLACE.run,
    check=REPLACE.check,
    values=(("REPLICA", "llm-1"),),
    began_at=110.0,
    ended_at=118.0,
    exit_code=0,
    verified_at=120.5,
    why="",
    output="llm-1 serving",
)
FAILED = replace(DONE, verified_at=None, why="its verification did not hold in time: llm-1 starting")
CALL = {"provider": {"type": "python", "module": "sre.runbooks.actions", "func": "run_mitigation"}}
OTHER = {"provider": {"type": "python", "module": "sre.chaos.actions", "func": "hang_replica"}}


def journal(*outputs) -> dict:
    runs = [{"activity": OTHER, "output": {"fault_id": "x"}}]
    return {"status": "completed", "run": [*runs, *({"activity": CALL, "output": output} for output in outputs)]}


def test_what_was_carried_out_is_read_and_nothing_else():
    assert mitigations_in(journal(encode(DONE))) == (DONE,)
    assert mitigations_in(journal(None)) == ()
    assert mitigations_in(None) == ()
    assert mitigations_in({"status": "completed"}) == ()


def test_an_output_that_is_none_names_its_place():
    with pytest.raises(BadDocument, match=r"journal\.json#/run/1/output\.page: missing"):
        mitigations_in(journal({key: value for key, value in encode(DONE).items() if key != "page"}))


def test_a_mitigation_that_does_not_help_decides_against_the_drill():
    good, bad = mitigation_checks((DONE, FAILED))
    assert (good.ok, good.deciding, good.key, good.observed) == (
        True,
        True,
        "mitigation",
        "verified 10.5 s after it began",
    )
    assert (bad.ok, bad.observed) == (False, FAILED.why)


def test_times_are_told_from_the_begin_of_the_fault(drill):
    begin = zero(drill)
    late = replace(DONE, began_at=begin + 8.0, ended_at=begin + 16.0, verified_at=begin + 18.5)
    (fact,) = mitigation_facts(replace(drill, mitigations=(late,)), begin)
    assert (fact.begun_after_s, fact.took_s, fact.verified_after_s) == (8.0, 8.0, 10.5)
    assert fact.is_verified


def page(report, **changes) -> str:
    """The page of replica-hang, resting on one drill."""
    fact = replace(drill_fact(report, experiment="EXP-036"), **changes)
    experiment = ExperimentFact("EXP-036", "replica-hang-replace.yaml", "It is replaced", "", "", "", ())
    return render_runbook(RunbookFacts("replica-hang", (experiment,), (), (fact,)))


@pytest.fixture
def played(drill):
    begin = zero(drill)
    done = replace(DONE, began_at=begin + 8.0, ended_at=begin + 16.0, verified_at=begin + 18.5)
    return replace(drill, verdict="passed", mitigations=(done,))


def proven(text: str) -> dict[str, str]:
    parts = re.split(r"^### ([A-Z])\. ", text, flags=re.MULTILINE)[1:]
    return {
        letter: re.search(r"- \*\*Proven\*\*: (.*)", part).group(1)
        for letter, part in zip(parts[::2], parts[1::2], strict=True)
    }


def test_a_page_says_by_which_drill_a_mitigation_is_proven_and_after_how_long(played):
    said = proven(page(played))
    assert re.fullmatch(
        r"yes, by EXP-036 on \d{4}-\d\d-\d\d: these commands were run, verified after 10\.5 s\.", said["C"]
    )
    assert said["D"] == "no: no drill has carried it out."
    assert (
        "| mitigation carried out | *replace* of this page, 8 s after the fault began: verified 10.5 s later |"
        in page(played)
    )


def test_a_drill_that_carried_something_out_does_not_prove_that_waiting_helps(played):
    said = proven(page(played))
    assert said["A"].startswith("no")
    assert said["B"].startswith("no")


def test_a_mitigation_that_did_not_help_is_called_so(played):
    failed = replace(played, mitigations=(replace(played.mitigations[0], verified_at=None, why=FAILED.why),))
    assert "**no**: EXP-036 tried it on" in proven(page(failed))["C"]
    assert "llm-1 starting" in proven(page(failed))["C"]


def test_a_drill_that_deviated_proves_nothing(played):
    assert "the drill deviated" in proven(page(replace(played, verdict="deviated")))["C"]


def test_commands_that_have_changed_since_are_not_proven(played):
    other = replace(played.mitigations[0], command="sre drain llm-1")
    assert "its commands were others then" in proven(page(replace(played, mitigations=(other,))))["C"]


def test_the_page_carries_what_was_measured_so_that_it_can_be_rendered_again(played):
    fact = drill_fact(played, experiment="EXP-036")
    text = page_text(RunbookFacts("replica-hang", (), (), (fact,)))
    assert recorded_drills(text, "x") == (fact,)
