"""A disk that is full for one process, or for all on a small file system of their own."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from sre.chaos.faults import disk
from sre.chaos.faults.disk import DiskFull, require_small_and_own
from sre.chaos.faults.model import NotProven
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.records import Run
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError
from sre.platforms.processes import ProcessRef


@pytest.fixture(autouse=True)
def quick(platform, monkeypatch):
    (platform.state_dir / "samples").mkdir()
    (platform.state_dir / "samples" / "1.jsonl").write_text("{}\n")
    (platform.state_dir / "recorder.json").write_text('{"interval_s": 0.1}')
    monkeypatch.setattr(disk, "_SEEN_WITHIN_S", 1.0)


def test_a_second_full_disk_is_refused_its_undo_would_make_the_first_stay(platform, lease_for):
    first = lease_for(DiskFull())
    DiskFull.apply(platform, first)
    with pytest.raises(PlatformError, match="the recorder may write no byte already: end that fault first"):
        lease_for(DiskFull())
    DiskFull.undo(platform, first)
    assert platform.file_limit(platform.process("recorder")) is None


@contextlib.contextmanager
def writing(path):
    """Somebody appends to the file ten times a second."""
    stop = threading.Event()

    def write():
        while not stop.wait(0.05):
            with contextlib.suppress(OSError), path.open("a") as file:
                file.write("x" * 4096)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_recorder_may_write_no_more_and_its_samples_stop(platform, lease_for):
    platform.set_file_limit(platform.process("recorder"), 10_000)
    fault = DiskFull()
    lease = lease_for(fault)
    assert lease.plan.components == ("recorder",)
    fault.apply(platform, lease)
    assert "the recorder may write no byte to a file" in fault.prove(platform, lease)
    fault.undo(platform, lease)
    assert platform.file_limit(platform.process("recorder")) == 10_000
    fault.undo(platform, lease)


def test_samples_that_go_on_prove_that_it_is_not_full(platform, lease_for):
    fault = DiskFull()
    lease = lease_for(fault)
    fault.apply(platform, lease)
    with writing(platform.state_dir / "samples" / "1.jsonl"), pytest.raises(NotProven, match="still writes to"):
        fault.prove(platform, lease)


def test_silence_without_a_limit_proves_nothing(platform, lease_for):
    with pytest.raises(NotProven, match="has no limit"):
        DiskFull.prove(platform, lease_for(DiskFull()))


def test_a_victim_that_died_keeps_its_successor_from_nothing(platform, lease_for, clock):
    fault = DiskFull(victim="gateway")
    lease = lease_for(fault)
    assert lease.plan.components == ("gateway",)
    fault.apply(platform, lease)
    platform.signal(lease.plan.handles["process"], "kill")
    clock.at += 5
    successor = platform.process("gateway")
    fault.undo(platform, lease)
    assert platform.file_limit(successor) is None
    with pytest.raises(PlatformError, match="its process is gone"):
        fault.apply(platform, lease)


def test_recovery_is_seen_in_samples_that_grow(platform, lease_for):
    lease = lease_for(DiskFull())
    with pytest.raises(PlatformError, match="does not write"):
        DiskFull.recovered(platform, lease, timeout_s=0.4)
    with writing(platform.state_dir / "samples" / "1.jsonl"):
        assert DiskFull.recovered(platform, lease, timeout_s=2.0) == pytest.approx(time.time(), abs=5)


def test_the_root_file_system_is_never_filled(platform):
    if platform.state_dir.stat().st_dev != os.stat("/").st_dev:  # noqa: PTH116  (the same call on both)
        pytest.skip("tmp_path is not on the root file system here")
    with pytest.raises(PlatformError, match="root file system, which is never filled"):
        DiskFull(how="ballast").plan(platform)


def test_a_big_file_system_is_not_filled_either(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_is_root", lambda _: False)
    with pytest.raises(PlatformError, match=r"MiB, max_fs_mb is 1: "):
        require_small_and_own(tmp_path, max_fs_mb=1)


def test_a_ballast_takes_what_is_left_and_goes_without_residue(platform, lease_for, monkeypatch):
    monkeypatch.setattr(disk, "require_small_and_own", lambda *_, **__: None)
    room = [300_000]

    def allocate(descriptor, at, size):
        if size > room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= size
        os.ftruncate(descriptor, at + size)

    monkeypatch.setattr(disk.os, "posix_fallocate", allocate)
    fault = DiskFull(how="ballast")
    lease = lease_for(fault)
    assert lease.plan.components == ("host", "recorder")
    before = set(platform.state_dir.iterdir())
    fault.apply(platform, lease)
    assert room == [0]
    ballast = platform.state_dir / f".ballast-{lease.fault_id}"
    assert ballast.stat().st_size == 300_000 - disk.RESERVE_BYTES
    fault.prove(platform, lease)
    assert not (platform.state_dir / f".reserve-{lease.fault_id}").exists()  # room for the proof's own line
    fault.undo(platform, lease)
    assert set(platform.state_dir.iterdir()) == before
    fault.undo(platform, lease)


@pytest.mark.integration
def test_a_whole_small_disk_is_full_and_the_ledger_on_it_holds_the_proof(platform, tmp_path, clock, monkeypatch):
    monkeypatch.setattr(disk, "_SEEN_WITHIN_S", 20.0)  # what is left of the samples' last page is filled line by line
    small = tmp_path / "small"
    small.mkdir()
    if mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)) != 0:
        pytest.skip("mount: a small file system needs root")
    try:
        platform.state_dir = small
        fill_and_heal(platform, small, clock)
    finally:
        assert mount("--lazy", str(small), program="umount") == 0


def mount(*arguments, program="mount"):
    return subprocess.run([f"/bin/{program}", *arguments], capture_output=True, check=False).returncode


def fill_and_heal(platform, small, clock):
    target = {"job": "gateway", "url": "http://127.0.0.1:9/metrics"}
    config = {"directory": str(small / "samples"), "interval_s": 0.1, "targets": [target]}
    (small / "recorder.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "sre.metrics.recorder", "--config", str(small / "recorder.json")]
    with (small / "recorder.log").open("wb") as log:
        recorder = subprocess.Popen(command, stderr=log)
    try:
        wait_for(lambda: list((small / "samples").glob("*.jsonl")))
        clock.at = time.time()
        me = psutil.Process()
        process = ProcessRef(me.pid, me.create_time())
        run = Run("r-1", process, "", BlastRadius(1, 1, ("host", "recorder")), clock.at + 60)
        done = inject(platform, DiskFull(how="ballast"), lease_s=30, run=run)
        assert "did not grow" in done.proof
        time.sleep(0.5)  # the recorder takes what the proof left
        assert os.statvfs(small).f_bavail * os.statvfs(small).f_frsize <= disk.RESERVE_BYTES
        heal(platform, done.lease, by="run")
        DiskFull.recovered(platform, done.lease, timeout_s=10)
        assert recorder.poll() is None
        (window,) = fault_windows(Ledger(small).read())
        assert (window.proven, window.is_open) == (True, False)
    finally:
        recorder.kill()
        recorder.wait()


def wait_for(seen, *, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not seen() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert seen()


def test_a_ballast_cut_short_by_a_crash_is_undone_from_the_lease_alone(platform, lease_for, monkeypatch):
    monkeypatch.setattr(disk, "require_small_and_own", lambda *_, **__: None)
    lease = lease_for(DiskFull(how="ballast"))
    (platform.state_dir / f".ballast-{lease.fault_id}").write_bytes(b"half")
    platform.up = False
    DiskFull.undo(platform, lease)
    assert not list(platform.state_dir.glob(".ballast-*"))
