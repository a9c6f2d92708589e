"""The runbook quotes the report's numbers."""

from __future__ import annotations

from sre.reports.runbook_facts import runbook_facts
from sre.runbooks.render import render_runbook


def test_measures_and_impact_are_the_incidents(drill):
    facts = runbook_facts(drill, failure_mode="replica-crash")
    incident = drill.incident
    assert facts.measure("time to recover").seconds == incident.duration("time_to_recover").seconds
    assert facts.impact.failed == incident.impact.failed == 6
    assert facts.example_replica == "llm-1"
    assert {a.tier for a in facts.alerts} == {"page-1h", "page-6h", "ticket-1d"}


def test_a_drill_without_fault_makes_a_runbook_of_reasons(factory, drill):
    facts = runbook_facts(factory.without_fault(drill), failure_mode="replica-crash")
    text = render_runbook(facts)
    assert "the ledger holds no fault" in text
    assert facts.impact.window_s is None
    assert "No alert fired in the last drill" in text
