"""Many SLOs over a folder of Parquet files: each file is loaded, its SLOs are replayed, and it is dropped again.

A thousand services times a month are gigabytes; what one SLO needs is the files whose labels can match its selectors.
That is told by the least and greatest label value each file's own statistics give, which can err towards loading a file
too many, never one too few. Groups of SLOs go to processes of their own; results come back small, in document order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sre.errors import BadDocument
from sre.metrics.catalogue import AliasedSamples, Catalogue
from sre.metrics.columns import join
from sre.metrics.loaded import LoadedSamples
from sre.metrics.model import FloatArray, SeriesId
from sre.metrics.parquet_samples import read_parquet
from sre.slo.backtest.labels import within_replay
from sre.slo.backtest.model import Backtest, Label, Plan, SloBacktest
from sre.slo.backtest.parquet_files import everything_read, file_facts, may_hold
from sre.slo.backtest.replay import evaluation_times
from sre.slo.backtest.run import Collected, OnSlo, backtest_slo
from sre.slo.model import Severity, Slo

_SMALL = 8  # SLOs that are not worth a second process
_Packed = dict[Severity, NDArray[np.uint8]]
_Results = list[tuple[SloBacktest, _Packed]]


@dataclass(frozen=True, slots=True)
class Task:
    """SLOs that need the same files, and everything a process must know to replay them."""

    files: tuple[Path, ...]
    slos: tuple[Slo, ...]
    plan: Plan
    labels: tuple[Label, ...]
    catalogue: tuple[Path, ...]


def is_fleet(path: Path) -> bool:
    """Whether `path` is a folder of several Parquet files, which need not be in memory at once."""
    return path.is_dir() and len(list(path.glob("*.parquet"))) > 1


def backtest_files(
    folder: Path,
    slos: Sequence[Slo],
    plan: Plan,
    labels: Sequence[Label] = (),
    *,
    catalogue: Sequence[Path] = (),
    processes: int | None = None,
    on_slo: OnSlo | None = None,
) -> Backtest:
    """As `backtest`, file by file; `processes` defaults to the cores this process may use. Raises as it does."""
    kept, left_out = within_replay(labels, plan, [slo.name for slo in slos])
    tasks = _tasks(folder, slos, plan, kept, tuple(catalogue))
    workers = processes if processes is not None else len(os.sched_getaffinity(0))
    found: dict[str, tuple[SloBacktest, _Packed]] = {}
    for results in _run(tasks, 1 if len(slos) <= _SMALL else min(workers, len(tasks))):
        for one, packed in results:
            found[one.slo.name] = (one, packed)
            if on_slo is not None:
                on_slo(one)
    collected = Collected("parquet", plan, kept, left_out)
    for slo in slos:
        one, packed = found[slo.name]
        collected.add(one, {severity: _unpacked(bits, plan) for severity, bits in packed.items()})
    return collected.result()


def work(task: Task) -> _Results | tuple[str, ...]:
    """One task, in whatever process: its results, or the faults of a bad file (that error does not survive a pipe).

    Firing times are packed to bits, for the same pipe.
    """
    try:
        samples = _samples(task.files)
    except BadDocument as error:
        return tuple(error.faults)
    source = AliasedSamples(samples, _catalogue(task.catalogue))
    done: _Results = []
    for slo in task.slos:
        one, fired = backtest_slo(source, slo, task.plan, task.labels)
        done.append((one, {severity: np.packbits(holds) for severity, holds in fired.items()}))
    return done


@lru_cache(maxsize=1)
def _catalogue(paths: tuple[Path, ...]) -> Catalogue:
    return Catalogue.read(paths)


def _told(results: _Results | tuple[str, ...]) -> _Results:
    if isinstance(results, tuple):
        raise BadDocument(list(results))
    return results


def _run(tasks: Sequence[Task], workers: int) -> Iterator[_Results]:
    if workers <= 1:
        yield from (_told(work(task)) for task in tasks)
        return
    # not forked: Arrow's threads do not survive that
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(work, task) for task in tasks]
        try:
            for future in waiting:
                yield _told(future.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _samples(files: Sequence[Path]) -> LoadedSamples:
    if not files:
        return LoadedSamples("parquet", ())
    loaded = [read_parquet(path) for path in files]
    return loaded[0] if len(loaded) == 1 else read_several(loaded)


def read_several(loaded: Sequence[LoadedSamples]) -> LoadedSamples:
    """Several files as one source; a series that goes on from file to file is joined."""
    pieces: dict[SeriesId, list[tuple[FloatArray, FloatArray]]] = {}
    for one in loaded:
        for series in one.everything():
            pieces.setdefault(series.id, []).append((series.times, series.values))
    return LoadedSamples("parquet", [join(series, parts) for series, parts in pieces.items()])


def _tasks(
    folder: Path, slos: Sequence[Slo], plan: Plan, labels: tuple[Label, ...], catalogue: tuple[Path, ...]
) -> list[Task]:
    bounds = {path: file_facts(path).labels for path in sorted(folder.glob("*.parquet"))}
    groups: dict[tuple[Path, ...], list[Slo]] = {}
    for slo in slos:
        wanted = everything_read(slo.sli)
        files = tuple(path for path, known in bounds.items() if any(may_hold(known, one) for one in wanted))
        groups.setdefault(files, []).append(slo)
    return [
        Task(
            files,
            tuple(group),
            plan,
            tuple(label for label in labels if any(label.concerns(slo.name) for slo in group)),
            catalogue,
        )
        for files, group in groups.items()
    ]


def _unpacked(bits: NDArray[np.uint8], plan: Plan) -> NDArray[np.bool_]:
    return np.unpackbits(bits, count=evaluation_times(plan).size).astype(np.bool_)
