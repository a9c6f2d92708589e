"""Whatever happens to a run, five seconds later no fault remains, and the ledger says who undid it.

Each case is a real `chaos run` with its real watchdog on a platform of sleeping processes (scene.py). That nothing
remains is seen from outside: by the state of the processes and the engines' files. They are played several at a time.
"""

import contextlib
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest
from scene import BREAK, HEAL, WAIT, Scene, activity, break_it, experiment, probe

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PAGE = 4096
STOP, CONTINUE, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL


@dataclass(frozen=True)
class Case:
    """`happens` plays it up to the point where no fault remains; `by` is who may have undone it."""

    name: str
    by: tuple[str | None, ...]
    happens: Callable[[Scene], None]

    def play(self, folder):
        scene = Scene(folder)
        try:
            self.happens(scene)
            by = set(self.by)
            if by != {None}:
                scene.until(lambda: scene.undone_by() in by, f"undone by {by} (is: {scene.undone_by()})", within_s=20)
            return scene.gone_after_s, scene.undone_by()
        finally:
            scene.stop()


CASES: list[Case] = []


def case(name, *, by):
    def register(happens):
        CASES.append(Case(name, by if isinstance(by, tuple) else (by,), happens))
        return happens

    return register


# killed


@case("kill -9 of the run", by="watchdog")
def _(scene):
    scene.start().blow(KILL)
    scene.expect_gone()


@case("kill -9 of the run in the middle of applying", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(between_s=60)]), wait_for="half").blow(KILL)
    scene.expect_gone()


@case("kill -9 of the run between the ledger's line and the act", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(before_s=60)]), wait_for="begun").blow(KILL)
    scene.expect_gone()
    scene.until(scene.undone_by, "an undo")
    assert not scene.reached("half")


@case("kill -9 of the run after the act, before its proof", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(after_s=60)]), wait_for="applied").blow(KILL)
    scene.expect_gone()


@case("kill -9 of the run in the middle of undoing", by="watchdog")
def _(scene):
    method = [break_it(undo_s=60), HEAL]
    scene.start(experiment(method=method), wait_for="undoing").blow(KILL)
    scene.expect_gone()


@case("kill -9 of sre, the run's parent: the run plays its rollbacks", by="run")
def _(scene):
    scene.start(by_sre=True).blow(KILL)
    scene.expect_gone()


@case("kill -9 of sre and of the run, its child", by="watchdog")
def _(scene):
    (run,) = psutil.Process(scene.start(by_sre=True).run.pid).children()
    run.suspend()
    scene.blow(KILL)
    run.kill()
    scene.expect_gone()


@case("Ctrl-C twice on sre chaos run", by=("run", "control", "watchdog"))
def _(scene):
    scene.start(by_sre=True).blow(signal.SIGINT)
    scene.blow(signal.SIGINT)
    scene.expect_gone()
    scene.run.wait(30)


@case("kill -9 of the watchdog: the guard starts another, which keeps the deadline", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(lease_s=8), WAIT]))
    first = scene.watchdog()
    first.kill()
    scene.until(lambda: scene.watchdog() not in (None, first), "another watchdog", within_s=5)
    scene.until(lambda: not scene.remains(), "the end of the fault", within_s=12)
    scene.gone_after_s = 0.0


@case("kill -9 of the watchdog, then of the run, once another is there", by="watchdog")
def _(scene):
    first = scene.start().watchdog()
    first.kill()
    scene.until(lambda: scene.watchdog() not in (None, first), "another watchdog", within_s=5)
    scene.blow(KILL)
    scene.expect_gone()


def kill_both(scene):
    """The run first stopped, so that its guard starts no other watchdog."""
    watchdog = scene.watchdog()
    scene.run.send_signal(STOP)
    scene.blow(KILL, process=watchdog)
    scene.run.kill()
    scene.until(lambda: scene.watchdog() is None, "the watchdog's end")
    assert scene.remains()


@case("kill -9 of run and watchdog: the next sre call heals", by="sre")
def _(scene):
    kill_both(scene.start())
    began = time.time()
    done = scene.sre("status")
    scene.expect_gone(since=began)
    assert "sre: undid toy of llm-1" in done.stderr


@case("kill -9 of run and watchdog: sre chaos heal heals", by="sre chaos heal")
def _(scene):
    kill_both(scene.start())
    began = time.time()
    done = scene.sre("chaos", "heal")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no fault is open")
    scene.expect_gone(since=began)


@case("kill -9 of run and watchdog: the next run heals before it starts", by=("sre.chaos.control", "watchdog"))
def _(scene):
    kill_both(scene.start())
    began = time.time()
    scene.start(experiment(method=[activity("well")]), wait_for=None).run.wait(60)
    scene.expect_gone(since=began, within_s=20)  # nearly all of it is the start of `chaos run`


# asked to leave


