"""What a fleet simulation is given: replicas, gateway, traffic, autoscaler policy and faults; plain data.

The rules are the platform's own types (`serving.gateway.config`, `serving.autoscale.model`), so that a scenario can say
nothing that the platform could not be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from serving.autoscale.model import Policy
from serving.batching import SchedulerConfig, StepTimeModel
from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig, RoutingConfig
from serving.simulator.columns import Workload

Balancing = Literal["round_robin", "least_outstanding"]
FaultKind = Literal[
    "crash",
    "hang",
    "slow",
    "kv_loss",
    "cold_start_slow",
    "zone_loss",
    "spot_notice",
    "autoscaler_down",
    "metrics_loss",
    "surge",
    "poison",
]


@dataclass(frozen=True, slots=True)
class ReplicaGroup:
    """`count` replicas of one kind at the start; the autoscaler adds to the first group and takes from it.

    `profile` is the GPU profile's name, `gpu` the price book's name of its GPU, `gpus` how many one replica has (tensor
    x pipeline parallel). `cold_start` are the phases from start to first request, seconds each. `zones` are taken in
    turn. Spot replicas may be taken away by a `spot_notice`; of those that the autoscaler adds, `added_spot_share` are
    spot (all of them when the group is).
    """

    name: str
    profile: str
    gpu: str
    gpus: int
    scheduler: SchedulerConfig
    step_time: StepTimeModel
    cold_start: tuple[tuple[str, float], ...]
    count: int
    zones: tuple[str, ...] = ("a",)
    spot: bool = False
    added_spot_share: float = 0.0

    @property
    def cold_start_s(self) -> float:
        return sum(seconds for _, seconds in self.cold_start)

    @property
    def longest_tokens(self) -> int:
        """Prompt and output of the longest request that one replica alone could serve."""
        return min(self.scheduler.max_model_len, self.scheduler.kv_blocks * self.scheduler.block_size_tokens)


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """The gateway's sections, with their defaults. `balancing` is how work is spread that follows no prefix; it is
    `round_robin` too when `routing.balancing` says so. The three times bound one
    attempt and all attempts until the first token, and the gap after it, seconds (`serving.gateway.config`).
    """

    balancing: Balancing = "least_outstanding"
    first_token_timeout_s: float = 30.0
    deadline_s: float = 60.0
    idle_timeout_s: float = 10.0
    routing: RoutingConfig = field(default_factory=RoutingConfig)
    admission: AdmissionConfig = field(default_factory=AdmissionConfig)
    failover: FailoverConfig = field(default_factory=FailoverConfig)
    health: HealthConfig = field(default_factory=HealthConfig)

    def __post_init__(self) -> None:
        if self.routing.balancing == "round_robin":
            object.__setattr__(self, "balancing", "round_robin")


@dataclass(frozen=True, slots=True)
class FleetFault:
    """One fault from `at_s` on, for `duration_s` (None: to the end; a crash ends by itself, with the restart).

    `target` is a replica (`llm-0`), `busiest`, `random`, `all`, or a zone for `zone_loss`; unused by what hits no
    replica. `metrics_loss` hits every page unless the target names a replica. `value` is the factor of `slow`,
    `cold_start_slow` and `surge`, the share of KV blocks that stays with `kv_loss`, the notice in seconds of
    `spot_notice`, and the share of requests that are `poison`; None is the kind's usual one (`faults.USUAL`).
    """

    kind: FaultKind
    at_s: float
    duration_s: float | None = None
    target: str = "busiest"
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a run depends on: the same scenario gives the same bytes.

    Decisions and billing end at `duration_s`; what is in flight then is served to its end. `policy` None: the fleet
    stays as it is. Metrics are scraped each `scrape_interval_s`, the autoscaler looks each `sync_period_s`. Samples are
    kept only when `keep_samples`: a thousand replicas have many. A replica that the gateway holds out of rotation for
    `unhealthy_restart_s` is killed and started anew.
    """

    title: str
    groups: tuple[ReplicaGroup, ...]
    workload: Workload
    duration_s: float
    gateway: GatewayRules = field(default_factory=GatewayRules)
    policy: Policy | None = None
    faults: tuple[FleetFault, ...] = ()
    seed: int = 1
    scrape_interval_s: float = 5.0
    sync_period_s: float = 15.0
    keep_samples: bool = False
    unhealthy_restart_s: float = 20.0
    ttft_threshold_s: float = 1.0
    tpot_threshold_s: float = 0.05
