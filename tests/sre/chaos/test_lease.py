"""A fault is on the disk before it is applied, proven before it counts, and undone by whoever is left."""

import os
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from sre.chaos.faults import catalogue
from sre.chaos.faults.model import Fault, NotProven, Plan
from sre.chaos.leases import lease as life
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger, NotWritten
from sre.chaos.leases.records import open_leases
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError, SreError
from sre.platforms.state import NotUp


@dataclass(frozen=True)
class Ill(Fault):
    """A replica's engine is told to be ill; the platform's `trouble` says what goes wrong with it."""

    name: ClassVar[str] = "ill"
    family: ClassVar[str] = "engine"
    replica: str = "llm-1"

    def plan(self, platform):
        return Plan(replicas=(self.replica,), handles={"replica": self.replica})

    @staticmethod
    def apply(platform, lease):
        platform.set_engine_faults(lease.plan.handles["replica"], {"ill": True})
        _strike(platform, "apply")

    @staticmethod
    def prove(platform, lease):
        _strike(platform, "prove")
        return f"{lease.plan.target} is ill"

    @staticmethod
    def undo(platform, lease):
        _strike(platform, "undo")
        platform.set_engine_faults(lease.plan.handles["replica"], {})


def _strike(platform, when):
    trouble = platform.trouble.get(when)
    if trouble is not None:
        raise trouble


@pytest.fixture
def platform(platform, monkeypatch):
    platform.trouble = {}
    monkeypatch.setattr(
        life, "fault_class", lambda name, driver: Ill if name == "ill" else catalogue.fault_class(name, driver)
    )
    return platform


def events(platform):
    return [record.event for record in Ledger(platform.state_dir).read() if record.fault_id]


def ill(platform):
    return [name for name in platform.serving_since if platform.engine_faults(name)]


def test_a_proven_fault_is_there_and_written_down(platform, run, clock):
    done = inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert done.proof == "llm-1 is ill"
    assert ill(platform) == ["llm-1"]
    assert events(platform) == ["fault_begin", "fault_proven"]
    (lease,) = open_leases(Ledger(platform.state_dir).read())
    assert (lease.plan, lease.deadline_at, lease.run) == (done.lease.plan, clock.at + 60, run.process)


def test_its_line_is_on_the_disk_before_it_is_applied(platform, run, clock, monkeypatch):
    seen = []
    tell = platform.set_engine_faults
    monkeypatch.setattr(platform, "set_engine_faults", lambda *a: (seen.extend(events(platform)), tell(*a)))
    inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert seen == ["fault_begin"]


def test_it_is_undone_once_however_often_it_is_healed(platform, run, clock):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    assert heal(platform, lease, by="watchdog", now=clock)
    assert not heal(platform, lease, by="run", now=clock)
    assert ill(platform) == []
    assert events(platform) == ["fault_begin", "fault_proven", "fault_undone"]
    assert platform.told == [("llm-1", {"ill": True}), ("llm-1", {})]


@pytest.mark.parametrize("when", ["apply", "prove"])
@pytest.mark.parametrize("trouble", [NotProven("llm-1 is as well as ever"), KeyboardInterrupt(), SystemExit(20)])
def test_what_goes_wrong_while_it_is_made_takes_it_back(platform, run, clock, when, trouble):
    platform.trouble[when] = trouble
    with pytest.raises(type(trouble)):
        inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert ill(platform) == []
    assert events(platform) == ["fault_begin", "fault_not_proven", "fault_undone"]


def test_what_can_neither_be_made_nor_undone_stays_open_as_given_up(platform, run, clock):
    platform.trouble = {"prove": NotProven("nothing moved"), "undo": PlatformError("it does not listen")}
    with pytest.raises(PlatformError, match="does not listen"):
        inject(platform, Ill(), lease_s=60, run=run, now=clock)
    (fault,) = Ledger(platform.state_dir).open_faults()
    assert (fault.proven, ill(platform)) == (False, ["llm-1"])


def test_the_lease_ends_with_the_run_at_the_latest(platform, run, clock):
    run = replace(run, deadline_at=clock.at + 5)
    assert inject(platform, Ill(), lease_s=60, run=run, now=clock).lease.deadline_at == clock.at + 5


def test_after_the_runs_deadline_nothing_is_broken(platform, run, clock):
    with pytest.raises(PlatformError, match="deadline"):
        inject(platform, Ill(), lease_s=60, run=replace(run, deadline_at=clock.at), now=clock)
    assert (events(platform), platform.told) == ([], [])


@pytest.mark.parametrize("lease_s", [0, -1, float("inf"), float("nan")])
def test_a_lease_without_end_is_refused(platform, run, clock, lease_s):
    with pytest.raises(SreError, match="lease_s"):
        inject(platform, Ill(), lease_s=lease_s, run=run, now=clock)
    assert events(platform) == []


def test_outside_the_blast_radius_nothing_is_written_and_nothing_done(platform, run, clock):
    narrow = replace(run, radius=BlastRadius(max_replicas=1, min_healthy=3))
    with pytest.raises(PlatformError, match="blast radius"):
        inject(platform, Ill(), lease_s=60, run=narrow, now=clock)
    assert (events(platform), platform.told) == ([], [])


def test_without_a_watchdog_nothing_is_done(platform, run, clock):
    def nobody_watches():
        raise PlatformError("the watchdog does not start")

    with pytest.raises(PlatformError, match="watchdog"):
        inject(platform, Ill(), lease_s=60, run=run, watched=nobody_watches, now=clock)
    assert (events(platform), platform.told) == ([], [])


