"""How an offered load was served, counted in one way whether it was measured or simulated.

Both columns of a performance report come from here, so that a difference between them is one of service, never one of
counting. Times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

WARM_UP_REQUESTS = 50
MEASURED_REQUESTS = 500
"""What a statement about a class of work needs: of 500 requests, the worst five lie beyond the 99th percentile."""

Routing = Literal["affinity", "least_outstanding", "round_robin"]
FAILED = frozenset({"error", "truncated", "rejected", "timeout"})


@dataclass(frozen=True, slots=True)
class WorkClass:
    """A class of work and what is good service for it. Lengths are in words for a reader."""

    name: str
    title: str
    lengths: str
    ttft_s: float
    inter_token_s: float


@dataclass(frozen=True, slots=True)
class Offer:
    """A load: `rate_rps` for `duration_s` (open loop), or `concurrency` clients until `requests` are sent or
    `duration_s` is over. The same offer is the same requests, on the platform and in the simulator.
    """

    work: str
    seed: int
    duration_s: float
    rate_rps: float | None = None
    concurrency: int | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """What serves: `time_scale` stretches the profile's times, so that one small machine can carry several replicas.

    Thresholds are stretched with it. None of a limit is the profile's.
    """

    profile: str
    replicas: int
    time_scale: float = 1.0
    routing: Routing = "affinity"
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as its client saw it. `tokens` of the `wanted` came.

    `first_at` and `last_at` are None when no token came, `longest_gap_s` when fewer than two did.
    """

    sent_at: float
    first_at: float | None
    last_at: float | None
    ended_at: float
    tokens: int
    wanted: int
    outcome: str
    longest_gap_s: float | None = None

    @property
    def ttft_s(self) -> float | None:
        return None if self.first_at is None else self.first_at - self.sent_at

    @property
    def inter_token_s(self) -> float | None:
        """The mean gap between its tokens; None below two."""
        if self.first_at is None or self.last_at is None or self.tokens < 2:
            return None
        return (self.last_at - self.first_at) / (self.tokens - 1)

    def is_good(self, *, ttft_s: float, inter_token_s: float) -> bool:
        """Served whole, its first token and its mean gap within the thresholds."""
        if self.outcome != "ok" or self.ttft_s is None:
            return False
        return self.ttft_s <= ttft_s and (self.inter_token_s is None or self.inter_token_s <= inter_token_s)


