"""The experiments of a workspace, good and bad."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sre.chaos.experiment import load_drill
from sre.errors import BadDocument


@dataclass(frozen=True, slots=True)
class Listed:
    """An experiment file; `faults` are what keeps it from being run, `tags` the suites it belongs to beside `full`."""

    path: Path
    title: str
    failure_mode: str
    duration_s: float | None
    faults: tuple[str, ...] = ()
    id: str = ""
    tags: tuple[str, ...] = ()


def list_experiments(workspace: Path) -> tuple[Listed, ...]:
    """Every YAML file in `experiments/`, by name. Raises BadDocument when there is no such folder."""
    directory = workspace / "experiments"
    if not directory.is_dir():
        raise BadDocument([f"{directory}: no such folder: run this in a workspace, or give --workspace"])
    return tuple(_listed(path) for path in sorted(directory.glob("*.yaml")))


def _listed(path: Path) -> Listed:
    try:
        drill = load_drill(path)
    except BadDocument as error:
        return Listed(path, "invalid", "", None, tuple(error.faults))
    return Listed(path, drill.title, drill.failure_mode, drill.workload.duration_s, id=drill.id, tags=drill.tags)
