"""The watchdog's looks, one by one, by a fake clock: what is due is undone, and one fault is not another's hostage."""

import errno
import os
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from sre.chaos.faults.model import Fault, NotProven, Plan
from sre.chaos.leases import lease as life
from sre.chaos.leases import recovery, watch
from sre.chaos.leases.lease import inject
from sre.chaos.leases.ledger import Ledger, LedgerRecord, NotWritten, fault_windows
from sre.chaos.leases.watch import Watch
from sre.errors import PlatformError
from sre.platforms.processes import ProcessRef

GONE = ProcessRef(1, 1.0)


@dataclass(frozen=True)
class Ill(Fault):
    name: ClassVar[str] = "ill"
    family: ClassVar[str] = "engine"
    replica: str = "llm-1"

    def plan(self, platform):
        return Plan(replicas=(self.replica,))

    @staticmethod
    def apply(platform, lease):
        platform.set_engine_faults(lease.plan.target, {"ill": True})

    @staticmethod
    def prove(platform, lease):
        return "it is ill"

    @staticmethod
    def undo(platform, lease):
        platform.tried.append(lease.plan.target)
        if lease.plan.target in platform.incurable:
            raise platform.incurable[lease.plan.target]
        platform.set_engine_faults(lease.plan.target, {})


@pytest.fixture
def platform(platform, monkeypatch):
    platform.tried, platform.incurable = [], {}
    for module in (life, recovery, watch):
        monkeypatch.setattr(module, "fault_class", lambda name, driver: Ill)
    return platform


@pytest.fixture
def ticks():
    """The clock that nobody sets."""

    class Ticks:
        at = 50.0

        def __call__(self):
            return self.at

    return Ticks()


@pytest.fixture
def watching(platform, clock, ticks):
    return Watch(platform, now=clock, monotonic=ticks)


@pytest.fixture
def broken(platform, run, clock):
    """`broken("llm-1")`: that replica is ill for a minute, by a run that lives."""
    return lambda name="llm-1", of=run, lease_s=60: (
        inject(platform, Ill(name), lease_s=lease_s, run=of, now=clock).lease
    )


def ill(platform):
    return [name for name in platform.serving_since if platform.engine_faults(name)]


def pass_by(clock, ticks, seconds):
    clock.at += seconds
    ticks.at += seconds


def undone_by(platform):
    return [fault.undone_by for fault in fault_windows(Ledger(platform.state_dir).salvage().records)]


def test_a_fault_within_its_lease_is_left_alone(watching, broken, platform, clock, ticks):
    broken()
    assert watching.step()
    pass_by(clock, ticks, 59)
    assert watching.step()
    assert ill(platform) == ["llm-1"]


def test_at_the_deadline_it_is_undone(watching, broken, platform, clock, ticks):
    broken()
    watching.step()
    pass_by(clock, ticks, 60)
    watching.step()
    assert (ill(platform), undone_by(platform)) == ([], ["watchdog"])


def test_when_its_run_is_gone_it_is_undone(watching, broken, platform, run):
    broken(of=replace(run, process=GONE))
    watching.step()
    assert ill(platform) == []


def test_when_its_run_has_ended_it_is_undone(watching, broken, platform, run, clock):
    broken()
    Ledger(platform.state_dir).append(LedgerRecord(clock.at, "run_end", detail={"run": run.run_id}))
    watching.step()
    assert ill(platform) == []


def test_what_was_given_up_is_tried_at_once(watching, broken, platform, monkeypatch):
    def as_well_as_ever(platform, lease):
        raise NotProven("nothing moved")

    monkeypatch.setattr(Ill, "prove", as_well_as_ever)
    platform.incurable["llm-1"] = PlatformError("it does not listen")
    with pytest.raises(PlatformError):
        broken()
    platform.incurable.clear()
    watching.step()
    assert ill(platform) == []


def test_a_clock_that_is_set_back_does_not_lengthen_a_lease(watching, broken, platform, clock, ticks):
    broken()
    watching.step()
    clock.at -= 3600
    ticks.at += 60
    watching.step()
    assert ill(platform) == []


def test_a_clock_that_is_set_forward_ends_it_early(watching, broken, platform, clock):
    broken()
    watching.step()
    clock.at += 3600
    watching.step()
    assert ill(platform) == []


@pytest.mark.parametrize("trouble", [PlatformError("it does not listen"), ZeroDivisionError("a bug in a fault")])
def test_one_that_stays_does_not_keep_the_others(watching, broken, platform, clock, ticks, trouble):
    platform.incurable["llm-1"] = trouble
    broken("llm-1")
    broken("llm-2")
    watching.step()
    pass_by(clock, ticks, 60)
    assert watching.step()
    assert ill(platform) == ["llm-1"]


