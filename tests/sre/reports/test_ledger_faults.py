"""The ledger's faults as an incident sees them: what was hit, how it was proven, who took it away."""

from __future__ import annotations

from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.incidents.model import LedgerLines
from sre.reports.ledger_faults import incident_faults


def record(event, at, fault_id="f-1", **detail):
    return LedgerRecord(at, event, fault_id, "zone-loss", "llm-0, llm-1", detail)


def test_each_fault_is_one_window_with_its_proof_and_its_end():
    first, second = incident_faults(
        [
            record("fault_begin", 10.0, plan={"replicas": ["llm-0", "llm-1"], "components": [], "handles": {}}),
            record("fault_proven", 10.2, how="pid 7 is gone"),
            record("fault_begin", 20.0, "f-2"),
            record("fault_undone", 15.0, by="watchdog"),
            record("fault_end", 16.0),
            record("fault_not_proven", 20.1, "f-2", reason="still alive"),
        ]
    )
    assert (first.begin, first.end, first.proven, first.proof, first.proven_at) == (
        *(10.0, 16.0, True, "pid 7 is gone", 10.2),
    )
    assert (first.undone_at, first.undone_by) == (15.0, "watchdog")
    assert first.hit == ("llm-0", "llm-1")
    assert (second.begin, second.end, second.proven, second.proof) == (20.0, None, False, "still alive")


def test_a_fault_without_word_of_proof_is_not_proven():
    (fault,) = incident_faults([record("fault_begin", 10.0)])
    assert (fault.proven, fault.proof) == (False, "no proof in the ledger")


def test_a_ledger_without_plans_names_its_target_and_a_component_is_no_replica():
    (old,) = incident_faults([LedgerRecord(1.0, "fault_begin", "f-1", "replica-crash", "llm-2")])
    assert old.hit == ("llm-2",)
    (gateway,) = incident_faults([record("fault_begin", 1.0, plan={"replicas": [], "components": ["gateway"]})])
    assert gateway.hit == ()


def test_faults_read_from_a_file_know_which_lines_tell_of_them(tmp_path):
    ledger = Ledger(tmp_path)
    for event, at in (("run_begin", 9.0), ("fault_begin", 10.0), ("fault_proven", 10.2), ("fault_end", 16.0)):
        ledger.append(record(event, at))
    (fault,) = incident_faults(ledger.read())
    assert fault.lines == LedgerLines(begin=2, proven=3, undone=None, end=4)
