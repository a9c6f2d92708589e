"""One drill from start to report: alone, with a platform of its own, or as one of many on a platform that runs."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sre.errors import BadDocument
from sre.gameday.assemble import Observed, assemble
from sre.gameday.drive import Driven, drive
from sre.gameday.evaluate import evaluate_all, prometheus_version, replays, token_counts
from sre.gameday.leaving import leave
from sre.gameday.model import DrillFolder, DrillOptions
from sre.gameday.prepare import Prepared, prepare
from sre.gameday.progress import Progress
from sre.gameday.recording import Recorded
from sre.gameday.rotation import rotation_events
from sre.gameday.running import RunningPlatform, platform_running
from sre.gameday.window import write_own_events, write_own_ledger
from sre.metrics.files import RecordedSamples
from sre.metrics.model import SampleSource
from sre.metrics.prometheus import PrometheusSamples
from sre.platforms.state import EVENTS_FILE
from sre.reports.model import DrillReport
from sre.reports.runbook_pages import FOLDER, build_alert_pages, build_page, read_workspace

BASELINE_S = 2.0  # samples this long before the load are kept: the counters' base
Now = Callable[[], float]


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """A finished drill: report, path of its HTML, runbook rendered from it (None unless it went as was said), and its
    incident: None when no fault was injected.
    """

    report: DrillReport
    html: Path
    runbook: Path | None
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """A drill that is over, with what could only be read while its platform ran."""

    prepared: Prepared
    driven: Driven
    observed: Observed


def run_drill(options: DrillOptions, *, progress: Progress, now: Now = time.time) -> DrillOutcome:
    """Prepare, drive, evaluate, write. Raises SreError; whatever happens, no process is left running."""
    prepared = prepare(options, now=now())
    with _told_what_is_left(prepared, progress):
        with platform_running(prepared.spec, options.state_dir, progress=progress, now=now) as running:
            played = play(prepared, running, since=running.up_began_at, progress=progress, now=now)
        _copy_events(played, until=math.inf)  # once more: the end of the platform belongs to the drill that started it
        return finish(played, progress=progress, runbooks=True, gone_at=now())


def drill_on(
    prepared: Prepared,
    running: RunningPlatform,
    *,
    is_first: bool,
    runbooks: bool,
    progress: Progress,
    now: Now = time.time,
) -> DrillOutcome:
    """One drill among several on a platform. Its evidence is its own: what was before belongs to others.

    `is_first`: the platform was started for it, so that its start is part of the story. Raises SreError.
    """
    since = running.up_began_at if is_first else now()
    with _told_what_is_left(prepared, progress):
        played = play(prepared, running, since=since, progress=progress, now=now)
        return finish(played, progress=progress, runbooks=runbooks)


def play(
    prepared: Prepared, running: RunningPlatform, *, since: float, progress: Progress, now: Now = time.time
) -> Played:
    """Drive the drill and read what has to be read while the platform runs."""
    driven = drive(prepared, running, since=since, progress=progress, now=now)
    progress.step("evaluate: SLOs, burn rates, alerts")
    _collect(prepared, driven, running)
    observed = _observe(prepared, driven)
    progress.done(", ".join(observed.sources))
    return Played(prepared, driven, observed)


def finish(played: Played, *, progress: Progress, runbooks: bool, gone_at: float | None = None) -> DrillOutcome:
    """From the drill's folder to its report; `runbooks`: one that went as was said renders its runbook anew. `gone_at`
    (Unix s) is when its platform was taken down, None while it runs on.
    """
    progress.step("report")
    report = assemble(played.prepared, played.driven, played.observed)
    page = _runbook(played.prepared, report, progress) if runbooks else None
    left = leave(played.prepared, report, runbook=page, gone_at=gone_at, progress=progress)
    progress.done(str(left.html))
    return DrillOutcome(report, left.html, page, left.recorded)


def _runbook(prepared: Prepared, report: DrillReport, progress: Progress) -> Path | None:
    try:
        return _write_runbook(prepared, report) if prepared.has_runbook else None
    except BadDocument as error:  # of a page or experiment that is not this drill's doing
        progress.note(f"the runbook stays as it is: {error}")
        return None


@contextlib.contextmanager
def _told_what_is_left(prepared: Prepared, progress: Progress) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if prepared.folder.exists():
            progress.note(f"what was recorded until then, without a report: {prepared.folder}")
        raise


def _collect(prepared: Prepared, driven: Driven, running: RunningPlatform) -> None:
    """Copy what the state directory holds of this drill into its folder."""
    folder, state_dir = DrillFolder(prepared.folder), running.platform.state_dir
    write_own_events(state_dir / EVENTS_FILE, folder.events, since=driven.since, until=driven.ended_at)
    write_own_ledger(state_dir, folder.root, since=driven.chaos_began_at)
    RecordedSamples(state_dir / "samples").extract(
        folder.samples, start=driven.load_began_at - BASELINE_S, end=driven.ended_at
    )


def _copy_events(played: Played, *, until: float) -> None:
    source = played.prepared.options.state_dir / EVENTS_FILE
    write_own_events(source, DrillFolder(played.prepared.folder).events, since=played.driven.since, until=until)


def _observe(prepared: Prepared, driven: Driven) -> Observed:
    """Evaluate from our recorder's samples, and from Prometheus where it runs."""
    recorded = RecordedSamples(DrillFolder(prepared.folder).samples)
    prometheus = PrometheusSamples(driven.prometheus_url) if driven.prometheus_url else None
    sources: list[SampleSource] = [recorded] if prometheus is None else [recorded, prometheus]
    start, end = driven.load_began_at - BASELINE_S, driven.ended_at
    try:
        results = evaluate_all(
            prepared.slos,
            sources,
            start=start,
            end=end,
            clock=prepared.clock,
            step_s=prepared.spec.scrape_interval_s,
        )
    finally:
        if prometheus is not None:
            prometheus.close()
    return Observed(
        results=results,
        sources=tuple(source.name for source in sources),
        tokens=token_counts(recorded, start=start, end=end),
        replays=replays(recorded, start=start, end=end),
        rotation=rotation_events(recorded, start=start, end=end),
        prometheus_version=prometheus_version(driven.prometheus_url) if driven.prometheus_url else None,
    )


def _write_runbook(prepared: Prepared, report: DrillReport) -> Path | None:
    """A drill that went as was said speaks for its page; a proven page is not replaced by a doubtful one."""
    if report.verdict != "passed" and not report.is_known:
        return None
    workspace = prepared.options.workspace
    known = read_workspace(workspace, also=(prepared.drill,), tolerant=True)
    built = build_page(prepared.drill.runbook, known, [report], workspace / FOLDER)
    build_alert_pages(known, workspace / FOLDER)
    return built.path if report.id in built.drills else None
