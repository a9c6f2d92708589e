"""`up` and `down` with real processes and a stand-in supervisor: nothing of ours stays, nothing else is touched."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from serving.fleet.model import PlatformSpec
from sre.chaos.leases.watchdog import start_watchdog, watches
from sre.errors import EnvironmentLacks, PlatformError
from sre.platforms.local import down, start, up
from sre.platforms.processes import kill_all, marked
from sre.platforms.state import NotUp, read_state

FAKE = Path(__file__).with_name("fake_supervisor.py")
SPEC = PlatformSpec(replicas=2, port=0)
SHM = Path("/dev/shm")  # noqa: S108  (the kernel's mount point)


@pytest.fixture(autouse=True)
def fake_supervisor(monkeypatch):
    monkeypatch.setattr(start, "supervisor_command", lambda spec: (sys.executable, str(FAKE), "--spec", str(spec)))


@pytest.fixture
def state_dir(tmp_path):
    directory = tmp_path / "state"
    yield directory
    down(directory, timeout_s=2)
    assert marked(directory, None) == []


@pytest.fixture
def bystander():
    child = subprocess.Popen(["/bin/sleep", "600"])
    yield child
    assert child.poll() is None, "an unrelated process was touched"
    child.kill()
    child.wait()


def replica_pids(state_dir):
    return [r.process.pid for r in read_state(state_dir).replicas]


def alive(pids):
    return [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]


def test_up_returns_a_serving_platform_and_tells_its_progress(state_dir):
    lines = []
    platform = up(SPEC, state_dir, on_progress=lines.append)
    assert [r.state for r in platform.replicas()] == ["ready", "ready"]
    assert [line.split()[0] for line in lines] == ["llm-0", "llm-1"]


def test_down_ends_everything_and_can_be_repeated(state_dir, bystander):
    up(SPEC, state_dir)
    pids = replica_pids(state_dir)
    report = down(state_dir)
    assert (report.was_up, report.orphans, alive(pids)) == (True, (), [])
    again = down(state_dir)
    assert (again.was_up, again.orphans, again.segments) == (False, (), ())


def test_down_lets_the_watchdog_leave_by_itself(state_dir):
    platform = up(SPEC, state_dir)
    start_watchdog(platform)
    until = time.monotonic() + 20
    while not watches(state_dir):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert down(state_dir).orphans == ()
    assert not watches(state_dir)


def test_down_without_a_platform_does_nothing(tmp_path):
    assert down(tmp_path / "never").was_up is False


def test_down_finds_the_orphans_of_a_killed_supervisor(state_dir, bystander):
    up(SPEC, state_dir)
    pids = replica_pids(state_dir)
    os.kill(read_state(state_dir).supervisor.pid, signal.SIGKILL)
    report = down(state_dir)
    assert len(report.orphans) == 2
    assert alive(pids) == []
    with pytest.raises(NotUp):
        read_state(state_dir)


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_down_works_without_a_usable_state_file(state_dir, damage, bystander):
    up(SPEC, state_dir)
    pids = replica_pids(state_dir)
    supervisor = read_state(state_dir).supervisor.pid
    path = state_dir / "state.json"
    path.unlink() if damage == "missing" else path.write_text("{half")
    report = down(state_dir)
    assert alive([supervisor, *pids]) == []
    assert bool(report.notes) == (damage == "corrupt")


def test_down_kills_a_supervisor_that_does_not_listen(state_dir, monkeypatch):
    monkeypatch.setenv("FAKE_MODE", "deaf")
    up(SPEC, state_dir)
    report = down(state_dir, timeout_s=0.3)
    assert "did not stop" in report.notes[0]
    assert len(report.orphans) == 2


def test_down_does_not_kill_whoever_has_the_supervisors_old_pid(state_dir, bystander):
    state_dir.mkdir()
    created = psutil.Process(bystander.pid).create_time() - 3600
    entry = {"pid": bystander.pid, "created": created}
    state = {"platform_id": "abc12345", "phase": "ready", "started_at": 0.0, "supervisor": entry, "replicas": []}
    (state_dir / "state.json").write_text(json.dumps({**state, "gateway": {**entry, "url": "http://127.0.0.1:1"}}))
    assert down(state_dir).was_up is False


@pytest.mark.skipif(not SHM.is_dir(), reason="no /dev/shm here")
def test_down_removes_the_platforms_shared_memory_and_no_other(state_dir):
    platform = up(SPEC, state_dir)
    ours = SHM / f"sre-{platform.platform_id}-llm-0-region"
    other = SHM / "sre-unittest0-llm-0-region"
    try:
        ours.write_bytes(b"x")
        other.write_bytes(b"x")
        assert down(state_dir).segments == (ours.name,)
        assert not ours.exists()
        assert other.exists()
    finally:
        other.unlink()


def test_down_removes_no_file_of_a_directory_that_up_never_used(tmp_path):
    (tmp_path / "spec.json").write_text("somebody's")
    down(tmp_path)
    assert (tmp_path / "spec.json").exists()


def test_a_second_up_is_refused_while_one_is_up(state_dir):
    up(SPEC, state_dir)
    with pytest.raises(PlatformError, match="up already"):
        up(SPEC, state_dir)
    assert len(alive(replica_pids(state_dir))) == 2


def test_up_clears_away_a_crashed_platform(state_dir):
    up(SPEC, state_dir)
    before = replica_pids(state_dir)
    assert kill_all([psutil.Process(read_state(state_dir).supervisor.pid)]) == []
    up(SPEC, state_dir)
    assert alive(before) == []


def test_up_keeps_the_evidence_of_the_platform_before(state_dir):
    up(SPEC, state_dir)
    (state_dir / "chaos.jsonl").write_text("old\n")
    (state_dir / "prometheus").mkdir()
    (state_dir / "prometheus" / "data").write_text("old samples")
    (state_dir / "control.json").write_text("{}")
    down(state_dir)
    assert not (state_dir / "control.json").exists()
    assert (state_dir / "events.jsonl").exists()
    up(SPEC, state_dir)
    assert (state_dir / "previous" / "chaos.jsonl").read_text() == "old\n"
    assert not (state_dir / "chaos.jsonl").exists()
    assert (state_dir / "previous" / "prometheus" / "data").read_text() == "old samples"
    assert not (state_dir / "prometheus").exists()


def test_up_leaves_a_directory_alone_that_is_not_its_own(tmp_path):
    (tmp_path / "logs").mkdir()
    with pytest.raises(PlatformError, match="choose another --state-dir"):
        up(SPEC, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["logs"]


def test_a_taken_port_is_named_with_its_holder(state_dir):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(EnvironmentLacks, match=rf"port {port} .*pid {os.getpid()}.*--port"):
            up(PlatformSpec(port=port), state_dir)
    assert not (state_dir / "spec.json").exists()


def test_a_failing_platform_says_why_and_leaves_nothing(state_dir, monkeypatch):
    monkeypatch.setenv("FAKE_MODE", "fails")
    with pytest.raises(EnvironmentLacks, match="llm-0 is too big"):
        up(SPEC, state_dir)
    assert marked(state_dir, None) == []


def test_a_supervisor_that_dies_is_quoted_from_its_log_with_its_exit_code(state_dir, monkeypatch):
    monkeypatch.setenv("FAKE_MODE", "dies")
    with pytest.raises(Exception, match="profile 'x' does not exist") as caught:
        up(SPEC, state_dir)
    assert caught.value.exit_code == 2
    assert "noise" not in str(caught.value)


def test_a_platform_that_is_late_is_taken_down(state_dir, monkeypatch):
    monkeypatch.setenv("FAKE_MODE", "hangs")
    with pytest.raises(EnvironmentLacks, match="not ready after"):
        up(SPEC, state_dir, timeout_s=0.5)
    assert marked(state_dir, None) == []


def test_an_interrupt_while_starting_leaves_nothing(state_dir, monkeypatch):
    def interrupt(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        up(SPEC, state_dir, on_progress=interrupt)
    assert marked(state_dir, None) == []


def test_a_platform_that_is_not_detached_ends_with_its_parent(state_dir):
    script = (
        "import sys, time; from pathlib import Path; from serving.fleet.model import PlatformSpec;"
        "from sre.platforms.local import start, up;"
        f"start.supervisor_command = lambda spec: (sys.executable, {str(FAKE)!r}, '--spec', str(spec));"
        f"up(PlatformSpec(replicas=1, port=0), Path({str(state_dir)!r}), detached=False);"
        "print('up', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout.readline() == "up\n"
        pids = [read_state(state_dir).supervisor.pid, *replica_pids(state_dir)]
        parent.kill()
    deadline = time.monotonic() + 10
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(pids) == []
