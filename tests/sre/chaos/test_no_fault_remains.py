"""Any interleaving of inject, heal, deadline, full disk, and death at any point between two writes leaves no fault.

The world is in memory, the ledger and its lock are real. A process that is killed does nothing more: whatever it still
tries raises, like the code after the instruction at which kill -9 found it.
"""

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sre.chaos.faults.model import Fault, Plan
from sre.chaos.leases import lease as life
from sre.chaos.leases import ledger as book
from sre.chaos.leases import standing, watch
from sre.chaos.leases.healing import heal_all, heal_each, heal_leftovers
from sre.chaos.leases.lease import inject
from sre.chaos.leases.ledger import Ledger, NotWritten, fault_windows
from sre.chaos.leases.records import Run, leases, run_begin
from sre.chaos.leases.watch import Watch
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError, SreError
from sre.platforms.model import Replica
from sre.platforms.processes import ProcessRef

REPLICAS = ("llm-0", "llm-1", "llm-2")
RADIUS = BlastRadius(max_replicas=3, min_healthy=0)
DEATHS = st.none() | st.integers(1, 12)
"""After how many of its next writes the acting process is killed."""


class Killed(BaseException):
    """The process is no more."""


class World:
    """Replicas and what is wrong with them, a clock, a disk, and which processes live."""

    driver = "local"

    def __init__(self, state_dir):
        self.state_dir = state_dir
        self.reference = {"platform": "local"}
        self.at = 1000.0
        self.full = False
        self.alive = set()
        self.fails = set()
        self.wrong = {}
        self.begun, self.cured = [], []
        self.dies_after = None

    def replicas(self):
        return tuple(Replica(name, "ready", 7, 1.0, 0, "") for name in REPLICAS)

    def try_to(self, do):
        if do in self.fails:
            raise PlatformError(f"cannot {do}")

    def write(self):
        """Called before and after each write to the world or the disk."""
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after <= 0:
                self.dies_after = 0
                raise Killed


@dataclass(frozen=True)
class Wrong(Fault):
    """Two writes, so that it can be applied by half."""

    name: ClassVar[str] = "wrong"
    family: ClassVar[str] = "engine"
    replica: str = "llm-0"

    def plan(self, world):
        return Plan(replicas=(self.replica,))

    @staticmethod
    def apply(world, lease):
        for half in ("a", "b"):
            world.write()
            world.begun.append((lease.fault_id, half))
            world.wrong[lease.fault_id, half] = lease.plan.target
            world.try_to(f"apply {half}")
        world.write()

    @staticmethod
    def prove(world, lease):
        world.write()
        world.try_to("prove")
        return "it is wrong"

    @staticmethod
    def undo(world, lease):
        for half in ("a", "b"):
            world.write()
            if world.wrong.pop((lease.fault_id, half), None) is not None:
                world.cured.append((lease.fault_id, half))
            world.try_to(f"undo {half}")
        world.write()


class Watching(Watch):
    def _see_through(self):
        """Recovery has no part in this."""


