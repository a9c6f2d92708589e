"""Pages of alerts: what fired them in drills, how fast, and what is said where nothing did."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sre.reports.alert_facts import Drilled, alert_facts, alerts_of
from sre.runbooks.knowledge import shipped_alerts
from sre.runbooks.model import AlertFact, DrillFact, ExperimentFact, ImpactFact, MitigationFact
from sre.runbooks.proving import mitigation_of
from sre.runbooks.render import Now, evidence_hash, evidence_in, render_alert
from sre.slo.openslo import load_slos

ROOT = Path(__file__).resolve().parents[3]
ALERTS = {alert.name: alert for alert in alerts_of(load_slos(ROOT / "slo"))}
TTFT = ALERTS["TtftErrorBudgetBurn"]
ADD = mitigation_of("traffic-surge", "add")
DRILL = DrillFact(
    experiment="EXP-030",
    report_id="20261125-surge",
    at=1.0,
    date="2026-11-25",
    outcome="passed",
    reasons=(),
    proof="",
    source="scraper",
    clock_factor=60.0,
    service="llm-gateway",
    replicas=("llm-0",),
    target="traffic",
    objectives=(),
    alerts=(
        AlertFact("ttft", "ticket-1d", "ticket", 2.0, None),
        AlertFact("ttft", "page-1h", "page", 4.5, 30.0),
        AlertFact("queue", "page-1h", "page", 2.0, None),
    ),
    impact=ImpactFact(0, 0, 0, 0, 0, 0, None),
    measures=(),
    requests=300,
    failed=2,
    cost="",
    incident_cost="",
    mitigations=(MitigationFact("traffic-surge", "add", ADD.run, ADD.check, 6.0, 7.0, 0, 12.9),),
)
SURGE = Drilled(
    "traffic-surge",
    ExperimentFact("EXP-030", "traffic-surge.yaml", "A surge", "", "", "", ()),
    ("availability", "ttft"),
    DRILL,
)


def page(name: str = "TtftErrorBudgetBurn", drilled=(SURGE,), **options) -> str:
    return render_alert(alert_facts(ALERTS[name], drilled), **options)


def test_there_is_an_alert_for_each_rule_that_is_generated():
    rules = "".join(path.read_text() for path in (ROOT / "slo" / "generated" / "prometheus").glob("*.yaml"))
    assert set(re.findall(r"- alert: (\w+)", rules)) == set(ALERTS)


def test_every_rule_links_to_the_page_of_its_alert():
    for path in (ROOT / "slo" / "generated" / "prometheus").glob("*.yaml"):
        for rule in path.read_text().split("- alert: ")[1:]:
            name = rule.partition("\n")[0]
            assert f"runbook_url: runbooks/{name}.md" in rule
            assert (ROOT / "runbooks" / f"{name}.md").is_file()


@pytest.mark.parametrize("name", ALERTS)
def test_every_page_begins_with_what_a_novice_needs(name):
    text = page(name, ())
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[:4] == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert text.startswith(f"# Alert: {name} (")
    assert not re.search(r"(?<![\w/])@[a-z]", text)
    for label in ("Precondition", "Blast radius", "Verify", "Way back", "Approval", "Escalate", "Watch", "Proven"):
        assert f"- **{label}**: " in text


def test_the_first_page_of_a_drill_is_told_with_the_failure_that_fired_it():
    text = page()
    assert (
        "| [traffic-surge](traffic-surge.md) | 2 of 300 | 4.5 s (page-1h, page) | 30 s | EXP-030, 2026-11-25 |" in text
    )
    assert "Fired in drills of 1 failure, last on 2026-11-25." in text
    assert "ticket-1d after" not in text


def test_a_drill_in_which_it_stayed_silent_is_told_only_for_its_own_slo():
    text = page("AvailabilityErrorBudgetBurn")
    assert "In 1 drill about this SLO it stayed silent" in text
    assert "**No drill has made it fire yet.**" in text
    assert "stayed silent" not in page("E2eErrorBudgetBurn")


def test_the_silent_drills_are_counted_in_the_impact_and_listed_at_the_end():
    text = page("AvailabilityErrorBudgetBurn")
    before, _, after = text.partition("## Diagnosis")
    assert "traffic-surge.md" not in before
    listed = after.partition("\n## Drills in which it stayed silent\n")[2]
    assert "\n- [traffic-surge](traffic-surge.md): EXP-030\n" in listed
    assert "\n## " not in listed


def test_a_failure_that_made_it_fire_is_in_no_silent_list():
    again = replace(SURGE, experiment=replace(SURGE.experiment, id="EXP-031"), drill=replace(DRILL, alerts=()))
    text = page(drilled=(SURGE, again))
    assert "| [traffic-surge](traffic-surge.md) |" in text
    assert "stayed silent" not in text


def test_what_has_no_data_says_that_no_drill_lasts_so_long():
    text = page("TtftNoData")
    assert "**No drill has made it fire.** It needs 10 min without a single series" in text
    assert "traffic-surge" not in text.partition("## Diagnosis")[0]


def test_a_mitigation_that_a_drill_carried_out_is_proven_here_with_the_place():
    text = page()
    assert "yes, by EXP-030 on 2026-11-25 (for [traffic-surge](traffic-surge.md)): these commands were run" in text
    doubtful = replace(SURGE, drill=replace(DRILL, outcome="deviated"))
    assert "yes, by EXP-030" not in page(drilled=(doubtful,))
    other = replace(DRILL.mitigations[0], command="sre scale 99")
    assert "yes, by EXP-030" not in page(drilled=(replace(SURGE, drill=replace(DRILL, mitigations=(other,))),))


def test_it_says_when_it_fires_and_how_long_the_budget_lasts_then():
    assert "| page-1h | page | 13.4 times | 1 h | 5 min | 2 d 2 h |" in page()


def test_queries_are_those_that_the_rules_record():
    text = page()
    assert '`slo:error_budget_remaining:ratio{slo="ttft"}`' in text
    rules = (ROOT / "slo" / "generated" / "prometheus" / "ttft.yaml").read_text()
    for recorded in ("slo:error_budget_remaining:ratio", "slo:burn_rate:ratio", "slo:error_ratio:ratio"):
        assert f"record: {recorded}" in rules


def test_the_same_facts_give_the_same_bytes_and_a_new_drill_another_hash():
    assert page() == page()
    facts = alert_facts(TTFT, (SURGE,))
    assert evidence_in(page()) == evidence_hash(facts)
    assert evidence_hash(alert_facts(TTFT, ())) != evidence_hash(facts)


def test_what_holds_now_is_shown_only_when_it_is_asked_for():
    now = Now("2026-11-25 03:00:00 UTC", (("budget of ttft", "41.0% left"),), gateway="http://127.0.0.1:9")
    text = page(now=now)
    assert "**Now** (2026-11-25 03:00:00 UTC):" in text
    assert "| budget of ttft | 41.0% left |" in text
    assert "GATEWAY=http://127.0.0.1:9 " in text
    assert "**Now**" not in page()


def test_every_alert_page_of_the_knowledge_is_of_an_alert_or_of_a_kind():
    assert set(shipped_alerts()) - set(ALERTS) == {"ErrorBudgetBurn", "NoData"}
