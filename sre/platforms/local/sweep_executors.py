"""Who plays the points of a sweep: this process, several processes of this machine, or a Ray cluster.

Every executor is given the same tasks and tells each result with the task's number; what a sweep finds does not depend
on which of them it was, nor on how many there are. A process that dies (the kernel took its memory) costs its own point
only: those that were not done are played again, one at a time.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from sre.errors import EnvironmentLacks
from sre.platforms.local.sweep_point import Task, play
from sre.platforms.simulation import SweepPoint

Told = Callable[[SweepPoint], None]
DIED = "crashed: its process died; it may have run out of memory"


class Executor(Protocol):
    """Plays tasks; `told` hears each point as it is done, in any order."""

    def run(self, tasks: Sequence[Task], told: Told) -> None: ...


class InProcess:
    """One after the other, here."""

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        for task in tasks:
            told(play(task))


class Processes:
    """`jobs` processes, started anew (spawn): nothing of this one is shared with them."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        left = self._together(tasks, told)
        for task in left:
            if self._together([task], told):
                told(task.failed(DIED))

    def _together(self, tasks: Sequence[Task], told: Told) -> list[Task]:
        """Those that were not done because a process died."""
        left: list[Task] = []
        with _pool(min(self._jobs, len(tasks))) as pool:
            asked: dict[Future[SweepPoint], Task] = {pool.submit(play, task): task for task in tasks}
            for future in as_completed(asked):
                try:
                    told(future.result())
                except BrokenProcessPool:
                    left.append(asked[future])
        return [task for task in tasks if task in left]


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool that an interruption does not wait for."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max(1, jobs), mp_context=spawn, initializer=_leave_interrupts)
    try:
        yield pool
    except BaseException:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _leave_interrupts() -> None:
    """Ctrl-C reaches the whole group of processes: the one that was started by a person answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Ray:
    """A Ray cluster, or this machine where none is running; every node needs this package and the same files."""

    def __init__(self) -> None:
        try:
            self._ray: Any = import_module("ray")
        except ImportError as error:
            raise EnvironmentLacks(
                "Ray is not installed: pip install 'llm-gameday[ray]', or leave --executor"
            ) from error

    def run(self, tasks: Sequence[Task], told: Told) -> None:
        ray = self._ray
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        remote = ray.remote(play)
        waiting = {remote.remote(task): task for task in tasks}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            for reference in done:
                task = waiting.pop(reference)
                try:
                    told(ray.get(reference))
                except ray.exceptions.RayError:
                    told(task.failed(DIED))


def executor_of(name: str, jobs: int) -> Executor:
    """Raises EnvironmentLacks where Ray is asked for and not there."""
    if name == "ray":
        return Ray()
    return InProcess() if jobs <= 1 else Processes(jobs)
