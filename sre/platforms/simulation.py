"""What is asked of a fleet simulation and what it answers: plain facts, whoever simulated them.

Everything here is simulated, nothing measured; reports say so wherever they show a figure of it. Times are seconds from
the simulation's start unless a name says otherwise. The local driver's are `sre.platforms.local.simulate.simulate` and
`sre.platforms.local.sweep.sweep`, each (request, *, on_progress) -> result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sre.platforms.scaling import FleetMoment

EPOCH = 1_767_225_600.0
"""Second 0 of every simulation in Unix time (2026-01-01 00:00 UTC): fixed, so that the same scenario gives the same
bytes, and after the start of calendars that SLOs name.
"""
Routing = Literal["affinity", "least_outstanding", "round_robin"]
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
GENERATED = ("day", "chat", "rag", "agent", "mixed")
"""Workloads that need no trace."""


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """One fault at `at_s` for `duration_s` (None: to the end; a crash ends by itself).

    `target` is a replica (`llm-0`), `busiest`, `random`, `all`, or a zone. `value` is the factor of `slow`,
    `cold_start_slow` and `surge`, the share of KV blocks that stays with `kv_loss`, the notice in seconds of
    `spot_notice`, and the share of requests that are `poison`; None: the kind's usual one.
    """

    kind: FaultKind
    at_s: float
    duration_s: float | None = None
    target: str = "busiest"
    value: float | None = None


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """What a fault's strength is reckoned from: KV blocks of one replica, its cold start in seconds."""

    kv_blocks: int
    cold_start_s: float


