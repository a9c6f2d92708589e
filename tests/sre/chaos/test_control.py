"""The control refuses a start it cannot vouch for, guards the method, and glosses nothing over at the end."""

import json
import time

import pytest
from chaoslib.exceptions import InterruptExecution

from sre.chaos import control
from sre.chaos.acting import heal_run
from sre.chaos.faults.replica import ReplicaCrash
from sre.chaos.guard.model import Look
from sre.chaos.leases.lease import inject
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import open_leases, open_runs
from sre.chaos.runs import admission
from sre.chaos.verdict import Evidence, judge
from sre.errors import PlatformError

SECTION = {
    "name": "llm-gameday",
    "blast_radius": {"max_replicas": 1, "min_healthy": 2},
    "deadline_s": 60,
    "expected": {"recovered_within_s": 0.01},
}


def experiment(probe="tolerated", **section):
    provider = {"type": "python", "module": __name__, "func": probe}
    probes = [{"type": "probe", "name": "a probe", "tolerance": [0, 1], "provider": provider}]
    return {
        "title": "crash",
        "steady-state-hypothesis": {"title": "all is well", "probes": probes},
        "controls": [{"name": "ours", "provider": {"type": "python", "module": "sre.chaos.control"}}],
        "extensions": [{**SECTION, **section}],
    }


def tolerated():
    return 0.5


def off():
    return 7.0


def not_a_number():
    return float("nan")


class QuietMeans:
    """A guard that sees nothing wrong."""

    def look(self, at):
        return Look(at, 0.5)

    def ensure_watchdog(self):
        pass


@pytest.fixture
def watched(platform, clock, monkeypatch):
    """A platform that is up and has samples, found whatever the configuration says; no watchdog process."""
    clock.at = time.time()
    for name in platform.serving_since:
        platform.serving_since[name] = clock.at - 60
    samples = platform.state_dir / "samples"
    samples.mkdir()
    (samples / "1000.jsonl").write_text("{}\n")
    monkeypatch.setattr(control, "select_platform", lambda configuration: platform)
    monkeypatch.setattr(admission, "watches", lambda state_dir: True)
    monkeypatch.chdir(platform.state_dir)
    yield platform
    control.after_experiment_control({}, {})


@pytest.fixture
def quiet_guard(monkeypatch):
    real = control.guard_of

    def made(admitted):
        guard = real(admitted)
        guard.means = QuietMeans()
        guard.settings = guard.settings.__class__(max_failed_share=1)
        return guard

    monkeypatch.setattr(control, "guard_of", made)


def records(platform):
    return [(r.event, dict(r.detail)) for r in Ledger(platform.state_dir).read()]


def events(platform):
    return [event for event, _ in records(platform)]


def before(content=None):
    control.before_experiment_control(context=content or experiment(), configuration={})


def journal_of(content, **changed):
    """What the toolkit hands over at the end of a good run."""
    played = {"status": "succeeded", "start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:00:01+00:00"}
    probe = content["steady-state-hypothesis"]["probes"][0]
    state = {"steady_state_met": True, "probes": [{**played, "activity": probe, "output": 0.5, "tolerance_met": True}]}
    return {
        "experiment": content,
        "start": "2026-01-01T00:00:00+00:00",
        "end": "2100-01-01T00:00:00+00:00",
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": state, "after": state, "during": []},
        "run": [],
        "rollbacks": [],
        **changed,
    }


def played(platform, content, *, fault=True, rollbacks=True, journal=None):
    """One run through all the calls that the toolkit makes, with a fault in its method."""
    before(content)
    control.before_method_control(content)
    if fault:
        (run,) = open_runs(Ledger(platform.state_dir).read())
        inject(platform, ReplicaCrash(), lease_s=30, run=run)
    control.after_method_control(content)
    control.before_rollback_control(content)
    if rollbacks:
        heal_run(platform, timeout_s=5)
    journal = journal_of(content) if journal is None else journal
    control.after_experiment_control(content, journal, {}, {})
    return journal


def test_a_run_against_a_watched_platform_is_noted(watched):
    before()
    control.after_experiment_control(context=experiment(), state=journal_of(experiment()))
    noted = dict(records(watched))
    begin, end = noted["run_begin"], noted["run_end"]
    assert (begin["title"], end["status"]) == ("crash", "completed")
    assert begin["pid"] == end["pid"]
    assert begin["run"] == end["run"]


def test_a_platform_that_is_not_up_is_refused_with_the_mend(watched):
    watched.up = False
    with pytest.raises(InterruptExecution, match="sre up"):
        before()
    ((event, detail),) = records(watched)
    assert event == "run_refused"
    assert "sre up" in detail["reason"]


def test_a_platform_nobody_watches_is_refused(watched):
    for path in (watched.state_dir / "samples").iterdir():
        path.unlink()
    with pytest.raises(InterruptExecution, match="no samples"):
        before()


def test_any_surprise_refuses_the_start(watched, monkeypatch):
    def surprise():
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(watched, "replicas", surprise)
    with pytest.raises(InterruptExecution, match="ZeroDivisionError: surprise"):
        before()


def test_a_platform_of_an_unknown_kind_is_refused_without_a_ledger(monkeypatch):
    def unknown(configuration):
        raise PlatformError("platform 'nomad' does not exist")

    monkeypatch.setattr(control, "select_platform", unknown)
    with pytest.raises(InterruptExecution, match="nomad"):
        before()


def test_no_state_directory_is_made_for_a_refusal(tmp_path):
    missing = tmp_path / "never"
    with pytest.raises(InterruptExecution, match="sre up"):
        control.before_experiment_control(context={"title": "crash"}, configuration={"state_dir": str(missing)})
    assert not missing.exists()


