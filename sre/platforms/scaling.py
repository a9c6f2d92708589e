"""What scaling policies did with the same traffic: plain facts, whoever measured them. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FleetMoment:
    """The fleet at one decision."""

    at_s: float
    desired: int
    ready: int
    starting: int
    waiting: int
    limited_by: str


@dataclass(frozen=True, slots=True)
class MinuteOfService:
    """Requests that arrived in one bin of time: how many, the share that was good, and their TTFT's 95th percentile.

    None where no request arrived, or none got a first token.
    """

    at_s: float
    requests: int
    good_share: float | None
    ttft_p95_s: float | None


@dataclass(frozen=True, slots=True)
class PolicyRun:
    """One policy. `is_baseline`: a fixed number of replicas. `replica_s` are billed replica-seconds.

    A request is good when it was served with its first token and its mean gap between tokens within the thresholds.
    """

    name: str
    source: str
    is_baseline: bool
    requests: int
    good: int
    rejected: int
    ttft_ok: float
    inter_token_ok: float
    ttft_p50_s: float | None
    ttft_p99_s: float | None
    good_tokens: int
    replica_s: float
    starting_s: float
    max_replicas: int
    scale_events: int
    max_queue: int
    preemptions: int
    moments: tuple[FleetMoment, ...]
    service: tuple[MinuteOfService, ...]

    @property
    def attainment(self) -> float:
        """Share of good requests."""
        return self.good / self.requests if self.requests else 1.0


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """Several policies on one traffic. `capacity_rps` is what one replica carries at a steady 99 % good."""

    traffic: str
    profile: str
    profile_source: str
    gpu: str
    gpus_per_replica: int
    duration_s: float
    requests: int
    mean_rps: float
    peak_rps: float
    capacity_rps: float
    start_replicas: int
    cold_start: tuple[tuple[str, float], ...]
    ttft_s: float
    inter_token_s: float
    bin_s: float
    runs: tuple[PolicyRun, ...]


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """A policy document in words: what it scales on and how fast; `warnings` say what has no effect here."""

    name: str
    kind: str
    where: str
    lines: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
