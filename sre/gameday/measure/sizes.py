"""How much is offered in each section, once for the platform and the simulator: the same offers give both columns.

Rates are real time's, of the fleet named beside them; a platform stretched by `time_scale` is offered as much less a
second. They are chosen so that two cores carry the emulated fleet with its clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre.platforms.local.work import open_offer
from sre.platforms.performance import MEASURED_REQUESTS, WARM_UP_REQUESTS, Fleet, Offer, Routing

CLASS_RPS: Mapping[str, float] = MappingProxyType({"chat": 14.0, "rag": 9.0, "agent": 30.0})
CLASS_REPLICAS = 3
ROUTINGS: tuple[Routing, ...] = ("affinity", "least_outstanding", "round_robin")
ROUTING_CLASS, ROUTING_RPS = "agent", 36.0
KNEE_CLASS, KNEE_REQUESTS, KNEE_END_S = "chat", 5000, 600.0
COLD_START_SCALE = 0.1
BATCHING_CLASS, BATCHING_RPS = "chat", 8.0
FAILOVER_CLASS, FAILOVER_RPS, FAILOVER_REPLICAS = "chat", 15.0, 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """`requests` of each class and routing, the levels and window of the knee, the grid of the knobs. Times are real
    time's, before stretching.
    """

    requests: int
    knee_levels: tuple[int, ...]
    knee_window_s: float
    batching_measured: tuple[tuple[int, int], ...]
    batching_grid: tuple[tuple[int, int], ...]
    batching_requests: int
    policy_s: float
    failover_s: float
    kill_after_s: float


FULL = Sizes(
    requests=WARM_UP_REQUESTS + MEASURED_REQUESTS,
    knee_levels=(1, 2, 4, 8, 16, 32, 48, 64),
    knee_window_s=3.0,
    batching_measured=((32, 2048), (64, 2048), (256, 2048), (256, 512)),
    batching_grid=tuple((seqs, budget) for seqs in (16, 32, 64, 256) for budget in (512, 2048, 8192)),
    policy_s=900.0,
    batching_requests=150,
    failover_s=7.0,
    kill_after_s=2.5,
)
QUICK = Sizes(
    requests=60,
    knee_levels=(1, 4, 16, 64),
    knee_window_s=0.6,
    batching_measured=((32, 2048), (256, 2048)),
    batching_grid=((32, 2048), (256, 512), (256, 2048)),
    policy_s=300.0,
    batching_requests=40,
    failover_s=3.0,
    kill_after_s=1.0,
)


def sizes_of(*, quick: bool) -> Sizes:
    return QUICK if quick else FULL


def class_offer(work: str, rate_rps: float, requests: int, *, fleet: Fleet, seed: int) -> Offer:
    """`requests` arrivals of a class at `rate_rps` of real time."""
    return open_offer(work, rate_rps=rate_rps / fleet.time_scale, requests=requests, seed=seed)


def settle_s(concurrency: int) -> float:
    """How long a level of the knee goes on before it is looked at, real time: all prompts come at once at first."""
    return 1.0 + concurrency / 16


def knee_offer(concurrency: int, *, seed: int) -> Offer:
    """A closed loop without an end of its own: whoever looks at it stops it."""
    return Offer(KNEE_CLASS, seed, duration_s=KNEE_END_S, concurrency=concurrency, requests=KNEE_REQUESTS)
