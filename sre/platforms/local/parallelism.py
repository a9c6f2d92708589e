"""How the same GPUs serve one model when they are cut into replicas in different ways, by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sre.errors import SreError
from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.local.simulated_service import simulated_run
from sre.platforms.local.work import open_offer
from sre.platforms.performance import Fleet, FleetRun, ParallelRun

if TYPE_CHECKING:
    from serving.profiles import Profile

GOOD_SHARE = 0.99
LEAST_REQUESTS, LEAST_S = 550, 60.0
"""Of each trial: enough for the share, and long enough for a queue to show."""
_ROUNDS = 5
_HIGHEST_RPS = 1000.0


@dataclass(frozen=True, slots=True)
class Cut:
    """One way to cut GPUs: a profile with its tensor and pipeline parallelism, and how many replicas of it fit."""

    profile: str
    tensor: int
    pipeline: int
    quantization: str
    replicas: int

    @property
    def gpus_per_replica(self) -> int:
        return self.tensor * self.pipeline

    @property
    def label(self) -> str:
        pipeline = "" if self.pipeline == 1 else f" x PP {self.pipeline}"
        return f"{self.replicas} x (TP {self.tensor}{pipeline}, {self.quantization})"


def cuts(model: str, gpu: str, gpus: int) -> tuple[Cut, ...]:
    """Every profile of the model on that GPU of which a whole number fits, fewest GPUs a replica first.

    Raises SreError when there is none.
    """
    from serving.profiles import load, profile_names

    with serving_errors_as_ours():
        profiles = [load(name) for name in profile_names()]
    fitting = [_cut(one, gpus) for one in profiles if (one.model, one.gpu) == (model, gpu) and _fits(one, gpus)]
    if not fitting:
        known = ", ".join(sorted({f"{one.model} on {one.gpu}" for one in profiles}))
        raise SreError(f"no profile of {model} on {gpu} fits {gpus} GPUs: there are {known}")
    return tuple(sorted(fitting, key=lambda cut: (cut.gpus_per_replica, cut.profile)))


def _fits(profile: Profile, gpus: int) -> bool:
    return profile.gpus_per_replica <= gpus and gpus % profile.gpus_per_replica == 0


def _cut(profile: Profile, gpus: int) -> Cut:
    memory = profile.memory
    return Cut(
        profile.name,
        memory.tensor_parallel,
        memory.pipeline_parallel,
        profile.quantization,
        gpus // profile.gpus_per_replica,
    )


def parallel_run(cut: Cut, work: str, *, seed: int, requests: int, on_progress: Callable[[str], None]) -> ParallelRun:
    """The highest rate at which the share of good requests holds, to about 3 %, and the service at that rate."""
    fleet = Fleet(cut.profile, cut.replicas)
    blank = ParallelRun(cut.profile, cut.label, cut.quantization, cut.gpus_per_replica, cut.replicas, None, None)
    try:
        found = _highest(fleet, work, seed=seed, requests=requests)
    except SreError as error:
        return replace(blank, reason=str(error))
    if found is None:
        return replace(blank, reason=f"misses the thresholds of {work} at the lowest rate tried")
    rate_rps, run = found
    on_progress(f"{cut.label}: {rate_rps:.1f} good requests/s")
    return replace(blank, sustained_rps=rate_rps, service=run.service)


def _highest(fleet: Fleet, work: str, *, seed: int, requests: int) -> tuple[float, FleetRun] | None:
    """Doubling until it fails, then halving between."""

    def trial(rate_rps: float) -> FleetRun | None:
        offered = max(requests, math.ceil(rate_rps * LEAST_S))
        run = simulated_run(fleet, open_offer(work, rate_rps=rate_rps, requests=offered, seed=seed))
        return run if (run.service.attainment or 0.0) >= GOOD_SHARE else None

    low, best = 0.5, trial(0.5)
    if best is None:
        return None
    high = 2 * low
    while high < _HIGHEST_RPS and (run := trial(high)) is not None:
        low, best, high = high, run, 2 * high
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if (run := trial(middle)) is None:
            high = middle
        else:
            low, best = middle, run
    return low, best
