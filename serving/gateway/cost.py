"""What the fleet costs now, under OpenCost's names: `llm_total_hourly_cost`, `llm_cost_per_million_tokens`,
`llm_cache_savings_fraction` (docs/inference-cost-tracking.md of opencost/opencost, version 1.121).

`allocation` prices every replica the platform holds, one that starts or is being restarted too: reserved hardware is
paid. `usage` prices those with work in flight. Both are looked at when somebody scrapes; between two looks the counts
of the earlier one hold. Costs of tokens are those of the last `WINDOW_S`; a series that would need a token nobody made
is left out rather than 0. Prompt and generation are told apart by OpenCost's fixed ratio (`multiplier`), since no
engine of ours says how long each phase took.

The cache's savings are the router's expectation: known prefix blocks of the replica chosen, over the prompt's blocks.
What the engines found is `vllm:prefix_cache_hits_total`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.gateway.config import CostConfig
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.pool import Pool

WINDOW_S = 60.0
GENERATION_WEIGHT = 2.5
"""A generated token costs so many prompt tokens: OpenCost's default where the engines give no times."""
_MILLION = 1_000_000
_APART_S = 0.5


class Look(NamedTuple):
    """Running totals at one moment: replica-seconds, tokens, and prompt tokens asked of and held by prefix caches."""

    at: float
    paid_s: float
    busy_s: float
    prompt: float
    generated: float
    replayed: float
    looked_up: float
    held: float


class CostGauges(Collector):
    """Register it beside the gateway's other metrics. `clock` is monotonic seconds."""

    def __init__(
        self, config: CostConfig, model: str, pool: Pool, metrics: GatewayMetrics, clock: Callable[[], float]
    ) -> None:
        self._replica_hour = config.replica_hour
        self._labels = {"model_name": model, "workload_type": "inference"}
        self._currency = config.currency
        self._pool = pool
        self._metrics = metrics
        self._clock = clock
        self._paid = self._busy = 0
        self._last = Look(clock(), 0, 0, 0, 0, 0, 0, 0)
        self._looks: deque[Look] = deque()

    def collect(self) -> Iterator[Metric]:
        """The three gauges."""
        now = self._look()
        since = self._looks[0]
        yield self._hourly()
        yield self._per_million(since, now)
        yield self._cache(since, now)

    def _look(self) -> Look:
        last, at, metrics = self._last, self._clock(), self._metrics
        spent = at - last.at
        self._last = now = Look(
            at,
            last.paid_s + self._paid * spent,
            last.busy_s + self._busy * spent,
            metrics.prompt_tokens.value,
            metrics.generation_tokens.value,
            metrics.replayed_prompt_tokens.value + metrics.replayed_generation_tokens.value,
            self._pool.prefix_tokens,
            self._pool.prefix_tokens_held,
        )
        replicas = self._pool.everyone()
        self._paid, self._busy = len(replicas), sum(1 for replica in replicas if replica.inflight)
        if not self._looks or at - self._looks[-1].at >= _APART_S:
            self._looks.append(now)
        while len(self._looks) > 1 and self._looks[1].at <= at - WINDOW_S:
            self._looks.popleft()
        return now

    def _hourly(self) -> Metric:
        text = f"Hourly cost of the fleet, {self._currency}."
        family = GaugeMetricFamily("llm_total_hourly_cost", text)
        for basis, count in (("allocation", self._paid), ("usage", self._busy)):
            labels = {**self._labels, "cost_basis": basis}
            family.add_sample(family.name, labels, count * self._replica_hour)
        return family

    def _per_million(self, since: Look, now: Look) -> Metric:
        text = f"Cost of a million tokens over the last {WINDOW_S:g} s, {self._currency}; without phase: of all tokens."
        family = GaugeMetricFamily("llm_cost_per_million_tokens", text)
        prompt, generated = now.prompt - since.prompt, now.generated - since.generated
        prefill = prompt + now.replayed - since.replayed
        work = prefill + GENERATION_WEIGHT * generated
        for basis, replica_s in (("allocation", now.paid_s - since.paid_s), ("usage", now.busy_s - since.busy_s)):
            cost = replica_s / 3600 * self._replica_hour
            labels = {**self._labels, "cost_basis": basis}
            if prompt + generated:
                family.add_sample(family.name, labels, cost / (prompt + generated) * _MILLION)
            for phase, share, tokens in (("prompt", prefill, prompt), ("generation", work - prefill, generated)):
                if tokens:
                    of_phase = {**labels, "phase": phase, "allocation_method": "multiplier"}
                    family.add_sample(family.name, of_phase, cost * share / work / tokens * _MILLION)
        return family

    def _cache(self, since: Look, now: Look) -> Metric:
        text = (
            f"Share of prompt tokens, over the last {WINDOW_S:g} s, that the replica chosen should hold in its cache."
        )
        family = GaugeMetricFamily("llm_cache_savings_fraction", text)
        looked_up = now.looked_up - since.looked_up
        if looked_up:
            family.add_sample(family.name, dict(self._labels), (now.held - since.held) / looked_up)
        return family
