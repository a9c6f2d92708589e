"""A post-incident report again, from the store and from the report folder: what `sre report build` does.

Either may be missing: an incident of an alert has no drill, a folder that was sent to somebody has no store. What
cannot be read is said in one line; the rest is built.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sre.cost.provenance import CostSum
from sre.errors import BadDocument, EnvironmentLacks, NoData, SreError
from sre.incidents.case import Case, fold
from sre.incidents.causes.folder import rank_folder
from sre.incidents.causes.model import CauseRanking
from sre.incidents.events import Draft, Event
from sre.incidents.store.model import Anchor, IncidentStore
from sre.reports.drill_case import drafts_of
from sre.reports.drill_documents import drill_post_incident, write_drill_documents
from sre.reports.json_report import load_report
from sre.reports.manifest import NAME as MANIFEST
from sre.reports.manifest import write_manifest
from sre.reports.model import DrillReport
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.model import PostIncidentReport, Related
from sre.reports.postincident.write import HTML, whole_report, write_post_incident
from sre.reports.write import JSON

REPORTS = "reports"
CostsOf = Callable[[Case, DrillReport | None, Path], Sequence[CostSum]]
"""Sums of an incident, the incident's own first; the drill's folder is given with its report."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of an incident. `records` is the folder of its drill; `notes` say what is not there."""

    case: Case
    drill: DrillReport | None
    records: Path | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The report's page and what could not be read for it."""

    case: Case
    html: Path
    is_drill: bool
    notes: tuple[str, ...]


def find(which: str, store: IncidentStore | None, workspace: Path) -> Found:
    """An incident of the store by its id, or a drill by its report folder. Raises SreError when it is neither."""
    folder = Path(which)
    if folder.is_dir():
        return _of_folder(folder, store)
    if store is None:
        raise SreError(f"{which}: no such folder, and there is no incident store: give reports/<id>, or --store")
    return _of_case(store.case(which), workspace)


def rebuild(
    found: Found,
    *,
    out: Path | None,
    workspace: Path,
    costs_of: CostsOf,
    related: Sequence[Related] = (),
    anchor: Anchor | None = None,
) -> Rebuilt:
    """Write the report of `found`: into the drill's folder, into reports/<id> of the workspace, or into `out`.

    In its own folder a drill's other pages and the manifest are written anew as well, because they name each other.
    """
    notes = list(found.notes)
    causes = _ranked(found, notes)
    costs = _costs(found, costs_of, notes)
    if found.drill is not None and found.records is not None and out is None:
        write_drill_documents(
            found.drill, found.records, case=found.case, causes=causes, costs=costs, related=related, anchor=anchor
        )
        return Rebuilt(found.case, found.records / HTML, is_drill=True, notes=tuple(notes))
    folder = out or workspace / REPORTS / found.case.head.id
    _make(folder)
    _check_is_a_report_folder(folder)
    told = _told(found, folder, workspace, causes, costs, related, notes)
    records, prefix = _records(found, folder)
    write_post_incident(told, folder, case=found.case, drill=found.drill, records=records, prefix=prefix)
    write_manifest(folder, () if anchor is None else (anchor,))
    return Rebuilt(found.case, folder / HTML, is_drill=found.drill is not None, notes=tuple(notes))


def built_now(
    found: Found, *, out: Path | None, workspace: Path, costs_of: CostsOf, related: Sequence[Related] = ()
) -> tuple[PostIncidentReport, Path]:
    """What `rebuild` would write as post-incident.json, and the folder it would lie in. Writes nothing."""
    notes = list(found.notes)
    causes = _ranked(found, notes)
    costs = _costs(found, costs_of, notes)
    if found.drill is not None and found.records is not None and out is None:
        told = drill_post_incident(
            found.drill, found.records, case=found.case, causes=causes, costs=costs, related=related
        )
        return whole_report(told, found.records, case=found.case, drill=found.drill), found.records
    folder = out or workspace / REPORTS / found.case.head.id
    told = _told(found, folder, workspace, causes, costs, related, notes)
    records, prefix = _records(found, folder)
    return whole_report(told, records, case=found.case, drill=found.drill, prefix=prefix), folder


def without_store(drafts: Sequence[Draft], incident: str) -> Case:
    """A case that no store keeps: its events have no place in any chain."""
    events = (
        Event(incident, 0, seq, d.at, d.at, d.payload, d.text, d.source, d.actor, "", "")
        for seq, d in enumerate(drafts, 1)
    )
    return fold(tuple(events))


def _of_folder(folder: Path, store: IncidentStore | None) -> Found:
    drill = load_report(folder / JSON)
    head = None if store is None else store.by_key(drill.id)
    if store is not None and head is not None:
        return Found(store.case(head.id), drill, folder)
    why = "no incident store" if store is None else f"the store has no incident of drill {drill.id}"
    return Found(without_store(drafts_of(drill, folder), drill.id), drill, folder, (f"{why}: built from its folder",))


def _of_case(case: Case, workspace: Path) -> Found:
    if case.head.origin != "drill":
        return Found(case, None, None)
    linked = [workspace / link.target for link in case.links if link.rel == "report"]
    places = [*linked, workspace / REPORTS / case.head.key]
    folder = next((place for place in places if (place / JSON).is_file()), None)
    if folder is None:
        return Found(case, None, None, (f"{places[-1]}: no report.json there: built from the store alone",))
    try:
        return Found(case, load_report(folder / JSON), folder)
    except BadDocument as error:
        more = f", and {len(error.faults) - 1} more faults" if len(error.faults) > 1 else ""
        return Found(case, None, folder, (f"{error.faults[0]}{more}: built from the store alone",))


def _ranked(found: Found, notes: list[str]) -> CauseRanking | None:
    """The ranking of what lies in the drill's folder; a note where nothing can be ranked."""
    if found.records is None or found.drill is None:
        return None
    try:
        return rank_folder(found.records, since=found.drill.started_at, until=found.drill.ended_at)
    except (SreError, OSError) as error:
        notes.append(f"causes were not ranked: {error}")
        return None


def _costs(found: Found, costs_of: CostsOf, notes: list[str]) -> Sequence[CostSum]:
    try:
        return costs_of(found.case, found.drill, found.records or Path())
    except NoData:
        return ()
    except SreError as error:
        notes.append(f"no cost: {error}")
        return ()


def _told(
    found: Found,
    folder: Path,
    workspace: Path,
    causes: CauseRanking | None,
    costs: Sequence[CostSum],
    related: Sequence[Related],
    notes: Sequence[str],
) -> PostIncidentReport:
    """The report for a folder of its own; what could not be read is one of its limits."""
    up = _way(folder, workspace)
    told = post_incident(
        found.case, drill=found.drill, causes=causes, costs=costs, related=related, workspace=f"{up}/" if up else ""
    )
    return replace(told, limits=(*told.limits, *notes))


def _records(found: Found, folder: Path) -> tuple[Path, str]:
    """The folder that is quoted, and the way to it from the report's."""
    records = found.records or folder
    return records, "" if records == folder else f"{_way(folder, records)}/"


def _check_is_a_report_folder(folder: Path) -> None:
    """The manifest is made over everything in a folder: one with other things in it is not ours to list."""
    if not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise SreError(f"{folder}: holds other files and no {MANIFEST}: choose a new folder with --out")


def _way(start: Path, to: Path) -> str:
    """The relative path between two folders, in URL's slashes; "" for none."""
    way = Path(os.path.relpath(to.resolve(), start.resolve())).as_posix()
    return "" if way == "." else way


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: cannot be made ({error.strerror}): choose another --out") from error
