"""One replica is started, proven, watched and restarted; a stop leaves no process. Real processes, fake server."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from serving.backoff import Backoff
from serving.engine.triton import TritonLaunch
from serving.errors import EnvironmentLacks
from serving.fleet.cold_start import StartChecks
from serving.fleet.journal import Journal
from serving.fleet.model import EndpointInfo, PlatformSpec, PlatformState, ProcessInfo, ReplicaInfo, StateFiles
from serving.fleet.process import Child, adopt_orphans, last_lines
from serving.fleet.replica import ReplicaKeeper, TritonProgram

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


async def until(condition, timeout_s=10.0):
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def events(files):
    lines = files.events.read_text().splitlines() if files.events.exists() else []
    return [json.loads(line)["event"] for line in lines]


@pytest.fixture
def keeper(tmp_path):
    return make_keeper(tmp_path, SLEEPER)


def make_keeper(tmp_path, argv, probe=None, **options):
    files = StateFiles(tmp_path)
    info = ReplicaInfo("llm-0", grpc_address="127.0.0.1:1")
    state = PlatformState("test", 0.0, ProcessInfo("supervisor"), EndpointInfo("gateway"), PlatformSpec(), [info])

    async def at_once(_replica):
        return {}

    return ReplicaKeeper(
        info=info,
        program=TritonProgram(
            "llm-0",
            TritonLaunch(argv, dict(os.environ)),
            {"SRE_PLATFORM_ID": "test"},
            "sre-unit-test-llm-0",
            tmp_path / "llm-0.log",
        ),
        journal=Journal(files, state, now=time.time),
        checks=StartChecks(at_once, probe or at_once, at_once, lambda _pid: None),
        now=time.time,
        backoff=Backoff(first_s=0.01),
        **options,
    )


async def test_a_killed_replica_is_restarted_on_a_new_process(keeper, tmp_path):
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.info.state == "ready")
    first = keeper.info.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: keeper.info.state == "ready" and keeper.info.pid != first)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert keeper.info.restarts == 1
    assert events(StateFiles(tmp_path)) == [
        "replica_started",
        "replica_ready",
        "replica_exited",
        "replica_restart_scheduled",
        "replica_started",
        "replica_ready",
        "replica_exited",
    ]


async def test_a_stop_leaves_no_process(keeper):
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.info.state == "ready")
    pid = keeper.info.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(pid)
    assert keeper.info.state == "stopped"


async def test_a_server_that_never_serves_is_restarted(tmp_path):
    async def never(_replica):
        raise EnvironmentLacks("no")

    keeper = make_keeper(tmp_path, SLEEPER, probe=never, start_timeout_s=0.2)
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.info.restarts >= 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "replica_ready" not in events(StateFiles(tmp_path))


async def test_the_first_answer_tells_how_long_each_phase_of_the_start_took(tmp_path):
    asked = []

    async def third_time(_replica):
        asked.append("inference")
        if len(asked) < 3:
            raise EnvironmentLacks("not yet")

    keeper = make_keeper(tmp_path, SLEEPER, probe=third_time)
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.info.state == "ready")
    task.cancel()
    await asyncio.wait({task})
    lines = map(json.loads, StateFiles(tmp_path).events.read_text().splitlines())
    (told,) = [line["detail"]["phases"] for line in lines if line["event"] == "replica_ready"]
    assert list(told) == ["model_load", "first_inference"]
    assert told["first_inference"] >= 0.2


async def test_a_child_carries_its_mark_and_logs(tmp_path):
    code = "import os; print(os.environ['SRE_PLATFORM_ID'], flush=True)"
    child = await Child.spawn(
        "x", (sys.executable, "-c", code), env={**os.environ, "SRE_PLATFORM_ID": "abc"}, log=tmp_path / "x.log"
    )
    assert await child.wait() == 0
    assert last_lines(tmp_path / "x.log") == "abc"


async def test_a_child_that_ignores_sigterm_is_killed_with_its_own_children(tmp_path):
    stubborn = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(p.pid, flush=True);"
        "time.sleep(600)"
    )
    log = tmp_path / "x.log"
    child = await Child.spawn("x", (sys.executable, "-c", stubborn), env=os.environ, log=log)
    await until(lambda: log.read_text().strip().isdigit())
    grandchild = int(log.read_text())
    await child.stop(grace_s=0.2)
    await until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")
    assert child.returncode == -signal.SIGKILL


async def test_what_outlives_a_killed_child_is_ended_and_collected(tmp_path, adopting_orphans):
    """A Triton stub whose server was killed: nobody else waits for it, so it would stay a zombie."""
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    log = tmp_path / "x.log"
    child = await Child.spawn("x", (sys.executable, "-c", code), env=os.environ, log=log)
    await until(lambda: log.read_text().strip().isdigit())
    os.kill(child.pid, signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    assert not psutil.pid_exists(int(log.read_text()))


@pytest.fixture
def adopting_orphans():
    set_subreaper = 36
    adopt_orphans()
    yield
    ctypes.CDLL(None).prctl(set_subreaper, 0)


async def test_the_number_of_an_ended_session_is_never_signalled_again(tmp_path, monkeypatch):
    child = await Child.spawn("x", (sys.executable, "-c", ""), env=os.environ, log=tmp_path / "x.log")
    await child.wait()
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("somebody else's by now"))
    await child.stop(grace_s=0.1)


async def test_a_stop_while_a_dead_server_s_probe_ends_is_heeded(tmp_path):
    async def lingering(_replica):
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.2)

    keeper = make_keeper(tmp_path, (sys.executable, "-c", ""), probe=lingering)
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.info.pid is not None)
    await asyncio.sleep(0.1)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert events(StateFiles(tmp_path))[-1] == "replica_exited"


def test_children_die_with_a_killed_parent(tmp_path):
    code = f"""
import asyncio, os, sys
from pathlib import Path
from serving.fleet.process import Child

async def main():
    argv = (sys.executable, "-c", "import time; time.sleep(600)")
    child = await Child.spawn("c", argv, env=os.environ, log=Path({str(tmp_path / "c.log")!r}))
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


def test_the_delay_stays_at_its_cap_however_often_a_replica_fails():
    backoff = Backoff(first_s=0.5, cap_s=30.0, failures=5000)
    assert backoff.next_delay(served_s=0.0) == 30.0
