"""Every experiment of a workspace rehearsed, one after the other; what cannot be is named and not left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from sre.chaos.experiment import id_in, load_drill
from sre.errors import BadDocument, SreError
from sre.gameday.model import DrillOptions
from sre.gameday.rehearsal.acts.catalogue import coverage_of
from sre.gameday.rehearsal.calibration import Calibration
from sre.gameday.rehearsal.run import rehearse_drill
from sre.reports.rehearsal.model import Coverage
from sre.reports.rehearsal.view import Entry


def experiments_in(workspace: Path) -> tuple[Path, ...]:
    """Every experiment file, by name. Raises BadDocument when there is none."""
    found = tuple(sorted((workspace / "experiments").glob("*.yaml")))
    if not found:
        raise BadDocument([f"{workspace / 'experiments'}: holds no experiment: give --workspace"])
    return found


def rehearse_library(
    options: DrillOptions,
    *,
    calibration: Calibration,
    now: float,
    epoch: float,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Entry]:
    """An entry each, as soon as it is there. `options` are those of every drill but its experiment."""
    for path in experiments_in(options.workspace):
        began, coverage = clock(), coverage_in(path)
        try:
            found = rehearse_drill(replace(options, experiment=path), calibration=calibration, now=now, epoch=epoch)
        except SreError as error:
            yield Entry(id_in(path), path.name, None, coverage, str(error), clock() - began)
        else:
            yield Entry(id_in(path), path.name, found, coverage, "", clock() - began)


def coverage_in(path: Path) -> tuple[Coverage, ...]:
    """How the faults of an experiment are rehearsed; () for one that cannot be read."""
    try:
        return tuple(coverage_of(fault) for fault in load_drill(path).faults)
    except SreError:
        return ()
