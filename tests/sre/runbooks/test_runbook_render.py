"""The runbook: what a novice needs is there, numbers come from the facts, unknown numbers have reasons."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sre.errors import BadDocument
from sre.runbooks.model import AlertFact, DrillFact, ImpactFact, MeasureFact, ObjectiveFact, RunbookFacts
from sre.runbooks.render import evidence_hash, evidence_in, is_stale, render_runbook

FACTS = RunbookFacts(
    failure_mode="replica-crash",
    service="llm",
    gateway_url="http://127.0.0.1:8400",
    state_dir=".sre",
    replicas=("llm-0", "llm-1", "llm-2"),
    example_replica="llm-1",
    startup_s=4.1,
    objectives=(ObjectiveFact("Availability", 0.99, 0.0143), ObjectiveFact("Goodput", 0.95, None, "no samples")),
    alerts=(AlertFact("Availability", "page-1h", "page", 13.44, 3600.0, 300.0, 4.5, None),),
    impact=ImpactFact(38, 6, 2, 0, 10, 2, 6.45),
    measures=(
        MeasureFact("time to detect", 0.21, uncertainty_s=0.2),
        MeasureFact("time to alert", 4.5),
        MeasureFact("time to mitigate", 2.83),
        MeasureFact("time to recover", 6.4),
        MeasureFact("time to reset", None, "still firing when observation ended"),
    ),
    drill=DrillFact("20260921-replica-crash", "Replica crash", "2026-09-21", "passed", "scraper", 60.0),
)


@pytest.fixture(scope="module")
def text() -> str:
    return render_runbook(FACTS)


def section(text: str, name: str) -> str:
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)


def test_the_four_sections_come_first_in_the_order_of_need(text):
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Meaning", "Impact", "Diagnosis", "Mitigation", "On Kubernetes", "Last drill"]


def test_measured_numbers_are_quoted(text):
    assert "of 38 requests in flight during the 6.45 s of the fault, **6 failed** (15.8 %)" in section(text, "Impact")
    last = section(text, "Last drill")
    assert "| time to detect | 0.21 s ± 0.2 s |" in last
    assert "| time to recover | 6.4 s |" in last
    assert "| verdict | passed |" in last
    assert (
        "| Availability / page-1h | page | 13.4x over 1 h and 5 min | after 4.5 s | still firing at the end |" in text
    )


def test_a_missing_number_prints_na_with_the_reason(text):
    assert "| time to reset | n/a (still firing when observation ended) |" in text
    assert "Goodput (objective 95 %): n/a (no samples)" in text
    unknown = replace(FACTS, measures=(), impact=replace(FACTS.impact, window_s=None), alerts=())
    bare = render_runbook(unknown)
    assert "n/a (not measured by the last drill) from crash to serving" in bare
    assert "How many users notice: n/a" in bare
    assert "**Proven**: no." in bare


@pytest.mark.parametrize(
    "command",
    [
        "sre status\n",
        "curl -s -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:8400/ready",
        "curl -s http://127.0.0.1:8400/metrics | grep '^sre_gateway_replica_up'",
        "grep -v '^[+|]' .sre/logs/llm-1.log | tail -n 60",
        "grep llm-1 .sre/events.jsonl | tail -n 5",
    ],
)
def test_each_diagnosis_command_stands_in_a_block_and_has_an_expected_output(text, command):
    steps = re.findall(r"```sh\n(.*?)```\n\nExpected: (\S[^\n]*)", section(text, "Diagnosis"), re.DOTALL)
    assert any(command in block for block, _ in steps)


def test_nothing_is_restarted_on_the_word_of_a_wrong_address_or_with_other_options(text):
    diagnosis = section(text, "Diagnosis")
    assert "compare the address with the line `gateway` of step 1 first" in diagnosis
    assert "sre down && sre up --port <port> --replicas <n>" in section(text, "Mitigation")
    assert "the one that holds `.sre`" in text.partition("## Meaning")[0]


def test_every_mitigation_states_precondition_radius_verification_and_approval(text):
    parts = re.split(r"^### ", section(text, "Mitigation"), flags=re.MULTILINE)[1:]
    assert len(parts) == 3
    for part in parts:
        for label in ("Precondition", "Do", "Blast radius", "Verify", "Approval", "Proven"):
            assert f"- **{label}**" in part


def test_every_kubectl_names_its_namespace_and_none_is_called_proven(text):
    part = section(text, "On Kubernetes")
    assert "**Not proven by a drill.**" in part
    commands = re.findall(r"kubectl .*", text)
    assert commands
    assert all(c.startswith("kubectl -n <namespace> ") for c in commands)
    assert "kubectl" not in text.replace(part, "")


def test_a_drill_that_did_not_pass_is_called_out():
    assert "did not pass" in render_runbook(replace(FACTS, drill=replace(FACTS.drill, verdict="deviated")))
    assert "did not pass" not in render_runbook(FACTS)


def test_the_same_facts_give_the_same_bytes_and_carry_their_hash(text):
    assert render_runbook(FACTS) == text
    assert evidence_in(text) == evidence_hash(FACTS)
    assert not is_stale(text, FACTS)


def test_a_new_measurement_makes_it_stale(text):
    newer = replace(FACTS, impact=replace(FACTS.impact, failed=7))
    assert is_stale(text, newer)
    assert is_stale("# a page without evidence", FACTS)


def test_names_from_outside_cannot_leave_their_place():
    evil = "x`; rm -rf ~ #\n```\n<script>"
    text = render_runbook(replace(FACTS, example_replica=evil, service=evil, gateway_url=evil, replicas=(evil, "b")))
    assert text.count("```") % 2 == 0
    assert "'.sre/logs/x; rm -rf ~ # <script>.log'" in text
    assert "\\<script\\>" in text
    assert re.findall(r"^```\n<script>", text, re.MULTILINE) == []


def test_an_unknown_failure_mode_names_those_there_are():
    with pytest.raises(BadDocument, match=r"'meteor'.*replica-crash"):
        render_runbook(replace(FACTS, failure_mode="meteor"))
