"""Drives one prepared drill on a platform that serves: load, chaos, the rest of the load. It leaves files behind.

Both child processes end with this process whatever happens to it; on the way out they are ended in order, so that
rollbacks are played and records are complete.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from sre.chaos.leases.ledger import Ledger
from sre.chaos.runs.run import run_chaos
from sre.chaos.runs.toolkit import follow
from sre.errors import PlatformError
from sre.gameday.evaluate import watched_targets
from sre.gameday.load import RunningLoad, load_running
from sre.gameday.model import DrillFolder
from sre.gameday.prepare import Prepared, write_plan
from sre.gameday.progress import POLL_S, Progress
from sre.gameday.running import RunningPlatform
from sre.metrics.files import RecordedSamples
from sre.metrics.model import SampleSource
from sre.metrics.prometheus import PrometheusSamples
from sre.platforms.local import footprint_mb

LOAD_GRACE_S = 70.0
SETTLE_SCRAPES = 3
BASELINE_TIMEOUT_S = 20.0  # Prometheus hands out its first targets 5 s after its start


@dataclass(frozen=True, slots=True)
class Driven:
    """What cannot be read from the artefacts: instants (Unix seconds), exit code, footprint, and whether load was still
    offered when the experiment ended.

    `since` is when the drill's own window begins: with the platform's start when it was started for this drill.
    """

    since: float
    up_began_at: float
    ready_at: float
    load_began_at: float
    chaos_began_at: float
    chaos_ended_at: float
    load_covered_chaos: bool
    ended_at: float
    chaos_returncode: int
    memory_mb: float | None
    prometheus_url: str | None


def drive(
    prepared: Prepared,
    running: RunningPlatform,
    *,
    since: float,
    progress: Progress,
    now: Callable[[], float] = time.time,
) -> Driven:
    """Play the drill. Raises SreError when a child fails; none of them is left running in any case."""
    folder = DrillFolder(prepared.folder)
    folder.root.mkdir(parents=True)
    logs = prepared.options.state_dir / "logs"
    progress.step("samples: every source sees every target")
    _await_baseline(prepared, running, now=now)
    plan = write_plan(prepared.load, prepared.options.state_dir / "plan.json", url=running.platform.gateway_url)
    load_began_at = now()
    with load_running(running.platform, plan, log=logs / "loadgen.log") as load:
        progress.step(f"warm-up: {prepared.warmup_s:g} s of load")
        load.watch(until=lambda: now() >= load_began_at + prepared.warmup_s, progress=progress)
        memory_mb = footprint_mb(running.platform)
        progress.step(f"chaos: {prepared.drill.title}")
        chaos_began_at = now()
        chaos_returncode = _chaos(prepared, running, folder, load, progress)
        chaos_ended_at, load_covered_chaos = now(), not load.ended()
        if not _broke_something(running, since=chaos_began_at):
            progress.fail("nothing was broken, so the load ends here")
            progress.step("load: stopped")
        elif prepared.options.tail_s is not None:
            tail_ends_at = chaos_ended_at + prepared.options.tail_s
            progress.step(f"load: {prepared.options.tail_s:g} s more")
            load.watch(until=lambda: load.ended() or now() > tail_ends_at, progress=progress)
        else:
            progress.step("load: the rest of it")
            _finish(load, limit=load_began_at + prepared.duration_s + LOAD_GRACE_S, now=now, progress=progress)
    time.sleep(SETTLE_SCRAPES * prepared.spec.scrape_interval_s)  # the last requests must be in the samples
    progress.done(load.summary())
    return Driven(
        since=since,
        up_began_at=running.up_began_at,
        ready_at=running.ready_at,
        load_began_at=load_began_at,
        chaos_began_at=chaos_began_at,
        chaos_ended_at=chaos_ended_at,
        load_covered_chaos=load_covered_chaos,
        ended_at=now(),
        chaos_returncode=chaos_returncode,
        memory_mb=memory_mb,
        prometheus_url=running.prometheus_url,
    )


def _chaos(
    prepared: Prepared, running: RunningPlatform, folder: DrillFolder, load: RunningLoad, progress: Progress
) -> int:
    chaos = run_chaos(
        prepared.options.experiment,
        journal=folder.journal,
        log=folder.chaos_log,
        state_dir=running.platform.state_dir,
        platform_id=running.platform.platform_id,
    )
    return follow(chaos, folder.chaos_log, progress=progress, tick=lambda: _tick(load, progress))


def _broke_something(running: RunningPlatform, *, since: float) -> bool:
    records = Ledger(running.platform.state_dir).read()
    return any(record.event == "fault_begin" and record.at >= since for record in records)


def _await_baseline(prepared: Prepared, running: RunningPlatform, *, now: Callable[[], float]) -> None:
    """Counters need a value from before the load. Raises PlatformError naming the source that stays blind."""
    _await_targets(RecordedSamples(running.platform.state_dir / "samples"), prepared, now=now)
    if running.prometheus_url is not None:
        with contextlib.closing(PrometheusSamples(running.prometheus_url)) as prometheus:
            _await_targets(prometheus, prepared, now=now)


def _await_targets(source: SampleSource, prepared: Prepared, *, now: Callable[[], float]) -> None:
    targets = prepared.spec.replicas + 1
    deadline = now() + BASELINE_TIMEOUT_S
    while watched_targets(source, now=now(), within_s=5 * prepared.spec.scrape_interval_s) < targets:
        if now() > deadline:
            logs = prepared.options.state_dir / "logs"
            raise PlatformError(f"{source.name} does not see all {targets} targets: see its log in {logs}")
        time.sleep(POLL_S)


def _finish(load: RunningLoad, *, limit: float, now: Callable[[], float], progress: Progress) -> None:
    load.watch(until=lambda: load.ended() or now() > limit, progress=progress)
    if not load.ended():
        raise PlatformError(f"load generator did not end {LOAD_GRACE_S:g} s after its last arrival: see {load.log}")


def _tick(load: RunningLoad, progress: Progress) -> None:
    load.ended()
    progress.detail(load.summary())
