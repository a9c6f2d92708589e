"""A drill that was played, rehearsed again with its own load, seed, platform and times.

The steps of the method begin when they began in the drill, counted from the begin of the load: how long the tools of
the real machine took between them is no prediction of anybody's. When a target is well again, which alerts fire and
what clients meet is predicted.
"""

from __future__ import annotations

from pathlib import Path

from sre.errors import BadDocument, SreError
from sre.gameday.evaluate import Replays, replays
from sre.gameday.model import DrillFolder, DrillOptions
from sre.gameday.rehearsal.calibration import Calibration
from sre.gameday.rehearsal.document import playable
from sre.gameday.rehearsal.run import rehearse_drill
from sre.gameday.rehearsal.timetable import Timetable, measured
from sre.gameday.run import BASELINE_S
from sre.incidents.evidence import read_object
from sre.metrics.files import RecordedSamples
from sre.reports.json_report import load_report
from sre.reports.model import DrillReport
from sre.reports.rehearsal.comparison import Comparison, paired
from sre.reports.rehearsal.quantities import quantities
from sre.reports.write import JSON

_STOPPED_EARLY_S = 3.0


def compare(
    folder: Path,
    experiment: Path,
    workspace: Path,
    *,
    calibration: Calibration,
    as_planned: bool = False,
    trace: Path | None = None,
    prices: Path | None = None,
) -> Comparison:
    """Rehearse the drill of a report folder with its own load, seed and platform. Raises SreError for a folder that is
    none, an experiment that is another one, or a load that cannot be made again.
    """
    drill = load_report(folder / JSON)
    _require_same(drill, experiment, folder)
    options = _options(drill, experiment, workspace, trace=trace, prices=prices)
    files = DrillFolder(folder)
    journal = read_object(files.journal) if files.journal.exists() else {}
    planned = as_planned or not journal
    method = playable(experiment).experiment.get("method")

    def times(virtual_load_began_at: float) -> Timetable:
        return measured(journal, load_began_at=drill.started_at, virtual_load_began_at=virtual_load_began_at)

    rehearsal = rehearse_drill(
        options,
        calibration=calibration,
        now=drill.started_at,
        epoch=float(int(drill.started_at)),
        times=None if planned else times,
        tail_s=_tail_s(drill),
    )
    again = _replays(files, drill)
    return Comparison(
        drill=drill,
        rehearsal=rehearsal,
        rows=paired(
            rehearsal.quantities(),
            quantities(drill, moved_streams=again.streams, recomputed_tokens=again.tokens),
        ),
        as_planned=planned,
        has_changed=bool(journal) and (journal.get("experiment") or {}).get("method") != method,
    )


def _replays(files: DrillFolder, drill: DrillReport) -> Replays:
    """What the gateway counted, where the drill's samples are still beside its report."""
    if not files.samples.exists():
        return Replays(None, None)
    return replays(RecordedSamples(files.samples), start=drill.started_at - BASELINE_S, end=drill.ended_at)


def _require_same(drill: DrillReport, experiment: Path, folder: Path) -> None:
    if drill.experiment != experiment.name:
        raise BadDocument(
            [f"{folder / JSON}: is a drill of {drill.experiment}, not of {experiment.name}: give that experiment"]
        )
    if drill.platform.engine != "emulated" or drill.platform.driver != "local":
        raise SreError(
            f"{folder}: ran on {drill.platform.driver} with engine {drill.platform.engine}: only drills of the local "
            "platform with the emulated engine are rehearsed"
        )


def _options(
    drill: DrillReport, experiment: Path, workspace: Path, *, trace: Path | None, prices: Path | None
) -> DrillOptions:
    """What the drill was played with, as its report says."""
    if "generator" not in drill.workload.source and trace is None:
        raise SreError(f"{drill.id}: its load was {drill.workload.source}: give that trace with --trace")
    return DrillOptions(
        experiment=experiment,
        workspace=workspace,
        state_dir=Path(),
        reports_dir=Path(),
        trace=trace,
        rate_rps=drill.workload.rate_rps,
        duration_s=drill.workload.duration_s,
        seed=drill.workload.seed,
        replicas=len(drill.platform.replicas),
        profile=drill.platform.profile,
        time_scale=drill.platform.time_scale,
        prices=prices,
    )


def _tail_s(drill: DrillReport) -> float | None:
    """How long the load went on after the experiment where it was cut short, as suites do; None: it was not."""
    last = max((point.at for point in drill.requests), default=drill.started_at)
    if last >= drill.started_at + drill.workload.duration_s - _STOPPED_EARLY_S:
        return None
    ended = max((event.at for event in drill.incident.timeline if event.kind == "chaos"), default=last)
    return max(0.0, last - ended)


def experiment_of(folder: Path, workspace: Path) -> Path:
    """The experiment that a drill's report names, in the workspace. Raises BadDocument when it is not there."""
    named = load_report(folder / JSON).experiment
    path = workspace / "experiments" / named
    if not path.is_file():
        raise BadDocument([f"{path}: the experiment of {folder} is not there: name its file, or give --workspace"])
    return path
