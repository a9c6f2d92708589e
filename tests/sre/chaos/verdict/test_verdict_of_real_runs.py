"""The verdict over journals of the real `chaos run` on tiny experiments: the toolkit's exit code is not enough.

Each case first shows what the toolkit says of the run, then what we say. The cases are in `tiny_experiments.py`.
"""

import importlib.util
import sys
import time
from pathlib import Path

import pytest

from sre.chaos.runs.run import leave, run_chaos
from sre.chaos.verdict import Evidence, judge


def load(name):
    key = f"sre_verdict_{name}"
    spec = importlib.util.spec_from_file_location(key, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    spec.loader.exec_module(module)
    return module


tiny = load("tiny_experiments")


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return tiny.play_all(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("name", tiny.CASES)
def test_a_run_is_judged_by_what_it_left_behind(ended, name):
    run = ended[name]
    case, judgement = run.case, run.judgement
    if case.exit is not None:
        assert run.returncode == case.exit
    if case.status is not None:
        assert run.evidence.journal["status"] == case.status
    assert judgement.verdict == case.verdict, judgement.reasons
    assert case.says in (judgement.reasons[0] if judgement.reasons else ""), judgement.reasons


def test_chaos_itself_calls_most_of_what_we_refuse_completed(ended):
    """Exit code 0 and "completed" on runs that tested nothing, broke down, or found a weakness: why we judge."""
    said_good = {name for name, run in ended.items() if run.returncode == 0 and run.judgement.verdict != "passed"}
    assert said_good >= {"action raised", "rollback raised", "left open", "before", "during", "control missing"}
    assert {run.evidence.journal["deviated"] for name, run in ended.items() if name in said_good} == {False}


@pytest.fixture
def toys(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parent), *sys.path]))
    return tmp_path


def start(folder, case):
    file = folder / "e.json"
    file.write_text(tiny.json.dumps(case.experiment()))
    return run_chaos(file, journal=folder / "journal.json", log=folder / "chaos.log", state_dir=folder)


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


WAITING = (tiny.BREAK, tiny.HEAL, tiny.activity("mark", sign="waiting"), tiny.activity("nap", seconds=30))


def test_a_run_asked_to_leave_plays_its_rollbacks(toys):
    rollback = tiny.activity("mark", sign="undone")
    process = start(toys, tiny.Case("", method=WAITING, rollbacks=(rollback,)))
    wait_for(toys / "waiting")
    returncode = leave(process, timeout_s=20)
    assert (toys / "undone").exists()
    journal = tiny.json.loads((toys / "journal.json").read_text())
    assert judge(Evidence(journal, tiny.read_ledger(toys / "chaos.jsonl"), returncode)).verdict == "interrupted"
    assert "Received the exit signal" in (toys / "chaos.log").read_text()


def test_the_journal_of_a_run_before_is_not_taken_for_this_ones(toys):
    (toys / "journal.json").write_text("{}")
    process = start(toys, tiny.Case("", method=WAITING))
    wait_for(toys / "waiting")
    process.kill()
    process.wait()
    assert not (toys / "journal.json").exists()
    assert judge(Evidence(None, (), process.returncode)).reasons == (
        "chaos was killed by signal 9 and left no journal",
    )
