"""Which drills a suite holds, and in which order they are played: as few platform starts as their needs allow. Pure
but for reading files.

A suite is a name: `full` is every experiment of the workspace, any other name those that carry it as a tag (Chaos
Toolkit's own `tags:`). Or it is a file with a list of experiments, or the files themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sre.chaos.experiment import load_drill
from sre.chaos.faults.catalogue import fault_class
from sre.chaos.model import Drill
from sre.errors import BadDocument
from sre.gameday.prepare import Prepared
from sre.platforms.local import PlatformSpec
from sre.slo.documents import Faults, Node, read_documents

FULL = "full"
FILES = "files"
DRIVER = "local"


@dataclass(frozen=True, slots=True)
class Suite:
    """A name and the experiments, in the order they were found."""

    name: str
    experiments: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Drills that ask for the same platform."""

    spec: PlatformSpec
    drills: tuple[Prepared, ...]

    def holds(self, drill: Prepared) -> bool:
        return any(drill is own for own in self.drills)


def suite_of(asked: str, workspace: Path) -> Suite:
    """The suite of that name, or in that file. Raises BadDocument for one without experiments."""
    path = Path(asked)
    if path.suffix in (".yaml", ".yml"):
        return _from_file(path)
    found = _experiments(workspace)
    if asked == FULL:
        return Suite(asked, tuple(found))
    tags = {path: drill.tags for path, drill in _loaded(found)}
    chosen = tuple(path for path in found if asked in tags[path])
    if not chosen:
        known = ", ".join(sorted({FULL, *(tag for each in tags.values() for tag in each)}))
        raise BadDocument([f"no experiment in {workspace / 'experiments'} has the tag {asked!r}: use one of {known}"])
    return Suite(asked, chosen)


def batches(drills: Sequence[Prepared]) -> tuple[Batch, ...]:
    """One batch for each platform that is needed, by whoever needs it first; within a batch the order stays."""
    by_spec: dict[str, list[Prepared]] = {}
    for drill in drills:
        by_spec.setdefault(drill.spec.to_json(), []).append(drill)
    return tuple(Batch(group[0].spec, tuple(group)) for group in by_spec.values())


def cannot_play(drill: Drill) -> str | None:
    """Why the drill cannot be played on this machine's local platform; None when it can."""
    for name in drill.faults:
        fault = fault_class(name)
        if DRIVER not in fault.platforms:
            return f"{name} is a fault of {' and '.join(fault.platforms)} only"
        if "root" in fault.needs and os.geteuid() != 0:
            return f"{name} needs root"
    return None


def _experiments(workspace: Path) -> list[Path]:
    directory = workspace / "experiments"
    if not directory.is_dir():
        raise BadDocument([f"{directory}: no such folder: run this in a workspace, or give --workspace"])
    found = sorted(directory.glob("*.yaml"))
    if not found:
        raise BadDocument([f"{directory}: holds no experiment: write one, see docs/chaos.md"])
    return found


def _loaded(paths: Iterable[Path]) -> list[tuple[Path, Drill]]:
    """Every drill, or every fault of every file at once."""
    drills, faults = [], []
    for path in paths:
        try:
            drills.append((path, load_drill(path)))
        except BadDocument as error:
            faults += error.faults
    if faults:
        raise BadDocument(faults)
    return drills


def _from_file(path: Path) -> Suite:
    documents = read_documents(path)
    faults = Faults(path)
    root = documents[0] if documents else Node("", 1)
    faults.mapping(root, ("name", "experiments"))
    name = faults.text(faults.required(root, "name", "name the suite"), "write text")
    listed = faults.list_of(faults.required(root, "experiments", "list experiment files"), "list experiment files")
    paths = [path.parent / faults.text(item, "write the path of a file") for item in listed]
    if not faults.found and not listed:
        faults.add(root, "is empty: list at least one file", key="experiments")
    if faults.found:
        raise BadDocument(faults.found)
    return Suite(name, tuple(paths))