@case("SIGTERM inside an activity", by="run")
def _(scene):
    scene.start().blow(signal.SIGTERM)
    scene.expect_gone()


@case("Ctrl-C", by="run")
def _(scene):
    scene.start().blow(signal.SIGINT)
    scene.expect_gone()


@case("Ctrl-C, and the rollback strategy leaves the rollbacks out", by="control")
def _(scene):
    scene.start(strategy="default").blow(signal.SIGINT)
    scene.expect_gone()


@case("Ctrl-C, and the rollbacks are never played", by="control")
def _(scene):
    scene.start(strategy="never").blow(signal.SIGINT)
    scene.expect_gone()


@case("Ctrl-C twice, the second during a slow rollback", by="control")
def _(scene):
    rollbacks = [activity("slow_rollback", seconds=60), HEAL]
    scene.start(experiment(rollbacks=rollbacks)).blow(signal.SIGINT)
    scene.until(lambda: (scene.folder / "rolling-back").exists(), "the rollback", within_s=5)
    scene.blow(signal.SIGINT)
    scene.expect_gone()


@case("Ctrl-C while it is being applied", by="run")
def _(scene):
    scene.start(experiment(method=[break_it(between_s=60)]), wait_for="half").blow(signal.SIGINT)
    scene.expect_gone()


@case("the terminal is closed (SIGHUP)", by="watchdog")
def _(scene):
    scene.start().blow(signal.SIGHUP)
    scene.expect_gone()


@case("told to leave without rollbacks (SIGUSR2)", by="control")
def _(scene):
    scene.start().blow(signal.SIGUSR2)
    scene.expect_gone()


@case("the watchdog is asked to leave (SIGTERM): it heals first", by="watchdog")
def _(scene):
    scene.start().blow(signal.SIGTERM, process=scene.watchdog())
    scene.expect_gone()


# probes and rollbacks that go wrong


def after_its_end(scene, content, **options):
    scene.start(content, **options)
    scene.run.wait(60)
    scene.blow_at = time.time()
    scene.expect_gone()


@case("a probe raises", by="run")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK, activity("raises", "probe")]))


@case("a probe calls sys.exit", by="run")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK, activity("leaves", "probe"), WAIT]))


@case("a probe calls sys.exit, without rollbacks", by="control")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK, activity("leaves", "probe"), WAIT], rollbacks=[]))


@case("a probe takes the process with it (os._exit)", by="watchdog")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK, activity("vanishes", "probe"), WAIT]))


@case("a probe crashes the interpreter (segmentation fault)", by="watchdog")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK, activity("crashes", "probe"), WAIT]))


def unreadable(value):
    return [probe("reads_later", {"type": "range", "range": [0, 2]}, path="read", value=value)]


@case("a NaN reading crashes the toolkit", by=("control", "watchdog"))
def _(scene):
    after_its_end(scene, experiment(method=[BREAK], holds=unreadable("nan")))


@case("a missing reading (None) crashes the toolkit", by=("control", "watchdog"))
def _(scene):
    after_its_end(scene, experiment(method=[BREAK], holds=unreadable("none")))


@case("the run fails, and the default strategy leaves the rollbacks out", by="control")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK], holds=[probe("raises_later", path="read")]), strategy="default")


@case("a rollback raises", by="control")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK], rollbacks=[activity("raises")]))


@case("there are no rollbacks", by="control")
def _(scene):
    after_its_end(scene, experiment(method=[BREAK], rollbacks=[]))


@case("fail-fast ends the method", by="run")
def _(scene):
    options = ("--hypothesis-strategy", "continuously", "--hypothesis-frequency", "0.2", "--fail-fast")
    content = experiment(method=[BREAK, activity("wait", seconds=2)], holds=[probe("ill_later", path="ill")])
    after_its_end(scene, content, strategy="default", options=options)


# frozen and late


@case("the run is frozen (SIGSTOP): the lease ends all the same", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(lease_s=4), WAIT]))
    scene.run.send_signal(STOP)
    (fault,) = scene.faults()
    scene.expect_gone(since=fault.begin + 4)


@case("the run is frozen while it applies, and keeps the lock: it is ended", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(lease_s=4, between_s=60)]), wait_for="half")
    scene.run.send_signal(STOP)
    (fault,) = scene.faults()
    scene.expect_gone(since=fault.begin + 4)
    assert scene.run.wait(10) == -KILL


@case("the run is frozen before it applies, and wakes up too late", by=("run", "watchdog"))
def _(scene):
    scene.start(experiment(method=[break_it(lease_s=1, before_s=60)]), wait_for="begun")
    scene.run.send_signal(STOP)
    (fault,) = scene.faults()
    scene.until(lambda: time.time() > fault.begin + 1, "the end of the lease")
    scene.run.send_signal(CONTINUE)
    scene.expect_gone(since=fault.begin + 1)
    scene.until(scene.undone_by, "an undo")
    assert not scene.reached("half")


