"""The guard's thread: it aborts in order, survives nothing that would end it, and lets the rollbacks be played."""

import signal
import threading
import time

import psutil
import pytest

from sre.chaos.faults.model import Fault, Plan
from sre.chaos.guard import means as means_module
from sre.chaos.guard.means import RunMeans
from sre.chaos.guard.model import Count, GuardSettings, Look
from sre.chaos.guard.watching import Guard
from sre.chaos.leases.lease import inject
from sre.chaos.leases.ledger import Ledger, NotWritten
from sre.chaos.leases.records import open_leases
from sre.chaos.sight import Sight, scrape_interval_s
from sre.errors import EnvironmentLacks, PlatformError

GOOD = Look(0.0, 0.01, requests=Count(0, 60))
BAD = Look(0.0, 0.01, requests=Count(60, 60))


class Steps:
    """Means that note what was asked of them. `looks` are given one after the other; an exception is raised."""

    def __init__(self, *looks):
        self.looks = list(looks)
        self.done = []
        self.at = []
        self.watchdog_lives = True

    def look(self, at):
        self.at.append(at)
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, BaseException):
            raise found
        return found

    def ensure_watchdog(self):
        self.done.append("watchdog")
        if not self.watchdog_lives:
            raise EnvironmentLacks("the watchdog does not start")

    def say(self, reason, readings):
        self.done.append("say")
        self.reason, self.readings = reason, readings

    def leave(self):
        self.done.append("leave")

    def heal(self):
        self.done.append("heal")


def guard(steps, *, clock=lambda: 0.0, interval_s=1.0, **settings):
    return Guard(GuardSettings(**settings), interval_s=interval_s, deadline_at=1000.0, means=steps, now=clock)


def test_while_all_is_well_the_watchdog_is_looked_after():
    steps = Steps(GOOD)
    assert guard(steps).tick()
    assert steps.done == ["watchdog"]


def test_an_abort_is_said_then_asked_for_then_healed():
    steps = Steps(BAD)
    watching = guard(steps)
    assert not watching.tick()
    assert steps.done == ["say", "leave", "heal"]
    assert steps.readings["failed"] == 60
    assert "max_failed_share" in watching.aborted


@pytest.mark.parametrize("error", [ValueError("no number"), MemoryError(), SystemExit(1)])
def test_whatever_would_end_the_thread_ends_the_run(error):
    steps = Steps(error)
    assert not guard(steps).tick()
    assert f"the guard itself failed ({type(error).__name__}" in steps.reason
    assert steps.done == ["say", "leave", "heal"]


def test_a_watchdog_that_cannot_be_replaced_ends_the_run():
    steps = Steps(GOOD)
    steps.watchdog_lives = False
    assert not guard(steps).tick()
    assert "the watchdog does not start" in steps.reason


def test_a_sample_that_passes_a_limit_is_acted_on_within_two_intervals():
    """Whatever the moment of the sample within the guard's own rhythm, by a clock that moves at its waits."""
    for tenth in range(10):
        now = [0.0]
        bad_at = 3 + tenth / 10

        class Service(Steps):
            def look(self, at, bad_at=bad_at):
                return BAD if at >= bad_at else GOOD

        steps = Service(GOOD)
        watching = guard(steps, clock=lambda now=now: now[0])
        while watching.tick():
            now[0] += watching.interval_s / 2  # what the thread waits
        assert now[0] - bad_at <= 1.0


def test_samples_that_end_abort_within_two_intervals_of_being_missed():
    now, last = [0.0], 3.0

    class Service(Steps):
        def look(self, at):
            return Look(at, at - min(at, last), requests=Count(0, 60))

    steps = Service(GOOD)
    watching = guard(steps, clock=lambda: now[0])
    while watching.tick():
        now[0] += 0.5
    missed_at = last + 1.0 + 0.8  # the next one was due then, and its scrape may have taken so long
    assert now[0] - missed_at <= 2.0


@pytest.fixture
def running():
    started = []

    def start(steps, **settings):
        watching = guard(steps, clock=time.time, interval_s=0.04, **settings)
        watching.deadline_at = time.time() + 60
        watching.start()
        started.append(watching)
        return watching

    yield start
    for watching in started:
        assert watching.stop()


def eventually(seen):
    deadline = time.monotonic() + 5
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_thread_looks_twice_an_interval_until_it_is_stopped(running):
    steps = Steps(GOOD)
    watching = running(steps)
    eventually(lambda: watching.looks >= 3)
    assert watching.stop()
    seen = watching.looks
    time.sleep(0.1)
    assert watching.looks == seen