def test_one_that_stays_is_tried_again_less_and_less_often(watching, broken, platform, clock, ticks):
    platform.incurable["llm-1"] = PlatformError("it does not listen")
    broken()
    watching.step()
    pass_by(clock, ticks, 60)
    tries = []
    for _ in range(600):
        watching.step()
        tries.append(len(platform.tried))
        pass_by(clock, ticks, 0.1)
    assert tries[10] >= 2  # within the first second
    assert 8 <= tries[-1] <= 14
    platform.incurable.clear()
    pass_by(clock, ticks, 10)
    watching.step()
    assert ill(platform) == []


def test_an_undo_that_hangs_is_left_after_a_while(watching, broken, platform, clock, ticks, monkeypatch):
    monkeypatch.setattr(watch, "HEAL_LIMIT_S", 0.05)
    broken("llm-1")
    broken("llm-2")
    tell = platform.set_engine_faults

    def hang(name, faults):
        if name == "llm-1":
            time.sleep(30)
        tell(name, faults)

    monkeypatch.setattr(platform, "set_engine_faults", hang)
    watching.step()
    pass_by(clock, ticks, 60)
    began = time.monotonic()
    watching.step()
    assert time.monotonic() - began < 10
    assert ill(platform) == ["llm-1"]


def test_a_damaged_line_keeps_nobody(watching, broken, platform, clock, ticks):
    broken()
    with Ledger(platform.state_dir).path.open("ab") as file:
        file.write(b'\xff{"at"\n{"at": 1, "event": "fault_begin", "fault_id": "f-9", "fault": "x", "target": "", ')
        file.write(b'"detail": {"plan": 7}}\n')
    pass_by(clock, ticks, 60)
    watching.step()
    assert ill(platform) == []


@pytest.mark.parametrize("met_before", [True, False])
def test_a_ledger_that_cannot_be_read_for_a_moment_is_not_an_empty_one(
    watching, broken, platform, clock, ticks, monkeypatch, met_before
):
    broken()
    if met_before:
        watching.step()
    with monkeypatch.context() as moment:
        moment.setattr("pathlib.Path.read_bytes", no_file_left)
        os.utime(platform.state_dir / "chaos.jsonl", (1, 1))
        assert watching.step()
        assert not watching.heal_all("asked to leave") or met_before
    pass_by(clock, ticks, 60)
    watching.step()
    assert ill(platform) == []


def await_end(watching, platform):
    deadline = time.monotonic() + 10
    while fault_windows(Ledger(platform.state_dir).read())[0].end is None:
        assert time.monotonic() < deadline
        watching.step()


def no_file_left(_path):
    raise OSError(errno.EMFILE, "Too many open files")


def test_a_machine_without_a_free_thread_ends_no_watchdog(watching, broken, platform, run, monkeypatch):
    broken(of=replace(run, process=GONE))

    def start(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as moment:
        moment.setattr("threading.Thread.start", start)
        watching.step()
        watching.step()
    assert ill(platform) == []
    watching.step()
    await_end(watching, platform)


def test_on_a_full_disk_it_is_undone_and_written_down_later(watching, broken, platform, clock, ticks, monkeypatch):
    def full(ledger, record):
        raise NotWritten("No space left on device")

    broken()
    watching.step()
    pass_by(clock, ticks, 60)
    with monkeypatch.context() as disk:
        disk.setattr(Ledger, "append", full)
        watching.step()
    assert (ill(platform), undone_by(platform)) == ([], [None])
    pass_by(clock, ticks, 1)
    watching.step()
    assert undone_by(platform) == ["watchdog"]


def test_the_end_is_written_down_when_the_target_is_well_and_the_run_cannot_say_so(watching, broken, platform, run):
    broken(of=replace(run, process=GONE))
    await_end(watching, platform)


def test_a_run_that_lives_says_itself_when_all_is_well(watching, broken, platform, clock, ticks):
    broken()
    watching.step()
    pass_by(clock, ticks, 60)
    for _ in range(3):
        watching.step()
    assert fault_windows(Ledger(platform.state_dir).read())[0].end is None


def test_there_is_something_to_watch_while_a_run_lives(watching, run):
    assert watching.step()


def test_there_is_nothing_to_watch_once_every_run_is_over(watching, platform, run, clock):
    Ledger(platform.state_dir).append(LedgerRecord(clock.at, "run_end", detail={"run": run.run_id}))
    assert not watching.step()


def test_a_ledger_that_did_not_change_is_not_read_again(watching, run, monkeypatch):
    watching.step()
    monkeypatch.setattr(watch, "standing", lambda state_dir: pytest.fail("it was read again"))
    for _ in range(5):
        watching.step()


def test_asked_to_leave_it_undoes_all(watching, broken, platform):
    broken("llm-1")
    broken("llm-2")
    assert watching.heal_all("asked to leave")
    assert ill(platform) == []
