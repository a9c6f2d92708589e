"""Drives one prepared drill: platform up, load, chaos, wait, down. What happened is left in files.

The platform and both child processes end with this process whatever happens to it; on the way out they are ended in
order, so that rollbacks are played and records are complete.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from sre.chaos.ledger import Ledger
from sre.chaos.run import run_chaos
from sre.errors import PlatformError
from sre.gameday.evaluate import watched_targets
from sre.gameday.load import RunningLoad, load_running
from sre.gameday.model import DrillFolder
from sre.gameday.prepare import Prepared, write_plan
from sre.gameday.progress import POLL_S, Progress
from sre.gameday.toolkit import follow
from sre.metrics.files import RecordedSamples
from sre.metrics.model import SampleSource
from sre.metrics.prometheus import PrometheusSamples
from sre.platforms.interrupts import interrupts_held
from sre.platforms.local import LocalPlatform, down, footprint_mb, up

LOAD_GRACE_S = 70.0
SETTLE_SCRAPES = 3
BASELINE_TIMEOUT_S = 20.0  # Prometheus hands out its first targets 5 s after its start


@dataclass(frozen=True, slots=True)
class Driven:
    """What cannot be read from the artefacts: instants (Unix seconds), exit code, footprint."""

    up_began_at: float
    ready_at: float
    load_began_at: float
    chaos_began_at: float
    chaos_ended_at: float
    load_ended_at: float
    ended_at: float
    chaos_returncode: int
    memory_mb: float | None
    prometheus_url: str | None


OnLive = Callable[[Driven, LocalPlatform], None]


def drive(prepared: Prepared, *, progress: Progress, on_live: OnLive, now: Callable[[], float] = time.time) -> Driven:
    """Run the drill. `on_live` is called once all is over but the platform still runs (to read from its Prometheus).

    Raises SreError when the platform does not come up, or a child fails; nothing is left running in any case.
    """
    folder = DrillFolder(prepared.folder)
    state_dir = prepared.options.state_dir
    up_began_at = now()
    progress.step(f"platform: {prepared.spec.replicas} Triton replicas, gateway")
    platform = up(prepared.spec, state_dir, on_progress=progress.detail, detached=False)
    ready_at = now()
    progress.done(f"{platform.gateway_url}")
    try:
        folder.root.mkdir(parents=True)
        driven = _under_load(
            prepared, platform, folder, progress=progress, now=now, up_began_at=up_began_at, ready_at=ready_at
        )
        on_live(driven, platform)
    except BaseException as error:
        progress.fail("interrupted" if isinstance(error, KeyboardInterrupt) else "")
        raise
    finally:
        progress.step("platform down")
        with interrupts_held():
            report = down(state_dir)
        progress.done("nothing left running" if not report.orphans else f"killed {', '.join(report.orphans)}")
    return driven


def _under_load(
    prepared: Prepared,
    platform: LocalPlatform,
    folder: DrillFolder,
    *,
    progress: Progress,
    now: Callable[[], float],
    up_began_at: float,
    ready_at: float,
) -> Driven:
    logs = prepared.options.state_dir / "logs"
    prometheus_url = platform.state().prometheus_url
    progress.step("samples: every source sees every target")
    _await_baseline(prepared, platform, prometheus_url, now=now)
    plan = write_plan(prepared.load, prepared.options.state_dir / "plan.json", url=platform.gateway_url)
    load_began_at = now()
    with load_running(platform, plan, log=logs / "loadgen.log") as load:
        progress.step(f"warm-up: {prepared.warmup_s:g} s of load")
        load.watch(until=lambda: now() >= load_began_at + prepared.warmup_s, progress=progress)
        memory_mb = footprint_mb(platform)
        progress.step(f"chaos: {prepared.drill.title}")
        chaos_began_at = now()
        chaos = run_chaos(
            prepared.options.experiment,
            journal=folder.journal,
            log=folder.chaos_log,
            state_dir=platform.state_dir,
            platform_id=platform.platform_id,
        )
        chaos_returncode = follow(chaos, folder.chaos_log, progress=progress, tick=lambda: _tick(load, progress))
        chaos_ended_at = now()
        if Ledger(platform.state_dir).has_fault():
            progress.step("load: the rest of it")
            _finish(load, limit=load_began_at + prepared.duration_s + LOAD_GRACE_S, now=now, progress=progress)
        else:
            progress.fail("nothing was broken, so the load ends here")
            progress.step("load: stopped")
    load_ended_at = now()
    time.sleep(SETTLE_SCRAPES * prepared.spec.scrape_interval_s)  # the last requests must be in the samples
    progress.done(load.summary())
    return Driven(
        up_began_at=up_began_at,
        ready_at=ready_at,
        load_began_at=load_began_at,
        chaos_began_at=chaos_began_at,
        chaos_ended_at=chaos_ended_at,
        load_ended_at=load_ended_at,
        ended_at=now(),
        chaos_returncode=chaos_returncode,
        memory_mb=memory_mb,
        prometheus_url=prometheus_url,
    )


def _await_baseline(
    prepared: Prepared, platform: LocalPlatform, prometheus_url: str | None, *, now: Callable[[], float]
) -> None:
    """Counters need a value from before the load. Raises PlatformError naming the source that stays blind."""
    _await_targets(RecordedSamples(platform.state_dir / "samples"), prepared, now=now)
    if prometheus_url is not None:
        with contextlib.closing(PrometheusSamples(prometheus_url)) as prometheus:
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
