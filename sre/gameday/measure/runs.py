"""What is measured on the platform, section by section. Each run has a platform of its own, so that none finds the
caches or the queue of another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

import psutil

from sre.chaos.faults.replica import ReplicaCrash
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import Run, run_begin
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError
from sre.gameday.evaluate import replays, watched_targets
from sre.gameday.measure.bench import Bench, hit_share
from sre.gameday.measure.sizes import Sizes, knee_offer, settle_s
from sre.gameday.progress import POLL_S
from sre.gameday.running import RunningPlatform
from sre.incidents.evidence import read_jsonl
from sre.metrics.files import RecordedSamples
from sre.platforms.local import LocalPlatform
from sre.platforms.local.work import work_class
from sre.platforms.model import Platform
from sre.platforms.performance import (
    Answer,
    Failover,
    Fleet,
    FleetRun,
    KneePoint,
    Offer,
    Service,
    failover_of,
    knee_point,
    service_of,
)
from sre.platforms.processes import ProcessRef
from sre.platforms.state import EVENTS_FILE

Now = Callable[[], float]
_LEASE_S = 120.0
_RECOVERY_S = 60.0
_SAMPLES_S = 20.0
_BEFORE_ENGINE = ("server_start", "model_load")
_ENGINE = ("engine_load_weights", "engine_compile", "engine_capture_graphs", "engine_warmup")


def judged(answers: Sequence[Answer], offer: Offer, fleet: Fleet) -> Service:
    """By the thresholds of the class, stretched as the fleet is."""
    asked = work_class(offer.work)
    return service_of(
        answers, ttft_s=asked.ttft_s * fleet.time_scale, inter_token_s=asked.inter_token_s * fleet.time_scale
    )


def measured_run(bench: Bench, fleet: Fleet, offer: Offer, name: str, **load: object) -> FleetRun:
    """One open load on a fresh platform."""
    with bench.fleet(fleet) as running:
        bench.pacing.step(f"load: {name}")
        answers = bench.offer(running, offer, name, **load)
        share = hit_share(running)
    service = judged(answers, offer, fleet)
    bench.pacing.note(f"{name}: {service.measured} measured, {service.good} good, {service.failed} failed")
    return FleetRun(fleet, service, share)


def measured_knee(
    bench: Bench, fleet: Fleet, sizes: Sizes, *, seed: int, now: Now = time.time
) -> tuple[KneePoint, ...]:
    """The levels one after the other on one platform; each level has requests of its own, so nothing is cached."""
    with bench.fleet(fleet) as running:
        return tuple(
            _level(bench, running, fleet, level, sizes.knee_window_s * fleet.time_scale, seed=seed + level, now=now)
            for level in sizes.knee_levels
        )


def _level(
    bench: Bench, running: RunningPlatform, fleet: Fleet, level: int, window_s: float, *, seed: int, now: Now
) -> KneePoint:
    """All clients settle, then the window is looked at, then the load is cut: what is in flight is not waited for."""
    bench.pacing.step(f"load: {level} clients")
    settling_s, name = settle_s(level) * fleet.time_scale, f"knee-{level}"
    with bench.offering(running, knee_offer(level, seed=seed), name) as load:
        load.watch(until=lambda: load.sent() > 0 or load.ended(), progress=bench.pacing)
        end = now() + settling_s + window_s
        load.watch(until=lambda: now() >= end or load.ended(), progress=bench.pacing)
    answers = bench.answers(name)
    if not answers:
        raise PlatformError(f"the load of {level} clients sent nothing: see {bench.state_dir / 'measured' / name}")
    start = min(one.sent_at for one in answers) + settling_s
    point = knee_point(answers, concurrency=level, start=start, end=start + window_s)
    bench.pacing.done(f"{point.tokens_per_s:.0f} tokens/s")
    return point


def measured_cold_start(bench: Bench, fleet: Fleet, *, cold_start_scale: float) -> Mapping[str, float]:
    """Seconds by phase, the median over the replicas that start; the engine's own phases are the profile's, scaled."""
    with bench.fleet(fleet, cold_start_scale=cold_start_scale) as running:
        return phases_of(running)


def phases_of(running: RunningPlatform) -> Mapping[str, float]:
    """In the order in which they come: the engine's own are told in no order."""
    seen: dict[str, list[float]] = {}
    for event in read_jsonl(running.platform.state_dir / EVENTS_FILE):
        if event["event"] == "replica_ready":
            for phase, taken_s in event["detail"]["phases"].items():
                seen.setdefault(phase, []).append(float(taken_s))
    order = [*_BEFORE_ENGINE, *(phase for phase in _ENGINE if phase in seen), *seen]
    return {phase: median(seen[phase]) for phase in dict.fromkeys(order) if phase in seen}


