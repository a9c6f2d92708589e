"""The runbook: what a novice needs is there, numbers come from the facts, unknown numbers have reasons."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sre.errors import BadDocument
from sre.runbooks.knowledge import shipped_knowledge
from sre.runbooks.model import (
    AlertFact,
    DrillFact,
    ExperimentFact,
    FaultFact,
    ImpactFact,
    MeasureFact,
    ObjectiveFact,
    RunbookFacts,
    SloFact,
    TierFact,
)
from sre.runbooks.render import evidence_hash, evidence_in, is_stale, render_runbook

PAGES = sorted(shipped_knowledge())
DRILL = DrillFact(
    experiment="EXP-001",
    report_id="20260921-replica-crash",
    at=1.0,
    date="2026-09-21",
    outcome="passed",
    reasons=(),
    proof="llm-1: its process is gone",
    source="scraper",
    clock_factor=60.0,
    service="llm",
    replicas=("llm-0", "llm-1", "llm-2"),
    target="llm-1",
    objectives=(ObjectiveFact("Availability", 0.99, 0.0143), ObjectiveFact("Goodput", 0.95, None, "no samples")),
    alerts=(AlertFact("availability", "page-1h", "page", 4.5, None),),
    impact=ImpactFact(38, 6, 2, 0, 10, 2, 6.45),
    measures=(MeasureFact("time to detect", 0.21, uncertainty_s=0.2), MeasureFact("time to recover", 6.4)),
    requests=380,
    failed=7,
    cost="$0.18",
    incident_cost="",
    alert="after 4.5 s, as it should be",
    undone_after_s=6.0,
)
EXPERIMENT = ExperimentFact(
    id="EXP-001",
    file="replica-crash.yaml",
    title="A replica crash loses no request",
    description="Kill one.",
    hypothesis="Requests succeed",
    radius="1 replica; at least 2 stay healthy",
    faults=(FaultFact("replica-crash", "kill -9", "mid-stream failover", "the supervisor", ("local",)),),
)
FACTS = RunbookFacts(
    page="replica-crash",
    experiments=(EXPERIMENT,),
    slos=(SloFact("availability", "Availability", 0.99, (TierFact("page-1h", "page", 13.44, 3600.0, 300.0),)),),
    drills=(DRILL,),
)
AFTERWARDS = ["Escalation", "Dashboards and queries", "On Kubernetes", "Last drill"]
SURPRISE = replace(DRILL, outcome="deviated", reasons=("requests survive: expected none failed, observed 7",))


@pytest.fixture(scope="module")
def text() -> str:
    return render_runbook(FACTS)


@pytest.fixture(scope="module", params=PAGES)
def page(request) -> str:
    """Every page there is, without experiments and drills: what is known of the failure alone."""
    return render_runbook(RunbookFacts(request.param, (EXPERIMENT,), ()))


def section(text: str, name: str) -> str:
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)


def test_the_sections_stand_in_the_order_of_need(page):
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == ["Meaning", "Impact", "Diagnosis", "Mitigation", *AFTERWARDS]


def test_every_page_says_what_not_to_do_when_it_is_over_and_what_comes_after(page):
    headings = re.findall(r"^### (.+)$", section(page, "Mitigation"), re.MULTILINE)
    assert headings[-3:] == ["Do not", "It is over when", "Afterwards"]


def test_every_step_has_commands_and_an_expected_output(page):
    for name in ("Diagnosis", "On Kubernetes"):
        part = section(page, name)
        steps = re.findall(r"^\*\*K?\d+\. .+\*\*$", part, re.MULTILINE)
        assert len(steps) == len(re.findall(r"```\n\nExpected: \S", part)) >= 3


def test_every_mitigation_says_when_what_it_costs_how_to_see_it_and_the_way_back(page):
    parts = re.split(r"^### [A-Z]\. ", section(page, "Mitigation"), flags=re.MULTILINE)[1:]
    assert len(parts) >= 2
    for part in parts:
        for label in ("Precondition", "Do", "Blast radius", "Verify", "Way back", "Approval", "Escalate", "Proven"):
            assert f"\n- **{label}**: " in part


def test_no_reference_is_left_open_and_every_fence_is_closed(page):
    assert not re.search(r"(?<![\w/])@[a-z]", page)
    assert page.count("```") % 2 == 0
    assert not re.search(r"^## [^\n]*\n[^\n]", page, re.MULTILINE)
    assert not re.search(r"[^\n]\n## ", page)


def test_what_a_reader_has_to_fill_in_is_empty_at_first(page):
    for name, value in re.findall(r"^([A-Z]+)=(.*)$", page, re.MULTILINE):
        assert value.startswith("http" if name == "GATEWAY" else "   # ")


def test_measured_numbers_are_quoted(text):
    assert "**6** of 38 requests in flight during the 6.45 s of the fault failed (15.8 %)" in section(text, "Impact")
    last = section(text, "Last drill")
    assert "| detected after | 0.21 s ± 0.2 s |" in last
    assert "| what was hit serves again after | 6.4 s |" in last
    assert "| the drill took the fault away after | 6 s; a real one lasts" in last
    assert "| failed requests | 7 of 380 in the whole drill |" in last
    assert "| cost | $0.18, of it the incident n/a |" in last
    assert "| verdict | passed |" in last
    assert "page: 13.4x over 1 h | page-1h after 4.5 s |" in text


def test_a_missing_number_prints_na_with_the_reason(text):
    assert "Goodput (objective 95 %): n/a (no samples)" in text
    bare = replace(DRILL, measures=(), impact=replace(DRILL.impact, window_s=None), alerts=())
    unknown = render_runbook(replace(FACTS, drills=(bare,)))
    assert "| what was hit serves again after | n/a (not measured by the last drill) |" in unknown
    assert "n/a (no request was in flight during the fault)" in unknown
    assert "No alert fired: do not wait for one" in unknown


def test_a_page_without_a_drill_says_so_and_promises_nothing():
    text = render_runbook(replace(FACTS, drills=()))
    assert "**Not proven by a drill yet.**" in text
    assert "n/a (no drill has measured it)" in text
    assert "| drill | **none yet** |" in text
    assert "- **Proven**: yes" not in text


def test_a_drill_that_did_not_pass_is_called_out_with_the_reason():
    text = render_runbook(replace(FACTS, drills=(SURPRISE,)))
    assert "**EXP-001 did not pass**" in text.partition("## Meaning")[0]
    assert "observed 7" in text
    assert "Shown by drill" not in text
    assert "did not pass" not in render_runbook(FACTS)


def test_a_page_of_several_experiments_is_proven_when_all_are():
    other = replace(EXPERIMENT, id="EXP-002", title="Another")
    both = replace(FACTS, experiments=(EXPERIMENT, other))
    assert "**Proven in part.** EXP-001: shown by drill; EXP-002: no drill yet." in render_runbook(both)
    proven = replace(both, drills=(DRILL, replace(DRILL, experiment="EXP-002")))
    assert "Shown by drill: EXP-001 on 2026-09-21, EXP-002 on 2026-09-21." in render_runbook(proven)


def test_a_known_weakness_stands_at_the_top():
    weak = replace(EXPERIMENT, risk="RISK-001", weakness="nobody counts")
    text = render_runbook(replace(FACTS, experiments=(weak,), drills=(replace(DRILL, outcome="known"),)))
    assert "**Known weakness RISK-001** (EXP-001): nobody counts" in text.partition("## Meaning")[0]
    assert "| verdict | known weakness |" in text


def proven(text: str) -> list[str]:
    parts = re.split(r"^### [A-Z]\. ", section(text, "Mitigation"), flags=re.MULTILINE)[1:]
    return [part.partition("\n")[0] for part in parts if "**Proven**: yes" in part]


def test_only_what_the_drill_itself_did_counts_as_proven(text):
    assert proven(text) == ["End the drill"]
    heals = replace(EXPERIMENT, faults=(replace(EXPERIMENT.faults[0], heals=True),))
    itself = render_runbook(replace(FACTS, experiments=(heals,)))
    assert proven(itself) == ["Let it heal itself"]
    assert "| healed | by itself: there was nothing to undo |" in itself
    assert proven(render_runbook(replace(FACTS, drills=(SURPRISE,)))) == []


def test_an_experiment_for_a_cluster_is_played_there():
    cluster = replace(EXPERIMENT, faults=(replace(EXPERIMENT.faults[0], platforms=("kubernetes",)),))
    text = render_runbook(replace(FACTS, experiments=(cluster,), drills=()))
    assert "| play it | `SRE_PLATFORM=kubernetes chaos run experiments/replica-crash.yaml` |" in text
    assert "| play it again | `sre gameday run experiments/replica-crash.yaml` |" in render_runbook(FACTS)


def test_the_same_facts_give_the_same_bytes_and_carry_their_hash(text):
    assert render_runbook(FACTS) == text
    assert evidence_in(text) == evidence_hash(FACTS)
    assert not is_stale(text, FACTS)


def test_a_new_measurement_makes_it_stale(text):
    newer = replace(FACTS, drills=(replace(DRILL, failed=8),))
    assert is_stale(text, newer)
    assert is_stale("# a page without evidence", FACTS)


def test_names_from_outside_cannot_leave_their_place():
    evil = "x`; rm -rf ~ #\n```\n<script> | y"
    bad = replace(EXPERIMENT, title=evil, description=evil, file=evil, hypothesis=evil, weakness=evil, risk="RISK-001")
    drill = replace(DRILL, proof=evil, reasons=(evil,), alert=evil, outcome="deviated")
    text = render_runbook(replace(FACTS, experiments=(bad,), drills=(drill,), state_dir=evil))
    assert text.count("```") % 2 == 0
    assert "\\<script\\>" in text
    assert re.findall(r"^```\n<script>", text, re.MULTILINE) == []


def test_an_unknown_page_names_those_there_are():
    with pytest.raises(BadDocument, match=r"'meteor'.*replica-crash"):
        render_runbook(replace(FACTS, page="meteor"))