def test_who_does_not_leave_is_asked_again(running, monkeypatch):
    monkeypatch.setattr("sre.chaos.guard.watching.ASK_AGAIN_S", 0.01)
    steps = Steps(BAD)
    running(steps)
    eventually(lambda: steps.done.count("leave") >= 3)
    assert (steps.done.count("say"), steps.done.count("heal")) == (1, 1)


def test_after_the_method_nobody_is_asked_to_leave_but_faults_are_healed(running):
    steps = Steps(GOOD)
    watching = running(steps)
    watching.method_is_over()
    steps.looks = [BAD]
    eventually(lambda: "heal" in steps.done)
    assert "leave" not in steps.done


def test_a_guard_that_was_stopped_aborts_nothing():
    steps = Steps(BAD)
    watching = guard(steps)
    watching.stop()
    assert watching.tick()
    assert steps.done == []


# with the real means


class Switch(Fault):
    """A fault that is a file."""

    name = "replica-crash"
    family = "replica"

    def plan(self, platform):
        return Plan(replicas=("llm-0",))

    @staticmethod
    def apply(platform, lease):
        (platform.state_dir / "broken").touch()

    @staticmethod
    def prove(platform, lease):
        return "it is there"

    @staticmethod
    def undo(platform, lease):
        (platform.state_dir / "broken").unlink(missing_ok=True)


@pytest.fixture
def broken(platform, run, clock, monkeypatch):
    """An open fault of a registered run."""
    monkeypatch.setattr("sre.chaos.leases.lease.fault_class", lambda name, driver: Switch)
    monkeypatch.setattr("sre.chaos.leases.lease.asdict", lambda fault: {})
    inject(platform, Switch(), lease_s=60, run=run, now=clock)
    assert (platform.state_dir / "broken").exists()
    return platform


@pytest.fixture
def means(platform, run, tmp_path):
    return RunMeans(platform, run.run_id, GuardSettings(), tmp_path / "slo", Sight(platform.state_dir / "samples"))


def test_healing_undoes_every_fault_of_the_run(broken, means):
    means.heal()
    assert not (broken.state_dir / "broken").exists()
    records = Ledger(broken.state_dir).read()
    assert open_leases(records) == ()
    assert records[-1].detail["by"] == "guard"


def test_after_the_abort_is_written_nothing_more_is_broken(broken, means, run, clock):
    means.heal()
    means.say("too many failures", {"failed": 12.0})
    with pytest.raises(PlatformError, match="the guard has aborted the run"):
        inject(broken, Switch(), lease_s=60, run=run, now=clock)
    assert not (broken.state_dir / "broken").exists()


def test_a_full_disk_keeps_the_guard_from_writing_not_from_healing(broken, means, monkeypatch):
    def full(self, record):
        raise NotWritten("chaos.jsonl: cannot be written")

    monkeypatch.setattr(Ledger, "append", full)
    monkeypatch.setattr(means_module, "HEAL_WITHIN_S", 0.0)
    means.say("too many failures", {})
    means.heal()
    assert not (broken.state_dir / "broken").exists()


def test_a_fault_that_stays_is_tried_again(broken, means, monkeypatch):
    tries = []

    def stubborn(platform, lease):
        tries.append(1)
        if len(tries) < 3:
            raise PlatformError("it is not gone")
        (platform.state_dir / "broken").unlink()

    monkeypatch.setattr(Switch, "undo", staticmethod(stubborn))
    monkeypatch.setattr(means_module, "_AGAIN_S", 0.0)
    means.heal()
    assert len(tries) == 3
    assert not (broken.state_dir / "broken").exists()


def test_the_signal_reaches_the_main_thread_from_any_thread(means):
    came = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: came.append(threading.current_thread()))
    try:
        thread = threading.Thread(target=means.leave)
        thread.start()
        thread.join()
        time.sleep(0)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert came == [threading.main_thread()]


def test_without_a_toolkit_that_listens_the_process_is_not_killed(means):
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    try:
        means.leave()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert psutil.Process().is_running()


def test_the_interval_is_the_recorders_own(tmp_path):
    assert scrape_interval_s(tmp_path) == 1.0
    (tmp_path / "recorder.json").write_text(
        '{"directory": "samples", "interval_s": 0.5, "targets": [{"job": "a", "url": "http://127.0.0.1:1/metrics"}]}'
    )
    assert scrape_interval_s(tmp_path) == 0.5