def measured_failover(
    bench: Bench, fleet: Fleet, offer: Offer, *, kill_after_s: float, now: Now = time.time
) -> Failover:
    """kill -9 of the busiest replica's server under load, through the ledger as every fault is."""
    with bench.fleet(fleet) as running:
        platform = running.platform
        _await_samples(running, now=now)
        began_at = now()
        with bench.offering(running, offer, "failover") as load:
            bench.pacing.step("load: before the kill")
            load.watch(until=lambda: load.sent() > 0 or load.ended(), progress=bench.pacing)
            calm_until = now() + kill_after_s
            load.watch(until=lambda: now() >= calm_until or load.ended(), progress=bench.pacing)
            bench.pacing.step("kill -9 of the busiest replica")
            with _killed(platform, now=now) as (killed_at, name):
                load.watch(until=load.ended, progress=bench.pacing)
                recovered_at = _back_at(platform, name, after=killed_at, until=now() + _RECOVERY_S, now=now)
        time.sleep(2 * running.spec.scrape_interval_s)  # the last counts must be in the samples
        samples = RecordedSamples(platform.state_dir / "samples")
        replayed = replays(samples, start=began_at, end=now())
    answers = bench.answers("failover")
    found = failover_of(
        answers,
        killed_at=killed_at,
        moved=replayed.streams,
        recomputed_tokens=replayed.tokens,
        recovered_at=recovered_at,
    )
    bench.pacing.note(f"failover: {found.moved} streams moved, {found.failed} failed, {found.lost_tokens} tokens lost")
    return found


@contextmanager
def _killed(platform: Platform, *, now: Now) -> Iterator[tuple[float, str]]:
    """(when, which replica). The lease is given back at the end; what was killed is the supervisor's to mend."""
    me = psutil.Process()
    run = Run(
        run_id=f"performance-{me.pid}",
        process=ProcessRef(os.getpid(), me.create_time()),
        title="performance report: failover",
        radius=BlastRadius(max_replicas=1, min_healthy=1),
        deadline_at=now() + _LEASE_S,
    )
    Ledger(platform.state_dir).append(run_begin(run, at=now()))
    killed_at = now()
    injected = inject(platform, ReplicaCrash(), lease_s=_LEASE_S, run=run, now=now)
    try:
        yield killed_at, injected.lease.plan.target
    finally:
        heal(platform, injected.lease, by="run", now=now)


def _back_at(platform: LocalPlatform, name: str, *, after: float, until: float, now: Now) -> float | None:
    """When the replica was ready again by the supervisor's journal; None when it was not until `until`."""
    while True:
        events = read_jsonl(platform.state_dir / EVENTS_FILE)
        ready = [e["at"] for e in events if e["event"] == "replica_ready" and e["replica"] == name and e["at"] > after]
        if ready:
            return float(ready[0])
        if now() > until:
            return None
        time.sleep(POLL_S)


def _await_samples(running: RunningPlatform, *, now: Now) -> None:
    """Counters need a value from before the load. Raises PlatformError when nothing is recorded."""
    source, deadline = RecordedSamples(running.platform.state_dir / "samples"), now() + _SAMPLES_S
    while watched_targets(source, now=now(), within_s=5 * running.spec.scrape_interval_s) <= running.spec.replicas:
        if now() > deadline:
            raise PlatformError(f"the recorder sees no samples: see its log in {running.platform.state_dir / 'logs'}")
        time.sleep(POLL_S)
