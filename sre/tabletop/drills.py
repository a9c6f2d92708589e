"""Which drill an exercise is built from: the one named, else the newest of its experiment that tested something."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from sre.chaos.model import Drill
from sre.errors import BadDocument, SreError
from sre.metrics.opening import open_samples
from sre.reports.drill_facts import subject_of
from sre.reports.formats import date
from sre.reports.json_report import load_report
from sre.reports.manifest import NAME, verify
from sre.reports.model import DrillReport
from sre.reports.runbook_facts import drill_fact
from sre.reports.write import JSON
from sre.tabletop.artefacts import Recording
from sre.tabletop.model import Evidence
from sre.tabletop.seen import instants_of

_SAMPLES = "samples.jsonl"


class _OtherExperiment(BadDocument):
    """A report that is well, and of another experiment."""


@dataclass(frozen=True, slots=True)
class Found:
    """A recording and where it lies; `recording` is None where there is none, and the evidence says why. `passed_over`
    are newer reports that could not be used, each with the reason.
    """

    recording: Recording | None
    evidence: Evidence
    passed_over: tuple[str, ...] = ()


def find_drill(drill: Drill, workspace: Path, given: Path | None) -> Found:
    """The recording of `given`, or of the newest report. Raises BadDocument for a report of another experiment, one
    that tested nothing, or one that was changed since it was written.
    """
    if given is not None:
        return _read(given, _checked(given, drill))
    passed_over: list[str] = []
    for place in _newest_first(workspace / "reports", drill):
        try:
            return replace(_read(place, _checked(place, drill)), passed_over=tuple(passed_over))
        except _OtherExperiment:
            continue
        except BadDocument as error:
            passed_over.append(error.faults[0])
    reason = f"no drill of {drill.id} that tested something is in reports/: play `sre gameday run` and build it anew"
    return Found(None, Evidence("", "", "", "", "", reason), tuple(passed_over))


def _newest_first(folder: Path, drill: Drill) -> list[Path]:
    """Folders named after the experiment, the newest first (names begin with the time), then all others."""
    places = [path for path in folder.iterdir() if (path / JSON).is_file()] if folder.is_dir() else []
    named = [path for path in places if path.name.endswith(f"Z-{drill.path.stem}")]
    others = [path for path in places if path not in named and "Z-" not in path.name]
    return [*sorted(named, reverse=True), *sorted(others)]


def _checked(folder: Path, drill: Drill) -> DrillReport:
    if not (folder / JSON).is_file():
        raise SreError(f"{folder}: holds no {JSON}: give the folder of a drill, reports/<id>")
    report = load_report(folder / JSON)
    if not _is_of(report, drill):
        of = subject_of(report).id or report.experiment
        raise _OtherExperiment([f"{folder}: is a drill of {of}, not of {drill.id}: give one of {drill.path.name}"])
    if drill_fact(report, experiment=drill.id) is None:
        raise BadDocument([f"{folder}: its drill is {report.verdict} and tested nothing: give another"])
    changed = verify(folder)
    if changed:
        raise BadDocument([f"{folder}: is not as its manifest says ({changed[0]}): give an unchanged report"])
    return report


def _is_of(report: DrillReport, drill: Drill) -> bool:
    id_ = subject_of(report).id
    return drill.id == id_ if id_ else drill.path.name == report.experiment


def _read(folder: Path, report: DrillReport) -> Found:
    samples, missing = None, f"n/a ({_SAMPLES} is not in the drill's folder)"
    if (folder / _SAMPLES).is_file():
        samples, missing = open_samples(folder / _SAMPLES), ""
    manifest = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    evidence = Evidence(report.id, folder.name, date(report.started_at), report.verdict, manifest)
    return Found(Recording(report, instants_of(report), samples, missing), evidence)