@case("the watchdog is frozen: the guard replaces it", by="watchdog")
def _(scene):
    frozen = scene.start().watchdog()
    frozen.suspend()
    scene.until(lambda: scene.watchdog() not in (None, frozen), "another watchdog", within_s=5)
    scene.blow(KILL)
    scene.expect_gone()


@case("the lease ends during a long method", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(lease_s=3), WAIT]))
    (fault,) = scene.faults()
    scene.expect_gone(since=fault.begin + 3)


@case("the run is past its own deadline", by=("watchdog", "guard"))
def _(scene):
    scene.start(experiment(deadline_s=6))
    (fault,) = scene.faults()
    scene.expect_gone(since=fault.begin + 6)


# a machine that is ill


@case("an undo fails twice", by="watchdog")
def _(scene):
    scene.start(experiment(method=[break_it(undo_fails=2), WAIT])).blow(KILL)
    scene.expect_gone()


@case("a line of the ledger is damaged", by="watchdog")
def _(scene):
    scene.start()
    with (scene.state_dir / "chaos.jsonl").open("a") as ledger:
        ledger.write('{"at": 1, "event"\n')
    scene.blow(KILL)
    scene.expect_gone()


@case("the platform is gone before its fault is undone", by="watchdog")
def _(scene):
    scene.start()
    for process in scene.processes.values():
        process.kill()
        process.wait()
    (scene.state_dir / "state.json").unlink()
    shutil.rmtree(scene.state_dir / "models")
    scene.blow(KILL)
    scene.expect_gone()


@case("sre down while a fault is open", by="sre down")
def _(scene):
    scene.start()
    began = time.time()
    assert scene.sre("down").returncode == 0
    scene.expect_gone(since=began)


@case("the disk is full before the fault is written down: it is not applied", by=None)
def _(scene):
    scene.start(experiment(method=[activity("wait_for", path="go"), BREAK]), wait_for=None)
    scene.until(lambda: "run_begin" in scene.ledger_text(), "the run")
    with full_disk(scene):
        scene.blow(0)
        (scene.folder / "go").touch()
        scene.run.wait(60)
        assert (scene.faults(), scene.remains(), scene.reached("begun")) == ((), [], False)
    if scene.has_disk:  # else the run could not log it either
        assert "fault_begin cannot be written" in scene.logs()
    scene.gone_after_s = 0.0


FREES_NOTHING = break_it(sick=False)  # undoing it must not make room on the disk


@case("the disk is full and the run is killed: undone, and written down when there is room", by="watchdog")
def _(scene):
    scene.start(experiment(method=[FREES_NOTHING, WAIT]))
    with full_disk(scene):
        scene.blow(KILL)
        scene.expect_gone()
        assert scene.undone_by() is None


@case("the disk is full at the rollback: undone, and written down when there is room", by=("control", "watchdog"))
def _(scene):
    scene.start(experiment(method=[FREES_NOTHING, activity("wait_for", path="go")]))
    with full_disk(scene):
        scene.blow(0)
        (scene.folder / "go").touch()
        scene.expect_gone()
        scene.run.wait(60)
        assert scene.undone_by() is None


@case("the disk is full, run and watchdog are killed: sre chaos heal undoes, and says what it could not write", by=None)
def _(scene):
    kill_both(scene.start(experiment(method=[FREES_NOTHING, WAIT])))
    with full_disk(scene):
        began = time.time()
        done = scene.sre("chaos", "heal")
        scene.expect_gone(since=began)
        assert (done.returncode, "cannot be written" in done.stderr) == (1, True)
    assert scene.sre("chaos", "heal").returncode == 0
    assert scene.undone_by() == "sre chaos heal"


@contextlib.contextmanager
def full_disk(scene):
    """Not one byte more: on the scene's own small disk, or by the limit of what run and watchdog may write."""
    if scene.has_disk:
        filler = scene.state_dir / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 512)
        with (scene.state_dir / "chaos.jsonl").open("ab") as ledger:  # its last page has room left: empty lines
            ledger.write(b"\n" * (-ledger.tell() % PAGE))
        yield
        filler.unlink()
    else:
        yield from limited(scene)


def limited(scene):
    scene.write_limit = (scene.state_dir / "chaos.jsonl").stat().st_size
    pids = [scene.run.pid, *([] if scene.watchdog() is None else [scene.watchdog().pid])]
    pids = [pid for pid in pids if psutil.pid_exists(pid)]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, most) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (scene.write_limit, most))
    try:
        yield
    finally:
        scene.write_limit = None
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name.replace(" ", "-")) for one in CASES])
def test_no_fault_remains_and_the_ledger_says_who_undid_it(case, played):
    gone_after_s, _by = played(case)
    assert gone_after_s is not None  # it was looked at, from outside


def test_there_are_at_least_25_cases():
    assert len({case.name for case in CASES}) == len(CASES) >= 25