@dataclass(frozen=True, slots=True)
class SimulationRequest:
    """One simulation. None is what the scenario says, and without a scenario the default.

    `scenario` is a scenario file; without it `profile` is needed. `workload` is one of GENERATED, `trace` a file; only
    one of them. `requests` stops after so many. `faults` come on top of the scenario's. `policy` is an HPA or KEDA
    file, `no_policy` takes the scenario's away. Replicas, zones, seats, budget and cold start are those of group one.
    `price_book` and `drill_clock` are kept for who judges the run; with a clock above 1 scrapes are a second apart, as
    a drill's, unless `scrape_interval_s` says otherwise. `skip_bad_rows` leaves out bad rows of a trace, counted.
    """

    scenario: Path | None = None
    profile: str | None = None
    replicas: int | None = None
    trace: Path | None = None
    workload: str | None = None
    rate_rps: float | None = None
    duration_s: float | None = None
    burstiness_cv: float | None = None
    requests: int | None = None
    routing: Routing | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    policy: Path | None = None
    no_policy: bool = False
    faults: tuple[FaultRequest, ...] = ()
    zones: tuple[str, ...] | None = None
    spot: bool | None = None
    cold_start_s: float | None = None
    seed: int | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    price_book: Path | None = None
    drill_clock: float | None = None
    scrape_interval_s: float | None = None
    skip_bad_rows: bool = False
    keep_samples: bool = True


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Nearest rank, seconds, over the requests that have the value; None where none has."""

    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class ClassService:
    """How one class of requests was served. `outcomes` are the gateway's words with their counts, zeros left out.

    `counted` are the SLO's total: ok + error + truncated + rejected. Good: ok, first token and mean gap between tokens
    within the thresholds. `gap` is the longest gap within an answer, `tpot` its mean gap.
    """

    name: str
    requests: int
    counted: int
    good: int
    outcomes: tuple[tuple[str, int], ...]
    ttft: Quantiles
    tpot: Quantiles
    gap: Quantiles
    e2e: Quantiles
    good_tokens: int
    tokens: int

    @property
    def attainment(self) -> float | None:
        """Share of good requests among the counted; None without any."""
        return self.good / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class GpuTime:
    """What one group of replicas is billed for. `starting_s` of it served nothing yet, `vacant_s` had nothing to do.

    Replica-seconds; one replica has `gpus` of `gpu`.
    """

    group: str
    profile: str
    gpu: str
    gpus: int
    spot: bool
    replica_s: float
    starting_s: float
    vacant_s: float


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """A simulation without its curves. `tokens` reached clients, `wasted_tokens` were computed twice or for nobody.

    `overall` is over all classes; `classes` has one entry a class, also when there is one only.
    """

    duration_s: float
    overall: ClassService
    classes: tuple[ClassService, ...]
    gpu_time: tuple[GpuTime, ...]
    prompt_tokens: int
    wasted_tokens: int
    retried: int
    max_replicas: int
    scale_events: int
    max_queue: int
    preemptions: int
    prefix_queries_tokens: int
    prefix_hits_tokens: int

    @property
    def attainment(self) -> float | None:
        return self.overall.attainment

    @property
    def throughput_tokens_per_s(self) -> float:
        """Generated tokens that reached clients, per second of the simulation."""
        return self.overall.tokens / self.duration_s

    @property
    def prefix_hit_share(self) -> float | None:
        return self.prefix_hits_tokens / self.prefix_queries_tokens if self.prefix_queries_tokens else None


@dataclass(frozen=True, slots=True)
class SimulatedFault:
    """A fault as it was injected: [begin_s, end_s), None: to the end. `replicas` are those it hit."""

    kind: str
    target: str
    begin_s: float
    end_s: float | None
    value: float | None
    replicas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimulatedLife:
    """One life of a replica: billed over [start_s, end_s), serving from `ready_s` (None: never)."""

    name: str
    group: str
    zone: str
    start_s: float
    ready_s: float | None
    end_s: float


@dataclass(frozen=True, slots=True)
class ServiceBin:
    """Requests that arrived in one bin of time; None where no request says anything."""

    at_s: float
    requests: int
    counted: int
    good: int
    failed: int
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    tpot_p50_s: float | None
    tpot_p95_s: float | None

    @property
    def good_share(self) -> float | None:
        return self.good / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One thing that happened, in the words of the platform's `events.jsonl`; `note` is its detail in words."""

    at_s: float
    event: str
    replica: str | None
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class RequestColumns:
    """The requests, one array a property, in order of arrival; times in seconds, NaN for what was not reached.

    `outcome` and `klass` index `outcomes` and `classes`, `replica` indexes `replicas`, -1 for none.
    """

    outcomes: tuple[str, ...]
    classes: tuple[str, ...]
    replicas: tuple[str, ...]
    at_s: NDArray[np.float64]
    first_s: NDArray[np.float64]
    last_s: NDArray[np.float64]
    ended_s: NDArray[np.float64]
    longest_gap_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    emitted: NDArray[np.int32]
    attempts: NDArray[np.int16]
    outcome: NDArray[np.int8]
    klass: NDArray[np.int16]
    replica: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.outcome)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSeries:
    """One series of the platform's metrics as scrapes would have seen it; `at_s` strictly increases."""

    name: str
    labels: tuple[tuple[str, str], ...]
    at_s: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """One simulated run. `document` is the whole scenario as YAML text; with `files` (name, where it is now) beside it,
    it gives the same run again.

    `series` are samples under the platform's metric names, empty when none were asked for. `skipped`
    are bad rows of the trace left out on request. `notes` say what was assumed or left out.
    """

    title: str
    document: str
    files: tuple[tuple[str, Path], ...]
    price_book: Path | None
    drill_clock: float
    workload: str
    profiles: tuple[tuple[str, str], ...]
    policy: str
    routing: str
    seed: int
    duration_s: float
    scrape_interval_s: float
    ttft_threshold_s: float
    tpot_threshold_s: float
    cold_start: tuple[tuple[str, float], ...]
    summary: SimulationSummary
    requests: RequestColumns
    faults: tuple[SimulatedFault, ...]
    lives: tuple[SimulatedLife, ...]
    moments: tuple[FleetMoment, ...]
    service: tuple[ServiceBin, ...]
    events: tuple[SimulatedEvent, ...]
    series: tuple[SimulatedSeries, ...]
    skipped: int
    notes: tuple[str, ...]

    @property
    def start(self) -> float:
        """Unix time of second 0."""
        return EPOCH

    @property
    def end(self) -> float:
        return EPOCH + self.duration_s


SearchMethod = Literal["grid", "random", "halving"]
Executor = Literal["processes", "ray"]


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that is varied and its values, as written: `replicas` = 1, 2, 4."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """Configurations of `base` to try. `trials` bounds every search but the grid. `folder` keeps what is finished.

    `target` is the share of good requests to be met.
    """

    base: SimulationRequest
    knobs: Sequence[Knob]
    search: SearchMethod = "grid"
    trials: int = 0
    target: float = 0.99
    jobs: int = 1
    executor: Executor = "processes"
    folder: Path | None = None


PointState = Literal["simulated", "failed"]


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One configuration: its settings (knob, value), and what came out, or why nothing did (`reason`).

    `fidelity` is the share of the duration that was simulated: below 1 the search left it there.
    """

    settings: tuple[tuple[str, str], ...]
    state: PointState
    summary: SimulationSummary | None
    reason: str = ""
    fidelity: float = 1.0

    @property
    def name(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.settings)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every configuration that was tried, failed ones included, in the order of the grid, whatever the number of jobs.

    `resumed` were taken from an interrupted sweep's folder. `profiles` are (name, source) of those used.
    """

    title: str
    workload: str
    knobs: tuple[Knob, ...]
    search: SearchMethod
    target: float
    seed: int
    ttft_threshold_s: float
    tpot_threshold_s: float
    points: tuple[SweepPoint, ...]
    resumed: int
    grid_size: int
    profiles: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
