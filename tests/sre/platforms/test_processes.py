"""A process is ours by its creation time or by its marks, never by its pid alone. Real processes."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from sre.platforms import processes
from sre.platforms.local.signals import condition_of, handle_of
from sre.platforms.processes import ProcessRef, birth_of, find, find_born, kill_all, marked, wait_gone

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def start():
    """Starts sleepers with given environment variables; none survives the test."""
    children = []

    def run(**marks):
        child = subprocess.Popen(SLEEPER, env={**os.environ, **marks})
        children.append(child)
        wait_for_environment(child.pid)
        return child

    yield run
    for child in children:
        child.kill()
        child.wait()


def wait_for_environment(pid):
    """Between fork and exec a child shows its parent's environment."""
    deadline = time.monotonic() + 5
    while psutil.Process(pid).cmdline() != list(SLEEPER) and time.monotonic() < deadline:
        time.sleep(0.005)


def ref(child):
    return ProcessRef(child.pid, psutil.Process(child.pid).create_time())


def test_a_noted_process_is_found_while_it_lives(start):
    child = start()
    assert find(ref(child)).pid == child.pid


def test_a_recycled_pid_is_not_taken_for_the_noted_process(start):
    child = start()
    assert find(ProcessRef(child.pid, ref(child).created - 3600)) is None


def test_a_zombie_is_as_good_as_gone(start):
    child = start()
    noted = ref(child)
    process = find(noted)
    process.kill()
    assert wait_gone(process, timeout_s=5) is not None
    assert find(noted) is None


def test_a_process_noted_with_its_birth_is_found_whatever_the_clock_says(start):
    child = start()
    assert find_born(child.pid, birth_of(child.pid)).pid == child.pid
    handle = handle_of(psutil.Process(child.pid))
    assert condition_of({**handle, "created": handle["created"] - 3600}) == "running"


def test_of_another_birth_it_is_another_process(start):
    child = start()
    boot, _, tick = birth_of(child.pid).partition(":")
    assert find_born(child.pid, f"{boot}:{int(tick) - 1}") is None
    assert find_born(child.pid, f"00000000:{tick}") is None


def test_what_is_gone_has_no_birth(start):
    child = start()
    noted = birth_of(child.pid)
    child.kill()
    child.wait()
    assert (birth_of(child.pid), find_born(child.pid, noted)) == (None, None)


def test_a_process_that_stays_is_not_reported_gone(start):
    assert wait_gone(psutil.Process(start().pid), timeout_s=0.05) is None


def test_marked_processes_are_found_by_state_directory(tmp_path, start):
    child = start(SRE_PLATFORM_ID="abc12345", SRE_STATE_DIR=str(tmp_path))
    assert [(m.process.pid, m.platform_id) for m in marked(tmp_path, None)] == [(child.pid, "abc12345")]


def test_marked_processes_are_found_by_platform_id(tmp_path, start):
    child = start(SRE_PLATFORM_ID="abc12345", SRE_STATE_DIR="/elsewhere")
    assert [m.process.pid for m in marked(tmp_path, "abc12345")] == [child.pid]


def test_a_shell_that_exports_only_the_state_directory_is_not_ours(tmp_path, start):
    start(SRE_STATE_DIR=str(tmp_path))
    assert marked(tmp_path, None) == []


def test_another_platforms_processes_are_not_ours(tmp_path, start):
    start(SRE_PLATFORM_ID="other123", SRE_STATE_DIR=str(tmp_path / "other"))
    assert marked(tmp_path, "abc12345") == []


def test_we_and_our_ancestors_are_never_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_marks", lambda process: ("abc12345", str(tmp_path)))
    found = {m.process.pid for m in marked(tmp_path, None)}
    assert os.getpid() not in found
    assert os.getppid() not in found


def test_a_process_whose_environment_may_not_be_read_is_left_alone(tmp_path, start, monkeypatch):
    child = start(SRE_PLATFORM_ID="abc12345", SRE_STATE_DIR=str(tmp_path))

    def denied(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "environ", denied)
    assert marked(tmp_path, None) == []
    assert child.poll() is None


def test_kill_all_ends_every_process(start):
    children = [start(), start()]
    assert kill_all(psutil.Process(c.pid) for c in children) == []
    assert [c.wait() for c in children] == [-9, -9]