@dataclass(frozen=True, slots=True)
class Tail:
    """Nearest-rank percentiles of `n` values; None when there are none."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Service:
    """What became of one offer: the first `warm_up` requests by time of sending left out, `measured` counted.

    Good requests over counted ones is the attainment; `failed` are error, truncated, rejected and timeout.
    `tokens_per_s` and `requests_per_s` are over the counted requests' own span.
    """

    warm_up: int
    measured: int
    good: int
    failed: int
    ttft: Tail
    inter_token: Tail
    longest_gap: Tail
    tokens_per_s: float | None
    requests_per_s: float | None

    @property
    def attainment(self) -> float | None:
        return self.good / self.measured if self.measured else None

    @property
    def is_sufficient(self) -> bool:
        return self.warm_up >= WARM_UP_REQUESTS and self.measured >= MEASURED_REQUESTS


def service_of(
    answers: Sequence[Answer], *, ttft_s: float, inter_token_s: float, warm_up: int = WARM_UP_REQUESTS
) -> Service:
    """Sums up. With too few answers for the warm-up and as many again, the warm-up is a tenth of them: said so by
    `Service.warm_up`, and never sufficient. Cancelled and invalid requests are nobody's failure: not counted.
    """
    ordered = sorted(answers, key=lambda one: one.sent_at)
    left_out = warm_up if len(ordered) >= 2 * warm_up else len(ordered) // 10
    counted = [one for one in ordered[left_out:] if one.outcome not in ("cancelled", "invalid")]
    span_s = max(one.ended_at for one in counted) - counted[0].sent_at if counted else 0.0
    tokens = sum(one.tokens for one in counted)
    return Service(
        warm_up=left_out,
        measured=len(counted),
        good=sum(one.is_good(ttft_s=ttft_s, inter_token_s=inter_token_s) for one in counted),
        failed=sum(one.outcome in FAILED for one in counted),
        ttft=_tail(counted, lambda one: one.ttft_s),
        inter_token=_tail(counted, lambda one: one.inter_token_s),
        longest_gap=_tail(counted, lambda one: one.longest_gap_s),
        tokens_per_s=tokens / span_s if span_s > 0 else None,
        requests_per_s=len(counted) / span_s if span_s > 0 else None,
    )


def _tail(answers: Sequence[Answer], value: Callable[[Answer], float | None]) -> Tail:
    return tail_of([found for one in answers if (found := value(one)) is not None])


def tail_of(values: Sequence[float]) -> Tail:
    """Nearest rank: each percentile is a value that occurred."""
    if not values:
        return Tail(0, None, None, None)
    ordered = sorted(values)

    def rank(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Tail(len(ordered), rank(0.50), rank(0.95), rank(0.99))


def tokens_between(answers: Sequence[Answer], start: float, end: float) -> float:
    """Tokens that came in [start, end), each answer's spread evenly between its first and its last.

    For throughput in a window that cuts requests: counting whole requests would favour whoever ends many in it.
    """
    return sum(_tokens_between(one, start, end) for one in answers)


def _tokens_between(answer: Answer, start: float, end: float) -> float:
    if answer.first_at is None or answer.last_at is None:
        return 0.0
    first = 1.0 if start <= answer.first_at < end else 0.0
    span_s = answer.last_at - answer.first_at
    if span_s <= 0:
        return answer.tokens * first
    shared_s = min(end, answer.last_at) - max(start, answer.first_at)
    return first + (answer.tokens - 1) * max(0.0, shared_s) / span_s


def stretched(answer: Answer, factor: float) -> Answer:
    """The same answer on a clock that runs `factor` times as long."""

    def scaled(at: float | None) -> float | None:
        return None if at is None else at * factor

    return replace(
        answer,
        sent_at=answer.sent_at * factor,
        first_at=scaled(answer.first_at),
        last_at=scaled(answer.last_at),
        ended_at=answer.ended_at * factor,
        longest_gap_s=scaled(answer.longest_gap_s),
    )


@dataclass(frozen=True, slots=True)
class KneePoint:
    """One level of a closed loop: tokens a second in a window of `window_s` in which all clients were busy.

    `ttft` is of the first tokens that came in it, `inter_token` of the `answers` that were under way in it, cut ones
    included: to take only those that ended in it would favour short ones.
    """

    concurrency: int
    window_s: float
    answers: int
    tokens_per_s: float
    ttft: Tail
    inter_token: Tail


def knee_point(answers: Sequence[Answer], *, concurrency: int, start: float, end: float) -> KneePoint:
    """The level as seen in [start, end)."""
    begun = [one for one in answers if one.first_at is not None and start <= one.first_at < end]
    inside = [one for one in answers if one.first_at is not None and one.first_at < end and one.ended_at >= start]
    return KneePoint(
        concurrency=concurrency,
        window_s=end - start,
        answers=len(inside),
        tokens_per_s=tokens_between(answers, start, end) / (end - start),
        ttft=_tail(begun, lambda one: one.ttft_s),
        inter_token=_tail(inside, lambda one: one.inter_token_s),
    )


@dataclass(frozen=True, slots=True)
class FleetRun:
    """One fleet under one offer; `hit_share` is the share of prompt tokens found in prefix caches, where known."""

    fleet: Fleet
    service: Service
    hit_share: float | None = None


@dataclass(frozen=True, slots=True)
class ParallelRun:
    """One way to cut GPUs into replicas: `sustained_rps` is what the whole fleet carries with its requests good, and
    `service` how it is then; None with a `reason` where it carries nothing, or cannot be.
    """

    key: str
    label: str
    precision: str
    gpus_per_replica: int
    replicas: int
    sustained_rps: float | None
    service: Service | None
    reason: str = ""

    @property
    def gpus(self) -> int:
        return self.gpus_per_replica * self.replicas


@dataclass(frozen=True, slots=True)
class Failover:
    """One replica killed under load. `gap` is the longest gap of each request that was under way then (on whichever
    replica), `calm_gap` that of those over before. `moved` streams went on elsewhere, `recomputed_tokens` were computed
    again for them; None where nobody could say. `lost_tokens` never came.

    `recovery_s`: from the kill until that replica served again; None when it did not within the run.
    """

    requests: int
    failed: int
    under_way: int
    moved: int | None
    gap: Tail
    calm_gap: Tail
    lost_tokens: int
    recomputed_tokens: int | None
    recovery_s: float | None


def failover_of(
    answers: Sequence[Answer],
    *,
    killed_at: float,
    moved: int | None,
    recomputed_tokens: int | None,
    recovered_at: float | None,
) -> Failover:
    """What the kill did to clients."""
    under_way = [one for one in answers if one.sent_at < killed_at <= one.ended_at]
    calm = [one for one in answers if one.ended_at < killed_at]
    return Failover(
        requests=len(answers),
        failed=sum(one.outcome in FAILED for one in answers),
        under_way=len(under_way),
        moved=moved,
        gap=_tail(under_way, lambda one: one.longest_gap_s),
        calm_gap=_tail(calm, lambda one: one.longest_gap_s),
        lost_tokens=sum(one.wanted - one.tokens for one in answers if one.outcome != "cancelled"),
        recomputed_tokens=recomputed_tokens,
        recovery_s=None if recovered_at is None else recovered_at - killed_at,
    )