class Life(RuleBasedStateMachine):
    @initialize()
    def a_platform(self):
        self.patch = pytest.MonkeyPatch()
        self.world = World(Path(tempfile.mkdtemp()))
        self.runs, self.watching = [], None
        self.patch.setattr(life, "fault_class", lambda name, driver: Wrong)
        self.patch.setattr(watch, "fault_class", lambda name, driver: Wrong)
        self.patch.setattr(book.os, "fsync", lambda descriptor: None)
        for module in (standing, watch):
            self.patch.setattr(module, "find", lambda ref: ref if ref.pid in self.world.alive else None)
        self.patch.setattr(standing, "time", SimpleNamespace(time=lambda: self.world.at))
        append = Ledger.append

        def on_this_disk(ledger, record):
            self.world.write()
            if self.world.full:
                raise NotWritten("No space left on device")
            append(ledger, record)
            self.world.write()

        self.patch.setattr(Ledger, "append", on_this_disk)

    def teardown(self):
        if not hasattr(self, "world"):
            return
        try:
            self.world.full = False
            self.world.fails.clear()
            self.world.at += 1000
            for _ in range(2):
                Watching(self.world, now=self.now, monotonic=self.now).step()
            assert not self.world.wrong
            assert not Ledger(self.world.state_dir).open_faults()
            assert len(set(self.world.cured)) == len(self.world.cured)
        finally:
            self.patch.undo()
            shutil.rmtree(self.world.state_dir)

    def now(self):
        return self.world.at

    def acting(self, deed, dies_after):
        """Do it as a process that may be killed on the way; whether it lives on."""
        self.world.dies_after = dies_after
        try:
            with suppress(SreError):
                deed()
        except Killed:
            return False
        finally:
            self.world.dies_after = None
        return True

    @rule()
    def a_run_begins(self):
        pid = 100 + len(self.runs)
        run = Run(f"r-{pid}", ProcessRef(pid, 1.0), "a run", RADIUS, self.world.at + 60)
        self.runs.append(run)
        self.world.alive.add(pid)
        with suppress(NotWritten):
            Ledger(self.world.state_dir).append(run_begin(run, at=self.world.at))

    def of_a_run(self, data):
        living = [run for run in self.runs if run.process.pid in self.world.alive]
        return data.draw(st.sampled_from(living))

    def some_run_lives(self):
        return bool(self.world.alive)

    @precondition(some_run_lives)
    @rule(data=st.data(), replica=st.sampled_from(REPLICAS), lease_s=st.integers(1, 50), dies_after=DEATHS)
    def it_injects(self, data, replica, lease_s, dies_after):
        run = self.of_a_run(data)
        deed = lambda: inject(self.world, Wrong(replica), lease_s=lease_s, run=run, now=self.now)  # noqa: E731
        if not self.acting(deed, dies_after):
            self.world.alive.discard(run.process.pid)

    @precondition(some_run_lives)
    @rule(data=st.data(), dies_after=DEATHS)
    def it_heals_its_own(self, data, dies_after):
        run = self.of_a_run(data)
        held = [lease for lease in standing.standing(self.world.state_dir).open if lease.run_id == run.run_id]
        if not self.acting(lambda: heal_each(self.world, held, by="run"), dies_after):
            self.world.alive.discard(run.process.pid)

    @precondition(some_run_lives)
    @rule(data=st.data())
    def it_is_killed(self, data):
        self.world.alive.discard(self.of_a_run(data).process.pid)

    @rule(dies_after=DEATHS)
    def the_watchdog_looks(self, dies_after):
        if self.watching is None:
            self.watching = Watching(self.world, now=self.now, monotonic=self.now)
        if not self.acting(self.watching.step, dies_after):
            self.watching = None

    @rule(dies_after=DEATHS)
    def a_person_heals_all(self, dies_after):
        self.acting(lambda: heal_all(self.world, by="sre chaos heal"), dies_after)

    @rule(dies_after=DEATHS)
    def sre_is_called(self, dies_after):
        self.acting(lambda: heal_leftovers(self.world, by="sre"), dies_after)

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds):
        self.world.at += seconds

    @rule()
    def the_disk_fills_up_or_has_room_again(self):
        self.world.full = not self.world.full

    @rule(fails=st.sets(st.sampled_from(["apply a", "apply b", "prove", "undo a", "undo b"])))
    def other_things_fail(self, fails):
        self.world.fails = fails

    @rule(data=st.data())
    def somebody_heals_what_he_saw_long_ago(self, data):
        known = leases(Ledger(self.world.state_dir).read())
        if known:
            self.acting(lambda: heal_each(self.world, [data.draw(st.sampled_from(known))], by="late"), None)

    @rule()
    def a_write_is_cut(self):
        with Ledger(self.world.state_dir).path.open("ab") as file:
            file.write(b'{"at": 12')

    @invariant()
    def whatever_is_wrong_is_in_the_ledger_as_open(self):
        held = {fault.fault_id for fault in Ledger(self.world.state_dir).open_faults()}
        assert {fault_id for fault_id, _ in self.world.wrong} <= held

    @invariant()
    def nothing_is_broken_twice_or_mended_twice(self):
        assert len(set(self.world.begun)) == len(self.world.begun)
        assert len(set(self.world.cured)) == len(self.world.cured)

    @invariant()
    def an_undo_is_written_down_once(self):
        records = Ledger(self.world.state_dir).read()
        undone = [record.fault_id for record in records if record.event == "fault_undone"]
        assert len(set(undone)) == len(undone)
        assert set(undone) == {fault.fault_id for fault in fault_windows(records) if fault.undone is not None}


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
