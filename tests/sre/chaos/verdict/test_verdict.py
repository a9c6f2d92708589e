"""The verdict over the journal and ledger of a run that passed, with one thing changed."""

import math

import pytest

from sre.chaos.leases.ledger import LedgerRecord
from sre.chaos.verdict import Evidence, examine, judge


def expect(judgement, verdict, *parts):
    assert judgement.verdict == verdict, judgement.reasons
    for part in parts:
        assert part in judgement.reasons[0]


def test_a_proven_and_healed_fault_passes(a):
    judgement = a.judged()
    assert (judgement.verdict, judgement.reasons, judgement.notes) == ("passed", (), ())
    assert [(f.target, f.begin, f.end) for f in judgement.faults] == [("llm-1", 102.0, 112.0)]


def test_a_fault_nobody_proved_makes_the_drill_void(a):
    expect(a.judged(ledger_=a.ledger(faults=a.fault(proven=None))), "void", "nobody proved")


def test_a_fault_that_was_disproved_makes_the_drill_void(a):
    lines = [*a.fault(proven=None), a.record(103, "fault_not_proven", "f-1", reason="process 7 still runs")]
    journal = a.journal([a.failed(a.METHOD[0], "process 7 still runs"), a.played(a.METHOD[1])])
    judgement = a.judged(journal, a.ledger(faults=lines))
    expect(judgement, "void", "crash it failed: process 7 still runs")


def test_a_fault_both_proven_and_not_is_not_proven(a):
    lines = [*a.fault(), a.record(103.5, "fault_not_proven", "f-1", reason="?")]
    expect(a.judged(ledger_=a.ledger(faults=lines)), "void", "says both")


def test_a_refused_fault_makes_the_drill_void(a):
    journal = a.journal([a.failed(a.METHOD[0], "blast radius: 0 would be left"), a.played(a.METHOD[1])])
    expect(a.judged(journal, a.ledger(faults=[])), "void", "blast radius")


def test_an_action_that_claims_a_fault_the_ledger_does_not_know_makes_the_drill_void(a):
    expect(a.judged(ledger_=a.ledger(faults=[])), "void", "although an action says it caused one")


def test_a_passed_run_that_broke_nothing_is_void(a):
    other = a.activity("look", module="toy", kind="probe")
    journal = a.journal([a.played(other, output=1)], experiment=a.experiment(method=[other]))
    expect(a.judged(journal, a.ledger(faults=[])), "void", "nothing was tested")


def test_healing_before_the_proof_makes_the_drill_void(a):
    expect(a.judged(ledger_=a.ledger(faults=a.fault(proven=111.0))), "void", "undone by run before it was proven")


def test_a_fault_of_an_earlier_run_does_not_count(a):
    earlier = [a.begin(50, run="r-0"), *a.fault(begin=51, proven=52, undone=53, end=54, run="r-0")]
    expect(a.judged(ledger_=a.ledger(faults=earlier)), "void", "no fault of this run")


def test_an_open_fault_of_another_run_is_not_this_runs_but_is_told(a):
    other = a.fault(begin=103, undone=None, end=None, fault_id="f-9", run="r-9")
    judgement = a.judged(ledger_=a.ledger(more=other))
    assert judgement.verdict == "passed"
    assert judgement.notes == (
        "not of this run: replica-crash on llm-1 of run r-9 is still open, see `sre chaos faults`",
    )


def test_another_attempt_that_was_refused_meanwhile_is_not_this_run(a):
    refused = a.record(105, "run_refused", run=None, pid=9, title=a.TITLE, reason="another drill runs")
    assert a.judged(ledger_=a.ledger(more=[refused])).verdict == "passed"


def test_a_fault_still_open_is_an_error(a):
    lines = a.fault(undone=None, end=None)
    expect(a.judged(ledger_=a.ledger(faults=lines)), "error", "still open", "`sre chaos heal`")


def test_an_end_without_an_undo_is_an_error(a):
    expect(a.judged(ledger_=a.ledger(faults=a.fault(undone=None))), "error", "not who undid it")


def test_an_action_that_names_no_fault_makes_it_void_beside_one_that_is_proven(a):
    second = a.activity("crash another", "crash_replica")
    crash, heal = a.journal()["run"]
    journal = a.journal(
        [crash, a.played(second), heal], experiment=a.experiment(method=[a.METHOD[0], second, a.METHOD[1]])
    )
    expect(a.judged(journal), "void", "crash another succeeded and names no fault")


def test_a_fault_that_was_undone_and_never_recovered_deviates_with_who_and_what(a):
    judgement = a.judged(ledger_=a.ledger(faults=a.fault(end=None)))
    expect(judgement, "deviated", "replica-crash on llm-1", "undone by run", "never seen to recover")


