"""One drill from start to report."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sre.errors import SreError
from sre.gameday.assemble import Observed, assemble
from sre.gameday.drive import Driven, drive
from sre.gameday.evaluate import evaluate_all, prometheus_version, replays, token_counts
from sre.gameday.model import DrillFolder, DrillOptions
from sre.gameday.prepare import Prepared, prepare
from sre.gameday.progress import Progress
from sre.incidents.build import incident_to_json
from sre.incidents.codec import encode
from sre.metrics.files import RecordedSamples
from sre.metrics.model import SampleSource
from sre.metrics.prometheus import PrometheusSamples
from sre.platforms.local import LocalPlatform
from sre.reports.atomic import write_text
from sre.reports.model import DrillReport
from sre.reports.runbook_facts import runbook_facts
from sre.reports.write import write_report
from sre.runbooks.render import render_runbook

BASELINE_S = 2.0  # samples this long before the load are kept: the counters' base


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """A finished drill: report, path of its HTML, runbook rendered from it (None unless the drill passed)."""

    report: DrillReport
    html: Path
    runbook: Path | None


def run_drill(options: DrillOptions, *, progress: Progress, now: Callable[[], float] = time.time) -> DrillOutcome:
    """Prepare, drive, evaluate, write. Raises SreError; whatever happens, no process is left running."""
    prepared = prepare(options, now=now())
    observed: list[Observed] = []

    def observe(driven: Driven, platform: LocalPlatform) -> None:
        progress.step("evaluate: SLOs, burn rates, alerts")
        _collect(prepared, driven, platform)
        observed.append(_observe(prepared, driven))
        progress.done(", ".join(observed[0].sources))

    try:
        driven = drive(prepared, progress=progress, on_live=observe, now=now)
        progress.step("report")
        shutil.copyfile(options.state_dir / "events.jsonl", DrillFolder(prepared.folder).events)
        outcome = _write(prepared, assemble(prepared, driven, observed[0]))
    except BaseException:
        if prepared.folder.exists():
            progress.note(f"what was recorded until then, without a report: {prepared.folder}")
        raise
    progress.done(str(outcome.html))
    return outcome


def _collect(prepared: Prepared, driven: Driven, platform: LocalPlatform) -> None:
    """Copy what the state directory holds of this drill into its folder."""
    folder = DrillFolder(prepared.folder)
    shutil.copyfile(platform.state_dir / "events.jsonl", folder.events)
    if (platform.state_dir / "chaos.jsonl").exists():
        shutil.copyfile(platform.state_dir / "chaos.jsonl", folder.ledger)
    RecordedSamples(platform.state_dir / "samples").extract(
        folder.samples, start=driven.load_began_at - BASELINE_S, end=driven.ended_at
    )


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
        prometheus_version=prometheus_version(driven.prometheus_url) if driven.prometheus_url else None,
    )


def _write(prepared: Prepared, report: DrillReport) -> DrillOutcome:
    folder = DrillFolder(prepared.folder)
    write_text(folder.incident, incident_to_json(report.incident))
    write_text(folder.cost, json.dumps(encode(report.cost), indent=1, allow_nan=False) + "\n")
    html = write_report(report, folder.root)
    return DrillOutcome(report, html, _write_runbook(prepared, report))


def _write_runbook(prepared: Prepared, report: DrillReport) -> Path | None:
    """Only a passed drill may speak for the runbook: a proven page is not replaced by a doubtful one."""
    if report.verdict != "passed":
        return None
    directory = prepared.options.workspace / "runbooks"
    try:
        directory.mkdir(exist_ok=True)
        path = directory / f"{prepared.drill.failure_mode}.md"
        write_text(path, render_runbook(runbook_facts(report, failure_mode=prepared.drill.failure_mode)))
    except OSError as error:
        raise SreError(
            f"{directory}: the runbook cannot be written ({error.strerror}): check its permissions"
        ) from error
    return path
