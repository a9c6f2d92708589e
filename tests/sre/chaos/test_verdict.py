"""What the ledger adds to the journal. Journals here are cut down to what the verdict reads."""

import pytest

from sre.chaos.ledger import LedgerRecord
from sre.chaos.verdict import Evidence, judge

START = "1970-01-01T00:01:40+00:00"  # 100 s


def run(func, status="succeeded", module="sre.chaos.actions", **more):
    return {"activity": {"name": func, "provider": {"module": module, "func": func}}, "status": status, **more}


def failed(func, why):
    return run(func, "failed", exception=[f"chaoslib.exceptions.ActivityFailed: {why}\n"])


def state(met=True):
    return {"steady_state_met": met, "probes": [{**run("p", module="toy"), "output": 1, "tolerance_met": met}]}


def journal(method=None, rollbacks=None, **changes):
    return {
        "experiment": {"steady-state-hypothesis": {"probes": [{}]}},
        "start": START,
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": state(), "after": state(), "during": []},
        "run": [run("crash_replica"), run("wait_recovered")] if method is None else method,
        "rollbacks": [run("restore_replicas")] if rollbacks is None else rollbacks,
        **changes,
    }


def ledger(*events, begin=101.0):
    records = [
        LedgerRecord(begin + i, event, "f-1", "replica-crash", "llm-1", {"how": "gone"})
        for i, event in enumerate(events)
    ]
    return tuple(records)


WHOLE = ("fault_begin", "fault_proven", "fault_end")


def test_a_proven_and_ended_fault_passes():
    judgement = judge(Evidence(journal(), ledger(*WHOLE), 0))
    assert (judgement.verdict, judgement.reasons) == ("passed", ())
    assert [(f.target, f.begin, f.end) for f in judgement.faults] == [("llm-1", 101.0, 103.0)]


def test_a_fault_nobody_proved_makes_the_drill_void():
    judgement = judge(Evidence(journal(), ledger("fault_begin", "fault_end"), 0))
    assert judgement.verdict == "void"
    assert "nobody proved" in judgement.reasons[0]


def test_a_fault_that_was_disproved_makes_the_drill_void():
    method = [failed("crash_replica", "process 7 still runs"), run("wait_recovered")]
    judgement = judge(Evidence(journal(method), ledger("fault_begin", "fault_not_proven", "fault_end"), 0))
    assert judgement.verdict == "void"
    assert "method: crash_replica failed: process 7 still runs" in judgement.reasons


def test_a_refused_fault_makes_the_drill_void():
    method = [failed("crash_replica", "blast radius: killing llm-0 would leave 0"), run("wait_recovered")]
    assert judge(Evidence(journal(method), (), 0)).verdict == "void"


def test_an_action_that_claims_a_fault_the_ledger_does_not_know_makes_the_drill_void():
    judgement = judge(Evidence(journal(), (), 0))
    assert judgement.verdict == "void"
    assert "no fault of this run" in judgement.reasons[0]


def test_a_fault_of_an_earlier_run_does_not_count():
    assert judge(Evidence(journal(), ledger(*WHOLE, begin=50.0), 0)).verdict == "void"


def test_a_fault_still_open_is_an_error():
    judgement = judge(Evidence(journal(), ledger("fault_begin", "fault_proven"), 0))
    assert judgement.verdict == "error"
    assert "still open" in judgement.reasons[0]


def test_a_replica_that_recovers_too_late_deviates():
    method = [run("crash_replica"), failed("wait_recovered", "llm-1 does not serve after 30 s")]
    judgement = judge(Evidence(journal(method), ledger(*WHOLE), 0))
    assert (judgement.verdict, len(judgement.reasons)) == ("deviated", 1)


def test_a_failed_rollback_outweighs_a_deviation():
    states = {"before": state(), "after": state(met=False), "during": []}
    content = journal(rollbacks=[failed("restore_replicas", "stuck")], steady_states=states, deviated=True)
    judgement = judge(Evidence(content, ledger(*WHOLE), 1))
    assert judgement.verdict == "error"
    assert judgement.reasons[0] == "rollback: restore_replicas failed: stuck"
    assert judgement.reasons[1].startswith("steady state after: p is 1")


def test_a_declared_control_that_never_ran_is_an_error():
    content = journal()
    content["experiment"]["controls"] = [{"provider": {"module": "sre.chaos.control"}}]
    assert judge(Evidence(content, ledger(*WHOLE), 0)).verdict == "error"
    begun = LedgerRecord(100.5, "run_begin")
    assert judge(Evidence(content, (begun, *ledger(*WHOLE)), 0)).verdict == "passed"


def test_a_refused_start_is_aborted_with_the_reason():
    content = journal([], status="interrupted", steady_states={"before": None, "after": None, "during": []})
    content["experiment"]["controls"] = [{"provider": {"module": "sre.chaos.control"}}]
    refused = LedgerRecord(100.1, "run_refused", detail={"reason": "no platform is up here"})
    judgement = judge(Evidence(content, (refused,), 1))
    assert judgement.verdict == "aborted"
    assert judgement.reasons == ("refused before the start: no platform is up here",)


@pytest.mark.parametrize(
    ("status", "verdict"), [("aborted", "aborted"), ("interrupted", "interrupted"), ("odd", "error")]
)
def test_the_toolkits_status_counts(status, verdict):
    assert judge(Evidence(journal(status=status), ledger(*WHOLE), 1)).verdict == verdict


def test_a_steady_state_never_looked_at_after_the_method_is_an_error():
    states = {"before": state(), "after": None, "during": []}
    judgement = judge(Evidence(journal(steady_states=states), ledger(*WHOLE), 0))
    assert judgement.verdict == "error"
    assert "not looked at after" in judgement.reasons[0]


def test_an_experiment_without_hypothesis_proves_nothing():
    assert judge(Evidence(journal(experiment={}), ledger(*WHOLE), 0)).verdict == "error"


def test_an_activity_that_never_ended_is_an_error():
    method = [run("crash_replica"), run("wait_recovered", status=None)]
    judgement = judge(Evidence(journal(method), ledger(*WHOLE), 0))
    assert judgement.verdict == "error"


def test_an_exit_code_without_a_fault_in_the_journal_is_an_error():
    assert judge(Evidence(journal(), ledger(*WHOLE), 1)).verdict == "error"


def test_a_run_without_journal_tells_which_faults_it_left_open():
    judgement = judge(Evidence(None, ledger("fault_begin", "fault_proven"), -9))
    assert judgement.verdict == "error"
    assert "killed by signal 9" in judgement.reasons[0]
    assert "still open" in judgement.reasons[1]