@pytest.mark.parametrize("phase", ["method", "rollbacks"])
def test_a_target_that_recovers_too_late_deviates(a, phase):
    late = {"why": "llm-1 does not serve after 30 s", "start": 113, "end": 118}
    crash = a.played(a.METHOD[0], output={"fault_id": "f-1"})
    method = [crash, a.failed(a.METHOD[1], **late) if phase == "method" else a.played(a.METHOD[1])]
    rollbacks = [a.failed(a.ROLLBACKS[0], **late)] if phase == "rollbacks" else None
    judgement = a.judged(a.journal(method, rollbacks), a.ledger(faults=a.fault(end=None)))
    expect(judgement, "deviated", "llm-1 does not serve after 30 s")


def test_an_undo_that_failed_is_an_error_although_a_later_one_worked(a):
    method = [a.played(a.METHOD[0]), a.failed(a.METHOD[1], "the disk is full", start=104, end=105)]
    expect(a.judged(a.journal(method)), "error", "heal it failed: the disk is full")


def test_a_failed_rollback_is_an_error_and_outweighs_a_deviation(a):
    other = a.activity("undrain", module="toy")
    journal = a.journal(
        rollbacks=[a.failed(other, "stuck")],
        experiment=a.experiment(rollbacks=[other]),
        steady_states=a.states(after=a.unmet()),
        deviated=True,
    )
    judgement = a.judged(journal, returncode=1)
    expect(judgement, "error", "rollbacks: undrain failed: stuck")
    assert judgement.reasons[1] == "steady state after: availability is 0.5, tolerated is 0.99 to 1.0"


def test_a_watchdog_that_undid_it_before_its_time_tells_of_a_run_that_died(a):
    judgement = a.judged(ledger_=a.ledger(faults=a.fault(by="watchdog")))
    expect(judgement, "interrupted", "watchdog undid it before its time")


def test_a_lease_that_ran_out_is_no_reason(a):
    assert a.judged(ledger_=a.ledger(faults=a.fault(by="watchdog", deadline=109.9))).verdict == "passed"


@pytest.mark.parametrize("by", ["watchdog", "sre", "control"])
def test_a_fault_that_outlived_its_run_is_an_error(a, by):
    judgement = a.judged(ledger_=a.ledger(faults=a.fault(undone=125.0, end=126.0, by=by)))
    expect(judgement, "error", f"the run left it behind; {by} undid it 5.1 s after the end")


@pytest.mark.parametrize("by", ["sre chaos heal", "sre down"])
def test_a_person_who_heals_meanwhile_interrupts_the_run(a, by):
    expect(a.judged(ledger_=a.ledger(faults=a.fault(by=by))), "interrupted", f"somebody undid it with `{by}`")


def test_an_abort_of_the_guard_is_told_with_its_reason_and_what_follows_from_it_is_no_error(a):
    abort = a.record(105, "guard_abort", pid=7, reason="availability burns 30 times as fast as allowed")
    journal = a.journal(
        [a.played(a.METHOD[0]), a.failed(a.METHOD[1], "SystemExit: 20", start=104, end=106)],
        status="interrupted",
        steady_states={**a.states(), "after": None},
    )
    judgement = a.judged(journal, a.ledger(faults=a.fault(undone=105.2, by="guard"), more=[abort]), returncode=1)
    expect(judgement, "aborted", "the guard stopped the run: availability burns 30 times")
    assert "the experiment was interrupted" not in judgement.reasons


def test_a_guard_that_could_not_write_is_known_by_its_undo(a):
    journal = a.journal(status="interrupted", steady_states={**a.states(), "after": None})
    expect(a.judged(journal, a.ledger(faults=a.fault(by="guard")), returncode=1), "aborted", "the guard undid it")


def test_a_guard_abort_of_another_run_is_not_this_runs(a):
    abort = a.record(105, "guard_abort", run="r-9", pid=9, reason="?")
    assert a.judged(ledger_=a.ledger(more=[abort])).verdict == "passed"


def test_a_steady_state_not_met_after_the_rollbacks_deviates(a):
    judgement = a.judged(ledger_=a.ledger(after=a.look(met=False, value=0.4)))
    expect(judgement, "deviated", "steady state after rollbacks: availability is 0.4", "after 2 s")


@pytest.mark.parametrize("value", [None, math.nan])
def test_an_unread_probe_after_the_rollbacks_is_an_error(a, value):
    expect(a.judged(ledger_=a.ledger(after=a.look(value=value))), "error", "availability read")


def test_what_the_control_wrote_into_the_journal_counts_as_well(a):
    journal = a.journal(steady_after_rollbacks=a.look(met=False, value=0.4))
    expect(a.judged(journal), "deviated", "availability is 0.4")


