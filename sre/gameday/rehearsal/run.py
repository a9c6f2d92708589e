"""One rehearsal: the drill's preparation, the platform's code under a virtual clock, the drill's own assembly.

Everything lies in a scratch folder with the files that a drill leaves, so that `assemble` reads a rehearsal as it reads
a drill. Nothing is written into reports/, no incident is kept, no runbook is proven: the report says what it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import Run
from sre.chaos.section.terms import terms_of
from sre.gameday.assemble import Observed, assemble
from sre.gameday.drive import Driven
from sre.gameday.evaluate import evaluate_all, replays, token_counts
from sre.gameday.model import DrillFolder, DrillOptions
from sre.gameday.prepare import Prepared, prepare
from sre.gameday.rehearsal.calibration import Calibration
from sre.gameday.rehearsal.document import Playable, playable
from sre.gameday.rehearsal.guarding import VirtualGuard
from sre.gameday.rehearsal.leases import Leases
from sre.gameday.rehearsal.readings import Readings
from sre.gameday.rehearsal.samples import VirtualRecorder
from sre.gameday.rehearsal.script import Script
from sre.gameday.rehearsal.stage import Page, Scene
from sre.gameday.rehearsal.timetable import AS_PLANNED, Timetable
from sre.gameday.rotation import rotation_events
from sre.gameday.run import BASELINE_S
from sre.metrics.files import RecordedSamples
from sre.platforms.local.rehearse import Pace, Played, VirtualPlatform, rehearse
from sre.platforms.local.rehearsed_load import write_load
from sre.platforms.processes import ProcessRef
from sre.reports.model import DrillReport
from sre.reports.rehearsal.model import Rehearsal

RUN_ID = "r-rehearsed"
DRIVER = "rehearsal"
SERVER = "none: the platform's own code under a virtual clock"
NOBODY = ProcessRef(0, 0.0)
TimesOf = Callable[[float], Timetable]
"""From when the virtual load began (Unix seconds) to when the steps of the method begin."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rehearsed: a drill that is prepared, its file as data, and the machine as far as it is known.

    `epoch` is the virtual clock's first moment, Unix seconds. `times` None: as the file plans. `tail_s` as in
    `DrillOptions`.
    """

    prepared: Prepared
    playable: Playable
    calibration: Calibration
    epoch: float
    times: TimesOf | None = None
    tail_s: float | None = None


def rehearse_drill(
    options: DrillOptions,
    *,
    calibration: Calibration,
    now: float,
    epoch: float,
    times: TimesOf | None = None,
    tail_s: float | None = None,
) -> Rehearsal:
    """Prepare and rehearse one drill. `now` (Unix seconds) is the day whose prices hold. Raises SreError for bad input,
    also for a step that cannot be rehearsed.
    """
    with TemporaryDirectory(prefix="sre-rehearsal-") as folder:
        room = Path(folder)
        asked = replace(options, reports_dir=room, state_dir=room / "state")
        prepared = prepare(asked, now=now)
        found = playable(options.experiment)
        found.require()
        return play(Plan(prepared, found, calibration, epoch, times, tail_s), room)


def play(plan: Plan, room: Path) -> Rehearsal:
    """Rehearse what is planned; `room` is an empty folder for the files of it."""
    prepared, folder = plan.prepared, DrillFolder(plan.prepared.folder)
    folder.root.mkdir(parents=True)
    recorder = VirtualRecorder(room / "samples", interval_s=prepared.spec.scrape_interval_s)
    journal: dict[str, object] = {}

    async def script(platform: VirtualPlatform) -> None:
        scene = Scene(platform, recorder, plan.calibration.paces)
        await _played(plan, scene, folder, journal)

    played = rehearse(
        prepared.spec,
        prepared.load,
        script,
        epoch=plan.epoch,
        on_scrape=lambda at, target, page: recorder.scraped(Page(at, target, page)),
        pace=Pace(warmup_s=prepared.warmup_s, tail_s=plan.tail_s),
        starts=plan.calibration.starts,
        latencies=plan.calibration.latencies,
    )
    recorder.close()
    _leave(plan, played, room, journal)
    return _told(plan, played, folder)


async def _played(plan: Plan, scene: Scene, folder: DrillFolder, journal: dict[str, object]) -> None:
    """The experiment, watched by its guard."""
    prepared, experiment = plan.prepared, plan.playable.experiment
    terms, slo_dir = terms_of(experiment), prepared.options.workspace / "slo"
    began = scene.now()
    run = Run(RUN_ID, NOBODY, str(experiment.get("title")), terms.radius, began + terms.deadline_s)
    script = Script(
        experiment=experiment,
        leases=Leases(scene, Ledger(folder.root), run),
        readings=Readings(scene, slo_dir),
        times=AS_PLANNED if plan.times is None else plan.times(began - prepared.warmup_s),
        settle_s=terms.settle_s,
    )
    guard = VirtualGuard(scene, script, terms.guard, slo_dir)
    script.watch = guard.watch
    await script.play()
    journal.update(script.journal)


def _leave(plan: Plan, played: Played, room: Path, journal: Mapping[str, object]) -> None:
    """The files of a drill, where a drill has them."""
    prepared, folder = plan.prepared, DrillFolder(plan.prepared.folder)
    write_load(folder.root, prepared.load, played.records, wall_s=played.ended_at - played.load_began_at)
    folder.journal.write_text(json.dumps(journal, default=str), encoding="utf-8")
    folder.chaos_log.write_text("", encoding="utf-8")
    events = sorted(played.events, key=lambda event: float(event["at"]))
    folder.events.write_text("".join(json.dumps(dict(event)) + "\n" for event in events), encoding="utf-8")
    start, end = played.load_began_at - BASELINE_S, played.ended_at
    RecordedSamples(room / "samples").extract(folder.samples, start=start, end=end)


def _told(plan: Plan, played: Played, folder: DrillFolder) -> Rehearsal:
    prepared, samples = plan.prepared, RecordedSamples(folder.samples)
    start, end = played.load_began_at - BASELINE_S, played.ended_at
    again = replays(samples, start=start, end=end)
    observed = Observed(
        results=evaluate_all(
            prepared.slos, [samples], start=start, end=end, clock=prepared.clock, step_s=prepared.spec.scrape_interval_s
        ),
        sources=(samples.name,),
        tokens=token_counts(samples, start=start, end=end),
        replays=again,
        rotation=rotation_events(samples, start=start, end=end),
        prometheus_version=None,
    )
    report = assemble(prepared, _driven(played), observed)
    return Rehearsal(
        report=_marked(report, plan),
        seed=int(prepared.load["seed"]),
        assumptions=plan.calibration.figures,
        coverage=plan.playable.coverage,
        moved_streams=again.streams,
        recomputed_tokens=again.tokens,
    )


def _driven(played: Played) -> Driven:
    return Driven(
        since=played.began_at,
        up_began_at=played.began_at,
        ready_at=played.ready_at,
        load_began_at=played.load_began_at,
        chaos_began_at=played.script_began_at,
        chaos_ended_at=played.script_ended_at,
        load_covered_chaos=any(record.finished_at > played.script_ended_at for record in played.records),
        ended_at=played.ended_at,
        chaos_returncode=0,
        memory_mb=None,
        prometheus_url=None,
    )


def _marked(report: DrillReport, plan: Plan) -> DrillReport:
    """No reader may take it for a drill."""
    name = plan.prepared.options.experiment.stem
    how = tuple(
        f"{one.fault} is rehearsed: {one.fidelity}{f' ({one.note})' if one.note else ''}."
        for one in plan.playable.coverage
    )
    told = f"rehearsal-{name}"
    return replace(
        report,
        id=told,
        incident=replace(report.incident, id=told),
        title=f"Rehearsal: {report.title}",
        platform=replace(report.platform, driver=DRIVER, server=SERVER, host="none: virtual time"),
        tool_versions=tuple(pair for pair in report.tool_versions if pair[0] in ("llm-gameday", "Python")),
        limits=(
            "A rehearsal: gateway, engines, autoscaler and supervisor are the platform's own code under a virtual "
            "clock; nothing was broken, and no noise of a shared machine is in it.",
            *how,
            *report.limits[1:4],
        ),
    )