def test_an_experiment_without_blast_radius_and_deadline_is_refused_with_both(watched):
    content = experiment()
    content["extensions"] = [{"name": "llm-gameday"}]
    with pytest.raises(InterruptExecution, match=r"blast_radius: missing.*deadline_s: missing") as refused:
        before(content)
    assert "\n" not in str(refused.value)


def test_a_misspelt_guard_is_refused_not_ignored(watched):
    with pytest.raises(InterruptExecution, match="gaurd: unknown key: did you mean `guard`"):
        before(experiment(gaurd={"max_failed_requests": 3}))


def test_no_method_is_played_that_the_gate_has_not_let_in(watched):
    with pytest.raises(InterruptExecution, match="has not let this run in"):
        control.before_method_control(experiment())


def test_no_method_is_played_without_a_guard(watched, monkeypatch):
    before()

    def broken(admitted):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(control, "guard_of", broken)
    with pytest.raises(InterruptExecution, match="the guard does not start"):
        control.before_method_control(experiment())


def test_a_good_run_passes_and_is_written_down_in_order(watched, quiet_guard):
    journal = played(watched, experiment())
    assert (journal["status"], journal.get("llm-gameday")) == ("completed", None)
    assert journal["steady_after_rollbacks"]["met"]
    order = [event for event in events(watched) if not event.startswith(("fault_", "gate_"))]
    assert order == ["run_begin", "guard_end", "steady_after_rollbacks", "run_end"]
    assert dict(records(watched))["guard_end"]["looks"] >= 1


def test_what_the_rollbacks_left_open_is_undone_and_named(watched, quiet_guard):
    played(watched, experiment(), rollbacks=False)
    assert open_leases(Ledger(watched.state_dir).read()) == ()
    assert dict(records(watched))["fault_undone"]["by"] == "control"


def test_a_steady_state_that_does_not_come_back_makes_chaos_run_fail(watched, quiet_guard):
    journal = played(watched, experiment("off"))
    assert journal["status"] == "failed"  # for chaos run: exit code 1
    assert journal["llm-gameday"]["status"] == "completed"
    assert journal["llm-gameday"]["verdict"] == "deviated"
    assert journal["steady_after_rollbacks"]["probes"][0]["value"] == 7.0
    assert not dict(records(watched))["steady_after_rollbacks"]["met"]


def test_nan_after_the_rollbacks_is_no_steady_state_and_stays_out_of_the_files(watched, quiet_guard):
    journal = played(watched, experiment("not_a_number"))
    (probe,) = journal["steady_after_rollbacks"]["probes"]
    assert (probe["value"], probe["tolerance_met"]) == (None, False)
    assert "not JSON compliant" in probe["said"]
    json.dumps(journal, allow_nan=False)


def test_a_run_that_broke_nothing_makes_chaos_run_fail(watched, quiet_guard):
    journal = played(watched, experiment(), fault=False)
    assert (journal["status"], journal["llm-gameday"]["verdict"]) == ("failed", "void")


def test_a_journal_that_our_control_failed_is_judged_as_before(watched, quiet_guard):
    journal = played(watched, experiment("off"))
    again = judge(Evidence(journal, Ledger(watched.state_dir).read(), returncode=1))
    assert again.verdict == "deviated"
    assert list(again.reasons) == journal["llm-gameday"]["reasons"]


def test_a_journal_nobody_can_read_makes_chaos_run_fail(watched, quiet_guard):
    journal = played(watched, experiment(), journal={"status": "completed", "deviated": False})
    assert journal["status"] == "failed"
    assert journal["llm-gameday"]["verdict"] == "error"


def test_a_full_disk_at_the_end_makes_chaos_run_fail_and_keeps_no_lock(watched, quiet_guard, monkeypatch):
    content = experiment()
    before(content)
    control.before_method_control(content)
    control.after_method_control(content)

    def full(self, record):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "append", full)
        journal = journal_of(content)
        control.after_experiment_control(content, journal, {}, {})
    assert journal["status"] == "failed"
    assert any("No space left" in reason for reason in journal["llm-gameday"]["problems"])
    before(content)  # the lock is free again


def test_the_look_after_the_rollbacks_can_be_interrupted(watched, quiet_guard, monkeypatch):
    def ctrl_c(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sre.chaos.runs.steady.run_activity", ctrl_c)
    journal = played(watched, experiment())
    assert journal["steady_after_rollbacks"]["interrupted"]
    assert journal["status"] == "failed"
    assert events(watched)[-1] == "run_end"


def test_ctrl_c_at_the_end_costs_neither_the_journal_nor_the_other_steps(watched, quiet_guard, monkeypatch):
    def ctrl_c(self, _):
        raise KeyboardInterrupt

    monkeypatch.setattr("sre.chaos.runs.aftermath.Aftermath._stop_guard", ctrl_c)
    journal = played(watched, experiment(), rollbacks=False)
    assert journal["status"] == "failed"
    assert "was interrupted" in journal["llm-gameday"]["problems"][0]
    assert open_leases(Ledger(watched.state_dir).read()) == ()


def test_a_dry_run_is_not_looked_at_again(watched, quiet_guard):
    journal = played(watched, {**experiment(), "dry": "actions"}, fault=False)
    assert "steady_after_rollbacks" not in journal


def test_a_run_that_was_refused_has_no_aftermath(watched):
    watched.up = False
    with pytest.raises(InterruptExecution):
        before()
    control.after_experiment_control(experiment(), {"status": "interrupted", "deviated": False})
    assert events(watched) == ["run_refused"]
