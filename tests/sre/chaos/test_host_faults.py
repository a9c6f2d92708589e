"""Faults of CPUs, memory and clocks. The eaters are real processes; what they eat is little."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from sre.chaos.faults.background import DEADLINE_AT, FAULT_ID, background_processes
from sre.chaos.faults.host import ClockSkew, CpuPressure, MemoryPressure, cores
from sre.chaos.faults.memory import MIB, Memory, memory_now
from sre.chaos.faults.model import NotProven
from sre.errors import PlatformError, SreError


@pytest.fixture
def real_time(clock):
    """Helpers go by the real clock."""
    clock.at = time.time()
    return clock


def wait_for_end(fault_id, within_s):
    deadline = time.monotonic() + within_s
    while background_processes(fault_id) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not background_processes(fault_id)


def test_burners_take_cpu_until_they_are_ended(platform, lease_for, real_time):
    fault = CpuPressure(workers=1, load_percent=60)
    lease = lease_for(fault, fault_id="f-cpu1")
    assert lease.plan.components == ("host",)
    fault.apply(platform, lease)
    try:
        assert "1 burner(s) use 0." in fault.prove(platform, lease)
        (burner,) = background_processes("f-cpu1")
        assert burner.nice() == psutil.Process().nice()
    finally:
        fault.undo(platform, lease)
    assert background_processes("f-cpu1") == []
    fault.undo(platform, lease)


def test_burners_that_get_no_cpu_prove_nothing(platform, lease_for, real_time, monkeypatch):
    fault = CpuPressure(workers=1)
    lease = lease_for(fault, fault_id="f-cpu2")
    monkeypatch.setattr("sre.chaos.faults.host.background_processes", lambda _: [psutil.Process()])
    monkeypatch.setattr("sre.chaos.faults.host._START_S", 0.3)
    with pytest.raises(NotProven, match=r"1 burner\(s\) got 0\.\d\d s of CPU in 0\.3 s"):
        fault.prove(platform, lease)


def test_all_cores_by_default_and_never_more(platform):
    assert CpuPressure().plan(platform).handles["workers"] == cores()
    with pytest.raises(SreError, match="workers"):
        CpuPressure(workers=cores() + 1)


@pytest.mark.parametrize("eater", [("cpu", "2", "5"), ("memory", "1")])
def test_an_eater_ends_at_its_deadline_when_nobody_is_left_to_end_it(eater):
    env = {**os.environ, FAULT_ID: "f-alone", DEADLINE_AT: repr(time.time() + 1.5)}
    process = subprocess.Popen([sys.executable, "-m", "sre.chaos.processes.pressure", *eater], env=env)
    try:
        assert process.wait(10) == -14  # the kernel's alarm
        assert wait_for_end("f-alone", 2.0)
    finally:
        process.kill()


def test_an_eater_that_starts_after_its_deadline_ends_at_once():
    env = {**os.environ, FAULT_ID: "f-late", DEADLINE_AT: repr(time.time() - 60)}
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "sre.chaos.processes.pressure", "memory", "1"], env=env, check=False)
    assert done.returncode == -14
    assert time.monotonic() - began < 5


def test_memory_is_held_and_the_eater_is_the_first_to_be_killed(platform, lease_for, real_time):
    fault = MemoryPressure(memory_mb=96)
    lease = lease_for(fault, fault_id="f-mem1")
    fault.apply(platform, lease)
    try:
        assert "MiB are resident" in fault.prove(platform, lease)
        (eater,) = background_processes("f-mem1")
        assert eater.memory_info().rss >= 96 * MIB
        with open(f"/proc/{eater.pid}/oom_score_adj") as file:  # noqa: PTH123  (procfs)
            assert file.read().strip() == "1000"
    finally:
        fault.undo(platform, lease)
    assert background_processes("f-mem1") == []


def test_more_memory_than_may_be_taken_is_refused_with_the_most_that_may(platform, monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.host.memory_now", lambda: Memory(total=10 * 2**30, available=5 * 2**30))
    assert MemoryPressure(memory_mb=3072).plan(platform).handles["memory_mb"] == 3072
    with pytest.raises(SreError, match=r"3073 MiB would leave 2047 MiB .* 2048 must stay: write memory_mb up to 3072"):
        MemoryPressure(memory_mb=3073).plan(platform)


def test_an_eater_that_finds_memory_scarce_stops_and_is_not_proven(platform, lease_for, real_time, monkeypatch):
    fault = MemoryPressure(memory_mb=64)
    lease = lease_for(fault, fault_id="f-mem2")
    (platform.state_dir / "logs").mkdir()
    (platform.state_dir / "logs" / "memory-pressure-f-mem2.log").write_text("stopped 32 MiB short: only 1 MiB\n")
    with pytest.raises(NotProven, match="0 of 64 MiB are resident: stopped 32 MiB short"):
        fault.prove(platform, lease)


def test_a_small_machine_keeps_a_gib(platform, monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.host.memory_now", lambda: Memory(total=2 * 2**30, available=3 * 2**29))
    with pytest.raises(SreError, match="write memory_mb up to 512"):
        MemoryPressure(memory_mb=513).plan(platform)


def test_a_container_has_the_memory_of_its_limit(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("0::/pod/one\n")
    group = tmp_path / "fs" / "pod" / "one"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1073741824\n")
    (group / "memory.current").write_text("1000000000\n")
    assert memory_now(tmp_path / "fs", own) == Memory(1073741824, 73741824)


def test_a_group_without_a_limit_has_the_machines_memory(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("0::/\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory_now(tmp_path, own).total == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("skew_s", "proof"),
    [(300.0, "dropped as late 150.0 s before its deadline"), (-60, "served 30.0 s after its deadline")],
)
def test_a_wrong_clock_shows_in_how_deadlines_are_judged(platform, lease_for, skew_s, proof):
    platform.set_engine_faults("llm-0", {"slow_factor": 2.0})
    fault = ClockSkew(skew_s=skew_s)
    lease = lease_for(fault)
    assert lease.plan.replicas == ("llm-0",)
    fault.apply(platform, lease)
    assert proof in fault.prove(platform, lease)
    fault.undo(platform, lease)
    assert platform.engine_faults("llm-0") == {"slow_factor": 2.0}
    fault.undo(platform, lease)


def test_a_clock_that_is_right_proves_nothing(platform, lease_for, monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.host._START_S", 0.2)
    with pytest.raises(NotProven, match="judges deadlines rightly"):
        ClockSkew.prove(platform, lease_for(ClockSkew()))


def test_a_clock_is_set_wrong_once_only(platform):
    platform.set_engine_faults("llm-0", {"clock_skew_s": 5.0})
    with pytest.raises(PlatformError, match="clock_skew_s already"):
        ClockSkew().plan(platform)
