"""What is simulated and what comes out. Times inside the simulation are whole nanoseconds from its start, so that sums
of steps are exact whatever their order; results are seconds."""

from __future__ import annotations

from dataclasses import dataclass

from serving.batching import SchedulerConfig, StepTimeModel

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request to serve, `at_ns` after the start."""

    at_ns: int
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """One kind of replica and the gateway in front of it.

    `cold_start` are the phases from starting a replica to its first request, seconds each. A request waits in the
    gateway while no replica has room for its prompt and output beside those it was given (`kv_overcommit` x its KV
    tokens); `max_queue` may wait, none longer than `queue_timeout_s`. Metrics are `scrape_interval_s` old at most.
    """

    scheduler: SchedulerConfig
    step_time: StepTimeModel
    cold_start: tuple[tuple[str, float], ...]
    kv_overcommit: float = 1.0
    max_queue: int = 512
    queue_timeout_s: float = 30.0
    scrape_interval_s: float = 5.0
    sync_period_s: float = 15.0

    @property
    def cold_start_s(self) -> float:
        return sum(seconds for _, seconds in self.cold_start)

    def takes(self, arrival: Arrival) -> bool:
        """Whether one replica alone could serve it: by the model's length and by its KV blocks."""
        length = arrival.prompt_tokens + arrival.output_tokens
        config = self.scheduler
        return length <= config.max_model_len and config.blocks_for(length - 1) <= config.kv_blocks


@dataclass(frozen=True, slots=True)
class FixedFleet:
    """No autoscaler: `replicas` from start to end."""

    name: str
    replicas: int


@dataclass(slots=True)
class Served:
    """What became of one request; None for what it did not reach.

    `rejected`: too long for the model, or given up by a queue that was full or too slow.
    """

    arrival: Arrival
    first_ns: int | None = None
    done_ns: int | None = None
    rejected: bool = False

    @property
    def ttft_s(self) -> float | None:
        return None if self.first_ns is None else (self.first_ns - self.arrival.at_ns) / NS

    @property
    def inter_token_s(self) -> float | None:
        """Mean gap between tokens; None for a single token or an unfinished answer."""
        if self.first_ns is None or self.done_ns is None or self.arrival.output_tokens == 1:
            return None
        return (self.done_ns - self.first_ns) / NS / (self.arrival.output_tokens - 1)


@dataclass(slots=True)
class ReplicaLife:
    """Billed over [start_s, end_s), serving from `ready_s`."""

    name: str
    start_s: float
    ready_s: float
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """The fleet at one decision: what was wanted, what there was, what waited."""

    at_s: float
    desired: int
    ready: int
    starting: int
    waiting: int
    limited_by: str


@dataclass(frozen=True, slots=True)
class FleetRun:
    """One policy's run. `duration_s` is the time that is billed and scored."""

    name: str
    duration_s: float
    served: tuple[Served, ...]
    lives: tuple[ReplicaLife, ...]
    moments: tuple[Moment, ...]
    scale_events: int
    max_queue: int
    preemptions: int
