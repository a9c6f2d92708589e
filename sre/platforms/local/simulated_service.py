"""The simulated column of a performance report: the offers of the measured one, through `sre.platforms.local.simulate`.

The simulator runs in real time of the profile, and its answers are stretched as the platform is. That is exact for
what scales with step times, and not for the gateway's own time limits, which matter only when something fails.
"""

from __future__ import annotations

import math

from sre.platforms.local.simulate import simulate
from sre.platforms.local.work import work_class
from sre.platforms.performance import (
    Answer,
    Failover,
    Fleet,
    FleetRun,
    Offer,
    failover_of,
    service_of,
    stretched,
)
from sre.platforms.simulation import FaultRequest, Simulation, SimulationRequest


def simulated_run(fleet: Fleet, offer: Offer) -> FleetRun:
    """Raises SreError for a fleet that cannot be."""
    found = simulate(_request(fleet, offer), on_progress=_silent)
    asked = work_class(offer.work)
    service = service_of(
        _answers(found, fleet.time_scale),
        ttft_s=asked.ttft_s * fleet.time_scale,
        inter_token_s=asked.inter_token_s * fleet.time_scale,
    )
    return FleetRun(fleet, service, found.summary.prefix_hit_share)


def simulated_failover(fleet: Fleet, offer: Offer, *, kill_after_s: float, restart_s: float) -> Failover:
    """The busiest replica crashes `kill_after_s` after the start, and serves again `restart_s` later, the supervisor's
    first delay within it; both as stretched as the fleet is.
    """
    from serving.backoff import Backoff

    scale = fleet.time_scale
    start_s = max(0.0, restart_s / scale - Backoff().first_s)
    crash = FaultRequest("crash", kill_after_s / scale)
    found = simulate(_request(fleet, offer, crash, cold_start_s=start_s), on_progress=_silent)
    ready = [life.ready_s for life in found.lives if life.ready_s is not None and life.start_s >= crash.at_s]
    return failover_of(
        _answers(found, scale),
        killed_at=kill_after_s,
        moved=int((found.requests.attempts > 1).sum()),
        recomputed_tokens=found.summary.wasted_tokens,
        recovered_at=min(ready) * scale if ready else None,
    )


def _request(fleet: Fleet, offer: Offer, *faults: FaultRequest, cold_start_s: float | None = None) -> SimulationRequest:
    return SimulationRequest(
        profile=fleet.profile,
        replicas=fleet.replicas,
        workload=offer.work,
        rate_rps=None if offer.rate_rps is None else offer.rate_rps * fleet.time_scale,
        duration_s=offer.duration_s / fleet.time_scale,
        routing=fleet.routing,
        max_num_seqs=fleet.max_num_seqs,
        max_num_batched_tokens=fleet.max_num_batched_tokens,
        seed=offer.seed,
        faults=faults,
        cold_start_s=cold_start_s,
        keep_samples=False,
    )


def _answers(found: Simulation, scale: float) -> list[Answer]:
    columns = found.requests
    rows = zip(
        columns.at_s.tolist(),
        columns.first_s.tolist(),
        columns.last_s.tolist(),
        columns.ended_s.tolist(),
        columns.emitted.tolist(),
        columns.output_tokens.tolist(),
        columns.outcome.tolist(),
        columns.longest_gap_s.tolist(),
        strict=True,
    )
    return [
        stretched(
            Answer(
                sent_at=at,
                first_at=_reached(first),
                last_at=_reached(last),
                ended_at=ended,
                tokens=emitted,
                wanted=wanted,
                outcome=columns.outcomes[outcome],
                longest_gap_s=_reached(gap),
            ),
            scale,
        )
        for at, first, last, ended, emitted, wanted, outcome, gap in rows
    ]


def _reached(at: float) -> float | None:
    return None if math.isnan(at) else at


def _silent(_: str) -> None:
    """Progress is told by whoever asks for many of these."""
