"""`sre chaos faults` and `sre chaos heal`, and what each `sre` call does about what was left behind."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sre.chaos.faults.model import Lease, Plan
from sre.chaos.leases.lease import note
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.lock import holder
from sre.chaos.leases.records import Run, fault_begin, run_begin
from sre.chaos.leases.watchdog import START_LOG
from sre.chaos.model import BlastRadius
from sre.cli.chaos.leftovers import named_state_dir
from sre.platforms.processes import ProcessRef

SRE = Path(sys.executable).parent / "sre"
GONE = ProcessRef(1, 1.0)


@pytest.fixture
def hung():
    """A process that was stopped, as a hung server is."""
    process = subprocess.Popen([shutil.which("sleep"), "60"])
    process.send_signal(signal.SIGSTOP)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def ledger(tmp_path):
    state_dir = tmp_path / ".sre"
    state_dir.mkdir()
    yield Ledger(state_dir)
    if (state_dir / START_LOG).exists():
        end_watchdog(state_dir)


def end_watchdog(state_dir):
    """Also one that has only just been started."""
    deadline = time.monotonic() + 10
    with (state_dir / "watchdog.lock").open("a") as file:
        while (watchdog := holder(file.fileno())) is None and time.monotonic() < deadline:
            time.sleep(0.02)
    if watchdog is not None:
        watchdog.kill()


def write_hang(ledger, hung, *, fault_id="f-1", left_s=60.0, process=GONE, fault="replica-hang"):
    me = psutil.Process()
    run = Run("r-1", process or ProcessRef(me.pid, me.create_time()), "t", BlastRadius(1, 0), time.time() + 600)
    ledger.append(run_begin(run, at=time.time()))
    handle = {"pid": hung.pid, "created": psutil.Process(hung.pid).create_time()}
    plan = Plan(("llm-1",), handles={"server": handle, "stub": handle, "part": "server"})
    now = time.time()
    lease = Lease(fault_id, fault, plan, now + left_s, run.process, run.run_id, now)
    ledger.append(fault_begin(lease, params={}))
    note(ledger, lease, "fault_proven", now, how="its server is stopped")
    return lease


def is_stopped(process):
    return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED


def sre(*arguments, cwd):
    return subprocess.run([SRE, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


def undone_by(ledger):
    return [fault.undone_by for fault in fault_windows(ledger.salvage().records)]


def test_without_a_ledger_no_fault_is_open(tmp_path):
    for verb in ("faults", "heal"):
        done = sre("chaos", verb, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "no fault is open\n", "")
    assert list(tmp_path.iterdir()) == []


def test_an_open_fault_is_shown_with_its_run_and_its_proof(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    done = sre("chaos", "faults", cwd=tmp_path)
    head, row = done.stdout.splitlines()[:2]
    assert head.split() == ["id", "fault", "target", "state", "since", "left", "run", "proof"]
    assert row.startswith("f-1  replica-hang  llm-1   open")
    assert row.endswith("lives  its server is stopped")
    assert is_stopped(hung)


def test_the_same_as_json(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    said = json.loads(sre("chaos", "faults", "--json", cwd=tmp_path).stdout)
    (fault,) = said["faults"]
    assert (said["ok"], fault["fault_id"], fault["state"], fault["run_lives"]) == (True, "f-1", "open", True)
    assert 50 < fault["left_s"] <= 60


def test_what_is_over_is_shown_when_asked_for(tmp_path, ledger, hung):
    lease = write_hang(ledger, hung, process=None)
    note(ledger, lease, "fault_undone", time.time(), by="run")
    assert sre("chaos", "faults", cwd=tmp_path).stdout == "no fault is open\n"
    assert "undone by run" in sre("chaos", "faults", "--all", cwd=tmp_path).stdout


def test_heal_undoes_all_and_says_what(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    done = sre("chaos", "heal", cwd=tmp_path)
    assert done.stdout == "undid replica-hang of llm-1 (f-1)\nno fault is open\n"
    assert (done.returncode, is_stopped(hung), undone_by(ledger)) == (0, False, ["sre chaos heal"])


def test_heal_undoes_only_what_is_named(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    write_hang(ledger, hung, process=None, fault_id="f-2")
    said = json.loads(sre("chaos", "heal", "f-2", "--json", cwd=tmp_path).stdout)
    assert [one["fault_id"] for one in said["undone"]] == ["f-2"]
    assert undone_by(ledger) == [None, "sre chaos heal"]


def test_an_id_that_does_not_exist_is_one_line(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    done = sre("chaos", "heal", "f-9", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "f-9" in done.stderr
    assert is_stopped(hung)


def test_what_stays_is_said_and_exits_1(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None, fault="no-such-fault")
    write_hang(ledger, hung, process=None, fault_id="f-2")
    done = sre("chaos", "heal", cwd=tmp_path)
    assert done.returncode == 1
    assert "no-such-fault of llm-1 (f-1) stays: fault 'no-such-fault' does not exist" in done.stderr
    assert (is_stopped(hung), undone_by(ledger)) == (False, [None, "sre chaos heal"])


def test_a_damaged_line_is_said_and_the_rest_is_undone(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    with ledger.path.open("a") as file:
        file.write("nonsense\n")
    done = sre("chaos", "heal", cwd=tmp_path)
    assert (done.returncode, is_stopped(hung)) == (1, False)
    assert "remove the line" in done.stderr
    assert sre("chaos", "faults", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("left", [{"process": GONE}, {"process": None, "left_s": -1.0}])
def test_each_sre_call_undoes_what_was_left_behind_and_says_so(tmp_path, ledger, hung, left):
    write_hang(ledger, hung, **left)
    done = sre("status", cwd=tmp_path)
    assert "sre: undid replica-hang of llm-1 (f-1)" in done.stderr
    assert (is_stopped(hung), undone_by(ledger)) == (False, ["sre"])
    assert "undid" not in sre("status", cwd=tmp_path).stderr


def test_what_was_left_is_undone_before_it_is_shown(tmp_path, ledger, hung):
    write_hang(ledger, hung)
    done = sre("chaos", "faults", "--state-dir", ".sre", cwd=tmp_path)
    assert done.stdout == "no fault is open\n"
    assert "undid replica-hang" in done.stderr


def test_what_is_still_in_its_time_is_left_alone_and_gets_a_watchdog(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None, left_s=2.5)
    done = sre("status", cwd=tmp_path)
    assert "undid" not in done.stderr
    deadline = time.monotonic() + 30
    while undone_by(ledger) != ["watchdog"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not is_stopped(hung)


def test_sre_down_undoes_first(tmp_path, ledger, hung):
    write_hang(ledger, hung, process=None)
    assert sre("down", cwd=tmp_path).returncode == 0
    assert (is_stopped(hung), undone_by(ledger)) == (False, ["sre down"])


@pytest.mark.parametrize(
    ("arguments", "directory"),
    [
        ([], ".sre"),
        (["status"], ".sre"),
        (["status", "--state-dir", "a"], "a"),
        (["status", "--state-dir=a", "--json"], "a"),
        (["status", "--state-dir"], ""),
    ],
)
def test_the_state_directory_is_found_on_the_command_line(monkeypatch, arguments, directory):
    monkeypatch.delenv("SRE_STATE_DIR", raising=False)
    assert named_state_dir(arguments) == Path(directory)


def test_the_state_directory_is_found_in_the_environment(monkeypatch):
    monkeypatch.setenv("SRE_STATE_DIR", "/elsewhere")
    assert named_state_dir(["status"]) == Path("/elsewhere")
