"""What the engine counts, as plain data under vLLM's metric names. Publishing is somebody else's work."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

# vLLM's buckets, seconds
TTFT_BUCKETS_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0),
    *(40.0, 80.0, 160.0, 640.0, 2560.0),
)
INTER_TOKEN_BUCKETS_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
FINISHED_REASONS = ("stop", "length", "abort", "error")


@dataclass(slots=True)
class Histogram:
    """Observations in seconds; `counts[i]` is those in bucket i alone, the last entry those above every bound."""

    bounds_s: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum_s: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds_s) + 1)

    def observe(self, value_s: float) -> None:
        self.counts[bisect_left(self.bounds_s, value_s)] += 1
        self.sum_s += value_s

    @property
    def count(self) -> int:
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, int]]:
        """(le, observations at or below it), ending with +Inf."""
        total, rows = 0, []
        for bound, count in zip([*map(str, self.bounds_s), "+Inf"], self.counts, strict=True):
            total += count
            rows.append((bound, total))
        return rows


@dataclass(slots=True)
class EngineMetrics:
    """Gauges and counters of one engine since it started."""

    requests_running: int = 0
    requests_waiting: int = 0
    kv_cache_usage: float = 0.0
    xid: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    preemptions: int = 0
    prefix_queries_tokens: int = 0
    prefix_hits_tokens: int = 0
    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINISHED_REASONS, 0))
    ttft_s: Histogram = field(default_factory=lambda: Histogram(TTFT_BUCKETS_S))
    inter_token_s: Histogram = field(default_factory=lambda: Histogram(INTER_TOKEN_BUCKETS_S))
    cold_start_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of one metric series. Counters never fall."""

    name: str
    kind: str  # "gauge" or "counter"
    labels: tuple[tuple[str, str], ...]
    value: float


def readings(metrics: EngineMetrics) -> list[Reading]:
    """Every series, zeros included, without the labels that say whose it is."""
    gauges = {
        "vllm:num_requests_running": metrics.requests_running,
        "vllm:num_requests_waiting": metrics.requests_waiting,
        "vllm:kv_cache_usage_perc": metrics.kv_cache_usage,
    }
    counters = {
        "vllm:prompt_tokens_total": metrics.prompt_tokens,
        "vllm:generation_tokens_total": metrics.generation_tokens,
        "vllm:num_preemptions_total": metrics.preemptions,
        "vllm:prefix_cache_queries_total": metrics.prefix_queries_tokens,
        "vllm:prefix_cache_hits_total": metrics.prefix_hits_tokens,
    }
    return [
        *(Reading(name, "gauge", (), value) for name, value in gauges.items()),
        *(Reading(name, "counter", (), value) for name, value in counters.items()),
        *(
            Reading("vllm:request_success_total", "counter", (("finished_reason", reason),), count)
            for reason, count in metrics.finished.items()
        ),
        xid_reading(metrics.xid),
        *cold_start_readings(metrics.cold_start_s),
        *_histogram("vllm:time_to_first_token_seconds", metrics.ttft_s),
        *_histogram("vllm:inter_token_latency_seconds", metrics.inter_token_s),
    ]


def xid_reading(xid: int) -> Reading:
    """The GPU's last XID error as dcgm-exporter names it, 0 for none. The emulated engine has one GPU to speak for."""
    return Reading("DCGM_FI_DEV_XID_ERRORS", "gauge", (("gpu", "0"),), xid)


def cold_start_readings(seconds_by_phase: Mapping[str, float]) -> list[Reading]:
    """What the start of the engine took, phase by phase."""
    name = "sre_engine_cold_start_seconds"
    return [Reading(name, "gauge", (("phase", phase),), seconds) for phase, seconds in seconds_by_phase.items()]


def _histogram(name: str, histogram: Histogram) -> list[Reading]:
    buckets = [Reading(f"{name}_bucket", "counter", (("le", le),), count) for le, count in histogram.cumulative()]
    return [
        *buckets,
        Reading(f"{name}_sum", "counter", (), histogram.sum_s),
        Reading(f"{name}_count", "counter", (), histogram.count),
    ]