def test_a_missing_look_after_the_rollbacks_is_an_error(a):
    expect(a.judged(ledger_=a.ledger(after=False)), "error", "our control did not look at it")


def test_a_look_after_the_rollbacks_that_leaves_a_probe_out_is_an_error(a):
    expect(a.judged(ledger_=a.ledger(after=a.look(probes=[]))), "error", "not every probe was read")


def test_a_control_that_did_not_see_the_end_is_an_error(a):
    expect(a.judged(ledger_=a.ledger(end=None)), "error", "no run_end")


def test_a_declared_control_that_never_ran_is_an_error(a):
    judgement = a.judged(ledger_=tuple(a.fault(run=None)))
    expect(judgement, "error", "the ledger knows of no run")


def test_without_a_registered_run_the_times_of_the_journal_decide(a):
    journal = a.journal(experiment=a.experiment(controls=[]))
    assert a.judged(journal, tuple(a.fault(run=None))).verdict == "passed"
    before = a.fault(begin=50, proven=51, undone=52, end=53, run=None)
    assert a.judged(journal, tuple(before)).verdict == "void"
    assert a.judged(journal, tuple(a.fault(run="r-9"))).verdict == "void"


def test_a_refused_start_is_aborted_with_the_reason_and_its_rollbacks_may_fail(a):
    refused = a.record(100.1, "run_refused", run=None, pid=7, title=a.TITLE, reason="no platform is up here")
    journal = a.journal(
        [],
        [a.failed(a.ROLLBACKS[0], "no platform is up here")],
        status="interrupted",
        steady_states={"before": None, "after": None, "during": []},
    )
    judgement = a.judged(journal, (refused,), returncode=1)
    expect(judgement, "aborted", "refused before the start: no platform is up here")


@pytest.mark.parametrize(
    ("status", "verdict"), [("aborted", "error"), ("interrupted", "interrupted"), ("odd", "error")]
)
def test_the_toolkits_status_counts(a, status, verdict):
    assert a.judged(a.journal(status=status), returncode=1).verdict == verdict


def test_a_dry_run_is_void(a):
    expect(a.judged(a.journal(experiment=a.experiment(dry="pause"))), "void", "dry run")


def test_a_deviation_during_the_method_counts_although_the_journal_says_not_deviated(a):
    during = [a.state(), a.unmet(), a.unmet(0.2)]
    judgement = a.judged(a.journal(steady_states=a.states(during=during)))
    expect(judgement, "deviated", "steady state during: availability is 0.5", "(in 2 of 3 looks)")
    assert len(judgement.reasons) == 1


def test_an_experiment_that_asks_to_be_watched_and_was_not_is_an_error(a):
    asked = a.experiment(runtime={"hypothesis": {"strategy": "continuously"}})
    expect(a.judged(a.journal(experiment=asked)), "error", "not looked at although the experiment asks for it")


@pytest.mark.parametrize("which", ["before", "after"])
def test_a_steady_state_never_looked_at_is_an_error(a, which):
    judgement = a.judged(a.journal(steady_states={**a.states(), which: None}))
    expect(judgement, "error", f"not looked at {which}")


def test_a_steady_state_with_fewer_probes_than_stated_is_an_error(a):
    empty = {"steady_state_met": True, "probes": []}
    expect(a.judged(a.journal(steady_states=a.states(after=empty))), "error", "0 of 1 probes")


@pytest.mark.parametrize("output", [None, math.nan, math.inf, {"value": [math.nan]}])
def test_what_is_no_reading_never_passes(a, output):
    judgement = a.judged(a.journal(steady_states=a.states(after=a.state(a.probe(output)))))
    expect(judgement, "error", "steady state after: availability read")


def test_a_reading_outside_its_tolerance_never_passes_whatever_the_journal_calls_it(a):
    judgement = a.judged(a.journal(steady_states=a.states(after=a.state(a.probe(0.2)))))
    expect(judgement, "error", "called tolerated although")


def test_an_experiment_without_hypothesis_proves_nothing(a):
    stated = a.experiment()
    del stated["steady-state-hypothesis"]
    expect(a.judged(a.journal(experiment=stated)), "error", "no steady-state hypothesis")


def test_an_activity_that_never_ended_is_an_error(a):
    journal = a.journal([a.played(a.METHOD[0]), a.played(a.METHOD[1], status=None)])
    expect(a.judged(journal), "error", "heal it failed: it did not end")


def test_an_activity_that_was_never_played_is_an_error(a):
    expect(a.judged(a.journal([a.played(a.METHOD[0])])), "error", "method: heal it never ran")


def test_rollbacks_that_were_never_played_are_an_error(a):
    expect(a.judged(a.journal(rollbacks=[])), "error", "heal all never ran", "--rollback-strategy always")


