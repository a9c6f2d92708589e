"""Faults are applied and undone one at a time, and a holder that does not let go is no excuse."""

import signal
import subprocess
import sys
import threading

import pytest

from sre.chaos.leases import lock
from sre.chaos.leases.lock import LOCK_FILE, alone, holder
from sre.errors import PlatformError

HOLD = """
import sys, time
from pathlib import Path
from sre.chaos.leases.lock import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def somebody(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def held_by(tmp_path):
    with (tmp_path / LOCK_FILE).open() as file:
        found = holder(file.fileno())
        return None if found is None else found.pid


def test_the_kernel_says_who_holds_it(tmp_path, somebody):
    assert held_by(tmp_path) == somebody.pid


def test_nobody_holds_it_before_and_after(tmp_path):
    with alone(tmp_path):
        assert held_by(tmp_path) is not None
    assert held_by(tmp_path) is None


def test_a_file_that_merely_lies_open_is_not_held(tmp_path):
    (tmp_path / LOCK_FILE).touch()
    with (tmp_path / LOCK_FILE).open():
        assert held_by(tmp_path) is None


def test_who_waits_in_vain_is_told_whom_to_end(tmp_path, somebody, monkeypatch):
    monkeypatch.setattr(lock, "STOPPED_WAIT_S", 0.1)
    with pytest.raises(PlatformError, match=f"process {somebody.pid} applies or undoes"), alone(tmp_path, wait_s=0.1):
        pytest.fail("two are alone")
    assert somebody.poll() is None


def test_a_stopped_holder_is_ended_by_who_may(tmp_path, somebody, monkeypatch):
    monkeypatch.setattr(lock, "STOPPED_WAIT_S", 0.1)
    somebody.send_signal(signal.SIGSTOP)
    with alone(tmp_path, end_holder=True):
        assert somebody.wait(10) == -signal.SIGKILL


def test_one_that_works_is_given_its_time_before_it_is_ended(tmp_path, somebody):
    with alone(tmp_path, wait_s=0.5, end_holder=True):
        assert somebody.wait(10) == -signal.SIGKILL


def test_a_dead_holder_keeps_nobody(tmp_path, somebody):
    somebody.kill()
    with alone(tmp_path):
        assert held_by(tmp_path) is not None


def test_threads_of_one_process_exclude_each_other_and_none_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "STOPPED_WAIT_S", 0.1)
    said = []

    def other():
        try:
            with alone(tmp_path, wait_s=0.1, end_holder=True):
                said.append("in")
        except PlatformError as error:
            said.append(str(error))

    with alone(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "applies or undoes a fault" in said[0]


def test_without_a_state_directory_it_is_one_line(tmp_path):
    with pytest.raises(PlatformError, match="is a platform up here"), alone(tmp_path / "never"):
        pytest.fail("there is no lock")
