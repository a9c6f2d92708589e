"""The verdict over journals of the real `chaos run` on tiny experiments: the toolkit's exit code is not enough.

Each case first shows what the toolkit says of the run, then what we say.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from sre.chaos.experiment import missing_controls
from sre.chaos.run import chaos_command, leave, run_chaos
from sre.chaos.verdict import Evidence, judge

TOY = """
import os, pathlib, signal, time
def ok(): return 1
def value(x): return x
def nan(): return float("nan")
def none(): return None
def boom(): raise RuntimeError("the replica is made of stone")
def once(path, first, later):
    seen = pathlib.Path(path)
    if seen.exists(): return later
    seen.touch()
    return first
def get_signal(number): os.kill(os.getpid(), number); time.sleep(5)
def wait(path): pathlib.Path(path).touch(); time.sleep(30)
def mark(path): pathlib.Path(path).touch()
"""


def activity(func, kind="action", **arguments):
    provider = {"type": "python", "module": "toy", "func": func, "arguments": arguments}
    return {"type": kind, "name": func, "provider": provider}


def probe(func, tolerance, **arguments):
    return {**activity(func, "probe", **arguments), "tolerance": tolerance}


def experiment(*, holds=None, method=None, rollback=None, controls=()):
    return {
        "title": "toy",
        "description": "toy",
        "controls": list(controls),
        "steady-state-hypothesis": {"title": "holds", "probes": [holds or probe("ok", 1)]},
        "method": [method or activity("ok")],
        "rollbacks": [rollback or activity("ok")],
    }


@dataclass
class Run:
    returncode: int
    journal: dict | None
    judgement: object


@pytest.fixture
def environment(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def play(tmp_path, environment):
    def run(content):
        file, journal = tmp_path / "e.json", tmp_path / "journal.json"
        file.write_text(json.dumps(content))
        done = subprocess.run(chaos_command(file, journal=journal), capture_output=True, text=True, timeout=60)
        found = json.loads(journal.read_text()) if journal.exists() else None
        tail = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
        evidence = Evidence(found, (), done.returncode, missing_controls(file), tail)
        return Run(done.returncode, found, judge(evidence))

    return run


def test_a_good_run_passes(play):
    run = play(experiment())
    assert (run.returncode, run.judgement.verdict, run.judgement.reasons) == (0, "passed", ())


def test_a_failed_action_is_an_error_although_chaos_says_completed(play):
    run = play(experiment(method=activity("boom")))
    assert (run.returncode, run.journal["status"], run.journal["deviated"]) == (0, "completed", False)
    assert run.judgement.verdict == "error"
    assert run.judgement.reasons == ("method: boom failed: RuntimeError: the replica is made of stone",)


def test_a_failed_rollback_is_an_error_although_chaos_says_completed(play):
    run = play(experiment(rollback=activity("boom")))
    assert (run.returncode, run.journal["status"]) == (0, "completed")
    assert run.judgement.verdict == "error"
    assert run.judgement.reasons[0].startswith("rollback: boom failed")


def test_a_missing_control_is_an_error_although_chaos_says_completed(play):
    control = {"name": "guard", "provider": {"type": "python", "module": "no_such_guard"}}
    run = play(experiment(controls=[control]))
    assert (run.returncode, run.journal["status"]) == (0, "completed")
    assert run.judgement.verdict == "error"
    assert "no_such_guard could not be imported" in run.judgement.reasons[0]


def test_a_steady_state_not_met_before_is_aborted_although_chaos_exits_0(play):
    run = play(experiment(holds=probe("value", 1, x=2)))
    assert (run.returncode, run.journal["status"], run.journal["run"]) == (0, "completed", [])
    assert run.judgement.verdict == "aborted"
    assert run.judgement.reasons == ("steady state before: value is 2, tolerated is 1",)


def test_a_steady_state_not_met_after_deviates(play, tmp_path):
    run = play(experiment(holds=probe("once", [0.99, 1.0], path=str(tmp_path / "seen"), first=1.0, later=0.5)))
    assert (run.returncode, run.journal["deviated"]) == (1, True)
    assert run.judgement.verdict == "deviated"
    assert run.judgement.reasons == ("steady state after: once is 0.5, tolerated is 0.99 to 1.0",)


def test_a_probe_that_cannot_read_is_an_error_not_a_deviation(play):
    run = play(experiment(holds=probe("boom", 1)))
    assert run.judgement.verdict == "error"
    assert "could not be read: RuntimeError" in run.judgement.reasons[0]


def test_nan_against_a_list_is_an_error_although_chaos_exits_0(play):
    run = play(experiment(holds=probe("nan", [0.0, 1.0])))
    assert (run.returncode, run.journal["status"]) == (0, "completed")
    assert (run.judgement.verdict, run.judgement.reasons) == ("error", ("steady state before: nan read NaN",))


@pytest.mark.parametrize("func", ["nan", "none"])
def test_a_range_tolerance_crashes_on_what_is_no_number_and_the_log_is_quoted(play, func):
    run = play(experiment(holds=probe(func, {"type": "range", "range": [0, 1]})))
    assert run.journal is None
    assert run.judgement.verdict == "error"
    assert "left no journal" in run.judgement.reasons[0]
    assert run.returncode == 1


def test_a_nan_in_the_method_is_an_error(play):
    run = play(experiment(method=activity("nan", "probe")))
    assert (run.returncode, run.judgement.verdict) == (0, "error")


def test_an_invalid_file_leaves_no_journal(play):
    run = play({"title": "only"})
    assert (run.journal, run.judgement.verdict) == (None, "error")
    assert "requires a description" in run.judgement.reasons[0]


def test_sigterm_inside_an_activity_does_not_stop_chaos(play):
    run = play(experiment(method=activity("get_signal", number=int(signal.SIGTERM))))
    assert (run.returncode, run.journal["status"]) == (0, "completed")
    assert run.judgement.verdict == "error"


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGINT])
def test_an_interrupted_run_says_so(play, signum):
    run = play(experiment(method=activity("get_signal", number=int(signum))))
    assert run.journal["status"] == "interrupted"
    assert (run.judgement.verdict, run.judgement.reasons) == ("interrupted", ("the experiment was interrupted",))


def start(tmp_path, content):
    file = tmp_path / "e.json"
    file.write_text(json.dumps(content))
    return run_chaos(file, journal=tmp_path / "journal.json", log=tmp_path / "chaos.log", state_dir=tmp_path)


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def test_a_run_asked_to_leave_plays_its_rollbacks(tmp_path, environment):
    waiting, undone = tmp_path / "waiting", tmp_path / "undone"
    process = start(
        tmp_path, experiment(method=activity("wait", path=str(waiting)), rollback=activity("mark", path=str(undone)))
    )
    wait_for(waiting)
    returncode = leave(process, timeout_s=20)
    assert undone.exists()
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert judge(Evidence(journal, (), returncode)).verdict == "interrupted"
    assert "Received the exit signal" in (tmp_path / "chaos.log").read_text()


def test_a_killed_run_leaves_no_journal_and_says_which_signal(tmp_path, environment):
    (tmp_path / "journal.json").write_text("{}")  # of a run before; must not be taken for this one's
    process = start(tmp_path, experiment(method=activity("wait", path=str(tmp_path / "waiting"))))
    wait_for(tmp_path / "waiting")
    process.kill()
    process.wait()
    assert not (tmp_path / "journal.json").exists()
    assert judge(Evidence(None, (), process.returncode)).reasons == (
        "chaos was killed by signal 9 and left no journal",
    )
