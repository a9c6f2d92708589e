"""Keeps what each scrape would have seen of gateway and replicas that cannot be told afterwards from the requests.

Gaps between tokens are counted as their steps end, each with the mean step of its stretch; the first gap after a
preemption is not among them. Counters of a replica start anew with its process.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from serving.gateway.metrics import INTER_TOKEN_BUCKETS
from serving.simulator.engine import Stretch
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS
from serving.simulator.scrape import Scraper

GATEWAY_GAUGES = (
    "sre_gateway_queue_depth",
    "sre_gateway_queue_tokens",
    "sre_gateway_predicted_ttft_seconds",
    "sre_gateway_retry_budget",
)
REPLICA_SERIES = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:num_preemptions_total",
    "vllm:prefix_cache_queries_total",
    "vllm:prefix_cache_hits_total",
)
STATES: Mapping[str, int] = MappingProxyType({"up": 0, "half_open": 1, "ejected": 2, "draining": 3, "down": 4})


@dataclass(slots=True)
class Rows:
    """One target's samples: when it was scraped, whether it answered, and what it said; a column a series."""

    at_s: array[float] = field(default_factory=lambda: array("d"))
    answered_s: array[float] = field(default_factory=lambda: array("d"))
    up: array[float] = field(default_factory=lambda: array("d"))
    columns: list[array[float]] = field(default_factory=list)

    def note(self, at_s: float, values: tuple[float, ...] | None) -> None:
        """None: it did not answer."""
        self.at_s.append(at_s)
        self.up.append(0.0 if values is None else 1.0)
        if values is None:
            return
        if not self.columns:
            self.columns = [array("d") for _ in values]
        self.answered_s.append(at_s)
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)


class Sampler:
    """Hears of each scrape and of each stretch of steps."""

    def __init__(self, membership: Membership, gateway: Gateway, scraper: Scraper, *, tpot_threshold_s: float) -> None:
        self._membership, self._gateway, self._scraper = membership, gateway, scraper
        self.gap_bounds_s = tuple(sorted({*map(float, INTER_TOKEN_BUCKETS), tpot_threshold_s}))
        self._gaps = [0] * (len(self.gap_bounds_s) + 1)
        self._gaps_s, self._tokens = 0.0, 0
        self.gateway = Rows()
        self.rotation: dict[str, Rows] = {}
        self.replicas: dict[str, Rows] = {}
        scraper.on_scrape = self._scraped
        gateway.accounts.on_stretch, gateway.accounts.on_gap = self._stretched, self.gap

    def _stretched(self, member: Member, stretch: Stretch, firsts: int) -> None:
        count = stretch.decodes * stretch.steps
        member.generated_tokens += count + firsts
        self._tokens += count + firsts
        if count:
            gap_s = (stretch.end_ns - stretch.start_ns) / stretch.steps / NS
            self._gaps[bisect_left(self.gap_bounds_s, gap_s)] += count
            self._gaps_s += gap_s * count

    def gap(self, gap_ns: int) -> None:
        """A single gap, such as one over a change of replica."""
        self._gaps[bisect_left(self.gap_bounds_s, gap_ns / NS)] += 1
        self._gaps_s += gap_ns / NS

    def _scraped(self, now_ns: int) -> None:
        at_s = now_ns / NS
        is_blind = self._scraper.blind_to(None)
        self.gateway.note(at_s, None if is_blind else self._of_gateway(now_ns))
        for member in self._membership.members:
            if not is_blind:
                state = STATES[member.health.state]
                values = (float(member.health.routable), float(len(member.flights)), float(state))
                self.rotation.setdefault(member.name, Rows()).note(at_s, values)
            answers = member.process in ("ready", "draining") and not self._scraper.blind_to(member)
            of_replica = _of_replica(member, now_ns) if answers else None
            self.replicas.setdefault(member.name, Rows()).note(at_s, of_replica)

    def _of_gateway(self, now_ns: int) -> tuple[float, ...]:
        gateway = self._gateway
        gauges = (
            float(len(gateway.line)),
            float(gateway.line.tokens),
            gateway.predicted_ttft_s(now_ns),
            gateway.budget.balance(now_ns / NS),
        )
        tallies = map(float, gateway.accounts.tallies.counts.values())
        return (*gauges, float(self._tokens), self._gaps_s, *map(float, self._gaps), *tallies)


def _of_replica(member: Member, now_ns: int) -> tuple[float, ...]:
    core = member.core
    return (
        float(core.running),
        float(core.waiting),
        round(core.kv_usage(now_ns), 6),
        float(member.prompt_tokens),
        float(member.generated_tokens),
        float(core.preemptions),
        float(core.prefix_queries_tokens),
        float(core.prefix_hits_tokens),
    )
