"""Symptoms and signatures are data: read strictly, and about every failure the experiments know."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from sre.errors import BadDocument
from sre.incidents.causes.definitions import DATA, load, shipped

EXPERIMENTS = Path(__file__).resolve().parents[4] / "experiments"
TRACELESS = {
    "memory-pressure",  # another process holds memory: no metric of the platform tells of the host's
    "dns-failure",  # a replica resolves no name after its start
}


@pytest.fixture
def folder(tmp_path):
    for name in ("symptoms.yaml", "signatures.yaml"):
        shutil.copy(DATA / name, tmp_path / name)
    return tmp_path


def failure_modes() -> set[str]:
    texts = (path.read_text() for path in EXPERIMENTS.glob("*.yaml"))
    lines = (line.split("#")[0].strip() for text in texts for line in text.splitlines())
    return {line.removeprefix("failure_mode:").strip() for line in lines if line.startswith("failure_mode:")}


def test_each_failure_mode_of_an_experiment_has_a_signature_or_leaves_no_trace():
    assert failure_modes() - {s.failure for s in shipped().signatures} == TRACELESS
    assert {s.failure for s in shipped().signatures} <= failure_modes()


def test_each_symptom_is_named_by_a_signature():
    named = {name for signature in shipped().signatures for name in signature.chances}
    assert {rule.name for rule in shipped().symptoms} - named == set()


def test_each_signature_always_shows_something_and_says_why():
    for signature in shipped().signatures:
        assert "always" in signature.chances.values(), signature.failure
        assert len(signature.because) > 20, signature.failure


def test_no_rule_reads_what_only_a_drill_leaves():
    text = (DATA / "symptoms.yaml").read_text()
    rules = yaml.safe_load(text)
    events = {event for rule in rules.values() for event in rule.get("events", ())}
    assert events == {
        *("replica_exited", "replica_unhealthy", "replica_drain_started", "gateway_exited", "observer_exited", "scaled")
    }
    assert "fault" not in "".join(str(rule.get("note", "")) + str(rule.get("metric", "")) for rule in rules.values())


def test_every_fault_of_both_files_is_told_with_its_line(folder):
    with (folder / "symptoms.yaml").open("a") as file:
        file.write("odd:\n  says: x\n  on: moon\n  read: gauge\n  metric: 'a{'\n  colour: red\n  least: much\n")
    with (folder / "signatures.yaml").open("a") as file:
        file.write("worse:\n  on: replica\n  always: [xid, xid, no-such]\n")
    with pytest.raises(BadDocument) as caught:
        load(folder)
    said = "\n".join(caught.value.faults)
    for part in (
        "odd.on: is 'moon'",
        "unknown key",
        "odd.least",
        "odd.metric",
        "is said twice",
        "worse.because: missing",
    ):
        assert part in said
    assert "is 'no-such'" in said
    assert all(fault.split(":")[1].isdigit() for fault in caught.value.faults)


def test_an_empty_file_is_a_fault(folder):
    (folder / "signatures.yaml").write_text("")
    with pytest.raises(BadDocument, match="holds nothing"):
        load(folder)


def test_a_bad_regular_expression_is_a_fault(folder):
    with (folder / "symptoms.yaml").open("a") as file:
        file.write("odd:\n  says: x\n  on: replica\n  read: event\n  events: [a]\n  note: '('\n")
    with pytest.raises(BadDocument, match="no regular expression"):
        load(folder)
