"""Many rehearsals, one process for each core: a library of experiments, or one experiment with several seeds.

A rehearsal reads no clock and shares nothing, so it is the same whichever process plays it, and in whatever order.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from sre.chaos.experiment import id_in, load_drill
from sre.errors import BadDocument, SreError
from sre.gameday.model import DrillOptions
from sre.gameday.rehearsal.acts.catalogue import coverage_of
from sre.gameday.rehearsal.calibration import Calibration
from sre.gameday.rehearsal.document import playable
from sre.gameday.rehearsal.run import rehearse_drill
from sre.reports.rehearsal.model import Coverage, Rehearsal
from sre.reports.rehearsal.view import Entry


@dataclass(frozen=True, slots=True)
class Task:
    """One rehearsal to be done. `now` is the day of the prices, `epoch` when the virtual clock begins, Unix seconds."""

    options: DrillOptions
    calibration: Calibration
    now: float
    epoch: float


def cores() -> int:
    """Those we may run on."""
    return len(os.sched_getaffinity(0))


def experiments_in(workspace: Path) -> tuple[Path, ...]:
    """Every experiment file, by name. Raises BadDocument when there is none."""
    found = tuple(sorted((workspace / "experiments").glob("*.yaml")))
    if not found:
        raise BadDocument([f"{workspace / 'experiments'}: holds no experiment: give --workspace"])
    return found


def rehearse_library(task: Task, *, jobs: int) -> Iterator[Entry]:
    """An entry for each experiment of the workspace, in order of their names; what cannot be rehearsed is named."""
    paths = experiments_in(task.options.workspace)
    tasks = [replace(task, options=replace(task.options, experiment=path)) for path in paths]
    if jobs == 1:
        yield from map(entry_of, tasks)
        return
    with _pool(jobs) as pool:
        yield from pool.map(entry_of, tasks)


def rehearse_seeds(task: Task, seeds: Sequence[int], *, jobs: int) -> Iterator[Rehearsal]:
    """The same drill under each seed of the load, in that order. Raises SreError as one rehearsal does."""
    tasks = [replace(task, options=replace(task.options, seed=seed)) for seed in seeds]
    if jobs == 1 or len(tasks) == 1:
        yield from map(rehearsal_of, tasks)
        return
    yield rehearsal_of(tasks[0])  # what is refused is refused here, in one line and at once
    with _pool(min(jobs, len(tasks) - 1)) as pool:
        yield from pool.map(rehearsal_of, tasks[1:])


def rehearsal_of(task: Task) -> Rehearsal:
    """Raises SreError."""
    return rehearse_drill(task.options, calibration=task.calibration, now=task.now, epoch=task.epoch)


def entry_of(task: Task) -> Entry:
    """Does not raise for an experiment that is refused: the entry says why."""
    path, began = task.options.experiment, time.perf_counter()
    coverage = coverage_in(path)
    try:
        found, why = rehearsal_of(task), ""
    except SreError as error:
        return Entry(id_in(path), path.name, None, coverage, str(error), time.perf_counter() - began)
    return Entry(id_in(path), path.name, found, coverage, why, time.perf_counter() - began)


def coverage_in(path: Path) -> tuple[Coverage, ...]:
    """How the faults of an experiment are rehearsed; () for one that cannot be read."""
    try:
        return tuple(coverage_of(fault) for fault in load_drill(path).faults)
    except SreError:
        return ()


def covered(workspace: Path) -> list[tuple[str, str, tuple[Coverage, ...], tuple[str, ...]]]:
    """Id, name, faults and refusals of each experiment, without rehearsing any."""
    found = []
    for path in experiments_in(workspace):
        try:
            refusals = tuple(one.rpartition("not rehearsed: ")[2] for one in playable(path).refusals)
        except SreError as error:
            refusals = (str(error),)
        found.append((id_in(path), path.name, coverage_in(path), refusals))
    return found


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Spawned, not forked: the progress line on the terminal is a thread of ours."""
    return ProcessPoolExecutor(max_workers=jobs, mp_context=multiprocessing.get_context("spawn"))