def test_rollbacks_that_were_cut_short_are_told(a):
    journal = a.journal(rollbacks=[a.played(a.ROLLBACKS[0], status=None)], status="interrupted")
    judgement = a.judged(journal, returncode=1)
    assert judgement.reasons == ("the experiment was interrupted", "rollbacks: heal all was cut short")


def test_an_exit_code_without_a_fault_in_the_journal_is_an_error(a):
    expect(a.judged(returncode=1), "error", "although its journal shows no fault")
    assert a.judged(returncode=None).verdict == "passed"


def test_a_run_without_journal_tells_which_faults_it_left_open(a):
    judgement = judge(Evidence(None, a.ledger(faults=a.fault(undone=None, end=None), end=None), -9))
    assert judgement.verdict == "error"
    assert "killed by signal 9" in judgement.reasons[0]
    assert "still open" in judgement.reasons[1]


def test_a_run_without_journal_tells_who_undid_its_faults(a):
    judgement = judge(Evidence(None, a.ledger(faults=a.fault(by="watchdog"), after=False, end=None), -9))
    assert judgement.reasons[1:] == (
        "replica-crash on llm-1: watchdog undid it before its time, because the run's process was gone",
    )


def test_a_run_without_journal_has_its_title_from_the_ledger(a):
    assert examine(Evidence(None, a.ledger(), -9)).title == a.TITLE


def test_a_lease_that_ran_out_on_a_target_that_stays_down_is_nobodys_success(a):
    lines = a.fault(by="watchdog", deadline=109.9, end=None)
    assert a.judged(ledger_=a.ledger(faults=lines)).verdict != "passed"


def test_a_run_without_journal_that_was_asked_to_end_is_interrupted(a):
    assert judge(Evidence(None, (), -15)).verdict == "interrupted"


def test_without_journal_only_records_since_the_start_count(a):
    open_before = a.fault(begin=50, undone=None, end=None, run=None)
    judgement = judge(Evidence(None, tuple(open_before), 1, began_at=99.0))
    assert len(judgement.reasons) == 1
    assert "still open" in judgement.notes[0]


@pytest.mark.parametrize(
    "broken", [{"at": math.nan}, {"detail": None}, {"detail": {"plan": [1]}}, {"event": 3}, {"fault_id": None}]
)
def test_a_record_that_cannot_be_read_is_an_error(a, broken):
    fields = {"at": 104.0, "event": "fault_begin", "fault_id": "f-2", "detail": {}, **broken}
    expect(a.judged(ledger_=(*a.ledger(), LedgerRecord(**fields))), "error", "cannot be read")


def test_an_unreadable_record_of_long_ago_is_not_this_runs_trouble(a):
    assert a.judged(ledger_=(LedgerRecord(5.0, "fault_begin", "f-0", detail=None), *a.ledger())).verdict == "passed"


@pytest.mark.parametrize("journal", [{}, {"run": 3, "steady_states": [], "experiment": "x"}, {"status": None}])
def test_what_is_no_journal_is_an_error_and_says_what_is_wrong(journal):
    judgement = judge(Evidence(journal, (), 0))
    assert judgement.verdict == "error"
    assert any(reason.startswith("the journal: ") for reason in judgement.reasons)


def failed_by_control(a, verdict, reasons=(), problems=()):
    ours = {"status": "completed", "verdict": verdict, "reasons": list(reasons), "problems": list(problems)}
    return a.journal(status="failed", **{"llm-gameday": ours})


def test_what_our_control_held_against_the_run_and_nobody_sees_any_more_counts(a):
    journal = failed_by_control(a, "deviated", ["llm-1 was never seen to recover"])
    judgement = a.judged(journal, returncode=1)
    assert (judgement.verdict, judgement.reasons) == ("deviated", ("by our control: llm-1 was never seen to recover",))


def test_what_our_control_could_not_do_is_an_error(a):
    expect(a.judged(failed_by_control(a, "error", problems=["the guard's thread does not end"])), "error", "thread")


def test_a_run_that_our_control_failed_without_a_word_does_not_pass(a):
    assert a.judged(failed_by_control(a, "deviated")).verdict == "deviated"
    assert a.judged(failed_by_control(a, "passed")).verdict == "error"


def test_a_last_look_that_was_cut_short_is_an_interruption(a):
    expect(a.judged(ledger_=a.ledger(after=a.look(met=False, interrupted=True))), "interrupted", "cut the look short")


def test_a_gate_that_was_overridden_is_told(a):
    told = a.record(100.2, "gate_overridden", pid=7, reason="a test", refusals=["the budget is spent"])
    judgement = a.judged(ledger_=a.ledger(more=[told]))
    assert judgement.verdict == "passed"
    assert judgement.notes == ("the gate was overridden (a test) against: the budget is spent",)
