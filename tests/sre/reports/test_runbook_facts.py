"""The runbook quotes the report's numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sre.chaos.experiment import load_drill
from sre.reports.runbook_facts import drill_fact, experiment_fact, without_places

ROOT = Path(__file__).resolve().parents[3]


def test_measures_and_impact_are_the_incidents(drill):
    fact = drill_fact(drill, experiment="EXP-001")
    incident = drill.incident
    assert fact.measure("time to recover").seconds == incident.duration("time_to_recover").seconds
    assert fact.impact.failed == incident.impact.failed == 6
    assert fact.target == "llm-1"
    assert {alert.tier for alert in fact.alerts} == {"page-1h", "page-6h", "ticket-1d"}
    assert all(alert.fired_after_s > 0 for alert in fact.alerts)


def test_a_drill_without_fault_makes_facts_of_reasons(factory, drill):
    fact = drill_fact(factory.without_fault(drill), experiment="EXP-001")
    assert fact.impact.window_s is None
    assert fact.undone_after_s is None
    assert "the ledger holds no fault" in str(fact.measures)


@pytest.mark.parametrize("verdict", ["void", "aborted", "interrupted", "error"])
def test_a_drill_that_tested_nothing_says_nothing(drill, verdict):
    assert drill_fact(replace(drill, verdict=verdict), experiment="EXP-001") is None


def test_a_known_weakness_is_no_surprise(drill):
    surprise = replace(drill, verdict="deviated")
    assert not drill_fact(surprise, experiment="EXP-001").is_proof
    assert drill_fact(replace(surprise, is_known=True), experiment="EXP-001").outcome == "known"


def test_an_experiment_brings_its_faults_words():
    fact = experiment_fact(load_drill(ROOT / "experiments" / "replica-hang.yaml"))
    assert (fact.id, fact.file, fact.radius) == ("EXP-003", "replica-hang.yaml", "1 replica; at least 2 stay healthy")
    (fault,) = fact.faults
    assert (fault.name, fault.platforms) == ("replica-hang", ("local", "kubernetes"))
    assert fault.protects
    assert "SIGCONT" in fault.undo


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/home/ann/ws/.sre/samples has not grown for 2.5 s", ".sre/samples has not grown for 2.5 s"),
        (
            "its way (http://127.0.0.1:44927: the replica does not answer)",
            "its way (its address: the replica does not answer)",
        ),
        ("see /var/tmp/x/journal.json, please", "see journal.json, please"),
        ("32000 bytes at 255 kbit/s; 3/4 of it", "32000 bytes at 255 kbit/s; 3/4 of it"),
    ],
)
def test_no_place_of_the_drills_machine_gets_into_a_page(text, said):
    assert without_places(text) == said