def test_a_run_that_slept_past_its_lease_does_not_apply(platform, run, clock, monkeypatch):
    """Stopped between the written line and the act, it wakes up when the lease is over."""
    monkeypatch.setattr(Ledger, "append", stopped_after(Ledger.append, "fault_begin", lambda: clock_forward(clock, 61)))
    with pytest.raises(PlatformError, match="lease was over"):
        inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert ("llm-1", {"ill": True}) not in platform.told
    assert events(platform) == ["fault_begin", "fault_not_proven", "fault_undone"]


def test_a_fault_that_was_undone_before_it_was_applied_is_not_applied(platform, run, clock, monkeypatch):
    def undone_by_somebody():
        (lease,) = open_leases(Ledger(platform.state_dir).read())
        life.note(Ledger(platform.state_dir), lease, "fault_undone", clock.at, by="watchdog")

    monkeypatch.setattr(Ledger, "append", stopped_after(Ledger.append, "fault_begin", undone_by_somebody))
    with pytest.raises(PlatformError, match="lease was over"):
        inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert ("llm-1", {"ill": True}) not in platform.told


def stopped_after(append, event, meanwhile):
    def stopping(ledger, record):
        append(ledger, record)
        if record.event == event:
            meanwhile()

    return stopping


def clock_forward(clock, seconds):
    clock.at += seconds


def full_for(monkeypatch, *full):
    append = Ledger.append

    def on_a_full_disk(ledger, record):
        if record.event in full:
            raise NotWritten(f"{ledger.path}: {record.event} cannot be written (No space left on device)")
        append(ledger, record)

    monkeypatch.setattr(Ledger, "append", on_a_full_disk)


def test_what_cannot_be_written_down_is_not_applied(platform, run, clock, monkeypatch):
    full_for(monkeypatch, "fault_begin")
    with pytest.raises(NotWritten, match="No space"):
        inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert platform.told == []


def test_a_proof_that_cannot_be_written_down_takes_the_fault_back(platform, run, clock, monkeypatch):
    full_for(monkeypatch, "fault_proven", "fault_not_proven", "fault_undone")
    with pytest.raises(NotWritten, match="fault_proven"):
        inject(platform, Ill(), lease_s=60, run=run, now=clock)
    assert ill(platform) == []
    assert len(Ledger(platform.state_dir).open_faults()) == 1  # so somebody will undo it once more


def test_an_undo_is_done_on_a_full_disk_and_repeated_until_it_can_be_written_down(platform, run, clock, monkeypatch):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    with monkeypatch.context() as full:
        full_for(full, "fault_undone")
        for _ in range(2):
            with pytest.raises(NotWritten):
                heal(platform, lease, by="watchdog", now=clock)
        assert ill(platform) == []
    assert heal(platform, lease, by="watchdog", now=clock)
    assert not Ledger(platform.state_dir).open_faults()


def test_what_went_with_its_platform_needs_no_undoing(platform, run, clock):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    platform.trouble["undo"] = NotUp("no platform is up here")
    assert heal(platform, lease, by="watchdog", now=clock)
    undone = Ledger(platform.state_dir).read()[-1]
    assert (undone.event, undone.detail["how"]) == ("fault_undone", "the platform is down")


def test_what_only_seems_to_be_down_keeps_its_fault_open(platform, run, clock):
    """A clock that was set makes a living platform look like the last one's leftovers."""
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    platform.trouble["undo"] = NotUp("no platform is up here")
    marks = {"SRE_PLATFORM_ID": "5afe", "SRE_STATE_DIR": str(platform.state_dir)}
    with subprocess.Popen([shutil.which("sleep"), "60"], env=marks) as alive:
        try:
            with pytest.raises(NotUp):
                heal(platform, lease, by="watchdog", now=clock)
        finally:
            alive.kill()
    assert heal(platform, lease, by="watchdog", now=clock)


@pytest.mark.parametrize("line", ["nonsense", '{"at": 1}', '{"at": 1, "event": "fault_begin"'])
def test_beside_a_damaged_line_nothing_is_injected_and_all_else_is_undone(platform, run, clock, line):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    with Ledger(platform.state_dir).path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(SreError, match="remove the line"):
        inject(platform, Ill(replica="llm-2"), lease_s=60, run=run, now=clock)
    assert heal(platform, lease, by="sre chaos heal", now=clock)
    assert ill(platform) == []


def test_ctrl_c_during_an_undo_waits_until_it_is_done(platform, run, clock, monkeypatch):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    tell = platform.set_engine_faults
    monkeypatch.setattr(platform, "set_engine_faults", lambda *a: (os.kill(os.getpid(), signal.SIGINT), tell(*a)))
    with pytest.raises(KeyboardInterrupt):
        heal(platform, lease, by="run", now=clock)
    assert (ill(platform), events(platform)[-1]) == ([], "fault_undone")


def test_two_who_heal_at_once_undo_once(platform, run, clock):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease
    said = []
    healers = [threading.Thread(target=lambda: said.append(heal(platform, lease, by="x", now=clock))) for _ in range(4)]
    for healer in healers:
        healer.start()
    for healer in healers:
        healer.join()
    assert sorted(said) == [False, False, False, True]
    assert platform.told.count(("llm-1", {})) == 1


def test_a_ledger_that_cannot_be_read_does_not_say_that_it_was_undone(platform, run, clock, monkeypatch):
    lease = inject(platform, Ill(), lease_s=60, run=run, now=clock).lease

    def no_file_left(_path):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as moment:
        moment.setattr("pathlib.Path.read_bytes", no_file_left)
        with pytest.raises(PlatformError, match="cannot be read"):
            heal(platform, lease, by="watchdog", now=clock)
    assert heal(platform, lease, by="watchdog", now=clock)
    assert ill(platform) == []
